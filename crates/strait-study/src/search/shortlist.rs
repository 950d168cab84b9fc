//! The layouts that are worth a simulation, as far as memory allows to remember them.
//!
//! In: layouts that fit, by number, each with the least that it can score. Out: for each step of
//! memory those that promise most, best first, and what is known of those that were let go. Never
//! holds a layout itself: numbers are enough to make it again.

use std::collections::BinaryHeap;
use strait_units::Bytes;

/// A layout that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What its score is never below.
    pub bound: u64,
    /// The variant of the case that it is of.
    pub variant: u32,
    /// Its number in the space of that variant.
    pub number: u64,
    /// Peak memory of the fullest rank.
    pub memory: Bytes,
}

/// Steps of memory, of which each has its own best.
pub const STEPS: usize = 20;

/// The most promising of each step of memory.
#[derive(Clone, Debug)]
pub struct Shortlist {
    /// Memory of the accelerator, or what may be used of it.
    capacity: Bytes,
    /// Most entries of a step.
    most: usize,
    /// The worst on top.
    steps: Vec<BinaryHeap<Entry>>,
    /// Of those let go, by step: how many, and the least bound among them.
    gone: Vec<(u64, Option<u64>)>,
}

impl Shortlist {
    /// An empty one, for at most `most` entries of each step.
    pub fn new(capacity: Bytes, most: usize) -> Shortlist {
        Shortlist {
            capacity,
            most: most.max(1),
            steps: vec![BinaryHeap::new(); STEPS],
            gone: vec![(0, None); STEPS],
        }
    }

    /// The step of an amount of memory, the lowest first.
    pub fn step(&self, memory: Bytes) -> usize {
        let share = u128::from(memory.get()) * STEPS as u128;
        let step = share.div_ceil(u128::from(self.capacity.get().max(1)));
        (step.max(1) as usize).min(STEPS) - 1
    }

    /// The most memory of a step.
    pub fn limit(&self, step: usize) -> Bytes {
        let share = u128::from(self.capacity.get()) * (step as u128 + 1) / STEPS as u128;
        Bytes::new(share as u64)
    }

    /// Adds a layout.
    pub fn add(&mut self, entry: Entry) {
        let step = self.step(entry.memory);
        let heap = &mut self.steps[step];
        if heap.len() < self.most {
            heap.push(entry);
            return;
        }
        let mut leaves = entry;
        if let Some(mut worst) = heap.peek_mut()
            && entry < *worst
        {
            leaves = std::mem::replace(&mut *worst, entry);
        }
        let gone = &mut self.gone[step];
        gone.0 += 1;
        gone.1 = Some(gone.1.map_or(leaves.bound, |least| least.min(leaves.bound)));
    }

    /// Adds what another has, and what it let go. The order in which lists come together does not
    /// matter.
    pub fn merge(&mut self, other: Shortlist) {
        for (mine, theirs) in self.gone.iter_mut().zip(&other.gone) {
            mine.0 += theirs.0;
            mine.1 = match (mine.1, theirs.1) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        for heap in other.steps {
            for entry in heap {
                self.add(entry);
            }
        }
    }

    /// All entries of at most so many steps, best first.
    pub fn queue(&self, steps: usize) -> Vec<Entry> {
        let heaps = self.steps.iter().take(steps);
        let mut all: Vec<Entry> = heaps.flat_map(|heap| heap.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// How many of these steps were let go, and the least bound among them.
    pub fn gone(&self, steps: usize) -> (u64, Option<u64>) {
        let parts = self.gone.iter().take(steps);
        parts.fold((0, None), |(count, least), (more, other)| {
            let least = match (least, *other) {
                (Some(a), Some(b)) => Some(u64::min(a, b)),
                (a, b) => a.or(b),
            };
            (count + more, least)
        })
    }

    /// All that fit.
    pub fn len(&self) -> u64 {
        let held: usize = self.steps.iter().map(BinaryHeap::len).sum();
        held as u64 + self.gone(STEPS).0
    }

    /// Nothing fits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bound: u64, memory: u64) -> Entry {
        Entry {
            bound,
            variant: 0,
            number: bound * 7 % 11,
            memory: Bytes::new(memory),
        }
    }

    #[test]
    fn the_best_of_each_step_stay_whatever_the_order() {
        let all: Vec<Entry> = (0..200).map(|n| entry(n * 37 % 101, 1 + n % 100)).collect();
        let whole = |order: &[Entry]| {
            let mut list = Shortlist::new(Bytes::new(100), 3);
            order.iter().for_each(|e| list.add(*e));
            list
        };
        let mut halves = whole(&all[100..]);
        halves.merge(whole(&all[..100]));
        let one = whole(&all);
        assert_eq!(one.queue(STEPS), halves.queue(STEPS));
        assert_eq!(one.gone(STEPS), halves.gone(STEPS));
        assert_eq!(one.len(), 200);
        for step in 0..STEPS {
            let mut of_step: Vec<Entry> = (all.iter().copied())
                .filter(|e| one.step(e.memory) == step)
                .collect();
            of_step.sort_unstable();
            let kept = one.steps[step].clone().into_sorted_vec();
            assert_eq!(kept, of_step[..3]);
            assert_eq!(one.gone[step].1, Some(of_step[3].bound));
        }
    }

    #[test]
    fn steps_end_at_their_limits() {
        let list = Shortlist::new(Bytes::new(1000), 1);
        assert_eq!(list.step(Bytes::new(1000)), STEPS - 1);
        assert_eq!(list.step(Bytes::new(951)), STEPS - 1);
        assert_eq!(list.step(Bytes::new(950)), STEPS - 2);
        assert_eq!(list.limit(STEPS - 2), Bytes::new(950));
        assert_eq!(list.step(Bytes::ZERO), 0);
    }
}
