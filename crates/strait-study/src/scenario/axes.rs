//! `[sweep]`: what varies in many cases of one scenario.
//!
//! In: the merged tree of a file, the ranges of its base case. Out: a [`Space`] in which every value is
//! a text as a file writes it, with its number where it has one; or every fault with its place. Never
//! combines values: that is the sweep's.

use super::amount::{self, Shape};
use super::check;
use super::diagnostic::{Diagnostic, Place};
use super::keys::Kind;
use super::paths::{self, Setting};
use super::read::Range;
use super::tree::{Data, Node, Table, Via};
use super::unit;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How the values of axes are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Every combination; the last axis varies fastest.
    Grid,
    /// The first values of all axes, the second values of all axes, and so on.
    Zip,
    /// Each part of equal probability of an axis is drawn from once.
    LatinHypercube,
    /// Each axis of each case by itself.
    Random,
}

impl Mode {
    /// Its word in files.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Grid => "grid",
            Mode::Zip => "zip",
            Mode::LatinHypercube => "latin-hypercube",
            Mode::Random => "random",
        }
    }

    /// Values are drawn rather than listed.
    pub fn sampled(self) -> bool {
        matches!(self, Mode::LatinHypercube | Mode::Random)
    }
}

/// One value of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// As people read it.
    pub text: String,
    /// In the axis' unit, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
    /// The named case that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Paths and TOML values that it sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
}

/// The values of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Values {
    /// Listed.
    Points(Vec<Point>),
    /// Anything between two numbers.
    Span {
        /// What it sets.
        path: String,
        /// Low end, in the axis' unit.
        from: f64,
        /// High end, in the axis' unit.
        to: f64,
        /// Alike in the logarithm.
        log: bool,
        /// Whole numbers only.
        whole: bool,
    },
    /// As likely as the file's range at this path says.
    Range {
        /// What it sets.
        path: String,
        /// The range in words.
        told: String,
    },
}

/// What varies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its path, or the name of a bundle.
    pub name: String,
    /// Unit of its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its numbers are whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Axes of one group move together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its values.
    pub values: Values,
}

impl Axis {
    /// Every value is a plain number without a unit.
    pub fn plain(&self) -> bool {
        let Values::Points(points) = &self.values else {
            return self.unit.is_none() && !self.of_words();
        };
        self.unit.is_none() && points.iter().all(|point| point.number.is_some())
    }

    /// It has no numbers at all.
    pub fn of_words(&self) -> bool {
        match &self.values {
            Values::Points(points) => points.iter().all(|point| point.number.is_none()),
            Values::Span { .. } => false,
            // Whether a range chooses between words shows in what it tells.
            Values::Range { told, .. } => told.starts_with(WORDS),
        }
    }

    /// Values that are listed.
    pub fn points(&self) -> Option<&[Point]> {
        match &self.values {
            Values::Points(points) => Some(points),
            _ => None,
        }
    }

    /// All that it may set.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = match &self.values {
            Values::Points(points) => (points.iter())
                .flat_map(|point| point.set.iter().map(|(path, _)| path.as_str()))
                .collect(),
            Values::Span { path, .. } | Values::Range { path, .. } => vec![path],
        };
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

/// Faults of one axis that are told.
pub(crate) const TOLD: usize = 10;

/// What a range of words is told to begin with.
const WORDS: &str = "one of ";

/// What `[sweep]` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// How values are combined.
    pub mode: Mode,
    /// Cases of the sampled modes.
    pub cases: Option<u64>,
    /// Chance is simulated in each case.
    pub chance: bool,
    /// What varies.
    pub axes: Vec<Axis>,
}

/// A number as text, the same number read back, and the unit.
pub(super) fn written(number: f64, unit: Option<String>) -> (String, Option<f64>, Option<String>) {
    // Nine digits: no more than anybody knows, and without the dust of arithmetic.
    let figure = unit::figure(number);
    let number = figure.parse().unwrap_or(number);
    let text = match &unit {
        Some(unit) => format!("{figure} {unit}"),
        None => figure,
    };
    (text, Some(number), unit)
}

/// What [`read`] looks at.
pub(super) struct Around<'a> {
    /// The merged file with what the command line changes.
    pub root: &'a Table,
    /// The start of the file.
    pub top: &'a Place,
    /// Names of the file's cases; empty where it names none.
    pub cases: &'a [&'a str],
    /// Ranges of the base case.
    pub ranges: &'a [Range],
}

