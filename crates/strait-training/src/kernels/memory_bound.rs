//! Kernels that wait for memory, and the few that follow neither bytes nor FLOPs.
//!
//! In: a class and the bytes that it moves. Out: a time. Never counts bytes itself:
//! what to count is written at each class.

use super::profile::{FixedFacts, MemoryScale, MemoryTable};
use super::{KernelError, Scale};
use strait_units::{Bytes, Time};

/// Classes of memory-bound kernels, by the share of bandwidth that they reach.
/// Bytes are those of the whole kernel: reads and writes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryClass {
    /// Adds, scales, contiguous copies, reductions, bias-dropout-add, and the pre and post
    /// passes of attention's backward: all reads and writes.
    Stream,
    /// Activations between the projections: 2 B × (inputs + outputs).
    Swiglu,
    /// Transposition of an FP8 weight: 2 × its bytes.
    Transpose,
    /// Cast to FP8 and transpose: 3 B per element (4 B where both copies are kept).
    CastTranspose,
    /// Cast between BF16 and FP8 with 1×128 scales: 3 B per element.
    Cast,
    /// FP8 requantised along the other axis for weight gradients: 2 B per element.
    DequantTranspose,
    /// RMSNorm or LayerNorm forward: 4 B per element, 6 B with a residual add.
    Norm,
    /// Its backward: 6 B per element, 8 B with a residual.
    NormBackward,
    /// Packing to and from 12-bit floats: 3.5 B per element.
    Pack12,
    /// Rotary embedding and broadcasts on strided heads: reads and writes.
    Strided,
    /// Softmax and cross-entropy over the vocabulary: 14–16 B per logit fused,
    /// 40–46 B as a chain in FP32.
    Loss,
    /// Optimizer update: 30–46 B per owned parameter.
    Optimizer,
    /// Embedding look-up and its gradient: reads and writes of rows.
    Embedding,
    /// Permutation of token rows to and from experts: reads and writes.
    Permute,
    /// Plain copy: reads and writes.
    Copy,
}

impl MemoryClass {
    /// All of them.
    pub const ALL: [MemoryClass; 15] = [
        MemoryClass::Stream,
        MemoryClass::Swiglu,
        MemoryClass::Transpose,
        MemoryClass::CastTranspose,
        MemoryClass::Cast,
        MemoryClass::DequantTranspose,
        MemoryClass::Norm,
        MemoryClass::NormBackward,
        MemoryClass::Pack12,
        MemoryClass::Strided,
        MemoryClass::Loss,
        MemoryClass::Optimizer,
        MemoryClass::Embedding,
        MemoryClass::Permute,
        MemoryClass::Copy,
    ];
}

/// Kernels whose time does not follow bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedKernel {
    /// Top-k selection of the router; linear in tokens × experts, as measured at one size.
    TopK {
        /// Tokens.
        tokens: u64,
        /// Experts to choose from.
        experts: u32,
    },
    /// Counting the tokens of each expert (4,096 tokens).
    ExpertCount,
    /// Building the row map of a permutation (4,096 tokens).
    RowMapping,
    /// Any of the many small kernels of a layer.
    Small,
}

/// Bandwidth of each class, scaled to the accelerator.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    start: f64,
    /// Bytes per second, in the order of [`MemoryClass::ALL`].
    rates: [f64; MemoryClass::ALL.len()],
}

impl Memory {
    pub(super) fn new(
        table: &MemoryTable,
        start: Time,
        scale: &Scale,
    ) -> Result<Self, KernelError> {
        let whole = match table.of {
            MemoryScale::Triad => scale.triad,
            MemoryScale::Datasheet => scale.bandwidth,
        };
        let mut rates = [0.0; MemoryClass::ALL.len()];
        for class in MemoryClass::ALL {
            let share = match class {
                MemoryClass::Stream => table.stream,
                MemoryClass::Swiglu => table.swiglu,
                MemoryClass::Transpose => table.transpose,
                MemoryClass::CastTranspose => table.cast_transpose,
                MemoryClass::Cast => table.cast,
                MemoryClass::DequantTranspose => table.dequant_transpose,
                MemoryClass::Norm => table.norm,
                MemoryClass::NormBackward => table.norm_backward,
                MemoryClass::Pack12 => table.pack12,
                MemoryClass::Strided => table.strided,
                MemoryClass::Loss => table.loss,
                MemoryClass::Optimizer => table.optimizer,
                MemoryClass::Embedding => table.embedding,
                MemoryClass::Permute => table.permute,
                MemoryClass::Copy => table.copy,
            };
            let rate = share.get() * whole;
            if rate.is_nan() || rate <= 0.0 {
                return Err(KernelError::NotPositive("a memory bandwidth"));
            }
            rates[class as usize] = rate;
        }
        Ok(Memory {
            start: start.seconds(),
            rates,
        })
    }

    /// Start plus bytes at the class's bandwidth; nothing for no bytes.
    pub(super) fn time(&self, class: MemoryClass, bytes: Bytes) -> Time {
        if bytes == Bytes::ZERO {
            return Time::ZERO;
        }
        Time::from_seconds(self.start + bytes.as_f64() / self.rates[class as usize])
    }
}

impl FixedKernel {
    pub(super) fn time(self, facts: &FixedFacts) -> Time {
        match self {
            FixedKernel::TopK { tokens, experts } => {
                let scores = tokens * u64::from(experts);
                facts.small.max(facts.top_k_per_score * scores)
            }
            FixedKernel::ExpertCount => facts.expert_count,
            FixedKernel::RowMapping => facts.row_mapping,
            FixedKernel::Small => facts.small,
        }
    }
}
