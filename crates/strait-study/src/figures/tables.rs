//! Figures from sweeps.
//!
//! In: the table of a merged sweep, and which axis and metric to draw. Out: what the figures of lines, panels,
//! contours and fronts draw. Never joins cases that differ in more than what an axis of the figure shows.

use super::front::{self, Candidate};
use super::iso_cost;
use super::marks::Mark;
use super::plot::{Line, Quantity};
use super::small_multiples::{self, Panel};
use super::sweep;
use crate::answer::format::listed;
use crate::catalog::Catalog;
use crate::rules::RuleBook;
use crate::rules::condition::{Condition, Figure};
use crate::scenario::Mode;
use crate::sweep::table::{AxisColumn, MetricColumn, Table};

/// The bandwidth between accelerators, in scenarios.
const NVLINK: &str = "cluster.nvlink_bandwidth";
/// Accelerators whose bandwidth is marked, with their short names.
const CHIPS: [(&str, &str); 5] = [
    ("a100-sxm-80", "A100"),
    ("a800-sxm-80", "A800"),
    ("h800-sxm", "H800"),
    ("h100-sxm", "H100"),
    ("h20-96", "H20"),
];

/// Which axes and which metric a figure shows; what is left open is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Axis, or metric of a front, along the horizontal axis.
    pub x: Option<String>,
    /// Metric along the vertical axis.
    pub y: Option<String>,
    /// Axis that panels differ in, or the vertical one of contours.
    pub by: Option<String>,
}

/// A table that can't be drawn so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}\n  help: {remedy}")]
pub struct ChoiceError {
    message: String,
    remedy: String,
}

fn refuse<T>(message: String, remedy: String) -> Result<T, ChoiceError> {
    Err(ChoiceError { message, remedy })
}

/// The line below a figure of a table.
pub fn source(table: &Table, reproduce: &str) -> String {
    format!(
        "Source: sweep of {} cases by Strait {}, digest {}{}. Reproduce: {}; {reproduce}",
        crate::answer::format::count(table.cases() as u64),
        env!("CARGO_PKG_VERSION"),
        table.digest.get(..12).unwrap_or(&table.digest),
        if table.chance { "" } else { ", without chance" },
        table.reproduce
    )
}

/// Lines over an axis.
///
/// # Errors
/// An axis or a metric that there is not, or that has no numbers.
pub fn lines(
    table: &Table,
    choice: &Choice,
    catalog: &Catalog,
) -> Result<sweep::Input, ChoiceError> {
    let x = horizontal(table, choice, None)?;
    let y = metric(table, choice.y.as_deref(), x)?;
    let sampled = matches!(table.mode, Mode::LatinHypercube | Mode::Random);
    let (chips, thresholds, compared) = match both_ways(x) {
        Some(unit) => marks(catalog, unit),
        None => (Vec::new(), Vec::new(), None),
    };
    let lines = match sampled {
        true => vec![Line {
            name: String::new(),
            points: points(table, x, y, &|_| true),
        }],
        false => grouped(table, x, y, &others(table, &[x]), &|_| true),
    };
    Ok(sweep::Input {
        subject: table.title.clone(),
        x: axis_quantity(x),
        y: metric_quantity(y),
        lines,
        chips,
        thresholds,
        claim: None,
        compared: compared.filter(|_| !sampled),
        joined: !sampled,
    })
}

