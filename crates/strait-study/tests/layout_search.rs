//! The search for a layout: pruned against exhaustive, against the published layout, and its parts
//! against what they stand for.

mod steps;

use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};
use strait_study::search::scan::{Ground, scan};
use strait_study::search::shortlist::STEPS;
use strait_study::search::{
    self, Bounds, Candidates, Found, Limits, Objective, Scale, Space, Workers, calm, describe,
    search, search_among,
};
use strait_training::case::{AttentionKernel, Case, Phase, ScheduleKind, Zero};
use strait_training::layout::Layout;
use strait_training::memory;
use strait_training::run::main_phase;
use strait_training::simulate::SimulateError;
use strait_training::step::{StepInput, step};
use strait_units::{Bytes, Time};

static GO_ON: AtomicBool = AtomicBool::new(false);

fn workers(threads: usize) -> Workers<'static> {
    Workers {
        threads,
        cancel: &GO_ON,
    }
}

fn main(case: &Case) -> &Phase {
    &case.training.phases[main_phase(&case.training.phases)]
}

/// Llama 3 8B on two servers of H100.
fn small() -> Case {
    let text = r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h100-sxm"
nodes = 2
[precision]
recipe = "bf16"
[training]
tokens = "100 B tokens"
sequence_length = 8192
global_batch = 64
"#;
    let loaded = scenario::load_text("small", text, &Catalog::embedded(), &Overrides::default());
    let loaded = loaded.unwrap_or_else(|faults| panic!("{}", render_all(&faults, Style::Plain)));
    calm(loaded.cases[0].case.clone())
}

/// A cut of DeepSeek-V3 on 128 H800, with room for all schedules.
fn experts() -> Case {
    calm(steps::two_stages(steps::case("deepseek-v3/h800.toml", &[])))
}

fn flagship() -> Case {
    calm(steps::case("deepseek-v3/h800.toml", &[]))
}

fn simulated(
    case: &Case,
    phase: &Phase,
    layout: &strait_training::case::Parallelism,
) -> Result<Time, SimulateError> {
    let input = StepInput {
        case,
        parallelism: layout,
        sequence_length: phase.sequence_length,
        global_batch: phase.global_batch,
    };
    step(input, steps::control(&GO_ON, 1)).map(|s| s.time)
}

fn tell(found: &Found) {
    println!(
        "{} looked at, {:?} refused, {} too large, {} bounded, {} simulated, {} left",
        found.refused.looked_at,
        found.refused.by_setting,
        found.too_large,
        found.bounded,
        found.simulated,
        found.unlooked
    );
    for r in &found.best {
        println!(
            "  {:.4} s (at least {:.4} s), {:.1} GB: {}",
            r.time.seconds(),
            r.bound.seconds(),
            r.memory.as_f64() / 1e9,
            describe(&r.parallelism)
        );
    }
}

#[test]
fn the_published_layout_is_found_or_beaten() {
    for case in [
        flagship(),
        calm(steps::case("llama3-405b/16k-gpus.toml", &[])),
    ] {
        let phase = main(&case);
        let published = simulated(&case, phase, search::written(&case, phase)).expect("it ran");
        let start = std::time::Instant::now();
        let found = search(
            &case,
            phase,
            &Space::around(&case, phase),
            Limits::default(),
            workers(2),
        )
        .expect("layouts");
        println!(
            "{}: {:?}, published {:.4} s",
            case.name,
            start.elapsed(),
            published.seconds()
        );
        tell(&found);
        assert!(found.best[0].time <= published);
        assert_eq!(found.unlooked, 0, "the cap was reached");
    }
}

/// A small space of its own: few values on every axis.
fn few(case: &Case) -> Space {
    let space = Space::around(case, main(case));
    Space {
        pipeline: vec![1, 2],
        micro_batch: vec![1, 2],
        ..space
    }
}

