//! The report as a page of the book.
//!
//! In: reports of the published rows and of the single-node rows, the catalogue, the notes of
//! `scenarios/published/notes.md`. Out: Markdown. Never holds a figure that no report has; what is
//! said about reasons is in the notes.

use super::report::{Family, Predicted, Report};
use super::text::headline;
use crate::catalog::Catalog;
use std::fmt::Write;

static NOTES: &str = include_str!("../../../../scenarios/published/notes.md");

/// Rows listed as the worst.
const WORST: usize = 30;

/// The page.
pub fn page(report: &Report, single: &Report, catalog: &Catalog) -> String {
    let mut out = String::from("# How accurate is it?\n\n");
    out += "<!-- Generated: STRAIT_UPDATE_DOCS=1 cargo test -p strait --test accuracy -->\n\n";
    let _ = writeln!(out, "{}\n", headline(report));
    out += part("introduction");
    out += "## Together\n\n";
    let together: Vec<&Family> = [&report.overall]
        .into_iter()
        .chain(&report.groups)
        .collect();
    families(&mut out, &together);
    out += part("together");
    out += "## By family\n\n";
    let all = report.families.iter().chain(&report.memory.families);
    families(&mut out, &all.collect::<Vec<_>>());
    out += part("families");
    out += "## Apart\n\n";
    out += part("apart");
    families(
        &mut out,
        &[&Family {
            family: "vTrain single node, A100".to_owned(),
            ..of_single(single)
        }],
    );
    let _ = writeln!(out, "## The {WORST} worst rows\n");
    worst(&mut out, report);
    out += part("worst");
    out += "## Rows that are not predicted\n\n";
    let _ = writeln!(
        out,
        "{} of {} rows, each with its reason:\n",
        report.refused.len(),
        report.refused.len() + report.overall.rows
    );
    out += "| rows | reason | which |\n|---:|---|---|\n";
    for (reason, ids) in report.reasons() {
        let shown = match ids.len() {
            1..=4 => ids.join(", "),
            n => format!("{} and {} more", ids[..3].join(", "), n - 3),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            ids.len(),
            cell(reason),
            cell(&shown)
        );
    }
    out.push('\n');
    out += part("seen");
    seen(&mut out, catalog);
    out += part("history");
    out += part("limits");
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// A part of the notes: what follows `<!-- name -->`, up to the next mark.
fn part(name: &str) -> &'static str {
    let mark = format!("<!-- {name} -->\n");
    let Some(at) = NOTES.find(&mark) else {
        return "";
    };
    let rest = &NOTES[at + mark.len()..];
    &rest[..rest.find("<!-- ").unwrap_or(rest.len())]
}

fn of_single(single: &Report) -> Family {
    match single.families.first() {
        Some(family) => family.clone(),
        None => single.overall.clone(),
    }
}

fn points(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.1}", 100.0 * fraction)
    } else {
        "–".to_owned()
    }
}

fn families(out: &mut String, list: &[&Family]) {
    out.push_str("| | rows | median | mean | p90 | bias | constant: median | mean | p90 | 80 % interval holds |\n");
    out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for family in list {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {:+.1} | {} | {} | {} | {:.0} % |",
            cell(&family.family),
            family.rows,
            points(family.median),
            points(family.mean),
            points(family.p90),
            100.0 * family.bias,
            points(family.constant_median),
            points(family.constant_mean),
            points(family.constant_p90),
            100.0 * family.coverage,
        );
    }
    out.push('\n');
}

fn worst(out: &mut String, report: &Report) {
    let mut rows: Vec<&Predicted> = report
        .rows
        .iter()
        .filter(|r| r.measured_s.is_finite())
        .collect();
    // Of equals the first of the table: the sort is stable.
    rows.sort_by(|a, b| b.error.abs().total_cmp(&a.error.abs()));
    out.push_str("| row | job | measured | predicted | error |\n|---|---|---:|---:|---:|\n");
    for row in rows.iter().take(WORST) {
        let unit = match row.metric.as_str() {
            "iteration_time_s" => " s",
            "tokens_per_s_per_gpu" => " tokens/s/GPU",
            "tokens_per_s_total" => " tokens/s",
            "mfu" => " %",
            _ => " TFLOPS",
        };
        let figure = crate::answer::format::significant;
        let _ = writeln!(
            out,
            "| {} | {}, {} {}; {} | {}{unit} | {} | {:+.0} % |",
            cell(&row.id),
            cell(&row.model),
            row.gpus,
            row.accelerator,
            cell(&row.family),
            figure(row.measured),
            figure(row.predicted),
            100.0 * row.error,
        );
    }
    out.push('\n');
}

/// Facts that were picked with published steps in view.
fn seen(out: &mut String, catalog: &Catalog) {
    let mut lines: Vec<String> = Vec::new();
    for kind in catalog.kinds() {
        for id in catalog.list(kind).unwrap_or_default() {
            let Ok(entry) = catalog.show(kind, id) else {
                continue;
            };
            let keys: Vec<&str> = (entry.facts.iter())
                .filter(|fact| fact.basis.as_deref() == Some("visible rows"))
                .map(|fact| fact.key.as_str())
                .collect();
            if !keys.is_empty() {
                lines.push(format!("| `{kind}/{id}` | {} |", keys.join(", ")));
            }
        }
    }
    out.push_str("| entry | facts |\n|---|---|\n");
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// A text inside a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
