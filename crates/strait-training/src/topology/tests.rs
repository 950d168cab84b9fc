//! Alone, a transfer takes what `links` says; together, transfers share; faults show where they
//! should. On a made-up profile, so that these tests do not depend on the catalogue.

use super::*;
use crate::case::Dispatcher;
use crate::links::tests::{cluster, profile};
use crate::links::{CollectiveKind, Direction, Exchange, GroupShape};
use proptest::prelude::*;
use strait_sim::net::{Grain, Network, Plan, TemplateId};
use strait_units::{Bytes, Time};

const GIB: Bytes = Bytes::new(1 << 30);

fn topology(cluster: &Cluster) -> Topology {
    Topology::new(cluster, &profile()).unwrap()
}

fn fault(element: Element, left: f64) -> Fault {
    Fault {
        element,
        left: Ratio::new(left),
    }
}

/// Seconds of a placed transfer alone, without its fixed part.
fn alone(topology: &Topology, placed: &Placed, grain: Grain) -> f64 {
    let (links, _) = topology.net_links().unwrap();
    let mut builder = net::PlanBuilder::new(links);
    let id = builder.add(placed.template.clone(), grain).unwrap();
    let plan = builder.build();
    plan.alone(id, &placed.sizes).unwrap().seconds()
}

fn assert_near(got: f64, expected: f64, what: &str) {
    assert!(
        (got / expected - 1.0).abs() < 1e-8,
        "{what}: {got} against {expected}"
    );
}

fn dispatch(group: GroupShape, dispatcher: Dispatcher) -> Exchange {
    Exchange {
        dispatcher,
        direction: Direction::Dispatch,
        tokens: 4096,
        hidden: 7168,
        bytes_per_token: 7392.0,
        top_k: 8,
        experts: 256,
        routing_groups: 8,
        group_limit: 4,
        node_limit: None,
        group,
        beside_compute: false,
        fresh_handle: false,
    }
}

/// One rank of each of eight nodes' eight, a node under each of eight leaves, side by side.
fn strided(group: u32, groups: u32) -> Vec<u32> {
    (0..8)
        .flat_map(|node| (0..8).map(move |local| ((node * groups) + group) * 8 + local))
        .collect()
}

/// A fabric with `under` nodes under a leaf of each rail.
fn leaves(mut cluster: Cluster, under: u32, thin: f64) -> Cluster {
    cluster.fabric.oversubscription = thin;
    // Downlinks are radix × thin / (1 + thin), rounded down.
    cluster.fabric.radix = (f64::from(under) * (1.0 + thin) / thin).ceil() as u32;
    assert_eq!(Shape::new(&cluster).down, under);
    cluster
}

#[test]
fn alone_a_collective_takes_its_closed_form() {
    // 1 GiB over 64 to 2,048 accelerators, as the peers are measured.
    let cluster = cluster(450.0, 50.0, ScaleUp::Switched);
    let topology = topology(&cluster);
    let profile = profile();
    let links = Links::new(&cluster, &profile).unwrap();
    for ranks in [2_u32, 8, 16, 64, 128, 512, 2048] {
        let members: Vec<u32> = (0..ranks).collect();
        let group = GroupShape::spread(ranks, 8.min(ranks));
        for kind in [
            CollectiveKind::AllReduce,
            CollectiveKind::AllGather,
            CollectiveKind::ReduceScatter,
            CollectiveKind::AllToAll,
        ] {
            let placed = topology.collective(kind, GIB, &members).unwrap();
            let grains: &[Grain] = match ranks {
                ..=64 => &[Grain::Class, Grain::Flow, Grain::Coflow, Grain::Analytic],
                _ => &[Grain::Auto],
            };
            for &grain in grains {
                let got = placed.fixed.seconds() + alone(&topology, &placed, grain);
                let expected = links.collective(kind, GIB, group).seconds();
                assert_near(got, expected, &format!("{kind:?} of {ranks} at {grain:?}"));
            }
        }
    }
}

