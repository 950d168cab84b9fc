//! A merged sweep in a report.
//!
//! In: the folder of a merged sweep. Out: a part of a page: what the cases span, the best of them, what
//! each axis does, figures. Never merges, and never runs a case.

use super::markup::{Column, escape, prose, table};
use super::read::ReportError;
use super::{Part, Piece, drawings};
use crate::answer::format::{count, percent, significant};
use crate::catalog::Catalog;
use crate::figures::tables::{self, Choice};
use crate::figures::{DrawError, front, iso_cost, small_multiples, sweep as lines};
use crate::scenario::{Style, render_all};
use crate::sweep::SweepError;
use crate::sweep::table::Table;
use crate::verdict::Unit;
use std::path::Path;

/// Cases of a sweep whose rows stand on the page.
const ROWS: usize = 100;
/// Cases of a sweep whose data can be saved from the page.
const SAVED: usize = 5_000;
/// Metrics whose values stand on the page.
const SHOWN: [&str; 7] = [
    "step_time_s",
    "mfu_causal",
    "days",
    "gpu_hours",
    "energy_mwh",
    "cost_usd",
    "memory_peak_gb",
];

/// Opens the folder of a merged sweep.
pub(super) fn open(path: &Path) -> Result<Piece, ReportError> {
    let unfit = |reason: String, help: String| ReportError::Unfit {
        path: path.to_path_buf(),
        reason,
        help,
    };
    match Table::open(path) {
        Ok(table) => Ok(Piece::Sweep(Box::new(table))),
        Err(SweepError::Read { path, source }) => Err(ReportError::Unreadable { path, source }),
        Err(SweepError::Scenario(faults)) => Err(unfit(
            format!(
                "has a scenario that this version can't read: {}",
                render_all(&faults, Style::Plain).trim_end()
            ),
            "plan the sweep again".to_owned(),
        )),
        Err(SweepError::Input { message, remedy } | SweepError::Usage { message, remedy }) => {
            Err(unfit(format!("is no sweep to report: {message}"), remedy))
        }
        Err(other) => Err(unfit(
            format!("is no sweep to report: {other}"),
            "see `strait sweep status` of the folder".to_owned(),
        )),
    }
}

/// A sweep.
pub(super) fn part(table: &Table, prefix: &str) -> Result<Part, ReportError> {
    let summary = &table.merged.summary;
    let mut answer = Vec::new();
    let mut first = format!("{} cases", count(summary.cases));
    if let Some(cost) = &summary.cost_usd {
        first += &format!(
            ": the cost is {} to {}, half of them below {}",
            Unit::Dollars.print(cost.min),
            Unit::Dollars.print(cost.max),
            Unit::Dollars.print(cost.median)
        );
    }
    if let Some(step) = &summary.step_time_s {
        first += &format!(
            "; a step takes {} to {}",
            Unit::Seconds.print(step.min),
            Unit::Seconds.print(step.max)
        );
    }
    let mut found = found(table);
    if found.is_empty() {
        answer.push(format!("<strong>{}.</strong>", escape(&first)));
    } else {
        // What it found comes first, what it spans behind it.
        let lead = found.remove(0);
        answer.push(format!("<strong>{}</strong>", prose(&lead)));
        answer.extend(found.iter().map(|sentence| prose(sentence)));
        answer.push(format!("{}.", escape(&first)));
    }
    if let Some(best) = &summary.best {
        let settings: Vec<String> = (best.settings.iter())
            .map(|(axis, value)| format!("`{axis}` = {value}"))
            .collect();
        answer.push(prose(&format!(
            "The cheapest case that fits in memory, {} with a step of {}, has {}.",
            Unit::Dollars.print(best.cost_usd),
            Unit::Seconds.print(best.step_time_s),
            settings.join(", ")
        )));
    }
    let mut warnings = Vec::new();
    for (error, cases) in &summary.errors {
        warnings.push(format!("{} cases have no answer: {error}", count(*cases)));
    }
    if summary.too_large > 0 {
        warnings.push(format!(
            "{} cases need more memory than there is: they could not run",
            count(summary.too_large)
        ));
    }
    let mut limits = Vec::new();
    if !table.chance {
        limits.push(
            "The cases of the sweep are without chance: no jitter, equal chips, even loads of experts.".to_owned(),
        );
    }
    let mut sections = vec![(
        "sweep-effects",
        "What each axis does".to_owned(),
        effects(table),
    )];
    sections.push((
        "sweep-figures",
        "Figures of the sweep".to_owned(),
        pictures(table, prefix)?,
    ));
    sections.push(("sweep-cases", "Cases".to_owned(), cases(table)));
    sections.retain(|(_, _, content)| !content.is_empty());
    Ok(Part {
        title: table.title.clone(),
        question: table.question.clone(),
        answer,
        sections,
        warnings,
        limits,
        reproduce: vec![format!(
            "<h3>The sweep</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}, digest of the plan {}</p>\n",
            escape(&table.reproduce),
            escape(&table.merged.strait),
            escape(&table.digest)
        )],
        data: serde_json::json!({
            "strait": table.merged.strait,
            "title": table.title,
            "digest": table.digest,
            "summary": summary,
        }),
    })
}

