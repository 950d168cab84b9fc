//! The way from one accelerator to another.
//!
//! In: two accelerators. Out: the links between them, in order. Never weighs load: there is one
//! way, and a dead element on it is walked around.
//!
//! Inside a domain: port to port. Between domains traffic stays on a rail: out by the sender's
//! own NIC, in by the receiving domain's NIC of the same rail, then over the scale-up network to
//! the receiver (as DeepEP does; NCCL's PXN forwards at the sender's end, which loads the same
//! kinds of links). With planes instead of rails there is no other way. If a NIC or a leaf is
//! dead, the next rail that is alive at both ends takes the traffic.

use super::{Shape, Topology, TopologyError};
use crate::hardware::ScaleUp;

/// A link on the way, and whose rates hold there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub link: u32,
    /// Of the network between domains; else of the scale-up network.
    pub network: bool,
}

impl Topology {
    fn alive(&self, link: u32) -> bool {
        self.capacities[link as usize] > 0.0
    }

    fn nic_alive(&self, accelerator: u32) -> bool {
        self.alive(self.shape.nic(accelerator, false))
            && self.alive(self.shape.nic(accelerator, true))
    }

    /// The accelerator of a domain whose NIC serves `near` on a rail.
    fn nic_on(&self, rail: u32, near: u32) -> Option<u32> {
        let Shape { domain, rails, .. } = self.shape;
        let (first, local) = (near - near % domain, near % domain);
        let blocks = domain.div_ceil(rails);
        (0..blocks)
            .map(|k| (local / rails + k) % blocks * rails + rail)
            .filter(|&local| local < domain)
            .map(|local| first + local)
            .find(|&accelerator| self.nic_alive(accelerator))
    }

    /// Steps between two accelerators of a domain.
    pub(super) fn inside(
        &self,
        from: u32,
        to: u32,
        steps: &mut Vec<Step>,
    ) -> Result<(), TopologyError> {
        let shape = &self.shape;
        let links = match shape.scale_up {
            ScaleUp::Mesh => [Some(shape.pair(from, to)), None],
            _ => [Some(shape.port(from, false)), Some(shape.port(to, true))],
        };
        for link in links.into_iter().flatten() {
            if !self.alive(link) {
                return Err(TopologyError::Unreachable { from, to });
            }
            steps.push(Step {
                link,
                network: false,
            });
        }
        Ok(())
    }

    /// Steps between any two accelerators, added to `steps`.
    pub(super) fn route(
        &self,
        from: u32,
        to: u32,
        steps: &mut Vec<Step>,
    ) -> Result<(), TopologyError> {
        let shape = &self.shape;
        if from / shape.domain == to / shape.domain {
            return self.inside(from, to, steps);
        }
        let (out, back) = self.nics(from, to)?;
        let host = shape.scale_up == ScaleUp::Pcie;
        if out != from && !host {
            self.inside(from, out, steps)?;
        }
        if host {
            // NICs hang on the same PCIe as the accelerators.
            self.port_step(from, false, steps);
        }
        self.between(out, back, steps);
        if host {
            self.port_step(to, true, steps);
        }
        if back != to && !host {
            self.inside(back, to, steps)?;
        }
        Ok(())
    }

    fn port_step(&self, accelerator: u32, inwards: bool, steps: &mut Vec<Step>) {
        steps.push(Step {
            link: self.shape.port(accelerator, inwards),
            network: false,
        });
    }

    /// Whose NICs take traffic from one accelerator to another, on one rail.
    pub(super) fn nics(&self, from: u32, to: u32) -> Result<(u32, u32), TopologyError> {
        let shape = &self.shape;
        let first = shape.rail_of(from);
        (0..shape.rails)
            .map(|k| (first + k) % shape.rails)
            .find_map(|rail| {
                let (out, back) = (self.nic_on(rail, from)?, self.nic_on(rail, to)?);
                let mut steps = Vec::with_capacity(6);
                self.between(out, back, &mut steps);
                (steps.iter().all(|step| self.alive(step.link))).then_some((out, back))
            })
            .ok_or(TopologyError::Unreachable { from, to })
    }

    /// Steps from NIC to NIC of one rail.
    pub(super) fn between(&self, out: u32, back: u32, steps: &mut Vec<Step>) {
        let shape = &self.shape;
        let mut push = |link| {
            steps.push(Step {
                link,
                network: true,
            });
        };
        push(shape.nic(out, false));
        let (rail, up, down) = (shape.rail_of(out), shape.leaf_of(out), shape.leaf_of(back));
        let (from_pod, to_pod) = (out / shape.pod, back / shape.pod);
        if up != down {
            push(shape.leaf(rail, up, false));
        }
        if from_pod != to_pod {
            push(shape.pod(from_pod, false));
            push(shape.pod(to_pod, true));
        }
        if up != down {
            push(shape.leaf(rail, down, true));
        }
        push(shape.nic(back, true));
    }
}
