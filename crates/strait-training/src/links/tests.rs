//! Properties that hold for any profile; fits to measured tables are in the study's tests.

use super::profile::{
    AllToAllFacts, ExpertRates, LargeDomain, PointToPointFacts, RingSteps, TimeForm, Torus,
    TransportFacts, Transports,
};
use super::routing::{Gate, distinct_bins};
use super::*;
use crate::case::Dispatcher;
use crate::hardware::{Accelerator, Fabric, Node, Peaks, ScaleUp, Transport};
use proptest::prelude::*;
use strait_units::{Bandwidth, Bytes, Power, Ratio, Time};

/// A profile of made-up but ordinary numbers, so that these tests do not depend on the catalogue.
pub(crate) fn profile() -> LinkProfile {
    let us = Time::from_micros;
    let share = Ratio::new;
    let form = |a1, f1, a2, fill| TimeForm {
        low_latency: us(a1),
        low_latency_rate: share(f1),
        simple: us(a2),
        fill: us(fill),
    };
    let transport = TransportFacts {
        tree_low_latency: us(12.0),
        tree_simple: us(35.0),
        fill: us(9.0),
        low_latency_rate: share(0.39),
        two_node_tree: false,
        switch_hop: us(0.45),
    };
    LinkProfile {
        communication_units: 16,
        id: "made-up".into(),
        name: "made up".into(),
        ring_efficiency: share(0.83),
        nic_efficiency: share(0.96),
        host_copy: share(0.81),
        in_switch_gain: [0.995, 1.135, 1.19, 1.26, 1.3].map(Ratio::new).to_vec(),
        ring: form(17.0, 0.112, 40.0, 7.2),
        in_switch: Some(form(17.7, 0.388, 35.6, 2.8)),
        large_domain: Some(LargeDomain {
            ranks: 72,
            intercept: us(100.0),
            per_rank: us(2.9),
            fill: us(30.0),
            beyond_two_domains: share(0.63),
        }),
        broadcast: us(17.0),
        ring_steps: RingSteps {
            simple_one_node: us(3.4),
            simple_many_nodes: us(4.5),
            simple_crossing: us(14.0),
            low_latency: us(1.9),
            low_latency_crossing: us(4.0),
        },
        all_to_all: AllToAllFacts {
            floor: us(76.0),
            per_rank: us(1.0),
            scale_up: share(0.75),
            nic_2_nodes: share(0.52),
            nic_4_nodes: share(0.75),
            nic_8_nodes: share(0.85),
            nic_16_nodes: share(0.8),
        },
        point_to_point: PointToPointFacts {
            latency: us(12.0),
            scale_up: share(0.8),
            limit: Some(Bandwidth::new(292e9)),
        },
        transport: Transports {
            infiniband: transport,
            roce: transport,
            efa_v1: TransportFacts {
                two_node_tree: true,
                ..transport
            },
            efa_v2: TransportFacts {
                two_node_tree: true,
                ..transport
            },
            tcpx: transport,
            omni_path: transport,
            proprietary: transport,
        },
        expert: ExpertRates {
            nic: share(0.885),
            scale_up_forwarding: share(0.62),
            scale_up_one_node: share(0.68),
            beside_compute: share(0.75),
            startup: us(30.0),
            fresh_handle: us(900.0),
        },
        torus: Some(Torus { axes: 3, side: 16 }),
    }
}

/// A cluster of 256 nodes of eight, rates in GB/s.
pub(crate) fn cluster(scale_up: f64, nic: f64, kind: ScaleUp) -> Cluster {
    Cluster {
        accelerator: Accelerator {
            id: "a".into(),
            name: "a".into(),
            peaks: Peaks::default(),
            compute_units: 100,
            memory: Bytes::new(1),
            memory_bandwidth: Bandwidth::new(1.0),
            scale_up: Bandwidth::new(scale_up * 1e9),
            host_bandwidth: None,
            tdp: Power::ZERO,
            price: None,
            rent: None,
            kernels: String::new(),
            links: String::new(),
        },
        node: Node {
            id: "n".into(),
            accelerators: 8,
            scale_up: kind,
            in_network_reduction: kind == ScaleUp::Switched,
            nic_bandwidth: Bandwidth::new(nic * 1e9),
            overhead_power: Power::ZERO,
        },
        nodes: 256,
        fabric: Fabric {
            id: "f".into(),
            transport: Transport::Infiniband,
            planes: 8,
            layers: 2,
            radix: 64,
            oversubscription: 1.0,
            pod: None,
        },
    }
}

