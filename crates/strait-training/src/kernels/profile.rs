//! The kernel profile of an architecture: measured facts, as the catalogue holds them.
//!
//! In: `catalog/kernels/<id>.toml`, with sources stripped. Out: a [`KernelProfile`]
//! that [`Kernels::new`](super::Kernels::new) scales to one accelerator. Holds no
//! formula and no default: a fact that is not in the file does not exist.
//!
//! Rates are of the full *reference* accelerator, by the clock they were measured at.

use serde::Deserialize;
use std::collections::BTreeMap;
use strait_units::{Bandwidth, FlopRate, Power, Ratio, Time};

/// Measured kernel facts of one architecture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelProfile {
    /// Catalogue id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The accelerator that the rates belong to.
    pub reference: Reference,
    /// What training does to the clock.
    pub clock: ClockFacts,
    /// Costs that every kernel has.
    pub launch: LaunchFacts,
    /// Matrix products by operand type.
    pub tensor: TensorTables,
    /// Grouped BF16 products measured by rows per expert, where the tile form does not hold.
    #[serde(default)]
    pub grouped: Option<GroupedTable>,
    /// Attention cores.
    pub attention: AttentionTables,
    /// Memory-bound kernels.
    pub memory: MemoryTables,
    /// Kernels whose time does not follow bytes.
    pub fixed: FixedFacts,
}

/// The accelerator on which the profile was measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Its catalogue id.
    pub accelerator: String,
    /// Compute units (SMs or their like).
    pub units: u32,
    /// Dense BF16 (or FP16) peak.
    pub bf16: FlopRate,
    /// Dense FP8 peak, where it has one.
    #[serde(default)]
    pub fp8: Option<FlopRate>,
    /// Dense FP4 peak, where it has one.
    #[serde(default)]
    pub fp4: Option<FlopRate>,
    /// HBM bandwidth, datasheet.
    pub memory_bandwidth: Bandwidth,
    /// Board power limit, where known; without it power bounds are not scaled.
    #[serde(default)]
    pub tdp: Option<Power>,
}

/// What sustained training does to tensor rates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFacts {
    /// Rate in training over the rate of short runs; applies to facts of basis `short-runs`.
    pub training: Ratio,
    /// Sustained rate of an accelerator (by id) over that of the reference, where measured;
    /// replaces the rule by board power.
    #[serde(default)]
    pub sustained: BTreeMap<String, Ratio>,
    /// How a power bound follows board power: the ratio of powers to this exponent. Frequency falls
    /// more slowly than power, by about its root.
    #[serde(default = "root")]
    pub power_exponent: Ratio,
}

/// The clock at which a rate was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Stand-alone, short runs: the training clock still has to be applied.
    ShortRuns,
    /// At the clock that training or long runs settle to.
    Sustained,
}

/// Costs that every kernel has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchFacts {
    /// Idle time between consecutive kernels of a stream without graphs.
    pub gap: Time,
}

/// Matrix products by operand type; absent where the architecture cannot.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorTables {
    /// Share of HBM bandwidth that operands stream at.
    pub memory_share: Ratio,
    /// BF16 and FP16.
    #[serde(default)]
    pub bf16: Option<TensorFacts>,
    /// FP8 with one scale per tensor.
    #[serde(default)]
    pub fp8_tensor: Option<TensorFacts>,
    /// FP8 with 1×128 and 128×128 scales.
    #[serde(default)]
    pub fp8_block: Option<TensorFacts>,
    /// MXFP8.
    #[serde(default)]
    pub mxfp8: Option<TensorFacts>,
    /// NVFP4.
    #[serde(default)]
    pub nvfp4: Option<TensorFacts>,
}

/// One family of matrix-product kernels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorFacts {
    /// Rate of the full chip inside a tile's main loop.
    pub rate: FlopRate,
    /// Clock of `rate`.
    pub rate_basis: Basis,
    /// Most that the chip's power limit allows; absent where it does not bind.
    #[serde(default)]
    pub power_bound: Option<FlopRate>,
    /// Clock of `power_bound`.
    #[serde(default = "sustained")]
    pub power_basis: Basis,
    /// Un-overlapped write-out of 32,768 outputs (a 256×128 tile), per unit.
    #[serde(default)]
    pub tile_epilogue: Option<Time>,
    /// Un-overlapped write-out at this chip-wide bandwidth, instead of `tile_epilogue`.
    #[serde(default)]
    pub store_bandwidth: Option<Bandwidth>,
    /// Start of the kernel.
    pub start: Time,
    /// Weight of whole waves: 1 where a part-filled wave costs a full one.
    pub wave_weight: Ratio,
    /// Tiles to choose from.
    pub tiles: TileSet,
    /// Rate of a 128×128 tile over a 256×128 one.
    #[serde(default = "one")]
    pub half_tile: Ratio,
    /// Rate at each further halving.
    #[serde(default = "one")]
    pub quarter_tile: Ratio,
    /// Where gradients with respect to inputs differ.
    #[serde(default)]
    pub input_gradient: PassFacts,
    /// Where gradients with respect to weights differ.
    #[serde(default)]
    pub weight_gradient: PassFacts,
}

/// What differs in a backward pass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassFacts {
    /// Replaces `rate`.
    #[serde(default)]
    pub rate: Option<FlopRate>,
    /// Replaces `power_bound`.
    #[serde(default)]
    pub power_bound: Option<FlopRate>,
    /// Replaces `store_bandwidth`.
    #[serde(default)]
    pub store_bandwidth: Option<Bandwidth>,
}

