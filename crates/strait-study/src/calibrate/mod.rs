//! Calibration: kernel and link parameters fitted to measured tables, and residuals.
//!
//! In: `catalog/measurements/*.csv` and its plan, or a user's tables. Out: fitted values beside the
//! catalogue's, residuals by table, and profile files in which every leaf says where it comes from.
//! Never sees the time of a training step, never draws at random, and never rounds silently:
//! the plan says to how many digits, so that the same tables give the same files everywhere.
//!
//! | room | what |
//! |---|---|
//! | `csv`, `rows`, `cases`, `machine` | tables as measurements |
//! | `plan` | which parameters are fitted to which rows |
//! | `forward` | what the simulator says, by the code that runs are simulated with |
//! | `search`, `fit`, `slot` | the parameters closest to the rows |
//! | `residual` | how far each table is |
//! | `write` | profile files |
//! | `report` | what people and programs read |

mod cases;
mod csv;
mod error;
mod fit;
mod forward;
mod machine;
mod plan;
mod report;
mod residual;
mod rows;
mod search;
mod slot;
mod write;

pub use error::CalibrateError;
pub use fit::FitResult;
pub use report::{Document, text};
pub use residual::TableResidual;

use crate::catalog::{Catalog, Entry};
use forward::Profiles;
use machine::Machine;
use plan::Plan;
use rows::Row;
use std::collections::BTreeMap;
use strait_training::kernels::KernelProfile;
use strait_training::links::LinkProfile;
use strait_units::Ratio;

/// What is measured in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Matrix products.
    Gemm,
    /// Attention cores.
    Attention,
    /// Memory-bound kernels.
    Memory,
    /// Collectives.
    Collective,
    /// Expert dispatch and combine.
    Exchange,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 5] = [
        Family::Gemm,
        Family::Attention,
        Family::Memory,
        Family::Collective,
        Family::Exchange,
    ];

    /// Its file under `catalog/measurements`.
    pub fn file(self) -> &'static str {
        match self {
            Family::Gemm => "gemm.csv",
            Family::Attention => "attention.csv",
            Family::Memory => "memory.csv",
            Family::Collective => "collectives.csv",
            Family::Exchange => "exchanges.csv",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Family::Gemm => "gemm",
            Family::Attention => "attention",
            Family::Memory => "memory",
            Family::Collective => "collective",
            Family::Exchange => "exchange",
        }
    }

    /// The kind of profile that predicts it.
    pub fn kind(self) -> &'static str {
        match self {
            Family::Gemm | Family::Attention | Family::Memory => "kernels",
            Family::Collective | Family::Exchange => "links",
        }
    }

    /// The family of a table by the columns of its header.
    fn of_header(header: &str) -> Option<Family> {
        let has = |name: &str| {
            header
                .split(',')
                .any(|column| column.trim().trim_matches('"') == name)
        };
        if has("operand") {
            Some(Family::Gemm)
        } else if has("kernel") {
            Some(Family::Attention)
        } else if has("class") {
            Some(Family::Memory)
        } else if has("collective") {
            Some(Family::Collective)
        } else if has("direction") {
            Some(Family::Exchange)
        } else {
            None
        }
    }
}

/// A fitted parameter beside the catalogue's.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Profile, such as `kernels/hopper`.
    pub profile: String,
    /// Key of the fact.
    pub key: String,
    /// The catalogue's value.
    pub catalogue: String,
    /// The fitted value, rounded.
    pub fitted: String,
    /// Fitted over the catalogue's, less one.
    pub change: Ratio,
    /// They are the same number; of a checked value, near enough.
    pub agrees: bool,
    /// The catalogue's value has other sources too, and stays: this one checks it.
    pub checked: bool,
}

/// A number of a profile that no table of ours says anything about.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// Profile.
    pub profile: String,
    /// Key of the fact.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its source.
    pub source: String,
}

/// A calibration: what was fitted, what was not, how well, and the files.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// Fits in the order of the plan.
    pub fits: Vec<FitResult>,
    /// What was taken over as it is.
    pub carried: Vec<Carried>,
    /// Residuals of all tables with the fitted values.
    pub residuals: Vec<TableResidual>,
    /// Profile files: path such as `kernels/hopper.toml`, and text.
    pub files: Vec<(String, String)>,
}

