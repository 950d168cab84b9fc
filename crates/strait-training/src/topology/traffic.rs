//! Collectives, exchanges and messages as templates.
//!
//! In: what is sent among which accelerators. Out: flows with shares and costs. Never waits for
//! anybody and never adds latency to a flow.
//!
//! - Rings (and trees, which load each NIC alike): as many rings as a domain has members, each in
//!   and out by the NICs of one member; a ring is one flow over all its links, because a chunk
//!   goes on as fast as its slowest link.
//! - All-to-all: a flow for each pair.
//! - Dispatch and combine: part 0 a flow for each rank and remote domain, one copy for each that
//!   holds an expert; part 1 a flow for each pair inside a domain, forwarded copies included. The
//!   two run side by side: a forwarded copy does not wait for its arrival.
//! - Message: one flow.
//!
//! Very large all-to-alls are added up to one flow over all links (a coflow from the start).

use super::route::Step;
use super::{Shape, Topology, TopologyError};
use crate::case::Dispatcher;
use crate::hardware::ScaleUp;
use crate::links::{CollectiveKind, Direction, Exchange, GroupShape};
use strait_sim::net::{Hop, LinkId, Template};
use strait_units::{Bytes, Ratio, Time};

/// Pairs from which on an all-to-all is one flow over all its links: 512 ranks.
const ADD_UP_FROM: usize = 1 << 18;

/// What a transfer puts on links, and what it takes beside that.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its flows.
    pub template: Template,
    /// Latency and start-up, before or after its bytes.
    pub fixed: Time,
    /// Size of each part.
    pub sizes: Vec<Bytes>,
}

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pattern {
    Rings,
    AllPairs,
    Deduplicated,
    Message,
}

/// A pattern with what a byte costs of a port and of the network, and the sizes of its parts.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    pub pattern: Pattern,
    pub port_cost: f64,
    pub network_cost: f64,
    pub fixed: Time,
    pub sizes: Vec<Bytes>,
}

/// Members of a group by domain, in order.
pub(super) struct Group {
    domains: Vec<Vec<u32>>,
    shape: GroupShape,
}

impl Group {
    fn new(members: &[u32], at: &Shape) -> Group {
        let mut domains: Vec<Vec<u32>> = Vec::new();
        let mut places: Vec<(u32, usize)> = Vec::new();
        for &member in members {
            let domain = member / at.domain;
            match places.binary_search_by_key(&domain, |place| place.0) {
                Ok(place) => domains[places[place].1].push(member),
                Err(place) => {
                    places.insert(place, (domain, domains.len()));
                    domains.push(vec![member]);
                }
            }
        }
        let shape = GroupShape {
            ranks: members.len() as u32,
            per_domain: domains.iter().map(Vec::len).max().unwrap_or(0) as u32,
            domains: domains.len() as u32,
        };
        Group { domains, shape }
    }
}

/// Cost of a byte: capacity over the rate that is reached.
fn cost(capacity: f64, bytes: f64, seconds: f64) -> f64 {
    if bytes > 0.0 && seconds > 0.0 {
        capacity * seconds / bytes
    } else {
        1.0
    }
}

impl Topology {
    pub(super) fn group(&self, members: &[u32]) -> Result<Group, TopologyError> {
        let of = self.shape.accelerators;
        if let Some(&accelerator) = members.iter().find(|&&member| member >= of) {
            return Err(TopologyError::NoAccelerator { accelerator, of });
        }
        Ok(Group::new(members, &self.shape))
    }

    fn port_rate(&self) -> f64 {
        self.flat.accelerator.scale_up.get()
    }

    fn nic_rate(&self) -> f64 {
        self.flat.node.nic_bandwidth.get()
    }

    /// A collective over `bytes` (the full buffer) among members in ring order.
    ///
    /// # Errors
    /// [`TopologyError`] if a member is not of the cluster or cannot be reached.
    pub fn collective(
        &self,
        kind: CollectiveKind,
        bytes: Bytes,
        members: &[u32],
    ) -> Result<Placed, TopologyError> {
        let group = self.group(members)?;
        let traffic = self.collective_traffic(kind, bytes, &group)?;
        self.place(traffic, &group)
    }

