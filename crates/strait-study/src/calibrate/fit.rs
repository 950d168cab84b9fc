//! Carries out a plan: parameters that bring the simulator closest to measured rows.
//!
//! In: a fit of the plan, rows, profiles. Out: the profiles with fitted values, and the values as
//! texts. Never sees a training step, and never a row whose role is not `fit`.

use super::forward::{self, Forward, Profiles};
use super::plan::{Fit, Loss};
use super::residual::Spread;
use super::rows::{Role, Row};
use super::search;
use super::slot::{self, Slot};
use super::{CalibrateError, Fitted};
use crate::catalog::Entry;
use std::collections::BTreeMap;
use strait_units::{Ratio, Time};

/// Rows that a parameter needs where the plan lets their number decide (a user's machine).
const ROWS_PER_PARAMETER: usize = 3;

/// A fit that was carried out.
#[derive(Clone, Debug)]
pub struct FitResult {
    /// Profile, such as `kernels/hopper`.
    pub profile: String,
    /// Names of the tables whose rows were fitted.
    pub tables: Vec<String>,
    /// Their number.
    pub rows: usize,
    /// What was held, in words; empty where nothing is said.
    pub held: String,
    /// Median of |predicted / measured − 1| after the fit.
    pub median: Ratio,
    /// Its largest value.
    pub worst: Ratio,
    /// What was fitted.
    pub parameters: Vec<Fitted>,
}

/// A parameter that is being fitted.
struct Free {
    /// Key as in the plan.
    key: String,
    /// Key as in the catalogue.
    place: String,
    /// Unit as text, such as `TFLOPS`; empty for a pure number.
    unit: String,
    /// One of the unit, in the base unit.
    scale: f64,
    /// Where the search begins, in the unit.
    start: f64,
    digits: usize,
    /// Largest value in the base unit: no product is faster than the peak.
    most: f64,
    /// The catalogue's text.
    catalogue: String,
}

/// Whether a profile is one of kernels.
fn is_kernels(profile: &str) -> bool {
    profile.starts_with("kernels/")
}

/// A parameter of the profile of a fit.
fn slot_of<'p>(profiles: &'p mut Profiles, profile: &str, key: &str) -> Option<Slot<'p>> {
    let (kind, id) = profile.split_once('/')?;
    match kind {
        "kernels" => slot::of_kernels(profiles.kernels.get_mut(id)?, key),
        "links" => slot::of_links(profiles.links.get_mut(id)?, key),
        _ => None,
    }
}

/// The fact of a key: an element of a list such as `in_switch_gain[2]` is part of its list.
pub(super) fn fact_text(entry: &Entry, key: &str) -> Option<String> {
    if let Some(fact) = entry.fact(key) {
        return Some(fact.value.clone());
    }
    let (list, at) = list_element(key)?;
    let value = &entry.fact(list)?.value;
    let inner = value.strip_prefix('[')?.strip_suffix(']')?;
    inner.split(", ").nth(at).map(str::to_owned)
}

/// List and place of a key such as `in_switch_gain[2]`.
pub(super) fn list_element(key: &str) -> Option<(&str, usize)> {
    let (list, at) = key.strip_suffix(']')?.rsplit_once('[')?;
    Some((list, at.parse().ok()?))
}

fn unit_of(text: &str) -> &str {
    text.split_once(' ').map_or("", |(_, unit)| unit.trim())
}

/// Carries out one fit; `None` where no row or no parameter is there for it. `by_rows`: as many
/// parameters as the rows suffice for.
pub(super) fn run(
    fit: &Fit,
    rows: &[Row],
    entries: &BTreeMap<String, Entry>,
    profiles: &mut Profiles,
    by_rows: bool,
) -> Result<Option<FitResult>, CalibrateError> {
    let chosen: Vec<&Row> = (rows.iter())
        .filter(|row| (row.role == Role::Fit || fit.check.is_some()) && fit.selects(row))
        .collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut free = Vec::new();
    for parameter in &fit.parameters {
        if by_rows && !free.is_empty() && (free.len() + 1) * ROWS_PER_PARAMETER > chosen.len() {
            break;
        }
        match free_of(fit, parameter, entries, profiles)? {
            Some(mut found) => {
                if by_rows {
                    found.most = peak(profiles, &fit.profile, &found.key);
                }
                free.push(found);
            }
            // A profile of another architecture need not have the parameter.
            None if by_rows => continue,
            None => {
                return Err(CalibrateError::Plan(format!(
                    "{} has no number at {}",
                    fit.profile, parameter.key
                )));
            }
        }
    }
    if free.is_empty() {
        return Ok(None);
    }
    let kept = free.len();
    for parameter in &fit.aside {
        free.extend(free_of(fit, parameter, entries, profiles)?);
    }
    // A first evaluation reports rows that cannot be predicted at all.
    for row in &chosen {
        forward::time(row, profiles)?;
    }
    let start: Vec<f64> = free.iter().map(|f| f.start).collect();
    let mut trial = profiles.clone();
    // What is fitted aside stays so where the rows' residuals are told.
    let mut told = profiles.clone();
    let found = search::least(&start, |values| {
        for (free, value) in free.iter().zip(values) {
            if let Some(mut slot) = slot_of(&mut trial, &fit.profile, &free.key) {
                slot.set((value * free.scale).min(free.most));
            }
        }
        loss(fit.loss, &chosen, &trial)
    });
    for (free, value) in free.iter().zip(&found).skip(kept) {
        if let Some(mut slot) = slot_of(&mut told, &fit.profile, &free.key) {
            slot.set(value * free.scale);
        }
    }
    let mut parameters = Vec::new();
    for (free, value) in free.iter().zip(found).take(kept) {
        let value = value.min(free.most / free.scale);
        let number = search::significant(value, free.digits);
        let text = match free.unit.as_str() {
            "" => number,
            unit => format!("{number} {unit}"),
        };
        let profile_ids = std::iter::once(fit.profile.clone()).chain(also(fit));
        for profile in profile_ids {
            let Some(mut slot) = slot_of(profiles, &profile, &free.key) else {
                continue;
            };
            let fitted = slot.read(&text).unwrap_or(value * free.scale);
            if fit.check.is_none() {
                slot.set(fitted);
            }
            if let Some(mut slot) = slot_of(&mut told, &profile, &free.key) {
                slot.set(fitted);
            }
            let catalogue = match entries.get(&profile) {
                Some(entry) => fact_text(entry, &free.place).unwrap_or_default(),
                None => free.catalogue.clone(),
            };
            let before = slot.read(&catalogue).unwrap_or(f64::NAN);
            parameters.push(Fitted {
                profile,
                key: free.place.clone(),
                catalogue,
                fitted: text.clone(),
                change: Ratio::new(fitted / before - 1.0),
                agrees: match fit.check {
                    None => fitted == before,
                    Some(within) => (fitted / before - 1.0).abs() <= within,
                },
                checked: fit.check.is_some(),
            });
        }
    }
    let pairs: Vec<(Time, Time)> = (chosen.iter())
        .map(|row| Ok((forward::time(row, &told)?, row.measured)))
        .collect::<Result<_, CalibrateError>>()?;
    let spread = Spread::of(&pairs);
    let mut tables: Vec<String> = Vec::new();
    for row in &chosen {
        if !tables.contains(&row.table) {
            tables.push(row.table.clone());
        }
    }
    Ok(Some(FitResult {
        profile: fit.profile.clone(),
        tables,
        rows: chosen.len(),
        held: fit.held.clone(),
        median: Ratio::new(spread.median),
        worst: Ratio::new(spread.worst),
        parameters,
    }))
}

