//! What the rules of a day say of a chip.
//!
//! In: a [`Chip`], a [`RuleBook`], a day or a rule set, a destination. Out: a [`Classification`] with its
//! clause and reasons. Never knows a rule: it only reads clauses, in three-valued logic.
//!
//! Method: every outcome that the known figures leave possible is followed, as a [`Way`]. The newest set
//! that replaces others gives the first ways; sets that add or relax change them, in order of time. One
//! outcome left is the answer, known even where a figure is missing; several are `unknown`, with what is
//! missing.

use super::answer::{Classification, Query, QueryError, Way, Wedge, When};
use super::chip::{Chip, Maker};
use super::condition::{Condition, all};
use super::date::Date;
use super::set::{Contested, Mode, Outcome, RuleBook, RuleSet, Scope, Standing};
use strait_units::Ratio;

/// Looks at a chip under the rules of a query.
///
/// # Errors
///
/// [`QueryError`]; never for what a chip's figures leave open.
pub fn classify(chip: &Chip, query: &Query, book: &RuleBook) -> Result<Classification, QueryError> {
    let none = RuleBook::none();
    let book = if query.when == When::None {
        &none
    } else {
        book
    };
    let moment = Moment::of(query, book)?;
    let mut answer = decide(chip, query, book, &moment);
    for (count, value, changed) in disputed(chip) {
        let other = decide(&changed, query, book, &moment);
        if other.outcome != answer.outcome {
            answer.contested.push(format!(
                "with {count} counted as {value} the outcome is {} instead",
                other.outcome.words()
            ));
        } else {
            answer.contested.push(format!(
                "with {count} counted as {value} the outcome is the same"
            ));
        }
    }
    answer.reasons.extend(
        answer
            .contested
            .iter()
            .map(|point| format!("contested: {point}")),
    );
    Ok(answer)
}

/// The chip as others count its figures.
fn disputed(chip: &Chip) -> Vec<(&'static str, String, Chip)> {
    use super::condition::Figure;
    let bare = || {
        let mut changed = chip.clone();
        changed.disputed_tpp.clear();
        changed.disputed_density.clear();
        changed
    };
    let mut out = Vec::new();
    for tpp in &chip.disputed_tpp {
        let mut changed = bare();
        changed.tpp = Some(*tpp);
        if changed.die_area.is_some() {
            changed.density = None;
        }
        out.push(("TPP", Figure::Tpp.print(tpp.0), changed));
    }
    for density in &chip.disputed_density {
        let mut changed = bare();
        changed.density = Some(*density);
        out.push((
            "performance density",
            Figure::Density.print(density.0),
            changed,
        ));
    }
    out
}

/// The day that is looked at, and the set that is named by it.
struct Moment {
    day: Option<Date>,
    /// Holds whatever its standing.
    named: Option<String>,
    remarks: Vec<String>,
}

impl Moment {
    fn of(query: &Query, book: &RuleBook) -> Result<Moment, QueryError> {
        let last = book.last_day();
        let mut remarks = Vec::new();
        let (day, named) = match &query.when {
            When::Last => (last, None),
            When::None => (None, None),
            When::On(day) => {
                let known = book.known_until();
                if known.is_some_and(|known| *day > known) {
                    remarks.push(format!(
                        "the rules are known until {}: this is the state of then",
                        known.map_or(String::new(), |d| d.to_string())
                    ));
                }
                let named = (book.milestones()).find(|set| {
                    set.published == Some(*day) && set.effective.is_some_and(|e| e > *day)
                });
                (Some(*day), named.map(|set| set.id.clone()))
            }
            When::Under(id) => {
                let set = book.set(id).ok_or_else(|| QueryError::UnknownRule {
                    id: id.clone(),
                    known: book.sets().iter().map(|set| set.id.clone()).collect(),
                })?;
                let day = match set.standing {
                    Standing::InForce => set.published.or(set.effective).or(last),
                    Standing::NotEnforced => set.published.or(last),
                    Standing::Proposed => {
                        remarks.push(format!(
                            "{} is a proposal, taken here as law on top of what holds last",
                            set.name
                        ));
                        last.max(set.published)
                    }
                };
                (day, Some(id.clone()))
            }
        };
        Ok(Moment {
            day,
            named,
            remarks,
        })
    }
}

