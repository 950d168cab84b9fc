//! The answer as a function of what is not known exactly.
//!
//! In: a case with its ranges, and its simulated steps. Out: quantities at any values of the
//! assumptions, without simulating again. Never draws.
//!
//! Which assumptions change the step is found by trying: the case is resolved at the ends of each
//! range and compared. For those that do, steps are simulated at a few values; their time as a
//! ratio to that of the case as it stands multiplies the full base step. What several do together
//! is taken to be the product of what each does alone, and compared with steps simulated at the
//! values of the first draws.

use super::draw::{Common, Parameter, Urn};
use super::law::{Law, SCORE_95};
use super::pool;
use super::response::{Plan, Response};
use super::study::Drawn;
use crate::answer::Setting;
use crate::catalog::Catalog;
use crate::scenario::{ResolvedCase, Shape, Style, render_all};
use crate::uncertainty::{self, Subject};
use std::sync::atomic::{AtomicUsize, Ordering};
use strait_training::case::{Balance, Case, ChipSpread, Noise};
use strait_training::outcome::Outcome;
use strait_training::run::{self, Steps};
use strait_training::simulate::{Control, SimulateError};
use strait_units::Ratio;

/// Name of the prediction's own error among the assumptions.
pub const PREDICTION: &str = "prediction";
/// Name of the luck of what fails when.
pub(super) const FAILURES: &str = "failures";

/// Draws that are simulated as well, to say how far off the approximation is; fewer where a step is
/// dear, because its ranks cannot be folded.
const CHECKED: u64 = 16;
const CHECKED_DEAR: u64 = 4;

/// An error of the approximation above this is said as a warning.
const CLOSE: f64 = 0.02;

/// Why there is no study.
#[derive(Debug, thiserror::Error)]
pub enum ChanceError {
    /// A case at values of its ranges has no answer.
    #[error("{at}: {source}")]
    Simulate {
        /// The values.
        at: String,
        /// What the simulation said.
        source: SimulateError,
    },
    /// Values of the ranges contradict each other or other settings.
    #[error("{at}: {message}")]
    Contradiction {
        /// The values.
        at: String,
        /// What is wrong.
        message: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

/// What an assumption changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touch {
    /// How long a step takes.
    pub step: bool,
    /// What is made of steps.
    pub run: bool,
}

/// Steps at some values.
struct Found {
    /// Logarithms of their times over those of the case as it stands.
    logs: Vec<f64>,
    /// The main step's layout fits in memory.
    fits: bool,
}

/// How much of the scenario must be read again for a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Nothing.
    Nothing,
    /// Prices and failures.
    Prices,
    /// All of it.
    All,
}

/// A case made ready for any number of studies.
pub struct Prepared<'a> {
    pub(super) resolved: &'a ResolvedCase,
    /// Without sources, which no draw names.
    catalog: Catalog,
    steps: Steps,
    pub(super) urn: Urn,
    /// Likeliest values, in the order of the urn.
    pub(super) modes: Vec<f64>,
    pub(super) touches: Vec<Touch>,
    pub(super) responses: Vec<Option<Response>>,
    need: Need,
    /// What fails when is random, so that a run differs from one draw to the next.
    pub(super) lucky: bool,
    /// Runs simulated.
    pub(super) simulated: u32,
    /// Draws compared, and the largest error.
    pub(super) checked: (u32, Option<f64>),
    pub(super) warnings: Vec<String>,
}

