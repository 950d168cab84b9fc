//! What a row has: the case, its settings, an error, metrics.
//!
//! In: a plan; an outcome. Out: [`Column`]s with one type each, and the values of a row in their order; as
//! one line of JSON and back. Column names are a promise. Never simulates.

use super::error::SweepError;
use super::plan::Plan;
use super::sampling::Cell;
use crate::answer::Setting;
use crate::scenario::{Claim, Template};
use crate::verdict::{Part, Quantity};
use serde_json::{Map, Value as Json};
use strait_training::outcome::Outcome;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// Text.
    Text,
    /// True or false.
    Flag,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The number of the case.
    Case,
    /// The value of an axis as people read it.
    AxisText(usize),
    /// The number of an axis' value, in the axis' unit.
    AxisNumber(usize),
    /// Why the case has no metrics.
    Error,
    /// A figure of the answer.
    Metric,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// Unit of numbers; empty where there is none.
    pub unit: String,
    /// What it holds.
    pub role: Role,
}

/// A value of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// None.
    #[default]
    Missing,
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
    /// True or false.
    Flag(bool),
}

impl Value {
    /// Its number; of a flag one or zero.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(value) => Some(*value as f64),
            Value::Number(value) => Some(*value),
            Value::Flag(value) => Some(f64::from(u8::from(*value))),
            Value::Missing | Value::Text(_) => None,
        }
    }

    fn finite(value: f64) -> Value {
        match value.is_finite() {
            true => Value::Number(value),
            // No format has a word for it that all readers know.
            false => Value::Missing,
        }
    }
}

/// Metrics with their units, in the order of their columns.
const METRICS: [(&str, Kind, &str); 39] = [
    ("step_time_s", Kind::Number, "s"),
    ("tokens_per_step", Kind::Integer, "tokens"),
    ("tokens_per_s_per_gpu", Kind::Number, "tokens/s"),
    ("tflops_causal", Kind::Number, "TFLOPS"),
    ("tflops_full", Kind::Number, "TFLOPS"),
    ("mfu_causal", Kind::Number, "1"),
    ("mfu_full", Kind::Number, "1"),
    ("forward_s", Kind::Number, "s"),
    ("backward_input_s", Kind::Number, "s"),
    ("backward_weight_s", Kind::Number, "s"),
    ("overlapped_s", Kind::Number, "s"),
    ("bubble_s", Kind::Number, "s"),
    ("optimizer_s", Kind::Number, "s"),
    ("other_s", Kind::Number, "s"),
    ("exposed_tensor_s", Kind::Number, "s"),
    ("exposed_context_s", Kind::Number, "s"),
    ("exposed_expert_s", Kind::Number, "s"),
    ("exposed_pipeline_s", Kind::Number, "s"),
    ("exposed_data_s", Kind::Number, "s"),
    ("memory_peak_gb", Kind::Number, "GB"),
    ("memory_capacity_gb", Kind::Number, "GB"),
    ("memory_fits", Kind::Flag, "1"),
    ("gpus", Kind::Integer, "GPUs"),
    ("days", Kind::Number, "d"),
    ("gpu_hours", Kind::Number, "GPU h"),
    ("pretraining_gpu_hours", Kind::Number, "GPU h"),
    ("energy_mwh", Kind::Number, "MWh"),
    ("cost_usd", Kind::Number, "USD"),
    ("cost_run_usd", Kind::Number, "USD"),
    ("cost_low_usd", Kind::Number, "USD"),
    ("cost_high_usd", Kind::Number, "USD"),
    ("rent_usd", Kind::Number, "USD"),
    ("goodput", Kind::Number, "1"),
    ("interruptions", Kind::Integer, "1"),
    ("lost_days", Kind::Number, "d"),
    ("waiting_days", Kind::Number, "d"),
    ("checkpoint_days", Kind::Number, "d"),
    ("mean_days", Kind::Number, "d"),
    ("folded", Kind::Flag, "1"),
];

