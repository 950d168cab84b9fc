//! What went into a report: stated values, facts of the catalogue, assumptions with their reasons.
//!
//! In: every resolved value of each case with where it came from. Out: tables by section; of further
//! cases only what differs. Plain defaults are counted, not listed.

use super::Answered;
use super::markup::{Column, classed, escape, list, prose, table};
use crate::answer::AboutDocument;
use crate::answer::about::{InputsDocument, ValueDocument, ValueOrigin};

/// Sections of a scenario with their names for people.
const SECTIONS: [(&str, &str); 10] = [
    ("training", "Training"),
    ("cluster", "Machine"),
    ("parallelism", "Layout"),
    ("precision", "Precision"),
    ("routing", "Routing"),
    ("software", "Software"),
    ("noise", "Chance"),
    ("reliability", "Failures"),
    ("economics", "Prices and power"),
    ("model", "Model"),
];

/// The section's content; empty where nothing is known of the inputs.
pub(super) fn content(answered: &Answered, about: Option<&AboutDocument>) -> String {
    let Some(about) = about else {
        let told = "<p>The answer does not say what went in: it was written by an earlier version, or read from no \
                    file. <code>strait explain</code> lists every value.</p>\n";
        return told.to_owned();
    };
    let mut out = String::new();
    for scenario in about.scenarios.iter().filter(|s| !s.note.is_empty()) {
        out += &format!("<p>{}</p>\n", prose(&scenario.note));
    }
    let Some((first, others)) = about.cases.split_first() else {
        return out;
    };
    if !first.note.is_empty() {
        out += &format!("<p>{}</p>\n", prose(&first.note));
    }
    let assumed: Vec<Vec<String>> = (first.values.iter())
        .filter_map(|value| assumption(value, &first.values))
        .collect();
    if !assumed.is_empty() {
        let heads = [
            ("input", Column::Text),
            ("value", Column::Text),
            ("why, or who says so", Column::Text),
        ];
        out += "<h3>Assumed</h3>\n";
        out += &classed("stack", &table("Assumptions", &heads, &assumed));
    }
    out += "<h3>All inputs</h3>\n";
    let shown: Vec<&ValueDocument> = first.values.iter().filter(|v| worth(v)).collect();
    let known: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
    for (section, name) in SECTIONS.iter().copied().chain([("", "Other")]) {
        let of: Vec<&&ValueDocument> = (shown.iter())
            .filter(|v| match section {
                "" => !known.contains(&top(&v.path)),
                section => top(&v.path) == section,
            })
            .filter(|v| !v.path.ends_with(".why"))
            .collect();
        if of.is_empty() {
            continue;
        }
        let rows: Vec<Vec<String>> = of.iter().map(|value| row(value)).collect();
        let heads = [
            ("input", Column::Text),
            ("value", Column::Text),
            ("from", Column::Text),
            ("source", Column::Text),
        ];
        out += &format!(
            "<details><summary>{name} <span class=\"small\">({})</span></summary>\n{}</details>\n",
            rows.len(),
            classed("stack", &table(name, &heads, &rows))
        );
    }
    let plain = first.values.len() - shown.len();
    out += &format!(
        "<p class=\"small\">{plain} further values are plain defaults; <code>strait explain</code> lists them. \
         Confidence of facts: A primary or measured, B consistent secondary, C single, D assumed.</p>\n"
    );
    for other in others {
        let items = differences(first, other);
        if items.is_empty() && other.note.is_empty() {
            continue;
        }
        out += &format!("<h3>{}</h3>\n", escape(&other.case));
        if !other.note.is_empty() {
            out += &format!("<p>{}</p>\n", prose(&other.note));
        }
        if !items.is_empty() {
            out += &format!("<p>As {}, but:</p>\n{}", escape(&first.case), list(&items));
        }
    }
    let uncited = (answered.cases.iter())
        .filter(|case| case.cost_usd.parts.len() > 1)
        .flat_map(|case| &case.cost_usd.parts);
    let lines: Vec<String> = uncited
        .filter(|part| !part.why.is_empty())
        .map(|part| {
            let source = match part.source.is_empty() {
                true => String::new(),
                false => format!(" ({})", escape(&part.source)),
            };
            format!("{}: {}{source}", escape(&part.name), prose(&part.why))
        })
        .collect();
    if !lines.is_empty() {
        let mut unique: Vec<String> = Vec::new();
        for line in lines {
            if !unique.contains(&line) {
                unique.push(line);
            }
        }
        out += &format!("<h3>Lines of the cost</h3>\n{}", list(&unique));
    }
    out
}

