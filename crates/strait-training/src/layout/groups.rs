//! Groups of ranks that talk to each other.
//!
//! In: a [`Layout`]. Out: the group of a rank, the members of a group, and how it lies over
//! scale-up domains. Never says what is sent.

use super::Layout;

/// Kinds of groups; each divides the ranks into disjoint groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Ranks that share each layer's matrices.
    Tensor,
    /// Ranks that share each sequence.
    Context,
    /// Ranks that share the experts of a layer (same expert-tensor index).
    Expert,
    /// Ranks that share each expert's matrices.
    ExpertTensor,
    /// Ranks that hold the same dense weights: data and context ranks, and in DualPipe
    /// those of the mirrored pipeline rank, which holds a copy of the same stages.
    Data,
    /// Ranks that hold the same experts (in DualPipe with the mirrored pipeline rank).
    ExpertData,
    /// Ranks among which ZeRO shards dense states: consecutive members of a data group,
    /// all of it unless hybrid sharding is asked for.
    Shard,
    /// Ranks that hold the same shard: one member of each shard group of a data group.
    Replica,
    /// Ranks that pass one micro-batch on, in pipeline order.
    Pipeline,
    /// All ranks.
    World,
}

/// How a group lies over scale-up domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Members.
    pub ranks: u32,
    /// Most members in one scale-up domain.
    pub per_domain: u32,
    /// Scale-up domains that hold members.
    pub domains: u32,
}

impl Layout {
    /// Members of each group of a kind.
    pub fn group_size(&self, group: Group) -> u32 {
        match group {
            Group::Tensor => self.tensor,
            Group::Context => self.context,
            Group::Expert => self.expert,
            Group::ExpertTensor => self.expert_tensor,
            Group::Data => self.data * self.context * self.copies,
            Group::ExpertData => self.expert_data * self.copies,
            Group::Shard => self.shard,
            Group::Replica => self.group_size(Group::Data) / self.shard,
            Group::Pipeline => self.pipeline,
            Group::World => self.ranks,
        }
    }

    /// Groups of a kind.
    pub fn group_count(&self, group: Group) -> u32 {
        self.ranks / self.group_size(group)
    }

    /// Pipeline rank with mirrored ranks folded together where stages have two copies, and
    /// which copy this is.
    fn fold(&self, pipeline: u32) -> (u32, u32) {
        if self.copies == 2 && pipeline >= self.pipeline / 2 {
            (self.pipeline - 1 - pipeline, 1)
        } else {
            (pipeline, 0)
        }
    }

    /// The group that a rank belongs to, and its place in it (the index into
    /// [`Layout::members`]).
    pub fn place(&self, group: Group, rank: u32) -> (u32, u32) {
        let at = self.coords(rank);
        let in_stage = rank % self.stage_ranks();
        match group {
            Group::Tensor => (rank / self.tensor, at.tensor),
            Group::Context => {
                let outer = at.pipeline * self.data + at.data;
                (outer * self.tensor + at.tensor, at.context)
            }
            Group::ExpertTensor => (rank / self.expert_tensor, at.expert_tensor),
            Group::Expert => {
                let outer = at.pipeline * self.expert_data + at.expert_data;
                (outer * self.expert_tensor + at.expert_tensor, at.expert)
            }
            Group::Data => {
                let (stage, copy) = self.fold(at.pipeline);
                let inner = in_stage / self.tensor;
                let place = copy * self.data * self.context + inner;
                (stage * self.tensor + at.tensor, place)
            }
            Group::ExpertData => {
                let (stage, copy) = self.fold(at.pipeline);
                let held = self.expert_tensor * self.expert;
                let place = copy * self.expert_data + at.expert_data;
                (stage * held + in_stage % held, place)
            }
            Group::Shard => {
                let (index, place) = self.place(Group::Data, rank);
                let shards = self.group_size(Group::Replica);
                (index * shards + place / self.shard, place % self.shard)
            }
            Group::Replica => {
                let (index, place) = self.place(Group::Data, rank);
                (index * self.shard + place % self.shard, place / self.shard)
            }
            Group::Pipeline => (in_stage, at.pipeline),
            Group::World => (0, rank),
        }
    }

    /// The ranks of a group, in order of their place.
    pub fn members(&self, group: Group, index: u32) -> Vec<u32> {
        let size = self.group_size(group);
        (0..size)
            .map(|place| self.member(group, index, place))
            .collect()
    }

    /// The rank at a place of a group: the inverse of [`Layout::place`].
    fn member(&self, group: Group, index: u32, place: u32) -> u32 {
        let stage_ranks = self.stage_ranks();
        let unfold = |stage: u32, copy: u32| match copy {
            0 => stage,
            _ => self.pipeline - 1 - stage,
        };
        match group {
            Group::Tensor => index * self.tensor + place,
            Group::Context => {
                let outer = index / self.tensor;
                (outer * self.context + place) * self.tensor + index % self.tensor
            }
            Group::ExpertTensor => index * self.expert_tensor + place,
            Group::Expert => {
                let outer = index / self.expert_tensor;
                (outer * self.expert + place) * self.expert_tensor + index % self.expert_tensor
            }
            Group::Data => {
                let each = self.data * self.context;
                let stage = unfold(index / self.tensor, place / each);
                stage * stage_ranks + (place % each) * self.tensor + index % self.tensor
            }
            Group::ExpertData => {
                let held = self.expert_tensor * self.expert;
                let stage = unfold(index / held, place / self.expert_data);
                stage * stage_ranks + (place % self.expert_data) * held + index % held
            }
            Group::Shard => {
                let shards = self.group_size(Group::Replica);
                let inner = index % shards * self.shard + place;
                self.member(Group::Data, index / shards, inner)
            }
            Group::Replica => {
                let inner = place * self.shard + index % self.shard;
                self.member(Group::Data, index / self.shard, inner)
            }
            Group::Pipeline => place * stage_ranks + index,
            Group::World => place,
        }
    }

    /// How a group lies over scale-up domains. Groups of one kind may differ where domains
    /// and groups don't divide each other.
    pub fn span(&self, group: Group, index: u32) -> Span {
        let mut domains: Vec<u32> = self
            .members(group, index)
            .iter()
            .map(|rank| rank / self.domain)
            .collect();
        domains.sort_unstable();
        let mut span = Span {
            ranks: domains.len() as u32,
            per_domain: 0,
            domains: 0,
        };
        for together in domains.chunk_by(|a, b| a == b) {
            span.domains += 1;
            span.per_domain = span.per_domain.max(together.len() as u32);
        }
        span
    }
}
