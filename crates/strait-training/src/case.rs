//! A case: one fully resolved set of inputs.
//!
//! In: typed values (the study floor reads them from files). Out: the one argument
//! of a simulation. Never reads files and never guesses: defaults are the study floor's.

use crate::hardware::Cluster;
use crate::kernels::KernelProfile;
use crate::links::LinkProfile;
use crate::model::Model;
use crate::price::Economics;
use strait_units::{Ratio, Time, Tokens};

/// Pipeline schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleKind {
    /// All forwards, then all backwards.
    GPipe,
    /// One forward, one backward; interleaved when there are virtual stages.
    OneFOneB,
    /// The same, its steady state made of pairs of one forward and one backward chunk, whose expert
    /// communication and compute overlap (Megatron-Core's `overlap_moe_expert_parallel_comm`).
    OverlappedOneFOneB,
    /// Zero-bubble H1: weight gradients fill the cool-down.
    ZbH1,
    /// DeepSeek's two-way schedule with overlapped pairs.
    DualPipe,
    /// Its V-shaped half.
    DualPipeV,
}

/// What is sharded over data-parallel ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zero {
    /// Nothing.
    Zero0,
    /// Optimizer states.
    Zero1,
    /// Optimizer states and gradients.
    Zero2,
    /// Optimizer states, gradients and parameters (FSDP).
    Zero3,
}

/// Parts of a layer that can be recomputed in the backward pass by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecomputePart {
    /// The attention core (scores, softmax, weighted sum).
    CoreAttention,
    /// Normalisations.
    Norm,
    /// Up-projections of latent attention.
    MlaUp,
    /// The activation between the projections of the feed-forward or expert network.
    Activation,
    /// The whole feed-forward or shared-expert network.
    Mlp,
    /// The whole MoE block with its dispatch and combine.
    Moe,
}

/// Which activations are recomputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recompute {
    /// None.
    None,
    /// The attention core only.
    Selective,
    /// Whole layers, from their inputs.
    Full,
    /// The named parts.
    Named(Vec<RecomputePart>),
}

/// How the model is laid out over the ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct Parallelism {
    /// Tensor-parallel ranks.
    pub tensor: u32,
    /// Sequence parallelism beside tensor parallelism.
    pub sequence: bool,
    /// Pipeline ranks.
    pub pipeline: u32,
    /// Virtual stages (model chunks) on each pipeline rank; 1 without interleaving
    /// (DualPipe and DualPipeV hold two by themselves: leave 1).
    pub virtual_stages: u32,
    /// Context-parallel ranks.
    pub context: u32,
    /// Expert-parallel ranks.
    pub expert: u32,
    /// Tensor-parallel ranks inside an expert.
    pub expert_tensor: u32,
    /// ZeRO stage.
    pub zero: Zero,
    /// Ranks over which ZeRO shards (hybrid sharding); `None`: all data-parallel ranks.
    pub zero_group: Option<u32>,
    /// Pipeline schedule.
    pub schedule: ScheduleKind,
    /// Sequences in a micro-batch.
    pub micro_batch: u32,
    /// Recomputed activations.
    pub recompute: Recompute,
    /// Of the layers of a stage, how many are recomputed; `None`: all.
    pub recompute_layers: Option<u32>,
    /// Of the layers of a stage, of how many the kept activations go to host memory.
    pub offload_layers: u32,
    /// Layers of each model stage in order; `None`: spread by the rule in `layout`.
    pub stage_layers: Option<Vec<u32>>,
    /// Compute units that expert communication kernels take while they run.
    pub communication_units: u32,
}

/// Precision recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// FP16 mixed, with loss scaling.
    Fp16,
    /// BF16 mixed.
    Bf16,
    /// FP8 with one scale per tensor (delayed or current), as in Transformer Engine.
    Fp8Tensor,
    /// FP8 with 1×128 and 128×128 scales, DeepSeek's recipe.
    Fp8Block,
    /// MXFP8: 1×32 scales in hardware.
    Mxfp8,
    /// NVFP4: 4-bit elements with 1×16 scales in hardware and a scale per tensor, behind a random
    /// Hadamard transform where they feed weight gradients.
    Nvfp4,
}

impl Precision {
    /// Linear layers run in fewer than 16 bits.
    pub fn narrow(self) -> bool {
        !matches!(self, Precision::Fp16 | Precision::Bf16)
    }
}

/// The types of what is kept between steps and sent between ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateBytes {
    /// Bytes of a weight as used in compute.
    pub weight: f64,
    /// Bytes of a gradient, as accumulated and reduced.
    pub gradient: f64,
    /// Bytes of a master weight.
    pub master: f64,
    /// Bytes of both optimizer moments together.
    pub moments: f64,
}

/// A precision recipe with its storage types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecipe {
    /// Operand types.
    pub recipe: Precision,
    /// Storage types.
    pub state: StateBytes,
    /// Layers at the end of the model whose linear layers stay in BF16 under a narrower recipe.
    pub bf16_layers: u32,
}

