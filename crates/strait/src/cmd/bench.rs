//! `strait bench`: how fast Strait is on this machine.
//!
//! In: nothing. Out: rates in CPU seconds of one thread, each also as a ratio to a plain
//! binary-heap event loop measured in the same run, so that machines can be compared.

mod job;

use crate::clock::{self, Clock};
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::random::Key;
use strait_sim::{Engine, JitteredTiming, Job, Mode, Unobserved};
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides};
use strait_training::case::Case;
use strait_training::simulate::{Control, SimulateError, simulate};
use strait_training::step::step;
use strait_training::timeline::main_step;
use strait_units::{Ratio, Time};

/// The flagship: 2,048 ranks.
const FLAGSHIP: &str = include_str!("../../../../scenarios/deepseek-v3/h800.toml");
/// The tutorial's scenario: eight ranks.
const TUTORIAL: &str = include_str!("../../../../scenarios/tutorial/first-step.toml");

/// Events of a hold loop, and entries pending: two for each of 2,048 ranks.
const HOLDS: u64 = 4_000_000;
const PENDING: u32 = 4096;
/// Times that a short measurement is repeated; the fastest counts.
const REPEATS: u32 = 3;

/// One figure.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

/// Figures so far.
struct Bench<'a> {
    figures: Vec<Figure>,
    cancel: &'a AtomicBool,
}

impl Bench<'_> {
    fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        self.figures.push(Figure { name, value, unit });
    }

    fn value(&self, name: &str) -> f64 {
        let found = self.figures.iter().find(|figure| figure.name == name);
        found.map_or(f64::NAN, |figure| figure.value)
    }

    /// CPU seconds of the fastest of several runs, and what the last returned.
    fn fastest<T>(
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

    fn control(&self) -> Control<'_> {
        Control {
            cancel: self.cancel,
            progress: &|_| {},
            threads: 1,
            full_ranks: true,
            clock: &clock::thread,
        }
    }
}

/// Measures, and prints figures.
pub fn bench(terminal: &Terminal, cancel: &AtomicBool) -> Result<ExitStatus, Failure> {
    if cfg!(debug_assertions) {
        terminal.remark("warning: this is an unoptimised build; build with --release to measure");
    }
    let mut bench = Bench {
        figures: Vec::new(),
        cancel,
    };
    // First, while the process is small: its memory is measured too.
    flagship(&mut bench)?;
    queues(&mut bench)?;
    executors(&mut bench)?;
    tutorial(&mut bench)?;
    folded(&mut bench)?;
    let heap = bench.value("heap_hold");
    for (ratio, of) in [
        ("wheel_hold_ratio", "wheel_hold"),
        ("executor_every_op_ratio", "executor_every_op"),
        ("executor_runs_ratio", "executor_runs"),
        ("step_ratio", "step_rate"),
    ] {
        let value = bench.value(of) / heap;
        bench.add(ratio, value, "x");
    }
    bench.add("process_memory", memory("VmHWM:"), "MB");
    let machine = machine();
    if terminal.json() {
        let results: Vec<_> = (bench.figures.iter())
            .map(|f| serde_json::json!({ "name": f.name, "value": f.value, "unit": f.unit }))
            .collect();
        terminal.object(&serde_json::json!({
            "strait": crate::VERSION,
            "machine": machine,
            "optimised": !cfg!(debug_assertions),
            "results": results,
        }))?;
    } else {
        terminal.result(&text(&bench, &machine))?;
    }
    Ok(ExitStatus::Done)
}

/// A whole step of the flagship: lowering, simulation, parts.
fn flagship(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let case = embedded("flagship", FLAGSHIP)?;
    let input = main_step(&case).ok_or_else(|| Failure::Unexpected("no main phase".to_owned()))?;
    reset_peak();
    let before = memory("VmRSS:");
    let (outcome, seconds) =
        bench.fastest(1, || step(input, bench.control()).map_err(simulation))?;
    let peak = memory("VmHWM:") - before;
    let (ops, events) = (outcome.work.ops as f64, outcome.work.events as f64);
    bench.add("step_ranks", outcome.work.ranks as f64, "ranks");
    bench.add("step_ops", ops, "ops");
    bench.add("step_events", events, "events");
    bench.add("step_cpu", seconds, "s");
    bench.add("step_rate", ops / seconds, "ops/s");
    bench.add("step_memory", peak.max(0.0), "MB");
    Ok(())
}

/// Scenario text to answer of a small case, all in this process.
fn tutorial(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let (_, seconds) = bench.fastest(REPEATS, || {
        let case = embedded("tutorial", TUTORIAL)?;
        simulate(&case, bench.control()).map_err(simulation)
    })?;
    bench.add("tutorial_answer", seconds * 1e3, "ms");
    Ok(())
}

/// The flagship without chance, which folds: scenario text to answer, the catalogue read before.
fn folded(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let set = [
        ("noise.jitter", "0"),
        ("noise.chip_spread", "0"),
        ("routing.balance", "forced"),
    ];
    let overrides = Overrides {
        set: (set.iter())
            .map(|&(path, value)| (path.to_owned(), value.to_owned()))
            .collect(),
        ..Overrides::default()
    };
    let catalog = Catalog::embedded();
    let control = Control {
        full_ranks: false,
        ..bench.control()
    };
    let (_, seconds) = bench.fastest(5 * REPEATS, || {
        let case = read("folded", FLAGSHIP, &catalog, &overrides)?;
        simulate(&case, control).map_err(simulation)
    })?;
    bench.add("folded_case", seconds * 1e3, "ms");
    Ok(())
}

