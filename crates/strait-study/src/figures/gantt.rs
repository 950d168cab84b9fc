//! One step of the pipeline: what each rank does when.
//!
//! In: the bars of one data-parallel replica. Out: a row for each pipeline rank, cases
//! stacked on one time axis, and the bars as CSV. Never shows more than [`PANELS`] cases.

use super::DrawError;
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, fitted, ink_on, source, ticks, width,
};
use crate::answer::format::{fixed, listed, percent};
use crate::answer::{Answer, CaseAnswer};
use plotters::style::RGBColor;
use std::fmt::Write;
use strait_training::outcome::{Bar, BarKind};
use strait_units::Time;

/// File name without ending.
pub(super) const NAME: &str = "pipeline";

/// Cases that fit on one figure.
const PANELS: usize = 2;
/// Height of the rows of a panel, before rounding.
const ROWS: f64 = 300.0;
/// Height of a panel's heading.
const HEADING: f64 = 26.0;
/// Space between panels.
const GAP: f64 = 18.0;
/// Height of the axis.
const AXIS: f64 = 26.0;
/// Height of the key.
const KEY: f64 = 26.0;
/// Left end of the rows.
const LEFT: f64 = MARGIN + 44.0;
/// Right end of the rows.
const RIGHT: f64 = WIDTH - MARGIN - 12.0;
/// Bars narrower than this (pixels) are drawn together with their neighbours of a kind.
const NARROW: f64 = 0.4;

const CASE: Type = Type::new(13.0, colour::INK).bold();
const REMARK: Type = Type::new(12.0, colour::FAINT);
const SMALL: Type = Type::new(10.5, colour::FAINT);

/// Kinds in the order of the key.
const KINDS: [BarKind; 6] = [
    BarKind::Forward,
    BarKind::Pair,
    BarKind::Backward,
    BarKind::BackwardInput,
    BarKind::BackwardWeight,
    BarKind::Optimizer,
];

fn look(kind: BarKind) -> (&'static str, &'static str, RGBColor) {
    match kind {
        BarKind::Forward => ("forward", "forward", colour::SKY),
        BarKind::Backward => ("backward", "backward", colour::NAVY),
        BarKind::BackwardInput => ("backward_input", "backward, inputs", colour::BLUE),
        BarKind::BackwardWeight => ("backward_weight", "backward, weights", colour::GREEN),
        BarKind::Pair => ("pair", "forward and backward overlapped", colour::ORANGE),
        BarKind::Optimizer => ("optimizer", "optimizer", colour::PURPLE),
    }
}

fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

/// The figure as SVG and CSV; `None` if no case has bars.
pub(super) fn draw(answer: &Answer, digest: &str) -> Result<Option<(String, String)>, DrawError> {
    let with_bars: Vec<&CaseAnswer> = (answer.cases.iter())
        .filter(|case| !case.outcome.step.bars.is_empty())
        .collect();
    let cases = &with_bars[..with_bars.len().min(PANELS)];
    if cases.is_empty() {
        return Ok(None);
    }
    let mut subtitle =
        "What each pipeline rank of one data-parallel replica does during a step; light grey is idle"
            .to_owned();
    if with_bars.len() > PANELS {
        subtitle += &format!(
            " (first {PANELS} of {} cases; choose others with --case)",
            with_bars.len()
        );
    }
    let frame = Frame {
        title: title(cases),
        subtitle,
        source: source(&answer.question, digest),
    };
    let panels: f64 = cases
        .iter()
        .map(|case| HEADING + rows_height(case) + GAP)
        .sum();
    let svg = frame
        .draw(KEY + panels + AXIS, |canvas, top| body(canvas, top, cases))
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(cases))))
}

fn ranks(case: &CaseAnswer) -> usize {
    let last = case
        .outcome
        .step
        .bars
        .iter()
        .map(|bar| bar.pipeline_rank)
        .max();
    last.map_or(0, |last| last as usize + 1)
}

/// Height of a row.
fn row(case: &CaseAnswer) -> f64 {
    (ROWS / ranks(case).max(1) as f64).clamp(4.0, 26.0)
}

fn rows_height(case: &CaseAnswer) -> f64 {
    row(case) * ranks(case) as f64
}

