//! The command line.
//!
//! In: arguments. Out: a [`Cli`]. Never reads files; knows no default of the simulation.

pub mod plot;
pub mod report;
pub mod search;
pub mod sensitivity;
pub mod sweep;

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use strait_study::trace::{Ranks, Window};

/// How long, how many accelerator-hours, how much money and energy does it take to train a
/// model on a cluster, and is a published claim about that plausible?
#[derive(Debug, Parser)]
#[command(
    name = "strait",
    version,
    after_help = concat!(
        "Examples:\n",
        "  strait run scenarios/deepseek-v3/h800.toml\n",
        "  strait compare scenarios/deepseek-v3/variants.toml --case h800 --case h100",
    ),
    after_long_help = format!("Examples:
  strait run scenarios/deepseek-v3/h800.toml
  strait compare scenarios/deepseek-v3/variants.toml --case h800 --case h100

{}", exit::HELP),
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer a scenario: the step and its parts, memory, the run, its claims
    #[command(after_help = "Examples:
  strait run scenarios/deepseek-v3/h800.toml
  strait run scenarios/deepseek-v3/h800.toml --set cluster.accelerator=h100-sxm --figures out")]
    Run(DrawArgs),
    /// Compare scenarios, or the cases of one, with the first of them
    #[command(after_help = "Examples:
  strait compare scenarios/deepseek-v3/variants.toml --case h800 --case h100
  strait compare mine.toml theirs.toml --figures out")]
    Compare(RunArgs),
    /// Check scenarios without simulating: every error with its place and a remedy
    #[command(after_help = "Examples:
  strait check mine.toml
  strait check mine.toml --set parallelism.pipeline=32")]
    Check(ScenarioArgs),
    /// Show every value of a scenario and where it comes from
    #[command(after_help = "Examples:
  strait explain scenarios/deepseek-v3/h800.toml
  strait explain scenarios/deepseek-v3/variants.toml --case h100")]
    Explain(ScenarioArgs),
    /// Say what moves an answer: one input at a time over its range, elasticities, two at once
    #[command(after_help = "Examples:
  strait sensitivity scenarios/deepseek-v3/plausible.toml
  strait sensitivity scenarios/deepseek-v3/h800.toml --over cluster.nvlink_bandwidth='160 GB/s..900 GB/s' --metric step_time")]
    Sensitivity(sensitivity::SensitivityArgs),
    /// Make a page of results to read, print and send: one HTML file that fetches nothing
    #[command(after_help = "Examples:
  strait report scenarios/deepseek-v3/plausible.toml -o report.html
  strait report answer.json sensitivity.json -o report.html")]
    Report(report::ReportArgs),
    /// Write what ranks do in one step as a timeline for Perfetto
    #[command(after_help = "Examples:
  strait trace scenarios/deepseek-v3/h800.toml -o step.json
  strait trace scenarios/deepseek-v3/h800.toml -o step.json --ranks 0-63 --window 2s..3s")]
    Trace(TraceArgs),
    /// Predict published training runs and say how far off each is, beside a constant utilisation
    #[command(after_help = "Examples:
  strait validate --figures out
  strait validate --rows mine.csv --json")]
    Validate(ValidateArgs),
    /// Judge what the world says about training runs: the ledger of claims
    #[command(after_help = "Examples:
  strait claims
  strait claims mine.toml --set economics.rent='3 USD/h' -v")]
    Claims(ClaimsArgs),
    /// Vary a scenario's settings over many cases: plan, run in shards, resume, merge
    #[command(
        subcommand,
        after_help = "Examples:
  strait sweep run scenarios/deepseek-v3/sweep-nvlink.toml
  strait sweep plan scenarios/deepseek-v3/sweep-nvlink.toml --out runs/nvlink"
    )]
    Sweep(sweep::SweepCommand),
    /// Draw a figure from answers, from a sweep or from scenarios
    #[command(after_help = "Examples:
  strait plot cost-cdf scenarios/deepseek-v3/plausible.toml
  strait plot sweep runs/nvlink -o nvlink.svg --png")]
    Plot(plot::PlotArgs),
    /// Fit kernel and link profiles to measured tables: all of the catalogue's again, or new ones
    /// to your own
    #[command(after_help = "Examples:
  strait calibrate --profile hopper
  strait calibrate --kernels mine.csv --accelerator h100-sxm --like hopper --name mine --out dir")]
    Calibrate(CalibrateArgs),
    /// Find the best layout of a model on a cluster: the fastest, the cheapest, or that of the least
    /// energy, with reasons
    #[command(after_help = "Examples:
  strait search scenarios/deepseek-v3/h800.toml
  strait search scenarios/llama3-405b/8k-gpus.toml --gpus 4096,8192,16384 --by cost")]
    Search(search::SearchArgs),
    /// Measure how fast Strait is on this machine (under 20 s)
    #[command(after_help = "Examples:
  strait bench
  strait bench --json > bench.json")]
    Bench,
    /// Print the JSON Schema of scenario files or of an answer
    #[command(after_help = "Examples:
  strait schema > scenario.schema.json
  strait schema run > run.schema.json")]
    Schema(SchemaArgs),
    /// Look up what the catalogue knows, with sources
    #[command(
        subcommand,
        after_help = "Examples:
  strait catalog list accelerators
  strait catalog show h800-sxm"
    )]
    Catalog(CatalogCommand),
    /// Ask what export rules say of a chip, and when they said it
    #[command(
        subcommand,
        after_help = "Examples:
  strait rules classify h20-96
  strait rules timeline"
    )]
    Rules(RulesCommand),
    /// Print completions for a shell
    #[command(after_help = "Examples:
  strait completions bash > ~/.local/share/bash-completion/completions/strait
  strait completions fish > ~/.config/fish/completions/strait.fish")]
    Completions(CompletionsArgs),
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Common {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print the headline only, and no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every part, reason and source
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which scenarios, cases and values.
#[derive(Args, Clone, Debug)]
pub struct ScenarioArgs {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    pub scenarios: Vec<PathBuf>,
    /// Only this case (repeat for several, in this order)
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub cases: Vec<String>,
    /// Replace a value of every case, as in `cluster.nodes=128` (repeatable; a TOML value,
    /// quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
}

/// What to simulate, and how.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Which scenarios.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threads to simulate on; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Simulate every rank, also where ranks provably do the same at the same time and one
    /// could stand for all; never changes an answer
    #[arg(long, help_heading = "Simulation")]
    pub full_ranks: bool,
    /// Write figures (SVG) and their data (CSV) to this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub figures: Option<PathBuf>,
    /// Pictures of them.
    #[command(flatten)]
    pub png: plot::PngArgs,
}

