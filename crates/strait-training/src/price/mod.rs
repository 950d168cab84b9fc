//! What a run costs, and what it draws: from its hours and its steps to money and energy.
//!
//! In: the [`Economics`] of a case and a run. Out: a [`CostOutcome`](crate::outcome::CostOutcome), the parts of which sum to all
//! that it took, and an [`EnergyParts`](crate::outcome::EnergyParts). Never simulates, never looks up a price.
//!
//! | file | what it holds |
//! |---|---|
//! | `inputs` | prices, power and lines, as a scenario gives them |
//! | `ownership` | what an owned accelerator costs in an hour |
//! | `cost` | the run on its basis, then the lines beyond it |
//! | `energy` | power by what accelerators do |

mod cost;
mod energy;
mod inputs;
mod ownership;
#[cfg(test)]
mod tests;

pub use cost::cost;
pub use energy::{Shares, energy};
pub use inputs::{
    Basis, Depreciation, Economics, Line, LineAmount, LineKind, NetworkPrice, Ownership,
    PowerStates, Prices,
};
pub use ownership::{HOURS_PER_YEAR, Hourly, hourly};
