//! Keys of what is trained on what, and how it is laid out.
//!
//! In: nothing. Out: sections of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::super::words::*;
use super::{Kind, MAX_RANKS, Section, ZERO, count, key, quantity, required, with};

/// `[model]`.
pub const MODEL: Section = Section {
    title: "[model]",
    doc: "What is trained: a catalogue entry, a Hugging Face config.json, or explicit \
          dimensions. Explicit keys also change single dimensions of a preset.",
    keys: &[
        key(
            "preset",
            Kind::Catalogue("models"),
            "Model of the catalogue, such as deepseek-v3.",
        ),
        key(
            "hf_config",
            Kind::Path,
            "Path of a Hugging Face config.json, relative to this file.",
        ),
        key("name", Kind::Text, "Name for people."),
        key(
            "layers",
            count(1, 10_000),
            "Transformer layers, without multi-token prediction.",
        ),
        key("hidden", count(1, 10_000_000), "Hidden width."),
        key(
            "ffn",
            count(1, 100_000_000),
            "Inner width of a dense feed-forward network.",
        ),
        key(
            "vocabulary",
            count(1, 100_000_000),
            "Rows of the embedding.",
        ),
        key("heads", count(1, 100_000), "Attention heads."),
        key(
            "kv_heads",
            count(1, 100_000),
            "Key/value heads; equal to heads unless grouped.",
        ),
        key(
            "head_dim",
            count(1, 100_000),
            "Width of a head; hidden / heads unless given.",
        ),
        key(
            "q_rank",
            Kind::Count {
                min: 1,
                max: 1_000_000,
                none: true,
            },
            "Latent attention: width of the compressed query.",
        ),
        key(
            "kv_rank",
            count(1, 1_000_000),
            "Latent attention: width of the compressed keys and values; giving it selects latent attention.",
        ),
        key(
            "qk_nope_dim",
            count(1, 100_000),
            "Latent attention: part of a head without rotary position.",
        ),
        key(
            "qk_rope_dim",
            count(1, 100_000),
            "Latent attention: rotary part of a head.",
        ),
        key(
            "v_dim",
            count(1, 100_000),
            "Latent attention: width of a value head.",
        ),
        key(
            "experts",
            Kind::Count {
                min: 1,
                max: 1_000_000,
                none: true,
            },
            "Routed experts of a layer; giving it makes the model a mixture of experts.",
        ),
        key(
            "top_k",
            count(1, 100_000),
            "Experts that each token is sent to.",
        ),
        key(
            "expert_ffn",
            count(1, 100_000_000),
            "Inner width of a routed expert.",
        ),
        key(
            "shared_ffn",
            count(0, 100_000_000),
            "Total inner width of the shared experts; 0 for none.",
        ),
        key(
            "first_dense",
            count(0, 10_000),
            "Leading layers that are dense.",
        ),
        key(
            "moe_every",
            count(1, 10_000),
            "Every how many layers one is a mixture of experts.",
        ),
        key(
            "expert_groups",
            count(1, 100_000),
            "Routing groups; 1 where routing is not grouped.",
        ),
        key(
            "group_limit",
            count(1, 100_000),
            "Routing groups that a token may reach.",
        ),
        key(
            "activation",
            Kind::Choice(ACTIVATIONS),
            "Activation of the feed-forward network.",
        ),
        key(
            "norm",
            Kind::Choice(NORMS),
            "Normalisation of each sub-layer.",
        ),
        key("biases", Kind::Bool, "Linear layers have biases."),
        key(
            "qkv_biases",
            Kind::Bool,
            "Query, key and value projections alone have biases.",
        ),
        key(
            "qk_norm",
            Kind::Bool,
            "Queries and keys are normalised per head.",
        ),
        key(
            "tied",
            Kind::Bool,
            "Embedding and output head share weights.",
        ),
        key(
            "learned_positions",
            count(0, 100_000_000),
            "Learned position embeddings; 0 where positions are rotary.",
        ),
        key("mtp", count(0, 100), "Multi-token-prediction modules."),
    ],
};

