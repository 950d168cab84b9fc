//! What a simulation answers: the step, its parts, memory, and the run.
//!
//! In: nothing. Out: plain records for the floors above. Never computes.

use crate::price::{Basis, LineKind};
use crate::rollout::RolloutOutcome;
use std::fmt;
use strait_units::{Bytes, Days, Energy, FlopRate, Money, Ratio, Time, Tokens};

/// Disjoint windows of a step, mean over ranks; they sum to the step time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Breakdown {
    /// Forward chunks outside overlapped pairs, with the communication and waits inside them.
    pub forward: Time,
    /// Backward chunks outside pairs, without their weight-gradient work.
    pub backward_input: Time,
    /// Weight-gradient work of all backward chunks outside pairs.
    pub backward_weight: Time,
    /// Overlapped forward-and-backward pairs.
    pub overlapped: Time,
    /// No chunk open.
    pub bubble: Time,
    /// From the last chunk of the job to the end of the step.
    pub optimizer: Time,
    /// What remains (rounding of means).
    pub other: Time,
}

/// Compute idle for a kind of communication, mean over ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exposed {
    /// Tensor-parallel.
    pub tensor: Time,
    /// Context-parallel.
    pub context: Time,
    /// Expert-parallel.
    pub expert: Time,
    /// Pipeline transfers.
    pub pipeline: Time,
    /// Data-parallel and sharding.
    pub data: Time,
}

/// How finely transfers over links were told apart. None of them: everything took closed forms
/// that know of nobody else, or nothing was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grains {
    /// Classes of flows that no link tells apart: exact where sizes are equal.
    pub class: bool,
    /// Whole collectives.
    pub coflow: bool,
    /// Single flows.
    pub flow: bool,
}

impl fmt::Display for Grains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            ("class", self.class),
            ("coflow", self.coflow),
            ("flow", self.flow),
        ];
        let mut used = words.iter().filter(|word| word.1).map(|word| word.0);
        write!(f, "{}", used.next().unwrap_or("analytic"))?;
        used.try_for_each(|word| write!(f, "+{word}"))
    }
}

/// What the engine did to get the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Ranks of the step, those that another represents included.
    pub ranks: u64,
    /// Instructions over all these ranks, also inside fused runs.
    pub ops: u64,
    /// Events popped from the queue; of representatives alone if folded.
    pub events: u64,
    /// Only representatives were simulated.
    pub folded: bool,
    /// Grain of transfers.
    pub grain: Grains,
    /// Transfers (by group and pattern) that were simulated on links shared with others, or on
    /// faulty ones. All others took the time that they take alone.
    pub on_links: u32,
}

/// One part of a rank's memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryPart {
    /// What it is, in words.
    pub name: String,
    /// How much.
    pub bytes: Bytes,
}

/// Peak memory of the fullest rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Peak.
    pub peak: Bytes,
    /// What of it the framework's allocator hands out: all but context, communicators and
    /// libraries. This is what `torch.cuda.max_memory_allocated` reports.
    pub allocated: Bytes,
    /// Capacity of the accelerator.
    pub capacity: Bytes,
    /// Pipeline rank that is fullest.
    pub pipeline_rank: u32,
    /// All parts of it, largest first; they sum to `peak`.
    pub parts: Vec<MemoryPart>,
}

impl Memory {
    /// The peak is within the capacity.
    pub fn fits(&self) -> bool {
        self.peak <= self.capacity
    }
}

/// One bar of a pipeline chart: an open block on a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Pipeline rank (of data-parallel replica 0).
    pub pipeline_rank: u32,
    /// What kind of chunk.
    pub kind: BarKind,
    /// Micro-batch of the forward part, or of the only part.
    pub micro_batch: u32,
    /// Start.
    pub start: Time,
    /// End.
    pub end: Time,
}

/// What a bar of a pipeline chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// Forward.
    Forward,
    /// Backward, input and weight gradients.
    Backward,
    /// Backward for the input only.
    BackwardInput,
    /// Weight gradients only.
    BackwardWeight,
    /// An overlapped pair.
    Pair,
    /// Gradient exchange and optimizer.
    Optimizer,
}

