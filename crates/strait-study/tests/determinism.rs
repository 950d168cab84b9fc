//! The same question has the same answer, to the byte.
//!
//! In: a small cut of the flagship with a batch that ramps, so that a case is several steps.
//! Out: digests of the answer's JSON over repetitions, threads and seeds.

mod steps;

use std::sync::atomic::AtomicBool;
use strait_study::answer::{Answer, CaseAnswer, Effort, Question, RunDocument, Setting};
use strait_training::case::Case;
use strait_training::simulate::simulate;

fn ramping() -> Case {
    let mut case = steps::two_stages(steps::case("deepseek-v3/h800.toml", &[]));
    let phase = &mut case.training.phases[0];
    phase.initial_batch = Some(phase.global_batch / 3);
    phase.ramp_tokens = None;
    let mut second = phase.clone();
    second.name = "second".to_owned();
    second.initial_batch = None;
    second.tokens = strait_units::Tokens::new(phase.tokens.get() / 2);
    case.training.phases.push(second);
    case
}

/// The answer as `strait run --json` prints it, effort left at zero.
fn answer(case: &Case, threads: usize) -> (String, String) {
    let cancel = AtomicBool::new(false);
    let outcome = simulate(case, steps::control(&cancel, threads)).unwrap();
    let effort = Effort::default();
    let setting = Setting::from(case);
    let answer = Answer {
        question: Question {
            version: "test".to_owned(),
            scenario: "test".to_owned(),
            seed: case.seed,
            command: "test".to_owned(),
        },
        about: None,
        cases: vec![CaseAnswer::new(
            setting,
            outcome,
            &[],
            &[],
            Vec::new(),
            effort,
        )],
    };
    let document = RunDocument::from(&answer);
    let text = serde_json::to_string(&document).unwrap();
    (document.digest, text)
}

#[test]
fn a_question_has_one_answer() {
    let case = ramping();
    let (digest, text) = answer(&case, 1);
    for threads in [1, 2, 3] {
        let (again, other) = answer(&case, threads);
        assert_eq!(again, digest, "{threads} threads");
        assert!(other == text, "{threads} threads: same digest, other bytes");
    }
}

#[test]
fn another_seed_has_another() {
    let mut case = ramping();
    let (digest, text) = answer(&case, 1);
    case.seed += 1;
    let (other_digest, other) = answer(&case, 1);
    assert_ne!(other_digest, digest);
    // Not only because the seed itself is part of the answer: step times differ.
    let time = |text: &str| -> f64 {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value["cases"][0]["step"]["time_s"].as_f64().unwrap()
    };
    assert_ne!(time(&other), time(&text));
    // And not by much: chance is noise here, not the result.
    assert!((time(&other) / time(&text) - 1.0).abs() < 0.01);
}

/// Without anything left to chance, seeds don't matter.
#[test]
fn without_chance_seeds_do_not_matter() {
    let mut case = steps::calm(ramping());
    let first = steps::main_step(&case);
    case.seed += 1;
    assert_eq!(steps::main_step(&case), first);
}
