//! What a scenario asks for in vain, or hardly means: accepted, and said.
//!
//! In: one small scenario and overrides. Out: the warnings as the user reads them, or the errors.

use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};

/// A model of 32 layers over four stages of 8.
const DENSE: &str = r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 4

[parallelism]
pipeline = 4

[training]
tokens = "1 T tokens"
sequence_length = 4096
global_batch = 128
"#;

fn said(text: &str, set: &[(&str, &str)]) -> String {
    let set = (set.iter())
        .map(|&(path, value)| (path.to_owned(), value.to_owned()))
        .collect();
    let overrides = Overrides {
        set,
        ..Overrides::default()
    };
    match scenario::load_text("a.toml", text, &Catalog::embedded(), &overrides) {
        Ok(loaded) => render_all(&loaded.cases[0].warnings, Style::Plain),
        Err(faults) => render_all(&faults, Style::Plain),
    }
}

fn dense(set: &[(&str, &str)]) -> String {
    said(DENSE, set)
}

fn sparse(set: &[(&str, &str)]) -> String {
    said(&DENSE.replace("llama3-8b", "qwen3-30b-a3b"), set)
}

#[test]
fn no_more_layers_than_a_stage_has() {
    for layers in ["9", "33"] {
        let text = dense(&[("parallelism.offload_layers", layers)]);
        let told = format!("offload_layers is {layers}, but no stage holds more than 8 layers");
        assert!(text.contains(&told), "{text}");
        assert!(text.contains("offload_layers = 8 is all of them"), "{text}");
    }
    assert_eq!(dense(&[("parallelism.offload_layers", "8")]), "");
    let full = ("parallelism.recompute", "full");
    let text = dense(&[full, ("parallelism.recompute_layers", "9")]);
    assert!(text.contains("recompute_layers is 9, but no"), "{text}");
    assert_eq!(dense(&[full, ("parallelism.recompute_layers", "8")]), "");
}

#[test]
fn recomputing_no_layers() {
    let none = ("parallelism.recompute_layers", "0");
    let text = dense(&[("parallelism.recompute", "full"), none]);
    assert!(
        text.contains("with `recompute_layers` = 0 nothing is recomputed"),
        "{text}"
    );
    for layers in ["0", "4"] {
        let text = dense(&[("parallelism.recompute_layers", layers)]);
        assert!(
            text.contains("`recompute_layers` has no meaning: nothing is recomputed"),
            "{text}"
        );
    }
}

#[test]
fn settings_of_experts_without_experts() {
    let text = dense(&[("parallelism.recompute", r#"["norm", "moe"]"#)]);
    assert!(text.contains("has no experts"), "{text}");
    for (path, value) in [
        ("software.expert_overlap", "true"),
        ("software.dispatcher", "deduplicated"),
    ] {
        let text = dense(&[(path, value)]);
        let told = format!("`{path}` has no meaning: Llama 3 8B has no experts");
        assert!(text.contains(&told), "{text}");
        assert_eq!(sparse(&[(path, value)]), "");
    }
}

#[test]
fn pairs_that_gain_nothing() {
    let pairs = ("parallelism.schedule", "1f1b-overlap");
    let [one, stages] = [
        ("parallelism.pipeline", "1"),
        ("parallelism.virtual_stages", "2"),
    ];
    for more in [one, stages] {
        let text = dense(&[pairs, more]);
        assert!(text.contains("1f1b-overlap gains nothing"), "{text}");
    }
    let text = dense(&[pairs]);
    assert!(text.contains("is slower than 1f1b here"), "{text}");
    let text = sparse(&[pairs]);
    assert!(
        text.contains("1f1b-overlap without virtual stages is slower"),
        "{text}"
    );
    assert!(text.contains("set virtual_stages = 2 or more"), "{text}");
    // Experts have something to hide, also in one stage.
    for more in [one, stages] {
        assert_eq!(sparse(&[pairs, more]), "");
    }
}

#[test]
fn a_tensor_group_beyond_the_used_part_of_a_server() {
    let text = dense(&[
        ("parallelism.pipeline", "1"),
        ("parallelism.tensor", "8"),
        ("cluster.per_node", "2"),
    ]);
    assert!(
        text.contains("goes beyond one scale-up domain: 2 accelerators of a hgx-h100 are used"),
        "{text}"
    );
}

#[test]
fn adapters_wider_than_the_model() {
    let lora = ("training.method", "lora");
    let text = dense(&[lora, ("training.lora_rank", "5000")]);
    assert!(
        text.contains("adapters of rank 5000 are wider than the hidden width 4096"),
        "{text}"
    );
    assert_eq!(dense(&[lora, ("training.lora_rank", "4096")]), "");
}

#[test]
fn stages_without_layers() {
    let text = dense(&[("parallelism.stage_layers", "[0, 0, 0, 32]")]);
    assert!(
        text.contains("stages 2, 3 of 4 hold no layers: activations pass through"),
        "{text}"
    );
    // Ends of the model may stand alone.
    assert_eq!(dense(&[("parallelism.stage_layers", "[0, 16, 16, 0]")]), "");
}

#[test]
fn gpus_of_a_rack_in_part() {
    let rack = DENSE.replace("h100-sxm\"\nnodes = 4", "gb200\"\ngpus = 64");
    let text = said(&rack, &[]);
    assert!(text.contains("help: write gpus = 72\n"), "{text}");
    assert!(text.contains("or cluster.per_node = 64"), "{text}");
}

#[test]
fn too_many_experts_are_that_and_nothing_else() {
    let text = dense(&[
        ("model.experts", "1000000000"),
        ("model.expert_ffn", "1024"),
    ]);
    assert!(text.contains("`model.experts` is larger than"), "{text}");
    assert!(!text.contains("no experts"), "{text}");
}
