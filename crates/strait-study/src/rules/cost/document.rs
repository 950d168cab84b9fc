//! The answer as JSON.
//!
//! In: a [`Cost`]. Out: a record for serde, with a digest over all else in it. Never computes a run: it
//! only divides one by another.

use super::{Cost, Design, DesignPlan, Plan, RuleCost};
use crate::catalog::sha256;
use serde::Serialize;

/// `rules cost --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Version of Strait.
    pub strait: String,
    /// The scenario.
    pub scenario: String,
    /// Model.
    pub model: String,
    /// Accelerators of every plan.
    pub accelerators: u32,
    /// Where the chips go.
    pub destination: String,
    /// Chance is switched off.
    pub noise: bool,
    /// Without rules, on the best accelerator on sale while the first rule held.
    pub unconstrained: Option<PlanDocument>,
    /// By rule set, in order of time.
    pub rules: Vec<RuleDocument>,
    /// SHA-256 of all the above.
    pub digest: String,
}

/// One rule set.
#[derive(Clone, Debug, Serialize)]
pub struct RuleDocument {
    /// Id of the rule set.
    pub id: String,
    /// Day of publication.
    pub date: Option<String>,
    /// Chips on sale before this day count; null for all.
    pub until: Option<String>,
    /// Title.
    pub title: String,
    /// The best accelerator on sale, were there no rule.
    pub unconstrained: Option<PlanDocument>,
    /// The best that may be sold freely.
    pub permitted: Option<PlanDocument>,
    /// The best that may be sold after notice.
    pub notify: Option<PlanDocument>,
    /// The best that may be sold with a licence decided case by case.
    pub case_by_case: Option<PlanDocument>,
    /// The best that these rules do not control.
    pub not_subject: Option<PlanDocument>,
    /// The best that could be designed to be sold freely.
    pub designable: Option<DesignDocument>,
    /// Accelerators of the best permitted kind that finish in the days of the best there is.
    pub equal_days_accelerators: Option<u64>,
    /// The finding, in one sentence.
    pub finding: String,
    /// What to know.
    pub reasons: Vec<String>,
}

/// A run on one chip.
#[derive(Clone, Debug, Serialize)]
pub struct PlanDocument {
    /// Catalogue id.
    pub accelerator: String,
    /// Name.
    pub name: String,
    /// What the rule says of it.
    pub outcome: &'static str,
    /// The clause.
    pub clause: Option<String>,
    /// Precision recipe.
    pub precision: &'static str,
    /// Layout of the main phase.
    pub layout: String,
    /// One step of the main phase.
    pub step_s: f64,
    /// Peak memory.
    pub memory_gb: f64,
    /// Days.
    pub days: f64,
    /// Accelerator-hours.
    pub gpu_hours: f64,
    /// Rent; null without a public price.
    pub cost_usd: Option<f64>,
    /// Where the price is from.
    pub cost_basis: &'static str,
    /// Energy.
    pub energy_mwh: f64,
    /// Over the best accelerator on sale at that time.
    pub ratio: Option<RatioDocument>,
    /// Over the plan at the top.
    pub ratio_to_reference: Option<RatioDocument>,
    /// Accelerators that finish in the days of the best on sale at that time.
    pub equal_days_accelerators: Option<u64>,
    /// Share of the training that the money of that best pays for.
    pub same_cost_share: Option<f64>,
}

/// One plan over another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatioDocument {
    /// Days, and accelerator-hours.
    pub days: f64,
    /// Money.
    pub cost: Option<f64>,
    /// Energy.
    pub energy: f64,
}

/// A run on a design.
#[derive(Clone, Debug, Serialize)]
pub struct DesignDocument {
    /// Catalogue id of the chip it starts from.
    pub base: String,
    /// What is changed of it.
    pub changes: Vec<String>,
    /// Scale-up bandwidth, both directions.
    pub nvlink_gbps: f64,
    /// Links in use.
    pub links: u32,
    /// Compute units in use.
    pub units: u32,
    /// Share of the matrix rate.
    pub compute_share: f64,
    /// Memory stacks.
    pub memory_stacks: u32,
    /// Capacity.
    pub memory_capacity_gb: f64,
    /// Memory bandwidth.
    pub memory_gbps: f64,
    /// Area of all logic dies.
    pub die_area_mm2: f64,
    /// Total processing performance.
    pub tpp: f64,
    /// Performance density.
    pub performance_density: f64,
    /// Input and output, both directions.
    pub io_gbps: f64,
    /// Days with units switched off in place of a capped rate.
    pub units_off_days: Option<f64>,
    /// The fastest design on the die of its base alone, where more area is used.
    pub same_die: Option<SameDieDocument>,
    /// The run.
    #[serde(flatten)]
    pub plan: PlanDocument,
}