/// Lines over an axis, a panel for each value of another.
///
/// # Errors
/// An axis or a metric that there is not, or that has no numbers, or no second axis.
pub fn panels(table: &Table, choice: &Choice) -> Result<small_multiples::Input, ChoiceError> {
    let x = horizontal(table, choice, choice.by.as_deref())?;
    let y = metric(table, choice.y.as_deref(), x)?;
    let varied = others(table, &[x]);
    let by = match &choice.by {
        Some(path) => axis(table, path)?,
        None => match varied.iter().min_by_key(|axis| values(axis).len()) {
            Some(axis) => axis,
            None => {
                return refuse(
                    format!("no axis but `{}` has more than one value", x.path),
                    "draw it as one plot: strait plot sweep".to_owned(),
                );
            }
        },
    };
    if std::ptr::eq(by, x) {
        return refuse(
            format!(
                "`{}` can't be both the horizontal axis and what panels differ in",
                x.path
            ),
            format!("choose another with --x or --by: {}", axes(table)),
        );
    }
    let lines = others(table, &[x, by]);
    let panels: Vec<Panel> = (values(by).into_iter())
        .map(|value| Panel {
            lines: grouped(table, x, y, &lines, &|case| by.cells[case].text == value),
            name: value,
        })
        .collect();
    let baseline = (panels.iter()).find_map(|panel| {
        let line = panel.lines.iter().find(|line| !line.points.is_empty())?;
        let mut name = format!("{} {}", short(&by.path), panel.name);
        if !line.name.is_empty() {
            name += &format!(", {}", line.name);
        }
        Some(Line {
            name: format!("in grey: {name}"),
            points: line.points.clone(),
        })
    });
    Ok(small_multiples::Input {
        subject: table.title.clone(),
        x: axis_quantity(x),
        y: metric_quantity(y),
        by: short(&by.path),
        panels,
        baseline,
    })
}

/// A metric over two axes, of the cases in which all other axes have their first value.
///
/// # Errors
/// An axis or a metric that there is not, or without two axes of numbers.
pub fn contours(table: &Table, choice: &Choice) -> Result<iso_cost::Input, ChoiceError> {
    if table.mode.sampled() || table.mode == Mode::Zip {
        return refuse(
            format!("the cases of a sweep in mode \"{}\" are no grid", table.mode.word()),
            "lines of equal value need all pairs of values: sweep in mode \"grid\"; these cases draw with: strait plot sweep, \
             or strait plot front"
                .to_owned(),
        );
    }
    let x = horizontal(table, choice, choice.by.as_deref())?;
    let z = metric(table, choice.y.as_deref(), x)?;
    let y = match &choice.by {
        Some(path) => numeric(axis(table, path)?)?,
        None => match others(table, &[x])
            .into_iter()
            .find(|axis| numeric(axis).is_ok())
        {
            Some(axis) => axis,
            None => {
                return refuse(
                    format!("no axis of numbers but `{}` has more than one value", x.path),
                    "lines of equal value need two axes of numbers; draw one with: strait plot sweep".to_owned(),
                );
            }
        },
    };
    let rest = others(table, &[x, y]);
    let held: Vec<String> = rest.iter().map(|axis| axis.cells[0].text.clone()).collect();
    let ends = |axis: &AxisColumn| {
        let mut found: Vec<f64> = axis.cells.iter().filter_map(|c| c.number).collect();
        found.sort_by(f64::total_cmp);
        found.dedup();
        found
    };
    let (xs, ys) = (ends(x), ends(y));
    let mut grid = vec![vec![f64::NAN; xs.len()]; ys.len()];
    for case in 0..table.cases() {
        let here = (rest.iter().zip(&held)).all(|(axis, text)| axis.cells[case].text == *text);
        let at = |axis: &AxisColumn, values: &[f64]| {
            let number = axis.cells[case].number?;
            values.iter().position(|v| *v == number)
        };
        if let (true, Some(column), Some(row), Some(value)) =
            (here, at(x, &xs), at(y, &ys), z.values[case])
        {
            grid[row][column] = value;
        }
    }
    let held: Vec<String> = (rest.iter().zip(held))
        .map(|(axis, text)| format!("{} {text}", short(&axis.path)))
        .collect();
    Ok(iso_cost::Input {
        subject: table.title.clone(),
        x: axis_quantity(x),
        y: axis_quantity(y),
        z: metric_quantity(z),
        xs,
        ys,
        values: grid,
        claim: None,
        points: Vec::new(),
        how: match held.is_empty() {
            true => String::new(),
            false => format!("at {}", held.join(", ")),
        },
    })
}

/// All cases by two metrics.
///
/// # Errors
/// A metric that there is not.
pub fn candidates(table: &Table, choice: &Choice) -> Result<front::Input, ChoiceError> {
    let x = column(table, choice.x.as_deref().unwrap_or("memory_peak_gb"))?;
    let y = column(table, choice.y.as_deref().unwrap_or("step_time_s"))?;
    let varied = others(table, &[]);
    let candidates = (0..table.cases())
        .filter_map(|case| {
            let words: Vec<&str> = varied.iter().map(|a| a.cells[case].text.as_str()).collect();
            Some(Candidate {
                name: words.join(", "),
                at: (x.values[case]?, y.values[case]?),
                published: false,
            })
        })
        .collect();
    Ok(front::Input {
        subject: table.title.clone(),
        what: "cases".to_owned(),
        x: metric_quantity(x),
        y: metric_quantity(y),
        candidates,
    })
}

