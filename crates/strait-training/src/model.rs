//! Transformer architectures: what is computed, whatever the hardware.
//!
//! In: dimensions. Out: a [`Model`], its parameter counts and FLOPs per token.
//! Never knows how it is laid out over ranks.

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
    /// Linear layers have biases (GPT-2/3 style).
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
}
