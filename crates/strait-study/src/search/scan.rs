//! A look at every layout of a space: checks, memory, the least that a step can take.
//!
//! In: a case, a phase, a space, the memory that may be used. Out: the most promising that fit
//! ([`Shortlist`]), and counts of all others. Never simulates, and never holds more than the shortlist:
//! spaces of many millions are looked at in one pass.
//!
//! What layouts share is found once: those of a job share stages and orders of work, those of a group
//! their checks and most of their memory. [`super::Candidates`] does the same one by one, and the tests
//! hold both to the same numbers.

use super::bound::{PriceBook, Whole, least};
use super::candidates::{Lone, Refused, fewer, peak, skeleton, small_layout};
use super::score::Scale;
use super::shortlist::{Entry, Shortlist};
use super::space::Space;
use super::work::Workers;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use strait_training::case::{Case, Parallelism, Phase, Recompute, ScheduleKind, Zero};
use strait_training::layout::Layout;
use strait_training::lower::Ends;
use strait_training::memory::{self, Setting};
use strait_training::schedule::{self, Live};
use strait_training::simulate::SimulateError;
use strait_units::Bytes;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The case.
    pub case: &'a Case,
    /// The phase that is laid out.
    pub phase: &'a Phase,
    /// What may vary.
    pub space: &'a Space,
    /// Memory of an accelerator that may be used.
    pub capacity: Bytes,
    /// What is to be least.
    pub scale: Scale,
    /// The number of this variant of the case.
    pub variant: u32,
}

/// Counts of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Layouts that are not possible, by the setting at fault, and those that are too large.
    pub refused: Refused,
    /// Of those too large: known by weights, gradients and optimizer states alone.
    pub by_states: u64,
}

impl Counts {
    /// Adds those of another part.
    pub fn add(&mut self, other: Counts) {
        let refused = &mut self.refused;
        refused.looked_at += other.refused.looked_at;
        refused.memory += other.refused.memory;
        for (setting, count) in other.refused.by_setting {
            *refused.by_setting.entry(setting).or_default() += count;
        }
        refused.least_memory = match (refused.least_memory, other.refused.least_memory) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.by_states += other.by_states;
    }
}

/// Looks at every layout of a space, keeping at most `most` of each step of memory.
///
/// # Errors
/// That the chip has no kernels for the recipe, or [`SimulateError::Cancelled`].
pub fn scan(
    ground: Ground<'_>,
    most: usize,
    workers: Workers<'_>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(Shortlist, Counts), SimulateError> {
    let space = ground.space;
    let book = PriceBook::new(ground.case, ground.phase, space);
    let all = Mutex::new(Shortlist::new(ground.capacity, most));
    let jobs = space.jobs() as usize;
    let done = AtomicU64::new(0);
    let parts = workers.each(jobs + 1, |at| {
        let mut part = Part::new(ground, &book, most);
        match at {
            0 => part.first(),
            job => part.job(job as u64 - 1, workers),
        }
        // Lists come together here, not at the end: jobs are many.
        if let Ok(mut all) = all.lock() {
            all.merge(part.list);
        }
        progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / (jobs + 1) as f64);
        part.counts
    })?;
    if let Some(fault) = book.fault() {
        return Err(fault);
    }
    let mut counts = Counts::default();
    for part in parts {
        counts.add(part);
    }
    let list = all.into_inner().map_err(|_| SimulateError::Cancelled)?;
    Ok((list, counts))
}

/// What one job finds.
struct Part<'a> {
    ground: Ground<'a>,
    book: &'a PriceBook<'a>,
    list: Shortlist,
    counts: Counts,
}

/// What an order of work comes to, for stages of one job.
struct Order {
    /// Pipeline ranks that can be the fullest, and what they hold.
    ranks: Vec<(u32, Live)>,
    lone: Vec<Lone>,
}

