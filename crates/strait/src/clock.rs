//! What a piece of work took.
//!
//! In: nothing. Out: CPU and elapsed seconds of the calling thread. Never reaches a
//! result: answers leave both out of their digest.

use std::time::Instant;
use strait_study::answer::Effort;

/// A running measurement.
pub struct Clock {
    wall: Instant,
    cpu: Option<f64>,
}

impl Clock {
    /// Starts on this thread.
    pub fn start() -> Clock {
        Clock {
            wall: Instant::now(),
            cpu: thread_seconds(),
        }
    }

    /// What has passed since, on the same thread. Where the system does not tell CPU time,
    /// the elapsed time stands in for it.
    pub fn read(&self) -> Effort {
        let wall_s = self.wall.elapsed().as_secs_f64();
        let cpu_s = match (self.cpu, thread_seconds()) {
            (Some(start), Some(now)) => now - start,
            _ => wall_s,
        };
        Effort { cpu_s, wall_s }
    }
}

/// CPU time of this thread: the first figure of schedstat(5), in nanoseconds (Linux).
fn thread_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 * 1e-9)
}
