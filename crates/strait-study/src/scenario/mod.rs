//! Scenario files: from text to cases.
//!
//! In: a TOML file, the files that it extends, named cases, `--set` overrides, and the
//! catalogue. Out: [`Loaded`], with one [`ResolvedCase`] for each case, in which every value
//! knows where it came from; or every fault of the files at once, as [`Diagnostic`]s.
//! Never simulates and never prints.
//!
//! The keys are in one table ([`keys`]), which drives the check of files, the reading of
//! values, the record of origins, and the JSON Schema ([`schema`]).

mod amount;
mod axes;
mod beside;
mod check;
pub mod claim;
pub mod diagnostic;
mod disturbances;
mod economics;
mod factors;
mod files;
mod fleet;
pub mod keys;
mod layout;
mod lines;
mod lookup;
mod model;
mod number;
mod ownership;
mod paths;
mod phases;
mod ranges;
mod read;
mod reinforcement;
mod reliability;
mod resolve;
mod rules;
pub mod schema;
mod software;
mod template;
mod tree;
mod unit;
pub mod words;

pub use amount::{Alternative, Shape};
pub(crate) use axes::TOLD;
pub use axes::{Axis, Mode, Point, Space, Values, between};
pub use check::suggest;
pub use claim::{Claim, Quantity, Relation};
pub use diagnostic::{Diagnostic, Label, Place, Severity, Source, Style, render_all};
pub use factors::Factor;
pub use files::{Shelf, shipped};
pub use fleet::{FleetPart, FleetPrice};
pub use keys::MAX_CASES;
pub use number::Number;
pub use paths::all_paths;
pub use read::{Explained, Origin, Range};
pub use template::{NamedText, Template};
pub use unit::{Dimension, figure, print};

use crate::catalog::Catalog;
use beside::Beside;
use read::Reader;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use strait_training::case::Case;
use tree::{Data, Node, Table, Via};

/// What the command line changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Paths and values (TOML; what isn't TOML is a string), applied last, in this order.
    pub set: Vec<(String, String)>,
    /// Names of the cases wanted; empty: all.
    pub cases: Vec<String>,
    /// The seed, over that of the file.
    pub seed: Option<u64>,
}

/// A file, read and resolved.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file, as the user gave it.
    pub path: String,
    /// Title; the file's stem where it has none.
    pub title: String,
    /// The question it answers; empty where it states none.
    pub question: String,
    /// What to know about it; empty where it says nothing.
    pub note: String,
    /// The cases in the order of the file.
    pub cases: Vec<ResolvedCase>,
    /// SHA-256 in hexadecimal over all texts that took part, the overrides, and the catalogue.
    pub digest: String,
    /// Every file that took part, the given one first.
    pub files: Vec<String>,
}

/// One case with the record of its values.
#[derive(Clone, Debug)]
pub struct ResolvedCase {
    /// What a simulation takes.
    pub case: Case,
    /// What to know about this case; empty where the file says nothing.
    pub note: String,
    /// Claims of the file and of the case.
    pub claims: Vec<Claim>,
    /// Expectations of the file and of the case.
    pub expects: Vec<Claim>,
    /// Every resolved value, defaults too, and where it came from.
    pub origins: Vec<Explained>,
    /// The values that were given as ranges.
    pub ranges: Vec<Range>,
    /// Accelerators that somebody is said to own.
    pub fleet: Vec<FleetPart>,
    /// What ranges move with.
    pub factors: Vec<Factor>,
    /// What to check before trusting a result.
    pub warnings: Vec<Diagnostic>,
    /// What it was resolved from, to resolve it again with other values of its ranges.
    written: Arc<Written>,
}

/// A case before it is resolved.
#[derive(Debug)]
struct Written {
    name: String,
    table: Table,
    /// The table with each range of words replaced by its likeliest word.
    settled: Table,
    top: Place,
    seed: Option<u64>,
    beside: Beside,
}

