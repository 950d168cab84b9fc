//! Numbers as people read them.
//!
//! In: plain numbers in the unit that the function names. Out: short strings with
//! four significant digits, thousands separated by commas. Never parses.

/// Decimals that leave `digits` significant digits of `value`.
pub(crate) fn decimals(value: f64, digits: usize) -> usize {
    let mut magnitude = value.abs();
    if !magnitude.is_finite() || magnitude == 0.0 {
        return 0;
    }
    let mut before = 1;
    while magnitude >= 10.0 {
        magnitude /= 10.0;
        before += 1;
    }
    let mut leading = 0;
    while magnitude < 1.0 && leading < 12 {
        magnitude *= 10.0;
        leading += 1;
    }
    if leading > 0 {
        digits + leading - 1
    } else {
        digits.saturating_sub(before)
    }
}

/// Commas between thousands of a string of digits, sign and fraction left alone.
fn group(plain: &str) -> String {
    let (sign, rest) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain),
    };
    let (whole, fraction) = match rest.find('.') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return plain.to_owned();
    }
    let mut grouped = String::with_capacity(plain.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

/// A fixed number of decimals, thousands separated; a minus that rounds to zero is dropped.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let plain = format!("{value:.decimals$}");
    let zero = plain
        .strip_prefix('-')
        .is_some_and(|rest| rest.bytes().all(|b| b == b'0' || b == b'.'));
    group(if zero { &plain[1..] } else { &plain })
}

/// Four significant digits, thousands separated.
pub(crate) fn significant(value: f64) -> String {
    fixed(value, decimals(value, 4))
}

/// A whole number, thousands separated.
pub(crate) fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A large number with K, M, B or T behind it (10^3, 10^6, 10^9, 10^12).
pub(crate) fn scaled(value: f64) -> String {
    let magnitude = value.abs();
    for (unit, name) in [(1e12, " T"), (1e9, " B"), (1e6, " M"), (1e4, " K")] {
        if magnitude >= unit {
            // 10^4 is where "K" starts, so that 2,048 stays 2,048.
            let unit = if unit == 1e4 { 1e3 } else { unit };
            return format!("{}{name}", significant(value / unit));
        }
    }
    significant(value)
}

/// A fraction as a percentage with one decimal.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", fixed(fraction * 100.0, 1))
}

/// A signed fraction as a percentage with one decimal, always with its sign.
pub(crate) fn signed_percent(fraction: f64) -> String {
    signed(fraction * 100.0, 1) + " %"
}

/// A number with its sign written out; zero after rounding has none.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    if text.starts_with('-') || text.bytes().all(|b| matches!(b, b'0' | b'.' | b',')) {
        text
    } else {
        format!("+{text}")
    }
}

/// Seconds, or milli- and microseconds where that is shorter.
pub(crate) fn seconds(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || magnitude >= 1.0 || !magnitude.is_finite() {
        format!("{} s", significant(value))
    } else if magnitude >= 1e-3 {
        format!("{} ms", significant(value * 1e3))
    } else {
        format!("{} µs", significant(value * 1e6))
    }
}

/// US dollars.
pub(crate) fn dollars(value: f64) -> String {
    if value < 0.0 {
        format!("-${}", scaled(-value))
    } else {
        format!("${}", scaled(value))
    }
}

/// How many columns a string takes, one per character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Breaks words over lines of at most `columns`, later lines indented by `indent`.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = width(word);
        if used > 0 && used + 1 + length > columns {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

/// A text with a capital first.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A list in words: "a", "a and b", "a, b and c".
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, expected) in [
            (19.926, "19.93"),
            (2_664_000.0, "2,664,000"),
            (0.2917, "0.2917"),
            (0.01234567, "0.01235"),
            (385.04, "385.0"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value), expected, "{value}");
        }
        assert_eq!(scaled(2.664e6), "2.664 M");
        assert_eq!(scaled(180_000.0), "180.0 K");
        assert_eq!(scaled(2048.0), "2,048");
        assert_eq!(scaled(14.8e12), "14.80 T");
        assert_eq!(dollars(5.576e6), "$5.576 M");
        assert_eq!(seconds(0.0139), "13.90 ms");
        assert_eq!(seconds(19.926), "19.93 s");
    }

    #[test]
    fn signs_are_written_out_and_zero_has_none() {
        assert_eq!(signed(1.25, 2), "+1.25");
        assert_eq!(signed(-1.25, 2), "-1.25");
        assert_eq!(signed(-0.001, 2), "0.00");
        assert_eq!(signed_percent(-0.031), "-3.1 %");
    }

    #[test]
    fn lines_wrap_between_words() {
        assert_eq!(wrap("one two three", 8, 2), "one two\n  three");
        assert_eq!(wrap("overlong-word x", 4, 0), "overlong-word\nx");
    }
}
