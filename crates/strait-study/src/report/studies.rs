//! Sensitivity studies and searches in a report.
//!
//! In: their documents. Out: a part of a page. Never ranks anew.

use super::markup::{Column, escape, prose, table};
use super::{Part, ReportError, drawings};
use crate::answer::format::{count, fixed, significant};
use crate::chance::PREDICTION;
use crate::sensitivity::document::{MetricDocument, SensitivityDocument};
use crate::sensitivity::{figures, text};
use crate::verdict::{Quantity, Unit};
use serde_json::Value;

/// A sensitivity study.
pub(super) fn sensitivity(
    document: &SensitivityDocument,
    prefix: &str,
) -> Result<Part, ReportError> {
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
        pictures += &drawings::element(&format!("{prefix}sensitivity-{name}"), svg, csv);
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

/// A search, as far as its document says what to show: keys that another version lacks are left out.
pub(super) fn search(value: &Value) -> Part {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut content = String::new();
    let mut answer = Vec::new();
    for size in list(value, "sizes") {
        let accelerators = size.get("accelerators").and_then(Value::as_u64);
        let accelerators = count(accelerators.unwrap_or(0));
        let best = list(size, "best");
        if let Some(first) = best.first() {
            answer.push(verdict(size, first, &accelerators, text("by")));
        }
        content += &format!("<h3>{accelerators} accelerators</h3>\n");
        if best.is_empty() {
            let told = none(size, &accelerators);
            content += &format!("<p>{told}</p>\n");
            answer.push(format!("<strong>{told}</strong>"));
        } else {
            content += &layouts(best);
        }
        if let Some(considered) = size.get("considered") {
            let of = |key: &str| considered.get(key).and_then(Value::as_u64).map(count);
            if let (Some(all), Some(fit), Some(simulated)) =
                (of("layouts"), of("fit"), of("simulated"))
            {
                let rest = match best.is_empty() {
                    true => ".".to_owned(),
                    false => format!("; {simulated} of them were simulated, {}.", left(size)),
                };
                content += &format!(
                    "<p class=\"small\">Of {all} layouts {fit} are possible and fit in memory{rest}</p>\n"
                );
            }
        }
    }
    if let Some(told) = sizes_in_words(list(value, "sizes")) {
        answer.insert(0, format!("<strong>{told}</strong>"));
    }
    Part {
        title: format!("Search for a layout, {}", text("scenario")),
        question: format!(
            "Which layout of {} on {} is best by {}?",
            text("model"),
            text("accelerator"),
            text("by")
        ),
        answer,
        sections: vec![("layouts", "The best layouts".to_owned(), content)],
        reproduce: vec![format!(
            "<h3>The search</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}</p>\n",
            escape(text("command")),
            escape(text("strait"))
        )],
        limits: vec![
            "Layouts were compared without chance: no jitter, equal chips, even loads of experts."
                .to_owned(),
        ],
        data: value.clone(),
        ..Part::default()
    }
}

/// Of several sizes the fastest and the cheapest.
fn sizes_in_words(sizes: &[Value]) -> Option<String> {
    let found: Vec<(u64, f64, Option<f64>)> = (sizes.iter())
        .filter_map(|size| {
            let run = list(size, "best").first()?.get("run")?;
            let cost = run.get("cost_usd").and_then(Value::as_f64);
            let days = run.get("days")?.as_f64()?;
            Some((size.get("accelerators")?.as_u64()?, days, cost))
        })
        .collect();
    if sizes.len() < 2 {
        return None;
    }
    let fastest = found.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut text = format!(
        "Of {} sizes, {} accelerators are the fastest ({} days)",
        sizes.len(),
        count(fastest.0),
        significant(fastest.1)
    );
    let priced = found
        .iter()
        .filter_map(|(size, _, cost)| Some((size, (*cost)?)));
    if let Some((size, cost)) = priced.min_by(|a, b| a.1.total_cmp(&b.1)) {
        text += &format!(
            ", {} cost the least ({})",
            count(*size),
            Unit::Dollars.print(cost)
        );
    }
    Some(text + ".")
}

/// What is known of the layouts that were not simulated.
fn left(size: &Value) -> String {
    let considered = |key: &str| size.get("considered").and_then(|c| c.get(key));
    let unlooked = considered("unlooked").and_then(Value::as_u64).unwrap_or(0);
    let mut told = match unlooked {
        0 => "the others can't be better than those named by their least times".to_owned(),
        more => format!("{} were left that could be better", count(more)),
    };
    let score = list(size, "best")
        .first()
        .and_then(|best| best.get("score"));
    let least = considered("unlooked_least").and_then(Value::as_f64);
    if let (Some(least), Some(best)) = (least, score.and_then(Value::as_f64))
        && unlooked > 0
        && best > 0.0
    {
        let gain = 100.0 * (1.0 - least / best).max(0.0);
        told += &format!(", by at most {} %", fixed(gain, 1));
    }
    let unproven = size.get("front_unproven").and_then(Value::as_u64);
    if let Some(limits) = unproven.filter(|limits| *limits > 0) {
        told += &format!(
            "; at {} limits of memory layouts were left that could be better",
            count(limits)
        );
    }
    told
}

/// That no layout is possible, and how far the least is from fitting.
fn none(size: &Value, accelerators: &str) -> String {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let considered = size.get("considered");
    let fit = considered
        .and_then(|c| c.get("fit"))
        .and_then(Value::as_u64);
    let least = number(considered.and_then(|c| c.get("least_memory_gb")));
    let mut told = format!("No layout of this space is possible on {accelerators} accelerators");
    if let (Some(capacity), Some(least), Some(0)) = (number(size.get("capacity_gb")), least, fit) {
        told += &format!(
            " within {} GB: the least that any takes is {} GB",
            fixed(capacity, 1),
            fixed(least, 1)
        );
    }
    told + "."
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The best layout in a sentence, beside the written one.
fn verdict(size: &Value, best: &Value, accelerators: &str, by: &str) -> String {
    let time = |plan: &Value| plan.get("time_s").and_then(Value::as_f64);
    let layout = |plan: &Value| {
        let text = plan.get("layout").and_then(Value::as_str);
        escape(text.unwrap_or("a layout"))
    };
    let unlooked = size.get("considered").and_then(|c| c.get("unlooked"));
    let open = unlooked.and_then(Value::as_u64).unwrap_or(0) > 0;
    let mut told = format!(
        "<strong>On {accelerators} accelerators the best {}by {} is {}",
        if open { "found " } else { "" },
        escape(by),
        layout(best)
    );
    if let Some(seconds) = time(best) {
        told += &format!(", with a step of {}", escape(&Unit::Seconds.print(seconds)));
    }
    told += ".</strong>";
    if open {
        told += &format!(" Of the layouts that were not simulated, {}.", left(size));
    }
    let written = size.get("written").and_then(|written| written.get("plan"));
    if let Some((plan, seconds)) = written.and_then(|plan| Some((plan, time(plan)?))) {
        told += &format!(
            " The layout that the scenario writes, {}, takes {}.",
            layout(plan),
            escape(&Unit::Seconds.print(seconds))
        );
    }
    told
}

/// A table of layouts, best first.
fn layouts(best: &[Value]) -> String {
    let number = |value: &Value, path: &[&str], print: &dyn Fn(f64) -> String| {
        let mut at = Some(value);
        for key in path {
            at = at.and_then(|value| value.get(key));
        }
        at.and_then(Value::as_f64)
            .map_or("–".to_owned(), |v| escape(&print(v)))
    };
    let sentences = |value: &Value, key: &str| {
        let all: Vec<&str> = list(value, key)
            .iter()
            .filter_map(Value::as_str)
            .take(3)
            .collect();
        all.join(", ")
    };
    let rows: Vec<Vec<String>> = (best.iter().enumerate())
        .map(|(rank, best)| {
            let layout = best.get("layout").and_then(Value::as_str).unwrap_or("–");
            let why = match rank {
                0 => format!("bound by {}", sentences(best, "bound_by")),
                _ => sentences(best, "reasons"),
            };
            vec![
                (rank + 1).to_string(),
                format!("<span class=\"wide\">{}</span>", escape(layout)),
                number(best, &["time_s"], &|v| Unit::Seconds.print(v)),
                number(best, &["behind"], &|v| format!("{} %", fixed(v * 100.0, 2))),
                number(best, &["memory_gb"], &|v| Unit::Gigabytes.print(v)),
                number(best, &["mfu_causal"], &|v| Unit::Fraction.print(v)),
                number(best, &["run", "days"], &|v| Unit::Days.print(v)),
                number(best, &["run", "cost_usd"], &|v| Unit::Dollars.print(v)),
                format!("<span class=\"wide\">{}</span>", escape(&why)),
            ]
        })
        .collect();
    let heads = [
        ("", Column::Text),
        ("layout", Column::Text),
        ("step", Column::Number),
        ("behind", Column::Number),
        ("memory", Column::Number),
        ("MFU, causal", Column::Number),
        ("run", Column::Number),
        ("cost", Column::Number),
        ("why", Column::Text),
    ];
    table("The best layouts", &heads, &rows)
}
