//! How many all-to-alls a second shared links carry, at each grain, and what a coflow leaves out.
//!
//! `cargo bench --bench network` by criterion. With `ONCE=PART` the cases whose name contains
//! PART print one line each, in CPU time of the thread, so that other load does not count.
//!
//! The workload is an all-to-all of 64 ranks, eight nodes of eight rails, 1 MiB for each pair:
//! out by the sender's NIC, in by the NIC of the same rail, over the scale-up network to the
//! receiver. Ports of 450 GB/s, NICs of 50. Node k of eight groups hangs on one leaf of each rail,
//! so that eight groups share each uplink. Each group starts again as soon as it is done.

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Instant;
use strait_sim::net::{
    Counters, Grain, Hop, Links, Network, Plan, PlanBuilder, Template, TemplateId,
};
use strait_sim::random::Key;
use strait_units::{Bandwidth, Bytes, Ratio, Time};

fn cpu_seconds() -> f64 {
    // The first number is nanoseconds on a CPU.
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = (stat.split(' ').next()).and_then(|word| word.parse::<f64>().ok());
    nanos.map_or_else(wall_seconds, |nanos| nanos * 1e-9)
}

fn wall_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

const NODES: usize = 8;
const RAILS: usize = 8;
const SIZE: Bytes = Bytes::new(1 << 20);

/// What is asked of the links.
#[derive(Clone, Copy)]
struct Workload {
    groups: usize,
    /// Oversubscription of the leaves.
    thin: f64,
    /// Sizes differ by this much at most, by sender and receiving node.
    spread: f64,
    /// One NIC at half speed.
    slow: bool,
}

impl Workload {
    fn build(&self) -> (Links, Vec<Template>) {
        let rate = |gigabytes: f64| Bandwidth::new(gigabytes * 1e9);
        let mut links = Links::new();
        let mut add = |capacity| links.add(capacity).expect("a capacity");
        let ranks = self.groups * NODES * RAILS;
        let ports: Vec<_> = (0..ranks)
            .map(|rank| {
                let nic = if self.slow && rank == 5 { 25.0 } else { 50.0 };
                [450.0, 450.0, nic, nic].map(|gb| add(rate(gb)))
            })
            .collect();
        let blocks = self.groups.div_ceil(8);
        let uplinks: Vec<_> = (0..blocks * NODES * RAILS)
            .map(|_| [add(rate(400.0 / self.thin)), add(rate(400.0 / self.thin))])
            .collect();
        let templates = (0..self.groups)
            .map(|group| {
                let rank = |node: usize, rail: usize| ports[(group * NODES + node) * RAILS + rail];
                let leaf =
                    |node: usize, rail: usize| uplinks[(group / 8 * NODES + node) * RAILS + rail];
                let mut template = Template::new();
                for from in 0..NODES * RAILS {
                    for to in 0..NODES * RAILS {
                        let (a, i, b, j) = (from / RAILS, from % RAILS, to / RAILS, to % RAILS);
                        let mut hops = Vec::new();
                        if a != b {
                            hops.extend([
                                rank(a, i)[2],
                                leaf(a, i)[0],
                                leaf(b, i)[1],
                                rank(b, i)[3],
                            ]);
                        }
                        if i != j {
                            hops.extend([rank(b, i)[0], rank(b, j)[1]]);
                        }
                        let hops: Vec<Hop> = hops.into_iter().map(Hop::plain).collect();
                        let bundle = from * NODES + b;
                        let key = Key::new(1).entity(group as u64).at(bundle as u64);
                        let share = 1.0 + self.spread * (2.0 * key.uniform() - 1.0);
                        if !hops.is_empty() {
                            template
                                .flow(0, Ratio::new(share), bundle as u32, &hops)
                                .expect("a flow");
                        }
                    }
                }
                template
            })
            .collect();
        (links, templates)
    }

    fn plan(&self, grain: Grain) -> (Plan, Vec<TemplateId>) {
        let (links, templates) = self.build();
        plan(links, templates, grain)
    }
}

fn plan(links: Links, templates: Vec<Template>, grain: Grain) -> (Plan, Vec<TemplateId>) {
    let mut builder = PlanBuilder::new(links);
    let ids = (templates.into_iter())
        .map(|template| builder.add(template, grain).expect("a template"))
        .collect();
    (builder.build(), ids)
}

/// What a run gave: all-to-alls done, seconds of CPU, their mean duration.
struct Outcome {
    done: usize,
    seconds: f64,
    mean: f64,
    counters: Counters,
}

/// Every group does `rounds` all-to-alls one after the other; stops after `limit` CPU seconds.
fn run(plan: &Plan, ids: &[TemplateId], rounds: usize, limit: f64) -> Outcome {
    let begin = cpu_seconds();
    let mut network = Network::new(plan);
    let mut left = vec![rounds; ids.len()];
    let mut first: Vec<(Time, usize)> = (0..ids.len())
        .map(|group| (Time::from_micros(37.0 * group as f64), group))
        .rev()
        .collect();
    let (mut finished, mut done, mut total) = (Vec::new(), 0, 0.0);
    loop {
        let next = network.next_time();
        let start = first.last().map(|(time, _)| *time);
        let Some(now) = [next, start].into_iter().flatten().min() else {
            break;
        };
        finished.clear();
        if next == Some(now) {
            network.finish(now, &mut finished);
        }
        for end in &finished {
            done += 1;
            total += (end.end - end.start).seconds();
            if left[end.tag as usize] > 0 {
                first.push((now, end.tag as usize));
            }
        }
        while first.last().is_some_and(|(time, _)| *time <= now) {
            let (_, group) = first.pop().expect("a start");
            left[group] -= 1;
            network
                .start(now, ids[group], &[SIZE], group as u32)
                .expect("a start");
        }
        network.settle(now);
        if network.counters().solutions.is_multiple_of(64) && cpu_seconds() - begin > limit {
            break;
        }
    }
    Outcome {
        done,
        seconds: cpu_seconds() - begin,
        mean: total / done as f64,
        counters: network.counters(),
    }
}

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
            got.mean * 1e6,
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
                (got.mean * 1e6, got.done)
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
