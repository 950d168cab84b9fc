//! What accelerators rent and sell for, by year, and what servers draw by what they do.
//!
//! In: entries of `catalog/prices` and `catalog/power`. Out: [`DevicePrices`] and [`PowerProfile`]. Never
//! fills a gap between years: what is not listed is not known.

use super::{ACCELERATORS, Catalog, CatalogError};
use serde::Deserialize;
use strait_training::hardware::{Accelerator, Node};
use strait_training::price::PowerStates;
use strait_units::{Bandwidth, Money, Power, PricePerHour, Ratio};

/// The folder of rents and server prices.
pub const PRICES: &str = "prices";
/// The folder of draw by what servers do.
pub const POWER: &str = "power";

/// Rent of an accelerator in a year.
#[derive(Clone, Debug, PartialEq)]
pub struct Rent {
    /// Year.
    pub year: u16,
    /// Low end.
    pub low: PricePerHour,
    /// Likeliest; the geometric middle where the catalogue names none.
    pub likely: PricePerHour,
    /// High end.
    pub high: PricePerHour,
    /// Where it is from, and what to know about it.
    pub why: String,
    /// Source of the likely value.
    pub source: String,
}

/// Price of a server, or of what else accelerators are sold in.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerPrice {
    /// Key in the file, such as `hgx_2024`.
    pub key: String,
    /// Date as the catalogue has it; starts with the year.
    pub date: String,
    /// Price of all of it.
    pub price: Money,
    /// Accelerators in it.
    pub accelerators: u32,
    /// Source.
    pub source: String,
}

impl ServerPrice {
    /// It is quoted in China.
    pub fn in_china(&self) -> bool {
        self.key.starts_with("china")
    }

    /// It is a card without a server.
    pub fn is_card(&self) -> bool {
        self.key.starts_with("card")
    }

    /// Price of one accelerator in it.
    pub fn each(&self) -> Money {
        self.price / f64::from(self.accelerators.max(1))
    }

    /// Months since year 0, for comparing; a year without a month is its middle.
    pub fn month(&self) -> i32 {
        month(&self.date)
    }
}

/// Months since year 0 of a date that starts with its year.
pub fn month(date: &str) -> i32 {
    let mut parts = date.split('-');
    let mut next = || parts.next().and_then(|p| p.parse::<i32>().ok());
    let year = next().unwrap_or(0);
    year * 12 + next().map_or(6, |month| month - 1)
}

/// What the catalogue knows of an accelerator's prices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DevicePrices {
    /// Rents, by year.
    pub rents: Vec<Rent>,
    /// Prices of servers, by date.
    pub servers: Vec<ServerPrice>,
}

impl DevicePrices {
    /// The server price that holds for a purchase: of the place if it has any, servers before cards, the
    /// nearest date. `None` where there is no price at all.
    pub fn server(&self, china: bool, month: i32) -> Option<&ServerPrice> {
        let class = |s: &ServerPrice| (s.in_china() != china, s.is_card());
        let best = self.servers.iter().map(class).min()?;
        (self.servers.iter().filter(|s| class(s) == best)).min_by_key(|s| (s.month() - month).abs())
    }
}

/// Draw of servers as shares of their rated power.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct PowerProfile {
    /// Computing.
    pub loaded: Ratio,
    /// Communication that nothing hides.
    pub communication: Ratio,
    /// At rest.
    pub idle: Ratio,
    /// Switches, for each server of `network_rate`.
    pub network: Power,
    /// Network bandwidth of that server.
    pub network_rate: Bandwidth,
}

impl PowerProfile {
    /// Of one accelerator with its share of a server; `alone` where there is no network between servers.
    pub fn states(&self, accelerator: &Accelerator, node: &Node, alone: bool) -> PowerStates {
        let rated = accelerator.tdp + node.overhead_power;
        PowerStates {
            loaded: rated * self.loaded.get(),
            communication: rated * self.communication.get(),
            idle: rated * self.idle.get(),
            network: match alone {
                true => Power::ZERO,
                false => self.network * (node.nic_bandwidth / self.network_rate),
            },
        }
    }
}

