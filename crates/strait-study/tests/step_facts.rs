//! Facts of recipes, graphs, adapters, offload and sharding: what each changes in a small step, and
//! in which direction.
//!
//! In: one small scenario and overrides. Out: orders of step times, memory, bytes, messages. Never a
//! published figure.

mod steps;

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};
use strait_training::case::Case;
use strait_training::outcome::StepOutcome;

const BASE: &str = r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "b200"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 4096
global_batch = 32

[software]
profile = "megatron-2026"
"#;

/// A mixture of experts on the same cluster.
const SPARSE: &str = r#"[model]
preset = "qwen3-30b-a3b"

[cluster]
accelerator = "b200"
nodes = 1

[parallelism]
expert = 8

[training]
tokens = "1 T tokens"
sequence_length = 4096
global_batch = 16

[software]
profile = "megatron-2026"
"#;

fn load(text: &str, set: &[(&str, &str)]) -> Result<Case, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).map_err(|error| error.to_string())?;
    let overrides = Overrides {
        set: (set.iter())
            .map(|&(path, value)| (path.to_owned(), value.to_owned()))
            .collect(),
        ..Overrides::default()
    };
    match scenario::load(Path::new(&path), &Catalog::embedded(), &overrides) {
        Ok(mut loaded) => Ok(loaded.cases.remove(0).case),
        Err(faults) => Err(render_all(&faults, Style::Plain)),
    }
}

fn step(text: &str, set: &[(&str, &str)]) -> StepOutcome {
    match load(text, set) {
        Ok(case) => steps::main_step(&steps::calm(case)),
        Err(faults) => panic!("{set:?}:\n{faults}"),
    }
}

fn seconds(text: &str, set: &[(&str, &str)]) -> f64 {
    step(text, set).time.seconds()
}

/// Bytes of the parts of memory with a name.
fn part(step: &StepOutcome, name: &str) -> f64 {
    let parts = step.memory.parts.iter();
    parts
        .filter(|part| part.name.contains(name))
        .map(|part| part.bytes.as_f64())
        .sum()
}

fn fault(text: &str, set: &[(&str, &str)]) -> String {
    match load(text, set) {
        Ok(_) => panic!("{set:?} is accepted"),
        Err(faults) => faults,
    }
}

#[test]
fn nvfp4_is_faster_than_mxfp8_where_there_is_fp4() {
    let of = |recipe| seconds(BASE, &[("precision.recipe", recipe)]);
    let (bf16, mxfp8, nvfp4) = (of("bf16"), of("mxfp8"), of("nvfp4"));
    assert!(nvfp4 < mxfp8 && mxfp8 < bf16, "{nvfp4} {mxfp8} {bf16}");
    // Every layer in BF16 is the BF16 step but for the casts of weights at its end.
    let kept = |layers| {
        let set = [
            ("precision.recipe", "nvfp4"),
            ("precision.bf16_layers", layers),
        ];
        seconds(BASE, &set)
    };
    assert_eq!(kept("0"), nvfp4);
    assert!(nvfp4 < kept("4") && kept("4") < kept("16"));
    assert!(
        (kept("32") / bf16 - 1.0).abs() < 0.02,
        "{} {bf16}",
        kept("32")
    );
    let copies = |layers| {
        let set = [
            ("precision.recipe", "nvfp4"),
            ("precision.bf16_layers", layers),
        ];
        part(&step(BASE, &set), "FP4 copies")
    };
    assert!((copies("16") / copies("0") - 0.5).abs() < 1e-9);
    let text = fault(
        BASE,
        &[
            ("precision.recipe", "nvfp4"),
            ("cluster.accelerator", "h100-sxm"),
        ],
    );
    assert!(text.contains("has no FP4"), "{text}");
    assert!(
        text.contains("an accelerator with FP4, such as b200"),
        "{text}"
    );
}

