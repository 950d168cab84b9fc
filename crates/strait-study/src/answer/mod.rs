//! From outcomes to answers: the JSON object, the text, the comparison.
//!
//! In: a [`Question`] and, for each case, its [`Setting`], outcome, claims and
//! expectations. Out: an [`Answer`] that prints as JSON ([`document`]) or as text
//! ([`text`]). Never simulates, and never prints to the terminal.

pub mod about;
pub mod compare;
pub mod document;
pub(crate) mod format;
mod run_part;
#[cfg(test)]
pub(crate) mod sample;
mod setting;
pub(crate) mod table;
pub mod text;

pub use about::AboutDocument;
pub use compare::Comparison;
pub use document::RunDocument;
pub(crate) use document::digest;
pub(crate) use setting::sizes;
pub use setting::{Setting, Value};
pub use text::{Detail, TextStyle};

use crate::chance::Study;
use crate::verdict::{Check, Claim, Expect, Judgement, check, judge};
use strait_training::outcome::Outcome;

/// What was asked, for the reader who wants to ask again.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Version of the command.
    pub version: String,
    /// Scenario as named on the command line; several are joined by a space.
    pub scenario: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The command that gives this answer again, without options that only affect its form.
    pub command: String,
}

/// What getting the answer to a case took. The only part of an answer that differs
/// between two runs of the same question.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effort {
    /// CPU time of the simulation, in seconds.
    pub cpu_s: f64,
    /// Elapsed time of the simulation, in seconds.
    pub wall_s: f64,
}

/// A case with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseAnswer {
    /// What it is about.
    pub setting: Setting,
    /// What was simulated.
    pub outcome: Outcome,
    /// Claims with their verdicts.
    pub claims: Vec<Judgement>,
    /// Expectations with their results.
    pub checks: Vec<Check>,
    /// How sure the answer is, where that was asked for.
    pub uncertainty: Option<Study>,
    /// What the reader must check before trusting the answer.
    pub warnings: Vec<String>,
    /// What it took.
    pub effort: Effort,
}

impl CaseAnswer {
    /// Judges the claims and tests the expectations of a simulated case. Warnings of the
    /// scenario come before those of the simulation.
    pub fn new(
        setting: Setting,
        outcome: Outcome,
        claims: &[Claim],
        expects: &[Expect],
        mut warnings: Vec<String>,
        effort: Effort,
    ) -> CaseAnswer {
        warnings.extend(outcome.step.warnings.iter().cloned());
        CaseAnswer {
            claims: claims
                .iter()
                .map(|c| judge(c, &setting, &outcome))
                .collect(),
            checks: expects
                .iter()
                .map(|e| check(e, &setting, &outcome))
                .collect(),
            setting,
            outcome,
            uncertainty: None,
            warnings,
            effort,
        }
    }
}

/// A question with the answers to all its cases, in the order of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The cases.
    pub cases: Vec<CaseAnswer>,
    /// Where the cases come from; `None` where they come from no file.
    pub about: Option<AboutDocument>,
}
