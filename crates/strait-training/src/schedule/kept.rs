//! Orders of work that a thread had last.
//!
//! In: what an order follows from, and how it is made. Out: the order, made or kept. A case of a sweep asks
//! for those of its steps several times over, and the next case mostly for the same. Never keeps a long one,
//! and never changes one: what is asked for is what making it would give.

use super::Work;
use crate::case::ScheduleKind;
use std::cell::RefCell;
use std::sync::Arc;

/// What an order follows from: its kind; pipeline ranks, virtual stages, micro-batches.
type Numbers = [u32; 3];
type Order = Arc<[Vec<Work>]>;

/// Orders that are kept: some steps of some schedules.
const MOST: usize = 32;
/// Pieces of work over all ranks, of an order that is kept; that of DeepSeek-V3's full batch has some 2,000.
/// Of 20 bytes each, 32 orders are 5 MB at most.
const LONGEST: usize = 1 << 13;

thread_local! {
    static KEPT: RefCell<Vec<(ScheduleKind, Numbers, Order)>> = const { RefCell::new(Vec::new()) };
}

/// The order that `make` makes.
pub(super) fn order(
    kind: ScheduleKind,
    numbers: Numbers,
    make: impl FnOnce(ScheduleKind, Numbers) -> Order,
) -> Order {
    let found = KEPT.with_borrow(|kept| {
        let of = kept.iter().find(|(k, n, _)| (*k, *n) == (kind, numbers));
        of.map(|(_, _, order)| Arc::clone(order))
    });
    if let Some(order) = found {
        return order;
    }
    let order = make(kind, numbers);
    if order.iter().map(Vec::len).sum::<usize>() <= LONGEST {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() == MOST {
                kept.remove(0);
            }
            kept.push((kind, numbers, Arc::clone(&order)));
        });
    }
    order
}

#[cfg(test)]
mod tests {
    use crate::case::ScheduleKind;
    use crate::schedule::{order, schedule};

    /// More of them than are kept, each asked for twice.
    #[test]
    fn an_order_that_is_kept_is_the_one_that_is_made() {
        for _ in 0..2 {
            for micro_batches in 16..80 {
                for kind in [ScheduleKind::OneFOneB, ScheduleKind::ZbH1] {
                    let kept = schedule(kind, 8, 1, micro_batches).expect("it exists");
                    assert_eq!(kept.order, order(kind, [8, 1, micro_batches]));
                }
            }
        }
    }
}
