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
use strait_training::kernels::{AttentionCore, KernelProfile, Kernels, MatrixType};
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
    Forward::new(profiles).time(row)
}

/// Times of many rows with the same profiles: what does not differ between rows is worked out once.
pub(super) struct Forward<'a> {
    profiles: &'a Profiles,
    built: Vec<Built<'a>>,
}

/// Kernels of an accelerator, by its id: all rows' accelerators are of one catalogue.
struct Built<'a> {
    profile: &'a str,
    accelerator: &'a str,
    kind: Kind,
    kernels: Kernels<'a>,
}

/// How kernels are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Training,
    StandAlone,
    Custom,
}

impl<'a> Forward<'a> {
    /// With these profiles.
    pub(super) fn new(profiles: &'a Profiles) -> Forward<'a> {
        Forward {
            profiles,
            built: Vec::new(),
        }
    }

    /// The time of a row.
    pub(super) fn time(&mut self, row: &'a Row) -> Result<Time, CalibrateError> {
        let fail = |problem: String| {
            row.cells.wrong(
                problem,
                "leave the row out, or give it the role \"not used: why\"",
            )
        };
        let missing = || fail(format!("there is no profile \"{}\"", row.profile));
        match &row.case {
            Case::Collective { kind, bytes, group } => {
                let profile = (self.profiles.links.get(&row.profile)).ok_or_else(missing)?;
                let links = Links::new(&row.cluster, profile).map_err(|e| fail(e.to_string()))?;
                Ok(links.collective(*kind, *bytes, *group))
            }
            Case::Exchange(exchange) => {
                let profile = (self.profiles.links.get(&row.profile)).ok_or_else(missing)?;
                let links = Links::new(&row.cluster, profile).map_err(|e| fail(e.to_string()))?;
                Ok(links.exchange(exchange).mean())
            }
            kernel => {
                let profile = (self.profiles.kernels.get(&row.profile)).ok_or_else(missing)?;
                let mut changed;
                match kernel {
                    Case::Attention { plain: true, .. } => {
                        changed = profile.clone();
                        changed.attention.unfused_forward_bytes = PLAIN_BYTES.0;
                        changed.attention.unfused_backward_bytes = PLAIN_BYTES.1;
                    }
                    Case::Memory { triad: true, .. } => {
                        changed = profile.clone();
                        changed.memory.fused.of = MemoryScale::Triad;
                        changed.memory.fused.copy = Ratio::new(1.0);
                    }
                    _ => return of_kernel(row, kernel, self.kernels(row, profile)?),
                }
                of_kernel(row, kernel, &build(row, &changed, kind_of(kernel))?)
            }
        }
    }

    fn kernels(
        &mut self,
        row: &'a Row,
        profile: &'a KernelProfile,
    ) -> Result<&Kernels<'a>, CalibrateError> {
        let (of, kind) = (&row.cluster.accelerator.id, kind_of(&row.case));
        let known = self.built.iter().position(|built| {
            built.kind == kind && built.accelerator == of && built.profile == row.profile
        });
        let at = match known {
            Some(at) => at,
            None => {
                self.built.push(Built {
                    profile: &row.profile,
                    accelerator: of,
                    kind,
                    kernels: build(row, profile, kind)?,
                });
                self.built.len() - 1
            }
        };
        Ok(&self.built[at].kernels)
    }
}

fn kind_of(case: &Case) -> Kind {
    match case {
        Case::Gemm {
            stand_alone: true, ..
        } => Kind::StandAlone,
        Case::Memory { custom: true, .. } => Kind::Custom,
        _ => Kind::Training,
    }
}

/// What a user can do about kernels that a profile can't tell the time of.
const UNKNOWN: &str = "choose an accelerator or a kind of operand that the profile knows";

fn build<'a>(
    row: &'a Row,
    profile: &'a KernelProfile,
    kind: Kind,
) -> Result<Kernels<'a>, CalibrateError> {
    let chip = &row.cluster.accelerator;
    Kernels::new(chip, profile, Fusion::Fused, Graphs::None)
        .and_then(|kernels| match kind {
            Kind::Training => Ok(kernels),
            Kind::StandAlone => kernels.stand_alone(),
            Kind::Custom => kernels.custom_memory(),
        })
        .map_err(|error| row.cells.wrong(error.to_string(), UNKNOWN))
}

fn of_kernel(row: &Row, case: &Case, kernels: &Kernels<'_>) -> Result<Time, CalibrateError> {
    let fail = |problem: String| row.cells.wrong(problem, UNKNOWN);
    match case {
        Case::Gemm { gemm, units, .. } => {
            if !kernels.supports(gemm.operand) {
                return Err(fail(format!(
                    "{} products are not known of {}",
                    operand(gemm.operand),
                    row.cluster.accelerator.id
                )));
            }
            Ok(kernels.gemm(gemm, *units))
        }
        Case::Attention { core, both, .. } => {
            if core.kernel == AttentionKernel::Unfused && !kernels.supports(MatrixType::Bf16) {
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
            ..
        } => Ok(kernels.memory(*class, *bytes) * *calls),
        Case::Collective { .. } | Case::Exchange(_) => Ok(Time::ZERO),
    }
}

/// An operand type as tables name it.
fn operand(of: MatrixType) -> &'static str {
    match of {
        MatrixType::Bf16 => "bf16",
        MatrixType::Fp8Tensor => "fp8-tensor",
        MatrixType::Fp8Block => "fp8-block",
        MatrixType::Mxfp8 => "mxfp8",
        MatrixType::Nvfp4 => "nvfp4",
    }
}
