//! Weights that a rank holds.
//!
//! In: a model, a layout, the stages of a rank. Out: numbers of weights, split by who else holds
//! them. Never says how many bytes a weight takes.

use crate::layout::{Layout, StageContents, is_moe};
use crate::model::{Activation, Attention, Experts, Model, Norm};

/// Numbers of weights on one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Weights {
    /// In matrices of layers that every data-parallel rank holds.
    pub linear: f64,
    /// In experts, which only some ranks of a stage hold.
    pub experts: f64,
    /// In embedding, head, router, norms and biases: never cast to FP8.
    pub other: f64,
}

impl Weights {
    /// Weights that all data-parallel ranks hold.
    pub fn dense(&self) -> f64 {
        self.linear + self.other
    }

    pub fn all(&self) -> f64 {
        self.linear + self.experts + self.other
    }
}

impl std::ops::Add for Weights {
    type Output = Weights;
    fn add(self, more: Weights) -> Weights {
        Weights {
            linear: self.linear + more.linear,
            experts: self.experts + more.experts,
            other: self.other + more.other,
        }
    }
}

/// Matrices of a feed-forward network.
pub(super) fn matrices(activation: Activation) -> f64 {
    match activation {
        Activation::Gated => 3.0,
        Activation::Plain => 2.0,
    }
}

/// One layer of a rank.
pub(super) fn layer(model: &Model, layout: &Layout, moe: Option<&Experts>) -> Weights {
    let hidden = f64::from(model.hidden);
    let tensor = f64::from(layout.tensor);
    let norm = match model.norm {
        Norm::Rms => hidden,
        Norm::Layer => 2.0 * hidden,
    };
    let mut held = Weights {
        other: 2.0 * norm,
        ..Weights::default()
    };
    match model.attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => {
            let width = f64::from(head_dim);
            let heads = f64::from(heads) / tensor;
            // More ranks than key/value heads: each rank holds one.
            let kv_heads = (f64::from(kv_heads) / tensor).max(1.0);
            let qkv = width * (heads + 2.0 * kv_heads);
            held.linear += hidden * (qkv + width * heads);
            if model.biases {
                held.other += qkv + hidden;
            } else if model.qkv_biases {
                held.other += qkv;
            }
            if model.qk_norm {
                held.other += 2.0 * width;
            }
        }
        Attention::Latent {
            heads,
            q_rank,
            kv_rank,
            qk_nope_dim,
            qk_rope_dim,
            v_dim,
        } => {
            let heads = f64::from(heads) / tensor;
            let (kv_rank, rope) = (f64::from(kv_rank), f64::from(qk_rope_dim));
            let (nope, value) = (f64::from(qk_nope_dim), f64::from(v_dim));
            let query = heads * (nope + rope);
            // Down-projections are copied to every tensor-parallel rank (Megatron-LM).
            held.linear += match q_rank {
                Some(rank) => {
                    held.other += f64::from(rank);
                    f64::from(rank) * (hidden + query)
                }
                None => hidden * query,
            };
            held.linear += hidden * (kv_rank + rope) + kv_rank * heads * (nope + value);
            held.linear += heads * value * hidden;
            held.other += kv_rank;
        }
    }
    let matrices = matrices(model.activation);
    match moe {
        None => {
            let width = f64::from(model.ffn) / tensor;
            held.linear += matrices * hidden * width;
            if model.biases {
                held.other += (matrices - 1.0) * width + hidden;
            }
        }
        Some(experts) => {
            let local = f64::from(experts.routed) / f64::from(layout.expert);
            let width = f64::from(experts.width) / f64::from(layout.expert_tensor);
            held.experts += local * matrices * hidden * width;
            held.linear += matrices * hidden * f64::from(experts.shared_width) / tensor;
            held.other += hidden * f64::from(experts.routed);
        }
    }
    held
}

/// The experts of a layer, if it has any. Multi-token-prediction modules are layers like
/// the last one.
pub(super) fn experts_of(model: &Model, layer: u32) -> Option<&Experts> {
    let layer = layer.min(model.layers.saturating_sub(1));
    model
        .experts
        .as_ref()
        .filter(|experts| is_moe(experts, layer))
}

/// Everything that a rank holds of these stages. Tables that several of them use (tied or shared
/// with multi-token prediction) are held once.
pub(super) fn of_stages(model: &Model, layout: &Layout, stages: &[&StageContents]) -> Weights {
    let hidden = f64::from(model.hidden);
    let table = f64::from(layout.vocabulary_rows(model)) * hidden;
    let mut held = Weights::default();
    for stage in stages {
        for index in stage.layers.clone() {
            held = held + layer(model, layout, experts_of(model, index));
        }
        if stage.embedding {
            held.other += f64::from(model.learned_positions) * hidden;
        }
        if stage.head {
            held.other += hidden;
        }
        if stage.mtp {
            for _ in 0..model.mtp {
                held = held + layer(model, layout, experts_of(model, model.layers));
                held.linear += 2.0 * hidden * hidden / f64::from(layout.tensor);
                held.other += 3.0 * hidden;
            }
        }
    }
    let embedding = stages.iter().any(|stage| stage.embedding || stage.mtp);
    let head = stages.iter().any(|stage| stage.head);
    if embedding {
        held.other += table;
    }
    if head && !(model.tied && embedding) {
        held.other += table;
    }
    held
}
