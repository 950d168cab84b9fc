//! What the simulator says that a measured kernel or collective takes.
//!
//! In: a row and the profiles. Out: the time by the same code that a run is simulated with. Never
//! a form of its own.

use super::CalibrateError;
use super::cases::Case;
use super::rows::Row;
use std::collections::BTreeMap;
use strait_training::case::{AttentionKernel, Fusion, Graphs};
use strait_training::kernels::profile::MemoryScale;
use strait_training::kernels::{AttentionCore, KernelProfile, Kernels};
use strait_training::links::{LinkProfile, Links};
use strait_units::{Ratio, Time};

/// Profiles by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles {
    pub kernels: BTreeMap<String, KernelProfile>,
    pub links: BTreeMap<String, LinkProfile>,
}

/// Bytes per score of separate kernels without mask, scale and dropout: scores written and read
/// around a softmax forward; and backward dP written, P, dP and dS around the softmax, and P, dS
/// and dS read by three products. Two bytes each.
const PLAIN_BYTES: (f64, f64) = (8.0, 14.0);

/// The time of a row.
pub(super) fn time(row: &Row, profiles: &Profiles) -> Result<Time, CalibrateError> {
    let fail = |problem: String| {
        row.cells.wrong(
            problem,
            "leave the row out, or give it the role \"not used: why\"",
        )
    };
    let missing = || fail(format!("there is no profile \"{}\"", row.profile));
    match &row.case {
        Case::Collective { kind, bytes, group } => {
            let profile = profiles.links.get(&row.profile).ok_or_else(missing)?;
            let links = Links::new(&row.cluster, profile).map_err(|e| fail(e.to_string()))?;
            Ok(links.collective(*kind, *bytes, *group))
        }
        Case::Exchange(exchange) => {
            let profile = profiles.links.get(&row.profile).ok_or_else(missing)?;
            let links = Links::new(&row.cluster, profile).map_err(|e| fail(e.to_string()))?;
            Ok(links.exchange(exchange).mean())
        }
        kernel => {
            let profile = profiles.kernels.get(&row.profile).ok_or_else(missing)?;
            of_kernel(row, kernel, profile)
        }
    }
}

fn of_kernel(row: &Row, case: &Case, profile: &KernelProfile) -> Result<Time, CalibrateError> {
    let fail = |problem: String| {
        row.cells.wrong(
            problem,
            "choose an accelerator or a kind of operand that the profile knows",
        )
    };
    let mut changed;
    let profile = match case {
        Case::Attention { plain: true, .. } => {
            changed = profile.clone();
            changed.attention.unfused_forward_bytes = PLAIN_BYTES.0;
            changed.attention.unfused_backward_bytes = PLAIN_BYTES.1;
            &changed
        }
        Case::Memory { triad: true, .. } => {
            changed = profile.clone();
            changed.memory.fused.of = MemoryScale::Triad;
            changed.memory.fused.copy = Ratio::new(1.0);
            &changed
        }
        _ => profile,
    };
    let kernels = Kernels::new(
        &row.cluster.accelerator,
        profile,
        Fusion::Fused,
        Graphs::None,
    )
    .map_err(|e| fail(e.to_string()))?;
    match case {
        Case::Gemm {
            gemm,
            units,
            stand_alone,
        } => {
            if !kernels.supports(gemm.operand) {
                return Err(fail(format!(
                    "{:?} products are not known of {}",
                    gemm.operand, row.cluster.accelerator.id
                )));
            }
            let kernels = if *stand_alone {
                kernels.stand_alone().map_err(|e| fail(e.to_string()))?
            } else {
                kernels
            };
            Ok(kernels.gemm(gemm, *units))
        }
        Case::Attention { core, both, .. } => {
            if core.kernel == AttentionKernel::Unfused
                && !kernels.supports(strait_training::kernels::MatrixType::Bf16)
            {
                return Err(fail("BF16 products are not known".to_owned()));
            }
            let once = kernels.attention(core);
            if *both {
                let backward = AttentionCore {
                    backward: true,
                    ..*core
                };
                return Ok(once + kernels.attention(&backward));
            }
            Ok(once)
        }
        Case::Memory {
            class,
            bytes,
            calls,
            custom,
            ..
        } => {
            let kernels = if *custom {
                kernels.custom_memory().map_err(|e| fail(e.to_string()))?
            } else {
                kernels
            };
            Ok(kernels.memory(*class, *bytes) * *calls)
        }
        Case::Collective { .. } | Case::Exchange(_) => Ok(Time::ZERO),
    }
}
