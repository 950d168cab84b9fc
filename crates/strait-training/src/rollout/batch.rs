//! A rollout of one instance and of all: sequences that decode together until the last is done.
//!
//! In: the time of an iteration, the lengths of responses, how many sequences there are and how many
//! fit. Out: how long it takes, and how much of it is the tail. Never simulates single sequences: it
//! integrates over the distribution of lengths in expectation; the plain twin in the tests goes token by
//! token.
//!
//! Sequences are admitted as slots become free (continuous batching). Time is cut into equal pieces of
//! length; of the sequences that were admitted in one piece, the share that is still at work in a later
//! piece is in closed form, so that tokens are conserved exactly. As long as any sequence is at work
//! anywhere the iteration takes its time; that chance, and not the mean number at work, is what the
//! tail is made of.

use super::engine::Decode;
use super::length::Lengths;

/// Pieces of the longest response, and of the mean one: the finer of the two cuts holds, up to a most.
const PIECES: f64 = 128.0;
const PIECES_OF_MEAN: f64 = 24.0;
const MOST_PIECES: f64 = 1024.0;

/// Fillings of all slots after which the mix of progress is as in the long run.
const FILLINGS: f64 = 6.0;

/// Below this share of the sequences that start together the rollout is in its tail.
pub(super) const TAIL: f64 = 0.1;

/// How one rollout goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Generation {
    /// Seconds until the last response is done.
    pub seconds: f64,
    /// Of them, those in which fewer than a tenth of the first batch are at work.
    pub tail: f64,
    /// Tokens generated, all instances together.
    pub tokens: f64,
    /// Sequences that a group works on at a time.
    pub slots: f64,
}

/// Bytes of cache of a sequence when all together take most: at some moment after all have started
/// at once, or in the long run.
pub(super) fn worst_cache(decode: &Decode, lengths: &Lengths, prompt: f64) -> f64 {
    const MOMENTS: u32 = 64;
    let at_once = (0..=MOMENTS)
        .map(|index| {
            let done = lengths.maximum() * f64::from(index) / f64::from(MOMENTS);
            // The last moment of the longest counts in full where all are of one length.
            let left = lengths.longer(done * (1.0 - 1e-9));
            left * decode.cache_of(prompt + done)
        })
        .fold(0.0, f64::max);
    let progress = lengths.mean_square() / (2.0 * lengths.mean());
    at_once.max(decode.cache_of(prompt + progress))
}

/// One rollout of `samples` sequences over all instances, `slots` of them at a time in each group,
/// each iteration adding `advance` tokens to every sequence.
pub(super) fn generate(
    decode: &Decode,
    lengths: &Lengths,
    prompt: f64,
    samples: f64,
    slots: f64,
    advance: f64,
) -> Generation {
    let of_instance = samples / decode.instances;
    let places = slots * decode.groups;
    let first = of_instance.min(places);
    // What more than a few fillings would add goes at the rate of the long run.
    let stepped = of_instance.min(FILLINGS * places);
    let piece = (lengths.maximum() / PIECES)
        .min(lengths.mean() / PIECES_OF_MEAN)
        .max(lengths.maximum() / MOST_PIECES);
    // The longest response is whole pieces.
    let pieces = (lengths.maximum() / piece).ceil().max(1.0);
    let piece = lengths.maximum() / pieces;
    let shares = Shares::new(lengths, piece, pieces as usize);

    let mut admitted: Vec<f64> = vec![first];
    let mut waiting = stepped - first;
    let mut result = Generation {
        slots: slots.min(of_instance / decode.groups),
        ..Generation::default()
    };
    let count = shares.at_work.len();
    let mut at = 0;
    while at < admitted.len() + count - 1 {
        if at > 0 {
            // Those that were done free their places.
            let free: f64 = recent(&admitted, at, shares.freed.len())
                .map(|(a, age)| a * shares.freed[age])
                .sum();
            let next = free.min(waiting);
            if next > 0.0 {
                admitted.push(next);
                waiting -= next;
            } else if waiting > 0.0 {
                admitted.push(0.0);
            }
        }
        let (mut work, mut context, mut none) = (0.0, 0.0, 0.0);
        for (a, age) in recent(&admitted, at, count) {
            if a > 0.0 {
                let part = a * shares.at_work[age];
                work += part;
                context += part * (prompt + (age as f64 + 0.5) * piece);
                none += a * shares.log_done[age];
            }
        }
        if work > 0.0 {
            // The chance that an instance has any sequence left, and that any has.
            let here = 1.0 - libm::exp(none);
            let anywhere = 1.0 - libm::exp(none * decode.instances);
            let scale = 1.0 / (here.max(1e-300) * decode.groups);
            let iteration = decode.iteration(work * scale, context * scale);
            let seconds = anywhere * piece / advance * iteration;
            result.seconds += seconds;
            if work < TAIL * first {
                result.tail += seconds;
            }
            result.tokens += work * piece * decode.instances;
        }
        at += 1;
    }
    let rest = of_instance - stepped;
    if rest > 0.0 {
        let progress = lengths.mean_square() / (2.0 * lengths.mean());
        let iteration = decode.iteration(slots, slots * (prompt + progress));
        let tokens = rest * lengths.mean();
        result.seconds += tokens / places / advance * iteration;
        result.tokens += tokens * decode.instances;
    }
    result
}

/// What was admitted so recently that it may still matter, with its age in pieces.
fn recent(admitted: &[f64], at: usize, ages: usize) -> impl Iterator<Item = (f64, usize)> {
    let oldest = (at + 1).saturating_sub(ages);
    let newest = (at + 1).min(admitted.len());
    (oldest..newest.max(oldest)).map(move |index| (admitted[index], at - index))
}

/// Shares of the sequences admitted together, by age in pieces.
struct Shares {
    /// Mean share at work during the piece.
    at_work: Vec<f64>,
    /// Share whose places are free at the start of the piece.
    freed: Vec<f64>,
    /// Logarithm of the share that is done by the middle of the piece.
    log_done: Vec<f64>,
}

impl Shares {
    fn new(lengths: &Lengths, piece: f64, pieces: usize) -> Shares {
        let edge = |index: usize| {
            if index >= pieces {
                lengths.maximum()
            } else {
                index as f64 * piece
            }
        };
        let mut at_work = Vec::with_capacity(pieces);
        let mut log_done = Vec::with_capacity(pieces);
        let mut ended: Vec<f64> = Vec::with_capacity(pieces);
        for index in 0..pieces {
            let (low, high) = (edge(index), edge(index + 1));
            at_work.push((lengths.limited_mean(high) - lengths.limited_mean(low)) / (high - low));
            let left = lengths.longer((low + high) / 2.0);
            log_done.push(libm::log1p(-left));
            // Those that reach the maximum end with it, at the very end of the last piece.
            let at_end = if index + 1 == pieces {
                lengths.longer(high * (1.0 - 1e-12))
            } else {
                lengths.longer(high)
            };
            ended.push((lengths.longer(low) - at_end).max(0.0));
        }
        let cut = lengths.longer(lengths.maximum() * (1.0 - 1e-12));
        // A sequence ends in the middle of a piece, on average: half of the places are free with this
        // piece, half with the next.
        let mut freed = vec![0.0; pieces + 1];
        for (index, share) in ended.iter().enumerate() {
            let now = if index == 0 { 0.0 } else { share / 2.0 };
            freed[index] += now;
            freed[index + 1] += share - now;
        }
        freed[pieces] += cut;
        Shares {
            at_work,
            freed,
            log_done,
        }
    }
}
