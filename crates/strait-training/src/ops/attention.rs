//! The attention half of a layer: norm, projections, core, output projection, residual.
//!
//! In: a [`Shape`]. Out: forward ops, input-gradient ops, weight-gradient ops. Never includes
//! the feed-forward half.

use super::list::{Linear, List};
use super::{Class, Hidden, Op, Scope, Shape};
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

/// The attention half of layer `layer`.
pub(super) fn attention_half(shape: &Shape<'_>, layer: u32) -> Half {
    // Separate kernels compute the whole square and mask it.
    let masked = shape.software.attention == AttentionKernel::Unfused;
    let window = (shape.model.window_of(layer))
        .map(u64::from)
        .filter(|&tokens| tokens < shape.sequence && !masked);
    let mut half = match shape.model.attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => grouped(shape, heads, kv_heads, head_dim, window),
        Attention::Latent { .. } => latent(shape, window),
    };
    post_norm(shape, &mut half.forward, &mut half.backward);
    half
}

/// The norm of a sub-layer's output, where the model has one (Grok-1).
pub(super) fn post_norm(shape: &Shape<'_>, forward: &mut Vec<Op>, backward: &mut Vec<Op>) {
    if !shape.model.extras.post_norms {
        return;
    }
    let outer = shape.outer_tokens() * shape.hidden();
    let mut list = List::new();
    list.memory("post norm", Class::Norm, MemoryClass::Norm, 4.0 * outer);
    forward.extend(list.take());
    list.memory(
        "post norm backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * outer,
    );
    backward.splice(0..0, list.take());
}

/// What the attention cores of a layer are made of.
#[derive(Clone, Copy)]
struct Cores {
    /// Query heads on this rank.
    heads: u64,
    /// Key and value heads on this rank.
    kv_heads: u64,
    /// Dimensions of a query and key head, and of a value head.
    dims: (u32, u32),
    /// Elements of a token that rings pass on.
    travelling: u64,
    /// Tokens that a query sees, if not all before it.
    window: Option<u64>,
}

