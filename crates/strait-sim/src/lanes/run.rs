//! The worklist: each set in turn goes on until all its streams wait for other sets.
//!
//! In: sets and what connects them. Out: a [`Run`], or nothing if all wait in a circle.
//! Never orders anything by time: an instruction runs as soon as all it needs is known.

use super::classes::{Classes, NONE};
use super::column;
use super::plan::{Columns, NOT_KEPT, OPENED};
use super::set::{Frame, LaneSet, Message, Sets};
use super::view::{LaneGroups, LaneRanks};
use crate::engine::{EngineError, Run, Watch};
use crate::observer::{BlockSpan, InstructionSpan, Observer};
use crate::plan::{BlockPlan, Plan};
use crate::program::{Kind, MAX_STREAMS};
use crate::{Site, Timing};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use strait_units::Time;

/// Program instructions between looks at the cancel flag.
const CANCEL_EVERY: u64 = 1 << 17;
/// Program instructions between reports of progress.
const PROGRESS_EVERY: u64 = 1 << 18;

/// How far a set may run ahead at first: slots ahead of its background streams, messages
/// ahead of a receiver. Doubled when nothing else can go on.
const AHEAD: usize = 4;

/// Times with this bit may have wrapped.
const OVERFLOW: u64 = 1 << 63;

/// Everything that changes during a run, and what it is read against.
pub(super) struct Lockstep<'a, T, O> {
    plan: &'a Plan<'a>,
    columns: Columns,
    timing: &'a T,
    observer: &'a mut O,
    all: Sets,
    /// Sets that may be able to go on.
    queue: VecDeque<u32>,
    queued: Vec<bool>,
    ahead: usize,
    /// Whether a set was held back by `ahead` since the last look.
    held_back: bool,
    ops: u64,
    events: u64,
    slots_done: u64,
    slots_total: u64,
    next_look: u64,
    next_report: u64,
}

/// What became of the instruction at the head of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Done,
    Waits,
}

fn overflow(seen: u64) -> Result<(), EngineError> {
    if seen & OVERFLOW == 0 {
        Ok(())
    } else {
        Err(EngineError::Overflow)
    }
}

/// The index of the `slot`-th slot of a set in the plan.
fn slot_at(set: &LaneSet, slot: u32) -> usize {
    (set.first_slot + slot) as usize
}

impl<'a, T: Timing, O: Observer> Lockstep<'a, T, O> {
    pub fn new(plan: &'a Plan<'a>, classes: &Classes, timing: &'a T, observer: &'a mut O) -> Self {
        let columns = Columns::new(plan);
        let all = Sets::new(plan, &columns, classes);
        let sets = all.sets.len();
        let slots = |set: &LaneSet| u64::from(set.slots) * set.ranks.len() as u64;
        Lockstep {
            slots_total: all.sets.iter().map(slots).sum(),
            plan,
            columns,
            timing,
            observer,
            all,
            queue: (0..sets as u32).collect(),
            queued: vec![true; sets],
            ahead: AHEAD,
            held_back: false,
            ops: 0,
            events: 0,
            slots_done: 0,
            next_look: CANCEL_EVERY,
            next_report: PROGRESS_EVERY,
        }
    }

    /// Runs to the end; `None` if sets wait for each other in a circle.
    pub fn run(mut self, watch: Watch<'_>) -> Result<Option<Run>, EngineError> {
        let finishes = self.drive(watch)?;
        Ok(finishes.then(|| self.finished()))
    }

    /// Runs until all are finished, or until nothing can go on.
    fn drive(&mut self, watch: Watch<'_>) -> Result<bool, EngineError> {
        loop {
            while let Some(set) = self.queue.pop_front() {
                self.queued[set as usize] = false;
                self.go_on(set as usize, watch)?;
            }
            if self.all.sets.iter().all(LaneSet::is_finished) {
                return Ok(true);
            }
            if !std::mem::take(&mut self.held_back) {
                return Ok(false);
            }
            self.ahead *= 2;
            for set in 0..self.all.sets.len() as u32 {
                self.wake(set);
            }
        }
    }

    fn wake(&mut self, set: u32) {
        if set != NONE && !std::mem::replace(&mut self.queued[set as usize], true) {
            self.queue.push_back(set);
        }
    }

