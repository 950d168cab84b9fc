//! All-reduce, all-gather, reduce-scatter, broadcast and plain all-to-all.
//!
//! In: a kind, the full buffer, a group. Out: the fastest algorithm with its time, bus rate and
//! bytes sent. Never models the host: launches run ahead in training, so the floor that benchmark
//! harnesses show below 256 KiB is left out.

use super::path::Pattern;
use super::profile::TimeForm;
use super::{GroupShape, Links};
use crate::hardware::ScaleUp;
use strait_units::{Bandwidth, Bytes, Time};

/// What a collective does. Sizes are of the full buffer: what a rank holds after an all-gather or
/// before a reduce-scatter, and all that a rank sends in an all-to-all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CollectiveKind {
    /// Every rank gets the sum.
    AllReduce,
    /// Every rank gets every part.
    AllGather,
    /// Every rank gets its part of the sum.
    ReduceScatter,
    /// Every rank gets the root's buffer.
    Broadcast,
    /// Every rank sends a part of its own to every other.
    AllToAll,
}

impl CollectiveKind {
    /// Share of the buffer that passes a rank's port, the bus factor of NCCL's tests.
    pub fn wire_share(self, ranks: u32) -> f64 {
        let n = f64::from(ranks.max(1));
        match self {
            CollectiveKind::AllReduce => 2.0 * (n - 1.0) / n,
            CollectiveKind::AllGather
            | CollectiveKind::ReduceScatter
            | CollectiveKind::AllToAll => (n - 1.0) / n,
            CollectiveKind::Broadcast => 1.0,
        }
    }
}

/// How a collective is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Nothing to do: one rank or no bytes.
    None,
    /// A ring over all ranks.
    Ring,
    /// Rings in the nodes, a tree over them.
    Tree,
    /// The switches of the domain reduce.
    InSwitch,
    /// The switches of each domain reduce, a tree joins the domains.
    InSwitchTree,
    /// Every pair sends and receives.
    Pairwise,
}

/// A collective with the algorithm that takes least time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CollectivePlan {
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Time from the arrival of the last rank to the end.
    pub time: Time,
    /// Bus rate that comes out: `v S / time`, comparable with NCCL's tests.
    pub bus: Bandwidth,
    /// Bytes that a rank sends.
    pub sent: Bytes,
}

/// A collective by what it puts where: `fixed + bytes / min(port, nics)` is its time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wire {
    /// Algorithm; `None` where nothing is to do.
    pub algorithm: Option<Algorithm>,
    /// Latency, pipeline fill, and what a low-latency protocol loses.
    pub fixed: Time,
    /// Bytes that pass a rank.
    pub bytes: Bytes,
    /// Bus rate of a rank's port.
    pub port: Bandwidth,
    /// Bus rate of the NICs of a domain's members together; infinite inside one domain.
    pub nics: Bandwidth,
}

/// Rates and latencies of one algorithm on one group; seconds and bytes/s.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    algorithm: Algorithm,
    bus: f64,
    in_node_bus: f64,
    form: TimeForm,
    latency_low: f64,
    latency_simple: f64,
}

impl Candidate {
    /// The two-branch form of the module's tour.
    fn seconds(&self, wire_bytes: f64) -> f64 {
        let wire = wire_bytes / self.bus;
        let form = &self.form;
        // The low-latency protocols spend flags on every line: 0.9 of the bus at best, and in the
        // node an absolute rate.
        let low_rate = (0.9 * self.bus).min(form.low_latency_rate.get() * self.in_node_bus);
        let low = if low_rate > 0.0 {
            form.low_latency.seconds() + self.latency_low + wire_bytes / low_rate
        } else {
            f64::INFINITY
        };
        let simple = form.simple.seconds()
            + self.latency_simple
            + wire
            + 2.0 * (form.fill.seconds() * wire).sqrt();
        low.min(simple)
    }
}

/// Ranks in a node of the machines on which the in-node time forms were fitted.
const FITTED_RANKS: u32 = 8;

