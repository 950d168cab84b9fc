//! The run on its basis, then the lines beyond it.
//!
//! In: the economics of a case, its cluster, its run. Out: a [`CostOutcome`] whose parts sum to its total. Never judges.

use super::inputs::{Economics, Line, LineAmount, Prices};
use super::ownership::{HOURS_PER_YEAR, hourly};
use crate::hardware::Cluster;
use crate::outcome::{CostKind, CostOutcome, CostPart, RunOutcome};
use strait_units::{Money, Power, PricePerHour};

/// What the run and all beyond it cost.
///
/// A part's ends are what it would be with its own ranges at their cheap and at their dear end, all other lines at
/// their likely values; the parts of the run move together. The ends of the total have every range at one end:
/// no interval of a probability, since that all is cheap at once is rare.
pub fn cost(economics: &Economics, cluster: &Cluster, run: &RunOutcome) -> CostOutcome {
    let rated = rated(cluster);
    let of = |prices: &Prices| parts(economics, rated, run, prices);
    let likely = economics.prices();
    let money = of(&likely);
    let ends: Option<[Vec<(CostKind, Money)>; 2]> = economics.ends.as_deref().map(|ends| {
        [&ends.0, &ends.1].map(|end| {
            let mut alone = of(&Prices {
                lines: likely.lines.clone(),
                ..end.clone()
            });
            let first = alone.len() - likely.lines.len();
            for (index, line) in end.lines.iter().enumerate() {
                let mut lines = likely.lines.clone();
                lines[index] = line.clone();
                let changed = of(&Prices {
                    lines,
                    ..likely.clone()
                });
                alone[first + index] = changed[first + index];
            }
            alone
        })
    });
    let total = |list: &[(CostKind, Money)]| -> Money { list.iter().map(|part| part.1).sum() };
    let (low, high) = match economics.ends.as_deref() {
        Some((cheap, dear)) => (total(&of(cheap)), total(&of(dear))),
        None => (total(&money), total(&money)),
    };
    let parts = (money.into_iter().enumerate())
        .map(|(index, (kind, money))| {
            let [low, high] = match &ends {
                Some(ends) => [ends[0][index].1, ends[1][index].1],
                None => [money, money],
            };
            let (name, why, source) = words(economics, rated, run, kind, index);
            CostPart {
                name,
                kind,
                money,
                low,
                high,
                why,
                source,
            }
        })
        .collect();
    CostOutcome {
        basis: economics.basis(),
        parts,
        low,
        high,
    }
}

/// Name, reason and source of a part; lines stand after the parts of the run.
fn words(
    economics: &Economics,
    rated: Power,
    run: &RunOutcome,
    kind: CostKind,
    index: usize,
) -> (String, String, String) {
    let own = economics.ownership.as_ref();
    let lost = run.days - run.account.training.get();
    let hours = |price: String| {
        let whole = thousands(run.gpu_hours);
        let mut text = format!("{whole} GPU-hours at {price}");
        if lost > 1e-9 * run.days {
            let share = 100.0 * lost / run.days;
            text += &format!(", {share:.1} % of them lost to interruptions and stops");
        }
        text
    };
    let line = match kind {
        CostKind::Line(_) => {
            let first = match own {
                Some(own) => run_parts(own).len(),
                None => 1,
            };
            index
                .checked_sub(first)
                .and_then(|at| economics.lines.get(at))
        }
        _ => None,
    };
    if let Some(Line {
        name, why, source, ..
    }) = line
    {
        return (name.clone(), why.clone(), source.clone());
    }
    let price = |part: PricePerHour| format!("{:.3} USD/h", part.get());
    let parts = own.map(|own| hourly(own, rated)).unwrap_or_default();
    let why = match kind {
        CostKind::Rent => hours(economics.rent.to_string()),
        CostKind::Servers => hours(price(parts.servers)),
        CostKind::Network => hours(price(parts.network)),
        CostKind::Facility => hours(price(parts.facility)),
        CostKind::Maintenance => hours(price(parts.maintenance)),
        CostKind::Idle => {
            let used = own.map_or(1.0, |own| own.utilisation.get());
            format!(
                "{:.0} % of the fleet's hours are used, and pay for the others",
                used * 100.0
            )
        }
        CostKind::Electricity => format!(
            "{:.0} MWh at {}",
            run.energy.get() / 3.6e9,
            economics.electricity
        ),
        CostKind::Line(_) => String::new(),
    };
    (kind.name().to_owned(), why, String::new())
}

/// A number of hours, with its digits in groups.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a part of owned hardware costs in an hour.
type OfHour = fn(&super::Hourly) -> PricePerHour;

/// Parts of a run on owned accelerators, electricity last. Those that are nothing at all are left out.
fn run_parts(own: &super::Ownership) -> Vec<(CostKind, Option<OfHour>)> {
    let mut list: Vec<(CostKind, Option<OfHour>)> = vec![
        (CostKind::Servers, Some(|h| h.servers)),
        (CostKind::Network, Some(|h| h.network)),
    ];
    if own.facility > Money::ZERO {
        list.push((CostKind::Facility, Some(|h| h.facility)));
    }
    if own.maintenance.get() > 0.0 {
        list.push((CostKind::Maintenance, Some(|h| h.maintenance)));
    }
    if own.utilisation.get() < 1.0 {
        list.push((CostKind::Idle, Some(|h| h.idle)));
    }
    list.push((CostKind::Electricity, None));
    list
}

/// Rated power of one accelerator with its share of the server.
fn rated(cluster: &Cluster) -> Power {
    cluster.accelerator.tdp + cluster.node.overhead_power
}

/// Parts and what they cost at some prices; which parts there are does not depend on these.
fn parts(
    economics: &Economics,
    rated: Power,
    run: &RunOutcome,
    prices: &Prices,
) -> Vec<(CostKind, Money)> {
    let hours = run.gpu_hours;
    let mut list: Vec<(CostKind, Money)> = match (&economics.ownership, &prices.ownership) {
        (Some(likely), Some(own)) => {
            let hour = hourly(own, rated);
            (run_parts(likely).into_iter())
                .map(|(kind, of)| match of {
                    Some(of) => (kind, Money::new(of(&hour).get() * hours)),
                    None => (kind, prices.electricity * run.energy),
                })
                .collect()
        }
        _ => vec![(CostKind::Rent, Money::new(prices.rent.get() * hours))],
    };
    let run_cost: Money = list.iter().map(|part| part.1).sum();
    let mut shares = 0.0;
    let mut known = run_cost;
    let amounts: Vec<Result<Money, f64>> = (prices.lines.iter())
        .map(|line| match line.amount {
            LineAmount::Money(money) => Ok(money),
            LineAmount::TimesFinalRun(times) => Ok(run_cost * times.get()),
            LineAmount::Staff {
                people,
                time,
                cost_per_year,
            } => Ok(cost_per_year * (people.get() * time.get() * 24.0 / HOURS_PER_YEAR)),
            LineAmount::ShareOfTotal(share) => Err(share.get()),
        })
        .collect();
    for amount in &amounts {
        match amount {
            Ok(money) => known += *money,
            Err(share) => shares += share,
        }
    }
    // What isn't a share is the rest of the whole.
    let whole = known / (1.0 - shares);
    list.extend(prices.lines.iter().zip(amounts).map(|(line, amount)| {
        let money = amount.unwrap_or_else(|share| whole * share);
        (CostKind::Line(line.kind), money)
    }));
    list
}
