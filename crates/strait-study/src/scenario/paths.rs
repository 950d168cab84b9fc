//! Setting single values by their path: cases and `--set`.
//!
//! In: a tree, a path such as `parallelism.tensor`, a value. Out: the changed tree, or why
//! the path does not exist. Phases are reached by name: `training.phase.main.global_batch`.

use super::check;
use super::diagnostic::{Diagnostic, Place};
use super::files;
use super::keys::{Key, Kind, ROOT, Section};
use super::tree::{Data, Entry, Node, Table, Via};

/// A setting to apply.
pub(super) struct Setting {
    /// Path.
    pub path: String,
    /// Where the path is written.
    pub key: Place,
    /// Value.
    pub node: Node,
}

/// Flattens the `set` table of a case: `{ "a.b" = 1 }` and `{ a.b = 1 }` are the same.
pub(super) fn flatten(table: &Table, prefix: &str, out: &mut Vec<Setting>) {
    for entry in &table.entries {
        let path = check::join(prefix, &entry.name);
        match (&entry.node.data, find(&path)) {
            (Data::Table(inner), Ok(Target::Section(_))) => flatten(inner, &path, out),
            _ => out.push(Setting {
                path,
                key: entry.key.clone(),
                node: entry.node.clone(),
            }),
        }
    }
}

