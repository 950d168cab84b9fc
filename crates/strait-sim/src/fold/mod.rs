//! Folding: ranks that do the same at the same time are simulated once.
//!
//! In: a [`Job`] and a [`Timing`] that tells ranks apart by colours. Out: what the full run gives,
//! to the tick, with a [`FoldedClass`] in place of each rank. Never an approximation: what cannot
//! be folded exactly is refused, with the reason ([`Unfoldable`]).
//!
//! # Why it is exact
//! Ranks are put in the coarsest classes such that those of a class have one program and colour,
//! send to and hear from the same classes over the same channels, and meet the same classes in
//! groups of the same colour ([`crate::classes`]). Start times are sums and maxima of end times of
//! what came before, so by induction over events, all ranks of a class have the same times. A job
//! with one rank for each class, and one group for each set of classes that meet, then has these
//! times too: a maximum over the members of a group is one over their classes.
//!
//! The collective of a group takes what it takes for one of the groups it stands for, with all its
//! members. Where members run different programs, the instruction of the lowest rank is the one
//! that counts; where that would be another class in the folded job, it is refused.
//!
//! # Condensing
//! With one rank in a class, a block whose foreground waits for nobody outside takes the same
//! time whenever it runs. [`Fold::new`] replaces such foregrounds by pauses between the moments
//! that matter outside (sends, and what background streams wait for) and adds what the
//! instructions would have booked afterwards: [`condense`]. [`Fold::plain`] leaves them whole.

mod condense;

use crate::check::JobError;
use crate::classes::{Classes, Colours, Refusal};
use crate::engine::{Engine, EngineError, Mode, Run, Watch};
use crate::observer::{BlockSpan, InstructionSpan, Observer};
use crate::plan::{GroupPlan, Groups};
use crate::program::{Instruction, Job, Kind, MAX_GROUP_KINDS, Peer, Program, RankSpec};
use crate::world::{Accounts, RankState};
use crate::{Site, Timing};
use condense::{Condensed, Lone};
use std::sync::atomic::AtomicBool;
use strait_units::Time;

/// Why a job is not folded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfoldable {
    /// The job is not well formed.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Durations depend on chance, or on more than a colour says.
    #[error("durations of rank {rank} may differ from those of all others")]
    Chance {
        /// The first such rank.
        rank: u32,
    },
    /// Transfers share links: how long one takes depends on the others under way.
    #[error("transfers share links")]
    SharedLinks,
    /// Messages cannot be told apart without running.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// In the folded job another program would say what a collective is.
    #[error("group {group} of kind {kind} is named after a rank of another program when folded")]
    Speaker {
        /// Group kind.
        kind: u8,
        /// The group.
        group: u32,
    },
}

/// Ranks that have done the same at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedClass {
    /// The lowest of them.
    pub representative: u32,
    /// How many there are.
    pub ranks: u32,
    /// Where the time of each went.
    pub accounts: Accounts,
    /// When each was done, background streams included.
    pub finish: Time,
}

/// What came out of a folded run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedRun {
    /// When the last stream of the last rank was done.
    pub end: Time,
    /// Classes by representative.
    pub classes: Vec<FoldedClass>,
    /// The class of each rank.
    pub of: Vec<u32>,
    /// Program instructions of all ranks, as a full run executes them.
    pub ops: u64,
    /// Events that were needed, of representatives alone.
    pub events: u64,
}

impl FoldedRun {
    /// The full run, but for its events.
    pub fn expand(&self) -> Run {
        let class = |class: &u32| &self.classes[*class as usize];
        Run {
            end: self.end,
            accounts: (self.of.iter().map(class))
                .map(|class| class.accounts.clone())
                .collect(),
            ops: self.ops,
            events: self.events,
            finish: self.of.iter().map(|of| class(of).finish).collect(),
        }
    }
}

/// A group of the full job that stands for all that meet the same classes.
#[derive(Clone, Copy, Debug)]
struct Original {
    index: u32,
    first: u32,
    length: u32,
}

