//! Rules in order of time, a chip's status through them, and what happened beside them.
//!
//! In: a [`RuleBook`] and the catalogue's `access`. Out: events in order, and stretches of days over which a
//! chip's status stays the same. Never decides a status itself.

use super::answer::{Query, QueryError, When};
use super::chip::Chip;
use super::classify::classify;
use super::date::{Date, Period};
use super::set::{Destination, Outcome, RuleBook, RuleSet, Standing};
use crate::catalog::{Catalog, CatalogError};
use serde::{Deserialize, Serialize};

/// The folder of what was sold where.
pub const ACCESS: &str = "access";

/// When some chips were sold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sales {
    /// Ids.
    pub chips: Vec<String>,
    /// First day, month or year.
    pub from: String,
    /// Last day, month or year; none where it goes on.
    pub until: Option<String>,
    /// How.
    pub how: String,
}

/// What happened on a day, beside the rules.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happening {
    /// Day or month.
    pub day: String,
    /// What.
    pub what: String,
}

/// What was sold to a country, and what happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Access {
    /// Sales by chip.
    #[serde(default)]
    pub sales: Vec<Sales>,
    /// Events in order.
    #[serde(default)]
    pub events: Vec<Happening>,
}

impl Access {
    /// Of a country in the catalogue.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn of(catalog: &Catalog, country: &str) -> Result<Access, CatalogError> {
        catalog.load(ACCESS, country)
    }

    /// The sales of a chip.
    pub fn sales_of(&self, chip: &str) -> Option<&Sales> {
        self.sales
            .iter()
            .find(|s| s.chips.iter().any(|c| c == chip))
    }
}

/// An entry of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Day of publication or of the event, as far as it is known; null for a proposal without one.
    pub date: Option<String>,
    /// `rule`, `proposal`, `sale` or `event`.
    pub kind: &'static str,
    /// Id of the rule set.
    pub rule: Option<String>,
    /// Title.
    pub title: String,
    /// What it changed, or what happened.
    pub what: String,
    /// First day in force.
    pub effective: Option<String>,
    /// Last day in force.
    pub until: Option<String>,
    /// Where it can be read.
    pub citation: Option<String>,
    /// Quantities that it limits.
    pub caps: Vec<String>,
    /// What is contested about it.
    pub contested: Vec<String>,
}

/// Days over which a chip's status is the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// First day; null for all days before any rule.
    pub from: Option<String>,
    /// Outcome.
    pub outcome: &'static str,
    /// Clause.
    pub clause: Option<String>,
    /// Id of the rule set that leads to it.
    pub rule: Option<String>,
    /// Payments.
    pub wedges: Vec<String>,
    #[serde(skip)]
    kind: Outcome,
    #[serde(skip)]
    start: Option<Date>,
}

impl Stretch {
    /// The outcome as a value.
    pub fn kind(&self) -> Outcome {
        self.kind
    }

    /// The first day as a value.
    pub fn start(&self) -> Option<Date> {
        self.start
    }
}

fn rule(set: &RuleSet) -> Event {
    let day = |d: Option<Date>| d.map(|d| d.to_string());
    Event {
        date: day(set.published),
        kind: match set.standing {
            Standing::Proposed => "proposal",
            _ => "rule",
        },
        rule: Some(set.id.clone()),
        title: set.name.clone(),
        what: set.description.clone().unwrap_or_default(),
        effective: day(set.effective).filter(|_| set.standing == Standing::InForce),
        until: day(set.until).filter(|_| set.standing == Standing::InForce),
        citation: set.citation.clone(),
        caps: set
            .caps
            .iter()
            .map(|c| format!("{}: {}", c.name, c.amount))
            .collect(),
        contested: set.contested.iter().map(|c| c.point.clone()).collect(),
    }
}

/// Rules, sales and events in order of time; with chips, only their sales. What has no date comes last.
pub fn timeline(book: &RuleBook, access: &Access, chips: &[String]) -> Vec<Event> {
    let mut events: Vec<Event> = book.sets().iter().map(rule).collect();
    let bare = |date: &str, kind: &'static str, title: String, what: &str| Event {
        date: Some(date.to_owned()),
        kind,
        rule: None,
        title,
        what: what.to_owned(),
        effective: None,
        until: None,
        citation: None,
        caps: Vec::new(),
        contested: Vec::new(),
    };
    for sales in &access.sales {
        if !chips.is_empty() && !sales.chips.iter().any(|c| chips.contains(c)) {
            continue;
        }
        let title = format!("sold to China: {}", sales.chips.join(", "));
        events.push(Event {
            until: sales.until.clone(),
            ..bare(&sales.from, "sale", title, &sales.how)
        });
    }
    for event in &access.events {
        events.push(bare(&event.day, "event", String::new(), &event.what));
    }
    // A month or a year is as late as its last day: it happened by then.
    let day = |event: &Event| {
        let period = event
            .date
            .as_deref()
            .and_then(|text| Period::parse(text).ok());
        (period.is_none(), period.map(|p| p.last))
    };
    events.sort_by_key(day);
    events
}

/// The status of a chip for a destination, from before any rule to the last.
///
/// # Errors
///
/// [`QueryError`]; none, since it only asks for days.
pub fn statuses(chip: &Chip, book: &RuleBook, to: Destination) -> Result<Vec<Stretch>, QueryError> {
    let mut days: Vec<Date> = Vec::new();
    for set in book
        .sets()
        .iter()
        .filter(|set| set.standing == Standing::InForce || set.own)
    {
        days.extend(set.effective);
        days.extend(set.early.iter().map(|e| e.effective));
        days.extend(set.scopes.iter().filter_map(|s| s.from));
        days.extend(set.scopes.iter().filter_map(|s| s.until).map(Date::next));
    }
    days.sort();
    days.dedup();
    let mut out: Vec<Stretch> = Vec::new();
    let before = days.first().map(|first| first.previous());
    let starts = before.into_iter().map(|day| (None, day));
    for (start, day) in starts.chain(days.iter().map(|day| (Some(*day), *day))) {
        let query = Query {
            when: When::On(day),
            to,
            headquarters: None,
        };
        let answer = classify(chip, &query, book)?;
        let wedges: Vec<String> = answer.wedges.iter().map(|w| w.name.clone()).collect();
        let same = out.last().is_some_and(|last| {
            last.kind == answer.outcome && last.clause == answer.clause && last.wedges == wedges
        });
        if !same {
            out.push(Stretch {
                from: start.map(|d| d.to_string()),
                outcome: answer.outcome.word(),
                clause: answer.clause,
                rule: answer.rule_id,
                wedges,
                kind: answer.outcome,
                start,
            });
        }
    }
    Ok(out)
}
