//! From the number of a case to its row.
//!
//! In: a plan with its scenario and the catalogue. Out: rows. Cases that differ in prices alone share
//! their simulated steps, as far as a bounded memory goes. Never touches a file; what a case's row is does
//! not depend on what else was asked for.

use super::columns::{Columns, Value};
use super::plan::{self, Opened};
use crate::answer::Setting;
use crate::catalog::Catalog;
use crate::scenario::{Diagnostic, Severity};
use crate::search::calm;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use strait_training::case::Case;
use strait_training::run::{Steps, compose, steps_without_bars};
use strait_training::simulate::{Control, SimulateError, check};

/// Simulated steps that are remembered; each is some ten kilobytes.
const REMEMBERED: usize = 1024;

/// Paths that the step of a case does not depend on.
const PRICES: [&str; 2] = ["economics.", "reliability."];

/// A sweep that is being run.
pub struct Study {
    opened: Opened,
    catalog: Catalog,
    columns: Columns,
    known: Mutex<Known>,
}

/// Steps by what they depend on, the oldest forgotten first.
#[derive(Default)]
struct Known {
    steps: BTreeMap<String, Arc<Result<Steps, String>>>,
    order: VecDeque<String>,
}

impl Study {
    /// Of a plan.
    pub fn new(opened: Opened, catalog: &Catalog) -> Study {
        Study {
            columns: Columns::of(&opened.plan, &opened.template),
            // Nobody asks a row where its values came from.
            catalog: catalog.without_sources(),
            opened,
            known: Mutex::default(),
        }
    }

    /// The plan with its scenario.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The plan.
    pub fn plan(&self) -> &plan::Plan {
        &self.opened.plan
    }

    /// The columns of its rows.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The row of a case; `None` where the caller asked to stop. A case that fails is a row with its
    /// error.
    pub fn row(&self, case: u64, control: Control<'_>) -> Option<Vec<Value>> {
        let cells = self.opened.sampler.settings(case).cells;
        // One case that meets a fault of the program must not take all others with it.
        let tried = catch_unwind(AssertUnwindSafe(|| self.answer(case, control)));
        match tried {
            Ok(Ok(row)) => Some(row),
            Ok(Err(Stopped::Cancelled)) => None,
            Ok(Err(Stopped::Failed(why))) => Some(self.columns.failed(case, &cells, &why)),
            Err(_) => {
                let why = "the simulation failed by a fault of its own: please report this case";
                Some(self.columns.failed(case, &cells, why))
            }
        }
    }

    fn answer(&self, number: u64, control: Control<'_>) -> Result<Vec<Value>, Stopped> {
        let Opened {
            plan,
            template,
            sampler,
            ..
        } = &self.opened;
        let settings = sampler.settings(number);
        let mut resolved = plan::resolve(plan, template, sampler, &self.catalog, number)
            .map_err(|faults| Stopped::Failed(told(&faults)))?;
        if !plan.chance {
            resolved.case = calm(resolved.case);
        }
        let case = &resolved.case;
        let mut key = settings.case.clone().unwrap_or_default();
        for (path, value) in &settings.set {
            if !PRICES.iter().any(|prices| path.starts_with(prices)) {
                key.push_str(&format!("\n{path}={value}"));
            }
        }
        if plan.chance || (case.training.phases.iter()).any(|p| p.reinforcement.is_some()) {
            key.push_str(&format!("\nseed={}", case.seed));
        }
        let steps = self.steps(key, case, control)?;
        let steps = steps
            .as_ref()
            .as_ref()
            .map_err(|why| Stopped::Failed(why.clone()))?;
        let outcome = compose(case, steps).map_err(|error| Stopped::Failed(error.to_string()))?;
        let mut setting = Setting::from(case);
        setting.fleet.clone_from(&resolved.fleet);
        Ok(self.columns.row(
            number,
            &settings.cells,
            &setting,
            &resolved.claims,
            &outcome,
        ))
    }

    /// The steps of a case, simulated or remembered.
    fn steps(
        &self,
        key: String,
        case: &Case,
        control: Control<'_>,
    ) -> Result<Arc<Result<Steps, String>>, Stopped> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(steps) = known.steps.get(&key) {
            return Ok(Arc::clone(steps));
        }
        drop(known);
        let found = simulated(case, control)?;
        let found = Arc::new(found);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known
            .steps
            .insert(key.clone(), Arc::clone(&found))
            .is_none()
        {
            known.order.push_back(key);
        }
        if known.order.len() > REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.steps.remove(&oldest);
        }
        Ok(found)
    }
}

/// Why a case has no row of metrics.
enum Stopped {
    Cancelled,
    Failed(String),
}

fn simulated(case: &Case, control: Control<'_>) -> Result<Result<Steps, String>, Stopped> {
    if let Some(error) = check(case).first() {
        return Ok(Err(contradiction(error)));
    }
    match steps_without_bars(case, control) {
        Ok(steps) => Ok(Ok(steps)),
        Err(SimulateError::Cancelled) => Err(Stopped::Cancelled),
        Err(error) => Ok(Err(contradiction(&error))),
    }
}

fn contradiction(error: &SimulateError) -> String {
    match error {
        SimulateError::Invalid { path, message, .. } => format!("{message} ({path})"),
        SimulateError::Cancelled => "interrupted".to_owned(),
    }
}

/// The first fault in one line, and how many there are.
fn told(faults: &[Diagnostic]) -> String {
    let errors: Vec<&Diagnostic> = (faults.iter())
        .filter(|fault| fault.severity == Severity::Error)
        .collect();
    match errors.as_slice() {
        [] => "the case can't be resolved".to_owned(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}
