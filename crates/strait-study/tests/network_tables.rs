//! Collectives simulated on shared links against measured tables.
//!
//! In: the multi-node all-reduces of `catalog/measurements/collectives.csv` from 1 GiB on (public sweeps, each row
//! with its source), and DeepEP's published bandwidths. Out: residuals, held to bounds. Alone on
//! its links a transfer takes its closed form; the point of this table is that the links, routes
//! and costs of whole clusters say the same.
//!
//! `cargo test -p strait-study --test network_tables -- --nocapture` prints the tables.

use strait_sim::net::Grain;
use strait_study::catalog::Catalog;
use strait_training::case::Dispatcher;
use strait_training::hardware::{Accelerator, Cluster, Fabric, Node, Peaks, ScaleUp, Transport};
use strait_training::links::{CollectiveKind, Direction, Exchange, GroupShape, LinkProfile, Links};
use strait_training::topology::{Placed, Templates, Ticket, Topology};
use strait_units::{Bandwidth, Bytes, Power, Time};

fn profile(id: &str) -> LinkProfile {
    Catalog::embedded()
        .load("links", id)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster with nothing but links; rates in GB/s.
fn cluster(ranks: u32, domain: u32, scale_up: f64, nic: f64, transport: Transport) -> Cluster {
    Cluster {
        accelerator: Accelerator {
            id: "bench".into(),
            name: "bench".into(),
            peaks: Peaks::default(),
            compute_units: 132,
            memory: Bytes::new(80_000_000_000),
            memory_bandwidth: Bandwidth::new(3.35e12),
            scale_up: Bandwidth::new(scale_up * 1e9),
            host_bandwidth: None,
            tdp: Power::new(700.0),
            price: None,
            rent: None,
            kernels: String::new(),
            links: String::new(),
        },
        node: Node {
            id: "bench".into(),
            accelerators: domain,
            scale_up: ScaleUp::Switched,
            in_network_reduction: true,
            nic_bandwidth: Bandwidth::new(nic * 1e9),
            overhead_power: Power::ZERO,
        },
        nodes: ranks.div_ceil(domain),
        fabric: Fabric {
            id: "bench".into(),
            transport,
            planes: 8,
            layers: 2,
            radix: 64,
            oversubscription: 1.0,
            pod: None,
        },
    }
}

/// Seconds of one transfer alone on the cluster's links.
fn alone(topology: &Topology, ticket: impl Fn(&mut Templates<'_>) -> Ticket) -> f64 {
    let mut templates = Templates::new(topology, Grain::Auto).expect("links");
    let ticket = ticket(&mut templates);
    let plan = templates.build();
    let template = ticket.template.expect("something is sent");
    let wire = plan.alone(template, &ticket.sizes).expect("a template");
    (ticket.fixed + wire).seconds()
}

fn collective(cluster: &Cluster, profile: &LinkProfile, kind: CollectiveKind, bytes: Bytes) -> f64 {
    let topology = Topology::new(cluster, profile).expect("sound");
    let members: Vec<u32> = (0..cluster.ranks()).collect();
    alone(&topology, |templates| {
        templates
            .collective(kind, bytes, &members)
            .expect("reachable")
    })
}

#[test]
fn measured_all_reduces_over_nodes() {
    let mut offs = Vec::new();
    for line in include_str!("../../../catalog/measurements/collectives.csv")
        .lines()
        .skip(1)
    {
        let f: Vec<&str> = line.split(',').collect();
        let number = |i: usize| f[i].parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        let (domain, ranks, bytes) = (number(6) as u32, number(11) as u32, number(13));
        if f[10] != "all_reduce" || ranks < 16 || bytes < 1_073_741_824.0 || f[12] != f[6] {
            continue;
        }
        let transport = match f[8] {
            "efa_v1" => Transport::EfaV1,
            "efa_v2" => Transport::EfaV2,
            _ => Transport::Infiniband,
        };
        let mut cluster = cluster(ranks, domain, number(5), number(7), transport);
        cluster.node.in_network_reduction = f[9] == "1";
        let profile = profile(f[4]);
        let kind = CollectiveKind::AllReduce;
        let simulated = collective(&cluster, &profile, kind, Bytes::from_f64(bytes));
        let closed = Links::new(&cluster, &profile)
            .expect("sound")
            .collective(
                kind,
                Bytes::from_f64(bytes),
                GroupShape::spread(ranks, domain),
            )
            .seconds();
        assert!((simulated / closed - 1.0).abs() < 1e-8, "{line}");
        let measured = number(14) * 1e-6;
        let off = simulated / measured - 1.0;
        println!(
            "{:>6} {:5} {:8.3} GiB  simulated {:9.1} us, measured {:9.1} us, {:+5.1} %",
            f[3].split('-').next().unwrap_or(""),
            ranks,
            bytes / 1_073_741_824.0,
            simulated * 1e6,
            measured * 1e6,
            off * 100.0
        );
        // What EFA takes beside its bytes is known no better than this.
        let bound = if f[8].starts_with("efa") { 0.20 } else { 0.105 };
        assert!(off.abs() < bound, "{line}: {off}");
        offs.push(off.abs());
    }
    offs.sort_by(f64::total_cmp);
    println!(
        "{} rows, median {:.1} %",
        offs.len(),
        offs[offs.len() / 2] * 100.0
    );
    assert!(offs.len() >= 12 && offs[offs.len() / 2] < 0.05);
}

#[test]
fn a_gibibyte_on_64_to_2048() {
    let hopper = profile("hopper");
    for ranks in [64_u32, 256, 1024, 2048] {
        for kind in [CollectiveKind::AllReduce, CollectiveKind::AllToAll] {
            let cluster = cluster(ranks, 8, 450.0, 50.0, Transport::Infiniband);
            let bytes = Bytes::new(1 << 30);
            let simulated = collective(&cluster, &hopper, kind, bytes);
            let closed = Links::new(&cluster, &hopper)
                .expect("sound")
                .collective(kind, bytes, GroupShape::spread(ranks, 8))
                .seconds();
            println!(
                "{kind:?} of {ranks}: {:.1} us, closed form {:.1}",
                simulated * 1e6,
                closed * 1e6
            );
            assert!((simulated / closed - 1.0).abs() < 1e-8);
        }
    }
}

#[test]
fn published_dispatch_and_combine() {
    // Logical bandwidths of arXiv:2505.09343, figure 7, in GB/s: ranks, dispatch, combine.
    let hopper = profile("hopper");
    let mut offs = Vec::new();
    for (ranks, dispatch, combine) in [
        (16_u32, 43.05, 42.47),
        (32, 58.02, 56.96),
        (64, 50.58, 48.54),
        (128, 45.34, 41.6),
    ] {
        let cluster = cluster(ranks, 8, 200.0, 50.0, Transport::Infiniband);
        let topology = Topology::new(&cluster, &hopper).expect("sound");
        let members: Vec<u32> = (0..ranks).collect();
        for (direction, bytes, published) in [
            (Direction::Dispatch, 7392.0, dispatch),
            (Direction::Combine, 14336.0, combine),
        ] {
            let e = Exchange {
                dispatcher: Dispatcher::Deduplicated,
                direction,
                tokens: 4096,
                hidden: 7168,
                bytes_per_token: bytes,
                top_k: 8,
                experts: 256,
                routing_groups: ranks.div_ceil(8),
                group_limit: 4.min(ranks.div_ceil(8)),
                node_limit: None,
                group: GroupShape::spread(ranks, 8),
                beside_compute: false,
                fresh_handle: false,
            };
            let seconds = alone(&topology, |templates| {
                templates.exchange(&e, &members).expect("reachable")
            });
            let logical = 4096.0 * e.fan_out().nodes.get() * bytes / seconds * 1e-9;
            let off = logical / published - 1.0;
            println!(
                "EP{ranks} {direction:?}: {logical:.1} GB/s, published {published}, {:+.1} %",
                off * 100.0
            );
            offs.push(off.abs());
        }
    }
    offs.sort_by(f64::total_cmp);
    // EP128's combine is an open outlier, as in the table of links.
    assert!(offs[3] < 0.05 && offs[6] < 0.10, "{offs:?}");
}

#[test]
fn a_placed_transfer_has_a_size_for_each_part() {
    let hopper = profile("hopper");
    let cluster = cluster(16, 8, 200.0, 50.0, Transport::Infiniband);
    let topology = Topology::new(&cluster, &hopper).expect("sound");
    let Placed {
        template,
        fixed,
        sizes,
    } = topology
        .message(Bytes::new(58_720_256), 0, 8)
        .expect("reachable");
    assert_eq!((template.len(), sizes.len()), (1, 1));
    assert!(fixed > Time::ZERO);
}
