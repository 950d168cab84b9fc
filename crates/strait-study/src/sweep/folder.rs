//! The folder of a sweep: names in it, and who may work on it.
//!
//! In: a path. Out: paths of its files; locks. A lock is the operating system's, on an open file: it is
//! gone with the process that held it, however that ended. Of a file's contents it reads at most whether it
//! is a plan.

use super::error::SweepError;
use crate::artifact::WriteError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The plan's file.
pub const PLAN: &str = "plan.json";
/// The folder of shards.
pub const SHARDS: &str = "shards";
/// What a merge leaves behind.
pub const MERGED: &str = "merged.json";
/// Wide table.
pub const CASES_CSV: &str = "cases.csv";
/// The same as JSON lines.
pub const CASES_JSONL: &str = "cases.jsonl";
/// The same as Parquet.
pub const CASES_PARQUET: &str = "cases.parquet";
/// Long table.
pub const METRICS_CSV: &str = "metrics.csv";

/// All that a merge writes, what says that it is there first.
const TABLES: [&str; 5] = [MERGED, CASES_CSV, CASES_JSONL, CASES_PARQUET, METRICS_CSV];

/// Bytes at the start of a plan that show that it is one.
const HEAD: u64 = 4096;

/// A part of a sweep's work: all shards j with j mod `of` = `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub index: u64,
    /// Parts in all.
    pub of: u64,
}

impl Part {
    /// All of it.
    pub const WHOLE: Part = Part { index: 0, of: 1 };

    /// Of so many shards, those of this part.
    pub fn shards(self, shards: u64) -> impl Iterator<Item = u64> {
        (self.index..shards).step_by(usize::try_from(self.of.max(1)).unwrap_or(usize::MAX))
    }
}

/// The folder of a sweep.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// At a path.
    pub fn new(path: &Path) -> Folder {
        Folder(path.to_path_buf())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The plan's file.
    pub fn plan(&self) -> PathBuf {
        self.0.join(PLAN)
    }

    /// The folder of shards.
    pub fn shards(&self) -> PathBuf {
        self.0.join(SHARDS)
    }

    /// A shard's file.
    pub fn shard(&self, shard: u64, of: u64) -> PathBuf {
        self.shards().join(format!("shard-{shard}-of-{of}.jsonl"))
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Locks the folder for one who works on all of it: no other may work on any part.
    ///
    /// # Errors
    /// That somebody does, or that the folder can't be written to.
    pub fn lock(&self) -> Result<Lock, SweepError> {
        let mut lock = Lock::default();
        self.hold(&self.0.join(".lock"), false, &mut lock)?;
        Ok(lock)
    }

    /// Locks a part of the work: others may have other parts, nobody all of it.
    ///
    /// # Errors
    /// That somebody has it or all, or that the folder can't be written to.
    pub fn lock_part(&self, part: Part) -> Result<Lock, SweepError> {
        let mut lock = Lock::default();
        self.hold(&self.0.join(".lock"), true, &mut lock)?;
        let shards = self.shards();
        std::fs::create_dir_all(&shards).map_err(|source| WriteError {
            path: shards.clone(),
            source,
        })?;
        let name = format!(".lock-{}-of-{}", part.index, part.of);
        self.hold(&shards.join(name), false, &mut lock)?;
        Ok(lock)
    }

    fn hold(&self, path: &Path, shared: bool, lock: &mut Lock) -> Result<(), SweepError> {
        let file = (OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true))
        .open(path)
        .map_err(|source| WriteError {
            path: path.to_path_buf(),
            source,
        })?;
        let tried = match shared {
            true => file.try_lock_shared(),
            false => file.try_lock(),
        };
        match tried {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SweepError::Busy {
                    folder: self.0.clone(),
                });
            }
            // Some network file systems have no locks: two runs there do the same work twice, and
            // write the same bytes.
            Err(TryLockError::Error(error)) => lock.missing = Some(error),
        }
        lock.files.push(file);
        Ok(())
    }
}

