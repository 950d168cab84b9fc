//! A frozen plan: all that the rows of a sweep depend on.
//!
//! In: a scenario file with `[sweep]`, the catalogue, what the command line changes. Out: a [`Plan`] with
//! the texts of every file that takes part, and a digest of it all; or a plan read back and checked. A plan
//! of another version, of another catalogue, or that was changed by hand is refused. Never simulates.

use super::error::SweepError;
use super::sampling::Sampler;
use super::text::quoted;
use crate::catalog::Catalog;
use crate::scenario::{
    Axis, Diagnostic, Mode, NamedText, Overrides, ResolvedCase, Severity, TOLD, Template, Values,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The layout of plans and of rows: another number can't be read.
pub const FORMAT: u32 = 1;

/// Most shards: each is a file.
pub const MAX_SHARDS: u64 = 100_000;

/// Largest plan that is read.
const LARGEST: u64 = 256 << 20;

/// Cases that are resolved before a plan is made, to see whether the scenario stands at all.
const TRIED: u64 = 16;

/// Reasons that are told where all that were tried fail.
const REASONS: usize = 3;

/// Values of one axis whose ids are looked up before a plan is made.
const LOOKED_UP: usize = 200;

/// What to plan.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The scenario file.
    pub path: PathBuf,
    /// Paths and values over those of the file.
    pub set: Vec<(String, String)>,
    /// The named case that all others start from.
    pub case: Option<String>,
    /// The seed, over that of the file.
    pub seed: Option<u64>,
    /// Cases of a sampled mode, over those of the file.
    pub cases: Option<u64>,
    /// Shards; `None`: as many as suit one machine.
    pub shards: Option<u64>,
    /// Chance in each case, whatever the file says.
    pub chance: bool,
}

/// A text by the name of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// Path of the file, as the planning command saw it.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A frozen plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of Strait that made it, and that alone may run it.
    pub strait: String,
    /// SHA-256 of the file with this field empty.
    pub digest: String,
    /// Title of the scenario.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// The scenario file.
    pub scenario: String,
    /// How values are combined.
    pub mode: Mode,
    /// How many cases.
    pub cases: u64,
    /// How many shards: case k belongs to shard k mod this.
    pub shards: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Chance is simulated in each case.
    pub chance: bool,
    /// What varies.
    pub axes: Arc<Vec<Axis>>,
    /// The named case that cases start from, where no axis says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Paths and values of the command line.
    pub set: Vec<(String, String)>,
    /// Digest of the catalogue.
    pub catalog: String,
    /// The values of the base case; for reading, nothing follows from them.
    pub base: BTreeMap<String, String>,
    /// The scenario file and those that it extends, nearest first.
    pub texts: Vec<Text>,
    /// Files that they name: models, calibrations.
    pub beside: Vec<Text>,
}

/// A plan with what it stands for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The plan.
    pub plan: Plan,
    /// Its scenario.
    pub template: Template,
    /// The settings of its cases.
    pub sampler: Sampler,
    /// What who plans should know, and what does not stand in the way.
    pub remarks: Vec<String>,
}

/// What every plan begins with, whatever version made it.
#[derive(Deserialize)]
struct Head {
    format: Option<u32>,
    strait: Option<String>,
}

