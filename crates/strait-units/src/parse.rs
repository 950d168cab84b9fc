//! Reading quantities written by people: `"400 GB/s"`, `"14.8 T tokens"`, `"9 %"`.
//!
//! In: text. Out: a number in the base unit of a quantity, or a [`ParseError`] that
//! says what was read, why it is refused and what would be accepted. Never guesses:
//! a missing unit, a wrong case that changes bits into bytes, or an amount where a
//! rate belongs is refused, with every reading it could have had.

use crate::number::{Decimal, split_number};
use std::fmt;

/// What a quantity is called and how it is written; part of every [`ParseError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Name with its article, such as `a bandwidth (one direction)`.
    pub name: &'static str,
    /// Accepted forms, the usual one first.
    pub examples: &'static [&'static str],
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} such as ", self.name)?;
        write_list(f, self.examples)
    }
}

/// `"a"`, `"b"` or `"c"`.
fn write_list<S: AsRef<str>>(f: &mut impl fmt::Write, items: &[S]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        let joint = match i {
            0 => "",
            _ if i + 1 == items.len() => " or ",
            _ => ", ",
        };
        write!(f, "{joint}\"{}\"", item.as_ref())?;
    }
    Ok(())
}

/// One way in which a refused text might have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How to write it.
    pub form: String,
    /// What it then is, where the form alone does not say; may be empty.
    pub meaning: String,
}

struct Readings<'a>(&'a [Reading]);

impl fmt::Display for Readings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reading) in self.0.iter().enumerate() {
            let joint = if i == 0 { "" } else { " or " };
            write!(f, "{joint}\"{}\"", reading.form)?;
            if !reading.meaning.is_empty() {
                write!(f, " (= {})", reading.meaning)?;
            }
        }
        Ok(())
    }
}

/// Why a text is not the quantity that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing was written.
    #[error("empty text; expected {expected}")]
    Empty {
        /// What was asked for.
        expected: Expected,
    },
    /// A number without its unit.
    #[error("{read} has no unit; expected {expected}")]
    MissingUnit {
        /// The text.
        read: String,
        /// What was asked for.
        expected: Expected,
    },
    /// No number at the start.
    #[error("\"{read}\" does not start with a number; expected {expected}")]
    NotANumber {
        /// The text.
        read: String,
        /// What was asked for.
        expected: Expected,
    },
    /// Digits grouped by commas, spaces or apostrophes, which mean different things in different places.
    #[error(
        "\"{read}\" groups digits with a {separator}, which is a decimal mark elsewhere; write {plain} or {grouped}; expected {expected}"
    )]
    DigitGroup {
        /// The text.
        read: String,
        /// The separator's name.
        separator: &'static str,
        /// The digits without it.
        plain: String,
        /// The digits with underscores.
        grouped: String,
        /// What was asked for.
        expected: Expected,
    },
    /// Below zero.
    #[error("\"{read}\" is negative; expected {expected}")]
    Negative {
        /// The text.
        read: String,
        /// What was asked for.
        expected: Expected,
    },
    /// NaN or infinity, spelled or computed.
    #[error("\"{read}\" is not a finite number; expected {expected}")]
    NotFinite {
        /// The text.
        read: String,
        /// What was asked for.
        expected: Expected,
    },
    /// More than the type holds, or than anything real.
    #[error(
        "\"{read}\" is more than {limit}, which nothing real reaches here; expected {expected}"
    )]
    TooLarge {
        /// The text.
        read: String,
        /// The largest accepted value.
        limit: &'static str,
        /// What was asked for.
        expected: Expected,
    },
    /// A part of something that only comes whole.
    #[error("\"{read}\" is not a whole number of {whole}; expected {expected}")]
    NotWhole {
        /// The text.
        read: String,
        /// The indivisible unit.
        whole: &'static str,
        /// What was asked for.
        expected: Expected,
    },
    /// A unit of another kind of quantity: an amount for a rate, a rate for an amount, bits for bytes.
    #[error("\"{read}\" is {kind}, not {}; write {}", expected.name, Readings(readings))]
    WrongKind {
        /// The text.
        read: String,
        /// What it is.
        kind: &'static str,
        /// What might have been meant.
        readings: Vec<Reading>,
        /// What was asked for.
        expected: Expected,
    },
    /// Upper and lower case matter (`b` is a bit, `B` a byte; `m` is a thousandth, `M` a million).
    #[error(
        "\"{read}\": upper and lower case matter in \"{unit}\"; write {}",
        Readings(readings)
    )]
    Case {
        /// The text.
        read: String,
        /// The unit in it.
        unit: String,
        /// What might have been meant.
        readings: Vec<Reading>,
        /// What was asked for.
        expected: Expected,
    },
    /// A currency other than the US dollar: rates of exchange move, so they are the writer's to state.
    #[error("\"{read}\" is in {currency}; convert it and say at what rate; expected {expected}")]
    Currency {
        /// The text.
        read: String,
        /// The currency.
        currency: &'static str,
        /// What was asked for.
        expected: Expected,
    },
    /// A unit that this quantity does not have.
    #[error("\"{read}\": \"{unit}\" is not a unit of {}; expected {expected}", expected.name)]
    UnknownUnit {
        /// The text.
        read: String,
        /// The unit in it.
        unit: String,
        /// What was asked for.
        expected: Expected,
    },
}

