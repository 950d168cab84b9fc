//! The state of ranks that advance in step: columns with a lane for each rank.
//!
//! In: the plan and its classes. Out: [`LaneSet`]s with their channels and clusters of
//! groups, ready to start. Never runs anything.
//!
//! What is counted (places in lists, messages, collectives) is the same for all lanes and
//! kept once; only times are columns. Nothing grows with slots: end times live in frames,
//! one for each slot that some stream has not left, messages in queues of bounded length.

use super::classes::{Classes, NONE};
use super::plan::Columns;
use super::view::Scratch;
use crate::plan::{Op, Plan};
use crate::program::{Kind, MAX_ACCOUNTS, MAX_GROUP_KINDS, MAX_STREAMS, MAX_WINDOWS};
use crate::world::Accounts;
use std::collections::{BTreeMap, VecDeque};
use strait_units::Time;

/// A slot that some stream has not left, and its end times.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub slot: u32,
    /// Background streams with a list here that is not done.
    pub pending: u8,
    /// Columns one after the other: the opening, then as [`Columns`] says.
    pub times: Vec<u64>,
}

/// Where the sends to a peer arrive.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Index into the channels of all sets.
    pub channel: usize,
    /// The lane there of each lane; `None` if they are the same.
    pub lanes: Option<Vec<u32>>,
}

impl Target {
    /// Puts each lane's value where its peer is.
    pub fn put(&self, from: &[u64], into: &mut [u64]) {
        match &self.lanes {
            None => into.copy_from_slice(from),
            Some(lanes) => {
                for (value, lane) in from.iter().zip(lanes) {
                    into[*lane as usize] = *value;
                }
            }
        }
    }
}

/// A transfer on each lane.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub sent: Vec<u64>,
    pub arrived: Vec<u64>,
}

/// A time that is not known yet: simulated time ends before.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// A send over shared links, by lane: its start and, once known, its end.
#[derive(Debug)]
pub(super) struct Flight {
    /// The slot it belongs to, and its place in the list.
    pub slot: u32,
    pub index: u16,
    pub starts: Vec<u64>,
    pub ends: Vec<u64>,
    /// Lanes that have not ended.
    pub left: u32,
}

/// A channel of a set.
#[derive(Debug)]
pub(super) struct Channel {
    /// The set that receives.
    pub set: u32,
    /// The set that sends; [`NONE`] if nobody does.
    pub feeder: u32,
    /// The largest count that a slot waits for.
    pub awaited: u32,
    /// Messages sent.
    pub sent: u32,
    /// Messages taken or passed over by the receiver: the number of the first in `queue`, less one.
    pub taken: u32,
    pub queue: VecDeque<Message>,
    /// Messages to be used again.
    pub pool: Vec<Message>,
}

/// Groups of one kind that the same sets meet in: they all wait for the last set.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Classes, ascending.
    pub sets: Vec<u32>,
    /// Indices into [`Plan::groups`].
    pub groups: Vec<u32>,
    /// For each of these, the place in `sets` of the set with its lowest rank.
    pub lowest: Vec<u32>,
    /// How many sets have arrived at the next collective.
    pub arrived: u32,
    /// How many collectives all have arrived at.
    pub met: u64,
    /// Start and end by group; even and odd collectives apart, for a set that goes on may
    /// arrive at the next before another has seen the end of this.
    pub starts: [Vec<u64>; 2],
    pub ends: [Vec<u64>; 2],
    /// Groups whose bytes are on shared links.
    pub under_way: u32,
    /// Where each set has arrived: index of the slot, in the list and in the plan.
    pub sites: Vec<(u32, u16, u32)>,
}

/// A set's part in a cluster.
#[derive(Debug)]
pub(super) struct Membership {
    pub cluster: usize,
    /// The set's place in [`Cluster::sets`].
    pub place: usize,
    /// The group of each lane, by its place in [`Cluster::groups`].
    pub group_of: Vec<u32>,
    /// The size of all groups, if they are consecutive lanes of this set.
    pub chunks: Option<usize>,
    /// Collectives this set has left.
    pub left: u64,
}

