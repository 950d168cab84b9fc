//! What a run costs and draws: prices, power and lines of a scenario.
//!
//! In: `[economics]` and the catalogue. Out: [`Economics`]. Never prices a run.

use super::amount::{Shape, Spread};
use super::diagnostic::Diagnostic;
use super::keys;
use super::ownership::{Means, ownership};
use super::read::{Reader, Scope};
use super::resolve::section;
use super::{amount, lines, lookup, unit};
use crate::catalog::{Catalog, DevicePrices, EconomicsDefaults};
use strait_training::hardware::Cluster;
use strait_training::price::{Economics, PowerStates, Prices};
use strait_units::{Power, PricePerEnergy, PricePerHour, Ratio};

/// A number with its ends: the cheap one, the likely one, the dear one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    pub cheap: f64,
    pub likely: f64,
    pub dear: f64,
}

impl Ends {
    /// A number of which more is dearer, as it was just read.
    pub fn rising(reader: &Reader, path: &str, likely: f64) -> Ends {
        let (cheap, dear) = reader.ends(path, likely);
        Ends {
            cheap,
            likely,
            dear,
        }
    }

    /// A number of which more is cheaper.
    pub fn falling(reader: &Reader, path: &str, likely: f64) -> Ends {
        let Ends { cheap, dear, .. } = Ends::rising(reader, path, likely);
        Ends {
            cheap: dear,
            likely,
            dear: cheap,
        }
    }

    /// Cheap, likely, dear.
    pub fn all(self) -> [f64; 3] {
        [self.cheap, self.likely, self.dear]
    }
}