/// A folded job, ready to run.
#[derive(Debug)]
pub struct Fold<'a, T> {
    timing: &'a T,
    job: Job,
    of: Vec<u32>,
    representatives: Vec<u32>,
    sizes: Vec<u32>,
    /// By kind and group of the folded job.
    originals: [Vec<Original>; MAX_GROUP_KINDS],
    members: Vec<u32>,
    /// By class and block; none of them in a plain fold.
    condensed: Vec<Vec<Option<Condensed>>>,
    ops: u64,
}

impl<'a, T: Timing> Fold<'a, T> {
    /// Folds a job, and condenses what always takes the same time.
    ///
    /// # Errors
    /// The reason why the full run is the only exact one.
    pub fn new(job: &Job, timing: &'a T) -> Result<Fold<'a, T>, Unfoldable> {
        let mut fold = Fold::folded(job, timing)?;
        fold.condense(job);
        Ok(fold)
    }

    /// As [`Fold::new`], every instruction of the representatives left as it is: the plain twin,
    /// and what an observer of instructions needs.
    ///
    /// # Errors
    /// As [`Fold::new`].
    pub fn plain(job: &Job, timing: &'a T) -> Result<Fold<'a, T>, Unfoldable> {
        let mut fold = Fold::folded(job, timing)?;
        let programs = fold.representatives.iter().map(|rank| program(job, *rank));
        fold.job.programs = programs.cloned().collect();
        Ok(fold)
    }

    /// Everything but programs.
    fn folded(job: &Job, timing: &'a T) -> Result<Fold<'a, T>, Unfoldable> {
        job.check()?;
        if timing.network().is_some() {
            return Err(Unfoldable::SharedLinks);
        }
        let groups = Groups::new(job);
        let (ranks, of_groups) = colours(job, timing, &groups)?;
        let colours = Colours {
            rank: |rank: u32| ranks[rank as usize],
            group: |kind: usize, group: &GroupPlan| {
                of_groups[groups.kind_first[kind] as usize + group.index as usize]
            },
        };
        let classes = Classes::coloured(job, groups.meetings(), &colours)?;
        let count = classes.count as usize;
        let mut representatives = Vec::with_capacity(count);
        let mut sizes = vec![0u32; count];
        for (rank, class) in classes.of.iter().enumerate() {
            if *class as usize == representatives.len() {
                representatives.push(rank as u32);
            }
            sizes[*class as usize] += 1;
        }
        let meetings = groups.meetings();
        let met = crate::classes::met(meetings, &classes.of, colours.group);
        let mut originals: [Vec<Original>; MAX_GROUP_KINDS] = Default::default();
        // By kind and number of a meeting, the group of the folded job.
        let mut numbers: [Vec<u32>; MAX_GROUP_KINDS] = Default::default();
        for kind in 0..MAX_GROUP_KINDS {
            let (originals, numbers) = (&mut originals[kind], &mut numbers[kind]);
            for (group, number) in meetings.of_kind(kind).iter().zip(&met[kind]) {
                let members = meetings.members_of(group);
                speaks(job, &classes.of, &representatives, kind, group, members)?;
                if *number as usize == numbers.len() {
                    // Groups without members are nobody's.
                    let folded = originals.len() as u32;
                    numbers.push(if members.is_empty() { u32::MAX } else { folded });
                    if !members.is_empty() {
                        originals.push(Original {
                            index: group.index,
                            first: group.first,
                            length: group.length,
                        });
                    }
                }
            }
        }
        let spec = |(class, rank): (usize, &u32)| {
            let spec = &job.ranks[*rank as usize];
            let group = |kind: usize| {
                let number = met[kind].get(spec.groups[kind] as usize);
                number.map_or(u32::MAX, |number| numbers[kind][*number as usize])
            };
            let peer = |peer: &Peer| Peer {
                rank: classes.of[peer.rank as usize],
                channel: peer.channel,
            };
            RankSpec {
                program: class as u32,
                groups: std::array::from_fn(group),
                peers: spec.peers.iter().map(peer).collect(),
            }
        };
        let ranks = representatives.iter().enumerate().map(spec).collect();
        let ops = representatives.iter().zip(&sizes);
        let ops = ops.map(|(rank, size)| u64::from(*size) * length(program(job, *rank)));
        Ok(Fold {
            timing,
            ops: ops.sum(),
            job: Job {
                programs: Vec::new(),
                ranks,
            },
            of: classes.of,
            representatives,
            sizes,
            originals,
            members: groups.members,
            condensed: vec![Vec::new(); count],
        })
    }

    /// Puts in each class's program with its blocks condensed where that is exact.
    fn condense(&mut self, job: &Job) {
        for (class, rank) in self.representatives.iter().enumerate() {
            let original = program(job, *rank);
            let mut blocks = Vec::with_capacity(original.blocks.len());
            let mut runs = vec![(0, 0); original.blocks.len()];
            for (index, slot) in original.slots.iter().enumerate().rev() {
                let (first, count) = &mut runs[slot.block as usize];
                (*first, *count) = (index as u32, *count + 1);
            }
            let alone = |kind: u8| self.alone(class as u32, kind);
            let mut all = Vec::with_capacity(blocks.capacity());
            for (block, (first, count)) in original.blocks.iter().zip(runs) {
                let lone = (count > 0).then(|| Lone {
                    block,
                    slot: &original.slots[first as usize],
                    slot_index: first,
                    foreground: original.foreground,
                    rank: *rank,
                });
                let condensed = lone.and_then(|lone| lone.condense(self.timing, &alone));
                match condensed {
                    Some((block, mut condensed)) => {
                        condensed.runs = count;
                        blocks.push(block);
                        all.push(Some(condensed));
                    }
                    None => {
                        blocks.push(block.clone());
                        all.push(None);
                    }
                }
            }
            self.condensed[class] = all;
            self.job.programs.push(Program {
                blocks,
                slots: original.slots.clone(),
                ..*original
            });
        }
    }

    /// The group of a kind that stands for those of a class's ranks, if these meet nobody of
    /// another class there.
    fn alone(&self, class: u32, kind: u8) -> Option<(u32, &[u32])> {
        let group = self.job.ranks[class as usize].groups[usize::from(kind)];
        let (index, members) = self.original(kind, group);
        let of = |member: &u32| self.of[*member as usize] == class;
        members.iter().all(of).then_some((index, members))
    }

    fn original(&self, kind: u8, group: u32) -> (u32, &[u32]) {
        let Original {
            index,
            first,
            length,
        } = self.originals[usize::from(kind)][group as usize];
        (
            index,
            &self.members[first as usize..(first + length) as usize],
        )
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.representatives.len()
    }

    /// How many ranks they stand for.
    pub fn ranks(&self) -> usize {
        self.of.len()
    }

    /// Runs the job of representatives. The observer is told of these alone, by their own numbers
    /// (and of the instructions left only); `cancel` and `progress` are as in [`Engine::run`].
    ///
    /// # Errors
    /// As [`Engine::run`]; a deadlock names ranks of the folded job, which has one where
    /// the full one has.
    pub fn run<O: Observer>(
        &self,
        observer: &mut O,
        cancel: &AtomicBool,
        progress: &dyn Fn(f64),
    ) -> Result<FoldedRun, EngineError> {
        let mut observer = Representatives {
            observer,
            ranks: &self.representatives,
        };
        let count = self.classes();
        let mut states = vec![RankState::default(); count];
        let mut accounts = vec![Accounts::default(); count];
        let watch = Watch { cancel, progress };
        let engine = Engine::new(Mode::Runs);
        let run = engine.run_on(
            &mut states,
            &mut accounts,
            &self.job,
            self,
            &mut observer,
            watch,
        )?;
        let mut classes = Vec::with_capacity(count);
        for (class, mut accounts) in run.accounts.into_iter().enumerate() {
            for condensed in self.condensed[class].iter().flatten() {
                condensed.book(&mut accounts);
            }
            debug_assert!(accounts.conserve(run.end));
            classes.push(FoldedClass {
                representative: self.representatives[class],
                ranks: self.sizes[class],
                accounts,
                finish: run.finish[class],
            });
        }
        Ok(FoldedRun {
            end: run.end,
            classes,
            of: self.of.clone(),
            ops: self.ops,
            events: run.events,
        })
    }
}

/// Durations of representatives are those of the ranks they stand for.
impl<T: Timing> Timing for Fold<'_, T> {
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let class = rank as usize;
        if site.stream == 0
            && let Some(Some(_)) = self.condensed[class].get(site.slot.block as usize)
        {
            return instruction.base;
        }
        let rank = self.representatives[class];
        self.timing.local(rank, site, instruction)
    }

    fn collective(
        &self,
        group: u32,
        _members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        let Kind::Collective { group: kind } = instruction.kind else {
            return instruction.base;
        };
        let (index, members) = self.original(kind, group);
        self.timing.collective(index, members, site, instruction)
    }
}

/// Tells an observer of representatives by the numbers they have in the full job.
struct Representatives<'a, O> {
    observer: &'a mut O,
    ranks: &'a [u32],
}

