//! The engine's semantics on jobs small enough to work out by hand.

use std::sync::atomic::AtomicBool;
use strait_sim::{
    BaseTiming, Block, Engine, EngineError, EntryWait, Instruction, Job, Kind, Lanes, Mode, Peer,
    Program, RankSpec, Refusal, Run, Slot, Unobserved, Wait, Waiting,
};
use strait_units::Time;

fn op(kind: Kind, picos: u64, waits: &[(u8, u16)]) -> Instruction {
    let wait = |i: usize| waits.get(i).map(|&(stream, count)| Wait { stream, count });
    Instruction {
        kind,
        base: Time::from_picos(picos),
        waits: [wait(0), wait(1)],
        busy: 0,
        idle: 1,
        load: 0,
        label: 0,
    }
}

fn local(picos: u64) -> Instruction {
    op(Kind::Local, picos, &[])
}

fn block(window: u8, streams: Vec<Vec<Instruction>>) -> Block {
    Block {
        window,
        streams,
        drains: false,
    }
}

fn slot(block: u32, entry: &[(u8, u32)]) -> Slot {
    let wait = |i: usize| (entry.get(i)).map(|&(channel, count)| EntryWait { channel, count });
    Slot {
        block,
        keys: [0, 0],
        entry: [wait(0), wait(1)],
    }
}

fn program(foreground: u8, blocks: Vec<Block>, slots: Vec<Slot>) -> Program {
    let blocks = blocks.into_iter().map(Into::into).collect();
    Program {
        blocks,
        slots,
        foreground,
        channels: 1,
    }
}

fn rank(program: u32, group: u32, peers: &[u32]) -> RankSpec {
    let mut groups = [u32::MAX; 8];
    groups[0] = group;
    RankSpec {
        program,
        groups,
        peers: peers
            .iter()
            .map(|&rank| Peer { rank, channel: 0 })
            .collect(),
    }
}

fn try_run(job: &Job, mode: Mode) -> Result<Run, EngineError> {
    let go_on = AtomicBool::new(false);
    Engine::new(mode).run(job, &BaseTiming, &mut Unobserved, &go_on, &|_| {})
}

fn try_lanes(job: &Job) -> Result<Run, EngineError> {
    let go_on = AtomicBool::new(false);
    Lanes.run(job, &BaseTiming, &mut Unobserved, &go_on, &|_| {})
}

fn run(job: &Job) -> Run {
    let fused = try_run(job, Mode::Runs).unwrap();
    let lanes = try_lanes(job).unwrap();
    assert_eq!(fused.accounts, lanes.accounts);
    assert_eq!((fused.end, &fused.finish), (lanes.end, &lanes.finish));
    assert_eq!(fused.ops, lanes.ops);
    let plain = try_run(job, Mode::EveryOp).unwrap();
    assert_eq!(fused.accounts, plain.accounts);
    assert_eq!((fused.end, &fused.finish), (plain.end, &plain.finish));
    assert_eq!(fused.ops, plain.ops);
    for accounts in &fused.accounts {
        assert!(accounts.conserve(fused.end), "{accounts:?}");
    }
    fused
}

fn ps(picos: u64) -> Time {
    Time::from_picos(picos)
}

#[test]
fn nothing_ends_at_once() {
    let run = run(&Job::default());
    assert_eq!((run.end, run.ops, run.events), (ps(0), 0, 0));
}

