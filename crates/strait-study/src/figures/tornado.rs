//! What moves a quantity: swings of one assumption at a time, largest first.
//!
//! In: for each assumption its low and its high value and what the quantity is at each. Out: a bar for each from
//! the quantity as it stands, the values of the assumption at its ends, and the same numbers as CSV. Never mixes
//! assumptions: all others stay as they are.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::look::{Measure, begin, named};
use super::marks::{CLAIM, Mark, Marks};
use super::theme::{Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, fitted, width};
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "tornado";

/// Bars that are drawn at most.
const BARS: usize = 9;
/// From one bar to the next.
const STEP: f64 = 38.0;
/// Height of a bar.
const BAR: f64 = 20.0;
/// Height of the axis.
const AXIS: f64 = 40.0;
/// Longest name of an assumption.
const NAMES: f64 = 230.0;
/// Room for what stands at each end of a bar.
const ENDS: f64 = 128.0;

const ROW: Type = Type::new(12.5, colour::INK);
const SMALL: Type = Type::new(10.5, colour::FAINT);
const BASE: Type = Type::new(12.0, colour::FAINT);

/// A quantity with what moves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Whose quantity, such as "DeepSeek-V3 on 2,048 H800".
    pub subject: String,
    /// Name of the quantity, such as "cost of the run".
    pub quantity: String,
    /// Unit of its values, as in an answer.
    pub unit: String,
    /// Its value with every assumption as it stands.
    pub base: f64,
    /// What the ends of a bar are, such as "the 5 % and the 95 % quantile of each assumption".
    pub ends: String,
    /// Claims about the quantity.
    pub claims: Vec<Mark>,
    /// Assumptions, in any order.
    pub bars: Vec<Bar>,
}

/// An assumption at both of its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Name of the assumption.
    pub name: String,
    /// Its low value, as a person reads it.
    pub low_input: String,
    /// Its high value.
    pub high_input: String,
    /// The quantity at the low value.
    pub low: f64,
    /// The quantity at the high value.
    pub high: f64,
}

/// Light at the low value of an assumption, dark at its high one.
const LOW: RGBColor = colour::SKY;
const HIGH: RGBColor = colour::NAVY;

impl Bar {
    /// How far the quantity moves.
    fn swing(&self, base: f64) -> f64 {
        self.low.max(self.high).max(base) - self.low.min(self.high).min(base)
    }
}

/// The figure as SVG and CSV; `None` where nothing moves the quantity.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let known = |v: f64| v.is_finite() && v.abs() < 1e300;
    if !known(input.base) {
        return Ok(None);
    }
    let mut bars: Vec<&Bar> = (input.bars.iter())
        .filter(|bar| known(bar.low) && known(bar.high) && bar.swing(input.base) > 0.0)
        .collect();
    if bars.is_empty() {
        return Ok(None);
    }
    // Largest first; by name where equal, so that the order in which they came does not show.
    bars.sort_by(|a, b| {
        (b.swing(input.base).total_cmp(&a.swing(input.base))).then(a.name.cmp(&b.name))
    });
    let all: Vec<f64> = (bars.iter())
        .flat_map(|bar| [bar.low, bar.high])
        .chain([input.base])
        .collect();
    let measure = Measure::new(
        &input.unit,
        all.iter().fold(0.0, |m: f64, v| m.max(v.abs())),
    );
    let shown = &bars[..bars.len().min(BARS)];
    let left_out = bars.len() - shown.len();
    let mut subtitle = format!(
        "{}, in {}, with one assumption at a time at its low (light) and its high value (dark), all others as \
         they stand; the values are {}",
        begin(&input.quantity),
        if measure.name.is_empty() {
            "numbers"
        } else {
            &measure.name
        },
        input.ends,
    );
    if left_out > 0 {
        subtitle += &format!("; the {left_out} smallest are in {NAME}.csv only");
    }
    let frame = Frame {
        title: title(input, shown[0], &measure),
        subtitle,
        source: source.to_owned(),
    };
    let plot = Plot::new(input, shown, &all);
    let height = plot.head() + STEP * shown.len() as f64 + AXIS;
    let svg = frame
        .draw(height, |canvas, top| {
            plot.body(canvas, top, input, shown, &measure)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input, &bars))))
}

