//! What an answer is about: the question, and every value that went in with where it came from.
//!
//! In: resolved cases. Out: an [`AboutDocument`], the part of an answer that a report needs besides
//! results. It follows from the scenario alone, so an answer's digest leaves it out.

use crate::catalog::{Catalog, Confidence, Entry};
use crate::scenario::{Origin, ResolvedCase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an answer is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AboutDocument {
    /// The command that gives the answer again.
    pub command: String,
    /// The scenario files, in the order of the command line.
    pub scenarios: Vec<ScenarioDocument>,
    /// The cases, in the order of the answer.
    pub cases: Vec<InputsDocument>,
}

/// A scenario file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioDocument {
    /// The file, as named on the command line.
    pub path: String,
    /// Title; the file's stem where it has none.
    pub title: String,
    /// The question that it answers; empty where it states none.
    pub question: String,
    /// What to know about it; empty where it says nothing.
    pub note: String,
    /// SHA-256 over all texts that took part, the overrides and the catalogue.
    pub digest: String,
}

/// What went into a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputsDocument {
    /// Name of the case.
    pub case: String,
    /// What to know about it; empty where the file says nothing.
    pub note: String,
    /// Every resolved value, defaults too.
    pub values: Vec<ValueDocument>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueOrigin {
    /// Written in a scenario file.
    File,
    /// Set by a named case.
    Case,
    /// Set on the command line.
    CommandLine,
    /// A fact of the catalogue.
    Catalogue,
    /// Worked out or assumed.
    Default,
}

/// A resolved value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValueDocument {
    /// Scenario path.
    pub path: String,
    /// The value with its unit.
    pub value: String,
    /// Where it comes from.
    pub origin: ValueOrigin,
    /// File and line, entry of the catalogue, or empty.
    pub place: String,
    /// Who says so, or by which rule it was worked out; empty where nothing is said.
    pub source: String,
    /// Of facts: A primary or measured, B consistent secondary, C single, D assumed.
    pub confidence: Option<String>,
    /// Why, in the words of the scenario; empty where it says nothing.
    pub why: String,
}

impl InputsDocument {
    /// What went into a resolved case.
    pub fn of(resolved: &ResolvedCase, catalog: &Catalog) -> InputsDocument {
        let mut entries: BTreeMap<String, Option<Entry>> = BTreeMap::new();
        let mut values = Vec::with_capacity(resolved.origins.len());
        for explained in &resolved.origins {
            let (origin, place, source) = match &explained.origin {
                Origin::File { file, line } => {
                    (ValueOrigin::File, format!("{file}:{line}"), String::new())
                }
                Origin::Case { case, file, line } => (
                    ValueOrigin::Case,
                    format!("case {case}, {file}:{line}"),
                    String::new(),
                ),
                Origin::CommandLine => (ValueOrigin::CommandLine, String::new(), String::new()),
                Origin::Catalogue { entry, source } => {
                    (ValueOrigin::Catalogue, entry.clone(), source.clone())
                }
                Origin::Default { rule } => (ValueOrigin::Default, String::new(), rule.clone()),
            };
            let confidence = match origin {
                ValueOrigin::Catalogue => {
                    let entry = entries.entry(place.clone()).or_insert_with(|| {
                        let (kind, id) = place.split_once('/')?;
                        catalog.show(kind, id).ok()
                    });
                    (entry.as_ref())
                        .and_then(|entry| confidence(entry, &explained.path, &source))
                        .map(|confidence| confidence.to_string())
                }
                _ => None,
            };
            let range = resolved.ranges.iter().find(|r| r.path == explained.path);
            values.push(ValueDocument {
                path: explained.path.clone(),
                value: explained.value.clone(),
                origin,
                place,
                source,
                confidence,
                why: range.map_or(String::new(), |range| range.why.clone()),
            });
        }
        InputsDocument {
            case: resolved.case.name.clone(),
            note: resolved.note.clone(),
            values,
        }
    }
}

/// The confidence of the fact that a path's value is: by its name, or where that differs the least of
/// all facts of the same source.
fn confidence(entry: &Entry, path: &str, source: &str) -> Option<Confidence> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let bare = |key: &str| key.replace(['.', '_'], "").replace("peaks", "peak");
    let named = (entry.facts.iter())
        .find(|fact| bare(&fact.key) == bare(name) || fact.key.ends_with(&format!(".{name}")));
    let of_source = (entry.facts.iter())
        .filter(|fact| !source.is_empty() && source.starts_with(&fact.source))
        .map(|fact| fact.confidence);
    (named.map(|fact| fact.confidence)).or_else(|| of_source.max())
}
