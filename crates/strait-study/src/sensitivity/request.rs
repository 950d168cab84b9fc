//! What was asked: inputs, values, quantities, as the command line writes them.
//!
//! In: texts such as `economics.rent=1 USD/h..4 USD/h`. Out: a [`Request`]. Whether a path exists is
//! the scenario's matter. Never reads a file.

use super::SensitivityError;
use crate::scenario::Number;
use crate::verdict::Quantity;

/// Values of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// From here to there.
    Span(String, String),
    /// These.
    List(Vec<String>),
}

/// An input and the values that it is to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Scenario path.
    pub path: String,
    /// Values, as `--set` takes them.
    pub values: Values,
}

impl std::str::FromStr for Over {
    type Err = String;

    /// Reads `PATH=LOW..HIGH` or `PATH=VALUE,VALUE,…`.
    fn from_str(text: &str) -> Result<Over, String> {
        const FORM: &str = "write a path and its values, as in economics.rent='1 USD/h..4 USD/h' or \
                            cluster.nvlink_bandwidth='400 GB/s,900 GB/s'";
        let (path, values) = text.split_once('=').ok_or(FORM)?;
        let path = path.trim();
        if path.is_empty() || values.trim().is_empty() {
            return Err(FORM.to_owned());
        }
        let values = match outside(values, "..").as_slice() {
            [low, high] => {
                let (low, high) = (bare(low), bare(high));
                if low.is_empty() || high.is_empty() {
                    return Err(format!("a range has two ends: {FORM}"));
                }
                Values::Span(low, high)
            }
            [_] => {
                let list: Vec<String> = (outside(values, ",").iter())
                    .map(|value| value.trim().to_owned())
                    .collect();
                if list.iter().any(String::is_empty) {
                    return Err(format!("one of the values is empty: {FORM}"));
                }
                if list.len() < 2 {
                    return Err(format!("one value is no range: {FORM}"));
                }
                for (index, value) in list.iter().enumerate() {
                    if list[..index].contains(value) {
                        return Err(format!("\"{value}\" is there twice"));
                    }
                }
                Values::List(list)
            }
            _ => return Err(format!("more than one `..`: {FORM}")),
        };
        Ok(Over {
            path: path.to_owned(),
            values,
        })
    }
}

/// A value without the quotes that a shell may have left.
fn bare(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// Pieces between separators that are in no quotes and no brackets.
fn outside<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let (mut depth, mut quote, mut start, mut skip) = (0usize, None, 0, 0);
    for (at, c) in text.char_indices() {
        if at < skip {
            continue;
        }
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && text[at..].starts_with(separator) => {
                pieces.push(&text[start..at]);
                start = at + separator.len();
                skip = start;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// A share such as `10%` or `0.1`, above zero and below one.
///
/// # Errors
/// What is wrong with the text.
pub fn share(text: &str) -> Result<f64, String> {
    const FORM: &str = "write a share above 0 and below 100 %, as in 10%";
    let text = text.trim();
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text, 1.0),
    };
    let value: f64 = number.parse().map_err(|_| FORM)?;
    let value = value * scale;
    match value > 0.0 && value < 1.0 {
        true => Ok(value),
        false => Err(FORM.to_owned()),
    }
}

/// Which quantities of which inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Inputs and their values; empty: the ranges that the scenario states, or where it states none
    /// a share of each input.
    pub over: Vec<Over>,
    /// Each input more and less by this share of itself.
    pub by: Option<f64>,
    /// Quantities; the first decides which words are an end.
    pub metrics: Vec<Quantity>,
    /// The two inputs of `over` at once as well.
    pub grid: bool,
    /// Values of a span in a grid.
    pub steps: u32,
    /// Values that change the step are simulated without chance, many times faster; the ratio to the
    /// case without chance multiplies its steps.
    pub ratio: bool,
}

/// One value: its text, and its number where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    /// For people.
    pub shown: String,
    /// As `--set` takes it.
    pub set: String,
    /// In the base unit.
    pub number: Option<f64>,
}

impl Value {
    pub fn number(number: &Number, value: f64) -> Value {
        Value {
            shown: number.print(value),
            set: number.write(value),
            number: Some(value),
        }
    }
}

impl Over {
    /// The first of its values, as written.
    pub(super) fn first(&self) -> &str {
        match &self.values {
            Values::Span(low, _) => low,
            Values::List(values) => values.first().map_or("", String::as_str),
        }
    }

