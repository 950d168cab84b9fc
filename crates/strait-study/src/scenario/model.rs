//! The model of a case: a preset, a Hugging Face configuration, or explicit dimensions.
//!
//! In: `[model]`. Out: a [`Model`]. Explicit keys change single dimensions of a preset.
//! Never counts parameters.

use super::diagnostic::Diagnostic;
use super::lookup;
use super::read::{Reader, Scope};
use crate::catalog::Catalog;
use crate::models::hf;
use std::path::Path;
use strait_training::model::{Activation, Attention, Experts, Extras, Model, Norm};

/// Resolves `[model]`.
pub(super) fn resolve(scope: &Scope<'_>, catalog: &Catalog, reader: &mut Reader) -> Option<Model> {
    let preset = reader.text(scope, "preset");
    let config = reader.text(scope, "hf_config");
    let base = match (&preset, &config) {
        (Some(_), Some(_)) => {
            let d = Diagnostic::error(
                "scenario::two-models",
                "the model is given twice: preset and hf_config",
            )
            .help("remove one of them");
            let d = reader.label(d, "model.preset", &scope.place, "one");
            let d = reader.label(d, "model.hf_config", &scope.place, "two");
            reader.fail(d);
            return None;
        }
        (Some((id, node)), None) => {
            let model = lookup::model(catalog, id, *node, reader)?;
            facts(scope, &model, &format!("models/{id}"), reader);
            Some(model)
        }
        (None, Some((path, node))) => {
            let node = (*node)?;
            let folder = Path::new(&node.place.source.name)
                .parent()
                .unwrap_or(Path::new(""));
            let full = folder.join(path);
            // On the hub every model's file is called config.json: its folder names the model.
            let stem = full.file_stem();
            let name = match stem.and_then(|s| s.to_str()) {
                Some("config") => full.parent().and_then(|p| p.file_name()).or(stem),
                _ => stem,
            }
            .map_or("model".to_owned(), |n| n.to_string_lossy().into_owned());
            let text = match reader.beside.text(&full) {
                Ok(text) => text,
                Err(d) => {
                    reader.fail(d.at(&node.place, "named here"));
                    return None;
                }
            };
            match hf::from_config_json(&text, &name) {
                Ok(model) => {
                    facts(scope, &model, &full.display().to_string(), reader);
                    Some(model)
                }
                Err(error) => {
                    reader.fail(
                        Diagnostic::error(
                            "scenario::hf-config",
                            format!("{} can't be used: {error}", full.display()),
                        )
                        .at(&node.place, "named here")
                        .help("Llama, Mixtral, Qwen2, Qwen3 and DeepSeek configurations are understood; others can be given as explicit dimensions"),
                    );
                    return None;
                }
            }
        }
        (None, None) => {
            // A preset of the wrong form has been reported; it isn't missing.
            if scope.node("preset").is_some() || scope.node("hf_config").is_some() {
                return None;
            }
            None
        }
    };
    let from_scratch = base.is_none();
    if from_scratch && !needed(scope, reader) {
        return None;
    }
    let mut model = base.unwrap_or_else(|| Model {
        name: "model".to_owned(),
        layers: 1,
        hidden: 1,
        ffn: 0,
        vocabulary: 1,
        attention: Attention::Grouped {
            heads: 1,
            kv_heads: 1,
            head_dim: 1,
        },
        experts: None,
        activation: Activation::Gated,
        norm: Norm::Rms,
        biases: false,
        qkv_biases: false,
        qk_norm: false,
        tied: false,
        learned_positions: 0,
        mtp: 0,
        extras: Extras::default(),
    });
    dimensions(&mut model, scope, reader);
    attention(&mut model, from_scratch, scope, reader);
    experts(&mut model, scope, reader);
    if reader.failed {
        return Some(model);
    }
    if let Err(error) = model.check() {
        let error = error.renamed(|field| match field {
            "experts.routed" => "experts",
            "experts.top_k" => "top_k",
            "experts.width" => "expert_ffn",
            "experts.shared_width" => "shared_ffn",
            "experts.every" => "moe_every",
            "experts.groups" => "expert_groups",
            other => other,
        });
        reader.fail(
            Diagnostic::error(
                "scenario::model",
                format!("the model makes no sense: {error}"),
            )
            .at(&scope.place, "")
            .help("correct the dimensions in [model]"),
        );
        return None;
    }
    Some(model)
}