impl Calibration {
    /// Parameters whose fitted value is not the catalogue's.
    pub fn disagreements(&self) -> Vec<&Fitted> {
        (self.fits.iter().flat_map(|fit| &fit.parameters))
            .filter(|parameter| !parameter.agrees)
            .collect()
    }

    /// The same with the profiles of one id only, such as `hopper`.
    ///
    /// # Errors
    ///
    /// [`CalibrateError::Unknown`] where nothing of that id is fitted or measured.
    pub fn only(mut self, id: &str) -> Result<Calibration, CalibrateError> {
        let of = |profile: &str| {
            profile
                .split_once('/')
                .map_or(profile, |(_, id)| id)
                .to_owned()
        };
        let mut known: Vec<String> = self.residuals.iter().map(|r| of(&r.profile)).collect();
        known.extend(self.fits.iter().map(|f| of(&f.profile)));
        known.sort();
        known.dedup();
        if !known.iter().any(|name| name == id) {
            return Err(CalibrateError::Unknown {
                what: "calibrated profile",
                name: id.to_owned(),
                known,
            });
        }
        self.fits.retain(|fit| of(&fit.profile) == id);
        self.carried.retain(|carried| of(&carried.profile) == id);
        self.residuals
            .retain(|residual| of(&residual.profile) == id);
        self.files
            .retain(|(path, _)| of(path) == format!("{id}.toml"));
        Ok(self)
    }
}

/// Fits the shipped profiles to the shipped tables.
///
/// # Errors
///
/// Faults of the catalogue.
pub fn shipped(catalog: &Catalog) -> Result<Calibration, CalibrateError> {
    let plan = plan(catalog)?;
    let rows = rows::shipped(catalog)?;
    let (mut profiles, entries) = profiles(catalog)?;
    let mut fits = Vec::new();
    for fit in &plan.fit {
        match fit::run(fit, &rows, &entries, &mut profiles, false)? {
            Some(result) => fits.push((fit.clone(), result)),
            None => {
                let keys: Vec<&str> = fit.parameters.iter().map(|p| p.key.as_str()).collect();
                let problem = format!("no row for {} of {}", keys.join(", "), fit.profile);
                return Err(CalibrateError::Plan(problem));
            }
        }
    }
    let files = write::shipped(catalog, &entries, &fits)?;
    let mut done = finish(fits, files, &rows, &profiles, &entries)?;
    for carried in &mut done.carried {
        let held = plan
            .hold
            .iter()
            .find(|hold| hold.profile == carried.profile && hold.keys.contains(&carried.key));
        if let Some(hold) = held {
            carried.source = format!("{}; not fitted: {}", carried.source, hold.why);
        }
    }
    Ok(done)
}

/// How far the catalogue's values are from each shipped table, without fitting anything.
///
/// # Errors
///
/// Faults of the catalogue.
pub fn residuals(catalog: &Catalog) -> Result<Vec<TableResidual>, CalibrateError> {
    let rows = rows::shipped(catalog)?;
    let (profiles, _) = profiles(catalog)?;
    residual::of(&rows, &profiles)
}

/// A user's machine and tables.
#[derive(Clone, Debug)]
pub struct Own {
    /// Id of the new profiles.
    pub name: String,
    /// Accelerator of the catalogue that rows are of.
    pub accelerator: String,
    /// Profile that the new ones are begun from.
    pub like: String,
    /// Names and texts of tables.
    pub tables: Vec<(String, String)>,
    /// Date of the measurements.
    pub date: String,
}

