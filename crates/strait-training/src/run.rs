//! The whole run: phases of steps, accelerator-hours, energy, rent.
//!
//! In: a case. Out: an [`Outcome`]. What interrupts a run is simulated in [`crate::campaign`]; a case
//! that says nothing of it has a run without interruptions.

use crate::campaign::{self, Stretch};
use crate::case::{Case, Phase};
use crate::outcome::{Outcome, PhaseOutcome, RunOutcome, StepOutcome};
use crate::price::{self, Shares};
use crate::rollout::{self, RolloutOutcome};
use crate::simulate::{Control, SimulateError};
use crate::step::{Look, StepInput, Stepper};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use strait_units::{Days, FlopRate, Money, Ratio, Time, Tokens};

/// Batch sizes at which a ramp is simulated: its ends and the middle, joined linearly.
const RAMP_POINTS: u32 = 3;

/// The simulated steps of a case: all that its run depends on and that is dear to find.
#[derive(Clone, Debug)]
pub struct Steps {
    /// Of each step: its phase and its batch, in the order of phases, batches ascending.
    jobs: Vec<(usize, u32)>,
    /// The steps, in the order of `jobs`, with the CPU seconds that each took.
    outcomes: Vec<(StepOutcome, f64)>,
    /// What accelerators do during each of them.
    shares: Vec<Shares>,
    /// Of each phase of reinforcement learning: what its rollouts and updates follow, and how many
    /// times as long they take as simulated.
    rollouts: Vec<Option<(Arc<rollout::Rates>, Ratio)>>,
}

impl Steps {
    /// Every step's time multiplied by a factor: a prediction that is off by so much.
    pub fn scaled(mut self, factor: Ratio) -> Steps {
        for (step, _) in &mut self.outcomes {
            step.time = Time::from_seconds(step.time.seconds() * factor.get());
        }
        for rates in self.rollouts.iter_mut().flatten() {
            rates.1 = rates.1 * factor.get();
        }
        self
    }

    /// Seconds of every step, in the order of phases, batches ascending.
    pub fn seconds(&self) -> Vec<f64> {
        let steps = self.outcomes.iter();
        steps.map(|(step, _)| step.time.seconds()).collect()
    }

    /// The step of the main phase at its full batch.
    pub fn main(&self, case: &Case) -> Option<&StepOutcome> {
        let main = main_phase(&case.training.phases);
        self.full_batch(main).map(|(step, _)| step)
    }

    /// These steps in the place of another case's: each so many times as long as it is here, with
    /// its batch there. Rollouts are off by `prediction` alone: their settings are the other case's.
    /// Times and rates only: what a step is made of is left out, but for what accelerators do in it.
    /// `None` where the other case has another number of steps.
    pub fn stand_in(&self, case: &Case, factors: &[f64], prediction: Ratio) -> Option<Steps> {
        let phases = &case.training.phases;
        let jobs = jobs(phases);
        if jobs.len() != self.jobs.len() || factors.len() != jobs.len() {
            return None;
        }
        let outcomes = (jobs.iter().zip(&self.outcomes).zip(factors))
            .map(|((&(phase, batch), (step, _)), factor)| {
                let tokens = u64::from(batch) * u64::from(phases[phase].sequence_length);
                let rate = tokens as f64 / step.tokens.as_f64() / factor;
                let outcome = StepOutcome {
                    time: Time::from_seconds(step.time.seconds() * factor),
                    tokens: Tokens::new(tokens),
                    rate_causal: FlopRate::new(step.rate_causal.get() * rate),
                    rate_full: FlopRate::new(step.rate_full.get() * rate),
                    mfu_causal: Ratio::new(step.mfu_causal.get() * rate),
                    mfu_full: Ratio::new(step.mfu_full.get() * rate),
                    ..StepOutcome::default()
                };
                (outcome, 0.0)
            })
            .collect();
        Some(Steps {
            jobs,
            outcomes,
            shares: self.shares.clone(),
            rollouts: (self.rollouts.iter())
                .map(|rates| {
                    let (rates, factor) = rates.as_ref()?;
                    Some((Arc::clone(rates), *factor * prediction.get()))
                })
                .collect(),
        })
    }

    /// Batches and step times of a phase, batches ascending.
    fn of_phase(&self, phase: usize) -> Vec<(f64, f64)> {
        (self.jobs.iter().zip(&self.outcomes))
            .filter(|((of, _), _)| *of == phase)
            .map(|((_, batch), (step, _))| (f64::from(*batch), step.time.seconds()))
            .collect()
    }

    /// What accelerators do during a step of a phase at its full batch.
    fn shares_of(&self, phase: usize) -> Option<Shares> {
        (self.jobs.iter().zip(&self.shares))
            .filter(|((of, _), _)| *of == phase)
            .map(|(_, shares)| *shares)
            .next_back()
    }

    /// The step of a phase at its full batch.
    fn full_batch(&self, phase: usize) -> Option<&(StepOutcome, f64)> {
        (self.jobs.iter().zip(&self.outcomes))
            .filter(|((of, _), _)| *of == phase)
            .map(|(_, step)| step)
            .next_back()
    }
}

