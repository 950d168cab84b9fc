//! The event engine: rank programs on streams, rendezvous, keyed randomness.
//!
//! In: a [`Job`] (programs and ranks) and a [`Timing`] (what each instruction takes).
//! Out: per-rank accounts of busy, idle and window time. Never knows a GPU or a model.

mod check;
mod engine;
pub mod net;
mod observer;
mod plan;
pub mod program;
pub mod queue;
pub mod random;
mod stuck;
mod timing;
mod wheel;
pub mod world;

pub use check::{JobError, Place};
pub use engine::{Engine, EngineError, Mode, Run, Watch};
pub use observer::{BlockSpan, InstructionSpan, Observer, Unobserved};
pub use program::{Block, EntryWait, Instruction, Job, Kind, Peer, Program, RankSpec, Slot, Wait};
pub use stuck::{Stuck, Waiting};
pub use timing::{BaseTiming, JitteredTiming};
pub use world::{Accounts, ClusterWorld};

use strait_units::Time;

/// Where an instruction runs: what a duration may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The slot being run.
    pub slot: &'a Slot,
    /// Its index in the program.
    pub slot_index: u32,
    /// The stream.
    pub stream: u8,
    /// Index of the instruction in the stream's list of this block.
    pub index: u16,
}

/// What instructions take. Must be a pure function of its arguments: it may be called
/// in any order and from any thread.
pub trait Timing: Sync {
    /// Duration of a local instruction or a send on a rank.
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time;
    /// Duration of a collective of a group once all its members have arrived. `group` is the
    /// index within the instruction's group kind, `members` are sorted by rank; site and
    /// instruction are those of the lowest rank, should the members' programs differ.
    fn collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time;
}
