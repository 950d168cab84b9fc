//! The event loop: programs run on ranks until nothing is left to do.
//!
//! In: a checked [`Job`], a [`Timing`], an [`Observer`]. Out: a [`Run`]. Never allocates
//! per event, never looks at a clock, and never asks who the ranks are.
//!
//! Order of events is total: time, then order of posting; on each event a fixed order of
//! wake-ups (own streams by index, members of a collective by rank). Results do not depend
//! on it: start times are sums and maxima of end times, and attributions that could tie
//! name their winner (see [`Accounts`]).

use crate::check::JobError;
use crate::lanes::Refusal;
use crate::net::NetworkError;
use crate::observer::{BlockSpan, InstructionSpan, Observer};
use crate::plan::{GroupPlan, Plan};
use crate::program::{Job, Kind, MAX_STREAMS, MAX_WINDOWS};
use crate::queue::{EventQueue, WheelQueue};
use crate::shared::Shared;
use crate::stuck::{self, Stuck};
use crate::world::{Accounts, BETWEEN, ClusterWorld, RankState};
use crate::{Site, Timing, Transfer};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_units::Time;

/// How local instructions become events. Both give the same [`Run`], but for the number of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Runs of local instructions that nobody waits on inside are one event.
    #[default]
    Runs,
    /// Every instruction is an event of its own: the plain twin.
    EveryOp,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When the last stream of the last rank was done.
    pub end: Time,
    /// Where each rank's time went.
    pub accounts: Vec<Accounts>,
    /// Program instructions executed, over all ranks.
    pub ops: u64,
    /// Events taken from the queue.
    pub events: u64,
    /// When each rank's last stream was done, background streams included.
    pub finish: Vec<Time>,
}

/// Why a run has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The job is not well formed.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Some ranks have work left and nothing will ever release it.
    #[error("deadlock: {} of {ranks} ranks cannot finish; {}", .unfinished, stuck::list(.stuck))]
    Deadlock {
        /// How many ranks there are.
        ranks: usize,
        /// How many did not finish.
        unfinished: usize,
        /// The first few of these, and what each waits for.
        stuck: Vec<Stuck>,
    },
    /// The fast path cannot run this job; the event engine can.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Simulated time passed the end of [`Time`].
    #[error("simulated time exceeds {} s", Time::MAX.seconds())]
    Overflow,
    /// A transfer that its network does not know.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// The columns of the world are not those of the job's ranks in order.
    #[error("the world holds other ranks than the job's {ranks}")]
    World {
        /// How many ranks the job has.
        ranks: usize,
    },
}

/// How many events pass between looks at the cancel flag.
const CANCEL_EVERY: u64 = 4096;
/// How many events pass between reports of progress; a multiple of [`CANCEL_EVERY`].
const PROGRESS_EVERY: u64 = 1 << 18;
const _: () = assert!(PROGRESS_EVERY.is_multiple_of(CANCEL_EVERY));

/// Event payloads: a stream of a rank, or with this bit a group.
pub(crate) const GROUP: u32 = 1 << 31;
pub(crate) const STREAM_BITS: u32 = 2;
pub(crate) const STREAM_MASK: u32 = (1 << STREAM_BITS) - 1;
const _: () = assert!(MAX_STREAMS <= 1 << STREAM_BITS);

/// Runs jobs; generic over the event queue.
#[derive(Clone, Copy, Debug)]
pub struct Engine<Q = WheelQueue> {
    mode: Mode,
    queue: PhantomData<Q>,
}

impl Default for Engine {
    fn default() -> Self {
        Engine::new(Mode::default())
    }
}

impl Engine {
    /// An engine on the default queue.
    pub fn new(mode: Mode) -> Engine {
        Engine::on_queue(mode)
    }
}

impl<Q: EventQueue> Engine<Q> {
    /// An engine on a queue of choice: `Engine::<HeapQueue>::on_queue(mode)`.
    pub fn on_queue(mode: Mode) -> Engine<Q> {
        Engine {
            mode,
            queue: PhantomData,
        }
    }

