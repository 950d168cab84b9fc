//! The seam to scenario files and the catalogue.
//!
//! In: paths and overrides from the command line. Out: cases with their claims, or
//! diagnostics rendered for the terminal. Never simulates.

use crate::cli::{CatalogCommand, ScenarioArgs};
use crate::exit::Failure;
use std::path::Path;
use strait_study::verdict::{Claim, Expect};
use strait_training::case::Case;

/// A case as read from a file.
pub struct SourceCase {
    /// What to simulate.
    pub case: Case,
    /// Published figures to compare with.
    pub claims: Vec<Claim>,
    /// Checks that the file asks for.
    pub expects: Vec<Expect>,
    /// What to check before trusting the answer.
    pub warnings: Vec<String>,
}

/// A scenario as read from a file.
pub struct Source {
    /// Cases in the order of the file or of `--case`.
    pub cases: Vec<SourceCase>,
}

/// Loads one scenario. All errors of the file are reported at once.
pub fn load(path: &Path, _args: &ScenarioArgs) -> Result<Source, Failure> {
    read(path)?;
    Err(Failure::Unexpected(
        "scenarios can't be loaded yet".to_owned(),
    ))
}

/// Every resolved value of a scenario with its origin.
pub fn explain(path: &Path, _args: &ScenarioArgs, _json: bool) -> Result<String, Failure> {
    read(path)?;
    Err(Failure::Unexpected(
        "scenarios can't be explained yet".to_owned(),
    ))
}

/// JSON Schema of scenario files.
pub fn schema() -> Result<String, Failure> {
    Err(Failure::Unexpected(
        "scenarios have no schema yet".to_owned(),
    ))
}

/// What the catalogue lists or shows.
pub fn catalog(_command: &CatalogCommand, _json: bool) -> Result<String, Failure> {
    Err(Failure::Unexpected("the catalogue is empty yet".to_owned()))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::Input(format!(
            "error[scenario::unreadable]: can't read `{}`: {error}",
            path.display()
        ))
    })
}
