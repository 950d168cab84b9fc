//! Errors by family of published runs, beside those of the best constant.
//!
//! In: a [`Report`]. Out: a line for each family of at least five runs, the best first, and
//! the same numbers as CSV. Never judges by runs of memory, which no constant predicts.

use super::DrawError;
use super::parity::{share, steps};
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, apart, colour, field, fitted, ticks, width,
};
use crate::answer::format::{count, fixed};
use crate::validate::statistics::quantile;
use crate::validate::{Family, Report};
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub(super) const NAME: &str = "error-by-family";

/// Runs of a family that is shown.
const FEWEST: usize = 5;
/// Runs of a family that counts in the title.
const ENOUGH: usize = 20;
/// Families that fit; those with the most runs are shown.
const MOST: usize = 60;
/// Height of a line.
const LINE: f64 = 26.0;
/// Height of the names above the first line.
const NAMES: f64 = 44.0;
/// Height of the axis.
const AXIS: f64 = 42.0;
/// Distance of either side's marks from the middle of the line.
const APART: f64 = 5.0;
/// Width of a column of numbers.
const COLUMN: f64 = 66.0;
/// Right end of the plot: numbers beyond the axis, then two columns.
const RIGHT: f64 = WIDTH - MARGIN - 2.0 * COLUMN - 68.0;

const PLAIN: Type = Type::new(12.5, colour::INK);
const BOLD: Type = PLAIN.bold();
const SMALL: Type = Type::new(12.0, colour::FAINT);
const OURS: RGBColor = colour::BLUE;
const THEIRS: RGBColor = colour::FAINT;

/// A family that is shown.
struct Line<'a> {
    of: &'a Family,
    /// Tenth percentile of its absolute errors.
    p10: f64,
}

impl Line<'_> {
    fn counts(&self) -> bool {
        self.of.rows >= ENOUGH
            && self.of.constant_mean.is_finite()
            && self.of.constant_p90.is_finite()
    }

    /// Strait is nearer than the best constant, by the mean and by the 90th percentile.
    fn nearer(&self) -> bool {
        self.of.mean < self.of.constant_mean && self.of.p90 < self.of.constant_p90
    }
}

/// The figure as SVG and CSV; `None` if no family has enough runs.
pub(super) fn draw(report: &Report, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let all = lines(report);
    if all.is_empty() {
        return Ok(None);
    }
    let shown = &all[..all.len().min(MOST)];
    let mut sorted: Vec<&Line<'_>> = shown.iter().collect();
    sorted.sort_by(|a, b| a.of.median.total_cmp(&b.of.median));
    let mut subtitle = format!(
        "Absolute error, in percent. Strait: dot at the median, line from the 10th to the 90th percentile. Best constant \
         utilisation fitted to each family: ring at the median, line to the 90th percentile. Nearer: a lower mean and a \
         lower 90th percentile. Bold: {ENOUGH} runs or more"
    );
    let few: Vec<_> = sorted.iter().filter(|line| line.of.rows < ENOUGH).collect();
    if !few.is_empty() {
        subtitle += &format!(
            "; of the {} smaller families, Strait is nearer in {}",
            few.len(),
            number(few.iter().filter(|line| line.nearer()).count())
        );
    }
    if all.len() > MOST {
        subtitle += &format!(
            " (the {MOST} largest of {} families)",
            count(all.len() as u64)
        );
    }
    let frame = Frame {
        title: title(&sorted),
        subtitle,
        source: source.to_owned(),
    };
    let height = NAMES + LINE * sorted.len() as f64 + AXIS;
    let svg = frame
        .draw(height, |canvas, top| body(canvas, top + NAMES, &sorted))
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(&all))))
}

/// Families with enough step times, the largest first.
fn lines(report: &Report) -> Vec<Line<'_>> {
    let rows = steps(report);
    let mut found: Vec<Line<'_>> = (report.families.iter())
        .filter_map(|of| {
            let errors: Vec<f64> = (rows.iter())
                .filter(|row| row.family == of.family)
                .map(|row| row.error.abs())
                .collect();
            let usable = errors.len() >= FEWEST
                && [of.mean, of.median, of.p90].iter().all(|e| e.is_finite());
            usable.then(|| Line {
                of,
                p10: quantile(&errors, 0.1),
            })
        })
        .collect();
    found.sort_by_key(|line| std::cmp::Reverse(line.of.rows));
    found
}