#[test]
fn other_scale_ups_too() {
    let profile = profile();
    for how in [ScaleUp::Mesh, ScaleUp::Pcie, ScaleUp::Torus] {
        let cluster = cluster(60.0, 50.0, how);
        let topology = topology(&cluster);
        let links = Links::new(&cluster, &profile).unwrap();
        for (ranks, domain) in [(8_u32, 8_u32), (4, 4), (64, 8)] {
            let members: Vec<u32> = (0..ranks).collect();
            let group = GroupShape::spread(ranks, domain);
            for kind in [CollectiveKind::AllReduce, CollectiveKind::AllGather] {
                let placed = topology.collective(kind, GIB, &members).unwrap();
                let got = placed.fixed.seconds() + alone(&topology, &placed, Grain::Auto);
                let expected = links.collective(kind, GIB, group).seconds();
                assert_near(got, expected, &format!("{how:?} {kind:?} of {ranks}"));
            }
        }
        for to in [1, 8] {
            let placed = topology.message(GIB, 0, to).unwrap();
            let got = placed.fixed.seconds() + alone(&topology, &placed, Grain::Auto);
            let expected = links.point_to_point(GIB, to == 8).seconds();
            // A card's NIC hangs on its own PCIe.
            if how != ScaleUp::Pcie || to == 1 {
                assert_near(got, expected, &format!("{how:?} to {to}"));
            }
        }
    }
}

#[test]
fn alone_an_exchange_takes_its_closed_form() {
    let profile = profile();
    for scale_up in [200.0, 450.0] {
        let cluster = cluster(scale_up, 50.0, ScaleUp::Switched);
        let topology = topology(&cluster);
        let links = Links::new(&cluster, &profile).unwrap();
        for ranks in [8_u32, 16, 64, 128] {
            let members: Vec<u32> = (0..ranks).collect();
            for dispatcher in [
                Dispatcher::Deduplicated,
                Dispatcher::AllToAll,
                Dispatcher::AllGather,
            ] {
                let e = dispatch(GroupShape::spread(ranks, 8), dispatcher);
                let placed = topology.exchange(&e, &members).unwrap();
                let got = placed.fixed.seconds() + alone(&topology, &placed, Grain::Auto);
                let expected = links.exchange(&e).mean().seconds();
                assert_near(got, expected, &format!("{dispatcher:?} of {ranks}"));
            }
        }
    }
}

/// Ends of dispatches that all start at once, and how many variables the first has.
fn together(topology: &Topology, groups: &[Vec<u32>], grain: Grain) -> (Vec<f64>, usize) {
    let mut templates = Templates::new(topology, grain).unwrap();
    let e = dispatch(GroupShape::spread(64, 8), Dispatcher::Deduplicated);
    let tickets: Vec<Ticket> = (groups.iter())
        .map(|members| templates.exchange(&e, members).unwrap())
        .collect();
    let plan: Plan = templates.build();
    let ids: Vec<TemplateId> = tickets.iter().map(|t| t.template.unwrap()).collect();
    let mut network = Network::new(&plan);
    for (tag, (id, ticket)) in ids.iter().zip(&tickets).enumerate() {
        network
            .start(Time::ZERO, *id, &ticket.sizes, tag as u32)
            .unwrap();
    }
    let mut ends = vec![0.0; groups.len()];
    for finished in network.drain() {
        ends[finished.tag as usize] = finished.end.seconds();
    }
    let carried = network.carried();
    for (id, ticket) in ids.iter().zip(&tickets) {
        for (link, demand) in plan.demand(*id, &ticket.sizes).unwrap().iter().enumerate() {
            assert!(carried[link].as_f64() >= demand.as_f64() * (1.0 - 1e-9) - 1.0);
        }
    }
    (ends, plan.variables_of(ids[0]).unwrap())
}

#[test]
fn thin_uplinks_are_shared() {
    let wide = topology(&leaves(cluster(450.0, 50.0, ScaleUp::Switched), 4, 1.0));
    let thin = topology(&leaves(cluster(450.0, 50.0, ScaleUp::Switched), 4, 2.0));
    let groups: Vec<Vec<u32>> = (0..4).map(|g| strided(g, 4)).collect();
    for grain in [Grain::Class, Grain::Coflow] {
        let (alone, _) = together(&wide, &groups[..1], grain);
        let (all, variables) = together(&wide, &groups, grain);
        assert!(variables <= 4, "{variables} variables");
        // Full bisection: nobody notices the others.
        assert!(all.iter().all(|end| (end / alone[0] - 1.0).abs() < 1e-9));
        let (one, _) = together(&thin, &groups[..1], grain);
        let (four, _) = together(&thin, &groups, grain);
        // A leaf of four nodes carries two: one group has room, four halve it.
        assert_near(one[0], alone[0], "one group");
        assert!(four.iter().all(|end| (end / alone[0] - 2.0).abs() < 1e-9));
    }
}

