//! The search among layouts that were measured: how much slower is the one that it chooses than the
//! best?
//!
//! In: vTrain's multi-node rows (`scenarios/published/training-rows.csv`): families of one model, one
//! number of GPUs and one batch, each in several layouts. Out: the measured time of the layout that the
//! search takes for the fastest, over the least measured. Nothing is fitted here.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, load_text};
use strait_study::search::hunt::Hunter;
use strait_study::search::scan::{Ground, scan};
use strait_study::search::shortlist::STEPS;
use strait_study::search::{Objective, Scale, Space, Workers, calm, describe};
use strait_study::validate::{Row, SHIPPED, rows, scenario_of, siblings};
use strait_training::case::{Case, Parallelism};

/// One layout that was measured.
struct Measured {
    id: String,
    case: Case,
    seconds: f64,
}

fn families() -> BTreeMap<(String, String, String), Vec<Measured>> {
    let catalog = Catalog::embedded();
    let cancel = AtomicBool::new(false);
    let table = rows::read(SHIPPED.0, SHIPPED.1).expect("the shipped rows");
    let mut families: BTreeMap<_, Vec<Measured>> = BTreeMap::new();
    let vtrain = |row: &&Row| row.id().starts_with("vtrain-");
    for row in siblings::filled(&table).iter().filter(vtrain) {
        let Ok(text) = scenario_of(row, &catalog, &cancel) else {
            println!("{}: no scenario", row.id());
            continue;
        };
        let loaded = load_text(row.id(), &text, &catalog, &Overrides::default());
        let case = loaded.expect("a scenario").cases.remove(0).case;
        let key = ["model", "gpus", "global_batch_seqs"].map(|c| row.get(c).to_owned());
        let [model, gpus, batch] = key;
        families
            .entry((model, gpus, batch))
            .or_default()
            .push(Measured {
                id: row.id().to_owned(),
                case: calm(case),
                seconds: row.get("value").parse().expect("seconds"),
            });
    }
    families.retain(|_, list| list.len() > 1);
    families
}

/// The space of these layouts and no other.
fn only(layouts: Vec<Parallelism>, case: &Case) -> Space {
    let around = Space::around(case, &case.training.phases[0]);
    Space {
        also: layouts,
        pipeline: Vec::new(),
        ..around
    }
}

/// The goal is 2 % for each family. Two of the four reach it; `docs/src/limits.md` says so.
#[test]
fn the_layout_that_is_chosen_against_the_fastest_measured() {
    let cancel = AtomicBool::new(false);
    let workers = Workers {
        threads: 2,
        cancel: &cancel,
    };
    let mut regrets = Vec::new();
    for ((model, gpus, batch), list) in families() {
        let case = &list[0].case;
        for other in &list {
            assert_eq!(other.case.cluster, case.cluster, "{}", other.id);
            assert_eq!(other.case.model, case.model, "{}", other.id);
        }
        let phase = &case.training.phases[0];
        let layouts = list.iter().map(|m| m.case.parallelism.clone()).collect();
        let space = only(layouts, case);
        assert_eq!(space.size(), list.len() as u64);
        let ground = Ground {
            case,
            phase,
            space: &space,
            capacity: case.cluster.accelerator.memory,
            scale: Scale::new(case, Objective::Time),
            variant: 0,
        };
        let (found, counts) = scan(ground, usize::MAX, workers, &|_| {}).expect("a list");
        let grounds = [ground];
        let mut hunter = Hunter::new(&grounds, workers, usize::MAX);
        let queue = found.queue(STEPS);
        let hunt = hunter.hunt(&queue, 1, true, &|_| {}).expect("steps");
        let (_, number) = hunt.best[0];
        let chosen = &list[number as usize];
        let best = list.iter().map(|m| m.seconds).fold(f64::INFINITY, f64::min);
        let regret = chosen.seconds / best - 1.0;
        println!(
            "{model} on {gpus} GPUs, batch {batch}: {} layouts, {} do not fit; {} is chosen ({}): \
             {:.3} s measured, the best {:.3} s, {:.2} % more",
            list.len(),
            counts.refused.memory,
            chosen.id,
            describe(&chosen.case.parallelism),
            chosen.seconds,
            best,
            100.0 * regret
        );
        for tried in hunter.all() {
            let measured = &list[tried.entry.number as usize];
            println!(
                "    {:10} {:8.3} s measured, {:8.3} s simulated: {}",
                measured.id,
                measured.seconds,
                tried.step.time.seconds(),
                describe(&tried.parallelism)
            );
        }
        regrets.push((model, regret));
    }
    assert_eq!(regrets.len(), 4);
    let mean = regrets.iter().map(|(_, r)| r).sum::<f64>() / regrets.len() as f64;
    println!("mean {:.2} %", 100.0 * mean);
    // What came out on 2026-11-28, not what was hoped for: 3.6B and 39.1B 0 %; 175B 2.2 %, where two
    // pipelines are 3 % apart as simulated; 18.4B 9.4 %, where a micro-batch of 16 was measured slower
    // than one of 8 for no reason that is modelled.
    let near = regrets.iter().filter(|(_, regret)| *regret < 0.02).count();
    assert_eq!(near, 2, "{regrets:?}");
    assert!(mean < 0.03, "{regrets:?}");
    assert!(
        regrets.iter().all(|(_, regret)| *regret < 0.095),
        "{regrets:?}"
    );
}
