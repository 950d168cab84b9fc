//! The quantities that a claim or an expectation may be about.
//!
//! In: the id written in a scenario. Out: a [`Quantity`] that knows its unit and how
//! to read its value off an outcome. Never judges.

use crate::answer::Setting;
use crate::answer::format;
use crate::scenario::FleetPart;
use crate::scenario::claim::names_phase;
use strait_training::outcome::{Outcome, PhaseOutcome};
use strait_training::price::Basis;
use strait_units::{FlopRate, Money, PricePerHour, Time};

/// A window of the step, see `step.breakdown_s` of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Forward chunks outside pairs.
    Forward,
    /// Backward chunks outside pairs.
    BackwardInput,
    /// Their weight-gradient work.
    BackwardWeight,
    /// Overlapped pairs.
    Overlapped,
    /// No chunk open.
    Bubble,
    /// Gradient exchange and optimizer.
    Optimizer,
    /// What remains.
    Other,
}

impl Part {
    /// All windows, in the order of a step's account.
    pub const ALL: [Part; 7] = [
        Part::Forward,
        Part::BackwardInput,
        Part::BackwardWeight,
        Part::Overlapped,
        Part::Bubble,
        Part::Optimizer,
        Part::Other,
    ];

    /// Key in the answer.
    pub fn id(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::BackwardInput => "backward_input",
            Part::BackwardWeight => "backward_weight",
            Part::Overlapped => "overlapped",
            Part::Bubble => "bubble",
            Part::Optimizer => "optimizer",
            Part::Other => "other",
        }
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::BackwardInput => "backward, inputs",
            Part::BackwardWeight => "backward, weights",
            Part::Overlapped => "overlapped pairs",
            Part::Bubble => "bubble",
            Part::Optimizer => "optimizer",
            Part::Other => "other",
        }
    }

    /// Its length in an outcome.
    pub fn time(self, outcome: &Outcome) -> Time {
        let b = &outcome.step.breakdown;
        match self {
            Part::Forward => b.forward,
            Part::BackwardInput => b.backward_input,
            Part::BackwardWeight => b.backward_weight,
            Part::Overlapped => b.overlapped,
            Part::Bubble => b.bubble,
            Part::Optimizer => b.optimizer,
            Part::Other => b.other,
        }
    }
}

/// Units of quantities as they stand in files and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Accelerator-hours.
    GpuHours,
    /// Accelerator-hours for 10^12 tokens.
    GpuHoursPerTrillionTokens,
    /// US dollars.
    Dollars,
    /// Days.
    Days,
    /// Days for 10^12 tokens.
    DaysPerTrillionTokens,
    /// Tokens per second and accelerator.
    TokensPerSecond,
    /// 10^12 FLOP/s of one accelerator.
    Tflops,
    /// Accelerators.
    Accelerators,
    /// A fraction of one.
    Fraction,
    /// Megawatt-hours.
    MegawattHours,
    /// 10^9 bytes.
    Gigabytes,
}

impl Unit {
    /// Symbol, as in the answer's `unit`.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::GpuHours => "GPU h",
            Unit::GpuHoursPerTrillionTokens => "GPU h/T tokens",
            Unit::Dollars => "USD",
            Unit::Days => "d",
            Unit::DaysPerTrillionTokens => "d/T tokens",
            Unit::TokensPerSecond => "tokens/s",
            Unit::Tflops => "TFLOPS",
            Unit::Accelerators => "GPUs",
            Unit::Fraction => "1",
            Unit::MegawattHours => "MWh",
            Unit::Gigabytes => "GB",
        }
    }

    /// A value given in base units (seconds, FLOP/s, joules, bytes) in this unit.
    pub fn from_base(self, value: f64) -> f64 {
        match self {
            Unit::Tflops => value / 1e12,
            Unit::MegawattHours => value / 3.6e9,
            Unit::Gigabytes => value / 1e9,
            _ => value,
        }
    }

    /// A value in this unit, without the unit where that is a word.
    pub fn figure(self, value: f64) -> String {
        match self {
            Unit::Seconds | Unit::Dollars | Unit::Fraction => self.print(value),
            Unit::GpuHours | Unit::GpuHoursPerTrillionTokens | Unit::Accelerators => {
                format::scaled(value)
            }
            _ => format::significant(value),
        }
    }

    /// A value in this unit, for people.
    pub fn print(self, value: f64) -> String {
        match self {
            Unit::Seconds => format::seconds(value),
            Unit::GpuHours => format!("{} GPU-hours", format::scaled(value)),
            Unit::GpuHoursPerTrillionTokens => {
                format!("{} GPU-h/T", format::scaled(value))
            }
            Unit::Dollars => format::dollars(value),
            Unit::Days => format!("{} days", format::significant(value)),
            Unit::DaysPerTrillionTokens => format!("{} days/T", format::significant(value)),
            Unit::TokensPerSecond => format!("{} tokens/s", format::significant(value)),
            Unit::Tflops => format!("{} TFLOPS", format::significant(value)),
            Unit::Accelerators => format!("{} GPUs", format::scaled(value)),
            Unit::Fraction => format::percent(value),
            Unit::MegawattHours => format!("{} MWh", format::significant(value)),
            Unit::Gigabytes => format!("{} GB", format::significant(value)),
        }
    }
}

