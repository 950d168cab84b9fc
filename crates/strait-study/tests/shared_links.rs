//! Links that transfers of a step share, and what is slow or dead: the answer changes where it
//! should, and nowhere else.
//!
//! In: a small scenario and changes to it. Out: steps held against each other. Never a published
//! figure.

mod steps;

use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use steps::{calm, engine_run, main_step, seconds};
use strait_sim::{Lanes, Run, Unobserved};
use strait_training::case::{Balance, Case, Dispatcher, Fault, NetworkGrain, Sharing};
use strait_training::outcome::StepOutcome;
use strait_training::simulate::{SimulateError, check, simulate};
use strait_training::timeline::{Chunk, Recorder, Slice, Timeline, Track, main_step as step_of};
use strait_training::topology::{self, Element};
use strait_units::{Bandwidth, Ratio, Time};

const FILE: &str = "faults/one-of-128.toml";

fn named(name: &str) -> Case {
    steps::named(FILE, name)
}

fn network(mut case: Case, grain: NetworkGrain) -> Case {
    case.engine.network = grain;
    case
}

/// One plane of leaves with 32 downlinks and more, so that both expert groups meet on the second.
fn thin(oversubscription: f64) -> Case {
    let mut case = named("thin-fabric");
    // The same leaves whatever their uplinks: 48 downlinks.
    case.cluster.fabric.oversubscription = oversubscription;
    let down = 48.0;
    let ports = down * (1.0 + oversubscription) / oversubscription;
    case.cluster.fabric.radix = f64::ceil(ports) as u32;
    case
}

fn link(element: Element, left: f64) -> Fault {
    Fault::Link(topology::Fault {
        element,
        left: Ratio::new(left),
    })
}

fn with(mut case: Case, fault: Fault) -> Case {
    case.faults.push(fault);
    case
}

/// All that a step says about time.
fn times(step: &StepOutcome) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        step.time,
        step.breakdown,
        step.exposed,
        step.kernels.clone(),
        step.bars.clone(),
    )
}

#[test]
fn nothing_changes_where_nobody_meets() {
    for (file, name) in [
        (FILE, "healthy"),
        ("tutorial/first-step.toml", "bf16"),
        ("deepseek-v3/variants.toml", "tp8"),
    ] {
        let case = match file {
            FILE => named(name),
            _ => steps::named(file, name),
        };
        let case = match file {
            "deepseek-v3/variants.toml" => steps::two_stages(case),
            _ => case,
        };
        let (auto, plain) = (
            main_step(&case),
            main_step(&network(case, NetworkGrain::Analytic)),
        );
        assert_eq!(times(&auto), times(&plain), "{file} {name}");
        assert_eq!((auto.work.on_links, plain.work.on_links), (0, 0));
        assert_eq!(plain.work.grain.to_string(), "analytic");
        assert_eq!(auto.work.ops, plain.work.ops);
    }
}

#[test]
fn a_wide_fabric_that_is_looked_at_changes_nothing_either() {
    // With 32 ranks to an expert group, dense and expert gradients go over the same NICs, but one
    // after the other.
    for expert in [64, 32] {
        let mut case = named("healthy");
        case.parallelism.expert = expert;
        // A fault that takes nothing makes the links be looked at.
        let looked_at = main_step(&with(case.clone(), link(Element::Nic(3), 1.0)));
        assert_eq!(times(&looked_at), times(&main_step(&case)));
        assert_eq!(looked_at.work.on_links, 0, "{expert}");
    }
}

#[test]
fn every_grain_takes_the_closed_form_alone() {
    for balance in [Balance::Forced, Balance::Balanced] {
        let mut case = named("healthy");
        case.routing.balance = balance;
        let plain = seconds(&case);
        for grain in [
            NetworkGrain::Coflow,
            NetworkGrain::Class,
            NetworkGrain::Flow,
        ] {
            let step = main_step(&network(case.clone(), grain));
            let error = step.time.seconds() / plain - 1.0;
            assert!(error.abs() < 1e-6, "{grain:?} {balance:?}: {error:e}");
            assert!(step.work.on_links > 0);
        }
    }
}

