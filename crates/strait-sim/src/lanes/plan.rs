//! Which end times of a block are asked for again: each has a column of its own.
//!
//! In: a [`Plan`]. Out: a column number for each instruction somebody waits for, and for
//! each wait. Never holds state.

use crate::plan::Plan;
use crate::program::{MAX_STREAMS, Wait};

/// A wait, and where the end time that it waits for is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub wait: Wait,
    pub column: u32,
}

/// The columns of one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpColumns {
    /// Waits that do not hold from the start, the first places first.
    pub waits: [Option<Awaited>; 2],
    /// Where its own end is kept; [`NOT_KEPT`] if nobody asks.
    pub kept: u32,
}

/// Column 0 of a block is when it opened.
pub(super) const OPENED: u32 = 0;
/// No column: that of the opening is never an instruction's.
pub(super) const NOT_KEPT: u32 = OPENED;

/// The columns of a job's blocks.
#[derive(Debug)]
pub(super) struct Columns {
    /// For each of [`Plan::ops`].
    pub ops: Vec<OpColumns>,
    /// How many columns each of [`Plan::blocks`] needs.
    pub of_block: Vec<u32>,
}

impl Columns {
    pub fn new(plan: &Plan<'_>) -> Columns {
        let mut columns = Columns {
            ops: vec![OpColumns::default(); plan.ops.len()],
            of_block: Vec::with_capacity(plan.blocks.len()),
        };
        for block in &plan.blocks {
            let mut next = OPENED + 1;
            let lists = (0..MAX_STREAMS).map(|s| {
                let first = block.first[s] as usize;
                first..first + usize::from(block.length[s])
            });
            for at in lists.clone().flatten() {
                if plan.ops[at].signals != 0 {
                    columns.ops[at].kept = next;
                    next += 1;
                }
            }
            for at in lists.flatten() {
                let waits = plan.ops[at].instruction.waits;
                let mut waits = waits.into_iter().flatten().filter(|wait| wait.count > 0);
                let mut awaited = || {
                    let wait = waits.next()?;
                    let other = block.first[usize::from(wait.stream)] + u32::from(wait.count) - 1;
                    Some(Awaited {
                        wait,
                        column: columns.ops[other as usize].kept,
                    })
                };
                let both = [awaited(), awaited()];
                columns.ops[at].waits = both;
            }
            columns.of_block.push(next);
        }
        columns
    }
}
