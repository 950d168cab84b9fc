//! Keyed randomness: a value is looked up, not drawn.
//!
//! In: a seed, the name of a purpose, entity numbers and an index. Out: a number
//! that depends on these alone, so that results do not change with event order,
//! thread count or with what else exists. Never holds state, never calls a
//! transcendental function: the bits are the same on every machine.

use strait_units::Time;

/// The odd constant nearest 2^64 divided by the golden ratio: the step of splitmix64
/// (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of splitmix64 (Stafford's variant 13 of the Murmur3 one): a bijection
/// on 64 bits in which each input bit changes each output bit about half of the time.
#[inline]
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// How many 16-bit uniforms [`Key::bell`] adds up.
const TERMS: u32 = 8;
/// Mean of that sum: 8 × (2^16 − 1) / 2.
const BELL_MEAN: i64 = 4 * 65_535;
/// Variance of that sum: 8 × ((2^16)^2 − 1) / 12, the variance of a discrete uniform.
const BELL_VARIANCE: f64 = 8.0 * (65_536.0 * 65_536.0 - 1.0) / 12.0;

/// A place in the space of random values.
///
/// ```
/// use strait_sim::random::Key;
/// let jitter = Key::new(42).purpose("jitter");
/// let of_rank = jitter.entity(7);
/// assert_eq!(of_rank.at(3).uniform(), Key::new(42).purpose("jitter").entity(7).at(3).uniform());
/// assert_ne!(of_rank.at(3).word(), of_rank.at(4).word());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The root of all values of a seed.
    pub const fn new(seed: u64) -> Key {
        Key(mix(seed ^ GOLDEN))
    }

    /// The values used for one named purpose ("jitter", "routing", "failures").
    pub const fn purpose(self, name: &str) -> Key {
        // FNV-1a, then mixed by `entity`: names are short and hashed once per run.
        let bytes = name.as_bytes();
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        self.entity(hash)
    }

    /// The values of one entity (a rank, a layer, a group). Order matters: entity 1 then 2
    /// is not entity 2 then 1.
    #[inline]
    pub const fn entity(self, id: u64) -> Key {
        Key(mix(
            self.0.wrapping_add(GOLDEN) ^ mix(id.wrapping_add(GOLDEN))
        ))
    }

    /// The value with this index; cheaper than [`Key::entity`], for the last step in a hot loop.
    #[inline]
    pub const fn at(self, index: u64) -> Key {
        Key(self
            .0
            .wrapping_add(index.wrapping_mul(0xd6e8_feb8_6659_fd93)))
    }

    /// 64 random bits.
    #[inline]
    pub const fn word(self) -> u64 {
        mix(self.0)
    }

    /// Uniform in [0, 1), 53 bits.
    #[inline]
    pub fn uniform(self) -> f64 {
        (self.word() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Near-normal, mean 0, variance exactly 1, from the sum of eight 16-bit uniforms.
    ///
    /// Tails end at ±4.899 and are lighter than the normal's (excess kurtosis −0.15:
    /// P(|z| > 3) is 0.0018 instead of 0.0027): right for the jitter of a kernel, wrong
    /// for rare events. A mean of several is nearer to the normal.
    #[inline]
    pub fn normal(self) -> f64 {
        self.bell() as f64 * (1.0 / BELL_VARIANCE.sqrt())
    }

    /// [`Key::normal`] of many keys, each at one index.
    pub fn normals(keys: &[Key], index: u64, out: &mut [f64]) {
        for (out, key) in out.iter_mut().zip(keys) {
            *out = key.at(index).normal();
        }
    }

    /// The sum of eight 16-bit uniforms less its mean: an integer in ±262,140.
    #[inline]
    fn bell(self) -> i64 {
        const LOW: u64 = 0x0000_ffff_0000_ffff;
        let a = mix(self.0);
        let b = mix(self.0.wrapping_add(GOLDEN));
        // Two 32-bit lanes, each the sum of four 16-bit uniforms.
        let lanes = (a & LOW) + ((a >> 16) & LOW) + (b & LOW) + ((b >> 16) & LOW);
        ((lanes & 0xffff_ffff) + (lanes >> 32)) as i64 - BELL_MEAN
    }
}

/// Random spread of a duration: a mean factor and a coefficient of variation.
///
/// Applied in integers (a 32-bit fixed-point factor), because conversions between float
/// and tick would cost more than the random number itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// Mean factor, in units of 2^-32.
    mean: i64,
    /// Change of the factor per unit of [`Key::bell`], in units of 2^-48.
    step: i64,
}