/// Whether a set holds for a chip on the day; `None` where a figure decides that is missing.
fn holds(set: &RuleSet, chip: &Chip, moment: &Moment) -> Option<bool> {
    let addressed = |vendors: &[String]| {
        vendors.is_empty() || chip.vendor.as_ref().is_none_or(|v| vendors.contains(v))
    };
    if !addressed(&set.vendors) {
        return Some(false);
    }
    if moment.named.as_ref() == Some(&set.id) {
        return Some(true);
    }
    if !set.own && set.standing != Standing::InForce {
        return Some(false);
    }
    let Some(day) = moment.day else {
        return Some(set.own);
    };
    if set.until.is_some_and(|until| until < day) {
        return Some(false);
    }
    let Some(effective) = set.effective else {
        return Some(set.own);
    };
    if effective <= day {
        return Some(true);
    }
    let mut known = Some(false);
    for early in &set.early {
        if early.effective <= day && addressed(&early.vendors) {
            match all(&early.when, chip) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
    }
    known
}

/// The scope that a query falls under; `Err` with words where the set says nothing of it.
fn scope<'s>(set: &'s RuleSet, query: &Query, day: Option<Date>) -> Result<&'s Scope, String> {
    if query
        .headquarters
        .is_some_and(|h| set.headquarters.contains(&h))
        && let Some(first) = set.scopes.first()
        && !first.to.contains(&query.to)
    {
        return Ok(first);
    }
    let within = |scope: &&Scope| {
        let begun = scope
            .from
            .is_none_or(|from| day.is_none_or(|day| from <= day));
        let ended = scope
            .until
            .is_some_and(|until| day.is_some_and(|day| day > until));
        scope.to.contains(&query.to) && begun && !ended
    };
    set.scopes.iter().find(within).ok_or_else(|| {
        format!(
            "what {} means for {} is not modelled",
            set.title(),
            query.to.words()
        )
    })
}

/// Clauses of a set as ways, from "none matches" to `otherwise`.
fn ways(set: &RuleSet, chip: &Chip, scope: &Scope) -> (Vec<Way>, bool, Vec<String>) {
    let mut ways: Vec<Way> = Vec::new();
    let mut against = Vec::new();
    let mut decided = false;
    for clause in &set.clauses {
        let state = all(&clause.when, chip);
        if state == Some(false) {
            // What kind of chip it is need not be said of each clause for the other kind.
            let kind = |c: &&Condition| matches!(c, Condition::Datacentre(_));
            let fails = |c: &&Condition| c.holds(chip) == Some(false);
            if !clause.when.iter().filter(fails).any(|c| kind(&c))
                && let Some(condition) = clause.when.iter().find(fails)
            {
                against.push((condition.words(chip), clause.name.clone()));
            }
            continue;
        }
        // A set that adds names every clause that holds: its clauses are alternatives.
        if decided && (set.mode != Mode::Adds || state.is_none()) {
            continue;
        }
        let outcome = scope
            .instead
            .get(clause.outcome.word())
            .copied()
            .unwrap_or(clause.outcome);
        let mut reasons: Vec<String> = clause.when.iter().map(|c| c.words(chip)).collect();
        if outcome != clause.outcome {
            reasons.push(scope.because.clone().unwrap_or_else(|| {
                format!(
                    "{} here, where it is {} for China",
                    outcome.words(),
                    clause.outcome.words()
                )
            }));
        }
        let way = Way {
            outcome,
            rule: Some(set.id.clone()),
            clause: Some(clause.name.clone()),
            reasons,
        };
        match ways.last_mut() {
            Some(first) if decided => {
                first.clause = first
                    .clause
                    .take()
                    .map(|c| format!("{c} + {}", clause.name));
                let more = way
                    .reasons
                    .into_iter()
                    .filter(|r| !first.reasons.contains(r));
                let more: Vec<String> = more.collect();
                first.reasons.extend(more);
            }
            _ if state == Some(true) => {
                if set.mode == Mode::Adds {
                    // What was only possible before is now beside the point.
                    ways.retain(|w| w.outcome != outcome);
                }
                ways.push(way);
                decided = true;
                if set.mode != Mode::Adds {
                    break;
                }
            }
            _ => ways.push(way),
        }
    }
    (ways, decided, merged(&against))
}

