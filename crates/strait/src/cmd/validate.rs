//! `strait validate`: published runs, predicted.
//!
//! In: the published rows, or a user's table. Out: errors by family and by row. Never judges by
//! itself: only `--gate` turns an error into an exit status.

use super::figures::{pictures, save};
use crate::cli::ValidateArgs;
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::simulation::quoted;
use crate::terminal::{Terminal, complain};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::validate::gate::Golden;
use strait_study::validate::{self, Effort, Report, Row, page, rows, siblings, text};
use strait_study::{artifact, figures};

/// Predicts every row and reports.
pub fn validate(
    args: &ValidateArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    if args.columns {
        return columns(terminal);
    }
    pictures(&args.png, args.figures.is_some())?;
    if let Some(folder) = &args.figures {
        artifact::probe(folder)?;
    }
    let rows = selected(args)?;
    let catalog = Catalog::embedded();
    if let Some(id) = &args.show {
        return show(&rows, id, &catalog, terminal, cancel);
    }
    let report = predicted(&rows, args, &catalog, terminal, cancel)?;
    if terminal.json() {
        terminal.object(&report)?;
    } else {
        terminal.result(&text::text(&report, terminal.style()))?;
    }
    if let Some(path) = &args.page {
        let single = single_node(args, &catalog, terminal, cancel)?;
        write(path, &page::page(&report, &single, &catalog), terminal)?;
    }
    if let (Some(path), Some(reason)) = (&args.write_gate, &args.reason) {
        write(path, &Golden::of(&report, reason).text(), terminal)?;
    }
    if let Some(folder) = &args.figures {
        draw(&report, args, folder, terminal, cancel)?;
    }
    match &args.gate {
        Some(path) => gate(path, &report, terminal),
        None => Ok(ExitStatus::Done),
    }
}

/// Compares with the errors of a golden file.
fn gate(path: &Path, report: &Report, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let name = path.display().to_string();
    let golden = Golden::read(&name, &crate::source::table(path)?).map_err(|error| {
        Failure::Input(format!(
            "error: {error}\n  help: `strait validate --write-gate {name} --reason TEXT` writes one"
        ))
    })?;
    let worse = golden.worse(report);
    for line in &worse {
        complain(&format!("{} {line}", Terminal::error("error[gate]:")));
    }
    if worse.is_empty() {
        terminal.remark(&format!("no family is worse than in {name}"));
        return Ok(ExitStatus::Done);
    }
    complain(&format!(
        "  help: mend it, or write the file anew: strait validate --write-gate {name} --reason TEXT"
    ));
    Ok(ExitStatus::CheckFailed)
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str, terminal: &Terminal) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Failure::Input(format!(
            "error: {} names no file\n  help: give the name of a file to write",
            path.display()
        )));
    };
    artifact::write_all(folder, &[(name.to_owned(), text.to_owned())], &|| true)?;
    terminal.remark(&format!("wrote {}", path.display()));
    Ok(())
}

/// The single-node rows, for the page.
fn single_node(
    args: &ValidateArgs,
    catalog: &Catalog,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Report, Failure> {
    let (name, text) = validate::SINGLE_NODE;
    let rows = rows::read_single_node(name, text)
        .map_err(|error| Failure::Unexpected(error.to_string()))?;
    predicted(&siblings::filled(&rows), args, catalog, terminal, cancel)
}

/// Writes the figures, all or none.
fn draw(
    report: &Report,
    args: &ValidateArgs,
    folder: &Path,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let files = figures::validation(report, &command(args))
        .map_err(|error| Failure::Unexpected(error.to_string()))?;
    if files.is_empty() {
        terminal.remark("no row has a predicted step: nothing to draw");
        return Ok(());
    }
    save(folder, &files, &args.png, terminal, cancel)
}

/// The command that gives the report again, without options that only affect its form.
fn command(args: &ValidateArgs) -> String {
    let mut words = vec!["strait".to_owned(), "validate".to_owned()];
    if let Some(path) = &args.rows {
        words.extend(["--rows".to_owned(), quoted(&path.display().to_string())]);
    }
    if args.single_node {
        words.push("--single-node".to_owned());
    }
    for text in &args.only {
        words.extend(["--only".to_owned(), quoted(text)]);
    }
    words.join(" ")
}

fn columns(terminal: &Terminal) -> Result<ExitStatus, Failure> {
    if terminal.json() {
        let list: Vec<_> = (rows::COLUMNS.iter())
            .map(|(name, meaning)| {
                serde_json::json!({
                    "name": name,
                    "meaning": meaning,
                    "required": rows::REQUIRED.contains(name),
                })
            })
            .collect();
        terminal.object(&list)?;
        return Ok(ExitStatus::Done);
    }
    let text: String = (rows::COLUMNS.iter())
        .map(|(name, meaning)| {
            let mark = if rows::REQUIRED.contains(name) {
                "*"
            } else {
                " "
            };
            format!("{mark} {name:<18} {meaning}\n")
        })
        .collect();
    terminal.result(&format!(
        "{text}\n* required; the others where they are known\n"
    ))?;
    Ok(ExitStatus::Done)
}

/// The rows that are asked for, with what siblings in the whole table print.
fn selected(args: &ValidateArgs) -> Result<Vec<Row>, Failure> {
    let bad = |error: validate::TableError| Failure::Input(format!("error: {error}"));
    let all = match (&args.rows, args.single_node) {
        (Some(path), _) => {
            let text = crate::source::table(path)?;
            rows::read(&path.display().to_string(), &text).map_err(bad)?
        }
        (None, true) => {
            let (name, text) = validate::SINGLE_NODE;
            rows::read_single_node(name, text).map_err(bad)?
        }
        (None, false) => {
            let (name, text) = validate::SHIPPED;
            rows::read(name, text).map_err(bad)?
        }
    };
    let wanted = |row: &Row| {
        args.only.is_empty()
            || args.only.iter().any(|text| {
                ["id", "source", "model", "gpu"]
                    .iter()
                    .any(|column| row.says(column, text))
            })
    };
    // Before any row is left out: what a row borrows must not depend on which are asked for.
    let chosen: Vec<Row> = (siblings::filled(&all).into_iter())
        .filter(wanted)
        .collect();
    // An empty table is a table; a word that no row holds is a slip.
    if chosen.is_empty() && !args.only.is_empty() {
        return Err(Failure::Input(format!(
            "error: no row has an id, source, model or accelerator with \"{}\" in it\n  help: leave --only out to see all rows",
            args.only.join("\" or \"")
        )));
    }
    Ok(chosen)
}

fn show(
    rows: &[Row],
    id: &str,
    catalog: &Catalog,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let Some(row) = rows.iter().find(|row| row.id() == id) else {
        return Err(Failure::Input(format!(
            "error: no row is called \"{id}\"\n  help: `strait validate -v` lists all of them"
        )));
    };
    match validate::scenario_of(row, catalog, cancel) {
        Ok(text) => terminal.result(&text)?,
        Err(reason) => {
            return Err(Failure::Input(format!(
                "error: {id} has no scenario: {reason}"
            )));
        }
    }
    Ok(ExitStatus::Done)
}

fn predicted(
    rows: &[Row],
    args: &ValidateArgs,
    catalog: &Catalog,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Report, Failure> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Progress::new(terminal, 1);
    let total = rows.len().max(1) as f64;
    let effort = Effort {
        threads: args.threads.map_or_else(available, |n| n as usize),
        cancel,
        progress: &|done| progress.set(0, done as f64 / total),
    };
    validate::validate(rows, catalog, effort).ok_or(Failure::Interrupted)
}