impl Plan {
    /// Plans a sweep. `version` is the program's.
    ///
    /// # Errors
    /// Faults of the scenario and of its `[sweep]`, all at once.
    pub fn freeze(
        request: &Request,
        catalog: &Catalog,
        version: &str,
    ) -> Result<Opened, SweepError> {
        let overrides = Overrides {
            set: request.set.clone(),
            cases: Vec::new(),
            seed: request.seed,
        };
        let template =
            Template::load(&request.path, catalog, &overrides).map_err(SweepError::Scenario)?;
        if let Some(name) = &request.case
            && !template.names().contains(&name.as_str())
        {
            return Err(SweepError::Scenario(
                template
                    .case(catalog, Some(name), &[])
                    .err()
                    .unwrap_or_default(),
            ));
        }
        let space = template
            .space(catalog, request.cases)
            .map_err(SweepError::Scenario)?;
        if request.cases.is_some() && !space.mode.sampled() {
            return Err(SweepError::Usage {
                message: format!(
                    "--cases has no use in mode \"{}\": the axes say how many cases there are",
                    space.mode.word()
                ),
                remedy: "leave it out, or write mode = \"latin-hypercube\" in [sweep]".to_owned(),
            });
        }
        let over_cases = |axis: &Axis| {
            (axis.points()).is_some_and(|points| points.iter().any(|point| point.case.is_some()))
        };
        let names = template.names();
        if names.len() > 1 && request.case.is_none() && !space.axes.iter().any(over_cases) {
            return Err(SweepError::input(
                format!(
                    "{} has {} cases: which of them is to vary?",
                    request.path.display(),
                    names.len()
                ),
                format!(
                    "give --case with one of {}, or make an axis of them: [[sweep.axis]] with cases = [\"all\"]",
                    names.join(", ")
                ),
            ));
        }
        let silent = catalog.without_sources();
        let base = template.case(catalog, request.case.as_deref(), &[]).ok();
        let seed = match (request.seed, &base) {
            (Some(seed), _) => seed,
            (None, Some(base)) => base.case.seed,
            (None, None) => 1,
        };
        let axes = Arc::new(space.axes);
        let sampler = Sampler::new(space.mode, &axes, space.cases, seed, base.as_ref())?;
        let cases = sampler.cases();
        let shards = request.shards.unwrap_or_else(|| usual_shards(cases));
        if shards > MAX_SHARDS.min(cases) || shards == 0 {
            return Err(SweepError::Usage {
                message: format!("{shards} shards of {cases} cases make no sense"),
                remedy: format!("take from 1 to {} shards", MAX_SHARDS.min(cases)),
            });
        }
        let mut plan = Plan {
            format: FORMAT,
            strait: version.to_owned(),
            digest: String::new(),
            title: template.title(),
            question: template.told("question").to_owned(),
            scenario: request.path.display().to_string(),
            mode: space.mode,
            cases,
            shards,
            seed,
            chance: space.chance || request.chance,
            axes,
            case: request.case.clone(),
            set: request.set.clone(),
            catalog: catalog.digest(),
            base: base.as_ref().map(values).unwrap_or_default(),
            texts: texts(template.texts()),
            beside: Vec::new(),
        };
        plan.unknown_ids(&template, &silent)?;
        let mut remarks = plan.outdone(&template);
        remarks.extend(plan.try_some(&template, &sampler, &silent)?);
        // Every value of every axis was looked at: these are all files that cases name.
        plan.beside = texts(template.beside());
        super::columns::check(&plan, &template)?;
        plan.digest = digest(&plan.text()?);
        Ok(Opened {
            plan,
            template,
            sampler,
            remarks,
        })
    }

    /// Settings that have no effect since an axis sets the same.
    fn outdone(&self, template: &Template) -> Vec<String> {
        let mut remarks = Vec::new();
        // A range is drawn from as the settings leave it: there they have an effect.
        let fixed = |axis: &&Axis| !matches!(axis.values, Values::Range { .. });
        for axis in self.axes.iter().filter(fixed) {
            let points = axis.points().unwrap_or(&[]);
            for path in axis.paths() {
                if self.set.iter().any(|(set, _)| set == path) {
                    remarks.push(format!(
                        "--set {path} has no effect where the axis `{}` sets it too",
                        axis.name
                    ));
                }
            }
            if let (Some(case), true) = (&self.case, points.iter().any(|p| p.case.is_some())) {
                remarks.push(format!(
                    "--case {case} has no effect: the axis `{}` says which case each one starts from",
                    axis.name
                ));
            }
            let sets: BTreeSet<String> = (points.iter())
                .filter_map(|point| point.case.as_deref())
                .flat_map(|case| template.sets(case))
                .collect();
            for other in self.axes.iter() {
                for path in other.paths() {
                    if sets.contains(path) {
                        remarks.push(format!(
                            "cases of the axis `{}` set {path}, and so does the axis `{}`, which wins",
                            axis.name, other.name
                        ));
                    }
                }
            }
        }
        remarks
    }

