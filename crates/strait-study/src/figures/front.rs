//! What a search found: all candidates, and those that no other beats in both directions.
//!
//! In: candidates with two quantities, of both of which less is better. Out: dots, the front joined by steps and
//! named, and the same numbers as CSV. Never decides which candidates are on the front by anything but the two
//! quantities.

use super::DrawError;
use super::axis::{Axis, Spacing};
use super::labels::{Labels, Spot};
use super::look::{Measure, begin, named};
use super::plot::{Area, FOOT, HEAD, Quantity};
use super::theme::{Anchor, Canvas, Frame, MARGIN, Type, WIDTH, colour, field, width};
use crate::answer::format::count;
use std::fmt::Write;

/// File name without ending.
pub const NAME: &str = "front";

/// Height of the plot.
const PLOT: f64 = 380.0;
/// Candidates that are named at most.
const NAMED: usize = 7;
const WORD: Type = Type::new(12.0, colour::INK);

/// Candidates of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What was searched for, such as "DeepSeek-V3 on 2,048 H800".
    pub subject: String,
    /// What candidates are, in the plural, such as "layouts".
    pub what: String,
    /// The quantity along the horizontal axis; less is better.
    pub x: Quantity,
    /// The quantity along the vertical axis; less is better.
    pub y: Quantity,
    /// Candidates.
    pub candidates: Vec<Candidate>,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is.
    pub name: String,
    /// Both quantities.
    pub at: (f64, f64),
    /// Published rather than found: a ring, and always named.
    pub published: bool,
}

/// Indices of the candidates that no other is as good as in both and better in one, from left to right.
fn front(all: &[&Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| {
        let (p, q) = (all[*a].at, all[*b].at);
        p.0.total_cmp(&q.0).then(p.1.total_cmp(&q.1)).then(a.cmp(b))
    });
    let mut lowest = f64::INFINITY;
    order.retain(|n| {
        let better = all[*n].at.1 < lowest;
        lowest = lowest.min(all[*n].at.1);
        better
    });
    order
}

/// The figure as SVG and CSV; `None` without a candidate.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(input: &Input, source: &str) -> Result<Option<(String, String)>, DrawError> {
    let usable = |v: f64| v.is_finite() && v.abs() < 1e300;
    let all: Vec<&Candidate> = (input.candidates.iter())
        .filter(|c| usable(c.at.0) && usable(c.at.1))
        .collect();
    if all.is_empty() {
        return Ok(None);
    }
    let front = front(&all);
    let xs: Vec<f64> = all.iter().map(|c| c.at.0).collect();
    let ys: Vec<f64> = all.iter().map(|c| c.at.1).collect();
    let (x, y) = (input.x.measure(xs.clone()), input.y.measure(ys.clone()));
    let axes = (
        Axis::new(&xs, Spacing::Either, (0.0, 1.0)),
        Axis::new(&ys, Spacing::Either, (0.0, 1.0)),
    );
    let left = MARGIN + Area::gutter(&axes.1, y.factor, PLOT);
    let frame = Frame {
        title: title(input, &all, &front, (&x, &y)),
        subtitle: format!(
            "{} against {} of {} {}; blue: no other has less of both{}",
            begin(&input.y.said(&y)),
            input.x.said(&x),
            count(all.len() as u64),
            input.what,
            if all.iter().any(|c| c.published) {
                "; ring: as published"
            } else {
                ""
            }
        ),
        source: source.to_owned(),
    };
    let svg = frame
        .draw(HEAD + PLOT + FOOT, |canvas, top| {
            let place = (left, top + HEAD, WIDTH - MARGIN - 8.0, top + HEAD + PLOT);
            let area = Area::new(axes.0, axes.1, place);
            let names = (input.x.titled(&x), begin(&input.y.titled(&y)));
            area.grid(canvas, (&x, &y), (&names.0, &names.1))?;
            body(canvas, &area, &all, &front)
        })
        .map_err(|reason| DrawError {
            figure: NAME,
            reason,
        })?;
    Ok(Some((svg, csv(input, &all, &front))))
}

/// The finding in one sentence.
fn title(
    input: &Input,
    all: &[&Candidate],
    front: &[usize],
    (x, y): (&Measure, &Measure),
) -> String {
    let (Some(first), Some(last)) = (front.first(), front.last()) else {
        return input.subject.clone();
    };
    let say = |n: usize| {
        let (across, down) = all[n].at;
        format!("{} at {}", y.value(down), x.value(across))
    };
    if first == last {
        let same = all
            .iter()
            .filter(|other| other.at == all[*first].at)
            .count();
        let (who, has) = match same {
            1 => ("one".to_owned(), "has"),
            many => (count(many as u64), "share"),
        };
        return format!(
            "{}: {who} of {} {} {has} least {} and least {}: {}",
            input.subject,
            count(all.len() as u64),
            input.what,
            input.y.name,
            input.x.name,
            say(*first)
        );
    }
    format!(
        "{}: {} of {} {} trade {} for {}, from {} to {}",
        input.subject,
        front.len(),
        count(all.len() as u64),
        input.what,
        input.y.name,
        input.x.name,
        say(*first),
        say(*last)
    )
}

