//! The way from a case to its answer: layout, programs, step, run.
//!
//! In: a [`Case`]. Out: an [`Outcome`] or the reason why there is none. Never prints.

use crate::case::Case;
use crate::outcome::Outcome;
use std::sync::atomic::AtomicBool;

/// Why a case has no answer. Each message names the offending settings by their scenario keys.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The settings contradict each other or the hardware.
    #[error("{message}")]
    Invalid {
        /// Scenario path of the setting at fault, such as `parallelism.tensor`.
        path: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

/// How a simulation is watched and stopped.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Set from outside to stop at the next opportunity.
    pub cancel: &'a AtomicBool,
    /// Called now and then with the share done (0 to 1).
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// Simulates one step of every phase, composes the run, and prices it.
pub fn simulate(_case: &Case, _control: Control<'_>) -> Result<Outcome, SimulateError> {
    Ok(Outcome::default())
}

/// Checks that the settings of a case agree with each other, without simulating.
/// Returns every contradiction found.
pub fn check(_case: &Case) -> Vec<SimulateError> {
    Vec::new()
}
