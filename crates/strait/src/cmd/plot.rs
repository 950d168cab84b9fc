//! `strait plot`: a figure from results.
//!
//! In: answers, the folder of a sweep, or scenarios. Out: a figure with its data, and a picture where that is
//! asked for. Never draws by itself: that is what the crates below are for.

use super::figures::{picture, write_all};
use super::sweep::failure;
use crate::cli::plot::{Kind, PlotArgs};
use crate::cli::{RunArgs, ScenarioArgs};
use crate::exit::{ExitStatus, Failure};
use crate::simulation::{self, quoted};
use crate::terminal::Terminal;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use strait_study::answer::{Answer, RunDocument};
use strait_study::artifact;
use strait_study::catalog::Catalog;
use strait_study::figures::results::Results;
use strait_study::figures::tables::{self, Choice};
use strait_study::figures::{
    DrawError, OfAnswer, cost_cdf, dumbbell, front, iso_cost, of_answer, small_multiples, sweep,
    tornado,
};
use strait_study::sweep::Table;
use strait_study::verdict::Quantity;

/// SVG and CSV.
type Drawn = Option<(String, String)>;

/// Draws the figure that was asked for.
pub fn plot(
    args: &PlotArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let Some(kind) = args.kind.filter(|_| !args.list) else {
        return list(terminal);
    };
    let place = Place::of(&args.output)?;
    artifact::probe(&place.folder)?;
    if let Some(stem) = &place.stem {
        for ending in ["svg", "csv"].into_iter().chain(place.png.then_some("png")) {
            artifact::probe_file(&place.folder.join(format!("{stem}.{ending}")))?;
        }
    }
    let (name, drawn) = match kind {
        Kind::StepDecomposition => {
            steps(OfAnswer::StepDecomposition, kind, args, terminal, cancel)?
        }
        Kind::Pipeline => steps(OfAnswer::Pipeline, kind, args, terminal, cancel)?,
        Kind::CostWaterfall => steps(OfAnswer::CostWaterfall, kind, args, terminal, cancel)?,
        Kind::CostCdf | Kind::Tornado | Kind::Dumbbell => answers(kind, args, terminal, cancel)?,
        Kind::IsoCost if !folder(&args.results) => answers(kind, args, terminal, cancel)?,
        Kind::Sweep | Kind::SmallMultiples | Kind::Front | Kind::IsoCost => swept(kind, args)?,
    };
    let Some((svg, csv)) = drawn else {
        return Err(nothing(kind));
    };
    let stem = place.stem.as_deref().unwrap_or(name);
    let mut files = vec![
        (format!("{stem}.svg"), svg.clone().into_bytes()),
        (format!("{stem}.csv"), csv.into_bytes()),
    ];
    if args.png.png || place.png {
        files.push((format!("{stem}.png"), picture(&svg, args.png.png_scale)?));
    }
    write_all(&place.folder, &files, terminal, cancel)?;
    let paths: Vec<String> = (files.iter())
        .map(|(name, _)| place.folder.join(name).display().to_string())
        .collect();
    if terminal.json() {
        terminal.object(&serde_json::json!({ "files": paths }))?;
    } else {
        terminal.result(&paths.join("\n"))?;
    }
    Ok(ExitStatus::Done)
}

/// Where files go.
struct Place {
    folder: PathBuf,
    stem: Option<String>,
    png: bool,
}

impl Place {
    fn of(output: &Path) -> Result<Place, Failure> {
        let ending = output.extension().and_then(|e| e.to_str()).unwrap_or("");
        let stem = output.file_stem().and_then(|s| s.to_str());
        if !matches!(ending, "svg" | "png") || output.is_dir() {
            if matches!(
                ending,
                "pdf" | "jpg" | "jpeg" | "gif" | "eps" | "csv" | "html"
            ) {
                return Err(input(
                    format!("{} can't be written as .{ending}", output.display()),
                    "name a folder, or a file that ends in .svg or .png; the data goes beside it as .csv",
                ));
            }
            return Ok(Place {
                folder: output.to_path_buf(),
                stem: None,
                png: false,
            });
        }
        let folder = match output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok(Place {
            folder: folder.to_path_buf(),
            stem: stem.map(str::to_owned),
            png: ending == "png",
        })
    }
}

