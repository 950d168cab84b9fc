//! Parameter counts, exact to the parameter.
//!
//! In: a [`Model`]. Out: how many weights each part holds, of the whole model, of one
//! layer, of one MTP module. Never knows their bytes or who stores them.

use super::{Attention, Experts, Model, Norm};

/// Parameters of one transformer layer by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerParameters {
    /// Attention projections with their biases and sinks.
    pub attention: u64,
    /// Normalisations: of the sub-layers, of queries and keys, of the latents.
    pub norms: u64,
    /// Dense feed-forward network (0 in an MoE layer).
    pub dense_ffn: u64,
    /// Router with its bias, and the gate of the shared expert.
    pub router: u64,
    /// Shared experts.
    pub shared: u64,
    /// All routed experts.
    pub routed: u64,
}

impl LayerParameters {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.dense() + self.routed
    }

    /// All but the routed experts: what expert parallelism replicates.
    pub fn dense(&self) -> u64 {
        self.attention + self.norms + self.dense_ffn + self.router + self.shared
    }
}

/// Parameters of a model by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParameterCount {
    /// Token embedding and learned positions.
    pub embedding: u64,
    /// Output head; 0 where it shares the embedding's weights.
    pub head: u64,
    /// Attention projections of all layers.
    pub attention: u64,
    /// Dense feed-forward networks.
    pub dense_ffn: u64,
    /// Routed experts.
    pub experts_routed: u64,
    /// Shared experts.
    pub experts_shared: u64,
    /// Routers.
    pub router: u64,
    /// All normalisations, the final one included.
    pub norms: u64,
    /// Multi-token-prediction modules; embedding and head, which they share, not counted.
    pub mtp: u64,
    /// Everything but `mtp`: the number that model names and papers give.
    pub total: u64,
    /// What one token is multiplied with: everything but `mtp`, the routed experts it is
    /// not sent to, and the embedding lookup with its positions. The output head is counted
    /// always, also where it shares the embedding's weights.
    pub active: u64,
}

impl ParameterCount {
    /// Active parameters as most model cards count them: with the embedding.
    /// (DeepSeek's weight notes count the head only, which is [`ParameterCount::active`].)
    pub fn active_with_embedding(&self) -> u64 {
        // A tied matrix is one matrix: `active` has it already, as the head.
        if self.head == 0 {
            self.active
        } else {
            self.active + self.embedding
        }
    }
}

impl Model {
    /// Parameters of the whole model.
    pub fn parameters(&self) -> ParameterCount {
        let hidden = u64::from(self.hidden);
        let vocabulary = u64::from(self.vocabulary) * hidden;
        let mut count = ParameterCount {
            embedding: vocabulary + u64::from(self.learned_positions) * hidden,
            head: if self.tied { 0 } else { vocabulary },
            norms: self.norm_parameters() * (1 + u64::from(self.extras.embedding_norm)),
            mtp: u64::from(self.mtp) * self.mtp_parameters(),
            ..ParameterCount::default()
        };
        let mut idle = 0;
        for layer in 0..self.layers {
            let part = self.layer_parameters(layer);
            count.attention += part.attention;
            count.norms += part.norms;
            count.dense_ffn += part.dense_ffn;
            count.router += part.router;
            count.experts_shared += part.shared;
            count.experts_routed += part.routed;
            if let Some(experts) = self.experts_of(layer) {
                let sleeping = u64::from(experts.routed.saturating_sub(experts.top_k));
                idle += sleeping * self.expert_parameters(experts);
            }
        }
        let layers = count.attention
            + count.norms
            + count.dense_ffn
            + count.router
            + count.experts_shared
            + count.experts_routed;
        count.total = count.embedding + count.head + layers;
        count.active = vocabulary + layers - idle;
        count
    }

