//! A study in words and tables.
//!
//! In: a [`Study`]. Out: sentences, and a section of the text answer. Never computes.

use super::document::{ClaimChance, DistributionDocument, Study};
use super::model::{FAILURES, PREDICTION};
use crate::answer::format::{count, dollars, fixed, percent, scaled, significant, wrap};
use crate::answer::table::Align::{Left, Right};
use crate::answer::table::render;
use crate::answer::{Detail, TextStyle};
use crate::scenario::Range;
use crate::verdict::{Quantity, Unit};
use std::fmt::Write;

/// Columns that no line exceeds.
const COLUMNS: usize = 96;
/// Assumptions shown where not all are asked for.
const SHOWN: usize = 6;

/// What stands in for a simulation of each draw.
pub(super) fn scheme(responses: usize, lucky: bool) -> String {
    let mut text = match responses {
        0 => "The steps are simulated once: no range changes them. The prediction's own error \
              multiplies them."
            .to_owned(),
        _ => "Steps are simulated at a few values of each range that changes them, all others at \
              their likeliest, and joined by monotone cubics in the logarithm of time; what several \
              do at once is the product of what each does alone."
            .to_owned(),
    };
    text += " The run is composed anew in each draw";
    text += match lucky {
        true => ", with failures of its own.",
        false => ".",
    };
    text
}

