//! The ledger of claims: who said what, and what the simulation makes of it.
//!
//! In: scenarios whose claims carry ids, from disk or from the program. Out: [`LedgerEntry`]s in which
//! every claim has a verdict with its reasons. Never decides by the claim's author, and never
//! prints.
//!
//! A claim that the simulation cannot decide is not left out: it stands with what would have to be
//! known.

mod document;
mod judge;
mod page;
mod text;

pub use document::{LedgerDocument, LedgerEntry};
pub use page::page;
pub use text::text;

use crate::answer::Setting;
use crate::catalog::Catalog;
use crate::scenario::{
    self, Diagnostic, Loaded, Overrides, ResolvedCase, Shelf, Style, render_all, suggest,
};
use crate::verdict::{Claim, UnknownQuantity};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use strait_training::simulate::{Control, SimulateError};

/// Folder of the shipped ledger.
pub const FOLDER: &str = "scenarios/claims";

/// Most files of one ledger.
const MOST_FILES: usize = 1000;

/// Where the files of a ledger stand, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// On disk or in the program.
    pub shelf: Shelf,
    /// What it is called in answers.
    pub name: String,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A path can't be listed.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without scenarios.
    #[error("{path} has no scenario in it (a file that ends in .toml)")]
    Empty {
        /// The folder.
        path: String,
    },
    /// More files than anybody reads.
    #[error("{path} has more than {MOST_FILES} scenarios in it")]
    TooMany {
        /// The folder.
        path: String,
    },
    /// Faults of the files.
    #[error("the ledger has faults")]
    Faults(Vec<Diagnostic>),
    /// Two claims have one id.
    #[error(
        "two claims are called \"{id}\": in {first} and in {second}; give each an `id` of its own"
    )]
    Duplicate {
        /// The id.
        id: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// No claim is called so.
    #[error("no claim has an id, an author or a title with \"{text}\" in it{}", hint(.near))]
    Unknown {
        /// What was asked for.
        text: String,
        /// Ids that are near.
        near: Vec<String>,
    },
    /// A claim about nothing that is known.
    #[error(transparent)]
    Quantity(#[from] UnknownQuantity),
    /// Settings of a case contradict each other.
    #[error("{path}, case \"{case}\": {source}")]
    Simulate {
        /// The file.
        path: String,
        /// The case.
        case: String,
        /// Why.
        source: SimulateError,
    },
    /// Values of ranges contradict each other, or a run at them has no answer.
    #[error("{path}, case \"{case}\": {source}")]
    Draw {
        /// The file.
        path: String,
        /// The case.
        case: String,
        /// Why.
        source: Box<crate::chance::ChanceError>,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

fn hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(", ")),
    }
}

/// The files of the ledger that a user means: these paths (files, or folders of them); without
/// any, the folder of the current directory where there is one, else the program's own.
///
/// # Errors
///
/// A path that can't be listed, or a folder without scenarios.
pub fn find(paths: &[PathBuf]) -> Result<Shelved, LedgerError> {
    if paths.is_empty() && !Path::new(FOLDER).is_dir() {
        return Ok(Shelved {
            shelf: Shelf::Shipped,
            name: format!("{FOLDER} of the program"),
            files: scenario::shipped(FOLDER),
        });
    }
    let own = [PathBuf::from(FOLDER)];
    let paths = if paths.is_empty() { &own } else { paths };
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    Ok(Shelved {
        shelf: Shelf::Disk,
        name: names.join(" "),
        files,
    })
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let name = path.display().to_string();
    let unreadable = |source| LedgerError::Unreadable {
        path: name.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            files.push(file);
        }
        if files.len() > MOST_FILES {
            return Err(LedgerError::TooMany { path: name });
        }
    }
    if files.is_empty() {
        return Err(LedgerError::Empty { path: name });
    }
    files.sort();
    Ok(files)
}

/// A case with the claims about it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The file.
    pub path: String,
    /// Title of the file.
    pub title: String,
    /// The file, read: its draws are made from it.
    pub loaded: Loaded,
    /// Which of its cases.
    pub index: usize,
    /// What answers name of the case.
    pub setting: Setting,
    /// Claims as the file has them, and as they are judged.
    pub claims: Vec<(scenario::Claim, Claim)>,
}

impl Book {
    /// The case.
    pub fn case(&self) -> &ResolvedCase {
        &self.loaded.cases[self.index]
    }
}

