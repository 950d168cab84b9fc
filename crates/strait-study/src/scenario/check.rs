//! Is every key known, and does every value have the right form?
//!
//! In: the tree of one file and the key table. Out: every fault of form, each at its place.
//! Never follows `extends`, never compares one value with another.

use super::diagnostic::{Diagnostic, Place};
use super::keys::{Choice, Key, Kind, Section};
use super::tree::{Data, Entry, Node, Table};
use super::{amount, ranges};
use crate::rules::date::Period;

/// Checks a table against its section, and all inside it.
pub(super) fn table(table: &Table, section: &Section, path: &str, out: &mut Vec<Diagnostic>) {
    for entry in &table.entries {
        let full = join(path, &entry.name);
        match section.key(&entry.name) {
            Some(key) => self::entry(entry, key, &full, out),
            None => out.push(unknown_key(&entry.name, &entry.key, section)),
        }
    }
}

/// A path and one more key.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Checks one value.
pub(super) fn entry(entry: &Entry, key: &Key, path: &str, out: &mut Vec<Diagnostic>) {
    node(&entry.node, &entry.key, key.kind, path, out);
}

fn node(node: &Node, key: &Place, kind: Kind, path: &str, out: &mut Vec<Diagnostic>) {
    if ranged_word(kind, path) && node.table().is_some() {
        let checked = ranges::word_choices(node, path, &mut |word| {
            let mut found = Vec::new();
            // A table among the choices would be a range in a range.
            match word.table() {
                Some(_) => found.push(wrong_type(word, path, "a list of words", example(kind))),
                None => self::node(word, key, kind, path, &mut found),
            }
            found
        });
        if let Err(errors) = checked {
            out.extend(errors);
        }
        return;
    }
    match kind {
        Kind::Text | Kind::Path | Kind::Catalogue(_) => match node.text() {
            Some(text) if text.trim().is_empty() => out.push(
                Diagnostic::error("scenario::empty", format!("`{path}` is empty"))
                    .at(&node.place, "")
                    .help("write something between the quotes, or leave the key out"),
            ),
            Some(_) => {}
            None => out.push(wrong_type(node, path, "a string", example(kind))),
        },
        Kind::Rule => match &node.data {
            Data::Date(_) => {}
            Data::Integer(year) if (1900..=2200).contains(year) => {}
            Data::Text(text) if !text.trim().is_empty() => {}
            _ => out.push(wrong_type(
                node,
                path,
                "a date or the id of a rule set",
                "\"2022-10-07\"",
            )),
        },
        Kind::Date => {
            let ok = match &node.data {
                Data::Date(_) => true,
                Data::Integer(year) => (1900..=2200).contains(year),
                Data::Text(text) => Period::parse(text).is_ok(),
                _ => false,
            };
            if !ok {
                out.push(wrong_type(node, path, "a date that there is", "2024-12-26"));
            }
        }
        Kind::Bool => {
            if !matches!(node.data, Data::Bool(_)) {
                out.push(wrong_type(node, path, "true or false", "true"));
            }
        }
        Kind::Choice(choices) => match node.text() {
            Some(text) => {
                if !choices.iter().any(|c| c.name == text) {
                    out.push(unknown_word(text, node, path, choices));
                }
            }
            None => out.push(wrong_type(
                node,
                path,
                "one of these words",
                &format!("\"{}\"", choices.first().map_or("", |c| c.name)),
            )),
        },
        Kind::WordOrList(words, parts) => match &node.data {
            Data::Text(text) => {
                if !words.iter().any(|c| c.name == text) {
                    let mut d = unknown_word(text, node, path, words);
                    if parts.iter().any(|c| c.name == text) {
                        d.help = vec![format!(
                            "name single parts in a list: {path} = [\"{text}\"]"
                        )];
                    }
                    out.push(d);
                }
            }
            Data::List(list) => {
                let mut seen: Vec<&str> = Vec::new();
                for element in list {
                    match element.text() {
                        Some(text) if !parts.iter().any(|c| c.name == text) => {
                            out.push(unknown_word(text, element, path, parts));
                        }
                        Some(text) if seen.contains(&text) => out.push(
                            Diagnostic::error(
                                "scenario::duplicate",
                                format!("`{path}` names \"{text}\" twice"),
                            )
                            .at(&element.place, "the second time")
                            .help("remove one"),
                        ),
                        Some(text) => seen.push(text),
                        None => {
                            out.push(wrong_type(element, path, "a list of words", "[\"norm\"]"))
                        }
                    }
                }
            }
            _ => out.push(wrong_type(
                node,
                path,
                "a word or a list of words",
                "\"full\"",
            )),
        },
        Kind::Counts { max } => match node.list() {
            Some([]) => out.push(
                Diagnostic::error("scenario::empty", format!("`{path}` is an empty list"))
                    .at(&node.place, "")
                    .help("leave the key out to have the default"),
            ),
            Some(list) => {
                for element in list {
                    let kind = Kind::Count {
                        min: 0,
                        max,
                        none: false,
                    };
                    if let Err(errors) = amount::read(kind, element, path, false) {
                        out.extend(errors);
                    }
                }
            }
            None => out.push(wrong_type(
                node,
                path,
                "a list of whole numbers",
                "[4, 4, 4, 1]",
            )),
        },
        Kind::Texts => match node.list() {
            Some([]) => out.push(
                Diagnostic::error("scenario::empty", format!("`{path}` is an empty list"))
                    .at(&node.place, "")
                    .help("leave the key out where there is nothing to say"),
            ),
            Some(list) => {
                for element in list {
                    if element.text().is_none_or(|text| text.trim().is_empty()) {
                        out.push(wrong_type(element, path, "a sentence", "\"…\""));
                    }
                }
            }
            None => out.push(wrong_type(
                node,
                path,
                "a list of sentences",
                "[\"…\", \"…\"]",
            )),
        },
        Kind::WordOrQuantity { words, .. } => {
            let written = node.text().unwrap_or("");
            if words.iter().any(|word| word.name == written) {
                return;
            }
            if let Err(errors) = amount::read(kind, node, path, true) {
                let names: Vec<String> = words.iter().map(|w| format!("\"{}\"", w.name)).collect();
                let help = format!("or a word: {}", names.join(", "));
                // Only who wrote a word may have meant one.
                let word = written.starts_with(char::is_alphabetic);
                out.extend(errors.into_iter().map(|d| match word {
                    true => d.help(help.clone()),
                    false => d,
                }));
            }
        }
        Kind::Count { .. } | Kind::Number { .. } | Kind::Quantity { .. } => {
            if let Err(errors) = amount::read(kind, node, path, true) {
                out.extend(errors);
            }
        }
        Kind::Table(section) => match node.table() {
            Some(inner) => table(inner, section, path, out),
            None => out.push(wrong_type(
                node,
                path,
                "a table",
                &format!("[{path}] and its keys on the lines below"),
            )),
        },
        Kind::Tables(section) => match node.list() {
            Some(list) => {
                for element in list {
                    match element.table() {
                        Some(inner) => {
                            table(inner, section, path, out);
                            missing(inner, &element.place, section, out);
                            if matches!(section.key("value").map(|k| k.kind), Some(Kind::Stated)) {
                                out.extend(super::claim::check(inner, path));
                            }
                        }
                        None => out.push(wrong_type(
                            element,
                            path,
                            "a list of tables",
                            &format!("[[{path}]] and its keys on the lines below"),
                        )),
                    }
                }
            }
            None => out.push(
                wrong_type(
                    node,
                    path,
                    "a list of tables",
                    &format!("[[{path}]] with two brackets"),
                )
                .at(key, "this key may be given several times"),
            ),
        },
        // Checked where they are applied, and by the claim's quantity.
        Kind::Settings => {
            if node.table().is_none() {
                out.push(wrong_type(
                    node,
                    path,
                    "a table of paths and values",
                    "{ \"parallelism.tensor\" = 8 }",
                ));
            }
        }
        Kind::Stated | Kind::Values => {}
    }
}

