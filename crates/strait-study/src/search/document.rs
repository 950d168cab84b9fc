//! The answer as JSON.
//!
//! In: an [`Answer`]. Out: a record for serde, with its JSON Schema and a digest over all else in it.
//! Never computes a step.

use super::answer::{Answer, Others, Plan, Run, Site, Written};
use super::score::Objective;
use super::{describe, describe_recompute};
use crate::answer::digest;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use strait_training::case::Parallelism;
use strait_training::schedule;

/// `search --json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "Strait layout search")]
pub struct SearchDocument {
    /// Version of Strait.
    pub strait: String,
    /// The scenario.
    pub scenario: String,
    /// The command that gives this answer again.
    pub command: String,
    /// Model.
    pub model: String,
    /// Accelerator.
    pub accelerator: String,
    /// The phase whose layout was looked for: the one with most tokens.
    pub phase: String,
    /// Sequences of a step.
    pub global_batch: u32,
    /// Tokens of a sequence.
    pub sequence_length: u32,
    /// What was to be least: `time`, `cost` or `energy`.
    pub by: &'static str,
    /// The space: `usual` or `wide`.
    pub space: &'static str,
    /// Everything that fits was simulated.
    pub exhaustive: bool,
    /// Jitter, spread of chips and of expert load: off.
    pub noise: bool,
    /// By number of accelerators, in the order asked for.
    pub sizes: Vec<SizeDocument>,
    /// SHA-256 of all else.
    pub digest: String,
}

/// One number of accelerators.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SizeDocument {
    /// Accelerators.
    pub accelerators: u32,
    /// Memory of one that may be used, GB (10^9 bytes).
    pub capacity_gb: f64,
    /// What became of the layouts of the space.
    pub considered: ConsideredDocument,
    /// The best, best first.
    pub best: Vec<BestDocument>,
    /// The layout that the scenario writes.
    pub written: WrittenDocument,
    /// The best within each limit of memory, where it is another than within more.
    pub front: Vec<FrontDocument>,
    /// Limits of memory at which layouts were left that could be better.
    pub front_unproven: usize,
    /// No other size that was asked for takes fewer days or costs less with no more accelerators.
    pub on_front: bool,
    /// Every layout that was simulated, best first.
    pub simulated: Vec<PlanDocument>,
}

/// What became of the layouts of a space: `layouts` is the sum of `impossible`, `too_large` and `fit`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConsideredDocument {
    /// Different layouts that were looked at, one by one.
    pub layouts: u64,
    /// Combinations of values: those that only repeat another layout are included.
    pub combinations: u64,
    /// Layouts that the checks refuse, by the setting at fault.
    pub impossible: BTreeMap<String, u64>,
    /// Layouts that need more memory.
    pub too_large: u64,
    /// Of these, layouts of which states alone need more: their activations were not looked at.
    pub too_large_by_states: u64,
    /// Layouts that fit.
    pub fit: u64,
    /// Of these, layouts whose least time is more than that of the last one named.
    pub not_better: u64,
    /// Of these, layouts that could be better and were left when `--simulate` was reached.
    pub unlooked: u64,
    /// The least that any of those left could score: seconds, or joules by energy.
    pub unlooked_least: Option<f64>,
    /// Layouts that were simulated, for the best and for the front of memory.
    pub simulated: u64,
    /// Layouts that the simulation refused, by setting.
    pub failed: BTreeMap<String, u64>,
    /// The least memory of any layout that is possible, GB.
    pub least_memory_gb: Option<f64>,
    /// Bounds that were above what was simulated: 0, or this search can't be trusted.
    pub broken_bounds: u64,
}

/// A layout that was simulated.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanDocument {
    /// In one line.
    pub layout: String,
    /// Precision recipe.
    pub precision: String,
    /// Its values.
    pub parallelism: LayoutDocument,
    /// One step.
    pub time_s: f64,
    /// What was to be least: seconds, or joules by energy.
    pub score: f64,
    /// What it could not be below.
    pub bound: f64,
    /// Peak memory of the fullest rank, GB.
    pub memory_gb: f64,
    /// No other that was simulated takes less time and no more memory.
    pub on_front: bool,
}

/// One of the best.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BestDocument {
    /// The layout.
    #[serde(flatten)]
    pub plan: PlanDocument,
    /// Its score over the best's, less one.
    pub behind: f64,
    /// Tokens a second and accelerator.
    pub tokens_per_s_per_gpu: f64,
    /// Model FLOPs utilisation, attention counted where it is causal.
    pub mfu_causal: f64,
    /// Parts of the step, mean over ranks, seconds; they sum to `time_s`.
    pub breakdown_s: PartsDocument,
    /// Communication that nothing hides, seconds; an *of which*.
    pub exposed_communication_s: ExposedDocument,
    /// What keeps the step from being shorter, the most first, in words.
    pub bound_by: Vec<String>,
    /// How it differs from the best, in words; empty for the best itself.
    pub reasons: Vec<String>,
    /// Settings by which it differs from the written layout, as paths and TOML values.
    pub settings: BTreeMap<String, String>,
    /// The whole run.
    pub run: RunDocument,
}

