//! DeepSeek-V3 on 2,048 H800 against what was published about it.
//!
//! In: `scenarios/deepseek-v3/h800.toml`, `tests/data/pair.csv`. Out: tables (printed with
//! `--nocapture`), a page of the book, and a bound on each figure. What kernels and links were
//! calibrated on is said at each test; no constant was fitted to a figure of the step.

mod steps;

use std::fmt::Write as _;
use steps::Table;
use strait_training::case::{Balance, Case};
use strait_training::lower::{LayerKernels, PHASES, durations};
use strait_training::outcome::BarKind;

const FLAGSHIP: &str = "deepseek-v3/h800.toml";

/// A layer whose kernels are those of the trace: any MoE layer.
const LAYER: u32 = 10;
/// Layers of each chunk of the traced pair.
const LAYERS: f64 = 4.0;

fn flagship() -> Case {
    steps::case(FLAGSHIP, &[])
}

fn traced(row: &str, phase: &str) -> f64 {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pair.csv"),
    )
    .unwrap();
    let key = format!("{row},{phase},");
    let value = text.lines().find_map(|line| line.strip_prefix(&key));
    value.unwrap_or_else(|| panic!("no {key}")).parse().unwrap()
}

fn kernels(case: &Case) -> LayerKernels {
    let layout = steps::layout(case);
    let durations = durations(case, &case.parallelism, 4096, &layout).unwrap();
    LayerKernels::of(&durations, LAYER, true)
}

/// The kernel list of a layer, phase by phase, against the windows of the trace. Memory-bound
/// classes and weight-gradient rates were calibrated on this trace, so their part agrees by
/// construction; dense and grouped products and attention were not.
#[test]
fn a_layer_s_kernels_fill_the_traced_windows() {
    let list = kernels(&flagship());
    let mut table = Table::default();
    for phase in PHASES {
        let micros = 1e6 * list.phase(phase).seconds();
        table.row(phase, traced("window", phase), micros, 0.05, 0.15);
    }
    for exchange in &list.exchanges {
        let micros = 1e6 * exchange.time.mean().seconds();
        table.row(
            exchange.name,
            traced("kernel", exchange.name),
            micros,
            0.05,
            0.15,
        );
    }
    let millis = 1e3 * LAYERS * list.compute().seconds();
    // Sum of the six windows of four layers.
    table.row("compute of the pair (ms)", 126.45, millis, 0.01, 0.03);
    let every = list.kernels.iter().all(|row| PHASES.contains(&row.phase));
    assert!(every, "a phase that the trace does not have");
    table.judge();
}

/// The page that shows the list to readers is the list: UPDATE_PAGES=1 writes it again.
#[test]
fn the_book_shows_the_kernels_of_a_layer() {
    let list = kernels(&flagship());
    let mut page = String::from(
        "# The kernels of an overlapped pair\n\n\
        What one MoE layer of DeepSeek-V3 runs on an H800 while expert communication takes 20 of \
        the 132 SMs: 4,096 tokens, 4 of 256 experts on the GPU, forward, backward and weight \
        gradients. Times in µs at the mean routed load, the gap to the next kernel included. \
        `traced` is the window of the same phase in [DeepSeek's published profile]\
        (https://github.com/deepseek-ai/profile-data), `train.json`, mean of four layers; of an \
        exchange the transfer kernel alone, without the wait for other ranks before it.\n\n\
        This page is written by a test of the simulator itself \
        (`crates/strait-study/tests/flagship.rs`).\n\n\
        | phase | simulated | traced | off by |\n|---|---:|---:|---:|\n",
    );
    let mut line = |what: &str, simulated: f64, traced: f64| {
        let off = 100.0 * (simulated / traced - 1.0);
        writeln!(
            page,
            "| {what} | {simulated:.0} | {traced:.0} | {off:+.1} % |"
        )
        .unwrap();
    };
    let (mut sum, mut windows) = (0.0, 0.0);
    for phase in PHASES {
        let simulated = 1e6 * list.phase(phase).seconds();
        sum += simulated;
        windows += traced("window", phase);
        line(phase, simulated, traced("window", phase));
    }
    line("compute of the layer", sum, windows);
    for exchange in &list.exchanges {
        let simulated = 1e6 * exchange.time.mean().seconds();
        line(exchange.name, simulated, traced("kernel", exchange.name));
    }
    for phase in PHASES {
        write!(
            page,
            "\n## {phase}\n\n| kernel | class | calls | µs |\n|---|---|---:|---:|\n"
        )
        .unwrap();
        for row in list.kernels.iter().filter(|row| row.phase == phase) {
            let micros = 1e6 * row.time.seconds();
            let class = row.class.name();
            writeln!(
                page,
                "| {} | {class} | {} | {micros:.1} |",
                row.name, row.calls
            )
            .unwrap();
        }
    }
    let path = steps::root().join("docs/src/explanation/pair.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == page,
        "{} is out of date: run this test with UPDATE_PAGES=1",
        path.display()
    );
}

/// Steady pairs as the trace has them, on every rank of an expert group.
fn pairs_alone() -> Case {
    steps::two_stages(flagship())
}

fn mean_pair(case: &Case) -> f64 {
    let step = steps::main_step(case);
    let pairs: Vec<f64> = (step.bars.iter())
        .filter(|bar| bar.kind == BarKind::Pair)
        .map(|bar| (bar.end - bar.start).seconds())
        .collect();
    assert!(pairs.len() > 20, "{} pairs", pairs.len());
    1e3 * pairs.iter().sum::<f64>() / pairs.len() as f64
}