    fn look(&mut self, watch: Watch<'_>) -> Result<(), EngineError> {
        if self.ops >= self.next_look {
            self.next_look = self.ops + CANCEL_EVERY;
            if watch.cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
        }
        if self.ops >= self.next_report {
            self.next_report = self.ops + PROGRESS_EVERY;
            (watch.progress)(self.slots_done as f64 / self.slots_total as f64);
        }
        Ok(())
    }

    /// Runs a set until nothing in it can go on.
    fn go_on(&mut self, set: usize, watch: Watch<'_>) -> Result<(), EngineError> {
        loop {
            let mut moved = !self.all.sets[set].open && self.open(set)?;
            for stream in 0..MAX_STREAMS {
                while self.list(set, stream, watch)? {
                    moved = true;
                }
            }
            moved |= self.close(set);
            self.look(watch)?;
            if !moved {
                return Ok(());
            }
        }
    }

    /// Opens the next slot if all it needs is known.
    fn open(&mut self, at: usize) -> Result<bool, EngineError> {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        if set.current == set.slots {
            return Ok(false);
        }
        let slot_at = slot_at(set, set.current);
        let block_at = plan.slot_blocks[slot_at] as usize;
        let block = &plan.blocks[block_at];
        let slot = &plan.slots[slot_at];
        // A message that an earlier slot has waited for, or an earlier message, came before that.
        let mut needed = [None; 2];
        for (needed, entry) in needed.iter_mut().zip(slot.entry.iter().flatten()) {
            let channel = set.first_channel + usize::from(entry.channel);
            let state = &self.all.channels[channel];
            if state.sent < entry.count {
                return Ok(false);
            }
            *needed = (entry.count > state.taken).then_some((channel, entry.count));
        }
        if block.drains && !set.frames.is_empty() {
            return Ok(false);
        }
        if set.frames.len() >= self.ahead {
            self.held_back = true;
            return Ok(false);
        }

        let opened = &mut set.times;
        opened.copy_from_slice(&set.since);
        if block.drains {
            for stream in (0..MAX_STREAMS).filter(|s| set.foreground >> s & 1 == 0) {
                column::later(opened, &set.ready[stream]);
            }
        }
        let message = |(channel, count): (usize, u32)| {
            let channel = &self.all.channels[channel];
            &channel.queue[(count - channel.taken - 1) as usize]
        };
        for message in needed.into_iter().flatten().map(message) {
            column::later(opened, &message.arrived);
        }
        let window = usize::from(block.window);
        let accounts = &mut set.accounts;
        column::book(&mut accounts.gaps[window], &set.since, opened);
        let transfers = &mut accounts.gap_transfers[window];
        let times = |of: (usize, u32)| {
            let message = message(of);
            [&message.sent[..], &message.arrived[..]]
        };
        match needed {
            [Some(first), Some(second)] => {
                let (first, second) = (times(first), times(second));
                column::book_transfers(transfers, &set.since, opened, first, second);
            }
            [Some(only), None] | [None, Some(only)] => {
                column::book_transfer(transfers, &set.since, opened, times(only));
            }
            [None, None] => {}
        }
        if accounts.blocks[window] == 0 {
            accounts.first_open[window].copy_from_slice(opened);
        }
        set.since.copy_from_slice(opened);
        for stream in (0..MAX_STREAMS).filter(|s| set.foreground >> s & 1 == 1) {
            set.done[stream] = 0;
            if stream == 0 || block.occupied >> stream & 1 == 1 {
                set.ready[stream].copy_from_slice(opened);
            }
        }
        let mut frame = set.pool.pop().unwrap_or_else(|| Frame {
            times: vec![0; set.frame_length],
            ..Frame::default()
        });
        frame.slot = set.current;
        frame.pending = block.occupied & !set.foreground;
        if frame.pending != 0 {
            let lanes = opened.len();
            frame.times[OPENED as usize * lanes..][..lanes].copy_from_slice(opened);
        }
        set.frames.push_back(frame);
        set.open = true;

        for (channel, count) in needed.into_iter().flatten() {
            let channel = &mut self.all.channels[channel];
            while channel.taken < count {
                channel.pool.extend(channel.queue.pop_front());
                channel.taken += 1;
            }
            let feeder = channel.feeder;
            self.wake(feeder);
        }
        Ok(true)
    }

