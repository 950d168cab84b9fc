//! Numbers of a scenario: with a unit or without, single or as a range.
//!
//! In: a value of the tree and the kind of its key. Out: an [`Amount`] in the base unit, or
//! what is wrong with it. Never guesses a unit: a bare number for a quantity is refused.

use super::check::wrong_type;
use super::diagnostic::Diagnostic;
use super::keys::Kind;
use super::tree::{Data, Node, Table};
use super::unit;

pub use super::unit::Dimension;

/// How likely the values of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Beta between low and high with its top at the mode, of weight four: what a table with a low
    /// and a high end means unless it says otherwise.
    Pert,
    /// A triangle from low over the mode to high.
    Triangular,
    /// Everything between low and high alike.
    Uniform,
    /// Normal in the logarithm; low and high hold nine values in ten between them.
    Lognormal,
    /// Normal; low and high hold nine values in ten between them.
    Normal,
    /// One of a few values.
    Choices,
}

impl Shape {
    /// Shapes that a file may name.
    pub const NAMED: [Shape; 5] = [
        Shape::Pert,
        Shape::Triangular,
        Shape::Uniform,
        Shape::Lognormal,
        Shape::Normal,
    ];

    /// Its word in files and answers.
    pub fn word(self) -> &'static str {
        match self {
            Shape::Pert => "pert",
            Shape::Triangular => "triangular",
            Shape::Uniform => "uniform",
            Shape::Lognormal => "lognormal",
            Shape::Normal => "normal",
            Shape::Choices => "choices",
        }
    }
}

/// One of the values of a range of [`Shape::Choices`].
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// As people read it, with its unit.
    pub text: String,
    /// In the base unit; the place in the list where the choices are words.
    pub value: f64,
    /// Its probability; those of a range sum to one.
    pub probability: f64,
}

/// A stated range of a number, in the base unit of its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// How likely its values are.
    pub shape: Shape,
    /// Low end (a 90 % interval's, where the range is written "1.5 to 3").
    pub low: f64,
    /// Likeliest value.
    pub mode: f64,
    /// High end.
    pub high: f64,
    /// The values of [`Shape::Choices`].
    pub choices: Vec<Alternative>,
    /// Why this range; empty for the short form.
    pub why: String,
    /// The shared factor that it moves with.
    pub factor: Option<String>,
}

/// A number of a scenario; `None` is the word "none".
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    /// The value that a point simulation uses.
    pub point: Option<f64>,
    /// The range, where one is given.
    pub spread: Option<Spread>,
}

impl Amount {
    fn point(value: f64) -> Amount {
        Amount {
            point: Some(value),
            spread: None,
        }
    }
}

/// Largest whole number that a float holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a number; `ranges` allows the forms with a low and a high end.
pub(super) fn read(
    kind: Kind,
    node: &Node,
    path: &str,
    ranges: bool,
) -> Result<Amount, Vec<Diagnostic>> {
    if let (Kind::WordOrQuantity { words, .. }, Some(text)) = (kind, node.text())
        && words.iter().any(|word| word.name == text)
    {
        return Ok(Amount {
            point: None,
            spread: None,
        });
    }
    let kind = kind.bare();
    if ranges {
        if matches!(node.data, Data::Table(_)) {
            return range_table(kind, node, path);
        }
        if let Data::Text(text) = &node.data
            && let Some((low, high)) = text.split_once(" to ")
        {
            return range_text(kind, node, path, low.trim(), high.trim());
        }
    }
    if let (Kind::Count { none: true, .. }, Some("none")) = (kind, node.text()) {
        return Ok(Amount {
            point: None,
            spread: None,
        });
    }
    scalar(kind, node, path)
        .map(Amount::point)
        .map_err(|d| vec![d])
}

fn scalar(kind: Kind, node: &Node, path: &str) -> Result<f64, Diagnostic> {
    match kind {
        Kind::Count { min, max, .. } => {
            let value = match &node.data {
                Data::Integer(i) => *i as f64,
                Data::Float(f) if f.fract() == 0.0 && f.abs() < EXACT => *f,
                Data::Text(text) => {
                    let digits: String = text.chars().filter(|c| !", _".contains(*c)).collect();
                    let d = wrong_type(node, path, "a whole number", "8");
                    return Err(match digits.parse::<u64>() {
                        Ok(number) => Diagnostic {
                            help: vec![format!(
                                "write it without quotes: {} = {number}",
                                last(path)
                            )],
                            ..d
                        },
                        Err(_) => d,
                    });
                }
                _ => return Err(wrong_type(node, path, "a whole number", "8")),
            };
            bounds(value, min as f64, max as f64, node, path, &|v| {
                format!("{v:.0}")
            })
        }
        Kind::Number { min, max } => {
            let value = match &node.data {
                Data::Integer(i) => *i as f64,
                Data::Float(f) => *f,
                Data::Text(text) => match percentage(text) {
                    Some(value) => value,
                    None => {
                        return Err(wrong_type(
                            node,
                            path,
                            "a number or a percentage",
                            "\"5 %\"",
                        ));
                    }
                },
                _ => return Err(wrong_type(node, path, "a number or a percentage", "0.05")),
            };
            bounds(value, min, max, node, path, &|v| format!("{v}"))
        }
        Kind::Quantity {
            dimension,
            min,
            max,
        } => {
            let value = quantity(dimension, node, path)?;
            bounds(value, min, max, node, path, &|v| unit::print(dimension, v))
        }
        _ => Err(wrong_type(node, path, "a number", "1")),
    }
}

