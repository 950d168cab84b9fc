//! Gradients and parameters between data-parallel ranks, and the end of a step.
//!
//! In: the parameters of a chunk. Out: collectives with their times and bytes, and the optimizer's
//! block. Never decides which pass they accompany.

use super::blocks::{Builder, DataCollective, Sent, Tables};
use super::chunks::{ChunkPasses, Frozen, PassParameters};
use super::pricing::shape_of;
use super::ranks::Lowering;
use super::{Window, group};
use crate::case::{Method, Zero};
use crate::layout::Group;
use crate::links::{CollectiveKind, GroupShape};
use crate::ops::{OptimizerWork, optimizer_ops};
use std::rc::Rc;
use strait_units::{Bytes, Time};

impl Lowering<'_> {
    /// Times of one data-parallel collective of a pass, dense and expert parts.
    pub(super) fn data_collectives(
        &self,
        kind: CollectiveKind,
        parameters: PassParameters,
        bytes_each: f64,
        shard: bool,
    ) -> Vec<DataCollective> {
        let dense = if shard { Group::Shard } else { Group::Data };
        let dense_group = if shard { group::SHARD } else { group::DATA };
        let mut list = Vec::new();
        // What is gathered from shards has frozen parameters among it.
        let frozen = if shard {
            parameters.frozen
        } else {
            Frozen::default()
        };
        let parts = [
            (dense, dense_group, parameters.dense + frozen.dense),
            (
                Group::ExpertData,
                group::EXPERT_DATA,
                parameters.experts + frozen.experts,
            ),
        ];
        for (kind_of_group, index, count) in parts {
            let span = self.span(kind_of_group);
            if span.ranks > 1 && count > 0.0 {
                let bytes = Bytes::from_f64(count * bytes_each);
                list.push(self.data_collective(index, kind_of_group, kind, bytes));
            }
        }
        list
    }

    /// A data-parallel collective over the groups of a kind. With hybrid sharding (ZeRO over
    /// a part of the data-parallel ranks) dense gradients are scattered inside each shard group, then
    /// summed over the groups piece by piece; parameters need not leave the shard group.
    fn data_collective(
        &self,
        group: u8,
        of: Group,
        kind: CollectiveKind,
        bytes: Bytes,
    ) -> DataCollective {
        let layout = self.layout;
        let copies = layout.group_size(Group::Replica);
        if of != Group::Data || copies == 1 || self.parallelism.zero == Zero::Zero0 {
            let shape = shape_of(self.span(of));
            return DataCollective {
                group,
                time: self.durations.data(kind, bytes, shape),
                sent: sent(kind, bytes, shape),
                wire: Some((of, kind, bytes)),
            };
        }
        let shards = shape_of(self.span(Group::Shard));
        let mut time = self.durations.thin.collective(kind, bytes, shards);
        if kind == CollectiveKind::ReduceScatter {
            let piece = Bytes::from_f64(bytes.as_f64() / f64::from(shards.ranks));
            let again = shape_of(self.span(Group::Replica));
            time += (self.durations.thin).collective(CollectiveKind::AllReduce, piece, again);
        }
        DataCollective {
            group,
            time,
            sent: sent(kind, bytes, shards),
            wire: None,
        }
    }

    pub(super) fn per_pass(
        &self,
        chunk: &ChunkPasses,
        kind: CollectiveKind,
        bytes_each: f64,
        shard: bool,
        reverse: bool,
    ) -> Vec<Vec<DataCollective>> {
        let mut list: Vec<_> = chunk
            .parameters
            .iter()
            .map(|&p| self.data_collectives(kind, p, bytes_each, shard))
            .collect();
        if reverse {
            list.reverse();
        }
        list
    }

    pub(super) fn reduction(&self) -> CollectiveKind {
        if self.parallelism.zero == Zero::Zero0 {
            CollectiveKind::AllReduce
        } else {
            CollectiveKind::ReduceScatter
        }
    }

    /// Gradient exchange that was not hidden, norm, update, parameter gather.
    pub(super) fn optimizer(
        &self,
        rank: u32,
        chunks: &[Rc<ChunkPasses>],
        tables: &mut Tables,
    ) -> strait_sim::Block {
        let state = self.case.precision.state;
        let software = self.case.software;
        let mut total = PassParameters::default();
        for parameters in chunks.iter().flat_map(|c| &c.parameters) {
            total.dense += parameters.dense;
            total.experts += parameters.experts;
        }
        let share = |ranks: u32| {
            if self.parallelism.zero == Zero::Zero0 {
                1.0
            } else {
                f64::from(ranks)
            }
        };
        let mut builder = Builder::new(tables, false);
        if !software.gradient_overlap && !self.sharded() {
            for collective in self.data_collectives(self.reduction(), total, state.gradient, false)
            {
                builder.blocking(collective, "reduce gradients");
            }
        }
        if let Some(time) = self.tied_gradients(rank) {
            builder.exposed(time, "all-reduce gradients of the tied embedding");
        }
        let owned = total.dense / share(self.layout.shard)
            + total.experts / share(self.layout.expert_shard);
        let (norm, update) = optimizer_ops(
            &self.case.precision,
            OptimizerWork {
                held: total.dense + total.experts,
                owned,
            },
        );
        let units = self.durations.units(false);
        builder.plain(&self.durations.list(&norm, units));
        let world = shape_of(self.span(Group::World));
        if world.ranks > 1 {
            // One FP32 number: only the latency counts.
            let time = self
                .durations
                .data(CollectiveKind::AllReduce, Bytes::new(4), world);
            let norm = DataCollective {
                group: group::WORLD,
                time,
                sent: Sent::default(),
                wire: None,
            };
            builder.blocking(norm, "all-reduce gradient norm");
        }
        builder.plain(&self.durations.list(&update, units));
        let gathers =
            !self.sharded() && !software.parameter_overlap && self.parallelism.zero != Zero::Zero0;
        if gathers {
            for collective in
                self.data_collectives(CollectiveKind::AllGather, total, state.weight, false)
            {
                builder.blocking(collective, "gather parameters");
            }
        }
        builder.finish(Window::Optimizer, true)
    }

    /// Where embedding and head share weights but not a rank, their gradients are summed between
    /// the first and the last stage (arXiv 2104.04473 and Megatron-LM's embedding group). A time of
    /// the two ranks' own: neither waits for the other before the norm, where all ranks meet.
    pub(super) fn tied_gradients(&self, rank: u32) -> Option<Time> {
        let last = self.schedule.stages() - 1;
        let (first, _) = self.schedule.holder(0, 0);
        let (end, _) = self.schedule.holder(last, 0);
        // Mirrored copies of DualPipe hold both.
        let trained = self.case.training.method == Method::Full;
        let apart = self.case.model.tied && trained && first != end && self.schedule.copies() == 1;
        if !apart || (rank != first && rank != end) {
            return None;
        }
        let group = if self.layout.hop_crosses_domains(first, end) {
            GroupShape::spread(2, 1)
        } else {
            GroupShape::in_domain(2)
        };
        let weights = f64::from(self.layout.vocabulary_rows(&self.case.model))
            * f64::from(self.case.model.hidden);
        let bytes = Bytes::from_f64(weights * self.case.precision.state.gradient);
        Some((self.durations).data(CollectiveKind::AllReduce, bytes, group))
    }
}

/// What each rank of a group sends in a collective: its share of the buffer by its port, and as many
/// rings by NICs as a domain has members.
fn sent(kind: CollectiveKind, bytes: Bytes, group: GroupShape) -> Sent {
    let moved = kind.wire_share(group.ranks) * bytes.as_f64();
    let members = f64::from(group.per_domain.max(1));
    let part = |there: bool, bytes: f64| {
        if there {
            Bytes::from_f64(bytes)
        } else {
            Bytes::ZERO
        }
    };
    Sent {
        nic: part(group.domains > 1, moved / members),
        port: part(group.per_domain > 1, moved),
    }
}
