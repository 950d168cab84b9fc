//! The mechanism on small made-up folders, and the whole shipped catalogue.

use super::*;
use serde::Deserialize;
use strait_units::{Bandwidth, FlopRate};

const CHIP: &str = r#"
name = "Made-up chip"

[sources]
datasheet = "Made-up datasheet, 2024"

[memory_bandwidth]
value = "3.35 TB/s"
source = "datasheet"
date = "2024-01"
confidence = "A"
note = "a remark"

[peaks]
bf16 = { value = "100 TFLOPS", source = "datasheet", date = "2024-01", confidence = "B" }
"#;

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Chip {
    id: String,
    memory_bandwidth: Bandwidth,
    peaks: Peaks,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Peaks {
    bf16: FlopRate,
}

fn catalog(files: &[(&str, &str)]) -> Catalog {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Catalog::from_dir(dir.path()).unwrap()
}

fn one(text: &str) -> Catalog {
    catalog(&[("chips/made-up.toml", text)])
}

#[test]
fn a_file_gives_facts_with_sources_and_a_typed_value() {
    let catalog = one(CHIP);
    assert_eq!(catalog.list("chips").unwrap(), ["made-up"]);
    let entry = catalog.show("chips", "made-up").unwrap();
    assert_eq!(entry.name, "Made-up chip");
    let keys: Vec<_> = entry.facts.iter().map(|f| f.key.as_str()).collect();
    assert_eq!(keys, ["memory_bandwidth", "peaks.bf16"]);
    let fact = entry.fact("memory_bandwidth").unwrap();
    assert_eq!(fact.value, "3.35 TB/s");
    assert_eq!(fact.source, "Made-up datasheet, 2024");
    assert_eq!(fact.confidence, Confidence::A);
    assert_eq!(fact.note.as_deref(), Some("a remark"));
    let chip: Chip = catalog.load("chips", "made-up").unwrap();
    assert_eq!(chip.id, "made-up");
    assert_eq!(chip.memory_bandwidth.to_string(), "3.35 TB/s");
    assert_eq!(chip.peaks.bf16.to_string(), "100 TFLOPS");
}

#[test]
fn errors_name_file_line_and_key() {
    let bf16_line = "bf16 = { value = \"100 TFLOPS\", source = \"datasheet\", date = \"2024-01\", confidence = \"B\" }";
    for (from, to, parts) in [
        (
            "100 TFLOPS",
            "100 GB/s",
            &["made-up.toml:15", "`peaks.bf16`", "not a unit"][..],
        ),
        (
            "\"100 TFLOPS\"",
            "100",
            &["made-up.toml:15", "`peaks.bf16`", "no unit", "TFLOPS"],
        ),
        ("bf16 =", "fp8 =", &["made-up.toml", "missing field `bf16`"]),
        (
            bf16_line,
            "bf16 = \"100 TFLOPS\"",
            &["made-up.toml:15", "`peaks.bf16`", "without provenance"],
        ),
        (
            "source = \"datasheet\", ",
            "",
            &["made-up.toml:15", "`peaks.bf16`", "has no source"],
        ),
        (", date = \"2024-01\"", "", &["`peaks.bf16`", "has no date"]),
        (
            ", confidence = \"B\"",
            "",
            &["`peaks.bf16`", "has no confidence"],
        ),
        ("\"B\"", "\"E\"", &["`peaks.bf16`", "it is A, B, C or D"]),
        (
            "\"B\"",
            "\"B\", unit = \"x\"",
            &["`peaks.bf16`", "unknown part \"unit\""],
        ),
        (
            "{ value = \"100 TFLOPS\", source = \"datasheet\"",
            "{ value = \"100 TFLOPS\", source = \"datashet\"",
            &["which [sources] lacks"],
        ),
        ("[peaks]", "[peaks", &["made-up.toml:14"]),
    ] {
        let text = CHIP.replacen(from, to, 1);
        assert_ne!(text, CHIP, "{from:?} not found");
        let error = one(&text)
            .load::<Chip>("chips", "made-up")
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{to:?}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn unknown_ids_are_met_with_the_nearest_one() {
    let catalog = catalog(&[("chips/h800-sxm.toml", CHIP), ("chips/b200.toml", CHIP)]);
    for (asked, meant) in [
        ("h800-smx", "h800-sxm"),
        ("H800_SXM", "h800-sxm"),
        ("h800", "h800-sxm"),
        ("b20", "b200"),
    ] {
        let error = catalog.text("chips", asked).unwrap_err().to_string();
        assert!(
            error.contains(&format!("did you mean \"{meant}\"")),
            "{error}"
        );
    }
    let error = catalog.text("chips", "zzz").unwrap_err().to_string();
    assert!(!error.contains("did you mean"), "{error}");
    let error = catalog.text("chip", "b200").unwrap_err().to_string();
    assert!(error.contains("no kind \"chip\"; it has chips"), "{error}");
}

#[test]
fn the_digest_covers_names_and_contents() {
    let base = catalog(&[("a/x.toml", "1"), ("a/y.toml", "2")]).digest();
    assert_eq!(base.len(), 64);
    assert_eq!(
        base,
        catalog(&[("a/y.toml", "2"), ("a/x.toml", "1")]).digest()
    );
    assert_ne!(
        base,
        catalog(&[("a/x.toml", "12"), ("a/y.toml", "")]).digest()
    );
    assert_ne!(
        base,
        catalog(&[("b/x.toml", "1"), ("a/y.toml", "2")]).digest()
    );
}

#[test]
fn folders_that_are_no_catalogue_are_errors_and_not_panics() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Catalog::from_dir(&dir.path().join("absent")),
        Err(CatalogError::Read { .. })
    ));
    std::fs::create_dir(dir.path().join("chips")).unwrap();
    std::fs::write(dir.path().join("chips/a.toml"), [0xff, 0xfe]).unwrap();
    assert!(matches!(
        Catalog::from_dir(dir.path()),
        Err(CatalogError::NotText { .. })
    ));
    std::fs::write(dir.path().join("chips/a.toml"), vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(matches!(
        Catalog::from_dir(dir.path()),
        Err(CatalogError::NotText { .. })
    ));
}

/// The shipped catalogue as it lies in the repository.
fn repository() -> Catalog {
    Catalog::from_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog")).unwrap()
}

#[test]
fn the_program_carries_the_catalogue_of_the_repository() {
    assert_eq!(Catalog::embedded().digest(), repository().digest());
}

#[test]
fn every_shipped_fact_has_source_date_and_confidence() {
    let catalog = repository();
    let mut problems = Vec::new();
    for kind in catalog.kinds() {
        for id in catalog.list(kind).unwrap() {
            let kebab = id
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
            if !kebab {
                problems.push(format!("{kind}/{id}: not in kebab case"));
            }
            match catalog.show(kind, id) {
                Ok(entry) if entry.facts.is_empty() => {
                    problems.push(format!("{kind}/{id}: no facts"))
                }
                Ok(_) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
