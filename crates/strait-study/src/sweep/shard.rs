//! Files of rows that are whole or not there.
//!
//! In: the rows of a shard in the order of their cases. Out: a file of JSON lines, written beside its
//! place and renamed when its last line, the footer, is on disk. The footer says how many rows there are,
//! of which plan, with which SHA-256: what does not fit it is no shard. Never reads a row.

use super::error::SweepError;
use super::folder::{self, Folder};
use super::plan::{Plan, hexadecimal};
use crate::artifact::{self, WriteError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Longest footer.
const LONGEST: u64 = 1024;

/// The last line of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Digest of the plan.
    pub plan: String,
    /// Which shard, from 0.
    pub shard: u64,
    /// Shards in all.
    pub of: u64,
    /// Rows above this line.
    pub rows: u64,
    /// Of them those with an error.
    pub errors: u64,
    /// SHA-256 of the rows.
    pub sha256: String,
}

/// A footer's line: no row has its one key.
#[derive(Serialize, Deserialize)]
struct Line {
    footer: Footer,
}

/// A shard that is being written.
pub struct Writer {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    place: PathBuf,
    hash: Sha256,
    footer: Footer,
}

impl Writer {
    /// Of a plan.
    ///
    /// # Errors
    /// That no file can be created.
    pub fn new(folder: &Folder, plan: &Plan, shard: u64) -> Result<Writer, WriteError> {
        let shards = folder.shards();
        std::fs::create_dir_all(&shards).map_err(|source| WriteError {
            path: shards.clone(),
            source,
        })?;
        let place = folder.shard(shard, plan.shards);
        let temporary = shards.join(format!(
            "{TEMPORARY}{shard}-of-{}.{}.tmp",
            plan.shards,
            artifact::mark()
        ));
        let file = File::create(&temporary).map_err(|source| WriteError {
            path: place.clone(),
            source,
        })?;
        Ok(Writer {
            file: Some(BufWriter::with_capacity(1 << 16, file)),
            temporary,
            place,
            hash: Sha256::new(),
            footer: Footer {
                plan: plan.digest.clone(),
                shard,
                of: plan.shards,
                rows: 0,
                errors: 0,
                sha256: String::new(),
            },
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_all(bytes).map_err(|source| WriteError {
            path: self.place.clone(),
            source,
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn row(&mut self, line: &str, failed: bool) -> Result<(), WriteError> {
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.footer.rows += 1;
        self.footer.errors += u64::from(failed);
        self.write(line.as_bytes())?;
        self.write(b"\n")
    }

    /// Writes the footer and puts the file in its place.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn finish(mut self) -> Result<Footer, SweepError> {
        self.footer.sha256 = hexadecimal(&self.hash.finalize_reset());
        let footer = self.footer.clone();
        let line = serde_json::to_string(&Line {
            footer: footer.clone(),
        })
        .map_err(|error| SweepError::Unexpected(error.to_string()))?;
        self.write(line.as_bytes())?;
        self.write(b"\n")?;
        let fail = |source| WriteError {
            path: self.place.clone(),
            source,
        };
        if let Some(file) = self.file.take() {
            let file = file
                .into_inner()
                .map_err(|error| fail(error.into_error()))?;
            file.sync_all().map_err(fail)?;
        }
        std::fs::rename(&self.temporary, &self.place).map_err(fail)?;
        Ok(footer)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// How names of unfinished shards begin.
const TEMPORARY: &str = ".shard-";

/// Removes what killed processes left of tables, of the plan and of shards. Only for who has locked the
/// whole folder.
pub fn sweep_up(folder: &Folder) {
    for entry in std::fs::read_dir(folder.path())
        .into_iter()
        .flatten()
        .flatten()
    {
        if folder::unfinished(&entry.file_name().to_string_lossy()) {
            // What can't be removed is no part of any result.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let Ok(entries) = std::fs::read_dir(folder.shards()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with(TEMPORARY) && name.ends_with(".tmp");
        if unfinished || name.starts_with(".lock-") {
            // What can't be removed is no part of any result.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// What is at a shard's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Whole(Footer),
    /// Nothing.
    Missing,
    /// Something else; why.
    Damaged(String),
}

/// Looks at a shard and reads all of it.
///
/// # Errors
/// That a file that is there can't be read.
pub fn verify(folder: &Folder, plan: &Plan, shard: u64) -> Result<State, SweepError> {
    let path = folder.shard(shard, plan.shards);
    let footer = match footer(&path)? {
        Found::Nothing => return Ok(State::Missing),
        Found::Other(why) => return Ok(State::Damaged(why)),
        Found::Footer(footer, length) => (footer, length),
    };
    let (footer, length) = footer;
    if footer.plan != plan.digest {
        return Ok(State::Damaged("it is of another plan".to_owned()));
    }
    if (footer.shard, footer.of, footer.rows) != (shard, plan.shards, plan.rows(shard)) {
        return Ok(State::Damaged("its footer is of another shard".to_owned()));
    }
    let read = |source| SweepError::Read {
        path: path.clone(),
        source,
    };
    let file = File::open(&path).map_err(read)?;
    let mut rows = BufReader::with_capacity(1 << 18, file).take(length);
    let mut hash = Sha256::new();
    loop {
        let bytes = rows.fill_buf().map_err(read)?;
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        let count = bytes.len();
        rows.consume(count);
    }
    if hexadecimal(&hash.finalize()) != footer.sha256 {
        return Ok(State::Damaged("its rows do not fit its footer".to_owned()));
    }
    Ok(State::Whole(footer))
}

enum Found {
    Nothing,
    Other(String),
    /// A footer, and the bytes before it.
    Footer(Footer, u64),
}

/// The footer of a file.
fn footer(path: &Path) -> Result<Found, SweepError> {
    let read = |source| SweepError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(read(error)),
    };
    let metadata = file.metadata().map_err(read)?;
    if !metadata.is_file() {
        return Ok(Found::Other("it is no file".to_owned()));
    }
    let length = metadata.len();
    let start = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(start)).map_err(read)?;
    let mut end = Vec::new();
    file.take(LONGEST).read_to_end(&mut end).map_err(read)?;
    let truncated = || Ok(Found::Other("it ends before its footer".to_owned()));
    let Some(body) = end.strip_suffix(b"\n") else {
        return truncated();
    };
    let from = body
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if from == 0 && start > 0 {
        return truncated();
    }
    match serde_json::from_slice::<Line>(&body[from..]) {
        Ok(line) => Ok(Found::Footer(line.footer, start + from as u64)),
        Err(_) => truncated(),
    }
}

/// Reads the rows of a shard a few at a time, with the file open only meanwhile.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
    at: u64,
}

impl Reader {
    /// Of a shard that was verified.
    pub fn new(folder: &Folder, plan: &Plan, shard: u64) -> Reader {
        Reader {
            path: folder.shard(shard, plan.shards),
            at: 0,
        }
    }

    /// Up to so many rows more, appended to `lines`.
    ///
    /// # Errors
    /// That they can't be read, or are not there.
    pub fn read(&mut self, count: u64, lines: &mut Vec<String>) -> Result<(), SweepError> {
        let read = |source| SweepError::Read {
            path: self.path.clone(),
            source,
        };
        let mut file = File::open(&self.path).map_err(read)?;
        file.seek(SeekFrom::Start(self.at)).map_err(read)?;
        let mut rows = BufReader::with_capacity(1 << 15, file);
        for _ in 0..count {
            let mut line = String::new();
            let length = rows.read_line(&mut line).map_err(read)?;
            if length == 0 || !line.ends_with('\n') {
                return Err(read(ErrorKind::UnexpectedEof.into()));
            }
            self.at += length as u64;
            line.pop();
            lines.push(line);
        }
        Ok(())
    }
}