/// Profiles that get the same values, in full.
fn also(fit: &Fit) -> impl Iterator<Item = String> {
    let kind = if is_kernels(&fit.profile) {
        "kernels"
    } else {
        "links"
    };
    fit.also.iter().map(move |id| format!("{kind}/{id}"))
}

/// The reference's peak for rates and bounds of products; infinite for all else.
fn peak(profiles: &Profiles, profile: &str, key: &str) -> f64 {
    let id = profile.split_once('/').map_or("", |(_, id)| id);
    let Some(kernels) = profiles.kernels.get(id).filter(|_| is_kernels(profile)) else {
        return f64::INFINITY;
    };
    let rate = key.ends_with(".rate") || key.ends_with(".power_bound");
    let of = match (rate, key.strip_prefix("tensor.")) {
        (true, Some(key)) if key.starts_with("bf16") => Some(kernels.reference.bf16),
        (true, Some(_)) => kernels.reference.fp8,
        _ => None,
    };
    of.map_or(f64::INFINITY, |peak| peak.get())
}

fn free_of(
    fit: &Fit,
    parameter: &super::plan::Parameter,
    entries: &BTreeMap<String, Entry>,
    profiles: &mut Profiles,
) -> Result<Option<Free>, CalibrateError> {
    let id = fit.profile.split_once('/').map_or("", |(_, id)| id);
    let place = match profiles.kernels.get(id) {
        Some(profile) if is_kernels(&fit.profile) => slot::place(profile, &parameter.key),
        _ => parameter.key.clone(),
    };
    let Some(entry) = entries.get(&fit.profile) else {
        return Err(CalibrateError::Plan(format!(
            "there is no profile {}",
            fit.profile
        )));
    };
    let Some(slot) = slot_of(profiles, &fit.profile, &parameter.key) else {
        return Ok(None);
    };
    let Some(catalogue) = fact_text(entry, &place) else {
        return Ok(None);
    };
    let begin = parameter.start.as_deref().unwrap_or(&catalogue);
    let unit = unit_of(begin).to_owned();
    let one = match unit.as_str() {
        "" => Some(1.0),
        unit => slot.read(&format!("1 {unit}")),
    };
    match (one, slot.read(begin)) {
        (Some(scale), Some(from)) if from > 0.0 && scale > 0.0 => Ok(Some(Free {
            key: parameter.key.clone(),
            place,
            unit,
            scale,
            start: from / scale,
            digits: parameter.digits,
            most: f64::INFINITY,
            catalogue,
        })),
        // At zero the term is switched off: there is nothing to begin from.
        _ if parameter.start.is_none() => Ok(None),
        _ => Err(CalibrateError::Plan(format!(
            "{}: {begin} is no start for {}",
            fit.profile, parameter.key
        ))),
    }
}

fn loss(loss: Loss, rows: &[&Row], profiles: &Profiles) -> f64 {
    let mut total = 0.0;
    let (mut predicted, mut measured) = (0.0, 0.0);
    let mut forward = Forward::new(profiles);
    for row in rows {
        let Ok(time) = forward.time(row) else {
            return f64::INFINITY;
        };
        let log = libm::log(time.seconds() / row.measured.seconds());
        predicted += time.seconds();
        measured += row.measured.seconds();
        total += match loss {
            Loss::Squares => log * log,
            Loss::Absolute => log.abs(),
            Loss::Sum => 0.0,
        };
    }
    match loss {
        Loss::Sum => {
            let log = libm::log(predicted / measured);
            log * log
        }
        _ => total / rows.len() as f64,
    }
}
