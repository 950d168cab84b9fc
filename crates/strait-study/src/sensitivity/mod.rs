//! What moves an answer: one input at a time, and two at once.
//!
//! In: a case of a scenario, inputs with their values, quantities. Out: a [`SensitivityDocument`]:
//! swings, elasticities, a grid. Every point is simulated or, where no step changes, composed anew;
//! nothing is interpolated. Never prints, and never draws: how likely values are is for
//! [`crate::chance`].
//!
//! | room | what |
//! |---|---|
//! | [`request`] | what was asked, as the command line writes it |
//! | `inputs` | which inputs, how far |
//! | `evaluate` | quantities at a point |
//! | [`document`] | the answer as JSON |
//! | [`text`] | the answer for people |
//! | [`table`] | the answer as CSV |
//! | [`figures`] | the answer as pictures |

pub mod document;
mod evaluate;
pub mod figures;
mod inputs;
pub mod request;
pub mod table;
pub mod text;

pub use document::SensitivityDocument;
pub use inputs::CONVENTION;
pub use request::{Over, Request};

use crate::answer::digest;
use crate::answer::format::{count, percent};
use crate::catalog::Catalog;
use crate::chance::pool;
use crate::scenario::{Diagnostic, Number, ResolvedCase, Template};
use crate::verdict::{Claim, Quantity};
use document::{
    AxisDocument, GridDocument, InputDocument, InputSource, MetricDocument, PointDocument,
    StatedDocument, SwingDocument, Way,
};
use evaluate::{Base, Found};
use inputs::{Input, Plan};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use strait_training::simulate::{Control, SimulateError};

/// Most points of a grid: beyond, a sweep is the better tool.
const LARGEST_GRID: usize = 10_000;
/// Share of the work that the case as it stands is.
const FIRST: f64 = 0.3;

/// Why there is no study.
#[derive(Debug, thiserror::Error)]
pub enum SensitivityError {
    /// Paths, values or files are at fault.
    #[error("{}", .0.first().map_or("", |fault| fault.message.as_str()))]
    Faults(Vec<Diagnostic>),
    /// The case at some values has no answer.
    #[error("{at}: {source}")]
    Simulate {
        /// The values.
        at: String,
        /// What the simulation said.
        source: SimulateError,
    },
    /// What was asked for makes no sense.
    #[error("{message}")]
    Request {
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl SensitivityError {
    fn simulate(at: &str, source: SimulateError) -> SensitivityError {
        match source {
            SimulateError::Cancelled => SensitivityError::Cancelled,
            source => SensitivityError::Simulate {
                at: at.to_owned(),
                source,
            },
        }
    }
}

/// What is studied: a case, and the file to resolve it from again with other values.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The scenario file, for people.
    pub path: &'a Path,
    /// The scenario file, read, with what the command line changes.
    pub template: &'a Template,
    /// The catalogue that it was read with.
    pub catalog: &'a Catalog,
    /// The case as it stands.
    pub resolved: &'a ResolvedCase,
    /// Title of the scenario.
    pub title: &'a str,
    /// The question that the scenario answers.
    pub question: &'a str,
    /// Version of the command.
    pub version: &'a str,
    /// The command that gives the answer again.
    pub command: &'a str,
}

impl Subject<'_> {
    /// The case with further settings.
    fn at(&self, set: &[(String, String)]) -> Result<ResolvedCase, SensitivityError> {
        let name = self.resolved.case.name.as_str();
        (self.template.case(self.catalog, Some(name), set)).map_err(SensitivityError::Faults)
    }

    /// A value as it stands, for people; empty where the case has none.
    fn base_text(&self, path: &str) -> String {
        let range = self.resolved.ranges.iter().find(|r| r.path == path);
        if let Some(range) = range {
            return range.print(range.mode);
        }
        let mut origins = self.resolved.origins.iter();
        let text = origins.find(|e| e.path == path).map(|e| e.value.clone());
        match (self.base_value(path), Number::at(path)) {
            (Some(value), Some(number)) => number.print(value),
            _ => text.unwrap_or_default(),
        }
    }

    /// The same as a number of the base unit.
    fn base_value(&self, path: &str) -> Option<f64> {
        let range = self.resolved.ranges.iter().find(|r| r.path == path);
        if let Some(range) = range {
            return (!range.of_words()).then_some(range.mode);
        }
        let explained = self.resolved.origins.iter().find(|e| e.path == path)?;
        Number::at(path)?.read(&explained.value).ok()
    }
}

