//! The templates of a job, each made and refined once.
//!
//! In: collectives, exchanges and messages as they come up. Out: tickets, and in the end a plan.
//! Never makes a template twice: the same pattern among the same members at the same costs (to a
//! millionth) is one, whatever it carries.

use super::traffic::{Pattern, Traffic};
use super::{Topology, TopologyError};
use crate::links::{CollectiveKind, Exchange};
use std::collections::BTreeMap;
use strait_sim::net::{Grain, LinkId, Links, Plan, PlanBuilder, TemplateId};
use strait_units::{Bandwidth, Bytes, Time};

/// How to start a transfer on the plan's network, and what to add to its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// Its template; `None` where nothing is sent.
    pub template: Option<TemplateId>,
    /// Latency and start-up.
    pub fixed: Time,
    /// Size of each part: for dispatch and combine the network's and the scale-up network's, each
    /// to be scaled by its load over the mean.
    pub sizes: Vec<Bytes>,
}

/// Copy of the links, grain, pattern, costs (rounded), members in order.
type Key = (u8, Grain, Pattern, [u64; 2], Vec<u32>);

/// Costs that differ by less than this part of 1 are one: they come out of times in whole ticks.
const COST_STEPS: f64 = 1_048_576.0;

/// Collects templates on one topology.
#[derive(Debug)]
pub struct Templates<'a> {
    topology: &'a Topology,
    builder: PlanBuilder,
    /// Links of each copy, end to end.
    ids: Vec<LinkId>,
    copy: u8,
    grain: Grain,
    known: BTreeMap<Key, TemplateId>,
    flows: usize,
}

impl<'a> Templates<'a> {
    /// None yet; all at one grain.
    ///
    /// # Errors
    /// [`TopologyError::Network`] if a capacity is not a number.
    pub fn new(topology: &'a Topology, grain: Grain) -> Result<Templates<'a>, TopologyError> {
        Templates::copies(topology, grain, 1)
    }

    /// None yet, on as many copies of the links as asked for: what is on different copies is never
    /// in each other's way. See [`Templates::on`].
    ///
    /// # Errors
    /// [`TopologyError::Network`] if a capacity is not a number.
    pub fn copies(
        topology: &'a Topology,
        grain: Grain,
        copies: u8,
    ) -> Result<Templates<'a>, TopologyError> {
        let mut links = Links::new();
        let ids = (0..copies.max(1))
            .flat_map(|_| topology.capacities())
            .map(|&capacity| links.add(Bandwidth::new(capacity)))
            .collect::<Result<_, _>>()?;
        Ok(Templates {
            topology,
            builder: PlanBuilder::new(links),
            ids,
            copy: 0,
            grain,
            known: BTreeMap::new(),
            flows: 0,
        })
    }

    /// What comes next is on this copy of the links, at this grain.
    ///
    /// # Panics
    /// If there is no such copy.
    pub fn on(&mut self, copy: u8, grain: Grain) -> &mut Templates<'a> {
        assert!(
            usize::from(copy) * self.topology.len() < self.ids.len().max(1),
            "no such copy of the links"
        );
        self.copy = copy;
        self.grain = grain;
        self
    }

    /// A collective: see [`Topology::collective`].
    ///
    /// # Errors
    /// [`TopologyError`] if a member is not of the cluster or cannot be reached.
    pub fn collective(
        &mut self,
        kind: CollectiveKind,
        bytes: Bytes,
        members: &[u32],
    ) -> Result<Ticket, TopologyError> {
        let group = self.topology.group(members)?;
        let traffic = self.topology.collective_traffic(kind, bytes, &group)?;
        self.ticket(traffic, members)
    }

    /// An exchange of tokens: see [`Topology::exchange`].
    ///
    /// # Errors
    /// [`TopologyError`] if a member is not of the cluster or cannot be reached.
    pub fn exchange(
        &mut self,
        exchange: &Exchange,
        members: &[u32],
    ) -> Result<Ticket, TopologyError> {
        let group = self.topology.group(members)?;
        let traffic = self.topology.exchange_traffic(exchange, &group)?;
        self.ticket(traffic, members)
    }

    /// A message: see [`Topology::message`].
    ///
    /// # Errors
    /// [`TopologyError`] if an end is not of the cluster or cannot be reached.
    pub fn message(&mut self, bytes: Bytes, from: u32, to: u32) -> Result<Ticket, TopologyError> {
        self.topology.group(&[from, to])?;
        let traffic = self.topology.message_traffic(bytes, from, to)?;
        self.ticket(traffic, &[from, to])
    }

    fn ticket(&mut self, traffic: Traffic, members: &[u32]) -> Result<Ticket, TopologyError> {
        let nothing = members.len() < 2 || traffic.sizes.iter().all(|&s| s == Bytes::ZERO);
        if nothing {
            return Ok(Ticket {
                template: None,
                fixed: traffic.fixed,
                sizes: traffic.sizes,
            });
        }
        let costs = [traffic.port_cost, traffic.network_cost];
        let costs = costs.map(|cost| (cost * COST_STEPS).round() as u64);
        let key = (
            self.copy,
            self.grain,
            traffic.pattern,
            costs,
            members.to_vec(),
        );
        let template = match self.known.get(&key) {
            Some(&template) => template,
            None => {
                let group = self.topology.group(members)?;
                let links = self.topology.len();
                let first = usize::from(self.copy) * links;
                let ids = &self.ids[first..first + links];
                let template = self.topology.template(&traffic, &group, ids)?;
                self.flows += template.len();
                let id = self.builder.add(template, self.grain)?;
                self.known.insert(key, id);
                id
            }
        };
        Ok(Ticket {
            template: Some(template),
            fixed: traffic.fixed,
            sizes: traffic.sizes,
        })
    }

    /// Flows of all templates so far.
    pub fn flows(&self) -> usize {
        self.flows
    }

    /// Distinct templates so far.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Compiles: drops links that cannot bind and finds classes, over all templates at once.
    pub fn build(self) -> Plan {
        self.builder.build()
    }
}
