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
//! time whenever it runs. [`Fold::new`] finds out once what such a foreground takes and books, and
//! the moments that matter outside (sends, and what background streams wait for): [`condense`]. What
//! is left flows without events: [`flow`]. [`Fold::plain`] leaves all instructions to the engine.
//!
//! # Sharing
//! What a block comes to depends on the block, the foreground streams, and the colours of the rank and
//! of its groups. So blocks that programs share ([`Shared`]) are gone through once, and those that
//! jobs share as well, where they are folded with one [`FoldMemo`].

mod condense;
mod course;
mod flow;
mod memo;

use crate::check::JobError;
use crate::classes::Refusal;
use crate::engine::{Engine, EngineError, Mode, Run, Watch};
use crate::observer::{BlockSpan, InstructionSpan, Observer};
use crate::plan::{GroupPlan, Groups};
use crate::program::{Instruction, Job, Kind, MAX_GROUP_KINDS, Program, RankSpec};
use crate::sharing::Shared;
use crate::world::{Accounts, RankState};
use crate::{Site, Timing};
use condense::Lone;
use course::Course;
use flow::{Flow, Flowed};
pub use memo::FoldMemo;
use std::sync::Arc;
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
#[derive(Clone, Debug)]
struct Original {
    index: u32,
    first: u32,
    length: u32,
    colour: u64,
    /// All its members are of one class.
    alone: bool,
    /// Its members in the folded job.
    members: Vec<u32>,
}

/// Who is like whom, and the ranks of the folded job.
#[derive(Debug)]
struct Folded {
    of: Vec<u32>,
    representatives: Vec<u32>,
    sizes: Vec<u32>,
    /// Of representatives.
    colours: Vec<u64>,
    /// The folded job's; their programs are numbered as classes.
    specs: Shared<Vec<RankSpec>>,
    /// By kind and group of the folded job.
    originals: [Vec<Original>; MAX_GROUP_KINDS],
    members: Vec<u32>,
}

impl Folded {
    fn members(&self, original: &Original) -> &[u32] {
        let Original { first, length, .. } = *original;
        &self.members[first as usize..(first + length) as usize]
    }

    /// The group of a kind that stands for those of a class's ranks, if these meet nobody of
    /// another class there.
    fn alone(&self, class: usize, kind: u8) -> Option<&Original> {
        let group = self.specs[class].groups[usize::from(kind)];
        let original = self.originals[usize::from(kind)].get(group as usize);
        original.filter(|original| original.alone)
    }
}

/// What a class runs.
#[derive(Debug, Default)]
struct Courses {
    /// By block; none where no slot has it, or in a plain fold.
    courses: Vec<Option<Arc<Course>>>,
    /// How often each block runs.
    runs: Vec<u64>,
}

/// A folded job, ready to run.
#[derive(Debug)]
pub struct Fold<'a, T> {
    timing: &'a T,
    job: &'a Job,
    folded: Arc<Folded>,
    /// By class; none in a plain fold.
    classes: Vec<Courses>,
    ops: u64,
}