    /// Runs a job to its end. Looks at `cancel` every 4,096 events, and calls `progress`
    /// now and then with the share of slots done (0 to 1).
    pub fn run<T: Timing, O: Observer>(
        &self,
        job: &Job,
        timing: &T,
        observer: &mut O,
        cancel: &AtomicBool,
        progress: &dyn Fn(f64),
    ) -> Result<Run, EngineError> {
        let mut world = ClusterWorld::new(job.ranks.len());
        let watch = Watch { cancel, progress };
        self.run_in(&mut world, job, timing, observer, watch)
    }

    /// As [`Engine::run`], in a world of the caller's. State and accounts start afresh and
    /// stay there afterwards.
    pub fn run_in<T: Timing, O: Observer>(
        &self,
        world: &mut ClusterWorld,
        job: &Job,
        timing: &T,
        observer: &mut O,
        watch: Watch<'_>,
    ) -> Result<Run, EngineError> {
        let columns = world.columns().ok_or(EngineError::World {
            ranks: job.ranks.len(),
        })?;
        self.run_on(
            columns.states,
            columns.accounts,
            job,
            timing,
            observer,
            watch,
        )
    }

    /// As [`Engine::run`], on state kept anywhere (to measure what the world costs: nothing).
    pub fn run_on<T: Timing, O: Observer>(
        &self,
        states: &mut [RankState],
        accounts: &mut [Accounts],
        job: &Job,
        timing: &T,
        observer: &mut O,
        watch: Watch<'_>,
    ) -> Result<Run, EngineError> {
        job.check()?;
        let ranks = job.ranks.len();
        if states.len() != ranks || accounts.len() != ranks {
            return Err(EngineError::World { ranks });
        }
        let plan = Plan::new(job);
        match self.mode {
            Mode::Runs => {
                Loop::<Q, T, O, true>::new(&plan, states, accounts, timing, observer).run(watch)
            }
            Mode::EveryOp => {
                Loop::<Q, T, O, false>::new(&plan, states, accounts, timing, observer).run(watch)
            }
        }
    }
}

/// How a run is watched and stopped.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Set from outside to stop at the next opportunity.
    pub cancel: &'a AtomicBool,
    /// Called now and then with the share of slots done (0 to 1).
    pub progress: &'a dyn Fn(f64),
}

/// State of a group while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupState {
    /// Members that wait for the others.
    pub arrived: u32,
    /// When the last one arrived.
    start: u64,
}

/// Everything that changes during a run, and what it is read against.
struct Loop<'a, Q, T, O, const RUNS: bool> {
    plan: &'a Plan<'a>,
    timing: &'a T,
    observer: &'a mut O,
    queue: Q,
    states: &'a mut [RankState],
    accounts: &'a mut [Accounts],
    groups: Vec<GroupState>,
    /// Messages that have arrived, by [`RankState::first_channel`] + channel.
    channels: Vec<u32>,
    finish: Vec<u64>,
    /// Transfers, where links are shared.
    shared: Option<Shared<'a>>,
    /// When something next happens there; never by [`u64::MAX`].
    look_at: u64,
    /// Tags of transfers that have ended; kept for its memory.
    ended: Vec<u32>,
    ops: u64,
    events: u64,
    slots_done: u64,
    slots_total: u64,
}

impl<'a, Q: EventQueue, T: Timing, O: Observer, const RUNS: bool> Loop<'a, Q, T, O, RUNS> {
    fn new(
        plan: &'a Plan<'a>,
        states: &'a mut [RankState],
        accounts: &'a mut [Accounts],
        timing: &'a T,
        observer: &'a mut O,
    ) -> Self {
        let mut channels = 0;
        let mut slots_total = 0;
        for (spec, (state, accounts)) in
            (plan.job.ranks.iter()).zip(states.iter_mut().zip(accounts.iter_mut()))
        {
            let program = &plan.programs[spec.program as usize];
            *state = RankState::new(program, channels);
            *accounts = Accounts {
                first_open: [Time::MAX; MAX_WINDOWS],
                ..Accounts::default()
            };
            channels += u32::from(program.channels);
            slots_total += u64::from(program.slots);
        }
        let mut queue = Q::default();
        queue.reserve(states.len() * 2);
        Loop {
            plan,
            timing,
            observer,
            queue,
            groups: vec![GroupState::default(); plan.groups.len()],
            channels: vec![0; channels as usize],
            finish: vec![0; states.len()],
            shared: timing.network().map(Shared::new),
            look_at: u64::MAX,
            ended: Vec::new(),
            states,
            accounts,
            ops: 0,
            events: 0,
            slots_done: 0,
            slots_total,
        }
    }

