//! How likely a quantity is to stay below a value: distribution functions with the claims marked.
//!
//! In: for each case the distribution of a quantity, and what is claimed about it. Out: a curve for each case
//! with the middle nine tenths shaded, claims as dashed lines, and the same numbers as CSV. Never smooths a
//! distribution: points are joined by straight lines.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::look::{Measure, SERIES, hues, named, unit_once};
use super::marks::{CLAIM, Mark, Marks};
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, apart, colour, field, fitted, ink_of,
};
use crate::answer::format::{count, listed, percent};
use crate::verdict::Better;
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "cost-cdf";

/// Ends of the interval that is shaded and told: that of reports and of `strait run --draws`.
const LOW: f64 = 0.05;
const HIGH: f64 = 0.95;
/// Curves whose areas are shaded; more would mix to no colour at all.
const SHADED: usize = 3;
/// Height of the plot.
const PLOT: f64 = 330.0;
/// Height of the name of the vertical axis.
const HEAD: f64 = 22.0;
/// Height of the axis.
const AXIS: f64 = 42.0;
const LEFT: f64 = MARGIN + 44.0;
/// Right end of the plot; the names of curves stand beside it.
const RIGHT: f64 = WIDTH - MARGIN - 236.0;

const NAMED: Type = Type::new(13.5, colour::INK).bold();
const PLAIN: Type = Type::new(12.0, colour::INK);
const SMALL: Type = Type::new(12.0, colour::FAINT);

/// A quantity of several cases, and claims about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Whose quantity, such as "DeepSeek-V3".
    pub subject: String,
    /// Name of the quantity, such as "cost of the run".
    pub quantity: String,
    /// Unit of its values, as in an answer.
    pub unit: String,
    /// Which direction reaches a claim.
    pub better: Better,
    /// Cases.
    pub series: Vec<Series>,
    /// What is claimed.
    pub claims: Vec<Mark>,
}

/// The distribution of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the case.
    pub name: String,
    /// Draws that it is made of.
    pub draws: u32,
    /// Shares from 0 to 1 with the value that so many draws lie below, both rising.
    pub points: Vec<(f64, f64)>,
    /// For each claim the share of draws that reaches it, where that was counted.
    pub reached: Vec<Option<f64>>,
}

impl Series {
    /// The value that a share of draws lies below.
    fn quantile(&self, share: f64) -> f64 {
        let first = self.points[0].1;
        (self.points.windows(2))
            .find(|pair| pair[1].0 >= share)
            .map_or_else(
                || self.points.last().map_or(first, |p| p.1),
                |pair| {
                    let ((s, v), (t, w)) = (pair[0], pair[1]);
                    if t <= s {
                        w
                    } else {
                        v + (w - v) * ((share - s) / (t - s)).clamp(0.0, 1.0)
                    }
                },
            )
    }

    /// The share of draws below a value.
    fn below(&self, value: f64) -> f64 {
        let mut below = 0.0;
        for pair in self.points.windows(2) {
            let ((s, v), (t, w)) = (pair[0], pair[1]);
            if value >= w {
                below = t;
            } else if value > v {
                below = s + (t - s) * (value - v) / (w - v);
            }
        }
        below
    }

    /// The share of draws that reaches a claim.
    fn reaches(&self, input: &Input, claim: usize) -> f64 {
        if let Some(Some(counted)) = self.reached.get(claim) {
            return *counted;
        }
        let below = self.below(input.claims[claim].value);
        match input.better {
            Better::Lower => below,
            Better::Higher => 1.0 - below,
        }
    }

    /// Whether it can be drawn.
    fn sound(&self) -> bool {
        let known =
            |(s, v): &(f64, f64)| (0.0..=1.0).contains(s) && v.is_finite() && v.abs() < 1e300;
        self.points.len() >= 2
            && self.points.iter().all(known)
            && (self.points.windows(2)).all(|p| p[0].0 <= p[1].0 && p[0].1 <= p[1].1)
    }
}