/// Reads `[sweep]`; `cases` is what the command line says of their number.
pub(super) fn read(around: &Around<'_>, cases: Option<u64>) -> Result<Space, Vec<Diagnostic>> {
    let Some(entry) = around.root.get("sweep") else {
        return Err(vec![
            Diagnostic::error("sweep::nothing", "the file has no [sweep]: nothing varies")
                .at(around.top, "this file")
                .help("add [sweep] and at least one [[sweep.axis]] with path and values"),
        ]);
    };
    let place = &entry.node.place;
    let Some(table) = entry.node.table() else {
        return Err(vec![check::wrong_type(
            &entry.node,
            "sweep",
            "a table",
            "[sweep]",
        )]);
    };
    let mut faults = Vec::new();
    let mode = match table.get("mode").and_then(|e| e.node.text()) {
        Some("zip") => Mode::Zip,
        Some("latin-hypercube") => Mode::LatinHypercube,
        Some("random") => Mode::Random,
        _ => Mode::Grid,
    };
    let flag = |name: &str| {
        matches!(
            table.get(name).map(|e| &e.node.data),
            Some(Data::Bool(true))
        )
    };
    let stated = table.get("cases").and_then(|e| match e.node.data {
        Data::Integer(count) => u64::try_from(count).ok(),
        _ => None,
    });
    if let (Some(entry), false) = (table.get("cases"), mode.sampled()) {
        faults.push(
            Diagnostic::error(
                "sweep::cases",
                format!("`sweep.cases` has no use in mode \"{}\"", mode.word()),
            )
            .at(&entry.key, "the axes say how many cases there are")
            .help("leave it out, or write mode = \"latin-hypercube\""),
        );
    }
    if mode.sampled() && stated.is_none() && cases.is_none() {
        faults.push(
            Diagnostic::error(
                "sweep::cases",
                format!("mode \"{}\" needs a number of cases", mode.word()),
            )
            .at(place, "`cases` is missing here")
            .help("write cases = 1000, or give --cases 1000"),
        );
    }
    let list = table.get("axis").and_then(|e| e.node.list()).unwrap_or(&[]);
    let mut axes: Vec<Axis> = Vec::new();
    let mut places: Vec<&Place> = Vec::new();
    for node in list {
        let Some(table) = node.table() else { continue };
        match axis(around, mode, table, &node.place) {
            Ok(axis) => {
                axes.push(axis);
                places.push(&node.place);
            }
            Err(found) => faults.extend(few(found)),
        }
    }
    if flag("ranges") {
        if mode.sampled() {
            let taken: Vec<String> = (axes.iter())
                .flat_map(|axis| axis.paths().into_iter().map(str::to_owned))
                .collect();
            for range in around.ranges.iter().filter(|r| !taken.contains(&r.path)) {
                match of_range(range, None, None, place) {
                    Ok(axis) => {
                        axes.push(axis);
                        places.push(&range.place);
                    }
                    Err(fault) => faults.push(fault),
                }
            }
        } else if let Some(entry) = table.get("ranges") {
            faults.push(
                Diagnostic::error(
                    "sweep::ranges",
                    format!("ranges can't be drawn from in mode \"{}\"", mode.word()),
                )
                .at(&entry.key, "asks for ranges as axes")
                .help("write mode = \"latin-hypercube\" and cases = 1000"),
            );
        }
    }
    if axes.is_empty() && faults.is_empty() {
        faults.push(
            Diagnostic::error("sweep::nothing", "[sweep] has no axis: nothing varies")
                .at(place, "no [[sweep.axis]] here")
                .help("add [[sweep.axis]] with path and values")
                .help(
                    "in the sampled modes, ranges = true makes an axis of each range of the file",
                ),
        );
    }
    collisions(&axes, &places, &mut faults);
    lengths(mode, &axes, &places, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Space {
        mode,
        cases: cases.or(stated).filter(|_| mode.sampled()),
        chance: flag("chance"),
        axes,
    })
}

/// At most [`TOLD`] faults, the last of which says how many more there are.
fn few(mut faults: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    if more > 0
        && let Some(last) = faults.last_mut()
    {
        last.help
            .push(format!("and {more} more faults of this axis"));
    }
    faults
}

/// No two axes may have one name or set one path.
fn collisions(axes: &[Axis], places: &[&Place], faults: &mut Vec<Diagnostic>) {
    for (index, axis) in axes.iter().enumerate() {
        for (before, other) in axes.iter().enumerate().take(index) {
            let paths = other.paths();
            let shared = axis.paths().into_iter().find(|path| paths.contains(path));
            let what = match shared {
                _ if axis.name == other.name => format!("two axes are called `{}`", axis.name),
                Some(path) => format!("two axes set `{path}`"),
                None => continue,
            };
            faults.push(
                Diagnostic::error("sweep::twice", what)
                    .at(places[index], "the second")
                    .at(places[before], "the first")
                    .help("remove one, or bundle both as options of one axis"),
            );
        }
    }
}