/// Which output tiles a library chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TileSet {
    /// 256×128 down to 64×64, as vendor libraries do.
    Library,
    /// 128×128; narrower ones below 512 rows, as block-scaled FP8 kernels do.
    Square,
}

/// Grouped products by rows per expert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupedTable {
    /// Rows per expert, ascending.
    pub rows: Vec<u64>,
    /// Rate of the forward product at each.
    pub forward: Vec<FlopRate>,
    /// Rate of the input gradient.
    pub input_gradient: Vec<FlopRate>,
    /// Rate of the weight gradient.
    pub weight_gradient: Vec<FlopRate>,
}

/// Attention cores by kernel generation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionTables {
    /// Start of an attention kernel.
    pub start: Time,
    /// Query rows that one unit works through in the forward pass: a kernel is never
    /// shorter than one such block.
    pub block_rows: u32,
    /// Key rows likewise in the backward pass.
    pub backward_block_rows: u32,
    /// FlashAttention 1 and its Triton version.
    pub flash1: AttentionFacts,
    /// FlashAttention 2.
    pub flash2: AttentionFacts,
    /// FlashAttention 3, cuDNN 9 and their like: the newest.
    pub flash3: AttentionFacts,
    /// Memory traffic of separate kernels, forward, bytes per score.
    pub unfused_forward_bytes: f64,
    /// The same, backward.
    pub unfused_backward_bytes: f64,
}

/// One generation of attention kernels: fits of its own, or a factor on another's time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionFacts {
    /// Fits, by ascending head dimension.
    #[serde(default)]
    pub fits: Vec<AttentionFit>,
    /// Without fits: the generation that it is compared with.
    #[serde(default)]
    pub compared_with: Option<Generation>,
    /// Without fits: its time over that generation's.
    #[serde(default)]
    pub slower: Option<Ratio>,
}

/// A generation that another can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    /// FlashAttention 2.
    Flash2,
    /// FlashAttention 3 or cuDNN 9.
    Flash3,
}

/// What a fit was made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitPass {
    /// The forward kernel alone.
    Forward,
    /// Forward and backward together, 3.5 times the forward FLOPs.
    Both,
}

/// Rate and wasted work of attention at one head dimension.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionFit {
    /// Mean of the query-key and the value head dimension.
    pub head_dim: u32,
    /// What was timed.
    pub pass: FitPass,
    /// Rate at infinite length.
    pub rate: FlopRate,
    /// Keys' worth of wasted work, not causal.
    pub waste_full: f64,
    /// Keys' worth of wasted work, causal.
    pub waste_causal: f64,
    /// Tail of the forward kernel per key, in place of waste.
    #[serde(default)]
    pub tail_per_key: Time,
    /// Backward rate over forward rate, at 2.5 times the FLOPs.
    pub backward: Ratio,
}

/// Memory-bound kernels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryTables {
    /// Start of a memory-bound kernel.
    pub start: Time,
    /// Measured triad bandwidth of the reference.
    pub triad: Bandwidth,
    /// One kernel per operation.
    pub eager: MemoryTable,
    /// Scripted fusions.
    pub jit: MemoryTable,
    /// Hand-fused library kernels.
    pub fused: MemoryTable,
    /// Kernels that a lab wrote for one model, as in the DeepSeek-V3 trace.
    pub custom: MemoryTable,
}

/// What shares of bandwidth are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryScale {
    /// The measured triad bandwidth.
    Triad,
    /// The datasheet's bandwidth.
    Datasheet,
}

/// Share of bandwidth that each class of kernel reaches.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryTable {
    /// What these are shares of.
    pub of: MemoryScale,
    /// [`MemoryClass::Stream`](super::MemoryClass::Stream), and likewise below.
    pub stream: Ratio,
    /// SwiGLU and other activations.
    pub swiglu: Ratio,
    /// Transposition of weights.
    pub transpose: Ratio,
    /// Cast with transposition.
    pub cast_transpose: Ratio,
    /// Cast.
    pub cast: Ratio,
    /// Requantisation along the other axis.
    pub dequant_transpose: Ratio,
    /// Normalisation, forward.
    pub norm: Ratio,
    /// Normalisation, backward.
    pub norm_backward: Ratio,
    /// 12-bit packing.
    pub pack12: Ratio,
    /// Strided access.
    pub strided: Ratio,
    /// Softmax and cross-entropy.
    pub loss: Ratio,
    /// Optimizer.
    pub optimizer: Ratio,
    /// Embedding.
    pub embedding: Ratio,
    /// Permutation of rows.
    pub permute: Ratio,
    /// Plain copy.
    pub copy: Ratio,
}

/// Kernels whose time does not follow bytes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedFacts {
    /// Top-k selection for each token and expert.
    pub top_k_per_score: Time,
    /// Counting the tokens of each expert.
    pub expert_count: Time,
    /// Building the row map of a permutation.
    pub row_mapping: Time,
    /// Any of the many small kernels.
    pub small: Time,
}

fn root() -> Ratio {
    Ratio::new(0.5)
}

fn sustained() -> Basis {
    Basis::Sustained
}

fn one() -> Ratio {
    Ratio::new(1.0)
}
