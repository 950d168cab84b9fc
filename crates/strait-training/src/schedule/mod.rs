//! Pipeline schedules: in which order a rank works on its chunks.
//!
//! In: a kind of schedule, pipeline ranks, virtual stages, micro-batches. Out: a
//! [`Schedule`], the order of work on every pipeline rank and which model stage each
//! of its chunks is. Never knows how long anything takes: the bubble is an outcome.
//!
//! A *chunk* is the work of one model stage for one micro-batch. Every rank works on
//! each of its model chunks in the same order as the rank that feeds it, so that a
//! receiver may count the messages of a channel instead of reading their labels; the
//! tests hold every schedule to that.

mod dualpipe;
mod kept;
mod live;
mod one_way;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;

pub use crate::case::ScheduleKind;
pub use live::{Held, InFlight, Live};
use std::sync::Arc;

/// One stage's work for one micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// Which of the rank's model chunks.
    pub local: u8,
    /// Micro-batch, counted over the whole pipeline.
    pub micro_batch: u32,
}

/// One piece of work of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Forward.
    Forward(Chunk),
    /// Backward: input and weight gradients together.
    Backward(Chunk),
    /// Backward for the input; the weight gradients follow later.
    BackwardInput(Chunk),
    /// The weight gradients of an earlier [`Work::BackwardInput`].
    BackwardWeight(Chunk),
    /// A forward and a whole backward, overlapped: the kernels of one hide the
    /// communication of the other. Starts when the inputs of both are there.
    Pair {
        /// The forward.
        forward: Chunk,
        /// The backward, input and weight gradients.
        backward: Chunk,
    },
}

/// The order of work on every pipeline rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Kind.
    pub kind: ScheduleKind,
    /// Pipeline ranks.
    pub pipeline: u32,
    /// Model chunks held by a rank.
    pub chunks: u32,
    /// Micro-batches of a step that pass through this pipeline.
    pub micro_batches: u32,
    /// Work in order, by pipeline rank.
    pub order: Arc<[Vec<Work>]>,
}

impl Schedule {
    /// Stages that the model is cut into.
    pub fn stages(&self) -> u32 {
        match self.kind {
            ScheduleKind::DualPipe => self.pipeline,
            _ => self.pipeline * self.chunks,
        }
    }

    /// Copies of each stage in the pipeline: two in DualPipe, one elsewhere.
    pub fn copies(&self) -> u32 {
        copies(self.kind)
    }

    /// The model stage that is chunk `local` of `rank`.
    pub fn stage_of(&self, rank: u32, local: u8) -> u32 {
        stage_of(self.kind, self.pipeline, rank, local)
    }

    /// The rank that works on `stage` for this micro-batch, and which of its chunks that is.
    pub fn holder(&self, stage: u32, micro_batch: u32) -> (u32, u8) {
        let last = self.pipeline - 1;
        match self.kind {
            ScheduleKind::DualPipe if micro_batch < self.micro_batches / 2 => (stage, 0),
            ScheduleKind::DualPipe => (last - stage, 1),
            ScheduleKind::DualPipeV if stage < self.pipeline => (stage, 0),
            ScheduleKind::DualPipeV => (2 * self.pipeline - 1 - stage, 1),
            _ => (stage % self.pipeline, (stage / self.pipeline) as u8),
        }
    }

    /// Where the forward output of a chunk goes; `None` from the last stage.
    pub fn next(&self, rank: u32, chunk: Chunk) -> Option<(u32, u8)> {
        let stage = self.stage_of(rank, chunk.local);
        (stage + 1 < self.stages()).then(|| self.holder(stage + 1, chunk.micro_batch))
    }

    /// Where the forward input of a chunk comes from, and its input gradient goes;
    /// `None` at the first stage.
    pub fn previous(&self, rank: u32, chunk: Chunk) -> Option<(u32, u8)> {
        let stage = self.stage_of(rank, chunk.local);
        (stage > 0).then(|| self.holder(stage - 1, chunk.micro_batch))
    }
}

/// Copies of each stage in a pipeline of this kind: two in DualPipe, one elsewhere.
pub(crate) fn copies(kind: ScheduleKind) -> u32 {
    match kind {
        ScheduleKind::DualPipe => 2,
        _ => 1,
    }
}

/// Model chunks on a rank.
pub(crate) fn chunks(kind: ScheduleKind, virtual_stages: u32) -> u32 {
    match kind {
        ScheduleKind::DualPipe | ScheduleKind::DualPipeV => 2,
        _ => virtual_stages,
    }
}

