//! From books to verdicts: steps once for equal cases, draws, bands, reasons.
//!
//! In: [`Book`]s. Out: one [`LedgerEntry`] for each claim. Never simulates two cases with equal
//! steps twice, and never lets the order of threads reach an answer.

use super::document::LedgerEntry;
use super::{Book, Effort, LedgerError};
use crate::answer::{Setting, format};
use crate::catalog::Catalog;
use crate::chance::{self, Asked, ChanceError, PREDICTION, Prepared, Study};
use crate::scenario::{Claim as Stated, Relation};
use crate::verdict::{
    Band, Better, Claim, Judgement, Quantity, Verdict, band, fleet_peak, judge_within,
};
use std::collections::BTreeMap;
use strait_training::case::Case;
use strait_training::outcome::Outcome;
use strait_training::run::{self, Steps};
use strait_training::simulate::{Control, SimulateError, check};
use strait_units::Ratio;

/// An interval whose ends are further apart than this says nothing about a figure inside it.
const UNTELLABLE: f64 = 10.0;

/// Paces that differ by more contradict each other: figures are rounded and leave out parts.
const CONTRADICTION: f64 = 1.15;

/// A share of a fleet that counts as all of it.
const ALL_OF_IT: f64 = 0.99;

/// Judges all claims.
pub(super) fn all(
    books: &[Book],
    catalog: &Catalog,
    effort: Effort<'_>,
) -> Result<Vec<LedgerEntry>, LedgerError> {
    let mut known: BTreeMap<String, Steps> = BTreeMap::new();
    let mut entries = Vec::new();
    for (number, book) in books.iter().enumerate() {
        let case = &book.case().case;
        let refused = |source| LedgerError::Simulate {
            path: book.path.clone(),
            case: case.name.clone(),
            source,
        };
        if let Some(error) = check(case).into_iter().next() {
            return Err(refused(error));
        }
        let key = steps_key(case);
        let steps = match known.get(&key) {
            Some(steps) => steps.clone(),
            None => {
                let progress = |share: f64| {
                    (effort.control.progress)((number as f64 + share) / books.len() as f64);
                };
                let mut control = effort.control;
                control.progress = &progress;
                let steps = run::steps(case, control).map_err(|error| match error {
                    SimulateError::Cancelled => LedgerError::Cancelled,
                    other => refused(other),
                })?;
                known.insert(key, steps.clone());
                steps
            }
        };
        let outcome = run::compose(case, &steps).map_err(refused)?;
        let study = studied(book, catalog, &steps, effort)?;
        let against = contradictions(&book.claims, &book.setting, &outcome);
        for ((stated, claim), against) in book.claims.iter().zip(against) {
            let mut judged = entry(book, stated, claim, &outcome, &study);
            judged.reasons.extend(against);
            entries.push(judged);
        }
    }
    Ok(entries)
}

/// The draws of a book, for what its claims are about.
fn studied(
    book: &Book,
    catalog: &Catalog,
    steps: &Steps,
    effort: Effort<'_>,
) -> Result<Study, LedgerError> {
    let quiet = Control {
        progress: &|_| {},
        ..effort.control
    };
    let failed = |error| match error {
        ChanceError::Cancelled => LedgerError::Cancelled,
        source => LedgerError::Draw {
            path: book.path.clone(),
            case: book.case().case.name.clone(),
            source: Box::new(source),
        },
    };
    let asked: Vec<Asked> = (book.claims.iter())
        .filter(|(_, claim)| chance::drawn(claim.quantity) && !claim.quantity.of_fleet())
        .map(|(stated, claim)| Asked {
            quantity: claim.quantity,
            phase: claim.phase.clone(),
            stated: claim.stated,
            within: stated.within,
            who: claim.who.clone(),
        })
        .collect();
    let prepared = Prepared::new(book.case(), catalog, steps, quiet).map_err(failed)?;
    prepared.study(&asked, effort.draws, quiet).map_err(failed)
}

/// The band of a quantity as drawn: from the 5 % to the 95 % quantile.
fn drawn(study: &Study, claim: &Claim) -> Option<Band> {
    let found = (study.quantities.iter())
        .find(|found| found.quantity == claim.quantity.id() && found.phase == claim.phase)?;
    let at = |share: f64| {
        (found.quantiles.iter())
            .find(|quantile| quantile.share == share)
            .map(|quantile| quantile.value)
    };
    Some(Band {
        low: at(0.05)?,
        inner_low: at(0.25)?,
        middle: at(0.5)?,
        inner_high: at(0.75)?,
        high: at(0.95)?,
        coverage: Ratio::new(0.9),
    })
}

