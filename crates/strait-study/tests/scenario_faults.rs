//! Each class of fault, as the user reads it.
//!
//! A fault shows the file, the line, the place and a remedy; all faults of a file come at once.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};

/// Loads `text` as `a.toml` beside `files`, and renders what is wrong with it.
fn faults(text: &str, files: &[(&str, &str)], set: &[(&str, &str)], cases: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files.iter().chain([&("a.toml", text)]) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let overrides = Overrides {
        set: set
            .iter()
            .map(|(p, v)| ((*p).to_owned(), (*v).to_owned()))
            .collect(),
        cases: cases.iter().map(|c| (*c).to_owned()).collect(),
        seed: None,
    };
    let path = folder.path().join("a.toml");
    let text = match scenario::load(&path, &Catalog::embedded(), &overrides) {
        Ok(loaded) => loaded
            .cases
            .iter()
            .map(|case| render_all(&case.warnings, Style::Plain))
            .collect(),
        Err(faults) => render_all(&faults, Style::Plain),
    };
    strip(&text, folder.path())
}

fn strip(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

/// Everything that is wrong is said at once, in the order of the file.
#[test]
fn all_faults_at_once() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2
nvlink_bandwidth = 400

[parallelism]
tensr = 2
micro_batch = 0

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = -8
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::bare-number]: `cluster.nvlink_bandwidth` needs a unit: it is a bandwidth
     --> a.toml:7:20
      |
    7 | nvlink_bandwidth = 400
      |                    ^^^ a bare number
      = help: write it as a string with its unit: nvlink_bandwidth = "400 GB/s"

    error[scenario::unknown-key]: unknown key `tensr` in [parallelism]
      --> a.toml:10:1
       |
    10 | tensr = 2
       | ^^^^^ not a key here
       = help: did you mean `tensor`?

    error[scenario::out-of-range]: `parallelism.micro_batch` can't be zero
      --> a.toml:11:15
       |
    11 | micro_batch = 0
       |               ^ zero
       = help: at least 1

    error[scenario::out-of-range]: `training.global_batch` can't be negative
      --> a.toml:16:16
       |
    16 | global_batch = -8
       |                ^^ negative
       = help: at least 1
    "#);
}

/// A key of another section is recognised.
#[test]
fn unknown_key_of_another_section() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
nodes = 4

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-key]: unknown key `nodes` in [parallelism]
      --> a.toml:10:1
       |
    10 | nodes = 4
       | ^^^^^ not a key here
       = help: `nodes` is a key of [cluster]
    "#);
}

#[test]
fn unknown_section() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[paralelism]
tensor = 4
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-key]: unknown key `paralelism` at the top level
      --> a.toml:16:2
       |
    16 | [paralelism]
       |  ^^^^^^^^^^ not a key here
       = help: did you mean `parallelism`?
    "#);
}

/// A key that a section does not have is refused rather than ignored.
#[test]
fn a_key_that_reliability_lacks() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[reliability]
mtbf = "3 h"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-key]: unknown key `mtbf` in [reliability]
      --> a.toml:17:1
       |
    17 | mtbf = "3 h"
       | ^^^^ not a key here
       = help: keys of [reliability]: profile, failures, planned, detection, hang_detection, restart, repair, spares, checkpoint_interval, checkpoint_mode, bytes_per_parameter, storage_bandwidth, node_storage_bandwidth, snapshot_bandwidth, evaluation_tokens, evaluation_steps, evaluation_time, rollbacks, rollback_tokens, stragglers, straggler_slowdown, straggler_time
    "#);
}

#[test]
fn wrong_types() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = "2"
sequence = "yes"
schedule = 1
recompute = 3

[training]
tokens = true
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::wrong-type]: `parallelism.tensor` must be a whole number, not a string
     --> a.toml:9:10
      |
    9 | tensor = "2"
      |          ^^^ a string
      = help: write it without quotes: tensor = 2

    error[scenario::wrong-type]: `parallelism.sequence` must be true or false, not a string
      --> a.toml:10:12
       |
    10 | sequence = "yes"
       |            ^^^^^ a string
       = help: for example: true

    error[scenario::wrong-type]: `parallelism.schedule` must be one of these words, not a whole number
      --> a.toml:11:12
       |
    11 | schedule = 1
       |            ^ a whole number
       = help: for example: "gpipe"

    error[scenario::wrong-type]: `parallelism.recompute` must be a word or a list of words, not a whole number
      --> a.toml:12:13
       |
    12 | recompute = 3
       |             ^ a whole number
       = help: for example: "full"

    error[scenario::wrong-type]: `training.tokens` must be a string with a unit, not true or false
      --> a.toml:15:10
       |
    15 | tokens = true
       |          ^^^^ true or false
       = help: for example: "14.8 T tokens"
    "#);
}

