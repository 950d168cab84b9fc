//! Op lists against the closed forms of the model: every product that a layer needs, once.

use super::*;
use crate::case::{
    Accumulation, AdapterLayers, Adapters, AttentionKernel, Dispatcher, Fusion, Graphs, Precision,
    Recompute, RecomputePart, Software, TensorOverlap,
};
use crate::kernels::Pass as GemmPass;
use crate::layout::fixtures::{deepseek_v3, gpt, llama};
use crate::model::{Activation, Attention, Experts, Model, Window};
use strait_units::Time;

fn software() -> Software {
    Software {
        attention: AttentionKernel::Flash3,
        fusion: Fusion::Fused,
        tensor_overlap: TensorOverlap::None,
        dispatcher: Dispatcher::Deduplicated,
        expert_overlap: true,
        accumulation: Accumulation::Fused,
        gradient_overlap: true,
        parameter_overlap: true,
        pipeline_overlap: true,
        pipeline_scatter: true,
        router_fusion: false,
        loss: crate::case::Loss::Fp32,
        gradient_placeholders: false,
        graphs: Graphs::Full,
        host_time_per_op: Time::ZERO,
    }
}

fn shape(model: &Model, sequence: u64, precision: Precision) -> Shape<'_> {
    Shape {
        model,
        batch: 2,
        sequence,
        context: 1,
        tensor: 1,
        sequence_parallel: false,
        expert: 1,
        expert_tensor: 1,
        precision,
        bf16_layers: 0,
        gradient_bytes: 4.0,
        software: software(),
        recompute: Recompute::None,
        adapters: None,
        document: sequence,
    }
}

/// Mixtral 8x7B (arXiv 2401.04088, table 1).
fn mixtral() -> Model {
    Model {
        name: "Mixtral".into(),
        vocabulary: 32_000,
        experts: Some(Experts {
            routed: 8,
            top_k: 2,
            width: 14_336,
            shared_width: 0,
            first_dense: 0,
            every: 1,
            groups: 1,
            group_limit: 1,
        }),
        ..llama(32, 4_096, 14_336, 32, 8)
    }
}

fn ops(passes: &[Pass]) -> impl Iterator<Item = &Op> {
    (passes.iter())
        .flat_map(|pass| pass.forward.iter().chain(&pass.backward))
        .flat_map(|segment| segment.ops.iter().chain(&segment.filler))
}

/// FLOPs that a rank executes, by the convention that counts a model's: attention's backward pass as
/// twice its forward pass, though fused kernels form the scores again (5 products, not 4).
fn executed(passes: &[Pass]) -> f64 {
    ops(passes)
        .map(|op| match &op.work {
            Work::Gemm(gemm) => gemm.flops(),
            Work::Attention(core) if core.backward => core.flops() * 4.0 / 5.0,
            Work::Attention(core) => core.flops(),
            _ => 0.0,
        })
        .sum()
}

fn whole(shape: &Shape<'_>, mtp: bool) -> Vec<Pass> {
    let model = shape.model;
    let mut passes = vec![embedding_pass(shape)];
    passes.extend((0..model.layers).map(|layer| layer_pass(shape, layer, true)));
    passes.push(head_pass(shape));
    if mtp {
        passes.push(mtp_entry_pass(shape));
        passes.push(layer_pass(shape, model.layers, true));
        passes.push(head_pass(shape));
    }
    passes
}

