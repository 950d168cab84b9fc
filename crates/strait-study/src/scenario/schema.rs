//! The JSON Schema of scenario files, for editors.
//!
//! In: the key table. Out: a schema (draft 7, which TOML editors understand). Never knows
//! a key that the key table doesn't.

use super::keys::{Choice, Key, Kind, ROOT, Section};
use serde_json::{Map, Value, json};

/// The schema.
pub fn schema() -> Value {
    let mut out = Map::new();
    out.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    out.insert("title".to_owned(), json!("Strait scenario"));
    if let Value::Object(root) = section(&ROOT, true) {
        out.extend(root);
    }
    out.insert(
        "definitions".to_owned(),
        json!({
            "range": {
                "type": "object",
                "description": "A number that is not known exactly. A single run uses the mode, or the middle of low and high; of choices, the likeliest.",
                "properties": {
                    "low": { "type": ["number", "string"], "description": "Low end." },
                    "mode": { "type": ["number", "string"], "description": "Likeliest value." },
                    "high": { "type": ["number", "string"], "description": "High end." },
                    "shape": words(SHAPES),
                    "choices": { "type": "array", "minItems": 1, "items": { "type": ["number", "string"] }, "description": "The values that it may have, in place of low and high." },
                    "weights": weights(),
                    "factor": factor(),
                    "why": why()
                },
                "anyOf": [ { "required": ["low", "high", "why"] }, { "required": ["choices", "why"] } ],
                "additionalProperties": false
            },
            "choices": {
                "type": "object",
                "description": "A setting that may be one of several. A single run uses the likeliest.",
                "properties": {
                    "choices": { "type": "array", "minItems": 1, "items": { "type": ["string", "boolean"] }, "description": "The values that it may have." },
                    "weights": weights(),
                    "factor": factor(),
                    "why": why()
                },
                "required": ["choices", "why"],
                "additionalProperties": false
            }
        }),
    );
    Value::Object(out)
}

/// What `shape` may be.
const SHAPES: &[Choice] = &[
    Choice {
        name: "pert",
        doc: "Beta between low and high with its top at the mode, of weight four; the default.",
    },
    Choice {
        name: "triangular",
        doc: "A triangle from low over the mode to high.",
    },
    Choice {
        name: "uniform",
        doc: "Everything between low and high alike.",
    },
    Choice {
        name: "lognormal",
        doc: "Normal in the logarithm; low and high hold nine values in ten between them.",
    },
    Choice {
        name: "normal",
        doc: "Normal; low and high hold nine values in ten between them.",
    },
];

fn weights() -> Value {
    json!({ "type": "array", "items": { "type": "number", "minimum": 0 }, "description": "How likely each choice is, in any unit; all alike where not given." })
}

fn factor() -> Value {
    json!({ "type": "string", "minLength": 1, "description": "Name of the [[factor]] that it moves with." })
}

fn why() -> Value {
    json!({ "type": "string", "minLength": 1, "description": "Where the range comes from." })
}

/// The schema as the committed file has it.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    text.push('\n');
    text
}

fn section(section: &Section, root: bool) -> Value {
    let mut properties = Map::new();
    // What a file says about itself and others is no setting that may be one of several.
    let settings = ![
        "[[claim]]",
        "[[case]]",
        "[[factor]]",
        "[sweep]",
        "[[sweep.axis]]",
        "[[sweep.axis.option]]",
    ]
    .contains(&section.title);
    for key in section.keys {
        properties.insert(key.name.to_owned(), property(key, settings));
    }
    let mut out = Map::new();
    out.insert("type".to_owned(), json!("object"));
    out.insert("description".to_owned(), json!(section.doc));
    out.insert("properties".to_owned(), Value::Object(properties));
    // A child of `extends` may leave required keys to its parent: only lists of tables,
    // which are replaced whole, can be held to them.
    let list = section.title.starts_with("[[");
    let required: Vec<&str> = section
        .keys
        .iter()
        .filter(|k| k.required && list && !root)
        .map(|k| k.name)
        .collect();
    if !required.is_empty() {
        out.insert("required".to_owned(), json!(required));
    }
    out.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(out)
}

fn property(key: &Key, setting: bool) -> Value {
    let value = match key.kind {
        Kind::Choice(_) | Kind::Catalogue(_) | Kind::Bool if setting => json!({ "anyOf": [
            kind(key.kind),
            { "$ref": "#/definitions/choices" }
        ] }),
        of => kind(of),
    };
    let mut value = match value {
        Value::Object(map) => map,
        other => return other,
    };
    let mut doc = key.doc.to_owned();
    if let Some(default) = &key.default {
        let rule = if default.value.is_empty() {
            format!(" Default: {}.", default.why)
        } else {
            format!(" Default: {} ({}).", default.value, default.why)
        };
        doc.push_str(&rule);
    }
    value.insert("description".to_owned(), json!(doc));
    Value::Object(value)
}

fn words(choices: &[Choice]) -> Value {
    let options: Vec<Value> = choices
        .iter()
        .map(|c| json!({ "const": c.name, "description": c.doc }))
        .collect();
    json!({ "type": "string", "oneOf": options })
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Catalogue(of) => {
            json!({ "type": "string", "minLength": 1, "examples": [format!("an id of catalog/{of}")] })
        }
        // Editors see TOML dates as strings.
        Kind::Date | Kind::Rule => json!({ "type": ["string", "integer"] }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Choice(choices) => words(choices),
        Kind::Count { min, max, none } => {
            let mut options = vec![
                json!({ "type": "integer", "minimum": min, "maximum": max }),
                json!({ "type": "string", "pattern": "^[0-9]+ to [0-9]+$" }),
                json!({ "$ref": "#/definitions/range" }),
            ];
            if none {
                options.push(json!({ "const": "none" }));
            }
            json!({ "anyOf": options })
        }
        Kind::Number { min, max } => json!({ "anyOf": [
            { "type": "number", "minimum": min, "maximum": max },
            { "type": "string", "pattern": "%|( to )" },
            { "$ref": "#/definitions/range" }
        ] }),
        Kind::Quantity { dimension, .. } => json!({ "anyOf": [
            { "type": "string", "minLength": 1, "examples": [dimension.example("")] },
            { "$ref": "#/definitions/range" }
        ] }),
        Kind::WordOrQuantity {
            words: choices,
            dimension,
            ..
        } => json!({ "anyOf": [
            words(choices),
            { "type": "string", "minLength": 1, "examples": [dimension.example("")] },
            { "$ref": "#/definitions/range" }
        ] }),
        Kind::Counts { max } => json!({
            "type": "array",
            "minItems": 1,
            "items": { "type": "integer", "minimum": 0, "maximum": max }
        }),
        Kind::Texts => json!({
            "type": "array",
            "minItems": 1,
            "items": { "type": "string", "minLength": 1 }
        }),
        Kind::WordOrList(one, many) => json!({ "anyOf": [
            words(one),
            { "type": "array", "items": words(many), "uniqueItems": true }
        ] }),
        Kind::Table(inner) => section(inner, false),
        Kind::Tables(inner) => json!({ "type": "array", "items": section(inner, false) }),
        Kind::Settings => json!({ "type": "object" }),
        Kind::Stated => json!({ "type": ["string", "number"] }),
        // Of any key: what they may be, that key says.
        Kind::Values => json!({ "type": ["array", "string", "number"] }),
    }
}
