//! Export rules on accelerators: what a chip's figures meant on a day, and for a chip that could be built.
//!
//! In: rule sets and chips of the catalogue, designs, rule files of a user. Out: classifications with their
//! clause and reasons, and a timeline. Rules are data: nothing here knows a threshold. Never legal advice.
//!
//! | file | what |
//! |---|---|
//! | [`date`] | days |
//! | [`answer`] | questions and answers, their JSON |
//! | [`chip`] | the figures of a chip, and designs made from one |
//! | [`condition`] | one comparison, in three-valued logic |
//! | [`set`] | rule sets as data |
//! | [`cost`](mod@cost) | what a rule costs: the same training on what it leaves |
//! | [`classify`](mod@classify) | what the sets of a day say of a chip |
//! | [`timeline`] | rules in order of time, a chip's status through them |
//! | [`text`] | both for people |

pub mod answer;
pub mod chip;
pub mod classify;
pub mod condition;
pub mod cost;
pub mod date;
pub mod set;
pub mod text;
pub mod timeline;

pub use answer::{Classification, Query, QueryError, Wedge, When};
pub use chip::{Area, Chip, Density, Maker, Sale, Tpp, tpp};
pub use classify::classify;
pub use date::{Date, DateError, Period};
pub use set::{Destination, Outcome, RuleBook, RuleError, RuleSet, Standing};