#[test]
fn faults_show_where_they_should() {
    let cluster = leaves(cluster(450.0, 50.0, ScaleUp::Switched), 4, 1.0);
    let sound = topology(&cluster);
    let groups: Vec<Vec<u32>> = (0..4).map(|g| strided(g, 4)).collect();
    let (before, _) = together(&sound, &groups, Grain::Class);
    // A NIC of group 1 (node 1, local 3) at half speed.
    let slow = sound.clone().with(fault(Element::Nic(8 + 3), 0.5)).unwrap();
    for grain in [Grain::Class, Grain::Flow] {
        let (after, variables) = together(&slow, &groups, grain);
        assert_near(after[1], 2.0 * before[1], "group with the slow NIC");
        assert_near(after[0], before[0], "group without");
        if grain == Grain::Class {
            assert!(variables < 20, "{variables}");
        }
    }
    // Dead: the neighbour's NIC takes it.
    let dead = sound.clone().with(fault(Element::Nic(8 + 3), 0.0)).unwrap();
    let (after, _) = together(&dead, &groups, Grain::Class);
    let ratio = after[1] / before[1];
    assert!(ratio > 1.5 && ratio < 2.01, "one NIC for two: {ratio}");
    assert_near(after[0], before[0], "group without");
    // A leaf down: all groups have a node there and use another rail.
    let leaf = fault(Element::Leaf { rail: 3, leaf: 0 }, 0.0);
    let (after, _) = together(&sound.clone().with(leaf).unwrap(), &groups, Grain::Class);
    assert!(after.iter().zip(&before).all(|(a, b)| a / b > 1.5));
    // Half of a leaf's uplinks: its four nodes' NICs share two.
    let uplink = fault(Element::Uplink { rail: 3, leaf: 0 }, 0.5);
    let (after, _) = together(&sound.clone().with(uplink).unwrap(), &groups, Grain::Class);
    assert!(
        after
            .iter()
            .zip(&before)
            .all(|(a, b)| (a / b - 2.0).abs() < 1e-6)
    );
    // A ring goes at the pace of its slowest link.
    let ring = |topology: &Topology| {
        let members: Vec<u32> = (0..64).collect();
        let placed = topology.collective(CollectiveKind::AllGather, GIB, &members);
        alone(topology, &placed.unwrap(), Grain::Auto)
    };
    let slower = ring(&slow) / ring(&sound);
    assert!(slower > 1.8, "a ring with a slow NIC: {slower}");
    // No NIC left.
    let mut cut = sound;
    for local in 0..8 {
        cut = cut.with(fault(Element::Nic(local), 0.0)).unwrap();
    }
    let error = cut.message(GIB, 0, 8).unwrap_err();
    assert_eq!(error, TopologyError::Unreachable { from: 0, to: 8 });
    assert!(cut.message(GIB, 0, 7).is_ok());
}

#[test]
fn classes_are_flows_to_1e_12() {
    let cluster = leaves(cluster(200.0, 50.0, ScaleUp::Switched), 4, 3.0);
    for faults in [
        vec![],
        vec![Element::Nic(11)],
        vec![Element::Port(3)],
        vec![Element::Uplink { rail: 1, leaf: 2 }, Element::Nic(200)],
    ] {
        let mut topology = topology(&cluster);
        for element in faults {
            topology = topology.with(fault(element, 0.5)).unwrap();
        }
        let groups: Vec<Vec<u32>> = (0..4).map(|g| strided(g, 4)).collect();
        let (classes, _) = together(&topology, &groups, Grain::Class);
        let (flows, _) = together(&topology, &groups, Grain::Flow);
        for (class, flow) in classes.iter().zip(&flows) {
            // And a tick for each of a few roundings before.
            assert!(
                (class - flow).abs() <= 1e-12 * flow + 1e-11,
                "{class} {flow}"
            );
        }
    }
}

#[test]
fn traffic_stays_on_its_rail() {
    let topology = topology(&leaves(cluster(450.0, 50.0, ScaleUp::Switched), 4, 2.0));
    let way = |from, to| {
        let mut steps = Vec::new();
        topology.route(from, to, &mut steps).unwrap();
        let names: Vec<String> = (steps.iter())
            .map(|step| topology.name(step.link as usize))
            .collect();
        names.join(", ")
    };
    assert_eq!(way(1, 3), "port 1 out, port 3 in");
    assert_eq!(way(1, 9), "NIC 1 out, NIC 9 in");
    assert_eq!(way(1, 12), "NIC 1 out, NIC 9 in, port 9 out, port 12 in");
    assert_eq!(
        way(1, 33),
        "NIC 1 out, rail 1 leaf 0 up, rail 1 leaf 1 down, NIC 33 in"
    );
    let mut one = cluster(450.0, 50.0, ScaleUp::Switched);
    one.fabric.planes = 1;
    one.fabric.pod = Some((64, 7.0));
    // One network: four nodes of eight NICs under a leaf of 32 downlinks; eight nodes in a pod.
    let shape = Shape::new(&one);
    assert_eq!((shape.rails, shape.down, shape.leaves), (1, 32, 64));
    let topology = super::Topology::new(&one, &profile()).unwrap();
    let mut steps = Vec::new();
    topology.route(1, 70, &mut steps).unwrap();
    assert_eq!(
        steps.len(),
        6,
        "no forwarding, but leaf and pod up and down"
    );
}

