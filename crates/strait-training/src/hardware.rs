//! Accelerators, nodes, fabrics: what is computed on.
//!
//! In: values from the catalogue. Out: a [`Cluster`]. Never says how fast a kernel
//! is (see `kernels`) or what a collective takes (see `links`).

use strait_units::{Bandwidth, Bytes, FlopRate, Money, Power, PricePerHour};

/// Dense peak rates by operand type; `None` where the type is not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peaks {
    /// FP16 with FP32 accumulation.
    pub fp16: Option<FlopRate>,
    /// BF16.
    pub bf16: Option<FlopRate>,
    /// FP8.
    pub fp8: Option<FlopRate>,
    /// FP4.
    pub fp4: Option<FlopRate>,
}

/// One accelerator: what a rank runs on.
#[derive(Clone, Debug, PartialEq)]
pub struct Accelerator {
    /// Catalogue id, such as `h800-sxm`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Dense peaks.
    pub peaks: Peaks,
    /// Streaming multiprocessors or their like.
    pub compute_units: u32,
    /// HBM capacity.
    pub memory: Bytes,
    /// HBM bandwidth, datasheet.
    pub memory_bandwidth: Bandwidth,
    /// Scale-up (NVLink) bandwidth of one accelerator, one direction.
    pub scale_up: Bandwidth,
    /// Link to its host, one direction, where known.
    pub host_bandwidth: Option<Bandwidth>,
    /// Board power limit.
    pub tdp: Power,
    /// Purchase price of one accelerator's share of a server, where known.
    pub price: Option<Money>,
    /// Rental price, where known.
    pub rent: Option<PricePerHour>,
    /// Id of its kernel profile (`catalog/kernels/*.toml`), such as `hopper`.
    pub kernels: String,
    /// Id of its link profile (`catalog/links/*.toml`), such as `hopper`.
    pub links: String,
}

/// How the accelerators of a scale-up domain are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleUp {
    /// Through switches: any pair at full port rate.
    Switched,
    /// Point to point, all to all: a pair has one share of the ports.
    Mesh,
    /// Neighbours only.
    Torus,
    /// PCIe of the host.
    Pcie,
}

/// A server, or a rack that is one scale-up domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Catalogue id, such as `hgx-h800`.
    pub id: String,
    /// Accelerators in one scale-up domain (8 in HGX, 72 in NVL72).
    pub accelerators: u32,
    /// How they are joined.
    pub scale_up: ScaleUp,
    /// The switches reduce in the network (NVLS).
    pub in_network_reduction: bool,
    /// Network bandwidth of one accelerator to other domains, one direction
    /// (NICs of the node × rate ÷ accelerators).
    pub nic_bandwidth: Bandwidth,
    /// Power of the node's other parts, per accelerator.
    pub overhead_power: Power,
}

/// The kind of a scale-out network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// InfiniBand.
    Infiniband,
    /// RDMA over Ethernet.
    Roce,
    /// AWS EFA, first generation.
    EfaV1,
    /// AWS EFA, from p5 on.
    EfaV2,
    /// TCP-based offload.
    Tcpx,
    /// Omni-Path.
    OmniPath,
    /// An accelerator-vendor torus or optical fabric.
    Proprietary,
}

/// The scale-out network.
#[derive(Clone, Debug, PartialEq)]
pub struct Fabric {
    /// Catalogue id, such as `multi-plane-fat-tree`.
    pub id: String,
    /// Transport.
    pub transport: Transport,
    /// Separate planes (rails) that traffic stays on; 1 where there is one network.
    pub planes: u32,
    /// Switch layers.
    pub layers: u32,
    /// Ports of a switch.
    pub radix: u32,
    /// Downlink to uplink ratio of the first layer (1: none).
    pub oversubscription: f64,
    /// Oversubscription above the pod, and the accelerators in a pod, where a third layer is thinner.
    pub pod: Option<(u32, f64)>,
}

/// A cluster: `nodes` equal nodes of one accelerator on one fabric.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Accelerator.
    pub accelerator: Accelerator,
    /// Node.
    pub node: Node,
    /// Number of nodes.
    pub nodes: u32,
    /// Network between nodes.
    pub fabric: Fabric,
}

impl Cluster {
    /// Accelerators in all.
    pub fn ranks(&self) -> u32 {
        self.nodes * self.node.accelerators
    }
}
