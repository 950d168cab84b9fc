//! Event queues: what happens next.
//!
//! In: times and small payloads. Out: the earliest entry, first in first out among
//! equals. Never looks at what the payload means.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use strait_units::Time;

pub use crate::wheel::WheelQueue;

/// What an event is about; meaning is the caller's.
pub type Payload = u32;

/// A priority queue that is total by construction: time first, then order of insertion.
///
/// Monotone: nothing may be pushed earlier than the last time popped.
pub trait EventQueue: Default {
    /// Adds an entry.
    fn push(&mut self, time: Time, payload: Payload);
    /// Takes the earliest entry; among equal times the one pushed first.
    fn pop(&mut self) -> Option<(Time, Payload)>;
    /// The time of the earliest entry.
    fn next_time(&mut self) -> Option<Time>;
    /// Makes room, so that the loop does not allocate. A hint.
    fn reserve(&mut self, _entries: usize) {}
}

/// The plain queue: the standard binary heap with a sequence number for ties.
#[derive(Debug, Default)]
pub struct HeapQueue {
    heap: BinaryHeap<Reverse<(u64, u64, Payload)>>,
    pushed: u64,
}

impl EventQueue for HeapQueue {
    #[inline]
    fn push(&mut self, time: Time, payload: Payload) {
        self.heap
            .push(Reverse((time.picos(), self.pushed, payload)));
        self.pushed += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, Payload)> {
        let Reverse((time, _, payload)) = self.heap.pop()?;
        Some((Time::from_picos(time), payload))
    }

    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        let Reverse((time, _, _)) = self.heap.peek()?;
        Some(Time::from_picos(*time))
    }

    fn reserve(&mut self, entries: usize) {
        self.heap.reserve(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_leave_in_the_order_they_came() {
        let mut queue = HeapQueue::default();
        for (time, payload) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4), (5, 5)] {
            queue.push(Time::from_picos(time), payload);
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop()).map(|e| e.1).collect();
        assert_eq!(order, [1, 3, 4, 0, 2, 5]);
    }
}
