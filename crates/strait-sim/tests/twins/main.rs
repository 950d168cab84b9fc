//! Each fast path against its plain twin, on random jobs, equal to the tick.

mod folds;
mod jobs;
mod reference;
mod shared;

use jobs::{Mix, Shape};
use proptest::prelude::*;
use reference::Spans;
use std::sync::atomic::AtomicBool;
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::random::Key;
use strait_sim::{
    BaseTiming, BlockSpan, Engine, Instruction, InstructionSpan, JitteredTiming, Job, Lanes, Mode,
    Observer, Run, Site, Timing, Unobserved,
};
use strait_units::{Ratio, Time};

/// Base durations plus a few ticks that differ everywhere: full of ties.
struct Ticks(Key);

impl Timing for Ticks {
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let key = self.0.entity(rank.into()).entity(site.slot_index.into());
        let key = key.entity(site.stream.into()).entity(site.index.into());
        Time::from_picos(instruction.base.picos() + key.word() % 4)
    }

    fn collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        let key = self.0.entity(group.into()).entity(site.slot_index.into());
        let members = members.iter().fold(key, |key, m| key.entity((*m).into()));
        Time::from_picos(instruction.base.picos() + members.word() % 4)
    }
}

/// Keeps every span, and sees that blocks come in order.
#[derive(Default)]
struct Recorder {
    spans: Spans,
    blocks: Vec<BlockSpan>,
}

impl Observer for Recorder {
    const WANTS_INSTRUCTIONS: bool = true;

    fn block(&mut self, span: BlockSpan) {
        self.blocks.push(span);
    }

    fn instruction(&mut self, span: InstructionSpan<'_>) {
        let at = (
            span.rank as usize,
            span.slot_index as usize,
            usize::from(span.stream),
            usize::from(span.index),
        );
        let times = (span.start.picos(), span.end.picos());
        assert_eq!(self.spans.insert(at, times), None, "{at:?} ran twice");
    }
}

fn engine<Q: EventQueue>(
    job: &Job,
    timing: &impl Timing,
    mode: Mode,
    observer: &mut impl Observer,
) -> Run {
    let go_on = AtomicBool::new(false);
    Engine::<Q>::on_queue(mode)
        .run(job, timing, observer, &go_on, &|_| {})
        .unwrap()
}

fn lanes(job: &Job, timing: &impl Timing, observer: &mut impl Observer) -> Run {
    let go_on = AtomicBool::new(false);
    Lanes.run(job, timing, observer, &go_on, &|_| {}).unwrap()
}

fn shapes(stages: u32, replicas: u32, slots: u32) -> impl Strategy<Value = Shape> {
    (
        any::<u64>(),
        (1..=stages, 1..=replicas, 0..=slots),
        (1..=3u8, 0..=1u8),
        0..=10u64,
        prop_oneof![Just(0u64), Just(3), Just(1_000_000)],
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(seed, (stages, replicas, slots), streams, ops, longest, mix)| Shape {
                seed,
                stages,
                replicas,
                slots,
                foreground: streams.0,
                background: streams.1,
                ops,
                longest,
                mix: Mix {
                    variants: mix[0],
                    rotated: mix[1],
                    scattered: mix[2],
                },
            },
        )
}

fn same(run: &Run, expected: &Run, what: &str) {
    assert_eq!(run.end, expected.end, "end, {what}");
    assert_eq!(run.finish, expected.finish, "finish, {what}");
    assert_eq!(run.ops, expected.ops, "ops, {what}");
    for (rank, (got, expected)) in run.accounts.iter().zip(&expected.accounts).enumerate() {
        assert_eq!(got, expected, "accounts of rank {rank}, {what}");
        assert!(got.conserve(run.end), "rank {rank}, {what}: {got:?}");
    }
}

/// The lanes against the event engine: times, spans and the order of calls.
fn lanes_agree(job: &Job, timing: &impl Timing) {
    let (mut expected, mut recorder) = (Recorder::default(), Recorder::default());
    let events = engine::<WheelQueue>(job, timing, Mode::Runs, &mut expected);
    let observed = lanes(job, timing, &mut recorder);
    same(&observed, &events, "lanes, observed");
    assert_eq!(recorder.spans, expected.spans, "spans, lanes");
    for recorder in [&mut recorder, &mut expected] {
        // Stable: keeps the order of each rank.
        recorder.blocks.sort_by_key(|block| block.rank);
    }
    assert_eq!(recorder.blocks, expected.blocks);
    same(&lanes(job, timing, &mut Unobserved), &events, "lanes");
}

fn all_agree(job: &Job, timing: &impl Timing) {
    let (expected, spans) = reference::run(job, timing).expect("made to finish");
    for mode in [Mode::EveryOp, Mode::Runs] {
        let mut recorder = Recorder::default();
        let run = engine::<HeapQueue>(job, timing, mode, &mut recorder);
        same(&run, &expected, &format!("{mode:?}"));
        assert_eq!(recorder.spans, spans, "spans, {mode:?}");
        for rank in 0..job.ranks.len() as u32 {
            let blocks = recorder.blocks.iter().filter(|b| b.rank == rank);
            assert!(blocks.clone().is_sorted_by_key(|b| b.slot_index));
            assert!(blocks.is_sorted_by_key(|b| (b.open, b.close)));
        }
        let wheel = engine::<WheelQueue>(job, timing, mode, &mut Unobserved);
        assert_eq!(wheel, run);
    }
    lanes_agree(job, timing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn engine_is_the_reference(shape in shapes(3, 4, 6)) {
        let job = jobs::job(shape);
        all_agree(&job, &Ticks(Key::new(shape.seed)));
        let slowness = [Ratio::new(1.0), Ratio::new(1.3)];
        let jitter = JitteredTiming::new(shape.seed, 12, Ratio::new(0.1), &slowness);
        all_agree(&job, &jitter);
    }

    #[test]
    fn lanes_are_the_engine(shape in shapes(4, 40, 25)) {
        let job = jobs::job(shape);
        lanes_agree(&job, &Ticks(Key::new(shape.seed)));
        let jitter = JitteredTiming::new(shape.seed, 160, Ratio::new(0.1), &[]);
        lanes_agree(&job, &jitter);
        lanes_agree(&job, &BaseTiming);
    }
}

/// The generator must make what the tests are about.
#[test]
fn random_jobs_have_what_they_should_test() {
    let (mut fused, mut waited, mut transferred, mut lagged) = (0, 0, 0, 0);
    for seed in 0..50 {
        let shape = Shape {
            seed,
            stages: 3,
            replicas: 3,
            slots: 6,
            foreground: 2,
            background: 1,
            ops: 10,
            longest: 3,
            mix: Mix::default(),
        };
        let job = jobs::job(shape);
        let timing = Ticks(Key::new(seed));
        let runs = engine::<HeapQueue>(&job, &timing, Mode::Runs, &mut Unobserved);
        let plain = engine::<HeapQueue>(&job, &timing, Mode::EveryOp, &mut Unobserved);
        fused += plain.events - runs.events;
        for (accounts, finish) in runs.accounts.iter().zip(&runs.finish) {
            waited += u32::from(accounts.gap() > Time::ZERO);
            transferred += u32::from(accounts.gap_transfer() > Time::ZERO);
            lagged += u32::from(*finish > accounts.closed());
        }
    }
    assert!(fused > 1000, "{fused}");
    assert!(waited > 100 && transferred > 100 && lagged > 20);
}
