//! Simulation of what is left, the most promising first.
//!
//! In: candidates and their bounds. Out: the fastest with times and memory, and counts of all that
//! was not simulated ([`Found`]). Never simulates a layout whose bound is above the worst that would
//! still be named.

use super::bound::Bounds;
use super::candidates::{Candidate, Candidates, Refused};
use super::space::Space;
use super::work::Workers;
use std::collections::BTreeMap;
use strait_training::case::{Case, Parallelism, Phase};
use strait_training::simulate::{Control, SimulateError};
use strait_training::step::{StepInput, step};
use strait_units::{Bytes, Time};

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Layouts to name.
    pub best: usize,
    /// Most layouts to simulate.
    pub simulated: usize,
    /// Simulate everything that fits, whatever its bound: to check the bounds.
    pub exhaustive: bool,
    /// Layouts that take longer than this are of no interest.
    pub under: Option<Time>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            best: 5,
            simulated: 400,
            exhaustive: false,
            under: None,
        }
    }
}

/// A simulated layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its number in the space: of equal times the lower goes first.
    pub number: u64,
    /// The layout.
    pub parallelism: Parallelism,
    /// One step at the full batch.
    pub time: Time,
    /// The bound that promised it.
    pub bound: Time,
    /// Peak memory of the fullest rank.
    pub memory: Bytes,
}

/// The answer of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The best, best first.
    pub best: Vec<Ranked>,
    /// Layouts that there are not, and why.
    pub refused: Refused,
    /// Layouts that need more memory than the accelerator has.
    pub too_large: u64,
    /// Layouts that could not be better than those named.
    pub bounded: u64,
    /// Layouts that were simulated.
    pub simulated: u64,
    /// Layouts that were left when the most were simulated that may be: any of them could be better.
    pub unlooked: u64,
    /// Layouts that the simulation refused, by the setting at fault.
    pub failed: BTreeMap<String, u64>,
    /// The least bound of all that fit.
    pub least: Option<Time>,
}

/// Layouts of one round: simulated together, whatever the threads.
const ROUND: usize = 8;

/// The best layouts of a phase of a case in a space. Chance is switched off by the caller
/// ([`super::calm()`]) where steps should fold.
///
/// # Errors
/// That the chip has no kernels for the recipe, or [`SimulateError::Cancelled`].
pub fn search(
    case: &Case,
    phase: &Phase,
    space: &Space,
    limits: Limits,
    workers: Workers<'_>,
) -> Result<Found, SimulateError> {
    let ceiling = case.cluster.accelerator.memory;
    let candidates = Candidates::of(case, phase, space, ceiling, workers)?;
    search_among(case, phase, &candidates, limits, workers)
}

/// [`search`] among candidates that are known.
///
/// # Errors
/// As [`search`].
pub fn search_among(
    case: &Case,
    phase: &Phase,
    candidates: &Candidates,
    limits: Limits,
    workers: Workers<'_>,
) -> Result<Found, SimulateError> {
    let (fit, too_large) = candidates.within(case.cluster.accelerator.memory);
    let mut found = Found {
        refused: candidates.refused.clone(),
        too_large,
        ..Found::default()
    };
    let bounds = Bounds::new(case, phase, &fit, workers)?;
    let mut queue: Vec<(Time, &Candidate)> = (fit.iter())
        .map(|candidate| (bounds.of(candidate), *candidate))
        .collect();
    queue.sort_by_key(|(bound, candidate)| (*bound, candidate.number));
    found.least = queue.first().map(|(bound, _)| *bound);
    let mut at = 0;
    while at < queue.len() {
        let worst = match found.best.len() {
            full if full >= limits.best.max(1) => found.best.last().map(|r| r.time),
            _ => None,
        };
        let worst = match (worst, limits.under) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let hopeless = |(bound, _): &(Time, &Candidate)| worst.is_some_and(|w| *bound > w);
        if !limits.exhaustive && hopeless(&queue[at]) {
            found.bounded = (queue.len() - at) as u64;
            break;
        }
        let left = (limits.simulated as u64).saturating_sub(found.simulated) as usize;
        if left == 0 {
            let rest = &queue[at..];
            found.bounded = rest.iter().filter(|q| hopeless(q)).count() as u64;
            found.unlooked = rest.len() as u64 - found.bounded;
            break;
        }
        let mut end = (at + ROUND.min(left)).min(queue.len());
        if !limits.exhaustive {
            while end > at + 1 && hopeless(&queue[end - 1]) {
                end -= 1;
            }
        }
        let round = &queue[at..end];
        let times = workers.each(round.len(), |index| {
            simulate(case, phase, &round[index].1.parallelism, workers)
        })?;
        found.simulated += round.len() as u64;
        for ((bound, candidate), time) in round.iter().zip(times) {
            match time {
                Ok(time) => found.best.push(Ranked {
                    number: candidate.number,
                    parallelism: candidate.parallelism.clone(),
                    time,
                    bound: *bound,
                    memory: candidate.memory,
                }),
                Err(SimulateError::Cancelled) => return Err(SimulateError::Cancelled),
                Err(SimulateError::Invalid { path, .. }) => {
                    *found.failed.entry(path).or_default() += 1;
                }
            }
        }
        found.best.sort_by_key(|r| (r.time, r.number));
        if !limits.exhaustive {
            found.best.truncate(limits.best.max(1));
        }
        at = end;
    }
    if let Some(under) = limits.under {
        found.best.retain(|r| r.time <= under);
    }
    found.best.truncate(limits.best.max(1));
    Ok(found)
}

fn simulate(
    case: &Case,
    phase: &Phase,
    parallelism: &Parallelism,
    workers: Workers<'_>,
) -> Result<Time, SimulateError> {
    let input = StepInput {
        case,
        parallelism,
        sequence_length: phase.sequence_length,
        global_batch: phase.global_batch,
    };
    let control = Control {
        cancel: workers.cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    step(input, control).map(|step| step.time)
}
