//! What a sensitivity study says, as it stands in JSON.
//!
//! In: nothing. Out: records whose names and order are a promise to scripts, and their JSON Schema.
//! Never computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The object of `strait sensitivity --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SensitivityDocument {
    /// Version of the command.
    pub strait: String,
    /// Scenario as named on the command line.
    pub scenario: String,
    /// Title of the scenario.
    pub title: String,
    /// The question that the scenario answers; empty where it states none.
    pub question: String,
    /// Case of the scenario.
    pub case: String,
    /// Model.
    pub model: String,
    /// Accelerator.
    pub accelerator: String,
    /// Accelerators in all.
    pub accelerators: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// SHA-256, in hexadecimal, of this object as compact JSON without `digest`. The same question
    /// has the same digest on any machine.
    pub digest: String,
    /// The command that gives this again.
    pub command: String,
    /// What the ranges are and how each value was simulated, in words.
    pub method: String,
    /// What was asked for, each with what moves it, most first.
    pub metrics: Vec<MetricDocument>,
    /// The inputs, in the order of the scenario or of the command line, with every value tried.
    pub inputs: Vec<InputDocument>,
    /// Two inputs at once; `null` unless asked for.
    pub grid: Option<GridDocument>,
    /// What to check before trusting this.
    pub warnings: Vec<String>,
}

/// A quantity and what moves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricDocument {
    /// Quantity, by the id that claims use.
    pub quantity: String,
    /// Unit of the values.
    pub unit: String,
    /// With every input as it stands; a mean over runs with other failures where those are random.
    pub base: f64,
    /// What the scenario says that others state about it.
    pub claims: Vec<StatedDocument>,
    /// What moves it, most first.
    pub swings: Vec<SwingDocument>,
}

/// A claim about a quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatedDocument {
    /// Stated value, in the unit of the quantity.
    pub stated: f64,
    /// Who says so; may be empty.
    pub who: String,
    /// When; may be empty.
    pub date: String,
}

/// How far one input moves a quantity, all others as they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SwingDocument {
    /// Scenario path of the input, or `prediction`.
    pub input: String,
    /// Its low end, as a person reads it; of words the one with the least of the quantity.
    pub low_input: String,
    /// Its high end.
    pub high_input: String,
    /// The quantity at the low end.
    pub at_low: f64,
    /// The quantity at the high end.
    pub at_high: f64,
    /// Per cent by which the quantity changes for one per cent more of the input, as it stands:
    /// d ln output / d ln input. `null` for words and whole numbers.
    pub elasticity: Option<f64>,
}

/// Where the values of an input come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputSource {
    /// A range that the scenario states.
    Stated,
    /// The command line.
    CommandLine,
    /// A share of the value as it stands: a convention, not an uncertainty.
    Convention,
    /// The prediction's own error, from measurements that no fit has seen.
    Prediction,
}

/// How the quantities at a value were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The value changes no step: the run was composed anew of the steps as they stand.
    Composed,
    /// Steps without chance were simulated at the value; their ratio to those of the case without
    /// chance multiplies the steps as they stand.
    Ratio,
    /// All steps were simulated at the value, with chance.
    Full,
}

/// An input with every value that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputDocument {
    /// Scenario path, or `prediction`.
    pub input: String,
    /// Where its values come from.
    pub source: InputSource,
    /// Why these values; empty where nothing is said.
    pub why: String,
    /// Its value as it stands, as a person reads it.
    pub base: String,
    /// The same in the base unit of the key; `null` for words.
    pub base_value: Option<f64>,
    /// How the values were simulated.
    pub way: Way,
    /// The values.
    pub points: Vec<PointDocument>,
}

/// One value of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PointDocument {
    /// As a person reads it.
    pub input: String,
    /// In the base unit of the key; `null` for words.
    pub value: Option<f64>,
    /// The quantities, in the order of `metrics`; `null` where there is none.
    pub quantities: Vec<Option<f64>>,
    /// The main phase's layout fits in memory.
    pub fits: bool,
}

/// Two inputs at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GridDocument {
    /// The input whose values are columns.
    pub x: AxisDocument,
    /// The input whose values are rows.
    pub y: AxisDocument,
    /// For each quantity, in the order of `metrics`: rows of values, one for each value of `y`.
    pub cells: Vec<Vec<Vec<Option<f64>>>>,
}

/// An axis of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AxisDocument {
    /// Scenario path.
    pub input: String,
    /// Its values as a person reads them.
    pub inputs: Vec<String>,
    /// The same in the base unit of the key; `null` for words.
    pub values: Vec<Option<f64>>,
}

/// JSON Schema of [`SensitivityDocument`].
pub fn schema() -> String {
    let schema = schemars::schema_for!(SensitivityDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
