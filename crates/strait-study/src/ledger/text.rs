//! The ledger as text for people, at most 100 columns wide.
//!
//! In: a [`LedgerDocument`]. Out: a string. Never contains anything that differs between two runs
//! of the same question.

use super::document::{LedgerDocument, LedgerEntry};
use crate::answer::format::wrap;
use crate::answer::table::{Align, render};
use crate::answer::text::{Detail, TextStyle};
use crate::verdict::{Quantity, Verdict};
use std::fmt::Write;

/// Columns that no line exceeds.
const COLUMNS: usize = 96;

/// The ledger: a table of all claims, then each with its reasons.
pub fn text(document: &LedgerDocument, style: TextStyle) -> String {
    let mut out = headline(document);
    if style.detail == Detail::Headline || document.claims.is_empty() {
        return out;
    }
    style.heading(&mut out, "Claims", "stated, and what was simulated");
    let mut rows = vec![
        ["claim", "stated", "simulated", "could be", "verdict"]
            .map(String::from)
            .to_vec(),
    ];
    for entry in &document.claims {
        let figure = |value: Option<f64>| value.map_or("-".to_owned(), |v| figure(entry, v));
        let range = match (entry.low, entry.high) {
            (Some(_), Some(_)) => format!("{} to {}", figure(entry.low), figure(entry.high)),
            _ => String::new(),
        };
        rows.push(vec![
            entry.id.clone(),
            relation(entry) + &print(entry, entry.stated),
            figure(entry.simulated),
            range,
            style.verdict(entry.verdict),
        ]);
    }
    use Align::{Left, Right};
    out += &render(&rows, &[Left, Right, Right, Right], 2);
    for entry in &document.claims {
        reasons(&mut out, entry, style);
    }
    let _ = writeln!(
        out,
        "\n{} draws a case; ledger {}, digest {}",
        document.draws, document.ledger, document.digest
    );
    out
}

/// How many claims have which verdict.
fn headline(document: &LedgerDocument) -> String {
    let counts: Vec<String> = [
        Verdict::Impossible,
        Verdict::Implausible,
        Verdict::Plausible,
        Verdict::Expected,
        Verdict::Undecidable,
    ]
    .into_iter()
    .filter_map(|verdict| {
        let count = (document.claims.iter())
            .filter(|c| c.verdict == verdict)
            .count();
        let word = match verdict {
            Verdict::Undecidable => "cannot be told",
            other => other.word(),
        };
        (count > 0).then(|| format!("{count} {word}"))
    })
    .collect();
    let text = match document.claims.len() {
        0 => "No claims here: a [[claim]] states one.".to_owned(),
        1 => format!("1 claim: {}.", counts.join(", ")),
        count => format!("{count} claims: {}.", counts.join(", ")),
    };
    wrap(&text, COLUMNS, 0) + "\n"
}

fn reasons(out: &mut String, entry: &LedgerEntry, style: TextStyle) {
    let said: Vec<&str> = [entry.who.as_str(), entry.date.as_str()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    style.heading(out, &entry.id, &said.join(", "));
    let mut line = |text: &str| {
        let _ = writeln!(out, "  {}", wrap(text, COLUMNS - 2, 2));
    };
    line(&format!(
        "{}: {}",
        style.verdict(entry.verdict),
        entry.reasons.join(". ")
    ));
    if style.detail < Detail::Full {
        return;
    }
    for what in &entry.requires {
        line(&format!("requires: {what}"));
    }
    for what in &entry.missing {
        line(&format!("not known: {what}"));
    }
    for (what, text) in [("note", &entry.note), ("source", &entry.source)] {
        if !text.is_empty() {
            line(&format!("{what}: {text}"));
        }
    }
    line(&format!("scenario: {} ({})", entry.scenario, entry.case));
}

pub(super) fn relation(entry: &LedgerEntry) -> String {
    match entry.relation.as_str() {
        "at-least" => "≥ ".to_owned(),
        "at-most" => "≤ ".to_owned(),
        _ => String::new(),
    }
}

/// A value of the entry's quantity, without a unit that is a word.
pub(super) fn figure(entry: &LedgerEntry, value: f64) -> String {
    (entry.quantity.parse::<Quantity>()).map_or(value.to_string(), |q| q.unit().figure(value))
}

/// A value of the entry's quantity.
pub(super) fn print(entry: &LedgerEntry, value: f64) -> String {
    (entry.quantity.parse::<Quantity>()).map_or(value.to_string(), |q| q.unit().print(value))
}