#[test]
fn partial_graphs_leave_the_experts_to_the_host() {
    let of = |text, graphs, host| {
        let set = [
            ("software.cuda_graphs", graphs),
            ("software.host_time_per_op", host),
        ];
        seconds(text, &set)
    };
    // Gaps of experts, ends and optimizer stay.
    let [none, partial, full] = ["none", "partial", "full"].map(|g| of(SPARSE, g, "0 us"));
    assert!(full < partial && partial < none, "{full} {partial} {none}");
    // A slow host holds up what it launches, and nothing where all is captured.
    let [slow_none, slow_partial, slow_full] =
        ["none", "partial", "full"].map(|g| of(SPARSE, g, "200 us"));
    assert_eq!(slow_full, full);
    assert!(slow_partial > 1.1 * partial && slow_partial < 0.9 * slow_none);
    // A dense layer is captured whole: what is left are the ends and the optimizer.
    let [none, partial, full] = ["none", "partial", "full"].map(|g| of(BASE, g, "0 us"));
    assert!(
        (partial - full) < 0.1 * (none - full),
        "{full} {partial} {none}"
    );
    let text = fault(SPARSE, &[("software.cuda_graphs", "attention")]);
    assert!(text.contains("none, partial, full"), "{text}");
}

#[test]
fn adapters_spare_weight_gradients_and_their_memory() {
    let lora = |more: &[(&str, &str)]| {
        let set: Vec<_> = [("training.method", "lora")]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        step(BASE, &set)
    };
    let (full, small) = (step(BASE, &[]), lora(&[]));
    // Two of three products are left, and the kernels of adapters come on top.
    let ratio = small.time.seconds() / full.time.seconds();
    assert!(0.6 < ratio && ratio < 0.95, "{ratio}");
    let large = lora(&[("training.lora_rank", "256")]);
    assert!(large.time > small.time);
    for name in ["gradients", "master", "moments"] {
        assert!(part(&small, name) < 0.2 * part(&full, name), "{name}");
    }
    // Fewer adapters, less time and less kept.
    let [attention, qkv] =
        ["attention", "qkv"].map(|layers| lora(&[("training.lora_layers", layers)]));
    assert!(qkv.time < attention.time && attention.time < small.time);
    assert!(part(&qkv, "adapters") < part(&attention, "adapters"));
    assert!(part(&attention, "activations") < part(&small, "activations"));
    let text = fault(BASE, &[("training.lora_layers", "qkv")]);
    assert!(text.contains("lora_layers is given"), "{text}");
    assert!(part(&large, "adapters") == 16.0 * part(&small, "adapters"));
    assert_eq!(part(&full, "adapters"), 0.0);
    // Counted by the model, not by what is trained.
    assert!(small.rate_causal > full.rate_causal);
    // Sharded weights are still gathered, but next to nothing is reduced.
    let fsdp = [("parallelism.zero", "3"), ("parallelism.tensor", "1")];
    assert!(lora(&fsdp).time < step(BASE, &fsdp).time);
    assert!(part(&lora(&fsdp), "weights") < part(&small, "weights"));
    let text = fault(BASE, &[("training.lora_rank", "8")]);
    assert!(text.contains("no adapters are trained"), "{text}");
    let text = fault(BASE, &[("training.method", "qlora")]);
    assert!(text.contains("values: full, lora"), "{text}");
    let text = fault(
        BASE,
        &[("training.method", "lora"), ("training.lora_rank", "0")],
    );
    assert!(text.contains("training.lora_rank"), "{text}");
}

