//! What if? Changes whose direction, and sometimes whose size, is known without a simulation.
//!
//! In: small cuts of shipped scenarios. Out: orders of step times and closed forms of bubbles.
//! Never a published figure: those are in `flagship.rs` and `published.rs`.

mod steps;

use steps::{calm, seconds, two_stages};
use strait_training::case::{
    Balance, Case, Precision, Recompute, ScheduleKind, TensorOverlap, Zero,
};
use strait_units::{Bandwidth, Ratio, Time};

fn deepseek(name: &str) -> Case {
    two_stages(steps::named("deepseek-v3/variants.toml", name))
}

/// A dense model on 16 H100: 16 equal layers, next to no head, four pipeline ranks of tensor
/// pairs, nothing left to chance, transfers that cost next to nothing.
fn dense(schedule: ScheduleKind, virtual_stages: u32, micro_batches: u32) -> Case {
    let mut case = calm(steps::named("tutorial/first-step.toml", "bf16"));
    case.model.vocabulary = 64;
    // Wide, so that embedding and final norm are next to nothing beside the layers.
    case.model.hidden = 32_768;
    case.model.ffn = 131_072;
    case.cluster.nodes = 2;
    case.parallelism.pipeline = 4;
    case.parallelism.tensor = 2;
    case.parallelism.schedule = schedule;
    case.parallelism.virtual_stages = virtual_stages;
    case.parallelism.micro_batch = 1;
    case.cluster.node.nic_bandwidth = Bandwidth::new(1e15);
    case.cluster.accelerator.scale_up = Bandwidth::new(1e15);
    let phase = &mut case.training.phases[0];
    phase.global_batch = 2 * micro_batches;
    case
}

/// Bubble over the time of all chunks, the optimizer left out.
fn bubble(case: &Case) -> f64 {
    let step = steps::main_step(case);
    step.breakdown.bubble.seconds() / (step.time - step.breakdown.optimizer).seconds()
}

#[test]
fn wider_links_are_never_slower() {
    for (name, goes_down) in [("h800", true), ("tp8", true)] {
        let mut before = f64::INFINITY;
        let mut first = 0.0;
        for both_ways in [100.0, 200.0, 400.0, 900.0] {
            let mut case = deepseek(name);
            case.cluster.accelerator.scale_up = Bandwidth::new(both_ways / 2.0 * 1e9);
            let time = seconds(&case);
            println!("{name}: NVLink {both_ways} GB/s, {time:.4} s");
            assert!(
                time <= before,
                "{name}: slower with NVLink of {both_ways} GB/s"
            );
            if first == 0.0 {
                first = time;
            }
            before = time;
        }
        assert_eq!(
            before < 0.9 * first,
            goes_down,
            "{name}: {first} to {before}"
        );
        let mut before = f64::INFINITY;
        for gigabits in [100.0, 200.0, 400.0, 800.0] {
            let mut case = deepseek(name);
            case.cluster.node.nic_bandwidth = Bandwidth::new(gigabits / 8.0 * 1e9);
            let time = seconds(&case);
            println!("{name}: NIC {gigabits} Gb/s, {time:.4} s");
            assert!(
                time <= before,
                "{name}: slower with NICs of {gigabits} Gb/s"
            );
            before = time;
        }
    }
}

/// The export cut of NVLink shows where NVLink carries the traffic, and only there.
#[test]
fn the_cut_of_the_h800_costs_where_nvlink_is_used() {
    let slower = |cut: &str, whole: &str| seconds(&deepseek(cut)) / seconds(&deepseek(whole)) - 1.0;
    let co_designed = slower("h800", "h100");
    let tensor = slower("tp8", "tp8-h100");
    println!(
        "H800 over H100: {:.2} % DeepSeek's layout, {:.2} % TP8",
        100.0 * co_designed,
        100.0 * tensor
    );
    assert!((0.0..0.02).contains(&co_designed), "{co_designed}");
    assert!(
        tensor > 3.0 * co_designed && tensor > 0.03,
        "{tensor} against {co_designed}"
    );
}

