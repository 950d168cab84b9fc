//! Shared links against their plain twin: every flow by itself, everything solved again at every
//! start and end, by the textbook.
//!
//! `cargo test -p strait-sim --test network`

use proptest::prelude::*;
use strait_sim::net::{
    Finished, Grain, Hop, LinkId, Links, Network, NetworkError, Plan, PlanBuilder, Share, Template,
    TemplateId, max_min,
};
use strait_units::{Bandwidth, Bytes, Ratio, Time};

/// A flow of the twin: bytes left and hops (link, cost).
#[derive(Clone)]
struct TwinFlow {
    transfer: usize,
    left: f64,
    hops: Vec<(usize, f64)>,
}

/// Max-min by the textbook: find the link with the least for each, stop everyone on it, repeat.
fn twin_rates(capacities: &[f64], flows: &[TwinFlow]) -> Vec<f64> {
    let mut rates: Vec<Option<f64>> = vec![None; flows.len()];
    loop {
        let mut least: Option<(f64, usize)> = None;
        for (link, &capacity) in capacities.iter().enumerate() {
            let (mut left, mut open) = (capacity, 0.0);
            for (flow, rate) in flows.iter().zip(&rates) {
                for &(_, cost) in flow.hops.iter().filter(|hop| hop.0 == link) {
                    match rate {
                        Some(rate) => left -= cost * rate,
                        None => open += cost,
                    }
                }
            }
            if open > 0.0 && least.is_none_or(|(level, _)| left.max(0.0) / open < level) {
                least = Some((left.max(0.0) / open, link));
            }
        }
        let Some((level, link)) = least else {
            return rates.into_iter().map(|r| r.unwrap()).collect();
        };
        for (flow, rate) in flows.iter().zip(&mut rates) {
            if rate.is_none() && flow.hops.iter().any(|hop| hop.0 == link) {
                *rate = Some(level);
            }
        }
    }
}

/// When transfers end, in seconds: (start, flows as (bytes, hops)).
type TwinFlows = Vec<(f64, Vec<(usize, f64)>)>;
fn twin(capacities: &[f64], transfers: &[(f64, TwinFlows)]) -> Vec<f64> {
    let mut ends = vec![0.0; transfers.len()];
    let mut starts: Vec<usize> = (0..transfers.len()).collect();
    starts.sort_by(|&a, &b| transfers[b].0.total_cmp(&transfers[a].0));
    let mut active: Vec<TwinFlow> = Vec::new();
    let mut now = 0.0;
    loop {
        let rates = twin_rates(capacities, &active);
        let next_end = (active.iter().zip(&rates))
            .map(|(flow, rate)| now + flow.left / rate)
            .fold(f64::INFINITY, f64::min);
        let next_start = starts.last().map_or(f64::INFINITY, |&t| transfers[t].0);
        let next = next_end.min(next_start);
        if next == f64::INFINITY {
            return ends;
        }
        for (flow, rate) in active.iter_mut().zip(&rates) {
            flow.left -= rate * (next - now);
            if flow.left <= rate * next * 1e-13 {
                flow.left = 0.0;
                ends[flow.transfer] = next;
            }
        }
        active.retain(|flow| flow.left > 0.0);
        now = next;
        while starts.last().is_some_and(|&t| transfers[t].0 <= now) {
            let transfer = starts.pop().unwrap();
            ends[transfer] = now;
            for (bytes, hops) in &transfers[transfer].1 {
                active.push(TwinFlow {
                    transfer,
                    left: *bytes,
                    hops: hops.clone(),
                });
            }
        }
    }
}

/// Templates as lists of (share, hops), and a plan of them.
type Flows = Vec<(f64, Vec<(usize, f64)>)>;

#[derive(Debug)]
struct Case {
    capacities: Vec<f64>,
    templates: Vec<Flows>,
    /// Template, start in picoseconds, size.
    starts: Vec<(usize, u64, u64)>,
}

impl Case {
    fn plan(&self, grain: Grain) -> (Plan, Vec<TemplateId>) {
        let mut links = Links::new();
        let ids: Vec<LinkId> = (self.capacities.iter())
            .map(|&c| links.add(Bandwidth::new(c)).unwrap())
            .collect();
        let mut builder = PlanBuilder::new(links);
        let templates = (self.templates.iter())
            .map(|flows| {
                let mut template = Template::new();
                for (bundle, (share, hops)) in flows.iter().enumerate() {
                    let hops: Vec<Hop> = (hops.iter())
                        .map(|&(link, cost)| Hop {
                            link: ids[link],
                            cost: Ratio::new(cost),
                        })
                        .collect();
                    let share = Ratio::new(*share);
                    template.flow(0, share, bundle as u32, &hops).unwrap();
                }
                builder.add(template, grain).unwrap()
            })
            .collect();
        (builder.build(), templates)
    }

