//! Typed reading of a merged tree, remembering where each value came from.
//!
//! In: tables and the key table. Out: numbers, words and flags, with an [`Explained`] line
//! for each, defaults too. Never decides what a value means.

use super::amount::{self, Alternative, Amount, Shape, Spread};
use super::check;
use super::diagnostic::{COMMAND_LINE, Diagnostic, Place};
use super::keys::{Key, Kind, Section};
use super::tree::{Data, Node, Table, Via};
use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in a scenario file.
    File {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
    },
    /// Set by a named case.
    Case {
        /// The case.
        case: String,
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
    },
    /// Set by `--set`.
    CommandLine,
    /// A fact of the catalogue.
    Catalogue {
        /// The entry, such as `accelerators/h800-sxm`.
        entry: String,
        /// Where the catalogue has it from; empty where it doesn't say.
        source: String,
    },
    /// Worked out or assumed.
    Default {
        /// The rule, in words.
        rule: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line } => write!(f, "{file}:{line}"),
            Origin::Case { case, file, line } => write!(f, "case {case}, {file}:{line}"),
            Origin::CommandLine => write!(f, "{COMMAND_LINE}"),
            Origin::Catalogue { entry, source } if source.is_empty() => {
                write!(f, "catalogue {entry}")
            }
            Origin::Catalogue { entry, source } => write!(f, "catalogue {entry} ({source})"),
            Origin::Default { rule } => write!(f, "default: {rule}"),
        }
    }
}

/// A resolved value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Scenario path, such as `parallelism.tensor`.
    pub path: String,
    /// The value with its unit.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Its place in a source text, where it has one.
    pub place: Option<Place>,
}

/// A value that was given as a range.
#[derive(Clone, Debug)]
pub struct Range {
    /// Scenario path.
    pub path: String,
    /// How likely its values are.
    pub shape: Shape,
    /// Low end in the base unit.
    pub low: f64,
    /// Likeliest value; what a point simulation uses.
    pub mode: f64,
    /// High end.
    pub high: f64,
    /// The values of [`Shape::Choices`]; those of words are their places in this list.
    pub choices: Vec<Alternative>,
    /// Why; empty for the short form "1.5 to 3 USD/h".
    pub why: String,
    /// The shared factor that it moves with.
    pub factor: Option<String>,
    /// Where it is written.
    pub place: Place,
    /// What its key holds.
    pub(super) kind: Kind,
}

impl Range {
    /// A range as read at a place.
    pub(super) fn new(path: String, kind: Kind, place: &Place, spread: Spread) -> Range {
        Range {
            path,
            shape: spread.shape,
            low: spread.low,
            mode: spread.mode,
            high: spread.high,
            choices: spread.choices,
            why: spread.why,
            factor: spread.factor,
            place: place.clone(),
            kind,
        }
    }

    /// Whether it chooses between words rather than numbers.
    pub fn of_words(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Count { .. }
                | Kind::Number { .. }
                | Kind::Quantity { .. }
                | Kind::WordOrQuantity { .. }
        )
    }

    /// Whether its values are whole numbers.
    pub fn whole(&self) -> bool {
        matches!(self.kind, Kind::Count { .. })
    }

    /// What its key accepts, in the base unit.
    pub fn bounds(&self) -> (f64, f64) {
        match self.kind {
            Kind::Count { min, max, .. } => (min as f64, max as f64),
            Kind::Number { min, max }
            | Kind::Quantity { min, max, .. }
            | Kind::WordOrQuantity { min, max, .. } => (min, max),
            _ => (0.0, self.high),
        }
    }

    /// One of its values as a file writes it, its number, and the unit of the number.
    pub fn written(&self, value: f64) -> (String, Option<f64>, Option<String>) {
        if self.of_words() {
            let word = self.choices.get(value as usize);
            return (word.map_or(String::new(), |w| w.text.clone()), None, None);
        }
        let (scale, unit) = match self.kind.bare() {
            Kind::Quantity { dimension, .. } => {
                let example = dimension.example("1");
                let scale = super::unit::parse(dimension, &example).unwrap_or(1.0);
                (
                    scale,
                    example.split_once(' ').map(|(_, unit)| unit.to_owned()),
                )
            }
            _ => (1.0, None),
        };
        super::axes::written(value / scale, unit)
    }

    /// One of its values for people, with its unit and at most four digits.
    pub fn print(&self, value: f64) -> String {
        if self.of_words() {
            let word = self.choices.get(value as usize);
            return word.map_or(String::new(), |choice| choice.text.clone());
        }
        // Four digits, without what a conversion of units adds at the end.
        let value = match self.kind {
            Kind::Count { .. } => value,
            _ => format!("{value:.3e}").parse().unwrap_or(value),
        };
        match self.kind {
            Kind::Number { .. } => super::unit::figure(value),
            kind => amount::print(kind, value),
        }
    }
}

