//! How a quantity follows a setting: one line for each other choice, hardware and rules marked.
//!
//! In: points of a sweep by line. Out: lines on common axes, named at their ends, and the same numbers as CSV.
//! Never joins points of different lines, and never draws a value between points but by a straight line.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::look::{Measure, SERIES, begin, change, hues, named};
use super::marks::{CHIP, CLAIM, Mark, Marks, RULE};
use super::plot::{Area, FOOT, HEAD, Line, Quantity, on};
use super::theme::{Canvas, Frame, MARGIN, Type, WIDTH, colour, field, width};
use std::fmt::Write;

/// File name without ending, of any sweep.
pub const NAME: &str = "sweep";
/// File name without ending, of a sweep over the bandwidth between accelerators.
pub const BANDWIDTH: &str = "bandwidth-sweep";

/// Height of the plot.
const PLOT: f64 = 330.0;
/// Longest name of a line.
const NAMES: f64 = 210.0;
const LABEL: Type = Type::new(12.5, colour::INK).bold();
/// Points on the screen within which lines are one: less than half of their width.
const ALIKE: f64 = 1.0;
/// What is as good as the best.
const NEAR: f64 = 0.05;
/// A scale never shows less than this change as its whole height: what hardly moves shall look so.
const LEAST: f64 = 0.1;

/// Places of a line, from left to right.
type Points = Vec<(f64, f64)>;

/// A quantity along a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What was swept, such as "DeepSeek-V3 on 2,048 H800".
    pub subject: String,
    /// The setting.
    pub x: Quantity,
    /// The quantity.
    pub y: Quantity,
    /// One line for each choice of the other settings.
    pub lines: Vec<Line>,
    /// Hardware, on the horizontal axis.
    pub chips: Vec<Mark>,
    /// Thresholds of rules, on the horizontal axis.
    pub thresholds: Vec<Mark>,
    /// A claim about the quantity, on the vertical axis.
    pub claim: Option<Mark>,
    /// What the title compares, where both are on the axis: the change from the first to the second.
    pub compared: Option<(Mark, Mark)>,
    /// Whether neighbours of a line differ in the setting alone, so that a straight line between them tells
    /// something.
    pub joined: bool,
}

/// What the figure finds, in a sentence without the subject; `None` without a point.
pub fn finding(input: &Input) -> Option<String> {
    let lines = known(input);
    let (xs, ys) = places(&lines)?;
    let drawn = together(&lines, &vertical(&ys, None));
    let text = title(input, &drawn, (&input.x.measure(xs), &input.y.measure(ys)));
    Some(begin(text.strip_prefix(&format!("{}: ", input.subject))?))
}

/// Where the fastest line leaves its best, in a sentence: from which value of the setting on it is within
/// 5 % of it, and what it takes at the value below. `None` where it never leaves, or is not joined.
pub fn knee(input: &Input) -> Option<String> {
    let lines = known(input);
    let (xs, ys) = places(&lines)?;
    let drawn = together(&lines, &vertical(&ys, None));
    let x = input.x.measure(xs);
    let least = |points: &Points| points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let (name, points) = drawn
        .iter()
        .min_by(|a, b| least(&a.1).total_cmp(&least(&b.1)))?;
    let best = least(points);
    let last = points
        .iter()
        .rposition(|point| point.1 > best * (1.0 + NEAR))?;
    let (slow, fast) = (points.get(last)?, points.get(last + 1)?);
    (input.joined && best > 0.0).then(|| {
        // The only line may have no name.
        let whose = match name.as_str() {
            "" => String::new(),
            name => format!(" ({})", named(name)),
        };
        format!(
            "The least {}{whose} is within {} % of its best from {} up, and {} at {}.",
            input.y.name,
            100.0 * NEAR,
            x.value(fast.0),
            change(slow.1 / best),
            x.value(slow.0),
        )
    })
}

/// Lines with their known points; those without any are left out.
fn known(input: &Input) -> Vec<(&str, Points)> {
    (input.lines.iter())
        .map(|line| (line.name.as_str(), line.known()))
        .filter(|(_, points)| !points.is_empty())
        .collect()
}

