//! Lines of equal value over a grid, by marching squares.
//!
//! In: values on a grid, and a level. Out: lines through all places where the values, taken as linear between
//! neighbours, have that level. Never draws through a cell of which a corner is unknown.

use std::collections::BTreeMap;

/// An edge between two neighbours of the grid: column, row, and whether it goes down a column.
type Edge = (usize, usize, bool);

/// Lines of equal value. `values` are by row (`ys`), then by column (`xs`).
pub(super) fn contours(
    xs: &[f64],
    ys: &[f64],
    values: &[Vec<f64>],
    level: f64,
) -> Vec<Vec<(f64, f64)>> {
    let at = |x: usize, y: usize| values.get(y).and_then(|row| row.get(x)).copied();
    let mut next: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    let mut join = |a: Edge, b: Edge| {
        next.entry(a).or_default().push(b);
        next.entry(b).or_default().push(a);
    };
    for y in 1..ys.len() {
        for x in 1..xs.len() {
            let corners = [at(x - 1, y - 1), at(x, y - 1), at(x, y), at(x - 1, y)];
            let [Some(a), Some(b), Some(c), Some(d)] = corners else {
                continue;
            };
            if ![a, b, c, d].iter().all(|v| v.is_finite()) {
                continue;
            }
            // The four edges of the cell, in the order of its corners.
            let edges = [
                (x - 1, y - 1, false),
                (x, y - 1, true),
                (x - 1, y, false),
                (x - 1, y - 1, true),
            ];
            let above = [a, b, c, d].map(|v| v >= level);
            let crossed: Vec<usize> = (0..4).filter(|n| above[*n] != above[(n + 1) % 4]).collect();
            match crossed.as_slice() {
                [first, second] => join(edges[*first], edges[*second]),
                [..] if crossed.len() == 4 => {
                    // A saddle: its middle says which corners belong together.
                    let middle = (a + b + c + d) / 4.0 >= level;
                    let pairs = if middle == above[0] {
                        [(0, 1), (2, 3)]
                    } else {
                        [(3, 0), (1, 2)]
                    };
                    for (first, second) in pairs {
                        join(edges[first], edges[second]);
                    }
                }
                _ => {}
            }
        }
    }
    let point = |(x, y, down): Edge| {
        let (u, v) = if down { (x, y + 1) } else { (x + 1, y) };
        let (from, to) = (values[y][x], values[v][u]);
        let share = (level - from) / (to - from);
        let between = |a: f64, b: f64| a + (b - a) * share;
        (between(xs[x], xs[u]), between(ys[y], ys[v]))
    };
    // Lines that end at the border first, from their ends, then closed ones.
    let ends: Vec<Edge> = next
        .iter()
        .filter(|(_, n)| n.len() == 1)
        .map(|(e, _)| *e)
        .collect();
    let all: Vec<Edge> = next.keys().copied().collect();
    let mut lines = Vec::new();
    for start in ends.into_iter().chain(all) {
        let mut line = vec![point(start)];
        let mut here = start;
        while let Some(to) = next.get_mut(&here).and_then(Vec::pop) {
            if let Some(back) = next.get_mut(&to)
                && let Some(index) = back.iter().position(|e| *e == here)
            {
                back.remove(index);
            }
            line.push(point(to));
            here = to;
        }
        if line.len() > 1 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(count: usize, of: impl Fn(f64, f64) -> f64) -> (Vec<f64>, Vec<Vec<f64>>) {
        let axis: Vec<f64> = (0..count)
            .map(|n| n as f64 / (count - 1) as f64 * 4.0 - 2.0)
            .collect();
        let values = (axis.iter())
            .map(|y| axis.iter().map(|x| of(*x, *y)).collect())
            .collect();
        (axis, values)
    }

    #[test]
    fn a_plane_has_straight_lines() {
        let (axis, values) = grid(9, |x, y| x + 2.0 * y);
        let lines = contours(&axis, &axis, &values, 0.3);
        assert_eq!(lines.len(), 1);
        for (x, y) in &lines[0] {
            assert!((x + 2.0 * y - 0.3).abs() < 1e-12);
        }
        // From border to border.
        let ends = [lines[0][0], lines[0][lines[0].len() - 1]];
        assert!(
            ends.iter().all(|(x, y)| x.abs() == 2.0 || y.abs() == 2.0),
            "{ends:?}"
        );
        assert!(contours(&axis, &axis, &values, 9.0).is_empty());
    }

    #[test]
    fn a_cone_has_a_circle() {
        let (axis, values) = grid(81, |x, y| (x * x + y * y).sqrt());
        let lines = contours(&axis, &axis, &values, 1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last(), "closed");
        for (x, y) in &lines[0] {
            assert!(((x * x + y * y).sqrt() - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn a_saddle_has_two_lines_and_holes_none() {
        let (axis, mut values) = grid(2, |x, y| x * y);
        let lines = contours(&axis, &axis, &values, 0.5);
        assert_eq!(lines.len(), 2);
        values[0][0] = f64::NAN;
        assert!(contours(&axis, &axis, &values, 0.5).is_empty());
        assert!(contours(&[], &[], &[], 0.5).is_empty());
        assert!(contours(&axis, &axis, &[], 0.5).is_empty());
    }
}
