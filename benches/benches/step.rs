//! A whole step: lowering, simulation, reading of its parts.
//!
//! `cargo bench --bench step`. A small DeepSeek-V3 of 64 ranks (`deepseek-64.toml`), without
//! and with what makes ranks differ, and the flagship of 2,048. Wall time of one thread;
//! throughput is ops a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use strait_benches::scenario::{FLAGSHIP, SMALL, main_step_of, step_of};
use strait_training::case::{Balance, Case};
use strait_training::outcome::StepOutcome;
use strait_training::simulate::Control;
use strait_training::timeline::Timeline;
use strait_units::Ratio;

fn run(case: &Case) -> StepOutcome {
    let go_on = AtomicBool::new(false);
    let control = Control {
        cancel: &go_on,
        progress: &|_| {},
        threads: 1,
        full_ranks: true,
        clock: &|| 0.0,
    };
    step_of(case, 1, control).expect("the step has an answer")
}

fn steps(criterion: &mut Criterion) {
    for (name, scenario, samples) in [
        ("deepseek, 64 ranks", SMALL, 20),
        ("DeepSeek-V3, 2048 ranks", FLAGSHIP, 10),
    ] {
        let noisy = scenario.case().expect("temporary files");
        let mut quiet = noisy.clone();
        quiet.noise.jitter = Ratio::new(0.0);
        quiet.noise.chip_spread = Ratio::new(0.0);
        quiet.routing.balance = Balance::Forced;
        let mut group = criterion.benchmark_group(name);
        group.sample_size(samples);
        group.bench_function("lower", |bencher| {
            let input = main_step_of(&noisy);
            bencher.iter(|| black_box(Timeline::new(input).expect("it lowers").ops(0)));
        });
        for (name, case) in [("load and jitter", &noisy), ("all alike", &quiet)] {
            group.throughput(Throughput::Elements(run(case).work.ops));
            group.bench_function(name, |bencher| bencher.iter(|| black_box(run(case))));
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
