//! One catalogue file and what was read from it.
//!
//! In: a text, and how to read it. Out: what was read, the same every time; a file that is asked for
//! again is not parsed again. Never keeps a fault: whoever asks again is told again.

use super::{CatalogError, Entry};
use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, OnceLock};

/// A value of any type.
type Value = Arc<dyn Any + Send + Sync>;

/// A file.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub text: String,
    entry: OnceLock<Arc<Entry>>,
    /// As typed values: a handful of types.
    values: Mutex<Vec<(TypeId, Value)>>,
}

impl Kept {
    pub fn new(text: String) -> Kept {
        Kept {
            text,
            ..Kept::default()
        }
    }

    /// Its facts with their sources.
    pub fn entry(
        &self,
        read: impl FnOnce() -> Result<Entry, CatalogError>,
    ) -> Result<Arc<Entry>, CatalogError> {
        if let Some(entry) = self.entry.get() {
            return Ok(Arc::clone(entry));
        }
        let entry = read()?;
        Ok(Arc::clone(self.entry.get_or_init(|| Arc::new(entry))))
    }

    /// It as a typed value.
    pub fn value<T: Any + Clone + Send + Sync>(
        &self,
        read: impl FnOnce() -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let of = TypeId::of::<T>();
        let known = self.values.lock().ok().and_then(|values| {
            let known = values.iter().find(|(known, _)| *known == of);
            known.map(|(_, value)| Arc::clone(value))
        });
        if let Some(value) = known.as_ref().and_then(|value| value.downcast_ref::<T>()) {
            return Ok(value.clone());
        }
        let value = read()?;
        if let Ok(mut values) = self.values.lock() {
            values.push((of, Arc::new(value.clone())));
        }
        Ok(value)
    }
}
