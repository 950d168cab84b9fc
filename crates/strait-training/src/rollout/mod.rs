//! Reinforcement learning: a phase whose steps are rollouts and what is learned from them.
//!
//! In: a case, and a phase with [`Reinforcement`] settings. Out: how long the phase takes, by [`Stage`].
//! Never draws responses at random, and never prices anything.
//!
//! One rollout is a batch of questions, each answered several times (a GRPO group). The stages follow
//! each other on all accelerators; nothing overlaps and no stage works on stale weights:
//!
//! | stage | what it takes |
//! |---|---|
//! | prompts | a forward pass over each question, once for its group |
//! | rollout | decoding, while at least a tenth of the first batch is at work |
//! | rollout tail | decoding, until the longest response is done |
//! | reward | rules on the host, or forward passes of a reward model |
//! | reference | forward passes of a reference policy |
//! | policy | the steps of training, as everywhere |
//! | hand-over | weights reloaded between stages |
//!
//! | room | what |
//! |---|---|
//! | [`settings`] | what is given |
//! | `length` | the distribution of lengths |
//! | `engine` | one iteration of decoding; memory |
//! | `batch` | a rollout, integrated over lengths |
//! | `forward` | passes without a backward one |

mod batch;
mod engine;
mod forward;
mod length;
pub mod settings;
#[cfg(test)]
mod tests;

pub use settings::{Reinforcement, Responses, RolloutEngine};

use crate::case::{Case, Phase};
use crate::simulate::{Control, SimulateError};
use crate::step::{StepInput, step};
use batch::{Generation, generate, worst_cache};
use engine::{Decode, invalid};
use forward::Forward;
use length::Lengths;
use std::borrow::Cow;
use strait_units::{Bytes, Days, Ratio, Time, Tokens};

/// Part of a rollout and of what is learned from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Questions pass through the model.
    Prompts,
    /// Responses are generated.
    Rollout,
    /// The last, longest responses are.
    RolloutTail,
    /// Responses are judged.
    Reward,
    /// The reference policy passes over all samples.
    Reference,
    /// The policy is updated.
    Policy,
    /// Weights move between stages.
    HandOver,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Stage; 7] = [
        Stage::Prompts,
        Stage::Rollout,
        Stage::RolloutTail,
        Stage::Reward,
        Stage::Reference,
        Stage::Policy,
        Stage::HandOver,
    ];

    /// Key in answers.
    pub fn id(self) -> &'static str {
        match self {
            Stage::Prompts => "prompts",
            Stage::Rollout => "rollout",
            Stage::RolloutTail => "rollout_tail",
            Stage::Reward => "reward",
            Stage::Reference => "reference",
            Stage::Policy => "policy",
            Stage::HandOver => "hand_over",
        }
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Prompts => "prompts",
            Stage::Rollout => "rollout",
            Stage::RolloutTail => "rollout tail",
            Stage::Reward => "reward",
            Stage::Reference => "reference",
            Stage::Policy => "policy",
            Stage::HandOver => "hand-over",
        }
    }
}

/// A stage with its time over the whole phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageOutcome {
    /// Which.
    pub stage: Stage,
    /// Time of all its turns.
    pub time: Days,
}

/// What the rollouts of a phase came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolloutOutcome {
    /// Steps of the phase: updates, or rollouts where nothing is updated.
    pub steps: f64,
    /// Rollouts of the phase.
    pub rollouts: f64,
    /// Tokens generated.
    pub generated: Tokens,
    /// Stages in order; their times sum to the time of the phase.
    pub stages: Vec<StageOutcome>,
    /// Sequences that one tensor-parallel group works on at a time, where they are most.
    pub sequences: f64,
    /// Weights of the rollout on a rank.
    pub weights: Bytes,
    /// Memory left on a rank for the KV cache.
    pub cache: Bytes,
}

impl RolloutOutcome {
    /// Steps of the phase, and its seconds: the sum of its stages.
    pub(crate) fn steps_and_seconds(&self) -> (f64, f64) {
        let days: f64 = self.stages.iter().map(|s| s.time.get()).sum();
        (self.steps, days * 86_400.0)
    }
}

