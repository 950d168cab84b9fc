//! `strait search`: the best layout of a model on a cluster, and what was left out.

use super::figures::write_all;
use crate::cli::search::{By, SIMULATE, SearchArgs, SpaceArg, TOP};
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::simulation::quoted;
use crate::source;
use crate::terminal::Terminal;
use std::sync::atomic::AtomicBool;
use strait_study::artifact;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Diagnostic, Overrides, Style, render_all};
use strait_study::search::answer::{self, Options, Request, Variant};
use strait_study::search::axis::Axes;
use strait_study::search::open::{Opened, on_nodes, open};
use strait_study::search::{Objective, Workers, document, tables, text};
use strait_training::simulate::SimulateError;

/// Combinations from which on a search says that it may take long; a core looks at a million or two a second
/// where most are refused, and at far fewer where they fit.
const MANY: u64 = 300_000_000;

/// Searches, and prints what was found. That nothing fits is an answer too.
pub fn search(
    args: &SearchArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    if let Some(folder) = &args.out {
        artifact::probe(folder)?;
    }
    let axes = Axes::new(args.axes.clone()).map_err(|error| wrong(&error.to_string(), ""))?;
    let sizes = sizes(args, &axes)?;
    let largest = (sizes.iter().flatten())
        .map(|variant| variant.case.cluster.accelerator.memory)
        .max();
    if let (Some(asked), Some(largest)) = (args.memory, largest)
        && asked > largest
    {
        terminal.remark(&format!(
            "--memory {asked} limits nothing: an accelerator has {:.1} GB",
            largest.as_f64() / 1e9
        ));
    }
    let options = Options {
        objective: args.by.into(),
        best: args.top as usize,
        simulated: args.simulate as usize,
        exhaustive: args.exhaustive,
        wide: args.space == SpaceArg::Wide,
        axes,
        memory: args.memory,
    };
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(available, |n| n as usize);
    let progress = Progress::new(terminal, 1);
    let request = Request {
        scenario: &args.scenario.display().to_string(),
        command: &command(args),
        sizes: &sizes,
        compare_sizes: !(args.gpus.is_empty() && args.nodes.is_empty()),
        options: &options,
        workers: Workers { threads, cancel },
        progress: &|share| progress.set(0, share),
    };
    let combinations = answer::combinations(&request);
    if combinations > MANY {
        terminal.remark(&format!(
            "{} million combinations are looked at, which may take many minutes: narrow them with --axis, or stop \
             with Ctrl-C",
            combinations / 1_000_000
        ));
    }
    let found = answer::answer(&request);
    drop(progress);
    let found = found.map_err(|error| match error {
        SimulateError::Cancelled => Failure::Interrupted,
        SimulateError::Invalid {
            message, remedy, ..
        } => wrong(&message, &remedy),
    })?;
    if terminal.json() {
        terminal.object(&document::document(&found))?;
    } else {
        terminal.result(&text::text(&found, terminal.style()))?;
    }
    if let Some(folder) = &args.out {
        let files: Vec<(String, Vec<u8>)> = (tables::tables(&found).into_iter())
            .map(|(name, text)| (name, text.into_bytes()))
            .collect();
        write_all(folder, &files, terminal, cancel)?;
    }
    Ok(ExitStatus::Done)
}

fn wrong(message: &str, help: &str) -> Failure {
    let head = Terminal::error("error[search]");
    Failure::Input(match help {
        "" => format!("{head}: {message}"),
        help => format!("{head}: {message}\n  = help: {help}"),
    })
}

fn faults(faults: Vec<Diagnostic>) -> Failure {
    Failure::Input(render_all(&faults, Style::Colour))
}

