//! Phases of reinforcement learning: rollouts, rewards, updates.
//!
//! In: a `[[training.phase]]` of kind "reinforcement". Out: [`Reinforcement`], and the batch that its
//! updates come to. Never times anything.

use super::diagnostic::Diagnostic;
use super::read::{Reader, Scope};
use super::resolve::recipe;
use super::{amount, keys, lookup};
use crate::catalog::{Catalog, RolloutFacts};
use strait_training::case::{Parallelism, Precision};
use strait_training::hardware::Cluster;
use strait_training::rollout::{Reinforcement, Responses, RolloutEngine, packed_sequences};
use strait_units::{Bytes, Ratio, Time, Tokens};

/// What a phase of reinforcement learning takes over from the rest of the case.
pub(super) struct Around<'a> {
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// Layout of the case, where it could be read.
    pub parallelism: Option<&'a Parallelism>,
    /// The cluster, where it could be read.
    pub cluster: Option<&'a Cluster>,
    /// The case's recipe.
    pub precision: Option<Precision>,
    /// The model has experts.
    pub experts: bool,
}

/// The phase is one of reinforcement learning. A phase that is not, but has its keys, is a fault.
pub(super) fn wanted(phase: &Scope<'_>, name: &str, reader: &mut Reader) -> bool {
    if reader.word(phase, "kind") == Some("reinforcement") {
        return true;
    }
    if phase.node("reinforcement").is_some() {
        let d = Diagnostic::error(
            "scenario::reinforcement-without-kind",
            format!("phase \"{name}\" has settings of reinforcement learning, but is a phase of training on given tokens"),
        )
        .help("set kind = \"reinforcement\" in this phase, or leave the table out");
        let place = phase
            .node("reinforcement")
            .map_or(&phase.place, |n| &n.place);
        reader.fail(d.at(place, "not read here"));
    }
    false
}

/// Refuses what has no meaning in such a phase.
fn refuse_others(phase: &Scope<'_>, name: &str, reader: &mut Reader) {
    for (key, why) in [
        ("tokens", "its tokens follow from steps and samples"),
        ("global_batch", "its batch follows from samples and updates"),
        ("initial_batch", "its batch does not ramp"),
        ("ramp_tokens", "its batch does not ramp"),
    ] {
        if let Some(node) = phase.node(key) {
            let d = Diagnostic::error(
                "scenario::not-in-reinforcement",
                format!("phase \"{name}\" of reinforcement learning has {key}, but {why}"),
            )
            .at(&node.place, "has no meaning here")
            .help(format!(
                "leave {key} out; give steps, and questions, samples and updates"
            ));
            reader.fail(d);
        }
    }
    if reader.flag(phase, "pretraining") == Some(true)
        && let Some(node) = phase.node("pretraining")
    {
        let d = Diagnostic::error(
            "scenario::not-in-reinforcement",
            format!("phase \"{name}\" of reinforcement learning can't count as pre-training"),
        )
        .at(&node.place, "")
        .help("leave pretraining out");
        reader.fail(d);
    }
}

/// Reads the settings; `None` where something is wrong, which the reader knows.
pub(super) fn reinforcement(
    phase: &Scope<'_>,
    name: &str,
    around: &Around<'_>,
    reader: &mut Reader,
) -> Option<Reinforcement> {
    refuse_others(phase, name, reader);
    let steps = reader.count(phase, "steps");
    if steps.is_none() && phase.node("steps").is_none() {
        reader.missing(phase, "steps");
    }
    let Some(table) = phase.node("reinforcement").and_then(|n| n.table()) else {
        reader.missing(phase, "reinforcement");
        return None;
    };
    let scope = Scope {
        tables: vec![table],
        place: phase
            .node("reinforcement")
            .map_or_else(|| phase.place.clone(), |n| n.place.clone()),
        section: &keys::REINFORCEMENT,
        path: phase.path("reinforcement"),
    };
    let facts = lookup::rollout(around.catalog, reader)?;
    let tokens = |reader: &mut Reader, key: &str| {
        let value = reader.number(&scope, key);
        value.map(|v| Tokens::new(v.round() as u64))
    };
    let questions = reader.count(&scope, "questions");
    let samples = reader.count(&scope, "samples");
    let updates = reader.count(&scope, "updates");
    let policy = reader.flag(&scope, "policy");
    let prompt = tokens(reader, "prompt");
    let mean = tokens(reader, "response");
    let mean_at_start = tokens(reader, "response_at_start");
    let spread = reader.number(&scope, "response_spread");
    let maximum = tokens(reader, "response_maximum");
    let reference_passes = reader.count(&scope, "reference_passes");
    let reward_passes = reader.count(&scope, "reward_passes");
    let reward_time = seconds(&scope, "reward_time", 0.0, reader);
    let hand_over = seconds(&scope, "hand_over", HAND_OVER, reader);
    let engine = engine(&scope, around, &facts, reader);
    let _ = reader.text(&scope, "why");
    Some(Reinforcement {
        steps: steps?,
        questions: questions?,
        samples: samples?,
        updates: updates?,
        policy: policy?,
        prompt: prompt?,
        responses: Responses {
            mean: mean?,
            mean_at_start,
            spread: Ratio::new(spread?),
            maximum: maximum?,
        },
        reference_passes: reference_passes?,
        reward_passes: reward_passes?,
        reward_time: Time::from_seconds(reward_time?),
        hand_over: Time::from_seconds(hand_over?),
        engine: engine?,
    })
}

