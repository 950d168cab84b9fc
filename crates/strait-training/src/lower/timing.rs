//! What each instruction takes on each rank: base time, routed load, jitter, chip speed.
//!
//! In: keys (rank, slot, instruction). Out: durations. A pure function: the same keys give
//! the same time whatever the order of events. Never holds state.

use super::wires::{Wire, Wires};
use crate::links::{ExchangeTime, LoadSpread};
use strait_sim::net::Plan;
use strait_sim::random::Key;
use strait_sim::{Instruction, LaneGroups, LaneRanks, Scratch, Site, Timing, Transfer};
use strait_units::{Bytes, Ratio, Time};

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
        /// What it sends, in [`Wires`].
        request: u16,
    },
    /// Another transfer that others may slow.
    Transfer {
        /// What it sends, in [`Wires`].
        request: u16,
    },
}

/// Durations of one step.
#[derive(Clone, Debug)]
pub struct StepTiming {
    pub(crate) dependences: Vec<Dependence>,
    /// Transfers that differ from group to group, or meet others on links.
    pub(crate) wires: Option<Wires>,
    /// Time factor of each rank's kernels, whatever limits them; empty where all are 1.
    /// `chips` holds it too.
    pub(crate) slow: Vec<f64>,
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

    /// An exchange among members with these loads. NVLink carries a rank's own rows; a NIC
    /// carries those of its node.
    fn exchange(&self, time: ExchangeTime, loads: impl ExactSizeIterator<Item = f64>) -> Time {
        let (node_most, rank_most) = self.most(loads);
        time.at(Ratio::new(node_most), Ratio::new(rank_most))
    }

    /// Greatest load of a node's mean and of a rank.
    fn most(&self, loads: impl ExactSizeIterator<Item = f64>) -> (f64, f64) {
        let per_domain = self.per_domain.max(1) as usize;
        let (mut rank_most, mut node_most) = (0.0_f64, 0.0_f64);
        let (mut members, mut sum, mut left) = (0, 0.0, loads.len());
        for load in loads {
            sum += load;
            rank_most = rank_most.max(load);
            (members, left) = (members + 1, left - 1);
            if members == per_domain || left == 0 {
                node_most = node_most.max(sum / members as f64);
                (members, sum) = (0, 0.0);
            }
        }
        (node_most, rank_most)
    }

    /// What of an instruction's request is known for a group (of a send: for a rank).
    fn wire(&self, index: u32, instruction: &Instruction) -> Option<&Wire> {
        let wires = self.wires.as_ref()?;
        match self.dependences[instruction.load as usize] {
            Dependence::Exchange { request, .. } | Dependence::Transfer { request } => {
                wires.get(request, index)
            }
            _ => None,
        }
    }

    /// Time of a transfer by itself: its base, unless it differs from group to group.
    fn takes(&self, index: u32, instruction: &Instruction) -> Time {
        match self.wire(index, instruction) {
            Some(Wire::Takes(time)) => *time,
            _ => instruction.base,
        }
    }
}

/// Where an instruction is, as an index of its jitter.
fn place(site: &Site<'_>) -> u64 {
    (u64::from(site.slot_index) << 24) | (u64::from(site.stream) << 20) | u64::from(site.index)
}

/// How many columns of loads are kept: an overlapped pair works on two layers by turns.
const LOADS: usize = 4;

/// Loads by lane of one layer and micro-batch, if any were asked for.
type Loads = (Option<(u32, u32)>, Vec<f64>);

/// What durations of a lane set are computed from, by lane.
struct Lanes {
    keys: Vec<Key>,
    chips: Vec<f64>,
    /// As in [`StepTiming`]: empty where all are 1.
    slow: Vec<f64>,
    places: Vec<(u32, u32)>,
    /// Jitter of the instruction at hand, in standard deviations.
    deviates: Vec<f64>,
    /// Loads of the last few layers and micro-batches; the oldest is replaced next.
    loads: [Loads; LOADS],
    oldest: usize,
}

