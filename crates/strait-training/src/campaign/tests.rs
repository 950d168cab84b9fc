//! The slow world against its twins: the plain loop, the closed form, the Poisson distribution.

use super::plan::{Plan, SECOND};
use super::progress::{NEVER, Pace};
use super::world::{self, Books};
use super::*;
use crate::campaign::plan::{Halt, Milestone, Stream};
use proptest::prelude::*;
use strait_units::{Bandwidth, Bytes, FailureRate, Tokens};

const DAY: f64 = 86_400.0;

fn minutes(minutes: f64) -> Time {
    Time::from_seconds(minutes * 60.0)
}

/// 1,000 nodes that fail once in 250 days each: four times a day.
fn settings() -> Reliability {
    Reliability {
        profile: "test".to_owned(),
        causes: vec![
            Cause {
                name: "GPU".to_owned(),
                rate: FailureRate::new(3e-3),
                notice: Notice::Explicit,
                repair: true,
            },
            Cause {
                name: "hang".to_owned(),
                rate: FailureRate::new(1e-3),
                notice: Notice::Hang,
                repair: false,
            },
        ],
        planned: FailureRate::new(0.0),
        detection: minutes(4.0),
        hang_detection: minutes(14.0),
        restart: minutes(5.0),
        repair: Time::from_seconds(DAY),
        spares: 50,
        checkpoints: Checkpoints {
            interval: None,
            mode: CheckpointMode::Synchronous,
            bytes: Bytes::new(5_000_000_000_000),
            storage: Bandwidth::new(1e11),
            snapshot: Bandwidth::new(2e10),
        },
        evaluations: None,
        rollbacks: Rollbacks::default(),
        stragglers: Stragglers::default(),
    }
}

/// So many days of training in steps of ten seconds, a trillion tokens in all.
fn phases(days: f64) -> Vec<Stretch> {
    vec![Stretch {
        tokens: 1e12,
        steps: days * DAY / 10.0,
        seconds: days * DAY,
    }]
}

fn go(r: &Reliability, days: f64, seed: u64) -> Campaign {
    of_phases(r, &phases(days), 1000, 8000, seed).unwrap()
}

fn scaled(r: &Reliability, factor: f64) -> Reliability {
    let mut r = r.clone();
    for cause in &mut r.causes {
        cause.rate = cause.rate * factor;
    }
    r
}

/// Mean and standard error.
fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn without_interruptions_it_is_its_steps_to_the_bit() {
    let r = scaled(&settings(), 0.0);
    let phases = phases(54.321);
    let run = of_phases(&r, &phases, 1000, 8000, 1).unwrap();
    assert_eq!(run.account.total(), Days::new(phases[0].seconds / DAY));
    assert_eq!(run.interruptions.total(), 0);
    assert_eq!(run.interruptions.checkpoint_interval, None);
    assert_eq!(run.goodput(), Ratio::new(1.0));
}

#[test]
fn the_mean_is_the_closed_form() {
    let base = settings();
    let mut planned = base.clone();
    planned.planned = FailureRate::new(2e-3);
    let mut sparse = base.clone();
    sparse.checkpoints.interval = Some(Time::from_seconds(4.0 * 3600.0));
    let mut asynchronous = base.clone();
    asynchronous.checkpoints.mode = CheckpointMode::Asynchronous;
    asynchronous.checkpoints.storage = Bandwidth::new(2e9);
    let often = scaled(&base, 10.0);
    for (name, mut r) in [
        ("base", base),
        ("planned", planned),
        ("sparse", sparse),
        ("asynchronous", asynchronous),
        ("often", often),
    ] {
        r.spares = 1000;
        let runs: Vec<Campaign> = (0..400).map(|seed| go(&r, 20.0, seed)).collect();
        let (days, error) = mean(runs.iter().map(|c| c.account.total().get()));
        let expected = runs[0].interruptions.mean_days.get();
        assert!(
            (days - expected).abs() < 4.0 * error,
            "{name}: {days} ± {error}, closed form {expected}"
        );
        // Close enough to tell one formula from another.
        assert!(error < 0.003 * days, "{name}: {error}");
    }
}

#[test]
fn evaluation_is_in_the_closed_form() {
    let mut r = settings();
    r.evaluations = Some(Evaluations {
        every: Every::Tokens(Tokens::new(10_000_000_000)),
        pause: minutes(20.0),
    });
    let runs: Vec<Campaign> = (0..400).map(|seed| go(&r, 20.0, seed)).collect();
    let (days, error) = mean(runs.iter().map(|c| c.account.total().get()));
    let expected = runs[0].interruptions.mean_days.get();
    assert!(
        (days - expected).abs() < 4.0 * error,
        "{days} ± {error}, {expected}"
    );
    // 100 of them, and those that a failure broke off.
    let hours = runs[0].account.evaluation.get() * 24.0;
    assert!((100.0 / 3.0..110.0 / 3.0).contains(&hours), "{hours}");
}

