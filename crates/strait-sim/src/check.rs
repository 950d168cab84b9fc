//! Is a job well formed? Everything that the engine relies on, checked once before a run.
//!
//! In: a [`Job`]. Out: the first fault found, with its place. Never judges whether the
//! job can finish: that shows when it runs ([`crate::EngineError::Deadlock`]).

use crate::program::{
    Block, Instruction, Job, Kind, MAX_ACCOUNTS, MAX_GROUP_KINDS, MAX_STREAMS, MAX_WINDOWS,
    Program, Slot, Wait,
};

/// Where in a program an instruction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the program.
    pub program: usize,
    /// Index of the block in the program.
    pub block: usize,
    /// The stream.
    pub stream: usize,
    /// Index in the stream's list.
    pub index: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place {
            program,
            block,
            stream,
            index,
        } = self;
        write!(
            f,
            "program {program}, block {block}, stream {stream}, instruction {index}"
        )
    }
}

/// What is wrong with a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// More ranks, instructions, slots or channels than the engine can number.
    #[error("{what}: {count} is more than {most}")]
    TooMany {
        /// What there is too much of, and where.
        what: String,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// An index that points nowhere.
    #[error("{place}: {what} {index} of {count}")]
    OutOfRange {
        /// Where the index stands.
        place: String,
        /// What it should point to.
        what: &'static str,
        /// The index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A program without foreground streams would be over at once.
    #[error("program {program} has no foreground stream")]
    NoForeground {
        /// Index of the program.
        program: usize,
    },
    /// An instruction that waits for its own stream, which is in order anyway.
    #[error("{place}: waits for its own stream")]
    WaitsForItself {
        /// Where it stands.
        place: Place,
    },
    /// A wait for more instructions than the other stream has in this block.
    #[error("{place}: waits for {count} instructions of stream {stream}, which has {length}")]
    WaitTooLong {
        /// Where it stands.
        place: Place,
        /// The stream waited for.
        stream: usize,
        /// How many it waits for.
        count: usize,
        /// How many there are.
        length: usize,
    },
    /// Collectives of one group kind on two streams of a program, or of a group's members.
    #[error("collectives of group kind {kind} are on streams {streams:?} ({place})")]
    TwoStreams {
        /// Where the second was found.
        place: String,
        /// The group kind.
        kind: usize,
        /// The two streams.
        streams: [u8; 2],
    },
    /// A rank that runs collectives of a kind it has no group of.
    #[error("rank {rank} runs collectives of group kind {kind} but has no such group")]
    NoGroup {
        /// The rank.
        rank: usize,
        /// The group kind.
        kind: usize,
    },
}

/// Most ranks: what an event's 32 bits can number beside the stream.
const MAX_RANKS: usize = 1 << 29;

/// What a program, or a block of one, asks of the ranks that run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Stream of the collectives of each group kind.
    pub streams: [Option<u8>; MAX_GROUP_KINDS],
    /// How many peers its sends name.
    pub peers: usize,
}

impl Needs {
    /// What a block asks for, if nothing is wrong with it.
    pub fn of(block: &Block) -> Option<Needs> {
        let mut needs = Needs::default();
        let lengths: [usize; MAX_STREAMS] =
            std::array::from_fn(|stream| block.streams.get(stream).map_or(0, Vec::len));
        let short = lengths
            .iter()
            .all(|length| *length <= usize::from(u16::MAX));
        let window = usize::from(block.window) < MAX_WINDOWS;
        if block.streams.len() > MAX_STREAMS || !short || !window {
            return None;
        }
        for (stream, list) in block.streams.iter().enumerate() {
            let holds = |wait: &Wait| {
                let length = lengths.get(usize::from(wait.stream));
                usize::from(wait.stream) != stream
                    && length.is_some_and(|length| usize::from(wait.count) <= *length)
            };
            for one in list {
                let accounts =
                    usize::from(one.busy) < MAX_ACCOUNTS && usize::from(one.idle) < MAX_ACCOUNTS;
                if !accounts || !one.waits.iter().flatten().all(holds) {
                    return None;
                }
                match one.kind {
                    Kind::Local => {}
                    Kind::Send { peer } => needs.peers = needs.peers.max(usize::from(peer) + 1),
                    Kind::Collective { group } => {
                        let known = needs.streams.get_mut(usize::from(group))?;
                        if known.is_some_and(|known| usize::from(known) != stream) {
                            return None;
                        }
                        *known = Some(stream as u8);
                    }
                }
            }
        }
        Some(needs)
    }

