//! A ready-made [`Timing`]: base durations, a speed per rank, and jitter.
//!
//! In: a seed, a coefficient of variation, speed factors. Out: durations. Never
//! looks at loads or labels: a layer that knows these brings its own [`Timing`].

use crate::random::{Jitter, Key};
use crate::{Instruction, LaneRanks, Scratch, Site, Timing};
use strait_units::{Ratio, Time};

/// Base durations times a rank's slowness, each spread by jitter of its own.
#[derive(Clone, Debug)]
pub struct JitteredTiming {
    ranks: Vec<(Key, Jitter)>,
    /// Mean slowness of each rank as bits, if there is no jitter.
    colours: Option<Vec<u64>>,
    groups: Key,
    group: Jitter,
}

impl JitteredTiming {
    /// Jitter with coefficient of variation `cv` on every instruction; rank `r` takes
    /// `slowness[r]` times the base (1 where the list is shorter).
    pub fn new(seed: u64, ranks: u32, cv: Ratio, slowness: &[Ratio]) -> JitteredTiming {
        let key = Key::new(seed).purpose("jitter");
        let mean = |rank: u32| slowness.get(rank as usize).map_or(1.0, |s| s.get());
        let of_rank = |rank: u32| {
            let mean = mean(rank);
            (key.entity(u64::from(rank)), Jitter::new(mean, cv.get()))
        };
        JitteredTiming {
            ranks: (0..ranks).map(of_rank).collect(),
            colours: (cv.get() == 0.0).then(|| (0..ranks).map(|r| mean(r).to_bits()).collect()),
            groups: Key::new(seed).purpose("group jitter"),
            group: Jitter::new(1.0, cv.get()),
        }
    }
}

/// Where in a program, in one number: slots, streams and indices do not collide.
#[inline]
fn place(site: &Site<'_>) -> u64 {
    (u64::from(site.slot_index) << 24) | (u64::from(site.stream) << 16) | u64::from(site.index)
}

impl Timing for JitteredTiming {
    fn colour(&self, rank: u32) -> Option<u64> {
        self.colours.as_ref().map(|of| of[rank as usize])
    }

    fn group_colour(&self, _kind: u8, _group: u32, _members: &[u32]) -> Option<u64> {
        self.colours.as_ref().map(|_| 0)
    }

    #[inline]
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let (key, jitter) = self.ranks[rank as usize];
        jitter.apply(instruction.base, key.at(place(&site)))
    }

    fn local_lanes(
        &self,
        lanes: LaneRanks<'_>,
        site: Site<'_>,
        instruction: &Instruction,
        _scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        let (base, place) = (instruction.base, place(&site));
        if let Some(range) = lanes.range() {
            for (out, (key, jitter)) in out.iter_mut().zip(&self.ranks[range]) {
                *out = jitter.apply(base, key.at(place)).picos();
            }
            return;
        }
        for (out, rank) in out.iter_mut().zip(lanes.ranks()) {
            *out = self.local(*rank, site, instruction).picos();
        }
    }

    #[inline]
    fn collective(
        &self,
        group: u32,
        _members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        let key = self.groups.entity(u64::from(group)).at(place(&site));
        self.group.apply(instruction.base, key)
    }
}

/// Every instruction takes its base duration, everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct BaseTiming;

impl Timing for BaseTiming {
    fn colour(&self, _rank: u32) -> Option<u64> {
        Some(0)
    }

    fn group_colour(&self, _kind: u8, _group: u32, _members: &[u32]) -> Option<u64> {
        Some(0)
    }

    #[inline]
    fn local(&self, _rank: u32, _site: Site<'_>, instruction: &Instruction) -> Time {
        instruction.base
    }

    fn local_lanes(
        &self,
        _lanes: LaneRanks<'_>,
        _site: Site<'_>,
        instruction: &Instruction,
        _scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        out.fill(instruction.base.picos());
    }

    #[inline]
    fn collective(
        &self,
        _group: u32,
        _members: &[u32],
        _site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        instruction.base
    }
}
