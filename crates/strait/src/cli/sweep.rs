//! Arguments of `strait sweep`.
//!
//! In: nothing. Out: what to plan, to run, to merge. Never reads files.

use super::assignment;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use strait_study::sweep::Part;

/// What to do with a sweep.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Freeze a scenario's `[sweep]` as a plan: what varies, how many cases, in how many shards
    #[command(after_help = "Examples:
  strait sweep plan scenarios/deepseek-v3/sweep-nvlink.toml --out runs/nvlink
  strait sweep plan scenarios/deepseek-v3/claim-sweep.toml --cases 20000 --shards 80 --out runs/claim")]
    Plan(SweepPlanArgs),
    /// Run the shards of a plan that are not there yet; of a scenario: plan, run and merge in one go
    #[command(after_help = "Examples:
  strait sweep run scenarios/deepseek-v3/sweep-nvlink.toml
  strait sweep run runs/nvlink --shard 0/4")]
    Run(SweepRunArgs),
    /// Merge all shards to one table: CSV (wide and long), JSON lines, Parquet
    #[command(after_help = "Examples:
  strait sweep merge runs/nvlink
  strait sweep merge runs/nvlink --json")]
    Merge(SweepFolderArgs),
    /// Say which shards are finished, missing or damaged
    #[command(after_help = "Examples:
  strait sweep status runs/nvlink
  strait sweep status runs/nvlink --json")]
    Status(SweepFolderArgs),
    /// Run the shards of a plan on a cluster that is already there, then merge
    #[command(after_help = "Examples:
  strait sweep submit runs/nvlink --engine ray --address ray-head:6379
  strait sweep submit runs/nvlink --engine ray --address ray-head:6379 --strait /opt/strait/bin/strait")]
    Submit(SweepSubmitArgs),
}

/// What of a scenario a plan changes.
#[derive(Args, Clone, Debug, Default)]
pub struct SweepOptions {
    /// The case that varies, of a file with several
    #[arg(long = "case", value_name = "NAME", help_heading = "Scenario")]
    pub case: Option<String>,
    /// Replace a value of every case, as in `cluster.nodes=128` (repeatable; a TOML value,
    /// quotes may be left out)
    #[arg(long = "set", value_name = "PATH=VALUE", help_heading = "Scenario", value_parser = assignment)]
    pub set: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// Cases of the sampled modes
    #[arg(long, value_name = "N", help_heading = "Sweep", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub cases: Option<u64>,
    /// Shards: the pieces in which cases are run and resumed [default: what suits one machine]
    #[arg(long, value_name = "N", help_heading = "Sweep", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub shards: Option<u64>,
    /// Simulate jitter, the spread of chips and sampled expert loads in each case
    #[arg(long, help_heading = "Sweep")]
    pub chance: bool,
    /// Folder of the sweep [default: runs/ and the scenario's name]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Remove another sweep that is in the folder
    #[arg(long, help_heading = "Output")]
    pub replace: bool,
}

impl SweepOptions {
    /// The first option that is given, for messages.
    pub fn given(&self) -> Option<&'static str> {
        [
            (self.case.is_some(), "--case"),
            (!self.set.is_empty(), "--set"),
            (self.seed.is_some(), "--seed"),
            (self.cases.is_some(), "--cases"),
            (self.shards.is_some(), "--shards"),
            (self.chance, "--chance"),
            (self.out.is_some(), "--out"),
            (self.replace, "--replace"),
        ]
        .into_iter()
        .find(|(given, _)| *given)
        .map(|(_, name)| name)
    }
}

/// What to plan.
#[derive(Args, Clone, Debug)]
pub struct SweepPlanArgs {
    /// Scenario file with a `[sweep]`
    #[arg(value_name = "FILE")]
    pub scenario: PathBuf,
    /// What to change.
    #[command(flatten)]
    pub options: SweepOptions,
}

/// What to run.
#[derive(Args, Clone, Debug)]
pub struct SweepRunArgs {
    /// Folder of a plan, or a scenario file with a `[sweep]`
    #[arg(value_name = "DIR|FILE")]
    pub target: PathBuf,
    /// Only a part of the shards, counted from 0: all j with j mod N = I; `auto` reads I and N from
    /// the environment of Slurm, HyperQueue or Kubernetes
    #[arg(long, value_name = "I/N|auto", help_heading = "Sweep", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Threads to simulate on; never changes a result [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// What to change, of a scenario file.
    #[command(flatten)]
    pub options: SweepOptions,
}

/// A folder.
#[derive(Args, Clone, Debug)]
pub struct SweepFolderArgs {
    /// Folder of a plan
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// What to run where.
#[derive(Args, Clone, Debug)]
pub struct SweepSubmitArgs {
    /// Folder of a plan, on a file system that all machines share
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The kind of cluster
    #[arg(long, value_name = "ENGINE", help_heading = "Cluster")]
    pub engine: Engine,
    /// Its head, as in ray-head:6379
    #[arg(long, value_name = "HOST:PORT", help_heading = "Cluster")]
    pub address: String,
    /// The strait command on every machine [default: this one's path]
    #[arg(long, value_name = "COMMAND", help_heading = "Cluster")]
    pub strait: Option<String>,
    /// Processors of one shard
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Cluster", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    /// Python that has the engine's package [default: python3 on the PATH]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub python: Option<PathBuf>,
}

/// A kind of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Ray.
    Ray,
}

/// Which part of the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shard {
    /// This one.
    Part(Part),
    /// That of the environment.
    Auto,
}

fn shard(text: &str) -> Result<Shard, String> {
    const FORM: &str = "write I/N with I from 0 to N-1, as in 0/4, or auto";
    if text == "auto" {
        return Ok(Shard::Auto);
    }
    let (index, of) = text.split_once('/').ok_or(FORM)?;
    let index: u64 = index.parse().map_err(|_| FORM.to_owned())?;
    let of: u64 = of.parse().map_err(|_| FORM.to_owned())?;
    if of == 0 || index >= of {
        return Err(format!("parts are counted from 0: {FORM}"));
    }
    Ok(Shard::Part(Part { index, of }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_0() {
        assert_eq!(shard("auto"), Ok(Shard::Auto));
        assert_eq!(shard("2/3"), Ok(Shard::Part(Part { index: 2, of: 3 })));
        for bad in ["", "3", "3/3", "0/0", "-1/2", "a/b", "1/2/3"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