    fn run(&self, grain: Grain) -> (Vec<f64>, Vec<Bytes>, Vec<Bytes>) {
        let (plan, templates) = self.plan(grain);
        let mut network = Network::new(&plan);
        let mut order: Vec<usize> = (0..self.starts.len()).collect();
        order.sort_by_key(|&s| self.starts[s].1);
        let mut finished: Vec<Finished> = Vec::new();
        let mut demand = vec![Bytes::ZERO; self.capacities.len()];
        for group in order.chunk_by(|&a, &b| self.starts[a].1 == self.starts[b].1) {
            let now = Time::from_picos(self.starts[group[0]].1);
            while let Some(next) = network.next_time().filter(|next| *next <= now) {
                network.finish(next, &mut finished);
                network.settle(next);
            }
            for &start in group {
                let (template, _, size) = self.starts[start];
                let sizes = [Bytes::new(size)];
                network
                    .start(now, templates[template], &sizes, start as u32)
                    .unwrap();
                for (sum, more) in demand
                    .iter_mut()
                    .zip(plan.demand(templates[template], &sizes).unwrap())
                {
                    *sum += more;
                }
            }
            network.settle(now);
        }
        finished.extend(network.drain());
        let mut ends = vec![0.0; self.starts.len()];
        for f in &finished {
            ends[f.tag as usize] = f.end.seconds();
        }
        assert_eq!(finished.len(), self.starts.len());
        assert_eq!(network.in_flight(), 0);
        (ends, network.carried(), demand)
    }

    fn twin(&self) -> Vec<f64> {
        let transfers: Vec<_> = (self.starts.iter())
            .map(|&(template, start, size)| {
                let flows = (self.templates[template].iter())
                    .map(|(share, hops)| (share * size as f64, hops.clone()))
                    .collect();
                (start as f64 * 1e-12, flows)
            })
            .collect();
        twin(&self.capacities, &transfers)
    }
}

/// Ends equal to 1e-12 of the time and the ticks that rounding up may add at each end before.
fn assert_close(got: &[f64], expected: &[f64], ticks: usize) {
    for (got, expected) in got.iter().zip(expected) {
        let off = (got - expected).abs();
        assert!(
            off <= 1e-12 * expected + ticks as f64 * 1e-12,
            "{got} against {expected}: {:e}",
            off / expected
        );
    }
}

fn cases(even: bool) -> impl Strategy<Value = Case> {
    let shares = if even {
        prop::sample::select(&[1.0][..])
    } else {
        prop::sample::select(&[1.0, 0.7, 2.0][..])
    };
    let capacity = prop::sample::select(&[1e9, 2e9, 4e9, 16e9][..]);
    prop::collection::vec(capacity, 3..9).prop_flat_map(move |capacities| {
        let links = capacities.len();
        let cost = prop::sample::select(&[1.0, 1.0, 1.25, 2.0][..]);
        let hops = prop::collection::btree_map(0..links, cost, 1..4)
            .prop_map(|map| map.into_iter().collect::<Vec<_>>());
        let flows = prop::collection::vec((shares.clone(), hops), 1..10);
        prop::collection::vec(flows, 1..4).prop_flat_map(move |templates| {
            let capacities = capacities.clone();
            let count = templates.len();
            // Up to 1,000 s, so that a tick is below 1e-14.
            let start = (
                0..count,
                0..1_000_000_000_000_000_u64,
                1..1_000_000_000_000_u64,
            );
            prop::collection::vec(start, 1..6).prop_map(move |starts| Case {
                capacities: capacities.clone(),
                templates: templates.clone(),
                starts,
            })
        })
    })
}

