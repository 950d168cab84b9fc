//! Simulated time in integer picoseconds.
//!
//! In: seconds as floats at the edges. Out: exact, totally ordered ticks. Never
//! rounds twice: a float becomes a tick in one place only, [`Time::from_seconds`].

/// A span or an instant of simulated time, in picoseconds (`u64` reaches 213 days).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// No time at all.
    pub const ZERO: Time = Time(0);
    /// The end of representable time (213 days).
    pub const MAX: Time = Time(u64::MAX);

    /// From whole picoseconds.
    pub const fn from_picos(picos: u64) -> Time {
        Time(picos)
    }

    /// From seconds, rounded up to the next tick; negative, NaN and overlong values saturate.
    pub fn from_seconds(seconds: f64) -> Time {
        // A float-to-integer `as` saturates and turns NaN into zero.
        Time((seconds * 1e12).ceil() as u64)
    }

    /// From microseconds, rounded up to the next tick; saturates like [`Time::from_seconds`].
    pub fn from_micros(micros: f64) -> Time {
        Time((micros * 1e6).ceil() as u64)
    }

    /// Whole picoseconds.
    pub const fn picos(self) -> u64 {
        self.0
    }

    /// Seconds as a float.
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-12
    }

    /// Sum that stops at [`Time::MAX`].
    pub const fn saturating_add(self, other: Time) -> Time {
        Time(self.0.saturating_add(other.0))
    }

    /// Difference that stops at zero.
    pub const fn saturating_sub(self, other: Time) -> Time {
        Time(self.0.saturating_sub(other.0))
    }

    /// This span times a factor, rounded up to the next tick.
    pub fn scaled(self, factor: f64) -> Time {
        Time((self.0 as f64 * factor).ceil() as u64)
    }
}

impl std::ops::Add for Time {
    type Output = Time;
    fn add(self, other: Time) -> Time {
        Time(self.0 + other.0)
    }
}

impl std::ops::AddAssign for Time {
    fn add_assign(&mut self, other: Time) {
        self.0 += other.0;
    }
}

impl std::ops::Sub for Time {
    type Output = Time;
    fn sub(self, other: Time) -> Time {
        Time(self.0 - other.0)
    }
}

impl std::ops::Mul<u64> for Time {
    type Output = Time;
    fn mul(self, factor: u64) -> Time {
        Time(self.0 * factor)
    }
}

impl std::iter::Sum for Time {
    fn sum<I: Iterator<Item = Time>>(iter: I) -> Time {
        iter.fold(Time::ZERO, |a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_outside_the_range_saturate() {
        let cases = [
            (0.0, 0),
            (-1.0, 0),
            (f64::NAN, 0),
            (f64::NEG_INFINITY, 0),
            (1e-13, 1),
            (1.0, 1_000_000_000_000),
            (1e9, u64::MAX),
            (f64::INFINITY, u64::MAX),
        ];
        for (seconds, picos) in cases {
            assert_eq!(Time::from_seconds(seconds).picos(), picos, "{seconds} s");
            assert_eq!(
                Time::from_micros(seconds * 1e6).picos(),
                picos,
                "{seconds} s in us"
            );
        }
        assert_eq!(Time::MAX.scaled(2.0), Time::MAX);
    }
}