impl<'a> Prepared<'a> {
    /// Finds out what each assumption changes, and simulates steps where it must. `steps` are those
    /// of the case as it stands.
    ///
    /// # Errors
    /// Values of a range at which the case has no answer, or that the caller asked to stop.
    pub fn new(
        resolved: &'a ResolvedCase,
        catalog: &Catalog,
        steps: &Steps,
        control: Control<'_>,
    ) -> Result<Prepared<'a>, ChanceError> {
        let base = &resolved.case;
        let mut parameters: Vec<Parameter> = (resolved.ranges.iter())
            .map(|range| Parameter {
                name: range.path.clone(),
                law: Law::from(range),
                factor: (range.factor.as_ref())
                    .and_then(|name| resolved.factors.iter().position(|f| f.name == *name)),
            })
            .collect();
        let deviation = steps.main(base).map_or(Ratio::ZERO, |step| {
            uncertainty::deviation(&Subject::from(base), step)
        });
        parameters.push(Parameter {
            name: PREDICTION.to_owned(),
            law: Law::around_one(deviation.get()),
            factor: None,
        });
        let factors = (resolved.factors.iter())
            .map(|factor| Common::new(&factor.name, factor.correlation))
            .collect();
        let mut modes: Vec<f64> = resolved.ranges.iter().map(|range| range.mode).collect();
        modes.push(1.0);
        let mut prepared = Prepared {
            resolved,
            catalog: catalog.without_sources(),
            steps: steps.clone(),
            urn: Urn::new(base.seed, parameters, factors),
            touches: vec![Touch::default(); modes.len()],
            responses: modes.iter().map(|_| None).collect(),
            modes,
            need: Need::Nothing,
            lucky: false,
            simulated: 0,
            checked: (0, None),
            warnings: Vec::new(),
        };
        prepared.find_touches()?;
        prepared.respond(control)?;
        prepared.check(control)?;
        let mut seeds = [0, 1].map(|draw| prepared.urn.failures(draw)).into_iter();
        let mut at = || {
            let seed = seeds.next().unwrap_or_default();
            prepared.outcome(&prepared.modes, seed)
        };
        prepared.lucky = at()?.1.run != at()?.1.run;
        Ok(prepared)
    }

    /// Values of the ranges as a person reads them.
    pub(super) fn told(&self, values: &[f64]) -> String {
        let parts: Vec<String> = (self.resolved.ranges.iter().zip(values).zip(&self.modes))
            .filter(|((_, value), mode)| value != mode)
            .map(|((range, value), _)| format!("{} = {}", range.path, range.print(*value)))
            .collect();
        match parts.is_empty() {
            true => "at the likeliest values".to_owned(),
            false => format!("at {}", parts.join(", ")),
        }
    }

    /// The likeliest values with one other.
    pub(super) fn with(&self, index: usize, value: f64) -> Vec<f64> {
        let mut values = self.modes.clone();
        values[index] = value;
        values
    }

    /// The case at values of its ranges.
    fn resolve(&self, values: &[f64]) -> Result<Case, ChanceError> {
        (self.resolved.with(&self.catalog, values))
            .map_err(|faults| self.contradiction(values, &faults))
    }

    fn contradiction(&self, values: &[f64], faults: &[crate::scenario::Diagnostic]) -> ChanceError {
        ChanceError::Contradiction {
            at: self.told(values),
            message: render_all(faults, Style::Plain).trim_end().to_owned(),
        }
    }

    fn failed(&self, values: &[f64], source: SimulateError) -> ChanceError {
        match source {
            SimulateError::Cancelled => ChanceError::Cancelled,
            source => ChanceError::Simulate {
                at: self.told(values),
                source,
            },
        }
    }

    /// Tries both ends of each range, and all of its choices.
    fn find_touches(&mut self) -> Result<(), ChanceError> {
        let base = &self.resolved.case;
        let plain = step_only(base, base);
        let ones = vec![1.0; self.steps.seconds().len()];
        let compose = |case: &Case| -> Option<Outcome> {
            run::compose(case, &self.steps.stand_in(case, &ones, Ratio::new(1.0))?).ok()
        };
        let as_it_stands = compose(base);
        let mut touches = self.touches.clone();
        let mut need = Need::Nothing;
        for (index, range) in self.resolved.ranges.iter().enumerate() {
            let law = &self.urn.parameters()[index].law;
            if law.certain() {
                continue;
            }
            let tried =
                (law.choices()).unwrap_or_else(|| vec![law.at(-SCORE_95), law.at(SCORE_95)]);
            for value in tried {
                let case = self.resolve(&self.with(index, value))?;
                touches[index].step |= step_only(&case, base) != plain;
                touches[index].run |= compose(&case) != as_it_stands;
            }
            if touches[index].run {
                let prices = ["economics.", "reliability."];
                let cheap = !range.of_words() && prices.iter().any(|p| range.path.starts_with(p));
                need = need.max(if cheap { Need::Prices } else { Need::All });
            }
            if touches[index] == Touch::default() {
                self.warnings.push(format!(
                    "`{}` is given as a range, but the run does not depend on it",
                    range.path
                ));
            }
        }
        let last = touches.len() - 1;
        touches[last].step = !self.urn.parameters()[last].law.certain();
        self.touches = touches;
        self.need = need;
        Ok(())
    }

    /// Simulates steps at the values of each plan.
    fn respond(&mut self, control: Control<'_>) -> Result<(), ChanceError> {
        let touching: Vec<usize> = (0..self.resolved.ranges.len())
            .filter(|index| self.touches[*index].step)
            .collect();
        if touching.is_empty() {
            return Ok(());
        }
        let dear = self.touched("noise.") || self.touched("routing.");
        let plans: Vec<Plan> = (touching.iter())
            .map(|&index| Plan::new(&self.urn.parameters()[index].law, self.modes[index], dear))
            .collect();
        let mut jobs: Vec<(usize, f64)> = Vec::new();
        for (place, plan) in plans.iter().enumerate() {
            jobs.extend(plan.values.iter().map(|value| (place, *value)));
        }
        let found = self.simulate_all(jobs.len(), control, 0.0, 0.5, &|job| {
            let (place, value) = jobs[job];
            (self.with(touching[place], value), Some(touching[place]))
        })?;
        self.simulated += jobs.len() as u32;
        for (place, plan) in plans.iter().enumerate() {
            let mut nodes = Vec::new();
            let mut broken = false;
            let mut unfit = None;
            for ((of, value), logs) in jobs.iter().zip(&found) {
                if *of != place {
                    continue;
                }
                match logs {
                    Ok(found) => {
                        let drawn = (plan.drawn.0..=plan.drawn.1).contains(value);
                        if drawn && !found.fits && unfit.is_none() {
                            unfit = Some(*value);
                        }
                        nodes.push((*value, found.logs.clone()));
                    }
                    // Beyond what is drawn an answer may be missing: the search ends there.
                    Err(_) if *value < plan.drawn.0 => nodes.clear(),
                    Err(_) if *value > plan.drawn.1 => broken = true,
                    Err(error) => return Err(error.again()),
                }
                if broken {
                    break;
                }
            }
            if let Some(value) = unfit {
                let range = &self.resolved.ranges[touching[place]];
                self.warnings.push(format!(
                    "at `{}` = {} the layout does not fit in memory: such draws could not run",
                    range.path,
                    range.print(value)
                ));
            }
            self.responses[touching[place]] = Some(Response::new(plan, nodes));
        }
        Ok(())
    }

    /// Compares with steps simulated at the values of the first draws.
    fn check(&mut self, control: Control<'_>) -> Result<(), ChanceError> {
        let continuous = |index: usize| self.urn.parameters()[index].law.choices().is_none();
        let touching: Vec<usize> = (0..self.resolved.ranges.len())
            .filter(|index| self.touches[*index].step)
            .collect();
        if touching.is_empty() || (touching.len() == 1 && !continuous(touching[0])) {
            return Ok(());
        }
        let checked = match self.touched("noise.") || self.touched("routing.") {
            true => CHECKED_DEAR,
            false => CHECKED,
        };
        let values: Vec<Vec<f64>> = (0..checked)
            .map(|draw| {
                let drawn = self.urn.values(draw);
                let mut values = self.modes.clone();
                for &index in &touching {
                    values[index] = drawn[index];
                }
                values
            })
            .collect();
        let found = self.simulate_all(values.len(), control, 0.5, 0.7, &|draw| {
            (values[draw].clone(), None)
        })?;
        let mut worst = 0.0f64;
        for (values, logs) in values.iter().zip(found) {
            let logs = logs?.logs;
            let mut guessed = vec![0.0; logs.len()];
            self.add_responses(values, &mut guessed);
            for (guess, true_log) in guessed.iter().zip(&logs) {
                worst = worst.max(libm::expm1(guess - true_log).abs());
            }
        }
        self.simulated += checked as u32;
        self.checked = (checked as u32, Some(worst));
        if worst > CLOSE {
            self.warnings.push(format!(
                "step times at drawn values are off by up to {:.1} % where several ranges change \
                 the step at once",
                worst * 100.0
            ));
        }
        Ok(())
    }

    /// Whether an assumption of a section changes the step.
    fn touched(&self, section: &str) -> bool {
        (self.resolved.ranges.iter().zip(&self.touches))
            .any(|(range, touch)| touch.step && range.path.starts_with(section))
    }

    /// Log factors of all steps at some values, against the case as it stands; both without noise
    /// and with even routing, so that ranks can be folded, but where a range is of these, and but
    /// for choices. The second part of a job is the assumption that it is about.
    fn simulate_all(
        &self,
        count: usize,
        control: Control<'_>,
        from: f64,
        to: f64,
        job: &(dyn Fn(usize) -> (Vec<f64>, Option<usize>) + Sync),
    ) -> Result<Vec<Result<Found, ChanceError>>, ChanceError> {
        let (noisy, uneven) = (self.touched("noise."), self.touched("routing."));
        let inner = Control {
            threads: 1,
            progress: &|_| {},
            ..control
        };
        let simulate = |mut case: Case, exact: bool| -> Result<(Vec<f64>, bool), SimulateError> {
            if !noisy && !exact {
                case.noise = Noise {
                    jitter: Ratio::ZERO,
                    chip_spread: Ratio::ZERO,
                    chips: ChipSpread::default(),
                };
            }
            if !uneven && !exact {
                case.routing.balance = Balance::Forced;
                case.routing.spread = Ratio::ZERO;
                case.routing.persistence = Ratio::ZERO;
            }
            case.seed = self.resolved.case.seed;
            let steps = run::steps(&case, inner)?;
            let fits = steps.main(&case).is_none_or(|step| step.memory.fits());
            Ok((steps.seconds(), fits))
        };
        let (plain, _) = simulate(self.resolved.case.clone(), false)
            .map_err(|error| self.failed(&self.modes, error))?;
        let as_it_stands = self.steps.seconds();
        // A few choices are worth the time of the full step each.
        let exact = |about: Option<usize>| {
            about.is_some_and(|index| self.urn.parameters()[index].law.choices().is_some())
        };
        let done = AtomicUsize::new(0);
        let stop = || control.cancel.load(Ordering::Relaxed);
        pool::map(count, control.threads, 1, &stop, &|index| {
            let (values, about) = job(index);
            let exact = exact(about);
            let seconds = self.resolve(&values).and_then(|case| {
                simulate(case, exact).map_err(|error| self.failed(&values, error))
            });
            let share = (done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / count as f64;
            (control.progress)(from + (to - from) * share);
            let (seconds, fits) = seconds?;
            if seconds.len() != plain.len() {
                let path = self.resolved.ranges[about.unwrap_or(0)].path.clone();
                return Err(ChanceError::Simulate {
                    at: self.told(&values),
                    source: SimulateError::Invalid {
                        message: format!("`{path}` changes which steps a run is made of"),
                        path,
                        remedy: "give one value, and other cases for the others".to_owned(),
                    },
                });
            }
            let plain = if exact { &as_it_stands } else { &plain };
            let logs = (seconds.iter().zip(plain))
                .map(|(time, base)| libm::log(time / base))
                .collect();
            Ok(Found { logs, fits })
        })
        .ok_or(ChanceError::Cancelled)
    }

    fn add_responses(&self, values: &[f64], logs: &mut [f64]) {
        for (response, value) in self.responses.iter().zip(values) {
            if let Some(response) = response {
                response.add(*value, logs);
            }
        }
    }

    /// The run at values of all assumptions, with a seed of its failures.
    pub(super) fn outcome(
        &self,
        values: &[f64],
        failures: u64,
    ) -> Result<(Setting, Outcome), ChanceError> {
        let mut case = match self.need {
            Need::Nothing => self.resolved.case.clone(),
            Need::Prices => (self.resolved.priced(&self.catalog, values))
                .map_err(|faults| self.contradiction(values, &faults))?,
            Need::All => self.resolve(values)?,
        };
        case.seed = failures;
        let prediction = values.last().copied().unwrap_or(1.0);
        let mut factors = vec![0.0; self.steps.seconds().len()];
        self.add_responses(values, &mut factors);
        for factor in &mut factors {
            *factor = libm::exp(*factor) * prediction;
        }
        let steps = (self.steps)
            .stand_in(&case, &factors, Ratio::new(prediction))
            .ok_or_else(|| {
                let source = SimulateError::Invalid {
                    path: "training".to_owned(),
                    message: "these values change which steps a run is made of".to_owned(),
                    remedy: "give one value, and other cases for the others".to_owned(),
                };
                self.failed(values, source)
            })?;
        let outcome = run::compose(&case, &steps).map_err(|error| self.failed(values, error))?;
        Ok((Setting::from(&case), outcome))
    }

    /// Quantities at values of all assumptions; NaN where there is none.
    pub(super) fn quantities(
        &self,
        quantities: &[Drawn],
        values: &[f64],
        failures: u64,
    ) -> Result<Vec<f64>, ChanceError> {
        let (setting, outcome) = self.outcome(values, failures)?;
        Ok((quantities.iter())
            .map(|of| {
                (of.quantity)
                    .simulated_of(of.phase.as_deref(), &setting, &outcome)
                    .unwrap_or(f64::NAN)
            })
            .collect())
    }

    /// Standard deviation of the logarithm of the prediction's error.
    pub(super) fn shape(&self, index: usize) -> Shape {
        (self.resolved.ranges.get(index)).map_or(Shape::Lognormal, |range| range.shape)
    }
}

