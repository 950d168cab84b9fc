//! Which layers a stage holds.
//!
//! In: a model and a number of stages, or a list of layers per stage. Out: the contents of each
//! stage. Never knows which rank holds a stage: the schedule says that.

use crate::model::{Activation, Attention, Experts, Model};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// What one model stage holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageContents {
    /// Transformer layers, possibly none.
    pub layers: Range<u32>,
    /// The input embedding.
    pub embedding: bool,
    /// The final norm, the output head and the loss.
    pub head: bool,
    /// The multi-token-prediction modules, with a head and loss each.
    pub mtp: bool,
}

/// Whether a layer is a mixture of experts.
pub fn is_moe(experts: &Experts, layer: u32) -> bool {
    layer >= experts.first_dense
        && (layer - experts.first_dense).is_multiple_of(experts.every.max(1))
}

/// Stages of the given sizes, in order.
pub(super) fn contents(model: &Model, sizes: &[u32]) -> Vec<StageContents> {
    let last = sizes.len().saturating_sub(1);
    let mut start = 0;
    let stage = |(index, &size): (usize, &u32)| {
        let layers = start..start + size;
        start += size;
        StageContents {
            layers,
            embedding: index == 0,
            head: index == last,
            mtp: index == last && model.mtp > 0,
        }
    };
    sizes.iter().enumerate().map(stage).collect()
}

/// Layers of each stage where a scenario gives none.
///
/// Equal where they divide and nothing weighs on the last stage but its head, as
/// Megatron-LM and NeMo lay out. Otherwise layer after layer goes to the stage that it
/// makes the least slow, which is the best possible for equal layers; of equals, to the middle
/// one, so that first and last get the fewer (BLOOM-176B, arXiv 2211.05100: 70 layers and
/// embeddings over 12 stages as 72). The head and multi-token prediction count as work of the
/// last stage for mixture-of-experts models and those that predict more tokens, whose
/// published layouts are balanced that way.
pub(super) fn sizes(model: &Model, stages: u32, sequence_length: u32) -> Vec<u32> {
    let weigh_head = model.mtp > 0 || model.experts.is_some();
    if model.layers.is_multiple_of(stages) && model.mtp == 0 {
        return vec![model.layers / stages; stages as usize];
    }
    let work = Weights::of(model, sequence_length);
    let last = stages - 1;
    let extra = |stage: u32| {
        if stage == last && weigh_head {
            let modules = f64::from(model.mtp);
            work.head + modules * (work.layer + work.projection + work.head)
        } else {
            0.0
        }
    };
    // Middle stages first; of two equally far from their end, the earlier.
    let mut order: Vec<u32> = (0..stages).collect();
    order.sort_by_key(|&stage| (u32::MAX - stage.min(last - stage), stage));
    let mut sizes = vec![0u32; stages as usize];
    let after = |stage: u32, layers: u32| {
        let work = extra(stage) + f64::from(layers) * work.layer;
        // Bits of positive floats are in the order of their values.
        work.to_bits()
    };
    let mut least: BinaryHeap<Reverse<(u64, u32, u32)>> = (0..)
        .zip(order)
        .map(|(turn, stage)| Reverse((after(stage, 1), turn, stage)))
        .collect();
    for _ in 0..model.layers {
        if let Some(Reverse((_, turn, stage))) = least.pop() {
            let size = &mut sizes[stage as usize];
            *size += 1;
            least.push(Reverse((after(stage, *size + 1), turn, stage)));
        }
    }
    sizes
}

/// Work per token, in multiply-adds of a forward pass.
struct Weights {
    layer: f64,
    head: f64,
    projection: f64,
}

impl Weights {
    /// Estimates good enough to balance whole layers; kernels set the real times. Layers
    /// weigh as the last one does: leading dense layers are as wide as the active experts.
    fn of(model: &Model, sequence_length: u32) -> Weights {
        let hidden = f64::from(model.hidden);
        let context = f64::from(sequence_length) / 2.0;
        let attention = match model.attention {
            Attention::Grouped {
                heads,
                kv_heads,
                head_dim,
            } => {
                let (heads, kv_heads) = (f64::from(heads), f64::from(kv_heads));
                let width = f64::from(head_dim);
                width * (hidden * (2.0 * heads + 2.0 * kv_heads) + 2.0 * heads * context)
            }
            Attention::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            } => {
                let heads = f64::from(heads);
                let rope = f64::from(qk_rope_dim);
                let (nope, value) = (f64::from(qk_nope_dim), f64::from(v_dim));
                let query = heads * (nope + rope);
                let queries = match q_rank {
                    Some(rank) => f64::from(rank) * (hidden + query),
                    None => hidden * query,
                };
                let kv_rank = f64::from(kv_rank);
                let keys = hidden * (kv_rank + rope) + kv_rank * heads * (nope + value);
                queries + keys + heads * value * hidden + (query + heads * value) * context
            }
        };
        let matrices = match model.activation {
            Activation::Gated => 3.0,
            Activation::Plain => 2.0,
        };
        let width = match &model.experts {
            Some(experts) if is_moe(experts, model.layers.saturating_sub(1)) => {
                f64::from(experts.top_k) * f64::from(experts.width)
                    + f64::from(experts.shared_width)
            }
            _ => f64::from(model.ffn),
        };
        Weights {
            layer: attention + matrices * width * hidden,
            head: hidden * f64::from(model.vocabulary),
            projection: 2.0 * hidden * hidden,
        }
    }
}
