//! What a run costs: prices and power of a place.
//!
//! In: `[economics]` and the catalogue. Out: [`Economics`]. Never prices a run.

use super::read::{Reader, Scope};
use super::{amount, lookup, unit};
use crate::catalog::Catalog;
use strait_training::case::Economics;
use strait_training::hardware::Cluster;
use strait_units::{PricePerEnergy, PricePerHour, Ratio};

/// Resolves `[economics]`; `None` where something is wrong, which the reader knows.
pub(super) fn economics(
    scope: &Scope<'_>,
    cluster: Option<&Cluster>,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Economics> {
    let rent = match reader.number(scope, "rent") {
        Some(v) => v,
        None => {
            let known = cluster.and_then(|c| c.accelerator.rent.map(|r| (c, r.get())));
            let value = known.map_or(2.0, |(_, rent)| rent);
            if scope.node("rent").is_none() {
                let printed = unit::print(unit::Dimension::PricePerHour, value);
                match known {
                    Some((cluster, _)) => {
                        let id = &cluster.accelerator.id;
                        let source = lookup::source(catalog, "accelerators", id, "market.rent");
                        reader.fact(
                            scope.path("rent"),
                            printed,
                            &format!("accelerators/{id}"),
                            source,
                        );
                    }
                    None => reader.rule(scope, "rent", printed),
                }
            }
            value
        }
    };
    let (id, node) = reader.text(scope, "place")?;
    let defaults = lookup::place(catalog, &id, node, reader)?;
    let entry = format!("economics/{id}");
    let mut pick = |key: &str, value: f64| match reader.number(scope, key) {
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
    Some(Economics {
        rent: PricePerHour::new(rent),
        pue: Ratio::new(pick("pue", defaults.pue.get())),
        load_factor: Ratio::new(pick("load_factor", defaults.load_factor.get())),
        electricity: PricePerEnergy::new(pick("electricity", defaults.electricity.get())),
    })
}
