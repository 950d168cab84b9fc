//! From a published row to the settings of a scenario, and what the row leaves open.
//!
//! In: a [`Row`] and the [`Facts`]. Out: a [`Draft`]: scenario settings by path, assumptions in
//! words, and the settings that a rule has yet to choose; or why the row can't be expressed.
//! Never looks at the measured value, except at the ratio of two printed figures that says
//! whether multi-token prediction was counted.

use super::architecture::model;
use super::facts::{Facts, MissingRecompute};
pub use super::job::{Draft, Open};
use super::job::{Refusal, count, unreadable};
use super::machine::cluster;
use super::rows::Row;
use super::words::{self, Stated};
use crate::catalog::Catalog;
use toml::Value;

/// Sizes of a micro-batch that are tried where none is printed.
const MICRO_BATCHES: [u32; 5] = [1, 2, 4, 8, 16];

/// Micro-batches for each pipeline rank where no batch is printed.
const MICRO_BATCHES_A_RANK: u32 = 8;

/// Builds the settings of a row.
///
/// # Errors
///
/// Why the row can't be expressed, in words.
pub fn draft(row: &Row, facts: &Facts, catalog: &Catalog) -> Result<Draft, Refusal> {
    if let Some(why) = row.broken() {
        return Err(why.to_owned());
    }
    if let Some(beyond) = facts.beyond.iter().find(|b| b.when.holds(row)) {
        return Err(beyond.why.clone());
    }
    let known = facts.of(row);
    let mut draft = Draft {
        family: String::new(),
        moe: false,
        layers: None,
        set: known.set.clone(),
        assumed: known.assumed.clone(),
        open: Open::default(),
        known,
    };
    if let Some(words) = row.borrowed() {
        draft.assume(words);
    }
    let gpus = words::accelerators(row.get("gpus"))
        .map_err(|_| unreadable(row, "gpus"))?
        .ok_or("the number of accelerators is not printed")?;
    let accelerator = cluster(&mut draft, row, facts, catalog, gpus)?;
    model(&mut draft, row, facts, catalog)?;
    layout(&mut draft, row, gpus)?;
    precision(&mut draft, row)?;
    batch(&mut draft, row, gpus)?;
    noted(&mut draft, row);
    if let Some(profile) = draft.known.profile.clone() {
        draft.put("software.profile", profile);
    }
    draft.put("noise.jitter", 0.0);
    draft.put("noise.chips", "slowest");
    draft.put("economics.rent", "1 USD/h");
    if draft.moe && !draft.set.contains_key("routing.balance") {
        balance(&mut draft, row);
    }
    // Finetuning of adapters.
    let method = row.noted("method").unwrap_or("");
    if words::has_word(row.get("model"), "lora") || words::has_word(method, "lora") {
        draft.put("training.method", "lora");
    }
    draft.family = family(&draft, row, &accelerator);
    Ok(draft)
}

/// Whether routers were forced to balance, by what the row says or its publisher does.
fn balance(draft: &mut Draft, row: &Row) {
    let notes = row.get("notes").to_lowercase();
    let says = |list: &[&str]| list.iter().any(|text| notes.contains(text));
    let free = [
        "unforced",
        "not forced",
        "no forced",
        "force_load_balancing=false",
    ];
    if says(&free) || words::has_word(&notes, "natural") {
        draft.put("routing.balance", "measured");
        draft.assume("a router that is not forced spreads its load as DeepSeek's trace does");
    } else if says(&[
        "forced balance",
        "forced balanc",
        "router forced",
        "force_load_balancing",
    ]) || words::has_word(&notes, "forced")
    {
        draft.put("routing.balance", "forced");
    } else if row.says("source", "NVIDIA")
        || row.says("source", "Megatron-Core")
        || row.says("source", "Folding")
    {
        draft.put("routing.balance", "forced");
        draft.assume("router forced to balance, as NVIDIA's benchmarks do");
    }
}

