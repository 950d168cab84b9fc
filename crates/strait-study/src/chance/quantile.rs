//! Quantiles of the normal and the beta distribution.
//!
//! In: probabilities. Out: the values below which so much of a distribution lies. Uses `+ - × /`,
//! square roots and `libm` alone, so that the bits are the same on every machine.

/// The normal quantile, Wichura's AS 241 (Applied Statistics 37, 1988, routine PPND16): relative
/// error about 1e-16. Infinite at 0 and 1, NaN outside.
pub fn normal(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_6,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_4e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ];
    const B: [f64; 8] = [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_6,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let horner = |of: &[f64; 8], x: f64| of.iter().rev().fold(0.0, |sum, c| sum * x + c);
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * horner(&A, r) / horner(&B, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return if q < 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let r = (-libm::log(tail)).sqrt();
    let value = if r <= 5.0 {
        horner(&C, r - 1.6) / horner(&D, r - 1.6)
    } else {
        horner(&E, r - 5.0) / horner(&F, r - 5.0)
    };
    if q < 0.0 { -value } else { value }
}

/// The normal distribution function, by `libm`'s complementary error function.
pub fn normal_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// The share of a beta distribution below `x`: the regularised incomplete beta function, by its
/// continued fraction (Abramowitz and Stegun 26.5.8) with Lentz's method; relative error about
/// 1e-14 for the shapes of PERT.
pub fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = libm::exp(
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
            + a * libm::log(x)
            + b * libm::log1p(-x),
    );
    // The fraction converges fast on the side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const LEAST: f64 = 1e-300;
    let keep = |value: f64| if value.abs() < LEAST { LEAST } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        sum *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        sum *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    sum
}

/// The beta quantile, by Newton's method on [`beta_below`] inside a shrinking bracket; off by less
/// than 1e-12 for shapes of at least one.
pub fn beta(a: f64, b: f64, p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let over = beta_below(a, b, x) - p;
        if over > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = libm::exp(scale + (a - 1.0) * libm::log(x) + (b - 1.0) * libm::log1p(-x));
        let mut next = x - over / density;
        if !(low < next && next < high) {
            next = 0.5 * (low + high);
        }
        let moved = (next - x).abs();
        x = next;
        if moved <= 1e-15 || high - low <= 1e-15 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_inverts_the_normal_distribution() {
        for i in 1..2000 {
            let p = f64::from(i) / 2000.0;
            let back = normal_below(normal(p));
            assert!((back - p).abs() < 1e-15, "{p}: {back}");
        }
        for exponent in 2..300 {
            let p = libm::pow(10.0, -f64::from(exponent));
            let back = normal_below(normal(p));
            assert!((back / p - 1.0).abs() < 1e-12, "1e-{exponent}: {back}");
        }
        // Published to 16 digits in AS 241: its own test values.
        for (p, z) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_814),
            (1e-20, -9.262_340_089_798_408),
        ] {
            assert!((normal(p) / z - 1.0f64).abs() < 1e-15, "{p}: {}", normal(p));
        }
        assert_eq!(normal(0.0), f64::NEG_INFINITY);
        assert!(normal(-0.1).is_nan() && normal(1.1).is_nan() && normal(f64::NAN).is_nan());
    }

    /// For whole shapes the distribution function is a binomial sum.
    fn below_by_sum(a: i32, b: i32, x: f64) -> f64 {
        let n = a + b - 1;
        let choose = |k: i32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
        (a..=n)
            .map(|k| choose(k) * x.powi(k) * (1.0 - x).powi(n - k))
            .sum()
    }

    #[test]
    fn the_beta_distribution_agrees_with_its_closed_forms() {
        for (a, b) in [(1, 5), (5, 1), (3, 3), (2, 4), (4, 2), (1, 1)] {
            for i in 1..200 {
                let x = f64::from(i) / 200.0;
                let found = beta_below(f64::from(a), f64::from(b), x);
                let expected = below_by_sum(a, b, x);
                assert!(
                    (found - expected).abs() < 1e-13,
                    "{a} {b} {x}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_beta_quantile_is_exact_to_a_billionth() {
        for b in [1.0, 2.5, 5.0] {
            for i in 1..500 {
                let p = f64::from(i) / 500.0;
                let exact = -libm::expm1(libm::log1p(-p) / b);
                assert!((beta(1.0, b, p) - exact).abs() < 1e-12, "{b} {p}");
                let exact = libm::pow(p, 1.0 / b);
                assert!((beta(b, 1.0, p) - exact).abs() < 1e-12, "{b} {p}");
            }
        }
        for (a, b) in [(1.7, 4.3), (3.0, 3.0), (4.99, 1.01)] {
            for p in [1e-9, 1e-4, 0.05, 0.5, 0.95, 0.9999] {
                let back = beta_below(a, b, beta(a, b, p));
                assert!((back / p - 1.0f64).abs() < 1e-9, "{a} {b} {p}: {back}");
            }
        }
        assert_eq!((beta(2.0, 2.0, 0.0), beta(2.0, 2.0, 1.0)), (0.0, 1.0));
    }
}
