//! Which inputs are varied, and how far.
//!
//! In: a resolved case and what was asked for. Out: inputs with the case at each of their values.
//! Never simulates.

use super::document::InputSource;
use super::evaluate::Point;
use super::request::Value;
use super::{SensitivityError, Subject};
use crate::chance::PREDICTION;
use crate::chance::law::{Law, SCORE_95};
use crate::scenario::{Number, Range, ResolvedCase, Shape};
use strait_training::simulate::check;

/// What each input is varied by where nothing is stated and nothing asked for.
pub const CONVENTION: f64 = 0.10;
/// Distance of the two values of which an elasticity is made, as a share of the value.
const NEAR: f64 = 0.01;

/// Inputs that a convention varies: sections whose numbers are rates, times, powers and prices, and
/// single numbers of others.
const VARIED: [&str; 7] = [
    "cluster.",
    "software.",
    "economics.",
    "reliability.",
    "training.tokens",
    "routing.spread",
    "noise.chip_spread",
];
/// What of them it leaves out: limits, which nothing follows until they are passed, and how things
/// are counted.
const LEFT_OUT: [&str; 4] = [
    "cluster.memory",
    "cluster.oversubscription",
    "routing.spread_",
    "economics.line",
];
/// Inputs of chance: their values need chance to be simulated.
const OF_CHANCE: [&str; 2] = ["noise.", "routing."];

/// A value of an input, and where its quantities will be found.
#[derive(Clone, Debug)]
pub(super) struct InputPoint {
    pub shown: String,
    pub number: Option<f64>,
    pub job: usize,
}

/// An input.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub path: String,
    pub source: InputSource,
    pub why: String,
    pub base: String,
    pub base_value: Option<f64>,
    pub points: Vec<InputPoint>,
    /// Two values beside the base, and where their quantities will be found.
    pub near: Option<[(f64, usize); 2]>,
}

/// Inputs, and the points to simulate.
#[derive(Default)]
pub(super) struct Plan {
    pub inputs: Vec<Input>,
    pub points: Vec<Point>,
    pub warnings: Vec<String>,
}

/// Whether chance itself is at stake.
pub(super) fn of_chance(path: &str) -> bool {
    OF_CHANCE.iter().any(|section| path.starts_with(section))
}

impl Plan {
    /// A case that was resolved with other values; what contradicts itself is said at its values.
    pub fn add(
        &mut self,
        at: String,
        resolved: ResolvedCase,
        full: bool,
    ) -> Result<usize, SensitivityError> {
        if let Some(error) = check(&resolved.case).into_iter().next() {
            return Err(SensitivityError::simulate(&at, error));
        }
        self.points.push(Point {
            at,
            case: resolved.case,
            fleet: resolved.fleet,
            full,
            prediction: 1.0,
        });
        Ok(self.points.len() - 1)
    }

    fn set(
        &mut self,
        subject: &Subject<'_>,
        path: &str,
        value: &Value,
        full: bool,
    ) -> Result<usize, SensitivityError> {
        let resolved = subject.at(&[(path.to_owned(), value.set.clone())])?;
        let known = &subject.resolved.warnings;
        for warning in &resolved.warnings {
            let told = |w: &str| known.iter().any(|k| k.code == w);
            // The same remark for every value is one remark.
            if !told(warning.code) && !self.warnings.iter().any(|w| w.contains(warning.code)) {
                self.warnings
                    .push(format!("{} ({})", warning.message, warning.code));
            }
        }
        let full = full || of_chance(path);
        self.add(format!("at {path} = {}", value.shown), resolved, full)
    }

    /// Two points beside the base for the elasticity of a number.
    fn beside(
        &mut self,
        subject: &Subject<'_>,
        path: &str,
        base: f64,
    ) -> Result<Option<[(f64, usize); 2]>, SensitivityError> {
        let Some(number) = Number::at(path).filter(|n| !n.whole() && base > 0.0) else {
            return Ok(None);
        };
        let (least, most) = number.bounds();
        let ends = [1.0 - NEAR, 1.0 + NEAR].map(|share| (base * share).clamp(least, most));
        let mut near = [(0.0, 0); 2];
        for (slot, end) in near.iter_mut().zip(ends) {
            *slot = (
                end,
                self.set(subject, path, &Value::number(&number, end), false)?,
            );
        }
        Ok((near[0].0 < near[1].0).then_some(near))
    }

    /// An input at values that `--set` takes.
    pub fn asked(
        &mut self,
        subject: &Subject<'_>,
        path: &str,
        values: &[Value],
        source: InputSource,
        full: bool,
    ) -> Result<(), SensitivityError> {
        let mut points = Vec::new();
        for value in values {
            points.push(InputPoint {
                shown: value.shown.clone(),
                number: value.number,
                job: self.set(subject, path, value, full)?,
            });
        }
        let base_value = subject.base_value(path);
        let near = match base_value {
            // Each point of chance is dear: its ends have to do.
            Some(base) if !of_chance(path) => self.beside(subject, path, base)?,
            _ => None,
        };
        self.inputs.push(Input {
            path: path.to_owned(),
            source,
            why: String::new(),
            base: subject.base_text(path),
            base_value,
            points,
            near,
        });
        Ok(())
    }

