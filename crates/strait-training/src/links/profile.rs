//! The calibration of a generation's links, as read from `catalog/links/*.toml`.
//!
//! In: facts of the catalogue. Out: a [`LinkProfile`]. Never holds a rate of a
//! particular cluster (those are in [`crate::hardware`]): it holds efficiencies,
//! latencies and the parameters of the time form of [`super`].

use crate::hardware::Transport;
use serde::{Deserialize, Serialize};
use strait_units::{Bandwidth, Ratio, Time};

/// How one class of collective kernels spends time beside the wire.
///
/// With wire time `W` at bus rate `B`, in-node rate `B1` and latency `L` of the path:
/// `t = min(low_latency + L + W / min(0.9, low_latency_rate B1 / B), simple + L + W + 2 sqrt(fill W))`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeForm {
    /// Intercept of the low-latency protocols.
    pub low_latency: Time,
    /// Rate of the low-latency protocols over the in-node bus rate.
    pub low_latency_rate: Ratio,
    /// Intercept of the bulk protocol.
    pub simple: Time,
    /// Latency of one chunk over the path, which sets the pipeline fill.
    pub fill: Time,
}

/// Time form of a scale-up domain of many more than eight ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeDomain {
    /// Ranks of a full domain, on which it was fitted.
    pub ranks: u32,
    /// Intercept without ranks.
    pub intercept: Time,
    /// Intercept of each rank.
    pub per_rank: Time,
    /// Latency of one chunk.
    pub fill: Time,
    /// Bus rate over the ring rate of one domain once more than two domains take part.
    pub beyond_two_domains: Ratio,
}

/// Latency of ring steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingSteps {
    /// Bulk protocol, group inside one node.
    pub simple_one_node: Time,
    /// Bulk protocol, step inside a node of a group over several nodes.
    pub simple_many_nodes: Time,
    /// Bulk protocol, step from node to node.
    pub simple_crossing: Time,
    /// Low-latency protocol, inside a node.
    pub low_latency: Time,
    /// Low-latency protocol, from node to node.
    pub low_latency_crossing: Time,
}

/// Plain all-to-all (send and receive of every pair).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllToAllFacts {
    /// Time of an empty exchange of eight ranks.
    pub floor: Time,
    /// Time of each further rank.
    pub per_rank: Time,
    /// Share of the scale-up rate that is reached.
    pub scale_up: Ratio,
    /// Share of the NIC rate over 2 nodes.
    pub nic_2_nodes: Ratio,
    /// Share of the NIC rate over 4 nodes.
    pub nic_4_nodes: Ratio,
    /// Share of the NIC rate over 8 nodes.
    pub nic_8_nodes: Ratio,
    /// Share of the NIC rate over 16 nodes and more.
    pub nic_16_nodes: Ratio,
}

/// One sender, one receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointToPointFacts {
    /// Time of an empty message inside a node.
    pub latency: Time,
    /// Share of the scale-up rate that a pair reaches, both directions busy.
    pub scale_up: Ratio,
    /// What the send-receive kernels of this generation reach at most, whatever the port.
    pub limit: Option<Bandwidth>,
}

/// What a scale-out transport adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportFacts {
    /// One level of a tree, low-latency protocol.
    pub tree_low_latency: Time,
    /// One level of a tree, bulk protocol.
    pub tree_simple: Time,
    /// Latency of one chunk between nodes.
    pub fill: Time,
    /// Rate of the low-latency protocols over the in-node bus rate, on this transport.
    pub low_latency_rate: Ratio,
    /// The tree is chosen on two nodes, where it sends each way S instead of 2S(n-1)/n.
    pub two_node_tree: bool,
    /// Each switch beyond the first.
    pub switch_hop: Time,
}

/// The transports, each with its facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transports {
    /// InfiniBand.
    pub infiniband: TransportFacts,
    /// RDMA over Ethernet.
    pub roce: TransportFacts,
    /// AWS EFA, first generation.
    pub efa_v1: TransportFacts,
    /// AWS EFA, from p5 on.
    pub efa_v2: TransportFacts,
    /// TCP-based offload.
    pub tcpx: TransportFacts,
    /// Omni-Path.
    pub omni_path: TransportFacts,
    /// A vendor's own fabric.
    pub proprietary: TransportFacts,
}

impl Transports {
    /// The facts of one transport.
    pub fn of(&self, transport: Transport) -> &TransportFacts {
        match transport {
            Transport::Infiniband => &self.infiniband,
            Transport::Roce => &self.roce,
            Transport::EfaV1 => &self.efa_v1,
            Transport::EfaV2 => &self.efa_v2,
            Transport::Tcpx => &self.tcpx,
            Transport::OmniPath => &self.omni_path,
            Transport::Proprietary => &self.proprietary,
        }
    }
}

