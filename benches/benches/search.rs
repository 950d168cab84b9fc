//! How fast a search looks at layouts: checks, memory and bounds, without any simulation.
//!
//! `cargo bench --bench search`. Wall time of one thread; an element is a layout that was looked at.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, load};
use strait_study::search::scan::{Ground, scan};
use strait_study::search::{Objective, Scale, Space, Workers, calm};
use strait_training::case::Case;
use strait_training::run::main_phase;

fn case(file: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(file);
    let loaded = load(&path, &Catalog::embedded(), &Overrides::default());
    let loaded = loaded.expect("a sound scenario");
    calm(loaded.cases.into_iter().next().expect("it has a case").case)
}

fn considered(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search: configurations considered");
    group.sample_size(10);
    let go_on = AtomicBool::new(false);
    let workers = Workers {
        threads: 1,
        cancel: &go_on,
    };
    for (file, wide) in [
        ("deepseek-v3/h800.toml", false),
        ("llama3-405b/16k-gpus.toml", false),
        ("gpt3-175b/64-a100.toml", true),
    ] {
        let case = case(file);
        let phase = &case.training.phases[main_phase(&case.training.phases)];
        let mut space = match wide {
            true => Space::wide(&case, phase),
            false => Space::around(&case, phase),
        };
        if wide {
            // A part of the space that looks like all of it.
            space.pipeline = vec![4, 8];
            space.micro_batch = vec![1, 2];
        }
        let ground = Ground {
            case: &case,
            phase,
            space: &space,
            capacity: case.cluster.accelerator.memory,
            scale: Scale::new(&case, Objective::Time),
            variant: 0,
        };
        let look = || scan(ground, 4096, workers, &|_| {}).expect("a list");
        let (_, counts) = look();
        group.throughput(Throughput::Elements(counts.refused.looked_at));
        group.bench_function(file, |bencher| bencher.iter(|| black_box(look())));
    }
    group.finish();
}

criterion_group!(benches, considered);
criterion_main!(benches);
