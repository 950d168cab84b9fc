//! What may vary: the axes of a layout and their values.
//!
//! In: a case and a phase, or values of one's own. Out: layouts by number, from 0 to
//! [`Space::size`], so that a space of millions is never held in memory and can be shared out. Never
//! asks whether a layout is possible.
//!
//! A layout's number is that of its *group*, which says where everything lies and when it works, and
//! of its *leaf*, which says what is sharded, recomputed or sent to the host: leaves of a group share
//! their checks, their order of work and most of their memory.

use super::written;
use strait_training::case::{
    Case, Parallelism, Phase, Recompute, RecomputePart, ScheduleKind, Zero,
};
use strait_training::layout::Layout;
use strait_training::model::Attention;

/// Values of each axis; every layout is one value of each, on the template.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// What does not vary.
    pub template: Parallelism,
    /// Layouts that are looked at first, as they are.
    pub also: Vec<Parallelism>,
    /// Layers of the model.
    pub layers: u32,
    /// Pipeline ranks.
    pub pipeline: Vec<u32>,
    /// Schedules, each with its numbers of virtual stages.
    pub schedule: Vec<(ScheduleKind, u32)>,
    /// Tensor-parallel ranks.
    pub tensor: Vec<u32>,
    /// Sequence parallelism where there are several tensor-parallel ranks.
    pub sequence: Vec<bool>,
    /// Context-parallel ranks.
    pub context: Vec<u32>,
    /// Expert-parallel ranks.
    pub expert: Vec<u32>,
    /// Tensor-parallel ranks inside an expert.
    pub expert_tensor: Vec<u32>,
    /// Compute units that expert communication takes, where there is any.
    pub communication_units: Vec<u32>,
    /// Sequences in a micro-batch.
    pub micro_batch: Vec<u32>,
    /// ZeRO stages.
    pub zero: Vec<Zero>,
    /// Ranks over which ZeRO shards; `None`: all that hold the same weights.
    pub zero_group: Vec<Option<u32>>,
    /// Recomputed activations.
    pub recompute: Vec<Recompute>,
    /// Of the layers of a stage, how many are recomputed; `None`: all.
    pub recompute_layers: Vec<Option<u32>>,
    /// Of the layers of a stage, of how many the activations go to host memory.
    pub offload_layers: Vec<u32>,
    /// Fully sharded parameters under a pipeline too. They are gathered for every micro-batch: a
    /// pipeline, whose point is many of them, would gather the same again and again.
    pub sharded_pipelines: bool,
}

/// What the layouts of a group differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    /// Place in [`Space::zero`].
    pub zero: usize,
    /// Place in [`Space::zero_group`].
    pub zero_group: usize,
    /// Place in [`Space::recompute`].
    pub recompute: usize,
    /// Place in [`Space::recompute_layers`].
    pub recompute_layers: usize,
    /// Place in [`Space::offload_layers`].
    pub offload: usize,
}

