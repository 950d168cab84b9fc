//! Folded jobs against full ones, on random jobs with a few ranks of other colours.

use crate::jobs::{self, Shape};
use crate::{Recorder, engine, same, shapes};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use strait_sim::queue::WheelQueue;
use strait_sim::random::Key;
use strait_sim::{
    BaseTiming, Fold, FoldMemo, FoldedRun, Instruction, JitteredTiming, Job, Kind, Mode, RankSpec,
    Run, Site, Timing, Unfoldable, Unobserved,
};
use strait_units::{Ratio, Time};

/// Ticks that differ by colour and place, but not by slot.
struct Coloured {
    key: Key,
    /// One rank in so many has a colour of its own; none if zero.
    odd: u32,
    /// Groups differ too.
    groups: bool,
}

impl Coloured {
    fn of(&self, rank: u32) -> u64 {
        let chosen = self.odd > 0
            && self
                .key
                .at(u64::from(rank))
                .word()
                .is_multiple_of(u64::from(self.odd));
        u64::from(chosen)
    }

    fn of_group(&self, group: u32, members: &[u32]) -> u64 {
        let odd: u64 = members.iter().map(|rank| self.of(*rank)).sum();
        if self.groups {
            2 * odd + u64::from(group % 2)
        } else {
            0
        }
    }

    fn ticks(&self, colour: u64, site: Site<'_>, instruction: &Instruction) -> Time {
        let key = self.key.purpose("ticks").entity(colour);
        let key = key.entity(site.slot.block.into());
        let key = key.entity(site.stream.into()).entity(site.index.into());
        Time::from_picos(instruction.base.picos() + key.word() % 4)
    }
}

impl Timing for Coloured {
    fn colour(&self, rank: u32) -> Option<u64> {
        Some(self.of(rank))
    }

    fn group_colour(&self, kind: u8, group: u32, members: &[u32]) -> Option<u64> {
        Some(u64::from(kind) << 32 | self.of_group(group, members))
    }

    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        self.ticks(self.of(rank), site, instruction)
    }

    fn collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        self.ticks(100 + self.of_group(group, members), site, instruction)
    }
}

fn run<T: Timing>(fold: &Fold<'_, T>) -> FoldedRun {
    let go_on = AtomicBool::new(false);
    fold.run(&mut Unobserved, &go_on, &|_| {}).unwrap()
}

/// Says whether it was folded.
fn agree(job: &Job, timing: &impl Timing) -> bool {
    let mut expected = Recorder::default();
    let full = engine::<WheelQueue>(job, timing, Mode::EveryOp, &mut expected);
    let plain = match Fold::plain(job, timing) {
        Ok(plain) => plain,
        Err(Unfoldable::Refused(_) | Unfoldable::Speaker { .. }) => return false,
        Err(other) => panic!("{other}"),
    };
    let mut recorder = Recorder::default();
    let go_on = AtomicBool::new(false);
    let run_of = plain.run(&mut recorder, &go_on, &|_| {}).unwrap();
    same(&run_of.expand(), &full, "plain");
    for (rank, class) in run_of.of.iter().enumerate() {
        let spans = |recorder: &Recorder, rank: usize| -> BTreeMap<_, _> {
            let of_rank = recorder.spans.range((rank, 0, 0, 0)..(rank + 1, 0, 0, 0));
            of_rank
                .map(|(at, times)| ((at.1, at.2, at.3), *times))
                .collect()
        };
        let representative = run_of.classes[*class as usize].representative as usize;
        assert_eq!(spans(&recorder, representative), spans(&expected, rank));
    }
    let fold = Fold::new(job, timing).unwrap();
    let mut recorder = Recorder::default();
    let condensed = fold.run(&mut recorder, &go_on, &|_| {}).unwrap();
    same(&condensed.expand(), &full, "condensed");
    let told = (recorder.blocks.iter()).map(|b| (b.rank, b.slot_index, b));
    let told: BTreeMap<_, _> = told.map(|(rank, slot, b)| ((rank, slot), b)).collect();
    for span in &expected.blocks {
        if fold_represents(&condensed, span.rank) {
            assert_eq!(told[&(span.rank, span.slot_index)], span);
        }
    }
    fold.classes() < fold.ranks()
}

fn fold_represents(run: &FoldedRun, rank: u32) -> bool {
    run.classes.iter().any(|class| class.representative == rank)
}

