//! Expert dispatch and combine: tokens to the ranks of their experts and back.
//!
//! In: tokens, gate, group and dispatcher. Out: bytes and time on the NIC and on NVLink, kept apart
//! because load spreads differently on them. Never draws loads (see [`super::routing`]) and never waits for
//! the slowest rank: that is the simulation's part.

use super::path::Pattern;
use super::routing::{FanOut, Gate};
use super::{CollectiveKind, GroupShape, Links};
use crate::case::Dispatcher;
use strait_units::{Bytes, Ratio, Time};

/// Which way tokens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the experts.
    Dispatch,
    /// Back, summed.
    Combine,
}

/// One exchange of one layer and micro-batch, as one rank sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// How tokens travel.
    pub dispatcher: Dispatcher,
    /// Which way.
    pub direction: Direction,
    /// Tokens of one rank.
    pub tokens: u64,
    /// Hidden size.
    pub hidden: u32,
    /// Bytes of a token on the wire: 2 per element in BF16, 1 + 4/128 in FP8 with block scales
    /// (7392 at a hidden size of 7168).
    pub bytes_per_token: f64,
    /// Experts of a token.
    pub top_k: u32,
    /// Routed experts of the layer.
    pub experts: u32,
    /// Groups of experts that the gate ranks; 1 where it ranks none.
    pub routing_groups: u32,
    /// Groups that a token may reach.
    pub group_limit: u32,
    /// Nodes that a token may reach; `None`: no limit.
    pub node_limit: Option<u32>,
    /// The expert-parallel group.
    pub group: GroupShape,
    /// Compute runs on the same accelerator at the same time.
    pub beside_compute: bool,
    /// Counts have to be exchanged first (a forward dispatch; later ones reuse its handle).
    pub fresh_handle: bool,
}

/// Which path takes longer at mean load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The network between nodes.
    Nic,
    /// The scale-up network.
    NvLink,
}

/// Time and bytes of an exchange, by path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExchangeTime {
    /// Independent of load.
    pub fixed: Time,
    /// On the NIC, at mean load.
    pub nic: Time,
    /// On NVLink, at mean load.
    pub nvlink: Time,
    /// Bytes that a rank sends (and at mean load receives) by its NIC.
    pub nic_bytes: Bytes,
    /// Bytes that a rank receives by NVLink, forwarded copies included.
    pub nvlink_bytes: Bytes,
}

impl ExchangeTime {
    /// Time at a load of NIC and NVLink over the mean.
    pub fn at(&self, nic_load: Ratio, nvlink_load: Ratio) -> Time {
        self.fixed
            + self
                .nic
                .scaled(nic_load.get())
                .max(self.nvlink.scaled(nvlink_load.get()))
    }

    /// Time at mean load.
    pub fn mean(&self) -> Time {
        self.fixed + self.nic.max(self.nvlink)
    }

    /// The path that takes longer at mean load.
    pub fn bound(&self) -> Bound {
        if self.nic > self.nvlink {
            Bound::Nic
        } else {
            Bound::NvLink
        }
    }
}

impl Exchange {
    /// Expected copies of a token.
    pub fn fan_out(&self) -> FanOut {
        let gate = Gate {
            experts: self.experts,
            top_k: self.top_k,
            groups: self.routing_groups,
            group_limit: self.group_limit,
            node_limit: self.node_limit,
        };
        FanOut::of(&gate, self.group)
    }
}

impl Links<'_> {
    /// Time and bytes of an exchange; nothing at all in a group of one.
    pub fn exchange(&self, e: &Exchange) -> ExchangeTime {
        if e.group.ranks < 2 || e.tokens == 0 {
            return ExchangeTime::default();
        }
        let mut parts = match e.dispatcher {
            Dispatcher::Deduplicated => self.deduplicated(e),
            Dispatcher::AllToAll => self.pairwise(e),
            Dispatcher::AllGather => self.gathered(e),
        };
        if e.beside_compute {
            // Fewer SMs move the bytes: it slows the wire, not the start.
            parts.nic /= self.profile.expert.beside_compute.get();
            parts.nvlink /= self.profile.expert.beside_compute.get();
        }
        if e.fresh_handle && e.direction == Direction::Dispatch {
            parts.fixed += self.profile.expert.fresh_handle.seconds();
        }
        ExchangeTime {
            fixed: Time::from_seconds(parts.fixed),
            nic: Time::from_seconds(parts.nic),
            nvlink: Time::from_seconds(parts.nvlink),
            nic_bytes: Bytes::from_f64(parts.nic_bytes),
            nvlink_bytes: Bytes::from_f64(parts.nvlink_bytes),
        }
    }

    /// One copy to each node that holds an expert of the token, forwarded there to each rank.
    fn deduplicated(&self, e: &Exchange) -> Parts {
        let rates = &self.profile.expert;
        let fan_out = e.fan_out();
        let payload = e.tokens as f64 * e.bytes_per_token;
        let domains = f64::from(e.group.domains.max(1));
        let members = f64::from(e.group.members());
        let nic_bytes = payload * fan_out.nodes.get() * (1.0 - 1.0 / domains);
        let nvlink_bytes = payload * fan_out.ranks.get() * (1.0 - 1.0 / members);
        let (scale_up, nic) = if e.group.domains > 1 {
            let nic = rates.nic.get() * self.nic_rate(e.group.domains, Pattern::AllPairs);
            (rates.scale_up_forwarding, nic_bytes / nic)
        } else {
            (rates.scale_up_one_node, 0.0)
        };
        let nvlink = if nvlink_bytes > 0.0 {
            nvlink_bytes / (scale_up.get() * self.all_pairs_rate(e.group.members()))
        } else {
            0.0
        };
        Parts {
            fixed: rates.startup.seconds(),
            nic,
            nvlink,
            nic_bytes,
            nvlink_bytes,
        }
    }

    /// One copy for each expert, straight to its rank.
    fn pairwise(&self, e: &Exchange) -> Parts {
        let copies = e.tokens as f64 * f64::from(e.top_k) * e.bytes_per_token;
        let parts = self.all_to_all(copies, e.group);
        Parts {
            fixed: parts.fixed,
            nic: parts.nic.1,
            nvlink: parts.nvlink.1,
            nic_bytes: parts.nic.0,
            nvlink_bytes: parts.nvlink.0,
        }
    }

    /// Every token to every rank.
    fn gathered(&self, e: &Exchange) -> Parts {
        let kind = match e.direction {
            Direction::Dispatch => CollectiveKind::AllGather,
            Direction::Combine => CollectiveKind::ReduceScatter,
        };
        let all = e.tokens as f64 * f64::from(e.group.ranks) * e.bytes_per_token;
        let (fixed, nvlink, nic) = self.ring_parts(kind, all, e.group);
        let moved = kind.wire_share(e.group.ranks) * all;
        let nic_bytes = if e.group.domains > 1 {
            moved / f64::from(e.group.members())
        } else {
            0.0
        };
        Parts {
            fixed,
            nic,
            nvlink,
            nic_bytes,
            nvlink_bytes: if e.group.members() > 1 { moved } else { 0.0 },
        }
    }
}

/// Seconds and bytes of an exchange.
struct Parts {
    fixed: f64,
    nic: f64,
    nvlink: f64,
    nic_bytes: f64,
    nvlink_bytes: f64,
}
