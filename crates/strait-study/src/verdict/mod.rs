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
//! | expected | within half of the uncertainty of the prediction ([`UNCERTAINTY`]) |
//! | plausible | within the uncertainty |
//! | implausible | outside of it, on either side; too cheap and too dear have different reasons |
//! | undecidable | the simulation says nothing about the quantity |

mod bound;
mod judge;
mod quantity;

pub use bound::{bound, bound_of};
pub use judge::{Check, Claim, Expect, Judgement, UNCERTAINTY, Verdict, check, judge};
pub use quantity::{Better, Part, Quantity, Unit, UnknownQuantity};
