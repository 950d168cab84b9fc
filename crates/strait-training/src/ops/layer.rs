//! One transformer layer as a [`Pass`]: both halves, with recomputation and exchanges in place.
//!
//! In: a [`Shape`] and the layer's index. Out: forward and backward segments. Never
//! overlaps anything: that is the schedule's doing.

use super::adapters::adapted;
use super::attention::{Boundary, attention_half, post_norm};
use super::experts::{combine, dispatch, moe_half};
use super::feedforward::dense_half;
use super::{Pass, Segment, Shape};
use crate::case::RecomputePart;
use crate::model::Experts;

/// The segments of layer `layer`; `recompute` says whether this layer is among those that
/// recompute everything (full recomputation may be limited to a number of layers).
pub fn layer_pass(shape: &Shape<'_>, layer: u32, recompute: bool) -> Pass {
    let shape = shape.at(layer);
    let pass = match shape.model.experts_of(layer) {
        Some(experts) => moe_layer(&shape, experts, layer, recompute),
        None => dense_layer(&shape, layer, recompute),
    };
    match shape.adapters {
        Some(adapters) => adapted(pass, adapters),
        None => pass,
    }
}

fn dense_layer(shape: &Shape<'_>, layer: u32, recompute: bool) -> Pass {
    let attention = attention_half(shape, layer);
    let feed = dense_half(shape, shape.model.ffn);
    let segment = |ops, filler, phase| Segment {
        ops,
        filler,
        layer,
        phase,
        exchange: None,
        captured: true,
    };
    let mut first = Vec::new();
    if recompute && shape.recomputes_layers() {
        first.extend(attention.forward.iter().cloned());
        first.extend(feed.forward.iter().cloned());
    }
    first.extend(feed.backward);
    Pass {
        forward: vec![
            segment(attention.forward, Vec::new(), "attn(F)"),
            segment(feed.forward, Vec::new(), "mlp(F)"),
        ],
        backward: vec![
            segment(first, feed.weight, "mlp(B)"),
            segment(attention.backward, attention.weight, "attn(B)"),
        ],
    }
}

fn moe_layer(shape: &Shape<'_>, experts: &Experts, layer: u32, recompute: bool) -> Pass {
    let attention = attention_half(shape, layer);
    let moe = moe_half(shape, experts);
    let full = recompute && shape.recomputes_layers();
    let mut route = attention.forward;
    route.extend(moe.route.iter().cloned());
    let mut forward = vec![
        Segment {
            ops: route.clone(),
            exchange: Some(dispatch(shape, true, "dispatch(F)")),
            filler: Vec::new(),
            layer,
            phase: "attn(F)",
            captured: true,
        },
        Segment {
            ops: moe.forward.clone(),
            exchange: Some(combine(shape, "combine(F)")),
            filler: Vec::new(),
            layer,
            phase: "mlp(F)",
            captured: false,
        },
    ];
    let after = after_combine(shape);
    if !after.is_empty() {
        // Weighting and adding the combined outputs; DeepSeek's trace has it in the next norm.
        forward.push(Segment {
            ops: after,
            exchange: None,
            filler: Vec::new(),
            layer,
            phase: "add(F)",
            captured: false,
        });
    }

    let mut backward = Vec::new();
    if full || shape.recomputes(RecomputePart::Moe) {
        // The routed inputs are exchanged again; the combined outputs are not needed.
        let ops = if full { route } else { moe.route.clone() };
        backward.push(Segment {
            ops,
            exchange: Some(dispatch(shape, false, "dispatch again")),
            filler: Vec::new(),
            layer,
            phase: "recompute",
            captured: true,
        });
    }
    let mut before = Vec::new();
    post_norm(shape, &mut Vec::new(), &mut before);
    if full {
        before.extend(moe.forward.iter().cloned());
    }
    before.extend(moe.before_backward);
    backward.push(Segment {
        ops: before,
        exchange: Some(dispatch(shape, false, "combine(B)")),
        filler: Vec::new(),
        layer,
        phase: "exchange(B)",
        captured: false,
    });
    backward.push(Segment {
        ops: moe.backward,
        exchange: Some(combine(shape, "dispatch(B)")),
        filler: moe.weight,
        layer,
        phase: "mlp(B)",
        captured: false,
    });
    let mut last = moe.route_backward;
    last.extend(attention.backward);
    backward.push(Segment {
        ops: last,
        exchange: None,
        filler: attention.weight,
        layer,
        phase: "attn(B)",
        captured: true,
    });
    Pass { forward, backward }
}

/// What follows combine: weighting, the residual, and what is needed to have all tokens again.
fn after_combine(shape: &Shape<'_>) -> Vec<super::Op> {
    use super::Class;
    use super::list::List;
    use crate::case::Dispatcher;
    use crate::kernels::MemoryClass;
    let mut list = List::new();
    let outer = shape.outer_tokens() * shape.hidden();
    let routed = shape.moe_tokens() * shape.hidden();
    let top_k = shape
        .model
        .experts
        .as_ref()
        .map_or(1.0, |e| f64::from(e.top_k));
    if !shape.fine_grained() && shape.dispatcher() != Dispatcher::Deduplicated {
        list.memory(
            "unpermute outputs",
            Class::Permute,
            MemoryClass::Permute,
            2.0 * routed * (top_k + 1.0),
        );
    }
    Boundary::gather_routed(&mut list, shape);
    if !shape.fine_grained() {
        list.memory(
            "residual add",
            Class::Elementwise,
            MemoryClass::Stream,
            6.0 * outer,
        );
    }
    let mut ops = list.take();
    post_norm(shape, &mut ops, &mut Vec::new());
    ops
}