/// What all ranks of a micro-batch execute is what the model needs, however it is split.
#[test]
fn flops_executed_are_flops_counted() {
    let rows: [(Model, u64, u64); 5] = [
        (llama(32, 4_096, 14_336, 32, 8), 8_192, 1), // Llama 3 8B
        (gpt(96, 12_288, 96, 2_048), 2_048, 1),      // GPT-3 175B
        (mixtral(), 4_096, 8),
        (deepseek_v3(), 4_096, 64),
        (deepseek_v3(), 32_768, 8),
    ];
    for (model, sequence, expert) in &rows {
        for tensor in [1, 2, 8] {
            for context in [1, 2] {
                for sequence_parallel in [false, true] {
                    let split = Shape {
                        tensor,
                        context,
                        expert: *expert,
                        sequence_parallel: sequence_parallel && tensor > 1,
                        ..shape(model, *sequence, Precision::Bf16)
                    };
                    let mtp = model.mtp > 0;
                    let tokens = (split.batch * sequence) as f64;
                    let needed = tokens * model.flops_per_token(*sequence as u32, mtp).causal.get();
                    let all = executed(&whole(&split, mtp)) * (tensor * context) as f64;
                    let more = all / needed - 1.0;
                    let what = format!(
                        "{} tokens {sequence} t{tensor} c{context} sp {sequence_parallel}",
                        model.name
                    );
                    // Down-projections of latent attention are copied over tensor ranks: with
                    // sequence parallelism each works on its own tokens, without it on all.
                    // Rings of latent attention expand the latents of all ranks on each.
                    let latent = matches!(model.attention, Attention::Latent { .. });
                    let extra = match (latent, split.sequence_parallel) {
                        (true, false) => {
                            let down =
                                6.0 * 7_168.0 * (1_536.0 + 576.0) * 62.0 * (tensor - 1) as f64;
                            let up = 4.0 * 512.0 * 128.0 * 256.0 * 62.0 * (context - 1) as f64;
                            (down + up) * tokens / needed
                        }
                        (true, true) => {
                            4.0 * 512.0 * 128.0 * 256.0 * 62.0 * (context - 1) as f64 * tokens
                                / needed
                        }
                        _ => 0.0,
                    };
                    // Routers run beside experts on every rank, once for each token.
                    assert!(
                        (more - extra).abs() < 0.005,
                        "{what}: {:.2} % more than needed, {:.2} % explained",
                        100.0 * more,
                        100.0 * extra
                    );
                }
            }
        }
    }
}

/// Each recipe has the same products; only operands differ.
#[test]
fn recipes_have_the_same_products() {
    let model = deepseek_v3();
    let flops = |precision| executed(&whole(&shape(&model, 4_096, precision), true));
    let plain = flops(Precision::Bf16);
    for precision in [
        Precision::Fp16,
        Precision::Fp8Tensor,
        Precision::Fp8Block,
        Precision::Mxfp8,
    ] {
        assert_eq!(flops(precision), plain, "{precision:?}");
    }
}

/// Full recomputation is one more forward pass of every layer, no more and no less.
#[test]
fn full_recomputation_adds_a_forward_pass() {
    for model in [llama(4, 4_096, 14_336, 32, 8), mixtral()] {
        let none = shape(&model, 4_096, Precision::Bf16);
        let full = Shape {
            recompute: Recompute::Full,
            ..none.clone()
        };
        let forward = |shape: &Shape<'_>| -> f64 {
            let passes = [layer_pass(shape, 1, true)];
            ops(&[Pass {
                forward: passes[0].forward.clone(),
                backward: Vec::new(),
            }])
            .filter_map(|op| match &op.work {
                Work::Gemm(gemm) => Some(gemm.flops()),
                Work::Attention(core) => Some(core.flops()),
                _ => None,
            })
            .sum()
        };
        let both = |shape: &Shape<'_>, again| executed(&[layer_pass(shape, 1, again)]);
        assert_eq!(both(&full, true) - both(&none, true), forward(&none));
        // A layer that is not among the recomputed ones is as without.
        assert_eq!(both(&full, false), both(&none, true));
    }
}

/// A named part costs its own products again and nothing else.
#[test]
fn named_recomputation_adds_its_part() {
    let model = deepseek_v3();
    let extra = |part, precision| {
        let none = shape(&model, 4_096, precision);
        let named = Shape {
            recompute: Recompute::Named(vec![part]),
            ..none.clone()
        };
        executed(&[layer_pass(&named, 10, true)]) - executed(&[layer_pass(&none, 10, true)])
    };
    let tokens = 2.0 * 4_096.0;
    for precision in [Precision::Bf16, Precision::Fp8Block] {
        let up = 2.0 * tokens * (1_536.0 * 128.0 * 192.0 + 512.0 * 128.0 * 256.0);
        assert_eq!(extra(RecomputePart::MlaUp, precision), up);
        let shared = 2.0 * tokens * 7_168.0 * 2.0 * 2_048.0;
        assert_eq!(extra(RecomputePart::Mlp, precision), shared);
        // The router too, and eight experts a token.
        let moe = shared * 9.0 + 2.0 * tokens * 7_168.0 * 256.0;
        assert_eq!(extra(RecomputePart::Moe, precision), moe);
        assert_eq!(extra(RecomputePart::Norm, precision), 0.0);
    }
}

