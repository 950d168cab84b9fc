//! The plain twin of the engine: runs a schedule with one duration per kind of work.
//!
//! In: a schedule and durations. Out: when everything ended, or a panic that says which
//! rule the schedule broke. Never part of an answer: tests only.

use super::{Chunk, Schedule, Work};
use std::collections::BTreeMap;

/// Durations, in any integer unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durations {
    pub forward: u64,
    pub input: u64,
    pub weight: u64,
    pub pair: u64,
    pub hop: u64,
}

/// What the twin saw.
#[derive(Debug)]
pub(super) struct Seen {
    pub makespan: u64,
    /// Time with work open, by rank.
    pub busy: Vec<u64>,
}

impl Seen {
    /// Idle time, mean over ranks.
    pub fn bubble(&self) -> f64 {
        let busy: u64 = self.busy.iter().sum();
        self.makespan as f64 - busy as f64 / self.busy.len() as f64
    }
}

/// End of the forward, input-gradient and weight-gradient work of (stage, micro-batch).
type Ends = BTreeMap<(u32, u32), u64>;

fn parts(work: Work) -> (Option<Chunk>, Option<Chunk>, Option<Chunk>) {
    match work {
        Work::Forward(chunk) => (Some(chunk), None, None),
        Work::Backward(chunk) => (None, Some(chunk), Some(chunk)),
        Work::BackwardInput(chunk) => (None, Some(chunk), None),
        Work::BackwardWeight(chunk) => (None, None, Some(chunk)),
        Work::Pair { forward, backward } => (Some(forward), Some(backward), Some(backward)),
    }
}

/// Runs the schedule to its end.
pub(super) fn run(schedule: &Schedule, durations: Durations) -> Seen {
    let ranks = schedule.pipeline as usize;
    assert_eq!(schedule.order.len(), ranks, "one order per rank");
    let last = schedule.stages() - 1;
    let (mut forward, mut input, mut weight) = (Ends::new(), Ends::new(), Ends::new());
    let mut next = vec![0; ranks];
    let mut clock = vec![0u64; ranks];
    let mut busy = vec![0u64; ranks];
    loop {
        let mut moved = false;
        for rank in 0..ranks {
            while let Some(&work) = schedule.order[rank].get(next[rank]) {
                let stage = |chunk: Chunk| {
                    let stage = schedule.stage_of(rank as u32, chunk.local);
                    let holder = schedule.holder(stage, chunk.micro_batch);
                    assert_eq!(
                        holder,
                        (rank as u32, chunk.local),
                        "not held here: {work:?}"
                    );
                    (stage, chunk.micro_batch)
                };
                // A message takes a hop unless it stays on the rank.
                let arrival = |ends: &Ends, stage: u32, micro_batch: u32| {
                    let from = schedule.holder(stage, micro_batch).0 as usize;
                    let hop = if from == rank { 0 } else { durations.hop };
                    ends.get(&(stage, micro_batch)).map(|end| end + hop)
                };
                let (f, b, w) = parts(work);
                let mut ready = Some(clock[rank]);
                let mut wait = |arrived: Option<u64>| {
                    ready = ready.zip(arrived).map(|(a, b)| a.max(b));
                };
                if let Some((stage, micro_batch)) = f.map(stage)
                    && stage > 0
                {
                    wait(arrival(&forward, stage - 1, micro_batch));
                }
                if let Some((stage, micro_batch)) = b.map(stage) {
                    assert!(
                        forward.contains_key(&(stage, micro_batch)),
                        "backward before its forward on rank {rank}: {work:?}"
                    );
                    if stage < last {
                        wait(arrival(&input, stage + 1, micro_batch));
                    }
                }
                let Some(start) = ready else { break };
                let length = match work {
                    Work::Forward(_) => durations.forward,
                    Work::Backward(_) => durations.input + durations.weight,
                    Work::BackwardInput(_) => durations.input,
                    Work::BackwardWeight(_) => durations.weight,
                    Work::Pair { .. } => durations.pair,
                };
                let end = start + length;
                for (chunk, ends, pass) in [
                    (f, &mut forward, "forward"),
                    (b, &mut input, "backward"),
                    (w, &mut weight, "weight gradient"),
                ] {
                    if let Some(chunk) = chunk {
                        let twice = ends.insert(stage(chunk), end).is_some();
                        assert!(!twice, "second {pass} on rank {rank}: {work:?}");
                    }
                }
                if let Some(chunk) = w {
                    assert!(
                        input.contains_key(&stage(chunk)),
                        "weight gradient before its input gradient on rank {rank}: {work:?}"
                    );
                }
                clock[rank] = end;
                busy[rank] += length;
                next[rank] += 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    for (rank, &done) in next.iter().enumerate() {
        assert_eq!(
            done,
            schedule.order[rank].len(),
            "deadlock: rank {rank} waits at {:?}",
            schedule.order[rank][done]
        );
    }
    let all = (schedule.stages() * schedule.micro_batches) as usize;
    for ends in [&forward, &input, &weight] {
        assert_eq!(ends.len(), all, "a micro-batch missed a stage");
    }
    check_channels(schedule);
    Seen {
        makespan: clock.iter().copied().max().unwrap_or(0),
        busy,
    }
}

/// Messages into each chunk and pass are sent in the order in which they are used.
fn check_channels(schedule: &Schedule) {
    let mut sent: BTreeMap<(u32, u8, bool), Vec<u32>> = BTreeMap::new();
    let mut used = sent.clone();
    for (rank, order) in (0..).zip(schedule.order.iter()) {
        for &work in order {
            let (f, b, _) = parts(work);
            if let Some(chunk) = f {
                if let Some((to, local)) = schedule.next(rank, chunk) {
                    let channel = sent.entry((to, local, true)).or_default();
                    channel.push(chunk.micro_batch);
                }
                if schedule.previous(rank, chunk).is_some() {
                    let channel = used.entry((rank, chunk.local, true)).or_default();
                    channel.push(chunk.micro_batch);
                }
            }
            if let Some(chunk) = b {
                if let Some((to, local)) = schedule.previous(rank, chunk) {
                    let channel = sent.entry((to, local, false)).or_default();
                    channel.push(chunk.micro_batch);
                }
                if schedule.next(rank, chunk).is_some() {
                    let channel = used.entry((rank, chunk.local, false)).or_default();
                    channel.push(chunk.micro_batch);
                }
            }
        }
    }
    assert_eq!(
        sent, used,
        "messages arrive in another order than they are used"
    );
}
