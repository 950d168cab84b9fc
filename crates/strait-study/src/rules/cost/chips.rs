//! The case on another chip.
//!
//! In: a case, a chip of the catalogue. Out: the same training on that chip in its usual server, or why
//! there is none. Never simulates.

use crate::catalog::{Catalog, CatalogError};
use serde::Deserialize;
use strait_training::case::{AttentionKernel, Case, Precision};
use strait_training::hardware::{ScaleUp, Transport};
use strait_training::simulate::{SimulateError, check};
use strait_units::{FlopRate, PricePerHour, Time};

/// Where a rent is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RentBasis {
    /// The scenario's.
    Scenario,
    /// The catalogue's rent of the chip.
    Catalogue,
    /// Its price, written off at the rate at which prices fall, with the share of the network, and the
    /// electricity.
    Amortised,
    /// That of the chip whose die it starts from.
    Base,
    /// No public price.
    Unknown,
}

impl RentBasis {
    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            RentBasis::Scenario => "rent of the scenario",
            RentBasis::Catalogue => "rent of the catalogue",
            RentBasis::Amortised => "amortised price",
            RentBasis::Base => "rent of the chip it starts from",
            RentBasis::Unknown => "no public price",
        }
    }
}

/// A case on a chip.
#[derive(Clone, Debug)]
pub(super) struct OnChip {
    pub case: Case,
    pub basis: RentBasis,
    /// What rollouts run in, where it is not what the scenario says: what it says, and what they run in.
    pub rollouts: Option<(Precision, Precision)>,
    /// A step can't take less: its FLOPs at the peak of the recipe.
    pub floor: Time,
}

/// The recipes that a chip is tried with, in order: the scenario's, finer scales before coarser ones, and
/// 16 bits in the end.
fn recipes(own: Precision) -> Vec<Precision> {
    let mut all = vec![own];
    if own.narrow() {
        all.extend([
            Precision::Mxfp8,
            Precision::Fp8Block,
            Precision::Fp8Tensor,
            Precision::Bf16,
        ]);
    } else {
        all.extend([Precision::Bf16, Precision::Fp16]);
    }
    let mut seen: Vec<Precision> = Vec::new();
    all.retain(|recipe| {
        let new = !seen.contains(recipe);
        seen.push(*recipe);
        new
    });
    all
}

/// A recipe as scenarios write it.
pub(super) fn recipe_word(recipe: Precision) -> &'static str {
    match recipe {
        Precision::Fp16 => "fp16",
        Precision::Bf16 => "bf16",
        Precision::Fp8Tensor => "fp8-tensor",
        Precision::Fp8Block => "fp8-block",
        Precision::Mxfp8 => "mxfp8",
        Precision::Nvfp4 => "nvfp4",
    }
}