    fn run(mut self, watch: Watch<'_>) -> Result<Run, EngineError> {
        for rank in 0..self.states.len() {
            self.open(rank, 0);
        }
        let mut end = 0;
        loop {
            if self.look_at < u64::MAX {
                let due = self.look_at;
                // What is due on the links comes after all else of its instant.
                if self.queue.next_time().is_none_or(|next| next.picos() > due) {
                    if self.look(due)? {
                        end = due;
                    }
                    self.events += 1;
                    self.watched(watch)?;
                    continue;
                }
            }
            let Some((time, payload)) = self.queue.pop() else {
                break;
            };
            let now = time.picos();
            if now == u64::MAX {
                // Sums of durations saturate, so this is where overflow shows.
                return Err(EngineError::Overflow);
            }
            end = now;
            self.events += 1;
            self.watched(watch)?;
            if payload & GROUP == 0 {
                let rank = (payload >> STREAM_BITS) as usize;
                self.complete(rank, (payload & STREAM_MASK) as usize, now);
            } else {
                self.complete_group((payload & !GROUP) as usize, now);
            }
        }
        self.finished(end)
    }

    /// Looks up now and then, to stop or to tell how far it is.
    #[inline]
    fn watched(&self, watch: Watch<'_>) -> Result<(), EngineError> {
        if self.events.is_multiple_of(CANCEL_EVERY) {
            if watch.cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            if self.events.is_multiple_of(PROGRESS_EVERY) {
                (watch.progress)(self.slots_done as f64 / self.slots_total as f64);
            }
        }
        Ok(())
    }

    /// Lets transfers end, or if none does, start. Says whether one has ended.
    fn look(&mut self, now: u64) -> Result<bool, EngineError> {
        let mut tags = std::mem::take(&mut self.ended);
        tags.clear();
        if let Some(shared) = &mut self.shared {
            shared.ended(now, &mut tags);
            if tags.is_empty() {
                shared.start(now)?;
            }
            self.look_at = shared.next().unwrap_or(u64::MAX);
        }
        for &tag in &tags {
            if tag & GROUP == 0 {
                let rank = (tag >> STREAM_BITS) as usize;
                self.complete_send(rank, (tag & STREAM_MASK) as usize, now);
            } else {
                self.complete_group((tag & !GROUP) as usize, now);
            }
        }
        let any = !tags.is_empty();
        self.ended = tags;
        Ok(any)
    }

    /// Announces a transfer.
    fn post(&mut self, ready: u64, tag: u32, transfer: Transfer) {
        if let Some(shared) = &mut self.shared {
            let at = shared.post(ready, tag, transfer);
            self.look_at = self.look_at.min(at);
            if at == u64::MAX {
                self.queue.push(Time::MAX, tag);
            }
        }
    }

    /// A send over shared links is done: books what could not be known when it started.
    fn complete_send(&mut self, rank: usize, stream: usize, now: u64) {
        let state = &self.states[rank];
        let op = &self.plan.ops[state.head[stream] as usize];
        let start = state.ready[stream];
        if stream == 0 {
            let account = usize::from(op.instruction.busy);
            self.accounts[rank].busy[account] += Time::from_picos(now - start);
        }
        if O::WANTS_INSTRUCTIONS {
            self.observer.instruction(InstructionSpan {
                rank: rank as u32,
                stream: stream as u8,
                slot_index: state.slot[stream],
                index: state.done[stream],
                instruction: &op.instruction,
                start: Time::from_picos(start),
                end: Time::from_picos(now),
            });
        }
        self.complete(rank, stream, now);
    }

