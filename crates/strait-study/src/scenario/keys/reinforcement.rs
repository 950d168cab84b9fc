//! Keys of a phase of reinforcement learning.
//!
//! In: nothing. Out: a section of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::super::words::*;
use super::{Kind, MAX_RANKS, Section, count, key, quantity, required, with};

/// A share of a rate.
const SHARE: Kind = Kind::Number {
    min: 0.01,
    max: 1.0,
};

/// The catalogue's entry of rollouts, in the words of a default.
const FACT: &str = "catalogue rollout/default";

/// `[training.phase.reinforcement]`.
pub const REINFORCEMENT: Section = Section {
    title: "[training.phase.reinforcement]",
    doc: "Rollouts of a phase of reinforcement learning, and what is learned from them. The phase's `steps` are updates of the policy.",
    keys: &[
        required(
            "questions",
            count(1, 1_000_000_000),
            "Unique questions of a rollout.",
        ),
        required(
            "samples",
            count(1, 1_000_000),
            "Responses to each question: the size of a GRPO group.",
        ),
        with(
            "updates",
            count(1, 1_000_000),
            "1",
            "strictly on-policy",
            "Updates of the policy on the samples of one rollout (mini-batches); a rollout comes every so many steps.",
        ),
        with(
            "policy",
            Kind::Bool,
            "true",
            "reinforcement learning updates its policy",
            "The policy is updated; with false samples are generated only (data for fine-tuning), and each step is a rollout.",
        ),
        required(
            "prompt",
            count(1, 100_000_000),
            "Tokens of a question, on average.",
        ),
        required(
            "response",
            count(1, 100_000_000),
            "Tokens of a response, on average over the phase, or at its end where it grows; after the cut at response_maximum.",
        ),
        key(
            "response_at_start",
            count(1, 100_000_000),
            "Tokens of a response, on average at the start of the phase, where they grow linearly over its steps.",
        ),
        with(
            "response_spread",
            Kind::Number { min: 0.0, max: 5.0 },
            "1",
            "an assumption: lengths of reasoning have a long tail",
            "Standard deviation of response lengths over their mean, before the cut: they are lognormal; 0 makes all equal.",
        ),
        required(
            "response_maximum",
            count(1, 100_000_000),
            "Tokens at which generation is cut off.",
        ),
        with(
            "reference_passes",
            count(0, 100),
            "1",
            "GRPO compares the policy with a reference",
            "Forward passes over all samples for a reference policy; one more where the old policy's probabilities are computed anew.",
        ),
        with(
            "reward_passes",
            count(0, 100),
            "0",
            "rewards are given by rules",
            "Forward passes over all samples of a reward model of the policy's size.",
        ),
        with(
            "reward_time",
            quantity(Dimension::Time, 0.0, 1e6),
            "",
            "none: rules are checked on hosts while other samples are generated",
            "What rewards by rule keep everybody waiting, for each rollout, such as \"30 s\".",
        ),
        with(
            "hand_over",
            quantity(Dimension::Time, 0.0, 1e6),
            "",
            "60 s, an assumption: the weights of rollout, reference and policy are loaded in turn",
            "Time between the stages of one rollout, all together: weights reloaded, state moved.",
        ),
        with(
            "rollout_expert",
            count(1, MAX_RANKS),
            "",
            "as parallelism.expert",
            "Expert-parallel ranks of an instance of the rollout.",
        ),
        with(
            "rollout_tensor",
            count(1, MAX_RANKS),
            "",
            "1 where there are experts (attention is data-parallel), else as parallelism.tensor",
            "Tensor-parallel ranks of attention and dense layers in the rollout.",
        ),
        with(
            "rollout_precision",
            Kind::Choice(RECIPES),
            "",
            "as precision.recipe",
            "Operand types of the rollout's linear layers.",
        ),
        with(
            "cache",
            Kind::Choice(CACHES),
            "bf16",
            "the usual type",
            "Type of the KV cache.",
        ),
        with(
            "memory_share",
            SHARE,
            "",
            FACT,
            "Share of the memory that the rollout's weights and KV cache may take.",
        ),
        with(
            "sequences",
            Kind::Count {
                min: 1,
                max: 1_000_000,
                none: true,
            },
            "none",
            "memory is the limit",
            "Most sequences at a time of one tensor-parallel group.",
        ),
        with(
            "overlap",
            Kind::Bool,
            "false",
            "the simplest software",
            "Two half-batches take turns in decoding: one computes while the other's tokens travel to experts and back.",
        ),
        with(
            "drafts",
            count(0, 16),
            "0",
            "no speculation",
            "Tokens drafted ahead by the model's multi-token-prediction module and checked in one iteration.",
        ),
        with(
            "acceptance",
            Kind::Number { min: 0.0, max: 1.0 },
            "",
            FACT,
            "Share of first drafts that are accepted; of second ones its square, and so on.",
        ),
        with(
            "attention_bandwidth",
            SHARE,
            "",
            FACT,
            "Share of HBM bandwidth at which decode attention reads the KV cache.",
        ),
        with(
            "attention_rate",
            SHARE,
            "",
            FACT,
            "Share of the BF16 peak that decode attention reaches where compute binds it.",
        ),
        with(
            "exchange_start",
            quantity(Dimension::Time, 0.0, 1.0),
            "",
            FACT,
            "What one way of an expert exchange takes before the first byte, in decoding.",
        ),
        with(
            "exchange_nic",
            SHARE,
            "",
            FACT,
            "Share of the NIC's rate that expert exchanges reach in decoding.",
        ),
        with(
            "exchange_scale_up",
            SHARE,
            "",
            FACT,
            "Share of the scale-up rate that expert exchanges reach in decoding.",
        ),
        key(
            "why",
            Kind::Text,
            "Why these settings, where they are an assumption.",
        ),
    ],
};