/// Clauses that fail for the same reason, in one sentence each.
fn merged(against: &[(String, String)]) -> Vec<String> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for (why, clause) in against {
        match out.iter_mut().find(|(known, _)| known == why) {
            Some((_, clauses)) => clauses.push(clause.clone()),
            None => out.push((why.clone(), vec![clause.clone()])),
        }
    }
    out.into_iter()
        .map(|(why, clauses)| format!("{why}: not {}", clauses.join(", not ")))
        .collect()
}

/// Ways of a set that replaces what was before it.
fn replaced(set: &RuleSet, chip: &Chip, query: &Query, day: Option<Date>) -> Vec<Way> {
    let scope = match scope(set, query, day) {
        Ok(scope) => scope,
        Err(why) => return vec![undecided(set, why)],
    };
    let (mut ways, decided, against) = ways(set, chip, scope);
    if !decided {
        let mut reasons = against;
        if scope.instead.values().all(|o| *o == Outcome::Free) && !scope.instead.is_empty() {
            reasons = scope.because.iter().cloned().collect();
        }
        ways.push(Way {
            outcome: Outcome::Free,
            rule: Some(set.id.clone()),
            clause: None,
            reasons,
        });
    }
    ways
}

fn undecided(set: &RuleSet, why: String) -> Way {
    Way {
        outcome: Outcome::Unknown,
        rule: Some(set.id.clone()),
        clause: None,
        reasons: vec![why],
    }
}

/// Ways after a set that adds to them or relaxes them.
fn changed(
    before: Vec<Way>,
    set: &RuleSet,
    chip: &Chip,
    query: &Query,
    day: Option<Date>,
) -> Vec<Way> {
    let Ok(scope) = scope(set, query, day) else {
        // It says nothing of this destination: what was before stays.
        return before;
    };
    let (new, decided, against) = ways(set, chip, scope);
    let mut out = Vec::new();
    for mut way in before {
        let touched = set.applies_to.is_empty() || set.applies_to.contains(&way.outcome);
        let may = |outcome: Outcome| match set.mode {
            Mode::Relaxes => outcome < way.outcome,
            _ => outcome > way.outcome,
        };
        if !touched || way.outcome == Outcome::Unknown {
            out.push(way);
            continue;
        }
        let mut kept = !decided;
        for next in &new {
            if !may(next.outcome) {
                kept = true;
                continue;
            }
            let mut reasons = next.reasons.clone();
            let under = way.clause.as_ref().map_or_else(
                || format!("without it: {}", way.outcome.words()),
                |clause| format!("without it: {} under {clause}", way.outcome.words()),
            );
            reasons.push(under);
            reasons.extend(way.reasons.iter().cloned());
            out.push(Way {
                reasons,
                ..next.clone()
            });
        }
        if kept {
            if new.is_empty() && !against.is_empty() {
                let remark = against.iter().map(|a| format!("{a} ({})", set.name));
                way.reasons.extend(remark);
            }
            out.push(way);
        }
    }
    out
}

fn decide(chip: &Chip, query: &Query, book: &RuleBook, moment: &Moment) -> Classification {
    let day = moment.day;
    let newest: Vec<(&RuleSet, Option<bool>)> = (book.sets().iter().rev())
        .map(|set| (set, holds(set, chip, moment)))
        .filter(|(_, state)| *state != Some(false))
        .collect();
    let mut ways = Vec::new();
    let mut known = false;
    for (set, state) in newest.iter().filter(|(set, _)| set.mode == Mode::Replaces) {
        ways.extend(replaced(set, chip, query, day));
        if *state == Some(true) {
            known = true;
            break;
        }
    }
    if !known {
        ways.push(Way {
            outcome: Outcome::Free,
            rule: None,
            clause: None,
            reasons: vec![match day {
                Some(day) => format!("no rule on accelerators was in force on {day}"),
                None => "no rules at all".to_owned(),
            }],
        });
    }
    // Proposals and a user's own sets come on top of all that holds, whatever their day.
    let on_top = |set: &RuleSet| set.own || set.standing != Standing::InForce;
    let mut changes: Vec<_> = (newest.iter().rev())
        .filter(|(set, _)| matches!(set.mode, Mode::Adds | Mode::Relaxes))
        .collect();
    changes.sort_by_key(|(set, _)| on_top(set));
    for (set, state) in changes {
        let after = changed(ways.clone(), set, chip, query, day);
        if state.is_none() {
            ways.extend(after);
        } else {
            ways = after;
        }
    }
    let active: Vec<&RuleSet> = newest.iter().rev().map(|(set, _)| *set).collect();
    summary(chip, query, book, moment, &ways, &active)
}

