//! Reinforcement learning: limits of decoding, published kernels, conservation, misuse, R1.

mod steps;

use std::sync::atomic::AtomicBool;
use steps::{case, control};
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};
use strait_training::case::Case;
use strait_training::rollout::{self, Reinforcement, RolloutEngine, Stage};
use strait_training::run;
use strait_units::{Ratio, Time, Tokens};

const R1: &str = "deepseek-r1/h800.toml";

/// A small dense case: Llama 3 8B on one node.
const SMALL: &str = r#"
[model]
preset = "llama3-8b"

[cluster]
accelerator = "h800-sxm"
nodes = 1

[parallelism]
tensor = 2
sequence = true

[training]
sequence_length = 8192
global_batch = 8

[[training.phase]]
name = "rl"
kind = "reinforcement"
steps = 100

[training.phase.reinforcement]
questions = 32
samples = 8
updates = 2
prompt = 200
response = 800
response_maximum = 4096
rollout_tensor = 1
"#;

fn load(text: &str) -> Result<Case, String> {
    let catalog = Catalog::embedded();
    match scenario::load_text("a.toml", text, &catalog, &Overrides::default()) {
        Ok(mut loaded) => Ok(loaded.cases.remove(0).case),
        Err(faults) => Err(render_all(&faults, Style::Plain)),
    }
}

fn small() -> Case {
    load(SMALL).unwrap_or_else(|faults| panic!("{faults}"))
}

fn settings(case: &mut Case, index: usize) -> &mut Reinforcement {
    case.training.phases[index].reinforcement.as_mut().unwrap()
}

fn engine(case: &Case) -> RolloutEngine {
    let of_first = |case: &Case| {
        case.training.phases[0]
            .reinforcement
            .as_ref()
            .map(|rl| rl.engine)
    };
    of_first(case).unwrap()
}

fn iteration(case: &Case, sequences: f64, context: u64) -> f64 {
    let time = rollout::iteration(case, &engine(case), sequences, Tokens::new(context));
    time.unwrap().seconds()
}

/// One sequence reads every weight once, and waits for little else.
#[test]
fn a_lone_sequence_is_bound_by_weights() {
    let case = small();
    let [weights, ..] = rollout::memory(&case, &engine(&case)).unwrap();
    // The embedding is held, but of it one row is read.
    let model = &case.model;
    let table = 2.0 * f64::from(model.vocabulary) * f64::from(model.hidden);
    let read = weights.as_f64() - table;
    let least = read / case.cluster.accelerator.memory_bandwidth.get();
    let found = iteration(&case, 1.0, 1);
    assert!(found > least && found < 1.5 * least, "{found} {least}");
    // All parameters are counted.
    let parameters = model.parameters().total as f64;
    assert!((weights.as_f64() / 2.0 / parameters - 1.0).abs() < 1e-3);
    // Half the bandwidth, nearly twice the time.
    let mut slow = case.clone();
    slow.cluster.accelerator.memory_bandwidth = slow.cluster.accelerator.memory_bandwidth * 0.5;
    let slower = iteration(&slow, 1.0, 1) / found;
    assert!((1.7..=2.0).contains(&slower), "{slower}");
}

/// A large batch computes at most of the rate that products reach, and never above the peak.
#[test]
fn a_large_batch_approaches_the_compute_bound() {
    let case = small();
    let (half, whole) = (iteration(&case, 8192.0, 1), iteration(&case, 16384.0, 1));
    let model = &case.model;
    let active = model.parameters().active as f64;
    let rate = 2.0 * active * 8192.0 / (whole - half);
    let peak = case.cluster.accelerator.peaks.bf16.unwrap().get();
    assert!(
        rate < peak && rate > 0.5 * peak,
        "{:.0} TFLOPS",
        rate / 1e12
    );
    // A sequence more is nearly free while weights bind.
    assert!(iteration(&case, 16.0, 1) < 1.2 * iteration(&case, 1.0, 1));
}

