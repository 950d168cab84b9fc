//! What is to be least, as a whole number.
//!
//! In: a step, or the least that one can take. Out: its score: picoseconds, or millijoules. Never
//! compares money: with the number of accelerators given, what a run costs follows its time.

use super::bound::LeastStep;
use strait_training::case::Case;
use strait_training::outcome::StepOutcome;
use strait_training::price::Shares;
use strait_units::Time;

/// What is to be least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Objective {
    /// Time of a step.
    #[default]
    Time,
    /// Money of the run: for one cluster that of the least time.
    Cost,
    /// Energy of a step at the meter.
    Energy,
}

impl Objective {
    /// As the command line names it.
    pub fn word(self) -> &'static str {
        match self {
            Objective::Time => "time",
            Objective::Cost => "cost",
            Objective::Energy => "energy",
        }
    }
}

/// How a step scores on a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Watts of the whole cluster at the meter, where energy is what counts.
    power: Option<Watts>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Watts {
    loaded: f64,
    communication: f64,
    idle: f64,
    always: f64,
}

impl Scale {
    /// For a case.
    pub fn new(case: &Case, objective: Objective) -> Scale {
        let economics = &case.economics;
        let power = &economics.power;
        let ranks = f64::from(case.cluster.ranks()) * economics.pue.get();
        let watts = match economics.load_factor {
            // A share of the rated power, whatever is done: energy is time.
            Some(_) => None,
            None => Some(Watts {
                loaded: power.loaded.get() * ranks,
                communication: power.communication.get() * ranks,
                idle: power.idle.get() * ranks,
                always: power.network.get() * ranks,
            }),
        };
        Scale {
            power: watts.filter(|_| objective == Objective::Energy),
        }
    }

    /// The score of a step.
    pub fn of(&self, step: &StepOutcome) -> u64 {
        match &self.power {
            None => step.time.picos(),
            Some(watts) => {
                let shares = Shares::of(step);
                let mean = watts.loaded * shares.compute
                    + watts.communication * shares.communication
                    + watts.idle * shares.idle
                    + watts.always;
                (mean * step.time.seconds() * 1e3).ceil() as u64
            }
        }
    }

    /// What no step scores below that takes at least so much.
    pub(super) fn least(&self, least: LeastStep) -> u64 {
        let time = least.time.max(least.loaded);
        match &self.power {
            None => time.picos(),
            Some(watts) => {
                // Were a loaded chip to draw less than another, all time would be worth that little.
                let loaded = watts.loaded;
                let rest = watts.communication.min(watts.idle).min(loaded);
                let seconds = |time: Time| time.seconds();
                let busy = seconds(least.loaded);
                let joules =
                    loaded * busy + rest * (seconds(time) - busy) + watts.always * seconds(time);
                // Rounding of sums and of times may not turn it into more.
                (joules * 1e3 * (1.0 - 1e-9)).floor() as u64
            }
        }
    }
}