impl Jitter {
    /// Durations times `mean`, with a standard deviation of `cv` times that.
    /// Both, and their product, are clamped to [0, 1000]; NaN counts as 0.
    pub fn new(mean: f64, cv: f64) -> Jitter {
        let clamp = |x: f64| if x > 0.0 { x.min(1000.0) } else { 0.0 };
        let (mean, cv) = (clamp(mean), clamp(cv));
        let step = clamp(mean * cv) / BELL_VARIANCE.sqrt();
        Jitter {
            mean: (mean * 4_294_967_296.0) as i64,
            step: (step * 281_474_976_710_656.0) as i64,
        }
    }

    /// A duration as it came out this time. Never negative: with a `cv` above 0.2 the low
    /// tail is cut at zero.
    #[inline]
    pub fn apply(self, base: Time, key: Key) -> Time {
        let factor = if self.step == 0 {
            self.mean
        } else {
            // step < 2^42 and |bell| < 2^18: the product stays within 60 bits.
            (self.mean + ((self.step * key.bell()) >> 16)).max(0)
        };
        let ticks = (u128::from(base.picos()) * factor as u128) >> 32;
        Time::from_picos(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

// The comment on `normal` states how many terms there are.
const _: () = assert!(TERMS as i64 * 65_535 == 2 * BELL_MEAN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_pinned() {
        // A change here changes every result of every user: do it knowingly.
        let key = Key::new(1).purpose("jitter").entity(3).at(5);
        assert_eq!(
            (key.word(), key.bell()),
            (PINNED_WORD, PINNED_BELL),
            "the mixing changed"
        );
    }
    const PINNED_WORD: u64 = 11_629_138_717_505_390_875;
    const PINNED_BELL: i64 = -18_266;

    #[test]
    fn uniform_has_the_moments_of_a_uniform() {
        let key = Key::new(7).purpose("u");
        let n = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let u = key.at(i).uniform();
            assert!((0.0..1.0).contains(&u));
            sum += u;
            squares += u * u;
        }
        let mean = sum / n as f64;
        let variance = squares / n as f64 - mean * mean;
        // Standard errors: 0.00065 and 0.00017.
        assert!((mean - 0.5).abs() < 0.003, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 0.001, "{variance}");
    }

    #[test]
    fn normal_has_the_moments_and_tails_it_claims() {
        let key = Key::new(7).purpose("n").entity(1);
        let n = 400_000;
        let (mut sum, mut squares, mut beyond3) = (0.0, 0.0, 0);
        for i in 0..n {
            let z = key.at(i).normal();
            assert!(z.abs() < 4.9);
            sum += z;
            squares += z * z;
            beyond3 += u32::from(z.abs() > 3.0);
        }
        let mean = sum / n as f64;
        let variance = squares / n as f64 - mean * mean;
        assert!((mean).abs() < 0.008, "{mean}");
        assert!((variance - 1.0).abs() < 0.011, "{variance}");
        let share = f64::from(beyond3) / n as f64;
        assert!((0.0014..0.0022).contains(&share), "{share}");
    }

    #[test]
    fn neighbours_are_uncorrelated() {
        let n = 100_000u64;
        let root = Key::new(0).purpose("c");
        let (mut by_index, mut by_entity) = (0.0, 0.0);
        for i in 0..n {
            by_index += root.at(i).normal() * root.at(i + 1).normal();
            by_entity += root.entity(i).at(0).normal() * root.entity(i + 1).at(0).normal();
        }
        for sum in [by_index, by_entity] {
            assert!((sum / n as f64).abs() < 0.015, "{}", sum / n as f64);
        }
    }

    #[test]
    fn parts_of_a_key_do_not_commute() {
        let key = Key::new(5);
        assert_ne!(key.entity(1).entity(2), key.entity(2).entity(1));
        assert_ne!(key.purpose("a"), key.purpose("b"));
        assert_ne!(Key::new(5), Key::new(6));
    }

    #[test]
    fn jitter_follows_its_mean_and_spread() {
        let key = Key::new(9).purpose("jitter");
        let base = Time::from_micros(50.0);
        assert_eq!(Jitter::new(1.0, 0.0).apply(base, key), base);
        let jitter = Jitter::new(1.1, 0.05);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let x = jitter.apply(base, key.at(i)).picos() as f64 / base.picos() as f64;
            sum += x;
            squares += x * x;
        }
        let mean = sum / n as f64;
        let cv = (squares / n as f64 - mean * mean).sqrt() / mean;
        assert!((mean - 1.1).abs() < 0.001, "{mean}");
        assert!((cv - 0.05).abs() < 0.001, "{cv}");
    }

    #[test]
    fn jitter_survives_its_extremes() {
        let key = Key::new(9);
        for cv in [0.0, 1.0, 1000.0, f64::NAN, f64::INFINITY, -1.0] {
            for mean in [0.0, 1.0, 1000.0, f64::NAN] {
                for i in 0..100 {
                    let _ = Jitter::new(mean, cv).apply(Time::MAX, key.at(i));
                }
            }
        }
    }
}
