//! Many small tasks on a few threads.
//!
//! In: a number of tasks. Out: their results in the order of the tasks, whatever thread had them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tasks taken at a time.
const SHARE: usize = 32;

/// Results of tasks 0 to `count`, in order; `None` at and after the first that was not done
/// because `stop` said so.
pub(crate) fn map<T: Send>(
    count: usize,
    threads: usize,
    share: usize,
    stop: &(dyn Fn() -> bool + Sync),
    task: &(dyn Fn(usize) -> T + Sync),
) -> Option<Vec<T>> {
    let share = share.clamp(1, SHARE);
    let shares = count.div_ceil(share);
    let slots: Vec<Mutex<Vec<T>>> = (0..shares).map(|_| Mutex::new(Vec::new())).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= shares || stop() {
                break;
            }
            let tasks = at * share..((at + 1) * share).min(count);
            let done: Vec<T> = tasks.map(task).collect();
            if let Ok(mut slot) = slots[at].lock() {
                *slot = done;
            }
        }
    };
    std::thread::scope(|scope| {
        // Threads that cannot be had are done without: this one does all that is left.
        for _ in 1..threads.clamp(1, shares.max(1)) {
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut all = Vec::with_capacity(count);
    for slot in slots {
        all.extend(slot.into_inner().ok()?);
    }
    (all.len() == count).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let found = map(1001, threads, 32, &|| false, &|i| i * i);
            assert_eq!(found, Some((0..1001).map(|i| i * i).collect()));
        }
        assert_eq!(map(10, 2, 1, &|| true, &|i| i), None);
        assert_eq!(map(0, 2, 1, &|| true, &|i| i), Some(Vec::new()));
    }
}
