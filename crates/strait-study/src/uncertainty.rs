//! How sure a predicted step time is.
//!
//! In: what was simulated and the step's parts; the facts of `catalog/uncertainty`. Out: an 80 %
//! interval. Never moves the prediction itself.
//!
//! Each kind of work has an error that all its kernels share, from the residuals of the tables that
//! no fit has seen. Weighed by its share of the step it is one independent part of the step's error;
//! the clock, the generation of software, a chip without a table, and the composition of the step
//! are others. The interval is symmetric in the logarithm: a prediction may be as many times too
//! fast as too slow.

use crate::catalog::Catalog;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use strait_training::case::Case;
use strait_training::ops::Class;
use strait_training::outcome::StepOutcome;
use strait_units::{Ratio, Time};

/// The share of a normal distribution that the interval holds, and its half-width in standard
/// deviations.
pub const COVERAGE: f64 = 0.8;
const HALF_WIDTH: f64 = 1.2816;

/// What the facts of uncertainty depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Kernel profile of the accelerator.
    pub profile: String,
    /// Some layers are mixtures of experts.
    pub moe: bool,
}

impl From<&Case> for Subject {
    fn from(case: &Case) -> Subject {
        Subject {
            profile: case.cluster.accelerator.kernels.clone(),
            moe: case.model.experts.is_some(),
        }
    }
}

/// A range that holds the true value four times in five.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Low end.
    pub low: Time,
    /// High end.
    pub high: Time,
}

impl Interval {
    /// Around a time, with a relative standard deviation.
    pub fn around(time: Time, deviation: Ratio) -> Interval {
        let factor = libm::exp(HALF_WIDTH * deviation.get());
        Interval {
            low: Time::from_seconds(time.seconds() / factor),
            high: Time::from_seconds(time.seconds() * factor),
        }
    }
}

#[derive(Clone, Deserialize)]
struct Facts {
    kernels: BTreeMap<String, Ratio>,
    links: BTreeMap<String, Ratio>,
    clock: BTreeMap<String, Ratio>,
    generation: Generation,
    chip: Chip,
    composition: Composition,
}

#[derive(Clone, Deserialize)]
struct Generation {
    settled: Ratio,
    young: Ratio,
    young_profiles: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Chip {
    unmeasured: Ratio,
    measured_profiles: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Composition {
    dense: Ratio,
    moe: Ratio,
}

fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let loaded = Catalog::embedded().load("uncertainty", "default");
        loaded.unwrap_or_else(|error| panic!("the program's own catalogue: {error}"))
    })
}

/// Relative standard deviation of a predicted step.
pub fn deviation(subject: &Subject, step: &StepOutcome) -> Ratio {
    let facts = facts();
    let known =
        |table: &BTreeMap<String, Ratio>, key: &str| table.get(key).map_or(0.0, |r| r.get());
    let (mut products, mut attention, mut memory) = (0.0, 0.0, 0.0);
    for (name, time) in &step.kernels {
        let share = match Class::ALL.iter().find(|class| class.name() == name) {
            Some(Class::Gemm | Class::GroupedGemm | Class::WeightGradient) => &mut products,
            Some(Class::Attention) => &mut attention,
            _ => &mut memory,
        };
        *share += time.seconds();
    }
    let exposed = &step.exposed;
    let collective = [
        exposed.tensor,
        exposed.context,
        exposed.pipeline,
        exposed.data,
    ]
    .iter()
    .map(|time| time.seconds())
    .sum::<f64>();
    let exchange = exposed.expert.seconds();
    // Bubbles are made of the same work and grow with it.
    let whole = (products + attention + memory + collective + exchange).max(f64::MIN_POSITIVE);
    let parts = [
        products / whole * known(&facts.kernels, "gemm"),
        attention / whole * known(&facts.kernels, "attention"),
        memory / whole * known(&facts.kernels, "memory"),
        collective / whole * known(&facts.links, "collective"),
        exchange / whole * known(&facts.links, "exchange"),
        (products + attention) / whole * known(&facts.clock, &subject.profile),
        match facts.generation.young_profiles.contains(&subject.profile) {
            true => facts.generation.young.get(),
            false => facts.generation.settled.get(),
        },
        match facts.chip.measured_profiles.contains(&subject.profile) {
            true => 0.0,
            false => facts.chip.unmeasured.get(),
        },
        match subject.moe {
            true => facts.composition.moe.get(),
            false => facts.composition.dense.get(),
        },
    ];
    Ratio::new(parts.iter().map(|part| part * part).sum::<f64>().sqrt())
}

/// The 80 % interval of a predicted step.
pub fn interval(subject: &Subject, step: &StepOutcome) -> Interval {
    Interval::around(step.time, deviation(subject, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kernels: &[(Class, f64)], expert: f64) -> StepOutcome {
        let mut step = crate::answer::sample::dualpipe().1.step;
        step.kernels = kernels
            .iter()
            .map(|(class, seconds)| (class.name().to_owned(), Time::from_seconds(*seconds)))
            .collect();
        step.exposed = Default::default();
        step.exposed.expert = Time::from_seconds(expert);
        step.time = Time::from_seconds(10.0);
        step
    }

    fn subject(profile: &str, moe: bool) -> Subject {
        Subject {
            profile: profile.to_owned(),
            moe,
        }
    }

    #[test]
    fn the_interval_is_wider_where_less_is_known() {
        let products = step(&[(Class::Gemm, 9.0)], 0.0);
        let measured = deviation(&subject("hopper", false), &products);
        for (what, wider) in [
            ("no table", deviation(&subject("cdna3", false), &products)),
            ("experts", deviation(&subject("hopper", true), &products)),
            (
                "memory-bound",
                deviation(&subject("hopper", false), &step(&[(Class::Norm, 9.0)], 0.0)),
            ),
        ] {
            assert!(wider > measured, "{what}: {wider} {measured}");
        }
    }

    #[test]
    fn it_is_around_the_prediction_and_symmetric_in_ratio() {
        let step = step(&[(Class::Gemm, 5.0), (Class::Attention, 2.0)], 1.0);
        let found = interval(&subject("hopper", true), &step);
        assert!(found.low < step.time && step.time < found.high);
        let (down, up) = (
            step.time.seconds() / found.low.seconds(),
            found.high.seconds() / step.time.seconds(),
        );
        assert!((down / up - 1.0).abs() < 1e-6, "{down} {up}");
    }
}
