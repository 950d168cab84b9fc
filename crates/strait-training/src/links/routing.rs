//! How many nodes and ranks a token reaches, and how unevenly tokens load them.
//!
//! In: a gate (experts, choices, groups) and a group of ranks, or a spread and keys. Out: expected
//! copies of a token, or one load. Never draws from shared state: a load is a pure function of its
//! keys, so that it is the same in every order of evaluation and on every machine.

use super::GroupShape;
use strait_units::Ratio;

/// Expected number of distinct bins hit by `draws` draws without replacement from `bins` bins of
/// `per_bin` items: `b [1 - C(be-e, k) / C(be, k)]`, as a product of `draws` factors.
///
/// Between whole numbers of draws it is linear.
pub fn distinct_bins(bins: f64, per_bin: f64, draws: f64) -> f64 {
    if bins <= 1.0 {
        return if draws > 0.0 { bins.max(0.0) } else { 0.0 };
    }
    let items = bins * per_bin;
    let missed_after = |count: f64| {
        let mut missed = 1.0;
        let mut drawn = 0.0;
        while drawn < count && missed > 0.0 {
            missed *= ((items - per_bin - drawn) / (items - drawn)).max(0.0);
            drawn += 1.0;
        }
        missed
    };
    let draws = draws.clamp(0.0, items);
    let whole = draws.floor();
    let low = missed_after(whole);
    let high = missed_after(whole + 1.0);
    bins * (1.0 - (low + (draws - whole) * (high - low)))
}

/// Linear interpolation through `points` in rising x, constant beyond the ends.
pub(super) fn piecewise(points: &[(f64, f64)], x: f64) -> f64 {
    let mut before = points[0];
    for &(at, value) in points {
        if x <= at {
            return if at > before.0 {
                before.1 + (value - before.1) * (x - before.0) / (at - before.0)
            } else {
                value
            };
        }
        before = (at, value);
    }
    before.1
}

/// What a gate chooses for each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Experts of a layer that are routed to.
    pub experts: u32,
    /// Experts of a token.
    pub top_k: u32,
    /// Groups of experts that the gate ranks; 1 where it ranks none.
    pub groups: u32,
    /// Groups that a token may reach.
    pub group_limit: u32,
    /// Nodes that a token may reach; `None`: no limit.
    pub node_limit: Option<u32>,
}

/// Expected copies of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FanOut {
    /// Distinct scale-up domains, the token's own counted as any other.
    pub nodes: Ratio,
    /// Distinct ranks.
    pub ranks: Ratio,
}

/// Of the gap between groups hit at random and all allowed groups, the share that is closed because
/// a gate allows the groups with the best scores, by choices per allowed group. Strait sampling,
/// 2026-11 (5,000 tokens, groups ranked by their two best scores): 4 of 8 groups with 4, 6 and 8
/// choices, 2 of 8 with 8.
const RANKED_GROUPS: [(f64, f64); 4] = [(1.0, 0.28), (1.5, 0.65), (2.0, 0.92), (4.0, 1.0)];

/// The same for bins finer than groups: ranked groups spread the choices a little. Same sampling:
/// 0.14 (16 nodes) to 0.30 (128 ranks).
const RANKED_BINS: f64 = 0.17;

impl FanOut {
    /// Expected copies under `gate` in `group`, experts placed in order over the ranks.
    ///
    /// Exact for gates without group or node limits; with a limit, exact for groups chosen at random
    /// and corrected by sampling for groups ranked by score.
    pub fn of(gate: &Gate, group: GroupShape) -> FanOut {
        let ranks = f64::from(group.ranks.max(1));
        let domains = f64::from(group.domains.max(1));
        let experts = f64::from(gate.experts.max(1));
        let choices = f64::from(gate.top_k.min(gate.experts));
        let groups = f64::from(gate.groups.max(1));
        let limit = f64::from(gate.group_limit.max(1)).min(groups);
        let node_limit = gate
            .node_limit
            .map_or(domains, |l| f64::from(l.max(1)).min(domains));
        // Nodes under the allowed groups: a group limit may be the tighter one, or the node limit.
        let under_groups = (limit * (domains / groups).max(1.0)).min(domains);
        let fan_out = if node_limit < under_groups {
            Self::limited(domains, node_limit, choices, experts, ranks, domains)
        } else if limit < groups {
            Self::limited(groups, limit, choices, experts, ranks, domains)
        } else {
            (
                distinct_bins(domains, experts / domains, choices),
                distinct_bins(ranks, experts / ranks, choices),
            )
        };
        let nodes = fan_out.0.clamp(0.0, node_limit.max(1.0));
        FanOut {
            nodes: Ratio::new(nodes),
            ranks: Ratio::new(fan_out.1.max(nodes)),
        }
    }