/// Hold model: take the earliest entry, put it back up to 100 us later.
fn hold<Q: EventQueue>() -> u64 {
    const SPREAD: u64 = 100_000_000;
    let key = Key::new(1);
    let mut queue = Q::default();
    for entry in 0..PENDING {
        let time = Time::from_picos(key.at(u64::from(entry)).word() % SPREAD);
        queue.push(time, entry);
    }
    let mut last = 0;
    for turn in 0..HOLDS {
        let Some((now, payload)) = queue.pop() else {
            break;
        };
        last = now.picos();
        let ahead = Time::from_picos(key.at(turn).word() % SPREAD);
        queue.push(now.saturating_add(ahead), payload);
    }
    last
}

fn queues(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let (plain, seconds) = bench.fastest(REPEATS, || Ok(hold::<HeapQueue>()))?;
    bench.add("heap_hold", HOLDS as f64 / seconds, "events/s");
    let (fast, seconds) = bench.fastest(REPEATS, || Ok(hold::<WheelQueue>()))?;
    bench.add("wheel_hold", HOLDS as f64 / seconds, "events/s");
    if plain != fast {
        return Err(Failure::Unexpected(
            "the two event queues disagree".to_owned(),
        ));
    }
    Ok(())
}

/// The executor alone, on a job of 2,048 ranks with jitter.
fn executors(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let job: Job = job::one_forward_one_backward();
    let timing = JitteredTiming::new(1, job.ranks.len() as u32, Ratio::new(0.03), &[]);
    let mut ends = Vec::new();
    for (name, mode) in [
        ("executor_every_op", Mode::EveryOp),
        ("executor_runs", Mode::Runs),
    ] {
        let (run, seconds) = bench.fastest(2, || {
            Engine::new(mode)
                .run(&job, &timing, &mut Unobserved, bench.cancel, &|_| {})
                .map_err(|error| match error {
                    strait_sim::EngineError::Cancelled => Failure::Interrupted,
                    other => Failure::Unexpected(other.to_string()),
                })
        })?;
        bench.add(name, run.ops as f64 / seconds, "ops/s");
        ends.push(run.end);
    }
    if ends[0] != ends[1] {
        return Err(Failure::Unexpected(
            "two modes of the executor disagree".to_owned(),
        ));
    }
    Ok(())
}

fn simulation(error: SimulateError) -> Failure {
    match error {
        SimulateError::Cancelled => Failure::Interrupted,
        other => Failure::Unexpected(other.to_string()),
    }
}

/// Reads a scenario that is part of the program, so that the command works anywhere.
fn embedded(name: &str, text: &str) -> Result<Case, Failure> {
    read(name, text, &Catalog::embedded(), &Overrides::default())
}

/// As [`embedded`], with a catalogue read before and values replaced.
fn read(name: &str, text: &str, catalog: &Catalog, overrides: &Overrides) -> Result<Case, Failure> {
    let file = std::env::temp_dir().join(format!("strait-{name}.{}.toml", std::process::id()));
    let loaded = std::fs::write(&file, text).map(|()| scenario::load(&file, catalog, overrides));
    let removed = std::fs::remove_file(&file);
    let loaded = loaded.and_then(|loaded| removed.map(|()| loaded));
    let loaded = loaded.map_err(|error| Failure::Temporary {
        message: format!("can't write `{}`: {error}", file.display()),
        remedy: "set TMPDIR to a folder that you may write to".to_owned(),
    })?;
    let first = loaded
        .ok()
        .and_then(|loaded| loaded.cases.into_iter().next());
    first
        .map(|resolved| resolved.case)
        .ok_or_else(|| Failure::Unexpected(format!("the {name} scenario can't be read")))
}

/// A field of proc_pid_status(5) in MB; zero where there is none.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map_or(0.0, |kib| kib * 1024.0 / 1e6)
}

/// Starts the peak of this process's memory afresh (Linux); elsewhere it counts from the start.
fn reset_peak() {
    let _ = std::fs::write(Path::new("/proc/self/clear_refs"), "5");
}

/// The processor's name and how many there are.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {count} usable")
}

fn text(bench: &Bench<'_>, machine: &str) -> String {
    let rate = |name: &str| bench.value(name) / 1e6;
    let mut lines = vec![
        format!("strait {} on {machine}", crate::VERSION),
        "CPU seconds of one thread; x: times the rate of the binary heap".to_owned(),
        String::new(),
    ];
    for (what, name, ratio) in [
        ("binary heap, hold loop", "heap_hold", ""),
        ("digit wheel, hold loop", "wheel_hold", "wheel_hold_ratio"),
        (
            "executor, every op an event",
            "executor_every_op",
            "executor_every_op_ratio",
        ),
        (
            "executor, fused runs",
            "executor_runs",
            "executor_runs_ratio",
        ),
        ("DeepSeek-V3 step", "step_rate", "step_ratio"),
    ] {
        let unit = if name.ends_with("hold") {
            "M events/s"
        } else {
            "M ops/s"
        };
        let ratio = match bench.value(ratio) {
            value if value.is_nan() => String::new(),
            value => format!("{value:6.2} x"),
        };
        let line = format!("{what:28} {:7.1} {unit:10} {ratio}", rate(name));
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    lines.push(format!(
        "DeepSeek-V3 step: {:.2} s for {:.1} M ops ({:.1} M events) on {:.0} ranks, {:.0} MB",
        bench.value("step_cpu"),
        rate("step_ops"),
        rate("step_events"),
        bench.value("step_ranks"),
        bench.value("step_memory")
    ));
    lines.push(format!(
        "folded DeepSeek-V3 case, scenario to answer: {:.1} ms",
        bench.value("folded_case")
    ));
    lines.push(format!(
        "tutorial scenario, text to answer: {:.1} ms; peak memory of all this: {:.0} MB",
        bench.value("tutorial_answer"),
        bench.value("process_memory")
    ));
    lines.join("\n")
}