    pub(super) fn collective_traffic(
        &self,
        kind: CollectiveKind,
        bytes: Bytes,
        group: &Group,
    ) -> Result<Traffic, TopologyError> {
        if kind == CollectiveKind::AllToAll {
            let all_to_all = Exchange {
                dispatcher: Dispatcher::AllToAll,
                direction: Direction::Combine,
                tokens: 1,
                hidden: 1,
                bytes_per_token: bytes.as_f64(),
                top_k: 1,
                experts: group.shape.ranks,
                routing_groups: 1,
                group_limit: 1,
                node_limit: None,
                group: group.shape,
                beside_compute: false,
                fresh_handle: false,
            };
            return self.exchange_traffic(&all_to_all, group);
        }
        let wire = self.links()?.wire(kind, bytes, group.shape);
        let members = f64::from(group.shape.per_domain.max(1));
        // Each NIC carries the rings of one member.
        let nics = wire.nics.get() / members;
        Ok(Traffic {
            pattern: Pattern::Rings,
            port_cost: self.port_rate() / wire.port.get().max(1.0),
            network_cost: if nics.is_finite() && nics > 0.0 {
                self.nic_rate() / nics
            } else {
                1.0
            },
            fixed: wire.fixed,
            sizes: vec![wire.bytes],
        })
    }

    /// An exchange of tokens among the members of an expert-parallel group; the group of the
    /// exchange is taken from the members.
    ///
    /// # Errors
    /// [`TopologyError`] if a member is not of the cluster or cannot be reached.
    pub fn exchange(&self, exchange: &Exchange, members: &[u32]) -> Result<Placed, TopologyError> {
        let group = self.group(members)?;
        let traffic = self.exchange_traffic(exchange, &group)?;
        self.place(traffic, &group)
    }

    pub(super) fn exchange_traffic(
        &self,
        exchange: &Exchange,
        group: &Group,
    ) -> Result<Traffic, TopologyError> {
        let exchange = Exchange {
            group: group.shape,
            ..*exchange
        };
        let time = self.links()?.exchange(&exchange);
        let rank = |bytes: Bytes, time: Time, capacity: f64| {
            cost(capacity, bytes.as_f64(), time.seconds())
        };
        let port_cost = rank(time.nvlink_bytes, time.nvlink, self.port_rate());
        let network_cost = rank(time.nic_bytes, time.nic, self.nic_rate());
        let (pattern, sizes) = match exchange.dispatcher {
            Dispatcher::Deduplicated => (
                Pattern::Deduplicated,
                vec![time.nic_bytes, time.nvlink_bytes],
            ),
            Dispatcher::AllToAll => {
                // What a rank sends, its own part included.
                let n = f64::from(group.shape.ranks.max(2));
                let sent = time.nic_bytes.as_f64() + time.nvlink_bytes.as_f64();
                (
                    Pattern::AllPairs,
                    vec![Bytes::from_f64(sent * n / (n - 1.0))],
                )
            }
            Dispatcher::AllGather => {
                let moved = time.nvlink_bytes.as_f64();
                let members = f64::from(group.shape.per_domain.max(1));
                let moved = moved.max(time.nic_bytes.as_f64() * members);
                (Pattern::Rings, vec![Bytes::from_f64(moved)])
            }
        };
        Ok(Traffic {
            pattern,
            port_cost,
            network_cost,
            fixed: time.fixed,
            sizes,
        })
    }

    /// A message.
    ///
    /// # Errors
    /// [`TopologyError`] if an end is not of the cluster or cannot be reached.
    pub fn message(&self, bytes: Bytes, from: u32, to: u32) -> Result<Placed, TopologyError> {
        let group = self.group(&[from, to])?;
        let traffic = self.message_traffic(bytes, from, to)?;
        self.place(traffic, &group)
    }

