//! A sensitivity study as text for people, at most 100 columns wide.
//!
//! In: a [`SensitivityDocument`]. Out: a string. Never computes, but for lengths of bars.

use super::document::{
    GridDocument, InputDocument, MetricDocument, SensitivityDocument, SwingDocument,
};
use crate::answer::format::{capital, count, fixed, wrap};
use crate::answer::table::Align::{Left, Right};
use crate::answer::table::{bar, render};
use crate::answer::{Detail, TextStyle};
use crate::verdict::{Quantity, Unit};
use std::fmt::Write;

/// Columns that no line exceeds, but those of wide grids and commands.
const COLUMNS: usize = 96;
/// Columns of the longest bar on one side.
const BAR: usize = 7;
/// Inputs shown where not all are asked for.
const SHOWN: usize = 15;
/// A move smaller than this share of the base is called none.
const NOTHING: f64 = 1e-4;

/// The unit that values of a quantity are printed in.
pub(crate) fn quantity(id: &str) -> Option<Quantity> {
    id.parse().ok()
}

fn print(metric: &MetricDocument, value: f64) -> String {
    match quantity(&metric.quantity) {
        Some(quantity) => quantity.unit().print(value),
        None => format!("{value} {}", metric.unit),
    }
}

fn name(metric: &MetricDocument) -> String {
    quantity(&metric.quantity).map_or(metric.quantity.clone(), |q| q.name().to_owned())
}

/// The finding in a sentence: what moves a quantity most, and how far.
pub fn finding(metric: &MetricDocument) -> String {
    let Some(swing) = metric.swings.first() else {
        return format!("Nothing that was tried moves {}.", name(metric));
    };
    format!(
        "{} is {} as it stands; {} moves it most, from {} at {} to {} at {}.",
        capital(&name(metric)),
        print(metric, metric.base),
        input(&swing.input),
        print(metric, swing.at_low),
        swing.low_input,
        print(metric, swing.at_high),
        swing.high_input,
    )
}

fn input(path: &str) -> String {
    match path {
        crate::chance::PREDICTION => "the prediction's own error".to_owned(),
        path => format!("`{path}`"),
    }
}

/// The study.
pub fn text(document: &SensitivityDocument, style: TextStyle) -> String {
    let mut out = String::new();
    if style.detail == Detail::Headline {
        for metric in &document.metrics {
            let _ = writeln!(out, "{}", wrap(&finding(metric), COLUMNS, 0));
        }
        return out;
    }
    let _ = writeln!(out, "{}", style.bold(&document.title));
    let _ = writeln!(
        out,
        "  {} on {} {}, case {}",
        document.model,
        count(u64::from(document.accelerators)),
        document.accelerator,
        document.case
    );
    for metric in &document.metrics {
        tornado(&mut out, metric, &document.inputs, style);
    }
    if let Some(grid) = &document.grid {
        for (metric, cells) in document.metrics.iter().zip(&grid.cells) {
            table(&mut out, grid, metric, cells, style);
        }
    }
    let _ = writeln!(out, "\n  {}", wrap(&document.method, COLUMNS - 2, 2));
    if style.detail == Detail::Full {
        for input in document.inputs.iter().filter(|i| !i.why.is_empty()) {
            let line = format!("{}: {}", input.input, input.why);
            let _ = writeln!(out, "  - {}", wrap(&line, COLUMNS - 4, 4));
        }
    }
    if !document.warnings.is_empty() {
        style.heading(
            &mut out,
            "Warnings",
            "check these before trusting the answer",
        );
        for warning in &document.warnings {
            let _ = writeln!(out, "  - {}", wrap(warning, COLUMNS - 4, 4));
        }
    }
    style.heading(&mut out, "Reproduce", &document.command);
    let _ = writeln!(
        out,
        "  strait {}, seed {}, digest {}",
        document.strait, document.seed, document.digest
    );
    out
}