/// A table to read from, and what it is called.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// The tables that may hold the key, the one with precedence first.
    pub tables: Vec<&'a Table>,
    /// Where to point when something is missing.
    pub place: Place,
    /// The keys.
    pub section: &'static Section,
    /// Path of the table.
    pub path: String,
}

impl<'a> Scope<'a> {
    /// The value of a key.
    pub fn node(&self, name: &str) -> Option<&'a Node> {
        self.tables
            .iter()
            .find_map(|t| t.get(name))
            .map(|e| &e.node)
    }

    /// The key's description.
    ///
    /// # Panics
    /// If the key table has no such key: a mistake of the program.
    pub fn key(&self, name: &str) -> &'static Key {
        match self.section.key(name) {
            Some(key) => key,
            None => panic!("{} has no key {name}", self.section.title),
        }
    }

    /// Path of a key.
    pub fn path(&self, name: &str) -> String {
        check::join(&self.path, name)
    }

    /// Path of a key as messages name it: as in the file, without the numbers of tables in a list.
    fn told(&self, name: &str) -> String {
        let path = self.path(name);
        if self.section.title == super::keys::LINE.title
            && let Some((list, _)) = self.path.rsplit_once('.')
        {
            // Lines are called by name in paths, which the check of form does not know.
            return check::join(list, name);
        }
        let names = (path.split('.')).filter(|part| part.parse::<u32>().is_err());
        names.collect::<Vec<_>>().join(".")
    }
}

/// Reads values and keeps the record.
#[derive(Default)]
pub(super) struct Reader {
    /// Faults.
    pub faults: Vec<Diagnostic>,
    /// The record.
    pub explained: Vec<Explained>,
    /// Ranges among the values.
    pub ranges: Vec<Range>,
    /// Whether any fault is an error.
    pub failed: bool,
    /// Values that ranges take instead of their likeliest ones, by the place of the range.
    pub given: Vec<(Place, f64)>,
    /// Files that the scenario names.
    pub beside: super::beside::Beside,
}

impl Reader {
    /// The value that a range takes: what is given for it, or its likeliest; the range is noted
    /// once, however often it is read.
    pub fn settle(&mut self, path: String, kind: Kind, place: &Place, spread: Spread) -> f64 {
        let same = |other: &Place| {
            std::sync::Arc::ptr_eq(&other.source, &place.source) && other.span == place.span
        };
        let given = self.given.iter().find(|(other, _)| same(other));
        let value = given.map_or(spread.mode, |(_, value)| *value);
        if !self.ranges.iter().any(|range| same(&range.place)) {
            self.ranges.push(Range::new(path, kind, place, spread));
        }
        value
    }

    fn record(&mut self, scope: &Scope<'_>, name: &str, value: String, node: &Node) {
        self.explained.push(Explained {
            path: scope.path(name),
            value,
            origin: origin(node),
            place: Some(node.place.clone()),
        });
    }

    /// Records a value that a rule gave.
    pub fn rule(&mut self, scope: &Scope<'_>, name: &str, value: impl fmt::Display) {
        let rule = scope
            .key(name)
            .default
            .map_or("not given", |d| d.why)
            .to_owned();
        self.because(scope, name, value, rule);
    }

    /// Records a value that a rule gave, in other words than the key table's.
    pub fn because(
        &mut self,
        scope: &Scope<'_>,
        name: &str,
        value: impl fmt::Display,
        rule: String,
    ) {
        self.explained.push(Explained {
            path: scope.path(name),
            value: value.to_string(),
            origin: Origin::Default { rule },
            place: None,
        });
    }

    /// Records a fact of the catalogue.
    pub fn fact(&mut self, path: String, value: String, entry: &str, source: String) {
        self.explained.push(Explained {
            path,
            value,
            origin: Origin::Catalogue {
                entry: entry.to_owned(),
                source,
            },
            place: None,
        });
    }

    /// Reports a fault of a value.
    pub fn fail(&mut self, fault: Diagnostic) {
        self.failed = true;
        self.faults.push(fault);
    }

