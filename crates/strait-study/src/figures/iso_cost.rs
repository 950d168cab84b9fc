//! Which pairs of two settings give the same cost.
//!
//! In: a quantity over a grid of two settings, a claim, and points to mark. Out: lines of equal value, the
//! claim's thick, and the same numbers as CSV. Never draws beyond the grid.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::contour::contours;
use super::decades::marks;
use super::labels::{Labels, Spot};
use super::look::{Measure, begin, named};
use super::marks::{CLAIM, Mark};
use super::plot::{Area, FOOT, HEAD, Quantity};
use super::theme::{Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, width};
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "iso-cost";

/// Height of the plot.
const PLOT: f64 = 400.0;
const LEVEL: Type = Type::new(12.0, colour::BLUE);
const POINT: Type = Type::new(12.5, colour::INK).bold();

/// A quantity over two settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Whose quantity, such as "DeepSeek-V3 on 2,048 H800".
    pub subject: String,
    /// The setting along the horizontal axis, such as the price of an accelerator-hour.
    pub x: Quantity,
    /// The setting along the vertical axis, such as utilisation.
    pub y: Quantity,
    /// The quantity, such as the cost of the run.
    pub z: Quantity,
    /// Values of the horizontal setting, rising.
    pub xs: Vec<f64>,
    /// Values of the vertical setting, rising.
    pub ys: Vec<f64>,
    /// The quantity by row (`ys`), then by column (`xs`); unknown where it is not a number.
    pub values: Vec<Vec<f64>>,
    /// What is claimed about the quantity.
    pub claim: Option<Mark>,
    /// Points to mark.
    pub points: Vec<Point>,
    /// What the quantity is computed from, for the subtitle.
    pub how: String,
}

/// A pair of values to mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where it is.
    pub at: (f64, f64),
    /// What it is.
    pub name: String,
    /// Published rather than simulated: a ring instead of a dot.
    pub published: bool,
}

impl Input {
    /// Whether the grid is one.
    fn sound(&self) -> bool {
        let rising = |values: &[f64]| {
            values.len() >= 2
                && values.iter().all(|v| v.is_finite() && v.abs() < 1e300)
                && values.windows(2).all(|pair| pair[0] < pair[1])
        };
        rising(&self.xs)
            && rising(&self.ys)
            && self.values.len() == self.ys.len()
            && self.values.iter().all(|row| row.len() == self.xs.len())
    }
}

/// The figure as SVG and CSV; `None` without a grid that has known values.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let known: Vec<f64> = (input.values.iter().flatten().copied())
        .filter(|v| v.is_finite() && v.abs() < 1e300)
        .collect();
    if !input.sound() || known.is_empty() {
        return Ok(None);
    }
    let (x, y) = (
        input.x.measure(input.xs.iter().copied()),
        input.y.measure(input.ys.iter().copied()),
    );
    let z = input.z.measure(known.iter().copied());
    let axes = (
        Axis::new(&input.xs, Spacing::Either, (0.0, 1.0)),
        Axis::new(&input.ys, Spacing::Either, (0.0, 1.0)),
    );
    let left = MARGIN + Area::gutter(&axes.1, y.factor, PLOT);
    let claimed = match &input.claim {
        Some(claim) => format!("; thick: as stated, {}", claim.name),
        None => String::new(),
    };
    let frame = Frame {
        title: title(input, (&x, &y, &z), &known),
        subtitle: format!(
            "Lines of equal {}, over {} and {}{claimed}{}{}",
            input.z.said(&z),
            input.x.said(&x),
            input.y.said(&y),
            if input.how.is_empty() { "" } else { "; " },
            input.how
        ),
        source: source.to_owned(),
    };
    let svg = frame
        .draw(HEAD + PLOT + FOOT, |canvas, top| {
            let place = (left, top + HEAD, WIDTH - MARGIN - 8.0, top + HEAD + PLOT);
            let area = Area::new(axes.0, axes.1, place);
            let names = (input.x.titled(&x), begin(&input.y.titled(&y)));
            area.grid(canvas, (&x, &y), (&names.0, &names.1))?;
            body(canvas, &area, input, &z, &known)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input))))
}

/// The vertical setting at which the quantity is what is claimed, in a column of the horizontal one.
fn meets(input: &Input, level: f64, x: f64) -> Option<f64> {
    let mut found: Vec<f64> = Vec::new();
    for line in contours(&input.xs, &input.ys, &input.values, level) {
        for pair in line.windows(2) {
            let ((a, v), (b, w)) = (pair[0], pair[1]);
            if (a - x) * (b - x) <= 0.0 {
                found.push(if a == b {
                    v
                } else {
                    v + (w - v) * ((x - a) / (b - a))
                });
            }
        }
    }
    found.into_iter().min_by(f64::total_cmp)
}

