//! The one table of scenario keys: names, types, bounds, defaults and what each means.
//!
//! In: nothing. Out: static sections that drive the check of files, the reading of values,
//! `explain`, and the JSON Schema. Never reads a file. A key that is not here does not exist.

use super::amount::Dimension;
use super::words::*;

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path to a file, relative to the scenario file.
    Path,
    /// A date such as 2024-12-26, or a year, or a year and month.
    Date,
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [Choice]),
    /// A whole number within bounds; with `none`, the word "none" as well.
    Count {
        /// Smallest.
        min: u64,
        /// Largest that makes sense.
        max: u64,
        /// "none" is accepted.
        none: bool,
    },
    /// A plain number or a percentage within bounds.
    Number {
        /// Smallest.
        min: f64,
        /// Largest that makes sense.
        max: f64,
    },
    /// A string with a unit, within bounds in the base unit.
    Quantity {
        /// What it measures.
        dimension: Dimension,
        /// Smallest.
        min: f64,
        /// Largest that makes sense.
        max: f64,
    },
    /// An id of the catalogue, in this kind of entries.
    Catalogue(&'static str),
    /// A list of whole numbers.
    Counts {
        /// Largest that makes sense.
        max: u64,
    },
    /// A word of the first list, or a list of words of the second.
    WordOrList(&'static [Choice], &'static [Choice]),
    /// A table with these keys.
    Table(&'static Section),
    /// An array of tables with these keys.
    Tables(&'static Section),
    /// Scenario paths and values.
    Settings,
    /// A claim's value: its unit follows from the claim's `quantity`.
    Stated,
}

/// A word that a key accepts.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A default and its reason.
#[derive(Clone, Copy, Debug)]
pub struct Default {
    /// The value as written in a file; empty where a rule works it out from other settings.
    pub value: &'static str,
    /// The rule, in words.
    pub why: &'static str,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, for analysts.
    pub doc: &'static str,
    /// Used when it is not given.
    pub default: Option<Default>,
    /// It must be given.
    pub required: bool,
}

/// A table of keys.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What it is called in messages, such as `[cluster]`.
    pub title: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Section {
    /// The key of a name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        doc,
        default: None,
        required: false,
    }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        required: true,
        ..key(name, kind, doc)
    }
}

const fn with(
    name: &'static str,
    kind: Kind,
    value: &'static str,
    why: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        default: Some(Default { value, why }),
        ..key(name, kind, doc)
    }
}

const fn count(min: u64, max: u64) -> Kind {
    Kind::Count {
        min,
        max,
        none: false,
    }
}

const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity {
        dimension,
        min,
        max,
    }
}

/// Most ranks of any parallel axis: ten times the largest cluster announced by 2026.
pub const MAX_RANKS: u64 = 10_000_000;

/// ZeRO stages are numbers in files.
const ZERO: Kind = count(0, 3);

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
        with(
            "fabric",
            Kind::Catalogue("fabrics"),
            "",
            "the network that this accelerator usually comes with",
            "Network of the catalogue that joins the servers.",
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
    ],
};

/// `[[training.phase]]`.
pub const PHASE: Section = Section {
    title: "[[training.phase]]",
    doc: "A part of the run with a batch, a sequence length or a layout of its own.",
    keys: &[
        required("name", Kind::Text, "Name."),
        key(
            "tokens",
            quantity(Dimension::Tokens, 1.0, 1e18),
            "Tokens trained in this phase; one phase may leave it out and gets what remains of training.tokens.",
        ),
        key(
            "steps",
            count(1, 1_000_000_000),
            "Optimizer steps, instead of tokens.",
        ),
        key(
            "sequence_length",
            count(1, 1_000_000_000),
            "Tokens of a sequence, where it differs.",
        ),
        key(
            "global_batch",
            count(1, 1_000_000_000),
            "Sequences of a batch (at the end of the phase), where it differs.",
        ),
        key(
            "initial_batch",
            count(1, 1_000_000_000),
            "Sequences of a batch at the start, where it ramps linearly in tokens.",
        ),
        key(
            "ramp_tokens",
            quantity(Dimension::Tokens, 1.0, 1e18),
            "Tokens over which the batch ramps from initial_batch; the whole phase where left out.",
        ),
        with(
            "pretraining",
            Kind::Bool,
            "true",
            "a phase counts as pre-training unless it says otherwise",
            "Counts as pre-training (and not as context extension or post-training).",
        ),
        key(
            "why",
            Kind::Text,
            "Why these settings, where they are an assumption.",
        ),
        key(
            "parallelism",
            Kind::Table(&PARALLELISM),
            "Layout keys that differ in this phase.",
        ),
    ],
};

