//! From a merged tree to a case: catalogue entries, overrides, defaults.
//!
//! In: the tree of one case and the catalogue. Out: a [`Case`] with the record of where each
//! value came from, or every fault. All defaults are in the key table or in this file, each
//! with its rule in words. Never simulates.

use super::diagnostic::{Diagnostic, Place};
use super::keys::{self, ROOT, Section};
use super::lookup;
use super::read::{Reader, Scope};
use super::tree::Table;
use super::{disturbances, layout, model, phases, reinforcement};
use crate::catalog::Catalog;
use strait_training::case::{
    Balance, Case, ChipSpread, Noise, Parallelism, Precision, PrecisionRecipe, Recompute,
    RecomputePart, Routing, ScheduleKind, StateBytes, Training, Zero,
};
use strait_training::hardware::Cluster;
use strait_training::model::Model;
use strait_units::{Bandwidth, Bytes, FlopRate, Power, Ratio};

/// Resolves one case. Faults and the record are in the reader.
pub(super) fn case(
    name: &str,
    table: &Table,
    top: &Place,
    catalog: &Catalog,
    seed: Option<u64>,
    reader: &mut Reader,
) -> Option<Case> {
    let root = Scope {
        tables: vec![table],
        place: top.clone(),
        section: &ROOT,
        path: String::new(),
    };
    let model = model::resolve(&section(&root, "model", &keys::MODEL), catalog, reader);
    let cluster = cluster(&section(&root, "cluster", &keys::CLUSTER), catalog, reader);
    let precision = precision(&section(&root, "precision", &keys::PRECISION), reader);
    let layout_scope = section(&root, "parallelism", &keys::PARALLELISM);
    let parallelism = parallelism(&layout_scope, reader);
    let around = reinforcement::Around {
        catalog,
        parallelism: parallelism.as_ref(),
        cluster: cluster.as_ref().map(|c| &c.0),
        precision: precision.as_ref().map(|p| p.recipe),
        experts: model.as_ref().is_some_and(|m| m.experts.is_some()),
    };
    let training = phases::training(
        &section(&root, "training", &keys::TRAINING),
        &layout_scope,
        &around,
        reader,
    );
    let noise = noise(&section(&root, "noise", &keys::NOISE), reader);
    let launch = cluster.as_ref().map(|c| c.1.clone());
    let cluster = cluster.map(|c| c.0);
    let software = super::software::software(
        &section(&root, "software", &keys::SOFTWARE),
        cluster.as_ref(),
        launch.as_deref(),
        catalog,
        reader,
    );
    let economics = super::economics::economics(
        &section(&root, "economics", &keys::ECONOMICS),
        cluster.as_ref(),
        catalog,
        reader,
    );
    let seed = match seed {
        Some(seed) => {
            reader.because(&root, "seed", seed, "set by --seed".to_owned());
            seed
        }
        None => reader.number(&root, "seed").unwrap_or(1.0) as u64,
    };
    let (model, cluster, parallelism, training) = (model?, cluster?, parallelism?, training?);
    let routing = routing(
        &section(&root, "routing", &keys::ROUTING),
        &model,
        &cluster,
        &parallelism,
        &training,
        reader,
    );
    let reliability = super::reliability::reliability(&root, &model, &cluster, catalog, reader);
    let calibrations = lookup::calibrations(
        catalog,
        &section(&root, "cluster", &keys::CLUSTER),
        &cluster.accelerator,
        reader,
    );
    let economics = economics?;
    let (kernels, links) = calibrations?;
    let engine = disturbances::engine(&section(&root, "engine", &keys::ENGINE), reader);
    let faults = disturbances::faults(&root, &cluster, &links, engine.network, reader);
    let case = Case {
        name: name.to_owned(),
        model,
        cluster,
        kernels,
        links,
        parallelism,
        precision: precision?,
        training,
        routing,
        noise,
        software: software?,
        economics,
        reliability,
        faults,
        engine,
        seed,
    };
    if reader.failed {
        return None;
    }
    layout::check(&case, table, top, reader);
    (!reader.failed).then_some(case)
}