#[test]
fn pruning_loses_nothing() {
    for case in [small(), experts()] {
        let phase = main(&case);
        let space = few(&case);
        let all = Candidates::of(
            &case,
            phase,
            &space,
            case.cluster.accelerator.memory,
            workers(2),
        )
        .expect("layouts");
        let exhaustive = Limits {
            best: usize::MAX,
            simulated: usize::MAX,
            exhaustive: true,
            under: None,
        };
        let every = search_among(&case, phase, &all, exhaustive, workers(2)).expect("an answer");
        let best = Limits {
            best: 7,
            ..Limits::default()
        };
        let pruned = search_among(&case, phase, &all, best, workers(2)).expect("an answer");
        println!(
            "{}: {} against {}",
            case.name, pruned.simulated, every.simulated
        );
        tell(&pruned);
        assert!(
            every.simulated > 100 && every.bounded == 0,
            "{}",
            every.simulated
        );
        assert!(pruned.simulated * 2 < every.simulated && pruned.unlooked == 0);
        assert_eq!(pruned.best, every.best[..7]);
        // The bounds hold one by one, whatever the schedule.
        for ranked in &every.best {
            assert!(
                ranked.bound <= ranked.time,
                "{:?} above {:?}: {}",
                ranked.bound,
                ranked.time,
                describe(&ranked.parallelism)
            );
        }
        let tight = every
            .best
            .iter()
            .map(|r| r.bound.seconds() / r.time.seconds());
        let tight: f64 = tight.sum::<f64>() / every.best.len() as f64;
        println!("a bound is {tight:.3} of the time in the mean");
        assert!(tight > 0.7, "{tight}");
        let schedules =
            |kind: ScheduleKind| every.best.iter().any(|r| r.parallelism.schedule == kind);
        assert!(schedules(ScheduleKind::ZbH1) && schedules(ScheduleKind::OneFOneB));
        assert!(every.best.iter().any(|r| r.parallelism.zero == Zero::Zero3));
        if case.model.experts.is_some() {
            assert!(schedules(ScheduleKind::DualPipe) && schedules(ScheduleKind::DualPipeV));
            assert!(schedules(ScheduleKind::OverlappedOneFOneB));
        }
    }
}

#[test]
fn bounds_hold_on_a_sample_of_the_flagship() {
    let mut without_overlap = flagship();
    without_overlap.software.expert_overlap = false;
    for case in [flagship(), without_overlap] {
        let phase = main(&case);
        let space = Space::around(&case, phase);
        // Time only: what does not fit is simulated too.
        let all = Candidates::of(&case, phase, &space, Bytes::new(u64::MAX), workers(2))
            .expect("layouts");
        let sample: Vec<_> = all.all.iter().step_by(all.all.len() / 60).collect();
        let bounds = Bounds::new(&case, phase, &sample, workers(2)).expect("prices");
        for candidate in sample {
            let Ok(time) = simulated(&case, phase, &candidate.parallelism) else {
                continue;
            };
            let bound = bounds.of(candidate);
            assert!(
                bound <= time,
                "{bound:?} above {time:?}: {}",
                describe(&candidate.parallelism)
            );
            assert!(bound > Time::ZERO);
        }
    }
}

/// Candidates are looked at with few micro-batches; nothing that is asked of them may change by that.
#[test]
fn candidates_are_what_the_checks_accept() {
    let case = flagship();
    let phase = main(&case);
    let space = Space::around(&case, phase);
    let all =
        Candidates::of(&case, phase, &space, Bytes::new(u64::MAX), workers(2)).expect("layouts");
    let accepted = |number: u64| all.all.binary_search_by_key(&number, |c| c.number);
    let mut refused = 0;
    for number in (0..space.size()).step_by(101) {
        let Some(layout) = space.layout(number) else {
            assert!(accepted(number).is_err());
            continue;
        };
        let batches = [
            phase.initial_batch.unwrap_or(phase.global_batch),
            phase.global_batch,
        ];
        let made = batches.map(|batch| {
            Layout::new(
                &layout,
                &case.model,
                &case.cluster,
                phase.sequence_length,
                batch,
            )
        });
        match (accepted(number), made) {
            (Ok(at), [Ok(_), Ok(whole)]) => {
                let setting = memory::Setting {
                    model: &case.model,
                    parallelism: &layout,
                    precision: &case.precision,
                    software: &case.software,
                    method: case.training.method,
                    capacity: case.cluster.accelerator.memory,
                };
                let candidate = &all.all[at];
                assert_eq!(
                    candidate.memory,
                    memory::peak(setting, &whole).peak,
                    "{}",
                    describe(&layout)
                );
                assert_eq!(candidate.micro_batches, whole.micro_batches());
                assert_eq!(&candidate.stages[..], &whole.stages[..]);
            }
            (Err(_), [a, b]) => {
                assert!(a.is_err() || b.is_err(), "{}", describe(&layout));
                refused += 1;
            }
            (Ok(_), _) => panic!("accepted, but there is none: {}", describe(&layout)),
        }
    }
    assert!(refused > 10, "{refused}");
    let counted: u64 = all.refused.by_setting.values().sum();
    assert_eq!(all.refused.looked_at, counted + all.all.len() as u64);
}

