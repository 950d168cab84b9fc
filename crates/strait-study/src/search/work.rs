//! Work shared among threads, with answers in the order of the questions.
//!
//! In: a number of jobs and what to do for each. Out: the answers in the order of the jobs, whatever
//! thread had them. Never decides what is worth doing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use strait_training::simulate::SimulateError;

/// Stack of a thread that simulates.
const STACK: usize = 16 << 20;

/// Threads, and the flag that stops them.
#[derive(Clone, Copy, Debug)]
pub struct Workers<'a> {
    /// Threads; never changes an answer.
    pub threads: usize,
    /// Set from outside to stop at the next opportunity.
    pub cancel: &'a AtomicBool,
}

impl Workers<'_> {
    /// Does `job` for all numbers below `count`.
    ///
    /// # Errors
    /// [`SimulateError::Cancelled`] once the flag is set.
    pub fn each<T: Send>(
        self,
        count: usize,
        job: impl Fn(usize) -> T + Sync,
    ) -> Result<Vec<T>, SimulateError> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
        let work = || {
            let mut mine = Vec::new();
            while !self.stopped() {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    break;
                }
                mine.push((at, job(at)));
            }
            if let Ok(mut done) = done.lock() {
                done.append(&mut mine);
            }
        };
        std::thread::scope(|scope| {
            // Threads that can't be had are done without: this one does all that is left.
            for _ in 1..self.threads.clamp(1, count.max(1)) {
                let _ = (std::thread::Builder::new().stack_size(STACK)).spawn_scoped(scope, work);
            }
            work();
        });
        let mut done = done.into_inner().map_err(|_| SimulateError::Cancelled)?;
        if self.stopped() || done.len() != count {
            return Err(SimulateError::Cancelled);
        }
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Somebody asked to stop.
    pub fn stopped(self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