/// The finding in one sentence.
fn title(input: &Input, (x, y, z): (&Measure, &Measure, &Measure), known: &[f64]) -> String {
    let simulated = (input.points.iter())
        .find(|p| !p.published)
        .or(input.points.first());
    if let (Some(claim), Some(point)) = (&input.claim, simulated) {
        let stated = z.value(claim.value);
        return match meets(input, claim.value, point.at.0) {
            Some(needed) => format!(
                "{}: at {} the stated {stated} needs {} of {}; {}: {}",
                input.subject,
                x.value(point.at.0),
                input.y.name,
                y.value(needed),
                named(&point.name),
                y.value(point.at.1)
            ),
            None => format!(
                "{}: at {} no {} between {} and {} gives the stated {stated}",
                input.subject,
                x.value(point.at.0),
                input.y.name,
                y.value(input.ys[0]),
                y.value(input.ys[input.ys.len() - 1])
            ),
        };
    }
    let (low, high) = (known.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(*v), h.max(*v))
    });
    format!(
        "{}: {} between {} and {} over {} and {}",
        input.subject,
        input.z.name,
        z.value(low),
        z.value(high),
        input.x.name,
        input.y.name
    )
}

/// A line in pixels with its name.
type Named = (Vec<(f64, f64)>, String, Type);

fn body(
    canvas: &Canvas<'_>,
    area: &Area,
    input: &Input,
    z: &Measure,
    known: &[f64],
) -> Result<(), String> {
    let spots: Vec<Spot> = (input.points.iter())
        .filter(|p| area.x.holds(p.at.0) && area.y.holds(p.at.1))
        .map(|p| Spot {
            at: area.at(p.at),
            beyond: false,
        })
        .collect();
    let mut labels = Labels::new((area.left, area.top, area.right, area.bottom), &spots);
    let pixels = |level: f64| -> Vec<Vec<(f64, f64)>> {
        (contours(&input.xs, &input.ys, &input.values, level).into_iter())
            .map(|line| line.into_iter().map(|p| area.at(p)).collect())
            .collect()
    };
    let levels = levels(known);
    let mut texts: Vec<Named> = Vec::new();
    for level in &levels {
        for line in pixels(*level) {
            canvas.path(&line, 1.3, colour::SKY)?;
            texts.push((line, z.short(*level), LEVEL));
        }
    }
    if let Some(claim) = &input.claim {
        for line in pixels(claim.value) {
            canvas.dashed(&line, 3.2, CLAIM.ink)?;
            texts.insert(0, (line, z.value(claim.value), CLAIM.font));
        }
    }
    for (point, spot) in (input.points.iter())
        .filter(|p| area.x.holds(p.at.0) && area.y.holds(p.at.1))
        .zip(&spots)
    {
        canvas.dot(spot.at, 7.0, colour::WHITE, 1.0)?;
        match point.published {
            true => canvas.ring(spot.at, 5.5, 2.4, colour::INK)?,
            false => canvas.dot(spot.at, 5.5, colour::VERMILION, 1.0)?,
        }
        let name = named(&point.name);
        if let Some((at, anchor)) = labels.beside(spot.at, &name, POINT) {
            ground(canvas, at, anchor, &name, POINT)?;
            canvas.text(at.0, at.1, anchor, POINT, &name)?;
        }
    }
    for (line, text, font) in texts {
        let places = [0.5, 0.35, 0.65, 0.2, 0.8, 0.1, 0.9];
        let place = (places.iter())
            .map(|share| line[((line.len() - 1) as f64 * share) as usize])
            .find(|at| labels.take(*at, Anchor::Middle, &text, font));
        if let Some(at) = place {
            ground(canvas, at, Anchor::Middle, &text, font)?;
            canvas.text(at.0, at.1, Anchor::Middle, font, &text)?;
        }
    }
    Ok(())
}

/// Round values between the least and the largest, no more than can be read.
fn levels(known: &[f64]) -> Vec<f64> {
    const MANY: usize = 9;
    let (low, high) = (known.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(*v), h.max(*v))
    });
    if low > 0.0 && high / low > 3.0 {
        let (from, to) = (libm::log10(low), libm::log10(high));
        let all: &[f64] = &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
        for steps in [all, &[1.0, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0], &[1.0]] {
            let found = marks((from, to), steps, 1.0);
            if found.len() <= MANY {
                return found.into_iter().map(|(at, _)| libm::exp10(at)).collect();
            }
        }
    }
    let axis = Axis::new(known, Spacing::Either, (0.0, 560.0));
    (axis.across(1.0, Type::new(30.0, colour::INK)).into_iter())
        .map(|(level, _)| level)
        .take(MANY)
        .collect()
}