/// Parts of a step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct PartsDocument {
    pub forward: f64,
    pub backward_input: f64,
    pub backward_weight: f64,
    pub overlapped: f64,
    pub bubble: f64,
    pub optimizer: f64,
    pub other: f64,
}

/// Communication that nothing hides.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct ExposedDocument {
    pub tensor: f64,
    pub context: f64,
    pub expert: f64,
    pub pipeline: f64,
    pub data: f64,
}

/// A whole run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunDocument {
    /// Days.
    pub days: f64,
    /// Accelerator-hours.
    pub gpu_hours: f64,
    /// US dollars; null where the run is estimated.
    pub cost_usd: Option<f64>,
    /// Energy at the meter; null where the run is estimated.
    pub energy_mwh: Option<f64>,
    /// Layout of the other phases: `none` there are, `written`, `alike`, or `estimated` from the tokens.
    pub other_phases: &'static str,
}

/// The layout of the scenario.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WrittenDocument {
    /// The scenario says nothing of it: this is what Strait takes then.
    pub by_default: bool,
    /// Why it can't be used here.
    pub refused: Option<String>,
    /// It, if it works.
    pub plan: Option<BestDocument>,
    /// Its place among the best, from 1; null if it is not one of them.
    pub place: Option<usize>,
    /// By how much the best beats it: its score over the best's, less one.
    pub behind: Option<f64>,
}

/// The best within a limit of memory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FrontDocument {
    /// The limit, GB.
    pub limit_gb: f64,
    /// The best that keeps to it.
    pub plan: PlanDocument,
}

/// Values of a layout, by the keys of scenarios.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct LayoutDocument {
    pub tensor: u32,
    pub sequence: bool,
    pub pipeline: u32,
    pub virtual_stages: u32,
    pub context: u32,
    pub expert: u32,
    pub expert_tensor: u32,
    pub data: u32,
    pub zero: u8,
    pub zero_group: Option<u32>,
    pub schedule: &'static str,
    pub micro_batch: u32,
    /// One word, or parts joined by a plus sign.
    pub recompute: String,
    pub recompute_layers: Option<u32>,
    pub offload_layers: u32,
    pub communication_units: u32,
    pub stage_layers: Vec<u32>,
}

