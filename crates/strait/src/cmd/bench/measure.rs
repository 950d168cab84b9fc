//! What `strait bench` measures with.
//!
//! In: pieces of work. Out: figures: CPU seconds of this thread, peaks of memory, the
//! machine's name. Never prints.

use crate::clock::{self, Clock};
use crate::exit::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_training::simulate::Control;

/// One figure.
pub struct Figure {
    /// Name, as scripts read it.
    pub name: String,
    /// Value in its unit.
    pub value: f64,
    /// Unit.
    pub unit: &'static str,
}

/// Figures so far.
pub struct Bench<'a> {
    /// All of them, in order.
    pub figures: Vec<Figure>,
    /// Says to stop.
    pub cancel: &'a AtomicBool,
    /// Names of the rates that get a ratio.
    rates: Vec<String>,
    /// Memory of the process at the start, in MB.
    before: f64,
}

impl<'a> Bench<'a> {
    /// No figures; memory counts from here.
    pub fn new(cancel: &'a AtomicBool) -> Bench<'a> {
        Bench {
            figures: Vec::new(),
            cancel,
            rates: Vec::new(),
            before: memory("VmRSS:"),
        }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let name = name.into();
        self.figures.push(Figure { name, value, unit });
    }

    /// Adds a rate that gets a ratio too.
    pub fn rate(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let name = name.into();
        self.rates.push(name.clone());
        self.add(name, value, unit);
    }

    /// Adds the figures of a whole job: its sizes, CPU seconds, rate, and the peak of memory
    /// since [`Bench::reset_peak`].
    pub fn whole(&mut self, name: &str, ranks: f64, ops: f64, events: f64, seconds: f64) {
        let peak = (memory("VmHWM:") - self.before).max(0.0);
        self.add(format!("{name}_ranks"), ranks, "ranks");
        self.add(format!("{name}_ops"), ops, "ops");
        self.add(format!("{name}_events"), events, "events");
        self.add(format!("{name}_cpu"), seconds, "s");
        self.rate(format!("{name}_rate"), ops / seconds, "ops/s");
        self.add(format!("{name}_memory"), peak, "MB");
    }

    /// A figure's value; not a number where there is none.
    pub fn value(&self, name: &str) -> f64 {
        let found = self.figures.iter().find(|figure| figure.name == name);
        found.map_or(f64::NAN, |figure| figure.value)
    }

    /// Adds each rate over that of `base`: `step_rate` gives `step_ratio`, others `NAME_ratio`.
    pub fn ratios(&mut self, base: &str) {
        let base = self.value(base);
        for rate in std::mem::take(&mut self.rates) {
            let value = self.value(&rate) / base;
            let stem = rate.strip_suffix("_rate").unwrap_or(&rate);
            self.add(format!("{stem}_ratio"), value, "x");
        }
    }

    /// CPU seconds of the fastest of several runs, and what the last returned.
    pub fn fastest<T>(
        &self,
        repeats: u32,
        mut work: impl FnMut() -> Result<T, Failure>,
    ) -> Result<(T, f64), Failure> {
        let mut best = f64::INFINITY;
        let mut last = None;
        for _ in 0..repeats.max(1) {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            // The result before goes first, so that its memory is not in the way.
            drop(last.take());
            let (cpu, wall) = (clock::thread(), Clock::start());
            last = Some(work()?);
            let spent = clock::thread() - cpu;
            // Where the system does not tell a thread's time, elapsed time has to do.
            best = best.min(if spent > 0.0 { spent } else { wall.elapsed() });
        }
        let last = last.ok_or(Failure::Interrupted)?;
        Ok((last, best))
    }

    /// What a simulation is controlled by.
    pub fn control(&self) -> Control<'_> {
        Control {
            cancel: self.cancel,
            progress: &|_| {},
            threads: 1,
            full_ranks: true,
            clock: &clock::thread,
        }
    }

    /// Starts the peak of this process's memory afresh (Linux); elsewhere it counts from the
    /// start.
    pub fn reset_peak(&self) {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
}

/// The largest memory of any part so far, in MB: where peaks start afresh, that of the parts
/// since the last time.
pub fn largest_memory() -> f64 {
    memory("VmHWM:")
}

/// A field of proc_pid_status(5) in MB; zero where there is none.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map_or(0.0, |kib| kib * 1024.0 / 1e6)
}

/// The processor's name and how many there are.
pub fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {count} usable")
}