/// White under a text, so that lines don't run through it.
fn ground(
    canvas: &Canvas<'_>,
    (x, y): (f64, f64),
    anchor: Anchor,
    text: &str,
    font: Type,
) -> Result<(), String> {
    let long = width(text, font);
    let left = match anchor {
        Anchor::Start => x,
        Anchor::Middle => x - long / 2.0,
        Anchor::End => x - long,
    };
    canvas.rect(left - 2.0, y - 8.0, long + 4.0, 16.0, colour::WHITE)
}

fn csv(input: &Input) -> String {
    let mut out = format!(
        "{},{},{},what\n",
        field(&input.x.titled_plainly()),
        field(&input.y.titled_plainly()),
        field(&input.z.titled_plainly())
    );
    for (y, row) in input.ys.iter().zip(&input.values) {
        for (x, value) in input.xs.iter().zip(row) {
            let value = if value.is_finite() {
                value.to_string()
            } else {
                String::new()
            };
            let _ = writeln!(out, "{x},{y},{value},grid");
        }
    }
    for point in &input.points {
        let _ = writeln!(out, "{},{},,{}", point.at.0, point.at.1, field(&point.name));
    }
    if let Some(claim) = &input.claim {
        let _ = writeln!(out, ",,{},{}", claim.value, field(&claim.name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    fn input(columns: usize, rows: usize, scale: f64) -> Input {
        let axis = |n: usize, low: f64, high: f64| -> Vec<f64> {
            (0..n)
                .map(|i| low + (high - low) * i as f64 / (n - 1).max(1) as f64)
                .collect()
        };
        let (xs, ys) = (axis(columns, 0.8, 4.0), axis(rows, 0.15, 0.6));
        let cost = |x: f64, y: f64| scale * x * 2.7e6 * 0.33 / y;
        Input {
            subject: "DeepSeek-V3 on 2,048 H800".to_owned(),
            x: Quantity {
                name: "rent of an accelerator".to_owned(),
                unit: "USD/h".to_owned(),
            },
            y: Quantity {
                name: "utilisation".to_owned(),
                unit: "1".to_owned(),
            },
            z: Quantity {
                name: "cost of the run".to_owned(),
                unit: "USD".to_owned(),
            },
            values: ys
                .iter()
                .map(|y| xs.iter().map(|x| cost(*x, *y)).collect())
                .collect(),
            xs,
            ys,
            claim: Some(Mark {
                value: scale * 5.566e6,
                name: "$5.566 M (DeepSeek-AI, 2024-12-26)".to_owned(),
            }),
            points: vec![
                Point {
                    at: (2.0, 0.33),
                    name: "as simulated".to_owned(),
                    published: false,
                },
                Point {
                    at: (2.0, 0.321),
                    name: HOSTILE[0].to_owned(),
                    published: true,
                },
            ],
            how: String::new(),
        }
    }

    #[test]
    fn grids_are_drawn_whatever_their_size() {
        for (columns, rows) in [(2, 2), (3, 40), (60, 60)] {
            for scale in [1.0, 1e-9, 1e200] {
                let input = input(columns, rows, scale);
                let csv = sound(&format!("iso-cost-{columns}-{rows}-{scale:e}"), &|| {
                    draw(&input, "Source: <&>")
                });
                let mut reader = csv::Reader::from_reader(csv.as_bytes());
                assert_eq!(reader.records().count(), columns * rows + 3);
            }
        }
    }

    #[test]
    fn the_title_says_what_the_claim_needs() {
        let said = said(&draw(&input(60, 60, 1.0), "").unwrap().unwrap().0);
        // 2 USD/h × 2.7 M h × 0.33 / 5.566 M = 32.0 %.
        assert!(said.contains("at 2.00 USD/h the stated $5.566 M needs utilisation of 32.0 %; as simulated: 33.0 %"), "{said}");
    }

    #[test]
    fn grids_with_holes_or_without_variation() {
        let mut holes = input(8, 8, 1.0);
        for row in &mut holes.values {
            row[3] = f64::NAN;
        }
        sound("iso-cost-holes", &|| draw(&holes, ""));
        let mut flat = input(5, 5, 1.0);
        flat.values = vec![vec![7.0; 5]; 5];
        sound("iso-cost-flat", &|| draw(&flat, ""));
        flat.values = vec![vec![f64::NAN; 5]; 5];
        assert_eq!(draw(&flat, "").unwrap(), None);
        flat.xs.reverse();
        assert_eq!(draw(&flat, "").unwrap(), None);
        assert_eq!(draw(&input(1, 5, 1.0), "").unwrap(), None);
    }
}
