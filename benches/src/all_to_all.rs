//! All-to-alls on shared links.
//!
//! In: how many groups, how thin the links. Out: a network of them, and what driving it gave.
//!
//! An all-to-all of 64 ranks, eight nodes of eight rails, 1 MiB for each pair: out by the
//! sender's NIC, in by the NIC of the same rail, over the scale-up network to the receiver. Ports
//! of 450 GB/s, NICs of 50. Node k of eight groups hangs on one leaf of each rail, so that eight
//! groups share each uplink. Each group starts again as soon as it is done.

use crate::clock::cpu_seconds;
use strait_sim::net::{
    Counters, Grain, Hop, Links, Network, Plan, PlanBuilder, Template, TemplateId,
};
use strait_sim::random::Key;
use strait_units::{Bandwidth, Bytes, Ratio, Time};

const NODES: usize = 8;
const RAILS: usize = 8;
const SIZE: Bytes = Bytes::new(1 << 20);

/// What is asked of the links.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Groups of 64 ranks.
    pub groups: usize,
    /// Oversubscription of the leaves.
    pub thin: f64,
    /// Sizes differ by this much at most, by sender and receiving node.
    pub spread: f64,
    /// One NIC at half speed.
    pub slow: bool,
}

impl Workload {
    /// Links, and what each group sends over them.
    pub fn build(&self) -> (Links, Vec<Template>) {
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

    /// The network at a grain, and each group's all-to-all in it.
    pub fn plan(&self, grain: Grain) -> (Plan, Vec<TemplateId>) {
        let (links, templates) = self.build();
        plan(links, templates, grain)
    }
}

/// The network of links at a grain, and each template in it.
pub fn plan(links: Links, templates: Vec<Template>, grain: Grain) -> (Plan, Vec<TemplateId>) {
    let mut builder = PlanBuilder::new(links);
    let ids = (templates.into_iter())
        .map(|template| builder.add(template, grain).expect("a template"))
        .collect();
    (builder.build(), ids)
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// All-to-alls done.
    pub done: usize,
    /// CPU seconds.
    pub seconds: f64,
    /// Their mean duration.
    pub mean: Time,
    /// What the solver did.
    pub counters: Counters,
}

/// Every group does `rounds` all-to-alls one after the other; stops after `limit` CPU seconds.
pub fn run(plan: &Plan, ids: &[TemplateId], rounds: usize, limit: f64) -> Outcome {
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
        mean: Time::from_seconds(total / done.max(1) as f64),
        counters: network.counters(),
    }
}
