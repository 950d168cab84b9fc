//! Which ranks are alike: the coarsest classes in which all see the same.
//!
//! In: a [`Job`] and who meets whom in it; for folding, what the times of each rank and group
//! are told apart by. Out: a class for each rank, such that the ranks of a class run the same
//! program, exchange messages with ranks of the same classes over the same channels, and
//! meet the same classes in their groups. Never looks at times itself.
//!
//! Found by colour refinement: start with the programs, split what differs, until nothing
//! does. What that is good for:
//! - [Lanes](crate::Lanes): ranks of a class advance in step. Say that a class waits when any
//!   of its ranks does. If classes wait for each other in a circle, then, each rank of a class
//!   having what it waits for in the next class, so do ranks, and the job cannot finish by any
//!   engine. So classes in step finish exactly the jobs that can finish.
//! - [Folds](crate::Fold): with colours that tell all times apart, ranks of a class do the same
//!   at the same time, and one speaks for all.

use crate::plan::{GroupPlan, Plan};
use crate::program::{Block, Job, Kind, MAX_GROUP_KINDS, Program};
use std::collections::BTreeMap;

/// No class, channel or rank.
pub(crate) const NONE: u32 = u32::MAX;

/// Why ranks cannot be put in classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Which message is the n-th would depend on when they arrive.
    #[error("channel {channel} of rank {rank} is fed by more than one stream")]
    SharedChannel {
        /// The receiving rank.
        rank: u32,
        /// The channel that its slots wait for.
        channel: u8,
    },
    /// A transfer on shared links starts before something on them that is known already.
    #[error("transfers over shared links do not come in the order of their times")]
    OutOfOrder,
}

/// Who sends on a channel of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Feed {
    rank: u32,
    stream: u8,
    /// Peer indices of that rank which mean this channel, as a mask.
    peers: [u64; 4],
}

/// What a program does with channels, in the slots that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Peers of its sends, and the streams these are on.
    pub sends: Vec<(u8, u8)>,
    /// For each channel, the largest count that a slot waits for.
    pub awaited: Vec<u32>,
}

/// Who meets whom: the groups of a [`crate::plan::Plan`] or of a fold.
#[derive(Clone, Copy)]
pub(crate) struct Meetings<'a> {
    /// By kind and index; kinds without collectives have none.
    pub groups: &'a [GroupPlan],
    /// The members that groups refer to.
    pub members: &'a [u32],
    /// Where the groups of each kind begin.
    pub kind_first: &'a [u32; MAX_GROUP_KINDS],
}

impl<'a> Meetings<'a> {
    /// The groups of a kind by index; none if it has no collectives.
    pub fn of_kind(self, kind: usize) -> &'a [GroupPlan] {
        let first = self.kind_first[kind] as usize;
        let next = self.kind_first.get(kind + 1);
        &self.groups[first..next.map_or(self.groups.len(), |next| *next as usize)]
    }

    /// The members of a group, by rank.
    pub fn members_of(self, group: &GroupPlan) -> &'a [u32] {
        &self.members[group.first as usize..(group.first + group.length) as usize]
    }
}

/// What tells ranks and groups apart beside who runs what with whom.
pub(crate) struct Colours<R, G> {
    /// Of a rank.
    pub rank: R,
    /// Of a group: its kind, and the group.
    pub group: G,
}

/// The classes of a job's ranks.
#[derive(Debug)]
pub(crate) struct Classes {
    /// The class of each rank; numbered by their first rank.
    pub of: Vec<u32>,
    pub count: u32,
    /// By program.
    pub uses: Vec<Uses>,
}

/// Rounds after which classes are not worth having; then each rank is its own.
const MOST_ROUNDS: usize = 64;

impl Classes {
    /// Classes of what ranks do, whatever it takes. `apart`: ranks that never meet on foreground
    /// streams are in classes of their own, so that no lane is ahead of another for long.
    pub fn new(plan: &Plan<'_>, apart: bool) -> Result<Classes, Refusal> {
        let companies = apart.then(|| companies(plan));
        let company = |rank: u32| companies.as_ref().map_or(0, |of| of[rank as usize]);
        let colours = Colours {
            rank: |rank| u64::from(company(rank)),
            group: |_, _: &GroupPlan| 0,
        };
        let uses = plan.job.programs.iter();
        let uses = uses.map(|program| {
            Uses::of(program, |block, sends| {
                sends.extend(sends_of(&program.blocks[block]))
            })
        });
        Classes::coloured(plan.job, uses.collect(), plan.meetings(), &colours)
    }

