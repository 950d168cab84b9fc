//! What a phase of reinforcement learning is given.
//!
//! In: nothing. Out: plain records that the study floor fills. Never computes.

use crate::case::Precision;
use strait_units::{Bytes, Ratio, Time, Tokens};

/// How long responses are: lognormal, cut off at a maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Responses {
    /// Mean over the phase, or at its end where it grows; of what is generated, after the cut.
    pub mean: Tokens,
    /// Mean at the start of the phase, where it grows linearly over its steps.
    pub mean_at_start: Option<Tokens>,
    /// Standard deviation over the mean, before the cut; 0: all are of one length.
    pub spread: Ratio,
    /// Where generation is cut off.
    pub maximum: Tokens,
}

/// How responses are generated: layout and software of the rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RolloutEngine {
    /// Expert-parallel ranks of an instance.
    pub expert: u32,
    /// Tensor-parallel ranks of attention and of dense layers.
    pub tensor: u32,
    /// Operand types of its linear layers.
    pub precision: Precision,
    /// Bytes of an element of the KV cache.
    pub cache_element: Bytes,
    /// Share of the accelerator's memory that weights and KV cache may take.
    pub memory_share: Ratio,
    /// Most sequences at a time of a tensor-parallel group; `None`: as many as the memory holds.
    pub sequences: Option<u32>,
    /// Two half-batches take turns: one computes while the other is exchanged.
    pub overlap: bool,
    /// Tokens that are drafted ahead and checked in one iteration; 0 without speculation.
    pub drafts: u32,
    /// Share of first drafts that are accepted.
    pub acceptance: Ratio,
    /// Share of HBM bandwidth at which the attention kernel reads the KV cache.
    pub attention_bandwidth: Ratio,
    /// Share of the BF16 peak that the attention kernel reaches where it is bound by compute.
    pub attention_rate: Ratio,
    /// What an exchange of one way takes before the first byte.
    pub exchange_start: Time,
    /// Share of the NIC's rate that an exchange reaches.
    pub exchange_nic: Ratio,
    /// Share of the scale-up rate that an exchange reaches.
    pub exchange_scale_up: Ratio,
}

/// A phase of reinforcement learning: rollouts, and what is learned from each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reinforcement {
    /// Updates of the policy in the phase; rollouts, where nothing is updated.
    pub steps: u32,
    /// Questions of a rollout.
    pub questions: u32,
    /// Samples of a question: a GRPO group.
    pub samples: u32,
    /// Updates of the policy on the samples of one rollout (mini-batches).
    pub updates: u32,
    /// The policy is updated; else samples are generated only.
    pub policy: bool,
    /// Tokens of a question.
    pub prompt: Tokens,
    /// Lengths of responses.
    pub responses: Responses,
    /// Forward passes of a reference or of the old policy over all samples.
    pub reference_passes: u32,
    /// Forward passes of a reward model of the policy's size over all samples.
    pub reward_passes: u32,
    /// What rewards by rule keep everybody waiting, for each rollout.
    pub reward_time: Time,
    /// Weights reloaded and state moved between the stages of one rollout, all together.
    pub hand_over: Time,
    /// How responses are generated.
    pub engine: RolloutEngine,
}

impl Reinforcement {
    /// Samples of a rollout.
    pub fn samples_of_rollout(&self) -> f64 {
        f64::from(self.questions) * f64::from(self.samples)
    }

    /// Rollouts of the phase.
    pub fn rollouts(&self) -> f64 {
        if self.policy {
            f64::from(self.steps) / f64::from(self.updates.max(1))
        } else {
            f64::from(self.steps)
        }
    }

    /// Tokens that one iteration of decoding adds to a sequence, in expectation: its own, and
    /// drafts up to the first that is refused.
    pub fn tokens_of_iteration(&self) -> f64 {
        let mut tokens = 1.0;
        let mut accepted = 1.0;
        for _ in 0..self.engine.drafts {
            accepted *= self.engine.acceptance.get();
            tokens += accepted;
        }
        tokens
    }

    /// Mean length of a response over the whole phase.
    pub fn mean_response(&self) -> f64 {
        let end = self.responses.mean.as_f64();
        let start = self.responses.mean_at_start.map_or(end, |t| t.as_f64());
        (start + end) / 2.0
    }

    /// Mean tokens of a sample, question included, over the whole phase.
    pub fn mean_sample(&self) -> f64 {
        self.prompt.as_f64() + self.mean_response()
    }
}