/// Resolves `[economics]`; `None` where something is wrong, which the reader knows.
pub(super) fn economics(
    scope: &Scope<'_>,
    cluster: Option<&Cluster>,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Economics> {
    let year = reader.written(scope, "year").map(|(text, _)| text);
    let prices = match cluster {
        Some(cluster) => lookup::prices(catalog, &cluster.accelerator.id, reader),
        None => DevicePrices::default(),
    };
    let rent = rent(scope, cluster, &prices, year.as_deref(), catalog, reader);
    let (id, node) = reader.text(scope, "place")?;
    let defaults = lookup::place(catalog, &id, node, reader)?;
    let entry = format!("economics/{id}");
    let mut pick = |key: &str, value: f64| {
        let point = match reader.number(scope, key) {
            Some(own) => own,
            None => {
                if scope.node(key).is_none() {
                    let printed = amount::print(scope.key(key).kind, value);
                    let source = lookup::source(catalog, "economics", &id, key);
                    reader.fact(scope.path(key), printed, &entry, source);
                }
                value
            }
        };
        Ends::rising(reader, &scope.path(key), point)
    };
    let pue = pick("pue", defaults.pue.get());
    let electricity = pick("electricity", defaults.electricity.get());
    let load_factor = reader.number(scope, "load_factor");
    let power_scope = inner(scope, "power", &keys::POWER);
    let power = match cluster {
        Some(cluster) => power(&power_scope, cluster, catalog, reader),
        None => Some(PowerStates::default()),
    };
    if load_factor.is_some()
        && let Some(given) = scope.node("power")
    {
        let d = Diagnostic::warning(
            "scenario::in-vain",
            "`economics.power` is not used: `economics.load_factor` says what is drawn, whatever is done",
        );
        reader.faults.push(
            d.at(&given.place, "not used")
                .help("leave load_factor out to let power follow what accelerators do"),
        );
    }

    let given = scope.node("ownership");
    let basis = match reader.word(scope, "basis") {
        Some(word) => word,
        None => {
            let word = if given.is_some() { "own" } else { "rent" };
            if scope.node("basis").is_none() {
                reader.rule(scope, "basis", word);
            }
            word
        }
    };
    let owned = basis == "own";
    let means = Means {
        place: &id,
        defaults: with_home(defaults, catalog),
        prices: &prices,
        year: year.as_deref(),
        cluster,
        catalog,
    };
    let own = match owned {
        true => Some(ownership(
            &inner(scope, "ownership", &keys::OWNERSHIP),
            &means,
            reader,
        )?),
        false => None,
    };
    if !owned && let Some(given) = given {
        let d = Diagnostic::warning(
            "scenario::in-vain",
            "`economics.ownership` is not used: `economics.basis` is rent",
        );
        let d = d.at(&given.place, "not used");
        reader
            .faults
            .push(d.help("leave basis out, or write basis = \"own\""));
    }
    let market = scope.node("rent").and_then(|n| n.text()) == Some("market");
    if let Some(node) = scope.node("year")
        && !owned
        && !market
    {
        let d = Diagnostic::warning(
            "scenario::in-vain",
            "`economics.year` changes nothing: the rent is stated, and nothing is owned",
        );
        let d = d.at(&node.place, "not used");
        reader
            .faults
            .push(d.help("write rent = \"market\" for the rents of that year"));
    }
    let lines = lines::lines(scope, reader)?;

    let rent = rent?;
    let at = |index: usize| Prices {
        rent: PricePerHour::new(rent.all()[index]),
        electricity: PricePerEnergy::new(electricity.all()[index]),
        ownership: own.map(|ends| ends[index]),
        lines: lines.iter().map(|line| line[index].clone()).collect(),
    };
    let [cheap, likely, dear] = [at(0), at(1), at(2)];
    let ranged = cheap != likely || dear != likely;
    Some(Economics {
        rent: likely.rent,
        pue: Ratio::new(pue.likely),
        load_factor: load_factor.map(Ratio::new),
        power: power?,
        electricity: likely.electricity,
        ownership: likely.ownership,
        lines: likely.lines,
        ends: ranged.then(|| Box::new((cheap, dear))),
    })
}

/// A table inside `[economics]`.
fn inner<'a>(scope: &Scope<'a>, name: &str, of: &'static keys::Section) -> Scope<'a> {
    let mut inner = section(scope, name, of);
    inner.path = scope.path(name);
    inner
}

/// The rent: as stated, of a year's market, or the catalogue's.
fn rent(
    scope: &Scope<'_>,
    cluster: Option<&Cluster>,
    prices: &DevicePrices,
    year: Option<&str>,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Ends> {
    let path = scope.path("rent");
    if let Some(node) = scope.node("rent")
        && node.text() == Some("market")
    {
        // Without a cluster there is another fault to mend first.
        let chip = &cluster?.accelerator;
        let years = || -> String {
            let known: Vec<String> = prices.rents.iter().map(|r| r.year.to_string()).collect();
            match known.is_empty() {
                true => format!(
                    "the catalogue has no rents of {}: state one, such as rent = \"2 USD/h\"",
                    chip.id
                ),
                false => format!(
                    "the catalogue has rents of {} for {}",
                    chip.id,
                    known.join(", ")
                ),
            }
        };
        let Some(year) = year else {
            let d = Diagnostic::error(
                "scenario::market-year",
                "`economics.rent = \"market\"` needs to know when: `economics.year`",
            );
            let d = d.at(&node.place, "of which year?");
            reader.fail(d.help("write year = 2024, or a date").help(years()));
            return None;
        };
        let asked = year.split('-').next().and_then(|y| y.parse::<u16>().ok());
        let Some(found) = prices.rents.iter().find(|r| Some(r.year) == asked) else {
            let d = Diagnostic::error(
                "scenario::no-rent",
                format!("the catalogue has no rent of {} in {year}", chip.name),
            );
            let d = reader.label(d, &scope.path("year"), &node.place, "");
            reader.fail(d.help(years()));
            return None;
        };
        let [low, mode, high] = [found.low, found.likely, found.high].map(|rent| rent.get());
        reader.stands(scope, "rent", "market".to_owned());
        let print = |value| unit::print(unit::Dimension::PricePerHour, value);
        let printed = match low < high {
            true => format!("{} ({} to {})", print(mode), print(low), print(high)),
            false => print(mode),
        };
        let entry = format!("prices/{}", chip.id);
        reader.fact(path.clone(), printed, &entry, found.source.clone());
        let mode = match low < high {
            true => {
                let spread = Spread {
                    low,
                    mode,
                    high,
                    shape: Shape::Pert,
                    choices: Vec::new(),
                    why: found.why.clone(),
                    factor: None,
                };
                reader.settle(
                    path.clone(),
                    scope.key("rent").kind.bare(),
                    &node.place,
                    spread,
                )
            }
            false => mode,
        };
        return Some(Ends::rising(reader, &path, mode));
    }
    let value = match reader.number(scope, "rent") {
        Some(value) => value,
        None => {
            let known = cluster.and_then(|c| c.accelerator.rent.map(|r| (c, r.get())));
            let value = known.map_or(2.0, |(_, rent)| rent);
            if scope.node("rent").is_none() {
                let printed = unit::print(unit::Dimension::PricePerHour, value);
                match known {
                    Some((cluster, _)) => {
                        let id = &cluster.accelerator.id;
                        let source = lookup::source(catalog, "accelerators", id, "market.rent");
                        let entry = format!("accelerators/{id}");
                        reader.fact(path.clone(), printed, &entry, source);
                    }
                    None => reader.rule(scope, "rent", printed),
                }
            }
            value
        }
    };
    Some(Ends::rising(reader, &path, value))
}

/// What accelerators draw: as stated, or the catalogue's shares of rated power.
fn power(
    scope: &Scope<'_>,
    cluster: &Cluster,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<PowerStates> {
    let chip = &cluster.accelerator;
    let (id, profile) = lookup::power(catalog, chip, reader)?;
    let usual = profile.states(chip, &cluster.node, cluster.nodes == 1);
    let mut pick = |key: &str, value: Power| match reader.number(scope, key) {
        Some(own) => Power::new(own),
        None => {
            if scope.node(key).is_none() {
                let printed = unit::print(unit::Dimension::Power, value.get());
                let source = lookup::source(catalog, "power", id, key);
                reader.fact(scope.path(key), printed, &format!("power/{id}"), source);
            }
            value
        }
    };
    let states = PowerStates {
        loaded: pick("loaded", usual.loaded),
        communication: pick("communication", usual.communication),
        idle: pick("idle", usual.idle),
        network: pick("network", usual.network),
    };
    let falls = [
        (
            "communication",
            states.communication,
            "loaded",
            states.loaded,
        ),
        ("idle", states.idle, "communication", states.communication),
    ];
    for (less, low, more, high) in falls {
        if low > high {
            let d = Diagnostic::error(
                "scenario::power-order",
                format!("accelerators would draw more in state {less} than in state {more}"),
            );
            let d = reader.label(d, &scope.path(less), &scope.place, "");
            let d = reader.label(d, &scope.path(more), &scope.place, "");
            reader.fail(d.help("idle <= communication <= loaded"));
        }
    }
    Some(states)
}

/// A place's figures; what it lacks is as at home.
fn with_home(place: EconomicsDefaults, catalog: &Catalog) -> EconomicsDefaults {
    let Ok(home) = catalog.economics("default") else {
        return place;
    };
    EconomicsDefaults {
        network_share: place.network_share.or(home.network_share),
        price_decline_per_year: place.price_decline_per_year.or(home.price_decline_per_year),
        server_over_card_price: place.server_over_card_price.or(home.server_over_card_price),
        facility_per_watt: place.facility_per_watt.or(home.facility_per_watt),
        facility_lifetime_years: place
            .facility_lifetime_years
            .or(home.facility_lifetime_years),
        lifetime_years: place.lifetime_years.or(home.lifetime_years),
        ..place
    }
}