    /// Classes of ranks of one colour in groups of one colour.
    pub fn coloured(
        job: &Job,
        uses: Vec<Uses>,
        meetings: Meetings<'_>,
        colours: &Colours<impl Fn(u32) -> u64, impl Fn(usize, &GroupPlan) -> u64>,
    ) -> Result<Classes, Refusal> {
        let mut first_channel = Vec::with_capacity(job.ranks.len());
        let mut channels = 0usize;
        for spec in &job.ranks {
            first_channel.push(channels);
            channels += uses[spec.program as usize].awaited.len();
        }
        let feeds = feeds(job, &uses, &first_channel, channels)?;
        let (mut of, mut count) = number(job.ranks.len(), None, |rank, seen| {
            let colour = (colours.rank)(rank as u32);
            seen.extend([
                job.ranks[rank].program,
                colour as u32,
                (colour >> 32) as u32,
            ]);
        });
        for _ in 0..MOST_ROUNDS {
            let met = met(meetings, &of, &colours.group);
            let (finer, more) = number(of.len(), Some(&of), |rank, seen| {
                let spec = &job.ranks[rank];
                let mine = &uses[spec.program as usize];
                for &(peer, _) in &mine.sends {
                    let peer = spec.peers[usize::from(peer)];
                    let there = job.ranks[peer.rank as usize].program as usize;
                    if uses[there].awaited[usize::from(peer.channel)] > 0 {
                        seen.extend([of[peer.rank as usize], u32::from(peer.channel)]);
                    } else {
                        seen.extend([NONE, NONE]);
                    }
                }
                for feed in &feeds[first_channel[rank]..first_channel[rank] + mine.awaited.len()] {
                    let Some(feed) = feed else {
                        seen.push(NONE);
                        continue;
                    };
                    seen.push(of[feed.rank as usize]);
                    seen.extend((feed.peers.iter()).flat_map(|p| [*p as u32, (*p >> 32) as u32]));
                }
                for (kind, met) in met.iter().enumerate() {
                    let group = spec.groups[kind] as usize;
                    seen.push(met.get(group).copied().unwrap_or(NONE));
                }
            });
            if more == count {
                return Ok(Classes { of, count, uses });
            }
            (of, count) = (finer, more);
        }
        let ranks = of.len() as u32;
        Ok(Classes {
            of: (0..ranks).collect(),
            count: ranks,
            uses,
        })
    }
}

/// Numbers distinct values in the order in which they appear; with `within`, those of one old
/// class apart from those of others.
fn number(
    count: usize,
    within: Option<&[u32]>,
    value: impl Fn(usize, &mut Vec<u32>),
) -> (Vec<u32>, u32) {
    let mut known: BTreeMap<(u32, Vec<u32>), u32> = BTreeMap::new();
    // By old class, the value seen last and its number: mostly the next is the same.
    let mut last: Vec<(Vec<u32>, u32)> = Vec::new();
    let mut seen = Vec::new();
    let of = (0..count)
        .map(|index| {
            let old = within.map_or(0, |of| of[index]);
            seen.clear();
            value(index, &mut seen);
            if last.len() <= old as usize {
                last.resize(old as usize + 1, (Vec::new(), NONE));
            }
            let last = &mut last[old as usize];
            if last.1 == NONE || last.0 != seen {
                let next = known.len() as u32;
                let number = *known.entry((old, seen.clone())).or_insert(next);
                *last = (seen.clone(), number);
            }
            last.1
        })
        .collect();
    (of, known.len() as u32)
}

impl Uses {
    /// Of a program; `sends` adds those of a block by its number, peers and streams.
    pub fn of(program: &Program, sends: impl Fn(usize, &mut Vec<(u8, u8)>)) -> Uses {
        let mut used = vec![false; program.blocks.len()];
        let mut uses = Uses {
            sends: Vec::new(),
            awaited: vec![0; usize::from(program.channels)],
        };
        for slot in &program.slots {
            used[slot.block as usize] = true;
            for entry in slot.entry.iter().flatten() {
                let awaited = &mut uses.awaited[usize::from(entry.channel)];
                *awaited = (*awaited).max(entry.count);
            }
        }
        for (block, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            sends(block, &mut uses.sends);
        }
        uses.sends.sort_unstable();
        uses.sends.dedup();
        uses
    }