/// Claims of a sweep that are told in words.
const CLAIMS: usize = 2;
/// Axes whose effects are told in words.
const TOLD: usize = 3;
/// Effects on the median step below this are not worth a sentence.
const WORTH_A_SENTENCE: f64 = 1.005;

/// In how many of the cases what is claimed is reached.
fn stated(table: &Table) -> Vec<String> {
    let mut ratios: Vec<_> = (table.metrics.iter())
        .filter(|metric| metric.name.starts_with("claim_") && metric.name.ends_with("_ratio"))
        .collect();
    // Questions are mostly about money.
    ratios.sort_by_key(|metric| !metric.name.contains("cost"));
    ratios
        .into_iter()
        .filter_map(|metric| {
            let known: Vec<f64> = metric.values.iter().flatten().copied().collect();
            let reached = known.iter().filter(|ratio| **ratio <= 1.0).count();
            (!known.is_empty()).then(|| {
                format!(
                    "In {} of {} cases the simulated figure is no more than the stated one (`{}` is at most 1).",
                    percent(reached as f64 / known.len() as f64),
                    count(known.len() as u64),
                    metric.name
                )
            })
        })
        .take(CLAIMS)
        .collect()
}

/// Of sampled axes the one along which the median cost changes most.
fn mover(table: &Table) -> Option<String> {
    type Level = crate::sweep::summary::Level;
    let cost = |level: &&Level| level.cost_usd;
    let effects = table.merged.summary.effects.iter().filter_map(|effect| {
        let least = (effect.levels.iter()).min_by(|a, b| cost(a).total_cmp(&cost(b)))?;
        let most = (effect.levels.iter()).max_by(|a, b| cost(a).total_cmp(&cost(b)))?;
        (least.cost_usd > 0.0).then(|| (most.cost_usd / least.cost_usd, effect, least, most))
    });
    let (_, effect, least, most) = effects.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "`{}` moves the median cost most, from {} ({}) to {} ({}).",
        effect.axis,
        Unit::Dollars.print(least.cost_usd),
        least.value,
        Unit::Dollars.print(most.cost_usd),
        most.value
    ))
}

/// What the sweep says to its question, in sentences: in how many cases a claim is reached, how the step
/// follows the axis that has numbers, at which values of the others it is least and most. Of sampled axes only
/// the one that moves most: what one does to the medians there is also what the others do.
fn found(table: &Table) -> Vec<String> {
    let mut told = stated(table);
    if table.mode.sampled() {
        told.extend(mover(table));
        return told;
    }
    let step = Choice {
        y: Some("step_time_s".to_owned()),
        ..Choice::default()
    };
    let along = tables::lines(table, &step, &Catalog::embedded()).ok();
    if let Some(input) = along {
        told.extend(lines::finding(&input).map(|finding| finding + "."));
        told.extend(lines::knee(&input));
    }
    let mut effects: Vec<(f64, String)> = Vec::new();
    for effect in &table.merged.summary.effects {
        let step = |level: &&crate::sweep::summary::Level| level.step_time_s;
        let by_step = |a: &&_, b: &&_| step(a).total_cmp(&step(b));
        let least = effect.levels.iter().min_by(by_step);
        let most = effect.levels.iter().max_by(by_step);
        if let (Some(least), Some(most)) = (least, most)
            && most.step_time_s >= WORTH_A_SENTENCE * least.step_time_s
        {
            effects.push((
                most.step_time_s / least.step_time_s,
                format!(
                    "Over `{}`, the median step is least at {} ({}) and most at {} ({}).",
                    effect.axis,
                    least.value,
                    Unit::Seconds.print(least.step_time_s),
                    most.value,
                    Unit::Seconds.print(most.step_time_s)
                ),
            ));
        }
    }
    effects.sort_by(|a, b| b.0.total_cmp(&a.0));
    told.extend(effects.into_iter().take(TOLD).map(|(_, sentence)| sentence));
    told
}

