//! Ranges of a scenario: two ends, a table of ends and shape, or a list of choices.
//!
//! In: a value of the tree and the kind of its key. Out: an [`Amount`] with its [`Spread`], or all
//! that is wrong with it. Never draws.

use super::amount::{Alternative, Amount, Shape, Spread, print, scalar};
use super::check::wrong_type;
use super::diagnostic::Diagnostic;
use super::keys::Kind;
use super::tree::{Data, Node, Table};

pub(super) fn range_text(
    kind: Kind,
    node: &Node,
    path: &str,
    low: &str,
    high: &str,
) -> Result<Amount, Vec<Diagnostic>> {
    // "1.5 to 3 USD/h": the low end takes the unit of the high one if it has none.
    let low = if low.parse::<f64>().is_ok() {
        let digits = high
            .find(|c: char| !(c.is_ascii_digit() || ".,_+-".contains(c)))
            .unwrap_or(high.len());
        format!("{low}{}", &high[digits..])
    } else {
        low.to_owned()
    };
    let piece = |text: String| -> Result<f64, Vec<Diagnostic>> {
        let data = match kind {
            Kind::Quantity { .. } => Data::Text(text),
            Kind::Count { .. } => match text.trim().parse::<i64>() {
                Ok(i) => Data::Integer(i),
                Err(_) => Data::Text(text),
            },
            _ => match text.trim().parse::<f64>() {
                Ok(f) => Data::Float(f),
                Err(_) => Data::Text(text),
            },
        };
        let node = Node {
            data,
            ..node.clone()
        };
        scalar(kind, &node, path).map_err(|d| vec![d])
    };
    let low = piece(low)?;
    let high = piece(high.to_owned())?;
    let shape = if low > 0.0 {
        Shape::Lognormal
    } else {
        Shape::Normal
    };
    let ends = Ends {
        low,
        mode: None,
        high,
    };
    finish(kind, node, path, shape, ends, (String::new(), None))
}

/// What a range may look like, for messages.
const FORM: &str =
    "a range is { low = …, mode = …, high = …, why = \"…\" }, or { choices = [ … ], why = \"…\" }";

/// Keys of a range.
const KEYS: [&str; 8] = [
    "low", "mode", "high", "choices", "weights", "shape", "factor", "why",
];

/// The keys of a range that are no keys.
fn unknown_keys(table: &Table, path: &str, errors: &mut Vec<Diagnostic>) {
    for entry in &table.entries {
        if !KEYS.contains(&entry.name.as_str()) {
            errors.push(
                Diagnostic::error(
                    "scenario::unknown-key",
                    format!("unknown key `{}` in the range of `{path}`", entry.name),
                )
                .at(&entry.key, "not a key here")
                .help(FORM),
            );
        }
    }
}

/// Why a range is what it is, and the factor that it moves with.
fn reasons(
    table: &Table,
    node: &Node,
    path: &str,
    errors: &mut Vec<Diagnostic>,
) -> (String, Option<String>) {
    let why = match table.get("why").map(|e| (&e.node, e.node.text())) {
        Some((_, Some(text))) if !text.trim().is_empty() => text.to_owned(),
        Some((other, _)) => {
            errors.push(wrong_type(
                other,
                &format!("{path}.why"),
                "a reason in words",
                "\"market prices of 2024\"",
            ));
            String::new()
        }
        None => {
            errors.push(
                Diagnostic::error(
                    "scenario::missing-key",
                    format!("the range of `{path}` needs `why`"),
                )
                .at(&node.place, "`why` is missing here")
                .help("say in words where the range comes from: why = \"…\""),
            );
            String::new()
        }
    };
    let factor = match table.get("factor").map(|e| (&e.node, e.node.text())) {
        Some((_, Some(text))) if !text.trim().is_empty() => Some(text.to_owned()),
        Some((other, _)) => {
            errors.push(wrong_type(
                other,
                &format!("{path}.factor"),
                "the name of a [[factor]]",
                "\"market\"",
            ));
            None
        }
        None => None,
    };
    (why, factor)
}

