//! Memory against published formulas and measured allocations, and against itself.

use super::*;
use crate::case::{
    AttentionKernel, Dispatcher, Fusion, Graphs, RecomputePart, ScheduleKind, StateBytes,
    TensorOverlap,
};
use crate::layout::fixtures::{cluster, deepseek_layout, deepseek_v3, gpt, llama, plain};
use strait_units::Time;

const MIXED: PrecisionRecipe = PrecisionRecipe {
    recipe: Precision::Bf16,
    state: StateBytes {
        weight: 2.0,
        gradient: 4.0,
        master: 4.0,
        moments: 8.0,
    },
    bf16_layers: 0,
};

/// FP32 master weights and gradients, BF16 moments (arXiv 2412.19437, section 3.3.3).
const DEEPSEEK: PrecisionRecipe = PrecisionRecipe {
    recipe: Precision::Fp8Block,
    state: StateBytes {
        weight: 2.0,
        gradient: 4.0,
        master: 4.0,
        moments: 4.0,
    },
    bf16_layers: 0,
};

fn software(attention: AttentionKernel) -> Software {
    Software {
        attention,
        fusion: Fusion::Fused,
        tensor_overlap: TensorOverlap::None,
        dispatcher: Dispatcher::Deduplicated,
        expert_overlap: true,
        accumulation: crate::case::Accumulation::Fused,
        gradient_overlap: true,
        parameter_overlap: true,
        pipeline_overlap: true,
        pipeline_scatter: true,
        router_fusion: false,
        loss: crate::case::Loss::Fp32,
        gradient_placeholders: false,
        graphs: Graphs::None,
        host_time_per_op: Time::ZERO,
    }
}

struct Job {
    model: Model,
    parallelism: Parallelism,
    precision: PrecisionRecipe,
    attention: AttentionKernel,
    nodes: u32,
    sequence: u32,
    batch: u32,
}