/// Experts without a gate have one input projection.
#[test]
fn plain_experts_have_two_matrices() {
    let mut model = mixtral();
    model.activation = Activation::Plain;
    let split = shape(&model, 4_096, Precision::Bf16);
    let needed = 2.0 * 4_096.0 * model.flops_per_token(4_096, false).causal.get();
    let more = executed(&whole(&split, false)) / needed - 1.0;
    assert!(more.abs() < 0.005, "{more}");
}

/// gpt-oss: every other layer sees 128 tokens only.
#[test]
fn windows_shorten_attention() {
    let mut model = llama(4, 2_880, 2_880, 64, 8);
    model.extras.window = Some(Window {
        tokens: 128,
        full_every: 2,
    });
    for context in [1, 2] {
        let split = Shape {
            context,
            ..shape(&model, 8_192, Precision::Bf16)
        };
        let needed = 2.0 * 8_192.0 * model.flops_per_token(8_192, false).causal.get();
        let more = executed(&whole(&split, false)) * context as f64 / needed - 1.0;
        assert!(more.abs() < 0.005, "context {context}: {more}");
    }
    // A window as long as the sequence is none.
    model.extras.window = Some(Window {
        tokens: 8_192,
        full_every: 0,
    });
    let wide = layer_pass(&shape(&model, 8_192, Precision::Bf16), 0, true);
    model.extras.window = None;
    assert_eq!(
        wide,
        layer_pass(&shape(&model, 8_192, Precision::Bf16), 0, true)
    );
}

/// Sequence parallelism moves the bytes of plain tensor parallelism in other pieces (arXiv
/// 2205.05198, section 4.2.2), and what is saved in pieces is gathered once more.
#[test]
fn tensor_parallel_bytes() {
    let model = gpt(96, 12_288, 96, 2_048);
    let bytes = |sequence_parallel, overlap| -> (f64, f64) {
        let mut split = shape(&model, 2_048, Precision::Bf16);
        split.tensor = 8;
        split.sequence_parallel = sequence_parallel;
        split.software.tensor_overlap = overlap;
        let stream = 2.0 * 2.0 * 2_048.0 * 12_288.0;
        let mut moved = (0.0, 0.0);
        for op in ops(&[layer_pass(&split, 1, true)]) {
            if let Work::Collective {
                kind,
                bytes,
                hidden,
                ..
            } = &op.work
            {
                let rounds = match kind {
                    CollectiveKind::AllReduce => 2.0,
                    _ => 1.0,
                };
                let place = match hidden {
                    Some(_) => &mut moved.1,
                    None => &mut moved.0,
                };
                *place += rounds * bytes.as_f64() / stream;
            }
        }
        moved
    };
    use TensorOverlap::{Backward, Full, None as Bare};
    // All-reduces: two forward, two backward. Each is a gather and a scatter.
    assert_eq!(bytes(false, Bare), (8.0, 0.0));
    assert_eq!(bytes(false, Backward), (4.0, 4.0));
    assert_eq!(bytes(false, Full), (0.0, 8.0));
    assert_eq!(bytes(true, Bare), (8.0, 0.0));
    // Gathers of two saved inputs and scatters of their gradients hide beside products.
    assert_eq!(bytes(true, Backward), (6.0, 4.0));
    assert_eq!(bytes(true, Full), (0.0, 10.0));
}

