//! Matrix products: tiles, waves, write-out, memory and power.
//!
//! In: a shape, its operands and the units it may use. Out: a time. Never knows
//! which layer the product belongs to.
//!
//! The time is the smooth maximum (8-norm) of three bounds plus the kernel's start:
//! the best tile's waves with a write-out that the next tile does not hide, operands
//! through HBM, and the chip's power limit. Persistent FP8 kernels follow it to
//! 1–3 %; vendor BF16 libraries to 3–5 % a kernel, since their choice of kernel is
//! not smooth, and to 2–3 % over the products of a layer.

use super::profile::{Basis, PassFacts, TensorFacts, TileSet};
use super::{KernelError, Scale};
use strait_units::{FlopRate, Time};

/// Operand types of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatrixType {
    /// BF16 or FP16.
    Bf16,
    /// FP8 with one scale per tensor.
    Fp8Tensor,
    /// FP8 with 1×128 and 128×128 scales.
    Fp8Block,
    /// MXFP8: 1×32 scales in hardware.
    Mxfp8,
    /// NVFP4: 4-bit elements, 1×16 scales in hardware.
    Nvfp4,
}

impl MatrixType {
    /// All of them.
    pub const ALL: [MatrixType; 5] = [
        MatrixType::Bf16,
        MatrixType::Fp8Tensor,
        MatrixType::Fp8Block,
        MatrixType::Mxfp8,
        MatrixType::Nvfp4,
    ];

    /// Bytes of an operand's element (scales of FP8 left out: 3 % at most; those of NVFP4, a byte
    /// for 16 elements of half a byte, are an eighth).
    fn bytes(self) -> f64 {
        match self {
            MatrixType::Bf16 => 2.0,
            MatrixType::Fp8Tensor | MatrixType::Fp8Block | MatrixType::Mxfp8 => 1.0,
            MatrixType::Nvfp4 => 0.5 + 1.0 / 16.0,
        }
    }
}

/// Which pass a product belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Forward.
    Forward,
    /// Gradient with respect to the input.
    InputGradient,
    /// Gradient with respect to the weight.
    WeightGradient,
}

impl Pass {
    /// All of them.
    pub const ALL: [Pass; 3] = [Pass::Forward, Pass::InputGradient, Pass::WeightGradient];
}

/// C\[m,n\] += A\[m,k\]·B\[k,n\] for each of `groups` equal groups.
///
/// With `groups` > 1 the token dimension (`m`, or `k` of a weight gradient) is the mean
/// over experts. Block-scaled FP8 pads each expert's rows to 128, on average by 64;
/// a multiple of 128 counts as exact (a benchmark, or forced balance).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
    /// Rows of the output, per group.
    pub m: u64,
    /// Columns of the output.
    pub n: u64,
    /// Inner dimension.
    pub k: u64,
    /// Equal groups; 1 for a dense product.
    pub groups: u32,
    /// Operand type.
    pub operand: MatrixType,
    /// Pass.
    pub pass: Pass,
    /// Bytes per element of output: 2 BF16, 4 FP32, 8 FP32 accumulated in place.
    pub output_bytes: f64,
}

impl Gemm {
    /// Floating-point operations, without padding.
    pub fn flops(&self) -> f64 {
        2.0 * self.m as f64 * self.n as f64 * self.k as f64 * f64::from(self.groups)
    }
}

/// Rows that padding adds to each expert on average: half of a block of 128 scales.
const MEAN_PADDING: f64 = 64.0;
const SCALE_BLOCK: u64 = 128;

/// Outputs of the tile that `tile_epilogue` is stated for.
const EPILOGUE_TILE: f64 = 256.0 * 128.0;

/// Below this many rows, block-scaled kernels choose narrow tiles.
const SKINNY_ROWS: u64 = 512;

/// Tiles of vendor libraries: rows, columns, and how often the tile was halved.
const LIBRARY_TILES: [(u64, u64, u32); 6] = [
    (256, 128, 0),
    (128, 256, 0),
    (128, 128, 1),
    (64, 128, 2),
    (128, 64, 2),
    (64, 64, 3),
];

/// Tiles of block-scaled FP8 kernels; the first is the only one from [`SKINNY_ROWS`] rows on.
const SQUARE_TILES: [(u64, u64, u32); 7] = [
    (128, 128, 1),
    (64, 160, 1),
    (64, 128, 1),
    (64, 96, 1),
    (64, 64, 1),
    (64, 32, 1),
    (64, 16, 1),
];

/// How outputs leave a unit.
#[derive(Clone, Copy, Debug)]
enum Epilogue {
    /// Seconds per output and unit.
    Tile(f64),
    /// Bytes per second of the chip.
    Store(f64),
}

/// One operand type and pass, scaled to the accelerator and its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// FLOP/s of one unit.
    unit: f64,
    /// FLOP/s that power allows; infinite where it does not bind.
    power: f64,
    /// Bytes per second of operands.
    memory: f64,
    epilogue: Epilogue,
    start: f64,
    wave_weight: f64,
    tiles: TileSet,
    /// Rate by the number of halvings.
    halved: [f64; 4],
}