fn input(message: String, help: &str) -> Failure {
    Failure::Input(format!(
        "{}: {message}\n  = help: {help}",
        Terminal::error("error[plot]")
    ))
}

/// What to do where there is nothing to draw.
fn nothing(kind: Kind) -> Failure {
    let help = match kind {
        Kind::CostCdf | Kind::Tornado => {
            "give the scenario itself, or an answer of `strait run --draws 2000 --json`, with ranges in it"
        }
        Kind::Dumbbell => "give two cases or more: a scenario with cases, or two results",
        Kind::CostWaterfall => "state lines beyond the run in the scenario, see `strait explain`",
        Kind::Pipeline | Kind::StepDecomposition => "give a scenario that trains",
        Kind::IsoCost => "give a scenario with a rent, or a sweep over two axes of numbers",
        _ => "see `strait sweep status` for what the sweep has",
    };
    let name = kind
        .to_possible_value()
        .map_or(String::new(), |v| v.get_name().to_owned());
    input(format!("there is nothing to draw as {name}"), help)
}

/// Whether a folder is drawn from.
fn folder(results: &[PathBuf]) -> bool {
    results.iter().any(|path| path.is_dir())
}

/// Lists the figures.
fn list(terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let kinds: Vec<(String, &str, &str)> = (Kind::value_variants().iter())
        .filter_map(|kind| {
            let (what, from) = kind.about();
            Some((kind.to_possible_value()?.get_name().to_owned(), what, from))
        })
        .collect();
    if terminal.json() {
        let kinds: Vec<_> = (kinds.iter())
            .map(|(name, what, from)| serde_json::json!({ "kind": name, "shows": what, "from": from }))
            .collect();
        terminal.object(&serde_json::json!({ "kinds": kinds }))?;
        return Ok(ExitStatus::Done);
    }
    let text: String = (kinds.iter())
        .map(|(name, what, from)| format!("{name:<20} {what}\n{:<20} from {from}\n", ""))
        .collect();
    terminal.result(&text)?;
    Ok(ExitStatus::Done)
}

