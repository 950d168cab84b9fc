//! Instructions for each unit of work, under callgrind, against a baseline: a gate for CI.
//!
//! `cargo run --release --package strait-benches --bin instructions`; `-- --update` writes
//! `benches/instructions.toml` anew, another word takes the workloads whose names contain it.
//! Exit status 1 where a count is out of its band; where valgrind is absent, or the processor is
//! another than the baseline's, it says NOT CHECKED and ends well.
//!
//! Counts do not depend on load, so the work can be small. Each workload runs in a process of its
//! own under valgrind; only what [`measured_by_callgrind`] calls is counted.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use strait_benches::all_to_all::{self, Workload};
use strait_benches::counts::{Baseline, callgrind_total};
use strait_benches::hold::{filled, hold};
use strait_benches::job::{long_blocks, one_forward_one_backward};
use strait_benches::scenario::{FLAGSHIP, SMALL, Scenario, TUTORIAL, main_step_of, step_of};
use strait_sim::net::Grain;
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::{Engine, JitteredTiming, Job, Lanes, Mode, Unobserved};
use strait_study::catalog::Catalog;
use strait_study::search::calm;
use strait_training::simulate::{Control, simulate};
use strait_training::timeline::Timeline;
use strait_units::Ratio;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");
/// Set for the process that is counted: the workload.
const INNER: &str = "STRAIT_COUNTED";

/// Name, what a unit of work is, and the work: it returns its units.
type Counted = (&'static str, &'static str, fn() -> u64);

const WORKLOADS: [Counted; 15] = [
    ("heap_hold", "event", queue::<HeapQueue>),
    ("wheel_hold", "event", queue::<WheelQueue>),
    ("executor_every_op", "op", || executor(Mode::EveryOp)),
    ("executor_runs", "op", || executor(Mode::Runs)),
    ("lanes", "op", || lanes(&short_blocks(512))),
    ("lanes_long_blocks", "op", || {
        lanes(&long_blocks(4, 64, 64, 20))
    }),
    ("class_plan", "flow", class_plan),
    ("class_all_to_all", "all-to-all", class_all_to_all),
    ("lower", "step", lower),
    ("step", "op", small_step),
    ("tutorial_answer", "answer", tutorial),
    ("folded_case", "case", || folded_case(FLAGSHIP)),
    ("folded_small_case", "case", || folded_case(TUTORIAL)),
    ("resolved_case", "case", || resolved_case(FLAGSHIP)),
    ("resolved_small_case", "case", || resolved_case(TUTORIAL)),
];

/// Runs what is counted: callgrind collects while this is on the stack.
#[inline(never)]
fn measured_by_callgrind<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

fn queue<Q: EventQueue>() -> u64 {
    const TURNS: u64 = 200_000;
    let mut queue: Q = filled(4096);
    measured_by_callgrind(|| hold(&mut queue, TURNS));
    TURNS
}

fn short_blocks(ranks: u32) -> Job {
    one_forward_one_backward(4, ranks / 4, 64.min(ranks / 4), 12)
}

fn jitter(job: &Job) -> JitteredTiming {
    JitteredTiming::new(1, job.ranks.len() as u32, Ratio::new(0.03), &[])
}

fn executor(mode: Mode) -> u64 {
    let job = short_blocks(128);
    let (timing, go_on) = (jitter(&job), AtomicBool::new(false));
    let run = measured_by_callgrind(|| {
        Engine::new(mode).run(&job, &timing, &mut Unobserved, &go_on, &|_| {})
    });
    run.expect("the job finishes").ops
}

fn lanes(job: &Job) -> u64 {
    let (timing, go_on) = (jitter(job), AtomicBool::new(false));
    let run = measured_by_callgrind(|| Lanes.run(job, &timing, &mut Unobserved, &go_on, &|_| {}));
    run.expect("the job finishes").ops
}

/// Eight groups that share uplinks of 1:3.
const GROUPS: Workload = Workload {
    groups: 8,
    thin: 3.0,
    spread: 0.0,
    slow: false,
};

fn class_plan() -> u64 {
    let (links, templates) = GROUPS.build();
    let flows = templates.len() as u64 * 4032;
    let (plan, _) = measured_by_callgrind(|| all_to_all::plan(links, templates, Grain::Class));
    assert!(plan.link_counts() != Default::default(), "a plan has links");
    flows
}

fn class_all_to_all() -> u64 {
    let (plan, ids) = GROUPS.plan(Grain::Class);
    measured_by_callgrind(|| all_to_all::run(&plan, &ids, 500, f64::INFINITY)).done as u64
}

fn control(go_on: &AtomicBool) -> Control<'_> {
    Control {
        cancel: go_on,
        progress: &|_| {},
        threads: 1,
        full_ranks: true,
        clock: &|| 0.0,
    }
}