/// JSON Schema of [`SearchDocument`].
pub fn schema() -> String {
    let schema = schemars::schema_for!(SearchDocument);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// A score in seconds or joules.
pub(super) fn unit(score: u64, by: Objective) -> f64 {
    match by {
        Objective::Energy => score as f64 / 1e3,
        _ => score as f64 / 1e12,
    }
}

/// One score over another, less one.
pub(super) fn behind(score: u64, best: u64) -> f64 {
    score as f64 / (best.max(1)) as f64 - 1.0
}

fn layout(p: &Parallelism, stage_layers: &[u32], accelerators: u32) -> LayoutDocument {
    LayoutDocument {
        tensor: p.tensor,
        sequence: p.sequence,
        pipeline: p.pipeline,
        virtual_stages: p.virtual_stages,
        context: p.context,
        expert: p.expert,
        expert_tensor: p.expert_tensor,
        data: accelerators / (p.tensor * p.pipeline * p.context).max(1),
        zero: p.zero as u8,
        zero_group: p.zero_group,
        schedule: schedule::name(p.schedule),
        micro_batch: p.micro_batch,
        recompute: describe_recompute(&p.recompute),
        recompute_layers: p.recompute_layers,
        offload_layers: p.offload_layers,
        communication_units: p.communication_units,
        stage_layers: stage_layers.to_vec(),
    }
}

fn plan(plan: &Plan, site: &Site, by: Objective) -> PlanDocument {
    PlanDocument {
        layout: describe(&plan.parallelism),
        precision: plan.recipe.clone(),
        parallelism: layout(&plan.parallelism, &plan.stage_layers, site.accelerators),
        time_s: plan.step.time.seconds(),
        score: unit(plan.score, by),
        bound: unit(plan.bound, by),
        memory_gb: plan.step.memory.peak.as_f64() / 1e9,
        on_front: plan.on_front,
    }
}

fn run(run: &Run) -> RunDocument {
    RunDocument {
        days: run.days,
        gpu_hours: run.gpu_hours,
        cost_usd: run.cost,
        energy_mwh: run.energy_mwh,
        other_phases: match run.others {
            Others::None => "none",
            Others::Written => "written",
            Others::Alike => "alike",
            Others::Estimated => "estimated",
        },
    }
}

fn best(found: &Plan, whole: &Run, first: &Plan, site: &Site, by: Objective) -> BestDocument {
    let step = &found.step;
    let parts = &step.breakdown;
    let exposed = &step.exposed;
    BestDocument {
        plan: plan(found, site, by),
        behind: behind(found.score, first.score),
        tokens_per_s_per_gpu: step.tokens.as_f64()
            / step.time.seconds()
            / f64::from(site.accelerators.max(1)),
        mfu_causal: step.mfu_causal.get(),
        breakdown_s: PartsDocument {
            forward: parts.forward.seconds(),
            backward_input: parts.backward_input.seconds(),
            backward_weight: parts.backward_weight.seconds(),
            overlapped: parts.overlapped.seconds(),
            bubble: parts.bubble.seconds(),
            optimizer: parts.optimizer.seconds(),
            other: parts.other.seconds(),
        },
        exposed_communication_s: ExposedDocument {
            tensor: exposed.tensor.seconds(),
            context: exposed.context.seconds(),
            expert: exposed.expert.seconds(),
            pipeline: exposed.pipeline.seconds(),
            data: exposed.data.seconds(),
        },
        bound_by: super::reasons::bound_by(found),
        reasons: super::reasons::against(found, first),
        settings: found.settings.iter().cloned().collect(),
        run: run(whole),
    }
}

fn size(site: &Site, on_front: bool, answer: &Answer) -> SizeDocument {
    let (by, by_default) = (answer.objective, answer.by_default);
    let first = site.best.first().map(|(at, _)| &site.tried[*at]);
    let written = match &site.written {
        Written::Refused(why) => WrittenDocument {
            by_default,
            refused: Some(why.clone()),
            plan: None,
            place: None,
            behind: None,
        },
        Written::Works(works) => {
            let (own, whole) = works.as_ref();
            WrittenDocument {
                by_default,
                refused: None,
                plan: Some(best(own, whole, first.unwrap_or(own), site, by)),
                place: super::reasons::place(own, site),
                behind: first.map(|first| behind(own.score, first.score)),
            }
        }
    };
    let refused = &site.counts.refused;
    SizeDocument {
        accelerators: site.accelerators,
        capacity_gb: site.capacity.as_f64() / 1e9,
        considered: ConsideredDocument {
            layouts: refused.looked_at,
            combinations: site.numbers,
            impossible: refused.by_setting.clone(),
            too_large: refused.memory,
            too_large_by_states: site.counts.by_states,
            fit: site.fit,
            not_better: site.bounded,
            unlooked: site.unlooked,
            unlooked_least: site.least_unlooked.map(|score| unit(score, by)),
            simulated: site.tried.len() as u64,
            failed: site.failed.iter().cloned().collect(),
            least_memory_gb: refused.least_memory.map(|m| m.as_f64() / 1e9),
            broken_bounds: site.broken_bounds,
        },
        best: (site.best.iter())
            .map(|(at, whole)| {
                let found = &site.tried[*at];
                best(found, whole, first.unwrap_or(found), site, by)
            })
            .collect(),
        written,
        front: (site.front.iter())
            .map(|(limit, at)| FrontDocument {
                limit_gb: limit.as_f64() / 1e9,
                plan: plan(&site.tried[*at], site, by),
            })
            .collect(),
        front_unproven: site.front_unproven,
        on_front,
        simulated: site.tried.iter().map(|p| plan(p, site, by)).collect(),
    }
}

/// Which sizes no other beats in days and in cost with no more accelerators.
pub(super) fn sizes_on_front(answer: &Answer) -> Vec<bool> {
    let figures: Vec<Option<(u32, f64, f64)>> = (answer.sites.iter())
        .map(|site| {
            let (_, run) = site.best.first()?;
            Some((
                site.accelerators,
                run.days,
                run.cost.unwrap_or(f64::INFINITY),
            ))
        })
        .collect();
    let beats =
        |a: &(u32, f64, f64), b: &(u32, f64, f64)| a.0 <= b.0 && a.1 <= b.1 && a.2 <= b.2 && a != b;
    (figures.iter())
        .map(|own| {
            own.as_ref()
                .is_some_and(|own| !figures.iter().flatten().any(|other| beats(other, own)))
        })
        .collect()
}

/// The answer as a record.
pub fn document(answer: &Answer) -> SearchDocument {
    let fronts = sizes_on_front(answer);
    let mut document = SearchDocument {
        strait: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: answer.scenario.clone(),
        command: answer.command.clone(),
        model: answer.model.clone(),
        accelerator: answer.accelerator.clone(),
        phase: answer.phase.clone(),
        global_batch: answer.global_batch,
        sequence_length: answer.sequence_length,
        by: answer.objective.word(),
        space: if answer.wide { "wide" } else { "usual" },
        exhaustive: answer.exhaustive,
        noise: false,
        sizes: (answer.sites.iter().zip(fronts))
            .map(|(site, on_front)| size(site, on_front, answer))
            .collect(),
        digest: String::new(),
    };
    document.digest = digest(&document);
    document
}