#[test]
fn racks_have_rails_too() {
    // 72 accelerators on four rails, as compute trays of four.
    let mut racks = cluster(900.0, 50.0, ScaleUp::Switched);
    racks.node.accelerators = 72;
    racks.nodes = 4;
    racks.fabric.planes = 4;
    let topology = topology(&racks);
    let (out, back) = topology.nics(5, 72 + 14).unwrap();
    assert_eq!((out, topology.shape.rail_of(back)), (5, 1));
    assert_eq!(back, 72 + 13, "the tray of the receiver");
}

#[test]
fn names_are_of_their_links() {
    for how in [ScaleUp::Switched, ScaleUp::Mesh] {
        let topology = topology(&cluster(450.0, 50.0, how));
        let shape = topology.shape;
        assert_eq!(topology.name(shape.nic(9, true) as usize), "NIC 9 in");
        let leaf = shape.leaf(3, 2, false) as usize;
        assert_eq!(topology.name(leaf), "rail 3 leaf 2 up");
        if how == ScaleUp::Mesh {
            assert_eq!(topology.name(shape.pair(9, 14) as usize), "pair 9 to 14");
            assert_eq!(topology.name(shape.pair(14, 9) as usize), "pair 14 to 9");
        }
    }
}

#[test]
fn templates_are_made_once() {
    let topology = topology(&cluster(450.0, 50.0, ScaleUp::Switched));
    let mut templates = Templates::new(&topology, Grain::Auto).unwrap();
    let members: Vec<u32> = (0..16).collect();
    let kind = CollectiveKind::AllGather;
    let a = templates.collective(kind, GIB, &members).unwrap();
    let b = templates
        .collective(kind, Bytes::new(3 << 30), &members)
        .unwrap();
    assert_eq!(a.template, b.template);
    assert_ne!(a.sizes, b.sizes);
    let other: Vec<u32> = (16..32).collect();
    let c = templates.collective(kind, GIB, &other).unwrap();
    assert_ne!(a.template, c.template);
    let none = templates.collective(kind, GIB, &[4]).unwrap();
    assert_eq!(none.template, None);
    assert_eq!(templates.len(), 2);
}

#[test]
fn what_is_not_there_is_refused() {
    let topology = topology(&cluster(450.0, 50.0, ScaleUp::Switched));
    let refused = |element, left| topology.clone().with(fault(element, left)).unwrap_err();
    let element = Element::Nic(2048);
    assert_eq!(refused(element, 0.5), TopologyError::NoElement(element));
    assert_eq!(refused(Element::Nic(0), 1.5), TopologyError::Share);
    assert!(topology.message(GIB, 0, 2048).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Without contention, more bandwidth never makes anything longer; a fault never shorter.
    #[test]
    fn more_bandwidth_never_takes_longer(
        scale_up in 60.0..900.0_f64,
        nic in 5.0..100.0_f64,
        faster in 1.0..3.0_f64,
        nodes in prop::sample::select(&[1_u32, 2, 4, 8][..]),
        kind in prop::sample::select(&[CollectiveKind::AllGather, CollectiveKind::AllToAll][..]),
        slow in 0_u32..8,
        left in 0.1..1.0_f64,
    ) {
        let members: Vec<u32> = (0..nodes * 8).collect();
        let of = |scale_up: f64, nic: f64| topology(&cluster(scale_up, nic, ScaleUp::Switched));
        let time = |topology: &Topology| {
            let placed = topology.collective(kind, GIB, &members).unwrap();
            alone(topology, &placed, Grain::Class)
        };
        let base = of(scale_up, nic);
        let before = time(&base);
        let slack = 1.0 + 1e-9;
        prop_assert!(time(&of(scale_up * faster, nic)) <= before * slack);
        prop_assert!(time(&of(scale_up, nic * faster)) <= before * slack);
        for element in [Element::Nic(slow), Element::Port(slow)] {
            let faulty = base.clone().with(fault(element, left)).unwrap();
            prop_assert!(time(&faulty) * slack >= before);
        }
    }
}
