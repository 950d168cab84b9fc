//! Arguments of `strait report`.
//!
//! In: arguments. Out: which results go on which page. Never reads files.

use super::assignment;
use clap::Args;
use std::path::PathBuf;

/// Which results, on which page.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Scenarios (.toml), which are simulated; outputs of run, compare, sensitivity and search with
    /// --json; folders of merged sweeps
    #[arg(required = true, value_name = "RESULT")]
    pub results: Vec<PathBuf>,
    /// File to write (HTML)
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: PathBuf,
    /// Only this case of the scenarios (repeat for several, in this order)
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub cases: Vec<String>,
    /// Replace a value of every case of the scenarios, as in `cluster.nodes=128` (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// Seed of everything random in the scenarios
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// Draws of the ranges of each case, and of the prediction's own error
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub draws: u32,
    /// Threads to simulate on; never changes an answer [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}
