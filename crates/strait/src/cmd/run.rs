//! `strait run`: a scenario's answer.

use super::figures;
use crate::cli::RunArgs;
use crate::exit::{ExitStatus, Failure};
use crate::simulation;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::answer::{RunDocument, text};

/// Simulates every case, prints the answer, and tests the file's expectations.
pub fn run(
    args: &RunArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    figures::probe(args)?;
    let answer = simulation::answer("run", args, terminal, cancel)?;
    let document = RunDocument::from(&answer);
    if terminal.json() {
        terminal.object(&document)?;
    } else {
        terminal.result(&text::run(&answer, terminal.style()))?;
    }
    figures::write(args, &answer, &document.digest, terminal, cancel)?;
    Ok(figures::status(&answer))
}
