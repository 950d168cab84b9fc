//! The software of a case: a generation of the catalogue, with what a scenario changes.
//!
//! In: the section `software` and the accelerator's launch. Out: [`Software`], each fact recorded with
//! its source. Never knows a fact of its own.

use super::diagnostic::Diagnostic;
use super::keys::Kind;
use super::lookup;
use super::read::{Reader, Scope};
use crate::catalog::Catalog;
use strait_training::case::{
    Accumulation, AttentionKernel, Dispatcher, Fusion, Graphs, Loss, Software, TensorOverlap,
};
use strait_training::hardware::Cluster;
use strait_units::Time;

/// The software generation that was current in the year after an accelerator's launch.
fn usual_profile(launch: &str) -> &'static str {
    match launch {
        l if l < "2018" => "megatron-2021",
        l if l < "2022" => "megatron-2022",
        l if l < "2024" => "nemo-2024",
        _ => "megatron-2025",
    }
}

pub(super) fn software(
    scope: &Scope<'_>,
    cluster: Option<&Cluster>,
    launch: Option<&str>,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Software> {
    let (id, node) = match reader.text(scope, "profile") {
        Some((id, node)) => (id, node),
        None => {
            let cluster = cluster?;
            let id = usual_profile(launch.unwrap_or("2023")).to_owned();
            reader.because(
                scope,
                "profile",
                &id,
                format!(
                    "the generation that was current in the year after the launch of {} ({})",
                    cluster.accelerator.name,
                    launch.unwrap_or("date unknown, taken as 2023")
                ),
            );
            if id.starts_with("megatron-2021") || id.starts_with("megatron-2022") {
                let d = Diagnostic::warning(
                    "scenario::old-software",
                    format!(
                        "the software is taken to be {id}, as old as {}: attention is unfused, and needs \
                         much memory",
                        cluster.accelerator.name
                    ),
                )
                .help("name yours with software.profile (strait catalog list software)");
                reader.faults.push(d);
            }
            (id, None)
        }
    };
    let facts = lookup::software(catalog, &id, node, reader)?;
    let entry = format!("software/{id}");
    let mut pick = |key: &str, fact: &str, source: &str| -> &'static str {
        if let Some(word) = reader.word(scope, key) {
            return word;
        }
        reader.fact(scope.path(key), fact.to_owned(), &entry, source.to_owned());
        match scope.key(key).kind {
            Kind::Choice(choices) => choices.iter().map(|c| c.name).find(|n| *n == fact),
            _ => None,
        }
        .unwrap_or("none")
    };
    let attention = match pick("attention", &facts.attention.value, &facts.attention.source) {
        "unfused" => AttentionKernel::Unfused,
        "flash1" => AttentionKernel::Flash1,
        "flash2" => AttentionKernel::Flash2,
        _ => AttentionKernel::Flash3,
    };
    let fusion = match pick("fusion", &facts.fusion.value, &facts.fusion.source) {
        "eager" => Fusion::Eager,
        "jit" => Fusion::Jit,
        _ => Fusion::Fused,
    };
    let tensor_overlap = match pick(
        "tensor_overlap",
        &facts.tensor_overlap.value,
        &facts.tensor_overlap.source,
    ) {
        "backward" => TensorOverlap::Backward,
        "full" => TensorOverlap::Full,
        _ => TensorOverlap::None,
    };
    let dispatcher = match pick(
        "dispatcher",
        &facts.dispatcher.value,
        &facts.dispatcher.source,
    ) {
        "all-gather" => Dispatcher::AllGather,
        "deduplicated" => Dispatcher::Deduplicated,
        _ => Dispatcher::AllToAll,
    };
    let loss = match pick("loss", &facts.loss.value, &facts.loss.source) {
        "in-place" => Loss::InPlace,
        _ => Loss::Fp32,
    };
    let accumulation = match pick(
        "gradient_accumulation",
        &facts.gradient_accumulation.value,
        &facts.gradient_accumulation.source,
    ) {
        "added" => Accumulation::Added,
        "copied" => Accumulation::Copied,
        _ => Accumulation::Fused,
    };
    let graphs = match pick(
        "cuda_graphs",
        &facts.cuda_graphs.value,
        &facts.cuda_graphs.source,
    ) {
        "partial" => Graphs::Partial,
        "full" => Graphs::Full,
        _ => Graphs::None,
    };
    let mut flag = |key: &str, fact: &lookup::Fact<bool>| -> bool {
        if let Some(flag) = reader.flag(scope, key) {
            return flag;
        }
        reader.fact(
            scope.path(key),
            fact.value.to_string(),
            &entry,
            fact.source.clone(),
        );
        fact.value
    };
    let expert_overlap = flag("expert_overlap", &facts.expert_overlap);
    let gradient_overlap = flag("gradient_overlap", &facts.gradient_overlap);
    let parameter_overlap = flag("parameter_overlap", &facts.parameter_overlap);
    let pipeline_overlap = flag("pipeline_overlap", &facts.pipeline_overlap);
    let pipeline_scatter = flag("pipeline_scatter", &facts.pipeline_scatter);
    let router_fusion = flag("router_fusion", &facts.router_fusion);
    let gradient_placeholders = flag("gradient_placeholders", &facts.gradient_placeholders);
    let host_time_per_op = match reader.number(scope, "host_time_per_op") {
        Some(v) => Time::from_seconds(v),
        None => {
            let time = facts.host_time_per_op.value;
            reader.fact(
                scope.path("host_time_per_op"),
                super::unit::print(super::unit::Dimension::Time, time.seconds()),
                &entry,
                facts.host_time_per_op.source.clone(),
            );
            time
        }
    };
    Some(Software {
        attention,
        fusion,
        tensor_overlap,
        dispatcher,
        expert_overlap,
        accumulation,
        gradient_overlap,
        parameter_overlap,
        pipeline_overlap,
        pipeline_scatter,
        router_fusion,
        loss,
        gradient_placeholders,
        graphs,
        host_time_per_op,
    })
}
