//! `strait sweep`: many cases of one scenario.
//!
//! In: parsed arguments. Out: a plan, shards, a merged table, and how they stand. Each command is a short
//! list of steps; none computes.

mod auto;
mod folder;
mod progress;
mod run;
mod submit;

use crate::cli::sweep::SweepCommand;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::io::ErrorKind;
use std::sync::atomic::AtomicBool;
use strait_study::scenario::{Style, render_all};
use strait_study::sweep::SweepError;

/// Does what was asked for.
pub fn sweep(
    command: &SweepCommand,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    match command {
        SweepCommand::Plan(args) => run::plan(args, terminal),
        SweepCommand::Run(args) => run::run(args, terminal, cancel),
        SweepCommand::Merge(args) => folder::merge(args, terminal, cancel),
        SweepCommand::Status(args) => folder::status(args, terminal, cancel),
        SweepCommand::Submit(args) => submit::submit(args, terminal, cancel),
    }
}

/// A fault of a sweep as the command tells it.
pub(super) fn failure(error: SweepError) -> Failure {
    let input = |message: &str, remedy: &str| {
        Failure::Input(format!(
            "{}: {message}\n  = help: {remedy}",
            Terminal::error("error[sweep]")
        ))
    };
    let misplaced = match &error {
        SweepError::Write(error) => Some(&error.source),
        SweepError::Read { source, .. } => Some(source),
        _ => None,
    };
    // No later try helps where a file is in the place of a folder, or a folder in that of a file.
    if misplaced.is_some_and(|source| {
        [
            ErrorKind::NotADirectory,
            ErrorKind::IsADirectory,
            ErrorKind::AlreadyExists,
            ErrorKind::InvalidFilename,
        ]
        .contains(&source.kind())
    }) {
        return input(
            &error.to_string(),
            "a file stands where a folder is needed, or a folder where a file is: move it away, or choose another folder",
        );
    }
    match error {
        SweepError::Scenario(faults) => Failure::Input(render_all(&faults, Style::Colour)),
        SweepError::Input { message, remedy } => input(&message, &remedy),
        SweepError::Usage { message, remedy } => Failure::Usage { message, remedy },
        SweepError::Write(error) => Failure::from(error),
        SweepError::Cancelled => Failure::Interrupted,
        busy @ SweepError::Busy { .. } => Failure::Temporary {
            message: busy.to_string(),
            remedy: "wait for it to end, then run this command again: what is finished stays"
                .to_owned(),
        },
        read @ SweepError::Read { .. } => Failure::Temporary {
            message: read.to_string(),
            remedy: "check the folder and its permissions, then run this command again".to_owned(),
        },
        threads @ SweepError::Threads { .. } => Failure::Temporary {
            message: threads.to_string(),
            remedy: "use fewer with --threads".to_owned(),
        },
        other => Failure::Unexpected(other.to_string()),
    }
}
