//! The catalogue: every fact that Strait calculates with, and where it comes from.
//!
//! In: the TOML files under `catalog/`, compiled into the program or read from a
//! folder. Out: typed values ([`Catalog::load`]) and facts with their sources
//! ([`Catalog::show`]). Never holds a number of its own, and never guesses an id.
//!
//! A file's folder is its kind and its stem its id: `catalog/accelerators/h800-sxm.toml`
//! is the accelerator `h800-sxm`. `catalog/README.md` describes the format.

mod facts;
mod hardware;
mod kept;
mod prices;
mod reliability;

pub use facts::{Confidence, Fact};
pub use hardware::{
    ACCELERATORS, ECONOMICS, EconomicsDefaults, FABRICS, Market, NODES, ROLLOUT, RolloutFacts,
};
pub use prices::{DevicePrices, POWER, PRICES, PowerProfile, Rent, ServerPrice, month};
pub use reliability::{Known, RELIABILITY, ReliabilityProfile};

use facts::Document;
use include_dir::{Dir, include_dir};
use kept::Kept;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../catalog");

/// The folder of measured tables: no kind of entry, since they calculate nothing by themselves.
const MEASUREMENTS: &str = "measurements";

/// The largest file that is read; the biggest of ours is a tenth of it.
const LARGEST_FILE: u64 = 1 << 20;

/// What can go wrong between an id and its value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// No such kind of entry.
    #[error("the catalogue has no kind \"{kind}\"; it has {}", known.join(", "))]
    UnknownKind {
        /// What was asked for.
        kind: String,
        /// All kinds.
        known: Vec<String>,
    },
    /// No such entry.
    #[error(
        "the catalogue has no \"{id}\" in {kind}{}; see `strait catalog list {kind}`",
        suggestion.as_ref().map(|s| format!(", did you mean \"{s}\"?")).unwrap_or_default()
    )]
    UnknownId {
        /// Kind.
        kind: String,
        /// What was asked for.
        id: String,
        /// The nearest id, if one is near.
        suggestion: Option<String>,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not text, or too long to be a catalogue file.
    #[error("{} is no catalogue file: {why}", path.display())]
    NotText {
        /// File.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Not TOML.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// A fact without provenance, or a value outside a fact.
    #[error("{file}:{line}: `{key}` {problem}")]
    Provenance {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Key path.
        key: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// An entry whose public figures do not suffice for what was asked.
    #[error("{id} in {kind} is listed for reference only: the catalogue lacks its {}", missing.join(", "))]
    Incomplete {
        /// Kind.
        kind: &'static str,
        /// Id.
        id: String,
        /// The facts it lacks.
        missing: Vec<&'static str>,
    },
    /// A value of the wrong type, or a missing one.
    #[error("{file}:{line}: {}{message}", if key.is_empty() { String::new() } else { format!("`{key}`: ") })]
    Value {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Key path; empty where the whole file is meant.
        key: String,
        /// What was wrong.
        message: String,
    },
}

/// One catalogue entry, for reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Kind, such as `accelerators`.
    pub kind: String,
    /// Id, such as `h800-sxm`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Maker, where there is one.
    pub vendor: Option<String>,
    /// What it is, where the name does not say.
    pub description: Option<String>,
    /// Its facts in the order of the file.
    pub facts: Vec<Fact>,
}

impl Entry {
    /// The fact at a key path such as `peaks.bf16`.
    pub fn fact(&self, key: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.key == key)
    }
}

/// All catalogue files, by kind and id.
#[derive(Clone, Debug)]
pub struct Catalog {
    kinds: BTreeMap<String, BTreeMap<String, Arc<Kept>>>,
    /// Of all texts, once asked for.
    digest: OnceLock<String>,
    /// Files of [`MEASUREMENTS`] by name.
    measurements: BTreeMap<String, String>,
    /// Whoever asks does not want to know where facts come from, and will not wait to be told.
    silent: bool,
}

impl Catalog {
    /// The same for who resolves a case many times: [`Catalog::tells_sources`] is false.
    #[must_use]
    pub fn without_sources(&self) -> Catalog {
        Catalog {
            silent: true,
            ..self.clone()
        }
    }

    /// Whether the sources of facts are to be looked up for the record of a case.
    pub fn tells_sources(&self) -> bool {
        !self.silent
    }

