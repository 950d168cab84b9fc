//! Times of ops: asks `kernels` and `links`.
//!
//! In: ops. Out: base times and what they depend on. Never decides what overlaps.

use crate::case::{Case, Graphs};
use crate::hardware::Cluster;
use crate::kernels::Kernels;
use crate::links::{CollectiveKind, Exchange, ExchangeTime, GroupShape, Links};
use crate::ops::{ExchangeOp, Hidden, Op, Scope, Shape, Work};
use strait_units::{Bytes, Time};

/// Prices ops in time for one shape on one cluster.
pub struct Durations<'a> {
    pub(crate) kernels: Kernels<'a>,
    pub(crate) links: Links<'a>,
    /// For what is not on shared links although others are: a thin fabric's share is in the rates.
    pub(crate) thin: Links<'a>,
    pub(crate) shape: Shape<'a>,
    case: &'a Case,
    tensor: GroupShape,
    expert_tensor: GroupShape,
    context: GroupShape,
    expert: GroupShape,
    /// Compute units that communication kernels take.
    taken: u32,
}

/// An op with its time.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub op: Op,
    pub time: Time,
    /// Limited by compute, hence by the chip's clock.
    pub speed: bool,
    /// Compute units that it was priced with.
    pub units: u32,
}

impl<'a> Durations<'a> {
    /// Joins the models of kernels and links with the shape of the work. The second links are for
    /// transfers that never come to shared links.
    pub fn new(
        case: &'a Case,
        kernels: Kernels<'a>,
        [links, thin]: [Links<'a>; 2],
        shape: Shape<'a>,
        groups: [GroupShape; 4],
        taken: u32,
    ) -> Durations<'a> {
        let [tensor, expert_tensor, context, expert] = groups;
        Durations {
            kernels,
            links,
            thin,
            shape,
            case,
            tensor,
            expert_tensor,
            context,
            expert,
            taken,
        }
    }

    /// Units left to products beside communication, or all of them.
    pub fn units(&self, beside: bool) -> u32 {
        let all = self.kernels.units();
        if beside {
            all - self.taken.min(all / 2)
        } else {
            all
        }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.case.cluster
    }

    /// Time of one op, `units` compute units at its disposal; a gap to the next kernel included.
    pub fn op(&self, op: &Op, units: u32) -> Time {
        self.slower(op, units, 1.0)
    }

    /// The same where its collective takes `times` its time on healthy links.
    pub(crate) fn slower(&self, op: &Op, units: u32, times: f64) -> Time {
        self.before(op, units, times, self.kernels.gap())
    }

    /// The same with a gap of `gap` to the next kernel.
    fn before(&self, op: &Op, units: u32, times: f64, gap: Time) -> Time {
        match &op.work {
            Work::Gemm(gemm) => self.kernels.gemm(gemm, units) + gap,
            Work::Attention(core) => self.kernels.attention(core) + gap,
            Work::Memory(class, bytes) => self.kernels.memory(*class, *bytes) + gap,
            Work::Fixed(kernel) => self.kernels.fixed(*kernel) + gap,
            // Refused beforehand where the host's link is not known.
            Work::HostCopy(bytes) => self.thin.host_copy(*bytes).unwrap_or(Time::ZERO),
            Work::Small(count) => {
                (self.kernels.fixed(crate::kernels::FixedKernel::Small) + gap) * u64::from(*count)
            }
            Work::Collective {
                scope,
                kind,
                bytes,
                hidden,
            } => {
                let group = self.group(*scope);
                let time = self.links.collective(*kind, *bytes, group).scaled(times);
                match hidden {
                    None => time,
                    Some(Hidden::Pipelined(gemm)) => {
                        let pieces = f64::from(group.ranks.max(1));
                        self.exposed(time, self.kernels.gemm(gemm, units), 1.0 / pieces)
                    }
                    Some(Hidden::Beside(gemm)) => {
                        self.exposed(time, self.kernels.gemm(gemm, units), 0.0)
                    }
                }
            }
            Work::Ring {
                steps,
                bytes,
                beside,
            } => {
                let step = self.links.point_to_point(*bytes, self.context.domains > 1);
                let step = step.scaled(times);
                let hidden = self.kernels.attention(beside);
                step.saturating_sub(hidden) * u64::from(*steps)
            }
        }
    }

