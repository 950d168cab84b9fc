//! `[sweep]`: what varies in many cases of one scenario.
//!
//! In: the merged tree of a file, the ranges of its base case. Out: a [`Space`] in which every value is
//! a text as a file writes it, with its number where it has one; or every fault with its place. Never
//! combines values: that is the sweep's.

mod bundle;
mod path;
mod spelled;

use super::check;
use super::diagnostic::{Diagnostic, Place};
use super::read::Range;
use super::tree::{Data, Table};
use serde::{Deserialize, Serialize};

use bundle::{cases, options};
pub use path::between;
use path::{of_path, of_range};
pub(super) use spelled::written;

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