    pub(super) fn message_traffic(
        &self,
        bytes: Bytes,
        from: u32,
        to: u32,
    ) -> Result<Traffic, TopologyError> {
        let links = self.links()?;
        let crosses = from / self.shape.domain != to / self.shape.domain;
        // A terabyte's time beyond an empty message's is all rate.
        let probe = Bytes::new(1_000_000_000_000);
        let rate_cost = |crosses: bool, capacity: f64| {
            let start = links.point_to_point(Bytes::ZERO, crosses).seconds();
            let seconds = links.point_to_point(probe, crosses).seconds() - start;
            cost(capacity, probe.as_f64(), seconds)
        };
        let port_cost = if self.port_rate() > 0.0 {
            rate_cost(false, self.port_rate())
        } else {
            1.0
        };
        Ok(Traffic {
            pattern: Pattern::Message,
            port_cost,
            network_cost: if crosses {
                rate_cost(true, self.nic_rate())
            } else {
                1.0
            },
            fixed: links.point_to_point(Bytes::ZERO, crosses),
            sizes: vec![bytes],
        })
    }

    fn place(&self, traffic: Traffic, group: &Group) -> Result<Placed, TopologyError> {
        let (_, ids) = self.net_links()?;
        Ok(Placed {
            template: self.template(&traffic, group, &ids)?,
            fixed: traffic.fixed,
            sizes: traffic.sizes,
        })
    }

    /// The flows of a pattern among a group, on links with these numbers.
    pub(super) fn template(
        &self,
        traffic: &Traffic,
        group: &Group,
        ids: &[LinkId],
    ) -> Result<Template, TopologyError> {
        let n = group.shape.ranks as usize;
        let add_up = traffic.pattern == Pattern::AllPairs && n * n >= ADD_UP_FROM;
        let mut flows = Flows {
            template: Template::new(),
            sums: add_up.then(|| vec![0.0; ids.len()]),
            ids,
            costs: [self.port_cost(traffic, group), traffic.network_cost],
            hops: Vec::new(),
        };
        if n > 1 {
            match traffic.pattern {
                Pattern::Rings => self.rings(group, &mut flows)?,
                Pattern::AllPairs => self.all_pairs(group, &mut flows)?,
                Pattern::Deduplicated => self.deduplicated(group, &mut flows)?,
                Pattern::Message => {
                    let all: Vec<u32> = group.domains.iter().flatten().copied().collect();
                    let mut steps = Vec::new();
                    self.route(all[0], all[1], &mut steps)?;
                    flows.push(0, 1.0, 0, &steps)?;
                }
            }
        }
        flows.finish()
    }

    /// Cost of a scale-up hop. Links of a mesh are a peer's share of the port; costs are given of
    /// the port that as many peers share as the group has in a domain.
    fn port_cost(&self, traffic: &Traffic, group: &Group) -> f64 {
        if self.shape.scale_up != ScaleUp::Mesh {
            return traffic.port_cost;
        }
        let used = group.shape.per_domain.saturating_sub(1).max(1);
        let peers = self.shape.domain.saturating_sub(1).max(1);
        traffic.port_cost * f64::from(used) / f64::from(peers)
    }

    fn rings(&self, group: &Group, flows: &mut Flows<'_>) -> Result<(), TopologyError> {
        let rings = group.shape.per_domain as usize;
        let mesh = self.shape.scale_up == ScaleUp::Mesh;
        let host = self.shape.scale_up == ScaleUp::Pcie;
        let across = group.domains.len() > 1;
        let mut steps = Vec::new();
        for ring in 0..rings {
            steps.clear();
            let mut spread = Vec::new();
            for (at, members) in group.domains.iter().enumerate() {
                let count = members.len();
                let member = |k: usize| members[(ring + k) % count];
                if mesh && count > 1 {
                    // Rings of a mesh take turns over all its links.
                    for &from in members {
                        for &to in members.iter().filter(|&&to| to != from) {
                            spread.push((self.shape.pair(from, to), 1.0 / (count - 1) as f64));
                        }
                    }
                } else if count > 1 {
                    // In by the first member's NIC, around, and back to it to leave: where NICs
                    // hang on the scale-up links themselves, the last member sends.
                    let back = usize::from(!across || !host);
                    for k in 0..count - 1 + back {
                        self.inside(member(k), member(k + 1), &mut steps)?;
                    }
                }
                if across {
                    let next = &group.domains[(at + 1) % group.domains.len()];
                    let from = member(if host { count - 1 } else { 0 });
                    self.route(from, next[ring % next.len()], &mut steps)?;
                }
            }
            flows.push_spread(0, 1.0 / rings as f64, ring as u32, &steps, &spread)?;
        }
        Ok(())
    }