    /// Parameters of layer `layer` (from 0).
    pub fn layer_parameters(&self, layer: u32) -> LayerParameters {
        let hidden = u64::from(self.hidden);
        let sub_layer_norms = if self.extras.post_norms { 4 } else { 2 };
        let mut part = LayerParameters {
            attention: self.attention_parameters(),
            norms: sub_layer_norms * self.norm_parameters() + self.inner_norm_parameters(),
            ..LayerParameters::default()
        };
        match self.experts_of(layer) {
            None => part.dense_ffn = self.ffn_parameters(u64::from(self.ffn)),
            Some(experts) => {
                part.router = u64::from(experts.routed) * hidden;
                if self.biases || self.extras.router_bias {
                    part.router += u64::from(experts.routed);
                }
                if self.extras.shared_gate {
                    part.router += hidden;
                }
                if experts.shared_width > 0 {
                    part.shared = self.ffn_parameters(u64::from(experts.shared_width));
                }
                part.routed = u64::from(experts.routed) * self.expert_parameters(experts);
            }
        }
        part
    }

    /// Attention projections of one layer, with biases and sinks, without norms.
    pub fn attention_parameters(&self) -> u64 {
        let hidden = u64::from(self.hidden);
        let attention = &self.attention;
        let heads = u64::from(attention.heads());
        let output = attention.output_width() * hidden;
        let (input, input_biases) = match *attention {
            Attention::Grouped { .. } => (hidden * attention.qkv_width(), attention.qkv_width()),
            Attention::Latent {
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
                ..
            } => {
                let (query, query_biases) = match q_rank {
                    Some(rank) => {
                        let rank = u64::from(rank);
                        (rank * (hidden + attention.query_width()), rank)
                    }
                    None => (hidden * attention.query_width(), 0),
                };
                let compressed = u64::from(kv_rank) + u64::from(qk_rope_dim);
                let expanded = heads * (u64::from(qk_nope_dim) + u64::from(v_dim));
                (
                    query + hidden * compressed + u64::from(kv_rank) * expanded,
                    query_biases + compressed,
                )
            }
        };
        let mut parameters = input + output;
        if self.biases || self.qkv_biases {
            parameters += input_biases;
        }
        if self.biases || self.extras.output_bias {
            parameters += hidden;
        }
        if self.extras.sinks {
            parameters += heads;
        }
        parameters
    }

    /// One routed expert.
    pub fn expert_parameters(&self, experts: &Experts) -> u64 {
        self.ffn_parameters(u64::from(experts.width))
    }

    /// One multi-token-prediction module: the projection that joins the previous hidden
    /// state with the next token's embedding (2h to h), a norm of each, the final norm, and
    /// one layer like the model's last. Embedding and head are the main model's
    /// (DeepSeek-V3 report, arXiv 2412.19437, section 2.2).
    pub fn mtp_parameters(&self) -> u64 {
        let hidden = u64::from(self.hidden);
        2 * hidden * hidden
            + 3 * self.norm_parameters()
            + self.layer_parameters(self.layers).total()
    }

    /// A feed-forward network of inner width `width`.
    fn ffn_parameters(&self, width: u64) -> u64 {
        let hidden = u64::from(self.hidden);
        let inputs = self.activation.input_projections();
        let biases = if self.biases {
            inputs * width + hidden
        } else {
            0
        };
        (inputs + 1) * hidden * width + biases
    }

    /// One normalisation over the hidden width.
    fn norm_parameters(&self) -> u64 {
        let vectors = match self.norm {
            Norm::Rms => 1,
            Norm::Layer => 2,
        };
        vectors * u64::from(self.hidden)
    }

    /// Normalisations inside the attention: of each head's query and key (one scale of the
    /// head's width each, shared by the heads), or of the latents.
    fn inner_norm_parameters(&self) -> u64 {
        let heads = if self.qk_norm {
            2 * u64::from(self.attention.query_head_dim())
        } else {
            0
        };
        let latents = match self.attention {
            Attention::Grouped { .. } => 0,
            Attention::Latent {
                q_rank, kv_rank, ..
            } => u64::from(q_rank.unwrap_or(0)) + u64::from(kv_rank),
        };
        heads + latents
    }
}
