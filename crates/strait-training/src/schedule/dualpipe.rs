//! DualPipe and DualPipeV: two streams of chunks that meet on every rank.
//!
//! In: pipeline ranks, a rank, micro-batches. Out: that rank's work in order. Never
//! checks its arguments: `schedule::check` has.
//!
//! Source: DeepSeek-V3 technical report (arXiv 2412.19437, section 3.2.1) and the
//! published order in deepseek-ai/DualPipe, commit 3da1bbe. Both schedules are one
//! sequence of eight steps over an "own" chunk, whose stream enters at the nearer end, and
//! an "other" one. DualPipe folds its P ranks over two directions, DualPipeV folds 2P
//! stages over P ranks; in both, `turn` counts the ranks of half the sequence and `depth`
//! this rank's distance from its start.

use super::{Chunk, Work};
use std::collections::VecDeque;

/// P ranks, each with a stage of both directions: chunk 0 is stage `rank` of the
/// direction that enters at rank 0, chunk 1 stage P-1-`rank` of the opposite one. The
/// first half of the micro-batches enters at rank 0, the second half at rank P-1.
pub(super) fn two_ended(pipeline: u32, rank: u32, micro_batches: u32) -> Vec<Work> {
    let half = pipeline / 2;
    let own = u8::from(rank >= half);
    let depth = rank.min(pipeline - 1 - rank);
    let first = [0, micro_batches / 2];
    Order::new(own, first).run(half, depth, micro_batches / 2)
}

/// P ranks that hold 2P stages in a V: chunk 0 is stage `rank`, chunk 1 stage
/// 2P-1-`rank`. Every micro-batch goes down the first and comes back up the second.
pub(super) fn folded(pipeline: u32, rank: u32, micro_batches: u32) -> Vec<Work> {
    Order::new(0, [0, 0]).run(pipeline, rank, micro_batches)
}

/// A rank's order in the making: the next micro-batch of each chunk and pass.
struct Order {
    own: u8,
    forward: [u32; 2],
    backward: [u32; 2],
    postponed: VecDeque<Chunk>,
    work: Vec<Work>,
}

fn take(counters: &mut [u32; 2], local: u8) -> Chunk {
    let counter = &mut counters[usize::from(local)];
    let micro_batch = *counter;
    *counter += 1;
    Chunk { local, micro_batch }
}

impl Order {
    fn new(own: u8, first: [u32; 2]) -> Order {
        Order {
            own,
            forward: first,
            backward: first,
            postponed: VecDeque::new(),
            work: Vec::new(),
        }
    }

    fn forward(&mut self, local: u8) {
        let chunk = take(&mut self.forward, local);
        self.work.push(Work::Forward(chunk));
    }

    fn backward(&mut self, local: u8, postpone_weights: bool) {
        let chunk = take(&mut self.backward, local);
        self.work.push(if postpone_weights {
            self.postponed.push_back(chunk);
            Work::BackwardInput(chunk)
        } else {
            Work::Backward(chunk)
        });
    }

    fn pair(&mut self, forward: u8, backward: u8) {
        let forward = take(&mut self.forward, forward);
        let backward = take(&mut self.backward, backward);
        self.work.push(Work::Pair { forward, backward });
    }

    /// The weight gradients that have waited longest.
    fn weights(&mut self) {
        if let Some(chunk) = self.postponed.pop_front() {
            self.work.push(Work::BackwardWeight(chunk));
        }
    }

    /// The eight steps, for `each` micro-batches per chunk.
    fn run(mut self, turn: u32, depth: u32, each: u32) -> Vec<Work> {
        let (own, other) = (self.own, 1 - self.own);
        let to_turn = turn - depth - 1;
        // 1, 2: fill.
        for _ in 0..2 * to_turn {
            self.forward(own);
        }
        for _ in 0..=depth {
            self.forward(own);
            self.forward(other);
        }
        // 3: the first backwards come back from the turn, weight gradients right behind.
        for _ in 0..to_turn {
            self.backward(other, true);
            self.weights();
            self.forward(other);
        }
        // 4: the steady part. `check` asks for 2 x turn micro-batches per chunk.
        for i in 0..each + depth + 1 - 2 * turn {
            if i == 0 && to_turn == 0 {
                // Beside the turn, overlapping these two would only delay the neighbour.
                self.forward(own);
                self.backward(other, false);
            } else {
                self.pair(own, other);
            }
            self.pair(other, own);
        }
        // 5, 6: drain; from the middle of 6 on, weight gradients wait.
        for _ in 0..to_turn {
            self.backward(other, false);
            self.pair(other, own);
        }
        for i in 0..=depth {
            let middle = depth.div_ceil(2);
            let odd = depth % 2 == 1;
            self.backward(other, i > middle || (i == middle && odd));
            self.backward(own, i >= middle);
        }
        // 7, 8: they fill the tail.
        for _ in 0..to_turn {
            self.weights();
            self.backward(own, true);
        }
        for _ in 0..=depth {
            self.weights();
        }
        self.work
    }
}