/// The figure as SVG and CSV; `None` without a distribution. Cases beyond the first seven are in the CSV only.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let all: Vec<&Series> = input.series.iter().filter(|s| s.sound()).collect();
    let shown = &all[..all.len().min(SERIES)];
    if shown.is_empty() {
        return Ok(None);
    }
    // The outermost hundredths are a few draws each: they may leave the plot.
    let ends = |series: &&Series| [series.quantile(0.0), series.quantile(0.99)];
    let values: Vec<f64> = (shown.iter().flat_map(ends))
        .chain(input.claims.iter().map(|claim| claim.value))
        .collect();
    let largest = (values.iter().filter(|v| v.is_finite())).fold(0.0, |m: f64, v| m.max(v.abs()));
    let measure = Measure::new(&input.unit, largest);
    let axis = Axis::new(&values, Spacing::Either, (LEFT, RIGHT));
    let claims: Vec<_> = (input.claims.iter())
        .filter(|claim| axis.holds(claim.value))
        .map(|claim| (axis.at(claim.value), claim.name.as_str(), CLAIM))
        .collect();
    let marks = Marks::new(&claims, (LEFT, WIDTH - MARGIN));
    let draws = shown.iter().map(|s| s.draws).max().unwrap_or(0);
    let mut subtitle = format!(
        "Share of {} draws in which the {} is at most so much, in {}; {}: the middle nine in \
         ten, whose ends stand behind the median",
        count(u64::from(draws)),
        input.quantity,
        if measure.name.is_empty() {
            "numbers"
        } else {
            &measure.name
        },
        if shown.len() > SHADED {
            "bold"
        } else {
            "shaded"
        },
    );
    if all.len() > shown.len() {
        subtitle += &format!(" (first {SERIES} of {} cases)", all.len());
    }
    let frame = Frame {
        title: title(input, shown, &measure),
        subtitle,
        source: source.to_owned(),
    };
    let head = marks.height() + HEAD;
    // Names beside the plot may need more room than the curves.
    let plot = PLOT.max(shown.len() as f64 * beside(input, shown.len()) + 10.0);
    let svg = frame
        .draw(head + plot + AXIS, |canvas, top| {
            let area = (top + head, top + head + plot);
            body(canvas, area, input, shown, &axis, &measure)?;
            marks.draw(canvas, top + head - HEAD, area.1)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input, &all))))
}

/// The finding in one sentence.
fn title(input: &Input, series: &[&Series], measure: &Measure) -> String {
    let first = series[0];
    let Some(claim) = input.claims.first() else {
        return format!(
            "{}: the {} is {} to {} in nine draws of ten{}",
            input.subject,
            input.quantity,
            measure.value(first.quantile(LOW)),
            measure.value(first.quantile(HIGH)),
            if series.len() > 1 {
                format!(" on {}", named(&first.name))
            } else {
                String::new()
            }
        );
    };
    let bound = match input.better {
        Better::Lower => "at most",
        Better::Higher => "at least",
    };
    let stated = measure.value(claim.value);
    let share = |s: &Series| percent(s.reaches(input, 0)).replace(' ', "\u{a0}");
    if series.len() == 1 {
        return format!(
            "{}: the {} is {bound} the stated {stated} in {} of draws",
            input.subject,
            input.quantity,
            share(first)
        );
    }
    let shares: Vec<String> = (series.iter().take(3))
        .map(|s| format!("{} of draws on {}", share(s), named(&s.name)))
        .collect();
    format!(
        "{}: the {} is {bound} the stated {stated} in {}",
        input.subject,
        input.quantity,
        listed(&shares)
    )
}

/// Height of what stands beside the plot for each curve.
fn beside(input: &Input, series: usize) -> f64 {
    let claims = input.claims.len().min(if series > 4 { 1 } else { 3 });
    38.0 + 16.0 * claims as f64 + 10.0
}

