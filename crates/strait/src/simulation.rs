//! From a command line to an answer: load, check, simulate, judge.
//!
//! In: the arguments of `run` and `compare`. Out: an [`Answer`]. The order of the cases is
//! the scenario's, whatever thread has simulated them. Never prints a result.

use crate::VERSION;
use crate::cli::{RunArgs, ScenarioArgs};
use crate::clock::Clock;
use crate::exit::Failure;
use crate::progress::Progress;
use crate::source::{self, SourceCase};
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use strait_study::answer::{Answer, CaseAnswer, Effort, Question};
use strait_study::catalog::Catalog;
use strait_study::chance::{ChanceError, Prepared, Study};
pub use strait_study::sweep::text::quoted;
use strait_training::outcome::Outcome;
use strait_training::run::{Steps, compose, steps};
use strait_training::simulate::{Control, SimulateError, check};

/// Stack of a thread that simulates.
const STACK: usize = 16 << 20;

/// Answers all cases of all scenarios. `verb` is the command's name, for the reproduce line; with
/// `draws` an answer says how sure it is.
pub fn answer(
    verb: &str,
    args: &RunArgs,
    draws: Option<u32>,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Answer, Failure> {
    let cases = load(&args.scenario)?;
    contradictions(&cases)?;
    let question = Question {
        version: VERSION.to_owned(),
        scenario: (args.scenario.scenarios.iter())
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" "),
        seed: cases.first().map_or(0, |case| case.case.seed),
        command: command(verb, args, draws),
    };
    let outcomes = outcomes(&cases, args, draws, terminal, cancel)?;
    for (case, (_, _, effort)) in cases.iter().zip(&outcomes) {
        terminal.aside(&format!(
            "{}: simulated in {:.2} s of CPU time, {:.2} s elapsed",
            case.case.name, effort.cpu_s, effort.wall_s
        ));
    }
    let about = source::about(&cases, question.command.clone());
    let cases = (cases.into_iter().zip(outcomes))
        .map(|(case, (outcome, uncertainty, effort))| {
            let answer = CaseAnswer::new(
                case.setting(),
                outcome,
                &case.claims,
                &case.expects,
                case.warnings,
                effort,
            );
            CaseAnswer {
                uncertainty,
                ..answer
            }
        })
        .collect();
    Ok(Answer {
        question,
        cases,
        about: Some(about),
    })
}

/// Loads all scenarios; where cases of several files share a name, the file's goes before it.
pub fn load(args: &ScenarioArgs) -> Result<Vec<SourceCase>, Failure> {
    let mut cases: Vec<SourceCase> = Vec::new();
    let mut files: Vec<&Path> = Vec::new();
    let mut complaints = String::new();
    for path in &args.scenarios {
        match source::load(path, args) {
            Ok(source) => {
                files.extend(source.cases.iter().map(|_| path.as_path()));
                cases.extend(source.cases);
            }
            // Errors of all files at once.
            Err(Failure::Input(message)) => {
                if !complaints.is_empty() {
                    complaints.push('\n');
                }
                complaints += &message;
            }
            Err(other) => return Err(other),
        }
    }
    if !complaints.is_empty() {
        return Err(Failure::Input(complaints));
    }
    let names: Vec<String> = cases.iter().map(|case| case.case.name.clone()).collect();
    for (index, name) in names.iter().enumerate() {
        if names.iter().filter(|other| *other == name).count() > 1 {
            // A file that is one case gives it its own name: only its folder tells it apart.
            cases[index].case.name = if *name == stem(files[index]) {
                files[index].display().to_string()
            } else {
                format!("{}/{name}", stem(files[index]))
            };
            // The same file more than once.
            let before = (0..index).filter(|i| names[*i] == *name && files[*i] == files[index]);
            match before.count() {
                0 => {}
                count => cases[index].case.name += &format!(" #{}", count + 1),
            }
        }
    }
    Ok(cases)
}

/// A file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or(String::new(), |stem| stem.to_string_lossy().into_owned())
}

/// Reports every contradiction between the settings of every case.
pub fn contradictions(cases: &[SourceCase]) -> Result<(), Failure> {
    let found: Vec<String> = (cases.iter())
        .flat_map(|case| {
            check(&case.case)
                .into_iter()
                .map(|e| source::contradiction(case, &e))
        })
        .collect();
    if found.is_empty() {
        Ok(())
    } else {
        Err(Failure::Input(found.join("\n")))
    }
}

