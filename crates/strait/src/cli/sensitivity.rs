//! Arguments of `strait sensitivity`.
//!
//! In: arguments. Out: which inputs of which case, how far, and what of the answer is looked at. Never
//! reads files.

use super::RunArgs;
use clap::Args;
use strait_study::sensitivity::Over;
use strait_study::sensitivity::request::share;
use strait_study::verdict::Quantity;

/// Which inputs, how far, and what of the answer.
#[derive(Args, Clone, Debug)]
pub struct SensitivityArgs {
    /// What to simulate, and how: one case.
    #[command(flatten)]
    pub run: RunArgs,
    /// Vary this input: `PATH=LOW..HIGH`, or `PATH=VALUE,VALUE,…` (repeatable) [default: the ranges
    /// that the scenario states; where it states none, --by 10%]
    #[arg(long, value_name = "PATH=VALUES", help_heading = "Inputs")]
    pub over: Vec<Over>,
    /// Vary inputs of the machine, its software and its prices by this share of themselves, up and
    /// down: a convention to compare them by, not how uncertain they are
    #[arg(long, value_name = "SHARE", help_heading = "Inputs", value_parser = share)]
    pub by: Option<f64>,
    /// Both inputs of two --over at once as well, the first as columns
    #[arg(long, help_heading = "Inputs", requires = "over")]
    pub grid: bool,
    /// Values of a LOW..HIGH in a grid
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Inputs", requires = "grid", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub steps: u32,
    /// Simulate values that change the step without chance, many times faster, and multiply the
    /// steps as they stand by the ratio: good near by, some per cent off far away. --by does so anyway
    #[arg(long, help_heading = "Simulation", conflicts_with = "full_ranks")]
    pub ratio: bool,
    /// What of the answer to look at, by the name that claims use (repeatable)
    #[arg(
        long = "metric",
        value_name = "QUANTITY",
        default_value = "cost",
        value_delimiter = ',',
        help_heading = "Output"
    )]
    pub metrics: Vec<Quantity>,
}
