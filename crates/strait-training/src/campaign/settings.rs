//! What interrupts a run, and how it is saved and started again: the inputs of the slow clock.
//!
//! In: nothing. Out: plain records, filled by the floor above. Never computes, but for how many
//! spare nodes a fleet usually keeps.

use strait_units::{Bandwidth, Bytes, FailureRate, Ratio, Time, Tokens};

/// How an interruption comes to be noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notice {
    /// A process ends, a device reports an error.
    #[default]
    Explicit,
    /// Nothing says so: all wait until a timeout runs out.
    Hang,
}

/// One cause of unexpected interruptions.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What it is, in words.
    pub name: String,
    /// How often, for each node of the job.
    pub rate: FailureRate,
    /// How it is noticed.
    pub notice: Notice,
    /// The node is taken out and comes back when it is repaired; else it is used again at once.
    pub repair: bool,
}

/// Whether training stops while a checkpoint is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckpointMode {
    /// It stops until storage has all of it.
    #[default]
    Synchronous,
    /// It stops until host memory has a copy, which goes to storage while training goes on.
    Asynchronous,
}

/// Checkpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checkpoints {
    /// Training between two of them; `None`: the interval that makes the run shortest.
    pub interval: Option<Time>,
    /// Whether training stops for them.
    pub mode: CheckpointMode,
    /// Size of one.
    pub bytes: Bytes,
    /// Rate at which the whole job writes to storage and reads from it.
    pub storage: Bandwidth,
    /// Rate at which one accelerator copies to host memory.
    pub snapshot: Bandwidth,
}

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After so many tokens.
    Tokens(Tokens),
    /// After so many optimizer steps.
    Steps(u32),
}

/// Pauses in which the model is evaluated on the training cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluations {
    /// How often.
    pub every: Every,
    /// How long.
    pub pause: Time,
}

/// Returns to an earlier checkpoint after a spike of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rollbacks {
    /// Mean number in 10^12 tokens.
    pub per_trillion_tokens: f64,
    /// Tokens thrown away by each.
    pub back: Tokens,
}

/// Machines that are slower than they should be, and hold everybody up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stragglers {
    /// Share of machines that are slow when they join the job.
    pub share: Ratio,
    /// What a slow machine adds to a step, as a share of it.
    pub slowdown: Ratio,
    /// Until one is found and taken out.
    pub found_after: Time,
}

/// Everything that keeps a run from being its steps alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// Id of the profile that the rates come from.
    pub profile: String,
    /// Causes of unexpected interruptions.
    pub causes: Vec<Cause>,
    /// Planned interruptions: saved before, noticed at once.
    pub planned: FailureRate,
    /// Until an explicit failure is noticed and located.
    pub detection: Time,
    /// The same of a hang.
    pub hang_detection: Time,
    /// From there until training goes on, without reading the checkpoint.
    pub restart: Time,
    /// Until a node that was taken out is back.
    pub repair: Time,
    /// Nodes that stand by.
    pub spares: u32,
    /// Checkpoints.
    pub checkpoints: Checkpoints,
    /// Evaluation; `None`: elsewhere, or not at all.
    pub evaluations: Option<Evaluations>,
    /// Rollbacks.
    pub rollbacks: Rollbacks,
    /// Stragglers.
    pub stragglers: Stragglers,
}

/// Spare nodes that a fleet keeps: as many as are in repair on average or slow, and three standard
/// deviations of that (it is Poisson distributed) more; never more than there are nodes.
pub fn usual_spares(nodes: u32, taken_out: FailureRate, repair: Time, slow: Ratio) -> u32 {
    let mean = mean_in_repair(nodes, taken_out, repair) + f64::from(nodes) * slow.get();
    let enough = (mean + 3.0 * mean.sqrt()).ceil();
    (enough as u32).min(nodes)
}

/// Nodes in repair on average: arrivals times stay (Little's law).
pub(super) fn mean_in_repair(nodes: u32, taken_out: FailureRate, repair: Time) -> f64 {
    f64::from(nodes) * taken_out.get() * repair.seconds() / 86_400.0
}

impl Reliability {
    /// All unexpected interruptions of one node.
    pub fn failures(&self) -> FailureRate {
        self.causes.iter().map(|cause| cause.rate).sum()
    }

    /// Those that take the node out.
    pub fn taken_out(&self) -> FailureRate {
        let out = self.causes.iter().filter(|cause| cause.repair);
        out.map(|cause| cause.rate).sum()
    }
}