/// What to simulate, how, and how sure the answer is to be.
#[derive(Args, Clone, Debug)]
pub struct DrawArgs {
    /// What to simulate, and how.
    #[command(flatten)]
    pub run: RunArgs,
    /// Draw ranges and the prediction's own error so many times: distributions, the probability of
    /// each claim, what moves the answer most, and what would make each claim true
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub draws: Option<u32>,
}

/// Which published measurements, and what of them.
#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    /// A table of your own (CSV with the columns of scenarios/published/training-rows.csv) in
    /// place of the published rows
    #[arg(long, value_name = "FILE", help_heading = "Rows")]
    pub rows: Option<PathBuf>,
    /// vTrain's single-node runs, which are reported apart
    #[arg(long, help_heading = "Rows", conflicts_with = "rows")]
    pub single_node: bool,
    /// Only rows whose id, source or model holds this text (repeatable: any of them)
    #[arg(long, value_name = "TEXT", help_heading = "Rows")]
    pub only: Vec<String>,
    /// Print the scenario that stands for this row, with every assumption, and stop
    #[arg(long, value_name = "ID", help_heading = "Rows")]
    pub show: Option<String>,
    /// List the columns that a table may have, and stop
    #[arg(long, help_heading = "Rows", conflicts_with_all = ["rows", "show"])]
    pub columns: bool,
    /// Fail (exit 4) where a family's median error is more than 0.5 points above that of this file
    #[arg(long, value_name = "FILE", help_heading = "Check")]
    pub gate: Option<PathBuf>,
    /// Write the families' errors to a file that `--gate` reads
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Check",
        requires = "reason",
        conflicts_with = "gate"
    )]
    pub write_gate: Option<PathBuf>,
    /// Why the errors are what they are now, for the file of `--write-gate`
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Check",
        requires = "write_gate"
    )]
    pub reason: Option<String>,
    /// Threads; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Write figures (SVG) and their data (CSV) to this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub figures: Option<PathBuf>,
    /// Pictures of them.
    #[command(flatten)]
    pub png: plot::PngArgs,
    /// Write the whole account as a page (Markdown)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub page: Option<PathBuf>,
}