    /// Closes the open block if its foreground streams are done.
    fn close(&mut self, at: usize) -> bool {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        if !set.open {
            return false;
        }
        let slot_at = slot_at(set, set.current);
        let block = &plan.blocks[plan.slot_blocks[slot_at] as usize];
        let mask = set.foreground & block.occupied;
        let foreground = (0..MAX_STREAMS).filter(|s| mask >> s & 1 == 1);
        if foreground.clone().any(|s| set.done[s] < block.length[s]) {
            return false;
        }
        let closed = &mut set.times;
        closed.copy_from_slice(&set.ready[0]);
        for stream in foreground.clone().filter(|s| *s > 0) {
            column::later(closed, &set.ready[stream]);
        }
        let window = usize::from(block.window);
        let accounts = &mut set.accounts;
        column::book(&mut accounts.window[window], &set.since, closed);
        accounts.last_close[window].copy_from_slice(closed);
        accounts.blocks[window] += 1;
        // Idle time at the end is booked to the last instruction of the stream that closes.
        for stream in foreground.clone().filter(|s| *s > 0) {
            let last = block.first[stream] as usize + usize::from(block.length[stream]) - 1;
            let account = usize::from(plan.ops[last].instruction.idle);
            let (first, rest) = set.ready.split_at_mut(1);
            let idle = &mut accounts.idle[account];
            column::close(&mut first[0], closed, &rest[stream - 1], idle);
        }
        let keys = plan.slots[slot_at].keys;
        for (lane, rank) in set.ranks.iter().enumerate() {
            self.observer.block(BlockSpan {
                rank: *rank,
                slot_index: set.current,
                window: block.window,
                keys,
                open: Time::from_picos(set.since[lane]),
                close: Time::from_picos(closed[lane]),
            });
        }
        set.since.copy_from_slice(closed);
        set.current += 1;
        set.open = false;
        self.slots_done += set.ranks.len() as u64;
        if set.frames.back().is_some_and(|frame| frame.pending == 0) {
            set.pool.extend(set.frames.pop_back());
        }
        true
    }

    /// Runs the list that a stream is at as far as it can; says whether it moved.
    fn list(&mut self, at: usize, stream: usize, watch: Watch<'_>) -> Result<bool, EngineError> {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        let bit = 1u8 << stream;
        let background = set.foreground & bit == 0;
        let frame = if background {
            set.frames.iter().position(|frame| frame.pending & bit != 0)
        } else {
            set.frames.len().checked_sub(1).filter(|_| set.open)
        };
        let Some(frame) = frame else {
            return Ok(false);
        };
        let slot = set.frames[frame].slot;
        let block = &plan.blocks[plan.slot_blocks[slot_at(set, slot)] as usize];
        let before = set.done[stream];
        let length = block.length[stream];
        if background && before == 0 {
            let lanes = set.ranks.len();
            let opened = &set.frames[frame].times[OPENED as usize * lanes..][..lanes];
            column::later(&mut set.ready[stream], opened);
        }
        let mut done = before;
        while done < length {
            if self.instruction(at, stream, frame, block)? == Head::Waits {
                break;
            }
            done += 1;
            self.look(watch)?;
        }
        if background && done == length {
            let set = &mut self.all.sets[at];
            set.done[stream] = 0;
            set.frames[frame].pending &= !bit;
            while set.frames.front().is_some_and(|f| f.pending == 0)
                && set.frames.len() > usize::from(set.open)
            {
                set.pool.extend(set.frames.pop_front());
            }
        }
        Ok(done > before)
    }

