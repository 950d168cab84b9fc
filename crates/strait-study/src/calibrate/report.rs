//! A calibration for people and for programs.
//!
//! In: a [`Calibration`]. Out: text, and an object for JSON. Never rounds what JSON gets.

use super::{Calibration, Family, Fitted};
use crate::answer::Detail;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What `strait calibrate --json` prints.
#[derive(Debug, serde::Serialize)]
pub struct Document {
    /// Every fitted value is the catalogue's; for a user's machine always true.
    pub agrees: bool,
    /// Fits in order.
    pub fits: Vec<FitDocument>,
    /// Residuals by table.
    pub tables: Vec<TableDocument>,
    /// What was taken over unfitted.
    pub carried: Vec<CarriedDocument>,
    /// Files that were written.
    pub files: Vec<String>,
}

/// A fit.
#[derive(Debug, serde::Serialize)]
pub struct FitDocument {
    /// Profile.
    pub profile: String,
    /// Tables.
    pub tables: Vec<String>,
    /// Rows.
    pub rows: usize,
    /// What was held, in words.
    pub held: String,
    /// Median of |predicted / measured − 1|.
    pub median: f64,
    /// Its largest value.
    pub worst: f64,
    /// Parameters.
    pub parameters: Vec<ParameterDocument>,
}

/// A parameter.
#[derive(Debug, serde::Serialize)]
pub struct ParameterDocument {
    /// Profile.
    pub profile: String,
    /// Key of the fact.
    pub key: String,
    /// The catalogue's value.
    pub catalogue: String,
    /// The fitted value.
    pub fitted: String,
    /// They are the same number; of a checked value, near enough.
    pub agrees: bool,
    /// The catalogue's value stays: this one checks it.
    pub checked: bool,
}

/// Residuals of a table.
#[derive(Debug, serde::Serialize)]
pub struct TableDocument {
    /// Table.
    pub table: String,
    /// Profile.
    pub profile: String,
    /// What is measured.
    pub family: Family,
    /// Rows.
    pub rows: usize,
    /// Median of |predicted / measured − 1|.
    pub median: f64,
    /// Its 90th percentile.
    pub p90: f64,
    /// Its largest value.
    pub worst: f64,
    /// Geometric mean of predicted over measured, less one.
    pub bias: f64,
    /// No fit has seen these rows.
    pub held_out: bool,
}

/// A value that was not fitted.
#[derive(Debug, serde::Serialize)]
pub struct CarriedDocument {
    /// Profile.
    pub profile: String,
    /// Key of the fact.
    pub key: String,
    /// Value.
    pub value: String,
    /// Source.
    pub source: String,
}

impl Document {
    /// The object of a calibration and the files that were written.
    pub fn of(calibration: &Calibration, own: bool, files: Vec<String>) -> Document {
        Document {
            agrees: own || calibration.disagreements().is_empty(),
            fits: (calibration.fits.iter())
                .map(|fit| FitDocument {
                    profile: fit.profile.clone(),
                    tables: fit.tables.clone(),
                    rows: fit.rows,
                    held: fit.held.clone(),
                    median: fit.median.get(),
                    worst: fit.worst.get(),
                    parameters: fit.parameters.iter().map(parameter).collect(),
                })
                .collect(),
            tables: (calibration.residuals.iter())
                .map(|table| TableDocument {
                    table: table.table.clone(),
                    profile: table.profile.clone(),
                    family: table.family,
                    rows: table.rows,
                    median: table.median.get(),
                    p90: table.p90.get(),
                    worst: table.worst.get(),
                    bias: table.bias.get(),
                    held_out: table.held_out,
                })
                .collect(),
            carried: (calibration.carried.iter())
                .map(|c| CarriedDocument {
                    profile: c.profile.clone(),
                    key: c.key.clone(),
                    value: c.value.clone(),
                    source: c.source.clone(),
                })
                .collect(),
            files,
        }
    }
}

fn parameter(fitted: &Fitted) -> ParameterDocument {
    ParameterDocument {
        profile: fitted.profile.clone(),
        key: fitted.key.clone(),
        catalogue: fitted.catalogue.clone(),
        fitted: fitted.fitted.clone(),
        agrees: fitted.agrees,
        checked: fitted.checked,
    }
}

