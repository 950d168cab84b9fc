//! Draws, and what they say.
//!
//! In: a prepared case, quantities, claims, a number of draws. Out: a [`Study`]. Draws are shared
//! out over threads; each depends on its number alone.

use super::document::{
    ApproximationDocument, AssumptionDocument, BreakEvenDocument, ClaimChance,
    DistributionDocument, FactorDocument, MoverDocument, QuantileDocument, Study,
};
use super::law::SCORE_95;
use super::model::{ChanceError, FAILURES, PREDICTION, Prepared};
use super::response::reach;
use super::statistics::{moments, quantile, rank_correlation};
use super::{pool, words};
use crate::answer::format::significant;
use crate::scenario::Shape;
use crate::verdict::{Better, Quantity};
use std::sync::atomic::{AtomicUsize, Ordering};
use strait_training::simulate::Control;

/// Shares of draws whose quantiles an answer has.
const SHARES: [f64; 7] = [0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95];
/// Steps of the distribution function between 0 and 1.
const CDF: u32 = 40;
/// Runs with other failures over which a swing or a break-even value is a mean, where failures are
/// random.
const LUCK: u64 = 16;
/// Runs of which the luck of failures alone is told.
const LUCKY: u64 = 64;
/// Values of an assumption between which a claim's is looked for.
const GRID: usize = 24;
/// Tolerance of a claim that states none.
pub const WITHIN: f64 = 0.10;

/// A claim to weigh.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What is stated.
    pub quantity: Quantity,
    /// Of which phase, or of phases whose names begin so; `None`: of none in particular.
    pub phase: Option<String>,
    /// Its value, in the unit of the quantity.
    pub stated: f64,
    /// Tolerance as a fraction of the stated value; [`WITHIN`] where the claim states none.
    pub within: Option<f64>,
    /// Who says so; may be empty.
    pub who: String,
}

/// What is drawn: a quantity, of a phase where it is of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawn {
    pub quantity: Quantity,
    pub phase: Option<String>,
}

impl Drawn {
    fn of(claim: &Asked) -> Drawn {
        Drawn {
            quantity: claim.quantity,
            phase: claim.phase.clone(),
        }
    }
}

/// Whether draws tell a quantity: what a step is made of, and memory, they do not.
pub fn drawn(quantity: Quantity) -> bool {
    !matches!(quantity, Quantity::Part(_) | Quantity::PeakMemory)
}

/// Quantities that every study has, before those of its claims.
const ALWAYS: [Quantity; 4] = [
    Quantity::GpuHours,
    Quantity::Cost,
    Quantity::Days,
    Quantity::Energy,
];

