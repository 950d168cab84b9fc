//! How long a kernel takes.
//!
//! In: an accelerator, the [`KernelProfile`] of its architecture and the software
//! generation. Out: [`Kernels`], which times matrix products, attention cores,
//! memory-bound and fixed kernels one by one. Never knows which layer a kernel serves,
//! what runs beside it (the caller says how many units are left), or anything about
//! links.
//!
//! | room | what |
//! |---|---|
//! | [`profile`] | the facts as the catalogue holds them |
//! | `gemm` | matrix products: tiles, waves, write-out, memory, power |
//! | `grouped` | grouped products by a table of rows per expert |
//! | `attention` | attention cores by kernel generation |
//! | `memory_bound` | classes of memory-bound kernels; kernels of fixed time |
//!
//! # Scaling to an accelerator
//!
//! Profiles hold rates of one reference accelerator. Another of the same architecture
//! gets tensor and attention rates by the ratio of peaks, bandwidths by the ratio of
//! HBM bandwidths, and power bounds by the square root of the ratio of board powers
//! (frequency falls more slowly than power), unless the profile holds a measured
//! sustained ratio. So a chip whose tensor cores were cut (H20) is bound by them and
//! not by power, and one at half the power (H100 PCIe) is bound by power.
//!
//! # Clock
//!
//! A fact says at which clock it was measured ([`profile::Basis`]). Short-run rates and
//! bounds are multiplied by the profile's training clock; sustained ones are not.
//! Attention gets no clock factor: measured in the training trace, it was as fast as
//! stand-alone. [`Kernels::stand_alone`] turns the training clock off, for comparison
//! with kernel tables.

mod attention;
mod gemm;
mod grouped;
mod memory_bound;
pub mod profile;
#[cfg(test)]
mod tests;

pub use attention::AttentionCore;
pub use gemm::{Gemm, MatrixType, Pass};
pub use memory_bound::{FixedKernel, MemoryClass};
pub use profile::KernelProfile;

use crate::case::{Fusion, Graphs};
use crate::hardware::Accelerator;
use attention::Attention;
use gemm::Rates;
use grouped::Grouped;
use memory_bound::Memory;
use profile::TensorFacts;
use strait_units::{Bytes, FlopRate, Time};

/// Why a profile cannot be used on an accelerator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KernelError {
    /// The accelerator has no BF16 and no FP16 peak.
    #[error("accelerator {0} states neither a BF16 nor an FP16 peak")]
    NoPeak(String),
    /// The profile lacks something that it needs.
    #[error("the kernel profile lacks {0}")]
    Missing(&'static str),
    /// A fact is zero, negative or not a number.
    #[error("the kernel profile needs a positive value for {0}")]
    NotPositive(&'static str),
}

/// What scales the reference to this accelerator.
#[derive(Clone, Copy, Debug)]
struct Scale {
    units: u32,
    /// Ratio of HBM bandwidths.
    memory: f64,
    /// Datasheet bandwidth, bytes per second.
    bandwidth: f64,
    /// Triad bandwidth.
    triad: f64,
    /// Bandwidth of operands of a matrix product.
    operand_bandwidth: f64,
    /// Ratio of power bounds.
    power: f64,
}

/// Kernel times on one accelerator under one software generation.
#[derive(Clone, Debug)]
pub struct Kernels<'a> {
    accelerator: &'a Accelerator,
    profile: &'a KernelProfile,
    scale: Scale,
    /// By operand type, then pass.
    rates: [Option<[Rates; 3]>; MatrixType::ALL.len()],
    grouped: Option<Grouped>,
    attention: Attention,
    memory: Memory,
    gap: Time,
}

