//! Lowering: from a layout and a schedule to rank programs with base durations.
//!
//! In: a case, one phase of it, its [`Layout`](crate::layout::Layout) and
//! [`Schedule`](crate::schedule::Schedule). Out: a [`strait_sim::Job`] and the [`StepTiming`]
//! that the engine asks for durations. Never simulates.
//!
//! Streams of a rank: 0 compute (and blocking collectives), 1 expert or shard communication,
//! 2 pipeline sends, 3 data-parallel collectives. A rank runs one chunk at a time; sends and
//! data-parallel collectives run on behind it.

mod blocks;
mod chips;
mod chunks;
mod duration;
mod ends;
mod frame;
mod gradients;
mod least;
mod listing;
mod pricing;
mod ranks;
mod stock;
#[cfg(test)]
mod tests;
mod timed;
mod timing;
mod wires;

pub(crate) use blocks::Subject;
pub use duration::Durations;
pub use ends::Ends;
pub use least::Least;
pub use listing::{ExchangeRow, KernelRow, LayerKernels, PHASES};
pub use pricing::durations;
pub(crate) use pricing::unsupported;
pub(crate) use ranks::lower_from;
pub use ranks::{Lowered, lower};
pub(crate) use stock::Stock;
pub use timing::StepTiming;

use crate::ops::Class;

/// Streams.
pub(crate) const COMPUTE: u8 = 0;
/// Expert exchanges, and parameter gathers of fully sharded data parallelism.
pub(crate) const EXCHANGE: u8 = 1;
/// Pipeline sends.
pub(crate) const SENDS: u8 = 2;
/// Gradient and parameter collectives.
pub(crate) const DATA: u8 = 3;

/// What a window of open time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Window {
    /// A lone forward chunk.
    Forward,
    /// A lone backward chunk with its weight gradients.
    Backward,
    /// A lone backward chunk without them.
    BackwardInput,
    /// Weight gradients only.
    BackwardWeight,
    /// An overlapped pair.
    Pair,
    /// The end of the step.
    Optimizer,
}

/// Accounts of the engine: compute by class, then kinds of communication and waiting.
pub(crate) mod account {
    use super::Class;

    /// Weight-gradient work of lone backward chunks (a class of its own so that it can be
    /// told from the rest of their window).
    pub const LONE_WEIGHT: u8 = Class::ALL.len() as u8;
    /// Tensor-parallel collectives, and waiting for them.
    pub const TENSOR: u8 = LONE_WEIGHT + 1;
    /// Context-parallel exchange.
    pub const CONTEXT: u8 = LONE_WEIGHT + 2;
    /// Expert exchange.
    pub const EXPERT: u8 = LONE_WEIGHT + 3;
    /// Data-parallel collectives.
    pub const DATA: u8 = LONE_WEIGHT + 4;
    /// Pipeline transfers that block.
    pub const PIPELINE: u8 = LONE_WEIGHT + 5;
    /// Waiting that is none of these.
    pub const OTHER: u8 = LONE_WEIGHT + 6;
}

/// Kinds of groups.
pub(crate) mod group {
    /// Tensor-parallel ranks.
    pub const TENSOR: u8 = 0;
    /// Expert-parallel ranks.
    pub const EXPERT: u8 = 1;
    /// Context-parallel ranks.
    pub const CONTEXT: u8 = 2;
    /// Ranks that hold the same dense parameters (gradients).
    pub const DATA: u8 = 3;
    /// Ranks that hold the same experts (gradients).
    pub const EXPERT_DATA: u8 = 4;
    /// Ranks over which parameters are sharded and gathered.
    pub const SHARD: u8 = 5;
    /// Tensor-parallel ranks of an expert.
    pub const EXPERT_TENSOR: u8 = 6;
    /// All ranks.
    pub const WORLD: u8 = 7;
}
