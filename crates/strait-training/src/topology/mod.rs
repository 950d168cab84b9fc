//! The links of a cluster, and which of them traffic takes.
//!
//! In: a [`Cluster`], its [`LinkProfile`], faults. Out: [`strait_sim::net`] links, and templates
//! of collectives, exchanges and messages on them. Never says how long anything takes: sharing
//! does. What a transfer takes beside its bytes comes out as [`Placed::fixed`].
//!
//! | link | one for each | capacity |
//! |---|---|---|
//! | port out, in | accelerator | scale-up rate (of PCIe, where that is the scale-up) |
//! | pair | ordered pair of a full mesh, in place of ports | port over peers |
//! | NIC out, in | accelerator | its share of the node's NICs |
//! | leaf up, down | leaf switch of a rail | downlinks × NIC ÷ oversubscription |
//! | pod up, down | pod | accelerators × NIC ÷ oversubscription of the pod |
//!
//! Switches inside a domain and spines carry what their ports bring, so that they have no links.
//! Uplinks of a leaf are one link: spreading over spines is taken as even.
//!
//! Capacities are raw. What protocols and algorithms reach of them is a *cost* of a transfer's
//! bytes, so that a transfer alone takes the time that [`crate::links`] gives it, and two that
//! share a link each pay their own overhead.
//!
//! A torus is not routed hop by hop: its transfers load ports with the average number of hops.
//!
//! - `route`: links from one accelerator to another, around what is dead.
//! - `traffic`: collectives, exchanges and messages as templates.
//! - `templates`: templates of a whole job, each made once.

mod route;
mod templates;
#[cfg(test)]
mod tests;
mod traffic;

pub use templates::{Templates, Ticket};
pub use traffic::Placed;

use crate::hardware::{Cluster, ScaleUp};
use crate::links::{LinkError, LinkProfile, Links};
use std::fmt;
use strait_sim::net::{self, LinkId, NetworkError};
use strait_units::{Bandwidth, Ratio};

/// Why a cluster has no links, or traffic no way.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TopologyError {
    /// The cluster or its link profile is no good.
    #[error(transparent)]
    Links(#[from] LinkError),
    /// The network refuses it.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A fault of something that is not there.
    #[error("this cluster has no {0}")]
    NoElement(Element),
    /// What a fault leaves is not a share.
    #[error("a fault leaves a share of 0 to 1")]
    Share,
    /// An accelerator beyond the cluster.
    #[error("accelerator {accelerator} of {of}")]
    NoAccelerator {
        /// Its number.
        accelerator: u32,
        /// Accelerators in the cluster.
        of: u32,
    },
    /// No way is left.
    #[error("no way from accelerator {from} to {to}: ports, NICs or leaves are dead")]
    Unreachable {
        /// From.
        from: u32,
        /// To.
        to: u32,
    },
}

/// Something that can be slow or dead, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// The scale-up port of an accelerator, or all its pair links.
    Port(u32),
    /// The NIC of an accelerator.
    Nic(u32),
    /// The uplinks of a leaf.
    Uplink {
        /// Rail or plane.
        rail: u32,
        /// Leaf of the rail.
        leaf: u32,
    },
    /// A leaf switch: its uplinks and all NICs on it.
    Leaf {
        /// Rail or plane.
        rail: u32,
        /// Leaf of the rail.
        leaf: u32,
    },
    /// The uplinks of a pod.
    Pod(u32),
    /// All uplinks of leaves and pods: what other jobs on the fabric take.
    Fabric,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Port(a) => write!(f, "scale-up port of accelerator {a}"),
            Element::Nic(a) => write!(f, "NIC of accelerator {a}"),
            Element::Uplink { rail, leaf } => write!(f, "uplinks of leaf {leaf} of rail {rail}"),
            Element::Leaf { rail, leaf } => write!(f, "leaf {leaf} of rail {rail}"),
            Element::Pod(pod) => write!(f, "uplinks of pod {pod}"),
            Element::Fabric => write!(f, "uplinks of the fabric"),
        }
    }
}

/// A slow or dead element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What.
    pub element: Element,
    /// What is left of its rate: 0 is dead.
    pub left: Ratio,
}

/// The links of a cluster.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The cluster with a fabric that thins nothing: the links here do that.
    flat: Cluster,
    profile: LinkProfile,
    capacities: Vec<f64>,
    shape: Shape,
}

