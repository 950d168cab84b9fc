//! What owned accelerators cost, of a scenario.
//!
//! In: `[economics.ownership]`, prices of servers and of a place. Out: an [`Ownership`] at the cheap end
//! of all ranges, at the likely values, and at the dear end. Never works out an hour's price.

use super::diagnostic::Diagnostic;
use super::economics::Ends;
use super::read::{Reader, Scope};
use super::{amount, lookup, unit};
use crate::catalog::{Catalog, DevicePrices, EconomicsDefaults, month};
use strait_training::hardware::Cluster;
use strait_training::price::{Depreciation, NetworkPrice, Ownership};
use strait_units::{Days, Money, Ratio};

/// Days of a year.
const YEAR: f64 = 365.25;
/// Months from an accelerator's launch to its purchase: the 90 days of arXiv:2405.21015.
const AFTER_LAUNCH: i32 = 3;

/// What ownership is worked out from.
pub(super) struct Means<'a> {
    /// Id of the place.
    pub place: &'a str,
    /// Its figures.
    pub defaults: EconomicsDefaults,
    /// Prices of the accelerator.
    pub prices: &'a DevicePrices,
    /// When the run started.
    pub year: Option<&'a str>,
    /// What is owned.
    pub cluster: Option<&'a Cluster>,
    /// The catalogue.
    pub catalog: &'a Catalog,
}

/// Reads `[economics.ownership]`: cheap, likely, dear.
pub(super) fn ownership(
    scope: &Scope<'_>,
    means: &Means<'_>,
    reader: &mut Reader,
) -> Option<[Ownership; 3]> {
    let cluster = means.cluster?;
    let d = &means.defaults;
    let declining = reader.word(scope, "method") == Some("declining");
    let launch =
        (means.catalog.launch(&cluster.accelerator.id)).map(|date| month(&date) + AFTER_LAUNCH);
    let started = means.year.map(month);
    let bought = match reader.written(scope, "bought").map(|(text, _)| text) {
        Some(date) => Some(month(&date)),
        None => {
            let rule = match (started, launch) {
                (Some(_), _) => "as economics.year",
                (None, Some(_)) => "90 days after the launch of the accelerator",
                (None, None) => "not known",
            };
            let bought = started.or(launch);
            if scope.node("bought").is_none()
                && let Some(bought) = bought
            {
                let date = format!("{}-{:02}", bought.div_euclid(12), bought.rem_euclid(12) + 1);
                reader.because(scope, "bought", date, rule.to_owned());
            }
            bought
        }
    };

    if let (Some(bought), Some(started)) = (bought, started)
        && bought > started
    {
        let error = Diagnostic::error(
            "scenario::bought-later",
            "the run starts before its servers are bought",
        );
        let error = reader.label(error, &scope.path("bought"), &scope.place, "");
        let error = reader.label(error, "economics.year", &scope.place, "");
        reader.fail(error.help("economics.year is when the run started"));
        return None;
    }
    let server = server(scope, means, cluster, bought, reader);
    let network = network(scope, means, reader);
    let years = |reader: &mut Reader, key: &str, fact: &str, value: Option<f64>| {
        let days = from_place(scope, means, reader, key, fact, value.map(|y| y * YEAR))?;
        Some(Ends::falling(reader, &scope.path(key), days))
    };
    let unused: &[&str] = match declining {
        true => &["lifetime", "resale"],
        false => &["price_decline"],
    };
    for key in unused {
        if let Some(node) = scope.node(key) {
            let method = if declining {
                "declining"
            } else {
                "straight-line"
            };
            let error = Diagnostic::error(
                "scenario::depreciation",
                format!("`{key}` means nothing where method is \"{method}\""),
            );
            let error = error.at(&node.place, "another method's");
            let error = reader.label(error, &scope.path("method"), &scope.place, "");
            reader.fail(error.help(match declining {
                true => "the declining method knows only how fast prices fall: price_decline",
                false => "the straight line knows lifetime and resale",
            }));
        }
    }
    let worth: [Depreciation; 3] = if declining {
        let path = scope.path("price_decline");
        let rate = d.price_decline_per_year.map(Ratio::get);
        let rate = from_place(
            scope,
            means,
            reader,
            "price_decline",
            "price_decline_per_year",
            rate,
        )?;
        let rate = Ends::rising(reader, &path, rate);
        let age = match (bought, started) {
            (Some(bought), Some(started)) => f64::from(started - bought) / 12.0 * YEAR,
            _ => 0.0,
        };
        rate.all().map(|rate| Depreciation::Declining {
            rate: Ratio::new(rate),
            age: Days::new(age),
        })
    } else {
        let lifetime = years(reader, "lifetime", "lifetime_years", d.lifetime_years)?;
        let resale = reader.number(scope, "resale")?;
        let resale = Ends::falling(reader, &scope.path("resale"), resale);
        let pairs = std::array::from_fn::<_, 3, _>(|i| (lifetime.all()[i], resale.all()[i]));
        pairs.map(|(lifetime, resale)| Depreciation::StraightLine {
            lifetime: Days::new(lifetime),
            resale: Ratio::new(resale),
        })
    };
    let facility = d.facility_per_watt.map(Money::get);
    let facility = from_place(
        scope,
        means,
        reader,
        "facility",
        "facility_per_watt",
        facility,
    )?;
    let facility = Ends::rising(reader, &scope.path("facility"), facility);
    let standing = d.facility_lifetime_years;
    let standing = years(
        reader,
        "facility_lifetime",
        "facility_lifetime_years",
        standing,
    )?;
    let maintenance = reader.number(scope, "maintenance")?;
    let maintenance = Ends::rising(reader, &scope.path("maintenance"), maintenance);
    let used = reader.number(scope, "utilisation")?;
    let used = Ends::falling(reader, &scope.path("utilisation"), used);
    let (server, network) = (server?, network?);
    Some(std::array::from_fn(|i| Ownership {
        server: Money::new(server.all()[i]),
        network: network[i],
        depreciation: worth[i],
        facility: Money::new(facility.all()[i]),
        facility_lifetime: Days::new(standing.all()[i]),
        maintenance: Ratio::new(maintenance.all()[i]),
        utilisation: Ratio::new(used.all()[i]),
    }))
}

