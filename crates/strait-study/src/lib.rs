//! What people ask: catalogue, scenarios, claims, results, figures. Reads and writes files; never prints.

pub mod answer;
pub mod artifact;
pub mod catalog;
pub mod figures;
pub mod models;
pub mod scenario;
pub mod trace;
pub mod verdict;
