//! `strait completions`: for shells.

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use clap::CommandFactory;

/// Prints a completion script.
pub fn completions(args: &CompletionsArgs, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "strait", &mut script);
    terminal.result(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Done)
}