/// The cores of one attention: with context parallelism, one causal step on the rank's own
/// tokens and one full step of half the keys for every other rank (load-balanced ring).
///
/// A window of w tokens leaves w - w²/2s keys to the mean query: as many, for every query, are
/// what the core is timed by. Rings then go only as far as the window reaches.
fn cores(list: &mut List, shape: &Shape<'_>, cores: Cores, backward: bool) {
    let Cores {
        heads,
        kv_heads,
        dims,
        travelling,
        window,
    } = cores;
    let own = (shape.sequence / shape.context).max(1);
    let seen = window.map(|w| {
        let (w, s) = (w as f64, shape.sequence as f64);
        ((w - w * w / (2.0 * s)).round() as u64).max(1)
    });
    // Packed documents are short sequences of their own to fused kernels; separate kernels compute the
    // whole square and mask it. A ring has nothing to pass on to who holds whole documents.
    let packed = shape.document < own && shape.software.attention != AttentionKernel::Unfused;
    let (pieces, own) = match packed {
        true => (own.div_ceil(shape.document.max(1)), shape.document.max(1)),
        false => (1, own),
    };
    let core = AttentionCore {
        batch: (shape.batch * pieces) as u32,
        heads: heads as u32,
        kv_heads: kv_heads as u32,
        queries: own,
        keys: seen.map_or(own, |keys| keys.min(own)),
        qk_dim: dims.0,
        v_dim: dims.1,
        causal: window.is_none(),
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
    let steps = match window {
        _ if packed => 0,
        None => shape.context - 1,
        Some(tokens) => (tokens.div_ceil(own)).min(shape.context - 1),
    };
    if steps > 0 {
        let step = AttentionCore {
            keys: (own / 2).max(1),
            causal: false,
            ..core
        };
        if window.is_none() {
            for _ in 0..steps {
                list.attention("attention ring step", step);
            }
        }
        // Keys and values of this rank's tokens, or the latents that they are formed from, in
        // BF16; their gradients travel as well on the way back.
        let bytes = 2.0 * (travelling * own * shape.batch) as f64;
        let factor = if backward { 2.0 } else { 1.0 };
        list.ring("ring exchange", steps as u32, bytes * factor, step);
        // Merging partial outputs: 16 bytes an output element and step (FP32 read and write twice).
        let outputs = (heads * u64::from(dims.1) * own * shape.batch) as f64;
        list.memory(
            "merge partial outputs",
            Class::Elementwise,
            MemoryClass::Stream,
            16.0 * outputs * steps as f64,
        );
    }
}

/// Collectives before a column-parallel and after a row-parallel layer. What hides them follows
/// Megatron-LM (arXiv 2205.05198 section 4.2.2, and its linear layers since): the default
/// overlaps, of a column-parallel layer's backward pass, the gather of the saved input with the
/// input gradient and the reduction of that gradient with the weight gradient; user buffers
/// overlap the others too, in pieces, with the product that they feed or follow.
pub(super) struct Boundary;

impl Boundary {
    /// Forward, before a column-parallel product.
    pub(super) fn gather(list: &mut List, shape: &Shape<'_>, product: Linear) {
        Boundary::gather_of(list, shape, product, residual(shape));
    }

    /// The same for a stream of `bytes` in all.
    fn gather_of(list: &mut List, shape: &Shape<'_>, product: Linear, bytes: f64) {
        if shape.sequence_parallel {
            let hidden = (shape.overlaps_forward()).then(|| Hidden::Pipelined(product.forward()));
            list.collective(
                "all-gather",
                Scope::Tensor,
                CollectiveKind::AllGather,
                bytes,
                hidden,
            );
        }
    }

    /// Forward, after a row-parallel product.
    pub(super) fn scatter(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.tensor > 1 {
            let hidden = (shape.overlaps_forward()).then(|| Hidden::Pipelined(product.forward()));
            let (name, kind) = if shape.sequence_parallel {
                ("reduce-scatter", CollectiveKind::ReduceScatter)
            } else {
                ("all-reduce", CollectiveKind::AllReduce)
            };
            list.collective(name, Scope::Tensor, kind, residual(shape), hidden);
        }
    }

    /// Backward, before the input gradient of a row-parallel product, which needs it whole.
    pub(super) fn gather_gradient(list: &mut List, shape: &Shape<'_>, product: Linear) {
        if shape.sequence_parallel {
            let hidden =
                (shape.overlaps_forward()).then(|| Hidden::Pipelined(product.input_gradient()));
            list.collective(
                "all-gather of gradients",
                Scope::Tensor,
                CollectiveKind::AllGather,
                residual(shape),
                hidden,
            );
        }
    }

    /// Backward, around the input gradient of a column-parallel product: the saved input, which
    /// sequence parallelism keeps in pieces, is gathered beside it for the weight gradient, and
    /// its result is reduced beside the weight gradient. Software that overlaps nothing is taken
    /// to have saved the gathered input.
    pub(super) fn scatter_gradient(list: &mut List, shape: &Shape<'_>, product: Linear) {
        let (width, bytes) = (product.input, 2.0 * shape.tokens() as f64);
        Boundary::scatter_gradient_of(list, shape, product, bytes * width as f64);
    }

    /// Forward, after combine: without sequence parallelism each tensor rank has sent off its
    /// share of the tokens and needs the results of all.
    pub(super) fn gather_routed(list: &mut List, shape: &Shape<'_>) {
        if shape.tensor > 1 && !shape.sequence_parallel {
            list.collective(
                "all-gather of outputs",
                Scope::Tensor,
                CollectiveKind::AllGather,
                residual(shape),
                None,
            );
        }
    }

    /// Its like backward: gradients of the tokens that other tensor ranks have sent off.
    pub(super) fn reduce_routed_gradient(list: &mut List, shape: &Shape<'_>) {
        if shape.tensor > 1 && !shape.sequence_parallel {
            list.collective(
                "all-gather of routed gradients",
                Scope::Tensor,
                CollectiveKind::AllGather,
                residual(shape),
                None,
            );
        }
    }

    /// The same for a stream of `bytes` in all.
    fn scatter_gradient_of(list: &mut List, shape: &Shape<'_>, product: Linear, bytes: f64) {
        if shape.tensor > 1 {
            if shape.sequence_parallel && shape.overlaps_backward() {
                list.collective(
                    "all-gather again",
                    Scope::Tensor,
                    CollectiveKind::AllGather,
                    bytes,
                    Some(Hidden::Beside(product.input_gradient())),
                );
            }
            let (name, kind) = if shape.sequence_parallel {
                ("reduce-scatter of gradients", CollectiveKind::ReduceScatter)
            } else {
                ("all-reduce of gradients", CollectiveKind::AllReduce)
            };
            let hidden =
                (shape.overlaps_backward()).then(|| Hidden::Beside(product.weight_gradient()));
            list.collective(name, Scope::Tensor, kind, bytes, hidden);
        }
    }
}

/// Bytes of the residual stream of a micro-batch on a context rank, BF16.
fn residual(shape: &Shape<'_>) -> f64 {
    2.0 * shape.tokens() as f64 * shape.hidden()
}

fn grouped(
    shape: &Shape<'_>,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    window: Option<u64>,
) -> Half {
    let tensor = shape.tensor;
    let (h, d) = (u64::from(shape.model.hidden), u64::from(head_dim));
    let heads = u64::from(heads).div_ceil(tensor);
    // Fewer key/value heads than tensor ranks: each rank keeps one, replicated.
    let kv_heads = u64::from(kv_heads).div_ceil(tensor).max(1);
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let qkv = shape.linear(h, (heads + 2 * kv_heads) * d);
    let out = shape.linear(heads * d, h);
    let core = Cores {
        heads,
        kv_heads,
        dims: (head_dim, head_dim),
        travelling: 2 * kv_heads * d,
        window,
    };
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
    cores(&mut list, shape, core, false);
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
        cores(&mut list, shape, core, false);
    }
    cores(&mut list, shape, core, true);
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

    list.weight_gradient("output projection wgrad", out);
    list.weight_gradient("qkv projection wgrad", qkv);
    Half {
        forward,
        backward,
        weight: list.take(),
    }
}

