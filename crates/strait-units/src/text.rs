//! Each quantity's text form: what it accepts, how it prints, and serde over both.
//!
//! In and out: text. Never a bare number for a quantity with a dimension, in either
//! direction, so that no file and no table loses a unit.

use crate::parse::{Expected, ParseError, Reader};
use crate::print::{Step, float, pad, step, tidy, whole};
use crate::{
    Bandwidth, Bytes, Energy, FlopRate, Flops, Money, Power, PricePerEnergy, PricePerHour, Ratio,
    Time, Tokens, unit,
};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Display};
use std::str::FromStr;

/// A quantity that is written with its unit.
pub trait Quantity: Copy + Display + FromStr<Err = ParseError> {
    /// Its name and accepted forms.
    const EXPECTED: Expected;

    /// From a number that a file gives without a unit.
    ///
    /// # Errors
    ///
    /// Always [`ParseError::MissingUnit`], but for pure numbers.
    fn from_bare_number(number: f64) -> Result<Self, ParseError> {
        Err(ParseError::MissingUnit {
            read: number.to_string(),
            expected: Self::EXPECTED,
        })
    }
}

struct TextVisitor<Q>(std::marker::PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for TextVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Q::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        Q::from_bare_number(number as f64).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        Q::from_bare_number(number as f64).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
        Q::from_bare_number(number).map_err(E::custom)
    }
}

macro_rules! text_quantity {
    ($name:ident: $title:literal, [$($example:literal),+], $unit:path) => {
        impl Quantity for $name {
            const EXPECTED: Expected = Expected { name: $title, examples: &[$($example),+] };
        }
        impl $name {
            const READER: Reader = Reader { expected: Self::EXPECTED, unit: $unit, bare: false };
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(TextVisitor(std::marker::PhantomData))
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    };
}

macro_rules! float_text {
    ($name:ident: $title:literal, [$($example:literal),+], $unit:path, $limit:expr, $steps:expr) => {
        text_quantity!($name: $title, [$($example),+], $unit);
        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                Self::READER.float(text, $limit).map(Self::new)
            }
        }
        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                const STEPS: &[Step] = $steps;
                float(f, self.get(), STEPS)
            }
        }
    };
}

float_text!(
    Bandwidth: "a bandwidth (of one direction)",
    ["400 GB/s", "400 Gb/s", "900 GB/s both ways"],
    unit::bandwidth,
    (1e18, "1 EB/s"),
    &[step("B/s", 0), step("kB/s", 3), step("MB/s", 6), step("GB/s", 9), step("TB/s", 12), step("PB/s", 15)]
);
float_text!(
    Flops: "an amount of work",
    ["3.8e25 FLOP", "5.2 PFLOP"],
    unit::flops,
    (1e36, "1e36 FLOP"),
    &[
        step("FLOP", 0), step("kFLOP", 3), step("MFLOP", 6), step("GFLOP", 9), step("TFLOP", 12),
        step("PFLOP", 15), step("EFLOP", 18), step("ZFLOP", 21), step("YFLOP", 24)
    ]
);
float_text!(
    FlopRate: "a rate of computing (dense)",
    ["989.4 TFLOPS", "1.9789 PFLOP/s"],
    unit::flop_rate,
    (1e27, "1,000 YFLOPS"),
    // Peaks are compared in TFLOPS also past a thousand.
    &[step("FLOPS", 0), step("kFLOPS", 3), step("MFLOPS", 6), step("GFLOPS", 9), step("TFLOPS", 12), step("EFLOPS", 18)]
);
float_text!(
    Power: "a power",
    ["700 W", "10.2 kW"],
    unit::power,
    (1e15, "1 PW"),
    &[step("W", 0), step("kW", 3), step("MW", 6), step("GW", 9)]
);
float_text!(
    Energy: "an energy",
    ["35 MWh", "120 GJ"],
    unit::energy,
    (1e24, "1 YJ"),
    &[
        step("J", 0),
        Step { symbol: "kWh", exponent: 3, factor: 3600 },
        Step { symbol: "MWh", exponent: 6, factor: 3600 },
        Step { symbol: "GWh", exponent: 9, factor: 3600 }
    ]
);
float_text!(
    Money: "an amount of money",
    ["280 k USD", "$5.576 M"],
    unit::money,
    (1e15, "a quadrillion dollars"),
    &[step("USD", 0), step("k USD", 3), step("M USD", 6), step("B USD", 9)]
);
float_text!(
    PricePerHour: "a price per accelerator-hour",
    ["2.00 USD/h", "$2/h", "2 USD/GPU-hour"],
    unit::price_per_hour,
    (1e6, "a million dollars an hour"),
    &[step("USD/h", 0)]
);
text_quantity!(
    PricePerEnergy: "a price of energy",
    ["0.054 USD/kWh", "54 USD/MWh"],
    unit::price_per_energy
);