    /// The values, `steps` of them where they are a span.
    ///
    /// # Errors
    /// A text that is no value of the input, a span of words, an end that is below the beginning.
    pub(super) fn values(&self, steps: u32) -> Result<Vec<Value>, SensitivityError> {
        let path = &self.path;
        let number = Number::at(path);
        match (&self.values, number) {
            (Values::List(texts), None) => Ok((texts.iter())
                .map(|text| Value {
                    shown: bare(text),
                    set: text.clone(),
                    number: None,
                })
                .collect()),
            (Values::List(texts), Some(number)) => (texts.iter())
                .map(|text| {
                    // "none" and "market" are words where a number could stand.
                    let word =
                        !text.starts_with(|c: char| c.is_ascii_digit() || "+-.\"".contains(c));
                    let value = match word {
                        true => None,
                        false => Some(number.read(&bare_number(text, &number)).map_err(fault)?),
                    };
                    Ok(Value {
                        shown: bare(text),
                        set: text.clone(),
                        number: value,
                    })
                })
                .collect(),
            (Values::Span(..), None) => Err(SensitivityError::Request {
                message: format!("`{path}` holds no number: it has no range"),
                help: format!("list its values: --over {path}=ONE,OTHER"),
            }),
            (Values::Span(low, high), Some(number)) => {
                // "1..4 USD/h": the low end takes the unit of the high one.
                let low = match number.has_unit() && low.parse::<f64>().is_ok() {
                    true => format!("{low} {}", unit_of(high)),
                    false => low.clone(),
                };
                let from = number.read(&low).map_err(fault)?;
                let to = number.read(high).map_err(fault)?;
                if from >= to {
                    return Err(SensitivityError::Request {
                        message: format!(
                            "the range of `{path}` is {}: {} to {}",
                            if from == to { "empty" } else { "reversed" },
                            number.print(from),
                            number.print(to)
                        ),
                        help: "write the low end first: LOW..HIGH".to_owned(),
                    });
                }
                let mut values: Vec<f64> = (0..steps)
                    .map(|i| match steps - 1 - i {
                        0 => to,
                        _ => from + (to - from) * f64::from(i) / f64::from(steps - 1),
                    })
                    .map(|value| if number.whole() { value.round() } else { value })
                    .collect();
                values.dedup();
                Ok(values.iter().map(|v| Value::number(&number, *v)).collect())
            }
        }
    }
}

/// Quoted or bare, a number reads the same.
fn bare_number(text: &str, number: &Number) -> String {
    match number.has_unit() {
        true => bare(text),
        false => text.to_owned(),
    }
}

fn unit_of(text: &str) -> &str {
    let unit = text.find(|c: char| !(c.is_ascii_digit() || "., _+-".contains(c)));
    unit.map_or("", |at| &text[at..])
}

fn fault(diagnostic: crate::scenario::Diagnostic) -> SensitivityError {
    SensitivityError::Faults(vec![diagnostic])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(text: &str) -> Over {
        text.parse().unwrap()
    }

    #[test]
    fn spans_and_lists_are_told_apart() {
        let span = |low: &str, high: &str| Values::Span(low.to_owned(), high.to_owned());
        let list = |all: &[&str]| Values::List(all.iter().map(|s| (*s).to_owned()).collect());
        for (text, values) in [
            ("a.b=1 USD/h..4 USD/h", span("1 USD/h", "4 USD/h")),
            ("a.b = 0.1 .. 0.2", span("0.1", "0.2")),
            ("a.b=\"1 s\"..\"2 s\"", span("1 s", "2 s")),
            ("a.b=1,2,3", list(&["1", "2", "3"])),
            ("a.b=[\"x\", \"y\"],[]", list(&["[\"x\", \"y\"]", "[]"])),
            ("a.b='a,b',\"c..d\"", list(&["'a,b'", "\"c..d\""])),
        ] {
            assert_eq!(over(text).values, values, "{text}");
        }
        for bad in [
            "",
            "a.b",
            "=1,2",
            "a.b=",
            "a.b=1",
            "a.b=1,",
            "a.b=1..2..3",
            "a.b=..3",
            "a.b=1,1",
        ] {
            assert!(bad.parse::<Over>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_have_evenly_spaced_values_that_end_where_asked() {
        let values = over("economics.rent=1..4 USD/h").values(4).unwrap();
        let numbers: Vec<f64> = values.iter().filter_map(|v| v.number).collect();
        assert_eq!(numbers, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values[1].shown, "2 USD/h");
        let few = over("parallelism.micro_batch=1..3").values(9).unwrap();
        assert_eq!(few.len(), 3, "whole numbers only once");
    }

    #[test]
    fn what_is_no_range_is_refused_with_a_remedy() {
        for (text, piece) in [
            ("economics.rent=4 USD/h..1 USD/h", "reversed"),
            ("economics.rent=1 USD/h..1 USD/h", "empty"),
            ("parallelism.schedule=1f1b..dualpipe", "holds no number"),
            ("economics.rent=1..4", "needs a unit"),
            ("economics.rent=1 GB/s..4 GB/s", "can't be read"),
        ] {
            let error = over(text).values(2).unwrap_err();
            let told = match &error {
                SensitivityError::Faults(faults) => faults[0].message.clone(),
                other => other.to_string(),
            };
            assert!(told.contains(piece), "{text}: {told}");
        }
    }

    #[test]
    fn shares_are_read_with_and_without_a_per_cent_sign() {
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("0.25"), Ok(0.25));
        for bad in ["", "0", "100%", "-5%", "ten", "nan", "1"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
