//! A run as the slow clock sees it: how much training, what stops it where, how often it fails.
//!
//! In: a case, its phases with their times, a seed. Out: a [`Plan`] in whole microseconds, or why
//! such a run would never end. Never draws a failure.
//!
//! The tick is a microsecond: a step of seconds is exact to a millionth, and 64 bits count half a
//! million years of them. (Picoseconds, the fast clock's tick, end after 213 days.)

use super::expected::{self, Mean};
use super::progress::{NEVER, Pace};
use super::settings::{CheckpointMode, Every, Notice, Reliability, mean_in_repair, usual_spares};
use crate::simulate::SimulateError;
use strait_sim::random::Key;
use strait_units::{Bandwidth, Time};

/// Ticks in a second.
pub(super) const SECOND: f64 = 1e6;

/// Most evaluations and rollbacks of a run, so that a slip in a unit can't fill memory.
const MOST_MILESTONES: f64 = 1e6;

/// The least share of a run that may be training: below, "never" is the clearer answer.
const LEAST_GOODPUT: f64 = 0.01;

/// A phase of a run: what it trains and how long that takes at full speed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Tokens.
    pub tokens: f64,
    /// Optimizer steps.
    pub steps: f64,
    /// Seconds.
    pub seconds: f64,
}

/// Why a run stands still at a point of its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// An evaluation.
    Evaluation,
    /// The loss went up: an earlier checkpoint is loaded.
    Rollback,
}

/// A point of a run's training at which it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Milestone {
    pub at: u64,
    pub pause: u64,
    pub halt: Halt,
}

/// A cause of failures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stream {
    /// Mean time between two failures of the whole job; infinite where there are none.
    pub gap: f64,
    /// Until one is noticed.
    pub detection: u64,
    /// A node is taken out.
    pub repair: bool,
}

/// All that a simulation of a run needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Training in all, with what rollbacks throw away.
    pub work: u64,
    /// What of it rollbacks throw away.
    pub rolled: u64,
    /// Rollbacks.
    pub rollbacks: u64,
    /// Points at which it stands still, ascending.
    pub milestones: Vec<Milestone>,
    pub pace: Pace,
    /// Writing a checkpoint before a planned stop.
    pub write: u64,
    /// From detection until training goes on.
    pub restart: u64,
    pub repair: u64,
    pub streams: Vec<Stream>,
    /// Mean time between planned stops.
    pub planned_gap: f64,
    pub nodes: u32,
    pub spares: u32,
    /// Share of machines that are slow.
    pub slow_share: f64,
    /// Millionths that they add.
    pub slow: u64,
    pub found_after: u64,
    /// The interval for which the mean time is least, in seconds.
    pub best: Option<f64>,
    /// Mean time of the run in closed form, in seconds; stragglers and waiting left out.
    pub mean: f64,
}

/// Seconds as ticks.
fn ticks(seconds: f64) -> u64 {
    (seconds * SECOND).round() as u64
}

fn of(time: Time) -> u64 {
    // Half a tick and more is one: a tick is a million picoseconds.
    (time.picos() + 500_000) / 1_000_000
}

fn refuse(path: &str, message: String, remedy: impl Into<String>) -> SimulateError {
    SimulateError::Invalid {
        path: format!("reliability.{path}"),
        message,
        remedy: remedy.into(),
    }
}

fn print(seconds: f64) -> String {
    match seconds {
        s if s >= 86_400.0 * 400.0 => format!("{:.3e} years", s / 86_400.0 / 365.25),
        s if s >= 86_400.0 * 2.0 => format!("{:.1} days", s / 86_400.0),
        s if s >= 7200.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 120.0 => format!("{:.1} min", s / 60.0),
        s => format!("{s:.1} s"),
    }
}

