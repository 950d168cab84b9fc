//! Transfers between two ranks, and the plain all-to-all that is made of them.
//!
//! In: bytes and whether they leave the domain. Out: seconds. Never adds the wait for a partner.

use super::path::Pattern;
use super::{GroupShape, Links};
use strait_units::{Bytes, Time};

/// An all-to-all in parts: bytes and rates of both paths.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllToAllParts {
    /// Seconds that do not depend on bytes.
    pub fixed: f64,
    /// Bytes of a rank over its scale-up port, and seconds for them.
    pub nvlink: (f64, f64),
    /// Bytes of a rank over its NIC, and seconds for them.
    pub nic: (f64, f64),
}

impl AllToAllParts {
    /// Both paths side by side.
    pub(super) fn seconds(&self) -> f64 {
        self.fixed + self.nvlink.1.max(self.nic.1)
    }
}

impl Links<'_> {
    /// Time of one message, `crosses_domains` or inside a scale-up domain.
    pub fn point_to_point(&self, bytes: Bytes, crosses_domains: bool) -> Time {
        let facts = &self.profile.point_to_point;
        let start = facts.latency.seconds();
        let seconds = if crosses_domains {
            let transport = self.transport();
            start
                + transport.tree_low_latency.seconds()
                + self.extra_hops(2) * transport.switch_hop.seconds()
                + bytes.as_f64()
                    / (self.profile.nic_efficiency.get() * self.nic_rate(2, Pattern::Neighbours))
        } else {
            let rate = facts.scale_up.get() * self.pair_rate();
            let rate = facts.limit.map_or(rate, |limit| rate.min(limit.get()));
            start + bytes.as_f64() / rate
        };
        Time::from_seconds(seconds)
    }

    /// `bytes` of each rank spread evenly over all `group` ranks, its own part staying.
    pub(super) fn all_to_all(&self, bytes: f64, group: GroupShape) -> AllToAllParts {
        let facts = &self.profile.all_to_all;
        let n = f64::from(group.ranks.max(1));
        let p = f64::from(group.members());
        let local = bytes * (p - 1.0) / n;
        let remote = bytes * (n - p).max(0.0) / n;
        let over = |bytes: f64, rate: f64| if bytes > 0.0 { bytes / rate } else { 0.0 };
        AllToAllParts {
            // The floor is that of eight ranks.
            fixed: facts.floor.seconds() + facts.per_rank.seconds() * (n - 8.0).max(0.0),
            nvlink: (
                local,
                over(
                    local,
                    facts.scale_up.get() * self.all_pairs_rate(group.members()),
                ),
            ),
            nic: (
                remote,
                over(
                    remote,
                    self.all_to_all_nic_share(group.domains)
                        * self.nic_rate(group.domains, Pattern::AllPairs),
                ),
            ),
        }
    }

    /// Share of the NIC rate that pairwise messages reach, linear between the fitted node counts.
    fn all_to_all_nic_share(&self, domains: u32) -> f64 {
        let facts = &self.profile.all_to_all;
        let points = [
            (2.0, facts.nic_2_nodes.get()),
            (4.0, facts.nic_4_nodes.get()),
            (8.0, facts.nic_8_nodes.get()),
            (16.0, facts.nic_16_nodes.get()),
        ];
        super::routing::piecewise(&points, f64::from(domains))
    }
}