fn layout(draft: &mut Draft, row: &Row, gpus: u32) -> Result<(), Refusal> {
    // Full sharding stands in for both where a row prints neither.
    let by_rule = draft
        .known
        .set
        .get("parallelism.zero")
        .and_then(Value::as_integer);
    let stage = words::zero(row.get("zero")).map(i64::from).or(by_rule);
    let sharded = stage == Some(3);
    let degree = |column: &str, draft: &mut Draft| -> Result<u32, Refusal> {
        let printed = count(row, column)?;
        match (column, printed) {
            (_, None) if sharded => {}
            ("tp", None) => draft.open.tensor = vec![1, 2, 4, 8],
            ("pp", None) => draft.open.pipeline = vec![1, 2, 4, 8, 12, 16],
            _ => {}
        }
        Ok(printed.unwrap_or(1))
    };
    let tensor = degree("tp", draft)?;
    let pipeline = degree("pp", draft)?;
    let context = degree("cp", draft)?;
    let expert = degree("ep", draft)?;
    let grade = row.noted("grade").unwrap_or("");
    if grade == "D" && row.get("tp").is_empty() && row.get("pp").is_empty() {
        return Err("its layout is not published".into());
    }
    let inner = u64::from(tensor)
        .saturating_mul(u64::from(pipeline))
        .saturating_mul(u64::from(context));
    if !u64::from(gpus).is_multiple_of(inner) {
        return Err(format!(
            "tp {tensor} x pp {pipeline} x cp {context} = {inner} does not divide {gpus} accelerators"
        ));
    }
    draft.count("parallelism.tensor", tensor);
    draft.count("parallelism.pipeline", pipeline);
    draft.count("parallelism.context", context);
    if draft.moe && expert > 1 {
        draft.count("parallelism.expert", expert);
    }
    if let Some(split) = words::expert_tensor(row.get("notes"))
        && draft.moe
    {
        draft.count("parallelism.expert_tensor", split);
    }
    let sequence = row.get("sp").to_lowercase();
    let sequence = sequence.split(|c: char| !c.is_ascii_alphanumeric()).next();
    match sequence.unwrap_or("") {
        "yes" | "true" | "on" | "1" => draft.put("parallelism.sequence", tensor > 1),
        "no" | "false" | "off" | "0" => draft.put("parallelism.sequence", false),
        _ => {
            // Sequence parallelism came in 2022, and where it was used it is named.
            let early = words::year(row.get("year")).is_some_and(|year| year <= 2022);
            let named = ["recompute", "notes"]
                .iter()
                .any(|column| row.says(column, "sequence-parallel") || row.says(column, "SP +"));
            if early {
                draft.put("parallelism.sequence", named);
            }
        }
    }
    if let Some(stage) = words::zero(row.get("zero")) {
        draft
            .set
            .entry("parallelism.zero".into())
            .or_insert(Value::Integer(0));
        if !draft.known.set.contains_key("parallelism.zero") {
            draft.count("parallelism.zero", stage);
        }
    }
    virtual_stages(draft, row, pipeline)?;
    match words::recompute(row.get("recompute")) {
        Stated::Nothing => {
            let rule = draft.known.recompute.unwrap_or(MissingRecompute::Least);
            draft.open.recompute = Some(rule);
        }
        Stated::None => draft.put("parallelism.recompute", "none"),
        Stated::Full => draft.put("parallelism.recompute", "full"),
        Stated::Layers(layers) => {
            draft.put("parallelism.recompute", "full");
            draft.count("parallelism.recompute_layers", layers);
        }
        Stated::Every(each) => {
            draft.put("parallelism.recompute", "full");
            let layers = draft.layers;
            let virtual_stages = draft.number("parallelism.virtual_stages").unwrap_or(1);
            if let Some(layers) = layers {
                let stages = u64::from(pipeline) * u64::from(virtual_stages);
                let stage = (u64::from(layers) / stages.max(1)).max(1);
                draft.count(
                    "parallelism.recompute_layers",
                    (stage as u32).div_ceil(each),
                );
            }
        }
        Stated::Core => draft.put("parallelism.recompute", "selective"),
        Stated::Parts(parts) => {
            let list = parts.into_iter().map(Value::from).collect();
            draft.put("parallelism.recompute", Value::Array(list));
        }
    }
    if let Some(layers) = row.noted("recompute_layers").and_then(words::leading) {
        draft.put("parallelism.recompute", "full");
        draft.count("parallelism.recompute_layers", layers);
    }
    Ok(())
}