/// Text for people. `own`: a user's machine, whose values are expected to differ. In full detail
/// every value that was carried is listed, and not their number by source.
pub fn text(calibration: &Calibration, own: bool, detail: Detail) -> String {
    let mut out = headline(calibration, own);
    if detail == Detail::Headline {
        return out;
    }
    out.push_str("\nResiduals  |predicted / measured - 1|; bias above zero is too slow\n");
    let mut lines = vec![row_of([
        "", "table", "rows", "median", "p90", "worst", "bias", "",
    ])];
    let mut profile = "";
    for table in &calibration.residuals {
        if table.profile != profile {
            profile = &table.profile;
            lines.push(row_of([profile, "", "", "", "", "", "", ""]));
        }
        let percent = |ratio: strait_units::Ratio| format!("{:.1} %", 100.0 * ratio.get());
        lines.push(row_of([
            "",
            &table.table,
            &table.rows.to_string(),
            &percent(table.median),
            &percent(table.p90),
            &percent(table.worst),
            &format!("{:+.1} %", 100.0 * table.bias.get()),
            if table.held_out { "held out" } else { "fitted" },
        ]));
    }
    layout(&mut out, lines);
    out.push_str("\nParameters\n");
    let beside = if own { "begun from" } else { "catalogue" };
    let mut lines = vec![row_of([
        "", "key", beside, "fitted", "", "rows", "median", "",
    ])];
    let mut profile = "";
    for fit in &calibration.fits {
        for (at, parameter) in fit.parameters.iter().enumerate() {
            if parameter.profile != profile {
                profile = &parameter.profile;
                lines.push(row_of([profile, "", "", "", "", "", "", ""]));
            }
            let change = match parameter.agrees && !parameter.checked {
                true => "=".to_owned(),
                false => format!("{:+.1} %", 100.0 * parameter.change.get()),
            };
            let (rows, median) = match at {
                0 => (
                    fit.rows.to_string(),
                    format!("{:.1} %", 100.0 * fit.median.get()),
                ),
                _ => (String::new(), String::new()),
            };
            lines.push(row_of([
                "",
                &parameter.key,
                &parameter.catalogue,
                &parameter.fitted,
                &change,
                &rows,
                &median,
                match (parameter.checked, parameter.agrees) {
                    (true, true) => "a check: near enough",
                    (true, false) => "a check: too far",
                    _ => "",
                },
            ]));
        }
    }
    layout(&mut out, lines);
    carried(&mut out, calibration, detail == Detail::Full);
    out
}

fn headline(calibration: &Calibration, own: bool) -> String {
    let parameters = calibration
        .fits
        .iter()
        .map(|fit| fit.parameters.len())
        .sum::<usize>();
    let rows: usize = calibration.residuals.iter().map(|r| r.rows).sum();
    let held: usize = (calibration.residuals.iter().filter(|r| r.held_out))
        .map(|r| r.rows)
        .sum();
    let found =
        format!("{parameters} parameters fitted; {rows} measured rows, {held} of them held out");
    if own {
        return found + ".\n";
    }
    match calibration.disagreements().len() {
        0 => format!("{found}. All values are the catalogue's.\n"),
        1 => format!("{found}. One value is NOT the catalogue's.\n"),
        n => format!("{found}. {n} values are NOT the catalogue's.\n"),
    }
}

fn carried(out: &mut String, calibration: &Calibration, verbose: bool) {
    out.push_str("\nCarried: not fitted here, taken from their sources\n");
    if verbose {
        let lines = (calibration.carried.iter())
            .map(|c| row_of([&c.profile, &c.key, &c.value, &c.source, "", "", "", ""]))
            .collect();
        layout(out, lines);
        return;
    }
    let mut sources: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for c in &calibration.carried {
        *sources.entry((&c.profile, &c.source)).or_default() += 1;
    }
    let mut profile = "";
    for ((of, source), count) in sources {
        if of != profile {
            profile = of;
            let _ = writeln!(out, "  {profile}");
        }
        let _ = writeln!(out, "    {count:3}  {source}");
    }
}

fn row_of(cells: [&str; 8]) -> [String; 8] {
    cells.map(str::to_owned)
}

/// Columns as wide as their widest cell; a title in the first column takes the whole line.
fn layout(out: &mut String, lines: Vec<[String; 8]>) {
    let width = |column: usize| {
        (lines.iter().filter(|l| !l[1].is_empty()))
            .map(|l| l[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..8).map(width).collect();
    for line in &lines {
        if line[1].is_empty() {
            let _ = writeln!(out, "  {}", line[0]);
            continue;
        }
        let mut text = String::from("  ");
        for (column, cell) in line.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            // Names to the left, numbers to the right.
            match column {
                0 | 1 | 7 => text += &format!("{cell}{pad}  "),
                _ => text += &format!("{pad}{cell}  "),
            }
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}
