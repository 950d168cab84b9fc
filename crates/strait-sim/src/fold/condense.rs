//! Blocks of a lone rank that always take the same time, in fewer instructions.
//!
//! In: a block, and what its instructions take on a rank whose groups are its own class. Out: a
//! block with pauses in place of its foreground, and what that would have booked; nothing where
//! the foreground waits for the background or for other classes. Never changes background
//! streams, but for the moments they wait for.

use crate::program::{Block, Instruction, Kind, MAX_ACCOUNTS, MAX_STREAMS, Slot, Wait};
use crate::world::Accounts;
use crate::{Site, Timing};
use strait_units::Time;

/// What a condensed foreground books each time.
#[derive(Clone, Debug)]
pub(super) struct Condensed {
    /// By account, those without any left out.
    busy: Vec<(usize, u64)>,
    idle: Vec<(usize, u64)>,
}

/// What is booked to each account, without those that have nothing.
fn booked(accounts: &[u64; MAX_ACCOUNTS]) -> Vec<(usize, u64)> {
    let accounts = accounts.iter().copied().enumerate();
    accounts.filter(|(_, time)| *time > 0).collect()
}

impl Condensed {
    /// Books so many runs of the block.
    pub fn book(&self, accounts: &mut Accounts, runs: u64) {
        for (into, each) in [
            (&mut accounts.busy, &self.busy),
            (&mut accounts.idle, &self.idle),
        ] {
            for &(account, each) in each {
                into[account] += Time::from_picos(runs * each);
            }
        }
    }
}

/// The account of pauses, which are never booked.
const PAUSES: u8 = 0;

/// A block on a rank, in the first slot that has it.
pub(super) struct Lone<'a> {
    pub block: &'a Block,
    pub slot: &'a Slot,
    pub slot_index: u32,
    /// How many streams are in the foreground.
    pub foreground: u8,
    pub rank: u32,
}

/// Ends of the foreground's instructions, from the opening of the block.
#[derive(Default)]
struct Ends {
    of: [Vec<u64>; MAX_STREAMS],
    /// Start and end of sends on stream 0.
    sends: Vec<(u64, u64, usize)>,
    busy: [u64; MAX_ACCOUNTS],
    idle: [u64; MAX_ACCOUNTS],
}