fn virtual_stages(draft: &mut Draft, row: &Row, pipeline: u32) -> Result<(), Refusal> {
    if let Some(stages) = row.noted("pp_layout").and_then(words::stage_layers)
        && pipeline > 1
        && stages.len().is_multiple_of(pipeline as usize)
    {
        draft.count("parallelism.virtual_stages", stages.len() as u32 / pipeline);
        let list = stages
            .into_iter()
            .map(|n| Value::from(i64::from(n)))
            .collect();
        draft.put("parallelism.stage_layers", Value::Array(list));
        return Ok(());
    }
    if pipeline == 1 {
        draft.count("parallelism.virtual_stages", 1);
        return Ok(());
    }
    let without = ["none", "no", "n/a", "off"].contains(&row.get("vpp").to_lowercase().as_str());
    if let Some(stages) = count(row, "vpp")?.or(without.then_some(1)) {
        draft.count("parallelism.virtual_stages", stages);
        return Ok(());
    }
    // Not printed. The rule of NeMo's and Megatron-Core's recipes from 2023 on: a layer a stage.
    let layers = draft.layers;
    let interleaves = draft.known.profile.as_deref().is_some_and(|profile| {
        profile.starts_with("nemo")
            || profile.starts_with("megatron-2021")
            || profile.starts_with("megatron-2025")
            || profile.starts_with("megatron-2026")
    });
    // Embedding and head count as a layer each where that makes the layers divide (BLOOM-176B and
    // Llama 3 405B are laid out so): one layer a stage, the first and the last stage none.
    if row.says("notes", "first/last stage one layer fewer")
        && let Some(layers) = layers
        && (layers + 2).is_multiple_of(pipeline)
    {
        let stages = layers + 2;
        draft.count("parallelism.virtual_stages", stages / pipeline);
        let list = (0..stages)
            .map(|stage| Value::from(i64::from(stage != 0 && stage + 1 != stages)))
            .collect();
        draft.put("parallelism.stage_layers", Value::Array(list));
        draft.assume("a layer a stage, none in the first and the last: the notes say one fewer");
        return Ok(());
    }
    let plain = row.says("notes", "not interleaved")
        || row.says("notes", "VP printed n/a")
        || row.says("zero", "deepspeed")
        || !interleaves;
    let most = layers
        .filter(|l| l.is_multiple_of(pipeline))
        .map_or(1, |l| l / pipeline);
    if plain || most == 1 {
        draft.count("parallelism.virtual_stages", 1);
    } else {
        draft.open.virtual_stages = vec![most, 1];
    }
    Ok(())
}

fn precision(draft: &mut Draft, row: &Row) -> Result<(), Refusal> {
    if draft.known.set.contains_key("precision.recipe") {
        return Ok(());
    }
    let says = row.get("precision");
    let (recipe, left_open) = match words::precision(says) {
        Some(found) => found,
        None if words::missing(says) => ("bf16", Some("BF16: precision not printed")),
        None => return Err(format!("the precision \"{says}\" is not known")),
    };
    draft.put("precision.recipe", recipe);
    if let Some(words) = left_open {
        draft.assume(words);
    }
    if says.to_lowercase().contains("fp32 grad") {
        draft.put("precision.gradient", "fp32");
    }
    Ok(())
}

