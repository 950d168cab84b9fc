//! The accuracy gate: errors as they were, against errors as they are.
//!
//! In: a report and the golden file. Out: what has become worse. Never looks at single rows: one may
//! move for the better of a family.

use super::report::{Family, Report};
use serde::{Deserialize, Serialize};

/// How much a family's median error may grow, as a fraction: half a point.
pub const SLACK: f64 = 0.005;

/// Errors of families at a time, and why they are what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Why the file was last written.
    pub reason: String,
    /// Rows without prediction.
    pub refused: usize,
    /// All rows that count, then families.
    pub family: Vec<Entry>,
}

/// A family's errors, fractions to four digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name.
    pub family: String,
    /// Predicted rows.
    pub rows: usize,
    /// Median absolute error.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
}

/// A golden file that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{name} is no golden file: {message}")]
pub struct GoldenError {
    /// File.
    pub name: String,
    /// What the parser said.
    pub message: String,
}

impl Golden {
    /// The errors of a report.
    pub fn of(report: &Report, reason: &str) -> Golden {
        let entry = |family: &Family| Entry {
            family: family.family.clone(),
            rows: family.rows,
            median: rounded(family.median),
            p90: rounded(family.p90),
        };
        let all = [&report.overall]
            .into_iter()
            .chain(&report.families)
            .chain(&report.memory.families);
        Golden {
            reason: reason.to_owned(),
            refused: report.refused.len(),
            family: all.map(entry).collect(),
        }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// Where it is not TOML of this form.
    pub fn read(name: &str, text: &str) -> Result<Golden, GoldenError> {
        toml::from_str(text).map_err(|error| GoldenError {
            name: name.to_owned(),
            message: error.to_string(),
        })
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut out = String::from(
            "# Errors of published steps as predicted, by family. Written by\n\
             # `strait validate --write-gate FILE --reason TEXT`; `--gate FILE` fails where a median grows by\n\
             # more than half a point, or where fewer rows are predicted.\n\n",
        );
        out += &format!(
            "reason = {}\nrefused = {}\n",
            quoted(&self.reason),
            self.refused
        );
        for entry in &self.family {
            out += &format!(
                "\n[[family]]\nfamily = {}\nrows = {}\nmedian = {:.4}\np90 = {:.4}\n",
                quoted(&entry.family),
                entry.rows,
                entry.median,
                entry.p90
            );
        }
        out
    }

    /// What of a report is worse than this, in words; empty where nothing is.
    pub fn worse(&self, report: &Report) -> Vec<String> {
        let now = Golden::of(report, "");
        let mut found = Vec::new();
        for old in &self.family {
            let Some(new) = now.family.iter().find(|new| new.family == old.family) else {
                found.push(format!(
                    "{}: none of its {} rows is predicted",
                    old.family, old.rows
                ));
                continue;
            };
            if new.rows < old.rows {
                found.push(format!(
                    "{}: {} rows are predicted, {} were",
                    old.family, new.rows, old.rows
                ));
            }
            // Both are rounded: the slack is exact to their last digit.
            if new.median > old.median + SLACK + 1e-9 {
                found.push(format!(
                    "{}: median error {:.2} %, was {:.2} %",
                    old.family,
                    100.0 * new.median,
                    100.0 * old.median
                ));
            }
        }
        if now.refused > self.refused {
            found.push(format!(
                "{} rows are refused, {} were",
                now.refused, self.refused
            ));
        }
        found
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::report::tests::report;

    #[test]
    fn a_family_may_grow_by_half_a_point_and_no_more() {
        let golden = Golden::of(&report(&[("a", 0.05), ("b", -0.10)]), "first");
        assert!(
            golden
                .worse(&report(&[("a", 0.0549), ("b", -0.10)]))
                .is_empty()
        );
        let worse = golden.worse(&report(&[("a", 0.0551), ("b", 0.10)]));
        assert_eq!(worse.len(), 1, "{worse:?}");
        assert!(worse[0].contains("a: median error 5.51 %"), "{worse:?}");
        let fewer = golden.worse(&report(&[("a", 0.0)]));
        assert!(fewer.iter().any(|w| w.starts_with("b: none")), "{fewer:?}");
    }

    #[test]
    fn a_golden_file_reads_back() {
        let golden = Golden::of(&report(&[("x \"y\"", 0.05)]), "why\nnot");
        let again = Golden::read("golden.toml", &golden.text());
        assert_eq!(again.ok(), Some(golden));
        assert!(Golden::read("x", "nonsense").is_err());
    }
}