/// Which way a cheaper or faster run moves a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better: time, money.
    Lower,
    /// More is better: rates.
    Higher,
}

macro_rules! quantities {
    ($($name:ident, $id:literal, $unit:ident, $better:ident, $words:literal;)*) => {
        /// A quantity that can be stated and simulated.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Quantity {
            $(#[doc = $words] $name,)*
            /// A window of the step.
            Part(Part),
        }

        impl Quantity {
            /// Every quantity.
            pub fn all() -> Vec<Quantity> {
                let mut all = vec![$(Quantity::$name,)*];
                all.extend(Part::ALL.map(Quantity::Part));
                all
            }

            /// Key in scenarios and answers.
            pub fn id(self) -> &'static str {
                match self {
                    $(Quantity::$name => $id,)*
                    Quantity::Part(part) => part.id(),
                }
            }

            /// Unit of its values.
            pub fn unit(self) -> Unit {
                match self {
                    $(Quantity::$name => Unit::$unit,)*
                    Quantity::Part(_) => Unit::Seconds,
                }
            }

            /// Which way is better.
            pub fn better(self) -> Better {
                match self {
                    $(Quantity::$name => Better::$better,)*
                    Quantity::Part(_) => Better::Lower,
                }
            }

            /// Name for people.
            pub fn name(self) -> &'static str {
                match self {
                    $(Quantity::$name => $words,)*
                    Quantity::Part(part) => part.name(),
                }
            }
        }
    };
}

quantities! {
    StepTime, "step_time", Seconds, Lower, "step time";
    GpuHours, "gpu_hours", GpuHours, Lower, "GPU-hours";
    PretrainingGpuHours, "pretraining_gpu_hours", GpuHours, Lower, "pre-training GPU-hours";
    MainPhaseGpuHours, "main_phase_gpu_hours", GpuHours, Lower, "main-phase GPU-hours";
    PhaseGpuHours, "phase_gpu_hours", GpuHours, Lower, "GPU-hours of a phase";
    ContextExtensionGpuHours, "context_extension_gpu_hours", GpuHours, Lower, "context-extension GPU-hours";
    Cost, "cost", Dollars, Lower, "cost";
    PretrainingCost, "pretraining_cost", Dollars, Lower, "pre-training cost";
    TotalCost, "total_cost", Dollars, Lower, "total cost";
    Days, "days", Days, Lower, "days";
    Goodput, "goodput", Fraction, Higher, "goodput";
    GpuHoursPerTrillionTokens, "gpu_hours_per_trillion_tokens", GpuHoursPerTrillionTokens, Lower, "GPU-hours per T tokens";
    DaysPerTrillionTokens, "days_per_trillion_tokens", DaysPerTrillionTokens, Lower, "days per T tokens";
    TokensPerSecondPerGpu, "tokens_per_second_per_gpu", TokensPerSecond, Higher, "tokens/s per GPU";
    TflopsCausal, "tflops_causal", Tflops, Higher, "TFLOPS per GPU, causal";
    TflopsFull, "tflops_full", Tflops, Higher, "TFLOPS per GPU, full";
    MfuCausal, "mfu_causal", Fraction, Higher, "MFU, causal";
    MfuFull, "mfu_full", Fraction, Higher, "MFU, full";
    Energy, "energy", MegawattHours, Lower, "energy";
    PeakMemory, "peak_memory", Gigabytes, Lower, "peak memory";
    FleetSize, "fleet_size", Accelerators, Lower, "accelerators owned";
    FleetPrice, "fleet_price", Dollars, Lower, "price of the fleet";
    FleetShare, "fleet_share", Fraction, Lower, "share of the fleet";
}

/// No quantity has this id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no quantity is called `{id}`{}", hint(.nearest))]
pub struct UnknownQuantity {
    /// What was asked for.
    pub id: String,
    /// The nearest ids that exist, at most three.
    pub nearest: Vec<&'static str>,
}

fn hint(nearest: &[&'static str]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", nearest.join(", "))
    }
}

impl std::str::FromStr for Quantity {
    type Err = UnknownQuantity;

