//! A model as it is written in the catalogue, or explicitly in a scenario.
//!
//! In: a table of plain numbers and strings (the catalogue's facts reduced to their
//! values). Out: a [`Model`] whose dimensions have been checked. Never guesses a
//! dimension: only features that most models lack have a default, and it is "none".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strait_training::model::{
    Activation, Attention, Experts, Extras, Model, ModelError, Norm, Window,
};

/// How keys and values are formed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AttentionFile {
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
        /// Width of the compressed query; left out where queries are not compressed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpertsFile {
    /// Routed experts in a layer.
    pub routed: u32,
    /// Experts that each token is sent to.
    pub top_k: u32,
    /// Inner width of a routed expert.
    pub width: u32,
    /// Total inner width of shared experts (0: none).
    #[serde(default)]
    pub shared_width: u32,
    /// Leading layers that are dense.
    #[serde(default)]
    pub first_dense: u32,
    /// A layer is MoE if its index past `first_dense` is a multiple of this (1: all).
    #[serde(default = "one")]
    pub every: u32,
    /// Routing groups; 1 where routing is not grouped.
    #[serde(default = "one")]
    pub groups: u32,
    /// Groups that a token may reach; all of them where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_limit: Option<u32>,
}

/// Sliding-window attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowFile {
    /// Tokens that a query sees, itself included.
    pub tokens: u32,
    /// One layer in this many has full attention; 0: none.
    #[serde(default)]
    pub full_every: u32,
}

/// The activation of the feed-forward network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivationFile {
    /// Gated (SwiGLU, GeGLU): two input projections.
    Gated,
    /// One input projection (GELU, squared ReLU).
    Plain,
}

/// The normalisation of each sub-layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormFile {
    /// RMSNorm: a scale.
    Rms,
    /// LayerNorm: a scale and a bias.
    Layer,
}

/// A decoder-only transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Id, which the catalogue fills in from the file's name.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub id: Option<String>,
    /// Name for people.
    pub name: String,
    /// What it is, where the name does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Transformer layers, multi-token-prediction modules not counted.
    pub layers: u32,
    /// Hidden width.
    pub hidden: u32,
    /// Inner width of a dense feed-forward network; may be left out where every layer is MoE.
    #[serde(default)]
    pub ffn: u32,
    /// Vocabulary rows of the embedding.
    pub vocabulary: u32,
    /// Activation: `gated` (SwiGLU, GeGLU) or `plain` (GELU, squared ReLU).
    pub activation: ActivationFile,
    /// Normalisation: `rms` or `layer`.
    pub norm: NormFile,
    /// Attention: a table `grouped` or `latent`.
    pub attention: AttentionFile,
    /// Experts, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<ExpertsFile>,
    /// All linear layers but the head have biases.
    #[serde(default)]
    pub biases: bool,
    /// Query, key and value projections have biases.
    #[serde(default)]
    pub qkv_biases: bool,
    /// Queries and keys are normalised per head.
    #[serde(default)]
    pub qk_norm: bool,
    /// Embedding and output head share weights.
    #[serde(default)]
    pub tied: bool,
    /// Learned position embeddings: how many positions; 0 where positions are rotary.
    #[serde(default)]
    pub learned_positions: u32,
    /// Multi-token-prediction modules.
    #[serde(default)]
    pub mtp: u32,
    /// The router holds one bias per expert.
    #[serde(default)]
    pub router_bias: bool,
    /// The shared expert's output passes a learned gate.
    #[serde(default)]
    pub shared_gate: bool,
    /// The attention's output projection has a bias.
    #[serde(default)]
    pub output_bias: bool,
    /// Each head has a learned sink logit.
    #[serde(default)]
    pub sinks: bool,
    /// The embedding is normalised.
    #[serde(default)]
    pub embedding_norm: bool,
    /// Each sub-layer's output is normalised as well.
    #[serde(default)]
    pub post_norms: bool,
    /// Sliding window, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowFile>,
}

const fn one() -> u32 {
    1
}

impl TryFrom<ModelFile> for Model {
    type Error = ModelError;

    /// # Errors
    /// Dimensions that make no sense, by [`Model::check`]; fields have the file's names.
    fn try_from(file: ModelFile) -> Result<Model, ModelError> {
        let model = Model {
            name: file.name,
            layers: file.layers,
            hidden: file.hidden,
            ffn: file.ffn,
            vocabulary: file.vocabulary,
            attention: file.attention.into(),
            experts: file.experts.map(Experts::from),
            activation: match file.activation {
                ActivationFile::Gated => Activation::Gated,
                ActivationFile::Plain => Activation::Plain,
            },
            norm: match file.norm {
                NormFile::Rms => Norm::Rms,
                NormFile::Layer => Norm::Layer,
            },
            biases: file.biases,
            qkv_biases: file.qkv_biases,
            qk_norm: file.qk_norm,
            tied: file.tied,
            learned_positions: file.learned_positions,
            mtp: file.mtp,
            extras: Extras {
                router_bias: file.router_bias,
                shared_gate: file.shared_gate,
                output_bias: file.output_bias,
                sinks: file.sinks,
                embedding_norm: file.embedding_norm,
                post_norms: file.post_norms,
                window: file.window.map(|w| Window {
                    tokens: w.tokens,
                    full_every: w.full_every,
                }),
            },
        };
        model.check()?;
        Ok(model)
    }
}

impl From<AttentionFile> for Attention {
    fn from(file: AttentionFile) -> Attention {
        match file {
            AttentionFile::Grouped {
                heads,
                kv_heads,
                head_dim,
            } => Attention::Grouped {
                heads,
                kv_heads,
                head_dim,
            },
            AttentionFile::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            } => Attention::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            },
        }
    }
}

impl From<ExpertsFile> for Experts {
    fn from(file: ExpertsFile) -> Experts {
        Experts {
            routed: file.routed,
            top_k: file.top_k,
            width: file.width,
            shared_width: file.shared_width,
            first_dense: file.first_dense,
            every: file.every,
            groups: file.groups,
            group_limit: file.group_limit.unwrap_or(file.groups),
        }
    }
}
