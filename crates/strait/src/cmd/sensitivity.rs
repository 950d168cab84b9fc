//! `strait sensitivity`: what moves an answer.

use super::figures;
use crate::VERSION;
use crate::cli::sensitivity::SensitivityArgs;
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::simulation;
use crate::source;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Style, Template, render_all};
use strait_study::sensitivity::figures as pictures;
use strait_study::sensitivity::request::Values;
use strait_study::sensitivity::{self, Request, SensitivityError, Subject, table, text};
use strait_training::simulate::Control;

/// Varies the inputs of one case and prints what that does.
pub fn sensitivity(
    args: &SensitivityArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    figures::probe(&args.run)?;
    let cases = simulation::load(&args.run.scenario)?;
    let ([path], [case]) = (args.run.scenario.scenarios.as_slice(), cases.as_slice()) else {
        let names: Vec<&str> = cases.iter().map(|case| case.case.name.as_str()).collect();
        return Err(Failure::Input(format!(
            "{}: sensitivity is of one case\n  = help: give one scenario, and choose with --case: {}",
            Terminal::error("error"),
            names.join(", ")
        )));
    };
    simulation::contradictions(&cases)?;
    let catalog = Catalog::embedded();
    let given = &args.run.scenario;
    let overrides = source::overrides(&given.set, &given.cases, given.seed);
    let template = Template::load(path, &catalog, &overrides)
        .map_err(|faults| Failure::Input(render_all(&faults, Style::Colour)))?;
    let command = command(args);
    let subject = Subject {
        path,
        template: &template,
        catalog: &catalog,
        resolved: &case.resolved,
        title: &case.file.title,
        question: &case.file.question,
        version: VERSION,
        command: &command,
    };
    let request = Request {
        over: args.over.clone(),
        by: args.by,
        metrics: args.metrics.clone(),
        grid: args.grid,
        steps: args.steps,
        ratio: args.ratio,
    };
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Progress::new(terminal, 1);
    let report = |share| progress.set(0, share);
    let control = Control {
        cancel,
        progress: &report,
        threads: args.run.threads.map_or_else(available, |n| n as usize),
        full_ranks: args.run.full_ranks,
        clock: &crate::clock::thread,
    };
    let study = sensitivity::study(&subject, &request, control);
    drop(progress);
    let document = study.map_err(|error| failure(error, case))?;
    if terminal.json() {
        terminal.object(&document)?;
    } else {
        terminal.result(&text::text(&document, terminal.style()))?;
    }
    if let Some(folder) = &args.run.figures {
        let mut files =
            pictures::draw(&document).map_err(|error| Failure::Unexpected(error.to_string()))?;
        files.extend(table::files(&document));
        figures::save(folder, &files, &args.run.png, terminal, cancel)?;
    }
    Ok(ExitStatus::Done)
}

/// The command that gives the study again.
fn command(args: &SensitivityArgs) -> String {
    let mut text = simulation::command("sensitivity", &args.run, None);
    let mut add = |word: &str, value: &str| {
        text += &format!(" {word} {}", simulation::quoted(value));
    };
    for over in &args.over {
        let values = match &over.values {
            Values::Span(low, high) => format!("{low}..{high}"),
            Values::List(values) => values.join(","),
        };
        add("--over", &format!("{}={values}", over.path));
    }
    if let Some(by) = args.by {
        add("--by", &by.to_string());
    }
    let metrics: Vec<&str> = args.metrics.iter().map(|metric| metric.id()).collect();
    if metrics != ["cost"] {
        add("--metric", &metrics.join(","));
    }
    if args.ratio {
        text += " --ratio";
    }
    if args.grid {
        text += " --grid";
        text += &format!(" --steps {}", args.steps);
    }
    text
}

fn failure(error: SensitivityError, case: &source::SourceCase) -> Failure {
    match error {
        SensitivityError::Cancelled => Failure::Interrupted,
        SensitivityError::Faults(faults) => Failure::Input(render_all(&faults, Style::Colour)),
        SensitivityError::Simulate { at, source } => {
            let told = source::contradiction(case, &source);
            Failure::Input(format!("{}\n  = help: {at}", told.trim_end()))
        }
        SensitivityError::Request { message, help } => Failure::Input(format!(
            "{}: {message}\n  = help: {help}",
            Terminal::error("error[sensitivity]")
        )),
    }
}
