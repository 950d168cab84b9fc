//! Answers as text for people, at most 100 columns wide.
//!
//! In: an [`Answer`] or a [`Comparison`](crate::answer::Comparison). Out: a string. Never contains anything that
//! differs between two runs of the same question, and never asks what terminal it is for:
//! colour is left out afterwards where it is not wanted.

mod case;
mod compare;
#[cfg(test)]
mod tests;

pub use compare::compare;

use super::document::RunDocument;
use super::format::{count, decimals, dollars, fixed, scaled, signed, significant, wrap};
use super::{Answer, CaseAnswer, Question};
use crate::verdict::{Judgement, Verdict};
use std::fmt::Write;
use strait_units::Time;

/// Columns that no line exceeds, except commands to copy.
const COLUMNS: usize = 96;
/// Columns of a full bar.
const BAR: usize = 32;

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The headline only.
    Headline,
    /// The answer.
    #[default]
    Normal,
    /// Every part, reason and source.
    Full,
}

/// How to say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// How much to say.
    pub detail: Detail,
    /// ANSI styles for headings and verdicts.
    pub styled: bool,
}

impl TextStyle {
    fn paint(self, code: &str, text: &str) -> String {
        if self.styled {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A section's heading: its name in bold, then a remark.
    pub(crate) fn heading(self, out: &mut String, name: &str, remark: &str) {
        let gap = if remark.is_empty() { "" } else { "   " };
        let _ = writeln!(out, "\n{}{gap}{remark}", self.bold(name));
    }

    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Impossible => "1;31",
            Verdict::Implausible => "33",
            Verdict::Plausible | Verdict::Expected => "32",
            Verdict::Undecidable => "2",
        };
        self.paint(code, verdict.word())
    }
}

fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

/// One unit and one number of decimals for the parts of a step.
#[derive(Clone, Copy)]
struct StepUnit {
    factor: f64,
    symbol: &'static str,
    decimals: usize,
}

impl StepUnit {
    fn of(time: f64) -> StepUnit {
        let (factor, symbol) = if time >= 1.0 || time == 0.0 {
            (1.0, "s")
        } else {
            (1e3, "ms")
        };
        StepUnit {
            factor,
            symbol,
            decimals: decimals(time * factor, 4).min(3),
        }
    }

    fn print(self, seconds: f64) -> String {
        format!(
            "{} {}",
            fixed(seconds * self.factor, self.decimals),
            self.symbol
        )
    }

    fn print_signed(self, seconds: f64) -> String {
        format!(
            "{} {}",
            signed(seconds * self.factor, self.decimals),
            self.symbol
        )
    }
}

/// The answer of `strait run`.
pub fn run(answer: &Answer, style: TextStyle) -> String {
    let mut out = String::new();
    for (index, case) in answer.cases.iter().enumerate() {
        if style.detail == Detail::Headline {
            out += &headline(case);
            out.push('\n');
            continue;
        }
        if index > 0 {
            let _ = writeln!(out, "\n{}\n", "─".repeat(COLUMNS));
        }
        case::one_case(&mut out, case, style);
    }
    if style.detail > Detail::Headline {
        let digest = RunDocument::from(answer).digest;
        reproduce(&mut out, &answer.question, &digest, style);
    }
    out
}

/// The question answered in a sentence or two.
pub fn headline(case: &CaseAnswer) -> String {
    let outcome = &case.outcome;
    let mut text = format!(
        "{} on {} {}: a step takes {}, the run {} days, {} GPU-hours and {}.",
        case.setting.model,
        count(u64::from(case.setting.ranks)),
        case.setting.accelerator,
        StepUnit::of(seconds(outcome.step.time)).print(seconds(outcome.step.time)),
        significant(outcome.run.days),
        scaled(outcome.run.gpu_hours),
        dollars(outcome.cost.run().get()),
    );
    if outcome.cost.has_lines() {
        let all = dollars(outcome.cost.total().get());
        text += &format!(" All that it took, by the scenario's lines: {all}.");
    }
    if !outcome.step.memory.fits() {
        text += " It does not fit in memory.";
    }
    // The first claim of a scenario is the one that its question is about.
    if let Some((judgement, others)) = case.claims.split_first() {
        text.push(' ');
        text += &claim_in_words(judgement, others);
    }
    wrap(&text, COLUMNS, 0)
}

/// The verdict on one claim in a sentence, and how it goes with the others.
fn claim_in_words(judgement: &Judgement, others: &[Judgement]) -> String {
    let claim = &judgement.claim;
    let print = |value: f64| claim.quantity.unit().print(value);
    let whose = if claim.who.is_empty() {
        "The claim".to_owned()
    } else {
        format!("{}'s claim", claim.who)
    };
    let mut text = format!(
        "{whose} of {} ({}) is {}",
        print(claim.stated),
        case::subject(claim.quantity, claim.phase.as_ref()),
        judgement.verdict.word(),
    );
    if let Some(simulated) = judgement.simulated {
        text += &format!(": simulated is {}", print(simulated));
    }
    if others.is_empty() {
        return text + ".";
    }
    let verdicts = [
        Verdict::Impossible,
        Verdict::Implausible,
        Verdict::Plausible,
        Verdict::Expected,
        Verdict::Undecidable,
    ];
    let counts: Vec<String> = (verdicts.iter())
        .map(|verdict| {
            (
                others.iter().filter(|j| j.verdict == *verdict).count(),
                verdict,
            )
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, verdict)| format!("{count} {}", verdict.word()))
        .collect();
    text + &format!("; other claims: {}.", counts.join(", "))
}

fn reproduce(out: &mut String, question: &Question, digest: &str, style: TextStyle) {
    style.heading(out, "Reproduce", &question.command);
    let _ = writeln!(
        out,
        "  strait {}, seed {}, digest {digest}",
        question.version, question.seed
    );
}
