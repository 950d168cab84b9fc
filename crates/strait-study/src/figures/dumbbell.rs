//! Metrics of cases against a baseline that is 100.
//!
//! In: metrics with their values by case, the baseline first. Out: for each metric the cases on one axis, and
//! the same numbers as CSV. Never indexes a metric whose baseline is zero or unknown.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::look::{Measure, change, hues, named, unit_once};
use super::marks::UNFIT_SHORT;
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, apart, colour, field, fitted, ink_of, width,
};
use crate::verdict::Better;
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "dumbbell";

/// Cases that are drawn at most, the baseline included.
const CASES: usize = 5;
/// From one metric to the next.
const STEP: f64 = 38.0;
/// Height of the names above the first metric.
const HEAD: f64 = 40.0;
/// Height of the axis.
const AXIS: f64 = 40.0;
/// Longest name of a metric.
const NAMES: f64 = 200.0;
/// Width of the values to the right.
const VALUES: f64 = 236.0;

const ROW: Type = Type::new(12.5, colour::INK);
const CASE: Type = Type::new(13.0, colour::INK).bold();
const SMALL: Type = Type::new(11.5, colour::FAINT);

/// Cases and their metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What is compared, such as "DeepSeek-V3".
    pub subject: String,
    /// Names of the cases; the first is the baseline.
    pub cases: Vec<String>,
    /// Metrics, in the order in which they are shown.
    pub metrics: Vec<Metric>,
}

/// A metric of all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name for people.
    pub name: String,
    /// Unit of the values, as in an answer.
    pub unit: String,
    /// Which way is better, where there is one.
    pub better: Option<Better>,
    /// Values by case.
    pub values: Vec<f64>,
}

/// A metric over its baseline.
struct Row<'a> {
    metric: &'a Metric,
    measure: Measure,
    /// The baseline is 100.
    index: Vec<f64>,
}

/// The figure as SVG and CSV; `None` without two cases or a metric that can be indexed.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let usable = |v: f64| v.is_finite() && v > 0.0;
    let shown = input.cases.len().min(CASES);
    let rows: Vec<Row<'_>> = (input.metrics.iter())
        .filter(|m| m.values.len() == input.cases.len() && m.values.iter().all(|v| usable(*v)))
        .map(|metric| Row {
            metric,
            measure: Measure::new(
                &metric.unit,
                metric.values.iter().copied().fold(0.0, f64::max),
            ),
            index: metric
                .values
                .iter()
                .map(|v| v / metric.values[0] * 100.0)
                .collect(),
        })
        .filter(|row| row.index.iter().all(|v| usable(*v)))
        .collect();
    if shown < 2 || rows.is_empty() {
        return Ok(None);
    }
    let mut subtitle = format!(
        "Each metric of {} as 100{}",
        named(&input.cases[0]),
        if rows.iter().any(|row| row.metric.better.is_some()) {
            "; the arrow after a name points to the better side"
        } else {
            ""
        }
    );
    if input.cases[..shown]
        .iter()
        .any(|case| case.ends_with(UNFIT_SHORT))
    {
        subtitle += "; † does not fit in memory";
    }
    if input.cases.len() > shown {
        subtitle += &format!(" (first {CASES} of {} cases)", input.cases.len());
    }
    let frame = Frame {
        title: title(input, &rows),
        subtitle,
        source: source.to_owned(),
    };
    let svg = frame
        .draw(HEAD + STEP * rows.len() as f64 + AXIS, |canvas, top| {
            body(canvas, top, &input.cases[..shown], &rows)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input))))
}

