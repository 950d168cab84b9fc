//! One panel for each value of a setting, all on the same axes.
//!
//! In: lines by panel, and the baseline. Out: a grid of plots with the baseline in each of them, and the same
//! numbers as CSV. Never gives two panels different axes.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::look::{Measure, SERIES, begin, change, hues, named};
use super::plot::{Area, Line, Quantity};
use super::sweep::vertical;
use super::theme::{
    Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, fitted, ink_of, width,
};
use plotters::style::RGBColor;
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "small-multiples";

/// Panels of a figure at most.
const PANELS: usize = 12;
/// Panels beside each other at most.
const COLUMNS: usize = 4;
/// Height of the plot of a panel.
const PLOT: f64 = 150.0;
/// Height of a panel's heading.
const HEADING: f64 = 24.0;
/// Between panels.
const GAP: f64 = 18.0;
/// Height of the axis below each panel.
const AXIS: f64 = 26.0;
/// Height of the words that say which colour is what.
const KEY: f64 = 26.0;

const PANEL: Type = Type::new(13.0, colour::INK).bold();
const WORD: Type = Type::new(12.5, colour::INK).bold();
const SMALL: Type = Type::new(11.0, colour::FAINT);

/// A quantity along a setting, by panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What was swept, such as "DeepSeek-V3 on 2,048 H800".
    pub subject: String,
    /// The setting along the horizontal axis.
    pub x: Quantity,
    /// The quantity.
    pub y: Quantity,
    /// Name of the setting that panels differ in.
    pub by: String,
    /// One for each of its values.
    pub panels: Vec<Panel>,
    /// Drawn in every panel.
    pub baseline: Option<Line>,
}

/// A value of the setting that panels differ in.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The value.
    pub name: String,
    /// One line for each choice of the other settings.
    pub lines: Vec<Line>,
}

/// A panel with what of it can be drawn.
type Sound<'a> = (&'a str, Vec<(&'a str, Vec<(f64, f64)>)>);

/// The figure as SVG and CSV; `None` without a point.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let all: Vec<Sound<'_>> = (input.panels.iter())
        .map(|panel| {
            let lines = (panel.lines.iter())
                .map(|line| (line.name.as_str(), line.known()))
                .filter(|(_, points)| !points.is_empty())
                .collect::<Vec<_>>();
            (panel.name.as_str(), lines)
        })
        .filter(|(_, lines)| !lines.is_empty())
        .collect();
    let panels = &all[..all.len().min(PANELS)];
    if panels.is_empty() {
        return Ok(None);
    }
    let baseline = (input.baseline.as_ref())
        .map(|line| (line.name.as_str(), line.known()))
        .filter(|(_, points)| !points.is_empty());
    let points = || {
        (panels
            .iter()
            .flat_map(|(_, lines)| lines)
            .map(|(_, points)| points))
        .chain(baseline.iter().map(|(_, points)| points))
        .flatten()
    };
    let xs: Vec<f64> = points().map(|p| p.0).collect();
    let ys: Vec<f64> = points().map(|p| p.1).collect();
    let (x, y) = (input.x.measure(xs.clone()), input.y.measure(ys.clone()));
    let axes = (
        Axis::new(&xs, Spacing::Either, (0.0, 1.0)),
        vertical(&ys, None),
    );
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in panels.iter().flat_map(|(_, lines)| lines) {
        if !names.contains(name) && names.len() < SERIES {
            names.push(name);
        }
    }
    let look = Look {
        hues: names.iter().copied().zip(hues(&names)).collect(),
        baseline: baseline.as_ref(),
        gutter: Area::gutter(&axes.1, y.factor, PLOT),
        columns: match panels.len() {
            few if few <= COLUMNS => few,
            5 | 6 | 9 => 3,
            _ => COLUMNS,
        },
    };
    let rows = panels.len().div_ceil(look.columns);
    let mut subtitle = format!(
        "{} over {}{}, a panel for each value of {}, all on the same axes",
        begin(&input.y.said(&y)),
        input.x.said(&x),
        if axes.0.log { " (logarithmic)" } else { "" },
        input.by
    );
    if all.len() > panels.len() {
        subtitle += &format!("; first {PANELS} of {}, the others in the CSV", all.len());
    }
    let frame = Frame {
        title: title(input, panels, &y),
        subtitle,
        source: source.to_owned(),
    };
    let height = KEY + rows as f64 * (HEADING + PLOT + AXIS + GAP) - GAP;
    let svg = frame
        .draw(height, |canvas, top| {
            look.key(canvas, top)?;
            for (index, panel) in panels.iter().enumerate() {
                let place = look.place(index, top + KEY);
                look.panel(canvas, panel, &Area::new(axes.0, axes.1, place), (&x, &y))?;
            }
            Ok(())
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input, &all, baseline.as_ref()))))
}

