//! The answer as tables.
//!
//! In: an [`Answer`]. Out: names and contents of CSV files: the layouts that were simulated, the front of
//! time against memory, accelerators against days. Never writes a file.

use super::answer::{Answer, Plan, Site};
use super::document::{sizes_on_front, unit};
use super::{describe, describe_recompute};
use strait_training::schedule;

/// Files of an answer.
pub fn tables(answer: &Answer) -> Vec<(String, String)> {
    let mut simulated = Vec::from([[&["accelerators"], PLAN, &["on_front"]].concat().join(",")]);
    let mut front = Vec::from([[&["accelerators", "limit_gb"], PLAN].concat().join(",")]);
    let mut sizes = Vec::from([[
        &[
            "accelerators",
            "days",
            "gpu_hours",
            "cost_usd",
            "energy_mwh",
            "on_front",
        ],
        PLAN,
    ]
    .concat()
    .join(",")]);
    for (site, on_front) in answer.sites.iter().zip(sizes_on_front(answer)) {
        let of = |plan: &Plan| cells(plan, site, answer);
        for plan in &site.tried {
            let row = [
                vec![site.accelerators.to_string()],
                of(plan),
                vec![plan.on_front.to_string()],
            ];
            simulated.push(line(&row.concat()));
        }
        for (limit, at) in &site.front {
            let limit = (limit.as_f64() / 1e9).to_string();
            let row = [
                vec![site.accelerators.to_string(), limit],
                of(&site.tried[*at]),
            ];
            front.push(line(&row.concat()));
        }
        if let Some((at, run)) = site.best.first() {
            let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
            let row = [
                vec![
                    site.accelerators.to_string(),
                    run.days.to_string(),
                    run.gpu_hours.to_string(),
                    optional(run.cost),
                    optional(run.energy_mwh),
                    on_front.to_string(),
                ],
                of(&site.tried[*at]),
            ];
            sizes.push(line(&row.concat()));
        }
    }
    [
        ("search-simulated.csv", simulated),
        ("search-memory-front.csv", front),
        ("search-sizes.csv", sizes),
    ]
    .into_iter()
    .map(|(name, lines)| (name.to_owned(), lines.join("\n") + "\n"))
    .collect()
}

/// Columns of a layout.
const PLAN: &[&str] = &[
    "layout",
    "precision",
    "time_s",
    "score",
    "bound",
    "memory_gb",
    "tensor",
    "sequence",
    "pipeline",
    "virtual_stages",
    "schedule",
    "context",
    "expert",
    "expert_tensor",
    "data",
    "zero",
    "zero_group",
    "micro_batch",
    "recompute",
    "recompute_layers",
    "offload_layers",
    "communication_units",
];

fn cells(plan: &Plan, site: &Site, answer: &Answer) -> Vec<String> {
    let p = &plan.parallelism;
    let optional = |value: Option<u32>| value.map_or(String::new(), |v| v.to_string());
    vec![
        describe(p),
        plan.recipe.clone(),
        plan.step.time.seconds().to_string(),
        unit(plan.score, answer.objective).to_string(),
        unit(plan.bound, answer.objective).to_string(),
        (plan.step.memory.peak.as_f64() / 1e9).to_string(),
        p.tensor.to_string(),
        p.sequence.to_string(),
        p.pipeline.to_string(),
        p.virtual_stages.to_string(),
        schedule::name(p.schedule).to_owned(),
        p.context.to_string(),
        p.expert.to_string(),
        p.expert_tensor.to_string(),
        (site.accelerators / (p.tensor * p.pipeline * p.context).max(1)).to_string(),
        (p.zero as u8).to_string(),
        optional(p.zero_group),
        p.micro_batch.to_string(),
        describe_recompute(&p.recompute),
        optional(p.recompute_layers),
        p.offload_layers.to_string(),
        p.communication_units.to_string(),
    ]
}

/// A row; words of layouts hold neither commas nor quotes.
fn line(cells: &[String]) -> String {
    cells.join(",")
}