    /// Runs the instruction at the head of a stream if all it needs is known.
    #[inline]
    fn instruction(
        &mut self,
        at: usize,
        stream: usize,
        frame: usize,
        block: &BlockPlan,
    ) -> Result<Head, EngineError> {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        let lanes = set.ranks.len();
        let index = set.done[stream];
        let op_at = block.first[stream] as usize + usize::from(index);
        let op = &plan.ops[op_at];
        let columns = self.columns.ops[op_at];
        let waits = columns.waits.iter().flatten();
        if !(waits.clone()).all(|awaited| {
            let other = usize::from(awaited.wait.stream) % MAX_STREAMS;
            set.has_done(other, frame, awaited.wait.count)
        }) {
            return Ok(Head::Waits);
        }
        let slot_index = set.frames[frame].slot;
        let site = Site {
            slot: &plan.slots[slot_at(set, slot_index)],
            slot_index,
            stream: stream as u8,
            index,
        };
        let account = usize::from(op.instruction.idle);
        match op.instruction.kind {
            Kind::Collective { group } => {
                let kind = usize::from(group);
                if self.collective(at, frame, op_at, kind, site)? == Head::Waits {
                    return Ok(Head::Waits);
                }
            }
            Kind::Local | Kind::Send { .. } => {
                let target = match op.instruction.kind {
                    Kind::Send { peer } => set.targets[usize::from(peer)].as_ref(),
                    _ => None,
                };
                // Nobody asks for messages after the last that a slot waits for.
                let target = target.filter(|target| {
                    let channel = &self.all.channels[target.channel];
                    channel.sent < channel.awaited
                });
                if let Some(target) = target
                    && self.all.channels[target.channel].queue.len() >= self.ahead
                {
                    self.held_back = true;
                    return Ok(Head::Waits);
                }
                let ready = &mut set.ready[stream];
                for awaited in waits {
                    let other =
                        &set.frames[frame].times[awaited.column as usize * lanes..][..lanes];
                    if stream == 0 {
                        column::wait(ready, other, &mut set.accounts.idle[account]);
                    } else {
                        column::later(ready, other);
                    }
                }
                let durations = &mut set.durations[..lanes];
                self.timing.local_lanes(
                    LaneRanks(&set.ranks),
                    site,
                    &op.instruction,
                    &mut set.scratch,
                    durations,
                );
                let mut message = None;
                if let Some(target) = target {
                    let channel = &mut self.all.channels[target.channel];
                    let new = message.insert(channel.pool.pop().unwrap_or_else(|| Message {
                        sent: vec![0; lanes],
                        arrived: vec![0; lanes],
                    }));
                    target.put(ready, &mut new.sent);
                }
                let seen = if stream == 0 {
                    let busy = &mut set.accounts.busy[usize::from(op.instruction.busy)];
                    column::advance_booked(ready, durations, busy)
                } else {
                    column::advance(ready, durations)
                };
                overflow(seen)?;
                if O::WANTS_INSTRUCTIONS {
                    for (lane, rank) in set.ranks.iter().enumerate() {
                        self.observer.instruction(InstructionSpan {
                            rank: *rank,
                            stream: stream as u8,
                            slot_index,
                            index,
                            instruction: &op.instruction,
                            start: Time::from_picos(ready[lane] - durations[lane]),
                            end: Time::from_picos(ready[lane]),
                        });
                    }
                }
                if let (Some(target), Some(mut message)) = (target, message) {
                    target.put(ready, &mut message.arrived);
                    let channel = &mut self.all.channels[target.channel];
                    channel.queue.push_back(message);
                    channel.sent += 1;
                    let receiver = channel.set;
                    self.wake(receiver);
                } else if let Kind::Send { peer } = op.instruction.kind
                    && let Some(target) = &set.targets[usize::from(peer)]
                {
                    self.all.channels[target.channel].sent += 1;
                }
            }
        }
        let set = &mut self.all.sets[at];
        if columns.kept != NOT_KEPT {
            let kept = columns.kept as usize * lanes;
            set.frames[frame].times[kept..][..lanes].copy_from_slice(&set.ready[stream]);
        }
        set.done[stream] += 1;
        self.ops += lanes as u64;
        self.events += 1;
        Ok(Head::Done)
    }

