//! The units of each quantity, and the near misses worth naming.
//!
//! In: the text after the number. Out: its factor to the base unit, or what it is
//! instead. Never reads numbers.

use crate::parse::{Scale, Unit, foreign_unit};

/// SI prefixes as used here; `K` is accepted for `k`.
const DECIMAL: [(&str, i32); 10] = [
    ("", 0),
    ("k", 3),
    ("K", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
    ("Z", 21),
    ("Y", 24),
];

/// Binary prefixes, for bytes.
const BINARY: [(&str, u32); 5] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50)];

fn prefix(text: &str) -> Option<Scale> {
    DECIMAL
        .iter()
        .find(|(p, _)| *p == text)
        .map(|(_, e)| Scale::ten(*e))
}

fn binary_prefix(text: &str) -> Option<Scale> {
    let found = BINARY.iter().find(|(p, _)| *p == text);
    found
        .map(|(_, bits)| Scale::ten(0).times(1 << bits))
        .or_else(|| prefix(text))
}

/// The same prefix in the case that SI gives it.
fn prefix_any_case(text: &str) -> Option<&'static str> {
    let canonical = DECIMAL
        .iter()
        .map(|(p, _)| *p)
        .chain(BINARY.iter().map(|(p, _)| *p));
    canonical.into_iter().find(|p| p.eq_ignore_ascii_case(text))
}