/// Whether steps of a phase update weights: all do but rollouts for their own sake.
pub(crate) fn updates(phase: &Phase) -> bool {
    phase.reinforcement.as_ref().is_none_or(|rl| rl.policy)
}

/// What is dear to find of a phase: decoding, forward passes, updates of the policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rates {
    engine: RolloutEngine,
    decode: Decode,
    forward: Forward,
    /// An update, where there are any.
    policy: Option<Policy>,
}

/// Seconds of an update: linear in its sequences, and in what a token sees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Policy {
    sequences: f64,
    seen: f64,
    seconds: f64,
    of_sequence: f64,
    /// Seconds for a sequence and a token more that its tokens see.
    of_seen: f64,
}

impl Policy {
    fn update(&self, sequences: f64, seen: f64) -> f64 {
        let slope = self.of_sequence * (sequences - self.sequences);
        let longer = self.of_seen * sequences * (seen - self.seen);
        // Far below what was simulated a step still has its ends.
        (self.seconds + slope + longer).max(0.1 * self.seconds)
    }
}

/// Mean of the lengths of samples, weighed by their tokens: what a token's sequence is long.
fn weighed(prompt: f64, lengths: &Lengths) -> f64 {
    let mean = prompt + lengths.mean();
    let square = prompt * prompt + 2.0 * prompt * lengths.mean() + lengths.mean_square();
    square / mean.max(1.0)
}

fn lengths(rl: &Reinforcement, mean: f64) -> Lengths {
    Lengths::new(
        mean,
        rl.responses.spread.get(),
        rl.responses.maximum.as_f64(),
    )
}

/// What a token of an update sees on average, in tokens: its sample up to itself, twice; `None` in phases
/// that train on given tokens.
pub fn seen(phase: &Phase) -> Option<u32> {
    let rl = phase.reinforcement.as_ref()?;
    let lengths = lengths(rl, rl.mean_response());
    Some(
        weighed(rl.prompt.as_f64(), &lengths)
            .round()
            .clamp(1.0, 1e9) as u32,
    )
}

/// One iteration of decoding: every tensor-parallel group has `sequences` sequences of `context` tokens
/// each, questions included. Fewer than one sequence count as one.
///
/// # Errors
/// A layout that does not fit the cluster or the model, or weights that do not fit the memory.
pub fn iteration(
    case: &Case,
    engine: &RolloutEngine,
    sequences: f64,
    context: Tokens,
) -> Result<Time, SimulateError> {
    let decode = Decode::new(case, engine)?;
    let tokens = sequences * context.as_f64();
    Ok(Time::from_seconds(decode.iteration(sequences, tokens)))
}

/// Dispatch and combine of `tokens` tokens of each rank, in decoding.
///
/// # Errors
/// As [`iteration`]; nothing is exchanged in a model without experts.
pub fn exchange(
    case: &Case,
    engine: &RolloutEngine,
    tokens: Tokens,
) -> Result<[Time; 2], SimulateError> {
    engine::exchange(case, engine, tokens.as_f64()).map(|both| both.map(Time::from_seconds))
}

/// A forward pass, as time of one rank for a token of a sequence of `length` tokens.
///
/// # Errors
/// As [`iteration`].
pub fn forward(case: &Case, engine: &RolloutEngine, length: Tokens) -> Result<Time, SimulateError> {
    let passes = Forward::new(case, engine, length.as_f64())?;
    Ok(Time::from_seconds(passes.token(length.as_f64())))
}

/// Weights of a rank in rollouts, its memory left for the KV cache, and what a token takes of that.
///
/// # Errors
/// As [`iteration`].
pub fn memory(case: &Case, engine: &RolloutEngine) -> Result<[Bytes; 3], SimulateError> {
    let decode = Decode::new(case, engine)?;
    let token = decode.cache_of(1.0);
    Ok([decode.weights, decode.room, token].map(Bytes::from_f64))
}