impl Rates {
    /// Scales the facts of one family to an accelerator. `peak_ratio` is its peak over
    /// the reference's in this type; `clock` multiplies short-run rates, `settled` the
    /// sustained ones.
    pub(super) fn new(
        facts: &TensorFacts,
        pass: Pass,
        scale: &Scale,
        peak_ratio: f64,
        clock: f64,
        settled: f64,
    ) -> Result<Rates, KernelError> {
        let none = PassFacts::default();
        let of_pass = match pass {
            Pass::Forward => &none,
            Pass::InputGradient => &facts.input_gradient,
            Pass::WeightGradient => &facts.weight_gradient,
        };
        let rate = of_pass.rate.unwrap_or(facts.rate).get()
            * match facts.rate_basis {
                Basis::ShortRuns => clock,
                Basis::Sustained => settled,
            };
        // A power bound measured in long runs holds stand-alone too: it is what a long
        // kernel settles to. Only a short-run bound falls with the clock.
        let power = of_pass.power_bound.or(facts.power_bound).map(|bound| {
            bound.get()
                * match facts.power_basis {
                    Basis::ShortRuns => clock,
                    Basis::Sustained => 1.0,
                }
        });
        let epilogue = match (
            of_pass.store_bandwidth.or(facts.store_bandwidth),
            facts.tile_epilogue,
        ) {
            (Some(bandwidth), _) => Epilogue::Store(bandwidth.get() * scale.memory),
            (None, Some(tile)) => Epilogue::Tile(tile.seconds() / EPILOGUE_TILE),
            (None, None) => return Err(KernelError::Missing("tile_epilogue or store_bandwidth")),
        };
        let first = facts.half_tile.get();
        let next = facts.quarter_tile.get();
        let rates = Rates {
            unit: rate * peak_ratio / f64::from(scale.units),
            power: power.map_or(f64::INFINITY, |bound| bound * scale.power),
            memory: scale.operand_bandwidth,
            epilogue,
            start: facts.start.seconds(),
            wave_weight: facts.wave_weight.get(),
            tiles: facts.tiles,
            halved: [1.0, first, first * next, first * next * next],
        };
        let positive = [rates.unit, rates.power, rates.memory, first, next];
        if positive.iter().any(|x| x.is_nan() || *x <= 0.0) {
            return Err(KernelError::NotPositive("a tensor rate"));
        }
        if !(0.0..=1.0).contains(&rates.wave_weight) {
            return Err(KernelError::NotPositive("wave_weight within 0..=1"));
        }
        Ok(rates)
    }

    /// Time of a product on `units` units.
    pub(super) fn time(&self, gemm: &Gemm, units: u32) -> Time {
        let (m, n, k) = (gemm.m as f64, gemm.n as f64, gemm.k as f64);
        let groups = f64::from(gemm.groups);
        if gemm.flops() == 0.0 {
            return Time::ZERO;
        }
        let padded = |rows: u64| {
            let aligned = rows.is_multiple_of(SCALE_BLOCK);
            if gemm.groups > 1 && self.tiles == TileSet::Square && !aligned {
                rows as f64 + MEAN_PADDING
            } else {
                rows as f64
            }
        };
        // Rows of tokens: the inner dimension of a weight gradient, the outer one otherwise.
        let (rows, inner) = match gemm.pass {
            Pass::WeightGradient => (m, padded(gemm.k)),
            Pass::Forward | Pass::InputGradient => (padded(gemm.m), k),
        };
        let ragged = rows > m;
        let mut tiled = f64::INFINITY;
        for &(tile_m, tile_n, halvings) in self.candidates(gemm.m) {
            let down = if ragged {
                rows / tile_m as f64
            } else {
                gemm.m.div_ceil(tile_m) as f64
            };
            let tiles = groups * down * gemm.n.div_ceil(tile_n) as f64;
            let outputs = (tile_m * tile_n) as f64;
            let main = 2.0 * outputs * inner / (self.unit * self.halved[halvings as usize]);
            let per_unit = tiles / f64::from(units);
            let waves =
                self.wave_weight * per_unit.ceil() + (1.0 - self.wave_weight) * per_unit.max(1.0);
            tiled = tiled.min(match self.epilogue {
                Epilogue::Tile(seconds) => waves * (main + seconds * outputs),
                // All outputs through the store bandwidth: over full waves the same as a
                // share of it for each unit, and never slower with more units.
                Epilogue::Store(rate) => waves * main + tiles * outputs * gemm.output_bytes / rate,
            });
        }
        let bytes = groups
            * ((rows * inner + inner * n) * gemm.operand.bytes() + rows * n * gemm.output_bytes);
        let bounds = [tiled, bytes / self.memory, gemm.flops() / self.power];
        Time::from_seconds(self.start + norm8(bounds))
    }

    fn candidates(&self, rows: u64) -> &'static [(u64, u64, u32)] {
        match self.tiles {
            TileSet::Library => &LIBRARY_TILES,
            TileSet::Square if rows < SKINNY_ROWS => &SQUARE_TILES,
            TileSet::Square => &SQUARE_TILES[..1],
        }
    }

    /// The rate that a very large product tends to.
    pub(super) fn plateau(&self, units: u32) -> FlopRate {
        FlopRate::new((self.unit * f64::from(units)).min(self.power))
    }
}

/// Smooth maximum: (a⁸ + b⁸ + c⁸)^⅛. Powers by multiplication and roots by `sqrt`, which
/// are exact to the last bit on every platform.
fn norm8(bounds: [f64; 3]) -> f64 {
    let largest = bounds.iter().fold(0.0_f64, |a, &b| a.max(b));
    let sum: f64 = bounds
        .iter()
        .map(|bound| {
            let share = bound / largest;
            let square = share * share;
            let fourth = square * square;
            fourth * fourth
        })
        .sum();
    largest * sum.sqrt().sqrt().sqrt()
}