/// The places of all points along either axis; `None` without a point.
fn places(lines: &[(&str, Points)]) -> Option<(Vec<f64>, Vec<f64>)> {
    let points = lines.iter().flat_map(|(_, points)| points.iter().copied());
    let both: (Vec<f64>, Vec<f64>) = points.unzip();
    (!both.0.is_empty()).then_some(both)
}

/// The figure as SVG and CSV; `None` without a point. With more than seven lines the first seven are named and
/// the others grey.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let lines = known(input);
    let Some((xs, ys)) = places(&lines) else {
        return Ok(None);
    };
    let (x, y) = (input.x.measure(xs.clone()), input.y.measure(ys.clone()));
    let across = Axis::new(&xs, Spacing::Either, (0.0, 1.0));
    let down = vertical(&ys, input.claim.as_ref());
    let single = lines.len() == 1;
    let drawn = together(&lines, &down);
    let names: Vec<&str> = drawn.iter().map(|(name, _)| name.as_str()).collect();
    let longest = (names.iter().take(SERIES).map(|n| width(n, LABEL)))
        .fold(0.0, f64::max)
        .min(NAMES);
    let beside = if single { 8.0 } else { longest + 26.0 };
    let left = MARGIN + Area::gutter(&down, y.factor, PLOT);
    let right = WIDTH - MARGIN - beside;
    let placed = across.between((left, right));
    let marks: Vec<_> = (input.chips.iter().map(|chip| (chip, CHIP)))
        .chain(input.thresholds.iter().map(|rule| (rule, RULE)))
        .filter(|(mark, _)| placed.holds(mark.value))
        .map(|(mark, style)| (placed.at(mark.value), mark.name.as_str(), style))
        .collect();
    let marks = Marks::new(&marks, (left, WIDTH - MARGIN));
    let head = marks.height() + HEAD;
    let frame = Frame {
        title: title(input, &drawn, (&x, &y)),
        subtitle: subtitle(input, &lines, drawn.len(), (&x, &y)),
        source: source.to_owned(),
    };
    let figure = if input.chips.is_empty() {
        NAME
    } else {
        BANDWIDTH
    };
    let svg = frame
        .draw(head + PLOT + FOOT, |canvas, top| {
            let area = Area::new(across, down, (left, top + head, right, top + head + PLOT));
            let names = (input.x.titled(&x), begin(&input.y.titled(&y)));
            area.grid(canvas, (&x, &y), (&names.0, &names.1))?;
            marks.draw(canvas, top + head - HEAD, area.bottom)?;
            body(canvas, &area, input, (&drawn, single))
        })
        .map_err(|reason| DrawError { figure, reason })?;
    Ok(Some((svg, csv(input, &lines))))
}

/// Lines that nobody can tell apart in the figure are one, with the names of all.
fn together(lines: &[(&str, Points)], down: &Axis) -> Vec<(String, Points)> {
    let down = down.between((PLOT, 0.0));
    let alike = |a: &[(f64, f64)], b: &[(f64, f64)]| {
        let near = |(a, b): (&(f64, f64), &(f64, f64))| {
            a.0 == b.0 && (down.at(a.1) - down.at(b.1)).abs() <= ALIKE
        };
        a.len() == b.len() && a.iter().zip(b).all(near)
    };
    let mut drawn: Vec<(Vec<&str>, &Points)> = Vec::new();
    for (name, points) in lines {
        match drawn.iter_mut().find(|(_, other)| alike(points, other)) {
            Some((names, _)) => names.push(name),
            None => drawn.push((vec![name], points)),
        }
    }
    (drawn.into_iter())
        .map(|(names, points)| (joint(&names), points.clone()))
        .collect()
}

/// One name for several lines: where they differ in one choice alone, the others stand once.
fn joint(names: &[&str]) -> String {
    let split: Vec<Vec<&str>> = names
        .iter()
        .map(|name| name.split(", ").collect())
        .collect();
    let first = &split[0];
    let differ: Vec<usize> = (0..first.len())
        .filter(|at| split.iter().any(|parts| parts.get(*at) != first.get(*at)))
        .collect();
    let told = match (
        differ.as_slice(),
        split.iter().all(|parts| parts.len() == first.len()),
    ) {
        ([], true) => names[0].to_owned(),
        ([at], true) => {
            let all: Vec<&str> = split.iter().map(|parts| parts[*at]).collect();
            let mut parts: Vec<String> = first.iter().map(|part| (*part).to_owned()).collect();
            parts[*at] = all.join("/");
            parts.join(", ")
        }
        _ => names.join("; "),
    };
    // A name that would be cut hides who is meant.
    match names.len() > 1 && width(&told, LABEL) > NAMES {
        true => format!("{} and {} alike", names[0], names.len() - 1),
        false => told,
    }
}