/// Varies the inputs of a case.
///
/// # Errors
/// What is wrong with the request, values that contradict others, or that the caller asked to stop.
pub fn study(
    subject: &Subject<'_>,
    request: &Request,
    control: Control<'_>,
) -> Result<SensitivityDocument, SensitivityError> {
    let mut plan = plan(subject, request)?;
    let grid = grid_plan(subject, request, &mut plan)?;
    let report = |share| (control.progress)(FIRST * share);
    let base = Base::new(
        &subject.resolved.case,
        &subject.resolved.fleet,
        &request.metrics,
        Control {
            progress: &report,
            ..control
        },
    )?;
    if stated(subject, request) {
        plan.prediction(subject, base.deviation());
    }
    let as_it_stands = (base.as_it_stands()?.into_iter().zip(&request.metrics))
        .map(|(value, metric)| value.ok_or_else(|| none(*metric)))
        .collect::<Result<Vec<f64>, _>>()?;
    let found = evaluate(&base, &plan, control)?;
    let inputs = documents(&plan.inputs, &found);
    let metrics = (request.metrics.iter().enumerate())
        .map(|(at, metric)| MetricDocument {
            quantity: metric.id().to_owned(),
            unit: metric.unit().symbol().to_owned(),
            base: as_it_stands[at],
            claims: claims(subject, *metric),
            swings: swings(&plan.inputs, &found, at),
        })
        .collect();
    let mut warnings: Vec<String> = (subject.resolved.warnings.iter())
        .map(|w| w.message.clone())
        .collect();
    warnings.extend(base.warnings().iter().cloned());
    warnings.append(&mut plan.warnings);
    let unfit = inputs.iter().flat_map(|input| {
        (input.points.iter().filter(|point| !point.fits)).map(|point| {
            format!(
                "at `{}` = {} the layout does not fit in memory: it could not run",
                input.input, point.input
            )
        })
    });
    warnings.extend(unfit);
    let mut document = SensitivityDocument {
        strait: subject.version.to_owned(),
        scenario: subject.path.display().to_string(),
        title: subject.title.to_owned(),
        question: subject.question.to_owned(),
        case: subject.resolved.case.name.clone(),
        model: subject.resolved.case.model.name.clone(),
        accelerator: subject.resolved.case.cluster.accelerator.name.clone(),
        accelerators: subject.resolved.case.cluster.ranks(),
        seed: subject.resolved.case.seed,
        digest: String::new(),
        command: subject.command.to_owned(),
        method: method(request, subject, &inputs, &base, grid.is_some()),
        metrics,
        inputs,
        grid: grid.map(|grid| grid.document(&found, request.metrics.len())),
        warnings,
    };
    document.digest = digest(&document);
    Ok(document)
}

/// Claims of the scenario about a quantity.
fn claims(subject: &Subject<'_>, metric: Quantity) -> Vec<StatedDocument> {
    (subject.resolved.claims.iter())
        .filter_map(|stated| Claim::of(stated).ok())
        .filter(|claim| claim.quantity == metric && claim.phase.is_none())
        .map(|claim| StatedDocument {
            stated: claim.stated,
            who: claim.who,
            date: claim.date,
        })
        .collect()
}

/// Whether the scenario's own ranges are what is varied.
fn stated(subject: &Subject<'_>, request: &Request) -> bool {
    request.over.is_empty() && request.by.is_none() && !subject.resolved.ranges.is_empty()
}

fn none(metric: Quantity) -> SensitivityError {
    SensitivityError::Request {
        message: format!("the case has no {}", metric.name()),
        help: "choose another --metric".to_owned(),
    }
}

/// A path that does not exist is told as everywhere, with what may have been meant.
fn exists(subject: &Subject<'_>, over: &Over) -> Result<(), SensitivityError> {
    let (path, value) = (&over.path, over.first());
    if Number::at(path).is_some() {
        return Ok(());
    }
    match subject.at(&[(path.clone(), value.to_owned())]) {
        Err(SensitivityError::Faults(faults)) => {
            let unknown: Vec<Diagnostic> = (faults.into_iter())
                .filter(|fault| fault.code == "scenario::unknown-path")
                .collect();
            match unknown.is_empty() {
                true => Ok(()),
                false => Err(SensitivityError::Faults(unknown)),
            }
        }
        _ => Ok(()),
    }
}