/// Sequences of an update's batch, packed full, as a real number.
pub fn packed_sequences(rl: &Reinforcement, sequence_length: u32) -> f64 {
    let samples = rl.samples_of_rollout() / f64::from(rl.updates.max(1));
    samples * rl.mean_sample() / f64::from(sequence_length.max(1))
}

/// The case as an update of the policy sees it: samples are packed into sequences and do not see each
/// other. Other phases see the case as it is.
pub(crate) fn for_update<'a>(case: &'a Case, phase: &Phase) -> Cow<'a, Case> {
    match &phase.reinforcement {
        None => Cow::Borrowed(case),
        Some(rl) => seeing(
            case,
            weighed(rl.prompt.as_f64(), &lengths(rl, rl.mean_response())),
        ),
    }
}

fn seeing(case: &Case, tokens: f64) -> Cow<'_, Case> {
    let mut case = case.clone();
    case.training.document = Some(tokens.round().clamp(1.0, 1e9) as u32);
    Cow::Owned(case)
}

/// Contradictions in a phase of reinforcement learning, beyond those of its layout in training.
pub(crate) fn check(case: &Case, phase: &Phase) -> Option<SimulateError> {
    let rl = phase.reinforcement.as_ref()?;
    let fault = settings_at_fault(rl, phase);
    fault
        .or_else(|| {
            let decode = Decode::new(case, &rl.engine);
            decode.and_then(|decode| fits(&decode, rl)).err()
        })
        .map(|error| of_phase(error, phase))
}

/// The same error with the path of this phase's settings.
fn of_phase(error: SimulateError, phase: &Phase) -> SimulateError {
    match error {
        SimulateError::Invalid {
            path,
            message,
            remedy,
        } => SimulateError::Invalid {
            path: match path.strip_prefix(engine::PATH) {
                Some(key) => format!("training.phase.{}.reinforcement{key}", phase.name),
                None => path,
            },
            message,
            remedy,
        },
        other => other,
    }
}

fn settings_at_fault(rl: &Reinforcement, phase: &Phase) -> Option<SimulateError> {
    let responses = &rl.responses;
    let (mean, maximum) = (responses.mean, responses.maximum);
    for (key, mean) in [
        ("response", Some(mean)),
        ("response_at_start", responses.mean_at_start),
    ] {
        if let Some(mean) = mean
            && mean > maximum
        {
            return Some(invalid(
                key,
                format!(
                    "responses of phase \"{}\" have a mean of {} tokens, but are cut off at {}",
                    phase.name,
                    mean.get(),
                    maximum.get()
                ),
                format!("lower {key}, or raise response_maximum"),
            ));
        }
    }
    for (key, value) in [
        ("steps", rl.steps),
        ("questions", rl.questions),
        ("samples", rl.samples),
        ("updates", rl.updates),
        ("rollout_expert", rl.engine.expert),
        ("rollout_tensor", rl.engine.tensor),
    ] {
        if value == 0 {
            return Some(invalid(
                key,
                format!("{key} of phase \"{}\" must be at least 1", phase.name),
                format!("set {key} to 1 or more"),
            ));
        }
    }
    if responses.mean == Tokens::new(0) || responses.mean_at_start == Some(Tokens::new(0)) {
        return Some(invalid(
            "response",
            format!("responses of phase \"{}\" have no tokens", phase.name),
            "give a mean of at least one token",
        ));
    }
    let longest = rl.prompt.get() + maximum.get();
    if rl.policy && longest > u64::from(phase.sequence_length) {
        return Some(SimulateError::Invalid {
            path: format!("training.phase.{}.sequence_length", phase.name),
            message: format!(
                "the longest sample of phase \"{}\" has {longest} tokens, but sequences of its updates have {}",
                phase.name, phase.sequence_length
            ),
            remedy: format!("set sequence_length of this phase to {longest} or more"),
        });
    }
    if rl.policy && f64::from(rl.updates) > rl.samples_of_rollout() {
        return Some(invalid(
            "updates",
            format!(
                "{} updates on the {} samples of a rollout: some would have none",
                rl.updates,
                rl.samples_of_rollout()
            ),
            "lower updates, or raise questions or samples",
        ));
    }
    None
}