/// `[cluster]`.
pub const CLUSTER: Section = Section {
    title: "[cluster]",
    doc: "What it is trained on: entries of the catalogue, how many, and changes to single figures.",
    keys: &[
        required(
            "accelerator",
            Kind::Catalogue("accelerators"),
            "Accelerator of the catalogue, such as h800-sxm.",
        ),
        key(
            "available_under",
            Kind::Rule,
            "The export rules under which the accelerator must be for sale: a day such as \"2022-10-07\", or the id of a rule set (`strait rules timeline`). A forbidden accelerator is an error. Changes to its figures count.",
        ),
        key(
            "bought",
            Kind::Date,
            "When the accelerators were bought, such as \"2022-09\": they must have been for sale then, whatever holds later. Rules stop transfers, not the use of stock.",
        ),
        with(
            "destination",
            Kind::Choice(DESTINATIONS),
            "china",
            "the destination that the rules are about",
            "Where the cluster stands, for available_under and bought.",
        ),
        with(
            "node",
            Kind::Catalogue("nodes"),
            "",
            "the server that this accelerator is sold in",
            "Server of the catalogue, such as hgx-h800.",
        ),
        key(
            "nodes",
            count(1, MAX_RANKS),
            "Number of servers; or give gpus.",
        ),
        key(
            "gpus",
            count(1, MAX_RANKS),
            "Number of accelerators; or give nodes. A multiple of the server's.",
        ),
        key(
            "per_node",
            count(1, MAX_RANKS),
            "Accelerators of a server that are used, where not all are: 4 of 8, or 64 of an NVL72 rack's 72.",
        ),
        with(
            "fabric",
            Kind::Catalogue("fabrics"),
            "",
            "the network that this accelerator usually comes with",
            "Network of the catalogue that joins the servers.",
        ),
        with(
            "kernels",
            Kind::Path,
            "",
            "the kernel calibration of the accelerator's architecture",
            "Kernel calibration: an id of the catalogue such as hopper, or the path of a TOML file as `strait calibrate` writes it, relative to this file and ending in .toml.",
        ),
        with(
            "links",
            Kind::Path,
            "",
            "the link calibration of the accelerator's generation",
            "Link calibration: an id of the catalogue, or the path of a TOML file, likewise.",
        ),
        key(
            "nvlink_bandwidth",
            quantity(Dimension::Bandwidth, 1e6, 1e14),
            "Scale-up bandwidth of one accelerator as datasheets print it, both directions together, such as \"400 GB/s\" for H800; add \"one-way\" to give one direction.",
        ),
        key(
            "nic_bandwidth",
            quantity(Dimension::Bandwidth, 1e6, 1e13),
            "Network bandwidth of one accelerator in one direction, such as \"400 Gb/s\".",
        ),
        key(
            "host_bandwidth",
            quantity(Dimension::Bandwidth, 1e6, 1e14),
            "Link of one accelerator to its host in one direction, such as \"64 GB/s\" for PCIe 5; copies reach a share of it.",
        ),
        key(
            "memory",
            quantity(Dimension::Bytes, 1e8, 1e14),
            "Memory of one accelerator.",
        ),
        key(
            "memory_bandwidth",
            quantity(Dimension::Bandwidth, 1e9, 1e15),
            "Memory bandwidth of one accelerator.",
        ),
        key(
            "tdp",
            quantity(Dimension::Power, 1.0, 1e5),
            "Rated power of one accelerator.",
        ),
        key(
            "compute_units",
            count(1, 100_000),
            "Streaming multiprocessors or their like.",
        ),
        key(
            "peak_fp16",
            quantity(Dimension::FlopRate, 1e9, 1e18),
            "Dense FP16 peak.",
        ),
        key(
            "peak_bf16",
            quantity(Dimension::FlopRate, 1e9, 1e18),
            "Dense BF16 peak.",
        ),
        key(
            "peak_fp8",
            quantity(Dimension::FlopRate, 1e9, 1e18),
            "Dense FP8 peak.",
        ),
        key(
            "peak_fp4",
            quantity(Dimension::FlopRate, 1e9, 1e18),
            "Dense FP4 peak.",
        ),
        key(
            "oversubscription",
            Kind::Number {
                min: 1.0,
                max: 1000.0,
            },
            "Downlink to uplink ratio of the first switch layer; 1 for none.",
        ),
    ],
};

