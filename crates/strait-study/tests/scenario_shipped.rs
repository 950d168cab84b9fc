//! Every shipped scenario loads, and says what its source says.

use std::path::{Path, PathBuf};
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Loaded, Overrides, Style, render_all};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn load(name: &str) -> Loaded {
    match scenario::load(
        &folder().join(name),
        &Catalog::embedded(),
        &Overrides::default(),
    ) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{name}:\n{}", render_all(&faults, Style::Plain)),
    }
}

#[test]
fn every_shipped_file_loads() {
    let mut problems = String::new();
    let mut seen = 0;
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "toml") {
                seen += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(
                    text.starts_with("#:schema "),
                    "{} lacks its schema line",
                    path.display()
                );
                match scenario::load(&path, &Catalog::embedded(), &Overrides::default()) {
                    Ok(loaded) => {
                        for case in &loaded.cases {
                            problems += &render_all(&case.warnings, Style::Plain);
                        }
                    }
                    Err(faults) => problems += &render_all(&faults, Style::Plain),
                }
            }
        }
    }
    assert!(seen >= 8, "only {seen} scenarios found");
    assert!(problems.is_empty(), "{problems}");
}
