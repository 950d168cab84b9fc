//! Memory of a rank at its fullest moment.
//!
//! In: a case's model, layout, precision and software. Out: the peak of the fullest pipeline
//! rank and all its parts, in words. Never refuses a case that doesn't fit: that is an answer.
//!
//! Modelled: weights and their FP8 copies, gradients, optimizer states, activations of every
//! micro-batch in flight, logits, pipeline buffers, temporaries, and gradient placeholders of
//! libraries. Temporaries of the output head and of a layer are not there at once, except where a
//! forward chunk runs beside a backward one. Not modelled: fragmentation of the allocator (reserved
//! over allocated was 3 to 9 % in the runs of the tests), and routed load above its mean.

mod activations;
mod moments;
#[cfg(test)]
mod tests;
mod weights;

use crate::case::{Method, Parallelism, Precision, PrecisionRecipe, Recompute, Software, Zero};
use crate::layout::{Layout, StageContents};
use crate::model::Model;
use crate::ops::{Shape, layer_pass, mtp_entry_pass, trained};
use crate::outcome::{Memory, MemoryPart};
use crate::schedule::{Held, Live};
use activations::Kept;
use strait_units::Bytes;
use weights::Weights;

/// What the memory of a rank depends on, besides its layout.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Model.
    pub model: &'a Model,
    /// Settings that the layout was made from; ZeRO and recompute are read from here.
    pub parallelism: &'a Parallelism,
    /// Precision.
    pub precision: &'a PrecisionRecipe,
    /// Software generation: its attention kernel is read.
    pub software: &'a Software,
    /// Which weights are trained.
    pub method: Method,
    /// Memory of an accelerator.
    pub capacity: Bytes,
}

