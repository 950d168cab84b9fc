//! What a rank holds while it follows its order.
//!
//! In: a [`Schedule`]. Out: the most micro-batches whose activations live at once, or all moments
//! at which that can be ([`Live`]). Never knows what an activation weighs, except where the caller
//! says so.

use super::{Schedule, Work};
use std::collections::BTreeSet;

/// Most micro-batches of one model chunk whose activations are held at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Opened by the forward and closed by the backward for the input.
    pub input: u32,
    /// Opened by the forward and closed by the weight gradients.
    pub weight: u32,
}

/// What one micro-batch of a model chunk holds, in any unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    /// From the forward to the end of the backward for the input.
    pub until_input: f64,
    /// From the forward to the end of the weight gradients.
    pub until_weight: f64,
}

/// What of a rank's order its memory depends on, so that the order need not be walked again for every
/// layout that works in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// As [`Schedule::in_flight`].
    pub most: Vec<InFlight>,
    /// How many micro-batches of each chunk are kept until their weight gradients, at every moment
    /// that no other surpasses in all chunks, in the order of time.
    pub moments: Vec<Vec<u32>>,
}

impl Live {
    /// Of a rank.
    pub fn of(schedule: &Schedule, rank: u32) -> Live {
        let mut live = vec![0_u32; schedule.chunks as usize];
        let mut moments: Vec<Vec<u32>> = Vec::new();
        let mut seen: BTreeSet<Vec<u32>> = BTreeSet::new();
        let covers = |a: &[u32], b: &[u32]| a.iter().zip(b).all(|(a, b)| a >= b);
        for &work in &schedule.order[rank as usize] {
            let [opened, _, weight] = touched(work);
            if let Some(local) = opened {
                live[usize::from(local)] += 1;
                // A steady state comes by again and again.
                let new = !seen.contains(&live);
                if new && !moments.iter().any(|known| covers(known, &live)) {
                    moments.retain(|known| !covers(&live, known));
                    moments.push(live.clone());
                }
                if new {
                    seen.insert(live.clone());
                }
            }
            if let Some(local) = weight {
                live[usize::from(local)] -= 1;
            }
        }
        Live {
            most: schedule.in_flight(rank),
            moments,
        }
    }

    /// The micro-batches of each chunk at the moment when a rank holds most, if one of chunk `i` holds
    /// `held[i]`.
    pub fn at_peak(&self, held: &[f64]) -> Option<&[u32]> {
        let mut found: Option<(f64, &[u32])> = None;
        for moment in &self.moments {
            let parts = moment.iter().zip(held);
            let now: f64 = parts.map(|(live, held)| f64::from(*live) * held).sum();
            if now > found.map_or(0.0, |(most, _)| most) {
                found = Some((now, moment));
            }
        }
        found.map(|(_, moment)| moment)
    }

    /// Whether a rank with this order never holds less than one with the other, whatever a
    /// micro-batch of a chunk holds, if the same chunks hold the same.
    pub fn covers(&self, other: &Live) -> bool {
        let more =
            |a: &[u32], b: &[u32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a >= b);
        let most = |a: &InFlight, b: &InFlight| a.input >= b.input && a.weight >= b.weight;
        self.most.len() == other.most.len()
            && self.most.iter().zip(&other.most).all(|(a, b)| most(a, b))
            && (other.moments.iter()).all(|b| self.moments.iter().any(|a| more(a, b)))
    }
}

/// The chunks that a piece of work opens and closes: one opened by its forward, closed by
/// its input gradient, closed by its weight gradients.
fn touched(work: Work) -> [Option<u8>; 3] {
    match work {
        Work::Forward(chunk) => [Some(chunk.local), None, None],
        Work::Backward(chunk) => [None, Some(chunk.local), Some(chunk.local)],
        Work::BackwardInput(chunk) => [None, Some(chunk.local), None],
        Work::BackwardWeight(chunk) => [None, None, Some(chunk.local)],
        Work::Pair { forward, backward } => [
            Some(forward.local),
            Some(backward.local),
            Some(backward.local),
        ],
    }
}

impl Schedule {
    /// Most live micro-batches of each model chunk of a rank. In a pair, the forward opens
    /// before the backward closes.
    pub fn in_flight(&self, rank: u32) -> Vec<InFlight> {
        let chunks = self.chunks as usize;
        let mut live = vec![InFlight::default(); chunks];
        let mut most = live.clone();
        for &work in &self.order[rank as usize] {
            let [opened, input, weight] = touched(work);
            if let Some(local) = opened {
                let local = usize::from(local);
                live[local].input += 1;
                live[local].weight += 1;
                most[local].input = most[local].input.max(live[local].input);
                most[local].weight = most[local].weight.max(live[local].weight);
            }
            if let Some(local) = input {
                live[usize::from(local)].input -= 1;
            }
            if let Some(local) = weight {
                live[usize::from(local)].weight -= 1;
            }
        }
        most
    }

    /// The most that a rank holds at once when a micro-batch of its chunk `i` holds
    /// `held[i]`, and how many micro-batches of each chunk live at that moment.
    pub fn peak_held(&self, rank: u32, held: &[Held]) -> (f64, Vec<InFlight>) {
        let mut live = vec![InFlight::default(); self.chunks as usize];
        let mut at_peak = live.clone();
        let mut peak = 0.0;
        let total = |live: &[InFlight]| -> f64 {
            let parts = live.iter().zip(held);
            parts
                .map(|(live, held)| {
                    f64::from(live.input) * held.until_input
                        + f64::from(live.weight) * held.until_weight
                })
                .sum()
        };
        for &work in &self.order[rank as usize] {
            let [opened, input, weight] = touched(work);
            if let Some(local) = opened {
                live[usize::from(local)].input += 1;
                live[usize::from(local)].weight += 1;
                let now = total(&live);
                if now > peak {
                    peak = now;
                    at_peak.clone_from(&live);
                }
            }
            if let Some(local) = input {
                live[usize::from(local)].input -= 1;
            }
            if let Some(local) = weight {
                live[usize::from(local)].weight -= 1;
            }
        }
        (peak, at_peak)
    }
}