/// Latent attention. With fine-grained FP8 this is the op list of the published trace.
fn latent(shape: &Shape<'_>, window: Option<u64>) -> Half {
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
    let core = Cores {
        heads,
        kv_heads: heads,
        dims: (qk_nope_dim + qk_rope_dim, v_dim),
        // Rings pass the latents on; each rank expands those of the others for itself.
        travelling: kv_rank + rope,
        window,
    };
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

    // Down-projections are copied to all tensor ranks, up-projections are split by head: the
    // latents are gathered between them, and their gradients reduced (Megatron-Core).
    let copied = |width: u64| shape.copied_tokens() as f64 * width as f64;
    let down = |output: u64| Linear {
        tokens: shape.copied_tokens(),
        ..shape.linear(h, output)
    };
    let q_down = q_rank.map(|rank| down(u64::from(rank)));
    let q_in = q_rank.map_or(h, u64::from);
    let q_up = shape.linear(q_in, q_width);
    let kv_down = down(kv_rank + rope);
    let latents = 2.0 * elements(kv_rank + rope + q_rank.map_or(0, u64::from));
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
    list.small("small kernels attn(F)", small_forward);
    if let Some(q_down) = q_down {
        shape.cast_input(&mut list, "cast x to q_a", copied(h));
        list.gemm("q_a", q_down.forward());
    } else {
        Boundary::gather(&mut list, shape, q_up);
    }
    shape.cast_input(&mut list, "cast x to kv_a", copied(h));
    list.gemm("kv_a", kv_down.forward());
    if q_down.is_some() {
        list.memory("q norm", Class::Norm, MemoryClass::Norm, 4.0 * copied(q_in));
    }
    list.memory(
        "kv norm",
        Class::Norm,
        MemoryClass::Norm,
        4.0 * copied(kv_rank),
    );
    Boundary::gather_of(&mut list, shape, q_up, latents);
    up_projections(&mut list, false);
    expand(&mut list);
    cores(&mut list, shape, core, false);
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
    cores(&mut list, shape, core, true);
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
    Boundary::scatter_gradient_of(&mut list, shape, q_up, latents);
    list.memory(
        "kv norm backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * copied(kv_rank),
    );
    if q_down.is_some() {
        list.memory(
            "q norm backward",
            Class::Norm,
            MemoryClass::NormBackward,
            6.0 * copied(q_in),
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
    shape.cast_gradient(&mut list, "cast dkv_a", copied(kv_rank + rope));
    list.gemm("kv_a dgrad", kv_down.input_gradient());
    shape.cast_for_weight(&mut list, "cast+transpose x for kv_a", copied(h));
    if let Some(q_down) = q_down {
        shape.cast_for_weight(&mut list, "cast+transpose x for q_a", copied(h));
        shape.cast_gradient(&mut list, "cast dq_a", copied(q_in));
        list.gemm("q_a dgrad", q_down.input_gradient());
        shape.cast_for_weight(&mut list, "cast+transpose dq_a", copied(q_in));
        list.memory(
            "add gradients of x",
            Class::Elementwise,
            MemoryClass::Stream,
            6.0 * outer,
        );
    } else {
        Boundary::scatter_gradient(&mut list, shape, q_up);
    }
    list.memory(
        "norm 1 backward with residual",
        Class::Norm,
        MemoryClass::NormBackward,
        8.0 * outer,
    );
    let backward = list.take();

    list.weight_gradient("o wgrad", out);
    list.weight_gradient("kv_b wgrad", kv_up);
    list.weight_gradient("q_b wgrad", q_up);
    list.weight_gradient("kv_a wgrad", kv_down);
    if let Some(q_down) = q_down {
        list.weight_gradient("q_a wgrad", q_down);
    }
    Half {
        forward,
        backward,
        weight: list.take(),
    }
}
