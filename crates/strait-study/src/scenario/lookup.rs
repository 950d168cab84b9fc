//! Catalogue entries by id, with errors that point into the scenario.
//!
//! In: ids, and where they are written. Out: typed entries, and their facts in the record of
//! origins. Never makes an entry up.

use super::diagnostic::Diagnostic;
use super::read::{Reader, Scope};
use super::tree::Node;
use super::unit::{self, Dimension};
use crate::catalog::{
    Catalog, CatalogError, DevicePrices, EconomicsDefaults, Entry, Market, PowerProfile,
    ReliabilityProfile, RolloutFacts,
};
use crate::models::{self, LoadError};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use strait_training::hardware::{Accelerator, Fabric, Node as Server};
use strait_training::kernels::KernelProfile;
use strait_training::links::LinkProfile;
use strait_training::model::Model;
use strait_units::Time;

/// An accelerator and the date of its launch.
pub(super) struct Found {
    /// The accelerator.
    pub value: Accelerator,
    /// When it came out, as the catalogue writes it; empty where it doesn't.
    pub launch: String,
}

/// A value of the catalogue and where it has it from.
pub(super) struct Fact<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub source: String,
}

/// Reports that an entry can't be had.
fn refuse(
    catalog: &Catalog,
    kind: &str,
    id: &str,
    node: Option<&Node>,
    error: &CatalogError,
    reader: &mut Reader,
) {
    let mut d = if catalog.contains(kind, id) {
        Diagnostic::error(
            "scenario::catalogue",
            format!("the catalogue's {kind}/{id} can't be used: {error}"),
        )
    } else {
        let what = match kind {
            "reliability" => "failure profile",
            _ => kind.strip_suffix('s').unwrap_or(kind),
        };
        let mut d = Diagnostic::error(
            "scenario::unknown-id",
            format!("the catalogue has no {what} \"{id}\""),
        );
        let ids = catalog.list(kind).unwrap_or_default();
        let mut near = super::check::suggest(id, &ids);
        if near.is_empty() {
            near.extend(catalog.suggest(kind, id));
        }
        if !near.is_empty() {
            d = d.help(super::check::did_you_mean(&near));
        }
        let elsewhere: Vec<&str> = catalog
            .kinds_of(id)
            .into_iter()
            .filter(|k| *k != kind)
            .collect();
        if !elsewhere.is_empty() {
            d = d.help(format!("it is in {}", elsewhere.join(", ")));
        }
        d.help(format!("all of them: strait catalog list {kind}"))
    };
    if let Some(node) = node {
        d = d.at(&node.place, "");
    }
    reader.fail(d);
}

/// Where an entry's facts come from.
struct Facts(Option<Arc<Entry>>);

impl Facts {
    fn of(catalog: &Catalog, kind: &str, id: &str) -> Facts {
        Facts(catalog.entry(kind, id).ok())
    }

    fn source(&self, key: &str) -> String {
        self.0
            .as_ref()
            .and_then(|e| e.fact(key))
            .map_or(String::new(), |f| match &f.basis {
                Some(basis) => format!("{}; basis {basis}", f.source),
                None => f.source.clone(),
            })
    }

    fn value(&self, key: &str) -> Option<String> {
        self.0
            .as_ref()
            .and_then(|e| e.fact(key))
            .map(|f| f.value.clone())
    }
}

