//! What people ask: catalogue, scenarios, claims, results, figures. Reads and writes files; never prints.

pub mod catalog;
pub mod models;
pub mod scenario;