impl ResolvedCase {
    /// The case with values of its ranges, in their order, in place of their likeliest ones:
    /// numbers in the base unit of their keys, words by their place among the choices. The catalogue must be
    /// that which the case was loaded with.
    ///
    /// # Errors
    ///
    /// What contradicts these values.
    pub fn with(&self, catalog: &Catalog, values: &[f64]) -> Result<Case, Vec<Diagnostic>> {
        let mut reader = self.reader(values);
        let written = &self.written;
        let mut table = written.table.clone();
        factors::settle_words(&mut table, &mut reader);
        let case = resolve::case(
            &written.name,
            &table,
            &written.top,
            catalog,
            written.seed,
            &mut reader,
        );
        case.ok_or(reader.faults)
    }

    /// [`ResolvedCase::with`] where only prices and failures differ, many times faster: the step
    /// and all else is that of the case as it stands.
    ///
    /// # Errors
    ///
    /// What contradicts these values.
    pub fn priced(&self, catalog: &Catalog, values: &[f64]) -> Result<Case, Vec<Diagnostic>> {
        let mut reader = self.reader(values);
        let written = &self.written;
        let case = resolve::priced(
            &self.case,
            &written.settled,
            &written.top,
            catalog,
            &mut reader,
        );
        case.ok_or(reader.faults)
    }

    fn reader(&self, values: &[f64]) -> Reader {
        Reader {
            given: (self.ranges.iter().zip(values))
                .map(|(range, value)| (range.place.clone(), *value))
                .collect(),
            beside: self.written.beside.clone(),
            ..Reader::default()
        }
    }
}

