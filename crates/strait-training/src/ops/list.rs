//! A list of ops under construction: short verbs for the kinds of kernel.
//!
//! In: shapes and byte counts. Out: `Vec<Op>`. Never decides which kernels a layer has.

use super::{Class, Hidden, Op, Scope, Work};
use crate::case::Accumulation;
use crate::kernels::{AttentionCore, FixedKernel, Gemm, MatrixType, MemoryClass, Pass};
use crate::links::CollectiveKind;
use strait_units::Bytes;

/// The kernel that adds a micro-batch's gradient to the sum.
const SUM: &str = "add to gradient";

/// Ops in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct List {
    ops: Vec<Op>,
    routed: bool,
}

impl List {
    pub fn new() -> List {
        List::default()
    }

    /// What follows scales with the tokens routed to this rank, until `fixed_size`.
    pub fn routed(&mut self) -> &mut List {
        self.routed = true;
        self
    }

    /// What follows does not depend on routing.
    pub fn unrouted(&mut self) -> &mut List {
        self.routed = false;
        self
    }

    fn push(&mut self, name: &'static str, class: Class, work: Work) -> &mut List {
        self.ops.push(Op {
            name,
            class,
            work,
            routed: self.routed,
        });
        self
    }

    /// A memory-bound kernel over `bytes` (rounded to whole bytes; none if zero).
    pub fn memory(
        &mut self,
        name: &'static str,
        class: Class,
        kernel: MemoryClass,
        bytes: f64,
    ) -> &mut List {
        if bytes >= 1.0 {
            self.push(name, class, Work::Memory(kernel, Bytes::from_f64(bytes)));
        }
        self
    }

    /// A matrix product.
    pub fn gemm(&mut self, name: &'static str, gemm: Gemm) -> &mut List {
        let class = match (gemm.pass, gemm.groups) {
            (Pass::WeightGradient, _) => Class::WeightGradient,
            (_, 1) => Class::Gemm,
            _ => Class::GroupedGemm,
        };
        self.push(name, class, Work::Gemm(gemm))
    }

    /// The product of a layer's weight gradient, and its addition to the sum over micro-batches
    /// where that is a kernel of its own (of a size that routing does not change).
    pub fn weight_gradient(&mut self, name: &'static str, layer: Linear) -> &mut List {
        self.gemm(name, layer.weight_gradient());
        let bytes = layer.accumulation_bytes();
        let routed = std::mem::replace(&mut self.routed, false);
        self.memory(SUM, Class::WeightGradient, MemoryClass::Stream, bytes);
        self.routed = routed;
        self
    }

    /// An attention core.
    pub fn attention(&mut self, name: &'static str, core: AttentionCore) -> &mut List {
        self.push(name, Class::Attention, Work::Attention(core))
    }

    /// A kernel of fixed time.
    pub fn fixed(&mut self, name: &'static str, kernel: FixedKernel) -> &mut List {
        self.push(name, Class::Router, Work::Fixed(kernel))
    }

    /// A lump of tiny kernels.
    pub fn small(&mut self, name: &'static str, count: u32) -> &mut List {
        if count > 0 {
            self.push(name, Class::Small, Work::Small(count));
        }
        self
    }

    /// A collective in the compute stream.
    pub fn collective(
        &mut self,
        name: &'static str,
        scope: Scope,
        kind: CollectiveKind,
        bytes: f64,
        hidden: Option<Hidden>,
    ) -> &mut List {
        let work = Work::Collective {
            scope,
            kind,
            bytes: Bytes::from_f64(bytes),
            hidden,
        };
        self.push(name, Class::Gemm, work)
    }

    /// The ring of a context-parallel attention.
    pub fn ring(
        &mut self,
        name: &'static str,
        steps: u32,
        bytes: f64,
        beside: AttentionCore,
    ) -> &mut List {
        let work = Work::Ring {
            steps,
            bytes: Bytes::from_f64(bytes),
            beside,
        };
        self.push(name, Class::Attention, work)
    }

    /// The ops so far, leaving the list empty.
    pub fn take(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }
}

/// The three products of a linear layer y[t, out] = x[t, in]·W.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Rows of x in one group.
    pub tokens: u64,
    /// Input width.
    pub input: u64,
    /// Output width.
    pub output: u64,
    /// Groups (experts).
    pub groups: u32,
    /// Operand type.
    pub operand: MatrixType,
    /// Bytes of an accumulated gradient.
    pub gradient_bytes: f64,
    /// How a micro-batch's gradient joins the sum.
    pub accumulation: Accumulation,
}

impl Linear {
    /// y = x W.
    pub fn forward(&self) -> Gemm {
        Gemm {
            m: self.tokens,
            n: self.output,
            k: self.input,
            groups: self.groups,
            operand: self.operand,
            pass: Pass::Forward,
            output_bytes: 2.0,
        }
    }

    /// dx = dy Wᵀ.
    pub fn input_gradient(&self) -> Gemm {
        Gemm {
            m: self.tokens,
            n: self.input,
            k: self.output,
            groups: self.groups,
            operand: self.operand,
            pass: Pass::InputGradient,
            output_bytes: 2.0,
        }
    }

    /// dW = dyᵀ x. Accumulated in place, each gradient is read and written; else a 16-bit product
    /// is written, and [`List::weight_gradient`] adds it up.
    pub fn weight_gradient(&self) -> Gemm {
        Gemm {
            m: self.output,
            n: self.input,
            k: self.tokens,
            groups: self.groups,
            operand: self.operand,
            pass: Pass::WeightGradient,
            output_bytes: match self.accumulation {
                Accumulation::Fused => 2.0 * self.gradient_bytes,
                Accumulation::Added | Accumulation::Copied => 2.0,
            },
        }
    }

    /// Bytes that a separate sum over micro-batches moves: the product read, the sum read and
    /// written; and where the types differ and the software copies, the copy written and read in
    /// place of the product.
    fn accumulation_bytes(&self) -> f64 {
        let sum = self.gradient_bytes;
        let each = match self.accumulation {
            Accumulation::Fused => 0.0,
            Accumulation::Copied if sum != 2.0 => 2.0 + sum + 3.0 * sum,
            Accumulation::Added | Accumulation::Copied => 2.0 + 2.0 * sum,
        };
        each * self.input as f64 * self.output as f64 * f64::from(self.groups)
    }
}
