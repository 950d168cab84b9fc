//! The attention half of a layer: norm, projections, core, output projection, residual.
//!
//! In: a [`Shape`]. Out: forward ops, input-gradient ops, weight-gradient ops. Never includes
//! the feed-forward half.

use super::list::{Linear, List};
use super::{Class, Op, Scope, Shape};
use crate::case::{AttentionKernel, RecomputePart};
use crate::kernels::{AttentionCore, MemoryClass};
use crate::links::CollectiveKind;
use crate::model::Attention;

/// Forward ops, critical backward ops, and weight-gradient ops.
pub(super) struct Half {
    pub forward: Vec<Op>,
    pub backward: Vec<Op>,
    pub weight: Vec<Op>,
}

/// The attention half of a layer.
pub(super) fn attention_half(shape: &Shape<'_>) -> Half {
    match shape.model.attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => grouped(shape, heads, kv_heads, head_dim),
        Attention::Latent { .. } => latent(shape),
    }
}

/// The cores of one attention: with context parallelism, one causal step on the rank's own
/// tokens and one full step of half the keys for every other rank (load-balanced ring).
fn cores(
    list: &mut List,
    shape: &Shape<'_>,
    heads: u64,
    kv_heads: u64,
    dims: (u32, u32),
    travelling: u64,
    backward: bool,
) {
    let own = shape.sequence / shape.context;
    let core = AttentionCore {
        batch: shape.batch as u32,
        heads: heads as u32,
        kv_heads: kv_heads as u32,
        queries: own,
        keys: own,
        qk_dim: dims.0,
        v_dim: dims.1,
        causal: true,
        kernel: shape.software.attention,
        backward,
    };
    list.attention(
        if backward {
            "attention backward"
        } else {
            "attention"
        },
        core,
    );
    if shape.context > 1 {
        let step = AttentionCore {
            keys: (own / 2).max(1),
            causal: false,
            ..core
        };
        for _ in 1..shape.context {
            list.attention("attention ring step", step);
        }
        // Keys and values of this rank's tokens, or the latents that they are formed from, in
        // BF16; their gradients travel as well on the way back.
        let bytes = 2.0 * (travelling * own * shape.batch) as f64;
        let factor = if backward { 2.0 } else { 1.0 };
        list.ring(
            "ring exchange",
            shape.context as u32 - 1,
            bytes * factor,
            step,
        );
        // Merging partial outputs: 16 bytes an output element and step (FP32 read and write twice).
        let outputs = (heads * u64::from(dims.1) * own * shape.batch) as f64;
        list.memory(
            "merge partial outputs",
            Class::Elementwise,
            MemoryClass::Stream,
            16.0 * outputs * (shape.context - 1) as f64,
        );
    }
}

/// Collectives before a column-parallel and after a row-parallel layer.
pub(super) struct Boundary;

impl Boundary {
    /// Forward, before a column-parallel product.
    pub(super) fn gather(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.sequence_parallel {
            let beside = shape.overlaps_forward().then(|| product.forward());
            list.collective(
                "all-gather",
                Scope::Tensor,
                CollectiveKind::AllGather,
                residual(shape),
                beside,
            );
        }
    }

    /// Forward, after a row-parallel product.
    pub(super) fn scatter(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.tensor > 1 {
            let beside = shape.overlaps_forward().then(|| product.forward());
            let (name, kind) = if shape.sequence_parallel {
                ("reduce-scatter", CollectiveKind::ReduceScatter)
            } else {
                ("all-reduce", CollectiveKind::AllReduce)
            };
            list.collective(name, Scope::Tensor, kind, residual(shape), beside);
        }
    }

    /// Backward, before the input gradient of a row-parallel product.
    pub(super) fn gather_gradient(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.sequence_parallel {
            let beside = shape.overlaps_backward().then(|| product.input_gradient());
            list.collective(
                "all-gather of gradients",
                Scope::Tensor,
                CollectiveKind::AllGather,
                residual(shape),
                beside,
            );
        }
    }

    /// Backward, after the input gradient of a column-parallel product. The all-reduce of
    /// plain tensor parallelism hides under the weight gradient where the software does so.
    pub(super) fn scatter_gradient(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.tensor > 1 {
            let (name, kind, beside) = if shape.sequence_parallel {
                (
                    "reduce-scatter of gradients",
                    CollectiveKind::ReduceScatter,
                    product.input_gradient(),
                )
            } else {
                (
                    "all-reduce of gradients",
                    CollectiveKind::AllReduce,
                    product.weight_gradient(),
                )
            };
            let beside = shape.overlaps_backward().then_some(beside);
            list.collective(name, Scope::Tensor, kind, residual(shape), beside);
        }
    }
}

