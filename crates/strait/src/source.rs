//! The seam to scenario files and the catalogue.
//!
//! In: paths and overrides from the command line. Out: cases with their claims, or
//! diagnostics rendered for the terminal. Never simulates.

use crate::cli::{CatalogCommand, ScenarioArgs};
use crate::exit::Failure;
use crate::terminal::Terminal;
use std::path::Path;
use strait_study::catalog::{Catalog, CatalogError, Entry};
use strait_study::verdict::{Claim, Expect};
use strait_training::case::Case;

/// A case as read from a file.
pub struct SourceCase {
    /// What to simulate.
    pub case: Case,
    /// Published figures to compare with.
    pub claims: Vec<Claim>,
    /// Checks that the file asks for.
    pub expects: Vec<Expect>,
    /// What to check before trusting the answer.
    pub warnings: Vec<String>,
}

/// A scenario as read from a file.
pub struct Source {
    /// Cases in the order of the file or of `--case`.
    pub cases: Vec<SourceCase>,
}

/// Loads one scenario. All errors of the file are reported at once.
pub fn load(path: &Path, _args: &ScenarioArgs) -> Result<Source, Failure> {
    read(path)?;
    Err(Failure::Unexpected(
        "scenarios can't be loaded yet".to_owned(),
    ))
}

/// Every resolved value of a scenario with its origin.
pub fn explain(path: &Path, _args: &ScenarioArgs, _json: bool) -> Result<String, Failure> {
    read(path)?;
    Err(Failure::Unexpected(
        "scenarios can't be explained yet".to_owned(),
    ))
}

/// JSON Schema of scenario files.
pub fn schema() -> Result<String, Failure> {
    Err(Failure::Unexpected(
        "scenarios have no schema yet".to_owned(),
    ))
}

/// What the catalogue lists or shows.
pub fn catalog(command: &CatalogCommand, json: bool) -> Result<String, Failure> {
    let catalog = Catalog::embedded();
    match command {
        CatalogCommand::List { kind } => list(&catalog, kind.as_deref(), json),
        CatalogCommand::Show { id } => show(&catalog, id, json),
    }
}

/// What is wrong with an id or a kind.
fn wrong(error: &CatalogError) -> Failure {
    Failure::Input(format!("{}: {error}", Terminal::error("error[catalog]")))
}

fn list(catalog: &Catalog, kind: Option<&str>, json: bool) -> Result<String, Failure> {
    let kinds: Vec<&str> = match kind {
        Some(kind) => vec![kind],
        None => catalog.kinds().collect(),
    };
    let mut text = String::new();
    let mut object = serde_json::Map::new();
    for kind in kinds {
        let ids = catalog.list(kind).map_err(|e| wrong(&e))?;
        text += &format!("{kind}\n");
        for id in &ids {
            let entry = catalog.show(kind, id).map_err(|e| wrong(&e))?;
            let line = format!("  {id:24}  {}", entry.name);
            text += line.trim_end();
            text.push('\n');
        }
        object.insert(kind.to_owned(), serde_json::json!(ids));
    }
    Ok(if json { pretty(&object.into()) } else { text })
}

/// Shows the entries of an id, which may be of several kinds; `KIND/ID` is one of them.
fn show(catalog: &Catalog, id: &str, json: bool) -> Result<String, Failure> {
    let (kinds, id) = match id.split_once('/') {
        Some((kind, id)) => (vec![kind], id),
        None => (catalog.kinds_of(id), id),
    };
    if kinds.is_empty() {
        return Err(unknown(catalog, id));
    }
    let mut texts = Vec::new();
    let mut objects = Vec::new();
    for kind in kinds {
        let entry = catalog.show(kind, id).map_err(|e| wrong(&e))?;
        texts.push(entry_text(&entry));
        objects.push(entry_object(&entry));
    }
    Ok(if json {
        pretty(&objects.into())
    } else {
        texts.join("\n")
    })
}

/// No entry of any kind has this id.
fn unknown(catalog: &Catalog, id: &str) -> Failure {
    let ids: Vec<&str> = (catalog.kinds())
        .filter_map(|kind| catalog.suggest(kind, id))
        .collect();
    let help = if ids.is_empty() {
        "see `strait catalog list`".to_owned()
    } else {
        format!("did you mean {}?", ids.join(" or "))
    };
    Failure::Input(format!(
        "{}: the catalogue has no \"{id}\"\n  = help: {help}",
        Terminal::error("error[catalog]")
    ))
}

fn entry_text(entry: &Entry) -> String {
    let mut text = format!("{}/{}   {}", entry.kind, entry.id, entry.name);
    if let Some(vendor) = &entry.vendor {
        text += &format!(", {vendor}");
    }
    text.push('\n');
    if let Some(description) = &entry.description {
        text += &format!("  {description}\n");
    }
    let key = entry.facts.iter().map(|f| f.key.len()).max().unwrap_or(0);
    let value = (entry.facts.iter())
        .map(|f| f.value.chars().count())
        .max()
        .unwrap_or(0)
        .min(24);
    for fact in &entry.facts {
        text += &format!(
            "  {:key$}  {:value$}  {} {}  {}",
            fact.key, fact.value, fact.confidence, fact.date, fact.source
        );
        for (what, remark) in [("basis", &fact.basis), ("note", &fact.note)] {
            if let Some(remark) = remark {
                text += &format!("; {what}: {remark}");
            }
        }
        text.push('\n');
    }
    text + "  Confidence: A primary or measured, B consistent secondary, C single, D assumed.\n"
}

fn entry_object(entry: &Entry) -> serde_json::Value {
    let facts: Vec<serde_json::Value> = (entry.facts.iter())
        .map(|fact| {
            serde_json::json!({
                "key": fact.key,
                "value": fact.value,
                "source": fact.source,
                "date": fact.date,
                "confidence": fact.confidence.to_string(),
                "basis": fact.basis,
                "note": fact.note,
            })
        })
        .collect();
    serde_json::json!({
        "kind": entry.kind,
        "id": entry.id,
        "name": entry.name,
        "vendor": entry.vendor,
        "description": entry.description,
        "facts": facts,
    })
}

/// An object as indented text.
fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::Input(format!(
            "{}: can't read `{}`: {error}",
            Terminal::error("error[scenario::unreadable]"),
            path.display()
        ))
    })
}
