//! The second engine: max-plus, instruction by instruction over all ranks of a class at once.
//!
//! In: a checked [`Job`], a [`Timing`], an [`Observer`], as for the event engine. Out: the same
//! [`Run`], to the tick. There is no event queue and no clock: where durations do not depend on
//! when things run, every time is a sum or a maximum of times known before.
//!
//! Ranks that see the same ([`classes`]) form a set and advance together: an instruction is a
//! loop over columns with a lane for each rank, a collective a maximum per group. Sets run
//! one after the other, each until all its streams wait for another set: for a message, or at
//! a collective whose groups span sets. A set that would run far ahead is held back, so that
//! memory does not grow with the number of slots.
//!
//! Links that transfers share are simulated beside ([`transfers`]), one instant at a time, each
//! time that all sets wait for them.

mod column;
mod meet;
mod plan;
mod run;
mod set;
mod slots;
mod transfers;
mod view;

pub use crate::classes::Refusal;
pub use view::{LaneGroup, LaneGroups, LaneRanks, Scratch};

use crate::Timing;
use crate::classes::{self, Classes};
use crate::engine::{Engine, EngineError, Mode, Run, Watch};
use crate::observer::{Observer, Unobserved};
use crate::plan::Plan;
use crate::program::Job;
use std::sync::atomic::AtomicBool;

/// The max-plus engine. It runs jobs whose durations do not depend on when things happen:
/// any [`Timing`] is of that kind but for its transfers over shared links.
///
/// Simulated time ends at 2^63 ticks (106 days) here, half as far as in the event engine.
/// [`Run::events`] counts the instructions of sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lanes;

impl Lanes {
    /// Runs a job to its end. Looks at `cancel` and calls `progress` as [`Engine::run`] does,
    /// now and then. [`EngineError::Refused`] says that the event engine has to run it.
    pub fn run<T: Timing, O: Observer>(
        &self,
        job: &Job,
        timing: &T,
        observer: &mut O,
        cancel: &AtomicBool,
        progress: &dyn Fn(f64),
    ) -> Result<Run, EngineError> {
        job.check()?;
        let plan = Plan::new(job);
        let classes = Classes::new(&plan, timing.network().is_some())?;
        let watch = Watch { cancel, progress };
        in_step(&plan, &classes, timing, observer, watch)
    }
}

fn in_step<T: Timing, O: Observer>(
    plan: &Plan<'_>,
    classes: &Classes,
    timing: &T,
    observer: &mut O,
    watch: Watch<'_>,
) -> Result<Run, EngineError> {
    match run::Lockstep::new(plan, classes, timing, observer).run(watch)? {
        Some(run) => Ok(run),
        // Nothing can go on: the event engine stops at the same places, and says where.
        None => {
            let Watch { cancel, progress } = watch;
            let result =
                Engine::new(Mode::Runs).run(plan.job, timing, &mut Unobserved, cancel, progress);
            debug_assert!(result.is_err(), "sets wait in a circle, ranks do not");
            result
        }
    }
}

/// Fewest ranks a set should have on average for [`Lanes`] to be the faster engine.
const WORTHWHILE: usize = 6;

/// Runs a job on the fastest engine that is exact for it.
pub fn run<T: Timing, O: Observer>(
    job: &Job,
    timing: &T,
    observer: &mut O,
    cancel: &AtomicBool,
    progress: &dyn Fn(f64),
) -> Result<Run, EngineError> {
    job.check()?;
    let plan = Plan::new(job);
    if let Ok(classes) = Classes::new(&plan, timing.network().is_some())
        && job.ranks.len() >= WORTHWHILE * classes.count as usize
    {
        let watch = Watch { cancel, progress };
        match in_step(&plan, &classes, timing, observer, watch) {
            Err(EngineError::Refused(Refusal::OutOfOrder)) => observer.restart(),
            result => return result,
        }
    }
    Engine::new(Mode::Runs).run(job, timing, observer, cancel, progress)
}