#[test]
fn unknown_words() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
schedule = "dualpip"
recompute = "norm"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[precision]
recipe = "fp9"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-value]: `parallelism.schedule` can't be "dualpip"
      --> a.toml:10:12
       |
    10 | schedule = "dualpip"
       |            ^^^^^^^^^ not one of its values
       = help: did you mean `dualpipe` or `dualpipe-v`?
       = help: values: gpipe, 1f1b, interleaved, 1f1b-overlap, zb-h1, dualpipe, dualpipe-v

    error[scenario::unknown-value]: `parallelism.recompute` can't be "norm"
      --> a.toml:11:13
       |
    11 | recompute = "norm"
       |             ^^^^^^ not one of its values
       = help: name single parts in a list: parallelism.recompute = ["norm"]

    error[scenario::unknown-value]: `precision.recipe` can't be "fp9"
      --> a.toml:19:10
       |
    19 | recipe = "fp9"
       |          ^^^^^ not one of its values
       = help: values: fp16, bf16, fp8-tensor, fp8-block, mxfp8, nvfp4
    "#);
}

/// An amount where a rate belongs.
#[test]
fn bits_and_bytes() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2
nic_bandwidth = "400 Gb"

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unit]: `cluster.nic_bandwidth` can't be read: "400 Gb" is an amount in bits, not a bandwidth (of one direction); write "400 Gb/s" (= 50 GB/s) or "400 GB/s"
     --> a.toml:7:17
      |
    7 | nic_bandwidth = "400 Gb"
      |                 ^^^^^^^^ not a bandwidth
      = help: for example: "400 GB/s"
    "#);
}

#[test]
fn bare_numbers() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = 1e12
sequence_length = 8192
global_batch = 128

[economics]
rent = "2"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::bare-number]: `training.tokens` needs a unit: it is a number of tokens
      --> a.toml:12:10
       |
    12 | tokens = 1e12
       |          ^^^^ a bare number
       = help: write it as a string with its unit: tokens = "1000000000000 tokens"

    error[scenario::bare-number]: `economics.rent` needs a unit: it is a price per hour
      --> a.toml:17:8
       |
    17 | rent = "2"
       |        ^^^ a bare number
       = help: write it as a string with its unit: rent = "2 USD/h"
    "#);
}

#[test]
fn magnitudes() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 99999999999
memory = "80 B"

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 0
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::out-of-range]: `cluster.nodes` is larger than anything that makes sense
     --> a.toml:6:9
      |
    6 | nodes = 99999999999
      |         ^^^^^^^^^^^ too large
      = help: at most 10000000

    error[scenario::out-of-range]: `cluster.memory` is too small
     --> a.toml:7:10
      |
    7 | memory = "80 B"
      |          ^^^^^^ too small
      = help: at least 100 MB

    error[scenario::out-of-range]: `training.sequence_length` can't be zero
      --> a.toml:14:19
       |
    14 | sequence_length = 0
       |                   ^ zero
       = help: at least 1
    "#);
}

#[test]
fn duplicate_key() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
tensor = 4

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::duplicate-key]: this is not valid TOML: duplicate key
      --> a.toml:10:1
       |
    10 | tensor = 4
       | ^^^^^^
    "#);
}

#[test]
fn broken_toml() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 
]

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::syntax]: this is not valid TOML: string values must be quoted, expected literal string
     --> a.toml:9:10
      |
    9 | tensor =
      |          ^

    error[scenario::syntax]: this is not valid TOML: missing table open, expected `[`
      --> a.toml:10:1
       |
    10 | ]
       | ^
    "#);
}

/// What is missing is shown at its table.
#[test]
fn missing_keys() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-key]: [cluster] needs `accelerator`
     --> a.toml:4:1
      |
    4 | [cluster]
      | ^^^^^^^^^ `accelerator` is missing here
      = help: accelerator: Accelerator of the catalogue, such as h800-sxm.

    error[scenario::missing-key]: [training] needs `sequence_length`
      --> a.toml:10:1
       |
    10 | [training]
       | ^^^^^^^^^^ `sequence_length` is missing here
       = help: sequence_length: Tokens of a sequence.
    "#);
}