/// The finding in one sentence.
fn title(lines: &[&Line<'_>]) -> String {
    let counted: Vec<_> = lines.iter().filter(|line| line.counts()).collect();
    let nearer = counted.iter().filter(|line| line.nearer()).count();
    match (counted.len(), lines) {
        (0, [only]) => format!(
            "Half of the runs of {} are predicted within {}",
            only.of.family,
            share(only.of.median)
        ),
        (0, [first, .., last]) => format!(
            "Median errors of {} families lie between {} and {}",
            lines.len(),
            share(first.of.median),
            share(last.of.median)
        ),
        (0, []) => String::new(),
        (1, _) => format!(
            "In the one family of {ENOUGH} or more runs Strait is {}nearer than the best constant fitted to it",
            if nearer == 1 { "" } else { "not " }
        ),
        (all, _) => format!(
            "In {} of {all} families of {ENOUGH} or more runs Strait is nearer than the best constant fitted to them",
            number(nearer)
        ),
    }
}

fn number(of: usize) -> String {
    if of == 0 {
        "none".to_owned()
    } else {
        count(of as u64)
    }
}

/// Where the axis ends: most marks lie before it, and no few far ones squeeze the others.
fn end(lines: &[&Line<'_>]) -> f64 {
    let marks: Vec<f64> = (lines.iter())
        .flat_map(|line| {
            [
                line.of.median,
                line.of.p90,
                line.of.constant_median,
                line.of.constant_p90,
            ]
        })
        .filter(|mark| mark.is_finite())
        .collect();
    (quantile(&marks, 0.97) * 1.04).clamp(0.05, 1.0)
}

fn body(canvas: &Canvas<'_>, top: f64, lines: &[&Line<'_>]) -> Result<(), String> {
    let name = |line: &Line<'_>| if line.of.rows >= ENOUGH { BOLD } else { PLAIN };
    let runs = |line: &Line<'_>| format!("{} runs", count(line.of.rows as u64));
    let second = lines
        .iter()
        .map(|line| width(&runs(line), SMALL))
        .fold(0.0, f64::max);
    let first = (lines.iter())
        .map(|line| width(&line.of.family, name(line)))
        .fold(40.0, f64::max)
        .min(250.0);
    let left = MARGIN + first + 10.0 + second + 14.0;
    let end = end(lines);
    let scale = (RIGHT - left) / end;
    let bottom = top + LINE * lines.len() as f64;
    let (values, decimals) = ticks(end * 100.0, 6);
    for value in &values {
        let x = left + value / 100.0 * scale;
        canvas.line((x, top - 4.0), (x, bottom), 0.6, colour::RULE)?;
        canvas.text(
            x,
            bottom + 12.0,
            Anchor::Middle,
            SMALL,
            &fixed(*value, decimals),
        )?;
    }
    canvas.text(
        RIGHT,
        bottom + 30.0,
        Anchor::End,
        PLAIN,
        "Absolute error, percent",
    )?;
    heads(canvas, top, lines, &|value: f64| {
        left + value.min(end) * scale
    })?;
    for (index, line) in lines.iter().enumerate() {
        let y = top + LINE * (index as f64 + 0.5);
        let text = fitted(&line.of.family, name(line), first);
        canvas.text(MARGIN, y, Anchor::Start, name(line), &text)?;
        canvas.text(left - 14.0, y, Anchor::End, SMALL, &runs(line))?;
        let of = line.of;
        let plot = Plot {
            canvas,
            left,
            scale,
            end,
        };
        plot.marks(
            y + APART,
            [of.constant_median, of.constant_median, of.constant_p90],
            false,
        )?;
        plot.marks(y - APART, [line.p10, of.median, of.p90], true)?;
        for (column, mine, other) in [
            (1.0, of.mean, of.constant_mean),
            (0.0, of.constant_mean, of.mean),
        ] {
            let font = if mine < other { BOLD } else { PLAIN };
            let text = if mine.is_finite() {
                share(mine)
            } else {
                "-".to_owned()
            };
            let x = WIDTH - MARGIN - column * COLUMN;
            canvas.text(x, y, Anchor::End, font, &text)?;
        }
    }
    Ok(())
}

/// Names of both sides, tied to their marks on the first line, and of the columns.
fn heads(
    canvas: &Canvas<'_>,
    top: f64,
    lines: &[&Line<'_>],
    across: &dyn Fn(f64) -> f64,
) -> Result<(), String> {
    let Some(first) = lines.first() else {
        return Ok(());
    };
    let middle = top + LINE / 2.0;
    let mut sides = vec![("Strait", OURS, across(first.of.median), middle - APART)];
    if first.of.constant_median.is_finite() {
        let mark = across(first.of.constant_median);
        sides.push(("best constant", THEIRS, mark, middle + APART));
    }
    sides.sort_by(|a, b| a.2.total_cmp(&b.2));
    let sizes: Vec<_> = sides
        .iter()
        .map(|(text, _, x, _)| (*x, width(text, BOLD)))
        .collect();
    if let Some(centres) = apart(&sizes, across(0.0) - 30.0, RIGHT, 16.0) {
        for ((text, ink, x, y), centre) in sides.into_iter().zip(centres) {
            canvas.line((centre, top - 14.0), (x, y - 6.0), 0.9, ink)?;
            canvas.text(
                centre,
                top - 23.0,
                Anchor::Middle,
                Type {
                    colour: ink,
                    ..BOLD
                },
                text,
            )?;
        }
    }
    let ends = WIDTH - MARGIN;
    canvas.text(ends, top - 26.0, Anchor::End, SMALL, "Mean error")?;
    canvas.text(ends - COLUMN, top - 9.0, Anchor::End, SMALL, "Strait")?;
    canvas.text(ends, top - 9.0, Anchor::End, SMALL, "constant")
}

/// The space of marks.
struct Plot<'a, 'b> {
    canvas: &'a Canvas<'b>,
    left: f64,
    scale: f64,
    end: f64,
}

impl Plot<'_, '_> {
    /// A line from one value to another with a mark; what lies beyond the axis as an arrow.
    fn marks(&self, y: f64, [from, median, to]: [f64; 3], ours: bool) -> Result<(), String> {
        if ![from, median, to].iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let across = |value: f64| self.left + value.min(self.end) * self.scale;
        let (ink, rail, stroke) = if ours {
            (OURS, OURS, 2.0)
        } else {
            (THEIRS, colour::GREY, 1.4)
        };
        self.canvas
            .line((across(from), y), (across(to), y), stroke, rail)?;
        if to > self.end {
            let tip = RIGHT + 8.0;
            // Numbers are taller than lines are apart.
            let aside = if ours { -2.0 } else { 2.0 };
            self.canvas
                .area(&[(RIGHT, y - 4.5), (tip, y), (RIGHT, y + 4.5)], rail)?;
            let font = Type {
                colour: ink,
                ..SMALL
            };
            self.canvas
                .text(tip + 3.0, y + aside, Anchor::Start, font, &share(to))?;
        }
        if median > self.end {
            let text = format!("median {}", share(median));
            let long = width(&text, SMALL);
            self.canvas.rect(
                RIGHT - long - 14.0,
                y - 6.0,
                long + 6.0,
                12.0,
                colour::WHITE,
            )?;
            let font = Type {
                colour: ink,
                ..SMALL
            };
            self.canvas.text(RIGHT - 11.0, y, Anchor::End, font, &text)
        } else if ours {
            self.canvas.dot((across(median), y), 4.6, ink, 1.0)
        } else {
            self.canvas
                .dot((across(median), y), 3.8, colour::WHITE, 1.0)?;
            self.canvas.ring((across(median), y), 3.8, 1.5, ink)
        }
    }
}

fn csv(lines: &[Line<'_>]) -> String {
    let mut out = "family,rows,median,p10,p90,mean,bias,constant,constant_median,constant_p90,constant_mean\n".to_owned();
    for Line { of, p10 } in lines {
        let _ = writeln!(
            out,
            "{},{},{},{p10},{},{},{},{},{},{},{}",
            field(&of.family),
            of.rows,
            of.median,
            of.p90,
            of.mean,
            of.bias,
            of.constant,
            of.constant_median,
            of.constant_p90,
            of.constant_mean,
        );
    }
    out
}
