//! `strait explain`: every value of a scenario and where it comes from.

use crate::cli::ScenarioArgs;
use crate::exit::{ExitStatus, Failure};
use crate::source;
use crate::terminal::Terminal;

/// Prints the resolved values of each scenario.
pub fn explain(args: &ScenarioArgs, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let texts: Result<Vec<String>, Failure> = (args.scenarios.iter())
        .map(|path| source::explain(path, args, terminal.json()))
        .collect();
    terminal.result(&texts?.join("\n"))?;
    Ok(ExitStatus::Done)
}
