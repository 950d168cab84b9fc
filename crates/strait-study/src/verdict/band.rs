//! How far a simulated value may be from the true one.
//!
//! In: a quantity, the setting, the outcome. Out: a [`Band`]: a wide interval and its inner part.
//! Never moves the value itself.

use super::quantity::Quantity;
use crate::answer::Setting;
use crate::uncertainty;
use strait_training::outcome::Outcome;
use strait_units::Ratio;

/// Standard deviations from the middle to the ends of an interval that holds four values in five,
/// and of one that holds every second.
const WIDE: f64 = 1.2816;
const INNER: f64 = 0.6745;

/// What a window of the step adds to the error of the step: it leans on how layers are cut into
/// stages and on what is counted as which window, which cancels in the whole. An allowance.
const WINDOW: f64 = 0.15;

/// Relative standard deviation of a peak of memory: 4.6 % is the mean error against measured
/// reservations (docs/accuracy.md), and what frameworks keep beside differs from run to run.
const MEMORY: f64 = 0.08;

/// An interval around a simulated value, in the quantity's unit. `low` to `high` holds the true
/// value four times in five or more, see `coverage`; the inner one every second time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Low end.
    pub low: f64,
    /// Low end of the inner half.
    pub inner_low: f64,
    /// Middle.
    pub middle: f64,
    /// High end of the inner half.
    pub inner_high: f64,
    /// High end.
    pub high: f64,
    /// Share of the true values that the whole interval holds.
    pub coverage: Ratio,
}

impl Band {
    /// Around a value with a relative standard deviation, symmetric in ratio.
    pub fn around(value: f64, deviation: Ratio) -> Band {
        let times = |widths: f64| value * libm::exp(widths * deviation.get());
        Band {
            low: times(-WIDE),
            inner_low: times(-INNER),
            middle: value,
            inner_high: times(INNER),
            high: times(WIDE),
            coverage: Ratio::new(uncertainty::COVERAGE),
        }
    }

    /// The band of the reciprocal.
    pub(super) fn inverted(self) -> Band {
        Band {
            low: 1.0 / self.high,
            inner_low: 1.0 / self.inner_high,
            middle: 1.0 / self.middle,
            inner_high: 1.0 / self.inner_low,
            high: 1.0 / self.low,
            coverage: self.coverage,
        }
    }
}

/// The band of a simulated value from the error of predictions alone: every setting is taken as true.
pub fn band(quantity: Quantity, value: f64, setting: &Setting, outcome: &Outcome) -> Band {
    let step = uncertainty::deviation(&setting.subject, &outcome.step);
    match quantity {
        Quantity::PeakMemory => Band::around(value, Ratio::new(MEMORY)),
        Quantity::Part(_) => Band::around(value, Ratio::new(libm::hypot(step.get(), WINDOW))),
        Quantity::FleetPrice => {
            let end = |pick: fn(&crate::scenario::FleetPrice) -> f64| {
                (setting.fleet.iter())
                    .filter_map(|part| Some(f64::from(part.count) * pick(part.price.as_ref()?)))
                    .sum::<f64>()
            };
            let (low, high) = (end(|p| p.low.get()), end(|p| p.high.get()));
            Band {
                low,
                inner_low: (low + value) / 2.0,
                middle: value,
                inner_high: (value + high) / 2.0,
                high,
                coverage: Ratio::new(uncertainty::COVERAGE),
            }
        }
        _ => Band::around(value, step),
    }
}
