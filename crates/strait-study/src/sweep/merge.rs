//! Shards to one table.
//!
//! In: a plan and all its shards. Out: the rows in the order of their cases as CSV (wide and long), JSON
//! lines and Parquet, and `merged.json`, which says what they are. One row of each shard in turn: memory does
//! not grow with the number of cases. Never writes half a table, and never runs a case.

use super::columns::{Columns, ERROR, Value};
use super::error::SweepError;
use super::folder::{CASES_CSV, CASES_JSONL, CASES_PARQUET, Folder, MERGED, METRICS_CSV};
use super::formats;
use super::plan::{Opened, Plan};
use super::shard::{self, Reader, State};
use super::summary::{Gathering, Summary};
use super::text::quoted;
use crate::artifact::{self, WriteError};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Lines that are held at once.
const HELD: u64 = 8192;

/// Numbers of shards that a message names.
const NAMED: usize = 20;

/// What a merge leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// Version of Strait.
    pub strait: String,
    /// Digest of the plan.
    pub plan: String,
    /// Rows.
    pub cases: u64,
    /// Of them with an error.
    pub errors: u64,
    /// Files with their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// The best case, and what each axis does.
    pub summary: Summary,
}

/// Which shards there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Shards in all.
    pub shards: u64,
    /// Shards that are whole.
    pub finished: Vec<u64>,
    /// Shards that are not there.
    pub missing: Vec<u64>,
    /// Shards that can't be used, and why.
    pub damaged: Vec<(u64, String)>,
    /// Rows of finished shards.
    pub cases: u64,
    /// Of them with an error.
    pub errors: u64,
}

/// Looks at every shard.
///
/// # Errors
/// That one can't be read, or that the caller asked to stop.
pub fn standing(folder: &Folder, plan: &Plan, cancel: &AtomicBool) -> Result<Standing, SweepError> {
    let mut standing = Standing {
        shards: plan.shards,
        ..Standing::default()
    };
    for shard in 0..plan.shards {
        if cancel.load(Ordering::Relaxed) {
            return Err(SweepError::Cancelled);
        }
        match shard::verify(folder, plan, shard)? {
            State::Whole(footer) => {
                standing.finished.push(shard);
                standing.cases += footer.rows;
                standing.errors += footer.errors;
            }
            State::Missing => standing.missing.push(shard),
            State::Damaged(why) => standing.damaged.push((shard, why)),
        }
    }
    Ok(standing)
}

/// What an earlier merge of this plan left, if all of it is there.
pub fn merged(folder: &Folder, plan: &Plan) -> Option<Merged> {
    let text = std::fs::read_to_string(folder.file(MERGED)).ok()?;
    let merged: Merged = serde_json::from_str(&text).ok()?;
    let there = |(name, size): &(String, u64)| {
        std::fs::metadata(folder.file(name)).is_ok_and(|found| found.len() == *size)
    };
    (merged.plan == plan.digest && merged.files.iter().all(there)).then_some(merged)
}

/// Merges all shards, unless that was done; the flag says whether it was done now. The folder must be locked.
///
/// # Errors
/// That shards are missing or can't be used, that files can't be written, or that the caller asked to stop.
pub fn merge(
    folder: &Folder,
    opened: &Opened,
    cancel: &AtomicBool,
) -> Result<(Merged, bool), SweepError> {
    let plan = &opened.plan;
    if let Some(merged) = merged(folder, plan) {
        return Ok((merged, false));
    }
    let standing = standing(folder, plan, cancel)?;
    complete(folder, &standing)?;
    // What is half there from a merge that was killed is of no use.
    let columns = Columns::of(plan, &opened.template);
    let mut out = Output::create(folder, &columns)?;
    let mut gathering = Gathering::new(opened, &columns);
    let mut readers: Vec<Reader> = (0..plan.shards)
        .map(|shard| Reader::new(folder, plan, shard))
        .collect();
    let block = (HELD / plan.shards).max(1);
    let mut errors = 0;
    let error_place = columns.place(ERROR);
    let mut first = 0;
    let longest = plan.rows(0);
    while first < longest {
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(readers.len());
        for (shard, reader) in readers.iter_mut().enumerate() {
            let count = plan.rows(shard as u64).saturating_sub(first).min(block);
            let mut held = Vec::with_capacity(count as usize);
            reader.read(count, &mut held)?;
            lines.push(held);
        }
        for row in 0..block.min(longest - first) as usize {
            if cancel.load(Ordering::Relaxed) {
                return Err(SweepError::Cancelled);
            }
            for (shard, held) in lines.iter().enumerate() {
                let Some(line) = held.get(row) else { continue };
                let case = (first + row as u64) * plan.shards + shard as u64;
                let values = columns
                    .parse(line)
                    .filter(|values| values.first() == Some(&Value::Integer(case as i64)));
                let values = values.ok_or_else(|| {
                    SweepError::input(
                        format!(
                            "{} holds what is no row of case {case}",
                            folder.shard(shard as u64, plan.shards).display()
                        ),
                        "remove the file and run its shard again",
                    )
                })?;
                errors += u64::from(error_place.is_some_and(|at| values[at] != Value::Missing));
                gathering.add(case, &values);
                out.row(line, values)?;
            }
        }
        first += block;
    }
    let files = out.finish()?;
    let merged = Merged {
        strait: plan.strait.clone(),
        plan: plan.digest.clone(),
        cases: plan.cases,
        errors,
        files,
        summary: gathering.finish(),
    };
    let mut text = serde_json::to_string_pretty(&merged)
        .map_err(|error| SweepError::Unexpected(error.to_string()))?;
    text.push('\n');
    artifact::write_all(folder.path(), &[(MERGED.to_owned(), text)], &|| true)?;
    Ok((merged, true))
}