/// Seconds between the stages of a rollout where nothing is given: an assumption, as its key says.
const HAND_OVER: f64 = 60.0;

/// A time, or the usual one.
fn seconds(scope: &Scope<'_>, key: &str, usual: f64, reader: &mut Reader) -> Option<f64> {
    match reader.number(scope, key) {
        None if scope.node(key).is_none() => {
            reader.rule(scope, key, amount::print(scope.key(key).kind, usual));
            Some(usual)
        }
        found => found,
    }
}

fn engine(
    scope: &Scope<'_>,
    around: &Around<'_>,
    facts: &RolloutFacts,
    reader: &mut Reader,
) -> Option<RolloutEngine> {
    let layout = around.parallelism;
    let mut ranks = |key: &str, usual: u32| match reader.count(scope, key) {
        Some(own) => Some(own),
        None if scope.node(key).is_some() => None,
        None => {
            reader.rule(scope, key, usual);
            Some(usual)
        }
    };
    let expert = ranks("rollout_expert", layout.map_or(1, |p| p.expert));
    let tensor = ranks(
        "rollout_tensor",
        if around.experts {
            1
        } else {
            layout.map_or(1, |p| p.tensor)
        },
    );
    let precision = match reader.word(scope, "rollout_precision") {
        Some(word) => Some(recipe(word)),
        None if scope.node("rollout_precision").is_some() => None,
        None => {
            let usual = around.precision.unwrap_or(Precision::Bf16);
            let word = super::words::RECIPES
                .iter()
                .map(|c| c.name)
                .find(|name| recipe(name) == usual)
                .unwrap_or("bf16");
            reader.rule(scope, "rollout_precision", word);
            Some(usual)
        }
    };
    let cache = reader.word(scope, "cache");
    let sequences = reader.amount(scope, "sequences");
    let overlap = reader.flag(scope, "overlap");
    let drafts = reader.count(scope, "drafts");
    let mut fact = |key: &str, value: f64| match reader.number(scope, key) {
        Some(own) => own,
        None => {
            if scope.node(key).is_none() {
                let printed = amount::print(scope.key(key).kind, value);
                let source = lookup::source(around.catalog, "rollout", "default", key);
                reader.fact(scope.path(key), printed, "rollout/default", source);
            }
            value
        }
    };
    Some(RolloutEngine {
        memory_share: Ratio::new(fact("memory_share", facts.memory_share.get())),
        acceptance: Ratio::new(fact("acceptance", facts.acceptance.get())),
        attention_bandwidth: Ratio::new(fact(
            "attention_bandwidth",
            facts.attention_bandwidth.get(),
        )),
        attention_rate: Ratio::new(fact("attention_rate", facts.attention_rate.get())),
        exchange_start: Time::from_seconds(fact("exchange_start", facts.exchange_start.seconds())),
        exchange_nic: Ratio::new(fact("exchange_nic", facts.exchange_nic.get())),
        exchange_scale_up: Ratio::new(fact("exchange_scale_up", facts.exchange_scale_up.get())),
        expert: expert?,
        tensor: tensor?,
        precision: precision?,
        cache_element: Bytes::new(if cache? == "fp8" { 1 } else { 2 }),
        sequences: sequences?.map(|most| most as u32),
        overlap: overlap?,
        drafts: drafts?,
    })
}

/// Sequences of an update's batch: what its samples fill when packed, in whole micro-batches for each
/// data-parallel rank.
pub(super) fn batch(
    rl: &Reinforcement,
    sequence_length: u32,
    layout: Option<&Parallelism>,
    cluster: Option<&Cluster>,
) -> u32 {
    let unit = match (layout, cluster) {
        (Some(p), Some(cluster)) => {
            let replica = u64::from(p.tensor) * u64::from(p.pipeline) * u64::from(p.context);
            let data = u64::from(cluster.ranks()) / replica.max(1);
            (data * u64::from(p.micro_batch)).max(1)
        }
        _ => 1,
    };
    let packed = packed_sequences(rl, sequence_length).ceil().max(1.0);
    let whole = (packed as u64).div_ceil(unit).saturating_mul(unit);
    u32::try_from(whole).unwrap_or(u32::MAX)
}
