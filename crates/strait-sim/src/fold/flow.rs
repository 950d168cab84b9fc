//! A folded job as a flow of data, without a queue of events.
//!
//! In: classes with the courses of their blocks. Out: the accounts and ends that the event engine would
//! give, or nothing where the job does not finish or outgrows time: the engine then says why.
//! Never decides what an instruction takes.
//!
//! # Why it is exact
//! Start times are sums and maxima of end times of what came before, and nothing that is booked
//! depends on the order of events (see [`crate::world::Accounts`]). So each class goes on alone as far as
//! what it waits for is known: messages by their number (a channel is fed by one stream, in order),
//! collectives by their turn. Where nobody can go on, nobody could in any order.
//!
//! A block with a foreground of known times is a handful of sums. Others, and those behind which
//! collectives run on, are flights: they are gone through instruction by instruction.

use super::course::{Course, Known};
use super::{Fold, Watch};
use crate::engine::EngineError;
use crate::observer::{BlockSpan, Observer};
use crate::program::{Kind, MAX_GROUP_KINDS, MAX_STREAMS, MAX_WINDOWS, Peer, Slot};
use crate::world::Accounts;
use crate::{Site, Timing};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use strait_units::Time;

/// Blocks between looks at the cancel flag.
const CANCEL_EVERY: u64 = 1024;
/// Blocks between reports of progress; a multiple of [`CANCEL_EVERY`].
const PROGRESS_EVERY: u64 = 1 << 16;
const _: () = assert!(PROGRESS_EVERY.is_multiple_of(CANCEL_EVERY));

/// What came out.
pub(super) struct Flowed {
    pub end: Time,
    pub accounts: Vec<Accounts>,
    pub events: u64,
    pub finish: Vec<Time>,
}

/// A block of which some instructions are to come.
struct Flight<'a> {
    course: &'a Course,
    slot: u32,
    open: u64,
    /// Ends of the instructions done, by stream.
    ends: [Vec<u64>; MAX_STREAMS],
    /// Streams that are not through with their list.
    left: u8,
    /// Streams whose next collective waits for others.
    arrived: u8,
}

/// A representative on its way.
struct Class<'a> {
    slots: &'a [Slot],
    courses: &'a [Option<std::sync::Arc<Course>>],
    peers: &'a [Peer],
    groups: [u32; MAX_GROUP_KINDS],
    foreground: usize,
    /// The open slot, or the next to open.
    current: u32,
    is_open: bool,
    /// When the last block closed.
    since: u64,
    /// End of each background stream's last instruction.
    ready: [u64; MAX_STREAMS],
    flights: VecDeque<Flight<'a>>,
    /// Background streams with work in a flight.
    behind: u8,
    first_channel: usize,
    /// The channel and count that it waits for.
    awaits: Option<(usize, usize)>,
    queued: bool,
}

/// Members that wait in a group of the folded job.
#[derive(Clone, Copy, Default)]
struct Gathered {
    arrived: usize,
    start: u64,
}

/// Everything that changes.
pub(super) struct Flow<'a, T, O> {
    fold: &'a Fold<'a, T>,
    observer: &'a mut O,
    classes: Vec<Class<'a>>,
    accounts: Vec<Accounts>,
    groups: [Vec<Gathered>; MAX_GROUP_KINDS],
    /// Messages sent, by channel: when the transfer started and ended.
    channels: Vec<Vec<(u64, u64)>>,
    /// Classes that may be able to go on.
    queue: VecDeque<u32>,
    events: u64,
    blocks: u64,
    /// Time has passed its end.
    overflow: bool,
}

/// The streams of a mask.
fn streams(mask: u8) -> impl Iterator<Item = usize> {
    (0..MAX_STREAMS).filter(move |stream| mask >> stream & 1 == 1)
}

impl<'a, T: Timing, O: Observer> Flow<'a, T, O> {
    pub fn new(fold: &'a Fold<'a, T>, observer: &'a mut O) -> Self {
        let mut channels = 0;
        let specs = fold.folded.specs.iter();
        let classes: Vec<Class<'_>> = (specs.zip(&fold.classes).enumerate())
            .map(|(class, (spec, courses))| {
                let program = fold.program(class);
                let first_channel = channels;
                channels += usize::from(program.channels);
                Class {
                    slots: &program.slots,
                    courses: &courses.courses,
                    peers: &spec.peers,
                    groups: spec.groups,
                    foreground: usize::from(program.foreground),
                    current: 0,
                    is_open: false,
                    since: 0,
                    ready: [0; MAX_STREAMS],
                    flights: VecDeque::new(),
                    behind: 0,
                    first_channel,
                    awaits: None,
                    queued: true,
                }
            })
            .collect();
        let fresh = Accounts {
            first_open: [Time::MAX; MAX_WINDOWS],
            ..Accounts::default()
        };
        let originals = fold.folded.originals.iter();
        let mut groups = originals.map(|of| vec![Gathered::default(); of.len()]);
        Flow {
            fold,
            observer,
            accounts: vec![fresh; classes.len()],
            groups: std::array::from_fn(|_| groups.next().unwrap_or_default()),
            channels: (0..channels).map(|_| Vec::with_capacity(256)).collect(),
            queue: (0..classes.len() as u32).collect(),
            classes,
            events: 0,
            blocks: 0,
            overflow: false,
        }
    }

