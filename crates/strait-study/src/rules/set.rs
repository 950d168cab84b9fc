//! Rule sets as data: when they hold, for whom, their clauses and what those lead to.
//!
//! In: the catalogue's `rules` and files of a user. Out: a [`RuleBook`] in order of time. Never knows a
//! threshold of its own: a new rule is a new file.

use super::answer::When;
use super::condition::Condition;
use super::date::{Date, Period};
use crate::catalog::{self, Catalog, CatalogError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// The folder of rule sets.
pub const RULES: &str = "rules";

/// What a rule says of an export, from the least restrictive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No licence, no notice.
    Free,
    /// Notice to the authority ahead, which may demand a licence.
    Notify,
    /// A licence that is decided on its merits.
    CaseByCase,
    /// A licence, such as one that a private letter demands.
    Licence,
    /// A licence that is as good as refused.
    PresumptionOfDenial,
    /// Not an export that these rules control.
    NotSubject,
    /// The public figures do not decide it.
    Unknown,
}

impl Outcome {
    /// As in files and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Free => "free",
            Outcome::Notify => "notify",
            Outcome::CaseByCase => "case_by_case",
            Outcome::Licence => "licence",
            Outcome::PresumptionOfDenial => "presumption_of_denial",
            Outcome::NotSubject => "not_subject",
            Outcome::Unknown => "unknown",
        }
    }

    /// As people say it.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Free => "free",
            Outcome::Notify => "free after notice",
            Outcome::CaseByCase => "licence, case by case",
            Outcome::Licence => "licence needed",
            Outcome::PresumptionOfDenial => "licence, presumed denied",
            Outcome::NotSubject => "not subject to US export rules",
            Outcome::Unknown => "unknown",
        }
    }

    /// Who plans on buying cannot count on getting it.
    pub fn forbids(self) -> bool {
        matches!(self, Outcome::Licence | Outcome::PresumptionOfDenial)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a chip goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// China with Hong Kong.
    China,
    /// Macau.
    Macau,
    /// Russia.
    Russia,
    /// Another country under a United States arms embargo (country group D:5).
    D5,
    /// A country of group D:1 that is in neither D:5, A:5 nor A:6.
    D1,
    /// A country of group D:4 that is in neither D:5, A:5 nor A:6.
    D4,
    /// The United Arab Emirates.
    Uae,
    /// An ally of group A:5.
    A5,
    /// An ally of group A:6.
    A6,
}

/// Destinations by the words that they may be written with; the first is the one that is printed.
pub const DESTINATIONS: [(Destination, &[&str], &str); 9] = [
    (Destination::China, &["china", "hong-kong", "prc"], "China"),
    (Destination::Macau, &["macau", "macao"], "Macau"),
    (Destination::Russia, &["russia"], "Russia"),
    (Destination::D5, &["d5", "d:5"], "country group D:5"),
    (
        Destination::D1,
        &["d1", "d:1", "vietnam"],
        "country group D:1",
    ),
    (
        Destination::D4,
        &["d4", "d:4", "saudi-arabia"],
        "country group D:4",
    ),
    (Destination::Uae, &["uae"], "the United Arab Emirates"),
    (Destination::A5, &["a5", "a:5"], "country group A:5"),
    (Destination::A6, &["a6", "a:6"], "country group A:6"),
];

impl Destination {
    /// For people.
    pub fn words(self) -> &'static str {
        DESTINATIONS
            .iter()
            .find(|d| d.0 == self)
            .map_or("", |d| d.2)
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        (DESTINATIONS.iter().find(|d| d.0 == self))
            .and_then(|d| d.1.first())
            .copied()
            .unwrap_or("")
    }
}

impl std::str::FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Destination, String> {
        let lower = text.trim().to_lowercase();
        let found = DESTINATIONS.iter().find(|d| d.1.contains(&lower.as_str()));
        found.map(|d| d.0).ok_or_else(|| {
            let known: Vec<&str> = DESTINATIONS
                .iter()
                .filter_map(|d| d.1.first())
                .copied()
                .collect();
            format!(
                "no destination is called \"{text}\"; write {}",
                known.join(", ")
            )
        })
    }
}

/// How a set acts on what was in force before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It takes the place of the set before.
    Replaces,
    /// It makes some outcomes more restrictive.
    Adds,
    /// It makes some outcomes less restrictive.
    Relaxes,
    /// It says nothing about a chip by its figures: caps, duties of others, guidance, payments.
    Records,
}

/// Whether a set ever held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It held, or holds.
    #[default]
    InForce,
    /// It was published and never enforced.
    NotEnforced,
    /// It was proposed; it is no law.
    Proposed,
}

/// A clause: all its conditions, and the outcome.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// As the rule calls it.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// All must hold.
    pub when: Vec<Condition>,
    /// What follows.
    pub outcome: Outcome,
}

