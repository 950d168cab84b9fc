//! Counted instructions against a baseline.
//!
//! In: instructions for each unit of work, now and in a file. Out: whether the change is one to
//! stop at. Never counts anything itself: `benches/instructions.rs` does, under callgrind.

use std::collections::BTreeMap;
use std::fmt;

/// More than this is a regression.
pub const WORSE: f64 = 0.05;
/// Less than this is a baseline that no longer guards anything.
pub const BETTER: f64 = 0.20;
/// Both, where another compiler than the baseline's made the code.
pub const OTHER_COMPILER: f64 = 0.30;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// The compiler that the counts are of, as `rustc -V` and its host.
    pub compiler: String,
    /// Instructions for each unit of work.
    pub counts: BTreeMap<String, f64>,
}

/// How a count compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Within the tolerance; the change as a share.
    Same(f64),
    /// More instructions than the tolerance allows.
    Worse(f64),
    /// So many fewer that the baseline has to be renewed.
    Better(f64),
    /// No baseline.
    Unknown,
}

impl Verdict {
    /// Whether the check fails.
    pub fn fails(self) -> bool {
        !matches!(self, Verdict::Same(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |change: &f64| format!("{:+.1} %", 100.0 * change);
        match self {
            Verdict::Same(change) => write!(f, "{}", percent(change)),
            Verdict::Worse(change) => write!(f, "{} WORSE", percent(change)),
            Verdict::Better(change) => write!(f, "{} better: renew the baseline", percent(change)),
            Verdict::Unknown => write!(f, "no baseline: write one"),
        }
    }
}

impl Baseline {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Says what it cannot read.
    pub fn parse(text: &str) -> Result<Baseline, String> {
        let mut baseline = Baseline::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with('[') {
                continue;
            }
            let fault = || format!("line {}: `{line}` is not `name = number`", index + 1);
            let (name, value) = line.split_once('=').ok_or_else(fault)?;
            let (name, value) = (name.trim(), value.trim());
            if name == "compiler" {
                baseline.compiler = value.trim_matches('"').to_owned();
            } else {
                let value = value.parse().map_err(|_| fault())?;
                baseline.counts.insert(name.to_owned(), value);
            }
        }
        Ok(baseline)
    }

    /// The file's text, TOML.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# Instructions for each unit of work, counted by callgrind.\n\
             # Renew with: cargo run --release --package strait-benches --bin instructions -- --update\n",
        );
        text.push_str(&format!("compiler = \"{}\"\n\n[counts]\n", self.compiler));
        for (name, count) in &self.counts {
            text.push_str(&format!("{name} = {count:.3}\n"));
        }
        text
    }

    /// Whether counts of a machine of this compiler can be held against the file at all: other
    /// processors have other instructions.
    pub fn comparable(&self, compiler: &str) -> bool {
        let host = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
        host(&self.compiler) == host(compiler)
    }

    /// Compares a count that `compiler`'s code gave.
    pub fn judge(&self, compiler: &str, name: &str, count: f64) -> Verdict {
        let Some(before) = self.counts.get(name) else {
            return Verdict::Unknown;
        };
        let (worse, better) = if compiler == self.compiler {
            (WORSE, BETTER)
        } else {
            (OTHER_COMPILER, OTHER_COMPILER)
        };
        let change = count / before - 1.0;
        if change > worse {
            Verdict::Worse(change)
        } else if change < -better {
            Verdict::Better(change)
        } else {
            Verdict::Same(change)
        }
    }
}

/// What callgrind counted: the figure behind `totals:` of its output.
pub fn callgrind_total(output: &str) -> Option<u64> {
    let total = |line: &str| {
        line.strip_prefix("totals:")
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
    };
    output.lines().find_map(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "rustc 1.95.0 x86_64-unknown-linux-gnu";

    fn baseline() -> Baseline {
        let counts = BTreeMap::from([("lanes".to_owned(), 100.0), ("heap".to_owned(), 0.125)]);
        Baseline {
            compiler: HERE.to_owned(),
            counts,
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        assert_eq!(Baseline::parse(&baseline().text()), Ok(baseline()));
        assert!(Baseline::parse("lanes: 3").is_err());
        assert!(Baseline::parse("lanes = many").is_err());
    }

    #[test]
    fn a_count_is_held_within_its_band() {
        let judge = |count| baseline().judge(HERE, "lanes", count);
        assert!(!judge(104.9).fails());
        assert!(matches!(judge(105.1), Verdict::Worse(_)));
        assert!(!judge(80.1).fails());
        assert!(matches!(judge(79.9), Verdict::Better(_)));
        assert_eq!(baseline().judge(HERE, "runs", 1.0), Verdict::Unknown);
    }

    #[test]
    fn another_compiler_has_a_wider_band_and_another_processor_none() {
        let other = "rustc 1.96.0 x86_64-unknown-linux-gnu";
        assert!(baseline().comparable(other));
        assert!(!baseline().judge(other, "lanes", 125.0).fails());
        assert!(baseline().judge(other, "lanes", 131.0).fails());
        assert!(!baseline().comparable("rustc 1.95.0 aarch64-unknown-linux-gnu"));
    }

    #[test]
    fn the_total_is_found() {
        let output = "events: Ir\nfn=(1) x\n10 5\ntotals: 123456\n";
        assert_eq!(callgrind_total(output), Some(123_456));
        assert_eq!(callgrind_total("events: Ir\n"), None);
    }
}
