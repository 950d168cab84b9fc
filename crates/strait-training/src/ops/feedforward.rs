//! The dense feed-forward half of a layer.
//!
//! In: a [`Shape`]. Out: forward, input-gradient and weight-gradient ops. Never routes.

use super::attention::{Boundary, Half, post_norm};
use super::list::List;
use super::{Class, Shape};
use crate::case::RecomputePart;
use crate::kernels::MemoryClass;
use crate::model::Activation;

/// The dense feed-forward half of a layer, of inner width `width`.
pub(super) fn dense_half(shape: &Shape<'_>, width: u32) -> Half {
    let h = u64::from(shape.model.hidden);
    let f = u64::from(width).div_ceil(shape.tensor);
    let gates = match shape.model.activation {
        Activation::Gated => 2,
        Activation::Plain => 1,
    };
    let t = shape.tokens() as f64;
    let outer = shape.outer_tokens() * shape.hidden();
    let up = shape.linear(h, gates * f);
    let down = shape.linear(f, h);
    let inner = t * f as f64;
    let gate = gates as f64;

    let mut list = List::new();
    list.memory("norm 2", Class::Norm, MemoryClass::Norm, 4.0 * outer);
    Boundary::gather(&mut list, shape, up);
    shape.cast_input(&mut list, "cast x to up", t * h as f64);
    list.gemm("up", up.forward());
    // Reads the products, writes the activation: 2 bytes each.
    list.memory(
        "activation",
        Class::Activation,
        MemoryClass::Swiglu,
        2.0 * (gate + 1.0) * inner,
    );
    shape.cast_input(&mut list, "cast activation", inner);
    list.gemm("down", down.forward());
    Boundary::scatter(&mut list, shape, down);
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
    Boundary::gather_gradient(&mut list, shape, down);
    if shape.recomputes(RecomputePart::Mlp) {
        list.memory(
            "norm 2 recompute",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * outer,
        );
        list.gemm("up recompute", up.forward());
    }
    if shape.recomputes(RecomputePart::Activation) || shape.recomputes(RecomputePart::Mlp) {
        list.memory(
            "activation recompute",
            Class::Activation,
            MemoryClass::Swiglu,
            2.0 * (gate + 1.0) * inner,
        );
    }
    shape.cast_gradient(&mut list, "cast dy", t * h as f64);
    shape.transpose_weight(&mut list, "transpose W down", (f * h) as f64);
    list.gemm("down dgrad", down.input_gradient());
    shape.cast_for_weight(&mut list, "cast+transpose dy", t * h as f64);
    shape.cast_for_weight(&mut list, "cast+transpose activation", inner);
    // Reads the products and the gradient, writes the gradients of the products.
    list.memory(
        "activation backward",
        Class::Activation,
        MemoryClass::Swiglu,
        2.0 * (2.0 * gate + 1.0) * inner,
    );
    shape.cast_gradient(&mut list, "cast dup", gate * inner);
    shape.transpose_weight(&mut list, "transpose W up", (gates * f * h) as f64);
    list.gemm("up dgrad", up.input_gradient());
    Boundary::scatter_gradient(&mut list, shape, up);
    if shape.recomputes(RecomputePart::Norm) {
        list.memory(
            "norm 2 recompute",
            Class::Norm,
            MemoryClass::Norm,
            4.0 * outer,
        );
    }
    shape.cast_for_weight(&mut list, "cast+transpose dup", gate * inner);
    shape.cast_for_weight(&mut list, "cast+transpose x", t * h as f64);
    list.memory(
        "norm 2 backward",
        Class::Norm,
        MemoryClass::NormBackward,
        6.0 * outer,
    );
    let mut backward = list.take();
    let mut forward = forward;
    post_norm(shape, &mut forward, &mut backward);

    list.weight_gradient("down wgrad", down);
    list.weight_gradient("up wgrad", up);
    Half {
        forward,
        backward,
        weight: list.take(),
    }
}
