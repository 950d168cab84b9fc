//! Keys of the training, its conditions, and what it costs.
//!
//! In: nothing. Out: sections of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::super::words::*;
use super::{Kind, PARALLELISM, REINFORCEMENT, Section, count, key, quantity, required, with};

/// `[[training.phase]]`.
pub const PHASE: Section = Section {
    title: "[[training.phase]]",
    doc: "A part of the run with a batch, a sequence length or a layout of its own.",
    keys: &[
        required("name", Kind::Text, "Name."),
        with(
            "kind",
            Kind::Choice(PHASE_KINDS),
            "training",
            "most phases train on given tokens",
            "What the steps of the phase are.",
        ),
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
        key(
            "reinforcement",
            Kind::Table(&REINFORCEMENT),
            REINFORCEMENT.doc,
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
        with(
            "method",
            Kind::Choice(METHODS),
            "full",
            "pre-training trains all weights",
            "Which weights are trained.",
        ),
        with(
            "lora_rank",
            count(1, 100_000),
            "16",
            "between the 8 and 32 of common recipes; read where method is lora",
            "Inner width of the adapters.",
        ),
        with(
            "lora_layers",
            Kind::Choice(ADAPTED),
            "all",
            "the default of Megatron-Bridge; its performance recipes have qkv; read where method is lora",
            "Linear layers that have adapters.",
        ),
        key(
            "document_length",
            count(1, 1_000_000_000),
            "Tokens of the documents that are packed into a sequence, where they don't see each other (fine-tuning); else every token sees all before it.",
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
        with(
            "chips",
            Kind::Choice(CHIP_SPREADS),
            "sampled",
            "a run has chips of its own",
            "How the spread of chip speed shows.",
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
            "gradient_accumulation",
            Kind::Choice(ACCUMULATIONS),
            "How the gradient of a weight matrix joins the sum over micro-batches.",
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
            "pipeline_scatter",
            Kind::Bool,
            "A pipeline message is divided among tensor ranks, each of which sends its part; else every one sends all of it.",
        ),
        key(
            "router_fusion",
            Kind::Bool,
            "Router, token counts and row maps run in a few fused kernels.",
        ),
        key(
            "loss",
            Kind::Choice(LOSSES),
            "How the loss keeps its logits: a matter of memory.",
        ),
        key(
            "gradient_placeholders",
            Kind::Bool,
            "The library keeps a 16-bit tensor of the shape of each weight matrix, handed out as its gradient (Transformer Engine since 2.3): a matter of memory.",
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