/// Refuses what is not complete.
fn complete(folder: &Folder, standing: &Standing) -> Result<(), SweepError> {
    let list = |shards: &[u64]| {
        let mut named: Vec<String> = (shards.iter().take(NAMED))
            .map(ToString::to_string)
            .collect();
        if shards.len() > NAMED {
            named.push(format!("and {} more", shards.len() - NAMED));
        }
        named.join(", ")
    };
    let mut what = Vec::new();
    if !standing.missing.is_empty() {
        what.push(format!(
            "{} of {} shards are missing: {}",
            standing.missing.len(),
            standing.shards,
            list(&standing.missing)
        ));
    }
    if !standing.damaged.is_empty() {
        let shards: Vec<u64> = standing.damaged.iter().map(|(shard, _)| *shard).collect();
        let why = standing.damaged.first().map_or("", |(_, why)| why);
        what.push(format!(
            "{} can't be used: {} (the first: {why})",
            standing.damaged.len(),
            list(&shards)
        ));
    }
    if what.is_empty() {
        return Ok(());
    }
    Err(SweepError::input(
        format!(
            "{} is not complete: {}",
            folder.path().display(),
            what.join("; ")
        ),
        format!(
            "run them first: strait sweep run {}",
            quoted(&folder.path().display().to_string())
        ),
    ))
}

/// The files of a table, written beside their places.
struct Output {
    folder: PathBuf,
    files: Vec<(String, PathBuf)>,
    wide: formats::csv::Wide<BufWriter<File>>,
    long: formats::csv::Long<BufWriter<File>>,
    lines: BufWriter<File>,
    parquet: formats::parquet::Table,
}

impl Drop for Output {
    fn drop(&mut self) {
        for (_, temporary) in &self.files {
            // After a rename there is nothing left to remove.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

impl Output {
    fn create(folder: &Folder, columns: &Columns) -> Result<Output, SweepError> {
        let mut files = Vec::new();
        let mut create = |name: &str| -> Result<File, WriteError> {
            let place = folder.file(name);
            let temporary = folder.file(&format!(".{name}.{}.tmp", artifact::mark()));
            let file = File::create(&temporary).map_err(fail(&place))?;
            files.push((name.to_owned(), temporary));
            Ok(file)
        };
        let wide = create(CASES_CSV)?;
        let long = create(METRICS_CSV)?;
        let lines = create(CASES_JSONL)?;
        let parquet = create(CASES_PARQUET)?;
        let place = |name: &str| folder.file(name);
        Ok(Output {
            folder: folder.path().to_path_buf(),
            files,
            wide: formats::csv::Wide::new(buffered(wide), columns)
                .map_err(fail(&place(CASES_CSV)))?,
            long: formats::csv::Long::new(buffered(long), columns)
                .map_err(fail(&place(METRICS_CSV)))?,
            lines: buffered(lines),
            parquet: formats::parquet::Table::new(parquet, columns)
                .map_err(fail(&place(CASES_PARQUET)))?,
        })
    }

    fn row(&mut self, line: &str, values: Vec<Value>) -> Result<(), WriteError> {
        let place = |name: &str| self.folder.join(name);
        (self.lines.write_all(line.as_bytes()))
            .and_then(|()| self.lines.write_all(b"\n"))
            .map_err(fail(&place(CASES_JSONL)))?;
        self.wide.row(&values).map_err(fail(&place(CASES_CSV)))?;
        self.long.row(&values).map_err(fail(&place(METRICS_CSV)))?;
        self.parquet
            .row(values)
            .map_err(fail(&place(CASES_PARQUET)))
    }

    /// Puts all files in their places; gives their names and sizes.
    fn finish(mut self) -> Result<Vec<(String, u64)>, WriteError> {
        let folder = self.folder.clone();
        let place = |name: &str| folder.join(name);
        self.parquet.finish().map_err(fail(&place(CASES_PARQUET)))?;
        self.lines.flush().map_err(fail(&place(CASES_JSONL)))?;
        self.wide.flush().map_err(fail(&place(CASES_CSV)))?;
        self.long.flush().map_err(fail(&place(METRICS_CSV)))?;
        let mut sizes = Vec::new();
        for (name, temporary) in &self.files {
            // Everything is on disk before anything is seen.
            let size = File::open(temporary)
                .and_then(|file| {
                    file.sync_all()?;
                    Ok(file.metadata()?.len())
                })
                .map_err(fail(&place(name)))?;
            sizes.push((name.clone(), size));
        }
        for (name, temporary) in &self.files {
            std::fs::rename(temporary, place(name)).map_err(fail(&place(name)))?;
        }
        Ok(sizes)
    }
}

fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 18, file)
}

fn fail(path: &Path) -> impl Fn(std::io::Error) -> WriteError {
    let path = path.to_path_buf();
    move |source| WriteError {
        path: path.clone(),
        source,
    }
}
