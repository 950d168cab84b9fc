//! Op lists: every kernel of a layer that takes time, in the order in which it runs.
//!
//! In: a model, a precision recipe, a layout ([`Shape`]). Out: [`Pass`]es of segments of
//! [`Op`]s, each with its FLOPs or bytes. Never says how long anything takes: that is
//! `kernels` and `links`, asked when programs are lowered.
//!
//! The lists follow two sources. For latent attention and fine-grained FP8 they are the
//! kernels of DeepSeek's published trace (deepseek-ai/profile-data, one overlapped pair of
//! four MoE layers on H800). For grouped attention they are Megatron-Core's and Transformer
//! Engine's kernels (arXiv 2205.05198 for the tensor- and sequence-parallel collectives).

mod adapters;
mod attention;
mod casts;
mod ends;
mod experts;
mod feedforward;
mod layer;
mod list;
mod optimizer;
mod shape;
#[cfg(test)]
mod tests;

pub use adapters::{matrices, trained};
pub use ends::{arrival_pass, embedding_pass, head_pass, mtp_entry_pass};
pub use layer::layer_pass;
pub use optimizer::{OptimizerWork, optimizer_ops};
pub use shape::{Shape, operand};

use crate::kernels::{AttentionCore, FixedKernel, Gemm, MemoryClass};
use crate::links::{CollectiveKind, Direction};
use strait_units::Bytes;

/// What an op is booked under when compute time is broken down by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Dense matrix products, forward and input gradients.
    Gemm,
    /// Matrix products over routed experts.
    GroupedGemm,
    /// Weight-gradient matrix products.
    WeightGradient,
    /// Attention cores.
    Attention,
    /// Precision casts and transposes.
    Cast,
    /// Normalisations.
    Norm,
    /// Activation functions.
    Activation,
    /// Residual adds, rotary positions, copies.
    Elementwise,
    /// Token permutation for experts.
    Permute,
    /// Router and index kernels.
    Router,
    /// Many small kernels, lumped.
    Small,
    /// Embedding and loss.
    Ends,
    /// Optimizer.
    Optimizer,
    /// What shows of copies to and from host memory.
    Offload,
}

impl Class {
    /// All classes, in order.
    pub const ALL: [Class; 14] = [
        Class::Gemm,
        Class::GroupedGemm,
        Class::WeightGradient,
        Class::Attention,
        Class::Cast,
        Class::Norm,
        Class::Activation,
        Class::Elementwise,
        Class::Permute,
        Class::Router,
        Class::Small,
        Class::Ends,
        Class::Optimizer,
        Class::Offload,
    ];

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Class::Gemm => "dense GEMM",
            Class::GroupedGemm => "grouped GEMM",
            Class::WeightGradient => "weight-gradient GEMM",
            Class::Attention => "attention",
            Class::Cast => "precision casts and transposes",
            Class::Norm => "norms",
            Class::Activation => "activations",
            Class::Elementwise => "elementwise, rotary, copies",
            Class::Permute => "token permutation",
            Class::Router => "router",
            Class::Small => "small kernels",
            Class::Ends => "embedding and loss",
            Class::Optimizer => "optimizer",
            Class::Offload => "copies to and from host memory",
        }
    }
}

/// Which ranks a collective inside the compute stream runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Tensor-parallel ranks.
    Tensor,
    /// Tensor-parallel ranks of an expert.
    ExpertTensor,
    /// Context-parallel ranks.
    Context,
}

/// How a product hides a collective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hidden {
    /// Both are cut into a piece for each rank and run as a pipeline: the product needs the
    /// collective's result or the other way round (user buffers of Transformer Engine).
    Pipelined(Gemm),
    /// They do not need each other and run side by side.
    Beside(Gemm),
}

/// The work of an op.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A matrix product.
    Gemm(Gemm),
    /// An attention core.
    Attention(AttentionCore),
    /// A memory-bound kernel and the bytes it reads and writes.
    Memory(MemoryClass, Bytes),
    /// A kernel whose time does not follow its bytes.
    Fixed(FixedKernel),
    /// A number of tiny kernels, lumped into one op.
    Small(u32),
    /// A copy to or from host memory.
    HostCopy(Bytes),
    /// A collective in the compute stream; with `hidden`, overlapped with a product so that
    /// only a part of it shows.
    Collective {
        /// Ranks.
        scope: Scope,
        /// Operation.
        kind: CollectiveKind,
        /// Full buffer.
        bytes: Bytes,
        /// What hides it.
        hidden: Option<Hidden>,
    },
    /// Ring exchange of keys and values under the steps of a context-parallel attention.
    Ring {
        /// Steps.
        steps: u32,
        /// Bytes sent in each.
        bytes: Bytes,
        /// The attention of one step, which hides it.
        beside: AttentionCore,
    },
}

/// One kernel, or a lump of small ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// Name, stable, for traces and tests.
    pub name: &'static str,
    /// Class for break-downs.
    pub class: Class,
    /// Work.
    pub work: Work,
    /// Its size follows the number of tokens routed to this rank.
    pub routed: bool,
}

/// An exchange of tokens between expert-parallel ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExchangeOp {
    /// To the experts or back.
    pub direction: Direction,
    /// Bytes of one token's vector with its scales.
    pub bytes_per_token: Bytes,
    /// The routing is new: counts are exchanged first.
    pub fresh: bool,
    /// Name for traces.
    pub name: &'static str,
}

/// Ops that run in sequence, then an exchange that the next segment waits for, and ops
/// that nothing waits for and that may run beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Ops on the critical path.
    pub ops: Vec<Op>,
    /// Exchange after them.
    pub exchange: Option<ExchangeOp>,
    /// Weight-gradient ops, which may be postponed.
    pub filler: Vec<Op>,
    /// Layer that the segment belongs to, for routed load; MTP modules follow the layers.
    pub layer: u32,
    /// Name of the phase in the published trace, for tests: `attn(F)` and so on.
    pub phase: &'static str,
    /// Graphs of a part of a layer capture it: attention, router, dense feed-forward network
    /// (the scopes `attn`, `mlp`, `moe_router` and `moe_preprocess` of Megatron-Core).
    pub captured: bool,
}

/// Forward and backward segments of one layer, or of the work at either end of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// Forward.
    pub forward: Vec<Segment>,
    /// Backward, in the order in which it runs.
    pub backward: Vec<Segment>,
}