fn axes(table: &Table) -> String {
    let names: Vec<&str> = table.axes.iter().map(|a| a.path.as_str()).collect();
    names.join(", ")
}

fn axis<'a>(table: &'a Table, path: &str) -> Result<&'a AxisColumn, ChoiceError> {
    let found = table.axis(path).or_else(|| {
        let mut ending = table
            .axes
            .iter()
            .filter(|a| a.path.ends_with(&format!(".{path}")));
        ending.next().filter(|_| ending.next().is_none())
    });
    match found {
        Some(axis) => Ok(axis),
        None => refuse(
            format!("the sweep has no axis `{path}`"),
            format!("its axes are {}", axes(table)),
        ),
    }
}

/// The axis, if its values are numbers.
fn numeric(axis: &AxisColumn) -> Result<&AxisColumn, ChoiceError> {
    if axis.cells.iter().any(|c| c.number.is_some()) {
        return Ok(axis);
    }
    refuse(
        format!("the values of axis `{}` are words", axis.path),
        "choose an axis of numbers with --x".to_owned(),
    )
}

/// The axis along which lines go.
fn horizontal<'a>(
    table: &'a Table,
    choice: &Choice,
    taken: Option<&str>,
) -> Result<&'a AxisColumn, ChoiceError> {
    if let Some(path) = &choice.x {
        return numeric(axis(table, path)?);
    }
    let free = |axis: &&AxisColumn| {
        numeric(axis).is_ok()
            && taken.is_none_or(|taken| {
                axis.path != taken && !axis.path.ends_with(&format!(".{taken}"))
            })
    };
    let found = (table.axes.iter().filter(free))
        .find(|axis| axis.path == NVLINK)
        .or_else(|| {
            // The first of those with most values.
            (table.axes.iter().filter(free))
                .rev()
                .max_by_key(|axis| values(axis).len())
        });
    match found {
        Some(axis) => Ok(axis),
        None => refuse(
            "the sweep has no axis of numbers".to_owned(),
            format!(
                "its axes are {}; draw metrics against each other with: strait plot front",
                axes(table)
            ),
        ),
    }
}

fn column<'a>(table: &'a Table, name: &str) -> Result<&'a MetricColumn, ChoiceError> {
    let Some(found) = table.metric(name) else {
        let names: Vec<&str> = (table.metrics.iter())
            .filter(|m| m.values.iter().any(Option::is_some))
            .map(|m| m.name.as_str())
            .collect();
        return refuse(
            format!("the sweep has no metric `{name}`"),
            format!("its metrics are {}", names.join(", ")),
        );
    };
    if found.values.iter().all(Option::is_none) {
        let error = table.errors.iter().flatten().next();
        return refuse(
            format!("no case has a `{name}`"),
            match error {
                Some(error) => format!("the first fault was: {error}"),
                None => "choose another metric with --y".to_owned(),
            },
        );
    }
    Ok(found)
}

/// The metric that is asked for; else the cost along prices, and the time of a step along all else.
fn metric<'a>(
    table: &'a Table,
    asked: Option<&str>,
    x: &AxisColumn,
) -> Result<&'a MetricColumn, ChoiceError> {
    match asked {
        Some(name) => column(table, name),
        None if x.path.starts_with("economics.") => column(table, "cost_usd"),
        None => column(table, "step_time_s"),
    }
}

/// Values of an axis in the order in which they first occur.
fn values(axis: &AxisColumn) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for cell in &axis.cells {
        if seen.insert(&cell.text) {
            found.push(cell.text.clone());
        }
    }
    found
}

/// Axes with more than one value, without some.
fn others<'a>(table: &'a Table, without: &[&AxisColumn]) -> Vec<&'a AxisColumn> {
    (table.axes.iter())
        .filter(|axis| !without.iter().any(|other| std::ptr::eq(*other, *axis)))
        .filter(|axis| axis.cells.iter().any(|c| c.text != axis.cells[0].text))
        .collect()
}

