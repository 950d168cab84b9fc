//! Activations that a layer keeps for its backward pass.
//!
//! In: a model, a layout, what is recomputed, precision, attention kernel. Out: bytes of one
//! micro-batch of one layer on a rank. Never counts micro-batches.
//!
//! Each operation keeps what its gradients need, as in Korthikanti et al. (arXiv
//! 2205.05198, section 4), whose sbh(34 + 5as/h) and its tensor- and sequence-parallel and
//! selective variants come out exactly for unfused attention; that generation of code
//! trained with dropout, whose masks take a byte. Later code keeps no masks.

use super::Setting;
use crate::case::{AdapterLayers, AttentionKernel, Precision, Recompute, RecomputePart};
use crate::layout::Layout;
use crate::model::{Activation, Attention, Experts};

/// Bytes of one micro-batch of one layer on a rank, by part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Kept {
    /// Inputs of the layer and its norms, dropout masks behind them.
    pub residual: f64,
    /// Attention, with its projections' inputs.
    pub attention: f64,
    /// Dense feed-forward network and shared experts.
    pub feed_forward: f64,
    /// Router and routed experts.
    pub experts: f64,
}

impl Kept {
    pub fn all(&self) -> f64 {
        self.residual + self.attention + self.feed_forward + self.experts
    }

    pub fn scaled(self, factor: f64) -> Kept {
        Kept {
            residual: self.residual * factor,
            attention: self.attention * factor,
            feed_forward: self.feed_forward * factor,
            experts: self.experts * factor,
        }
    }
}

impl std::ops::Add for Kept {
    type Output = Kept;
    fn add(self, more: Kept) -> Kept {
        Kept {
            residual: self.residual + more.residual,
            attention: self.attention + more.attention,
            feed_forward: self.feed_forward + more.feed_forward,
            experts: self.experts + more.experts,
        }
    }
}

/// Bytes of a 16-bit element.
const HALF: f64 = 2.0;
/// Bytes of a 32-bit element.
const SINGLE: f64 = 4.0;
/// Bytes of DeepSeek-V3's E5M6 format (arXiv 2412.19437, section 3.3.3).
const E5M6: f64 = 1.5;

/// Bytes of a saved input of a linear layer, with its scales.
fn linear_input(precision: Precision) -> f64 {
    match precision {
        Precision::Fp16 | Precision::Bf16 => HALF,
        Precision::Fp8Tensor => 1.0,
        // A 4-byte scale for 128 elements; a 1-byte scale for 32.
        Precision::Fp8Block | Precision::Mxfp8 => 1.0 + 1.0 / 32.0,
        // The copy along the tokens, for the weight gradient; a 1-byte scale for 16.
        Precision::Nvfp4 => 0.5 + 1.0 / 16.0,
    }
}

/// Bytes of a saved input of the linear layers in attention, or of those in feed-forward networks:
/// frozen ones save none, their adapters keep the same tensor in 16 bits. (What adapters keep between
/// A and B, `rank` wide, is left out.)
fn saved_input(setting: Setting<'_>, feed_forward: bool) -> f64 {
    match setting.method.adapters() {
        None => linear_input(setting.precision.recipe),
        Some(adapters) if feed_forward && adapters.layers != AdapterLayers::All => 0.0,
        Some(_) => HALF,
    }
}

/// The named parts that are recomputed.
fn parts(recompute: &Recompute) -> &[RecomputePart] {
    match recompute {
        Recompute::Named(parts) => parts,
        Recompute::Selective => &[RecomputePart::CoreAttention],
        Recompute::None | Recompute::Full => &[],
    }
}

