//! The fast event queue: a monotone wheel over the base-64 digits of time.
//!
//! In: entries no earlier than the last one taken. Out: the same order as
//! [`HeapQueue`](crate::queue::HeapQueue), without sequence numbers. Never needs to be
//! told how far apart events are.
//!
//! An entry is kept at the *level* of the highest digit in which its time differs from
//! `base`, in the slot of that digit. So lower levels and lower slots hold earlier times,
//! and equal times always share a slot, in order of arrival. To serve, the lowest slot is
//! opened: a small one is sorted into the *open run*; a large one is spread over the levels
//! below. Entries earlier than the end of the open run are inserted into it.

use crate::queue::{EventQueue, Payload};
use strait_units::Time;

/// Bits of a digit; an occupancy word has a bit per digit.
const DIGIT: u32 = 6;
const DIGITS: usize = 1 << DIGIT;
/// Digits of a 64-bit time.
const LEVELS: usize = 11;
/// Largest slot that is sorted rather than spread.
const SORT: usize = 48;
/// Length of the open run at which its later half goes back to the wheel: insertion into
/// it moves what comes after.
const LONG: usize = 96;

type Entry = (u64, Payload);

/// A 64-way digit wheel.
#[derive(Debug)]
pub struct WheelQueue {
    /// The open run, sorted, and how much of it has been served.
    run: Vec<Entry>,
    served: usize,
    /// Last instant that belongs to the open run.
    run_end: u64,
    /// Levels refer to this time; no entry of the wheel is earlier.
    base: u64,
    /// Slots in use at each level.
    occupied: [u64; LEVELS],
    /// Levels in use.
    levels: u32,
    slots: Vec<Vec<Entry>>,
    /// An empty vector to swap with a slot, so that capacity is never given up.
    spare: Vec<Entry>,
    /// The last time served: pushes must not be earlier.
    now: u64,
}

impl Default for WheelQueue {
    fn default() -> Self {
        WheelQueue {
            run: Vec::with_capacity(2 * LONG),
            served: 0,
            run_end: 0,
            base: 0,
            occupied: [0; LEVELS],
            levels: 0,
            slots: (0..LEVELS * DIGITS).map(|_| Vec::new()).collect(),
            spare: Vec::new(),
            now: 0,
        }
    }
}

impl WheelQueue {
    /// Puts an entry into the wheel. It must be later than the open run's end, or part of
    /// a slot that is being opened.
    #[inline]
    fn place(&mut self, entry: Entry) {
        let differs = (entry.0 ^ self.base) | 1;
        let level = ((u64::BITS - 1 - differs.leading_zeros()) / DIGIT) as usize;
        let digit = (entry.0 >> (DIGIT * level as u32)) as usize % DIGITS;
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
        self.slots[level * DIGITS + digit].push(entry);
    }

    /// Refills the open run from the wheel's first slot; says no if the wheel is empty.
    fn refill(&mut self) -> bool {
        self.run.clear();
        self.served = 0;
        loop {
            if self.levels == 0 {
                return false;
            }
            let level = self.levels.trailing_zeros() as usize;
            let digit = self.occupied[level].trailing_zeros() as usize;
            self.occupied[level] &= self.occupied[level] - 1;
            if self.occupied[level] == 0 {
                self.levels &= !(1 << level);
            }
            let slot = level * DIGITS + digit;
            // The slot covers all times with its digit here and the base's digits above.
            let shift = DIGIT * level as u32;
            let span = (1u64 << shift) - 1;
            let above = self.base.checked_shr(shift + DIGIT).unwrap_or(0);
            let above = above.checked_shl(shift + DIGIT).unwrap_or(0);
            self.base = above | (digit as u64) << shift;
            let first = self.slots[slot][0].0;
            if self.slots[slot].len() <= SORT {
                std::mem::swap(&mut self.run, &mut self.slots[slot]);
                if level > 0 {
                    sort(&mut self.run);
                }
                self.run_end = self.base | span;
                return true;
            }
            if self.slots[slot].iter().all(|entry| entry.0 == first) {
                std::mem::swap(&mut self.run, &mut self.slots[slot]);
                self.run_end = first;
                return true;
            }
            let mut entries = std::mem::take(&mut self.spare);
            std::mem::swap(&mut entries, &mut self.slots[slot]);
            for entry in entries.drain(..) {
                self.place(entry);
            }
            self.spare = entries;
        }
    }

    /// Puts an entry into the open run, after its equals.
    #[inline]
    fn insert(&mut self, entry: Entry) {
        let pending = &self.run[self.served..];
        let later = pending.iter().rev().take_while(|e| e.0 > entry.0).count();
        let at = self.run.len() - later;
        self.run.insert(at, entry);
        if self.run.len() - self.served > LONG {
            self.cut();
        }
    }