impl ChanceError {
    /// The same once more, for an error that is looked at by reference.
    fn again(&self) -> ChanceError {
        match self {
            ChanceError::Cancelled
            | ChanceError::Simulate {
                source: SimulateError::Cancelled,
                ..
            } => ChanceError::Cancelled,
            ChanceError::Simulate {
                at,
                source:
                    SimulateError::Invalid {
                        path,
                        message,
                        remedy,
                    },
            } => ChanceError::Simulate {
                at: at.clone(),
                source: SimulateError::Invalid {
                    path: path.clone(),
                    message: message.clone(),
                    remedy: remedy.clone(),
                },
            },
            ChanceError::Contradiction { at, message } => ChanceError::Contradiction {
                at: at.clone(),
                message: message.clone(),
            },
        }
    }
}

/// A case with all that its steps do not depend on as in another.
pub(crate) fn step_only(case: &Case, base: &Case) -> Case {
    let mut plain = case.clone();
    plain.name.clone_from(&base.name);
    plain.economics.clone_from(&base.economics);
    plain.reliability.clone_from(&base.reliability);
    plain.seed = base.seed;
    if plain.training.phases.len() == base.training.phases.len() {
        for (phase, other) in plain.training.phases.iter_mut().zip(&base.training.phases) {
            phase.tokens = other.tokens;
            phase.ramp_tokens = other.ramp_tokens;
            // Rollouts follow their own settings when the run is added up.
            phase.reinforcement.clone_from(&other.reinforcement);
        }
    }
    plain
}