fn body(
    canvas: &Canvas<'_>,
    (top, bottom): (f64, f64),
    input: &Input,
    series: &[&Series],
    axis: &Axis,
    measure: &Measure,
) -> Result<(), String> {
    let down = Axis::new(&[0.0, 1.0], Spacing::Zero, (bottom, top));
    for (value, name) in axis.across(measure.factor, SMALL) {
        let x = axis.at(value);
        canvas.line((x, top), (x, bottom), 0.6, colour::RULE)?;
        canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &name)?;
    }
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = down.at(share);
        canvas.line((LEFT, y), (RIGHT, y), 0.6, colour::RULE)?;
        canvas.text(
            LEFT - 7.0,
            y,
            Anchor::End,
            SMALL,
            &format!("{} %", share * 100.0),
        )?;
    }
    canvas.text(MARGIN, top - 12.0, Anchor::Start, PLAIN, "Share of draws")?;
    let unit = format!("{}, {}", input.quantity, measure.name);
    canvas.text(
        RIGHT,
        bottom + 30.0,
        Anchor::End,
        PLAIN,
        unit.trim_end_matches(", "),
    )?;
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let hues = hues(&names);
    let inside = |(share, value): (f64, f64)| (axis.at(value).clamp(LEFT, RIGHT), down.at(share));
    for (series, hue) in series.iter().zip(&hues).filter(|_| series.len() <= SHADED) {
        let (low, high) = (series.quantile(LOW), series.quantile(HIGH));
        let mut shade = vec![(axis.at(low), bottom), inside((LOW, low))];
        shade.extend(
            (series.points.iter().copied())
                .filter(|(s, _)| *s > LOW && *s < HIGH)
                .map(inside),
        );
        shade.extend([inside((HIGH, high)), (axis.at(high), bottom)]);
        canvas.tint(&shade, *hue, 0.16)?;
    }
    let shaded = series.len() <= SHADED;
    for (series, hue) in series.iter().zip(&hues) {
        let mut line: Vec<(f64, f64)> = series.points.iter().copied().map(inside).collect();
        line.dedup();
        if shaded {
            canvas.path(&line, 2.4, *hue)?;
            continue;
        }
        canvas.path(&line, 1.2, *hue)?;
        let mut middle = vec![inside((LOW, series.quantile(LOW)))];
        middle.extend(
            (series.points.iter().copied())
                .filter(|(s, _)| *s > LOW && *s < HIGH)
                .map(inside),
        );
        middle.push(inside((HIGH, series.quantile(HIGH))));
        middle.dedup();
        canvas.path(&middle, 3.4, *hue)?;
    }
    words(
        canvas,
        (top, bottom),
        input,
        series,
        &hues,
        axis,
        &down,
        measure,
    )
}

/// What each curve is, beside the plot, tied to it; the curve furthest to the left is named highest.
#[expect(clippy::too_many_arguments)]
fn words(
    canvas: &Canvas<'_>,
    (top, bottom): (f64, f64),
    input: &Input,
    series: &[&Series],
    hues: &[RGBColor],
    axis: &Axis,
    down: &Axis,
    measure: &Measure,
) -> Result<(), String> {
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by(|a, b| {
        (series[*a]
            .quantile(0.5)
            .total_cmp(&series[*b].quantile(0.5)))
        .then(a.cmp(b))
    });
    let high = beside(input, series.len());
    let shares: Vec<f64> = (0..order.len())
        .map(|n| 0.9 - 0.6 * n as f64 / order.len().max(2) as f64)
        .collect();
    let wished: Vec<(f64, f64)> = shares.iter().map(|s| (down.at(*s), high)).collect();
    let centres = apart(&wished, top - 4.0, bottom + 8.0, 0.0).unwrap_or_default();
    for ((index, share), centre) in order.into_iter().zip(shares).zip(centres) {
        let (series, hue) = (series[index], hues[index]);
        let first = centre - high / 2.0 + 12.0;
        let at = axis.at(series.quantile(share)).clamp(LEFT, RIGHT);
        canvas.dot((at, down.at(share)), 3.0, hue, 1.0)?;
        let knee = (RIGHT + 4.0).max(at);
        canvas.line((at, down.at(share)), (knee, down.at(share)), 0.8, hue)?;
        canvas.line((knee, down.at(share)), (RIGHT + 16.0, first), 0.8, hue)?;
        let x = RIGHT + 22.0;
        let room = WIDTH - MARGIN - x;
        let font = Type {
            colour: ink_of(hue),
            ..NAMED
        };
        canvas.text(
            x,
            first,
            Anchor::Start,
            font,
            &fitted(&series.name, font, room),
        )?;
        let quantiles = [0.5, LOW, HIGH].map(|share| measure.short(series.quantile(share)));
        let [middle, from, to] = unit_once(quantiles);
        let spread = format!("{middle}, {from} to {to}");
        canvas.text(
            x,
            first + 17.0,
            Anchor::Start,
            SMALL,
            &fitted(&spread, SMALL, room),
        )?;
        let told = input.claims.len().min(((high - 48.0) / 16.0) as usize);
        for (claim, mark) in input.claims.iter().enumerate().take(told) {
            let bound = match input.better {
                Better::Lower => "≤",
                Better::Higher => "≥",
            };
            let text = format!(
                "{} {bound} {}",
                percent(series.reaches(input, claim)),
                measure.value(mark.value)
            );
            let y = first + 33.0 + 16.0 * claim as f64;
            canvas.text(x, y, Anchor::Start, PLAIN, &fitted(&text, PLAIN, room))?;
        }
    }
    Ok(())
}

