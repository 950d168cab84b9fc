//! A scenario that is read once and resolved many times.
//!
//! In: a scenario file with the files that it extends, the catalogue, what the command line changes;
//! then, for each case, further settings. Out: the [`ResolvedCase`] that [`super::load`] gives with these
//! settings. Never simulates, and reads no scenario file twice.

use super::axes::{self, Around, Space};
use super::beside::Beside;
use super::tree::Via;
use super::{
    Claim, Diagnostic, Named, Overrides, ResolvedCase, Severity, Shelf, argument, files,
    named_cases, once_each, one_case, paths, sort, stated, wanted_cases,
};
use crate::catalog::Catalog;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A parsed scenario file, ready to be resolved with any settings.
#[derive(Clone, Debug)]
pub struct Template {
    document: files::Document,
    named: Vec<Named>,
    overrides: Overrides,
    beside: Beside,
}

/// A text by the name of its file.
pub type NamedText = (String, String);

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
        Template::of_document(document, overrides, Beside::default())
    }

    /// The same of texts that were once read: the file and those that it extends, nearest first, and
    /// the files that they name, by [`Template::beside`]. Reads nothing.
    ///
    /// # Errors
    ///
    /// As [`Template::load`].
    pub fn frozen(
        texts: &[NamedText],
        beside: &[NamedText],
        overrides: &Overrides,
    ) -> Result<Template, Vec<Diagnostic>> {
        let document = files::of_texts(texts).map_err(|d| vec![d])?;
        let beside: BTreeMap<PathBuf, String> = (beside.iter())
            .map(|(path, text)| (PathBuf::from(path), text.clone()))
            .collect();
        Template::of_document(document, overrides, Beside::sealed(beside))
    }

    fn of_document(
        document: files::Document,
        overrides: &Overrides,
        beside: Beside,
    ) -> Result<Template, Vec<Diagnostic>> {
        let stem = stem(&document.source.name);
        let mut faults = document.faults.clone();
        if document.broken {
            sort(&mut faults, &document.sources);
            return Err(faults);
        }
        let cases = named_cases(&document.table, &stem, &mut faults);
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
            beside,
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
        let (case, faults) = one_case(
            named,
            &self.document.table,
            &top,
            catalog,
            &overrides,
            &self.beside,
        );
        let failed = faults.iter().any(|d| d.severity == Severity::Error);
        match case {
            Some(case) if !failed => Ok(case),
            _ => Err(once_each(faults, &self.document.sources)),
        }
    }

    /// What the file says of itself, such as its `title`; empty where it says nothing.
    pub fn told(&self, key: &str) -> &str {
        let entry = self.document.table.get(key);
        entry.and_then(|e| e.node.text()).unwrap_or("")
    }

    /// Its title, or the file's stem.
    pub fn title(&self) -> String {
        match self.told("title") {
            "" => stem(&self.document.source.name),
            title => title.to_owned(),
        }
    }

    /// The file names its cases.
    pub fn names_cases(&self) -> bool {
        self.named.iter().any(|case| case.table.is_some())
    }

    /// Every text that takes part, the file first.
    pub fn texts(&self) -> Vec<NamedText> {
        (self.document.sources.iter())
            .map(|source| (source.name.clone(), source.text.clone()))
            .collect()
    }

    /// Files that cases resolved so far have named: models, calibrations.
    pub fn beside(&self) -> Vec<NamedText> {
        (self.beside.read().into_iter())
            .map(|(path, text)| (path.display().to_string(), text))
            .collect()
    }

    /// Paths that a named case sets.
    pub fn sets(&self, name: &str) -> Vec<String> {
        let named = self.named.iter().find(|case| case.name == name);
        let set = named.and_then(|case| case.table.as_ref()?.get("set")?.node.table());
        let mut settings = Vec::new();
        if let Some(set) = set {
            paths::flatten(set, "", &mut settings);
        }
        (settings.into_iter()).map(|setting| setting.path).collect()
    }

    /// Claims of the file and of a case.
    pub fn claims(&self, name: Option<&str>) -> Vec<Claim> {
        let named = match name {
            Some(name) => self.named.iter().find(|case| case.name == name),
            None => self.named.first(),
        };
        named.map_or(Vec::new(), |named| {
            stated(&self.document.table, named, "claim")
        })
    }

    /// What varies by the file's `[sweep]`. `cases` is what the command line says of the number of cases
    /// in the sampled modes.
    ///
    /// # Errors
    ///
    /// Every fault of `[sweep]`, at its place.
    pub fn space(&self, catalog: &Catalog, cases: Option<u64>) -> Result<Space, Vec<Diagnostic>> {
        let mut root = self.document.table.clone();
        let mut faults = Vec::new();
        for (path, value) in &self.overrides.set {
            faults.extend(paths::apply(
                &mut root,
                argument(path, value),
                &Via::CommandLine,
            ));
        }
        if !faults.is_empty() {
            return Err(once_each(faults, &self.document.sources));
        }
        // Ranges are known once a case is resolved; a base that can't be needs none of them if its axes
        // say what it lacks.
        let ranges = self
            .case(catalog, None, &[])
            .map_or(Vec::new(), |case| case.ranges);
        let top = files::start(&self.document.source);
        let cases_of_file: Vec<&str> = match self.names_cases() {
            true => self.names(),
            false => Vec::new(),
        };
        let around = Around {
            root: &root,
            top: &top,
            cases: &cases_of_file,
            ranges: &ranges,
        };
        axes::read(&around, cases).map_err(|faults| once_each(faults, &self.document.sources))
    }
}

/// A file's name without its folder and its ending.
fn stem(name: &str) -> String {
    let stem = Path::new(name).file_stem();
    stem.map_or("scenario".to_owned(), |s| s.to_string_lossy().into_owned())
}
