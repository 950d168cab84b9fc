//! Memory against published allocations: 43 runs of SimuMax on B200, and figure 1 of Korthikanti et al.
//!
//! In: `data/published_memory.csv`, with its sources. Out: bounds on errors. Never simulates: memory
//! follows from a layout.
//!
//! No number in the model was fitted to these rows. Which temporaries there are at once, that the
//! loss works in place, and that libraries keep placeholders of gradients was read in the sources of
//! Megatron-LM and Transformer Engine while looking at the residuals of the SimuMax rows. What is left
//! is largest with context parallelism: those runs exchanged heads (all-to-all), for which the
//! library keeps one more attention output of each layer than the ring that is modelled here.

use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};
use strait_training::case::Case;
use strait_training::layout::Layout;
use strait_training::memory::{self, Setting};
use strait_training::outcome::Memory;

const ROWS: &str = include_str!("data/published_memory.csv");
const GIB: f64 = (1_u64 << 30) as f64;

/// A row: its fields by name.
struct Row(Vec<(&'static str, &'static str)>);

impl Row {
    fn text(&self, name: &str) -> &'static str {
        let found = self.0.iter().find(|(key, _)| *key == name);
        found.unwrap_or_else(|| panic!("no column {name}")).1
    }

    fn figure(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }
}

fn rows() -> Vec<Row> {
    let mut lines = ROWS.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| Row(names.iter().copied().zip(line.split(',')).collect()))
        .collect()
}

fn case(row: &Row) -> Case {
    let preset = row.text("preset");
    let model = match preset {
        "deepseek-v3" => "first_dense = 1\nmtp = 0\n",
        "llama3-405b" => "kv_heads = 16\n",
        _ => "",
    };
    let old = row.text("id").starts_with("korthi");
    let (cluster, more) = if old {
        let sequence = row.text("recompute") != "none";
        (
            format!("accelerator = \"a100-sxm-80\"\ngpus = {}", gpus(row)),
            format!("sequence = {sequence}\nzero = 0\n[precision]\nrecipe = \"fp16\"\n"),
        )
    } else {
        (
            "accelerator = \"b200\"\nnodes = 1".to_owned(),
            String::new(),
        )
    };
    let profile = if old {
        "megatron-2022"
    } else {
        "megatron-2026"
    };
    let text = format!(
        "[model]\npreset = \"{preset}\"\nlayers = {}\n{model}\n[cluster]\n{cluster}\n[training]\ntokens = \"1 G tokens\"\n\
         sequence_length = {}\nglobal_batch = {}\n[software]\nprofile = \"{profile}\"\n[parallelism]\n\
         tensor = {}\npipeline = {}\nvirtual_stages = {}\ncontext = {}\nexpert = {}\nmicro_batch = {}\n\
         recompute = \"{}\"\n{more}",
        row.text("layers"),
        row.text("sequence_length"),
        row.text("global_batch"),
        row.text("tensor"),
        row.text("pipeline"),
        row.text("virtual_stages"),
        row.text("context"),
        row.text("expert"),
        row.text("micro_batch"),
        row.text("recompute"),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("row.toml");
    std::fs::write(&path, &text).unwrap();
    match scenario::load(&path, &Catalog::embedded(), &Overrides::default()) {
        Ok(mut loaded) => loaded.cases.remove(0).case,
        Err(faults) => panic!("{text}\n{}", render_all(&faults, Style::Plain)),
    }
}

fn gpus(row: &Row) -> f64 {
    row.figure("tensor").unwrap() * row.figure("pipeline").unwrap()
}

fn memory_of(case: &Case, rank: Option<u32>) -> Memory {
    let phase = &case.training.phases[0];
    let layout = Layout::new(
        &case.parallelism,
        &case.model,
        &case.cluster,
        phase.sequence_length,
        phase.global_batch,
    )
    .unwrap();
    let setting = Setting {
        model: &case.model,
        parallelism: &case.parallelism,
        precision: &case.precision,
        software: &case.software,
        method: case.training.method,
        capacity: case.cluster.accelerator.memory,
    };
    match rank {
        Some(rank) => memory::of_rank(setting, &layout, rank),
        None => memory::peak(setting, &layout),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn allocations_of_one_node_are_met() {
    let (mut errors, mut reserved) = (Vec::new(), Vec::new());
    for row in rows() {
        let Some(allocated) = row.figure("allocated_gib") else {
            continue;
        };
        let memory = memory_of(&case(&row), None);
        let mine = memory.allocated.as_f64() / GIB;
        let error = mine / allocated - 1.0;
        println!(
            "{}: {mine:.2} GiB of {allocated}, {:+.1} %",
            row.text("id"),
            100.0 * error
        );
        assert!(
            error.abs() < 0.04,
            "{}: {:+.1} %",
            row.text("id"),
            100.0 * error
        );
        errors.push(error.abs());
        // What the allocator holds of the device is more than it hands out: fragmentation, which is
        // not modelled, 2.5 to 9 % in these runs. The whole peak has to cover it.
        let held = row.figure("reserved_gib").unwrap();
        reserved.push(1.0 - mine / held);
        assert!(
            memory.peak.as_f64() / GIB > 0.92 * held,
            "{}: {:.1} of {held}",
            row.text("id"),
            memory.peak.as_f64() / GIB
        );
    }
    assert_eq!(errors.len(), 43);
    assert!(median(errors) < 0.01);
    let reserved = median(reserved);
    assert!((0.02..0.08).contains(&reserved), "{reserved}");
}

#[test]
fn activations_of_the_first_stage_are_met() {
    let mut count = 0;
    for row in rows() {
        let Some(stated) = row.figure("activation_gib") else {
            continue;
        };
        let memory = memory_of(&case(&row), Some(0));
        let activations: f64 = (memory.parts.iter())
            .filter(|part| part.name.starts_with("activations"))
            .map(|part| part.bytes.as_f64() / GIB)
            .sum();
        let error = activations / stated - 1.0;
        println!(
            "{}: {activations:.2} GiB of {stated}, {:+.2} %",
            row.text("id"),
            100.0 * error
        );
        // The figure was digitised: within 1 %.
        assert!(
            error.abs() < 0.02,
            "{}: {:+.1} %",
            row.text("id"),
            100.0 * error
        );
        count += 1;
    }
    assert_eq!(count, 8);
}
