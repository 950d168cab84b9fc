//! In which order a pipeline rank runs its blocks, before anybody knows what is in them.
//!
//! In: a schedule, and whether parameters are gathered ahead. Out: a [`Frame`] for each rank: which blocks it
//! needs, and its slots. Nothing here depends on a duration, so that the cases of a sweep mostly have the
//! same ones: those that a thread had last are kept. Never makes a block.

use super::blocks::Lane;
use crate::case::ScheduleKind;
use crate::schedule::{Chunk, Schedule, Work};
use std::cell::RefCell;
use std::sync::Arc;
use strait_sim::{EntryWait, Slot};

/// What distinguishes the blocks of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BlockKey {
    /// Parameters of a chunk gathered ahead of its first forward.
    Gather {
        local: u8,
    },
    Forward {
        local: u8,
        first: bool,
    },
    Backward {
        local: u8,
        last: bool,
    },
    BackwardInput {
        local: u8,
    },
    BackwardWeight {
        local: u8,
        last: bool,
    },
    Pair {
        forward: u8,
        backward: u8,
        last: bool,
    },
    /// The end of the step.
    Optimizer,
}

/// What a rank runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The blocks that it needs, by their numbers.
    pub keys: Vec<BlockKey>,
    /// Its slots.
    pub slots: Vec<Slot>,
}

/// An order of work that frames were made for, and those frames. The order is held, so that no other comes to its
/// address.
struct Kept {
    order: Arc<[Vec<Work>]>,
    prefetches: bool,
    frames: Arc<[Frame]>,
}

/// Frames that are kept, of all ranks each.
const MOST: usize = 16;
/// Slots over all ranks, of frames that are kept: 36 bytes each, 16 of these are 5 MB at most.
const LONGEST: usize = 1 << 13;

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// What [`made`] gives, made or kept: for the very same order of work.
pub(super) fn kept(schedule: &Schedule, prefetches: bool) -> Arc<[Frame]> {
    let found = KEPT.with_borrow(|kept| {
        let same = |known: &&Kept| {
            Arc::ptr_eq(&known.order, &schedule.order) && known.prefetches == prefetches
        };
        kept.iter()
            .find(same)
            .map(|known| Arc::clone(&known.frames))
    });
    if let Some(frames) = found {
        return frames;
    }
    let frames = made(schedule, prefetches);
    if frames.iter().map(|frame| frame.slots.len()).sum::<usize>() <= LONGEST {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() == MOST {
                kept.remove(0);
            }
            kept.push(Kept {
                order: Arc::clone(&schedule.order),
                prefetches,
                frames: Arc::clone(&frames),
            });
        });
    }
    frames
}

/// The frames of all pipeline ranks.
pub(super) fn made(schedule: &Schedule, prefetches: bool) -> Arc<[Frame]> {
    let ranks = 0..schedule.pipeline;
    ranks
        .map(|rank| of_rank(schedule, prefetches, rank))
        .collect()
}

/// Parameters of a chunk are gathered before its first forward: later chunks, and ranks that wait for
/// their first activations anyway.
pub(super) fn gathers_ahead(schedule: &Schedule, prefetches: bool, rank: u32, local: u8) -> bool {
    prefetches && schedule.stage_of(rank, local) > 0
}

/// Some micro-batch of a chunk: in DualPipe the chunk says the direction.
pub(super) fn any_chunk(schedule: &Schedule, local: u8) -> Chunk {
    let micro_batch = match schedule.kind {
        ScheduleKind::DualPipe if local == 1 => schedule.micro_batches - 1,
        _ => 0,
    };
    Chunk { local, micro_batch }
}