#[test]
fn missing_sections() {
    let text = faults(
        r#"title = "nothing else"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-key]: [model] names no model
     --> a.toml:1:1
      |
    1 | title = "nothing else"
      | ^ no `preset`, `hf_config` or dimensions here
      = help: for example: preset = "deepseek-v3"
      = help: all models: strait catalog list models

    error[scenario::missing-key]: [cluster] needs `accelerator`
     --> a.toml:1:1
      |
    1 | title = "nothing else"
      | ^ `accelerator` is missing here
      = help: accelerator: Accelerator of the catalogue, such as h800-sxm.

    error[scenario::missing-key]: [training] needs `sequence_length`
     --> a.toml:1:1
      |
    1 | title = "nothing else"
      | ^ `sequence_length` is missing here
      = help: sequence_length: Tokens of a sequence.

    error[scenario::missing-key]: [training] needs `global_batch`
     --> a.toml:1:1
      |
    1 | title = "nothing else"
      | ^ `global_batch` is missing here
      = help: global_batch: Sequences of a batch.
    "#);
}

#[test]
fn no_model() {
    let text = faults(
        r#"[model]
name = "mine"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-key]: [model] names no model
     --> a.toml:1:1
      |
    1 | [model]
      | ^^^^^^^ no `preset`, `hf_config` or dimensions here
      = help: for example: preset = "deepseek-v3"
      = help: all models: strait catalog list models
    "#);
}

#[test]
fn incomplete_model() {
    let text = faults(
        r#"[model]
layers = 4
hidden = 100
heads = 3

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-key]: [model] needs `vocabulary`
     --> a.toml:1:1
      |
    1 | [model]
      | ^^^^^^^ `vocabulary` is missing here
      = help: vocabulary: Rows of the embedding.

    error[scenario::missing-key]: [model] needs `ffn`
     --> a.toml:1:1
      |
    1 | [model]
      | ^^^^^^^ `ffn` is missing here
      = help: ffn: Inner width of a dense feed-forward network.
    "#);
}

#[test]
fn unknown_ids() {
    let text = faults(
        r#"[model]
preset = "llama-3-8b"

[cluster]
accelerator = "H-100"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-id]: the catalogue has no model "llama-3-8b"
     --> a.toml:2:10
      |
    2 | preset = "llama-3-8b"
      |          ^^^^^^^^^^^^
      = help: did you mean `llama3-8b`?
      = help: all of them: strait catalog list models

    error[scenario::unknown-id]: the catalogue has no accelerator "H-100"
     --> a.toml:5:15
      |
    5 | accelerator = "H-100"
      |               ^^^^^^^
      = help: did you mean `h100-nvl` or `h100-pcie` or `h100-sxm`?
      = help: all of them: strait catalog list accelerators
    "#);
}

#[test]
fn bad_range() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[economics]
rent = { low = "3 USD/h", high = "2 USD/h", why = "x" }
pue = { low = 1.1, mode = 1.2, hi = 1.3 }
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::range-order]: the range of `economics.rent` is out of order
      --> a.toml:17:8
       |
    17 | rent = { low = "3 USD/h", high = "2 USD/h", why = "x" }
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ low, mode and high must rise
       = help: low 3 USD/h is more than high 2 USD/h

    error[scenario::missing-key]: the range of `economics.pue` needs `high`
      --> a.toml:18:7
       |
    18 | pue = { low = 1.1, mode = 1.2, hi = 1.3 }
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `high` is missing here
       = help: a range is { low = …, mode = …, high = …, why = "…" }, or { choices = [ … ], why = "…" }

    error[scenario::missing-key]: the range of `economics.pue` needs `why`
      --> a.toml:18:7
       |
    18 | pue = { low = 1.1, mode = 1.2, hi = 1.3 }
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `why` is missing here
       = help: say in words where the range comes from: why = "…"

    error[scenario::unknown-key]: unknown key `hi` in the range of `economics.pue`
      --> a.toml:18:32
       |
    18 | pue = { low = 1.1, mode = 1.2, hi = 1.3 }
       |                                ^^ not a key here
       = help: a range is { low = …, mode = …, high = …, why = "…" }, or { choices = [ … ], why = "…" }
    "#);
}

#[test]
fn bad_claims() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[claim]]
quantity = "step_tim"
value = "1 s"

[[claim]]
quantity = "mfu_causal"
value = 38

[[claim]]
quantity = "gpu_hours"
value = "2.664 M hours"

[[expect]]
quantity = "step_time"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-value]: `claim.quantity` can't be "step_tim"
      --> a.toml:17:12
       |
    17 | quantity = "step_tim"
       |            ^^^^^^^^^^ not one of its values
       = help: did you mean `step_time`?
       = help: values: step_time, gpu_hours, pretraining_gpu_hours, main_phase_gpu_hours, phase_gpu_hours, context_extension_gpu_hours, cost, pretraining_cost, total_cost, days, goodput, gpu_hours_per_trillion_tokens, days_per_trillion_tokens, tokens_per_second_per_gpu, tflops_causal, tflops_full, mfu_causal, mfu_full, energy, fleet_size, fleet_price, fleet_share, peak_memory, forward, backward_input, backward_weight, overlapped, bubble, optimizer

    error[scenario::wrong-type]: `claim.value` must be a share, not a whole number
      --> a.toml:22:9
       |
    22 | value = 38
       |         ^^ a whole number
       = help: for example: "38.94 %" or 0.3894

    error[scenario::unit]: `claim.value` can't be read: "M hours" is no unit of it
      --> a.toml:26:9
       |
    26 | value = "2.664 M hours"
       |         ^^^^^^^^^^^^^^^ not a number of accelerator-hours
       = help: for example: "2.664 M GPU-hours"
       = help: `gpu_hours` is a number of accelerator-hours

    error[scenario::missing-key]: [[claim]] needs `value`
      --> a.toml:28:1
       |
    28 | [[expect]]
       | ^^^^^^^^^^ `value` is missing here
       = help: value: The figure with its unit, such as "2.664 M GPU-hours".
    "#);
}

#[test]
fn duplicate_cases() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[case]]
name = "a"

[[case]]
name = "a"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::duplicate]: two cases are called "a"
      --> a.toml:20:8
       |
    20 | name = "a"
       |        ^^^ the second of this name
      ::: a.toml:17:8
       |
    17 | name = "a"
       |        --- the first
       = help: give each case a name of its own
    "#);
}