/// Numbers of links by what they are.
#[derive(Clone, Copy, Debug)]
struct Shape {
    accelerators: u32,
    /// Accelerators of a domain.
    domain: u32,
    scale_up: ScaleUp,
    /// Rails or planes.
    rails: u32,
    /// Downlinks of a leaf.
    down: u32,
    /// Leaves of a rail.
    leaves: u32,
    /// Accelerators of a pod.
    pod: u32,
    pods: u32,
    first_nic: u32,
    first_leaf: u32,
    first_pod: u32,
    links: u32,
}

impl Shape {
    fn new(cluster: &Cluster) -> Shape {
        let fabric = &cluster.fabric;
        let accelerators = cluster.ranks();
        let domain = cluster.node.accelerators.max(1);
        let rails = fabric.planes.clamp(1, domain);
        let thin = fabric.oversubscription;
        let down = ((f64::from(fabric.radix) * thin / (1.0 + thin)) as u32).max(1);
        let nics_on_rail = cluster.nodes * domain.div_ceil(rails);
        // One switch layer is one leaf; none is no network.
        let leaves = if fabric.layers > 1 {
            nics_on_rail.div_ceil(down)
        } else {
            1
        };
        let pod = fabric.pod.map_or(accelerators, |(pod, _)| pod).max(1);
        let pods = accelerators.div_ceil(pod);
        let scale_up = cluster.node.scale_up;
        let first_nic = match scale_up {
            ScaleUp::Mesh => accelerators * (domain - 1).max(1),
            _ => accelerators * 2,
        };
        let first_leaf = first_nic + accelerators * 2;
        let first_pod = first_leaf + rails * leaves * 2;
        Shape {
            accelerators,
            domain,
            scale_up,
            rails,
            down,
            leaves,
            pod,
            pods,
            first_nic,
            first_leaf,
            first_pod,
            links: first_pod + pods * 2,
        }
    }

    fn port(&self, accelerator: u32, inwards: bool) -> u32 {
        accelerator * 2 + u32::from(inwards)
    }

    /// The link of a full mesh from one accelerator to another of its domain.
    fn pair(&self, from: u32, to: u32) -> u32 {
        let (from_local, to_local) = (from % self.domain, to % self.domain);
        from * (self.domain - 1) + to_local - u32::from(to_local > from_local)
    }

    fn nic(&self, accelerator: u32, inwards: bool) -> u32 {
        self.first_nic + accelerator * 2 + u32::from(inwards)
    }

    fn rail_of(&self, accelerator: u32) -> u32 {
        accelerator % self.domain % self.rails
    }

    /// The leaf that an accelerator's NIC is on, on its rail.
    fn leaf_of(&self, accelerator: u32) -> u32 {
        let (domain, local) = (accelerator / self.domain, accelerator % self.domain);
        let ordinal = domain * self.domain.div_ceil(self.rails) + local / self.rails;
        (ordinal / self.down).min(self.leaves - 1)
    }

    fn leaf(&self, rail: u32, leaf: u32, inwards: bool) -> u32 {
        self.first_leaf + (rail * self.leaves + leaf) * 2 + u32::from(inwards)
    }

    fn pod(&self, pod: u32, inwards: bool) -> u32 {
        self.first_pod + pod * 2 + u32::from(inwards)
    }

    /// The links of an element.
    fn links_of(&self, element: Element) -> Option<Vec<u32>> {
        let both = |link: fn(&Shape, u32, bool) -> u32, at| {
            vec![link(self, at, false), link(self, at, true)]
        };
        let uplink = |rail: u32, leaf: u32| {
            (rail < self.rails && leaf < self.leaves)
                .then(|| vec![self.leaf(rail, leaf, false), self.leaf(rail, leaf, true)])
        };
        match element {
            Element::Port(a) | Element::Nic(a) if a >= self.accelerators => None,
            Element::Port(a) if self.scale_up == ScaleUp::Mesh => {
                let first = a - a % self.domain;
                let others = (first..first + self.domain).filter(|&b| b != a);
                Some(
                    others
                        .flat_map(|b| [self.pair(a, b), self.pair(b, a)])
                        .collect(),
                )
            }
            Element::Port(a) => Some(both(Shape::port, a)),
            Element::Nic(a) => Some(both(Shape::nic, a)),
            Element::Uplink { rail, leaf } => uplink(rail, leaf),
            Element::Leaf { rail, leaf } => uplink(rail, leaf).map(|mut links| {
                let on_leaf = (0..self.accelerators)
                    .filter(|&a| self.rail_of(a) == rail && self.leaf_of(a) == leaf);
                links.extend(on_leaf.flat_map(|a| both(Shape::nic, a)));
                links
            }),
            Element::Pod(p) => (p < self.pods).then(|| both(Shape::pod, p)),
            Element::Fabric => Some((self.first_leaf..self.links).collect()),
        }
    }
}