impl Lanes {
    fn new(timing: &StepTiming, lanes: LaneRanks<'_>) -> Lanes {
        let ranks = lanes.ranks();
        let key = Key::new(timing.seed).purpose("jitter");
        let of = |rank: &u32| *rank as usize;
        Lanes {
            keys: ranks.iter().map(|r| key.entity(u64::from(*r))).collect(),
            chips: ranks.iter().map(|r| timing.chips[of(r)]).collect(),
            slow: match timing.slow.is_empty() {
                true => Vec::new(),
                false => ranks.iter().map(|r| timing.slow[of(r)]).collect(),
            },
            places: ranks.iter().map(|r| timing.expert_place[of(r)]).collect(),
            deviates: vec![0.0; ranks.len()],
            loads: Default::default(),
            oldest: 0,
        }
    }

    /// Where the loads of a layer and micro-batch are in `loads`.
    fn load(&mut self, timing: &StepTiming, layer: u32, micro_batch: u32) -> usize {
        let wanted = Some((layer, micro_batch));
        if let Some(known) = self.loads.iter().position(|(of, _)| *of == wanted) {
            return known;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % LOADS;
        let (of, column) = &mut self.loads[at];
        *of = wanted;
        let places = self.places.iter();
        column.clear();
        column.extend(places.map(|place| timing.load(layer, micro_batch, *place)));
        at
    }
}

/// Twice this and sums up to it are whole numbers of 52 bits.
const EXACT: f64 = 4_503_599_627_370_496.0;

/// [`Time::scaled`] of a base by each lane's factor and its jitter.
///
/// Rounds up by adding 2^52, where floats are whole numbers, so that the loop has no
/// conversions and no calls; longer times than 2^51 ticks (38 minutes) go the plain way.
#[inline(always)]
fn scale(
    base: Time,
    jitter: f64,
    deviates: &[f64],
    factor: impl Fn(usize) -> f64,
    out: &mut [u64],
) {
    let ticks = base.picos() as f64;
    let jittered = |lane: usize| {
        let spread = 1.0 + jitter * deviates[lane];
        factor(lane) * if spread > 0.1 { spread } else { 0.1 }
    };
    let mut long = false;
    for (lane, out) in out.iter_mut().enumerate() {
        let exact = ticks * jittered(lane);
        long |= exact >= EXACT / 2.0;
        let nearest = exact + EXACT;
        let up = u64::from(nearest - EXACT < exact);
        *out = nearest.to_bits().wrapping_sub(EXACT.to_bits()) + up;
    }
    if long {
        for (lane, out) in out.iter_mut().enumerate() {
            *out = base.scaled(jittered(lane)).picos();
        }
    }
}

impl Timing for StepTiming {
    fn network(&self) -> Option<&Plan> {
        self.wires.as_ref()?.plan()
    }

    fn shared_collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        let Wire::Shared { transfer, parts } = self.wire(group, instruction)? else {
            return None;
        };
        let mut transfer = *transfer;
        if let Dependence::Exchange { layer, key, .. } = self.dependences[instruction.load as usize]
            && self.spread.cv > 0.0
        {
            let micro_batch = site.slot.keys[key as usize];
            let load = |m: &u32| self.load(layer, micro_batch, self.expert_place[*m as usize]);
            let (node_most, rank_most) = self.most(members.iter().map(load));
            let loads = match parts {
                2 => [node_most, rank_most],
                _ => [node_most.max(rank_most); 2],
            };
            for (size, load) in transfer.sizes.iter_mut().zip(loads) {
                *size = Bytes::from_f64(size.as_f64() * load);
            }
        }
        Some(transfer)
    }

    fn shared_send(
        &self,
        rank: u32,
        _site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        match self.wire(rank, instruction)? {
            Wire::Shared { transfer, .. } => Some(*transfer),
            Wire::Own | Wire::Takes(_) => None,
        }
    }

    /// Without jitter and sampled load, what differs between ranks is the chip. Where chips differ
    /// by chance and by a fault, one number does not say all; with faults of links neither.
    fn colour(&self, rank: u32) -> Option<u64> {
        let chip = self.chips[rank as usize];
        let slow = self.slow.get(rank as usize);
        let certain = self.jitter == 0.0 && self.spread.cv == 0.0 && self.wires.is_none();
        (certain && slow.is_none_or(|slow| *slow == chip)).then(|| chip.to_bits())
    }

    /// Collectives take what the instruction says.
    fn group_colour(&self, _kind: u8, _group: u32, _members: &[u32]) -> Option<u64> {
        (self.spread.cv == 0.0 && self.wires.is_none()).then_some(0)
    }