fn batch(draft: &mut Draft, row: &Row, gpus: u32) -> Result<(), Refusal> {
    let length = count(row, "seq_len")?;
    let length = match length {
        Some(length) => length,
        None => {
            let length = if words::year(row.get("year")).unwrap_or(2024) <= 2023 {
                2048
            } else {
                4096
            };
            draft.assume(format!("sequences of {length} tokens: not printed"));
            length
        }
    };
    draft.count("training.sequence_length", length);
    let get = |path: &str| u64::from(draft.number(path).unwrap_or(1));
    let inner = get("parallelism.tensor")
        .saturating_mul(get("parallelism.pipeline"))
        .saturating_mul(get("parallelism.context"));
    let pipeline = get("parallelism.pipeline") as u32;
    let data = (u64::from(gpus) / inner.max(1)).max(1) as u32;
    let micro = count(row, "micro_batch")?;
    let whole = match count(row, "global_batch_seqs")? {
        Some(whole) => whole,
        None => {
            draft.open.batch = true;
            let micro = micro.unwrap_or(1);
            // Full sharding is used without accumulation: each micro-batch gathers everything.
            let times = if draft.number("parallelism.zero") == Some(3) && pipeline == 1 {
                1
            } else if pipeline > 1 {
                MICRO_BATCHES_A_RANK.saturating_mul(pipeline)
            } else {
                MICRO_BATCHES_A_RANK
            };
            draft.assume(format!(
                "a batch of {times} micro-batches for each pipeline: not printed"
            ));
            let whole = u64::from(data) * u64::from(micro);
            u32::try_from(whole.saturating_mul(u64::from(times)))
                .map_err(|_| "its batch has more than 4 billion sequences".to_owned())?
        }
    };
    draft.count("training.global_batch", whole);
    if !whole.is_multiple_of(data) {
        return Err(format!(
            "a batch of {whole} sequences does not divide over {data} data-parallel ranks"
        ));
    }
    let each = whole / data;
    match micro {
        Some(micro) if each.is_multiple_of(micro) => draft.count("parallelism.micro_batch", micro),
        Some(micro) => {
            return Err(format!(
                "{each} sequences of a data-parallel rank are not whole micro-batches of {micro}"
            ));
        }
        None => {
            draft.open.micro_batch = MICRO_BATCHES
                .into_iter()
                .filter(|m| each.is_multiple_of(*m))
                .collect();
        }
    }
    draft.put(
        "training.tokens",
        format!("{} tokens", u64::from(whole) * u64::from(length) * 100),
    );
    Ok(())
}

/// Facts of a recipe that notes print.
fn noted(draft: &mut Draft, row: &Row) {
    let named = ["deepep", "hybridep", "hybrid-ep"]
        .iter()
        .any(|word| row.says("notes", word));
    let dispatcher = row.noted("dispatcher").or(named.then_some("deepep"));
    if let Some(dispatcher) = dispatcher.filter(|_| draft.moe) {
        let word = match dispatcher.to_lowercase() {
            d if d.contains("deepep") || d.contains("hybrid") => "deduplicated",
            d if d.contains("allgather") || d.contains("all-gather") => "all-gather",
            _ => "all-to-all",
        };
        draft.put("software.dispatcher", word);
    } else if draft.moe && !draft.set.contains_key("software.dispatcher") {
        draft.put("software.dispatcher", "all-to-all");
        draft.assume("plain all-to-all: no dispatcher is named, and servers are of eight");
    }
    if row.says("notes", "EP all-to-all overlapped") {
        draft.put("software.expert_overlap", true);
        draft.put("parallelism.schedule", "1f1b-overlap");
    }
    if let Some(graph) = row.noted("cuda_graph") {
        let scope = graph.split(':').next_back().unwrap_or("");
        let word = if graph.contains("full_iteration") {
            "full"
        } else if scope.contains("attn") || scope.contains("moe") || scope.contains("mlp") {
            "partial"
        } else {
            "none"
        };
        draft.put("software.cuda_graphs", word);
    } else if row.says("source", "Megatron-Bridge") && !row.noted("recipe").unwrap_or("").is_empty()
    {
        draft.put("software.cuda_graphs", "none");
    }
    if let Some(at) = row.get("notes").find("activation CPU offload ") {
        let rest = &row.get("notes")[at + "activation CPU offload ".len()..];
        if let Some(layers) = words::leading(rest) {
            draft.count("parallelism.offload_layers", layers);
        }
    }
    if let Some(schedule) = row.noted("schedule") {
        let schedule = schedule.to_lowercase();
        let has = |word: &str| schedule.contains(word);
        if has("dualpipe") {
            let word = if has("dualpipe-v") || has("dualpipev") {
                "dualpipe-v"
            } else {
                "dualpipe"
            };
            draft.put("parallelism.schedule", word);
            draft.count("parallelism.virtual_stages", 1);
        } else if (has("zero-bubble") || has("zb")) && !has("zbv") && !has("zb-v") {
            draft.put("parallelism.schedule", "zb-h1");
            draft.count("parallelism.virtual_stages", 1);
        } else if has("v-half") || has("v-min") || has("zbv") || has("zb-v") {
            draft.put("parallelism.schedule", "dualpipe-v");
            draft.count("parallelism.virtual_stages", 1);
            draft.assume("a V-shaped schedule, taken as DualPipeV");
        }
    }
}