/// Reads the files of a ledger; all faults of all files at once.
///
/// # Errors
///
/// Faults of files, ids that occur twice, and texts of `only` that no claim has.
pub fn load(
    shelved: &Shelved,
    catalog: &Catalog,
    overrides: &Overrides,
    only: &[String],
) -> Result<Vec<Book>, LedgerError> {
    let mut books: Vec<Book> = Vec::new();
    let mut faults = Vec::new();
    for path in &shelved.files {
        match scenario::load_from(shelved.shelf, path, catalog, overrides) {
            Ok(loaded) => {
                for (index, case) in loaded.cases.iter().enumerate() {
                    let claims = (case.claims.iter())
                        .map(|claim| Ok((claim.clone(), Claim::of(claim)?)))
                        .collect::<Result<Vec<_>, UnknownQuantity>>()?;
                    books.push(Book {
                        path: path.display().to_string(),
                        title: loaded.title.clone(),
                        index,
                        setting: Setting::of(case),
                        claims,
                        loaded: loaded.clone(),
                    });
                }
            }
            Err(found) => {
                // What was not asked about may be at odds with what was changed.
                let plain = Overrides::default();
                let unasked = !only.is_empty()
                    && scenario::load_from(shelved.shelf, path, catalog, &plain)
                        .is_ok_and(|loaded| !asked(&loaded, only));
                if !unasked {
                    faults.extend(found);
                }
            }
        }
    }
    if !faults.is_empty() {
        // What is wrong on the command line is wrong in every file.
        let mut told = BTreeSet::new();
        faults.retain(|fault| told.insert(render_all(std::slice::from_ref(fault), Style::Plain)));
        return Err(LedgerError::Faults(faults));
    }
    name(&mut books);
    unique(&books)?;
    chosen(books, only)
}

/// Any of these words is in the title of a file, or in the id or the author of one of its claims.
fn asked(loaded: &Loaded, only: &[String]) -> bool {
    only.iter().any(|word| {
        holds(&loaded.title, word)
            || (loaded.cases.iter().flat_map(|case| &case.claims))
                .any(|claim| holds(&claim.id, word) || holds(&claim.who, word))
    })
}

fn holds(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

/// Gives claims without an id one: what they are of, then of which case and file, then a number.
fn name(books: &mut [Book]) {
    let mut taken: BTreeSet<String> = (books.iter().flat_map(|book| &book.claims))
        .filter(|(claim, _)| claim.named)
        .map(|(claim, _)| claim.id.clone())
        .collect();
    for book in books {
        let (case, path) = (book.case().case.name.clone(), book.path.clone());
        for (claim, _) in book.claims.iter_mut().filter(|(claim, _)| !claim.named) {
            let short = match &claim.phase {
                Some(phase) => format!("{}-{phase}", claim.id),
                None => claim.id.clone(),
            };
            let tries = [
                short.clone(),
                format!("{case}/{short}"),
                format!("{path}/{case}/{short}"),
            ];
            let many = (2..).map(|number| format!("{path}/{case}/{short} #{number}"));
            let free = tries.into_iter().chain(many).find(|id| !taken.contains(id));
            claim.id = free.unwrap_or(short);
            taken.insert(claim.id.clone());
        }
    }
}

/// Ids name claims, so no two have one.
fn unique(books: &[Book]) -> Result<(), LedgerError> {
    let all: Vec<(&str, &str)> = (books.iter())
        .flat_map(|book| (book.claims.iter()).map(|(c, _)| (c.id.as_str(), book.path.as_str())))
        .collect();
    for (index, (id, second)) in all.iter().enumerate() {
        if let Some((_, first)) = all[..index].iter().find(|(other, _)| other == id) {
            return Err(LedgerError::Duplicate {
                id: (*id).to_owned(),
                first: (*first).to_owned(),
                second: (*second).to_owned(),
            });
        }
    }
    Ok(())
}

/// Keeps the claims that are asked for; books without any are left out.
fn chosen(mut books: Vec<Book>, only: &[String]) -> Result<Vec<Book>, LedgerError> {
    let ids: Vec<String> = (books.iter())
        .flat_map(|book| book.claims.iter().map(|(claim, _)| claim.id.clone()))
        .collect();
    for word in only {
        let known = books.iter().any(|book| {
            holds(&book.title, word)
                || (book.claims.iter()).any(|(c, _)| holds(&c.id, word) || holds(&c.who, word))
        });
        if !known {
            let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
            return Err(LedgerError::Unknown {
                text: word.clone(),
                near: suggest(word, &refs)
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            });
        }
    }
    for book in &mut books {
        let title = book.title.clone();
        book.claims.retain(|(claim, _)| {
            only.is_empty()
                || (only.iter()).any(|word| {
                    holds(&title, word) || holds(&claim.id, word) || holds(&claim.who, word)
                })
        });
    }
    books.retain(|book| !book.claims.is_empty());
    Ok(books)
}

/// How a ledger is judged.
#[derive(Clone, Copy)]
pub struct Effort<'a> {
    /// Draws for each case.
    pub draws: u32,
    /// How the simulation is watched and stopped.
    pub control: Control<'a>,
}

/// Judges every claim of every book, in order.
///
/// # Errors
///
/// Contradictions between settings, or that the caller asked to stop.
pub fn judge(
    books: &[Book],
    catalog: &Catalog,
    effort: Effort<'_>,
) -> Result<Vec<LedgerEntry>, LedgerError> {
    judge::all(books, catalog, effort)
}