/// Node-deduplicated expert dispatch and combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertRates {
    /// Share of the NIC rate.
    pub nic: Ratio,
    /// Share of the scale-up rate while copies from other nodes are forwarded.
    pub scale_up_forwarding: Ratio,
    /// Share of the scale-up rate inside one node.
    pub scale_up_one_node: Ratio,
    /// Rate beside compute over the rate alone.
    pub beside_compute: Ratio,
    /// Time of an empty exchange.
    pub startup: Time,
    /// Exchange of counts and wait for senders before a first dispatch (no handle yet).
    pub fresh_handle: Time,
}

/// The shape of a torus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torus {
    /// Axes, one to three, each with two ports of an accelerator.
    pub axes: u32,
    /// Accelerators on an axis.
    pub side: u32,
}

/// The link calibration of one accelerator generation.
///
/// `Default` is empty and is refused by [`super::Links::new`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkProfile {
    /// Compute units that the kernels of a library collective take while they run beside products.
    pub communication_units: u32,
    /// Catalogue id, such as `hopper`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Ring bus rate over the one-way scale-up rate.
    pub ring_efficiency: Ratio,
    /// Ring or tree bus rate between nodes over the NIC rate.
    pub nic_efficiency: Ratio,
    /// Rate of copies between an accelerator and its host over the one-way rate of their link.
    pub host_copy: Ratio,
    /// In-switch all-reduce over the ring, for 4, 5, 6... ranks; the last for all more.
    /// Empty where switches of this generation do not reduce.
    #[serde(default)]
    pub in_switch_gain: Vec<Ratio>,
    /// Ring kernels of eight ranks in a node.
    pub ring: TimeForm,
    /// In-switch all-reduce of eight ranks in a node.
    #[serde(default)]
    pub in_switch: Option<TimeForm>,
    /// Domains of many more ranks.
    #[serde(default)]
    pub large_domain: Option<LargeDomain>,
    /// Intercept of a broadcast, before ring steps.
    pub broadcast: Time,
    /// Ring steps.
    pub ring_steps: RingSteps,
    /// Plain all-to-all.
    pub all_to_all: AllToAllFacts,
    /// One sender, one receiver.
    pub point_to_point: PointToPointFacts,
    /// Between nodes.
    pub transport: Transports,
    /// Expert dispatch and combine.
    pub expert: ExpertRates,
    /// Shape of the torus, where scale-up is one.
    #[serde(default)]
    pub torus: Option<Torus>,
}

impl LinkProfile {
    /// The first number that makes this profile unusable, by its path.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        let share = |r: Ratio| r.get() > 0.0 && r.get() <= 2.0;
        let a = &self.all_to_all;
        let e = &self.expert;
        let checks = [
            ("ring_efficiency", share(self.ring_efficiency)),
            ("nic_efficiency", share(self.nic_efficiency)),
            (
                "in_switch_gain",
                self.in_switch_gain.iter().all(|&g| share(g)),
            ),
            ("ring.low_latency_rate", share(self.ring.low_latency_rate)),
            (
                "in_switch.low_latency_rate",
                self.in_switch.is_none_or(|f| share(f.low_latency_rate)),
            ),
            (
                "large_domain",
                self.large_domain
                    .is_none_or(|d| d.ranks > 8 && share(d.beyond_two_domains)),
            ),
            ("all_to_all.scale_up", share(a.scale_up)),
            ("all_to_all.nic_2_nodes", share(a.nic_2_nodes)),
            ("all_to_all.nic_4_nodes", share(a.nic_4_nodes)),
            ("all_to_all.nic_8_nodes", share(a.nic_8_nodes)),
            ("all_to_all.nic_16_nodes", share(a.nic_16_nodes)),
            (
                "point_to_point.scale_up",
                share(self.point_to_point.scale_up),
            ),
            (
                "point_to_point.limit",
                self.point_to_point.limit.is_none_or(|l| l.get() > 0.0),
            ),
            ("expert.nic", share(e.nic)),
            ("expert.scale_up_forwarding", share(e.scale_up_forwarding)),
            ("expert.scale_up_one_node", share(e.scale_up_one_node)),
            ("expert.beside_compute", share(e.beside_compute)),
            (
                "torus",
                self.torus
                    .is_none_or(|t| (1..=3).contains(&t.axes) && t.side > 1),
            ),
        ];
        checks
            .into_iter()
            .find(|(_, sound)| !sound)
            .map(|(at, _)| at)
    }
}