#[test]
fn precision_pays() {
    let fp8 = seconds(&deepseek("h800"));
    let bf16 = seconds(&deepseek("bf16"));
    // Matrix products are 60 % of the pair (deepseek-ai/profile-data), twice as fast at best.
    println!("BF16 over FP8: {:.3}", bf16 / fp8);
    assert!((1.05..1.6).contains(&(bf16 / fp8)), "{bf16} against {fp8}");
    let mut dense = dense(ScheduleKind::OneFOneB, 1, 8);
    let bf16 = seconds(&dense);
    dense.precision.recipe = Precision::Fp8Tensor;
    let fp8 = seconds(&dense);
    assert!((1.05..2.0).contains(&(bf16 / fp8)), "{bf16} against {fp8}");
}

#[test]
fn recomputation_trades_time_for_memory() {
    let mut dense = dense(ScheduleKind::OneFOneB, 1, 8);
    dense.parallelism.recompute = Recompute::None;
    let none = steps::main_step(&dense);
    dense.parallelism.recompute = Recompute::Full;
    let full = steps::main_step(&dense);
    let slower = full.time.seconds() / none.time.seconds();
    // One more forward pass of three.
    assert!((1.2..1.4).contains(&slower), "{slower}");
    assert!(full.memory.peak < none.memory.peak);
}

#[test]
fn more_micro_batches_fill_the_pipeline() {
    let mut before = 1.0;
    for micro_batches in [4, 8, 16, 32] {
        let share = bubble(&dense(ScheduleKind::OneFOneB, 1, micro_batches));
        assert!(share < before, "{share} with {micro_batches}");
        before = share;
    }
}

/// (p - 1)/(m + p - 1), over v where stages are interleaved (arXiv 2104.04473, sections 2.2.1 and
/// 2.2.2). ZB-H1 leaves a third where forward, input and weight gradients take the same (arXiv
/// 2401.10241, table 1).
#[test]
fn bubbles_have_their_closed_forms() {
    let pipeline = 4.0;
    for micro_batches in [8, 16] {
        let m = f64::from(micro_batches);
        for (kind, stages) in [
            (ScheduleKind::GPipe, 1),
            (ScheduleKind::OneFOneB, 1),
            (ScheduleKind::OneFOneB, 2),
            (ScheduleKind::OneFOneB, 4),
        ] {
            let v = f64::from(stages);
            let form = (pipeline - 1.0) / (v * m + pipeline - 1.0);
            let simulated = bubble(&dense(kind, stages, micro_batches));
            println!("{kind:?} v{stages} m{m}: {simulated:.4}, form {form:.4}");
            assert!(
                (simulated / form - 1.0).abs() < 0.03,
                "{kind:?} with {stages} virtual stages: {simulated} against {form}"
            );
        }
        let one_f_one_b = bubble(&dense(ScheduleKind::OneFOneB, 1, micro_batches));
        let zero = bubble(&dense(ScheduleKind::ZbH1, 1, micro_batches));
        println!("ZB-H1 m{m}: {zero:.4} against {one_f_one_b:.4}");
        assert!(
            (0.2..0.6).contains(&(zero / one_f_one_b)),
            "{zero} against {one_f_one_b}"
        );
    }
}

#[test]
fn routing_to_four_nodes_is_faster_to_send() {
    let dispatched = |name: &str| {
        let case = deepseek(name);
        let layout = steps::layout(&case);
        let durations =
            strait_training::lower::durations(&case, &case.parallelism, 4096, &layout).unwrap();
        let list = strait_training::lower::LayerKernels::of(&durations, 4, true);
        let time: Time = list.exchanges.iter().map(|e| e.time.mean()).sum();
        (time.seconds(), seconds(&case))
    };
    let (limited, with) = dispatched("h800");
    let (free, without) = dispatched("no-node-limit");
    println!("exchanges of a layer: {limited:.5} s to 4 nodes, {free:.5} s to 8");
    assert!(limited < 0.9 * free, "{limited} against {free}");
    assert!(with <= without, "{with} against {without}");
}