/// The choices of a range with their probabilities.
pub(super) fn choices(range: &Range) -> String {
    let each = range.choices.iter();
    each.map(|c| format!("{} ({:.0} %)", c.text, c.probability * 100.0))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A probability for people: never "100 %" of what is not certain.
fn share(value: f64) -> String {
    if value <= 0.0 {
        "none".to_owned()
    } else if value >= 1.0 {
        "all".to_owned()
    } else {
        format!("{} %", fixed((value * 100.0).clamp(0.1, 99.9), 1))
    }
}

/// A claim in one sentence.
pub(super) fn sentence(
    quantity: Quantity,
    claim: &ClaimChance,
    distribution: &DistributionDocument,
) -> String {
    let print = |value: f64| quantity.unit().print(value);
    let at = |share: f64| {
        let mut quantiles = distribution.quantiles.iter();
        quantiles
            .find(|q| q.share == share)
            .map_or(f64::NAN, |q| q.value)
    };
    let mut text = format!(
        "{} is {} in nine of ten draws, half of them below {}; the stated {} is reached in {} of \
         them",
        capital(&named(quantity, claim.phase.as_deref())),
        format_args!("{} to {}", print(at(0.05)), print(at(0.95))),
        print(at(0.5)),
        print(claim.stated),
        share(claim.reached),
    );
    if let Some(mover) = distribution.movers.first() {
        let what = match mover.name.as_str() {
            PREDICTION => "the prediction's own error".to_owned(),
            name => format!("`{name}`"),
        };
        text += &format!(
            ". {} moves it most, from {} to {}",
            capital(&what),
            print(mover.at_low),
            print(mover.at_high)
        );
    }
    let found: Vec<String> = (claim.break_even.iter())
        .filter(|b| b.in_range)
        .filter_map(|b| {
            let text = b.text.as_ref()?;
            Some(match b.name.as_str() {
                PREDICTION => format!("steps of {text} the predicted time"),
                name => format!("`{name}` = {text}"),
            })
        })
        .collect();
    if found.is_empty() {
        text += ". No single assumption within its range makes it exactly true";
    } else {
        text += &format!(". Exactly true at {}, each alone", found.join(", or "));
        // One run with these values has the failures of its own seed.
        if distribution
            .movers
            .iter()
            .any(|mover| mover.name == FAILURES)
        {
            text += ", with failures as they are on average";
        }
    }
    text + "."
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The section of a text answer.
pub fn text(out: &mut String, study: &Study, style: TextStyle) {
    let unsure = study.assumptions.len() - 1;
    style.heading(
        out,
        "Uncertainty",
        &format!(
            "{} draws of {unsure} range{} and the prediction's own error",
            count(u64::from(study.draws)),
            if unsure == 1 { "" } else { "s" }
        ),
    );
    let mut rows = vec![
        ["", "single run", "mean", "5 %", "50 %", "95 %"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let known = |id: &str| id.parse::<Quantity>().ok();
    for found in &study.quantities {
        let Some(quantity) = known(&found.quantity) else {
            continue;
        };
        let print = |value: f64| short(quantity, value);
        let mut row = vec![
            named(quantity, found.phase.as_deref()),
            print(found.point),
            print(found.mean),
        ];
        let shown = [0.05, 0.5, 0.95];
        let quantiles = found.quantiles.iter().filter(|q| shown.contains(&q.share));
        row.extend(quantiles.map(|q| print(q.value)));
        rows.push(row);
    }
    out.push_str(&render(
        &rows,
        &[Left, Right, Right, Right, Right, Right],
        2,
    ));
    let told = |id: &str| study.claims.iter().find(|claim| claim.quantity == id);
    let main = told("cost").or_else(|| study.claims.first());
    let of = main.map_or("cost", |claim| claim.quantity.as_str());
    if let (Some(found), Some(quantity)) = (
        study.quantities.iter().find(|q| q.quantity == of),
        known(of),
    ) {
        let _ = writeln!(
            out,
            "\n  What moves {} most (5 % to 95 % of each, others at their likeliest)",
            quantity.name()
        );
        let limit = match style.detail {
            Detail::Full => usize::MAX,
            _ => SHOWN,
        };
        let mut rows = vec![
            [
                "assumption",
                "from",
                "to",
                quantity.name(),
                "",
                "rank correlation",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        rows.extend(found.movers.iter().take(limit).map(|mover| {
            vec![
                mover.name.clone(),
                mover.low_text.clone(),
                mover.high_text.clone(),
                short(quantity, mover.at_low),
                short(quantity, mover.at_high),
                mover
                    .rank_correlation
                    .map_or("-".to_owned(), |r| fixed(r, 2)),
            ]
        }));
        out.push_str(&render(
            &rows,
            &[Left, Right, Right, Right, Right, Right],
            4,
        ));
    }
    claims(out, study, main, style);
    let approximation = &study.approximation;
    let mut remark = approximation.scheme.clone();
    if let Some(error) = approximation.largest_error {
        remark += &format!(
            " At {} draws that were simulated as well the times of steps are off by at most {}.",
            approximation.checked,
            percent(error)
        );
    }
    let _ = writeln!(out, "\n  {}", wrap(&remark, COLUMNS - 2, 2));
    for warning in &study.warnings {
        let _ = writeln!(out, "  ! {}", wrap(warning, COLUMNS - 4, 4));
    }
}

fn claims(out: &mut String, study: &Study, main: Option<&ClaimChance>, style: TextStyle) {
    if study.claims.is_empty() {
        return;
    }
    let mut rows = vec![
        ["claim", "stated", "reached in", "", "near it in", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    for claim in &study.claims {
        let Ok(quantity) = claim.quantity.parse::<Quantity>() else {
            continue;
        };
        rows.push(vec![
            named(quantity, claim.phase.as_deref()),
            quantity.unit().print(claim.stated),
            share(claim.reached),
            match claim.reached_standard_error > 0.0 {
                true => format!("± {} %", fixed(claim.reached_standard_error * 100.0, 1)),
                false => String::new(),
            },
            share(claim.inside),
            format!("(± {:.0} %)", claim.within * 100.0),
        ]);
    }
    out.push('\n');
    out.push_str(&render(&rows, &[Left, Right, Right, Left, Right, Left], 2));
    for claim in &study.claims {
        if style.detail < Detail::Full && main.is_some_and(|main| main != claim) {
            continue;
        }
        let _ = writeln!(out, "\n  {}", wrap(&claim.sentence, COLUMNS - 2, 2));
        let beyond: Vec<String> = (claim.break_even.iter())
            .filter(|b| !b.in_range)
            .map(|b| match &b.text {
                Some(text) => format!("`{}` would have to be {text}, outside its range", b.name),
                None => format!("no value of `{}` makes it true", b.name),
            })
            .collect();
        if !beyond.is_empty() {
            let _ = writeln!(
                out,
                "  {}",
                wrap(&format!("{}.", capital(&beyond.join("; "))), COLUMNS - 2, 2)
            );
        }
    }
}

/// A quantity, with the phase that it is of.
fn named(quantity: Quantity, phase: Option<&str>) -> String {
    match phase {
        Some(phase) => format!("{} of {phase}", quantity.name()),
        None => quantity.name().to_owned(),
    }
}

/// A value with its unit, short enough for a table.
fn short(quantity: Quantity, value: f64) -> String {
    match quantity.unit() {
        Unit::Dollars => dollars(value),
        Unit::GpuHours | Unit::GpuHoursPerTrillionTokens => scaled(value),
        // Their names hold the unit.
        Unit::Days | Unit::DaysPerTrillionTokens | Unit::Tflops => significant(value),
        unit => unit.print(value),
    }
}