/// An axis through all values that shows a small change small.
pub(super) fn vertical(values: &[f64], claim: Option<&Mark>) -> Axis {
    let (low, high) = (values.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(*v), h.max(*v))
    });
    let mut all = values.to_vec();
    // A claim beyond half the height again would press the lines together.
    let room = (high - low).max(LEAST * high.abs());
    all.extend(
        claim
            .map(|c| c.value)
            .filter(|v| v.is_finite() && *v > low - room && *v < high + room),
    );
    let middle = (low + high) / 2.0;
    if (high - low).abs() < LEAST * middle.abs() {
        all.extend([middle * (1.0 - LEAST / 2.0), middle * (1.0 + LEAST / 2.0)]);
    }
    let from_zero = low > 0.0 && high / low >= 2.5 && high / low <= 20.0;
    let spacing = if from_zero {
        Spacing::Zero
    } else {
        Spacing::Either
    };
    Axis::new(&all, spacing, (0.0, 1.0))
}

fn body(
    canvas: &Canvas<'_>,
    area: &Area,
    input: &Input,
    (lines, single): (&[(String, Points)], bool),
) -> Result<(), String> {
    if let Some(claim) = &input.claim
        && area.y.holds(claim.value)
    {
        let y = area.y.at(claim.value);
        canvas.dashes((area.left, y), (area.right, y), 1.6, CLAIM.ink)?;
        let above = if y - 10.0 > area.top {
            y - 9.0
        } else {
            y + 9.0
        };
        let long = width(&claim.name, CLAIM.font);
        canvas.rect(
            area.left + 4.0,
            above - 7.0,
            long + 4.0,
            14.0,
            colour::WHITE,
        )?;
        canvas.text(
            area.left + 6.0,
            above,
            super::theme::Anchor::Start,
            CLAIM.font,
            &claim.name,
        )?;
    }
    let named = &lines[..lines.len().min(SERIES)];
    for (_, points) in &lines[named.len()..] {
        let points: Vec<_> = points.iter().map(|p| area.at(*p)).collect();
        canvas.path(&points, 1.0, colour::GREY)?;
    }
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let hues = hues(&names);
    let mut ends = Vec::with_capacity(named.len());
    for ((name, points), hue) in named.iter().zip(&hues) {
        let points: Vec<_> = points.iter().map(|p| area.at(*p)).collect();
        if input.joined {
            canvas.path(&points, 2.2, *hue)?;
        } else {
            for point in &points {
                canvas.dot(*point, 3.0, *hue, 0.5)?;
            }
        }
        if input.joined && points.len() <= 40 {
            for point in &points {
                canvas.dot(*point, 3.0, *hue, 1.0)?;
            }
        }
        if let Some(end) = points.last() {
            ends.push((*end, name.as_str(), *hue));
        }
    }
    if !single {
        area.names(canvas, &ends, WIDTH - MARGIN)?;
    }
    Ok(())
}

/// A line's name with the change of its quantity between two places of the setting.
fn changes(lines: &[(String, Points)], ends: Option<(f64, f64)>) -> Vec<(String, f64)> {
    (lines.iter())
        .filter_map(|(name, points)| {
            let (from, to) = match ends {
                Some((from, to)) => (on(points, from)?, on(points, to)?),
                None => (points.first()?.1, points.last()?.1),
            };
            let ratio = to / from;
            (points.len() > 1 && ratio.is_finite() && ratio > 0.0).then(|| (named(name), ratio))
        })
        .collect()
}