fn points(
    table: &Table,
    x: &AxisColumn,
    y: &MetricColumn,
    of: &dyn Fn(usize) -> bool,
) -> Vec<(f64, f64)> {
    (0..table.cases())
        .filter(|case| of(*case))
        .filter_map(|case| Some((x.cells[case].number?, y.values[case]?)))
        .collect()
}

/// One line for each combination of the other axes' values, in the order of cases.
fn grouped(
    table: &Table,
    x: &AxisColumn,
    y: &MetricColumn,
    others: &[&AxisColumn],
    of: &dyn Fn(usize) -> bool,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for case in (0..table.cases()).filter(|case| of(*case)) {
        let (Some(across), Some(value)) = (x.cells[case].number, y.values[case]) else {
            continue;
        };
        let words: Vec<&str> = others.iter().map(|a| a.cells[case].text.as_str()).collect();
        let name = words.join(", ");
        let index = *places.entry(name.clone()).or_insert_with(|| {
            lines.push(Line {
                name,
                points: Vec::new(),
            });
            lines.len() - 1
        });
        lines[index].points.push((across, value));
    }
    lines
}

/// The last part of a path, in words.
fn short(path: &str) -> String {
    if path == NVLINK {
        return "NVLink bandwidth".to_owned();
    }
    path.rsplit('.').next().unwrap_or(path).replace('_', " ")
}

fn axis_quantity(axis: &AxisColumn) -> Quantity {
    Quantity {
        name: short(&axis.path),
        unit: axis.unit.clone().unwrap_or_default(),
    }
}

fn metric_quantity(metric: &MetricColumn) -> Quantity {
    let known = [
        ("step_time_s", "step time"),
        ("tokens_per_s_per_gpu", "tokens/s per GPU"),
        ("mfu_causal", "MFU, causal"),
        ("mfu_full", "MFU, full"),
        ("tflops_causal", "TFLOPS per GPU, causal"),
        ("tflops_full", "TFLOPS per GPU, full"),
        ("memory_peak_gb", "peak memory"),
        ("days", "length of the run"),
        ("gpu_hours", "number of GPU-hours"),
        ("energy_mwh", "energy of the run"),
        ("cost_usd", "cost"),
    ];
    let name = (known.iter()).find(|(id, _)| *id == metric.name);
    Quantity {
        name: match name {
            Some((_, name)) => (*name).to_owned(),
            None => {
                let bare = ["_s", "_gb", "_usd", "_mwh", "_days"]
                    .iter()
                    .find_map(|unit| metric.name.strip_suffix(unit));
                bare.unwrap_or(&metric.name).replace('_', " ")
            }
        },
        unit: metric.unit.clone(),
    }
}

/// Bytes per second, both ways together, in one unit of an axis of NVLink bandwidths.
fn both_ways(axis: &AxisColumn) -> Option<f64> {
    if axis.path != NVLINK {
        return None;
    }
    let unit = axis.unit.as_deref()?;
    let rate = [("TB/s", 1e12), ("GB/s", 1e9), ("MB/s", 1e6)]
        .iter()
        .find(|(name, _)| unit.starts_with(name))?
        .1;
    // As datasheets print it, unless the unit says otherwise.
    Some(if unit.contains("one") {
        2.0 * rate
    } else {
        rate
    })
}

/// Accelerators and rules on an axis of NVLink bandwidths, and the pair that the question is about.
type Marked = (Vec<Mark>, Vec<Mark>, Option<(Mark, Mark)>);