/// Probabilities of so many choices: the weights over their sum, or all alike.
fn weights(
    table: &Table,
    choices: usize,
    path: &str,
    errors: &mut Vec<Diagnostic>,
) -> Option<Vec<f64>> {
    let Some(entry) = table.get("weights") else {
        return Some(vec![1.0 / choices as f64; choices]);
    };
    let path = format!("{path}.weights");
    let Some(list) = entry.node.list() else {
        errors.push(wrong_type(
            &entry.node,
            &path,
            "a list of numbers",
            "[3, 2, 1]",
        ));
        return None;
    };
    let mut fault = |place: &super::diagnostic::Place, message: String, help: &str| {
        errors.push(
            Diagnostic::error("scenario::weights", message)
                .at(place, "")
                .help(help),
        );
    };
    if list.len() != choices {
        let message = format!("`{path}` has {} for {choices} choices", list.len());
        fault(&entry.node.place, message, "give each choice one weight");
        return None;
    }
    let mut values = Vec::with_capacity(list.len());
    for node in list {
        let value = match node.data {
            Data::Integer(i) => i as f64,
            Data::Float(f) => f,
            _ => f64::NAN,
        };
        if !(value.is_finite() && value >= 0.0) {
            let message = format!("`{path}` holds what is no weight");
            fault(
                &node.place,
                message,
                "a weight is a number of at least zero",
            );
            return None;
        }
        values.push(value);
    }
    let sum: f64 = values.iter().sum();
    if !sum.is_finite() {
        let message = format!("`{path}` are larger together than any number");
        fault(
            &entry.node.place,
            message,
            "write them as shares, such as [3, 2, 1]",
        );
        return None;
    }
    if sum <= 0.0 {
        let message = format!("all of `{path}` are zero");
        fault(
            &entry.node.place,
            message,
            "give one choice a weight above zero",
        );
        return None;
    }
    values.iter_mut().for_each(|value| *value /= sum);
    Some(values)
}

/// The likeliest of some choices, the first of equals.
fn likeliest(choices: &[Alternative]) -> f64 {
    let mut best = &choices[0];
    for choice in choices {
        if choice.probability > best.probability {
            best = choice;
        }
    }
    best.value
}

/// The choices of a table and keys that do not go with them.
fn listed<'a>(table: &'a Table, path: &str, errors: &mut Vec<Diagnostic>) -> Option<&'a [Node]> {
    let entry = table.get("choices")?;
    for key in ["low", "mode", "high", "shape"] {
        if let Some(other) = table.get(key) {
            errors.push(
                Diagnostic::error(
                    "scenario::range-form",
                    format!("the range of `{path}` has both choices and `{key}`"),
                )
                .at(&other.key, "goes with low and high")
                .at(&entry.key, "the choices")
                .help(FORM),
            );
        }
    }
    match entry.node.list() {
        Some(list) if !list.is_empty() => Some(list),
        _ => {
            errors.push(wrong_type(
                &entry.node,
                &format!("{path}.choices"),
                "a list of values",
                "[ … , … ]",
            ));
            None
        }
    }
}

/// A range of words, such as `{ choices = ["bf16", "fp8-block"], why = "…" }`. Each word is what
/// `valid` accepts, or an error of its own.
pub(super) fn word_choices(
    node: &Node,
    path: &str,
    valid: &mut dyn FnMut(&Node) -> Vec<Diagnostic>,
) -> Result<Spread, Vec<Diagnostic>> {
    let Some(table) = node.table() else {
        return Err(Vec::new());
    };
    let mut errors = Vec::new();
    unknown_keys(table, path, &mut errors);
    if table.get("choices").is_none() {
        errors.push(
            Diagnostic::error(
                "scenario::missing-key",
                format!("`{path}` is a word, so its range needs `choices`"),
            )
            .at(&node.place, "`choices` is missing here")
            .help("a range of words is { choices = [ … ], weights = [ … ], why = \"…\" }"),
        );
    }
    let list = listed(table, path, &mut errors).unwrap_or_default();
    for element in list {
        errors.extend(valid(element));
    }
    let (why, factor) = reasons(table, node, path, &mut errors);
    let shares = weights(table, list.len(), path, &mut errors);
    let (Some(shares), true) = (shares, errors.is_empty()) else {
        return Err(errors);
    };
    let choices: Vec<Alternative> = (list.iter().zip(shares).enumerate())
        .map(|(index, (node, probability))| Alternative {
            text: node.text().map_or_else(|| node.print(), str::to_owned),
            value: index as f64,
            probability,
        })
        .collect();
    Ok(Spread {
        shape: Shape::Choices,
        low: 0.0,
        mode: likeliest(&choices),
        high: (choices.len() - 1) as f64,
        choices,
        why,
        factor,
    })
}

fn number_choices(
    kind: Kind,
    node: &Node,
    table: &Table,
    path: &str,
) -> Result<Amount, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    unknown_keys(table, path, &mut errors);
    let list = listed(table, path, &mut errors).unwrap_or_default();
    let mut values = Vec::with_capacity(list.len());
    for element in list {
        match scalar(kind, element, path) {
            Ok(value) => values.push(value),
            Err(d) => errors.push(d),
        }
    }
    let (why, factor) = reasons(table, node, path, &mut errors);
    let shares = weights(table, list.len(), path, &mut errors);
    let (Some(shares), true) = (shares, errors.is_empty()) else {
        return Err(errors);
    };
    let choices: Vec<Alternative> = (values.iter().zip(shares))
        .map(|(&value, probability)| Alternative {
            text: print(kind, value),
            value,
            probability,
        })
        .collect();
    let mode = likeliest(&choices);
    Ok(Amount {
        point: Some(mode),
        spread: Some(Spread {
            shape: Shape::Choices,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            mode,
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            choices,
            why,
            factor,
        }),
    })
}

