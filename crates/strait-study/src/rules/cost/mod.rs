//! What a rule costs: the same training on the best chip that a rule leaves, against the best there is.
//!
//! In: a case, the catalogue, a book of rules. Out: a [`Cost`]: for each rule set the best accelerator on
//! sale without rules, the best that may be sold, and the best that could be designed within its
//! thresholds, each with its best layout, days, accelerator-hours, money and energy. Never reads files,
//! never prints, never knows a threshold: rules are asked.
//!
//! | room | what |
//! |---|---|
//! | `chips` | the case on a chip of the catalogue, or why there is none |
//! | `designs` | designs that a rule permits: links, units, memory and die area as a grid |
//! | `evaluate` | the best layout of a case, and its whole run; what is known is kept |
//! | `table` | the study itself: which chips and designs are asked, and what follows |
//! | [`document`] | the answer as JSON |
//! | [`text`] | the answer in words |
//!
//! All runs are without chance (see [`crate::search::calm()`]) and under the software of the scenario, so
//! that chips differ and nothing else does. The number of accelerators is the scenario's.

mod chips;
mod designs;
mod document;
mod evaluate;
mod table;
mod text;

pub use chips::RentBasis;
pub use designs::Design;
pub use document::document;
pub use table::cost;
pub use text::text;

use super::{Destination, Outcome, QueryError, RuleBook};
use crate::catalog::{Catalog, CatalogError};
use crate::search::Workers;
use strait_training::case::Case;
use strait_training::simulate::SimulateError;
use strait_units::{Bytes, Energy, Money, Time};

/// A question.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The scenario, as the user named it.
    pub scenario: &'a str,
    /// What is trained, on how many accelerators.
    pub case: &'a Case,
    /// Chips, servers, prices.
    pub catalog: &'a Catalog,
    /// Rules.
    pub book: &'a RuleBook,
    /// Rule sets of the user's own, by id: they are asked as well.
    pub own: &'a [String],
    /// Where the chips go.
    pub to: Destination,
    /// Threads, and how to stop.
    pub workers: Workers<'a>,
    /// Told what is being looked at, and the share done (0 to 1).
    pub progress: &'a (dyn Fn(&str, f64) + Sync),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CostError {
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A rule that is not there.
    #[error(transparent)]
    Rule(#[from] QueryError),
    /// An entry of the catalogue that is wrong.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A fault that is not of one chip: those are reasons.
    #[error(transparent)]
    Simulate(SimulateError),
}

impl From<SimulateError> for CostError {
    fn from(error: SimulateError) -> CostError {
        match error {
            SimulateError::Cancelled => CostError::Cancelled,
            other => CostError::Simulate(other),
        }
    }
}

/// A whole run on one chip in its best layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Catalogue id, or that of the die a design starts from.
    pub accelerator: String,
    /// Name for people.
    pub name: String,
    /// What the rule says of it.
    pub outcome: Outcome,
    /// The clause, where one matched.
    pub clause: Option<String>,
    /// Precision recipe, as scenarios write it.
    pub recipe: &'static str,
    /// Layout of the main phase, in one line.
    pub layout: String,
    /// One step of the main phase.
    pub step: Time,
    /// Peak memory.
    pub memory: Bytes,
    /// Days of the whole run.
    pub days: f64,
    /// Accelerator-hours.
    pub gpu_hours: f64,
    /// Rent, where there is a price.
    pub cost: Option<Money>,
    /// Where the price is from.
    pub basis: RentBasis,
    /// Energy at the facility's meter.
    pub energy: Energy,
    /// Accelerators of a server.
    pub per_node: u32,
}

/// A plan on a chip that would have to be designed.
#[derive(Clone, Debug, PartialEq)]
pub struct DesignPlan {
    /// The run.
    pub plan: Plan,
    /// The chip.
    pub design: Design,
    /// Days with units switched off in place of a capped rate, where that differs.
    pub units_off_days: Option<f64>,
    /// Days of the fastest permitted design on the die area of its base.
    pub plain_die: Option<(Design, Time)>,
}

/// What one rule set leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleCost {
    /// Id of the rule set.
    pub id: String,
    /// Title.
    pub title: String,
    /// Day of publication.
    pub date: Option<String>,
    /// Day on which the next set came: chips on sale before it count.
    pub until: Option<String>,
    /// The best accelerator on sale, were there no rule.
    pub unconstrained: Option<Plan>,
    /// The best that may be sold freely.
    pub permitted: Option<Plan>,
    /// The best that may be sold after notice.
    pub notified: Option<Plan>,
    /// The best that may be sold with a licence that is decided case by case.
    pub licensed: Option<Plan>,
    /// The best that these rules do not control.
    pub domestic: Option<Plan>,
    /// The best that could be designed to be sold freely.
    pub designable: Option<DesignPlan>,
    /// Why no accelerator on sale is left, where none is.
    pub unconstrained_lack: Option<Lack>,
    /// Why none that may be sold freely is left, where none is.
    pub permitted_lack: Option<Lack>,
    /// Why no design is left, where none is.
    pub design_lack: Option<Lack>,
    /// What to know, in words.
    pub reasons: Vec<String>,
}

/// Why nothing is left of some chips or designs; nothing counted: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Those whose memory holds no layout.
    pub small: usize,
    /// The least memory that any layout takes on each accelerator.
    pub least: Option<Bytes>,
    /// Those that can't be simulated.
    pub refused: usize,
    /// Why, of the first of these.
    pub why: Option<String>,
}

impl Lack {
    fn too_small(&mut self, least: Bytes) {
        self.small += 1;
        self.least = Some(self.least.map_or(least, |known| known.min(least)));
    }

    fn refuse(&mut self, why: impl FnOnce() -> String) {
        self.refused += 1;
        self.why.get_or_insert_with(why);
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The scenario.
    pub scenario: String,
    /// Model, for people.
    pub model: String,
    /// Accelerators of every plan.
    pub accelerators: u32,
    /// The destination, for people.
    pub to: &'static str,
    /// The best accelerator on sale while the first rule held: what all rules are compared with.
    pub reference: Option<Plan>,
    /// Rule sets in order of time, those of the user last.
    pub rules: Vec<RuleCost>,
}

impl Plan {
    /// Accelerators that finish in the same days as `other`, if work divides as it does on
    /// `accelerators`: whole servers.
    pub fn equal_days(&self, other: &Plan, accelerators: u32) -> u64 {
        let wanted = f64::from(accelerators) * self.days / other.days;
        let node = f64::from(self.per_node.max(1));
        ((wanted / node - 1e-9).ceil() * node) as u64
    }

    /// Share of the training that the money of `other` pays for here; `None` without prices.
    pub fn for_the_same_money(&self, other: &Plan) -> Option<f64> {
        let share = other.cost?.get() / self.cost?.get();
        (share.is_finite() && share > 0.0).then_some(share)
    }
}

impl RuleCost {
    /// What its plans are compared with: the best of its own time.
    pub fn base(&self) -> Option<&Plan> {
        self.unconstrained.as_ref()
    }
}
