//! How far long work has come.
//!
//! In: shares of each case. Out: a bar on a terminal, a line now and then elsewhere with
//! `-v`. Never writes to stdout, and nothing at all for work that is over in a moment.

use crate::terminal::Terminal;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Work shorter than this shows no bar.
const MOMENT: Duration = Duration::from_millis(400);
/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Steps of a bar for one case.
const STEPS: u32 = 1000;

/// Progress over several cases.
pub struct Progress<'a> {
    terminal: &'a Terminal,
    bar: Option<ProgressBar>,
    shares: Vec<AtomicU32>,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl<'a> Progress<'a> {
    /// For this many cases.
    pub fn new(terminal: &'a Terminal, cases: usize) -> Progress<'a> {
        let bar = terminal.live().then(|| {
            let length = cases as u64 * u64::from(STEPS);
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(Some(length), target);
            let template = "simulating {wide_bar} {percent:>3} %, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Progress {
            terminal,
            bar,
            shares: (0..cases).map(|_| AtomicU32::new(0)).collect(),
            started: now,
            last_line: Mutex::new(now),
        }
    }

    /// A case has come this far (0 to 1).
    pub fn set(&self, case: usize, share: f64) {
        let steps = (share.clamp(0.0, 1.0) * f64::from(STEPS)) as u32;
        self.shares[case].store(steps, Ordering::Relaxed);
        if self.started.elapsed() < MOMENT {
            return;
        }
        let done: u64 = (self.shares.iter())
            .map(|share| u64::from(share.load(Ordering::Relaxed)))
            .sum();
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None => self.line(done),
        }
    }

    fn line(&self, done: u64) {
        // A thread that finds the lock taken leaves the line to its holder.
        let Ok(mut last) = self.last_line.try_lock() else {
            return;
        };
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            let share = done as f64 / (self.shares.len() as f64 * f64::from(STEPS));
            self.terminal.aside(&format!(
                "simulating: {:.0} % after {} s",
                share * 100.0,
                self.started.elapsed().as_secs()
            ));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
