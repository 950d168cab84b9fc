//! A job as a published row describes it: settings, what was assumed, what is still open.
//!
//! In: settings one by one. Out: a [`Draft`] and its text as a scenario. Never decides a setting.

use super::facts::{Known, MissingRecompute};
use super::rows::Row;
use super::words;
use std::collections::BTreeMap;
use toml::Value;

/// Why a row cannot be expressed.
pub(super) type Refusal = String;

/// A job as a row describes it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Family in the report.
    pub family: String,
    /// Mixture of experts.
    pub moe: bool,
    /// Layers, printed or of the model that is named.
    pub(super) layers: Option<u32>,
    /// What the rules know.
    pub known: Known,
    /// Scenario settings by path.
    pub set: BTreeMap<String, Value>,
    /// What was assumed, in words.
    pub assumed: Vec<String>,
    /// What is still to be chosen.
    pub open: Open,
}

/// What a row leaves open.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Sizes of a micro-batch to choose from.
    pub micro_batch: Vec<u32>,
    /// Numbers of virtual stages to choose from, the rule's choice first.
    pub virtual_stages: Vec<u32>,
    /// Tensor-parallel degrees to choose from.
    pub tensor: Vec<u32>,
    /// Pipeline degrees to choose from.
    pub pipeline: Vec<u32>,
    /// The rule for recomputation.
    pub recompute: Option<MissingRecompute>,
    /// The batch was not printed: micro-batches of a pipeline for each of its ranks.
    pub batch: bool,
}

impl Draft {
    pub(super) fn put(&mut self, path: &str, value: impl Into<Value>) {
        self.set.insert(path.to_owned(), value.into());
    }

    pub(super) fn count(&mut self, path: &str, value: u32) {
        self.put(path, i64::from(value));
    }

    pub(super) fn assume(&mut self, words: impl Into<String>) {
        let words = words.into();
        if !self.assumed.contains(&words) {
            self.assumed.push(words);
        }
    }

    /// A setting as a whole number.
    pub fn number(&self, path: &str) -> Option<u32> {
        let value = self.set.get(path)?.as_integer()?;
        u32::try_from(value).ok()
    }

    /// The scenario's text.
    pub fn text(&self, row: &Row) -> String {
        let mut sections: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
        for (path, value) in &self.set {
            let (section, key) = path.split_once('.').unwrap_or(("", path));
            sections.entry(section).or_default().push((key, value));
        }
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        let title = format!(
            "{}: {} on {} {}",
            row.id(),
            row.get("model"),
            row.get("gpus"),
            row.get("gpu")
        );
        let mut out = format!("title = {}\n", quoted(&title));
        let source = format!("{} {}", row.get("source"), row.get("url_or_repo_path"));
        if !source.trim().is_empty() {
            out += &format!("note = {}\n", quoted(source.trim()));
        }
        for assumption in &self.assumed {
            out += &format!("# assumed: {}\n", assumption.replace('\n', " "));
        }
        for (section, keys) in sections {
            out += &format!("\n[{section}]\n");
            for (key, value) in keys {
                out += &format!("{key} = {value}\n");
            }
        }
        out
    }
}

/// A column as a count, `None` where it says nothing.
pub(super) fn count(row: &Row, column: &str) -> Result<Option<u32>, Refusal> {
    // "8K" tokens are 8,192; "128K" of anything else are 128,000.
    let thousand = if column == "seq_len" { 1024 } else { 1000 };
    if column == "global_batch_seqs" && row.says(column, "token") {
        return Err(format!(
            "global_batch_seqs is \"{}\": a count of sequences is needed",
            row.get(column)
        ));
    }
    words::count(row.get(column), thousand).map_err(|_| unreadable(row, column))
}

/// What is wrong with a column that should be a count.
pub(super) fn unreadable(row: &Row, column: &str) -> Refusal {
    let text: String = row.get(column).chars().take(60).collect();
    format!("{column} is \"{text}\", which is no whole number above 0 (and below 10^9)")
}
