//! The words that scenario keys accept, with what each means.
//!
//! In: nothing. Out: lists of [`Choice`] for the key table. Never reads a file.

use super::keys::Choice;

const fn word(name: &'static str, doc: &'static str) -> Choice {
    Choice { name, doc }
}

/// Pipeline schedules.
pub const SCHEDULES: &[Choice] = &[
    word("gpipe", "all forwards, then all backwards"),
    word(
        "1f1b",
        "one forward, one backward; interleaved where virtual_stages > 1",
    ),
    word(
        "interleaved",
        "1f1b with virtual_stages > 1, by its other name",
    ),
    word(
        "1f1b-overlap",
        "1f1b, interleaved or not, whose steady state pairs a forward with a backward chunk to hide expert communication (Megatron-Core)",
    ),
    word(
        "zb-h1",
        "zero-bubble H1: weight gradients fill the cool-down",
    ),
    word(
        "dualpipe",
        "DeepSeek's two-way schedule with overlapped forward and backward pairs",
    ),
    word("dualpipe-v", "the V-shaped half of DualPipe"),
];

/// Recompute, as one word.
pub const RECOMPUTE: &[Choice] = &[
    word("none", "nothing is recomputed"),
    word("selective", "the attention core only"),
    word("full", "whole layers, from their inputs"),
];

/// Parts of a layer that can be recomputed by name.
pub const RECOMPUTE_PARTS: &[Choice] = &[
    word("core-attention", "scores, softmax and weighted sum"),
    word("norm", "normalisations"),
    word("mla-up", "up-projections of latent attention"),
    word(
        "activation",
        "the activation inside the feed-forward or expert network",
    ),
    word("mlp", "the whole feed-forward or shared-expert network"),
    word("moe", "the whole MoE block with its dispatch and combine"),
];

/// Precision recipes.
pub const RECIPES: &[Choice] = &[
    word("fp16", "FP16 mixed precision with loss scaling"),
    word("bf16", "BF16 mixed precision"),
    word(
        "fp8-tensor",
        "FP8 with one scale per tensor, as in Transformer Engine",
    ),
    word(
        "fp8-block",
        "FP8 with 1x128 and 128x128 scales: DeepSeek's recipe",
    ),
    word("mxfp8", "MXFP8: a scale per 32 elements, in hardware"),
    word(
        "nvfp4",
        "NVFP4: linear layers in FP4 with a scale per 16 elements, in hardware; attention, head, router and norms in BF16",
    ),
];

/// What the steps of a phase are.
pub const PHASE_KINDS: &[Choice] = &[
    word(
        "training",
        "steps on given tokens: pre-training, context extension, fine-tuning",
    ),
    word(
        "reinforcement",
        "updates of a policy on samples that it generates: reinforcement learning",
    ),
];

/// Types of a KV cache.
pub const CACHES: &[Choice] = &[
    word("bf16", "2 bytes an element"),
    word("fp8", "1 byte an element"),
];

/// Storage types.
pub const STORAGE: &[Choice] = &[
    word("fp32", "4 bytes"),
    word("bf16", "2 bytes"),
    word("fp16", "2 bytes"),
    word("fp8", "1 byte"),
    word("none", "not kept"),
];

/// How the spread of chip speed shows.
pub const CHIP_SPREADS: &[Choice] = &[
    word("sampled", "each chip has a speed of its own, by the seed"),
    word(
        "slowest",
        "every chip is as slow as the slowest of all is expected to be: no draw, so that steps can be folded",
    ),
];

/// Which weights are trained.
pub const METHODS: &[Choice] = &[
    word("full", "all weights"),
    word(
        "lora",
        "low-rank adapters on the linear layers; the model's own weights are frozen",
    ),
];

/// Where adapters are.
pub const ADAPTED: &[Choice] = &[
    word("all", "every linear layer but routers"),
    word("attention", "the projections of attention"),
    word("qkv", "the projections to queries, keys and values"),
];

/// Spread of routed load.
pub const BALANCES: &[Choice] = &[
    word("forced", "exactly equal"),
    word("balanced", "uniform random choice of experts"),
    word("measured", "the spread of DeepSeek's published trace"),
    word("skewed", "a router whose balance is still being trained"),
];

/// Attention kernels.
pub const ATTENTIONS: &[Choice] = &[
    word(
        "unfused",
        "scores in memory, softmax in its own kernel (before 2022)",
    ),
    word("flash1", "FlashAttention 1 or its Triton version"),
    word("flash2", "FlashAttention 2"),
    word("flash3", "FlashAttention 3, cuDNN 9 or their like"),
];

/// Fusion of elementwise kernels.
pub const FUSIONS: &[Choice] = &[
    word("eager", "one kernel per operation"),
    word("jit", "scripted fusions of 2021"),
    word("fused", "hand-fused library kernels"),
];

