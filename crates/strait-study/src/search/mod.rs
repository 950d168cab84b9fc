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
pub mod ranking;
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
use strait_training::case::{Case, Parallelism, Phase, ScheduleKind};
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
    parts.push(format!("ZeRO-{}", p.zero as u8));
    parts.push(format!("micro-batch {}", p.micro_batch));
    parts.push(recompute(p));
    parts.join(" ")
}

fn recompute(p: &Parallelism) -> String {
    use strait_training::case::{Recompute, RecomputePart};
    match &p.recompute {
        Recompute::None => "no recompute".to_owned(),
        Recompute::Selective => "recompute selective".to_owned(),
        Recompute::Full => "recompute full".to_owned(),
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
            format!("recompute {}", names.join("+"))
        }
    }
}

/// The layout that a phase of a case is written with.
pub fn written<'a>(case: &'a Case, phase: &'a Phase) -> &'a Parallelism {
    phase.parallelism.as_ref().unwrap_or(&case.parallelism)
}
