//! The least that parts of a step can take: their kernels alone, with the whole chip to themselves.
//!
//! In: the durations of a phase. Out: for a layer, an end of the model or a prediction module, the
//! time of its compute and of its exchanges for one micro-batch. Never simulates: no waiting, no
//! jitter, no chunk beside another. What a step takes is never less than such parts add up to on
//! the compute stream or on the exchange stream of one rank.

use super::duration::{Durations, Timed};
use super::timed::{TimedPass, TimedSegment};
use crate::ops::{Pass, Work, embedding_pass, head_pass, layer_pass, mtp_entry_pass};
use strait_units::{Bytes, Time};

/// What one micro-batch of a part takes at least, by stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Least {
    /// Forward kernels and the collectives between them.
    pub forward: Time,
    /// Backward kernels and collectives that the gradient of the input waits for.
    pub backward: Time,
    /// Kernels of weight gradients, which may be postponed.
    pub weights: Time,
    /// Expert exchanges of the forward pass.
    pub forward_exchange: Time,
    /// Expert exchanges of the backward pass.
    pub backward_exchange: Time,
    /// Of all passes, kernels alone: the time that the chip is loaded.
    pub kernels: Time,
}

impl std::ops::Add for Least {
    type Output = Least;
    fn add(self, more: Least) -> Least {
        Least {
            forward: self.forward + more.forward,
            backward: self.backward + more.backward,
            weights: self.weights + more.weights,
            forward_exchange: self.forward_exchange + more.forward_exchange,
            backward_exchange: self.backward_exchange + more.backward_exchange,
            kernels: self.kernels + more.kernels,
        }
    }
}

impl Least {
    fn of(durations: &Durations<'_>, pass: &Pass) -> Least {
        Least::timed(&TimedPass::new(durations, pass, false))
    }

    fn timed(timed: &TimedPass) -> Least {
        let ops = |segments: &[TimedSegment]| -> Time {
            (segments.iter().flat_map(|s| s.ops.iter()))
                .map(|timed| timed.time)
                .sum()
        };
        let exchanges = |segments: &[TimedSegment]| -> Time {
            (segments.iter().filter_map(|s| s.exchange.as_ref()))
                .map(|(time, ..)| time.mean())
                .sum()
        };
        let fillers = timed.backward.iter().chain(&timed.forward);
        let computes = |timed: &&Timed| {
            !matches!(
                timed.op.work,
                Work::Collective { .. } | Work::Ring { .. } | Work::HostCopy(_)
            )
        };
        let both = timed.backward.iter().chain(&timed.forward);
        Least {
            forward: ops(&timed.forward),
            backward: ops(&timed.backward),
            weights: fillers
                .flat_map(|s| s.filler.iter())
                .map(|timed| timed.time)
                .sum(),
            forward_exchange: exchanges(&timed.forward),
            backward_exchange: exchanges(&timed.backward),
            kernels: both
                .flat_map(|s| s.ops.iter().chain(s.filler.iter()))
                .filter(computes)
                .map(|timed| timed.time)
                .sum(),
        }
    }

    /// Layer `layer`, recomputed as the layout says or not at all. Prediction modules count as layers
    /// past the last.
    pub fn layer(durations: &Durations<'_>, layer: u32, recompute: bool) -> Least {
        Least::of(durations, &layer_pass(&durations.shape, layer, recompute))
    }

    /// The same where it sends what it keeps of a micro-batch, `bytes`, to the host, and gets it back.
    pub fn offloaded(
        durations: &Durations<'_>,
        layer: u32,
        recompute: bool,
        bytes: Bytes,
    ) -> Least {
        let pass = layer_pass(&durations.shape, layer, recompute);
        Least::timed(&TimedPass::new(durations, &pass, false).offloaded(durations, bytes))
    }

    /// The embedding.
    pub fn embedding(durations: &Durations<'_>) -> Least {
        Least::of(durations, &embedding_pass(&durations.shape))
    }

    /// Final norm, output head and loss.
    pub fn head(durations: &Durations<'_>) -> Least {
        Least::of(durations, &head_pass(&durations.shape))
    }

    /// What comes before the layer of a prediction module.
    pub fn module_entry(durations: &Durations<'_>) -> Least {
        Least::of(durations, &mtp_entry_pass(&durations.shape))
    }
}