    /// A required key that isn't there.
    pub fn missing(&mut self, scope: &Scope<'_>, name: &str) {
        self.fail(check::missing_key(
            scope.key(name),
            &scope.place,
            scope.section,
        ));
    }

    /// A number: the outer `None` where it is neither given nor has a fixed default.
    pub fn amount(&mut self, scope: &Scope<'_>, name: &str) -> Option<Option<f64>> {
        let key = scope.key(name);
        let path = scope.path(name);
        if let Some(node) = scope.node(name) {
            return match amount::read(key.kind, node, &scope.told(name), true) {
                Ok(Amount { mut point, spread }) => {
                    let mut text = match point {
                        Some(value) => amount::print(key.kind, value),
                        None => amount::none(key.kind).to_owned(),
                    };
                    if let Some(spread) = spread {
                        text = match spread.shape {
                            Shape::Choices => format!("{text} (one of {})", spread.choices.len()),
                            _ => format!(
                                "{text} ({} to {})",
                                amount::print(key.kind, spread.low),
                                amount::print(key.kind, spread.high)
                            ),
                        };
                        point = Some(self.settle(path, key.kind, &node.place, spread));
                    }
                    self.record(scope, name, text, node);
                    Some(point)
                }
                Err(faults) => {
                    faults.into_iter().for_each(|f| self.fail(f));
                    None
                }
            };
        }
        let default = key.default.filter(|d| !d.value.is_empty());
        match default {
            Some(default) => {
                let point = amount::default(key.kind, default.value);
                let text = match point {
                    Some(value) => amount::print(key.kind, value),
                    None => amount::none(key.kind).to_owned(),
                };
                self.rule(scope, name, text);
                Some(point)
            }
            None => {
                if key.required {
                    self.missing(scope, name);
                }
                None
            }
        }
    }

    /// A number that "none" is no value of.
    pub fn number(&mut self, scope: &Scope<'_>, name: &str) -> Option<f64> {
        self.amount(scope, name).flatten()
    }

    /// A whole number.
    pub fn count(&mut self, scope: &Scope<'_>, name: &str) -> Option<u32> {
        self.number(scope, name).map(|v| v as u32)
    }

    /// A word of a list.
    pub fn word(&mut self, scope: &Scope<'_>, name: &str) -> Option<&'static str> {
        let key = scope.key(name);
        let (Kind::Choice(choices) | Kind::WordOrList(choices, _)) = key.kind else {
            return None;
        };
        let known = |text: &str| choices.iter().map(|c| c.name).find(|n| *n == text);
        if let Some(node) = scope.node(name) {
            let word = node.text().and_then(known);
            match word {
                Some(word) => self.record(scope, name, word.to_owned(), node),
                None => self.refused(scope, name, node),
            }
            return word;
        }
        let word = key.default.and_then(|d| known(d.value));
        if let Some(word) = word {
            self.rule(scope, name, word);
        }
        word
    }

    /// True or false.
    pub fn flag(&mut self, scope: &Scope<'_>, name: &str) -> Option<bool> {
        let key = scope.key(name);
        if let Some(node) = scope.node(name) {
            return match node.data {
                Data::Bool(value) => {
                    self.record(scope, name, value.to_string(), node);
                    Some(value)
                }
                _ => {
                    self.refused(scope, name, node);
                    None
                }
            };
        }
        let value = key.default.and_then(|d| d.value.parse::<bool>().ok());
        if let Some(value) = value {
            self.rule(scope, name, value);
        }
        value
    }

    /// Text, and where it stands.
    pub fn text<'a>(
        &mut self,
        scope: &Scope<'a>,
        name: &str,
    ) -> Option<(String, Option<&'a Node>)> {
        let key = scope.key(name);
        if let Some(node) = scope.node(name) {
            return match node.text() {
                Some(text) => {
                    self.record(scope, name, text.to_owned(), node);
                    Some((text.to_owned(), Some(node)))
                }
                None => {
                    self.refused(scope, name, node);
                    None
                }
            };
        }
        match key.default.filter(|d| !d.value.is_empty()) {
            Some(default) => {
                self.rule(scope, name, default.value);
                Some((default.value.to_owned(), None))
            }
            None => {
                if key.required {
                    self.missing(scope, name);
                }
                None
            }
        }
    }