/// What a path leads to.
pub(super) enum Target {
    Section(&'static Section),
    Key(&'static Key),
}

/// Follows a path through the key table; the segment that does not exist, and where.
pub(super) fn find(path: &str) -> Result<Target, (String, &'static Section)> {
    let mut section: &'static Section = &ROOT;
    let mut segments = path.split('.').peekable();
    while let Some(segment) = segments.next() {
        let key = section
            .key(segment)
            .ok_or_else(|| (segment.to_owned(), section))?;
        match key.kind {
            Kind::Table(inner) => {
                if segments.peek().is_none() {
                    return Ok(Target::Section(inner));
                }
                section = inner;
            }
            Kind::Tables(inner) => {
                // The next segment names one of the tables.
                if segments.next().is_none() {
                    return Ok(Target::Key(key));
                }
                if segments.peek().is_none() {
                    return Ok(Target::Section(inner));
                }
                section = inner;
            }
            _ => {
                return match segments.next() {
                    None => Ok(Target::Key(key)),
                    Some(rest) => Err((rest.to_owned(), section)),
                };
            }
        }
    }
    Ok(Target::Section(section))
}

/// The key that a path leads to, or why it leads to none.
pub(super) fn key(path: &str, place: &Place) -> Result<&'static Key, Diagnostic> {
    match find(path) {
        Ok(Target::Key(key)) => Ok(key),
        Ok(Target::Section(section)) => Err(Diagnostic::error(
            "scenario::unknown-path",
            format!("`{path}` is a whole section, not one value"),
        )
        .at(place, "of which of its keys?")
        .help(format!(
            "name one: {path}.{}",
            section.keys.first().map_or("key", |key| key.name)
        ))),
        Err((segment, section)) => Err(unknown(path, &segment, section, place)),
    }
}

/// Applies one setting.
pub(super) fn apply(table: &mut Table, setting: Setting, via: &Via) -> Vec<Diagnostic> {
    let Setting {
        path,
        key: place,
        mut node,
    } = setting;
    if path.is_empty() || ["case", "extends"].contains(&path.split('.').next().unwrap_or("")) {
        return vec![
            Diagnostic::error("scenario::unknown-path", format!("`{path}` can't be set"))
                .at(&place, "not a setting")
                .help("a path is a section and a key, such as parallelism.tensor"),
        ];
    }
    let target = match find(&path) {
        Ok(target) => target,
        Err((segment, section)) => return vec![unknown(&path, &segment, section, &place)],
    };
    node.mark(via);
    let mut errors = Vec::new();
    // A number out of range is there all the same, or what goes with it would seem to lack it. Its
    // fault is then found twice in the same words, which counts once; those of phases, which are
    // called by name here, would be told in others.
    let mut present = false;
    match target {
        Target::Key(key) => {
            let number = matches!(
                key.kind,
                Kind::Count { .. }
                    | Kind::Number { .. }
                    | Kind::Quantity { .. }
                    | Kind::WordOrQuantity { .. }
            );
            present = number && path.split('.').count() == 2;
            let entry = Entry {
                name: key.name.to_owned(),
                key: place.clone(),
                node: node.clone(),
            };
            check::entry(&entry, key, &path, &mut errors);
        }
        Target::Section(section) => match node.table() {
            Some(inner) => check::table(inner, section, &path, &mut errors),
            None => errors.push(check::wrong_type(
                &node,
                &path,
                "a table",
                &format!(
                    "{path}.{} = …",
                    section.keys.first().map_or("key", |k| k.name)
                ),
            )),
        },
    }
    if errors.is_empty() || present {
        let segments: Vec<&str> = path.split('.').collect();
        if let Err(d) = put(table, &ROOT, &segments, &path, &place, node) {
            errors.push(d);
        }
    }
    errors
}

fn put(
    table: &mut Table,
    section: &'static Section,
    segments: &[&str],
    path: &str,
    place: &Place,
    node: Node,
) -> Result<(), Diagnostic> {
    let Some((name, rest)) = segments.split_first() else {
        return Ok(());
    };
    let entry = |data: Node| Entry {
        name: (*name).to_owned(),
        key: place.clone(),
        node: data,
    };
    if rest.is_empty() {
        let mut over = Table::default();
        over.put(entry(node));
        files::merge(table, over, section);
        return Ok(());
    }
    match section.key(name).map(|k| k.kind) {
        Some(Kind::Table(inner)) => {
            if table.get(name).is_none() {
                table.put(entry(Node {
                    data: Data::Table(Table::default()),
                    place: place.clone(),
                    via: node.via.clone(),
                }));
            }
            match table.entries.iter_mut().find(|e| e.name == *name) {
                Some(Entry {
                    node:
                        Node {
                            data: Data::Table(inside),
                            ..
                        },
                    ..
                }) => put(inside, inner, rest, path, place, node),
                // A value of the wrong type was reported where it is written.
                _ => Ok(()),
            }
        }
        Some(Kind::Tables(inner)) => {
            let (wanted, rest) = match rest.split_first() {
                Some(pair) => pair,
                None => return Ok(()),
            };
            let mut names = Vec::new();
            let list = table.entries.iter_mut().find(|e| e.name == *name);
            if let Some(Entry {
                node:
                    Node {
                        data: Data::List(list),
                        ..
                    },
                ..
            }) = list
            {
                for element in list {
                    let Data::Table(inside) = &mut element.data else {
                        continue;
                    };
                    let called = inside
                        .get("name")
                        .and_then(|e| e.node.text())
                        .unwrap_or("")
                        .to_owned();
                    if called == **wanted {
                        return if rest.is_empty() {
                            if let Data::Table(over) = node.data {
                                files::merge(inside, over, inner);
                            }
                            Ok(())
                        } else {
                            put(inside, inner, rest, path, place, node)
                        };
                    }
                    names.push(called);
                }
            }
            let refs: Vec<&str> = names.iter().map(String::as_str).collect();
            let near = check::suggest(wanted, &refs);
            let mut d = Diagnostic::error(
                "scenario::unknown-path",
                format!("`{path}` does not exist: there is no {name} called `{wanted}`"),
            )
            .at(place, "no such name");
            if !near.is_empty() {
                d = d.help(check::did_you_mean(&near));
            } else if !names.is_empty() {
                d = d.help(format!("names: {}", names.join(", ")));
            }
            Err(d)
        }
        _ => Ok(()),
    }
}

/// Every path that can be set, in the order of the key table.
pub fn all_paths() -> Vec<String> {
    fn walk(section: &'static Section, prefix: &str, depth: usize, out: &mut Vec<String>) {
        for key in section.keys {
            let path = check::join(prefix, key.name);
            match key.kind {
                Kind::Table(inner) if depth < 3 => walk(inner, &path, depth + 1, out),
                Kind::Tables(_) | Kind::Table(_) => {}
                _ => out.push(path),
            }
        }
    }
    let mut out = Vec::new();
    walk(&ROOT, "", 0, &mut out);
    out.retain(|p| p != "extends");
    out
}

fn unknown(path: &str, segment: &str, section: &'static Section, place: &Place) -> Diagnostic {
    let mut d = Diagnostic::error(
        "scenario::unknown-path",
        format!(
            "`{path}` does not exist: {} has no `{segment}`",
            section.title
        ),
    )
    .at(place, "no such setting");
    let paths = all_paths();
    let refs: Vec<&str> = paths.iter().map(String::as_str).collect();
    // The right key without its section, or in the wrong one: `tensor`, `model.tensor`.
    let tail = path.rsplit('.').next().unwrap_or(path);
    let mut near: Vec<&str> = refs
        .iter()
        .copied()
        .filter(|p| p.rsplit('.').next() == Some(tail))
        .take(3)
        .collect();
    if near.is_empty() {
        near = check::suggest(path, &refs);
    }
    if near.is_empty() {
        let names: Vec<&str> = section.keys.iter().map(|k| k.name).collect();
        let near = check::suggest(segment, &names);
        if near.is_empty() {
            d = d.help(format!("{} has: {}", section.title, names.join(", ")));
        } else {
            d = d.help(check::did_you_mean(&near));
        }
    } else {
        d = d.help(check::did_you_mean(&near));
    }
    d
}