impl<'a> Part<'a> {
    fn new(ground: Ground<'a>, book: &'a PriceBook<'a>, most: usize) -> Part<'a> {
        Part {
            ground,
            book,
            list: Shortlist::new(ground.capacity, most),
            counts: Counts::default(),
        }
    }

    /// The layouts that are looked at as they are.
    fn first(&mut self) {
        let Ground { case, phase, .. } = self.ground;
        for (number, parallelism) in (0..).zip(&self.ground.space.also) {
            self.counts.refused.looked_at += 1;
            match small_layout(case, phase, parallelism) {
                Err(setting) => self.refuse(setting, 1),
                Ok((layout, micro_batches)) => {
                    let memory = peak(case, parallelism, &layout);
                    if self.fits(memory) {
                        let lone = skeleton(&layout.schedule);
                        let ends = ends(self.ground, parallelism, &layout);
                        let whole = Whole {
                            parallelism,
                            stages: &layout.stages,
                            lone: &lone,
                            micro_batches,
                            ends: ends.as_ref(),
                        };
                        let bound = bound(self.ground, self.book, whole);
                        self.keep(bound, number, memory);
                    }
                }
            }
        }
    }

    /// The groups of a job.
    fn job(&mut self, job: u64, workers: Workers<'_>) {
        let mut orders: BTreeMap<u32, Order> = BTreeMap::new();
        for group in self.ground.space.job(job) {
            if workers.stopped() {
                return;
            }
            if let Some(core) = self.ground.space.group(group) {
                self.group(group, &core, &mut orders);
            }
        }
    }

    fn group(&mut self, group: u64, core: &Parallelism, orders: &mut BTreeMap<u32, Order>) {
        let Ground {
            case, phase, space, ..
        } = self.ground;
        let plain = Parallelism {
            zero: Zero::Zero1,
            zero_group: None,
            recompute: Recompute::None,
            recompute_layers: None,
            offload_layers: 0,
            ..core.clone()
        };
        // Only where all but the leaf is that of a layout looked at first can one be the same.
        let repeats = (space.also.iter()).any(|first| {
            let bare = Parallelism {
                zero: plain.zero,
                zero_group: None,
                recompute: Recompute::None,
                recompute_layers: None,
                offload_layers: 0,
                ..first.clone()
            };
            bare == plain
        });
        let leaves = (0..space.leaves()).filter_map(|number| {
            let leaf = space.leaf(core, number)?;
            let new = !repeats || !space.first(&space.layout_of(core, leaf));
            new.then_some((number, leaf))
        });
        let outlined = outline(case, phase, &plain);
        let (layout, micro_batches) = match outlined {
            Ok(found) => found,
            Err(setting) => {
                let dual = core.schedule == ScheduleKind::DualPipe;
                let (mut looked, mut refused) = (0, 0);
                let mut sharded = Vec::new();
                for (_, leaf) in leaves {
                    looked += 1;
                    match space.zero[leaf.zero] {
                        // Which of several faults is told first, the checks say.
                        Zero::Zero3 if dual => sharded.push(leaf),
                        _ => refused += 1,
                    }
                }
                self.counts.refused.looked_at += looked;
                self.refuse(setting, refused);
                for leaf in sharded {
                    let layout = space.layout_of(core, leaf);
                    if let Err(setting) = small_layout(case, phase, &layout) {
                        self.refuse(setting, 1);
                    }
                }
                return;
            }
        };
        let few = layout.micro_batches();
        let order = orders.entry(few).or_insert_with(|| order(case, &layout));
        let mut memories = Memories::new(self.ground, core, &layout, order);
        let mut known: BTreeMap<(usize, usize), Option<Ends>> = BTreeMap::new();
        let mut least_memory = self.counts.refused.least_memory;
        for (number, leaf) in leaves {
            self.counts.refused.looked_at += 1;
            if space.zero[leaf.zero] == Zero::Zero3 && core.schedule == ScheduleKind::DualPipe {
                refuse(&mut self.counts, "parallelism.zero", 1);
                continue;
            }
            let Some(states) = memories.standing(leaf.zero, leaf.zero_group) else {
                refuse(&mut self.counts, "parallelism.zero_group", 1);
                continue;
            };
            // Too large whatever else, and no smaller than others.
            if states > self.ground.capacity && least_memory.is_some_and(|least| states >= least) {
                self.counts.refused.memory += 1;
                self.counts.by_states += 1;
                continue;
            }
            let kept = (leaf.recompute, leaf.recompute_layers, leaf.offload);
            let memory = memories.peak(leaf.zero, leaf.zero_group, kept);
            least_memory = Some(least_memory.map_or(memory, |least| least.min(memory)));
            if memory > self.ground.capacity {
                self.counts.refused.memory += 1;
                continue;
            }
            let parallelism = space.layout_of(core, leaf);
            let ends =
                known
                    .entry((leaf.zero, leaf.zero_group))
                    .or_insert_with(|| match parallelism.zero_group {
                        None => ends(self.ground, &parallelism, &layout),
                        Some(_) => memories
                            .outline(&parallelism)
                            .and_then(|layout| ends(self.ground, &parallelism, &layout)),
                    });
            let whole = Whole {
                parallelism: &parallelism,
                stages: &layout.stages,
                lone: &order.lone,
                micro_batches,
                ends: ends.as_ref(),
            };
            let bound = bound(self.ground, self.book, whole);
            self.list.add(Entry {
                bound,
                variant: self.ground.variant,
                number: space.number(group, number),
                memory,
            });
        }
        self.counts.refused.least_memory = least_memory;
    }

    fn refuse(&mut self, setting: String, count: u64) {
        refuse(&mut self.counts, &setting, count);
    }

    fn fits(&mut self, memory: Bytes) -> bool {
        let refused = &mut self.counts.refused;
        refused.least_memory = Some((refused.least_memory).map_or(memory, |l| l.min(memory)));
        let fits = memory <= self.ground.capacity;
        refused.memory += u64::from(!fits);
        fits
    }

    fn keep(&mut self, bound: u64, number: u64, memory: Bytes) {
        self.list.add(Entry {
            bound,
            variant: self.ground.variant,
            number,
            memory,
        });
    }
}

fn refuse(counts: &mut Counts, setting: &str, count: u64) {
    if count > 0 {
        *counts
            .refused
            .by_setting
            .entry(setting.to_owned())
            .or_default() += count;
    }
}

/// The least that a layout scores; zero where it can't be priced, which the book remembers.
fn bound(ground: Ground<'_>, book: &PriceBook<'_>, whole: Whole<'_>) -> u64 {
    match book.of(whole.parallelism) {
        Some(prices) => ground.scale.least(least(ground.case, whole, &prices)),
        None => 0,
    }
}

/// What comes on top of the chunks of a layout; where it can't be told, nothing.
fn ends(ground: Ground<'_>, parallelism: &Parallelism, layout: &Layout) -> Option<Ends> {
    let length = ground.phase.sequence_length;
    Ends::of(ground.case, parallelism, length, layout).ok()
}

/// A layout without its order, of few micro-batches, and how many there really are; or the path of
/// the setting at fault. As [`small_layout`], cheap questions first.
fn outline(case: &Case, phase: &Phase, p: &Parallelism) -> Result<(Layout, u32), String> {
    let replica = u64::from(p.tensor) * u64::from(p.pipeline) * u64::from(p.context);
    let ranks = u64::from(case.cluster.ranks());
    let pass = match replica {
        0 => 0,
        replica if ranks.is_multiple_of(replica) => ranks / replica * u64::from(p.micro_batch),
        _ => 0,
    };
    let batch = u64::from(phase.global_batch);
    if pass == 0 || !batch.is_multiple_of(pass) {
        return small_layout(case, phase, p);
    }
    let check = |batch: u64| {
        let count = u32::try_from(batch / pass).unwrap_or(u32::MAX);
        schedule::check(p.schedule, p.pipeline, p.virtual_stages, count)
            .map(|()| count)
            .map_err(|error| error.path().to_owned())
    };
    let micro_batches = check(batch)?;
    if let Some(initial) = phase.initial_batch.filter(|b| *b < phase.global_batch) {
        let initial = u64::from(initial);
        if !initial.is_multiple_of(pass) {
            return Err("training.phase.initial_batch".to_owned());
        }
        check(initial)?;
    }
    let few = (u64::from(fewer(p, micro_batches)) * pass) as u32;
    let (model, cluster, length) = (&case.model, &case.cluster, phase.sequence_length);
    Layout::outline(p, model, cluster, length, few)
        .map(|layout| (layout, micro_batches))
        .map_err(|errors| super::candidates::setting(&errors))
}

/// The order of work of an outline, in brief.
fn order(case: &Case, layout: &Layout) -> Order {
    let s = &layout.schedule;
    // It has been checked: there is one.
    let virtual_stages = match s.kind {
        ScheduleKind::DualPipe | ScheduleKind::DualPipeV => 1,
        _ => s.chunks,
    };
    let Ok(schedule) = schedule::schedule(s.kind, s.pipeline, virtual_stages, s.micro_batches)
    else {
        return Order {
            ranks: Vec::new(),
            lone: Vec::new(),
        };
    };
    let mut ranks: Vec<(Vec<u8>, u32, Live)> = Vec::new();
    for rank in 0..layout.pipeline {
        let contents = contents(case, layout, rank);
        let live = Live::of(&schedule, rank);
        let covered =
            |(other, _, more): &(Vec<u8>, u32, Live)| *other == contents && more.covers(&live);
        if !ranks.iter().any(covered) {
            ranks.push((contents, rank, live));
        }
    }
    Order {
        ranks: ranks
            .into_iter()
            .map(|(_, rank, live)| (rank, live))
            .collect(),
        lone: skeleton(&schedule),
    }
}

/// What a pipeline rank holds, as far as memory tells it apart: ends, kinds of layers in order.
fn contents(case: &Case, layout: &Layout, rank: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for stage in layout.chunks_of(rank) {
        text.push(
            0x80 | u8::from(stage.embedding) | u8::from(stage.head) << 1 | u8::from(stage.mtp) << 2,
        );
        for layer in stage.layers.clone() {
            let precision = case.precision.of_layer(layer, case.model.layers) as u8;
            text.push(u8::from(case.model.is_moe_layer(layer)) << 4 | precision);
        }
    }
    text
}

/// Memory of the leaves of a group.
struct Memories<'a> {
    ground: Ground<'a>,
    core: &'a Parallelism,
    layout: &'a Layout,
    order: &'a Order,
    /// By ZeRO stage and group: of each rank that can be the fullest; `None` where the group does not
    /// divide.
    standing: BTreeMap<(usize, usize), Option<Vec<Bytes>>>,
    /// By what is recomputed and offloaded: the same.
    passing: BTreeMap<(usize, usize, usize), Vec<Bytes>>,
}