fn body(
    canvas: &Canvas<'_>,
    area: &Area,
    all: &[&Candidate],
    front: &[usize],
) -> Result<(), String> {
    for candidate in all {
        canvas.dot(area.at(candidate.at), 2.6, colour::GREY, 0.8)?;
    }
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for index in front {
        let at = area.at(all[*index].at);
        if let Some(last) = steps.last().copied() {
            steps.push((at.0, last.1));
        }
        steps.push(at);
    }
    canvas.path(&steps, 1.2, colour::BLUE)?;
    let published = (0..all.len()).filter(|n| all[*n].published);
    // Evenly along the front, both ends among them.
    let places = NAMED.min(front.len());
    let even = (0..places).map(|n| front[n * (front.len() - 1) / (places - 1).max(1)]);
    let mut names: Vec<usize> = Vec::new();
    for index in published.chain(even) {
        if !names.contains(&index) {
            names.push(index);
        }
    }
    let spots: Vec<Spot> = (front.iter().chain(&names))
        .map(|n| Spot {
            at: area.at(all[*n].at),
            beyond: false,
        })
        .collect();
    for index in front {
        canvas.dot(area.at(all[*index].at), 4.6, colour::BLUE, 1.0)?;
    }
    let mut labels = Labels::new((area.left, area.top, area.right, area.bottom), &spots);
    for index in names {
        let at = area.at(all[index].at);
        if all[index].published {
            canvas.ring(at, 6.5, 2.2, colour::INK)?;
        }
        let name = named(&all[index].name);
        if let Some((place, anchor)) = labels.beside(at, &name, WORD) {
            // The line of the front passes behind the name, not through it.
            let wide = width(&name, WORD);
            let x = match anchor {
                Anchor::Start => place.0,
                Anchor::Middle => place.0 - wide / 2.0,
                Anchor::End => place.0 - wide,
            };
            let (upper, lower) = (place.1 - WORD.size * 0.6, place.1 + WORD.size * 0.6);
            let ground = [(x, upper), (x + wide, upper), (x + wide, lower), (x, lower)];
            canvas.tint(&ground, colour::WHITE, 0.85)?;
            canvas.text(place.0, place.1, anchor, WORD, &name)?;
        }
    }
    Ok(())
}

fn csv(input: &Input, all: &[&Candidate], front: &[usize]) -> String {
    let mut out = format!(
        "name,{},x_unit,{},y_unit,on_front,published\n",
        field(&input.x.name),
        field(&input.y.name)
    );
    let (x, y) = (field(&input.x.unit), field(&input.y.unit));
    for (index, candidate) in all.iter().enumerate() {
        let _ = writeln!(
            out,
            "{},{},{x},{},{y},{},{}",
            field(&candidate.name),
            candidate.at.0,
            candidate.at.1,
            front.contains(&index),
            candidate.published
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{HOSTILE, said, sound};

    fn input(count: usize, scale: f64) -> Input {
        Input {
            subject: "DeepSeek-V3 on 2,048 H800".to_owned(),
            what: "layouts".to_owned(),
            x: Quantity {
                name: "peak memory".to_owned(),
                unit: "GB".to_owned(),
            },
            y: Quantity {
                name: "step time".to_owned(),
                unit: "s".to_owned(),
            },
            candidates: (0..count)
                .map(|n| Candidate {
                    name: HOSTILE
                        .get(n)
                        .map_or_else(|| format!("TP{n} PP16 EP64"), |s| (*s).to_owned()),
                    at: (
                        40.0 + (n * 37 % 101) as f64 * 0.4,
                        scale
                            * (20.0
                                + (n * 53 % 89) as f64 * 0.3
                                + 400.0 / (10.0 + (n * 37 % 101) as f64)),
                    ),
                    published: n == 3,
                })
                .collect(),
        }
    }

    #[test]
    fn candidates_are_drawn_whatever_their_number() {
        for count in [1, 2, 7, 20, 900] {
            for scale in [1.0, 1e-7, 1e100] {
                let input = input(count, scale);
                sound(&format!("front-{count}-{scale:e}"), &|| {
                    draw(&input, "Source: <&>")
                });
            }
        }
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let input = input(300, 1.0);
        let all: Vec<&Candidate> = input.candidates.iter().collect();
        let found = front(&all);
        for (index, candidate) in all.iter().enumerate() {
            let beaten = all.iter().any(|o| {
                o.at.0 <= candidate.at.0 && o.at.1 <= candidate.at.1 && o.at != candidate.at
            });
            let twin = all[..index].iter().any(|o| o.at == candidate.at);
            assert_eq!(found.contains(&index), !beaten && !twin, "{index}");
        }
        let title = said(&draw(&input, "").unwrap().unwrap().0);
        assert!(
            title.contains(&format!("{} of 300 layouts trade", found.len())),
            "{title}"
        );
    }

    #[test]
    fn no_candidate_is_no_figure() {
        let mut none = input(2, 1.0);
        none.candidates[0].at.0 = f64::NAN;
        none.candidates[1].at.1 = f64::INFINITY;
        assert_eq!(draw(&none, "").unwrap(), None);
    }
}
