//! The cluster as a bevy_ecs world: one entity per rank, spawned in rank order.
//!
//! In: a number of ranks. Out: their components as contiguous columns, taken once per
//! run: an access by entity per event would make the engine two to three times slower.
//!
//! Invariants: all ranks live in one table, in rank order. Markers are sparse-set
//! components, which leave the table alone; a rank is never despawned and never given
//! another table component (a dead rank is marked [`Drained`]).

use crate::plan::{BlockPlan, Op, ProgramPlan};
use crate::program::{MAX_ACCOUNTS, MAX_STREAMS, MAX_WINDOWS, Wait};
use bevy_ecs::change_detection::ContiguousMut;
use bevy_ecs::component::Component;
use bevy_ecs::world::World;
use strait_units::{Ratio, Time};

/// Where the time of one rank went.
///
/// Sums that hold at the end of a run, with `end` of the run:
/// - windows + gaps + tail (`end` − last close) = `end`;
/// - busy + idle = windows (stream 0, inside open blocks).
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Time that stream 0 was occupied, by [`crate::Instruction::busy`].
    pub busy: [Time; MAX_ACCOUNTS],
    /// Time that stream 0 was idle inside open blocks, by the [`crate::Instruction::idle`] of
    /// what it ran next (waiting for other members of a collective included); at the end of
    /// a block, of the last instruction of the stream that finished last (lowest on a tie).
    pub idle: [Time; MAX_ACCOUNTS],
    /// Open time of blocks, by [`crate::Block::window`].
    pub window: [Time; MAX_WINDOWS],
    /// Time without an open block, by the window of the block that ended it.
    pub gaps: [Time; MAX_WINDOWS],
    /// The part of `gaps` during which the message that ended it was being transferred.
    pub gap_transfers: [Time; MAX_WINDOWS],
    /// First opening of a block of each window; [`Time::MAX`] if there was none.
    pub first_open: [Time; MAX_WINDOWS],
    /// Last closing of a block of each window; zero if there was none.
    pub last_close: [Time; MAX_WINDOWS],
    /// Blocks run, by window.
    pub blocks: [u32; MAX_WINDOWS],
}

impl Accounts {
    /// All time without an open block before the last close.
    pub fn gap(&self) -> Time {
        self.gaps.iter().copied().sum()
    }

    /// The part of [`Accounts::gap`] spent on transfers waited for.
    pub fn gap_transfer(&self) -> Time {
        self.gap_transfers.iter().copied().sum()
    }

    /// When the rank's last block closed.
    pub fn closed(&self) -> Time {
        self.last_close.iter().copied().max().unwrap_or(Time::ZERO)
    }

    /// Whether the sums of this type's description hold. For tests and debug builds.
    pub fn conserve(&self, end: Time) -> bool {
        let sum = |times: &[Time]| times.iter().copied().sum::<Time>();
        let open = sum(&self.window);
        open + self.gap() + end.saturating_sub(self.closed()) == end
            && sum(&self.busy) + sum(&self.idle) == open
            && self.gap_transfer() <= self.gap()
    }
}

/// State of one rank while it runs: two cache lines, the first for what every
/// instruction touches. Only the engine reads or writes it.
#[derive(Component, Clone, Debug, Default)]
#[repr(C, align(128))]
pub struct RankState {
    /// Per stream: end of the last instruction of the block, or the opening; while a local
    /// instruction or send runs, its start.
    pub(crate) ready: [u64; MAX_STREAMS],
    /// Per stream: the instruction at its head (running, arrived or blocked), in the plan.
    pub(crate) head: [u32; MAX_STREAMS],
    /// Per stream: how many instructions of its list are done.
    pub(crate) done: [u16; MAX_STREAMS],
    /// Per stream: how many the list has.
    pub(crate) length: [u16; MAX_STREAMS],
    // Second line.
    /// Per stream: index of the slot whose list it is at.
    pub(crate) slot: [u32; MAX_STREAMS],
    /// When the open block opened; with none open, when the last one closed.
    pub(crate) since: u64,
    /// Arrival and start of the transfer of the message that a slot waited for last.
    pub(crate) held: [u64; 2],
    /// Index of the rank's open slot, or of the next to open.
    pub(crate) current: u32,
    /// Where the program's slots begin in the plan.
    pub(crate) first_slot: u32,
    /// How many slots the program has.
    pub(crate) slots: u32,
    /// Where the rank's channels begin in the engine's table.
    pub(crate) first_channel: u32,
    /// Streams that wait for another stream.
    pub(crate) blocked: u8,
    /// Background streams that have finished all slots before `current`.
    pub(crate) parked: u8,
    /// How many foreground streams have not finished the open block; [`BETWEEN`] with none open.
    pub(crate) running: u8,
    /// Foreground streams; background ones are the complement.
    pub(crate) foreground: u8,
}

/// [`RankState::running`] while no block is open.
pub(crate) const BETWEEN: u8 = u8::MAX;
/// All streams a rank can have.
const STREAMS: u8 = (1 << MAX_STREAMS) - 1;

