//! The machine of a published row: accelerator, server, network.
//!
//! In: a row's words and the facts on them. Out: settings of the section `cluster`. Never looks at a
//! job's layout, but for how many accelerators of a server it fills.

use super::facts::{Facts, named};
use super::job::{Draft, Refusal, count};
use super::rows::Row;
use super::words;
use crate::catalog::Catalog;

/// Accelerator, server, network. Returns the accelerator's id.
pub(super) fn cluster(
    draft: &mut Draft,
    row: &Row,
    facts: &Facts,
    catalog: &Catalog,
    gpus: u32,
) -> Result<String, Refusal> {
    let says = row.get("gpu");
    let named = named(&facts.accelerator, says);
    let id = match named {
        Some(named) => named.id.clone(),
        None => says.to_lowercase().replace([' ', '_'], "-"),
    };
    if catalog.accelerator(&id).is_err() {
        return Err(format!(
            "the catalogue has no accelerator \"{says}\" with the figures that a step needs"
        ));
    }
    draft.put("cluster.accelerator", id.as_str());
    let network = row.get("interconnect");
    let fact = facts.network.iter().find(|n| n.holds(network, &id));
    let usual = match catalog.default_cluster(&id) {
        Ok((node, fabric)) => (Some(node), Some(fabric)),
        Err(_) => (None, None),
    };
    let stated = |key: &str| -> Option<String> {
        let value = draft.known.set.get(key)?.as_str()?;
        Some(value.to_owned())
    };
    let (stated_node, stated_fabric) = (stated("cluster.node"), stated("cluster.fabric"));
    let node_id = stated_node
        .or(fact.and_then(|n| n.node.clone()))
        .or(usual.0)
        .ok_or_else(|| format!("no server of {id} is known"))?;
    let node = catalog
        .node(&node_id)
        .map_err(|e| format!("server {node_id}: {e}"))?;
    let whole = node.accelerators;
    draft.put("cluster.node", node_id.as_str());
    let tensor = count(row, "tp")?.unwrap_or(1);
    let used = used_of(gpus, whole, tensor);
    if used != whole {
        draft.count("cluster.per_node", used);
        if used < whole && gpus > used && whole <= 8 {
            draft.assume(format!(
                "{used} of {whole} accelerators of each server used: {gpus} are not whole servers"
            ));
        }
    }
    draft.count("cluster.gpus", gpus);
    let fabric = stated_fabric.or(fact.and_then(|n| n.fabric.clone()));
    if let Some(fabric) = fabric.or(usual.1) {
        draft.put("cluster.fabric", fabric);
    }
    // A printed rate that the named server does not already stand for.
    if let Some((rate, of)) = words::network_rate(network) {
        let each = rate / f64::from(of.unwrap_or(whole.min(8)));
        let known = node.nic_bandwidth.get() * 8.0 / 1e9;
        if (each / known - 1.0).abs() > 0.01 {
            draft.put("cluster.nic_bandwidth", format!("{each} Gb/s"));
        }
    } else if gpus > used && network.is_empty() {
        draft.assume(format!("network of {node_id}: not printed"));
    }
    Ok(id)
}

/// Accelerators used of each server: all, or of a job smaller than a server its own, or of a large
/// domain (an NVL72 rack) the most that divides the job into whole trays of four.
/// Groups of `tensor` ranks stay inside a server where any number of them does.
pub(super) fn used_of(gpus: u32, whole: u32, tensor: u32) -> u32 {
    if gpus <= whole {
        return gpus;
    }
    // A rack of 72 is the exception below.
    if gpus.is_multiple_of(whole) && (whole <= 8 || whole.is_power_of_two()) {
        return whole;
    }
    if whole > 8 {
        // Groups of 8 and 16 ranks do not fit into 72: jobs use 64 of a rack where they can.
        let best = [256, 128, 64, 72, 56, 48, 36, 32, 16, 8, 4, 2, 1];
        return best
            .into_iter()
            .find(|&n| n <= whole && gpus.is_multiple_of(n))
            .unwrap_or(1);
    }
    let fits = |n: &u32| gpus.is_multiple_of(*n);
    let together = |n: &u32| fits(n) && n.is_multiple_of(tensor.max(1));
    let counts = || (1..=whole).rev();
    counts().find(together).or(counts().find(fits)).unwrap_or(1)
}
