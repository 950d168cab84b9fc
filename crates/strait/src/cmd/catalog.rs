//! `strait catalog`: what is known about hardware and models, with sources.

use crate::cli::CatalogCommand;
use crate::exit::{ExitStatus, Failure};
use crate::source;
use crate::terminal::Terminal;

/// Lists ids or shows an entry.
pub fn catalog(command: &CatalogCommand, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    terminal.result(&source::catalog(command, terminal.json())?)?;
    Ok(ExitStatus::Done)
}
