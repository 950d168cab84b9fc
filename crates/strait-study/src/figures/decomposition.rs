//! Where the time of a step goes, case beside case.
//!
//! In: an [`Answer`]. Out: one stacked bar for each case, and the same numbers as CSV.
//! Never rescales a bar: all cases share one axis.

use super::DrawError;
use super::marks::UNFIT;
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, apart, colour, field, fitted, ink_on, source,
    ticks, width,
};
use crate::answer::format::{fixed, percent, signed_percent};
use crate::answer::{Answer, CaseAnswer, Comparison};
use crate::verdict::Part;
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub(super) const NAME: &str = "step-decomposition";

const CASE: Type = Type::new(13.0, colour::INK).bold();
const HARDWARE: Type = Type::new(10.5, colour::FAINT);
const PART: Type = Type::new(12.0, colour::INK);
const VALUE: Type = Type::new(12.0, colour::INK);
const SMALL: Type = Type::new(10.5, colour::FAINT);

/// Height of a bar.
const BAR: f64 = 34.0;
/// Height of the names above a bar.
const NAMES: f64 = 30.0;
/// Height of small values under a bar, with the space to the next.
const UNDER: f64 = 34.0;
/// Room for the total at the end of a bar.
const TOTAL: f64 = 120.0;
/// Share of the longest bar from which on the parts of a bar can be told apart.
const LEGIBLE: f64 = 0.2;
/// Height of the axis.
const AXIS: f64 = 26.0;

fn fill(part: Part) -> RGBColor {
    match part {
        Part::Forward => colour::SKY,
        Part::BackwardInput => colour::BLUE,
        Part::BackwardWeight => colour::GREEN,
        Part::Overlapped => colour::ORANGE,
        Part::Bubble => colour::GREY,
        Part::Optimizer => colour::PURPLE,
        Part::Other => colour::FAINT,
    }
}

fn seconds(case: &CaseAnswer) -> f64 {
    case.outcome.step.time.picos() as f64 / 1e12
}

/// What is said beside the name of a case that the memory of its accelerators has no room for.
fn unfit(case: &CaseAnswer) -> &'static str {
    match case.outcome.step.memory.fits() {
        true => "",
        false => UNFIT,
    }
}

fn part_seconds(case: &CaseAnswer, part: Part) -> f64 {
    part.time(&case.outcome).picos() as f64 / 1e12
}

/// The figure as SVG and CSV; `None` if no case has a step.
pub(super) fn draw(answer: &Answer, digest: &str) -> Result<Option<(String, String)>, DrawError> {
    let longest = answer.cases.iter().map(seconds).fold(0.0, f64::max);
    if longest <= 0.0 {
        return Ok(None);
    }
    let frame = Frame {
        title: title(answer),
        subtitle: "Time of one optimizer step by part, in seconds, mean over ranks".to_owned(),
        source: source(&answer.question, digest),
    };
    let names = naming(answer, longest);
    let height = AXIS
        + (names.iter())
            .map(|new| BAR + UNDER + if new.is_empty() { 0.0 } else { NAMES })
            .sum::<f64>();
    let svg = frame
        .draw(height, |canvas, top| {
            body(canvas, top, answer, &names, longest)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(answer))))
}

/// For each case the parts that are named above its bar: each part once, at the first bar that
/// has it and is long enough to tell parts apart, else at the first that has it.
fn naming(answer: &Answer, longest: f64) -> Vec<Vec<Part>> {
    let mut names = vec![Vec::new(); answer.cases.len()];
    let has = |case: &CaseAnswer, part| part_seconds(case, part) > 0.004 * seconds(case);
    for part in Part::ALL {
        let long = |case: &CaseAnswer| seconds(case) > LEGIBLE * longest && has(case, part);
        let found = (answer.cases.iter().position(long))
            .or_else(|| answer.cases.iter().position(|case| has(case, part)));
        if let Some(index) = found {
            names[index].push(part);
        }
    }
    names
}