/// What panels have in common.
struct Look<'a> {
    hues: Vec<(&'a str, RGBColor)>,
    baseline: Option<&'a (&'a str, Vec<(f64, f64)>)>,
    gutter: f64,
    columns: usize,
}

impl Look<'_> {
    /// Left, top, right and bottom of the plot of a panel.
    fn place(&self, index: usize, top: f64) -> (f64, f64, f64, f64) {
        let columns = self.columns as f64;
        let wide = (WIDTH - 2.0 * MARGIN - GAP * (columns - 1.0)) / columns;
        // A single panel as wide as a page would look like a strip.
        let wide = wide.min(440.0);
        let left = MARGIN + (wide + GAP) * (index % self.columns) as f64;
        let top = top + (HEADING + PLOT + AXIS + GAP) * (index / self.columns) as f64 + HEADING;
        (left + self.gutter, top, left + wide, top + PLOT)
    }

    /// The names of lines in their colours.
    fn key(&self, canvas: &Canvas<'_>, top: f64) -> Result<(), String> {
        let base = self.baseline.iter().map(|(name, _)| {
            let name = if name.is_empty() { "baseline" } else { *name };
            (name, colour::GREY)
        });
        let words: Vec<(&str, RGBColor)> = self.hues.iter().copied().chain(base).collect();
        let room = WIDTH - 2.0 * MARGIN;
        let needed: f64 = words.iter().map(|(name, _)| width(name, WORD) + 35.0).sum();
        // All as long as they are, or each its share.
        let each = match needed <= room {
            true => room,
            false => room / words.len().max(1) as f64 - 36.0,
        };
        let mut x = MARGIN;
        for (name, hue) in words {
            let font = Type {
                colour: ink_of(hue),
                ..WORD
            };
            let name = fitted(name, font, each.max(60.0));
            canvas.line((x, top + 6.0), (x + 14.0, top + 6.0), 2.4, hue)?;
            canvas.text(x + 19.0, top + 6.0, Anchor::Start, font, &name)?;
            x += 19.0 + width(&name, font) + 16.0;
        }
        Ok(())
    }

    fn panel(
        &self,
        canvas: &Canvas<'_>,
        (name, lines): &Sound<'_>,
        area: &Area,
        (x, y): (&Measure, &Measure),
    ) -> Result<(), String> {
        let left = area.left - self.gutter;
        let name = fitted(name, PANEL, area.right - left);
        canvas.text(left, area.top - 13.0, Anchor::Start, PANEL, &name)?;
        for (value, name) in area.x.across(x.factor, SMALL) {
            let at = area.x.at(value);
            canvas.line((at, area.top), (at, area.bottom), 0.5, colour::RULE)?;
            // Half a name may stand beyond the plot, but not beyond the panel's share of the page.
            let half = width(&name, SMALL) / 2.0;
            if at + half <= area.right + GAP / 2.0 - 1.0 && at - half >= left {
                canvas.text(at, area.bottom + 11.0, Anchor::Middle, SMALL, &name)?;
            }
        }
        for (value, name) in area.y.down(y.factor, 34.0) {
            let at = area.y.at(value);
            canvas.line((area.left, at), (area.right, at), 0.5, colour::RULE)?;
            canvas.text(area.left - 5.0, at, Anchor::End, SMALL, &name)?;
        }
        if let Some((_, points)) = self.baseline {
            let points: Vec<_> = points.iter().map(|p| area.at(*p)).collect();
            canvas.path(&points, 4.0, colour::GREY)?;
            if let [only] = points.as_slice() {
                canvas.dot(*only, 4.5, colour::GREY, 1.0)?;
            }
        }
        for (name, points) in lines {
            let hue = (self.hues.iter()).find(|(n, _)| n == name);
            let (hue, stroke) = hue.map_or((colour::GREY, 1.0), |(_, hue)| (*hue, 2.0));
            let points: Vec<_> = points.iter().map(|p| area.at(*p)).collect();
            canvas.path(&points, stroke, hue)?;
            if points.len() <= 12 {
                for point in &points {
                    canvas.dot(*point, 2.4, hue, 1.0)?;
                }
            }
        }
        Ok(())
    }
}

