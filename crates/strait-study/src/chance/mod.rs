//! How sure an answer is: ranges, and the prediction's own error, as distributions.
//!
//! In: a case whose numbers may be ranges, its simulated steps, claims. Out: a [`Study`]: the
//! distribution of each quantity, how likely each claim is, what moves the answer most, and at
//! which value of each assumption a claim comes true. Never prints, and never simulates a step for
//! each draw.
//!
//! | room | what |
//! |---|---|
//! | [`quantile`] | normal and beta quantiles |
//! | [`law`] | a range as a distribution |
//! | [`draw`] | keyed values of all assumptions; what moves together |
//! | `response` | how an assumption changes the time of a step |
//! | `model` | the answer as a function of the assumptions |
//! | `study` | draws, swings, break-even values |
//! | [`statistics`] | moments, quantiles, ranks |
//!
//! ```ignore
//! let steps = strait_training::run::steps(&resolved.case, control)?;
//! let prepared = Prepared::new(&resolved, &catalog, &steps, control)?;
//! let study = prepared.study(&asked, 10_000, control)?;
//! ```

mod document;
pub mod draw;
pub mod law;
mod model;
pub(crate) mod pool;
pub mod quantile;
mod response;
pub mod statistics;
mod study;
mod words;

pub use document::{
    ApproximationDocument, AssumptionDocument, BreakEvenDocument, ClaimChance,
    DistributionDocument, FactorDocument, MoverDocument, QuantileDocument, Study,
};
pub(crate) use model::step_only;
pub use model::{ChanceError, PREDICTION, Prepared};
pub use study::{Asked, WITHIN, drawn};
pub use words::text;
