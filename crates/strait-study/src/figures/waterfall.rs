//! From the run to all that it took: what each line adds to the cost.
//!
//! In: an [`Answer`]. Out: one bar for each part of the cost, each beginning where the one before ends, with
//! the ends of its range as a whisker, and the same numbers as CSV. Never draws a case without lines.

use super::DrawError;
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, fitted, source, ticks, width,
};
use crate::answer::format::{dollars, fixed, percent};
use crate::answer::{Answer, CaseAnswer};
use plotters::style::RGBColor;
use std::fmt::Write;
use strait_training::outcome::{CostKind, CostOutcome};
use strait_training::price::{Basis, LineKind};

/// File name without ending.
pub(super) const NAME: &str = "cost-waterfall";

const ROW: Type = Type::new(12.5, colour::INK);
const WHOLE: Type = Type::new(12.5, colour::INK).bold();
const SMALL: Type = Type::new(10.5, colour::FAINT);

/// Height of a bar.
const BAR: f64 = 22.0;
/// From one bar to the next.
const STEP: f64 = 40.0;
/// Height of the axis.
const AXIS: f64 = 28.0;
/// Room for a value behind the longest whisker.
const VALUE: f64 = 92.0;
/// Longest name of a line.
const NAMES: f64 = 260.0;

/// A bar from `from` on.
struct Row {
    name: String,
    kind: Option<CostKind>,
    from: f64,
    low: f64,
    value: f64,
    high: f64,
}

/// The figure as SVG and CSV, of the first case that has lines beyond its run; `None` if none has.
pub(super) fn draw(answer: &Answer, digest: &str) -> Result<Option<(String, String)>, DrawError> {
    let Some(case) = answer.cases.iter().find(|case| {
        let cost = &case.outcome.cost;
        cost.has_lines() && cost.total().get() > 0.0
    }) else {
        return Ok(None);
    };
    let cost = &case.outcome.cost;
    let rows = rows(cost);
    let several = answer.cases.len() > 1;
    let frame = Frame {
        title: title(case),
        subtitle: format!(
            "Cost in million US dollars by part, each from where the one above ends. Whiskers: a part with its own ranges \
             at their cheap and dear ends; the total with all of them at one end, which is no interval of a probability{}",
            match several {
                true => format!(". Case {}", case.setting.name),
                false => String::new(),
            }
        ),
        source: format!(
            "Lines beyond the run are assumptions or findings of others, named in {NAME}.csv; they are not simulated. {}",
            source(&answer.question, digest)
        ),
    };
    let height = STEP * rows.len() as f64 + AXIS;
    let svg = frame
        .draw(height, |canvas, top| body(canvas, top, &rows))
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(cost))))
}

/// The run (one bar, or one for each of its parts and their sum), each line, everything.
fn rows(cost: &CostOutcome) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut at = 0.0;
    let parts = cost.parts.iter().filter(|part| part.kind.of_run()).count();
    let mut run = (0.0, 0.0, 0.0);
    for part in &cost.parts {
        let (low, value, high) = (part.low.get(), part.money.get(), part.high.get());
        if !part.kind.of_run() && parts > 1 && run.1 > 0.0 {
            rows.push(whole("the run", run));
            run = (0.0, 0.0, 0.0);
        }
        rows.push(Row {
            name: part.name.clone(),
            kind: Some(part.kind),
            from: at,
            low,
            value,
            high,
        });
        at += value;
        if part.kind.of_run() {
            run = (run.0 + low, run.1 + value, run.2 + high);
        }
    }
    let all = (cost.low.get(), cost.total().get(), cost.high.get());
    rows.push(whole("all that it took", all));
    rows
}

/// A sum so far, from nothing on.
fn whole(name: &str, (low, value, high): (f64, f64, f64)) -> Row {
    Row {
        name: name.to_owned(),
        kind: None,
        from: 0.0,
        low,
        value,
        high,
    }
}

fn fill(kind: Option<CostKind>) -> RGBColor {
    match kind {
        None => colour::NAVY,
        Some(CostKind::Line(LineKind::Staff)) => colour::PURPLE,
        Some(CostKind::Line(LineKind::IdleTime)) | Some(CostKind::Idle) => colour::GREY,
        Some(CostKind::Line(LineKind::Data)) => colour::GREEN,
        Some(CostKind::Line(_)) => colour::ORANGE,
        Some(_) => colour::BLUE,
    }
}