#[test]
fn case_path() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[case]]
name = "a"
set = { "parallelism.tensr" = 4, "tensor" = 4, "cluster.nodes" = "four" }
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-path]: `parallelism.tensr` does not exist: [parallelism] has no `tensr`
      --> a.toml:18:9
       |
    18 | set = { "parallelism.tensr" = 4, "tensor" = 4, "cluster.nodes" = "four" }
       |         ^^^^^^^^^^^^^^^^^^^ no such setting
       = help: did you mean `parallelism.tensor`?

    error[scenario::unknown-path]: `tensor` does not exist: the top level has no `tensor`
      --> a.toml:18:34
       |
    18 | set = { "parallelism.tensr" = 4, "tensor" = 4, "cluster.nodes" = "four" }
       |                                  ^^^^^^^^ no such setting
       = help: did you mean `parallelism.tensor`?

    error[scenario::wrong-type]: `cluster.nodes` must be a whole number, not a string
      --> a.toml:18:66
       |
    18 | set = { "parallelism.tensr" = 4, "tensor" = 4, "cluster.nodes" = "four" }
       |                                                                  ^^^^^^ a string
       = help: for example: 8
    "#);
}

#[test]
fn command_line_path() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[
            ("paralelism.tensor", "4"),
            ("parallelism.schedule", "1f1"),
            ("cluster.nodes", "0"),
        ],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-path]: `paralelism.tensor` does not exist: the top level has no `paralelism`
     --> command line:1:1
      |
    1 | paralelism.tensor=4
      | ^^^^^^^^^^^^^^^^^ no such setting
      = help: did you mean `parallelism.tensor`?

    error[scenario::out-of-range]: `cluster.nodes` can't be zero
     --> command line:1:15
      |
    1 | cluster.nodes=0
      |               ^ zero
      = help: at least 1

    error[scenario::unknown-value]: `parallelism.schedule` can't be "1f1"
     --> command line:1:22
      |
    1 | parallelism.schedule=1f1
      |                      ^^^ not one of its values
      = help: did you mean `1f1b` or `1f1b-overlap`?
      = help: values: gpipe, 1f1b, interleaved, 1f1b-overlap, zb-h1, dualpipe, dualpipe-v
    "#);
}

#[test]
fn unknown_case() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[case]]
name = "fast"
"#,
        &[],
        &[],
        &["fats"],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-case]: a.toml has no case "fats"
      = help: did you mean `fast`?
      = help: its cases: fast
    "#);
}

#[test]
fn unknown_phase() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[training.phase]]
name = "main"
"#,
        &[],
        &[("training.phase.mian.global_batch", "64")],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-path]: `training.phase.mian.global_batch` does not exist: there is no phase called `mian`
     --> command line:1:1
      |
    1 | training.phase.mian.global_batch=64
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no such name
      = help: did you mean `main`?
    "#);
}

/// The parent is shown, and who pulled it in.
#[test]
fn fault_in_a_parent() {
    let text = faults(
        r#"extends = "base.toml"
"#,
        &[(
            "base.toml",
            r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensr = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        )],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::unknown-key]: unknown key `tensr` in [parallelism]
     --> base.toml:9:1
      |
    9 | tensr = 2
      | ^^^^^ not a key here
     --> a.toml:1:11
      |
    1 | extends = "base.toml"
      |           ----------- which is pulled in here
      = help: did you mean `tensor`?
    "#);
}

#[test]
fn missing_parent() {
    let text = faults(
        r#"extends = "bse.toml"
[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[(
            "base.toml",
            r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        )],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-file]: there is no file bse.toml
     --> a.toml:1:11
      |
    1 | extends = "bse.toml"
      |           ^^^^^^^^^^ extended here
      = help: did you mean base.toml?
      = help: paths are relative to the current folder; those in a scenario to their file
    "#);
}

#[test]
fn cyclic_extends() {
    let text = faults(
        r#"extends = "b.toml"
[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[(
            "b.toml",
            r#"extends = "a.toml"
"#,
        )],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::cyclic-extends]: `extends` goes round in a circle
     --> b.toml:1:11
      |
    1 | extends = "a.toml"
      |           ^^^^^^^^ comes back to a file that is already in the chain
     --> a.toml:1:11
      |
    1 | extends = "b.toml"
      |           -------- which is pulled in here
      = help: the chain: a.toml -> b.toml -> a.toml
      = help: remove one of these `extends` lines
    "#);
}

#[test]
fn two_models() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"
hf_config = "config.json"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::two-models]: the model is given twice: preset and hf_config
     --> a.toml:2:10
      |
    2 | preset = "llama3-8b"
      |          ^^^^^^^^^^^ one
     ::: a.toml:3:13
      |
    3 | hf_config = "config.json"
      |             ------------- two
      = help: remove one of them
    "#);
}

#[test]
fn missing_hf_config() {
    let text = faults(
        r#"[model]
hf_config = "config.json"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::missing-file]: there is no file config.json
     --> a.toml:2:13
      |
    2 | hf_config = "config.json"
      |             ^^^^^^^^^^^^^ named here
      = help: paths are relative to the current folder; those in a scenario to their file
    "#);
}

#[test]
fn tensor_divides_heads() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 3

