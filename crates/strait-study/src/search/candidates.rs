//! Layouts that there are: those that the layout checks accept and whose memory is known.
//!
//! In: a case, a phase, a space. Out: [`Candidates`] with the peak memory of each, and how many were
//! refused by which setting. Never simulates. Nothing here depends on the chip but the most memory of
//! interest, so that one list serves every chip in servers of the same size.

use super::space::Space;
use super::work::Workers;
use std::collections::BTreeMap;
use std::sync::Arc;
use strait_training::case::{Case, Parallelism, Phase, ScheduleKind};
use strait_training::layout::{Layout, StageContents};
use strait_training::memory;
use strait_training::schedule::{self, Schedule, Work};
use strait_training::simulate::SimulateError;
use strait_units::Bytes;

/// A layout that the checks accept.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its number in the space.
    pub number: u64,
    /// The layout.
    pub parallelism: Parallelism,
    /// Peak memory of the fullest rank.
    pub memory: Bytes,
    /// Micro-batches of a step in one pipeline.
    pub micro_batches: u32,
    /// What each stage holds.
    pub stages: Arc<[StageContents]>,
    /// Work of each pipeline rank that runs alone.
    pub lone: Arc<[Lone]>,
}

/// Chunks of a pipeline rank that run alone, by local chunk; all others run in pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lone {
    /// Forward chunks.
    pub forward: Vec<u32>,
    /// Backward chunks.
    pub backward: Vec<u32>,
    /// Weight gradients that come behind the last backward chunk.
    pub trailing: Vec<u32>,
}

/// Why layouts of a space were left out, as counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Layouts looked at, repeated ones not counted.
    pub looked_at: u64,
    /// By the setting at fault: sizes that don't divide, schedules that don't exist.
    pub by_setting: BTreeMap<String, u64>,
    /// More memory than any chip of interest has.
    pub memory: u64,
    /// The least that any layout takes, of those that are possible.
    pub least_memory: Option<Bytes>,
}

/// The layouts of a space that are possible, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Them.
    pub all: Vec<Candidate>,
    /// Those that are not.
    pub refused: Refused,
}

/// Layouts that a thread looks at in one go.
const SHARE: u64 = 256;

impl Candidates {
    /// Looks at every layout of a space for the full batch of a phase, and keeps those that take at
    /// most `ceiling` of memory.
    ///
    /// # Errors
    /// [`SimulateError::Cancelled`].
    pub fn of(
        case: &Case,
        phase: &Phase,
        space: &Space,
        ceiling: Bytes,
        workers: Workers<'_>,
    ) -> Result<Candidates, SimulateError> {
        let shares = space.size().div_ceil(SHARE);
        let parts = workers.each(shares as usize, |share| {
            let mut part = Part::default();
            let from = share as u64 * SHARE;
            for number in from..(from + SHARE).min(space.size()) {
                if let Some(parallelism) = space.layout(number) {
                    part.look(case, phase, number, parallelism, ceiling);
                }
            }
            part
        })?;
        let mut candidates = Candidates::default();
        let mut shapes: BTreeMap<usize, Arc<[StageContents]>> = BTreeMap::new();
        let mut skeletons: BTreeMap<Vec<Lone>, Arc<[Lone]>> = BTreeMap::new();
        for part in parts {
            let refused = &mut candidates.refused;
            refused.looked_at += part.refused.looked_at;
            refused.memory += part.refused.memory;
            for (setting, count) in part.refused.by_setting {
                *refused.by_setting.entry(setting).or_default() += count;
            }
            refused.least_memory = match (refused.least_memory, part.refused.least_memory) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            for (mut candidate, stages, lone) in part.found {
                // What many share is kept once.
                candidate.stages = match candidate.parallelism.stage_layers {
                    Some(_) => stages.into(),
                    None => shapes
                        .entry(stages.len())
                        .or_insert_with(|| stages.into())
                        .clone(),
                };
                candidate.lone = match skeletons.get(&lone) {
                    Some(known) => known.clone(),
                    None => {
                        let shared: Arc<[Lone]> = lone.clone().into();
                        skeletons.insert(lone, shared.clone());
                        shared
                    }
                };
                candidates.all.push(candidate);
            }
        }
        Ok(candidates)
    }

    /// Those that fit in so much memory, and how many don't.
    pub fn within(&self, capacity: Bytes) -> (Vec<&Candidate>, u64) {
        let fit: Vec<&Candidate> = self.all.iter().filter(|c| c.memory <= capacity).collect();
        let rest = (self.all.len() - fit.len()) as u64;
        (fit, rest + self.refused.memory)
    }
}

/// What one thread found in its share.
#[derive(Default)]
struct Part {
    found: Vec<(Candidate, Vec<StageContents>, Vec<Lone>)>,
    refused: Refused,
}

impl Part {
    fn look(
        &mut self,
        case: &Case,
        phase: &Phase,
        number: u64,
        parallelism: Parallelism,
        ceiling: Bytes,
    ) {
        self.refused.looked_at += 1;
        let (layout, micro_batches) = match small_layout(case, phase, &parallelism) {
            Ok(found) => found,
            Err(setting) => {
                *self.refused.by_setting.entry(setting).or_default() += 1;
                return;
            }
        };
        let memory = peak(case, &parallelism, &layout);
        self.refused.least_memory =
            Some((self.refused.least_memory).map_or(memory, |least| least.min(memory)));
        if memory > ceiling {
            self.refused.memory += 1;
            return;
        }
        let lone = skeleton(&layout.schedule);
        let candidate = Candidate {
            number,
            parallelism,
            memory,
            micro_batches,
            stages: Arc::from([]),
            lone: Arc::from([]),
        };
        self.found.push((candidate, layout.stages, lone));
    }
}

