//! Which colour a series has, and how its values are written.
//!
//! In: names of series; values with their unit. Out: colours that are the same in every figure for the
//! accelerators of the question, and short strings. Never gives two series of one figure one colour, as long as
//! there are no more than the palette has.

use super::theme::colour;
use crate::answer::format::{decimals, fixed, percent, scaled, seconds, signed_percent};
use plotters::style::RGBColor;

/// Series that a figure tells apart at most.
pub(super) const SERIES: usize = 7;

/// Accelerators whose colour is the same everywhere. Longer names come before those they begin with.
const FIXED: [(&str, RGBColor); 5] = [
    ("h800", colour::ORANGE),
    ("h100", colour::BLUE),
    ("a800", colour::PURPLE),
    ("a100", colour::GREEN),
    ("h20", colour::VERMILION),
];

/// The order in which other series get theirs.
const PALETTE: [RGBColor; SERIES] = [
    colour::BLUE,
    colour::ORANGE,
    colour::GREEN,
    colour::PURPLE,
    colour::SKY,
    colour::VERMILION,
    colour::NAVY,
];

/// The accelerator that a name speaks of, where its colour is fixed.
fn fixed_hue(name: &str) -> Option<RGBColor> {
    let name = name.to_lowercase();
    (FIXED.iter())
        .find(|(chip, _)| {
            name.match_indices(chip).any(|(at, _)| {
                let before = name[..at].chars().next_back();
                let after = name[at + chip.len()..].chars().next();
                let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
                !word(before) && !after.is_some_and(|c| c.is_ascii_digit())
            })
        })
        .map(|(_, hue)| *hue)
}

/// A colour for each name. The first that names an accelerator of the question has its colour.
pub(super) fn hues(names: &[&str]) -> Vec<RGBColor> {
    let mut hues: Vec<Option<RGBColor>> = Vec::with_capacity(names.len());
    for name in names {
        let hue = fixed_hue(name).filter(|hue| !hues.contains(&Some(*hue)));
        hues.push(hue);
    }
    let taken = hues.clone();
    let mut free = (PALETTE.iter()).filter(|hue| !taken.contains(&Some(**hue)));
    (hues.into_iter())
        .map(|hue| {
            hue.or_else(|| free.next().copied())
                .unwrap_or(colour::FAINT)
        })
        .collect()
}

/// Values in a row, such as "2.4, 2.1 to 2.8 M GPU-hours": a unit that all have stands once, at the end.
pub(super) fn unit_once<const N: usize>(values: [String; N]) -> [String; N] {
    let unit = |value: &String| value.split_once('\u{a0}').map(|(_, unit)| unit.to_owned());
    let last = values.last().and_then(unit);
    if last.is_none() || values.iter().any(|v| v.starts_with('$') || unit(v) != last) {
        return values;
    }
    let mut at = 0;
    values.map(|value| {
        at += 1;
        match value.split_once('\u{a0}') {
            Some((number, _)) if at < N => number.to_owned(),
            _ => value,
        }
    })
}

/// How the values of one quantity are written in a figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measure {
    /// What an axis multiplies values by.
    pub factor: f64,
    /// Unit of the axis.
    pub name: String,
    unit: String,
}

impl Measure {
    /// Of values in `unit` of which `largest` is the largest in size.
    pub fn new(unit: &str, largest: f64) -> Measure {
        let largest = largest.abs();
        let (factor, name) = match unit {
            "s" if largest > 0.0 && largest < 1e-3 => (1e6, "µs".to_owned()),
            "s" if largest > 0.0 && largest < 0.5 => (1e3, "ms".to_owned()),
            "s" if largest < 1e6 => (1.0, "seconds".to_owned()),
            "B/s" if largest >= 1e12 => (1e-12, "TB/s".to_owned()),
            "B/s" if largest >= 1e9 => (1e-9, "GB/s".to_owned()),
            "B" if largest >= 1e9 => (1e-9, "GB".to_owned()),
            "1" if largest <= 2.0 => (100.0, "%".to_owned()),
            _ => {
                let long = match unit {
                    "GPU h" => "GPU-hours",
                    "d" => "days",
                    "1" => "",
                    other => other,
                };
                let (factor, many) = match largest {
                    l if l >= 1e12 => (1e-12, "trillion "),
                    l if l >= 1e9 => (1e-9, "billion "),
                    l if l >= 1e6 => (1e-6, "million "),
                    _ => (1.0, ""),
                };
                (factor, format!("{many}{long}").trim_end().to_owned())
            }
        };
        Measure {
            factor,
            name,
            unit: unit.to_owned(),
        }
    }