/// Latent attention sends latents, not the residual stream, over tensor ranks.
#[test]
fn latents_travel_between_tensor_ranks() {
    let model = deepseek_v3();
    let split = Shape {
        tensor: 8,
        sequence_parallel: true,
        ..shape(&model, 4_096, Precision::Bf16)
    };
    let gathered: f64 = ops(&[Pass {
        forward: layer_pass(&split, 0, true).forward,
        backward: Vec::new(),
    }])
    .filter_map(|op| match &op.work {
        Work::Collective {
            kind: CollectiveKind::AllGather,
            bytes,
            ..
        } => Some(bytes.as_f64()),
        _ => None,
    })
    .sum();
    // The latents before attention, the stream before the dense network.
    let tokens = 2.0 * 4_096.0;
    assert_eq!(gathered, 2.0 * tokens * (1_536.0 + 576.0 + 7_168.0));
}

/// Second norms of each sub-layer, where a model has them (Grok-1).
#[test]
fn post_norms_are_run() {
    let norms = |model: &Model| {
        ops(&[layer_pass(&shape(model, 2_048, Precision::Bf16), 1, true)])
            .filter(|op| op.class == Class::Norm)
            .count()
    };
    for mut model in [llama(4, 4_096, 14_336, 32, 8), mixtral()] {
        assert_eq!(norms(&model), 4, "{}", model.name);
        model.extras.post_norms = true;
        assert_eq!(norms(&model), 8, "{}", model.name);
    }
}

/// Odd sizes: fewer tokens than ranks, one expert, one token. Nothing panics, and no product is
/// empty.
#[test]
fn odd_shapes_have_products() {
    let models = [llama(2, 64, 96, 2, 1), mixtral(), deepseek_v3()];
    for model in &models {
        for (sequence, tensor, context) in
            [(1, 1, 1), (1, 8, 1), (3, 8, 2), (2, 2, 2), (128, 64, 2)]
        {
            for precision in [Precision::Bf16, Precision::Fp8Tensor, Precision::Fp8Block] {
                let split = Shape {
                    batch: 1,
                    tensor,
                    context,
                    sequence_parallel: tensor > 1,
                    expert: 8,
                    ..shape(model, sequence, precision)
                };
                for op in ops(&whole(&split, model.mtp > 0)) {
                    let flops = match &op.work {
                        Work::Gemm(gemm) => gemm.flops(),
                        Work::Attention(core) => core.flops(),
                        _ => 1.0,
                    };
                    assert!(flops > 0.0, "{} of {}", op.name, model.name);
                }
            }
        }
    }
}

/// Weight gradients are what may be postponed, and nothing else is.
#[test]
fn fillers_are_weight_gradients() {
    for model in [llama(2, 4_096, 14_336, 32, 8), deepseek_v3()] {
        let split = shape(&model, 4_096, Precision::Fp8Block);
        for pass in whole(&split, model.mtp > 0) {
            assert!(pass.forward.iter().all(|segment| segment.filler.is_empty()));
            for segment in &pass.backward {
                let late = |op: &Op| match &op.work {
                    Work::Gemm(gemm) => Some(gemm.pass == GemmPass::WeightGradient),
                    _ => None,
                };
                assert!(segment.filler.iter().filter_map(late).all(|weight| weight));
                // The router's small one alone stays on the path.
                let on_path = segment.ops.iter().filter(|op| late(op) == Some(true));
                assert!(on_path.clone().all(|op| op.name == "gate wgrad"));
            }
        }
    }
}

