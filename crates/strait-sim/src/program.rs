//! What a rank runs: blocks of instructions on streams, and the order of blocks.
//!
//! In: nothing but numbers; the layer above decides what they mean. Out: compact
//! programs shared by all ranks that do the same work, so that memory does not
//! grow with ranks, micro-batches or layers. Never holds state of a run.
//!
//! # Semantics
//! A rank runs the *slots* of its program in order; each slot names a [`Block`].
//! - A block *opens* when the previous block of the rank has closed and the
//!   channels in [`Slot::entry`] hold the messages it needs (the first opens at 0).
//! - Its foreground streams (index < [`Program::foreground`]) then run their
//!   instruction lists concurrently, each in order. The block *closes* when all
//!   foreground lists are done.
//! - Background streams run the same blocks' lists in slot order, but may lag
//!   behind: a closed block does not wait for them, unless the next block has
//!   [`Block::drains`] set, which opens only when the background streams have
//!   finished all earlier slots. A background list may start when its block opens.
//! - An instruction starts when it heads its stream and its waits hold: each wait
//!   names another stream of the same block and how many of its instructions must
//!   be done (waits on an already closed block hold). A wait on a background stream
//!   holds when that stream has got there, however far it lags.
//! - The n-th collective of a group kind on one member meets the n-th on each other
//!   member. A rank's collectives of one kind are all on one stream, and on the same
//!   stream for all members of a group ([`Job::check`] sees to it).
//! - Messages of a channel are counted, not matched: the n-th to arrive is the n-th.
//!   Feed a channel from one stream of one rank, and arrivals come in order of sending.

use crate::sharing::Shared;
use strait_units::Time;

/// Most streams a rank may have.
pub const MAX_STREAMS: usize = 4;
/// Most group kinds (tensor, expert, data, …) a rank may belong to.
pub const MAX_GROUP_KINDS: usize = 8;
/// Most accounts that busy and idle time can be booked to.
pub const MAX_ACCOUNTS: usize = 24;
/// Most kinds of window (block kinds) that open time can be booked to.
pub const MAX_WINDOWS: usize = 8;

/// A wait on another stream of the same block: `count` of its instructions done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The stream waited for.
    pub stream: u8,
    /// How many of its instructions in this block must have completed.
    pub count: u16,
}

/// What an instruction does when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Occupies its stream for a time of its own.
    Local,
    /// Waits until all members of the rank's group of this kind have arrived at the
    /// same instruction, then occupies all their streams for one common time.
    Collective {
        /// Index of the group kind; the rank's group is in [`RankSpec::groups`].
        group: u8,
    },
    /// Occupies its stream for the transfer time, then adds one message to a channel of a peer.
    Send {
        /// Index into [`RankSpec::peers`].
        peer: u8,
    },
}

/// One instruction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub kind: Kind,
    /// Base duration; what it takes on a rank in a slot is up to [`crate::Timing`].
    pub base: Time,
    /// Up to two conditions for its start.
    pub waits: [Option<Wait>; 2],
    /// The account that its duration is booked to, if its stream is stream 0.
    pub busy: u8,
    /// The account that idle time of stream 0 before it is booked to (what it waited for).
    pub idle: u8,
    /// What the duration depends on, beside the base; meaning is the caller's (0: nothing).
    pub load: u16,
    /// Which name it has in traces; meaning is the caller's.
    pub label: u16,
}

/// The work of one slot: an instruction list for each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The account of windows (forward, backward, pair, …) that its open time is booked to.
    pub window: u8,
    /// Instruction lists, at most [`MAX_STREAMS`]; missing streams are empty.
    pub streams: Vec<Vec<Instruction>>,
    /// Opens only when background streams have finished all earlier slots.
    pub drains: bool,
}

/// A channel must have delivered this many messages before a slot opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryWait {
    /// Index of the receiving rank's channel.
    pub channel: u8,
    /// Messages that must have arrived since the start of the run.
    pub count: u32,
}

/// One place in a program's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Index into [`Program::blocks`].
    pub block: u32,
    /// Keys of the work done here (for example the micro-batches forward and backward);
    /// handed to [`crate::Timing`], otherwise unused.
    pub keys: [u32; 2],
    /// Messages needed before it opens.
    pub entry: [Option<EntryWait>; 2],
}

/// What all ranks of one kind run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The blocks that slots refer to. Programs that run the same work share them.
    pub blocks: Vec<Shared<Block>>,
    /// The order in which the rank runs them.
    pub slots: Vec<Slot>,
    /// How many leading streams are foreground streams.
    pub foreground: u8,
    /// Number of channels on which this rank receives.
    pub channels: u8,
}

/// Where a send goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The receiving rank.
    pub rank: u32,
    /// The receiving channel there.
    pub channel: u8,
}

/// One rank: which program it runs, and with whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankSpec {
    /// Index into [`Job::programs`].
    pub program: u32,
    /// Group index for each group kind, below the number of ranks; kinds are numbered apart.
    /// `u32::MAX` where it has none.
    pub groups: [u32; MAX_GROUP_KINDS],
    /// Targets of its sends.
    pub peers: Vec<Peer>,
}

/// Everything the engine runs: programs, and ranks that run them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The distinct programs.
    pub programs: Vec<Program>,
    /// The ranks, by number; jobs that differ in programs alone share them.
    pub ranks: Shared<Vec<RankSpec>>,
}
