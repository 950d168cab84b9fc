//! What communication takes: collectives, transfers, and expert exchanges.
//!
//! In: a [`Cluster`] and a [`LinkProfile`]. Out: times and bytes, by [`Links`]. Never knows what
//! a layer or a schedule is, and never looks at a training step: it is calibrated on collective
//! and kernel tables only.
//!
//! One form serves all collectives. `v S / B` is wire time `W` (`S` the full buffer, `v` the share
//! of it that a rank moves, `B` the bus rate); the low-latency and the bulk protocol are two
//! branches of a minimum, and the bulk protocol pays `2 sqrt(fill W)` to fill its pipeline with
//! chunks of the best size:
//!
//! ```text
//! t = min( a1 + L + W / min(0.9, f1 B1/B) ,  a2 + L + W + 2 sqrt(fill W) )
//! ```
//!
//! - [`profile`]: the parameters, as read from the catalogue.
//! - [`collective`]: which algorithm, its bus rate `B` and latency `L`.
//! - [`point_to_point`]: pipeline transfers.
//! - [`exchange`]: dispatch to experts and combination of their results.
//! - [`routing`]: how many nodes and ranks a token reaches, and how evenly.
//! - `path`: what of a port's and a NIC's rate is there for a group.

pub mod collective;
pub mod exchange;
mod path;
pub mod point_to_point;
pub mod profile;
pub mod routing;
#[cfg(test)]
pub(crate) mod tests;

pub use collective::{Algorithm, CollectiveKind, CollectivePlan, Wire};
pub use exchange::{Bound, Direction, Exchange, ExchangeTime};
pub use profile::LinkProfile;
pub use routing::{FanOut, LoadSpread};

use crate::hardware::Cluster;
use strait_units::{Bytes, Time};

/// Where the ranks of a group sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupShape {
    /// Ranks in all: at most `per_domain * domains`.
    pub ranks: u32,
    /// Members inside one scale-up domain.
    pub per_domain: u32,
    /// Scale-up domains; with 1, all traffic stays on NVLink or its like.
    pub domains: u32,
}

impl GroupShape {
    /// `ranks` ranks in one scale-up domain.
    pub const fn in_domain(ranks: u32) -> GroupShape {
        GroupShape {
            ranks,
            per_domain: ranks,
            domains: 1,
        }
    }

    /// `ranks` ranks, `per_domain` of them in each domain (the last may hold fewer).
    pub const fn spread(ranks: u32, per_domain: u32) -> GroupShape {
        let per_domain = if per_domain == 0 { 1 } else { per_domain };
        GroupShape {
            ranks,
            per_domain,
            domains: ranks.div_ceil(per_domain),
        }
    }
}

/// Why a cluster and a profile give no times.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// A rate of the cluster is zero or negative.
    #[error("{what} of {of} must be above zero to send anything")]
    NoBandwidth {
        /// Which rate.
        what: &'static str,
        /// Catalogue id of what has it.
        of: String,
    },
    /// The cluster's fabric cannot exist.
    #[error("fabric {of}: {what}")]
    Fabric {
        /// What is wrong.
        what: &'static str,
        /// Catalogue id.
        of: String,
    },
    /// A profile is empty or holds a number out of range.
    #[error("link profile `{profile}`: {at} is missing or out of range")]
    Profile {
        /// Catalogue id of the profile.
        profile: String,
        /// Path of the fact.
        at: &'static str,
    },
    /// A torus cluster was given a profile of another generation.
    #[error("link profile `{profile}` has no torus, but node {node} is one")]
    NoTorus {
        /// Catalogue id of the profile.
        profile: String,
        /// Catalogue id of the node.
        node: String,
    },
}

/// Communication times on one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    cluster: &'a Cluster,
    profile: &'a LinkProfile,
    /// Accelerators from the first to the last member of a group; `None`: side by side.
    span: Option<u32>,
}

impl<'a> Links<'a> {
    /// Compute units that a library collective takes from products beside it.
    pub fn communication_units(&self) -> u32 {
        self.profile.communication_units
    }

    /// Time of a copy between an accelerator and its host; `None` where their link is not known.
    pub fn host_copy(&self, bytes: Bytes) -> Option<Time> {
        let link = self.cluster.accelerator.host_bandwidth?.get();
        let rate = link * self.profile.host_copy.get();
        (rate > 0.0).then(|| Time::from_seconds(bytes.as_f64() / rate))
    }

    /// The links of `cluster` as calibrated by `profile`.
    ///
    /// # Errors
    /// [`LinkError`] where a rate is not above zero, the fabric cannot exist, or the profile is empty
    /// or of another kind of scale-up.
    pub fn new(cluster: &'a Cluster, profile: &'a LinkProfile) -> Result<Links<'a>, LinkError> {
        if let Some(at) = profile.flaw() {
            return Err(LinkError::Profile {
                profile: profile.id.clone(),
                at,
            });
        }
        let no = |what, of: &str| {
            Err(LinkError::NoBandwidth {
                what,
                of: of.to_owned(),
            })
        };
        let positive = |rate: f64| rate > 0.0 && rate.is_finite();
        let node = &cluster.node;
        if node.accelerators > 1 && !positive(cluster.accelerator.scale_up.get()) {
            return no("scale-up bandwidth", &cluster.accelerator.id);
        }
        if cluster.nodes > 1 && !positive(node.nic_bandwidth.get()) {
            return no("NIC bandwidth", &node.id);
        }
        let fabric = &cluster.fabric;
        let thin = |o: f64| o >= 1.0 && o.is_finite();
        let impossible = |what| {
            Err(LinkError::Fabric {
                what,
                of: fabric.id.clone(),
            })
        };
        if !thin(fabric.oversubscription) || fabric.pod.is_some_and(|(_, o)| !thin(o)) {
            return impossible("oversubscription is at least 1");
        }
        if fabric
            .pod
            .is_some_and(|(accelerators, _)| accelerators == 0)
        {
            return impossible("a pod holds at least one accelerator");
        }
        if node.scale_up == crate::hardware::ScaleUp::Torus && profile.torus.is_none() {
            return Err(LinkError::NoTorus {
                profile: profile.id.clone(),
                node: node.id.clone(),
            });
        }
        Ok(Links {
            cluster,
            profile,
            span: None,
        })
    }

    /// The same links for groups whose members lie over `accelerators` accelerators (first to last,
    /// all of the cluster at most), and not side by side.
    ///
    /// It matters only on oversubscribed fabrics: a group strided over pods leaves the pod at every
    /// step, one that fills a pod at few.
    #[must_use]
    pub fn spanning(self, accelerators: u32) -> Links<'a> {
        Links {
            span: Some(accelerators),
            ..self
        }
    }
}