/// The command that makes the figure again.
fn command(args: &PlotArgs, kind: Kind) -> String {
    let mut words = vec!["strait plot".to_owned()];
    words.extend(kind.to_possible_value().map(|v| v.get_name().to_owned()));
    words.extend(
        args.results
            .iter()
            .map(|path| quoted(&path.display().to_string())),
    );
    for (option, value) in [("--x", &args.x), ("--y", &args.y), ("--by", &args.by)] {
        if let Some(value) = value {
            words.extend([option.to_owned(), quoted(value)]);
        }
    }
    if args.quantity != "cost" {
        words.extend(["--quantity".to_owned(), quoted(&args.quantity)]);
    }
    for case in &args.cases {
        words.extend(["--case".to_owned(), quoted(case)]);
    }
    for set in &args.set {
        words.extend(["--set".to_owned(), quoted(set)]);
    }
    if let Some(seed) = args.seed {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    words.join(" ")
}

/// Simulates scenarios.
fn simulated(
    paths: &[PathBuf],
    draws: Option<u32>,
    kind: Kind,
    args: &PlotArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Answer, Failure> {
    let run = RunArgs {
        scenario: ScenarioArgs {
            scenarios: paths.to_vec(),
            cases: args.cases.clone(),
            set: args.set.clone(),
            seed: args.seed,
        },
        threads: args.threads,
        full_ranks: false,
        figures: None,
        png: args.png.clone(),
    };
    let name = kind
        .to_possible_value()
        .map_or(String::new(), |v| v.get_name().to_owned());
    simulation::answer(&format!("plot {name}"), &run, draws, terminal, cancel)
}

/// Figures that need whole steps.
fn steps(
    which: OfAnswer,
    kind: Kind,
    args: &PlotArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(&'static str, Drawn), Failure> {
    if let Some(path) = args
        .results
        .iter()
        .find(|path| path.is_dir() || is_json(path))
    {
        return Err(input(
            format!("{} does not hold single steps", path.display()),
            "give the scenario itself: it is simulated again",
        ));
    }
    let answer = simulated(&args.results, None, kind, args, terminal, cancel)?;
    let digest = RunDocument::from(&answer).digest;
    Ok((
        which.name(),
        of_answer(which, &answer, &digest).map_err(undrawn)?,
    ))
}

fn undrawn(error: DrawError) -> Failure {
    Failure::Unexpected(error.to_string())
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// Figures of answers, read or simulated.
fn answers(
    kind: Kind,
    args: &PlotArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(&'static str, Drawn), Failure> {
    if let Some(path) = args.results.iter().find(|path| path.is_dir()) {
        return Err(input(
            format!("{} is a folder", path.display()),
            "give scenarios or answers; `strait plot --list` says what each figure is drawn from",
        ));
    }
    let quantity: Quantity = (args.quantity.parse()).map_err(|error| {
        input(
            format!("--quantity: {error}"),
            "`strait run --json` names them",
        )
    })?;
    let (read, simulate): (Vec<PathBuf>, Vec<PathBuf>) =
        args.results.iter().cloned().partition(|path| is_json(path));
    let mut all = Vec::new();
    for path in &read {
        let text = crate::source::table(path)?;
        let name = path.display().to_string();
        let results = Results::read(&name, &text);
        all.push(results.map_err(|error| Failure::Input(format!("error: {error}")))?);
    }
    if !simulate.is_empty() {
        let draws = matches!(kind, Kind::CostCdf | Kind::Tornado).then_some(args.draws);
        let answer = simulated(&simulate, draws, kind, args, terminal, cancel)?;
        let results = Results::of(&answer);
        all.push(results.map_err(|error| Failure::Unexpected(error.to_string()))?);
    }
    let Some(results) = Results::join(all) else {
        return Err(nothing(kind));
    };
    let mut reproduce = command(args, kind);
    if matches!(kind, Kind::CostCdf | Kind::Tornado) && !simulate.is_empty() {
        reproduce += &format!(" --draws {}", args.draws);
    }
    let source = results.source(&reproduce);
    let none = || nothing(kind);
    let (name, drawn) = match kind {
        Kind::CostCdf => {
            let input = results.distributions(quantity).ok_or_else(none)?;
            (cost_cdf::NAME, cost_cdf::draw(&input, &source))
        }
        Kind::Tornado => {
            let input = results.swings(quantity).ok_or_else(none)?;
            (tornado::NAME, tornado::draw(&input, &source))
        }
        Kind::Dumbbell => {
            let input = results.metrics().ok_or_else(none)?;
            (dumbbell::NAME, dumbbell::draw(&input, &source))
        }
        _ => {
            let input = results.rents().ok_or_else(none)?;
            (iso_cost::NAME, iso_cost::draw(&input, &source))
        }
    };
    Ok((name, drawn.map_err(undrawn)?))
}

/// Figures of a merged sweep.
fn swept(kind: Kind, args: &PlotArgs) -> Result<(&'static str, Drawn), Failure> {
    let [path] = args.results.as_slice() else {
        return Err(input(
            "a figure of a sweep is drawn from one folder".to_owned(),
            "give the folder that `strait sweep merge` has merged",
        ));
    };
    if !path.is_dir() {
        return Err(input(
            format!("{} is no folder", path.display()),
            "give the folder that `strait sweep merge` has merged",
        ));
    }
    let table = Table::open(path).map_err(failure)?;
    let choice = Choice {
        x: args.x.clone(),
        y: args.y.clone(),
        by: args.by.clone(),
    };
    let source = tables::source(&table, &command(args, kind));
    let refused = |error: tables::ChoiceError| Failure::Input(format!("error: {error}"));
    let (name, drawn) = match kind {
        Kind::SmallMultiples => {
            let input = tables::panels(&table, &choice).map_err(refused)?;
            (
                small_multiples::NAME,
                small_multiples::draw(&input, &source),
            )
        }
        Kind::Front => {
            let input = tables::candidates(&table, &choice).map_err(refused)?;
            (front::NAME, front::draw(&input, &source))
        }
        Kind::IsoCost => {
            let input = tables::contours(&table, &choice).map_err(refused)?;
            (iso_cost::NAME, iso_cost::draw(&input, &source))
        }
        _ => {
            let input = tables::lines(&table, &choice, &Catalog::embedded()).map_err(refused)?;
            let name = match input.chips.is_empty() {
                true => sweep::NAME,
                false => sweep::BANDWIDTH,
            };
            (name, sweep::draw(&input, &source))
        }
    };
    Ok((name, drawn.map_err(undrawn)?))
}
