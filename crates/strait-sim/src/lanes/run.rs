//! The worklist: each set in turn goes on until all its streams wait for other sets.
//!
//! In: sets and what connects them. Out: a [`Run`], or nothing if all wait in a circle.
//! Never orders anything by time: an instruction runs as soon as all it needs is known.

use super::classes::{Classes, NONE};
use super::column;
use super::plan::{Columns, NOT_KEPT, OPENED};
use super::set::{LaneSet, Message, Sets};
use super::transfers::Transfers;
use super::view::LaneRanks;
use crate::engine::{EngineError, Run, Watch};
use crate::observer::{InstructionSpan, Observer};
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
pub(super) const OVERFLOW: u64 = 1 << 63;

/// Everything that changes during a run, and what it is read against.
pub(super) struct Lockstep<'a, T, O> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) columns: Columns,
    pub(super) timing: &'a T,
    pub(super) observer: &'a mut O,
    pub(super) all: Sets,
    /// Where links are shared.
    pub(super) transfers: Option<Transfers<'a>>,
    /// Sets that may be able to go on.
    queue: VecDeque<u32>,
    queued: Vec<bool>,
    pub(super) ahead: usize,
    /// Whether a set was held back by `ahead` since the last look.
    pub(super) held_back: bool,
    ops: u64,
    pub(super) events: u64,
    pub(super) slots_done: u64,
    slots_total: u64,
    next_look: u64,
    next_report: u64,
}

/// What became of the instruction at the head of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Done,
    Waits,
}

pub(super) fn overflow(seen: u64) -> Result<(), EngineError> {
    if seen & OVERFLOW == 0 {
        Ok(())
    } else {
        Err(EngineError::Overflow)
    }
}

/// The index of the `slot`-th slot of a set in the plan.
pub(super) fn slot_at(set: &LaneSet, slot: u32) -> usize {
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
            transfers: timing
                .network()
                .map(|network| Transfers::new(network, plan, &all, classes.of.clone())),
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
            // The links may go on only when no set could: what it does may start a transfer.
            if !std::mem::take(&mut self.held_back) {
                if self.exchange()? {
                    continue;
                }
                return Ok(false);
            }
            self.ahead *= 2;
            for set in 0..self.all.sets.len() as u32 {
                self.wake(set);
            }
        }
    }

    pub(super) fn wake(&mut self, set: u32) {
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
                let mut flight = None;
                if self.transfers.is_some() && matches!(op.instruction.kind, Kind::Send { .. }) {
                    match self.fly(at, stream, frame, op_at)? {
                        Some(landed) => flight = Some(landed),
                        None => return Ok(Head::Waits),
                    }
                }
                let set = &mut self.all.sets[at];
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
                    && flight.is_none()
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
                match &flight {
                    Some(flight) => {
                        let times = flight.ends.iter().zip(&flight.starts);
                        for (duration, (end, start)) in durations.iter_mut().zip(times) {
                            *duration = end - start;
                        }
                    }
                    None => self.timing.local_lanes(
                        LaneRanks(&set.ranks),
                        site,
                        &op.instruction,
                        &mut set.scratch,
                        durations,
                    ),
                }
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
                blocks: vec![
                    Block {
                        streams: vec![vec![work], vec![meet]],
                        ..Block::default()
                    }
                    .into(),
                ],
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
        let classes = Classes::new(&plan, false).unwrap();
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
