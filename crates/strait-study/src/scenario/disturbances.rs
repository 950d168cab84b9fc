//! What is slow or dead, and how transfers are simulated.
//!
//! In: `[[fault]]` and `[engine]`, the cluster they are about. Out: [`Fault`]s that name something
//! there is, and [`EngineSettings`]. Never says what a fault does.

use super::diagnostic::Diagnostic;
use super::keys;
use super::read::{Reader, Scope};
use strait_training::case::{EngineSettings, Fault, NetworkGrain, Sharing};
use strait_training::hardware::Cluster;
use strait_training::links::LinkProfile;
use strait_training::topology::{self, Element, Topology, TopologyError};
use strait_units::Ratio;

/// Reads `[engine]`.
pub(super) fn engine(scope: &Scope<'_>, reader: &mut Reader) -> EngineSettings {
    let mut sharing = |name| match reader.word(scope, name) {
        Some("shared") => Sharing::Shared,
        _ => Sharing::Alone,
    };
    let (sends, gradients) = (sharing("sends"), sharing("gradients"));
    let network = match reader.word(scope, "network") {
        Some("analytic") => NetworkGrain::Analytic,
        Some("coflow") => NetworkGrain::Coflow,
        Some("class") => NetworkGrain::Class,
        Some("flow") => NetworkGrain::Flow,
        _ => NetworkGrain::Auto,
    };
    EngineSettings {
        network,
        sends,
        gradients,
    }
}

/// Reads all `[[fault]]`.
pub(super) fn faults(
    root: &Scope<'_>,
    cluster: &Cluster,
    links: &LinkProfile,
    network: NetworkGrain,
    reader: &mut Reader,
) -> Vec<Fault> {
    let list = root.node("fault").and_then(|n| n.list()).unwrap_or(&[]);
    if list.is_empty() {
        return Vec::new();
    }
    // A cluster whose links are no good is refused elsewhere.
    let topology = Topology::new(cluster, links).ok();
    let mut faults = Vec::new();
    for (number, node) in list.iter().enumerate() {
        let Some(table) = node.table() else { continue };
        let scope = Scope {
            tables: vec![table],
            place: node.place.clone(),
            section: &keys::FAULT,
            path: format!("fault.{number}"),
        };
        let what = reader.word(&scope, "what");
        let left = reader.number(&scope, "left");
        let _ = reader.text(&scope, "why");
        let (Some(what), Some(left)) = (what, left) else {
            for name in ["what", "left"] {
                if scope.node(name).is_none() {
                    reader.missing(&scope, name);
                }
            }
            continue;
        };
        let on_leaf = matches!(what, "uplink" | "leaf");
        let (wanted, other): (&[&str], &[&str]) = match what {
            _ if on_leaf => (&["rail", "leaf"], &["index"]),
            "fabric" => (&[], &["index", "rail", "leaf"]),
            _ => (&["index"], &["rail", "leaf"]),
        };
        for name in other.iter().filter(|name| scope.node(name).is_some()) {
            let d = Diagnostic::error(
                "scenario::fault-place",
                format!("`{name}` does not say which {what} is meant"),
            )
            .at(&scope.place, format!("a fault of: {what}"))
            .help(if wanted.is_empty() {
                format!("there is one {what}: leave `{name}` out")
            } else {
                format!("name it by {}", and(wanted))
            });
            reader.fail(d);
        }
        let numbers: Vec<u32> = (wanted.iter())
            .filter_map(|name| {
                if scope.node(name).is_none() {
                    let d = Diagnostic::error(
                        "scenario::fault-place",
                        format!("`{name}` is missing: it says which {what} is meant"),
                    )
                    .at(&scope.place, "in this fault")
                    .help(format!("add {name} = 0 (the first), or another number"));
                    reader.fail(d);
                }
                reader.count(&scope, name)
            })
            .collect();
        let element = match (what, &numbers[..]) {
            ("accelerator", &[index]) => {
                faults.extend(accelerator(index, left, cluster, &scope, reader));
                continue;
            }
            ("nic", &[index]) => Element::Nic(index),
            ("port", &[index]) => Element::Port(index),
            ("pod", &[pod]) => Element::Pod(pod),
            ("fabric", &[]) => Element::Fabric,
            ("uplink", &[rail, leaf]) => Element::Uplink { rail, leaf },
            ("leaf", &[rail, leaf]) => Element::Leaf { rail, leaf },
            _ => continue,
        };
        if let Some((message, help)) = senseless(what, cluster, network) {
            let d = Diagnostic::error("scenario::fault", message);
            reader.fail(d.at(&scope.place, "this fault").help(help));
            continue;
        }
        let fault = topology::Fault {
            element,
            left: Ratio::new(left),
        };
        match topology.clone().map(|whole| whole.with(fault)) {
            Some(Err(TopologyError::NoElement(_))) => {
                let there = topology.as_ref().map_or(String::new(), |t| there(what, t));
                let d = Diagnostic::error(
                    "scenario::no-such-element",
                    format!("no such {what} in this cluster: {there}"),
                );
                reader.fail(d.at(&scope.place, "this fault").help(
                    "numbers start at 0; see cluster.nodes, and `planes` and `radix` of the fabric in `strait catalog show fabrics`",
                ));
            }
            Some(Err(error)) => {
                let d = Diagnostic::error("scenario::fault", error.to_string());
                reader.fail(d.at(&scope.place, "this fault"));
            }
            Some(Ok(_)) | None => faults.push(Fault::Link(fault)),
        }
    }
    faults
}

