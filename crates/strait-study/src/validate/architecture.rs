//! The model of a published row: one of the catalogue with what the row changes, or its dimensions.
//!
//! In: a row and the facts on names of models. Out: settings of the section `model`. Never looks at
//! machines or layouts.

use super::facts::{Facts, named};
use super::job::{Draft, Refusal, count};
use super::rows::Row;
use super::words;
use crate::catalog::Catalog;
use toml::Value;

/// The model: a known one with what the row changes, or its dimensions.
pub(super) fn model(
    draft: &mut Draft,
    row: &Row,
    facts: &Facts,
    catalog: &Catalog,
) -> Result<(), Refusal> {
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
        draft.layers = draft
            .number("model.layers")
            .or_else(|| preset_layers(&preset.id, catalog));
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
    draft.layers = Some(layers);
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

fn preset_layers(preset: &str, catalog: &Catalog) -> Option<u32> {
    let table: toml::Table = catalog.text("models", preset).ok()?.parse().ok()?;
    let fact = table.get("layers")?;
    u32::try_from(fact.get("value").unwrap_or(fact).as_integer()?).ok()
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