fn of_rank(schedule: &Schedule, prefetches: bool, rank: u32) -> Frame {
    let locals = schedule.chunks as u8;
    let order = &schedule.order[rank as usize];
    let last_weight: Vec<usize> = (0..locals).map(|l| last_weight_slot(order, l)).collect();
    // Whether the input of a chunk, forward or backward, comes from another rank.
    let from_other = |(local, lane): (u8, Lane)| {
        let chunk = any_chunk(schedule, local);
        let source = match lane {
            Lane::Forward => schedule.previous(rank, chunk),
            Lane::Backward => schedule.next(rank, chunk),
        };
        source.is_some_and(|(from, _)| from != rank)
    };
    let fed: Vec<bool> = lanes(locals).map(from_other).collect();
    let mut first_forward = vec![true; locals as usize];
    let mut arrived = vec![0u32; 2 * locals as usize];
    let mut keys: Vec<BlockKey> = Vec::new();
    let mut slots = Vec::with_capacity(order.len() + 1);
    // Chunks in the order in which they start. In DualPipe mirrored ranks start with the same
    // stage, so that their collectives meet.
    let mut start_order: Vec<u8> = Vec::new();
    for &work in order {
        if let Work::Forward(c) = work
            && !start_order.contains(&c.local)
        {
            start_order.push(c.local);
        }
    }
    // A chunk's parameters are gathered once the chunk before it has started; those of the
    // first chunk at the start of the step, unless it can begin with them layer by layer.
    let alone = |key, keys: &mut Vec<BlockKey>, slots: &mut Vec<Slot>| {
        keys.push(key);
        slots.push(Slot {
            block: (keys.len() - 1) as u32,
            keys: [0, 0],
            entry: [None, None],
        });
    };
    for (index, &work) in order.iter().enumerate() {
        let (forward, backward, _) = parts(work);
        let starts = match work {
            Work::Forward(c) => first_forward[c.local as usize].then_some(c.local),
            _ => None,
        };
        if let Some(local) = starts
            && start_order[0] == local
            && gathers_ahead(schedule, prefetches, rank, local)
        {
            alone(BlockKey::Gather { local }, &mut keys, &mut slots);
        }
        let mut entry = [None, None];
        for (place, lane, chunk) in [(0, 0, forward), (1, 1, backward)] {
            let Some(chunk) = chunk else { continue };
            // Weight gradients alone need no message.
            let needs = !matches!(work, Work::BackwardWeight(_));
            let channel = 2 * chunk.local + lane;
            if needs && fed[usize::from(channel)] {
                arrived[channel as usize] += 1;
                entry[place] = Some(EntryWait {
                    channel,
                    count: arrived[channel as usize],
                });
            }
        }
        let key = match work {
            Work::Forward(c) => BlockKey::Forward {
                local: c.local,
                first: std::mem::take(&mut first_forward[c.local as usize]),
            },
            Work::Backward(c) => BlockKey::Backward {
                local: c.local,
                last: last_weight[c.local as usize] == index,
            },
            Work::BackwardInput(c) => BlockKey::BackwardInput { local: c.local },
            Work::BackwardWeight(c) => BlockKey::BackwardWeight {
                local: c.local,
                last: last_weight[c.local as usize] == index,
            },
            Work::Pair { forward, backward } => BlockKey::Pair {
                forward: forward.local,
                backward: backward.local,
                last: last_weight[backward.local as usize] == index,
            },
        };
        // A dozen or so: looked through.
        let number = keys.iter().rposition(|known| *known == key);
        let number = number.unwrap_or_else(|| {
            keys.push(key);
            keys.len() - 1
        });
        slots.push(Slot {
            block: number as u32,
            keys: [
                forward.map_or(0, |c| c.micro_batch),
                backward.map_or(0, |c| c.micro_batch),
            ],
            entry,
        });
        let next = starts.and_then(|local| {
            let at = start_order.iter().position(|&other| other == local)?;
            start_order.get(at + 1).copied()
        });
        if let Some(next) = next
            && gathers_ahead(schedule, prefetches, rank, next)
        {
            alone(BlockKey::Gather { local: next }, &mut keys, &mut slots);
        }
    }
    alone(BlockKey::Optimizer, &mut keys, &mut slots);
    Frame { keys, slots }
}

/// The lanes of chunks, in the order of their channels.
pub(super) fn lanes(locals: u8) -> impl Iterator<Item = (u8, Lane)> {
    (0..locals).flat_map(|local| [(local, Lane::Forward), (local, Lane::Backward)])
}

/// Forward chunk, backward chunk, and whether weight gradients are among the work.
fn parts(
    work: Work,
) -> (
    Option<crate::schedule::Chunk>,
    Option<crate::schedule::Chunk>,
    bool,
) {
    match work {
        Work::Forward(c) => (Some(c), None, false),
        Work::Backward(c) | Work::BackwardWeight(c) => (None, Some(c), true),
        Work::BackwardInput(c) => (None, Some(c), false),
        Work::Pair { forward, backward } => (Some(forward), Some(backward), true),
    }
}

/// The last slot that has weight gradients of a chunk.
fn last_weight_slot(order: &[Work], local: u8) -> usize {
    order
        .iter()
        .rposition(|&work| {
            let (_, backward, weights) = parts(work);
            weights && backward.is_some_and(|c| c.local == local)
        })
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::schedule;

    #[test]
    fn frames_that_are_kept_are_those_that_are_made() {
        for _ in 0..2 {
            for micro_batches in (16..64).step_by(2) {
                for kind in [ScheduleKind::OneFOneB, ScheduleKind::DualPipe] {
                    for prefetches in [false, true] {
                        let schedule = schedule(kind, 8, 1, micro_batches).expect("it exists");
                        assert_eq!(kept(&schedule, prefetches), made(&schedule, prefetches));
                    }
                }
            }
        }
    }
}
