//! What a sweep says at a glance.
//!
//! In: rows one after the other. Out: how many failed and why, the best case, the spread of cost and step
//! time, and what each axis does to their medians. Holds a few numbers of at most [`KEPT`] cases, evenly
//! chosen where there are more. Never keeps a row.

use super::columns::{COST, Columns, ERROR, FITS, FOLDED, Role, STEP, Value};
use super::plan::Opened;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most cases that medians are taken of.
pub const KEPT: u64 = 200_000;

/// Most different errors that are counted.
const ERRORS: usize = 1000;

/// Most values of an axis that are told one by one; more are told in [`PARTS`].
const LEVELS: usize = 24;

/// Parts of as many cases each that the values of an axis are told in.
const PARTS: usize = 8;

/// Of what there are many values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// As many are below as above.
    pub median: f64,
    /// Most.
    pub max: f64,
}

/// A case that stands out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its number.
    pub case: u64,
    /// Its settings: axis and value.
    pub settings: Vec<(String, String)>,
    /// US dollars.
    pub cost_usd: f64,
    /// Seconds of a step.
    pub step_time_s: f64,
}

/// Cases with one value of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The value, or from where to where.
    pub value: String,
    /// Cases that have an answer.
    pub cases: u64,
    /// Median cost, US dollars.
    pub cost_usd: f64,
    /// Median step, seconds.
    pub step_time_s: f64,
}

/// What an axis does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Name of the axis.
    pub axis: String,
    /// Its values in their order.
    pub levels: Vec<Level>,
}

impl Effect {
    /// The least and the most of the medians of a figure.
    pub fn range(&self, of: impl Fn(&Level) -> f64) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.levels.iter().map(of).collect();
        let least = values.iter().copied().min_by(f64::total_cmp)?;
        let most = values.iter().copied().max_by(f64::total_cmp)?;
        Some((least, most))
    }
}

/// What a sweep says at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Cases.
    pub cases: u64,
    /// Cases with an answer.
    pub answered: u64,
    /// Of them those that need more memory than there is.
    pub too_large: u64,
    /// Of them those whose ranks were folded.
    pub folded: u64,
    /// Errors and how many cases have each, the most frequent first.
    pub errors: Vec<(String, u64)>,
    /// The cheapest case that fits in memory.
    pub best: Option<Best>,
    /// Cost in US dollars.
    pub cost_usd: Option<Spread>,
    /// Seconds of a step.
    pub step_time_s: Option<Spread>,
    /// What each axis does, in their order.
    pub effects: Vec<Effect>,
}

/// A few numbers of one case.
struct Kept {
    cost: f64,
    step: f64,
    /// For each axis the place of its value, or the value.
    axes: Vec<f64>,
}

/// What has been seen so far.
pub struct Gathering {
    every: u64,
    summary: Summary,
    errors: BTreeMap<String, u64>,
    kept: Vec<Kept>,
    axes: Vec<AxisSeen>,
    cost: Option<usize>,
    step: Option<usize>,
    error: Option<usize>,
    fits: Option<usize>,
    folded: Option<usize>,
}

/// How the values of an axis are told.
struct AxisSeen {
    name: String,
    text: Option<usize>,
    number: Option<usize>,
    unit: String,
    /// Values by their place, where they are listed or words.
    known: Vec<String>,
    listed: bool,
    places: BTreeMap<String, usize>,
}

impl Gathering {
    /// Of the rows of a plan.
    pub fn new(opened: &Opened, columns: &Columns) -> Gathering {
        let plan = &opened.plan;
        let place = |role: Role| columns.list.iter().position(|column| column.role == role);
        let axes = (plan.axes.iter().enumerate())
            .map(|(index, axis)| {
                let known: Vec<String> = (axis.points().unwrap_or(&[]).iter())
                    .map(|point| point.text.clone())
                    .collect();
                AxisSeen {
                    name: axis.name.clone(),
                    text: place(Role::AxisText(index)),
                    number: place(Role::AxisNumber(index)),
                    unit: axis.unit.clone().unwrap_or_default(),
                    listed: axis.points().is_some() || axis.of_words(),
                    places: (known.iter().enumerate())
                        .map(|(place, text)| (text.clone(), place))
                        .collect(),
                    known,
                }
            })
            .collect();
        Gathering {
            every: plan.cases.div_ceil(KEPT).max(1),
            summary: Summary {
                cases: 0,
                answered: 0,
                too_large: 0,
                folded: 0,
                errors: Vec::new(),
                best: None,
                cost_usd: None,
                step_time_s: None,
                effects: Vec::new(),
            },
            errors: BTreeMap::new(),
            kept: Vec::new(),
            axes,
            cost: columns.place(COST),
            step: columns.place(STEP),
            error: columns.place(ERROR),
            fits: columns.place(FITS),
            folded: columns.place(FOLDED),
        }
    }

