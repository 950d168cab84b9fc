//! What each rule costs: days of the same training on what a rule leaves.
//!
//! In: a [`Cost`]. Out: for each rule set a line for the best accelerator without rules and for each kind of
//! what is left, on a logarithmic axis of days, and the same numbers as CSV. Never ranks rules.

use super::DrawError;
use super::theme::{Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, fitted};
use crate::answer::format::{count, fixed, listed};
use crate::rules::cost::{Cost, Plan, RuleCost};
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub(super) const NAME: &str = "rules-cost";

/// Height of a line.
const LINE: f64 = 21.0;
/// Height of a rule's heading.
const HEADING: f64 = 27.0;
/// Room below a rule.
const GAP: f64 = 8.0;
/// Height of the axis.
const AXIS: f64 = 40.0;
/// Widths of the columns left of the plot: the kind, then the chip.
const KIND: f64 = 112.0;
const CHIP: f64 = 218.0;
/// Width of the numbers right of the plot.
const NUMBERS: f64 = 128.0;

const PLAIN: Type = Type::new(12.0, colour::INK);
const FAINT: Type = Type::new(12.0, colour::FAINT);
const BOLD: Type = Type::new(13.0, colour::INK).bold();

/// A line of the figure.
struct Row<'a> {
    kind: &'static str,
    plan: &'a Plan,
    ink: RGBColor,
    /// The base of the rule: a ring.
    base: bool,
}

fn rows(rule: &RuleCost) -> Vec<Row<'_>> {
    let kinds: [(&'static str, Option<&Plan>, RGBColor, bool); 6] = [
        (
            "without rules",
            rule.unconstrained.as_ref(),
            colour::FAINT,
            true,
        ),
        ("case by case", rule.licensed.as_ref(), colour::GREEN, false),
        (
            "designable",
            rule.designable.as_ref().map(|d| &d.plan),
            colour::BLUE,
            false,
        ),
        ("free", rule.permitted.as_ref(), colour::ORANGE, false),
        (
            "after notice",
            rule.notified.as_ref(),
            colour::PURPLE,
            false,
        ),
        (
            "not a US export",
            rule.domestic.as_ref(),
            colour::NAVY,
            false,
        ),
    ];
    (kinds.into_iter())
        .filter_map(|(kind, plan, ink, base)| {
            let plan = plan.filter(|p| p.days.is_finite() && p.days > 0.0)?;
            Some(Row {
                kind,
                plan,
                ink,
                base,
            })
        })
        .collect()
}