const KINDS: [CollectiveKind; 5] = [
    CollectiveKind::AllReduce,
    CollectiveKind::AllGather,
    CollectiveKind::ReduceScatter,
    CollectiveKind::Broadcast,
    CollectiveKind::AllToAll,
];

fn exchange(dispatcher: Dispatcher, direction: Direction, group: GroupShape) -> Exchange {
    Exchange {
        dispatcher,
        direction,
        tokens: 4096,
        hidden: 7168,
        bytes_per_token: 7392.0,
        top_k: 8,
        experts: 256,
        routing_groups: 8,
        group_limit: 4,
        node_limit: Some(4),
        group,
        beside_compute: false,
        fresh_handle: false,
    }
}

fn scale_ups() -> impl Strategy<Value = ScaleUp> {
    prop_oneof![
        Just(ScaleUp::Switched),
        Just(ScaleUp::Mesh),
        Just(ScaleUp::Torus),
        Just(ScaleUp::Pcie)
    ]
}

fn transports() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::Infiniband),
        Just(Transport::EfaV2),
        Just(Transport::Roce)
    ]
}

proptest! {
    /// More bytes never take less time, and faster ports, NICs and fabrics never take more.
    #[test]
    fn collectives_are_monotonic(
        kind in prop::sample::select(&KINDS[..]),
        scale_up in 30.0..2000.0,
        nic in 2.0..200.0,
        faster in 1.0..4.0_f64,
        bytes in 1_u64..40_000_000_000,
        more in 0_u64..10_000_000_000,
        per_domain in 1_u32..=8,
        domains in 1_u32..=64,
        span in prop::option::of(8_u32..2048),
        oversubscription in 1.0..8.0_f64,
        how in scale_ups(),
        transport in transports(),
    ) {
        let profile = profile();
        let group = GroupShape { ranks: per_domain * domains, per_domain, domains };
        let time = |scale_up: f64, nic: f64, bytes: u64, over: f64| {
            let mut cluster = cluster(scale_up, nic, how);
            cluster.fabric.transport = transport;
            cluster.fabric.oversubscription = over;
            let mut links = Links::new(&cluster, &profile).unwrap();
            if let Some(span) = span { links = links.spanning(span); }
            links.collective(kind, Bytes::new(bytes), group)
        };
        let base = time(scale_up, nic, bytes, 1.0);
        prop_assert!(time(scale_up, nic, bytes + more, 1.0) >= base);
        prop_assert!(time(scale_up * faster, nic, bytes, 1.0) <= base);
        prop_assert!(time(scale_up, nic * faster, bytes, 1.0) <= base);
        // Thinner leaves hold more nodes, which may save hops.
        let hops = Time::from_micros(4.0);
        prop_assert!(time(scale_up, nic, bytes, oversubscription) + hops >= base);
        prop_assert_eq!(base == Time::ZERO, group.ranks == 1);
    }

    /// The same for exchanges and messages; and no path is faster than its wire.
    #[test]
    fn exchanges_are_monotonic(
        dispatcher in prop::sample::select(&[Dispatcher::AllToAll, Dispatcher::AllGather, Dispatcher::Deduplicated][..]),
        scale_up in 30.0..2000.0,
        nic in 2.0..200.0,
        faster in 1.0..4.0_f64,
        tokens in 1_u64..100_000,
        per_domain in prop::sample::select(&[1_u32, 2, 4, 8][..]),
        domains in prop::sample::select(&[1_u32, 2, 4, 8, 16][..]),
        top_k in 1_u32..=8,
        limit in prop::option::of(1_u32..=8),
        how in scale_ups(),
    ) {
        let profile = profile();
        let group = GroupShape { ranks: per_domain * domains, per_domain, domains };
        let e = Exchange {
            tokens, top_k, node_limit: limit, routing_groups: 1, group_limit: 1,
            ..exchange(dispatcher, Direction::Dispatch, group)
        };
        let time = |scale_up: f64, nic: f64, e: &Exchange| {
            let cluster = cluster(scale_up, nic, how);
            Links::new(&cluster, &profile).unwrap().exchange(e)
        };
        let base = time(scale_up, nic, &e);
        // Parts are rounded up one by one: a picosecond each.
        let tick = Time::from_picos(2);
        prop_assert!(time(scale_up * faster, nic, &e).mean() <= base.mean() + tick);
        prop_assert!(time(scale_up, nic * faster, &e).mean() <= base.mean() + tick);
        let twice = Exchange { tokens: tokens * 2, ..e };
        let beside = Exchange { beside_compute: true, ..e };
        let wider = Exchange { top_k: top_k + 1, ..e };
        for heavier in [twice, beside, wider] {
            prop_assert!(time(scale_up, nic, &heavier).mean() + tick >= base.mean());
        }
        prop_assert!(base.nic.seconds() >= base.nic_bytes.as_f64() / (nic * 1e9) * 0.999);
        prop_assert!(base.nvlink.seconds() >= base.nvlink_bytes.as_f64() / (scale_up * 1e9) * 0.999);
        let fan_out = e.fan_out();
        prop_assert!(fan_out.nodes.get() <= f64::from(domains.min(top_k)) + 1e-9);
        prop_assert!(fan_out.ranks.get() <= f64::from(group.ranks.min(top_k)) + 1e-9);
        prop_assert!(fan_out.ranks.get() >= fan_out.nodes.get());
    }

    /// What all ranks send is what all ranks receive.
    #[test]
    fn collectives_conserve_bytes(ranks in 2_u32..2048, bytes in 1_000_000_u64..1_000_000_000) {
        let (profile, cluster) = (profile(), cluster(450.0, 50.0, ScaleUp::Switched));
        let links = Links::new(&cluster, &profile).unwrap();
        let group = GroupShape::spread(ranks, 8);
        for kind in KINDS {
            let plan = links.plan(kind, Bytes::new(bytes), group);
            let n = f64::from(ranks);
            let s = bytes as f64;
            // Received by all: parts that were elsewhere, once; a sum needs them twice, unless a
            // switch sums, which takes every buffer once.
            let received = match (kind, plan.algorithm) {
                (CollectiveKind::AllReduce, Algorithm::InSwitch | Algorithm::InSwitchTree) => s * n,
                (CollectiveKind::AllReduce, _) => 2.0 * s * (n - 1.0),
                (CollectiveKind::Broadcast, _) => s * n,
                _ => s * (n - 1.0),
            };
            prop_assert!((plan.sent.as_f64() * n - received).abs() <= n);
        }
    }
}