    fn local_lanes(
        &self,
        lanes: LaneRanks<'_>,
        site: Site<'_>,
        instruction: &Instruction,
        scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        let base = instruction.base;
        let Dependence::Kernel { speed, routed } = self.dependences[instruction.load as usize]
        else {
            for (out, rank) in out.iter_mut().zip(lanes.ranks()) {
                *out = self.takes(*rank, instruction).picos();
            }
            return;
        };
        let limited = speed;
        let kept = scratch.get(|| Lanes::new(self, lanes));
        if self.jitter > 0.0 {
            Key::normals(&kept.keys, place(&site), &mut kept.deviates);
        }
        let load = match routed {
            Some((layer, key)) if self.spread.cv > 0.0 => {
                Some(kept.load(self, layer, site.slot.keys[key as usize]))
            }
            _ => None,
        };
        // A slow chip is slow whatever limits the kernel.
        let speed = speed || !self.slow.is_empty();
        let chips = if limited { &kept.chips } else { &kept.slow };
        let (chips, deviates) = (&chips[..chips.len().min(out.len())], &kept.deviates[..]);
        let load = load.map(|at| &kept.loads[at].1[..out.len()]);
        match (speed, load) {
            (false, None) => scale(base, self.jitter, deviates, |_| 1.0, out),
            (true, None) => scale(base, self.jitter, deviates, |lane| chips[lane], out),
            (false, Some(load)) => scale(base, self.jitter, deviates, |lane| load[lane], out),
            (true, Some(load)) => {
                let factor = |lane: usize| chips[lane] * load[lane];
                scale(base, self.jitter, deviates, factor, out);
            }
        }
    }