/// Records the dimensions of a preset or configuration that no key changes.
fn facts(scope: &Scope<'_>, model: &Model, entry: &str, reader: &mut Reader) {
    let mut lines: Vec<(&str, String)> = vec![
        ("name", model.name.clone()),
        ("layers", model.layers.to_string()),
        ("hidden", model.hidden.to_string()),
        ("ffn", model.ffn.to_string()),
        ("vocabulary", model.vocabulary.to_string()),
        ("mtp", model.mtp.to_string()),
    ];
    match &model.attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => lines.extend([
            ("heads", heads.to_string()),
            ("kv_heads", kv_heads.to_string()),
            ("head_dim", head_dim.to_string()),
        ]),
        Attention::Latent {
            heads,
            q_rank,
            kv_rank,
            qk_nope_dim,
            qk_rope_dim,
            v_dim,
        } => lines.extend([
            ("heads", heads.to_string()),
            (
                "q_rank",
                q_rank.map_or("none".to_owned(), |r| r.to_string()),
            ),
            ("kv_rank", kv_rank.to_string()),
            ("qk_nope_dim", qk_nope_dim.to_string()),
            ("qk_rope_dim", qk_rope_dim.to_string()),
            ("v_dim", v_dim.to_string()),
        ]),
    }
    if let Some(e) = &model.experts {
        lines.extend([
            ("experts", e.routed.to_string()),
            ("top_k", e.top_k.to_string()),
            ("expert_ffn", e.width.to_string()),
            ("shared_ffn", e.shared_width.to_string()),
            ("first_dense", e.first_dense.to_string()),
            ("moe_every", e.every.to_string()),
            ("expert_groups", e.groups.to_string()),
            ("group_limit", e.group_limit.to_string()),
        ]);
    }
    for (key, value) in lines {
        if scope.node(key).is_none() {
            reader.fact(scope.path(key), value, entry, String::new());
        }
    }
}

/// Reports what an explicit model lacks; whether all of it is there.
fn needed(scope: &Scope<'_>, reader: &mut Reader) -> bool {
    let explicit = scope
        .tables
        .iter()
        .any(|t| t.entries.iter().any(|e| e.name != "name"));
    if !explicit {
        reader.fail(
            Diagnostic::error("scenario::missing-key", "[model] names no model")
                .at(&scope.place, "no `preset`, `hf_config` or dimensions here")
                .help("for example: preset = \"deepseek-v3\"")
                .help("all models: strait catalog list models"),
        );
        return false;
    }
    let mut complete = true;
    let mut keys = vec!["layers", "hidden", "vocabulary", "heads"];
    if scope.node("experts").is_some() {
        keys.extend(["top_k", "expert_ffn"]);
    } else {
        keys.push("ffn");
    }
    if scope.node("kv_rank").is_some() {
        keys.extend(["qk_nope_dim", "qk_rope_dim", "v_dim"]);
    }
    for key in keys {
        if scope.node(key).is_none() {
            complete = false;
            reader.missing(scope, key);
        }
    }
    complete
}

fn dimensions(model: &mut Model, scope: &Scope<'_>, reader: &mut Reader) {
    if let Some((name, _)) = reader.text(scope, "name") {
        model.name = name;
    }
    for (key, field) in [
        ("layers", &mut model.layers),
        ("hidden", &mut model.hidden),
        ("ffn", &mut model.ffn),
        ("vocabulary", &mut model.vocabulary),
        ("learned_positions", &mut model.learned_positions),
        ("mtp", &mut model.mtp),
    ] {
        if let Some(value) = reader.count(scope, key) {
            *field = value;
        }
    }
    for (key, field) in [
        ("biases", &mut model.biases),
        ("qkv_biases", &mut model.qkv_biases),
        ("qk_norm", &mut model.qk_norm),
        ("tied", &mut model.tied),
    ] {
        if let Some(value) = reader.flag(scope, key) {
            *field = value;
        }
    }
    match reader.word(scope, "activation") {
        Some("plain") => model.activation = Activation::Plain,
        Some(_) => model.activation = Activation::Gated,
        None => {}
    }
    match reader.word(scope, "norm") {
        Some("layer") => model.norm = Norm::Layer,
        Some(_) => model.norm = Norm::Rms,
        None => {}
    }
}

