//! `strait bench`: how fast Strait is on this machine.
//!
//! In: nothing. Out: rates in CPU seconds of one thread, each also as a ratio to a plain
//! binary-heap event loop measured in the same run, so that machines can be compared; memory.

mod measure;
mod table;

use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use measure::Bench;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_benches::all_to_all::{self, Workload};
use strait_benches::hold::{filled, hold};
use strait_benches::job::one_forward_one_backward;
use strait_benches::on_vectors;
use strait_benches::scenario::{FLAGSHIP, LLAMA, Scenario, TUTORIAL, step_of};
use strait_sim::net::Grain;
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::{Engine, EngineError, JitteredTiming, Job, Lanes, Mode, Unobserved};
use strait_study::catalog::Catalog;
use strait_study::search::calm;
use strait_training::case::{Balance, Case, Sharing};
use strait_training::run::{compose, steps_without_bars};
use strait_training::simulate::{Control, SimulateError, simulate};
use strait_units::{Ratio, Time};

/// Events of a hold loop, and entries pending: two for each of 2,048 ranks.
const HOLDS: u64 = 4_000_000;
const PENDING: u32 = 4096;
/// Times that a short measurement is repeated; the fastest counts.
const REPEATS: u32 = 3;
/// How long all-to-alls go on, in CPU seconds.
const NETWORK_SECONDS: f64 = 0.5;

/// Measures, and prints figures.
pub fn bench(terminal: &Terminal, cancel: &AtomicBool) -> Result<ExitStatus, Failure> {
    if cfg!(debug_assertions) {
        terminal.remark("warning: this is an unoptimised build; build with --release to measure");
    }
    let mut bench = Bench::new(cancel);
    // Memory is that above the process as it is now, and peaks only rise from part to part: so
    // the small ones come first.
    steps(&mut bench)?;
    many_ranks(&mut bench)?;
    queues(&mut bench)?;
    executors(&mut bench)?;
    all_to_alls(&mut bench)?;
    tutorial(&mut bench)?;
    folded(&mut bench)?;
    sweep(&mut bench, "sweep_cases", FLAGSHIP)?;
    sweep(&mut bench, "sweep_small_cases", TUTORIAL)?;
    bench.ratios("heap_hold");
    bench.add("process_memory", measure::largest_memory(), "MB");
    let machine = measure::machine();
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
        terminal.result(&table::text(&bench, &machine))?;
    }
    Ok(ExitStatus::Done)
}

/// Whole steps: lowering, simulation, parts.
fn steps(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let flagship = case(FLAGSHIP)?;
    step(bench, "step", &flagship, 1, 2)?;
    // Memory must not grow with micro-batches.
    step(bench, "double_batch", &flagship, 2, 1)?;
    // Exchanges, messages and gradients on the same NICs.
    let mut contended = flagship;
    contended.engine.sends = Sharing::Shared;
    contended.engine.gradients = Sharing::Shared;
    step(bench, "contended", &contended, 1, 1)?;
    let llama = case(LLAMA)?;
    step(bench, "llama", &llama, 1, 1)
}

fn step(
    bench: &mut Bench<'_>,
    name: &str,
    case: &Case,
    factor: u32,
    repeats: u32,
) -> Result<(), Failure> {
    bench.reset_peak();
    let (outcome, seconds) = bench.fastest(repeats, || {
        step_of(case, factor, bench.control()).map_err(simulation)
    })?;
    let work = outcome.work;
    bench.whole(
        name,
        work.ranks as f64,
        work.ops as f64,
        work.events as f64,
        seconds,
    );
    Ok(())
}

/// 102,400 ranks, 70 M ops.
fn many_ranks(bench: &mut Bench<'_>) -> Result<(), Failure> {
    bench.reset_peak();
    let job = one_forward_one_backward(16, 6400, 64, 12);
    let timing = jitter(&job);
    let (run, seconds) = bench.fastest(1, || {
        strait_sim::run(&job, &timing, &mut Unobserved, bench.cancel, &|_| {}).map_err(engine)
    })?;
    bench.whole(
        "many_ranks",
        job.ranks.len() as f64,
        run.ops as f64,
        run.events as f64,
        seconds,
    );
    Ok(())
}

/// Scenario text to answer of a small case, all in this process.
fn tutorial(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let (_, seconds) = bench.fastest(REPEATS, || {
        simulate(&case(TUTORIAL)?, bench.control()).map_err(simulation)
    })?;
    bench.add("tutorial_answer", seconds * 1e3, "ms");
    Ok(())
}

/// The flagship without chance, which folds: scenario text to answer, the catalogue read before.
fn folded(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let catalog = Catalog::embedded();
    let control = Control {
        full_ranks: false,
        ..bench.control()
    };
    let read = || -> Result<Case, Failure> {
        let cases = FLAGSHIP.cases(&catalog).map_err(temporary)?;
        let mut case = cases.into_iter().next().ok_or_else(no_case)?;
        case.noise.jitter = Ratio::new(0.0);
        case.noise.chip_spread = Ratio::new(0.0);
        case.routing.balance = Balance::Forced;
        Ok(case)
    };
    let (_, step_seconds) = bench.fastest(5 * REPEATS, || {
        let case = read()?;
        step_of(&case, 1, control).map_err(simulation)
    })?;
    // The case has eight steps: phases, and batches of their ramps.
    let (folded, seconds) = bench.fastest(5 * REPEATS, || {
        let outcome = simulate(&read()?, control).map_err(simulation)?;
        Ok(outcome.step.work.folded)
    })?;
    if !folded {
        return Err(Failure::Unexpected(
            "all ranks are alike, but were not folded".to_owned(),
        ));
    }
    bench.add("folded_step", step_seconds * 1e3, "ms");
    bench.add("folded_case", seconds * 1e3, "ms");
    Ok(())
}

