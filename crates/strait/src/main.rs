//! The `strait` command: questions in, answers out.
//!
//! In: arguments and scenario files. Out: a result on stdout, everything else on stderr,
//! and a documented exit status. Never computes: that is what the crates below are for.

mod cli;
mod clock;
mod cmd;
mod exit;
mod interrupt;
mod progress;
mod simulation;
mod source;
mod terminal;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;
use terminal::Terminal;

/// A quarter of a sweep's time went into the system's allocator; this one takes a third of that
/// (`docs/src/decisions/0017-allocator.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    exit::apologise_for_panics();
    let status = match Cli::try_parse() {
        Ok(cli) => interrupt::supervise(move |cancel| {
            let terminal = Terminal::new(&cli.common);
            match cmd::dispatch(cli, &terminal, cancel) {
                Ok(status) => status,
                Err(failure) => terminal.report(&failure),
            }
        }),
        Err(message) => terminal::usage(&message),
    };
    ExitCode::from(status)
}

/// The version that answers name.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
