//! The whole run: phases of steps, accelerator-hours, energy, rent.
//!
//! In: a case. Out: an [`Outcome`]. Never simulates failures yet: a run without interruptions.

use crate::case::{Case, Phase};
use crate::outcome::{Outcome, PhaseOutcome, RunOutcome};
use crate::simulate::{Control, SimulateError};
use crate::step::{StepInput, step};
use strait_units::{Energy, Money, Power, Time};

/// Batch sizes at which a ramp is simulated: its ends and the middle, joined linearly.
const RAMP_POINTS: u32 = 3;

/// Simulates one step of every phase and adds up the run.
pub fn compose(case: &Case, control: Control<'_>) -> Result<Outcome, SimulateError> {
    let phases = &case.training.phases;
    let main = main_phase(phases);
    let jobs = phases.len().max(1) as f64;
    let mut run = RunOutcome::default();
    let mut main_step = None;
    let mut seconds = 0.0;
    for (index, phase) in phases.iter().enumerate() {
        let progress = |share: f64| (control.progress)((index as f64 + share) / jobs);
        let control = Control {
            cancel: control.cancel,
            progress: &progress,
        };
        let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
        let at = |batch: u32| {
            step(
                StepInput {
                    case,
                    parallelism,
                    sequence_length: phase.sequence_length,
                    global_batch: batch,
                },
                control,
            )
            .map_err(|error| in_phase(error, phase, index == main))
        };
        let (steps, time) = match phase.initial_batch {
            Some(initial) if initial < phase.global_batch => {
                ramp(phase, initial, parallelism, |batch| Ok(at(batch)?.time))?
            }
            _ => {
                let outcome = at(phase.global_batch)?;
                let tokens = outcome.tokens.as_f64();
                let steps = phase.tokens.as_f64() / tokens;
                let time = outcome.time;
                if index == main {
                    main_step = Some(outcome);
                }
                (steps, steps * time.seconds())
            }
        };
        if index == main && main_step.is_none() {
            main_step = Some(at(phase.global_batch)?);
        }
        seconds += time;
        run.phases.push(PhaseOutcome {
            name: phase.name.clone(),
            pretraining: phase.pretraining,
            steps,
            step_time: Time::from_seconds(if steps > 0.0 { time / steps } else { 0.0 }),
            gpu_hours: time * f64::from(case.cluster.ranks()) / 3600.0,
        });
    }
    let ranks = f64::from(case.cluster.ranks());
    run.days = seconds / 86_400.0;
    run.gpu_hours = run.phases.iter().map(|p| p.gpu_hours).sum();
    let watts = (case.cluster.accelerator.tdp.get() + case.cluster.node.overhead_power.get())
        * case.economics.load_factor.get()
        * case.economics.pue.get()
        * ranks;
    run.energy = Energy::new(Power::new(watts).get() * seconds);
    run.rent = Money::new(case.economics.rent.get() * run.gpu_hours);
    run.electricity = case.economics.electricity * run.energy;
    let step = main_step.ok_or_else(|| SimulateError::Invalid {
        path: "training".to_owned(),
        message: "there is no phase to train".to_owned(),
        remedy: "give `training.tokens`, or at least one `[[training.phase]]`".to_owned(),
    })?;
    Ok(Outcome { step, run })
}

/// The phase with the most tokens; the earlier of equals.
pub fn main_phase(phases: &[Phase]) -> usize {
    let mut best = 0;
    for (index, phase) in phases.iter().enumerate() {
        if phase.tokens > phases[best].tokens {
            best = index;
        }
    }
    best
}

/// Steps and seconds of a phase whose batch grows linearly in tokens trained. Step time is
/// simulated at a few batches and joined linearly; at batch b, tokens pass at b·s per step.
fn ramp(
    phase: &Phase,
    initial: u32,
    parallelism: &crate::case::Parallelism,
    time_at: impl Fn(u32) -> Result<Time, SimulateError>,
) -> Result<(f64, f64), SimulateError> {
    // Batches that the layout can run: whole multiples of the smallest.
    let unit = initial.max(1);
    let _ = parallelism;
    let mut points: Vec<(f64, f64)> = Vec::new();
    for index in 0..RAMP_POINTS {
        let wanted = f64::from(initial)
            + f64::from(phase.global_batch - initial) * f64::from(index)
                / f64::from(RAMP_POINTS - 1);
        let batch = ((wanted / f64::from(unit)).round() as u32).max(1) * unit;
        points.push((f64::from(batch), time_at(batch)?.seconds()));
    }
    // Simpson-like integration over the ramp in equal shares of tokens.
    const SHARES: u32 = 1000;
    let (mut steps, mut seconds) = (0.0, 0.0);
    let tokens = phase.tokens.as_f64() / f64::from(SHARES);
    for share in 0..SHARES {
        let at = (f64::from(share) + 0.5) / f64::from(SHARES);
        let batch = f64::from(initial) + f64::from(phase.global_batch - initial) * at;
        let here = tokens / (batch * f64::from(phase.sequence_length));
        steps += here;
        seconds += here * interpolate(&points, batch);
    }
    Ok((steps, seconds))
}

fn interpolate(points: &[(f64, f64)], x: f64) -> f64 {
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if x <= x1 && x1 > x0 {
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
        }
    }
    points.last().map_or(0.0, |p| p.1)
}

fn in_phase(error: SimulateError, phase: &Phase, main: bool) -> SimulateError {
    match error {
        SimulateError::Invalid {
            path,
            message,
            remedy,
        } if !main => SimulateError::Invalid {
            path,
            message: format!("in phase \"{}\": {message}", phase.name),
            remedy,
        },
        other => other,
    }
}
