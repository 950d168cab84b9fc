//! What a piece of work took.
//!
//! In: nothing. Out: CPU seconds of the calling thread, and elapsed seconds. Never reaches a
//! result: answers leave both out of their digest.

use std::time::Instant;

/// A running measurement.
pub struct Clock {
    wall: Instant,
}

impl Clock {
    /// Starts.
    pub fn start() -> Clock {
        Clock {
            wall: Instant::now(),
        }
    }

    /// Seconds that have passed.
    pub fn elapsed(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
    }
}

/// CPU seconds of this thread: the first figure of schedstat(5), in nanoseconds (Linux).
/// Where the system does not tell, zero.
pub fn thread() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0.0, |nanos| nanos as f64 * 1e-9)
}
