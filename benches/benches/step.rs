//! A whole step: lowering, simulation, reading of its parts.
//!
//! `cargo bench --bench step`. A small DeepSeek-V3 of 64 ranks (`deepseek-64.toml`), without
//! and with what makes ranks differ. Wall time of one thread; throughput is ops a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, load};
use strait_training::case::{Balance, Case};
use strait_training::outcome::StepOutcome;
use strait_training::simulate::Control;
use strait_training::step::step;
use strait_training::timeline::{Timeline, main_step};
use strait_units::Ratio;

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/deepseek-64.toml");

fn small() -> Case {
    let loaded = load(
        Path::new(SMALL),
        &Catalog::embedded(),
        &Overrides::default(),
    );
    let loaded = loaded.expect("the scenario is sound");
    let first = loaded.cases.into_iter().next();
    first.expect("a scenario has a case").case
}

fn run(case: &Case) -> StepOutcome {
    let go_on = AtomicBool::new(false);
    let control = Control {
        cancel: &go_on,
        progress: &|_| {},
        threads: 1,
        full_ranks: true,
        clock: &|| 0.0,
    };
    let input = main_step(case).expect("a case has phases");
    step(input, control).expect("the step has an answer")
}

fn steps(criterion: &mut Criterion) {
    let noisy = small();
    let mut quiet = small();
    quiet.noise.jitter = Ratio::new(0.0);
    quiet.noise.chip_spread = Ratio::new(0.0);
    quiet.routing.balance = Balance::Forced;
    let mut group = criterion.benchmark_group("deepseek, 64 ranks");
    group.sample_size(20);
    group.bench_function("lower", |bencher| {
        let input = main_step(&noisy).expect("a case has phases");
        bencher.iter(|| black_box(Timeline::new(input).expect("it lowers").ops(0)));
    });
    for (name, case) in [("load and jitter", &noisy), ("all alike", &quiet)] {
        group.throughput(Throughput::Elements(run(case).work.ops));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run(case))));
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
