//! What interrupts a run: a failure profile of the catalogue, with what a scenario changes.
//!
//! In: `[reliability]`, the model and the cluster. Out: [`Reliability`], each value recorded with its
//! source; none where the file has no such section. Never simulates a failure.

use super::diagnostic::Diagnostic;
use super::keys::RELIABILITY;
use super::read::{Reader, Scope};
use super::{amount, lookup};
use crate::catalog::{Catalog, Known};
use strait_training::campaign::{
    CheckpointMode, Checkpoints, Evaluations, Every, Reliability, Rollbacks, Stragglers,
    too_many_spares, usual_spares,
};
use strait_training::hardware::Cluster;
use strait_training::model::Model;
use strait_training::simulate::SimulateError;
use strait_units::{Bandwidth, Bytes, FailureRate, Ratio, Time, Tokens};

/// Resolves `[reliability]`; `None` where there is none, or something is wrong with it, which the
/// reader knows.
pub(super) fn reliability(
    root: &Scope<'_>,
    model: &Model,
    cluster: &Cluster,
    catalog: &Catalog,
    reader: &mut Reader,
) -> Option<Reliability> {
    root.node("reliability")?;
    let scope = &super::resolve::section(root, "reliability", &RELIABILITY);
    let (profile, node) = reader.text(scope, "profile")?;
    let facts = lookup::reliability(catalog, &profile, node, reader)?;
    let mut causes = facts.causes;
    let own: FailureRate = causes.iter().map(|cause| cause.rate).sum();
    match reader.number(scope, "failures") {
        Some(failures) => {
            let factor = failures / own.get();
            for cause in &mut causes {
                cause.rate = cause.rate * factor;
            }
        }
        None if scope.node("failures").is_some() => {}
        None => {
            let printed = amount::print(scope.key("failures").kind, own.get());
            let entry = format!("reliability/{profile}");
            let source = lookup::source(
                catalog,
                "reliability",
                &profile,
                "cause[0].per_1000_node_days",
            );
            reader.fact(scope.path("failures"), printed, &entry, source);
        }
    }
    let mut pick = Pick {
        scope,
        catalog,
        reader,
    };
    let planned = FailureRate::new(pick.number("planned", &facts.planned, FailureRate::get));
    let detection = pick.time("detection", &facts.detection);
    let hang_detection = pick.time("hang_detection", &facts.hang_detection);
    let restart = pick.time("restart", &facts.restart);
    let repair = pick.time("repair", &facts.repair);
    let per_parameter = pick.number(
        "bytes_per_parameter",
        &facts.bytes_per_parameter,
        Ratio::get,
    );
    let bandwidth = Bandwidth::get;
    let storage = pick.number("storage_bandwidth", &facts.storage_bandwidth, bandwidth);
    let node_storage = pick.number(
        "node_storage_bandwidth",
        &facts.node_storage_bandwidth,
        bandwidth,
    );
    let snapshot = pick.number("snapshot_bandwidth", &facts.snapshot_bandwidth, bandwidth);
    let stragglers = Stragglers {
        share: Ratio::new(pick.number("stragglers", &facts.stragglers, Ratio::get)),
        slowdown: Ratio::new(pick.number(
            "straggler_slowdown",
            &facts.straggler_slowdown,
            Ratio::get,
        )),
        found_after: pick.time("straggler_time", &facts.straggler_time),
    };
    let taken_out = causes.iter().filter(|cause| cause.repair);
    let taken_out: FailureRate = taken_out.map(|cause| cause.rate).sum();
    let spares = spares(
        scope,
        cluster,
        (taken_out, repair, stragglers.share),
        reader,
    );
    let mode = match reader.word(scope, "checkpoint_mode") {
        Some("async") => CheckpointMode::Asynchronous,
        _ => CheckpointMode::Synchronous,
    };
    let interval = reader.amount(scope, "checkpoint_interval").flatten();
    let evaluations = evaluations(scope, reader);
    let rollbacks = Rollbacks {
        per_trillion_tokens: reader.number(scope, "rollbacks").unwrap_or(0.0),
        back: Tokens::new(reader.number(scope, "rollback_tokens").unwrap_or(0.0) as u64),
    };
    let bytes = model.parameters().total as f64 * per_parameter;
    Some(Reliability {
        profile,
        causes,
        planned,
        detection,
        hang_detection,
        restart,
        repair,
        spares,
        checkpoints: Checkpoints {
            interval: interval.map(Time::from_seconds),
            mode,
            bytes: Bytes::from_f64(bytes),
            storage: Bandwidth::new(storage.min(node_storage * f64::from(cluster.nodes))),
            snapshot: Bandwidth::new(snapshot),
        },
        evaluations,
        rollbacks,
        stragglers,
    })
}

