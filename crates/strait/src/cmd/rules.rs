//! `strait rules`: what export rules said of a chip, and when.

use crate::cli::{ClassifyArgs, RulesCommand, TimelineArgs};
use crate::exit::{ExitStatus, Failure};
use crate::source;
use crate::terminal::Terminal;

/// Classifies chips or shows the rules in order of time. A verdict never changes the exit status.
pub fn rules(command: &RulesCommand, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    match command {
        RulesCommand::Classify(args) => classify(args, terminal),
        RulesCommand::Timeline(args) => timeline(args, terminal),
    }?;
    Ok(ExitStatus::Done)
}

fn classify(args: &ClassifyArgs, terminal: &Terminal) -> Result<(), Failure> {
    let (text, remarks) = source::classify(args, terminal.json(), terminal.style().detail)?;
    for remark in remarks {
        terminal.remark(&remark);
    }
    terminal.result(&text)
}

fn timeline(args: &TimelineArgs, terminal: &Terminal) -> Result<(), Failure> {
    terminal.result(&source::timeline(
        args,
        terminal.json(),
        terminal.style().detail,
    )?)
}