/// Why a fault of a link makes no sense here, and what to do instead.
fn senseless(
    what: &str,
    cluster: &Cluster,
    network: NetworkGrain,
) -> Option<(String, &'static str)> {
    let fabric = &cluster.fabric;
    if network == NetworkGrain::Analytic {
        return Some((
            "closed forms (engine.network = \"analytic\") know no single link that could be slow"
                .to_owned(),
            "set engine.network to \"auto\", or leave it out",
        ));
    }
    if matches!(what, "leaf" | "uplink" | "fabric") && fabric.layers < 2 {
        return Some((
            format!(
                "fabric {} has fewer than two switch layers: no leaf has uplinks",
                fabric.id
            ),
            "use what = \"nic\", or a fabric of two layers or more",
        ));
    }
    if what == "pod" && fabric.pod.is_none() {
        return Some((
            format!("fabric {} has no pods", fabric.id),
            "use what = \"uplink\", or a fabric with pods, such as roce-clos-pod",
        ));
    }
    None
}

fn accelerator(
    index: u32,
    left: f64,
    cluster: &Cluster,
    scope: &Scope<'_>,
    reader: &mut Reader,
) -> Option<Fault> {
    let of = cluster.ranks();
    let refuse = |reader: &mut Reader, code, message: String, help: &str| {
        let d = Diagnostic::error(code, message);
        reader.fail(d.at(&scope.place, "this fault").help(help));
    };
    if index >= of {
        refuse(
            reader,
            "scenario::no-such-element",
            format!(
                "no accelerator {index} in this cluster: it has {of}, from 0 to {}",
                of.saturating_sub(1)
            ),
            "choose one of them, or raise cluster.nodes",
        );
        return None;
    }
    if left <= 0.0 {
        refuse(
            reader,
            "scenario::dead-accelerator",
            format!("accelerator {index} would be dead, and no step ends without it"),
            "leave it some speed (left = \"80 %\" is 20 % slower), or take its node out of cluster.nodes",
        );
        return None;
    }
    Some(Fault::Accelerator {
        index,
        left: Ratio::new(left),
    })
}

/// How many of something there are.
fn there(what: &str, topology: &Topology) -> String {
    match what {
        "nic" | "port" => format!("it has {} accelerators", topology.accelerators()),
        "pod" => format!("it has {}", number(topology.pods(), "pod")),
        _ => format!(
            "it has {} with {} each",
            number(topology.rails(), "rail"),
            number(topology.leaves(), "leaf switch")
        ),
    }
}

fn number(count: u32, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("one {what}"),
        (_, "leaf switch") => format!("{count} leaf switches"),
        _ => format!("{count} {what}s"),
    }
}

fn and(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}
