//! Models from files: the catalogue's, and Hugging Face's `config.json`.
//!
//! In: an id of the catalogue, or text. Out: a checked [`Model`]. Never counts parameters
//! or FLOPs: that is the model's own business.

mod file;
pub mod hf;

pub use file::{ActivationFile, AttentionFile, ExpertsFile, ModelFile, NormFile, WindowFile};

use crate::catalog::{Catalog, CatalogError};
use strait_training::model::{Model, ModelError};

/// The catalogue's kind of models.
pub const KIND: &str = "models";

/// Why a catalogued model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No such model, or a file that is not one.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A model whose dimensions make no sense.
    #[error("catalog/{KIND}/{id}.toml: {error}")]
    Dimensions {
        /// Id of the model.
        id: String,
        /// What is wrong with it.
        error: ModelError,
    },
}

/// The catalogue's model of this id.
///
/// # Errors
/// [`LoadError`]
pub fn load(catalog: &Catalog, id: &str) -> Result<Model, LoadError> {
    let file: ModelFile = catalog.load(KIND, id)?;
    Model::try_from(file).map_err(|error| LoadError::Dimensions {
        id: id.to_owned(),
        error,
    })
}
