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
fn the_schema_of_an_answer_is_the_committed_one() {
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/run.schema.json"
    );
    let output = strait(&["schema", "run"]);
    assert_eq!(status(&output), 0);
    assert_eq!(stdout(&output), std::fs::read_to_string(committed).unwrap());
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
