//! A model from the `config.json` that Hugging Face's transformers library reads.
//!
//! In: the text of the file. Out: a [`Model`], with the defaults that the library itself
//! would use for absent keys. Never ignores a key that would change the architecture:
//! what Strait cannot represent is an error.

use serde_json::{Map, Value};
use strait_training::model::{
    Activation, Attention, Experts, Extras, Model, ModelError, Norm, Window,
};

/// Architectures that can be imported, as `architectures` and `model_type` name them.
const SUPPORTED: [(&str, &str, Family); 8] = [
    ("LlamaForCausalLM", "llama", Family::Llama),
    ("MixtralForCausalLM", "mixtral", Family::Mixtral),
    ("Qwen2ForCausalLM", "qwen2", Family::Qwen2),
    ("Qwen3ForCausalLM", "qwen3", Family::Qwen3),
    ("Qwen2MoeForCausalLM", "qwen2_moe", Family::Qwen2Moe),
    ("Qwen3MoeForCausalLM", "qwen3_moe", Family::Qwen3Moe),
    ("DeepseekV2ForCausalLM", "deepseek_v2", Family::DeepseekV2),
    ("DeepseekV3ForCausalLM", "deepseek_v3", Family::DeepseekV3),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Llama,
    Mixtral,
    Qwen2,
    Qwen3,
    Qwen2Moe,
    Qwen3Moe,
    DeepseekV2,
    DeepseekV3,
}

/// Why a `config.json` is not a model that Strait can train.
#[derive(Debug, thiserror::Error)]
pub enum HfError {
    /// Not JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but no object.
    #[error("expected a JSON object with the model's keys, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// Neither `architectures` nor `model_type` says what model it is.
    #[error(
        "key `architectures` is missing: expected a list with one of {}",
        supported()
    )]
    NoArchitecture,
    /// An architecture that cannot be imported.
    #[error(
        "`{key}` is `{found}`, which is not supported; supported: {}{}",
        supported(),
        did_you_mean(suggestion.as_deref())
    )]
    UnsupportedArchitecture {
        /// The key that names it.
        key: &'static str,
        /// Its name.
        found: String,
        /// A supported one with a similar name.
        suggestion: Option<String>,
    },
    /// A key without which the model is not defined.
    #[error("key `{key}` is missing ({architecture} needs it)")]
    Missing {
        /// The key.
        key: &'static str,
        /// The architecture that needs it.
        architecture: &'static str,
    },
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, found {found}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A number that no model can have.
    #[error("`{key}` is {value}: {why}")]
    Nonsense {
        /// The key.
        key: &'static str,
        /// Its value as written.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A feature that Strait does not represent.
    #[error("`{key}` is {value}, which Strait cannot represent: {why}")]
    UnsupportedFeature {
        /// The key.
        key: &'static str,
        /// Its value as written.
        value: String,
        /// What it would mean.
        why: &'static str,
    },
    /// Values that do not go together.
    #[error(transparent)]
    Model(#[from] ModelError),
}

fn supported() -> String {
    SUPPORTED.map(|(name, _, _)| name).join(", ")
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// Reads the text of a `config.json`. `name` is what people will call the model.
///
/// # Errors
/// [`HfError`], which names the key at fault.
pub fn from_config_json(text: &str, name: &str) -> Result<Model, HfError> {
    let value: Value = serde_json::from_str(text)?;
    let Value::Object(map) = &value else {
        return Err(HfError::NotAnObject {
            found: type_name(&value),
        });
    };
    let (architecture, family) = family(map)?;
    let config = Config { map, architecture };
    let model = config.model(family, name)?;
    model
        .check()
        .map_err(|error| error.renamed(|field| key_of(family, field)))?;
    Ok(model)
}

/// Which architecture the file names.
fn family(map: &Map<String, Value>) -> Result<(&'static str, Family), HfError> {
    let (key, found) = match (map.get("architectures"), map.get("model_type")) {
        (Some(Value::Array(list)), _) if !list.is_empty() => match list.as_slice() {
            [Value::String(one)] => ("architectures", one),
            [Value::String(_), ..] => {
                return Err(wrong("architectures", "a list of one name", &list[1]));
            }
            [other, ..] => return Err(wrong("architectures", "a list of one name", other)),
            [] => return Err(HfError::NoArchitecture),
        },
        (None | Some(Value::Null | Value::Array(_)), Some(Value::String(one))) => {
            ("model_type", one)
        }
        (None | Some(Value::Null | Value::Array(_)), _) => return Err(HfError::NoArchitecture),
        (Some(other), _) => return Err(wrong("architectures", "a list of one name", other)),
    };
    if let Some(&(name, _, family)) = SUPPORTED
        .iter()
        .find(|(name, kind, _)| found == name || (key == "model_type" && found == kind))
    {
        return Ok((name, family));
    }
    let suggestion = SUPPORTED
        .iter()
        .map(|&(name, kind, _)| if key == "model_type" { kind } else { name })
        .map(|name| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &found.to_lowercase()),
                name,
            )
        })
        .filter(|&(similarity, _)| similarity > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned());
    Err(HfError::UnsupportedArchitecture {
        key,
        found: excerpt(found),
        suggestion,
    })
}

