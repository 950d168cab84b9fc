//! How many program instructions a second the engine runs on one core.
//!
//! Measured in CPU time of the thread, so that other load does not count. Compare ratios:
//! `cargo bench --bench engine`. With `ONCE=PART` the cases whose
//! name contains PART print one line each, also as multiples of a hold loop on the standard
//! heap ("heaps"), and there is a larger job.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use strait_benches::clock::cpu_seconds;
use strait_benches::hold::{filled, hold};
use strait_benches::job::{long_blocks, one_forward_one_backward};
use strait_benches::on_vectors;
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::{BaseTiming, Engine, JitteredTiming, Job, Lanes, Mode, Run, Timing, Unobserved};
use strait_units::Ratio;

/// CPU time of this thread; wall time where the system does not tell.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = f64;
    type Value = f64;
    fn start(&self) -> f64 {
        cpu_seconds()
    }
    fn end(&self, start: f64) -> f64 {
        cpu_seconds() - start
    }
    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }
    fn zero(&self) -> f64 {
        0.0
    }
    fn to_f64(&self, value: &f64) -> f64 {
        // Zero would upset the statistics; nothing measured here is under a microsecond.
        value.max(1e-6) * 1e9
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        criterion::measurement::WallTime.formatter_static()
    }
}

/// Criterion's own formatter for nanoseconds.
trait StaticFormatter {
    fn formatter_static(&self) -> &'static dyn ValueFormatter;
}

impl StaticFormatter for criterion::measurement::WallTime {
    fn formatter_static(&self) -> &'static dyn ValueFormatter {
        static WALL: criterion::measurement::WallTime = criterion::measurement::WallTime;
        WALL.formatter()
    }
}

fn run<Q: EventQueue>(job: &Job, timing: &impl Timing, mode: Mode) -> Run {
    let go_on = AtomicBool::new(false);
    Engine::<Q>::on_queue(mode)
        .run(job, timing, &mut Unobserved, &go_on, &|_| {})
        .expect("the job finishes")
}

fn run_lanes(job: &Job, timing: &impl Timing) -> Run {
    let go_on = AtomicBool::new(false);
    Lanes
        .run(job, timing, &mut Unobserved, &go_on, &|_| {})
        .expect("the job finishes")
}

/// The same on state in plain vectors.
fn run_on_vectors(job: &Job, timing: &impl Timing, mode: Mode) -> Run {
    let go_on = AtomicBool::new(false);
    on_vectors(job, timing, mode, &go_on).expect("the job finishes")
}

type Case<'a> = (String, Box<dyn Fn() -> Run + 'a>);

fn cases<'a>(job: &'a Job, jitter: &'a JitteredTiming) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = vec![
        (
            "Lanes/symmetric".to_owned(),
            Box::new(move || run_lanes(job, &BaseTiming)),
        ),
        (
            "Lanes/jitter".to_owned(),
            Box::new(move || run_lanes(job, jitter)),
        ),
    ];
    for mode in [Mode::EveryOp, Mode::Runs] {
        cases.push((
            format!("{mode:?}/symmetric"),
            Box::new(move || run::<WheelQueue>(job, &BaseTiming, mode)),
        ));
        cases.push((
            format!("{mode:?}/jitter"),
            Box::new(move || run::<WheelQueue>(job, jitter, mode)),
        ));
        cases.push((
            format!("{mode:?}/jitter, heap"),
            Box::new(move || run::<HeapQueue>(job, jitter, mode)),
        ));
        cases.push((
            format!("{mode:?}/jitter, vectors"),
            Box::new(move || run_on_vectors(job, jitter, mode)),
        ));
    }
    cases
}

fn main() {
    let once = std::env::var("ONCE").ok();
    let mut jobs = vec![
        ("1F1B, 64 ranks", one_forward_one_backward(4, 16, 16, 120)),
        (
            "1F1B, 2048 ranks",
            one_forward_one_backward(16, 128, 64, 120),
        ),
        ("long blocks, 2048 ranks", long_blocks(16, 128, 64, 40)),
    ];
    if once.is_some() {
        // Too long to sample.
        let large = one_forward_one_backward(16, 1024, 64, 120);
        jobs.push(("1F1B, 16384 ranks", large));
        let larger = one_forward_one_backward(16, 6400, 64, 12);
        jobs.push(("1F1B, 102400 ranks", larger));
        // Few ranks a program: where lanes end.
        for (name, replicas) in [("1F1B, 16 ranks", 1), ("1F1B, 32 ranks", 2)] {
            jobs.push((name, one_forward_one_backward(16, replicas, replicas, 120)));
        }
    }
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .configure_from_args();
    if once.is_none() {
        queues::<WheelQueue>(&mut criterion, "wheel, hold");
        queues::<HeapQueue>(&mut criterion, "heap, hold");
    }
    let heap = once.as_ref().map_or(f64::NAN, |_| heap_rate());
    if once.is_some() {
        println!("binary heap, hold 100000: {:.1} M events/s", heap * 1e-6);
    }
    for (name, job) in &jobs {
        let jitter = JitteredTiming::new(1, job.ranks.len() as u32, Ratio::new(0.03), &[]);
        if let Some(pattern) = &once {
            for (case, run) in cases(job, &jitter) {
                let full = format!("{name}/{case}");
                if full.contains(pattern.as_str()) {
                    print_once(&full, heap, &*run);
                }
            }
            continue;
        }
        let mut group = criterion.benchmark_group(*name);
        for (case, run) in cases(job, &jitter) {
            group.throughput(Throughput::Elements(run().ops));
            group.bench_function(BenchmarkId::from_parameter(case), |bencher| {
                bencher.iter(|| black_box(run()));
            });
        }
        group.finish();
    }
}

fn queues<Q: EventQueue>(criterion: &mut Criterion<CpuTime>, name: &str) {
    const STEPS: u64 = 1_000_000;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(STEPS));
    for pending in [1_000, 100_000] {
        let mut queue: Q = filled(pending);
        group.bench_function(BenchmarkId::from_parameter(pending), |bencher| {
            bencher.iter(|| hold(&mut queue, STEPS));
        });
    }
    group.finish();
}

/// CPU seconds of one call: the best of three measurements, each long enough to be one.
fn seconds_of(mut call: impl FnMut()) -> f64 {
    const LONG: f64 = 0.1;
    let start = cpu_seconds();
    call();
    let times = (LONG / (cpu_seconds() - start).max(1e-4)).ceil();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = cpu_seconds();
        for _ in 0..times as u32 {
            call();
        }
        best = best.min((cpu_seconds() - start) / times);
    }
    best
}

/// Events a second of the standard binary heap in a hold model of 100,000: what other
/// figures are given as multiples of.
fn heap_rate() -> f64 {
    const STEPS: u64 = 1_000_000;
    let mut queue: HeapQueue = filled(100_000);
    STEPS as f64
        / seconds_of(|| {
            black_box(hold(&mut queue, STEPS));
        })
}

fn print_once(name: &str, heap: f64, run: &dyn Fn() -> Run) {
    let best = seconds_of(|| {
        black_box(run());
    });
    let run = run();
    println!(
        "{name:45} {:6.1} M ops/s  {:5.1} heaps  {:6.3} s  {:4.1} M ops  {:5.2} M events  end {} ps",
        run.ops as f64 / best * 1e-6,
        run.ops as f64 / best / heap,
        best,
        run.ops as f64 * 1e-6,
        run.events as f64 * 1e-6,
        run.end.picos()
    );
}
