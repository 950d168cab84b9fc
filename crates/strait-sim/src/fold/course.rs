//! A block as one class of ranks runs it: its lists with what they take, ready to flow.
//!
//! In: a block, and the times of its instructions on a representative. Out: a [`Course`]. Never runs
//! anything: that is [`super::flow`].

use super::condense::{Condensed, Lone};
use crate::plan::BlockPlan;
use crate::program::{Block, Kind, MAX_STREAMS, Wait};
use crate::sharing::Shared;
use crate::{Site, Timing};

/// An instruction with what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub kind: Kind,
    /// Nothing for collectives: they are asked for when all have come.
    pub time: u64,
    pub waits: [Option<Wait>; 2],
    pub busy: u8,
    pub idle: u8,
}

/// A message that leaves a foreground of known times, from its opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub start: u64,
    pub end: u64,
    pub peer: u8,
}

/// An instruction behind a foreground of known times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    pub stream: u8,
    /// May start so long after the opening.
    pub after: u64,
    pub time: u64,
    /// It is a send to this peer.
    pub peer: Option<u8>,
}

/// A foreground that always takes the same time.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// From opening to close.
    pub length: u64,
    /// Ends of the moments that background streams wait for.
    pub ends: Vec<u64>,
    pub sends: Vec<Sent>,
    /// What is behind it, if that meets nobody.
    pub behind: Option<Vec<Behind>>,
    /// What its instructions book.
    pub booked: Condensed,
}

/// A block on a class.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// As the program has it.
    pub block: Shared<Block>,
    /// Streams with a list, as a mask.
    pub occupied: u8,
    /// The lists; those of a known foreground are empty.
    pub lists: [Vec<Move>; MAX_STREAMS],
    /// Events that the engine would need, but for collectives.
    pub events: u64,
    pub known: Option<Known>,
}

impl Course {
    /// The course of a block. `alone` gives the group of a kind that stands for the rank's, if only
    /// its class is in it.
    pub fn new<'m>(
        block: &Shared<Block>,
        lone: &Lone<'_>,
        timing: &impl Timing,
        alone: &impl Fn(u8) -> Option<(u32, &'m [u32])>,
    ) -> Course {
        let foreground = usize::from(lone.foreground);
        let condensed = lone.condense(timing, alone);
        let runs = condensed.as_ref().map_or(&**block, |(block, _)| block);
        let mut ops = Vec::new();
        let events = BlockPlan::new(runs, &mut ops).events(&ops);
        let mut lists: [Vec<Move>; MAX_STREAMS] = Default::default();
        for (stream, list) in runs.streams.iter().enumerate() {
            if condensed.is_some() && stream < foreground {
                continue;
            }
            let numbered = list.iter().enumerate();
            lists[stream] = numbered
                .map(|(index, instruction)| {
                    let site = Site {
                        slot: lone.slot,
                        slot_index: lone.slot_index,
                        stream: stream as u8,
                        index: index as u16,
                    };
                    let time = match instruction.kind {
                        Kind::Collective { .. } => 0,
                        _ => timing.local(lone.rank, site, instruction).picos(),
                    };
                    Move {
                        kind: instruction.kind,
                        time,
                        waits: instruction.waits,
                        busy: instruction.busy,
                        idle: instruction.idle,
                    }
                })
                .collect();
        }
        let known = condensed.map(|(short, booked)| {
            let mut known = Known {
                length: 0,
                ends: Vec::with_capacity(short.streams[0].len()),
                sends: Vec::new(),
                behind: None,
                booked,
            };
            for pause in &short.streams[0] {
                let end = known.length + pause.base.picos();
                if let Kind::Send { peer } = pause.kind {
                    let start = known.length;
                    known.sends.push(Sent { start, end, peer });
                }
                known.length = end;
                known.ends.push(end);
            }
            known.behind = behind(&lists, &known.ends);
            known
        });
        let occupied = lists.iter().enumerate();
        let occupied = occupied.map(|(stream, list)| u8::from(!list.is_empty()) << stream);
        Course {
            block: block.clone(),
            occupied: occupied.sum(),
            lists,
            events,
            known,
        }
    }
}

/// Background lists of local instructions and sends that wait for the foreground alone.
fn behind(lists: &[Vec<Move>; MAX_STREAMS], ends: &[u64]) -> Option<Vec<Behind>> {
    let mut behind = Vec::new();
    for (stream, list) in lists.iter().enumerate() {
        for one in list {
            let mut after = 0;
            for wait in one.waits.iter().flatten().filter(|wait| wait.count > 0) {
                if wait.stream != 0 {
                    return None;
                }
                after = after.max(ends[usize::from(wait.count) - 1]);
            }
            let peer = match one.kind {
                Kind::Local => None,
                Kind::Send { peer } => Some(peer),
                Kind::Collective { .. } => return None,
            };
            behind.push(Behind {
                stream: stream as u8,
                after,
                time: one.time,
                peer,
            });
        }
    }
    Some(behind)
}