impl<'a> Setting<'a> {
    fn with(self, precision: &'a PrecisionRecipe) -> Setting<'a> {
        Setting { precision, ..self }
    }
}

/// CUDA context, communicator buffers and libraries. Strait assumption, 2026-11: no public
/// table; the allocator's own figures leave it out.
pub const FRAMEWORK: Bytes = Bytes::new(4_000_000_000);

/// The fullest pipeline rank.
pub fn peak(setting: Setting<'_>, layout: &Layout) -> Memory {
    let mut fullest = Memory::default();
    for rank in 0..layout.pipeline {
        let memory = of_rank(setting, layout, rank);
        if rank == 0 || memory.peak > fullest.peak {
            fullest = memory;
        }
    }
    fullest
}

/// One pipeline rank.
///
/// # Panics
/// If `rank` is not a pipeline rank of the layout.
pub fn of_rank(setting: Setting<'_>, layout: &Layout, rank: u32) -> Memory {
    let stages = layout.chunks_of(rank);
    let mut parts = states(setting, layout, &stages);
    parts.extend(activations_in_flight(setting, layout, &stages, |held| {
        let held: Vec<Held> = (held.iter())
            .map(|bytes| Held {
                until_input: 0.0,
                until_weight: *bytes,
            })
            .collect();
        let (_, live) = layout.schedule.peak_held(rank, &held);
        live.iter().map(|live| live.weight).collect()
    }));
    parts.push(on_their_way(setting, layout, &stages));
    parts.push((
        "placeholders of gradients",
        moments::placeholders(setting, layout, &stages),
    ));
    let live = layout.schedule.in_flight(rank);
    parts.extend(moments::fuller(setting, layout, &live, &stages));
    parts.push(("pipeline buffers", pipeline_buffers(setting, layout)));
    parts.push((OUTSIDE, FRAMEWORK.as_f64()));

    let mut parts: Vec<MemoryPart> = parts
        .into_iter()
        .map(|(name, bytes)| MemoryPart {
            name: name.into(),
            bytes: Bytes::from_f64(bytes),
        })
        .filter(|part| part.bytes > Bytes::ZERO)
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
    let peak: Bytes = parts.iter().map(|part| part.bytes).sum();
    Memory {
        peak,
        allocated: Bytes::new(peak.get().saturating_sub(FRAMEWORK.get())),
        capacity: setting.capacity,
        pipeline_rank: rank,
        parts,
    }
}

/// What of a rank's memory neither recomputation nor the order of work change: states, placeholders,
/// buffers. With [`passing`] it adds up to the peak of [`of_rank`], to the byte; the layout may be
/// an outline.
///
/// # Panics
/// As [`of_rank`].
pub fn standing(setting: Setting<'_>, layout: &Layout, rank: u32) -> Bytes {
    let stages = layout.chunks_of(rank);
    let placeholders = moments::placeholders(setting, layout, &stages);
    let buffers = pipeline_buffers(setting, layout);
    let parts = states(setting, layout, &stages).into_iter();
    let others = [
        ("", placeholders),
        ("", buffers),
        (OUTSIDE, FRAMEWORK.as_f64()),
    ];
    sum(parts.chain(others))
}

/// What of a rank's memory ZeRO does not change: activations and temporaries, where its order holds
/// `live`.
///
/// # Panics
/// As [`of_rank`].
pub fn passing(setting: Setting<'_>, layout: &Layout, rank: u32, live: &Live) -> Bytes {
    let stages = layout.chunks_of(rank);
    let in_flight = activations_in_flight(setting, layout, &stages, |held| {
        (live.at_peak(held)).map_or_else(|| vec![0; held.len()], <[u32]>::to_vec)
    });
    let on_their_way = on_their_way(setting, layout, &stages);
    let fuller = moments::fuller(setting, layout, &live.most, &stages);
    sum(in_flight.into_iter().chain([on_their_way]).chain(fuller))
}

/// Parts are whole bytes each.
fn sum(parts: impl Iterator<Item = Named>) -> Bytes {
    parts.map(|(_, bytes)| Bytes::from_f64(bytes)).sum()
}

/// What the allocator does not hand out.
const OUTSIDE: &str = "CUDA context, communicators, libraries";

type Named = (&'static str, f64);

/// Layers that are gathered or reduced at once when ZeRO shards them: the one in use and the
/// next (PyTorch FSDP prefetches one).
const GATHERED_LAYERS: f64 = 2.0;

/// Weights, gradients and optimizer states.
///
/// ZeRO-2 and -3 reduce gradients after every micro-batch, so that a rank keeps its shard and
/// those of the layers under way. (Megatron-LM's distributed optimizer keeps whole gradients
/// while it accumulates: that is ZeRO-1 here.)
fn states(setting: Setting<'_>, layout: &Layout, stages: &[&StageContents]) -> Vec<Named> {
    let zero = setting.parallelism.zero;
    let state = setting.precision.state;
    let held = weights::of_stages(setting.model, layout, stages);
    let (shard, expert_shard) = (f64::from(layout.shard), f64::from(layout.expert_shard));
    let sharded = held.dense() / shard + held.experts / expert_shard;
    let adapters = adapters(setting, layout, stages);
    let largest = layers(setting.model, stages)
        .map(|index| {
            weights::layer(
                setting.model,
                layout,
                weights::experts_of(setting.model, index),
            )
        })
        .fold(
            Weights::default(),
            |a, b| if b.all() > a.all() { b } else { a },
        );
    // Gathering can't hold more than everything.
    let under_way = |all: f64, sharded: f64| {
        let gathered = GATHERED_LAYERS * largest.all();
        (sharded + gathered).min(all)
    };
    let of = |from: Zero| zero >= from;
    let weights_held = if of(Zero::Zero3) {
        under_way(held.all(), sharded)
    } else {
        held.all()
    };
    // Gradients of several micro-batches are added up before they are reduced, so that the
    // shards of ZeRO-2 only help where there is one, or where ZeRO-3 reduces each.
    let gradients = if of(Zero::Zero3) || (of(Zero::Zero2) && layout.micro_batches() == 1) {
        under_way(held.all(), sharded)
    } else {
        held.all()
    };
    let optimizer = if of(Zero::Zero1) { sharded } else { held.all() };
    // Of a frozen model only adapters have gradients and optimizer states; that few are held whole
    // while gradients are added up.
    let (gradients, optimizer, added) = match adapters {
        None => (gradients, optimizer, 0.0),
        Some(trained) => {
            let owned = if of(Zero::Zero1) {
                trained.dense() / shard + trained.experts / expert_shard
            } else {
                trained.all()
            };
            (trained.all(), owned, trained.all())
        }
    };
    // Layers that stay in BF16 have no copies.
    let uncast: f64 = layers(setting.model, stages)
        .filter(|&index| {
            let precision = setting.precision.of_layer(index, setting.model.layers);
            precision != setting.precision.recipe
        })
        .map(|index| {
            let moe = weights::experts_of(setting.model, index);
            let layer = weights::layer(setting.model, layout, moe);
            layer.linear + layer.experts
        })
        .sum();
    let cast = held.linear + held.experts - uncast;
    let cast = if of(Zero::Zero3) {
        (GATHERED_LAYERS * (largest.linear + largest.experts)).min(cast)
    } else {
        cast
    };
    vec![
        ("weights", weights_held * state.weight),
        ("weights of adapters", added * state.weight),
        (
            copies_name(setting.precision.recipe),
            cast * fp8_copies(setting.precision),
        ),
        ("gradients", gradients * state.gradient),
        ("master weights", optimizer * state.master),
        ("optimizer moments", optimizer * state.moments),
    ]
}

/// Adapters of a frozen model on a rank.
fn adapters(setting: Setting<'_>, layout: &Layout, stages: &[&StageContents]) -> Option<Weights> {
    setting.method.adapters()?;
    let shape = Shape::of(
        (setting.model, setting.precision),
        (setting.software, setting.method),
        setting.parallelism,
        layout.sequence_length,
    );
    let mut held = Weights::default();
    let mut known = [None; 2];
    for index in layers(setting.model, stages) {
        // Matrices of a layer depend on whether it has experts, and on nothing else.
        let kind = usize::from(weights::experts_of(setting.model, index).is_some());
        let (linear, experts) =
            *known[kind].get_or_insert_with(|| trained(&layer_pass(&shape, index, false)));
        held.linear += linear;
        held.experts += experts;
    }
    if stages.iter().any(|stage| stage.mtp) {
        held.linear += f64::from(setting.model.mtp) * trained(&mtp_entry_pass(&shape)).0;
    }
    Some(held)
}

/// What these are called.
fn copies_name(recipe: Precision) -> &'static str {
    match recipe {
        Precision::Nvfp4 => "FP4 copies of weights",
        _ => "FP8 copies of weights",
    }
}

/// Bytes of FP8 copies of a weight that is kept in more bits, held from one optimizer step to the
/// next; and of the transposed copy where the gradient's GEMM reads another layout.
fn fp8_copies(precision: &PrecisionRecipe) -> f64 {
    let kept_in_fp8 = precision.state.weight < 2.0;
    let (copy, transposed) = match precision.recipe {
        Precision::Fp16 | Precision::Bf16 => (0.0, 0.0),
        // Transformer Engine keeps both (its `cache_weight` path, with gradient accumulation).
        Precision::Fp8Tensor | Precision::Mxfp8 => (1.0, 1.0),
        // 128 x 128 blocks are the same for a matrix and its transpose: no second copy is needed
        // to keep the numbers, it is transposed when read.
        Precision::Fp8Block => (1.0, 0.0),
        // Scales of 16 x 16 blocks serve both, yet the product wants its operand along the inner
        // dimension: two copies.
        Precision::Nvfp4 => (0.5 + 1.0 / 16.0, 0.5 + 1.0 / 16.0),
    };
    if kept_in_fp8 {
        transposed
    } else {
        copy + transposed
    }
}

/// Layers of stages, multi-token-prediction modules as layers past the last.
fn layers<'a>(model: &'a Model, stages: &'a [&StageContents]) -> impl Iterator<Item = u32> + 'a {
    stages.iter().flat_map(|stage| {
        let modules = if stage.mtp { model.mtp } else { 0 };
        stage
            .layers
            .clone()
            .chain(model.layers..model.layers + modules)
    })
}

/// The recipe as layer `index` follows it.
fn of_layer(setting: Setting<'_>, index: u32) -> PrecisionRecipe {
    PrecisionRecipe {
        recipe: setting.precision.of_layer(index, setting.model.layers),
        ..*setting.precision
    }
}

/// What layer `index` keeps of one micro-batch.
fn layer_keeps(setting: Setting<'_>, layout: &Layout, index: u32, recompute: &Recompute) -> Kept {
    let moe = weights::experts_of(setting.model, index);
    let precision = of_layer(setting, index);
    activations::layer(setting.with(&precision), layout, recompute, moe)
}

/// What layer `index` keeps of one micro-batch; `recompute` says whether it is among those that are.
pub fn kept(setting: Setting<'_>, layout: &Layout, index: u32, recompute: bool) -> Bytes {
    let recompute = match recompute {
        true => &setting.parallelism.recompute,
        false => &Recompute::None,
    };
    Bytes::from_f64(layer_keeps(setting, layout, index, recompute).all())
}

/// Recomputation of the `nth` layer of a stage.
fn recompute_of<'a>(setting: Setting<'a>, nth: u32) -> &'a Recompute {
    if nth < setting.parallelism.recompute_layers.unwrap_or(u32::MAX) {
        &setting.parallelism.recompute
    } else {
        &Recompute::None
    }
}