/// All-to-alls of `groups` groups of `nodes` nodes with `rails` ranks each, forwarded on rails;
/// node k of every group hangs on leaf k, whose uplinks are `thin` times too thin.
fn all_to_alls(groups: usize, nodes: usize, rails: usize, thin: f64) -> Case {
    let ranks = groups * nodes * rails;
    // For each rank: scale-up out and in, NIC out and in.
    let mut capacities: Vec<f64> = (0..ranks)
        .flat_map(|_| [450e9, 450e9, 50e9, 50e9])
        .collect();
    let leaf = |node: usize, rail: usize, down: usize| ranks * 4 + (node * rails + rail) * 2 + down;
    capacities.extend((0..nodes * rails * 2).map(|_| groups as f64 * 50e9 / thin));
    let port = |rank: usize, which: usize| (rank * 4 + which, 1.0);
    let templates = (0..groups)
        .map(|group| {
            let rank = |node: usize, rail: usize| (group * nodes + node) * rails + rail;
            let mut flows = Flows::new();
            for a in 0..nodes {
                for i in 0..rails {
                    for b in 0..nodes {
                        for j in 0..rails {
                            if (a, i) == (b, j) {
                                continue;
                            }
                            let mut hops = Vec::new();
                            if a != b {
                                hops.push(port(rank(a, i), 2));
                                hops.push((leaf(a, i, 0), 1.0));
                                hops.push((leaf(b, i, 1), 1.0));
                                hops.push(port(rank(b, i), 3));
                            }
                            if i != j {
                                hops.push(port(rank(b, i), 0));
                                hops.push(port(rank(b, j), 1));
                            }
                            flows.push((1.0, hops));
                        }
                    }
                }
            }
            flows
        })
        .collect();
    Case {
        capacities,
        templates,
        starts: (0..groups)
            .map(|g| (g, g as u64 * 300_000_000, 1 << 20))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Flows and classes end when the twin's do.
    #[test]
    fn exact_grains_are_the_twin(case in cases(true)) {
        let expected = case.twin();
        let flows = case.templates.iter().map(Vec::len).sum::<usize>() * case.starts.len();
        for grain in [Grain::Flow, Grain::Class, Grain::Bundle] {
            let (ends, ..) = case.run(grain);
            assert_close(&ends, &expected, 4 + flows);
        }
    }

    /// Unequal sizes are told apart by class as well.
    #[test]
    fn unequal_sizes_too(case in cases(false)) {
        let expected = case.twin();
        let flows = case.templates.iter().map(Vec::len).sum::<usize>() * case.starts.len();
        for grain in [Grain::Flow, Grain::Class] {
            let (ends, ..) = case.run(grain);
            assert_close(&ends, &expected, 4 + flows);
        }
    }

    /// What links carried is what was asked of them, at every grain; and no link carried more
    /// than it could.
    #[test]
    fn bytes_and_time_are_conserved(case in cases(false)) {
        for grain in [Grain::Flow, Grain::Class, Grain::Coflow] {
            let (ends, carried, demand) = case.run(grain);
            let end = ends.iter().fold(0.0_f64, |a, &b| a.max(b));
            for (link, (carried, demand)) in carried.iter().zip(&demand).enumerate() {
                let (carried, demand) = (carried.as_f64(), demand.as_f64());
                prop_assert!((carried - demand).abs() <= 1e-12 * demand + case.starts.len() as f64);
                prop_assert!(carried <= case.capacities[link] * end * (1.0 + 1e-12) + 1.0);
            }
        }
    }

    /// No grain is faster than the greatest load over capacity; a coflow alone is just that.
    #[test]
    fn analytic_is_the_floor(case in cases(false), more in 1.0..4.0_f64) {
        let sizes = [Bytes::new(1 << 36)];
        let (coflow, ids) = case.plan(Grain::Coflow);
        let (flow, _) = case.plan(Grain::Flow);
        let mut wide = Case { templates: case.templates.clone(), ..case };
        let least = |plan: &Plan, id| plan.analytic(id, &sizes).unwrap().picos() as f64;
        for link in 0..wide.capacities.len() {
            let before = wide.capacities[link];
            wide.capacities[link] *= more;
            let (wider, _) = wide.plan(Grain::Coflow);
            for &id in &ids {
                // More bandwidth never makes it longer.
                prop_assert!(wider.alone(id, &sizes).unwrap() <= coflow.alone(id, &sizes).unwrap());
            }
            wide.capacities[link] = before;
        }
        for &id in &ids {
            let floor = least(&coflow, id);
            let together = coflow.alone(id, &sizes).unwrap().picos() as f64;
            prop_assert!((together - floor).abs() <= 1e-12 * floor + 1.0);
            prop_assert!(flow.alone(id, &sizes).unwrap().picos() as f64 >= floor * (1.0 - 1e-12));
        }
    }

    /// Rates by the standing solver are the twin's.
    #[test]
    fn rates_are_max_min(case in cases(true)) {
        let mut links = Links::new();
        let ids: Vec<LinkId> = (case.capacities.iter())
            .map(|&c| links.add(Bandwidth::new(c)).unwrap())
            .collect();
        let flows: Vec<TwinFlow> = (case.templates.iter().flatten())
            .map(|(_, hops)| TwinFlow { transfer: 0, left: 1.0, hops: hops.clone() })
            .collect();
        let shares: Vec<Share> = (flows.iter())
            .map(|flow| Share {
                weight: Ratio::new(1.0),
                hops: flow.hops.iter().map(|&(l, c)| (ids[l], Ratio::new(c))).collect(),
            })
            .collect();
        for (got, expected) in max_min(&links, &shares).iter().zip(twin_rates(&case.capacities, &flows)) {
            prop_assert!((got.get() - expected).abs() <= 1e-12 * expected);
        }
    }
}

#[test]
fn classes_are_few_and_exact_on_rails() {
    for (thin, slow, most) in [
        (1.0, None, 5),
        (3.0, None, 5),
        (3.0, Some(2), 40),
        (1.0, Some(2), 40),
        (3.0, Some(0), 40),
    ] {
        let mut case = all_to_alls(3, 3, 3, thin);
        if let Some(link) = slow {
            case.capacities[link] /= 2.0;
        }
        let (plan, ids) = case.plan(Grain::Class);
        let most_classes = ids.iter().map(|&id| plan.variables_of(id).unwrap()).max();
        assert!(most_classes.unwrap() <= most, "{most_classes:?} classes");
        let expected = case.twin();
        for grain in [Grain::Class, Grain::Flow] {
            let (ends, ..) = case.run(grain);
            assert_close(&ends, &expected, 300);
        }
    }
}

#[test]
fn a_dead_link_is_refused_before_anything_waits_for_it() {
    let mut case = all_to_alls(1, 2, 2, 1.0);
    case.capacities[2] = 0.0;
    let mut links = Links::new();
    let ids: Vec<LinkId> = (case.capacities.iter())
        .map(|&c| links.add(Bandwidth::new(c)).unwrap())
        .collect();
    let mut template = Template::new();
    template
        .flow(0, Ratio::new(1.0), 0, &[Hop::plain(ids[2])])
        .unwrap();
    let refused = PlanBuilder::new(links).add(template, Grain::Auto);
    assert_eq!(refused, Err(NetworkError::Dead { link: 2 }));
}

#[test]
fn full_bisection_uplinks_are_dropped_and_groups_come_apart() {
    let (full, _) = all_to_alls(4, 3, 4, 1.0).plan(Grain::Flow);
    let (thin, _) = all_to_alls(4, 3, 4, 2.0).plan(Grain::Flow);
    // 48 ranks with four ports each; and 24 uplinks, in one case too wide to bind.
    assert_eq!(full.link_counts(), (216, 192, 192));
    assert_eq!(thin.link_counts(), (216, 216, 216));
    assert_eq!(full.components(), [0, 1, 2, 3]);
    assert_eq!(thin.components(), [0; 4]);
}

#[test]
fn auto_is_class_for_equal_sizes_and_coflow_otherwise() {
    let mut case = all_to_alls(1, 2, 2, 1.0);
    let grain = |case: &Case| {
        let (plan, ids) = case.plan(Grain::Auto);
        plan.grain(ids[0]).unwrap()
    };
    assert_eq!(grain(&case), Grain::Class);
    case.templates[0][0].0 = 1.5;
    assert_eq!(grain(&case), Grain::Coflow);
}

#[test]
fn starts_cancels_and_empty_transfers() {
    let mut links = Links::new();
    let link = links.add(Bandwidth::new(1e9)).unwrap();
    let mut template = Template::new();
    template
        .flow(0, Ratio::new(1.0), 0, &[Hop::plain(link)])
        .unwrap();
    let mut builder = PlanBuilder::new(links);
    let id = builder.add(template, Grain::Auto).unwrap();
    let plan = builder.build();
    let mut network = Network::new(&plan);
    let second = |s: f64| Time::from_seconds(s);
    let size = [Bytes::new(1_000_000_000)];
    let a = network.start(Time::ZERO, id, &size, 1).unwrap();
    network.settle(Time::ZERO);
    assert_eq!(network.next_time(), Some(second(1.0)));
    let b = network.start(second(0.5), id, &size, 2).unwrap();
    network.settle(second(0.5));
    // Half is left, at half the rate.
    assert_eq!(network.next_time(), Some(second(1.5)));
    network.cancel(second(1.0), a).unwrap();
    network.settle(second(1.0));
    assert_eq!(network.next_time(), Some(second(1.75)));
    assert_eq!(network.carried(), [Bytes::new(1_000_000_000)]);
    assert_eq!(
        network.cancel(second(1.0), a),
        Err(NetworkError::NoTransfer)
    );
    let c = network.start(second(1.0), id, &[Bytes::ZERO], 3).unwrap();
    assert_eq!(network.next_time(), Some(second(1.0)));
    let mut finished = Vec::new();
    network.finish(second(1.0), &mut finished);
    assert_eq!(finished[0].transfer, c);
    finished.clear();
    network.finish(second(1.75), &mut finished);
    assert_eq!((finished[0].transfer, finished[0].tag), (b, 2));
    assert_eq!(network.next_time(), None);
    assert!(network.start(second(2.0), id, &[], 0).is_err());
    assert!(network.counters().stale > 0);
}

#[test]
fn runs_repeat_to_the_tick() {
    let case = all_to_alls(3, 3, 2, 3.0);
    assert_eq!(case.run(Grain::Class), case.run(Grain::Class));
}
