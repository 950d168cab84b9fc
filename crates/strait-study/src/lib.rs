//! What people ask: catalogue, scenarios, claims, results, figures. Reads and writes files; never prints.

<<<<<<< HEAD
pub mod models;
=======
pub mod catalog;
>>>>>>> units