/// The finding in one sentence.
fn title(input: &Input, rows: &[Row<'_>]) -> String {
    let far = |value: f64| libm::log(value / 100.0).abs();
    let widest = (rows.iter())
        .flat_map(|row| {
            row.index
                .iter()
                .enumerate()
                .skip(1)
                .map(move |(case, v)| (row, case, *v))
        })
        .max_by(|a, b| far(a.2).total_cmp(&far(b.2)).then(b.1.cmp(&a.1)));
    let Some((row, case, value)) = widest else {
        return input.subject.clone();
    };
    let base = named(&input.cases[0]);
    if far(value) < 5e-4 {
        return format!("{}: all cases are as {base} in every metric", input.subject);
    }
    let mut text = format!(
        "{}: {} differs most from {base} in {}, {}",
        input.subject,
        named(&input.cases[case]),
        row.metric.name,
        change(value / 100.0)
    );
    let first = rows.iter().find(|other| !std::ptr::eq(*other, row));
    if let Some(other) = first {
        text += &format!(
            "; {} {}",
            other.metric.name,
            change(other.index[case] / 100.0)
        );
    }
    text
}

fn body(canvas: &Canvas<'_>, top: f64, cases: &[String], rows: &[Row<'_>]) -> Result<(), String> {
    let arrow = |row: &Row<'_>| match row.metric.better {
        Some(Better::Lower) => " ←",
        Some(Better::Higher) => " →",
        None => "",
    };
    let names = (rows.iter().map(|row| width(&row.metric.name, ROW) + 20.0))
        .fold(60.0, f64::max)
        .min(NAMES);
    let left = MARGIN + names + 14.0;
    let right = WIDTH - MARGIN - VALUES;
    let all: Vec<f64> = (rows.iter())
        .flat_map(|row| row.index[..cases.len()].to_vec())
        // Small differences look small.
        .chain([90.0, 110.0])
        .collect();
    let axis = Axis::new(&all, Spacing::Either, (left, right));
    let first = top + HEAD;
    let bottom = first + STEP * rows.len() as f64;
    for (value, name) in axis.across(1.0, SMALL) {
        let x = axis.at(value);
        canvas.line((x, first), (x, bottom), 0.6, colour::RULE)?;
        canvas.text(x, bottom + 12.0, Anchor::Middle, SMALL, &name)?;
    }
    let base = axis.at(100.0);
    canvas.line((base, first), (base, bottom), 1.0, colour::FAINT)?;
    let log = if axis.log { ", logarithmic" } else { "" };
    let text = format!("{} = 100{log}", named(&cases[0]));
    canvas.text(
        (left + right) / 2.0,
        bottom + 28.0,
        Anchor::Middle,
        SMALL,
        &text,
    )?;
    let words: Vec<&str> = cases.iter().map(String::as_str).collect();
    let hues = hues(&words);
    for (index, row) in rows.iter().enumerate() {
        let y = first + STEP * (index as f64 + 0.5);
        let name = fitted(&row.metric.name, ROW, names - width(arrow(row), ROW)) + arrow(row);
        canvas.text(left - 14.0, y, Anchor::End, ROW, &name)?;
        let dots: Vec<f64> = row.index[..cases.len()]
            .iter()
            .map(|v| axis.at(*v))
            .collect();
        let (from, to) = dots
            .iter()
            .fold((base, base), |(l, h), x| (l.min(*x), h.max(*x)));
        canvas.line((from, y), (to, y), 2.6, colour::GREY)?;
        // The baseline last: it stays visible where nothing differs.
        for (x, hue) in dots.iter().zip(&hues).skip(1) {
            canvas.dot((*x, y), 6.0, *hue, 1.0)?;
        }
        canvas.dot((base, y), 4.0, hues[0], 1.0)?;
        values(canvas, y, row, cases.len())?;
    }
    // The names of cases above the first metric, tied to their dots.
    let dots: Vec<f64> = rows[0].index[..cases.len()]
        .iter()
        .map(|v| axis.at(*v))
        .collect();
    case_names(
        canvas,
        (top + 10.0, first + STEP / 2.0),
        cases,
        &dots,
        &hues,
        (left, right),
    )
}

/// What the indexed values are.
fn values(canvas: &Canvas<'_>, y: f64, row: &Row<'_>, cases: usize) -> Result<(), String> {
    let x = WIDTH - MARGIN;
    let values = &row.metric.values;
    if cases == 2 {
        let [from, to] = unit_once([values[0], values[1]].map(|value| row.measure.short(value)));
        let text = format!("{from} → {to}");
        canvas.text(
            x,
            y - 7.0,
            Anchor::End,
            ROW,
            &fitted(&text, ROW, VALUES - 16.0),
        )?;
        return canvas.text(
            x,
            y + 8.0,
            Anchor::End,
            SMALL,
            &change(values[1] / values[0]),
        );
    }
    let mut changes: Vec<String> = (values[1..cases].iter())
        .map(|v| change(v / values[0]))
        .collect();
    // Many in a row: short words, and one per cent sign is enough.
    if changes.len() > 2 {
        for change in &mut changes {
            *change = change.replace("\u{a0}times", "×").replace(" times", "×");
        }
    }
    if let Some((last, before)) = changes.split_last_mut()
        && before.len() > 1
        && last.ends_with('%')
    {
        for change in before {
            change.truncate(change.trim_end_matches(['%', ' ', '\u{a0}']).len());
        }
    }
    canvas.text(x, y - 7.0, Anchor::End, ROW, &row.measure.short(values[0]))?;
    let text = fitted(&changes.join(", "), SMALL, VALUES - 16.0);
    canvas.text(x, y + 8.0, Anchor::End, SMALL, &text)
}