    /// What shows of a collective that a product hides: the share `bare` of the shorter that has
    /// nothing beside it, what the product is too short to hide, and the share of the chip
    /// that the collective's kernels take from the product meanwhile.
    fn exposed(&self, collective: Time, product: Time, bare: f64) -> Time {
        let share =
            f64::from(self.links.communication_units()) / f64::from(self.kernels.units().max(1));
        let (c, g) = (collective.seconds(), product.seconds());
        let slowed = g + share * c.min(g);
        let total = c.max(slowed) + c.min(g) * bare;
        // At worst nothing is overlapped.
        Time::from_seconds(total - g).min(collective)
    }

    pub(crate) fn group(&self, scope: Scope) -> GroupShape {
        match scope {
            Scope::Tensor => self.tensor,
            Scope::ExpertTensor => self.expert_tensor,
            Scope::Context => self.context,
        }
    }

    /// Times of a list of ops that only graphs of whole steps capture.
    pub(crate) fn list(&self, ops: &[Op], units: u32) -> Vec<Timed> {
        self.launched(ops, units, false)
    }

    /// Times of a list of ops; where the host launches kernels one by one and is slower than
    /// they run, the list takes what the host takes. `captured`: graphs of parts of a layer hold it.
    pub(crate) fn launched(&self, ops: &[Op], units: u32, captured: bool) -> Vec<Timed> {
        let by_host = match self.case.software.graphs {
            Graphs::None => true,
            Graphs::Partial => !captured,
            Graphs::Full => false,
        };
        let gap = if by_host {
            self.kernels.gap()
        } else {
            Time::ZERO
        };
        let mut timed: Vec<Timed> = ops
            .iter()
            .map(|op| Timed {
                op: op.clone(),
                time: self.before(op, units, 1.0, gap),
                speed: matches!(op.work, Work::Gemm(_) | Work::Attention(_)),
                units,
            })
            .collect();
        if by_host {
            let launches: u64 = ops
                .iter()
                .map(|op| match op.work {
                    Work::Small(count) => u64::from(count),
                    _ => 1,
                })
                .sum();
            let host = self.case.software.host_time_per_op * launches;
            let device: Time = timed.iter().map(|t| t.time).sum();
            if host > device && device > Time::ZERO {
                let factor = host.picos() as f64 / device.picos() as f64;
                for item in &mut timed {
                    item.time = item.time.scaled(factor);
                }
            }
        }
        timed
    }

    /// Time of an exchange, alone or beside compute.
    pub fn exchange(&self, exchange: &ExchangeOp, beside: bool) -> ExchangeTime {
        self.links.exchange(&self.tokens(exchange, beside))
    }

    /// An exchange as links see it.
    pub(crate) fn tokens(&self, exchange: &ExchangeOp, beside: bool) -> Exchange {
        let experts = self.shape.model.experts.as_ref();
        let (top_k, routed, groups, limit) = experts.map_or((1, 1, 1, 1), |e| {
            (e.top_k, e.routed, e.groups, e.group_limit)
        });
        let node_limit = self.case.routing.node_limit;
        // Where each routing group is one node, the model's limit of groups is its limit of nodes
        // (DeepSeek-V3): no limit of nodes means none of groups either.
        let (groups, limit) = match node_limit {
            None if groups == self.expert.domains => (1, 1),
            _ => (groups, limit),
        };
        Exchange {
            dispatcher: self.shape.dispatcher(),
            direction: exchange.direction,
            tokens: self.shape.moe_tokens().round() as u64,
            hidden: self.shape.model.hidden,
            bytes_per_token: exchange.bytes_per_token.as_f64(),
            top_k,
            experts: routed,
            routing_groups: groups,
            group_limit: limit,
            node_limit,
            group: self.expert,
            beside_compute: beside,
            // A captured iteration never asks the host for counts: they stay on the device.
            fresh_handle: exchange.fresh && self.case.software.graphs != Graphs::Full,
        }
    }

    /// Bytes of one pipeline transfer of a micro-batch's activations or gradients: BF16, each
    /// tensor rank sending its share.
    pub(crate) fn hop_bytes(&self) -> Bytes {
        // With sequence parallelism a rank holds its part only.
        let divided = self.case.software.pipeline_scatter || self.shape.sequence_parallel;
        let parts = if divided { self.shape.tensor } else { 1 };
        let bytes = 2.0 * self.shape.tokens() as f64 * self.shape.hidden() / parts as f64;
        Bytes::from_f64(bytes)
    }

    /// Time of one pipeline transfer.
    pub fn hop(&self, crosses_domains: bool) -> Time {
        (self.thin).point_to_point(self.hop_bytes(), crosses_domains)
    }

    /// Time of a data-parallel collective; none in a group of one.
    pub fn data(&self, kind: CollectiveKind, bytes: Bytes, group: GroupShape) -> Time {
        self.links.collective(kind, bytes, group)
    }
}