/// A look at all at once against one at a time: the same layouts fit, with the same memory, and the same
/// settings are at fault. Its bounds know more, and are still no more than what is simulated.
#[test]
fn a_scan_sees_what_one_by_one_is_seen() {
    let mut unfused = small();
    unfused.software.attention = AttentionKernel::Unfused;
    for (case, wide) in [
        (small(), true),
        (unfused, false),
        (experts(), false),
        (flagship(), false),
    ] {
        let phase = main(&case);
        let mut space = few(&case);
        if wide {
            // Every axis of the wide space, few values of each.
            let all = Space::wide(&case, phase);
            space = Space {
                pipeline: vec![1, 2],
                tensor: vec![1, 2, 4],
                sequence: all.sequence,
                zero: all.zero,
                zero_group: vec![None, Some(2), Some(8)],
                recompute_layers: vec![None, Some(1), Some(5)],
                offload_layers: vec![0, 3, 40],
                sharded_pipelines: true,
                ..space
            };
            space.schedule.push((ScheduleKind::DualPipe, 1));
            space.schedule.push((ScheduleKind::GPipe, 1));
        }
        let capacity = case.cluster.accelerator.memory;
        let ground = Ground {
            case: &case,
            phase,
            space: &space,
            capacity,
            scale: Scale::new(&case, Objective::Time),
            variant: 0,
        };
        let (list, counts) = scan(ground, usize::MAX, workers(2), &|_| {}).expect("a list");
        let one = Candidates::of(&case, phase, &space, capacity, workers(2)).expect("layouts");
        assert_eq!(counts.refused, one.refused);
        assert!(counts.by_states <= counts.refused.memory);
        assert_eq!(list.len(), one.all.len() as u64);
        let mut entries = list.queue(STEPS);
        entries.sort_by_key(|entry| entry.number);
        let fit: Vec<_> = one.all.iter().collect();
        let bounds = Bounds::new(&case, phase, &fit, workers(2)).expect("prices");
        for (entry, candidate) in entries.iter().zip(&one.all) {
            let name = describe(&candidate.parallelism);
            assert_eq!(entry.number, candidate.number, "{name}");
            assert_eq!(entry.memory, candidate.memory, "{name}");
            if candidate.parallelism.recompute_layers.is_none() {
                assert!(entry.bound >= bounds.of(candidate).picos(), "{name}");
            }
        }
        for (entry, candidate) in entries.iter().zip(&one.all).step_by(1 + entries.len() / 60) {
            if let Ok(time) = simulated(&case, phase, &candidate.parallelism) {
                assert!(
                    entry.bound <= time.picos(),
                    "{}",
                    describe(&candidate.parallelism)
                );
            }
        }
        println!(
            "{}: {} of {} fit",
            case.name,
            entries.len(),
            counts.refused.looked_at
        );
        assert!(entries.len() > 100);
        if wide {
            for setting in ["parallelism.zero", "parallelism.zero_group"] {
                assert!(counts.refused.by_setting.contains_key(setting), "{setting}");
            }
        }
    }
}

#[test]
fn answers_do_not_depend_on_threads_and_can_be_stopped() {
    let case = experts();
    let phase = main(&case);
    let space = few(&case);
    let one = search(&case, phase, &space, Limits::default(), workers(1)).expect("an answer");
    let many = search(&case, phase, &space, Limits::default(), workers(5)).expect("an answer");
    assert_eq!(one, many);
    let stop = AtomicBool::new(true);
    let stopped = Workers {
        threads: 2,
        cancel: &stop,
    };
    let error = search(&case, phase, &space, Limits::default(), stopped);
    assert!(matches!(error, Err(SimulateError::Cancelled)));
}

#[test]
fn a_cap_and_no_room_are_said() {
    let case = experts();
    let phase = main(&case);
    let space = few(&case);
    let capped = Limits {
        simulated: 3,
        ..Limits::default()
    };
    let found = search(&case, phase, &space, capped, workers(2)).expect("an answer");
    assert_eq!(found.simulated, 3);
    assert!(found.unlooked > 0);
    let mut tiny = case.clone();
    tiny.cluster.accelerator.memory = Bytes::new(5_000_000_000);
    let found =
        search(&tiny, main(&tiny), &space, Limits::default(), workers(2)).expect("an answer");
    assert!(found.best.is_empty() && found.simulated == 0);
    assert!(
        found
            .refused
            .least_memory
            .is_some_and(|m| m > tiny.cluster.accelerator.memory)
    );
    let hurried = Limits {
        under: Some(Time::from_seconds(1e-6)),
        ..Limits::default()
    };
    let found = search(&case, phase, &space, hurried, workers(2)).expect("an answer");
    assert!(found.best.is_empty() && found.bounded > 0);
}
