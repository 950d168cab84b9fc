//! Cases of a sweep: resolved, without chance, folded, all phases of the run.
//!
//! `cargo bench --bench sweep`. CPU time of one thread; the rate is cases each second and core.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use strait_benches::scenario::{FLAGSHIP, SMALL, TUTORIAL};
use strait_study::search::calm;
use strait_training::run::{compose, steps_without_bars};
use strait_training::simulate::Control;

/// Simulates folded cases, one after the other.
fn cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("folded case of a sweep");
    group.throughput(Throughput::Elements(1));
    for (name, scenario) in [
        ("DeepSeek-V3, four phases", FLAGSHIP),
        ("tutorial", TUTORIAL),
        ("DeepSeek-V3 of 64 ranks", SMALL),
    ] {
        let case = calm(scenario.case().expect("temporary files"));
        let go_on = AtomicBool::new(false);
        let control = Control {
            cancel: &go_on,
            progress: &|_| {},
            threads: 1,
            full_ranks: false,
            clock: &|| 0.0,
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let steps = steps_without_bars(&case, control).expect("it has an answer");
                black_box(compose(&case, &steps).expect("it has an answer"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, cases);
criterion_main!(benches);
