//! Whole answers as text.
//!
//! In: made-up outcomes. Out: snapshots. Never looks at single lines where the whole is meant.

use super::*;
use crate::answer::Comparison;
use crate::answer::sample;
use strait_units::Bytes;

const PLAIN: TextStyle = TextStyle {
    detail: Detail::Normal,
    styled: false,
};

fn tidy(text: &str) {
    for line in text.lines() {
        assert_eq!(line, line.trim_end(), "trailing spaces");
        let long = line.contains("strait run") || line.contains("digest");
        assert!(long || line.chars().count() <= 100, "{line}");
    }
    assert!(text.ends_with('\n'));
}

/// Digests change with the version; snapshots leave them out.
fn without_digest(text: &str) -> String {
    (text.lines())
        .map(|line| line.split(", digest ").next().unwrap_or(line).to_owned() + "\n")
        .collect()
}

fn two() -> Answer {
    let mut answer = sample::answer();
    answer.cases.push(sample::case_answer(sample::faster()));
    answer
}

#[test]
fn a_run_reads_well() {
    let text = run(&sample::answer(), PLAIN);
    tidy(&text);
    insta::assert_snapshot!(without_digest(&text));
}

#[test]
fn a_run_in_full_reads_well() {
    let style = TextStyle {
        detail: Detail::Full,
        ..PLAIN
    };
    let text = run(&sample::answer(), style);
    tidy(&text);
    insta::assert_snapshot!(without_digest(&text));
}

#[test]
fn quiet_is_the_headline_only() {
    let style = TextStyle {
        detail: Detail::Headline,
        ..PLAIN
    };
    let text = run(&sample::answer(), style);
    tidy(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn too_much_memory_is_an_answer_with_remedies() {
    let mut answer = sample::answer();
    answer.cases[0].outcome.step.memory.peak = Bytes::new(91_300_000_000);
    let text = run(&answer, PLAIN);
    assert!(text.contains("It does not fit in memory."), "{text}");
    assert!(text.contains("DOES NOT FIT, 11.3 GB too much"), "{text}");
    assert!(text.contains("Ways out: "), "{text}");
    tidy(&text);
}

#[test]
fn a_comparison_reads_well() {
    let answer = two();
    let comparison = Comparison::new(&answer).unwrap();
    let text = compare(&answer, &comparison, PLAIN);
    tidy(&text);
    insta::assert_snapshot!(without_digest(&text));
}

#[test]
fn nine_cases_fit_the_width() {
    let mut answer = two();
    for index in 0..7 {
        let mut case = answer.cases[1].clone();
        case.setting.name = format!("no-node-limit-{index}");
        answer.cases.push(case);
    }
    let comparison = Comparison::new(&answer).unwrap();
    tidy(&compare(&answer, &comparison, PLAIN));
}

#[test]
fn styles_add_nothing_but_codes() {
    let answer = two();
    let styled = TextStyle {
        styled: true,
        ..PLAIN
    };
    let mut stripped = String::new();
    for piece in run(&answer, styled).split('\x1b') {
        match piece.strip_prefix('[') {
            Some(rest) => stripped += rest.split_once('m').unwrap().1,
            None => stripped += piece,
        }
    }
    assert_eq!(stripped, run(&answer, PLAIN));
}

#[test]
fn effort_never_shows() {
    let mut answer = sample::answer();
    let before = run(&answer, PLAIN);
    answer.cases[0].effort.cpu_s *= 3.0;
    assert_eq!(run(&answer, PLAIN), before);
}

#[test]
fn an_empty_outcome_does_not_panic() {
    let mut answer = two();
    for case in &mut answer.cases {
        case.outcome = Default::default();
    }
    tidy(&run(&answer, PLAIN));
    let comparison = Comparison::new(&answer).unwrap();
    tidy(&compare(&answer, &comparison, PLAIN));
}