#[test]
fn the_answer_says_which_grain() {
    let grain = |case: &Case| main_step(case).work.grain.to_string();
    let mut case = named("thin-fabric");
    assert_eq!(grain(&case), "coflow");
    case.routing.balance = Balance::Forced;
    // Gradients go round in rings.
    assert_eq!(grain(&case), "class+coflow");
    case.software.dispatcher = Dispatcher::AllGather;
    assert_eq!(grain(&case), "coflow");
    assert_eq!(grain(&network(case.clone(), NetworkGrain::Flow)), "flow");
    case.cluster.nodes = 1;
    case.parallelism.pipeline = 1;
    case.parallelism.expert = 1;
    case.parallelism.tensor = 1;
    assert_eq!(grain(&network(case, NetworkGrain::Analytic)), "analytic");
}

#[test]
fn classes_are_flows_where_sizes_are_equal() {
    let mut case = calm(named("thin-fabric"));
    let class = main_step(&network(case.clone(), NetworkGrain::Class));
    let flow = main_step(&network(case.clone(), NetworkGrain::Flow));
    let apart = class.time.seconds() / flow.time.seconds() - 1.0;
    assert!(apart.abs() < 1e-9, "{apart:e}");
    let coflow = seconds(&network(case.clone(), NetworkGrain::Coflow));
    assert!((coflow / flow.time.seconds() - 1.0).abs() < 0.02);
    case.engine.network = NetworkGrain::Auto;
    assert_eq!(main_step(&case).work.on_links, class.work.on_links.min(4));
}

#[test]
fn a_thin_fabric_is_slower_and_no_slower_than_its_share() {
    let mut before = seconds(&thin(1.0));
    let wide = before;
    for oversubscription in [2.0, 4.0] {
        let case = thin(oversubscription);
        let step = main_step(&case);
        let time = step.time.seconds();
        println!("{oversubscription}:1 {time:.4} s, 1:1 {wide:.4} s");
        assert!(time > before, "{oversubscription}:1 takes {time} s");
        assert!(step.work.on_links > 0);
        // An uplink that all NICs below use at once leaves each this share: at worst it is as if
        // all NICs were that slow.
        let mut slow = thin(1.0);
        let nic = case.cluster.node.nic_bandwidth.get() / oversubscription;
        slow.cluster.node.nic_bandwidth = Bandwidth::new(nic);
        let worst = seconds(&slow);
        assert!(time <= worst * (1.0 + 1e-6), "{time} s, at worst {worst} s");
        // What is longer is exposed exchange, not compute.
        let healthy = main_step(&thin(1.0));
        assert!(step.exposed.expert > healthy.exposed.expert);
        assert_eq!(step.kernels, healthy.kernels);
        before = time;
    }
}

#[test]
fn lanes_and_events_agree_where_links_are_shared() {
    let mut shared = thin(4.0);
    shared.engine.sends = Sharing::Shared;
    shared.engine.gradients = Sharing::Shared;
    for case in [
        thin(4.0),
        shared,
        named("leaf-down"),
        with(named("slow-nic"), link(Element::Port(9), 0.5)),
    ] {
        let (lowered, events) = engine_run(&case);
        let lanes = Lanes
            .run(
                &lowered.job,
                &lowered.timing,
                &mut Unobserved,
                &AtomicBool::new(false),
                &|_| {},
            )
            .unwrap();
        let counted = events.events;
        let lanes = Run {
            events: counted,
            ..lanes
        };
        assert_eq!(lanes, events, "{}", case.name);
    }
}

/// Seconds that each rank spends in exchanges and in waiting for others there.
struct Exchanges {
    busy: [f64; 128],
    waiting: [f64; 128],
}

impl Recorder for Exchanges {
    fn chunk(&mut self, chunk: &Chunk<'_>) {
        let rank = chunk.rank as usize;
        let length = |start: Time, end: Time| (end - start).seconds();
        let exchanges = (chunk.slices.iter()).filter(|slice| slice.track == Track::Exchange);
        self.busy[rank] += exchanges.map(|s| length(s.start, s.end)).sum::<f64>();
        let others = (chunk.waits.iter()).filter(|wait| wait.cause == "other members");
        self.waiting[rank] += others.map(|w| length(w.start, w.end)).sum::<f64>();
    }

    fn background(&mut self, _rank: u32, _slice: &Slice) {}
}

