//! How many all-to-alls a second shared links carry, at each grain, and what a coflow leaves out.
//!
//! `cargo bench --bench network` by criterion. With `ONCE=PART` the cases whose name contains
//! PART print one line each, in CPU time of the thread, so that other load does not count.
//! The workload: [`strait_benches::all_to_all`].

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use strait_benches::all_to_all::{Workload, plan, run};
use strait_benches::clock::cpu_seconds;
use strait_sim::net::Grain;

fn cases() -> Vec<(String, Workload, Grain, usize)> {
    let mut cases = Vec::new();
    for groups in [1_usize, 32] {
        for thin in [1.0, 3.0] {
            for spread in [0.0, 0.2] {
                for grain in [Grain::Coflow, Grain::Class, Grain::Bundle, Grain::Flow] {
                    if spread > 0.0 && grain == Grain::Class {
                        continue;
                    }
                    let fast = grain == Grain::Coflow || (grain == Grain::Class && spread == 0.0);
                    let rounds = if fast {
                        100_000 / groups
                    } else {
                        64 / groups.min(8)
                    };
                    let name = format!("{grain:?}/{groups} groups/{thin}:1/spread {spread}");
                    let workload = Workload {
                        groups,
                        thin,
                        spread,
                        slow: false,
                    };
                    cases.push((name, workload, grain, rounds));
                }
            }
        }
    }
    cases
}

/// One line a case.
fn once(part: &str) {
    for (name, workload, grain, rounds) in cases() {
        if !name.contains(part) {
            continue;
        }
        let (plan, ids) = workload.plan(grain);
        let got = run(&plan, &ids, rounds, 8.0);
        println!(
            "{name}: {} variables a group, {:?} links, {:.0} all-to-alls/s, {:.2} us/solution, \
             {} done, mean {:.1} us, {:.1} % stale",
            plan.variables_of(ids[0]).expect("a template"),
            plan.link_counts(),
            got.done as f64 / got.seconds,
            got.seconds * 1e6 / got.counters.solutions as f64,
            got.done,
            got.mean.seconds() * 1e6,
            100.0 * got.counters.stale as f64 / got.counters.scheduled as f64,
        );
    }
    if "error".contains(part) {
        // The same few rounds at the finest grain and as coflows: eight groups that share.
        for (thin, spread, rounds) in [
            (1.0, 0.2, 2),
            (1.5, 0.2, 4),
            (3.0, 0.2, 1),
            (3.0, 0.2, 4),
            (3.0, 0.0, 8),
        ] {
            let workload = Workload {
                groups: 8,
                thin,
                spread,
                slow: false,
            };
            let exact = if spread > 0.0 {
                Grain::Bundle
            } else {
                Grain::Class
            };
            let mean = |grain| {
                let (plan, ids) = workload.plan(grain);
                let got = run(&plan, &ids, rounds, 200.0);
                (got.mean.seconds() * 1e6, got.done)
            };
            let (fine, coarse) = (mean(exact), mean(Grain::Coflow));
            println!(
                "error/8 groups/{thin}:1/spread {spread}: {exact:?} {:.1} us ({}), Coflow {:.1} us ({}): {:+.2} %",
                fine.0,
                fine.1,
                coarse.0,
                coarse.1,
                100.0 * (coarse.0 / fine.0 - 1.0)
            );
        }
    }
    if "plan".contains(part) {
        for (name, thin, slow) in [
            ("1:1", 1.0, false),
            ("3:1", 3.0, false),
            ("3:1 slow NIC", 3.0, true),
        ] {
            let workload = Workload {
                groups: 32,
                thin,
                spread: 0.0,
                slow,
            };
            let mut best = [f64::INFINITY; 2];
            let mut what = String::new();
            for _ in 0..5 {
                let (links, templates) = workload.build();
                let begin = cpu_seconds();
                let (planned, ids) = plan(links, templates, Grain::Class);
                best[0] = best[0].min(cpu_seconds() - begin);
                let begin = cpu_seconds();
                let partition = planned.refine_flows();
                best[1] = best[1].min(cpu_seconds() - begin);
                what = format!(
                    "{} flow classes, {} rounds, {:?} links, {} in group 0",
                    partition.flow_classes,
                    partition.rounds,
                    planned.link_counts(),
                    planned.variables_of(ids[0]).expect("a template"),
                );
            }
            println!(
                "plan/32 groups/{name}: whole plan {:.1} ms, refinement of all flows {:.1} ms: {what}",
                best[0] * 1e3,
                best[1] * 1e3
            );
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("all_to_alls");
    group.sample_size(10);
    for (name, workload, grain, _) in cases() {
        if !matches!(grain, Grain::Class | Grain::Coflow) {
            continue;
        }
        let (plan, ids) = workload.plan(grain);
        let rounds = 640 / ids.len();
        group.throughput(Throughput::Elements((rounds * ids.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| black_box(run(&plan, &ids, rounds, f64::INFINITY).done));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    let workload = Workload {
        groups: 32,
        thin: 3.0,
        spread: 0.0,
        slow: false,
    };
    let (planned, _) = workload.plan(Grain::Class);
    group.throughput(Throughput::Elements(32 * 4032));
    group.bench_function("refine", |bencher| {
        bencher.iter(|| black_box(planned.refine_flows().flow_classes));
    });
    group.finish();
}

fn main() {
    if let Ok(part) = std::env::var("ONCE") {
        return once(&part);
    }
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
