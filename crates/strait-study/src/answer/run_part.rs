//! The run and its cost in the object that `strait run --json` prints.
//!
//! In: a [`CaseAnswer`]. Out: [`RunPart`] and [`CostDocument`], whose field names and order are a
//! promise to scripts. Never leaves out a key: what is unknown is `null`.

use super::CaseAnswer;
use super::document::seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strait_training::outcome::{Account, EnergyParts, Interruptions, Outcome};
use strait_training::rollout::{RolloutOutcome, Stage};
use strait_units::Energy;

/// The whole run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunPart {
    /// Days from start to end.
    pub days: f64,
    /// Accelerator-hours: all of these days on all accelerators of the job.
    pub gpu_hours: f64,
    /// The share of the days in which it trains what it ends with; 1 where nothing interrupts it.
    pub goodput: f64,
    /// Where the days went; they sum to `days`.
    pub account_days: AccountDocument,
    /// Interruptions, unexpected and planned; `null` without `[reliability]`.
    pub interruptions: Option<u64>,
    /// How many by cause, in the order of the failure profile; planned ones last.
    pub interruptions_by_cause: Vec<CauseDocument>,
    /// Training between two checkpoints, in seconds; `null` where none is written.
    pub checkpoint_interval_s: Option<f64>,
    /// The interval for which the mean run is shortest, in seconds; `null` where that is without
    /// checkpoints.
    pub optimal_checkpoint_interval_s: Option<f64>,
    /// Days of a mean run, in closed form, stragglers and waiting for nodes left out; `null`
    /// without `[reliability]`.
    pub mean_days: Option<f64>,
    /// Energy at the facility's meter, in MWh.
    pub energy_mwh: f64,
    /// What the energy went into; the parts sum to it.
    pub energy_parts_mwh: EnergyDocument,
    /// Phases in order.
    pub phases: Vec<PhaseDocument>,
}

/// Where the calendar time of a run went, in days.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountDocument {
    /// Steps that the trained model is made of.
    pub training: f64,
    /// Steps that were done again, from the last checkpoint on.
    pub lost: f64,
    /// Steps that were thrown away after a spike of the loss.
    pub rollback: f64,
    /// What slow machines added to steps.
    pub straggling: f64,
    /// Stops to write checkpoints.
    pub checkpoint: f64,
    /// Stops to evaluate.
    pub evaluation: f64,
    /// Until an interruption was noticed and located.
    pub detection: f64,
    /// Starting again.
    pub restart: f64,
    /// Waiting for machines, where no spare was left.
    pub waiting: f64,
}

impl From<&Account> for AccountDocument {
    fn from(account: &Account) -> AccountDocument {
        AccountDocument {
            training: account.training.get(),
            lost: account.lost.get(),
            rollback: account.rollback.get(),
            straggling: account.straggling.get(),
            checkpoint: account.checkpoint.get(),
            evaluation: account.evaluation.get(),
            detection: account.detection.get(),
            restart: account.restart.get(),
            waiting: account.waiting.get(),
        }
    }
}

/// A cause of interruptions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CauseDocument {
    /// What it is.
    pub cause: String,
    /// How often it interrupted the run.
    pub count: u64,
}

/// Interruptions by cause, planned ones last.
fn causes(interruptions: Option<&Interruptions>) -> Vec<CauseDocument> {
    let Some(all) = interruptions else {
        return Vec::new();
    };
    let planned = ("planned".to_owned(), all.planned);
    (all.by_cause.iter().cloned().chain([planned]))
        .map(|(cause, count)| CauseDocument { cause, count })
        .collect()
}

/// Where the energy of the run went, in MWh.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EnergyDocument {
    /// Servers while their accelerators compute; everything but cooling where `economics.load_factor` is stated.
    pub compute: f64,
    /// Servers while communication is waited for.
    pub communication: f64,
    /// Servers while there is nothing to do.
    pub idle: f64,
    /// Switches between servers.
    pub network: f64,
    /// What the facility adds: cooling, conversion.
    pub facility: f64,
}

/// A phase of the run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PhaseDocument {
    /// Name.
    pub name: String,
    /// Optimizer steps.
    pub steps: f64,
    /// Accelerator-hours of its steps; what interrupts a run is in none of the phases.
    pub gpu_hours: f64,
    /// Mean step time, in seconds.
    pub step_time_s: f64,
    /// Counts as pre-training.
    pub pretraining: bool,
    /// Its stages, in seconds over the whole phase; they sum to its time. `null` but in phases of
    /// reinforcement learning.
    pub stages_s: Option<StagesDocument>,
    /// Its rollouts; `null` but in phases of reinforcement learning.
    pub rollouts: Option<RolloutDocument>,
}

/// Stages of a phase of reinforcement learning, in seconds over the whole phase.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StagesDocument {
    /// Questions pass through the model.
    pub prompts: f64,
    /// Responses are generated, as long as a tenth of those that start together is at work.
    pub rollout: f64,
    /// The last, longest responses are.
    pub rollout_tail: f64,
    /// Responses are judged.
    pub reward: f64,
    /// The reference policy passes over all samples.
    pub reference: f64,
    /// The policy is updated.
    pub policy: f64,
    /// Weights move between stages.
    pub hand_over: f64,
}

/// Rollouts of a phase of reinforcement learning.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RolloutDocument {
    /// How many.
    pub count: f64,
    /// Tokens generated in all.
    pub generated_tokens: u64,
    /// Tokens generated per second and accelerator while responses are generated.
    pub tokens_per_s_per_gpu: Option<f64>,
    /// Sequences that one tensor-parallel group works on at a time, at most.
    pub sequences: f64,
    /// Weights of the rollout on an accelerator, in GB.
    pub weights_gb: f64,
    /// Memory of an accelerator left for the KV cache, in GB.
    pub cache_gb: f64,
}