fn coloured(shape: Shape, odd: u32, groups: bool) -> Coloured {
    Coloured {
        key: Key::new(shape.seed),
        odd,
        groups,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn folds_are_the_full_job(shape in shapes(4, 12, 8), odd in 0..12u32, groups: bool) {
        let job = jobs::job(shape);
        agree(&job, &coloured(shape, odd, groups));
        agree(&job, &BaseTiming);
        let slowness = [Ratio::new(1.0), Ratio::new(1.3)];
        agree(&job, &JitteredTiming::new(shape.seed, 48, Ratio::ZERO, &slowness));
    }
}

/// A copy that shares nothing with the job.
fn apart(job: &Job) -> Job {
    let mut copy = job.clone();
    for block in copy
        .programs
        .iter_mut()
        .flat_map(|program| &mut program.blocks)
    {
        *block = (**block).clone().into();
    }
    copy.ranks = (*copy.ranks).clone().into();
    copy
}

/// The run, but for its events, or nothing where it does not finish.
fn ended(fold: &Fold<'_, impl Timing>) -> Option<Run> {
    let go_on = AtomicBool::new(false);
    let run = fold.run(&mut Unobserved, &go_on, &|_| {}).ok()?;
    Some(Run {
        events: 0,
        ..run.expand()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every other replica runs a second program of the same blocks.
    #[test]
    fn programs_may_share_blocks(mut shape in shapes(3, 8, 6), odd in 0..12u32) {
        shape.mix.variants = false;
        let mut job = jobs::job(shape);
        job.programs.extend(job.programs.clone());
        for (rank, spec) in job.ranks.iter_mut().enumerate() {
            let second = (rank as u32 / shape.stages) % 2 == 1;
            spec.program += u32::from(second) * shape.stages;
        }
        agree(&job, &coloured(shape, odd, false));
    }

    /// Jobs of the same blocks and ranks whose programs are cut short, one after the other.
    #[test]
    fn jobs_may_share_blocks_and_ranks(shape in shapes(3, 6, 8), odd in 0..12u32, groups: bool) {
        let all = jobs::job(shape);
        let timing = coloured(shape, odd, groups);
        let mut memo = FoldMemo::default();
        for most in [8, 3, 5, 3] {
            let mut job = all.clone();
            for program in &mut job.programs {
                let last = program.slots.pop();
                program.slots.truncate(most);
                program.slots.extend(last);
            }
            let copy = apart(&job);
            match (Fold::knowing(&job, &timing, &mut memo), Fold::new(&copy, &timing)) {
                (Ok(knowing), Ok(alone)) => {
                    let (mine, other) = (ended(&knowing), ended(&alone));
                    prop_assert_eq!(&mine, &other);
                    let plain = Fold::plain(&copy, &timing).unwrap();
                    prop_assert_eq!(mine, ended(&plain));
                    prop_assert_eq!(knowing.classes(), alone.classes());
                }
                (knowing, alone) => prop_assert_eq!(knowing.err(), alone.err()),
            }
        }
    }
}

/// The generator must make what the tests are about.
#[test]
fn random_jobs_fold_and_condense() {
    let (mut folded, mut fewer, mut split) = (0, 0, 0);
    for seed in 0..60 {
        let shape = Shape {
            seed,
            stages: 3,
            replicas: 6,
            slots: 8,
            foreground: 2,
            background: 1,
            ops: 10,
            longest: 1000,
            mix: jobs::Mix {
                rotated: seed % 2 == 0,
                scattered: seed % 3 == 0,
                variants: false,
            },
        };
        let job = jobs::job(shape);
        let timing = coloured(shape, if seed % 4 == 1 { 9 } else { 0 }, seed % 7 == 0);
        folded += u32::from(agree(&job, &timing));
        let (Ok(plain), Ok(fold)) = (Fold::plain(&job, &timing), Fold::new(&job, &timing)) else {
            continue;
        };
        fewer += u32::from(run(&fold).events < run(&plain).events);
        split += u32::from((4..18).contains(&fold.classes()));
    }
    assert!(folded > 40, "{folded}");
    assert!(fewer > 20, "{fewer}");
    assert!(split > 5, "{split}");
}

fn op(kind: Kind, picos: u64) -> Instruction {
    Instruction {
        kind,
        base: Time::from_picos(picos),
        waits: [None, None],
        busy: 1,
        idle: 2,
        load: 0,
        label: 0,
    }
}

/// Groups of two, the lowest rank of which runs the second program, but for the first.
fn pairs() -> Job {
    let program = |picos| strait_sim::Program {
        blocks: vec![
            strait_sim::Block {
                streams: vec![vec![op(Kind::Collective { group: 0 }, picos)]],
                ..Default::default()
            }
            .into(),
        ],
        slots: vec![strait_sim::Slot {
            block: 0,
            keys: [0, 0],
            entry: [None, None],
        }],
        foreground: 1,
        channels: 0,
    };
    let rank = |rank: u32| {
        let mut groups = [u32::MAX; 8];
        groups[0] = rank / 2;
        RankSpec {
            program: [0, 1, 1, 0][rank as usize],
            groups,
            peers: vec![],
        }
    };
    Job {
        programs: vec![program(3), program(5)],
        ranks: (0..4).map(rank).collect(),
    }
}

#[test]
fn another_speaker_is_refused() {
    let job = pairs();
    let full: Run = engine::<WheelQueue>(&job, &BaseTiming, Mode::Runs, &mut Unobserved);
    assert_eq!(full.finish[..3], [3, 3, 5].map(Time::from_picos));
    let refused = Fold::new(&job, &BaseTiming).unwrap_err();
    assert_eq!(refused, Unfoldable::Speaker { kind: 0, group: 1 });
}

#[test]
fn chance_is_refused() {
    let jitter = JitteredTiming::new(1, 4, Ratio::new(0.1), &[]);
    let refused = Fold::new(&pairs(), &jitter).unwrap_err();
    assert_eq!(refused, Unfoldable::Chance { rank: 0 });
}
