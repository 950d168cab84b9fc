//! Classifications and the timeline for people.
//!
//! In: answers. Out: text with SGR styles, which the terminal removes where they are not wanted. Never decides.

use super::answer::Classification;
use super::chip::{Chip, Sale};
use super::set::{Destination, Outcome, RuleBook};
use super::timeline::{Event, Stretch};
use crate::answer::Detail;
use std::fmt::Write as _;

/// Widest line of running text.
const WIDTH: usize = 100;

fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

/// A word for a table's cell.
fn short(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Free => "free",
        Outcome::Notify => "notice",
        Outcome::CaseByCase => "case by case",
        Outcome::Licence => "licence",
        Outcome::PresumptionOfDenial => "denied",
        Outcome::NotSubject => "-",
        Outcome::Unknown => "unknown",
    }
}

/// Words broken into lines, the first after `first`, the others indented as deep.
fn wrapped(first: &str, words: &str, out: &mut String) {
    let indent = first.chars().count();
    let mut line = first.to_owned();
    let mut used = indent;
    let mut begun = false;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if begun && used + 1 + length > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            used = indent;
            begun = false;
        }
        if begun {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        begun = true;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// One chip under the rules of one day.
pub fn chip(chip: &Chip, answer: &Classification, to: Destination, detail: Detail) -> String {
    let day = answer
        .day
        .map_or("without rules".to_owned(), |d| format!("rules of {d}"));
    let mut out = format!(
        "{} ({}) to {}, {day}\n",
        bold(&chip.name),
        chip.id,
        to.words()
    );
    let clause = answer
        .clause
        .as_ref()
        .map_or(String::new(), |c| format!(", {c}"));
    let _ = writeln!(out, "  {}{clause}", bold(answer.outcome.words()));
    if detail == Detail::Headline {
        return out;
    }
    if let Some(rule) = &answer.rule {
        wrapped("  ", rule, &mut out);
    }
    let sale = match chip.sale {
        Sale::Since(period) => format!("on sale since {period}"),
        Sale::Never => "not on sale".to_owned(),
        Sale::Unknown => "not known since when on sale".to_owned(),
    };
    let mut figures = chip.figures();
    figures.push(sale);
    wrapped("  figures  ", &figures.join("; "), &mut out);
    for reason in &answer.reasons {
        wrapped("  - ", reason, &mut out);
    }
    out
}

/// All chips by rule: a row for each chip, a column for each day that names a rule.
pub fn table(
    columns: &[String],
    rows: &[(String, Vec<Classification>)],
    to: Destination,
) -> String {
    let first = rows
        .iter()
        .map(|(id, _)| id.chars().count())
        .max()
        .unwrap_or(4)
        .max(4);
    let cell = |answer: &Classification| {
        let wedge = if answer.wedges.is_empty() { "" } else { " $" };
        format!("{}{wedge}", short(answer.outcome))
    };
    let widest = rows
        .iter()
        .flat_map(|(_, row)| row)
        .map(|a| cell(a).chars().count())
        .max();
    let width = widest.unwrap_or(0).max(10);
    let mut out = format!(
        "US export rules on accelerators to {}, by the day that names a rule\n\n",
        to.words()
    );
    let mut head = format!("{:first$}", "chip");
    for column in columns {
        let _ = write!(head, "  {column:width$}");
    }
    out += &format!("{}\n", bold(head.trim_end()));
    for (id, row) in rows {
        let mut line = format!("{id:first$}");
        for answer in row {
            let _ = write!(line, "  {:width$}", cell(answer));
        }
        out += line.trim_end();
        out.push('\n');
    }
    out.push('\n');
    wrapped(
        "",
        "denied: a licence that is presumed refused; notice: free after notice to the authority; $: with a tariff or a share of \
         revenue; -: designed in China, not a US export; unknown: public figures do not decide it. Not legal advice. \
         Clauses and reasons: strait rules classify CHIP --on DATE.",
        &mut out,
    );
    out
}

/// The timeline of all rules.
pub fn timeline(events: &[Event], detail: Detail) -> String {
    let mut out = String::new();
    for event in events {
        let date = event.date.clone().unwrap_or_else(|| "proposed".to_owned());
        let title = match (event.kind, event.title.is_empty()) {
            ("proposal", _) => format!("proposed: {}", event.title),
            (_, true) => String::new(),
            _ => event.title.clone(),
        };
        if title.is_empty() {
            if detail != Detail::Headline {
                wrapped(&format!("{date:10}  "), &event.what, &mut out);
            }
            continue;
        }
        let until = event
            .until
            .as_ref()
            .map_or(String::new(), |u| format!(", until {u}"));
        let effective = (event.effective.as_ref())
            .filter(|e| Some(*e) != event.date.as_ref())
            .map_or(String::new(), |e| format!(", in force {e}"));
        let id = event
            .rule
            .as_ref()
            .map_or(String::new(), |id| format!("  [{id}]"));
        let _ = writeln!(out, "{date:10}  {}{effective}{until}{id}", bold(&title));
        if detail == Detail::Headline {
            continue;
        }
        wrapped("            ", &event.what, &mut out);
        if let Some(citation) = &event.citation {
            wrapped("            ", citation, &mut out);
        }
        if detail == Detail::Full {
            for cap in &event.caps {
                wrapped("            limit: ", cap, &mut out);
            }
            for point in &event.contested {
                wrapped("            contested: ", point, &mut out);
            }
        }
    }
    out
}

/// A chip's status through the rules.
pub fn statuses(
    chip: &Chip,
    stretches: &[Stretch],
    sold: Option<&str>,
    book: &RuleBook,
    to: Destination,
) -> String {
    let mut out = format!("{} ({}) to {}\n", bold(&chip.name), chip.id, to.words());
    if let Some(sold) = sold {
        wrapped("  ", sold, &mut out);
    }
    for stretch in stretches {
        let from = stretch.from.as_deref().unwrap_or("before");
        let clause = stretch
            .clause
            .as_ref()
            .map_or(String::new(), |c| format!(", {c}"));
        let set = stretch.rule.as_ref().and_then(|id| book.set(id));
        let rule = set.map_or(String::new(), |set| format!(" ({})", set.name));
        let wedges: String = stretch.wedges.iter().map(|w| format!("; {w}")).collect();
        wrapped(
            &format!("  {from:10}  "),
            &format!("{}{clause}{rule}{wedges}", stretch.kind().words()),
            &mut out,
        );
    }
    out
}