/// The key from which a field of the model came, for errors that compare fields.
fn key_of(family: Family, field: &'static str) -> &'static str {
    use Family::{DeepseekV2, DeepseekV3, Mixtral};
    let deepseek = matches!(family, DeepseekV2 | DeepseekV3);
    match field {
        "layers" => "num_hidden_layers",
        "hidden" => "hidden_size",
        "ffn" => "intermediate_size",
        "vocabulary" => "vocab_size",
        "heads" => "num_attention_heads",
        "kv_heads" => "num_key_value_heads",
        "q_rank" => "q_lora_rank",
        "kv_rank" => "kv_lora_rank",
        "qk_nope_dim" => "qk_nope_head_dim",
        "qk_rope_dim" => "qk_rope_head_dim",
        "v_dim" => "v_head_dim",
        "mtp" => "num_nextn_predict_layers",
        "window" => "sliding_window",
        "experts.routed" if deepseek => "n_routed_experts",
        "experts.routed" if family == Mixtral => "num_local_experts",
        "experts.routed" => "num_experts",
        "experts.top_k" => "num_experts_per_tok",
        "experts.width" if family == Mixtral => "intermediate_size",
        "experts.width" => "moe_intermediate_size",
        "experts.shared_width" if deepseek => "n_shared_experts × moe_intermediate_size",
        "experts.shared_width" => "shared_expert_intermediate_size",
        "experts.first_dense" if deepseek => "first_k_dense_replace",
        "experts.every" if deepseek => "moe_layer_freq",
        "experts.every" | "experts.first_dense" => "decoder_sparse_step",
        "experts.groups" => "n_group",
        "experts.group_limit" => "topk_group",
        other => other,
    }
}

/// The keys of one file.
struct Config<'a> {
    map: &'a Map<String, Value>,
    architecture: &'static str,
}

