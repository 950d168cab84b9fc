//! Schedules against the published closed forms, counts and a measured step.

use super::twin::{Durations, run};
use super::*;
use crate::case::ScheduleKind::{DualPipe, DualPipeV, GPipe, OneFOneB, ZbH1};
use proptest::prelude::*;

const PLAIN: Durations = Durations {
    forward: 100,
    input: 110,
    weight: 70,
    pair: 280,
    hop: 0,
};

/// Pairs, lone forwards, lone backwards, and how many of these have their weights apart.
fn counts(order: &[Work]) -> [usize; 4] {
    let of = |test: fn(&Work) -> bool| order.iter().filter(|work| test(work)).count();
    [
        of(|work| matches!(work, Work::Pair { .. })),
        of(|work| matches!(work, Work::Forward(_))),
        of(|work| matches!(work, Work::Backward(_) | Work::BackwardInput(_))),
        of(|work| matches!(work, Work::BackwardInput(_))),
    ]
}

/// Idle time of the slowest path for equal chunks: makespan less work, the same on all ranks.
fn bubble(kind: ScheduleKind, pipeline: u32, chunks: u32, micro_batches: u32) -> f64 {
    let made = schedule(kind, pipeline, chunks, micro_batches).unwrap();
    run(&made, PLAIN).bubble()
}

#[test]
fn bubbles_of_equal_chunks_are_the_published_closed_forms() {
    let (f, b, w) = (100.0, 110.0, 70.0);
    for p in [1, 2, 3, 4, 8, 16] {
        let ramp = f64::from(p - 1);
        for m in [p, 2 * p, 3 * p, 8 * p] {
            // arXiv 1811.06965 and 2104.04473.
            assert_eq!(bubble(GPipe, p, 1, m), ramp * (f + b + w), "GPipe {p} {m}");
            assert_eq!(
                bubble(OneFOneB, p, 1, m),
                ramp * (f + b + w),
                "1F1B {p} {m}"
            );
            // arXiv 2104.04473: durations above are those of one chunk, so the bubble of
            // v chunks, each 1/v of a rank's work, is (P-1) chunks.
            for v in [2, 3, 4] {
                assert_eq!(bubble(OneFOneB, p, v, m), ramp * (f + b + w), "{p} {v} {m}");
            }
            // arXiv 2401.10241, table 1 (there "B" is the input gradient only); for W <= F.
            assert_eq!(bubble(ZbH1, p, 1, m), ramp * (f + b - w), "ZB-H1 {p} {m}");
        }
    }
}