[parallelism]
tensor = 3

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 24
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::tensor-divides-heads]: tensor parallelism of 3 does not divide the 32 attention heads
     --> a.toml:9:10
      |
    9 | tensor = 3
      |          ^ tensor is 3
     ::: a.toml:2:10
      |
    2 | preset = "llama3-8b"
      |          ----------- llama3-8b: heads = 32
      = help: sizes that do: 1, 2, 4, 8, 16, 32

    error[scenario::tensor-divides-ffn]: tensor parallelism of 3 does not divide the feed-forward width 14336
     --> a.toml:9:10
      |
    9 | tensor = 3
      |          ^ tensor is 3
     ::: a.toml:2:10
      |
    2 | preset = "llama3-8b"
      |          ----------- llama3-8b: ffn = 14336
      = help: choose a size that divides both heads and width

    error[scenario::sequence-divides]: tensor parallelism of 3 does not divide the 8192 tokens of a rank
      --> a.toml:13:19
       |
    13 | sequence_length = 8192
       |                   ^^^^ 8192
      ::: a.toml:9:10
       |
     9 | tensor = 3
       |          - tensor is 3
       = help: sequence parallelism cuts each sequence into equal parts
    "#);
}

/// A warning comes along with errors, after them.
#[test]
fn kv_heads_replicated() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 16
data = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::layout-product]: data = 2 does not fill the 16 GPUs: tensor 16 x pipeline 1 x context 1 = 16, which leaves data = 1
      --> a.toml:10:8
       |
    10 | data = 2
       |        ^ data is 2
      ::: a.toml:6:9
       |
     6 | nodes = 2
       |         - 2 nodes x 8 = 16 GPUs
       = help: leave data out, or write data = 1

    warning[scenario::kv-heads-replicated]: 8 key/value heads on 16 tensor-parallel ranks: each is held by 2 ranks
     --> a.toml:9:10
      |
    9 | tensor = 16
      |          ^^ tensor is 16
      = help: with tensor = 8 or less nothing is held twice

    warning[scenario::tensor-exceeds-domain]: tensor parallelism of 16 goes beyond one scale-up domain: hgx-h100 has 8 accelerators
     --> a.toml:9:10
      |
    9 | tensor = 16
      |          ^^ tensor is 16
     ::: a.toml:4:1
      |
    4 | [cluster]
      | --------- cluster.node is hgx-h100 by default
      = help: its collectives will run over the network; tensor = 8 stays inside
    "#);
}

#[test]
fn expert_exceeds_experts() {
    let text = faults(
        r#"[model]
preset = "deepseek-v3"

[cluster]
accelerator = "h100-sxm"
nodes = 16

[parallelism]
pipeline = 16
expert = 512
schedule = "dualpipe"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 256
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::expert-exceeds-experts]: expert parallelism of 512 is more than the 256 experts
      --> a.toml:10:10
       |
    10 | expert = 512
       |          ^^^ expert is 512
      ::: a.toml:2:10
       |
     2 | preset = "deepseek-v3"
       |          ------------- deepseek-v3: experts = 256
       = help: at most expert = 256
    "#);
}

#[test]
fn expert_divides() {
    let text = faults(
        r#"[model]
preset = "deepseek-v3"

[cluster]
accelerator = "h100-sxm"
nodes = 16

[parallelism]
pipeline = 16
expert = 7
schedule = "dualpipe"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 256
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::expert-divides-experts]: expert parallelism of 7 does not divide the 256 experts
      --> a.toml:10:10
       |
    10 | expert = 7
       |          ^ expert is 7
      ::: a.toml:2:10
       |
     2 | preset = "deepseek-v3"
       |          ------------- deepseek-v3: experts = 256
       = help: sizes that do: 1, 2, 4, 8, 16, 32, 64, 128
    "#);
}

#[test]
fn expert_without_experts() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
expert = 4

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::expert-without-experts]: Llama 3 8B has no experts to spread over 4 ranks
      --> a.toml:10:10
       |
    10 | expert = 4
       |          ^ expert is 4
       = help: set expert = 1
    "#);
}

#[test]
fn layout_too_large() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 8
pipeline = 4

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::layout-product]: the layout needs 32 GPUs, the cluster has 16: tensor 8 x pipeline 4 x context 1 = 32
      --> a.toml:9:10
       |
     9 | tensor = 8
       |          ^ tensor is 8
      ::: a.toml:10:12
       |
    10 | pipeline = 4
       |            - pipeline is 4
      ::: a.toml:6:9
       |
     6 | nodes = 2
       |         - 2 nodes x 8 = 16 GPUs
       = help: tensor x pipeline x context x data must be the number of GPUs
    "#);
}

#[test]
fn layout_does_not_fill() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
pipeline = 3

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::layout-product]: the layout does not fill the 16 GPUs: tensor 2 x pipeline 3 x context 1 = 6, and 16 / 6 is not whole
      --> a.toml:10:12
       |
    10 | pipeline = 3
       |            ^ pipeline is 3
      ::: a.toml:9:10
       |
     9 | tensor = 2
       |          - tensor is 2
      ::: a.toml:6:9
       |
     6 | nodes = 2
       |         - 2 nodes x 8 = 16 GPUs
       = help: tensor x pipeline x context x data must be the number of GPUs
    "#);
}

#[test]
fn data_disagrees() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
data = 4

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::layout-product]: data = 4 does not fill the 16 GPUs: tensor 2 x pipeline 1 x context 1 = 2, which leaves data = 8
      --> a.toml:10:8
       |
    10 | data = 4
       |        ^ data is 4
      ::: a.toml:6:9
       |
     6 | nodes = 2
       |         - 2 nodes x 8 = 16 GPUs
       = help: leave data out, or write data = 8
    "#);
}

