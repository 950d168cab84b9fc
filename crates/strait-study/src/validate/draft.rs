//! From a published row to the settings of a scenario, and what the row leaves open.
//!
//! In: a [`Row`] and the [`Facts`]. Out: a [`Draft`]: scenario settings by path, assumptions in
//! words, and the settings that a rule has yet to choose; or why the row can't be expressed.
//! Never looks at the measured value, except at the ratio of two printed figures that says
//! whether multi-token prediction was counted.

use super::facts::{Facts, Known, MissingRecompute, named};
use super::rows::Row;
use super::words::{self, Stated};
use crate::catalog::Catalog;
use std::collections::BTreeMap;
use toml::Value;

/// A job as a row describes it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Family in the report.
    pub family: String,
    /// Mixture of experts.
    pub moe: bool,
    /// What the rules know.
    pub known: Known,
    /// Scenario settings by path.
    pub set: BTreeMap<String, Value>,
    /// What was assumed, in words.
    pub assumed: Vec<String>,
    /// What is still to be chosen.
    pub open: Open,
}

/// What a row leaves open.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Sizes of a micro-batch to choose from.
    pub micro_batch: Vec<u32>,
    /// Numbers of virtual stages to choose from, the rule's choice first.
    pub virtual_stages: Vec<u32>,
    /// Tensor-parallel degrees to choose from.
    pub tensor: Vec<u32>,
    /// Pipeline degrees to choose from.
    pub pipeline: Vec<u32>,
    /// The rule for recomputation.
    pub recompute: Option<MissingRecompute>,
    /// The batch was not printed: micro-batches of a pipeline for each of its ranks.
    pub batch: bool,
}

/// Sizes of a micro-batch that are tried where none is printed.
const MICRO_BATCHES: [u32; 5] = [1, 2, 4, 8, 16];

/// Micro-batches for each pipeline rank where no batch is printed.
const MICRO_BATCHES_A_RANK: u32 = 8;

type Refusal = String;

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
        set: known.set.clone(),
        assumed: known.assumed.clone(),
        open: Open::default(),
        known,
    };
    if let Some(words) = row.borrowed() {
        draft.assume(words);
    }
    let gpus = words::accelerators(row.get("gpus"))
        .map_err(|()| unreadable(row, "gpus"))?
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

impl Draft {
    fn put(&mut self, path: &str, value: impl Into<Value>) {
        self.set.insert(path.to_owned(), value.into());
    }

    fn count(&mut self, path: &str, value: u32) {
        self.put(path, i64::from(value));
    }

    fn assume(&mut self, words: impl Into<String>) {
        let words = words.into();
        if !self.assumed.contains(&words) {
            self.assumed.push(words);
        }
    }

    /// A setting as a whole number.
    pub fn number(&self, path: &str) -> Option<u32> {
        let value = self.set.get(path)?.as_integer()?;
        u32::try_from(value).ok()
    }

    /// The scenario's text.
    pub fn text(&self, row: &Row) -> String {
        let mut sections: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
        for (path, value) in &self.set {
            let (section, key) = path.split_once('.').unwrap_or(("", path));
            sections.entry(section).or_default().push((key, value));
        }
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        let title = format!(
            "{}: {} on {} {}",
            row.id(),
            row.get("model"),
            row.get("gpus"),
            row.get("gpu")
        );
        let mut out = format!("title = {}\n", quoted(&title));
        let source = format!("{} {}", row.get("source"), row.get("url_or_repo_path"));
        out += &format!("note = {}\n", quoted(source.trim()));
        for assumption in &self.assumed {
            out += &format!("# assumed: {}\n", assumption.replace('\n', " "));
        }
        for (section, keys) in sections {
            out += &format!("\n[{section}]\n");
            for (key, value) in keys {
                out += &format!("{key} = {value}\n");
            }
        }
        out
    }
}

fn count(row: &Row, column: &str) -> Result<Option<u32>, Refusal> {
    // "8K" tokens are 8,192; "128K" of anything else are 128,000.
    let thousand = if column == "seq_len" { 1024 } else { 1000 };
    if column == "global_batch_seqs" && row.says(column, "token") {
        return Err(format!(
            "global_batch_seqs is \"{}\": a count of sequences is needed",
            row.get(column)
        ));
    }
    words::count(row.get(column), thousand).map_err(|()| unreadable(row, column))
}