#[test]
fn gradients_that_are_added_apart_cost_traffic() {
    // Experts' parameters as well, whatever their tokens; the router's small matrix is left out.
    for model in [llama(2, 4_096, 14_336, 32, 8), mixtral()] {
        let weights: f64 = ops(&[layer_pass(&shape(&model, 4_096, Precision::Bf16), 0, false)])
            .filter(|op| op.name.ends_with("wgrad") && op.name != "gate wgrad")
            .map(|op| match op.work {
                Work::Gemm(gemm) => gemm.m as f64 * gemm.n as f64 * f64::from(gemm.groups),
                _ => 0.0,
            })
            .sum();
        let moved = |accumulation, gradient_bytes| -> f64 {
            let shape = Shape {
                gradient_bytes,
                software: Software {
                    accumulation,
                    ..software()
                },
                ..shape(&model, 4_096, Precision::Bf16)
            };
            ops(&[layer_pass(&shape, 0, false)])
                .filter(|op| op.class == Class::WeightGradient)
                .map(|op| match op.work {
                    Work::Memory(_, bytes) if !op.routed => bytes.as_f64(),
                    Work::Gemm(gemm) => {
                        gemm.output_bytes * gemm.m as f64 * gemm.n as f64 * f64::from(gemm.groups)
                    }
                    _ => f64::NAN,
                })
                .sum()
        };
        let router = |bytes: f64| match &model.experts {
            Some(experts) => bytes * f64::from(experts.routed) * f64::from(model.hidden),
            None => 0.0,
        };
        let cases = [
            (Accumulation::Fused, 4.0, 8.0),
            // 2 written; 2 read, 4 read, 4 written.
            (Accumulation::Added, 4.0, 12.0),
            (Accumulation::Added, 2.0, 8.0),
            // 2 written; 2 read, 4 written; 4 read, 4 read, 4 written.
            (Accumulation::Copied, 4.0, 20.0),
            (Accumulation::Copied, 2.0, 8.0),
        ];
        for (accumulation, gradient, each) in cases {
            let found = moved(accumulation, gradient) - router(4.0);
            assert!(
                (found / (each * weights) - 1.0).abs() < 1e-9,
                "{found} {each}"
            );
        }
        let mut frozen = shape(&model, 4_096, Precision::Bf16);
        frozen.software.accumulation = Accumulation::Added;
        frozen.adapters = Some(Adapters {
            layers: AdapterLayers::Qkv,
            rank: 16,
        });
        assert!(ops(&[layer_pass(&frozen, 0, false)]).all(|op| op.name != "add to gradient"));
    }
}

#[test]
fn nvfp4_reads_twice_and_keeps_its_last_layers() {
    let model = llama(4, 4_096, 14_336, 32, 8);
    let casts = |shape: &Shape<'_>, layer: u32| -> f64 {
        ops(&[layer_pass(shape, layer, false)])
            .filter(|op| op.class == Class::Cast)
            .map(|op| match op.work {
                Work::Memory(_, bytes) => bytes.as_f64(),
                _ => 0.0,
            })
            .sum()
    };
    let narrow = shape(&model, 4_096, Precision::Nvfp4);
    let mx = shape(&model, 4_096, Precision::Mxfp8);
    // 5.125 bytes an element of each cast against 4.
    let ratio = casts(&narrow, 0) / casts(&mx, 0);
    assert!((ratio - 5.125 / 4.0).abs() < 1e-6, "{ratio}");
    let kept = Shape {
        bf16_layers: 1,
        ..narrow.clone()
    };
    assert_eq!(casts(&kept, 2), casts(&narrow, 2));
    assert_eq!(casts(&kept, 3), 0.0);
    let bf16 = shape(&model, 4_096, Precision::Bf16);
    assert_eq!(
        layer_pass(&kept, 3, false).forward,
        layer_pass(&bf16, 3, false).forward
    );
}

