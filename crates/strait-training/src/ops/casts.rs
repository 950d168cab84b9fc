//! Precision casts around a linear layer, by recipe.
//!
//! In: the recipe and the operand sizes. Out: cast and transpose ops. BF16 has none.
//!
//! - Fine-grained FP8 (deepseek-ai/profile-data): inputs cast per token (3 bytes an element),
//!   weights transposed for every input gradient (2 bytes an element), and operands of the
//!   weight gradient cast again along the other axis (3 bytes an element).
//! - Per-tensor and MX FP8 (Transformer Engine): one fused cast with transpose, 4 bytes an
//!   element, of each input and of each output gradient; weights once a step.
//! - NVFP4 (Transformer Engine's `nvte_hadamard_transform_amax`, then its fused cast; arXiv
//!   2509.25149 section 4): the scale of a tensor needs its largest element first, and that of its
//!   transformed transpose, so that each input and output gradient is read twice: 2 bytes an element
//!   in a pass that finds both, then 2 bytes read and two copies of half a byte and a sixteenth
//!   (scales) written, one along each axis. Weights once a step.

use super::list::List;
use super::{Class, Shape};
use crate::case::Precision;
use crate::kernels::MemoryClass;

/// Bytes that NVFP4's two kernels of a cast move for an element: two reads of 16 bits, two
/// writes of 4 bits with a byte of scale for 16 of them.
pub(super) const NVFP4_CAST: f64 = 2.0 + 2.0 + 2.0 * (0.5 + 1.0 / 16.0);

impl Shape<'_> {
    /// Recipe with scales per tile and block.
    pub(super) fn fine_grained(&self) -> bool {
        self.precision == Precision::Fp8Block
    }

    /// Cast of a layer's input, `elements` in all.
    ///
    /// Where weights are frozen, nothing is transposed for their gradients: the library quantizes
    /// along the rows alone.
    pub(super) fn cast_input(&self, list: &mut List, name: &'static str, elements: f64) {
        let frozen = self.adapters.is_some();
        match self.precision {
            Precision::Fp8Tensor | Precision::Mxfp8 if frozen => {
                list.memory(name, Class::Cast, MemoryClass::Cast, 3.0 * elements);
            }
            Precision::Nvfp4 if frozen => {
                let bytes = NVFP4_CAST - (0.5 + 1.0 / 16.0);
                list.memory(name, Class::Cast, MemoryClass::Cast, bytes * elements);
            }
            Precision::Fp16 | Precision::Bf16 => {}
            Precision::Fp8Block => {
                list.memory(name, Class::Cast, MemoryClass::Cast, 3.0 * elements);
            }
            Precision::Fp8Tensor | Precision::Mxfp8 => {
                list.memory(
                    name,
                    Class::Cast,
                    MemoryClass::CastTranspose,
                    4.0 * elements,
                );
            }
            Precision::Nvfp4 => {
                list.memory(
                    name,
                    Class::Cast,
                    MemoryClass::CastTranspose,
                    NVFP4_CAST * elements,
                );
            }
        }
    }

    /// Cast of an output gradient for the input-gradient product.
    pub(super) fn cast_gradient(&self, list: &mut List, name: &'static str, elements: f64) {
        self.cast_input(list, name, elements);
    }

    /// Transpose of a weight for the input-gradient product, repeated every micro-batch.
    pub(super) fn transpose_weight(&self, list: &mut List, name: &'static str, elements: f64) {
        if self.fine_grained() {
            list.memory(name, Class::Cast, MemoryClass::Transpose, 2.0 * elements);
        }
    }

    /// Cast along the other axis, for an operand of the weight-gradient product.
    pub(super) fn cast_for_weight(&self, list: &mut List, name: &'static str, elements: f64) {
        if self.fine_grained() {
            list.memory(
                name,
                Class::Cast,
                MemoryClass::CastTranspose,
                3.0 * elements,
            );
        }
    }
}