impl Prepared<'_> {
    /// Draws so many times.
    ///
    /// # Errors
    /// A draw whose values contradict each other, or that the caller asked to stop.
    pub fn study(
        &self,
        asked: &[Asked],
        draws: u32,
        control: Control<'_>,
    ) -> Result<Study, ChanceError> {
        let mut quantities = ALWAYS
            .map(|quantity| Drawn {
                quantity,
                phase: None,
            })
            .to_vec();
        for claim in asked.iter().filter(|claim| drawn(claim.quantity)) {
            if !quantities.contains(&Drawn::of(claim)) {
                quantities.push(Drawn::of(claim));
            }
        }
        let seed = self.resolved.case.seed;
        let point = self.quantities(&quantities, &self.modes, seed)?;
        // What the case has no value for cannot be drawn either.
        let (quantities, point): (Vec<Drawn>, Vec<f64>) = (quantities.into_iter().zip(point))
            .filter(|(_, value)| value.is_finite())
            .unzip();
        let count = draws as usize;
        let done = AtomicUsize::new(0);
        let stop = || control.cancel.load(Ordering::Relaxed);
        let results = pool::map(count, control.threads, 32, &stop, &|draw| {
            let values = self.urn.values(draw as u64);
            let outputs = self.quantities(&quantities, &values, self.urn.failures(draw as u64));
            let now = done.fetch_add(1, Ordering::Relaxed) + 1;
            if now.is_multiple_of(64) {
                (control.progress)(0.7 + 0.3 * now as f64 / count as f64);
            }
            outputs.map(|outputs| (values, outputs))
        })
        .ok_or(ChanceError::Cancelled)?;
        let mut inputs: Vec<Vec<f64>> = vec![Vec::with_capacity(count); self.modes.len()];
        let mut outputs: Vec<Vec<f64>> = vec![Vec::with_capacity(count); quantities.len()];
        for result in results {
            let (values, found) = result?;
            inputs.iter_mut().zip(values).for_each(|(to, v)| to.push(v));
            outputs.iter_mut().zip(found).for_each(|(to, v)| to.push(v));
        }
        let swings = self.swings(&quantities)?;
        let distributions = (quantities.iter().enumerate())
            .map(|(at, quantity)| {
                let movers = self.movers(at, &swings, &inputs, &outputs[at]);
                distribution(quantity, point[at], &outputs[at], movers)
            })
            .collect::<Vec<_>>();
        let profiles = self.profiles(&quantities, control)?;
        let mut claims = Vec::new();
        let mut warnings = self.warnings.clone();
        for claim in asked {
            let Some(at) = quantities.iter().position(|q| *q == Drawn::of(claim)) else {
                warnings.push(format!(
                    "the claim on {} is not weighed: draws say nothing about it",
                    claim.quantity.name()
                ));
                continue;
            };
            if !(claim.stated.is_finite() && claim.stated > 0.0) {
                continue;
            }
            let break_even = self.break_even(claim, at, &quantities, &profiles)?;
            claims.push(chance(claim, &distributions[at], &outputs[at], break_even));
        }
        Ok(Study {
            draws,
            seed,
            assumptions: self.assumptions(),
            factors: (self.resolved.factors.iter())
                .map(|factor| FactorDocument {
                    name: factor.name.clone(),
                    why: factor.why.clone(),
                    correlation: factor.correlation,
                })
                .collect(),
            approximation: ApproximationDocument {
                scheme: words::scheme(
                    self.responses.iter().filter(|r| r.is_some()).count(),
                    self.lucky,
                ),
                simulated: self.simulated,
                checked: self.checked.0,
                largest_error: self.checked.1,
            },
            quantities: distributions,
            claims,
            warnings,
        })
    }

    /// Quantities as a mean over a few runs with other failures, where failures are random.
    fn expected(&self, quantities: &[Drawn], values: &[f64]) -> Result<Vec<f64>, ChanceError> {
        if !self.lucky {
            return self.quantities(quantities, values, self.resolved.case.seed);
        }
        let mut sums = vec![0.0; quantities.len()];
        for run in 0..LUCK {
            let found = self.quantities(quantities, values, self.urn.failures(run))?;
            sums.iter_mut().zip(found).for_each(|(sum, v)| *sum += v);
        }
        Ok(sums.into_iter().map(|sum| sum / LUCK as f64).collect())
    }

    /// A value of an assumption as a person reads it.
    pub(super) fn print(&self, index: usize, value: f64) -> String {
        match self.resolved.ranges.get(index) {
            Some(range) => range.print(value),
            None => format!("{} times", significant(value)),
        }
    }

    fn assumptions(&self) -> Vec<AssumptionDocument> {
        let mut all: Vec<AssumptionDocument> = (self.resolved.ranges.iter().zip(&self.touches))
            .map(|(range, touch)| AssumptionDocument {
                name: range.path.clone(),
                shape: range.shape.word().to_owned(),
                low: range.low,
                mode: range.mode,
                high: range.high,
                text: match range.shape {
                    Shape::Choices => words::choices(range),
                    _ => format!("{} to {}", range.print(range.low), range.print(range.high)),
                },
                why: range.why.clone(),
                factor: range.factor.clone(),
                changes_step: touch.step,
                changes_run: touch.run,
            })
            .collect();
        let last = self.modes.len() - 1;
        let law = &self.urn.parameters()[last].law;
        let (low, high) = (law.at(-SCORE_95), law.at(SCORE_95));
        all.push(AssumptionDocument {
            name: PREDICTION.to_owned(),
            shape: Shape::Lognormal.word().to_owned(),
            low,
            mode: 1.0,
            high,
            text: format!("{} to {}", significant(low), self.print(last, high)),
            why: "the error of a predicted step, from measurements that no fit has seen".to_owned(),
            factor: None,
            changes_step: true,
            changes_run: false,
        });
        all
    }

    /// The quantities at the ends of each assumption that changes anything, and of each factor.
    fn swings(&self, quantities: &[Drawn]) -> Result<Vec<Swing>, ChanceError> {
        let mut swings = Vec::new();
        let parameters = self.urn.parameters();
        for (index, parameter) in parameters.iter().enumerate() {
            let touch = self.touches[index];
            if parameter.law.certain() || !(touch.step || touch.run) {
                continue;
            }
            let end = |score: f64| parameter.law.at(score);
            let (mut low, mut high) = (end(-SCORE_95), end(SCORE_95));
            if let (Some(choices), Shape::Choices) = (parameter.law.choices(), self.shape(index)) {
                // All choices count, however unlikely: the ends are those that differ most.
                (low, high) = self.extremes(quantities, index, &choices)?;
            }
            swings.push(Swing {
                of: Mover::Assumption(index),
                name: parameter.name.clone(),
                low_text: self.print(index, low),
                high_text: self.print(index, high),
                low: self.expected(quantities, &self.with(index, low))?,
                high: self.expected(quantities, &self.with(index, high))?,
            });
        }
        for (factor, common) in self.urn.factors().iter().enumerate() {
            let members = |p: &&super::draw::Parameter| p.factor == Some(factor);
            let names: Vec<&str> = (parameters.iter().filter(members))
                .map(|p| p.name.as_str())
                .collect();
            if names.len() < 2 {
                continue;
            }
            let all_at = |score: f64| -> Vec<f64> {
                (parameters.iter().zip(&self.modes))
                    .map(|(p, mode)| match p.factor == Some(factor) {
                        true => p.law.at(score),
                        false => *mode,
                    })
                    .collect()
            };
            swings.push(Swing {
                of: Mover::Factor(factor),
                name: format!("factor {}", common.name),
                low_text: format!("{} at their low ends", names.join(", ")),
                high_text: "high ends".to_owned(),
                low: self.expected(quantities, &all_at(-SCORE_95))?,
                high: self.expected(quantities, &all_at(SCORE_95))?,
            });
        }
        if self.lucky {
            let mut found: Vec<Vec<f64>> = vec![Vec::new(); quantities.len()];
            for run in 0..LUCKY {
                let values = self.quantities(quantities, &self.modes, self.urn.failures(run))?;
                found.iter_mut().zip(values).for_each(|(to, v)| to.push(v));
            }
            found.iter_mut().for_each(|v| v.sort_by(f64::total_cmp));
            swings.push(Swing {
                of: Mover::Luck,
                name: FAILURES.to_owned(),
                low_text: "as luck has it".to_owned(),
                high_text: String::new(),
                low: found.iter().map(|v| quantile(v, 0.05)).collect(),
                high: found.iter().map(|v| quantile(v, 0.95)).collect(),
            });
        }
        Ok(swings)
    }

    /// The choices with the least and the most GPU-hours, or else cost.
    fn extremes(
        &self,
        quantities: &[Drawn],
        index: usize,
        choices: &[f64],
    ) -> Result<(f64, f64), ChanceError> {
        let mut found: Vec<(f64, f64)> = Vec::new();
        for choice in choices {
            let values = self.expected(quantities, &self.with(index, *choice))?;
            // Cost depends on all that GPU-hours depend on.
            let cost = quantities.iter().position(|q| q.quantity == Quantity::Cost);
            found.push((values[cost.unwrap_or(0)], *choice));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let ends = found.first().zip(found.last());
        Ok(ends.map_or((self.modes[index], self.modes[index]), |(a, b)| (a.1, b.1)))
    }

    /// What moves a quantity, most first.
    fn movers(
        &self,
        at: usize,
        swings: &[Swing],
        inputs: &[Vec<f64>],
        outputs: &[f64],
    ) -> Vec<MoverDocument> {
        let mut movers: Vec<MoverDocument> = (swings.iter())
            .map(|swing| MoverDocument {
                name: swing.name.clone(),
                low_text: swing.low_text.clone(),
                high_text: swing.high_text.clone(),
                at_low: swing.low[at],
                at_high: swing.high[at],
                rank_correlation: match swing.of {
                    Mover::Assumption(index) => {
                        let words = self.shape(index) == Shape::Choices
                            && self.resolved.ranges[index].of_words();
                        // Words have no order.
                        (!words).then(|| rank_correlation(&inputs[index], outputs))
                    }
                    Mover::Factor(factor) => {
                        let scores: Vec<f64> = (0..outputs.len() as u64)
                            .map(|draw| self.urn.score_of(factor, draw))
                            .collect();
                        Some(rank_correlation(&scores, outputs))
                    }
                    Mover::Luck => None,
                },
            })
            .filter(|mover| mover.at_low != mover.at_high)
            .collect();
        let size = |mover: &MoverDocument| (mover.at_high - mover.at_low).abs();
        movers.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.name.cmp(&b.name)));
        movers
    }

    /// The quantities along each assumption, for the search of break-even values.
    fn profiles(
        &self,
        quantities: &[Drawn],
        control: Control<'_>,
    ) -> Result<Vec<Option<Profile>>, ChanceError> {
        let mut jobs: Vec<(usize, f64)> = Vec::new();
        let mut searched: Vec<Option<(f64, f64)>> = vec![None; self.modes.len()];
        for (index, parameter) in self.urn.parameters().iter().enumerate() {
            let touch = self.touches[index];
            let law = &parameter.law;
            if law.certain() || !(touch.step || touch.run) {
                continue;
            }
            if let Some(choices) = law.choices() {
                let ends = (choices[0], choices[choices.len() - 1]);
                searched[index] = Some(ends);
                jobs.extend(choices.iter().map(|choice| (index, *choice)));
                continue;
            }
            let ends = (law.at(-SCORE_95), law.at(SCORE_95));
            let (mut low, mut high) = reach(law, ends.0, ends.1);
            if let Some(response) = &self.responses[index] {
                let known = response.known();
                (low, high) = (low.max(known.0), high.min(known.1));
            }
            searched[index] = Some((low, high));
            let mut values: Vec<f64> = (0..=GRID)
                .map(|i| between(low, high, i as f64 / GRID as f64))
                .map(|v| if law.whole() { v.round() } else { v })
                .collect();
            values.push(self.modes[index]);
            values.sort_by(f64::total_cmp);
            values.dedup();
            jobs.extend(values.into_iter().map(|value| (index, value)));
        }
        let stop = || control.cancel.load(Ordering::Relaxed);
        let found = pool::map(jobs.len(), control.threads, 1, &stop, &|job| {
            let (index, value) = jobs[job];
            self.expected(quantities, &self.with(index, value))
        })
        .ok_or(ChanceError::Cancelled)?;
        let mut profiles: Vec<Option<Profile>> = (searched.into_iter())
            .map(|searched| {
                searched.map(|searched| Profile {
                    searched,
                    points: Vec::new(),
                })
            })
            .collect();
        for ((index, value), outputs) in jobs.into_iter().zip(found) {
            // Beyond its range a value may contradict others: there is nothing to find there.
            if let (Some(profile), Ok(outputs)) = (&mut profiles[index], outputs) {
                profile.points.push((value, outputs));
            }
        }
        Ok(profiles)
    }

    /// For each assumption alone the value at which the claim comes true.
    fn break_even(
        &self,
        claim: &Asked,
        at: usize,
        quantities: &[Drawn],
        profiles: &[Option<Profile>],
    ) -> Result<Vec<BreakEvenDocument>, ChanceError> {
        let within = claim.within.unwrap_or(WITHIN);
        let mut all = Vec::new();
        for (index, profile) in profiles.iter().enumerate() {
            let Some(profile) = profile else { continue };
            let parameter = &self.urn.parameters()[index];
            let mut document = BreakEvenDocument {
                name: parameter.name.clone(),
                value: None,
                text: None,
                in_range: false,
                searched_from: profile.searched.0,
                searched_to: profile.searched.1,
            };
            if self.shape(index) == Shape::Choices {
                let near = |outputs: &[f64]| (outputs[at] / claim.stated - 1.0).abs() <= within;
                let texts: Vec<String> = (profile.points.iter())
                    .filter(|(_, outputs)| near(outputs))
                    .map(|(value, _)| self.print(index, *value))
                    .collect();
                document.in_range = !texts.is_empty();
                document.text = (!texts.is_empty()).then(|| texts.join(", "));
                all.push(document);
                continue;
            }
            if let Some(value) = self.crossing(claim.stated, at, index, quantities, profile)? {
                let (low, high) = match self.resolved.ranges.get(index) {
                    Some(range) => (range.low, range.high),
                    None => (parameter.law.at(-SCORE_95), parameter.law.at(SCORE_95)),
                };
                document.value = Some(value);
                document.text = Some(self.print(index, value));
                document.in_range = (low..=high).contains(&value);
            }
            all.push(document);
        }
        Ok(all)
    }

    /// The value nearest to the likeliest one at which a quantity is what is stated: bracketed by
    /// the profile, then by bisection, or linearly where luck makes it uneven.
    fn crossing(
        &self,
        stated: f64,
        at: usize,
        index: usize,
        quantities: &[Drawn],
        profile: &Profile,
    ) -> Result<Option<f64>, ChanceError> {
        let mode = self.modes[index];
        let mut best: Option<f64> = None;
        for pair in profile.points.windows(2) {
            let ((x, fx), (y, fy)) = (&pair[0], &pair[1]);
            let (fx, fy) = (fx[at] - stated, fy[at] - stated);
            // A quantity that does not move is at no value more true than at another.
            let between = fx * fy <= 0.0;
            if fx == fy || !between {
                continue;
            }
            let (mut low, mut high) = (*x, *y);
            let linear = low + (high - low) * (fx / (fx - fy));
            let found = if self.lucky || self.urn.parameters()[index].law.whole() {
                linear
            } else {
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    let value = self.expected(quantities, &self.with(index, middle))?[at] - stated;
                    if value * fx > 0.0 {
                        low = middle;
                    } else {
                        high = middle;
                    }
                    if high - low <= 1e-12 * high.abs() {
                        break;
                    }
                }
                0.5 * (low + high)
            };
            let nearer = |old: f64| (found - mode).abs() < (old - mode).abs();
            if best.is_none_or(nearer) {
                best = Some(found);
            }
        }
        Ok(best)
    }
}