/// The case on chip `id`, on as many accelerators; the inner error says in words why it can't be.
///
/// # Errors
/// A catalogue entry that is wrong, and not merely incomplete.
pub(super) fn on_chip(
    case: &Case,
    catalog: &Catalog,
    id: &str,
) -> Result<Result<OnChip, String>, CatalogError> {
    let ranks = case.cluster.ranks();
    let accelerator = match catalog.accelerator(id) {
        Ok(accelerator) => accelerator,
        Err(CatalogError::Incomplete { missing, .. }) => {
            return Ok(Err(format!("its {} not public", are(&missing))));
        }
        Err(other) => return Err(other),
    };
    let own = case.cluster.accelerator.id == id;
    let mut new = case.clone();
    if !own {
        let (node, fabric) = match catalog.default_cluster(id) {
            Ok(usual) => usual,
            Err(CatalogError::Incomplete { .. }) => {
                return Ok(Err("no server of it is known".to_owned()));
            }
            Err(other) => return Err(other),
        };
        let mut node = catalog.node(&node)?;
        let usual = catalog.fabric(&fabric)?;
        // A scenario that uses a part of its servers uses as much of any other.
        let used = case.cluster.node.accelerators;
        let whole = catalog.node(&case.cluster.node.id).ok();
        if whole.is_some_and(|whole| used < whole.accelerators) {
            node.accelerators = node.accelerators.min(used);
        }
        if !ranks.is_multiple_of(node.accelerators) {
            return Ok(Err(format!(
                "{ranks} accelerators are not a whole number of {} of {}",
                node.id, node.accelerators
            )));
        }
        new.kernels = catalog.load("kernels", &accelerator.kernels)?;
        new.links = catalog.load("links", &accelerator.links)?;
        new.cluster.nodes = ranks / node.accelerators;
        // The scenario's network, unless a chip comes with one of its own kind.
        let own_kind = matches!(usual.transport, Transport::Proprietary)
            || matches!(node.scale_up, ScaleUp::Torus);
        if own_kind {
            new.cluster.fabric = usual;
        }
        new.cluster.node = node;
        new.cluster.accelerator = accelerator;
        // Kernels that need Hopper's asynchronous copies do not run on what came before.
        let newest = ["hopper", "blackwell", "blackwell-ultra"];
        if new.software.attention == AttentionKernel::Flash3
            && !newest.contains(&new.kernels.id.as_str())
        {
            new.software.attention = AttentionKernel::Flash2;
        }
        let units = (
            case.cluster.accelerator.compute_units,
            new.cluster.accelerator.compute_units,
        );
        scale_units(&mut new, units);
    }
    new.faults.clear();
    // Every chip at a rent: what a scenario owns, or adds for staff, is not of the chip.
    new.economics.ownership = None;
    new.economics.lines.clear();
    new.economics.ends = None;
    let (rent, basis) = match (own, new.cluster.accelerator.rent) {
        (true, _) => (Some(case.economics.rent), RentBasis::Scenario),
        (_, Some(rent)) => (Some(rent), RentBasis::Catalogue),
        _ => match amortised(&new, catalog)? {
            Some(rent) => (Some(rent), RentBasis::Amortised),
            None => (None, RentBasis::Unknown),
        },
    };
    new.economics.rent = rent.unwrap_or(PricePerHour::new(0.0));
    let mut refused = String::new();
    for recipe in recipes(case.precision.recipe) {
        new.precision.recipe = recipe;
        if peak(&new).is_none() {
            continue;
        }
        match hardware_fault(&new) {
            None => {
                return Ok(rollouts_on(&mut new).map(|rollouts| OnChip {
                    floor: floor(&new),
                    case: new,
                    basis,
                    rollouts,
                }));
            }
            Some(why) if refused.is_empty() => refused = why,
            Some(_) => {}
        }
    }
    if refused.is_empty() {
        refused = "it has no peak for any recipe that could be used".to_owned();
    }
    Ok(Err(refused))
}

fn are(missing: &[&str]) -> String {
    match missing {
        [one] => format!("{one} is"),
        many => format!("{} are", many.join(", ")),
    }
}

/// Communication kernels keep their share of the compute units.
pub(super) fn scale_units(case: &mut Case, (before, after): (u32, u32)) {
    let scaled = |units: u32| {
        let share = f64::from(units) * f64::from(after) / f64::from(before.max(1));
        (share.round() as u32).min(after.saturating_sub(1))
    };
    let phases = case.training.phases.iter_mut();
    let layouts = phases.filter_map(|phase| phase.parallelism.as_mut());
    for layout in layouts.chain([&mut case.parallelism]) {
        layout.communication_units = scaled(layout.communication_units);
    }
}

/// What the checks say of kernels, links and recipe; layouts are looked at later.
fn hardware_fault(case: &Case) -> Option<String> {
    check(case).into_iter().find_map(|error| match error {
        SimulateError::Invalid { path, message, .. }
            if path.starts_with("cluster") || path.starts_with("precision") =>
        {
            Some(message)
        }
        _ => None,
    })
}

