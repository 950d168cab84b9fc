//! The kernels of one layer with their times: what a pair or a lone chunk is made of.
//!
//! In: durations of a phase, and a layer. Out: rows by phase of the layer, in the order in which
//! they run. Never simulates: no waiting, no jitter, mean routed load.

use super::duration::Durations;
use crate::links::ExchangeTime;
use crate::ops::{Class, Segment, layer_pass};
use strait_units::Time;

/// Phases of a layer's compute, named as in DeepSeek's published trace.
pub const PHASES: [&str; 6] = [
    "attn(F)", "mlp(F)", "mlp(B)", "mlp(W)", "attn(B)", "attn(W)",
];

/// Kernels of one name in one phase of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRow {
    /// Phase: one of [`PHASES`], or a phase that only some recipes have (`add(F)`, `recompute`).
    pub phase: &'static str,
    /// Name.
    pub name: &'static str,
    /// Class.
    pub class: Class,
    /// Kernels of this name; those lumped into one op are one.
    pub calls: u32,
    /// Time of all of them, with the gap after each.
    pub time: Time,
}

/// An exchange of tokens in a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExchangeRow {
    /// Name.
    pub name: &'static str,
    /// Its time at mean load, by path.
    pub time: ExchangeTime,
}

/// The work of one layer for one micro-batch on one rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerKernels {
    /// Compute, phase after phase.
    pub kernels: Vec<KernelRow>,
    /// Communication, in the order in which it is started.
    pub exchanges: Vec<ExchangeRow>,
}

impl LayerKernels {
    /// Lists layer `layer`; `beside` says whether communication runs beside its kernels and takes
    /// compute units from them, as in an overlapped pair.
    pub fn of(durations: &Durations<'_>, layer: u32, beside: bool) -> LayerKernels {
        let mut list = LayerKernels::default();
        let pass = layer_pass(&durations.shape, layer, true);
        for segment in pass.forward.iter().chain(&pass.backward) {
            list.add(durations, segment, beside);
        }
        list
    }

    fn add(&mut self, durations: &Durations<'_>, segment: &Segment, beside: bool) {
        let weights = match segment.phase {
            "mlp(B)" => "mlp(W)",
            "attn(B)" => "attn(W)",
            other => other,
        };
        let units = durations.units(beside);
        for (phase, ops) in [(segment.phase, &segment.ops), (weights, &segment.filler)] {
            for timed in durations.launched(ops, units, segment.captured) {
                let row = KernelRow {
                    phase,
                    name: timed.op.name,
                    class: timed.op.class,
                    calls: 1,
                    time: timed.time,
                };
                let known = (self.kernels.iter_mut())
                    .find(|known| known.phase == phase && known.name == row.name);
                match known {
                    Some(known) => {
                        known.calls += 1;
                        known.time += row.time;
                    }
                    None => self.kernels.push(row),
                }
            }
        }
        if let Some(exchange) = &segment.exchange {
            self.exchanges.push(ExchangeRow {
                name: exchange.name,
                time: durations.exchange(exchange, beside),
            });
        }
    }

    /// Time of a phase's kernels.
    pub fn phase(&self, phase: &str) -> Time {
        let rows = self.kernels.iter().filter(|row| row.phase == phase);
        rows.map(|row| row.time).sum()
    }

    /// Time of all kernels.
    pub fn compute(&self) -> Time {
        self.kernels.iter().map(|row| row.time).sum()
    }
}
