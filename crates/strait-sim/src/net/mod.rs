//! Shared links: how fast transfers go that meet on them.
//!
//! In: links with capacities, templates of transfers (who loads which link with how many of its
//! bytes), starts at integer times. Out: finish times. Never knows a GPU, and never adds a
//! latency: what a transfer takes beside its bytes is the caller's.
//!
//! One solver at five grains. A *variable* is what gets a rate: rates are weighted max-min fair
//! (progressive filling: all rates grow together, and stop where a link is full).
//!
//! | grain | a variable is | exact |
//! |---|---|---|
//! | [`Grain::Analytic`] | nothing: greatest load over capacity, as if alone | where nobody shares and links are alike |
//! | [`Grain::Coflow`] | a part of a collective, all flows ending together | for pipelined rings; else optimistic |
//! | [`Grain::Class`] | flows that no link tells apart, found by colour refinement | yes |
//! | [`Grain::Bundle`] | flows that the caller says are one | where they are alike |
//! | [`Grain::Flow`] | a flow | yes: the reference |
//!
//! - [`Links`], [`Template`]: what there is, and what may be sent over it.
//! - [`PlanBuilder`], [`Plan`]: templates compiled once: links that can never bind dropped,
//!   classes found, links that say the same merged.
//! - [`Network`]: transfers in flight. Starts and ends of one instant are one batch; only what
//!   is connected to a touched link is solved again; finish times that change leave a stale
//!   entry behind, which is dropped when it is due.
//! - `fill`: the solver. `refine`: colour refinement. `bound`: links that can never bind.
//!
//! Rates are floats inside the solver; a finish time is rounded up to a tick once, from the
//! bytes that remain, and never fed back.

mod bound;
mod fill;
mod network;
mod plan;
mod refine;
mod template;

pub use fill::{Share, max_min};
pub use network::{Counters, Finished, Network, TransferId};
pub use plan::{Grain, Plan, PlanBuilder, TemplateId};
pub use refine::{Partition, refine};
pub use template::{Hop, Template};

use strait_units::Bandwidth;

/// A link of [`Links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u32);

impl LinkId {
    /// Its place in order of addition.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why transfers cannot be planned or started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A capacity is negative or not a number.
    #[error("the capacity of a link must be zero or more")]
    Capacity,
    /// A hop names a link that is not there.
    #[error("hop over link {link}, but there are {links} links")]
    NoLink {
        /// The link named.
        link: usize,
        /// How many there are.
        links: usize,
    },
    /// A flow without hops: nothing would limit it.
    #[error("a flow needs at least one hop")]
    NoHops,
    /// A share or a cost is not above zero.
    #[error("shares and costs of flows must be above zero")]
    Share,
    /// A template that is not of this plan.
    #[error("no template {template} in this plan")]
    NoTemplate {
        /// Its number.
        template: u32,
    },
    /// A template has another number of parts than there are sizes.
    #[error("{given} sizes for a template of {parts} parts")]
    Sizes {
        /// Parts.
        parts: usize,
        /// Sizes given.
        given: usize,
    },
    /// An analytic template has no place on shared links.
    #[error("a template planned as analytic has a time of its own and shares nothing")]
    Analytic,
    /// A transfer that is not in flight.
    #[error("no such transfer in flight")]
    NoTransfer,
    /// Nothing can be sent: a link on the way has no capacity.
    #[error("link {link} has no capacity")]
    Dead {
        /// The link.
        link: usize,
    },
}

/// Links by number, each with what it carries in its one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    pub(crate) capacities: Vec<f64>,
}

impl Links {
    /// No links.
    pub fn new() -> Links {
        Links::default()
    }

    /// Adds a link; one of no capacity is a dead link.
    ///
    /// # Errors
    /// [`NetworkError::Capacity`] if it is negative or not finite.
    pub fn add(&mut self, capacity: Bandwidth) -> Result<LinkId, NetworkError> {
        if !(capacity.get() >= 0.0 && capacity.get().is_finite()) {
            return Err(NetworkError::Capacity);
        }
        self.capacities.push(capacity.get());
        Ok(LinkId(self.capacities.len() as u32 - 1))
    }

    /// What a link carries.
    ///
    /// # Panics
    /// If the link is of other links.
    pub fn capacity(&self, link: LinkId) -> Bandwidth {
        Bandwidth::new(self.capacities[link.index()])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.capacities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.capacities.is_empty()
    }
}