/// Reads, checks and resolves a scenario file.
///
/// # Errors
///
/// Every fault of the file, of the files that it extends, and of the overrides, in the order
/// of places; warnings are among them only where there are errors too.
pub fn load(
    path: &Path,
    catalog: &Catalog,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Diagnostic>> {
    load_from(Shelf::Disk, path, catalog, overrides)
}

/// [`load`] of a file on disk or of one that the program carries.
///
/// # Errors
///
/// As [`load`].
pub fn load_from(
    shelf: Shelf,
    path: &Path,
    catalog: &Catalog,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Diagnostic>> {
    let document = files::read(path, shelf).map_err(|d| vec![d])?;
    let stem = path
        .file_stem()
        .map_or("scenario".to_owned(), |s| s.to_string_lossy().into_owned());
    of_document(&document, stem, path, catalog, overrides)
}

/// [`load`] of a text that is no file, such as one that was made from a published row. It extends
/// nothing; `name` stands for the file in messages and names its case.
///
/// # Errors
///
/// As [`load`].
pub fn load_text(
    name: &str,
    text: &str,
    catalog: &Catalog,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Diagnostic>> {
    let document = files::of_text(name, text);
    of_document(
        &document,
        name.to_owned(),
        Path::new(name),
        catalog,
        overrides,
    )
}

fn of_document(
    document: &files::Document,
    stem: String,
    path: &Path,
    catalog: &Catalog,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut faults = document.faults.clone();
    if document.broken {
        sort(&mut faults, &document.sources);
        return Err(faults);
    }
    let root = &document.table;
    let top = files::start(&document.source);

    let beside = Beside::default();

    let cases = named_cases(root, &stem, &mut faults);
    let wanted = wanted_cases(&cases, &overrides.cases, &document.source, &mut faults);

    let mut resolved = Vec::new();
    for named in cases.iter().filter(|c| wanted.contains(&c.name)) {
        let (case, mut found) = one_case(named, root, &top, catalog, overrides, &beside);
        faults.append(&mut found);
        resolved.extend(case);
    }
    let unique = once_each(faults, &document.sources);
    if unique.iter().any(|d| d.severity == Severity::Error) || resolved.is_empty() {
        return Err(unique);
    }
    let text = |key: &str| -> String {
        root.get(key)
            .and_then(|e| e.node.text())
            .unwrap_or("")
            .to_owned()
    };
    let title = text("title");
    Ok(Loaded {
        path: path.display().to_string(),
        title: if title.is_empty() { stem } else { title },
        question: text("question"),
        note: text("note"),
        cases: resolved,
        digest: digest(&document.sources, overrides, catalog),
        files: document.sources.iter().map(|s| s.name.clone()).collect(),
    })
}

/// Faults in the order of their places. What is wrong with the file is wrong in each of its cases,
/// and is told once.
fn once_each(faults: Vec<Diagnostic>, sources: &[Arc<Source>]) -> Vec<Diagnostic> {
    let mut unique: Vec<Diagnostic> = Vec::new();
    for fault in faults {
        let fault = fault.with_chain();
        let known = unique.iter().any(|u| {
            u.code == fault.code
                && u.message == fault.message
                && u.labels.first().map(|l| &l.place) == fault.labels.first().map(|l| &l.place)
        });
        if !known {
            unique.push(fault);
        }
    }
    sort(&mut unique, sources);
    unique
}

/// Sorts by file and place; what has no place comes first, the command line last.
fn sort(faults: &mut [Diagnostic], sources: &[Arc<Source>]) {
    faults.sort_by_key(|d| match d.labels.first() {
        None => (0, 0),
        Some(label) => {
            let file = sources
                .iter()
                .position(|s| Arc::ptr_eq(s, &label.place.source))
                .unwrap_or(sources.len());
            (file + 1, label.place.span.start)
        }
    });
}

/// A case as written.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    table: Option<Table>,
}

fn named_cases(root: &Table, stem: &str, faults: &mut Vec<Diagnostic>) -> Vec<Named> {
    let list = root
        .get("case")
        .and_then(|e| e.node.list())
        .unwrap_or_default();
    let mut cases: Vec<Named> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for node in list {
        let Some(table) = node.table() else { continue };
        let Some(entry) = table.get("name") else {
            continue;
        };
        let Some(name) = entry.node.text() else {
            continue;
        };
        if let Some(index) = cases.iter().position(|c| c.name == name) {
            let mut d = Diagnostic::error(
                "scenario::duplicate",
                format!("two cases are called \"{name}\""),
            )
            .at(&entry.node.place, "the second of this name");
            if let Some(first) = places.get(index) {
                d = d.at(first, "the first");
            }
            faults.push(d.help("give each case a name of its own"));
            continue;
        }
        places.push(entry.node.place.clone());
        cases.push(Named {
            name: name.to_owned(),
            table: Some(table.clone()),
        });
    }
    if list.is_empty() {
        cases.push(Named {
            name: stem.to_owned(),
            table: None,
        });
    }
    cases
}

fn wanted_cases(
    cases: &[Named],
    asked: &[String],
    source: &Arc<Source>,
    faults: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let names: Vec<&str> = cases.iter().map(|c| c.name.as_str()).collect();
    if asked.is_empty() {
        return names.into_iter().map(str::to_owned).collect();
    }
    for name in asked {
        if !names.contains(&name.as_str()) {
            let mut d = Diagnostic::error(
                "scenario::unknown-case",
                format!("{} has no case \"{name}\"", source.name),
            );
            let near = check::suggest(name, &names);
            if !near.is_empty() {
                d = d.help(check::did_you_mean(&near));
            }
            faults.push(d.help(format!("its cases: {}", names.join(", "))));
        }
    }
    asked.to_vec()
}

/// Applies the changes of a case and of the command line, and resolves.
fn one_case(
    named: &Named,
    root: &Table,
    top: &Place,
    catalog: &Catalog,
    overrides: &Overrides,
    beside: &Beside,
) -> (Option<ResolvedCase>, Vec<Diagnostic>) {
    let mut table = root.clone();
    let mut faults = Vec::new();
    let mut settings = Vec::new();
    let set = named.table.as_ref().and_then(|t| t.get("set"));
    if let Some(inner) = set.and_then(|e| e.node.table()) {
        paths::flatten(inner, "", &mut settings);
    }
    for setting in settings {
        faults.extend(paths::apply(
            &mut table,
            setting,
            &Via::Case(named.name.clone()),
        ));
    }
    for (path, value) in &overrides.set {
        faults.extend(paths::apply(
            &mut table,
            argument(path, value),
            &Via::CommandLine,
        ));
    }
    let mut reader = Reader {
        beside: beside.clone(),
        ..Reader::default()
    };
    let as_written = table.clone();
    factors::settle_words(&mut table, &mut reader);
    let root_scope = read::Scope {
        tables: vec![&table],
        place: top.clone(),
        section: &keys::ROOT,
        path: String::new(),
    };
    let factors = factors::read(&root_scope, &mut reader);
    let case = resolve::case(
        &named.name,
        &table,
        top,
        catalog,
        overrides.seed,
        &mut reader,
    );
    let root = read::Scope {
        tables: vec![&table],
        place: top.clone(),
        section: &keys::ROOT,
        path: String::new(),
    };
    let fleet = fleet::fleet(&root, catalog, &mut reader);
    let Reader {
        faults: mut found,
        explained,
        ranges,
        ..
    } = reader;
    found.extend(factors::compare(&factors, &ranges));
    let (errors, warnings): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|d| d.severity == Severity::Error);
    faults.extend(errors);
    let Some(case) = case else {
        faults.extend(warnings);
        return (None, faults);
    };
    let (claims, expects) = (
        stated(&table, named, "claim"),
        stated(&table, named, "expect"),
    );
    for claim in claims.iter().chain(&expects) {
        faults.extend(claim.unknown_phase(&case.training.phases));
    }
    let note = named
        .table
        .as_ref()
        .and_then(|t| t.get("note"))
        .and_then(|e| e.node.text())
        .unwrap_or("")
        .to_owned();
    let written = Written {
        name: named.name.clone(),
        table: as_written,
        settled: table.clone(),
        top: top.clone(),
        seed: overrides.seed,
        beside: beside.clone(),
    };
    let resolved = ResolvedCase {
        note,
        claims,
        expects,
        origins: with_counts(last_words(explained), &case.model),
        ranges,
        fleet,
        factors,
        warnings,
        case,
        written: Arc::new(written),
    };
    (Some(resolved), faults)
}

/// Claims or expectations of a file and of one of its cases.
fn stated(table: &Table, named: &Named, key: &str) -> Vec<Claim> {
    let of = |t: &Table| -> Vec<Claim> {
        t.get(key)
            .and_then(|e| e.node.list())
            .unwrap_or_default()
            .iter()
            .filter_map(claim::read)
            .collect()
    };
    let mut claims = of(table);
    claims.extend(named.table.as_ref().map(of).unwrap_or_default());
    claims
}

/// Keeps the last record of each path, in the order of first mention: an override follows
/// the catalogue's fact.
fn last_words(explained: Vec<Explained>) -> Vec<Explained> {
    let mut out: Vec<Explained> = Vec::new();
    for line in explained {
        match out.iter_mut().find(|e| e.path == line.path) {
            Some(old) => *old = line,
            None => out.push(line),
        }
    }
    out
}

/// A `--set` argument as a setting: TOML where it is TOML, else a string.
fn argument(path: &str, value: &str) -> paths::Setting {
    let source = Arc::new(Source::new(
        diagnostic::COMMAND_LINE.to_owned(),
        format!("{path}={value}"),
        None,
    ));
    let offset = path.len() + 1;
    let node = tree::parse_value(&source, offset).unwrap_or_else(|| Node {
        data: Data::Text(value.to_owned()),
        place: Place {
            source: source.clone(),
            span: offset..source.text.len(),
        },
        via: Via::CommandLine,
    });
    paths::Setting {
        path: path.to_owned(),
        key: Place {
            source,
            span: 0..path.len(),
        },
        node,
    }
}

fn digest(sources: &[Arc<Source>], overrides: &Overrides, catalog: &Catalog) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        // Lengths keep "ab" + "c" apart from "a" + "bc".
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for source in sources {
        part(&source.text);
    }
    for (path, value) in &overrides.set {
        part(path);
        part(value);
    }
    for name in &overrides.cases {
        part(name);
    }
    part(&overrides.seed.map_or(String::new(), |s| s.to_string()));
    part(&catalog.digest());
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Adds what follows from the model's architecture: its parameter counts, exact.
fn with_counts(
    mut origins: Vec<Explained>,
    model: &strait_training::model::Model,
) -> Vec<Explained> {
    let counts = model.parameters();
    let rule = "counted from the architecture";
    for (path, count, note) in [
        (
            "model.parameters",
            counts.total,
            "without multi-token prediction",
        ),
        (
            "model.parameters_active",
            counts.active,
            "for one token, without the embedding look-up",
        ),
    ] {
        origins.push(Explained {
            path: path.to_owned(),
            value: unit::grouped(count),
            origin: Origin::Default {
                rule: format!("{rule}, {note}"),
            },
            place: None,
        });
    }
    origins
}
