//! The command as scripts see it: exit statuses, streams, files.

use std::process::{Command, Output, Stdio};

fn strait(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("no signal ended the command")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    for arguments in [
        &["--no-such-option"][..],
        &[],
        &["run"],
        &["run", "a.toml", "--set", "no-equals-sign"],
        &["run", "a.toml", "--threads", "0"],
        &["run", "a.toml", "-q", "-v"],
        &["no-such-command"],
    ] {
        let output = strait(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "run"],
        &["run", "-h"],
    ] {
        let output = strait(arguments);
        assert_eq!(status(&output), 0, "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
    let help = stdout(&strait(&["--help"]));
    assert!(
        help.contains("75 temporary") && help.contains("Examples:"),
        "{help}"
    );
}

#[test]
fn what_cannot_be_read_is_3_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    for verb in ["run", "compare", "check", "explain"] {
        for path in [missing.as_path(), folder.path()] {
            let path = path.to_str().unwrap();
            let output = strait(&[verb, path]);
            assert_eq!(status(&output), 3, "{verb} {path}: {}", stderr(&output));
            assert!(stderr(&output).contains(path), "{}", stderr(&output));
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn every_unreadable_file_is_reported() {
    let output = strait(&["check", "missing-1.toml", "missing-2.toml"]);
    assert_eq!(status(&output), 3);
    let message = stderr(&output);
    assert!(
        message.contains("missing-1") && message.contains("missing-2"),
        "{message}"
    );
}

#[test]
fn schemas_are_the_committed_ones() {
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/run.schema.json"
    );
    let output = strait(&["schema", "run"]);
    assert_eq!(status(&output), 0);
    assert_eq!(stdout(&output), std::fs::read_to_string(committed).unwrap());
    let scenario = strait(&["schema"]);
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/scenario.schema.json"
    );
    assert_eq!(
        stdout(&scenario),
        std::fs::read_to_string(committed).unwrap()
    );
    let compare = strait(&["schema", "compare"]);
    let compare: serde_json::Value = serde_json::from_slice(&compare.stdout).unwrap();
    assert!(compare["properties"]["differences"].is_object());
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = strait(&["completions", shell]);
        assert_eq!(status(&output), 0);
        let script = stdout(&output);
        for verb in ["run", "compare", "explain"] {
            assert!(script.contains(verb), "{shell}: no {verb}");
        }
    }
    assert_eq!(status(&strait(&["completions", "no-such-shell"])), 2);
}

#[test]
fn figures_that_cannot_be_written_are_75_before_anything_is_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("figures");
    let output = strait(&["run", "x.toml", "--figures", below.to_str().unwrap()]);
    assert_eq!(status(&output), 75, "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains(file.to_str().unwrap()), "{message}");
    assert!(message.contains("help:"), "{message}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_75() {
    for arguments in [
        &["completions", "bash"][..],
        &["--help"],
        &["schema", "run"],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command(arguments).stdout(full).output().unwrap();
        assert_eq!(status(&output), 75, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("stdout"), "{}", stderr(&output));
    }
}

#[test]
fn colour_is_left_out_of_pipes() {
    let plain = strait(&["run", "missing.toml"]);
    assert!(!plain.stderr.contains(&0x1b), "{}", stderr(&plain));
}

/// A scenario beside these tests.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small.toml");

#[test]
fn a_path_that_does_not_exist_is_3_with_its_place() {
    for verb in ["run", "check", "explain"] {
        let output = strait(&[verb, SMALL, "--set", "parallelism.tensr=2"]);
        assert_eq!(status(&output), 3, "{verb}: {}", stderr(&output));
        let message = stderr(&output);
        for piece in ["tensr", "command line", "did you mean", "tensor"] {
            assert!(message.contains(piece), "no {piece:?} in {message}");
        }
    }
}

#[test]
fn errors_of_all_files_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "[cluster]\nacelerator = \"h100-sxm\"\nnode = 3\n").unwrap();
    let output = strait(&["check", wrong.to_str().unwrap(), "missing.toml", SMALL]);
    assert_eq!(status(&output), 3);
    let message = stderr(&output);
    for piece in ["acelerator", "wrong.toml:2", "missing.toml"] {
        assert!(message.contains(piece), "no {piece:?} in {message}");
    }
}

