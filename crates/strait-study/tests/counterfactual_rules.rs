//! What if a chip had been cut otherwise? DeepSeek-V3 in the best layout for each chip: directions that
//! physics gives, and sizes within what it allows.

mod steps;

use std::sync::atomic::AtomicBool;
use strait_study::search::{Limits, Space, Workers, calm, search};
use strait_training::case::{AttentionKernel, Case, Precision};
use strait_training::run::main_phase;
use strait_units::Bandwidth;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn flagship(set: &[(&str, &str)]) -> Case {
    calm(steps::case("deepseek-v3/h800.toml", set))
}

/// The best step within a moderate space.
fn best(case: &Case) -> f64 {
    let phase = &case.training.phases[main_phase(&case.training.phases)];
    let mut space = Space::around(case, phase);
    space.micro_batch.retain(|m| *m <= 2);
    space.context.retain(|c| *c == 1);
    space.pipeline.retain(|p| *p <= 16);
    let workers = Workers {
        threads: 2,
        cancel: &GO_ON,
    };
    let limits = Limits {
        best: 1,
        ..Limits::default()
    };
    let found = search(case, phase, &space, limits, workers).expect("layouts");
    assert_eq!(found.unlooked, 0);
    found.best[0].time.seconds()
}

#[test]
fn a_wider_nvlink_is_never_slower_in_the_published_layout_nor_in_the_best() {
    let mut before = (f64::INFINITY, f64::INFINITY);
    let mut all = Vec::new();
    for both_ways in [
        100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0,
    ] {
        let mut case = flagship(&[]);
        case.cluster.accelerator.scale_up = Bandwidth::new(both_ways / 2.0 * 1e9);
        let published = steps::seconds(&case);
        // The search is dear: at the ends, the H800's and in between.
        let found = match both_ways as u32 {
            100 | 400 | 900 => best(&case),
            _ => published.min(before.1),
        };
        println!("NVLink {both_ways} GB/s: published layout {published:.3} s, best {found:.3} s");
        assert!(
            published <= before.0,
            "{both_ways} GB/s: {published} after {}",
            before.0
        );
        assert!(
            found <= before.1 && found <= published,
            "{both_ways} GB/s: {found}"
        );
        before = (published, found);
        all.push(published);
    }
    // Below the network's share the cut bites, above it hardly: the NIC is the limit.
    assert!(all[0] > 1.2 * all[3], "{all:?}");
    assert!(all[3] < 1.02 * all[8], "{all:?}");
}

#[test]
fn a_faster_network_is_never_slower() {
    let mut before = f64::INFINITY;
    let mut all = Vec::new();
    for gigabits in [100.0, 200.0, 400.0, 800.0] {
        let mut case = flagship(&[]);
        case.cluster.node.nic_bandwidth = Bandwidth::new(gigabits / 8.0 * 1e9);
        let published = steps::seconds(&case);
        println!("NIC {gigabits} Gb/s: published layout {published:.3} s");
        assert!(published <= before, "{gigabits} Gb/s: {published}");
        before = published;
        all.push(published);
    }
    assert!(all[0] > 1.5 * all[2], "{all:?}");
}

/// Matrix products take about 60 % of a pair and would take twice as long; the rest stays.
#[test]
fn without_fp8_it_takes_longer_but_not_twice_as_long() {
    let with = best(&flagship(&[]));
    let without = best(&flagship(&[("precision.recipe", "bf16")]));
    println!(
        "FP8 {with:.2} s, BF16 {without:.2} s: {:.3}",
        without / with
    );
    assert!((1.1..2.0).contains(&(without / with)), "{}", without / with);
}

/// An H20 has 148/989 of the matrix rate of an H800, more memory bandwidth and all of NVLink: slower than
/// half, faster than the ratio of rates. An A100 has 312/989 of the 16-bit rate and no FP8.
#[test]
fn other_chips_are_slower_by_about_what_their_rates_say() {
    let h800 = best(&flagship(&[]));
    let h20 = best(&flagship(&[
        ("cluster.accelerator", "h20-96"),
        ("cluster.node", "hgx-h20"),
        ("parallelism.communication_units", "12"),
    ]));
    let mut a100 = flagship(&[
        ("cluster.accelerator", "a100-sxm-80"),
        ("cluster.node", "hgx-a100"),
        ("precision.recipe", "bf16"),
    ]);
    a100.software.attention = AttentionKernel::Flash2;
    assert_eq!(a100.precision.recipe, Precision::Bf16);
    let a100 = best(&a100);
    println!(
        "H800 {h800:.2} s, H20 {h20:.2} s ({:.2}), A100 {a100:.2} s ({:.2})",
        h20 / h800,
        a100 / h800
    );
    assert!(
        (2.0..989.4 / 148.0).contains(&(h20 / h800)),
        "{}",
        h20 / h800
    );
    // Between what is left of the 16-bit rate, and of the 8-bit rate that is gone.
    assert!(
        (1.8..1978.9 / 312.0).contains(&(a100 / h800)),
        "{}",
        a100 / h800
    );
}
