//! A merged sweep as text for people.
//!
//! In: a plan and what its merge left. Out: a string. Never contains anything that differs between two
//! runs of the same plan.

use super::merge::Merged;
use super::plan::Plan;
use super::summary::{Effect, Level, Spread};
use crate::answer::format::{count, dollars, percent, seconds};
use crate::answer::table::{Align, render};
use crate::answer::text::{Detail, TextStyle};
use crate::scenario::Values;
use std::fmt::Write;

/// Errors that are told.
const ERRORS: usize = 5;

/// A word as a POSIX shell reads it back: quoted only where it must be.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A number of things, by their name for one.
pub fn counted(number: u64, one: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{} {one}{many}", count(number))
}

/// US dollars in a few digits.
pub fn money(value: f64) -> String {
    dollars(value)
}

/// What a plan holds, in a few lines.
pub fn plan(plan: &Plan, style: TextStyle) -> String {
    let mut out = format!(
        "{} in {}: {}\n",
        counted(plan.cases, "case"),
        counted(plan.shards, "shard"),
        plan.title
    );
    if style.detail == Detail::Headline {
        return out;
    }
    let rows: Vec<Vec<String>> = (plan.axes.iter())
        .map(|axis| {
            let values = match &axis.values {
                Values::Points(points) => {
                    let few = points.len() <= 6;
                    let told = |range: std::ops::Range<usize>| {
                        let texts: Vec<&str> = (points.get(range).unwrap_or(&[]).iter())
                            .map(|point| point.text.as_str())
                            .collect();
                        texts.join(", ")
                    };
                    match few {
                        true => told(0..points.len()),
                        false => format!(
                            "{}, … {} ({} values)",
                            told(0..3),
                            told(points.len() - 1..points.len()),
                            points.len()
                        ),
                    }
                }
                Values::Span { from, to, log, .. } => format!(
                    "{from} to {to} {}{}",
                    axis.unit.as_deref().unwrap_or(""),
                    if *log { " (log)" } else { "" }
                ),
                Values::Range { told, .. } => told.clone(),
            };
            let group = axis
                .group
                .as_ref()
                .map_or(String::new(), |g| format!("with {g}"));
            vec![axis.name.clone(), values, group]
        })
        .collect();
    out += &render(&rows, &[], 2);
    let _ = writeln!(out, "{}", how(plan));
    out
}

/// How cases are made and simulated.
fn how(plan: &Plan) -> String {
    let chance = match plan.chance {
        true => {
            "with chance: jitter, spread of chips and sampled expert loads as the scenario says"
        }
        false => {
            "without chance (no jitter, equal chips, even expert loads), folded where that is exact"
        }
    };
    format!("mode {}, seed {}; {chance}", plan.mode.word(), plan.seed)
}

/// What a sweep says at a glance; `folder` is what to call its place.
pub fn merged(plan: &Plan, merged: &Merged, folder: &str, style: TextStyle) -> String {
    let summary = &merged.summary;
    let mut out = format!("{}: {}", plan.title, counted(summary.cases, "case"));
    if merged.errors > 0 {
        let _ = write!(out, ", {} of them without an answer", count(merged.errors));
    }
    if summary.too_large > 0 {
        let _ = write!(out, ", {} do not fit in memory", count(summary.too_large));
    }
    out.push('\n');
    if !plan.question.is_empty() && style.detail > Detail::Headline {
        let _ = writeln!(out, "{}", plan.question);
    }
    if let Some(best) = &summary.best {
        let settings: Vec<String> = (best.settings.iter())
            .map(|(axis, value)| format!("{axis} {value}"))
            .collect();
        let _ = writeln!(
            out,
            "Cheapest that fits: case {}, {}, {} a step ({})",
            best.case,
            dollars(best.cost_usd),
            seconds(best.step_time_s),
            settings.join(", ")
        );
    } else {
        let _ = writeln!(out, "No case has an answer that fits in memory.");
    }
    if style.detail == Detail::Headline {
        return out;
    }
    for (name, spread, print) in [
        ("cost", &summary.cost_usd, dollars as fn(f64) -> String),
        ("step", &summary.step_time_s, seconds),
    ] {
        if let Some(Spread { min, median, max }) = spread {
            let _ = writeln!(
                out,
                "{name}: {} to {}, median {}",
                print(*min),
                print(*max),
                print(*median)
            );
        }
    }
    if summary.answered > 0 {
        let remark = match plan.mode.sampled() {
            true => "medians of the cases in each part; what else varies moves them too",
            false => "medians over all other axes",
        };
        style.heading(&mut out, "Axes", remark);
        for effect in &summary.effects {
            axis(&mut out, effect, style);
        }
    }
    if !summary.errors.is_empty() {
        style.heading(&mut out, "Without an answer", "cases by reason");
        let told = match style.detail {
            Detail::Full => summary.errors.len(),
            _ => ERRORS,
        };
        for (why, cases) in summary.errors.iter().take(told) {
            let _ = writeln!(out, "  {:>8}  {why}", count(*cases));
        }
        if summary.errors.len() > told {
            let _ = writeln!(
                out,
                "  and {} other reasons (-v)",
                summary.errors.len() - told
            );
        }
    }
    let names: Vec<&str> = merged.files.iter().map(|(name, _)| name.as_str()).collect();
    let _ = writeln!(out, "\nIn {folder}: {}", names.join(", "));
    let folded = match summary.folded {
        0 => String::new(),
        folded if folded == summary.answered => "; ranks folded in all cases".to_owned(),
        folded => format!("; ranks folded in {}", counted(folded, "case")),
    };
    let _ = writeln!(out, "{}{folded}", how(plan));
    let _ = writeln!(out, "Again: {}", plan.reproduce(None));
    out
}

/// The medians along an axis.
fn axis(out: &mut String, effect: &Effect, style: TextStyle) {
    let swing = |of: fn(&Level) -> f64| {
        effect
            .range(of)
            .filter(|(low, _)| *low > 0.0)
            .map(|(low, high)| high / low - 1.0)
    };
    let told = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let _ = writeln!(
        out,
        "  {}: cost moves by {}, step by {}",
        effect.axis,
        told(swing(|level| level.cost_usd)),
        told(swing(|level| level.step_time_s))
    );
    if style.detail < Detail::Full && effect.levels.len() > 12 {
        return;
    }
    let rows: Vec<Vec<String>> = (effect.levels.iter())
        .map(|level| {
            vec![
                level.value.clone(),
                dollars(level.cost_usd),
                seconds(level.step_time_s),
                counted(level.cases, "case"),
            ]
        })
        .collect();
    *out += &render(
        &rows,
        &[Align::Left, Align::Right, Align::Right, Align::Right],
        4,
    );
}
