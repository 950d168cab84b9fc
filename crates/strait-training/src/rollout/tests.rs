//! The integrated rollout against its plain twin, and what holds for every rollout.

use super::batch::{Generation, generate, worst_cache};
use super::engine::Decode;
use super::length::Lengths;
use strait_sim::random::Key;

const PROMPT: f64 = 200.0;

/// The plain twin: every sequence by itself, iteration by iteration, on every instance; the rollout ends
/// with the last of all.
fn twin(
    decode: &Decode,
    lengths: &Lengths,
    samples: usize,
    slots: f64,
    advance: f64,
    seed: u64,
) -> (f64, f64) {
    let instances = decode.instances as usize;
    let places = (slots * decode.groups) as usize;
    let key = Key::new(seed).purpose("lengths");
    let (mut last, mut tokens) = (0.0_f64, 0.0);
    for instance in 0..instances {
        let mut waiting: Vec<f64> = (0..samples / instances)
            .map(|index| {
                let key = key.entity((instance * samples + index) as u64);
                lengths.quantile(key.uniform())
            })
            .collect();
        let mut at_work: Vec<(f64, f64)> = Vec::new();
        let mut seconds = 0.0;
        loop {
            while at_work.len() < places
                && let Some(length) = waiting.pop()
            {
                at_work.push((length, 0.0));
            }
            if at_work.is_empty() {
                break;
            }
            let context: f64 = at_work.iter().map(|(_, done)| PROMPT + done).sum();
            let sequences = at_work.len() as f64;
            seconds += decode.iteration(sequences / decode.groups, context / decode.groups);
            for (length, done) in &mut at_work {
                let next = (*done + advance).min(*length);
                tokens += next - *done;
                *done = next;
            }
            at_work.retain(|(length, done)| done < length);
        }
        last = last.max(seconds);
    }
    (last, tokens)
}

fn mean_twin(decode: &Decode, lengths: &Lengths, samples: usize, slots: f64, advance: f64) -> f64 {
    const SEEDS: u64 = 8;
    let all = (0..SEEDS).map(|seed| twin(decode, lengths, samples, slots, advance, seed).0);
    all.sum::<f64>() / SEEDS as f64
}

#[test]
fn the_integrated_rollout_agrees_with_the_plain_twin() {
    // Floor-bound, cache-bound; one wave, several; with and without drafts; wide and narrow.
    let floor = (0.02, 1e-5, 1e-9);
    let cache = (0.002, 1e-4, 1e-6);
    for (rates, spread, samples, slots, advance) in [
        (floor, 1.0, 512, 64.0, 1.0),
        (floor, 1.0, 512, 64.0, 1.8),
        (cache, 0.6, 512, 64.0, 1.0),
        (floor, 0.8, 2048, 16.0, 1.0),
        (cache, 1.2, 2048, 16.0, 1.0),
        (cache, 0.3, 1024, 8.0, 1.0),
    ] {
        let decode = Decode::linear(rates, (4.0, 2.0), 1e12);
        let lengths = Lengths::new(500.0, spread, 3000.0);
        let fast = generate(&decode, &lengths, PROMPT, samples as f64, slots, advance);
        let plain = mean_twin(&decode, &lengths, samples, slots, advance);
        let off = fast.seconds / plain - 1.0;
        assert!(
            off.abs() < 0.03,
            "{rates:?} {spread} {samples} {slots} {advance}: {} against {plain}, {off}",
            fast.seconds
        );
    }
}

fn rollout(decode: &Decode, mean: f64, spread: f64, samples: f64, slots: f64) -> Generation {
    let lengths = Lengths::new(mean, spread, 8192.0);
    generate(decode, &lengths, PROMPT, samples, slots, 1.0)
}

#[test]
fn as_many_tokens_are_generated_as_are_asked_for() {
    let decode = Decode::linear((0.01, 1e-4, 1e-7), (8.0, 4.0), 1e12);
    for spread in [0.0, 0.3, 1.0, 2.5] {
        for (samples, slots) in [(64.0, 32.0), (4096.0, 16.0), (100_000.0, 16.0)] {
            let found = rollout(&decode, 900.0, spread, samples, slots);
            let asked = samples * 900.0;
            let off = found.tokens / asked - 1.0;
            assert!(off.abs() < 1e-6, "{spread} {samples} {slots}: {off}");
            assert!(found.tail <= found.seconds);
        }
    }
}

#[test]
fn equal_lengths_have_no_tail_and_take_whole_waves() {
    let decode = Decode::linear((0.01, 0.0, 0.0), (4.0, 2.0), 1e12);
    for waves in [1.0, 2.0, 5.0] {
        let found = rollout(&decode, 800.0, 0.0, waves * 8.0 * 16.0, 16.0);
        assert_eq!(found.tail, 0.0);
        let exact = waves * 800.0 * 0.01;
        let off = found.seconds / exact - 1.0;
        assert!(off.abs() < 1e-9, "{waves}: {} {exact}", found.seconds);
    }
}

#[test]
fn more_work_takes_longer_and_a_longer_tail_costs_most() {
    let decode = Decode::linear((0.01, 1e-4, 1e-7), (4.0, 2.0), 1e12);
    let seconds = |mean, spread, samples| rollout(&decode, mean, spread, samples, 32.0).seconds;
    assert!(seconds(1000.0, 1.0, 256.0) < seconds(1500.0, 1.0, 256.0));
    assert!(seconds(1000.0, 1.0, 256.0) < seconds(1000.0, 1.0, 512.0));
    assert!(seconds(1000.0, 1.0, 512.0) < seconds(1000.0, 1.0, 4096.0));
    // The same tokens: what differs is that the last one is waited for.
    let (even, spread) = (seconds(1000.0, 0.0, 256.0), seconds(1000.0, 1.0, 256.0));
    assert!(spread > 4.0 * even, "{spread} {even}");
}

#[test]
fn the_worst_moment_of_the_cache_is_that_of_a_scan() {
    let decode = Decode::linear((0.01, 0.0, 0.0), (1.0, 1.0), 1e12);
    // All of one length: everything at the end.
    let equal = Lengths::new(1000.0, 0.0, 8192.0);
    assert!((worst_cache(&decode, &equal, PROMPT) / 1200.0 - 1.0).abs() < 1e-6);
    // Spread: less than the longest, more than the question.
    let spread = Lengths::new(1000.0, 1.0, 8192.0);
    let worst = worst_cache(&decode, &spread, PROMPT);
    let scan = (0..8192)
        .map(|t| spread.longer(f64::from(t)) * (PROMPT + f64::from(t)))
        .fold(0.0, f64::max);
    let long_run = PROMPT + spread.mean_square() / 2000.0;
    assert!(
        (worst / scan.max(long_run) - 1.0).abs() < 0.02,
        "{worst} {scan} {long_run}"
    );
}