#[test]
fn offload_frees_memory_and_shows_what_compute_cannot_hide() {
    let of = |layers, link| {
        let set = [
            ("parallelism.offload_layers", layers),
            ("cluster.host_bandwidth", link),
        ];
        step(BASE, &set)
    };
    let plain = step(BASE, &[]);
    assert_eq!(of("0", "64 GB/s"), plain);
    // A link that nothing can be slow on: time as before, memory lower by these layers.
    let fast = of("16", "100 TB/s");
    assert_eq!(fast.time, plain.time);
    let kept = |step: &StepOutcome| part(step, "activations") - part(step, "way to the host");
    let layers = part(&plain, "activations") / 32.0;
    let freed = (kept(&plain) - kept(&fast)) / layers;
    assert!((15.5..16.5).contains(&freed), "{freed}");
    assert!((part(&fast, "way to the host") / (2.0 * layers) - 1.0).abs() < 0.05);
    assert!(fast.memory.peak < plain.memory.peak);
    // PCIe is too slow for layers this small; each further layer costs as much again.
    let slow = |layers| (of(layers, "64 GB/s").time - plain.time).seconds();
    assert!(slow("8") > 0.0);
    assert!((slow("16") / slow("8") - 2.0).abs() < 0.2);
    let half = (of("8", "32 GB/s").time - plain.time).seconds();
    assert!(half > 2.0 * slow("8"));
    assert!(
        of("8", "64 GB/s")
            .kernels
            .iter()
            .any(|(name, _)| name.contains("host memory"))
    );
    let text = fault(
        BASE,
        &[
            ("parallelism.offload_layers", "4"),
            ("cluster.accelerator", "ascend910c"),
            ("training.global_batch", "384"),
        ],
    );
    assert!(text.contains("set cluster.host_bandwidth"), "{text}");
}

/// On a slow network what is sent decides, so that it can be counted.
fn slow_network(more: &[(&str, &str)]) -> StepOutcome {
    let set: Vec<_> = [
        ("parallelism.tensor", "1"),
        ("cluster.nic_bandwidth", "8 Gb/s"),
        ("software.gradient_overlap", "false"),
        ("software.parameter_overlap", "false"),
    ]
    .into_iter()
    .chain(more.iter().copied())
    .collect();
    step(BASE, &set)
}

#[test]
fn full_shards_are_reduced_after_every_micro_batch() {
    let of = |zero, batch| {
        let set = [("parallelism.zero", zero), ("training.global_batch", batch)];
        slow_network(&set).time.seconds()
    };
    // Sixteen ranks: one micro-batch, then four.
    for zero in ["0", "1", "2"] {
        let ratio = of(zero, "64") / of(zero, "16");
        assert!(ratio < 1.5, "zero {zero}: {ratio}");
    }
    let ratio = of("3", "64") / of("3", "16");
    assert!((3.5..4.1).contains(&ratio), "{ratio}");
    // Two gathers and a reduction of 16-bit and 32-bit parameters against one of each.
    let ratio = of("3", "16") / of("2", "16");
    assert!((1.2..1.4).contains(&ratio), "{ratio}");
    // Shards of one node spare the network the gathers.
    let hybrid = [
        ("parallelism.zero", "3"),
        ("parallelism.zero_group", "8"),
        ("training.global_batch", "16"),
    ];
    assert!(slow_network(&hybrid).time.seconds() < 0.7 * of("3", "16"));
    let full = [("parallelism.zero", "3"), ("training.global_batch", "16")];
    let (hybrid, full) = (slow_network(&hybrid), slow_network(&full));
    let ratio = part(&hybrid, "moments") / part(&full, "moments");
    assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
}

