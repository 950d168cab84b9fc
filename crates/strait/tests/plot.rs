//! `strait plot` as a user meets it: files, and what is said about bad input.

use std::path::Path;
use std::process::{Command, Output};

const SMALL: &str = "tests/small.toml";

fn strait(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_figure_is_listed_with_what_it_is_drawn_from() {
    let output = strait(&["plot", "--list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for kind in [
        "cost-cdf",
        "tornado",
        "dumbbell",
        "iso-cost",
        "pipeline",
        "sweep",
        "small-multiples",
    ] {
        assert!(text.contains(kind), "{text}");
    }
}

#[test]
fn figures_of_a_scenario_and_of_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = strait(&["plot", "pipeline", SMALL, "-o", &out("p.png"), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(names(folder.path()), ["p.csv", "p.png", "p.svg"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["files"].as_array().unwrap().len(), 3);
    let picture = std::fs::read(out("p.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    let again = strait(&["plot", "pipeline", SMALL, "-o", &out("q.png")]);
    assert_eq!(again.status.code(), Some(0));
    assert!(
        std::fs::read(out("q.png")).unwrap() == picture,
        "other bytes"
    );

    let answer = strait(&["run", SMALL, "--json"]);
    std::fs::write(out("answer.json"), &answer.stdout).unwrap();
    let output = strait(&["plot", "iso-cost", &out("answer.json"), "-o", &out("x")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        names(&folder.path().join("x")),
        ["iso-cost.csv", "iso-cost.svg"]
    );
    // The same from the scenario itself, but for the command that is named.
    let output = strait(&["plot", "iso-cost", SMALL, "-o", &out("y")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let csv = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(csv("x/iso-cost.csv"), csv("y/iso-cost.csv"));
}

#[test]
fn bad_input_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap().to_owned();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"strait\": \"0.1.0\"").unwrap();
    let broken = broken.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 10] = [
        (&["plot"], 2, "KIND"),
        (&["plot", "pie", SMALL], 2, "pie"),
        (&["plot", "tornado", broken, "-o", &out], 3, "line 1 column"),
        (
            &["plot", "tornado", "none.json", "-o", &out],
            3,
            "none.json",
        ),
        (
            &["plot", "pipeline", broken, "-o", &out],
            3,
            "scenario itself",
        ),
        (
            &["plot", "dumbbell", SMALL, "--case", "two", "-o", &out],
            3,
            "two cases",
        ),
        (&["plot", "sweep", SMALL, "-o", &out], 3, "no folder"),
        (&["plot", "sweep", &out, "-o", &out], 3, "plan"),
        (
            &["plot", "pipeline", SMALL, "-o", "x.pdf"],
            3,
            ".svg or .png",
        ),
        (&["run", SMALL, "--png"], 2, "--figures"),
    ];
    for (arguments, status, word) in cases {
        let output = strait(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    assert_eq!(
        names(folder.path()),
        ["broken.json"],
        "nothing is left behind"
    );
}
