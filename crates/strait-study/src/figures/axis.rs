//! One axis of a plot, linear or logarithmic.
//!
//! In: values. Out: where a value lies in pixels, and round values with their names. Never has an end that is
//! not finite, whatever the values: single ones and none get an axis as well.

use super::decades::marks;
use super::theme::{Type, width};
use crate::answer::format::fixed;

/// Ratio of the largest to the smallest value from which on an axis is logarithmic.
const WIDE: f64 = 20.0;
/// Room beyond the outermost values, as a share of the axis.
const ROOM: f64 = 0.03;

/// How values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Equal differences.
    Linear,
    /// Equal differences from zero on.
    Zero,
    /// Equal ratios where the values span more than [`WIDE`], else equal differences.
    Either,
}

/// An axis between two pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    /// Equal ratios.
    pub log: bool,
}

impl Axis {
    /// Through all values that are finite, from the pixel `start` to the pixel `end`.
    pub fn new(values: &[f64], spacing: Spacing, (start, end): (f64, f64)) -> Axis {
        // Beyond this the differences of values are no numbers any more.
        let usable = |v: &f64| v.is_finite() && v.abs() < 1e300;
        let (mut low, mut high) = (values.iter().copied().filter(usable))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(v), h.max(v))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let log = spacing == Spacing::Either && low > 0.0 && high / low > WIDE;
        if log {
            (low, high) = (libm::log10(low), libm::log10(high));
        }
        if spacing == Spacing::Zero {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if low == high {
            let about = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - about, high + about);
        }
        let room = ROOM * (high - low);
        let (first, last) = (low == 0.0 && !log, high == 0.0 && !log);
        Axis {
            low: if first { low } else { low - room },
            high: if last { high } else { high + room },
            start,
            end,
            log,
        }
    }

    /// The same axis between other pixels.
    pub fn between(self, (start, end): (f64, f64)) -> Axis {
        Axis { start, end, ..self }
    }

    /// Pixel of a value; outside of the axis where the value is.
    pub fn at(&self, value: f64) -> f64 {
        let value = match self.log {
            true => libm::log10(value),
            false => value,
        };
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// Whether the axis reaches a value.
    pub fn holds(&self, value: f64) -> bool {
        let at = self.at(value);
        let (low, high) = (self.start.min(self.end), self.start.max(self.end));
        at.is_finite() && at >= low - 0.01 && at <= high + 0.01
    }

    /// Round values with their names, as many as have room along a horizontal axis.
    pub fn across(&self, factor: f64, font: Type) -> Vec<(f64, String)> {
        self.round(factor, &|name| width(name, font) + 14.0)
    }

    /// Round values with their names, as many as have room along a vertical axis.
    pub fn down(&self, factor: f64, apart: f64) -> Vec<(f64, String)> {
        self.round(factor, &|_| apart)
    }

    /// Round values of `factor` times the axis, each with as much room as `room` says.
    fn round(&self, factor: f64, room: &dyn Fn(&str) -> f64) -> Vec<(f64, String)> {
        let mut found = Vec::new();
        for attempt in 0..12 {
            found = match self.log {
                true => self.ratios(factor, attempt),
                false => self.differences(factor, attempt),
            };
            let fits = found.windows(2).all(|pair| {
                let apart = (self.at(pair[1].0) - self.at(pair[0].0)).abs();
                apart >= room(&pair[0].1).max(room(&pair[1].1))
            });
            if fits {
                return found;
            }
        }
        found.truncate(1);
        found
    }

    fn ratios(&self, factor: f64, attempt: usize) -> Vec<(f64, String)> {
        let shift = libm::log10(factor);
        let ends = (self.low + shift, self.high + shift);
        let strides = [1.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];
        let steps: &[f64] = if attempt == 0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let stride = strides[attempt.min(strides.len() - 1)];
        (marks(ends, steps, stride).into_iter())
            .map(|(at, name)| (libm::exp10(at - shift), name))
            .collect()
    }

    fn differences(&self, factor: f64, attempt: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low * factor, self.high * factor);
        // Ten steps at first, then always fewer.
        let rough = (high - low) / [10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0][attempt.min(8)];
        let power = libm::floor(libm::log10(rough));
        let unit = libm::exp10(power);
        let (times, finer) = [(1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0), (10.0, -1)]
            .into_iter()
            .find(|(times, _)| unit * times >= rough * (1.0 - 1e-9))
            .unwrap_or((10.0, -1));
        let step = unit * times;
        let decimals = (finer - power as i32).max(0) as usize;
        let everyday = (-4.0..9.0).contains(&power);
        let first = libm::ceil(low / step - 1e-9);
        let mut found = Vec::new();
        let mut index = first;
        while index * step <= high + step * 1e-9 && found.len() < 50 {
            let value = index * step;
            let name = match (value == 0.0, everyday) {
                (true, _) => "0".to_owned(),
                (_, true) => fixed(value, decimals),
                (_, false) => format!("{value:.3e}"),
            };
            found.push((value / factor, name));
            index += 1.0;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::theme::colour;

    #[test]
    fn any_values_have_an_axis_with_round_values() {
        let font = Type::new(12.0, colour::INK);
        let sets: [&[f64]; 11] = [
            &[],
            &[f64::NAN, f64::INFINITY],
            &[5.0],
            &[0.0],
            &[1.0, 2.0],
            &[-3.0, 4e7],
            &[1e-300, 1e299],
            &[100.0, 900.0],
            &[1e-9, 1.1e-9],
            &[5.3e6, 9.1e6],
            &[1e12, 1e12 + 1.0],
        ];
        for values in sets {
            for spacing in [Spacing::Linear, Spacing::Zero, Spacing::Either] {
                let axis = Axis::new(values, spacing, (50.0, 700.0));
                for value in values.iter().filter(|v| v.is_finite()) {
                    assert!(axis.holds(*value), "{values:?} {spacing:?}");
                }
                let marks = axis.across(1.0, font);
                assert!(!marks.is_empty(), "{values:?} {spacing:?}");
                for (value, name) in &marks {
                    assert!(axis.holds(*value), "{name} of {values:?}");
                }
                let reversed = axis.between((400.0, 60.0));
                assert!(!reversed.down(1.0, 30.0).is_empty());
            }
        }
    }

    #[test]
    fn round_values_are_round() {
        let font = Type::new(12.0, colour::INK);
        let axis = Axis::new(&[5.3e6, 9.1e6], Spacing::Either, (50.0, 700.0));
        let names: Vec<String> = (axis.across(1e-6, font).into_iter())
            .map(|(_, name)| name)
            .collect();
        assert_eq!(
            names,
            ["5.5", "6.0", "6.5", "7.0", "7.5", "8.0", "8.5", "9.0"]
        );
        let axis = Axis::new(&[20.0, 900.0], Spacing::Either, (50.0, 700.0));
        assert!(axis.log);
        let names: Vec<String> = (axis.across(1.0, font).into_iter())
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names, ["20", "50", "100", "200", "500", "1,000"]);
    }
}
