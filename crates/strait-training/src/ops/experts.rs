//! The mixture-of-experts half of a layer: router, permutation, expert products, shared expert.
//!
//! In: a [`Shape`]. Out: the ops around dispatch and combine, forward and backward. With
//! fine-grained FP8 this is the op list of DeepSeek's published trace; otherwise Megatron-Core's.
//! Never samples load: ops that follow it are marked `routed`.

use super::attention::Boundary;
use super::list::{Linear, List};
use super::{Class, ExchangeOp, Op, Scope, Shape};
use crate::case::{Dispatcher, RecomputePart};
use crate::kernels::{FixedKernel, Gemm, MatrixType, MemoryClass, Pass};
use crate::links::{CollectiveKind, Direction};
use crate::model::Experts;
use strait_units::Bytes;

/// The ops of a MoE half, cut where tokens are exchanged.
pub(super) struct MoeHalf {
    /// Norm, router, and what precedes dispatch (forward).
    pub route: Vec<Op>,
    /// Between dispatch and combine (forward).
    pub forward: Vec<Op>,
    /// Before the exchange of output gradients (backward).
    pub before_backward: Vec<Op>,
    /// Between the two exchanges of the backward pass.
    pub backward: Vec<Op>,
    /// Weight gradients of shared and routed experts.
    pub weight: Vec<Op>,
    /// Backward of the router and the norm, after the second exchange.
    pub route_backward: Vec<Op>,
}

/// Dispatch of activations or of gradients, in the type that the recipe sends.
pub(super) fn dispatch(shape: &Shape<'_>, fresh: bool, name: &'static str) -> ExchangeOp {
    let h = u64::from(shape.model.hidden);
    // Fine-grained FP8 sends one byte an element and an FP32 scale for each 128 of them
    // (arXiv 2412.19437 section 3.3.3); other recipes send BF16.
    let bytes = if shape.fine_grained() {
        h + 4 * h.div_ceil(128)
    } else {
        2 * h
    };
    ExchangeOp {
        direction: Direction::Dispatch,
        bytes_per_token: Bytes::new(bytes),
        fresh,
        name,
    }
}

/// Combine of expert outputs or of input gradients: BF16 in every recipe.
pub(super) fn combine(shape: &Shape<'_>, name: &'static str) -> ExchangeOp {
    ExchangeOp {
        direction: Direction::Combine,
        bytes_per_token: Bytes::new(2 * u64::from(shape.model.hidden)),
        fresh: false,
        name,
    }
}