/// The medians at each value of each axis.
fn effects(table: &Table) -> String {
    let mut rows = Vec::new();
    for effect in &table.merged.summary.effects {
        for level in &effect.levels {
            rows.push(vec![
                format!("<code>{}</code>", escape(&effect.axis)),
                escape(&level.value),
                count(level.cases),
                escape(&Unit::Dollars.print(level.cost_usd)),
                escape(&Unit::Seconds.print(level.step_time_s)),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        ("axis", Column::Text),
        ("value", Column::Text),
        ("cases", Column::Number),
        ("median cost", Column::Number),
        ("median step", Column::Number),
    ];
    super::markup::classed("fit", &self::table("What each axis does", &heads, &rows))
}

/// Figures that the axes allow, of the cost.
fn pictures(table: &Table, prefix: &str) -> Result<String, ReportError> {
    let mut out = String::new();
    let source = tables::source(table, "strait report");
    let catalog = Catalog::embedded();
    let step = Choice {
        y: Some("step_time_s".to_owned()),
        ..Choice::default()
    };
    let mut add = |name: &str, figure: Result<Option<(String, String)>, DrawError>| {
        figure.map(|figure| {
            if let Some((svg, csv)) = figure {
                out += &drawings::element(&format!("{prefix}sweep-{name}"), &svg, &csv);
            }
        })
    };
    // What the axes do not allow is not there; nobody has asked for it.
    if let Ok(input) = tables::lines(table, &step, &catalog) {
        add(lines::NAME, lines::draw(&input, &source))?;
    }
    if let Ok(input) = tables::panels(table, &step) {
        add(
            small_multiples::NAME,
            small_multiples::draw(&input, &source),
        )?;
    }
    let cost = Choice {
        y: Some("cost_usd".to_owned()),
        ..Choice::default()
    };
    if let Ok(input) = tables::contours(table, &cost) {
        add(iso_cost::NAME, iso_cost::draw(&input, &source))?;
    }
    if let Ok(input) = tables::candidates(table, &Choice::default()) {
        add(front::NAME, front::draw(&input, &source))?;
    }
    Ok(out)
}

/// The rows, or as many as can be looked at.
fn cases(table: &Table) -> String {
    let metrics: Vec<_> = SHOWN.iter().filter_map(|name| table.metric(name)).collect();
    let units: Vec<String> = (metrics.iter())
        .map(|m| match m.unit.as_str() {
            "1" => m.name.clone(),
            unit => format!("{}, {unit}", m.name),
        })
        .collect();
    let mut heads = vec![("case", Column::Text)];
    heads.extend(
        table
            .axes
            .iter()
            .map(|axis| (axis.path.as_str(), Column::Text)),
    );
    heads.extend(units.iter().map(|name| (name.as_str(), Column::Number)));
    heads.push(("no answer because", Column::Text));
    let rows: Vec<Vec<String>> = (0..table.cases().min(ROWS))
        .map(|case| {
            let mut row = vec![case.to_string()];
            row.extend(table.axes.iter().map(|axis| escape(&axis.cells[case].text)));
            row.extend(metrics.iter().map(|metric| {
                metric.values[case].map_or("–".to_owned(), |v| escape(&significant(v)))
            }));
            row.push(escape(table.errors[case].as_deref().unwrap_or("")));
            row
        })
        .collect();
    let mut out = self::table("Cases", &heads, &rows);
    if table.cases() > ROWS {
        out += &format!(
            "<p class=\"small\">The first {ROWS} of {} cases; <code>cases.csv</code> in the folder of the sweep has all, \
             with every metric.</p>\n",
            count(table.cases() as u64)
        );
    }
    if table.cases() <= SAVED {
        out += &format!(
            "<p class=\"small screen\"><a download=\"cases.csv\" href=\"{}\">All cases (CSV)</a></p>\n",
            super::markup::data_address("text/csv", &csv(table))
        );
    }
    out
}

fn csv(table: &Table) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut head = vec!["case".to_owned()];
    head.extend(table.axes.iter().map(|axis| axis.path.clone()));
    head.extend(table.metrics.iter().map(|metric| metric.name.clone()));
    head.push("error".to_owned());
    let rows = (0..table.cases()).map(|case| {
        let mut row = vec![case.to_string()];
        row.extend(table.axes.iter().map(|axis| axis.cells[case].text.clone()));
        row.extend(
            (table.metrics.iter())
                .map(|metric| metric.values[case].map_or(String::new(), |value| value.to_string())),
        );
        row.push(table.errors[case].clone().unwrap_or_default());
        row
    });
    for row in std::iter::once(head).chain(rows) {
        // Memory takes everything, and all rows are of one length.
        let _ = writer.write_record(row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