/// Long contexts are bound by the cache at the rate of the kernel, grouped heads and latent alike.
#[test]
fn long_contexts_are_bound_by_the_cache() {
    let case = small();
    let [_, _, token] = rollout::memory(&case, &engine(&case)).unwrap();
    // 32 layers, 8 heads of 128, keys and values, BF16.
    assert_eq!(token.get(), 32 * 8 * 128 * 2 * 2);
    let extra = iteration(&case, 64.0, 20_000) - iteration(&case, 64.0, 10_000);
    let rate = 64.0 * 10_000.0 * token.as_f64() / extra;
    assert!((rate / 3.0e12 - 1.0).abs() < 0.01, "{rate:e} B/s"); // FlashMLA: 3,000 GB/s
    // DeepSeek-V3: 70.272 KB a token (arXiv 2505.09343, table 1); with 128 heads compute binds,
    // at the 580 TFLOPS of FlashMLA.
    let mut v3 = steps::case(R1, &[]);
    settings(&mut v3, 0).engine.drafts = 0;
    let [_, _, token] = rollout::memory(&v3, &engine(&v3)).unwrap();
    assert_eq!(token.get(), 70_272);
    let extra = iteration(&v3, 64.0, 20_000) - iteration(&v3, 64.0, 10_000);
    let flops = 61.0 * 2.0 * 128.0 * (576.0 + 512.0) * 64.0 * 10_000.0;
    assert!((flops / extra / 580e12 - 1.0).abs() < 0.01);
}

/// DeepEP's low-latency kernels, README at d8dd185 (2025-06-05): 128 tokens, hidden size 7168, top 8. The
/// three facts are from 8 and 16 ranks; the other rows were not used.
#[test]
fn exchanges_of_decoding_are_those_of_deepep() {
    let rows = [
        (8, 77.0, 114.0),
        (16, 118.0, 195.0),
        (32, 155.0, 273.0),
        (64, 173.0, 314.0),
        (128, 192.0, 369.0),
        (256, 194.0, 360.0),
    ];
    let mut case = case(R1, &[]);
    let facts = Catalog::embedded().rollout("default").unwrap();
    let rl = settings(&mut case, 0);
    rl.engine.exchange_nic = facts.exchange_nic;
    for (ranks, dispatch, combine) in rows {
        settings(&mut case, 0).engine.expert = ranks;
        let found = rollout::exchange(&case, &engine(&case), Tokens::new(128)).unwrap();
        for (time, published) in found.into_iter().zip([dispatch, combine]) {
            let off = time.seconds() * 1e6 / published - 1.0;
            println!("{ranks:>4} ranks: {published} us, {:+.1} %", off * 100.0);
            assert!(off.abs() < 0.1, "{ranks}: {time} against {published} us");
        }
    }
}

/// More sequences, longer contexts never take less; more bandwidth never takes more.
#[test]
fn decoding_is_monotone() {
    for case in [small(), case(R1, &[])] {
        let mut last = 0.0;
        for sequences in [1.0, 2.0, 3.0, 7.0, 16.0, 33.0, 64.0, 130.0, 500.0, 3000.0] {
            let now = iteration(&case, sequences, 1000);
            assert!(now >= last, "{sequences}: {now} after {last}");
            assert!(iteration(&case, sequences, 2000) > now);
            let mut faster = case.clone();
            let bandwidth = faster.cluster.accelerator.memory_bandwidth;
            faster.cluster.accelerator.memory_bandwidth = bandwidth * 1.5;
            assert!(iteration(&faster, sequences, 1000) <= now);
            faster.cluster.accelerator.scale_up = faster.cluster.accelerator.scale_up * 2.0;
            faster.cluster.node.nic_bandwidth = faster.cluster.node.nic_bandwidth * 2.0;
            assert!(iteration(&faster, sequences, 1000) <= now);
            last = now;
        }
    }
}