impl Topology {
    /// The links of a cluster without faults.
    ///
    /// # Errors
    /// [`TopologyError::Links`] where the cluster has rates of zero, a fabric that cannot be, or
    /// a link profile that does not fit.
    pub fn new(cluster: &Cluster, profile: &LinkProfile) -> Result<Topology, TopologyError> {
        Links::new(cluster, profile)?;
        let shape = Shape::new(cluster);
        let mut capacities = vec![0.0; shape.links as usize];
        let port = cluster.accelerator.scale_up.get();
        let nic = cluster.node.nic_bandwidth.get();
        let peers = f64::from(shape.domain.saturating_sub(1).max(1));
        let fabric = &cluster.fabric;
        let uplink = f64::from(shape.down) * nic / fabric.oversubscription;
        let pod = fabric
            .pod
            .map_or(f64::from(shape.accelerators) * nic, |(accelerators, o)| {
                f64::from(accelerators) * nic / o
            });
        for (link, capacity) in (0..).zip(&mut capacities) {
            *capacity = match link {
                _ if link >= shape.first_pod => pod,
                _ if link >= shape.first_leaf => uplink,
                _ if link >= shape.first_nic => nic,
                _ if shape.scale_up == ScaleUp::Mesh => port / peers,
                _ => port,
            };
        }
        let mut flat = cluster.clone();
        flat.fabric.oversubscription = 1.0;
        flat.fabric.pod = None;
        Ok(Topology {
            flat,
            profile: profile.clone(),
            capacities,
            shape,
        })
    }

    /// The same with a fault more.
    ///
    /// # Errors
    /// [`TopologyError`] if there is no such element, or what is left is not a share.
    pub fn with(mut self, fault: Fault) -> Result<Topology, TopologyError> {
        let left = fault.left.get();
        if !(0.0..=1.0).contains(&left) {
            return Err(TopologyError::Share);
        }
        let links = self.shape.links_of(fault.element);
        for link in links.ok_or(TopologyError::NoElement(fault.element))? {
            self.capacities[link as usize] *= left;
        }
        Ok(self)
    }

    /// The links for a network; their numbers are those of the templates.
    ///
    /// # Errors
    /// [`TopologyError::Network`] if a capacity is not a number.
    pub fn net_links(&self) -> Result<(net::Links, Vec<LinkId>), TopologyError> {
        let mut links = net::Links::new();
        let ids = (self.capacities.iter())
            .map(|&capacity| links.add(Bandwidth::new(capacity)))
            .collect::<Result<_, _>>()?;
        Ok((links, ids))
    }

    /// What each link carries, bytes/s.
    fn capacities(&self) -> &[f64] {
        &self.capacities
    }

    /// How many accelerators there are.
    pub fn accelerators(&self) -> u32 {
        self.shape.accelerators
    }

    /// How many rails or planes there are.
    pub fn rails(&self) -> u32 {
        self.shape.rails
    }

    /// How many leaf switches a rail has.
    pub fn leaves(&self) -> u32 {
        self.shape.leaves
    }

    /// How many pods there are.
    pub fn pods(&self) -> u32 {
        self.shape.pods
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.capacities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.capacities.is_empty()
    }

    /// What a link is, for reports.
    pub fn name(&self, link: usize) -> String {
        let shape = &self.shape;
        let link = link as u32;
        let way = |at: u32, out: &'static str, inwards: &'static str| {
            if at.is_multiple_of(2) { out } else { inwards }
        };
        if link >= shape.first_pod {
            let at = link - shape.first_pod;
            format!("pod {} {}", at / 2, way(at, "up", "down"))
        } else if link >= shape.first_leaf {
            let at = link - shape.first_leaf;
            let (rail, leaf) = (at / 2 / shape.leaves, at / 2 % shape.leaves);
            format!("rail {rail} leaf {leaf} {}", way(at, "up", "down"))
        } else if link >= shape.first_nic {
            let at = link - shape.first_nic;
            format!("NIC {} {}", at / 2, way(at, "out", "in"))
        } else if shape.scale_up == ScaleUp::Mesh {
            let peers = (shape.domain - 1).max(1);
            let (from, at) = (link / peers, link % peers);
            let local = at + u32::from(at >= from % shape.domain);
            format!("pair {from} to {}", from - from % shape.domain + local)
        } else {
            format!("port {} {}", link / 2, way(link, "out", "in"))
        }
    }

    /// Times of transfers that share nothing.
    fn links(&self) -> Result<Links<'_>, TopologyError> {
        Ok(Links::new(&self.flat, &self.profile)?)
    }
}