#[test]
fn locals_in_a_row_are_one_event() {
    let job = Job {
        programs: vec![program(
            1,
            vec![block(0, vec![vec![local(1), local(2), local(3)]])],
            vec![slot(0, &[]), slot(0, &[])],
        )],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!((run.end, run.ops, run.events), (ps(12), 6, 2));
    assert_eq!(run.accounts[0].busy[0], ps(12));
    assert_eq!(run.accounts[0].blocks[0], 2);
}

#[test]
fn a_wait_holds_a_stream_and_its_idle_time_is_booked() {
    // Stream 0: 5, then (after both of stream 1) 7. Stream 1: 4, then (after 1 of stream 0) 6.
    let job = Job {
        programs: vec![program(
            2,
            vec![block(
                2,
                vec![
                    vec![local(5), op(Kind::Local, 7, &[(1, 2)])],
                    vec![local(4), op(Kind::Local, 6, &[(0, 1)])],
                ],
            )],
            vec![slot(0, &[])],
        )],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!(run.end, ps(18));
    let accounts = &run.accounts[0];
    assert_eq!((accounts.busy[0], accounts.idle[1]), (ps(12), ps(6)));
    assert_eq!(accounts.window[2], ps(18));
}

#[test]
fn idle_at_the_end_of_a_block_is_the_last_streams() {
    let mut slow = local(9);
    slow.idle = 3;
    let job = Job {
        programs: vec![program(
            3,
            vec![block(0, vec![vec![local(5)], vec![local(6)], vec![slow]])],
            vec![slot(0, &[])],
        )],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!(run.accounts[0].idle[3], ps(4));
}

#[test]
fn a_collective_starts_with_its_last_member() {
    let job = Job {
        programs: (0..2)
            .map(|i| {
                let list = vec![
                    local(10 * (i + 1)),
                    op(Kind::Collective { group: 0 }, 7, &[]),
                ];
                program(1, vec![block(0, vec![list])], vec![slot(0, &[])])
            })
            .collect(),
        ranks: vec![rank(0, 5, &[]), rank(1, 5, &[]), rank(0, 2, &[])].into(),
    };
    // Group indices may have holes but stay below the number of ranks.
    let error = try_run(&job, Mode::Runs).unwrap_err();
    assert!(matches!(error, EngineError::Job(_)), "{error}");

    let mut job = job;
    job.ranks[0].groups[0] = 1;
    job.ranks[1].groups[0] = 1;
    let run = run(&job);
    assert_eq!(run.finish, [ps(27), ps(27), ps(17)]);
    assert_eq!(run.accounts[0].idle[1], ps(10));
    assert_eq!(run.accounts[0].busy[0], ps(17));
    assert_eq!(run.accounts[1].idle[1], ps(0));
}

#[test]
fn a_message_opens_a_slot_and_its_transfer_is_told_from_the_bubble() {
    // Rank 0 computes 20, sends for 8. Rank 1's first block needs nothing and takes 3.
    let sender = program(
        1,
        vec![block(
            0,
            vec![vec![local(20), op(Kind::Send { peer: 0 }, 8, &[])]],
        )],
        vec![slot(0, &[])],
    );
    let receiver = program(
        1,
        vec![
            block(0, vec![vec![local(3)]]),
            block(1, vec![vec![local(5)]]),
        ],
        vec![slot(0, &[]), slot(1, &[(0, 1)])],
    );
    let job = Job {
        programs: vec![sender, receiver],
        ranks: vec![rank(0, 0, &[1]), rank(1, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!(run.finish, [ps(28), ps(33)]);
    let accounts = &run.accounts[1];
    assert_eq!(accounts.gaps[1], ps(25));
    assert_eq!(accounts.gap_transfers[1], ps(8));
    assert_eq!(accounts.first_open[1], ps(28));
    assert_eq!(accounts.last_close, {
        let mut close = [Time::ZERO; 8];
        (close[0], close[1]) = (ps(3), ps(33));
        close
    });
}

#[test]
fn background_streams_lag_until_a_block_drains() {
    // Foreground 2 a slot, background 5 a slot: three slots end at 6 and 15.
    let work = block(0, vec![vec![local(2)], vec![local(5)]]);
    let mut last = block(1, vec![vec![local(1)]]);
    let slots = vec![slot(0, &[]), slot(0, &[]), slot(0, &[]), slot(1, &[])];
    let job = |last: Block| Job {
        programs: vec![program(1, vec![work.clone(), last], slots.clone())],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let lagging = run(&job(last.clone()));
    assert_eq!(lagging.accounts[0].last_close[1], ps(7));
    assert_eq!((lagging.end, lagging.finish[0]), (ps(15), ps(15)));
    last.drains = true;
    let drained = run(&job(last));
    assert_eq!(drained.accounts[0].last_close[1], ps(16));
    assert_eq!(drained.accounts[0].gaps[1], ps(9));
    assert_eq!(drained.accounts[0].gap_transfer(), ps(0));
}

#[test]
fn background_waits_hold_on_a_closed_block() {
    // The second background list waits for its block's foreground, closed long ago.
    let work = block(0, vec![vec![local(2)], vec![op(Kind::Local, 5, &[(0, 1)])]]);
    let job = Job {
        programs: vec![program(1, vec![work], vec![slot(0, &[]); 3])],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    assert_eq!(run(&job).end, ps(17));
}

#[test]
fn foreground_may_wait_for_a_lagging_background() {
    let work = block(
        0,
        vec![
            vec![local(2), op(Kind::Local, 1, &[(1, 1)])],
            vec![local(5), local(5)],
        ],
    );
    // Background: 0-5-10, then slot 1 from 10. Foreground: 2, waits to 5, 6 closes; 8, waits to 15.
    let job = Job {
        programs: vec![program(1, vec![work], vec![slot(0, &[]); 2])],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!(run.accounts[0].last_close[0], ps(16));
    assert_eq!(run.end, ps(20));
    assert_eq!(run.accounts[0].idle[1], ps(3 + 7));
}

#[test]
fn empty_blocks_pass() {
    let blocks = vec![block(0, vec![]), block(1, vec![vec![], vec![local(4)]])];
    let slots = vec![slot(0, &[]), slot(1, &[]), slot(0, &[]), slot(1, &[])];
    let job = Job {
        programs: vec![program(1, blocks, slots)],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!((run.end, run.ops), (ps(8), 2));
    assert_eq!(run.accounts[0].closed(), ps(0));
    assert_eq!(run.accounts[0].blocks[..2], [2, 2]);
}

#[test]
fn a_ring_of_sends_passes_a_token() {
    let blocks = vec![block(
        0,
        vec![vec![local(3), op(Kind::Send { peer: 0 }, 2, &[])]],
    )];
    let first = program(1, blocks.clone(), vec![slot(0, &[]), slot(0, &[(0, 1)])]);
    let other = program(1, blocks, vec![slot(0, &[(0, 1)]), slot(0, &[(0, 2)])]);
    let job = Job {
        programs: vec![first, other],
        ranks: (0..4)
            .map(|r| rank(u32::from(r > 0), 0, &[(r + 1) % 4]))
            .collect(),
    };
    assert_eq!(run(&job).end, ps(8 * 5));
}

#[test]
fn deadlocks_say_who_waits_for_what() {
    let waits_for_nobody = program(
        1,
        vec![block(
            0,
            vec![vec![op(Kind::Collective { group: 0 }, 7, &[])]],
        )],
        vec![slot(0, &[]), slot(0, &[(0, 3)])],
    );
    let crossed = program(
        2,
        vec![block(
            0,
            vec![
                vec![op(Kind::Local, 1, &[(1, 1)])],
                vec![op(Kind::Local, 1, &[(0, 1)])],
            ],
        )],
        vec![slot(0, &[])],
    );
    let job = Job {
        programs: vec![waits_for_nobody, crossed],
        // Rank 0 waits for a message; rank 1 for its partner, which never comes there.
        ranks: vec![rank(0, 0, &[]), rank(0, 1, &[]), rank(1, 1, &[])].into(),
    };
    let Err(EngineError::Deadlock {
        unfinished, stuck, ..
    }) = try_run(&job, Mode::Runs)
    else {
        panic!("no deadlock");
    };
    assert_eq!(unfinished, 3);
    assert_eq!(
        stuck[0].waiting,
        [Waiting::Messages {
            channel: 0,
            arrived: 0,
            needed: 3
        }]
    );
    assert!(matches!(
        stuck[1].waiting[..],
        [Waiting::Members {
            arrived: 1,
            members: 2,
            ..
        }]
    ));
    assert_eq!(stuck[2].waiting.len(), 2);
    let message = try_run(&job, Mode::Runs).unwrap_err().to_string();
    assert!(message.contains("3 of 3 ranks"), "{message}");
    assert!(message.contains("rank 0 in slot 1"), "{message}");
    assert_eq!(try_lanes(&job).unwrap_err().to_string(), message);
}

#[test]
fn overflow_is_an_error() {
    let job = Job {
        programs: vec![program(
            1,
            vec![block(0, vec![vec![local(u64::MAX / 2); 3]])],
            vec![slot(0, &[])],
        )],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    for mode in [Mode::Runs, Mode::EveryOp] {
        let error = try_run(&job, mode).unwrap_err();
        assert!(matches!(error, EngineError::Overflow), "{error}");
    }
    let error = try_lanes(&job).unwrap_err();
    assert!(matches!(error, EngineError::Overflow), "{error}");
}

/// A receiver far behind its sender, which its own messages hold up: no bound on how far a
/// set may run ahead may stop this.
#[test]
fn lanes_run_as_far_ahead_as_it_takes() {
    let many = 50;
    let send = || op(Kind::Send { peer: 0 }, 2, &[]);
    let sender = program(
        1,
        vec![
            block(0, vec![vec![send()], vec![local(9)]]),
            block(0, vec![vec![op(Kind::Collective { group: 0 }, 1, &[])]]),
        ],
        (0..many)
            .map(|_| slot(0, &[]))
            .chain([slot(1, &[])])
            .collect(),
    );
    let receiver = program(
        1,
        vec![
            block(0, vec![vec![op(Kind::Collective { group: 0 }, 1, &[])]]),
            block(0, vec![vec![local(1)]]),
        ],
        [slot(0, &[])]
            .into_iter()
            .chain((1..=many).map(|n| slot(1, &[(0, n)])))
            .collect(),
    );
    let job = Job {
        programs: vec![sender, receiver],
        ranks: vec![rank(0, 0, &[1]), rank(1, 0, &[])].into(),
    };
    let run = run(&job);
    assert_eq!(run.finish, [ps(450), ps(151)]);
}

#[test]
fn lanes_refuse_a_channel_that_two_feed() {
    let send = block(0, vec![vec![op(Kind::Send { peer: 0 }, 2, &[])]]);
    let sender = program(1, vec![send], vec![slot(0, &[])]);
    let receiver = |count| {
        let work = block(0, vec![vec![local(1)]]);
        program(1, vec![work], vec![slot(0, &[(0, count)])])
    };
    let job = |count| Job {
        programs: vec![sender.clone(), receiver(count)],
        ranks: vec![rank(0, 0, &[2]), rank(0, 0, &[2]), rank(1, 0, &[])].into(),
    };
    let error = try_lanes(&job(2)).unwrap_err();
    let refusal = Refusal::SharedChannel {
        rank: 2,
        channel: 0,
    };
    assert!(matches!(error, EngineError::Refused(r) if r == refusal));
    let go_on = AtomicBool::new(false);
    let either = strait_sim::run(&job(2), &BaseTiming, &mut Unobserved, &go_on, &|_| {});
    assert_eq!(either.unwrap(), try_run(&job(2), Mode::Runs).unwrap());
    // If nobody waits for them, messages do not matter.
    assert_eq!(run(&job(0)).end, ps(2));
}

#[test]
fn cancel_is_heard_and_progress_reported() {
    let job = Job {
        programs: vec![program(
            1,
            vec![block(0, vec![vec![local(1); 100]])],
            vec![slot(0, &[]); 4000],
        )],
        ranks: vec![rank(0, 0, &[])].into(),
    };
    let engine = Engine::new(Mode::EveryOp);
    let go_on = AtomicBool::new(false);
    let shares = std::cell::RefCell::new(Vec::new());
    let progress = |share| shares.borrow_mut().push(share);
    engine
        .run(&job, &BaseTiming, &mut Unobserved, &go_on, &progress)
        .unwrap();
    let shares = shares.into_inner();
    assert_eq!(shares.len(), 1);
    assert!((shares[0] - 262_144.0 / 400_000.0).abs() < 0.001);
    let stop = AtomicBool::new(true);
    let error = engine
        .run(&job, &BaseTiming, &mut Unobserved, &stop, &|_| {})
        .unwrap_err();
    assert!(matches!(error, EngineError::Cancelled));
    let shares = std::cell::RefCell::new(Vec::new());
    let progress = |share| shares.borrow_mut().push(share);
    Lanes
        .run(&job, &BaseTiming, &mut Unobserved, &go_on, &progress)
        .unwrap();
    let shares = shares.into_inner();
    assert_eq!(shares.len(), 1);
    assert!((shares[0] - 262_144.0 / 400_000.0).abs() < 0.001);
    let error = Lanes
        .run(&job, &BaseTiming, &mut Unobserved, &stop, &|_| {})
        .unwrap_err();
    assert!(matches!(error, EngineError::Cancelled));
}