/// What one micro-batch of a stage keeps on the accelerator.
fn stage_keeps(setting: Setting<'_>, layout: &Layout, stage: &StageContents) -> Kept {
    let mut keeps = Kept::default();
    for (nth, index) in (0..).zip(layers(setting.model, &[stage])) {
        if !offloads(setting, nth, index) {
            keeps = keeps + layer_keeps(setting, layout, index, recompute_of(setting, nth));
        }
    }
    // Input and output of the final norm, and of that of each prediction module.
    if stage.head {
        let modules = if stage.mtp { setting.model.mtp } else { 0 };
        let elements = f64::from(setting.model.hidden) * tokens_along(setting, layout);
        keeps.residual += f64::from(1 + modules) * 4.0 * elements;
    }
    keeps
}

/// The `nth` layer of a stage, number `index` of the model, keeps its activations in host memory;
/// prediction modules do not.
fn offloads(setting: Setting<'_>, nth: u32, index: u32) -> bool {
    nth < setting.parallelism.offload_layers && index < setting.model.layers
}

/// Activations between accelerator and host: those of the layer under way and of the one whose copy
/// runs beside it.
fn on_their_way(setting: Setting<'_>, layout: &Layout, stages: &[&StageContents]) -> Named {
    let (mut count, mut largest) = (0_u32, 0.0_f64);
    for stage in stages {
        for (nth, index) in (0..).zip(layers(setting.model, std::slice::from_ref(stage))) {
            if offloads(setting, nth, index) {
                let kept = layer_keeps(setting, layout, index, recompute_of(setting, nth));
                count += 1;
                largest = largest.max(kept.all());
            }
        }
    }
    (
        "activations: on their way to the host",
        f64::from(count.min(2)) * largest,
    )
}

