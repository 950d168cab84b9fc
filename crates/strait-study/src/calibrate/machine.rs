//! The machine that rows were measured on.
//!
//! In: an accelerator of the catalogue, or the link columns of a row. Out: a cluster with nothing
//! but what kernels and links ask for. Never a cluster that a run is simulated on.

use super::CalibrateError;
use super::csv::Cells;
use crate::catalog::Catalog;
use strait_training::hardware::{Accelerator, Cluster, Fabric, Node, Peaks, ScaleUp, Transport};
use strait_units::{Bandwidth, Bytes, Power};

/// A user's machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Its accelerator, with the node and fabric that it usually comes with.
    pub cluster: Cluster,
    /// The profile that its own is begun from.
    pub like: String,
}

/// Transports as tables name them.
const TRANSPORTS: [(&str, Transport); 7] = [
    ("infiniband", Transport::Infiniband),
    ("roce", Transport::Roce),
    ("efa_v1", Transport::EfaV1),
    ("efa_v2", Transport::EfaV2),
    ("tcpx", Transport::Tcpx),
    ("omni_path", Transport::OmniPath),
    ("proprietary", Transport::Proprietary),
];

/// A transport as tables and profiles name it.
pub(super) fn transport_name(transport: Transport) -> Option<&'static str> {
    let found = TRANSPORTS.iter().find(|(_, of)| *of == transport);
    found.map(|(name, _)| *name)
}

impl Machine {
    /// An accelerator of the catalogue with its usual node and fabric.
    pub(super) fn usual(
        catalog: &Catalog,
        accelerator: &str,
        like: &str,
    ) -> Result<Machine, CalibrateError> {
        let chip = catalog.accelerator(accelerator)?;
        let entry = catalog.show("accelerators", accelerator)?;
        let mut cluster = Machine::bench(chip);
        if let Some(node) = entry.fact("default_node") {
            cluster.node = catalog.node(&node.value)?;
        }
        if let Some(fabric) = entry.fact("default_fabric") {
            cluster.fabric = catalog.fabric(&fabric.value)?;
        }
        Ok(Machine {
            cluster,
            like: like.to_owned(),
        })
    }

    /// One accelerator and no links.
    pub(super) fn bench(accelerator: Accelerator) -> Cluster {
        Cluster {
            node: Node {
                id: "bench".into(),
                accelerators: 1,
                scale_up: ScaleUp::Switched,
                in_network_reduction: false,
                nic_bandwidth: Bandwidth::ZERO,
                overhead_power: Power::ZERO,
            },
            nodes: 1,
            fabric: Fabric {
                id: "bench".into(),
                transport: Transport::Infiniband,
                planes: 8,
                layers: 2,
                radix: 64,
                oversubscription: 1.0,
                pod: None,
            },
            accelerator,
        }
    }

    /// The links that a row states in full.
    pub(super) fn stated(cells: &Cells) -> Result<Cluster, CalibrateError> {
        for column in ["scale_up_GBps", "domain", "nic_GBps", "transport"] {
            cells.text(column)?;
        }
        let none = Accelerator {
            id: "bench".into(),
            name: "bench".into(),
            peaks: Peaks::default(),
            compute_units: 1,
            memory: Bytes::ZERO,
            memory_bandwidth: Bandwidth::ZERO,
            scale_up: Bandwidth::ZERO,
            tdp: Power::ZERO,
            host_bandwidth: None,
            price: None,
            rent: None,
            kernels: String::new(),
            links: String::new(),
        };
        over(Machine::bench(none), cells)
    }

    /// The machine's links, with what a row states instead.
    pub(super) fn links_of(&self, cells: &Cells) -> Result<Cluster, CalibrateError> {
        over(self.cluster.clone(), cells)
    }
}

/// A cluster with what a row states of its links, large enough for its ranks.
fn over(mut cluster: Cluster, cells: &Cells) -> Result<Cluster, CalibrateError> {
    if cells.get("scale_up_GBps").is_some() {
        let rate = cells.positive("scale_up_GBps")?;
        cluster.accelerator.scale_up = Bandwidth::new(rate * 1e9);
    }
    if cells.get("nic_GBps").is_some() {
        let rate = cells.positive("nic_GBps")?;
        cluster.node.nic_bandwidth = Bandwidth::new(rate * 1e9);
    }
    if cells.get("domain").is_some() {
        cluster.node.accelerators = cells.count("domain", None, 100_000)? as u32;
    }
    if cells.get("transport").is_some() {
        cluster.fabric.transport = cells.word("transport", None, &TRANSPORTS)?;
    }
    if cells.get("in_switch").is_some() {
        cluster.node.in_network_reduction =
            cells.word("in_switch", None, &[("1", true), ("0", false)])?;
    }
    let ranks = cells.count("ranks", None, 1_000_000)? as u32;
    cluster.nodes = ranks.div_ceil(cluster.node.accelerators.max(1));
    Ok(cluster)
}
