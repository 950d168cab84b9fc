//! Attention cores.
//!
//! In: batch, heads, lengths, head dimensions and a kernel generation. Out: a time.
//! Never includes projections, rotary embedding, or (at 192/128) the backward pass's
//! own pre and post passes, see [`AttentionCore::backward`].

use super::gemm::{Gemm, MatrixType, Pass};
use super::profile::{AttentionFacts, AttentionFit, AttentionTables, FitPass, Generation};
use super::{KernelError, Scale};
use crate::case::AttentionKernel;
use strait_units::Time;

/// One attention core: scores, softmax, weighted sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionCore {
    /// Sequences.
    pub batch: u32,
    /// Query heads on this rank.
    pub heads: u32,
    /// Key-value heads on this rank (they change bytes only).
    pub kv_heads: u32,
    /// Queries of a sequence on this rank.
    pub queries: u64,
    /// Keys that they may attend to.
    pub keys: u64,
    /// Dimension of a query and key head.
    pub qk_dim: u32,
    /// Dimension of a value head.
    pub v_dim: u32,
    /// Half of the square is masked.
    pub causal: bool,
    /// Kernel generation.
    pub kernel: AttentionKernel,
    /// Backward instead of forward, at 2.5 times the FLOPs. With heads of 128 and less
    /// the pre and post passes (reading O and dO, converting dQ) are inside; at latent
    /// attention's 192/128 the time is that of the main kernel alone, since the DeepSeek
    /// trace lists them as streaming kernels of their own.
    pub backward: bool,
}

impl AttentionCore {
    /// Floating-point operations, half of the square where causal.
    pub fn flops(&self) -> f64 {
        let square = self.full_square_flops();
        let masked = if self.causal { 0.5 } else { 1.0 };
        square * masked * if self.backward { BACKWARD_FLOPS } else { 1.0 }
    }

    /// Forward FLOPs without a mask.
    fn full_square_flops(&self) -> f64 {
        2.0 * self.scores() * f64::from(self.qk_dim + self.v_dim)
    }

    fn scores(&self) -> f64 {
        f64::from(self.batch) * f64::from(self.heads) * self.queries as f64 * self.keys as f64
    }

    /// Bytes of Q, K, V and O in BF16, and with them dO, dQ, dK and dV backward.
    fn bytes(&self) -> f64 {
        let dims = f64::from(self.qk_dim + self.v_dim);
        let queries = f64::from(self.heads) * self.queries as f64;
        let keys = f64::from(self.kv_heads) * self.keys as f64;
        let passes = if self.backward { 2.0 } else { 1.0 };
        2.0 * passes * f64::from(self.batch) * (queries + keys) * dims
    }
}

/// Five matrix products backward (scores again, dP, dQ, dK, dV) against two forward.
const BACKWARD_FLOPS: f64 = 2.5;

/// One generation's fit, scaled to the accelerator.
#[derive(Clone, Copy, Debug)]
struct Fit {
    head_dim: f64,
    forward: f64,
    backward: f64,
    waste_full: f64,
    waste_causal: f64,
    tail: f64,
}

impl Fit {
    fn new(facts: &AttentionFit, peak_ratio: f64) -> Result<Fit, KernelError> {
        let ratio = facts.backward.get();
        let rate = facts.rate.get() * peak_ratio;
        // Both passes at one rate: split so that they take that long together.
        let forward = match facts.pass {
            FitPass::Forward => rate,
            FitPass::Both => rate * (1.0 + BACKWARD_FLOPS / ratio) / (1.0 + BACKWARD_FLOPS),
        };
        if !(forward > 0.0 && ratio > 0.0 && facts.waste_full >= 0.0 && facts.waste_causal >= 0.0) {
            return Err(KernelError::NotPositive("an attention fit"));
        }
        Ok(Fit {
            head_dim: f64::from(facts.head_dim),
            forward,
            backward: forward * ratio,
            waste_full: facts.waste_full,
            waste_causal: facts.waste_causal,
            tail: facts.tail_per_key.seconds() / peak_ratio,
        })
    }

    /// Linear in the head dimension between two fits.
    fn between(a: Fit, b: Fit, head_dim: f64) -> Fit {
        let share = (head_dim - a.head_dim) / (b.head_dim - a.head_dim);
        let mix = |x: f64, y: f64| x + (y - x) * share;
        Fit {
            head_dim,
            forward: mix(a.forward, b.forward),
            backward: mix(a.backward, b.backward),
            waste_full: mix(a.waste_full, b.waste_full),
            waste_causal: mix(a.waste_causal, b.waste_causal),
            tail: mix(a.tail, b.tail),
        }
    }
}

/// One generation: fits and a factor on their time.
#[derive(Clone, Debug)]
struct Variant {
    fits: Vec<Fit>,
    slower: f64,
}

impl Variant {
    /// At a head dimension; beyond the table's ends the nearest fit holds.
    fn at(&self, head_dim: f64) -> Fit {
        for pair in self.fits.windows(2) {
            if head_dim <= pair[1].head_dim {
                return Fit::between(pair[0], pair[1], head_dim.max(pair[0].head_dim));
            }
        }
        self.fits[self.fits.len() - 1]
    }
}

