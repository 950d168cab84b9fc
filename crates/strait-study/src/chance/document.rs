//! What a study says, as it stands in JSON.
//!
//! In: nothing. Out: records whose names and order are a promise to scripts. Never computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How sure the answer to a case is, given its ranges and the prediction's own error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Study {
    /// Draws.
    pub draws: u32,
    /// Seed of the draws: that of the case.
    pub seed: u64,
    /// What is not known exactly, in the order of the scenario; the prediction's own error is last.
    pub assumptions: Vec<AssumptionDocument>,
    /// What some of them move with.
    pub factors: Vec<FactorDocument>,
    /// What stands in for a simulation of each draw.
    pub approximation: ApproximationDocument,
    /// Distributions.
    pub quantities: Vec<DistributionDocument>,
    /// How likely claims are, and what would make each true.
    pub claims: Vec<ClaimChance>,
    /// What to check before trusting this.
    pub warnings: Vec<String>,
}

/// Something that is not known exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AssumptionDocument {
    /// Scenario path, or `prediction`: the factor by which every step takes longer than simulated.
    pub name: String,
    /// `pert`, `triangular`, `uniform`, `lognormal`, `normal` or `choices`.
    pub shape: String,
    /// Low end, in the base unit of the key; where `shape` is lognormal or normal the 5 % quantile.
    pub low: f64,
    /// Likeliest value, which a single run uses.
    pub mode: f64,
    /// High end; where `shape` is lognormal or normal the 95 % quantile.
    pub high: f64,
    /// These as a person reads them; of choices all.
    pub text: String,
    /// Where the range comes from.
    pub why: String,
    /// The factor that it moves with.
    pub factor: Option<String>,
    /// It changes how long a step takes.
    pub changes_step: bool,
    /// It changes what is made of the steps: their number, failures, prices.
    pub changes_run: bool,
}

/// What several assumptions move with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FactorDocument {
    /// Name.
    pub name: String,
    /// What it is.
    pub why: String,
    /// Rank correlation of any two of its assumptions.
    pub correlation: f64,
}

/// What stands in for a simulation of each draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApproximationDocument {
    /// How, in words.
    pub scheme: String,
    /// Runs whose steps were simulated.
    pub simulated: u32,
    /// Draws that were simulated as well, to compare.
    pub checked: u32,
    /// Largest relative error of a step's time among them; `null` where nothing had to be checked.
    pub largest_error: Option<f64>,
}

/// A share of a distribution and the value that it lies below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileDocument {
    /// Share of draws, 0 to 1.
    pub share: f64,
    /// The value that they lie below.
    pub value: f64,
}

/// What a quantity may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DistributionDocument {
    /// Quantity.
    pub quantity: String,
    /// Of which phase, or of phases whose names begin so; `null`: of none in particular.
    pub phase: Option<String>,
    /// Unit of the values.
    pub unit: String,
    /// With every assumption at its likeliest value: what a single run says.
    pub point: f64,
    /// Mean of the draws.
    pub mean: f64,
    /// Standard deviation of the draws.
    pub deviation: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
    /// Quantiles at 5, 10, 25, 50, 75, 90 and 95 %.
    pub quantiles: Vec<QuantileDocument>,
    /// The distribution function, for a figure.
    pub cdf: Vec<QuantileDocument>,
    /// What moves it, most first.
    pub movers: Vec<MoverDocument>,
}

/// How much one assumption moves a quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MoverDocument {
    /// Name of the assumption; `factor NAME` moves all of its members at once; `failures` is the
    /// luck of what fails when.
    pub name: String,
    /// Its value at its 5 % quantile, as a person reads it.
    pub low_text: String,
    /// Its value at its 95 % quantile.
    pub high_text: String,
    /// The quantity with the assumption at its 5 % quantile, all others at their likeliest values.
    pub at_low: f64,
    /// The quantity with the assumption at its 95 % quantile.
    pub at_high: f64,
    /// Spearman's rank correlation of assumption and quantity over all draws.
    pub rank_correlation: Option<f64>,
}

/// How likely a claim is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimChance {
    /// What is stated.
    pub quantity: String,
    /// Of which phase, or of phases whose names begin so; `null`: of none in particular.
    pub phase: Option<String>,
    /// Its value, in `unit`.
    pub stated: f64,
    /// Unit of the values.
    pub unit: String,
    /// Who says so.
    pub who: String,
    /// Share of draws in which the run reaches it: needs no more, or is no slower, than stated.
    pub reached: f64,
    /// Standard error of `reached`.
    pub reached_standard_error: f64,
    /// Tolerance, as a fraction of the stated value.
    pub within: f64,
    /// Share of draws that come within `within` of what is stated.
    pub inside: f64,
    /// For each assumption the value at which the claim comes true, all others at their likeliest.
    pub break_even: Vec<BreakEvenDocument>,
    /// All this in words.
    pub sentence: String,
}

/// The value of an assumption at which a claim comes true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BreakEvenDocument {
    /// Name of the assumption.
    pub name: String,
    /// The value, in the base unit of the key; `null` where none was found, or for choices.
    pub value: Option<f64>,
    /// The value as a person reads it; of choices those that come within the claim's tolerance.
    pub text: Option<String>,
    /// It lies within the range that the scenario states (of a lognormal or normal one, within its
    /// 90 % interval).
    pub in_range: bool,
    /// From here on it was looked for, in the base unit.
    pub searched_from: f64,
    /// Up to here.
    pub searched_to: f64,
}