#[test]
fn distinct_bins_by_the_published_layouts() {
    // u(b, e, k), by hand: bins, items of a bin, draws, expected.
    for (bins, per_bin, draws, expected) in [
        (8.0, 32.0, 8.0, 5.29),
        (2.0, 128.0, 8.0, 1.99),
        (16.0, 16.0, 8.0, 6.52),
        (4.0, 64.0, 8.0, 3.61),
        (32.0, 8.0, 8.0, 7.27),
        (4.0, 32.0, 8.0, 3.63),
        (32.0, 4.0, 8.0, 7.36),
        (32.0, 2.0, 8.0, 7.56),
        (64.0, 4.0, 8.0, 7.68),
        (16.0, 16.0, 1.0, 1.0),
        (1.0, 256.0, 8.0, 1.0),
        (4.0, 1.0, 4.0, 4.0),
    ] {
        let got = distinct_bins(bins, per_bin, draws);
        assert!(
            (got - expected).abs() < 0.0051,
            "u({bins}, {per_bin}, {draws}) = {got}"
        );
    }
}

/// Routes tokens one by one through a gate that ranks groups by their two best scores, and counts.
fn routed(gate: &Gate, group: GroupShape, tokens: u32) -> (f64, f64) {
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let (mut nodes, mut ranks) = (0_u64, 0_u64);
    let per_group = (gate.experts / gate.groups) as usize;
    for _ in 0..tokens {
        let scores: Vec<u32> = (0..gate.experts).map(|_| random()).collect();
        let mut groups: Vec<(u64, usize)> = scores
            .chunks(per_group)
            .map(|chunk| {
                let mut sorted = chunk.to_vec();
                sorted.sort_unstable();
                sorted
                    .iter()
                    .rev()
                    .take(2)
                    .map(|&s| u64::from(s))
                    .sum::<u64>()
            })
            .zip(0..)
            .collect();
        groups.sort_unstable();
        let mut chosen: Vec<(u32, usize)> = groups
            .iter()
            .rev()
            .take(gate.group_limit as usize)
            .flat_map(|&(_, g)| (g * per_group..(g + 1) * per_group).map(|x| (scores[x], x)))
            .collect();
        chosen.sort_unstable();
        let experts = chosen.iter().rev().take(gate.top_k as usize);
        let places = |count: u32| {
            let mut places: Vec<u32> = experts
                .clone()
                .map(|&(_, x)| x as u32 * count / gate.experts)
                .collect();
            places.sort_unstable();
            places.dedup();
            places.len() as u64
        };
        nodes += places(group.domains);
        ranks += places(group.ranks);
    }
    (
        nodes as f64 / f64::from(tokens),
        ranks as f64 / f64::from(tokens),
    )
}

