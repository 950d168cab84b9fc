//! A plot with two axes.
//!
//! In: axes with what they measure, and where the plot is. Out: lines for round values, their names, and the
//! names of the axes. Never draws data.

use super::axis::Axis;
use super::look::Measure;
use super::theme::{Anchor, Canvas, Type, apart, colour, fitted, ink_of, width};
use plotters::style::RGBColor;

/// Height above a plot for the name of its vertical axis.
pub(super) const HEAD: f64 = 22.0;
/// Height below a plot for round values and the name of its horizontal axis.
pub(super) const FOOT: f64 = 42.0;

const NAME: Type = Type::new(12.0, colour::INK);
const SMALL: Type = Type::new(12.0, colour::FAINT);
const LABEL: Type = Type::new(12.5, colour::INK).bold();

/// What an axis measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Name for people, such as "step time".
    pub name: String,
    /// Unit of the values, as in an answer; empty where there is none.
    pub unit: String,
}

impl Quantity {
    /// How its values are written, the largest of which is known.
    pub(super) fn measure(&self, values: impl IntoIterator<Item = f64>) -> Measure {
        let largest =
            (values.into_iter().filter(|v| v.is_finite())).fold(0.0, |m: f64, v| m.max(v.abs()));
        Measure::new(&self.unit, largest)
    }

    /// Name and unit of the values as they are, for a column.
    pub(super) fn titled_plainly(&self) -> String {
        match self.unit.as_str() {
            "" | "1" => self.name.clone(),
            unit => format!("{}, {unit}", self.name),
        }
    }

    /// Name and unit, within a sentence.
    pub(super) fn said(&self, measure: &Measure) -> String {
        match measure.name.as_str() {
            "" => self.name.clone(),
            unit => format!("{} ({unit})", self.name),
        }
    }

    /// Name and unit, for an axis.
    pub(super) fn titled(&self, measure: &Measure) -> String {
        match measure.name.as_str() {
            "" => self.name.clone(),
            unit => format!("{}, {unit}", self.name),
        }
    }
}

/// A curve or a set of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The points that can be drawn, from left to right.
    pub(super) fn known(&self) -> Vec<(f64, f64)> {
        let usable = |v: f64| v.is_finite() && v.abs() < 1e300;
        let mut points: Vec<(f64, f64)> = (self.points.iter().copied())
            .filter(|(x, y)| usable(*x) && usable(*y))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points
    }
}

/// The value of a line at a place between its first and its last point.
pub(super) fn on(points: &[(f64, f64)], x: f64) -> Option<f64> {
    if let Some((_, y)) = points.iter().find(|p| p.0 == x) {
        return Some(*y);
    }
    (points.windows(2))
        .find(|pair| pair[0].0 < x && x < pair[1].0)
        .map(|pair| {
            let ((a, v), (b, w)) = (pair[0], pair[1]);
            v + (w - v) * ((x - a) / (b - a))
        })
}

/// Where a plot is, with its axes.
pub(super) struct Area {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Area {
    /// Axes put to a place.
    pub fn new(x: Axis, y: Axis, (left, top, right, bottom): (f64, f64, f64, f64)) -> Area {
        Area {
            left,
            right,
            top,
            bottom,
            x: x.between((left, right)),
            y: y.between((bottom, top)),
        }
    }

    /// A point in pixels.
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// Lines for round values with their names, and the names of the axes.
    pub fn grid(
        &self,
        canvas: &Canvas<'_>,
        (x, y): (&Measure, &Measure),
        names: (&str, &str),
    ) -> Result<(), String> {
        for (value, name) in self.x.across(x.factor, SMALL) {
            let at = self.x.at(value);
            canvas.line((at, self.top), (at, self.bottom), 0.6, colour::RULE)?;
            canvas.text(at, self.bottom + 12.0, Anchor::Middle, SMALL, &name)?;
        }
        for (value, name) in self.y.down(y.factor, 34.0) {
            let at = self.y.at(value);
            canvas.line((self.left, at), (self.right, at), 0.6, colour::RULE)?;
            canvas.text(self.left - 7.0, at, Anchor::End, SMALL, &name)?;
        }
        let log = |axis: &Axis| if axis.log { ", logarithmic" } else { "" };
        let down = format!("{}{}", names.1, log(&self.y));
        let start = super::theme::MARGIN;
        let room = self.right - start;
        canvas.text(
            start,
            self.top - 14.0,
            Anchor::Start,
            NAME,
            &fitted(&down, NAME, room),
        )?;
        let across = format!("{}{}", names.0, log(&self.x));
        canvas.text(
            self.right,
            self.bottom + 30.0,
            Anchor::End,
            NAME,
            &fitted(&across, NAME, room),
        )
    }

    /// Room that the names of round values need to the left of the plot.
    pub fn gutter(y: &Axis, factor: f64, height: f64) -> f64 {
        let axis = y.between((height, 0.0));
        (axis.down(factor, 34.0).iter())
            .map(|(_, name)| width(name, SMALL))
            .fold(24.0, f64::max)
            + 9.0
    }

    /// Names of lines at their right ends, moved apart and tied to them.
    pub fn names(
        &self,
        canvas: &Canvas<'_>,
        ends: &[((f64, f64), &str, RGBColor)],
        edge: f64,
    ) -> Result<(), String> {
        let mut order: Vec<usize> = (0..ends.len()).collect();
        order.sort_by(|a, b| ends[*a].0.1.total_cmp(&ends[*b].0.1).then(a.cmp(b)));
        let wished: Vec<(f64, f64)> = order.iter().map(|n| (ends[*n].0.1, 16.0)).collect();
        let centres = apart(&wished, self.top - 8.0, self.bottom + 8.0, 0.0).unwrap_or_default();
        for (index, centre) in order.into_iter().zip(centres) {
            let ((x, y), name, hue) = ends[index];
            canvas.line((x, y), (self.right + 2.0, y), 0.8, hue)?;
            canvas.line((self.right + 2.0, y), (self.right + 13.0, centre), 0.8, hue)?;
            let font = Type {
                colour: ink_of(hue),
                ..LABEL
            };
            let at = self.right + 17.0;
            let name = fitted(name, font, edge - at);
            canvas.text(at, centre, Anchor::Start, font, &name)?;
        }
        Ok(())
    }
}
