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
use std::time::Instant;
use strait_sim::queue::{EventQueue, HeapQueue, WheelQueue};
use strait_sim::random::Key;
use strait_sim::world::RankState;
use strait_sim::{
    Accounts, BaseTiming, Block, Engine, EntryWait, Instruction, JitteredTiming, Job, Kind, Lanes,
    Mode, Peer, Program, RankSpec, Run, Slot, Timing, Unobserved, Wait, Watch,
};
use strait_units::{Ratio, Time};

/// CPU time of this thread; wall time where the system does not tell.
struct CpuTime;

fn cpu_seconds() -> f64 {
    // The first number is nanoseconds on a CPU.
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat
        .split(' ')
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanos.map_or_else(wall_seconds, |nanos| nanos * 1e-9)
}

fn wall_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

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

fn op(kind: Kind, micros: f64, wait: Option<(u8, usize)>) -> Instruction {
    let wait = wait.map(|(stream, count)| Wait {
        stream,
        count: count as u16,
    });
    Instruction {
        kind,
        base: Time::from_micros(micros),
        waits: [wait, None],
        busy: 0,
        idle: 0,
        load: 0,
        label: 0,
    }
}

/// Computations on stream 0 around exchanges on stream 1, each waiting for the other;
/// a send to `peer` at the end on stream 2, in the background.
fn layers(window: u8, layers: usize, computes: [usize; 3], peer: Option<u8>) -> Block {
    let [before, between, after] = computes;
    let (mut compute, mut exchange) = (Vec::new(), Vec::new());
    for _ in 0..layers {
        for (part, count) in [before, between, after].into_iter().enumerate() {
            for i in 0..count {
                let wait = (i == 0 && !exchange.is_empty()).then_some((1, exchange.len()));
                let mut local = op(Kind::Local, 40.0 + 7.0 * i as f64, wait);
                (local.busy, local.idle) = ((i % 6) as u8, part as u8);
                compute.push(local);
            }
            if part < 2 {
                let collective = Kind::Collective { group: 0 };
                exchange.push(op(collective, 150.0, Some((0, compute.len()))));
            }
        }
    }
    let wait = Some((0, compute.len()));
    let send = peer.map(|peer| op(Kind::Send { peer }, 40.0, wait));
    Block {
        window,
        streams: vec![compute, exchange, send.into_iter().collect()],
        drains: false,
    }
}

/// All ranks of a pipeline: stage by stage, `replicas` each, exchanging in groups of `expert`.
fn ranks(stages: u32, replicas: u32, expert: u32) -> Vec<RankSpec> {
    let spec = |rank: u32| {
        let (stage, replica) = (rank / replicas, rank % replicas);
        let mut groups = [u32::MAX; 8];
        groups[0] = rank / expert;
        groups[1] = stage;
        let peer = |stage: u32, channel| Peer {
            rank: stage.min(stages - 1) * replicas + replica,
            channel,
        };
        RankSpec {
            program: stage,
            groups,
            peers: vec![peer(stage + 1, 0), peer(stage.saturating_sub(1), 1)],
        }
    };
    (0..stages * replicas).map(spec).collect()
}

/// 1F1B: four layers a stage; forward 4 computations and 2 exchanges a layer, backward 6 and 2.
fn one_forward_one_backward(stages: u32, replicas: u32, expert: u32, batches: u32) -> Job {
    let program = |stage: u32| {
        let forward = layers(0, 4, [2, 1, 1], (stage + 1 < stages).then_some(0));
        let backward = layers(1, 4, [2, 2, 2], (stage > 0).then_some(1));
        let reduce = op(Kind::Collective { group: 1 }, 3000.0, None);
        let last = Block {
            window: 2,
            streams: vec![vec![reduce]],
            drains: true,
        };
        let (mut forwards, mut backwards) = (0, 0);
        let warmup = (stages - stage - 1).min(batches);
        let mut slots = Vec::new();
        while backwards < batches {
            let is_forward = forwards < batches && forwards <= backwards + warmup;
            let (count, channel, feeds) = match is_forward {
                true => (&mut forwards, 0, stage > 0),
                false => (&mut backwards, 1, stage + 1 < stages),
            };
            *count += 1;
            let entry = EntryWait {
                channel,
                count: *count,
            };
            slots.push(Slot {
                block: u32::from(!is_forward),
                keys: [*count - 1, 0],
                entry: [feeds.then_some(entry), None],
            });
        }
        slots.push(Slot {
            block: 2,
            keys: [0, 0],
            entry: [None, None],
        });
        Program {
            blocks: vec![forward, backward, last],
            slots,
            foreground: 2,
            channels: 2,
        }
    };
    Job {
        programs: (0..stages).map(program).collect(),
        ranks: ranks(stages, replicas, expert),
    }
}