/// A unit as a factor to the base unit: `numerator × 10^exponent ÷ denominator`, kept
/// apart so that decimal units lose nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) exponent: i32,
    pub(crate) numerator: u64,
    pub(crate) denominator: u64,
}

impl Scale {
    pub(crate) const fn ten(exponent: i32) -> Scale {
        Scale {
            exponent,
            numerator: 1,
            denominator: 1,
        }
    }

    pub(crate) const fn times(self, numerator: u64) -> Scale {
        Scale {
            numerator: self.numerator * numerator,
            ..self
        }
    }

    pub(crate) const fn over(self, denominator: u64) -> Scale {
        Scale {
            denominator: self.denominator * denominator,
            ..self
        }
    }
}

/// What a quantity makes of a unit.
pub(crate) enum Unit {
    /// A unit of this quantity.
    Known(Scale),
    /// Refused for a reason; the readings are unit texts with their meaning.
    Other(&'static str, Vec<(String, String)>),
    /// Right but for the case; unit texts with their meaning.
    Case(Vec<(String, String)>),
    /// Another currency.
    Currency(&'static str),
    /// Not known.
    Unknown,
}

/// How one quantity is read.
pub(crate) struct Reader {
    pub(crate) expected: Expected,
    /// Reads a unit; the number's text helps to phrase readings.
    pub(crate) unit: fn(number: &str, unit: &str) -> Unit,
    /// A bare number is fine (pure numbers only).
    pub(crate) bare: bool,
}

impl Reader {
    /// A number with its scale.
    fn read(&self, text: &str) -> Result<(Decimal, Scale), ParseError> {
        let expected = self.expected;
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(ParseError::Empty { expected });
        }
        let read = || shorten(trimmed);
        // "$2/h" and "USD 2/h" are "2 USD/h".
        let (body, prefix) = match trimmed.strip_prefix('$') {
            Some(rest) => (rest.trim_start(), "USD"),
            None => match trimmed.strip_prefix("USD") {
                Some(rest) => (rest.trim_start(), "USD"),
                None => (trimmed, ""),
            },
        };
        if let Some(currency) = foreign_currency(body) {
            return Err(ParseError::Currency {
                read: read(),
                currency,
                expected,
            });
        }
        let (decimal, number, rest) = split_number(body, &read(), expected)?;
        let rest = rest.trim();
        let unit = match (prefix, rest) {
            ("", rest) => rest.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, rest) if rest.starts_with('/') => format!("{prefix}{rest}"),
            (prefix, rest) if rest.starts_with("per ") => format!("{prefix} {rest}"),
            (prefix, rest) => match rest.split_once('/') {
                Some((magnitude, per)) => format!("{} {prefix}/{per}", magnitude.trim()),
                None => format!("{rest} {prefix}"),
            },
        };
        if unit.is_empty() {
            return if self.bare {
                Ok((decimal, Scale::ten(0)))
            } else {
                Err(ParseError::MissingUnit {
                    read: format!("\"{}\"", read()),
                    expected,
                })
            };
        }
        let readings = |list: Vec<(String, String)>| {
            list.into_iter()
                .map(|(unit, meaning)| {
                    // A reading with another number brings it along.
                    let complete = unit.starts_with(|c: char| c.is_ascii_digit());
                    let form = if complete {
                        unit
                    } else {
                        format!("{number} {unit}")
                    };
                    Reading { form, meaning }
                })
                .collect()
        };
        match (self.unit)(number, &unit) {
            Unit::Known(scale) => Ok((decimal, scale)),
            Unit::Other(kind, list) => Err(ParseError::WrongKind {
                read: read(),
                kind,
                readings: readings(list),
                expected,
            }),
            Unit::Case(list) => Err(ParseError::Case {
                read: read(),
                unit,
                readings: readings(list),
                expected,
            }),
            Unit::Currency(currency) => Err(ParseError::Currency {
                read: read(),
                currency,
                expected,
            }),
            Unit::Unknown => Err(ParseError::UnknownUnit {
                read: read(),
                unit: shorten(&unit),
                expected,
            }),
        }
    }