    /// A range that the scenario states.
    pub fn stated(
        &mut self,
        subject: &Subject<'_>,
        index: usize,
        range: &Range,
        full: bool,
    ) -> Result<(), SensitivityError> {
        let modes: Vec<f64> = (subject.resolved.ranges.iter())
            .map(|range| range.mode)
            .collect();
        let values: Vec<f64> = match range.shape {
            Shape::Choices => range.choices.iter().map(|choice| choice.value).collect(),
            _ if range.low == range.high => return Ok(()),
            _ => vec![range.low, range.high],
        };
        let chance = of_chance(&range.path);
        let at = |plan: &mut Plan, value: f64, full: bool| -> Result<usize, SensitivityError> {
            let mut all = modes.clone();
            all[index] = value;
            let case =
                (subject.resolved.with(subject.catalog, &all)).map_err(SensitivityError::Faults)?;
            let mut resolved = subject.resolved.clone();
            resolved.case = case;
            let told = format!("at {} = {}", range.path, range.print(value));
            plan.add(told, resolved, full || chance)
        };
        let mut points = Vec::new();
        for value in values {
            points.push(InputPoint {
                shown: range.print(value),
                number: (!range.of_words()).then_some(value),
                job: at(self, value, full)?,
            });
        }
        let smooth = !chance && !range.of_words() && !range.whole() && range.mode > 0.0;
        let near = match smooth {
            true => {
                let (least, most) = range.bounds();
                let ends =
                    [1.0 - NEAR, 1.0 + NEAR].map(|share| (range.mode * share).clamp(least, most));
                let jobs = [at(self, ends[0], false)?, at(self, ends[1], false)?];
                (ends[0] < ends[1]).then(|| [(ends[0], jobs[0]), (ends[1], jobs[1])])
            }
            false => None,
        };
        self.inputs.push(Input {
            path: range.path.clone(),
            source: InputSource::Stated,
            why: range.why.clone(),
            base: range.print(range.mode),
            base_value: (!range.of_words()).then_some(range.mode),
            points,
            near,
        });
        Ok(())
    }

    /// The prediction's own error, from its 5 % to its 95 % quantile.
    pub fn prediction(&mut self, subject: &Subject<'_>, deviation: f64) {
        let law = Law::around_one(deviation);
        if law.certain() {
            return;
        }
        let points = [law.at(-SCORE_95), law.at(SCORE_95)].map(|factor| {
            let job = self.points.len();
            let told = format!("{} times", crate::answer::format::significant(factor));
            self.points.push(Point {
                at: format!("at {told} the predicted time"),
                case: subject.resolved.case.clone(),
                fleet: subject.resolved.fleet.clone(),
                full: false,
                prediction: factor,
            });
            InputPoint {
                shown: told,
                number: Some(factor),
                job,
            }
        });
        self.inputs.push(Input {
            path: PREDICTION.to_owned(),
            source: InputSource::Prediction,
            why: "the error of a predicted step, nine times in ten, from measurements that no fit \
                  has seen"
                .to_owned(),
            base: "1 times".to_owned(),
            base_value: Some(1.0),
            points: points.to_vec(),
            near: None,
        });
    }

    /// Each input of a machine, its software and its prices, more and less by a share of itself.
    pub fn convention(
        &mut self,
        subject: &Subject<'_>,
        share: f64,
        known: &[String],
    ) -> Result<(), SensitivityError> {
        for explained in &subject.resolved.origins {
            let path = &explained.path;
            let varied = VARIED.iter().any(|p| path.starts_with(p))
                && !LEFT_OUT
                    .iter()
                    .any(|p| path == p || path.starts_with(&format!("{p}.")));
            let Some(number) = Number::at(path).filter(|n| varied && !n.whole()) else {
                continue;
            };
            if known.contains(path) || self.inputs.iter().any(|input| input.path == *path) {
                continue;
            }
            let Some(base) = subject.base_value(path).filter(|base| *base > 0.0) else {
                continue;
            };
            let (least, most) = number.bounds();
            let values = [1.0 - share, 1.0 + share]
                .map(|by| Value::number(&number, (base * by).clamp(least, most)));
            if values[0] == values[1] {
                continue;
            }
            let (inputs, points) = (self.inputs.len(), self.points.len());
            match self.asked(subject, path, &values, InputSource::Convention, false) {
                Ok(()) => {}
                // Nobody has asked for this value: what it contradicts is said, and the rest goes on.
                Err(SensitivityError::Faults(faults)) => {
                    let message = faults.first().map_or("", |f| f.message.as_str());
                    self.warnings
                        .push(format!("`{path}` is left out: {message}"));
                    self.inputs.truncate(inputs);
                    self.points.truncate(points);
                }
                Err(SensitivityError::Simulate { at, source }) => {
                    self.warnings
                        .push(format!("`{path}` is left out: {at}, {source}"));
                    self.inputs.truncate(inputs);
                    self.points.truncate(points);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}
