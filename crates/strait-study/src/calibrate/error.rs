//! What can be wrong with a calibration.
//!
//! In: faults. Out: messages with place and remedy. Never prints.

use crate::catalog::CatalogError;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// A table, or a row of it, is wrong.
    #[error("{file}:{line}: {problem}\n  = help: {help}")]
    Table {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// A name that is none of those known.
    #[error("there is no {what} \"{name}\"\n  = help: it is one of {}", known.join(", "))]
    Unknown {
        /// What was named.
        what: &'static str,
        /// Name.
        name: String,
        /// All there are.
        known: Vec<String>,
    },
    /// A name that cannot be an id.
    #[error(
        "\"{0}\" is no name for a machine\n  = help: use small letters, digits and hyphens, as in my-cluster"
    )]
    Name(String),
    /// The tables hold nothing that a parameter can be fitted to.
    #[error(
        "no parameter can be fitted to these tables\n  = help: give at least one row of a kernel or collective that the profile knows, with the role fit"
    )]
    Nothing,
    /// The plan does not fit the profiles: a fault of the catalogue.
    #[error("the calibration's plan is wrong: {0}")]
    Plan(String),
    /// An entry of the catalogue is not usable.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}