    /// Looks at a row.
    pub fn add(&mut self, case: u64, row: &[Value]) {
        let value = |place: Option<usize>| place.and_then(|place| row.get(place));
        self.summary.cases += 1;
        if let Some(Value::Text(why)) = value(self.error) {
            if let Some(count) = self.errors.get_mut(why) {
                *count += 1;
            } else if self.errors.len() < ERRORS {
                self.errors.insert(why.clone(), 1);
            }
            return;
        }
        let number = |place| value(place).and_then(Value::number);
        let (Some(cost), Some(step)) = (number(self.cost), number(self.step)) else {
            return;
        };
        self.summary.answered += 1;
        self.summary.folded += u64::from(value(self.folded) == Some(&Value::Flag(true)));
        let fits = value(self.fits) != Some(&Value::Flag(false));
        self.summary.too_large += u64::from(!fits);
        let better = (self.summary.best.as_ref()).is_none_or(|best| cost < best.cost_usd);
        if fits && better {
            let settings = (self.axes.iter())
                .map(|axis| {
                    let text = match (value(axis.text), value(axis.number)) {
                        (Some(Value::Text(text)), _) => text.clone(),
                        (_, Some(number)) => {
                            number.number().map_or(String::new(), |n| n.to_string())
                        }
                        _ => String::new(),
                    };
                    (axis.name.clone(), text)
                })
                .collect();
            self.summary.best = Some(Best {
                case,
                settings,
                cost_usd: cost,
                step_time_s: step,
            });
        }
        if !case.is_multiple_of(self.every) {
            return;
        }
        let mut axes = Vec::with_capacity(self.axes.len());
        for axis in &mut self.axes {
            let of = |place: Option<usize>| place.and_then(|place| row.get(place));
            let text = match (of(axis.text), of(axis.number)) {
                (Some(Value::Text(text)), _) => text.clone(),
                (_, Some(number)) => number.number().map_or(String::new(), |n| n.to_string()),
                _ => String::new(),
            };
            axes.push(if axis.listed {
                let next = axis.known.len();
                let place = *axis.places.entry(text.clone()).or_insert(next);
                if place == next {
                    axis.known.push(text);
                }
                place as f64
            } else {
                of(axis.number).and_then(Value::number).unwrap_or(f64::NAN)
            });
        }
        self.kept.push(Kept { cost, step, axes });
    }

    /// What has been seen.
    pub fn finish(self) -> Summary {
        let mut summary = self.summary;
        summary.errors = self.errors.into_iter().collect();
        summary
            .errors
            .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all: Vec<&Kept> = self.kept.iter().collect();
        summary.cost_usd = spread(&all, |kept| kept.cost);
        summary.step_time_s = spread(&all, |kept| kept.step);
        summary.effects = (self.axes.iter().enumerate())
            .map(|(index, axis)| effect(index, axis, &self.kept))
            .collect();
        summary
    }
}

fn spread(kept: &[&Kept], of: impl Fn(&Kept) -> f64) -> Option<Spread> {
    let mut values: Vec<f64> = kept.iter().map(|kept| of(kept)).collect();
    values.sort_by(f64::total_cmp);
    Some(Spread {
        min: *values.first()?,
        median: middle(&values),
        max: *values.last()?,
    })
}

/// The median of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len().is_multiple_of(2)) {
        (Some(upper), true) if half > 0 => 0.5 * (sorted[half - 1] + upper),
        (Some(upper), _) => *upper,
        (None, _) => f64::NAN,
    }
}

fn effect(index: usize, axis: &AxisSeen, kept: &[Kept]) -> Effect {
    let mut order: Vec<&Kept> = (kept.iter())
        .filter(|kept| !kept.axes[index].is_nan())
        .collect();
    order.sort_by(|a, b| a.axes[index].total_cmp(&b.axes[index]));
    let level = |value: String, cases: &[&Kept]| Level {
        value,
        cases: cases.len() as u64,
        cost_usd: spread(cases, |kept| kept.cost).map_or(f64::NAN, |s| s.median),
        step_time_s: spread(cases, |kept| kept.step).map_or(f64::NAN, |s| s.median),
    };
    let same: Vec<&[&Kept]> = order
        .chunk_by(|a, b| a.axes[index] == b.axes[index])
        .collect();
    let told = |value: f64| match axis.listed {
        true => axis.known.get(value as usize).cloned().unwrap_or_default(),
        false => format!("{} {}", crate::scenario::figure(value), axis.unit)
            .trim()
            .to_owned(),
    };
    let levels = if same.len() <= LEVELS {
        (same.iter())
            .filter_map(|cases| Some(level(told(cases.first()?.axes[index]), cases)))
            .collect()
    } else {
        (order.chunks(order.len().div_ceil(PARTS).max(1)))
            .filter_map(|cases| {
                let (first, last) = (cases.first()?, cases.last()?);
                let value = format!("{} to {}", told(first.axes[index]), told(last.axes[index]));
                Some(level(value, cases))
            })
            .collect()
    };
    Effect {
        axis: axis.name.clone(),
        levels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(middle(&[1.0, 2.0, 4.0]), 2.0);
        assert_eq!(middle(&[1.0, 2.0, 4.0, 5.0]), 3.0);
        assert_eq!(middle(&[7.0]), 7.0);
        assert!(middle(&[]).is_nan());
    }

    #[test]
    fn values_are_told_one_by_one_or_in_parts() {
        let axis = AxisSeen {
            name: "economics.rent".to_owned(),
            text: None,
            number: None,
            unit: "USD/h".to_owned(),
            known: Vec::new(),
            listed: false,
            places: BTreeMap::new(),
        };
        let kept = |count: usize, of: &dyn Fn(usize) -> f64| -> Vec<Kept> {
            (0..count)
                .map(|index| Kept {
                    cost: index as f64,
                    step: 1.0,
                    axes: vec![of(index)],
                })
                .collect()
        };
        let few = effect(0, &axis, &kept(90, &|index| (index % 3) as f64));
        let values: Vec<&str> = few
            .levels
            .iter()
            .map(|level| level.value.as_str())
            .collect();
        assert_eq!(values, ["0 USD/h", "1 USD/h", "2 USD/h"]);
        assert!(few.levels.iter().all(|level| level.cases == 30));
        let many = effect(0, &axis, &kept(80, &|index| index as f64));
        assert_eq!(many.levels.len(), PARTS);
        assert_eq!(many.levels[0].value, "0 USD/h to 9 USD/h");
        assert_eq!(many.levels[0].cost_usd, 4.5);
        assert_eq!(many.range(|level| level.cost_usd), Some((4.5, 74.5)));
    }
}
