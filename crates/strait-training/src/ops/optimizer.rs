//! The end of a step: gradient norm, optimizer update, weight casts.
//!
//! In: how many parameters a rank owns and holds. Out: ops. Collectives of gradients and
//! parameters are lowered elsewhere; this never says over which ranks.

use super::list::List;
use super::{Class, Op};
use crate::case::Precision;
use crate::case::PrecisionRecipe;
use crate::kernels::MemoryClass;

/// Parameters of one rank at the end of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OptimizerWork {
    /// Parameters held (with gradients), all copies.
    pub held: f64,
    /// Parameters whose optimizer states this rank owns.
    pub owned: f64,
}

/// Clearing, norm, update and casts: bytes per parameter follow from the stored types.
pub fn optimizer_ops(recipe: &PrecisionRecipe, work: OptimizerWork) -> (Vec<Op>, Vec<Op>) {
    let state = recipe.state;
    let mut list = List::new();
    list.memory(
        "gradient norm",
        Class::Optimizer,
        MemoryClass::Optimizer,
        state.gradient * work.owned,
    );
    let norm = list.take();
    // Read the gradient, read and write master weight and moments, write the weight.
    let bytes = state.gradient + 2.0 * state.master + 2.0 * state.moments + state.weight;
    list.memory(
        "optimizer update",
        Class::Optimizer,
        MemoryClass::Optimizer,
        bytes * work.owned,
    );
    list.memory(
        "clear gradients",
        Class::Optimizer,
        MemoryClass::Optimizer,
        state.gradient * work.held,
    );
    if recipe.recipe.narrow() {
        // BF16 in, FP8 out, and once more transposed; FP4 finds the largest element first.
        let bytes = match recipe.recipe {
            Precision::Nvfp4 => super::casts::NVFP4_CAST,
            _ => 4.0,
        };
        list.memory(
            "cast weights",
            Class::Optimizer,
            MemoryClass::Cast,
            bytes * work.held,
        );
    }
    (norm, list.take())
}
