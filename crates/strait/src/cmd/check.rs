//! `strait check`: every error of a scenario, without simulating.

use crate::cli::ScenarioArgs;
use crate::exit::{ExitStatus, Failure};
use crate::simulation;
use crate::terminal::Terminal;

/// Loads scenarios and tests that their settings agree with each other.
pub fn check(args: &ScenarioArgs, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let cases = simulation::load(args)?;
    simulation::contradictions(&cases)?;
    for case in &cases {
        for warning in &case.warnings {
            terminal.remark(&format!("warning: {}: {warning}", case.case.name));
        }
    }
    let names: Vec<&str> = cases.iter().map(|case| case.case.name.as_str()).collect();
    if terminal.json() {
        terminal.object(&serde_json::json!({ "ok": true, "cases": names }))?;
    } else {
        terminal.result(&format!("no errors; cases: {}", names.join(", ")))?;
    }
    Ok(ExitStatus::Done)
}
