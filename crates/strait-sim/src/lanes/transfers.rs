//! Shared links beside lanes: sets go on as far as they can, then the links by one instant.
//!
//! In: starts of transfers, known ahead of time. Out: their ends, and the sets that waited for
//! them. Never lets the links pass a start that is still to come: once all sets wait, whatever
//! starts later starts because of an end on the links, and not before it. Only within a set could a
//! lane be ahead of others that its set waits for; then the run is refused
//! ([`Refusal::OutOfOrder`](super::Refusal)), and the event engine runs it.

use super::Refusal;
use super::plan::OPENED;
use super::run::{Lockstep, OVERFLOW, slot_at};
use super::set::{Flight, LaneSet, UNKNOWN};
use crate::engine::{EngineError, GROUP, STREAM_BITS, STREAM_MASK};
use crate::observer::Observer;
use crate::plan::Plan;
use crate::program::{Kind, MAX_STREAMS};
use crate::shared::Shared;
use crate::{Site, Timing, Transfer};

/// What is on the links, and who waits for it.
#[derive(Debug)]
pub(super) struct Transfers<'a> {
    shared: Shared<'a>,
    /// Cluster and place in it of each of [`Plan::groups`].
    place_of: Vec<(u32, u32)>,
    /// Set of each rank.
    set_of: Vec<u32>,
    tags: Vec<u32>,
}

impl<'a> Transfers<'a> {
    pub fn new(
        network: &'a crate::net::Plan,
        plan: &Plan<'_>,
        all: &super::set::Sets,
        set_of: Vec<u32>,
    ) -> Transfers<'a> {
        let mut place_of = vec![(0, 0); plan.groups.len()];
        for (at, cluster) in all.clusters.iter().enumerate() {
            for (place, group) in cluster.groups.iter().enumerate() {
                place_of[*group as usize] = (at as u32, place as u32);
            }
        }
        Transfers {
            shared: Shared::new(network),
            place_of,
            set_of,
            tags: Vec::new(),
        }
    }

    /// Announces a transfer, unless something after it has happened.
    pub fn post(&mut self, ready: u64, tag: u32, transfer: Transfer) -> Result<(), EngineError> {
        let at = ready.saturating_add(transfer.fixed.picos());
        if at & OVERFLOW != 0 {
            return Err(EngineError::Overflow);
        }
        if !self.shared.in_time(at) {
            return Err(Refusal::OutOfOrder.into());
        }
        self.shared.post(ready, tag, transfer);
        Ok(())
    }
}

/// An instruction of a stream that may be announced.
#[derive(Clone, Copy)]
struct Next {
    /// The place of its slot's frame.
    frame: usize,
    /// Its place in the plan, and in its list.
    op_at: usize,
    index: u16,
    /// How many instructions after the one at the head of the stream it is.
    number: usize,
}

/// What a background stream runs after an instruction of a slot, as far as slots have opened: the
/// place of a frame, and the index in its list. Of a foreground stream, in the same slot only.
fn following(
    plan: &Plan<'_>,
    set: &LaneSet,
    stream: usize,
    slot: u32,
    index: u16,
) -> Option<(usize, u16)> {
    let frame = set.frames.iter().position(|frame| frame.slot == slot)?;
    let block = plan.slot_blocks[slot_at(set, slot)] as usize;
    if index + 1 < plan.blocks[block].length[stream] {
        return Some((frame, index + 1));
    }
    let later = set.frames.iter().enumerate().skip(frame + 1);
    let mut later = later.filter(|(_, frame)| frame.pending >> stream & 1 == 1);
    later.next().map(|(frame, _)| (frame, 0))
}

/// The tag of a group's collective.
pub(super) fn group_tag(group: u32) -> u32 {
    GROUP | group
}