/// The finding in one sentence.
fn title(input: &Input, lines: &[(String, Points)], (x, y): (&Measure, &Measure)) -> String {
    let both = (input.compared.as_ref())
        .map(|(from, to)| (changes(lines, Some((from.value, to.value))), from, to));
    if let Some((found, from, to)) = both
        && !found.is_empty()
    {
        return format!(
            "{}: from {} to {}, the {} changes by {}",
            input.subject,
            named(&from.name),
            named(&to.name),
            input.y.name,
            spread(&found),
        );
    }
    let found = if input.joined {
        changes(lines, None)
    } else {
        Vec::new()
    };
    let all = || lines.iter().flat_map(|(_, points)| points.iter());
    let fold = |of: &dyn Fn(&(f64, f64)) -> f64| {
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| {
            (l.min(of(p)), h.max(of(p)))
        })
    };
    let (ends, range) = (fold(&|p| p.0), fold(&|p| p.1));
    if found.is_empty() || ends.0 == ends.1 {
        return format!(
            "{}: {} between {} and {}",
            input.subject,
            input.y.name,
            y.value(range.0),
            y.value(range.1)
        );
    }
    format!(
        "{}: from {} to {} {}, the {} changes by {}",
        input.subject,
        x.value(ends.0),
        x.value(ends.1),
        input.x.name,
        input.y.name,
        spread(&found)
    )
}

/// The least and the largest of some changes, by name.
fn spread(found: &[(String, f64)]) -> String {
    let least = found.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    // The first of equals, as above.
    let most = found.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
    match (least, most) {
        (Some(least), Some(most)) if found.len() > 1 && change(least.1) != change(most.1) => {
            format!(
                "{} ({}) to {} ({})",
                change(least.1),
                least.0,
                change(most.1),
                most.0
            )
        }
        (Some(least), _) => change(least.1),
        _ => String::new(),
    }
}

fn subtitle(
    input: &Input,
    lines: &[(&str, Points)],
    drawn: usize,
    (x, y): (&Measure, &Measure),
) -> String {
    let mut text = format!("{} over {}", begin(&input.y.titled(y)), input.x.titled(x),);
    if !input.thresholds.is_empty() {
        text += "; dashed: thresholds of rules";
    }
    if lines.len() == 1 && !lines[0].0.is_empty() {
        text += &format!("; {}", named(lines[0].0));
    }
    if drawn > SERIES {
        text += &format!(
            "; {} more lines in grey, by name in the CSV",
            drawn - SERIES
        );
    }
    text
}