/// Simulates the steps of every phase: at its batch, and where it ramps at a few batches.
///
/// # Errors
/// The first contradiction met, or that the caller asked to stop.
pub fn steps(case: &Case, control: Control<'_>) -> Result<Steps, SimulateError> {
    steps_with(case, Look::All, control)
}

/// [`steps`] without the bars of the pipeline chart, which are most of what a step takes to keep, for
/// who has many cases and draws none.
///
/// # Errors
/// As [`steps`].
pub fn steps_without_bars(case: &Case, control: Control<'_>) -> Result<Steps, SimulateError> {
    steps_with(case, Look::Memory, control)
}

fn steps_with(case: &Case, look: Look, control: Control<'_>) -> Result<Steps, SimulateError> {
    let phases = &case.training.phases;
    let jobs = jobs(phases);
    let outcomes = simulate_all(case, &jobs, (main_phase(phases), look), control)?;
    let rollouts = (phases.iter())
        .map(|phase| {
            let rates = rollout::simulate(case, phase, control)?;
            Ok(rates.map(|rates| (Arc::new(rates), Ratio::new(1.0))))
        })
        .collect::<Result<_, SimulateError>>()?;
    let shares = (outcomes.iter())
        .map(|(step, _)| Shares::of(step))
        .collect();
    Ok(Steps {
        shares,
        jobs,
        outcomes,
        rollouts,
    })
}

/// Adds up the run of simulated steps.
///
/// # Errors
/// That there is nothing to train.
pub fn compose(case: &Case, steps: &Steps) -> Result<Outcome, SimulateError> {
    let mut run = RunOutcome::default();
    let mut seconds = 0.0;
    let rollouts = rollouts(case, steps)?;
    let stretches = stretches(case, steps, &rollouts);
    let phases = case.training.phases.iter().zip(&stretches);
    for ((phase, stretch), rollout) in phases.zip(rollouts) {
        let (count, time) = (stretch.steps, stretch.seconds);
        seconds += time;
        run.phases.push(PhaseOutcome {
            name: phase.name.clone(),
            pretraining: phase.pretraining,
            steps: count,
            step_time: Time::from_seconds(if count > 0.0 { time / count } else { 0.0 }),
            gpu_hours: time * f64::from(case.cluster.ranks()) / 3600.0,
            rollout,
        });
    }
    let ranks = f64::from(case.cluster.ranks());
    run.days = seconds / 86_400.0;
    run.account.training = Days::new(run.days);
    run.gpu_hours = run.phases.iter().map(|p| p.gpu_hours).sum();
    if let Some(reliability) = &case.reliability {
        let nodes = case.cluster.nodes;
        let accelerators = case.cluster.ranks();
        let campaign =
            campaign::of_phases(reliability, &stretches, nodes, accelerators, case.seed)?;
        run.account = campaign.account;
        run.interruptions = Some(campaign.interruptions);
        run.days = run.account.total().get();
        run.gpu_hours = run.days * 24.0 * ranks;
    }
    let work: Vec<(Shares, Days)> = (case.training.phases.iter().enumerate())
        .filter_map(|(index, _)| {
            let shares = steps.shares_of(index)?;
            let hours = run.phases[index].gpu_hours / ranks;
            Some((shares, Days::new(hours / 24.0)))
        })
        .collect();
    run.energy_parts = price::energy(&case.economics, &case.cluster, &work, &run.account);
    run.energy = run.energy_parts.total();
    run.rent = Money::new(case.economics.rent.get() * run.gpu_hours);
    run.electricity = case.economics.electricity * run.energy;
    let (step, cpu_seconds) = steps
        .full_batch(main_phase(&case.training.phases))
        .cloned()
        .ok_or_else(|| SimulateError::Invalid {
            path: "training".to_owned(),
            message: "there is no phase to train".to_owned(),
            remedy: "give `training.tokens`, or at least one `[[training.phase]]`".to_owned(),
        })?;
    let cost = price::cost(&case.economics, &case.cluster, &run);
    Ok(Outcome {
        step,
        run,
        cost,
        cpu_seconds,
    })
}

/// What the rollouts of each phase come to; `None` for those without.
///
/// # Errors
/// Contradictions of a phase's settings.
pub fn rollouts(case: &Case, steps: &Steps) -> Result<Vec<Option<RolloutOutcome>>, SimulateError> {
    (case.training.phases.iter().enumerate())
        .map(|(index, phase)| match steps.rollouts.get(index) {
            Some(Some((rates, factor))) => {
                rollout::phase_outcome(case, phase, rates, *factor).map(Some)
            }
            _ => Ok(None),
        })
        .collect()
}

/// What each phase trains, and how long its steps take.
pub fn stretches(case: &Case, steps: &Steps, rollouts: &[Option<RolloutOutcome>]) -> Vec<Stretch> {
    let phases = case.training.phases.iter().zip(rollouts).enumerate();
    phases
        .map(|(index, (phase, rollout))| {
            let (steps, seconds) = match rollout {
                Some(rollout) => rollout.steps_and_seconds(),
                None => phase_time(phase, &steps.of_phase(index)),
            };
            Stretch {
                tokens: phase.tokens.as_f64(),
                steps,
                seconds,
            }
        })
        .collect()
}

