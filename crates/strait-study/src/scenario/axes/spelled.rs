//! How values are spelled in settings and for people.
//!
//! In: nodes, numbers, texts. Out: TOML on one line, and what people read. Never resolves a value.

use super::super::tree::{Data, Node};
use super::super::unit;

/// A number as text, the same number read back, and the unit.
pub(in super::super) fn written(
    number: f64,
    unit: Option<String>,
) -> (String, Option<f64>, Option<String>) {
    // Nine digits: no more than anybody knows, and without the dust of arithmetic.
    let figure = unit::figure(number);
    let number = figure.parse().unwrap_or(number);
    let text = match &unit {
        Some(unit) => format!("{figure} {unit}"),
        None => figure,
    };
    (text, Some(number), unit)
}
/// A text as a TOML value: a string where it has a unit.
pub(super) fn setting(text: &str, unit: bool) -> String {
    if unit { quoted(text) } else { text.to_owned() }
}
/// A value as people read it.
pub(super) fn told(node: &Node) -> String {
    match &node.data {
        Data::Text(text) => text.clone(),
        _ => node.print(),
    }
}

/// A string as TOML; strings of JSON are strings of TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value as TOML, on one line.
pub(super) fn toml(node: &Node) -> String {
    match &node.data {
        Data::Text(text) => quoted(text),
        Data::List(list) => {
            let parts: Vec<String> = list.iter().map(toml).collect();
            format!("[{}]", parts.join(", "))
        }
        Data::Table(table) => {
            let parts: Vec<String> = (table.entries.iter())
                .map(|entry| format!("{} = {}", quoted(&entry.name), toml(&entry.node)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Data::Float(number) if number.fract() == 0.0 => format!("{number:e}"),
        _ => node.print(),
    }
}
