//! Layouts against published ones, and against each other.

use super::fixtures::{cluster, deepseek_layout, deepseek_v3, gpt, llama, plain};
use super::*;
use crate::case::{Parallelism, ScheduleKind};
use proptest::prelude::*;
use strait_units::Bytes;

const MEMORY: Bytes = Bytes::new(80_000_000_000);
const GROUPS: [Group; 10] = [
    Group::Tensor,
    Group::Context,
    Group::Expert,
    Group::ExpertTensor,
    Group::Data,
    Group::ExpertData,
    Group::Shard,
    Group::Replica,
    Group::Pipeline,
    Group::World,
];

fn deepseek() -> Layout {
    let cluster = cluster(256, 8, MEMORY);
    Layout::new(&deepseek_layout(), &deepseek_v3(), &cluster, 4_096, 15_360).unwrap()
}

fn errors(parallelism: &Parallelism, model: &Model, nodes: u32, batch: u32) -> Vec<String> {
    let cluster = cluster(nodes, 8, MEMORY);
    match Layout::new(parallelism, model, &cluster, 4_096, batch) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .into_iter()
            .map(|error| match error {
                SimulateError::Invalid { path, remedy, .. } => {
                    assert!(!remedy.is_empty());
                    path
                }
                SimulateError::Cancelled => "cancelled".into(),
            })
            .collect(),
    }
}

fn sizes(layout: &Layout) -> Vec<u32> {
    let stages = layout.stages.iter();
    stages
        .map(|stage| stage.layers.end - stage.layers.start)
        .collect()
}

#[test]
fn deepseek_lies_as_published() {
    let layout = deepseek();
    assert_eq!(layout.data, 128);
    assert_eq!(layout.micro_batches(), 120);
    assert_eq!(layout.expert_data, 2);
    // Both copies of a stage: 2 x 128 ranks for dense weights, 2 x 2 for an expert.
    assert_eq!(layout.group_size(Group::Data), 256);
    assert_eq!(layout.group_size(Group::ExpertData), 4);
    // "64-way expert parallelism spanning 8 nodes".
    let eight_nodes = Span {
        ranks: 64,
        per_domain: 8,
        domains: 8,
    };
    assert_eq!(layout.span(Group::Expert, 0), eight_nodes);
    assert_eq!(layout.members(Group::ExpertData, 0), [0, 64, 1_920, 1_984]);
    assert!(layout.hop_crosses_domains(0, 1));
    // The multi-token-prediction module and two heads make the last stage heavy.
    let mut published = vec![4; 15];
    published.push(1);
    assert_eq!(sizes(&layout), published);
    let ends = layout.chunks_of(15);
    assert!(ends[0].head && ends[0].mtp && ends[1].embedding);
}

#[test]
fn layers_that_do_not_divide_leave_the_ends_lighter() {
    let of = |model: Model, parallelism: Parallelism, nodes: u32, batch: u32| {
        let cluster = cluster(nodes, 8, MEMORY);
        sizes(&Layout::new(&parallelism, &model, &cluster, 2_048, batch).unwrap())
    };
    // BLOOM-176B: 70 layers on 12 stages (arXiv 2211.05100).
    let bloom = of(gpt(70, 14_336, 112, 2_048), plain(4, 12), 48, 2_048);
    assert_eq!(bloom, [5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5]);
    // Llama 3 405B: 126 layers on 16 ranks of 8 virtual stages (arXiv 2407.21783).
    let parallelism = Parallelism {
        virtual_stages: 8,
        ..plain(8, 16)
    };
    let llama = of(
        llama(126, 16_384, 53_248, 128, 8),
        parallelism,
        1_024,
        2_048,
    );
    assert_eq!(llama.len(), 128);
    assert_eq!((llama[0], llama[127]), (0, 0));
    assert!(llama[1..127].iter().all(|&layers| layers == 1));
    // Where they divide, they are equal.
    assert_eq!(of(gpt(96, 12_288, 96, 2_048), plain(8, 8), 8, 64), [12; 8]);
}

