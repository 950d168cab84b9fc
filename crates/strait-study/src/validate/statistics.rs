//! Errors of many rows as a few numbers, and what a constant would have scored.
//!
//! In: relative errors. Out: mean, median, percentile. Never weighs one row more than another.

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

/// The constant utilisation that fits best: of all that make one row exact, the one with the least
/// mean absolute error of predicted over measured time (the sum of |c/uᵢ - 1| is least at one of
/// them). `ideal` are times at the peak, `measured` what was measured; in time.
pub fn best_constant(ideal: &[f64], measured: &[f64]) -> f64 {
    let needed: Vec<f64> = ideal.iter().zip(measured).map(|(i, m)| i / m).collect();
    let mut best = (f64::INFINITY, f64::NAN);
    let mut tried = needed.clone();
    tried.sort_by(f64::total_cmp);
    for utilisation in tried {
        let cost: f64 = needed.iter().map(|n| (n / utilisation - 1.0).abs()).sum();
        if cost < best.0 {
            best = (cost, utilisation);
        }
    }
    best.1
}

/// Errors of a constant utilisation on rows.
pub fn constant_errors(ideal: &[f64], measured: &[f64], utilisation: f64) -> Vec<f64> {
    ideal
        .iter()
        .zip(measured)
        .map(|(i, m)| i / utilisation / m - 1.0)
        .collect()
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

    #[test]
    fn the_best_constant_is_no_worse_than_any_other() {
        let (ideal, measured) = ([1.0, 1.0, 1.0, 2.0], [2.0, 2.5, 3.0, 8.0]);
        let cost = |u: f64| {
            mean(
                &constant_errors(&ideal, &measured, u)
                    .iter()
                    .map(|e| e.abs())
                    .collect::<Vec<_>>(),
            )
        };
        let best = best_constant(&ideal, &measured);
        for u in (1..100).map(|n| f64::from(n) / 100.0) {
            assert!(cost(best) <= cost(u) + 1e-12, "{u}");
        }
    }
}