#[test]
fn overlap_hides_what_it_should() {
    // 18 ms of exchanges in 32 ms of kernels in a pair of layers.
    let hidden = seconds(&deepseek("h800"));
    let bare = seconds(&deepseek("no-overlap"));
    println!("no overlap over overlap: {:.3}", bare / hidden);
    assert!(
        (1.2..1.8).contains(&(bare / hidden)),
        "{bare} against {hidden}"
    );

    let mut dense = dense(ScheduleKind::OneFOneB, 1, 8);
    dense.parallelism.zero = Zero::Zero1;
    dense.cluster.node.nic_bandwidth = Bandwidth::new(50e9);
    dense.cluster.accelerator.scale_up = Bandwidth::new(450e9);
    let time = |case: &Case, tensor: TensorOverlap, data: bool| {
        let mut case = case.clone();
        case.software.tensor_overlap = tensor;
        case.software.gradient_overlap = data;
        case.software.parameter_overlap = data;
        seconds(&case)
    };
    use TensorOverlap::{Backward, Full, None as Bare};
    assert!(time(&dense, Full, false) < time(&dense, Backward, false));
    assert!(time(&dense, Backward, false) < time(&dense, Bare, false));
    assert!(time(&dense, Bare, true) < time(&dense, Bare, false));
}

#[test]
fn imbalance_costs() {
    let time = |balance, spread: f64| {
        let mut case = calm(deepseek("h800"));
        case.routing.balance = balance;
        case.routing.spread = Ratio::new(spread);
        seconds(&case)
    };
    // Spreads as the scenario floor resolves them: random choice of 32 K rows; the trace's; three
    // times that.
    let times = [
        time(Balance::Forced, 0.0),
        time(Balance::Balanced, 0.0055),
        time(Balance::Measured, 0.09),
        time(Balance::Skewed, 0.27),
    ];
    println!("forced, balanced, measured, skewed: {times:?}");
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    assert!(
        times[3] > 1.05 * times[0],
        "skew costs next to nothing: {times:?}"
    );
}

/// A model far deeper than a program can number is refused with a remedy, not run wrongly.
#[test]
fn too_many_layers_for_one_program_are_refused() {
    let mut case = dense(ScheduleKind::OneFOneB, 1, 8);
    case.model.layers = 20_000;
    case.model.hidden = 256;
    let error = steps::try_step(&case).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("kernels"), "{error}");
    // All of Llama 3 405B on one stage is no trouble.
    case.model.layers = 126;
    case.parallelism.pipeline = 1;
    assert!(steps::try_step(&case).is_ok());
    // Neither is the largest number of virtual stages that there may be.
    case.model.layers = 508;
    case.parallelism.pipeline = 4;
    case.parallelism.virtual_stages = 127;
    assert!(steps::try_step(&case).is_ok());
    case.parallelism.virtual_stages = 128;
    assert!(steps::try_step(&case).is_err());
}

/// A small mixture of experts on 16 H100 with everything unusual that a layout may have.
fn mixed() -> Case {
    let mut case = steps::case("mixtral/8x22b-h100.toml", &[]);
    case.model.layers = 8;
    case.cluster.nodes = 4;
    case.parallelism.virtual_stages = 2;
    case.parallelism.pipeline = 2;
    case.parallelism.expert = 4;
    case.parallelism.stage_layers = None;
    case.training.phases[0].global_batch = 64;
    case
}

/// Every rare feature runs, and costs what it should or nothing.
#[test]
fn rare_features_run_and_cost() {
    let base = mixed();
    let plain = seconds(&base);
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = base.clone();
        change(&mut case);
        seconds(&case) / plain
    };
    let check = |what: &str, ratio: f64, low: f64, high: f64| {
        println!("{what}: {ratio:.4} of the step without");
        assert!((low..high).contains(&ratio), "{what}: {ratio}");
    };
    check(
        "post norms",
        with(&|c| c.model.extras.post_norms = true),
        1.0005,
        1.05,
    );
    let window = |c: &mut Case| {
        c.model.extras.window = Some(strait_training::model::Window {
            tokens: 512,
            full_every: 2,
        });
    };
    check("window", with(&window), 0.8, 0.9999);
    check(
        "tied embedding",
        with(&|c| c.model.tied = true),
        1.00001,
        1.1,
    );
    check(
        "no sequence parallelism",
        with(&|c| c.parallelism.sequence = false),
        1.0,
        1.3,
    );
    check(
        "tensor-parallel experts",
        with(&|c| c.parallelism.expert_tensor = 2),
        0.8,
        1.6,
    );
    check(
        "context ranks",
        with(&|c| c.parallelism.context = 2),
        0.8,
        1.5,
    );
    check(
        "full sharding",
        with(&|c| c.parallelism.zero = Zero::Zero3),
        1.0,
        6.0,
    );
    check(
        "hybrid sharding",
        with(&|c| c.parallelism.zero_group = Some(4)),
        0.8,
        1.2,
    );
    let full = with(&|c| c.parallelism.recompute = Recompute::Full);
    check("full recomputation", full, 1.2, 1.6);
    let plain_experts = with(&|c| c.model.activation = strait_training::model::Activation::Plain);
    check("experts without a gate", plain_experts, 0.6, 0.9);
    check(
        "short sequences",
        with(&|c| c.training.phases[0].sequence_length = 8),
        0.001,
        0.5,
    );
    check(
        "one expert a token",
        with(&|c| c.model.experts.as_mut().unwrap().top_k = 1),
        0.5,
        0.9,
    );
}

