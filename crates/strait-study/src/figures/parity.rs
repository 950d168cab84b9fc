//! Predicted against measured step times, a dot for each published run.
//!
//! In: a [`Report`]. Out: a scatter on logarithmic axes with the bands of ten and 25 %, and the
//! same rows as CSV. Never hides a row: one beyond the axes is an arrow at their edge.

use super::DrawError;
use super::decades::{Axes, brief};
use super::labels::{Labels, Spot};
use super::theme::{Anchor, Canvas, Frame, MARGIN, Type, WIDTH, apart, colour, field, fitted};
use crate::answer::format::{count, fixed, percent};
use crate::validate::statistics::{Summary, summary};
use crate::validate::{Predicted, Report};
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub(super) const NAME: &str = "parity";

/// Left end of the plot.
const LEFT: f64 = MARGIN + 46.0;
/// Right end of the plot; the key is beside it.
const RIGHT: f64 = WIDTH - MARGIN - 212.0;
/// Height of the name of the vertical axis.
const HEAD: f64 = 20.0;
/// Height of the horizontal axis.
const AXIS: f64 = 42.0;
/// Radius of a dot.
const DOT: f64 = 3.6;
/// Runs that are named at most.
const NAMED: usize = 10;
const BOLD: Type = Type::new(13.5, colour::INK).bold();
const PLAIN: Type = Type::new(13.0, colour::INK);
const SMALL: Type = Type::new(12.5, colour::FAINT);
const OUTER: RGBColor = RGBColor(0xf4, 0xf4, 0xf4);
const INNER: RGBColor = RGBColor(0xe6, 0xe6, 0xe6);

/// Generations of accelerators, in the order of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    A100,
    Hopper,
    Blackwell,
    Other,
}

impl Generation {
    const ALL: [Generation; 4] = [Self::A100, Self::Hopper, Self::Blackwell, Self::Other];

    /// By identifier in the catalogue: `h100-sxm`, `gb200`, but neither `hygon` nor `br100`.
    fn of(accelerator: &str) -> Generation {
        let chip = accelerator.strip_prefix('g').unwrap_or(accelerator);
        let numbered = |letter| {
            (chip.strip_prefix(letter))
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        if accelerator.starts_with("a100") {
            Self::A100
        } else if numbered('h') {
            Self::Hopper
        } else if numbered('b') {
            Self::Blackwell
        } else {
            Self::Other
        }
    }

    fn look(self) -> (&'static str, RGBColor) {
        match self {
            Self::A100 => ("A100", colour::ORANGE),
            Self::Hopper => ("Hopper", colour::BLUE),
            Self::Blackwell => ("Blackwell", colour::GREEN),
            Self::Other => ("Other accelerators", colour::PURPLE),
        }
    }
}

/// Rows with a step time, which leaves out those of memory.
pub(super) fn steps(report: &Report) -> Vec<&Predicted> {
    let time = |value: f64| value.is_finite() && value > 0.0;
    (report.rows.iter())
        .filter(|row| time(row.measured_s) && time(row.predicted_s) && row.error.is_finite())
        .collect()
}

fn errors<'a>(rows: impl Iterator<Item = &'a &'a Predicted>) -> Summary {
    summary(&rows.map(|row| row.error).collect::<Vec<_>>())
}

/// The figure as SVG and CSV; `None` if no row has a step time.
pub(super) fn draw(report: &Report, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let rows = steps(report);
    if rows.is_empty() {
        return Ok(None);
    }
    let mut sources: Vec<&str> = rows.iter().map(|row| row.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let subtitle = format!(
        "Time of a training step as predicted and as measured, in seconds: {} from {}. \
         Errors in percent are of what was measured: a time, tokens per second or FLOP/s",
        many(rows.len(), "run"),
        many(sources.len(), "source"),
    );
    let frame = Frame {
        title: title(&rows),
        subtitle,
        source: source.to_owned(),
    };
    let times: Vec<_> = rows
        .iter()
        .map(|row| (row.measured_s, row.predicted_s))
        .collect();
    let axes = Axes::new(&times, (LEFT, RIGHT));
    let height = HEAD + axes.height() + AXIS;
    let svg = frame
        .draw(height, |canvas, top| {
            body(canvas, &rows, &axes.below(top + HEAD))
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(&rows))))
}