fn csv(input: &Input, series: &[&Series]) -> String {
    let mut out = "case,kind,share,value,unit,who\n".to_owned();
    for series in series {
        let name = field(&series.name);
        for (share, value) in &series.points {
            let _ = writeln!(out, "{name},draws,{share},{value},{},", field(&input.unit));
        }
        for (index, claim) in input.claims.iter().enumerate() {
            let _ = writeln!(
                out,
                "{name},claim,{},{},{},{}",
                series.reaches(input, index),
                claim.value,
                field(&input.unit),
                field(&claim.name)
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    /// An S-shaped distribution about a middle.
    fn series(name: &str, middle: f64, spread: f64) -> Series {
        let points = (0..=40)
            .map(|n| {
                let share = f64::from(n) / 40.0;
                let z = (share - 0.5) * 2.0;
                (share, middle * (1.0 + spread * (z + 2.0 * z * z * z)))
            })
            .collect();
        Series {
            name: name.to_owned(),
            draws: 2000,
            points,
            reached: Vec::new(),
        }
    }

    fn input(cases: usize, claims: usize, scale: f64) -> Input {
        let series = (0..cases).map(|n| {
            let name = match n {
                0 => "h800".to_owned(),
                n if n < 7 => HOSTILE[n].to_owned(),
                n => format!("case {n}"),
            };
            series(&name, scale * 5.2e6 * (1.0 + 0.15 * n as f64), 0.12)
        });
        Input {
            subject: "DeepSeek-V3".to_owned(),
            quantity: "cost of the run".to_owned(),
            unit: "USD".to_owned(),
            better: Better::Lower,
            series: series.collect(),
            claims: (0..claims)
                .map(|n| Mark {
                    value: scale * (5.566e6 + 0.1e6 * n as f64),
                    name: format!("DeepSeek-AI, 2024-12-26: claim {n}"),
                })
                .collect(),
        }
    }

    #[test]
    fn distributions_are_drawn_whatever_their_number_and_size() {
        for cases in [1, 2, 7, 20] {
            for (claims, scale) in [(1, 1.0), (0, 1e-12), (4, 1e250)] {
                let input = input(cases, claims, scale);
                let csv = sound(&format!("cost-cdf-{cases}-{claims}"), &|| {
                    draw(&input, "Source: a test. Reproduce: strait plot '<&>'")
                });
                let mut reader = csv::Reader::from_reader(csv.as_bytes());
                assert_eq!(reader.records().count(), cases * (41 + claims));
            }
        }
    }

    #[test]
    fn a_distribution_may_be_one_value() {
        let mut one = input(1, 1, 1.0);
        one.series[0].points = vec![(0.0, 5e6), (1.0, 5e6)];
        sound("cost-cdf-point", &|| draw(&one, ""));
        one.claims[0].value = 0.0;
        sound("cost-cdf-zero", &|| draw(&one, ""));
    }

    #[test]
    fn shares_are_read_off_the_distribution() {
        let mut input = input(1, 1, 1.0);
        input.series[0].points = vec![(0.0, 4e6), (0.5, 5e6), (1.0, 7e6)];
        input.claims[0].value = 6e6;
        let title = |input: &Input| said(&draw(input, "").unwrap().unwrap().0);
        assert!(title(&input).contains("is at most the stated $6.000 M in 75.0 % of draws"));
        // What was counted goes before what is read off.
        input.series[0].reached = vec![Some(0.7421)];
        assert!(title(&input).contains("in 74.2 % of draws"));
        assert_eq!(input.series[0].quantile(0.25), 4.5e6);
    }

    #[test]
    fn what_is_no_distribution_is_no_figure() {
        let mut bad = input(3, 1, 1.0);
        bad.series[0].points.clear();
        bad.series[1].points[3].1 = f64::NAN;
        bad.series[2].points.reverse();
        assert_eq!(draw(&bad, "").unwrap(), None);
    }
}