/// A case again with what its prices say now; all else is as it was.
pub(super) fn priced(
    base: &Case,
    table: &Table,
    top: &Place,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Case> {
    let root = Scope {
        tables: vec![table],
        place: top.clone(),
        section: &ROOT,
        path: String::new(),
    };
    let economics = super::economics::economics(
        &section(&root, "economics", &keys::ECONOMICS),
        Some(&base.cluster),
        catalog,
        reader,
    )?;
    let (model, cluster) = (&base.model, &base.cluster);
    let reliability = super::reliability::reliability(&root, model, cluster, catalog, reader);
    (!reader.failed).then(|| Case {
        economics,
        reliability,
        ..base.clone()
    })
}

/// The scope of a section; an absent one is empty and points at the top of the file.
pub(super) fn section<'a>(root: &Scope<'a>, name: &str, section: &'static Section) -> Scope<'a> {
    let node = root.node(name);
    Scope {
        tables: node.and_then(|n| n.table()).into_iter().collect(),
        place: node.map_or_else(|| root.place.clone(), |n| n.place.clone()),
        section,
        path: name.to_owned(),
    }
}

fn cluster(scope: &Scope<'_>, catalog: &Catalog, reader: &mut Reader) -> Option<(Cluster, String)> {
    let found = reader
        .text(scope, "accelerator")
        .and_then(|(id, node)| lookup::accelerator(catalog, &id, node, reader));
    let given_node = reader.text(scope, "node");
    let (usual_node, usual_fabric) = found.as_ref().map_or((None, None), |f| {
        lookup::usual_cluster(catalog, &f.value.id)
    });
    let node = match (&given_node, &found) {
        (Some((id, place)), _) => lookup::node(catalog, id, *place, reader),
        (None, Some(_)) => match usual_node {
            Some(id) if scope.node("node").is_none() => {
                reader.rule(scope, "node", &id);
                lookup::node(catalog, &id, None, reader)
            }
            _ => {
                if scope.node("node").is_none() {
                    reader.missing(scope, "node");
                }
                None
            }
        },
        _ => None,
    };
    let fabric = match (reader.text(scope, "fabric"), &found) {
        (Some((id, place)), _) => lookup::fabric(catalog, &id, place, reader),
        (None, Some(_)) => match usual_fabric {
            Some(id) if scope.node("fabric").is_none() => {
                reader.rule(scope, "fabric", &id);
                lookup::fabric(catalog, &id, None, reader)
            }
            _ => {
                if scope.node("fabric").is_none() {
                    reader.missing(scope, "fabric");
                }
                None
            }
        },
        _ => None,
    };
    let nodes = reader.count(scope, "nodes");
    let gpus = reader.count(scope, "gpus");

    let lookup::Found { mut value, launch } = found?;
    let mut node = node?;
    let usual = lookup::usual_cluster(catalog, &value.id).0;
    if let Some(home) = lookup::home(catalog, &node.id)
        && home != value.id
        && let Some(usual) = usual
        && usual != node.id
        && lookup::home(catalog, &usual).as_deref() == Some(value.id.as_str())
    {
        let d = Diagnostic::warning(
            "scenario::node-of-another",
            format!("{} is the server of {home}, not of {}", node.id, value.id),
        )
        .help(format!(
            "{} usually comes in {usual}: set cluster.node = \"{usual}\"",
            value.id
        ));
        let d = reader.label(d, "cluster.node", &scope.place, "");
        let d = reader.label(d, "cluster.accelerator", &scope.place, "");
        reader.faults.push(d);
    }
    let mut fabric = fabric?;
    if let Some(text) = scope.node("nvlink_bandwidth")
        && let Some(rate) = reader.number(scope, "nvlink_bandwidth")
    {
        // Datasheets print both directions together; units count one unless told.
        let written = match text.table() {
            // Of a range, what its numbers say.
            Some(range) => (range.entries.iter())
                .filter(|entry| ["low", "mode", "high", "choices"].contains(&entry.name.as_str()))
                .map(|entry| entry.node.print())
                .collect::<String>()
                .to_lowercase(),
            None => text.text().unwrap_or("").to_lowercase(),
        };
        let told = ["way", "direction", "bidir"]
            .iter()
            .any(|w| written.contains(w));
        let rate = if told { rate } else { rate / 2.0 };
        value.scale_up = Bandwidth::new(rate);
        let printed = super::unit::print(super::unit::Dimension::Bandwidth, rate);
        if let Some(last) = reader
            .explained
            .iter_mut()
            .rev()
            .find(|e| e.path == "cluster.nvlink_bandwidth")
        {
            last.value = format!("{printed} one way");
        }
        if !told {
            reader.faults.push(
                Diagnostic::warning(
                    "scenario::nvlink-direction",
                    format!(
                        "`cluster.nvlink_bandwidth` is read as both directions together, as datasheets print it: {printed} one way"
                    ),
                )
                .at(&text.place, "no direction is written")
                .help(format!(
                    "write \"{0} both ways\" or \"{0} one-way\" to be sure",
                    text.text().unwrap_or("400 GB/s")
                )),
            );
        }
    }
    if let Some(v) = reader.number(scope, "nic_bandwidth") {
        node.nic_bandwidth = Bandwidth::new(v);
    }
    if let Some(v) = reader.number(scope, "host_bandwidth") {
        value.host_bandwidth = Some(Bandwidth::new(v));
    }
    if let Some(v) = reader.number(scope, "memory") {
        value.memory = Bytes::from_f64(v);
    }
    if let Some(v) = reader.number(scope, "memory_bandwidth") {
        value.memory_bandwidth = Bandwidth::new(v);
    }
    if let Some(v) = reader.number(scope, "tdp") {
        value.tdp = Power::new(v);
    }
    if let Some(v) = reader.count(scope, "compute_units") {
        value.compute_units = v;
    }
    for (key, peak) in [
        ("peak_fp16", &mut value.peaks.fp16),
        ("peak_bf16", &mut value.peaks.bf16),
        ("peak_fp8", &mut value.peaks.fp8),
        ("peak_fp4", &mut value.peaks.fp4),
    ] {
        if let Some(v) = reader.number(scope, key) {
            *peak = Some(FlopRate::new(v));
        }
    }
    super::rules::check(scope, &value, catalog, reader);
    if let Some(v) = reader.number(scope, "oversubscription") {
        fabric.oversubscription = v;
    }
    if let Some(used) = reader.count(scope, "per_node") {
        if used > node.accelerators {
            let d = Diagnostic::error(
                "scenario::per-node",
                format!(
                    "{used} accelerators of a server of {} can't be used: {} has {}",
                    node.accelerators, node.id, node.accelerators
                ),
            )
            .help("use fewer, or choose a larger server (`strait catalog list nodes`)");
            let d = reader.label(d, "cluster.per_node", &scope.place, "");
            reader.fail(d);
        } else {
            node.accelerators = used;
        }
    }
    let per_node = node.accelerators.max(1);
    let nodes = match (nodes, gpus) {
        (Some(nodes), None) => nodes,
        (Some(nodes), Some(gpus)) => {
            if u64::from(nodes) * u64::from(per_node) != u64::from(gpus) {
                let d = Diagnostic::error(
                    "scenario::gpus-and-nodes",
                    format!(
                        "nodes and gpus disagree: {nodes} nodes x {per_node} = {}, not {gpus}",
                        u64::from(nodes) * u64::from(per_node)
                    ),
                )
                .help("give one of them");
                let d = reader.label(d, "cluster.gpus", &scope.place, "");
                let d = reader.label(d, "cluster.nodes", &scope.place, "");
                reader.fail(d);
            }
            nodes
        }
        (None, Some(gpus)) => {
            if gpus % per_node != 0 {
                let d = Diagnostic::error(
                    "scenario::gpus-not-whole-nodes",
                    format!(
                        "{gpus} GPUs are not a whole number of {} nodes of {per_node}",
                        node.id
                    ),
                )
                .help(match gpus / per_node {
                    0 => format!("write gpus = {per_node}"),
                    whole => format!(
                        "write gpus = {} or gpus = {}",
                        whole * per_node,
                        (whole + 1) * per_node
                    ),
                });
                // A part of each server, where most of it is used.
                let part = (per_node.div_ceil(2)..per_node).rev();
                let d = match part.into_iter().find(|used| gpus % used == 0) {
                    Some(used) => d.help(format!(
                        "or cluster.per_node = {used}, where so many of each {} are used",
                        node.id
                    )),
                    None => d,
                };
                let d = reader.label(d, "cluster.gpus", &scope.place, "");
                reader.fail(d);
            }
            let nodes = (gpus / per_node).max(1);
            reader.because(
                scope,
                "nodes",
                nodes,
                format!("{gpus} GPUs at {per_node} in a {}", node.id),
            );
            nodes
        }
        (None, None) => {
            if scope.node("nodes").is_none() && scope.node("gpus").is_none() {
                reader.missing(scope, "nodes");
            }
            return None;
        }
    };
    let ranks = u64::from(nodes) * u64::from(per_node);
    if ranks > keys::MAX_RANKS {
        let d = Diagnostic::error(
            "scenario::out-of-range",
            format!("{nodes} nodes of {per_node} are {ranks} accelerators: more than makes sense"),
        )
        .help(format!("at most {}", keys::MAX_RANKS));
        let d = reader.label(d, "cluster.nodes", &scope.place, "");
        reader.fail(d);
        return None;
    }
    let cluster = Cluster {
        accelerator: value,
        node,
        nodes,
        fabric,
    };
    Some((cluster, launch))
}

/// The layout of a scope: the case's, or the case's with a phase's changes over it.
pub(super) fn parallelism(scope: &Scope<'_>, reader: &mut Reader) -> Option<Parallelism> {
    let tensor = reader.count(scope, "tensor");
    let sequence = match reader.flag(scope, "sequence") {
        Some(flag) => flag,
        None => {
            let on = tensor.unwrap_or(1) > 1;
            if scope.node("sequence").is_none() {
                reader.rule(scope, "sequence", on);
            }
            on
        }
    };
    let pipeline = reader.count(scope, "pipeline");
    let virtual_stages = reader.count(scope, "virtual_stages");
    let context = reader.count(scope, "context");
    let expert = reader.count(scope, "expert");
    let expert_tensor = reader.count(scope, "expert_tensor");
    // Read for the record and the check; the layout derives it.
    let _ = reader.count(scope, "data");
    let zero = reader.count(scope, "zero").map(|stage| match stage {
        0 => Zero::Zero0,
        1 => Zero::Zero1,
        2 => Zero::Zero2,
        _ => Zero::Zero3,
    });
    let zero_group = reader
        .amount(scope, "zero_group")
        .flatten()
        .map(|v| v as u32);
    let word = reader.word(scope, "schedule");
    let schedule = word.map(|word| match word {
        "gpipe" => ScheduleKind::GPipe,
        "1f1b-overlap" => ScheduleKind::OverlappedOneFOneB,
        "zb-h1" => ScheduleKind::ZbH1,
        "dualpipe" => ScheduleKind::DualPipe,
        "dualpipe-v" => ScheduleKind::DualPipeV,
        _ => ScheduleKind::OneFOneB,
    });
    if word == Some("interleaved") && virtual_stages == Some(1) {
        let d = Diagnostic::error(
            "scenario::interleaved-without-stages",
            "the interleaved schedule needs more than one virtual stage",
        )
        .help(
            "set virtual_stages to the number of model chunks on each pipeline rank, or use 1f1b",
        );
        let d = reader.label(d, &scope.path("schedule"), &scope.place, "");
        let d = reader.label(d, &scope.path("virtual_stages"), &scope.place, "");
        reader.fail(d);
    }
    let micro_batch = reader.count(scope, "micro_batch");
    let recompute = match reader.words(scope, "recompute") {
        Some(parts) => Some(Recompute::Named(
            parts.iter().copied().map(recompute_part).collect(),
        )),
        None => reader.word(scope, "recompute").map(|word| match word {
            "selective" => Recompute::Selective,
            "full" => Recompute::Full,
            _ => Recompute::None,
        }),
    };
    let recompute_layers = reader
        .amount(scope, "recompute_layers")
        .flatten()
        .map(|v| v as u32);
    let offload_layers = reader.count(scope, "offload_layers").unwrap_or(0);
    let stage_layers = reader.counts(scope, "stage_layers");
    if stage_layers.is_none() && scope.node("stage_layers").is_none() {
        reader.because(
            scope,
            "stage_layers",
            "by rule",
            "layers are spread evenly, the first and last stage getting the fewer".to_owned(),
        );
    }
    let communication_units = match reader.count(scope, "communication_units") {
        Some(units) => units,
        None => {
            let units = if expert.unwrap_or(1) > 1 { 20 } else { 0 };
            if scope.node("communication_units").is_none() {
                reader.rule(scope, "communication_units", units);
            }
            units
        }
    };
    let _ = reader.text(scope, "why");
    Some(Parallelism {
        tensor: tensor?,
        sequence,
        pipeline: pipeline?,
        virtual_stages: virtual_stages?,
        context: context?,
        expert: expert?,
        expert_tensor: expert_tensor?,
        zero: zero?,
        zero_group,
        schedule: schedule?,
        micro_batch: micro_batch?,
        recompute: recompute?,
        recompute_layers,
        offload_layers,
        stage_layers,
        communication_units,
    })
}

fn recompute_part(word: &str) -> RecomputePart {
    match word {
        "core-attention" => RecomputePart::CoreAttention,
        "norm" => RecomputePart::Norm,
        "mla-up" => RecomputePart::MlaUp,
        "activation" => RecomputePart::Activation,
        "mlp" => RecomputePart::Mlp,
        _ => RecomputePart::Moe,
    }
}

/// The recipe of a word.
pub(super) fn recipe(word: &str) -> Precision {
    match word {
        "fp16" => Precision::Fp16,
        "fp8-tensor" => Precision::Fp8Tensor,
        "fp8-block" => Precision::Fp8Block,
        "mxfp8" => Precision::Mxfp8,
        "nvfp4" => Precision::Nvfp4,
        _ => Precision::Bf16,
    }
}

fn precision(scope: &Scope<'_>, reader: &mut Reader) -> Option<PrecisionRecipe> {
    let recipe = recipe(reader.word(scope, "recipe")?);
    let bytes = |word: &str| match word {
        "fp32" => 4.0,
        "bf16" | "fp16" => 2.0,
        "fp8" => 1.0,
        _ => 0.0,
    };
    let weight = match reader.word(scope, "weight") {
        Some(word) => bytes(word),
        None => {
            reader.rule(scope, "weight", "2 bytes");
            2.0
        }
    };
    let gradient = bytes(reader.word(scope, "gradient")?);
    let master = bytes(reader.word(scope, "master")?);
    let moments = match reader.word(scope, "moments") {
        Some(word) => bytes(word),
        None => {
            let word = if recipe == Precision::Fp8Block {
                "bf16"
            } else {
                "fp32"
            };
            reader.rule(scope, "moments", word);
            bytes(word)
        }
    };
    let bf16_layers = reader.count(scope, "bf16_layers").unwrap_or(0);
    Some(PrecisionRecipe {
        recipe,
        bf16_layers,
        state: StateBytes {
            weight,
            gradient,
            master,
            moments: 2.0 * moments,
        },
    })
}

fn routing(
    scope: &Scope<'_>,
    model: &Model,
    cluster: &Cluster,
    layout: &Parallelism,
    training: &Training,
    reader: &mut Reader,
) -> Routing {
    let node_limit = match reader.amount(scope, "node_limit") {
        Some(limit) => limit.map(|v| v as u32),
        None => {
            let ranks = u64::from(layout.expert) * u64::from(layout.expert_tensor);
            let nodes = ranks.div_ceil(u64::from(cluster.node.accelerators.max(1)));
            let limit = model
                .experts
                .as_ref()
                .filter(|e| {
                    e.groups > 1 && u64::from(e.groups) == nodes && e.group_limit < e.groups
                })
                .map(|e| e.group_limit);
            if scope.node("node_limit").is_none() {
                reader.rule(
                    scope,
                    "node_limit",
                    limit.map_or("none".to_owned(), |l| l.to_string()),
                );
            }
            limit
        }
    };
    let word = reader.word(scope, "balance").unwrap_or("balanced");
    let balance = match word {
        "forced" => Balance::Forced,
        "measured" => Balance::Measured,
        "skewed" => Balance::Skewed,
        _ => Balance::Balanced,
    };
    let spread = match reader.number(scope, "spread") {
        Some(v) => v,
        None => {
            let value = match balance {
                Balance::Forced => 0.0,
                Balance::Balanced => balanced_spread(model, layout, training),
                // Rows entering a rank's experts per layer in DeepSeek's published profile
                // (deepseek-ai/profile-data, train.json, 2025-02): 28.4 to 36.9 thousand.
                Balance::Measured => 0.09,
                // Three times that: an assumption for a router in its first steps.
                Balance::Skewed => 0.27,
            };
            if scope.node("spread").is_none() {
                reader.rule(scope, "spread", super::unit::figure(value));
            }
            value
        }
    };
    let persistence = match reader.number(scope, "persistence") {
        Some(v) => v,
        None => {
            let value = match balance {
                Balance::Measured | Balance::Skewed => 0.5,
                Balance::Forced | Balance::Balanced => 0.0,
            };
            if scope.node("persistence").is_none() {
                reader.rule(scope, "persistence", value);
            }
            value
        }
    };
    Routing {
        node_limit,
        balance,
        spread: Ratio::new(spread),
        persistence: Ratio::new(persistence),
    }
}

/// Coefficient of variation of the rows of one rank when every token chooses at random: with
/// `n` rows expected, 1/sqrt(n).
fn balanced_spread(model: &Model, layout: &Parallelism, training: &Training) -> f64 {
    let Some(experts) = &model.experts else {
        return 0.0;
    };
    let longest = training
        .phases
        .iter()
        .max_by_key(|p| p.tokens)
        .map_or(1, |p| p.sequence_length);
    let tokens = f64::from(layout.micro_batch) * f64::from(longest)
        / f64::from(layout.context.max(1))
        / f64::from(layout.tensor.max(1));
    let rows = tokens * f64::from(experts.top_k);
    if rows > 0.0 { 1.0 / rows.sqrt() } else { 0.0 }
}

fn noise(scope: &Scope<'_>, reader: &mut Reader) -> Noise {
    Noise {
        jitter: Ratio::new(reader.number(scope, "jitter").unwrap_or(0.0)),
        chip_spread: Ratio::new(reader.number(scope, "chip_spread").unwrap_or(0.0)),
        chips: match reader.word(scope, "chips") {
            Some("slowest") => ChipSpread::Slowest,
            _ => ChipSpread::Sampled,
        },
    }
}