fn marks(catalog: &Catalog, unit: f64) -> Marked {
    let mut chips: Vec<(f64, Vec<&str>)> = Vec::new();
    let mut pair = (None, None);
    for (id, name) in CHIPS {
        let rate = catalog.chip(id).ok().and_then(|chip| chip.scale_up);
        let Some(value) = rate.map(|rate| 2.0 * rate.get() / unit) else {
            continue;
        };
        let mark = |name: &str| Mark {
            value,
            name: format!("{name}'s {}", super::look::brief(value)),
        };
        match name {
            "H100" => pair.0 = Some(mark(name)),
            "H800" => pair.1 = Some(mark(name)),
            _ => {}
        }
        match chips.iter_mut().find(|(other, _)| *other == value) {
            Some((_, names)) => names.push(name),
            None => chips.push((value, vec![name])),
        }
    }
    chips.sort_by(|a, b| a.0.total_cmp(&b.0));
    let chips = (chips.into_iter())
        .map(|(value, names)| Mark {
            value,
            name: names.join(", "),
        })
        .collect();
    // The same threshold may stand in several rules.
    let mut thresholds: Vec<(f64, Vec<String>)> = Vec::new();
    for set in RuleBook::of(catalog)
        .iter()
        .flat_map(|book| book.sets().to_vec())
    {
        for condition in set.clauses.iter().flat_map(|clause| &clause.when) {
            let Condition::AtLeast(Figure::Io, rate) = condition else {
                continue;
            };
            let date = (set.published).map_or(set.name.clone(), |date| date.to_string());
            match thresholds.iter_mut().find(|(other, _)| other == rate) {
                Some((_, dates)) if !dates.contains(&date) => dates.push(date),
                Some(_) => {}
                None => thresholds.push((*rate, vec![date])),
            }
        }
    }
    let thresholds = (thresholds.into_iter())
        .map(|(rate, dates)| {
            // A rule counts the link to the host as well.
            let rules = if dates.len() == 1 { "rule" } else { "rules" };
            Mark {
                value: rate / unit,
                name: format!(
                    "{rules} of {}: {} GB/s of I/O in all",
                    listed(&dates),
                    rate / 1e9
                ),
            }
        })
        .collect();
    (chips, thresholds, pair.0.zip(pair.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::inspect::{said, sound};
    use crate::sweep::sampling::Cell;
    use crate::sweep::{Merged, Summary};

    /// NVLink bandwidth, schedule and rent, all with all; one case has an error.
    fn table() -> Table {
        let (links, schedules) = ([100.0, 400.0, 900.0], ["dualpipe", "1f1b", "zb-h1"]);
        let rents = [1.0, 2.0, 4.0];
        let mut cells: [Vec<Cell>; 3] = Default::default();
        let (mut times, mut costs, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for link in links {
            for (index, schedule) in schedules.iter().enumerate() {
                for rent in rents {
                    let cell = |text: String, number| Cell { text, number };
                    cells[0].push(cell(format!("{link} GB/s"), Some(link)));
                    cells[1].push(cell((*schedule).to_owned(), None));
                    cells[2].push(cell(format!("{rent} USD/h"), Some(rent)));
                    let time = 20.0 + index as f64 + 90.0 / link;
                    let fails = errors.len() == 4;
                    errors.push(fails.then(|| "too large".to_owned()));
                    times.push((!fails).then_some(time));
                    costs.push((!fails).then_some(rent * time * 1e5));
                }
            }
        }
        let mut cells = cells.into_iter();
        let mut axis = |path: &str, unit: Option<&str>| AxisColumn {
            path: path.to_owned(),
            unit: unit.map(str::to_owned),
            cells: cells.next().unwrap(),
        };
        let metric = |name: &str, unit: &str, values: &[Option<f64>]| MetricColumn {
            name: name.to_owned(),
            unit: unit.to_owned(),
            values: values.to_vec(),
        };
        Table {
            title: "DeepSeek-V3".to_owned(),
            question: String::new(),
            mode: Mode::Grid,
            chance: false,
            axes: vec![
                axis(NVLINK, Some("GB/s")),
                axis("parallelism.schedule", None),
                axis("economics.rent", Some("USD/h")),
            ],
            metrics: vec![
                metric("step_time_s", "s", &times),
                metric("cost_usd", "USD", &costs),
                metric("goodput", "1", &vec![None; times.len()]),
            ],
            errors,
            reproduce: "strait sweep run x.toml".to_owned(),
            digest: "d".repeat(64),
            merged: Merged {
                strait: String::new(),
                plan: String::new(),
                cases: 27,
                errors: 1,
                files: Vec::new(),
                summary: Summary {
                    cases: 27,
                    answered: 26,
                    too_large: 0,
                    folded: 0,
                    errors: Vec::new(),
                    best: None,
                    cost_usd: None,
                    step_time_s: None,
                    effects: Vec::new(),
                },
            },
        }
    }

    fn choice(x: Option<&str>, y: Option<&str>, by: Option<&str>) -> Choice {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Choice {
            x: own(x),
            y: own(y),
            by: own(by),
        }
    }

    #[test]
    fn a_sweep_of_nvlink_is_drawn_with_chips_and_rules() {
        let input = lines(&table(), &Choice::default(), &Catalog::embedded()).unwrap();
        assert_eq!(input.x.name, "NVLink bandwidth");
        assert_eq!(input.lines.len(), 9);
        let points: usize = input.lines.iter().map(|line| line.points.len()).sum();
        assert_eq!(points, 26, "all cases but the one with an error");
        let chips: Vec<_> = (input.chips.iter())
            .map(|mark| (mark.value, mark.name.as_str()))
            .collect();
        assert_eq!(
            chips,
            [(400.0, "A800, H800"), (600.0, "A100"), (900.0, "H100, H20")]
        );
        assert!(
            input
                .thresholds
                .iter()
                .any(|m| m.value == 600.0 && m.name.contains("2022-10-07"))
        );
        let svg = sweep::draw(&input, &source(&table(), "strait plot"))
            .unwrap()
            .unwrap()
            .0;
        assert!(
            said(&svg).contains("from H100's 900 to H800's 400"),
            "{}",
            said(&svg)
        );
        sound("table-nvlink", &|| {
            sweep::draw(&input, &source(&table(), "strait plot"))
        });
    }

    #[test]
    fn axes_and_metrics_can_be_chosen() {
        let catalog = Catalog::embedded();
        let input = lines(&table(), &choice(Some("rent"), None, None), &catalog).unwrap();
        assert_eq!(
            (input.x.name.as_str(), input.y.name.as_str()),
            ("rent", "cost")
        );
        assert!(input.chips.is_empty());
        let input = panels(&table(), &Choice::default()).unwrap();
        assert_eq!(input.panels.len(), 3);
        assert_eq!(input.by, "schedule");
        assert_eq!(input.panels[0].lines.len(), 3);
        sound("table-panels", &|| small_multiples::draw(&input, ""));
        let input = contours(&table(), &choice(None, Some("cost_usd"), None)).unwrap();
        assert_eq!((input.xs.len(), input.ys.len()), (3, 3));
        assert_eq!(input.how, "at schedule dualpipe");
        // Rent of 2 at 400 GB/s.
        assert_eq!(input.values[1][1], 2.0 * (20.0 + 90.0 / 400.0) * 1e5);
        sound("table-contours", &|| iso_cost::draw(&input, ""));
        let input = candidates(&table(), &choice(Some("cost_usd"), None, None)).unwrap();
        assert_eq!(input.candidates.len(), 26);
        sound("table-front", &|| front::draw(&input, ""));
    }

    #[test]
    fn sampled_cases_are_not_joined() {
        let mut sampled = table();
        sampled.mode = Mode::LatinHypercube;
        let input = lines(&sampled, &Choice::default(), &Catalog::embedded()).unwrap();
        assert!(!input.joined && input.compared.is_none());
        assert_eq!(input.lines.len(), 1);
        sound("table-sampled", &|| sweep::draw(&input, ""));
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let catalog = Catalog::embedded();
        let refused = |choice: Choice| lines(&table(), &choice, &catalog).unwrap_err().to_string();
        let no_axis = refused(choice(Some("nodes"), None, None));
        assert!(
            no_axis.contains("`nodes`") && no_axis.contains("economics.rent"),
            "{no_axis}"
        );
        assert!(refused(choice(Some("schedule"), None, None)).contains("are words"));
        assert!(refused(choice(None, Some("x"), None)).contains("step_time_s, cost_usd"));
        assert!(refused(choice(None, Some("goodput"), None)).contains("too large"));
        let same = panels(
            &table(),
            &choice(Some("rent"), None, Some("economics.rent")),
        );
        assert!(same.unwrap_err().to_string().contains("both"));
        let mut words = table();
        words.axes.truncate(2);
        words.axes.remove(0);
        assert!(lines(&words, &Choice::default(), &catalog).is_err());
        assert!(panels(&words, &Choice::default()).is_err());
        assert!(contours(&words, &Choice::default()).is_err());
        // Each drawn value crossed with each other would be a figure of holes.
        let mut drawn = table();
        drawn.mode = Mode::LatinHypercube;
        assert!(contours(&drawn, &choice(None, Some("cost_usd"), None)).is_err());
    }
}
