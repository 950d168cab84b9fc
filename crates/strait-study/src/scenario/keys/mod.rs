//! The one table of scenario keys: names, types, bounds, defaults and what each means.
//!
//! In: nothing. Out: static sections that drive the check of files, the reading of values,
//! `explain`, and the JSON Schema. Never reads a file. A key that is not here does not exist.

mod economics;
mod machine;
mod reinforcement;
mod reliability;
mod run;
mod sweep;

pub use economics::{ECONOMICS, LINE, OWNERSHIP, POWER, STAFF};
pub use machine::{CLUSTER, MODEL, PARALLELISM, PRECISION};
pub use reinforcement::REINFORCEMENT;
pub use reliability::RELIABILITY;
pub use run::{ENGINE, FAULT, NOISE, PHASE, ROUTING, SOFTWARE, TRAINING};
pub use sweep::{AXIS, MAX_CASES, OPTION, SWEEP};

use super::amount::Dimension;

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path to a file, relative to the scenario file.
    Path,
    /// A date such as 2024-12-26, or a year, or a year and month.
    Date,
    /// A date, or the id of a rule set.
    Rule,
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [Choice]),
    /// A whole number within bounds; with `none`, the word "none" as well.
    Count {
        /// Smallest.
        min: u64,
        /// Largest that makes sense.
        max: u64,
        /// "none" is accepted.
        none: bool,
    },
    /// A plain number or a percentage within bounds.
    Number {
        /// Smallest.
        min: f64,
        /// Largest that makes sense.
        max: f64,
    },
    /// A string with a unit, within bounds in the base unit.
    Quantity {
        /// What it measures.
        dimension: Dimension,
        /// Smallest.
        min: f64,
        /// Largest that makes sense.
        max: f64,
    },
    /// A word of the list, or a quantity.
    WordOrQuantity {
        /// Words.
        words: &'static [Choice],
        /// What the quantity measures.
        dimension: Dimension,
        /// Smallest.
        min: f64,
        /// Largest that makes sense.
        max: f64,
    },
    /// An id of the catalogue, in this kind of entries.
    Catalogue(&'static str),
    /// A list of whole numbers.
    Counts {
        /// Largest that makes sense.
        max: u64,
    },
    /// A list of sentences.
    Texts,
    /// A word of the first list, or a list of words of the second.
    WordOrList(&'static [Choice], &'static [Choice]),
    /// A table with these keys.
    Table(&'static Section),
    /// An array of tables with these keys.
    Tables(&'static Section),
    /// Scenario paths and values.
    Settings,
    /// A claim's value: its unit follows from the claim's `quantity`.
    Stated,
    /// Values of another key, or one end of a span of them: read when it is known of which key.
    Values,
}

impl Kind {
    /// The number that it holds where it holds no word.
    pub fn bare(self) -> Kind {
        match self {
            Kind::WordOrQuantity {
                dimension,
                min,
                max,
                ..
            } => Kind::Quantity {
                dimension,
                min,
                max,
            },
            other => other,
        }
    }
}

/// A word that a key accepts.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A default and its reason.
#[derive(Clone, Copy, Debug)]
pub struct Default {
    /// The value as written in a file; empty where a rule works it out from other settings.
    pub value: &'static str,
    /// The rule, in words.
    pub why: &'static str,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, for analysts.
    pub doc: &'static str,
    /// Used when it is not given.
    pub default: Option<Default>,
    /// It must be given.
    pub required: bool,
}

/// A table of keys.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What it is called in messages, such as `[cluster]`.
    pub title: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Section {
    /// The key of a name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        doc,
        default: None,
        required: false,
    }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        required: true,
        ..key(name, kind, doc)
    }
}

const fn with(
    name: &'static str,
    kind: Kind,
    value: &'static str,
    why: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        default: Some(Default { value, why }),
        ..key(name, kind, doc)
    }
}

const fn count(min: u64, max: u64) -> Kind {
    Kind::Count {
        min,
        max,
        none: false,
    }
}

const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity {
        dimension,
        min,
        max,
    }
}

/// Most ranks of any parallel axis: ten times the largest cluster announced by 2026.
pub const MAX_RANKS: u64 = 10_000_000;