/// Which claims, and how they are judged.
#[derive(Args, Clone, Debug)]
pub struct ClaimsArgs {
    /// Scenario files with claims, or folders of them [default: scenarios/claims]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only claims whose id, author or title holds this text (repeatable: any of them)
    #[arg(long, value_name = "TEXT", help_heading = "Claims")]
    pub only: Vec<String>,
    /// Replace a value of every case, as in `cluster.nodes=128` (repeatable; a TOML value,
    /// quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// Draws of the uncertain settings of each case
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub draws: u32,
    /// Threads to simulate on; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}

/// What a timeline shows, and where it goes.
#[derive(Args, Clone, Debug)]
pub struct TraceArgs {
    /// Which scenario: one case.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// File to write (Chrome trace events, JSON)
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: PathBuf,
    /// Ranks to show: `0-63`, `0,16,32`, `stage:4`, parts joined by commas, or `all`
    /// [default: one of each pipeline rank, the first data-parallel replica]
    #[arg(
        long,
        value_name = "RANKS",
        help_heading = "Trace",
        default_value = "replica",
        hide_default_value = true
    )]
    pub ranks: Ranks,
    /// Only what happens between two times of the step, as in `2s..3s`
    #[arg(
        long,
        value_name = "FROM..TO",
        help_heading = "Trace",
        default_value = "..",
        hide_default_value = true
    )]
    pub window: Window,
    /// Write more than 2 GB if need be
    #[arg(long, help_heading = "Trace")]
    pub force: bool,
}

/// Which profiles to fit to what.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("own").multiple(true))]
pub struct CalibrateArgs {
    /// Only what concerns this profile of the catalogue, such as `hopper`
    #[arg(long, value_name = "ID", conflicts_with = "own")]
    pub profile: Option<String>,
    /// Your own table of products, attention cores or memory-bound kernels, in the columns of
    /// `catalog/measurements` (repeatable)
    #[arg(long, value_name = "CSV", group = "own", requires_all = ["like", "accelerator", "name"], help_heading = "Your machine")]
    pub kernels: Vec<PathBuf>,
    /// Your own table of collectives or expert exchanges (repeatable)
    #[arg(long, value_name = "CSV", group = "own", requires_all = ["like", "accelerator", "name"], help_heading = "Your machine")]
    pub collectives: Vec<PathBuf>,
    /// The profile that yours is begun from, and keeps where your tables say nothing
    #[arg(
        long,
        value_name = "ID",
        requires = "own",
        help_heading = "Your machine"
    )]
    pub like: Option<String>,
    /// Accelerator of the catalogue that was measured
    #[arg(
        long,
        value_name = "ID",
        requires = "own",
        help_heading = "Your machine"
    )]
    pub accelerator: Option<String>,
    /// Id of your profiles
    #[arg(
        long,
        value_name = "ID",
        requires = "own",
        help_heading = "Your machine"
    )]
    pub name: Option<String>,
    /// Day of the measurements [default: when the newest table was last changed]
    #[arg(long, value_name = "DATE", requires = "own", value_parser = date, help_heading = "Your machine")]
    pub date: Option<String>,
    /// Write the profiles to `kernels` and `links` in this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// Which schema.
#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {
    /// What it describes
    #[arg(value_name = "WHAT", default_value = "scenario")]
    pub what: SchemaOf,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// The object of `strait run --json`.
    Run,
    /// The object of `strait compare --json`.
    Compare,
    /// The object of `strait search --json`.
    Search,
    /// The object of `strait sensitivity --json`.
    Sensitivity,
}

/// What to look up.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// List ids, of one kind or of all
    #[command(after_help = "Examples:
  strait catalog list
  strait catalog list models")]
    List {
        /// Kind, such as `accelerators` or `models`
        kind: Option<String>,
    },
    /// Show an entry with the source of every value
    #[command(after_help = "Examples:
  strait catalog show h800-sxm
  strait catalog show deepseek-v3")]
    Show {
        /// Id of the entry, or `KIND/ID` where several kinds have it
        id: String,
    },
}

/// What to ask of export rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say what the rules of a day, or a rule of your own, make of chips: outcome, clause, reasons
    #[command(after_help = "Examples:
  strait rules classify
  strait rules classify h20-96 h800-sxm --on 2023-10-17")]
    Classify(ClassifyArgs),
    /// Show the rules in order of time, or a chip's status through them
    #[command(after_help = "Examples:
  strait rules timeline
  strait rules timeline h20-96")]
    Timeline(TimelineArgs),
    /// Say what each rule set costs: the same training on the best accelerator that it leaves, and on
    /// the best that could be designed within it, against the best there is (about a minute)
    #[command(after_help = "Examples:
  strait rules cost scenarios/deepseek-v3/h800.toml
  strait rules cost scenarios/llama3-405b/16k-gpus.toml --json")]
    Cost(CostArgs),
}