impl PrecisionRecipe {
    /// Operand types of layer `layer` of a model of `layers`; prediction modules count as layers
    /// past the last.
    pub fn of_layer(&self, layer: u32, layers: u32) -> Precision {
        PrecisionRecipe::layer_type(self.recipe, self.bf16_layers, layer, layers)
    }

    /// The same of its parts.
    pub(crate) fn layer_type(recipe: Precision, kept: u32, layer: u32, layers: u32) -> Precision {
        if recipe.narrow() && kept > 0 && layer >= layers.saturating_sub(kept) {
            Precision::Bf16
        } else {
            recipe
        }
    }
}

/// A part of the run with a batch, a sequence length and a layout of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// Tokens trained in this phase.
    pub tokens: Tokens,
    /// Tokens of a sequence.
    pub sequence_length: u32,
    /// Sequences of a batch at the end of the phase.
    pub global_batch: u32,
    /// Sequences of a batch at its start, where it ramps linearly in tokens.
    pub initial_batch: Option<u32>,
    /// Tokens over which the batch ramps; `None`: the whole phase.
    pub ramp_tokens: Option<Tokens>,
    /// Counts as pre-training (and not as context extension or post-training).
    pub pretraining: bool,
    /// Its layout, where it differs from the case's.
    pub parallelism: Option<Parallelism>,
    /// Its steps are updates of a policy on its own samples (reinforcement learning).
    pub reinforcement: Option<crate::rollout::Reinforcement>,
}

/// Linear layers that have adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterLayers {
    /// All but routers.
    All,
    /// Projections of attention.
    Attention,
    /// Projections to queries, keys and values.
    Qkv,
}

/// Low-rank adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapters {
    /// Inner width.
    pub rank: u32,
    /// Where they are.
    pub layers: AdapterLayers,
}

/// Which weights are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// All.
    #[default]
    Full,
    /// Low-rank adapters beside linear layers; the model's own weights are frozen.
    Lora(Adapters),
}

impl Method {
    /// Adapters, where the model's own weights are frozen.
    pub fn adapters(self) -> Option<Adapters> {
        match self {
            Method::Full => None,
            Method::Lora(adapters) => Some(adapters),
        }
    }
}

/// What is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Which weights are trained.
    pub method: Method,
    /// Tokens of the documents that are packed into a sequence and don't see each other; `None`:
    /// every token sees all before it in its sequence.
    pub document: Option<u32>,
    /// The phases in order; at least one. The one with most tokens is the main phase.
    pub phases: Vec<Phase>,
}

impl Training {
    /// Tokens that the last token of a document sees, itself included, in sequences of this length.
    pub fn seen(&self, sequence_length: u32) -> u32 {
        self.document
            .map_or(sequence_length, |tokens| tokens.min(sequence_length))
    }
}

/// How routed load is spread over experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Exactly equal (forced).
    Forced,
    /// Uniform random choice.
    Balanced,
    /// The spread of the published DeepSeek trace.
    Measured,
    /// A router whose balance is still being trained.
    Skewed,
}

/// Expert routing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// Nodes that a token may reach; `None`: no limit.
    pub node_limit: Option<u32>,
    /// Spread of load.
    pub balance: Balance,
    /// Coefficient of variation of routed rows per rank, in one layer and micro-batch.
    pub spread: Ratio,
    /// Share of that variance which persists over micro-batches of a step.
    pub persistence: Ratio,
}

/// How the spread of chip speed shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChipSpread {
    /// Each chip has a speed of its own, drawn by the seed.
    #[default]
    Sampled,
    /// Every chip is as slow as the slowest of all is expected to be: who waits for everybody is
    /// as slow as that one. No draw, so that steps can be folded.
    Slowest,
}

/// Random variation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Coefficient of variation of each kernel's time.
    pub jitter: Ratio,
    /// Standard deviation of chip speed over chips.
    pub chip_spread: Ratio,
    /// How it shows.
    pub chips: ChipSpread,
}

/// Attention kernels by generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionKernel {
    /// Matrix products and softmax in separate kernels, scores in memory.
    Unfused,
    /// FlashAttention 1 or its Triton version.
    Flash1,
    /// FlashAttention 2.
    Flash2,
    /// FlashAttention 3, cuDNN 9 or their like.
    Flash3,
}

/// How elementwise kernels are fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// One kernel per operation.
    Eager,
    /// Scripted fusions of 2021 (bias-GELU, bias-dropout-add).
    Jit,
    /// Hand-fused library kernels (Transformer Engine and its like).
    Fused,
}

/// What of tensor-parallel communication is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorOverlap {
    /// None.
    None,
    /// Backward all-gathers under gradient GEMMs.
    Backward,
    /// All of it, pipelined with the GEMMs (user buffers).
    Full,
}