/// `[training]`.
pub const TRAINING: Section = Section {
    title: "[training]",
    doc: "What is trained for how long.",
    keys: &[
        key(
            "tokens",
            quantity(Dimension::Tokens, 1.0, 1e18),
            "Tokens of pre-training in all, such as \"14.8 T tokens\".",
        ),
        required(
            "sequence_length",
            count(1, 1_000_000_000),
            "Tokens of a sequence.",
        ),
        required(
            "global_batch",
            count(1, 1_000_000_000),
            "Sequences of a batch.",
        ),
        key(
            "phase",
            Kind::Tables(&PHASE),
            "Phases of the run in order; without any, the run is one phase.",
        ),
    ],
};

/// `[routing]`.
pub const ROUTING: Section = Section {
    title: "[routing]",
    doc: "How tokens reach experts.",
    keys: &[
        with(
            "node_limit",
            Kind::Count {
                min: 1,
                max: 100_000,
                none: true,
            },
            "",
            "the model's group limit where one routing group lies on one node, else none",
            "Nodes that a token may reach.",
        ),
        with(
            "balance",
            Kind::Choice(BALANCES),
            "balanced",
            "trained routers with a balance term come close to a uniform choice",
            "How evenly load is spread over experts.",
        ),
        with(
            "spread",
            Kind::Number {
                min: 0.0,
                max: 10.0,
            },
            "",
            "forced 0; balanced 1/sqrt(rows of a rank), the spread of a uniform random choice; measured 0.09; skewed 0.27",
            "Coefficient of variation of routed rows per rank, in one layer and micro-batch.",
        ),
        with(
            "persistence",
            Kind::Number { min: 0.0, max: 1.0 },
            "",
            "0.5 where balance is measured or skewed, else 0",
            "Share of that variance that persists over the micro-batches of a step.",
        ),
    ],
};

/// `[noise]`.
pub const NOISE: Section = Section {
    title: "[noise]",
    doc: "Random variation of kernel times.",
    keys: &[
        with(
            "jitter",
            Kind::Number { min: 0.0, max: 1.0 },
            "0.01",
            "an assumption: repeated kernels of public traces vary by about 1 %",
            "Coefficient of variation of each kernel's time.",
        ),
        with(
            "chip_spread",
            Kind::Number { min: 0.0, max: 1.0 },
            "0.02",
            "Strait calibration, 2026-11, basis visible rows: chips of one type differ by about 5 % from end to end",
            "Standard deviation of chip speed over chips.",
        ),
    ],
};

/// `[[fault]]`.
pub const FAULT: Section = Section {
    title: "[[fault]]",
    doc: "Something slow or dead during the whole step: an accelerator, a NIC, a switch. Traffic goes round what is dead where there is a way.",
    keys: &[
        required("what", Kind::Choice(FAULTY), "What is slow or dead."),
        key(
            "index",
            Kind::Count {
                min: 0,
                max: 9_999_999,
                none: false,
            },
            "Number of the accelerator (the rank on it), also for its NIC or port; or of the pod. From 0.",
        ),
        key(
            "rail",
            Kind::Count {
                min: 0,
                max: 9_999,
                none: false,
            },
            "Rail or plane of the leaf switch, from 0.",
        ),
        key(
            "leaf",
            Kind::Count {
                min: 0,
                max: 9_999_999,
                none: false,
            },
            "Leaf switch of that rail, from 0.",
        ),
        required(
            "left",
            Kind::Number { min: 0.0, max: 1.0 },
            "Share of its speed that is left, such as \"50 %\"; 0 is dead (links only).",
        ),
        key("why", Kind::Text, "Why it is assumed."),
    ],
};