fn many(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number as u64))
}

/// The finding in one sentence.
fn title(rows: &[&Predicted]) -> String {
    let all = errors(rows.iter());
    let worst = rows.iter().map(|row| row.error.abs()).fold(0.0, f64::max);
    match rows.len() {
        1 => format!("The one run is predicted within {}", share(worst)),
        few @ 2..10 => format!("All {few} runs are predicted within {}", share(worst)),
        many => format!(
            "Half of {} runs are predicted within {}, nine in ten within {}",
            count(many as u64),
            share(all.median),
            share(all.p90)
        ),
    }
}

/// A fraction as a percentage, short however large it is.
pub(super) fn share(fraction: f64) -> String {
    if fraction < 10.0 {
        percent(fraction)
    } else if fraction < 100.0 {
        format!("{} %", fixed(fraction * 100.0, 0))
    } else {
        format!("{:.0e} %", fraction * 100.0)
    }
}

fn body(canvas: &Canvas<'_>, rows: &[&Predicted], axes: &Axes) -> Result<(), String> {
    let (top, bottom) = (axes.down(axes.y.1), axes.down(axes.y.0));
    let named = bands(canvas, axes)?;
    for (at, name) in axes.round(axes.x, SMALL) {
        let x = axes.across(at);
        canvas.line((x, top), (x, bottom), 0.5, colour::RULE)?;
        canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &name)?;
    }
    for (at, name) in axes.round(axes.y, SMALL) {
        let y = axes.down(at);
        canvas.line((LEFT, y), (RIGHT, y), 0.5, colour::RULE)?;
        canvas.text(LEFT - 7.0, y, Anchor::End, SMALL, &name)?;
    }
    canvas.text(
        MARGIN,
        top - 14.0,
        Anchor::Start,
        PLAIN,
        "Predicted, seconds",
    )?;
    canvas.text(
        RIGHT,
        bottom + 30.0,
        Anchor::End,
        PLAIN,
        "Measured, seconds",
    )?;
    let mut spots = Vec::with_capacity(rows.len());
    for row in rows {
        let x = axes.across(libm::log10(row.measured_s));
        let y = axes.down(libm::log10(row.predicted_s));
        let (_, ink) = Generation::of(&row.accelerator).look();
        let inside = y.clamp(top + DOT, bottom - DOT);
        if (inside - y).abs() > DOT {
            let way = if y < inside { -1.0 } else { 1.0 };
            let base = inside - 6.0 * way;
            let tip = inside + DOT * way;
            canvas.area(&[(x - 5.0, base), (x + 5.0, base), (x, tip)], ink)?;
        } else if row.class == "moe" {
            canvas.ring((x, y), DOT, 1.3, ink)?;
        } else {
            canvas.dot((x, y), DOT, ink, 0.6)?;
        }
        spots.push(Spot {
            at: (x, inside),
            beyond: (inside - y).abs() > DOT,
        });
    }
    names(canvas, (top, bottom), rows, spots)?;
    key(canvas, named + 34.0, rows)
}

/// Bands about the diagonal, named where they leave the plot; gives the height below the names.
fn bands(canvas: &Canvas<'_>, axes: &Axes) -> Result<f64, String> {
    let edge = |x: f64, at: f64, ratio: f64| (x, axes.down(at + libm::log10(ratio)));
    let (low, high) = axes.x;
    for (above, below, fill) in [(1.25, 0.75, OUTER), (1.1, 0.9, INNER)] {
        let corners = [
            edge(LEFT, low, below),
            edge(LEFT, low, above),
            edge(RIGHT, high, above),
            edge(RIGHT, high, below),
        ];
        canvas.area(&corners, fill)?;
    }
    canvas.line(
        edge(LEFT, low, 1.0),
        edge(RIGHT, high, 1.0),
        0.9,
        colour::FAINT,
    )?;
    let lines = [
        (1.25, "25 % longer"),
        (1.1, "10 % longer"),
        (1.0, "as measured"),
        (0.9, "10 % shorter"),
        (0.75, "25 % shorter"),
    ];
    let wished = lines.map(|(ratio, _)| (edge(RIGHT, high, ratio).1, 15.0));
    // Five lines of text have room beside any plot.
    let centres = apart(
        &wished,
        axes.down(axes.y.1) - 12.0,
        axes.down(axes.y.0),
        0.0,
    )
    .unwrap_or_default();
    let lowest = centres.last().copied().unwrap_or(0.0);
    for (((_, name), (y, _)), centre) in lines.iter().zip(wished).zip(centres) {
        canvas.line((RIGHT + 1.0, y), (RIGHT + 14.0, centre), 0.7, colour::GREY)?;
        canvas.text(RIGHT + 18.0, centre, Anchor::Start, SMALL, name)?;
    }
    Ok(lowest)
}

