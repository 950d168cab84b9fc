//! Transformer architectures: what is computed, whatever the hardware.
//!
//! In: dimensions. Out: a [`Model`], its parameter counts ([`ParameterCount`],
//! [`LayerParameters`]) and training FLOPs per token ([`ModelFlops`]).
//! Never knows how it is laid out over ranks, and never reads a file.

mod check;
mod count;
mod flops;

pub use check::ModelError;
pub use count::{LayerParameters, ParameterCount};
pub use flops::ModelFlops;

/// How keys and values are formed.
#[derive(Clone, Debug, PartialEq)]
pub enum Attention {
    /// Multi-head or grouped-query attention.
    Grouped {
        /// Query heads.
        heads: u32,
        /// Key/value heads (equal to `heads` for plain multi-head attention).
        kv_heads: u32,
        /// Width of one head.
        head_dim: u32,
    },
    /// Multi-head latent attention (DeepSeek-V2/V3).
    Latent {
        /// Heads.
        heads: u32,
        /// Width of the compressed query; `None` where queries are not compressed.
        q_rank: Option<u32>,
        /// Width of the compressed keys and values.
        kv_rank: u32,
        /// Part of each query/key head without rotary position.
        qk_nope_dim: u32,
        /// Rotary part, shared by all heads in the key.
        qk_rope_dim: u32,
        /// Width of each value head.
        v_dim: u32,
    },
}

/// Mixture-of-experts feed-forward.
#[derive(Clone, Debug, PartialEq)]
pub struct Experts {
    /// Routed experts in a layer.
    pub routed: u32,
    /// Experts that each token is sent to.
    pub top_k: u32,
    /// Inner width of a routed expert.
    pub width: u32,
    /// Total inner width of shared experts (0: none).
    pub shared_width: u32,
    /// Leading layers that are dense.
    pub first_dense: u32,
    /// A layer is MoE if its index past `first_dense` is a multiple of this (1: all).
    pub every: u32,
    /// Routing groups; 1 where routing is not grouped.
    pub groups: u32,
    /// Groups that a token may reach.
    pub group_limit: u32,
}

/// The activation of the feed-forward network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Gated (SwiGLU, GeGLU): two input projections.
    Gated,
    /// One input projection (GELU, squared ReLU).
    Plain,
}

/// The normalisation of each sub-layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// RMSNorm: a scale.
    Rms,
    /// LayerNorm: a scale and a bias.
    Layer,
}

/// Sliding-window attention in some layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Tokens that a query sees, itself included.
    pub tokens: u32,
    /// One layer in this many has full attention, the others the window (gpt-oss: 2);
    /// 0: every layer has the window.
    pub full_every: u32,
}

/// Rare features of an architecture; the default has none of them.
///
/// Most cost next to nothing in time and are here so that parameter counts come out
/// exactly as published; the window and the second pair of norms cost time as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The router holds one bias per expert (DeepSeek-V3's load-balancing correction).
    pub router_bias: bool,
    /// The shared expert's output passes a learned scalar gate (Qwen2-MoE).
    pub shared_gate: bool,
    /// The attention's output projection has a bias besides those of query, key and
    /// value (Llama's and Qwen3's `attention_bias`).
    pub output_bias: bool,
    /// Each head has a learned sink logit (gpt-oss).
    pub sinks: bool,
    /// The embedding is normalised (BLOOM).
    pub embedding_norm: bool,
    /// Each sub-layer's output is normalised as well (Grok-1).
    pub post_norms: bool,
    /// Sliding window, if any.
    pub window: Option<Window>,
}

