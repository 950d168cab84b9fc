//! How likely the values of one assumption are.
//!
//! In: a range of a scenario. Out: its quantiles. Never draws: a value follows from a normal score
//! alone.

use super::quantile;
use crate::scenario::{Range, Shape};

/// The normal score of 95 %: a range that holds nine values in ten ends there.
pub const SCORE_95: f64 = 1.644_853_626_951_472_2;

/// A distribution of one number, in the base unit of its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    form: Form,
    /// What its key accepts: a draw beyond is set to the bound.
    bounds: (f64, f64),
    /// Draws are rounded to whole numbers.
    whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// Always the same.
    Point(f64),
    Pert {
        low: f64,
        mode: f64,
        high: f64,
    },
    Triangular {
        low: f64,
        mode: f64,
        high: f64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
    Lognormal {
        location: f64,
        scale: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// Values and their probabilities, in the order of the file.
    Choices(Vec<(f64, f64)>),
}

impl From<&Range> for Law {
    fn from(range: &Range) -> Law {
        let (low, mode, high) = (range.low, range.mode, range.high);
        let form = match range.shape {
            Shape::Choices => Form::Choices(
                (range.choices.iter())
                    .map(|choice| (choice.value, choice.probability))
                    .collect(),
            ),
            _ if low == high => Form::Point(mode),
            Shape::Pert => Form::Pert { low, mode, high },
            Shape::Triangular => Form::Triangular { low, mode, high },
            Shape::Uniform => Form::Uniform { low, high },
            Shape::Lognormal => Form::Lognormal {
                location: 0.5 * (libm::log(low) + libm::log(high)),
                scale: (libm::log(high) - libm::log(low)) / (2.0 * SCORE_95),
            },
            Shape::Normal => Form::Normal {
                mean: 0.5 * (low + high),
                deviation: (high - low) / (2.0 * SCORE_95),
            },
        };
        Law {
            form,
            bounds: range.bounds(),
            whole: range.whole(),
        }
    }
}

impl Law {
    /// A factor around one, lognormal, with this standard deviation of its logarithm.
    pub fn around_one(deviation: f64) -> Law {
        Law {
            form: match deviation > 0.0 {
                true => Form::Lognormal {
                    location: 0.0,
                    scale: deviation,
                },
                false => Form::Point(1.0),
            },
            bounds: (0.0, f64::INFINITY),
            whole: false,
        }
    }

    /// The value at a normal score: as much of the distribution lies below it as of the normal
    /// distribution below the score.
    pub fn at(&self, score: f64) -> f64 {
        let value = match &self.form {
            Form::Point(value) => *value,
            Form::Lognormal { location, scale } => libm::exp(location + scale * score),
            Form::Normal { mean, deviation } => mean + deviation * score,
            Form::Pert { low, mode, high } => {
                let width = high - low;
                let a = 1.0 + 4.0 * (mode - low) / width;
                let b = 1.0 + 4.0 * (high - mode) / width;
                low + width * quantile::beta(a, b, quantile::normal_below(score))
            }
            Form::Triangular { low, mode, high } => {
                let p = quantile::normal_below(score);
                let (width, left) = (high - low, mode - low);
                if p * width <= left {
                    low + (p * width * left).sqrt()
                } else {
                    // The upper tail from its own side: 1 - p is exact there.
                    let q = quantile::normal_below(-score);
                    high - (q * width * (high - mode)).sqrt()
                }
            }
            Form::Uniform { low, high } => low + (high - low) * quantile::normal_below(score),
            Form::Choices(choices) => {
                let p = quantile::normal_below(score);
                let mut sum = 0.0;
                let likely = choices.iter().filter(|(_, probability)| *probability > 0.0);
                let mut value = f64::NAN;
                for (choice, probability) in likely {
                    value = *choice;
                    sum += probability;
                    if p < sum {
                        break;
                    }
                }
                return value;
            }
        };
        let value = value.clamp(self.bounds.0, self.bounds.1);
        if self.whole { value.round() } else { value }
    }

    /// Whether it is always the same.
    pub fn certain(&self) -> bool {
        match &self.form {
            Form::Point(_) => true,
            Form::Choices(choices) => choices.iter().filter(|c| c.1 > 0.0).count() < 2,
            _ => false,
        }
    }

    /// Its few values, where it has but a few.
    pub fn choices(&self) -> Option<Vec<f64>> {
        match &self.form {
            Form::Choices(choices) => Some(choices.iter().map(|(value, _)| *value).collect()),
            Form::Point(value) => Some(vec![*value]),
            _ => None,
        }
    }

    /// What its key accepts.
    pub fn bounds(&self) -> (f64, f64) {
        self.bounds
    }

    /// Whether its values are whole numbers.
    pub fn whole(&self) -> bool {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(form: Form) -> Law {
        Law {
            form,
            bounds: (f64::NEG_INFINITY, f64::INFINITY),
            whole: false,
        }
    }

    /// Mean and variance by the midpoint rule over a million quantiles would be slow: a few
    /// thousand suffice where tails are light.
    fn moments(law: &Law) -> (f64, f64) {
        let n = 20_000;
        let values: Vec<f64> = (0..n)
            .map(|i| law.at(quantile::normal((f64::from(i) + 0.5) / f64::from(n))))
            .collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        (mean, squares / f64::from(n))
    }

    #[test]
    fn means_and_variances_are_those_of_the_closed_forms() {
        let (low, mode, high) = (1.0, 2.0, 6.0);
        let triangle = (
            (low + mode + high) / 3.0,
            (low * low + mode * mode + high * high - low * mode - low * high - mode * high) / 18.0,
        );
        let mean = (low + 4.0 * mode + high) / 6.0;
        let pert = (mean, (mean - low) * (high - mean) / 7.0);
        let (location, scale) = (0.3, 0.2f64);
        let square = libm::exp(scale * scale);
        let lognormal = (
            libm::exp(location + scale * scale / 2.0),
            (square - 1.0) * square * libm::exp(2.0 * location),
        );
        for (name, form, (mean, variance)) in [
            ("triangular", Form::Triangular { low, mode, high }, triangle),
            ("pert", Form::Pert { low, mode, high }, pert),
            ("uniform", Form::Uniform { low, high }, (3.5, 25.0 / 12.0)),
            ("lognormal", Form::Lognormal { location, scale }, lognormal),
            (
                "normal",
                Form::Normal {
                    mean: -1.0,
                    deviation: 2.0,
                },
                (-1.0, 4.0),
            ),
            (
                "choices",
                Form::Choices(vec![(1.0, 0.25), (3.0, 0.75)]),
                (2.5, 0.75),
            ),
        ] {
            let found = moments(&law(form));
            assert!((found.0 - mean).abs() < 1e-4, "{name}: {found:?} {mean}");
            assert!(
                (found.1 / variance - 1.0).abs() < 1e-3,
                "{name}: {found:?} {variance}"
            );
        }
    }

    #[test]
    fn a_lognormal_range_holds_nine_values_in_ten() {
        let (low, high) = (libm::log(1.5), libm::log(3.0));
        let rent = law(Form::Lognormal {
            location: 0.5 * (low + high),
            scale: (high - low) / (2.0 * SCORE_95),
        });
        for (p, value) in [(0.05, 1.5), (0.95, 3.0), (0.5, 4.5f64.sqrt())] {
            let found = rent.at(quantile::normal(p));
            assert!((found / value - 1.0).abs() < 1e-14, "{p}: {found}");
        }
    }

    #[test]
    fn triangular_quantiles_are_exact_on_both_sides_of_the_mode() {
        let law = law(Form::Triangular {
            low: 0.0,
            mode: 1.0,
            high: 4.0,
        });
        // F(x) = x²/4 up to the mode, 1 - (4-x)²/12 after it.
        for x in [0.1, 0.5, 1.0, 1.5, 3.0, 3.99] {
            let p = if x <= 1.0 {
                x * x / 4.0
            } else {
                1.0 - (4.0 - x) * (4.0 - x) / 12.0
            };
            let found = law.at(quantile::normal(p));
            assert!((found - x).abs() < 1e-12, "{x}: {found}");
        }
    }

    #[test]
    fn draws_stay_within_what_the_key_accepts() {
        let mut law = law(Form::Normal {
            mean: 0.02,
            deviation: 0.02,
        });
        law.bounds = (0.0, 0.05);
        assert_eq!((law.at(-3.0), law.at(3.0)), (0.0, 0.05));
    }

    #[test]
    fn choices_of_no_weight_are_never_drawn() {
        let law = law(Form::Choices(vec![(1.0, 0.0), (2.0, 1.0), (3.0, 0.0)]));
        for score in [-9.0, 0.0, 9.0] {
            assert_eq!(law.at(score), 2.0);
        }
        assert!(law.certain());
    }
}
