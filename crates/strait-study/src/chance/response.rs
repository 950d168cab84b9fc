//! How one assumption changes the time of every step.
//!
//! In: step times simulated at a few values. Out: factors at any value, to multiply the steps of
//! the case as it stands. Between values a monotone cubic (Fritsch and Carlson 1980) in the
//! logarithms of value and time: it never leaves the range of its neighbours.

use super::law::Law;

/// How many values to simulate: from one end of what is drawn to the other, and beyond on either
/// side. Fewer where a step is dear, because its ranks cannot be folded.
const CHEAP: (usize, usize) = (9, 2);
const DEAR: (usize, usize) = (5, 1);
/// How far beyond a search for the value at which a claim comes true goes: so many times the end,
/// or where values are not above zero so many widths of the range.
const REACH: f64 = 3.0;
/// Draws beyond so many standard deviations take the value at the end.
const FAR: f64 = 4.0;
/// Whole numbers that are few enough to simulate each.
const FEW: f64 = 16.0;

/// Values at which to simulate.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Ascending where they are numbers, in the order of the file where they are choices.
    pub values: Vec<f64>,
    /// The first and the last that may be drawn; others may have no answer.
    pub drawn: (f64, f64),
    discrete: bool,
    logarithmic: bool,
}

impl Plan {
    /// For a law with this likeliest value.
    pub fn new(law: &Law, mode: f64, dear: bool) -> Plan {
        let (inside, beyond) = if dear { DEAR } else { CHEAP };
        if let Some(choices) = law.choices() {
            let ends = |pick: fn(f64, f64) -> f64, start| choices.iter().copied().fold(start, pick);
            return Plan {
                drawn: (
                    ends(f64::min, f64::INFINITY),
                    ends(f64::max, f64::NEG_INFINITY),
                ),
                values: choices,
                discrete: true,
                logarithmic: false,
            };
        }
        let (low, high) = (law.at(-FAR).min(mode), law.at(FAR).max(mode));
        let logarithmic = low > 0.0;
        let to = |value: f64| if logarithmic { libm::log(value) } else { value };
        let from = |t: f64| if logarithmic { libm::exp(t) } else { t };
        let keep = |value: f64| {
            let value = value.clamp(law.bounds().0, law.bounds().1);
            if law.whole() { value.round() } else { value }
        };
        let mut values = vec![low, high, mode];
        if law.whole() && high - low <= FEW {
            let mut value = low;
            while value < high {
                values.push(value);
                value += 1.0;
            }
        } else {
            // Chebyshev's points: densest at the ends, where a curve is known from one side only.
            let (middle, half) = (0.5 * (to(low) + to(high)), 0.5 * (to(high) - to(low)));
            values.extend((1..inside - 1).map(|i| {
                let angle = std::f64::consts::PI * i as f64 / (inside - 1) as f64;
                keep(from(middle - half * libm::cos(angle)))
            }));
        }
        let (far_low, far_high) = reach(law, low, high);
        for i in 1..=beyond {
            let share = i as f64 / beyond as f64;
            for (end, far) in [(low, far_low), (high, far_high)] {
                values.push(keep(from(to(end) + (to(far) - to(end)) * share)));
            }
        }
        values.sort_by(f64::total_cmp);
        values.dedup_by(|a, b| (*a - *b).abs() <= 1e-12 * b.abs());
        Plan {
            values,
            drawn: (low, high),
            discrete: false,
            logarithmic,
        }
    }
}

/// How far a search goes beyond the ends of a range, within what the key accepts.
pub(super) fn reach(law: &Law, low: f64, high: f64) -> (f64, f64) {
    let (least, most) = law.bounds();
    let width = high - low;
    if low > 0.0 {
        // A bound of zero is never reached by division.
        ((low / REACH).max(least), (high * REACH).min(most))
    } else {
        (
            (low - REACH * width).max(least),
            (high + REACH * width).min(most),
        )
    }
}

/// Log factors of every step as a function of one assumption.
#[derive(Clone, Debug)]
pub(super) struct Response {
    at: Vec<f64>,
    /// By step, then by value.
    logs: Vec<Vec<f64>>,
    slopes: Vec<Vec<f64>>,
    discrete: bool,
    logarithmic: bool,
}

impl Response {
    /// From log factors, by value and then by step; values as in the plan, those without an answer
    /// left out.
    pub fn new(plan: &Plan, nodes: Vec<(f64, Vec<f64>)>) -> Response {
        let to = |value: f64| match plan.logarithmic {
            true => libm::log(value),
            false => value,
        };
        let steps = nodes.first().map_or(0, |(_, logs)| logs.len());
        let at: Vec<f64> = nodes.iter().map(|(value, _)| to(*value)).collect();
        let logs: Vec<Vec<f64>> = (0..steps)
            .map(|step| nodes.iter().map(|(_, logs)| logs[step]).collect())
            .collect();
        let slopes = match plan.discrete {
            true => Vec::new(),
            false => logs.iter().map(|logs| slopes(&at, logs)).collect(),
        };
        Response {
            at,
            logs,
            slopes,
            discrete: plan.discrete,
            logarithmic: plan.logarithmic,
        }
    }