/// Puts the ways together.
fn summary(
    chip: &Chip,
    query: &Query,
    book: &RuleBook,
    moment: &Moment,
    ways: &[Way],
    active: &[&RuleSet],
) -> Classification {
    let mut possible: Vec<Outcome> = ways.iter().map(|w| w.outcome).collect();
    possible.sort();
    possible.dedup();
    let single = (possible.len() == 1).then(|| possible[0]);
    let mut outcome = single.unwrap_or(Outcome::Unknown);
    let mut clauses: Vec<&str> = ways.iter().filter_map(|w| w.clause.as_deref()).collect();
    clauses.dedup();
    let clause = (single.is_some() && !clauses.is_empty()).then(|| clauses.join(" or "));
    let mut reasons: Vec<String> = Vec::new();
    let mut missing = Vec::new();
    if outcome == Outcome::Unknown && possible.len() > 1 {
        for set in active {
            for condition in set.clauses.iter().flat_map(|c| &c.when) {
                let matters = condition.holds(chip).is_none()
                    && set.clauses.iter().any(|clause| {
                        clause.when.contains(condition) && all(&clause.when, chip).is_none()
                    });
                let from_set = ways
                    .iter()
                    .any(|w| w.rule.as_deref() == Some(set.id.as_str()));
                if matters && from_set && !missing.contains(&condition.needs()) {
                    missing.push(condition.needs());
                }
            }
        }
        reasons.push(format!("not known: {}", missing.join(", ")));
        let words: Vec<&str> = possible.iter().map(|o| o.words()).collect();
        reasons.push(format!("possible: {}", words.join("; ")));
    }
    for way in ways {
        // Where several ways are open, what each waits for; else all that led to the answer.
        let open = possible.len() > 1;
        let under = match &way.clause {
            Some(clause) if open => format!("{} under {clause}: ", way.outcome.words()),
            Some(clause) if ways.len() > 1 => format!("{clause}: "),
            _ => String::new(),
        };
        for reason in &way.reasons {
            if open && !reason.contains("not known") && way.outcome != Outcome::Unknown {
                continue;
            }
            let reason = format!("{under}{reason}");
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    let first = ways.first().and_then(|w| w.rule.clone());
    // Ways of several sets have no one rule.
    let rule_id = first.filter(|id| ways.iter().all(|w| w.rule.as_ref() == Some(id)));
    let set = rule_id.as_ref().and_then(|id| book.set(id));
    let ruled = ways.iter().any(|w| w.rule.is_some());
    let mut contested: Vec<String> = Vec::new();
    if ruled {
        contested.extend(chip.disputes.iter().cloned());
    }
    let mut wedges = Vec::new();
    if chip.maker == Maker::China {
        let equivalent = match (&clause, outcome) {
            (_, Outcome::Unknown) => format!(
                "as an export it could not be told: {}",
                reasons.first().cloned().unwrap_or_default()
            ),
            (Some(clause), _) => format!(
                "as an export it would be: {} under {clause}",
                outcome.words()
            ),
            (None, _) => format!("as an export it would be: {}", outcome.words()),
        };
        let mut said = vec![
            "designed in China and sold there: not an export from the United States".to_owned(),
            equivalent,
        ];
        said.extend(reasons);
        reasons = said;
        outcome = Outcome::NotSubject;
        possible = vec![Outcome::NotSubject];
    } else {
        for set in active {
            let took_part = ways
                .iter()
                .any(|w| w.rule.as_deref() == Some(set.id.as_str()))
                || (set.mode == Mode::Records && !set.wedges.is_empty());
            wedges.extend(payments(set, chip, outcome, query));
            if took_part {
                contested.extend(
                    set.contested
                        .iter()
                        .filter(|c| bears(c, chip, clause.as_deref()))
                        .map(|c| c.point.clone()),
                );
            }
        }
        if let Some(set) = set {
            remarks(set, moment, outcome, chip, &mut reasons);
        }
        for wedge in &wedges {
            reasons.push(format!("with {}", wedge.name));
        }
    }
    reasons.extend(moment.remarks.iter().cloned());
    Classification {
        chip: chip.id.clone(),
        day: moment.day,
        outcome,
        possible,
        clause: if outcome == Outcome::NotSubject {
            None
        } else {
            clause
        },
        rule: set
            .filter(|_| outcome != Outcome::NotSubject)
            .map(|set| match &set.citation {
                Some(citation) => format!("{}, {citation}", set.name),
                None => set.name.clone(),
            }),
        rule_id,
        reasons,
        wedges,
        contested,
        missing,
    }
}

/// What the set says beside its clauses.
fn remarks(
    set: &RuleSet,
    moment: &Moment,
    outcome: Outcome,
    chip: &Chip,
    reasons: &mut Vec<String>,
) {
    if outcome == Outcome::Notify
        && let Some(days) = set.notice_days
    {
        reasons.push(format!(
            "notice {days} days ahead; the authority may still demand a licence"
        ));
    }
    if matches!(outcome, Outcome::CaseByCase | Outcome::Licence) {
        reasons.extend(set.conditions.iter().cloned());
        reasons.extend(set.grants.iter().cloned());
    }
    if let (Some(day), Some(effective)) = (moment.day, set.effective)
        && moment.named.as_ref() == Some(&set.id)
        && effective > day
    {
        let early = (set.early.iter())
            .filter(|e| {
                e.vendors.is_empty() || chip.vendor.as_ref().is_none_or(|v| e.vendors.contains(v))
            })
            .filter(|e| all(&e.when, chip) == Some(true))
            .map(|e| e.effective)
            .min();
        let from = early.unwrap_or(effective);
        reasons.push(format!(
            "published {day}; in force for this chip from {from}"
        ));
    }
    if set.standing == Standing::NotEnforced {
        reasons.push(format!("{} was never enforced", set.name));
    }
}

fn payments(set: &RuleSet, chip: &Chip, outcome: Outcome, query: &Query) -> Vec<Wedge> {
    if scope(set, query, None).is_err() && !set.scopes.is_empty() {
        return Vec::new();
    }
    set.wedges
        .iter()
        .filter(|w| w.outcomes.contains(&outcome))
        .filter(|w| {
            w.vendors.is_empty() || chip.vendor.as_ref().is_none_or(|v| w.vendors.contains(v))
        })
        .filter(|w| w.chips.is_empty() || w.chips.contains(&chip.id))
        .filter(|w| all(&w.when, chip) == Some(true))
        .map(|w| Wedge {
            name: w.name.clone(),
            share: Ratio::new(w.share),
            rule: set.id.clone(),
        })
        .collect()
}

fn bears(point: &Contested, chip: &Chip, clause: Option<&str>) -> bool {
    let chip_matters = point.chips.is_empty() || point.chips.contains(&chip.id);
    let clause_matters = point.clauses.is_empty()
        || clause.is_some_and(|c| point.clauses.iter().any(|name| c.contains(name.as_str())));
    chip_matters && clause_matters
}

/// The conditions of the clause that a forbidden chip meets, for messages that name figure and threshold.
pub fn met<'b>(answer: &Classification, book: &'b RuleBook) -> Vec<&'b Condition> {
    let set = answer.rule_id.as_ref().and_then(|id| book.set(id));
    let Some((set, clause)) = set.zip(answer.clause.as_ref()) else {
        return Vec::new();
    };
    let matching = set
        .clauses
        .iter()
        .filter(|c| clause.split(" + ").any(|name| name == c.name));
    matching.flat_map(|c| &c.when).collect()
}
