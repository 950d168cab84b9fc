//! What is asked of export rules, and what is answered.
//!
//! In: nothing. Out: [`Query`], [`Classification`], and its JSON ([`Document`]). Never decides.

use super::date::Date;
use super::set::{Destination, Outcome};
use serde::Serialize;
use strait_units::Ratio;

/// Under which rules a chip is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// As they stood on a day. The day on which a set was published names that set: it is then taken to
    /// hold, also where it took effect later.
    On(Date),
    /// A set by its id, with all that held when it was published; a proposal on top of what holds last.
    Under(String),
    /// As they stand last.
    Last,
    /// None at all: a world without them.
    None,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Under which rules.
    pub when: When,
    /// Where the chip goes.
    pub to: Destination,
    /// Where the buyer or its ultimate parent has its headquarters, if not there.
    pub headquarters: Option<Destination>,
}

impl Query {
    /// For China on a day.
    pub fn on(day: Date) -> Query {
        Query {
            when: When::On(day),
            to: Destination::China,
            headquarters: None,
        }
    }

    /// For China under a rule set.
    pub fn under(id: impl Into<String>) -> Query {
        Query {
            when: When::Under(id.into()),
            ..Query::last()
        }
    }

    /// For China as the rules stand last.
    pub fn last() -> Query {
        Query {
            when: When::Last,
            to: Destination::China,
            headquarters: None,
        }
    }
}

/// A payment that comes with the export.
#[derive(Clone, Debug, PartialEq)]
pub struct Wedge {
    /// What it is called.
    pub name: String,
    /// Share of the price.
    pub share: Ratio,
    /// The rule set.
    pub rule: String,
}

/// One outcome that the known figures leave possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The outcome.
    pub outcome: Outcome,
    /// The set that leads to it; none before any rule.
    pub rule: Option<String>,
    /// The clause, where one matched.
    pub clause: Option<String>,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// Id of the chip.
    pub chip: String,
    /// The day of the rules; none without rules.
    pub day: Option<Date>,
    /// The outcome.
    pub outcome: Outcome,
    /// Every outcome that is possible, from the least restrictive: one, unless it is unknown.
    pub possible: Vec<Outcome>,
    /// The clause that leads to it.
    pub clause: Option<String>,
    /// Title and citation of the rule set that leads to it.
    pub rule: Option<String>,
    /// Id of that rule set.
    pub rule_id: Option<String>,
    /// Why, in words: figures and thresholds, then remarks, then what is contested.
    pub reasons: Vec<String>,
    /// Payments.
    pub wedges: Vec<Wedge>,
    /// Open points that bear on it.
    pub contested: Vec<String>,
    /// Figures that are missing, where they matter.
    pub missing: Vec<&'static str>,
}

impl Classification {
    /// Whether a buyer cannot count on getting it: a licence or a presumed refusal in every possible way.
    pub fn forbidden(&self) -> bool {
        !self.possible.is_empty() && self.possible.iter().all(|outcome| outcome.forbids())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such rule set.
    #[error("no rule set is called \"{id}\"; they are {}", known.join(", "))]
    UnknownRule {
        /// What was asked for.
        id: String,
        /// All.
        known: Vec<String>,
    },
}

/// A chip's classification as JSON: the contract's five keys first.
#[derive(Serialize)]
pub struct Document<'a> {
    /// Id of the chip.
    pub chip: &'a str,
    /// Day of the rules, null without rules.
    pub date: Option<String>,
    /// Outcome.
    pub outcome: &'static str,
    /// Clause, null where none matched.
    pub clause: Option<&'a str>,
    /// Why, in words.
    pub reasons: &'a [String],
    /// Rule set and citation.
    pub rule: Option<&'a str>,
    /// Id of the rule set.
    pub rule_id: Option<&'a str>,
    /// Every possible outcome.
    pub possible: Vec<&'static str>,
    /// Payments.
    pub wedges: Vec<WedgeDocument<'a>>,
    /// Open points.
    pub contested: &'a [String],
    /// Figures that are missing.
    pub missing: &'a [&'static str],
}

/// A payment as JSON.
#[derive(Serialize)]
pub struct WedgeDocument<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Share of the price, as a fraction.
    pub share: f64,
}

impl<'a> From<&'a Classification> for Document<'a> {
    fn from(answer: &'a Classification) -> Document<'a> {
        Document {
            chip: &answer.chip,
            date: answer.day.map(|d| d.to_string()),
            outcome: answer.outcome.word(),
            clause: answer.clause.as_deref(),
            reasons: &answer.reasons,
            rule: answer.rule.as_deref(),
            rule_id: answer.rule_id.as_deref(),
            possible: answer.possible.iter().map(|o| o.word()).collect(),
            wedges: (answer.wedges.iter())
                .map(|w| WedgeDocument {
                    name: &w.name,
                    share: w.share.get(),
                })
                .collect(),
            contested: &answer.contested,
            missing: &answer.missing,
        }
    }
}
