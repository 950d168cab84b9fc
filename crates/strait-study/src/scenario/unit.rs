//! Units of scenario values: which dimension a key has, and how its strings read and print.
//!
//! In: strings such as "400 GB/s" or "2.664 M GPU-hours". Out: numbers in the base unit.
//! Hardware quantities are read by `strait-units`; only the units of claims that exist
//! nowhere else (accelerator-hours, days) are defined here.

use strait_units::{
    Bandwidth, Bytes, Energy, FlopRate, Money, ParseError, Power, PricePerEnergy, PricePerHour,
    Time, Tokens,
};

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Bytes per second.
    Bandwidth,
    /// Bytes.
    Bytes,
    /// Floating-point operations per second.
    FlopRate,
    /// Watts.
    Power,
    /// Seconds.
    Time,
    /// Tokens.
    Tokens,
    /// US dollars per hour.
    PricePerHour,
    /// US dollars per joule.
    PricePerEnergy,
    /// US dollars.
    Money,
    /// Joules.
    Energy,
    /// Accelerator-hours.
    GpuHours,
    /// Days.
    Days,
    /// Accelerators.
    Accelerators,
    /// Tokens per second.
    TokenRate,
    /// A share: "38.9 %" or 0.389.
    Share,
    /// Failures of one node a day.
    FailureRate,
}

impl Dimension {
    /// In words.
    pub fn what(self) -> &'static str {
        match self {
            Dimension::Bandwidth => "a bandwidth",
            Dimension::Bytes => "a number of bytes",
            Dimension::FlopRate => "a compute rate",
            Dimension::Power => "a power",
            Dimension::Time => "a time",
            Dimension::Tokens => "a number of tokens",
            Dimension::PricePerHour => "a price per hour",
            Dimension::PricePerEnergy => "a price of energy",
            Dimension::Money => "an amount of money",
            Dimension::Energy => "an amount of energy",
            Dimension::GpuHours => "a number of accelerator-hours",
            Dimension::Days => "a number of days",
            Dimension::Accelerators => "a number of accelerators",
            Dimension::TokenRate => "a number of tokens per second",
            Dimension::Share => "a share",
            Dimension::FailureRate => "a failure rate of one node",
        }
    }

    /// The accepted form, with this number or a usual one.
    pub fn example(self, number: &str) -> String {
        let (usual, unit) = match self {
            Dimension::Bandwidth => ("400", "GB/s"),
            Dimension::Bytes => ("80", "GB"),
            Dimension::FlopRate => ("989", "TFLOPS"),
            Dimension::Power => ("700", "W"),
            Dimension::Time => ("45", "us"),
            Dimension::Tokens => ("14.8 T", "tokens"),
            Dimension::PricePerHour => ("2", "USD/h"),
            Dimension::PricePerEnergy => ("0.08", "USD/kWh"),
            Dimension::Money => ("5.576 M", "USD"),
            Dimension::Energy => ("2000", "MWh"),
            Dimension::GpuHours => ("2.664 M", "GPU-hours"),
            Dimension::Days => ("54.25", "days"),
            Dimension::Accelerators => ("2048", "GPUs"),
            Dimension::TokenRate => ("1541.7", "tokens/s"),
            Dimension::Share => ("38.9", "%"),
            Dimension::FailureRate => ("3.8", "per 1000 node-days"),
        };
        let number = if number.is_empty() { usual } else { number };
        format!("{number} {unit}")
    }

    /// Units and their factor to the base unit, of the dimensions that exist only in claims.
    fn own_units(self) -> &'static [(&'static str, f64)] {
        match self {
            Dimension::GpuHours => &[
                ("GPU-hours", 1.0),
                ("GPU hours", 1.0),
                ("GPU-h", 1.0),
                ("GPU h", 1.0),
            ],
            Dimension::Days => &[
                ("days", 1.0),
                ("day", 1.0),
                ("d", 1.0),
                ("hours", 1.0 / 24.0),
                ("weeks", 7.0),
                ("years", 365.25),
                ("year", 365.25),
            ],
            Dimension::Accelerators => &[
                ("GPUs", 1.0),
                ("GPU", 1.0),
                ("accelerators", 1.0),
                ("chips", 1.0),
            ],
            Dimension::TokenRate => &[("tokens/s", 1.0), ("tok/s", 1.0)],
            Dimension::Share => &[("%", 0.01)],
            Dimension::FailureRate => &[
                ("per 1000 node-days", 1e-3),
                ("per 1,000 node-days", 1e-3),
                ("/1000 node-days", 1e-3),
                ("% per node-day", 0.01),
                ("per node-day", 1.0),
                ("per node-year", 1.0 / 365.25),
            ],
            _ => &[],
        }
    }
}