/// The traced pair took 129.0 ms on one rank of an unknown expert group.
#[test]
fn a_pair_in_the_engine_takes_what_the_trace_says() {
    let mut table = Table::default();
    let case = pairs_alone();
    table.row("pair, ms", 129.012, mean_pair(&case), 0.05, 0.09);
    let calm = mean_pair(&steps::calm(case.clone()));
    table.row("pair without chance, ms", 129.012, calm, 0.05, 0.05);
    let mut equal = case;
    equal.routing.balance = Balance::Forced;
    println!("pair at equal load, ms: {:.2}", mean_pair(&equal));
    table.judge();
}

/// "Insights into DeepSeek-V3" (arXiv 2505.09343), table 4, MPFT; DeepSeek-V3 report (arXiv
/// 2412.19437), table 1. Goals 5 % of the step and 15 % of its parts; bounds 9 and 35 %.
#[test]
fn the_step_is_the_published_one() {
    let case = flagship();
    let step = steps::main_step(&case);
    let parts = step.breakdown;
    let mut table = Table::default();
    let time = step.time.seconds();
    table.row("step, s", 19.926, time, 0.05, 0.09);
    for (what, published, simulated) in [
        ("forward, s", 1.13, parts.forward),
        ("backward input, s", 1.99, parts.backward_input),
        ("backward weight, s", 0.48, parts.backward_weight),
        ("overlapped pairs, s", 13.95, parts.overlapped),
        ("bubble, s", 2.06, parts.bubble),
        ("optimizer, s", 0.29, parts.optimizer),
    ] {
        table.row(what, published, simulated.seconds(), 0.15, 0.35);
    }
    table.row(
        "TFLOPS, causal",
        385.0,
        step.rate_causal.get() / 1e12,
        0.05,
        0.09,
    );
    table.row(
        "TFLOPS, full",
        432.0,
        step.rate_full.get() / 1e12,
        0.05,
        0.09,
    );
    table.row("MFU, causal", 0.3894, step.mfu_causal.get(), 0.05, 0.09);
    // 14.8 T tokens at the main phase's full batch; the report multiplies a rate with tokens too.
    let steps_of_all = 14.8e12 / (15_360.0 * 4_096.0);
    let hours = steps_of_all * time * 2048.0 / 3600.0 / 1e6;
    table.row("GPU-hours, M", 2.664, hours, 0.05, 0.09);

    let sum = parts.forward
        + parts.backward_input
        + parts.backward_weight
        + parts.overlapped
        + parts.bubble
        + parts.optimizer
        + parts.other;
    assert_eq!(sum, step.time, "parts do not sum to the step");
    assert!(
        parts.other.seconds() < 1e-9,
        "{:?} unexplained",
        parts.other
    );
    assert_eq!(step.work.ranks, 2048);
    // One op is one kernel; the contract says about 110 M.
    let ops = step.work.ops as f64 / 1e6;
    assert!((90.0..140.0).contains(&ops), "{ops} M ops");
    assert!(
        step.memory.fits(),
        "{} of {}",
        step.memory.peak,
        step.memory.capacity
    );
    // Also in decimal gigabytes, whatever the catalogue takes an 80 GB chip to have.
    assert!(
        step.memory.peak.get() < 80_000_000_000,
        "{}",
        step.memory.peak
    );
    let held: u64 = step.memory.parts.iter().map(|part| part.bytes.get()).sum();
    assert_eq!(
        held,
        step.memory.peak.get(),
        "memory's parts do not sum to its peak"
    );
    println!(
        "memory {} on pipeline rank {}",
        step.memory.peak, step.memory.pipeline_rank
    );
    for (class, time) in &step.kernels {
        println!("{class:<32}{:>9.3} s", time.seconds());
    }
    table.judge();
}

/// Nothing is lost between ranks: time, messages, collectives.
#[test]
fn time_and_messages_are_conserved() {
    let (lowered, run) = steps::engine_run(&pairs_alone());
    for (rank, account) in run.accounts.iter().enumerate() {
        // Windows + gaps + the wait after the last block = the step; busy + idle = windows.
        assert!(account.conserve(run.end), "rank {rank}: {account:?}");
    }
    let job = &lowered.job;
    let mut sent = vec![[0u32; 4]; job.ranks.len()];
    let mut awaited = sent.clone();
    let mut executed = 0;
    for (rank, spec) in job.ranks.iter().enumerate() {
        let program = &job.programs[spec.program as usize];
        for slot in &program.slots {
            let block = &program.blocks[slot.block as usize];
            for entry in slot.entry.iter().flatten() {
                let most = &mut awaited[rank][usize::from(entry.channel)];
                *most = entry.count.max(*most);
            }
            for instruction in block.streams.iter().flatten() {
                executed += 1;
                if let strait_sim::Kind::Send { peer } = instruction.kind {
                    let peer = spec.peers[usize::from(peer)];
                    sent[peer.rank as usize][usize::from(peer.channel)] += 1;
                }
            }
        }
    }
    assert_eq!(run.ops, executed, "instructions run and instructions given");
    assert_eq!(sent, awaited, "messages sent and messages waited for");
    assert!(sent.iter().flatten().sum::<u32>() > 0, "no messages at all");
}