impl<'a, T: Timing> Fold<'a, T> {
    /// Folds a job, and condenses what always takes the same time.
    ///
    /// # Errors
    /// The reason why the full run is the only exact one.
    pub fn new(job: &'a Job, timing: &'a T) -> Result<Fold<'a, T>, Unfoldable> {
        Fold::knowing(job, timing, &mut FoldMemo::default())
    }

    /// As [`Fold::new`], with what is known from other jobs.
    ///
    /// # Errors
    /// As [`Fold::new`].
    pub fn knowing(
        job: &'a Job,
        timing: &'a T,
        memo: &mut FoldMemo,
    ) -> Result<Fold<'a, T>, Unfoldable> {
        let numbers = memo.numbers(job);
        let mut fold = Fold::folded(job, timing, memo, &numbers)?;
        fold.classes = (0..fold.classes())
            .map(|class| fold.courses(class, memo, &numbers))
            .collect();
        Ok(fold)
    }

    /// As [`Fold::new`], every instruction of the representatives left as it is and run by the event
    /// engine: the plain twin.
    ///
    /// # Errors
    /// As [`Fold::new`].
    pub fn plain(job: &'a Job, timing: &'a T) -> Result<Fold<'a, T>, Unfoldable> {
        let mut memo = FoldMemo::default();
        let numbers = memo.numbers(job);
        Fold::folded(job, timing, &mut memo, &numbers)
    }

    /// Everything but courses.
    fn folded(
        job: &'a Job,
        timing: &'a T,
        memo: &mut FoldMemo,
        numbers: &[Vec<usize>],
    ) -> Result<Fold<'a, T>, Unfoldable> {
        if timing.network().is_some() {
            job.check()?;
            return Err(Unfoldable::SharedLinks);
        }
        let folded = memo.folded(job, timing, numbers)?;
        let mut fold = Fold {
            timing,
            job,
            folded,
            classes: Vec::new(),
            ops: 0,
        };
        let sizes = fold.folded.sizes.iter().enumerate();
        let ops = sizes.map(|(class, size)| {
            let numbers = &numbers[fold.number(class)];
            u64::from(*size) * length(fold.program(class), numbers, memo)
        });
        fold.ops = ops.sum();
        Ok(fold)
    }

    /// The courses of a class's blocks.
    fn courses(&self, class: usize, memo: &mut FoldMemo, numbers: &[Vec<usize>]) -> Courses {
        let program = self.program(class);
        let mut runs = vec![0; program.blocks.len()];
        let mut first = vec![0; program.blocks.len()];
        for (index, slot) in program.slots.iter().enumerate().rev() {
            runs[slot.block as usize] += 1;
            first[slot.block as usize] = index;
        }
        let folded = &*self.folded;
        let alone = |kind: u8| {
            let original = folded.alone(class, kind)?;
            Some((original.index, folded.members(original)))
        };
        let groups = std::array::from_fn(|kind| {
            folded
                .alone(class, kind as u8)
                .map(|original| original.colour)
        });
        let key = (program.foreground, folded.colours[class], groups);
        let numbers = &numbers[self.number(class)];
        let blocks = program.blocks.iter().zip(numbers);
        let blocks = blocks.zip(runs.iter().zip(first));
        let courses = blocks.map(|((block, number), (count, first))| {
            (*count > 0).then(|| {
                memo.course(*number, key, || {
                    let lone = Lone {
                        block,
                        slot: &program.slots[first],
                        slot_index: first as u32,
                        foreground: program.foreground,
                        rank: folded.representatives[class],
                    };
                    Course::new(block, &lone, self.timing, &alone)
                })
            })
        });
        Courses {
            courses: courses.collect(),
            runs,
        }
    }

    /// The program of a class's ranks.
    fn number(&self, class: usize) -> usize {
        let rank = self.folded.representatives[class] as usize;
        self.job.ranks[rank].program as usize
    }

    /// What the ranks of a class run.
    fn program(&self, class: usize) -> &'a Program {
        &self.job.programs[self.number(class)]
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.folded.representatives.len()
    }

    /// How many ranks they stand for.
    pub fn ranks(&self) -> usize {
        self.folded.of.len()
    }

    /// Runs the job of representatives. The observer is told of these alone, by their numbers in the
    /// full job: of the blocks of each in order, between ranks in any. One that wants instructions
    /// is told of all of them. `cancel` and `progress` are as in [`Engine::run`].
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
            ranks: &self.folded.representatives,
        };
        let watch = Watch { cancel, progress };
        let is_plain = self.classes.is_empty() || O::WANTS_INSTRUCTIONS;
        let mut flowed = match is_plain {
            true => None,
            false => Flow::new(self, &mut observer).run(watch)?,
        };
        if let Some(flowed) = &mut flowed {
            self.book(&mut flowed.accounts);
        } else if !is_plain {
            // It does not finish, or outgrows time: the engine says why.
            observer.restart();
        }
        let flowed = match flowed {
            Some(flowed) => flowed,
            None => self.engine(&mut observer, watch)?,
        };
        let folded = &*self.folded;
        let mut classes = Vec::with_capacity(folded.sizes.len());
        for (class, accounts) in flowed.accounts.into_iter().enumerate() {
            debug_assert!(accounts.conserve(flowed.end));
            classes.push(FoldedClass {
                representative: folded.representatives[class],
                ranks: folded.sizes[class],
                accounts,
                finish: flowed.finish[class],
            });
        }
        Ok(FoldedRun {
            end: flowed.end,
            classes,
            of: folded.of.clone(),
            ops: self.ops,
            events: flowed.events,
        })
    }

    /// Adds what the instructions of foregrounds of known times have booked.
    fn book(&self, accounts: &mut [Accounts]) {
        for (accounts, class) in accounts.iter_mut().zip(&self.classes) {
            for (course, runs) in class.courses.iter().zip(&class.runs) {
                if let Some(known) = course.as_ref().and_then(|course| course.known.as_ref()) {
                    known.booked.book(accounts, *runs);
                }
            }
        }
    }

    /// Runs all instructions of the representatives on the event engine.
    fn engine<O: Observer>(
        &self,
        observer: &mut O,
        watch: Watch<'_>,
    ) -> Result<Flowed, EngineError> {
        let count = self.classes();
        let job = Job {
            programs: (0..count)
                .map(|class| self.program(class).clone())
                .collect(),
            ranks: self.folded.specs.clone(),
        };
        let mut states = vec![RankState::default(); count];
        let mut accounts = vec![Accounts::default(); count];
        let engine = Engine::new(Mode::Runs);
        let run = engine.run_on(&mut states, &mut accounts, &job, self, observer, watch)?;
        Ok(Flowed {
            end: run.end,
            accounts: run.accounts,
            events: run.events,
            finish: run.finish,
        })
    }
}

/// Durations of representatives are those of the ranks they stand for.
impl<T: Timing> Timing for Fold<'_, T> {
    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        let rank = self.folded.representatives[rank as usize];
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
        let original = &self.folded.originals[usize::from(kind)][group as usize];
        let members = self.folded.members(original);
        self.timing
            .collective(original.index, members, site, instruction)
    }
}

/// Tells an observer of representatives by the numbers they have in the full job.
struct Representatives<'a, O> {
    observer: &'a mut O,
    ranks: &'a [u32],
}

impl<O: Observer> Observer for Representatives<'_, O> {
    const WANTS_INSTRUCTIONS: bool = O::WANTS_INSTRUCTIONS;

    fn restart(&mut self) {
        self.observer.restart();
    }

    fn block(&mut self, span: BlockSpan) {
        let rank = self.ranks[span.rank as usize];
        self.observer.block(BlockSpan { rank, ..span });
    }

    fn instruction(&mut self, span: InstructionSpan<'_>) {
        let rank = self.ranks[span.rank as usize];
        self.observer.instruction(InstructionSpan { rank, ..span });
    }
}

/// Instructions of a program, each as often as it runs.
fn length(program: &Program, numbers: &[usize], memo: &FoldMemo) -> u64 {
    let lengths: Vec<u64> = numbers.iter().map(|number| memo.length(*number)).collect();
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
