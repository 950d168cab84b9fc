//! Lengths of responses: a lognormal that generation cuts off at a maximum.
//!
//! In: the mean of what is generated, the spread before the cut, the maximum. Out: shares and
//! moments in closed form. Never draws at random.

/// The distribution of min(X, maximum) with X lognormal, its location chosen so that the mean is
/// the given one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lengths {
    mean: f64,
    maximum: f64,
    /// Location and scale of ln X; `None`: all are of the mean length.
    log: Option<(f64, f64)>,
}

/// Distribution function of the standard normal.
fn normal(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

impl Lengths {
    /// Without spread, or where the mean is the maximum, all lengths are the mean. The mean must not be
    /// above the maximum.
    pub fn new(mean: f64, spread: f64, maximum: f64) -> Lengths {
        let mut lengths = Lengths {
            mean: mean.min(maximum),
            maximum,
            log: None,
        };
        // Within a part in 10^9 of the maximum nothing is left to spread.
        if spread <= 0.0 || mean >= maximum * (1.0 - 1e-9) {
            lengths.maximum = lengths.mean;
            return lengths;
        }
        let scale = libm::log(1.0 + spread * spread).sqrt();
        // The mean after the cut grows with the location, from below what it is without a cut.
        let mut low = libm::log(mean) - scale * scale / 2.0;
        let mut high = libm::log(maximum) + 40.0 * scale;
        for _ in 0..80 {
            let middle = (low + high) / 2.0;
            lengths.log = Some((middle, scale));
            if lengths.limited_mean(maximum) < mean {
                low = middle;
            } else {
                high = middle;
            }
        }
        lengths
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// No length is above this; where there is no spread, all are this.
    pub fn maximum(&self) -> f64 {
        self.maximum
    }

    /// All lengths are the same.
    #[cfg(test)]
    pub fn constant(&self) -> bool {
        self.log.is_none()
    }

    /// Share of responses that are longer than this.
    pub fn longer(&self, length: f64) -> f64 {
        if length >= self.maximum {
            return 0.0;
        }
        match self.log {
            Some((location, scale)) if length > 0.0 => {
                normal((location - libm::log(length)) / scale)
            }
            _ => 1.0,
        }
    }

    /// Mean of the lengths cut off at `limit`: the integral of `longer` from 0 to there.
    pub fn limited_mean(&self, limit: f64) -> f64 {
        let limit = limit.min(self.maximum);
        if limit <= 0.0 {
            return 0.0;
        }
        let Some((location, scale)) = self.log else {
            return limit;
        };
        let z = (libm::log(limit) - location) / scale;
        libm::exp(location + scale * scale / 2.0) * normal(z - scale) + limit * normal(-z)
    }

    /// Mean of the squares.
    pub fn mean_square(&self) -> f64 {
        let Some((location, scale)) = self.log else {
            return self.mean * self.mean;
        };
        let z = (libm::log(self.maximum) - location) / scale;
        libm::exp(2.0 * location + 2.0 * scale * scale) * normal(z - 2.0 * scale)
            + self.maximum * self.maximum * normal(-z)
    }

    /// The length that a share `share` of responses does not reach, by bisection: for the plain twin.
    #[cfg(test)]
    pub fn quantile(&self, share: f64) -> f64 {
        if self.constant() || 1.0 - share <= self.longer(self.maximum * (1.0 - 1e-12)) {
            return self.maximum;
        }
        let (mut low, mut high) = (0.0, self.maximum);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if 1.0 - self.longer(middle) < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low + high) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_quantiles() {
        for (mean, spread, maximum) in [
            (6000.0, 1.0, 32768.0),
            (500.0, 0.3, 32768.0),
            (20000.0, 2.0, 32768.0),
        ] {
            let lengths = Lengths::new(mean, spread, maximum);
            const POINTS: u32 = 20_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for index in 0..POINTS {
                let length = lengths.quantile((f64::from(index) + 0.5) / f64::from(POINTS));
                sum += length / f64::from(POINTS);
                squares += length * length / f64::from(POINTS);
            }
            assert!((sum / mean - 1.0).abs() < 1e-3, "{sum} {mean}");
            assert!((squares / lengths.mean_square() - 1.0).abs() < 3e-3);
            assert!((lengths.limited_mean(maximum) / mean - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn without_spread_all_are_of_one_length() {
        for lengths in [
            Lengths::new(700.0, 0.0, 32768.0),
            Lengths::new(700.0, 1.0, 700.0),
        ] {
            assert!(lengths.constant());
            assert_eq!(lengths.longer(699.9), 1.0);
            assert_eq!(lengths.longer(700.0), 0.0);
            assert_eq!(lengths.maximum(), 700.0);
            assert_eq!(lengths.mean_square(), 490_000.0);
        }
    }
}