/// A data unit: prefix and whether it counts bits.
enum Data {
    Exact(Scale, bool),
    /// Canonical prefix of a text whose case is off.
    Case(&'static str),
}

/// Reads "GB", "Gb", "Gbit", "gigabytes"' short forms; the case decides between bit and byte.
fn data(text: &str) -> Option<Data> {
    for (word, bits) in [
        ("bytes", false),
        ("byte", false),
        ("bits", true),
        ("bit", true),
    ] {
        if let Some(head) = text.strip_suffix(word) {
            return binary_prefix(head.trim_end()).map(|scale| Data::Exact(scale, bits));
        }
    }
    for (letter, bits) in [('B', false), ('b', true)] {
        if let Some(scale) = text.strip_suffix(letter).and_then(binary_prefix) {
            return Some(Data::Exact(scale, bits));
        }
    }
    let head = text.strip_suffix(['b', 'B'])?;
    prefix_any_case(head).map(Data::Case)
}

/// Takes "/s", "ps", " per second" off a rate's unit.
fn per_second(unit: &str) -> Option<&str> {
    ["/s", "/sec", " per second", "ps"]
        .iter()
        .find_map(|suffix| unit.strip_suffix(suffix))
        .map(str::trim_end)
        .filter(|head| !head.is_empty())
}

/// `number` bits per second in bytes, as text for a message.
fn eighth(number: &str, prefix: &str) -> String {
    match number.replace('_', "").parse::<f64>() {
        Ok(value) => format!("{} {prefix}B", value / 8.0),
        Err(_) => format!("an eighth of that in {prefix}B"),
    }
}

fn bits_and_bytes(number: &str, prefix: &str, per: &str) -> Vec<(String, String)> {
    vec![
        (
            format!("{prefix}b{per}"),
            format!("{}{per}", eighth(number, prefix)),
        ),
        (format!("{prefix}B{per}"), String::new()),
    ]
}

/// Bandwidth: one direction, unless the text says that both are counted together.
pub(crate) fn bandwidth(number: &str, unit: &str) -> Unit {
    const ONE: [&str; 6] = [
        "one-way",
        "one way",
        "per direction",
        "each way",
        "unidirectional",
        "one direction",
    ];
    const BOTH: [&str; 6] = [
        "both ways",
        "both-ways",
        "bidirectional",
        "both directions",
        "bidir",
        "two-way",
    ];
    let (mut head, mut halves) = (unit, 1);
    let unwrapped = unit.strip_suffix(')').and_then(|u| u.rsplit_once('('));
    let (body, direction) = match unwrapped {
        Some((body, direction)) => (body, Some(direction.trim())),
        None => (unit, None),
    };
    for (words, divisor) in [(ONE, 1), (BOTH, 2)] {
        for word in words {
            match direction {
                Some(direction) if direction.eq_ignore_ascii_case(word) => {
                    (head, halves) = (body.trim_end(), divisor);
                }
                Some(_) => {}
                None => {
                    let cut = unit.len().saturating_sub(word.len());
                    if let (Some(start), Some(end)) = (unit.get(..cut), unit.get(cut..))
                        && end.eq_ignore_ascii_case(word)
                        && !start.is_empty()
                    {
                        (head, halves) =
                            (start.trim_end().trim_end_matches(',').trim_end(), divisor);
                    }
                }
            }
        }
    }
    match per_second(head) {
        Some(amount) => match data(amount) {
            Some(Data::Exact(scale, bits)) => {
                Unit::Known(scale.over(if bits { 8 } else { 1 }).over(halves))
            }
            Some(Data::Case(prefix)) => Unit::Case(bits_and_bytes(number, prefix, "/s")),
            None => Unit::Unknown,
        },
        None => match data(head) {
            Some(Data::Exact(_, bits)) => {
                let kind = if bits {
                    "an amount in bits"
                } else {
                    "an amount in bytes"
                };
                match head.strip_suffix('b').filter(|_| bits) {
                    // Bits are often meant as bytes, or as the rate of a network port.
                    Some(prefix) => Unit::Other(kind, bits_and_bytes(number, prefix, "/s")),
                    None => Unit::Other(kind, vec![(format!("{head}/s"), String::new())]),
                }
            }
            Some(Data::Case(prefix)) => {
                Unit::Other("an amount of data", bits_and_bytes(number, prefix, "/s"))
            }
            None => Unit::Unknown,
        },
    }
}

/// Bytes.
pub(crate) fn bytes(number: &str, unit: &str) -> Unit {
    match data(unit) {
        Some(Data::Exact(scale, false)) => Unit::Known(scale),
        Some(Data::Exact(_, true)) => {
            let prefix = unit
                .trim_end_matches("bits")
                .trim_end_matches("bit")
                .trim_end_matches('b');
            let prefix = prefix.trim_end();
            let mut readings = vec![(format!("{prefix}B"), String::new())];
            if let Ok(value) = number.replace('_', "").parse::<f64>() {
                let fewer = format!("{} {prefix}B", value / 8.0);
                readings.push((fewer, format!("{number} {prefix}b")));
            }
            Unit::Other("an amount in bits", readings)
        }
        Some(Data::Case(prefix)) => Unit::Case(vec![(format!("{prefix}B"), String::new())]),
        None => match per_second(unit).map(data) {
            Some(Some(_)) => {
                let amount = per_second(unit).unwrap_or(unit);
                Unit::Other("a rate", vec![(amount.to_owned(), String::new())])
            }
            _ => Unit::Unknown,
        },
    }
}

/// A plain SI unit such as `W` with any prefix.
fn si(unit: &str, symbol: &str) -> Unit {
    if let Some(scale) = unit.strip_suffix(symbol).and_then(prefix) {
        return Unit::Known(scale);
    }
    let cut = unit.len().saturating_sub(symbol.len());
    match (unit.get(..cut), unit.get(cut..)) {
        (Some(head), Some(tail)) if tail.eq_ignore_ascii_case(symbol) => {
            match prefix_any_case(head) {
                Some(head) => Unit::Case(vec![(format!("{head}{symbol}"), String::new())]),
                None => Unit::Unknown,
            }
        }
        _ => Unit::Unknown,
    }
}

/// The prefix of "TFLOP", "TFLOPs", "TFLOPS" in any case, and what follows the word "FLOP".
fn flop(unit: &str) -> Option<(&str, &str)> {
    let at = unit.to_ascii_uppercase().find("FLOP")?;
    Some((unit.get(..at)?, unit.get(at + 4..)?))
}

/// Floating-point operations per second.
pub(crate) fn flop_rate(_number: &str, unit: &str) -> Unit {
    let Some((head, tail)) = flop(unit) else {
        return Unit::Unknown;
    };
    let Some(canonical) = prefix_any_case(head.trim_end()) else {
        return Unit::Unknown;
    };
    let rate = || vec![(format!("{canonical}FLOPS"), String::new())];
    match (prefix(head.trim_end()), tail) {
        (Some(scale), "S" | "/s" | "s/s" | "S/s" | "ps") if unit.contains("FLOP") => {
            Unit::Known(scale)
        }
        (Some(_), "" | "s") => Unit::Other("an amount of work", rate()),
        (_, "" | "s" | "S" | "/s" | "s/s" | "S/s" | "ps") => Unit::Case(rate()),
        _ => Unit::Unknown,
    }
}

/// Floating-point operations.
pub(crate) fn flops(_number: &str, unit: &str) -> Unit {
    let Some((head, tail)) = flop(unit) else {
        return Unit::Unknown;
    };
    let Some(canonical) = prefix_any_case(head.trim_end()) else {
        return Unit::Unknown;
    };
    let amount = || vec![(format!("{canonical}FLOP"), String::new())];
    match (prefix(head.trim_end()), tail) {
        (Some(scale), "" | "s") if unit.contains("FLOP") => Unit::Known(scale),
        (Some(_), "S" | "/s" | "s/s" | "S/s" | "ps") => Unit::Other("a rate", amount()),
        (_, "" | "s" | "S" | "/s" | "s/s") => Unit::Case(amount()),
        _ => Unit::Unknown,
    }
}

/// Watts.
pub(crate) fn power(_number: &str, unit: &str) -> Unit {
    match energy_scale(unit) {
        Some(_) => Unit::Other(
            "an amount of energy",
            vec![(unit.trim_end_matches('h').replace('J', "W"), String::new())],
        ),
        None => si(unit, "W"),
    }
}

fn energy_scale(unit: &str) -> Option<Scale> {
    if let Some(head) = unit.strip_suffix("Wh") {
        return prefix(head).map(|scale| scale.times(3600));
    }
    unit.strip_suffix('J').and_then(prefix)
}

/// Joules, also as watt-hours.
pub(crate) fn energy(_number: &str, unit: &str) -> Unit {
    if let Some(scale) = energy_scale(unit) {
        return Unit::Known(scale);
    }
    if unit.strip_suffix('W').and_then(prefix).is_some() {
        return Unit::Other("a power", vec![(format!("{unit}h"), String::new())]);
    }
    match si(unit, "Wh") {
        Unit::Unknown => si(unit, "J"),
        other => other,
    }
}

/// Counts in words and letters: "k", "M", "B", "T".
fn magnitude(text: &str) -> Option<i32> {
    Some(match text {
        "" => 0,
        "k" | "K" | "thousand" => 3,
        "M" | "million" => 6,
        "B" | "G" | "bn" | "billion" => 9,
        "T" | "trillion" => 12,
        _ => return None,
    })
}

/// Tells a magnitude in wrong case ("m" for "M") from no magnitude.
fn counted(text: &str, what: &str) -> Unit {
    match magnitude(text) {
        Some(exponent) => Unit::Known(Scale::ten(exponent)),
        None => {
            let upper = text.to_ascii_uppercase();
            match magnitude(&upper) {
                Some(_) => Unit::Case(vec![(format!("{upper} {what}"), String::new())]),
                None => Unit::Unknown,
            }
        }
    }
}

/// Tokens.
pub(crate) fn tokens(_number: &str, unit: &str) -> Unit {
    for word in ["tokens", "token"] {
        if let Some(head) = unit.strip_suffix(word) {
            return counted(head.trim_end(), "tokens");
        }
    }
    match counted(unit, "tokens") {
        Unit::Known(_) => Unit::Other(
            "a number of nothing in particular",
            vec![(format!("{unit} tokens"), String::new())],
        ),
        _ => Unit::Unknown,
    }
}

/// The part of a money unit before and after "USD".
fn dollars(unit: &str) -> Option<(&str, &str)> {
    let at = unit
        .find("USD")
        .map(|at| (at, 3))
        .or_else(|| unit.find('$').map(|at| (at, 1)))?;
    Some((unit[..at.0].trim(), unit[at.0 + at.1..].trim()))
}

fn not_dollars(unit: &str) -> Unit {
    if let Some(currency) = foreign_unit(unit) {
        return Unit::Currency(currency);
    }
    let upper = unit.to_ascii_uppercase();
    match upper.find("USD") {
        Some(at) => {
            let fixed = format!("{}USD{}", &unit[..at], &unit[at + 3..]);
            Unit::Case(vec![(fixed, String::new())])
        }
        None => Unit::Unknown,
    }
}

/// US dollars.
pub(crate) fn money(_number: &str, unit: &str) -> Unit {
    let Some((head, tail)) = dollars(unit) else {
        return not_dollars(unit);
    };
    if tail.is_empty() {
        return counted(head, "USD");
    }
    if let Some((before, _)) = tail.split_once('/') {
        let amount = format!("{head} USD").trim().to_owned();
        return if before.trim().is_empty() {
            Unit::Other("a price per something", vec![(amount, String::new())])
        } else {
            Unit::Unknown
        };
    }
    // "USD k" as in "$280 k" is rearranged before it comes here; "280 USD M" is not a form.
    Unit::Unknown
}

/// US dollars per hour of one accelerator.
pub(crate) fn price_per_hour(_number: &str, unit: &str) -> Unit {
    let Some((head, tail)) = dollars(unit) else {
        return not_dollars(unit);
    };
    let tail = tail
        .strip_prefix('/')
        .or_else(|| tail.strip_prefix("per "))
        .unwrap_or(tail)
        .trim();
    let per = tail.to_ascii_lowercase().replace([' ', '/'], "-");
    let accelerator = ["gpu", "accelerator", "chip", "npu", "tpu"]
        .iter()
        .find_map(|word| per.strip_prefix(word))
        .map_or(per.as_str(), |rest| rest.trim_start_matches('-'));
    match accelerator {
        "h" | "hr" | "hour" => counted(head, "USD/h"),
        "" => Unit::Other(
            "an amount of money",
            vec![("USD/h".to_owned(), String::new())],
        ),
        _ => Unit::Unknown,
    }
}

/// US dollars per unit of energy.
pub(crate) fn price_per_energy(_number: &str, unit: &str) -> Unit {
    let Some((head, tail)) = dollars(unit) else {
        return not_dollars(unit);
    };
    if !head.is_empty() {
        return Unit::Unknown;
    }
    let Some(tail) = tail.strip_prefix('/').or_else(|| tail.strip_prefix("per ")) else {
        return if tail.is_empty() {
            Unit::Other(
                "an amount of money",
                vec![("USD/kWh".to_owned(), String::new())],
            )
        } else {
            Unit::Unknown
        };
    };
    match energy(_number, tail.trim()) {
        Unit::Known(scale) => {
            let inverse = Scale::ten(-scale.exponent)
                .over(scale.numerator)
                .times(scale.denominator);
            Unit::Known(inverse)
        }
        Unit::Case(list) => Unit::Case(
            list.into_iter()
                .map(|(unit, why)| (format!("USD/{unit}"), why))
                .collect(),
        ),
        _ => Unit::Unknown,
    }
}

/// Time in picoseconds.
pub(crate) fn time(_number: &str, unit: &str) -> Unit {
    const SECOND: i32 = 12;
    Unit::Known(match unit {
        "ps" => Scale::ten(0),
        "ns" => Scale::ten(3),
        "us" | "µs" | "μs" => Scale::ten(6),
        "ms" => Scale::ten(9),
        "s" | "sec" | "second" | "seconds" => Scale::ten(SECOND),
        "min" | "minute" | "minutes" => Scale::ten(SECOND).times(60),
        "h" | "hr" | "hour" | "hours" => Scale::ten(SECOND).times(3600),
        "d" | "day" | "days" => Scale::ten(SECOND).times(86_400),
        "m" | "M" => {
            let readings = ["min", "ms"].map(|u| (u.to_owned(), String::new()));
            return Unit::Other("minutes, months or metres", readings.to_vec());
        }
        other => {
            let lower = other.to_ascii_lowercase();
            let known = ["ps", "ns", "us", "ms", "s", "h", "min", "days"];
            return match known.iter().find(|u| **u == lower) {
                Some(u) => Unit::Case(vec![((*u).to_owned(), String::new())]),
                None => Unit::Unknown,
            };
        }
    })
}

/// Pure numbers: per cent.
pub(crate) fn ratio(_number: &str, unit: &str) -> Unit {
    match unit {
        "%" | "percent" | "per cent" => Unit::Known(Scale::ten(-2)),
        _ => Unit::Unknown,
    }
}