#[test]
fn goodput_is_best_at_the_best_interval() {
    let mut r = scaled(&settings(), 10.0);
    r.spares = 1000;
    let best = go(&r, 20.0, 0).interruptions.optimal_interval.unwrap();
    let mut at = |factor: f64| {
        r.checkpoints.interval = Some(Time::from_seconds(best.get() * DAY * factor));
        mean((0..200).map(|seed| go(&r, 20.0, seed).goodput().get()))
    };
    let (here, error) = at(1.0);
    for factor in [0.25, 4.0] {
        let (there, other) = at(factor);
        assert!(
            here > there + 4.0 * (error + other),
            "{factor}: {here} {there}"
        );
    }
    for factor in [0.8, 1.25] {
        let (there, other) = at(factor);
        assert!(
            here > there - 4.0 * (error + other),
            "{factor}: {here} {there}"
        );
    }
}

#[test]
fn failures_are_poisson_distributed() {
    // In a run of fixed length: all its time is failures of no consequence.
    let mut r = settings();
    r.detection = Time::ZERO;
    r.hang_detection = Time::ZERO;
    r.restart = Time::ZERO;
    r.checkpoints.bytes = Bytes::new(1);
    r.checkpoints.interval = Some(Time::from_seconds(10.0));
    let runs = 2000;
    let counts: Vec<u64> = (0..runs)
        .map(|seed| go(&r, 5.0, seed).interruptions.unexpected())
        .collect();
    let (mean, error) = mean(counts.iter().map(|c| *c as f64));
    assert!((mean - 20.0).abs() < 4.0 * error + 0.02, "{mean} ± {error}");
    let variance = error * error * runs as f64;
    // The variance's own standard error is variance · sqrt(2/n) = 0.63.
    assert!((variance - 20.0).abs() < 2.6, "{variance}");
    // Chi-squared over eight bins of about equal weight; 24.3 is passed once in a thousand.
    let pmf = |k: f64| libm::exp(k * libm::log(20.0) - 20.0 - libm::lgamma(k + 1.0));
    let edges = [0, 15, 17, 18, 20, 21, 23, 25, 200];
    let chi: f64 = edges
        .windows(2)
        .map(|edge| {
            let expected: f64 =
                (edge[0]..edge[1]).map(|k| pmf(f64::from(k))).sum::<f64>() * runs as f64;
            let seen = counts
                .iter()
                .filter(|c| (edge[0] as u64..edge[1] as u64).contains(c));
            let off = seen.count() as f64 - expected;
            off * off / expected
        })
        .sum();
    assert!(chi < 24.3, "{chi}");
}

#[test]
fn causes_keep_their_shares() {
    let runs: Vec<Campaign> = (0..200).map(|seed| go(&settings(), 20.0, seed)).collect();
    let sum =
        |cause: usize| -> u64 { runs.iter().map(|c| c.interruptions.by_cause[cause].1).sum() };
    let share = sum(0) as f64 / (sum(0) + sum(1)) as f64;
    // About 16,500 in all: standard error 0.0034.
    assert!((share - 0.75).abs() < 0.0135, "{share}");
}

#[test]
fn too_few_spares_make_it_wait() {
    let mut r = settings();
    let plenty = go(&r, 20.0, 3);
    assert_eq!(plenty.account.waiting, Days::ZERO);
    r.spares = 2;
    let few = go(&r, 20.0, 3);
    assert!(few.account.waiting > Days::new(1.0), "{:?}", few.account);
    assert!(few.account.total() > plenty.account.total());
    r.spares = 0;
    assert!(go(&r, 2.0, 3).account.waiting > few.account.waiting * 0.1);
}

#[test]
fn a_slow_machine_slows_all_until_it_is_found() {
    let mut r = scaled(&settings(), 0.0);
    r.stragglers = Stragglers {
        share: Ratio::new(0.005),
        slowdown: Ratio::new(0.1),
        found_after: Time::from_seconds(DAY),
    };
    let run = go(&r, 20.0, 1);
    // A day in which 1/11 is lost, then a restart.
    let straggling = run.account.straggling.get();
    assert!((straggling - 1.0 / 11.0).abs() < 1e-6, "{straggling}");
    assert_eq!(run.interruptions.swaps, 1);
    let restart = run.account.restart.get() * DAY;
    assert!((restart - 350.0).abs() < 1e-3, "{restart}");
    let beyond = run.account.total() - run.account.training;
    let parts = straggling + (350.0 + 50.0) / DAY;
    assert!((beyond.get() - parts).abs() < 1e-6, "{beyond:?} {parts}");
}