/// The MoE half of a layer.
pub(super) fn moe_half(shape: &Shape<'_>, experts: &Experts) -> MoeHalf {
    let fine = shape.fine_grained();
    let h = u64::from(shape.model.hidden);
    let hf = shape.hidden();
    let gates = shape.model.activation.input_projections();
    // Input projections of the activation; the trace's recipe is gated.
    let gate = gates as f64;
    let local = (u64::from(experts.routed) / shape.expert).max(1);
    let width = u64::from(experts.width).div_ceil(shape.expert_tensor);
    let tokens = shape.moe_tokens();
    // Expected rows entering this rank's experts; expert-tensor ranks see all rows of their group.
    let rows = tokens * f64::from(experts.top_k) * shape.expert_tensor as f64;
    let rows_per_expert = (rows / local as f64).round().max(1.0) as u64;
    // Tokens received once for all local experts: what deduplicated dispatch moves.
    let received = match shape.dispatcher() {
        Dispatcher::Deduplicated => received_tokens(shape, experts) * shape.expert_tensor as f64,
        _ => rows,
    };
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * hf;
    let up = Linear {
        tokens: rows_per_expert,
        input: h,
        output: gates * width,
        groups: local as u32,
        operand: shape.operand(),
        gradient_bytes: shape.gradient_bytes,
        accumulation: shape.software.accumulation,
    };
    let down = Linear {
        input: width,
        output: h,
        ..up
    };
    let inner = rows * width as f64;
    let shared_width = u64::from(experts.shared_width).div_ceil(shape.tensor);
    let shared = (shared_width > 0).then(|| {
        (
            shape.linear(h, gates * shared_width),
            shape.linear(shared_width, h),
        )
    });
    let shared_inner = t * shared_width as f64;
    let activation_recompute =
        shape.recomputes(RecomputePart::Activation) || shape.recomputes(RecomputePart::Moe);
    // Fine-grained FP8 moves permuted rows in FP8 on dispatch, BF16 on combine.
    let row_bytes = if fine { 1.0 } else { 2.0 };
    let router = Gemm {
        m: tokens.round().max(1.0) as u64,
        n: u64::from(experts.routed),
        k: h,
        groups: 1,
        operand: MatrixType::Bf16,
        pass: Pass::Forward,
        output_bytes: 4.0,
    };

    let mut list = List::new();
    list.memory(
        "norm 2 with residual",
        Class::Norm,
        MemoryClass::Norm,
        6.0 * outer,
    );
    list.gemm("gate", router);
    if shape.software.router_fusion {
        // One pass over the scores: softmax or sigmoid, top-k, probabilities, auxiliary loss.
        list.small("fused router", 3);
    } else {
        list.fixed(
            "top-k scores",
            FixedKernel::TopK {
                tokens: router.m,
                experts: experts.routed,
            },
        );
        list.fixed(
            "top-k experts",
            FixedKernel::TopK {
                tokens: router.m,
                experts: experts.routed,
            },
        );
        // Of the trace's 45 small kernels of this phase ten are not the router's (`attention`),
        // whose list with fine-grained FP8 holds them all.
        list.small("small kernels router", if fine { 0 } else { 35 });
    }
    if fine {
        shape.cast_input(&mut list, "cast x to mlp", tokens * hf);
    }
    if shape.dispatcher() != Dispatcher::Deduplicated {
        // Rows are sorted by expert before they are sent: read once, written top-k times.
        list.memory(
            "permute",
            Class::Permute,
            MemoryClass::Permute,
            2.0 * hf * (tokens + tokens * f64::from(experts.top_k)),
        );
    }
    let route = list.take();

    list.small("small kernels mlp(F)", 6);
    if let Some((shared_up, _)) = shared {
        if shape.tensor > 1 {
            Boundary::gather(&mut list, shape, shared_up);
        }
        if !fine {
            shape.cast_input(&mut list, "cast x to shared", t * hf);
        }
        list.gemm("shared up", shared_up.forward());
    }
    if shape.software.router_fusion {
        list.small("fused counts and row map", 3);
    } else {
        list.fixed("expert count", FixedKernel::ExpertCount);
        list.fixed("row mapping", FixedKernel::RowMapping);
    }
    list.routed();
    list.memory(
        "permute to experts",
        Class::Permute,
        MemoryClass::Permute,
        row_bytes * hf * (received + rows),
    );
    list.unrouted();
    shape.transpose_weight(
        &mut list,
        "transpose W routed",
        (local * (gates + 1) * h * width) as f64,
    );
    list.routed();
    expert_tensor_gather(&mut list, shape, rows * hf * 2.0);
    if !fine {
        shape.cast_input(&mut list, "cast rows", rows * hf);
    }
    list.gemm("routed up", up.forward());
    // Fine-grained: BF16 products in, FP8 activation out (5 bytes per inner element).
    list.memory(
        "swiglu routed",
        Class::Activation,
        MemoryClass::Swiglu,
        (if fine {
            2.0 * gate + 1.0
        } else {
            2.0 * (gate + 1.0)
        }) * inner,
    );
    if !fine {
        shape.cast_input(&mut list, "cast activation rows", inner);
    }
    list.gemm("routed down", down.forward());
    expert_tensor_scatter(&mut list, shape, rows * hf * 2.0);
    list.memory(
        "unpermute",
        Class::Permute,
        MemoryClass::Permute,
        2.0 * hf * (rows + received),
    );
    if fine {
        list.memory(
            "cast saved h1 routed",
            Class::Cast,
            MemoryClass::Cast,
            3.0 * gate * inner,
        );
    }
    list.unrouted();
    if let Some((_, shared_down)) = shared {
        list.memory(
            "swiglu shared",
            Class::Activation,
            MemoryClass::Swiglu,
            (if fine {
                2.0 * gate + 1.0
            } else {
                2.0 * (gate + 1.0)
            }) * shared_inner,
        );
        if !fine {
            shape.cast_input(&mut list, "cast activation shared", shared_inner);
        }
        list.gemm("shared down", shared_down.forward());
        if shape.tensor > 1 {
            Boundary::scatter(&mut list, shape, shared_down);
        }
        if fine {
            list.memory(
                "cast saved h1 shared",
                Class::Cast,
                MemoryClass::Cast,
                3.0 * gate * shared_inner,
            );
        }
    }
    let forward = list.take();

    // ---- backward
    list.memory(
        "residual add backward",
        Class::Elementwise,
        MemoryClass::Stream,
        if fine { 0.0 } else { 6.0 * outer },
    );
    if shape.dispatcher() != Dispatcher::Deduplicated {
        list.memory(
            "permute gradients",
            Class::Permute,
            MemoryClass::Permute,
            2.0 * hf * (tokens + tokens * f64::from(experts.top_k)),
        );
    }
    let before_backward = list.take();

    // Likewise 40 of the trace's 52 backward.
    let unfused = !fine && !shape.software.router_fusion;
    list.small(
        "small kernels router backward",
        if unfused { 40 } else { 0 },
    );
    list.small("small kernels mlp(B)", 5);
    if let Some((shared_up, shared_down)) = shared {
        if shape.tensor > 1 {
            Boundary::gather_gradient(&mut list, shape, shared_down);
        }
        if shape.recomputes(RecomputePart::Mlp) || shape.recomputes(RecomputePart::Moe) {
            list.gemm("shared up recompute", shared_up.forward());
        }
        if fine {
            list.memory(
                "cast back saved h1 shared",
                Class::Cast,
                MemoryClass::Cast,
                3.0 * gate * shared_inner,
            );
        } else {
            shape.cast_gradient(&mut list, "cast dy shared", t * hf);
        }
        list.memory(
            "transpose W shared down",
            Class::Cast,
            MemoryClass::CastTranspose,
            if fine {
                2.0 * (shared_width * h) as f64
            } else {
                0.0
            },
        );
        list.gemm("shared down dgrad", shared_down.input_gradient());
        if fine {
            list.memory(
                "cast+transpose dy",
                Class::Cast,
                MemoryClass::CastTranspose,
                2.0 * t * hf,
            );
            list.memory(
                "cast+transpose activation shared",
                Class::Cast,
                MemoryClass::CastTranspose,
                3.0 * shared_inner,
            );
        } else if activation_recompute || shape.recomputes(RecomputePart::Mlp) {
            list.memory(
                "swiglu recompute shared",
                Class::Activation,
                MemoryClass::Swiglu,
                2.0 * (gate + 1.0) * shared_inner,
            );
        }
        list.memory(
            "swiglu backward shared",
            Class::Activation,
            MemoryClass::Swiglu,
            2.0 * (2.0 * gate + 1.0) * shared_inner,
        );
    }
    list.routed();
    if fine {
        list.memory(
            "cast back saved h1 routed",
            Class::Cast,
            MemoryClass::Stream,
            3.0 * gate * inner,
        );
    }
    list.memory(
        "permute gradients to experts",
        Class::Permute,
        MemoryClass::Permute,
        row_bytes * hf * (received + rows),
    );
    expert_tensor_gather(&mut list, shape, rows * hf * 2.0);
    if !fine {
        shape.cast_gradient(&mut list, "cast dy rows", rows * hf);
    }
    if shape.recomputes(RecomputePart::Moe) {
        list.memory(
            "permute to experts again",
            Class::Permute,
            MemoryClass::Permute,
            row_bytes * hf * (received + rows),
        );
        list.gemm("routed up recompute", up.forward());
    }
    list.gemm("routed down dgrad", down.input_gradient());
    // Recomputing the activation writes it again: 12 instead of 10 bytes where it is gated.
    list.memory(
        "swiglu backward routed",
        Class::Activation,
        MemoryClass::Swiglu,
        if fine || activation_recompute {
            4.0 * (gate + 1.0)
        } else {
            4.0 * gate + 2.0
        } * inner,
    );
    if fine {
        list.memory(
            "swiglu weight gradient",
            Class::Activation,
            MemoryClass::Stream,
            4.0 * inner,
        );
        list.memory(
            "cast+transpose activation routed",
            Class::Cast,
            MemoryClass::CastTranspose,
            3.0 * inner,
        );
    }
    list.unrouted();
    if shape.recomputes(RecomputePart::Norm) {
        list.memory(
            "norm 2 recompute",
            Class::Norm,
            MemoryClass::Norm,
            6.0 * outer,
        );
    }
    if fine {
        shape.cast_input(&mut list, "cast x again", t * hf);
    }
    list.routed();
    shape.cast_gradient(&mut list, "cast dh1 routed", gate * inner);
    list.gemm("routed up dgrad", up.input_gradient());
    expert_tensor_scatter(&mut list, shape, rows * hf * 2.0);
    list.memory(
        "unpermute dx",
        Class::Permute,
        MemoryClass::Permute,
        2.0 * hf * (rows + received),
    );
    if fine {
        list.memory(
            "cast+transpose dh1 routed",
            Class::Cast,
            MemoryClass::CastTranspose,
            3.0 * gate * inner,
        );
    }
    list.unrouted();
    if fine {
        list.memory("cast back dx", Class::Cast, MemoryClass::Cast, 3.0 * t * hf);
    }
    if let Some((shared_up, _)) = shared {
        if fine {
            list.memory(
                "transpose W shared up",
                Class::Cast,
                MemoryClass::CastTranspose,
                2.0 * (gates * shared_width * h) as f64,
            );
        }
        shape.cast_gradient(&mut list, "cast dh1 shared", gate * shared_inner);
        list.gemm("shared up dgrad", shared_up.input_gradient());
        if shape.tensor > 1 {
            Boundary::scatter_gradient(&mut list, shape, shared_up);
        }
        if fine {
            list.memory(
                "cast+transpose dh1 shared",
                Class::Cast,
                MemoryClass::CastTranspose,
                3.0 * gate * shared_inner,
            );
            list.memory(
                "cast+transpose x shared",
                Class::Cast,
                MemoryClass::CastTranspose,
                3.0 * t * hf,
            );
        }
    }
    let backward = list.take();

    if let Some((_, shared_down)) = shared {
        list.weight_gradient("shared down wgrad", shared_down);
    }
    list.routed();
    if fine {
        list.memory(
            "dequant+transpose dy rows",
            Class::Cast,
            MemoryClass::DequantTranspose,
            2.0 * rows * hf,
        );
    }
    list.weight_gradient("routed down wgrad", down);
    list.weight_gradient("routed up wgrad", up);
    if fine {
        list.memory(
            "dequant+transpose x rows",
            Class::Cast,
            MemoryClass::DequantTranspose,
            2.0 * rows * hf,
        );
    }
    list.unrouted();
    if let Some((shared_up, _)) = shared {
        list.weight_gradient("shared up wgrad", shared_up);
    }
    let weight = list.take();

    list.gemm(
        "gate dgrad",
        Gemm {
            n: h,
            k: u64::from(experts.routed),
            pass: Pass::InputGradient,
            output_bytes: 2.0,
            ..router
        },
    );
    list.gemm(
        "gate wgrad",
        Gemm {
            m: u64::from(experts.routed),
            n: h,
            k: router.m,
            pass: Pass::WeightGradient,
            output_bytes: 4.0,
            ..router
        },
    );
    list.memory(
        "add gradients",
        Class::Elementwise,
        MemoryClass::Stream,
        6.0 * outer,
    );
    Boundary::reduce_routed_gradient(&mut list, shape);
    list.memory(
        "norm 2 backward",
        Class::Norm,
        MemoryClass::NormBackward,
        8.0 * outer,
    );
    let route_backward = list.take();

    MoeHalf {
        route,
        forward,
        before_backward,
        backward,
        weight,
        route_backward,
    }
}

