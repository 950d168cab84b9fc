//! Sensitivity studies and searches in a report.
//!
//! In: their documents. Out: a part of a page. Never ranks anew.

use super::markup::{Column, escape, prose, table};
use super::{Part, ReportError, drawings};
use crate::answer::format::{count, fixed};
use crate::chance::PREDICTION;
use crate::sensitivity::document::{MetricDocument, SensitivityDocument};
use crate::sensitivity::{figures, text};
use crate::verdict::{Quantity, Unit};
use serde_json::Value;

/// A sensitivity study.
pub(super) fn sensitivity(document: &SensitivityDocument) -> Result<Part, ReportError> {
    let mut content = String::new();
    for metric in &document.metrics {
        content += &swings(document, metric);
    }
    content += &format!("<p class=\"small\">{}</p>\n", prose(&document.method));
    let mut pictures = String::new();
    let drawn = figures::draw(document)?;
    for pair in drawn.chunks(2) {
        let [(name, svg), (_, csv)] = pair else {
            continue;
        };
        let name = name.strip_suffix(".svg").unwrap_or(name);
        pictures += &drawings::element(&format!("sensitivity-{name}"), svg, csv);
    }
    if let Some(grid) = &document.grid {
        for (metric, cells) in document.metrics.iter().zip(&grid.cells) {
            let mut heads = vec![("", Column::Text)];
            heads.extend(grid.x.inputs.iter().map(|x| (x.as_str(), Column::Number)));
            let rows: Vec<Vec<String>> = (grid.y.inputs.iter().zip(cells))
                .map(|(name, row)| {
                    let mut line = vec![escape(name)];
                    line.extend(row.iter().map(|v| print(metric, *v)));
                    line
                })
                .collect();
            pictures += &format!(
                "<h3>{}: rows <code>{}</code>, columns <code>{}</code></h3>\n{}",
                escape(&named(metric)),
                escape(&grid.y.input),
                escape(&grid.x.input),
                table("Grid", &heads, &rows)
            );
        }
    }
    Ok(Part {
        title: document.title.clone(),
        question: document.question.clone(),
        answer: (document.metrics.iter())
            .map(|metric| prose(&text::finding(metric)))
            .collect(),
        sections: vec![(
            "sensitivity",
            "What moves the answer, one input at a time".to_owned(),
            pictures + &content,
        )],
        warnings: document.warnings.clone(),
        limits: Vec::new(),
        reproduce: vec![format!(
            "<h3>What moves it</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}, seed {}, digest of the answer {}</p>\n",
            escape(&document.command),
            escape(&document.strait),
            document.seed,
            escape(&document.digest)
        )],
        data: serde_json::to_value(document).unwrap_or_default(),
    })
}

fn unit(metric: &MetricDocument) -> Option<Unit> {
    text::quantity(&metric.quantity).map(Quantity::unit)
}

fn named(metric: &MetricDocument) -> String {
    text::quantity(&metric.quantity).map_or(metric.quantity.clone(), |q| q.name().to_owned())
}

fn print(metric: &MetricDocument, value: Option<f64>) -> String {
    match (value, unit(metric)) {
        (Some(value), Some(unit)) => escape(&unit.print(value)),
        (Some(value), None) => escape(&value.to_string()),
        (None, _) => "–".to_owned(),
    }
}

fn swings(document: &SensitivityDocument, metric: &MetricDocument) -> String {
    let rows: Vec<Vec<String>> = (metric.swings.iter())
        .map(|swing| {
            let input = document.inputs.iter().find(|i| i.input == swing.input);
            let why = input.map_or("", |input| input.why.as_str());
            vec![
                match swing.input.as_str() {
                    PREDICTION => "the prediction’s own error".to_owned(),
                    path => format!("<code>{}</code>", escape(path)),
                },
                escape(&swing.low_input),
                escape(&swing.high_input),
                print(metric, Some(swing.at_low)),
                print(metric, Some(swing.at_high)),
                swing.elasticity.map_or("–".to_owned(), |e| fixed(e, 2)),
                format!("<span class=\"wide\">{}</span>", prose(why)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = [
        ("input", Column::Text),
        ("from", Column::Number),
        ("to", Column::Number),
        ("gives", Column::Number),
        ("and", Column::Number),
        ("elasticity", Column::Number),
        ("why", Column::Text),
    ];
    format!(
        "<h3>{}, {} as it stands</h3>\n{}",
        escape(&named(metric)),
        print(metric, Some(metric.base)),
        table(&named(metric), &heads, &rows)
    )
}

/// A search, as far as its document says what to show.
pub(super) fn search(value: &Value) -> Part {
    let text = |value: &Value, key: &str| -> String {
        match value.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    };
    let sizes = value
        .get("sizes")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut content = String::new();
    let mut answer = Vec::new();
    for size in &sizes {
        let best = size
            .get("best")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let accelerators = size
            .get("accelerators")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        // Every best layout is a record of plain values: they are columns.
        let plan = |best: &Value| best.get("plan").cloned().unwrap_or_else(|| best.clone());
        let mut columns: Vec<String> = Vec::new();
        for record in best.iter().map(plan) {
            for (key, value) in record.as_object().into_iter().flatten() {
                let plain = value.is_number() || value.is_string();
                if plain && !columns.contains(key) && columns.len() < 10 {
                    columns.push(key.clone());
                }
            }
        }
        let names: Vec<String> = columns.iter().map(|c| c.replace('_', " ")).collect();
        let mut heads = vec![("rank", Column::Text)];
        heads.extend(names.iter().map(|name| (name.as_str(), Column::Text)));
        let rows: Vec<Vec<String>> = (best.iter().enumerate())
            .map(|(rank, best)| {
                let record = plan(best);
                let mut row = vec![(rank + 1).to_string()];
                row.extend(columns.iter().map(|key| cell(record.get(key))));
                row
            })
            .collect();
        content += &format!("<h3>{} accelerators</h3>\n", count(accelerators));
        content += &table("The best layouts", &heads, &rows);
        if let Some(first) = best.first() {
            let record = plan(first);
            let layout = ["layout", "name", "words"]
                .iter()
                .map(|key| text(&record, key));
            let layout = layout
                .into_iter()
                .find(|t| !t.is_empty())
                .unwrap_or_default();
            answer.push(format!(
                "Of the layouts for {} accelerators the best by {} is {}.",
                count(accelerators),
                escape(&text(value, "by")),
                escape(&layout)
            ));
        }
    }
    Part {
        title: format!("Search for a layout, {}", text(value, "scenario")),
        question: format!(
            "Which layout of {} on {} is best by {}?",
            text(value, "model"),
            text(value, "accelerator"),
            text(value, "by")
        ),
        answer,
        sections: vec![("layouts", "The best layouts".to_owned(), content)],
        reproduce: vec![format!(
            "<h3>The search</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}</p>\n",
            escape(&text(value, "command")),
            escape(&text(value, "strait"))
        )],
        limits: vec![
            "layouts were compared without chance: no jitter, equal chips, even loads of experts."
                .to_owned(),
        ],
        data: value.clone(),
        ..Part::default()
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => escape(text),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(v) if number.is_f64() => escape(&crate::answer::format::significant(v)),
            _ => escape(&number.to_string()),
        },
        _ => "–".to_owned(),
    }
}
