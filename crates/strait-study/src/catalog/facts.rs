//! One catalogue file: its facts with provenance, and its bare values.
//!
//! In: TOML text in which every leaf is a fact, a table
//! `{ value = …, source = …, date = …, confidence = "A" }`. Out: the list of facts,
//! and a tree in which each fact is its value, for serde. Never accepts a value whose
//! origin is not stated.

use super::CatalogError;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// How well a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The maker's or authors' own figure, or measured directly.
    A,
    /// Consistent secondary figures, derived from A by arithmetic, or a maker's figure
    /// not looked up again for the catalogue.
    B,
    /// A single secondary figure, or disputed.
    C,
    /// An estimate or an assumption.
    D,
}

impl std::fmt::Display for Confidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Confidence::A => "A",
            Confidence::B => "B",
            Confidence::C => "C",
            Confidence::D => "D",
        })
    }
}

/// A value with its provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Key path, such as `peaks.bf16`.
    pub key: String,
    /// The value as written (strings without quotes).
    pub value: String,
    /// Source, in full.
    pub source: String,
    /// Date of the source, or of what it describes.
    pub date: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// What the value rests on beyond its source, such as `visible rows` for a
    /// constant picked while looking at published training steps.
    pub basis: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// Line in the file, from 1.
    pub line: usize,
}

/// Keys that may hold bare text: they name the entry and calculate nothing.
const METADATA: [&str; 4] = ["id", "name", "vendor", "description"];

/// Keys of a fact.
const FACT_KEYS: [&str; 6] = ["value", "source", "date", "confidence", "basis", "note"];

/// A parsed and checked catalogue file.
pub(super) struct Document<'t> {
    pub(super) facts: Vec<Fact>,
    file: String,
    text: &'t str,
    /// Facts replaced by their values, `[sources]` gone.
    stripped: DeTable<'t>,
    whole: Range<usize>,
    /// Where each fact's value stands.
    spans: Vec<(Range<usize>, String)>,
}

impl<'t> Document<'t> {
    /// Parses and checks a file; `file` is its name for messages.
    pub(super) fn read(file: String, text: &'t str) -> Result<Document<'t>, CatalogError> {
        Document::parse(file, text, false)
    }

    /// As [`Document::read`], for a user's file, in which values may be bare.
    pub(super) fn read_bare(file: String, text: &'t str) -> Result<Document<'t>, CatalogError> {
        Document::parse(file, text, true)
    }

    fn parse(file: String, text: &'t str, bare: bool) -> Result<Document<'t>, CatalogError> {
        let parsed = DeTable::parse(text).map_err(|error| CatalogError::Syntax {
            line: line_of(text, error.span().map_or(0, |s| s.start)),
            file: file.clone(),
            message: error.message().to_owned(),
        })?;
        let whole = parsed.span();
        let mut root = parsed.into_inner();
        let mut reader = FactReader {
            file: &file,
            text,
            bare,
            sources: Vec::new(),
            facts: Vec::new(),
            spans: Vec::new(),
        };
        if let Some(sources) = root.remove("sources") {
            reader.read_sources(&sources)?;
        }
        reader.strip_table(&mut root, "")?;
        let FactReader {
            mut facts, spans, ..
        } = reader;
        facts.sort_by_key(|fact| fact.line);
        Ok(Document {
            facts,
            file,
            text,
            stripped: root,
            whole,
            spans,
        })
    }

    /// A top-level text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.stripped.get(key)?.get_ref().as_str()
    }

    /// The bare values as a typed one.
    pub(super) fn into_value<T: DeserializeOwned>(mut self, id: &str) -> Result<T, CatalogError> {
        let own_id = DeValue::String(Cow::Owned(id.to_owned()));
        let key = Spanned::new(0..0, Cow::Borrowed("id"));
        self.stripped.insert(key, Spanned::new(0..0, own_id));
        let root = Spanned::new(self.whole.clone(), DeValue::Table(self.stripped));
        T::deserialize(ValueDeserializer::from(root)).map_err(|error| {
            let span = error.span().unwrap_or(self.whole);
            let key = self
                .spans
                .iter()
                .find(|(fact, _)| fact.start <= span.start && span.end <= fact.end)
                .map(|(_, key)| key.clone());
            CatalogError::Value {
                line: line_of(self.text, span.start),
                file: self.file,
                key: key.unwrap_or_default(),
                message: error.message().to_owned(),
            }
        })
    }
}

struct FactReader<'a> {
    file: &'a str,
    text: &'a str,
    /// Values without provenance are accepted.
    bare: bool,
    sources: Vec<(String, String)>,
    facts: Vec<Fact>,
    spans: Vec<(Range<usize>, String)>,
}

impl FactReader<'_> {
    fn problem(&self, at: usize, key: &str, problem: impl Into<String>) -> CatalogError {
        CatalogError::Provenance {
            file: self.file.to_owned(),
            line: line_of(self.text, at),
            key: key.to_owned(),
            problem: problem.into(),
        }
    }