/// Accounts as columns; empty where the program never books.
#[derive(Debug)]
pub(super) struct AccountColumns {
    pub busy: [Vec<u64>; MAX_ACCOUNTS],
    pub idle: [Vec<u64>; MAX_ACCOUNTS],
    pub window: [Vec<u64>; MAX_WINDOWS],
    pub gaps: [Vec<u64>; MAX_WINDOWS],
    pub gap_transfers: [Vec<u64>; MAX_WINDOWS],
    pub first_open: [Vec<u64>; MAX_WINDOWS],
    pub last_close: [Vec<u64>; MAX_WINDOWS],
    /// The same for all lanes.
    pub blocks: [u32; MAX_WINDOWS],
}

/// Ranks that advance in step.
#[derive(Debug)]
pub(super) struct LaneSet {
    /// The rank of each lane, ascending.
    pub ranks: Vec<u32>,
    pub first_slot: u32,
    pub slots: u32,
    /// Foreground streams, as a mask.
    pub foreground: u8,
    /// Index of the open slot, or of the next to open.
    pub current: u32,
    /// Whether a block is open.
    pub open: bool,
    /// Per stream: instructions done of the list it is at.
    pub done: [u16; MAX_STREAMS],
    /// Streams that have arrived at a collective and wait for other sets.
    pub arrived: u8,
    /// Per stream: end of its last instruction, or opening of the block if that is later.
    pub ready: [Vec<u64>; MAX_STREAMS],
    /// When the open block opened; with none open, when the last one closed.
    pub since: Vec<u64>,
    /// Slots that some stream has not left, oldest first; the open one is the last.
    pub frames: VecDeque<Frame>,
    /// Frames to be used again.
    pub pool: Vec<Frame>,
    /// How long the columns of a frame are, for the largest block.
    pub frame_length: usize,
    /// Per stream: sends over shared links, from the instruction at its head on.
    pub flights: [VecDeque<Flight>; MAX_STREAMS],
    /// Durations of the instruction at hand.
    pub durations: Vec<u64>,
    /// Arrivals, openings and closings at hand.
    pub times: Vec<u64>,
    pub accounts: AccountColumns,
    /// By group kind.
    pub memberships: [Option<Membership>; MAX_GROUP_KINDS],
    /// By peer index; `None` if no slot there waits for it.
    pub targets: Vec<Option<Target>>,
    /// Index of its first channel in those of all sets.
    pub first_channel: usize,
    pub scratch: Scratch,
}

/// All sets of a job, and what connects them.
#[derive(Debug)]
pub(super) struct Sets {
    pub sets: Vec<LaneSet>,
    pub channels: Vec<Channel>,
    pub clusters: Vec<Cluster>,
    /// The lane of each rank in its set.
    pub lane_of: Vec<u32>,
}

impl Sets {
    pub fn new(plan: &Plan<'_>, columns: &Columns, classes: &Classes) -> Sets {
        let mut ranks: Vec<Vec<u32>> = vec![Vec::new(); classes.count as usize];
        let mut lane_of = Vec::with_capacity(classes.of.len());
        for (rank, class) in classes.of.iter().enumerate() {
            let ranks = &mut ranks[*class as usize];
            lane_of.push(ranks.len() as u32);
            ranks.push(rank as u32);
        }
        let mut all = Sets {
            sets: Vec::with_capacity(ranks.len()),
            channels: Vec::new(),
            clusters: Vec::new(),
            lane_of,
        };
        for (class, ranks) in ranks.into_iter().enumerate() {
            let program = plan.job.ranks[ranks[0] as usize].program as usize;
            let first_channel = all.channels.len();
            for &awaited in &classes.uses[program].awaited {
                all.channels.push(Channel {
                    set: class as u32,
                    feeder: NONE,
                    awaited,
                    sent: 0,
                    taken: 0,
                    queue: VecDeque::new(),
                    pool: Vec::new(),
                });
            }
            all.sets
                .push(LaneSet::new(plan, columns, ranks, first_channel));
        }
        for class in 0..all.sets.len() {
            all.connect(plan, classes, class);
        }
        for kind in 0..MAX_GROUP_KINDS {
            all.cluster(plan, classes, kind);
        }
        all
    }

