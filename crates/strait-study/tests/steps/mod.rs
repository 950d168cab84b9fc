//! Cases of shipped scenarios and their steps, for the acceptance tests.
//!
//! In: a scenario, a case of it, overrides. Out: [`Case`]s, lowered jobs, simulated steps. Never
//! judges a figure: the tests do.
#![allow(dead_code)] // each test binary uses its part

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use strait_sim::{Engine, Mode, Run, Unobserved};
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Claim, Overrides, Style, render_all};
use strait_training::case::Case;
use strait_training::layout::Layout;
use strait_training::lower::{Lowered, lower};
use strait_training::outcome::StepOutcome;
use strait_training::run::main_phase;
use strait_training::simulate::{Control, SimulateError};
use strait_training::step::{StepInput, step};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All cases of a shipped scenario with their claims, after overrides (`--set`).
pub fn cases(file: &str, set: &[(&str, &str)]) -> Vec<(Case, Vec<Claim>)> {
    let overrides = Overrides {
        set: (set.iter())
            .map(|&(path, value)| (path.to_owned(), value.to_owned()))
            .collect(),
        ..Overrides::default()
    };
    let path = root().join("scenarios").join(file);
    match scenario::load(&path, &Catalog::embedded(), &overrides) {
        Ok(loaded) => (loaded.cases.into_iter())
            .map(|found| (found.case, found.claims))
            .collect(),
        Err(faults) => panic!("{file} {set:?}:\n{}", render_all(&faults, Style::Plain)),
    }
}

/// The one case of a scenario, after overrides.
pub fn case(file: &str, set: &[(&str, &str)]) -> Case {
    let mut all = cases(file, set);
    assert_eq!(all.len(), 1, "{file} is not one case");
    all.remove(0).0
}

/// A named case of a scenario.
pub fn named(file: &str, name: &str) -> Case {
    (cases(file, &[]).into_iter())
        .map(|(case, _)| case)
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("{file} has no case {name}"))
}

/// Without chance: no jitter, equal chips, equal load.
pub fn calm(mut case: Case) -> Case {
    case.noise.jitter = strait_units::Ratio::new(0.0);
    case.noise.chip_spread = strait_units::Ratio::new(0.0);
    case.routing.balance = strait_training::case::Balance::Forced;
    case
}

/// A small cut of a DeepSeek-V3 case: 128 ranks, two pipeline ranks, eight MoE layers in chunks of
/// four, next to no head, 24 micro-batches in each pipeline. What it leaves is steady pairs.
pub fn two_stages(mut case: Case) -> Case {
    case.model.layers = 8;
    case.model.mtp = 0;
    case.model.vocabulary = 128;
    if let Some(experts) = &mut case.model.experts {
        experts.first_dense = 0;
    }
    case.parallelism.pipeline = 2;
    case.parallelism.stage_layers = Some(vec![4, 4]);
    case.cluster.nodes = 128 / case.cluster.node.accelerators;
    let mut phase = case.training.phases[main_phase(&case.training.phases)].clone();
    phase.parallelism = None;
    let data = 64 / case.parallelism.tensor;
    phase.global_batch = 24 * data * case.parallelism.micro_batch;
    phase.initial_batch = None;
    case.training.phases = vec![phase];
    case
}

/// The layout of a case's main phase.
pub fn layout(case: &Case) -> Layout {
    let phase = &case.training.phases[main_phase(&case.training.phases)];
    let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
    Layout::new(
        parallelism,
        &case.model,
        &case.cluster,
        phase.sequence_length,
        phase.global_batch,
    )
    .unwrap_or_else(|errors| panic!("{}: {errors:?}", case.name))
}

/// One step of a case's main phase at its full batch, or why there is none.
pub fn try_step(case: &Case) -> Result<StepOutcome, SimulateError> {
    let phase = &case.training.phases[main_phase(&case.training.phases)];
    let input = StepInput {
        case,
        parallelism: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
        sequence_length: phase.sequence_length,
        global_batch: phase.global_batch,
    };
    step(input, control(&AtomicBool::new(false), 1))
}

/// One step of a case's main phase at its full batch.
pub fn main_step(case: &Case) -> StepOutcome {
    try_step(case).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// Seconds of such a step.
pub fn seconds(case: &Case) -> f64 {
    main_step(case).time.seconds()
}

/// How tests watch a simulation.
pub fn control(cancel: &AtomicBool, threads: usize) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

/// The engine's own account of a step of the main phase.
pub fn engine_run(case: &Case) -> (Lowered, Run) {
    let phase = &case.training.phases[main_phase(&case.training.phases)];
    let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
    let layout = layout(case);
    let schedule = &layout.schedule;
    let lowered = lower(case, parallelism, phase.sequence_length, &layout, schedule)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let cancel = AtomicBool::new(false);
    let run = Engine::new(Mode::Runs)
        .run(
            &lowered.job,
            &lowered.timing,
            &mut Unobserved,
            &cancel,
            &|_| {},
        )
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    (lowered, run)
}

/// Published and simulated figures side by side; panics at the end with all that are too far off.
#[derive(Default)]
pub struct Table {
    faults: String,
}

impl Table {
    /// A row: what may be missed by `must` at most and should not be missed by more than `goal`.
    pub fn row(&mut self, what: &str, published: f64, simulated: f64, goal: f64, must: f64) {
        let error = simulated / published - 1.0;
        let goal_missed = if error.abs() > goal {
            "  misses the goal"
        } else {
            ""
        };
        println!(
            "{what:<28} published {published:>12.4}  simulated {simulated:>12.4}  {:>+7.2} %{goal_missed}",
            100.0 * error
        );
        if error.is_nan() || error.abs() > must {
            self.faults += &format!(
                "{what}: {simulated} against {published}, {:+.1} % (at most {} %)\n",
                100.0 * error,
                100.0 * must
            );
        }
    }

    /// Fails with every row that is too far off.
    pub fn judge(self) {
        assert!(self.faults.is_empty(), "\n{}", self.faults);
    }
}
