//! How traces and statistics watch a run without a cost to those who do not.
//!
//! In: calls from the engine. Out: whatever the implementation collects. Never
//! changes what happens.

use crate::Instruction;
use strait_units::Time;

/// One block that a rank has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSpan {
    /// The rank.
    pub rank: u32,
    /// Index of the slot in the rank's program.
    pub slot_index: u32,
    /// The window account of the block.
    pub window: u8,
    /// The keys of the slot.
    pub keys: [u32; 2],
    /// When it opened.
    pub open: Time,
    /// When its foreground streams were done.
    pub close: Time,
}

/// One instruction that a rank has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionSpan<'a> {
    /// The rank.
    pub rank: u32,
    /// The stream.
    pub stream: u8,
    /// Index of the slot in the rank's program.
    pub slot_index: u32,
    /// Index of the instruction in the stream's list of this block.
    pub index: u16,
    /// The instruction.
    pub instruction: &'a Instruction,
    /// When it began to occupy its stream (for a collective: when all members had arrived).
    pub start: Time,
    /// When it was done.
    pub end: Time,
}

/// Watches a run. Each rank's blocks come in order, and so do the instructions of each
/// of its streams; between ranks and streams the order of calls is the engine's own.
pub trait Observer {
    /// Whether [`Observer::instruction`] is called at all.
    const WANTS_INSTRUCTIONS: bool = false;

    /// All that was told so far is void: the run begins anew, on another engine.
    #[inline]
    fn restart(&mut self) {}

    /// A block has closed.
    #[inline]
    fn block(&mut self, _span: BlockSpan) {}

    /// An instruction has a start and an end (the end may lie ahead of the clock).
    #[inline]
    fn instruction(&mut self, _span: InstructionSpan<'_>) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
