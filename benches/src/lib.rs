//! What is timed, by `strait bench`, by the criterion benchmarks and by the instruction counts.
//!
//! In: sizes. Out: jobs, networks and scenarios, and the comparison of counts with a baseline.
//! Owns criterion (for development alone), so that it stays out of the shipped crates.

pub mod all_to_all;
pub mod clock;
pub mod counts;
pub mod hold;
pub mod job;
pub mod scenario;

use std::sync::atomic::AtomicBool;
use strait_sim::queue::WheelQueue;
use strait_sim::world::RankState;
use strait_sim::{Accounts, Engine, EngineError, Job, Mode, Run, Timing, Unobserved, Watch};

/// Runs a job on rank states in plain vectors instead of columns of the ECS.
///
/// # Errors
/// Those of [`Engine::run`].
pub fn on_vectors(
    job: &Job,
    timing: &impl Timing,
    mode: Mode,
    cancel: &AtomicBool,
) -> Result<Run, EngineError> {
    let mut states = vec![RankState::default(); job.ranks.len()];
    let mut accounts = vec![Accounts::default(); job.ranks.len()];
    let watch = Watch {
        cancel,
        progress: &|_| {},
    };
    Engine::<WheelQueue>::on_queue(mode).run_on(
        &mut states,
        &mut accounts,
        job,
        timing,
        &mut Unobserved,
        watch,
    )
}
