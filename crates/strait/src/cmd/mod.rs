//! One module for each command.
//!
//! In: parsed arguments. Out: an exit status, or the failure. Each command is a short
//! list of steps; none computes.

mod bench;
mod calibrate;
mod catalog;
mod check;
mod claims;
mod compare;
mod completions;
mod explain;
mod figures;
mod plot;
mod report;
mod rules;
mod run;
mod schema;
mod search;
mod sensitivity;
mod sweep;
mod trace;
mod validate;

use crate::cli::{Cli, Command};
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;

/// Runs the command of a command line.
pub fn dispatch(cli: Cli, terminal: &Terminal, cancel: &AtomicBool) -> Result<ExitStatus, Failure> {
    match cli.command {
        Command::Run(args) => run::run(&args, terminal, cancel),
        Command::Compare(args) => compare::compare(&args, terminal, cancel),
        Command::Check(args) => check::check(&args, terminal),
        Command::Explain(args) => explain::explain(&args, terminal),
        Command::Schema(args) => schema::schema(&args, terminal),
        Command::Report(args) => report::report(&args, terminal, cancel),
        Command::Sensitivity(args) => sensitivity::sensitivity(&args, terminal, cancel),
        Command::Trace(args) => trace::trace(&args, terminal, cancel),
        Command::Validate(args) => validate::validate(&args, terminal, cancel),
        Command::Claims(args) => claims::claims(&args, terminal, cancel),
        Command::Plot(args) => plot::plot(&args, terminal, cancel),
        Command::Sweep(command) => sweep::sweep(&command, terminal, cancel),
        Command::Calibrate(args) => calibrate::calibrate(&args, terminal, cancel),
        Command::Search(args) => search::search(&args, terminal, cancel),
        Command::Bench => bench::bench(terminal, cancel),
        Command::Catalog(command) => catalog::catalog(&command, terminal),
        Command::Rules(command) => rules::rules(&command, terminal, cancel),
        Command::Completions(args) => completions::completions(&args, terminal),
    }
}