/// Sequences of a group that fit at a time, in expectation, at this mean length.
fn slots(decode: &Decode, rl: &Reinforcement, lengths: &Lengths) -> f64 {
    decode.slots(worst_cache(decode, lengths, rl.prompt.as_f64()))
}

/// Whether the cache holds the longest sample alone.
fn fits(decode: &Decode, rl: &Reinforcement) -> Result<(), SimulateError> {
    let longest = rl.prompt.as_f64() + rl.responses.maximum.as_f64();
    let bytes = decode.cache_of(longest);
    if bytes > decode.room {
        return Err(invalid(
            "response_maximum",
            format!(
                "the KV cache of the longest sample does not fit: {:.1} GB for {longest} tokens, where the weights ({:.1} GB) leave {:.1} GB",
                bytes / 1e9,
                decode.weights / 1e9,
                decode.room / 1e9,
            ),
            "raise rollout_expert or rollout_tensor, lower response_maximum, or set cache = \"fp8\"",
        ));
    }
    Ok(())
}

/// Simulates what of a phase does not follow how many samples it has.
///
/// # Errors
/// Contradictions, or that the caller asked to stop.
pub(crate) fn simulate(
    case: &Case,
    phase: &Phase,
    control: Control<'_>,
) -> Result<Option<Rates>, SimulateError> {
    let rates = phase.reinforcement.as_ref();
    let rates = rates.map(|rl| rates_of(case, phase, rl, control));
    rates.transpose().map_err(|error| of_phase(error, phase))
}

fn rates_of(
    case: &Case,
    phase: &Phase,
    rl: &Reinforcement,
    control: Control<'_>,
) -> Result<Rates, SimulateError> {
    if let Some(fault) = settings_at_fault(rl, phase) {
        return Err(fault);
    }
    let decode = Decode::new(case, &rl.engine)?;
    fits(&decode, rl)?;
    let prompt = rl.prompt.as_f64();
    let seen = weighed(prompt, &lengths(rl, rl.mean_response()));
    let policy = if rl.policy {
        Some(policy(case, phase, seen, control)?)
    } else {
        None
    };
    Ok(Rates {
        engine: rl.engine,
        decode,
        forward: Forward::new(case, &rl.engine, seen)?,
        policy,
    })
}

/// Three updates: as given, with twice the sequences, and with tokens that see twice as far.
fn policy(
    case: &Case,
    phase: &Phase,
    seen: f64,
    control: Control<'_>,
) -> Result<Policy, SimulateError> {
    let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
    let control = Control {
        progress: &|_| {},
        ..control
    };
    let at = |times: u32, seen: f64| {
        let case = seeing(case, seen);
        let input = StepInput {
            case: &case,
            parallelism,
            sequence_length: phase.sequence_length,
            global_batch: phase.global_batch.saturating_mul(times),
        };
        step(input, control).map(|outcome| outcome.time.seconds())
    };
    let sequences = f64::from(phase.global_batch);
    let seen = seen.min(f64::from(phase.sequence_length));
    // Where samples fill whole sequences they are compared with shorter ones.
    let other = if 2.0 * seen <= f64::from(phase.sequence_length) {
        2.0 * seen
    } else {
        seen / 2.0
    };
    let seconds = at(1, seen)?;
    Ok(Policy {
        sequences,
        seen,
        seconds,
        of_sequence: ((at(2, seen)? - seconds) / sequences).max(0.0),
        of_seen: ((at(1, other)? - seconds) / (other - seen) / sequences).max(0.0),
    })
}

/// Points of a phase at which growing responses are looked at.
const POINTS: u32 = 4;

