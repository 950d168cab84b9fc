//! The least that a run can take: its model FLOPs at the full peak rate.
//!
//! In: the simulated FLOPs of the main phase and the peak of the recipe. Out: a bound
//! that no software can beat. Never uses a simulated time: the step time cancels out.

use super::quantity::{Quantity, hourly, seconds};
use crate::answer::Setting;
use crate::scenario::claim::names_phase;
use strait_training::case::Phase;
use strait_training::outcome::Outcome;
use strait_training::rollout;

/// Model FLOPs of one token of the main phase, causal; the second is its attention part.
fn flops_per_token(setting: &Setting, outcome: &Outcome) -> Option<(f64, f64)> {
    let step = &outcome.step;
    let ranks_seconds = seconds(step.time) * f64::from(setting.ranks);
    let causal = step.rate_causal.get() * ranks_seconds / step.tokens.as_f64();
    let full = step.rate_full.get() * ranks_seconds / step.tokens.as_f64();
    // The full square counts the causal half twice, so the difference is that half.
    (causal.is_finite() && causal > 0.0).then_some((causal, (full - causal).max(0.0)))
}

/// The physical bound of a quantity in its unit: the lower end for times and costs, the
/// upper end for rates; `None` for quantities that FLOPs do not bound.
pub fn bound(quantity: Quantity, setting: &Setting, outcome: &Outcome) -> Option<f64> {
    bound_of(quantity, None, setting, outcome)
}

/// The same of a phase, or of several whose names begin alike. Of reinforcement learning only the
/// updates of the policy count.
pub fn bound_of(
    quantity: Quantity,
    of: Option<&str>,
    setting: &Setting,
    outcome: &Outcome,
) -> Option<f64> {
    let peak = setting.peak.get();
    if peak.is_nan() || peak <= 0.0 {
        return None;
    }
    let (flops, attention) = flops_per_token(setting, outcome)?;
    let main = setting.main_phase();
    let ranks = f64::from(setting.ranks);
    // Attention work grows with the length of the sequence, all other work does not.
    let hours = |index: usize| {
        let phase = &setting.phases[index];
        let seen = |phase: &Phase| {
            let document = rollout::seen(phase).or(setting.document);
            document.map_or(phase.sequence_length, |t| t.min(phase.sequence_length))
        };
        let main_length = main.map_or(1, |m| seen(&setting.phases[m]));
        let longer = f64::from(seen(phase)) / f64::from(main_length.max(1));
        (flops - attention + attention * longer) * phase.tokens.as_f64() / peak / 3600.0
    };
    let sum = |select: &dyn Fn(usize) -> bool| -> Option<f64> {
        let chosen: Vec<usize> = (0..setting.phases.len()).filter(|i| select(*i)).collect();
        (!chosen.is_empty()).then(|| chosen.into_iter().map(hours).sum())
    };
    let per_trillion = flops * 1e12 / peak / 3600.0;
    match quantity {
        Quantity::StepTime => Some(flops * outcome.step.tokens.as_f64() / peak / ranks),
        Quantity::GpuHours => sum(&|_| true),
        Quantity::PretrainingGpuHours => sum(&|i| setting.phases[i].pretraining),
        Quantity::MainPhaseGpuHours => sum(&|i| Some(i) == main),
        Quantity::PhaseGpuHours => {
            let stated = of?;
            sum(&|i| names_phase(stated, &setting.phases[i].name))
        }
        Quantity::ContextExtensionGpuHours => sum(&|i| setting.extends_context(i)),
        // What lies beyond the run costs something too: the run's own bound holds for all of it.
        Quantity::Cost | Quantity::TotalCost => {
            sum(&|_| true).map(|hours| hours * hourly(setting, outcome).get())
        }
        Quantity::PretrainingCost => sum(&|i| setting.phases[i].pretraining)
            .map(|hours| hours * hourly(setting, outcome).get()),
        Quantity::Days => sum(&|_| true).map(|hours| hours / ranks / 24.0),
        Quantity::GpuHoursPerTrillionTokens => Some(per_trillion),
        Quantity::DaysPerTrillionTokens => Some(per_trillion / ranks / 24.0),
        Quantity::TokensPerSecondPerGpu => Some(peak / flops),
        Quantity::TflopsCausal => Some(peak / 1e12),
        // Kernels may skip the masked half that the full convention counts.
        Quantity::TflopsFull => Some(peak / 1e12 * (flops + attention) / flops),
        Quantity::MfuCausal => Some(peak / bf16_peak(outcome)?),
        Quantity::MfuFull => Some(peak / bf16_peak(outcome)? * (flops + attention) / flops),
        Quantity::Goodput => Some(1.0),
        Quantity::Energy
        | Quantity::PeakMemory
        | Quantity::FleetSize
        | Quantity::FleetPrice
        | Quantity::FleetShare
        | Quantity::Part(_) => None,
    }
}

/// The dense BF16 peak that MFU refers to.
fn bf16_peak(outcome: &Outcome) -> Option<f64> {
    let peak = outcome.step.rate_causal.get() / outcome.step.mfu_causal.get();
    (peak.is_finite() && peak > 0.0).then_some(peak)
}
