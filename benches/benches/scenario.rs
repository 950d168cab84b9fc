//! From a scenario's text to its answer, in this process: what a question costs.
//!
//! `cargo bench --bench scenario`. Wall time of one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use strait_benches::scenario::{FLAGSHIP, TUTORIAL};
use strait_study::catalog::Catalog;
use strait_training::case::Case;
use strait_training::simulate::{Control, simulate};

fn cases() -> Vec<Case> {
    let cases = TUTORIAL.cases(&Catalog::embedded());
    cases.expect("temporary files")
}

fn answer(case: &Case) -> f64 {
    let go_on = AtomicBool::new(false);
    let control = Control {
        cancel: &go_on,
        progress: &|_| {},
        threads: 1,
        clock: &|| 0.0,
    };
    let outcome = simulate(case, control).expect("the case has an answer");
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

criterion_group!(benches, tutorial, flagship);
criterion_main!(benches);
