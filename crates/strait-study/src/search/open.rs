//! Scenarios whose layout is what is asked for.
//!
//! In: a scenario file, overrides, a precision recipe, a number of nodes. Out: the case, and why the
//! layout that it writes can't be used, if it can't: a search needs none. Faults of anything else are
//! faults here too.

use crate::catalog::Catalog;
use crate::scenario::{Diagnostic, Loaded, Overrides, ResolvedCase, Severity, load};
use std::path::Path;

/// A scenario's case to search a layout for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The case; with a layout that stands in for the written one where that can't be used.
    pub resolved: ResolvedCase,
    /// Why the written layout can't be used.
    pub unusable: Option<String>,
}

/// Faults that another layout may not have.
const OF_LAYOUT: [&str; 17] = [
    "scenario::batch-divides",
    "scenario::context-divides",
    "scenario::contradiction",
    "scenario::dualpipe-odd",
    "scenario::expert-divides-experts",
    "scenario::expert-exceeds-experts",
    "scenario::expert-ranks",
    "scenario::interleaved-without-stages",
    "scenario::layout-product",
    "scenario::micro-batches",
    "scenario::more-stages-than-layers",
    "scenario::sequence-divides",
    "scenario::stage-layers-count",
    "scenario::stage-layers-sum",
    "scenario::tensor-divides-heads",
    "scenario::tensor-divides-ffn",
    "scenario::zero-group",
];

/// Opens a scenario. The inner list has the cases in the order of the file; with several cases the
/// caller asks for one by its name.
///
/// # Errors
/// The faults of the scenario.
pub fn open(
    path: &Path,
    catalog: &Catalog,
    overrides: &Overrides,
) -> Result<Vec<Opened>, Vec<Diagnostic>> {
    let opened = |loaded: Loaded, unusable: Option<String>| {
        let cases = loaded.cases.into_iter();
        cases
            .map(|resolved| Opened {
                resolved,
                unusable: unusable.clone(),
            })
            .collect()
    };
    let faults = match load(path, catalog, overrides) {
        Ok(loaded) => return Ok(opened(loaded, None)),
        Err(faults) => faults,
    };
    let errors = || {
        faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error)
    };
    let of_layout = |fault: &Diagnostic| OF_LAYOUT.contains(&fault.code);
    let Some(first) = errors().next().filter(|_| errors().all(of_layout)) else {
        return Err(faults);
    };
    let why = first.message.clone();
    for set in stand_ins() {
        let mut with = overrides.clone();
        with.set.extend(set);
        if let Ok(loaded) = load(path, catalog, &with) {
            return Ok(opened(loaded, Some(why)));
        }
    }
    Err(faults)
}

/// Layouts that stand in for one that can't be used: the fewest model-parallel ranks first.
fn stand_ins() -> impl Iterator<Item = Vec<(String, String)>> {
    let sizes = (0..14).flat_map(|power| [1_u32 << power, 3 << power]);
    let shapes = sizes.flat_map(|inner| {
        [1, 2, 4, 8]
            .into_iter()
            .filter(move |tensor| inner % tensor == 0 && inner / tensor <= 192)
            .map(move |tensor| (tensor, inner / tensor))
    });
    shapes.map(|(tensor, pipeline)| {
        [
            ("tensor", tensor.to_string()),
            ("pipeline", pipeline.to_string()),
            ("virtual_stages", "1".to_owned()),
            ("context", "1".to_owned()),
            ("expert", "1".to_owned()),
            ("expert_tensor", "1".to_owned()),
            ("schedule", "1f1b".to_owned()),
            ("zero_group", "none".to_owned()),
            ("micro_batch", "1".to_owned()),
        ]
        .map(|(key, value)| (format!("parallelism.{key}"), value))
        .to_vec()
    })
}

/// The same scenario on another number of nodes: read again, or, where its layouts can't be used
/// there, with only the number of nodes changed.
///
/// # Errors
/// The faults of the scenario that are none of its layout.
pub fn on_nodes(
    path: &Path,
    catalog: &Catalog,
    overrides: &Overrides,
    base: &ResolvedCase,
    nodes: u32,
) -> Result<Opened, Vec<Diagnostic>> {
    let mut with = overrides.clone();
    with.cases = vec![base.case.name.clone()];
    with.set
        .push(("cluster.nodes".to_owned(), nodes.to_string()));
    let stated = |key: &str| {
        (base.origins.iter()).any(|explained| explained.path == key && explained.place.is_some())
    };
    if stated("cluster.gpus") {
        let gpus = u64::from(nodes) * u64::from(base.case.cluster.node.accelerators);
        with.set.push(("cluster.gpus".to_owned(), gpus.to_string()));
    }
    let faults = match open(path, catalog, &with) {
        Ok(mut cases) => match cases.pop() {
            Some(opened) => return Ok(opened),
            None => Vec::new(),
        },
        Err(faults) => faults,
    };
    let errors = || {
        faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error)
    };
    match errors().next() {
        Some(first) if errors().all(|fault| OF_LAYOUT.contains(&fault.code)) => {
            let mut resolved = base.clone();
            resolved.case.cluster.nodes = nodes;
            Ok(Opened {
                resolved,
                unusable: Some(first.message.clone()),
            })
        }
        _ => Err(faults),
    }
}
