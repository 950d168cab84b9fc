//! The object that `strait claims --json` prints.
//!
//! In: judged claims. Out: a [`LedgerDocument`], whose field names and order are a promise to
//! scripts. Never leaves out a key: what is unknown is `null`.

use super::{Book, Shelved};
use crate::answer::digest;
use crate::scenario::{Claim as Stated, Relation};
use crate::verdict::{Judgement, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// The ledger of claims.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LedgerDocument {
    /// Version of the command.
    pub strait: String,
    /// Where the claims stand.
    pub ledger: String,
    /// Draws for each case.
    pub draws: u32,
    /// SHA-256 of this object as compact JSON without `digest`.
    pub digest: String,
    /// The claims, in the order of files and of each file.
    pub claims: Vec<LedgerEntry>,
}

impl LedgerDocument {
    /// Of judged claims.
    pub fn new(version: &str, shelved: &Shelved, draws: u32, claims: Vec<LedgerEntry>) -> Self {
        let mut document = LedgerDocument {
            strait: version.to_owned(),
            ledger: shelved.name.clone(),
            draws,
            digest: String::new(),
            claims,
        };
        document.digest = digest(&document);
        document
    }
}

/// One claim with its verdict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LedgerEntry {
    /// Id; unique in the ledger.
    pub id: String,
    /// Who says so.
    pub who: String,
    /// When.
    pub date: String,
    /// What is stated.
    pub quantity: String,
    /// How the value is meant: `about`, `at-least` or `at-most`.
    pub relation: String,
    /// Stated value, in `unit`.
    pub stated: f64,
    /// Simulated value: the median of the draws.
    pub simulated: Option<f64>,
    /// Low end of what could be true.
    pub low: Option<f64>,
    /// High end of what could be true.
    pub high: Option<f64>,
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Unit of the values.
    pub unit: String,
    /// Simulated over stated.
    pub ratio: Option<f64>,
    /// Physical bound: the model's FLOPs alone, at the peak rate.
    pub bound: Option<f64>,
    /// What must be true for the claim.
    pub requires: Vec<String>,
    /// What would have to be known to tell.
    pub missing: Vec<String>,
    /// Where it can be read.
    pub source: String,
    /// What to know about it.
    pub note: String,
    /// Title of the scenario.
    pub title: String,
    /// The scenario's file.
    pub scenario: String,
    /// Name of its case.
    pub case: String,
}

impl LedgerEntry {
    pub(super) fn new(book: &Book, stated: &Stated, judgement: Judgement) -> LedgerEntry {
        let claim = judgement.claim;
        LedgerEntry {
            id: stated.id.clone(),
            who: claim.who,
            date: claim.date,
            quantity: claim.quantity.id().to_owned(),
            relation: match claim.relation {
                Relation::About => "about",
                Relation::AtLeast => "at-least",
                Relation::AtMost => "at-most",
            }
            .to_owned(),
            stated: claim.stated,
            simulated: judgement.simulated,
            low: judgement.low,
            high: judgement.high,
            verdict: judgement.verdict,
            reasons: judgement.reasons,
            unit: claim.quantity.unit().symbol().to_owned(),
            ratio: judgement.ratio,
            bound: judgement.bound,
            requires: stated.requires.clone(),
            missing: stated.missing.clone(),
            source: claim.source,
            note: stated.note.clone(),
            title: book.title.clone(),
            scenario: book.path.clone(),
            case: book.case().case.name.clone(),
        }
    }
}
