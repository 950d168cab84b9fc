//! `strait rules`: what export rules said of a chip, and when.

use super::figures::save;
use crate::cli::{ClassifyArgs, CostArgs, RulesCommand, ScenarioArgs, TimelineArgs};
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::simulation::{self, quoted};
use crate::source;
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::rules::cost::{self, Cost, CostError, Request};
use strait_study::search::Workers;
use strait_study::{artifact, figures};

/// Classifies chips or shows the rules in order of time. A verdict never changes the exit status.
pub fn rules(
    command: &RulesCommand,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    match command {
        RulesCommand::Cost(args) => cost(args, terminal, cancel),
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

/// What each rule set costs.
fn cost(args: &CostArgs, terminal: &Terminal, cancel: &AtomicBool) -> Result<(), Failure> {
    if let Some(folder) = &args.figures {
        artifact::probe(folder)?;
    }
    let scenario = ScenarioArgs {
        scenarios: vec![args.scenario.clone()],
        cases: args.case.iter().cloned().collect(),
        set: args.set.clone(),
        seed: None,
    };
    let cases = simulation::load(&scenario)?;
    let [case] = cases.as_slice() else {
        let names: Vec<&str> = cases.iter().map(|c| c.case.name.as_str()).collect();
        return Err(Failure::Input(format!(
            "{}: {} has {} cases, and one is asked about at a time\n  = help: name it with --case: {}",
            Terminal::error("error"),
            args.scenario.display(),
            cases.len(),
            names.join(", ")
        )));
    };
    simulation::contradictions(&cases)?;
    let catalog = Catalog::embedded();
    let (book, own) = source::book(&catalog, &args.rules)?;
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(available, |n| n as usize);
    let progress = Progress::new(terminal, 1);
    let name = args.scenario.display().to_string();
    let answer = cost::cost(&Request {
        scenario: &name,
        case: &case.case,
        catalog: &catalog,
        book: &book,
        own: &own,
        to: source::destination(args.to.as_ref())?,
        workers: Workers { threads, cancel },
        progress: &|_, share| progress.set(0, share),
    });
    drop(progress);
    let answer = answer.map_err(|error| match error {
        CostError::Cancelled => Failure::Interrupted,
        other => Failure::Input(format!("{}: {other}", Terminal::error("error[rules]"))),
    })?;
    if terminal.json() {
        terminal.object(&cost::document(&answer))?;
    } else {
        terminal.result(&cost::text(&answer, terminal.style()))?;
    }
    match &args.figures {
        Some(folder) => draw(&answer, args, folder, terminal, cancel),
        None => Ok(()),
    }
}

/// Writes the figure and its data.
fn draw(
    answer: &Cost,
    args: &CostArgs,
    folder: &Path,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let files = figures::rules_cost(answer, &command(args))
        .map_err(|error| Failure::Unexpected(error.to_string()))?;
    save(folder, &files, &args.png, terminal, cancel)
}

/// The command that gives the answer again.
fn command(args: &CostArgs) -> String {
    let mut words = vec!["strait".to_owned(), "rules".to_owned(), "cost".to_owned()];
    words.push(quoted(&args.scenario.display().to_string()));
    for (option, values) in [
        ("--case", args.case.iter().cloned().collect::<Vec<_>>()),
        ("--set", args.set.clone()),
        (
            "--rules",
            args.rules.iter().map(|p| p.display().to_string()).collect(),
        ),
        ("--to", args.to.iter().cloned().collect()),
    ] {
        for value in values {
            words.extend([option.to_owned(), quoted(&value)]);
        }
    }
    words.join(" ")
}