/// The end of what a panel shows.
fn end(case: &CaseAnswer) -> f64 {
    let last = case.outcome.step.bars.iter().map(|bar| bar.end).max();
    seconds(last.unwrap_or_default().max(case.outcome.step.time))
}

fn body(canvas: &Canvas<'_>, top: f64, cases: &[&CaseAnswer]) -> Result<(), String> {
    key(canvas, top, cases)?;
    let longest = cases.iter().map(|case| end(case)).fold(0.0, f64::max);
    if longest <= 0.0 {
        return Ok(());
    }
    let scale = (RIGHT - LEFT) / longest;
    let mut y = top + KEY;
    for case in cases {
        panel(canvas, y, case, scale)?;
        y += HEADING + rows_height(case) + GAP;
    }
    let y = y - GAP + 4.0;
    let (values, decimals) = ticks(longest, 8);
    canvas.line((LEFT, y), (RIGHT, y), 0.8, colour::FAINT)?;
    for (index, value) in values.iter().enumerate() {
        let x = LEFT + value * scale;
        canvas.line((x, y), (x, y + 4.0), 0.8, colour::FAINT)?;
        let unit = if index == 0 { " s" } else { "" };
        let text = format!("{}{unit}", fixed(*value, decimals));
        canvas.text(x, y + 13.0, Anchor::Middle, SMALL, &text)?;
    }
    Ok(())
}

/// The kinds that occur, each a patch of its colour with its name.
fn key(canvas: &Canvas<'_>, y: f64, cases: &[&CaseAnswer]) -> Result<(), String> {
    let mut x = LEFT;
    for kind in KINDS {
        let occurs = (cases.iter()).any(|c| c.outcome.step.bars.iter().any(|b| b.kind == kind));
        if !occurs {
            continue;
        }
        let (_, name, fill) = look(kind);
        canvas.rect(x, y, 12.0, 12.0, fill)?;
        canvas.text(x + 17.0, y + 6.0, Anchor::Start, REMARK, name)?;
        x += 17.0 + width(name, REMARK) + 18.0;
    }
    Ok(())
}

fn panel(canvas: &Canvas<'_>, top: f64, case: &CaseAnswer, scale: f64) -> Result<(), String> {
    let row = row(case);
    let all = ranks(case);
    let name = fitted(&case.setting.name, CASE, 260.0);
    canvas.text(LEFT, top + 12.0, Anchor::Start, CASE, &name)?;
    let x = LEFT + width(&name, CASE) + 14.0;
    let time = seconds(case.outcome.step.time);
    let remark = format!(
        "{} s, {} bubble; {}",
        fixed(time, if time >= 1.0 { 2 } else { 4 }),
        bubble(case),
        case.setting.layout()
    );
    let remark = fitted(&remark, REMARK, RIGHT - x);
    canvas.text(x, top + 12.0, Anchor::Start, REMARK, &remark)?;
    let top = top + HEADING;
    // Ranks are named as often as their names have room.
    let every = (1..).find(|n| row * f64::from(*n) >= 12.0).unwrap_or(1) as usize;
    for rank in 0..all {
        let y = top + rank as f64 * row;
        // What no bar covers is idle, up to the end of the step.
        let inset = if row > 8.0 { 1.0 } else { 0.4 };
        let length = time * scale;
        canvas.rect(LEFT, y + inset, length, row - 2.0 * inset, colour::GROUND)?;
        if rank % every == 0 {
            let name = if rank == 0 {
                format!("rank {rank}")
            } else {
                rank.to_string()
            };
            canvas.text(LEFT - 6.0, y + row / 2.0, Anchor::End, SMALL, &name)?;
        }
    }
    for rank in 0..all {
        let y = top + rank as f64 * row;
        let mine = bars(case).filter(|b| b.pipeline_rank as usize == rank);
        for run in runs(mine, scale) {
            draw_run(canvas, y, row, &run, scale)?;
        }
    }
    let x = LEFT + time * scale;
    let bottom = top + row * all as f64;
    canvas.line((x, top - 3.0), (x, bottom + 3.0), 1.2, colour::INK)
}

