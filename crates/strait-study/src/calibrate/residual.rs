//! Residuals of measured tables.
//!
//! In: predicted and measured times. Out: their median, 90th percentile, worst and bias, by table.

use super::forward::{self, Profiles};
use super::rows::{Role, Row};
use super::{CalibrateError, Family};
use std::collections::BTreeMap;
use strait_units::{Ratio, Time};

/// How far the simulator is from one table of measurements.
///
/// A table of which a fit has seen some rows and not others is listed twice.
#[derive(Clone, Debug, PartialEq)]
pub struct TableResidual {
    /// Name of the table.
    pub table: String,
    /// Profile that predicts it, such as `kernels/hopper`.
    pub profile: String,
    /// What is measured.
    pub family: Family,
    /// Rows.
    pub rows: usize,
    /// Median of |predicted / measured − 1|.
    pub median: Ratio,
    /// Its 90th percentile.
    pub p90: Ratio,
    /// Its largest value.
    pub worst: Ratio,
    /// Geometric mean of predicted over measured, less one: above zero is too slow.
    pub bias: Ratio,
    /// No fit has seen these rows.
    pub held_out: bool,
}

/// Median, 90th percentile, worst and bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub median: f64,
    pub p90: f64,
    pub worst: f64,
    pub bias: f64,
}

impl Spread {
    /// Of pairs of predicted and measured times; at least one.
    pub(super) fn of(pairs: &[(Time, Time)]) -> Spread {
        let ratios: Vec<f64> = pairs
            .iter()
            .map(|(predicted, measured)| predicted.seconds() / measured.seconds())
            .collect();
        let mut errors: Vec<f64> = ratios.iter().map(|ratio| (ratio - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (errors.len() - 1) as f64;
            let low = place as usize;
            let high = (low + 1).min(errors.len() - 1);
            errors[low] + (errors[high] - errors[low]) * (place - low as f64)
        };
        let mean = ratios.iter().map(|&r| libm::log(r)).sum::<f64>() / ratios.len() as f64;
        Spread {
            median: at(0.5),
            p90: at(0.9),
            worst: at(1.0),
            bias: libm::exp(mean) - 1.0,
        }
    }
}

/// Residuals of all rows, by profile, and tables in the order of the files.
pub(super) fn of(rows: &[Row], profiles: &Profiles) -> Result<Vec<TableResidual>, CalibrateError> {
    // Keyed by the first row of the table, so that the files' order stays.
    let mut order: Vec<(String, String, bool, Family)> = Vec::new();
    let mut pairs: BTreeMap<(String, String, bool), Vec<(Time, Time)>> = BTreeMap::new();
    for row in rows {
        let profile = format!("{}/{}", row.family.kind(), row.profile);
        let held_out = row.role == Role::HeldOut;
        let key = (profile.clone(), row.table.clone(), held_out);
        if !pairs.contains_key(&key) {
            order.push((profile, row.table.clone(), held_out, row.family));
        }
        let predicted = forward::time(row, profiles)?;
        pairs
            .entry(key)
            .or_default()
            .push((predicted, row.measured));
    }
    order.sort_by(|a, b| a.0.cmp(&b.0)); // stable: tables stay in the files' order
    Ok(order
        .into_iter()
        .map(|(profile, table, held_out, family)| {
            let list = &pairs[&(profile.clone(), table.clone(), held_out)];
            let spread = Spread::of(list);
            TableResidual {
                table,
                profile,
                family,
                rows: list.len(),
                median: Ratio::new(spread.median),
                p90: Ratio::new(spread.p90),
                worst: Ratio::new(spread.worst),
                bias: Ratio::new(spread.bias),
                held_out,
            }
        })
        .collect())
}
