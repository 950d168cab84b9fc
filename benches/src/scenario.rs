//! Scenarios that are timed, part of the program so that they can be timed anywhere.
//!
//! In: which. Out: a case. Writes the files to a temporary folder to read them, and removes it.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, Template, load};
use strait_training::case::Case;
use strait_training::outcome::StepOutcome;
use strait_training::simulate::{Control, SimulateError};
use strait_training::step::{StepInput, step};
use strait_training::timeline::main_step;

/// Name and text of a file; the first of a scenario is the one to read, the others it extends.
type File = (&'static str, &'static str);

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario(&'static [File]);

/// DeepSeek-V3 on 2,048 ranks, with load and jitter.
pub const FLAGSHIP: Scenario = Scenario(&[(
    "h800.toml",
    include_str!("../../scenarios/deepseek-v3/h800.toml"),
)]);

/// Llama 3 405B on 16,384 ranks.
pub const LLAMA: Scenario = Scenario(&[
    (
        "16k-gpus.toml",
        include_str!("../../scenarios/llama3-405b/16k-gpus.toml"),
    ),
    (
        "8k-gpus.toml",
        include_str!("../../scenarios/llama3-405b/8k-gpus.toml"),
    ),
]);

/// The tutorial's eight ranks.
pub const TUTORIAL: Scenario = Scenario(&[(
    "first-step.toml",
    include_str!("../../scenarios/tutorial/first-step.toml"),
)]);

/// A DeepSeek-V3 of eight layers on 64 ranks.
pub const SMALL: Scenario = Scenario(&[(
    "deepseek-64.toml",
    include_str!("../benches/deepseek-64.toml"),
)]);

impl Scenario {
    /// Reads it, for cases to be resolved from it.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    ///
    /// # Panics
    /// If the scenario is not sound, which is a defect.
    pub fn template(&self, catalog: &Catalog) -> std::io::Result<Template> {
        let template = self.read(|file| Template::load(file, catalog, &Overrides::default()))?;
        Ok(template.expect("the scenario is sound"))
    }

    /// Reads and resolves it; its cases.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    ///
    /// # Panics
    /// If the scenario is not sound, which is a defect.
    pub fn cases(&self, catalog: &Catalog) -> std::io::Result<Vec<Case>> {
        let loaded = self.read(|file| load(file, catalog, &Overrides::default()))?;
        let loaded = loaded.expect("the scenario is sound");
        Ok(loaded.cases.into_iter().map(|case| case.case).collect())
    }

    /// Writes the files, and reads them.
    fn read<T>(&self, read: impl FnOnce(&Path) -> T) -> std::io::Result<T> {
        let id = std::process::id();
        let folder = std::env::temp_dir().join(format!("strait-bench.{id}"));
        let got = self
            .write(&folder)
            .map(|()| read(&folder.join(self.0[0].0)));
        std::fs::remove_dir_all(&folder)?;
        got
    }

    /// Its first case, with the catalogue that is built in.
    ///
    /// # Errors
    /// As for [`Scenario::cases`].
    ///
    /// # Panics
    /// As for [`Scenario::cases`].
    pub fn case(&self) -> std::io::Result<Case> {
        let first = self.cases(&Catalog::embedded())?.into_iter().next();
        Ok(first.expect("a scenario has a case"))
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in self.0 {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(())
    }
}

/// The step of a case's main phase.
///
/// # Panics
/// If it has no phases.
pub fn main_step_of(case: &Case) -> StepInput<'_> {
    main_step(case).expect("a case has phases")
}

/// Simulates that step, with `factor` times its micro-batches.
///
/// # Errors
/// Those of [`step()`].
///
/// # Panics
/// If the case has no phases.
pub fn step_of(
    case: &Case,
    factor: u32,
    control: Control<'_>,
) -> Result<StepOutcome, SimulateError> {
    let mut input = main_step_of(case);
    input.global_batch *= factor;
    step(input, control)
}