/// Fully sharded parameters are gathered in every chunk, overlapped pairs too.
#[test]
fn sharded_pairs_gather_their_parameters() {
    for overlap in [true, false] {
        let mut case = deepseek("h800");
        case.parallelism.schedule = ScheduleKind::DualPipeV;
        case.parallelism.stage_layers = None;
        case.parallelism.expert = 16; // four ranks hold the same experts
        case.software.expert_overlap = overlap;
        let plain = seconds(&case);
        case.parallelism.zero = Zero::Zero3;
        let sharded = seconds(&case);
        println!("ZeRO-3 over ZeRO-1: {:.3}", sharded / plain);
        assert!(sharded > 1.02 * plain, "{sharded} against {plain}");
    }
    // Over mirrored ranks that work on different chunks it makes no sense.
    let mut case = deepseek("h800");
    case.parallelism.zero = Zero::Zero3;
    let error = steps::try_step(&case).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("mirrored"), "{error}");
}

/// Whatever the schedule, with noise and experts: every part of the step is somewhere, once.
#[test]
fn parts_sum_to_the_step_under_every_schedule() {
    for (kind, virtual_stages) in [
        (ScheduleKind::GPipe, 1),
        (ScheduleKind::OneFOneB, 1),
        (ScheduleKind::OneFOneB, 2),
        (ScheduleKind::ZbH1, 1),
        (ScheduleKind::DualPipe, 1),
        (ScheduleKind::DualPipeV, 1),
    ] {
        let mut case = deepseek("h800");
        case.parallelism.schedule = kind;
        case.parallelism.virtual_stages = virtual_stages;
        case.parallelism.stage_layers = None;
        let what = format!("{kind:?} v{virtual_stages}");
        let step = steps::main_step(&case);
        let parts = step.breakdown;
        let sum = parts.forward
            + parts.backward_input
            + parts.backward_weight
            + parts.overlapped
            + parts.bubble
            + parts.optimizer
            + parts.other;
        assert_eq!(sum, step.time, "{what}");
        // Means of picoseconds are rounded, once for each part.
        assert!(
            parts.other.picos() < 10,
            "{what}: {} unexplained",
            parts.other
        );
        let pairs = matches!(kind, ScheduleKind::DualPipe | ScheduleKind::DualPipeV);
        assert_eq!(parts.overlapped > Time::ZERO, pairs, "{what}");
        assert!(parts.backward_weight > Time::ZERO, "{what}");
        let (_, run) = steps::engine_run(&case);
        assert_eq!(run.end, step.time, "{what}");
        for (rank, account) in run.accounts.iter().enumerate() {
            assert!(
                account.conserve(run.end),
                "{what}, rank {rank}: {account:?}"
            );
        }
        // Kernels, exposed communication and waiting fill the open blocks: none is lost.
        let kernels: Time = step.kernels.iter().map(|(_, time)| *time).sum();
        assert!(kernels < step.time, "{what}: more compute than time");
        assert!(
            kernels.seconds() > 0.4 * step.time.seconds(),
            "{what}: compute is lost"
        );
    }
}

/// The shipped variants of the flagship in full, for the record: half a minute each in a debug
/// build. Run with `--ignored --nocapture`.
#[test]
#[ignore = "a minute and more: full size"]
fn variants_in_full() {
    let all = steps::cases("deepseek-v3/variants.toml", &[]);
    let mut base = 0.0;
    for (case, _) in all {
        let step = steps::main_step(&case);
        let time = step.time.seconds();
        if base == 0.0 {
            base = time;
        }
        println!(
            "{:<14} {time:>8.3} s  {:.3} of the first  sequence parallel {}  {} fits {}",
            case.name,
            time / base,
            case.parallelism.sequence,
            step.memory.peak,
            step.memory.fits()
        );
    }
}