/// Bars to both sides of the base.
fn tornado(out: &mut String, metric: &MetricDocument, inputs: &[InputDocument], style: TextStyle) {
    style.heading(
        out,
        &format!("What moves {}", name(metric)),
        &format!("{} as it stands", print(metric, metric.base)),
    );
    let (moving, still): (Vec<&SwingDocument>, Vec<&SwingDocument>) = (metric.swings.iter())
        .partition(|s| (s.at_high - s.at_low).abs() > NOTHING * metric.base.abs());
    if moving.is_empty() {
        let _ = writeln!(out, "  Nothing that was tried moves it.");
        return;
    }
    let longest = (moving.iter())
        .flat_map(|s| [s.at_low - metric.base, s.at_high - metric.base])
        .map(f64::abs)
        .fold(0.0, f64::max);
    let shown = match style.detail {
        Detail::Full => moving.len(),
        _ => SHOWN.min(moving.len()),
    };
    let unit = quantity(&metric.quantity).map_or(Unit::Fraction, Quantity::unit);
    let mut rows = vec![
        ["input", "from and to", "less  more", "from", "to", "elast."]
            .map(str::to_owned)
            .to_vec(),
    ];
    for swing in &moving[..shown] {
        let (mut left, mut right) = (0.0f64, 0.0f64);
        for value in [swing.at_low, swing.at_high] {
            let share = (value - metric.base) / longest;
            left = left.max(-share);
            right = right.max(share);
        }
        rows.push(vec![
            swing.input.clone(),
            ends(&swing.low_input, &swing.high_input),
            format!("{:>BAR$}│{:<BAR$}", bar_left(left), bar(right, BAR)),
            unit.figure(swing.at_low),
            unit.figure(swing.at_high),
            (swing.elasticity).map_or("-".to_owned(), |e| fixed(e, 2)),
        ]);
    }
    let aligns = [Left, Right, Left, Right, Right, Right];
    *out += &render(&rows, &aligns, 2);
    if moving.len() > shown {
        let _ = writeln!(out, "  and {} more (-v shows all)", moving.len() - shown);
    }
    let mut remark = |what: &str, names: Vec<&str>| {
        if !names.is_empty() {
            let line = format!("{what}: {}", names.join(", "));
            let _ = writeln!(out, "  {}", wrap(&line, COLUMNS - 2, 2));
        }
    };
    let names = still.iter().map(|swing| swing.input.as_str()).collect();
    remark("By less than 0.01 %", names);
    let moved = |input: &&InputDocument| metric.swings.iter().any(|s| s.input == input.input);
    remark(
        "Not at all",
        (inputs.iter().filter(|input| !moved(input)))
            .map(|input| input.input.as_str())
            .collect(),
    );
}

/// Both ends, their unit once where it is the same.
fn ends(low: &str, high: &str) -> String {
    let unit = |text: &str| {
        let digits = text.find(|c: char| !(c.is_ascii_digit() || ".-".contains(c)));
        digits.map_or(String::new(), |at| text[at..].to_owned())
    };
    let (short, other) = (unit(low), unit(high));
    match short == other && low.len() > short.len() {
        true => format!("{} to {high}", &low[..low.len() - short.len()]),
        false => format!("{low} to {high}"),
    }
}

/// A bar that ends at its right, in halves of a block.
fn bar_left(share: f64) -> String {
    if !share.is_finite() || share <= 0.0 {
        return String::new();
    }
    let halves = ((share.min(1.0) * BAR as f64 * 2.0).round() as usize).max(1);
    let half = if halves.is_multiple_of(2) { "" } else { "▐" };
    half.to_owned() + &"█".repeat(halves / 2)
}

fn table(
    out: &mut String,
    grid: &GridDocument,
    metric: &MetricDocument,
    cells: &[Vec<Option<f64>>],
    style: TextStyle,
) {
    style.heading(
        out,
        &capital(&name(metric)),
        &format!("rows {}, columns {}", grid.y.input, grid.x.input),
    );
    let unit = quantity(&metric.quantity).map_or(Unit::Fraction, Quantity::unit);
    let mut header = vec![String::new()];
    header.extend(grid.x.inputs.iter().cloned());
    let mut rows = vec![header];
    for (name, row) in grid.y.inputs.iter().zip(cells) {
        let mut line = vec![name.clone()];
        line.extend((row.iter()).map(|v| v.map_or("-".to_owned(), |v| unit.figure(v))));
        rows.push(line);
    }
    let aligns = vec![Right; grid.x.inputs.len() + 1];
    *out += &render(&rows, &aligns, 2);
}
