//! The sizes that op lists are made of: one micro-batch on one rank.
//!
//! In: a case and the layout's degrees. Out: token counts, widths per rank, and which
//! parts are recomputed. Never holds times.

use super::list::Linear;
use crate::case::{
    Adapters, AttentionKernel, Case, Dispatcher, Fusion, Method, Parallelism, Precision,
    PrecisionRecipe, Recompute, RecomputePart, Software, TensorOverlap,
};
use crate::kernels::MatrixType;
use crate::model::Model;
use std::borrow::Cow;

/// One micro-batch on one rank.
#[derive(Clone, Debug)]
pub struct Shape<'a> {
    /// Model.
    pub model: &'a Model,
    /// Sequences in a micro-batch.
    pub batch: u64,
    /// Tokens of a sequence.
    pub sequence: u64,
    /// Context-parallel ranks.
    pub context: u64,
    /// Tensor-parallel ranks.
    pub tensor: u64,
    /// Sequence parallelism.
    pub sequence_parallel: bool,
    /// Expert-parallel ranks.
    pub expert: u64,
    /// Tensor-parallel ranks of an expert.
    pub expert_tensor: u64,
    /// Precision of linear layers.
    pub precision: Precision,
    /// Layers at the end of the model that stay in BF16.
    pub bf16_layers: u32,
    /// Bytes of an accumulated gradient.
    pub gradient_bytes: f64,
    /// Software generation.
    pub software: Software,
    /// Recomputed parts.
    pub recompute: Recompute,
    /// Adapters, where the model's own weights are frozen.
    pub adapters: Option<Adapters>,
    /// Tokens of a packed document; of the sequence where none are packed.
    pub document: u64,
}

impl<'a> Shape<'a> {
    /// The shape of a case with a given layout and sequence length.
    pub fn new(case: &'a Case, layout: &Parallelism, sequence_length: u32) -> Shape<'a> {
        let shape = Shape::of(
            (&case.model, &case.precision),
            (&case.software, case.training.method),
            layout,
            sequence_length,
        );
        Shape {
            document: u64::from(case.training.seen(sequence_length)),
            ..shape
        }
    }

    /// The same from the parts of a case that it needs.
    pub(crate) fn of(
        (model, precision): (&'a Model, &PrecisionRecipe),
        (software, method): (&Software, Method),
        layout: &Parallelism,
        sequence_length: u32,
    ) -> Shape<'a> {
        Shape {
            model,
            batch: u64::from(layout.micro_batch),
            sequence: u64::from(sequence_length),
            context: u64::from(layout.context),
            tensor: u64::from(layout.tensor),
            sequence_parallel: layout.sequence && layout.tensor > 1,
            expert: u64::from(layout.expert),
            expert_tensor: u64::from(layout.expert_tensor),
            precision: precision.recipe,
            bf16_layers: precision.bf16_layers,
            gradient_bytes: precision.state.gradient,
            software: *software,
            recompute: layout.recompute.clone(),
            adapters: method.adapters(),
            document: u64::from(sequence_length),
        }
    }

    /// The shape as layer `layer` sees it: the last ones may stay in BF16.
    pub(super) fn at(&self, layer: u32) -> Cow<'_, Shape<'a>> {
        let precision =
            PrecisionRecipe::layer_type(self.precision, self.bf16_layers, layer, self.model.layers);
        if precision == self.precision {
            Cow::Borrowed(self)
        } else {
            Cow::Owned(Shape {
                precision,
                ..self.clone()
            })
        }
    }

    /// Tokens of a micro-batch on a context-parallel rank.
    pub fn tokens(&self) -> u64 {
        (self.batch * self.sequence / self.context).max(1)
    }

    /// Tokens that norms and residual adds see: split over tensor ranks with sequence parallelism.
    pub fn outer_tokens(&self) -> f64 {
        let tokens = self.tokens() as f64;
        if self.sequence_parallel {
            tokens / self.tensor as f64
        } else {
            tokens
        }
    }

    /// Tokens that enter the MoE block on this rank: each tensor rank dispatches its own share,
    /// with sequence parallelism because it holds no others, without it because experts would
    /// work on every token once for each tensor rank.
    pub fn moe_tokens(&self) -> f64 {
        self.tokens() as f64 / self.tensor as f64
    }

    /// Tokens that a layer's matrices see that are copied, not split, over tensor ranks: with
    /// sequence parallelism each rank's own, without it all.
    pub fn copied_tokens(&self) -> u64 {
        if self.sequence_parallel {
            self.tokens().div_ceil(self.tensor)
        } else {
            self.tokens()
        }
    }

    /// Width of the residual stream.
    pub fn hidden(&self) -> f64 {
        f64::from(self.model.hidden)
    }

    /// The operand type of linear layers.
    pub fn operand(&self) -> MatrixType {
        operand(self.precision)
    }

    /// Linear layers run in FP8.
    pub fn fp8(&self) -> bool {
        self.operand() != MatrixType::Bf16
    }

    /// A linear layer on the micro-batch's tokens.
    pub fn linear(&self, input: u64, output: u64) -> Linear {
        Linear {
            tokens: self.tokens(),
            input: input.max(1),
            output: output.max(1),
            groups: 1,
            operand: self.operand(),
            gradient_bytes: self.gradient_bytes,
            accumulation: self.software.accumulation,
        }
    }

    /// A named part is recomputed in the backward pass.
    pub fn recomputes(&self, part: RecomputePart) -> bool {
        match &self.recompute {
            Recompute::None | Recompute::Full => false,
            Recompute::Selective => part == RecomputePart::CoreAttention,
            Recompute::Named(parts) => parts.contains(&part),
        }
    }

    /// Whole layers are recomputed.
    pub fn recomputes_layers(&self) -> bool {
        self.recompute == Recompute::Full
    }

    /// Bytes of a residual add, per element: with dropout (before 2023) the mask too.
    pub fn residual_bytes(&self) -> f64 {
        match self.software.attention {
            // GPT-era recipes train with dropout, fused with bias and residual (arXiv 2104.04473).
            AttentionKernel::Unfused => 7.0,
            _ => 6.0,
        }
    }

    /// Kernels of the elementwise chain are separate.
    pub fn eager(&self) -> bool {
        self.software.fusion == Fusion::Eager
    }

    /// The dispatcher of expert traffic.
    pub fn dispatcher(&self) -> Dispatcher {
        self.software.dispatcher
    }

    /// Forward tensor-parallel collectives are pipelined with their product.
    pub fn overlaps_forward(&self) -> bool {
        self.software.tensor_overlap == TensorOverlap::Full
    }

    /// Backward tensor-parallel collectives are hidden.
    pub fn overlaps_backward(&self) -> bool {
        self.software.tensor_overlap != TensorOverlap::None
    }
}

/// The operand type of a recipe's linear layers.
pub fn operand(precision: Precision) -> MatrixType {
    match precision {
        Precision::Fp16 | Precision::Bf16 => MatrixType::Bf16,
        Precision::Fp8Tensor => MatrixType::Fp8Tensor,
        Precision::Fp8Block => MatrixType::Fp8Block,
        Precision::Mxfp8 => MatrixType::Mxfp8,
        Precision::Nvfp4 => MatrixType::Nvfp4,
    }
}
