//! The ledger as a page of the book.
//!
//! In: a [`LedgerDocument`]. Out: Markdown. Never contains anything that differs between two runs.

use super::document::{LedgerDocument, LedgerEntry};
use super::text::{figure, print, relation};
use crate::verdict::Verdict;
use std::fmt::Write;

/// The page: what verdicts mean, the table, and each claim with its reasons.
pub fn page(document: &LedgerDocument) -> String {
    let mut out = HEAD.to_owned();
    out += "\n| claim | stated | simulated | could be | verdict |\n|---|---:|---:|---:|---|\n";
    for entry in &document.claims {
        let figure = |value: Option<f64>| value.map_or("-".to_owned(), |v| figure(entry, v));
        let range = match (entry.low, entry.high) {
            (Some(_), Some(_)) => format!("{} to {}", figure(entry.low), figure(entry.high)),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            out,
            "| [{id}](#{id}) | {}{} | {} | {range} | {} |",
            relation(entry),
            print(entry, entry.stated),
            figure(entry.simulated),
            word(entry.verdict),
            id = entry.id,
        );
    }
    for entry in &document.claims {
        one(&mut out, entry);
    }
    out
}

const HEAD: &str = "\
<!-- Made by a test of the command from `strait claims`; STRAIT_UPDATE_DOCS=1 writes it anew. -->

# The ledger of claims

What has been said about training runs, and what the simulation makes of it. `strait claims` prints
this ledger; each claim is a scenario in `scenarios/claims` that can be changed and run. How verdicts
come about is told in [Claims and verdicts](explanation/claims.md).

*Could be* is where the true value lies in nine cases of ten, as far as the ranges of the scenario and
the measured error of predictions tell. A verdict is about the figure, not about its author.
";

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Undecidable => "cannot be told",
        other => other.word(),
    }
}

fn one(out: &mut String, entry: &LedgerEntry) {
    let said: Vec<&str> = [
        entry.who.as_str(),
        entry.date.as_str(),
        entry.source.as_str(),
    ]
    .into_iter()
    .filter(|text| !text.is_empty())
    .collect();
    let _ = writeln!(out, "\n## {}\n\n{}.", entry.id, said.join(", "));
    let _ = writeln!(out, "\n**{}**:", capital(word(entry.verdict)));
    for reason in &entry.reasons {
        let _ = writeln!(out, "- {}", capital(reason));
    }
    for (head, items) in [("What must be true for it", &entry.requires)] {
        if !items.is_empty() {
            let _ = writeln!(out, "\n{head}:");
        }
        for item in items {
            let _ = writeln!(out, "- {item}");
        }
    }
    if !entry.note.is_empty() {
        let _ = writeln!(out, "\nNote: {}.", entry.note.trim_end_matches('.'));
    }
    let _ = writeln!(
        out,
        "\nScenario: `{}`, case `{}`.",
        entry.scenario, entry.case
    );
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