    /// Adds a block's to a program's; says no where they contradict each other.
    fn join(&mut self, block: &Needs) -> bool {
        self.peers = self.peers.max(block.peers);
        (self.streams.iter_mut().zip(&block.streams)).all(|(mine, other)| match (*mine, *other) {
            (Some(mine), Some(other)) => mine == other,
            (_, None) => true,
            (None, _) => {
                *mine = *other;
                true
            }
        })
    }
}

impl Job {
    /// Checks that the engine can run this job: all indices in range, waits on other streams
    /// and within their lists, all collectives of a group on one stream.
    pub fn check(&self) -> Result<(), JobError> {
        let needs = self.check_programs(|_, _| None)?;
        self.check_ranks(&needs)
    }

    /// [`Job::check`] but for ranks. `known` says what a block of a program asks for that was looked at
    /// before.
    pub(crate) fn check_programs(
        &self,
        known: impl Fn(usize, usize) -> Option<Needs>,
    ) -> Result<Vec<Needs>, JobError> {
        at_most("ranks", self.ranks.len(), MAX_RANKS)?;
        let instructions = self.programs.iter().flat_map(|p| &p.blocks);
        let instructions = instructions.flat_map(|b| &b.streams).map(Vec::len).sum();
        at_most("instructions of all programs", instructions, 1 << 31)?;
        let slots = self.programs.iter().map(|p| p.slots.len()).sum();
        at_most("slots of all programs", slots, 1 << 31)?;
        (self.programs.iter().enumerate())
            .map(|(index, program)| check_program(index, program, |block| known(index, block)))
            .collect()
    }

    /// The rest of [`Job::check`].
    pub(crate) fn check_ranks(&self, needs: &[Needs]) -> Result<(), JobError> {
        let ranks = self.ranks.len();
        for (rank, spec) in self.ranks.iter().enumerate() {
            let (program, programs) = (spec.program as usize, self.programs.len());
            in_range(|| format!("rank {rank}"), "program", program, programs)?;
        }
        let mut stream_of_group = vec![[None; MAX_GROUP_KINDS]; ranks];
        for (rank, spec) in self.ranks.iter().enumerate() {
            let place = || format!("rank {rank}");
            let needs = &needs[spec.program as usize];
            if needs.peers > spec.peers.len() {
                let (index, count) = (needs.peers - 1, spec.peers.len());
                in_range(place, "peer of a send", index, count)?;
            }
            for peer in &spec.peers {
                in_range(place, "peer rank", peer.rank as usize, ranks)?;
                let there = self.ranks[peer.rank as usize].program as usize;
                let channels = usize::from(self.programs[there].channels);
                let channel = usize::from(peer.channel);
                in_range(place, "channel of a peer", channel, channels)?;
            }
            for (kind, &group) in spec.groups.iter().enumerate() {
                if group != u32::MAX {
                    // As many groups as ranks are enough; more would only cost memory.
                    in_range(place, "group", group as usize, ranks)?;
                }
                let Some(stream) = needs.streams[kind] else {
                    continue;
                };
                if group == u32::MAX {
                    return Err(JobError::NoGroup { rank, kind });
                }
                let known = &mut stream_of_group[group as usize][kind];
                same_stream(known, stream, kind, place)?;
            }
        }
        Ok(())
    }
}

