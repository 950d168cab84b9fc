//! What each instruction takes on each rank: base time, routed load, jitter, chip speed.
//!
//! In: keys (rank, slot, instruction). Out: durations. A pure function: the same keys give
//! the same time whatever the order of events. Never holds state.

use crate::links::{ExchangeTime, LoadSpread};
use rand::RngExt;
use strait_sim::random::Key;
use strait_sim::stream::Stream;
use strait_sim::{Instruction, Site, Timing};
use strait_units::{Ratio, Time};

/// What an instruction's duration depends on beside its base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dependence {
    /// Nothing: a collective or a transfer.
    Exact,
    /// Kernel jitter, and the speed of the chip if it is limited by compute.
    Kernel {
        /// Limited by compute (and thus by the chip's clock), not by memory.
        speed: bool,
        /// Layer whose routed rows it works on, and which key of the slot is the micro-batch.
        routed: Option<(u32, u8)>,
    },
    /// An exchange of tokens.
    Exchange {
        /// Its times at mean load.
        time: ExchangeTime,
        /// Layer.
        layer: u32,
        /// Which key of the slot is the micro-batch.
        key: u8,
    },
}

/// Durations of one step.
#[derive(Clone, Debug)]
pub struct StepTiming {
    pub(crate) dependences: Vec<Dependence>,
    pub(crate) seed: u64,
    pub(crate) jitter: f64,
    /// Time factor of each rank's chip.
    pub(crate) chips: Vec<f64>,
    pub(crate) spread: LoadSpread,
    /// Expert group of each rank and its place in it.
    pub(crate) expert_place: Vec<(u32, u32)>,
    /// Members of an expert group inside one scale-up domain.
    pub(crate) per_domain: u32,
}

impl StepTiming {
    fn load(&self, layer: u32, micro_batch: u32, place: (u32, u32)) -> f64 {
        self.spread
            .rank_load(self.seed, layer, micro_batch, place.0, place.1)
    }

    /// Chip time factors: 1 + a normal deviate, the same chip whatever it runs.
    pub(crate) fn chip_factors(seed: u64, ranks: u32, spread: Ratio) -> Vec<f64> {
        let key = Key::new(seed).purpose("chip");
        (0..ranks)
            .map(|rank| {
                // Twelve uniform numbers less six: a normal deviate to all that matters here.
                let mut stream = Stream::new(key.entity(u64::from(rank)));
                let deviate = (0..12).map(|_| stream.random::<f64>()).sum::<f64>() - 6.0;
                // A chip is never faster than three deviations: vendors bin, they do not exceed.
                (1.0 + spread.get() * deviate.max(-3.0)).max(0.5)
            })
            .collect()
    }
}

impl Timing for StepTiming {
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let Dependence::Kernel { speed, routed } = self.dependences[instruction.load as usize]
        else {
            return instruction.base;
        };
        let mut factor = 1.0;
        if speed {
            factor *= self.chips[rank as usize];
        }
        if let Some((layer, key)) = routed
            && self.spread.cv > 0.0
        {
            let micro_batch = site.slot.keys[key as usize];
            factor *= self.load(layer, micro_batch, self.expert_place[rank as usize]);
        }
        if self.jitter > 0.0 {
            let place = (u64::from(site.slot_index) << 24)
                | (u64::from(site.stream) << 20)
                | u64::from(site.index);
            let key = Key::new(self.seed)
                .purpose("jitter")
                .entity(u64::from(rank))
                .at(place);
            factor *= (1.0 + self.jitter * key.normal()).max(0.1);
        }
        instruction.base.scaled(factor)
    }

    fn collective(
        &self,
        _group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        let Dependence::Exchange { time, layer, key } = self.dependences[instruction.load as usize]
        else {
            return instruction.base;
        };
        if self.spread.cv == 0.0 {
            return time.mean();
        }
        // NVLink carries a rank's own rows; a NIC carries those of its node.
        let micro_batch = site.slot.keys[key as usize];
        let per_domain = self.per_domain.max(1) as usize;
        let (mut rank_most, mut node_most) = (0.0_f64, 0.0_f64);
        for node in members.chunks(per_domain) {
            let mut sum = 0.0;
            for &member in node {
                let load = self.load(layer, micro_batch, self.expert_place[member as usize]);
                sum += load;
                rank_most = rank_most.max(load);
            }
            node_most = node_most.max(sum / node.len() as f64);
        }
        time.at(Ratio::new(node_most), Ratio::new(rank_most))
    }
}