/// The inputs and all points, resolved and checked before anything is simulated.
fn plan(subject: &Subject<'_>, request: &Request) -> Result<Plan, SensitivityError> {
    let mut plan = Plan::default();
    for over in &request.over {
        if plan.inputs.iter().any(|input| input.path == over.path) {
            return Err(SensitivityError::Request {
                message: format!("`{}` is there twice", over.path),
                help: "give all of its values at once".to_owned(),
            });
        }
        // A span is its two ends unless it is an axis of a grid.
        let steps = if request.grid { request.steps } else { 2 };
        exists(subject, over)?;
        let values = over.values(steps)?;
        plan.asked(
            subject,
            &over.path,
            &values,
            InputSource::CommandLine,
            !request.ratio,
        )?;
    }
    let known: Vec<String> = plan.inputs.iter().map(|input| input.path.clone()).collect();
    let ranges = &subject.resolved.ranges;
    match request.by {
        Some(share) => plan.convention(subject, share, &known)?,
        None if !request.over.is_empty() => {}
        None if ranges.is_empty() => plan.convention(subject, CONVENTION, &known)?,
        None => {
            for (index, range) in ranges.iter().enumerate() {
                plan.stated(subject, index, range, !request.ratio)?;
            }
        }
    }
    Ok(plan)
}

/// Two axes and where each of their pairs will be found.
struct Grid {
    x: AxisDocument,
    y: AxisDocument,
    jobs: Vec<usize>,
}

impl Grid {
    fn document(self, found: &[Found], metrics: usize) -> GridDocument {
        let columns = self.x.inputs.len();
        let cells = (0..metrics)
            .map(|metric| {
                (self.jobs.chunks(columns))
                    .map(|row| row.iter().map(|j| found[*j].quantities[metric]).collect())
                    .collect()
            })
            .collect();
        GridDocument {
            x: self.x,
            y: self.y,
            cells,
        }
    }
}

fn grid_plan(
    subject: &Subject<'_>,
    request: &Request,
    plan: &mut Plan,
) -> Result<Option<Grid>, SensitivityError> {
    if !request.grid {
        return Ok(None);
    }
    let [x, y] = request.over.as_slice() else {
        return Err(SensitivityError::Request {
            message: format!("a grid is of two inputs, not of {}", request.over.len()),
            help: "give --over twice, columns first".to_owned(),
        });
    };
    let (columns, rows) = (x.values(request.steps)?, y.values(request.steps)?);
    let points = columns.len() * rows.len();
    if points > LARGEST_GRID {
        return Err(SensitivityError::Request {
            message: format!(
                "the grid has {} points, more than {}",
                count(points as u64),
                count(LARGEST_GRID as u64)
            ),
            help: "take fewer --steps, or `strait sweep`".to_owned(),
        });
    }
    let mut jobs = Vec::with_capacity(points);
    for row in &rows {
        for column in &columns {
            let set = [
                (x.path.clone(), column.set.clone()),
                (y.path.clone(), row.set.clone()),
            ];
            let chance = inputs::of_chance(&x.path) || inputs::of_chance(&y.path);
            let at = format!(
                "at {} = {}, {} = {}",
                x.path, column.shown, y.path, row.shown
            );
            jobs.push(plan.add(at, subject.at(&set)?, !request.ratio || chance)?);
        }
    }
    let axis = |path: &str, values: &[request::Value]| AxisDocument {
        input: path.to_owned(),
        inputs: values.iter().map(|value| value.shown.clone()).collect(),
        values: values.iter().map(|value| value.number).collect(),
    };
    Ok(Some(Grid {
        x: axis(&x.path, &columns),
        y: axis(&y.path, &rows),
        jobs,
    }))
}

/// All points, on all threads; the first error in their order counts.
fn evaluate(
    base: &Base<'_>,
    plan: &Plan,
    control: Control<'_>,
) -> Result<Vec<Found>, SensitivityError> {
    let points = &plan.points;
    let inner = Control {
        threads: 1,
        progress: &|_| {},
        ..control
    };
    let done = AtomicUsize::new(0);
    let stop = || control.cancel.load(Ordering::Relaxed);
    let found = pool::map(points.len(), control.threads, 1, &stop, &|job| {
        let found = base.at(&points[job], inner);
        let now = done.fetch_add(1, Ordering::Relaxed) + 1;
        (control.progress)(FIRST + (1.0 - FIRST) * now as f64 / points.len() as f64);
        found
    })
    .ok_or(SensitivityError::Cancelled)?;
    found.into_iter().collect()
}