/// Cases with this in common have the same steps: everything but what follows after the step.
fn steps_key(case: &Case) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
        case.model,
        case.cluster,
        case.kernels,
        case.links,
        case.parallelism,
        case.precision,
        case.training,
        case.routing,
        case.noise,
        case.software,
        case.faults,
        case.engine,
        case.seed,
    )
}

/// The verdict on one claim with everything that a reader asks next.
fn entry(
    book: &Book,
    stated: &Stated,
    claim: &Claim,
    outcome: &Outcome,
    study: &Study,
) -> LedgerEntry {
    let setting = &book.setting;
    let simulated = (claim.quantity).simulated_of(claim.phase.as_deref(), setting, outcome);
    let band = simulated.map(|value| {
        drawn(study, claim).unwrap_or_else(|| band(claim.quantity, value, setting, outcome))
    });
    let mut judgement = judge_within(claim, band, setting, outcome);
    if let Some(band) = band {
        untellable(&mut judgement, band, claim, stated);
    }
    judgement.reasons.extend(moved(study, claim));
    judgement.reasons.extend(of_fleet(setting, outcome));
    if judgement.verdict == Verdict::Undecidable {
        (judgement.reasons).extend(stated.missing.iter().map(|what| format!("missing: {what}")));
    }
    LedgerEntry::new(book, stated, judgement)
}

/// What the draws make of the claim, what moves them, and what would make it exactly true.
fn moved(study: &Study, claim: &Claim) -> Option<String> {
    let of = |quantity: &str, phase: &Option<String>| {
        quantity == claim.quantity.id() && *phase == claim.phase
    };
    let found = (study.claims.iter())
        .find(|found| of(&found.quantity, &found.phase) && found.stated == claim.stated)?;
    let drawn = (study.quantities.iter()).find(|drawn| of(&drawn.quantity, &drawn.phase))?;
    // Less of a need and more of a rate are better.
    let (share, than) = match (claim.relation, claim.quantity.better()) {
        (Relation::AtLeast, Better::Lower) => (1.0 - found.reached, "as much or more"),
        (Relation::AtMost, Better::Higher) => (1.0 - found.reached, "as little or less"),
        (_, Better::Lower) => (found.reached, "no more"),
        (_, Better::Higher) => (found.reached, "no less"),
    };
    let mut text = format!("in {} of the draws it is {than}", percent_of_draws(share));
    let print = |value: f64| claim.quantity.unit().print(value);
    let named = |name: &str| match name {
        PREDICTION => "the error of the prediction".to_owned(),
        name => format!("`{name}`"),
    };
    if let Some(mover) = drawn.movers.first() {
        text += &format!(
            "; {} moves it most, from {} to {}",
            named(&mover.name),
            print(mover.at_low.min(mover.at_high)),
            print(mover.at_low.max(mover.at_high)),
        );
    }
    let exact: Vec<String> = (found.break_even.iter())
        .filter(|even| even.in_range)
        .filter_map(|even| {
            let text = even.text.as_ref()?;
            Some(match even.name.as_str() {
                PREDICTION => format!("steps of {text} the predicted time"),
                name => format!("`{name}` = {text}"),
            })
        })
        .collect();
    if claim.relation == Relation::About {
        text += &match exact.as_slice() {
            [] => "; no single assumption within its range makes it exactly true".to_owned(),
            [one] => format!("; exactly true at {one}"),
            several => format!("; exactly true at {}, each alone", several.join(", or ")),
        };
    }
    Some(text)
}

/// A share of draws for people: few draws don't tell small shares apart from none.
fn percent_of_draws(share: f64) -> String {
    if share <= 0.0 {
        "none".to_owned()
    } else if share >= 1.0 {
        "all".to_owned()
    } else {
        format!("{:.1} %", (share * 100.0).clamp(0.1, 99.9))
    }
}