/// A name of a file of a sweep's folder that was not finished.
pub(super) fn unfinished(name: &str) -> bool {
    let middle = name.strip_prefix('.').and_then(|n| n.strip_suffix(".tmp"));
    (TABLES.iter().chain([&PLAN])).any(|ours| {
        middle.is_some_and(|middle| {
            (middle.strip_prefix(ours)).is_some_and(|rest| rest.starts_with('.'))
        })
    })
}

/// A name of a shard, of one that was not finished, or of a lock.
fn of_shards(name: &str) -> bool {
    let pair = |text: &str| {
        let whole = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        text.split_once("-of-").is_some_and(|(index, of)| {
            whole(index) && whole(of.split_once('.').map_or(of, |(of, _)| of))
        })
    };
    let between = |start: &str, end: &str| {
        let middle = name.strip_prefix(start).and_then(|n| n.strip_suffix(end));
        middle.is_some_and(pair)
    };
    between("shard-", ".jsonl") || between(".shard-", ".tmp") || between(".lock-", "")
}

/// A file that a sweep in this folder would replace though no sweep wrote it: in a folder without a plan
/// of Strait, whatever has the name of one of its files. A damaged plan is still one.
pub fn foreign(folder: &Folder) -> Option<PathBuf> {
    let there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    let plan = folder.plan();
    if there(&plan) {
        return (!looks_like_a_plan(&plan)).then_some(plan);
    }
    let table = TABLES.iter().map(|name| folder.file(name)).find(there);
    if table.is_some() {
        return table;
    }
    let shards = folder.shards();
    if there(&shards) && !shards.is_dir() {
        return Some(shards);
    }
    (std::fs::read_dir(&shards).into_iter().flatten().flatten())
        .find(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("shard-") && of_shards(&name)
        })
        .map(|entry| entry.path())
}

/// A file begins as a plan does, of whatever version, whole or not.
fn looks_like_a_plan(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    let has = |key: &str| head.contains(&format!("\"{key}\":"));
    read.is_ok()
        && head.trim_start().starts_with('{')
        && ["format", "strait", "digest"].into_iter().all(has)
}

/// Removes a sweep: its plan, its shards, its tables, and nothing else. The folder must be locked.
///
/// # Errors
/// That something can't be removed.
pub fn clear(folder: &Folder) -> Result<(), SweepError> {
    let remove = |path: PathBuf| match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SweepError::from(WriteError { path, source }))
        }
        _ => Ok(()),
    };
    // The tables first: what is left by a kill is a sweep that is not merged.
    for name in TABLES {
        remove(folder.file(name))?;
    }
    let entries = std::fs::read_dir(folder.shards())
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if of_shards(&name) {
            remove(entry.path())?;
        }
    }
    remove(folder.plan())
}

/// Locks that are held as long as this lives.
#[derive(Debug, Default)]
pub struct Lock {
    files: Vec<File>,
    missing: Option<io::Error>,
}

impl Lock {
    /// Why nothing is locked, where the file system has no locks.
    pub fn missing(&self) -> Option<&io::Error> {
        self.missing.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_out_all_shards() {
        for (shards, of) in [(10, 3), (3, 10), (1, 1), (7, 7)] {
            let mut all: Vec<u64> = (0..of)
                .flat_map(|index| Part { index, of }.shards(shards))
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..shards).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_works_on_all_or_several_on_parts() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        let part = |index| Part { index, of: 2 };
        {
            let _all = folder.lock().unwrap();
            assert!(matches!(folder.lock(), Err(SweepError::Busy { .. })));
            assert!(matches!(
                folder.lock_part(part(0)),
                Err(SweepError::Busy { .. })
            ));
        }
        let _first = folder.lock_part(part(0)).unwrap();
        let _second = folder.lock_part(part(1)).unwrap();
        assert!(matches!(
            folder.lock_part(part(1)),
            Err(SweepError::Busy { .. })
        ));
        assert!(matches!(folder.lock(), Err(SweepError::Busy { .. })));
    }
}
