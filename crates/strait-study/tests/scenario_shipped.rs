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

#[test]
fn the_flagship_is_one_case_with_the_published_facts() {
    let loaded = load("deepseek-v3/h800.toml");
    assert_eq!(loaded.cases.len(), 1);
    let case = &loaded.cases[0].case;
    assert_eq!(case.cluster.ranks(), 2048);
    assert_eq!(case.cluster.accelerator.scale_up.get(), 200e9);
    let phases: Vec<(&str, u64, bool)> = case
        .training
        .phases
        .iter()
        .map(|p| (p.name.as_str(), p.tokens.get(), p.pretraining))
        .collect();
    // Report 4.2 and 4.3: 14.8 T tokens, of which the ramp takes 469 B, the first 39 B of them
    // below the batch that DualPipe needs; 1,000 steps each of 1,920 x 32 K
    // and 480 x 128 K.
    assert_eq!(
        phases,
        [
            ("first-ramp", 39_000_000_000, true),
            ("main", 14_761_000_000_000, true),
            ("extension-32k", 62_914_560_000, false),
            ("extension-128k", 62_914_560_000, false),
        ]
    );
    // Every phase has the same tokens on a GPU in a micro-batch.
    for phase in &case.training.phases {
        let layout = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
        assert_eq!(phase.sequence_length / layout.context, 4096);
        assert_eq!((layout.pipeline, layout.expert), (16, 64));
    }
    assert_eq!(case.precision.state.moments, 4.0);
    assert_eq!(case.routing.node_limit, Some(4));
    let stated = |name: &str| {
        let claims = &loaded.cases[0].claims;
        claims
            .iter()
            .find(|c| c.quantity.name() == name)
            .map(|c| c.stated)
    };
    assert_eq!(stated("pretraining_gpu_hours"), Some(2_664_000.0));
    assert_eq!(stated("step_time"), Some(19.926));
    assert_eq!(stated("gpu_hours_per_trillion_tokens"), Some(180_000.0));
    assert_eq!(stated("days_per_trillion_tokens"), Some(3.7));
}

#[test]
fn variants_keep_the_gpus_and_the_micro_batches() {
    let loaded = load("deepseek-v3/variants.toml");
    let names: Vec<&str> = loaded.cases.iter().map(|c| c.case.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "h800",
            "h100",
            "h200",
            "h20",
            "a800-bf16",
            "bf16",
            "1f1b",
            "tp8",
            "tp8-h100",
            "no-node-limit",
            "no-overlap"
        ]
    );
    for resolved in &loaded.cases {
        let case = &resolved.case;
        assert!(resolved.claims.is_empty(), "{}", case.name);
        for phase in &case.training.phases {
            let p = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
            let data = case.cluster.ranks() / (p.tensor * p.pipeline * p.context);
            assert_eq!(
                data * p.tensor * p.pipeline * p.context,
                2048,
                "{}",
                case.name
            );
            let micro_batches = if phase.name == "first-ramp" { 32 } else { 120 };
            assert_eq!(
                phase.global_batch / (data * p.micro_batch),
                micro_batches,
                "{}",
                case.name
            );
            // The same tokens on each GPU, whatever the layout.
            let tokens = p.micro_batch * phase.sequence_length / (p.context * p.tensor);
            assert_eq!(tokens, 4096, "{} {}", case.name, phase.name);
        }
    }
}

#[test]
fn korthikanti_has_eight_times_of_its_table_5() {
    let loaded = load("megatron/korthikanti.toml");
    // arXiv 2205.05198, table 5, seconds.
    let published = [1.42, 1.10, 18.13, 13.75, 49.05, 37.83, 94.42, 71.49];
    let stated: Vec<f64> = loaded.cases.iter().map(|c| c.claims[0].stated).collect();
    assert_eq!(stated, published);
    let gpus: Vec<u32> = loaded
        .cases
        .iter()
        .map(|c| c.case.cluster.ranks())
        .collect();
    assert_eq!(gpus, [8, 8, 64, 64, 280, 280, 512, 512]);
}