impl Config<'_> {
    fn model(&self, family: Family, name: &str) -> Result<Model, HfError> {
        use Family::{DeepseekV2, DeepseekV3, Llama, Mixtral, Qwen2, Qwen2Moe, Qwen3, Qwen3Moe};
        let layers = self.size("num_hidden_layers")?;
        let experts = match family {
            Llama | Qwen2 | Qwen3 => None,
            Mixtral => Some(self.mixtral_experts()?),
            Qwen2Moe | Qwen3Moe => self.qwen_experts(family, layers)?,
            DeepseekV2 | DeepseekV3 => self.deepseek_experts(layers)?,
        };
        let shared_gate =
            family == Qwen2Moe && experts.as_ref().is_some_and(|e| e.shared_width > 0);
        // Keys and values of attention proper; Qwen2 has these biases always.
        let attention_bias = match family {
            Qwen2 => false,
            Qwen2Moe | Mixtral => false,
            _ => self.flag("attention_bias", false)?,
        };
        let qwen2_bias = match family {
            Qwen2 => true,
            Qwen2Moe => self.flag("qkv_bias", true)?,
            _ => false,
        };
        let mlp_bias = family == Llama && self.flag("mlp_bias", false)?;
        if mlp_bias && !attention_bias {
            return Err(HfError::UnsupportedFeature {
                key: "mlp_bias",
                value: "true".into(),
                why: "biases in the feed-forward network alone, without `attention_bias`",
            });
        }
        let router_bias = family == DeepseekV3
            && experts.is_some()
            && self.text("topk_method")?.is_none_or(|m| m == "noaux_tc");
        Ok(Model {
            name: name.to_owned(),
            layers,
            hidden: self.size("hidden_size")?,
            // A Mixtral layer has no dense network: the key is its experts' width.
            ffn: if family == Mixtral {
                0
            } else {
                self.size("intermediate_size")?
            },
            vocabulary: self.size("vocab_size")?,
            attention: match family {
                DeepseekV2 | DeepseekV3 => self.latent_attention()?,
                _ => self.grouped_attention(family)?,
            },
            activation: Activation::Gated,
            norm: Norm::Rms,
            biases: mlp_bias,
            qkv_biases: qwen2_bias || attention_bias,
            qk_norm: matches!(family, Qwen3 | Qwen3Moe),
            tied: self.flag("tie_word_embeddings", false)?,
            learned_positions: 0,
            mtp: if family == DeepseekV3 {
                self.count("num_nextn_predict_layers")?.unwrap_or(0)
            } else {
                0
            },
            extras: Extras {
                router_bias,
                shared_gate,
                output_bias: attention_bias,
                window: self.window(family, layers)?,
                ..Extras::default()
            },
            experts,
        })
    }

    fn grouped_attention(&self, family: Family) -> Result<Attention, HfError> {
        let heads = self.size("num_attention_heads")?;
        // `null` means multi-head attention to all of them; only Llama lets it be absent.
        let kv_heads = match self.map.get("num_key_value_heads") {
            Some(Value::Null) => heads,
            None if family == Family::Llama => heads,
            _ => self.size("num_key_value_heads")?,
        };
        let head_dim = match (self.optional_size("head_dim")?, family) {
            (Some(width), _) => width,
            (None, Family::Qwen3) => 128,
            (None, _) => {
                let hidden = self.size("hidden_size")?;
                if !hidden.is_multiple_of(heads) {
                    return Err(HfError::Nonsense {
                        key: "num_attention_heads",
                        value: heads.to_string(),
                        why: format!(
                            "it does not divide `hidden_size` ({hidden}), and `head_dim` is not given"
                        ),
                    });
                }
                hidden / heads
            }
        };
        Ok(Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        })
    }

    fn latent_attention(&self) -> Result<Attention, HfError> {
        Ok(Attention::Latent {
            heads: self.size("num_attention_heads")?,
            // `null` says that queries are not compressed; absence says nothing.
            q_rank: match self.map.get("q_lora_rank") {
                Some(Value::Null) => None,
                _ => Some(self.size("q_lora_rank")?),
            },
            kv_rank: self.size("kv_lora_rank")?,
            qk_nope_dim: self.size("qk_nope_head_dim")?,
            qk_rope_dim: self.size("qk_rope_head_dim")?,
            v_dim: self.size("v_head_dim")?,
        })
    }

    fn mixtral_experts(&self) -> Result<Experts, HfError> {
        Ok(Experts {
            routed: self.size("num_local_experts")?,
            top_k: self.size("num_experts_per_tok")?,
            width: self.size("intermediate_size")?,
            shared_width: 0,
            first_dense: 0,
            every: 1,
            groups: 1,
            group_limit: 1,
        })
    }

    fn qwen_experts(&self, family: Family, layers: u32) -> Result<Option<Experts>, HfError> {
        let step = self.optional_size("decoder_sparse_step")?.unwrap_or(1);
        let dense_layers = self.indices("mlp_only_layers")?;
        let is_moe = |layer: u32| {
            (layer + 1).is_multiple_of(step) && !dense_layers.contains(&u64::from(layer))
        };
        let Some((first_dense, every)) = self.moe_pattern("mlp_only_layers", layers, is_moe)?
        else {
            return Ok(None);
        };
        Ok(Some(Experts {
            routed: self.size("num_experts")?,
            top_k: self.size("num_experts_per_tok")?,
            width: self.size("moe_intermediate_size")?,
            shared_width: if family == Family::Qwen2Moe {
                self.count("shared_expert_intermediate_size")?
                    .ok_or_else(|| self.missing("shared_expert_intermediate_size"))?
            } else {
                0
            },
            first_dense,
            every,
            groups: 1,
            group_limit: 1,
        }))
    }

    fn deepseek_experts(&self, layers: u32) -> Result<Option<Experts>, HfError> {
        // The library builds a dense model where `n_routed_experts` is null.
        if self.map.get("n_routed_experts") == Some(&Value::Null) {
            return Ok(None);
        }
        let first = self
            .count("first_k_dense_replace")?
            .ok_or_else(|| self.missing("first_k_dense_replace"))?;
        let step = self.optional_size("moe_layer_freq")?.unwrap_or(1);
        let is_moe = |layer: u32| layer >= first && layer.is_multiple_of(step);
        let Some((first_dense, every)) = self.moe_pattern("moe_layer_freq", layers, is_moe)? else {
            return Ok(None);
        };
        let width = self.size("moe_intermediate_size")?;
        let shared = self.count("n_shared_experts")?.unwrap_or(0);
        let groups = self.optional_size("n_group")?.unwrap_or(1);
        Ok(Some(Experts {
            routed: self.size("n_routed_experts")?,
            top_k: self.size("num_experts_per_tok")?,
            width,
            shared_width: shared.checked_mul(width).ok_or_else(|| HfError::Nonsense {
                key: "n_shared_experts",
                value: shared.to_string(),
                why: "too large".into(),
            })?,
            first_dense,
            every,
            groups,
            group_limit: self.optional_size("topk_group")?.unwrap_or(groups),
        }))
    }

    /// Which layers are MoE, as a first one and a step; `None` where none is.
    fn moe_pattern(
        &self,
        key: &'static str,
        layers: u32,
        is_moe: impl Fn(u32) -> bool,
    ) -> Result<Option<(u32, u32)>, HfError> {
        let mut moe = (0..layers).filter(|&layer| is_moe(layer));
        let Some(first) = moe.next() else {
            return Ok(None);
        };
        let every = moe.next().map_or(layers - first, |second| second - first);
        let regular =
            (0..layers).all(|l| is_moe(l) == (l >= first && (l - first).is_multiple_of(every)));
        if !regular {
            return Err(HfError::UnsupportedFeature {
                key,
                value: self
                    .map
                    .get(key)
                    .map_or("absent".into(), |value| excerpt(&value.to_string())),
                why: "dense and MoE layers in an irregular order",
            });
        }
        Ok(Some((first, every)))
    }

    fn window(&self, family: Family, layers: u32) -> Result<Option<Window>, HfError> {
        use Family::{Mixtral, Qwen2, Qwen2Moe, Qwen3, Qwen3Moe};
        match family {
            Mixtral => Ok(self.optional_size("sliding_window")?.map(|tokens| Window {
                tokens,
                full_every: 0,
            })),
            // These windows begin at a layer; with none past the last there is none.
            Qwen2 | Qwen3 | Qwen2Moe | Qwen3Moe
                if self.flag("use_sliding_window", false)?
                    && self
                        .count("max_window_layers")?
                        .is_none_or(|first| first < layers) =>
            {
                Err(HfError::UnsupportedFeature {
                    key: "use_sliding_window",
                    value: "true".into(),
                    why: "a window in the layers from `max_window_layers` on",
                })
            }
            _ => Ok(None),
        }
    }

    fn missing(&self, key: &'static str) -> HfError {
        HfError::Missing {
            key,
            architecture: self.architecture,
        }
    }

    /// A whole number of at least one that must be there.
    fn size(&self, key: &'static str) -> Result<u32, HfError> {
        self.optional_size(key)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number of at least one, or none.
    fn optional_size(&self, key: &'static str) -> Result<Option<u32>, HfError> {
        match self.count(key)? {
            Some(0) => Err(HfError::Nonsense {
                key,
                value: "0".into(),
                why: "must be at least 1".into(),
            }),
            value => Ok(value),
        }
    }

    /// A whole number, which may be zero, or none (absent or null).
    fn count(&self, key: &'static str) -> Result<Option<u32>, HfError> {
        let value = match self.map.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let Value::Number(number) = value else {
            return Err(wrong(key, "a whole number", value));
        };
        if let Some(number) = number.as_u64() {
            // Above every limit of `Model::check`, and far above any layer count that the
            // loops here could not walk through.
            const MOST: u64 = 1 << 24;
            let most = if key == "num_hidden_layers" {
                100_000
            } else {
                MOST
            };
            return match u32::try_from(number) {
                Ok(size) if number <= most => Ok(Some(size)),
                // Windows beyond any sequence are a way to write "none".
                Ok(size) if key == "sliding_window" => Ok(Some(size)),
                _ => Err(HfError::Nonsense {
                    key,
                    value: number.to_string(),
                    why: format!("more than the {most} that Strait accepts"),
                }),
            };
        }
        if number.as_i64().is_some() {
            return Err(HfError::Nonsense {
                key,
                value: number.to_string(),
                why: "must not be negative".into(),
            });
        }
        Err(wrong(key, "a whole number", value))
    }

    /// True or false, `default` where absent or null.
    fn flag(&self, key: &'static str, default: bool) -> Result<bool, HfError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(value) => Err(wrong(key, "true or false", value)),
        }
    }

    /// A string, or none.
    fn text(&self, key: &'static str) -> Result<Option<&str>, HfError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(value) => Err(wrong(key, "a string", value)),
        }
    }

    /// A list of layer numbers; empty where absent or null.
    fn indices(&self, key: &'static str) -> Result<std::collections::BTreeSet<u64>, HfError> {
        let list = match self.map.get(key) {
            None | Some(Value::Null) => return Ok(Default::default()),
            Some(Value::Array(list)) => list,
            Some(value) => return Err(wrong(key, "a list of layer numbers", value)),
        };
        list.iter()
            .map(|item| {
                item.as_u64()
                    .ok_or_else(|| wrong(key, "a list of layer numbers", item))
            })
            .collect()
    }
}

fn wrong(key: &'static str, expected: &'static str, value: &Value) -> HfError {
    let found = match value {
        Value::String(text) => format!("the string {:?}", excerpt(text)),
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(value) => format!("{value}"),
        other => type_name(other).to_owned(),
    };
    HfError::WrongType {
        key,
        expected,
        found,
    }
}

/// The beginning of a text, so that a message stays one line whatever the file holds.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
