//! Folded steps of real cases against the same steps with every rank simulated.

mod steps;

use std::sync::atomic::AtomicBool;
use steps::{calm, case, cases};
use strait_training::case::{Case, Fault};
use strait_training::outcome::{StepOutcome, Work};
use strait_training::simulate::{Control, simulate};
use strait_training::step::{StepInput, Stepper, step};
use strait_training::timeline::main_step;
use strait_units::Ratio;

const SMALL: &str = "../benches/benches/deepseek-64.toml";

fn outcome(case: &Case, full_ranks: bool) -> StepOutcome {
    let go_on = AtomicBool::new(false);
    let control = Control {
        full_ranks,
        ..steps::control(&go_on, 1)
    };
    let input = main_step(case).expect("a case has phases");
    step(input, control).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// The folded step, which is the full one but for what the engine did.
fn same(case: &Case) -> Work {
    let folded = outcome(case, false);
    let full = outcome(case, true);
    let work = folded.work;
    assert!(!full.work.folded);
    assert_eq!((work.ranks, work.ops), (full.work.ranks, full.work.ops));
    let folded = StepOutcome {
        work: full.work,
        ..folded
    };
    assert!(folded == full, "{}: {folded:#?}\n{full:#?}", case.name);
    work
}

#[test]
fn a_calm_step_folds_to_its_stages() {
    let work = same(&calm(case(SMALL, &[])));
    assert!(work.folded);
    assert!(work.events * 100 < work.ops, "{work:?}");
}

#[test]
fn other_schedules_and_layouts_fold_too() {
    for set in [
        &[("parallelism.schedule", "zb-h1")][..],
        &[("parallelism.schedule", "1f1b")],
        &[
            ("parallelism.schedule", "1f1b"),
            ("software.pipeline_overlap", "false"),
        ],
        &[("parallelism.schedule", "1f1b"), ("parallelism.zero", "3")],
        &[
            ("parallelism.schedule", "1f1b"),
            ("parallelism.tensor", "2"),
        ],
        &[
            ("parallelism.schedule", "interleaved"),
            ("parallelism.virtual_stages", "2"),
            ("parallelism.stage_layers", "[1, 1, 1, 1, 1, 1, 1, 1]"),
        ],
        &[("software.expert_overlap", "false")],
        &[
            ("software.gradient_overlap", "false"),
            ("software.parameter_overlap", "false"),
        ],
    ] {
        let work = same(&calm(case(SMALL, set)));
        assert!(work.folded, "{set:?}");
    }
}

#[test]
fn one_slow_chip_is_another_class() {
    let mut slow = calm(case(SMALL, &[]));
    slow.faults = vec![Fault::Accelerator {
        index: 5,
        left: Ratio::new(0.8),
    }];
    let work = same(&slow);
    assert!(work.folded);
    let calm = same(&calm(case(SMALL, &[])));
    assert!(work.events > calm.events, "{work:?}");
}

#[test]
fn chips_that_all_differ_are_not_folded_and_chance_is_not_either() {
    let mut spread = calm(case(SMALL, &[]));
    spread.noise.chip_spread = Ratio::new(0.02);
    assert!(!same(&spread).folded);
    let mut noisy = calm(case(SMALL, &[]));
    noisy.noise.jitter = Ratio::new(0.02);
    assert!(!same(&noisy).folded);
    assert!(!same(&case(SMALL, &[])).folded);
}

#[test]
fn the_flagship_folds_to_sixteen_ranks() {
    let work = same(&calm(case("deepseek-v3/h800.toml", &[])));
    assert!(work.folded);
    assert!(work.events * 1000 < work.ops, "{work:?}");
}

#[test]
fn whole_runs_are_the_same() {
    for (case, _) in cases("tutorial/first-step.toml", &[]) {
        let case = calm(case);
        let run = |full_ranks| {
            let go_on = AtomicBool::new(false);
            let control = Control {
                full_ranks,
                ..steps::control(&go_on, 1)
            };
            simulate(&case, control)
                .expect("the tutorial has an answer")
                .run
        };
        assert_eq!(run(false), run(true));
    }
}

/// Steps of a case one after the other, with what they have in common found out once, are those that
/// each of them is alone and with every rank simulated.
#[test]
fn steps_that_share_are_those_that_do_not() {
    for (case, phases) in [
        (calm(case(SMALL, &[])), 1),
        (calm(case("deepseek-v3/h800.toml", &[])), 4),
    ] {
        assert_eq!(case.training.phases.len(), phases);
        let go_on = AtomicBool::new(false);
        let control = steps::control(&go_on, 1);
        let mut stepper = Stepper::default();
        for phase in &case.training.phases {
            for batch in [phase.global_batch, phase.initial_batch.unwrap_or(1)] {
                let input = StepInput {
                    case: &case,
                    parallelism: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
                    sequence_length: phase.sequence_length,
                    global_batch: batch,
                };
                let (shared, alone) = (stepper.step(input, control), step(input, control));
                let (shared, alone) = match (shared, alone) {
                    (Ok(shared), Ok(alone)) => (shared, alone),
                    (shared, alone) => {
                        let [shared, alone] =
                            [shared, alone].map(|s| s.err().map(|e| e.to_string()));
                        assert_eq!(shared, alone);
                        continue;
                    }
                };
                assert!(shared == alone, "{}: {batch}", phase.name);
                assert!(shared.work.folded);
            }
        }
    }
}