impl Lone<'_> {
    fn list(&self, stream: usize) -> &[Instruction] {
        self.block.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    /// The block with a foreground as short as can be. `alone` gives the group of a kind that
    /// stands for the rank's, if only its class is in it.
    pub fn condense<'m>(
        &self,
        timing: &impl Timing,
        alone: &impl Fn(u8) -> Option<(u32, &'m [u32])>,
    ) -> Option<(Block, Condensed)> {
        let foreground = usize::from(self.foreground);
        let before: usize = (0..foreground).map(|stream| self.list(stream).len()).sum();
        if before == 0 {
            return None;
        }
        let ends = self.run(timing, alone)?;
        let last = |stream: usize| ends.of[stream].last().copied().unwrap_or(0);
        let length = (0..foreground).map(last).max()?;
        let mut moments = vec![length];
        for stream in foreground..self.block.streams.len() {
            let waits = self
                .list(stream)
                .iter()
                .flat_map(|i| i.waits.iter().flatten());
            let waits =
                waits.filter(|wait| usize::from(wait.stream) < foreground && wait.count > 0);
            moments.extend(waits.map(|wait| ends.end(*wait)));
        }
        moments.extend(ends.sends.iter().flat_map(|(start, end, _)| [*start, *end]));
        moments.sort_unstable();
        moments.dedup();
        let (pauses, reached) = self.pauses(&moments, &ends)?;
        if pauses.len() >= before {
            return None;
        }
        let mut streams = vec![Vec::new(); self.block.streams.len()];
        for (stream, list) in streams.iter_mut().enumerate().skip(foreground) {
            *list = self.list(stream).to_vec();
            let waits = list.iter_mut().flat_map(|i| &mut i.waits);
            for wait in waits {
                if let Some(old) = *wait
                    && usize::from(old.stream) < foreground
                {
                    let moment = if old.count == 0 { 0 } else { ends.end(old) };
                    let at = moments.partition_point(|m| *m < moment);
                    let count = if moment == 0 { 0 } else { reached[at] };
                    *wait = (count > 0).then_some(Wait { stream: 0, count });
                }
            }
        }
        streams[0] = pauses;
        let block = Block {
            window: self.block.window,
            streams,
            drains: self.block.drains,
        };
        let condensed = Condensed {
            busy: booked(&ends.busy),
            idle: booked(&ends.idle),
        };
        Some((block, condensed))
    }

    /// One pause up to each moment, sends in their places; and how many instructions are done
    /// at each moment. Nothing if a moment falls into a send.
    fn pauses(&self, moments: &[u64], ends: &Ends) -> Option<(Vec<Instruction>, Vec<u16>)> {
        let pause = |length: u64| Instruction {
            kind: Kind::Local,
            base: Time::from_picos(length),
            waits: [None, None],
            busy: PAUSES,
            idle: PAUSES,
            load: 0,
            label: 0,
        };
        let mut list = Vec::new();
        let mut reached = Vec::with_capacity(moments.len());
        let mut sends = ends.sends.iter().peekable();
        let mut now = 0;
        for &moment in moments {
            while let Some((start, end, index)) = sends.next_if(|(_, end, _)| *end <= moment) {
                if *start < now {
                    return None;
                }
                if *start > now {
                    list.push(pause(start - now));
                }
                list.push(Instruction {
                    base: Time::from_picos(end - start),
                    waits: [None, None],
                    busy: PAUSES,
                    idle: PAUSES,
                    ..self.list(0)[*index]
                });
                now = *end;
            }
            if moment > now {
                // In a send, this ends before the send does, and the send is refused above.
                list.push(pause(moment - now));
                now = moment;
            }
            reached.push(u16::try_from(list.len()).ok()?);
        }
        Some((list, reached))
    }

    /// Runs the foreground from an opening at zero; nothing if it depends on anything else.
    fn run<'m>(
        &self,
        timing: &impl Timing,
        alone: &impl Fn(u8) -> Option<(u32, &'m [u32])>,
    ) -> Option<Ends> {
        let foreground = usize::from(self.foreground);
        let mut ends = Ends::default();
        for stream in 0..foreground {
            ends.of[stream].reserve_exact(self.list(stream).len());
        }
        loop {
            let mut moved = false;
            for stream in 0..foreground {
                let list = self.list(stream);
                let mut ready = ends.of[stream].last().copied().unwrap_or(0);
                while let Some(instruction) = list.get(ends.of[stream].len()) {
                    let mut start = ready;
                    let mut holds = true;
                    for wait in instruction.waits.iter().flatten() {
                        if wait.count > 0 {
                            let others = &ends.of[usize::from(wait.stream)];
                            match others.get(usize::from(wait.count) - 1) {
                                Some(done) => start = start.max(*done),
                                None => holds = false,
                            }
                        }
                    }
                    if !holds {
                        break;
                    }
                    let duration = self.duration(stream, ends.of[stream].len(), timing, alone)?;
                    let end = start.checked_add(duration.picos())?;
                    if stream == 0 {
                        ends.idle[usize::from(instruction.idle)] += start - ready;
                        ends.busy[usize::from(instruction.busy)] += end - start;
                    }
                    if let Kind::Send { .. } = instruction.kind {
                        ends.sends.push((start, end, ends.of[stream].len()));
                    }
                    ends.of[stream].push(end);
                    ready = end;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        let finished = |stream: usize| ends.of[stream].len() == self.list(stream).len();
        if !(0..foreground).all(finished) {
            // It waits for a background stream, or for itself.
            return None;
        }
        self.close(&mut ends);
        Some(ends)
    }

    fn duration<'m>(
        &self,
        stream: usize,
        index: usize,
        timing: &impl Timing,
        alone: &impl Fn(u8) -> Option<(u32, &'m [u32])>,
    ) -> Option<Time> {
        let instruction = &self.list(stream)[index];
        let site = Site {
            slot: self.slot,
            slot_index: self.slot_index,
            stream: stream as u8,
            index: index as u16,
        };
        match instruction.kind {
            Kind::Local => Some(timing.local(self.rank, site, instruction)),
            // Elsewhere the order of sends among instructions would have to be kept.
            Kind::Send { .. } if stream != 0 => None,
            Kind::Send { .. } => Some(timing.local(self.rank, site, instruction)),
            Kind::Collective { group } => {
                let (index, members) = alone(group)?;
                Some(timing.collective(index, members, site, instruction))
            }
        }
    }

    /// Books what stream 0 stood idle at the end, as the engine does.
    fn close(&self, ends: &mut Ends) {
        let last = |stream: usize| ends.of[stream].last().copied().unwrap_or(0);
        let length = (0..usize::from(self.foreground)).map(last).max();
        let length = length.unwrap_or(0);
        let idle = length - last(0);
        let latest = (1..usize::from(self.foreground)).find(|s| last(*s) == length);
        if idle > 0
            && let Some(last) = latest.and_then(|stream| self.list(stream).last())
        {
            ends.idle[usize::from(last.idle)] += idle;
        }
    }
}

impl Ends {
    /// When a wait for a foreground stream holds.
    fn end(&self, wait: Wait) -> u64 {
        self.of[usize::from(wait.stream)][usize::from(wait.count) - 1]
    }
}
