//! Printing quantities so that reading them back gives the same value.
//!
//! In: a number in the base unit. Out: the shortest decimal text in the largest unit
//! that leaves at least one before the point. Never rounds unless the caller asks
//! for a precision (`{:.1}`).

use std::fmt::{self, Alignment, Write};

/// A unit to print in: base units in one of it, as `factor × 10^exponent`.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) symbol: &'static str,
    pub(crate) exponent: i32,
    pub(crate) factor: u64,
}

pub(crate) const fn step(symbol: &'static str, exponent: i32) -> Step {
    Step {
        symbol,
        exponent,
        factor: 1,
    }
}

impl Step {
    fn size(self) -> f64 {
        let power = format!("1e{}", self.exponent).parse().unwrap_or(1.0);
        self.factor as f64 * if self.exponent == 0 { 1.0 } else { power }
    }
}

/// The largest unit not above the value, else the smallest. Steps ascend.
fn choose(value: f64, steps: &[Step]) -> Step {
    let fitting = steps.iter().rev().find(|s| s.size() <= value);
    *fitting.unwrap_or(&steps[0])
}

/// Prints a float. `steps` must not be empty.
pub(crate) fn float(f: &mut fmt::Formatter<'_>, value: f64, steps: &[Step]) -> fmt::Result {
    let zero_or_odd = value == 0.0 || !value.is_finite();
    let unit = if zero_or_odd {
        steps[0]
    } else {
        choose(value.abs(), steps)
    };
    let number = match f.precision() {
        Some(places) => format!("{:.places$}", value / unit.size()),
        None if zero_or_odd => value.to_string(),
        None if unit.factor == 1 => {
            let (digits, exponent) = shortest(value);
            shift(&digits, exponent - unit.exponent)
        }
        None => {
            let (digits, exponent) = shortest(tidy(value / unit.size()));
            shift(&digits, exponent)
        }
    };
    pad(f, &number, unit.symbol)
}

/// Prints a whole number exactly. `steps` must be decimal and not empty.
pub(crate) fn whole(f: &mut fmt::Formatter<'_>, value: u64, steps: &[Step]) -> fmt::Result {
    let unit = choose(value as f64, steps);
    let number = match f.precision() {
        Some(places) => format!("{:.places$}", value as f64 / unit.size()),
        None => {
            let digits = value.to_string();
            let trimmed = digits.trim_end_matches('0');
            let dropped = (digits.len() - trimmed.len()) as i32;
            if value == 0 {
                digits
            } else {
                shift(trimmed, dropped - unit.exponent)
            }
        }
    };
    pad(f, &number, unit.symbol)
}

/// Significant digits without sign or point (a leading `-` stays), and the power of ten of the last one.
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, d)| d.len()) as i32;
    (
        mantissa.replace('.', ""),
        exponent.parse::<i32>().unwrap_or(0) - decimals,
    )
}

/// The neighbour with the fewest digits within 1e-14: undoes the last bit lost in a division.
pub(crate) fn tidy(value: f64) -> f64 {
    (0..17)
        .filter_map(|places| format!("{value:.places$e}").parse::<f64>().ok())
        .find(|rounded| (rounded - value).abs() <= 1e-14 * value.abs())
        .unwrap_or(value)
}

/// `digits × 10^exponent` as plain decimal text.
fn shift(digits: &str, exponent: i32) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let point = digits.len() as i32 + exponent;
    let body = if exponent >= 0 {
        format!("{digits}{}", "0".repeat(exponent as usize))
    } else if point > 0 {
        let (before, after) = digits.split_at(point as usize);
        format!("{before}.{after}")
    } else {
        format!("0.{}{digits}", "0".repeat(-point as usize))
    };
    format!("{sign}{body}")
}

/// Writes "number unit" into the asked width (right-aligned unless told otherwise).
pub(crate) fn pad(f: &mut fmt::Formatter<'_>, number: &str, symbol: &str) -> fmt::Result {
    let text = if symbol.is_empty() {
        number.to_owned()
    } else {
        format!("{number} {symbol}")
    };
    let missing = f.width().unwrap_or(0).saturating_sub(text.chars().count());
    let before = match f.align() {
        Some(Alignment::Left) => 0,
        Some(Alignment::Center) => missing / 2,
        Some(Alignment::Right) | None => missing,
    };
    let fill = f.fill();
    (0..before).try_for_each(|_| f.write_char(fill))?;
    f.write_str(&text)?;
    (before..missing).try_for_each(|_| f.write_char(fill))
}
