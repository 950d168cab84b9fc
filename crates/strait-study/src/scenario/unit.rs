//! Units of scenario values: which dimension a key has, and how its strings read and print.
//!
//! In: strings such as "400 GB/s" or "2.664 M GPU-hours". Out: numbers in the base unit.
//! Hardware quantities are read by `strait-units`; only the units of claims that exist
//! nowhere else (accelerator-hours, days) are defined here.

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
    /// Tokens per second.
    TokenRate,
    /// A share: "38.9 %" or 0.389.
    Share,
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
            Dimension::TokenRate => "a number of tokens per second",
            Dimension::Share => "a share",
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
            Dimension::TokenRate => ("1541.7", "tokens/s"),
            Dimension::Share => ("38.9", "%"),
        };
        let number = if number.is_empty() { usual } else { number };
        format!("{number} {unit}")
    }

    /// Units and their factor to the base unit.
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Dimension::Bandwidth => &[("B/s", 1.0), ("b/s", 0.125), ("bit/s", 0.125), ("bps", 0.125), ("iB/s", 1.0)],
            Dimension::Bytes => &[("B", 1.0)],
            Dimension::FlopRate => &[("FLOPS", 1.0), ("FLOP/s", 1.0)],
            Dimension::Power => &[("W", 1.0)],
            Dimension::Time => &[("s", 1.0), ("seconds", 1.0), ("min", 60.0), ("h", 3600.0)],
            Dimension::Tokens => &[("tokens", 1.0), ("token", 1.0)],
            Dimension::PricePerHour => &[("USD/h", 1.0), ("$/h", 1.0), ("USD/hour", 1.0)],
            Dimension::PricePerEnergy => &[("USD/kWh", 1.0 / 3.6e6), ("USD/MWh", 1.0 / 3.6e9), ("$/kWh", 1.0 / 3.6e6)],
            Dimension::Money => &[("USD", 1.0), ("$", 1.0)],
            Dimension::Energy => &[("Wh", 3600.0), ("J", 1.0)],
            Dimension::GpuHours => &[("GPU-hours", 1.0), ("GPU hours", 1.0), ("GPU-h", 1.0), ("GPU h", 1.0)],
            Dimension::Days => &[("days", 1.0), ("day", 1.0), ("d", 1.0), ("hours", 1.0 / 24.0), ("weeks", 7.0)],
            Dimension::TokenRate => &[("tokens/s", 1.0), ("tok/s", 1.0)],
            Dimension::Share => &[("%", 0.01)],
        }
    }
}

/// Reads a string with a unit into the base unit.
pub fn parse(dimension: Dimension, text: &str) -> Result<f64, String> {
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
    let number: String = text[..digits].chars().filter(|c| !",_".contains(*c)).collect();
    let number: f64 = number
        .parse()
        .map_err(|_| "no number at the start".to_owned())?;
    let rest = text[digits..].trim();
    if rest.is_empty() {
        return Err("no unit".to_owned());
    }
    for (unit, factor) in dimension.units() {
        if let Some(prefix) = rest.strip_suffix(unit)
            && let Some(scale) = prefix_scale(prefix.trim())
        {
            return Ok(number * scale * factor);
        }
    }
    Err(format!("`{rest}` is not a unit of {}", &dimension.what()[2..].trim_start()))
}

fn prefix_scale(prefix: &str) -> Option<f64> {
    Some(match prefix {
        "" => 1.0,
        "p" => 1e-12,
        "n" => 1e-9,
        "u" | "µ" | "μ" => 1e-6,
        "m" => 1e-3,
        "k" | "K" | "thousand" => 1e3,
        "M" | "million" => 1e6,
        "G" | "B" | "billion" => 1e9,
        "T" | "trillion" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
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
        Dimension::Bandwidth => scaled(&[(1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1.0, "B/s")]),
        Dimension::Bytes => scaled(&[(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1.0, "B")]),
        Dimension::FlopRate => scaled(&[(1e15, "PFLOPS"), (1e12, "TFLOPS"), (1e9, "GFLOPS"), (1.0, "FLOPS")]),
        Dimension::Power => scaled(&[(1e6, "MW"), (1e3, "kW"), (1.0, "W")]),
        Dimension::Time => scaled(&[(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")]),
        Dimension::Tokens => scaled(&[(1e12, "T tokens"), (1e9, "B tokens"), (1e6, "M tokens"), (1.0, "tokens")]),
        Dimension::PricePerHour => format!("{} USD/h", figure(value)),
        Dimension::PricePerEnergy => format!("{} USD/kWh", figure(value * 3.6e6)),
        Dimension::Money => scaled(&[(1e9, "B USD"), (1e6, "M USD"), (1.0, "USD")]),
        Dimension::Energy => scaled(&[(3.6e12, "GWh"), (3.6e9, "MWh"), (3.6e6, "kWh"), (1.0, "J")]),
        Dimension::GpuHours => scaled(&[(1e6, "M GPU-hours"), (1e3, "K GPU-hours"), (1.0, "GPU-hours")]),
        Dimension::Days => format!("{} days", figure(value)),
        Dimension::TokenRate => format!("{} tokens/s", figure(value)),
        Dimension::Share => format!("{} %", figure(value * 100.0)),
    }
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