/// Reads a string with a unit into the base unit.
///
/// # Errors
///
/// What is wrong with the text, in words.
pub fn parse(dimension: Dimension, text: &str) -> Result<f64, String> {
    fn typed<T: std::str::FromStr<Err = ParseError>>(
        text: &str,
        base: fn(T) -> f64,
    ) -> Result<f64, String> {
        text.trim()
            .parse::<T>()
            .map(base)
            .map_err(|e| e.to_string())
    }
    match dimension {
        Dimension::Bandwidth => typed(text, Bandwidth::get),
        Dimension::Bytes => typed(text, Bytes::as_f64),
        Dimension::FlopRate => typed(text, FlopRate::get),
        Dimension::Power => typed(text, Power::get),
        Dimension::Time => typed(text, Time::seconds),
        Dimension::Tokens => typed(text, Tokens::as_f64),
        Dimension::PricePerHour => typed(text, PricePerHour::get),
        Dimension::PricePerEnergy => typed(text, PricePerEnergy::get),
        Dimension::Money => typed(text, Money::get),
        Dimension::Energy => typed(text, Energy::get),
        Dimension::GpuHours
        | Dimension::Days
        | Dimension::Accelerators
        | Dimension::TokenRate
        | Dimension::Share
        | Dimension::FailureRate => own(dimension, text),
    }
}

/// Reads a unit of claims.
fn own(dimension: Dimension, text: &str) -> Result<f64, String> {
    let text = text.trim();
    let digits = text
        .char_indices()
        .find(|(i, c)| {
            !(c.is_ascii_digit()
                || ".,_".contains(*c)
                || (*i == 0 && "+-".contains(*c))
                || (*i > 0 && "+-".contains(*c) && text[..*i].ends_with(['e', 'E']))
                || ("eE".contains(*c)
                    && text[i + 1..].starts_with(|d: char| d.is_ascii_digit() || "+-".contains(d))))
        })
        .map_or(text.len(), |(i, _)| i);
    let number: String = text[..digits]
        .chars()
        .filter(|c| !",_".contains(*c))
        .collect();
    let number: f64 = number
        .parse()
        .map_err(|_| "no number at the start".to_owned())?;
    let rest = text[digits..].trim();
    if rest.is_empty() {
        return Err("no unit".to_owned());
    }
    for (unit, factor) in dimension.own_units() {
        if let Some(prefix) = rest.strip_suffix(unit)
            && let Some(scale) = prefix_scale(prefix.trim())
        {
            return Ok(number * scale * factor);
        }
    }
    Err(format!("\"{rest}\" is no unit of it"))
}

fn prefix_scale(prefix: &str) -> Option<f64> {
    Some(match prefix {
        "" => 1.0,
        "k" | "K" | "thousand" => 1e3,
        "M" | "million" => 1e6,
        "G" | "B" | "billion" => 1e9,
        "T" | "trillion" => 1e12,
        _ => return None,
    })
}

/// Prints a number of the base unit with a fitting unit.
pub fn print(dimension: Dimension, value: f64) -> String {
    let scaled = |steps: &[(f64, &str)]| -> String {
        let (scale, unit) = steps
            .iter()
            .find(|(scale, _)| value.abs() >= *scale)
            .or(steps.last())
            .copied()
            .unwrap_or((1.0, ""));
        format!("{} {unit}", figure(value / scale))
    };
    match dimension {
        Dimension::Bandwidth => Bandwidth::new(value).to_string(),
        Dimension::Bytes => Bytes::from_f64(value).to_string(),
        Dimension::FlopRate => FlopRate::new(value).to_string(),
        Dimension::Power => Power::new(value).to_string(),
        Dimension::Time => Time::from_seconds(value).to_string(),
        Dimension::Tokens => Tokens::new(value as u64).to_string(),
        Dimension::PricePerHour => PricePerHour::new(value).to_string(),
        Dimension::PricePerEnergy => PricePerEnergy::new(value).to_string(),
        Dimension::Money => Money::new(value).to_string(),
        Dimension::Energy => Energy::new(value).to_string(),
        Dimension::GpuHours => scaled(&[
            (1e6, "M GPU-hours"),
            (1e3, "K GPU-hours"),
            (1.0, "GPU-hours"),
        ]),
        // A span of years, such as a lifetime.
        Dimension::Days if value >= 1000.0 => format!("{} years", figure(value / 365.25)),
        Dimension::Days => format!("{} days", figure(value)),
        Dimension::Accelerators => format!("{} GPUs", figure(value)),
        Dimension::TokenRate => format!("{} tokens/s", figure(value)),
        Dimension::Share => format!("{} %", figure(value * 100.0)),
        Dimension::FailureRate => format!("{} per 1000 node-days", figure(value * 1e3)),
    }
}

/// A whole number with its digits in groups of three: "671_026_419_200".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// A number with at most nine significant digits and no trailing zeros.
pub fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let text = format!("{value:.8e}");
    let rounded: f64 = text.parse().unwrap_or(value);
    format!("{rounded}")
}
