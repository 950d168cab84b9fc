//! `strait run`: a scenario's answer.

use super::figures;
use crate::cli::DrawArgs;
use crate::exit::{ExitStatus, Failure};
use crate::simulation;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::answer::{RunDocument, text};

/// Simulates every case, prints the answer, and tests the file's expectations.
pub fn run(
    args: &DrawArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let DrawArgs { run: args, draws } = args;
    figures::probe(args)?;
    let answer = simulation::answer("run", args, *draws, terminal, cancel)?;
    let document = RunDocument::from(&answer);
    if terminal.json() {
        terminal.object(&document)?;
    } else {
        terminal.result(&text::run(&answer, terminal.style()))?;
    }
    figures::write(args, &answer, &document.digest, terminal, cancel)?;
    Ok(figures::status(&answer))
}