/// Metrics of every row with their units, in order.
pub fn metrics() -> impl Iterator<Item = (&'static str, &'static str)> {
    METRICS.iter().map(|(name, _, unit)| (*name, *unit))
}

/// Where the run's cost stands.
pub const COST: &str = "cost_usd";
/// Where the step's time stands.
pub const STEP: &str = "step_time_s";
/// Whether the memory suffices.
pub const FITS: &str = "memory_fits";
/// Whether ranks were folded.
pub const FOLDED: &str = "folded";
/// Why there is no answer.
pub const ERROR: &str = "error";

/// The columns of a plan.
#[derive(Clone, Debug)]
pub struct Columns {
    /// In the order of rows.
    pub list: Vec<Column>,
    /// Axes of words and of plain numbers.
    mixed: Vec<usize>,
    /// Names of the claims' columns, by what tells claims apart.
    claims: Vec<(ClaimKey, String)>,
}

/// What tells the claims of a file apart.
type ClaimKey = (String, Option<String>, u64);

impl Columns {
    /// Of a plan and its scenario.
    pub fn of(plan: &Plan, template: &Template) -> Columns {
        let mut list = vec![column("case", Kind::Integer, "", Role::Case)];
        for (index, axis) in plan.axes.iter().enumerate() {
            if axis.plain() {
                let kind = match axis.whole {
                    true => Kind::Integer,
                    false => Kind::Number,
                };
                list.push(column(&axis.name, kind, "", Role::AxisNumber(index)));
                continue;
            }
            list.push(column(&axis.name, Kind::Text, "", Role::AxisText(index)));
            if !axis.of_words() {
                let unit = axis.unit.as_deref().unwrap_or("number");
                let name = format!("{} ({unit})", axis.name);
                let unit = axis.unit.as_deref().unwrap_or("");
                list.push(column(&name, Kind::Number, unit, Role::AxisNumber(index)));
            }
        }
        list.push(column(ERROR, Kind::Text, "", Role::Error));
        for (name, kind, unit) in METRICS {
            list.push(column(name, kind, unit, Role::Metric));
        }
        let mut claims: Vec<(ClaimKey, String)> = Vec::new();
        for claim in stated(plan, template) {
            let key = key(&claim);
            if claims.iter().any(|(known, _)| *known == key) {
                continue;
            }
            let base = match &claim.phase {
                Some(phase) => format!("{}_{phase}", claim.id),
                None => claim.id.clone(),
            };
            let base = format!("claim_{}_ratio", base.replace(['-', ' '], "_"));
            let taken = |name: &str| {
                claims.iter().any(|(_, known)| known == name)
                    || list.iter().any(|column| column.name == name)
            };
            let mut name = base.clone();
            let mut number = 2;
            while taken(&name) {
                name = format!("{base}_{number}");
                number += 1;
            }
            claims.push((key, name));
        }
        for (_, name) in &claims {
            list.push(column(name, Kind::Number, "1", Role::Metric));
        }
        let mixed = (plan.axes.iter().enumerate())
            .filter(|(_, axis)| axis.unit.is_none() && !axis.plain() && !axis.of_words())
            .map(|(index, _)| index)
            .collect();
        Columns {
            list,
            mixed,
            claims,
        }
    }