#[test]
fn a_rollback_trains_tokens_twice() {
    let mut r = scaled(&settings(), 0.0);
    r.rollbacks = Rollbacks {
        per_trillion_tokens: 10.0,
        back: Tokens::new(5_000_000_000),
    };
    let runs: Vec<Campaign> = (0..300).map(|seed| go(&r, 20.0, seed)).collect();
    let (count, error) = mean(runs.iter().map(|c| c.interruptions.rollbacks as f64));
    assert!((count - 10.0).abs() < 4.0 * error, "{count} ± {error}");
    for run in &runs {
        // Each throws away 0.1 of 20 days, less where there was less; and takes a restart.
        let all = run.interruptions.rollbacks as f64;
        let thrown = run.account.rollback.get();
        assert!(
            thrown <= all * 0.1 + 1e-9 && thrown > (all - 2.0) * 0.1,
            "{thrown} of {all}"
        );
        let restarts = run.account.restart.get() * DAY;
        assert!((restarts - 350.0 * all).abs() < 1e-3, "{restarts}");
    }
}

#[test]
fn a_seed_is_a_run() {
    let r = settings();
    let first = go(&r, 20.0, 7);
    // A run of other settings in between leaves nothing behind.
    let _ = go(&scaled(&r, 3.0), 5.0, 9);
    assert_eq!(first, go(&r, 20.0, 7));
    assert_ne!(go(&r, 20.0, 7).account, go(&r, 20.0, 8).account);
}