#[test]
fn gpus_and_nodes() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2
gpus = 24

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::gpus-and-nodes]: nodes and gpus disagree: 2 nodes x 8 = 16, not 24
     --> a.toml:7:8
      |
    7 | gpus = 24
      |        ^^ 24
     ::: a.toml:6:9
      |
    6 | nodes = 2
      |         - 2
      = help: give one of them
    "#);
}

#[test]
fn gpus_not_whole_nodes() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
gpus = 12

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::gpus-not-whole-nodes]: 12 GPUs are not a whole number of hgx-h100 nodes of 8
     --> a.toml:6:8
      |
    6 | gpus = 12
      |        ^^ 12
      = help: write gpus = 8 or gpus = 16
      = help: or cluster.per_node = 6, where so many of each hgx-h100 are used
    "#);
}

#[test]
fn batch_divides() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 100
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::batch-divides]: a batch of 100 sequences in phase "main" is not a multiple of data 8 x micro_batch 1 = 8
      --> a.toml:14:16
       |
    14 | global_batch = 100
       |                ^^^ 100
      ::: a.toml:8:1
       |
     8 | [parallelism]
       | ------------- parallelism.micro_batch is 1 by default
       = help: for example global_batch = 96; data is what tensor, pipeline and context leave of 16 GPUs
    "#);
}

#[test]
fn more_stages_than_layers() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
pipeline = 8
virtual_stages = 8

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::more-stages-than-layers]: 8 x 8 = 64 pipeline stages, but only 32 layers
      --> a.toml:9:12
       |
     9 | pipeline = 8
       |            ^ pipeline is 8
      ::: a.toml:10:18
       |
    10 | virtual_stages = 8
       |                  - virtual_stages is 8
      ::: a.toml:2:10
       |
     2 | preset = "llama3-8b"
       |          ----------- llama3-8b: layers = 32
       = help: use fewer stages, or give stage_layers with zeros where a stage holds only embedding or head
    "#);
}

#[test]
fn stage_layers() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
pipeline = 4
stage_layers = [8, 8, 8, 7, 2]

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::stage-layers-count]: stage_layers has 5 entries, but there are 4 x 1 = 4 stages
      --> a.toml:10:16
       |
    10 | stage_layers = [8, 8, 8, 7, 2]
       |                ^^^^^^^^^^^^^^^ stage_layers is [8, 8, 8, 7, 2]
      ::: a.toml:9:12
       |
     9 | pipeline = 4
       |            - pipeline is 4
       = help: give one number for each stage in the order of the model

    error[scenario::stage-layers-sum]: stage_layers holds 33 layers, but the model has 32
      --> a.toml:10:16
       |
    10 | stage_layers = [8, 8, 8, 7, 2]
       |                ^^^^^^^^^^^^^^^ stage_layers is [8, 8, 8, 7, 2]
      ::: a.toml:2:10
       |
     2 | preset = "llama3-8b"
       |          ----------- llama3-8b: layers = 32
       = help: multi-token-prediction modules are not counted: the last stage holds them
    "#);
}

/// Both places, and the arithmetic.
#[test]
fn dualpipe_micro_batches() {
    let text = faults(
        r#"[model]
preset = "deepseek-v3"

[cluster]
accelerator = "h100-sxm"
nodes = 16

[parallelism]
pipeline = 16
expert = 8
schedule = "dualpipe"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 64
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::micro-batches]: phase "main" has 8 micro-batches (64 / 8): DualPipe needs an even number, at least 2 x pipeline = 32
      --> a.toml:16:16
       |
    16 | global_batch = 64
       |                ^^ 64
      ::: a.toml:11:12
       |
    11 | schedule = "dualpipe"
       |            ---------- schedule is dualpipe
      ::: a.toml:9:12
       |
     9 | pipeline = 16
       |            -- pipeline is 16
       = help: a batch of 256 sequences has enough
       = help: or use another schedule: 1f1b and zb-h1 take any number
    "#);
}

#[test]
fn dualpipe_virtual_stages() {
    let text = faults(
        r#"[model]
preset = "deepseek-v3"

[cluster]
accelerator = "h100-sxm"
nodes = 16

[parallelism]
pipeline = 16
expert = 8
virtual_stages = 2
schedule = "dualpipe"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 256
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::virtual-stages-schedule]: virtual_stages = 2 has no meaning with this schedule
      --> a.toml:11:18
       |
    11 | virtual_stages = 2
       |                  ^ virtual_stages is 2
      ::: a.toml:12:12
       |
    12 | schedule = "dualpipe"
       |            ---------- schedule is dualpipe
       = help: DualPipe holds two stages on each rank by itself: leave virtual_stages out
    "#);
}

#[test]
fn interleaved_micro_batches() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
pipeline = 4
virtual_stages = 2
schedule = "interleaved"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 12
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::micro-batches]: phase "main" has 6 micro-batches (12 / 2): interleaving needs a multiple of pipeline = 4
      --> a.toml:17:16
       |
    17 | global_batch = 12
       |                ^^ 12
      ::: a.toml:12:12
       |
    12 | schedule = "interleaved"
       |            ------------- schedule is interleaved
      ::: a.toml:10:12
       |
    10 | pipeline = 4
       |            - pipeline is 4
       = help: a batch of 16 sequences has enough
       = help: or use another schedule: 1f1b and zb-h1 take any number
    "#);
}

