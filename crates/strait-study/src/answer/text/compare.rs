//! Differences between cases as text.
//!
//! In: an [`Answer`] and its [`Comparison`]. Out: a string. Never computes a difference.

use super::case::{checks, claims, warnings};
use super::{COLUMNS, Detail, StepUnit, TextStyle, reproduce, seconds};
use crate::answer::compare::{Comparison, Contribution, Difference, exposed};
use crate::answer::format::{dollars, fixed, listed, scaled, signed_percent, wrap};
use crate::answer::table::Align::{Left, Right};
use crate::answer::table::render;
use crate::answer::{Answer, CaseAnswer};
use std::fmt::Write;
use strait_units::Time;

/// The answer of `strait compare`.
pub fn compare(answer: &Answer, comparison: &Comparison, style: TextStyle) -> String {
    let mut out = String::new();
    for difference in &comparison.differences {
        out += &wrap(&difference.finding, COLUMNS, 2);
        out.push('\n');
    }
    if comparison.differences.is_empty() {
        let _ = writeln!(
            out,
            "{} alone: nothing to compare it with.",
            comparison.baseline
        );
    }
    if style.detail == Detail::Headline {
        return out;
    }
    overview(&mut out, answer, style);
    let few = comparison.differences.len() <= 2 || style.detail == Detail::Full;
    for difference in &comparison.differences {
        one_difference(
            &mut out,
            answer,
            &comparison.baseline,
            difference,
            few,
            style,
        );
    }
    let named: Vec<String> = (answer.cases.iter())
        .flat_map(|case| (case.warnings.iter()).map(|w| format!("{}: {w}", case.setting.name)))
        .collect();
    warnings(&mut out, &named, style);
    for (index, case) in answer.cases.iter().enumerate() {
        // Cases of one file repeat its claims; the baseline's say enough.
        let all = index == 0 || style.detail == Detail::Full;
        let name = &case.setting.name;
        if all {
            claims(&mut out, &case.claims, Some(name), style);
        }
        if all || case.checks.iter().any(|check| !check.holds) {
            checks(&mut out, &case.checks, Some(name), style);
        }
    }
    reproduce(&mut out, &answer.question, &comparison.digest, style);
    out
}

/// One line for each case.
fn overview(out: &mut String, answer: &Answer, style: TextStyle) {
    style.heading(out, "Cases", "the first is the baseline");
    let mut rows = vec![
        [
            "case",
            "step",
            "",
            "TFLOPS",
            "GPU-hours",
            "",
            "cost",
            "bubble",
            "exposed",
            "memory",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let Some(base) = answer.cases.first() else {
        return;
    };
    let time = |c: &CaseAnswer| seconds(c.outcome.step.time);
    let unit = StepUnit::of(time(base));
    for (index, case) in answer.cases.iter().enumerate() {
        let step = &case.outcome.step;
        let relative = |after: f64, before: f64| {
            if index == 0 || before <= 0.0 {
                String::new()
            } else {
                signed_percent(after / before - 1.0)
            }
        };
        let all: Time = exposed(case).iter().map(|(_, t)| *t).sum();
        let memory = format!("{} GB", fixed(step.memory.peak.as_f64() / 1e9, 1));
        rows.push(vec![
            case.setting.name.clone(),
            unit.print(time(case)),
            relative(time(case), time(base)),
            fixed(step.rate_causal.get() / 1e12, 1),
            scaled(case.outcome.run.gpu_hours),
            relative(case.outcome.run.gpu_hours, base.outcome.run.gpu_hours),
            dollars(case.outcome.cost.run().get()),
            unit.print(seconds(step.breakdown.bubble)),
            unit.print(seconds(all)),
            if step.memory.fits() {
                memory
            } else {
                format!("{memory}, over")
            },
        ]);
    }
    let aligns = [
        Left, Right, Right, Right, Right, Right, Right, Right, Right, Right,
    ];
    out.push_str(&render(&rows, &aligns, 2));
}

fn one_difference(
    out: &mut String,
    answer: &Answer,
    baseline: &str,
    difference: &Difference,
    tables: bool,
    style: TextStyle,
) {
    let remark = if difference.settings.is_empty() {
        String::new()
    } else {
        listed(&difference.settings)
    };
    let title = format!("{} against {baseline}", difference.case);
    let _ = writeln!(out, "\n{}", style.bold(&title));
    if !remark.is_empty() {
        let _ = writeln!(out, "  {}", wrap(&remark, COLUMNS - 2, 2));
    }
    if tables {
        let mut rows = vec![vec![
            "measure".to_owned(),
            baseline.to_owned(),
            difference.case.clone(),
            "difference".to_owned(),
        ]];
        for metric in &difference.metrics {
            let mut row = metric.words.to_vec();
            row.push(signed_percent(metric.relative));
            rows.push(row);
        }
        out.push_str(&render(&rows, &[Left, Right, Right, Right, Right], 2));
    }
    let base = answer
        .cases
        .first()
        .map_or(0.0, |c| seconds(c.outcome.step.time));
    let unit = StepUnit::of(base);
    for (title, list) in [
        ("where in the step", &difference.by_part),
        ("by cause", &difference.by_cause),
    ] {
        let shown = if tables { list.len() } else { 3 };
        let head = [
            title,
            baseline,
            &difference.case,
            "difference",
            "of the step",
        ];
        let mut rows = vec![head.map(String::from).to_vec()];
        rows.extend(list.iter().take(shown).map(|c| contribution(c, base, unit)));
        out.push('\n');
        out.push_str(&render(&rows, &[Left, Right, Right, Right, Right], 2));
    }
}

fn contribution(c: &Contribution, base: f64, unit: StepUnit) -> Vec<String> {
    let share = if base > 0.0 {
        c.difference_s / base
    } else {
        0.0
    };
    vec![
        c.name.clone(),
        unit.print(c.baseline_s),
        unit.print(c.value_s),
        unit.print_signed(c.difference_s),
        signed_percent(share),
    ]
}