fn body(
    canvas: &Canvas<'_>,
    top: f64,
    answer: &Answer,
    names: &[Vec<Part>],
    longest: f64,
) -> Result<(), String> {
    let label = (answer.cases.iter())
        .flat_map(|case| {
            [
                width(&case.setting.name, CASE) + width(unfit(case), CASE),
                width(&hardware(case), HARDWARE),
            ]
        })
        .fold(40.0, f64::max)
        .min(190.0);
    let left = MARGIN + label + 14.0;
    let right = WIDTH - MARGIN - TOTAL;
    let scale = (right - left) / longest;
    let bottom = top
        + (names.iter())
            .map(|new| BAR + UNDER + if new.is_empty() { 0.0 } else { NAMES })
            .sum::<f64>();
    let (values, decimals) = ticks(longest, 8);
    for value in &values {
        let x = left + value * scale;
        canvas.line((x, top), (x, bottom), 0.6, colour::RULE)?;
        let text = fixed(*value, decimals);
        canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &text)?;
    }
    canvas.text(right + 12.0, bottom + 12.0, Anchor::Start, SMALL, "seconds")?;
    let mut y = top;
    for (index, case) in answer.cases.iter().enumerate() {
        if !names[index].is_empty() {
            part_names(
                canvas,
                (left, right + TOTAL - 8.0),
                y,
                case,
                &names[index],
                scale,
            )?;
            y += NAMES;
        }
        let x = left - 12.0;
        let mark = unfit(case);
        let name = fitted(&case.setting.name, CASE, label - width(mark, CASE)) + mark;
        canvas.text(x, y + BAR / 2.0 - 7.0, Anchor::End, CASE, &name)?;
        let name = fitted(&hardware(case), HARDWARE, label);
        canvas.text(x, y + BAR / 2.0 + 9.0, Anchor::End, HARDWARE, &name)?;
        bar(canvas, (left, right + TOTAL - 8.0), y, case, scale)?;
        let end = left + seconds(case) * scale + 8.0;
        let total = format!("{} s", fixed(seconds(case), digits(longest)));
        let middle = y + BAR / 2.0;
        let base = answer.cases.first().map_or(0.0, seconds);
        if index == 0 || base <= 0.0 {
            canvas.text(end, middle, Anchor::Start, CASE, &total)?;
        } else {
            canvas.text(end, middle - 7.0, Anchor::Start, CASE, &total)?;
            let change = against(seconds(case) / base);
            canvas.text(end, middle + 9.0, Anchor::Start, SMALL, &change)?;
        }
        y += BAR + UNDER;
    }
    Ok(())
}

fn hardware(case: &CaseAnswer) -> String {
    let ranks = crate::answer::format::count(u64::from(case.setting.ranks));
    format!("{ranks} {}", case.setting.accelerator)
}

/// Decimals of values on an axis that reaches `longest` seconds.
fn digits(longest: f64) -> usize {
    if longest >= 1.0 { 2 } else { 4 }
}

/// Segments from left to right: part, start and length in pixels.
fn segments(case: &CaseAnswer, left: f64, scale: f64) -> Vec<(Part, f64, f64)> {
    let mut x = left;
    (Part::ALL.into_iter())
        .map(|part| {
            let length = part_seconds(case, part) * scale;
            x += length;
            (part, x - length, length)
        })
        .collect()
}

/// Names above the bar that shows a part first, moved apart, tied to their segments.
fn part_names(
    canvas: &Canvas<'_>,
    (left, right): (f64, f64),
    y: f64,
    case: &CaseAnswer,
    names: &[Part],
    scale: f64,
) -> Result<(), String> {
    let wished: Vec<(Part, f64, f64)> = (segments(case, left, scale).into_iter())
        .filter(|(part, _, _)| names.contains(part))
        .map(|(part, x, length)| (part, x + length / 2.0, width(part.name(), PART)))
        .collect();
    let sizes: Vec<(f64, f64)> = wished.iter().map(|(_, x, w)| (*x, *w)).collect();
    let Some(centres) = apart(&sizes, left, right, 10.0) else {
        return Ok(());
    };
    for ((part, x, _), centre) in wished.into_iter().zip(centres) {
        canvas.text(centre, y + 8.0, Anchor::Middle, PART, part.name())?;
        canvas.line((centre, y + 17.0), (x, y + NAMES - 2.0), 0.8, colour::FAINT)?;
    }
    Ok(())
}

/// One stacked bar; values inside where they fit, under it where not.
fn bar(
    canvas: &Canvas<'_>,
    (left, right): (f64, f64),
    y: f64,
    case: &CaseAnswer,
    scale: f64,
) -> Result<(), String> {
    let mut under: Vec<(f64, f64, String)> = Vec::new();
    let step = seconds(case);
    for (part, x, length) in segments(case, left, scale) {
        if length <= 0.0 {
            continue;
        }
        canvas.rect(x, y, length, BAR, fill(part))?;
        if length > 3.0 {
            // A hair of white between neighbours.
            canvas.line((x + length, y), (x + length, y + BAR), 0.7, colour::WHITE)?;
        }
        let value = part_seconds(case, part);
        let text = fixed(value, digits(step));
        let font = Type {
            colour: ink_on(fill(part)),
            ..VALUE
        };
        if width(&text, font) + 6.0 <= length {
            canvas.text(x + length / 2.0, y + BAR / 2.0, Anchor::Middle, font, &text)?;
        } else if value > 0.002 * step {
            under.push((x + length / 2.0, width(&text, SMALL), text));
        }
    }
    let sizes: Vec<(f64, f64)> = under.iter().map(|(x, w, _)| (*x, *w)).collect();
    if step * scale < sizes.iter().map(|(_, w)| w).sum::<f64>() / 2.0 {
        // Values would spread far beyond the bar; the data beside the figure has them.
        return Ok(());
    }
    if let Some(centres) = apart(&sizes, left, right, 6.0) {
        for ((x, _, text), centre) in under.iter().zip(centres) {
            canvas.line(
                (*x, y + BAR + 1.0),
                (centre, y + BAR + 7.0),
                0.8,
                colour::FAINT,
            )?;
            canvas.text(centre, y + BAR + 14.0, Anchor::Middle, SMALL, text)?;
        }
    }
    Ok(())
}