    /// A text, a date or a year as written, and where it stands.
    pub fn written<'a>(&mut self, scope: &Scope<'a>, name: &str) -> Option<(String, &'a Node)> {
        let node = scope.node(name)?;
        let text = match &node.data {
            Data::Text(text) => text.clone(),
            Data::Date(_) | Data::Integer(_) => node.print(),
            _ => {
                self.refused(scope, name, node);
                return None;
            }
        };
        self.record(scope, name, text.clone(), node);
        Some((text, node))
    }

    /// Records a word that stands where a number could.
    pub fn stands(&mut self, scope: &Scope<'_>, name: &str, value: String) {
        if let Some(node) = scope.node(name) {
            self.record(scope, name, value, node);
        }
    }

    /// The ends of a number that was just read; the number twice where it is no range.
    pub fn ends(&self, path: &str, point: f64) -> (f64, f64) {
        (self.ranges.iter().rev())
            .find(|range| range.path == path && range.mode == point)
            .map_or((point, point), |range| (range.low, range.high))
    }

    /// A list of whole numbers.
    pub fn counts(&mut self, scope: &Scope<'_>, name: &str) -> Option<Vec<u32>> {
        let node = scope.node(name)?;
        let list: Option<Vec<u32>> = node.list().map(|l| {
            l.iter()
                .map(|n| match n.data {
                    Data::Integer(i) => u32::try_from(i).unwrap_or(0),
                    _ => 0,
                })
                .collect()
        });
        match list {
            Some(list) => {
                self.record(scope, name, node.print(), node);
                Some(list)
            }
            None => {
                self.refused(scope, name, node);
                None
            }
        }
    }

    /// A list of words of the key's second list, where the value is a list.
    pub fn words(&mut self, scope: &Scope<'_>, name: &str) -> Option<Vec<&'static str>> {
        let Kind::WordOrList(_, parts) = scope.key(name).kind else {
            return None;
        };
        let node = scope.node(name)?;
        let list = node.list()?;
        self.record(scope, name, node.print(), node);
        Some(
            list.iter()
                .filter_map(|n| {
                    let text = n.text()?;
                    parts.iter().map(|c| c.name).find(|p| *p == text)
                })
                .collect(),
        )
    }

    /// A value of the wrong form: the check of form has said so, here it only counts.
    fn refused(&mut self, scope: &Scope<'_>, name: &str, node: &Node) {
        let mut faults = Vec::new();
        let entry = super::tree::Entry {
            name: name.to_owned(),
            key: node.place.clone(),
            node: node.clone(),
        };
        check::entry(&entry, scope.key(name), &scope.told(name), &mut faults);
        faults.into_iter().for_each(|f| self.fail(f));
    }

    /// The last record of a path.
    pub fn find(&self, path: &str) -> Option<&Explained> {
        self.explained.iter().rev().find(|e| e.path == path)
    }

    /// Adds a place that says what a path's value is; points at `fallback` where it has none.
    pub fn label(&self, d: Diagnostic, path: &str, fallback: &Place, what: &str) -> Diagnostic {
        match self.find(path) {
            Some(Explained {
                place: Some(place),
                value,
                ..
            }) => d.at(place, if what.is_empty() { value } else { what }),
            Some(Explained {
                value,
                origin: Origin::Catalogue { entry, .. },
                ..
            }) => {
                // A fact of the catalogue stands where its entry is named.
                let id = entry.rsplit('/').next().unwrap_or(entry);
                let place = self
                    .explained
                    .iter()
                    .find(|e| e.value == id && e.place.is_some())
                    .and_then(|e| e.place.as_ref())
                    .unwrap_or(fallback);
                let key = path.rsplit('.').next().unwrap_or(path);
                d.at(
                    place,
                    if what.is_empty() {
                        format!("{id}: {key} = {value}")
                    } else {
                        what.to_owned()
                    },
                )
            }
            Some(Explained { value, .. }) => d.at(
                fallback,
                if what.is_empty() {
                    format!("{path} is {value} by default")
                } else {
                    what.to_owned()
                },
            ),
            None => d.at(fallback, what),
        }
    }
}

/// The origin of a value of the tree.
fn origin(node: &Node) -> Origin {
    let file = node.place.source.name.clone();
    let line = node.place.source.line(node.place.span.start);
    match &node.via {
        Via::File => Origin::File { file, line },
        Via::Case(case) => Origin::Case {
            case: case.clone(),
            file,
            line,
        },
        Via::CommandLine => Origin::CommandLine,
    }
}
