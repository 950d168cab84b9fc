//! A pair of logarithmic axes.
//!
//! In: pairs of times. Out: where a time lies in pixels, and round times for both axes. Never
//! gives one axis longer decades than the other: equal ratios look equal in both directions.

use super::theme::{Type, width};
use crate::answer::format::{decimals, fixed};

/// Room above and below the diagonal, in decades: bands of 25 % leave the plot at its sides.
const ROOM: f64 = 0.14;

/// Both axes, in decades.
pub(super) struct Axes {
    /// Left and right ends.
    pub x: (f64, f64),
    /// Lower and upper ends.
    pub y: (f64, f64),
    left: f64,
    top: f64,
    /// Pixels of a decade.
    decade: f64,
}

impl Axes {
    /// Axes between two columns of pixels, as far as the first values of `pairs` go, which must
    /// be positive and finite, and a little further where the second ones do.
    pub fn new(pairs: &[(f64, f64)], (left, right): (f64, f64)) -> Axes {
        let ends = |of: &dyn Fn(&(f64, f64)) -> f64| {
            (pairs.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), pair| {
                let at = libm::log10(of(pair));
                (low.min(at), high.max(at))
            })
        };
        let (low, high) = ends(&|pair| pair.0);
        let short = (1.0 - (high - low)).max(0.0) / 2.0;
        let (low, high) = (low - short - 0.06, high + short + 0.06);
        let further = ROOM * (high - low).max(1.0);
        let (least, most) = ends(&|pair| pair.1);
        Axes {
            x: (low, high),
            y: (
                (least - 0.05).max(low - further).min(low - ROOM),
                (most + 0.05).min(high + further).max(high + ROOM),
            ),
            left,
            top: 0.0,
            decade: (right - left) / (high - low),
        }
    }

    /// The same axes with their upper end at a height.
    pub fn below(self, top: f64) -> Axes {
        Axes { top, ..self }
    }

    /// Pixels from the upper to the lower end.
    pub fn height(&self) -> f64 {
        (self.y.1 - self.y.0) * self.decade
    }

    /// Column of a logarithm.
    pub fn across(&self, at: f64) -> f64 {
        self.left + (at - self.x.0) * self.decade
    }

    /// Row of a logarithm.
    pub fn down(&self, at: f64) -> f64 {
        self.top + (self.y.1 - at) * self.decade
    }

    /// Round times between two logarithms, as many as have room: logarithm and name.
    pub fn round(&self, (from, to): (f64, f64), font: Type) -> Vec<(f64, String)> {
        let fine: (&[f64], f64) = (&[1.0, 2.0, 5.0], 1.0);
        let coarse = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|n| ([1.0].as_slice(), n));
        for (steps, stride) in std::iter::once(fine).chain(coarse) {
            let found = marks((from, to), steps, stride);
            let widest = found
                .iter()
                .map(|(_, name)| width(name, font))
                .fold(0.0, f64::max);
            // A factor of two is the smallest step of the fine ones.
            let apart = if steps.len() > 1 {
                libm::log10(2.0)
            } else {
                stride
            };
            if apart * self.decade >= widest + 8.0 {
                return found;
            }
        }
        Vec::new()
    }
}

/// Round values between two logarithms: logarithm and name.
pub(super) fn marks((from, to): (f64, f64), steps: &[f64], stride: f64) -> Vec<(f64, String)> {
    let mut found = Vec::new();
    let mut power = (from / stride).floor() * stride;
    while power <= to {
        for step in steps {
            let at = power + libm::log10(*step);
            if (from..=to).contains(&at) {
                let everyday = (-4.0..6.0).contains(&power);
                let name = if everyday {
                    fixed(step * libm::exp10(power), (-power).max(0.0) as usize)
                } else {
                    format!("{step}e{power}")
                };
                found.push((at, name));
            }
        }
        power += stride;
    }
    found
}

/// Seconds with three digits, those far from everyday as powers of ten.
pub(super) fn brief(seconds: f64) -> String {
    if (1e-4..1e6).contains(&seconds) {
        fixed(seconds, decimals(seconds, 3))
    } else {
        format!("{seconds:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::theme::colour;

    #[test]
    fn round_times_have_room_on_any_axis() {
        let font = Type::new(12.0, colour::INK);
        for (low, high) in [
            (1.0, 1.0),
            (0.1, 500.0),
            (1e3, 1e9),
            (1e-300, 1e300),
            (4e-320, 1e308),
        ] {
            let axes = Axes::new(&[(low, high), (high, low)], (70.0, 724.0));
            let found = axes.round(axes.x, font);
            assert!(!found.is_empty(), "{low} {high}");
            for pair in found.windows(2) {
                let [(a, name), (b, _)] = pair else {
                    unreachable!()
                };
                assert!(
                    axes.across(*b) - axes.across(*a) > width(name, font),
                    "{name}"
                );
            }
            assert!(axes.height().is_finite() && axes.height() < 1000.0);
        }
    }

    #[test]
    fn times_are_brief() {
        let found = [0.1, 12.345, 1234.5, 1e300, 3e-9].map(brief);
        assert_eq!(found, ["0.100", "12.3", "1,234", "1e300", "3e-9"]);
    }
}
