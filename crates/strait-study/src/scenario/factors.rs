//! What is not known exactly: shared factors, and words that may be one of several.
//!
//! In: the tree of one case. Out: its [`Factor`]s, and a tree in which each range of words is one
//! word. Never draws a value.

use super::check;
use super::diagnostic::{Diagnostic, Place};
use super::keys::{self, Kind, Section};
use super::ranges;
use super::read::{Range, Reader, Scope};
use super::tree::{Data, Table};

/// Top-level tables that hold no settings of a simulation.
pub(super) const NO_SETTINGS: [&str; 5] = ["claim", "expect", "case", "sweep", "factor"];

/// Something that several ranges move with.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// Name; ranges join it with `factor = "NAME"`.
    pub name: String,
    /// What it is and why these move together.
    pub why: String,
    /// Rank correlation (Spearman's) of any two of its ranges, 0 to 1.
    pub correlation: f64,
    /// Where it is declared.
    pub place: Place,
}

/// Reads every `[[factor]]`.
pub(super) fn read(root: &Scope<'_>, reader: &mut Reader) -> Vec<Factor> {
    let list = root.node("factor").and_then(|n| n.list()).unwrap_or(&[]);
    let mut factors: Vec<Factor> = Vec::new();
    for (index, node) in list.iter().enumerate() {
        let Some(table) = node.table() else { continue };
        let scope = Scope {
            tables: vec![table],
            place: node.place.clone(),
            section: &keys::FACTOR,
            path: format!("factor.{}", index + 1),
        };
        let correlation = match table.get("correlation") {
            // How sure a range is must itself be sure.
            Some(entry) if entry.node.table().is_some() => {
                reader.fail(check::wrong_type(
                    &entry.node,
                    "factor.correlation",
                    "a plain number",
                    "0.8",
                ));
                None
            }
            _ => reader.number(&scope, "correlation"),
        };
        let name = reader.text(&scope, "name");
        let why = reader.text(&scope, "why");
        let (Some((name, _)), Some((why, _))) = (name, why) else {
            continue;
        };
        if let Some(first) = factors.iter().find(|f| f.name == name) {
            reader.fail(
                Diagnostic::error(
                    "scenario::duplicate",
                    format!("two factors are called \"{name}\""),
                )
                .at(&node.place, "the second of this name")
                .at(&first.place, "the first")
                .help("give each factor a name of its own"),
            );
            continue;
        }
        factors.push(Factor {
            name,
            why,
            correlation: correlation.unwrap_or(1.0),
            place: node.place.clone(),
        });
    }
    factors
}

/// Compares what ranges name with what is declared.
pub(super) fn compare(factors: &[Factor], ranges: &[Range]) -> Vec<Diagnostic> {
    let names: Vec<&str> = factors.iter().map(|f| f.name.as_str()).collect();
    let mut faults = Vec::new();
    for range in ranges {
        let Some(name) = &range.factor else { continue };
        if names.contains(&name.as_str()) {
            continue;
        }
        let mut d = Diagnostic::error(
            "scenario::unknown-factor",
            format!("`{}` moves with \"{name}\", which is no factor", range.path),
        )
        .at(&range.place, "names a factor that is not declared");
        let near = check::suggest(name, &names);
        if !near.is_empty() {
            d = d.help(check::did_you_mean(&near));
        }
        faults.push(d.help(format!(
            "declare it: [[factor]] with name = \"{name}\" and why = \"…\""
        )));
    }
    for factor in factors {
        let used = |range: &&Range| range.factor.as_deref() == Some(factor.name.as_str());
        if ranges.iter().find(used).is_none() {
            faults.push(
                Diagnostic::warning(
                    "scenario::unused-factor",
                    format!("no range moves with the factor \"{}\"", factor.name),
                )
                .at(&factor.place, "declared here")
                .help(format!(
                    "write factor = \"{}\" in the ranges that do, or remove it",
                    factor.name
                )),
            );
        }
    }
    faults
}

/// Replaces each range of words by the word that it takes.
pub(super) fn settle_words(table: &mut Table, reader: &mut Reader) {
    words(table, &keys::ROOT, "", reader);
}

fn words(table: &mut Table, section: &Section, path: &str, reader: &mut Reader) {
    for entry in &mut table.entries {
        if path.is_empty() && NO_SETTINGS.contains(&entry.name.as_str()) {
            continue;
        }
        let Some(key) = section.key(&entry.name) else {
            continue;
        };
        let path = check::join(path, &entry.name);
        if check::ranged_word(key.kind, &path) && entry.node.table().is_some() {
            // What is wrong with it, the check of form has said.
            let Ok(spread) = ranges::word_choices(&entry.node, &path, &mut |_| Vec::new()) else {
                continue;
            };
            let place = entry.node.place.clone();
            let index = reader.settle(path, key.kind, &place, spread) as usize;
            let list = entry.node.table().and_then(|t| t.get("choices"));
            let list = list.and_then(|e| e.node.list());
            if let Some(chosen) = list.and_then(|list| list.get(index)) {
                entry.node.data = chosen.data.clone();
            }
            continue;
        }
        match (key.kind, &mut entry.node.data) {
            (Kind::Table(inner), Data::Table(table)) => words(table, inner, &path, reader),
            (Kind::Tables(inner), Data::List(list)) => {
                for (index, node) in list.iter_mut().enumerate() {
                    if let Data::Table(table) = &mut node.data {
                        words(table, inner, &format!("{path}.{}", index + 1), reader);
                    }
                }
            }
            _ => {}
        }
    }
}