    /// Takes part in a collective, whose waits hold.
    fn collective(
        &mut self,
        at: usize,
        frame: usize,
        op_at: usize,
        kind: usize,
        site: Site<'_>,
    ) -> Result<Head, EngineError> {
        let plan = self.plan;
        let op = &plan.ops[op_at];
        let instruction = &op.instruction;
        let stream = usize::from(site.stream);
        let set = &mut self.all.sets[at];
        let lanes = set.ranks.len();
        let Some(membership) = &mut set.memberships[kind] else {
            unreachable!("a checked job has a group for each collective");
        };
        let cluster = &mut self.all.clusters[membership.cluster];
        let n = membership.left;
        let parity = (n & 1) as usize;
        if cluster.met == n && set.arrived >> stream & 1 == 0 {
            let mut waits = self.columns.ops[op_at].waits.iter().flatten().peekable();
            let waited = waits.peek().is_some();
            if waited {
                set.times.copy_from_slice(&set.ready[stream]);
                for awaited in waits {
                    let other =
                        &set.frames[frame].times[awaited.column as usize * lanes..][..lanes];
                    column::later(&mut set.times, other);
                }
            }
            if let Some(size) = membership.chunks
                && !O::WANTS_INSTRUCTIONS
            {
                let durations = &mut set.durations[..cluster.groups.len()];
                self.timing.collective_lanes(
                    LaneRanks(&set.ranks),
                    LaneGroups::new(plan, &self.all.lane_of, &cluster.groups),
                    site,
                    instruction,
                    &mut set.scratch,
                    durations,
                );
                let accounts = (stream == 0).then(|| set.accounts.of(op));
                let arrivals = waited.then_some(&set.times[..]);
                let ready = &mut set.ready[stream];
                let seen = column::meet(ready, arrivals, size, durations, accounts);
                membership.left += 1;
                cluster.met += 1;
                return overflow(seen).map(|()| Head::Done);
            }
            let arrivals = match waited {
                true => &set.times,
                false => &set.ready[stream],
            };
            // What is left there from the collective before last is earlier than any arrival.
            column::latest(&mut cluster.starts[parity], arrivals, &membership.group_of);
            cluster.sites[membership.place] = (site.slot_index, site.index, op_at as u32);
            cluster.arrived += 1;
            set.arrived |= 1 << stream;
            if cluster.arrived as usize == cluster.sets.len() {
                let at = membership.cluster;
                self.meet(at, kind, parity)?;
            }
        }
        let set = &mut self.all.sets[at];
        let Some(membership) = &mut set.memberships[kind] else {
            unreachable!("found above");
        };
        let cluster = &self.all.clusters[membership.cluster];
        if cluster.met == n {
            return Ok(Head::Waits);
        }
        let (starts, ends) = (&cluster.starts[parity], &cluster.ends[parity]);
        let accounts = (stream == 0).then(|| set.accounts.of(op));
        let ready = &mut set.ready[stream];
        column::release(ready, starts, ends, &membership.group_of, accounts);
        if O::WANTS_INSTRUCTIONS {
            for (rank, group) in set.ranks.iter().zip(&membership.group_of) {
                self.observer.instruction(InstructionSpan {
                    rank: *rank,
                    stream: site.stream,
                    slot_index: site.slot_index,
                    index: site.index,
                    instruction,
                    start: Time::from_picos(starts[*group as usize]),
                    end: Time::from_picos(ends[*group as usize]),
                });
            }
        }
        membership.left += 1;
        set.arrived &= !(1 << stream);
        Ok(Head::Done)
    }

    /// All sets of a cluster have arrived: finds when its groups are done.
    fn meet(&mut self, at: usize, kind: usize, parity: usize) -> Result<(), EngineError> {
        let plan = self.plan;
        let cluster = &mut self.all.clusters[at];
        let groups = LaneGroups::new(plan, &self.all.lane_of, &cluster.groups);
        let times = cluster.starts[parity].iter().zip(&mut cluster.ends[parity]);
        let mut seen = 0;
        for ((group, lowest), (start, end)) in groups.iter().zip(&cluster.lowest).zip(times) {
            let lowest = *lowest as usize;
            let (slot_index, index, op) = cluster.sites[lowest];
            let set = &self.all.sets[cluster.sets[lowest] as usize];
            let op = &plan.ops[op as usize];
            let site = Site {
                slot: &plan.slots[slot_at(set, slot_index)],
                slot_index,
                stream: plan.groups_of(kind)[group.index as usize].stream,
                index,
            };
            let duration = (self.timing)
                .collective(group.index, group.members, site, &op.instruction)
                .picos();
            *end = start.wrapping_add(duration);
            seen |= duration | *end;
        }
        cluster.arrived = 0;
        cluster.met += 1;
        for place in 0..cluster.sets.len() {
            let set = self.all.clusters[at].sets[place];
            self.wake(set);
        }
        overflow(seen)
    }

