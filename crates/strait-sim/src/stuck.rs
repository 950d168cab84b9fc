//! What a job that cannot finish is waiting for.
//!
//! In: the state after the last event. Out: the first few stuck ranks, each with its
//! reasons, for an error message. Never runs in a job that finishes.

use crate::engine::GroupState;
use crate::plan::Plan;
use crate::program::{Kind, MAX_STREAMS};
use crate::world::RankState;

/// How many stuck ranks are described.
const MOST: usize = 4;

/// A rank that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The rank.
    pub rank: u32,
    /// The slot that is open or would be next.
    pub slot_index: u32,
    /// What it waits for.
    pub waiting: Vec<Waiting>,
}

/// One reason why a rank cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The next slot needs messages that were never sent.
    Messages {
        /// The channel.
        channel: u8,
        /// Messages that have arrived.
        arrived: u32,
        /// Messages it needs.
        needed: u32,
    },
    /// The next slot opens only when the background streams are done.
    Drain,
    /// An instruction waits for another stream.
    Stream {
        /// Its slot.
        slot_index: u32,
        /// Its stream.
        stream: u8,
        /// Its index in the list.
        index: u16,
        /// The stream that it waits for.
        other: u8,
        /// How many instructions of that stream it needs.
        count: u16,
    },
    /// A collective lacks members.
    Members {
        /// Its slot.
        slot_index: u32,
        /// Its stream.
        stream: u8,
        /// Its index in the list.
        index: u16,
        /// The group kind.
        kind: u8,
        /// The group.
        group: u32,
        /// Members that have arrived.
        arrived: u32,
        /// Members that the group has.
        members: u32,
    },
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Waiting::Messages {
                channel,
                arrived,
                needed,
            } => write!(f, "message {needed} on channel {channel} ({arrived} came)"),
            Waiting::Drain => write!(f, "its background streams"),
            Waiting::Stream {
                slot_index,
                stream,
                index,
                other,
                count,
            } => write!(
                f,
                "{count} instructions of stream {other} \
                 (stream {stream}, instruction {index} of slot {slot_index})"
            ),
            Waiting::Members {
                slot_index,
                stream,
                index,
                kind,
                group,
                arrived,
                members,
            } => write!(
                f,
                "group {group} of kind {kind}, {arrived} of {members} members there \
                 (stream {stream}, instruction {index} of slot {slot_index})"
            ),
        }
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "rank {} in slot {} waits for ",
            self.rank, self.slot_index
        )?;
        for (i, waiting) in self.waiting.iter().enumerate() {
            let comma = if i == 0 { "" } else { " and " };
            write!(f, "{comma}{waiting}")?;
        }
        Ok(())
    }
}

/// The sentences of an error message.
pub(crate) fn list(stuck: &[Stuck]) -> String {
    let sentences: Vec<String> = stuck.iter().map(Stuck::to_string).collect();
    sentences.join("; ")
}

/// Describes the first stuck ranks.
pub(crate) fn find(
    plan: &Plan<'_>,
    states: &[RankState],
    groups: &[GroupState],
    channels: &[u32],
) -> Vec<Stuck> {
    let stuck = states.iter().enumerate().filter(|(_, s)| !s.is_finished());
    stuck
        .take(MOST)
        .map(|(rank, state)| Stuck {
            rank: rank as u32,
            slot_index: state.current,
            waiting: reasons(plan, rank, state, groups, channels),
        })
        .collect()
}

fn reasons(
    plan: &Plan<'_>,
    rank: usize,
    state: &RankState,
    groups: &[GroupState],
    channels: &[u32],
) -> Vec<Waiting> {
    let mut reasons = Vec::new();
    if state.is_between() && state.current < state.slots {
        let at = (state.first_slot + state.current) as usize;
        for entry in plan.slots[at].entry.iter().flatten() {
            let arrived = channels[state.first_channel as usize + usize::from(entry.channel)];
            if arrived < entry.count {
                reasons.push(Waiting::Messages {
                    channel: entry.channel,
                    arrived,
                    needed: entry.count,
                });
            }
        }
        if plan.blocks[plan.slot_blocks[at] as usize].drains && !state.is_drained() {
            reasons.push(Waiting::Drain);
        }
    }
    for stream in 0..MAX_STREAMS {
        let parked = state.parked >> stream & 1 == 1;
        if parked || state.done[stream] == state.length[stream] {
            continue;
        }
        let op = &plan.ops[state.head[stream] as usize];
        let (slot_index, index) = (state.slot[stream], state.done[stream]);
        if state.blocked >> stream & 1 == 1 {
            let waits = op.instruction.waits.iter().flatten();
            let failed = waits.filter(|wait| !state.holds(**wait, stream));
            reasons.extend(failed.map(|wait| Waiting::Stream {
                slot_index,
                stream: stream as u8,
                index,
                other: wait.stream,
                count: wait.count,
            }));
        } else if let Kind::Collective { group } = op.instruction.kind {
            let kind = usize::from(group);
            let index_of_kind = plan.job.ranks[rank].groups[kind];
            let at = (plan.kind_first[kind] + index_of_kind) as usize;
            reasons.push(Waiting::Members {
                slot_index,
                stream: stream as u8,
                index,
                kind: group,
                group: index_of_kind,
                arrived: groups[at].arrived,
                members: plan.groups[at].length,
            });
        }
    }
    reasons
}