fn stage_of(kind: ScheduleKind, pipeline: u32, rank: u32, local: u8) -> u32 {
    match (kind, local) {
        (ScheduleKind::DualPipe | ScheduleKind::DualPipeV, 0) => rank,
        (ScheduleKind::DualPipe, _) => pipeline - 1 - rank,
        (ScheduleKind::DualPipeV, _) => 2 * pipeline - 1 - rank,
        _ => u32::from(local) * pipeline + rank,
    }
}

/// Why there is no such schedule. [`ScheduleError::path`] names the setting at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A count is zero.
    #[error("{path} must be at least 1")]
    Zero {
        /// Scenario path of the count.
        path: &'static str,
    },
    /// The schedule has no virtual stages.
    #[error(
        "parallelism.schedule {schedule} does not interleave, but parallelism.virtual_stages is {virtual_stages}"
    )]
    NotInterleaved {
        /// Name of the schedule.
        schedule: &'static str,
        /// Virtual stages asked for.
        virtual_stages: u32,
    },
    /// More model chunks on a rank than can be told apart.
    #[error(
        "parallelism.virtual_stages is {virtual_stages}, but a rank can hold at most {MOST_CHUNKS} model chunks"
    )]
    TooManyChunks {
        /// Virtual stages asked for.
        virtual_stages: u32,
    },
    /// More chunks than a step of any sense has.
    #[error(
        "{chunks} chunks in a step (pipeline ranks x chunks of a rank x {micro_batches} micro-batches) are more than {MOST_WORK}"
    )]
    TooMuchWork {
        /// Chunks over all ranks.
        chunks: u64,
        /// Micro-batches of a step in one pipeline.
        micro_batches: u32,
    },
    /// DualPipe folds the pipeline in two.
    #[error(
        "parallelism.schedule {schedule} needs an even number of pipeline ranks, at least 2, but parallelism.pipeline is {pipeline}"
    )]
    OddPipeline {
        /// Name of the schedule.
        schedule: &'static str,
        /// Pipeline ranks.
        pipeline: u32,
    },
    /// DualPipe feeds half the micro-batches from each end.
    #[error(
        "parallelism.schedule {schedule} needs an even number of micro-batches, but there are {micro_batches}"
    )]
    OddMicroBatches {
        /// Name of the schedule.
        schedule: &'static str,
        /// Micro-batches of a step in one pipeline.
        micro_batches: u32,
    },
    /// Too few micro-batches to fill the pipeline.
    #[error(
        "parallelism.schedule {schedule} needs at least {needed} micro-batches for {pipeline} pipeline ranks, but there are {micro_batches}"
    )]
    TooFewMicroBatches {
        /// Name of the schedule.
        schedule: &'static str,
        /// Least number of micro-batches.
        needed: u32,
        /// Pipeline ranks.
        pipeline: u32,
        /// Micro-batches of a step in one pipeline.
        micro_batches: u32,
    },
}

impl ScheduleError {
    /// Scenario path of the setting at fault.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Zero { path } => path,
            Self::NotInterleaved { .. } | Self::TooManyChunks { .. } => {
                "parallelism.virtual_stages"
            }
            Self::TooMuchWork { .. } => "training.global_batch",
            Self::OddPipeline { .. } => "parallelism.pipeline",
            Self::OddMicroBatches { .. } | Self::TooFewMicroBatches { .. } => {
                "parallelism.schedule"
            }
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Zero { path } => format!("set {path} to 1 or more"),
            Self::NotInterleaved { .. } => {
                "set parallelism.virtual_stages = 1, or parallelism.schedule = \"1f1b\"".into()
            }
            Self::TooManyChunks { .. } => {
                format!("set parallelism.virtual_stages to at most {MOST_CHUNKS}")
            }
            Self::TooMuchWork { .. } => {
                "lower training.global_batch, or raise parallelism.micro_batch".into()
            }
            Self::OddPipeline { .. } => {
                "choose an even parallelism.pipeline, or parallelism.schedule = \"dualpipe-v\" or \"1f1b\""
                    .into()
            }
            Self::OddMicroBatches { .. } => {
                "choose training.global_batch so that global_batch / (data-parallel ranks x parallelism.micro_batch) is even"
                    .into()
            }
            Self::TooFewMicroBatches {
                schedule, needed, ..
            } => {
                let other = match *schedule {
                    "1f1b" => "parallelism.virtual_stages = 1",
                    _ => "parallelism.schedule = \"1f1b\"",
                };
                format!(
                    "raise training.global_batch or lower parallelism.micro_batch until there are {needed} micro-batches, lower parallelism.pipeline, or set {other}"
                )
            }
        }
    }
}

/// Most model chunks that a rank may hold: a chunk has two channels, and a program numbers its
/// channels with a byte ([`strait_sim::Program::channels`]).
pub const MOST_CHUNKS: u32 = 127;

