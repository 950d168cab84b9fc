//! A job compiled for the loop: flat arrays, groups with their members, and the places
//! where a run of local instructions has to be cut.
//!
//! In: a checked [`Job`]. Out: a read-only [`Plan`], as large as the programs plus a few
//! words per rank, whatever the number of micro-batches or layers. Never holds state.

use crate::classes::Meetings;
use crate::program::{Block, Instruction, Job, Kind, MAX_GROUP_KINDS, MAX_STREAMS, Slot};
use crate::sharing::Shared;

/// One instruction with what the loop needs to know about its neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub instruction: Instruction,
    /// How many local instructions, from this one on, can be run as one event: nobody waits
    /// for any but the last, and none but the first waits. 1 for other kinds.
    pub run: u16,
    /// Streams of the same block with a wait for exactly this instruction's completion.
    pub signals: u8,
    /// Whether it has waits that do not hold from the start.
    pub waits: bool,
}

/// The lists of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockPlan {
    /// Where each stream's list begins in [`Plan::ops`].
    pub first: [u32; MAX_STREAMS],
    /// How long it is.
    pub length: [u16; MAX_STREAMS],
    /// Streams with a list that is not empty.
    pub occupied: u8,
    pub window: u8,
    pub drains: bool,
}

/// Ranks that meet in collectives of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupPlan {
    /// Its members in [`Plan::members`], sorted by rank.
    pub first: u32,
    pub length: u32,
    /// Its index as the caller numbers it.
    pub index: u32,
    /// The stream its collectives are on.
    pub stream: u8,
}

/// What a program looks like from a rank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramPlan {
    pub first_slot: u32,
    pub slots: u32,
    pub channels: u8,
    /// Foreground streams, as a mask.
    pub foreground: u8,
}

/// A job in the form that the loop reads.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub job: &'a Job,
    pub ops: Vec<Op>,
    pub blocks: Vec<BlockPlan>,
    pub programs: Vec<ProgramPlan>,
    /// The slots of all programs, and the index in `blocks` of each.
    pub slots: Vec<Slot>,
    pub slot_blocks: Vec<u32>,
    pub groups: Vec<GroupPlan>,
    pub members: Vec<u32>,
    /// Where groups of a kind begin in `groups`: a rank's is `kind_first[k] + groups[k]`.
    pub kind_first: [u32; MAX_GROUP_KINDS],
}

impl<'a> Plan<'a> {
    /// Compiles a job that has passed [`Job::check`].
    pub fn new(job: &'a Job) -> Plan<'a> {
        let mut plan = Plan {
            job,
            ops: Vec::new(),
            blocks: Vec::new(),
            programs: Vec::new(),
            slots: Vec::new(),
            slot_blocks: Vec::new(),
            groups: Vec::new(),
            members: Vec::new(),
            kind_first: [0; MAX_GROUP_KINDS],
        };
        for program in &job.programs {
            let first_block = plan.blocks.len();
            for block in &program.blocks {
                plan.push_block(block);
            }
            let first_slot = plan.slots.len() as u32;
            for slot in &program.slots {
                plan.slots.push(*slot);
                plan.slot_blocks.push(first_block as u32 + slot.block);
            }
            plan.programs.push(ProgramPlan {
                first_slot,
                slots: program.slots.len() as u32,
                channels: program.channels,
                foreground: (1u8 << program.foreground) - 1,
            });
        }
        let groups = Groups::new(job);
        (plan.groups, plan.members) = (groups.groups, groups.members);
        plan.kind_first = groups.kind_first;
        plan
    }

    fn push_block(&mut self, block: &Block) {
        let compiled = BlockPlan::new(block, &mut self.ops);
        self.blocks.push(compiled);
    }

    /// The groups of a kind by index; none if it has no collectives.
    pub fn groups_of(&self, kind: usize) -> &[GroupPlan] {
        self.meetings().of_kind(kind)
    }

    /// Who meets whom.
    pub fn meetings(&self) -> Meetings<'_> {
        Meetings {
            groups: &self.groups,
            members: &self.members,
            kind_first: &self.kind_first,
        }
    }
}

impl BlockPlan {
    /// Compiles a block; its instructions go to the end of `ops`.
    pub fn new(block: &Block, ops: &mut Vec<Op>) -> BlockPlan {
        let mut compiled = BlockPlan {
            first: [0; MAX_STREAMS],
            length: [0; MAX_STREAMS],
            occupied: 0,
            window: block.window,
            drains: block.drains,
        };
        for (stream, list) in block.streams.iter().enumerate() {
            compiled.first[stream] = ops.len() as u32;
            compiled.length[stream] = list.len() as u16;
            compiled.occupied |= u8::from(!list.is_empty()) << stream;
            ops.extend(list.iter().map(|instruction| Op {
                instruction: *instruction,
                run: 1,
                signals: 0,
                waits: (instruction.waits.iter().flatten()).any(|wait| wait.count > 0),
            }));
        }
        for (stream, list) in block.streams.iter().enumerate() {
            let waits = list.iter().flat_map(|i| i.waits.iter().flatten());
            for wait in waits.filter(|wait| wait.count > 0) {
                let awaited = compiled.first[usize::from(wait.stream)] + u32::from(wait.count) - 1;
                ops[awaited as usize].signals |= 1 << stream;
            }
        }
        for (stream, list) in block.streams.iter().enumerate() {
            let first = compiled.first[stream] as usize;
            for i in (first..first + list.len().saturating_sub(1)).rev() {
                let next = ops[i + 1];
                let local = |op: &Op| op.instruction.kind == Kind::Local;
                let op = &mut ops[i];
                if local(op) && op.signals == 0 && local(&next) && !next.waits {
                    op.run = next.run + 1;
                }
            }
        }
        compiled
    }