/// Serving of DeepSeek-V3 and R1 over a day (DeepSeek's open-source week, day 6): a node of 8 H800 took
/// 73.7 K tokens a second in, 56.3 % of them from caches, where it did prefill, and 14.8 K out where it
/// decoded (608 B in and 168 B out over 226.75 nodes and a day make 42 % and 58 % of the nodes: both
/// together all of them). Its batches are not published: usual ones must bracket it.
#[test]
fn published_serving_is_what_usual_batches_give() {
    let nodes: f64 = 608e9 / 86_400.0 / 73.7e3 + 168e9 / 86_400.0 / 14.8e3;
    assert!((nodes / 226.75 - 1.0).abs() < 0.01, "{nodes}");
    let mut case = case(R1, &[]);
    let facts = Catalog::embedded().rollout("default").unwrap();
    let rl = settings(&mut case, 0);
    rl.engine.drafts = 0;
    rl.engine.overlap = true;
    rl.engine.expert = 128;
    rl.engine.exchange_nic = facts.exchange_nic;
    let of_token = rollout::forward(&case, &engine(&case), Tokens::new(4096)).unwrap();
    let prefill = 8.0 / of_token.seconds();
    let computed = 73.7e3 * (1.0 - 0.563);
    let decoded = |sequences: f64| 8.0 * sequences / iteration(&case, sequences, 5000);
    println!(
        "prefill {prefill:.0} against {computed:.0}; decoding {:.0}, {:.0}, {:.0} at 32, 64, 128 a GPU, against 14,800",
        decoded(32.0),
        decoded(64.0),
        decoded(128.0)
    );
    assert!(
        (0.5..2.0).contains(&(prefill / computed)),
        "{prefill} {computed}"
    );
    assert!(decoded(32.0) < 14.8e3 && 14.8e3 < decoded(128.0));
}

fn compose(case: &Case, steps: &run::Steps) -> strait_training::outcome::PhaseOutcome {
    run::compose(case, steps).unwrap().run.phases.remove(0)
}

/// Stages sum to the phase; tokens are those asked for; lengths drawn later give what simulating them
/// anew gives.
#[test]
fn a_phase_is_the_sum_of_its_stages() {
    let mut case = small();
    let cancel = AtomicBool::new(false);
    let steps = run::steps(&case, control(&cancel, 2)).unwrap();
    let phase = compose(&case, &steps);
    let found = phase.rollout.as_ref().unwrap();
    let days: f64 = found.stages.iter().map(|s| s.time.get()).sum();
    let hours = days * 24.0 * 8.0;
    assert!((hours / phase.gpu_hours - 1.0).abs() < 1e-9);
    assert_eq!(phase.steps, 100.0);
    assert_eq!(found.rollouts, 50.0);
    let asked = 50.0 * 32.0 * 8.0 * 800.0;
    assert!((found.generated.as_f64() / asked - 1.0).abs() < 1e-5);
    assert!(!phase.pretraining);
    for stage in &found.stages {
        assert_eq!(
            stage.time.get() > 0.0,
            stage.stage != Stage::Reward,
            "{stage:?}"
        );
    }
    // A prediction that is off is off in what it predicts, not in times that were given.
    let slower = compose(&case, &steps.clone().scaled(Ratio::new(2.0)));
    let slower = slower.rollout.unwrap();
    for (a, b) in found.stages.iter().zip(&slower.stages) {
        let expected = if a.stage == Stage::HandOver { 1.0 } else { 2.0 };
        assert!((b.time.get() - expected * a.time.get()).abs() < 1e-12 * b.time.get().max(1.0));
    }
    // Longer responses, on the same steps and on new ones.
    let rl = settings(&mut case, 0);
    rl.responses.mean = Tokens::new(1200);
    let cheap = compose(&case, &steps).gpu_hours;
    let dear = compose(&case, &run::steps(&case, control(&cancel, 2)).unwrap()).gpu_hours;
    assert!(cheap > phase.gpu_hours);
    assert!((cheap / dear - 1.0).abs() < 0.05, "{cheap} {dear}");
    let rl = settings(&mut case, 0);
    rl.hand_over = Time::ZERO;
    assert!(compose(&case, &steps).gpu_hours < cheap);
}

