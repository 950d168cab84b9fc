//! Simulation of a shortlist, the most promising first.
//!
//! In: entries by their bounds, and the cases that they are of. Out: the best of them with their steps,
//! and how many could not be better or were left. Never simulates a layout twice, nor one whose bound is
//! above the worst that would still be named. Layouts are simulated in rounds of a fixed size, so that
//! answers do not depend on threads.
//!
//! Bounds of some kinds of layouts are looser than those of others, and their entries would all come
//! first: kinds take turns, each with its most promising. What has to be simulated in the end is the same,
//! but good layouts are found early, and a search that is cut short has seen every kind.

use super::scan::Ground;
use super::shortlist::Entry;
use super::work::Workers;
use std::collections::{BTreeMap, VecDeque};
use strait_training::case::{Parallelism, Zero};
use strait_training::outcome::StepOutcome;
use strait_training::simulate::{Control, SimulateError};
use strait_training::step::{StepInput, step};

/// Layouts of one round: simulated together, whatever the threads.
const ROUND: usize = 8;

/// A simulated layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// What was known before.
    pub entry: Entry,
    /// The layout.
    pub parallelism: Parallelism,
    /// What was to be least.
    pub score: u64,
    /// Its step, without the bars of a chart.
    pub step: StepOutcome,
}

/// What a hunt comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunt {
    /// The best, best first: variant and number.
    pub best: Vec<(u32, u64)>,
    /// Entries that could not be better than the last of them.
    pub bounded: u64,
    /// Entries that were left when the most were simulated that may be: any of them could be better.
    pub unlooked: u64,
    /// The least bound among those.
    pub least_unlooked: Option<u64>,
}

/// Simulations of cases, each done once.
pub struct Hunter<'a> {
    grounds: &'a [Ground<'a>],
    workers: Workers<'a>,
    /// Most simulations in all.
    most: usize,
    known: BTreeMap<(u32, u64), Result<Tried, String>>,
}

impl<'a> Hunter<'a> {
    /// For the variants of a case, in their order.
    pub fn new(grounds: &'a [Ground<'a>], workers: Workers<'a>, most: usize) -> Hunter<'a> {
        Hunter {
            grounds,
            workers,
            most,
            known: BTreeMap::new(),
        }
    }

    /// A layout that was simulated.
    pub fn tried(&self, key: (u32, u64)) -> Option<&Tried> {
        self.known.get(&key)?.as_ref().ok()
    }

    /// All that were simulated, in the order of variants and numbers.
    pub fn all(&self) -> impl Iterator<Item = &Tried> {
        self.known.values().filter_map(|found| found.as_ref().ok())
    }

    /// Layouts that the simulation refused, by the setting at fault.
    pub fn failed(&self) -> BTreeMap<String, u64> {
        let mut failed = BTreeMap::new();
        for path in self.known.values().filter_map(|found| found.as_ref().err()) {
            *failed.entry(path.clone()).or_default() += 1;
        }
        failed
    }

    /// Simulations so far.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// May simulate so many more from here on.
    pub fn allow(&mut self, more: usize) {
        self.most = self.known.len().saturating_add(more);
    }