    fn from_str(id: &str) -> Result<Quantity, UnknownQuantity> {
        // Parts may be written as in the answer, below `breakdown`.
        let bare = id.strip_prefix("breakdown.").unwrap_or(id);
        let all = Quantity::all();
        if let Some(found) = all.iter().find(|q| q.id() == bare) {
            return Ok(*found);
        }
        let mut near: Vec<(usize, &'static str)> = all
            .iter()
            .map(|q| (strsim::damerau_levenshtein(bare, q.id()), q.id()))
            .filter(|(distance, known)| *distance <= 2 + known.len() / 5)
            .collect();
        near.sort();
        near.truncate(3);
        Err(UnknownQuantity {
            id: id.to_owned(),
            nearest: near.into_iter().map(|(_, known)| known).collect(),
        })
    }
}

/// Price of a fleet; `None` where there is none, or a price is not known.
fn fleet_price(fleet: &[FleetPart]) -> Option<Money> {
    let prices: Option<Vec<Money>> = (fleet.iter())
        .map(|part| Some(part.price?.likely * f64::from(part.count)))
        .collect();
    prices
        .filter(|p| !p.is_empty())
        .map(|p| p.into_iter().sum())
}

/// Dense 16-bit peak of a whole fleet; `None` where there is none, or a peak is not known.
pub fn fleet_peak(fleet: &[FleetPart]) -> Option<FlopRate> {
    let peaks: Option<Vec<FlopRate>> = (fleet.iter())
        .map(|part| Some(part.peak? * f64::from(part.count)))
        .collect();
    peaks.filter(|p| !p.is_empty()).map(|p| p.into_iter().sum())
}

/// Seconds without the rounding of a multiplication by 10^-12.
pub(crate) fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

/// What an accelerator costs in an hour: its rent, or what the run costs on owned ones.
pub(crate) fn hourly(setting: &Setting, outcome: &Outcome) -> PricePerHour {
    match outcome.cost.basis {
        Basis::Rent => setting.rent,
        Basis::Own => PricePerHour::new(outcome.cost.run().get() / outcome.run.gpu_hours),
    }
}

impl Quantity {
    /// It is of accelerators owned, not of the run.
    pub fn of_fleet(self) -> bool {
        matches!(
            self,
            Quantity::FleetSize | Quantity::FleetPrice | Quantity::FleetShare
        )
    }

    /// The simulated value in [`Quantity::unit`]; `None` where the outcome says nothing about it.
    pub fn simulated(self, setting: &Setting, outcome: &Outcome) -> Option<f64> {
        self.simulated_of(None, setting, outcome)
    }

    /// The same of a phase, or of several whose names begin alike.
    pub fn simulated_of(
        self,
        phase: Option<&str>,
        setting: &Setting,
        outcome: &Outcome,
    ) -> Option<f64> {
        let step = &outcome.step;
        let run = &outcome.run;
        let sum = |select: &dyn Fn(usize, &PhaseOutcome) -> bool| {
            let chosen: Vec<f64> = (run.phases.iter().enumerate())
                .filter(|(index, phase)| select(*index, phase))
                // What interrupts the run is paid for as well: each phase has its share.
                .map(|(_, phase)| phase.gpu_hours / run.goodput().get())
                .collect();
            (!chosen.is_empty()).then(|| chosen.iter().sum())
        };
        let time = seconds(step.time);
        let hours_per_trillion = || {
            let tokens = step.tokens.as_f64();
            time / 3600.0 * f64::from(setting.ranks) / tokens * 1e12
        };
        let value = match self {
            Quantity::StepTime => time,
            Quantity::GpuHours => run.gpu_hours,
            Quantity::PretrainingGpuHours => sum(&|_, phase| phase.pretraining)?,
            Quantity::MainPhaseGpuHours => {
                let main = setting.main_phase()?;
                sum(&|index, _| index == main)?
            }
            Quantity::PhaseGpuHours => {
                let stated = phase?;
                sum(&|_, phase| names_phase(stated, &phase.name))?
            }
            Quantity::ContextExtensionGpuHours => {
                sum(&|index, _| index < setting.phases.len() && setting.extends_context(index))?
            }
            Quantity::Cost => outcome.cost.run().get(),
            Quantity::PretrainingCost => {
                sum(&|_, phase| phase.pretraining)? * hourly(setting, outcome).get()
            }
            Quantity::TotalCost => outcome.cost.total().get(),
            Quantity::Days => run.days,
            Quantity::Goodput => run.goodput().get(),
            Quantity::GpuHoursPerTrillionTokens => hours_per_trillion(),
            Quantity::DaysPerTrillionTokens => {
                hours_per_trillion() / f64::from(setting.ranks) / 24.0
            }
            Quantity::TokensPerSecondPerGpu => {
                step.tokens.as_f64() / time / f64::from(setting.ranks)
            }
            Quantity::TflopsCausal => step.rate_causal.get() / 1e12,
            Quantity::TflopsFull => step.rate_full.get() / 1e12,
            Quantity::MfuCausal => step.mfu_causal.get(),
            Quantity::MfuFull => step.mfu_full.get(),
            Quantity::Energy => run.energy.get() / 3.6e9,
            Quantity::PeakMemory => step.memory.peak.as_f64() / 1e9,
            // Nobody's purchases follow from a run.
            Quantity::FleetSize => return None,
            Quantity::FleetPrice => fleet_price(&setting.fleet)?.get(),
            Quantity::FleetShare => {
                let capacity = fleet_peak(&setting.fleet)?.get() * 24.0 * run.days;
                run.gpu_hours * setting.half_peak.get() / capacity
            }
            // A window may well be empty: zero is an answer if there is a step at all.
            Quantity::Part(part) => {
                return (time > 0.0).then(|| seconds(part.time(outcome)));
            }
        };
        (value.is_finite() && value > 0.0).then_some(value)
    }
}
