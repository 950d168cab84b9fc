//! Keys of failures, checkpoints and what else interrupts a run.
//!
//! In: nothing. Out: a section of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::{Choice, Kind, MAX_RANKS, Section, count, key, quantity, with};

/// Longest time of one thing that happens to a run: a hundred days.
const LONGEST: f64 = 8_640_000.0;

/// Most failures of a node a day: one every two and a half hours.
const MOST: f64 = 10.0;

/// `[reliability]`.
pub const RELIABILITY: Section = Section {
    title: "[reliability]",
    doc: "Failures, checkpoints and what else interrupts a run. Without this section nothing does; an empty one takes the default profile.",
    keys: &[
        with(
            "profile",
            Kind::Catalogue("reliability"),
            "llama3-h100",
            "the largest published run that says how often each cause interrupted it",
            "Published failure rates by cause, and all of the times below.",
        ),
        with(
            "failures",
            quantity(Dimension::FailureRate, 0.0, MOST),
            "",
            "the profile's",
            "Unexpected interruptions of the job for each of its nodes, such as \"3.8 per 1000 node-days\"; 0 is none. Causes keep their shares.",
        ),
        with(
            "planned",
            quantity(Dimension::FailureRate, 0.0, MOST),
            "",
            "the profile's",
            "Planned interruptions (maintenance, changed settings), counted in the same way. The run is saved before.",
        ),
        with(
            "detection",
            quantity(Dimension::Time, 0.0, LONGEST),
            "",
            "the profile's",
            "Until an explicit failure is noticed and located.",
        ),
        with(
            "hang_detection",
            quantity(Dimension::Time, 0.0, LONGEST),
            "",
            "the profile's",
            "The same where nothing reports an error and all wait for a timeout.",
        ),
        with(
            "restart",
            quantity(Dimension::Time, 0.0, LONGEST),
            "",
            "the profile's",
            "From there until training goes on; reading the checkpoint comes on top.",
        ),
        with(
            "repair",
            quantity(Dimension::Time, 0.0, LONGEST),
            "",
            "the profile's",
            "Until a node that was taken out is back.",
        ),
        with(
            "spares",
            count(0, MAX_RANKS),
            "",
            "the mean number of nodes in repair or slow and three standard deviations more, at most as many as nodes",
            "Nodes that stand by, beside those of cluster.nodes. The run waits where none is left. They are not in its GPU-hours.",
        ),
        with(
            "checkpoint_interval",
            Kind::WordOrQuantity {
                words: &[Choice {
                    name: "optimal",
                    doc: "the interval for which the mean run is shortest",
                }],
                dimension: Dimension::Time,
                min: 1e-3,
                max: LONGEST,
            },
            "optimal",
            "the interval for which the mean run is shortest",
            "Training between two checkpoints: a time, or \"optimal\". At least a step, and at least the time to write one.",
        ),
        with(
            "checkpoint_mode",
            Kind::Choice(&[
                Choice {
                    name: "sync",
                    doc: "training stops until storage has all of it",
                },
                Choice {
                    name: "async",
                    doc: "training stops until host memory has a copy, which is safe only when storage has it",
                },
            ]),
            "sync",
            "the plain way, which takes longest",
            "Whether training stops for a checkpoint.",
        ),
        with(
            "bytes_per_parameter",
            Kind::Number {
                min: 0.01,
                max: 100.0,
            },
            "",
            "the profile's",
            "Size of a checkpoint over the parameters of the model: weights, master weights and two moments.",
        ),
        with(
            "storage_bandwidth",
            quantity(Dimension::Bandwidth, 1.0, 1e16),
            "",
            "the profile's",
            "Rate at which storage takes and gives checkpoints, all nodes together.",
        ),
        with(
            "node_storage_bandwidth",
            quantity(Dimension::Bandwidth, 1.0, 1e13),
            "",
            "the profile's",
            "The same for one node; the lower of both counts.",
        ),
        with(
            "snapshot_bandwidth",
            quantity(Dimension::Bandwidth, 1.0, 1e13),
            "",
            "the profile's",
            "Rate at which one accelerator copies to host memory (async).",
        ),
        key(
            "evaluation_tokens",
            quantity(Dimension::Tokens, 1.0, 1e18),
            "Evaluate after so many tokens, on the training cluster.",
        ),
        key(
            "evaluation_steps",
            count(1, 1_000_000_000),
            "Evaluate after so many optimizer steps, on the training cluster.",
        ),
        with(
            "evaluation_time",
            quantity(Dimension::Time, 0.0, LONGEST),
            "10 min",
            "an assumption; it is used only where evaluation_tokens or evaluation_steps says how often",
            "How long training pauses for one.",
        ),
        with(
            "rollbacks",
            Kind::Number { min: 0.0, max: 1e6 },
            "0",
            "none: whether the loss spikes is a matter of the recipe",
            "Mean number of returns to an earlier checkpoint after a spike of the loss, in 10^12 tokens.",
        ),
        with(
            "rollback_tokens",
            quantity(Dimension::Tokens, 0.0, 1e18),
            "500 M tokens",
            "some hundred steps of some million tokens, as in PaLM (arXiv:2204.02311, section 5.1)",
            "Tokens that each of them throws away.",
        ),
        with(
            "stragglers",
            Kind::Number { min: 0.0, max: 1.0 },
            "",
            "the profile's",
            "Share of machines that are slow when they come into the job.",
        ),
        with(
            "straggler_slowdown",
            Kind::Number {
                min: 0.0,
                max: 100.0,
            },
            "",
            "the profile's",
            "What a slow machine adds to every step, as a share of it.",
        ),
        with(
            "straggler_time",
            quantity(Dimension::Time, 0.0, LONGEST),
            "",
            "the profile's",
            "Until a slow machine is found and taken out.",
        ),
    ],
};
