//! Which models of time a case gets: its kernels and links at its recipe, or why it has none.
//!
//! In: a case and a layout. Out: [`Durations`], or the contradiction. Never prices a step itself.

use super::duration::Durations;
use crate::case::{Case, Dispatcher, Parallelism, Precision};
use crate::hardware::Cluster;
use crate::kernels::{Kernels, MatrixType};
use crate::layout::{Group, Layout, Span};
use crate::links::{GroupShape, Links};
use crate::ops::Shape;
use crate::simulate::SimulateError;

pub(super) fn shape_of(span: Span) -> GroupShape {
    GroupShape {
        ranks: span.ranks,
        per_domain: span.per_domain,
        domains: span.domains,
    }
}

pub(super) fn invalid(path: &str, message: String, remedy: &str) -> SimulateError {
    SimulateError::Invalid {
        path: path.to_owned(),
        message,
        remedy: remedy.to_owned(),
    }
}

fn kernel_error(error: crate::kernels::KernelError) -> SimulateError {
    invalid(
        "cluster.accelerator",
        error.to_string(),
        "choose an accelerator with a kernel profile, or another precision recipe",
    )
}

/// The kernels of a case, for its recipe.
fn kernels(case: &Case) -> Result<Kernels<'_>, SimulateError> {
    let kernels = Kernels::new(
        &case.cluster.accelerator,
        &case.kernels,
        case.software.fusion,
        case.software.graphs,
    )
    .map_err(kernel_error)?;
    // The fine-grained recipe's op list was measured with its lab's own memory-bound kernels.
    let kernels = if case.precision.recipe == Precision::Fp8Block {
        kernels.custom_memory().map_err(kernel_error)?
    } else {
        kernels
    };
    let operand = crate::ops::operand(case.precision.recipe);
    if kernels.supports(operand) {
        return Ok(kernels);
    }
    let accelerator = &case.cluster.accelerator;
    let known: Vec<&str> = [
        (MatrixType::Fp8Tensor, "fp8-tensor"),
        (MatrixType::Fp8Block, "fp8-block"),
        (MatrixType::Mxfp8, "mxfp8"),
        (MatrixType::Nvfp4, "nvfp4"),
    ]
    .into_iter()
    .filter(|(operand, _)| kernels.supports(*operand))
    .map(|(_, name)| name)
    .collect();
    let choices = if known.is_empty() {
        "`bf16`".to_owned()
    } else {
        format!("`bf16` or `{}`", known.join("`, `"))
    };
    Err(invalid(
        "precision.recipe",
        format!(
            "no matrix products of this recipe are known for {}",
            accelerator.name
        ),
        &format!("choose {choices}, or an accelerator that has it"),
    ))
}

/// Why the kernels or links of a case cannot be had; empty where they can.
pub(crate) fn unsupported(case: &Case) -> Vec<SimulateError> {
    let links = Links::new(&case.cluster, &case.links).map(drop);
    let links = links.map_err(|error| {
        invalid(
            "cluster.fabric",
            error.to_string(),
            "check the node and fabric of the cluster",
        )
    });
    [
        kernels(case).map(drop).err(),
        links.err(),
        unreachable_host(case),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Activations go to the host over a link of which nothing is known.
fn unreachable_host(case: &Case) -> Option<SimulateError> {
    let phases = case.training.phases.iter();
    let offloads = phases
        .map(|phase| phase.parallelism.as_ref().unwrap_or(&case.parallelism))
        .any(|parallelism| parallelism.offload_layers > 0);
    let accelerator = &case.cluster.accelerator;
    (offloads && accelerator.host_bandwidth.is_none()).then(|| {
        invalid(
            "parallelism.offload_layers",
            format!(
                "the link between {} and its host is not known",
                accelerator.name
            ),
            "set cluster.host_bandwidth, or offload_layers = 0",
        )
    })
}

/// Prices the kernels and the communication of one phase.
///
/// # Errors
/// A kernel or link profile that does not fit the cluster, or a recipe that the accelerator
/// has no matrix units for.
pub fn durations<'a>(
    case: &'a Case,
    parallelism: &Parallelism,
    sequence_length: u32,
    layout: &Layout,
) -> Result<Durations<'a>, SimulateError> {
    durations_on(case, &case.cluster, parallelism, sequence_length, layout)
}

/// [`durations`], with collectives at the rates of a cluster that may differ from the case's in its
/// fabric alone.
pub(super) fn durations_on<'a>(
    case: &'a Case,
    cluster: &'a Cluster,
    parallelism: &Parallelism,
    sequence_length: u32,
    layout: &Layout,
) -> Result<Durations<'a>, SimulateError> {
    let kernels = kernels(case)?;
    let links_of = |cluster: &'a Cluster| {
        Links::new(cluster, &case.links).map_err(|error| {
            invalid(
                "cluster.fabric",
                error.to_string(),
                "check the node and fabric of the cluster",
            )
        })
    };
    let (links, thin) = (links_of(cluster)?, links_of(&case.cluster)?);
    let shape = Shape::new(case, parallelism, sequence_length);
    let groups = [
        shape_of(layout.span(Group::Tensor, 0)),
        shape_of(layout.span(Group::ExpertTensor, 0)),
        shape_of(layout.span(Group::Context, 0)),
        shape_of(layout.span(Group::Expert, 0)),
    ];
    // Beside expert exchanges the scenario says how many units communication takes; library
    // collectives of sharded data parallelism take what the link profile says.
    let taken = if case.model.experts.is_some() && parallelism.expert > 1 {
        match case.software.dispatcher {
            Dispatcher::Deduplicated => parallelism.communication_units,
            Dispatcher::AllToAll | Dispatcher::AllGather => links.communication_units(),
        }
    } else {
        links.communication_units()
    };
    let links = [links, thin];
    Ok(Durations::new(case, kernels, links, shape, groups, taken))
}
