//! What a run with interruptions takes on average, in closed form.
//!
//! In: rates and times in seconds. Out: expected times, and the checkpoint interval that makes
//! them least. The plain twin of the simulation in the mean, and what finds the interval.
//!
//! Failures arrive at rate λ for the whole job, planned stops at rate μ, s = λ + μ, at any time.
//! Each keeps the job down for X, and starts detection and restart anew where it is down already:
//! down time is the busy period of a queue with as many servers as it likes, whose mean is
//! B = (exp(s·E[X]) − 1) / s whatever the distribution of X (Takács 1962). A segment of length
//! L = interval + stop has to be passed without a failure, but a planned stop saves what was done.
//! The renewal equation of that has the solution
//! E = (1 + s·B) / μ · ln(1 + μ/s · (exp(s·L) − 1)), which for μ → 0 is Daly's
//! (1/λ + B)·(exp(λ·L) − 1) (Daly, Future Generation Computer Systems 22, 2006). A checkpoint that
//! is safe only a time W after its stop multiplies this by exp(λ·W).

/// Rates and times that the mean depends on, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mean {
    /// Failures of the job, per second.
    pub failures: f64,
    /// Planned stops of the job, per second.
    pub planned: f64,
    /// Down time of one interruption that none follows, mean over failures and planned stops.
    pub down: f64,
    /// Stop for a checkpoint.
    pub stop: f64,
    /// From its end until the checkpoint is safe.
    pub upload: f64,
    /// Pauses for evaluation per second of training.
    pub pauses: f64,
}

impl Mean {
    /// Mean of a whole stay down, interruptions that fall into it included.
    pub fn busy(&self) -> f64 {
        let s = self.failures + self.planned;
        if s > 0.0 {
            libm::expm1(s * self.down) / s
        } else {
            0.0
        }
    }

    /// Mean time to pass a segment of this length from one checkpoint to the next.
    fn segment(&self, length: f64, upload: f64) -> f64 {
        let (lambda, mu) = (self.failures, self.planned);
        let s = lambda + mu;
        if s <= 0.0 {
            return length;
        }
        let grown = libm::expm1(s * length);
        let passed = if mu * grown / s > 1e-6 {
            libm::log1p(mu / s * grown) / mu
        } else {
            grown / s
        };
        libm::exp(lambda * upload) * (1.0 + s * self.busy()) * passed
    }

    /// Mean time of so much training with a checkpoint after each interval; none after the last.
    pub fn total(&self, work: f64, interval: Option<f64>) -> f64 {
        let stretched = |work: f64| work * (1.0 + self.pauses);
        let Some(interval) = interval.filter(|interval| *interval < work) else {
            return self.segment(stretched(work), 0.0);
        };
        let saves = (work / interval).ceil() - 1.0;
        let rest = work - saves * interval;
        saves * self.segment(stretched(interval) + self.stop, self.upload)
            + self.segment(stretched(rest), 0.0)
    }

    /// The interval for which the mean time is least, at least `least` long; `None` where the run
    /// is shortest without a checkpoint.
    pub fn best_interval(&self, work: f64, least: f64) -> Option<f64> {
        if self.failures <= 0.0 || least >= work {
            return None;
        }
        // Time per training, of one interval after another: it falls, then rises.
        let cost = |log: f64| {
            let interval = libm::exp(log);
            self.segment(interval * (1.0 + self.pauses) + self.stop, self.upload) / interval
        };
        // Golden section; 60 halvings by 0.618 leave 3e-13 of the range of logarithms.
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = (libm::log(least.max(1e-6)), libm::log(work));
        let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
        let (mut at_a, mut at_b) = (cost(a), cost(b));
        for _ in 0..60 {
            // Where both overflow, the shorter interval is the better one.
            if at_a <= at_b || !at_b.is_finite() {
                (high, b, at_b) = (b, a, at_a);
                a = high - golden * (high - low);
                at_a = cost(a);
            } else {
                (low, a, at_a) = (a, b, at_b);
                b = low + golden * (high - low);
                at_b = cost(b);
            }
        }
        let best = libm::exp((low + high) / 2.0);
        let without = self.total(work, None);
        (self.total(work, Some(best)) < without).then_some(best)
    }
}

/// Young's first order of the best interval, sqrt(2 · stop / failures) (Communications of the ACM
/// 17, 1974): what the exact one comes near to where both are far below the time between failures.
#[cfg(test)]
pub(super) fn young(stop: f64, failures: f64) -> f64 {
    (2.0 * stop / failures).sqrt()
}

/// Probability that at most `spares` of the nodes that are in repair (Poisson distributed with
/// this mean) are so at once.
pub(super) fn enough(mean: f64, spares: u32) -> f64 {
    // Terms from the largest down would be exact; a plain sum of logarithms' exponentials is
    // exact enough to tell 1 % from 99 %.
    let mut sum = 0.0;
    for k in 0..=spares {
        let k = f64::from(k);
        let log = if mean > 0.0 {
            k * libm::log(mean) - mean - libm::lgamma(k + 1.0)
        } else if k == 0.0 {
            0.0
        } else {
            f64::NEG_INFINITY
        };
        sum += libm::exp(log);
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(failures: f64, planned: f64) -> Mean {
        Mean {
            failures,
            planned,
            down: 700.0,
            stop: 30.0,
            upload: 0.0,
            pauses: 0.0,
        }
    }

    #[test]
    fn without_interruptions_it_is_the_work_and_its_stops() {
        let m = mean(0.0, 0.0);
        assert_eq!(m.total(1000.0, None), 1000.0);
        // Three of four intervals end with a checkpoint.
        assert_eq!(m.total(1000.0, Some(250.0)), 1000.0 + 3.0 * 30.0);
        assert_eq!(m.best_interval(1e6, 1.0), None);
    }

    #[test]
    fn a_few_planned_stops_change_daly_by_little() {
        let without = mean(1e-4, 0.0).total(1e6, Some(2000.0));
        let with = mean(1e-4, 1e-12).total(1e6, Some(2000.0));
        assert!((with / without - 1.0).abs() < 1e-5, "{with} {without}");
    }

    #[test]
    fn the_best_interval_is_youngs_where_failures_are_rare() {
        for (stop, failures) in [(1.0, 1e-6), (30.0, 1e-7), (100.0, 1e-8)] {
            let m = Mean {
                stop,
                ..mean(failures, 0.0)
            };
            let best = m.best_interval(1e9, 1.0).unwrap();
            let first = young(stop, failures);
            assert!((best / first - 1.0).abs() < 0.01, "{best} {first}");
        }
    }

    #[test]
    fn no_interval_nearby_is_better() {
        for failures in [1e-6, 1e-4, 1e-3, 3e-3] {
            let m = mean(failures, failures / 10.0);
            let best = m.best_interval(1e8, 1.0).unwrap();
            let at = |interval: f64| m.segment(interval + m.stop, m.upload) / interval;
            for factor in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
                assert!(at(best) <= at(best * factor), "{failures} {best} {factor}");
            }
        }
    }

    #[test]
    fn spares_that_cover_the_mean_are_enough_half_of_the_time() {
        assert_eq!(enough(0.0, 0), 1.0);
        assert!((enough(1.0, 0) - 0.36788).abs() < 1e-5);
        assert!((enough(100.0, 100) - 0.5266).abs() < 1e-3);
        assert!(enough(100.0, 130) > 0.998);
        assert!(enough(1e6, 10) < 1e-9);
    }
}