#[test]
fn bubble_of_dualpipe_is_the_published_closed_form() {
    // arXiv 2412.19437, table 2: (PP/2-1)(F&B + B - 3W), its B the whole backward. Exact
    // where F takes as long as the input gradient: on every rank when pairs hide nothing,
    // on the middle ranks (which have the most pairs, so the least work) when they do.
    for pair in [270, 230] {
        let durations = Durations {
            forward: 100,
            input: 100,
            weight: 70,
            pair,
            hop: 0,
        };
        for p in [2, 4, 8, 16] {
            let form = u64::from(p / 2 - 1) * (pair + 170 - 210);
            for m in [2 * p, 4 * p, 8 * p] {
                // DualPipeV holds the same stages on half the devices (deepseek-ai/DualPipe).
                for (kind, ranks, middle) in [(DualPipe, p, p / 2), (DualPipeV, p / 2, p / 2 - 1)] {
                    let made = schedule(kind, ranks, 1, m).unwrap();
                    let seen = run(&made, durations);
                    let idle: Vec<u64> = seen.busy.iter().map(|b| seen.makespan - b).collect();
                    assert_eq!(idle[middle as usize], form, "{kind:?} {p} {m} {pair}");
                    if pair == 270 {
                        assert!(idle.iter().all(|&i| i == form), "{kind:?} {p} {m} {idle:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn dualpipe_counts_are_those_of_the_published_order() {
    // deepseek-ai/DualPipe at 16 ranks, and 15,360 sequences over 128 pipelines.
    let made = schedule(DualPipe, 16, 1, 120).unwrap();
    for rank in [0, 15] {
        assert_eq!(counts(&made.order[rank]), [97, 23, 23, 15]);
    }
    for rank in [7, 8] {
        assert_eq!(counts(&made.order[rank]), [103, 17, 17, 8]);
    }
    let all: Vec<_> = made.order.iter().map(|order| counts(order)).collect();
    let mean = |part: usize| all.iter().map(|c| c[part] as f64).sum::<f64>() / 16.0;
    assert!((mean(0) - 100.4).abs() < 0.05, "{}", mean(0));
    assert!((mean(1) - 19.6).abs() < 0.05, "{}", mean(1));
    assert!((mean(2) - 19.6).abs() < 0.05, "{}", mean(2));
}

#[test]
fn dualpipe_reproduces_the_published_step_but_not_all_of_its_bubble() {
    // DeepSeek's step table (arXiv 2505.09343, table 4): pairs 13.95 s, F 1.13, B 1.99,
    // W 0.48, bubble 2.06. Chunk times are those totals over the mean counts; a hop is
    // assumed to take 1.5 ms. The published bubble holds 0.7 s more than the order explains.
    let made = schedule(DualPipe, 16, 1, 120).unwrap();
    let us = Durations {
        forward: 57_600,
        input: 101_000,
        weight: 24_500,
        pair: 139_000,
        hop: 1_500,
    };
    let seen = run(&made, us);
    let total = |part: usize| {
        let all: usize = made.order.iter().map(|order| counts(order)[part]).sum();
        all as f64 / 16.0 * 1e-6
    };
    let near = |got: f64, want: f64| assert!((got - want).abs() < 0.01, "{got} against {want}");
    near(total(0) * 139_000.0, 13.95);
    near(total(1) * 57_600.0, 1.13);
    near(total(2) * 101_000.0, 1.98);
    near(total(2) * 24_500.0, 0.48);
    near(seen.bubble() * 1e-6, 1.37);
}

#[test]
fn activations_held_are_the_published_numbers() {
    let most = |kind, p, v, m| {
        let made = schedule(kind, p, v, m).unwrap();
        (0..p)
            .map(|rank| made.in_flight(rank).iter().map(|chunk| chunk.weight).sum())
            .max()
            .unwrap_or(0u32)
    };
    for p in [2, 4, 8, 16] {
        let m = 4 * p;
        assert_eq!(most(GPipe, p, 1, m), m);
        assert_eq!(most(OneFOneB, p, 1, m), p);
        assert_eq!(most(ZbH1, p, 1, m), p);
        // P (1 + (P-1)/(P v)) of a rank, so P v + P - 1 chunks; the peaks of the chunks
        // fall on different moments, so the sum of peaks is an upper bound.
        let made = schedule(OneFOneB, p, 3, m).unwrap();
        let one = Held {
            until_input: 0.0,
            until_weight: 1.0,
        };
        let (peak, _) = made.peak_held(0, &[one; 3]);
        assert_eq!(peak, f64::from(p * 3 + p - 1));
        let dual = schedule(DualPipe, p, 1, m).unwrap();
        for rank in 0..p {
            let (peak, _) = dual.peak_held(rank, &[one; 2]);
            assert!(peak <= f64::from(p + 1), "{rank} of {p}: {peak}");
        }
        let (peak, _) = dual.peak_held(0, &[one; 2]);
        assert_eq!(peak, f64::from(p + 1));
    }
}

#[test]
fn stages_of_a_v_and_of_two_directions() {
    let two = schedule(DualPipe, 4, 1, 8).unwrap();
    assert_eq!((two.stages(), two.copies()), (4, 2));
    assert_eq!((two.stage_of(1, 0), two.stage_of(1, 1)), (1, 2));
    assert_eq!((two.holder(2, 0), two.holder(2, 7)), ((2, 0), (1, 1)));
    let v = schedule(DualPipeV, 4, 1, 8).unwrap();
    assert_eq!((v.stages(), v.copies()), (8, 1));
    assert_eq!((v.stage_of(0, 1), v.holder(4, 3)), (7, (3, 1)));
    let interleaved = schedule(OneFOneB, 4, 2, 8).unwrap();
    assert_eq!(interleaved.stage_of(1, 1), 5);
    assert_eq!(interleaved.holder(5, 0), (1, 1));
}

#[test]
fn impossible_schedules_say_what_they_need() {
    let error = |kind, p, v, m| {
        let error = schedule(kind, p, v, m).unwrap_err();
        (error.path(), error.to_string(), error.remedy())
    };
    let (path, message, remedy) = error(DualPipe, 16, 1, 24);
    assert_eq!(path, "parallelism.schedule");
    assert!(message.contains("at least 32 micro-batches"), "{message}");
    assert!(remedy.contains("32 micro-batches"), "{remedy}");
    assert_eq!(error(DualPipe, 3, 1, 24).0, "parallelism.pipeline");
    assert_eq!(error(DualPipe, 1, 1, 24).0, "parallelism.pipeline");
    assert!(
        error(DualPipe, 4, 1, 9)
            .1
            .contains("even number of micro-batches")
    );
    assert_eq!(error(ZbH1, 4, 2, 8).0, "parallelism.virtual_stages");
    assert_eq!(error(OneFOneB, 4, 200, 8).0, "parallelism.virtual_stages");
    assert!(
        error(OneFOneB, 8, 2, 7)
            .1
            .contains("at least 8 micro-batches")
    );
    assert_eq!(error(GPipe, 0, 1, 7).0, "parallelism.pipeline");
    assert_eq!(error(GPipe, 1, 1, 0).0, "training.global_batch");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Every schedule that is not refused comes to its end, whatever the durations.
    #[test]
    fn every_schedule_runs_to_its_end(
        kind in prop::sample::select(vec![GPipe, OneFOneB, ZbH1, DualPipe, DualPipeV]),
        p in 1u32..13, v in 1u32..5, m in 1u32..60,
        forward in 1u64..50, input in 1u64..50, weight in 0u64..50, pair in 1u64..100,
        hop in 0u64..20,
    ) {
        let v = if kind == OneFOneB { v } else { 1 };
        if let Ok(made) = schedule(kind, p, v, m) {
            let seen = run(&made, Durations { forward, input, weight, pair, hop });
            let most = seen.busy.iter().copied().max().unwrap_or(0);
            prop_assert!(seen.makespan >= most);
            for rank in 0..p {
                let held = made.in_flight(rank);
                prop_assert_eq!(held.len() as u32, made.chunks);
                prop_assert!(held.iter().all(|h| h.input <= h.weight && h.weight <= m));
            }
        }
    }

    /// 1F1B, interleaved and ZB-H1 never hold more than their bound.
    #[test]
    fn one_way_schedules_hold_no_more_than_their_bound(p in 1u32..13, v in 1u32..5, groups in 1u32..5) {
        let m = p * groups;
        let one = Held { until_input: 0.0, until_weight: 1.0 };
        for (kind, v) in [(OneFOneB, v), (ZbH1, 1)] {
            let made = schedule(kind, p, v, m).unwrap();
            let bound = if v == 1 { p } else { p * v + p - 1 };
            for rank in 0..p {
                let (peak, _) = made.peak_held(rank, &vec![one; v as usize]);
                prop_assert!(peak <= f64::from(bound), "{:?} {} {} {}", kind, p, v, peak);
            }
        }
    }
}