#[test]
fn types_of_gradients_and_weights_move_what_is_sent() {
    let of = |more: &[(&str, &str)]| slow_network(more);
    let data = |step: &StepOutcome| step.exposed.data.seconds();
    let plain = of(&[]);
    let narrow = of(&[("precision.gradient", "bf16")]);
    // 4 and 2 bytes a parameter reduced and gathered; then 2 and 2; then 4 and 1.
    let ratio = data(&narrow) / data(&plain);
    assert!((ratio - 4.0 / 6.0).abs() < 0.02, "{ratio}");
    let ratio = data(&of(&[
        ("precision.recipe", "mxfp8"),
        ("precision.weight", "fp8"),
    ])) / data(&plain);
    assert!((ratio - 5.0 / 6.0).abs() < 0.02, "{ratio}");
    let gradients = |step: &StepOutcome| {
        part(step, "gradients") - part(step, "logits") - part(step, "placeholders")
    };
    assert_eq!(gradients(&plain), 2.0 * gradients(&narrow));
    // Adding to a narrower gradient is less traffic: weight-gradient products are no slower.
    let products = |step: &StepOutcome| -> f64 {
        let kernels = step.kernels.iter();
        kernels
            .filter(|(name, _)| name.contains("weight-gradient"))
            .map(|(_, time)| time.seconds())
            .sum()
    };
    assert!(products(&narrow) < products(&plain));
}

#[test]
fn memory_follows_what_the_software_keeps() {
    let of = |loss, placeholders| {
        let set = [
            ("software.loss", loss),
            ("software.gradient_placeholders", placeholders),
            ("parallelism.recompute", "full"),
            ("parallelism.micro_batch", "4"),
        ];
        step(BASE, &set)
    };
    let (plain, lean) = (of("fp32", "false"), of("in-place", "false"));
    assert_eq!(plain.time, lean.time);
    // Six bytes a logit against two.
    let ratio = part(&plain, "logits") / part(&lean, "logits");
    assert!((ratio - 3.0).abs() < 1e-9, "{ratio}");
    // A tensor of each shape: qkv, output, gate and up, down, split by two; and the head's own.
    let kept = of("in-place", "true");
    let shapes = 4_096.0 * (6_144.0 + 4_096.0 + 28_672.0 + 14_336.0) / 2.0;
    assert_eq!(part(&kept, "placeholders"), 2.0 * shapes);
    let head = part(&kept, "of the head") - part(&lean, "of the head");
    assert_eq!(head, 2.0 * 4_096.0 * 128_256.0 / 2.0);
    let outside = kept.memory.peak.as_f64() - kept.memory.allocated.as_f64();
    assert_eq!(outside, part(&kept, "CUDA context"));
    let text = fault(BASE, &[("software.loss", "bf16")]);
    assert!(text.contains("values: fp32, in-place"), "{text}");
}

/// Sharded parameters that are gathered only when their pass is there show in full where they would
/// hide; no collective more is run.
#[test]
fn sharded_parameters_hide_only_where_gathered_ahead() {
    let of = |parameters, gradients, schedule| {
        let set = [
            ("parallelism.tensor", "1"),
            ("parallelism.zero", "3"),
            ("cluster.nodes", "1"),
            ("training.global_batch", "32"),
            ("parallelism.schedule", schedule),
            ("software.parameter_overlap", parameters),
            ("software.gradient_overlap", gradients),
        ];
        step(BASE, &set)
    };
    let (ahead, late) = (of("true", "true", "1f1b"), of("false", "true", "1f1b"));
    let longer = late.time.seconds() - ahead.time.seconds();
    // Four micro-batches gather 16-bit parameters for two passes, seven eighths of them over NVLink
    // at 900 GB/s one way, of which collectives reach a part.
    let wire = 4.0 * 2.0 * 2.0 * 8.03e9 * 7.0 / 8.0 / 900e9;
    assert!((1.0..1.8).contains(&(longer / wire)), "{longer} {wire}");
    let exposed = late.exposed.data.seconds() - ahead.exposed.data.seconds();
    assert!((exposed / longer - 1.0).abs() < 0.1, "{exposed} {longer}");
    assert_eq!(late.work.ops, ahead.work.ops);
    // Weight gradients by themselves wait for reductions where these do not overlap.
    let (hidden, awaited) = (of("true", "true", "zb-h1"), of("true", "false", "zb-h1"));
    assert!(awaited.time > hidden.time);
    assert_eq!(awaited.work.ops, hidden.work.ops);
}