/// What moves together must have as many values.
fn lengths(mode: Mode, axes: &[Axis], places: &[&Place], faults: &mut Vec<Diagnostic>) {
    if mode.sampled() {
        return;
    }
    for (index, axis) in axes.iter().enumerate() {
        let partner = axes.iter().take(index).position(|other| {
            mode == Mode::Zip || (axis.group.is_some() && axis.group == other.group)
        });
        let count = |axis: &Axis| axis.points().map_or(0, <[Point]>::len);
        let Some(first) = partner else { continue };
        if count(axis) != count(&axes[first]) {
            faults.push(
                Diagnostic::error(
                    "sweep::lengths",
                    format!(
                        "`{}` has {} values and `{}` has {}: they can't move together",
                        axes[first].name,
                        count(&axes[first]),
                        axis.name,
                        count(axis)
                    ),
                )
                .at(places[index], format!("{} values", count(axis)))
                .at(places[first], format!("{} values", count(&axes[first])))
                .help("give both as many values, or let them vary freely in mode \"grid\""),
            );
        }
    }
}

/// One `[[sweep.axis]]`.
fn axis(
    around: &Around<'_>,
    mode: Mode,
    table: &Table,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let text = |name: &str| {
        table
            .get(name)
            .and_then(|e| e.node.text())
            .map(str::to_owned)
    };
    let kinds = ["path", "option", "cases"];
    let given: Vec<_> = kinds.iter().filter_map(|name| table.get(name)).collect();
    let (name, group) = (text("name"), text("group"));
    match given.as_slice() {
        [] => Err(vec![
            Diagnostic::error("sweep::axis", "an axis needs `path`, `option` or `cases`")
                .at(place, "nothing varies here")
                .help(
                    "path = \"cluster.nvlink_bandwidth\" and values = [\"400 GB/s\", \"900 GB/s\"]",
                ),
        ]),
        [_, second, ..] => Err(vec![
            Diagnostic::error(
                "sweep::axis",
                "an axis has one of `path`, `option` and `cases`",
            )
            .at(&second.key, "the second of them")
            .help("make an axis of each; axes with the same `group` move together"),
        ]),
        [entry] => {
            let values = ["values", "from", "to", "steps", "scale"];
            let stray = values.iter().filter_map(|name| table.get(name)).next();
            if let (Some(stray), true) = (stray, entry.name != "path") {
                return Err(vec![
                    Diagnostic::error(
                        "sweep::axis",
                        format!(
                            "`{}` goes with a path, not with `{}`",
                            stray.name, entry.name
                        ),
                    )
                    .at(&stray.key, "has no use here")
                    .help("remove it, or make a second axis of it"),
                ]);
            }
            match entry.name.as_str() {
                "option" => options(around, name, group, &entry.node, place),
                "cases" => cases(around, name, group, &entry.node, place),
                _ => {
                    let path = entry.node.text().unwrap_or_default();
                    of_path(around, mode, path, &entry.node.place, table, place).map(|axis| Axis {
                        name: name.unwrap_or(axis.name),
                        group: group.or(axis.group),
                        ..axis
                    })
                }
            }
        }
    }
}