/// Bytes of the residual stream of a micro-batch on a context rank, BF16.
fn residual(shape: &Shape<'_>) -> f64 {
    2.0 * shape.tokens() as f64 * shape.hidden()
}

fn grouped(shape: &Shape<'_>, heads: u32, kv_heads: u32, head_dim: u32) -> Half {
    let tensor = shape.tensor;
    let (h, d) = (u64::from(shape.model.hidden), u64::from(head_dim));
    let heads = u64::from(heads).div_ceil(tensor);
    // Fewer key/value heads than tensor ranks: each rank keeps one, replicated.
    let kv_heads = u64::from(kv_heads).div_ceil(tensor).max(1);
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let qkv = shape.linear(h, (heads + 2 * kv_heads) * d);
    let out = shape.linear(heads * d, h);
    let dims = (head_dim, head_dim);
    let travelling = 2 * kv_heads * d;
    let rotary = shape.model.learned_positions == 0;
    // Queries and keys are read and written by the rotary kernel.
    let rotary_bytes = 4.0 * t * ((heads + kv_heads) * d) as f64;

    let mut list = List::new();
    list.memory("norm 1", Class::Norm, MemoryClass::Norm, 4.0 * outer);
    Boundary::gather(&mut list, shape, qkv);
    shape.cast_input(&mut list, "cast x", t * h as f64);
    list.gemm("qkv projection", qkv.forward());
    if shape.model.qk_norm {
        list.memory("q and k norm", Class::Norm, MemoryClass::Norm, rotary_bytes);
    }
    if rotary {
        list.memory(
            "rotary",
            Class::Elementwise,
            MemoryClass::Strided,
            rotary_bytes,
        );
    }
    cores(&mut list, shape, heads, kv_heads, dims, travelling, false);
    shape.cast_input(&mut list, "cast attention output", t * (heads * d) as f64);
    list.gemm("output projection", out.forward());
    Boundary::scatter(&mut list, shape, out);
    list.memory(
        "residual add",
        Class::Elementwise,
        MemoryClass::Stream,
        shape.residual_bytes() * outer,
    );
    let forward = list.take();

    list.memory(
        "residual add backward",
        Class::Elementwise,
        MemoryClass::Stream,
        6.0 * outer,
    );
    Boundary::gather_gradient(&mut list, shape, out);
    shape.cast_gradient(&mut list, "cast dy", t * h as f64);
    shape.transpose_weight(&mut list, "transpose W out", (heads * d * h) as f64);
    list.gemm("output projection dgrad", out.input_gradient());
    shape.cast_for_weight(
        &mut list,
        "cast+transpose attention output",
        t * (heads * d) as f64,
    );
    shape.cast_for_weight(&mut list, "cast+transpose dy", t * h as f64);
    // Flash kernels recompute scores by themselves: selective recomputation costs nothing more.
    if shape.recomputes(RecomputePart::CoreAttention)
        && shape.software.attention == AttentionKernel::Unfused
    {
        cores(&mut list, shape, heads, kv_heads, dims, travelling, false);
    }
    cores(&mut list, shape, heads, kv_heads, dims, travelling, true);
    if rotary {
        list.memory(
            "rotary backward",
            Class::Elementwise,
            MemoryClass::Strided,
            rotary_bytes,
        );
    }
    if shape.model.qk_norm {
        list.memory(
            "q and k norm backward",
            Class::Norm,
            MemoryClass::NormBackward,
            1.5 * rotary_bytes,
        );
    }
    let qkv_width = ((heads + 2 * kv_heads) * d) as f64;
    shape.cast_gradient(&mut list, "cast dqkv", t * qkv_width);
    shape.transpose_weight(&mut list, "transpose W qkv", h as f64 * qkv_width);
    list.gemm("qkv projection dgrad", qkv.input_gradient());
    Boundary::scatter_gradient(&mut list, shape, qkv);
    if shape.recomputes(RecomputePart::Norm) {
        list.memory(
            "norm 1 recompute",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * outer,
        );
    }
    shape.cast_for_weight(&mut list, "cast+transpose x", t * h as f64);
    shape.cast_for_weight(&mut list, "cast+transpose dqkv", t * qkv_width);
    list.memory(
        "norm 1 backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * outer,
    );
    let backward = list.take();

    list.gemm("output projection wgrad", out.weight_gradient());
    list.gemm("qkv projection wgrad", qkv.weight_gradient());
    Half {
        forward,
        backward,
        weight: list.take(),
    }
}

