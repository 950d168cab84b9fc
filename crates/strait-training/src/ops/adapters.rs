//! Frozen weights and their low-rank adapters (LoRA, arXiv 2106.09685).
//!
//! In: a finished [`Pass`] of full training. Out: the same with base weights frozen: products of
//! weight gradients and the casts that only they need are gone, and linear layers W have
//! B·A beside them, A of `rank` x inputs, B of outputs x `rank`. Never says what is kept or reduced.
//!
//! Counted simply: adapters run in BF16 by kernels of their own, each output is added by one more;
//! tensor ranks hold a whole A of their inputs and a B of their outputs; dropout before A is off, as
//! in the recipes of Megatron-Bridge. The first layer's input gradient is counted, though nothing
//! below it is trained.

use super::{Class, Hidden, Op, Pass, Segment, Work};
use crate::case::{AdapterLayers, Adapters};
use crate::kernels::{Gemm, MatrixType, MemoryClass, Pass as GemmPass};
use std::collections::BTreeSet;
use strait_units::Bytes;

/// The pass with frozen weights and adapters.
pub(super) fn adapted(mut pass: Pass, adapters: Adapters) -> Pass {
    for segment in pass.forward.iter_mut().chain(&mut pass.backward) {
        for ops in [&mut segment.ops, &mut segment.filler] {
            let mut list = Vec::with_capacity(2 * ops.len());
            for op in std::mem::take(ops) {
                adapt(op, adapters, &mut list);
            }
            *ops = list;
        }
    }
    pass
}

/// The pass with frozen weights and nothing trained.
pub(super) fn frozen(mut pass: Pass) -> Pass {
    for segment in pass.forward.iter_mut().chain(&mut pass.backward) {
        for ops in [&mut segment.ops, &mut segment.filler] {
            ops.retain(|op| !of_weights(op));
            ops.iter_mut().for_each(bare);
        }
    }
    pass
}

/// An op that only weight gradients need.
fn of_weights(op: &Op) -> bool {
    match &op.work {
        Work::Gemm(gemm) => gemm.pass == GemmPass::WeightGradient,
        // Operands of weight gradients, cast along the other axis (`casts`).
        Work::Memory(..) if op.class == Class::WeightGradient => true,
        Work::Memory(..) => {
            op.class == Class::Cast
                && (op.name.starts_with("cast+transpose") || op.name.starts_with("dequant"))
        }
        _ => false,
    }
}

/// A reduction that ran beside a weight gradient has nothing to hide under.
fn bare(op: &mut Op) {
    if let Work::Collective { hidden, .. } = &mut op.work
        && let Some(Hidden::Beside(product)) = hidden
        && product.pass == GemmPass::WeightGradient
    {
        *hidden = None;
    }
}

fn adapt(mut op: Op, adapters: Adapters, list: &mut Vec<Op>) {
    let rank = u64::from(adapters.rank);
    bare(&mut op);
    let Work::Gemm(base) = op.work else {
        if !of_weights(&op) {
            list.push(op);
        }
        return;
    };
    let like = |name, gemm| Op {
        name,
        class: op.class,
        work: Work::Gemm(Gemm {
            operand: MatrixType::Bf16,
            ..gemm
        }),
        routed: op.routed,
    };
    let outputs = base.m as f64 * base.n as f64 * f64::from(base.groups);
    let has = has_adapter(&op, adapters.layers);
    let narrow = Gemm { n: rank, ..base };
    let wide = Gemm { k: rank, ..base };
    let names = match base.pass {
        GemmPass::WeightGradient => {
            if has {
                list.push(like("adapter B wgrad", narrow));
                list.push(like("adapter A wgrad", Gemm { m: rank, ..base }));
            }
            return;
        }
        GemmPass::Forward => ["adapter A", "adapter B", "add adapter"],
        GemmPass::InputGradient => ["adapter B dgrad", "adapter A dgrad", "add adapter dgrad"],
    };
    let routed = op.routed;
    let adapters = has.then(|| [like(names[0], narrow), like(names[1], wide)]);
    list.push(op);
    if let Some(adapters) = adapters {
        list.extend(adapters);
        // Reads both results, writes their sum: 2 bytes each.
        list.push(Op {
            name: names[2],
            class: Class::Elementwise,
            work: Work::Memory(MemoryClass::Stream, Bytes::from_f64(6.0 * outputs)),
            routed,
        });
    }
}

/// Shapes of the weight matrices that a pass has gradients of, each once: those of experts are the
/// same. Routers are left out, which library layers do not hold.
pub fn matrices(pass: &Pass) -> BTreeSet<(u64, u64)> {
    let segments = pass.forward.iter().chain(&pass.backward);
    let ops = segments.flat_map(|segment: &Segment| segment.ops.iter().chain(&segment.filler));
    ops.filter(|op| !is_router(op))
        .filter_map(|op| match &op.work {
            Work::Gemm(gemm) if gemm.pass == GemmPass::WeightGradient => Some((gemm.m, gemm.n)),
            _ => None,
        })
        .collect()
}

/// The linear layer that a product belongs to has an adapter. Routers have none.
fn has_adapter(op: &Op, layers: AdapterLayers) -> bool {
    let of = |names: &[&str]| {
        names.iter().any(|name| {
            let rest = op.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    };
    // Names of `attention`: those of grouped and those of latent attention.
    let qkv = || of(&["qkv projection", "q_a", "q_b", "kv_a", "kv_b"]);
    match layers {
        AdapterLayers::All => !is_router(op),
        AdapterLayers::Attention => qkv() || of(&["output projection", "o"]),
        AdapterLayers::Qkv => qkv(),
    }
}

fn is_router(op: &Op) -> bool {
    op.name == "gate" || op.name.starts_with("gate ")
}

/// Weights that a pass trains on a rank, dense and in experts: what its weight gradients are of.
pub fn trained(pass: &Pass) -> (f64, f64) {
    let segments = pass.forward.iter().chain(&pass.backward);
    let ops = segments.flat_map(|segment: &Segment| segment.ops.iter().chain(&segment.filler));
    let (mut dense, mut experts) = (0.0, 0.0);
    for op in ops {
        if let Work::Gemm(gemm) = &op.work
            && gemm.pass == GemmPass::WeightGradient
        {
            let weights = gemm.m as f64 * gemm.n as f64 * f64::from(gemm.groups);
            // Products over experts follow the tokens that were routed to them.
            if op.routed {
                experts += weights;
            } else {
                dense += weights;
            }
        }
    }
    (dense, experts)
}
