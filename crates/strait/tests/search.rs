//! `strait search` as scripts see it: exit statuses, the JSON object, tables, settings that hold.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

const SMALL: &str = r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h100-sxm"
nodes = 2
[parallelism]
tensor = 4
[precision]
recipe = "bf16"
[training]
tokens = "100 B tokens"
sequence_length = 8192
global_batch = 64
"#;

fn strait(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("no signal ended the command")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(arguments: &[&str]) -> Value {
    let output = strait(arguments);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one object")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a count")
}

/// A scenario in a folder of its own.
fn scenario(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("small.toml");
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

#[test]
fn wrong_axes_are_2_and_say_what_is_right() {
    for (arguments, says) in [
        (&["--axis", "pipelines=2"][..], "did you mean pipeline?"),
        (&["--axis", "zero=7"], "from 0 to 3"),
        (&["--axis", "schedule=dualpip"], "dualpipe"),
        (&["--top", "0"], "1..=1000"),
        (&["--by", "luck"], "energy"),
        (&["--memory", "many"], "many"),
        (&["--gpus", "8", "--nodes", "1"], "cannot be used"),
    ] {
        let all = [&["search", "a.toml"], arguments].concat();
        let output = strait(&all);
        assert_eq!(status(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

#[test]
fn wrong_questions_are_3_and_named() {
    let (_folder, path) = scenario(SMALL);
    let path = path.to_str().expect("UTF-8");
    for (arguments, says) in [
        (&["--gpus", "12"][..], "whole number of nodes of 8"),
        (&["--axis", "zero=1", "--axis", "zero=2"], "given twice"),
        (&["--axis", "precision=nvfp4"], "has no FP4"),
        (&["--set", "model.preset=llama3-9b"], "llama3"),
    ] {
        let output = strait(&[&["search", path], arguments].concat());
        assert_eq!(status(&output), 3, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    let output = strait(&["search", "scenarios-that-are-not-there.toml"]);
    assert_eq!(status(&output), 3);
}

#[test]
fn an_answer_adds_up_and_its_settings_hold() {
    let (folder, path) = scenario(SMALL);
    let path = path.to_str().expect("UTF-8");
    let tables = folder.path().join("tables");
    let out = tables.to_str().expect("UTF-8");
    let answer = json(&["search", path, "--json", "--threads", "1", "--out", out]);
    // Threads change nothing.
    assert_eq!(answer, json(&["search", path, "--json", "--threads", "3"]));
    let size = &answer["sizes"][0];
    let considered = &size["considered"];
    let impossible: u64 = (considered["impossible"].as_object().expect("counts"))
        .values()
        .map(number)
        .sum();
    let [layouts, too_large, fit] = ["layouts", "too_large", "fit"].map(|k| number(&considered[k]));
    assert_eq!(layouts, impossible + too_large + fit);
    assert_eq!(number(&considered["unlooked"]), 0);
    assert_eq!(number(&considered["broken_bounds"]), 0);
    assert!(number(&considered["combinations"]) > layouts);
    // All that fits was simulated or could not be better.
    let simulated = number(&considered["simulated"]);
    assert!(
        simulated + number(&considered["not_better"]) >= fit,
        "{considered}"
    );
    assert!(simulated < fit);
    // The best, run by itself.
    let best = &size["best"][0];
    let mut run = vec!["run".to_owned(), path.to_owned(), "--json".to_owned()];
    for (key, value) in best["settings"].as_object().expect("settings") {
        run.push(format!("--set={key}={}", value.as_str().expect("text")));
    }
    for calm in ["noise.jitter=0", "noise.chip_spread=0"] {
        run.push(format!("--set={calm}"));
    }
    let words: Vec<&str> = run.iter().map(String::as_str).collect();
    let alone = json(&words);
    let case = &alone["cases"][0];
    assert_eq!(case["step"]["time_s"], best["time_s"]);
    assert_eq!(case["memory"]["peak_gb"], best["memory_gb"]);
    assert_eq!(case["run"]["days"], best["run"]["days"]);
    // The written layout is in the space, hence no better.
    assert!(size["written"]["behind"].as_f64().expect("it works") >= 0.0);
    // The front falls: less memory, more time.
    let front = size["front"].as_array().expect("a front");
    assert!(front.len() > 2);
    for pair in front.windows(2) {
        let of = |n: usize, key: &str| pair[n]["plan"][key].as_f64().expect("a number");
        assert!(of(0, "memory_gb") > of(1, "memory_gb") && of(0, "time_s") <= of(1, "time_s"));
    }
    let table = std::fs::read_to_string(tables.join("search-simulated.csv")).expect("a table");
    assert_eq!(table.lines().count() as u64, 1 + simulated);
    assert!(tables.join("search-memory-front.csv").exists());
}

#[test]
fn pruning_loses_nothing_by_time_or_by_energy() {
    let (_folder, path) = scenario(SMALL);
    let path = path.to_str().expect("UTF-8");
    for by in ["time", "energy"] {
        let question = [
            "search",
            path,
            "--json",
            "--by",
            by,
            "--axis",
            "pipeline=1,2",
        ];
        let rest = [
            "--axis",
            "context=1,2",
            "--axis",
            "micro_batch=1",
            "--top",
            "9",
        ];
        let question = [&question[..], &rest].concat();
        let pruned = json(&question);
        let all = json(&[&question[..], &["--exhaustive"]].concat());
        let best = |answer: &Value| answer["sizes"][0]["best"].clone();
        assert_eq!(best(&pruned), best(&all), "{by}");
        let counts = |answer: &Value| answer["sizes"][0]["considered"].clone();
        assert_eq!(counts(&all)["simulated"], counts(&all)["fit"]);
        assert!(number(&counts(&pruned)["not_better"]) > 0);
        for answer in [&pruned, &all] {
            assert_eq!(number(&counts(answer)["broken_bounds"]), 0, "{by}");
        }
    }
}

#[test]
fn sizes_are_compared_and_a_layout_need_not_be_written() {
    // Without a layout 24 accelerators can't share 64 sequences: a search finds one that can.
    let text = SMALL.replace("[parallelism]\ntensor = 4\n", "");
    let (_folder, path) = scenario(&text);
    let path = path.to_str().expect("UTF-8");
    let answer = json(&["search", path, "--json", "--gpus", "8,16,24"]);
    let sizes = answer["sizes"].as_array().expect("sizes");
    let days: Vec<f64> = (sizes.iter())
        .map(|size| size["best"][0]["run"]["days"].as_f64().expect("days"))
        .collect();
    assert_eq!(days.len(), 3);
    assert!(days[0] > days[1], "{days:?}");
    assert!(
        sizes[2]["written"]["refused"].is_string(),
        "{}",
        sizes[2]["written"]
    );
    assert!(sizes[0]["on_front"].as_bool().expect("a flag"));
    // Where memory is short nothing fits, and that is an answer.
    let none = json(&["search", path, "--json", "--memory", "6 GB"]);
    assert_eq!(none["sizes"][0]["best"].as_array().map(Vec::len), Some(0));
    assert!(none["sizes"][0]["considered"]["least_memory_gb"].as_f64() > Some(6.0));
    let text = strait(&["search", path, "--memory", "6 GB"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("the least that any takes"));
}

#[test]
fn axes_that_exclude_each_other_are_3_and_both_are_named() {
    let (_folder, path) = scenario(SMALL);
    let path = path.display().to_string();
    let output = strait(&[
        "search",
        &path,
        "--axis",
        "schedule=dualpipe",
        "--axis",
        "virtual_stages=2",
    ]);
    assert_eq!(status(&output), 3, "{}", stderr(&output));
    let told = stderr(&output);
    assert!(
        told.contains("`schedule=dualpipe`") && told.contains("`virtual_stages=2`"),
        "{told}"
    );
}

#[test]
fn where_nothing_is_possible_one_layout_says_why() {
    let (_folder, path) = scenario(SMALL);
    let path = path.display().to_string();
    let output = strait(&["search", &path, "--axis", "pipeline=3", "-q"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let told = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    assert!(
        told.contains("one of them:") && told.contains('3'),
        "{told}"
    );
}

#[test]
fn a_layout_that_nobody_wrote_is_not_called_written() {
    let bare = SMALL.replace("[parallelism]\ntensor = 4\n", "");
    let (_folder, path) = scenario(&bare);
    let path = path.display().to_string();
    let found = json(&["search", &path, "--json"]);
    assert_eq!(found["sizes"][0]["written"]["by_default"], true);
    let output = strait(&["search", &path]);
    let told = String::from_utf8_lossy(&output.stdout).replace('\n', " ");
    assert!(!told.contains("written layout"), "{told}");
    let (_folder, path) = scenario(SMALL);
    let found = json(&["search", &path.display().to_string(), "--json"]);
    assert_eq!(found["sizes"][0]["written"]["by_default"], false);
}
