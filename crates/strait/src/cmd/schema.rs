//! `strait schema`: JSON Schemas for editors and scripts.

use crate::cli::{SchemaArgs, SchemaOf};
use crate::exit::{ExitStatus, Failure};
use crate::source;
use crate::terminal::Terminal;
use strait_study::answer::document;
use strait_study::search;

/// Prints one schema.
pub fn schema(args: &SchemaArgs, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let text = match args.what {
        SchemaOf::Scenario => source::schema(),
        SchemaOf::Run => document::schema(),
        SchemaOf::Compare => document::compare_schema(),
        SchemaOf::Search => search::document::schema(),
        SchemaOf::Sensitivity => strait_study::sensitivity::document::schema(),
    };
    terminal.result(&text)?;
    Ok(ExitStatus::Done)
}
