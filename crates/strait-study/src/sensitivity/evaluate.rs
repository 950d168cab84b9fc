//! Quantities at other values of a case's inputs.
//!
//! In: a case with its simulated steps, and the case at other values. Out: its quantities there. Each
//! point is simulated; none is interpolated. Never decides which values to try.

use super::SensitivityError;
use super::document::Way;
use crate::answer::Setting;
use crate::chance::draw::Urn;
use crate::chance::{drawn, step_only};
use crate::scenario::FleetPart;
use crate::search::calm::calm;
use crate::verdict::Quantity;
use strait_training::case::Case;
use strait_training::outcome::Outcome;
use strait_training::run::{self, Steps};
use strait_training::simulate::Control;
use strait_units::Ratio;

/// Runs with other failures over which a quantity is a mean, where failures are random.
const LUCK: u64 = 16;

/// The case at some values.
pub(super) struct Point {
    /// The values, as a person reads them.
    pub at: String,
    pub case: Case,
    pub fleet: Vec<FleetPart>,
    /// All steps with chance, rather than a ratio of steps without.
    pub full: bool,
    /// Every step takes so many times as long as simulated.
    pub prediction: f64,
}

/// Quantities at some values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub quantities: Vec<Option<f64>>,
    pub fits: bool,
    pub way: Way,
}

/// A case that is ready to be compared with itself at other values.
pub(super) struct Base<'a> {
    case: &'a Case,
    fleet: &'a [FleetPart],
    metrics: &'a [Quantity],
    steps: Steps,
    outcome: Outcome,
    /// Without chance: seconds of every step, and the outcome. `None` where the case has no chance.
    plain: Option<(Vec<f64>, Outcome)>,
    /// Of what fails when.
    seeds: Vec<u64>,
    full_ranks: bool,
}