    fn finished(self, end: u64) -> Result<Run, EngineError> {
        if self.shared.as_ref().is_some_and(Shared::never_ends) {
            return Err(EngineError::Overflow);
        }
        let end = Time::from_picos(end);
        let unfinished = self.states.iter().filter(|s| !s.is_finished()).count();
        if unfinished > 0 {
            return Err(EngineError::Deadlock {
                ranks: self.states.len(),
                unfinished,
                stuck: stuck::find(self.plan, self.states, &self.groups, &self.channels),
            });
        }
        debug_assert!(self.accounts.iter().all(|accounts| accounts.conserve(end)));
        Ok(Run {
            end,
            accounts: self.accounts.to_vec(),
            ops: self.ops,
            events: self.events,
            finish: self.finish.into_iter().map(Time::from_picos).collect(),
        })
    }

    /// A local instruction, a run of them, or a send is done.
    #[inline]
    fn complete(&mut self, rank: usize, stream: usize, now: u64) {
        let state = &mut self.states[rank];
        let op = &self.plan.ops[state.head[stream] as usize];
        let start = std::mem::replace(&mut state.ready[stream], now);
        if let Kind::Send { peer } = op.instruction.kind {
            self.step(rank, stream, 1, now);
            self.deliver(rank, peer, start, now);
            return;
        }
        let count = if RUNS { op.run } else { 1 };
        self.step(rank, stream, count, now);
    }

    /// A collective is done: releases its members by rank.
    fn complete_group(&mut self, group: usize, now: u64) {
        let plan = self.plan;
        let GroupPlan {
            first,
            length,
            stream,
            ..
        } = plan.groups[group];
        let stream = usize::from(stream);
        let start = self.groups[group].start;
        self.groups[group].arrived = 0;
        for &member in &plan.members[first as usize..(first + length) as usize] {
            let rank = member as usize;
            let state = &mut self.states[rank];
            let op = &plan.ops[state.head[stream] as usize];
            let waited = start - state.ready[stream];
            state.ready[stream] = now;
            if stream == 0 {
                let accounts = &mut self.accounts[rank];
                accounts.idle[usize::from(op.instruction.idle)] += Time::from_picos(waited);
                accounts.busy[usize::from(op.instruction.busy)] += Time::from_picos(now - start);
            }
            if O::WANTS_INSTRUCTIONS {
                let span = InstructionSpan {
                    rank: member,
                    stream: stream as u8,
                    slot_index: state.slot[stream],
                    index: state.done[stream],
                    instruction: &op.instruction,
                    start: Time::from_picos(start),
                    end: Time::from_picos(now),
                };
                self.observer.instruction(span);
            }
            self.step(rank, stream, 1, now);
        }
    }

    /// `count` instructions of a stream are done: wakes who waited, starts what comes next.
    #[inline]
    fn step(&mut self, rank: usize, stream: usize, count: u16, now: u64) {
        let state = &mut self.states[rank];
        self.ops += u64::from(count);
        let last = state.head[stream] + u32::from(count) - 1;
        let signals = self.plan.ops[last as usize].signals & state.blocked;
        state.head[stream] = last + 1;
        state.done[stream] += count;
        let mut wake = signals;
        let mut closes = false;
        if state.done[stream] < state.length[stream] {
            wake |= 1 << stream;
        } else if state.foreground >> stream & 1 == 1 {
            state.running -= 1;
            closes = state.running == 0;
        } else if self.next_list(rank, stream) {
            wake |= 1 << stream;
        } else {
            // The background has caught up; a block that drains may be waiting for that.
            closes = self.states[rank].is_between();
        }
        self.wake(rank, wake, now);
        if closes {
            if !self.states[rank].is_between() {
                self.close(rank, now);
            }
            self.open(rank, now);
        }
    }

    /// Moves a background stream on to its next list in the slots opened so far; parks it
    /// and says no if there is none.
    fn next_list(&mut self, rank: usize, stream: usize) -> bool {
        let state = &mut self.states[rank];
        let opened = state.opened();
        loop {
            state.slot[stream] += 1;
            let slot = state.slot[stream];
            if slot == opened {
                state.parked |= 1 << stream;
                return false;
            }
            let block = self.plan.slot_blocks[(state.first_slot + slot) as usize];
            let block = &self.plan.blocks[block as usize];
            if block.length[stream] > 0 {
                state.begin(stream, slot, block);
                return true;
            }
        }
    }

