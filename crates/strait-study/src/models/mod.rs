//! Models from files: the catalogue's, and Hugging Face's `config.json`.
//!
//! In: text or deserialised tables. Out: a checked [`strait_training::model::Model`].
//! Never counts parameters or FLOPs: that is the model's own business.

mod file;
pub mod hf;

pub use file::{ActivationFile, AttentionFile, ExpertsFile, ModelFile, NormFile, WindowFile};
