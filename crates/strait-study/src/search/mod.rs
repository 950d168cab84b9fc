//! The best layout of a model on a cluster.
//!
//! In: a resolved [`Case`], the phase of its training to lay out, what may vary ([`Space`]). Out: the
//! fastest layouts with their times and memory, and why all others were left out ([`Found`]). Never
//! reads files, never prints, and never changes anything but the layout.
//!
//! | room | what |
//! |---|---|
//! | [`space`] | what may vary, as a numbered list that nobody has to hold in memory |
//! | [`wide`], [`axis`] | the same with every value there is, and with values from a command line |
//! | [`scan`] | a look at all of it, however large: layout checks, memory, the least that a step takes |
//! | [`shortlist`] | what is remembered of that look: the most promising, by memory |
//! | [`score`] | what is to be least: time, cost or energy |
//! | [`hunt`] | simulation, most promising first, until the least of the rest is more than the best |
//! | [`answer`], [`document`], [`text`], [`tables`] | the answer of `strait search`, as JSON, in words, as CSV |
//! | [`open`] | scenarios whose layout is what is asked for |
//! | [`candidates`], [`ranking`] | the same one by one with a list of all: for many chips, and to test the above |
//! | [`bound`] | the least that a step of a layout can take, in microseconds of work |
//! | [`calm()`] | the case without chance, so that a step folds |
//!
//! A layout is simulated only if it is allowed, fits, and its bound is below the best time so far:
//! what is left out can't be better, as long as bounds are below simulated times (a test holds them
//! there; [`Limits::exhaustive`] simulates everything). Answers do not depend on threads: layouts are
//! simulated in rounds of a fixed size.

pub mod answer;
pub mod axis;
pub mod bound;
pub mod calm;
pub mod candidates;
pub mod document;
pub mod hunt;
pub mod open;
pub mod ranking;
mod reasons;
pub mod scan;
pub mod score;
pub mod shortlist;
pub mod space;
pub mod tables;
pub mod text;
pub mod wide;
mod work;

pub use bound::Bounds;
pub use calm::calm;
pub use candidates::{Candidate, Candidates, Refused};
pub use ranking::{Found, Limits, Ranked, search, search_among};
pub use score::{Objective, Scale};
pub use space::Space;
pub use work::Workers;

use crate::answer::sizes;
use strait_training::case::{Case, Parallelism, Phase, Recompute, RecomputePart, ScheduleKind};
use strait_training::schedule;

/// A layout in one line, in the field's abbreviations; ones are left out.
pub fn describe(p: &Parallelism) -> String {
    let mut parts = sizes(p);
    if p.pipeline > 1 || p.schedule == ScheduleKind::OverlappedOneFOneB {
        let name = match p.schedule {
            ScheduleKind::OneFOneB if p.virtual_stages > 1 => "interleaved",
            other => schedule::name(other),
        };
        parts.push(name.to_owned());
    }
    if p.tensor > 1 && !p.sequence {
        parts.push("no SP".to_owned());
    }
    parts.push(format!("ZeRO-{}", p.zero as u8));
    if let Some(group) = p.zero_group {
        parts.push(format!("in groups of {group}"));
    }
    parts.push(format!("micro-batch {}", p.micro_batch));
    parts.push(match &p.recompute {
        Recompute::None => "no recompute".to_owned(),
        other => format!("recompute {}", describe_recompute(other)),
    });
    if let Some(layers) = p
        .recompute_layers
        .filter(|_| p.recompute != Recompute::None)
    {
        parts.push(format!("of {layers} layers"));
    }
    if p.offload_layers > 0 {
        parts.push(format!("offload {}", p.offload_layers));
    }
    parts.join(" ")
}

/// What is recomputed, in the words of scenarios; parts are joined by a plus sign.
pub fn describe_recompute(recompute: &Recompute) -> String {
    let word = match recompute {
        Recompute::None => "none",
        Recompute::Selective => "selective",
        Recompute::Full => "full",
        Recompute::Named(parts) => {
            let names: Vec<&str> = (parts.iter())
                .map(|part| match part {
                    RecomputePart::CoreAttention => "core-attention",
                    RecomputePart::Norm => "norm",
                    RecomputePart::MlaUp => "mla-up",
                    RecomputePart::Activation => "activation",
                    RecomputePart::Mlp => "mlp",
                    RecomputePart::Moe => "moe",
                })
                .collect();
            return names.join("+");
        }
    };
    word.to_owned()
}

/// Settings of a layout that differ from those of another, as scenario paths and TOML values.
/// `stage_layers` is what the layout's stages hold, to be named where the other names its own.
pub fn differences(
    from: &Parallelism,
    to: &Parallelism,
    stage_layers: &[u32],
) -> Vec<(String, String)> {
    let values = |p: &Parallelism| {
        let optional = |value: Option<u32>| value.map_or("none".to_owned(), |v| v.to_string());
        let recompute = match &p.recompute {
            Recompute::Named(_) => {
                let words = describe_recompute(&p.recompute);
                let quoted: Vec<String> =
                    words.split('+').map(|word| format!("\"{word}\"")).collect();
                format!("[{}]", quoted.join(", "))
            }
            other => describe_recompute(other),
        };
        [
            ("tensor", p.tensor.to_string()),
            ("sequence", p.sequence.to_string()),
            ("pipeline", p.pipeline.to_string()),
            ("virtual_stages", p.virtual_stages.to_string()),
            ("context", p.context.to_string()),
            ("expert", p.expert.to_string()),
            ("expert_tensor", p.expert_tensor.to_string()),
            ("zero", (p.zero as u8).to_string()),
            ("zero_group", optional(p.zero_group)),
            ("schedule", schedule::name(p.schedule).to_owned()),
            ("micro_batch", p.micro_batch.to_string()),
            ("recompute", recompute),
            ("recompute_layers", optional(p.recompute_layers)),
            ("offload_layers", p.offload_layers.to_string()),
            ("communication_units", p.communication_units.to_string()),
        ]
    };
    let mut found: Vec<(String, String)> = (values(from).into_iter().zip(values(to)))
        .filter(|(a, b)| a.1 != b.1)
        .map(|(_, (key, value))| (format!("parallelism.{key}"), value))
        .collect();
    if from.stage_layers.is_some() && from.stage_layers.as_deref() != Some(stage_layers) {
        let list: Vec<String> = stage_layers.iter().map(u32::to_string).collect();
        let list = format!("[{}]", list.join(", "));
        found.push(("parallelism.stage_layers".to_owned(), list));
    }
    found
}

/// The layout that a phase of a case is written with.
pub fn written<'a>(case: &'a Case, phase: &'a Phase) -> &'a Parallelism {
    phase.parallelism.as_ref().unwrap_or(&case.parallelism)
}