    /// Values of axes that name what the catalogue does not have, and files that are not there.
    fn unknown_ids(&self, template: &Template, catalog: &Catalog) -> Result<(), SweepError> {
        let mut faults: Vec<Diagnostic> = Vec::new();
        for axis in self.axes.iter() {
            let before = faults.len();
            let mut more = 0usize;
            for point in axis.points().unwrap_or(&[]).iter().take(LOOKED_UP) {
                if point.number.is_some() {
                    continue;
                }
                let name = point.case.as_deref().or(self.case.as_deref());
                let Err(found) = template.case(catalog, name, &point.set) else {
                    continue;
                };
                let missing = [
                    "scenario::unknown-id",
                    "scenario::missing-file",
                    "scenario::not-text",
                ];
                for fault in found.into_iter().filter(|d| missing.contains(&d.code)) {
                    let new = faults.iter().all(|known| known.message != fault.message);
                    if new && faults.len() - before >= TOLD {
                        more += 1;
                    } else if new {
                        faults.push(fault.help(format!(
                            "it is a value of the axis `{}` in [sweep]",
                            axis.name
                        )));
                    }
                }
            }
            if more > 0
                && let Some(last) = faults.last_mut()
            {
                last.help
                    .push(format!("and {more} more faults of this axis"));
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(SweepError::Scenario(faults)),
        }
    }

    /// Tries a few cases. Refuses a sweep none of whose cases stands; where all that were tried fail but
    /// not all were, says so: a case that fails is a row.
    fn try_some(
        &self,
        template: &Template,
        sampler: &Sampler,
        catalog: &Catalog,
    ) -> Result<Option<String>, SweepError> {
        let mut first: Option<Vec<Diagnostic>> = None;
        let mut reasons: Vec<String> = Vec::new();
        let tried = TRIED.min(self.cases);
        for index in 0..tried {
            // Spread over all cases, the first and the last among them.
            let case = (self.cases - 1) * index / (tried - 1).max(1);
            match resolve(self, template, sampler, catalog, case) {
                Ok(_) => return Ok(None),
                Err(faults) => {
                    let error = faults.iter().find(|d| d.severity == Severity::Error);
                    if let Some(error) = error
                        && !reasons.contains(&error.message)
                    {
                        reasons.push(error.message.clone());
                    }
                    first.get_or_insert(faults);
                }
            }
        }
        if tried < self.cases {
            let more = reasons.len().saturating_sub(REASONS);
            reasons.truncate(REASONS);
            if more > 0 {
                reasons.push(format!("and {more} other reasons"));
            }
            return Ok(Some(format!(
                "all {tried} cases that were tried fail; so may all {}: {}",
                self.cases,
                reasons.join("; ")
            )));
        }
        let faults = first.unwrap_or_default();
        let (mut errors, _): (Vec<_>, Vec<_>) =
            (faults.into_iter()).partition(|d| d.severity == Severity::Error);
        if let Some(error) = errors.first_mut() {
            error.help.push(match tried {
                1 => "so it is in the only case".to_owned(),
                _ => format!("so it is in case 0, and all {tried} cases fail"),
            });
        }
        Err(SweepError::Scenario(errors))
    }

    /// The file's text.
    ///
    /// # Errors
    /// That it can't be written as JSON: a fault of the program.
    pub fn text(&self) -> Result<String, SweepError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| SweepError::Unexpected(error.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a plan back and checks that this program may run it.
    ///
    /// # Errors
    /// That it is no plan, was made by another version or with another catalogue, or was changed.
    pub fn open(path: &Path, catalog: &Catalog, version: &str) -> Result<Opened, SweepError> {
        let plan = Plan::read(path)?;
        let again = format!(
            "plan again with this version (strait sweep plan {}), or run it with that one",
            quoted(&plan.scenario)
        );
        if plan.strait != version {
            return Err(SweepError::input(
                format!(
                    "{} was made by strait {}, this is {version}: their rows must not be mixed",
                    path.display(),
                    plan.strait
                ),
                again,
            ));
        }
        if plan.catalog != catalog.digest() {
            return Err(SweepError::input(
                format!(
                    "{} was made with another catalogue (digest {}, here {})",
                    path.display(),
                    short(&plan.catalog),
                    short(&catalog.digest())
                ),
                again,
            ));
        }
        let overrides = Overrides {
            set: plan.set.clone(),
            cases: Vec::new(),
            seed: None,
        };
        let (texts, beside) = (named(&plan.texts), named(&plan.beside));
        let template =
            Template::frozen(&texts, &beside, &overrides).map_err(SweepError::Scenario)?;
        let ranged = |axis: &Axis| matches!(axis.values, Values::Range { .. });
        let base = match plan.axes.iter().any(ranged) {
            true => Some(
                template
                    .case(catalog, plan.case.as_deref(), &[])
                    .map_err(SweepError::Scenario)?,
            ),
            false => None,
        };
        let cases = plan.mode.sampled().then_some(plan.cases);
        let sampler = Sampler::new(plan.mode, &plan.axes, cases, plan.seed, base.as_ref())?;
        if sampler.cases() != plan.cases || plan.shards == 0 || plan.shards > plan.cases {
            return Err(damaged(path));
        }
        Ok(Opened {
            plan,
            template,
            sampler,
            remarks: Vec::new(),
        })
    }

    /// Reads a plan back, whatever version made it, and checks that it is whole.
    ///
    /// # Errors
    /// That it is no plan, or was changed.
    pub fn read(path: &Path) -> Result<Plan, SweepError> {
        let read = |source| SweepError::Read {
            path: path.to_path_buf(),
            source,
        };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SweepError::input(
                    format!("there is no plan at {}", path.display()),
                    "make one: strait sweep plan FILE --out DIR",
                ));
            }
            Err(error) => return Err(read(error)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(read)?;
        if bytes.len() as u64 > LARGEST {
            return Err(damaged(path));
        }
        let text = String::from_utf8(bytes).map_err(|_| damaged(path))?;
        // What another version wrote may lack what this one needs: its version comes first. A plan of many listed
        // values is large: no tree of it is made on the way.
        let head: Head = serde_json::from_str(&text).map_err(|_| damaged(path))?;
        match head.format {
            Some(FORMAT) => {}
            Some(format) => {
                let by = head.strait.as_deref().unwrap_or("?");
                return Err(SweepError::input(
                    format!(
                        "{} is a plan in format {format} by strait {by}; this version reads format {FORMAT}",
                        path.display()
                    ),
                    "plan again with this version, or run it with that one",
                ));
            }
            None => return Err(damaged(path)),
        }
        let plan: Plan = serde_json::from_str(&text).map_err(|_| damaged(path))?;
        let blank = text.replacen(
            &format!("\"digest\": \"{}\"", plan.digest),
            "\"digest\": \"\"",
            1,
        );
        if digest(&blank) != plan.digest {
            return Err(SweepError::input(
                format!(
                    "{} was changed after it was made: its digest does not fit",
                    path.display()
                ),
                "change the scenario instead and plan again: strait sweep plan FILE --out DIR",
            ));
        }
        Ok(plan)
    }

    /// Rows of a shard.
    pub fn rows(&self, shard: u64) -> u64 {
        self.cases.saturating_sub(shard).div_ceil(self.shards)
    }

    /// The line that says how to get the results again, into a folder if one is named.
    pub fn reproduce(&self, folder: Option<&str>) -> String {
        let mut line = format!("strait sweep run {}", quoted(&self.scenario));
        for (path, value) in &self.set {
            let value = value.replace('\'', r"'\''");
            line.push_str(&format!(" --set '{path}={value}'"));
        }
        if let Some(case) = &self.case {
            line.push_str(&format!(" --case {}", quoted(case)));
        }
        if self.mode.sampled() {
            line.push_str(&format!(" --cases {}", self.cases));
        }
        let out = folder.map_or(String::new(), |folder| format!(" --out {}", quoted(folder)));
        format!(
            "{line} --seed {}{out} (strait {}, plan {})",
            self.seed,
            self.strait,
            short(&self.digest)
        )
    }
}

/// Resolves a case of a plan, its seed included.
///
/// # Errors
/// The faults of its settings.
pub(super) fn resolve(
    plan: &Plan,
    template: &Template,
    sampler: &Sampler,
    catalog: &Catalog,
    case: u64,
) -> Result<ResolvedCase, Vec<Diagnostic>> {
    let settings = sampler.settings(case);
    let name = settings.case.as_deref().or(plan.case.as_deref());
    let mut resolved = template.case(catalog, name, &settings.set)?;
    resolved.case.seed = sampler.seed(plan.seed, case);
    Ok(resolved)
}

/// As many shards as suit one machine: enough that a kill loses little, few enough to be handy.
fn usual_shards(cases: u64) -> u64 {
    cases
        .div_ceil(6)
        .min(16)
        .max(cases.div_ceil(2048).min(1024))
        .max(1)
}

fn damaged(path: &Path) -> SweepError {
    SweepError::input(
        format!("{} is no plan of a sweep, or a damaged one", path.display()),
        "make it again: strait sweep plan FILE --out DIR",
    )
}

fn values(base: &ResolvedCase) -> BTreeMap<String, String> {
    (base.origins.iter())
        .map(|line| (line.path.clone(), line.value.clone()))
        .collect()
}

fn texts(named: Vec<NamedText>) -> Vec<Text> {
    (named.into_iter())
        .map(|(name, text)| Text { name, text })
        .collect()
}

fn named(texts: &[Text]) -> Vec<NamedText> {
    (texts.iter())
        .map(|text| (text.name.clone(), text.text.clone()))
        .collect()
}

/// SHA-256 in hexadecimal.
fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first digits of a digest, enough for people.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