/// What a swing is of.
#[derive(Clone, Copy, Debug)]
enum Mover {
    Assumption(usize),
    Factor(usize),
    Luck,
}

/// All quantities at both ends of something.
struct Swing {
    of: Mover,
    name: String,
    low_text: String,
    high_text: String,
    low: Vec<f64>,
    high: Vec<f64>,
}

/// All quantities along an assumption.
struct Profile {
    searched: (f64, f64),
    points: Vec<(f64, Vec<f64>)>,
}

/// A share of the way from low to high, in the logarithm where both are above zero.
fn between(low: f64, high: f64, share: f64) -> f64 {
    if share <= 0.0 {
        low
    } else if share >= 1.0 {
        high
    } else if low > 0.0 {
        libm::exp(libm::log(low) + (libm::log(high) - libm::log(low)) * share)
    } else {
        low + (high - low) * share
    }
}

fn distribution(
    of: &Drawn,
    point: f64,
    values: &[f64],
    movers: Vec<MoverDocument>,
) -> DistributionDocument {
    let (mean, deviation) = moments(values);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| QuantileDocument {
        share,
        value: quantile(&sorted, share),
    };
    DistributionDocument {
        quantity: of.quantity.id().to_owned(),
        phase: of.phase.clone(),
        unit: of.quantity.unit().symbol().to_owned(),
        point,
        mean,
        deviation,
        standard_error: deviation / (values.len() as f64).sqrt(),
        quantiles: SHARES.map(at).to_vec(),
        cdf: (0..=CDF)
            .map(|i| at(f64::from(i) / f64::from(CDF)))
            .collect(),
        movers,
    }
}

fn chance(
    claim: &Asked,
    distribution: &DistributionDocument,
    values: &[f64],
    break_even: Vec<BreakEvenDocument>,
) -> ClaimChance {
    let n = values.len() as f64;
    let share = |holds: &dyn Fn(f64) -> bool| {
        values.iter().filter(|value| holds(**value)).count() as f64 / n
    };
    let reached = match claim.quantity.better() {
        Better::Lower => share(&|value| value <= claim.stated),
        Better::Higher => share(&|value| value >= claim.stated),
    };
    let within = claim.within.unwrap_or(WITHIN);
    let mut chance = ClaimChance {
        quantity: claim.quantity.id().to_owned(),
        phase: claim.phase.clone(),
        stated: claim.stated,
        unit: claim.quantity.unit().symbol().to_owned(),
        who: claim.who.clone(),
        reached,
        reached_standard_error: (reached * (1.0 - reached) / n).sqrt(),
        within,
        inside: share(&|value| (value / claim.stated - 1.0).abs() <= within),
        break_even,
        sentence: String::new(),
    };
    chance.sentence = words::sentence(claim.quantity, &chance, distribution);
    chance
}