/// What a set says of some destinations.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What they have in common.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// The destinations.
    pub to: Vec<Destination>,
    /// First day, if later than the set's.
    pub from: Option<Date>,
    /// Last day, if earlier than the set's; afterwards the destination is unknown.
    pub until: Option<Date>,
    /// Outcomes that are others here than the clauses say.
    #[serde(default)]
    pub instead: BTreeMap<String, Outcome>,
    /// What to say about it.
    pub because: Option<String>,
}

/// A day before the set's own on which it already held for some chips.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Early {
    /// What it was.
    pub name: Option<String>,
    /// The day.
    pub effective: Date,
    /// Companies; empty for all.
    #[serde(default)]
    pub vendors: Vec<String>,
    /// The chips.
    pub when: Vec<Condition>,
}

/// A payment that comes with an outcome.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WedgeRule {
    /// What it is called.
    pub name: String,
    /// Which chips.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// With which outcomes.
    pub outcomes: Vec<Outcome>,
    /// Companies; empty for all.
    #[serde(default)]
    pub vendors: Vec<String>,
    /// Chips by id; empty for all.
    #[serde(default)]
    pub chips: Vec<String>,
    /// Its share of the price.
    pub share: f64,
}

/// A point that the public sources leave open.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contested {
    /// The point.
    pub point: String,
    /// With which clauses it matters; empty for all.
    #[serde(default)]
    pub clauses: Vec<String>,
    /// For which chips; empty for all.
    #[serde(default)]
    pub chips: Vec<String>,
}

/// A limit on quantities.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Of what.
    pub name: String,
    /// How much, with its unit.
    pub amount: String,
}

/// A rule set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Id: the stem of its file.
    pub id: String,
    /// Title.
    pub name: String,
    /// What it changed.
    pub description: Option<String>,
    /// Day of publication, which also names it.
    pub published: Option<Date>,
    /// First day.
    pub effective: Option<Date>,
    /// Last day.
    pub until: Option<Date>,
    /// Where it can be read.
    pub citation: Option<String>,
    /// How it acts on the sets before.
    pub mode: Mode,
    /// Whether it held.
    #[serde(default)]
    pub standing: Standing,
    /// Outcomes that it may change, where it adds or relaxes; empty for all.
    #[serde(default)]
    pub applies_to: Vec<Outcome>,
    /// Companies that it is addressed to; empty for all.
    #[serde(default)]
    pub vendors: Vec<String>,
    /// Headquarters that bring a buyer elsewhere under it, as if the goods went to the first scope.
    #[serde(default)]
    pub headquarters: Vec<Destination>,
    /// Destinations, first match.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Clauses, first match.
    #[serde(default)]
    pub clauses: Vec<Clause>,
    /// Days on which it held earlier for some.
    #[serde(default)]
    pub early: Vec<Early>,
    /// Days of notice that `notify` means.
    pub notice_days: Option<u32>,
    /// Limits on quantities.
    #[serde(default)]
    pub caps: Vec<Cap>,
    /// Payments.
    #[serde(default)]
    pub wedges: Vec<WedgeRule>,
    /// What is known of licences granted.
    pub grants: Option<String>,
    /// What else it asks that no figure of a chip shows.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// Open points.
    #[serde(default)]
    pub contested: Vec<Contested>,
    /// Until when its state was looked at.
    pub known_until: Option<Date>,
    /// A user's own, beside the catalogue's: it holds whatever its standing.
    #[serde(skip)]
    pub own: bool,
}

/// All rule sets in order of publication.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    sets: Vec<RuleSet>,
}