/// A number of the scenario, or the place's.
fn from_place(
    scope: &Scope<'_>,
    means: &Means<'_>,
    reader: &mut Reader,
    key: &str,
    fact: &str,
    value: Option<f64>,
) -> Option<f64> {
    if let Some(own) = reader.number(scope, key) {
        return Some(own);
    }
    if scope.node(key).is_some() {
        // It was of the wrong form, and that has been said.
        return None;
    }
    let Some(value) = value else {
        reader.missing(scope, key);
        return None;
    };
    let own = lookup::source(means.catalog, "economics", means.place, fact);
    let (id, source) = match own.is_empty() {
        false => (means.place, own),
        true => (
            "default",
            lookup::source(means.catalog, "economics", "default", fact),
        ),
    };
    let printed = amount::print(scope.key(key).kind, value);
    reader.fact(scope.path(key), printed, &format!("economics/{id}"), source);
    Some(value)
}

/// Price of one accelerator's share of its server.
fn server(
    scope: &Scope<'_>,
    means: &Means<'_>,
    cluster: &Cluster,
    bought: Option<i32>,
    reader: &mut Reader,
) -> Option<Ends> {
    let path = scope.path("server_price");
    let each = f64::from(cluster.node.accelerators.max(1));
    if scope.node("server_price").is_some() {
        let whole = reader.number(scope, "server_price")?;
        let ends = Ends::rising(reader, &path, whole);
        let [cheap, likely, dear] = ends.all().map(|price| price / each);
        return Some(Ends {
            cheap,
            likely,
            dear,
        });
    }
    let chip = &cluster.accelerator;
    let china = means.place == "china";
    let found = means.prices.server(china, bought.unwrap_or(0));
    let (price, entry, source) = match (found, chip.price) {
        (Some(found), _) => {
            let lift = match found.is_card() {
                true => means
                    .defaults
                    .server_over_card_price
                    .map_or(1.0, Ratio::get),
                false => 1.0,
            };
            let source = format!("{}, {}, {}", found.key, found.date, found.source);
            (
                found.each().get() * lift,
                format!("prices/{}", chip.id),
                source,
            )
        }
        (None, Some(price)) => {
            let source = lookup::source(means.catalog, "accelerators", &chip.id, "market.price");
            (price.get(), format!("accelerators/{}", chip.id), source)
        }
        (None, None) => {
            let error = Diagnostic::error(
                "scenario::no-server-price",
                format!("the catalogue has no price of a server with {}", chip.name),
            );
            let error = error.at(&scope.place, "owned here");
            reader.fail(error.help("state one: server_price = \"280 k USD\", for a whole server"));
            return None;
        }
    };
    let printed = unit::print(unit::Dimension::Money, price * each);
    reader.fact(path.clone(), printed, &entry, source);
    Some(Ends::rising(reader, &path, price))
}

/// What the network costs.
fn network(scope: &Scope<'_>, means: &Means<'_>, reader: &mut Reader) -> Option<[NetworkPrice; 3]> {
    if let Some(node) = scope.node("endpoint_price") {
        if let Some(other) = scope.node("network_share") {
            let error = Diagnostic::error(
                "scenario::network-price",
                "the network has two prices: `endpoint_price` and `network_share`",
            );
            let error = error.at(&node.place, "for each accelerator");
            let error = error.at(&other.place, "as a share");
            reader.fail(error.help("give one of them"));
            return None;
        }
        let price = reader.number(scope, "endpoint_price")?;
        let ends = Ends::rising(reader, &scope.path("endpoint_price"), price);
        return Some(ends.all().map(|p| NetworkPrice::Endpoint(Money::new(p))));
    }
    let share = means.defaults.network_share.map(Ratio::get);
    let share = from_place(
        scope,
        means,
        reader,
        "network_share",
        "network_share",
        share,
    )?;
    let ends = Ends::rising(reader, &scope.path("network_share"), share);
    Some(ends.all().map(|s| NetworkPrice::Share(Ratio::new(s))))
}
