//! Errors of many rows as a few numbers, and what a constant would have scored.
//!
//! In: relative errors, in the metric that each row prints. Out: mean, median, percentile. Never
//! weighs one row more than another.

/// Mean of a list; NaN of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Quantile by linear interpolation between order statistics; NaN of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, part) = (at.floor(), at - at.floor());
    let value = |index: f64| sorted[(index as usize).min(last)];
    value(low) * (1.0 - part) + value(low + 1.0) * part
}

/// Absolute errors in brief.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Rows.
    pub rows: usize,
    /// Mean absolute error.
    pub mean: f64,
    /// Median absolute error.
    pub median: f64,
    /// 90th percentile of the absolute error.
    pub p90: f64,
    /// Mean signed error.
    pub bias: f64,
}

/// Sums up signed errors.
pub fn summary(errors: &[f64]) -> Summary {
    let absolute: Vec<f64> = errors.iter().map(|e| e.abs()).collect();
    Summary {
        rows: errors.len(),
        mean: mean(&absolute),
        median: quantile(&absolute, 0.5),
        p90: quantile(&absolute, 0.9),
        bias: mean(errors),
    }
}

/// A measured job as a constant utilisation sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    /// The utilisation that is exact for it: the time at the peak over the measured one.
    pub needed: f64,
    /// It was measured as a time; else as a rate or a share, of which more is faster.
    pub is_time: bool,
}

impl Job {
    /// Relative error of a constant in the job's own metric, as errors of predictions are told: a
    /// constant of twice what is needed gives half the time (-50 %) or twice the rate (+100 %).
    pub fn error(self, utilisation: f64) -> f64 {
        let rate = utilisation / self.needed;
        if self.is_time {
            rate.recip() - 1.0
        } else {
            rate - 1.0
        }
    }
}

/// The constant utilisation that fits best: of all that make one row exact, the one with the least
/// mean absolute error in the rows' own metrics. NaN where a row needs none.
pub fn best_constant(jobs: &[Job]) -> f64 {
    let mut sorted = jobs.to_vec();
    sorted.sort_by(|a, b| a.needed.total_cmp(&b.needed));
    if sorted.iter().any(|job| !job.needed.is_finite()) {
        return f64::NAN;
    }
    // Errors of times are |needed / u - 1|, of rates |u / needed - 1|: with the sums of `needed` and
    // of its inverse below and above u, all rows are judged at once.
    let mut above = Sums::default();
    for job in &sorted {
        above.add(*job, 1.0);
    }
    let mut below = Sums::default();
    let mut best = (f64::INFINITY, f64::NAN);
    for job in &sorted {
        above.add(*job, -1.0);
        below.add(*job, 1.0);
        let u = job.needed;
        let cost = (below.times - below.needed / u)
            + (above.needed / u - above.times)
            + (u * below.inverse - below.rates)
            + (above.rates - u * above.inverse);
        if cost < best.0 {
            best = (cost, u);
        }
    }
    best.1
}

/// Numbers and sums of jobs on one side of a constant.
#[derive(Clone, Copy, Default)]
struct Sums {
    times: f64,
    needed: f64,
    rates: f64,
    inverse: f64,
}

impl Sums {
    fn add(&mut self, job: Job, sign: f64) {
        if job.is_time {
            self.times += sign;
            self.needed += sign * job.needed;
        } else {
            self.rates += sign;
            self.inverse += sign / job.needed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert!((quantile(&values, 0.9) - 3.7).abs() < 1e-12);
        assert!(quantile(&[], 0.5).is_nan());
    }

    /// Mean absolute error of a constant, row by row.
    fn cost(jobs: &[Job], utilisation: f64) -> f64 {
        let errors: Vec<f64> = jobs.iter().map(|j| j.error(utilisation).abs()).collect();
        mean(&errors)
    }

    #[test]
    fn errors_are_those_of_the_metric() {
        let job = |is_time| Job {
            needed: 0.25,
            is_time,
        };
        assert_eq!(job(true).error(0.5), -0.5);
        assert_eq!(job(false).error(0.5), 1.0);
    }

    #[test]
    fn the_best_constant_is_no_worse_than_any_other() {
        for is_time in [true, false] {
            let jobs = [0.5, 0.4, 0.33, 0.25].map(|needed| Job { needed, is_time });
            let best = best_constant(&jobs);
            for u in (1..100).map(|n| f64::from(n) / 100.0) {
                assert!(cost(&jobs, best) <= cost(&jobs, u) + 1e-12, "{u}");
            }
        }
        assert!(best_constant(&[]).is_nan());
        let nothing = Job {
            needed: f64::NAN,
            is_time: true,
        };
        assert!(best_constant(&[nothing]).is_nan());
    }

    #[test]
    fn of_times_and_rates_the_least_of_those_that_make_a_row_exact() {
        // Lehmer's generator, so that rows are in no order.
        let mut state = 48_271_u64;
        let jobs: Vec<Job> = (0..60)
            .map(|at| {
                state = state * 48_271 % 2_147_483_647;
                Job {
                    needed: 0.05 + 0.6 * state as f64 / 2_147_483_647.0,
                    is_time: at % 3 != 0,
                }
            })
            .collect();
        let plain = (jobs.iter())
            .map(|job| cost(&jobs, job.needed))
            .fold(f64::INFINITY, f64::min);
        assert!((cost(&jobs, best_constant(&jobs)) - plain).abs() < 1e-12);
    }
}