fn traced(case: &Case) -> Exchanges {
    let timeline = Timeline::new(step_of(case).unwrap()).unwrap();
    let mut exchanges = Exchanges {
        busy: [0.0; 128],
        waiting: [0.0; 128],
    };
    let all: Vec<u32> = (0..128).collect();
    let cancel = AtomicBool::new(false);
    timeline
        .run(&all, &mut exchanges, steps::control(&cancel, 1))
        .unwrap();
    exchanges
}

#[test]
fn a_slow_accelerator_is_waited_for() {
    let (healthy, slow) = (main_step(&named("healthy")), main_step(&named("slow-gpu")));
    assert!(slow.time > healthy.time);
    // At most by what it is slower.
    assert!(slow.time.seconds() < 1.25 * healthy.time.seconds());
    assert!(slow.exposed.expert > healthy.exposed.expert);
    assert_eq!(slow.work.on_links, 0, "no link is touched");
    // Its own kernels are a 128th of all, a little more on the stage with the head.
    let compute = |step: &StepOutcome| step.kernels.iter().map(|k| k.1.seconds()).sum::<f64>();
    let more = 128.0 * (compute(&slow) / compute(&healthy) - 1.0);
    assert!((0.25..0.3).contains(&more), "{more}");

    let (before, after) = (traced(&named("healthy")), traced(&named("slow-gpu")));
    // The others of its expert group wait for it; it waits for nobody.
    for rank in (64..128).filter(|&rank| rank != 72) {
        assert!(after.waiting[rank] > 1.5 * before.waiting[rank], "{rank}");
        // Exchanges themselves take as long as before.
        assert!((after.busy[rank] / before.busy[rank] - 1.0).abs() < 1e-9);
    }
    assert!(after.waiting[72] < 0.1 * after.waiting[73]);
    // The other group waits only for the rank that gets its messages late.
    let more = |rank: usize| after.waiting[rank] - before.waiting[rank];
    assert!(more(5) < 0.3 * more(73), "{} {}", more(5), more(73));
    assert!(more(8) < more(5), "the late one waits least");
}

#[test]
fn folded_or_not_a_slow_accelerator_is_the_same() {
    let mut case = calm(named("slow-gpu"));
    case.routing.spread = Ratio::new(0.0);
    let cancel = AtomicBool::new(false);
    let step = |full_ranks| {
        let mut control = steps::control(&cancel, 1);
        control.full_ranks = full_ranks;
        simulate(&case, control).unwrap().step
    };
    let (folded, full) = (step(false), step(true));
    assert!(folded.work.folded && !full.work.folded);
    assert_eq!(folded.time, full.time);
    assert_eq!(folded.exposed, full.exposed);
}

#[test]
fn a_slow_nic_slows_the_exchanges_of_its_group() {
    let (healthy, slow) = (main_step(&named("healthy")), main_step(&named("slow-nic")));
    assert!(slow.time > healthy.time);
    assert!(slow.exposed.expert > healthy.exposed.expert);
    assert_eq!(slow.kernels, healthy.kernels);
    assert!(slow.work.on_links > 0);
    let (before, after) = (traced(&named("healthy")), traced(&named("slow-nic")));
    let times = |rank: usize| after.busy[rank] / before.busy[rank];
    // Twice as long, but for the start and where NVLink was the slower way.
    assert!(times(72) > 1.4 && times(72) < 2.0, "{}", times(72));
    assert!((times(127) / times(72) - 1.0).abs() < 1e-9);
    assert!((times(0) - 1.0).abs() < 1e-9, "{}", times(0));
}

#[test]
fn a_dead_leaf_is_gone_round() {
    let (healthy, down) = (main_step(&named("healthy")), main_step(&named("leaf-down")));
    assert!(down.time > healthy.time);
    assert_eq!(down.kernels, healthy.kernels);
    let (before, after) = (traced(&named("healthy")), traced(&named("leaf-down")));
    for rank in [0, 72] {
        let times = after.busy[rank] / before.busy[rank];
        assert!(times > 1.4 && times < 2.0, "{times}");
    }
    // One NIC of the same rail: only its own node's traffic goes round, and so it does.
    let nic = main_step(&with(named("healthy"), link(Element::Nic(72), 0.0)));
    assert!(nic.time > healthy.time && nic.time <= down.time);
}

