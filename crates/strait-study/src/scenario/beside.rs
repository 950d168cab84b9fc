//! Files that a scenario names beside itself: a model's configuration, calibrations.
//!
//! In: paths. Out: their texts, each read once. A sealed set knows only what it was given: what was
//! frozen with a plan does not change with a disk. Never knows what a text means.

use super::diagnostic::Diagnostic;
use super::files;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Texts by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    texts: Arc<Mutex<BTreeMap<PathBuf, String>>>,
    sealed: bool,
}

impl Beside {
    /// These texts, and none besides.
    pub fn sealed(texts: BTreeMap<PathBuf, String>) -> Beside {
        Beside {
            texts: Arc::new(Mutex::new(texts)),
            sealed: true,
        }
    }

    /// The text of a file.
    pub fn text(&self, path: &Path) -> Result<String, Diagnostic> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(path) {
            return Ok(text.clone());
        }
        if self.sealed {
            return Err(Diagnostic::error(
                "scenario::missing-file",
                format!("{} is not among the files that were frozen", path.display()),
            )
            .help("make the plan again"));
        }
        let text = files::read_text(path)?;
        texts.insert(path.to_path_buf(), text.clone());
        Ok(text)
    }

    /// All texts that were asked for so far.
    pub fn read(&self) -> BTreeMap<PathBuf, String> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.clone()
    }
}