/// The finding in one sentence.
fn title(input: &Input, largest: &Bar, measure: &Measure) -> String {
    let (low, high) = (largest.low.min(largest.high), largest.low.max(largest.high));
    format!(
        "{}: {} moves the {} most, from {} to {}",
        input.subject,
        named(&largest.name),
        input.quantity,
        measure.value(low.min(input.base)),
        measure.value(high.max(input.base)),
    )
}

/// Where things are.
struct Plot {
    names: f64,
    axis: Axis,
    marks: Marks,
    ends: (f64, f64),
}

impl Plot {
    fn new(input: &Input, bars: &[&Bar], all: &[f64]) -> Plot {
        let names = (bars.iter().map(|bar| width(&bar.name, ROW)))
            .fold(60.0, f64::max)
            .min(NAMES);
        let left = MARGIN + names + 12.0;
        let right = WIDTH - MARGIN;
        // A claim far from all bars would press them together: it is told at its side then.
        let (low, high) = (all.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(*v), h.max(*v))
        });
        let near =
            |v: f64| v.is_finite() && v > low - 0.5 * (high - low) && v < high + 0.5 * (high - low);
        let claims: Vec<&Mark> = input.claims.iter().filter(|c| near(c.value)).collect();
        let values: Vec<f64> = (all.iter().copied())
            .chain(claims.iter().map(|c| c.value))
            .collect();
        let axis = Axis::new(&values, Spacing::Linear, (left + ENDS, right - ENDS));
        let marks: Vec<_> = (claims.iter())
            .map(|claim| (axis.at(claim.value), claim.name.as_str(), CLAIM))
            .collect();
        Plot {
            names,
            axis,
            marks: Marks::new(&marks, (left, right)),
            ends: (left, right),
        }
    }

    /// Height above the first bar.
    fn head(&self) -> f64 {
        self.marks.height() + 20.0
    }

    fn body(
        &self,
        canvas: &Canvas<'_>,
        top: f64,
        input: &Input,
        bars: &[&Bar],
        measure: &Measure,
    ) -> Result<(), String> {
        let base = self.axis.at(input.base);
        let rows = top + self.head();
        let bottom = rows + STEP * bars.len() as f64;
        for (value, name) in self.axis.across(measure.factor, SMALL) {
            let x = self.axis.at(value);
            canvas.line((x, rows - 2.0), (x, bottom), 0.6, colour::RULE)?;
            canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &name)?;
        }
        let (left, right) = self.ends;
        canvas.text(
            (left + right) / 2.0,
            bottom + 28.0,
            Anchor::Middle,
            SMALL,
            format!("{}, {}", input.quantity, measure.name).trim_end_matches(", "),
        )?;
        self.marks.draw(canvas, rows - 20.0, bottom)?;
        let text = format!("as it stands: {}", measure.value(input.base));
        let half = width(&text, BASE) / 2.0;
        let x = base.min(right - half).max(left + half);
        canvas.rect(
            x - half - 2.0,
            rows - 17.0,
            2.0 * half + 4.0,
            14.0,
            colour::WHITE,
        )?;
        canvas.text(x, rows - 10.0, Anchor::Middle, BASE, &text)?;
        for (index, bar) in bars.iter().enumerate() {
            let y = rows + STEP * index as f64 + (STEP - BAR) / 2.0;
            self.bar(canvas, y, bar, base, measure)?;
        }
        canvas.line((base, rows - 2.0), (base, bottom), 1.2, colour::INK)
    }

    fn bar(
        &self,
        canvas: &Canvas<'_>,
        y: f64,
        bar: &Bar,
        base: f64,
        measure: &Measure,
    ) -> Result<(), String> {
        let (left, right) = self.ends;
        let middle = y + BAR / 2.0;
        let name = fitted(&bar.name, ROW, self.names);
        canvas.text(left - 12.0, middle, Anchor::End, ROW, &name)?;
        let mut ends = [
            (self.axis.at(bar.low), LOW, &bar.low_input, bar.low),
            (self.axis.at(bar.high), HIGH, &bar.high_input, bar.high),
        ];
        // The longer one first: where both go to one side the shorter stays visible.
        ends.sort_by(|a, b| (b.0 - base).abs().total_cmp(&(a.0 - base).abs()));
        let together = (ends[0].0 - base) * (ends[1].0 - base) > 0.0;
        for (index, (x, fill, ..)) in ends.iter().enumerate() {
            let inset = if together && index == 1 { 4.0 } else { 0.0 };
            let long = (x - base).abs();
            canvas.rect(x.min(base), y + inset, long, BAR - 2.0 * inset, *fill)?;
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let outer = (ends[0].0.min(base) - 7.0, ends[1].0.max(base) + 7.0);
        let places = [
            (outer.0, Anchor::End, outer.0 - left),
            (outer.1, Anchor::Start, right - outer.1),
        ];
        for ((_, _, words, value), (x, anchor, room)) in ends.into_iter().zip(places) {
            let words = fitted(words, ROW, room);
            // A claim's line must not run through what stands here.
            let long = width(&words, ROW).max(width(&measure.value(value), SMALL)) + 4.0;
            let from = if anchor == Anchor::End {
                x - long
            } else {
                x - 2.0
            };
            canvas.rect(from, middle - 14.0, long + 2.0, 28.0, colour::WHITE)?;
            canvas.text(x, middle - 7.0, anchor, ROW, &words)?;
            canvas.text(x, middle + 8.0, anchor, SMALL, &measure.value(value))?;
        }
        Ok(())
    }
}