impl RankState {
    /// The state before the first slot.
    pub(crate) fn new(program: &ProgramPlan, first_channel: u32) -> RankState {
        RankState {
            first_slot: program.first_slot,
            slots: program.slots,
            first_channel,
            parked: !program.foreground & STREAMS,
            running: BETWEEN,
            foreground: program.foreground,
            ..RankState::default()
        }
    }

    /// Whether no block is open.
    #[inline]
    pub(crate) fn is_between(&self) -> bool {
        self.running == BETWEEN
    }

    /// How many slots have been opened.
    #[inline]
    pub(crate) fn opened(&self) -> u32 {
        self.current + u32::from(!self.is_between())
    }

    /// Whether the background streams have finished every slot before `current`.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        self.parked | self.foreground == STREAMS
    }

    /// Whether nothing is left to do.
    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.current == self.slots && self.is_between() && self.is_drained()
    }

    /// Puts a stream at the start of its list in the slot with this index.
    #[inline]
    pub(crate) fn begin(&mut self, stream: usize, slot: u32, block: &BlockPlan) {
        self.slot[stream] = slot;
        self.head[stream] = block.first[stream];
        self.done[stream] = 0;
        self.length[stream] = block.length[stream];
    }

    /// Whether a wait of a stream holds.
    #[inline]
    pub(crate) fn holds(&self, wait: Wait, stream: usize) -> bool {
        let other = usize::from(wait.stream) % MAX_STREAMS;
        let (here, there) = (self.slot[stream], self.slot[other]);
        wait.count == 0 || there > here || (there == here && self.done[other] >= wait.count)
    }

    /// Whether all waits of an instruction of a stream hold.
    #[inline]
    pub(crate) fn may_start(&self, op: &Op, stream: usize) -> bool {
        let [first, second] = op.instruction.waits;
        !op.waits
            || first.is_none_or(|wait| self.holds(wait, stream))
                && second.is_none_or(|wait| self.holds(wait, stream))
    }
}

const _: () = assert!(std::mem::size_of::<RankState>() == 128);

/// Marks a rank that is slower than it should be, by this factor.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(storage = "SparseSet")]
pub struct Straggler(pub Ratio);

/// Marks a rank that takes no more work.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub struct Drained;

/// The ranks of a job as entities.
#[derive(Debug)]
pub struct ClusterWorld {
    world: World,
    ranks: usize,
}

/// The columns of a [`ClusterWorld`], indexed by rank.
pub struct Columns<'w> {
    /// State while running.
    pub states: &'w mut [RankState],
    /// Where time went.
    pub accounts: &'w mut [Accounts],
}

impl ClusterWorld {
    /// A world of fresh ranks.
    pub fn new(ranks: usize) -> ClusterWorld {
        let mut world = World::new();
        world.spawn_batch((0..ranks).map(|_| (RankState::default(), Accounts::default())));
        ClusterWorld { world, ranks }
    }

    /// How many ranks there are.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// The world, for queries and markers. The invariants above are the caller's to keep.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The columns; `None` if an invariant was broken, so that they are no longer whole.
    pub fn columns(&mut self) -> Option<Columns<'_>> {
        if self.ranks == 0 {
            return Some(Columns {
                states: &mut [],
                accounts: &mut [],
            });
        }
        let ranks = self.ranks;
        let mut query = self.world.query::<(&mut RankState, &mut Accounts)>();
        let mut chunks = query.contiguous_iter_mut(&mut self.world).ok()?;
        chunks
            .find(|(states, _)| !states.is_empty())
            .map(|(mut states, mut accounts)| {
                states.mark_all_as_changed();
                accounts.mark_all_as_changed();
                Columns {
                    states: ContiguousMut::split(states).0,
                    accounts: ContiguousMut::split(accounts).0,
                }
            })
            .filter(|columns| columns.states.len() == ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_rank_order_and_survive_markers() {
        let mut cluster = ClusterWorld::new(100);
        for (rank, state) in cluster.columns().unwrap().states.iter_mut().enumerate() {
            state.current = rank as u32;
        }
        let world = cluster.world_mut();
        let entities: Vec<_> = world
            .query::<(bevy_ecs::entity::Entity, &RankState)>()
            .iter(world)
            .map(|(entity, state)| (entity, state.current))
            .collect();
        for &(entity, rank) in &entities {
            if rank % 7 == 0 {
                world.entity_mut(entity).insert(Straggler(Ratio::new(1.1)));
            }
            if rank == 50 {
                world.entity_mut(entity).insert(Drained);
            }
        }
        let columns = cluster.columns().unwrap();
        let order: Vec<u32> = columns.states.iter().map(|s| s.current).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert_eq!(columns.accounts.len(), 100);
    }

    #[test]
    fn a_broken_table_is_noticed() {
        #[derive(Component)]
        struct Heavy;
        let mut cluster = ClusterWorld::new(3);
        let world = cluster.world_mut();
        let entity = world
            .query::<(bevy_ecs::entity::Entity, &RankState)>()
            .iter(world)
            .next()
            .unwrap()
            .0;
        world.entity_mut(entity).insert(Heavy);
        assert!(cluster.columns().is_none());
    }
}