/// ZeRO stages are numbers in files.
const ZERO: Kind = count(0, 3);
/// `[[claim]]` and `[[expect]]`.
pub const CLAIM: Section = Section {
    title: "[[claim]]",
    doc: "A published figure that the answer is compared with. In [[expect]] a miss fails the run.",
    keys: &[
        required(
            "quantity",
            Kind::Choice(super::claim::QUANTITIES),
            "What the figure is of.",
        ),
        required(
            "value",
            Kind::Stated,
            "The figure with its unit, such as \"2.664 M GPU-hours\".",
        ),
        key(
            "within",
            Kind::Number {
                min: 0.0,
                max: 10.0,
            },
            "Tolerance as a share, such as \"5 %\".",
        ),
        key(
            "id",
            Kind::Text,
            "What the ledger of claims calls it; unique there. Without one it is the quantity, with case and file where that is not enough.",
        ),
        with(
            "relation",
            Kind::Choice(super::claim::RELATIONS),
            "about",
            "a figure is stated as what it was",
            "How the figure is meant.",
        ),
        key(
            "requires",
            Kind::Texts,
            "What must be true for it, in sentences.",
        ),
        key(
            "missing",
            Kind::Texts,
            "What would have to be known to tell, where a simulation cannot.",
        ),
        key(
            "phase",
            Kind::Text,
            "For phase_gpu_hours: the phase, or what the names of several begin with (`r1-zero` for `r1-zero-32k` and `r1-zero-64k`).",
        ),
        key("who", Kind::Text, "Who stated it."),
        key("date", Kind::Date, "When."),
        key("source", Kind::Text, "Where it can be read."),
        key("note", Kind::Text, "What to know about it."),
    ],
};

/// `[[fleet]]`.
pub const FLEET: Section = Section {
    title: "[[fleet]]",
    doc: "Accelerators that somebody is said to own: what they cost, and what a run takes of them. The run itself is on `[cluster]`.",
    keys: &[
        required(
            "accelerator",
            Kind::Catalogue("accelerators"),
            "Accelerator, such as h100-sxm.",
        ),
        required("count", count(1, MAX_RANKS), "How many."),
        with(
            "price",
            quantity(Dimension::Money, 1.0, 1e7),
            "",
            "the catalogue's price of the accelerator's share of a server, from low to high",
            "Price of one with its share of a server, such as \"31 K USD\".",
        ),
        key("why", Kind::Text, "Why so many, or at this price."),
    ],
};

/// `[[factor]]`.
pub const FACTOR: Section = Section {
    title: "[[factor]]",
    doc: "Something that several ranges move with: a range joins it with `factor = \"NAME\"`.",
    keys: &[
        required("name", Kind::Text, "Name; unique in the file."),
        required(
            "why",
            Kind::Text,
            "What it is, and why these ranges move together.",
        ),
        with(
            "correlation",
            Kind::Number { min: 0.0, max: 1.0 },
            "1",
            "they move as one",
            "Rank correlation (Spearman's) of any two of its ranges.",
        ),
    ],
};

/// `[[case]]`.
pub const CASE: Section = Section {
    title: "[[case]]",
    doc: "A named variation of the file. Without any, the file is one case.",
    keys: &[
        required("name", Kind::Text, "Name; unique in the file."),
        key("note", Kind::Text, "What to know about it."),
        key(
            "set",
            Kind::Settings,
            "Scenario paths and the values they take in this case.",
        ),
        key(
            "claim",
            Kind::Tables(&CLAIM),
            "Claims about this case, besides those of the file.",
        ),
        key(
            "expect",
            Kind::Tables(&CLAIM),
            "Expectations of this case, besides those of the file.",
        ),
    ],
};

/// The whole file.
pub const ROOT: Section = Section {
    title: "the top level",
    doc: "A scenario: what is trained on what, how, and which claims about it are to be judged.",
    keys: &[
        key("title", Kind::Text, "Title of the scenario."),
        key("question", Kind::Text, "The question it answers."),
        key("note", Kind::Text, "What to know about it."),
        key(
            "extends",
            Kind::Path,
            "A scenario file that this one changes, relative to this file.",
        ),
        with(
            "seed",
            Kind::Count {
                min: 0,
                max: 9_007_199_254_740_992,
                none: false,
            },
            "1",
            "any fixed number: the same seed gives the same bytes",
            "Seed of everything random.",
        ),
        key("model", Kind::Table(&MODEL), MODEL.doc),
        key("cluster", Kind::Table(&CLUSTER), CLUSTER.doc),
        key("parallelism", Kind::Table(&PARALLELISM), PARALLELISM.doc),
        key("precision", Kind::Table(&PRECISION), PRECISION.doc),
        key("training", Kind::Table(&TRAINING), TRAINING.doc),
        key("routing", Kind::Table(&ROUTING), ROUTING.doc),
        key("noise", Kind::Table(&NOISE), NOISE.doc),
        key("software", Kind::Table(&SOFTWARE), SOFTWARE.doc),
        key("fault", Kind::Tables(&FAULT), FAULT.doc),
        key("engine", Kind::Table(&ENGINE), ENGINE.doc),
        key("economics", Kind::Table(&ECONOMICS), ECONOMICS.doc),
        key("reliability", Kind::Table(&RELIABILITY), RELIABILITY.doc),
        key("fleet", Kind::Tables(&FLEET), FLEET.doc),
        key("factor", Kind::Tables(&FACTOR), FACTOR.doc),
        key("sweep", Kind::Table(&SWEEP), SWEEP.doc),
        key("case", Kind::Tables(&CASE), CASE.doc),
        key("claim", Kind::Tables(&CLAIM), CLAIM.doc),
        key(
            "expect",
            Kind::Tables(&CLAIM),
            "Like claims, but a miss beyond `within` fails the run.",
        ),
    ],
};