#[test]
fn given_stages_are_taken_or_refused() {
    let given = |layers: Vec<u32>| Parallelism {
        stage_layers: Some(layers),
        ..plain(8, 4)
    };
    let model = gpt(24, 4_096, 32, 2_048);
    assert!(errors(&given(vec![5, 7, 7, 5]), &model, 4, 64).is_empty());
    for wrong in [vec![5, 7, 7, 6], vec![8, 8, 8], vec![u32::MAX; 4]] {
        let found = errors(&given(wrong), &model, 4, 64);
        assert_eq!(found, ["parallelism.stage_layers"]);
    }
}

#[test]
fn every_contradiction_is_named_at_once() {
    let wrong = Parallelism {
        tensor: 3,
        pipeline: 200,
        expert: 7,
        micro_batch: 5,
        ..plain(1, 1)
    };
    let found = errors(&wrong, &gpt(24, 4_096, 32, 2_048), 4, 64);
    assert_eq!(
        found,
        [
            "parallelism.tensor",   // heads
            "parallelism.tensor",   // key/value heads
            "parallelism.tensor",   // feed-forward
            "parallelism.expert",   // no experts in the model
            "parallelism.pipeline", // stages over layers
            "parallelism",          // 600 does not divide 32
        ]
    );
    let zeros = Parallelism {
        tensor: 0,
        micro_batch: 0,
        ..plain(1, 1)
    };
    let found = errors(&zeros, &gpt(24, 4_096, 32, 2_048), 4, 64);
    assert_eq!(found, ["parallelism.tensor", "parallelism.micro_batch"]);
}

#[test]
fn single_contradictions_name_their_setting() {
    let model = deepseek_v3();
    let expert = Parallelism {
        expert: 96,
        ..deepseek_layout()
    };
    assert_eq!(
        errors(&expert, &model, 256, 15_360),
        ["parallelism.expert"; 2]
    );
    // 3,072 sequences are 24 micro-batches; DualPipe needs 32 on 16 ranks.
    let found = errors(&deepseek_layout(), &model, 256, 3_072);
    assert_eq!(found, ["parallelism.schedule"]);
    let found = errors(&deepseek_layout(), &model, 256, 15_361);
    assert_eq!(found, ["training.global_batch"]);
    let shard = Parallelism {
        zero_group: Some(48),
        ..deepseek_layout()
    };
    assert_eq!(
        errors(&shard, &model, 256, 15_360),
        ["parallelism.zero_group"]
    );
    let context = Parallelism {
        context: 3,
        ..plain(1, 1)
    };
    let found = errors(&context, &gpt(24, 4_096, 32, 2_048), 3, 64);
    assert_eq!(found, ["parallelism.context"]);
    // 8 key/value heads on 16 ranks are copied, on 12 they are not.
    let dense = llama(126, 16_384, 53_248, 192, 8);
    assert!(errors(&plain(16, 1), &dense, 2, 64).is_empty());
    let found = errors(&plain(12, 1), &dense, 3, 64);
    assert!(
        found.contains(&"parallelism.tensor".to_string()),
        "{found:?}"
    );
}

#[test]
fn huge_numbers_are_refused_not_multiplied() {
    let huge = Parallelism {
        tensor: u32::MAX,
        pipeline: u32::MAX,
        context: u32::MAX,
        ..plain(1, 1)
    };
    assert!(!errors(&huge, &gpt(24, 4_096, 32, 2_048), 4, u32::MAX).is_empty());
    let found = errors(&plain(1, 1), &gpt(24, 4_096, 32, 2_048), u32::MAX, 64);
    assert_eq!(found, ["cluster.nodes"]);
    let found = errors(&plain(1, 3), &gpt(u32::MAX, 4_096, 32, 2_048), 3, 64);
    assert_eq!(found, ["model.layers"]);
    let found = errors(&plain(8, 1), &gpt(24, 4_096, 32, 2_048), 1, u32::MAX);
    assert_eq!(found, ["training.global_batch"]);
}