/// What a layer keeps of one micro-batch.
pub(super) fn layer(
    setting: Setting<'_>,
    layout: &Layout,
    recompute: &Recompute,
    moe: Option<&Experts>,
) -> Kept {
    let model = setting.model;
    let hidden = f64::from(model.hidden);
    let tensor = f64::from(layout.tensor);
    let tokens = layout.tokens_per_micro_batch() as f64;
    // Tokens of the parts that only sequence parallelism divides.
    let along = if setting.parallelism.sequence {
        tokens / tensor
    } else {
        tokens
    };
    if *recompute == Recompute::Full {
        return Kept {
            residual: HALF * hidden * along,
            ..Kept::default()
        };
    }
    let parts = parts(recompute);
    let kept = |part: RecomputePart, bytes: f64| if parts.contains(&part) { 0.0 } else { bytes };
    let input = saved_input(setting, true);
    let unfused = setting.software.attention == AttentionKernel::Unfused;
    let mask = if unfused { 1.0 } else { 0.0 };
    let norm_output = kept(RecomputePart::Norm, input * hidden * along);
    let attention_input = saved_input(setting, false);
    let attention_input = kept(RecomputePart::Norm, attention_input * hidden * along);

    let mut keeps = Kept {
        residual: 2.0 * (HALF + mask) * hidden * along,
        attention: attention_input + attention(setting, layout, tokens, along, parts),
        ..Kept::default()
    };
    match moe {
        None => {
            let width = f64::from(model.ffn) / tensor;
            let inner = inner_network(setting, parts, width * tokens);
            keeps.feed_forward = norm_output + kept(RecomputePart::Mlp, inner);
        }
        Some(experts) => {
            let shared = f64::from(experts.shared_width) / tensor;
            if shared > 0.0 {
                let inner = inner_network(setting, parts, shared * tokens);
                keeps.feed_forward = kept(RecomputePart::Mlp, inner);
            }
            // The router keeps its input in 16 bits; in 16-bit recipes the experts share it.
            let router_input = kept(RecomputePart::Norm, HALF * hidden * along);
            let cast = if input < HALF && shared > 0.0 {
                norm_output
            } else {
                0.0
            };
            // Logits and scores.
            let router = 2.0 * SINGLE * f64::from(experts.routed) * along;
            // Expected rows of a rank's experts: its own tokens times top_k, for experts are
            // spread over as many ranks as send tokens.
            let sent = tokens / tensor * f64::from(experts.top_k);
            let rows = sent * f64::from(layout.expert_tensor);
            let width = f64::from(experts.width) / f64::from(layout.expert_tensor);
            let inner = inner_network(setting, parts, width * rows);
            let routed = router + input * hidden * rows + inner;
            keeps.experts = router_input + cast + kept(RecomputePart::Moe, routed);
            keeps.feed_forward = kept(RecomputePart::Moe, keeps.feed_forward);
        }
    }
    keeps
}

/// Kept between the projections of a feed-forward network of `elements` inner elements.
fn inner_network(setting: Setting<'_>, parts: &[RecomputePart], elements: f64) -> f64 {
    let gates = match setting.model.activation {
        Activation::Gated => 2.0,
        Activation::Plain => 1.0,
    };
    let precision = setting.precision.recipe;
    let recomputed = parts.contains(&RecomputePart::Activation);
    // DeepSeek-V3 keeps the inputs of the activation that it recomputes in FP8 (arXiv
    // 2412.19437, section 3.3.3).
    let before = if recomputed && precision == Precision::Fp8Block {
        linear_input(precision)
    } else {
        HALF
    };
    let after = if recomputed {
        0.0
    } else {
        saved_input(setting, true)
    };
    (gates * before + after) * elements
}

/// Kept by attention, without the input of its first projections.
fn attention(
    setting: Setting<'_>,
    layout: &Layout,
    tokens: f64,
    along: f64,
    parts: &[RecomputePart],
) -> f64 {
    let model = setting.model;
    let tensor = f64::from(layout.tensor);
    let precision = setting.precision.recipe;
    let input = saved_input(setting, false);
    let kept = |part: RecomputePart, bytes: f64| if parts.contains(&part) { 0.0 } else { bytes };
    let (heads, projections, output_width) = match model.attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => {
            let width = f64::from(head_dim);
            let heads = f64::from(heads) / tensor;
            let kv_heads = (f64::from(kv_heads) / tensor).max(1.0);
            let mut projections = HALF * width * (heads + 2.0 * kv_heads) * tokens;
            if model.qk_norm {
                projections += HALF * width * (heads + kv_heads) * tokens;
            }
            (heads, projections, width * heads)
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
            let (rope, value) = (f64::from(qk_rope_dim), f64::from(v_dim));
            let query = f64::from(qk_nope_dim) + rope;
            // Compressed queries, keys and values before and after their norms. Sequence
            // parallelism divides them, for every tensor-parallel rank has them all.
            let latent = f64::from(q_rank.unwrap_or(0)) + f64::from(kv_rank);
            let down = HALF * (latent + rope) + kept(RecomputePart::Norm, input * latent);
            // Queries and keys of equal width, and values.
            let up = HALF * heads * (2.0 * query + value) * tokens;
            let projections = down * along + kept(RecomputePart::MlaUp, up);
            (heads, projections, heads * value)
        }
    };
    let output = match precision {
        // Adapters read the attention's own output.
        _ if setting.method.adapters().is_some() => HALF,
        Precision::Fp16 | Precision::Bf16 => HALF,
        // One copy serves the attention and the projection behind it.
        Precision::Fp8Block => E5M6,
        Precision::Fp8Tensor | Precision::Mxfp8 | Precision::Nvfp4 => HALF + input,
    };
    let core = match setting.software.attention {
        AttentionKernel::Unfused => {
            // Softmax, its dropout mask, and what the dropout lets through.
            let scores = heads * tokens * f64::from(layout.sequence_length);
            (HALF + 1.0 + HALF) * scores
        }
        // The logarithm of the softmax's sum, of each row.
        _ => SINGLE * heads * tokens,
    };
    let core = kept(RecomputePart::CoreAttention, core);
    projections + output * output_width * tokens + core
}
