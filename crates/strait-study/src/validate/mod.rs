//! Published measurements, predicted: how far off is Strait?
//!
//! In: rows of published training runs. Out: a [`Report`]: per row what was measured and what
//! comes out, per family the errors, beside those of a constant utilisation; rows that can't be
//! expressed, each with its reason. Never fits anything to a measured step, and never prints.
//!
//! | room | what |
//! |---|---|
//! | [`rows`] | tables of published measurements |
//! | [`facts`] | what is known about publications beyond their rows |
//! | [`words`] | words of tables, read |
//! | [`siblings`] | what a row leaves out and another of its publication prints |
//! | [`draft`] | a row as scenario settings, and what it leaves open |
//! | [`predict`] | open settings chosen by rules, the step simulated |
//! | [`measure`] | metrics to step times and back; conventions of FLOPs |
//! | [`statistics`] | errors in brief, and the constant to beat |
//! | [`report`] | the report |
//! | [`text`], [`page`] | the report for a terminal, and as a page of the book |
//! | [`gate`] | what has become worse |

mod architecture;
pub mod draft;
pub mod facts;
pub mod gate;
mod job;
mod machine;
pub mod measure;
pub mod page;
pub mod predict;
pub mod report;
pub mod rows;
pub mod siblings;
pub mod statistics;
pub mod text;
pub mod words;

pub use report::{Family, Predicted, Refused, Report};
pub use rows::{COLUMNS, Row, TableError};

use crate::catalog::Catalog;
use facts::{Convention, Facts};
use measure::{Metric, Scale};
use predict::Prediction;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use strait_training::simulate::Control;

/// The published rows that the program carries, with the name of their file.
pub const SHIPPED: (&str, &str) = (
    "scenarios/published/training-rows.csv",
    include_str!("../../../../scenarios/published/training-rows.csv"),
);

/// The single-node rows of vTrain, reported apart.
pub const SINGLE_NODE: (&str, &str) = (
    "scenarios/published/vtrain-single-node.csv",
    include_str!("../../../../scenarios/published/vtrain-single-node.csv"),
);

/// How rows are worked through.
#[derive(Clone, Copy)]
pub struct Effort<'a> {
    /// Threads; never changes a result.
    pub threads: usize,
    /// Set from outside to stop.
    pub cancel: &'a AtomicBool,
    /// Told the number of rows done.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

/// What came of one row.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A prediction.
    Predicted(Box<Predicted>),
    /// A reason.
    Refused(Refused),
}

/// Predicts every row, in order. `None` if it was stopped. Rows have been through
/// [`siblings::filled`] with the whole table that they are of.
pub fn validate(rows: &[Row], catalog: &Catalog, effort: Effort<'_>) -> Option<Report> {
    let facts = Facts::shipped();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Vec<Outcome>>>> = rows.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(index) else { break };
            if effort.cancel.load(Ordering::Relaxed) {
                break;
            }
            let found = one(row, facts, catalog, effort.cancel);
            if let Ok(mut slot) = slots[index].lock() {
                *slot = Some(found);
            }
            (effort.progress)(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..effort.threads.min(rows.len()) {
            // Where no thread can be had, those that could do the work.
            let _ = std::thread::Builder::new()
                .stack_size(16 << 20)
                .spawn_scoped(scope, work);
        }
        work();
    });
    let mut outcomes = Vec::with_capacity(rows.len());
    for slot in slots {
        outcomes.extend(slot.into_inner().ok().flatten()?);
    }
    if effort.cancel.load(Ordering::Relaxed) {
        return None;
    }
    Some(Report::new(outcomes))
}

/// Everything about one row: its metric, and the memory that its notes print beside it.
fn one(row: &Row, facts: &Facts, catalog: &Catalog, cancel: &AtomicBool) -> Vec<Outcome> {
    match caught(|| predicted(row, facts, catalog, cancel)) {
        Ok(list) => (list.into_iter())
            .map(|predicted| Outcome::Predicted(Box::new(predicted)))
            .collect(),
        Err(reason) => vec![Outcome::Refused(Refused {
            id: match row.id() {
                "" => format!("line {}", row.line),
                id => id.to_owned(),
            },
            source: row.get("source").to_owned(),
            reason: row.briefly(reason),
        })],
    }
}

/// A row's fault is that row's alone: the others of the table are told in any case.
fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // Nothing that is changed in there is seen outside.
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = (panic.downcast_ref::<&str>().copied())
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("it has no words");
        Err(format!("an internal error: {words}; please report it"))
    })
}

/// A row is simulated on one thread, without a word: rows run beside each other.
fn control(cancel: &AtomicBool) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

fn predicted(
    row: &Row,
    facts: &Facts,
    catalog: &Catalog,
    cancel: &AtomicBool,
) -> Result<Vec<Predicted>, String> {
    let drafted = draft::draft(row, facts, catalog)?;
    let metric = Metric::of(row.get("metric"))?;
    let measured = measure::value(row, metric)?;
    let convention = drafted.known.convention.unwrap_or(Convention::Full);
    let prediction = predict::predict(row, drafted, catalog, control(cancel))?;
    let scale = Scale::new(&prediction.case, row, metric, convention);
    let mut found = Vec::new();
    if metric == Metric::ActivationMemory {
        found.push(Predicted::of_memory(
            row,
            report::ACTIVATIONS,
            measured,
            &prediction,
        ));
    } else {
        found.push(Predicted::new(row, metric, measured, &scale, &prediction));
    }
    // Allocated and reserved memory of the fullest rank, where they are printed.
    for (key, what) in [
        ("real_alloc_gib", "allocated"),
        ("real_reserved_gib", "reserved"),
    ] {
        if let Some(printed) = row.noted(key).and_then(words::figure) {
            found.push(Predicted::of_memory(row, what, printed, &prediction));
        }
    }
    Ok(found)
}

/// The scenario that stands for a row, with every choice made. As for [`validate()`], what it leaves
/// out has been filled in.
///
/// # Errors
///
/// Why there is none.
pub fn scenario_of(row: &Row, catalog: &Catalog, cancel: &AtomicBool) -> Result<String, String> {
    let scenario = || {
        let drafted = draft::draft(row, Facts::shipped(), catalog)?;
        let Prediction { draft, .. } = predict::predict(row, drafted, catalog, control(cancel))?;
        Ok(draft.text(row))
    };
    caught(scenario).map_err(|reason| row.briefly(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_reason() {
        let found = caught(|| -> Result<(), String> { panic!("row {}", 7) });
        let reason = found.expect_err("it panicked");
        assert!(reason.contains("internal error: row 7"), "{reason}");
        assert_eq!(caught(|| Ok(1)), Ok(1));
    }

    #[test]
    fn absurd_values_are_refused() {
        let row = |value: &str| {
            let cells = [
                ("id", "x"),
                ("source", "a table"),
                ("model", "Llama 3 8B"),
                ("gpus", "8"),
                ("gpu", "H100"),
                ("tp", "1"),
                ("pp", "1"),
                ("metric", "iteration_time_s"),
                ("value", value),
            ];
            Row::of(2, cells.map(|(name, text)| (name, text.to_owned())))
        };
        let refused = |value: &str| {
            let cancel = AtomicBool::new(false);
            predicted(&row(value), Facts::shipped(), &Catalog::embedded(), &cancel).err()
        };
        for value in ["1e-300", "1e300"] {
            assert!(refused(value).is_some_and(|why| why.contains("outside of all")));
        }
        assert_eq!(refused("10"), None);
    }
}
