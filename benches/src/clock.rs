//! What a piece of work took.
//!
//! In: nothing. Out: CPU seconds of the calling thread, wall seconds where the system does not
//! tell.

use std::sync::OnceLock;
use std::time::Instant;

/// CPU seconds of this thread: the first figure of schedstat(5) is nanoseconds on a CPU.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = (stat.split(' ').next()).and_then(|word| word.parse::<f64>().ok());
    nanos.map_or_else(wall_seconds, |nanos| nanos * 1e-9)
}

fn wall_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}
