//! Collectives: sets arrive, the last one starts them, all leave.
//!
//! In: arrivals by lane. Out: starts and ends by group, booked. Never waits: who has to is told
//! so and woken later.

use super::column;
use super::run::{Head, Lockstep, overflow, slot_at};
use super::transfers::group_tag;
use super::view::{LaneGroup, LaneGroups, LaneRanks};
use crate::engine::EngineError;
use crate::observer::{InstructionSpan, Observer};
use crate::{Site, Timing};
use strait_units::Time;

impl<T: Timing, O: Observer> Lockstep<'_, T, O> {
    /// Takes part in a collective, whose waits hold.
    pub(super) fn collective(
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
            let lanes_only = self.transfers.is_none()
                || LaneGroups::new(plan, &self.all.lane_of, &cluster.groups)
                    .iter()
                    .all(|group| {
                        let LaneGroup { index, members, .. } = group;
                        (self.timing)
                            .shared_collective(index, members, site, instruction)
                            .is_none()
                    });
            if let Some(size) = membership.chunks
                && !O::WANTS_INSTRUCTIONS
                && lanes_only
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
        let mut under_way = 0;
        let of = groups.iter().zip(&cluster.lowest).zip(&cluster.groups);
        for (((group, lowest), number), (start, end)) in of.zip(times) {
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
            if let Some(transfers) = &mut self.transfers
                && let Some(transfer) = (self.timing).shared_collective(
                    group.index,
                    group.members,
                    site,
                    &op.instruction,
                )
            {
                transfers.post(*start, group_tag(*number), transfer)?;
                under_way += 1;
                continue;
            }
            let duration = (self.timing)
                .collective(group.index, group.members, site, &op.instruction)
                .picos();
            *end = start.wrapping_add(duration);
            seen |= duration | *end;
        }
        cluster.under_way = under_way;
        if under_way == 0 {
            self.met(at);
        }
        overflow(seen)
    }

    /// All groups of a cluster are done: its sets may go on.
    pub(super) fn met(&mut self, at: usize) {
        let cluster = &mut self.all.clusters[at];
        cluster.arrived = 0;
        cluster.met += 1;
        for place in 0..cluster.sets.len() {
            let set = self.all.clusters[at].sets[place];
            self.wake(set);
        }
    }
}