/// Tokens of a micro-batch on a rank where sequence parallelism divides them.
fn tokens_along(setting: Setting<'_>, layout: &Layout) -> f64 {
    let tokens = layout.tokens_per_micro_batch() as f64;
    if setting.parallelism.sequence {
        tokens / f64::from(layout.tensor)
    } else {
        tokens
    }
}

/// Activations at the moment when the schedule holds most.
///
/// Where a backward is split, what it keeps lives until its weight gradients: the gradients
/// of its outputs, which these need, take the place of what the input gradient lets go.
///
/// `at_peak` says how many micro-batches of each chunk there are when one of them holds so much.
fn activations_in_flight(
    setting: Setting<'_>,
    layout: &Layout,
    stages: &[&StageContents],
    at_peak: impl Fn(&[f64]) -> Vec<u32>,
) -> Vec<Named> {
    let keeps: Vec<Kept> = stages
        .iter()
        .map(|stage| stage_keeps(setting, layout, stage))
        .collect();
    let held: Vec<f64> = keeps.iter().map(Kept::all).collect();
    let total = keeps
        .iter()
        .zip(at_peak(&held))
        .map(|(kept, live)| kept.scaled(f64::from(live)))
        .fold(Kept::default(), |a, b| a + b);
    vec![
        ("activations: layer inputs and norms", total.residual),
        ("activations: attention", total.attention),
        ("activations: feed-forward", total.feed_forward),
        ("activations: routed experts", total.experts),
    ]
}

/// What is on its way between stages: a message each way, in both passes.
fn pipeline_buffers(setting: Setting<'_>, layout: &Layout) -> f64 {
    if layout.pipeline == 1 {
        return 0.0;
    }
    4.0 * 2.0 * f64::from(setting.model.hidden) * tokens_along(setting, layout)
}
