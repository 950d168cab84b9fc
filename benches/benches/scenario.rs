//! From a scenario's text to its answer, in this process: what a question costs.
//!
//! `cargo bench --bench scenario`. Wall time of one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_benches::scenario::{FLAGSHIP, TUTORIAL};
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, load};
use strait_training::case::Case;
use strait_training::simulate::{Control, simulate};
use strait_training::step::step;
use strait_training::timeline::main_step;

const FLAGSHIP_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../scenarios/deepseek-v3/h800.toml"
);

/// What makes ranks differ, taken away.
const CHANCELESS: [(&str, &str); 3] = [
    ("noise.jitter", "0"),
    ("noise.chip_spread", "0"),
    ("routing.balance", "forced"),
];

fn cases() -> Vec<Case> {
    let cases = TUTORIAL.cases(&Catalog::embedded());
    cases.expect("temporary files")
}

fn control(cancel: &AtomicBool) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

fn answer(case: &Case) -> f64 {
    let go_on = AtomicBool::new(false);
    let outcome = simulate(case, control(&go_on)).expect("the case has an answer");
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

/// The flagship without chance, which folds to sixteen ranks: scenario to answer, the catalogue read.
fn folded(criterion: &mut Criterion) {
    let overrides = Overrides {
        set: (CHANCELESS.iter())
            .map(|&(path, value)| (path.to_owned(), value.to_owned()))
            .collect(),
        ..Overrides::default()
    };
    let catalog = Catalog::embedded();
    let case = || {
        let loaded = load(Path::new(FLAGSHIP_FILE), &catalog, &overrides);
        let loaded = loaded.expect("the flagship's scenario is sound");
        loaded.cases.into_iter().next().expect("it has a case").case
    };
    let mut group = criterion.benchmark_group("folded DeepSeek-V3 case");
    group.bench_function("scenario to answer", |bencher| {
        bencher.iter(|| black_box(answer(&case())));
    });
    let resolved = case();
    group.bench_function("simulate", |bencher| {
        bencher.iter(|| black_box(answer(&resolved)));
    });
    let input = main_step(&resolved).expect("it has phases");
    group.bench_function("main step", |bencher| {
        bencher.iter(|| {
            let go_on = AtomicBool::new(false);
            black_box(step(input, control(&go_on)).expect("it has an answer"))
        });
    });
    group.finish();
}

/// All phases of the run, not only the step that `--bench step` times.
fn flagship(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("DeepSeek-V3, 2048 ranks");
    group.sample_size(10);
    group.bench_function("text to answer", |bencher| {
        bencher.iter(|| {
            let case = FLAGSHIP.case().expect("temporary files");
            black_box(answer(&case))
        });
    });
    group.finish();
}

criterion_group!(benches, tutorial, flagship, folded);
criterion_main!(benches);
