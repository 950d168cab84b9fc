//! What is known of folded jobs, for the next that shares blocks or ranks with them.
//!
//! In: blocks and jobs as they are folded. Out: what was found out about the very same ones before.
//! Never about equal ones: only [`Shared`] values that are one and the same are recognised.

use super::course::Course;
use super::{Folded, Original, Unfoldable, colours, speaks};
use crate::check::Needs;
use crate::classes::{Classes, Colours, Uses, sends_of};
use crate::plan::{GroupPlan, Groups};
use crate::program::{Block, Job, MAX_GROUP_KINDS, Peer, RankSpec};
use crate::sharing::Shared;
use crate::{JobError, Timing};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a block's course depends on beside the block: foreground streams, the colours of the rank and
/// of the groups in which it meets its own class alone.
pub(super) type CourseKey = (u8, u64, [Option<u64>; MAX_GROUP_KINDS]);

/// Courses of one block.
type Courses = Vec<(CourseKey, Arc<Course>)>;

/// A block that was seen.
#[derive(Debug)]
struct Known {
    /// Held, so that no other block comes to its address.
    block: Shared<Block>,
    needs: Option<Needs>,
    sends: Vec<(u8, u8)>,
    /// Instructions of all its streams.
    length: u64,
    courses: Courses,
}

/// Jobs that are remembered.
const JOBS: usize = 4;

/// What of a job says who is like whom.
#[derive(Debug)]
struct Alike {
    ranks: Shared<Vec<RankSpec>>,
    needs: Vec<Needs>,
    uses: Vec<Uses>,
    groups: Arc<Groups>,
    /// By the colours of ranks and groups.
    folded: Vec<(Vec<u64>, Vec<u64>, Arc<Folded>)>,
}

/// What was found out about jobs that were folded with it: nothing is found out twice about blocks and
/// ranks that jobs share ([`Shared`]).
///
/// The timings of these jobs must agree: one and the same block takes the same on ranks of one
/// colour in groups of one colour, whatever job it is in.
#[derive(Debug, Default)]
pub struct FoldMemo {
    blocks: Vec<Known>,
    numbers: BTreeMap<usize, usize>,
    jobs: Vec<Alike>,
}

impl FoldMemo {
    /// The number of a block.
    fn number(&mut self, block: &Shared<Block>) -> usize {
        let blocks = &mut self.blocks;
        let number = *(self.numbers.entry(Shared::address(block))).or_insert_with(|| {
            blocks.push(Known {
                block: block.clone(),
                needs: Needs::of(block),
                sends: sends_of(block).collect(),
                length: block.streams.iter().map(|list| list.len() as u64).sum(),
                courses: Vec::new(),
            });
            blocks.len() - 1
        });
        debug_assert!(Shared::same(&blocks[number].block, block));
        number
    }

    /// The numbers of the blocks of a job's programs.
    pub(super) fn numbers(&mut self, job: &Job) -> Vec<Vec<usize>> {
        let programs = job.programs.iter();
        programs
            .map(|program| program.blocks.iter().map(|b| self.number(b)).collect())
            .collect()
    }

    /// Instructions of a block.
    pub(super) fn length(&self, block: usize) -> u64 {
        self.blocks[block].length
    }

    /// The course of a block on a class.
    pub(super) fn course(
        &mut self,
        block: usize,
        key: CourseKey,
        make: impl FnOnce() -> Course,
    ) -> Arc<Course> {
        let courses = &mut self.blocks[block].courses;
        if let Some((_, course)) = courses.iter().find(|(known, _)| *known == key) {
            return Arc::clone(course);
        }
        let course = Arc::new(make());
        courses.push((key, Arc::clone(&course)));
        course
    }

