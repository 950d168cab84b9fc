//! Who holds what: ranks, groups and stages of a layout.
//!
//! In: a [`Parallelism`], a model, a cluster, and the sequence length and batch of a phase.
//! Out: a [`Layout`], or every contradiction between them. Never says how long anything takes.
//!
//! Ranks are numbered as Megatron-LM does (`tp-cp-ep-dp-pp`): tensor fastest, then
//! context, then data, pipeline slowest. Experts see the same ranks of a stage another way:
//! expert-tensor fastest, then expert, then what is left. So a scale-up domain, a run of
//! consecutive ranks, holds tensor groups first and expert groups next.

mod checks;
#[cfg(test)]
pub(crate) mod fixtures;
mod groups;
mod stages;
#[cfg(test)]
mod tests;

pub use groups::{Group, Span};
pub use stages::{StageContents, is_moe};

use crate::case::Parallelism;
use crate::hardware::Cluster;
use crate::model::Model;
use crate::schedule::{self, Schedule};
use crate::simulate::SimulateError;
use std::sync::Arc;

/// Where a rank stands in each dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coords {
    /// Tensor-parallel index.
    pub tensor: u32,
    /// Context-parallel index.
    pub context: u32,
    /// Data-parallel index.
    pub data: u32,
    /// Pipeline rank.
    pub pipeline: u32,
    /// Tensor-parallel index inside an expert.
    pub expert_tensor: u32,
    /// Expert-parallel index.
    pub expert: u32,
    /// Index among the ranks that hold the same experts.
    pub expert_data: u32,
}

/// A layout that fits its model and cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// All ranks.
    pub ranks: u32,
    /// Tensor-parallel ranks.
    pub tensor: u32,
    /// Context-parallel ranks.
    pub context: u32,
    /// Data-parallel ranks: what the others leave of the cluster.
    pub data: u32,
    /// Pipeline ranks.
    pub pipeline: u32,
    /// Expert-parallel ranks.
    pub expert: u32,
    /// Tensor-parallel ranks inside an expert.
    pub expert_tensor: u32,
    /// Ranks of a stage that hold the same experts.
    pub expert_data: u32,
    /// Copies of every stage in a pipeline: 2 in DualPipe, else 1.
    pub copies: u32,
    /// Ranks over which ZeRO shards dense states; divides the data group.
    pub shard: u32,
    /// Ranks over which ZeRO shards expert states; divides the expert-data group.
    pub expert_shard: u32,
    /// Accelerators of a scale-up domain.
    pub domain: u32,
    /// Sequences in a micro-batch.
    pub micro_batch: u32,
    /// Tokens of a sequence.
    pub sequence_length: u32,
    /// Sequences of a step.
    pub global_batch: u32,
    /// Order of work.
    pub schedule: Schedule,
    /// Contents of the model's stages, in order.
    pub stages: Vec<StageContents>,
}

impl Layout {
    /// Lays a model out over a cluster for steps of `global_batch` sequences of
    /// `sequence_length` tokens.
    ///
    /// # Errors
    /// Every contradiction between the settings, each with its scenario path and a remedy.
    pub fn new(
        parallelism: &Parallelism,
        model: &Model,
        cluster: &Cluster,
        sequence_length: u32,
        global_batch: u32,
    ) -> Result<Layout, Vec<SimulateError>> {
        let plan = checks::check(parallelism, model, cluster, sequence_length, global_batch)?;
        let schedule = schedule::schedule(
            parallelism.schedule,
            parallelism.pipeline,
            parallelism.virtual_stages,
            plan.micro_batches,
        )
        .map_err(|error| vec![checks::invalid_schedule(&error)])?;
        Ok(Layout::of(
            parallelism,
            plan,
            cluster,
            sequence_length,
            global_batch,
            schedule,
        ))
    }