/// Blocks of 120 computations and 8 exchanges that overlap with them.
fn long_blocks(stages: u32, replicas: u32, expert: u32, batches: u32) -> Job {
    let block = || {
        let mut compute: Vec<_> = (0..120)
            .map(|i| op(Kind::Local, 10.0 + (i % 7) as f64 * 5.0, None))
            .collect();
        for (i, local) in compute.iter_mut().enumerate() {
            local.busy = (i / 5 % 10) as u8;
        }
        let mut exchange = Vec::new();
        for i in 0..8 {
            // Needs what was computed 15 instructions a piece, is needed 12 later.
            exchange.push(op(
                Kind::Collective { group: 0 },
                200.0,
                Some((0, 15 * i + 3)),
            ));
            compute[15 * i + 14].waits[0] = Some(Wait {
                stream: 1,
                count: i as u16 + 1,
            });
        }
        Block {
            window: 0,
            streams: vec![compute, exchange],
            drains: false,
        }
    };
    let slot = |batch| Slot {
        block: 0,
        keys: [batch, 0],
        entry: [None, None],
    };
    let program = Program {
        blocks: vec![block()],
        slots: (0..batches).map(slot).collect(),
        foreground: 2,
        channels: 2,
    };
    Job {
        programs: vec![program; stages as usize],
        ranks: ranks(stages, replicas, expert),
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
    let mut states = vec![RankState::default(); job.ranks.len()];
    let mut accounts = vec![Accounts::default(); job.ranks.len()];
    let watch = Watch {
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    };
    Engine::<WheelQueue>::on_queue(mode)
        .run_on(
            &mut states,
            &mut accounts,
            job,
            timing,
            &mut Unobserved,
            watch,
        )
        .expect("the job finishes")
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

/// Hold model: take the earliest entry, put it back up to 100 us later.
fn hold<Q: EventQueue>(queue: &mut Q, key: Key, steps: u64) -> Time {
    let mut now = Time::ZERO;
    for i in 0..steps {
        let Some((time, payload)) = queue.pop() else {
            break;
        };
        now = time;
        let ahead = Time::from_picos(key.at(i).word() % 100_000_000);
        queue.push(now.saturating_add(ahead), payload);
    }
    now
}

fn queues<Q: EventQueue>(criterion: &mut Criterion<CpuTime>, name: &str) {
    const STEPS: u64 = 1_000_000;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(STEPS));
    for pending in [1_000, 100_000] {
        let key = Key::new(1);
        let mut queue = Q::default();
        for i in 0..pending {
            let time = Time::from_picos(key.at(u64::from(i)).word() % 100_000_000);
            queue.push(time, i);
        }
        group.bench_function(BenchmarkId::from_parameter(pending), |bencher| {
            bencher.iter(|| hold(&mut queue, key, STEPS));
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
    let key = Key::new(1);
    let mut queue = HeapQueue::default();
    for i in 0..100_000 {
        let time = Time::from_picos(key.at(u64::from(i)).word() % 100_000_000);
        queue.push(time, i);
    }
    STEPS as f64
        / seconds_of(|| {
            black_box(hold(&mut queue, key, STEPS));
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