    /// Whether ranks of a program with these are in the same classes as those of one with the others:
    /// it matters what is waited for, and not how often.
    pub fn are_as(&self, other: &Uses) -> bool {
        let awaited = |uses: &Uses| {
            uses.awaited
                .iter()
                .map(|count| *count > 0)
                .collect::<Vec<_>>()
        };
        self.sends == other.sends && awaited(self) == awaited(other)
    }
}

/// Peers and streams of a block's sends.
pub(crate) fn sends_of(block: &Block) -> impl Iterator<Item = (u8, u8)> + '_ {
    let lists = block.streams.iter().enumerate();
    lists.flat_map(|(stream, list)| {
        list.iter()
            .filter_map(move |instruction| match instruction.kind {
                Kind::Send { peer } => Some((peer, stream as u8)),
                _ => None,
            })
    })
}

/// For each rank, the lowest of those that it is connected with by collectives on foreground
/// streams, those of blocks that drain left out: they meet again and again.
fn companies(plan: &Plan<'_>) -> Vec<u32> {
    let mut kinds = [false; MAX_GROUP_KINDS];
    for (program, block) in (plan.job.programs.iter())
        .flat_map(|program| program.blocks.iter().map(move |block| (program, block)))
        .filter(|(_, block)| !block.drains)
    {
        for op in (block.streams.iter().take(usize::from(program.foreground))).flatten() {
            if let Kind::Collective { group } = op.kind {
                kinds[usize::from(group)] = true;
            }
        }
    }
    let mut of: Vec<u32> = (0..plan.job.ranks.len() as u32).collect();
    let root = |of: &mut Vec<u32>, mut at: u32| {
        while of[at as usize] != at {
            of[at as usize] = of[of[at as usize] as usize];
            at = of[at as usize];
        }
        at
    };
    for kind in (0..MAX_GROUP_KINDS).filter(|kind| kinds[*kind]) {
        for group in plan.groups_of(kind) {
            let members = group.first as usize..(group.first + group.length) as usize;
            for pair in plan.members[members].windows(2) {
                let (a, b) = (root(&mut of, pair[0]), root(&mut of, pair[1]));
                of[a.max(b) as usize] = a.min(b);
            }
        }
    }
    (0..of.len() as u32)
        .map(|rank| root(&mut of, rank))
        .collect()
}

/// Who feeds each channel that a slot waits for.
fn feeds(
    job: &Job,
    uses: &[Uses],
    first_channel: &[usize],
    channels: usize,
) -> Result<Vec<Option<Feed>>, Refusal> {
    let mut feeds: Vec<Option<Feed>> = vec![None; channels];
    for (rank, spec) in job.ranks.iter().enumerate() {
        for &(index, stream) in &uses[spec.program as usize].sends {
            let peer = spec.peers[usize::from(index)];
            let there = job.ranks[peer.rank as usize].program as usize;
            if uses[there].awaited[usize::from(peer.channel)] == 0 {
                continue;
            }
            let at = first_channel[peer.rank as usize] + usize::from(peer.channel);
            let rank = rank as u32;
            let feed = feeds[at].get_or_insert(Feed {
                rank,
                stream,
                peers: [0; 4],
            });
            if (feed.rank, feed.stream) != (rank, stream) {
                return Err(Refusal::SharedChannel {
                    rank: peer.rank,
                    channel: peer.channel,
                });
            }
            feed.peers[usize::from(index >> 6)] |= 1 << (index & 63);
        }
    }
    Ok(feeds)
}