/// Peak memory of a layout.
pub(super) fn peak(case: &Case, parallelism: &Parallelism, layout: &Layout) -> Bytes {
    let setting = memory::Setting {
        model: &case.model,
        parallelism,
        precision: &case.precision,
        software: &case.software,
        method: case.training.method,
        capacity: case.cluster.accelerator.memory,
    };
    memory::peak(setting, layout).peak
}

/// The path of the first contradiction.
pub(super) fn setting(errors: &[SimulateError]) -> String {
    match errors.first() {
        Some(SimulateError::Invalid { path, .. }) => path.clone(),
        _ => "parallelism".to_owned(),
    }
}

/// A layout with as many micro-batches as it takes to fill its pipeline, or all; and how many there
/// really are. More change neither what a rank holds nor which chunks run alone. The error is the
/// path of a setting at fault.
pub(super) fn small_layout(
    case: &Case,
    phase: &Phase,
    parallelism: &Parallelism,
) -> Result<(Layout, u32), String> {
    let p = parallelism;
    let new = |batch| {
        Layout::new(p, &case.model, &case.cluster, phase.sequence_length, batch)
            .map_err(|errors| setting(&errors))
    };
    let replica = u64::from(p.tensor) * u64::from(p.pipeline) * u64::from(p.context);
    let ranks = u64::from(case.cluster.ranks());
    let pass = match replica {
        0 => 0,
        replica if ranks.is_multiple_of(replica) => ranks / replica * u64::from(p.micro_batch),
        _ => 0,
    };
    let batch = u64::from(phase.global_batch);
    if pass == 0 || !batch.is_multiple_of(pass) {
        // Refused, and by what: the checks say.
        let layout = new(phase.global_batch)?;
        let micro_batches = layout.micro_batches();
        return Ok((layout, micro_batches));
    }
    let check = |batch: u64| {
        let count = u32::try_from(batch / pass).unwrap_or(u32::MAX);
        schedule::check(p.schedule, p.pipeline, p.virtual_stages, count)
            .map(|()| count)
            .map_err(|error| error.path().to_owned())
    };
    let micro_batches = check(batch)?;
    // A phase whose batch grows begins with a smaller one.
    if let Some(initial) = phase.initial_batch.filter(|b| *b < phase.global_batch) {
        let initial = u64::from(initial);
        if !initial.is_multiple_of(pass) {
            return Err("training.phase.initial_batch".to_owned());
        }
        check(initial)?;
    }
    let few = fewer(p, micro_batches);
    let layout = new((u64::from(few) * pass) as u32)?;
    Ok((layout, micro_batches))
}

/// Fewer micro-batches with the same remainders, enough that every rank is as full as it gets.
pub(super) fn fewer(p: &Parallelism, micro_batches: u32) -> u32 {
    // Groups of interleaved schedules depend on the remainder by the pipeline in ways that are not
    // worth following where it is not zero; GPipe holds all micro-batches.
    let plain = micro_batches.is_multiple_of(p.pipeline) || p.virtual_stages == 1;
    let enough = 4 * p.pipeline;
    if !plain || p.schedule == ScheduleKind::GPipe || micro_batches <= enough + p.pipeline {
        return micro_batches;
    }
    enough + micro_batches % p.pipeline
}

/// Which chunks run alone on each pipeline rank.
pub(super) fn skeleton(schedule: &Schedule) -> Vec<Lone> {
    let chunks = schedule.chunks as usize;
    let of = |order: &Vec<Work>| {
        let mut lone = Lone {
            forward: vec![0; chunks],
            backward: vec![0; chunks],
            trailing: vec![0; chunks],
        };
        for work in order {
            match work {
                Work::Forward(c) => lone.forward[c.local as usize] += 1,
                Work::Backward(c) | Work::BackwardInput(c) => {
                    lone.backward[c.local as usize] += 1;
                }
                Work::BackwardWeight(_) | Work::Pair { .. } => {}
            }
        }
        for work in order.iter().rev() {
            match work {
                Work::BackwardWeight(c) => lone.trailing[c.local as usize] += 1,
                _ => break,
            }
        }
        lone
    };
    let paired = |order: &Vec<Work>| order.iter().any(|w| matches!(w, Work::Pair { .. }));
    if schedule.order.iter().any(paired) {
        return schedule.order.iter().map(of).collect();
    }
    // Without pairs everything runs alone, and only what trails has to be known.
    let all = |order| Lone {
        forward: Vec::new(),
        backward: Vec::new(),
        ..of(order)
    };
    schedule.order.iter().map(all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_micro_batches_keep_their_remainder() {
        let p = |pipeline, virtual_stages, schedule| Parallelism {
            tensor: 1,
            sequence: false,
            pipeline,
            virtual_stages,
            context: 1,
            expert: 1,
            expert_tensor: 1,
            zero: strait_training::case::Zero::Zero1,
            zero_group: None,
            schedule,
            micro_batch: 1,
            recompute: strait_training::case::Recompute::None,
            recompute_layers: None,
            offload_layers: 0,
            stage_layers: None,
            communication_units: 0,
        };
        let one = ScheduleKind::OneFOneB;
        assert_eq!(fewer(&p(16, 1, ScheduleKind::DualPipe), 120), 72);
        assert_eq!(fewer(&p(16, 1, one), 60), 60);
        assert_eq!(fewer(&p(4, 2, one), 101), 101);
        assert_eq!(fewer(&p(4, 2, one), 100), 16);
        assert_eq!(fewer(&p(4, 1, ScheduleKind::GPipe), 100), 100);
    }
}