/// Fits new profiles to a user's tables.
///
/// # Errors
///
/// Everything that can be wrong with tables and names.
pub fn own(catalog: &Catalog, own: &Own) -> Result<Calibration, CalibrateError> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !own.name.starts_with(|c: char| c.is_ascii_lowercase()) || !own.name.chars().all(sound) {
        return Err(CalibrateError::Name(own.name.clone()));
    }
    for kind in ["kernels", "links"] {
        if !catalog.contains(kind, &own.like) {
            let both = |id: &&str| catalog.contains("links", id);
            return Err(CalibrateError::Unknown {
                what: "profile of kernels and links",
                name: own.like.clone(),
                known: (catalog.list("kernels")?.into_iter().filter(both))
                    .map(str::to_owned)
                    .collect(),
            });
        }
    }
    let machine = Machine::usual(catalog, &own.accelerator, &own.like)?;
    let mut rows: Vec<Row> = Vec::new();
    for (file, text) in &own.tables {
        let Some(family) = family(text) else {
            return Err(CalibrateError::Table {
                file: file.clone(),
                line: 1,
                problem: "the columns are of no table that is known".to_owned(),
                help: "a table of products has the columns operand, m, n, k, measured_us; of \
                       attention kernel, heads, length, qk_dim, v_dim, measured_us; of memory-bound \
                       kernels class, bytes, measured_us; of collectives collective, ranks, bytes, \
                       time_us"
                    .to_owned(),
            });
        };
        rows.extend(rows::read(catalog, file, text, family, Some(&machine))?);
    }
    let plan = plan(catalog)?;
    let (mut profiles, entries) = profiles(catalog)?;
    // Rows that the profile knows nothing of are reported with their lines, before any fit.
    residual::of(&rows, &profiles)?;
    let mut fits = Vec::new();
    for fit in &plan.own {
        for mut fit in fit.expand(&rows) {
            fit.profile = format!("{}/{}", fit.profile, own.like);
            if let Some(result) = fit::run(&fit, &rows, &entries, &mut profiles, true)? {
                fits.push((fit, result));
            }
        }
    }
    if fits.is_empty() {
        return Err(CalibrateError::Nothing);
    }
    let files = write::own(catalog, &entries, &fits, own)?;
    let mut done = finish(fits, files, &rows, &profiles, &entries)?;
    let (kernels, links) = (
        format!("kernels/{}", own.like),
        format!("links/{}", own.like),
    );
    done.carried
        .retain(|c| c.profile == kernels || c.profile == links);
    Ok(done)
}

/// The family of a table by its header; `None` where it is of none.
pub fn family(text: &str) -> Option<Family> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = (text.lines()).find(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
    Family::of_header(header)
}

fn plan(catalog: &Catalog) -> Result<Plan, CalibrateError> {
    Plan::read(catalog.measurements("plan.toml").unwrap_or_default())
}

fn profiles(catalog: &Catalog) -> Result<(Profiles, BTreeMap<String, Entry>), CalibrateError> {
    let mut profiles = Profiles::default();
    let mut entries = BTreeMap::new();
    for id in catalog.list("kernels")? {
        let profile: KernelProfile = catalog.load("kernels", id)?;
        profiles.kernels.insert(id.to_owned(), profile);
        entries.insert(format!("kernels/{id}"), catalog.show("kernels", id)?);
    }
    for id in catalog.list("links")? {
        let profile: LinkProfile = catalog.load("links", id)?;
        profiles.links.insert(id.to_owned(), profile);
        entries.insert(format!("links/{id}"), catalog.show("links", id)?);
    }
    Ok((profiles, entries))
}

fn finish(
    fits: Vec<(plan::Fit, FitResult)>,
    files: Vec<(String, String)>,
    rows: &[Row],
    profiles: &Profiles,
    entries: &BTreeMap<String, Entry>,
) -> Result<Calibration, CalibrateError> {
    let fits: Vec<FitResult> = fits.into_iter().map(|(_, result)| result).collect();
    let fitted: Vec<(&str, &str)> = (fits.iter().flat_map(|fit| &fit.parameters))
        .filter(|p| !p.checked)
        .map(|p| (p.profile.as_str(), p.key.as_str()))
        .collect();
    let mut carried = Vec::new();
    for (profile, entry) in entries {
        for fact in &entry.facts {
            let is_fitted = fitted.iter().any(|(of, key)| {
                *of == profile
                    && (*key == fact.key
                        || fit::list_element(key).is_some_and(|(list, _)| list == fact.key))
            });
            if !is_fitted {
                carried.push(Carried {
                    profile: profile.clone(),
                    key: fact.key.clone(),
                    value: fact.value.clone(),
                    source: match &fact.basis {
                        Some(basis) => format!("{}; basis {basis}", fact.source),
                        None => fact.source.clone(),
                    },
                });
            }
        }
    }
    Ok(Calibration {
        residuals: residual::of(rows, profiles)?,
        fits,
        carried,
        files,
    })
}