/// Whether a value that is a word may be one of several: all settings, but not what a file says
/// about itself and others.
pub(super) fn ranged_word(kind: Kind, path: &str) -> bool {
    let first = path.split('.').next().unwrap_or("");
    matches!(kind, Kind::Choice(_) | Kind::Catalogue(_) | Kind::Bool)
        && !super::factors::NO_SETTINGS.contains(&first)
}

/// Reports the required keys that a table lacks.
pub(super) fn missing(table: &Table, place: &Place, section: &Section, out: &mut Vec<Diagnostic>) {
    for key in section.keys.iter().filter(|k| k.required) {
        if table.get(key.name).is_none() {
            out.push(missing_key(key, place, section));
        }
    }
}

/// A required key is not there.
pub(super) fn missing_key(key: &Key, place: &Place, section: &Section) -> Diagnostic {
    Diagnostic::error(
        "scenario::missing-key",
        format!("{} needs `{}`", section.title, key.name),
    )
    .at(place, format!("`{}` is missing here", key.name))
    .help(format!("{}: {}", key.name, key.doc))
}

/// A key that the section doesn't have.
pub(super) fn unknown_key(name: &str, place: &Place, section: &Section) -> Diagnostic {
    let mut d = Diagnostic::error(
        "scenario::unknown-key",
        if section.title.starts_with('[') {
            format!("unknown key `{name}` in {}", section.title)
        } else {
            format!("unknown key `{name}` at {}", section.title)
        },
    )
    .at(place, "not a key here");
    if section.keys.is_empty() {
        return d.help(section.doc.to_owned());
    }
    let names: Vec<&str> = section.keys.iter().map(|k| k.name).collect();
    let near = suggest(name, &names);
    if !near.is_empty() {
        d = d.help(did_you_mean(&near));
    } else if let Some(other) = elsewhere(name) {
        d = d.help(format!("`{name}` is a key of {other}"));
    } else {
        d = d.help(format!("keys of {}: {}", section.title, names.join(", ")));
    }
    d
}