/// `[engine]`.
pub const ENGINE: Section = Section {
    title: "[engine]",
    doc: "How a step is simulated.",
    keys: &[
        with(
            "network",
            Kind::Choice(GRAINS),
            "auto",
            "exact where sizes are equal, and the answer says which was used",
            "How finely transfers on links are told apart.",
        ),
        with(
            "sends",
            Kind::Choice(SHARINGS),
            "alone",
            "pipeline messages fall between the exchanges of a rank",
            "Whether pipeline messages share NICs with other traffic.",
        ),
        with(
            "gradients",
            Kind::Choice(SHARINGS),
            "alone",
            "gradients and parameters are exchanged at the ends of a step",
            "Whether data-parallel collectives share NICs with other traffic.",
        ),
    ],
};

/// `[software]`.
pub const SOFTWARE: Section = Section {
    title: "[software]",
    doc: "The generation of the training software: a dated profile of the catalogue, and changes to single facts.",
    keys: &[
        with(
            "profile",
            Kind::Catalogue("software"),
            "",
            "the generation that was current in the year after the accelerator's launch",
            "Profile of the catalogue, such as deepseek-2024.",
        ),
        key("attention", Kind::Choice(ATTENTIONS), "Attention kernel."),
        key(
            "fusion",
            Kind::Choice(FUSIONS),
            "Fusion of elementwise kernels.",
        ),
        key(
            "tensor_overlap",
            Kind::Choice(TENSOR_OVERLAPS),
            "What of tensor-parallel communication is hidden.",
        ),
        key(
            "dispatcher",
            Kind::Choice(DISPATCHERS),
            "How tokens reach their experts.",
        ),
        key(
            "expert_overlap",
            Kind::Bool,
            "Expert communication of one micro-batch runs under compute of another where the schedule pairs them.",
        ),
        key(
            "gradient_overlap",
            Kind::Bool,
            "Gradient reduction runs under the backward pass.",
        ),
        key(
            "parameter_overlap",
            Kind::Bool,
            "Parameter gathering runs under the forward pass.",
        ),
        key(
            "pipeline_overlap",
            Kind::Bool,
            "Pipeline transfers are asynchronous.",
        ),
        key(
            "cuda_graphs",
            Kind::Choice(GRAPHS),
            "CUDA graphs or their like.",
        ),
        key(
            "host_time_per_op",
            quantity(Dimension::Time, 0.0, 1.0),
            "Host time to launch one operation, such as \"9 us\".",
        ),
    ],
};

/// `[economics]`.
pub const ECONOMICS: Section = Section {
    title: "[economics]",
    doc: "Prices and power.",
    keys: &[
        with(
            "rent",
            quantity(Dimension::PricePerHour, 0.001, 10_000.0),
            "",
            "the catalogue's rent of this accelerator, else 2 USD/h, DeepSeek's own assumption",
            "Rent of one accelerator, such as \"2 USD/h\".",
        ),
        with(
            "place",
            Kind::Catalogue("economics"),
            "default",
            "a large site in the United States",
            "Place whose power and prices hold where the keys below aren't given.",
        ),
        with(
            "pue",
            Kind::Number { min: 1.0, max: 5.0 },
            "",
            "the place's",
            "Facility power over IT power.",
        ),
        with(
            "load_factor",
            Kind::Number { min: 0.0, max: 1.5 },
            "",
            "the place's",
            "Average draw over rated power while training.",
        ),
        with(
            "electricity",
            quantity(Dimension::PricePerEnergy, 0.0, 1e-4),
            "",
            "the place's",
            "Price of electricity; for information, since rent includes it.",
        ),
    ],
};

