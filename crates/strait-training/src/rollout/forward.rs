//! Forward passes without a backward one: prompts, references, reward models.
//!
//! In: a case and the layout of its rollouts. Out: seconds of a rank for a token, by length. Never
//! includes a pipeline: rollouts have none.

use crate::case::{Case, Parallelism, Recompute, ScheduleKind, Zero};
use crate::layout::Layout;
use crate::lower::{Durations, durations};
use crate::ops::{Pass, embedding_pass, head_pass, layer_pass};
use crate::simulate::SimulateError;
use crate::step::first;

use super::settings::RolloutEngine;

/// Tokens that a rank passes through the model at a time, or one sequence where that is longer: products
/// are as fast as they get, and a pass takes a fraction of a second.
const TOKENS_AT_A_TIME: u32 = 8192;

/// Seconds of a rank for one token, by the length of its sequence: all but the attention core is the
/// same for every token, the core grows with the length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Forward {
    base: f64,
    of_length: f64,
}

impl Forward {
    /// The passes of a case, in expectation linear between sequences of `length` and of twice that.
    ///
    /// # Errors
    /// A layout that does not fit.
    pub fn new(case: &Case, engine: &RolloutEngine, length: f64) -> Result<Forward, SimulateError> {
        let short = length.round().clamp(16.0, 1e6) as u32;
        let (a, b) = (token(case, engine, short)?, token(case, engine, 2 * short)?);
        let of_length = ((b - a) / f64::from(short)).max(0.0);
        Ok(Forward {
            base: (a - of_length * f64::from(short)).max(0.0),
            of_length,
        })
    }

    /// Seconds of a rank for a token in sequences whose lengths, weighed by their tokens, are so long
    /// on average.
    pub fn token(&self, length: f64) -> f64 {
        self.base + self.of_length * length
    }
}

/// Seconds of a rank for a token in sequences of one length.
fn token(case: &Case, engine: &RolloutEngine, length: u32) -> Result<f64, SimulateError> {
    let batch = (TOKENS_AT_A_TIME / length).max(1);
    let parallelism = Parallelism {
        tensor: engine.tensor,
        sequence: false,
        pipeline: 1,
        virtual_stages: 1,
        context: 1,
        expert: engine.expert,
        expert_tensor: 1,
        zero: Zero::Zero0,
        zero_group: None,
        schedule: ScheduleKind::OneFOneB,
        micro_batch: batch,
        recompute: Recompute::None,
        recompute_layers: None,
        offload_layers: 0,
        stage_layers: None,
        communication_units: 0,
    };
    let replicas = case.cluster.ranks() / engine.tensor.max(1);
    let layout = Layout::new(
        &parallelism,
        &case.model,
        &case.cluster,
        length,
        replicas.saturating_mul(batch),
    )
    .map_err(first)?;
    let durations = durations(case, &parallelism, length, &layout)?;
    let shape = crate::ops::Shape::new(case, &parallelism, length);
    let mut seconds =
        forward(&durations, &embedding_pass(&shape)) + forward(&durations, &head_pass(&shape));
    let mut known: Vec<((bool, Option<u32>), f64)> = Vec::new();
    for layer in 0..case.model.layers {
        let kind = (case.model.is_moe_layer(layer), case.model.window_of(layer));
        seconds += match known.iter().find(|(k, _)| *k == kind) {
            Some((_, time)) => *time,
            None => {
                let time = forward(&durations, &layer_pass(&shape, layer, false));
                known.push((kind, time));
                time
            }
        };
    }
    // The tensor ranks of a group pass the same tokens together.
    let tokens = f64::from(batch) * f64::from(length) / f64::from(engine.tensor.max(1));
    Ok(seconds / tokens)
}

/// Seconds of the forward segments of a pass. Exchanges are waited for.
fn forward(durations: &Durations<'_>, pass: &Pass) -> f64 {
    let units = durations.units(false);
    let mut seconds = 0.0;
    for segment in &pass.forward {
        let timed = durations.launched(&segment.ops, units, segment.captured);
        seconds += timed.iter().map(|t| t.time.seconds()).sum::<f64>();
        if let Some(exchange) = &segment.exchange {
            seconds += durations.exchange(exchange, false).mean().seconds();
        }
    }
    seconds
}
