//! What many draws say: moments, quantiles, ranks.
//!
//! In: numbers. Out: numbers. Sums run in the order given, so that the bits do not depend on threads.

/// Mean and standard deviation (of a sample); the deviation of fewer than two is zero.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (f64::NAN, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// The value that a share `p` of sorted values lies below, joined linearly between them (type 7 of
/// Hyndman and Fan 1996). NaN of none.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = p.clamp(0.0, 1.0) * last as f64;
    let below = (at as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// Ranks from one; equals share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]).then(a.cmp(b)));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = (start + end + 1) as f64 / 2.0;
        for index in &order[start..end] {
            ranks[*index] = rank;
        }
        start = end;
    }
    ranks
}

/// Spearman's rank correlation; zero where one of the two never changes.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let ((mean_a, _), (mean_b, _)) = (moments(&a), moments(&b));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        let (x, y) = (x - mean_a, y - mean_b);
        both += x * y;
        of_a += x * x;
        of_b += y * y;
    }
    if of_a > 0.0 && of_b > 0.0 {
        both / (of_a * of_b).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_by_hand() {
        assert_eq!(moments(&[1.0, 2.0, 3.0, 4.0]).0, 2.5);
        assert!((moments(&[1.0, 2.0, 3.0, 4.0]).1 - (5.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(moments(&[3.0]), (3.0, 0.0));
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (p, value) in [(0.0, 1.0), (0.5, 3.0), (1.0, 8.0), (0.25, 1.75)] {
            assert_eq!(quantile(&sorted, p), value);
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn ranks_share_and_correlate() {
        assert_eq!(ranks(&[10.0, 30.0, 10.0, 20.0]), [1.5, 4.0, 1.5, 3.0]);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]), 1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[5.0, 1.0, 0.0]), -1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[5.0, 5.0, 5.0]), 0.0);
        // 1 - 6 Σd²/(n(n²-1)) with d = (0, -1, 1, 0).
        let found = rank_correlation(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]);
        assert!((found - 0.8).abs() < 1e-15);
    }
}