/// Names of the runs that are furthest off, as far as they have room, and of both corners.
fn names(
    canvas: &Canvas<'_>,
    (top, bottom): (f64, f64),
    rows: &[&Predicted],
    spots: Vec<Spot>,
) -> Result<(), String> {
    let off = |index: &usize| {
        let row = rows[*index];
        (libm::log10(row.predicted_s) - libm::log10(row.measured_s)).abs()
    };
    let mut furthest: Vec<usize> = (0..rows.len())
        .filter(|n| off(n) > libm::log10(1.25))
        .collect();
    furthest.sort_by(|a, b| off(b).total_cmp(&off(a)).then(a.cmp(b)));
    let mut labels = Labels::new((LEFT, top, RIGHT, bottom), &spots);
    let corners = [
        (
            (LEFT + 10.0, top + 14.0),
            Anchor::Start,
            "Predicted too long",
        ),
        (
            (RIGHT - 10.0, bottom - 14.0),
            Anchor::End,
            "Predicted too short",
        ),
    ];
    for (at, anchor, text) in corners {
        if labels.take(at, anchor, text, SMALL) {
            canvas.text(at.0, at.1, anchor, SMALL, text)?;
        }
    }
    let mut named = 0;
    for index in furthest {
        if named == NAMED {
            break;
        }
        let id = fitted(&rows[index].id, SMALL, 130.0);
        let text = if spots[index].beyond {
            format!("{id}, {} s", brief(rows[index].predicted_s))
        } else {
            id
        };
        if let Some((at, anchor)) = labels.beside(spots[index].at, &text, SMALL) {
            canvas.text(
                at.0,
                at.1,
                anchor,
                Type {
                    colour: colour::INK,
                    ..SMALL
                },
                &text,
            )?;
            named += 1;
        }
    }
    Ok(())
}

/// What colours and fillings mean, with the errors of each.
fn key(canvas: &Canvas<'_>, top: f64, rows: &[&Predicted]) -> Result<(), String> {
    let mut y = top;
    let x = RIGHT + 24.0;
    let mut entry = |name: &str, ring: bool, ink, of: &dyn Fn(&Predicted) -> bool| {
        let mine = errors(rows.iter().filter(|row| of(row)));
        if mine.rows == 0 {
            return Ok(());
        }
        if ring {
            canvas.ring((x, y), 5.0, 1.6, ink)?;
        } else {
            canvas.dot((x, y), 5.0, ink, 0.85)?;
        }
        canvas.text(x + 14.0, y, Anchor::Start, BOLD, name)?;
        let text = format!("{}, median {}", many(mine.rows, "run"), share(mine.median));
        canvas.text(x + 14.0, y + 17.0, Anchor::Start, SMALL, &text)?;
        y += 44.0;
        Ok::<(), String>(())
    };
    for generation in Generation::ALL {
        let (name, ink) = generation.look();
        entry(name, false, ink, &|row| {
            Generation::of(&row.accelerator) == generation
        })?;
    }
    entry("Dense", false, colour::FAINT, &|row| row.class != "moe")?;
    entry("Mixture of experts", true, colour::FAINT, &|row| {
        row.class == "moe"
    })
}

fn csv(rows: &[&Predicted]) -> String {
    let mut out = "id,family,source,model,accelerator,accelerators,class,metric,measured_s,predicted_s,time_error,metric_error\n".to_owned();
    for row in rows {
        let words = [
            &row.id,
            &row.family,
            &row.source,
            &row.model,
            &row.accelerator,
        ]
        .map(|text| field(text));
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{}",
            words.join(","),
            row.gpus,
            row.class,
            field(&row.metric),
            row.measured_s,
            row.predicted_s,
            row.predicted_s / row.measured_s - 1.0,
            row.error,
        );
    }
    out
}
