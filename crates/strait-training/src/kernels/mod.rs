//! placeholder: kernel times (GEMM, attention, memory-bound)
#![allow(missing_docs)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelProfile {}
