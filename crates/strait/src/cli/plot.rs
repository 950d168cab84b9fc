//! Arguments of `strait plot`, and of pictures beside figures.
//!
//! In: nothing. Out: what clap reads. Knows no figure's data.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Figures as pictures as well.
#[derive(Args, Clone, Debug)]
pub struct PngArgs {
    /// Write figures as PNG too, with the letters of an embedded font
    #[arg(long, help_heading = "Output")]
    pub png: bool,
    /// Pixels for each of the figure's, 960 of which are its width
    #[arg(long, value_name = "N", default_value_t = 2.0, help_heading = "Output", value_parser = scale)]
    pub png_scale: f64,
}

/// A scale that makes a picture.
fn scale(text: &str) -> Result<f64, String> {
    let largest = strait_study::figures::LARGEST_SCALE;
    match text.parse::<f64>() {
        Ok(scale) if (0.1..=largest).contains(&scale) => Ok(scale),
        _ => Err(format!("write a number from 0.1 to {largest}, as in 2")),
    }
}

/// What to draw from what.
#[derive(Args, Clone, Debug)]
pub struct PlotArgs {
    /// Figure
    #[arg(value_name = "KIND", required_unless_present = "list")]
    pub kind: Option<Kind>,
    /// What it is drawn from: answers (`run --json`, `compare --json`), a merged sweep's folder, or scenarios,
    /// which are simulated first
    #[arg(value_name = "RESULTS", required_unless_present = "list")]
    pub results: Vec<PathBuf>,
    /// List the figures with what each is drawn from, and stop
    #[arg(long, conflicts_with_all = ["kind", "results"])]
    pub list: bool,
    /// Folder to write to, or a file ending in .svg or .png; its data goes beside it
    #[arg(
        short,
        long,
        value_name = "DIR|FILE",
        default_value = ".",
        help_heading = "Output"
    )]
    pub output: PathBuf,
    /// Pictures.
    #[command(flatten)]
    pub png: PngArgs,
    /// Of a sweep: axis along the plot (of a front: metric) [default: NVLink bandwidth, else the axis of numbers
    /// with most values]
    #[arg(long, value_name = "AXIS", help_heading = "Sweeps")]
    pub x: Option<String>,
    /// Of a sweep: metric that is drawn [default: step_time_s; along prices cost_usd]
    #[arg(long, value_name = "METRIC", help_heading = "Sweeps")]
    pub y: Option<String>,
    /// Of a sweep: axis that panels differ in, or the vertical one of lines of equal value
    #[arg(long, value_name = "AXIS", help_heading = "Sweeps")]
    pub by: Option<String>,
    /// Of a distribution or a tornado: the quantity of the answer [default: cost]
    #[arg(
        long,
        value_name = "QUANTITY",
        default_value = "cost",
        hide_default_value = true,
        help_heading = "Answers"
    )]
    pub quantity: String,
    /// Of a scenario: only this case (repeat for several, in this order)
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub cases: Vec<String>,
    /// Of a scenario: replace a value of every case (repeatable; a TOML value, quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = super::assignment)]
    pub set: Vec<String>,
    /// Of a scenario: seed of everything random
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// Of a scenario: draws of a distribution or a tornado
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub draws: u32,
    /// Threads to simulate on; never changes a figure [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// How likely a cost is, with claims marked.
    CostCdf,
    /// What moves a cost, largest first.
    Tornado,
    /// Metrics of cases against the first.
    Dumbbell,
    /// Lines of equal cost.
    IsoCost,
    /// Where the time of a step goes.
    StepDecomposition,
    /// What each pipeline rank does when.
    Pipeline,
    /// From the run to all that it took.
    CostWaterfall,
    /// A metric over an axis.
    Sweep,
    /// The same, a panel for each value of another axis.
    SmallMultiples,
    /// All cases by two metrics, and the best of them.
    Front,
}

impl Kind {
    /// What it shows, and what it is drawn from.
    pub fn about(self) -> (&'static str, &'static str) {
        const DRAWS: &str = "scenarios, or answers of run --draws";
        const STEPS: &str = "scenarios";
        const FOLDER: &str = "the folder of a merged sweep";
        match self {
            Kind::CostCdf => ("how likely a cost is, with claims marked", DRAWS),
            Kind::Tornado => ("what moves a cost, largest first", DRAWS),
            Kind::Dumbbell => (
                "metrics of cases against the first",
                "scenarios or answers with two cases or more",
            ),
            Kind::IsoCost => (
                "lines of equal cost over price and utilisation, or of any metric over two axes",
                "a scenario, an answer, or the folder of a merged sweep",
            ),
            Kind::StepDecomposition => ("where the time of a step goes", STEPS),
            Kind::Pipeline => (
                "what each pipeline rank does when, of one or two cases",
                STEPS,
            ),
            Kind::CostWaterfall => (
                "from the run to all that it took",
                "a scenario with costs beyond its run",
            ),
            Kind::Sweep => (
                "a metric over an axis, a line for each other choice",
                FOLDER,
            ),
            Kind::SmallMultiples => ("the same, a panel for each value of another axis", FOLDER),
            Kind::Front => ("all cases by two metrics, and the best of them", FOLDER),
        }
    }
}
