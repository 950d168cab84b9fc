//! `strait claims`: the ledger.
//!
//! In: files with claims, or the shipped ones. Out: a verdict on each. A verdict never changes the
//! exit status.

use crate::VERSION;
use crate::cli::ClaimsArgs;
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::source;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::ledger::{self, Effort, LedgerDocument, LedgerError};
use strait_study::scenario::{Style, render_all};
use strait_training::simulate::Control;

/// Judges every claim and prints the ledger.
pub fn claims(
    args: &ClaimsArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let catalog = Catalog::embedded();
    let shelved = ledger::find(&args.files).map_err(failure)?;
    let overrides = source::overrides(&args.set, &[], args.seed);
    let books = ledger::load(&shelved, &catalog, &overrides, &args.only).map_err(failure)?;
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Progress::new(terminal, 1);
    let effort = Effort {
        draws: args.draws,
        control: Control {
            cancel,
            progress: &|share| progress.set(0, share),
            threads: args.threads.map_or_else(available, |n| n as usize),
            full_ranks: false,
            clock: &crate::clock::thread,
        },
    };
    let entries = ledger::judge(&books, &catalog, effort).map_err(failure)?;
    drop(progress);
    let document = LedgerDocument::new(VERSION, &shelved, args.draws, entries);
    if terminal.json() {
        terminal.object(&document)?;
    } else {
        terminal.result(&ledger::text(&document, terminal.style()))?;
    }
    Ok(ExitStatus::Done)
}

/// What a user is told of a ledger that can't be judged.
fn failure(error: LedgerError) -> Failure {
    let told = |error: &LedgerError, help: &str| {
        Failure::Input(format!("error[claims]: {error}\n  help: {help}"))
    };
    match &error {
        LedgerError::Cancelled => Failure::Interrupted,
        LedgerError::Faults(faults) => Failure::Input(render_all(faults, Style::Colour)),
        LedgerError::Unreadable { .. } => told(&error, "check the path and its permissions"),
        LedgerError::Empty { .. } | LedgerError::TooMany { .. } => {
            told(&error, "give scenario files, or a folder of them")
        }
        LedgerError::Duplicate { .. } => told(&error, "id = \"…\" in a [[claim]] names it"),
        LedgerError::Unknown { .. } => told(&error, "leave --only out to see all claims"),
        LedgerError::Quantity(_) => Failure::Unexpected(error.to_string()),
        LedgerError::Draw { .. } => told(&error, "narrow the range, or give one value"),
        LedgerError::Simulate { source, .. } => {
            let help = match source {
                strait_training::simulate::SimulateError::Invalid { remedy, .. } => remedy.clone(),
                strait_training::simulate::SimulateError::Cancelled => String::new(),
            };
            told(&error, &help)
        }
    }
}