impl FromStr for PricePerEnergy {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::READER
            .float(text, (1.0, "a dollar per joule"))
            .map(Self::new)
    }
}

impl Display for PricePerEnergy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        float(f, tidy(self.get() * 3.6e6), &[step("USD/kWh", 0)])
    }
}

impl Ratio {
    const READER: Reader = Reader {
        expected: Self::EXPECTED,
        unit: unit::ratio,
        bare: true,
    };
}

impl Quantity for Ratio {
    const EXPECTED: Expected = Expected {
        name: "a pure number",
        examples: &["0.09", "9 %"],
    };

    fn from_bare_number(number: f64) -> Result<Self, ParseError> {
        number.to_string().parse()
    }
}

impl FromStr for Ratio {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::READER.float(text, (1e15, "1e15")).map(Self::new)
    }
}

impl Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        float(f, self.get(), &[step("", 0)])
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextVisitor(std::marker::PhantomData))
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.get())
    }
}

text_quantity!(Bytes: "an amount of memory or data", ["80 GB", "80 GiB"], unit::bytes);

impl FromStr for Bytes {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::READER
            .whole(text, "bytes", (u64::MAX, "18 EB"))
            .map(Self::new)
    }
}

impl Display for Bytes {
    /// Decimal units, or binary ones where only those are round: "80 GB", "80 GiB".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let bytes = self.get();
        let round = BINARY.iter().find(|(_, bits)| {
            bytes >= 1 << bits
                && bytes.is_multiple_of(1 << bits)
                && !bytes.is_multiple_of(1000)
                && bytes >> bits < 10_000
        });
        match round {
            Some((symbol, bits)) if f.precision().is_none() => {
                pad(f, &(bytes >> bits).to_string(), symbol)
            }
            _ => whole(
                f,
                bytes,
                &[
                    step("B", 0),
                    step("kB", 3),
                    step("MB", 6),
                    step("GB", 9),
                    step("TB", 12),
                    step("PB", 15),
                ],
            ),
        }
    }
}

text_quantity!(Tokens: "a number of tokens", ["14.8 T tokens", "62_914_560 tokens"], unit::tokens);

impl FromStr for Tokens {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        // Ten million trillion fits u64; the largest corpora are some tens of trillions.
        Self::READER
            .whole(text, "tokens", (10u64.pow(18), "a million trillion tokens"))
            .map(Self::new)
    }
}

impl Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        whole(
            f,
            self.get(),
            &[
                step("tokens", 0),
                step("k tokens", 3),
                step("M tokens", 6),
                step("B tokens", 9),
                step("T tokens", 12),
            ],
        )
    }
}

text_quantity!(Time: "a time", ["2.1 us", "4.5 ms", "20 s", "54 days"], unit::time);

impl FromStr for Time {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::READER
            .whole(text, "picoseconds", (u64::MAX, "213 days"))
            .map(Self::from_picos)
    }
}

impl Display for Time {
    /// Hours and days where they are exact to three decimals or a precision is asked for, else seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: u64 = 1_000_000_000_000;
        const LONG: [(&str, u64); 2] = [("days", 86_400 * SECOND), ("h", 3_600 * SECOND)];
        let picos = self.picos();
        let long = LONG.iter().find(|(_, size)| picos >= 2 * size);
        match (long, f.precision()) {
            (Some((symbol, size)), Some(places)) => pad(
                f,
                &format!("{:.places$}", picos as f64 / *size as f64),
                symbol,
            ),
            (Some((symbol, size)), None) if picos.is_multiple_of(size / 1000) => {
                let thousandths = (picos / (size / 1000)).to_string();
                let (before, after) = thousandths.split_at(thousandths.len() - 3);
                let after = after.trim_end_matches('0');
                let point = if after.is_empty() { "" } else { "." };
                pad(f, &format!("{before}{point}{after}"), symbol)
            }
            _ => whole(
                f,
                picos,
                &[
                    step("ps", 0),
                    step("ns", 3),
                    step("us", 6),
                    step("ms", 9),
                    step("s", 12),
                ],
            ),
        }
    }
}