/// The steps that are simulated: each a phase and a batch, in the order of phases.
fn jobs(phases: &[Phase]) -> Vec<(usize, u32)> {
    phases
        .iter()
        .enumerate()
        .filter(|(index, phase)| *index == main_phase(phases) || rollout::updates(phase))
        .flat_map(|(index, phase)| batches(phase).into_iter().map(move |batch| (index, batch)))
        .collect()
}

/// Batches at which a phase is simulated, ascending; the full batch is the last.
fn batches(phase: &Phase) -> Vec<u32> {
    let full = phase.global_batch;
    let Some(initial) = phase.initial_batch.filter(|&b| b < full && b > 0) else {
        return vec![full];
    };
    // Batches between are multiples of what both ends are multiples of, so that a layout
    // that divides the ends divides them too.
    let unit = common_divisor(initial, full);
    let mut list: Vec<u32> = (0..RAMP_POINTS)
        .map(|index| {
            let share = f64::from(index) / f64::from(RAMP_POINTS - 1);
            let wanted = f64::from(initial) + f64::from(full - initial) * share;
            ((wanted / f64::from(unit)).round() as u32 * unit).clamp(initial, full)
        })
        .collect();
    list.dedup();
    list
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// A step and the CPU seconds that it took, or why there is none.
type Simulated = Result<(StepOutcome, f64), SimulateError>;

/// Simulates steps, some at once; the answers are in the order of the jobs whatever thread
/// had them, and the first error in that order counts.
fn simulate_all(
    case: &Case,
    jobs: &[(usize, u32)],
    (main, look): (usize, Look),
    control: Control<'_>,
) -> Result<Vec<(StepOutcome, f64)>, SimulateError> {
    let shares: Vec<AtomicU64> = jobs.iter().map(|_| AtomicU64::new(0)).collect();
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Simulated>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let cases: Vec<Cow<'_, Case>> = (case.training.phases.iter())
        .map(|phase| rollout::for_update(case, phase))
        .collect();
    let work = || {
        let mut stepper = Stepper::default();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(index, batch)) = jobs.get(at) else {
                break;
            };
            let progress = |share: f64| {
                shares[at].store((share * 1e6) as u64, Ordering::Relaxed);
                let sum: u64 = shares.iter().map(|s| s.load(Ordering::Relaxed)).sum();
                (control.progress)(sum as f64 / 1e6 / jobs.len() as f64);
            };
            let phase = &case.training.phases[index];
            let case = &*cases[index];
            let input = StepInput {
                case,
                parallelism: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
                sequence_length: phase.sequence_length,
                global_batch: batch,
            };
            let control = Control {
                progress: &progress,
                ..control
            };
            let start = (control.clock)();
            // Nothing but times is looked at below the full batch of a ramp, and outside the main phase.
            let look = match index == main && batch == phase.global_batch {
                true => look,
                false => Look::Times,
            };
            let answer = stepper.only(look, input, control);
            let answer = answer
                .map(|outcome| (outcome, (control.clock)() - start))
                .map_err(|e| in_phase(e, phase, index == main));
            progress(1.0);
            if let Ok(mut slot) = slots[at].lock() {
                *slot = Some(answer);
            }
        }
    };
    std::thread::scope(|scope| {
        // Threads that cannot be had are done without: this one does all that is left.
        for _ in 1..control.threads.clamp(1, jobs.len().max(1)) {
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    slots
        .into_iter()
        .map(|slot| {
            slot.into_inner()
                .ok()
                .flatten()
                .unwrap_or(Err(SimulateError::Cancelled))
        })
        .collect()
}

/// Steps and seconds of a phase. Step time is known at a few batches and joined linearly; a
/// batch that ramps grows linearly in tokens trained, and passes b·s tokens a step at batch b.
fn phase_time(phase: &Phase, points: &[(f64, f64)]) -> (f64, f64) {
    let length = f64::from(phase.sequence_length);
    let full = f64::from(phase.global_batch);
    let tokens = phase.tokens.as_f64();
    let ramped = match phase.initial_batch {
        Some(initial) if initial < phase.global_batch => {
            let over = phase.ramp_tokens.map_or(tokens, |t| t.as_f64());
            Some((f64::from(initial), over.min(tokens)))
        }
        _ => None,
    };
    let (mut steps, mut seconds) = (0.0, 0.0);
    let mut rest = tokens;
    if let Some((initial, over)) = ramped {
        // Midpoint rule over equal shares of the ramp's tokens.
        const SHARES: u32 = 1000;
        let share = over / f64::from(SHARES);
        for index in 0..SHARES {
            let at = (f64::from(index) + 0.5) / f64::from(SHARES);
            let batch = initial + (full - initial) * at;
            let here = share / (batch * length);
            steps += here;
            seconds += here * interpolate(points, batch);
        }
        rest -= over;
    }
    let here = rest / (full * length);
    steps += here;
    seconds += here * interpolate(points, full);
    (steps, seconds)
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
