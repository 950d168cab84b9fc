//! What the simulation makes of a statement: claims and expectations.
//!
//! In: a stated value of a named [`Quantity`], and the outcome of the case it is about.
//! Out: a [`Judgement`] with its reasons in words, or a [`Check`] that holds or not.
//! Never changes what was simulated.
//!
//! # Rules
//!
//! | verdict | when |
//! |---|---|
//! | impossible | beyond the physical bound: the model's FLOPs alone, at 100 % of the peak rate of the recipe's best operand type |
//! | expected | inside the inner half of the band ([`Band`]) around the simulated value |
//! | plausible | inside the band; or dearer, by less than half again: nobody is kept from spending more than a run needs |
//! | implausible | outside of it, on either side; too cheap and beyond need have different reasons |
//! | undecidable | the simulation says nothing about the quantity |

mod band;
mod bound;
mod judge;
mod quantity;

pub use band::{Band, band};
pub use bound::{bound, bound_of};
pub use judge::{Check, Claim, Expect, Judgement, Verdict, check, judge, judge_within};
pub use quantity::{Better, Part, Quantity, Unit, UnknownQuantity, fleet_peak};