/// The case in its precision recipes, for each number of accelerators that is asked about.
fn sizes(args: &SearchArgs, axes: &Axes) -> Result<Vec<Vec<Variant>>, Failure> {
    let catalog = Catalog::embedded();
    let names: Vec<String> = args.case.iter().cloned().collect();
    let base = source::overrides(&args.set, &names, args.seed);
    let recipes: Vec<Overrides> = match axes.recipes() {
        list if list.is_empty() => vec![base.clone()],
        list => (list.into_iter())
            .map(|recipe| {
                let mut with = base.clone();
                let value = recipe.to_owned();
                with.set.push(("precision.recipe".to_owned(), value));
                with
            })
            .collect(),
    };
    let opened = |with: Overrides| {
        let case = one(args, open(&args.scenario, &catalog, &with).map_err(faults)?)?;
        Ok((with, case))
    };
    let mut opened_all: Vec<(Overrides, Opened)> = (recipes.into_iter())
        .map(&opened)
        .collect::<Result<_, Failure>>()?;
    let searched = opened_all.len();
    // The written layout keeps the file's own precision, whatever the axis has.
    let mut own = (searched > 0).then_some(0);
    if !axes.recipes().is_empty() {
        own = None;
        if let Ok((with, case)) = opened(base) {
            let same = |(_, other): &(Overrides, Opened)| recipe(other) == recipe(&case);
            own = opened_all.iter().position(same);
            if own.is_none() {
                own = Some(searched);
                opened_all.push((with, case));
            }
        }
    }
    let opened = opened_all;
    let variant = |at: usize, opened: Opened| Variant {
        recipe: recipe(&opened),
        by_default: !writes_a_layout(&opened),
        case: opened.resolved.case,
        unusable: opened.unusable,
        written: own == Some(at),
        searched: at < searched,
    };
    let Some(first) = opened.first() else {
        return Ok(Vec::new());
    };
    let per_node = first.1.resolved.case.cluster.node.accelerators.max(1);
    let mut nodes = args.nodes.clone();
    for gpus in &args.gpus {
        if !gpus.is_multiple_of(per_node) {
            let below = (gpus / per_node * per_node).max(per_node);
            return Err(wrong(
                &format!("{gpus} accelerators are not a whole number of nodes of {per_node}"),
                &format!("ask for {below} or {}", below + per_node),
            ));
        }
        nodes.push(gpus / per_node);
    }
    if nodes.is_empty() {
        return Ok(vec![
            (0..)
                .zip(opened)
                .map(|(at, (_, case))| variant(at, case))
                .collect(),
        ]);
    }
    nodes.sort_unstable();
    nodes.dedup();
    (nodes.into_iter())
        .map(|nodes| {
            (0..)
                .zip(&opened)
                .map(|(at, (with, base))| {
                    on_nodes(&args.scenario, &catalog, with, &base.resolved, nodes)
                        .map(|opened| variant(at, opened))
                        .map_err(faults)
                })
                .collect()
        })
        .collect()
}

/// The only case.
fn one(args: &SearchArgs, mut cases: Vec<Opened>) -> Result<Opened, Failure> {
    if cases.len() == 1
        && let Some(case) = cases.pop()
    {
        return Ok(case);
    }
    let names: Vec<&str> = cases
        .iter()
        .map(|c| c.resolved.case.name.as_str())
        .collect();
    Err(wrong(
        &format!(
            "{} has {} cases, and one is searched at a time",
            args.scenario.display(),
            cases.len()
        ),
        &format!("name it with --case: {}", names.join(", ")),
    ))
}

/// Whether the scenario says anything of its main layout.
fn writes_a_layout(opened: &Opened) -> bool {
    (opened.resolved.origins.iter()).any(|explained| {
        explained.place.is_some() && explained.path.split('.').any(|part| part == "parallelism")
    })
}

/// The precision recipe of a case, in the words of scenarios.
fn recipe(opened: &Opened) -> String {
    (opened.resolved.origins.iter())
        .find(|explained| explained.path == "precision.recipe")
        .map_or(String::new(), |explained| explained.value.clone())
}

/// The command that gives the answer again.
fn command(args: &SearchArgs) -> String {
    let mut words = vec!["strait".to_owned(), "search".to_owned()];
    words.push(quoted(&args.scenario.display().to_string()));
    let numbers = |list: &[u32]| match list {
        [] => Vec::new(),
        list => vec![
            list.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(","),
        ],
    };
    let when = |given: bool, value: String| if given { vec![value] } else { Vec::new() };
    let by: Objective = args.by.into();
    for (option, values) in [
        ("--case", args.case.iter().cloned().collect()),
        ("--set", args.set.clone()),
        ("--seed", args.seed.iter().map(u64::to_string).collect()),
        ("--by", when(args.by != By::Time, by.word().to_owned())),
        ("--top", when(args.top != TOP, args.top.to_string())),
        (
            "--space",
            when(args.space == SpaceArg::Wide, "wide".to_owned()),
        ),
        (
            "--axis",
            args.axes.iter().map(ToString::to_string).collect(),
        ),
        (
            "--memory",
            args.memory.iter().map(ToString::to_string).collect(),
        ),
        ("--gpus", numbers(&args.gpus)),
        ("--nodes", numbers(&args.nodes)),
        (
            "--simulate",
            when(args.simulate != SIMULATE, args.simulate.to_string()),
        ),
    ] {
        for value in values {
            words.extend([option.to_owned(), quoted(&value)]);
        }
    }
    if args.exhaustive {
        words.push("--exhaustive".to_owned());
    }
    words.join(" ")
}