fn csv(input: &Input, bars: &[&Bar]) -> String {
    let mut out = "assumption,low_input,high_input,at_low,base,at_high,unit\n".to_owned();
    for bar in bars {
        let words = [&bar.name, &bar.low_input, &bar.high_input].map(|text| field(text));
        let _ = writeln!(
            out,
            "{},{},{},{},{}",
            words.join(","),
            bar.low,
            input.base,
            bar.high,
            field(&input.unit)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    fn input(bars: usize, scale: f64) -> Input {
        Input {
            subject: "DeepSeek-V3 on 2,048 H800".to_owned(),
            quantity: "cost of the run".to_owned(),
            unit: "USD".to_owned(),
            base: 5.58e6 * scale,
            ends: "the 5 % and the 95 % quantile of each assumption".to_owned(),
            claims: vec![Mark {
                value: 5.2e6 * scale,
                name: "DeepSeek-AI, 2024-12-26: $5.2 M".to_owned(),
            }],
            bars: (0..bars)
                .map(|n| {
                    let size = scale * 2.4e6 / (1.0 + n as f64);
                    Bar {
                        name: format!(
                            "{}{}",
                            HOSTILE[n % 7],
                            if n > 6 { n.to_string() } else { String::new() }
                        ),
                        low_input: format!("{n}.5 USD/h"),
                        high_input: format!("{} {}", n + 2, HOSTILE[(n + 1) % 7]),
                        low: scale * 5.58e6 - if n % 3 == 2 { -size * 0.4 } else { size * 0.7 },
                        high: scale * 5.58e6 + size,
                    }
                })
                .collect(),
        }
    }

    #[test]
    fn swings_are_drawn_whatever_their_number_and_size() {
        for bars in [1, 2, 7, 20] {
            for scale in [1.0, 1e-9, 1e200] {
                let input = input(bars, scale);
                let csv = sound(&format!("tornado-{bars}-{scale:e}"), &|| {
                    draw(&input, "Source: a test. Reproduce: strait plot '<&>'")
                });
                let mut reader = csv::Reader::from_reader(csv.as_bytes());
                assert_eq!(reader.records().count(), bars);
            }
        }
    }

    #[test]
    fn the_title_names_the_largest_swing() {
        let mut input = input(3, 1.0);
        input.bars.reverse();
        input.bars[2].name = "rent".to_owned();
        let (svg, csv) = draw(&input, "").unwrap().unwrap();
        let svg = said(&svg);
        assert!(
            svg.contains("rent moves the cost of the run most, from $3.900 M to"),
            "{svg}"
        );
        assert!(csv.lines().nth(1).unwrap().starts_with("rent,"));
    }

    #[test]
    fn what_moves_nothing_is_no_figure() {
        let mut none = input(2, 1.0);
        for bar in &mut none.bars {
            (bar.low, bar.high) = (none.base, none.base);
        }
        assert_eq!(draw(&none, "").unwrap(), None);
        none.bars[0].low = f64::NAN;
        none.bars[1].high = f64::INFINITY;
        assert_eq!(draw(&none, "").unwrap(), None);
        none.base = f64::NAN;
        assert_eq!(draw(&none, "").unwrap(), None);
    }
}