/// `[parallelism]`.
pub const PARALLELISM: Section = Section {
    title: "[parallelism]",
    doc: "How the model is laid out over the accelerators. Their number is \
          tensor x pipeline x context x data.",
    keys: &[
        with(
            "tensor",
            count(1, MAX_RANKS),
            "1",
            "no tensor parallelism unless asked for",
            "Tensor-parallel ranks.",
        ),
        with(
            "sequence",
            Kind::Bool,
            "",
            "on wherever there is tensor parallelism, as usual since 2022",
            "Sequence parallelism beside tensor parallelism.",
        ),
        with(
            "pipeline",
            count(1, MAX_RANKS),
            "1",
            "no pipeline unless asked for",
            "Pipeline ranks.",
        ),
        with(
            "virtual_stages",
            count(1, 10_000),
            "1",
            "no interleaving unless asked for",
            "Model chunks on each pipeline rank (interleaving); 1 with DualPipe, which holds two by itself.",
        ),
        with(
            "context",
            count(1, MAX_RANKS),
            "1",
            "no context parallelism unless asked for",
            "Context-parallel ranks.",
        ),
        with(
            "expert",
            count(1, MAX_RANKS),
            "1",
            "every rank holds all experts unless asked otherwise",
            "Expert-parallel ranks, within tensor x context x data.",
        ),
        with(
            "expert_tensor",
            count(1, MAX_RANKS),
            "1",
            "experts are not split unless asked for",
            "Tensor-parallel ranks inside an expert.",
        ),
        key(
            "data",
            count(1, MAX_RANKS),
            "Data-parallel ranks: what the other axes leave. Given, it is checked.",
        ),
        with(
            "zero",
            ZERO,
            "1",
            "a distributed optimizer is usual",
            "What is sharded over data-parallel ranks: 0 nothing, 1 optimizer, 2 and gradients, 3 and parameters (FSDP).",
        ),
        with(
            "zero_group",
            Kind::Count {
                min: 1,
                max: MAX_RANKS,
                none: true,
            },
            "none",
            "sharded over all data-parallel ranks",
            "Ranks over which ZeRO shards (hybrid sharding).",
        ),
        with(
            "schedule",
            Kind::Choice(SCHEDULES),
            "1f1b",
            "the commonest pipeline schedule",
            "Pipeline schedule.",
        ),
        with(
            "micro_batch",
            count(1, 1_000_000),
            "1",
            "one sequence, the least memory",
            "Sequences in a micro-batch.",
        ),
        with(
            "recompute",
            Kind::WordOrList(RECOMPUTE, RECOMPUTE_PARTS),
            "none",
            "nothing is recomputed unless asked for",
            "Activations that are recomputed in the backward pass.",
        ),
        with(
            "recompute_layers",
            Kind::Count {
                min: 0,
                max: 10_000,
                none: true,
            },
            "none",
            "all layers of a stage",
            "Of the layers of a stage, how many are recomputed.",
        ),
        with(
            "offload_layers",
            count(0, 10_000),
            "0",
            "activations stay on the accelerator",
            "Of the layers of a stage, of how many the kept activations go to host memory and come back for the backward pass.",
        ),
        key(
            "stage_layers",
            Kind::Counts { max: 10_000 },
            "Layers of each model stage in order; spread evenly by a rule where not given.",
        ),
        with(
            "communication_units",
            count(0, 100_000),
            "",
            "20 with expert parallelism, as DeepSeek's report states for H800; 0 without",
            "Compute units that expert communication kernels take while they run.",
        ),
        key(
            "why",
            Kind::Text,
            "Why this layout, where it is an assumption.",
        ),
    ],
};

/// `[precision]`.
pub const PRECISION: Section = Section {
    title: "[precision]",
    doc: "Operand types, and the types of what is kept.",
    keys: &[
        with(
            "recipe",
            Kind::Choice(RECIPES),
            "bf16",
            "the commonest recipe",
            "Precision recipe.",
        ),
        with(
            "weight",
            Kind::Choice(STORAGE),
            "",
            "2 bytes: BF16 or FP16, or under FP8 the FP8 weight and its transposed copy",
            "Weights as used in compute.",
        ),
        with(
            "gradient",
            Kind::Choice(STORAGE),
            "fp32",
            "gradients are accumulated in FP32 by default in Megatron and by DeepSeek",
            "Gradients as accumulated and reduced.",
        ),
        with(
            "master",
            Kind::Choice(STORAGE),
            "fp32",
            "master weights are FP32 in all common recipes",
            "Master weights.",
        ),
        with(
            "moments",
            Kind::Choice(STORAGE),
            "",
            "BF16 in DeepSeek's fine-grained FP8 recipe, else FP32",
            "Each of the optimizer's two moments.",
        ),
        with(
            "bf16_layers",
            count(0, 10_000),
            "0",
            "all layers use the recipe",
            "Layers at the end of the model whose linear layers stay in BF16, as NVFP4 recipes often keep some.",
        ),
    ],
};
