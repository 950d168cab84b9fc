//! `strait report`: results as one page.

use super::figures;
use crate::VERSION;
use crate::cli::plot::PngArgs;
use crate::cli::report::ReportArgs;
use crate::cli::{RunArgs, ScenarioArgs};
use crate::exit::{ExitStatus, Failure};
use crate::simulation::{self, quoted};
use crate::terminal::Terminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use strait_study::artifact;
use strait_study::report::{self, Answered, Imprint, Piece, ReportError};

/// Reads results, simulates scenarios, and writes the page: whole or not at all.
pub fn report(
    args: &ReportArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let (folder, name) = place(&args.output)?;
    artifact::probe_file(&args.output)?;
    let is_scenario = |path: &&PathBuf| path.extension().is_some_and(|e| e == "toml");
    let (scenarios, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.results.iter().partition(is_scenario);
    if scenarios.is_empty()
        && (!args.cases.is_empty() || !args.set.is_empty() || args.seed.is_some())
    {
        return Err(Failure::Input(format!(
            "{}: --case, --set and --seed are for scenarios, and none is given\n  = help: give a scenario \
             (.toml), or leave them out",
            Terminal::error("error[report]")
        )));
    }
    // All files are read before anything is simulated, so that a wrong one is told at once.
    let mut read = Vec::new();
    let mut complaints: Vec<String> = Vec::new();
    for path in files {
        match report::read(path) {
            Ok(piece) => read.push(piece),
            Err(error) => complaints.push(told(&error)),
        }
    }
    if !complaints.is_empty() {
        return Err(Failure::Input(complaints.join("\n")));
    }
    let mut pieces = Vec::new();
    let mut status = ExitStatus::Done;
    if !scenarios.is_empty() {
        let run = RunArgs {
            scenario: ScenarioArgs {
                scenarios: scenarios.into_iter().cloned().collect(),
                cases: args.cases.clone(),
                set: args.set.clone(),
                seed: args.seed,
            },
            threads: args.threads,
            full_ranks: false,
            figures: None,
            png: PngArgs {
                png: false,
                png_scale: 1.0,
            },
        };
        let answer = simulation::answer("run", &run, Some(args.draws), terminal, cancel)?;
        status = figures::status(&answer);
        let answered = Answered::simulated(&answer).map_err(|error| unexpected(&error))?;
        pieces.push(Piece::Answered(Box::new(answered)));
    }
    pieces.extend(read);
    let imprint = Imprint {
        version: VERSION.to_owned(),
        command: command(args),
    };
    let page = report::page(&pieces, &imprint).map_err(|error| unexpected(&error))?;
    let bytes = page.len();
    let keep_going = || !cancel.load(Ordering::Relaxed);
    if !artifact::write_all(folder, &[(name, page)], &keep_going)? {
        return Err(Failure::Interrupted);
    }
    let file = args.output.display();
    if terminal.json() {
        terminal.object(&serde_json::json!({ "file": file.to_string(), "bytes": bytes }))?;
    } else {
        terminal.result(&format!("wrote {file} ({:.0} kB)", bytes as f64 / 1000.0))?;
    }
    Ok(status)
}

/// Folder and name of the page.
fn place(output: &Path) -> Result<(&Path, String), Failure> {
    let name = output.file_name().and_then(|name| name.to_str());
    let (Some(name), false) = (name, output.is_dir()) else {
        return Err(Failure::Input(format!(
            "{}: `{}` is no file to write\n  = help: name one, such as report.html",
            Terminal::error("error[report]"),
            output.display()
        )));
    };
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok((folder, name.to_owned()))
}

fn told(error: &ReportError) -> String {
    let help = match error.help() {
        "" => String::new(),
        help => format!("\n  = help: {help}"),
    };
    format!("{}: {error}{help}", Terminal::error("error[report]"))
}

fn unexpected(error: &ReportError) -> Failure {
    Failure::Unexpected(error.to_string())
}

/// The command that gives the page again.
fn command(args: &ReportArgs) -> String {
    let mut words = vec!["strait report".to_owned()];
    words.extend(
        args.results
            .iter()
            .map(|path| quoted(&path.display().to_string())),
    );
    for case in &args.cases {
        words.push(format!("--case {}", quoted(case)));
    }
    for set in &args.set {
        words.push(format!("--set {}", quoted(set)));
    }
    if let Some(seed) = args.seed {
        words.push(format!("--seed {seed}"));
    }
    if args.draws != 2000 {
        words.push(format!("--draws {}", args.draws));
    }
    // Where the page lies changes nothing on it.
    let name = args
        .output
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    words.push(format!("-o {}", quoted(&name)));
    words.join(" ")
}