/// Rates and times of a job in seconds; also the checkpoint's stop on the whole job.
pub(super) fn mean(r: &Reliability, nodes: u32, gpus: u32, pauses: f64) -> Mean {
    let per_second = f64::from(nodes) / 86_400.0;
    let failures = r.failures().get() * per_second;
    let planned = r.planned.get() * per_second;
    let write = r.checkpoints.bytes.as_f64() / r.checkpoints.storage.get();
    let restart = r.restart.seconds() + write;
    let down = |notice: Notice| match notice {
        Notice::Explicit => r.detection.seconds() + restart,
        Notice::Hang => r.hang_detection.seconds() + restart,
    };
    let sum: f64 = (r.causes.iter())
        .map(|cause| cause.rate.get() * per_second * down(cause.notice))
        .sum::<f64>()
        + planned * (write + restart);
    let rate = failures + planned;
    let (stop, upload) = match r.checkpoints.mode {
        CheckpointMode::Synchronous => (write, 0.0),
        CheckpointMode::Asynchronous => {
            let each = r.checkpoints.bytes.as_f64() / f64::from(gpus.max(1));
            (each / r.checkpoints.snapshot.get(), write)
        }
    };
    Mean {
        failures,
        planned,
        down: if rate > 0.0 { sum / rate } else { 0.0 },
        stop,
        upload,
        pauses,
    }
}

impl Plan {
    /// What has to be simulated for phases of a run on so many nodes.
    ///
    /// # Errors
    /// Why such a run would never end, or what of its settings makes no sense for it.
    pub fn new(
        r: &Reliability,
        phases: &[Stretch],
        nodes: u32,
        gpus: u32,
        seed: u64,
    ) -> Result<Plan, SimulateError> {
        let training: f64 = phases.iter().map(|p| p.seconds).sum();
        for (path, bandwidth) in [
            ("storage_bandwidth", r.checkpoints.storage),
            ("snapshot_bandwidth", r.checkpoints.snapshot),
        ] {
            writes(path, bandwidth)?;
        }
        if r.spares > nodes {
            return Err(too_many_spares(r.spares, nodes));
        }
        let step = (phases.iter())
            .filter(|p| p.steps > 0.0)
            .map(|p| p.seconds / p.steps)
            .fold(0.0, f64::max);
        let evaluations = milestones_of_evaluation(r, phases)?;
        let spikes = spikes(r, phases, seed)?;
        let rolled: u64 = spikes.iter().map(|(_, back)| back).sum();
        let paused: u64 = evaluations.iter().map(|m| m.pause).sum();
        let work = ticks(training) + rolled;
        let seconds = work as f64 / SECOND;
        let pauses = paused as f64 / (work as f64).max(1.0);
        let mean = mean(r, nodes, gpus, pauses);
        let least = step.max(mean.upload).max(1.0 / SECOND);
        let best = mean.best_interval(seconds, least);
        let interval = match r.checkpoints.interval {
            Some(time) => {
                let asked = time.seconds();
                if asked > training && mean.failures > 0.0 {
                    return Err(refuse(
                        "checkpoint_interval",
                        format!(
                            "a checkpoint after every {} would never be written: the run trains for {}",
                            print(asked),
                            print(training)
                        ),
                        match best {
                            Some(best) => format!(
                                "the best interval here is {}: write \"optimal\", or a time below the run's",
                                print(best)
                            ),
                            None => {
                                "write \"optimal\": this run is over before one is worth its time"
                                    .to_owned()
                            }
                        },
                    ));
                }
                Some(asked.max(least))
            }
            None => best,
        };
        let expected = mean.total(seconds, interval);
        hopeful(r, nodes, training, expected, &mean, interval, best)?;
        let restart_of_spike = ticks(mean_restart(r));
        let mut milestones = evaluations;
        shift(&mut milestones, &spikes, restart_of_spike);
        let per_tick = f64::from(nodes) / 86_400.0 / SECOND;
        Ok(Plan {
            work,
            rolled,
            rollbacks: spikes.len() as u64,
            milestones,
            pace: Pace {
                interval: interval.map_or(NEVER, |seconds| ticks(seconds).max(1)),
                stop: ticks(mean.stop),
                upload: ticks(mean.upload),
            },
            write: ticks(r.checkpoints.bytes.as_f64() / r.checkpoints.storage.get()),
            restart: restart_of_spike,
            repair: of(r.repair),
            streams: (r.causes.iter())
                .map(|cause| Stream {
                    gap: 1.0 / (cause.rate.get() * per_tick),
                    detection: match cause.notice {
                        Notice::Explicit => of(r.detection),
                        Notice::Hang => of(r.hang_detection),
                    },
                    repair: cause.repair,
                })
                .collect(),
            planned_gap: 1.0 / (r.planned.get() * per_tick),
            nodes,
            spares: r.spares,
            // A machine that adds nothing is not slow.
            slow_share: if r.stragglers.slowdown.get() > 0.0 {
                r.stragglers.share.get()
            } else {
                0.0
            },
            slow: (r.stragglers.slowdown.get() * 1e6).round() as u64,
            found_after: of(r.stragglers.found_after),
            best,
            mean: expected,
        })
    }
}