#[test]
fn no_way_left_is_an_error_that_names_the_dead() {
    // One plane: nothing to go round by.
    let case = with(
        named("thin-fabric"),
        link(Element::Leaf { rail: 0, leaf: 0 }, 0.0),
    );
    let found = check(&case);
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{said:?}");
    let SimulateError::Invalid { path, message, .. } = &found[0] else {
        panic!("{said:?}");
    };
    assert_eq!(path, "fault");
    assert!(message.contains("leaf 0 of rail 0"), "{message}");
}

#[test]
fn flows_of_a_large_cluster_are_refused() {
    let mut case = named("thin-fabric");
    case.cluster.nodes = 1024;
    case.training.phases[0].global_batch = 32_768;
    let error = steps::try_step(&network(case, NetworkGrain::Flow)).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
}

#[test]
fn a_slow_port_slows_who_shares_the_domain() {
    let mut case = named("healthy");
    case.parallelism.tensor = 2;
    let healthy = main_step(&case);
    let slow = main_step(&with(case, link(Element::Port(72), 0.25)));
    assert!(slow.time > healthy.time);
    assert!(slow.exposed.tensor > healthy.exposed.tensor);
    assert!(slow.exposed.expert >= healthy.exposed.expert);
}

#[test]
fn messages_and_gradients_may_share() {
    let alone = named("healthy");
    let mut shared = alone.clone();
    shared.engine.sends = Sharing::Shared;
    shared.engine.gradients = Sharing::Shared;
    let (alone, shared) = (main_step(&alone), main_step(&shared));
    assert!(shared.time >= alone.time);
    assert!(shared.time.seconds() < 1.05 * alone.time.seconds());
    assert!(shared.work.on_links > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// With equal loads and nothing that meets, faults or not.
    #[test]
    fn more_bandwidth_never_takes_longer(
        rate in 10e9..60e9_f64,
        more in 1.0..3.0_f64,
        left in 0.2..1.0_f64,
        uplink: bool,
    ) {
        let mut case = calm(named("healthy"));
        case.routing.spread = Ratio::new(0.0);
        case.cluster.node.nic_bandwidth = Bandwidth::new(rate);
        let element = if uplink {
            // Several leaves on a rail, so that there is an uplink to be thin.
            case.cluster.fabric.radix = 16;
            Element::Uplink { rail: 0, leaf: 1 }
        } else {
            Element::Nic(72)
        };
        let narrow = seconds(&with(case.clone(), link(element, left)));
        let healed = seconds(&with(case.clone(), link(element, left + 0.5 * (1.0 - left))));
        case.cluster.node.nic_bandwidth = Bandwidth::new(rate * more);
        let wide = seconds(&with(case, link(element, left)));
        prop_assert!(wide <= narrow * (1.0 + 1e-9), "{wide} s with more, {narrow} s");
        prop_assert!(healed <= narrow * (1.0 + 1e-9), "{healed} s healed, {narrow} s");
    }
}

/// Other jobs that leave a quarter of all uplinks are a fabric four times thinner.
#[test]
fn other_jobs_on_the_fabric_are_a_thinner_fabric() {
    let wide = thin(1.0);
    let taken = with(wide.clone(), link(Element::Fabric, 0.25));
    let mut thinner = wide.clone();
    // The same leaves, with a quarter of the uplinks.
    thinner.cluster.fabric = thin(4.0).cluster.fabric;
    let (wide, taken, thinner) = (seconds(&wide), seconds(&taken), seconds(&thinner));
    assert!(taken > 1.01 * wide, "{taken} against {wide}");
    assert!((taken / thinner - 1.0).abs() < 1e-6, "{taken}, {thinner}");
}

/// A step that would outlast simulated time is refused with a hint, not called a defect.
#[test]
fn next_to_nothing_left_is_said_to_be_so() {
    let mut case = named("healthy");
    case.faults = vec![Fault::Accelerator {
        index: 0,
        left: Ratio::new(1e-13),
    }];
    let go_on = AtomicBool::new(false);
    let control = strait_training::simulate::Control {
        cancel: &go_on,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    let error = simulate(&case, control)
        .map(|_| ())
        .expect_err("no such time");
    let SimulateError::Invalid { remedy, .. } = error else {
        panic!("{error}");
    };
    assert!(remedy.contains("`left` of a fault"), "{remedy}");
}
