//! A sensitivity study as pictures.
//!
//! In: a [`SensitivityDocument`]. Out: a tornado for each quantity, lines of equal value where two
//! numbers were varied at once; each as SVG with its data as CSV. Never writes files.

use super::document::{
    AxisDocument, GridDocument, InputSource, MetricDocument, SensitivityDocument,
};
use super::text::quantity;
use crate::answer::format::count;
use crate::chance::PREDICTION;
use crate::figures::{Axis, DrawError, Mark, iso_cost, tornado};
use crate::scenario::Number;

/// All figures, as `(file name, contents)`; those without data are left out. The first quantity's
/// have plain names, the others' end in the quantity.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(document: &SensitivityDocument) -> Result<Vec<(String, String)>, DrawError> {
    let mut files = Vec::new();
    for (index, metric) in document.metrics.iter().enumerate() {
        let ending = match index {
            0 => String::new(),
            _ => format!("-{}", metric.quantity),
        };
        let mut add = |name: &str, figure: Option<(String, String)>| {
            if let Some((svg, csv)) = figure {
                files.push((format!("{name}{ending}.svg"), svg));
                files.push((format!("{name}{ending}.csv"), csv));
            }
        };
        let source = source(document);
        add(
            tornado::NAME,
            tornado::draw(&bars(document, metric), &source)?,
        );
        let grid = (document.grid.as_ref()).and_then(|grid| Some((grid, grid.cells.get(index)?)));
        if let Some(input) = grid.and_then(|(grid, cells)| lines(document, metric, grid, cells)) {
            add(iso_cost::NAME, iso_cost::draw(&input, &source)?);
        }
    }
    Ok(files)
}

fn source(document: &SensitivityDocument) -> String {
    format!(
        "Source: simulation by Strait {}, digest {}. Reproduce: {}",
        document.strait,
        document.digest.get(..12).unwrap_or(&document.digest),
        document.command
    )
}

fn subject(document: &SensitivityDocument) -> String {
    format!(
        "{} on {} {}",
        document.model,
        count(u64::from(document.accelerators)),
        document.accelerator
    )
}

fn name(metric: &MetricDocument) -> String {
    quantity(&metric.quantity).map_or(metric.quantity.clone(), |q| q.name().to_owned())
}

fn marks(metric: &MetricDocument) -> Vec<Mark> {
    (metric.claims.iter())
        .map(|claim| Mark {
            value: claim.stated,
            name: stated(&claim.who, &claim.date),
        })
        .collect()
}

/// Who claims it and when, as a mark is named.
pub(crate) fn stated(who: &str, date: &str) -> String {
    match (who.is_empty(), date.is_empty()) {
        (true, true) => "claim".to_owned(),
        (true, false) => format!("claim, {date}"),
        (false, true) => who.to_owned(),
        (false, false) => format!("{who}, {date}"),
    }
}

/// What the tornado draws.
pub fn bars(document: &SensitivityDocument, metric: &MetricDocument) -> tornado::Input {
    let sources: Vec<InputSource> = document.inputs.iter().map(|input| input.source).collect();
    let ends = if sources.contains(&InputSource::Convention) {
        "each a share of the input as it stands, up and down: a convention, not an uncertainty"
    } else if sources.contains(&InputSource::Stated) {
        "the ends of the ranges that the scenario states"
    } else {
        "the ends of what was asked for"
    };
    tornado::Input {
        subject: subject(document),
        quantity: name(metric),
        unit: metric.unit.clone(),
        base: metric.base,
        ends: ends.to_owned(),
        claims: marks(metric),
        bars: (metric.swings.iter())
            .map(|swing| tornado::Bar {
                name: match swing.input.as_str() {
                    PREDICTION => "the prediction's own error".to_owned(),
                    path => path.to_owned(),
                },
                low_input: swing.low_input.clone(),
                high_input: swing.high_input.clone(),
                low: swing.at_low,
                high: swing.at_high,
            })
            .collect(),
    }
}

/// What the lines of equal value are of; `None` where an axis is of words.
fn lines(
    document: &SensitivityDocument,
    metric: &MetricDocument,
    grid: &GridDocument,
    cells: &[Vec<Option<f64>>],
) -> Option<iso_cost::Input> {
    let (columns, xs) = rising(&grid.x)?;
    let (rows, ys) = rising(&grid.y)?;
    let axis = |axis: &AxisDocument| Axis {
        name: axis.input.clone(),
        unit: Number::at(&axis.input).map_or(String::new(), |n| n.unit().to_owned()),
    };
    Some(iso_cost::Input {
        subject: subject(document),
        x: axis(&grid.x),
        y: axis(&grid.y),
        z: Axis {
            name: name(metric),
            unit: metric.unit.clone(),
        },
        xs,
        ys,
        values: (rows.iter())
            .map(|row| {
                (columns.iter())
                    .map(|column| cells[*row][*column].unwrap_or(f64::NAN))
                    .collect()
            })
            .collect(),
        claim: marks(metric).into_iter().next(),
        points: Vec::new(),
        how: format!("{} points simulated", columns.len() * rows.len()),
    })
}

/// The places of an axis's values in rising order, and the values.
fn rising(axis: &AxisDocument) -> Option<(Vec<usize>, Vec<f64>)> {
    let values: Option<Vec<f64>> = axis.values.iter().copied().collect();
    let values = values?;
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let sorted = places.iter().map(|place| values[*place]).collect();
    Some((places, sorted))
}