/// A figure inside an interval that holds nearly everything is not confirmed by it.
fn untellable(judgement: &mut Judgement, band: Band, claim: &Claim, stated: &Stated) {
    let inside = (band.low..=band.high).contains(&claim.stated);
    let ratio = band.high / band.low;
    if inside && ratio > UNTELLABLE {
        judgement.verdict = Verdict::Undecidable;
        let missing = if stated.missing.is_empty() {
            "the assumptions are too wide to tell"
        } else {
            "too much is unpublished to tell"
        };
        judgement.reasons = vec![format!(
            "{missing}: what could be true spans a factor of {}",
            format::significant(ratio)
        )];
    }
}

/// What an owned fleet is beside the run.
fn of_fleet(setting: &Setting, outcome: &Outcome) -> Option<String> {
    let peak = fleet_peak(&setting.fleet)?;
    let parts: Vec<String> = (setting.fleet.iter())
        .map(|part| format!("{} {}", format::scaled(f64::from(part.count)), part.name))
        .collect();
    let share = Quantity::FleetShare.simulated(setting, outcome)?;
    // A fleet that is the run's own cluster says nothing beside it.
    if (ALL_OF_IT..=1.0 / ALL_OF_IT).contains(&share) {
        return None;
    }
    if share > 1.0 {
        return Some(format!(
            "the fleet has less than the run's own cluster: {} of it at most at the peak",
            format::percent(1.0 / share)
        ));
    }
    let price = Quantity::FleetPrice
        .simulated(setting, outcome)
        .map(|price| band(Quantity::FleetPrice, price, setting, outcome))
        .map_or(String::new(), |band| {
            format!(
                ", bought for {} to {}",
                format::dollars(band.low),
                format::dollars(band.high)
            )
        });
    Some(format!(
        "a fleet of {} has {} PFLOPS of 16-bit peak{price}; in the {} days of this run it could have \
         done {} of them at equal utilisation, so the run is {} of it",
        parts.join(", "),
        format::significant(peak.get() / 1e15),
        format::significant(outcome.run.days),
        format::significant(1.0 / share),
        format::percent(share),
    ))
}

/// Claims about one run that cannot be true together, whatever the run's pace: each implies one.
/// For each claim, the sentence that names the others.
fn contradictions(
    claims: &[(Stated, Claim)],
    setting: &Setting,
    outcome: &Outcome,
) -> Vec<Option<String>> {
    let paces: Vec<Option<f64>> = (claims.iter())
        .map(|(_, claim)| pace(claim, setting, outcome))
        .collect();
    (paces.iter().enumerate())
        .map(|(index, own)| {
            let own = (*own)?;
            let others: Vec<(&str, f64)> = (paces.iter().enumerate())
                .filter(|(other, _)| *other != index)
                .filter_map(|(other, pace)| Some((claims[other].0.id.as_str(), (*pace)? / own)))
                .filter(|(_, ratio)| ratio.max(1.0 / ratio) > CONTRADICTION)
                .collect();
            let ids: Vec<&str> = others.iter().map(|(id, _)| *id).collect();
            let times = |ratio: &f64| ratio.max(1.0 / ratio);
            let least = others
                .iter()
                .map(|(_, ratio)| times(ratio))
                .min_by(f64::total_cmp)?;
            let most = others
                .iter()
                .map(|(_, ratio)| times(ratio))
                .max_by(f64::total_cmp)?;
            let range = match (format::significant(least), format::significant(most)) {
                (least, most) if least == most => format!("a factor of {most}"),
                (least, most) => format!("factors of {least} to {most}"),
            };
            Some(format!(
                "contradicts {}: one run cannot have both paces, which differ by {range}",
                ids.join(", ")
            ))
        })
        .collect()
}

/// How many times as long as simulated the run took if a claim is true; `None` where the claim says
/// nothing about that.
fn pace(claim: &Claim, setting: &Setting, outcome: &Outcome) -> Option<f64> {
    let of_pace = !matches!(
        claim.quantity,
        Quantity::PeakMemory
            | Quantity::Part(_)
            | Quantity::Energy
            | Quantity::Goodput
            | Quantity::TotalCost
    ) && !claim.quantity.of_fleet();
    if !of_pace || claim.relation != Relation::About || claim.phase.is_some() {
        return None;
    }
    let ratio =
        claim.stated / (claim.quantity).simulated_of(claim.phase.as_deref(), setting, outcome)?;
    let pace = match claim.quantity.better() {
        Better::Lower => ratio,
        Better::Higher => 1.0 / ratio,
    };
    (pace.is_finite() && pace > 0.0).then_some(pace)
}
