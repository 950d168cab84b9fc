//! Profile files with fitted values, every leaf with its origin.
//!
//! In: the catalogue's files and fitted values. Out: the files' new texts. Changes the lines of
//! fitted facts alone: comments, order and everything carried over stay as they are.

use super::fit::{FitResult, list_element};
use super::plan::Fit;
use super::{CalibrateError, Own};
use crate::catalog::{Catalog, Entry};
use std::collections::BTreeMap;

/// A fact's new value and origin.
struct Change {
    key: String,
    /// The value as TOML.
    value: String,
    source: Option<String>,
    date: Option<String>,
    confidence: Option<String>,
    note: String,
    /// What the old note says is no longer so.
    fresh: bool,
}

/// The shipped profiles that have a fitted value.
pub(super) fn shipped(
    catalog: &Catalog,
    entries: &BTreeMap<String, Entry>,
    fits: &[(Fit, FitResult)],
) -> Result<Vec<(String, String)>, CalibrateError> {
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for (fit, result) in fits {
        for (at, parameter) in result
            .parameters
            .iter()
            .enumerate()
            .filter(|(_, p)| !p.checked)
        {
            let own = parameter.profile == result.profile;
            let beside = match at {
                0 => String::new(),
                _ => format!(", with {}", last(&result.parameters[0].key)),
            };
            let from = if own { "" } else { " of another accelerator" };
            let change = Change {
                key: parameter.key.clone(),
                value: toml(&parameter.fitted),
                source: fit.source.clone(),
                date: fit.date.clone(),
                confidence: fit.confidence.clone(),
                note: note(result, &beside, &fit.note, from),
                fresh: false,
            };
            let list = changes.entry(parameter.profile.clone()).or_default();
            add(list, change, entries.get(&parameter.profile));
        }
    }
    let mut files = Vec::new();
    for (profile, changes) in changes {
        let (kind, id) = profile.split_once('/').unwrap_or((&profile, ""));
        let text = catalog.text(kind, id)?;
        let entry = &entries[&profile];
        files.push((format!("{profile}.toml"), rewritten(text, entry, &changes)?));
    }
    Ok(files)
}

/// The profiles of a user's machine: kernels and links, complete.
pub(super) fn own(
    catalog: &Catalog,
    entries: &BTreeMap<String, Entry>,
    fits: &[(Fit, FitResult)],
    own: &Own,
) -> Result<Vec<(String, String)>, CalibrateError> {
    let mut files = Vec::new();
    for kind in ["kernels", "links"] {
        let names: Vec<&str> = (own.tables.iter())
            .filter(|(_, text)| super::family(text).is_some_and(|family| family.kind() == kind))
            .map(|(name, _)| name.as_str())
            .collect();
        let names = match names.is_empty() {
            true => "none of this kind".to_owned(),
            false => names.join(", "),
        };
        let source = format!("own measurements of {}: {names}", own.accelerator);
        let profile = format!("{kind}/{}", own.like);
        let entry = &entries[&profile];
        let mut changes = Vec::new();
        for (fit, result) in fits.iter().filter(|(_, result)| result.profile == profile) {
            for (at, parameter) in result.parameters.iter().enumerate() {
                let beside = match at {
                    0 => String::new(),
                    _ => format!(", with {}", last(&result.parameters[0].key)),
                };
                let change = Change {
                    key: parameter.key.clone(),
                    value: toml(&parameter.fitted),
                    source: Some("calibration".to_owned()),
                    date: Some(own.date.clone()),
                    // Measured directly where rows are many, thin where they are few.
                    confidence: Some(if result.rows >= 6 { "A" } else { "B" }.to_owned()),
                    note: note(result, &beside, &fit.note, ""),
                    fresh: true,
                };
                add(&mut changes, change, Some(entry));
            }
        }
        let text = rewritten(catalog.text(kind, &own.like)?, entry, &changes)?;
        files.push((
            format!("{kind}/{}.toml", own.name),
            renamed(&text, kind, own, &source),
        ));
    }
    Ok(files)
}

