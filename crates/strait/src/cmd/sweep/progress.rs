//! How far a sweep has come.
//!
//! In: events from the threads that work. Out: a bar on a terminal, a line every ten seconds elsewhere,
//! with cases a second, the time left, and medians so far, so that a wrong set-up shows early; with
//! `--json` a line for each finished shard. Never looks at a row.

use crate::exit::Failure;
use crate::terminal::Terminal;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use strait_study::sweep::{Event, text};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two drawings of a bar.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Parts of a decade that a median is told to: half a per cent.
const PARTS: f64 = 500.0;

/// What has happened so far.
#[derive(Default)]
pub struct Tally {
    /// Shards that were there.
    pub skipped: u64,
    /// Shards that were done.
    pub done: u64,
    /// Rows of all of them.
    pub rows: u64,
    /// Of them with an error.
    pub errors: u64,
    cases: u64,
    to_do: u64,
    failed: u64,
    cost: Median,
    step: Median,
}

/// A running median of positive numbers, to half a per cent, in bounded memory.
#[derive(Default)]
struct Median {
    counts: BTreeMap<i32, u64>,
    all: u64,
}

impl Median {
    fn add(&mut self, value: f64) {
        if value > 0.0 && value.is_finite() {
            *self
                .counts
                .entry((value.log10() * PARTS).round() as i32)
                .or_default() += 1;
            self.all += 1;
        }
    }

    fn get(&self) -> Option<f64> {
        let mut below = 0;
        for (part, count) in &self.counts {
            below += count;
            if 2 * below >= self.all {
                return Some(10f64.powf(f64::from(*part) / PARTS));
            }
        }
        None
    }
}

/// Does `work` on a thread of its own, and shows what it tells until it ends.
pub fn follow<T: Send>(
    shards: u64,
    terminal: &Terminal,
    work: impl FnOnce(&(dyn Fn(Event) + Sync)) -> T + Send,
) -> Result<(T, Tally), Failure> {
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|error| Failure::Unexpected(error.to_string()))?;
    let (sender, receiver) = unbounded_channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            work(&|event| {
                // Who listens ends after who speaks; if not, there is nobody to tell.
                let _ = sender.send(event);
            })
        });
        let tally = runtime.block_on(watch(receiver, shards, terminal));
        let done = worker
            .join()
            .map_err(|_| Failure::Unexpected("a thread of the sweep failed".to_owned()))?;
        Ok((done, tally?))
    })
}

async fn watch(
    mut events: UnboundedReceiver<Event>,
    shards: u64,
    terminal: &Terminal,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    let started = Instant::now();
    let mut last_line = started;
    let bar = terminal.live().then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar
    });
    let mut undelivered = None;
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                if let Err(failure) = take(&mut tally, &event, shards, terminal) {
                    // What is computed is not lost because nobody reads about it.
                    undelivered.get_or_insert(failure);
                }
            }
            _ = ticks.tick() => {
                let line = told(&tally, started.elapsed());
                if let Some(bar) = &bar {
                    bar.set_length(tally.to_do);
                    bar.set_position(tally.cases);
                    bar.set_message(line);
                } else if last_line.elapsed() >= LINE_EVERY {
                    last_line = Instant::now();
                    terminal.remark(&format!("{} of {} cases, {line}", tally.cases, tally.to_do));
                }
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match undelivered {
        Some(failure) => Err(failure),
        None => Ok(tally),
    }
}

fn take(tally: &mut Tally, event: &Event, shards: u64, terminal: &Terminal) -> Result<(), Failure> {
    let mut ended = |shard: &u64, rows: &u64, errors: &u64, state: &str| {
        tally.rows += rows;
        tally.errors += errors;
        match terminal.json() {
            true => terminal.line(&json!({
                "shard": shard, "of": shards, "rows": rows, "errors": errors, "state": state
            })),
            false => Ok(()),
        }
    };
    match event {
        Event::Skipped {
            shard,
            rows,
            errors,
        } => {
            ended(shard, rows, errors, "skipped")?;
            tally.skipped += 1;
        }
        Event::Done {
            shard,
            rows,
            errors,
        } => {
            ended(shard, rows, errors, "done")?;
            tally.done += 1;
            terminal.aside(&format!(
                "shard {shard} is done: {}, {}",
                text::counted(*rows, "case"),
                text::counted(*errors, "error")
            ));
        }
        Event::Damaged { shard, why } => {
            terminal.remark(&format!("shard {shard} is done again: {why}"));
        }
        Event::Begin { cases, .. } => tally.to_do = *cases,
        Event::Case { cost, step, failed } => {
            tally.cases += 1;
            tally.failed += u64::from(*failed);
            if let Some(cost) = cost {
                tally.cost.add(*cost);
            }
            if let Some(step) = step {
                tally.step.add(*step);
            }
        }
    }
    Ok(())
}

/// Speed, time left and medians.
fn told(tally: &Tally, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = tally.cases as f64 / seconds.max(1e-3);
    let mut parts = vec![match rate >= 10.0 {
        true => format!("{rate:.0} cases/s"),
        false => format!("{rate:.2} cases/s"),
    }];
    if tally.cases > 0 {
        let left = (tally.to_do.saturating_sub(tally.cases)) as f64 / rate;
        parts.push(match left {
            left if left >= 120.0 => format!("{:.0} min left", left / 60.0),
            left => format!("{left:.0} s left"),
        });
    }
    if let Some(cost) = tally.cost.get() {
        parts.push(format!("median {}", text::money(cost)));
    }
    if let Some(step) = tally.step.get() {
        parts.push(format!("{step:.3} s a step"));
    }
    if tally.failed > 0 {
        parts.push(format!("{} without an answer", tally.failed));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_median_is_close() {
        let mut median = Median::default();
        assert_eq!(median.get(), None);
        for value in [5.0, 1.0, 9.0, 3.0, 7.0, -1.0, f64::NAN] {
            median.add(value);
        }
        let found = median.get().unwrap();
        assert!((found / 5.0 - 1.0).abs() < 0.005, "{found}");
    }
}