    /// The place of a column.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|column| column.name == name)
    }

    /// A row without metrics.
    fn begin(&self, case: u64, cells: &[Cell]) -> Vec<Value> {
        (self.list.iter())
            .map(|column| match column.role {
                Role::Case => Value::Integer(case as i64),
                Role::AxisText(axis) => match cells.get(axis) {
                    // Beside words, plain numbers stand in their own column alone: a reader that sees
                    // nothing but numbers first would take the words after them for a fault.
                    Some(cell) if !(self.mixed.contains(&axis) && cell.number.is_some()) => {
                        Value::Text(cell.text.clone())
                    }
                    _ => Value::Missing,
                },
                Role::AxisNumber(axis) => {
                    let number = cells.get(axis).and_then(|cell| cell.number);
                    match (number, column.kind) {
                        (Some(number), Kind::Integer) => Value::Integer(number as i64),
                        (Some(number), _) => Value::finite(number),
                        (None, _) => Value::Missing,
                    }
                }
                Role::Error | Role::Metric => Value::Missing,
            })
            .collect()
    }

    /// The row of a case that has no answer.
    pub fn failed(&self, case: u64, cells: &[Cell], why: &str) -> Vec<Value> {
        let mut row = self.begin(case, cells);
        if let Some(place) = self.place(ERROR) {
            row[place] = Value::Text(why.to_owned());
        }
        row
    }

    /// The row of an outcome.
    pub fn row(
        &self,
        case: u64,
        cells: &[Cell],
        setting: &Setting,
        claims: &[Claim],
        outcome: &Outcome,
    ) -> Vec<Value> {
        let mut row = self.begin(case, cells);
        let first = self.list.len() - METRICS.len() - self.claims.len();
        for ((name, _, _), value) in METRICS.iter().zip(&mut row[first..]) {
            *value = metric(name, setting, outcome);
        }
        for claim in claims {
            let key = key(claim);
            let found = self.claims.iter().position(|(known, _)| *known == key);
            let Some(place) = found else { continue };
            let Ok(quantity) = claim.quantity.name().parse::<Quantity>() else {
                continue;
            };
            let simulated = quantity.simulated_of(claim.phase.as_deref(), setting, outcome);
            let stated = quantity.unit().from_base(claim.stated);
            if let Some(simulated) = simulated {
                row[first + METRICS.len() + place] = Value::finite(simulated / stated);
            }
        }
        row
    }

    /// A row as one line of JSON, without the end of the line.
    pub fn line(&self, row: &[Value]) -> String {
        let mut object = Map::with_capacity(row.len());
        for (column, value) in self.list.iter().zip(row) {
            let json = match value {
                Value::Missing => Json::Null,
                Value::Integer(value) => Json::from(*value),
                Value::Number(value) => Json::from(*value),
                Value::Text(text) => Json::from(text.as_str()),
                Value::Flag(flag) => Json::from(*flag),
            };
            object.insert(column.name.clone(), json);
        }
        Json::Object(object).to_string()
    }

    /// A row of a line; `None` where it has other columns or other types.
    pub fn parse(&self, line: &str) -> Option<Vec<Value>> {
        let Json::Object(object) = serde_json::from_str(line).ok()? else {
            return None;
        };
        if object.len() != self.list.len() {
            return None;
        }
        (self.list.iter())
            .map(|column| {
                Some(match (object.get(&column.name)?, column.kind) {
                    (Json::Null, _) => Value::Missing,
                    (Json::Number(number), Kind::Integer) => Value::Integer(number.as_i64()?),
                    (Json::Number(number), Kind::Number) => Value::Number(number.as_f64()?),
                    (Json::String(text), Kind::Text) => Value::Text(text.clone()),
                    (Json::Bool(flag), Kind::Flag) => Value::Flag(*flag),
                    _ => return None,
                })
            })
            .collect()
    }
}

fn column(name: &str, kind: Kind, unit: &str, role: Role) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        unit: unit.to_owned(),
        role,
    }
}

/// Refuses axes whose names are those of other columns.
pub(super) fn check(plan: &Plan, template: &Template) -> Result<(), SweepError> {
    let columns = Columns::of(plan, template);
    for (index, column) in columns.list.iter().enumerate() {
        let twice = columns.list[..index]
            .iter()
            .any(|other| other.name == column.name);
        if twice {
            return Err(SweepError::input(
                format!(
                    "an axis is called `{}`, as a column of the results is",
                    column.name
                ),
                "give the axis another name",
            ));
        }
    }
    Ok(())
}