/// An axis over a path.
fn of_path(
    around: &Around<'_>,
    mode: Mode,
    path: &str,
    path_place: &Place,
    table: &Table,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let first = path.split('.').next().unwrap_or("");
    if super::factors::NO_SETTINGS.contains(&first)
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
struct Of<'a> {
    around: &'a Around<'a>,
    path: &'a str,
    path_place: &'a Place,
    kind: Kind,
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
    fn faults(&self, node: &Node) -> Vec<Diagnostic> {
        let mut root = self.around.root.clone();
        let setting = Setting {
            path: self.path.to_owned(),
            key: self.path_place.clone(),
            node: node.clone(),
        };
        paths::apply(&mut root, setting, &Via::File)
    }

    /// A number in the base unit; `None` for words and ranges.
    fn base(&self, node: &Node) -> Option<f64> {
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
    fn toml(&self, node: &Node) -> String {
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

/// A text as a TOML value: a string where it has a unit.
pub(super) fn setting(text: &str, unit: bool) -> String {
    if unit { quoted(text) } else { text.to_owned() }
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
fn of_range(
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

/// A bundle.
fn options(
    around: &Around<'_>,
    name: Option<String>,
    group: Option<String>,
    node: &Node,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let Some(name) = name else {
        return Err(vec![
            Diagnostic::error("scenario::missing-key", "an axis of options needs `name`")
                .at(place, "`name` is missing here")
                .help("say in a word what varies: name = \"machine\""),
        ]);
    };
    let mut points: Vec<Point> = Vec::new();
    for option in node.list().unwrap_or(&[]) {
        let Some(table) = option.table() else {
            continue;
        };
        let called = table.get("name").and_then(|e| e.node.text()).unwrap_or("");
        if points.iter().any(|point| point.text == called) {
            faults.push(
                Diagnostic::error(
                    "scenario::duplicate",
                    format!("two options of `{name}` are called \"{called}\""),
                )
                .at(&option.place, "the second of this name")
                .help("give each option a name of its own"),
            );
        }
        let mut settings = Vec::new();
        if let Some(set) = table.get("set").and_then(|e| e.node.table()) {
            paths::flatten(set, "", &mut settings);
        }
        let mut set = Vec::new();
        let mut root = around.root.clone();
        for setting in settings {
            let kind = paths::key(&setting.path, &setting.key).map(|key| key.kind);
            let of = Of {
                around,
                path: &setting.path,
                path_place: &setting.key,
                kind: kind.unwrap_or(Kind::Text),
            };
            set.push((setting.path.clone(), of.toml(&setting.node)));
            faults.extend(paths::apply(&mut root, setting, &Via::File));
        }
        points.push(Point {
            text: called.to_owned(),
            number: None,
            case: None,
            set,
        });
    }
    if points.is_empty() && faults.is_empty() {
        faults.push(
            Diagnostic::error(
                "scenario::empty",
                format!("the axis `{name}` has no options"),
            )
            .at(&node.place, "an empty list")
            .help("add [[sweep.axis.option]] with name and set"),
        );
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Axis {
        name,
        unit: None,
        whole: false,
        group,
        values: Values::Points(points),
    })
}

/// The file's own cases.
fn cases(
    around: &Around<'_>,
    name: Option<String>,
    group: Option<String>,
    node: &Node,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let known = around.cases;
    if known.is_empty() {
        return Err(vec![
            Diagnostic::error("sweep::cases", "the file has no [[case]] that could vary")
                .at(place, "an axis over cases")
                .help("add [[case]] tables, or bundle settings as [[sweep.axis.option]]"),
        ]);
    }
    let wanted = node.list().unwrap_or(&[]);
    let mut points = Vec::new();
    let mut faults = Vec::new();
    let mut add = |case: &str| {
        points.push(Point {
            text: case.to_owned(),
            number: None,
            case: Some(case.to_owned()),
            set: Vec::new(),
        });
    };
    for node in wanted {
        let asked = node.text().unwrap_or("");
        if known.contains(&asked) {
            add(asked);
        } else if asked == "all" {
            known.iter().for_each(|case| add(case));
        } else {
            let mut d = Diagnostic::error(
                "scenario::unknown-case",
                format!("the file has no case \"{asked}\""),
            )
            .at(&node.place, "not one of its cases");
            let near = check::suggest(asked, known);
            if !near.is_empty() {
                d = d.help(check::did_you_mean(&near));
            }
            faults.push(d.help(format!("its cases: {}", known.join(", "))));
        }
    }
    for (index, point) in points.iter().enumerate() {
        if points[..index].iter().any(|other| other.text == point.text) {
            faults.push(
                Diagnostic::error(
                    "sweep::twice",
                    format!("case \"{}\" is named twice", point.text),
                )
                .at(&node.place, "in this list")
                .help("name each case once"),
            );
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Axis {
        name: name.unwrap_or_else(|| "named_case".to_owned()),
        unit: None,
        whole: false,
        group,
        values: Values::Points(points),
    })
}

/// A value as people read it.
fn told(node: &Node) -> String {
    match &node.data {
        Data::Text(text) => text.clone(),
        _ => node.print(),
    }
}

/// A string as TOML; strings of JSON are strings of TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value as TOML, on one line.
pub(super) fn toml(node: &Node) -> String {
    match &node.data {
        Data::Text(text) => quoted(text),
        Data::List(list) => {
            let parts: Vec<String> = list.iter().map(toml).collect();
            format!("[{}]", parts.join(", "))
        }
        Data::Table(table) => {
            let parts: Vec<String> = (table.entries.iter())
                .map(|entry| format!("{} = {}", quoted(&entry.name), toml(&entry.node)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Data::Float(number) if number.fract() == 0.0 => format!("{number:e}"),
        _ => node.print(),
    }
}