/// Overlap of tensor-parallel communication.
pub const TENSOR_OVERLAPS: &[Choice] = &[
    word("none", "all of it is exposed"),
    word("backward", "backward all-gathers run under gradient GEMMs"),
    word("full", "pipelined with the GEMMs"),
];

/// MoE dispatchers.
pub const DISPATCHERS: &[Choice] = &[
    word("all-to-all", "NCCL all-to-all, one copy per expert"),
    word(
        "all-gather",
        "all tokens are gathered, results reduce-scattered",
    ),
    word(
        "deduplicated",
        "one copy per node and rank, with NVLink forwarding (DeepEP)",
    ),
];

/// How the loss keeps its logits.
pub const LOSSES: &[Choice] = &[
    word(
        "fp32",
        "copied to FP32, exponentials kept for the backward pass",
    ),
    word(
        "in-place",
        "16-bit logits turn into their gradient where they lie (Transformer Engine)",
    ),
];

/// How the gradient of a weight matrix joins the sum over micro-batches.
pub const ACCUMULATIONS: &[Choice] = &[
    word("fused", "inside the product of the weight gradient"),
    word("added", "by a kernel of its own"),
    word(
        "copied",
        "copied to the type of the sum first, then added (DeepSpeed's optimizer for BF16)",
    ),
];

/// CUDA graphs.
pub const GRAPHS: &[Choice] = &[
    word("none", "the host launches every kernel"),
    word(
        "partial",
        "attention, routers and dense feed-forward networks are captured; experts, both ends of the model and the optimizer are launched by the host",
    ),
    word("full", "captured: no host cost, no launch gaps"),
];

/// Activations.
pub const ACTIVATIONS: &[Choice] = &[
    word("gated", "two input projections (SwiGLU, GeGLU)"),
    word("plain", "one input projection (GELU)"),
];

/// Normalisations.
pub const NORMS: &[Choice] = &[
    word("rms", "RMSNorm: a scale"),
    word("layer", "LayerNorm: a scale and a bias"),
];

/// What a fault is of.
pub const FAULTY: &[Choice] = &[
    word("accelerator", "one accelerator: all its kernels"),
    word("nic", "the NIC of one accelerator, both ways"),
    word("port", "the scale-up port of one accelerator, both ways"),
    word("uplink", "the uplinks of one leaf switch"),
    word("leaf", "one leaf switch: its uplinks and the NICs on it"),
    word("pod", "the uplinks of one pod"),
    word(
        "fabric",
        "all uplinks of leaves and pods: `left` is what other jobs on the fabric leave of them",
    ),
];

/// How finely transfers on links are told apart.
pub const GRAINS: &[Choice] = &[
    word(
        "auto",
        "closed forms where nobody can be in the way, else classes of flows where sizes are equal and whole collectives where they are not",
    ),
    word("analytic", "closed forms always: no transfer slows another"),
    word("coflow", "each collective as one, all on links"),
    word(
        "class",
        "classes of flows that no link tells apart, all on links",
    ),
    word(
        "flow",
        "every flow by itself, all on links: slow, for validation",
    ),
];

/// Whether a kind of transfer shares links with other kinds.
pub const SHARINGS: &[Choice] = &[
    word("alone", "as if the other kinds sent nothing"),
    word("shared", "each gets its share of a link"),
];

/// Destinations of exports.
pub const DESTINATIONS: &[Choice] = &[
    word("china", "China with Hong Kong"),
    word("macau", "Macau"),
    word("russia", "Russia"),
    word(
        "d5",
        "another country under a United States arms embargo (country group D:5)",
    ),
    word("d1", "a country of group D:1 and neither D:5, A:5 nor A:6"),
    word("d4", "a country of group D:4 and neither D:5, A:5 nor A:6"),
    word("uae", "the United Arab Emirates"),
    word("a5", "an ally of group A:5"),
    word("a6", "an ally of group A:6"),
];

/// Rents that are looked up.
pub const MARKET: &[Choice] = &[word(
    "market",
    "the range that the catalogue has for this accelerator in economics.year",
)];

/// Who has the accelerators.
pub const BASES: &[Choice] = &[
    word("rent", "rented by the hour"),
    word("own", "bought, and written off"),
];

/// How owned hardware loses its worth.
pub const DEPRECIATIONS: &[Choice] = &[
    word(
        "straight-line",
        "the same in every hour of its lifetime, down to what it is sold for",
    ),
    word(
        "declining",
        "as fast as new hardware gets cheaper for the same performance (Epoch AI, arXiv:2405.21015)",
    ),
];

/// What lines beyond the run are about.
pub const LINE_KINDS: &[Choice] = &[
    word("research", "earlier research, experiments, ablations"),
    word("failed-runs", "runs that failed"),
    word("data", "data"),
    word("staff", "people"),
    word("post-training", "what comes after pre-training"),
    word("idle-time", "owned hardware that stands idle"),
    word("other", "anything else"),
];