/// Fewest tokens of a sequence on a context-parallel rank: with fewer, attention is all latency.
const FEWEST_TOKENS: u32 = 2048;
/// Compute units that expert communication takes where the written layout has none: as a scenario's
/// key has it.
const UNITS: u32 = 20;
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
        // A layout without expert parallelism says nothing of what its exchanges would take.
        let units = match own.communication_units {
            0 if moe && own.expert == 1 => UNITS,
            units => units,
        };
        let mut expert_tensor = vec![1];
        if own.expert_tensor > 1 {
            expert_tensor.push(own.expert_tensor);
        }
        // Written as what the rule gives anyway, it is no other layout.
        let mut first = own.clone();
        if first.stage_layers.is_some() {
            let bare = Parallelism {
                stage_layers: None,
                ..own.clone()
            };
            let stages = |p: &Parallelism| {
                let (length, batch) = (phase.sequence_length, phase.global_batch);
                Layout::outline(p, model, &case.cluster, length, batch).map(|l| l.stages)
            };
            if let (Ok(a), Ok(b)) = (stages(own), stages(&bare))
                && a == b
            {
                first = bare;
            }
        }
        Space {
            template: Parallelism {
                stage_layers: None,
                recompute_layers: None,
                offload_layers: 0,
                zero_group: None,
                ..own.clone()
            },
            also: vec![first],
            layers: model.layers,
            pipeline: powers(MOST_STAGES.min(model.layers + 2).min(ranks), own.pipeline),
            schedule,
            tensor: powers(domain.min(heads), own.tensor),
            sequence: vec![true],
            context: powers((phase.sequence_length / FEWEST_TOKENS).max(1), own.context),
            expert,
            expert_tensor,
            communication_units: vec![units],
            micro_batch: powers(4, own.micro_batch),
            zero,
            zero_group: vec![None],
            recompute,
            recompute_layers: vec![None],
            offload_layers: vec![0],
            sharded_pipelines: false,
        }
    }

    /// Layouts in all, duplicates and impossible ones included.
    pub fn size(&self) -> u64 {
        let groups = product(&self.group_axes());
        self.also.len() as u64 + groups * self.leaves()
    }

    /// Axes of a group; the first three are those of a [`Space::job`].
    fn group_axes(&self) -> [usize; 9] {
        [
            self.pipeline.len(),
            self.schedule.len(),
            self.tensor.len(),
            self.sequence.len(),
            self.context.len(),
            self.expert.len(),
            self.expert_tensor.len(),
            self.communication_units.len(),
            self.micro_batch.len(),
        ]
    }

    fn leaf_axes(&self) -> [usize; 5] {
        [
            self.zero.len(),
            self.zero_group.len(),
            self.recompute.len(),
            self.recompute_layers.len(),
            self.offload_layers.len(),
        ]
    }

    /// Leaves of a group.
    pub(super) fn leaves(&self) -> u64 {
        product(&self.leaf_axes())
    }

    /// Runs of groups that share pipeline, schedule and tensor-parallel ranks.
    pub(super) fn jobs(&self) -> u64 {
        product(&self.group_axes()[..3])
    }

    /// The groups of a job.
    pub(super) fn job(&self, job: u64) -> std::ops::Range<u64> {
        let groups = product(&self.group_axes()[3..]);
        job * groups..(job + 1) * groups
    }

    /// The number of a layout.
    pub(super) fn number(&self, group: u64, leaf: u64) -> u64 {
        self.also.len() as u64 + group * self.leaves() + leaf
    }

    /// A group with its first leaf; `None` for one that only repeats another: schedules and virtual
    /// stages without a pipeline, sequence parallelism without tensor parallelism.
    pub(super) fn group(&self, group: u64) -> Option<Parallelism> {
        let at = digits(group, self.group_axes())?;
        let pipeline = self.pipeline[at[0]];
        let (schedule, virtual_stages) = self.schedule[at[1]];
        // Without a pipeline there are two orders of work: one chunk at a time, or pairs.
        let pairs = matches!(schedule, ScheduleKind::OverlappedOneFOneB);
        if pipeline == 1 && (virtual_stages > 1 || (at[1] > 0 && !pairs)) {
            return None;
        }
        let (tensor, expert) = (self.tensor[at[2]], self.expert[at[5]]);
        if (tensor == 1 && at[3] > 0) || (expert == 1 && at[7] > 0) {
            return None;
        }
        Some(Parallelism {
            tensor,
            sequence: tensor > 1 && self.sequence[at[3]],
            pipeline,
            virtual_stages,
            context: self.context[at[4]],
            expert,
            expert_tensor: self.expert_tensor[at[6]],
            communication_units: self.communication_units[at[7]],
            schedule,
            micro_batch: self.micro_batch[at[8]],
            ..self.template.clone()
        })
    }

    /// A leaf; `None` for one that only repeats another in a group, or makes no sense there.
    pub(super) fn leaf(&self, group: &Parallelism, leaf: u64) -> Option<Leaf> {
        let at = digits(leaf, self.leaf_axes())?;
        let leaf = Leaf {
            zero: at[0],
            zero_group: at[1],
            recompute: at[2],
            recompute_layers: at[3],
            offload: at[4],
        };
        let zero = self.zero[leaf.zero];
        if zero == Zero::Zero3 && group.pipeline > 1 && !self.sharded_pipelines {
            return None;
        }
        if zero == Zero::Zero0 && leaf.zero_group > 0 {
            return None;
        }
        // No stage has more layers than this; beyond it, all are the same.
        let chunks = match group.schedule {
            ScheduleKind::DualPipeV => 2,
            _ => group.virtual_stages,
        };
        let stages = group.pipeline.saturating_mul(chunks);
        let most = self.layers.div_ceil(stages.max(1));
        let repeats = |list: &[u32], at: usize| {
            list[at] >= most && list[..at].iter().any(|other| *other >= most)
        };
        if repeats(&self.offload_layers, leaf.offload) {
            return None;
        }
        match self.recompute_layers[leaf.recompute_layers] {
            Some(layers) if layers >= most => return None,
            Some(_) if self.recompute[leaf.recompute] == Recompute::None => return None,
            _ => {}
        }
        Some(leaf)
    }

    /// The layout of a leaf.
    pub(super) fn layout_of(&self, group: &Parallelism, leaf: Leaf) -> Parallelism {
        Parallelism {
            zero: self.zero[leaf.zero],
            zero_group: self.zero_group[leaf.zero_group],
            recompute: self.recompute[leaf.recompute].clone(),
            recompute_layers: self.recompute_layers[leaf.recompute_layers],
            offload_layers: self.offload_layers[leaf.offload],
            ..group.clone()
        }
    }

    /// Whether a layout is among those looked at first.
    pub(super) fn first(&self, layout: &Parallelism) -> bool {
        self.also.contains(layout)
    }

    /// Layout `number`; `None` past the last, for one that is among those looked at first, and for
    /// what only repeats another.
    pub fn layout(&self, number: u64) -> Option<Parallelism> {
        let first = self.also.len() as u64;
        if number < first {
            return self.also.get(number as usize).cloned();
        }
        let leaves = self.leaves();
        if leaves == 0 {
            return None;
        }
        let group = self.group((number - first) / leaves)?;
        let leaf = self.leaf(&group, (number - first) % leaves)?;
        let layout = self.layout_of(&group, leaf);
        (!self.first(&layout)).then_some(layout)
    }
}

fn product(axes: &[usize]) -> u64 {
    axes.iter().map(|len| *len as u64).product()
}

/// Places on axes, the last of which turns fastest; `None` past the end.
fn digits<const N: usize>(number: u64, axes: [usize; N]) -> Option<[usize; N]> {
    let mut at = [0; N];
    let mut rest = number;
    for (place, len) in axes.into_iter().enumerate().rev() {
        let len = len as u64;
        if len == 0 {
            return None;
        }
        at[place] = (rest % len) as usize;
        rest /= len;
    }
    (rest == 0).then_some(at)
}
