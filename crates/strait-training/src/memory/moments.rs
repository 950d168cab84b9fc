//! What is only there for a moment: logits, temporaries of the head and of a layer; and what
//! libraries keep beside the model's own tensors.
//!
//! In: a setting, a layout, a pipeline rank. Out: named bytes of the moment that needs more. Never
//! counts what is kept between forward and backward.

use super::{Named, Setting, activations, layers, of_layer, weights};
use crate::case::{Loss, Recompute, ScheduleKind};
use crate::layout::{Layout, StageContents};
use crate::model::Activation;
use crate::ops::{Shape, layer_pass, matrices, mtp_entry_pass};
use crate::schedule::InFlight;
use std::collections::BTreeSet;

/// Bytes of a 16-bit element.
const HALF: f64 = 2.0;

/// The parts of the fuller moment: the head's backward pass, or that of a layer. Where schedules
/// run a forward chunk beside a backward one, both can fall together.
pub(super) fn fuller(
    setting: Setting<'_>,
    layout: &Layout,
    live: &[InFlight],
    stages: &[&StageContents],
) -> Vec<Named> {
    let logits = Logits::of(setting, layout, live, stages);
    let head = head(setting, layout, stages);
    let layer = workspace(setting, layout, stages);
    let paired = matches!(
        setting.parallelism.schedule,
        ScheduleKind::DualPipe | ScheduleKind::DualPipeV
    );
    let of = |logits, head, layer| {
        vec![
            ("logits and their gradients", logits),
            ("temporaries of the head", head),
            ("temporaries of one layer", layer),
        ]
    };
    if paired {
        // Kernels of both chunks take turns: their temporaries do so too, and a layer's are more.
        of(logits.kept + logits.worked_on, 0.0, layer)
    } else if logits.kept + logits.worked_on + head > logits.idle + layer {
        of(logits.kept + logits.worked_on, head, 0.0)
    } else {
        of(logits.idle, 0.0, layer)
    }
}

/// Logits of the head and of each prediction module.
struct Logits {
    /// Kept for the backward pass of every micro-batch in flight.
    kept: f64,
    /// Of those, of micro-batches that the head is not working on.
    idle: f64,
    /// More of the micro-batch that it is working on.
    worked_on: f64,
}

impl Logits {
    fn of(
        setting: Setting<'_>,
        layout: &Layout,
        live: &[InFlight],
        stages: &[&StageContents],
    ) -> Logits {
        let (kept, more) = match setting.software.loss {
            // The exponentials in FP32, and the 16-bit logits or their gradient.
            Loss::Fp32 => (4.0, 2.0),
            // `CrossEntropyFunction` of Transformer Engine writes the gradient over its input.
            Loss::InPlace => (HALF, 0.0),
        };
        let (mut all, mut idle) = (0.0, 0.0);
        for (stage, live) in stages.iter().zip(live).filter(|(stage, _)| stage.head) {
            let modules = if stage.mtp { setting.model.mtp } else { 0 };
            let heads = f64::from(1 + modules);
            all += heads * f64::from(live.input);
            idle += heads * f64::from(live.input.saturating_sub(1));
        }
        let tokens = layout.tokens_per_micro_batch() as f64;
        let each = tokens * f64::from(layout.vocabulary_rows(setting.model));
        Logits {
            kept: kept * each * all,
            idle: kept * each * idle,
            worked_on: if all > 0.0 { more * each } else { 0.0 },
        }
    }
}

/// Temporaries of the head's backward pass: the gradient of its input and, with sequence
/// parallelism, that input gathered; and where libraries hand out placeholders of gradients, the
/// head's own, which Megatron-Core makes anew for each micro-batch
/// (`LinearWithGradAccumulationAndAsyncCommunication`) in the type of the weights.
fn head(setting: Setting<'_>, layout: &Layout, stages: &[&StageContents]) -> f64 {
    if !stages.iter().any(|stage| stage.head) {
        return 0.0;
    }
    let hidden = f64::from(setting.model.hidden);
    let tokens = layout.tokens_per_micro_batch() as f64;
    let gathered = setting.parallelism.sequence && layout.tensor > 1;
    let streams = if gathered { 2.0 } else { 1.0 };
    let trained = setting.method.adapters().is_none();
    let placeholder = if trained && setting.software.gradient_placeholders {
        f64::from(layout.vocabulary_rows(setting.model)) * hidden
    } else {
        0.0
    };
    HALF * (streams * tokens * hidden + placeholder)
}

/// Placeholders of gradients: a 16-bit tensor for each shape of weight matrix, shared by all
/// layers (`get_dummy_wgrad` of Transformer Engine).
pub(super) fn placeholders(
    setting: Setting<'_>,
    layout: &Layout,
    stages: &[&StageContents],
) -> f64 {
    if !setting.software.gradient_placeholders {
        return 0.0;
    }
    let shape = Shape::of(
        (setting.model, setting.precision),
        (setting.software, setting.method),
        setting.parallelism,
        layout.sequence_length,
    );
    let mut shapes = BTreeSet::new();
    let mut seen = [false; 2];
    for index in layers(setting.model, stages) {
        // Matrices of a layer depend on whether it has experts, and on nothing else.
        let kind = usize::from(weights::experts_of(setting.model, index).is_some());
        if !std::mem::replace(&mut seen[kind], true) {
            shapes.extend(matrices(&layer_pass(&shape, index, false)));
        }
    }
    if stages.iter().any(|stage| stage.mtp) {
        shapes.extend(matrices(&mtp_entry_pass(&shape)));
    }
    let weights = |(rows, columns): &(u64, u64)| *rows as f64 * *columns as f64;
    HALF * shapes.iter().map(weights).sum::<f64>()
}

/// Temporaries of the layer under way: what is being recomputed, gradients of its widest
/// tensors, and the gathered input under sequence parallelism.
fn workspace(setting: Setting<'_>, layout: &Layout, stages: &[&StageContents]) -> f64 {
    let model = setting.model;
    let hidden = f64::from(model.hidden);
    let tokens = layout.tokens_per_micro_batch() as f64;
    let tensor = f64::from(layout.tensor);
    let gates = match model.activation {
        Activation::Gated => 2.0,
        Activation::Plain => 1.0,
    };
    let recompute = &setting.parallelism.recompute;
    let limit = setting.parallelism.recompute_layers.unwrap_or(u32::MAX);
    stages
        .iter()
        .flat_map(|stage| (0..).zip(layers(model, std::slice::from_ref(stage))))
        .map(|(nth, index): (u32, u32)| {
            let moe = weights::experts_of(model, index);
            let precision = of_layer(setting, index);
            let setting = setting.with(&precision);
            let recomputed = if nth < limit {
                let none = activations::layer(setting, layout, &Recompute::None, moe).all();
                none - activations::layer(setting, layout, recompute, moe).all()
            } else {
                0.0
            };
            // 16-bit gradients of the output, and of what lies between the projections.
            let (rows, width) = match moe {
                None => (tokens, f64::from(model.ffn) / tensor),
                Some(experts) => (
                    tokens / tensor * f64::from(experts.top_k) * f64::from(layout.expert_tensor),
                    f64::from(experts.width) / f64::from(layout.expert_tensor),
                ),
            };
            recomputed + 2.0 * rows * (hidden + (gates + 1.0) * width) + 2.0 * tokens * hidden
        })
        .fold(0.0, f64::max)
}