    /// Who is like whom in a job.
    pub(super) fn folded(
        &mut self,
        job: &Job,
        timing: &impl Timing,
        numbers: &[Vec<usize>],
    ) -> Result<Arc<Folded>, Unfoldable> {
        let known = |program: usize, block: usize| &self.blocks[numbers[program][block]];
        let needs = job.check_programs(|program, block| known(program, block).needs.clone())?;
        let programs = job.programs.iter().enumerate();
        let uses: Vec<Uses> = programs
            .map(|(index, program)| {
                Uses::of(program, |block, sends| {
                    sends.extend_from_slice(&known(index, block).sends);
                })
            })
            .collect();
        let at = self.alike(job, needs, uses)?;
        let alike = &mut self.jobs[at];
        let groups = Arc::clone(&alike.groups);
        let (ranks, of_groups) = colours(job, timing, &groups)?;
        let mut all = alike.folded.iter();
        if let Some((.., folded)) = all.find(|known| known.0 == ranks && known.1 == of_groups) {
            return Ok(Arc::clone(folded));
        }
        let folded = Arc::new(fold(
            job,
            alike.uses.clone(),
            &groups,
            (&ranks, &of_groups),
        )?);
        alike.folded.push((ranks, of_groups, Arc::clone(&folded)));
        Ok(folded)
    }

    /// The remembered job with these ranks whose programs ask the same of them.
    fn alike(&mut self, job: &Job, needs: Vec<Needs>, uses: Vec<Uses>) -> Result<usize, JobError> {
        let same = |known: &Alike| {
            let used = |(known, new): (&Uses, &Uses)| known.are_as(new);
            Shared::same(&known.ranks, &job.ranks)
                && known.needs == needs
                && known.uses.len() == uses.len()
                && known.uses.iter().zip(&uses).all(used)
        };
        if let Some(at) = self.jobs.iter().position(same) {
            return Ok(at);
        }
        job.check_ranks(&needs)?;
        let streams: Vec<_> = needs.iter().map(|needs| needs.streams).collect();
        let groups = Arc::new(Groups::of(job, &streams));
        if self.jobs.len() == JOBS {
            self.jobs.remove(0);
        }
        self.jobs.push(Alike {
            ranks: job.ranks.clone(),
            needs,
            uses,
            groups,
            folded: Vec::new(),
        });
        Ok(self.jobs.len() - 1)
    }
}

/// Puts ranks in classes, and one of each in a job of representatives.
fn fold(
    job: &Job,
    uses: Vec<Uses>,
    groups: &Groups,
    (ranks, of_groups): (&[u64], &[u64]),
) -> Result<Folded, Unfoldable> {
    let colours = Colours {
        rank: |rank: u32| ranks[rank as usize],
        group: |kind: usize, group: &GroupPlan| {
            of_groups[groups.kind_first[kind] as usize + group.index as usize]
        },
    };
    let meetings = groups.meetings();
    let classes = Classes::coloured(job, uses, meetings, &colours)?;
    let count = classes.count as usize;
    let mut representatives = Vec::with_capacity(count);
    let mut sizes = vec![0u32; count];
    for (rank, class) in classes.of.iter().enumerate() {
        if *class as usize == representatives.len() {
            representatives.push(rank as u32);
        }
        sizes[*class as usize] += 1;
    }
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
                if let Some(first) = members.first() {
                    let class = classes.of[*first as usize];
                    let of = |member: &u32| classes.of[*member as usize] == class;
                    originals.push(Original {
                        index: group.index,
                        first: group.first,
                        length: group.length,
                        colour: (colours.group)(kind, group),
                        alone: members.iter().all(of),
                        members: Vec::new(),
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
    let specs: Vec<RankSpec> = representatives.iter().enumerate().map(spec).collect();
    for (class, spec) in specs.iter().enumerate() {
        for (originals, group) in originals.iter_mut().zip(spec.groups) {
            if let Some(original) = originals.get_mut(group as usize) {
                original.members.push(class as u32);
            }
        }
    }
    let colours = representatives.iter().map(|rank| ranks[*rank as usize]);
    Ok(Folded {
        colours: colours.collect(),
        of: classes.of,
        representatives,
        sizes,
        specs: specs.into(),
        originals,
        members: groups.members.clone(),
    })
}
