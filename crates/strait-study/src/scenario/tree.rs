//! TOML as a tree in which every value knows its file, its bytes, and how it got there.
//!
//! In: a source text. Out: a [`Table`] of spanned values, and every syntax error of the
//! text at once. Also merges a child over its parent and sets single paths. Never knows
//! what a key means.

use super::diagnostic::{Diagnostic, Place, Source};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// How a value came to be in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Written in a file.
    File,
    /// Set by a named case.
    Case(String),
    /// Set by `--set`.
    CommandLine,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A date or time, as written.
    Date(String),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

impl Data {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::Text(_) => "a string",
            Data::Integer(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Bool(_) => "true or false",
            Data::Date(_) => "a date",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Its bytes.
    pub place: Place,
    /// How it got there.
    pub via: Via,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub name: String,
    /// Where the key is written.
    pub key: Place,
    /// The value.
    pub node: Node,
}

/// Keys and values in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The entries; names are unique.
    pub entries: Vec<Entry>,
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }

    /// Replaces or appends.
    pub fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.name == entry.name) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }
}

impl Node {
    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.data {
            Data::Table(t) => Some(t),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(l) => Some(l),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The value as TOML would write it, on one line.
    pub fn print(&self) -> String {
        match &self.data {
            Data::Text(t) => format!("{t:?}"),
            Data::Integer(i) => i.to_string(),
            Data::Float(f) => f.to_string(),
            Data::Bool(b) => b.to_string(),
            Data::Date(d) => d.clone(),
            Data::List(l) => {
                let parts: Vec<String> = l.iter().map(Node::print).collect();
                format!("[{}]", parts.join(", "))
            }
            Data::Table(t) => {
                let parts: Vec<String> = t
                    .entries
                    .iter()
                    .map(|e| format!("{} = {}", e.name, e.node.print()))
                    .collect();
                format!("{{ {} }}", parts.join(", "))
            }
        }
    }

    /// Marks this value and all inside it.
    pub fn mark(&mut self, via: &Via) {
        self.via = via.clone();
        match &mut self.data {
            Data::List(l) => l.iter_mut().for_each(|n| n.mark(via)),
            Data::Table(t) => t.entries.iter_mut().for_each(|e| e.node.mark(via)),
            _ => {}
        }
    }
}

/// Parses a whole text. Where there are errors the table holds what could be read.
pub fn parse(source: &Arc<Source>) -> (Table, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let mut diagnostics: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(source.text.len()..source.text.len());
            let mut lines = error.message().lines();
            let first = lines.next().unwrap_or("not valid TOML").to_owned();
            let code = if first.contains("duplicate") {
                "scenario::duplicate-key"
            } else {
                "scenario::syntax"
            };
            let mut d = Diagnostic::error(code, format!("this is not valid TOML: {first}")).at(
                &Place {
                    source: source.clone(),
                    span,
                },
                "",
            );
            for line in lines {
                d = d.help(line.to_owned());
            }
            d
        })
        .collect();
    let table = convert_table(document.get_ref(), source, &mut diagnostics);
    (table, diagnostics)
}

/// Parses one TOML value; `None` if the text is not one.
pub fn parse_value(source: &Arc<Source>, offset: usize) -> Option<Node> {
    let text = source.text.get(offset..)?;
    let value = DeValue::parse(text).ok()?;
    let mut errors = Vec::new();
    let mut node = convert(value.get_ref(), 0..0, source, &mut errors);
    if !errors.is_empty() {
        return None;
    }
    // Spans inside are relative to the value's own text: the whole argument is shown instead.
    relocate(
        &mut node,
        &Place {
            source: source.clone(),
            span: offset..source.text.len(),
        },
    );
    Some(node)
}

fn relocate(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.data {
        Data::List(l) => l.iter_mut().for_each(|n| relocate(n, place)),
        Data::Table(t) => {
            for entry in &mut t.entries {
                entry.key = place.clone();
                relocate(&mut entry.node, place);
            }
        }
        _ => {}
    }
}

fn convert_table(table: &DeTable<'_>, source: &Arc<Source>, errors: &mut Vec<Diagnostic>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            name: key.get_ref().to_string(),
            key: Place {
                source: source.clone(),
                span: key.span(),
            },
            node: convert(value.get_ref(), value.span(), source, errors),
        })
        .collect();
    entries.sort_by_key(|e| e.key.span.start);
    Table { entries }
}

fn convert(
    value: &DeValue<'_>,
    span: std::ops::Range<usize>,
    source: &Arc<Source>,
    errors: &mut Vec<Diagnostic>,
) -> Node {
    let place = Place {
        source: source.clone(),
        span,
    };
    let data = match value {
        DeValue::String(s) => Data::Text(s.to_string()),
        DeValue::Integer(i) => {
            match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(i) => Data::Integer(i),
                Err(_) => {
                    errors.push(
                    Diagnostic::error("scenario::number", "this number is too large to read")
                        .at(&place, "more than 64 bits")
                        .help("write a quantity as a string with a unit, such as \"14.8 T tokens\""),
                );
                    Data::Integer(i64::MAX)
                }
            }
        }
        DeValue::Float(f) => match f.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Data::Float(number),
            _ => {
                errors.push(
                    Diagnostic::error("scenario::number", "this number is not finite")
                        .at(&place, "")
                        .help("write a plain number"),
                );
                Data::Float(0.0)
            }
        },
        DeValue::Boolean(b) => Data::Bool(*b),
        DeValue::Datetime(d) => Data::Date(d.to_string()),
        DeValue::Array(list) => Data::List(
            list.iter()
                .map(|v| convert(v.get_ref(), v.span(), source, errors))
                .collect(),
        ),
        DeValue::Table(table) => Data::Table(convert_table(table, source, errors)),
    };
    Node {
        data,
        place,
        via: Via::File,
    }
}