/// Latent attention. With fine-grained FP8 this is the op list of the published trace.
fn latent(shape: &Shape<'_>) -> Half {
    let Attention::Latent {
        heads,
        q_rank,
        kv_rank,
        qk_nope_dim,
        qk_rope_dim,
        v_dim,
    } = shape.model.attention
    else {
        unreachable!("only called for latent attention")
    };
    let tensor = shape.tensor;
    let h = u64::from(shape.model.hidden);
    let heads = u64::from(heads).div_ceil(tensor);
    let (nope, rope, v) = (
        u64::from(qk_nope_dim),
        u64::from(qk_rope_dim),
        u64::from(v_dim),
    );
    let kv_rank = u64::from(kv_rank);
    let q_width = heads * (nope + rope);
    let kv_width = heads * (nope + v);
    let out_width = heads * v;
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let fine = shape.fine_grained();
    let dims = (qk_nope_dim + qk_rope_dim, v_dim);
    // Rings pass the latents on; each rank expands those of the others for itself.
    let travelling = kv_rank + rope;
    let expand = |list: &mut List| {
        if shape.context > 1 {
            let others = Linear {
                tokens: shape.tokens() * (shape.context - 1),
                ..shape.linear(kv_rank, kv_width)
            };
            list.gemm("kv_b of the ring", others.forward());
        }
    };
    let elements = |width: u64| t * width as f64;

    // Down-projections are replicated over tensor ranks; up-projections are split by head.
    let q_down = q_rank.map(|rank| shape.linear(h, u64::from(rank)));
    let q_in = q_rank.map_or(h, u64::from);
    let q_up = shape.linear(q_in, q_width);
    let kv_down = shape.linear(h, kv_rank + rope);
    let kv_up = shape.linear(kv_rank, kv_width);
    let out = shape.linear(out_width, h);
    // Small kernels of this phase in the trace: 45 forward, 52 backward, 4.8 us on average.
    let (small_forward, small_backward) = if fine { (45, 52) } else { (10, 12) };

    let up_projections = |list: &mut List, recompute: bool| {
        if fine {
            if q_down.is_some() {
                shape.cast_input(
                    list,
                    if recompute {
                        "cast q_a out again"
                    } else {
                        "cast q_a out"
                    },
                    elements(q_in),
                );
            }
        } else if q_down.is_some() {
            shape.cast_input(list, "cast q_a out", elements(q_in));
        }
        list.gemm(
            if recompute { "q_b recompute" } else { "q_b" },
            q_up.forward(),
        );
        shape.cast_input(
            list,
            if recompute {
                "cast kv_a out again"
            } else {
                "cast kv_a out"
            },
            elements(kv_rank),
        );
        list.gemm(
            if recompute { "kv_b recompute" } else { "kv_b" },
            kv_up.forward(),
        );
        list.memory(
            "copy k_nope into k",
            Class::Elementwise,
            MemoryClass::Stream,
            4.0 * elements(heads * nope),
        );
        list.memory(
            "broadcast k_pe",
            Class::Elementwise,
            MemoryClass::Strided,
            2.0 * elements(heads * rope),
        );
        list.memory(
            "rope q",
            Class::Elementwise,
            MemoryClass::Strided,
            4.0 * elements(heads * rope),
        );
    };

    let mut list = List::new();
    list.memory(
        "norm 1 with residual",
        Class::Norm,
        MemoryClass::Norm,
        6.0 * outer,
    );
    Boundary::gather(&mut list, shape, q_up);
    list.small("small kernels attn(F)", small_forward);
    if let Some(q_down) = q_down {
        shape.cast_input(&mut list, "cast x to q_a", elements(h));
        list.gemm("q_a", q_down.forward());
    }
    shape.cast_input(&mut list, "cast x to kv_a", elements(h));
    list.gemm("kv_a", kv_down.forward());
    if q_down.is_some() {
        list.memory(
            "q norm",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * elements(q_in),
        );
    }
    list.memory(
        "kv norm",
        Class::Norm,
        MemoryClass::Norm,
        4.0 * elements(kv_rank),
    );
    up_projections(&mut list, false);
    expand(&mut list);
    cores(&mut list, shape, heads, heads, dims, travelling, false);
    if fine {
        list.memory(
            "cast attention output E5M6",
            Class::Cast,
            MemoryClass::Pack12,
            3.5 * elements(out_width),
        );
    }
    shape.cast_input(&mut list, "cast attention output", elements(out_width));
    list.gemm("o", out.forward());
    Boundary::scatter(&mut list, shape, out);
    list.memory(
        "scale",
        Class::Elementwise,
        MemoryClass::Stream,
        4.0 * outer,
    );
    let forward = list.take();

    list.small("small kernels attn(B)", small_backward);
    list.memory(
        "scale backward",
        Class::Elementwise,
        MemoryClass::Stream,
        4.0 * outer,
    );
    Boundary::gather_gradient(&mut list, shape, out);
    if fine {
        list.memory(
            "cast back E5M6",
            Class::Cast,
            MemoryClass::Pack12,
            3.5 * elements(out_width),
        );
    }
    shape.cast_gradient(&mut list, "cast dy", elements(h));
    shape.transpose_weight(&mut list, "transpose W o", (h * out_width) as f64);
    list.gemm("o dgrad", out.input_gradient());
    shape.cast_for_weight(
        &mut list,
        "cast+transpose attention output",
        elements(out_width),
    );
    shape.cast_for_weight(&mut list, "cast+transpose dy", elements(h));
    if shape.recomputes(RecomputePart::MlaUp) {
        if q_down.is_some() {
            list.memory(
                "q norm recompute",
                Class::Norm,
                MemoryClass::Norm,
                4.0 * elements(q_in),
            );
        }
        list.memory(
            "kv norm recompute",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * elements(kv_rank),
        );
        up_projections(&mut list, true);
    }
    expand(&mut list);
    if fine {
        // Pre-pass: reads O and dO, writes the row sums and clears the FP32 dQ.
        list.memory(
            "attention backward pre-pass",
            Class::Attention,
            MemoryClass::Stream,
            4.0 * elements(out_width) + 4.0 * elements(q_width),
        );
    }
    cores(&mut list, shape, heads, heads, dims, travelling, true);
    if fine {
        // Post-pass: reads the FP32 dQ, writes it in BF16.
        list.memory(
            "attention backward post-pass",
            Class::Attention,
            MemoryClass::Stream,
            6.0 * elements(q_width),
        );
    }
    list.memory(
        "rope q backward",
        Class::Elementwise,
        MemoryClass::Strided,
        4.0 * elements(heads * rope),
    );
    shape.transpose_weight(&mut list, "transpose W q_b", (q_in * q_width) as f64);
    shape.cast_gradient(&mut list, "cast dq", elements(q_width));
    list.gemm("q_b dgrad", q_up.input_gradient());
    list.memory(
        "reduce dk_pe",
        Class::Elementwise,
        MemoryClass::Stream,
        2.0 * elements(heads * rope),
    );
    list.memory(
        "copy dk_nope",
        Class::Elementwise,
        MemoryClass::Stream,
        4.0 * elements(heads * nope),
    );
    list.memory(
        "copy dv",
        Class::Elementwise,
        MemoryClass::Stream,
        4.0 * elements(heads * v),
    );
    shape.transpose_weight(&mut list, "transpose W kv_b", (kv_rank * kv_width) as f64);
    shape.cast_gradient(&mut list, "cast dkv", elements(kv_width));
    list.gemm("kv_b dgrad", kv_up.input_gradient());
    shape.cast_for_weight(&mut list, "cast+transpose dkv", elements(kv_width));
    shape.cast_for_weight(&mut list, "cast+transpose kv", elements(kv_rank));
    shape.cast_for_weight(&mut list, "cast+transpose dq", elements(q_width));
    shape.cast_for_weight(&mut list, "cast+transpose q", elements(q_in));
    list.memory(
        "kv norm backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * elements(kv_rank),
    );
    if q_down.is_some() {
        list.memory(
            "q norm backward",
            Class::Norm,
            MemoryClass::NormBackward,
            6.0 * elements(q_in),
        );
    }
    if shape.recomputes(RecomputePart::Norm) {
        list.memory(
            "norm 1 recompute",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * outer,
        );
    }
    shape.cast_gradient(&mut list, "cast dkv_a", elements(kv_rank + rope));
    list.gemm("kv_a dgrad", kv_down.input_gradient());
    shape.cast_for_weight(&mut list, "cast+transpose x for kv_a", elements(h));
    if let Some(q_down) = q_down {
        shape.cast_for_weight(&mut list, "cast+transpose x for q_a", elements(h));
        shape.cast_gradient(&mut list, "cast dq_a", elements(q_in));
        list.gemm("q_a dgrad", q_down.input_gradient());
        shape.cast_for_weight(&mut list, "cast+transpose dq_a", elements(q_in));
        list.memory(
            "add gradients of x",
            Class::Elementwise,
            MemoryClass::Stream,
            6.0 * outer,
        );
    }
    Boundary::scatter_gradient(&mut list, shape, q_up);
    list.memory(
        "norm 1 backward with residual",
        Class::Norm,
        MemoryClass::NormBackward,
        8.0 * outer,
    );
    let backward = list.take();

    list.gemm("o wgrad", out.weight_gradient());
    list.gemm("kv_b wgrad", kv_up.weight_gradient());
    list.gemm("q_b wgrad", q_up.weight_gradient());
    list.gemm("kv_a wgrad", kv_down.weight_gradient());
    if let Some(q_down) = q_down {
        list.gemm("q_a wgrad", q_down.weight_gradient());
    }
    Half {
        forward,
        backward,
        weight: list.take(),
    }
}
