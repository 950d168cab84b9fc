//! Jobs that executors are timed on.
//!
//! In: sizes. Out: [`Job`]s of synthetic ranks. Never change: figures of different versions
//! would not compare.

use strait_sim::{Block, EntryWait, Instruction, Job, Kind, Peer, Program, RankSpec, Slot, Wait};
use strait_units::Time;

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

/// Computations on stream 0 around exchanges on stream 1, each waiting for the other;
/// a send to `peer` at the end on stream 2, in the background.
fn layers(window: u8, layers: usize, computes: [usize; 3], peer: Option<u8>) -> Block {
    let [before, between, after] = computes;
    let (mut compute, mut exchange) = (Vec::new(), Vec::new());
    for _ in 0..layers {
        for (part, count) in [before, between, after].into_iter().enumerate() {
            for i in 0..count {
                let wait = (i == 0 && !exchange.is_empty()).then_some((1, exchange.len()));
                let mut local = op(Kind::Local, 40.0 + 7.0 * i as f64, wait);
                (local.busy, local.idle) = ((i % 6) as u8, part as u8);
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

/// All ranks of a pipeline: stage by stage, `replicas` each, exchanging in groups of `expert`.
fn ranks(stages: u32, replicas: u32, expert: u32) -> Vec<RankSpec> {
    let spec = |rank: u32| {
        let (stage, replica) = (rank / replicas, rank % replicas);
        let mut groups = [u32::MAX; 8];
        groups[0] = rank / expert;
        groups[1] = stage;
        let peer = |stage: u32, channel| Peer {
            rank: stage.min(stages - 1) * replicas + replica,
            channel,
        };
        RankSpec {
            program: stage,
            groups,
            peers: vec![peer(stage + 1, 0), peer(stage.saturating_sub(1), 1)],
        }
    };
    (0..stages * replicas).map(spec).collect()
}

/// 1F1B: four layers a stage, `replicas` ranks each, exchanges among `expert` of them; forward 4 computations and 2 exchanges a layer, backward 6 and 2.
pub fn one_forward_one_backward(stages: u32, replicas: u32, expert: u32, batches: u32) -> Job {
    let program = |stage: u32| {
        let forward = layers(0, 4, [2, 1, 1], (stage + 1 < stages).then_some(0));
        let backward = layers(1, 4, [2, 2, 2], (stage > 0).then_some(1));
        let reduce = op(Kind::Collective { group: 1 }, 3000.0, None);
        let last = Block {
            window: 2,
            streams: vec![vec![reduce]],
            drains: true,
        };
        let (mut forwards, mut backwards) = (0, 0);
        let warmup = (stages - stage - 1).min(batches);
        let mut slots = Vec::new();
        while backwards < batches {
            let is_forward = forwards < batches && forwards <= backwards + warmup;
            let (count, channel, feeds) = match is_forward {
                true => (&mut forwards, 0, stage > 0),
                false => (&mut backwards, 1, stage + 1 < stages),
            };
            *count += 1;
            let entry = EntryWait {
                channel,
                count: *count,
            };
            slots.push(Slot {
                block: u32::from(!is_forward),
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
            blocks: vec![forward.into(), backward.into(), last.into()],
            slots,
            foreground: 2,
            channels: 2,
        }
    };
    Job {
        programs: (0..stages).map(program).collect(),
        ranks: ranks(stages, replicas, expert).into(),
    }
}

/// Blocks of 120 computations and 8 exchanges that overlap with them.
pub fn long_blocks(stages: u32, replicas: u32, expert: u32, batches: u32) -> Job {
    let block = || {
        let mut compute: Vec<_> = (0..120)
            .map(|i| op(Kind::Local, 10.0 + (i % 7) as f64 * 5.0, None))
            .collect();
        for (i, local) in compute.iter_mut().enumerate() {
            local.busy = (i / 5 % 10) as u8;
        }
        let mut exchange = Vec::new();
        for i in 0..8 {
            // Needs what was computed 15 instructions a piece, is needed 12 later.
            exchange.push(op(
                Kind::Collective { group: 0 },
                200.0,
                Some((0, 15 * i + 3)),
            ));
            compute[15 * i + 14].waits[0] = Some(Wait {
                stream: 1,
                count: i as u16 + 1,
            });
        }
        Block {
            window: 0,
            streams: vec![compute, exchange],
            drains: false,
        }
    };
    let slot = |batch| Slot {
        block: 0,
        keys: [batch, 0],
        entry: [None, None],
    };
    let program = Program {
        blocks: vec![block().into()],
        slots: (0..batches).map(slot).collect(),
        foreground: 2,
        channels: 2,
    };
    Job {
        programs: vec![program; stages as usize],
        ranks: ranks(stages, replicas, expert).into(),
    }
}