#[test]
fn fan_out_agrees_with_routing_token_by_token() {
    for (experts, top_k, groups, group_limit, ranks, domains, bound) in [
        (256, 8, 8, 4, 64, 8, 0.01), // DeepSeek-V3
        (256, 8, 16, 4, 128, 16, 0.01),
        (256, 8, 8, 4, 32, 4, 0.01),   // two groups on a node
        (256, 8, 8, 4, 128, 16, 0.02), // a group on two nodes
        (256, 8, 8, 4, 8, 1, 0.01),
        (256, 8, 1, 1, 64, 8, 0.01), // no limit
        (160, 6, 8, 3, 32, 8, 0.02), // DeepSeek-V2
        (64, 6, 1, 1, 16, 2, 0.01),
        (128, 8, 1, 1, 32, 4, 0.01),
    ] {
        let gate = Gate {
            experts,
            top_k,
            groups,
            group_limit,
            node_limit: None,
        };
        let group = GroupShape {
            ranks,
            per_domain: ranks / domains,
            domains,
        };
        let (nodes, spread) = routed(&gate, group, 2000);
        let model = FanOut::of(&gate, group);
        let off = |model: Ratio, sampled: f64| (model.get() / sampled - 1.0).abs();
        assert!(
            off(model.nodes, nodes) < bound && off(model.ranks, spread) < bound,
            "{gate:?} {group:?}: {model:?}, sampled {nodes:.3} {spread:.3}"
        );
    }
}

#[test]
fn a_node_limit_and_as_many_groups_are_the_same() {
    let group = GroupShape {
        ranks: 64,
        per_domain: 8,
        domains: 8,
    };
    let by_groups = Gate {
        experts: 256,
        top_k: 8,
        groups: 8,
        group_limit: 4,
        node_limit: None,
    };
    let by_nodes = Gate {
        groups: 1,
        group_limit: 1,
        node_limit: Some(4),
        ..by_groups
    };
    assert_eq!(FanOut::of(&by_groups, group), FanOut::of(&by_nodes, group));
}

#[test]
fn loads_have_the_asked_spread() {
    for (cv, persistence) in [(0.0055, 0.0), (0.09, 0.0), (0.09, 0.5), (0.18, 1.0)] {
        let spread = LoadSpread { cv, persistence };
        let (mut sum, mut squares, mut greatest) = (0.0, 0.0, 0.0);
        let draws = 4000;
        for draw in 0..draws {
            let loads = (0..64).map(|member| spread.rank_load(7, draw, draw, 0, member));
            let mut most = 0.0_f64;
            for load in loads {
                sum += load;
                squares += (load - 1.0) * (load - 1.0);
                most = most.max(load);
            }
            greatest += most;
        }
        let count = f64::from(draws) * 64.0;
        let (mean, sd, greatest) = (
            sum / count,
            (squares / count).sqrt(),
            greatest / f64::from(draws),
        );
        assert!((mean - 1.0).abs() < 0.002, "mean {mean}");
        assert!((sd / cv - 1.0).abs() < 0.01, "sd {sd} for cv {cv}");
        // Expected largest of 64 normals: 2.35 standard deviations.
        assert!(
            ((greatest - 1.0) / (2.35 * cv) - 1.0).abs() < 0.03,
            "largest {greatest}"
        );
    }
}

#[test]
fn persistence_is_the_correlation_over_micro_batches() {
    for persistence in [0.0, 0.5, 1.0] {
        let spread = LoadSpread {
            cv: 0.1,
            persistence,
        };
        let count = 40_000;
        let covariance: f64 = (0..count)
            .map(|at| {
                let load = |micro_batch| spread.rank_load(3, at, micro_batch, 1, 5) - 1.0;
                load(0) * load(1)
            })
            .sum::<f64>()
            / f64::from(count);
        assert!(
            (covariance / 0.01 - persistence).abs() < 0.02,
            "{covariance}"
        );
    }
}

#[test]
fn a_nic_carries_the_mean_of_its_node() {
    let spread = LoadSpread {
        cv: 0.1,
        persistence: 0.5,
    };
    let members: f64 = (0..64).map(|m| spread.rank_load(1, 2, 3, 4, m)).sum();
    let nics: f64 = (0..8).map(|d| spread.nic_load(1, 2, 3, 4, d, 8)).sum();
    assert!((nics * 8.0 - members).abs() < 1e-9);
    assert_eq!(
        LoadSpread {
            cv: 0.0,
            persistence: 0.0
        }
        .nic_load(1, 2, 3, 4, 5, 8),
        1.0
    );
}