impl Links<'_> {
    /// Time of a collective by the best algorithm.
    pub fn collective(&self, kind: CollectiveKind, bytes: Bytes, group: GroupShape) -> Time {
        self.plan(kind, bytes, group).time
    }

    /// The best algorithm for a collective.
    pub fn plan(&self, kind: CollectiveKind, bytes: Bytes, group: GroupShape) -> CollectivePlan {
        if group.ranks < 2 || bytes == Bytes::ZERO {
            return CollectivePlan {
                algorithm: Algorithm::None,
                time: Time::ZERO,
                bus: Bandwidth::ZERO,
                sent: Bytes::ZERO,
            };
        }
        let wire_bytes = kind.wire_share(group.ranks) * bytes.as_f64();
        let (algorithm, seconds) = match kind {
            CollectiveKind::AllToAll => (
                Algorithm::Pairwise,
                self.all_to_all(bytes.as_f64(), group).seconds(),
            ),
            _ => {
                let (best, seconds) = self.best(kind, wire_bytes, group);
                (best.algorithm, seconds)
            }
        };
        let sent = match algorithm {
            // The switch sums: a rank sends its buffer once.
            Algorithm::InSwitch | Algorithm::InSwitchTree => bytes,
            _ => Bytes::from_f64(wire_bytes),
        };
        CollectivePlan {
            algorithm,
            time: Time::from_seconds(seconds),
            bus: Bandwidth::new(wire_bytes / seconds),
            sent,
        }
    }

    /// The candidate that takes least time for a collective other than all-to-all, and its seconds.
    fn best(&self, kind: CollectiveKind, wire_bytes: f64, group: GroupShape) -> (Candidate, f64) {
        let ring = self.ring(kind, group);
        let others = match kind {
            CollectiveKind::AllReduce => [self.tree(group), self.in_switch(group)],
            _ => [None, None],
        };
        others
            .into_iter()
            .flatten()
            .fold((ring, ring.seconds(wire_bytes)), |best, candidate| {
                let seconds = candidate.seconds(wire_bytes);
                if seconds < best.1 {
                    (candidate, seconds)
                } else {
                    best
                }
            })
    }

    /// What a collective other than all-to-all puts on ports and NICs, by its best algorithm;
    /// nothing in a group of one.
    pub fn wire(&self, kind: CollectiveKind, bytes: Bytes, group: GroupShape) -> Wire {
        if group.ranks < 2 || bytes == Bytes::ZERO {
            return Wire::default();
        }
        let wire_bytes = kind.wire_share(group.ranks) * bytes.as_f64();
        let (best, seconds) = self.best(kind, wire_bytes, group);
        let port = best.in_node_bus;
        let nic = if group.domains < 2 {
            f64::INFINITY
        } else if best.bus < port {
            best.bus
        } else {
            self.nic_bus(group).max(port)
        };
        Wire {
            algorithm: Some(best.algorithm),
            fixed: Time::from_seconds((seconds - wire_bytes / best.bus).max(0.0)),
            bytes: Bytes::from_f64(wire_bytes),
            port: Bandwidth::new(port),
            nics: Bandwidth::new(nic),
        }
    }

    /// Seconds of latency, wire on NVLink and wire on NICs of the ring collective of an expert
    /// all-gather: its parts are loaded unequally.
    pub(super) fn ring_parts(
        &self,
        kind: CollectiveKind,
        bytes: f64,
        group: GroupShape,
    ) -> (f64, f64, f64) {
        let wire_bytes = kind.wire_share(group.ranks) * bytes;
        let ring = self.ring(kind, group);
        let inside = group.members() > 1;
        let nvlink = if inside {
            wire_bytes / ring.in_node_bus
        } else {
            0.0
        };
        let nic = if group.domains > 1 {
            wire_bytes / self.nic_bus(group)
        } else {
            0.0
        };
        (
            (ring.seconds(wire_bytes) - nvlink.max(nic)).max(0.0),
            nvlink,
            nic,
        )
    }

    /// What the NICs of a domain's members carry together, bytes/s.
    fn nic_bus(&self, group: GroupShape) -> f64 {
        self.profile.nic_efficiency.get()
            * self.nic_rate(group.domains, Pattern::Neighbours)
            * f64::from(group.members())
    }

    /// Bus rate of a ring inside a domain, bytes/s. A lone member has no ring there, and its port is
    /// no limit to its NIC.
    fn ring_bus(&self, group: GroupShape) -> f64 {
        let ring = self.profile.ring_efficiency.get() * self.port_rate(group.members());
        if group.members() < 2 && group.domains > 1 {
            ring.max(self.nic_bus(group))
        } else {
            ring
        }
    }

    fn ring(&self, kind: CollectiveKind, group: GroupShape) -> Candidate {
        let steps = &self.profile.ring_steps;
        let n = f64::from(group.ranks);
        let domains = f64::from(group.domains);
        let in_node_bus = self.ring_bus(group);
        let mut form = self.profile.ring;
        if kind == CollectiveKind::Broadcast {
            form.low_latency = self.profile.broadcast;
            form.simple = self.profile.broadcast;
        }
        let mut candidate = Candidate {
            algorithm: Algorithm::Ring,
            bus: in_node_bus,
            in_node_bus,
            form,
            latency_low: 0.0,
            latency_simple: 0.0,
        };
        if let Some(large) = self.large(group, form) {
            candidate.form = large;
            if group.domains > 1 {
                candidate.bus = self.across_domains(in_node_bus, group);
            }
            return candidate;
        }
        if group.domains < 2 {
            if kind == CollectiveKind::Broadcast {
                // One chunk passes n - 1 ranks, at the pace of the low-latency protocol.
                let walk = steps.low_latency.seconds() * (n - 1.0);
                candidate.latency_low = walk;
                candidate.latency_simple = walk;
            } else {
                // The intercepts hold the steps of eight ranks; fewer ranks, fewer steps.
                let further = self.ring_length(group.ranks) - f64::from(FITTED_RANKS);
                candidate.latency_low =
                    at_least(steps.low_latency.seconds() * further, form.low_latency);
                candidate.latency_simple =
                    at_least(steps.simple_one_node.seconds() * further, form.simple);
            }
            return candidate;
        }
        let facts = self.transport();
        let rounds = if kind == CollectiveKind::AllReduce {
            2.0
        } else {
            1.0
        };
        let inside = rounds * self.inside_steps(group);
        let across = rounds * (domains - 1.0);
        candidate.bus = in_node_bus.min(self.nic_bus(group));
        candidate.form.low_latency_rate = facts.low_latency_rate;
        candidate.form.fill = candidate.form.fill.max(facts.fill);
        candidate.latency_low =
            inside * steps.low_latency.seconds() + across * steps.low_latency_crossing.seconds();
        candidate.latency_simple =
            inside * steps.simple_many_nodes.seconds() + across * steps.simple_crossing.seconds();
        candidate
    }

    /// Steps of a ring over several domains that stay inside one.
    fn inside_steps(&self, group: GroupShape) -> f64 {
        if self.cluster.node.scale_up == ScaleUp::Torus {
            return self.ring_length(group.members()) - 1.0;
        }
        f64::from(group.ranks.saturating_sub(group.domains))
    }

    /// Rings in the nodes and a tree over them, where there are several nodes.
    fn tree(&self, group: GroupShape) -> Option<Candidate> {
        let bus = self.ring_bus(group);
        (group.domains > 1
            && self
                .profile
                .large_domain
                .is_none_or(|_| group.members() <= FITTED_RANKS))
        .then(|| self.over_tree(Algorithm::Tree, bus, self.profile.ring, group))
    }

    /// Reduction in the switches of the domain, and a tree over several domains.
    fn in_switch(&self, group: GroupShape) -> Option<Candidate> {
        let members = group.members();
        let form = self.profile.in_switch?;
        if !self.cluster.node.in_network_reduction || members < 4 {
            return None;
        }
        let gains = &self.profile.in_switch_gain;
        let gain = gains.get(members as usize - 4).or(gains.last())?.get();
        let in_node_bus = gain * self.ring_bus(group);
        if let Some(large) = self.large(group, form) {
            let several = group.domains > 1;
            return Some(Candidate {
                algorithm: if several {
                    Algorithm::InSwitchTree
                } else {
                    Algorithm::InSwitch
                },
                bus: if several {
                    self.across_domains(in_node_bus, group)
                } else {
                    in_node_bus
                },
                in_node_bus,
                form: large,
                latency_low: 0.0,
                latency_simple: 0.0,
            });
        }
        if group.domains > 1 {
            return Some(self.over_tree(Algorithm::InSwitchTree, in_node_bus, form, group));
        }
        Some(Candidate {
            algorithm: Algorithm::InSwitch,
            bus: in_node_bus,
            in_node_bus,
            form,
            latency_low: 0.0,
            latency_simple: 0.0,
        })
    }

    /// A tree over domains that each reach `in_node_bus`.
    fn over_tree(
        &self,
        algorithm: Algorithm,
        in_node_bus: f64,
        form: TimeForm,
        group: GroupShape,
    ) -> Candidate {
        let facts = self.transport();
        let n = f64::from(group.ranks);
        // On two nodes a tree sends S each way where a ring sends 2 S (n-1)/n.
        let doubled = if group.domains == 2 && facts.two_node_tree {
            (2.0 * (n - 1.0) / n).max(1.0)
        } else {
            1.0
        };
        let levels = 2.0 * tree_levels(group.domains);
        let hops = 2.0 * self.extra_hops(group.domains) * facts.switch_hop.seconds();
        Candidate {
            algorithm,
            bus: in_node_bus.min(doubled * self.nic_bus(group)),
            in_node_bus,
            form: TimeForm {
                low_latency_rate: facts.low_latency_rate,
                fill: form.fill.max(facts.fill),
                ..form
            },
            latency_low: levels * facts.tree_low_latency.seconds() + hops,
            latency_simple: levels * facts.tree_simple.seconds() + hops,
        }
    }

    /// Bus rate of large domains over their NICs: as one domain up to two of them.
    fn across_domains(&self, in_domain: f64, group: GroupShape) -> f64 {
        let mut bus = in_domain.min(self.nic_bus(group));
        if let (Some(large), true) = (self.profile.large_domain, group.domains > 2) {
            bus = bus.min(large.beyond_two_domains.get() * self.ring_bus(group));
        }
        bus
    }

    /// The time form of a domain of more than eight members, interpolated in the number of ranks up
    /// to a full domain; `None` for groups of up to eight in a domain.
    fn large(&self, group: GroupShape, eight: TimeForm) -> Option<TimeForm> {
        let large = self.profile.large_domain?;
        if group.members() <= FITTED_RANKS {
            return None;
        }
        let n = f64::from(group.ranks);
        let full = f64::from(large.ranks);
        let intercept = |ranks: f64| large.intercept.seconds() + large.per_rank.seconds() * ranks;
        let part = ((n - f64::from(FITTED_RANKS)) / (full - f64::from(FITTED_RANKS))).min(1.0);
        let between = |low: Time, high: f64| low.seconds() + part * (high - low.seconds());
        let (simple, fill) = if n < full {
            (
                between(eight.simple, intercept(full)),
                between(eight.fill, large.fill.seconds()),
            )
        } else {
            (intercept(n), large.fill.seconds())
        };
        let further = n - f64::from(FITTED_RANKS);
        Some(TimeForm {
            low_latency: Time::from_seconds(
                eight.low_latency.seconds()
                    + self.profile.ring_steps.low_latency.seconds() * further,
            ),
            low_latency_rate: eight.low_latency_rate,
            simple: Time::from_seconds(simple),
            fill: Time::from_seconds(fill),
        })
    }

    pub(super) fn transport(&self) -> &super::profile::TransportFacts {
        self.profile.transport.of(self.cluster.fabric.transport)
    }
}

/// A shortening of an intercept that leaves a quarter of it.
fn at_least(change: f64, intercept: Time) -> f64 {
    change.max(-0.75 * intercept.seconds())
}

/// Levels of a binary tree over `domains`: log2, linear between powers of two.
fn tree_levels(domains: u32) -> f64 {
    let floor = domains.max(1).ilog2();
    let below = f64::from(1_u32 << floor);
    f64::from(floor) + (f64::from(domains) - below) / below
}
