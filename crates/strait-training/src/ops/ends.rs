//! Both ends of the model: embedding, output head with loss, and the entry of a
//! multi-token-prediction module.
//!
//! In: a [`Shape`]. Out: a [`Pass`] each. Never includes transformer layers.

use super::adapters::{adapted, frozen};
use super::list::List;
use super::{Class, Pass, Scope, Segment, Shape};
use crate::kernels::{MatrixType, MemoryClass};
use crate::links::CollectiveKind;

fn single(
    forward: Vec<super::Op>,
    backward: Vec<super::Op>,
    filler: Vec<super::Op>,
    layer: u32,
) -> Pass {
    Pass {
        forward: vec![Segment {
            ops: forward,
            layer,
            phase: "end(F)",
            ..Segment::default()
        }],
        backward: vec![Segment {
            ops: backward,
            filler,
            layer,
            phase: "end(B)",
            ..Segment::default()
        }],
    }
}

/// Sums a stream over tensor ranks, each of which keeps all of it or its piece of the sequence.
fn over_tensor_ranks(list: &mut List, shape: &Shape<'_>, name: &'static str, bytes: f64) {
    if shape.tensor > 1 {
        let kind = if shape.sequence_parallel {
            CollectiveKind::ReduceScatter
        } else {
            CollectiveKind::AllReduce
        };
        list.collective(name, Scope::Tensor, kind, bytes, None);
    }
}

/// What arrives from another stage: each tensor rank was sent its share of the stream, which without
/// sequence parallelism has to be gathered (the scatter/gather optimisation of arXiv 2104.04473,
/// section 4.1). `first` and `last` say what the stage is: nothing arrives at the ends.
pub fn arrival_pass(shape: &Shape<'_>, first: bool, last: bool) -> Pass {
    let gather = || {
        let mut list = List::new();
        if shape.tensor > 1 && !shape.sequence_parallel && shape.software.pipeline_scatter {
            list.collective(
                "all-gather of what arrived",
                Scope::Tensor,
                CollectiveKind::AllGather,
                2.0 * shape.tokens() as f64 * shape.hidden(),
                None,
            );
        }
        list.take()
    };
    let segment = |ops: Vec<super::Op>, phase| {
        (!ops.is_empty()).then_some(Segment {
            ops,
            phase,
            ..Segment::default()
        })
    };
    Pass {
        forward: (!first)
            .then(|| segment(gather(), "end(F)"))
            .flatten()
            .into_iter()
            .collect(),
        backward: (!last)
            .then(|| segment(gather(), "end(B)"))
            .flatten()
            .into_iter()
            .collect(),
    }
}

/// The embedding: a gather forward, a scatter-add backward, and the reduction over tensor ranks. A
/// frozen one has no backward pass.
pub fn embedding_pass(shape: &Shape<'_>) -> Pass {
    let bytes = 4.0 * shape.tokens() as f64 * shape.hidden();
    let mut list = List::new();
    list.memory("embedding", Class::Ends, MemoryClass::Embedding, bytes);
    over_tensor_ranks(&mut list, shape, "reduce embedding", 0.5 * bytes);
    let forward = list.take();
    if shape.adapters.is_some() {
        return single(forward, Vec::new(), Vec::new(), 0);
    }
    if shape.sequence_parallel {
        list.collective(
            "gather embedding gradients",
            Scope::Tensor,
            CollectiveKind::AllGather,
            0.5 * bytes,
            None,
        );
    }
    list.memory(
        "embedding backward",
        Class::Ends,
        MemoryClass::Embedding,
        bytes,
    );
    single(forward, Vec::new(), list.take(), 0)
}