    /// Nodes and ranks where `limit` of `groups` are allowed, those with the best scores.
    fn limited(
        groups: f64,
        limit: f64,
        choices: f64,
        experts: f64,
        ranks: f64,
        domains: f64,
    ) -> (f64, f64) {
        let random = distinct_bins(limit, experts / groups, choices);
        let closed = piecewise(&RANKED_GROUPS, choices / limit);
        let hit = random + closed * (limit.min(choices) - random).max(0.0);
        // Bins finer than groups (ranks, or nodes where a group covers several).
        let finer = |bins: f64| {
            let pool = bins * limit / groups;
            let random = distinct_bins(pool, experts / bins, choices);
            random + RANKED_BINS * (pool.min(choices) - random).max(0.0)
        };
        // Bins that hold whole groups.
        let coarser = |bins: f64| distinct_bins(bins, groups / bins, hit);
        let copies = |bins: f64| {
            if groups >= bins {
                coarser(bins)
            } else {
                finer(bins)
            }
        };
        (copies(domains), copies(ranks))
    }
}

/// How unevenly ranks are loaded by the choices of a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadSpread {
    /// Standard deviation over mean of routed rows per rank, in one layer and micro-batch.
    pub cv: f64,
    /// Share of that variance which is the same in every micro-batch.
    pub persistence: f64,
}

/// A load never falls below this share of the mean: a rank always has some tokens.
const LEAST_LOAD: f64 = 0.05;

impl LoadSpread {
    /// Load of one rank over the mean: normal, mean 1, the persistent part keyed by layer, group and
    /// member, the other by micro-batch too.
    pub fn rank_load(
        &self,
        seed: u64,
        layer: u32,
        micro_batch: u32,
        group: u32,
        member: u32,
    ) -> f64 {
        if self.cv <= 0.0 {
            return 1.0;
        }
        let place = key(
            key(seed, u64::from(layer)),
            u64::from(group) << 32 | u64::from(member),
        );
        let persistent = self.persistence.clamp(0.0, 1.0);
        let mut z = 0.0;
        if persistent > 0.0 {
            z += persistent.sqrt() * normal(place);
        }
        if persistent < 1.0 {
            // Micro-batches count from one here, so that none of them has the persistent key.
            z += (1.0 - persistent).sqrt() * normal(key(place, u64::from(micro_batch) + 1));
        }
        (1.0 + self.cv * z).max(LEAST_LOAD)
    }

    /// Load of the NICs of one domain over the mean: they carry what enters for all members of
    /// the domain, `members` ranks from `domain * members` on.
    pub fn nic_load(
        &self,
        seed: u64,
        layer: u32,
        micro_batch: u32,
        group: u32,
        domain: u32,
        members: u32,
    ) -> f64 {
        if self.cv <= 0.0 || members == 0 {
            return 1.0;
        }
        let first = domain * members;
        let sum: f64 = (first..first + members)
            .map(|member| self.rank_load(seed, layer, micro_batch, group, member))
            .sum();
        sum / f64::from(members)
    }
}

/// Mixes one key into a state (the finaliser of SplitMix64, Steele et al. 2014).
fn key(state: u64, part: u64) -> u64 {
    let mut z = state
        .wrapping_add(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(part.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A standard normal from a key: the number of ones in 128 random bits with a uniform to fill the
/// steps. Variance 32 + 1/12 exactly; excess kurtosis -1/64; no logarithm, the same on every machine.
fn normal(state: u64) -> f64 {
    let a = key(state, 1);
    let b = key(state, 2);
    let c = key(state, 3);
    let ones = f64::from(a.count_ones() + b.count_ones()) - 64.0;
    let uniform = (c >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0) - 0.5;
    // sqrt(32 + 1/12)
    (ones + uniform) * (1.0 / 5.664_215_155_988_81)
}
