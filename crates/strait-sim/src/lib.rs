//! The event engine: rank programs on streams, rendezvous, keyed randomness.
//!
//! In: a [`Job`] (programs and ranks) and a [`Timing`] (what each instruction takes).
//! Out: per-rank accounts of busy, idle and window time. Never knows a GPU or a model.
//!
//! # A tour
//!
//! [`program`] says what a rank runs and what that means: read it first. [`Engine::run`] checks
//! a job, compiles it and runs it, every instruction as an event ([`Mode`]) or runs of local
//! instructions at once; both give the same bytes. [`Lanes`] is a second engine without events,
//! ten times as fast where many ranks run the same program, and equal to the tick; [`run()`] picks.
//! [`Timing`] is asked what an instruction takes,
//! an [`Observer`] is told what happened. [`queue`] has the plain queue and its fast twin,
//! [`random`] values that are looked up by key instead of drawn, [`world`] the ranks as columns of
//! an ECS.

mod check;
mod classes;
mod engine;
mod fold;
mod lanes;
pub mod net;
mod observer;
mod plan;
pub mod program;
pub mod queue;
pub mod random;
mod shared;
mod sharing;
pub mod stream;
mod stuck;
mod timing;
mod wheel;
pub mod world;

pub use check::{JobError, Place};
pub use engine::{Engine, EngineError, Mode, Run, Watch};
pub use fold::{Fold, FoldMemo, FoldedClass, FoldedRun, Unfoldable};
pub use lanes::{LaneGroup, LaneGroups, LaneRanks, Lanes, Refusal, Scratch, run};
pub use observer::{BlockSpan, InstructionSpan, Observer, Unobserved};
pub use program::{Block, EntryWait, Instruction, Job, Kind, Peer, Program, RankSpec, Slot, Wait};
pub use sharing::Shared;
pub use stuck::{Stuck, Waiting};
pub use timing::{BaseTiming, JitteredTiming};
pub use world::{Accounts, ClusterWorld};

use strait_units::{Bytes, Time};

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

/// Bytes to be sent over the shared links of [`Timing::network`], in place of a duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer {
    /// Passes before the bytes are on the links: latency and start-up.
    pub fixed: Time,
    /// Which links they take.
    pub template: net::TemplateId,
    /// Size of each of the template's parts, at most two.
    pub sizes: [Bytes; 2],
}

/// What instructions take. Must be a pure function of its arguments: it may be called
/// in any order and from any thread.
pub trait Timing: Sync {
    /// The links that transfers share. `None`: no instruction is a transfer, and all durations
    /// are known beforehand.
    fn network(&self) -> Option<&net::Plan> {
        None
    }

    /// What a collective puts on shared links; `None`: it takes [`Timing::collective`].
    fn shared_collective(
        &self,
        _group: u32,
        _members: &[u32],
        _site: Site<'_>,
        _instruction: &Instruction,
    ) -> Option<Transfer> {
        None
    }

    /// What a send puts on shared links; `None`: it takes [`Timing::local`].
    fn shared_send(
        &self,
        _rank: u32,
        _site: Site<'_>,
        _instruction: &Instruction,
    ) -> Option<Transfer> {
        None
    }

    /// What durations of a rank depend on, if never on chance, on shared links or on which slot
    /// they are asked for: ranks of one colour take the same at the same instruction of a block
    /// of the same program, in all its slots; and so where programs share one and the same block ([`Shared`]). `None`: nothing is known, and nothing
    /// folded ([`Fold`]).
    fn colour(&self, _rank: u32) -> Option<u64> {
        None
    }

    /// As [`Timing::colour`], of a group and what its collectives take. Its kind says nothing
    /// about its index: both are needed to know a group.
    fn group_colour(&self, _kind: u8, _group: u32, _members: &[u32]) -> Option<u64> {
        None
    }

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

    /// [`Timing::local`] of many ranks at one site, in ticks. For speed alone: what comes out
    /// must be the same.
    fn local_lanes(
        &self,
        lanes: LaneRanks<'_>,
        site: Site<'_>,
        instruction: &Instruction,
        _scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        for (out, rank) in out.iter_mut().zip(lanes.ranks()) {
            *out = self.local(*rank, site, instruction).picos();
        }
    }

    /// [`Timing::collective`] of the groups that a lane set is made of, in ticks. For speed
    /// alone: what comes out must be the same.
    fn collective_lanes(
        &self,
        _lanes: LaneRanks<'_>,
        groups: LaneGroups<'_>,
        site: Site<'_>,
        instruction: &Instruction,
        _scratch: &mut Scratch,
        out: &mut [u64],
    ) {
        for (out, group) in out.iter_mut().zip(groups.iter()) {
            let time = self.collective(group.index, group.members, site, instruction);
            *out = time.picos();
        }
    }
}