/// The phase by stages, from rates found for it or for a phase that differs in numbers.
///
/// # Errors
/// Contradictions of the phase's settings.
pub(crate) fn phase_outcome(
    case: &Case,
    phase: &Phase,
    rates: &Rates,
    factor: Ratio,
) -> Result<RolloutOutcome, SimulateError> {
    by_stages(case, phase, rates, factor).map_err(|error| of_phase(error, phase))
}

fn by_stages(
    case: &Case,
    phase: &Phase,
    rates: &Rates,
    factor: Ratio,
) -> Result<RolloutOutcome, SimulateError> {
    let Some(rl) = &phase.reinforcement else {
        return Ok(RolloutOutcome::default());
    };
    if let Some(fault) = settings_at_fault(rl, phase) {
        return Err(fault);
    }
    let decode = if rates.engine == rl.engine {
        Cow::Borrowed(&rates.decode)
    } else {
        Cow::Owned(Decode::new(case, &rl.engine)?)
    };
    fits(&decode, rl)?;
    let (start, end) = (
        rl.responses
            .mean_at_start
            .unwrap_or(rl.responses.mean)
            .as_f64(),
        rl.responses.mean.as_f64(),
    );
    let points = if start == end { 1 } else { POINTS };
    let rollouts = rl.rollouts() / f64::from(points);
    let ranks = f64::from(case.cluster.ranks());
    let prompt = rl.prompt.as_f64();
    let samples = rl.samples_of_rollout();
    let mut seconds = [0.0; Stage::ALL.len()];
    let mut generated = 0.0;
    let mut sequences: f64 = 0.0;
    for point in 0..points {
        let along = (f64::from(point) + 0.5) / f64::from(points);
        let lengths = lengths(rl, start + (end - start) * along);
        let slots = slots(&decode, rl, &lengths);
        if slots < 1.0 {
            return Err(invalid(
                "rollout_expert",
                format!(
                    "no sequence of phase \"{}\" fits beside the weights of its rollout",
                    phase.name
                ),
                "raise rollout_expert or rollout_tensor",
            ));
        }
        let Generation {
            seconds: all,
            tail,
            tokens,
            slots,
        } = generate(
            &decode,
            &lengths,
            prompt,
            samples,
            slots,
            rl.tokens_of_iteration(),
        );
        let seen = weighed(prompt, &lengths);
        // What is given as a time is no prediction and has no error of ours.
        let pass =
            factor.get() * samples * (prompt + lengths.mean()) / ranks * rates.forward.token(seen);
        let updates = rates
            .policy
            .as_ref()
            .filter(|_| rl.policy)
            .map_or(0.0, |policy| {
                let of_update = samples / f64::from(rl.updates);
                let packed =
                    of_update * (prompt + lengths.mean()) / f64::from(phase.sequence_length);
                factor.get()
                    * f64::from(rl.updates)
                    * policy.update(packed, seen.min(f64::from(phase.sequence_length)))
            });
        for stage in Stage::ALL {
            seconds[stage as usize] += rollouts
                * match stage {
                    Stage::Prompts => {
                        let tokens = f64::from(rl.questions) * prompt;
                        factor.get() * tokens / ranks * rates.forward.token(prompt)
                    }
                    Stage::Rollout => factor.get() * (all - tail),
                    Stage::RolloutTail => factor.get() * tail,
                    Stage::Reward => rl.reward_time.seconds() + f64::from(rl.reward_passes) * pass,
                    Stage::Reference => f64::from(rl.reference_passes) * pass,
                    Stage::Policy => updates,
                    Stage::HandOver => rl.hand_over.seconds(),
                };
        }
        generated += rollouts * tokens;
        sequences = sequences.max(slots);
    }
    let stages = Stage::ALL
        .iter()
        .map(|&stage| StageOutcome {
            stage,
            time: Days::new(seconds[stage as usize] / 86_400.0),
        })
        .collect();
    Ok(RolloutOutcome {
        steps: f64::from(rl.steps),
        rollouts: rl.rollouts(),
        generated: Tokens::new(generated as u64),
        stages,
        sequences,
        weights: Bytes::from_f64(decode.weights),
        cache: Bytes::from_f64(decode.room),
    })
}
