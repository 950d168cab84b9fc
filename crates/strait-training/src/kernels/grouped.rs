//! Grouped BF16 products by rows per expert, where a library loops over experts.
//!
//! In: a measured table. Out: the rate at a number of rows. Never extrapolates upward:
//! beyond the last row the rate stays, below the first it falls with the rows.

use super::KernelError;
use super::gemm::{Gemm, Pass};
use super::profile::GroupedTable;
use strait_units::{FlopRate, Time};

/// Kernel start of the measured loop (B200 node, 36 shapes): 3 µs.
const START: f64 = 3e-6;

/// Rates by rows per expert, scaled to the accelerator.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    rows: Vec<f64>,
    rates: [Vec<f64>; 3],
}

impl Grouped {
    pub(super) fn new(table: &GroupedTable, scale: f64) -> Result<Grouped, KernelError> {
        let rates = [
            &table.forward,
            &table.input_gradient,
            &table.weight_gradient,
        ];
        let ascending = table.rows.windows(2).all(|pair| pair[0] < pair[1]);
        let complete = rates.iter().all(|list| list.len() == table.rows.len());
        if table.rows.first().is_none_or(|&rows| rows == 0) || !ascending || !complete {
            return Err(KernelError::Missing(
                "grouped: ascending rows, a rate for each",
            ));
        }
        let scaled = |list: &[FlopRate]| list.iter().map(|rate| rate.get() * scale).collect();
        Ok(Grouped {
            rows: table.rows.iter().map(|&rows| rows as f64).collect(),
            rates: [scaled(rates[0]), scaled(rates[1]), scaled(rates[2])],
        })
    }

    /// Time of the product. These rates are bound by power, which idle units leave to
    /// the others, so fewer units do not slow them.
    pub(super) fn time(&self, gemm: &Gemm) -> Time {
        let (rows, rates) = match gemm.pass {
            Pass::Forward => (gemm.m, &self.rates[0]),
            Pass::InputGradient => (gemm.m, &self.rates[1]),
            Pass::WeightGradient => (gemm.k, &self.rates[2]),
        };
        let rows = (rows as f64).max(1.0);
        Time::from_seconds(START + gemm.flops() / self.rate(rows, rates))
    }

    fn rate(&self, rows: f64, rates: &[f64]) -> f64 {
        let first = self.rows[0];
        if rows <= first {
            return rates[0] * rows / first;
        }
        for (pair, rate) in self.rows.windows(2).zip(rates.windows(2)) {
            if rows <= pair[1] {
                let share = libm::log(rows / pair[0]) / libm::log(pair[1] / pair[0]);
                return rate[0] + (rate[1] - rate[0]) * share;
            }
        }
        rates[rates.len() - 1]
    }
}
