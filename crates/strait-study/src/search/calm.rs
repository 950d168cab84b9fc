//! A case without chance.
//!
//! In: a case. Out: the same without jitter, with equal chips and equal loads, which folds: its ranks
//! are simulated once for each that differs. Never changes what is trained, on what, or how.

use strait_training::case::{Balance, Case};
use strait_units::Ratio;

/// The case without jitter, spread of chips, or imbalance of experts.
pub fn calm(mut case: Case) -> Case {
    case.noise.jitter = Ratio::new(0.0);
    case.noise.chip_spread = Ratio::new(0.0);
    case.routing.balance = Balance::Forced;
    case.routing.spread = Ratio::new(0.0);
    case
}