/// The finding in one sentence: in which panel the quantity changes most along the setting, and in which least.
fn title(input: &Input, panels: &[Sound<'_>], y: &Measure) -> String {
    let mut found: Vec<(f64, &str, &str)> = Vec::new();
    for (panel, lines) in panels {
        for (line, points) in lines {
            if let (Some(first), Some(last)) = (points.first(), points.last()) {
                let ratio = last.1 / first.1;
                if points.len() > 1 && ratio.is_finite() && ratio > 0.0 {
                    found.push((ratio, panel, line));
                }
            }
        }
    }
    let least = (found.iter()).min_by(|a, b| libm::log(a.0).abs().total_cmp(&libm::log(b.0).abs()));
    // The first of equals, as above.
    let most =
        (found.iter().rev()).max_by(|a, b| libm::log(a.0).abs().total_cmp(&libm::log(b.0).abs()));
    let (Some(least), Some(most)) = (least, most) else {
        let all = || panels.iter().flat_map(|(_, l)| l).flat_map(|(_, p)| p);
        let low = all().fold(f64::INFINITY, |l, p| l.min(p.1));
        let high = all().fold(f64::NEG_INFINITY, |h, p| h.max(p.1));
        return format!(
            "{}: {} of {} to {}",
            input.subject,
            input.y.name,
            y.value(low),
            y.value(high)
        );
    };
    let name = |(_, panel, line): &(f64, &str, &str)| {
        let mut text = format!("{} {}", input.by, named(panel));
        if panels.iter().any(|(_, lines)| lines.len() > 1) {
            text += &format!(", {}", named(line));
        }
        text
    };
    if change(least.0) == change(most.0) {
        return format!(
            "{}: along the {}, the {} changes by {} in every panel",
            input.subject,
            input.x.name,
            input.y.name,
            change(most.0)
        );
    }
    format!(
        "{}: along the {}, the {} changes by {} at {} but by {} at {}",
        input.subject,
        input.x.name,
        input.y.name,
        change(most.0),
        name(most),
        change(least.0),
        name(least)
    )
}

fn csv(input: &Input, panels: &[Sound<'_>], baseline: Option<&(&str, Vec<(f64, f64)>)>) -> String {
    let mut out = format!(
        "panel,line,{},x_unit,{},y_unit\n",
        field(&input.x.name),
        field(&input.y.name)
    );
    let (x, y) = (field(&input.x.unit), field(&input.y.unit));
    let mut write = |panel: &str, line: &str, points: &[(f64, f64)]| {
        for point in points {
            let (panel, line) = (field(panel), field(line));
            let _ = writeln!(out, "{panel},{line},{},{x},{},{y}", point.0, point.1);
        }
    };
    for (panel, lines) in panels {
        for (line, points) in lines {
            write(panel, line, points);
        }
    }
    if let Some((name, points)) = baseline {
        write("(baseline)", name, points);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    fn input(panels: usize, lines: usize, scale: f64) -> Input {
        let line = |panel: usize, n: usize| Line {
            name: HOSTILE
                .get(n)
                .map_or_else(|| format!("line {n}"), |s| (*s).to_owned()),
            points: [100.0, 200.0, 400.0, 900.0]
                .map(|b| {
                    (
                        b * 1e9,
                        scale * (20.0 + 100.0 * ((1 + n) * (1 + panel)) as f64 / b),
                    )
                })
                .to_vec(),
        };
        Input {
            subject: "DeepSeek-V3".to_owned(),
            x: Quantity {
                name: "NVLink bandwidth".to_owned(),
                unit: "B/s".to_owned(),
            },
            y: Quantity {
                name: "step time".to_owned(),
                unit: "s".to_owned(),
            },
            by: "schedule".to_owned(),
            panels: (0..panels)
                .map(|panel| Panel {
                    name: HOSTILE
                        .get(panel)
                        .map_or_else(|| format!("panel {panel}"), |s| (*s).to_owned()),
                    lines: (0..lines).map(|n| line(panel, n)).collect(),
                })
                .collect(),
            baseline: Some(line(0, 0)),
        }
    }

    #[test]
    fn panels_are_drawn_whatever_their_number() {
        for panels in [1, 2, 4, 7, 20] {
            for (lines, scale) in [(1, 1.0), (3, 1e5), (9, 1e-7)] {
                let input = input(panels, lines, scale);
                let csv = sound(&format!("small-multiples-{panels}-{lines}"), &|| {
                    draw(&input, "Source: <&>")
                });
                let mut reader = csv::Reader::from_reader(csv.as_bytes());
                assert_eq!(reader.records().count(), 4 * (panels * lines + 1));
            }
        }
    }

    #[test]
    fn the_title_says_where_the_setting_matters_most_and_least() {
        let mut input = input(3, 1, 1.0);
        for (panel, name) in input.panels.iter_mut().zip(["a", "b", "c"]) {
            panel.name = name.to_owned();
        }
        let (svg, _) = draw(&input, "").unwrap().unwrap();
        // 23 to 20.33, and 21 to 20.11.
        let said = said(&svg);
        assert!(
            said.contains("changes by −11.6 % at schedule c but by −4.2 % at schedule a"),
            "{said}"
        );
    }

    #[test]
    fn panels_without_points_are_left_out() {
        let mut input = input(3, 2, 1.0);
        for line in &mut input.panels[1].lines {
            line.points.clear();
        }
        input.panels[2].lines.clear();
        input.baseline = None;
        sound("small-multiples-gap", &|| draw(&input, ""));
        input.panels[0].lines.clear();
        assert_eq!(draw(&input, "").unwrap(), None);
    }
}