fn check_program(
    index: usize,
    program: &Program,
    known: impl Fn(usize) -> Option<Needs>,
) -> Result<Needs, JobError> {
    let place = || format!("program {index}");
    if program.foreground == 0 {
        return Err(JobError::NoForeground { program: index });
    }
    at_most(
        "foreground streams",
        usize::from(program.foreground),
        MAX_STREAMS,
    )?;
    let (blocks, channels) = (program.blocks.len(), program.channels);
    let sound = |slot: &Slot| {
        let [first, second] = slot.entry;
        (slot.block as usize) < blocks
            && first.is_none_or(|entry| entry.channel < channels)
            && second.is_none_or(|entry| entry.channel < channels)
    };
    for slot in program.slots.iter().filter(|slot| !sound(slot)) {
        in_range(place, "block of a slot", slot.block as usize, blocks)?;
        for entry in slot.entry.iter().flatten() {
            let channel = usize::from(entry.channel);
            in_range(
                place,
                "channel of a slot's entry",
                channel,
                usize::from(channels),
            )?;
        }
    }
    let mut needs = Needs::default();
    if (0..blocks).all(|block| known(block).is_some_and(|known| needs.join(&known))) {
        return Ok(needs);
    }
    // Something is wrong, or not known: the plain way finds the place.
    let mut needs = Needs::default();
    for (number, block) in program.blocks.iter().enumerate() {
        check_block(index, number, block, &mut needs)?;
    }
    Ok(needs)
}

fn check_block(
    program: usize,
    number: usize,
    block: &Block,
    needs: &mut Needs,
) -> Result<(), JobError> {
    let place = || format!("program {program}, block {number}");
    at_most("streams of a block", block.streams.len(), MAX_STREAMS)?;
    in_range(place, "window", usize::from(block.window), MAX_WINDOWS)?;
    for (stream, list) in block.streams.iter().enumerate() {
        at_most(
            "instructions of one stream in a block",
            list.len(),
            usize::from(u16::MAX),
        )?;
        for (index, instruction) in list.iter().enumerate() {
            let place = Place {
                program,
                block: number,
                stream,
                index,
            };
            check_instruction(place, block, instruction, needs)?;
        }
    }
    Ok(())
}

fn check_instruction(
    place: Place,
    block: &Block,
    instruction: &Instruction,
    needs: &mut Needs,
) -> Result<(), JobError> {
    let named = || place.to_string();
    for wait in instruction.waits.iter().flatten() {
        let stream = usize::from(wait.stream);
        in_range(named, "stream of a wait", stream, MAX_STREAMS)?;
        if stream == place.stream {
            return Err(JobError::WaitsForItself { place });
        }
        let length = block.streams.get(stream).map_or(0, Vec::len);
        let count = usize::from(wait.count);
        if count > length {
            return Err(JobError::WaitTooLong {
                place,
                stream,
                count,
                length,
            });
        }
    }
    let (busy, idle) = (usize::from(instruction.busy), usize::from(instruction.idle));
    in_range(named, "busy account", busy, MAX_ACCOUNTS)?;
    in_range(named, "idle account", idle, MAX_ACCOUNTS)?;
    match instruction.kind {
        Kind::Local => {}
        Kind::Send { peer } => needs.peers = needs.peers.max(usize::from(peer) + 1),
        Kind::Collective { group } => {
            let kind = usize::from(group);
            in_range(named, "group kind", kind, MAX_GROUP_KINDS)?;
            same_stream(&mut needs.streams[kind], place.stream as u8, kind, named)?;
        }
    }
    Ok(())
}

fn same_stream(
    known: &mut Option<u8>,
    stream: u8,
    kind: usize,
    place: impl Fn() -> String,
) -> Result<(), JobError> {
    match *known {
        Some(other) if other != stream => Err(JobError::TwoStreams {
            place: place(),
            kind,
            streams: [other, stream],
        }),
        _ => {
            *known = Some(stream);
            Ok(())
        }
    }
}

fn in_range(
    place: impl Fn() -> String,
    what: &'static str,
    index: usize,
    count: usize,
) -> Result<(), JobError> {
    if index < count {
        return Ok(());
    }
    Err(JobError::OutOfRange {
        place: place(),
        what,
        index,
        count,
    })
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), JobError> {
    if count <= most {
        return Ok(());
    }
    Err(JobError::TooMany {
        what: what.to_owned(),
        count,
        most,
    })
}