    /// Finds where a set's sends arrive.
    fn connect(&mut self, plan: &Plan<'_>, classes: &Classes, class: usize) {
        let ranks = &self.sets[class].ranks;
        let spec = &plan.job.ranks[ranks[0] as usize];
        let mut targets: Vec<Option<Target>> = vec![None; spec.peers.len()];
        for &(index, _) in &classes.uses[spec.program as usize].sends {
            let index = usize::from(index);
            let peer = spec.peers[index];
            let there = &self.sets[classes.of[peer.rank as usize] as usize];
            let channel = there.first_channel + usize::from(peer.channel);
            if self.channels[channel].awaited == 0 {
                continue;
            }
            let lanes: Vec<u32> = (ranks.iter())
                .map(|rank| self.lane_of[plan.job.ranks[*rank as usize].peers[index].rank as usize])
                .collect();
            let same = lanes
                .iter()
                .enumerate()
                .all(|(i, lane)| i == *lane as usize);
            self.channels[channel].feeder = class as u32;
            targets[index] = Some(Target {
                channel,
                lanes: (!same).then_some(lanes),
            });
        }
        self.sets[class].targets = targets;
    }

    /// Sorts the groups of a kind by the sets that meet in them.
    fn cluster(&mut self, plan: &Plan<'_>, classes: &Classes, kind: usize) {
        let mut known: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let first = plan.kind_first[kind] as usize;
        for (index, group) in plan.groups_of(kind).iter().enumerate() {
            let members = group.first as usize..(group.first + group.length) as usize;
            let members = &plan.members[members];
            let Some(lowest) = members.first() else {
                continue;
            };
            let mut sets: Vec<u32> = members.iter().map(|m| classes.of[*m as usize]).collect();
            sets.sort_unstable();
            sets.dedup();
            let clusters = &mut self.clusters;
            let at = *known.entry(sets.clone()).or_insert_with(|| {
                clusters.push(Cluster {
                    sites: vec![(0, 0, 0); sets.len()],
                    sets,
                    groups: Vec::new(),
                    lowest: Vec::new(),
                    arrived: 0,
                    met: 0,
                    starts: Default::default(),
                    ends: Default::default(),
                    under_way: 0,
                });
                clusters.len() - 1
            });
            let cluster = &mut clusters[at];
            let place = cluster.groups.len() as u32;
            cluster.groups.push((first + index) as u32);
            let lowest = classes.of[*lowest as usize];
            let of = cluster.sets.binary_search(&lowest);
            cluster.lowest.push(of.map_or(0, |place| place as u32));
            for &member in members {
                let class = classes.of[member as usize];
                let set = &mut self.sets[class as usize];
                let lanes = set.ranks.len();
                let membership = set.memberships[kind].get_or_insert_with(|| Membership {
                    cluster: at,
                    place: cluster.sets.binary_search(&class).unwrap_or(0),
                    group_of: vec![0; lanes],
                    chunks: None,
                    left: 0,
                });
                membership.group_of[self.lane_of[member as usize] as usize] = place;
            }
        }
        for &at in known.values() {
            let cluster = &mut self.clusters[at];
            let length = cluster.groups.len();
            if let [only] = cluster.sets[..]
                && let Some(membership) = &mut self.sets[only as usize].memberships[kind]
            {
                let size = membership.group_of.len() / length;
                let mut lanes = membership.group_of.iter().enumerate();
                let chunks = size * length == membership.group_of.len()
                    && lanes.all(|(lane, group)| lane / size == *group as usize);
                membership.chunks = chunks.then_some(size);
            }
            for times in cluster.starts.iter_mut().chain(&mut cluster.ends) {
                *times = vec![0; length];
            }
        }
    }
}

