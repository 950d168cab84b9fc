//! The values of all assumptions in one draw.
//!
//! In: a seed, the names and laws of the assumptions, and what moves together. Out: values that
//! depend on the seed, the names and the number of the draw alone, so that they do not change with
//! how many draws there are, in which order, or what else is unsure.

use super::law::Law;
use super::quantile;
use strait_sim::random::Key;

/// One assumption.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Scenario path, or a name of its own: the key of its random values.
    pub name: String,
    /// How likely its values are.
    pub law: Law,
    /// The factor that it moves with, by its place in the list of factors.
    pub factor: Option<usize>,
}

/// What several assumptions move with.
#[derive(Clone, Debug)]
pub struct Common {
    /// Name: the key of its random values.
    pub name: String,
    /// Weight of the common score; its square is the correlation of any two members' scores.
    weight: f64,
}

impl Common {
    /// With a rank correlation ρ of any two members. Of two normal scores with a correlation of r
    /// the rank correlation is 6/π · asin(r/2) (Pearson 1907), so r = 2 · sin(πρ/6).
    pub fn new(name: &str, rank_correlation: f64) -> Common {
        let r = 2.0 * libm::sin(std::f64::consts::PI * rank_correlation.clamp(0.0, 1.0) / 6.0);
        Common {
            name: name.to_owned(),
            weight: r.clamp(0.0, 1.0).sqrt(),
        }
    }

    /// The normal score of a member from the common score and the member's own.
    pub fn joined(&self, common: f64, own: f64) -> f64 {
        self.weight * common + (1.0 - self.weight * self.weight).max(0.0).sqrt() * own
    }
}

/// All assumptions of a case.
#[derive(Clone, Debug)]
pub struct Urn {
    parameters: Vec<Parameter>,
    own: Vec<Key>,
    factors: Vec<Common>,
    common: Vec<Key>,
    failures: Key,
}

impl Urn {
    /// Names must differ.
    pub fn new(seed: u64, parameters: Vec<Parameter>, factors: Vec<Common>) -> Urn {
        let root = Key::new(seed).purpose("assumptions");
        let (own, common) = (root.purpose("own"), root.purpose("factors"));
        Urn {
            own: parameters.iter().map(|p| own.purpose(&p.name)).collect(),
            common: factors.iter().map(|f| common.purpose(&f.name)).collect(),
            failures: root.purpose("failures"),
            parameters,
            factors,
        }
    }

    /// The assumptions.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The factors.
    pub fn factors(&self) -> &[Common] {
        &self.factors
    }

    /// Values of all assumptions in a draw.
    pub fn values(&self, draw: u64) -> Vec<f64> {
        (self.parameters.iter().zip(&self.own))
            .map(|(parameter, key)| {
                let own = score(key.at(draw));
                let all = match parameter.factor {
                    Some(factor) => {
                        let weight = self.factors[factor].weight;
                        weight * self.score_of(factor, draw)
                            + (1.0 - weight * weight).max(0.0).sqrt() * own
                    }
                    None => own,
                };
                parameter.law.at(all)
            })
            .collect()
    }

    /// The normal score of a factor in a draw.
    pub fn score_of(&self, factor: usize, draw: u64) -> f64 {
        score(self.common[factor].at(draw))
    }

    /// Seed of what fails when in a draw.
    pub fn failures(&self, draw: u64) -> u64 {
        // Seeds above 2^53 would not survive a file in which all numbers are floats.
        self.failures.at(draw).word() >> 11
    }
}

/// A normal score from 53 random bits, in the middle of their cell: never infinite.
fn score(key: Key) -> f64 {
    let cell = (key.word() >> 11) as f64 + 0.5;
    quantile::normal(cell * (1.0 / 9_007_199_254_740_992.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::statistics::rank_correlation;

    fn urn(correlation: Option<f64>) -> Urn {
        let parameter = |name: &str| Parameter {
            name: name.to_owned(),
            law: Law::around_one(0.5),
            factor: correlation.map(|_| 0),
        };
        let factors = correlation.map(|rho| Common::new("market", rho));
        Urn::new(
            7,
            vec![parameter("a"), parameter("b")],
            factors.into_iter().collect(),
        )
    }

    #[test]
    fn scores_are_normal() {
        // Kolmogorov and Smirnov: at the level of 1 in 1,000 the largest distance is 1.95/√n.
        let n = 50_000;
        let mut scores: Vec<f64> = (0..n)
            .map(|k| libm::log(urn(None).values(k)[0]) / 0.5)
            .collect();
        scores.sort_by(f64::total_cmp);
        let distance = scores.iter().enumerate().fold(0.0f64, |far, (i, z)| {
            let p = quantile::normal_below(*z);
            let (before, after) = (i as f64 / n as f64, (i + 1) as f64 / n as f64);
            far.max((p - before).abs()).max((after - p).abs())
        });
        assert!(distance < 1.95 / (n as f64).sqrt(), "{distance}");
    }

    #[test]
    fn what_moves_together_has_the_rank_correlation_that_was_asked_for() {
        let n = 20_000;
        for (asked, expected) in [
            (None, 0.0),
            (Some(0.0), 0.0),
            (Some(0.3), 0.3),
            (Some(0.8), 0.8),
            (Some(1.0), 1.0),
        ] {
            let urn = urn(asked);
            let draws: Vec<Vec<f64>> = (0..n).map(|k| urn.values(k)).collect();
            let of = |i: usize| draws.iter().map(|d| d[i]).collect::<Vec<f64>>();
            let found = rank_correlation(&of(0), &of(1));
            assert!((found - expected).abs() < 0.02, "{asked:?}: {found}");
            // The closed form of normal scores, both ways.
            if let Some(rho) = asked {
                let r = 2.0 * libm::sin(std::f64::consts::PI * rho / 6.0);
                let back = 6.0 / std::f64::consts::PI * libm::asin(r / 2.0);
                assert!((back - rho).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_value_depends_on_its_name_and_its_number_alone() {
        let one = urn(None);
        let mut other = one.clone();
        other.parameters.reverse();
        other.own.reverse();
        for k in [0, 1, 99, 1 << 40] {
            let (a, mut b) = (one.values(k), other.values(k));
            b.reverse();
            assert_eq!(a, b);
        }
        assert_ne!(one.values(1), one.values(2));
        assert_ne!(one.failures(1), one.failures(2));
    }
}
