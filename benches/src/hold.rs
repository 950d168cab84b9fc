//! The hold model of an event queue: what machines are compared by.
//!
//! In: a queue. Out: when its last event was. Never looks at a clock.

use strait_sim::queue::EventQueue;
use strait_sim::random::Key;
use strait_units::Time;

/// How far ahead an event is put at most: 100 us.
const SPREAD: u64 = 100_000_000;

/// A queue of `pending` events.
pub fn filled<Q: EventQueue>(pending: u32) -> Q {
    let key = Key::new(1);
    let mut queue = Q::default();
    for event in 0..pending {
        let time = Time::from_picos(key.at(u64::from(event)).word() % SPREAD);
        queue.push(time, event);
    }
    queue
}

/// Takes the earliest event and puts it back up to 100 us later, `turns` times; the time of the
/// last one taken.
pub fn hold<Q: EventQueue>(queue: &mut Q, turns: u64) -> Time {
    let key = Key::new(1);
    let mut now = Time::ZERO;
    for turn in 0..turns {
        let Some((time, payload)) = queue.pop() else {
            break;
        };
        now = time;
        let ahead = Time::from_picos(key.at(turn).word() % SPREAD);
        queue.push(now.saturating_add(ahead), payload);
    }
    now
}
