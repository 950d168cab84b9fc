//! Reading a scenario file and the files that it extends, safely.
//!
//! In: a path, on disk or among the files that the program carries. Out: the checked trees of the
//! chain merged into one, or every fault found.
//! Never reads more than [`LARGEST`] bytes of a file, and never follows a circle.

use super::check;
use super::diagnostic::{Diagnostic, Place, Source};
use super::keys::{Kind, ROOT, Section};
use super::tree::{self, Data, Entry, Table};
use include_dir::{Dir, include_dir};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest scenario file: a thousand times a long one.
pub const LARGEST: u64 = 4 << 20;

/// Longest chain of `extends`.
pub const DEEPEST: usize = 16;

/// The scenarios that the program carries, as they stand in the repository.
static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../scenarios");

/// The folder that messages put before a shipped file.
const SHIPPED_FOLDER: &str = "scenarios";

/// Where scenario files stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// On disk.
    Disk,
    /// In the program: paths begin with `scenarios/`.
    Shipped,
}

impl Shelf {
    fn text(self, path: &Path) -> Result<String, Diagnostic> {
        match self {
            Shelf::Disk => read_text(path),
            Shelf::Shipped => (path.strip_prefix(SHIPPED_FOLDER).ok())
                .and_then(|inner| SHIPPED.get_file(inner)?.contents_utf8())
                .map(str::to_owned)
                .ok_or_else(|| {
                    Diagnostic::error(
                        "scenario::missing-file",
                        format!("the program carries no file {}", path.display()),
                    )
                }),
        }
    }

    /// Two paths of one file have one identity.
    fn identity(self, path: &Path) -> PathBuf {
        match self {
            Shelf::Disk => std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
            Shelf::Shipped => path.to_path_buf(),
        }
    }
}

/// The scenario files that the program carries in a folder such as `scenarios/claims`, by name.
pub fn shipped(folder: &str) -> Vec<PathBuf> {
    let inner = Path::new(folder).strip_prefix(SHIPPED_FOLDER).ok();
    let mut paths: Vec<PathBuf> = inner
        .and_then(|inner| SHIPPED.get_dir(inner))
        .into_iter()
        .flat_map(|dir| dir.files())
        .filter(|file| file.path().extension().is_some_and(|e| e == "toml"))
        .map(|file| Path::new(SHIPPED_FOLDER).join(file.path()))
        .collect();
    paths.sort();
    paths
}

/// A file and its parents, merged.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// The file itself.
    pub source: Arc<Source>,
    /// All settings, the child's over the parents'.
    pub table: Table,
    /// Every text that took part, the file first.
    pub sources: Vec<Arc<Source>>,
    /// Faults of form found on the way.
    pub faults: Vec<Diagnostic>,
    /// A text could not be read, or not as TOML: what it would have said is not known.
    pub broken: bool,
}

/// Reads a text that stands by itself, under a name for messages.
pub(super) fn of_text(name: &str, text: &str) -> Document {
    let source = Arc::new(Source::new(name.to_owned(), text.to_owned(), None));
    let (table, mut faults) = tree::parse(&source);
    let broken = faults.iter().any(|d| d.code == "scenario::syntax");
    if !broken {
        check::table(&table, &ROOT, "", &mut faults);
        if let Some(entry) = table.get("extends") {
            faults.push(
                Diagnostic::error(
                    "scenario::no-folder",
                    "a text that is no file extends nothing",
                )
                .at(&entry.node.place, "relative to which folder?"),
            );
        }
    }
    Document {
        table,
        sources: vec![source.clone()],
        source,
        faults: faults.into_iter().map(Diagnostic::with_chain).collect(),
        broken,
    }
}

/// The texts of a file and of those that it extends, nearest first, as they were once read.
pub(super) fn of_texts(texts: &[(String, String)]) -> Result<Document, Diagnostic> {
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    let mut merged = Table::default();
    for (name, text) in texts {
        sources.push(Arc::new(Source::new(name.clone(), text.clone(), None)));
    }
    for source in sources.iter().rev() {
        let (table, errors) = tree::parse(source);
        faults.extend(errors);
        check::table(&table, &ROOT, "", &mut faults);
        merge(&mut merged, table, &ROOT);
    }
    merged.entries.retain(|e| e.name != "extends");
    let source = (sources.first().cloned())
        .ok_or_else(|| Diagnostic::error("scenario::missing-file", "there is no text"))?;
    Ok(Document {
        source,
        table: merged,
        sources,
        broken: faults.iter().any(|d| d.code == "scenario::syntax"),
        faults,
    })
}

