//! What was paid for beyond the run, of a scenario.
//!
//! In: `[economics.staff]` and `[[economics.line]]`. Out: [`Line`]s at the cheap end of all ranges, at the
//! likely values, and at the dear end. Never adds them up.

use super::diagnostic::Diagnostic;
use super::economics::Ends;
use super::keys;
use super::read::{Reader, Scope};
use super::resolve::section;
use strait_training::price::{Line, LineAmount, LineKind};
use strait_units::{Days, Money, Ratio};

/// Reads all lines in the order of the file, staff last.
pub(super) fn lines(economics: &Scope<'_>, reader: &mut Reader) -> Option<Vec<[Line; 3]>> {
    let mut all: Vec<[Line; 3]> = Vec::new();
    let failed = reader.failed;
    reader.failed = false;
    let list = economics.node("line").and_then(|n| n.list()).unwrap_or(&[]);
    for node in list {
        let Some(table) = node.table() else { continue };
        let called = table.get("name").and_then(|e| e.node.text()).unwrap_or("");
        let scope = Scope {
            tables: vec![table],
            place: node.place.clone(),
            section: &keys::LINE,
            path: format!("{}.{called}", economics.path("line")),
        };
        let Some((name, at)) = reader.text(&scope, "name") else {
            continue;
        };
        let place = at.map_or(&node.place, |at| &at.place);
        if name.contains('.') {
            let d = Diagnostic::error(
                "scenario::line-name",
                format!(
                    "the line \"{name}\" can't be called so: paths such as economics.line.NAME.value end at points"
                ),
            );
            reader.fail(d.at(place, "has a point").help("leave the point out"));
        }
        if all.iter().any(|line| line[1].name == name) {
            let d = Diagnostic::error(
                "scenario::duplicate",
                format!("two lines are called \"{name}\""),
            );
            let d = d.at(place, "the second of this name");
            reader.fail(d.help("give each line a name of its own"));
        }
        let word = reader.word(&scope, "kind").unwrap_or("other");
        let kind = LineKind::ALL.into_iter().find(|kind| kind.word() == word);
        let kind = kind.unwrap_or(LineKind::Other);
        let forms = ["value", "times_final_run", "share_of_total"];
        let Some(form) = one_of(&scope, &format!("line \"{name}\""), &forms, reader) else {
            continue;
        };
        let Some(number) = reader.number(&scope, form) else {
            continue;
        };
        let ends = Ends::rising(reader, &scope.path(form), number);
        let amounts = ends.all().map(|v| match form {
            "value" => LineAmount::Money(Money::new(v)),
            "times_final_run" => LineAmount::TimesFinalRun(Ratio::new(v)),
            _ => LineAmount::ShareOfTotal(Ratio::new(v)),
        });
        all.push(told(&scope, name, kind, amounts, form, reader));
    }
    let scope = {
        let mut scope = section(economics, "staff", &keys::STAFF);
        scope.path = economics.path("staff");
        scope
    };
    if economics.node("staff").is_some()
        && let Some(amounts) = staff(&scope, reader)
    {
        let form = match amounts[1] {
            LineAmount::ShareOfTotal(_) => "share_of_total",
            _ => "people",
        };
        all.push(told(
            &scope,
            "staff".to_owned(),
            LineKind::Staff,
            amounts,
            form,
            reader,
        ));
    }
    let shares: Vec<&[Line; 3]> = (all.iter())
        .filter(|line| matches!(line[1].amount, LineAmount::ShareOfTotal(_)))
        .collect();
    let dear: f64 = (shares.iter())
        .map(|line| match line[2].amount {
            LineAmount::ShareOfTotal(share) => share.get(),
            _ => 0.0,
        })
        .sum();
    if dear >= 1.0 {
        let names: Vec<&str> = shares.iter().map(|line| line[1].name.as_str()).collect();
        let d = Diagnostic::error(
            "scenario::shares",
            format!(
                "lines that are shares of everything leave nothing for the rest: {} reach {:.0} %",
                names.join(", "),
                dear * 100.0
            ),
        );
        let d = d.at(&economics.place, "these lines");
        reader.fail(d.help("all shares together, at their high ends, stay below 100 %"));
    }
    let good = !reader.failed;
    reader.failed |= failed;
    good.then_some(all)
}