#[test]
fn a_mesh_pair_has_one_link() {
    let profile = profile();
    let mesh = cluster(448.0, 50.0, ScaleUp::Mesh);
    let links = Links::new(&mesh, &profile).unwrap();
    let gather = |ranks| {
        links
            .plan(
                CollectiveKind::AllGather,
                Bytes::new(1 << 34),
                GroupShape::in_domain(ranks),
            )
            .bus
    };
    let ratio = gather(8) / gather(2);
    assert!(
        (ratio - 7.0).abs() < 0.1,
        "all seven links against one: {ratio}"
    );
    let pair = links
        .point_to_point(Bytes::new(64_000_000_000), false)
        .seconds();
    assert!(
        (pair - 1.0 / 0.8).abs() < 1e-3,
        "64 GB over a link of 64 GB/s: {pair}"
    );
}

#[test]
fn one_accelerator_per_node_has_its_nic() {
    let profile = profile();
    // A port of 30 GB/s behind a NIC of 50: with one member in a domain only the NIC counts.
    for (scale_up, kind) in [
        (30.0, ScaleUp::Mesh),
        (30.0, ScaleUp::Torus),
        (450.0, ScaleUp::Switched),
    ] {
        let cluster = cluster(scale_up, 50.0, kind);
        let links = Links::new(&cluster, &profile).unwrap();
        let group = GroupShape::spread(4, 1);
        let bus = links
            .plan(CollectiveKind::AllGather, Bytes::new(1 << 36), group)
            .bus
            .get();
        assert!((bus / 48e9 - 1.0).abs() < 0.01, "{kind:?}: {bus}");
    }
}

#[test]
fn a_torus_gathers_along_its_axes() {
    let profile = LinkProfile {
        large_domain: None,
        ..profile()
    };
    let mut pod = cluster(300.0, 25.0, ScaleUp::Torus);
    pod.node.accelerators = 4096;
    let links = Links::new(&pod, &profile).unwrap();
    let plan = |ranks, bytes| {
        links.plan(
            CollectiveKind::AllGather,
            Bytes::new(bytes),
            GroupShape::in_domain(ranks),
        )
    };
    let bus = |ranks| plan(ranks, 1 << 40).bus.get() / (0.83 * 300e9);
    assert!(
        (bus(16) - 1.0 / 3.0).abs() < 0.01,
        "two of six ports: {}",
        bus(16)
    );
    assert!((bus(256) - 2.0 / 3.0).abs() < 0.01, "four: {}", bus(256));
    assert!((bus(4096) - 1.0).abs() < 0.01, "six: {}", bus(4096));
    // A chunk walks three axes of 16 and not a ring of 4,096.
    assert!(plan(4096, 1024).time < Time::from_micros(200.0));
}

#[test]
fn a_thin_fabric_slows_groups_that_leave_it_at_every_step() {
    let profile = profile();
    let mut cluster = cluster(450.0, 50.0, ScaleUp::Switched);
    cluster.fabric.pod = Some((512, 7.0));
    let links = Links::new(&cluster, &profile).unwrap();
    let group = GroupShape {
        ranks: 4,
        per_domain: 1,
        domains: 4,
    };
    let bus = |links: Links<'_>| {
        links
            .plan(CollectiveKind::ReduceScatter, Bytes::new(1 << 34), group)
            .bus
            .get()
    };
    let near = bus(links);
    // One member in each pod: a seventh. Side by side: the whole NIC.
    assert!((near / 48e9 - 1.0).abs() < 0.02);
    assert!((bus(links.spanning(2048)) / (48e9 / 7.0) - 1.0).abs() < 0.01);
    assert_eq!(bus(links.spanning(512)), near);
}

#[test]
fn profiles_and_clusters_that_cannot_be_are_refused() {
    let good = profile();
    let cluster_of = || cluster(450.0, 50.0, ScaleUp::Switched);
    let refused = |cluster: &Cluster, profile: &LinkProfile| {
        Links::new(cluster, profile).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&cluster_of(), &LinkProfile::default()),
        "link profile ``: ring_efficiency is missing or out of range"
    );
    let dark = cluster(450.0, 0.0, ScaleUp::Switched);
    assert_eq!(
        refused(&dark, &good),
        "NIC bandwidth of n must be above zero to send anything"
    );
    let mut fat = cluster_of();
    fat.fabric.oversubscription = 0.5;
    assert_eq!(
        refused(&fat, &good),
        "fabric f: oversubscription is at least 1"
    );
    let flat = LinkProfile {
        torus: None,
        ..profile()
    };
    let torus = cluster(450.0, 50.0, ScaleUp::Torus);
    assert!(refused(&torus, &flat).contains("has no torus"));
}