/// One optimizer step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// From start to the end on the last rank.
    pub time: Time,
    /// Tokens of the batch.
    pub tokens: Tokens,
    /// Model FLOP rate of one accelerator: causal attention (half the square) counted, without
    /// recompute and without multi-token prediction.
    pub rate_causal: FlopRate,
    /// The same with the full attention square.
    pub rate_full: FlopRate,
    /// `rate_causal` over the dense BF16 peak.
    pub mfu_causal: Ratio,
    /// `rate_full` over the dense BF16 peak.
    pub mfu_full: Ratio,
    /// Parts.
    pub breakdown: Breakdown,
    /// Exposed communication.
    pub exposed: Exposed,
    /// Compute time by class of kernel (GEMM, attention, casts, …), mean over ranks, largest first.
    pub kernels: Vec<(String, Time)>,
    /// Memory.
    pub memory: Memory,
    /// Engine's own figures.
    pub work: Work,
    /// Bars of one data-parallel replica, for the pipeline chart.
    pub bars: Vec<Bar>,
    /// What the user must check before trusting the answer.
    pub warnings: Vec<String>,
}

/// One phase of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseOutcome {
    /// Name.
    pub name: String,
    /// Counts as pre-training.
    pub pretraining: bool,
    /// Optimizer steps.
    pub steps: f64,
    /// Mean step time.
    pub step_time: Time,
    /// Accelerator-hours of its steps: what interrupts a run is not in them.
    pub gpu_hours: f64,
    /// What the rollouts of a phase of reinforcement learning came to.
    pub rollout: Option<RolloutOutcome>,
}

/// Where the calendar time of a run went; the parts sum to its days.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Account {
    /// Steps that the trained model is made of.
    pub training: Days,
    /// Steps that were done again: after interruptions, from the last checkpoint on.
    pub lost: Days,
    /// Steps that were thrown away after a spike of the loss.
    pub rollback: Days,
    /// What slow machines added to steps.
    pub straggling: Days,
    /// Stops to write checkpoints.
    pub checkpoint: Days,
    /// Stops to evaluate.
    pub evaluation: Days,
    /// Until somebody or something noticed an interruption.
    pub detection: Days,
    /// Starting again.
    pub restart: Days,
    /// Waiting for machines, where no spare was left.
    pub waiting: Days,
}

impl Account {
    /// All of it.
    pub fn total(&self) -> Days {
        self.training
            + self.lost
            + self.rollback
            + self.straggling
            + self.checkpoint
            + self.evaluation
            + self.detection
            + self.restart
            + self.waiting
    }
}

/// What interrupted a run, and how it was saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interruptions {
    /// Unexpected ones by cause, in the order of the profile.
    pub by_cause: Vec<(String, u64)>,
    /// Planned ones.
    pub planned: u64,
    /// Returns to an earlier checkpoint after a spike of the loss.
    pub rollbacks: u64,
    /// Stops to take slow machines out.
    pub swaps: u64,
    /// Nodes that stand by.
    pub spares: u32,
    /// Most nodes in repair at once.
    pub most_in_repair: u32,
    /// Training between two checkpoints; `None`: no checkpoint is written.
    pub checkpoint_interval: Option<Days>,
    /// The interval for which the mean time is least; `None`: none is worth its time.
    pub optimal_interval: Option<Days>,
    /// How long training stops for a checkpoint.
    pub checkpoint_stop: Time,
    /// Days on average over all that may happen, in closed form; stragglers and waiting for nodes
    /// left out.
    pub mean_days: Days,
}

impl Interruptions {
    /// Unexpected ones.
    pub fn unexpected(&self) -> u64 {
        self.by_cause.iter().map(|(_, count)| count).sum()
    }

    /// All interruptions, expected or not.
    pub fn total(&self) -> u64 {
        self.unexpected() + self.planned
    }
}

/// Where the energy of a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnergyParts {
    /// Servers while their accelerators compute.
    pub compute: Energy,
    /// Servers while communication is waited for.
    pub communication: Energy,
    /// Servers while there is nothing to do.
    pub idle: Energy,
    /// Switches between servers.
    pub network: Energy,
    /// What the facility adds: cooling, conversion.
    pub facility: Energy,
}

impl EnergyParts {
    /// All of it.
    pub fn total(&self) -> Energy {
        self.compute + self.communication + self.idle + self.network + self.facility
    }
}