/// From detection until training goes on, in seconds: start and reading the checkpoint.
fn mean_restart(r: &Reliability) -> f64 {
    r.restart.seconds() + r.checkpoints.bytes.as_f64() / r.checkpoints.storage.get()
}

fn writes(path: &str, bandwidth: Bandwidth) -> Result<(), SimulateError> {
    if bandwidth.get() > 0.0 {
        return Ok(());
    }
    Err(refuse(
        path,
        "no checkpoint could ever be written: the bandwidth is zero".to_owned(),
        "give the rate at which the whole job writes, such as \"200 GB/s\"",
    ))
}

/// Why there can't be more spare nodes than nodes.
pub fn too_many_spares(spares: u32, nodes: u32) -> SimulateError {
    refuse(
        "spares",
        format!("{spares} nodes would stand by for a job of {nodes}: more spares than nodes"),
        "spares are nodes beside those of the job (cluster.nodes); OPT-175B kept 12 for 124, \
         and without the key Strait takes what the repair time calls for",
    )
}

/// Refuses a run of which next to nothing would be training.
fn hopeful(
    r: &Reliability,
    nodes: u32,
    training: f64,
    expected: f64,
    mean: &Mean,
    interval: Option<f64>,
    best: Option<f64>,
) -> Result<(), SimulateError> {
    if training <= 0.0 {
        return Ok(());
    }
    let goodput = training / expected;
    if goodput.is_nan() || goodput < LEAST_GOODPUT {
        let between = 1.0 / (mean.failures + mean.planned);
        let saved = match interval {
            Some(interval) => format!("a checkpoint after {} of training", print(interval)),
            None => "no checkpoint".to_owned(),
        };
        let takes = if expected.is_finite() {
            format!("it would take {} for {}", print(expected), print(training))
        } else {
            "no number of years is enough".to_owned()
        };
        let own = interval.is_some() && interval != best;
        return Err(refuse(
            if own {
                "checkpoint_interval"
            } else {
                "failures"
            },
            format!(
                "this run would never finish: something interrupts its {nodes} nodes every {}, each \
                 interruption takes {} to notice and to start again, and there is {saved}, which stops \
                 for {}; {takes}",
                print(between),
                print(mean.down),
                print(mean.stop),
            ),
            match best {
                Some(best) if own => format!(
                    "write checkpoint_interval = \"optimal\" ({} here), or lower failures",
                    print(best)
                ),
                _ => "lower failures, detection or restart, use fewer nodes, or give storage that \
                      takes a checkpoint faster"
                    .to_owned(),
            },
        ));
    }
    let in_repair = mean_in_repair(nodes, r.taken_out(), r.repair);
    let share = expected::enough(in_repair, r.spares);
    if share * goodput < LEAST_GOODPUT {
        return Err(refuse(
            "spares",
            format!(
                "this run would never finish: {in_repair:.1} nodes would be in repair on average, of \
                 {nodes} and {} that stand by, so that it has all its nodes {:.2} % of the time",
                r.spares,
                share * 100.0
            ),
            match usual_spares(nodes, r.taken_out(), r.repair, r.stragglers.share).max(1) {
                // More spares than nodes are refused.
                enough if enough > r.spares && enough < nodes => {
                    format!("give it about {enough} spares, or a shorter repair time")
                }
                _ => "give it a shorter repair time, or fewer failures".to_owned(),
            },
        ));
    }
    Ok(())
}