/// The claims of every case that a plan may start from.
fn stated(plan: &Plan, template: &Template) -> Vec<Claim> {
    let mut names: Vec<Option<&str>> = (plan.axes.iter())
        .flat_map(|axis| axis.points().unwrap_or(&[]))
        .filter_map(|point| point.case.as_deref())
        .map(Some)
        .collect();
    if names.is_empty() {
        names.push(plan.case.as_deref());
    }
    names
        .into_iter()
        .flat_map(|name| template.claims(name))
        .collect()
}

fn key(claim: &Claim) -> ClaimKey {
    (
        claim.id.clone(),
        claim.phase.clone(),
        claim.stated.to_bits(),
    )
}

/// A metric by its name.
fn metric(name: &str, setting: &Setting, outcome: &Outcome) -> Value {
    let (step, run) = (&outcome.step, &outcome.run);
    let of = |quantity: Quantity| {
        (quantity.simulated(setting, outcome)).map_or(Value::Missing, Value::finite)
    };
    let part = |part: Part| of(Quantity::Part(part));
    let seconds = |time: strait_units::Time| Value::finite(time.picos() as f64 / 1e12);
    let interruptions = run.interruptions.as_ref();
    match name {
        "step_time_s" => of(Quantity::StepTime),
        "tokens_per_step" => Value::Integer(step.tokens.as_f64() as i64),
        "tokens_per_s_per_gpu" => of(Quantity::TokensPerSecondPerGpu),
        "tflops_causal" => of(Quantity::TflopsCausal),
        "tflops_full" => of(Quantity::TflopsFull),
        "mfu_causal" => of(Quantity::MfuCausal),
        "mfu_full" => of(Quantity::MfuFull),
        "forward_s" => part(Part::Forward),
        "backward_input_s" => part(Part::BackwardInput),
        "backward_weight_s" => part(Part::BackwardWeight),
        "overlapped_s" => part(Part::Overlapped),
        "bubble_s" => part(Part::Bubble),
        "optimizer_s" => part(Part::Optimizer),
        "other_s" => part(Part::Other),
        "exposed_tensor_s" => seconds(step.exposed.tensor),
        "exposed_context_s" => seconds(step.exposed.context),
        "exposed_expert_s" => seconds(step.exposed.expert),
        "exposed_pipeline_s" => seconds(step.exposed.pipeline),
        "exposed_data_s" => seconds(step.exposed.data),
        "memory_peak_gb" => Value::finite(step.memory.peak.as_f64() / 1e9),
        "memory_capacity_gb" => Value::finite(step.memory.capacity.as_f64() / 1e9),
        "memory_fits" => Value::Flag(step.memory.fits()),
        "gpus" => Value::Integer(i64::from(setting.ranks)),
        "days" => of(Quantity::Days),
        "gpu_hours" => of(Quantity::GpuHours),
        "pretraining_gpu_hours" => of(Quantity::PretrainingGpuHours),
        "energy_mwh" => of(Quantity::Energy),
        "cost_usd" => Value::finite(outcome.cost.total().get()),
        "cost_run_usd" => Value::finite(outcome.cost.run().get()),
        "cost_low_usd" => Value::finite(outcome.cost.low.get()),
        "cost_high_usd" => Value::finite(outcome.cost.high.get()),
        "rent_usd" => Value::finite(run.rent.get()),
        "goodput" => Value::finite(run.goodput().get()),
        // Without failures nothing interrupts a run, and it takes what it takes.
        "interruptions" => Value::Integer(
            interruptions.map_or(0, |found| i64::try_from(found.total()).unwrap_or(i64::MAX)),
        ),
        "lost_days" => Value::finite(run.account.lost.get()),
        "waiting_days" => Value::finite(run.account.waiting.get()),
        "checkpoint_days" => Value::finite(run.account.checkpoint.get()),
        "mean_days" => Value::finite(interruptions.map_or(run.days, |found| found.mean_days.get())),
        "folded" => Value::Flag(step.work.folded),
        _ => Value::Missing,
    }
}