/// How tokens reach their experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatcher {
    /// NCCL all-to-all, one copy per expert.
    AllToAll,
    /// All-gather of all tokens, reduce-scatter back.
    AllGather,
    /// Deduplicated per node and rank, with NVLink forwarding (DeepEP and its like).
    Deduplicated,
}

/// How the loss keeps its logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Copied to FP32; the exponentials are kept for the backward pass.
    Fp32,
    /// 16-bit logits turn into their gradient where they lie.
    InPlace,
}

/// CUDA graphs or their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graphs {
    /// Every kernel is launched by the host.
    None,
    /// Attention, routers and dense feed-forward networks are captured; between dispatch and combine,
    /// at both ends of the model and in the optimizer the host launches.
    Partial,
    /// Captured: no host cost and no launch gaps.
    Full,
}

/// How the gradient of a weight matrix joins the sum over micro-batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulation {
    /// Inside the product of the weight gradient (Megatron-LM's gradient accumulation fusion, 2022).
    Fused,
    /// The product is written in 16 bits, then added to the sum by a kernel of its own.
    Added,
    /// The product is written in 16 bits, copied to the type of the sum, then added (DeepSpeed's
    /// optimizer for BF16 with FP32 gradients).
    Copied,
}

/// The generation of the training software, as facts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Software {
    /// Attention kernel.
    pub attention: AttentionKernel,
    /// Fusion.
    pub fusion: Fusion,
    /// Tensor-parallel overlap.
    pub tensor_overlap: TensorOverlap,
    /// MoE dispatcher.
    pub dispatcher: Dispatcher,
    /// Expert communication of one micro-batch is overlapped with compute of another
    /// where the schedule pairs them.
    pub expert_overlap: bool,
    /// How gradients of micro-batches are added up.
    pub accumulation: Accumulation,
    /// Gradient reduction is hidden under the backward pass.
    pub gradient_overlap: bool,
    /// Parameter gathering is hidden under the forward pass.
    pub parameter_overlap: bool,
    /// Pipeline transfers are asynchronous.
    pub pipeline_overlap: bool,
    /// A pipeline message is divided among tensor ranks, each of which sends its part (the
    /// scatter/gather optimisation of arXiv 2104.04473); else every one sends all of it.
    pub pipeline_scatter: bool,
    /// Router, token counts and row maps run in a few fused kernels.
    pub router_fusion: bool,
    /// How the loss keeps its logits.
    pub loss: Loss,
    /// The library keeps a 16-bit tensor of the shape of each weight matrix, to hand out as its
    /// gradient where the real one was added up in place.
    pub gradient_placeholders: bool,
    /// CUDA graphs.
    pub graphs: Graphs,
    /// Host time to launch one operation.
    pub host_time_per_op: Time,
}

/// What of a rank's chip or of the network is slower than it should be, or dead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// An accelerator all of whose kernels are slow.
    Accelerator {
        /// Its number, which is the rank on it.
        index: u32,
        /// Share of its speed that is left, above 0.
        left: Ratio,
    },
    /// A part of the network.
    Link(crate::topology::Fault),
}

/// How finely transfers on shared links are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkGrain {
    /// Closed forms where nobody can be in the way, else classes of flows where sizes are equal
    /// and whole collectives where they are not.
    #[default]
    Auto,
    /// Closed forms always: no transfer slows another.
    Analytic,
    /// Each collective as one, all on links.
    Coflow,
    /// Classes of flows, all on links.
    Class,
    /// Every flow by itself, all on links: for validation.
    Flow,
}

/// Whether a kind of transfer shares ports and NICs with other kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// As if the other kinds sent nothing.
    #[default]
    Alone,
    /// Rates are shared.
    Shared,
}

/// How the step is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// Grain of transfers.
    pub network: NetworkGrain,
    /// Pipeline messages.
    pub sends: Sharing,
    /// Data-parallel collectives: gradients and parameters.
    pub gradients: Sharing,
}

/// One fully resolved set of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Name of the case.
    pub name: String,
    /// Model.
    pub model: Model,
    /// Cluster.
    pub cluster: Cluster,
    /// Kernel calibration of the accelerator.
    pub kernels: KernelProfile,
    /// Link calibration of the accelerator and fabric.
    pub links: LinkProfile,
    /// Layout.
    pub parallelism: Parallelism,
    /// Precision.
    pub precision: PrecisionRecipe,
    /// Training.
    pub training: Training,
    /// Routing.
    pub routing: Routing,
    /// Noise.
    pub noise: Noise,
    /// Software generation.
    pub software: Software,
    /// Prices.
    pub economics: Economics,
    /// What interrupts the run; `None`: nothing does.
    pub reliability: Option<crate::campaign::Reliability>,
    /// What is slow or dead.
    pub faults: Vec<Fault>,
    /// How the step is simulated.
    pub engine: EngineSettings,
    /// Seed of everything random.
    pub seed: u64,
}