/// Cases of a sweep each CPU second: resolved from a scenario that was read before, without chance,
/// all phases of the run.
fn sweep(bench: &mut Bench<'_>, name: &str, scenario: Scenario) -> Result<(), Failure> {
    let catalog = Catalog::embedded();
    let template = scenario.template(&catalog).map_err(temporary)?;
    let control = Control {
        full_ranks: false,
        ..bench.control()
    };
    let (_, seconds) = bench.fastest(10 * REPEATS, || {
        let case = template.case(&catalog, None, &[]).map_err(|_| no_case())?;
        let case = calm(case.case);
        steps_without_bars(&case, control)
            .and_then(|steps| compose(&case, &steps))
            .map_err(simulation)
    })?;
    bench.add(name, 1.0 / seconds, "1/s");
    Ok(())
}

fn queues(bench: &mut Bench<'_>) -> Result<(), Failure> {
    fn turns<Q: EventQueue>() -> Time {
        hold(&mut filled::<Q>(PENDING), HOLDS)
    }
    let (plain, seconds) = bench.fastest(REPEATS, || Ok(turns::<HeapQueue>()))?;
    bench.add("heap_hold", HOLDS as f64 / seconds, "events/s");
    let (fast, seconds) = bench.fastest(REPEATS, || Ok(turns::<WheelQueue>()))?;
    bench.rate("wheel_hold", HOLDS as f64 / seconds, "events/s");
    if plain != fast {
        return Err(Failure::Unexpected(
            "the two event queues disagree".to_owned(),
        ));
    }
    Ok(())
}

fn jitter(job: &Job) -> JitteredTiming {
    JitteredTiming::new(1, job.ranks.len() as u32, Ratio::new(0.03), &[])
}

/// The executors alone, on a job of 2,048 ranks with jitter.
fn executors(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let job = one_forward_one_backward(16, 128, 64, 120);
    let timing = jitter(&job);
    let cancel = bench.cancel;
    let events = |mode| {
        Engine::new(mode)
            .run(&job, &timing, &mut Unobserved, cancel, &|_| {})
            .map_err(engine)
    };
    // In turns, so that what disturbs one disturbs the other.
    let (mut columns, mut vectors) = (f64::INFINITY, f64::INFINITY);
    let mut ends = Vec::new();
    let mut ops = 0;
    for _ in 0..REPEATS {
        let (run, seconds) = bench.fastest(1, || events(Mode::EveryOp))?;
        columns = columns.min(seconds);
        (ops, ends) = (run.ops, vec![run.end]);
        let (run, seconds) = bench.fastest(1, || {
            on_vectors(&job, &timing, Mode::EveryOp, cancel).map_err(engine)
        })?;
        vectors = vectors.min(seconds);
        ends.push(run.end);
    }
    bench.rate("executor_every_op", ops as f64 / columns, "ops/s");
    bench.add("columns_slower", 100.0 * (columns / vectors - 1.0), "%");
    let (run, seconds) = bench.fastest(2, || events(Mode::Runs))?;
    bench.rate("executor_runs", run.ops as f64 / seconds, "ops/s");
    ends.push(run.end);
    let (run, seconds) = bench.fastest(REPEATS, || {
        Lanes
            .run(&job, &timing, &mut Unobserved, cancel, &|_| {})
            .map_err(engine)
    })?;
    bench.rate("executor_lanes", run.ops as f64 / seconds, "ops/s");
    ends.push(run.end);
    if ends.iter().any(|end| *end != ends[0]) {
        return Err(Failure::Unexpected("two executors disagree".to_owned()));
    }
    Ok(())
}

/// 32 groups of 64 ranks that share uplinks of 1:3, each at one all-to-all after the other.
fn all_to_alls(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let workload = Workload {
        groups: 32,
        thin: 3.0,
        spread: 0.0,
        slow: false,
    };
    if bench.cancel.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    let (plan, ids) = workload.plan(Grain::Class);
    let got = all_to_all::run(&plan, &ids, usize::MAX, NETWORK_SECONDS);
    bench.rate("all_to_alls", got.done as f64 / got.seconds, "1/s");
    Ok(())
}

fn engine(error: EngineError) -> Failure {
    match error {
        EngineError::Cancelled => Failure::Interrupted,
        other => Failure::Unexpected(other.to_string()),
    }
}

fn simulation(error: SimulateError) -> Failure {
    match error {
        SimulateError::Cancelled => Failure::Interrupted,
        other => Failure::Unexpected(other.to_string()),
    }
}

fn case(scenario: Scenario) -> Result<Case, Failure> {
    scenario.case().map_err(temporary)
}

fn temporary(error: std::io::Error) -> Failure {
    Failure::Temporary {
        message: format!(
            "can't write to `{}`: {error}",
            std::env::temp_dir().display()
        ),
        remedy: "set TMPDIR to a folder that you may write to".to_owned(),
    }
}

fn no_case() -> Failure {
    Failure::Unexpected("a scenario without a case".to_owned())
}