    /// Values between which it knows something.
    pub fn known(&self) -> (f64, f64) {
        let from = |t: f64| if self.logarithmic { libm::exp(t) } else { t };
        let first = self.at.first().copied().unwrap_or(0.0);
        let last = self.at.last().copied().unwrap_or(0.0);
        (from(first), from(last))
    }

    /// Adds the log factors at a value.
    pub fn add(&self, value: f64, out: &mut [f64]) {
        if self.at.is_empty() {
            return;
        }
        if self.discrete {
            let same = |t: &f64| *t == value;
            if let Some(index) = self.at.iter().position(same) {
                for (out, logs) in out.iter_mut().zip(&self.logs) {
                    *out += logs[index];
                }
            }
            return;
        }
        let x = match self.logarithmic {
            true => libm::log(value.max(f64::MIN_POSITIVE)),
            false => value,
        };
        let last = self.at.len() - 1;
        let x = x.clamp(self.at[0], self.at[last]);
        let right = self.at.partition_point(|t| *t < x).clamp(1, last.max(1));
        if last == 0 {
            for (out, logs) in out.iter_mut().zip(&self.logs) {
                *out += logs[0];
            }
            return;
        }
        let left = right - 1;
        let width = self.at[right] - self.at[left];
        let t = (x - self.at[left]) / width;
        // Hermite's basis.
        let (t2, t3) = (t * t, t * t * t);
        let (a, b) = (2.0 * t3 - 3.0 * t2 + 1.0, t3 - 2.0 * t2 + t);
        let (c, d) = (3.0 * t2 - 2.0 * t3, t3 - t2);
        for ((out, logs), slopes) in out.iter_mut().zip(&self.logs).zip(&self.slopes) {
            *out += a * logs[left]
                + b * width * slopes[left]
                + c * logs[right]
                + d * width * slopes[right];
        }
    }
}

/// Slopes of a monotone cubic: harmonic means of the neighbouring secants, zero at an extremum
/// (Fritsch and Butland 1984).
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    if n < 2 {
        return vec![0.0; n];
    }
    let width: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let secant: Vec<f64> = (y.windows(2).zip(&width))
        .map(|(w, width)| (w[1] - w[0]) / width)
        .collect();
    (0..n)
        .map(|i| {
            if i == 0 {
                return secant[0];
            }
            if i == n - 1 {
                return secant[n - 2];
            }
            let (left, right) = (secant[i - 1], secant[i]);
            if left * right <= 0.0 {
                return 0.0;
            }
            let (h, k) = (width[i - 1], width[i]);
            let (p, q) = (2.0 * k + h, k + 2.0 * h);
            (p + q) / (p / left + q / right)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smooth(plan: &Plan) -> Response {
        // Bandwidth: a part of the step shrinks with it, the rest does not.
        let nodes = (plan.values.iter())
            .map(|v| (*v, vec![libm::log(0.7 + 0.3 / v), 0.0]))
            .collect();
        Response::new(plan, nodes)
    }

    fn plan(low: f64, high: f64) -> Plan {
        let law = Law::around_one(libm::log(high / low) / (2.0 * FAR));
        Plan::new(&law, 1.0, false)
    }

    #[test]
    fn a_smooth_response_is_followed_closely() {
        let plan = plan(0.5, 2.0);
        let response = smooth(&plan);
        let mut worst = 0.0f64;
        for i in 0..=1000 {
            let value = plan.drawn.0 + (plan.drawn.1 - plan.drawn.0) * f64::from(i) / 1000.0;
            let mut out = [0.0, 0.0];
            response.add(value, &mut out);
            worst = worst.max((out[0] - libm::log(0.7 + 0.3 / value)).abs());
            assert_eq!(out[1], 0.0);
        }
        assert!(worst < 2e-3, "{worst}");
    }

    #[test]
    fn it_is_exact_where_it_was_simulated_and_monotone_between() {
        let plan = plan(0.5, 2.0);
        let response = smooth(&plan);
        for value in &plan.values {
            let mut out = [0.0, 0.0];
            response.add(*value, &mut out);
            assert!((out[0] - libm::log(0.7 + 0.3 / value)).abs() < 1e-12);
        }
        let mut before = f64::INFINITY;
        for i in 0..500 {
            let mut out = [0.0, 0.0];
            response.add(0.2 + f64::from(i) * 0.01, &mut out);
            assert!(out[0] <= before);
            before = out[0];
        }
    }

    #[test]
    fn values_of_a_plan_hold_the_ends_the_mode_and_what_lies_beyond() {
        let plan = plan(0.5, 2.0);
        assert!(plan.values.windows(2).all(|w| w[0] < w[1]));
        assert!(plan.values.contains(&1.0));
        assert!(plan.values[0] < 0.2 && *plan.values.last().unwrap() > 5.0);
    }
}
