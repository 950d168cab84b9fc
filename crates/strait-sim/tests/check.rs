//! Jobs that are not well formed: each fault is named, with its place, before anything runs.

use strait_sim::{
    Block, EntryWait, Instruction, Job, JobError, Kind, Peer, Program, RankSpec, Slot, Wait,
};
use strait_units::Time;

fn op(kind: Kind) -> Instruction {
    Instruction {
        kind,
        base: Time::from_picos(1),
        waits: [None, None],
        busy: 0,
        idle: 0,
        load: 0,
        label: 0,
    }
}

/// Two ranks of one program, with every kind of instruction.
fn sound() -> Job {
    let block = Block {
        window: 0,
        streams: vec![
            vec![op(Kind::Local), op(Kind::Collective { group: 0 })],
            vec![op(Kind::Send { peer: 0 })],
        ],
        drains: false,
    };
    let slot = Slot {
        block: 0,
        keys: [0, 0],
        entry: [None, None],
    };
    let program = Program {
        blocks: vec![block.clone().into(), block.into()],
        slots: vec![slot; 2],
        foreground: 2,
        channels: 1,
    };
    let rank = |other| {
        let mut groups = [u32::MAX; 8];
        groups[0] = 0;
        RankSpec {
            program: 0,
            groups,
            peers: vec![Peer {
                rank: other,
                channel: 0,
            }],
        }
    };
    Job {
        programs: vec![program],
        ranks: vec![rank(1), rank(0)].into(),
    }
}

/// The error after one change to a sound job.
fn check(change: impl Fn(&mut Job)) -> String {
    let mut job = sound();
    assert_eq!(job.check(), Ok(()));
    change(&mut job);
    job.check()
        .expect_err("the change should be refused")
        .to_string()
}

fn first(job: &mut Job) -> &mut Instruction {
    &mut job.programs[0].blocks[1].streams[0][0]
}

#[test]
fn indices_are_in_range() {
    type Change = dyn Fn(&mut Job);
    let cases: [(&str, &Change); 12] = [
        ("rank 1: program 7 of 1", &|job| job.ranks[1].program = 7),
        ("program 0: block of a slot 2 of 2", &|job| {
            job.programs[0].slots[1].block = 2;
        }),
        ("program 0: channel of a slot's entry 1 of 1", &|job| {
            let entry = EntryWait {
                channel: 1,
                count: 1,
            };
            job.programs[0].slots[1].entry[1] = Some(entry);
        }),
        ("program 0, block 1: window 8 of 8", &|job| {
            job.programs[0].blocks[1].window = 8;
        }),
        (
            "program 0, block 1, stream 0, instruction 0: busy account 24 of 24",
            &|job| first(job).busy = 24,
        ),
        (
            "program 0, block 1, stream 0, instruction 0: idle account 24 of 24",
            &|job| first(job).idle = 24,
        ),
        (
            "program 0, block 1, stream 0, instruction 0: group kind 8 of 8",
            &|job| first(job).kind = Kind::Collective { group: 8 },
        ),
        (
            "program 0, block 1, stream 0, instruction 0: stream of a wait 4 of 4",
            &|job| {
                first(job).waits[1] = Some(Wait {
                    stream: 4,
                    count: 0,
                });
            },
        ),
        ("rank 0: peer of a send 1 of 1", &|job| {
            first(job).kind = Kind::Send { peer: 1 };
        }),
        ("rank 0: peer rank 2 of 2", &|job| {
            job.ranks[0].peers[0].rank = 2;
        }),
        ("rank 0: channel of a peer 1 of 1", &|job| {
            job.ranks[0].peers[0].channel = 1;
        }),
        ("rank 1: group 2 of 2", &|job| job.ranks[1].groups[3] = 2),
    ];
    for (expected, change) in cases {
        assert_eq!(check(change), expected);
    }
}

#[test]
fn waits_are_for_other_streams_and_within_their_lists() {
    let wait = |stream, count| check(|job| first(job).waits[0] = Some(Wait { stream, count }));
    let place = "program 0, block 1, stream 0, instruction 0";
    assert_eq!(wait(0, 1), format!("{place}: waits for its own stream"));
    let expected = format!("{place}: waits for 2 instructions of stream 1, which has 1");
    assert_eq!(wait(1, 2), expected);
    let expected = format!("{place}: waits for 1 instructions of stream 3, which has 0");
    assert_eq!(wait(3, 1), expected);
}

#[test]
fn collectives_of_a_kind_are_on_one_stream() {
    let message = check(|job| {
        job.programs[0].blocks[1].streams[1].push(op(Kind::Collective { group: 0 }));
    });
    assert!(
        message.contains("group kind 0 are on streams [0, 1]"),
        "{message}"
    );
    // Also across the programs of a group's members.
    let message = check(|job| {
        let mut other = job.programs[0].clone();
        for block in &mut other.blocks {
            block.streams.swap(0, 1);
        }
        job.programs.push(other);
        job.ranks[1].program = 1;
    });
    assert!(message.contains("(rank 1)"), "{message}");
}

#[test]
fn sizes_have_limits() {
    let message = check(|job| {
        job.programs[0].blocks[0].streams[0] = vec![op(Kind::Local); 65_536];
    });
    assert!(message.contains("65536 is more than 65535"), "{message}");
    let message = check(|job| job.programs[0].blocks[0].streams = vec![vec![]; 5]);
    assert_eq!(message, "streams of a block: 5 is more than 4");
    assert_eq!(
        check(|job| job.programs[0].foreground = 5),
        "foreground streams: 5 is more than 4"
    );
    assert_eq!(
        check(|job| job.programs[0].foreground = 0),
        "program 0 has no foreground stream"
    );
}

#[test]
fn a_rank_has_the_groups_it_meets_in() {
    let mut job = sound();
    job.ranks[1].groups[0] = u32::MAX;
    assert_eq!(job.check(), Err(JobError::NoGroup { rank: 1, kind: 0 }));
}