    /// Starts what the heads of these idle streams may start, and leaves the others blocked.
    #[inline(always)]
    fn wake(&mut self, rank: usize, mut streams: u8, now: u64) {
        while streams != 0 {
            let stream = streams.trailing_zeros() as usize % MAX_STREAMS;
            let bit = 1 << stream;
            streams &= streams - 1;
            let state = &mut self.states[rank];
            let op = &self.plan.ops[state.head[stream] as usize];
            if state.may_start(op, stream) {
                state.blocked &= !bit;
                self.start(rank, stream, now);
            } else {
                state.blocked |= bit;
            }
        }
    }

    /// Starts the instruction at the head of a stream.
    #[inline(always)]
    fn start(&mut self, rank: usize, stream: usize, now: u64) {
        let plan = self.plan;
        let state = &mut self.states[rank];
        let head = state.head[stream] as usize;
        let op = &plan.ops[head];
        if let Kind::Collective { group } = op.instruction.kind {
            return self.arrive(rank, usize::from(group), now);
        }
        let idle = now - state.ready[stream];
        state.ready[stream] = now;
        if stream == 0 && idle > 0 {
            let account = usize::from(op.instruction.idle);
            self.accounts[rank].idle[account] += Time::from_picos(idle);
        }
        let slot_index = state.slot[stream];
        let slot = &plan.slots[(state.first_slot + slot_index) as usize];
        let first_index = state.done[stream];
        let payload = (rank as u32) << STREAM_BITS | stream as u32;
        if self.shared.is_some() && matches!(op.instruction.kind, Kind::Send { .. }) {
            let site = Site {
                slot,
                slot_index,
                stream: stream as u8,
                index: first_index,
            };
            let transfer = self.timing.shared_send(rank as u32, site, &op.instruction);
            if let Some(transfer) = transfer {
                return self.post(now, payload, transfer);
            }
        }
        let count = if RUNS { op.run } else { 1 };
        let mut end = now;
        for (i, op) in plan.ops[head..head + usize::from(count)].iter().enumerate() {
            let site = Site {
                slot,
                slot_index,
                stream: stream as u8,
                index: first_index + i as u16,
            };
            let duration = self.timing.local(rank as u32, site, &op.instruction);
            let start = end;
            end = end.saturating_add(duration.picos());
            if stream == 0 {
                let account = usize::from(op.instruction.busy);
                let busy = &mut self.accounts[rank].busy[account];
                *busy = busy.saturating_add(duration);
            }
            if O::WANTS_INSTRUCTIONS {
                self.observer.instruction(InstructionSpan {
                    rank: rank as u32,
                    stream: stream as u8,
                    slot_index,
                    index: site.index,
                    instruction: &op.instruction,
                    start: Time::from_picos(start),
                    end: Time::from_picos(end),
                });
            }
        }
        self.queue.push(Time::from_picos(end), payload);
    }

    /// Counts a member in at its group's collective; the last one starts it.
    fn arrive(&mut self, rank: usize, kind: usize, now: u64) {
        let plan = self.plan;
        let group = (plan.kind_first[kind] + plan.job.ranks[rank].groups[kind]) as usize;
        let GroupPlan {
            first,
            length,
            stream,
            index,
            ..
        } = plan.groups[group];
        let running = &mut self.groups[group];
        running.arrived += 1;
        if running.arrived < length {
            return;
        }
        running.start = now;
        let members = &plan.members[first as usize..(first + length) as usize];
        // The lowest rank speaks for all, whoever came last.
        let state = &self.states[members[0] as usize];
        let at = usize::from(stream);
        let op = &plan.ops[state.head[at] as usize];
        let site = Site {
            slot: &plan.slots[(state.first_slot + state.slot[at]) as usize],
            slot_index: state.slot[at],
            stream,
            index: state.done[at],
        };
        if self.shared.is_some()
            && let Some(transfer) =
                (self.timing).shared_collective(index, members, site, &op.instruction)
        {
            return self.post(now, GROUP | group as u32, transfer);
        }
        let duration = (self.timing).collective(index, members, site, &op.instruction);
        let end = Time::from_picos(now).saturating_add(duration);
        self.queue.push(end, GROUP | group as u32);
    }

