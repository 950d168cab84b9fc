//! An axis over one path: a list of values, a span of numbers, or a range of the file.
//!
//! In: an axis' table, the path and the file around it. Out: an [`Axis`], or every fault with its place. Never
//! looks at another axis.

use super::super::amount::{self, Shape};
use super::super::check;
use super::super::diagnostic::{Diagnostic, Place};
use super::super::keys::Kind;
use super::super::paths::{self, Setting};
use super::super::read::Range;
use super::super::tree::{Data, Node, Table, Via};
use super::spelled::{quoted, setting, told, toml, written};
use super::{Around, Axis, Mode, Point, Values, WORDS};
use std::path::Path;

/// An axis over a path.
pub(super) fn of_path(
    around: &Around<'_>,
    mode: Mode,
    path: &str,
    path_place: &Place,
    table: &Table,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let first = path.split('.').next().unwrap_or("");
    if super::super::factors::NO_SETTINGS.contains(&first)
        || ["extends", "title", "note", "question"].contains(&first)
    {
        return Err(vec![
            Diagnostic::error("scenario::unknown-path", format!("`{path}` can't vary"))
                .at(path_place, "no setting of a simulation")
                .help("a path is a section and a key, such as parallelism.tensor"),
        ]);
    }
    let key = paths::key(path, path_place).map_err(|d| vec![d])?;
    if matches!(key.kind, Kind::Tables(_) | Kind::Table(_)) {
        return Err(vec![
            Diagnostic::error(
                "scenario::unknown-path",
                format!("`{path}` is a list of tables, not one value"),
            )
            .at(path_place, "of which of them, and which key?")
            .help(format!("name them: {path}.NAME.KEY")),
        ]);
    }
    let of = Of {
        around,
        path,
        path_place,
        kind: key.kind,
    };
    let span: Vec<_> = ["from", "to"].iter().filter_map(|n| table.get(n)).collect();
    match (table.get("values"), span.as_slice()) {
        (Some(values), []) => {
            if let Some(stray) = ["steps", "scale"].iter().find_map(|n| table.get(n)) {
                return Err(vec![
                    Diagnostic::error(
                        "sweep::axis",
                        format!("`{}` goes with from and to, not with values", stray.name),
                    )
                    .at(&stray.key, "has no use here")
                    .help("remove it"),
                ]);
            }
            of.list(&values.node)
        }
        (None, [from, to]) => of.span(mode, table, &from.node, &to.node, place),
        (Some(_), [end, ..]) => Err(vec![
            Diagnostic::error("sweep::axis", "an axis has `values`, or `from` and `to`")
                .at(&end.key, "besides values")
                .help("remove one of them"),
        ]),
        (None, [only]) => {
            let other = if only.name == "from" { "to" } else { "from" };
            Err(vec![
                Diagnostic::error("sweep::axis", "a span needs `from` and `to`")
                    .at(&only.key, format!("`{other}` is missing"))
                    .help(format!("give {other}, or a list of values")),
            ])
        }
        (None, _) => {
            let range = around.ranges.iter().find(|range| range.path == path);
            match range {
                Some(range) if mode.sampled() => {
                    of_range(range, None, None, path_place).map_err(|d| vec![d])
                }
                Some(_) => Err(vec![
                    Diagnostic::error(
                        "sweep::axis",
                        format!("the range of `{path}` can't be drawn from in mode \"{}\"", mode.word()),
                    )
                    .at(path_place, "names a range")
                    .help("give values, or from, to and steps; or write mode = \"latin-hypercube\""),
                ]),
                None => Err(vec![
                    Diagnostic::error("sweep::axis", format!("the axis `{path}` has no values"))
                        .at(place, "no `values`, no `from` and `to`")
                        .help("values = [ … ], or from, to and steps")
                        .help("in the sampled modes a path alone stands for the file's range there; this file gives none"),
                ]),
            }
        }
    }
}

/// The path of an axis.
pub(super) struct Of<'a> {
    pub(super) around: &'a Around<'a>,
    pub(super) path: &'a str,
    pub(super) path_place: &'a Place,
    pub(super) kind: Kind,
}

