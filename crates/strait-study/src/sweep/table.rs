//! A merged folder, read back for figures and reports.
//!
//! In: a folder with `plan.json`, `merged.json` and `cases.jsonl`. Out: a [`Table`] with the cells of each
//! axis and the values of each metric, all as long as there are cases. Never merges, never runs a case.

use super::columns::{Column, Columns, Role, Value};
use super::error::SweepError;
use super::folder::{CASES_JSONL, Folder};
use super::merge::{Merged, merged};
use super::plan::{Opened, Plan};
use super::sampling::Cell;
use super::text::quoted;
use crate::scenario::{Mode, Overrides, Template};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// An axis of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisColumn {
    /// Its path, or its name.
    pub path: String,
    /// Unit of its numbers.
    pub unit: Option<String>,
    /// Its value in each case.
    pub cells: Vec<Cell>,
}

/// A metric of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricColumn {
    /// Name.
    pub name: String,
    /// Unit; "1" for shares and flags.
    pub unit: String,
    /// Its value in each case; `None` where the case has none.
    pub values: Vec<Option<f64>>,
}

/// All rows of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Title of the scenario.
    pub title: String,
    /// The question that it answers; may be empty.
    pub question: String,
    /// How the values of axes were combined.
    pub mode: Mode,
    /// Chance was simulated in each case.
    pub chance: bool,
    /// Axes in their order.
    pub axes: Vec<AxisColumn>,
    /// Metrics in the order of their columns.
    pub metrics: Vec<MetricColumn>,
    /// Why cases have no metrics.
    pub errors: Vec<Option<String>>,
    /// How to get it again.
    pub reproduce: String,
    /// Digest of the plan.
    pub digest: String,
    /// What the merge left: the best case, what each axis does.
    pub merged: Merged,
}

impl Table {
    /// Reads a merged folder, whatever version of Strait made it.
    ///
    /// # Errors
    /// That there is no plan, that it is not merged, or that a file can't be read or was changed.
    pub fn open(path: &Path) -> Result<Table, SweepError> {
        let folder = Folder::new(path);
        let plan = Plan::read(&folder.plan())?;
        let Some(merged) = merged(&folder, &plan) else {
            return Err(SweepError::input(
                format!("{} is not merged", path.display()),
                format!(
                    "merge it first: strait sweep merge {}",
                    quoted(&path.display().to_string())
                ),
            ));
        };
        let texts: Vec<_> = (plan.texts.iter())
            .map(|text| (text.name.clone(), text.text.clone()))
            .collect();
        let overrides = Overrides {
            set: plan.set.clone(),
            ..Overrides::default()
        };
        let template = Template::frozen(&texts, &[], &overrides).map_err(SweepError::Scenario)?;
        let columns = Columns::of(&plan, &template);
        let mut table = Table::empty(&plan, &columns, merged, &path.display().to_string());
        let file = folder.file(CASES_JSONL);
        let read = |source| SweepError::Read {
            path: file.clone(),
            source,
        };
        let reader = BufReader::with_capacity(1 << 18, File::open(&file).map_err(read)?);
        for line in reader.lines() {
            let line = line.map_err(read)?;
            let row = columns.parse(&line).ok_or_else(|| {
                SweepError::input(
                    format!("{} has a line that is no row of this plan", file.display()),
                    format!(
                        "remove {} and merge again: strait sweep merge {}",
                        quoted(&file.display().to_string()),
                        quoted(&path.display().to_string())
                    ),
                )
            })?;
            table.add(&columns, row);
        }
        if table.errors.len() as u64 != plan.cases {
            return Err(SweepError::input(
                format!(
                    "{} has {} rows, the plan {} cases",
                    file.display(),
                    table.errors.len(),
                    plan.cases
                ),
                format!(
                    "remove it and merge again: strait sweep merge {}",
                    quoted(&path.display().to_string())
                ),
            ));
        }
        Ok(table)
    }

    /// A table of rows that are in memory.
    pub fn of(opened: &Opened, columns: &Columns, merged: Merged, rows: Vec<Vec<Value>>) -> Table {
        let mut table = Table::empty(&opened.plan, columns, merged, "DIR");
        for row in rows {
            table.add(columns, row);
        }
        table
    }

    fn empty(plan: &Plan, columns: &Columns, merged: Merged, folder: &str) -> Table {
        let metric = |column: &&Column| column.role == Role::Metric;
        Table {
            title: plan.title.clone(),
            question: plan.question.clone(),
            mode: plan.mode,
            chance: plan.chance,
            axes: (plan.axes.iter())
                .map(|axis| AxisColumn {
                    path: axis.name.clone(),
                    unit: axis.unit.clone(),
                    cells: Vec::new(),
                })
                .collect(),
            metrics: (columns.list.iter().filter(metric))
                .map(|column| MetricColumn {
                    name: column.name.clone(),
                    unit: column.unit.clone(),
                    values: Vec::new(),
                })
                .collect(),
            errors: Vec::new(),
            reproduce: plan.reproduce(Some(folder)),
            digest: plan.digest.clone(),
            merged,
        }
    }

    fn add(&mut self, columns: &Columns, row: Vec<Value>) {
        let mut cells: Vec<Cell> = (self.axes.iter())
            .map(|_| Cell {
                text: String::new(),
                number: None,
            })
            .collect();
        let mut metrics = self.metrics.iter_mut();
        for (column, value) in columns.list.iter().zip(row) {
            match (column.role, value) {
                (Role::AxisText(axis), Value::Text(text)) => cells[axis].text = text,
                (Role::AxisNumber(axis), value) => {
                    cells[axis].number = value.number();
                    if let (true, Some(number)) = (cells[axis].text.is_empty(), value.number()) {
                        cells[axis].text = number.to_string();
                    }
                }
                (Role::Error, Value::Text(text)) => self.errors.push(Some(text)),
                (Role::Error, _) => self.errors.push(None),
                (Role::Metric, value) => {
                    if let Some(metric) = metrics.next() {
                        metric.values.push(value.number());
                    }
                }
                _ => {}
            }
        }
        for (axis, cell) in self.axes.iter_mut().zip(cells) {
            axis.cells.push(cell);
        }
    }

    /// How many cases there are.
    pub fn cases(&self) -> usize {
        self.errors.len()
    }

    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<&MetricColumn> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// An axis by its path or name.
    pub fn axis(&self, path: &str) -> Option<&AxisColumn> {
        self.axes.iter().find(|axis| axis.path == path)
    }
}