#[test]
fn interleaved_without_stages() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
schedule = "interleaved"

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::interleaved-without-stages]: the interleaved schedule needs more than one virtual stage
      --> a.toml:10:12
       |
    10 | schedule = "interleaved"
       |            ^^^^^^^^^^^^^ interleaved
      ::: a.toml:8:1
       |
     8 | [parallelism]
       | ------------- parallelism.virtual_stages is 1 by default
       = help: set virtual_stages to the number of model chunks on each pipeline rank, or use 1f1b
    "#);
}

#[test]
fn fp8_without_hardware() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "a800-sxm-80"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[precision]
recipe = "fp8-tensor"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::precision-unsupported]: A800 SXM4 80GB has no FP8
      --> a.toml:17:10
       |
    17 | recipe = "fp8-tensor"
       |          ^^^^^^^^^^^^ fp8-tensor
      ::: a.toml:5:15
       |
     5 | accelerator = "a800-sxm-80"
       |               ------------- a800-sxm-80
       = help: use recipe = "bf16", or an accelerator with FP8
    "#);
}

#[test]
fn context_divides() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
context = 4

[training]
tokens = "1 T tokens"
sequence_length = 8190
global_batch = 128
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::context-divides]: a sequence of 8190 tokens can't be cut into 2 x context = 8 equal pieces
      --> a.toml:13:19
       |
    13 | sequence_length = 8190
       |                   ^^^^ 8190
      ::: a.toml:9:11
       |
     9 | context = 4
       |           - context is 4
       = help: each rank takes two pieces, so that causal work is even
    "#);
}

#[test]
fn phases() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[training.phase]]
name = "one"
tokens = "600 B tokens"
steps = 10

[[training.phase]]
name = "two"
tokens = "300 B tokens"
initial_batch = 256
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::tokens-and-steps]: phase "one" has both tokens and steps
      --> a.toml:19:9
       |
    19 | steps = 10
       |         ^^ 10
      ::: a.toml:18:10
       |
    18 | tokens = "600 B tokens"
       |          -------------- 600 B tokens
       = help: give one of them: tokens = steps x global_batch x sequence_length

    error[scenario::ramp-falls]: the batch of phase "two" would fall from 256 to 128
      --> a.toml:24:17
       |
    24 | initial_batch = 256
       |                 ^^^ 256
      ::: a.toml:14:16
       |
    14 | global_batch = 128
       |                --- 128
       = help: initial_batch is the batch at the start of a ramp: at most global_batch
    "#);
}

#[test]
fn phase_sum() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[training.phase]]
name = "one"
tokens = "600 B tokens"

[[training.phase]]
name = "two"
tokens = "300 B tokens"
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::tokens-sum]: the pre-training phases have 600 B tokens + 300 B tokens = 900 B tokens, but training.tokens is 1 T tokens
      --> a.toml:12:10
       |
    12 | tokens = "1 T tokens"
       |          ^^^^^^^^^^^^ 1 T tokens
       = help: correct one of them, or leave the tokens of one phase out
    "#);
}

