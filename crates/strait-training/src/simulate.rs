//! The way from a case to its answer: layout, programs, step, run.
//!
//! In: a [`Case`]. Out: an [`Outcome`] or the reason why there is none. Never prints.

use crate::case::{Case, Fault, Parallelism, Phase};
use crate::layout::Layout;
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
    /// Steps that may be simulated at once; never changes an answer.
    pub threads: usize,
    /// Simulate every rank, also where representatives would give the same to the tick.
    pub full_ranks: bool,
    /// CPU seconds of the calling thread, from any start. Read around each step, for
    /// [`Outcome::cpu_seconds`] alone; never changes anything else.
    pub clock: &'a (dyn Fn() -> f64 + Sync),
}

/// Simulates one step of every phase, composes the run, and prices it.
///
/// # Errors
/// The first contradiction met ([`check`] finds all of them), or that the caller asked to stop.
pub fn simulate(case: &Case, control: Control<'_>) -> Result<Outcome, SimulateError> {
    crate::run::compose(case, &crate::run::steps(case, control)?)
}

/// Checks that the settings of a case agree with each other, without simulating.
/// Returns every contradiction found, over all phases.
pub fn check(case: &Case) -> Vec<SimulateError> {
    let mut errors = crate::lower::unsupported(case);
    if case.cluster.fabric.layers == 0 && case.cluster.nodes > 1 {
        errors.push(SimulateError::Invalid {
            path: "cluster.fabric".to_owned(),
            message: format!(
                "{} nodes are joined by no network: fabric {} has no switches",
                case.cluster.nodes, case.cluster.fabric.id
            ),
            remedy: "choose a fabric (`strait catalog list fabrics`), or one node".to_owned(),
        });
    }
    for phase in &case.training.phases {
        errors.extend(crate::rollout::check(case, phase));
        let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
        let batches = [
            phase.initial_batch.unwrap_or(phase.global_batch),
            phase.global_batch,
        ];
        for batch in batches {
            let layout = crate::layout::Layout::new(
                parallelism,
                &case.model,
                &case.cluster,
                phase.sequence_length,
                batch,
            );
            match layout {
                // Who sends to whom does not follow the batch: the last tells for all.
                Ok(layout) if batch == phase.global_batch => {
                    errors.extend(cut_off(case, parallelism, phase, &layout));
                    break;
                }
                Ok(_) => {}
                Err(found) => {
                    errors.extend(found);
                    break;
                }
            }
        }
    }
    errors
}

/// Whether dead links leave ways for all that is sent. Routes are found in lowering, so that is
/// what is done where a link is dead.
fn cut_off(
    case: &Case,
    parallelism: &Parallelism,
    phase: &Phase,
    layout: &Layout,
) -> Option<SimulateError> {
    let dead = |fault: &Fault| matches!(fault, Fault::Link(link) if link.left.get() == 0.0);
    if !case.faults.iter().any(dead) {
        return None;
    }
    let length = phase.sequence_length;
    crate::lower::lower(case, parallelism, length, layout, &layout.schedule).err()
}