fn documents(inputs: &[Input], found: &[Found]) -> Vec<InputDocument> {
    let dearest = |points: &[inputs::InputPoint]| {
        let ways = points.iter().map(|point| found[point.job].way);
        ways.max_by_key(|way| match way {
            Way::Composed => 0,
            Way::Ratio => 1,
            Way::Full => 2,
        })
    };
    (inputs.iter())
        .map(|input| InputDocument {
            input: input.path.clone(),
            source: input.source,
            why: input.why.clone(),
            base: input.base.clone(),
            base_value: input.base_value,
            way: dearest(&input.points).unwrap_or(Way::Composed),
            points: (input.points.iter())
                .map(|point| PointDocument {
                    input: point.shown.clone(),
                    value: point.number,
                    quantities: found[point.job].quantities.clone(),
                    fits: found[point.job].fits,
                })
                .collect(),
        })
        .collect()
}

/// How far each input moves a quantity, most first; what does not move it is left out.
fn swings(inputs: &[Input], found: &[Found], metric: usize) -> Vec<SwingDocument> {
    let at = |job: usize| found[job].quantities[metric];
    let mut swings: Vec<SwingDocument> = (inputs.iter())
        .filter_map(|input| {
            let mut points: Vec<(&inputs::InputPoint, f64)> = (input.points.iter())
                .filter_map(|point| Some((point, at(point.job)?)))
                .collect();
            let numbers = points.iter().all(|(point, _)| point.number.is_some());
            match numbers {
                true => points.sort_by(|a, b| {
                    let of = |p: &inputs::InputPoint| p.number.unwrap_or(f64::NAN);
                    of(a.0).total_cmp(&of(b.0))
                }),
                // Words have no order but that of what they lead to.
                false => points.sort_by(|a, b| a.1.total_cmp(&b.1)),
            }
            let (low, high) = (points.first()?, points.last()?);
            Some(SwingDocument {
                input: input.path.clone(),
                low_input: low.0.shown.clone(),
                high_input: high.0.shown.clone(),
                at_low: low.1,
                at_high: high.1,
                elasticity: elasticity(input, numbers.then_some((low, high)), &at),
            })
        })
        .filter(|swing| swing.at_low != swing.at_high)
        .collect();
    let size = |swing: &SwingDocument| (swing.at_high - swing.at_low).abs();
    swings.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.input.cmp(&b.input)));
    swings
}

/// A value of an input with the quantity there.
type Tried<'a> = (&'a inputs::InputPoint, f64);

/// d ln output / d ln input: of two values close by, or where each is dear of the ends.
fn elasticity(
    input: &Input,
    ends: Option<(&Tried<'_>, &Tried<'_>)>,
    at: &dyn Fn(usize) -> Option<f64>,
) -> Option<f64> {
    let whole = Number::at(&input.path).is_some_and(|number| number.whole());
    let ((x, fx), (y, fy)) = match input.near {
        Some([(x, a), (y, b)]) => ((x, at(a)?), (y, at(b)?)),
        None if !whole => {
            let (low, high) = ends?;
            ((low.0.number?, low.1), (high.0.number?, high.1))
        }
        None => return None,
    };
    let positive = [x, y, fx, fy].iter().all(|v| *v > 0.0);
    (positive && x != y).then(|| (libm::log(fy) - libm::log(fx)) / (libm::log(y) - libm::log(x)))
}

/// What the values are and how they were simulated.
fn method(
    request: &Request,
    subject: &Subject<'_>,
    inputs: &[InputDocument],
    base: &Base<'_>,
    grid: bool,
) -> String {
    let mut text = String::new();
    let mut say = |sentence: &str| {
        if !text.is_empty() {
            text.push(' ');
        }
        text += sentence;
    };
    let share = request.by.unwrap_or(CONVENTION);
    if inputs.iter().any(|i| i.source == InputSource::Convention) {
        let why = match request.by.is_none() {
            true => "The scenario states no ranges: each",
            false => "Each",
        };
        say(&format!(
            "{why} input is varied by {} of itself, up and down. That is a convention to compare \
             inputs by, not how uncertain they are.",
            percent(share)
        ));
    }
    if stated(subject, request) {
        say("Ranges are those that the scenario states, from end to end.");
    }
    say(match grid {
        true => {
            "Inputs are varied one at a time, all others as they stand, and two at once in the grid."
        }
        false => "Inputs are varied one at a time, all others as they stand.",
    });
    let ratio = inputs.iter().any(|i| i.way == Way::Ratio);
    let full = inputs.iter().any(|i| i.way == Way::Full);
    if full && !ratio {
        say("Each value that changes the step is simulated in full, as the case itself.");
    }
    if ratio {
        say(
            "Where a value changes the step, steps are simulated at it without chance, and their \
             ratio to those of the case without chance multiplies the steps as they stand.",
        );
    }
    if full && ratio {
        say("Inputs of chance are simulated in full.");
    }
    if base.lucky() {
        say("What fails when is random: all values are means over the same 16 runs.");
    }
    text
}
