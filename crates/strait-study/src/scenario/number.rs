//! A setting that holds a number: read, written and printed by its path.
//!
//! In: a path, and texts such as "400 GB/s". Out: numbers in the base unit, and texts that read back
//! as the same number. Never changes a scenario.

use super::amount::{self, Dimension};
use super::diagnostic::Diagnostic;
use super::keys::Kind;
use super::paths::{self, Target};
use super::unit;

/// The key whose text says by its words which direction it counts.
const NVLINK: &str = "cluster.nvlink_bandwidth";
/// How a text says so.
const DIRECTIONS: [&str; 3] = ["way", "direction", "bidir"];

/// A path that leads to a number.
#[derive(Clone, Debug)]
pub struct Number {
    path: String,
    kind: Kind,
}

impl Number {
    /// The number at a path; `None` where the path leads to something else, or nowhere.
    pub fn at(path: &str) -> Option<Number> {
        let Ok(Target::Key(key)) = paths::find(path) else {
            return None;
        };
        let kind = key.kind.bare();
        let number = matches!(
            kind,
            Kind::Count { .. } | Kind::Number { .. } | Kind::Quantity { .. }
        );
        number.then(|| Number {
            path: path.to_owned(),
            kind,
        })
    }

    /// Reads a value as `--set` takes it, in the base unit. NVLink's is of one direction, whichever
    /// the text counts.
    ///
    /// # Errors
    /// What is wrong with the text, at its place on the command line.
    pub fn read(&self, text: &str) -> Result<f64, Diagnostic> {
        let setting = super::argument(&self.path, text);
        let value = amount::scalar(self.kind, &setting.node, &self.path)?;
        let directed = DIRECTIONS.iter().any(|word| text.contains(word));
        Ok(match self.path == NVLINK && !directed {
            true => value / 2.0,
            false => value,
        })
    }

    /// A number of the base unit as `--set` reads it back.
    pub fn write(&self, value: f64) -> String {
        let text = match self.kind {
            Kind::Quantity { dimension, .. } => unit::print(dimension, value),
            Kind::Count { .. } => format!("{value:.0}"),
            _ => format!("{value}"),
        };
        match self.path == NVLINK {
            true => format!("{text} one-way"),
            false => text,
        }
    }

    /// The same for people, with four digits.
    pub fn print(&self, value: f64) -> String {
        match self.kind {
            Kind::Count { .. } => self.write(value),
            // Without what a conversion of units adds at the end.
            _ => self.write(format!("{value:.3e}").parse().unwrap_or(value)),
        }
    }

    /// What the key accepts, in the base unit.
    pub fn bounds(&self) -> (f64, f64) {
        match self.kind {
            Kind::Count { min, max, .. } => (min as f64, max as f64),
            Kind::Number { min, max } | Kind::Quantity { min, max, .. } => (min, max),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Its values are whole numbers.
    pub fn whole(&self) -> bool {
        matches!(self.kind, Kind::Count { .. })
    }

    /// Symbol of its base unit; empty for plain numbers and counts.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Quantity { dimension, .. } => match dimension {
                Dimension::Bandwidth => "B/s",
                Dimension::Bytes => "B",
                Dimension::FlopRate => "FLOP/s",
                Dimension::Power => "W",
                Dimension::Time => "s",
                Dimension::Tokens => "tokens",
                Dimension::PricePerHour => "USD/h",
                Dimension::PricePerEnergy => "USD/J",
                Dimension::Money => "USD",
                Dimension::Energy => "J",
                Dimension::GpuHours => "GPU h",
                Dimension::Days => "d",
                Dimension::Accelerators => "GPUs",
                Dimension::TokenRate => "tokens/s",
                Dimension::Share => "1",
                Dimension::FailureRate => "failures per node-day",
            },
            _ => "",
        }
    }

    /// It is written with a unit.
    pub fn has_unit(&self) -> bool {
        matches!(self.kind, Kind::Quantity { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for (path, text) in [
            ("economics.rent", "2.17 USD/h"),
            ("cluster.nic_bandwidth", "400 Gb/s"),
            ("cluster.peak_bf16", "989.4 TFLOPS"),
            ("software.host_time_per_op", "9 us"),
            ("training.tokens", "14.8 T tokens"),
            ("reliability.failures", "3.8 per 1000 node-days"),
            ("economics.electricity", "0.0826 USD/kWh"),
            ("economics.pue", "1.25"),
            ("routing.spread", "9 %"),
            ("cluster.nodes", "256"),
            ("cluster.nvlink_bandwidth", "400 GB/s"),
            ("training.phase.main.tokens", "1 T tokens"),
        ] {
            let number = Number::at(path).expect(path);
            let value = number.read(text).expect(text);
            for value in [value, value * 1.1, value * 1.3] {
                let value = if number.whole() { value.round() } else { value };
                let back = number.read(&number.write(value)).expect(path);
                // Times are whole picoseconds.
                assert!((back / value - 1.0).abs() < 2e-7, "{path}: {value} {back}");
            }
        }
    }

    #[test]
    fn nvlink_counts_one_direction_however_it_is_written() {
        let number = Number::at(NVLINK).unwrap();
        for text in ["400 GB/s", "400 GB/s both ways", "200 GB/s one-way"] {
            assert_eq!(number.read(text).unwrap(), 2e11, "{text}");
        }
        assert_eq!(number.print(2e11), "200 GB/s one-way");
    }

    #[test]
    fn words_and_unknown_paths_are_no_numbers() {
        for path in ["cluster.accelerator", "cluster", "cluster.nope", "", "case"] {
            assert!(Number::at(path).is_none(), "{path}");
        }
        let error = Number::at("economics.rent").unwrap().read("2").unwrap_err();
        assert_eq!(error.code, "scenario::bare-number");
    }
}