/// Gives the rollouts of each phase a precision that the chip has: the first of [`recipes`]. Returns the
/// first change; the error says why there is none.
fn rollouts_on(case: &mut Case) -> Result<Option<(Precision, Precision)>, String> {
    let mut changed = None;
    for index in 0..case.training.phases.len() {
        let Some(rl) = &case.training.phases[index].reinforcement else {
            continue;
        };
        let own = rl.engine.precision;
        let mut alone = case.clone();
        alone.training.phases = vec![case.training.phases[index].clone()];
        let mut refused = None;
        let mut found = None;
        for precision in recipes(own) {
            if let Some(rl) = &mut alone.training.phases[0].reinforcement {
                rl.engine.precision = precision;
            }
            match rollout_fault(&alone, "rollout_precision") {
                None => {
                    found = Some(precision);
                    break;
                }
                why => refused = refused.or(why),
            }
        }
        let Some(precision) = found else {
            return Err(refused.unwrap_or_default());
        };
        if precision != own {
            case.training.phases[index] = alone.training.phases.remove(0);
            changed = changed.or(Some((own, precision)));
        }
    }
    Ok(changed)
}

/// What the checks say of rollouts, in a setting whose name ends so; an empty `key` stands for all.
pub(super) fn rollout_fault(case: &Case, key: &str) -> Option<String> {
    let phases = &case.training.phases;
    if phases.iter().all(|phase| phase.reinforcement.is_none()) {
        return None;
    }
    check(case).into_iter().find_map(|error| match error {
        SimulateError::Invalid { path, message, .. }
            if path.contains(".reinforcement.") && path.ends_with(key) =>
        {
            Some(message)
        }
        _ => None,
    })
}

/// The dense peak that the recipe's matrix products run against.
pub(super) fn peak(case: &Case) -> Option<FlopRate> {
    let peaks = &case.cluster.accelerator.peaks;
    match case.precision.recipe {
        Precision::Fp16 => peaks.fp16.or(peaks.bf16),
        Precision::Bf16 => peaks.bf16,
        Precision::Fp8Tensor | Precision::Fp8Block | Precision::Mxfp8 => peaks.fp8,
        Precision::Nvfp4 => peaks.fp4,
    }
}

/// A step of the main phase takes no less than its model FLOPs at the best peak of the recipe.
pub(super) fn floor(case: &Case) -> Time {
    let peaks = &case.cluster.accelerator.peaks;
    let half = peaks
        .bf16
        .map_or(0.0, |p| p.get())
        .max(peaks.fp16.map_or(0.0, |p| p.get()));
    let best = peak(case).map_or(0.0, |p| p.get()).max(half);
    let phases = &case.training.phases;
    let phase = &phases[strait_training::run::main_phase(phases)];
    let seen = case.training.seen(phase.sequence_length);
    let flops = case.model.flops_per_token(seen, false).causal.get();
    let tokens = f64::from(phase.global_batch) * f64::from(phase.sequence_length);
    let seconds = flops * tokens / (best * f64::from(case.cluster.ranks()));
    // A chip without any peak is no chip.
    if seconds.is_finite() {
        Time::from_seconds(seconds)
    } else {
        Time::MAX
    }
}

#[derive(Clone, Deserialize)]
struct Amortisation {
    network_share: f64,
    price_decline_per_year: f64,
}

/// Hours of a year, as Epoch AI counts them.
const YEAR: f64 = 8766.0;

/// A rent from a price: Epoch AI's method (arXiv 2405.21015): the price loses value at a constant rate,
/// the network is a share of the whole, electricity comes on top.
fn amortised(case: &Case, catalog: &Catalog) -> Result<Option<PricePerHour>, CatalogError> {
    let Some(price) = case.cluster.accelerator.price else {
        return Ok(None);
    };
    let facts: Amortisation = catalog.load("economics", "default")?;
    let hardware = price.get() * facts.price_decline_per_year / YEAR / (1.0 - facts.network_share);
    let economics = &case.economics;
    let watts = (case.cluster.accelerator.tdp.get() + case.cluster.node.overhead_power.get())
        * economics.load_factor.map_or(1.0, |load| load.get())
        * economics.pue.get();
    let hour = strait_units::Energy::new(watts * 3600.0);
    let electricity = economics.electricity * hour;
    Ok(Some(PricePerHour::new(hardware + electricity.get())))
}