    /// [`Layout::new`] without the order of work: enough for groups, and for memory where the
    /// caller knows what the order holds ([`crate::schedule::Live`]). It can't be simulated.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn outline(
        parallelism: &Parallelism,
        model: &Model,
        cluster: &Cluster,
        sequence_length: u32,
        global_batch: u32,
    ) -> Result<Layout, Vec<SimulateError>> {
        let plan = checks::check(parallelism, model, cluster, sequence_length, global_batch)?;
        let schedule = Schedule {
            kind: parallelism.schedule,
            pipeline: parallelism.pipeline,
            chunks: schedule::chunks(parallelism.schedule, parallelism.virtual_stages),
            micro_batches: plan.micro_batches,
            order: Arc::from(Vec::new()),
        };
        Ok(Layout::of(
            parallelism,
            plan,
            cluster,
            sequence_length,
            global_batch,
            schedule,
        ))
    }

    fn of(
        parallelism: &Parallelism,
        plan: checks::Plan,
        cluster: &Cluster,
        sequence_length: u32,
        global_batch: u32,
        schedule: Schedule,
    ) -> Layout {
        Layout {
            ranks: cluster.ranks(),
            tensor: parallelism.tensor,
            context: parallelism.context,
            data: plan.data,
            pipeline: parallelism.pipeline,
            expert: parallelism.expert,
            expert_tensor: parallelism.expert_tensor,
            expert_data: plan.expert_data,
            copies: schedule.copies(),
            shard: plan.shard,
            expert_shard: plan.expert_shard,
            domain: cluster.node.accelerators,
            micro_batch: parallelism.micro_batch,
            sequence_length,
            global_batch,
            stages: plan.stages,
            schedule,
        }
    }

    /// Ranks that hold the same pipeline rank.
    pub fn stage_ranks(&self) -> u32 {
        self.tensor * self.context * self.data
    }

    /// Micro-batches of a step in one pipeline.
    pub fn micro_batches(&self) -> u32 {
        self.schedule.micro_batches
    }

    /// Tokens of one micro-batch that a context-parallel rank holds (not divided by tensor
    /// or sequence parallelism).
    pub fn tokens_per_micro_batch(&self) -> u64 {
        u64::from(self.micro_batch) * u64::from(self.sequence_length) / u64::from(self.context)
    }

    /// Rows of the vocabulary on a tensor-parallel rank: padded up to a whole number.
    pub fn vocabulary_rows(&self, model: &Model) -> u32 {
        model.vocabulary.div_ceil(self.tensor)
    }

    /// Contents of the model chunks of a pipeline rank, by local chunk.
    pub fn chunks_of(&self, pipeline_rank: u32) -> Vec<&StageContents> {
        let locals = 0..self.schedule.chunks as u8;
        locals
            .map(|local| &self.stages[self.schedule.stage_of(pipeline_rank, local) as usize])
            .collect()
    }

    /// Where a rank stands.
    pub fn coords(&self, rank: u32) -> Coords {
        let in_stage = rank % self.stage_ranks();
        Coords {
            tensor: in_stage % self.tensor,
            context: in_stage / self.tensor % self.context,
            data: in_stage / (self.tensor * self.context),
            pipeline: rank / self.stage_ranks(),
            expert_tensor: in_stage % self.expert_tensor,
            expert: in_stage / self.expert_tensor % self.expert,
            expert_data: in_stage / (self.expert_tensor * self.expert),
        }
    }

    /// The rank at pipeline rank `pipeline` and position `in_stage` among its
    /// [`Layout::stage_ranks`].
    pub fn rank_at(&self, pipeline: u32, in_stage: u32) -> u32 {
        pipeline * self.stage_ranks() + in_stage
    }

    /// Whether any message from pipeline rank `a` to `b` leaves its scale-up domain.
    pub fn hop_crosses_domains(&self, a: u32, b: u32) -> bool {
        (0..self.stage_ranks()).any(|in_stage| {
            self.rank_at(a, in_stage) / self.domain != self.rank_at(b, in_stage) / self.domain
        })
    }
}
