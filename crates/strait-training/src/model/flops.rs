//! Training FLOPs per token: the numerator of MFU.
//!
//! In: a [`Model`] and a sequence length. Out: the matrix-product FLOPs of one forward and
//! backward pass, per token. Never counts recomputation, the embedding lookup, norms,
//! softmax or other elementwise work: what a run executes beyond this is the kernels' matter.

use super::{Attention, Model};
use strait_units::Flops;

/// A backward pass does twice the forward's products: one for the input's gradient, one
/// for the weight's (for attention: two of four and two of four, recomputed scores aside).
const PASSES: f64 = 3.0;

/// Training FLOPs per token in the two conventions that papers print.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelFlops {
    /// The attention core over the half of the score square that causality leaves
    /// (Megatron-LM since 2025, DeepSeek's "causal").
    pub causal: Flops,
    /// The attention core over the full square (Korthikanti et al. 2022, PaLM, NeMo to 25.07).
    pub full: Flops,
}

impl Model {
    /// FLOPs of forward and backward per trained token, in sequences of `sequence_length`
    /// tokens: all linear layers with the output head, the router, the experts a token is
    /// sent to, and the attention core. `mtp` adds the multi-token-prediction modules, each
    /// with its own pass through the head.
    pub fn flops_per_token(&self, sequence_length: u32, mtp: bool) -> ModelFlops {
        let head = self.head_weights();
        let mut linear = head;
        let mut scores = 0.0;
        for layer in 0..self.layers {
            linear += self.layer_weights_per_token(layer);
            scores += self.causal_score_flops(layer, sequence_length);
        }
        if mtp {
            let hidden = u64::from(self.hidden);
            let modules = u64::from(self.mtp);
            linear +=
                modules * (2 * hidden * hidden + self.layer_weights_per_token(self.layers) + head);
            scores += modules as f64 * self.causal_score_flops(self.layers, sequence_length);
        }
        let linear = 2.0 * linear as f64;
        ModelFlops {
            causal: Flops::new(PASSES * (linear + scores)),
            full: Flops::new(PASSES * (linear + 2.0 * scores)),
        }
    }

    /// Weights of the output head, whether or not it shares the embedding's.
    fn head_weights(&self) -> u64 {
        u64::from(self.vocabulary) * u64::from(self.hidden)
    }

    /// Matrix weights of layer `layer` that one token is multiplied with. Biases and norms
    /// are additions and scalings, not products, and stay out.
    fn layer_weights_per_token(&self, layer: u32) -> u64 {
        let hidden = u64::from(self.hidden);
        let ffn = (self.activation.input_projections() + 1) * hidden;
        let feed_forward = match self.experts_of(layer) {
            None => ffn * u64::from(self.ffn),
            Some(experts) => {
                let width = u64::from(experts.top_k) * u64::from(experts.width)
                    + u64::from(experts.shared_width);
                let gate = u64::from(self.extras.shared_gate);
                ffn * width + (u64::from(experts.routed) + gate) * hidden
            }
        };
        self.attention_weights() + feed_forward
    }

    /// Matrix weights of one layer's attention projections.
    fn attention_weights(&self) -> u64 {
        let hidden = u64::from(self.hidden);
        let attention = &self.attention;
        let input = match *attention {
            Attention::Grouped { .. } => hidden * attention.qkv_width(),
            Attention::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            } => {
                let query = match q_rank {
                    Some(rank) => u64::from(rank) * (hidden + attention.query_width()),
                    None => hidden * attention.query_width(),
                };
                let kv_rank = u64::from(kv_rank);
                query
                    + hidden * (kv_rank + u64::from(qk_rope_dim))
                    + kv_rank * u64::from(heads) * (u64::from(qk_nope_dim) + u64::from(v_dim))
            }
        };
        input + attention.output_width() * hidden
    }

    /// Forward FLOPs of one token's scores and weighted sum in layer `layer`: causal, and by
    /// custom exactly half the square, not (s + 1)/2 columns. With a window of w tokens the
    /// mean row has w - w²/2s columns, which is half the square again at w = s.
    fn causal_score_flops(&self, layer: u32, sequence_length: u32) -> f64 {
        let length = f64::from(sequence_length);
        let columns = match self.window_of(layer) {
            Some(window) if window < sequence_length => {
                let window = f64::from(window);
                window - window * window / (2.0 * length)
            }
            _ => length / 2.0,
        };
        let widths = self.attention.query_width() + self.attention.output_width();
        2.0 * columns * widths as f64
    }
}