/// Reads a string with a unit, and refuses a number without one.
pub(super) fn quantity(dimension: Dimension, node: &Node, path: &str) -> Result<f64, Diagnostic> {
    let bare = |number: String| {
        Diagnostic::error(
            "scenario::bare-number",
            format!("`{path}` needs a unit: it is {}", dimension.what()),
        )
        .at(&node.place, "a bare number")
        .help(format!(
            "write it as a string with its unit: {} = \"{}\"",
            last(path),
            dimension.example(&number)
        ))
    };
    let nothing = match &node.data {
        Data::Integer(i) => *i == 0,
        Data::Float(f) => *f == 0.0,
        Data::Text(text) => text.trim() == "0",
        _ => false,
    };
    if nothing && dimension == Dimension::FailureRate {
        // No failures are none in any unit.
        return Ok(0.0);
    }
    match &node.data {
        Data::Integer(i) => Err(bare(i.to_string())),
        Data::Float(f) => Err(bare(f.to_string())),
        Data::Text(text) if text.trim().parse::<f64>().is_ok() => Err(bare(text.trim().to_owned())),
        Data::Text(text) => unit::parse(dimension, text).map_err(|reason| {
            Diagnostic::error(
                "scenario::unit",
                format!("`{path}` can't be read: {reason}"),
            )
            .at(&node.place, format!("not {}", dimension.what()))
            .help(format!("for example: \"{}\"", dimension.example("")))
        }),
        _ => Err(wrong_type(
            node,
            path,
            "a string with a unit",
            &format!("\"{}\"", dimension.example("")),
        )),
    }
}

/// The last key of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn percentage(text: &str) -> Option<f64> {
    let number = text.trim().strip_suffix('%')?.trim();
    number.parse::<f64>().ok().map(|v| v / 100.0)
}

fn bounds(
    value: f64,
    min: f64,
    max: f64,
    node: &Node,
    path: &str,
    print: &dyn Fn(f64) -> String,
) -> Result<f64, Diagnostic> {
    let error = |message: String, text: &str| {
        Err(Diagnostic::error("scenario::out-of-range", message).at(&node.place, text))
    };
    if !value.is_finite() {
        return error(format!("`{path}` is not a finite number"), "not finite");
    }
    if value < 0.0 && min >= 0.0 {
        return error(format!("`{path}` can't be negative"), "negative")
            .map_err(|d: Diagnostic| d.help(format!("at least {}", print(min))));
    }
    if value == 0.0 && min > 0.0 {
        return error(format!("`{path}` can't be zero"), "zero")
            .map_err(|d: Diagnostic| d.help(format!("at least {}", print(min))));
    }
    if value < min {
        return error(format!("`{path}` is too small"), "too small")
            .map_err(|d: Diagnostic| d.help(format!("at least {}", print(min))));
    }
    if value > max {
        return error(
            format!("`{path}` is larger than anything that makes sense"),
            "too large",
        )
        .map_err(|d: Diagnostic| d.help(format!("at most {}", print(max))));
    }
    Ok(value)
}

fn range_text(
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

fn range_table(kind: Kind, node: &Node, path: &str) -> Result<Amount, Vec<Diagnostic>> {
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

/// A value of a kind, with its unit.
pub(super) fn print(kind: Kind, value: f64) -> String {
    match kind.bare() {
        Kind::Quantity { dimension, .. } => unit::print(dimension, value),
        Kind::Count { .. } => format!("{value:.0}"),
        _ => format!("{value}"),
    }
}

/// The word for no number.
pub(super) fn none(kind: Kind) -> &'static str {
    match kind {
        Kind::WordOrQuantity { words, .. } => words.first().map_or("none", |word| word.name),
        _ => "none",
    }
}

/// Reads a default of the key table; `None` is the word "none".
pub(super) fn default(kind: Kind, text: &str) -> Option<f64> {
    match kind.bare() {
        Kind::Quantity { dimension, .. } => unit::parse(dimension, text).ok(),
        _ => text.parse().ok(),
    }
}
