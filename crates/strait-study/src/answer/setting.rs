//! What of a case an answer has to name: who trained what, on what, in which layout.
//!
//! In: a resolved [`Case`]. Out: a [`Setting`], small enough to be made up in a test.
//! Never holds calibrations or anything else that only a simulation needs.

use crate::scenario::{FleetPart, Origin, ResolvedCase};
use crate::uncertainty::Subject;
use strait_training::case::{Case, Parallelism, Phase, Precision};
use strait_training::case::{Recompute, ScheduleKind, Zero};
use strait_units::{FlopRate, PricePerHour};

/// The inputs that an answer, a verdict or a figure refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Name of the case.
    pub name: String,
    /// Model, for people.
    pub model: String,
    /// Accelerator, for people.
    pub accelerator: String,
    /// Accelerators in all.
    pub ranks: u32,
    /// Best dense peak among the operand types of the precision recipe.
    pub peak: FlopRate,
    /// Dense peak in 16-bit floating point.
    pub half_peak: FlopRate,
    /// Precision.
    pub precision: Precision,
    /// Layout of the main phase.
    pub parallelism: Parallelism,
    /// Phases of the run.
    pub phases: Vec<Phase>,
    /// Tokens of packed documents, where a token sees no more.
    pub document: Option<u32>,
    /// Rent of one accelerator.
    pub rent: PricePerHour,
    /// Accelerators that somebody is said to own.
    pub fleet: Vec<FleetPart>,
    /// What the uncertainty of a prediction depends on.
    pub subject: Subject,
    /// Every resolved value of the scenario; empty where the case comes from no file.
    pub values: Vec<Value>,
}

/// A resolved value of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Scenario path, such as `parallelism.tensor`.
    pub path: String,
    /// The value with its unit.
    pub value: String,
    /// Stated by the file, the case or the command line, rather than a fact or a default.
    pub stated: bool,
}

impl Setting {
    /// Of a case that was read from a file: with its values and where they came from.
    pub fn of(resolved: &ResolvedCase) -> Setting {
        let values = (resolved.origins.iter())
            .map(|explained| Value {
                path: explained.path.clone(),
                value: explained.value.clone(),
                stated: !matches!(
                    explained.origin,
                    Origin::Catalogue { .. } | Origin::Default { .. }
                ),
            })
            .collect();
        Setting {
            values,
            fleet: resolved.fleet.clone(),
            ..Setting::from(&resolved.case)
        }
    }
}

impl From<&Case> for Setting {
    fn from(case: &Case) -> Setting {
        let peaks = &case.cluster.accelerator.peaks;
        let half = match case.precision.recipe {
            Precision::Fp16 => peaks.fp16.or(peaks.bf16),
            _ => peaks.bf16.or(peaks.fp16),
        };
        let best = match case.precision.recipe {
            Precision::Fp16 | Precision::Bf16 => half,
            Precision::Fp8Tensor | Precision::Fp8Block | Precision::Mxfp8 => peaks.fp8.or(half),
            Precision::Nvfp4 => peaks.fp4.or(half),
        };
        let main = main_phase(&case.training.phases);
        let parallelism = main
            .and_then(|index| case.training.phases[index].parallelism.as_ref())
            .unwrap_or(&case.parallelism);
        Setting {
            name: case.name.clone(),
            model: case.model.name.clone(),
            accelerator: case.cluster.accelerator.name.clone(),
            ranks: case.cluster.ranks(),
            peak: best.unwrap_or(FlopRate::ZERO),
            half_peak: half.unwrap_or(FlopRate::ZERO),
            precision: case.precision.recipe,
            parallelism: parallelism.clone(),
            phases: case.training.phases.clone(),
            document: case.training.document,
            rent: case.economics.rent,
            fleet: Vec::new(),
            subject: Subject::from(case),
            values: Vec::new(),
        }
    }
}

/// The sizes of a layout's axes in the field's abbreviations; ones are left out.
pub(crate) fn sizes(p: &Parallelism) -> Vec<String> {
    [
        ("TP", p.tensor),
        ("CP", p.context),
        ("PP", p.pipeline),
        ("VP", p.virtual_stages),
        ("EP", p.expert),
        ("ETP", p.expert_tensor),
    ]
    .into_iter()
    .filter(|(_, size)| *size > 1)
    .map(|(name, size)| format!("{name}{size}"))
    .collect()
}

/// Index of the phase with most tokens, the first of them if several.
fn main_phase(phases: &[Phase]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, phase) in phases.iter().enumerate() {
        if best.is_none_or(|b| phase.tokens > phases[b].tokens) {
            best = Some(index);
        }
    }
    best
}

impl Setting {
    /// Index of the main phase, the one with most tokens.
    pub fn main_phase(&self) -> Option<usize> {
        main_phase(&self.phases)
    }

    /// Index `i` is a phase of context extension: not pre-training, on longer sequences
    /// than the main phase.
    pub fn extends_context(&self, index: usize) -> bool {
        let Some(main) = self.main_phase() else {
            return false;
        };
        let phase = &self.phases[index];
        let updates = phase.reinforcement.is_some();
        !phase.pretraining && !updates && phase.sequence_length > self.phases[main].sequence_length
    }

    /// The layout in one line, in the field's abbreviations; ones are left out.
    pub fn layout(&self) -> String {
        let p = &self.parallelism;
        let mut parts = sizes(p);
        if p.sequence && p.tensor > 1 {
            parts.push("SP".to_owned());
        }
        let model_ranks = u64::from(p.tensor) * u64::from(p.context) * u64::from(p.pipeline);
        let replicas = u64::from(self.ranks) / model_ranks.max(1);
        if replicas > 1 {
            parts.push(format!("DP{replicas}"));
        }
        parts.push(
            match p.zero {
                Zero::Zero0 => "no ZeRO",
                Zero::Zero1 => "ZeRO-1",
                Zero::Zero2 => "ZeRO-2",
                Zero::Zero3 => "ZeRO-3",
            }
            .to_owned(),
        );
        if p.pipeline > 1 {
            parts.push(
                match p.schedule {
                    ScheduleKind::GPipe => "GPipe",
                    ScheduleKind::OneFOneB if p.virtual_stages > 1 => "interleaved 1F1B",
                    ScheduleKind::OneFOneB => "1F1B",
                    ScheduleKind::OverlappedOneFOneB => "1F1B in pairs",
                    ScheduleKind::ZbH1 => "ZB-H1",
                    ScheduleKind::DualPipe => "DualPipe",
                    ScheduleKind::DualPipeV => "DualPipeV",
                }
                .to_owned(),
            );
        }
        parts.push(
            match self.precision {
                Precision::Fp16 => "FP16",
                Precision::Bf16 => "BF16",
                Precision::Fp8Tensor => "FP8 (scale per tensor)",
                Precision::Fp8Block => "FP8 (scale per block)",
                Precision::Mxfp8 => "MXFP8",
                Precision::Nvfp4 => "NVFP4",
            }
            .to_owned(),
        );
        parts.push(
            match &p.recompute {
                Recompute::None => "no recompute",
                Recompute::Selective => "selective recompute",
                Recompute::Full => "full recompute",
                Recompute::Named(_) => "named recompute",
            }
            .to_owned(),
        );
        parts.join(", ")
    }
}
