//! Prices, power and lines, as a scenario gives them.
//!
//! In: nothing. Out: plain records. Never computes.

use strait_units::{Days, Money, Power, PricePerEnergy, PricePerHour, Ratio};

/// What one accelerator draws with its share of the server, by what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PowerStates {
    /// Computing.
    pub loaded: Power,
    /// Waiting for a transfer, or taking part in one that nothing hides.
    pub communication: Power,
    /// Nothing to do: a bubble, a restart.
    pub idle: Power,
    /// Its share of the switches between servers; zero on one server.
    pub network: Power,
}

/// Who has the accelerators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// They are rented by the hour.
    #[default]
    Rent,
    /// They are bought, and written off.
    Own,
}

impl Basis {
    /// The word that files and answers use.
    pub fn word(self) -> &'static str {
        match self {
            Basis::Rent => "rent",
            Basis::Own => "own",
        }
    }
}

/// How what was bought loses its worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Depreciation {
    /// The same in every hour of a lifetime.
    StraightLine {
        /// Hours in use, as days.
        lifetime: Days,
        /// Share of the price that is left at its end, and got back.
        resale: Ratio,
    },
    /// As fast as new hardware gets cheaper for the same performance (arXiv:2405.21015): the value at the
    /// start of the run, times the rate.
    Declining {
        /// Share of the value that is lost in a year, continuous.
        rate: Ratio,
        /// From the purchase to the start of the run.
        age: Days,
    },
}

/// What the network between servers costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NetworkPrice {
    /// A share of the price of servers and network together, below 1.
    Share(Ratio),
    /// So much for each accelerator.
    Endpoint(Money),
}

/// What owning takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ownership {
    /// Price of one accelerator's share of its server.
    pub server: Money,
    /// Network between servers.
    pub network: NetworkPrice,
    /// How both lose their worth.
    pub depreciation: Depreciation,
    /// Shell, power supply and cooling, for each watt of rated IT power.
    pub facility: Money,
    /// How long these last, in a straight line.
    pub facility_lifetime: Days,
    /// Repairs, spare parts and hands on the site: share of the hardware's price in a year.
    pub maintenance: Ratio,
    /// Share of the fleet's hours that somebody uses, above 0; those who do pay for the others.
    pub utilisation: Ratio,
}

/// What a line beyond the run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Earlier research, experiments, ablations.
    Research,
    /// Runs that failed.
    FailedRuns,
    /// Data.
    Data,
    /// People.
    Staff,
    /// What comes after pre-training.
    PostTraining,
    /// Owned hardware that stands idle.
    IdleTime,
    /// Anything else.
    Other,
}

impl LineKind {
    /// All of them.
    pub const ALL: [LineKind; 7] = [
        LineKind::Research,
        LineKind::FailedRuns,
        LineKind::Data,
        LineKind::Staff,
        LineKind::PostTraining,
        LineKind::IdleTime,
        LineKind::Other,
    ];

    /// The word that files and answers use.
    pub fn word(self) -> &'static str {
        match self {
            LineKind::Research => "research",
            LineKind::FailedRuns => "failed-runs",
            LineKind::Data => "data",
            LineKind::Staff => "staff",
            LineKind::PostTraining => "post-training",
            LineKind::IdleTime => "idle-time",
            LineKind::Other => "other",
        }
    }
}

/// How much a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LineAmount {
    /// So much.
    Money(Money),
    /// So many times the accelerator-hours of the run, at their price.
    TimesFinalRun(Ratio),
    /// A share of everything, this line included; all such shares together stay below 1.
    ShareOfTotal(Ratio),
    /// People, for some years, at a price a head and year.
    Staff {
        /// Heads.
        people: Ratio,
        /// How long.
        time: Days,
        /// All costs of one of them in a year.
        cost_per_year: Money,
    },
}

/// Something beyond the run that was paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name.
    pub name: String,
    /// What it is about.
    pub kind: LineKind,
    /// How much.
    pub amount: LineAmount,
    /// Why so much.
    pub why: String,
    /// Who says so; empty where it is an assumption.
    pub source: String,
}

/// All prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Rent of one accelerator.
    pub rent: PricePerHour,
    /// Price of electricity; rent includes it.
    pub electricity: PricePerEnergy,
    /// What owning takes; `None` on [`Basis::Rent`].
    pub ownership: Option<Ownership>,
    /// What is paid for beyond the run, in order.
    pub lines: Vec<Line>,
}

/// Prices and power of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Economics {
    /// Rent of one accelerator.
    pub rent: PricePerHour,
    /// Facility power over IT power.
    pub pue: Ratio,
    /// Draw over rated power, whatever is done; `None`: power follows what accelerators do.
    pub load_factor: Option<Ratio>,
    /// What they draw.
    pub power: PowerStates,
    /// Price of electricity; rent includes it.
    pub electricity: PricePerEnergy,
    /// What owning takes, where the run is on owned accelerators.
    pub ownership: Option<Ownership>,
    /// What is paid for beyond the run, in order.
    pub lines: Vec<Line>,
    /// The prices with every range at its cheap end, and with every one at its dear end; `None` where
    /// no price is a range.
    pub ends: Option<Box<(Prices, Prices)>>,
}

impl Economics {
    /// Who has the accelerators.
    pub fn basis(&self) -> Basis {
        match self.ownership {
            Some(_) => Basis::Own,
            None => Basis::Rent,
        }
    }

    /// The likely prices.
    pub fn prices(&self) -> Prices {
        Prices {
            rent: self.rent,
            electricity: self.electricity,
            ownership: self.ownership,
            lines: self.lines.clone(),
        }
    }
}