    /// A float in the base unit, at most `limit`.
    pub(crate) fn float(&self, text: &str, limit: (f64, &'static str)) -> Result<f64, ParseError> {
        let (decimal, scale) = self.read(text)?;
        let value = decimal.to_f64(scale);
        if value <= limit.0 {
            Ok(value)
        } else {
            Err(ParseError::TooLarge {
                read: shorten(text.trim()),
                limit: limit.1,
                expected: self.expected,
            })
        }
    }

    /// A whole number of the base unit, at most `limit`. Rounds what is past the
    /// sixth significant digit (79.6 GiB is no whole number of bytes), refuses more.
    pub(crate) fn whole(
        &self,
        text: &str,
        whole: &'static str,
        limit: (u64, &'static str),
    ) -> Result<u64, ParseError> {
        let (decimal, scale) = self.read(text)?;
        let read = || shorten(text.trim());
        let too_large = || ParseError::TooLarge {
            read: read(),
            limit: limit.1,
            expected: self.expected,
        };
        let approximate = decimal.to_f64(scale);
        if approximate > limit.0 as f64 * (1.0 + 1e-9) {
            return Err(too_large());
        }
        let exact = decimal.to_whole(scale);
        // A relative error above 1e-6 is a part of the indivisible unit, not rounding.
        if (exact as f64 - approximate).abs() > 1e-6 * approximate {
            return Err(ParseError::NotWhole {
                read: read(),
                whole,
                expected: self.expected,
            });
        }
        if exact > limit.0 {
            Err(too_large())
        } else {
            Ok(exact)
        }
    }
}

/// Long input is quoted by its start.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        text.to_owned()
    } else {
        let start: String = text.chars().take(LONGEST).collect();
        format!("{start}…")
    }
}

/// The currency of a text that starts with another currency's sign or code.
fn foreign_currency(text: &str) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 8] = [
        ("€", "euros"),
        ("£", "pounds"),
        ("¥", "yuan or yen"),
        ("CNY", "yuan"),
        ("RMB", "yuan"),
        ("EUR", "euros"),
        ("GBP", "pounds"),
        ("JPY", "yen"),
    ];
    SIGNS
        .iter()
        .find(|(sign, _)| text.starts_with(sign))
        .map(|(_, name)| *name)
}

/// The currency that a unit names, if another than the US dollar.
pub(crate) fn foreign_unit(unit: &str) -> Option<&'static str> {
    unit.split([' ', '/']).find_map(foreign_currency)
}