/// For each kind and group, a number for its colour and the set of classes that meet there.
pub(crate) fn met(
    meetings: Meetings<'_>,
    of: &[u32],
    colour: impl Fn(usize, &GroupPlan) -> u64,
) -> [Vec<u32>; MAX_GROUP_KINDS] {
    std::array::from_fn(|kind| {
        let groups = meetings.of_kind(kind);
        let value = |index: usize, seen: &mut Vec<u32>| {
            for member in meetings.members_of(&groups[index]) {
                let class = of[*member as usize];
                if seen.last() != Some(&class) {
                    seen.push(class);
                }
            }
            seen.sort_unstable();
            seen.dedup();
            let colour = colour(kind, &groups[index]);
            seen.extend([colour as u32, (colour >> 32) as u32]);
        };
        number(groups.len(), None, value).0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Block, EntryWait, Instruction, Job, Peer, Program, RankSpec, Slot};
    use strait_units::Time;

    /// Each rank sends to the next in its row; those of the first column wait for nothing.
    /// Ranks of a column share a program, and meet in a group of kind 0 as they are told.
    fn rows(rows: u32, columns: u32, group: impl Fn(u32, u32) -> u32) -> Job {
        let op = |kind| Instruction {
            kind,
            base: Time::ZERO,
            waits: [None, None],
            busy: 0,
            idle: 0,
            load: 0,
            label: 0,
        };
        let program = |column: u32| {
            let entry = EntryWait {
                channel: 0,
                count: 1,
            };
            Program {
                blocks: vec![
                    Block {
                        streams: vec![vec![
                            op(Kind::Collective { group: 0 }),
                            op(Kind::Send { peer: 0 }),
                        ]],
                        ..Block::default()
                    }
                    .into(),
                ],
                slots: vec![Slot {
                    block: 0,
                    keys: [0, 0],
                    entry: [(column > 0).then_some(entry), None],
                }],
                foreground: 1,
                channels: 1,
            }
        };
        let rank = |rank: u32| {
            let (row, column) = (rank / columns, rank % columns);
            let mut groups = [u32::MAX; MAX_GROUP_KINDS];
            groups[0] = group(row, column);
            RankSpec {
                program: column,
                groups,
                // The last column sends to the first of its row, which does not wait.
                peers: vec![Peer {
                    rank: row * columns + (column + 1) % columns,
                    channel: 0,
                }],
            }
        };
        Job {
            programs: (0..columns).map(program).collect(),
            ranks: (0..rows * columns).map(rank).collect(),
        }
    }

    fn classes(job: &Job) -> Vec<u32> {
        job.check().unwrap();
        Classes::new(&Plan::new(job), false).unwrap().of
    }

    #[test]
    fn replicas_are_one_class_a_stage() {
        assert_eq!(classes(&rows(4, 2, |_, column| column)), [0, 1].repeat(4));
        // Groups across stages do not matter either, if all are alike.
        assert_eq!(classes(&rows(4, 2, |row, _| row / 2)), [0, 1].repeat(4));
    }

    #[test]
    fn a_group_that_differs_splits_all_it_touches() {
        // The first row meets itself across columns, the others in their own column.
        let odd = |row, column| if row == 0 { 0 } else { 1 + column };
        assert_eq!(classes(&rows(3, 2, odd)), [0, 1, 2, 3, 2, 3]);
    }

    #[test]
    fn receivers_differ_as_their_senders_do() {
        let mut job = rows(4, 2, |row, column| 2 * row + column);
        let other = job.programs[0].clone();
        job.programs.push(other);
        for row in 2..4 {
            job.ranks[2 * row].program = 2;
        }
        assert_eq!(classes(&job), [0, 1, 0, 1, 2, 3, 2, 3]);
    }

    #[test]
    fn a_chain_within_a_program_falls_apart() {
        let mut job = rows(4, 1, |row, _| row);
        let mut waits = job.programs[0].clone();
        waits.slots[0].entry[0] = Some(EntryWait {
            channel: 0,
            count: 1,
        });
        job.programs.push(waits);
        for rank in 0..4 {
            job.ranks[rank as usize].program = u32::from(rank > 0);
            job.ranks[rank as usize].peers[0].rank = (rank + 1) % 4;
        }
        assert_eq!(classes(&job), [0, 1, 2, 3]);
    }

    #[test]
    fn long_chains_are_left_to_each_rank() {
        let many = 3 * MOST_ROUNDS as u32;
        let mut job = rows(many, 1, |row, _| row);
        let entry = EntryWait {
            channel: 0,
            count: 1,
        };
        job.programs[0].slots[0].entry[0] = Some(entry);
        for rank in 0..many {
            job.ranks[rank as usize].peers[0].rank = (rank + 1).min(many - 1);
        }
        // The last rank feeds its own channel, as does the one before.
        assert!(Classes::new(&Plan::new(&job), false).is_err());
        job.ranks[many as usize - 1].peers[0].rank = 0;
        // A ring: all alike, and none can start.
        assert_eq!(classes(&job), vec![0; many as usize]);
        // One that does not wait: now each differs by its distance from it.
        let mut first = job.programs[0].clone();
        first.slots[0].entry[0] = None;
        job.programs.push(first);
        job.ranks[0].program = 1;
        let ranks: Vec<u32> = (0..many).collect();
        assert_eq!(classes(&job), ranks);
    }
}
