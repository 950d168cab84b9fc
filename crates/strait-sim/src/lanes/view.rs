//! What a [`crate::Timing`] sees of ranks that advance together.
//!
//! In: the ranks of a lane set and their groups, borrowed from the engine. Out: plain slices
//! to compute on. Never holds times.

use crate::plan::{GroupPlan, Plan};
use std::any::Any;
use std::ops::Range;

/// The ranks of a lane set: one lane each, all at the same instruction.
#[derive(Clone, Copy, Debug)]
pub struct LaneRanks<'a>(pub(crate) &'a [u32]);

impl<'a> LaneRanks<'a> {
    /// The rank of each lane, ascending.
    pub fn ranks(self) -> &'a [u32] {
        self.0
    }

    /// The same as a range, if no rank is left out between them.
    pub fn range(self) -> Option<Range<usize>> {
        let (first, last) = (*self.0.first()? as usize, *self.0.last()? as usize);
        (last - first + 1 == self.0.len()).then_some(first..last + 1)
    }
}

/// The groups of one kind that a lane set is made of.
#[derive(Clone, Copy, Debug)]
pub struct LaneGroups<'a> {
    plan: &'a [GroupPlan],
    members: &'a [u32],
    lane_of: &'a [u32],
    which: &'a [u32],
}

/// One of these groups.
#[derive(Clone, Copy, Debug)]
pub struct LaneGroup<'a> {
    /// Index within its kind.
    pub index: u32,
    /// Its ranks, ascending.
    pub members: &'a [u32],
    lane_of: &'a [u32],
}

impl<'a> LaneGroups<'a> {
    pub(crate) fn new(plan: &'a Plan<'_>, lane_of: &'a [u32], which: &'a [u32]) -> Self {
        LaneGroups {
            plan: &plan.groups,
            members: &plan.members,
            lane_of,
            which,
        }
    }

    /// The groups, in the order of the durations asked for.
    pub fn iter(self) -> impl Iterator<Item = LaneGroup<'a>> {
        self.which.iter().map(move |&which| {
            let GroupPlan {
                first,
                length,
                index,
                ..
            } = self.plan[which as usize];
            LaneGroup {
                index,
                members: &self.members[first as usize..(first + length) as usize],
                lane_of: self.lane_of,
            }
        })
    }
}

impl<'a> LaneGroup<'a> {
    /// The lane of each member.
    pub fn lanes(self) -> impl ExactSizeIterator<Item = usize> + 'a {
        let lane_of = self.lane_of;
        self.members
            .iter()
            .map(move |m| lane_of[*m as usize] as usize)
    }
}

/// What a [`crate::Timing`] keeps for one lane set between calls: columns of its own making.
/// Results must not depend on it.
#[derive(Debug, Default)]
pub struct Scratch(Option<Box<dyn Any>>);

impl Scratch {
    /// What was kept, or what `make` says if there is nothing of this type yet.
    pub fn get<T: Any>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        if !self.0.as_ref().is_some_and(|kept| kept.is::<T>()) {
            self.0 = None;
        }
        let kept = self.0.get_or_insert_with(|| Box::new(make()));
        kept.downcast_mut()
            .expect("of this type: anything else was dropped above")
    }
}