    /// A value with its unit, as a person reads it; the number stays on the line of its unit.
    pub fn value(&self, value: f64) -> String {
        self.print(value, scaled)
    }

    /// The same with three digits, where many stand together.
    pub fn short(&self, value: f64) -> String {
        self.print(value, brief)
    }

    fn print(&self, value: f64, figure: fn(f64) -> String) -> String {
        let text = match self.unit.as_str() {
            unit if value.abs() >= 1e16 => format!("{} {unit}", brief(value)),
            "USD" if value < 0.0 => format!("-${}", figure(-value)),
            "USD" => format!("${}", figure(value)),
            "s" => seconds(value),
            "1" if value.abs() <= 2.0 => percent(value),
            "1" => brief(value),
            "GPU h" => format!("{} GPU-hours", figure(value)),
            "d" => format!("{} days", brief(value)),
            "B/s" if value.abs() >= 1e9 => format!("{} GB/s", brief(value / 1e9)),
            "B" if value.abs() >= 1e9 => format!("{} GB", brief(value / 1e9)),
            "" => brief(value),
            unit => format!("{} {unit}", brief(value)),
        };
        text.replace(' ', "\u{a0}")
    }
}

/// A name as it stands within a sentence.
pub(super) fn named(name: &str) -> String {
    const LONGEST: usize = 40;
    let clean = name.replace(|c: char| c.is_control(), " ");
    let clean = clean.trim();
    if clean.is_empty() {
        return "(no name)".to_owned();
    }
    if clean.chars().count() <= LONGEST {
        return clean.to_owned();
    }
    clean.chars().take(LONGEST - 1).collect::<String>() + "…"
}

/// A change as a person says it: "12 % less", "3.1 times", "no".
pub(super) fn change(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "beyond measure".to_owned();
    }
    let text = if ratio >= 3.0 {
        format!("{} times", brief(ratio))
    } else if (ratio - 1.0).abs() < 5e-4 {
        "0.0 %".to_owned()
    } else {
        signed_percent(ratio - 1.0)
    };
    text.replace(' ', "\u{a0}").replace('-', "\u{2212}")
}

/// Three or four digits, whatever the size.
pub(super) fn brief(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e4).contains(&size) {
        fixed(value, decimals(value, 3))
    } else if (1e4..1e15).contains(&size) {
        let (unit, name) = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")]
            .into_iter()
            .find(|(unit, _)| size >= *unit)
            .unwrap_or((1.0, ""));
        format!("{} {name}", fixed(value / unit, decimals(value / unit, 3)))
    } else {
        format!("{value:.2e}")
    }
}

/// The first letter in upper case, for the beginning of a title.
pub(super) fn begin(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_of_the_question_keep_their_colours() {
        assert_eq!(hues(&["h800", "h100"]), [colour::ORANGE, colour::BLUE]);
        assert_eq!(
            hues(&["H100 SXM", "x", "nvl-h800-sxm"]),
            [colour::BLUE, colour::GREEN, colour::ORANGE]
        );
        // Neither an H200 nor a GH100 is one of them; two H800 differ.
        assert_eq!(fixed_hue("h200"), None);
        assert_eq!(fixed_hue("gh100"), None);
        assert_eq!(hues(&["h800 a", "h800 b"]), [colour::ORANGE, colour::BLUE]);
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let mut found: Vec<_> = hues(&names).iter().map(|c| (c.0, c.1, c.2)).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), SERIES);
    }

    #[test]
    fn values_are_short_with_their_units() {
        let measure = Measure::new("USD", 7e6);
        assert_eq!(
            (measure.factor, measure.name.as_str()),
            (1e-6, "million USD")
        );
        assert_eq!(measure.value(5.576e6), "$5.576\u{a0}M");
        assert_eq!(measure.short(5.576e6), "$5.58\u{a0}M");
        assert_eq!(measure.short(-576e3), "-$576\u{a0}K");
        assert_eq!(change(0.9), "\u{2212}10.0\u{a0}%");
        assert_eq!(change(31.0), "31.0\u{a0}times");
        assert_eq!(Measure::new("s", 0.02).name, "ms");
        assert_eq!(Measure::new("1", 0.4).value(0.432), "43.2\u{a0}%");
        assert_eq!(Measure::new("widgets", 3.0).value(2.5), "2.50\u{a0}widgets");
        assert_eq!(
            Measure::new("x", 1e300).value(1e300).len(),
            "1.00e300 x".len() + 1
        );
    }
}