/// Final norm, output projection over the vocabulary split by tensor ranks, and cross-entropy.
pub fn head_pass(shape: &Shape<'_>) -> Pass {
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let vocabulary = u64::from(shape.model.vocabulary).div_ceil(shape.tensor);
    let logits = t * vocabulary as f64;
    let head = super::list::Linear {
        operand: MatrixType::Bf16,
        ..shape.linear(u64::from(shape.model.hidden), vocabulary)
    };
    // Fused cross-entropy reads and writes FP32 once each way; the unfused chain of 2021-22
    // (cast, max, subtract, exp, sum, divide) moves 18 bytes a logit forward and 10 backward.
    let (loss_forward, loss_backward) =
        if shape.eager() || shape.software.fusion == crate::case::Fusion::Jit {
            (18.0, 10.0)
        } else {
            (10.0, 4.0)
        };
    let mut list = List::new();
    list.memory("final norm", Class::Norm, MemoryClass::Norm, 4.0 * outer);
    if shape.sequence_parallel {
        list.collective(
            "all-gather",
            Scope::Tensor,
            CollectiveKind::AllGather,
            2.0 * t * shape.hidden(),
            None,
        );
    }
    list.gemm("head", head.forward());
    list.memory(
        "loss",
        Class::Ends,
        MemoryClass::Loss,
        loss_forward * logits,
    );
    if shape.tensor > 1 {
        // Maximum, sum of exponentials and target logit of each token.
        list.collective(
            "all-reduce loss",
            Scope::Tensor,
            CollectiveKind::AllReduce,
            12.0 * t,
            None,
        );
    }
    let forward = list.take();
    list.memory(
        "loss backward",
        Class::Ends,
        MemoryClass::Loss,
        loss_backward * logits,
    );
    list.gemm("head dgrad", head.input_gradient());
    let residual = 2.0 * t * shape.hidden();
    over_tensor_ranks(&mut list, shape, "reduction of gradients", residual);
    list.memory(
        "final norm backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * outer,
    );
    let backward = list.take();
    list.weight_gradient("head wgrad", head);
    let pass = single(forward, backward, list.take(), shape.model.layers);
    match shape.adapters {
        Some(_) => frozen(pass),
        None => pass,
    }
}

/// The entry of a multi-token-prediction module: two norms and the projection of the
/// concatenated hidden state and embedding (arXiv 2412.19437 section 2.2).
pub fn mtp_entry_pass(shape: &Shape<'_>) -> Pass {
    let h = u64::from(shape.model.hidden);
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let residual = 2.0 * t * shape.hidden();
    // Column-parallel, its output gathered again: the layer behind it needs it whole, or in
    // pieces of the sequence.
    let projection = shape.linear(2 * h, h.div_ceil(shape.tensor));
    let mut list = List::new();
    list.memory(
        "embedding of the next token",
        Class::Ends,
        MemoryClass::Embedding,
        4.0 * t * shape.hidden(),
    );
    over_tensor_ranks(&mut list, shape, "reduce embedding", residual);
    list.memory("mtp norms", Class::Norm, MemoryClass::Norm, 8.0 * outer);
    if shape.sequence_parallel {
        list.collective(
            "all-gather",
            Scope::Tensor,
            CollectiveKind::AllGather,
            2.0 * residual,
            None,
        );
    }
    shape.cast_input(&mut list, "cast mtp input", 2.0 * t * h as f64);
    list.gemm("mtp projection", projection.forward());
    if shape.tensor > 1 {
        list.collective(
            "all-gather of outputs",
            Scope::Tensor,
            CollectiveKind::AllGather,
            residual,
            None,
        );
    }
    let forward = list.take();
    shape.cast_gradient(&mut list, "cast mtp dy", t * h as f64);
    shape.transpose_weight(&mut list, "transpose W mtp", (2 * h * h) as f64);
    list.gemm("mtp projection dgrad", projection.input_gradient());
    shape.cast_for_weight(&mut list, "cast+transpose mtp input", 2.0 * t * h as f64);
    shape.cast_for_weight(&mut list, "cast+transpose mtp dy", t * h as f64);
    over_tensor_ranks(&mut list, shape, "reduction of gradients", 2.0 * residual);
    list.memory(
        "mtp norms backward",
        Class::Norm,
        MemoryClass::NormBackward,
        12.0 * outer,
    );
    list.memory(
        "embedding backward",
        Class::Ends,
        MemoryClass::Embedding,
        4.0 * t * shape.hidden(),
    );
    let backward = list.take();
    list.weight_gradient("mtp projection wgrad", projection);
    let pass = single(forward, backward, list.take(), shape.model.layers);
    match shape.adapters {
        Some(adapters) => adapted(pass, adapters),
        None => pass,
    }
}
