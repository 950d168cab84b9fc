//! The run on the slow clock: failures, checkpoints, spares, evaluation, rollbacks, stragglers.
//!
//! In: a case with its [`Reliability`], and the times of its steps. Out: a [`Campaign`]: where the
//! days of one run went, for one seed. Never simulates a step, never prices anything.
//!
//! | part | what it does |
//! |---|---|
//! | [`Reliability`] | what is given |
//! | `plan` | the run in whole microseconds; refuses one that would never end |
//! | `progress` | training and checkpoints while nothing happens, in one calculation |
//! | `world` | the ECS world in which something happens |
//! | `expected` | the mean in closed form, and the best checkpoint interval |
//!
//! What is drawn is looked up by (seed, cause, number): a further cause, or a longer run, changes
//! nothing of what was drawn before. A further failure then never lets a run end earlier.

mod expected;
mod plan;
mod progress;
mod settings;
mod world;

pub use plan::{Stretch, too_many_spares};
pub use settings::{
    Cause, CheckpointMode, Checkpoints, Evaluations, Every, Notice, Reliability, Rollbacks,
    Stragglers, usual_spares,
};

use crate::case::Case;
use crate::outcome::{Account, Interruptions};
use crate::run::{Steps, rollouts, stretches};
use crate::simulate::SimulateError;
use plan::{Plan, SECOND};
use progress::NEVER;
use strait_units::{Days, Ratio, Time};

/// One run, as it went for one seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Campaign {
    /// Where its days went.
    pub account: Account,
    /// What interrupted it.
    pub interruptions: Interruptions,
}

impl Campaign {
    /// The share of its days in which it trained what it ended with.
    pub fn goodput(&self) -> Ratio {
        Ratio::new(self.account.training / self.account.total())
    }
}

/// Simulates the run of a case from its simulated steps, as it goes for a seed. Cheap: call it for
/// several seeds to see how far runs differ. Without [`Case::reliability`] nothing happens.
///
/// # Errors
/// What of the settings makes no sense for this run, or why it would never end.
pub fn run(case: &Case, steps: &Steps, seed: u64) -> Result<Campaign, SimulateError> {
    let phases = stretches(case, steps, &rollouts(case, steps)?);
    let Some(reliability) = &case.reliability else {
        let seconds: f64 = phases.iter().map(|phase| phase.seconds).sum();
        return Ok(Campaign {
            account: Account {
                training: Days::new(seconds / 86_400.0),
                ..Account::default()
            },
            interruptions: Interruptions::default(),
        });
    };
    of_phases(
        reliability,
        &phases,
        case.cluster.nodes,
        case.cluster.ranks(),
        seed,
    )
}

/// Simulates a run of phases on so many nodes with so many accelerators.
///
/// # Errors
/// As [`run`].
pub fn of_phases(
    reliability: &Reliability,
    phases: &[Stretch],
    nodes: u32,
    accelerators: u32,
    seed: u64,
) -> Result<Campaign, SimulateError> {
    let plan = Plan::new(reliability, phases, nodes, accelerators, seed)?;
    let books = world::simulate(&plan, seed).ok_or_else(|| SimulateError::Invalid {
        path: "reliability".to_owned(),
        message: "this run does not end: it was given up after millions of interruptions"
            .to_owned(),
        remedy: "lower `failures` and `stragglers`, or shorten `detection` and `restart`"
            .to_owned(),
    })?;
    debug_assert_eq!(Some(books.total()), books.end, "all time is booked once");
    let days = |ticks: u64| Days::new(ticks as f64 / SECOND / 86_400.0);
    let training: f64 = phases.iter().map(|phase| phase.seconds).sum();
    let interval = (plan.pace.interval != NEVER).then(|| days(plan.pace.interval));
    Ok(Campaign {
        account: Account {
            // Not by way of ticks: without interruptions it is what the steps add up to.
            training: Days::new(training / 86_400.0),
            lost: days(books.worked - plan.work),
            rollback: days(plan.rolled),
            straggling: days(books.straggling),
            checkpoint: days(books.checkpoint),
            evaluation: days(books.evaluation),
            detection: days(books.detection),
            restart: days(books.restart),
            waiting: days(books.waiting),
        },
        interruptions: Interruptions {
            by_cause: (reliability.causes.iter())
                .zip(&books.failures)
                .map(|(cause, count)| (cause.name.clone(), *count))
                .collect(),
            planned: books.planned,
            rollbacks: plan.rollbacks,
            swaps: books.swaps,
            spares: plan.spares,
            most_in_repair: books.most_in_repair,
            checkpoint_interval: interval,
            optimal_interval: plan.best.map(|seconds| Days::new(seconds / 86_400.0)),
            checkpoint_stop: Time::from_picos(plan.pace.stop.saturating_mul(1_000_000)),
            mean_days: Days::new(plan.mean / 86_400.0),
        },
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
