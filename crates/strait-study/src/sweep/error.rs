//! Why a sweep can't go on.
//!
//! In: faults. Out: [`SweepError`], each with what to do about it. Never prints.

use crate::artifact::WriteError;
use crate::scenario::Diagnostic;
use std::path::PathBuf;

/// Why a sweep can't go on. Faults of single cases are rows, not errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// Faults of the scenario, with their places.
    #[error("the scenario has {} faults", .0.len())]
    Scenario(Vec<Diagnostic>),
    /// A plan, a shard or a merged file can't be used.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// What was asked for does not fit the plan.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// Somebody else works on the folder.
    #[error("another strait works on {}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Threads can't be had.
    #[error("can't start {threads} threads: {message}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system said.
        message: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A fault of the program.
    #[error("{0}")]
    Unexpected(String),
}

impl SweepError {
    /// An input that can't be used.
    pub(super) fn input(message: impl Into<String>, remedy: impl Into<String>) -> SweepError {
        SweepError::Input {
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}