impl<'a> Kernels<'a> {
    /// Scales a profile to an accelerator, at the clock of sustained training.
    ///
    /// # Errors
    ///
    /// Where the accelerator states no matrix peak, or the profile lacks a fact or holds
    /// one that is not positive.
    pub fn new(
        accelerator: &'a Accelerator,
        profile: &'a KernelProfile,
        fusion: Fusion,
        graphs: Graphs,
    ) -> Result<Kernels<'a>, KernelError> {
        let reference = &profile.reference;
        let peaks = &accelerator.peaks;
        let bf16 = peaks
            .bf16
            .or(peaks.fp16)
            .ok_or_else(|| KernelError::NoPeak(accelerator.id.clone()))?;
        let bandwidth = accelerator.memory_bandwidth.get();
        let memory = bandwidth / reference.memory_bandwidth.get();
        if accelerator.compute_units == 0 {
            return Err(KernelError::NotPositive("compute units"));
        }
        if !(memory.is_finite() && memory > 0.0 && bf16 / reference.bf16 > 0.0) {
            return Err(KernelError::NotPositive("reference peaks and bandwidth"));
        }
        let scale = Scale {
            units: accelerator.compute_units,
            memory,
            bandwidth,
            triad: profile.memory.triad.get() * memory,
            operand_bandwidth: profile.tensor.memory_share.get() * bandwidth,
            power: power_ratio(accelerator, profile),
        };
        let table = match fusion {
            Fusion::Eager => &profile.memory.eager,
            Fusion::Jit => &profile.memory.jit,
            Fusion::Fused => &profile.memory.fused,
        };
        let peak_ratio = bf16 / reference.bf16;
        let grouped = match &profile.grouped {
            Some(table) => Some(Grouped::new(table, scale.power.min(peak_ratio))?),
            None => None,
        };
        let mut kernels = Kernels {
            accelerator,
            profile,
            scale,
            rates: [None; MatrixType::ALL.len()],
            grouped,
            attention: Attention::new(&profile.attention, &scale, peak_ratio)?,
            memory: Memory::new(table, profile.memory.start, &scale)?,
            gap: match graphs {
                Graphs::None | Graphs::Partial => profile.launch.gap,
                Graphs::Full => Time::ZERO,
            },
        };
        kernels.rates = kernels.rates_at(profile.clock.training.get(), 1.0)?;
        Ok(kernels)
    }

    /// The same at the clock of short stand-alone runs, for comparison with kernel tables.
    ///
    /// # Errors
    ///
    /// Where the profile's training clock is not positive.
    pub fn stand_alone(mut self) -> Result<Self, KernelError> {
        let clock = self.profile.clock.training.get();
        self.rates = self.rates_at(1.0, 1.0 / clock)?;
        Ok(self)
    }

    /// The same with memory-bound kernels as a lab wrote them for one model (the classes of
    /// the DeepSeek-V3 trace), in place of the fusion generation's.
    ///
    /// # Errors
    ///
    /// Where the profile's table holds a value that is not positive.
    pub fn custom_memory(mut self) -> Result<Self, KernelError> {
        let facts = &self.profile.memory;
        self.memory = Memory::new(&facts.custom, facts.start, &self.scale)?;
        Ok(self)
    }

    /// Time of a matrix product on `units` compute units.
    ///
    /// # Panics
    ///
    /// Where `units` is zero or the operand type is not supported: ask
    /// [`supports`](Self::supports) first.
    pub fn gemm(&self, gemm: &Gemm, units: u32) -> Time {
        assert!(units > 0, "a kernel needs a compute unit");
        let Some(rates) = &self.rates[gemm.operand as usize] else {
            panic!("{:?} products on {}", gemm.operand, self.accelerator.id);
        };
        match &self.grouped {
            Some(table) if gemm.groups > 1 && gemm.operand == MatrixType::Bf16 => table.time(gemm),
            _ => rates[gemm.pass as usize].time(gemm, units),
        }
    }

    /// Time of an attention core. Units are not asked for: in the training trace it was
    /// not slowed by the 20 units of 132 that communication took.
    pub fn attention(&self, core: &AttentionCore) -> Time {
        if let Some(time) = self.attention.fused(core) {
            return time;
        }
        let (products, bytes) = self.attention.unfused(core);
        let Some(rates) = &self.rates[MatrixType::Bf16 as usize] else {
            panic!("BF16 products on {}", self.accelerator.id);
        };
        let compute: Time = products
            .iter()
            .map(|product| rates[product.pass as usize].time(product, self.scale.units))
            .sum();
        compute + self.memory(MemoryClass::Stream, Bytes::from_f64(bytes))
    }

    /// Time of a memory-bound kernel that reads and writes `bytes` in all.
    pub fn memory(&self, class: MemoryClass, bytes: Bytes) -> Time {
        self.memory.time(class, bytes)
    }

    /// Time of a kernel that follows neither bytes nor FLOPs.
    pub fn fixed(&self, kernel: FixedKernel) -> Time {
        kernel.time(&self.profile.fixed)
    }

    /// Idle time between consecutive kernels of a stream that the host launches; none where all are
    /// captured in graphs.
    pub fn gap(&self) -> Time {
        self.gap
    }

    /// Compute units of the accelerator.
    pub fn units(&self) -> u32 {
        self.scale.units
    }

    /// Whether products of this type can be timed: the profile knows them and the
    /// accelerator states a peak.
    pub fn supports(&self, operand: MatrixType) -> bool {
        self.rates[operand as usize].is_some()
    }

    /// The rate that very large products of a type tend to; `None` where not supported.
    pub fn plateau(&self, operand: MatrixType, pass: Pass) -> Option<FlopRate> {
        let rates = self.rates[operand as usize].as_ref()?;
        Some(rates[pass as usize].plateau(self.scale.units))
    }

    fn rates_at(
        &self,
        clock: f64,
        settled: f64,
    ) -> Result<[Option<[Rates; 3]>; MatrixType::ALL.len()], KernelError> {
        let tables = &self.profile.tensor;
        let peaks = &self.accelerator.peaks;
        let reference = &self.profile.reference;
        let bf16 = peaks.bf16.or(peaks.fp16).map(|peak| peak / reference.bf16);
        let fp8 = match (peaks.fp8, reference.fp8) {
            (Some(peak), Some(reference)) => Some(peak / reference),
            _ => None,
        };
        let fp4 = match (peaks.fp4, reference.fp4) {
            (Some(peak), Some(reference)) => Some(peak / reference),
            _ => None,
        };
        let mut rates = [None; MatrixType::ALL.len()];
        for operand in MatrixType::ALL {
            let (facts, ratio): (&Option<TensorFacts>, _) = match operand {
                MatrixType::Bf16 => (&tables.bf16, bf16),
                MatrixType::Fp8Tensor => (&tables.fp8_tensor, fp8),
                MatrixType::Fp8Block => (&tables.fp8_block, fp8),
                MatrixType::Mxfp8 => (&tables.mxfp8, fp8),
                MatrixType::Nvfp4 => (&tables.nvfp4, fp4),
            };
            let (Some(facts), Some(ratio)) = (facts, ratio) else {
                continue;
            };
            let of = |pass| Rates::new(facts, pass, &self.scale, ratio, clock, settled);
            rates[operand as usize] = Some([
                of(Pass::Forward)?,
                of(Pass::InputGradient)?,
                of(Pass::WeightGradient)?,
            ]);
        }
        Ok(rates)
    }
}

/// Power bound of an accelerator over the reference's: measured, or the ratio of board powers to the
/// profile's exponent, the square root where it has none. Without a
/// stated board power the reference's bound holds.
fn power_ratio(accelerator: &Accelerator, profile: &KernelProfile) -> f64 {
    if let Some(measured) = profile.clock.sustained.get(&accelerator.id) {
        return measured.get();
    }
    let Some(tdp) = profile.reference.tdp else {
        return 1.0;
    };
    let ratio = accelerator.tdp / tdp;
    if ratio.is_finite() && ratio > 0.0 {
        libm::pow(ratio, profile.clock.power_exponent.get())
    } else {
        1.0
    }
}
