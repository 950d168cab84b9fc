//! What may vary: the axes of a layout and their values.
//!
//! In: a case and a phase, or values of one's own. Out: layouts by number, from 0 to
//! [`Space::size`], so that a space of millions is never held in memory and can be shared out. Never
//! asks whether a layout is possible.

use super::written;
use strait_training::case::{
    Case, Parallelism, Phase, Recompute, RecomputePart, ScheduleKind, Zero,
};
use strait_training::model::Attention;

/// Values of each axis; every layout is one value of each, on the template.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// What does not vary.
    pub template: Parallelism,
    /// Layouts that are looked at first, as they are.
    pub also: Vec<Parallelism>,
    /// Pipeline ranks.
    pub pipeline: Vec<u32>,
    /// Schedules, each with its numbers of virtual stages.
    pub schedule: Vec<(ScheduleKind, u32)>,
    /// Tensor-parallel ranks; sequence parallelism is on where there are several.
    pub tensor: Vec<u32>,
    /// Context-parallel ranks.
    pub context: Vec<u32>,
    /// Expert-parallel ranks.
    pub expert: Vec<u32>,
    /// Tensor-parallel ranks inside an expert.
    pub expert_tensor: Vec<u32>,
    /// ZeRO stages.
    pub zero: Vec<Zero>,
    /// Sequences in a micro-batch.
    pub micro_batch: Vec<u32>,
    /// Recomputed activations.
    pub recompute: Vec<Recompute>,
}

/// Fewest tokens of a sequence on a context-parallel rank: with fewer, attention is all latency.
const FEWEST_TOKENS: u32 = 2048;
/// Most pipeline ranks, unless the written layout has more.
const MOST_STAGES: u32 = 64;

impl Space {
    /// What is sensible for a phase of a case, with its written layout among it: powers of two on
    /// every axis, tensor parallelism within a scale-up domain, all schedules.
    pub fn around(case: &Case, phase: &Phase) -> Space {
        let own = written(case, phase);
        let model = &case.model;
        let ranks = case.cluster.ranks();
        let heads = match model.attention {
            Attention::Grouped { heads, .. } | Attention::Latent { heads, .. } => heads,
        };
        let domain = case.cluster.node.accelerators.max(1);
        let moe = model.experts.is_some();
        let powers = |most: u32, own: u32| -> Vec<u32> {
            let mut all: Vec<u32> = (0..31).map(|p| 1 << p).filter(|v| *v <= most).collect();
            all.push(own);
            all.sort_unstable();
            all.dedup();
            all
        };
        let mut schedule = vec![(ScheduleKind::OneFOneB, 1)];
        schedule.extend([2, 4, 8].map(|v| (ScheduleKind::OneFOneB, v)));
        schedule.push((ScheduleKind::ZbH1, 1));
        if moe {
            schedule.extend([1, 2].map(|v| (ScheduleKind::OverlappedOneFOneB, v)));
            schedule.push((ScheduleKind::DualPipe, 1));
            schedule.push((ScheduleKind::DualPipeV, 1));
        }
        if !schedule.contains(&(own.schedule, own.virtual_stages)) {
            schedule.push((own.schedule, own.virtual_stages));
        }
        let mut recompute = vec![Recompute::None];
        let mut parts = vec![RecomputePart::Norm, RecomputePart::Activation];
        if matches!(model.attention, Attention::Latent { .. }) {
            parts.insert(1, RecomputePart::MlaUp);
        }
        for more in [
            own.recompute.clone(),
            Recompute::Named(parts),
            Recompute::Full,
        ] {
            if !recompute.contains(&more) {
                recompute.push(more);
            }
        }
        let routed = model.experts.as_ref().map_or(1, |e| e.routed);
        let mut expert = powers(if moe { routed.min(ranks) } else { 1 }, own.expert);
        expert.retain(|e| routed.is_multiple_of(*e) || !moe);
        let mut zero = vec![Zero::Zero1, Zero::Zero3];
        if !zero.contains(&own.zero) {
            zero.push(own.zero);
        }
        let mut expert_tensor = vec![1];
        if own.expert_tensor > 1 {
            expert_tensor.push(own.expert_tensor);
        }
        Space {
            template: Parallelism {
                stage_layers: None,
                recompute_layers: None,
                offload_layers: 0,
                zero_group: None,
                ..own.clone()
            },
            also: vec![own.clone()],
            pipeline: powers(MOST_STAGES.min(model.layers + 2).min(ranks), own.pipeline),
            schedule,
            tensor: powers(domain.min(heads), own.tensor),
            context: powers((phase.sequence_length / FEWEST_TOKENS).max(1), own.context),
            expert,
            expert_tensor,
            zero,
            micro_batch: powers(4, own.micro_batch),
            recompute,
        }
    }

    /// Layouts in all, duplicates and impossible ones included.
    pub fn size(&self) -> u64 {
        let grid: u64 = self.axes().iter().map(|len| *len as u64).product();
        self.also.len() as u64 + grid
    }

    fn axes(&self) -> [usize; 9] {
        [
            self.pipeline.len(),
            self.schedule.len(),
            self.tensor.len(),
            self.context.len(),
            self.expert.len(),
            self.expert_tensor.len(),
            self.zero.len(),
            self.micro_batch.len(),
            self.recompute.len(),
        ]
    }

    /// Layout `number`; `None` past the last, for one that is among those looked at first, and for
    /// what only repeats another: schedules and virtual stages without a pipeline.
    pub fn layout(&self, number: u64) -> Option<Parallelism> {
        let first = self.also.len() as u64;
        if number < first {
            return self.also.get(number as usize).cloned();
        }
        let mut rest = number - first;
        let mut at = [0_usize; 9];
        // The last axis turns fastest.
        for (place, len) in self.axes().into_iter().enumerate().rev() {
            let len = len as u64;
            if len == 0 {
                return None;
            }
            at[place] = (rest % len) as usize;
            rest /= len;
        }
        if rest > 0 {
            return None;
        }
        let pipeline = self.pipeline[at[0]];
        let (schedule, virtual_stages) = self.schedule[at[1]];
        let zero = self.zero[at[6]];
        // Without a pipeline there are two orders of work: one chunk at a time, or pairs.
        let pairs = matches!(schedule, ScheduleKind::OverlappedOneFOneB);
        if pipeline == 1 && (virtual_stages > 1 || (at[1] > 0 && !pairs)) {
            return None;
        }
        // Fully sharded parameters are gathered for every micro-batch: a pipeline, whose point is many
        // of them, would gather the same again and again.
        if zero == Zero::Zero3 && pipeline > 1 {
            return None;
        }
        let tensor = self.tensor[at[2]];
        let layout = Parallelism {
            tensor,
            sequence: tensor > 1,
            pipeline,
            virtual_stages,
            context: self.context[at[3]],
            expert: self.expert[at[4]],
            expert_tensor: self.expert_tensor[at[5]],
            zero,
            schedule,
            micro_batch: self.micro_batch[at[7]],
            recompute: self.recompute[at[8]].clone(),
            ..self.template.clone()
        };
        (!self.also.contains(&layout)).then_some(layout)
    }
}
