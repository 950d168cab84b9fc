//! How fast each chip is: a draw for each of them, or the expected slowest of all for every one.
//!
//! In: a seed, a number of ranks, the noise of a case. Out: a time factor for each rank. Never
//! looks at what the chips run.

use crate::case::{ChipSpread, Noise};
use rand::RngExt;
use strait_sim::random::Key;
use strait_sim::stream::Stream;

/// Time factor of each rank's chip, the same whatever it runs.
pub(super) fn factors(seed: u64, ranks: u32, noise: Noise) -> Vec<f64> {
    match common(ranks, noise) {
        Some(factor) => vec![factor; ranks as usize],
        None => sampled(seed, ranks, noise.chip_spread.get()),
    }
}

/// The factor of all chips, where they have one.
pub(super) fn common(ranks: u32, noise: Noise) -> Option<f64> {
    let spread = noise.chip_spread.get();
    match noise.chips {
        _ if spread == 0.0 => Some(1.0),
        ChipSpread::Sampled => None,
        ChipSpread::Slowest => Some(1.0 + spread * slowest_of(ranks)),
    }
}

/// 1 + a normal deviate for each chip.
fn sampled(seed: u64, ranks: u32, spread: f64) -> Vec<f64> {
    let key = Key::new(seed).purpose("chip");
    (0..ranks)
        .map(|rank| {
            // Twelve uniform numbers less six: a normal deviate to all that matters here.
            let mut stream = Stream::new(key.entity(u64::from(rank)));
            let deviate = (0..12).map(|_| stream.random::<f64>()).sum::<f64>() - 6.0;
            // A chip is never faster than three deviations: vendors bin, they do not exceed.
            (1.0 + spread * deviate.max(-3.0)).max(0.5)
        })
        .collect()
}

/// Expected greatest of `ranks` standard normal deviates, by Blom's plotting position (G. Blom,
/// Statistical Estimates and Transformed Beta-Variables, 1958): within 1 % from two on.
fn slowest_of(ranks: u32) -> f64 {
    if ranks <= 1 {
        return 0.0;
    }
    let n = f64::from(ranks);
    normal_quantile((n - 0.375) / (n + 0.25))
}

/// The standard normal quantile of a probability from 0.5 up to 1, by bisection of its
/// distribution function: slow and plain, asked once a step.
fn normal_quantile(probability: f64) -> f64 {
    let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if below(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strait_units::Ratio;

    /// E[max] of N standard normals: Tippett, Biometrika 17 (1925), table; Harter 1961.
    #[test]
    fn the_slowest_of_many_is_as_tabulated() {
        for (ranks, expected) in [
            (1, 0.0),
            (2, 0.564),
            (8, 1.424),
            (64, 2.344),
            (1_000, 3.241),
        ] {
            let got = slowest_of(ranks);
            assert!((got - expected).abs() < 0.03, "{ranks}: {got}");
        }
    }

    /// The slowest of each draw is, in the mean over seeds, what every chip gets.
    #[test]
    fn sampled_chips_have_that_slowest_in_the_mean() {
        let noise = |chips| Noise {
            jitter: Ratio::new(0.0),
            chip_spread: Ratio::new(0.02),
            chips,
        };
        let ranks = 256;
        let worst = |seed| {
            factors(seed, ranks, noise(ChipSpread::Sampled))
                .into_iter()
                .fold(0.0, f64::max)
        };
        let mean = (0..200).map(worst).sum::<f64>() / 200.0;
        let expected = factors(1, ranks, noise(ChipSpread::Slowest));
        assert!(expected.iter().all(|f| *f == expected[0]));
        assert!((mean - expected[0]).abs() < 0.001, "{mean} {}", expected[0]);
    }
}
