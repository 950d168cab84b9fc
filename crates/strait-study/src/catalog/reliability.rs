//! Failure profiles from the catalogue.
//!
//! In: an entry of `catalog/reliability`, and `common` for what it doesn't say. Out: a
//! [`ReliabilityProfile`] in which every value names its entry and fact. Never makes a rate up: an
//! entry without causes is refused.

use super::{Catalog, CatalogError};
use serde::Deserialize;
use strait_training::campaign::{Cause, Notice};
use strait_units::{Bandwidth, FailureRate, Ratio, Time};

/// The folder of failure profiles.
pub const RELIABILITY: &str = "reliability";
/// The entry that has what profiles don't say.
const COMMON: &str = "common";

/// A value, the entry that has it, and the key of its fact there.
#[derive(Clone, Debug, PartialEq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// The entry's id.
    pub entry: String,
    /// Key path of the fact.
    pub key: &'static str,
}

/// A failure profile, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityProfile {
    /// Causes of unexpected interruptions.
    pub causes: Vec<Cause>,
    /// Planned interruptions.
    pub planned: Known<FailureRate>,
    /// Until an explicit failure is noticed.
    pub detection: Known<Time>,
    /// Until a hang is noticed.
    pub hang_detection: Known<Time>,
    /// From there until training goes on.
    pub restart: Known<Time>,
    /// Until a node is back.
    pub repair: Known<Time>,
    /// Bytes of a checkpoint for each parameter.
    pub bytes_per_parameter: Known<Ratio>,
    /// Rate of all storage.
    pub storage_bandwidth: Known<Bandwidth>,
    /// Rate of one node.
    pub node_storage_bandwidth: Known<Bandwidth>,
    /// Rate at which an accelerator copies to host memory.
    pub snapshot_bandwidth: Known<Bandwidth>,
    /// Share of machines that are slow.
    pub stragglers: Known<Ratio>,
    /// What they add to a step.
    pub straggler_slowdown: Known<Ratio>,
    /// Until one is found.
    pub straggler_time: Known<Time>,
}

#[derive(Clone, Deserialize)]
struct File {
    #[serde(default)]
    cause: Vec<CauseFile>,
    #[serde(default)]
    planned: PlannedFile,
    detection: Option<Time>,
    hang_detection: Option<Time>,
    restart: Option<Time>,
    repair: Option<Time>,
    #[serde(default)]
    checkpoint: CheckpointFile,
    #[serde(default)]
    stragglers: StragglersFile,
}

#[derive(Clone, Deserialize)]
struct CauseFile {
    name: String,
    per_1000_node_days: f64,
    notice: NoticeName,
    repair: bool,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoticeName {
    Explicit,
    Hang,
}

#[derive(Clone, Default, Deserialize)]
struct PlannedFile {
    per_1000_node_days: Option<f64>,
}

#[derive(Clone, Default, Deserialize)]
struct CheckpointFile {
    bytes_per_parameter: Option<Ratio>,
    storage_bandwidth: Option<Bandwidth>,
    node_storage_bandwidth: Option<Bandwidth>,
    snapshot_bandwidth: Option<Bandwidth>,
}

#[derive(Clone, Default, Deserialize)]
struct StragglersFile {
    share: Option<Ratio>,
    slowdown: Option<Ratio>,
    found_after: Option<Time>,
}

impl Catalog {
    /// A failure profile.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`]; [`CatalogError::Incomplete`] where it names no cause
    /// of failures.
    pub fn reliability(&self, id: &str) -> Result<ReliabilityProfile, CatalogError> {
        let own: File = self.load(RELIABILITY, id)?;
        let common: File = self.load(RELIABILITY, COMMON)?;
        let incomplete = |missing: &'static str| CatalogError::Incomplete {
            kind: RELIABILITY,
            id: id.to_owned(),
            missing: vec![missing],
        };
        if own.cause.is_empty() {
            return Err(incomplete("causes of failures"));
        }
        let causes = (own.cause.iter())
            .map(|cause| Cause {
                name: cause.name.clone(),
                rate: FailureRate::new(cause.per_1000_node_days / 1e3),
                notice: match cause.notice {
                    NoticeName::Explicit => Notice::Explicit,
                    NoticeName::Hang => Notice::Hang,
                },
                repair: cause.repair,
            })
            .collect();
        macro_rules! known {
            ($key:literal, $($field:ident).+) => {
                match (own.$($field).+, common.$($field).+) {
                    (Some(value), _) => Known { value, entry: id.to_owned(), key: $key },
                    (None, Some(value)) => Known { value, entry: COMMON.to_owned(), key: $key },
                    (None, None) => return Err(incomplete($key)),
                }
            };
        }
        let planned = known!("planned.per_1000_node_days", planned.per_1000_node_days);
        Ok(ReliabilityProfile {
            causes,
            planned: Known {
                value: FailureRate::new(planned.value / 1e3),
                entry: planned.entry,
                key: planned.key,
            },
            detection: known!("detection", detection),
            hang_detection: known!("hang_detection", hang_detection),
            restart: known!("restart", restart),
            repair: known!("repair", repair),
            bytes_per_parameter: known!(
                "checkpoint.bytes_per_parameter",
                checkpoint.bytes_per_parameter
            ),
            storage_bandwidth: known!("checkpoint.storage_bandwidth", checkpoint.storage_bandwidth),
            node_storage_bandwidth: known!(
                "checkpoint.node_storage_bandwidth",
                checkpoint.node_storage_bandwidth
            ),
            snapshot_bandwidth: known!(
                "checkpoint.snapshot_bandwidth",
                checkpoint.snapshot_bandwidth
            ),
            stragglers: known!("stragglers.share", stragglers.share),
            straggler_slowdown: known!("stragglers.slowdown", stragglers.slowdown),
            straggler_time: known!("stragglers.found_after", stragglers.found_after),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_3_adds_up_to_its_419() {
        let profile = Catalog::embedded().reliability("llama3-h100").unwrap();
        let rate: FailureRate = profile.causes.iter().map(|cause| cause.rate).sum();
        let count = rate.get() * 2048.0 * 54.0;
        assert!((count - 419.0).abs() < 0.05, "{count}");
        let planned = profile.planned.value.get() * 2048.0 * 54.0;
        assert!((planned - 47.0).abs() < 0.01, "{planned}");
    }

    #[test]
    fn every_profile_is_complete_and_common_is_none() {
        let catalog = Catalog::embedded();
        for id in catalog.list(RELIABILITY).unwrap() {
            match catalog.reliability(id) {
                Ok(profile) => assert!(!profile.causes.is_empty(), "{id}"),
                Err(error) => {
                    assert_eq!(id, COMMON, "{error}");
                    assert!(error.to_string().contains("causes of failures"), "{error}");
                }
            }
        }
    }
}