/// Where a number of tokens of the whole run lies in its training, in ticks.
fn position(phases: &[Stretch], amount: f64, of: fn(&Stretch) -> f64) -> u64 {
    let (mut before, mut seconds) = (0.0, 0.0);
    for phase in phases {
        let here = of(phase);
        if amount <= before + here {
            let share = if here > 0.0 {
                (amount - before) / here
            } else {
                0.0
            };
            return ticks(seconds + phase.seconds * share);
        }
        before += here;
        seconds += phase.seconds;
    }
    ticks(seconds)
}

fn milestones_of_evaluation(
    r: &Reliability,
    phases: &[Stretch],
) -> Result<Vec<Milestone>, SimulateError> {
    let Some(evaluations) = r.evaluations else {
        return Ok(Vec::new());
    };
    type Read = fn(&Stretch) -> f64;
    let (every, amount, path): (f64, Read, &str) = match evaluations.every {
        Every::Tokens(tokens) => (tokens.as_f64(), |p| p.tokens, "evaluation_tokens"),
        Every::Steps(steps) => (f64::from(steps), |p| p.steps, "evaluation_steps"),
    };
    let total: f64 = phases.iter().map(amount).sum();
    let count = (total / every).floor();
    if count.is_nan() || count > MOST_MILESTONES {
        return Err(refuse(
            path,
            format!("the run would stop {count:.2e} times to evaluate"),
            "evaluate after more tokens or steps",
        ));
    }
    Ok((1..=count as u64)
        .map(|k| Milestone {
            at: position(phases, k as f64 * every, amount),
            pause: of(evaluations.pause),
            halt: Halt::Evaluation,
        })
        .collect())
}

/// Where the loss spikes, and how much training each throws away, in ticks. Spikes come at
/// exponentially distributed numbers of tokens.
fn spikes(
    r: &Reliability,
    phases: &[Stretch],
    seed: u64,
) -> Result<Vec<(u64, u64)>, SimulateError> {
    let total: f64 = phases.iter().map(|p| p.tokens).sum();
    let rate = r.rollbacks.per_trillion_tokens / 1e12;
    if rate * total > MOST_MILESTONES {
        return Err(refuse(
            "rollbacks",
            format!("the run would go back {:.2e} times", rate * total),
            "`rollbacks` counts those in 10^12 tokens: PaLM had about 20 in 0.78 T tokens",
        ));
    }
    let key = Key::new(seed).purpose("rollbacks");
    let mut list = Vec::new();
    if rate <= 0.0 {
        return Ok(list);
    }
    let mut at = 0.0;
    loop {
        at -= libm::log(1.0 - key.at(list.len() as u64).uniform()) / rate;
        if at >= total || list.len() as f64 > 2.0 * MOST_MILESTONES {
            break;
        }
        let here = position(phases, at, |p| p.tokens);
        let back = (at - r.rollbacks.back.as_f64()).max(0.0);
        list.push((here, here - position(phases, back, |p| p.tokens)));
    }
    Ok(list)
}

/// Puts rollbacks among the other milestones. What a rollback throws away is trained twice, so
/// that all that comes after it comes so much later.
fn shift(milestones: &mut Vec<Milestone>, spikes: &[(u64, u64)], restart: u64) {
    if spikes.is_empty() {
        return;
    }
    let others = std::mem::take(milestones);
    let mut others = others.into_iter().peekable();
    let mut later = 0;
    for (at, back) in spikes {
        while let Some(milestone) = others.next_if(|m| m.at < *at) {
            milestones.push(Milestone {
                at: milestone.at + later,
                ..milestone
            });
        }
        milestones.push(Milestone {
            at: at + later,
            pause: restart,
            halt: Halt::Rollback,
        });
        later += back;
    }
    milestones.extend(others.map(|m| Milestone {
        at: m.at + later,
        ..m
    }));
}