/// Name of the family: publication, and where one spans several, chip, precision and kind.
fn family(draft: &Draft, row: &Row, accelerator: &str) -> String {
    let chip = accelerator
        .split('-')
        .next()
        .unwrap_or(accelerator)
        .to_uppercase();
    let kind = if draft.moe { "MoE" } else { "dense" };
    let low = match draft.set.get("precision.recipe").and_then(Value::as_str) {
        Some("bf16" | "fp16") | None => "BF16",
        Some("nvfp4") => "FP4",
        Some(_) => "FP8",
    };
    match draft.known.family.as_deref() {
        Some(name @ ("dgxc" | "Bridge")) => format!("{name} {kind}, {chip} {low}"),
        Some(name @ ("llm-foundry" | "fms-fsdp" | "torchtitan")) => {
            let chip = if accelerator == "a100-sxm-40" {
                "A100-40".to_owned()
            } else {
                chip
            };
            format!("{name}, {chip}")
        }
        Some(name @ "MLPerf") => format!("{name}, {chip}"),
        Some(name) => name.to_owned(),
        None => {
            let source = row.get("source");
            let source = if source.is_empty() { "other" } else { source };
            format!("{source}, {chip}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings of a row that differs from a plain one in some columns.
    fn drafted(fields: &[(&str, &str)]) -> Result<Draft, Refusal> {
        let plain = [
            ("id", "t-1"),
            ("source", "a blog"),
            ("year", "2025"),
            ("model", "Llama3-8B"),
            ("seq_len", "8192"),
            ("global_batch_seqs", "128"),
            ("micro_batch", "1"),
            ("gpus", "16"),
            ("gpu", "H100-SXM5-80GB"),
            ("tp", "1"),
            ("pp", "1"),
            ("precision", "BF16"),
            ("metric", "iteration_time_s"),
            ("value", "1"),
        ];
        let row = Row::of(2, plain.map(|(column, text)| (column, text.to_owned())));
        let row = fields
            .iter()
            .fold(row, |row, (column, text)| row.with(column, text));
        draft(&row, Facts::shipped(), &Catalog::embedded())
    }

    fn word(draft: &Draft, path: &str) -> String {
        let value = draft.set.get(path);
        value.map_or(String::new(), |v| v.to_string().replace('"', ""))
    }

    #[test]
    fn words_of_other_tables_are_read() {
        // Column, text, setting, what it becomes.
        for (column, text, path, expected) in [
            (
                "gpu",
                "A100-PCIE-40GB",
                "cluster.accelerator",
                "a100-pcie-40",
            ),
            (
                "gpu",
                "A100 SXM4 40GB",
                "cluster.accelerator",
                "a100-sxm-40",
            ),
            (
                "gpu",
                "A100-SXM4-80GB HBM2e",
                "cluster.accelerator",
                "a100-sxm-80",
            ),
            (
                "gpu",
                "H100-96GB HBM2e (500 W)",
                "cluster.accelerator",
                "h100-sxm-96",
            ),
            ("gpu", "H200 NVLink", "cluster.accelerator", "h200-sxm"),
            ("gpus", "2 nodes x 8", "cluster.gpus", "16"),
            (
                "interconnect",
                "NVLink 900 GB/s + 4×200 Gb/s",
                "cluster.nic_bandwidth",
                "100 Gb/s",
            ),
            ("model", "Llama 3.1 8B", "model.preset", "llama3-8b"),
            ("model", "Llama3-8B LoRA", "training.method", "lora"),
            ("notes", "an exploration of lorax", "training.method", ""),
            ("seq_len", "8K", "training.sequence_length", "8192"),
            ("zero", "HSDP", "parallelism.zero", "3"),
            ("zero", "unknown", "parallelism.zero", ""),
            (
                "recompute",
                "selective (every other layer)",
                "parallelism.recompute_layers",
                "16",
            ),
            ("precision", "BF16 (no FP8)", "precision.recipe", "bf16"),
            ("year", "", "software.profile", "megatron-2026"),
            ("year", "2025-05", "software.profile", "megatron-2025"),
            (
                "source",
                "optimized kernels, a report",
                "software.profile",
                "megatron-2025",
            ),
        ] {
            let drafted = drafted(&[(column, text)]).expect(text);
            assert_eq!(word(&drafted, path), expected, "{column}: {text}");
        }
        let four = drafted(&[
            ("gpu", "H200-SXM"),
            ("interconnect", "4x400Gb/s, 4-GPU node"),
        ]);
        assert_eq!(word(&four.expect("a draft"), "cluster.node"), "hgx-h200-4");
    }

    #[test]
    fn printed_experts_outrank_the_name() {
        let fine = drafted(&[
            ("model", "Mixtral-8x22B-G8T8"),
            ("experts", "64"),
            ("topk", "8"),
            ("ffn_hidden", "2048"),
            ("ep", "8"),
            ("notes", "router not forced; ETP=1"),
        ])
        .expect("a draft");
        for (path, expected) in [
            ("model.experts", "64"),
            ("model.top_k", "8"),
            ("model.expert_ffn", "2048"),
            ("routing.balance", "measured"),
            ("parallelism.expert_tensor", "1"),
        ] {
            assert_eq!(word(&fine, path), expected, "{path}");
        }
        // What the catalogue says anyway changes nothing.
        let plain = drafted(&[("model", "Mixtral-8x22B"), ("experts", "8"), ("topk", "2")]);
        assert_eq!(word(&plain.expect("a draft"), "model.experts"), "");
    }

    #[test]
    fn a_source_makes_no_model_old() {
        let own = [
            ("model", "Custom 13B"),
            ("source", "Megatron-Core notes"),
            ("layers", "40"),
            ("hidden", "5120"),
            ("heads", "40"),
            ("ffn_hidden", "13824"),
        ];
        let modern = drafted(&own).expect("a draft");
        assert_eq!(word(&modern, "model.norm"), "");
        let older: Vec<_> = own[1..]
            .iter()
            .copied()
            .chain([("model", "GPT 13B")])
            .collect();
        assert_eq!(
            word(&drafted(&older).expect("a draft"), "model.norm"),
            "layer"
        );
    }

    #[test]
    fn full_sharding_stands_in_for_a_blank_layout() {
        let blank = [("tp", ""), ("pp", "")];
        let sharded = drafted(&[blank[0], blank[1], ("zero", "FSDP")]).expect("a draft");
        assert!(sharded.open.tensor.is_empty() && sharded.open.pipeline.is_empty());
        let open = drafted(&blank).expect("a draft");
        assert!(!open.open.tensor.is_empty());
    }

    #[test]
    fn absurd_numbers_are_refused() {
        for (column, text) in [
            ("gpus", "4294967295x9"),
            ("micro_batch", "1000000000"),
            ("tp", "999999999"),
            ("global_batch_seqs", "4M tokens"),
            ("hidden", "4294967295 x"),
        ] {
            let set = [
                (column, text),
                ("model", "Custom"),
                ("layers", "4"),
                ("hidden", "64"),
            ];
            let set = if column == "hidden" {
                &set[..3]
            } else {
                &set[..]
            };
            let why = drafted(set).err().unwrap_or_default();
            assert!(why.len() > 10, "{column}: {text}");
        }
    }

    #[test]
    fn tensor_groups_stay_in_a_server() {
        use super::super::machine::used_of;
        for (gpus, whole, tensor, used) in [
            (16, 8, 1, 8),
            (20, 8, 4, 4),
            (100, 8, 4, 4),
            (12, 4, 1, 4),
            (20, 8, 1, 5),
            (512, 256, 1, 256),
            (128, 72, 1, 64),
            (6, 8, 1, 6),
        ] {
            assert_eq!(
                used_of(gpus, whole, tensor),
                used,
                "{gpus} {whole} {tensor}"
            );
        }
    }
}