/// A ratio of steps as a change, or in times where a percentage would be unreadable.
fn against(ratio: f64) -> String {
    if ratio >= 3.0 {
        format!("{} times", fixed(ratio, 1))
    } else {
        signed_percent(ratio - 1.0)
    }
}

/// The finding in one sentence.
fn title(answer: &Answer) -> String {
    let Some(first) = answer.cases.first() else {
        return String::new();
    };
    if answer.cases.len() == 1 {
        let step = seconds(first);
        let mut parts = Part::ALL.to_vec();
        parts.sort_by_key(|part| std::cmp::Reverse(part.time(&first.outcome)));
        let share = |part: Part| percent(part_seconds(first, part) / step);
        let mut text = format!(
            "{} on {}: {} of the step in {}",
            first.setting.model,
            hardware(first),
            share(parts[0]),
            parts[0].name(),
        );
        if parts[0] != Part::Bubble && part_seconds(first, Part::Bubble) > 0.0 {
            text += &format!(", {} in the bubble", share(Part::Bubble));
        }
        return text;
    }
    let Some(comparison) = Comparison::new(answer) else {
        return String::new();
    };
    let change = |case: &CaseAnswer| seconds(case) / seconds(first) - 1.0;
    let widest = (answer.cases.iter().zip(
        // The baseline has no difference from itself.
        std::iter::once(None).chain(comparison.differences.iter().map(Some)),
    ))
    .filter_map(|(case, difference)| Some((case, difference?)))
    .filter(|(case, _)| change(case).is_finite())
    .max_by(|(a, _), (b, _)| change(a).abs().total_cmp(&change(b).abs()));
    let Some((case, difference)) = widest else {
        return "Steps of all cases".to_owned();
    };
    let relative = change(case);
    if relative.abs() < 5e-4 {
        return format!("All steps take as long as that of {}", comparison.baseline);
    }
    let total = seconds(case) - seconds(first);
    let source = difference.by_part.first().map_or(String::new(), |c| {
        let how = if c.difference_s / total > 0.5 {
            "most of it"
        } else {
            "the largest part of it"
        };
        format!(", {how} in {}", c.name)
    });
    if relative >= 2.0 {
        // Far apart, such as models of other sizes: where the difference lies tells nothing.
        let (shortest, longest) = extremes(answer);
        return format!(
            "Steps of {shortest} to {longest}: {} takes {} times as long as {}",
            case.setting.name,
            fixed(relative + 1.0, 1),
            comparison.baseline
        );
    }
    let change = format!(
        "{} {} per step",
        percent(relative.abs()),
        if relative < 0.0 {
            "less time"
        } else {
            "more time"
        },
    );
    if answer.cases.len() > 2 {
        let others = answer.cases.len() - 1;
        format!(
            "Of {others} variants, {} is furthest from {}: {change}{source}",
            case.setting.name, comparison.baseline,
        )
    } else {
        format!(
            "{} takes {change} than {}{source}",
            case.setting.name, comparison.baseline,
        )
    }
}

/// The shortest and the longest step, for people.
fn extremes(answer: &Answer) -> (String, String) {
    let steps = || answer.cases.iter().map(seconds);
    let print = |value: f64| format!("{} s", fixed(value, digits(value)));
    (
        print(steps().fold(f64::INFINITY, f64::min)),
        print(steps().fold(0.0, f64::max)),
    )
}

fn csv(answer: &Answer) -> String {
    let mut out = "case,part,time_s,share\n".to_owned();
    for case in &answer.cases {
        for part in Part::ALL {
            let time = part_seconds(case, part);
            let share = if seconds(case) > 0.0 {
                time / seconds(case)
            } else {
                0.0
            };
            let name = field(&case.setting.name);
            let _ = writeln!(out, "{name},{},{time},{share}", part.id());
        }
    }
    out
}
