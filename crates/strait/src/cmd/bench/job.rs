//! The job that `strait bench` times the executor on.
//!
//! In: nothing. Out: 2,048 ranks of a 1F1B pipeline with expert exchanges, about 14 M ops.
//! Never changes: figures of different versions would not compare.

use strait_sim::{Block, EntryWait, Instruction, Job, Kind, Peer, Program, RankSpec, Slot, Wait};
use strait_units::Time;

const STAGES: u32 = 16;
const REPLICAS: u32 = 128;
const EXPERT: u32 = 64;
const BATCHES: u32 = 120;
const LAYERS: usize = 4;

fn op(kind: Kind, micros: f64, wait: Option<(u8, usize)>) -> Instruction {
    let wait = wait.map(|(stream, count)| Wait {
        stream,
        count: count as u16,
    });
    Instruction {
        kind,
        base: Time::from_micros(micros),
        waits: [wait, None],
        busy: 0,
        idle: 0,
        load: 0,
        label: 0,
    }
}

/// Computations on stream 0 around exchanges on stream 1, each waiting for the other; a send
/// to `peer` at the end, in the background.
fn chunk(window: u8, computes: [usize; 3], peer: Option<u8>) -> Block {
    let (mut compute, mut exchange) = (Vec::new(), Vec::new());
    for _ in 0..LAYERS {
        for (part, count) in computes.into_iter().enumerate() {
            for index in 0..count {
                let first = index == 0 && !exchange.is_empty();
                let wait = first.then_some((1, exchange.len()));
                let mut local = op(Kind::Local, 40.0 + 7.0 * index as f64, wait);
                (local.busy, local.idle) = ((index % 6) as u8, part as u8);
                compute.push(local);
            }
            if part < 2 {
                let collective = Kind::Collective { group: 0 };
                exchange.push(op(collective, 150.0, Some((0, compute.len()))));
            }
        }
    }
    let wait = Some((0, compute.len()));
    let send = peer.map(|peer| op(Kind::Send { peer }, 40.0, wait));
    Block {
        window,
        streams: vec![compute, exchange, send.into_iter().collect()],
        drains: false,
    }
}

fn program(stage: u32) -> Program {
    let forward = chunk(0, [2, 1, 1], (stage + 1 < STAGES).then_some(0));
    let backward = chunk(1, [2, 2, 2], (stage > 0).then_some(1));
    let reduce = op(Kind::Collective { group: 1 }, 3000.0, None);
    let last = Block {
        window: 2,
        streams: vec![vec![reduce]],
        drains: true,
    };
    let (mut forwards, mut backwards) = (0, 0);
    let warmup = (STAGES - stage - 1).min(BATCHES);
    let mut slots = Vec::new();
    while backwards < BATCHES {
        let ahead = forwards < BATCHES && forwards <= backwards + warmup;
        let (count, channel, feeds) = if ahead {
            (&mut forwards, 0, stage > 0)
        } else {
            (&mut backwards, 1, stage + 1 < STAGES)
        };
        *count += 1;
        let entry = EntryWait {
            channel,
            count: *count,
        };
        slots.push(Slot {
            block: u32::from(!ahead),
            keys: [*count - 1, 0],
            entry: [feeds.then_some(entry), None],
        });
    }
    slots.push(Slot {
        block: 2,
        keys: [0, 0],
        entry: [None, None],
    });
    Program {
        blocks: vec![forward, backward, last],
        slots,
        foreground: 2,
        channels: 2,
    }
}

fn rank(rank: u32) -> RankSpec {
    let (stage, replica) = (rank / REPLICAS, rank % REPLICAS);
    let mut groups = [u32::MAX; 8];
    groups[0] = rank / EXPERT;
    groups[1] = stage;
    let peer = |stage: u32, channel| Peer {
        rank: stage.min(STAGES - 1) * REPLICAS + replica,
        channel,
    };
    RankSpec {
        program: stage,
        groups,
        peers: vec![peer(stage + 1, 0), peer(stage.saturating_sub(1), 1)],
    }
}

/// 1F1B of four layers a stage.
pub fn one_forward_one_backward() -> Job {
    Job {
        programs: (0..STAGES).map(program).collect(),
        ranks: (0..STAGES * REPLICAS).map(rank).collect(),
    }
}