/// What is refused, in words.
fn refused(r: &Reliability, days: f64) -> (String, String, String) {
    match of_phases(r, &phases(days), 1000, 8000, 1) {
        Err(SimulateError::Invalid {
            path,
            message,
            remedy,
        }) => (path, message, remedy),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_would_never_end_is_refused() {
    // Every node fails every day.
    let (path, message, _) = refused(&scaled(&settings(), 250.0), 20.0);
    assert_eq!(path, "reliability.failures");
    assert!(message.contains("would never finish"), "{message}");

    let mut rare = settings();
    rare.checkpoints.interval = Some(Time::from_seconds(19.0 * DAY));
    let (path, _, remedy) = refused(&rare, 20.0);
    assert_eq!(path, "reliability.checkpoint_interval");
    assert!(remedy.contains("optimal"), "{remedy}");
    rare.checkpoints.interval = Some(Time::from_seconds(21.0 * DAY));
    let (_, message, _) = refused(&rare, 20.0);
    assert!(message.contains("would never be written"), "{message}");

    let mut lacking = settings();
    lacking.spares = 0;
    lacking.repair = Time::from_seconds(10.0 * DAY);
    let (path, _, remedy) = refused(&lacking, 20.0);
    assert_eq!(path, "reliability.spares");
    assert!(remedy.contains("47 spares"), "{remedy}");
    lacking.spares = 1001;
    assert!(refused(&lacking, 20.0).1.contains("more spares than nodes"));

    let mut closed = settings();
    closed.checkpoints.storage = Bandwidth::ZERO;
    assert_eq!(refused(&closed, 20.0).0, "reliability.storage_bandwidth");

    let mut busy = settings();
    busy.evaluations = Some(Evaluations {
        every: Every::Tokens(Tokens::new(1)),
        pause: minutes(1.0),
    });
    assert_eq!(refused(&busy, 20.0).0, "reliability.evaluation_tokens");
}

#[test]
fn next_to_nothing_is_still_an_answer() {
    // 30 % of the nodes every day: an interruption every five minutes, yet it ends.
    let mut r = scaled(&settings(), 75.0);
    r.spares = 1000;
    r.repair = minutes(60.0);
    let run = go(&r, 0.5, 1);
    assert!(run.goodput().get() < 0.3, "{:?}", run.goodput());
    assert!(run.account.total().get() > 1.0);
}

#[test]
fn as_fast_as_monte_carlo_needs() {
    // Counted, not timed: about five events for each interruption, whatever the interval.
    let r = settings();
    let plan = Plan::new(&r, &phases(60.0), 1000, 8000, 1).unwrap();
    let books = world::simulate(&plan, 1).unwrap();
    let interruptions = books.failures.iter().sum::<u64>();
    assert!(
        books.events < 6 * interruptions,
        "{} {interruptions}",
        books.events
    );
    assert!(books.checkpoint / plan.pace.stop > 10 * interruptions);
}

/// Prints what a run takes; run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let r = settings();
    for (nodes, days) in [(256, 60.0), (2048, 54.0)] {
        let plan = Plan::new(&r, &phases(days), nodes, nodes * 8, 1).unwrap();
        let start = std::time::Instant::now();
        let mut events = 0;
        for seed in 0..1000 {
            events += world::simulate(&plan, seed).unwrap().events;
        }
        let each = start.elapsed().as_secs_f64() / 1000.0;
        let start = std::time::Instant::now();
        for seed in 0..1000 {
            std::hint::black_box(Plan::new(&r, &phases(days), nodes, nodes * 8, seed).unwrap());
        }
        let planning = start.elapsed().as_secs_f64() / 1000.0;
        println!(
            "{nodes} nodes: {:.0} us, plan {:.1} us, {} events",
            each * 1e6,
            planning * 1e6,
            events / 1000
        );
    }
}

prop_compose! {
    /// Runs of some hours with everything in them, in ticks.
    fn plan()(
        work in 1_000u64..1_000_000,
        interval in prop_oneof![Just(NEVER), 1_000u64..100_000],
        stop in 0u64..5_000,
        upload_share in 0.0..1.0f64,
        gaps in prop::collection::vec((2e5..1e7f64, 0u64..9_000, any::<bool>()), 0..4),
        planned in prop_oneof![Just(f64::INFINITY), 1e5..1e7f64],
        (write, restart, repair, spares) in (0u64..5_000, 0u64..9_000, 1u64..60_000, 0u32..4),
        marks in prop::collection::vec((0.0..1.0f64, 0u64..5_000), 0..6),
    ) -> Plan {
        let mut milestones: Vec<Milestone> = marks
            .into_iter()
            .map(|(share, pause)| Milestone {
                at: (share * work as f64) as u64,
                pause,
                halt: if pause % 2 == 0 { Halt::Evaluation } else { Halt::Rollback },
            })
            .collect();
        milestones.sort_by_key(|m| m.at);
        // Without checkpoints a run has to be shorter than the time between its failures.
        let short = interval == NEVER;
        Plan {
            work: if short { work.min(100_000) } else { work },
            rolled: 0,
            rollbacks: 0,
            milestones: if short { Vec::new() } else { milestones },
            pace: Pace {
                interval,
                stop,
                upload: if interval == NEVER { 0 } else { (upload_share * interval as f64) as u64 },
            },
            write,
            restart,
            repair,
            streams: gaps
                .into_iter()
                .map(|(gap, detection, repair)| Stream { gap, detection, repair })
                .collect(),
            planned_gap: planned,
            nodes: 100,
            spares,
            slow_share: 0.0,
            slow: 0,
            found_after: 0,
            best: None,
            mean: 0.0,
        }
    }
}

fn same(mut a: Books, mut b: Books) {
    a.events = 0;
    b.events = 0;
    assert_eq!(a, b);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_world_is_the_plain_loop_to_the_tick(plan in plan(), seed in 0u64..1000) {
        let books = world::simulate(&plan, seed).unwrap();
        // All time is booked once, and what was trained is what was asked and what was lost.
        prop_assert_eq!(Some(books.total()), books.end);
        prop_assert!(books.worked >= plan.work);
        same(books, super::twin::simulate(&plan, seed));
    }

    #[test]
    fn one_more_cause_never_ends_a_run_earlier(
        plan in plan(), gap in 2e5..1e6f64, detection in 0u64..9_000, repair: bool, seed in 0u64..1000,
    ) {
        let fewer = world::simulate(&plan, seed).unwrap();
        let mut plan = plan;
        plan.streams.push(Stream { gap, detection, repair });
        let more = world::simulate(&plan, seed).unwrap();
        prop_assert!(more.end >= fewer.end, "{:?} {:?}", more, fewer);
    }

    #[test]
    fn everything_adds_up(
        factor in 0.0..5.0f64,
        share in 0.0..0.01f64,
        rollbacks in 0.0..10.0f64,
        minutes_of_pause in 0.0..60.0f64,
        seed: u64,
    ) {
        let mut r = scaled(&settings(), factor);
        r.planned = FailureRate::new(1e-4 * factor);
        r.stragglers = Stragglers {
            share: Ratio::new(share),
            slowdown: Ratio::new(0.1),
            found_after: minutes(300.0),
        };
        r.rollbacks = Rollbacks { per_trillion_tokens: rollbacks, back: Tokens::new(1_000_000_000) };
        r.evaluations = Some(Evaluations {
            every: Every::Steps(5000),
            pause: minutes(minutes_of_pause),
        });
        let phases = phases(10.0);
        let plan = Plan::new(&r, &phases, 1000, 8000, seed).unwrap();
        let books = world::simulate(&plan, seed).unwrap();
        prop_assert_eq!(Some(books.total()), books.end);
        let run = of_phases(&r, &phases, 1000, 8000, seed).unwrap();
        let days = books.end.unwrap() as f64 / SECOND / DAY;
        prop_assert!((run.account.total().get() - days).abs() < 1e-9);
        for part in [run.account.lost, run.account.rollback, run.account.straggling] {
            prop_assert!(part >= Days::ZERO);
        }
    }
}