/// The figure as SVG and CSV; `None` without any run.
pub(super) fn draw(cost: &Cost, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let blocks: Vec<(&RuleCost, Vec<Row<'_>>)> = (cost.rules.iter())
        .map(|rule| (rule, rows(rule)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let days = blocks
        .iter()
        .flat_map(|(_, rows)| rows.iter().map(|r| r.plan.days));
    let (low, high) = days.fold((f64::INFINITY, 0.0_f64), |(l, h), d| (l.min(d), h.max(d)));
    if blocks.is_empty() {
        return Ok(None);
    }
    let frame = Frame {
        title: title(cost),
        subtitle: format!(
            "Days to train {} on {} accelerators, logarithmic, each chip in the best layout found for it, without \
             chance; times over the best accelerator on sale while the rule was the last word",
            cost.model,
            count(u64::from(cost.accelerators))
        ),
        source: source.to_owned(),
    };
    let lines: usize = blocks.iter().map(|(_, rows)| rows.len()).sum();
    let height = lines as f64 * LINE + blocks.len() as f64 * (HEADING + GAP) + AXIS;
    let svg = frame
        .draw(height, |canvas, top| {
            body(canvas, top, height, &blocks, (low, high))
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(cost, &blocks))))
}

/// The finding: what each rule multiplies the days by on what may be sold freely.
fn title(cost: &Cost) -> String {
    let times: Vec<String> = (cost.rules.iter())
        .filter_map(|rule| {
            let ratio = rule.permitted.as_ref()?.days / rule.base()?.days;
            let decimals = match ratio {
                r if r < 1.995 => 2,
                r if r < 9.95 => 1,
                _ => 0,
            };
            Some(format!("{} ({})", fixed(ratio, decimals), year(rule)))
        })
        .collect();
    match times.len() {
        0 => format!(
            "No rule leaves an accelerator on which {} can be trained",
            cost.model
        ),
        _ => format!(
            "On what may be sold freely {} takes {} times the days of the best there is",
            cost.model,
            listed(&times)
        ),
    }
}

fn year(rule: &RuleCost) -> String {
    match &rule.date {
        Some(date) => date.get(..4).unwrap_or(date).to_owned(),
        None => rule.id.clone(),
    }
}

fn body(
    canvas: &Canvas<'_>,
    top: f64,
    height: f64,
    blocks: &[(&RuleCost, Vec<Row<'_>>)],
    (low, high): (f64, f64),
) -> Result<(), String> {
    let left = MARGIN + KIND + CHIP + 12.0;
    let right = WIDTH - MARGIN - NUMBERS;
    // A twentieth of a decade beyond both ends.
    let (from, to) = (libm::log10(low) - 0.08, libm::log10(high) + 0.05);
    let x = |days: f64| left + (libm::log10(days) - from) / (to - from) * (right - left);
    let bottom = top + height - AXIS;
    for tick in round_days(low, high) {
        canvas.line((x(tick), top), (x(tick), bottom), 0.6, colour::RULE)?;
        canvas.text(
            x(tick),
            bottom + 12.0,
            Anchor::Middle,
            FAINT,
            &significant_days(tick),
        )?;
    }
    canvas.text(
        (left + right) / 2.0,
        bottom + 29.0,
        Anchor::Middle,
        FAINT,
        "days of the whole run",
    )?;
    let mut y = top;
    for (rule, rows) in blocks {
        let date = rule.date.as_deref().unwrap_or("");
        let heading = format!("{date}   {}", rule.title);
        canvas.text(
            MARGIN,
            y + HEADING / 2.0 + 2.0,
            Anchor::Start,
            BOLD,
            heading.trim(),
        )?;
        y += HEADING;
        let base = rows.iter().find(|r| r.base).map(|r| r.plan.days);
        for row in rows {
            let middle = y + LINE / 2.0;
            canvas.text(MARGIN + 12.0, middle, Anchor::Start, FAINT, row.kind)?;
            let name = fitted(&row.plan.name, PLAIN, CHIP - 8.0);
            canvas.text(MARGIN + KIND + 12.0, middle, Anchor::Start, PLAIN, &name)?;
            let at = (x(row.plan.days), middle);
            if let Some(base) = base
                && !row.base
            {
                canvas.line((x(base), middle), at, 2.0, row.ink)?;
            }
            if row.base {
                canvas.ring(at, 4.5, 1.8, row.ink)?;
            } else {
                canvas.dot(at, 5.0, row.ink, 1.0)?;
            }
            let numbers = match base.filter(|_| !row.base) {
                Some(base) => format!(
                    "{} days, {}×",
                    significant_days(row.plan.days),
                    fixed(
                        row.plan.days / base,
                        if row.plan.days / base < 9.95 { 2 } else { 1 }
                    )
                ),
                None => format!("{} days", significant_days(row.plan.days)),
            };
            canvas.text(WIDTH - MARGIN, middle, Anchor::End, PLAIN, &numbers)?;
            y += LINE;
        }
        y += GAP;
    }
    Ok(())
}

/// Days with as many decimals as tell.
fn significant_days(days: f64) -> String {
    fixed(
        days,
        if days < 99.95 && days.fract() != 0.0 {
            1
        } else {
            0
        },
    )
}

/// 1, 2 and 5 of each decade within the range.
fn round_days(low: f64, high: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut decade = 1e-3;
    while decade <= high * 1.2 {
        for step in [1.0, 2.0, 5.0] {
            let tick = decade * step;
            if tick >= low * 0.85 && tick <= high * 1.12 {
                ticks.push(tick);
            }
        }
        decade *= 10.0;
    }
    ticks
}

fn csv(cost: &Cost, blocks: &[(&RuleCost, Vec<Row<'_>>)]) -> String {
    let mut out = String::from(
        "rule,date,option,accelerator,name,precision,layout,accelerators,days,times,gpu_hours,cost_usd,cost_basis,energy_mwh\n",
    );
    for (rule, rows) in blocks {
        let base = rule.base().map(|p| p.days);
        for row in rows {
            let plan = row.plan;
            let _ = writeln!(
                out,
                "{},{},{},{},{},{},{},{},{:.3},{},{:.0},{},{},{:.1}",
                field(&rule.id),
                rule.date.as_deref().unwrap_or(""),
                row.kind,
                field(&plan.accelerator),
                field(&plan.name),
                plan.recipe,
                field(&plan.layout),
                cost.accelerators,
                plan.days,
                base.map_or(String::new(), |base| format!("{:.4}", plan.days / base)),
                plan.gpu_hours,
                plan.cost
                    .map_or(String::new(), |c| format!("{:.0}", c.get())),
                plan.basis.word(),
                plan.energy.get() / 3.6e9
            );
        }
    }
    out
}
