//! `strait compare`: differences between cases and where they come from.

use super::figures;
use crate::cli::RunArgs;
use crate::exit::{ExitStatus, Failure};
use crate::simulation;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::answer::{Comparison, text};

/// Simulates every case and compares all others with the first.
pub fn compare(
    args: &RunArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    figures::probe(args)?;
    let answer = simulation::answer("compare", args, None, terminal, cancel)?;
    let Some(comparison) = Comparison::new(&answer).filter(|_| answer.cases.len() > 1) else {
        return Err(Failure::Input(format!(
            "{}: nothing to compare: `{}` is one case\n  = help: name a second scenario, or one with \
             several cases",
            Terminal::error("error"),
            answer.question.scenario
        )));
    };
    if terminal.json() {
        terminal.object(&comparison)?;
    } else {
        terminal.result(&text::compare(&answer, &comparison, terminal.style()))?;
    }
    figures::write(args, &answer, &comparison.digest, terminal, cancel)?;
    Ok(figures::status(&answer))
}
