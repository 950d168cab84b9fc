//! What one transfer loads: flows, their parts of its bytes, and the links on their way.
//!
//! In: flows, one by one. Out: flat arrays. Never holds a size or a rate: a template is used for
//! every transfer of its kind, whatever it carries.

use super::{LinkId, NetworkError};
use strait_units::Ratio;

/// A link on a flow's way, and what of it a byte takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop {
    /// The link.
    pub link: LinkId,
    /// Capacity taken by a byte: 1, or more where headers, forwarding or detours cost.
    pub cost: Ratio,
}

impl Hop {
    /// A hop on which a byte takes a byte.
    pub fn plain(link: LinkId) -> Hop {
        Hop {
            link,
            cost: Ratio::new(1.0),
        }
    }
}

/// One flow of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub part: u32,
    pub bundle: u32,
    /// Bytes of the flow over the size of its part.
    pub share: f64,
    pub first_hop: u32,
}

/// The flows of one kind of transfer: a collective of a group, a message between two ranks.
///
/// A *part* is a set of flows whose sizes are scaled together when a transfer starts, such as
/// the network's and the scale-up network's share of a dispatch.
///
/// The hops of a flow need not be a path: a pipelined ring is one flow over all its links, since
/// a chunk cannot go faster on one than on the next.
#[derive(Clone, Debug, Default)]
pub struct Template {
    parts: u32,
    flows: Vec<Flow>,
    hops: Vec<(u32, f64)>,
}

impl Template {
    /// No flows, one part.
    pub fn new() -> Template {
        Template {
            parts: 1,
            ..Template::default()
        }
    }

    /// Adds a flow: its part, its bytes over the part's size, the bundle it belongs to at that
    /// grain, and its hops in order.
    ///
    /// # Errors
    /// [`NetworkError`] if there are no hops, or the share or a cost is not above zero.
    pub fn flow(
        &mut self,
        part: u32,
        share: Ratio,
        bundle: u32,
        hops: &[Hop],
    ) -> Result<(), NetworkError> {
        let sound = |r: Ratio| r.get() > 0.0 && r.get().is_finite();
        if hops.is_empty() {
            return Err(NetworkError::NoHops);
        }
        if !sound(share) || !hops.iter().all(|hop| sound(hop.cost)) {
            return Err(NetworkError::Share);
        }
        self.parts = self.parts.max(part + 1);
        self.flows.push(Flow {
            part,
            bundle,
            share: share.get(),
            first_hop: self.hops.len() as u32,
        });
        (self.hops).extend(hops.iter().map(|hop| (hop.link.0, hop.cost.get())));
        Ok(())
    }

    /// Makes room for parts that may turn out to have no flows.
    pub fn reserve_parts(&mut self, parts: u32) {
        self.parts = self.parts.max(parts);
    }

    /// How many parts it has.
    pub fn parts(&self) -> usize {
        self.parts as usize
    }

    /// How many flows it has.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether it has no flows.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    pub(crate) fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Links and costs of a flow.
    pub(crate) fn hops(&self, flow: usize) -> &[(u32, f64)] {
        let first = self.flows[flow].first_hop as usize;
        let end = (self.flows.get(flow + 1)).map_or(self.hops.len(), |f| f.first_hop as usize);
        &self.hops[first..end]
    }

    /// All hops of all flows.
    pub(crate) fn all_hops(&self) -> &[(u32, f64)] {
        &self.hops
    }

    /// Whether the flows of each part are of one size.
    pub(crate) fn is_even(&self) -> bool {
        let mut shares = vec![0.0_f64; self.parts()];
        self.flows.iter().all(|flow| {
            let share = &mut shares[flow.part as usize];
            if *share == 0.0 {
                *share = flow.share;
            }
            *share == flow.share
        })
    }
}
