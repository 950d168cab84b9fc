//! Colour refinement: which flows and links are alike.
//!
//! In: flows and links with first colours, and which flow uses which link at what cost. Out: the
//! coarsest partition in which flows of a class use equally many links of each class at equal
//! costs, and the other way round. Flows of one class then have one rate, whatever the solver
//! finds: the partition is exact. Never orders by anything but the index of first appearance.
//!
//! Multisets of neighbours' colours are compared by the sum of 64-bit mixes of their members. Two
//! different multisets agree by chance once in 10^19 comparisons.

/// Classes of flows and links, numbered in order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Class of each flow.
    pub flows: Vec<u32>,
    /// Class of each link.
    pub links: Vec<u32>,
    /// Classes of flows.
    pub flow_classes: u32,
    /// Classes of links.
    pub link_classes: u32,
    /// Rounds until nothing changed.
    pub rounds: u32,
}

/// Refines first colours until they are stable. Flow `f` has the hops
/// `hops[first_hop[f]..first_hop[f + 1]]`, each a link and the key of its cost.
///
/// # Panics
/// If `first_hop` is not one longer than the flows, or a hop names no link.
pub fn refine(
    flow_colours: &[u64],
    link_colours: &[u64],
    first_hop: &[u32],
    hops: &[(u32, u64)],
) -> Partition {
    assert_eq!(first_hop.len(), flow_colours.len() + 1);
    let mut numbers = Numbers::default();
    let (mut flows, mut flow_classes) = numbers.of(flow_colours.iter().copied());
    let (mut links, mut link_classes) = numbers.of(link_colours.iter().copied());
    // What a hop at this cost adds, before the neighbour's colour is mixed in.
    let mut flow_sums = vec![0_u64; flows.len()];
    let mut link_sums = vec![0_u64; links.len()];
    let mut rounds = 0;
    loop {
        rounds += 1;
        link_sums.fill(0);
        for (flow, ends) in first_hop.windows(2).enumerate() {
            let colour = mix(u64::from(flows[flow]) + 1);
            for &(link, cost) in &hops[ends[0] as usize..ends[1] as usize] {
                let sum = &mut link_sums[link as usize];
                *sum = sum.wrapping_add(mix(colour ^ cost));
            }
        }
        let keys = (links.iter().zip(&link_sums)).map(|(&class, &sum)| key(class, sum));
        let (next, finer_links) = numbers.of(keys);
        links = next;
        for (flow, ends) in first_hop.windows(2).enumerate() {
            let of = |&(link, cost): &(u32, u64)| {
                mix(mix(u64::from(links[link as usize]) + 1) ^ cost.rotate_left(17))
            };
            flow_sums[flow] = (hops[ends[0] as usize..ends[1] as usize].iter())
                .fold(0, |sum, hop| sum.wrapping_add(of(hop)));
        }
        let keys = (flows.iter().zip(&flow_sums)).map(|(&class, &sum)| key(class, sum));
        let (next, finer_flows) = numbers.of(keys);
        flows = next;
        let stable = finer_flows == flow_classes && finer_links == link_classes;
        (flow_classes, link_classes) = (finer_flows, finer_links);
        if stable {
            return Partition {
                flows,
                links,
                flow_classes,
                link_classes,
                rounds,
            };
        }
    }
}

fn key(class: u32, sum: u64) -> u64 {
    mix(sum ^ mix(u64::from(class) + 1).rotate_left(32))
}

/// Finalizer of splitmix64: <https://prng.di.unimi.it/splitmix64.c>.
#[inline]
pub(super) fn mix(key: u64) -> u64 {
    let z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers keys in order of first appearance: an open hash table that is never iterated.
#[derive(Default)]
struct Numbers {
    table: Vec<(u64, u32)>,
}

impl Numbers {
    const FREE: u32 = u32::MAX;

    fn of(&mut self, keys: impl Iterator<Item = u64>) -> (Vec<u32>, u32) {
        self.table.clear();
        self.table.resize(64, (0, Self::FREE));
        let mut count = 0;
        let numbers = keys
            .map(|key| {
                if (count as usize + 1) * 2 > self.table.len() {
                    self.grow();
                }
                let place = self.find(key);
                if self.table[place].1 == Self::FREE {
                    self.table[place] = (key, count);
                    count += 1;
                }
                self.table[place].1
            })
            .collect();
        (numbers, count)
    }

    #[inline]
    fn find(&self, key: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut place = key as usize & mask;
        loop {
            let (held, number) = self.table[place];
            if number == Self::FREE || held == key {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let double = vec![(0, Self::FREE); self.table.len() * 2];
        for entry in std::mem::replace(&mut self.table, double) {
            if entry.1 != Self::FREE {
                let place = self.find(entry.0);
                self.table[place] = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_folds_and_a_marked_leaf_unfolds_it() {
        // Four flows, each over its own link and a common one.
        let first = [0, 2, 4, 6, 8];
        let hops: Vec<(u32, u64)> = (0..4).flat_map(|f| [(f, 1), (4, 1)]).collect();
        let same = refine(&[7; 4], &[1, 1, 1, 1, 9], &first, &hops);
        assert_eq!((same.flow_classes, same.link_classes), (1, 2));
        let marked = refine(&[7; 4], &[1, 2, 1, 1, 9], &first, &hops);
        assert_eq!(marked.flows, [0, 1, 0, 0]);
        assert_eq!(marked.links, [0, 1, 0, 0, 2]);
    }

    #[test]
    fn costs_tell_flows_apart() {
        let hops = [(0, 1), (1, 1), (2, 5)];
        let partition = refine(&[0; 3], &[0; 3], &[0, 1, 2, 3], &hops);
        assert_eq!(partition.flows, [0, 0, 1]);
        assert_eq!(partition.links, [0, 0, 1]);
    }

    #[test]
    fn a_path_is_refined_from_its_ends() {
        // Six links in a row, flow i over links i and i + 1: alike only by reflection.
        let hops: Vec<(u32, u64)> = (0..5).flat_map(|f| [(f, 1), (f + 1, 1)]).collect();
        let partition = refine(&[0; 5], &[0; 6], &[0, 2, 4, 6, 8, 10], &hops);
        assert_eq!(partition.flows, [0, 1, 2, 1, 0]);
        assert_eq!(partition.links, [0, 1, 2, 2, 1, 0]);
        assert!(partition.rounds > 2);
    }

    #[test]
    fn numbers_survive_growth() {
        let keys: Vec<u64> = (0..5000).map(|i| mix(i % 1700)).collect();
        let (numbers, count) = Numbers::default().of(keys.iter().copied());
        assert_eq!(count, 1700);
        assert!(numbers.iter().zip(0_u32..).all(|(&n, i)| n == i % 1700));
    }
}