/// An accelerator.
pub(super) fn accelerator(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<Found> {
    let value = match catalog.accelerator(id) {
        Ok(value) => value,
        Err(error) => {
            refuse(catalog, "accelerators", id, node, &error, reader);
            return None;
        }
    };
    let facts = Facts::of(catalog, "accelerators", id);
    let entry = format!("accelerators/{id}");
    let mut fact = |key: &str, fact_key: &str, text: String| {
        reader.fact(
            format!("cluster.{key}"),
            text,
            &entry,
            facts.source(fact_key),
        );
    };
    for (name, peak) in [
        ("fp16", value.peaks.fp16),
        ("bf16", value.peaks.bf16),
        ("fp8", value.peaks.fp8),
        ("fp4", value.peaks.fp4),
    ] {
        if let Some(rate) = peak {
            fact(
                &format!("peak_{name}"),
                &format!("peaks.{name}"),
                unit::print(Dimension::FlopRate, rate.get()),
            );
        }
    }
    fact(
        "compute_units",
        "compute_units",
        value.compute_units.to_string(),
    );
    fact(
        "memory",
        "memory",
        unit::print(Dimension::Bytes, value.memory.as_f64()),
    );
    fact(
        "memory_bandwidth",
        "memory_bandwidth",
        unit::print(Dimension::Bandwidth, value.memory_bandwidth.get()),
    );
    fact(
        "nvlink_bandwidth",
        "scale_up",
        format!(
            "{} one way",
            unit::print(Dimension::Bandwidth, value.scale_up.get())
        ),
    );
    fact("tdp", "tdp", unit::print(Dimension::Power, value.tdp.get()));
    let launch = facts.value("launch_date").unwrap_or_default();
    Some(Found { value, launch })
}

/// A server.
pub(super) fn node(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<Server> {
    match catalog.node(id) {
        Ok(value) => {
            let facts = Facts::of(catalog, "nodes", id);
            reader.fact(
                "cluster.nic_bandwidth".to_owned(),
                unit::print(Dimension::Bandwidth, value.nic_bandwidth.get()),
                &format!("nodes/{id}"),
                facts.source("nic_rate"),
            );
            Some(value)
        }
        Err(error) => {
            refuse(catalog, "nodes", id, node, &error, reader);
            None
        }
    }
}

/// A network.
pub(super) fn fabric(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<Fabric> {
    match catalog.fabric(id) {
        Ok(value) => {
            let facts = Facts::of(catalog, "fabrics", id);
            reader.fact(
                "cluster.oversubscription".to_owned(),
                unit::figure(value.oversubscription),
                &format!("fabrics/{id}"),
                facts.source("oversubscription"),
            );
            Some(value)
        }
        Err(error) => {
            refuse(catalog, "fabrics", id, node, &error, reader);
            None
        }
    }
}

/// The server and the network that an accelerator usually comes with.
pub(super) fn usual_cluster(
    catalog: &Catalog,
    accelerator: &str,
) -> (Option<String>, Option<String>) {
    let facts = Facts::of(catalog, "accelerators", accelerator);
    (facts.value("default_node"), facts.value("default_fabric"))
}

/// The accelerator that a server is built for.
pub(super) fn home(catalog: &Catalog, node: &str) -> Option<String> {
    Facts::of(catalog, "nodes", node).value("reference_accelerator")
}

/// Prices and power of a place.
pub(super) fn place(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<EconomicsDefaults> {
    match catalog.economics(id) {
        Ok(value) => Some(value),
        Err(error) => {
            refuse(catalog, "economics", id, node, &error, reader);
            None
        }
    }
}

/// A failure profile.
pub(super) fn reliability(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<ReliabilityProfile> {
    match catalog.reliability(id) {
        Ok(value) => Some(value),
        Err(error) => {
            refuse(catalog, "reliability", id, node, &error, reader);
            None
        }
    }
}

/// What an accelerator rents and sells for.
pub(super) fn prices(catalog: &Catalog, id: &str, reader: &mut Reader) -> DevicePrices {
    catalog.prices(id).unwrap_or_else(|error| {
        refuse(catalog, "prices", id, None, &error, reader);
        DevicePrices::default()
    })
}

/// What servers draw by what they do, and the id of the profile.
pub(super) fn power<'a>(
    catalog: &Catalog,
    accelerator: &'a Accelerator,
    reader: &mut Reader,
) -> Option<(&'a str, PowerProfile)> {
    let id = catalog.power_id(accelerator);
    match catalog.power(id) {
        Ok(profile) => Some((id, profile)),
        Err(error) => {
            refuse(catalog, "power", id, None, &error, reader);
            None
        }
    }
}

/// Rates of decoding in rollouts.
pub(super) fn rollout(catalog: &Catalog, reader: &mut Reader) -> Option<RolloutFacts> {
    match catalog.rollout("default") {
        Ok(value) => Some(value),
        Err(error) => {
            refuse(catalog, "rollout", "default", None, &error, reader);
            None
        }
    }
}

/// Where the catalogue has a fact from.
pub(super) fn source(catalog: &Catalog, kind: &str, id: &str, key: &str) -> String {
    if !catalog.tells_sources() {
        return String::new();
    }
    Facts::of(catalog, kind, id).source(key)
}

/// What an accelerator sells for.
pub(super) fn market(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<Market> {
    match catalog.market(id) {
        Ok(market) => Some(market),
        Err(error) => {
            refuse(catalog, "accelerators", id, node, &error, reader);
            None
        }
    }
}

/// A model.
pub(super) fn model(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<Model> {
    match models::load(catalog, id) {
        Ok(model) => Some(model),
        Err(LoadError::Catalog(error)) => {
            refuse(catalog, "models", id, node, &error, reader);
            None
        }
        Err(error @ LoadError::Dimensions { .. }) => {
            let mut d = Diagnostic::error("scenario::catalogue", error.to_string());
            if let Some(node) = node {
                d = d.at(&node.place, "");
            }
            reader.fail(d.help("this is a fault of the catalogue, not of the scenario"));
            None
        }
    }
}

/// The kernel and link calibrations: those that the cluster names, or the accelerator's.
pub(super) fn calibrations(
    catalog: &Catalog,
    scope: &Scope<'_>,
    accelerator: &Accelerator,
    reader: &mut Reader,
) -> Option<(KernelProfile, LinkProfile)> {
    let kernels = profile(catalog, scope, "kernels", accelerator, reader);
    let links = profile(catalog, scope, "links", accelerator, reader);
    kernels.zip(links)
}

fn profile<T: serde::de::DeserializeOwned + Clone + Send + Sync + 'static>(
    catalog: &Catalog,
    scope: &Scope<'_>,
    kind: &str,
    accelerator: &Accelerator,
    reader: &mut Reader,
) -> Option<T> {
    if let Some((named, node)) = reader.text(scope, kind) {
        return match named.ends_with(".toml") {
            true => profile_file(&named, node?, kind, reader),
            false => match catalog.load(kind, &named) {
                Ok(profile) => Some(profile),
                Err(error) => {
                    refuse(catalog, kind, &named, node, &error, reader);
                    None
                }
            },
        };
    }
    if scope.node(kind).is_some() {
        // It was of the wrong type, and that has been said.
        return None;
    }
    let id = match kind {
        "kernels" => &accelerator.kernels,
        _ => &accelerator.links,
    };
    match catalog.load(kind, id) {
        Ok(profile) => {
            reader.fact(
                format!("cluster.{kind}"),
                id.to_owned(),
                &format!("accelerators/{}", accelerator.id),
                format!("calibration {kind}/{id}"),
            );
            Some(profile)
        }
        Err(error) => {
            reader.fail(
                Diagnostic::error(
                    "scenario::catalogue",
                    format!(
                        "{} has no usable calibration of {kind}: {error}",
                        accelerator.name
                    ),
                )
                .help("choose an accelerator that has one: strait catalog list accelerators"),
            );
            None
        }
    }
}

/// A profile in a file of the catalogue's format, its path relative to the file that names it.
fn profile_file<T: serde::de::DeserializeOwned>(
    path: &str,
    node: &Node,
    kind: &str,
    reader: &mut Reader,
) -> Option<T> {
    let folder = Path::new(&node.place.source.name).parent();
    let full = folder.unwrap_or(Path::new("")).join(path);
    let text = match reader.beside.text(&full) {
        Ok(text) => text,
        Err(d) => {
            reader.fail(d.at(&node.place, "named here"));
            return None;
        }
    };
    let id = full
        .file_stem()
        .map_or("own".into(), |s| s.to_string_lossy());
    match crate::catalog::load_text(&full.display().to_string(), &text, &id) {
        Ok((profile, facts)) => {
            // The profile's contents are inputs of the answer: its digest stands for them.
            reader.fact(
                format!("cluster.{kind}.file"),
                format!("{facts} facts, SHA-256 {}", crate::catalog::sha256(&text)),
                &full.display().to_string(),
                format!("calibration {kind}/{id}"),
            );
            Some(profile)
        }
        Err(error) => {
            reader.fail(
                Diagnostic::error(
                    "scenario::profile",
                    format!("the {kind} profile can't be used: {error}"),
                )
                .at(&node.place, "named here")
                .help("strait calibrate writes files of this form"),
            );
            None
        }
    }
}

/// The facts of a software generation.
pub(super) struct SoftwareFacts {
    pub attention: Fact<String>,
    pub fusion: Fact<String>,
    pub tensor_overlap: Fact<String>,
    pub dispatcher: Fact<String>,
    pub expert_overlap: Fact<bool>,
    pub gradient_accumulation: Fact<String>,
    pub gradient_overlap: Fact<bool>,
    pub parameter_overlap: Fact<bool>,
    pub pipeline_overlap: Fact<bool>,
    pub pipeline_scatter: Fact<bool>,
    pub router_fusion: Fact<bool>,
    pub loss: Fact<String>,
    pub gradient_placeholders: Fact<bool>,
    pub cuda_graphs: Fact<String>,
    pub host_time_per_op: Fact<Time>,
}

/// The bare values of a software file.
#[derive(Clone, Deserialize)]
struct SoftwareFile {
    attention: String,
    fusion: String,
    tensor_overlap: String,
    dispatcher: String,
    expert_overlap: bool,
    gradient_accumulation: String,
    gradient_overlap: bool,
    parameter_overlap: bool,
    pipeline_overlap: bool,
    pipeline_scatter: bool,
    router_fusion: bool,
    loss: String,
    gradient_placeholders: bool,
    cuda_graphs: String,
    host_time_per_op: Time,
}

/// A software generation.
pub(super) fn software(
    catalog: &Catalog,
    id: &str,
    node: Option<&Node>,
    reader: &mut Reader,
) -> Option<SoftwareFacts> {
    let file: SoftwareFile = match catalog.load("software", id) {
        Ok(file) => file,
        Err(error) => {
            refuse(catalog, "software", id, node, &error, reader);
            return None;
        }
    };
    let facts = Facts::of(catalog, "software", id);
    let text = |key: &str, value: String| Fact {
        value,
        source: facts.source(key),
    };
    let flag = |key: &str, value: bool| Fact {
        value,
        source: facts.source(key),
    };
    Some(SoftwareFacts {
        attention: text("attention", file.attention),
        fusion: text("fusion", file.fusion),
        tensor_overlap: text("tensor_overlap", file.tensor_overlap),
        dispatcher: text("dispatcher", file.dispatcher),
        expert_overlap: flag("expert_overlap", file.expert_overlap),
        gradient_accumulation: text("gradient_accumulation", file.gradient_accumulation),
        gradient_overlap: flag("gradient_overlap", file.gradient_overlap),
        parameter_overlap: flag("parameter_overlap", file.parameter_overlap),
        pipeline_overlap: flag("pipeline_overlap", file.pipeline_overlap),
        pipeline_scatter: flag("pipeline_scatter", file.pipeline_scatter),
        router_fusion: flag("router_fusion", file.router_fusion),
        loss: text("loss", file.loss),
        gradient_placeholders: flag("gradient_placeholders", file.gradient_placeholders),
        cuda_graphs: text("cuda_graphs", file.cuda_graphs),
        host_time_per_op: Fact {
            value: file.host_time_per_op,
            source: facts.source("host_time_per_op"),
        },
    })
}