    /// Sends the later half of a long run back to the wheel, unless it is a single instant.
    #[cold]
    fn cut(&mut self) {
        let pending = &self.run[self.served..];
        let middle = pending[pending.len() / 2].0;
        let mut at = pending.partition_point(|entry| entry.0 < middle);
        if at == 0 {
            at = pending.partition_point(|entry| entry.0 <= middle);
        }
        // What was pushed before an opened slot is earlier than the base: it has to stay.
        let base = self.base;
        let at = self.served + at.max(pending.partition_point(|entry| entry.0 < base));
        if at == self.run.len() {
            return;
        }
        self.run_end = self.run[at].0 - 1;
        for i in at..self.run.len() {
            self.place(self.run[i]);
        }
        self.run.truncate(at);
    }
}

/// Stable, by time; short runs are nearly sorted or tiny.
#[inline]
fn sort(entries: &mut [Entry]) {
    for i in 1..entries.len() {
        let entry = entries[i];
        let mut at = i;
        while at > 0 && entries[at - 1].0 > entry.0 {
            entries[at] = entries[at - 1];
            at -= 1;
        }
        entries[at] = entry;
    }
}

impl EventQueue for WheelQueue {
    #[inline]
    fn push(&mut self, time: Time, payload: Payload) {
        let time = time.picos();
        debug_assert!(time >= self.now, "{time} is before {}", self.now);
        if time <= self.run_end {
            self.insert((time, payload));
        } else {
            self.place((time, payload));
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, Payload)> {
        if self.served == self.run.len() && !self.refill() {
            return None;
        }
        let (time, payload) = self.run[self.served];
        self.served += 1;
        self.now = time;
        Some((Time::from_picos(time), payload))
    }

    /// Opens the first slot; what is pushed before it later goes into the open run.
    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        if self.served == self.run.len() && !self.refill() {
            return None;
        }
        Some(Time::from_picos(self.run[self.served].0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::HeapQueue;
    use crate::random::Key;
    use proptest::prelude::*;

    /// Steps ahead of the clock, of all orders of magnitude and with many ties.
    fn step() -> impl Strategy<Value = u64> {
        prop_oneof![
            3 => Just(0u64),
            3 => 0..4u64,
            2 => (0..8u64).prop_map(|k| k * 1_000_000),
            2 => 0..200_000_000u64,
            1 => (0..50u32).prop_map(|bits| 1u64 << bits),
        ]
    }

    fn same_order(pushes: &[(u64, u8)]) {
        let (mut heap, mut wheel) = (HeapQueue::default(), WheelQueue::default());
        let mut now = 0u64;
        for (id, &(ahead, pops)) in pushes.iter().enumerate() {
            let time = Time::from_picos(now.saturating_add(ahead));
            heap.push(time, id as u32);
            wheel.push(time, id as u32);
            if id % 3 == 0 {
                assert_eq!(heap.next_time(), wheel.next_time());
            }
            for _ in 0..pops {
                let next = heap.pop();
                assert_eq!(next, wheel.pop());
                now = next.map_or(now, |(time, _)| time.picos());
            }
        }
        loop {
            let next = heap.pop();
            assert_eq!(next, wheel.pop());
            if next.is_none() {
                return;
            }
        }
    }

    proptest! {
        #[test]
        fn wheel_is_the_heap(
            pushes in prop::collection::vec((step(), prop_oneof![3 => Just(0u8), 3 => Just(1), 1 => 0..5u8]), 0..600),
        ) {
            same_order(&pushes);
        }

        #[test]
        fn wheel_is_the_heap_when_one_slot_overflows(
            pushes in prop::collection::vec((0..40u64, prop_oneof![5 => Just(0u8), 4 => Just(1), 1 => 0..4u8]), 0..1500),
        ) {
            same_order(&pushes);
        }
    }

    #[test]
    fn wheel_reaches_the_end_of_time() {
        same_order(&[
            (u64::MAX, 0),
            (u64::MAX, 0),
            (5, 1),
            (u64::MAX - 5, 2),
            (0, 9),
        ]);
        let far: Vec<_> = (0..200).map(|i| (u64::MAX - i % 3, 0)).collect();
        same_order(&far);
    }

    #[test]
    fn wheel_is_the_heap_in_a_hold_model() {
        for (pending, spread) in [(10, 50_000_000), (5000, 50_000_000), (5000, 100), (3000, 1)] {
            let key = Key::new(1);
            let mut pushes: Vec<_> = (0..pending)
                .map(|i| (key.at(i).word() % spread, 0))
                .collect();
            pushes.extend((0..20_000).map(|i| (key.at(i).word() % spread, 1)));
            same_order(&pushes);
        }
    }
}
