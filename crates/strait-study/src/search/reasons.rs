//! Why a layout stands where it does, in words.
//!
//! In: simulated layouts. Out: short phrases: what bounds a step, what it loses against another and
//! where. Never weighs more than the simulation has told.

use super::answer::{Plan, Site};
use super::describe;
use crate::answer::format::{fixed, seconds, signed};
use strait_training::price::Shares;
use strait_units::Time;

/// Shares of a step below this are not worth a word.
const WORTH_A_WORD: f64 = 0.005;

/// What keeps a step from being shorter, the most first: kernels, the bubble, communication that
/// nothing hides.
pub(super) fn bound_by(plan: &Plan) -> Vec<String> {
    let step = &plan.step;
    let whole = step.time.seconds().max(f64::MIN_POSITIVE);
    let shares = Shares::of(step);
    let exposed = &step.exposed;
    let mut parts: Vec<(f64, &str)> = vec![
        (shares.compute, "kernels"),
        (shares.idle, "waiting in the pipeline"),
    ];
    for (time, name) in [
        (exposed.tensor, "tensor-parallel communication"),
        (exposed.context, "context-parallel communication"),
        (exposed.expert, "expert communication"),
        (exposed.pipeline, "pipeline communication"),
        (exposed.data, "data-parallel communication"),
    ] {
        parts.push((time.seconds() / whole, name));
    }
    parts.retain(|(share, _)| *share >= WORTH_A_WORD);
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    (parts.iter())
        .map(|(share, name)| format!("{name} {} %", fixed(100.0 * share, 1)))
        .collect()
}

/// How a layout differs from the best: in its step's work and waits, the most first.
pub(super) fn against(plan: &Plan, best: &Plan) -> Vec<String> {
    if plan == best {
        return Vec::new();
    }
    let (a, b) = (&plan.step, &best.step);
    let kernels = |step: &strait_training::outcome::StepOutcome| -> Time {
        step.kernels.iter().map(|(_, time)| *time).sum()
    };
    let idle =
        |step: &strait_training::outcome::StepOutcome| Shares::of(step).idle * step.time.seconds();
    let (x, y) = (&a.exposed, &b.exposed);
    let seconds_of = |time: Time| time.seconds();
    let mut parts: Vec<(f64, &str)> = vec![
        (kernels(a).seconds() - kernels(b).seconds(), "kernels"),
        (idle(a) - idle(b), "waiting in the pipeline"),
        (
            seconds_of(x.tensor) - seconds_of(y.tensor),
            "tensor-parallel communication",
        ),
        (
            seconds_of(x.context) - seconds_of(y.context),
            "context-parallel communication",
        ),
        (
            seconds_of(x.expert) - seconds_of(y.expert),
            "expert communication",
        ),
        (
            seconds_of(x.pipeline) - seconds_of(y.pipeline),
            "pipeline communication",
        ),
        (
            seconds_of(x.data) - seconds_of(y.data),
            "data-parallel communication",
        ),
    ];
    let least = 0.0005 * b.time.seconds();
    parts.retain(|(difference, _)| difference.abs() >= least);
    parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let mut words: Vec<String> = (parts.iter())
        .map(|(difference, name)| {
            let sign = if *difference < 0.0 { "-" } else { "+" };
            format!("{sign}{} {name}", seconds(difference.abs()))
        })
        .collect();
    if words.is_empty() {
        let share = a.time.seconds() / b.time.seconds() - 1.0;
        words.push(match share == 0.0 {
            true => "the same time".to_owned(),
            false => format!("next to nothing else ({} %)", signed(100.0 * share, 3)),
        });
    }
    words
}

/// Settings in which two layouts differ, as theirs for its own.
pub(super) fn unlike(plan: &Plan, other: &Plan) -> String {
    let own = super::differences(&other.parallelism, &plan.parallelism, &plan.stage_layers);
    let theirs = super::differences(&plan.parallelism, &other.parallelism, &other.stage_layers);
    let mut words: Vec<String> = (own.iter())
        .filter(|(path, _)| path != "parallelism.stage_layers")
        .map(|(path, value)| {
            let key = path.trim_start_matches("parallelism.");
            let was = theirs
                .iter()
                .find(|(p, _)| p == path)
                .map(|(_, v)| v.as_str());
            format!("{key} {} for {}", bare(value), bare(was.unwrap_or("none")))
        })
        .collect();
    if plan.recipe != other.recipe {
        words.push(format!("precision {} for {}", plan.recipe, other.recipe));
    }
    let stages = |plan: &Plan| plan.stage_layers.len();
    if plan.stage_layers != other.stage_layers && stages(plan) == stages(other) {
        words.push("layers of its stages".to_owned());
    }
    words.join(", ")
}

/// A TOML value in words.
fn bare(value: &str) -> String {
    let words = value.trim_matches(['[', ']']).replace('"', "");
    words.replace(", ", "+")
}

/// The place of a layout among the best of a site, from 1.
pub(super) fn place(plan: &Plan, site: &Site) -> Option<usize> {
    let same = |other: &Plan| {
        other.recipe == plan.recipe
            && describe(&other.parallelism) == describe(&plan.parallelism)
            && other.stage_layers == plan.stage_layers
    };
    let at = site
        .best
        .iter()
        .position(|(at, _)| same(&site.tried[*at]))?;
    Some(at + 1)
}