impl<T: Timing, O: Observer> Lockstep<'_, T, O> {
    /// Lets the links go on by one instant: what ends there ends, or else what starts starts.
    /// Says no if nothing is on them.
    pub(super) fn exchange(&mut self) -> Result<bool, EngineError> {
        let Some(transfers) = &mut self.transfers else {
            return Ok(false);
        };
        let Some(now) = transfers.shared.next() else {
            return if transfers.shared.never_ends() {
                Err(EngineError::Overflow)
            } else {
                Ok(false)
            };
        };
        if now & OVERFLOW != 0 {
            return Err(EngineError::Overflow);
        }
        let mut tags = std::mem::take(&mut transfers.tags);
        tags.clear();
        transfers.shared.ended(now, &mut tags);
        if tags.is_empty() {
            transfers.shared.start(now)?;
        }
        for &tag in &tags {
            if tag & GROUP == 0 {
                self.arrive(tag, now)?;
            } else {
                self.end_meeting(tag & !GROUP, now);
            }
        }
        self.events += 1;
        if let Some(transfers) = &mut self.transfers {
            transfers.tags = tags;
        }
        Ok(true)
    }

    /// The collective of a group has ended.
    fn end_meeting(&mut self, group: u32, now: u64) {
        let Some(transfers) = &self.transfers else {
            return;
        };
        let (at, place) = transfers.place_of[group as usize];
        let cluster = &mut self.all.clusters[at as usize];
        cluster.ends[(cluster.met & 1) as usize][place as usize] = now;
        cluster.under_way -= 1;
        if cluster.under_way == 0 {
            self.met(at as usize);
        }
    }

    /// The send of one lane has ended. If the next instruction of its stream is a send as well that
    /// waits for nothing else, that starts now, whatever the other lanes do.
    fn arrive(&mut self, tag: u32, now: u64) -> Result<(), EngineError> {
        let plan = self.plan;
        let rank = tag >> STREAM_BITS;
        let stream = (tag & STREAM_MASK) as usize;
        let Some(transfers) = &mut self.transfers else {
            return Ok(());
        };
        let at = transfers.set_of[rank as usize];
        let lane = self.all.lane_of[rank as usize] as usize;
        let set = &mut self.all.sets[at as usize];
        let flights = &mut set.flights[stream];
        let Some(number) = flights.iter().position(|f| f.ends[lane] == UNKNOWN) else {
            unreachable!("a send that was posted is under way");
        };
        let flight = &mut flights[number];
        flight.ends[lane] = now;
        flight.left -= 1;
        let (slot, index) = (flight.slot, flight.index);
        if flight.left == 0 && number == 0 {
            self.wake(at);
        }
        let set = &self.all.sets[at as usize];
        let Some((frame, index)) = following(plan, set, stream, slot, index) else {
            return Ok(());
        };
        let slot = set.frames[frame].slot;
        let block = &plan.blocks[plan.slot_blocks[slot_at(set, slot)] as usize];
        let op_at = block.first[stream] as usize + usize::from(index);
        let waits = self.columns.ops[op_at].waits;
        let known = waits.iter().flatten().all(|awaited| {
            let other = usize::from(awaited.wait.stream) % MAX_STREAMS;
            set.has_done(other, frame, awaited.wait.count)
        });
        if !known || !matches!(plan.ops[op_at].instruction.kind, Kind::Send { .. }) {
            return Ok(());
        }
        let next = Next {
            frame,
            op_at,
            index,
            number: number + 1,
        };
        self.post_sends(at as usize, stream, next, Some((lane, now)))
    }

    /// Announces the sends of an instruction: of one lane whose stream is free since then, or of all
    /// that have not been announced. Those that share no links end at once.
    fn post_sends(
        &mut self,
        at: usize,
        stream: usize,
        next: Next,
        only: Option<(usize, u64)>,
    ) -> Result<(), EngineError> {
        let plan = self.plan;
        let Next {
            frame,
            op_at,
            index,
            number,
        } = next;
        let set = &mut self.all.sets[at];
        let lanes = set.ranks.len();
        let slot_index = set.frames[frame].slot;
        let site = Site {
            slot: &plan.slots[slot_at(set, slot_index)],
            slot_index,
            stream: stream as u8,
            index,
        };
        let instruction = &plan.ops[op_at].instruction;
        let flights = &mut set.flights[stream];
        while flights.len() <= number {
            flights.push_back(Flight {
                slot: slot_index,
                index,
                starts: vec![UNKNOWN; lanes],
                ends: vec![UNKNOWN; lanes],
                left: lanes as u32,
            });
        }
        let times = &set.frames[frame].times;
        let waits = self.columns.ops[op_at].waits;
        let which = only.map_or(0..lanes, |(lane, _)| lane..lane + 1);
        for lane in which {
            let flight = &mut flights[number];
            if flight.starts[lane] != UNKNOWN {
                continue;
            }
            // Of a list that is yet to begin the opening counts too.
            let free = match only {
                None => set.ready[stream][lane],
                Some((_, now)) if index > 0 => now,
                Some((_, now)) => now.max(times[OPENED as usize * lanes + lane]),
            };
            let waited = (waits.iter().flatten())
                .map(|awaited| times[awaited.column as usize * lanes + lane]);
            let start = waited.fold(free, u64::max);
            flight.starts[lane] = start;
            let rank = set.ranks[lane];
            match (
                &mut self.transfers,
                self.timing.shared_send(rank, site, instruction),
            ) {
                (Some(transfers), Some(transfer)) => {
                    let tag = rank << STREAM_BITS | stream as u32;
                    transfers.post(start, tag, transfer)?;
                }
                _ => {
                    let duration = self.timing.local(rank, site, instruction);
                    flight.ends[lane] = start.saturating_add(duration.picos());
                    flight.left -= 1;
                }
            }
        }
        Ok(())
    }

    /// Starts of a send over shared links are `None` until all lanes have ended.
    pub(super) fn fly(
        &mut self,
        at: usize,
        stream: usize,
        frame: usize,
        op_at: usize,
    ) -> Result<Option<Flight>, EngineError> {
        let next = Next {
            frame,
            op_at,
            index: self.all.sets[at].done[stream],
            number: 0,
        };
        self.post_sends(at, stream, next, None)?;
        let set: &mut LaneSet = &mut self.all.sets[at];
        let flights = &mut set.flights[stream];
        let landed = flights.front().is_some_and(|flight| flight.left == 0);
        Ok(if landed { flights.pop_front() } else { None })
    }
}