/// `[reliability]`: no settings yet, so any key is refused rather than ignored.
pub const RELIABILITY: Section = Section {
    title: "[reliability]",
    doc: "Failures and checkpoints. This version has no settings here.",
    keys: &[],
};

/// `[sweep]`: no settings yet, so any key is refused rather than ignored.
pub const SWEEP: Section = Section {
    title: "[sweep]",
    doc: "Axes of a sweep. This version has no settings here.",
    keys: &[],
};

/// `[[claim]]` and `[[expect]]`.
pub const CLAIM: Section = Section {
    title: "[[claim]]",
    doc: "A published figure that the answer is compared with. In [[expect]] a miss fails the run.",
    keys: &[
        required(
            "quantity",
            Kind::Choice(super::claim::QUANTITIES),
            "What the figure is of.",
        ),
        required(
            "value",
            Kind::Stated,
            "The figure with its unit, such as \"2.664 M GPU-hours\".",
        ),
        key(
            "within",
            Kind::Number {
                min: 0.0,
                max: 10.0,
            },
            "Tolerance as a share, such as \"5 %\".",
        ),
        key("who", Kind::Text, "Who stated it."),
        key("date", Kind::Date, "When."),
        key("source", Kind::Text, "Where it can be read."),
        key("note", Kind::Text, "What to know about it."),
    ],
};

/// `[[case]]`.
pub const CASE: Section = Section {
    title: "[[case]]",
    doc: "A named variation of the file. Without any, the file is one case.",
    keys: &[
        required("name", Kind::Text, "Name; unique in the file."),
        key("note", Kind::Text, "What to know about it."),
        key(
            "set",
            Kind::Settings,
            "Scenario paths and the values they take in this case.",
        ),
        key(
            "claim",
            Kind::Tables(&CLAIM),
            "Claims about this case, besides those of the file.",
        ),
        key(
            "expect",
            Kind::Tables(&CLAIM),
            "Expectations of this case, besides those of the file.",
        ),
    ],
};

/// The whole file.
pub const ROOT: Section = Section {
    title: "the top level",
    doc: "A scenario: what is trained on what, how, and which claims about it are to be judged.",
    keys: &[
        key("title", Kind::Text, "Title of the scenario."),
        key("question", Kind::Text, "The question it answers."),
        key("note", Kind::Text, "What to know about it."),
        key(
            "extends",
            Kind::Path,
            "A scenario file that this one changes, relative to this file.",
        ),
        with(
            "seed",
            Kind::Count {
                min: 0,
                max: 9_007_199_254_740_992,
                none: false,
            },
            "1",
            "any fixed number: the same seed gives the same bytes",
            "Seed of everything random.",
        ),
        key("model", Kind::Table(&MODEL), MODEL.doc),
        key("cluster", Kind::Table(&CLUSTER), CLUSTER.doc),
        key("parallelism", Kind::Table(&PARALLELISM), PARALLELISM.doc),
        key("precision", Kind::Table(&PRECISION), PRECISION.doc),
        key("training", Kind::Table(&TRAINING), TRAINING.doc),
        key("routing", Kind::Table(&ROUTING), ROUTING.doc),
        key("noise", Kind::Table(&NOISE), NOISE.doc),
        key("software", Kind::Table(&SOFTWARE), SOFTWARE.doc),
        key("fault", Kind::Tables(&FAULT), FAULT.doc),
        key("engine", Kind::Table(&ENGINE), ENGINE.doc),
        key("economics", Kind::Table(&ECONOMICS), ECONOMICS.doc),
        key("reliability", Kind::Table(&RELIABILITY), RELIABILITY.doc),
        key("sweep", Kind::Table(&SWEEP), SWEEP.doc),
        key("case", Kind::Tables(&CASE), CASE.doc),
        key("claim", Kind::Tables(&CLAIM), CLAIM.doc),
        key(
            "expect",
            Kind::Tables(&CLAIM),
            "Like claims, but a miss beyond `within` fails the run.",
        ),
    ],
};