    fn all_pairs(&self, group: &Group, flows: &mut Flows<'_>) -> Result<(), TopologyError> {
        let share = 1.0 / f64::from(group.shape.ranks);
        let mut steps = Vec::new();
        let mut bundle = 0;
        for &from in group.domains.iter().flatten() {
            for domain in &group.domains {
                bundle += 1;
                for &to in domain.iter().filter(|&&to| to != from) {
                    steps.clear();
                    self.route(from, to, &mut steps)?;
                    flows.push(0, share, bundle, &steps)?;
                }
            }
        }
        Ok(())
    }

    fn deduplicated(&self, group: &Group, flows: &mut Flows<'_>) -> Result<(), TopologyError> {
        let mut steps = Vec::new();
        let domains = group.domains.len();
        for (at, members) in group.domains.iter().enumerate() {
            for (local, &from) in members.iter().enumerate() {
                for (other, there) in group.domains.iter().enumerate() {
                    if other == at {
                        continue;
                    }
                    let (out, back) = self.nics(from, there[local % there.len()])?;
                    steps.clear();
                    if out != from && self.shape.scale_up != ScaleUp::Pcie {
                        self.inside(from, out, &mut steps)?;
                    }
                    self.between(out, back, &mut steps);
                    let share = 1.0 / (domains - 1) as f64;
                    flows.push(0, share, flows.template.len() as u32, &steps)?;
                }
                let share = 1.0 / (members.len() - 1).max(1) as f64;
                for &to in members.iter().filter(|&&to| to != from) {
                    steps.clear();
                    self.inside(from, to, &mut steps)?;
                    flows.push(1, share, from, &steps)?;
                }
            }
        }
        flows.template.reserve_parts(2);
        Ok(())
    }
}

/// Collects flows, or their sum.
struct Flows<'a> {
    template: Template,
    /// Demand on each link of a unit of part 0, where flows are added up.
    sums: Option<Vec<f64>>,
    ids: &'a [LinkId],
    /// Of a scale-up and of a network hop.
    costs: [f64; 2],
    hops: Vec<Hop>,
}

impl Flows<'_> {
    fn push(
        &mut self,
        part: u32,
        share: f64,
        bundle: u32,
        steps: &[Step],
    ) -> Result<(), TopologyError> {
        self.push_spread(part, share, bundle, steps, &[])
    }

    /// A flow with steps, and scale-up links of which it takes a share.
    fn push_spread(
        &mut self,
        part: u32,
        share: f64,
        bundle: u32,
        steps: &[Step],
        spread: &[(u32, f64)],
    ) -> Result<(), TopologyError> {
        let costs = self.costs;
        let hops = (steps
            .iter()
            .map(|s| (s.link, costs[usize::from(s.network)])))
        .chain(spread.iter().map(|&(link, part)| (link, costs[0] * part)));
        if let Some(sums) = &mut self.sums {
            for (link, cost) in hops {
                sums[link as usize] += share * cost;
            }
            return Ok(());
        }
        self.hops.clear();
        let ids = self.ids;
        self.hops.extend(hops.map(|(link, cost)| Hop {
            link: ids[link as usize],
            cost: Ratio::new(cost),
        }));
        (self.template).flow(part, Ratio::new(share), bundle, &self.hops)?;
        Ok(())
    }

    fn finish(mut self) -> Result<Template, TopologyError> {
        if let Some(sums) = self.sums.take() {
            self.hops.clear();
            let used = (self.ids.iter().zip(&sums)).filter(|(_, sum)| **sum > 0.0);
            self.hops.extend(used.map(|(&link, &sum)| Hop {
                link,
                cost: Ratio::new(sum),
            }));
            self.template.flow(0, Ratio::new(1.0), 0, &self.hops)?;
        }
        Ok(self.template)
    }
}