#[test]
fn a_sound_scenario_checks_and_explains() {
    let output = strait(&["check", SMALL]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("two, four"), "{}", stdout(&output));
    let output = strait(&["explain", SMALL, "--case", "four"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("case four, "), "{text}");
    let output = strait(&["explain", SMALL, "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["cases"].as_array().map(Vec::len), Some(2));
}

/// A claim's verdict never changes the status; the claim of one dollar is absurd.
#[test]
fn the_same_question_has_the_same_answer_on_any_number_of_threads() {
    let first = strait(&["run", SMALL, "--threads", "1"]);
    assert_eq!(status(&first), 0, "{}", stderr(&first));
    for threads in ["1", "2"] {
        let again = strait(&["run", SMALL, "--threads", threads]);
        assert_eq!(first.stdout, again.stdout);
    }
    let plain = |output: &Output| -> serde_json::Value {
        let mut value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for case in value["cases"].as_array_mut().unwrap() {
            for key in ["cpu_s", "wall_s"] {
                assert!(case["engine"][key].take().is_number());
            }
        }
        value
    };
    let one = strait(&["run", SMALL, "--json", "--threads", "1"]);
    let two = strait(&["run", SMALL, "--json", "--threads", "2"]);
    assert_eq!(plain(&one), plain(&two));
    assert_eq!(plain(&one)["cases"][1]["name"], "four");
}

#[test]
fn the_first_case_asked_for_is_the_baseline() {
    let output = strait(&[
        "compare", SMALL, "--case", "four", "--case", "two", "--json",
    ]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["baseline"], "four");
    assert_eq!(
        object["differences"][0]["settings"][0],
        "parallelism.tensor 2 instead of 4"
    );
    let one = strait(&["compare", SMALL, "--case", "two"]);
    assert_eq!(status(&one), 3, "{}", stderr(&one));
}

#[test]
fn an_expectation_that_fails_is_4_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("expect.toml");
    let small = std::fs::read_to_string(SMALL).unwrap();
    let expect = "[[expect]]\nquantity = \"step_time\"\nvalue = \"1 ns\"\nwithin = 0.01\n";
    std::fs::write(&file, format!("{small}\n{expect}")).unwrap();
    for form in ["-q", "--json", "-v"] {
        let output = strait(&["run", file.to_str().unwrap(), form]);
        assert_eq!(status(&output), 4, "{}", stderr(&output));
        assert!(stderr(&output).contains("step_time"), "{}", stderr(&output));
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn figures_leave_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b");
    let output = strait(&["run", SMALL, "--figures", out.to_str().unwrap()]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    for entry in std::fs::read_dir(&out).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with(".svg") || name.ends_with(".csv"), "{name}");
    }
}

#[test]
fn the_catalogue_answers_and_suggests() {
    let output = strait(&["catalog", "show", "h800-sxm"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("scale_up"));
    let output = strait(&["catalog", "show", "h800-smx"]);
    assert_eq!(status(&output), 3);
    assert!(stderr(&output).contains("h800-sxm"), "{}", stderr(&output));
    assert_eq!(status(&strait(&["catalog", "list", "no-such-kind"])), 3);
}

#[test]
fn calibration_says_what_is_wrong_and_writes_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let output = strait(&["calibrate", "--quiet"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert_eq!(status(&strait(&["calibrate", "--profile", "hoper"])), 3);
    assert_eq!(status(&strait(&["calibrate", "--kernels", "x.csv"])), 2);
    let own = |table: &str, out: &str| {
        strait(&[
            "calibrate",
            "--kernels",
            table,
            "--like",
            "hopper",
            "--accelerator",
            "h100-sxm",
            "--name",
            "mine",
            "--out",
            out,
            "--json",
        ])
    };
    let good = at("good.csv");
    std::fs::write(
        &good,
        "operand,m,n,k,measured_us\nbf16,8192,8192,8192,1690\n",
    )
    .unwrap();
    let output = own(&good, &at("out"));
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["files"].as_array().unwrap().len(), 2, "{object}");
    assert!(folder.path().join("out/kernels/mine.toml").is_file());
    assert!(folder.path().join("out/links/mine.toml").is_file());
    // A file where a folder should be.
    assert_eq!(status(&own(&good, &good)), 75);
    let bad = at("bad.csv");
    std::fs::write(&bad, "operand,m,n,k,measured_us\nbf16,8192,8192,8192,-1\n").unwrap();
    let output = own(&bad, &at("out"));
    assert_eq!(status(&output), 3);
    assert!(stderr(&output).contains("bad.csv:2"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn rules_answer_with_0_whatever_they_say_and_bad_questions_are_3() {
    let output = strait(&[
        "rules",
        "classify",
        "h800-sxm",
        "--on",
        "2023-10-17",
        "--json",
    ]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let answer: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["chip"], "h800-sxm");
    assert_eq!(answer["date"], "2023-10-17");
    assert_eq!(answer["outcome"], "presumption_of_denial");
    assert_eq!(answer["clause"], "3A090.a.1");
    assert!(!answer["reasons"].as_array().unwrap().is_empty());
    let several = strait(&["rules", "classify", "h20-96", "l20", "--json"]);
    let several: serde_json::Value = serde_json::from_str(&stdout(&several)).unwrap();
    assert_eq!(several.as_array().unwrap().len(), 2);
    let all = stdout(&strait(&["rules", "classify"]));
    assert!(
        all.contains("h100-sxm") && all.contains("2026-01-15"),
        "{all}"
    );
    let timeline = stdout(&strait(&["rules", "timeline", "h20-96"]));
    assert!(
        timeline.contains("2025-04-09  licence needed"),
        "{timeline}"
    );
    for (question, words) in [
        (
            &["rules", "classify", "h800-smx"][..],
            "did you mean \"h800-sxm\"?",
        ),
        (
            &["rules", "timeline", "h800-smx"],
            "did you mean \"h800-sxm\"?",
        ),
        (
            &["rules", "classify", "l20", "--on", "2023-02-30"],
            "no day 30",
        ),
        (
            &["rules", "classify", "l20", "--on", "0000-01-01"],
            "out of range",
        ),
        (
            &["rules", "classify", "l20", "--on", "9999-01-01"],
            "out of range",
        ),
        (&["rules", "classify", "l20", "--to", "mars"], "write china"),
        (
            &["rules", "classify", "l20", "--rules", "no-such.toml"],
            "no-such.toml",
        ),
    ] {
        let output = strait(question);
        assert_eq!(status(&output), 3, "{question:?}");
        assert!(
            stderr(&output).contains(words),
            "{question:?}: {}",
            stderr(&output)
        );
    }
}