fn top(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// Words by which rules and sources say that somebody assumed or fitted something.
const ASSUMED: [&str; 3] = ["assum", "calibration", "basis"];

/// Not a plain default, or a default that somebody gave a reason for.
fn worth(value: &ValueDocument) -> bool {
    let reasoned = ASSUMED.iter().any(|word| value.source.contains(word));
    let name = value.path.ends_with(".name");
    !name && (value.origin != ValueOrigin::Default || !value.why.is_empty() || reasoned)
}

/// An assumption with its reason: a range, a reason in the file, a fact of the least confidence, a
/// default that is none of a published source.
fn assumption(value: &ValueDocument, all: &[ValueDocument]) -> Option<Vec<String>> {
    let code = |path: &str| format!("<code>{}</code>", escape(path));
    let wide = |text: String| format!("<span class=\"wide\">{text}</span>");
    if let Some(path) = value.path.strip_suffix(".why") {
        // The reason is for what the file states beside it.
        let beside: Vec<String> = (all.iter())
            .filter(|v| v.origin != ValueOrigin::Default)
            .filter_map(|v| Some((v.path.strip_prefix(path)?.strip_prefix('.')?, &v.value)))
            .filter(|(name, _)| !name.contains('.') && !["why", "name"].contains(name))
            .map(|(name, value)| format!("{}\u{a0}= {}", escape(name), escape(value)))
            .collect();
        return Some(vec![
            code(path),
            beside.join(", "),
            wide(prose(&value.value)),
        ]);
    }
    let weak = value.confidence.as_deref() == Some("D");
    let assumed = value.origin == ValueOrigin::Default && value.source.contains("assum");
    if value.why.is_empty() && !weak && !assumed {
        return None;
    }
    let told: Vec<String> = ([&value.why, &value.source].into_iter())
        .filter(|text| !text.is_empty())
        .map(|text| prose(text))
        .collect();
    Some(vec![
        code(&value.path),
        escape(&value.value),
        wide(told.join("<br>")),
    ])
}

fn row(value: &ValueDocument) -> Vec<String> {
    let mut from = match value.origin {
        ValueOrigin::File => "scenario".to_owned(),
        ValueOrigin::Case => "case".to_owned(),
        ValueOrigin::CommandLine => "command line".to_owned(),
        ValueOrigin::Catalogue => "catalogue".to_owned(),
        ValueOrigin::Default => "default".to_owned(),
    };
    if let Some(confidence) = &value.confidence {
        from += &format!(", {confidence}");
    }
    let mut told: Vec<String> = Vec::new();
    for text in [&value.why, &value.source] {
        if !text.is_empty() {
            told.push(prose(text));
        }
    }
    if !value.place.is_empty() {
        told.push(format!(
            "<span class=\"small\">{}</span>",
            escape(&value.place)
        ));
    }
    let short = value.value.chars().count() <= 28;
    vec![
        format!("<code>{}</code>", escape(&value.path)),
        match short {
            true => format!("<span class=\"nowrap\">{}</span>", escape(&value.value)),
            false => escape(&value.value),
        },
        format!("<span class=\"nowrap\">{}</span>", escape(&from)),
        format!("<span class=\"wide\">{}</span>", told.join("<br>")),
    ]
}

/// Values of a case that are not those of the first.
fn differences(first: &InputsDocument, other: &InputsDocument) -> Vec<String> {
    let mut items = Vec::new();
    for value in other.values.iter().filter(|v| worth(v)) {
        let before = first.values.iter().find(|v| v.path == value.path);
        if before.is_some_and(|b| b.value == value.value) {
            continue;
        }
        let instead = before.map_or(String::new(), |b| {
            format!(" instead of {}", escape(&b.value))
        });
        let why: Vec<&str> = ([value.why.as_str(), value.source.as_str()].into_iter())
            .filter(|s| !s.is_empty())
            .collect();
        let why = match why.is_empty() {
            true => String::new(),
            false => format!(" <span class=\"small\">({})</span>", prose(&why.join("; "))),
        };
        items.push(format!(
            "<code>{}</code> {}{instead}{why}",
            escape(&value.path),
            escape(&value.value)
        ));
    }
    items
}