impl<'a> Base<'a> {
    /// Simulates the case as it stands.
    pub fn new(
        case: &'a Case,
        fleet: &'a [FleetPart],
        metrics: &'a [Quantity],
        control: Control<'_>,
    ) -> Result<Base<'a>, SensitivityError> {
        let failed = |error| SensitivityError::simulate("as it stands", error);
        let steps = run::steps(case, control).map_err(failed)?;
        let outcome = run::compose(case, &steps).map_err(failed)?;
        let without = calm(case.clone());
        let reinforced = (case.training.phases.iter()).any(|p| p.reinforcement.is_some());
        // Rollouts are not of steps: no ratio of steps stands for them.
        let plain = match control.full_ranks || reinforced || without == *case {
            true => None,
            false => {
                let steps = run::steps(&without, control).map_err(failed)?;
                let outcome = run::compose(&without, &steps).map_err(failed)?;
                Some((steps.seconds(), outcome))
            }
        };
        let urn = Urn::new(case.seed, Vec::new(), Vec::new());
        let at = |seed| {
            let mut other = case.clone();
            other.seed = seed;
            run::compose(&other, &steps).map(|outcome| outcome.run)
        };
        let lucky = at(urn.failures(0)).map_err(failed)? != at(urn.failures(1)).map_err(failed)?;
        let seeds = match lucky {
            true => (0..LUCK).map(|run| urn.failures(run)).collect(),
            false => vec![case.seed],
        };
        Ok(Base {
            case,
            fleet,
            metrics,
            steps,
            outcome,
            plain,
            seeds,
            full_ranks: control.full_ranks,
        })
    }

    /// Failures are random: quantities are means.
    pub fn lucky(&self) -> bool {
        self.seeds.len() > 1
    }

    /// What the simulation of the case as it stands warns of.
    pub fn warnings(&self) -> &[String] {
        &self.outcome.step.warnings
    }

    /// A prediction of it can be off by this much, one standard deviation of the logarithm.
    pub fn deviation(&self) -> f64 {
        let subject = crate::uncertainty::Subject::from(self.case);
        crate::uncertainty::deviation(&subject, &self.outcome.step).get()
    }

    /// The quantities as the case stands.
    pub fn as_it_stands(&self) -> Result<Vec<Option<f64>>, SensitivityError> {
        self.quantities(self.case, self.fleet, &self.steps, "as it stands")
            .map(|found| {
                (found.iter().zip(self.metrics))
                    .map(|(found, metric)| match drawn(*metric) {
                        true => *found,
                        false => self.direct(*metric, self.case, self.fleet, &self.outcome),
                    })
                    .collect()
            })
    }

    /// How a point will be simulated.
    pub fn way(&self, point: &Point) -> Way {
        if step_only(&point.case, self.case) == step_only(self.case, self.case) {
            Way::Composed
        } else if point.full || self.full_ranks || self.plain.is_none() {
            Way::Full
        } else {
            Way::Ratio
        }
    }

    /// The quantities at a point.
    pub fn at(&self, point: &Point, control: Control<'_>) -> Result<Found, SensitivityError> {
        let failed = |error| SensitivityError::simulate(&point.at, error);
        let mut case = point.case.clone();
        case.seed = self.case.seed;
        let ones = vec![point.prediction; self.steps.seconds().len()];
        match (self.way(point), &self.plain) {
            (Way::Composed, _) => {
                let prediction = Ratio::new(point.prediction);
                // The same steps, but for their number: so many as there are phases.
                let Some(steps) = self.steps.stand_in(&case, &ones, prediction) else {
                    return self.in_full(&case, point, control);
                };
                let mut quantities = self.quantities(&case, &point.fleet, &steps, &point.at)?;
                for (quantity, metric) in quantities.iter_mut().zip(self.metrics) {
                    if !drawn(*metric) && point.prediction == 1.0 {
                        *quantity = self.direct(*metric, &case, &point.fleet, &self.outcome);
                    } else if !drawn(*metric) {
                        *quantity = None;
                    }
                }
                Ok(Found {
                    quantities,
                    fits: self.outcome.step.memory.fits(),
                    way: Way::Composed,
                })
            }
            (Way::Ratio, Some((seconds, outcome))) => {
                let without = calm(case.clone());
                let steps = run::steps(&without, control).map_err(failed)?;
                let there = steps.seconds();
                let factors: Vec<f64> = (there.iter().zip(seconds))
                    .map(|(there, here)| there / here)
                    .collect();
                let one = Ratio::new(1.0);
                let stand_in = match there.len() == seconds.len() {
                    true => self.steps.stand_in(&case, &factors, one),
                    false => None,
                };
                let Some(stand_in) = stand_in else {
                    // Other phases: there is no step to compare with.
                    return self.in_full(&case, point, control);
                };
                let mut quantities = self.quantities(&case, &point.fleet, &stand_in, &point.at)?;
                let there = run::compose(&without, &steps).map_err(failed)?;
                for (quantity, metric) in quantities.iter_mut().zip(self.metrics) {
                    if !drawn(*metric) {
                        // Windows and bytes add up: what changes without chance changes with it.
                        let of = |outcome| self.direct(*metric, &case, &point.fleet, outcome);
                        let parts = of(&self.outcome).zip(of(&there)).zip(of(outcome));
                        *quantity = parts.map(|((base, there), here)| base + there - here);
                    }
                }
                Ok(Found {
                    quantities,
                    fits: there.step.memory.fits(),
                    way: Way::Ratio,
                })
            }
            _ => self.in_full(&case, point, control),
        }
    }

    fn in_full(
        &self,
        case: &Case,
        point: &Point,
        control: Control<'_>,
    ) -> Result<Found, SensitivityError> {
        let failed = |error| SensitivityError::simulate(&point.at, error);
        let steps = run::steps(case, control).map_err(failed)?;
        let outcome = run::compose(case, &steps).map_err(failed)?;
        let mut quantities = self.quantities(case, &point.fleet, &steps, &point.at)?;
        for (quantity, metric) in quantities.iter_mut().zip(self.metrics) {
            if !drawn(*metric) {
                *quantity = self.direct(*metric, case, &point.fleet, &outcome);
            }
        }
        Ok(Found {
            quantities,
            fits: outcome.step.memory.fits(),
            way: Way::Full,
        })
    }

    fn direct(
        &self,
        metric: Quantity,
        case: &Case,
        fleet: &[FleetPart],
        outcome: &Outcome,
    ) -> Option<f64> {
        metric.simulated(&setting(case, fleet), outcome)
    }

    /// Quantities of composed runs, as a mean over what fails when.
    fn quantities(
        &self,
        case: &Case,
        fleet: &[FleetPart],
        steps: &Steps,
        at: &str,
    ) -> Result<Vec<Option<f64>>, SensitivityError> {
        let setting = setting(case, fleet);
        let mut sums = vec![Some(0.0); self.metrics.len()];
        let mut case = case.clone();
        for seed in &self.seeds {
            case.seed = *seed;
            let outcome = run::compose(&case, steps)
                .map_err(|error| SensitivityError::simulate(at, error))?;
            for (sum, metric) in sums.iter_mut().zip(self.metrics) {
                let value = metric.simulated(&setting, &outcome);
                *sum = sum.zip(value).map(|(sum, value)| sum + value);
            }
        }
        let runs = self.seeds.len() as f64;
        Ok(sums.into_iter().map(|sum| Some(sum? / runs)).collect())
    }
}

fn setting(case: &Case, fleet: &[FleetPart]) -> Setting {
    Setting {
        fleet: fleet.to_vec(),
        ..Setting::from(case)
    }
}
