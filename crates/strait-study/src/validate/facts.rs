//! What is known about publications beyond their rows: which software they ran, how they count
//! FLOPs, what their words for machines and models mean.
//!
//! In: `scenarios/published/facts.toml`, compiled into the program. Out: [`Facts`], asked by row.
//! Never holds a fact of its own and never depends on a measured value.

use super::rows::Row;
use super::words;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

static TEXT: &str = include_str!("../../../../scenarios/published/facts.toml");

/// All facts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Rules on publications, from general to particular: later ones win.
    pub rule: Vec<Rule>,
    /// Words for accelerators, the first that matches.
    pub accelerator: Vec<Named>,
    /// Words for networks, the first that matches.
    pub network: Vec<Network>,
    /// Words for models, the first that matches.
    pub model: Vec<Named>,
    /// Models that cannot be expressed.
    pub beyond: Vec<Beyond>,
}

/// Conditions on a row; all that are given must hold. A list holds if one of its texts does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct When {
    /// Texts in columns, whatever their case.
    pub columns: BTreeMap<String, Texts>,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Any of them.
    Any(Vec<String>),
}

impl Texts {
    fn any(&self, test: impl FnMut(&str) -> bool) -> bool {
        let mut test = test;
        match self {
            Texts::One(text) => test(text),
            Texts::Any(list) => list.iter().any(|text| test(text)),
        }
    }
}

impl When {
    /// Every condition holds. `""` asks for an empty field.
    pub fn holds(&self, row: &Row) -> bool {
        self.columns.iter().all(|(column, texts)| {
            texts.any(|text| match text {
                "" => row.get(column).is_empty(),
                _ => row.says(column, text),
            })
        })
    }
}

/// How a publication counts FLOPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// The attention square by half, recomputation not counted.
    Causal,
    /// The whole square, recomputation not counted.
    Full,
    /// The whole square, recomputation counted.
    Hardware,
    /// Six times the parameters and the whole square.
    Parameters,
}

/// What recomputation a row that doesn't say is taken to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRecompute {
    /// Whole layers, as code before FlashAttention did by default.
    Full,
    /// As much as memory asks for, layer by layer.
    Least,
    /// As much as memory asks for, by parts of all layers first: compilers that are told which
    /// tensors to keep (XLA) recompute the cheap ones between them.
    LeastParts,
}

/// A rule on rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which rows.
    #[serde(default)]
    pub when: When,
    /// First year.
    #[serde(default)]
    pub from: Option<u32>,
    /// Last year.
    #[serde(default)]
    pub until: Option<u32>,
    /// Family in the report.
    #[serde(default)]
    pub family: Option<String>,
    /// Software generation.
    #[serde(default)]
    pub profile: Option<String>,
    /// How FLOPs are counted.
    #[serde(default)]
    pub convention: Option<Convention>,
    /// What a row that doesn't state recomputation gets.
    #[serde(default)]
    pub recompute: Option<MissingRecompute>,
    /// Scenario settings.
    #[serde(default)]
    pub set: BTreeMap<String, toml::Value>,
    /// What the rule assumes, where it is no stated fact: a word to the reader of the row.
    #[serde(default)]
    pub assume: Option<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub source: Option<String>,
}

/// A word and the catalogue's id for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Texts, whatever their case.
    pub says: Texts,
    /// Texts that must all be there as well.
    #[serde(default)]
    pub all: Vec<String>,
    /// Texts of which none may be there.
    #[serde(default)]
    pub not: Vec<String>,
    /// Id.
    pub id: String,
    /// What of the name it leaves open.
    #[serde(default)]
    pub assume: Option<String>,
    /// Scenario settings that come with it.
    #[serde(default)]
    pub set: BTreeMap<String, toml::Value>,
}

/// Words for what joins accelerators.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Texts in the column `interconnect`; an empty text asks for an empty field.
    pub says: Texts,
    /// Accelerators that it holds for (start of their ids); empty for all.
    #[serde(default)]
    pub on: String,
    /// Server; none: the accelerator's usual one.
    #[serde(default)]
    pub node: Option<String>,
    /// Fabric; none: the accelerator's usual one.
    #[serde(default)]
    pub fabric: Option<String>,
}

/// What is refused, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beyond {
    /// Which rows.
    pub when: When,
    /// Why.
    pub why: String,
}

/// What the rules say of one row.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Family.
    pub family: Option<String>,
    /// Software generation.
    pub profile: Option<String>,
    /// Convention of FLOPs.
    pub convention: Option<Convention>,
    /// Missing recomputation.
    pub recompute: Option<MissingRecompute>,
    /// Settings.
    pub set: BTreeMap<String, toml::Value>,
    /// Assumptions.
    pub assumed: Vec<String>,
}

impl Facts {
    /// The facts that the program carries.
    ///
    /// # Panics
    ///
    /// Where the file in the program is no such table: a test reads it.
    pub fn shipped() -> &'static Facts {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(|| match toml::from_str(TEXT) {
            Ok(facts) => facts,
            Err(error) => panic!("scenarios/published/facts.toml: {error}"),
        })
    }

    /// Everything that the rules say of a row.
    pub fn of(&self, row: &Row) -> Known {
        let year = words::year(row.get("year"));
        let mut known = Known::default();
        for rule in &self.rule {
            let in_time = match year {
                Some(year) => {
                    rule.from.is_none_or(|from| year >= from)
                        && rule.until.is_none_or(|until| year <= until)
                }
                // Undated rows get the newest generation.
                None => rule.until.is_none(),
            };
            if !in_time || !rule.when.holds(row) {
                continue;
            }
            known.family = rule.family.clone().or(known.family);
            if rule.profile.is_some() {
                known.profile = rule.profile.clone();
                // A generation that is stated takes the place of one that was assumed.
                known.assumed.clear();
            }
            known.convention = rule.convention.or(known.convention);
            known.recompute = rule.recompute.or(known.recompute);
            known.set.extend(rule.set.clone());
            known.assumed.extend(rule.assume.clone());
        }
        known
    }
}

/// The first entry whose texts are in `text`, however it writes gaps: "Llama 3.1 70B", "llama3.1-70b".
pub fn named<'a>(list: &'a [Named], text: &str) -> Option<&'a Named> {
    let bare = |text: &str| text.to_lowercase().replace([' ', '-', '_'], "");
    let text = bare(text);
    let has = |word: &str| text.contains(&bare(word));
    list.iter().find(|named| {
        named.says.any(has)
            && named.all.iter().all(|word| has(word))
            && !named.not.iter().any(|word| has(word))
    })
}

impl Network {
    /// It is what the row says of this accelerator.
    pub fn holds(&self, says: &str, accelerator: &str) -> bool {
        let plain = |text: &str| {
            text.to_lowercase()
                .replace(['×', '*'], "x")
                .replace(" x ", "x")
        };
        let says = plain(says);
        accelerator.starts_with(&self.on)
            && self.says.any(|text| match text {
                "" => says.is_empty(),
                _ => says.contains(&plain(text)),
            })
    }
}