/// What a part of the cost is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostKind {
    /// Rent of the run's accelerator-hours.
    Rent,
    /// Owned servers, for the hours of the run.
    Servers,
    /// Owned network between them.
    Network,
    /// The building.
    Facility,
    /// Repairs.
    Maintenance,
    /// Hours of an owned fleet that nobody uses.
    Idle,
    /// Electricity, paid apart where accelerators are owned.
    Electricity,
    /// A line beyond the run.
    Line(LineKind),
}

impl CostKind {
    /// The word that answers use.
    pub fn word(self) -> &'static str {
        match self {
            CostKind::Rent => "rent",
            CostKind::Servers => "servers",
            CostKind::Network => "network",
            CostKind::Facility => "facility",
            CostKind::Maintenance => "maintenance",
            CostKind::Idle => "idle",
            CostKind::Electricity => "electricity",
            CostKind::Line(kind) => kind.word(),
        }
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            CostKind::Rent => "rent of the run",
            CostKind::Servers => "servers",
            CostKind::Network => "network between servers",
            CostKind::Facility => "building, power supply, cooling",
            CostKind::Maintenance => "maintenance",
            CostKind::Idle => "idle hours of the fleet",
            CostKind::Electricity => "electricity",
            CostKind::Line(kind) => kind.word(),
        }
    }

    /// It is part of the run itself.
    pub fn of_run(self) -> bool {
        !matches!(self, CostKind::Line(_))
    }
}

/// A part of the cost.
#[derive(Clone, Debug, PartialEq)]
pub struct CostPart {
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: CostKind,
    /// How much.
    pub money: Money,
    /// With its own ranges at their cheap ends.
    pub low: Money,
    /// With its own ranges at their dear ends.
    pub high: Money,
    /// Why so much.
    pub why: String,
    /// Who says so; empty where it is worked out or assumed.
    pub source: String,
}

/// What the run and all beyond it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostOutcome {
    /// Whether accelerators are rented or owned.
    pub basis: Basis,
    /// Parts of the run first, then the lines beyond it in their order; they sum to the total.
    pub parts: Vec<CostPart>,
    /// Everything with every range at its cheap end.
    pub low: Money,
    /// Everything with every range at its dear end.
    pub high: Money,
}

impl CostOutcome {
    /// The run itself, on its basis.
    pub fn run(&self) -> Money {
        (self.parts.iter().filter(|part| part.kind.of_run()))
            .map(|part| part.money)
            .sum()
    }

    /// Everything.
    pub fn total(&self) -> Money {
        self.parts.iter().map(|part| part.money).sum()
    }

    /// There are lines beyond the run.
    pub fn has_lines(&self) -> bool {
        self.parts.iter().any(|part| !part.kind.of_run())
    }
}

/// The whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOutcome {
    /// Days from start to end.
    pub days: f64,
    /// Where they went.
    pub account: Account,
    /// What interrupted it; `None` where nothing was to.
    pub interruptions: Option<Interruptions>,
    /// Accelerator-hours: all days on all accelerators of the job.
    pub gpu_hours: f64,
    /// Energy at the facility's meter.
    pub energy: Energy,
    /// What it went into; the parts sum to `energy`.
    pub energy_parts: EnergyParts,
    /// Rent of all accelerator-hours, also where the accelerators are owned.
    pub rent: Money,
    /// What of it is electricity, had it been paid apart.
    pub electricity: Money,
    /// Phases in order.
    pub phases: Vec<PhaseOutcome>,
}

impl RunOutcome {
    /// The share of its days in which the run trains what it ends with: 1 where nothing interrupts
    /// it.
    pub fn goodput(&self) -> Ratio {
        let total = self.account.total().get();
        Ratio::new(if total > 0.0 {
            self.account.training.get() / total
        } else {
            1.0
        })
    }
}

/// The answer to a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// One step of the main phase.
    pub step: StepOutcome,
    /// The run.
    pub run: RunOutcome,
    /// What it cost, and all beyond it.
    pub cost: CostOutcome,
    /// CPU time that simulating the main phase's step took, by the caller's clock. The one
    /// figure here that differs between runs.
    pub cpu_seconds: f64,
}
