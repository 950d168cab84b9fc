//! The report as text for a terminal.
//!
//! In: a [`Report`]. Out: lines. Never sums up anything that the report has not.

use super::report::{Family, Predicted, Report};
use crate::answer::format::{signed_percent, significant, width};
use crate::answer::table::Align::{Left, Right};
use crate::answer::table::render;
use crate::answer::{Detail, TextStyle};
use std::fmt::Write;

/// The whole report; with [`Detail::Full`] every row, with [`Detail::Headline`] one sentence.
pub fn text(report: &Report, style: TextStyle) -> String {
    let mut out = headline(report);
    out.push('\n');
    if style.detail == Detail::Headline {
        return out;
    }
    if report.overall.rows > 0 {
        style.heading(
            &mut out,
            "Together",
            "errors in per cent; the constant is the best for these rows",
        );
        let together: Vec<&Family> = [&report.overall]
            .into_iter()
            .chain(&report.groups)
            .collect();
        out.push_str(&families(&together));
    }
    if !report.families.is_empty() {
        style.heading(
            &mut out,
            "Families",
            "by publication, accelerator and precision",
        );
        let all = report.families.iter().chain(&report.memory.families);
        out.push_str(&families(&all.collect::<Vec<_>>()));
    }
    if style.detail == Detail::Full {
        style.heading(
            &mut out,
            "Rows",
            "measured, predicted with its 80 % interval, error",
        );
        let all: Vec<&Predicted> = report.rows.iter().chain(&report.memory.rows).collect();
        out.push_str(&rows(&all));
    }
    refused(&mut out, report, style);
    out
}

/// The finding in one sentence.
pub fn headline(report: &Report) -> String {
    let all = &report.overall;
    let unexpressed = match report.refused.len() {
        0 => String::new(),
        1 => "; 1 row can't be expressed".to_owned(),
        n => format!("; {n} rows can't be expressed"),
    };
    if all.rows == 0 {
        return format!(
            "No step time or throughput is predicted: {} figures of memory{unexpressed}.",
            report.rows.len()
        );
    }
    format!(
        "{} published steps: half are predicted within {:.1} %, nine in ten within {:.1} % (one constant \
         utilisation: {:.1} % and {:.1} %); 80 % intervals hold {:.0} %{unexpressed}.",
        all.rows,
        100.0 * all.median,
        100.0 * all.p90,
        100.0 * all.constant_median,
        100.0 * all.constant_p90,
        100.0 * all.coverage,
    )
}

fn points(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.1}", 100.0 * fraction)
    } else {
        "-".to_owned()
    }
}

fn families(list: &[&Family]) -> String {
    let mut table = vec![
        [
            "",
            "rows",
            "median",
            "mean",
            "p90",
            "bias",
            "constant:",
            "median",
            "mean",
            "p90",
            "interval holds",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for family in list {
        let bias = format!("{:+.1}", 100.0 * family.bias);
        table.push(vec![
            family.family.clone(),
            family.rows.to_string(),
            points(family.median),
            points(family.mean),
            points(family.p90),
            bias,
            String::new(),
            points(family.constant_median),
            points(family.constant_mean),
            points(family.constant_p90),
            format!("{:.0} %", 100.0 * family.coverage),
        ]);
    }
    let aligns = [
        Left, Right, Right, Right, Right, Right, Right, Right, Right, Right, Right,
    ];
    render(&table, &aligns, 2)
}

fn rows(list: &[&Predicted]) -> String {
    let mut out = String::new();
    let mut family = "";
    let longest = list.iter().map(|row| width(&row.id)).max().unwrap_or(0);
    for row in list {
        if row.family != family {
            family = &row.family;
            let _ = writeln!(out, "  {family}");
        }
        let pad = " ".repeat(longest - width(&row.id));
        let _ = writeln!(
            out,
            "    {}{pad}  {:>10}  {:>10} ({} to {})  {:>8}  {} on {} {}{}",
            row.id,
            significant(row.measured),
            significant(row.predicted),
            significant(row.low),
            significant(row.high),
            signed_percent(row.error),
            row.model,
            row.gpus,
            row.accelerator,
            match row.assumptions.len() {
                0 => String::new(),
                _ => format!("; assumed: {}", row.assumptions.join("; ")),
            },
        );
    }
    out
}

fn refused(out: &mut String, report: &Report, style: TextStyle) {
    if report.refused.is_empty() {
        return;
    }
    style.heading(
        out,
        "Not predicted",
        &format!("{} rows, each with its reason", report.refused.len()),
    );
    for (reason, ids) in report.reasons() {
        let shown = match (style.detail, ids.len()) {
            (Detail::Full, _) | (_, 1..=3) => ids.join(", "),
            (_, n) => format!("{} and {} more", ids[..2].join(", "), n - 2),
        };
        let _ = writeln!(out, "  {:>4}  {reason} ({shown})", ids.len());
    }
}