/// The section that has a key of this name.
fn elsewhere(name: &str) -> Option<&'static str> {
    super::keys::ROOT.keys.iter().find_map(|k| match k.kind {
        Kind::Table(section) => section.key(name).map(|_| section.title),
        _ => None,
    })
}

fn unknown_word(text: &str, node: &Node, path: &str, choices: &[Choice]) -> Diagnostic {
    let names: Vec<&str> = choices.iter().map(|c| c.name).collect();
    let mut d = Diagnostic::error(
        "scenario::unknown-value",
        format!("`{path}` can't be \"{text}\""),
    )
    .at(&node.place, "not one of its values");
    let near = suggest(text, &names);
    if !near.is_empty() {
        d = d.help(did_you_mean(&near));
    }
    d.help(format!("values: {}", names.join(", ")))
}

/// A value of the wrong type.
pub(super) fn wrong_type(node: &Node, path: &str, wanted: &str, example: &str) -> Diagnostic {
    Diagnostic::error(
        "scenario::wrong-type",
        format!("`{path}` must be {wanted}, not {}", node.data.kind()),
    )
    .at(&node.place, node.data.kind())
    .help(format!("for example: {example}"))
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Path => "\"config.json\"",
        Kind::Catalogue("accelerators") => "\"h800-sxm\"",
        Kind::Catalogue("nodes") => "\"hgx-h800\"",
        Kind::Catalogue("models") => "\"deepseek-v3\"",
        Kind::Catalogue("software") => "\"deepseek-2024\"",
        Kind::Catalogue("reliability") => "\"llama3-h100\"",
        _ => "\"some text\"",
    }
}

/// Up to three names that are close to what was written, nearest first.
pub fn suggest<'a>(written: &str, names: &[&'a str]) -> Vec<&'a str> {
    let plain = |s: &str| -> String {
        s.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(written);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut scored: Vec<(usize, &str)> = names
        .iter()
        .filter_map(|name| {
            let candidate = plain(name);
            let distance = strsim::damerau_levenshtein(&wanted, &candidate);
            let longest = wanted.chars().count().max(candidate.chars().count());
            let long_enough = wanted.chars().count() >= 3;
            let near = distance * 3 <= longest || (distance == 1 && longest > 1);
            if long_enough && candidate.starts_with(&wanted) {
                // "h100" means an H100 of some kind, not a B100.
                Some((0, *name))
            } else if near {
                Some((distance, *name))
            } else if long_enough && (candidate.contains(&wanted) || wanted.contains(&candidate)) {
                Some((longest, *name))
            } else {
                None
            }
        })
        .collect();
    scored.sort();
    let best = scored.first().map_or(0, |(score, _)| *score);
    scored
        .into_iter()
        .take_while(|(score, _)| *score <= best + 1)
        .take(3)
        .map(|(_, name)| name)
        .collect()
}

/// "did you mean `a` or `b`?"
pub(super) fn did_you_mean(near: &[&str]) -> String {
    let quoted: Vec<String> = near.iter().map(|n| format!("`{n}`")).collect();
    format!("did you mean {}?", quoted.join(" or "))
}