impl LaneSet {
    fn new(plan: &Plan<'_>, columns: &Columns, ranks: Vec<u32>, first_channel: usize) -> LaneSet {
        let program = plan.programs[plan.job.ranks[ranks[0] as usize].program as usize];
        let slots = program.first_slot as usize..(program.first_slot + program.slots) as usize;
        let mut blocks: Vec<u32> = plan.slot_blocks[slots].to_vec();
        blocks.sort_unstable();
        blocks.dedup();
        let lanes = ranks.len();
        let most = blocks.iter().map(|b| columns.of_block[*b as usize]).max();
        LaneSet {
            first_slot: program.first_slot,
            slots: program.slots,
            foreground: program.foreground,
            current: 0,
            open: false,
            done: [0; MAX_STREAMS],
            arrived: 0,
            ready: std::array::from_fn(|_| vec![0; lanes]),
            since: vec![0; lanes],
            frames: VecDeque::new(),
            pool: Vec::new(),
            frame_length: most.unwrap_or(0) as usize * lanes,
            flights: Default::default(),
            durations: vec![0; lanes],
            times: vec![0; lanes],
            accounts: AccountColumns::new(plan, &blocks, lanes),
            memberships: Default::default(),
            targets: Vec::new(),
            first_channel,
            scratch: Scratch::default(),
            ranks,
        }
    }

    /// Whether `count` instructions of a stream are done in the slot of a frame.
    pub fn has_done(&self, stream: usize, frame: usize, count: u16) -> bool {
        let bit = 1 << stream;
        let here = if self.foreground & bit != 0 {
            self.open && frame + 1 == self.frames.len()
        } else {
            if self.frames[frame].pending & bit == 0 {
                return true;
            }
            let earlier = self.frames.iter().take(frame);
            if earlier.into_iter().any(|frame| frame.pending & bit != 0) {
                return false;
            }
            true
        };
        !here || self.done[stream] >= count
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.current == self.slots && !self.open && self.frames.is_empty()
    }
}

impl AccountColumns {
    fn new(plan: &Plan<'_>, blocks: &[u32], lanes: usize) -> AccountColumns {
        let mut columns = AccountColumns {
            busy: Default::default(),
            idle: Default::default(),
            window: Default::default(),
            gaps: Default::default(),
            gap_transfers: Default::default(),
            first_open: Default::default(),
            last_close: Default::default(),
            blocks: [0; MAX_WINDOWS],
        };
        let book = |column: &mut Vec<u64>| column.resize(lanes, 0);
        for block in blocks {
            let block = &plan.blocks[*block as usize];
            let window = usize::from(block.window);
            book(&mut columns.window[window]);
            book(&mut columns.gaps[window]);
            book(&mut columns.gap_transfers[window]);
            book(&mut columns.first_open[window]);
            book(&mut columns.last_close[window]);
            for stream in 0..MAX_STREAMS {
                let first = block.first[stream] as usize;
                let list = &plan.ops[first..first + usize::from(block.length[stream])];
                for op in list.iter().filter(|_| stream == 0) {
                    let waits = op.waits || matches!(op.instruction.kind, Kind::Collective { .. });
                    book(&mut columns.busy[usize::from(op.instruction.busy)]);
                    if waits {
                        book(&mut columns.idle[usize::from(op.instruction.idle)]);
                    }
                }
                if let Some(last) = list.last() {
                    // Booked at the end of the block.
                    book(&mut columns.idle[usize::from(last.instruction.idle)]);
                }
            }
        }
        columns
    }

    /// Where the idle and the busy time of an instruction of stream 0 are booked.
    pub fn of(&mut self, op: &Op) -> [&mut [u64]; 2] {
        [
            &mut self.idle[usize::from(op.instruction.idle)],
            &mut self.busy[usize::from(op.instruction.busy)],
        ]
    }

    /// The accounts of one lane.
    pub fn of_lane(&self, lane: usize) -> Accounts {
        let get = |column: &Vec<u64>| Time::from_picos(column.get(lane).copied().unwrap_or(0));
        Accounts {
            busy: self.busy.each_ref().map(get),
            idle: self.idle.each_ref().map(get),
            window: self.window.each_ref().map(get),
            gaps: self.gaps.each_ref().map(get),
            gap_transfers: self.gap_transfers.each_ref().map(get),
            first_open: std::array::from_fn(|window| match self.blocks[window] {
                0 => Time::MAX,
                _ => get(&self.first_open[window]),
            }),
            last_close: self.last_close.each_ref().map(get),
            blocks: self.blocks,
        }
    }
}
