//! Weighted max-min fair rates by progressive filling.
//!
//! In: links, and variables with weights and what a unit of their rate takes of each link. Out:
//! rates. Never allocates in the loop, never looks at links that were not named.
//!
//! All rates grow together, each at its weight; when a link is full, the variables on it stop.
//! The level at which a link fills can only rise as others stop, so that a heap of levels that is
//! brought up to date when an entry comes up finds the next full link.

use super::{LinkId, Links};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use strait_units::{Bandwidth, Ratio};

/// What a variable takes of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Use {
    pub link: u32,
    /// Capacity taken by a unit of rate.
    pub cost: f64,
    /// The same times the variable's weight.
    pub weighted: f64,
}

/// A variable on a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The variable's slot.
    pub slot: u32,
    /// Which of its uses this is.
    pub hop: u32,
    /// Its cost times its weight.
    pub weighted: f64,
}

/// What the filling looks at: everything by slot or by link.
pub(super) trait Variables {
    fn uses(&self, slot: u32) -> &[Use];
    fn weight(&self, slot: u32) -> f64;
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Capacity not taken by variables that have stopped.
    left: f64,
    /// Weighted costs of the others.
    weight: f64,
    /// How many others.
    open: u32,
}

impl Level {
    fn fills_at(&self) -> f64 {
        (self.left / self.weight).max(0.0)
    }
}

/// Room for the solver to work in, kept between solutions.
#[derive(Debug, Default)]
pub(super) struct Fill {
    levels: Vec<Level>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

/// A rate that is not known yet.
pub(super) const OPEN: f64 = -1.0;

impl Fill {
    /// Fills `links`; `rates` of all slots on them must be [`OPEN`] before and are rates after.
    /// Variables on them must have no uses of other links.
    pub fn solve(
        &mut self,
        links: &[u32],
        capacities: &[f64],
        on_link: &[Vec<Entry>],
        variables: &impl Variables,
        rates: &mut [f64],
    ) {
        if self.levels.len() < capacities.len() {
            self.levels.resize(capacities.len(), Level::default());
        }
        let mut heap = std::mem::take(&mut self.heap).into_vec();
        heap.clear();
        for &link in links {
            let entries = &on_link[link as usize];
            if entries.is_empty() {
                continue;
            }
            let level = Level {
                left: capacities[link as usize],
                weight: entries.iter().map(|entry| entry.weighted).sum(),
                open: entries.len() as u32,
            };
            self.levels[link as usize] = level;
            heap.push(Reverse((level.fills_at().to_bits(), link)));
        }
        let mut heap = BinaryHeap::from(heap);
        while let Some(Reverse((bits, link))) = heap.pop() {
            let level = self.levels[link as usize];
            if level.open == 0 {
                continue;
            }
            // Non-negative floats compare as their bits do.
            let now = level.fills_at();
            if now.to_bits() > bits {
                heap.push(Reverse((now.to_bits(), link)));
                continue;
            }
            for entry in &on_link[link as usize] {
                let rate = &mut rates[entry.slot as usize];
                if *rate != OPEN {
                    continue;
                }
                *rate = variables.weight(entry.slot) * now;
                for used in variables.uses(entry.slot) {
                    let level = &mut self.levels[used.link as usize];
                    level.left -= used.weighted * now;
                    level.weight -= used.weighted;
                    level.open -= 1;
                }
            }
        }
        self.heap = heap;
    }
}

/// A variable of [`max_min`]: its weight, and what of each link a unit of its rate takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Rates of variables that meet the same limits are in proportion to this.
    pub weight: Ratio,
    /// Links and costs.
    pub hops: Vec<(LinkId, Ratio)>,
}

struct Shares<'a> {
    shares: &'a [Share],
    uses: Vec<Use>,
    first: Vec<usize>,
}

impl Variables for Shares<'_> {
    fn uses(&self, slot: u32) -> &[Use] {
        let slot = slot as usize;
        &self.uses[self.first[slot]..self.first[slot + 1]]
    }
    fn weight(&self, slot: u32) -> f64 {
        self.shares[slot as usize].weight.get()
    }
}

/// Weighted max-min fair rates of variables on links, all at once.
///
/// A variable without hops has no limit: its rate is infinite.
///
/// # Panics
/// If a hop names a link of other links.
pub fn max_min(links: &Links, shares: &[Share]) -> Vec<Bandwidth> {
    let mut on_link = vec![Vec::new(); links.len()];
    let mut uses = Vec::new();
    let mut first = vec![0];
    for (slot, share) in shares.iter().enumerate() {
        for (hop, &(link, cost)) in share.hops.iter().enumerate() {
            let weighted = cost.get() * share.weight.get();
            on_link[link.index()].push(Entry {
                slot: slot as u32,
                hop: hop as u32,
                weighted,
            });
            uses.push(Use {
                link: link.0,
                cost: cost.get(),
                weighted,
            });
        }
        first.push(uses.len());
    }
    let mut rates = vec![OPEN; shares.len()];
    let all: Vec<u32> = (0..links.len() as u32).collect();
    let variables = Shares {
        shares,
        uses,
        first,
    };
    Fill::default().solve(&all, &links.capacities, &on_link, &variables, &mut rates);
    rates
        .into_iter()
        .map(|rate| Bandwidth::new(if rate == OPEN { f64::INFINITY } else { rate }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(list: &[(f64, &[(LinkId, f64)])]) -> Vec<Share> {
        list.iter()
            .map(|(weight, hops)| Share {
                weight: Ratio::new(*weight),
                hops: (hops.iter())
                    .map(|&(link, cost)| (link, Ratio::new(cost)))
                    .collect(),
            })
            .collect()
    }

    #[test]
    fn the_textbook_example() {
        // Bertsekas and Gallager, Data Networks, 6.5.2: one long flow over both links, one short
        // flow on each; the second link is half the first.
        let mut links = Links::new();
        let a = links.add(Bandwidth::new(10.0)).unwrap();
        let b = links.add(Bandwidth::new(4.0)).unwrap();
        let list = shares(&[
            (1.0, &[(a, 1.0), (b, 1.0)]),
            (1.0, &[(a, 1.0)]),
            (1.0, &[(b, 1.0)]),
        ]);
        let rates: Vec<f64> = max_min(&links, &list)
            .into_iter()
            .map(Bandwidth::get)
            .collect();
        assert_eq!(rates, [2.0, 8.0, 2.0]);
    }

    #[test]
    fn weights_and_costs() {
        let mut links = Links::new();
        let a = links.add(Bandwidth::new(12.0)).unwrap();
        let dead = links.add(Bandwidth::ZERO).unwrap();
        let list = shares(&[
            (2.0, &[(a, 1.0)]),
            (1.0, &[(a, 4.0)]),
            (1.0, &[(a, 1.0), (dead, 1.0)]),
            (1.0, &[]),
        ]);
        let rates: Vec<f64> = max_min(&links, &list)
            .into_iter()
            .map(Bandwidth::get)
            .collect();
        // 2 x + 4 x = 12: the dead one takes nothing.
        assert_eq!(rates, [4.0, 2.0, 0.0, f64::INFINITY]);
    }
}