impl<'a> Memories<'a> {
    fn new(
        ground: Ground<'a>,
        core: &'a Parallelism,
        layout: &'a Layout,
        order: &'a Order,
    ) -> Memories<'a> {
        Memories {
            ground,
            core,
            layout,
            order,
            standing: BTreeMap::new(),
            passing: BTreeMap::new(),
        }
    }

    fn setting<'b>(&self, parallelism: &'b Parallelism) -> Setting<'b>
    where
        'a: 'b,
    {
        let case = self.ground.case;
        Setting {
            model: &case.model,
            parallelism,
            precision: &case.precision,
            software: &case.software,
            method: case.training.method,
            capacity: self.ground.capacity,
        }
    }

    /// What states take at least; `None` where the group does not divide.
    fn standing(&mut self, zero: usize, group: usize) -> Option<Bytes> {
        if !self.standing.contains_key(&(zero, group)) {
            let found = self.find_standing(zero, group);
            self.standing.insert((zero, group), found);
        }
        let ranks = self.standing.get(&(zero, group))?.as_ref()?;
        ranks.iter().max().copied()
    }

    fn find_standing(&self, zero: usize, group: usize) -> Option<Vec<Bytes>> {
        let space = self.ground.space;
        let parallelism = Parallelism {
            zero: space.zero[zero],
            zero_group: space.zero_group[group],
            ..self.core.clone()
        };
        let of = |layout: &Layout| {
            let setting = self.setting(&parallelism);
            let ranks = self.order.ranks.iter();
            ranks
                .map(|(rank, _)| memory::standing(setting, layout, *rank))
                .collect()
        };
        if parallelism.zero_group.is_none() {
            return Some(of(self.layout));
        }
        self.outline(&parallelism).map(|layout| of(&layout))
    }

    /// The layout with ZeRO groups of its own.
    fn outline(&self, parallelism: &Parallelism) -> Option<Layout> {
        let case = self.ground.case;
        let (length, batch) = (self.layout.sequence_length, self.layout.global_batch);
        Layout::outline(parallelism, &case.model, &case.cluster, length, batch).ok()
    }

    fn peak(&mut self, zero: usize, group: usize, kept: (usize, usize, usize)) -> Bytes {
        if !self.passing.contains_key(&kept) {
            let space = self.ground.space;
            let parallelism = Parallelism {
                recompute: space.recompute[kept.0].clone(),
                recompute_layers: space.recompute_layers[kept.1],
                offload_layers: space.offload_layers[kept.2],
                ..self.core.clone()
            };
            let setting = self.setting(&parallelism);
            let ranks = self.order.ranks.iter();
            let found = ranks
                .map(|(rank, live)| memory::passing(setting, self.layout, *rank, live))
                .collect();
            self.passing.insert(kept, found);
        }
        let empty = Vec::new();
        let standing = (self.standing.get(&(zero, group))).and_then(Option::as_ref);
        let passing = self.passing.get(&kept);
        (standing.unwrap_or(&empty).iter())
            .zip(passing.unwrap_or(&empty))
            .map(|(a, b)| *a + *b)
            .max()
            .unwrap_or(Bytes::ZERO)
    }
}
