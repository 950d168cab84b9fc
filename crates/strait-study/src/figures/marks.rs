//! Vertical marks through a plot, named above it.
//!
//! In: values with names. Out: dashed lines, and names in as many rows as it takes for none to lie on another or
//! on a line. Never drops a name.

use super::theme::{Anchor, Canvas, Type, colour, fitted, width};
use plotters::style::RGBColor;
use std::cmp::Ordering;

/// Follows the name of a case that does not fit the memory.
pub(super) const UNFIT: &str = " (does not fit)";

/// The same where there is little room; the subtitle says what it means.
pub(super) const UNFIT_SHORT: &str = " †";

/// Height of a row of names.
const ROW: f64 = 16.0;
/// Between a line and its name.
const NEAR: f64 = 4.0;

/// A value to mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where, on the horizontal axis.
    pub value: f64,
    /// What it is, with who says so and when where it is a claim.
    pub name: String,
}

/// How marks look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub font: Type,
    pub ink: RGBColor,
    pub dashed: bool,
}

/// A published claim: black and dashed in every figure.
pub(super) const CLAIM: Style = Style {
    font: Type::new(12.0, colour::INK).bold(),
    ink: colour::INK,
    dashed: true,
};
/// A threshold of a rule: dashed too, and red.
pub(super) const RULE: Style = Style {
    font: Type::new(12.0, colour::VERMILION).bold(),
    ink: colour::VERMILION,
    dashed: true,
};
/// Hardware: a fine line.
pub(super) const CHIP: Style = Style {
    font: Type::new(12.0, colour::INK),
    ink: colour::FAINT,
    dashed: false,
};

/// A mark with its place.
struct Placed {
    x: f64,
    row: usize,
    left: f64,
    right: f64,
    text: String,
    style: Style,
}

impl Placed {
    /// Whether a name between two pixels of a row has room beside this mark; with `lines` also neither name
    /// lies on the other's line, of which the new one's is at `x`.
    fn leaves(&self, x: f64, row: usize, side: (f64, f64), lines: bool) -> bool {
        let over = |left: f64, right: f64, x: f64| x > left - 2.0 && x < right + 2.0;
        let mine = over(side.0, side.1, self.x);
        let theirs = over(self.left, self.right, x);
        let apart = side.1 + 8.0 < self.left || self.right + 8.0 < side.0;
        match row.cmp(&self.row) {
            Ordering::Equal => apart && !(lines && (mine || theirs)),
            // The upper one's line rises through the lower row.
            Ordering::Greater => !(lines && theirs),
            Ordering::Less => !(lines && mine),
        }
    }
}

/// Marks with their places above a plot.
pub(super) struct Marks(Vec<Placed>);

impl Marks {
    /// Finds places between two pixels; `marks` are pixels with names and looks.
    pub fn new(marks: &[(f64, &str, Style)], (left, right): (f64, f64)) -> Marks {
        // From the right, since a name stands to the right of its line: above those it reaches over.
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by(|a, b| marks[*b].0.total_cmp(&marks[*a].0).then(a.cmp(b)));
        let mut placed: Vec<Placed> = Vec::with_capacity(marks.len());
        for index in order {
            let (x, name, style) = marks[index];
            let text = fitted(name, style.font, right - left - 4.0);
            let long = width(&text, style.font) + 2.0;
            let middle = (x - long / 2.0).clamp(left, (right - long).max(left));
            let sides = [
                (x + NEAR, x + NEAR + long),
                (x - NEAR - long, x - NEAR),
                (middle, middle + long),
            ];
            let inside = |side: &(f64, f64)| side.0 >= left - 0.5 && side.1 <= right + 0.5;
            let place = |rows: usize, lines: bool| {
                (sides.into_iter())
                    .flat_map(|side| (0..rows).map(move |row| (row, side)))
                    .filter(|(_, side)| inside(side))
                    .find(|(row, side)| {
                        (placed.iter()).all(|other| other.leaves(x, *row, *side, lines))
                    })
            };
            let (row, (from, to)) = place(marks.len(), true)
                // Then a line must pass behind a name.
                .or_else(|| place(marks.len() + 1, false))
                .unwrap_or((marks.len(), sides[2]));
            placed.push(Placed {
                x,
                row,
                left: from,
                right: to,
                text,
                style,
            });
        }
        Marks(placed)
    }

    /// Room that the names take above the plot.
    pub fn height(&self) -> f64 {
        let rows = self.0.iter().map(|mark| mark.row + 1).max().unwrap_or(0);
        rows as f64 * ROW + if rows > 0 { 4.0 } else { 0.0 }
    }

    /// Draws lines from the lower end of the plot up to their names, and the names.
    pub fn draw(&self, canvas: &Canvas<'_>, top: f64, bottom: f64) -> Result<(), String> {
        for mark in &self.0 {
            let y = row_middle(top, mark.row);
            let across = mark.left < mark.x && mark.right > mark.x;
            let tip = if across { y + ROW / 2.0 } else { y - 5.0 };
            let ends = ((mark.x, bottom), (mark.x, tip));
            match mark.style.dashed {
                true => canvas.dashes(ends.0, ends.1, 1.6, mark.style.ink)?,
                false => canvas.line(ends.0, ends.1, 0.9, mark.style.ink)?,
            }
        }
        for mark in &self.0 {
            let y = row_middle(top, mark.row);
            let crossed = (self.0.iter())
                .any(|other| other.row > mark.row && other.x > mark.left && other.x < mark.right);
            if crossed {
                let long = mark.right - mark.left;
                canvas.rect(mark.left, y - 7.0, long, 14.0, colour::WHITE)?;
            }
            canvas.text(
                mark.left + 1.0,
                y,
                Anchor::Start,
                mark.style.font,
                &mark.text,
            )?;
        }
        Ok(())
    }
}

/// Height of the middle of a row of names.
fn row_middle(top: f64, row: usize) -> f64 {
    top - ROW * row as f64 - ROW / 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_marks_lie_on_nothing() {
        for count in [1, 2, 5, 12] {
            for spread in [0.0, 0.4, 7.0, 60.0] {
                let names: Vec<String> = (0..count).map(|n| format!("mark number {n}")).collect();
                let marks: Vec<_> = (names.iter().enumerate())
                    .map(|(n, name)| (100.0 + spread * n as f64, name.as_str(), CHIP))
                    .collect();
                let placed = Marks::new(&marks, (50.0, 800.0)).0;
                for (index, a) in placed.iter().enumerate() {
                    assert!(a.left >= 49.0 && a.right <= 801.0);
                    for b in &placed[..index] {
                        let apart = a.right < b.left || b.right < a.left;
                        assert!(a.row != b.row || apart, "{} {}", a.text, b.text);
                        // With room to the right no line has to pass behind a name.
                        for (line, name) in [(a, b), (b, a)] {
                            let through =
                                line.row > name.row && line.x > name.left && line.x < name.right;
                            assert!(!through || spread > 10.0, "{} {}", line.text, name.text);
                        }
                    }
                }
            }
        }
    }
}