/// The shape that a table names.
fn shape(table: &Table, path: &str, errors: &mut Vec<Diagnostic>) -> Shape {
    let Some(entry) = table.get("shape") else {
        return Shape::Pert;
    };
    let word = entry.node.text().unwrap_or_default();
    if let Some(shape) = Shape::NAMED.into_iter().find(|s| s.word() == word) {
        return shape;
    }
    let names = Shape::NAMED.map(Shape::word);
    let mut d = Diagnostic::error(
        "scenario::unknown-value",
        format!("the range of `{path}` has no such shape"),
    )
    .at(&entry.node.place, "not a shape");
    let near = super::check::suggest(word, &names);
    if !near.is_empty() {
        d = d.help(super::check::did_you_mean(&near));
    }
    errors.push(d.help(format!("shapes: {}", names.join(", "))));
    Shape::Pert
}

pub(super) fn range_table(kind: Kind, node: &Node, path: &str) -> Result<Amount, Vec<Diagnostic>> {
    let Some(table) = node.table() else {
        return Err(Vec::new());
    };
    if table.get("choices").is_some() {
        return number_choices(kind, node, table, path);
    }
    let mut errors = Vec::new();
    unknown_keys(table, path, &mut errors);
    if let Some(entry) = table.get("weights") {
        errors.push(
            Diagnostic::error(
                "scenario::range-form",
                format!("the range of `{path}` has weights but no choices"),
            )
            .at(&entry.key, "goes with choices")
            .help(FORM),
        );
    }
    let mut end = |name: &str, needed: bool| -> Option<f64> {
        match table.get(name) {
            Some(entry) => match scalar(kind, &entry.node, &format!("{path}.{name}")) {
                Ok(value) => Some(value),
                Err(d) => {
                    errors.push(d);
                    None
                }
            },
            None => {
                if needed {
                    errors.push(
                        Diagnostic::error(
                            "scenario::missing-key",
                            format!("the range of `{path}` needs `{name}`"),
                        )
                        .at(&node.place, format!("`{name}` is missing here"))
                        .help(FORM),
                    );
                }
                None
            }
        }
    };
    let low = end("low", true);
    let mode = end("mode", false);
    let high = end("high", true);
    let reasons = reasons(table, node, path, &mut errors);
    let shape = shape(table, path, &mut errors);
    if let (Shape::Lognormal | Shape::Normal, Some(entry)) = (shape, table.get("mode")) {
        errors.push(
            Diagnostic::error(
                "scenario::range-form",
                format!(
                    "the range of `{path}` is {}: its middle follows from low and high",
                    shape.word()
                ),
            )
            .at(&entry.key, "one figure too many")
            .help("leave `mode` out, or take shape = \"pert\""),
        );
    }
    if let (Shape::Lognormal, Some(value)) = (shape, low)
        && value <= 0.0
    {
        errors.push(
            Diagnostic::error(
                "scenario::range-form",
                format!("the range of `{path}` is lognormal, so it can't reach zero"),
            )
            .at(
                table.get("low").map_or(&node.place, |e| &e.node.place),
                "not above zero",
            )
            .help("give a low end above zero, or take shape = \"normal\" or \"pert\""),
        );
    }
    match (low, high) {
        (Some(low), Some(high)) if errors.is_empty() => {
            finish(kind, node, path, shape, Ends { low, mode, high }, reasons)
        }
        _ => Err(errors),
    }
}

/// What a range states of its numbers.
struct Ends {
    low: f64,
    mode: Option<f64>,
    high: f64,
}

fn finish(
    kind: Kind,
    node: &Node,
    path: &str,
    shape: Shape,
    ends: Ends,
    (why, factor): (String, Option<String>),
) -> Result<Amount, Vec<Diagnostic>> {
    let Ends { low, mode, high } = ends;
    let middle = if low > 0.0 && shape != Shape::Uniform && shape != Shape::Normal {
        (low * high).sqrt()
    } else {
        (low + high) / 2.0
    };
    let middle = match kind {
        Kind::Count { .. } => middle.round(),
        _ => middle,
    };
    // Rounding of the middle must not carry it past an end that it equals.
    let mode = mode.unwrap_or(if low <= high {
        middle.clamp(low, high)
    } else {
        middle
    });
    if !(low <= mode && mode <= high) {
        return Err(vec![
            Diagnostic::error(
                "scenario::range-order",
                format!("the range of `{path}` is out of order"),
            )
            .at(&node.place, "low, mode and high must rise")
            .help(if low > high {
                format!(
                    "low {} is more than high {}",
                    print(kind, low),
                    print(kind, high)
                )
            } else {
                format!(
                    "mode {} is not between low {} and high {}",
                    print(kind, mode),
                    print(kind, low),
                    print(kind, high)
                )
            }),
        ]);
    }
    Ok(Amount {
        point: Some(mode),
        spread: Some(Spread {
            shape,
            low,
            mode,
            high,
            choices: Vec::new(),
            why,
            factor,
        }),
    })
}