    /// The best `best` of a queue, which is in order of its bounds; with `all`, everything in it is
    /// simulated.
    ///
    /// # Errors
    /// [`SimulateError::Cancelled`].
    pub fn hunt(
        &mut self,
        queue: &[Entry],
        best: usize,
        all: bool,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Hunt, SimulateError> {
        let best = best.max(1);
        let mut found: Vec<(u64, u32, u64)> = Vec::new();
        // What was simulated for another question counts from the start.
        let score = |tried: &Tried| (tried.score, tried.entry.variant, tried.entry.number);
        for entry in queue {
            if let Some(Ok(tried)) = self.known.get(&(entry.variant, entry.number)) {
                found.push(score(tried));
            }
        }
        let mut hunt = Hunt::default();
        let mut kinds = self.kinds(queue);
        let mut turn = 0;
        loop {
            found.sort_unstable();
            let worst = found.get(best - 1).map(|(score, ..)| *score);
            let hopeless = |entry: &Entry| !all && worst.is_some_and(|worst| entry.bound > worst);
            // A kind is in the order of bounds: where its first is hopeless, all of it is.
            for kind in &mut kinds {
                if kind.front().is_some_and(&hopeless) {
                    hunt.bounded += kind.len() as u64;
                    kind.clear();
                }
            }
            kinds.retain(|kind| !kind.is_empty());
            let left = self.most.saturating_sub(self.known.len());
            let mut round: Vec<Entry> = Vec::new();
            while round.len() < ROUND.min(left) && !kinds.is_empty() {
                turn %= kinds.len();
                match kinds[turn].front() {
                    Some(entry) if !hopeless(entry) => round.extend(kinds[turn].pop_front()),
                    _ if kinds.iter().all(|k| k.front().is_none_or(&hopeless)) => break,
                    _ => {}
                }
                turn += 1;
            }
            if round.is_empty() {
                for entry in kinds.iter().flatten() {
                    if hopeless(entry) {
                        hunt.bounded += 1;
                    } else {
                        hunt.unlooked += 1;
                        let least = hunt.least_unlooked.unwrap_or(u64::MAX);
                        hunt.least_unlooked = Some(least.min(entry.bound));
                    }
                }
                break;
            }
            let results = (self.workers).each(round.len(), |index| self.simulate(round[index]))?;
            for (entry, result) in round.iter().zip(results) {
                let result = match result {
                    Ok(tried) => {
                        found.push(score(&tried));
                        Ok(tried)
                    }
                    Err(SimulateError::Cancelled) => return Err(SimulateError::Cancelled),
                    Err(SimulateError::Invalid { path, .. }) => Err(path),
                };
                self.known.insert((entry.variant, entry.number), result);
            }
            let waiting: usize = kinds.iter().map(VecDeque::len).sum();
            progress(1.0 - waiting as f64 / queue.len() as f64);
        }
        found.truncate(best);
        hunt.best = found
            .into_iter()
            .map(|(_, variant, number)| (variant, number))
            .collect();
        Ok(hunt)
    }

    /// What of a queue is new, by kind of layout, each in the order of the queue. Layouts that are looked
    /// at as they are, such as the written one, are a kind.
    fn kinds(&self, queue: &[Entry]) -> Vec<VecDeque<Entry>> {
        type Kind = (bool, u32, u8, bool, bool, bool);
        let mut kinds: BTreeMap<Kind, VecDeque<Entry>> = BTreeMap::new();
        for entry in queue {
            if self.known.contains_key(&(entry.variant, entry.number)) {
                continue;
            }
            let Some(ground) = self.grounds.get(entry.variant as usize) else {
                continue;
            };
            let Some(p) = ground.space.layout(entry.number) else {
                continue;
            };
            let other = entry.number >= ground.space.also.len() as u64;
            let kind = match other {
                false => (false, entry.variant, 0, false, false, false),
                true => (
                    true,
                    entry.variant,
                    p.schedule as u8,
                    p.pipeline > 1,
                    p.zero == Zero::Zero3,
                    p.offload_layers > 0,
                ),
            };
            kinds.entry(kind).or_default().push_back(*entry);
        }
        kinds.into_values().collect()
    }

    fn simulate(&self, entry: Entry) -> Result<Tried, SimulateError> {
        let Some(ground) = self.grounds.get(entry.variant as usize) else {
            return Err(SimulateError::Cancelled);
        };
        let Some(parallelism) = ground.space.layout(entry.number) else {
            return Err(SimulateError::Cancelled);
        };
        let step = simulated(ground, &parallelism, self.workers)?;
        Ok(Tried {
            entry,
            score: ground.scale.of(&step),
            parallelism,
            step,
        })
    }
}

/// The step of a layout, without the bars of a chart.
///
/// # Errors
/// Why there is none.
pub fn simulated(
    ground: &Ground<'_>,
    parallelism: &Parallelism,
    workers: Workers<'_>,
) -> Result<StepOutcome, SimulateError> {
    let input = StepInput {
        case: ground.case,
        parallelism,
        sequence_length: ground.phase.sequence_length,
        global_batch: ground.phase.global_batch,
    };
    let control = Control {
        cancel: workers.cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    let mut step = step(input, control)?;
    step.bars = Vec::new();
    Ok(step)
}
