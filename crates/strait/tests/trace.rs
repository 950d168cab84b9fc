//! `strait trace` and `strait bench` as scripts see them: exit statuses, files, JSON.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small.toml");
const FLAGSHIP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../scenarios/deepseek-v3/h800.toml"
);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

fn strait(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("no signal ended the command")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_trace_is_written_whole_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.json");
    let file = path.to_str().unwrap();
    let arguments = [
        "trace", SMALL, "--case", "two", "-o", file, "--ranks", "0-2,7",
    ];
    let output = strait(&[&arguments[..], &["--json"]].concat());
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ranks"], 4);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(told["bytes"], bytes.len());
    let events: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let slices = events.iter().filter(|event| event["ph"] == "X").count();
    assert_eq!(told["slices"], slices);
    let names: Vec<&str> = events
        .iter()
        .filter(|event| event["name"] == "process_name")
        .map(|event| event["args"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[3], "rank 7: stage 0, data 3, tensor 1");
    // The step that `run` answers is the one that is traced.
    let run = strait(&["run", SMALL, "--case", "two", "--json"]);
    let run: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run["cases"][0]["step"]["time_s"], told["step_time_s"]);
    // The same bytes again, over the old file; nothing else is left.
    assert_eq!(status(&strait(&arguments)), 0);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(files(folder.path()), ["step.json"]);
}

#[test]
fn one_case_is_shown_and_must_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("step.json");
    let output = strait(&["trace", SMALL, "-o", file.to_str().unwrap()]);
    assert_eq!(status(&output), 3);
    assert!(stderr(&output).contains("two, four"), "{}", stderr(&output));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn choices_that_fit_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.json");
    let file = path.to_str().unwrap();
    for (option, value, expected) in [
        ("--ranks", "x", 2),
        ("--ranks", "5-2", 2),
        ("--window", "2..3", 2),
        ("--window", "3s..2s", 2),
        ("--ranks", "8", 3),
        ("--ranks", "stage:1", 3),
        ("--window", "1000s..", 3),
    ] {
        let output = strait(&["trace", SMALL, "--case", "two", "-o", file, option, value]);
        assert_eq!(status(&output), expected, "{value}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(status(&strait(&["trace", SMALL])), 2);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_trace_of_all_ranks_is_refused_before_anything_is_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.json");
    let file = path.to_str().unwrap();
    let output = strait(&["trace", FLAGSHIP, "-o", file, "--ranks", "all"]);
    assert_eq!(status(&output), 75, "{}", stderr(&output));
    let message = stderr(&output);
    for piece in ["2048 ranks", "more than 2.0 GB", "--force", "--window"] {
        assert!(message.contains(piece), "no {piece:?} in {message}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn what_cannot_be_written_is_75_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("file").join("step.json");
    std::fs::write(folder.path().join("file"), "kept").unwrap();
    let within = folder.path().join("folder");
    std::fs::create_dir(&within).unwrap();
    for path in [&below, &within, &folder.path().join("none/step.json")] {
        let path = path.to_str().unwrap();
        let output = strait(&["trace", SMALL, "--case", "two", "-o", path]);
        assert_eq!(status(&output), 75, "{path}: {}", stderr(&output));
        assert!(stderr(&output).contains(path), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"kept");
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_75() {
    let output = strait(&["trace", SMALL, "--case", "two", "-o", "/dev/full"]);
    assert_eq!(status(&output), 75, "{}", stderr(&output));
    assert!(stderr(&output).contains("/dev/full"), "{}", stderr(&output));
    assert!(Path::new("/dev/full").exists());
}

#[test]
#[cfg(unix)]
fn an_interrupt_is_130_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.json");
    // Long enough to be interrupted: all ranks, into a file of any size.
    let ranks = ["--ranks", "0-511", "--force", "-q"];
    let arguments = [
        &["trace", FLAGSHIP, "-o", path.to_str().unwrap()],
        &ranks[..],
    ]
    .concat();
    let child = command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It has begun when its temporary file is there.
    while files(folder.path()).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 130, "{}", stderr(&output));
    assert!(files(folder.path()).is_empty());
}

/// Slow without optimisation: `cargo test --release -- --ignored`.
#[test]
#[ignore = "takes a minute in an unoptimised build"]
fn bench_measures_every_part() {
    let output = strait(&["bench", "--json"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = told["results"].as_array().unwrap();
    for name in [
        "heap_hold",
        "wheel_hold",
        "executor_every_op",
        "executor_runs",
        "executor_lanes",
        "all_to_alls",
        "step_rate",
        "step_ratio",
        "step_memory",
        "contended_cpu",
        "folded_step",
        "folded_case",
        "sweep_cases",
        "sweep_small_cases",
        "llama_cpu",
        "llama_memory",
        "many_ranks_cpu",
        "many_ranks_memory",
        "tutorial_answer",
    ] {
        let found = results.iter().find(|result| result["name"] == name);
        let value = found.and_then(|result| result["value"].as_f64());
        assert!(value.is_some_and(|value| value > 0.0), "{name}");
    }
    let value = |name: &str| {
        let found = results.iter().find(|result| result["name"] == name);
        found.and_then(|result| result["value"].as_f64()).unwrap()
    };
    assert_eq!(value("step_ranks"), 2048.0);
    assert_eq!(value("llama_ranks"), 16384.0);
    assert_eq!(value("many_ranks_ranks"), 102_400.0);
    // Twice the micro-batches, but not the memory.
    assert!(value("double_batch_ops") > 1.9 * value("step_ops"));
    assert!(value("double_batch_memory") < 1.3 * value("step_memory"));
}