fn unreadable(row: &Row, column: &str) -> Refusal {
    let text: String = row.get(column).chars().take(60).collect();
    format!("{column} is \"{text}\", which is no whole number above 0 (and below 10^9)")
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

/// Accelerator, server, network. Returns the accelerator's id.
fn cluster(
    draft: &mut Draft,
    row: &Row,
    facts: &Facts,
    catalog: &Catalog,
    gpus: u32,
) -> Result<String, Refusal> {
    let says = row.get("gpu");
    let named = named(&facts.accelerator, says);
    let id = match named {
        Some(named) => named.id.clone(),
        None => says.to_lowercase().replace([' ', '_'], "-"),
    };
    if catalog.accelerator(&id).is_err() {
        return Err(format!(
            "the catalogue has no accelerator \"{says}\" with the figures that a step needs"
        ));
    }
    draft.put("cluster.accelerator", id.as_str());
    let network = row.get("interconnect");
    let fact = facts.network.iter().find(|n| n.holds(network, &id));
    let usual = match catalog.default_cluster(&id) {
        Ok((node, fabric)) => (Some(node), Some(fabric)),
        Err(_) => (None, None),
    };
    let stated = |key: &str| -> Option<String> {
        let value = draft.known.set.get(key)?.as_str()?;
        Some(value.to_owned())
    };
    let (stated_node, stated_fabric) = (stated("cluster.node"), stated("cluster.fabric"));
    let node_id = stated_node
        .or(fact.and_then(|n| n.node.clone()))
        .or(usual.0)
        .ok_or_else(|| format!("no server of {id} is known"))?;
    let node = catalog
        .node(&node_id)
        .map_err(|e| format!("server {node_id}: {e}"))?;
    let whole = node.accelerators;
    draft.put("cluster.node", node_id.as_str());
    let tensor = count(row, "tp")?.unwrap_or(1);
    let used = used_of(gpus, whole, tensor);
    if used != whole {
        draft.count("cluster.per_node", used);
        if used < whole && gpus > used && whole <= 8 {
            draft.assume(format!(
                "{used} of {whole} accelerators of each server used: {gpus} are not whole servers"
            ));
        }
    }
    draft.count("cluster.gpus", gpus);
    let fabric = stated_fabric.or(fact.and_then(|n| n.fabric.clone()));
    if let Some(fabric) = fabric.or(usual.1) {
        draft.put("cluster.fabric", fabric);
    }
    // A printed rate that the named server does not already stand for.
    if let Some((rate, of)) = words::network_rate(network) {
        let each = rate / f64::from(of.unwrap_or(whole.min(8)));
        let known = node.nic_bandwidth.get() * 8.0 / 1e9;
        if (each / known - 1.0).abs() > 0.01 {
            draft.put("cluster.nic_bandwidth", format!("{each} Gb/s"));
        }
    } else if gpus > used && network.is_empty() {
        draft.assume(format!("network of {node_id}: not printed"));
    }
    Ok(id)
}

/// Accelerators used of each server: all, or of a job smaller than a server its own, or of a large
/// domain (an NVL72 rack) the most that divides the job into whole trays of four.
/// Groups of `tensor` ranks stay inside a server where any number of them does.
fn used_of(gpus: u32, whole: u32, tensor: u32) -> u32 {
    if gpus <= whole {
        return gpus;
    }
    // A rack of 72 is the exception below.
    if gpus.is_multiple_of(whole) && (whole <= 8 || whole.is_power_of_two()) {
        return whole;
    }
    if whole > 8 {
        // Groups of 8 and 16 ranks do not fit into 72: jobs use 64 of a rack where they can.
        let best = [256, 128, 64, 72, 56, 48, 36, 32, 16, 8, 4, 2, 1];
        return best
            .into_iter()
            .find(|&n| n <= whole && gpus.is_multiple_of(n))
            .unwrap_or(1);
    }
    let fits = |n: &u32| gpus.is_multiple_of(*n);
    let together = |n: &u32| fits(n) && n.is_multiple_of(tensor.max(1));
    let counts = || (1..=whole).rev();
    counts().find(together).or(counts().find(fits)).unwrap_or(1)
}

/// The model: a known one with what the row changes, or its dimensions.
fn model(draft: &mut Draft, row: &Row, facts: &Facts, catalog: &Catalog) -> Result<(), Refusal> {
    let name = row.get("model");
    let preset = named(&facts.model, name).filter(|m| catalog.contains("models", &m.id));
    let experts = count(row, "experts")?;
    let ffn = row.get("ffn_hidden");
    let mut fields: Vec<(&str, Option<u32>)> = vec![
        ("layers", count(row, "layers")?),
        ("hidden", count(row, "hidden")?),
        ("heads", count(row, "heads")?),
        ("vocabulary", count(row, "vocab")?),
    ];
    let latent = row.get("kv_heads").to_uppercase().contains("MLA");
    // Latent attention has no key heads of its own, whatever a table prints.
    let known_latent = preset
        .and_then(|m| catalog.text("models", &m.id).ok())
        .is_some_and(|text| text.contains("[attention.latent]"));
    if !latent && !known_latent {
        fields.push(("kv_heads", count(row, "kv_heads")?));
    }
    if let Some(preset) = preset {
        if let Some(words) = &preset.assume {
            draft.assume(words.clone());
        }
        draft.put("model.preset", preset.id.as_str());
        draft.moe = catalog
            .text("models", &preset.id)
            .is_ok_and(|text| text.contains("[experts]"));
        draft.set.extend(preset.set.clone());
        for (field, value) in fields {
            if let Some(value) = value {
                draft.count(&format!("model.{field}"), value);
            }
        }
        if draft.moe {
            changed_experts(draft, row, &preset.id, catalog)?;
        } else if let Some(ffn) = words::leading(ffn) {
            draft.count("model.ffn", ffn);
        }
        if let Some(layers) = draft.number("model.layers")
            && layers <= 4
            && row.says("model", "DeepSeek-V3")
        {
            draft.count("model.first_dense", 1);
            draft.assume("one leading dense layer in a slice of four: the memory in its notes leaves room for no more experts");
        }
        prediction(draft, row);
        return Ok(());
    }
    let (Some(layers), Some(hidden)) = (fields[0].1, fields[1].1) else {
        return Err(format!(
            "\"{name}\" is no model of the catalogue, and its dimensions are not printed"
        ));
    };
    if latent {
        return Err(format!(
            "\"{name}\" has latent attention, whose ranks are not printed, and is no model of the catalogue"
        ));
    }
    draft.put("model.name", name);
    draft.count("model.layers", layers);
    draft.count("model.hidden", hidden);
    let tensor = count(row, "tp")?.unwrap_or(1);
    let heads = match fields[2].1 {
        Some(heads) => heads,
        None => {
            let heads = likely_heads(hidden, tensor);
            draft.assume(format!(
                "{heads} attention heads: not printed, the number that gives a width next to 128"
            ));
            heads
        }
    };
    draft.count("model.heads", heads);
    draft.count(
        "model.kv_heads",
        fields.get(4).and_then(|f| f.1).unwrap_or(heads),
    );
    if !hidden.is_multiple_of(heads) {
        draft.count("model.head_dim", 128);
        draft.assume("heads of width 128: not printed, and they do not divide the hidden width");
    }
    let year = words::year(row.get("year")).unwrap_or(2024);
    let dense = words::before(ffn, "dense").or_else(|| words::leading(ffn));
    let inner = match dense {
        Some(inner) => inner,
        None => {
            draft.assume("inner width of four times the hidden width: not printed");
            hidden.saturating_mul(4)
        }
    };
    draft.count("model.ffn", inner);
    let wide = u64::from(inner) == 4 * u64::from(hidden);
    let classic = [
        "gpt", "bloom", "mpt", "pythia", "megatron", "mt-nlg", "opt-",
    ]
    .iter()
    .any(|word| row.says("model", word) && !row.says("model", "gpt-oss"))
        || (year <= 2022 && wide);
    let squared = row.says("model", "nemotron");
    if classic || squared {
        draft.put("model.activation", "plain");
    }
    if classic {
        draft.put("model.norm", "layer");
        let foundry = row.says("model", "mpt");
        draft.put("model.biases", !foundry);
        draft.put("model.tied", true);
        let length = count(row, "seq_len")?.unwrap_or(2048);
        if !row.says("model", "bloom") && !foundry {
            draft.count("model.learned_positions", length);
        }
    } else if dense.is_some() && wide && experts.is_none() {
        draft.put("model.activation", "plain");
        draft.assume("one input projection: the inner width is four times the hidden width");
    }
    match fields[3].1 {
        Some(vocabulary) => draft.count("model.vocabulary", vocabulary),
        None => {
            let vocabulary = if classic { 51_200 } else { 128_256 };
            draft.count("model.vocabulary", vocabulary);
            draft.assume(format!("vocabulary of {vocabulary}: not printed"));
        }
    }
    if let Some(experts) = experts.filter(|&n| n > 1) {
        draft.moe = true;
        draft.count("model.experts", experts);
        let top_k = count(row, "topk")?.ok_or("the number of experts of a token is not printed")?;
        draft.count("model.top_k", top_k);
        let width = words::before(ffn, "expert").or_else(|| words::leading(ffn));
        let width = width.unwrap_or(inner);
        draft.count("model.expert_ffn", width);
        let counted = ["experts", "topk", "notes"]
            .iter()
            .find_map(|column| words::shared_experts(row.get(column)));
        let shared = words::before(ffn, "shared").or(counted.and_then(|n| n.checked_mul(width)));
        match shared {
            Some(shared) => {
                draft.count("model.shared_ffn", shared);
                draft.assume("every layer a mixture of experts: not printed");
            }
            None => {
                draft.assume("every layer a mixture of experts without shared ones: not printed")
            }
        }
    }
    Ok(())
}

/// Experts that a row prints where they are not those of the model that it names: "Mixtral-8x22B-G8T8"
/// has 64 small ones.
fn changed_experts(
    draft: &mut Draft,
    row: &Row,
    preset: &str,
    catalog: &Catalog,
) -> Result<(), Refusal> {
    let text = catalog.text("models", preset).map_err(|e| e.to_string())?;
    let table: toml::Table = text.parse().map_err(|e| format!("{preset}: {e}"))?;
    let known = |key: &str| -> Option<u32> {
        let fact = table.get("experts")?.get(key)?;
        u32::try_from(fact.get("value").unwrap_or(fact).as_integer()?).ok()
    };
    let printed = (count(row, "experts")?, count(row, "topk")?);
    let mut changed = false;
    for (path, key, value) in [
        ("model.experts", "routed", printed.0),
        ("model.top_k", "top_k", printed.1),
    ] {
        if let Some(value) = value
            && known(key).is_some_and(|known| known != value)
        {
            draft.count(path, value);
            changed = true;
        }
    }
    let ffn = row.get("ffn_hidden");
    let named = words::before(ffn, "expert");
    // A bare width is an expert's where the experts are not the preset's.
    let width = named.or(if changed { words::leading(ffn) } else { None });
    if let Some(width) = width
        && known("width").is_some_and(|known| known != width)
    {
        draft.count("model.expert_ffn", width);
        changed = true;
    }
    if changed {
        draft.assume(format!("{preset} with the experts that the row prints"));
    }
    Ok(())
}

/// Whether a DeepSeek-V3 run had its multi-token-prediction module: 260 GFLOPs of a token are
/// printed with it, 250 without, and a pipeline layout names it.
fn prediction(draft: &mut Draft, row: &Row) {
    let preset = draft.set.get("model.preset").and_then(Value::as_str);
    if preset != Some("deepseek-v3") {
        return;
    }
    let rate = words::figure(row.noted("model_tflops_per_gpu").unwrap_or(""));
    let gpus = words::figure(row.get("gpus")).unwrap_or(1.0);
    let tokens = match row.get("metric") {
        "tokens_per_s_per_gpu" => words::figure(row.get("value")),
        _ => words::figure(row.noted("tokens_per_s_total").unwrap_or("")).map(|t| t / gpus),
    };
    let without = row.says("notes", "w/o mtp");
    let named = row.noted("pp_layout").map(|layout| layout.contains('m'));
    let modules = match (named, rate.zip(tokens)) {
        _ if without => 0,
        (Some(named), _) => u32::from(named),
        (None, Some((rate, tokens))) => u32::from(rate * 1e12 / tokens > 255e9),
        (None, None) => {
            draft.assume("no multi-token prediction: neither printed nor counted");
            0
        }
    };
    draft.count("model.mtp", modules);
}

/// Heads of a width near 128 that tensor ranks can share.
fn likely_heads(hidden: u32, tensor: u32) -> u32 {
    let fits = |heads: &u32| hidden.is_multiple_of(*heads) && heads.is_multiple_of(tensor.max(1));
    (1..=hidden / 32)
        .filter(fits)
        .min_by_key(|heads| ((hidden / heads).abs_diff(128), *heads))
        .unwrap_or(1)
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
            let layers = draft
                .number("model.layers")
                .or_else(|| words::leading(row.get("layers")));
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
    let layers = draft
        .number("model.layers")
        .or_else(|| words::leading(row.get("layers")));
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
