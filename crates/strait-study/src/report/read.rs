//! Results from files.
//!
//! In: paths of answers as JSON and of folders of merged sweeps. Out: [`Piece`]s, or which file is at
//! fault, why, and what to do. Never simulates, and never guesses what a file might be.

use super::{Answered, Piece};
use crate::answer::{Comparison, RunDocument};
use crate::sensitivity::SensitivityDocument;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Larger files are not answers: that of a comparison of a hundred cases is a few MB.
const LARGEST: u64 = 256 << 20;

/// What a report can be made of.
const ACCEPTED: &str = "give scenarios (.toml), the output of run, compare, sensitivity or search with --json, or \
                        the folder of a merged sweep";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The system refuses to read it.
    #[error("`{}` can't be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what a report can be made of.
    #[error("`{}` {reason}", path.display())]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        help: String,
    },
    /// A fault of the program.
    #[error("{0}")]
    Unexpected(String),
    /// A figure could not be drawn.
    #[error(transparent)]
    Draw(#[from] crate::figures::DrawError),
}

impl ReportError {
    fn unfit(path: &Path, reason: impl Into<String>, help: impl Into<String>) -> ReportError {
        ReportError::Unfit {
            path: path.to_path_buf(),
            reason: reason.into(),
            help: help.into(),
        }
    }

    /// What to do about it; empty where nothing can be said.
    pub fn help(&self) -> &str {
        match self {
            ReportError::Unreadable { .. } => "check the path and its permissions",
            ReportError::Unfit { help, .. } => help,
            ReportError::Draw(_) | ReportError::Unexpected(_) => "",
        }
    }
}

/// The only version whose answers are read.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Reads one result.
///
/// # Errors
/// A file that can't be read, is empty, cut off, or something else.
pub fn read(path: &Path) -> Result<Piece, ReportError> {
    let unreadable = |source| ReportError::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return super::sweep::open(path);
    }
    if !metadata.is_file() {
        return Err(ReportError::unfit(path, "is no file", ACCEPTED));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    (file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReportError::unfit(path, "has more than 256 MiB", ACCEPTED));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ReportError::unfit(
            path,
            "is empty",
            "the command that was to write it has failed, or is not done: run it again",
        ));
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        if error.is_eof() {
            ReportError::unfit(
                path,
                format!("ends too early: {error}"),
                "it is cut off: write it again",
            )
        } else {
            ReportError::unfit(path, format!("is no JSON: {error}"), ACCEPTED)
        }
    })?;
    of_value(path, value)
}

/// Tells answers apart by the keys that only they have.
fn of_value(path: &Path, value: Value) -> Result<Piece, ReportError> {
    let has = |keys: &[&str]| keys.iter().all(|key| value.get(key).is_some());
    // What is no answer at all is told so below, whatever its version.
    let answer = has(&["digest", "cases"]) || has(&["metrics"]) || has(&["space"]);
    let version = value.get("strait").and_then(Value::as_str);
    if let Some(version) = version.filter(|version| answer && *version != VERSION) {
        return Err(ReportError::unfit(
            path,
            format!("is an answer of strait {version}, and this is strait {VERSION}"),
            "run it again with this version",
        ));
    }
    if has(&["format", "strait", "shards", "axes"]) {
        return Err(ReportError::unfit(
            path,
            "is the plan of a sweep, and has no results",
            "give the folder that it is in, once the sweep is merged",
        ));
    }
    let none = |list: &Value| list.as_array().is_some_and(Vec::is_empty);
    if answer
        && ["cases", "sizes"]
            .iter()
            .any(|key| value.get(key).is_some_and(none))
    {
        return Err(ReportError::unfit(
            path,
            "has no case: there is nothing to report",
            "an answer has one case or more: run it again",
        ));
    }
    if has(&[
        "strait",
        "seed",
        "digest",
        "baseline",
        "differences",
        "cases",
    ]) {
        let document: Comparison = typed(path, value)?;
        Ok(Piece::Answered(Box::new(Answered::compared(document))))
    } else if has(&["strait", "seed", "digest", "cases"]) {
        let document: RunDocument = typed(path, value)?;
        Ok(Piece::Answered(Box::new(Answered::run(document))))
    } else if has(&["strait", "method", "metrics", "inputs"]) {
        let document: SensitivityDocument = typed(path, value)?;
        Ok(Piece::Sensitivity(Box::new(document)))
    } else if has(&["strait", "by", "space", "sizes"]) {
        Ok(Piece::Search(value))
    } else {
        Err(ReportError::unfit(
            path,
            "is JSON, but none of the answers that a report can be made of",
            ACCEPTED,
        ))
    }
}

fn typed<T: DeserializeOwned>(path: &Path, value: Value) -> Result<T, ReportError> {
    let version = match value.get("strait").and_then(Value::as_str) {
        Some(version) => version.to_owned(),
        None => "an unknown version".to_owned(),
    };
    serde_json::from_value(value).map_err(|error| {
        ReportError::unfit(
            path,
            format!("is an answer of strait {version} that this version can't read: {error}"),
            "write it again with this version",
        )
    })
}