impl Catalog {
    /// Rents and server prices of an accelerator; empty where the catalogue has none.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::show`] but of an unknown id; [`CatalogError::Value`] where a fact
    /// does not read as a price.
    pub fn prices(&self, id: &str) -> Result<DevicePrices, CatalogError> {
        let mut all = DevicePrices::default();
        if !self.contains(PRICES, id) {
            return Ok(all);
        }
        let entry = self.entry(PRICES, id)?;
        for fact in &entry.facts {
            let wrong = |message: String| CatalogError::Value {
                file: format!("catalog/{PRICES}/{id}.toml"),
                line: fact.line,
                key: fact.key.clone(),
                message,
            };
            let rent = |key: &str| -> Result<Option<PricePerHour>, CatalogError> {
                let found = entry.fact(key);
                found
                    .map(|f| f.value.parse::<PricePerHour>())
                    .transpose()
                    .map_err(|e| wrong(e.to_string()))
            };
            let parts: Vec<&str> = fact.key.split('.').collect();
            match parts[..] {
                ["rent", table, "low"] => {
                    let year = (table.strip_prefix('y').and_then(|y| y.parse().ok()))
                        .ok_or_else(|| wrong("a table of rents is called y and its year".into()))?;
                    let (Some(low), Some(high)) =
                        (rent(&fact.key)?, rent(&format!("rent.{table}.high"))?)
                    else {
                        return Err(wrong("a rent needs `low` and `high`".into()));
                    };
                    let middle = PricePerHour::new((low.get() * high.get()).sqrt());
                    let named = format!("rent.{table}.likely");
                    let likely = rent(&named)?.unwrap_or(middle);
                    if !(low <= likely && likely <= high) {
                        return Err(wrong("low, likely and high must rise".into()));
                    }
                    let mut why = format!("rents of {year}");
                    let notes = [Some(fact), entry.fact(&named)].into_iter().flatten();
                    for note in notes.filter_map(|f| f.note.as_ref()) {
                        why += &format!("; {note}");
                    }
                    let source = entry.fact(&named).unwrap_or(fact).source.clone();
                    all.rents.push(Rent {
                        year,
                        low,
                        likely,
                        high,
                        why,
                        source,
                    });
                }
                ["server", table, "price"] => {
                    let price = fact.value.parse::<Money>();
                    let count = entry.fact(&format!("server.{table}.accelerators"));
                    let accelerators = (count.and_then(|f| f.value.parse::<u32>().ok()))
                        .filter(|count| *count > 0)
                        .ok_or_else(|| wrong("a price needs its `accelerators`".into()))?;
                    all.servers.push(ServerPrice {
                        key: table.to_owned(),
                        date: fact.date.clone(),
                        price: price.map_err(|e| wrong(e.to_string()))?,
                        accelerators,
                        source: fact.source.clone(),
                    });
                }
                _ => {}
            }
        }
        all.rents.sort_by_key(|rent| rent.year);
        all.servers.sort_by_key(ServerPrice::month);
        Ok(all)
    }

    /// The id of the power profile that holds for an accelerator: its own, that of its kernels' family, or
    /// any server's.
    pub fn power_id<'a>(&self, accelerator: &'a Accelerator) -> &'a str {
        [accelerator.id.as_str(), accelerator.kernels.as_str()]
            .into_iter()
            .find(|id| self.contains(POWER, id))
            .unwrap_or("generic")
    }

    /// A power profile.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn power(&self, id: &str) -> Result<PowerProfile, CatalogError> {
        self.load(POWER, id)
    }

    /// When an accelerator came out, as the catalogue writes it.
    pub fn launch(&self, accelerator: &str) -> Option<String> {
        let entry = self.entry(ACCELERATORS, accelerator).ok()?;
        entry.fact("launch_date").map(|fact| fact.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_price_reads() {
        let catalog = Catalog::embedded();
        let mut rents = 0;
        for id in catalog.list(PRICES).unwrap() {
            assert!(catalog.contains(ACCELERATORS, id), "{id}");
            let prices = catalog.prices(id).unwrap();
            rents += prices.rents.len();
            assert!(
                !prices.rents.is_empty() || !prices.servers.is_empty(),
                "{id}"
            );
        }
        assert!(rents > 30, "{rents}");
        assert_eq!(catalog.prices("l4").unwrap(), DevicePrices::default());
    }

    #[test]
    fn a_purchase_takes_the_nearest_price_of_its_place() {
        let catalog = Catalog::embedded();
        let h100 = catalog.prices("h100-sxm").unwrap();
        let each = |china, date: &str| {
            let found = h100.server(china, month(date)).unwrap();
            (found.key.clone(), found.each().get().round())
        };
        assert_eq!(each(false, "2024-02"), ("hgx_2024a".to_owned(), 33_810.0));
        assert_eq!(each(false, "2025"), ("hgx_2025".to_owned(), 31_905.0));
        assert_eq!(each(true, "2025").0, "china_2024");
        // A card is taken where no server has a price.
        let gaudi = catalog.prices("gaudi2").unwrap();
        assert!(gaudi.server(false, month("2024")).unwrap().is_card());
    }

    #[test]
    fn power_states_rise_with_what_is_done() {
        let catalog = Catalog::embedded();
        for id in catalog.list(POWER).unwrap() {
            let p = catalog.power(id).unwrap();
            assert!(
                p.idle < p.communication && p.communication < p.loaded,
                "{id}"
            );
            assert!(
                (p.communication.get() * 2.0 - p.idle.get() - p.loaded.get()).abs() < 0.006,
                "{id}"
            );
        }
        let of = |id: &str| {
            catalog
                .power_id(&catalog.accelerator(id).unwrap())
                .to_owned()
        };
        assert_eq!(of("h800-sxm"), "hopper");
        assert_eq!(of("a100-sxm-80"), "generic");
        assert_eq!(of("tpuv4"), "tpuv4");
        assert_eq!(of("tpuv5e"), "tpu");
    }
}