impl Job {
    fn with<T>(&self, then: impl Fn(Setting<'_>, &Layout) -> T) -> T {
        let capacity = Bytes::new(80_000_000_000);
        let cluster = cluster(self.nodes, 8, capacity);
        let layout = Layout::new(
            &self.parallelism,
            &self.model,
            &cluster,
            self.sequence,
            self.batch,
        )
        .unwrap();
        let software = software(self.attention);
        let setting = Setting {
            model: &self.model,
            parallelism: &self.parallelism,
            precision: &self.precision,
            software: &software,
            method: crate::case::Method::Full,
            capacity,
        };
        then(setting, &layout)
    }

    fn peak(&self) -> Memory {
        self.with(peak)
    }
}

fn part(memory: &Memory, name: &str) -> u64 {
    let parts = memory.parts.iter().filter(|part| part.name.contains(name));
    parts.map(|part| part.bytes.get()).sum()
}

/// DeepSeek-V3's published set-up, in its main phase.
fn deepseek() -> Job {
    Job {
        model: deepseek_v3(),
        parallelism: deepseek_layout(),
        precision: DEEPSEEK,
        attention: AttentionKernel::Flash3,
        nodes: 256,
        sequence: 4_096,
        batch: 15_360,
    }
}

/// Table 3 of arXiv 2205.05198: layers, hidden, heads, tensor, pipeline, virtual, micro-batch.
const KORTHIKANTI: [(u32, u32, u32, u32, u32, u32, u32); 4] = [
    (48, 6_144, 64, 8, 1, 1, 4),
    (96, 12_288, 96, 8, 8, 3, 1),
    (105, 20_480, 128, 8, 35, 3, 1),
    (128, 25_600, 160, 8, 64, 1, 1),
];

#[test]
fn layers_keep_what_korthikanti_derive() {
    // arXiv 2205.05198, equations 2 to 6 and table 2: s b h times these.
    for (layers, h, a, t, p, v, b) in KORTHIKANTI {
        let s = 2_048;
        let check = |tensor: u32, sequence: bool, recompute: Recompute, form: f64| {
            let job = Job {
                model: gpt(layers, h, a, s),
                parallelism: Parallelism {
                    sequence,
                    micro_batch: b,
                    virtual_stages: v,
                    recompute,
                    ..plain(tensor, p)
                },
                precision: MIXED,
                attention: AttentionKernel::Unfused,
                nodes: p,
                sequence: s,
                batch: p * b * (8 / tensor),
            };
            let kept = job.with(|setting, layout| {
                activations::layer(setting, layout, &setting.parallelism.recompute, None).all()
            });
            let sbh = f64::from(s) * f64::from(b) * f64::from(h);
            let want = sbh * form;
            assert!((kept / want - 1.0).abs() < 1e-12, "{layers} {kept} {want}");
        };
        let scores = 5.0 * f64::from(a) * f64::from(s) / f64::from(h);
        let tf = f64::from(t);
        check(1, false, Recompute::None, 34.0 + scores);
        check(t, false, Recompute::None, 10.0 + (24.0 + scores) / tf);
        check(t, true, Recompute::None, (34.0 + scores) / tf);
        check(t, false, Recompute::Selective, 10.0 + 24.0 / tf);
        check(t, true, Recompute::Selective, 34.0 / tf);
        check(t, false, Recompute::Full, 2.0);
    }
}

#[test]
fn first_stage_holds_all_layers_of_the_model_at_once() {
    // arXiv 2205.05198, section 4.2.3: s b h L (34/t), times 1 + (p-1)/(p v) if interleaved.
    for (layers, h, a, t, p, v, b) in KORTHIKANTI {
        let s = 2_048;
        let job = Job {
            model: gpt(layers, h, a, s),
            parallelism: Parallelism {
                micro_batch: b,
                virtual_stages: v,
                recompute: Recompute::Selective,
                ..plain(t, p)
            },
            precision: MIXED,
            attention: AttentionKernel::Unfused,
            nodes: p,
            sequence: s,
            batch: 4 * p * b,
        };
        let memory = job.with(|setting, layout| of_rank(setting, layout, 0));
        let kept = part(&memory, "activations") as f64;
        let (pf, vf) = (f64::from(p), f64::from(v));
        let mut form = f64::from(s * b) * f64::from(h * layers) * 34.0 / f64::from(t);
        if v > 1 {
            form *= 1.0 + (pf - 1.0) / (pf * vf);
        }
        // The head's norm is on the first stage too where there is one stage only.
        assert!((kept / form - 1.0).abs() < 0.01, "{kept} {form}");
    }
}

#[test]
fn deepseek_v3_fits_its_accelerators() {
    let job = deepseek();
    for rank in 0..16 {
        let memory = job.with(|setting, layout| of_rank(setting, layout, rank));
        // 84,943,110,144 B by deepseek-ai/profile-data; 80 GB to be on the safe side.
        assert!(memory.fits(), "{rank}: {:.1} GB", memory.peak.gigabytes());
        // Two copies of a stage and 17 micro-batches leave no room for much less.
        assert!(memory.peak.gigabytes() > 60.0, "{rank}");
    }
    // 16-bit activations with nothing recomputed would not fit.
    let mut plain = deepseek();
    plain.precision.recipe = Precision::Bf16;
    plain.parallelism.recompute = Recompute::None;
    assert!(!plain.peak().fits());
}

#[test]
fn parts_add_up_largest_first() {
    let memory = deepseek().peak();
    let sum: Bytes = memory.parts.iter().map(|part| part.bytes).sum();
    assert_eq!(sum, memory.peak);
    assert!(memory.parts.is_sorted_by(|a, b| a.bytes >= b.bytes));
}

/// Llama 3 8B (arXiv 2407.21783) on 16 accelerators.
fn small(zero: Zero) -> Job {
    Job {
        model: llama(32, 4_096, 14_336, 32, 8),
        parallelism: Parallelism {
            zero,
            ..plain(1, 1)
        },
        precision: MIXED,
        attention: AttentionKernel::Flash3,
        nodes: 2,
        sequence: 8_192,
        batch: 16,
    }
}

#[test]
fn zero_shards_one_state_after_the_other() {
    // 8,030,261,248 weights (arXiv 2407.21783; safetensors of the published model).
    let weights = 8_030_261_248_u64;
    let of = |zero: Zero, name: &str| part(&small(zero).peak(), name);
    assert_eq!(
        of(Zero::Zero0, "weights") - of(Zero::Zero0, "master"),
        2 * weights
    );
    assert_eq!(
        of(Zero::Zero0, "gradients") - of(Zero::Zero0, "logits"),
        4 * weights
    );
    assert_eq!(of(Zero::Zero0, "moments"), 8 * weights);
    assert_eq!(of(Zero::Zero1, "moments"), 8 * weights / 16);
    assert_eq!(of(Zero::Zero1, "master"), 4 * weights / 16);
    assert_eq!(of(Zero::Zero2, "moments"), 8 * weights / 16);
    let layer = 218_112_000_u64;
    let gathered = weights / 16 + 2 * layer;
    let zero3 = of(Zero::Zero3, "weights") - of(Zero::Zero3, "master");
    assert_eq!(zero3, 2 * gathered);
    let gradients = of(Zero::Zero2, "gradients") - of(Zero::Zero2, "logits");
    assert_eq!(gradients, 4 * gathered);
    let peaks: Vec<Bytes> = [Zero::Zero0, Zero::Zero1, Zero::Zero2, Zero::Zero3]
        .into_iter()
        .map(|zero| small(zero).peak().peak)
        .collect();
    assert!(peaks.is_sorted_by(|a, b| a > b), "{peaks:?}");
    // Hybrid sharding over one node of eight keeps twice the shard.
    let mut hybrid = small(Zero::Zero1);
    hybrid.parallelism.zero_group = Some(8);
    assert_eq!(part(&hybrid.peak(), "moments"), 8 * weights / 8);
}

#[test]
fn weights_of_all_ranks_are_the_models() {
    // 671.03 B weights in the main model, 11.61 B in its prediction module without the tables it
    // shares (deepseek-ai/DeepSeek-V3, README_WEIGHTS and configuration).
    let count = |mtp: u32| {
        let job = Job {
            model: Model {
                mtp,
                ..deepseek_v3()
            },
            parallelism: plain(1, 1),
            nodes: 1,
            batch: 8,
            ..deepseek()
        };
        job.with(|setting, layout| {
            weights::of_stages(setting.model, layout, &layout.chunks_of(0)).all()
        })
    };
    assert!((count(0) / 671.03e9 - 1.0).abs() < 1e-4, "{}", count(0));
    let module = count(1) - count(0);
    assert!((module / 11.61e9 - 1.0).abs() < 1e-3, "{module}");
}

#[test]
fn recomputing_more_never_takes_more() {
    use RecomputePart::{Activation, CoreAttention, MlaUp, Mlp, Moe, Norm};
    let all = [CoreAttention, Norm, MlaUp, Activation, Mlp, Moe];
    let recipes = [
        Precision::Bf16,
        Precision::Fp8Tensor,
        Precision::Fp8Block,
        Precision::Mxfp8,
    ];
    let models = [
        (deepseek_v3(), AttentionKernel::Flash3),
        (llama(32, 4_096, 14_336, 32, 8), AttentionKernel::Flash2),
        (gpt(32, 4_096, 32, 4_096), AttentionKernel::Unfused),
    ];
    for (model, attention) in models {
        for recipe in recipes {
            for (kind, batch) in [
                (ScheduleKind::OneFOneB, 8),
                (ScheduleKind::GPipe, 8),
                (ScheduleKind::DualPipe, 16),
            ] {
                let peak = |recompute: Recompute, layers: Option<u32>| {
                    let job = Job {
                        model: model.clone(),
                        parallelism: Parallelism {
                            schedule: kind,
                            recompute,
                            recompute_layers: layers,
                            ..plain(1, 4)
                        },
                        precision: PrecisionRecipe { recipe, ..MIXED },
                        attention,
                        nodes: 1,
                        sequence: 4_096,
                        batch,
                    };
                    job.peak().peak
                };
                let mut before = peak(Recompute::None, None);
                assert_eq!(peak(Recompute::Full, Some(0)), before);
                for parts in 1..=all.len() {
                    let now = peak(Recompute::Named(all[..parts].to_vec()), None);
                    assert!(now <= before, "{} {recipe:?} {kind:?} {parts}", model.name);
                    before = now;
                }
                assert!(
                    peak(Recompute::Full, None) <= before,
                    "{} {recipe:?}",
                    model.name
                );
                let (one, two) = (Recompute::Full, Recompute::Full);
                assert!(peak(two, Some(2)) <= peak(one, Some(1)));
            }
        }
    }
}

#[test]
fn the_fullest_rank_is_named() {
    // 1F1B: the first rank holds most micro-batches.
    let job = Job {
        parallelism: Parallelism {
            micro_batch: 1,
            ..plain(1, 8)
        },
        batch: 32,
        ..small(Zero::Zero1)
    };
    assert_eq!(job.peak().pipeline_rank, 0);
    // All forwards first: no rank lets go, and the head's logits decide.
    let gpipe = Job {
        parallelism: Parallelism {
            schedule: ScheduleKind::GPipe,
            ..job.parallelism.clone()
        },
        ..job
    };
    assert_eq!(gpipe.peak().pipeline_rank, 7);
}