/// The bars of a case, as the parts of the step count them: a rank that is done with its chunks
/// is idle until the last chunk of all ranks has ended, and only then in the optimizer.
fn bars(case: &CaseAnswer) -> impl Iterator<Item = Bar> {
    let step = &case.outcome.step;
    let optimizer = step.time.saturating_sub(step.breakdown.optimizer);
    step.bars.iter().map(move |bar| match bar.kind {
        BarKind::Optimizer => Bar {
            start: bar.start.max(optimizer).min(bar.end),
            ..*bar
        },
        _ => *bar,
    })
}

/// Bars drawn as one: of a kind, touching, and too narrow to be told apart.
struct Run {
    kind: BarKind,
    micro_batch: u32,
    start: f64,
    end: f64,
    single: bool,
}

fn runs(bars: impl Iterator<Item = Bar>, scale: f64) -> Vec<Run> {
    let mut bars: Vec<Bar> = bars.collect();
    bars.sort_by_key(|bar| (bar.start, bar.end));
    let mut runs: Vec<Run> = Vec::new();
    for bar in bars {
        let (start, end) = (seconds(bar.start), seconds(bar.end));
        if let Some(last) = runs.last_mut() {
            let narrow = (end - start) * scale < NARROW && (start - last.end) * scale < NARROW;
            if narrow && last.kind == bar.kind {
                last.end = end.max(last.end);
                last.single = false;
                continue;
            }
        }
        runs.push(Run {
            kind: bar.kind,
            micro_batch: bar.micro_batch,
            start,
            end,
            single: true,
        });
    }
    runs
}

fn draw_run(canvas: &Canvas<'_>, y: f64, row: f64, run: &Run, scale: f64) -> Result<(), String> {
    let (_, _, fill) = look(run.kind);
    let x = LEFT + run.start * scale;
    let length = ((run.end - run.start) * scale).max(0.15);
    // Gaps of a pixel tell wide bars apart; narrow ones would drown in them.
    let seam = if length > 4.0 { 0.6 } else { length * 0.15 };
    let inset = if row > 8.0 { 1.0 } else { 0.4 };
    canvas.rect(x, y + inset, length - seam, row - 2.0 * inset, fill)?;
    let font = Type::new(9.0, ink_on(fill));
    let number = run.micro_batch.to_string();
    let roomy = length > width(&number, font) + 3.0 && row >= 12.0;
    if roomy && run.single && run.kind != BarKind::Optimizer {
        canvas.text(
            x + length / 2.0,
            y + row / 2.0,
            Anchor::Middle,
            font,
            &number,
        )?;
    }
    Ok(())
}

fn bubble(case: &CaseAnswer) -> String {
    let step = &case.outcome.step;
    percent(seconds(step.breakdown.bubble) / seconds(step.time).max(1e-12))
}

/// The finding in one sentence.
fn title(cases: &[&CaseAnswer]) -> String {
    let who = if cases.iter().all(|case| ranks(case) == 1) {
        "Without a pipeline, ranks wait for the slowest of them for"
    } else {
        "Pipeline ranks have nothing to do for"
    };
    let shares: Vec<String> = (cases.iter())
        .map(|case| format!("{} of the step on {}", bubble(case), case.setting.name))
        .collect();
    let mut text = format!("{who} {}", listed(&shares));
    if let [first, second] = cases {
        let (base, other) = (
            seconds(first.outcome.step.time),
            seconds(second.outcome.step.time),
        );
        let change = other / base - 1.0;
        if change.is_finite() && change.abs() >= 5e-4 {
            let how = if change > 0.0 { "longer" } else { "shorter" };
            let share = percent(change.abs());
            text += &format!(", whose step is {share} {how}");
        }
    }
    text
}

fn csv(cases: &[&CaseAnswer]) -> String {
    let mut out = "case,pipeline_rank,kind,micro_batch,start_s,end_s\n".to_owned();
    for case in cases {
        for bar in bars(case) {
            let _ = writeln!(
                out,
                "{},{},{},{},{},{}",
                field(&case.setting.name),
                bar.pipeline_rank,
                look(bar.kind).0,
                bar.micro_batch,
                seconds(bar.start),
                seconds(bar.end),
            );
        }
    }
    out
}