fn csv(input: &Input, lines: &[(&str, Points)]) -> String {
    let mut out = format!(
        "line,{},x_unit,{},y_unit\n",
        field(&input.x.name),
        field(&input.y.name)
    );
    let (x, y) = (field(&input.x.unit), field(&input.y.unit));
    for (name, points) in lines {
        for point in points {
            let _ = writeln!(out, "{},{},{x},{},{y}", field(name), point.0, point.1);
        }
    }
    let marks = (input.chips.iter())
        .chain(&input.thresholds)
        .filter(|m| m.value.is_finite());
    for mark in marks {
        let _ = writeln!(out, "{},{},{x},,", field(&mark.name), mark.value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    pub(super) fn input(lines: usize, scale: f64) -> Input {
        let line = |n: usize| Line {
            name: match n {
                0 => "h800".to_owned(),
                n if n < 7 => HOSTILE[n].to_owned(),
                n => format!("line {n}"),
            },
            points: [100.0, 200.0, 400.0, 600.0, 900.0]
                .map(|b| (b * 1e9, scale * (20.0 + 400.0 * (1.0 + n as f64) / b)))
                .to_vec(),
        };
        let mark = |value: f64, name: &str| Mark {
            value: value * 1e9,
            name: name.to_owned(),
        };
        Input {
            subject: "DeepSeek-V3 on 2,048 H800".to_owned(),
            x: Quantity {
                name: "NVLink bandwidth".to_owned(),
                unit: "B/s".to_owned(),
            },
            y: Quantity {
                name: "step time".to_owned(),
                unit: "s".to_owned(),
            },
            lines: (0..lines).map(line).collect(),
            chips: vec![
                mark(400.0, "H800, A800"),
                mark(600.0, "A100"),
                mark(900.0, "H100, H20"),
            ],
            thresholds: vec![mark(600.0, "rule of 2022-10-07: 600 GB/s")],
            claim: None,
            compared: Some((mark(900.0, "H100"), mark(400.0, "H800"))),
            joined: true,
        }
    }

    #[test]
    fn lines_are_drawn_whatever_their_number_and_size() {
        for lines in [1, 2, 7, 20] {
            for scale in [1.0, 1e-8, 1e150] {
                let input = input(lines, scale);
                sound(&format!("sweep-{lines}-{scale:e}"), &|| {
                    draw(&input, "Source: <&>")
                });
            }
        }
    }

    #[test]
    fn the_title_compares_what_it_is_asked_to() {
        let (svg, csv) = draw(&input(1, 1.0), "").unwrap().unwrap();
        // 20 + 400/900 against 20 + 400/400: 2.7 % more.
        assert!(said(&svg).contains("from H100 to H800, the step time changes by +2.7 %"));
        assert_eq!(csv.lines().count(), 1 + 5 + 4);
        let mut plain = input(2, 1.0);
        plain.compared = None;
        plain.lines.truncate(2);
        let (svg, _) = draw(&plain, "").unwrap().unwrap();
        // 24 to 20.44 and 28 to 20.89.
        assert!(
            said(&svg).contains("changes by −25.4 % (h100) to −14.8 % (h800)"),
            "{}",
            said(&svg)
        );
    }

    #[test]
    fn the_knee_is_where_the_fastest_line_leaves_its_best() {
        let one = input(1, 1.0);
        // 22 at 200 is 7.6 % above 20.44 at 900; 21 at 400 is 2.7 %.
        let told = knee(&one).expect("it leaves").replace('\u{a0}', " ");
        assert!(
            told.contains("(h800) is within 5 % of its best from 400 GB/s up"),
            "{told}"
        );
        assert!(told.ends_with("and +7.6 % at 200 GB/s."), "{told}");
        let mut flat = input(1, 1.0);
        flat.lines[0].points.drain(..2);
        assert_eq!(knee(&flat), None);
        flat.lines.clear();
        assert_eq!((knee(&flat), finding(&flat)), (None, None));
        let mut unnamed = input(1, 1.0);
        unnamed.lines[0].name.clear();
        let told = knee(&unnamed).expect("it leaves");
        assert!(told.starts_with("The least step time is within"), "{told}");
        assert_eq!(
            finding(&one)
                .map(|told| told.replace('\u{a0}', " "))
                .as_deref(),
            Some("From H100 to H800, the step time changes by +2.7 %")
        );
    }

    #[test]
    fn lines_that_lie_on_one_another_have_one_name() {
        let names = ["H800, 1f1b", "H100, 1f1b", "H800, dualpipe", "plain"];
        assert_eq!(joint(&names[..2]), "H800/H100, 1f1b");
        assert_eq!(joint(&names[1..3]), "H100, 1f1b; H800, dualpipe");
        assert_eq!(joint(&names[2..]), "H800, dualpipe; plain");
        assert_eq!(joint(&names[3..]), "plain");
        let mut two = input(2, 1.0);
        for (line, name) in two.lines.iter_mut().zip(names) {
            line.name = name.to_owned();
        }
        two.lines[1].points = two.lines[0].points.clone();
        two.lines[1].points[0].1 *= 1.0001;
        let (svg, csv) = draw(&two, "").unwrap().unwrap();
        assert!(said(&svg).contains("H800/H100, 1f1b"), "{}", said(&svg));
        assert!(csv.contains("\"H800, 1f1b\"") && csv.contains("\"H100, 1f1b\""));
    }

    #[test]
    fn few_and_unknown_points_are_drawn_or_no_figure() {
        let mut one = input(3, 1.0);
        for line in &mut one.lines {
            line.points.truncate(1);
        }
        sound("sweep-one-point", &|| draw(&one, ""));
        one.lines[0].points[0].1 = f64::NAN;
        one.lines[1].points[0].0 = f64::INFINITY;
        one.lines[2].points.clear();
        assert_eq!(draw(&one, "").unwrap(), None);
        let mut flat = input(1, 0.0);
        sound("sweep-flat", &|| draw(&flat, ""));
        flat.joined = false;
        sound("sweep-flat-dots", &|| draw(&flat, ""));
        flat.claim = Some(Mark {
            value: 0.0,
            name: "stated".to_owned(),
        });
        sound("sweep-flat-claim", &|| draw(&flat, ""));
    }
}