/// What is wrong is said with its place and a remedy.
#[test]
fn misuse_is_told() {
    let changed = |from: &str, to: &str| load(&SMALL.replace(from, to)).unwrap_err();
    for (from, to, code, words) in [
        (
            "response = 800",
            "response = 5000",
            "contradiction",
            "cut off at 4096",
        ),
        (
            "samples = 8",
            "samples = 0",
            "out-of-range",
            "can't be zero",
        ),
        (
            "updates = 2",
            "updates = 1000",
            "contradiction",
            "some would have none",
        ),
        (
            "kind = \"reinforcement\"",
            "steps_ = 1",
            "unknown-key",
            "steps",
        ),
        (
            "kind = \"reinforcement\"",
            "tokens = \"1 B tokens\"",
            "reinforcement-without-kind",
            "set kind",
        ),
        (
            "steps = 100",
            "steps = 100\ntokens = \"1 B tokens\"",
            "not-in-reinforcement",
            "leave tokens out",
        ),
        (
            "steps = 100",
            "steps = 100\npretraining = true",
            "not-in-reinforcement",
            "pre-training",
        ),
        ("steps = 100\n", "", "missing-key", "needs `steps`"),
        (
            "rollout_tensor = 1",
            "rollout_tensor = 3",
            "contradiction",
            "rollout_tensor 3",
        ),
        (
            "rollout_tensor = 1",
            "rollout_expert = 2",
            "contradiction",
            "no experts",
        ),
        (
            "rollout_tensor = 1",
            "drafts = 1",
            "contradiction",
            "multi-token",
        ),
        (
            "response_maximum = 4096",
            "response_maximum = 10000",
            "contradiction",
            "sequences of its updates",
        ),
        (
            "rollout_tensor = 1",
            "rollout_tensor = 1\nmemory_share = 0.1",
            "contradiction",
            "weights of a rollout do not fit",
        ),
        (
            "rollout_tensor = 1",
            "rollout_tensor = 1\nmemory_share = 0.193",
            "contradiction",
            "KV cache of the longest sample",
        ),
    ] {
        let text = changed(from, to);
        assert!(
            text.contains(&format!("scenario::{code}")) && text.contains(words),
            "{from} -> {to}:\n{text}"
        );
        assert!(text.contains("help:"), "{text}");
    }
}

/// A claim of a phase names one, and one that exists.
#[test]
fn claims_of_phases_name_phases() {
    let claim = |text: &str| {
        let base = format!("{SMALL}\n[[claim]]\nvalue = \"10 GPU-hours\"\n{text}");
        load(&base).err().unwrap_or_default()
    };
    assert_eq!(claim("quantity = \"phase_gpu_hours\"\nphase = \"rl\""), "");
    let none = claim("quantity = \"phase_gpu_hours\"");
    assert!(none.contains("needs `phase`"), "{none}");
    let unknown = claim("quantity = \"phase_gpu_hours\"\nphase = \"r1\"");
    assert!(unknown.contains("the phases: rl"), "{unknown}");
    let idle = claim("quantity = \"gpu_hours\"\nphase = \"rl\"");
    assert!(idle.contains("not a quantity of one phase"), "{idle}");
}

/// R1: what is published, and that the claim lies within what the ranges allow: at the low ends of all that
/// makes rollouts long the run is cheaper, at the high ends dearer.
#[test]
fn the_claims_of_r1_lie_within_the_ranges() {
    let mut case = case(R1, &[]);
    assert_eq!(case.cluster.ranks(), 512);
    let cancel = AtomicBool::new(false);
    let steps = run::steps(&case, control(&cancel, 2)).unwrap();
    let hours = |case: &Case, prefix: &str| -> f64 {
        let phases = run::compose(case, &steps).unwrap().run.phases;
        let chosen = phases.iter().filter(|p| p.name.starts_with(prefix));
        chosen.map(|p| p.gpu_hours).sum()
    };
    let middle = hours(&case, "r1-zero");
    let mut at = |spread: f64, acceptance: f64, hand_over: f64, share: f64| {
        for index in 0..2 {
            let rl = settings(&mut case, index);
            rl.responses.spread = Ratio::new(spread);
            rl.engine.acceptance = Ratio::new(acceptance);
            rl.hand_over = Time::from_seconds(hand_over);
            let mean = if index == 0 { 9500.0 } else { 13_000.0 };
            rl.responses.mean = Tokens::new((mean * share) as u64);
        }
        hours(&case, "r1-zero")
    };
    let low = at(0.5, 0.9, 20.0, 0.73);
    let high = at(1.5, 0.6, 180.0, 1.3);
    println!("R1-Zero: {low:.0} to {high:.0}, likeliest {middle:.0}; claimed 101,000");
    assert!(low < middle && middle < high);
    assert!(low < 101_000.0 && 101_000.0 < high, "{low} {high}");
}