    /// Events that the block takes in runs of local instructions, but for its collectives.
    pub fn events(&self, ops: &[Op]) -> u64 {
        let mut events = 0;
        for (first, length) in self.first.iter().zip(&self.length) {
            let (mut at, end) = (*first as usize, *first as usize + usize::from(*length));
            while at < end {
                let op = &ops[at];
                events += u64::from(!matches!(op.instruction.kind, Kind::Collective { .. }));
                at += usize::from(op.run);
            }
        }
        events
    }
}

/// The groups of a job: what [`Plan`] holds of them, for who needs no more.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub groups: Vec<GroupPlan>,
    pub members: Vec<u32>,
    pub kind_first: [u32; MAX_GROUP_KINDS],
}

impl Groups {
    pub fn new(job: &Job) -> Groups {
        let programs = job.programs.iter();
        Groups::of(
            job,
            &programs
                .map(|p| kind_streams_of(&p.blocks))
                .collect::<Vec<_>>(),
        )
    }

    /// The same where it is known on which streams the collectives of each program are.
    pub fn of(job: &Job, kind_streams: &[[Option<u8>; MAX_GROUP_KINDS]]) -> Groups {
        let mut groups = Groups::default();
        groups.push(job, kind_streams);
        groups
    }

    pub fn meetings(&self) -> Meetings<'_> {
        Meetings {
            groups: &self.groups,
            members: &self.members,
            kind_first: &self.kind_first,
        }
    }

    /// Lists the members of each group that has collectives, by kind, index and rank.
    fn push(&mut self, job: &Job, kind_streams: &[[Option<u8>; MAX_GROUP_KINDS]]) {
        for kind in 0..MAX_GROUP_KINDS {
            let group_of =
                |spec: &crate::RankSpec| Some(spec.groups[kind]).filter(|group| *group != u32::MAX);
            self.kind_first[kind] = self.groups.len() as u32;
            if kind_streams.iter().all(|streams| streams[kind].is_none()) {
                continue;
            }
            let count = (job.ranks.iter().filter_map(group_of)).max();
            let count = count.map_or(0, |last| last as usize + 1);
            // Counting sort by group keeps members in rank order.
            let mut sizes = vec![0u32; count];
            let mut streams = vec![0u8; count];
            for spec in &job.ranks {
                let Some(group) = group_of(spec) else {
                    continue;
                };
                sizes[group as usize] += 1;
                if let Some(stream) = kind_streams[spec.program as usize][kind] {
                    streams[group as usize] = stream;
                }
            }
            let mut first = self.members.len() as u32;
            let mut next = Vec::with_capacity(count);
            for (index, &length) in sizes.iter().enumerate() {
                self.groups.push(GroupPlan {
                    first,
                    length,
                    index: index as u32,
                    stream: streams[index],
                });
                next.push(first);
                first += length;
            }
            self.members.resize(first as usize, 0);
            for (rank, spec) in job.ranks.iter().enumerate() {
                let Some(group) = group_of(spec) else {
                    continue;
                };
                let place = &mut next[group as usize];
                self.members[*place as usize] = rank as u32;
                *place += 1;
            }
        }
    }
}

/// The stream of each group kind's collectives; [`Job::check`] has seen that it is one.
fn kind_streams_of(blocks: &[Shared<Block>]) -> [Option<u8>; MAX_GROUP_KINDS] {
    let mut streams = [None; MAX_GROUP_KINDS];
    for (stream, list) in blocks.iter().flat_map(|b| b.streams.iter().enumerate()) {
        for instruction in list {
            if let Kind::Collective { group } = instruction.kind {
                streams[usize::from(group)] = Some(stream as u8);
            }
        }
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Program, Wait};
    use strait_units::Time;

    fn op(kind: Kind, wait: Option<(u8, u16)>) -> Instruction {
        Instruction {
            kind,
            base: Time::from_picos(1),
            waits: [wait.map(|(stream, count)| Wait { stream, count }), None],
            busy: 0,
            idle: 0,
            load: 0,
            label: 0,
        }
    }

    #[test]
    fn runs_are_cut_where_someone_waits() {
        let local = || op(Kind::Local, None);
        let block = Block {
            streams: vec![
                vec![
                    local(),
                    local(),
                    local(),
                    op(Kind::Local, Some((1, 1))),
                    op(Kind::Local, Some((1, 0))),
                    op(Kind::Send { peer: 0 }, None),
                    local(),
                ],
                vec![op(Kind::Local, Some((0, 2)))],
            ],
            ..Block::default()
        };
        let program = Program {
            blocks: vec![block.into()],
            foreground: 2,
            ..Program::default()
        };
        let job = Job {
            programs: vec![program],
            ranks: Shared::default(),
        };
        let plan = Plan::new(&job);
        let runs: Vec<u16> = plan.ops.iter().map(|op| op.run).collect();
        assert_eq!(runs, [2, 1, 1, 2, 1, 1, 1, 1]);
        let signals: Vec<u8> = plan.ops.iter().map(|op| op.signals).collect();
        assert_eq!(signals, [0, 2, 0, 0, 0, 0, 0, 1]);
    }
}