    /// Adds a message to a channel of a peer, whose next slot may have waited for it.
    fn deliver(&mut self, rank: usize, peer: u8, start: u64, now: u64) {
        let peer = self.plan.job.ranks[rank].peers[usize::from(peer)];
        let to = peer.rank as usize;
        let state = &mut self.states[to];
        let count = &mut self.channels[state.first_channel as usize + usize::from(peer.channel)];
        *count += 1;
        if !state.is_between() || state.current == state.slots {
            return;
        }
        let slot = &self.plan.slots[(state.first_slot + state.current) as usize];
        let mut entries = slot.entry.iter().flatten();
        if entries.any(|entry| entry.channel == peer.channel && entry.count == *count) {
            // Of two messages that end a wait in one instant, the one sent first counts.
            if state.held[0] != now || start < state.held[1] {
                state.held = [now, start];
            }
            self.open(to, now);
        }
    }

    /// Opens the next slot if it may, and with it every empty one that follows.
    fn open(&mut self, rank: usize, now: u64) {
        let plan = self.plan;
        loop {
            let state = &mut self.states[rank];
            if state.current == state.slots {
                if state.is_finished() {
                    self.finish[rank] = now;
                }
                return;
            }
            let slot_at = (state.first_slot + state.current) as usize;
            let slot = &plan.slots[slot_at];
            let block = &plan.blocks[plan.slot_blocks[slot_at] as usize];
            let arrived = &self.channels[state.first_channel as usize..];
            let held = (slot.entry.iter().flatten())
                .any(|entry| arrived[usize::from(entry.channel)] < entry.count);
            if held || (block.drains && !state.is_drained()) {
                return;
            }
            let window = usize::from(block.window);
            let gap = now - state.since;
            let accounts = &mut self.accounts[rank];
            if gap > 0 {
                accounts.gaps[window] += Time::from_picos(gap);
                if state.held[0] == now {
                    let from = state.since.max(state.held[1]);
                    accounts.gap_transfers[window] += Time::from_picos(now - from);
                }
            }
            let first = &mut accounts.first_open[window];
            *first = (*first).min(Time::from_picos(now));
            state.since = now;
            let mut wake = block.occupied & state.foreground;
            state.running = wake.count_ones() as u8;
            for stream in 0..MAX_STREAMS {
                let bit = 1 << stream;
                if state.foreground & bit == 0 {
                    if state.parked & bit == 0 {
                        continue;
                    }
                    if block.occupied & bit == 0 {
                        state.slot[stream] = state.current + 1;
                        continue;
                    }
                    state.parked &= !bit;
                    wake |= bit;
                }
                state.begin(stream, state.current, block);
                state.ready[stream] = now;
            }
            let closes = state.running == 0;
            self.wake(rank, wake, now);
            if !closes {
                return;
            }
            self.close(rank, now);
        }
    }

    /// Books the open block, whose foreground streams are done.
    fn close(&mut self, rank: usize, now: u64) {
        let plan = self.plan;
        let state = &mut self.states[rank];
        let slot_at = (state.first_slot + state.current) as usize;
        let block = &plan.blocks[plan.slot_blocks[slot_at] as usize];
        let window = usize::from(block.window);
        let accounts = &mut self.accounts[rank];
        accounts.window[window] += Time::from_picos(now - state.since);
        accounts.last_close[window] = Time::from_picos(now);
        accounts.blocks[window] += 1;
        let idle = now - state.ready[0];
        if idle > 0 {
            let latest = (1..MAX_STREAMS).find(|&s| {
                state.foreground & block.occupied & (1 << s) != 0 && state.ready[s] == now
            });
            if let Some(stream) = latest {
                let last = plan.ops[state.head[stream] as usize - 1].instruction;
                accounts.idle[usize::from(last.idle)] += Time::from_picos(idle);
            }
        }
        self.slots_done += 1;
        self.observer.block(BlockSpan {
            rank: rank as u32,
            slot_index: state.current,
            window: block.window,
            keys: plan.slots[slot_at].keys,
            open: Time::from_picos(state.since),
            close: Time::from_picos(now),
        });
        state.since = now;
        state.current += 1;
        state.running = BETWEEN;
    }
}
