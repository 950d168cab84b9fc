//! The newtypes other than time, and the arithmetic between them.
//!
//! In: plain numbers in base units. Out: values that only combine where physics
//! says they may. Never converts silently between bits and bytes or one-way and
//! both-ways rates: those happen in parsing, where the unit is written down (`text.rs`).

use crate::Time;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// Zero.
            pub const ZERO: $name = $name(0.0);

            /// From a number in the base unit of this type.
            pub const fn new(value: f64) -> Self {
                Self(value)
            }

            /// The number in the base unit of this type.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl std::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl std::ops::AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }
        impl std::ops::Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl std::ops::Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl std::ops::Div<f64> for $name {
            type Output = Self;
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }
        impl std::ops::Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, |a, b| a + b)
            }
        }
    };
}

quantity!(
    /// Bytes per second in one direction.
    Bandwidth
);
quantity!(
    /// Floating-point operations; a multiply-add counts as two.
    Flops
);
quantity!(
    /// Floating-point operations per second, dense.
    FlopRate
);
quantity!(
    /// Watts.
    Power
);
quantity!(
    /// Joules.
    Energy
);
quantity!(
    /// Days of calendar time: runs outlast the 213 days that picoseconds can count.
    Days
);
quantity!(
    /// Failures of one node a day.
    FailureRate
);
quantity!(
    /// US dollars.
    Money
);
quantity!(
    /// US dollars per hour (of one accelerator, unless said otherwise).
    PricePerHour
);
quantity!(
    /// US dollars per joule.
    PricePerEnergy
);
quantity!(
    /// A pure number: a share, an efficiency, a coefficient of variation.
    Ratio
);

/// A whole number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

impl Bytes {
    /// Nothing.
    pub const ZERO: Bytes = Bytes(0);

    /// From whole bytes.
    pub const fn new(bytes: u64) -> Bytes {
        Bytes(bytes)
    }

    /// From a float, rounded to the nearest byte; negative and NaN become zero.
    pub fn from_f64(bytes: f64) -> Bytes {
        Bytes(bytes.round() as u64)
    }

    /// Whole bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As a float.
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }

    /// Gigabytes, 10^9.
    pub fn gigabytes(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

impl std::ops::Add for Bytes {
    type Output = Bytes;
    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0 + other.0)
    }
}

impl std::ops::AddAssign for Bytes {
    fn add_assign(&mut self, other: Bytes) {
        self.0 += other.0;
    }
}

impl std::ops::Mul<u64> for Bytes {
    type Output = Bytes;
    fn mul(self, factor: u64) -> Bytes {
        Bytes(self.0 * factor)
    }
}

impl std::iter::Sum for Bytes {
    fn sum<I: Iterator<Item = Bytes>>(iter: I) -> Bytes {
        iter.fold(Bytes::ZERO, |a, b| a + b)
    }
}

/// A number of training tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tokens(u64);

impl Tokens {
    /// From a whole number of tokens.
    pub const fn new(tokens: u64) -> Tokens {
        Tokens(tokens)
    }

    /// Whole tokens.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As a float.
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl std::ops::Div<Bandwidth> for Bytes {
    type Output = Time;
    /// Time to move this many bytes.
    fn div(self, rate: Bandwidth) -> Time {
        Time::from_seconds(self.0 as f64 / rate.get())
    }
}

impl std::ops::Div<FlopRate> for Flops {
    type Output = Time;
    /// Time to execute this much work.
    fn div(self, rate: FlopRate) -> Time {
        Time::from_seconds(self.0 / rate.get())
    }
}

impl std::ops::Mul<Time> for Power {
    type Output = Energy;
    fn mul(self, time: Time) -> Energy {
        Energy(self.0 * time.seconds())
    }
}

impl std::ops::Mul<Energy> for PricePerEnergy {
    type Output = Money;
    fn mul(self, energy: Energy) -> Money {
        Money(self.0 * energy.0)
    }
}
