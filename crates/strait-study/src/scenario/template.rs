//! A scenario that is read once and resolved many times.
//!
//! In: a scenario file with the files that it extends, the catalogue, what the command line changes;
//! then, for each case, further settings. Out: the [`ResolvedCase`] that [`super::load`] gives with these
//! settings. Never simulates, and reads no scenario file twice.

use super::{
    Diagnostic, Named, Overrides, ResolvedCase, Severity, Shelf, files, named_cases, once_each,
    one_case, sort, wanted_cases,
};
use crate::catalog::Catalog;
use std::path::Path;

/// A parsed scenario file, ready to be resolved with any settings.
#[derive(Clone, Debug)]
pub struct Template {
    document: files::Document,
    named: Vec<Named>,
    overrides: Overrides,
}

impl Template {
    /// Reads a file, and checks its form.
    ///
    /// # Errors
    ///
    /// Every fault of form of the file and of the files that it extends, and names of cases that it lacks.
    /// Whether values go together is found by [`Template::case`].
    pub fn load(
        path: &Path,
        catalog: &Catalog,
        overrides: &Overrides,
    ) -> Result<Template, Vec<Diagnostic>> {
        Template::load_from(Shelf::Disk, path, catalog, overrides)
    }

    /// [`Template::load`] of a file on disk or of one that the program carries.
    ///
    /// # Errors
    ///
    /// As [`Template::load`].
    pub fn load_from(
        shelf: Shelf,
        path: &Path,
        _catalog: &Catalog,
        overrides: &Overrides,
    ) -> Result<Template, Vec<Diagnostic>> {
        let document = files::read(path, shelf).map_err(|d| vec![d])?;
        let stem = path
            .file_stem()
            .map_or("scenario".to_owned(), |s| s.to_string_lossy().into_owned());
        Template::of_document(document, &stem, overrides)
    }

    fn of_document(
        document: files::Document,
        stem: &str,
        overrides: &Overrides,
    ) -> Result<Template, Vec<Diagnostic>> {
        let mut faults = document.faults.clone();
        if document.broken {
            sort(&mut faults, &document.sources);
            return Err(faults);
        }
        let cases = named_cases(&document.table, stem, &mut faults);
        let wanted = wanted_cases(&cases, &overrides.cases, &document.source, &mut faults);
        let faults = once_each(faults, &document.sources);
        if faults.iter().any(|d| d.severity == Severity::Error) {
            return Err(faults);
        }
        let named = (cases.into_iter())
            .filter(|case| wanted.contains(&case.name))
            .collect();
        Ok(Template {
            document,
            named,
            overrides: overrides.clone(),
        })
    }

    /// Names of its cases in the order of the file; one, the file's stem, where it names none.
    pub fn names(&self) -> Vec<&str> {
        self.named.iter().map(|case| case.name.as_str()).collect()
    }

    /// The case of a name, or the first where none is given, with further settings: paths and values as
    /// those of `--set`, applied after these and in this order. The catalogue must be that of
    /// [`Template::load`].
    ///
    /// # Errors
    ///
    /// Every fault that [`super::load`] finds with these settings.
    pub fn case(
        &self,
        catalog: &Catalog,
        name: Option<&str>,
        set: &[(String, String)],
    ) -> Result<ResolvedCase, Vec<Diagnostic>> {
        let wanted = match name {
            Some(name) => self.named.iter().find(|case| case.name == name),
            None => self.named.first(),
        };
        let Some(named) = wanted else {
            let mut faults = Vec::new();
            let asked = name.map(str::to_owned);
            wanted_cases(
                &self.named,
                asked.as_slice(),
                &self.document.source,
                &mut faults,
            );
            return Err(faults);
        };
        let mut overrides = self.overrides.clone();
        overrides.set.extend_from_slice(set);
        let top = files::start(&self.document.source);
        let (case, faults) = one_case(named, &self.document.table, &top, catalog, &overrides);
        let failed = faults.iter().any(|d| d.severity == Severity::Error);
        match case {
            Some(case) if !failed => Ok(case),
            _ => Err(once_each(faults, &self.document.sources)),
        }
    }
}