/// All generations, scaled to the accelerator.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    start: f64,
    units: f64,
    block_rows: f64,
    backward_block_rows: f64,
    flash1: Variant,
    flash2: Variant,
    flash3: Variant,
    unfused_bytes: (f64, f64),
    memory: f64,
}

impl Attention {
    pub(super) fn new(
        facts: &AttentionTables,
        scale: &Scale,
        peak_ratio: f64,
    ) -> Result<Attention, KernelError> {
        let variant = |facts: &AttentionFacts| -> Result<Variant, KernelError> {
            let fits = facts.fits.iter().map(|fit| Fit::new(fit, peak_ratio));
            let fits: Vec<Fit> = fits.collect::<Result<_, _>>()?;
            if fits
                .windows(2)
                .any(|pair| pair[0].head_dim >= pair[1].head_dim)
            {
                return Err(KernelError::Missing("attention fits by ascending head_dim"));
            }
            let slower = facts.slower.map_or(1.0, |factor| factor.get());
            if slower.is_nan() || slower <= 0.0 {
                return Err(KernelError::NotPositive("an attention factor"));
            }
            Ok(Variant { fits, slower })
        };
        let own = |generation| match generation {
            Generation::Flash2 => &facts.flash2,
            Generation::Flash3 => &facts.flash3,
        };
        // One step of comparison: what a generation is compared with has fits itself.
        let resolve = |facts: &AttentionFacts| -> Result<Variant, KernelError> {
            let mut found = variant(facts)?;
            if let (true, Some(other)) = (found.fits.is_empty(), facts.compared_with) {
                found.fits = variant(own(other))?.fits;
            }
            if found.fits.is_empty() {
                return Err(KernelError::Missing(
                    "attention fits, or compared_with one that has",
                ));
            }
            Ok(found)
        };
        Ok(Attention {
            start: facts.start.seconds(),
            units: f64::from(scale.units),
            block_rows: f64::from(facts.block_rows),
            backward_block_rows: f64::from(facts.backward_block_rows),
            flash1: resolve(&facts.flash1)?,
            flash2: resolve(&facts.flash2)?,
            flash3: resolve(&facts.flash3)?,
            unfused_bytes: (facts.unfused_forward_bytes, facts.unfused_backward_bytes),
            memory: scale.operand_bandwidth,
        })
    }

    /// Time of a fused core; `None` for an unfused one.
    pub(super) fn fused(&self, core: &AttentionCore) -> Option<Time> {
        let variant = match core.kernel {
            AttentionKernel::Unfused => return None,
            AttentionKernel::Flash1 => &self.flash1,
            AttentionKernel::Flash2 => &self.flash2,
            AttentionKernel::Flash3 => &self.flash3,
        };
        let flops = core.flops();
        if flops == 0.0 {
            return Some(Time::ZERO);
        }
        let fit = variant.at(f64::from(core.qk_dim + core.v_dim) / 2.0);
        let keys = core.keys as f64;
        let waste = 1.0
            + if core.causal {
                fit.waste_causal
            } else {
                fit.waste_full
            } / keys;
        // One unit's longest block: all keys of its rows (all queries of its keys backward).
        let dims = f64::from(core.qk_dim + core.v_dim);
        let (rate, tail, block) = if core.backward {
            let rows = self.backward_block_rows.min(keys) * core.queries as f64;
            (fit.backward, 0.0, BACKWARD_FLOPS * 2.0 * rows * dims)
        } else {
            let rows = self.block_rows.min(core.queries as f64) * keys;
            (fit.forward, fit.tail * keys, 2.0 * rows * dims)
        };
        let compute = flops * waste / rate + tail;
        let longest_block = block * self.units / rate;
        let memory = core.bytes() / self.memory;
        let seconds = compute.max(longest_block).max(memory);
        Some(Time::from_seconds(self.start + seconds * variant.slower))
    }

    /// The matrix products of an unfused core (two forward, four backward, of the full
    /// square) and the bytes of its scores.
    pub(super) fn unfused(&self, core: &AttentionCore) -> (Vec<Gemm>, f64) {
        let groups = core.batch * core.heads;
        let (queries, keys) = (core.queries, core.keys);
        let product = |m, n, k, pass| Gemm {
            m,
            n,
            k,
            groups,
            operand: MatrixType::Bf16,
            pass,
            output_bytes: 0.0, // the traffic of scores is counted below, in whole
        };
        let (qk, v) = (u64::from(core.qk_dim), u64::from(core.v_dim));
        let (products, bytes) = if core.backward {
            let pass = Pass::InputGradient;
            let products = vec![
                product(queries, keys, v, pass),
                product(keys, v, queries, pass),
                product(queries, qk, keys, pass),
                product(keys, qk, queries, pass),
            ];
            (products, self.unfused_bytes.1)
        } else {
            let pass = Pass::Forward;
            let products = vec![
                product(queries, keys, qk, pass),
                product(queries, v, keys, pass),
            ];
            (products, self.unfused_bytes.0)
        };
        (products, core.scores() * bytes)
    }
}