/// Adds a change; elements of a list are gathered into their list's.
fn add(changes: &mut Vec<Change>, change: Change, entry: Option<&Entry>) {
    let in_list = list_element(&change.key).and_then(|(list, at)| {
        let fact = entry?.fact(list)?;
        Some((list.to_owned(), at, fact.value.clone()))
    });
    let Some((list, at, value)) = in_list else {
        changes.push(change);
        return;
    };
    let place = match changes.iter().position(|c| c.key == list) {
        Some(place) => place,
        None => {
            changes.push(Change {
                key: list,
                value,
                ..change
            });
            changes.len() - 1
        }
    };
    let inner = changes[place].value.trim_matches(['[', ']']).to_owned();
    let mut items: Vec<&str> = inner.split(", ").collect();
    if let Some(item) = items.get_mut(at) {
        *item = &change.value;
    }
    changes[place].value = format!("[{}]", items.join(", "));
}

fn last(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// What a fact says about its fit.
fn note(result: &FitResult, beside: &str, remark: &str, from: &str) -> String {
    let percent = |ratio: strait_units::Ratio| format!("{:.1}", 100.0 * ratio.get());
    let rows = match result.rows {
        1 => "fitted to 1 row".to_owned(),
        n => format!("fitted to {n} rows"),
    };
    let spread = match result.rows {
        1 => String::new(),
        _ => format!(
            ": {} % median, {} % worst",
            percent(result.median),
            percent(result.worst)
        ),
    };
    let remark = match remark {
        "" => String::new(),
        text => format!("; {text}"),
    };
    format!("{rows}{beside}{from}{spread}{remark}")
}

/// A text such as `1316 TFLOPS` or `0.83` as TOML.
fn toml(text: &str) -> String {
    match text.parse::<f64>() {
        // A whole number is written with its point only where it is a share.
        Ok(_) => text.to_owned(),
        Err(_) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A file with some of its facts changed.
fn rewritten(text: &str, entry: &Entry, changes: &[Change]) -> Result<String, CalibrateError> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for change in changes {
        let broken = || {
            CalibrateError::Plan(format!(
                "{}/{}: {} is not a fact on one line",
                entry.kind, entry.id, change.key
            ))
        };
        let fact = entry.fact(&change.key).ok_or_else(broken)?;
        let line = lines.get_mut(fact.line - 1).ok_or_else(broken)?;
        *line = changed(line, change).ok_or_else(broken)?;
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Ok(text)
}

fn changed(line: &str, change: &Change) -> Option<String> {
    let table: toml::Table = toml::from_str(line).ok()?;
    let (key, fact) = table.iter().next()?;
    let part = |name: &str| fact.get(name).and_then(toml::Value::as_str);
    let of = |new: &Option<String>, name: &str| new.clone().or(part(name).map(str::to_owned));
    let mut out = format!(
        "{key} = {{ value = {}, source = {}, date = {}, confidence = {}",
        change.value,
        quoted(&of(&change.source, "source")?),
        quoted(&of(&change.date, "date")?),
        quoted(&of(&change.confidence, "confidence")?),
    );
    if let (Some(basis), false) = (part("basis"), change.fresh) {
        out += &format!(", basis = {}", quoted(basis));
    }
    out += &format!(", note = {} }}", quoted(&change.note));
    Some(out)
}

/// A user's file: its own head and name, and its tables among the sources.
fn renamed(text: &str, kind: &str, own: &Own, source: &str) -> String {
    let mut out = format!(
        "# {} of {}, as `strait calibrate` fitted them to own measurements. What these do not cover\n\
         # is as in the profile {}, with its sources.\n",
        if kind == "kernels" {
            "Kernel rates"
        } else {
            "Links"
        },
        own.name,
        own.like
    );
    let mut head = true;
    let mut named = false;
    for line in text.lines() {
        head &= line.starts_with('#');
        if head {
            continue;
        }
        if line.starts_with("name = ") && !named {
            named = true;
            out += &format!("name = {}\n", quoted(&own.name));
            continue;
        }
        out += line;
        out.push('\n');
        if line.trim() == "[sources]" {
            out += &format!("calibration = {}\n", quoted(source));
        }
    }
    out
}
