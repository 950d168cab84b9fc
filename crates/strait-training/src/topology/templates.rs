//! The templates of a job, each made and refined once.
//!
//! In: collectives, exchanges and messages as they come up. Out: tickets, and in the end a plan.
//! Never makes a template twice: the same pattern among the same members at the same costs is
//! one, whatever it carries.

use super::traffic::{Pattern, Traffic};
use super::{Topology, TopologyError};
use crate::links::{CollectiveKind, Exchange};
use std::collections::BTreeMap;
use strait_sim::net::{Grain, Plan, PlanBuilder, TemplateId};
use strait_units::{Bytes, Time};

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

/// Pattern, costs (as bits), members in order.
type Key = (Pattern, [u64; 2], Vec<u32>);

/// Collects templates on one topology.
#[derive(Debug)]
pub struct Templates<'a> {
    topology: &'a Topology,
    builder: PlanBuilder,
    grain: Grain,
    known: BTreeMap<Key, TemplateId>,
}

impl<'a> Templates<'a> {
    /// None yet; all at one grain.
    ///
    /// # Errors
    /// [`TopologyError::Network`] if a capacity is not a number.
    pub fn new(topology: &'a Topology, grain: Grain) -> Result<Templates<'a>, TopologyError> {
        let (links, _) = topology.net_links()?;
        Ok(Templates {
            topology,
            builder: PlanBuilder::new(links),
            grain,
            known: BTreeMap::new(),
        })
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
        let costs = [traffic.port_cost.to_bits(), traffic.network_cost.to_bits()];
        let key = (traffic.pattern, costs, members.to_vec());
        let template = match self.known.get(&key) {
            Some(&template) => template,
            None => {
                let group = self.topology.group(members)?;
                let template = self.topology.template(&traffic, &group)?;
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