    fn collective_lanes(
        &self,
        lanes: LaneRanks<'_>,
        groups: LaneGroups<'_>,
        site: Site<'_>,
        instruction: &Instruction,
        scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        let (time, layer, key) = match self.dependences[instruction.load as usize] {
            Dependence::Exchange {
                time, layer, key, ..
            } if self.spread.cv > 0.0 => (time, layer, key),
            Dependence::Exchange { time, .. } => return out.fill(time.mean().picos()),
            _ => {
                for (out, group) in out.iter_mut().zip(groups.iter()) {
                    *out = self.takes(group.index, instruction).picos();
                }
                return;
            }
        };
        let kept = scratch.get(|| Lanes::new(self, lanes));
        let at = kept.load(self, layer, site.slot.keys[key as usize]);
        let loads = &kept.loads[at].1;
        for (out, group) in out.iter_mut().zip(groups.iter()) {
            let loads = group.lanes().map(|lane| loads[lane]);
            *out = self.exchange(time, loads).picos();
        }
    }

    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let Dependence::Kernel { speed, routed } = self.dependences[instruction.load as usize]
        else {
            return self.takes(rank, instruction);
        };
        let mut factor = 1.0;
        if speed {
            factor *= self.chips[rank as usize];
        } else if !self.slow.is_empty() {
            factor *= self.slow[rank as usize];
        }
        if let Some((layer, key)) = routed
            && self.spread.cv > 0.0
        {
            let micro_batch = site.slot.keys[key as usize];
            factor *= self.load(layer, micro_batch, self.expert_place[rank as usize]);
        }
        if self.jitter > 0.0 {
            let key = Key::new(self.seed)
                .purpose("jitter")
                .entity(u64::from(rank))
                .at(place(&site));
            factor *= (1.0 + self.jitter * key.normal()).max(0.1);
        }
        // A whole number of 52 bits times one is itself.
        if factor == 1.0 && instruction.base.picos() < 1 << 52 {
            return instruction.base;
        }
        instruction.base.scaled(factor)
    }

    fn collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        let Dependence::Exchange {
            time, layer, key, ..
        } = self.dependences[instruction.load as usize]
        else {
            return self.takes(group, instruction);
        };
        if self.spread.cv == 0.0 {
            return time.mean();
        }
        let micro_batch = site.slot.keys[key as usize];
        let load = |m: &u32| self.load(layer, micro_batch, self.expert_place[*m as usize]);
        self.exchange(time, members.iter().map(load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;
    use strait_sim::{
        Block, Engine, Job, Kind, Mode, Program, RankSpec, Run, Slot, Unobserved, Wait,
    };

    /// Two programs of 12 ranks, exchanging in groups of 6; each instruction depends on
    /// something else. `scattered`: a rank's number says its program by its parity.
    fn job(scattered: bool, base: u64) -> Job {
        let local = |load: u16| Instruction {
            kind: Kind::Local,
            base: Time::from_picos(base + u64::from(load)),
            waits: [None, None],
            busy: load as u8,
            idle: 0,
            load,
            label: 0,
        };
        let exchange = |load: u16, count: u16| Instruction {
            kind: Kind::Collective { group: 0 },
            waits: [Some(Wait { stream: 0, count }), None],
            ..local(load)
        };
        let mut compute: Vec<Instruction> = [0, 1, 2, 3, 4, 5, 1, 3].map(local).into();
        compute[6].waits[0] = Some(Wait {
            stream: 1,
            count: 2,
        });
        let block = Block {
            window: 0,
            streams: vec![compute, vec![exchange(6, 2), exchange(7, 4)]],
            drains: false,
        };
        let slot = |key: u32| Slot {
            block: 0,
            keys: [key, 7 * key],
            entry: [None, None],
        };
        let program = Program {
            blocks: vec![block.into()],
            slots: (0..5).map(slot).collect(),
            foreground: 2,
            channels: 0,
        };
        let rank = |rank: u32| {
            let program = if scattered { rank % 2 } else { rank / 12 };
            let place = if scattered { rank / 2 } else { rank % 12 };
            let mut groups = [u32::MAX; 8];
            groups[0] = 2 * program + if scattered { place % 2 } else { place / 6 };
            RankSpec {
                program,
                groups,
                peers: vec![],
            }
        };
        Job {
            programs: vec![program; 2],
            ranks: (0..24).map(rank).collect(),
        }
    }

    fn timing(seed: u64, jitter: f64, cv: f64) -> StepTiming {
        let kernel = |speed, routed| Dependence::Kernel { speed, routed };
        let exchange = |layer, key| Dependence::Exchange {
            time: ExchangeTime {
                fixed: Time::from_picos(50),
                nic: Time::from_picos(1_000_000),
                nvlink: Time::from_picos(900_000),
                ..ExchangeTime::default()
            },
            layer,
            key,
            request: super::super::wires::NO_REQUEST,
        };
        StepTiming {
            wires: None,
            slow: Vec::new(),
            dependences: vec![
                Dependence::Exact,
                kernel(false, None),
                kernel(true, None),
                kernel(true, Some((3, 0))),
                kernel(false, Some((3, 1))),
                kernel(true, Some((4, 1))),
                exchange(3, 0),
                exchange(4, 1),
            ],
            seed,
            jitter,
            chips: super::super::chips::factors(
                seed,
                24,
                crate::case::Noise {
                    jitter: Ratio::new(0.0),
                    chip_spread: Ratio::new(0.02),
                    chips: crate::case::ChipSpread::Sampled,
                },
            ),
            spread: LoadSpread {
                cv,
                persistence: 0.3,
            },
            expert_place: (0..24).map(|rank| (rank / 6, rank % 6)).collect(),
            per_domain: 4,
        }
    }

    proptest! {
        #[test]
        fn columns_are_the_ranks(
            seed: u64,
            scattered: bool,
            // The longest leave the short way of rounding.
            base in prop_oneof![Just(0), 1..50u64, 1..1_000_000_000u64, 1 << 48..1u64 << 53],
            jitter in prop_oneof![Just(0.0), Just(0.03), Just(0.5)],
            cv in prop_oneof![Just(0.0), Just(0.2)],
            slow in prop::option::of(0..24_usize),
        ) {
            let (job, mut timing) = (job(scattered, base), timing(seed, jitter, cv));
            if let Some(rank) = slow {
                timing.slow = vec![1.0; 24];
                timing.slow[rank] = 1.25;
                timing.chips[rank] *= 1.25;
            }
            let go_on = AtomicBool::new(false);
            let (unseen, silent) = (&mut Unobserved, &|_| {});
            let lanes = strait_sim::Lanes.run(&job, &timing, unseen, &go_on, silent).unwrap();
            let events = Engine::new(Mode::Runs).run(&job, &timing, unseen, &go_on, silent).unwrap();
            prop_assert_eq!(Run { events: events.events, ..lanes }, events);
        }
    }
}