/// A phase with a layout of its own is checked with it.
#[test]
fn phase_layout() {
    let text = faults(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[[training.phase]]
name = "long"
sequence_length = 131072

[training.phase.parallelism]
context = 32
"#,
        &[],
        &[],
        &[],
    );
    insta::assert_snapshot!(text, @r#"
    error[scenario::layout-product]: the layout needs 64 GPUs, the cluster has 16: tensor 2 x pipeline 1 x context 32 = 64
      --> a.toml:21:11
       |
    21 | context = 32
       |           ^^ context is 32
      ::: a.toml:9:10
       |
     9 | tensor = 2
       |          - tensor is 2
      ::: a.toml:6:9
       |
     6 | nodes = 2
       |         - 2 nodes x 8 = 16 GPUs
       = help: tensor x pipeline x context x data must be the number of GPUs
    "#);
}

/// Ranges in every form but the right one.
#[test]
fn bad_choices_shapes_and_factors() {
    let base = |more: &str| {
        format!(
            "[model]\npreset = \"llama3-8b\"\n[cluster]\naccelerator = \"h100-sxm\"\nnodes = 2\n\
             [training]\ntokens = \"1 T tokens\"\nsequence_length = 8192\nglobal_batch = 64\n{more}"
        )
    };
    let found = |more: &str| faults(&base(more), &[], &[], &[]);
    for (more, expected) in [
        (
            "[economics]\nrent = { choices = [\"1 USD/h\", \"2 USD/h\"], weights = [1], why = \"x\" }",
            "`economics.rent.weights` has 1 for 2 choices",
        ),
        (
            "[economics]\npue = { choices = [1.1, 1.2], weights = [1, -1], why = \"x\" }",
            "`economics.pue.weights` holds what is no weight",
        ),
        (
            "[economics]\npue = { choices = [1.1, 1.2], weights = [0, 0], why = \"x\" }",
            "all of `economics.pue.weights` are zero",
        ),
        (
            "[economics]\npue = { choices = [], why = \"x\" }",
            "`economics.pue.choices` must be a list of values",
        ),
        (
            "[economics]\npue = { choices = [1.1, 1.2], low = 1, why = \"x\" }",
            "the range of `economics.pue` has both choices and `low`",
        ),
        (
            "[economics]\npue = { choices = [1.1, 0.2], why = \"x\" }",
            "`economics.pue` is too small",
        ),
        (
            "[economics]\npue = { low = 1.1, high = 1.2, shape = \"triangle\", why = \"x\" }",
            "did you mean `triangular`?",
        ),
        (
            "[economics]\npue = { low = 1.1, mode = 1.15, high = 1.2, shape = \"lognormal\", why = \"x\" }",
            "leave `mode` out",
        ),
        (
            "[noise]\njitter = { low = 0, high = 0.2, shape = \"lognormal\", why = \"x\" }",
            "so it can't reach zero",
        ),
        (
            "[economics]\npue = { low = 1.1, high = 1.2, factor = \"markt\", why = \"x\" }\n\
             [[factor]]\nname = \"market\"\nwhy = \"y\"",
            "did you mean `market`?",
        ),
        (
            "[[factor]]\nname = \"market\"\nwhy = \"y\"",
            "warning[scenario::unused-factor]: no range moves with the factor \"market\"",
        ),
        (
            "[[factor]]\nname = \"market\"\nwhy = \"y\"\ncorrelation = 1.5",
            "`factor.correlation` is larger than anything that makes sense",
        ),
        (
            "[economics]\npue = { choices = [1.1, 1.2], weights = [1e308, 1e308], why = \"x\" }",
            "larger together than any number",
        ),
        (
            "[economics]\nyear = \"2024-02-31\"",
            "must be a date that there is",
        ),
        (
            "[precision]\nrecipe = { choices = [\"bf16\", \"fp9\"], why = \"x\" }",
            "`precision.recipe` can't be \"fp9\"",
        ),
        (
            "[precision]\nrecipe = { low = \"bf16\", high = \"fp8-block\", why = \"x\" }",
            "`precision.recipe` is a word, so its range needs `choices`",
        ),
        (
            "[economics]\npue = { low = 1.3, high = 1.2, why = \"x\" }",
            "is out of order",
        ),
    ] {
        let text = found(more);
        assert!(text.contains(expected), "{more}\n{text}");
        assert!(
            text.contains("a.toml:") && text.contains("= help:"),
            "{text}"
        );
    }
    // Low may be high: then it is certain.
    let fine = found("[economics]\npue = { low = 1.2, high = 1.2, why = \"x\" }\n");
    assert_eq!(fine, "");
}

/// A small scenario with these lines under `[reliability]`, and what is wrong with it.
fn interrupted(lines: &str) -> String {
    let text = format!(
        r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128

[reliability]
{lines}
"#
    );
    faults(&text, &[], &[], &[])
}

/// Each misuse of `[reliability]` has an answer that names the line and the way out.
#[test]
fn misuse_of_reliability() {
    assert_eq!(interrupted(""), "");
    assert_eq!(interrupted("failures = 0\nplanned = \"0\""), "");
    assert_eq!(interrupted("failures = \"100 % per node-day\""), "");
    assert_eq!(interrupted("checkpoint_interval = \"optimal\""), "");
    assert_eq!(interrupted("failures = \"2 to 6 per 1000 node-days\""), "");
    for (lines, parts) in [
        (
            "failures = 3.8",
            &[
                "a.toml:17:12",
                "needs a unit",
                "failures = \"3.8 per 1000 node-days\"",
            ][..],
        ),
        (
            "failures = \"100 %\"",
            &["can't be read", "3.8 per 1000 node-days"],
        ),
        (
            "failures = \"1200 % per node-day\"",
            &["larger than anything that makes sense", "at most"],
        ),
        ("failures = \"-1 per node-day\"", &["can't be negative"]),
        (
            "failures = \"6 to 2 per 1000 node-days\"",
            &["out of order", "is more than high"],
        ),
        (
            "spares = 3",
            &[
                "3 nodes would stand by for a job of 2: more spares than nodes",
                "a.toml:17:10",
                "a.toml:6:9",
            ],
        ),
        (
            "checkpoint_interval = \"0 s\"",
            &["can't be zero", "at least 1 ms"],
        ),
        (
            "checkpoint_interval = \"best\"",
            &["or a word: \"optimal\""],
        ),
        ("storage_bandwidth = \"0 GB/s\"", &["can't be zero"]),
        (
            "profile = \"llama3\"",
            &[
                "no failure profile \"llama3\"",
                "did you mean",
                "llama3-h100",
            ],
        ),
        ("profile = \"common\"", &["lacks its causes of failures"]),
        (
            "evaluation_time = \"5 min\"",
            &["not how often", "evaluation_tokens"],
        ),
        (
            "evaluation_tokens = \"1 B tokens\"\nevaluation_steps = 100",
            &["both say how often", "leave one of them out"],
        ),
        (
            "stragglers = \"150 %\"",
            &["larger than anything that makes sense"],
        ),
        ("restart = 5", &["needs a unit", "a time"]),
    ] {
        let text = interrupted(lines);
        for part in parts {
            assert!(text.contains(part), "{lines}: no {part:?} in\n{text}");
        }
    }
}
