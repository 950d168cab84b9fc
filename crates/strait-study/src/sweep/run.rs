//! Shards on many threads.
//!
//! In: a study, a folder, which part of the shards. Out: their files, and what happened as it happens.
//! Shards that are there and whole are left alone; rows come in the order of their cases whatever thread
//! had them. Never prints, never merges.

use super::columns::{COST, ERROR, STEP};
use super::error::SweepError;
use super::folder::{Folder, Part};
use super::shard::{self, State, Writer};
use super::study::Study;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use strait_training::simulate::Control;

/// Stack of a thread that simulates.
const STACK: usize = 16 << 20;

/// Rows of each thread that may wait to be written.
const AHEAD: usize = 64;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// So many cases are to be done, and so many shards are there already.
    Begin {
        /// Cases to do.
        cases: u64,
        /// Shards to do.
        shards: u64,
        /// Shards that are there.
        finished: u64,
    },
    /// A shard is there already.
    Skipped {
        /// Which.
        shard: u64,
        /// Its rows.
        rows: u64,
        /// Of them with an error.
        errors: u64,
    },
    /// A shard is there, but can't be used: it is done again.
    Damaged {
        /// Which.
        shard: u64,
        /// Why.
        why: String,
    },
    /// A case is done.
    Case {
        /// Its cost in US dollars, where it has an answer.
        cost: Option<f64>,
        /// Its step in seconds.
        step: Option<f64>,
        /// It has no answer.
        failed: bool,
    },
    /// A shard is done.
    Done {
        /// Which.
        shard: u64,
        /// Its rows.
        rows: u64,
        /// Of them with an error.
        errors: u64,
    },
}

/// What to run, and how.
pub struct Job<'a> {
    /// Where.
    pub folder: &'a Folder,
    /// Which shards.
    pub part: Part,
    /// Threads; never changes a row.
    pub threads: usize,
    /// Nobody else works on the folder: what killed processes left may be removed.
    pub alone: bool,
    /// Set from outside to stop at the next opportunity.
    pub cancel: &'a AtomicBool,
    /// Told what happens, from any thread.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// Runs the shards of a part that are not there yet. The folder must be locked.
///
/// # Errors
/// That files can't be read or written, threads can't be had, or the caller asked to stop. Shards that
/// were finished by then stay.
pub fn run(study: &Study, job: &Job<'_>) -> Result<(), SweepError> {
    let plan = study.plan();
    if job.alone {
        shard::sweep_up(job.folder);
    }
    let mut missing = Vec::new();
    let mut finished = 0;
    for shard in job.part.shards(plan.shards) {
        if job.cancel.load(Ordering::Relaxed) {
            return Err(SweepError::Cancelled);
        }
        match shard::verify(job.folder, plan, shard)? {
            State::Whole(footer) => {
                finished += 1;
                (job.tell)(Event::Skipped {
                    shard,
                    rows: footer.rows,
                    errors: footer.errors,
                });
            }
            State::Missing => missing.push(shard),
            State::Damaged(why) => {
                (job.tell)(Event::Damaged { shard, why });
                missing.push(shard);
            }
        }
    }
    (job.tell)(Event::Begin {
        cases: missing.iter().map(|shard| plan.rows(*shard)).sum(),
        shards: missing.len() as u64,
        finished,
    });
    if missing.is_empty() {
        return Ok(());
    }
    let threads = job.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK)
        .build()
        .map_err(|error| SweepError::Threads {
            threads,
            message: error.to_string(),
        })?;
    let cases = missing.iter().flat_map(|shard| {
        let last = plan.rows(*shard) - 1;
        (0..=last).map(move |row| (*shard, row, row == last))
    });
    // Set where nobody wants more rows: the caller asked to stop, or they can't be written.
    let over = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(threads * AHEAD);
    std::thread::scope(|scope| {
        let (over, pool) = (&over, &pool);
        let cases = cases.enumerate();
        scope.spawn(move || {
            pool.install(|| {
                (cases.take_while(|_| !over.load(Ordering::Relaxed)))
                    .par_bridge()
                    .for_each_with(sender, |sender, (at, (shard, row, last))| {
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                        let line = one(study, job, row * plan.shards + shard);
                        // Who writes ends first only where rows can't be written.
                        let _ = sender.send((at, Row { shard, last, line }));
                    });
            });
        });
        let written = write(study, job, receiver);
        over.store(true, Ordering::Relaxed);
        written
    })
}

/// The row of a case.
struct Row {
    shard: u64,
    /// It is the last of its shard.
    last: bool,
    /// The line, and whether it has an error; `None` where the caller asked to stop.
    line: Option<(String, bool)>,
}

/// Writes rows in their order, as they come in any.
fn write(study: &Study, job: &Job<'_>, rows: Receiver<(usize, Row)>) -> Result<(), SweepError> {
    let mut early: BTreeMap<usize, Row> = BTreeMap::new();
    let mut next = 0;
    let mut writer: Option<Writer> = None;
    for (at, row) in rows {
        early.insert(at, row);
        while let Some(Row { shard, last, line }) = early.remove(&next) {
            next += 1;
            let Some((line, failed)) = line else {
                return Err(SweepError::Cancelled);
            };
            let mut open = match writer.take() {
                Some(open) => open,
                None => Writer::new(job.folder, study.plan(), shard)?,
            };
            open.row(&line, failed)?;
            if last {
                let footer = open.finish()?;
                (job.tell)(Event::Done {
                    shard,
                    rows: footer.rows,
                    errors: footer.errors,
                });
            } else {
                writer = Some(open);
            }
        }
    }
    match writer {
        None => Ok(()),
        Some(_) => Err(SweepError::Unexpected(
            "rows are missing at the end of a shard".to_owned(),
        )),
    }
}

/// The row of a case, and whether it has an error; `None` where the caller asked to stop.
fn one(study: &Study, job: &Job<'_>, case: u64) -> Option<(String, bool)> {
    if job.cancel.load(Ordering::Relaxed) {
        return None;
    }
    let control = Control {
        cancel: job.cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    let row = study.row(case, control)?;
    let columns = study.columns();
    let number = |name: &str| columns.place(name).and_then(|place| row[place].number());
    let failed = columns
        .place(ERROR)
        .is_some_and(|place| row[place] != super::columns::Value::Missing);
    (job.tell)(Event::Case {
        cost: number(COST),
        step: number(STEP),
        failed,
    });
    Some((columns.line(&row), failed))
}