    /// The catalogue compiled into the program.
    pub fn embedded() -> Catalog {
        let mut kinds: BTreeMap<String, BTreeMap<String, Arc<Kept>>> = BTreeMap::new();
        let mut measurements = BTreeMap::new();
        for folder in EMBEDDED.dirs() {
            for file in folder.files() {
                if folder.path() == Path::new(MEASUREMENTS) {
                    if let (Some(name), Some(text)) = (name_of(file.path()), file.contents_utf8()) {
                        measurements.insert(name, text.to_owned());
                    }
                    continue;
                }
                if let (Some(kind), Some(id), Some(text)) = (
                    name_of(folder.path()),
                    id_of(file.path()),
                    file.contents_utf8(),
                ) {
                    let kept = Arc::new(Kept::new(text.to_owned()));
                    kinds.entry(kind).or_default().insert(id, kept);
                }
            }
        }
        Catalog {
            kinds,
            digest: OnceLock::new(),
            measurements,
            silent: false,
        }
    }

    /// A catalogue in a folder of the same shape; files are only read, not checked.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Read`] and [`CatalogError::NotText`].
    pub fn from_dir(root: &Path) -> Result<Catalog, CatalogError> {
        let mut kinds: BTreeMap<String, BTreeMap<String, Arc<Kept>>> = BTreeMap::new();
        let mut measurements = BTreeMap::new();
        for folder in entries(root)? {
            let Some(kind) = folder.is_dir().then(|| name_of(&folder)).flatten() else {
                continue;
            };
            for file in entries(&folder)? {
                if kind == MEASUREMENTS {
                    if let Some(name) = name_of(&file) {
                        measurements.insert(name, read(&file)?);
                    }
                    continue;
                }
                if let Some(id) = id_of(&file) {
                    kinds
                        .entry(kind.clone())
                        .or_default()
                        .insert(id, Arc::new(Kept::new(read(&file)?)));
                }
            }
        }
        Ok(Catalog {
            kinds,
            digest: OnceLock::new(),
            measurements,
            silent: false,
        })
    }

    /// A measured table, or the plan of their calibration, by file name.
    pub fn measurements(&self, name: &str) -> Option<&str> {
        self.measurements.get(name).map(String::as_str)
    }

    /// All kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// All ids of a kind, sorted.
    ///
    /// # Errors
    ///
    /// [`CatalogError::UnknownKind`].
    pub fn list(&self, kind: &str) -> Result<Vec<&str>, CatalogError> {
        Ok(self.of_kind(kind)?.keys().map(String::as_str).collect())
    }

    /// Whether an entry exists.
    pub fn contains(&self, kind: &str, id: &str) -> bool {
        self.kinds.get(kind).is_some_and(|ids| ids.contains_key(id))
    }

    /// The kinds that have an entry of this id, sorted.
    pub fn kinds_of(&self, id: &str) -> Vec<&str> {
        let having = self.kinds.iter().filter(|(_, ids)| ids.contains_key(id));
        having.map(|(kind, _)| kind.as_str()).collect()
    }

    /// The text of an entry's file.
    ///
    /// # Errors
    ///
    /// [`CatalogError::UnknownKind`], [`CatalogError::UnknownId`].
    pub fn text(&self, kind: &str, id: &str) -> Result<&str, CatalogError> {
        Ok(&self.kept(kind, id)?.text)
    }

    fn kept(&self, kind: &str, id: &str) -> Result<&Kept, CatalogError> {
        match self.of_kind(kind)?.get(id) {
            Some(kept) => Ok(kept),
            None => Err(CatalogError::UnknownId {
                kind: kind.to_owned(),
                id: id.to_owned(),
                suggestion: self.suggest(kind, id).map(str::to_owned),
            }),
        }
    }

    /// An entry's facts with their sources.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] but those of reading.
    pub fn show(&self, kind: &str, id: &str) -> Result<Entry, CatalogError> {
        Ok((*self.entry(kind, id)?).clone())
    }

    /// [`Catalog::show`] for who only looks.
    pub(crate) fn entry(&self, kind: &str, id: &str) -> Result<Arc<Entry>, CatalogError> {
        self.kept(kind, id)?.entry(|| {
            let document = self.document(kind, id)?;
            Ok(Entry {
                kind: kind.to_owned(),
                id: id.to_owned(),
                name: document.text("name").unwrap_or(id).to_owned(),
                vendor: document.text("vendor").map(str::to_owned),
                description: document.text("description").map(str::to_owned),
                facts: document.facts,
            })
        })
    }