fn body(canvas: &Canvas<'_>, top: f64, rows: &[Row]) -> Result<(), String> {
    let longest = rows.iter().map(|row| row.from + row.high.max(row.value));
    let longest = longest.fold(0.0, f64::max) / 1e6;
    let font = |row: &Row| if row.kind.is_none() { WHOLE } else { ROW };
    let label = (rows.iter().map(|row| width(&row.name, font(row))))
        .fold(60.0, f64::max)
        .min(NAMES);
    let left = MARGIN + label + 12.0;
    let right = WIDTH - MARGIN - VALUE;
    let scale = (right - left) / longest;
    let bottom = top + STEP * rows.len() as f64;
    let (values, decimals) = ticks(longest, 8);
    for value in &values {
        let x = left + value * scale;
        canvas.line((x, top), (x, bottom), 0.6, colour::RULE)?;
        let text = fixed(*value, decimals);
        canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &text)?;
    }
    canvas.text(
        right + 12.0,
        bottom + 12.0,
        Anchor::Start,
        SMALL,
        "million USD",
    )?;
    for (index, row) in rows.iter().enumerate() {
        let y = top + STEP * index as f64 + (STEP - BAR) / 2.0;
        let middle = y + BAR / 2.0;
        let x = |value: f64| left + value / 1e6 * scale;
        let name = fitted(&row.name, font(row), label);
        canvas.text(left - 10.0, middle, Anchor::End, font(row), &name)?;
        let long = (x(row.from + row.value) - x(row.from)).max(1.0);
        canvas.rect(x(row.from), y, long, BAR, fill(row.kind))?;
        let end = row.from + row.value;
        if let Some(next) = rows.get(index + 1)
            && next.kind.is_some()
        {
            // Where the next one begins.
            canvas.line((x(end), y + BAR), (x(end), y + STEP), 0.8, colour::FAINT)?;
        }
        let mut last = x(end);
        if row.low < row.high {
            let (from, to) = (x(row.from + row.low), x(row.from + row.high));
            // White under it keeps it visible on a dark bar.
            for (stroke, ink) in [(4.0, colour::WHITE), (1.4, colour::INK)] {
                canvas.line((from, middle), (to, middle), stroke, ink)?;
                for at in [from, to] {
                    canvas.line((at, middle - 5.0), (at, middle + 5.0), stroke, ink)?;
                }
            }
            last = last.max(to);
        }
        let text = dollars(row.value);
        if row.low < row.high {
            canvas.text(last + 8.0, middle - 7.0, Anchor::Start, font(row), &text)?;
            let ends = format!("{} to {}", short(row.low), short(row.high));
            canvas.text(last + 8.0, middle + 7.0, Anchor::Start, SMALL, &ends)?;
        } else {
            canvas.text(last + 8.0, middle, Anchor::Start, font(row), &text)?;
        }
    }
    Ok(())
}

/// Millions, short enough for the end of a whisker.
fn short(value: f64) -> String {
    let millions = value / 1e6;
    fixed(millions, if millions < 10.0 { 2 } else { 0 })
}

/// The finding in one sentence.
fn title(case: &CaseAnswer) -> String {
    let cost = &case.outcome.cost;
    let (run, total) = (cost.run().get(), cost.total().get());
    let how = match cost.basis {
        Basis::Rent => format!("rented at {}", case.setting.rent),
        Basis::Own => "on owned hardware".to_owned(),
    };
    // A number stays on the line of its unit.
    let money = |value: f64| dollars(value).replace(' ', "\u{a0}");
    let mut text = format!(
        "{}: the final run, {how}, is {} or {} of what it took by these lines, {}",
        case.setting.model,
        money(run),
        percent(run / total),
        money(total)
    );
    if cost.low < cost.high {
        let ends = [cost.low, cost.high].map(|end| money(end.get()));
        text += &format!(" ({} to {})", ends[0], ends[1]);
    }
    text
}

fn csv(cost: &CostOutcome) -> String {
    let mut out = "part,kind,low_usd,value_usd,high_usd,why,source\n".to_owned();
    for part in &cost.parts {
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{}",
            field(&part.name),
            part.kind.word(),
            part.low.get(),
            part.money.get(),
            part.high.get(),
            field(&part.why),
            field(&part.source)
        );
    }
    out
}