#[test]
fn a_rack_holds_what_a_server_does_not() {
    let parallelism = Parallelism {
        tensor: 8,
        ..deepseek_layout()
    };
    for (domain, nodes, per_domain) in [(8, 256, 8), (64, 32, 64)] {
        let cluster = cluster(nodes, domain, MEMORY);
        let layout = Layout::new(&parallelism, &deepseek_v3(), &cluster, 4_096, 15_360).unwrap();
        assert_eq!(layout.span(Group::Tensor, 5).domains, 1);
        assert_eq!(layout.span(Group::Expert, 1).per_domain, per_domain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// Every kind of group divides the ranks: each rank is in one group, at its place.
    #[test]
    fn groups_partition_the_ranks(
        tensor in 1u32..5, context in 1u32..4, data in 1u32..7, half in 1u32..4,
        dual in any::<bool>(), pick in 0usize..64, domain in 1u32..9,
    ) {
        let pipeline = 2 * half;
        let stage = tensor * context * data;
        let divisors = |n: u32| (1..=n).filter(|d| n.is_multiple_of(*d)).collect::<Vec<_>>();
        let pairs: Vec<(u32, u32)> = divisors(stage)
            .into_iter()
            .flat_map(|held| divisors(held).into_iter().map(move |e| (e, held / e)))
            .collect();
        let (expert, expert_tensor) = pairs[pick % pairs.len()];
        let kind = if dual { ScheduleKind::DualPipe } else { ScheduleKind::OneFOneB };
        let schedule = crate::schedule::schedule(kind, pipeline, 1, 2 * pipeline).unwrap();
        let copies = schedule.copies();
        let shards = divisors(data * context * copies);
        let layout = Layout {
            ranks: stage * pipeline,
            tensor, context, data, pipeline, expert, expert_tensor,
            expert_data: stage / (expert * expert_tensor),
            copies,
            shard: shards[pick % shards.len()],
            expert_shard: 1,
            domain,
            micro_batch: 1, sequence_length: 1, global_batch: 1,
            schedule,
            stages: Vec::new(),
        };
        for group in GROUPS {
            let mut seen = vec![false; layout.ranks as usize];
            for index in 0..layout.group_count(group) {
                let members = layout.members(group, index);
                prop_assert_eq!(members.len() as u32, layout.group_size(group));
                for (place, &rank) in (0..).zip(&members) {
                    prop_assert!(!std::mem::replace(&mut seen[rank as usize], true), "{:?}", group);
                    prop_assert_eq!(layout.place(group, rank), (index, place), "{:?} {}", group, rank);
                }
                let span = layout.span(group, index);
                prop_assert_eq!(span.ranks, layout.group_size(group));
                prop_assert!(span.per_domain * span.domains >= span.ranks);
            }
            prop_assert!(seen.iter().all(|&s| s), "{:?}", group);
        }
        // Ranks of a data group hold the same dense stages, those of an expert-data group
        // the same experts.
        for rank in 0..layout.ranks {
            let at = layout.coords(rank);
            for (group, same) in [
                (Group::Data, vec![at.tensor]),
                (Group::ExpertData, vec![at.expert, at.expert_tensor]),
            ] {
                for other in layout.members(group, layout.place(group, rank).0) {
                    let there = layout.coords(other);
                    let matching = match group {
                        Group::Data => vec![there.tensor],
                        _ => vec![there.expert, there.expert_tensor],
                    };
                    prop_assert_eq!(&matching, &same);
                    let stages = |pipeline| {
                        let mut stages: Vec<u32> =
                            (0..layout.schedule.chunks as u8).map(|local| layout.schedule.stage_of(pipeline, local)).collect();
                        stages.sort_unstable();
                        stages
                    };
                    prop_assert_eq!(stages(there.pipeline), stages(at.pipeline));
                }
            }
        }
    }

    /// Spread layers add up, and no single layer can move to make the slowest stage faster.
    #[test]
    fn spread_layers_add_up(layers in 1u32..130, stages in 1u32..130) {
        let model = gpt(layers, 4_096, 32, 2_048);
        prop_assume!(stages <= layers + 2);
        let sizes = super::stages::sizes(&model, stages, 2_048);
        prop_assert_eq!(sizes.iter().sum::<u32>(), layers);
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        prop_assert!(most - least <= 1);
        prop_assert_eq!(sizes.last(), Some(least), "the head makes the last stage the heaviest");
    }
}
