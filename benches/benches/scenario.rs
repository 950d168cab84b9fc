//! From a scenario's text to its answer, in this process: what a question costs.
//!
//! `cargo bench --bench scenario`. Wall time of one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, load};
use strait_training::case::Case;
use strait_training::simulate::{Control, simulate};

const TUTORIAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../scenarios/tutorial/first-step.toml"
);

fn cases() -> Vec<Case> {
    let loaded = load(
        Path::new(TUTORIAL),
        &Catalog::embedded(),
        &Overrides::default(),
    );
    let loaded = loaded.expect("the tutorial's scenario is sound");
    loaded.cases.into_iter().map(|case| case.case).collect()
}

fn answer(case: &Case) -> f64 {
    let go_on = AtomicBool::new(false);
    let control = Control {
        cancel: &go_on,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    let outcome = simulate(case, control).expect("the tutorial has an answer");
    outcome.run.days
}

fn tutorial(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tutorial");
    group.bench_function("read and resolve", |bencher| {
        bencher.iter(|| black_box(cases()));
    });
    let resolved = cases();
    group.bench_function("simulate one case", |bencher| {
        bencher.iter(|| black_box(answer(&resolved[0])));
    });
    group.bench_function("text to answer, both cases", |bencher| {
        bencher.iter(|| black_box(cases().iter().map(answer).sum::<f64>()));
    });
    group.finish();
}

criterion_group!(benches, tutorial);
criterion_main!(benches);