impl Of<'_> {
    /// It holds numbers, with a unit or without.
    fn of_numbers(&self) -> bool {
        matches!(
            self.kind,
            Kind::Count { .. }
                | Kind::Number { .. }
                | Kind::Quantity { .. }
                | Kind::WordOrQuantity { .. }
        )
    }

    /// What is wrong with a value at this path.
    pub(super) fn faults(&self, node: &Node) -> Vec<Diagnostic> {
        let mut root = self.around.root.clone();
        let setting = Setting {
            path: self.path.to_owned(),
            key: self.path_place.clone(),
            node: node.clone(),
        };
        paths::apply(&mut root, setting, &Via::File)
    }

    /// A number in the base unit; `None` for words and ranges.
    pub(super) fn base(&self, node: &Node) -> Option<f64> {
        (self.of_numbers())
            .then(|| amount::read(self.kind, node, self.path, false).ok()?.point)
            .flatten()
    }

    fn list(&self, node: &Node) -> Result<Axis, Vec<Diagnostic>> {
        let wanted = "a list of values";
        let Some(list) = node.list() else {
            return Err(vec![check::wrong_type(
                node,
                "sweep.axis.values",
                wanted,
                "[1, 2, 4]",
            )]);
        };
        if list.is_empty() {
            return Err(vec![
                Diagnostic::error(
                    "scenario::empty",
                    format!("the axis `{}` has no values", self.path),
                )
                .at(&node.place, "an empty list")
                .help("give at least one value"),
            ]);
        }
        let mut faults = Vec::new();
        let bases: Vec<Option<f64>> = list.iter().map(|value| self.base(value)).collect();
        for (index, value) in list.iter().enumerate() {
            faults.extend(self.faults(value));
            // One number in two units is the same value.
            let twice = (list[..index].iter().zip(&bases)).find(|(other, base)| {
                other.data == value.data || (base.is_some() && **base == bases[index])
            });
            if let Some((first, _)) = twice {
                faults.push(
                    Diagnostic::error(
                        "sweep::twice",
                        format!("the axis `{}` has {} twice", self.path, value.print()),
                    )
                    .at(&value.place, "the second time")
                    .at(&first.place, "the first")
                    .help("remove one"),
                );
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // The first number's unit is the axis'.
        let unit = list.iter().find_map(|value| {
            let base = self.base(value)?;
            Some(Unit::of(value, base))
        });
        let points = (list.iter())
            .map(|value| Point {
                text: told(value),
                number: self
                    .base(value)
                    .zip(unit.as_ref())
                    .map(|(base, unit)| unit.number(value, base)),
                case: None,
                set: vec![(self.path.to_owned(), self.toml(value))],
            })
            .collect();
        Ok(Axis {
            name: self.path.to_owned(),
            whole: matches!(self.kind, Kind::Count { .. }),
            unit: unit.and_then(|unit| unit.name),
            group: None,
            values: Values::Points(points),
        })
    }

    /// A value as TOML; a path to a file is made one from where the command stands, as it would be in
    /// the file.
    pub(super) fn toml(&self, node: &Node) -> String {
        if let (Kind::Path, Some(text)) = (self.kind, node.text())
            && (text.ends_with(".toml") || text.ends_with(".json"))
            && let Some(folder) = Path::new(&node.place.source.name).parent()
        {
            return quoted(&folder.join(text).display().to_string());
        }
        toml(node)
    }

    fn span(
        &self,
        mode: Mode,
        table: &Table,
        from: &Node,
        to: &Node,
        place: &Place,
    ) -> Result<Axis, Vec<Diagnostic>> {
        if !self.of_numbers() {
            return Err(vec![
                Diagnostic::error(
                    "sweep::axis",
                    format!(
                        "`{}` holds no number: it has no values between two",
                        self.path
                    ),
                )
                .at(&from.place, "the start of a span")
                .help("list its values: values = [ … ]"),
            ]);
        }
        let mut faults = self.faults(from);
        faults.extend(self.faults(to));
        let (Some(low), Some(high)) = (self.base(from), self.base(to)) else {
            if faults.is_empty() {
                faults.push(
                    Diagnostic::error("sweep::axis", "a span goes from one number to another")
                        .at(&from.place, "from here")
                        .at(&to.place, "to here")
                        .help("give plain numbers; ranges vary by themselves in the sampled modes"),
                );
            }
            return Err(faults);
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let unit = match low == 0.0 {
            true => Unit::of(to, high),
            false => Unit::of(from, low),
        };
        let log = table.get("scale").and_then(|e| e.node.text()) == Some("log");
        let whole = matches!(self.kind, Kind::Count { .. });
        if low >= high {
            let (what, help) = match low == high {
                true => (
                    "is no span: both ends are the same",
                    "give one value in a list: values = [ … ]",
                ),
                false => ("goes downwards", "exchange from and to"),
            };
            return Err(vec![
                Diagnostic::error("sweep::axis", format!("the axis `{}` {what}", self.path))
                    .at(&from.place, "from here")
                    .at(&to.place, "to here")
                    .help(help),
            ]);
        }
        if log && low <= 0.0 {
            return Err(vec![
                Diagnostic::error(
                    "sweep::axis",
                    format!("the axis `{}` has no logarithm where it begins", self.path),
                )
                .at(&from.place, "not above zero")
                .help("begin above zero, or leave out scale = \"log\""),
            ]);
        }
        let (first, last) = (unit.number(from, low), unit.number(to, high));
        let axis = |values| Axis {
            name: self.path.to_owned(),
            unit: unit.name.clone(),
            whole,
            group: None,
            values,
        };
        if mode.sampled() {
            return Ok(axis(Values::Span {
                path: self.path.to_owned(),
                from: first,
                to: last,
                log,
                whole,
            }));
        }
        let steps = table.get("steps").and_then(|e| match e.node.data {
            Data::Integer(steps) => u32::try_from(steps).ok(),
            _ => None,
        });
        let Some(steps) = steps else {
            return Err(vec![
                Diagnostic::error(
                    "sweep::axis",
                    format!("the axis `{}` needs `steps`", self.path),
                )
                .at(place, "`steps` is missing here")
                .help("steps = 5 gives five values, both ends included"),
            ]);
        };
        let mut points: Vec<Point> = Vec::with_capacity(steps as usize);
        for index in 0..steps {
            let share = f64::from(index) / f64::from(steps.max(2) - 1);
            let number = between(first, last, share, log, whole);
            let (text, number, _) = written(number, unit.name.clone());
            if points.last().is_some_and(|point| point.number == number) {
                return Err(vec![
                    Diagnostic::error(
                        "sweep::axis",
                        format!("{steps} steps of `{}` are more than there are values: {text} comes twice", self.path),
                    )
                    .at(place, "this axis")
                    .help("take fewer steps, or list the values"),
                ]);
            }
            points.push(Point {
                set: vec![(self.path.to_owned(), setting(&text, unit.name.is_some()))],
                text,
                number,
                case: None,
            });
        }
        Ok(axis(Values::Points(points)))
    }
}
/// A number between two; both ends are met exactly.
pub fn between(from: f64, to: f64, share: f64, log: bool, whole: bool) -> f64 {
    let value = if share <= 0.0 {
        from
    } else if share >= 1.0 {
        to
    } else if log {
        from * libm::pow(to / from, share)
    } else {
        from + (to - from) * share
    };
    if whole { value.round() } else { value }
}
/// The unit that a number is written in.
struct Unit {
    name: Option<String>,
    /// Base units in one of it.
    scale: f64,
}

impl Unit {
    fn of(node: &Node, base: f64) -> Unit {
        let (number, name) = split(node);
        let scale = match number {
            Some(number) if number != 0.0 && base != 0.0 => base / number,
            _ => 1.0,
        };
        Unit { name, scale }
    }

    /// The number of a value in this unit: as written where it is written in it.
    fn number(&self, node: &Node, base: f64) -> f64 {
        match split(node) {
            (Some(number), name) if name == self.name => number,
            _ => written(base / self.scale, None).1.unwrap_or(base),
        }
    }
}

/// The number and the unit of a value as written: "1.5 M USD" is 1.5 and "M USD".
fn split(node: &Node) -> (Option<f64>, Option<String>) {
    let text = match &node.data {
        Data::Integer(number) => return (Some(*number as f64), None),
        Data::Float(number) => return (Some(*number), None),
        Data::Text(text) => text.trim(),
        _ => return (None, None),
    };
    let end = (text.char_indices())
        .find(|(at, c)| {
            let exponent = "eE".contains(*c)
                && text[at + 1..].starts_with(|d: char| d.is_ascii_digit() || "+-".contains(d));
            let sign = "+-".contains(*c) && (*at == 0 || text[..*at].ends_with(['e', 'E']));
            !(c.is_ascii_digit() || ".,_".contains(*c) || exponent || sign)
        })
        .map_or(text.len(), |(at, _)| at);
    let digits: String = text[..end].chars().filter(|c| !",_".contains(*c)).collect();
    let unit = text[end..].trim();
    (
        digits.parse().ok(),
        (!unit.is_empty()).then(|| unit.to_owned()),
    )
}
/// A range of the file as an axis.
pub(super) fn of_range(
    range: &Range,
    name: Option<String>,
    group: Option<String>,
    place: &Place,
) -> Result<Axis, Diagnostic> {
    paths::key(&range.path, place).map_err(|_| {
        Diagnostic::error(
            "sweep::axis",
            format!(
                "the range of `{}` can't be an axis: no path leads to it",
                range.path
            ),
        )
        .at(&range.place, "this range")
        .help("replace it by one value, or list the axes that should vary")
    })?;
    let told = match range.shape {
        Shape::Choices => {
            let words: Vec<&str> = range.choices.iter().map(|c| c.text.as_str()).collect();
            format!("{WORDS}{}", words.join(", "))
        }
        _ => format!(
            "{} to {}, likeliest {} ({})",
            range.print(range.low),
            range.print(range.high),
            range.print(range.mode),
            range.shape.word()
        ),
    };
    Ok(Axis {
        name: name.unwrap_or_else(|| range.path.clone()),
        unit: range.written(range.mode).2,
        whole: range.whole(),
        group,
        values: Values::Range {
            path: range.path.clone(),
            told: match (range.shape, range.of_words()) {
                (Shape::Choices, false) => told.replacen(WORDS, "any of ", 1),
                _ => told,
            },
        },
    })
}