    fn read_sources(&mut self, sources: &Spanned<DeValue<'_>>) -> Result<(), CatalogError> {
        let start = sources.span().start;
        let Some(table) = sources.get_ref().as_table() else {
            return Err(self.problem(start, "sources", "must be a table of texts"));
        };
        for (key, value) in table {
            match value.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() => {
                    self.sources
                        .push((key.get_ref().to_string(), text.to_owned()));
                }
                _ => {
                    let path = format!("sources.{}", key.get_ref());
                    return Err(self.problem(value.span().start, &path, "must be a text"));
                }
            }
        }
        Ok(())
    }

    /// Replaces the facts in a table by their values.
    fn strip_table(&mut self, table: &mut DeTable<'_>, path: &str) -> Result<(), CatalogError> {
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            let here = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            if METADATA.contains(&name) && value.get_ref().is_str() {
                continue;
            }
            self.strip(value, key.span().start, &here)?;
        }
        Ok(())
    }

    fn strip(
        &mut self,
        value: &mut Spanned<DeValue<'_>>,
        at: usize,
        path: &str,
    ) -> Result<(), CatalogError> {
        match value.get_mut() {
            DeValue::Table(table) if table.contains_key("value") => {
                let inner = self.read_fact(table, at, path)?;
                self.spans.push((inner.span(), path.to_owned()));
                *value = inner;
                Ok(())
            }
            DeValue::Table(table) => self.strip_table(table, path),
            DeValue::Array(items) if items.iter().all(|i| i.get_ref().is_table()) => {
                for (i, item) in items.iter_mut().enumerate() {
                    let start = item.span().start;
                    self.strip(item, start, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            _ if self.bare => {
                self.spans.push((value.span(), path.to_owned()));
                Ok(())
            }
            _ => Err(self.problem(
                at,
                path,
                "is a value without provenance; write { value = …, source = …, date = …, confidence = \"A\" }",
            )),
        }
    }

    fn read_fact<'t>(
        &mut self,
        table: &mut DeTable<'t>,
        at: usize,
        path: &str,
    ) -> Result<Spanned<DeValue<'t>>, CatalogError> {
        if let Some(odd) = table
            .keys()
            .find(|k| !FACT_KEYS.contains(&k.get_ref().as_ref()))
        {
            let list = FACT_KEYS.join(", ");
            return Err(self.problem(
                odd.span().start,
                path,
                format!(
                    "has the unknown part \"{}\"; a fact has {list}",
                    odd.get_ref()
                ),
            ));
        }
        let part = |name: &str| -> Result<Option<String>, CatalogError> {
            match table.get(name).map(|v| v.get_ref().as_str()) {
                None => Ok(None),
                Some(Some(text)) if !text.trim().is_empty() => Ok(Some(text.to_owned())),
                Some(_) => Err(self.problem(at, path, format!("needs a text as its {name}"))),
            }
        };
        let needed = |name: &str| -> Result<String, CatalogError> {
            part(name)?.ok_or_else(|| self.problem(at, path, format!("has no {name}")))
        };
        let named = needed("source")?;
        let source = match self.sources.iter().find(|(key, _)| *key == named) {
            Some((_, full)) => full.clone(),
            // One word is a key, and this one has no entry.
            None if !named.contains([' ', '/', '.']) => {
                let problem = format!("names the source \"{named}\", which [sources] lacks");
                return Err(self.problem(at, path, problem));
            }
            None => named,
        };
        let confidence = match needed("confidence")?.as_str() {
            "A" => Confidence::A,
            "B" => Confidence::B,
            "C" => Confidence::C,
            "D" => Confidence::D,
            other => {
                let problem = format!("has the confidence \"{other}\"; it is A, B, C or D");
                return Err(self.problem(at, path, problem));
            }
        };
        let date = needed("date")?;
        if !date.starts_with(|c: char| c.is_ascii_digit()) || date.len() < 4 {
            return Err(self.problem(at, path, "needs a date that starts with its year"));
        }
        let (basis, note) = (part("basis")?, part("note")?);
        let Some(value) = table.remove("value") else {
            return Err(self.problem(at, path, "has no value"));
        };
        self.facts.push(Fact {
            key: path.to_owned(),
            value: plain(value.get_ref()),
            source,
            date,
            confidence,
            basis,
            note,
            line: line_of(self.text, at),
        });
        Ok(value)
    }
}

/// Line of an offset, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}

/// A value as one line of text.
fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| plain(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let items: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{} = {}", key.get_ref(), plain(value.get_ref())))
                .collect();
            format!("{{ {} }}", items.join(", "))
        }
    }
}