/// Expected distinct tokens that reach this rank: top-k draws hit u(r, e, k) of r ranks.
fn received_tokens(shape: &Shape<'_>, experts: &Experts) -> f64 {
    let ranks = shape.expert as f64;
    let per_rank = (u64::from(experts.routed) / shape.expert).max(1);
    let total = u64::from(experts.routed);
    // Probability that a given rank is hit by none of the k draws without replacement.
    let mut miss = 1.0;
    for draw in 0..u64::from(experts.top_k) {
        let left = total.saturating_sub(per_rank + draw) as f64;
        miss *= left / (total - draw).max(1) as f64;
    }
    shape.moe_tokens() * ranks * (1.0 - miss)
}

fn expert_tensor_gather(list: &mut List, shape: &Shape<'_>, bytes: f64) {
    if shape.expert_tensor > 1 {
        list.collective(
            "all-gather of rows",
            Scope::ExpertTensor,
            CollectiveKind::AllGather,
            bytes,
            None,
        );
    }
}

fn expert_tensor_scatter(list: &mut List, shape: &Shape<'_>, bytes: f64) {
    if shape.expert_tensor > 1 {
        list.collective(
            "reduce-scatter of rows",
            Scope::ExpertTensor,
            CollectiveKind::ReduceScatter,
            bytes,
            None,
        );
    }
}