/// Most chunks of a step over all pipeline ranks (a bound on memory; DeepSeek-V3's step
/// has 3,840).
pub const MOST_WORK: u64 = 1 << 20;

/// The name of a schedule as scenarios write it.
pub fn name(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::GPipe => "gpipe",
        ScheduleKind::OneFOneB => "1f1b",
        ScheduleKind::OverlappedOneFOneB => "1f1b-overlap",
        ScheduleKind::ZbH1 => "zb-h1",
        ScheduleKind::DualPipe => "dualpipe",
        ScheduleKind::DualPipeV => "dualpipe-v",
    }
}

/// The order of work for `micro_batches` micro-batches on `pipeline` ranks.
///
/// `virtual_stages` is 1 except for interleaved 1F1B; DualPipe and DualPipeV hold
/// their two chunks by themselves.
///
/// # Errors
/// When the schedule does not exist for these numbers; see [`ScheduleError`].
pub fn schedule(
    kind: ScheduleKind,
    pipeline: u32,
    virtual_stages: u32,
    micro_batches: u32,
) -> Result<Schedule, ScheduleError> {
    check(kind, pipeline, virtual_stages, micro_batches)?;
    Ok(Schedule {
        kind,
        pipeline,
        chunks: chunks(kind, virtual_stages),
        micro_batches,
        order: kept::order(kind, [pipeline, virtual_stages, micro_batches], order),
    })
}

/// The order of work of a schedule that exists.
fn order(
    kind: ScheduleKind,
    [pipeline, virtual_stages, micro_batches]: [u32; 3],
) -> Arc<[Vec<Work>]> {
    (0..pipeline)
        .map(|rank| match kind {
            ScheduleKind::GPipe => one_way::gpipe(micro_batches),
            ScheduleKind::OneFOneB if virtual_stages == 1 => {
                one_way::one_f_one_b(pipeline, rank, micro_batches)
            }
            ScheduleKind::OneFOneB => {
                one_way::interleaved(pipeline, rank, virtual_stages, micro_batches)
            }
            ScheduleKind::OverlappedOneFOneB => {
                one_way::paired(pipeline, rank, virtual_stages, micro_batches)
            }
            ScheduleKind::ZbH1 => one_way::zb_h1(pipeline, rank, micro_batches),
            ScheduleKind::DualPipe => dualpipe::two_ended(pipeline, rank, micro_batches),
            ScheduleKind::DualPipeV => dualpipe::folded(pipeline, rank, micro_batches),
        })
        .collect()
}

/// Whether the schedule exists, without building it.
///
/// # Errors
/// See [`schedule`].
pub fn check(
    kind: ScheduleKind,
    pipeline: u32,
    virtual_stages: u32,
    micro_batches: u32,
) -> Result<(), ScheduleError> {
    let schedule = name(kind);
    for (path, count) in [
        ("parallelism.pipeline", pipeline),
        ("parallelism.virtual_stages", virtual_stages),
        ("training.global_batch", micro_batches),
    ] {
        if count == 0 {
            return Err(ScheduleError::Zero { path });
        }
    }
    let one_f_one_b = matches!(
        kind,
        ScheduleKind::OneFOneB | ScheduleKind::OverlappedOneFOneB
    );
    if virtual_stages > 1 && !one_f_one_b {
        return Err(ScheduleError::NotInterleaved {
            schedule,
            virtual_stages,
        });
    }
    if virtual_stages > MOST_CHUNKS {
        return Err(ScheduleError::TooManyChunks { virtual_stages });
    }
    let chunks = u64::from(chunks(kind, virtual_stages)) * u64::from(pipeline);
    let chunks = chunks.saturating_mul(u64::from(micro_batches));
    if chunks > MOST_WORK {
        return Err(ScheduleError::TooMuchWork {
            chunks,
            micro_batches,
        });
    }
    if kind == ScheduleKind::DualPipe && !pipeline.is_multiple_of(2) {
        return Err(ScheduleError::OddPipeline { schedule, pipeline });
    }
    let needed = match kind {
        ScheduleKind::DualPipe | ScheduleKind::DualPipeV => pipeline.saturating_mul(2),
        _ if one_f_one_b && virtual_stages > 1 => pipeline,
        _ => 1,
    };
    if micro_batches < needed {
        return Err(ScheduleError::TooFewMicroBatches {
            schedule,
            needed,
            pipeline,
            micro_batches,
        });
    }
    if kind == ScheduleKind::DualPipe && !micro_batches.is_multiple_of(2) {
        return Err(ScheduleError::OddMicroBatches {
            schedule,
            micro_batches,
        });
    }
    Ok(())
}