fn attention(model: &mut Model, from_scratch: bool, scope: &Scope<'_>, reader: &mut Reader) {
    let own_heads = reader.count(scope, "heads");
    let own_kv_heads = reader.count(scope, "kv_heads");
    let own_head_dim = reader.count(scope, "head_dim");
    let own_q_rank = reader.amount(scope, "q_rank").map(|r| r.map(|v| v as u32));
    let own_kv_rank = reader.count(scope, "kv_rank");
    let nope = reader.count(scope, "qk_nope_dim");
    let rope = reader.count(scope, "qk_rope_dim");
    let v = reader.count(scope, "v_dim");
    let latent = own_kv_rank.is_some() || matches!(model.attention, Attention::Latent { .. });
    if latent {
        let strange = [("kv_heads", own_kv_heads), ("head_dim", own_head_dim)];
        for (key, value) in strange {
            if value.is_some() {
                let d = Diagnostic::error(
                    "scenario::attention-kind",
                    format!("`model.{key}` has no meaning with latent attention"),
                )
                .help("latent attention has q_rank, kv_rank, qk_nope_dim, qk_rope_dim and v_dim");
                let d = reader.label(d, &scope.path(key), &scope.place, "");
                reader.fail(d);
            }
        }
        let old = match model.attention {
            Attention::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            } => (heads, q_rank, kv_rank, qk_nope_dim, qk_rope_dim, v_dim),
            Attention::Grouped {
                heads, head_dim, ..
            } => (heads, None, 1, head_dim, head_dim.div_ceil(2), head_dim),
        };
        model.attention = Attention::Latent {
            heads: own_heads.unwrap_or(old.0),
            q_rank: own_q_rank.unwrap_or(old.1),
            kv_rank: own_kv_rank.unwrap_or(old.2),
            qk_nope_dim: nope.unwrap_or(old.3),
            qk_rope_dim: rope.unwrap_or(old.4),
            v_dim: v.unwrap_or(old.5),
        };
        return;
    }
    for key in ["q_rank", "qk_nope_dim", "qk_rope_dim", "v_dim"] {
        if scope.node(key).is_some() {
            let d = Diagnostic::error(
                "scenario::attention-kind",
                format!("`model.{key}` is of latent attention, which `kv_rank` selects"),
            )
            .help("give kv_rank as well, or leave it out");
            let d = reader.label(d, &scope.path(key), &scope.place, "");
            reader.fail(d);
        }
    }
    if let Attention::Grouped {
        heads,
        kv_heads,
        head_dim,
    } = &mut model.attention
    {
        let plain = *heads == *kv_heads;
        if let Some(value) = own_heads {
            *heads = value;
            // Plain multi-head attention stays plain.
            if plain {
                *kv_heads = value;
            }
        }
        if let Some(value) = own_kv_heads {
            *kv_heads = value;
        } else if from_scratch {
            reader.because(
                scope,
                "kv_heads",
                *kv_heads,
                "as heads: plain multi-head attention".to_owned(),
            );
        }
        match own_head_dim {
            Some(value) => *head_dim = value,
            None if from_scratch => {
                let hidden = model.hidden;
                if *heads == 0 || !hidden.is_multiple_of(*heads) {
                    let d = Diagnostic::error(
                        "scenario::head-width",
                        format!("{heads} heads do not divide the hidden width {hidden}"),
                    )
                    .help("give head_dim as well");
                    let d = reader.label(d, "model.heads", &scope.place, "");
                    let d = reader.label(d, "model.hidden", &scope.place, "");
                    reader.fail(d);
                    return;
                }
                *head_dim = hidden / *heads;
                reader.because(scope, "head_dim", *head_dim, "hidden / heads".to_owned());
            }
            None => {}
        }
    }
}

fn experts(model: &mut Model, scope: &Scope<'_>, reader: &mut Reader) {
    let routed = reader.amount(scope, "experts").map(|r| r.map(|v| v as u32));
    let keys = [
        "top_k",
        "expert_ffn",
        "shared_ffn",
        "first_dense",
        "moe_every",
        "expert_groups",
        "group_limit",
    ];
    let values: Vec<Option<u32>> = keys.iter().map(|key| reader.count(scope, key)).collect();
    match routed {
        Some(None) => {
            model.experts = None;
            return;
        }
        Some(Some(number)) => match &mut model.experts {
            Some(experts) => experts.routed = number,
            None => {
                model.experts = Some(Experts {
                    routed: number,
                    top_k: 1,
                    width: model.ffn,
                    shared_width: 0,
                    first_dense: 0,
                    every: 1,
                    groups: 1,
                    group_limit: 1,
                });
            }
        },
        // Experts that can't be read have been reported: they aren't missing.
        None if scope.node("experts").is_some() => return,
        None => {}
    }
    let Some(experts) = &mut model.experts else {
        for key in keys {
            if scope.node(key).is_some() {
                let d = Diagnostic::error(
                    "scenario::no-experts",
                    format!("`model.{key}` has no meaning: the model has no experts"),
                )
                .help("give `experts` as well, or leave it out");
                let d = reader.label(d, &scope.path(key), &scope.place, "");
                reader.fail(d);
            }
        }
        return;
    };
    let fields = [
        &mut experts.top_k,
        &mut experts.width,
        &mut experts.shared_width,
        &mut experts.first_dense,
        &mut experts.every,
        &mut experts.groups,
        &mut experts.group_limit,
    ];
    for (field, value) in fields.into_iter().zip(values) {
        if let Some(value) = value {
            *field = value;
        }
    }
}
