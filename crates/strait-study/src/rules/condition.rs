//! One condition of a clause: a figure of a chip and a threshold.
//!
//! In: text such as `tpp >= 4800`, `io_bandwidth >= 600 GB/s both ways`, `datacentre`, `on sale by
//! 2026-01-15`. Out: true, false, or not known for a [`Chip`], with words for it. Never guesses a figure: a
//! condition is known exactly where the figures that are given decide it.
//!
//! ```text
//! condition = figure (">=" | "<") value | "datacentre" | "not datacentre" | "on sale by" day
//! figure    = "tpp" | "performance_density" | "io_bandwidth" | "memory_bandwidth"
//!           | "memory_and_io_bandwidth"
//! ```
//!
//! Both comparisons are exact at the edge: `>=` holds at the threshold, `<` does not. There is no other,
//! so that two clauses that share a threshold leave no gap and no overlap.

use super::chip::Chip;
use super::date::Date;
use serde::Deserialize;
use strait_units::Bandwidth;

/// A figure that rules compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Total processing performance.
    Tpp,
    /// Performance density, TPP per square millimetre.
    Density,
    /// Input and output, both directions, without memory.
    Io,
    /// Memory bandwidth.
    Memory,
    /// Memory bandwidth plus input and output.
    MemoryAndIo,
}

/// Figures in the order of the language, by their names in it.
const FIGURES: [(Figure, &str, &str); 5] = [
    (Figure::Tpp, "tpp", "TPP"),
    (
        Figure::Density,
        "performance_density",
        "performance density",
    ),
    (Figure::Io, "io_bandwidth", "I/O bandwidth"),
    (Figure::Memory, "memory_bandwidth", "memory bandwidth"),
    (
        Figure::MemoryAndIo,
        "memory_and_io_bandwidth",
        "memory and I/O bandwidth together",
    ),
];

impl Figure {
    /// All, in the order of the language.
    pub const ALL: [Figure; 5] = [
        Figure::Tpp,
        Figure::Density,
        Figure::Io,
        Figure::Memory,
        Figure::MemoryAndIo,
    ];

    /// As rules are written.
    pub fn key(self) -> &'static str {
        FIGURES.iter().find(|f| f.0 == self).map_or("", |f| f.1)
    }

    /// As people say it.
    pub fn words(self) -> &'static str {
        FIGURES.iter().find(|f| f.0 == self).map_or("", |f| f.2)
    }

    /// The figure of a chip in its base unit: TPP, TPP/mm2, or bytes per second.
    pub(super) fn of(self, chip: &Chip) -> Option<f64> {
        match self {
            Figure::Tpp => chip.tpp.map(|t| t.0),
            Figure::Density => chip.performance_density().map(|d| d.0),
            Figure::Io => chip.io_both_ways(),
            Figure::Memory => chip.memory.map(Bandwidth::get),
            Figure::MemoryAndIo => chip
                .memory
                .map(Bandwidth::get)
                .zip(chip.io_both_ways())
                .map(|(m, i)| m + i),
        }
    }

    /// The least that the figure can be, where it is not known: a sum is no less than its known part.
    fn at_least(self, chip: &Chip) -> f64 {
        match self {
            Figure::MemoryAndIo => chip
                .memory
                .map(Bandwidth::get)
                .or(chip.io_both_ways())
                .unwrap_or(0.0),
            _ => self.of(chip).unwrap_or(0.0),
        }
    }

    /// A number of this figure with its unit.
    pub fn print(self, value: f64) -> String {
        match self {
            Figure::Tpp => grouped(value),
            Figure::Density => format!("{}", (value * 100.0).round() / 100.0),
            Figure::Io => format!("{} GB/s both ways", grouped(value * 1e-9)),
            Figure::Memory | Figure::MemoryAndIo => format!("{} GB/s", grouped(value * 1e-9)),
        }
    }
}