/// A design on one die.
#[derive(Clone, Debug, Serialize)]
pub struct SameDieDocument {
    /// Total processing performance.
    pub tpp: f64,
    /// Die area.
    pub die_area_mm2: f64,
    /// One step of the main phase.
    pub step_s: f64,
}

fn ratio(plan: &Plan, base: &Plan) -> RatioDocument {
    RatioDocument {
        days: plan.days / base.days,
        cost: plan.for_the_same_money(base).map(|share| 1.0 / share),
        energy: plan.energy / base.energy,
    }
}

fn plan(plan: &Plan, base: Option<&Plan>, cost: &Cost) -> PlanDocument {
    PlanDocument {
        accelerator: plan.accelerator.clone(),
        name: plan.name.clone(),
        outcome: plan.outcome.word(),
        clause: plan.clause.clone(),
        precision: plan.recipe,
        layout: plan.layout.clone(),
        step_s: plan.step.seconds(),
        memory_gb: plan.memory.as_f64() / 1e9,
        days: plan.days,
        gpu_hours: plan.gpu_hours,
        cost_usd: plan.cost.map(|c| c.get()),
        cost_basis: plan.basis.word(),
        energy_mwh: plan.energy.get() / 3.6e9,
        ratio: base.map(|base| ratio(plan, base)),
        ratio_to_reference: cost.reference.as_ref().map(|base| ratio(plan, base)),
        equal_days_accelerators: base.map(|base| plan.equal_days(base, cost.accelerators)),
        same_cost_share: base.and_then(|base| plan.for_the_same_money(base)),
    }
}

fn design(found: &DesignPlan, base: Option<&Plan>, cost: &Cost) -> DesignDocument {
    let Design {
        base: from,
        links,
        scale_up,
        compute,
        units,
        stacks,
        memory,
        memory_bandwidth,
        die_area,
        tpp,
        density,
        io_both_ways,
        ..
    } = &found.design;
    DesignDocument {
        base: from.clone(),
        changes: found.design.changes(),
        nvlink_gbps: 2.0 * scale_up.get() / 1e9,
        links: *links,
        units: *units,
        compute_share: f64::from(*compute) / 1000.0,
        memory_stacks: *stacks,
        memory_capacity_gb: memory.as_f64() / 1e9,
        memory_gbps: memory_bandwidth.get() / 1e9,
        die_area_mm2: *die_area,
        tpp: *tpp,
        performance_density: *density,
        io_gbps: io_both_ways / 1e9,
        units_off_days: found.units_off_days,
        same_die: found
            .plain_die
            .as_ref()
            .map(|(design, time)| SameDieDocument {
                tpp: design.tpp,
                die_area_mm2: design.die_area,
                step_s: time.seconds(),
            }),
        plan: plan(&found.plan, base, cost),
    }
}

fn rule(rule: &RuleCost, cost: &Cost) -> RuleDocument {
    let base = rule.base();
    let each = |found: &Option<Plan>| found.as_ref().map(|p| plan(p, base, cost));
    RuleDocument {
        id: rule.id.clone(),
        date: rule.date.clone(),
        until: rule.until.clone(),
        title: rule.title.clone(),
        unconstrained: each(&rule.unconstrained),
        permitted: each(&rule.permitted),
        notify: each(&rule.notified),
        case_by_case: each(&rule.licensed),
        not_subject: each(&rule.domestic),
        designable: rule.designable.as_ref().map(|d| design(d, base, cost)),
        equal_days_accelerators: (rule.permitted.as_ref().zip(base))
            .map(|(plan, base)| plan.equal_days(base, cost.accelerators)),
        finding: super::text::finding(rule, cost),
        reasons: rule.reasons.clone(),
    }
}

/// The answer as a record.
pub fn document(cost: &Cost) -> Document {
    let mut document = Document {
        strait: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: cost.scenario.clone(),
        model: cost.model.clone(),
        accelerators: cost.accelerators,
        destination: cost.to.to_owned(),
        noise: false,
        unconstrained: cost.reference.as_ref().map(|p| plan(p, None, cost)),
        rules: cost.rules.iter().map(|r| rule(r, cost)).collect(),
        digest: String::new(),
    };
    // A record of numbers and words can always be written.
    document.digest = sha256(&serde_json::to_string(&document).unwrap_or_default());
    document
}
