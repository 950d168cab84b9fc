//! Training on a cluster: hardware, models, layouts, and the physics of a step.
//!
//! In: a [`case::Case`]. Out: what one optimizer step and the whole run take, and why.
//! Never reads files, prints, or looks at the wall clock.

pub mod case;
pub mod hardware;
pub mod kernels;
pub mod layout;
pub mod links;
pub mod lower;
pub mod memory;
pub mod model;
pub mod ops;
pub mod outcome;
pub mod run;
pub mod schedule;
pub mod simulate;
pub mod step;
pub mod topology;
