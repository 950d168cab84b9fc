//! Decimal numbers as people write them, without loss.
//!
//! In: text that starts with a number. Out: its digits and power of ten, and what
//! follows. Never accepts digit groups other than underscores, and never rounds
//! before the unit is known.

use crate::parse::{Expected, ParseError, Scale};

/// A non-negative decimal number: `digits × 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: u128,
    exponent: i32,
}

/// Digits kept; more are dropped (no quantity is known to 27 digits).
const MOST_DIGITS: usize = 27;

impl Decimal {
    /// The nearest float, times a scale; exact but for one rounding where the scale is a power of ten.
    pub(crate) fn to_f64(self, scale: Scale) -> f64 {
        let exponent = self.exponent.saturating_add(scale.exponent);
        let decimal: f64 = format!("{}e{exponent}", self.digits)
            .parse()
            .unwrap_or(f64::INFINITY);
        if scale.numerator == 1 && scale.denominator == 1 {
            decimal
        } else {
            decimal * scale.numerator as f64 / scale.denominator as f64
        }
    }

    /// The nearest whole number (half up), times a scale; saturates.
    pub(crate) fn to_whole(self, scale: Scale) -> u64 {
        let exponent = self.exponent.saturating_add(scale.exponent);
        let power = |e: i32| u32::try_from(e).ok().and_then(|e| 10u128.checked_pow(e));
        let Some(mut upper) = self.digits.checked_mul(u128::from(scale.numerator)) else {
            return u64::MAX;
        };
        let mut lower = u128::from(scale.denominator);
        if upper == 0 {
            return 0;
        }
        if exponent >= 0 {
            match power(exponent).and_then(|p| upper.checked_mul(p)) {
                Some(product) => upper = product,
                None => return u64::MAX,
            }
        } else {
            match power(-exponent).and_then(|p| lower.checked_mul(p)) {
                Some(product) => lower = product,
                None => return 0,
            }
        }
        let rounded = upper / lower + u128::from(upper % lower >= lower.div_ceil(2));
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

/// Splits "1_000.5e3 GB" into the number, its text, and the rest.
///
/// `read` is the whole text, for messages.
pub(crate) fn split_number<'a>(
    text: &'a str,
    read: &str,
    expected: Expected,
) -> Result<(Decimal, &'a str, &'a str), ParseError> {
    let read = read.to_owned();
    let lower = text
        .trim_start_matches(['+', '-', '−'])
        .to_ascii_lowercase();
    if lower.starts_with("nan") || lower.starts_with("inf") || lower.starts_with('∞') {
        return Err(ParseError::NotFinite { read, expected });
    }
    if text.starts_with(['-', '−']) {
        return Err(ParseError::Negative { read, expected });
    }
    let body = text.strip_prefix('+').unwrap_or(text);
    let bytes = body.as_bytes();
    let (mut digits, mut kept, mut exponent) = (0u128, 0usize, 0i32);
    let (mut seen, mut point, mut at) = (false, false, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            digit @ b'0'..=b'9' => {
                seen = true;
                if kept < MOST_DIGITS {
                    digits = digits * 10 + u128::from(digit - b'0');
                    kept += usize::from(digits > 0);
                    exponent -= i32::from(point);
                } else {
                    exponent += i32::from(!point);
                }
            }
            b'.' if !point => point = true,
            b'_' if seen && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
            _ => break,
        }
        at += 1;
    }
    if !seen {
        return Err(ParseError::NotANumber { read, expected });
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let from = at + 1 + signed;
        let count = bytes[from.min(bytes.len())..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count > 0 {
            // An exponent beyond four digits overflows or vanishes like 9999 does.
            let written: i32 = body[from..from + count].parse().unwrap_or(9999).min(9999);
            let sign = if bytes[at + 1] == b'-' { -1 } else { 1 };
            exponent = exponent.saturating_add(sign * written);
            at = from + count;
        }
    }
    let (number, rest) = body.split_at(at);
    if let Some((separator, grouped_tail)) = grouping(rest) {
        let plain = format!("{number}{grouped_tail}").replace('_', "");
        let grouped = format!("{number}_{grouped_tail}");
        return Err(ParseError::DigitGroup {
            read,
            separator,
            plain,
            grouped,
            expected,
        });
    }
    Ok((Decimal { digits, exponent }, number, rest))
}

/// Finds ",360" or " 360" at the start of what follows a number; returns the digits with underscores.
fn grouping(rest: &str) -> Option<(&'static str, String)> {
    let first = rest.chars().next()?;
    let separator = match first {
        ',' => "comma",
        ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' => "space",
        '\'' | '’' => "apostrophe",
        _ => return None,
    };
    let tail = &rest[first.len_utf8()..];
    if !tail.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits: String = tail
        .chars()
        .map(|c| if c == first { '_' } else { c })
        .take_while(|c| c.is_ascii_digit() || matches!(c, '_' | '.'))
        .collect();
    Some((separator, digits.trim_end_matches(['_', '.']).to_owned()))
}
