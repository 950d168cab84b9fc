//! The plain twin of the engine: no queue, no clock, no state of streams.
//!
//! Looks again and again for anything whose start is known, until nothing changes. Every
//! time is a sum or a maximum of times found before, straight from the semantics in
//! `program.rs`. Quadratic, and meant to be read.

use std::collections::BTreeMap;
use strait_sim::{Accounts, Instruction, Job, Kind, Program, Run, Site, Timing};
use strait_units::Time;

/// Which instruction: rank, slot, stream, index.
pub type At = (usize, usize, usize, usize);

/// When each instruction ran.
pub type Spans = BTreeMap<At, (u64, u64)>;

struct Twin<'a, T> {
    job: &'a Job,
    timing: &'a T,
    /// When an instruction's own stream and waits would let it start.
    ready: BTreeMap<At, u64>,
    spans: Spans,
    opens: BTreeMap<(usize, usize), u64>,
    closes: BTreeMap<(usize, usize), u64>,
}

/// Runs a job; `None` if it cannot finish.
pub fn run<T: Timing>(job: &Job, timing: &T) -> Option<(Run, Spans)> {
    let mut twin = Twin {
        job,
        timing,
        ready: BTreeMap::new(),
        spans: BTreeMap::new(),
        opens: BTreeMap::new(),
        closes: BTreeMap::new(),
    };
    while twin.pass() {}
    let slots: usize = (0..job.ranks.len())
        .map(|r| twin.program(r).slots.len())
        .sum();
    let ops = twin.all().len();
    (twin.closes.len() == slots && twin.spans.len() == ops).then(|| twin.result())
}