    /// Goes on until nobody can. Nothing if somebody has not finished, or time is over.
    pub fn run(mut self, watch: Watch<'_>) -> Result<Option<Flowed>, EngineError> {
        let all: u64 = self
            .classes
            .iter()
            .map(|class| class.slots.len() as u64)
            .sum();
        while let Some(class) = self.queue.pop_front() {
            let class = class as usize;
            self.classes[class].queued = false;
            loop {
                let moved = self.fly(class);
                let opened = self.open(class);
                if self.overflow {
                    return Ok(None);
                }
                if opened {
                    self.blocks += 1;
                    if self.blocks.is_multiple_of(CANCEL_EVERY) {
                        if watch.cancel.load(Ordering::Relaxed) {
                            return Err(EngineError::Cancelled);
                        }
                        if self.blocks.is_multiple_of(PROGRESS_EVERY) {
                            (watch.progress)(self.blocks as f64 / all as f64);
                        }
                    }
                } else if !moved {
                    break;
                }
            }
        }
        let through = |class: &Class<'_>| {
            class.current as usize == class.slots.len() && class.flights.is_empty()
        };
        if !self.classes.iter().all(through) {
            return Ok(None);
        }
        let done = |class: &Class<'_>| {
            let behind = class.ready[class.foreground..].iter().copied();
            Time::from_picos(behind.fold(class.since, u64::max))
        };
        let finish: Vec<Time> = self.classes.iter().map(done).collect();
        Ok(Some(Flowed {
            end: finish.iter().copied().max().unwrap_or(Time::ZERO),
            accounts: self.accounts,
            events: self.events,
            finish,
        }))
    }

    fn wake(&mut self, class: usize) {
        let state = &mut self.classes[class];
        if !state.queued {
            state.queued = true;
            self.queue.push_back(class as u32);
        }
    }

    /// An end of an instruction; remembers if time is over.
    fn end(&mut self, start: u64, time: u64) -> u64 {
        let end = start.saturating_add(time);
        self.overflow |= end == u64::MAX;
        end
    }

    /// Adds a message to a channel of a peer, which may wait for it.
    fn deliver(&mut self, from: usize, peer: u8, start: u64, end: u64) {
        let peer = self.classes[from].peers[usize::from(peer)];
        let to = peer.rank as usize;
        let at = self.classes[to].first_channel + usize::from(peer.channel);
        self.channels[at].push((start, end));
        if self.classes[to].awaits == Some((at, self.channels[at].len())) {
            self.wake(to);
        }
    }

    /// Opens the next block if what it waits for is known; says whether.
    fn open(&mut self, class: usize) -> bool {
        let state = &mut self.classes[class];
        let Some(slot) = state.slots.get(state.current as usize) else {
            return false;
        };
        let Some(course) = &state.courses[slot.block as usize] else {
            return false;
        };
        if state.is_open {
            return false;
        }
        state.awaits = None;
        let since = state.since;
        let mut now = since;
        let mut messages = [(0, 0); 2];
        for (message, entry) in messages.iter_mut().zip(slot.entry.iter().flatten()) {
            if entry.count == 0 {
                continue;
            }
            let at = state.first_channel + usize::from(entry.channel);
            let Some(sent) = self.channels[at].get(entry.count as usize - 1) else {
                state.awaits = Some((at, entry.count as usize));
                return false;
            };
            *message = *sent;
            now = now.max(sent.1);
        }
        if course.block.drains {
            if state.behind != 0 {
                return false;
            }
            let behind = state.ready[state.foreground..].iter().copied();
            now = behind.fold(now, u64::max);
        }
        let window = usize::from(course.block.window);
        let accounts = &mut self.accounts[class];
        let gap = now - since;
        if gap > 0 {
            accounts.gaps[window] += Time::from_picos(gap);
            // Of two messages that end a wait in one instant, the one sent first counts.
            let last = messages.iter().filter(|(_, end)| *end == now);
            if let Some((start, _)) = last.min() {
                let from = since.max(*start);
                accounts.gap_transfers[window] += Time::from_picos(now - from);
            }
        }
        let first = &mut accounts.first_open[window];
        *first = (*first).min(Time::from_picos(now));
        self.events += course.events;
        match &course.known {
            Some(known) => self.passes(class, course, known, now),
            None => {
                let mask = (1u8 << state.foreground) - 1;
                state.is_open = true;
                state.behind |= course.occupied & !mask;
                state.flights.push_back(Flight {
                    course,
                    slot: state.current,
                    open: now,
                    ends: Default::default(),
                    left: course.occupied,
                    arrived: 0,
                });
                if course.occupied & mask == 0 {
                    self.close(class, course, now, now);
                }
            }
        }
        true
    }

    /// Runs a foreground of known times.
    fn passes(&mut self, class: usize, course: &'a Course, known: &'a Known, now: u64) {
        let close = self.end(now, known.length);
        if self.overflow {
            return;
        }
        for sent in &known.sends {
            self.deliver(class, sent.peer, now + sent.start, now + sent.end);
        }
        let state = &mut self.classes[class];
        match &known.behind {
            Some(behind) if course.occupied & state.behind == 0 => {
                for one in behind {
                    let stream = usize::from(one.stream);
                    let start = self.classes[class].ready[stream].max(now + one.after);
                    let end = self.end(start, one.time);
                    self.classes[class].ready[stream] = end;
                    if let Some(peer) = one.peer {
                        self.deliver(class, peer, start, end);
                    }
                }
            }
            _ => {
                let mut ends: [Vec<u64>; MAX_STREAMS] = Default::default();
                ends[0] = known.ends.iter().map(|end| now + end).collect();
                state.behind |= course.occupied;
                state.flights.push_back(Flight {
                    course,
                    slot: state.current,
                    open: now,
                    ends,
                    left: course.occupied,
                    arrived: 0,
                });
            }
        }
        self.close(class, course, now, close);
    }

    /// Books the open block.
    fn close(&mut self, class: usize, course: &Course, open: u64, close: u64) {
        let window = usize::from(course.block.window);
        let accounts = &mut self.accounts[class];
        accounts.window[window] += Time::from_picos(close - open);
        accounts.last_close[window] = Time::from_picos(close);
        accounts.blocks[window] += 1;
        let state = &mut self.classes[class];
        self.observer.block(BlockSpan {
            rank: class as u32,
            slot_index: state.current,
            window: course.block.window,
            keys: state.slots[state.current as usize].keys,
            open: Time::from_picos(open),
            close: Time::from_picos(close),
        });
        state.since = close;
        state.current += 1;
        state.is_open = false;
    }

    /// Takes flights as far as they go; says whether any went on.
    fn fly(&mut self, class: usize) -> bool {
        if self.classes[class].flights.is_empty() {
            return false;
        }
        let mut any = false;
        let mut at = 0;
        // Streams with work in an earlier flight.
        let mut taken = 0;
        while at < self.classes[class].flights.len() {
            loop {
                let mut moved = false;
                for stream in streams(self.classes[class].flights[at].left & !taken) {
                    while self.step(class, at, stream) {
                        moved = true;
                    }
                }
                any |= moved;
                if !moved || self.overflow {
                    break;
                }
            }
            let state = &self.classes[class];
            let flight = &state.flights[at];
            let mask = (1u8 << state.foreground) - 1;
            let last = at + 1 == state.flights.len();
            if last && state.is_open && flight.left & mask == 0 {
                self.land(class);
            }
            let flight = &self.classes[class].flights[at];
            if flight.left == 0 {
                self.classes[class].flights.remove(at);
            } else {
                taken |= flight.left;
                at += 1;
            }
        }
        let state = &mut self.classes[class];
        state.behind = taken & !((1u8 << state.foreground) - 1);
        any
    }

    /// Closes the open block, whose foreground is through.
    fn land(&mut self, class: usize) {
        let state = &self.classes[class];
        let Some(flight) = state.flights.back() else {
            return;
        };
        let (course, open) = (flight.course, flight.open);
        let last = |stream: usize| flight.ends[stream].last().copied().unwrap_or(open);
        let foreground = state.foreground;
        let close = (0..foreground).map(last).fold(open, u64::max);
        let idle = close - last(0);
        if idle > 0 {
            let latest = (1..foreground)
                .find(|s| course.occupied >> s & 1 == 1 && last(*s) == close)
                .and_then(|stream| course.lists[stream].last());
            if let Some(latest) = latest {
                self.accounts[class].idle[usize::from(latest.idle)] += Time::from_picos(idle);
            }
        }
        self.close(class, course, open, close);
    }

    /// When a stream's next instruction of a flight is next in line.
    fn ready(&self, class: usize, at: usize, stream: usize) -> u64 {
        let state = &self.classes[class];
        let flight = &state.flights[at];
        match flight.ends[stream].last() {
            Some(end) => *end,
            None if stream < state.foreground => flight.open,
            None => flight.open.max(state.ready[stream]),
        }
    }

    /// Runs the next instruction of a stream in a flight, if what it waits for is known.
    fn step(&mut self, class: usize, at: usize, stream: usize) -> bool {
        let flight = &self.classes[class].flights[at];
        let course = flight.course;
        let bit = 1u8 << stream;
        let Some(next) = course.lists[stream].get(flight.ends[stream].len()) else {
            return false;
        };
        if flight.arrived & bit != 0 {
            return false;
        }
        let ready = self.ready(class, at, stream);
        let mut start = ready;
        for wait in next.waits.iter().flatten().filter(|wait| wait.count > 0) {
            let ends = &flight.ends[usize::from(wait.stream)];
            match ends.get(usize::from(wait.count) - 1) {
                Some(end) => start = start.max(*end),
                None => return false,
            }
        }
        if let Kind::Collective { group } = next.kind {
            self.classes[class].flights[at].arrived |= bit;
            self.arrive(class, group, start);
            return true;
        }
        let end = self.end(start, next.time);
        self.done(class, at, stream, (ready, start, end));
        if let Kind::Send { peer } = next.kind {
            self.deliver(class, peer, start, end);
        }
        true
    }

    /// Books an instruction.
    fn done(&mut self, class: usize, at: usize, stream: usize, times: (u64, u64, u64)) {
        let (ready, start, end) = times;
        let state = &mut self.classes[class];
        let flight = &mut state.flights[at];
        let list = &flight.course.lists[stream];
        if stream == 0 {
            let done = &list[flight.ends[0].len()];
            let accounts = &mut self.accounts[class];
            accounts.idle[usize::from(done.idle)] += Time::from_picos(start - ready);
            let busy = &mut accounts.busy[usize::from(done.busy)];
            *busy = busy.saturating_add(Time::from_picos(end - start));
        }
        flight.ends[stream].push(end);
        if flight.ends[stream].len() == list.len() {
            flight.left &= !(1 << stream);
        }
        if stream >= state.foreground {
            state.ready[stream] = end;
        }
    }

    /// Counts a class in at its group's collective, which runs once all are there.
    fn arrive(&mut self, class: usize, kind: u8, start: u64) {
        let fold = self.fold;
        let group = self.classes[class].groups[usize::from(kind)];
        let members = &fold.folded.originals[usize::from(kind)][group as usize].members;
        let gathered = &mut self.groups[usize::from(kind)][group as usize];
        gathered.arrived += 1;
        gathered.start = gathered.start.max(start);
        if gathered.arrived < members.len() {
            return;
        }
        let start = std::mem::take(gathered).start;
        let mut end = None;
        for &member in members {
            let member = member as usize;
            let Some((at, stream)) = self.waiting(member, kind) else {
                continue;
            };
            let end = *end.get_or_insert_with(|| {
                // The lowest rank speaks for all, whoever came last.
                let flight = &self.classes[member].flights[at];
                let index = flight.ends[stream].len();
                let site = Site {
                    slot: &self.classes[member].slots[flight.slot as usize],
                    slot_index: flight.slot,
                    stream: stream as u8,
                    index: index as u16,
                };
                let instruction = &flight.course.block.streams[stream][index];
                let time = fold.collective(group, members, site, instruction);
                start.saturating_add(time.picos())
            });
            self.overflow |= end == u64::MAX;
            let ready = self.ready(member, at, stream);
            self.classes[member].flights[at].arrived &= !(1 << stream);
            self.done(member, at, stream, (ready, start, end));
            if member != class {
                self.wake(member);
            }
        }
        self.events += 1;
    }

    /// The flight and stream of a class that wait in a collective of a kind.
    fn waiting(&self, class: usize, kind: u8) -> Option<(usize, usize)> {
        let flights = self.classes[class].flights.iter().enumerate();
        for (at, flight) in flights {
            for stream in streams(flight.arrived) {
                let next = &flight.course.lists[stream][flight.ends[stream].len()];
                if next.kind == (Kind::Collective { group: kind }) {
                    return Some((at, stream));
                }
            }
        }
        None
    }
}