/// The one key of these that is given.
fn one_of(
    scope: &Scope<'_>,
    what: &str,
    forms: &[&'static str],
    reader: &mut Reader,
) -> Option<&'static str> {
    let given: Vec<&'static str> = (forms.iter().copied())
        .filter(|name| scope.node(name).is_some())
        .collect();
    match given[..] {
        [one] => Some(one),
        [] => {
            let d = Diagnostic::error(
                "scenario::line-amount",
                format!("the {what} says what it is, not how much"),
            );
            let d = d.at(&scope.place, "no amount");
            reader.fail(d.help(format!("give one of {}", forms.join(", "))));
            None
        }
        _ => {
            let mut d = Diagnostic::error(
                "scenario::line-amount",
                format!("the {what} has more than one amount"),
            );
            for name in &given {
                if let Some(node) = scope.node(name) {
                    d = d.at(&node.place, *name);
                }
            }
            reader.fail(d.help("give one of them"));
            None
        }
    }
}

/// What people cost.
fn staff(scope: &Scope<'_>, reader: &mut Reader) -> Option<[LineAmount; 3]> {
    let heads = ["people", "time", "cost_per_year"];
    let given = heads
        .iter()
        .filter(|name| scope.node(name).is_some())
        .count();
    if let Some(share) = scope.node("share_of_total") {
        if let Some(node) = heads.iter().find_map(|name| scope.node(name)) {
            let d = Diagnostic::error(
                "scenario::line-amount",
                "`economics.staff` has more than one amount",
            );
            let d = d.at(&share.place, "a share of everything");
            let d = d.at(&node.place, "heads");
            reader.fail(d.help("give one of them"));
            return None;
        }
        let share = reader.number(scope, "share_of_total")?;
        let ends = Ends::rising(reader, &scope.path("share_of_total"), share);
        return Some(ends.all().map(|s| LineAmount::ShareOfTotal(Ratio::new(s))));
    }
    if given < heads.len() {
        let missing: Vec<&str> = (heads.iter().copied())
            .filter(|name| scope.node(name).is_none())
            .collect();
        let d = Diagnostic::error(
            "scenario::line-amount",
            format!("`economics.staff` lacks {}", missing.join(", ")),
        );
        let d = d.at(&scope.place, "not enough to price people");
        reader.fail(d.help("give people, time and cost_per_year, or share_of_total"));
        return None;
    }
    let mut read = |name: &str| {
        let value = reader.number(scope, name)?;
        Some(Ends::rising(reader, &scope.path(name), value))
    };
    let (people, time, cost) = (read("people"), read("time"), read("cost_per_year"));
    let (people, time, cost) = (people?.all(), time?.all(), cost?.all());
    Some(std::array::from_fn(|i| LineAmount::Staff {
        people: Ratio::new(people[i]),
        time: Days::new(time[i]),
        cost_per_year: Money::new(cost[i]),
    }))
}

/// Lines of these amounts, with the reason of the line or of its range.
fn told(
    scope: &Scope<'_>,
    name: String,
    kind: LineKind,
    amounts: [LineAmount; 3],
    form: &str,
    reader: &mut Reader,
) -> [Line; 3] {
    let mut text = |key: &str| {
        reader
            .text(scope, key)
            .map_or(String::new(), |found| found.0)
    };
    let (mut why, source) = (text("why"), text("source"));
    let path = scope.path(form);
    if let Some(range) = reader.ranges.iter().rev().find(|range| range.path == path)
        && !range.why.is_empty()
        && range.why != why
    {
        why += &format!("; {}", range.why);
    }
    amounts.map(|amount| Line {
        name: name.clone(),
        kind,
        amount,
        why: why.clone(),
        source: source.clone(),
    })
}