/// Reads a file with all its parents.
pub(super) fn read(path: &Path, shelf: Shelf) -> Result<Document, Diagnostic> {
    let mut faults = Vec::new();
    let mut broken = false;
    let mut chain: Vec<(PathBuf, Arc<Source>)> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    let mut next: Option<(PathBuf, Option<Place>)> = Some((path.to_path_buf(), None));
    while let Some((path, pulled_in_by)) = next.take() {
        let text = match shelf.text(&path) {
            Ok(text) => text,
            Err(d) => match &pulled_in_by {
                None => return Err(d),
                Some(place) => {
                    faults.push(d.at(place, "extended here"));
                    broken = true;
                    break;
                }
            },
        };
        // The same file under another name is the same file.
        let identity = shelf.identity(&path);
        let names = || -> String {
            let mut names: Vec<String> = chain.iter().map(|(_, s)| s.name.clone()).collect();
            names.push(path.display().to_string());
            names.join(" -> ")
        };
        if let Some(place) = &pulled_in_by {
            if chain.iter().any(|(seen, _)| *seen == identity) {
                faults.push(
                    Diagnostic::error(
                        "scenario::cyclic-extends",
                        "`extends` goes round in a circle",
                    )
                    .at(place, "comes back to a file that is already in the chain")
                    .help(format!("the chain: {}", names()))
                    .help("remove one of these `extends` lines"),
                );
                broken = true;
                break;
            }
            if chain.len() >= DEEPEST {
                faults.push(
                    Diagnostic::error(
                        "scenario::deep-extends",
                        format!("`extends` goes more than {DEEPEST} files deep"),
                    )
                    .at(place, "one too many")
                    .help(format!("the chain: {}", names()))
                    .help("merge some of these files"),
                );
                broken = true;
                break;
            }
        }
        let source = Arc::new(Source::new(path.display().to_string(), text, pulled_in_by));
        if source.text.trim().is_empty() {
            faults.push(
                Diagnostic::error("scenario::empty-file", "the file is empty")
                    .at(&start(&source), "nothing here")
                    .help("start from scenarios/tutorial/first-step.toml"),
            );
            broken = true;
        }
        let (table, errors) = tree::parse(&source);
        broken |= errors.iter().any(|d| d.code == "scenario::syntax");
        if broken {
            // What could be read of it would only raise false alarms.
            faults.extend(errors);
            chain.push((identity, source));
            tables.push(Table::default());
            break;
        }
        faults.extend(errors);
        check::table(&table, &ROOT, "", &mut faults);
        if let Some(entry) = table.get("extends")
            && let Some(parent) = entry.node.text()
            && !parent.trim().is_empty()
        {
            let folder = path.parent().unwrap_or(Path::new(""));
            next = Some((tidy(&folder.join(parent)), Some(entry.node.place.clone())));
        }
        chain.push((identity, source));
        tables.push(table);
    }
    let source = chain
        .first()
        .map(|(_, s)| s.clone())
        .ok_or_else(|| Diagnostic::error("scenario::missing-file", "no file was read"))?;
    let mut merged = Table::default();
    for table in tables.into_iter().rev() {
        merge(&mut merged, table, &ROOT);
    }
    merged.entries.retain(|e| e.name != "extends");
    Ok(Document {
        source,
        table: merged,
        sources: chain.into_iter().map(|(_, s)| s).collect(),
        broken,
        faults: faults.into_iter().map(Diagnostic::with_chain).collect(),
    })
}

/// The start of a text.
pub(super) fn start(source: &Arc<Source>) -> Place {
    Place {
        source: source.clone(),
        span: 0..0,
    }
}

/// A path without `.` and `name/..` parts, so that messages stay readable.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Reads a small text file, or says why not.
pub(super) fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let name = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let mut d =
                Diagnostic::error("scenario::missing-file", format!("there is no file {name}"));
            if let Some(near) = neighbour(path) {
                d = d.help(format!("did you mean {near}?"));
            }
            d.help("paths are relative to the current folder; those in a scenario to their file")
        }
        _ => unreadable(path, &error),
    })?;
    if metadata.is_dir() {
        return Err(Diagnostic::error(
            "scenario::not-a-file",
            format!("{name} is a folder, not a scenario file"),
        )
        .help(inside(path)));
    }
    if !metadata.is_file() {
        return Err(Diagnostic::error(
            "scenario::not-a-file",
            format!("{name} is not a regular file"),
        )
        .help("give a scenario file in TOML"));
    }
    let too_large = |size: u64| {
        Diagnostic::error(
            "scenario::too-large",
            format!(
                "{name} has {:.1} MB, more than a scenario can have ({:.1} MB)",
                size as f64 / 1e6,
                LARGEST as f64 / 1e6
            ),
        )
        .help("is this the right file?")
    };
    if metadata.len() > LARGEST {
        return Err(too_large(metadata.len()));
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    // The file may grow between the two calls: the limit holds all the same.
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large(bytes.len() as u64));
    }
    String::from_utf8(bytes).map_err(|error| {
        Diagnostic::error(
            "scenario::not-text",
            format!(
                "{name} is not UTF-8 text: byte {} can't be read",
                error.utf8_error().valid_up_to()
            ),
        )
        .help("save the file as UTF-8")
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(
        "scenario::unreadable",
        format!("{} can't be read: {error}", path.display()),
    )
    .help("check the path and the permissions of the file")
}

/// A file of a similar name beside a missing one.
fn neighbour(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| n.ends_with(".toml") || n.ends_with(".json"))
        .collect();
    names.sort();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = check::suggest(wanted, &refs);
    let first = near.first()?;
    Some(path.with_file_name(first).display().to_string())
}

fn inside(path: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .take(1000)
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| n.ends_with(".toml"))
        .collect();
    names.sort();
    names.truncate(5);
    if names.is_empty() {
        "give a file in TOML".to_owned()
    } else {
        format!("files in it: {}", names.join(", "))
    }
}

/// Lays `over` on `base`: tables are merged key by key, everything else is replaced whole.
pub(super) fn merge(base: &mut Table, over: Table, section: &Section) {
    for entry in over.entries {
        let inner = match section.key(&entry.name).map(|k| k.kind) {
            Some(Kind::Table(inner)) => Some(inner),
            _ => None,
        };
        merge_entry(base, entry, inner);
    }
}

fn merge_entry(base: &mut Table, entry: Entry, section: Option<&Section>) {
    if let Some(section) = section
        && let Data::Table(_) = entry.node.data
        && let Some(old) = base.entries.iter_mut().find(|e| e.name == entry.name)
        && let Data::Table(old_table) = &mut old.node.data
        && let Data::Table(new_table) = entry.node.data
    {
        merge(old_table, new_table, section);
        // Missing keys are looked for where the table was last written.
        old.node.place = entry.node.place;
        old.key = entry.key;
        return;
    }
    base.put(entry);
}