/// A decoder-only transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Name for people.
    pub name: String,
    /// Transformer layers, multi-token-prediction modules not counted.
    pub layers: u32,
    /// Hidden width.
    pub hidden: u32,
    /// Inner width of a dense feed-forward network.
    pub ffn: u32,
    /// Vocabulary rows of the embedding.
    pub vocabulary: u32,
    /// Attention.
    pub attention: Attention,
    /// Experts, if any.
    pub experts: Option<Experts>,
    /// Activation.
    pub activation: Activation,
    /// Normalisation.
    pub norm: Norm,
    /// All linear layers but the output head have biases (GPT-2/3 style), routers and
    /// experts included.
    pub biases: bool,
    /// Query, key and value projections alone have biases (Qwen2).
    pub qkv_biases: bool,
    /// Queries and keys are normalised per head (Qwen3).
    pub qk_norm: bool,
    /// Embedding and output head share weights.
    pub tied: bool,
    /// Learned position embeddings (GPT-2/3): how many positions; 0 where positions are rotary.
    pub learned_positions: u32,
    /// Multi-token-prediction modules (DeepSeek-V3).
    pub mtp: u32,
    /// Rare features.
    pub extras: Extras,
}

impl Attention {
    /// Query heads.
    pub fn heads(&self) -> u32 {
        match *self {
            Attention::Grouped { heads, .. } | Attention::Latent { heads, .. } => heads,
        }
    }

    /// Width of one query or key head, as the score product sees it.
    pub fn query_head_dim(&self) -> u32 {
        match *self {
            Attention::Grouped { head_dim, .. } => head_dim,
            Attention::Latent {
                qk_nope_dim,
                qk_rope_dim,
                ..
            } => qk_nope_dim + qk_rope_dim,
        }
    }

    /// Width of one value head.
    pub fn value_head_dim(&self) -> u32 {
        match *self {
            Attention::Grouped { head_dim, .. } => head_dim,
            Attention::Latent { v_dim, .. } => v_dim,
        }
    }

    /// Heads that hold keys and values of their own in the attention core. Latent
    /// attention expands them for every head in training.
    pub fn kv_heads(&self) -> u32 {
        match *self {
            Attention::Grouped { kv_heads, .. } => kv_heads,
            Attention::Latent { heads, .. } => heads,
        }
    }

    /// Elements of a token's queries over all heads.
    pub fn query_width(&self) -> u64 {
        u64::from(self.heads()) * u64::from(self.query_head_dim())
    }

    /// Elements of a token's keys over all key heads, as the attention core reads them.
    pub fn key_width(&self) -> u64 {
        u64::from(self.kv_heads()) * u64::from(self.query_head_dim())
    }

    /// Elements of a token's values over all value heads, as the attention core reads them.
    pub fn value_width(&self) -> u64 {
        u64::from(self.kv_heads()) * u64::from(self.value_head_dim())
    }

    /// Elements of a token's queries, keys and values together.
    pub fn qkv_width(&self) -> u64 {
        self.query_width() + self.key_width() + self.value_width()
    }

    /// Elements of the attention core's result for a token: the input width of the
    /// output projection.
    pub fn output_width(&self) -> u64 {
        u64::from(self.heads()) * u64::from(self.value_head_dim())
    }
}

impl Activation {
    /// Input projections of a feed-forward network with this activation.
    pub fn input_projections(self) -> u64 {
        match self {
            Activation::Gated => 2,
            Activation::Plain => 1,
        }
    }
}

impl Model {
    /// The experts of layer `layer` (from 0), `None` where the layer is dense. Modules for
    /// multi-token prediction count on from [`Model::layers`] and are like the last layer.
    pub fn experts_of(&self, layer: u32) -> Option<&Experts> {
        let experts = self.experts.as_ref()?;
        let layer = layer.min(self.layers.saturating_sub(1));
        let past = layer.checked_sub(experts.first_dense)?;
        past.is_multiple_of(experts.every.max(1)).then_some(experts)
    }

    /// Whether layer `layer` (from 0) has experts.
    pub fn is_moe_layer(&self, layer: u32) -> bool {
        self.experts_of(layer).is_some()
    }

    /// Layers that have experts, multi-token-prediction modules not counted.
    pub fn moe_layers(&self) -> u32 {
        (0..self.layers).filter(|&l| self.is_moe_layer(l)).count() as u32
    }

    /// The sliding window of layer `layer` (from 0), in tokens; `None`: it sees the whole
    /// sequence. The last layer of each group of `full_every` is the full one.
    pub fn window_of(&self, layer: u32) -> Option<u32> {
        let window = self.extras.window?;
        let full = window.full_every > 0 && (layer + 1).is_multiple_of(window.full_every);
        (!full).then_some(window.tokens)
    }
}