/// A whole number in groups of three digits; decimals only where there are any.
fn grouped(value: f64) -> String {
    let tenths = (value * 10.0).round();
    let whole = (tenths / 10.0).trunc();
    let digits = format!("{whole}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    let rest = tenths - whole * 10.0;
    if rest > 0.0 {
        format!("{out}.{rest}")
    } else {
        out
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The figure reaches the threshold.
    AtLeast(Figure, f64),
    /// The figure stays below the threshold.
    Below(Figure, f64),
    /// Designed or marketed for datacentres, or not.
    Datacentre(bool),
    /// Commercially available by the end of a day.
    OnSaleBy(Date),
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no condition: {why}")]
pub struct ConditionError {
    /// What was written.
    pub text: String,
    /// What is wrong and how to write it.
    pub why: String,
}

impl std::str::FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        let wrong = |why: String| ConditionError {
            text: text.to_owned(),
            why,
        };
        let written = text.trim();
        match written {
            "datacentre" => return Ok(Condition::Datacentre(true)),
            "not datacentre" => return Ok(Condition::Datacentre(false)),
            _ => {}
        }
        if let Some(day) = written.strip_prefix("on sale by ") {
            let day = Date::parse(day.trim()).map_err(|error| wrong(error.to_string()))?;
            return Ok(Condition::OnSaleBy(day));
        }
        let (name, at_least, value) = if let Some((name, value)) = written.split_once(">=") {
            (name, true, value)
        } else if let Some((name, value)) =
            written.split_once('<').filter(|(_, v)| !v.starts_with('='))
        {
            (name, false, value)
        } else {
            return Err(wrong(
                "write a figure, >= or <, and a value, as in tpp >= 4800; or datacentre; or not datacentre; \
                 or on sale by 2026-01-15"
                    .to_owned(),
            ));
        };
        let name = name.trim();
        let Some((figure, ..)) = FIGURES.iter().find(|f| f.1 == name) else {
            let known: Vec<&str> = FIGURES.iter().map(|f| f.1).collect();
            return Err(wrong(format!(
                "no figure is called \"{name}\"; they are {}",
                known.join(", ")
            )));
        };
        let threshold = value_of(*figure, value.trim()).map_err(wrong)?;
        Ok(if at_least {
            Condition::AtLeast(*figure, threshold)
        } else {
            Condition::Below(*figure, threshold)
        })
    }
}

/// A threshold in the base unit of its figure.
fn value_of(figure: Figure, text: &str) -> Result<f64, String> {
    let value = match figure {
        Figure::Tpp | Figure::Density => {
            let plain = text.replace('_', "");
            (plain.parse::<f64>()).map_err(|_| {
                format!(
                    "\"{text}\" is no plain number, as in {} >= 4800",
                    figure.key()
                )
            })?
        }
        Figure::Io => {
            if !text.contains("both ways") {
                return Err(
                    "say that both directions are counted, as in io_bandwidth >= 600 GB/s both ways".to_owned(),
                );
            }
            2.0 * text.parse::<Bandwidth>().map_err(|e| e.to_string())?.get()
        }
        Figure::Memory | Figure::MemoryAndIo => {
            text.parse::<Bandwidth>().map_err(|e| e.to_string())?.get()
        }
    };
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err("a threshold is a positive number".to_owned())
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Condition {
    /// Whether it holds; `None` where the known figures do not decide it.
    pub fn holds(&self, chip: &Chip) -> Option<bool> {
        match self {
            Condition::AtLeast(figure, threshold) => match figure.of(chip) {
                Some(value) => Some(value >= *threshold),
                None => (figure.at_least(chip) >= *threshold).then_some(true),
            },
            Condition::Below(figure, threshold) => match figure.of(chip) {
                Some(value) => Some(value < *threshold),
                None => (figure.at_least(chip) >= *threshold).then_some(false),
            },
            Condition::Datacentre(wanted) => chip.datacentre.map(|is| is == *wanted),
            Condition::OnSaleBy(day) => chip.on_sale_by(*day),
        }
    }

    /// How it stands with a chip, in words.
    pub fn words(&self, chip: &Chip) -> String {
        let compare = |figure: Figure, threshold: f64| {
            let edge = figure.print(threshold);
            match figure.of(chip) {
                Some(value) => {
                    let side = if value >= threshold {
                        "reaches"
                    } else {
                        "is below"
                    };
                    format!("{} {} {side} {edge}", figure.words(), figure.print(value))
                }
                None if figure.at_least(chip) >= threshold => {
                    format!("{} reaches {edge} by its known part alone", figure.words())
                }
                None => format!("{} is not known ({edge} matters)", figure.words()),
            }
        };
        match self {
            Condition::AtLeast(figure, threshold) | Condition::Below(figure, threshold) => {
                compare(*figure, *threshold)
            }
            Condition::Datacentre(_) => match chip.datacentre {
                Some(true) => "designed or marketed for datacentres".to_owned(),
                Some(false) => "not designed or marketed for datacentres".to_owned(),
                None => "whether it is marketed for datacentres is not known".to_owned(),
            },
            Condition::OnSaleBy(day) => match chip.on_sale_by(*day) {
                Some(true) => format!("on sale by {day}"),
                Some(false) => format!("not on sale by {day}"),
                None => format!("whether it was on sale by {day} is not known"),
            },
        }
    }

    /// The figure that would decide it, in words.
    pub fn needs(&self) -> &'static str {
        match self {
            Condition::AtLeast(figure, _) | Condition::Below(figure, _) => figure.words(),
            Condition::Datacentre(_) => "whether it is marketed for datacentres",
            Condition::OnSaleBy(_) => "when it went on sale",
        }
    }
}

/// Whether all hold, in three-valued logic: one that fails decides, whatever is unknown.
pub fn all(conditions: &[Condition], chip: &Chip) -> Option<bool> {
    let mut known = Some(true);
    for condition in conditions {
        match condition.holds(chip) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = None,
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn parse(text: &str) -> Result<Condition, String> {
        text.parse().map_err(|e: ConditionError| e.to_string())
    }

    #[test]
    fn bad_conditions_say_how_to_write_them() {
        for (text, wanted) in [
            ("tpp > 4800", "write a figure, >= or <"),
            ("tpp <= 4800", "write a figure, >= or <"),
            ("tops >= 4800", "no figure is called \"tops\""),
            ("tpp >= 4800 TOPS", "no plain number"),
            ("tpp >= nan", "positive number"),
            ("tpp >= -1", "positive number"),
            ("io_bandwidth >= 600 GB/s", "both ways"),
            ("memory_bandwidth >= 1400", "unit"),
            ("on sale by 2026-02-30", "no day 30"),
            ("", "write a figure"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn the_edge_belongs_to_at_least() {
        let chip = Catalog::embedded().chip("a100-sxm-80").unwrap();
        let at = |text: &str| parse(text).unwrap().holds(&chip);
        assert_eq!(at("tpp >= 4992"), Some(true));
        assert_eq!(at("tpp < 4992"), Some(false));
        assert_eq!(at("io_bandwidth >= 664 GB/s both ways"), Some(true));
        assert_eq!(at("io_bandwidth < 664 GB/s both ways"), Some(false));
        assert_eq!(at("memory_and_io_bandwidth >= 2703 GB/s"), Some(true));
        assert_eq!(at("memory_and_io_bandwidth >= 2704 GB/s"), Some(false));
    }

    #[test]
    fn unknown_figures_are_unknown_only_where_they_matter() {
        let mut chip = Catalog::embedded().chip("h20-96").unwrap();
        chip.tpp = None;
        chip.density = None;
        chip.io = None;
        let at = |text: &str| parse(text).unwrap().holds(&chip);
        assert_eq!(at("tpp >= 4800"), None);
        assert_eq!(at("performance_density < 1.6"), None);
        // A sum is no less than its known part.
        assert_eq!(at("memory_and_io_bandwidth >= 1700 GB/s"), Some(true));
        assert_eq!(at("memory_and_io_bandwidth < 1700 GB/s"), Some(false));
        assert_eq!(at("memory_and_io_bandwidth >= 4001 GB/s"), None);
        let both = [
            parse("tpp >= 4800").unwrap(),
            parse("memory_bandwidth >= 9 TB/s").unwrap(),
        ];
        assert_eq!(all(&both, &chip), Some(false), "one that fails decides");
    }

    #[test]
    fn figures_are_printed_with_their_units() {
        assert_eq!(Figure::Io.print(664e9), "664 GB/s both ways");
        assert_eq!(Figure::Tpp.print(15_831.2), "15,831.2");
        assert_eq!(Figure::Tpp.print(1_234_567.0), "1,234,567");
        assert_eq!(Figure::Density.print(5.92), "5.92");
    }
}
