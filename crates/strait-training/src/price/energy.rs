//! Power by what accelerators do.
//!
//! In: the economics of a case, its cluster, the steps of its phases and the account of its days. Out: [`EnergyParts`]. Never knows a
//! watt of its own.

use super::inputs::Economics;
use crate::hardware::Cluster;
use crate::outcome::{Account, EnergyParts, StepOutcome};
use strait_units::{Days, Energy, Power, Time};

/// What accelerators do in a step, as shares of its time: mean over ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// A kernel runs, whatever is sent beside it.
    pub compute: f64,
    /// Communication that nothing hides, and waits for it.
    pub communication: f64,
    /// Neither: the bubble.
    pub idle: f64,
}

impl Shares {
    /// The shares of a step; they sum to one. What the bubble waits for was counted with transfers where
    /// a transfer is the reason.
    pub fn of(step: &StepOutcome) -> Shares {
        let whole = step.time.seconds();
        if whole <= 0.0 {
            return Shares::default();
        }
        let exposed = &step.exposed;
        let sum = |times: &[Time]| times.iter().map(|time| time.seconds()).sum::<f64>();
        let busy: f64 = step.kernels.iter().map(|(_, time)| time.seconds()).sum();
        let sent = sum(&[
            exposed.tensor,
            exposed.context,
            exposed.expert,
            exposed.pipeline,
            exposed.data,
        ]);
        let compute = (busy / whole).clamp(0.0, 1.0);
        let communication = (sent / whole).clamp(0.0, 1.0 - compute);
        Shares {
            compute,
            communication,
            idle: 1.0 - compute - communication,
        }
    }
}

/// Energy of a run at the facility's meter.
///
/// Steps draw by their shares. Steps that are done again, thrown away or slowed draw like those that
/// count, and so does evaluation; in all other stops accelerators are idle. `phases` holds what the steps of
/// each phase are like, and the days that they take if nothing goes wrong.
pub fn energy(
    economics: &Economics,
    cluster: &Cluster,
    phases: &[(Shares, Days)],
    account: &Account,
) -> EnergyParts {
    let ranks = f64::from(cluster.ranks());
    let days = account.total().get();
    let day = 86_400.0;
    let of = |watts: Power, seconds: f64| Energy::new(watts.get() * seconds * ranks);
    let mut parts = EnergyParts::default();
    if let Some(factor) = economics.load_factor {
        // Rated power times a factor, whatever is done.
        let rated = cluster.accelerator.tdp + cluster.node.overhead_power;
        parts.compute = of(rated * factor.get(), days * day);
        parts.facility = Energy::new(parts.compute.get() * (economics.pue.get() - 1.0));
        return parts;
    }
    let power = &economics.power;
    let training = account.training.get() * day;
    let working = (account.training
        + account.lost
        + account.rollback
        + account.straggling
        + account.evaluation)
        .get()
        * day;
    let again = match training > 0.0 {
        true => working / training,
        false => 1.0,
    };
    for (shares, days) in phases {
        let seconds = days.get() * day * again;
        parts.compute += of(power.loaded, seconds * shares.compute);
        parts.communication += of(power.communication, seconds * shares.communication);
        parts.idle += of(power.idle, seconds * shares.idle);
    }
    parts.idle += of(power.idle, days * day - working);
    parts.network = of(power.network, days * day);
    let it = parts.compute + parts.communication + parts.idle + parts.network;
    parts.facility = it * (economics.pue.get() - 1.0);
    parts
}
