//! What of a port's and a NIC's rate is there for a group.
//!
//! In: the cluster's rates, a group, the pattern of traffic. Out: bytes per second before protocol
//! efficiency, and switch hops. Never knows collectives' algorithms or latencies.

use super::{GroupShape, Links};
use crate::hardware::ScaleUp;

/// Who sends to whom between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Each node to the next of a ring or tree.
    Neighbours,
    /// Each node to every other.
    AllPairs,
}

impl Links<'_> {
    /// One-way scale-up rate of a rank for collectives of `members` ranks of a domain, bytes/s.
    pub(super) fn port_rate(&self, members: u32) -> f64 {
        let port = self.cluster.accelerator.scale_up.get();
        match self.cluster.node.scale_up {
            ScaleUp::Switched | ScaleUp::Pcie => port,
            // One share of the ports goes to each peer of the node: fewer members, fewer shares.
            ScaleUp::Mesh => {
                let peers = self.cluster.node.accelerators.saturating_sub(1).max(1);
                port * (f64::from(members.saturating_sub(1).max(1)) / f64::from(peers)).min(1.0)
            }
            // A group that fills one axis has the two ports of that axis.
            ScaleUp::Torus => port * f64::from(self.torus_axes(members)) / f64::from(self.axes()),
        }
    }

    /// One-way scale-up rate of a rank when every member sends to every other, bytes/s.
    pub(super) fn all_pairs_rate(&self, members: u32) -> f64 {
        let rate = self.port_rate(members);
        match self.cluster.node.scale_up {
            // Uniform traffic on a ring of s with wrap-around travels s/4 hops along each axis, and
            // each hop takes a port's time.
            ScaleUp::Torus => {
                let (axes, side) = self.torus_shape(members);
                rate / (axes * side / 4.0).max(1.0)
            }
            _ => rate,
        }
    }

    /// One-way scale-up rate between two ranks of a domain, bytes/s.
    pub(super) fn pair_rate(&self) -> f64 {
        let port = self.cluster.accelerator.scale_up.get();
        match self.cluster.node.scale_up {
            ScaleUp::Switched | ScaleUp::Pcie => port,
            ScaleUp::Mesh => {
                port / f64::from(self.cluster.node.accelerators.saturating_sub(1).max(1))
            }
            ScaleUp::Torus => port / f64::from(2 * self.axes()),
        }
    }

    /// NIC rate of one rank towards other domains, with what an oversubscribed fabric leaves, bytes/s.
    pub(super) fn nic_rate(&self, domains: u32, pattern: Pattern) -> f64 {
        self.cluster.node.nic_bandwidth.get() / self.thinning(domains, pattern)
    }

    /// How many times less than its NIC a group gets where it leaves a leaf or a pod.
    ///
    /// Of `m` domains of a group under one leaf only one sends upwards in a ring, and the leaf's
    /// uplinks carry `m / oversubscription` NICs: a ring is slowed by `oversubscription / m`. In an
    /// all-to-all `(domains - m) / (domains - 1)` of all traffic goes up.
    fn thinning(&self, domains: u32, pattern: Pattern) -> f64 {
        if domains < 2 {
            return 1.0;
        }
        let fabric = &self.cluster.fabric;
        let span = self.span_domains(domains);
        let leaf = (fabric.layers > 1).then(|| (self.leaf_domains(), fabric.oversubscription));
        let pod = fabric
            .pod
            .map(|(accelerators, ratio)| (f64::from(accelerators) / self.domain_size(), ratio));
        let mut slowest = 1.0_f64;
        for (reach, ratio) in leaf.into_iter().chain(pod) {
            if span <= reach || ratio <= 1.0 {
                continue;
            }
            let members = (f64::from(domains) * reach / span).max(1.0);
            let slow = match pattern {
                Pattern::Neighbours => ratio / members,
                Pattern::AllPairs => {
                    ratio * (f64::from(domains) - members) / f64::from(domains - 1)
                }
            };
            slowest = slowest.max(slow.min(ratio));
        }
        slowest
    }

    /// Switches beyond the first on the longest path of a group.
    pub(super) fn extra_hops(&self, domains: u32) -> f64 {
        if domains < 2 || self.cluster.fabric.layers < 2 {
            return 0.0;
        }
        let span = self.span_domains(domains);
        let leaf = self.leaf_domains();
        if span <= leaf {
            0.0
        } else if self.cluster.fabric.layers < 3
            || span <= leaf * f64::from(self.cluster.fabric.radix) / 2.0
        {
            2.0
        } else {
            4.0
        }
    }

    /// Domains from the first to the last of a group.
    fn span_domains(&self, domains: u32) -> f64 {
        self.span.map_or(f64::from(domains), |span| {
            let span = span.min(self.cluster.ranks());
            (f64::from(span) / self.domain_size()).max(f64::from(domains))
        })
    }

    fn domain_size(&self) -> f64 {
        f64::from(self.cluster.node.accelerators.max(1))
    }

    /// Domains that share a leaf switch on each plane. Rails that are planes of their own put one
    /// NIC of a node under a leaf, so that as many nodes fit as the leaf has downlinks.
    fn leaf_domains(&self) -> f64 {
        let fabric = &self.cluster.fabric;
        let down =
            f64::from(fabric.radix) * fabric.oversubscription / (1.0 + fabric.oversubscription);
        let rails = f64::from(fabric.planes.max(1)).min(self.domain_size());
        (down * rails / self.domain_size()).max(1.0)
    }

    fn axes(&self) -> u32 {
        self.profile.torus.map_or(1, |torus| torus.axes.max(1))
    }

    /// Axes of a group of neighbours and its length along each.
    fn torus_shape(&self, members: u32) -> (f64, f64) {
        let n = f64::from(members);
        match self.torus_axes(members) {
            1 => (1.0, n),
            2 => (2.0, n.sqrt()),
            axes => (f64::from(axes), libm::cbrt(n)),
        }
    }

    /// Ranks that a chunk passes inside a domain: all of them in one ring, or the ring of each axis
    /// in turn.
    pub(super) fn ring_length(&self, members: u32) -> f64 {
        if self.cluster.node.scale_up != ScaleUp::Torus {
            return f64::from(members);
        }
        let (axes, side) = self.torus_shape(members);
        1.0 + axes * (side - 1.0)
    }

    /// Axes that a group of `members` neighbours spans.
    fn torus_axes(&self, members: u32) -> u32 {
        let side = self
            .profile
            .torus
            .map_or(2, |torus| u64::from(torus.side.max(2)));
        let mut reach = side;
        let mut axes = 1;
        while axes < self.axes() && reach < u64::from(members) {
            reach = reach.saturating_mul(side);
            axes += 1;
        }
        axes
    }
}

impl GroupShape {
    /// Members of a domain, at least one and no more than there are ranks.
    pub(super) fn members(&self) -> u32 {
        self.per_domain.clamp(1, self.ranks.max(1))
    }
}