impl<T: Timing> Twin<'_, T> {
    fn program(&self, rank: usize) -> &Program {
        &self.job.programs[self.job.ranks[rank].program as usize]
    }

    fn list(&self, rank: usize, slot: usize, stream: usize) -> &[Instruction] {
        let program = self.program(rank);
        let block = &program.blocks[program.slots[slot].block as usize];
        block.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    fn instruction(&self, at: At) -> &Instruction {
        &self.list(at.0, at.1, at.2)[at.3]
    }

    /// Every instruction of a rank's stream in a slot.
    fn of_list(&self, rank: usize, slot: usize, stream: usize) -> Vec<At> {
        let count = self.list(rank, slot, stream).len();
        (0..count).map(|i| (rank, slot, stream, i)).collect()
    }

    /// Every instruction of a rank, in order of slots.
    fn of_rank(&self, rank: usize) -> Vec<At> {
        let slots = 0..self.program(rank).slots.len();
        slots
            .flat_map(|slot| (0..4).flat_map(move |stream| self.of_list(rank, slot, stream)))
            .collect()
    }

    fn all(&self) -> Vec<At> {
        (0..self.job.ranks.len())
            .flat_map(|rank| self.of_rank(rank))
            .collect()
    }

    fn end(&self, at: At) -> Option<u64> {
        self.spans.get(&at).map(|span| span.1)
    }

    /// The latest end of several instructions, or `start` if there are none.
    fn latest(&self, start: u64, of: impl IntoIterator<Item = At>) -> Option<u64> {
        of.into_iter()
            .try_fold(start, |latest, at| Some(latest.max(self.end(at)?)))
    }

    fn streams(&self, rank: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let foreground = usize::from(self.program(rank).foreground);
        (0..foreground, foreground..4)
    }

    /// The transfer of the `count`-th message on a channel, which one stream of one rank feeds.
    fn message(&self, rank: usize, channel: u8, count: u32) -> Option<(u64, u64)> {
        let mut sends = self.all();
        sends.retain(|at| match self.instruction(*at).kind {
            Kind::Send { peer } => {
                let peer = self.job.ranks[at.0].peers[usize::from(peer)];
                (peer.rank as usize, peer.channel) == (rank, channel)
            }
            _ => false,
        });
        let nth = sends.get(count as usize - 1)?;
        self.spans.get(nth).copied()
    }

    fn open(&self, rank: usize, slot: usize) -> Option<u64> {
        let program = self.program(rank);
        let mut open = match slot {
            0 => 0,
            _ => *self.closes.get(&(rank, slot - 1))?,
        };
        let entries = program.slots[slot].entry.iter().flatten();
        for entry in entries.filter(|entry| entry.count > 0) {
            open = open.max(self.message(rank, entry.channel, entry.count)?.1);
        }
        if program.blocks[program.slots[slot].block as usize].drains {
            let background = self.streams(rank).1;
            for stream in background {
                for earlier in 0..slot {
                    open = self.latest(open, self.of_list(rank, earlier, stream))?;
                }
            }
        }
        Some(open)
    }

    fn close(&self, rank: usize, slot: usize) -> Option<u64> {
        let open = *self.opens.get(&(rank, slot))?;
        let lists = self.streams(rank).0;
        self.latest(open, lists.flat_map(|s| self.of_list(rank, slot, s)))
    }

    fn ready(&self, at: At) -> Option<u64> {
        let (rank, slot, stream, index) = at;
        let mut ready = *self.opens.get(&(rank, slot))?;
        // A foreground stream's earlier slots ended before this one opened.
        for earlier in 0..slot {
            ready = self.latest(ready, self.of_list(rank, earlier, stream))?;
        }
        ready = self.latest(ready, (0..index).map(|i| (rank, slot, stream, i)))?;
        for wait in self.instruction(at).waits.iter().flatten() {
            let awaited = (0..usize::from(wait.count)).map(|i| (rank, slot, wait.stream.into(), i));
            ready = self.latest(ready, awaited)?;
        }
        Some(ready)
    }

    fn site(&self, at: At) -> Site<'_> {
        Site {
            slot: &self.program(at.0).slots[at.1],
            slot_index: at.1 as u32,
            stream: at.2 as u8,
            index: at.3 as u16,
        }
    }

    /// The members' n-th collectives of a kind, where n is the place of `at` among its rank's.
    fn meeting(&self, at: At, kind: u8) -> (u32, Vec<u32>, Vec<At>) {
        let collectives = |rank: usize| {
            let mut all = self.of_rank(rank);
            all.retain(|at| self.instruction(*at).kind == Kind::Collective { group: kind });
            all
        };
        let group = |rank: usize| self.job.ranks[rank].groups[usize::from(kind)];
        let n = collectives(at.0).iter().position(|other| *other == at);
        let ranks = 0..self.job.ranks.len();
        let members: Vec<usize> = ranks.filter(|r| group(*r) == group(at.0)).collect();
        let places = members.iter().map(|m| collectives(*m)[n.unwrap()]);
        let places = places.collect();
        (
            group(at.0),
            members.iter().map(|m| *m as u32).collect(),
            places,
        )
    }

    fn span(&self, at: At) -> Option<(u64, u64)> {
        let instruction = self.instruction(at);
        let ready = *self.ready.get(&at)?;
        let Kind::Collective { group: kind } = instruction.kind else {
            let duration = self.timing.local(at.0 as u32, self.site(at), instruction);
            return Some((ready, ready + duration.picos()));
        };
        let (group, members, places) = self.meeting(at, kind);
        let start = (places.iter()).try_fold(0, |latest: u64, place| {
            Some(latest.max(*self.ready.get(place)?))
        })?;
        let first = places[0];
        let duration =
            (self.timing).collective(group, &members, self.site(first), self.instruction(first));
        Some((start, start + duration.picos()))
    }

    /// Finds what can be known from what is known; says whether there was anything new.
    fn pass(&mut self) -> bool {
        let before = self.known();
        for rank in 0..self.job.ranks.len() {
            for slot in 0..self.program(rank).slots.len() {
                if let Some(open) = self.open(rank, slot) {
                    self.opens.insert((rank, slot), open);
                }
                let lists = (0..4).map(|stream| self.of_list(rank, slot, stream));
                for at in lists.collect::<Vec<_>>().concat() {
                    if !self.spans.contains_key(&at) {
                        if let Some(ready) = self.ready(at) {
                            self.ready.insert(at, ready);
                        }
                        if let Some(span) = self.span(at) {
                            self.spans.insert(at, span);
                        }
                    }
                }
                if let Some(close) = self.close(rank, slot) {
                    self.closes.insert((rank, slot), close);
                }
            }
        }
        self.known() > before
    }

    fn known(&self) -> usize {
        self.opens.len() + self.closes.len() + self.ready.len() + self.spans.len()
    }

    fn accounts(&self, rank: usize) -> Accounts {
        let mut accounts = Accounts {
            first_open: [Time::MAX; 8],
            ..Accounts::default()
        };
        let ps = Time::from_picos;
        let program = self.program(rank);
        let mut closed = 0;
        for (index, slot) in program.slots.iter().enumerate() {
            let window = usize::from(program.blocks[slot.block as usize].window);
            let (open, close) = (self.opens[&(rank, index)], self.closes[&(rank, index)]);
            accounts.window[window] += ps(close - open);
            accounts.blocks[window] += 1;
            accounts.first_open[window] = accounts.first_open[window].min(ps(open));
            accounts.last_close[window] = ps(close);
            accounts.gaps[window] += ps(open - closed);
            let sent = (slot.entry.iter().flatten())
                .filter(|entry| entry.count > 0)
                .map(|entry| self.message(rank, entry.channel, entry.count).unwrap())
                .filter(|(_, arrival)| *arrival == open)
                .map(|(start, _)| start)
                .min();
            if let Some(sent) = sent {
                accounts.gap_transfers[window] += ps(open - sent.max(closed));
            }
            closed = close;

            let mut free = open;
            for at in self.of_list(rank, index, 0) {
                let (start, end) = self.spans[&at];
                let instruction = self.instruction(at);
                accounts.idle[usize::from(instruction.idle)] += ps(start - free);
                accounts.busy[usize::from(instruction.busy)] += ps(end - start);
                free = end;
            }
            let last = self.streams(rank).0.skip(1).find_map(|stream| {
                let last = *self.of_list(rank, index, stream).last()?;
                (self.spans[&last].1 == close).then(|| self.instruction(last).idle)
            });
            if free < close {
                accounts.idle[usize::from(last.unwrap())] += ps(close - free);
            }
        }
        accounts
    }

    fn result(self) -> (Run, Spans) {
        let ranks = 0..self.job.ranks.len();
        let finish: Vec<u64> = ranks
            .clone()
            .map(|rank| {
                let ends = self.of_rank(rank).into_iter().map(|at| self.spans[&at].1);
                let slots = 0..self.program(rank).slots.len();
                let closes = slots.map(|slot| self.closes[&(rank, slot)]);
                ends.chain(closes).max().unwrap_or(0)
            })
            .collect();
        let run = Run {
            end: Time::from_picos(finish.iter().copied().max().unwrap_or(0)),
            accounts: ranks.map(|rank| self.accounts(rank)).collect(),
            ops: self.spans.len() as u64,
            events: 0,
            finish: finish.into_iter().map(Time::from_picos).collect(),
        };
        (run, self.spans)
    }
}
