//! The plan of a calibration: which parameters are fitted to which rows.
//!
//! In: `catalog/measurements/plan.toml`. Out: a [`Plan`]. Never holds a value that a profile uses:
//! starting points only.

use super::CalibrateError;
use super::rows::Row;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// Fits of shipped profiles, in order: later ones see the results of earlier ones.
    pub fit: Vec<Fit>,
    /// Fits of a user's machine.
    pub own: Vec<Fit>,
    /// What is not fitted although rows are there.
    #[serde(default)]
    pub hold: Vec<Hold>,
}

/// Facts that rows say too little about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    /// Profile, such as `links/blackwell`.
    pub profile: String,
    /// Keys of facts.
    pub keys: Vec<String>,
    /// Why they are not fitted.
    pub why: String,
}

/// Parameters fitted together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fit {
    /// `kernels/hopper`; for a user's machine `kernels` or `links`.
    pub profile: String,
    /// Columns (or properties) and the values that they may have.
    pub rows: BTreeMap<String, Vec<String>>,
    /// What is made least.
    pub loss: Loss,
    /// What is fitted; of a user's machine, the most important first.
    pub parameters: Vec<Parameter>,
    /// Fitted along and thrown away: what differs in these rows from all others.
    #[serde(default)]
    pub aside: Vec<Parameter>,
    /// The catalogue keeps its value where the fitted one is within this share of it: the result
    /// checks a value that has other sources too. Such a fit may see held-out rows.
    #[serde(default)]
    pub check: Option<f64>,
    /// What is not fitted here though the rows depend on it, for people.
    #[serde(default)]
    pub held: String,
    /// Profiles of the same kind that get the same values.
    #[serde(default)]
    pub also: Vec<String>,
    /// Columns: one fit for each combination of their values, which replace `{column}` in keys.
    #[serde(default)]
    pub each: Vec<String>,
    /// For the catalogue's note.
    #[serde(default)]
    pub note: String,
    /// Replaces the catalogue's source, a key of the file's `[sources]`.
    #[serde(default)]
    pub source: Option<String>,
    /// Replaces the catalogue's date.
    #[serde(default)]
    pub date: Option<String>,
    /// Replaces the catalogue's confidence.
    #[serde(default)]
    pub confidence: Option<String>,
}

/// What a fit makes least, of the logarithms of predicted over measured times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Loss {
    /// Their mean square.
    Squares,
    /// Their mean absolute value: outliers count little.
    Absolute,
    /// That of the sums of all rows: the rows are parts of one whole.
    Sum,
}

/// One parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    /// Its key in the file; `fits[d128]` is the attention fit at head dimension 128.
    pub key: String,
    /// Where the search begins, with its unit; a user's begins at the profile's value.
    #[serde(default)]
    pub start: Option<String>,
    /// Significant digits that the result is rounded to.
    pub digits: usize,
}

impl Plan {
    /// Reads a plan.
    pub(super) fn read(text: &str) -> Result<Plan, CalibrateError> {
        toml::from_str(text).map_err(|error| CalibrateError::Table {
            file: "catalog/measurements/plan.toml".to_owned(),
            line: error.span().map_or(1, |span| {
                1 + text[..span.start.min(text.len())].matches('\n').count()
            }),
            problem: error.message().to_owned(),
            help: "docs/src/explanation/calibration.md describes the plan".to_owned(),
        })
    }
}

impl Fit {
    /// Whether a row is one of those that this fit is about.
    pub(super) fn selects(&self, row: &Row) -> bool {
        self.rows.iter().all(|(column, values)| {
            row.property(column)
                .is_some_and(|cell| values.contains(&cell))
        })
    }

    /// This fit for each combination of values of its `each` columns among the rows.
    pub(super) fn expand(&self, rows: &[Row]) -> Vec<Fit> {
        let mut fits = vec![self.clone()];
        for column in &self.each {
            let mut split = Vec::new();
            for fit in fits {
                let mut seen: Vec<String> = Vec::new();
                for row in rows.iter().filter(|row| fit.selects(row)) {
                    let Some(value) = row.property(column) else {
                        continue;
                    };
                    if seen.contains(&value) {
                        continue;
                    }
                    let mut one = fit.clone();
                    one.rows.insert(column.clone(), vec![value.clone()]);
                    for parameter in &mut one.parameters {
                        let slot = format!("{{{column}}}");
                        parameter.key = parameter.key.replace(&slot, &value.replace('-', "_"));
                    }
                    seen.push(value);
                    split.push(one);
                }
            }
            fits = split;
        }
        fits
    }
}
