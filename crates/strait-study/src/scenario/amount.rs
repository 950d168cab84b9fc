//! Numbers of a scenario: with a unit or without, single or as a range.
//!
//! In: a value of the tree and the kind of its key. Out: an [`Amount`] in the base unit, or
//! what is wrong with it. Never guesses a unit: a bare number for a quantity is refused.

use super::check::wrong_type;
use super::diagnostic::Diagnostic;
use super::keys::Kind;
use super::ranges::{range_table, range_text};
use super::tree::{Data, Node};
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

pub(super) fn scalar(kind: Kind, node: &Node, path: &str) -> Result<f64, Diagnostic> {
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
