//! Arguments of `strait search`.
//!
//! In: arguments. Out: [`SearchArgs`]. Knows the form of an axis, and no value of any.

use super::assignment;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use strait_study::search::Objective;
use strait_study::search::axis::Axis;
use strait_units::Bytes;

/// Layouts that are named.
pub const TOP: u32 = 5;
/// Most layouts that are simulated.
pub const SIMULATE: u32 = 1000;

/// What to search, where, and how far.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// Scenario file: one case
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// This case of the scenario
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub case: Option<String>,
    /// Replace a value, as in `cluster.nodes=128` (repeatable; a TOML value, quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// Seed of everything random in the whole runs, such as failures
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// What is to be least
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "time",
        help_heading = "Search"
    )]
    pub by: By,
    /// Layouts to name
    #[arg(long, value_name = "N", default_value_t = TOP, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Search")]
    pub top: u32,
    /// Which values axes have: those that people use, or every one that there is
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "usual",
        help_heading = "Search"
    )]
    pub space: SpaceArg,
    /// Values of one axis in place of those of the space, as in `pipeline=8,16` or
    /// `precision=bf16,fp8-block`: a key of `[parallelism]`, or precision (repeatable)
    #[arg(long = "axis", value_name = "KEY=VALUES", help_heading = "Search")]
    pub axes: Vec<Axis>,
    /// Use no more memory of an accelerator than this, as in `72 GB`
    #[arg(long, value_name = "BYTES", help_heading = "Search")]
    pub memory: Option<Bytes>,
    /// The best layout for each of these numbers of accelerators, as in `512,1024,2048`:
    /// accelerators against days
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        conflicts_with = "nodes",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000),
        help_heading = "Search"
    )]
    pub gpus: Vec<u32>,
    /// The same by numbers of nodes
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Search"
    )]
    pub nodes: Vec<u32>,
    /// Most layouts to simulate for the best, and as many again for the front of memory
    #[arg(long, value_name = "N", default_value_t = SIMULATE, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Search")]
    pub simulate: u32,
    /// Simulate everything that fits, whatever its bound: to check the pruning on small spaces
    #[arg(long, help_heading = "Search")]
    pub exhaustive: bool,
    /// Threads to simulate on; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Write the layouts that were simulated, the front of memory and the sizes to this folder (CSV)
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// What is to be least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Time of a step.
    Time,
    /// Cost of the run.
    Cost,
    /// Energy of a step at the meter.
    Energy,
}

impl From<By> for Objective {
    fn from(by: By) -> Objective {
        match by {
            By::Time => Objective::Time,
            By::Cost => Objective::Cost,
            By::Energy => Objective::Energy,
        }
    }
}

/// Which values axes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SpaceArg {
    /// Powers of two, usual schedules and recomputation.
    Usual,
    /// Every divisor, schedule, ZeRO stage, set of recomputed parts, and offload.
    Wide,
}