    fn finished(self) -> Run {
        let ranks = self.all.lane_of.len();
        let mut run = Run {
            end: Time::ZERO,
            accounts: vec![Default::default(); ranks],
            ops: self.ops,
            events: self.events,
            finish: vec![Time::ZERO; ranks],
        };
        for mut set in self.all.sets {
            for stream in (0..MAX_STREAMS).filter(|s| set.foreground >> s & 1 == 0) {
                column::later(&mut set.since, &set.ready[stream]);
            }
            for (lane, rank) in set.ranks.iter().enumerate() {
                let finish = Time::from_picos(set.since[lane]);
                run.end = run.end.max(finish);
                run.finish[*rank as usize] = finish;
                run.accounts[*rank as usize] = set.accounts.of_lane(lane);
            }
        }
        debug_assert!(
            run.accounts
                .iter()
                .all(|accounts| accounts.conserve(run.end))
        );
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Block, EntryWait, Instruction, Job, Peer, Program, RankSpec, Slot};
    use crate::{BaseTiming, Unobserved};
    use std::sync::atomic::AtomicBool;

    /// Two stages of three ranks: the first sends and computes behind, and could do so for
    /// all slots before the second, whose background meets the first's, has begun. The second
    /// waits for so many messages.
    fn stages(slots: u32, awaited: u32) -> Job {
        let op = |kind, picos| Instruction {
            kind,
            base: Time::from_picos(picos),
            waits: [None, None],
            busy: 0,
            idle: 0,
            load: 0,
            label: 0,
        };
        let program = |stage: u32| {
            let work = if stage == 0 {
                op(Kind::Send { peer: 0 }, 2)
            } else {
                op(Kind::Local, 3)
            };
            let meet = op(Kind::Collective { group: 0 }, 5);
            let entry = |count| EntryWait { channel: 0, count };
            Program {
                blocks: vec![Block {
                    streams: vec![vec![work], vec![meet]],
                    ..Block::default()
                }],
                slots: (0..slots)
                    .map(|slot| Slot {
                        block: 0,
                        keys: [0, 0],
                        entry: [
                            (stage > 0 && slot < awaited).then_some(entry(slot + 1)),
                            None,
                        ],
                    })
                    .collect(),
                foreground: 1,
                channels: 1,
            }
        };
        let rank = |rank: u32| RankSpec {
            program: rank / 3,
            groups: [rank % 3, 0, 0, 0, 0, 0, 0, 0],
            peers: vec![Peer {
                rank: 3 + rank % 3,
                channel: 0,
            }],
        };
        Job {
            programs: vec![program(0), program(1)],
            ranks: (0..6).map(rank).collect(),
        }
    }

    #[test]
    fn memory_does_not_grow_with_slots() {
        bounded(&stages(1000, 1000));
    }

    #[test]
    fn messages_that_nobody_waits_for_are_not_kept() {
        bounded(&stages(1000, 10));
    }

    fn bounded(job: &Job) {
        job.check().unwrap();
        let plan = Plan::new(job);
        let classes = Classes::new(&plan).unwrap();
        let mut unseen = Unobserved;
        let mut run = Lockstep::new(&plan, &classes, &BaseTiming, &mut unseen);
        let watch = Watch {
            cancel: &AtomicBool::new(false),
            progress: &|_| {},
        };
        assert!(run.drive(watch).unwrap());
        assert_eq!(run.ahead, AHEAD);
        for set in &run.all.sets {
            assert!(set.pool.len() + set.frames.len() <= AHEAD);
        }
        for channel in &run.all.channels {
            assert!(channel.pool.len() + channel.queue.len() <= AHEAD);
        }
        assert_eq!(
            run.finished().end,
            Time::from_picos(5002),
            "the first arrives at 2"
        );
    }
}
