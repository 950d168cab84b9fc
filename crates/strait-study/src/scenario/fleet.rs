//! Accelerators that somebody is said to own.
//!
//! In: `[[fleet]]` and the catalogue. Out: [`FleetPart`]s with a price each. Never simulates.

use super::keys;
use super::lookup;
use super::read::{Reader, Scope};
use crate::catalog::Catalog;
use strait_units::{FlopRate, Money};

/// So many accelerators of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetPart {
    /// Id of the accelerator.
    pub accelerator: String,
    /// Its name, for people.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Dense peak in 16-bit floating point, where known.
    pub peak: Option<FlopRate>,
    /// Price of one with its share of a server; `None` where nobody is known to have paid one.
    pub price: Option<FleetPrice>,
}

/// What one accelerator with its share of a server costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FleetPrice {
    /// Low end of the range.
    pub low: Money,
    /// Likeliest.
    pub likely: Money,
    /// High end of the range.
    pub high: Money,
}

/// Reads all `[[fleet]]`.
pub(super) fn fleet(root: &Scope<'_>, catalog: &Catalog, reader: &mut Reader) -> Vec<FleetPart> {
    let list = root.node("fleet").and_then(|n| n.list()).unwrap_or(&[]);
    let mut parts = Vec::new();
    for (number, node) in list.iter().enumerate() {
        let Some(table) = node.table() else { continue };
        let scope = Scope {
            tables: vec![table],
            place: node.place.clone(),
            section: &keys::FLEET,
            path: format!("fleet.{number}"),
        };
        let (id, count) = (
            reader.text(&scope, "accelerator"),
            reader.count(&scope, "count"),
        );
        let _ = reader.text(&scope, "why");
        let (Some((id, id_node)), Some(count)) = (id, count) else {
            continue;
        };
        let Some(facts) = lookup::market(catalog, &id, id_node, reader) else {
            continue;
        };
        let known = reader.ranges.len();
        let price = match reader.number(&scope, "price") {
            Some(stated) => {
                let range = reader.ranges.get(known);
                let end = |value: Option<f64>| Money::new(value.unwrap_or(stated));
                Some(FleetPrice {
                    low: end(range.map(|r| r.low)),
                    likely: Money::new(stated),
                    high: end(range.map(|r| r.high)),
                })
            }
            None => facts.price.map(|likely| FleetPrice {
                low: facts.price_low.unwrap_or(likely),
                likely,
                high: facts.price_high.unwrap_or(likely),
            }),
        };
        parts.push(FleetPart {
            accelerator: id,
            name: facts.name,
            count,
            peak: facts.peak,
            price,
        });
    }
    parts
}