impl<O: Observer> Observer for Representatives<'_, O> {
    const WANTS_INSTRUCTIONS: bool = O::WANTS_INSTRUCTIONS;

    fn block(&mut self, span: BlockSpan) {
        let rank = self.ranks[span.rank as usize];
        self.observer.block(BlockSpan { rank, ..span });
    }

    fn instruction(&mut self, span: InstructionSpan<'_>) {
        let rank = self.ranks[span.rank as usize];
        self.observer.instruction(InstructionSpan { rank, ..span });
    }
}

fn program(job: &Job, rank: u32) -> &Program {
    &job.programs[job.ranks[rank as usize].program as usize]
}

/// Instructions of a program, each as often as it runs.
fn length(program: &Program) -> u64 {
    let of_block = |block: &crate::Block| block.streams.iter().map(Vec::len).sum::<usize>() as u64;
    let lengths: Vec<u64> = program.blocks.iter().map(of_block).collect();
    let slots = program.slots.iter();
    slots.map(|slot| lengths[slot.block as usize]).sum()
}

/// The colours of ranks, and of groups in the order in which they are listed.
fn colours(
    job: &Job,
    timing: &impl Timing,
    groups: &Groups,
) -> Result<(Vec<u64>, Vec<u64>), Unfoldable> {
    let of_rank = |rank: u32| timing.colour(rank).ok_or(Unfoldable::Chance { rank });
    let ranks: Vec<u64> = (0..job.ranks.len() as u32)
        .map(of_rank)
        .collect::<Result<_, _>>()?;
    let meetings = groups.meetings();
    let mut of_groups = Vec::with_capacity(groups.groups.len());
    for kind in 0..MAX_GROUP_KINDS {
        for group in meetings.of_kind(kind) {
            let members = meetings.members_of(group);
            let colour = match members.first() {
                None => 0,
                Some(&rank) => timing
                    .group_colour(kind as u8, group.index, members)
                    .ok_or(Unfoldable::Chance { rank })?,
            };
            of_groups.push(colour);
        }
    }
    Ok((ranks, of_groups))
}

/// Sees that the program of a group's lowest rank is that of its lowest class: the engine asks
/// for times at the instruction of the lowest member.
fn speaks(
    job: &Job,
    of: &[u32],
    representatives: &[u32],
    kind: usize,
    group: &GroupPlan,
    members: &[u32],
) -> Result<(), Unfoldable> {
    let lowest = members.iter().map(|member| of[*member as usize]).min();
    let folded = lowest.map(|class| representatives[class as usize]);
    let program = |rank: Option<u32>| rank.map(|rank| job.ranks[rank as usize].program);
    if program(members.first().copied()) == program(folded) {
        return Ok(());
    }
    Err(Unfoldable::Speaker {
        kind: kind as u8,
        group: group.index,
    })
}