    /// An entry as a typed value: serde sees the file with each fact replaced by its
    /// `value`, without `[sources]`, and with `id` filled in. A file is parsed once for each type.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] but those of reading; [`CatalogError::Value`] where a fact
    /// does not fit the type.
    pub fn load<T>(&self, kind: &str, id: &str) -> Result<T, CatalogError>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let kept = self.kept(kind, id)?;
        kept.value(|| self.document(kind, id)?.into_value(id))
    }

    /// The nearest id of a kind, if one is near enough to be meant.
    pub fn suggest(&self, kind: &str, id: &str) -> Option<&str> {
        let ids = self.kinds.get(kind)?.keys().map(String::as_str);
        nearest(id, ids)
    }

    /// SHA-256 over kinds, ids and contents in sorted order, in hexadecimal.
    pub fn digest(&self) -> String {
        self.digest.get_or_init(|| self.hashed()).clone()
    }

    fn hashed(&self) -> String {
        let mut hash = Sha256::new();
        for (kind, ids) in &self.kinds {
            for (id, kept) in ids {
                let text = &kept.text;
                // Lengths keep "ab"+"c" apart from "a"+"bc".
                for part in [kind, id, text] {
                    hash.update((part.len() as u64).to_le_bytes());
                    hash.update(part.as_bytes());
                }
            }
        }
        hexadecimal(hash.finalize().as_slice())
    }

    fn of_kind(&self, kind: &str) -> Result<&BTreeMap<String, Arc<Kept>>, CatalogError> {
        self.kinds
            .get(kind)
            .ok_or_else(|| CatalogError::UnknownKind {
                kind: kind.to_owned(),
                known: self.kinds.keys().cloned().collect(),
            })
    }

    fn document(&self, kind: &str, id: &str) -> Result<Document<'_>, CatalogError> {
        Document::read(format!("catalog/{kind}/{id}.toml"), self.text(kind, id)?)
    }
}

/// A profile or other entry in a file outside the catalogue, in its format, with the number of its
/// facts; `id` is filled in.
///
/// # Errors
///
/// Any [`CatalogError`] of contents; they name `file`.
pub fn load_text<T: DeserializeOwned>(
    file: &str,
    text: &str,
    id: &str,
) -> Result<(T, usize), CatalogError> {
    let document = Document::read(file.to_owned(), text)?;
    let facts = document.facts.len();
    Ok((document.into_value(id)?, facts))
}

/// An entry in a user's own file, in which any value may be written bare, without provenance; `id` is
/// filled in.
///
/// # Errors
///
/// Any [`CatalogError`] of contents; they name `file`.
pub fn load_bare<T: DeserializeOwned>(file: &str, text: &str, id: &str) -> Result<T, CatalogError> {
    Document::read_bare(file.to_owned(), text)?.into_value(id)
}

/// SHA-256 of a text in hexadecimal.
pub fn sha256(text: &str) -> String {
    hexadecimal(Sha256::digest(text.as_bytes()).as_slice())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The candidate most like `word`, if it is near enough to be a slip of it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // 0.75 lets two slips in eight letters pass and keeps h100 and b200 apart.
    const NEAR: f64 = 0.75;
    let lower = word.to_lowercase().replace('_', "-");
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        // An id that starts with the word ("h100" for "h100-sxm") is as good as a slip.
        let likeness = if !lower.is_empty() && candidate.starts_with(&lower) {
            0.99
        } else {
            strsim::jaro_winkler(&lower, candidate)
        };
        if likeness >= NEAR && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// The id of a catalogue file; `None` for anything else.
fn id_of(path: &Path) -> Option<String> {
    (path.extension()? == "toml")
        .then(|| path.file_stem()?.to_str().map(str::to_owned))
        .flatten()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let failed = |source| CatalogError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, CatalogError> {
    let failed = |source| CatalogError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > LARGEST_FILE {
        return Err(CatalogError::NotText {
            path: path.to_owned(),
            why: "it is larger than 1 MiB",
        });
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| CatalogError::NotText {
        path: path.to_owned(),
        why: "it is not UTF-8 text",
    })
}

#[cfg(test)]
mod hardware_tests;
#[cfg(test)]
mod tests;
