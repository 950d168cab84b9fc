//! Schedules in which every micro-batch enters at the first rank.
//!
//! In: pipeline ranks, a rank, micro-batches. Out: that rank's work in order. Never
//! checks its arguments: `schedule::check` has.

use super::{Chunk, Work};

fn chunk(local: u32, micro_batch: u32) -> Chunk {
    Chunk {
        local: local as u8,
        micro_batch,
    }
}

/// All forwards, then all backwards in the same order (Huang et al., arXiv 1811.06965).
pub(super) fn gpipe(micro_batches: u32) -> Vec<Work> {
    let forwards = (0..micro_batches).map(|i| Work::Forward(chunk(0, i)));
    let backwards = (0..micro_batches).map(|i| Work::Backward(chunk(0, i)));
    forwards.chain(backwards).collect()
}

/// 1F1B with flushes (Narayanan et al., arXiv 2104.04473): as many forwards as there
/// are ranks behind this one, then one forward and one backward in turn.
pub(super) fn one_f_one_b(pipeline: u32, rank: u32, micro_batches: u32) -> Vec<Work> {
    let warm_up = (pipeline - rank - 1).min(micro_batches);
    let mut work: Vec<Work> = (0..warm_up).map(|i| Work::Forward(chunk(0, i))).collect();
    for i in 0..micro_batches {
        if warm_up + i < micro_batches {
            work.push(Work::Forward(chunk(0, warm_up + i)));
        }
        work.push(Work::Backward(chunk(0, i)));
    }
    work
}

/// Interleaved 1F1B as Megatron-LM orders it (arXiv 2104.04473, section 2.2): groups of
/// micro-batches go through the rank's chunks one chunk after the other.
///
/// Groups hold `pipeline` micro-batches where that divides them; else the smallest
/// number for which the last group is empty or no smaller than the pipeline, which is
/// Megatron-LM's condition on `microbatch_group_size_per_vp_stage`.
pub(super) fn interleaved(
    pipeline: u32,
    rank: u32,
    virtual_stages: u32,
    micro_batches: u32,
) -> Vec<Work> {
    let (turns, group) = turns(pipeline, virtual_stages, micro_batches);
    let total = turns.len();
    let warm_up = ((pipeline - rank - 1) * 2 + (virtual_stages - 1) * group) as usize;
    let warm_up = warm_up.min(total);
    let forward = |k: usize| Work::Forward(chunk(turns[k].0, turns[k].1));
    let backward = |k: usize| Work::Backward(chunk(virtual_stages - 1 - turns[k].0, turns[k].1));
    let mut work: Vec<Work> = (0..warm_up).map(forward).collect();
    for k in 0..total {
        if warm_up + k < total {
            work.push(forward(warm_up + k));
        }
        work.push(backward(k));
    }
    work
}

/// 1F1B, interleaved or not, whose steady state runs a forward and a backward chunk side by side:
/// one more forward warms up, so that the two never belong to the same micro-batch (Megatron-Core,
/// `combined_1f1b.py`).
pub(super) fn paired(
    pipeline: u32,
    rank: u32,
    virtual_stages: u32,
    micro_batches: u32,
) -> Vec<Work> {
    let (turns, group) = turns(pipeline, virtual_stages, micro_batches);
    let total = turns.len();
    // Without virtual stages a message has one rank to go, with them two.
    let lead = if virtual_stages == 1 { 1 } else { 2 };
    let warm_up = ((pipeline - rank - 1) * lead + (virtual_stages - 1) * group) as usize + 1;
    let warm_up = warm_up.min(total);
    let forward = |k: usize| chunk(turns[k].0, turns[k].1);
    let backward = |k: usize| chunk(virtual_stages - 1 - turns[k].0, turns[k].1);
    let mut work: Vec<Work> = (0..warm_up).map(|k| Work::Forward(forward(k))).collect();
    for k in 0..total {
        work.push(if warm_up + k < total {
            Work::Pair {
                forward: forward(warm_up + k),
                backward: backward(k),
            }
        } else {
            Work::Backward(backward(k))
        });
    }
    work
}

/// The order in which forwards go through the chunks of a rank, and the size of their groups; each
/// turn is the chunk and the micro-batch. Backwards take the same micro-batches with the chunks
/// reversed.
fn turns(pipeline: u32, virtual_stages: u32, micro_batches: u32) -> (Vec<(u32, u32)>, u32) {
    let group = (pipeline..=micro_batches)
        .find(|&size| {
            let rest = micro_batches % size;
            rest == 0 || rest >= pipeline
        })
        .unwrap_or(micro_batches);
    let mut turns = Vec::with_capacity((micro_batches * virtual_stages) as usize);
    let mut start = 0;
    while start < micro_batches {
        let end = (start + group).min(micro_batches);
        for local in 0..virtual_stages {
            turns.extend((start..end).map(|micro_batch| (local, micro_batch)));
        }
        start = end;
    }
    (turns, group)
}

/// ZB-H1 (Qi et al., arXiv 2401.10241, section 2.3): 1F1B with the weight gradients split
/// off. Rank r holds them back for r micro-batches, which fills the tail of the step
/// and makes every rank hold as many micro-batches as the first one.
pub(super) fn zb_h1(pipeline: u32, rank: u32, micro_batches: u32) -> Vec<Work> {
    let warm_up = (pipeline - rank - 1).min(micro_batches);
    let mut work: Vec<Work> = (0..warm_up).map(|i| Work::Forward(chunk(0, i))).collect();
    for i in 0..micro_batches {
        if warm_up + i < micro_batches {
            work.push(Work::Forward(chunk(0, warm_up + i)));
        }
        work.push(Work::BackwardInput(chunk(0, i)));
        if i >= rank {
            work.push(Work::BackwardWeight(chunk(0, i - rank)));
        }
    }
    let held_back = rank.min(micro_batches);
    work.extend(
        (micro_batches - held_back..micro_batches).map(|i| Work::BackwardWeight(chunk(0, i))),
    );
    work
}