/// Simulates all cases on up to `threads` threads; the first error in their order counts.
fn outcomes(
    cases: &[SourceCase],
    args: &RunArgs,
    draws: Option<u32>,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Vec<(Outcome, Option<Study>, Effort)>, Failure> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(available, |n| n as usize);
    // Threads that are left over when every case has one simulate the case's other steps.
    let inside = (threads / cases.len().max(1)).max(1);
    let progress = Progress::new(terminal, cases.len());
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<_>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { break };
            // Draws take about as long as the steps that they start from, or longer.
            let share = if draws.is_some() { 0.3 } else { 1.0 };
            let report = |done| progress.set(index, done * share);
            let control = Control {
                cancel,
                progress: &report,
                threads: inside,
                full_ranks: args.full_ranks,
                clock: &crate::clock::thread,
            };
            let clock = Clock::start();
            let simulated = steps(&case.case, control)
                .and_then(|steps| Ok((compose(&case.case, &steps)?, steps)))
                .map_err(Stopped::Contradiction);
            let wall_s = clock.elapsed();
            let result = simulated.and_then(|(outcome, steps)| {
                let report = |done| progress.set(index, share + done * (1.0 - share));
                let control = Control {
                    progress: &report,
                    ..control
                };
                let study = draws
                    .map(|draws| study(case, &steps, draws, control))
                    .transpose()?;
                let effort = Effort {
                    cpu_s: outcome.cpu_seconds,
                    wall_s,
                };
                Ok((outcome, study, effort))
            });
            if let Ok(mut slot) = slots[index].lock() {
                *slot = Some(result);
            }
        }
    };
    std::thread::scope(|scope| -> Result<(), Failure> {
        for _ in 1..threads.min(cases.len()) {
            (std::thread::Builder::new().stack_size(STACK))
                .spawn_scoped(scope, work)
                .map_err(|error| Failure::Temporary {
                    message: format!("can't start a thread: {error}"),
                    remedy: "use fewer with --threads".to_owned(),
                })?;
        }
        work();
        Ok(())
    })?;
    drop(progress);
    if cancel.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    let mut outcomes = Vec::with_capacity(cases.len());
    for (case, slot) in cases.iter().zip(slots) {
        let result = slot.into_inner().ok().flatten();
        match result {
            Some(Ok(outcome)) => outcomes.push(outcome),
            Some(Err(Stopped::Contradiction(SimulateError::Cancelled)))
            | Some(Err(Stopped::Draws(ChanceError::Cancelled))) => {
                return Err(Failure::Interrupted);
            }
            Some(Err(Stopped::Contradiction(error))) => {
                return Err(Failure::Input(source::contradiction(case, &error)));
            }
            Some(Err(Stopped::Draws(error))) => {
                return Err(Failure::Input(source::draws(case, &error)));
            }
            None => {
                let message = format!("case \"{}\" was not simulated", case.case.name);
                return Err(Failure::Unexpected(message));
            }
        }
    }
    Ok(outcomes)
}

/// Why a case has no answer.
enum Stopped {
    /// Settings contradict each other.
    Contradiction(SimulateError),
    /// Values of its ranges do.
    Draws(ChanceError),
}

/// How sure the answer to a case is.
fn study(
    case: &SourceCase,
    steps: &Steps,
    draws: u32,
    control: Control<'_>,
) -> Result<Study, Stopped> {
    let catalog = Catalog::embedded();
    Prepared::new(&case.resolved, &catalog, steps, control)
        .and_then(|prepared| prepared.study(&case.asked, draws, control))
        .map_err(Stopped::Draws)
}

/// The command that gives an answer again, quoted for a POSIX shell.
pub fn command(verb: &str, args: &RunArgs, draws: Option<u32>) -> String {
    let mut words = vec!["strait".to_owned(), verb.to_owned()];
    let scenario = &args.scenario;
    words.extend(
        scenario
            .scenarios
            .iter()
            .map(|path| quoted(&path.display().to_string())),
    );
    for case in &scenario.cases {
        words.extend(["--case".to_owned(), quoted(case)]);
    }
    for set in &scenario.set {
        words.extend(["--set".to_owned(), quoted(set)]);
    }
    if let Some(seed) = scenario.seed {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    if args.full_ranks {
        words.push("--full-ranks".to_owned());
    }
    if let Some(draws) = draws {
        words.extend(["--draws".to_owned(), draws.to_string()]);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        for (word, expected) in [
            ("a/b-c.toml", "a/b-c.toml"),
            ("prices.rent=2 USD/h", "'prices.rent=2 USD/h'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