fn lower() -> u64 {
    let case = SMALL.case().expect("temporary files");
    let timeline = measured_by_callgrind(|| Timeline::new(main_step_of(&case)));
    assert!(timeline.expect("it lowers").ops(0) > 0);
    1
}

fn small_step() -> u64 {
    let case = SMALL.case().expect("temporary files");
    let go_on = AtomicBool::new(false);
    let outcome = measured_by_callgrind(|| step_of(&case, 1, control(&go_on)));
    outcome.expect("the step has an answer").work.ops
}

fn tutorial() -> u64 {
    let go_on = AtomicBool::new(false);
    let outcome = measured_by_callgrind(|| {
        let cases = TUTORIAL.cases(&Catalog::embedded());
        simulate(&cases.expect("temporary files")[0], control(&go_on))
    });
    assert!(outcome.expect("an answer").run.days > 0.0);
    1
}

/// A case of a sweep: resolved, without chance, with all steps of its phases.
fn folded_case(scenario: Scenario) -> u64 {
    let case = calm(scenario.case().expect("temporary files"));
    let go_on = AtomicBool::new(false);
    let control = Control {
        full_ranks: false,
        ..control(&go_on)
    };
    let outcome = measured_by_callgrind(|| simulate(&case, control));
    assert!(outcome.expect("an answer").step.work.folded);
    1
}

/// A case of a sweep, resolved from a scenario that was read before.
fn resolved_case(scenario: Scenario) -> u64 {
    let catalog = Catalog::embedded();
    let template = scenario.template(&catalog).expect("temporary files");
    let set = [("economics.rent".to_owned(), "\"3 USD/h\"".to_owned())];
    // The first finds the catalogue's entries.
    let resolve = || template.case(&catalog, None, &set).expect("it is sound");
    drop(resolve());
    let case = measured_by_callgrind(resolve);
    assert_eq!(case.case.economics.rent.get(), 3.0);
    1
}

/// `rustc 1.95.0 (...) x86_64-unknown-linux-gnu`.
fn compiler() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-vV").output();
    let output = output.map_err(|error| format!("rustc does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let version = text.lines().next().unwrap_or_default();
    Ok(format!("{version} {}", host.unwrap_or_default()))
}

/// Runs a workload under callgrind; instructions for each unit.
fn count(name: &str) -> Result<f64, String> {
    let out = std::env::temp_dir().join(format!("strait-counted.{}", std::process::id()));
    let executable = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*measured_by_callgrind*",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(executable)
        .env(INNER, name)
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let counted = std::fs::read_to_string(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let units = stdout.lines().find_map(|line| line.parse::<u64>().ok());
    match (callgrind_total(&counted), units) {
        (Some(total), Some(units)) if total > 0 && units > 0 => Ok(total as f64 / units as f64),
        _ => Err(format!(
            "{name} was not counted\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn gate(update: bool, part: &str) -> Result<bool, String> {
    let valgrind = Command::new("valgrind").arg("--version").output();
    if valgrind.is_err() {
        println!("valgrind is not installed: instruction counts NOT CHECKED");
        return Ok(true);
    }
    let compiler = compiler()?;
    let baseline = match std::fs::read_to_string(BASELINE) {
        Ok(text) => Baseline::parse(&text).map_err(|fault| format!("{BASELINE}: {fault}"))?,
        Err(_) if update => Baseline::default(),
        Err(error) => return Err(format!("{BASELINE}: {error}")),
    };
    if !update && !baseline.comparable(&compiler) {
        println!("the baseline is of {}:", baseline.compiler);
        println!("instruction counts NOT CHECKED");
        return Ok(true);
    }
    if !update && baseline.compiler != compiler {
        println!("the baseline is of {}: wider bands", baseline.compiler);
    }
    let mut counts = if baseline.compiler == compiler && !part.is_empty() {
        baseline.counts.clone()
    } else {
        BTreeMap::new()
    };
    let mut good = true;
    for (name, unit, _) in WORKLOADS {
        if !name.contains(part) {
            continue;
        }
        let counted = count(name)?;
        let verdict = baseline.judge(&compiler, name, counted);
        println!("{name:20} {counted:14.2} instructions for each {unit:12} {verdict}");
        good &= !verdict.fails();
        counts.insert(name.to_owned(), counted);
    }
    if update {
        let text = Baseline { compiler, counts }.text();
        std::fs::write(BASELINE, text).map_err(|error| format!("{BASELINE}: {error}"))?;
        return Ok(true);
    }
    if !good {
        println!("If the change is meant, write the baseline anew:");
        println!("  cargo run --release --package strait-benches --bin instructions -- --update");
    }
    Ok(good)
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(INNER) {
        let found = WORKLOADS.iter().find(|workload| workload.0 == name);
        println!("{}", found.map_or(0, |workload| (workload.2)()));
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let part = words.iter().find(|word| !word.starts_with('-'));
    let update = words.iter().any(|word| word == "--update");
    match gate(update, part.map_or("", String::as_str)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
