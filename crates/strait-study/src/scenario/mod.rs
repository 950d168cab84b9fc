//! Scenario files.

mod amount;
mod check;
mod claim;
pub mod diagnostic;
mod files;
pub mod keys;
mod paths;
mod tree;
mod unit;