/// What is trained, and under which rules.
#[derive(Args, Clone, Debug)]
pub struct CostArgs {
    /// Scenario file: one case
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// This case of the scenario
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub case: Option<String>,
    /// Replace a value, as in `cluster.nodes=128` (repeatable; a TOML value, quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// A rule set of your own as well (TOML as in catalog/rules, values may be bare; repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Rules")]
    pub rules: Vec<PathBuf>,
    /// Destination: china, macau, russia, d5, d1, d4, uae, a5, a6 [default: china]
    #[arg(long, value_name = "GROUP", help_heading = "Rules")]
    pub to: Option<String>,
    /// Threads to simulate on; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Write the figure (SVG) and its data (CSV) to this folder
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub figures: Option<PathBuf>,
    /// Pictures of it.
    #[command(flatten)]
    pub png: plot::PngArgs,
}

/// Which chips under which rules.
#[derive(Args, Clone, Debug)]
pub struct ClassifyArgs {
    /// Accelerators of the catalogue [default: all, as a table by rule]
    #[arg(value_name = "CHIP")]
    pub chips: Vec<String>,
    /// The rules as they stood on a day (a month or a year is its last day), or a rule set by its id, or
    /// none; the day on which a set was published stands for that set [default: the last rule set]
    #[arg(long, value_name = "DATE|RULE", help_heading = "Rules")]
    pub on: Option<String>,
    /// Destination: china, macau, russia, d5, d1, d4, uae, a5, a6 [default: china]
    #[arg(long, value_name = "GROUP", help_heading = "Rules")]
    pub to: Option<String>,
    /// Where the buyer or its ultimate parent has its headquarters, if not there
    #[arg(long, value_name = "GROUP", help_heading = "Rules")]
    pub headquarters: Option<String>,
    /// A rule set of your own on top (TOML as in catalog/rules, values may be bare; repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Rules")]
    pub rules: Vec<PathBuf>,
}

/// Whose timeline.
#[derive(Args, Clone, Debug)]
pub struct TimelineArgs {
    /// Accelerators of the catalogue [default: the rules themselves]
    #[arg(value_name = "CHIP")]
    pub chips: Vec<String>,
    /// Destination of the chips: china, macau, russia, d5, d1, d4, uae, a5, a6 [default: china]
    #[arg(long, value_name = "GROUP", help_heading = "Rules")]
    pub to: Option<String>,
}

/// Which shell.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// Shell
    pub shell: clap_complete::Shell,
}

/// A date as the catalogue writes it.
fn date(text: &str) -> Result<String, String> {
    const FORM: &str = "write a day, a month or a year, as in 2026-11-28";
    let mut parts = text.split('-');
    let mut part = |digits: usize| match parts.next() {
        None => Ok(None),
        Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(part.parse::<u32>().ok())
        }
        Some(_) => Err(FORM.to_owned()),
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let year = year.ok_or(FORM)?;
    if parts.next().is_some() {
        return Err(FORM.to_owned());
    }
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        Some(4 | 6 | 9 | 11) => 30,
        Some(2) if leap => 29,
        Some(2) => 28,
        Some(1..=12) | None => 31,
        Some(month) => return Err(format!("a year has no month {month}: {FORM}")),
    };
    match day {
        Some(day) if !(1..=days).contains(&day) => {
            Err(format!("that month has no day {day}: {FORM}"))
        }
        _ => Ok(text.to_owned()),
    }
}

/// Refuses a `--set` that can't be one; whether path and value exist is the scenario's matter.
fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((path, _)) if !path.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("write a path, an equals sign and a value, as in cluster.nodes=128".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn dates_are_days_that_there_are() {
        for good in ["2026", "2026-11", "2026-11-28", "2024-02-29"] {
            assert_eq!(date(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "26",
            "2025-13-45",
            "2026-02-29",
            "2026-1-1",
            "2026-00",
            "2026-04-31",
            "2026-11-28-1",
            "2026-11-",
        ] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_ends_its_help_with_two_examples() {
        fn visit(command: &clap::Command, seen: &mut usize) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
            let count = examples
                .lines()
                .filter(|line| line.starts_with("  strait "))
                .count();
            assert_eq!(count, 2, "{}", command.get_name());
            *seen += 1;
            for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
                visit(inner, seen);
            }
        }
        let mut seen = 0;
        visit(&Cli::command(), &mut seen);
        assert!(seen >= 10);
    }
}