/// Cost, in US dollars.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CostDocument {
    /// Everything: the run on its basis, and all lines beyond it. The parts sum to it.
    pub total: f64,
    /// Rent of the run's accelerators, also where they are owned.
    pub rent: f64,
    /// Electricity of the run. Rent includes it; where accelerators are owned it is one of the parts.
    pub electricity_included: f64,
    /// The run itself on its basis, without lines: what the claims `cost` and `pretraining_cost` mean.
    pub run: f64,
    /// `rent` or `own`.
    pub basis: String,
    /// Everything, with every range at its cheap end. No interval of a probability.
    pub low: f64,
    /// Everything, with every range at its dear end.
    pub high: f64,
    /// Parts of the run first, then the lines beyond it.
    pub parts: Vec<CostPartDocument>,
}

/// A part of the cost, in US dollars.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CostPartDocument {
    /// Name.
    pub name: String,
    /// What it is: `rent`, `servers`, `network`, `facility`, `maintenance`, `idle`, `electricity`, or a line's kind.
    pub kind: String,
    /// With its own ranges at their cheap ends, all else as likely.
    pub low: f64,
    /// Likely value.
    pub value: f64,
    /// With its own ranges at their dear ends.
    pub high: f64,
    /// Why so much.
    pub why: String,
    /// Who says so; empty where it is worked out or assumed.
    pub source: String,
}

fn stages(rollout: &RolloutOutcome) -> StagesDocument {
    let seconds = |stage: Stage| {
        let found = rollout.stages.iter().find(|s| s.stage == stage);
        found.map_or(0.0, |s| s.time.get() * 86_400.0)
    };
    StagesDocument {
        prompts: seconds(Stage::Prompts),
        rollout: seconds(Stage::Rollout),
        rollout_tail: seconds(Stage::RolloutTail),
        reward: seconds(Stage::Reward),
        reference: seconds(Stage::Reference),
        policy: seconds(Stage::Policy),
        hand_over: seconds(Stage::HandOver),
    }
}

fn rollouts(rollout: &RolloutOutcome, ranks: u32) -> RolloutDocument {
    let found = stages(rollout);
    let time = (found.rollout + found.rollout_tail) * f64::from(ranks);
    let rate = rollout.generated.as_f64() / time;
    RolloutDocument {
        count: rollout.rollouts,
        generated_tokens: rollout.generated.get(),
        tokens_per_s_per_gpu: rate.is_finite().then_some(rate),
        sequences: rollout.sequences,
        weights_gb: rollout.weights.gigabytes(),
        cache_gb: rollout.cache.gigabytes(),
    }
}

impl From<&EnergyParts> for EnergyDocument {
    fn from(parts: &EnergyParts) -> EnergyDocument {
        let mwh = |energy: Energy| energy.get() / 3.6e9;
        EnergyDocument {
            compute: mwh(parts.compute),
            communication: mwh(parts.communication),
            idle: mwh(parts.idle),
            network: mwh(parts.network),
            facility: mwh(parts.facility),
        }
    }
}

impl From<&CaseAnswer> for RunPart {
    fn from(case: &CaseAnswer) -> RunPart {
        let run = &case.outcome.run;
        RunPart {
            days: run.days,
            gpu_hours: run.gpu_hours,
            goodput: run.goodput().get(),
            account_days: AccountDocument::from(&run.account),
            interruptions: run.interruptions.as_ref().map(Interruptions::total),
            interruptions_by_cause: causes(run.interruptions.as_ref()),
            checkpoint_interval_s: (run.interruptions.as_ref())
                .and_then(|i| i.checkpoint_interval)
                .map(|days| days.get() * 86_400.0),
            optimal_checkpoint_interval_s: (run.interruptions.as_ref())
                .and_then(|i| i.optimal_interval)
                .map(|days| days.get() * 86_400.0),
            mean_days: (run.interruptions.as_ref()).map(|i| i.mean_days.get()),
            energy_mwh: run.energy.get() / 3.6e9,
            energy_parts_mwh: EnergyDocument::from(&run.energy_parts),
            phases: (run.phases.iter())
                .map(|phase| PhaseDocument {
                    name: phase.name.clone(),
                    steps: phase.steps,
                    gpu_hours: phase.gpu_hours,
                    step_time_s: seconds(phase.step_time),
                    pretraining: phase.pretraining,
                    stages_s: phase.rollout.as_ref().map(stages),
                    rollouts: (phase.rollout.as_ref()).map(|r| rollouts(r, case.setting.ranks)),
                })
                .collect(),
        }
    }
}

impl From<&Outcome> for CostDocument {
    fn from(outcome: &Outcome) -> CostDocument {
        CostDocument {
            total: outcome.cost.total().get(),
            rent: outcome.run.rent.get(),
            electricity_included: outcome.run.electricity.get(),
            run: outcome.cost.run().get(),
            basis: outcome.cost.basis.word().to_owned(),
            low: outcome.cost.low.get(),
            high: outcome.cost.high.get(),
            parts: (outcome.cost.parts.iter())
                .map(|part| CostPartDocument {
                    name: part.name.clone(),
                    kind: part.kind.word().to_owned(),
                    low: part.low.get(),
                    value: part.money.get(),
                    high: part.high.get(),
                    why: part.why.clone(),
                    source: part.source.clone(),
                })
                .collect(),
        }
    }
}