/// What is wrong with a set of rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A file of the catalogue, or of the user, is wrong.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A set that contradicts itself.
    #[error("{file}: {message}")]
    Set {
        /// File.
        file: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl RuleBook {
    /// No rules at all: the counterfactual of a world without them.
    pub fn none() -> RuleBook {
        RuleBook::default()
    }

    /// The catalogue's.
    ///
    /// # Errors
    ///
    /// [`RuleError`]; none with the catalogue of the program, which its tests read.
    pub fn of(catalog: &Catalog) -> Result<RuleBook, RuleError> {
        let mut book = RuleBook::default();
        for id in catalog.list(RULES)? {
            let set: RuleSet = catalog.load(RULES, id)?;
            book.insert(set, &format!("catalog/{RULES}/{id}.toml"))?;
        }
        Ok(book)
    }

    /// Adds a set from a file of the user's own: the catalogue's form, where any value may be written
    /// bare, without a source. Without `effective` it always holds.
    ///
    /// # Errors
    ///
    /// [`RuleError`], with the file and the line.
    pub fn add(&mut self, file: &str, text: &str) -> Result<String, RuleError> {
        let stem = std::path::Path::new(file)
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned());
        let id = stem.unwrap_or_else(|| "own".to_owned());
        let mut set: RuleSet = catalog::load_bare(file, text, &id)?;
        set.own = true;
        self.insert(set, file)?;
        Ok(id)
    }

    fn insert(&mut self, set: RuleSet, file: &str) -> Result<(), RuleError> {
        let wrong = |message: String| RuleError::Set {
            file: file.to_owned(),
            message,
        };
        if self.set(&set.id).is_some() {
            return Err(wrong(format!(
                "there is a rule set \"{}\" already: rename the file",
                set.id
            )));
        }
        if set.mode == Mode::Records && !set.clauses.is_empty() {
            return Err(wrong(
                "a set that only records has no clauses: set mode to replaces, adds or relaxes"
                    .to_owned(),
            ));
        }
        if set.mode != Mode::Records && (set.clauses.is_empty() || set.scopes.is_empty()) {
            return Err(wrong(
                "a set needs [[clauses]] and [[scopes]] (destinations), or the mode records"
                    .to_owned(),
            ));
        }
        for scope in &set.scopes {
            for word in scope.instead.keys() {
                if ORDER.iter().all(|o| o.word() != word) {
                    let known: Vec<&str> = ORDER.iter().map(|o| o.word()).collect();
                    return Err(wrong(format!(
                        "`instead` names the outcome \"{word}\"; it is one of {}",
                        known.join(", ")
                    )));
                }
            }
        }
        if let Some(wedge) = set
            .wedges
            .iter()
            .find(|w| !(w.share > 0.0 && w.share <= 1.0))
        {
            return Err(wrong(format!(
                "the share of \"{}\" is {}; it lies between 0 and 1",
                wedge.name, wedge.share
            )));
        }
        if set
            .until
            .zip(set.effective)
            .is_some_and(|(until, from)| until < from)
            && set.standing == Standing::InForce
        {
            return Err(wrong(
                "`until` is before `effective`: exchange them".to_owned(),
            ));
        }
        self.sets.push(set);
        self.sets
            .sort_by(|a, b| (a.when(), &a.id).cmp(&(b.when(), &b.id)));
        Ok(())
    }

    /// All sets in order of publication; those without a date last.
    pub fn sets(&self) -> &[RuleSet] {
        &self.sets
    }

    /// The set of an id.
    pub fn set(&self, id: &str) -> Option<&RuleSet> {
        self.sets.iter().find(|set| set.id == id)
    }

    /// Sets that hold or held.
    pub fn in_force(&self) -> impl Iterator<Item = &RuleSet> {
        self.sets
            .iter()
            .filter(|set| set.standing == Standing::InForce && !set.own)
    }

    /// The sets that change what a chip's figures lead to, in order of publication.
    pub fn milestones(&self) -> impl Iterator<Item = &RuleSet> {
        self.in_force().filter(|set| set.mode != Mode::Records)
    }

    /// The rules that a text names: a day, a month or a year (its last day), the id of a set, or `none`.
    /// With a remark where the text leaves something to say.
    ///
    /// # Errors
    ///
    /// Words with a remedy, for what is neither.
    pub fn when(&self, text: &str) -> Result<(When, Option<String>), String> {
        let text = text.trim();
        if self.set(text).is_some() {
            return Ok((When::Under(text.to_owned()), None));
        }
        if text == "none" {
            return Ok((When::None, None));
        }
        match Period::parse(text) {
            Ok(period) => {
                let remark = (period.first != period.last)
                    .then(|| format!("{text} is taken as its last day, {}", period.last));
                Ok((When::On(period.last), remark))
            }
            Err(error) if text.chars().all(|c| c.is_ascii_digit() || c == '-') => {
                Err(error.to_string())
            }
            Err(_) => {
                let ids: Vec<&str> = self.sets.iter().map(|set| set.id.as_str()).collect();
                let near = catalog::nearest(text, ids.iter().copied());
                let near = near.map_or(String::new(), |id| format!(", did you mean \"{id}\"?"));
                Err(format!(
                    "\"{text}\" is neither a date nor a rule set{near}; write a date as in 2023-10-17, none, or one of {}",
                    ids.join(", ")
                ))
            }
        }
    }

    /// Publication of the last set that holds; `None` without rules.
    pub fn last_day(&self) -> Option<Date> {
        self.in_force().filter_map(|set| set.published).max()
    }

    /// Until when the state of the rules was looked at.
    pub fn known_until(&self) -> Option<Date> {
        self.sets
            .iter()
            .filter_map(|set| set.known_until)
            .max()
            .or(self.last_day())
    }
}

/// Outcomes from the least restrictive.
pub const ORDER: [Outcome; 5] = [
    Outcome::Free,
    Outcome::Notify,
    Outcome::CaseByCase,
    Outcome::Licence,
    Outcome::PresumptionOfDenial,
];

impl RuleSet {
    /// What it is sorted by.
    fn when(&self) -> (bool, Option<Date>) {
        let day = self.published.or(self.effective);
        (day.is_none(), day)
    }

    /// Title with its date, for sentences.
    pub fn title(&self) -> String {
        match self.published.or(self.effective) {
            Some(day) => format!("{} ({day})", self.name),
            None => self.name.clone(),
        }
    }
}
