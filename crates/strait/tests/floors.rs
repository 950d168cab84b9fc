//! Holds the floors apart: no crate may use one above it, and every source file says what it is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Floors from the bottom. A crate may use only those before it.
const FLOORS: [&str; 5] = [
    "strait-units",
    "strait-sim",
    "strait-training",
    "strait-study",
    "strait",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(workspace())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata failed");
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

#[test]
fn no_floor_reaches_up() {
    let metadata = metadata();
    let mut seen = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        let Some(floor) = FLOORS.iter().position(|f| *f == name) else {
            assert_eq!(name, "strait-benches", "a crate that has no floor");
            continue;
        };
        seen.push(name.to_owned());
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            if let Some(other) = FLOORS.iter().position(|f| *f == used) {
                assert!(other < floor, "{name} reaches up to {used}");
            }
            // What is timed may be shipped with the command alone.
            assert!(
                used != "strait-benches" || name == "strait",
                "{name} uses what is timed"
            );
        }
    }
    assert_eq!(seen.len(), FLOORS.len(), "all floors are there: {seen:?}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folder is readable") {
        let path = entry.expect("entry is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for floor in FLOORS {
        let mut files = Vec::new();
        sources(
            &workspace().join("crates").join(floor).join("src"),
            &mut files,
        );
        assert!(!files.is_empty());
        for file in files {
            let text = std::fs::read_to_string(&file).expect("source is readable");
            assert!(
                text.starts_with("//!"),
                "{} has no //! head",
                file.display()
            );
        }
    }
}

#[test]
fn lower_floors_neither_read_files_nor_print_nor_look_at_the_clock() {
    for floor in &FLOORS[..3] {
        let mut files = Vec::new();
        sources(
            &workspace().join("crates").join(floor).join("src"),
            &mut files,
        );
        for file in files {
            let text = std::fs::read_to_string(&file).expect("source is readable");
            // Tests below `#[cfg(test)]` may do as they like.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            if file.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            for word in [
                "std::fs",
                "println!",
                "eprintln!",
                "Instant::now",
                "SystemTime",
                "HashMap",
                "HashSet",
            ] {
                assert!(!code.contains(word), "{} uses {word}", file.display());
            }
        }
    }
}