/// Takes a scenario's own value, else the profile's, which it records as a fact.
struct Pick<'a, 's> {
    scope: &'a Scope<'s>,
    catalog: &'a Catalog,
    reader: &'a mut Reader,
}

impl Pick<'_, '_> {
    fn number<T: Copy>(&mut self, key: &str, fact: &Known<T>, base: fn(T) -> f64) -> f64 {
        let value = base(fact.value);
        match self.reader.number(self.scope, key) {
            Some(own) => own,
            None => {
                if self.scope.node(key).is_none() {
                    let printed = amount::print(self.scope.key(key).kind, value);
                    let source = lookup::source(self.catalog, "reliability", &fact.entry, fact.key);
                    let entry = format!("reliability/{}", fact.entry);
                    self.reader
                        .fact(self.scope.path(key), printed, &entry, source);
                }
                value
            }
        }
    }

    fn time(&mut self, key: &str, fact: &Known<Time>) -> Time {
        Time::from_seconds(self.number(key, fact, Time::seconds))
    }
}

fn spares(
    scope: &Scope<'_>,
    cluster: &Cluster,
    (taken_out, repair, slow): (FailureRate, Time, Ratio),
    reader: &mut Reader,
) -> u32 {
    let Some(spares) = reader.count(scope, "spares") else {
        let usual = usual_spares(cluster.nodes, taken_out, repair, slow);
        if scope.node("spares").is_none() {
            reader.rule(scope, "spares", usual);
        }
        return usual;
    };
    if spares > cluster.nodes
        && let SimulateError::Invalid {
            message, remedy, ..
        } = too_many_spares(spares, cluster.nodes)
    {
        let d = Diagnostic::error("scenario::too-many-spares", message).help(remedy);
        let d = reader.label(d, &scope.path("spares"), &scope.place, "");
        let d = reader.label(d, "cluster.nodes", &scope.place, "");
        reader.fail(d);
    }
    spares
}

fn evaluations(scope: &Scope<'_>, reader: &mut Reader) -> Option<Evaluations> {
    let tokens = reader.number(scope, "evaluation_tokens");
    let steps = reader.count(scope, "evaluation_steps");
    let pause = Time::from_seconds(reader.number(scope, "evaluation_time").unwrap_or(0.0));
    let every = match (tokens, steps) {
        (Some(tokens), None) => Every::Tokens(Tokens::new(tokens as u64)),
        (None, Some(steps)) => Every::Steps(steps),
        (None, None) => {
            if scope.node("evaluation_time").is_some() {
                let d = Diagnostic::error(
                    "scenario::evaluation-never",
                    "evaluation_time is given, but not how often the model is evaluated",
                )
                .help("add evaluation_tokens or evaluation_steps, or leave evaluation_time out");
                let d = reader.label(d, &scope.path("evaluation_time"), &scope.place, "");
                reader.fail(d);
            }
            return None;
        }
        (Some(_), Some(_)) => {
            let d = Diagnostic::error(
                "scenario::evaluation-twice",
                "evaluation_tokens and evaluation_steps both say how often the model is evaluated",
            )
            .help("leave one of them out");
            let d = reader.label(d, &scope.path("evaluation_tokens"), &scope.place, "");
            let d = reader.label(d, &scope.path("evaluation_steps"), &scope.place, "");
            reader.fail(d);
            return None;
        }
    };
    Some(Evaluations { every, pause })
}