fn case_names(
    canvas: &Canvas<'_>,
    (y, to): (f64, f64),
    cases: &[String],
    dots: &[f64],
    hues: &[RGBColor],
    (left, right): (f64, f64),
) -> Result<(), String> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by(|a, b| dots[*a].total_cmp(&dots[*b]).then(a.cmp(b)));
    let room = (right + VALUES / 2.0 - left) / cases.len() as f64 - 12.0;
    let names: Vec<String> = (order.iter())
        .map(|n| fitted(&named(&cases[*n]), CASE, room))
        .collect();
    let wished: Vec<(f64, f64)> = (order.iter().zip(&names))
        .map(|(n, name)| (dots[*n], width(name, CASE)))
        .collect();
    let centres = apart(&wished, left, right + VALUES / 2.0, 12.0).unwrap_or_default();
    for ((index, name), centre) in order.into_iter().zip(names).zip(centres) {
        let font = Type {
            colour: ink_of(hues[index]),
            ..CASE
        };
        canvas.line((centre, y + 8.0), (dots[index], to - 7.0), 0.8, hues[index])?;
        canvas.text(centre, y, Anchor::Middle, font, &name)?;
    }
    Ok(())
}

fn csv(input: &Input) -> String {
    let mut out = "metric,unit,case,value,index\n".to_owned();
    for metric in &input.metrics {
        for (case, value) in input.cases.iter().zip(&metric.values) {
            let index = value / metric.values[0] * 100.0;
            let index = if index.is_finite() {
                index.to_string()
            } else {
                String::new()
            };
            let _ = writeln!(
                out,
                "{},{},{},{value},{index}",
                field(&metric.name),
                field(&metric.unit),
                field(case)
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    fn input(cases: usize, metrics: usize, spread: f64) -> Input {
        Input {
            subject: "DeepSeek-V3".to_owned(),
            cases: (0..cases)
                .map(|n| {
                    HOSTILE
                        .get(n)
                        .map_or_else(|| format!("case {n}"), |s| (*s).to_owned())
                })
                .collect(),
            metrics: (0..metrics)
                .map(|m| Metric {
                    name: if m < 3 {
                        ["step time", "cost of the run", "tokens"][m].to_owned()
                    } else {
                        HOSTILE[m % 7].to_owned()
                    },
                    unit: ["s", "USD", "tokens/s"][m % 3].to_owned(),
                    better: [Some(Better::Lower), Some(Better::Higher), None][m % 3],
                    values: (0..cases)
                        .map(|n| {
                            10_f64.powi(m as i32)
                                * (1.0 + spread * n as f64 * if m % 2 == 0 { 1.0 } else { -0.11 })
                        })
                        .collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn metrics_are_drawn_whatever_their_number_and_size() {
        for cases in [2, 3, 7, 20] {
            for (metrics, spread) in [(1, 0.0), (7, 0.02), (9, 0.4)] {
                let input = input(cases, metrics, spread);
                sound(&format!("dumbbell-{cases}-{metrics}"), &|| {
                    draw(&input, "Source: <&>")
                });
            }
        }
        let far = input(2, 2, 1e9);
        sound("dumbbell-far", &|| draw(&far, ""));
    }

    #[test]
    fn the_title_names_the_widest_difference() {
        let mut two = input(2, 2, 0.1);
        two.cases = vec!["h800".to_owned(), "h100".to_owned()];
        let said = said(&draw(&two, "").unwrap().unwrap().0);
        assert!(
            said.contains(
                "h100 differs most from h800 in step time, +10.0 %; cost of the run −1.1 %"
            ),
            "{said}"
        );
        let same = input(2, 3, 0.0);
        let title = super::tests::said(&draw(&same, "").unwrap().unwrap().0);
        assert!(title.contains("in every metric"));
    }

    #[test]
    fn what_cannot_be_indexed_is_left_out() {
        let mut bad = input(2, 2, 0.1);
        bad.metrics[0].values[0] = 0.0;
        sound("dumbbell-part", &|| draw(&bad, ""));
        bad.metrics[1].values[1] = f64::NAN;
        assert_eq!(draw(&bad, "").unwrap(), None);
        assert_eq!(draw(&input(1, 2, 0.1), "").unwrap(), None);
        assert_eq!(draw(&input(0, 2, 0.1), "").unwrap(), None);
    }
}