#[test]
fn adapters_replace_weight_gradients() {
    let dense = llama(4, 4_096, 14_336, 32, 8);
    let sparse = mixtral();
    let v3 = deepseek_v3();
    for (model, precision) in [
        (&dense, Precision::Bf16),
        (&dense, Precision::Fp8Tensor),
        (&dense, Precision::Nvfp4),
        (&sparse, Precision::Bf16),
        (&v3, Precision::Fp8Block),
    ] {
        let layer = model.layers - 1;
        let full = shape(model, 4_096, precision);
        let of_gemms = |shape: &Shape<'_>, pass: GemmPass, name: &str| -> f64 {
            ops(&[layer_pass(shape, layer, false)])
                .filter(|op| name.is_empty() || op.name.contains(name))
                .map(|op| match &op.work {
                    Work::Gemm(gemm) if gemm.pass == pass => gemm.flops(),
                    _ => 0.0,
                })
                .sum()
        };
        let lora = |rank| Shape {
            adapters: Some(Adapters {
                rank,
                layers: AdapterLayers::All,
            }),
            ..full.clone()
        };
        // The base runs forward and back as before, and nothing is left of its weight gradients.
        for pass in [GemmPass::Forward, GemmPass::InputGradient] {
            let all = of_gemms(&lora(16), pass, "");
            let adapters = of_gemms(&lora(16), pass, "adapter");
            assert_eq!(all - adapters, of_gemms(&full, pass, ""), "{}", model.name);
            assert!(adapters > 0.0 && adapters < 0.1 * all);
        }
        let weights = of_gemms(&lora(16), GemmPass::WeightGradient, "");
        assert_eq!(
            weights,
            of_gemms(&lora(16), GemmPass::WeightGradient, "adapter")
        );
        assert!(weights < 0.1 * of_gemms(&full, GemmPass::WeightGradient, ""));
        // Twice the rank, twice the weights.
        let count = |rank| trained(&layer_pass(&lora(rank), layer, false));
        let (once, twice) = (count(8), count(16));
        assert_eq!((2.0 * once.0, 2.0 * once.1), twice);
        assert_eq!(once.1 > 0.0, model.experts.is_some());
    }
    // r (inputs + outputs) of each matrix: qkv, output, gate and up together, down.
    let lora = Shape {
        adapters: Some(Adapters {
            rank: 16,
            layers: AdapterLayers::All,
        }),
        ..shape(&dense, 4_096, Precision::Bf16)
    };
    let (weights, _) = trained(&layer_pass(&lora, 0, false));
    let sum = (4_096 + 6_144) + (4_096 + 4_096) + (4_096 + 28_672) + (14_336 + 4_096);
    assert_eq!(weights, 16.0 * f64::from(sum));
    let on = |layers, model, precision| {
        let adapters = Some(Adapters { rank: 16, layers });
        let lora = Shape {
            adapters,
            ..shape(model, 4_096, precision)
        };
        trained(&layer_pass(&lora, 0, false)).0 / 16.0
    };
    let bf16 = Precision::Bf16;
    let attention = f64::from(4_096 + 6_144 + 4_096 + 4_096);
    assert_eq!(on(AdapterLayers::Attention, &dense, bf16), attention);
    assert_eq!(
        on(AdapterLayers::Qkv, &dense, bf16),
        f64::from(4_096 + 6_144)
    );
    // Latent attention: q_a, q_b, kv_a, kv_b (arXiv 2412.19437, section 4.2), and the output.
    let latent = (7_168 + 1_536) + (1_536 + 24_576) + (7_168 + 576) + (512 + 32_768);
    let v3_on = |layers| on(layers, &v3, Precision::Fp8Block);
    assert_eq!(v3_on(AdapterLayers::Qkv), f64::from(latent));
    assert_eq!(
        v3_on(AdapterLayers::Attention),
        f64::from(latent + 16_384 + 7_168)
    );
    assert_eq!(trained(&head_pass(&lora)), (0.0, 0.0));
    assert!(
        embedding_pass(&lora)
            .backward
            .iter()
            .all(|s| s.ops.is_empty() && s.filler.is_empty())
    );
}

/// Packed documents are short sequences to the attention core: as many of them as fit, each causal.
#[test]
fn packed_documents_see_themselves_only() {
    let model = llama(2, 512, 1_024, 8, 8);
    let whole = shape(&model, 4_096, Precision::Bf16);
    let packed = Shape {
        document: 128,
        ..whole.clone()
    };
    let cores = |shape: &Shape<'_>| -> Vec<crate::kernels::AttentionCore> {
        ops(&[layer_pass(shape, 0, false)])
            .filter_map(|op| match op.work {
                Work::Attention(core) => Some(core),
                _ => None,
            })
            .collect()
    };
    for (long, short) in cores(&whole).iter().zip(cores(&packed)) {
        assert_eq!((short.queries, short.keys, short.causal), (128, 128, true));
        assert_eq!(u64::from(short.batch) * 128, u64::from(long.batch) * 4_096);
    }
    // Longer documents than the sequence change nothing.
    let longer = Shape {
        document: 9_999,
        ..whole.clone()
    };
    assert_eq!(cores(&longer), cores(&whole));
}
