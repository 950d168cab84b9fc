//! Whether a layout, a model, a cluster and a batch agree.
//!
//! In: the settings. Out: the numbers that follow from them, or every contradiction. Never
//! stops at the first one, except where the next question would have no meaning.

use super::stages::{self, StageContents, is_moe};
use crate::case::{Parallelism, ScheduleKind, Zero};
use crate::hardware::Cluster;
use crate::model::{Attention, Model};
use crate::schedule::{self, ScheduleError};
use crate::simulate::SimulateError;

/// What follows from settings that agree.
pub(super) struct Plan {
    pub data: u32,
    pub expert_data: u32,
    pub shard: u32,
    pub expert_shard: u32,
    pub micro_batches: u32,
    pub stages: Vec<StageContents>,
}

/// Most layers of a model: a bound on work, far above any published model.
const MOST_LAYERS: u32 = 100_000;

fn invalid(path: &str, message: String, remedy: impl Into<String>) -> SimulateError {
    SimulateError::Invalid {
        path: path.into(),
        message,
        remedy: remedy.into(),
    }
}

/// A schedule's refusal, as an error of the case.
pub(super) fn invalid_schedule(error: &ScheduleError) -> SimulateError {
    invalid(error.path(), error.to_string(), error.remedy())
}

/// Checks everything; see [`super::Layout::new`].
pub(super) fn check(
    parallelism: &Parallelism,
    model: &Model,
    cluster: &Cluster,
    sequence_length: u32,
    global_batch: u32,
) -> Result<Plan, Vec<SimulateError>> {
    let mut errors = zeros(parallelism, model, cluster, sequence_length, global_batch);
    if model.layers > MOST_LAYERS {
        errors.push(invalid(
            "model.layers",
            format!(
                "{} layers are more than the {MOST_LAYERS} that can be laid out",
                model.layers
            ),
            "lower model.layers",
        ));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    errors.extend(widths(parallelism, model, sequence_length));
    if parallelism.zero == Zero::Zero3 && parallelism.schedule == ScheduleKind::DualPipe {
        errors.push(invalid(
            "parallelism.zero",
            "parallelism.zero 3 with parallelism.schedule dualpipe: parameters would be sharded over mirrored ranks that work on different chunks at a time".into(),
            "set parallelism.zero to 1 or 2, or choose another parallelism.schedule",
        ));
    }
    let stage_sizes = stage_sizes(parallelism, model, sequence_length);
    let ranks = ranks(parallelism, cluster);
    let mut plan = Plan {
        data: 1,
        expert_data: 1,
        shard: 1,
        expert_shard: 1,
        micro_batches: 1,
        stages: Vec::new(),
    };
    match stage_sizes {
        Ok(sizes) => plan.stages = stages::contents(model, &sizes),
        Err(error) => errors.push(error),
    }
    match ranks {
        Ok(data) => {
            plan.data = data;
            match experts_over(parallelism, data) {
                Ok(expert_data) => plan.expert_data = expert_data,
                Err(error) => errors.push(error),
            }
            match shards(parallelism, data, plan.expert_data) {
                Ok((shard, expert_shard)) => {
                    plan.shard = shard;
                    plan.expert_shard = expert_shard;
                }
                Err(error) => errors.push(error),
            }
            match micro_batches(parallelism, data, global_batch) {
                Ok(micro_batches) => {
                    plan.micro_batches = micro_batches;
                    errors.extend(
                        schedule::check(
                            parallelism.schedule,
                            parallelism.pipeline,
                            parallelism.virtual_stages,
                            micro_batches,
                        )
                        .err()
                        .map(|error| invalid_schedule(&error)),
                    );
                }
                Err(error) => errors.push(error),
            }
        }
        Err(error) => errors.push(error),
    }
    if errors.is_empty() {
        Ok(plan)
    } else {
        Err(errors)
    }
}

fn zeros(
    parallelism: &Parallelism,
    model: &Model,
    cluster: &Cluster,
    sequence_length: u32,
    global_batch: u32,
) -> Vec<SimulateError> {
    [
        ("parallelism.tensor", parallelism.tensor),
        ("parallelism.pipeline", parallelism.pipeline),
        ("parallelism.virtual_stages", parallelism.virtual_stages),
        ("parallelism.context", parallelism.context),
        ("parallelism.expert", parallelism.expert),
        ("parallelism.expert_tensor", parallelism.expert_tensor),
        ("parallelism.micro_batch", parallelism.micro_batch),
        (
            "parallelism.zero_group",
            parallelism.zero_group.unwrap_or(1),
        ),
        ("model.layers", model.layers),
        ("cluster.nodes", cluster.nodes),
        ("cluster.node", cluster.node.accelerators),
        ("training.sequence_length", sequence_length),
        ("training.global_batch", global_batch),
    ]
    .into_iter()
    .filter(|(_, value)| *value == 0)
    .map(|(path, _)| {
        let message = format!("{path} must be at least 1");
        invalid(path, message, format!("set {path} to 1 or more"))
    })
    .collect()
}

/// Data-parallel ranks.
fn ranks(parallelism: &Parallelism, cluster: &Cluster) -> Result<u32, SimulateError> {
    let ranks = u64::from(cluster.nodes) * u64::from(cluster.node.accelerators);
    let replica = [
        parallelism.tensor,
        parallelism.pipeline,
        parallelism.context,
    ]
    .into_iter()
    .map(u128::from)
    .product::<u128>();
    // Room for sums of two copies of all ranks in 32 bits.
    if ranks > u64::from(u32::MAX / 4) {
        return Err(invalid(
            "cluster.nodes",
            format!("{ranks} accelerators are more than can be simulated"),
            "lower cluster.nodes",
        ));
    }
    if !u128::from(ranks).is_multiple_of(replica) {
        return Err(invalid(
            "parallelism",
            format!(
                "tensor x pipeline x context = {} x {} x {} = {replica} does not divide the cluster's {ranks} accelerators ({} nodes of {})",
                parallelism.tensor,
                parallelism.pipeline,
                parallelism.context,
                cluster.nodes,
                cluster.node.accelerators
            ),
            "change parallelism.tensor, pipeline or context, or cluster.nodes, so that their product divides the accelerators; what is left is data-parallel",
        ));
    }
    Ok((u128::from(ranks) / replica) as u32)
}

fn micro_batches(
    parallelism: &Parallelism,
    data: u32,
    global_batch: u32,
) -> Result<u32, SimulateError> {
    let pass = u64::from(data) * u64::from(parallelism.micro_batch);
    if !u64::from(global_batch).is_multiple_of(pass) {
        let below = u64::from(global_batch) / pass * pass;
        let remedy = match below {
            0 => format!(
                "use at least {pass} sequences, fewer accelerators, or more of them in parallelism.tensor, pipeline or context"
            ),
            _ => format!(
                "use {below} or {} sequences, or another parallelism.micro_batch",
                below + pass
            ),
        };
        return Err(invalid(
            "training.global_batch",
            format!(
                "a batch of {global_batch} sequences can't be divided over {data} data-parallel ranks in micro-batches of {}",
                parallelism.micro_batch
            ),
            remedy,
        ));
    }
    Ok((u64::from(global_batch) / pass) as u32)
}

/// Ranks of a stage that hold the same experts.
fn experts_over(parallelism: &Parallelism, data: u32) -> Result<u32, SimulateError> {
    let stage = u64::from(parallelism.tensor) * u64::from(parallelism.context) * u64::from(data);
    let held = u64::from(parallelism.expert) * u64::from(parallelism.expert_tensor);
    if !stage.is_multiple_of(held) {
        return Err(invalid(
            "parallelism.expert",
            format!(
                "expert x expert_tensor = {} x {} = {held} does not divide the {stage} ranks of a pipeline stage (tensor x context x data = {} x {} x {data})",
                parallelism.expert,
                parallelism.expert_tensor,
                parallelism.tensor,
                parallelism.context
            ),
            format!("choose parallelism.expert x expert_tensor among the divisors of {stage}"),
        ));
    }
    Ok((stage / held) as u32)
}

/// Ranks over which ZeRO shards dense and expert states.
fn shards(
    parallelism: &Parallelism,
    data: u32,
    expert_data: u32,
) -> Result<(u32, u32), SimulateError> {
    let copies = schedule::copies(parallelism.schedule);
    let group = data * parallelism.context * copies;
    let expert_group = expert_data * copies;
    match parallelism.zero_group {
        None => Ok((group, expert_group)),
        Some(shard) if group.is_multiple_of(shard) => {
            // The largest part of the expert group that keeps to the same bound.
            let fits = |size: &u32| expert_group.is_multiple_of(*size);
            let expert = (1..=shard.min(expert_group)).rev().find(fits);
            Ok((shard, expert.unwrap_or(1)))
        }
        Some(shard) => Err(invalid(
            "parallelism.zero_group",
            format!(
                "parallelism.zero_group {shard} does not divide the {group} ranks that hold the same weights"
            ),
            format!("choose a divisor of {group}, or leave parallelism.zero_group out"),
        )),
    }
}

/// Whether every width divides over the ranks that share it.
fn widths(parallelism: &Parallelism, model: &Model, sequence_length: u32) -> Vec<SimulateError> {
    let mut errors = Vec::new();
    let tensor = parallelism.tensor;
    let mut divides = |what: &str, width: u32, path: &str, ranks: u32| {
        if !width.is_multiple_of(ranks) {
            errors.push(invalid(
                path,
                format!("{path} {ranks} does not divide the {width} {what}"),
                format!("choose a divisor of {width} for {path}"),
            ));
        }
    };
    match model.attention {
        Attention::Grouped {
            heads, kv_heads, ..
        } => {
            divides("attention heads", heads, "parallelism.tensor", tensor);
            // More ranks than key/value heads: each head is copied to several ranks.
            if !(kv_heads > 0 && tensor.is_multiple_of(kv_heads)) {
                divides("key/value heads", kv_heads, "parallelism.tensor", tensor);
            }
        }
        Attention::Latent { heads, .. } => {
            divides("attention heads", heads, "parallelism.tensor", tensor);
        }
    }
    let dense = match &model.experts {
        Some(experts) => !(0..model.layers).all(|layer| is_moe(experts, layer)),
        None => true,
    };
    if dense {
        let what = "columns of the feed-forward network";
        divides(what, model.ffn, "parallelism.tensor", tensor);
    }
    if let Some(experts) = &model.experts {
        let path = "parallelism.expert";
        divides(
            "experts of a layer",
            experts.routed,
            path,
            parallelism.expert,
        );
        let path = "parallelism.expert_tensor";
        let ranks = parallelism.expert_tensor;
        divides("columns of an expert", experts.width, path, ranks);
        let what = "columns of the shared experts";
        divides(what, experts.shared_width, "parallelism.tensor", tensor);
    }
    let context = parallelism.context;
    let what = "tokens of a sequence";
    divides(what, sequence_length, "parallelism.context", context);
    if parallelism.sequence && sequence_length.is_multiple_of(context) {
        let what = "tokens that a context-parallel rank holds of a sequence";
        let held = sequence_length / context;
        divides(what, held, "parallelism.tensor", tensor);
    }
    if model.experts.is_none() {
        for (path, ranks) in [
            ("parallelism.expert", parallelism.expert),
            ("parallelism.expert_tensor", parallelism.expert_tensor),
        ] {
            if ranks > 1 {
                errors.push(invalid(
                    path,
                    format!("{path} is {ranks}, but {} has no experts", model.name),
                    format!("set {path} = 1"),
                ));
            }
        }
    }
    errors
}

/// Layers of each stage.
fn stage_sizes(
    parallelism: &Parallelism,
    model: &Model,
    sequence_length: u32,
) -> Result<Vec<u32>, SimulateError> {
    let chunks = schedule::chunks(parallelism.schedule, parallelism.virtual_stages);
    let stages = match schedule::copies(parallelism.schedule) {
        2 => u64::from(parallelism.pipeline),
        _ => u64::from(parallelism.pipeline) * u64::from(chunks),
    };
    let layers = u64::from(model.layers);
    if let Some(given) = &parallelism.stage_layers {
        let sum: u64 = given.iter().copied().map(u64::from).sum();
        if given.len() as u64 != stages || sum != layers {
            return Err(invalid(
                "parallelism.stage_layers",
                format!(
                    "parallelism.stage_layers names {} stages with {sum} layers, but the layout has {stages} stages and {} has {layers} layers",
                    given.len(),
                    model.name
                ),
                format!("give {stages} numbers that add up to {layers}, or leave it out"),
            ));
        }
        return Ok(given.clone());
    }
    // The first stage may hold the embedding alone and the last one the head alone.
    if stages > layers + 2 {
        return Err(invalid(
            "parallelism.pipeline",
            format!(
                "{stages} stages ({} pipeline ranks) are more than the {layers} layers of {} can fill",
                parallelism.pipeline, model.name
            ),
            "lower parallelism.pipeline or parallelism.virtual_stages",
        ));
    }
    Ok(stages::sizes(model, stages as u32, sequence_length))
}
