//! The space with every value that makes sense to a machine, and not only to people.
//!
//! In: the usual space of a case. Out: a wider one. Never narrower: what the usual one has is in it.

use super::space::Space;
use strait_training::case::{
    AttentionKernel, Case, Phase, Recompute, RecomputePart, ScheduleKind, Zero,
};
use strait_training::model::Attention;

/// Most virtual stages on a pipeline rank.
const MOST_VIRTUAL: u32 = 16;
/// Most sequences in a micro-batch.
const MOST_MICRO: u32 = 32;
/// Fewest tokens of a sequence on a context-parallel rank.
const FEWEST_TOKENS: u32 = 512;

impl Space {
    /// [`Space::around`] with all divisors in place of powers of two, tensor parallelism beyond a
    /// scale-up domain, sequence parallelism on and off, all schedules with up to 16 virtual stages,
    /// every ZeRO stage and its shards within a domain, every set of recomputed parts for all layers of
    /// a stage or a few, and activations sent to the host.
    pub fn wide(case: &Case, phase: &Phase) -> Space {
        let usual = Space::around(case, phase);
        let model = &case.model;
        let ranks = case.cluster.ranks();
        let domain = case.cluster.node.accelerators.max(1);
        let heads = model.attention.heads();
        let moe = model.experts.is_some();
        let divisors = |of: u32, most: u32, more: &[u32]| -> Vec<u32> {
            let mut all: Vec<u32> = (1..=most.min(of))
                .filter(|d| of.is_multiple_of(*d))
                .collect();
            all.extend(more);
            all.sort_unstable();
            all.dedup();
            all
        };
        let both = |a: u32, b: u32| gcd(a, b);
        let mut schedule = usual.schedule.clone();
        let mut also = |kind: ScheduleKind, virtual_stages: u32| {
            if !schedule.contains(&(kind, virtual_stages)) {
                schedule.push((kind, virtual_stages));
            }
        };
        for virtual_stages in 2..=MOST_VIRTUAL.min(model.layers) {
            also(ScheduleKind::OneFOneB, virtual_stages);
        }
        for virtual_stages in [1, 2, 4] {
            also(ScheduleKind::OverlappedOneFOneB, virtual_stages);
        }
        for kind in [
            ScheduleKind::DualPipe,
            ScheduleKind::DualPipeV,
            ScheduleKind::GPipe,
        ] {
            also(kind, 1);
        }
        let mut recompute = usual.recompute.clone();
        for set in subsets(case) {
            if !recompute.contains(&set) {
                recompute.push(set);
            }
        }
        let some = [1, 2, 4, 8].into_iter().filter(|n| *n < model.layers);
        let mut zero_group = usual.zero_group.clone();
        if domain > 1 && ranks > domain {
            zero_group.push(Some(domain));
        }
        let mut offload_layers = usual.offload_layers.clone();
        if case.cluster.accelerator.host_bandwidth.is_some() {
            offload_layers.extend([1, 2, 4, 8].into_iter().filter(|n| *n < model.layers));
            offload_layers.push(model.layers);
        }
        let experts = model.experts.as_ref();
        let widths = experts.map_or(1, |e| both(e.width, domain));
        Space {
            pipeline: divisors(ranks, ranks.min(model.layers + 2), &usual.pipeline),
            schedule,
            tensor: divisors(both(heads, ranks), heads, &usual.tensor),
            sequence: vec![true, false],
            context: divisors(
                both(phase.sequence_length, ranks),
                (phase.sequence_length / FEWEST_TOKENS).max(1),
                &usual.context,
            ),
            expert: match experts {
                Some(experts) => divisors(experts.routed, ranks, &usual.expert),
                None => usual.expert.clone(),
            },
            expert_tensor: match moe {
                true => divisors(widths, domain, &usual.expert_tensor),
                false => usual.expert_tensor.clone(),
            },
            micro_batch: divisors(phase.global_batch, MOST_MICRO, &usual.micro_batch),
            zero: vec![Zero::Zero0, Zero::Zero1, Zero::Zero2, Zero::Zero3],
            zero_group,
            recompute,
            recompute_layers: std::iter::once(None).chain(some.map(Some)).collect(),
            offload_layers,
            sharded_pipelines: true,
            ..usual
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Every set of parts that a model has, less those in which one part holds another.
fn subsets(case: &Case) -> Vec<Recompute> {
    let mut parts = vec![
        RecomputePart::Norm,
        RecomputePart::Activation,
        RecomputePart::Mlp,
    ];
    // Fused attention keeps next to nothing of its core.
    if case.software.attention == AttentionKernel::Unfused {
        parts.push(RecomputePart::CoreAttention);
    }
    if matches!(case.model.attention, Attention::Latent { .. }) {
        parts.push(RecomputePart::MlaUp);
    }
    if case.model.experts.is_some() {
        parts.push(RecomputePart::Moe);
    }
    parts.sort_unstable();
    let mut sets = Vec::new();
    for bits in 1_u32..1 << parts.len() {
        let set: Vec<RecomputePart> = (parts.iter().enumerate())
            .filter(|(at, _)| bits >> at & 1 == 1)
            .map(|(_, part)| *part)
            .collect();
        let has = |part| set.contains(&part);
        // A network that is formed again holds its activation, for dense models.
        if case.model.experts.is_none() && has(RecomputePart::Mlp) && has(RecomputePart::Activation)
        {
            continue;
        }
        sets.push(match set.as_slice() {
            [RecomputePart::CoreAttention] => Recompute::Selective,
            _ => Recompute::Named(set),
        });
    }
    sets.push(Recompute::Full);
    sets
}
