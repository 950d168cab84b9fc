//! Programs and ranks of one optimizer step.
//!
//! In: a case, a phase's layout and schedule. Out: the [`Job`] and its durations. Never
//! simulates and never checks settings: the layout has done so.

use super::Window;
use super::blocks::{Beside, Builder, Lane, Sent, Subjects, Tables};
use super::chunks::ChunkPasses;
use super::duration::Durations;
use super::frame::{self, BlockKey, Frame, lanes};
use super::pricing::{durations_on, invalid};
use super::stock::Stock;
use super::timing::StepTiming;
use super::wires::{Wants, Wires, exchanges_by_class, flat};
use crate::case::{Balance, Case, Fault, NetworkGrain, Parallelism, Zero};
use crate::layout::{Group, Layout, Span};
use crate::links::{CollectiveKind, LoadSpread};
use crate::outcome::Grains;
use crate::schedule::Schedule;
use crate::simulate::SimulateError;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use strait_sim::{Job, Peer, Program, RankSpec, Shared};
use strait_units::Bytes;

/// A step, ready to be simulated.
pub struct Lowered {
    /// Programs and ranks.
    pub job: Job,
    /// Durations.
    pub timing: StepTiming,
    /// Names of instructions by label.
    pub labels: Vec<&'static str>,
    /// How finely its transfers are told apart.
    pub grain: Grains,
    /// How many ranks each of the job stands for.
    pub(crate) each: u32,
    /// What is left out that the case asks for.
    pub warnings: Vec<String>,
    /// What instructions are about, for each block of each program in turn; nothing where blocks are
    /// shared.
    pub(crate) subjects: Vec<Subjects>,
}

pub(super) struct Lowering<'a> {
    pub(super) case: &'a Case,
    pub(super) layout: &'a Layout,
    pub(super) parallelism: &'a Parallelism,
    pub(super) schedule: &'a Schedule,
    pub(super) durations: Durations<'a>,
    pub(super) stock: Stock,
    /// One rank of each stage is enough: all others do the same at the same time.
    pub(super) representatives: bool,
}

/// Lowers one step of a phase.
///
/// # Errors
/// As [`durations`](super::durations), and a chunk that has more kernels than a program can number.
pub fn lower(
    case: &Case,
    parallelism: &Parallelism,
    sequence_length: u32,
    layout: &Layout,
    schedule: &Schedule,
) -> Result<Lowered, SimulateError> {
    let subject = (case, parallelism, sequence_length);
    let wants = Wants::of(case);
    lower_with(
        subject,
        (layout, schedule),
        wants,
        Stock::of_one(case, wants),
        false,
    )
    .1
}

/// [`lower`] with what is in stock from other steps of the same case, parallelism and length; says
/// no more about its instructions than their durations. Where all ranks of a stage do the same at the
/// same time, one of them stands for all.
pub(crate) fn lower_from(
    stock: &mut Stock,
    case: &Case,
    parallelism: &Parallelism,
    sequence_length: u32,
    layout: &Layout,
) -> Result<Lowered, SimulateError> {
    let subject = (case, parallelism, sequence_length);
    let wants = Wants::of(case);
    let used = match Stock::serves(case, wants) {
        true => std::mem::take(stock).opened(case, wants),
        // Blocks of equal layers differ, or who sends what does.
        false => Stock::of_one(case, wants),
    };
    let shares = used.shares;
    let fold = shares && alike(case, layout);
    let order = (layout, &layout.schedule);
    let (used, lowered) = lower_with(subject, order, wants, used, fold);
    if shares && lowered.is_ok() {
        *stock = used;
    }
    lowered
}

/// Whether all ranks of a stage do the same at the same time, if no transfer meets another and no load
/// is sampled: no kernel and no chip differs by chance or by a fault, messages go from each rank to its
/// likes, and the groups of one kind join the same stages. (Shards of a group that spans two mirrored
/// stages may not.)
fn alike(case: &Case, layout: &Layout) -> bool {
    let slow =
        |fault: &Fault| matches!(fault, Fault::Accelerator { index, .. } if *index < layout.ranks);
    let of_stage = layout.data * layout.context;
    let even = |large: u32, small: u32| small > 0 && large.is_multiple_of(small);
    case.noise.jitter.get() == 0.0
        && super::chips::common(layout.ranks, case.noise).is_some()
        && !case.faults.iter().any(slow)
        && (even(of_stage, layout.shard) || even(layout.shard, of_stage))
}

fn lower_with(
    (case, parallelism, sequence_length): (&Case, &Parallelism, u32),
    (layout, schedule): (&Layout, &Schedule),
    wants: Wants,
    stock: Stock,
    representatives: bool,
) -> (Stock, Result<Lowered, SimulateError>) {
    let cluster = if wants.nothing() {
        Cow::Borrowed(&case.cluster)
    } else {
        Cow::Owned(flat(&case.cluster))
    };
    let durations = match durations_on(case, &cluster, parallelism, sequence_length, layout) {
        Ok(durations) => durations,
        Err(error) => return (stock, Err(error)),
    };
    let mut lowering = Lowering {
        case,
        layout,
        parallelism,
        schedule,
        durations,
        stock,
        representatives,
    };
    let lowered = lowering.run(wants);
    (lowering.stock, lowered)
}

impl Lowering<'_> {
    fn run(&mut self, wants: Wants) -> Result<Lowered, SimulateError> {
        let mut tables = std::mem::take(&mut self.stock.tables);
        let mut programs = Vec::new();
        let frames = match self.stock.shares {
            true => frame::kept(self.schedule, self.prefetches()),
            // The plain twin shares nothing.
            false => frame::made(self.schedule, self.prefetches()),
        };
        for (rank, frame) in (0..).zip(frames.iter()) {
            let program = self.program(rank, frame, &mut tables);
            within_numbers(&program, &tables)?;
            programs.push(program);
        }
        let each = match self.representatives {
            true => self.layout.stage_ranks(),
            false => 1,
        };
        let (ranks, known) = match self.stock.ranks.take() {
            Some((of, ranks, timing)) if of == each => (ranks, Some(timing)),
            _ => (self.ranks(each), None),
        };
        let requests = std::mem::take(&mut tables.requests);
        let wires = Wires::new(self.case, self.layout, &self.durations, requests)?;
        let mut warnings = Vec::new();
        let hybrid =
            self.layout.group_size(Group::Replica) > 1 && self.parallelism.zero != Zero::Zero0;
        if hybrid && !wants.nothing() {
            warnings.push(
                "with hybrid sharding (zero_group), collectives of dense gradients and parameters are not put on \
                 shared links: they meet nobody, and no fault slows them"
                    .to_owned(),
            );
        }
        let dependences = tables.dependences.clone();
        let timing = match known {
            Some(known) => StepTiming {
                dependences,
                ..known
            },
            None => self.timing(dependences, wires, each),
        };
        let lowered = Lowered {
            grain: self.grain(),
            each,
            warnings,
            labels: tables.labels.clone(),
            subjects: std::mem::take(&mut tables.subjects),
            timing,
            job: Job { programs, ranks },
        };
        if self.stock.shares {
            let ranks = lowered.job.ranks.clone();
            self.stock.ranks = Some((each, ranks, lowered.timing.clone()));
            self.stock.tables = tables;
        }
        Ok(lowered)
    }

    /// How finely transfers are told apart: also those that meet nobody, whose closed form is what
    /// they take alone at that grain.
    fn grain(&self) -> Grains {
        let mut grain = Grains::default();
        let engine = self.case.engine;
        let moves = |of| self.layout.group_size(of) > 1;
        let rings = [Group::Tensor, Group::ExpertTensor, Group::Context];
        let rings = rings.into_iter().chain([Group::Data, Group::ExpertData]);
        let rings = rings.into_iter().any(moves) || self.schedule.pipeline > 1;
        let exchanges = self.exchanges();
        match engine.network {
            NetworkGrain::Analytic => {}
            NetworkGrain::Coflow => grain.coflow = rings || exchanges,
            NetworkGrain::Class => grain.class = rings || exchanges,
            NetworkGrain::Flow => grain.flow = rings || exchanges,
            NetworkGrain::Auto => {
                let class = exchanges && exchanges_by_class(self.case);
                grain.class = class;
                grain.coflow = rings || (exchanges && !class);
            }
        }
        grain
    }

    /// How the first group of a kind lies over scale-up domains.
    pub(super) fn span(&self, of: Group) -> Span {
        let mut spans = self.stock.spans.borrow_mut();
        *spans.entry(of).or_insert_with(|| self.layout.span(of, 0))
    }

    /// Fully sharded data parallelism gathers parameters for every pass.
    pub(super) fn sharded(&self) -> bool {
        self.parallelism.zero == Zero::Zero3 && self.layout.group_size(Group::Shard) > 1
    }

    /// Sharded optimizers leave updated parameters to be gathered under the next forward.
    fn prefetches(&self) -> bool {
        self.case.software.parameter_overlap
            && self.parallelism.zero != Zero::Zero0
            && !self.sharded()
    }

    fn gathers_ahead(&self, rank: u32, local: u8) -> bool {
        frame::gathers_ahead(self.schedule, self.prefetches(), rank, local)
    }

    /// Tokens travel between ranks, so that products in a pair run beside communication.
    pub(super) fn exchanges(&self) -> bool {
        self.case.model.experts.is_some() && self.parallelism.expert > 1
    }

    /// What tells the blocks of a rank from those of others, as a number.
    fn outfit(&mut self, rank: u32, chunks: &[u32]) -> u32 {
        let hop = |(local, lane)| {
            let (target, _) = self.target(rank, local, lane)?;
            Some(self.layout.hop_crosses_domains(rank, target))
        };
        let hops = lanes(self.schedule.chunks as u8).map(hop).collect();
        let tied = self.tied_gradients(rank);
        self.stock.outfit((chunks.to_vec(), hops, tied))
    }

    fn program(&mut self, rank: u32, frame: &Frame, tables: &mut Tables) -> Program {
        let locals = self.schedule.chunks as u8;
        let (numbers, chunks): (Vec<u32>, Vec<Rc<ChunkPasses>>) = (0..locals)
            .map(|local| self.chunk_of(self.schedule.stage_of(rank, local)))
            .unzip();
        let outfit = match self.stock.shares {
            true => self.outfit(rank, &numbers),
            false => rank,
        };
        let mut made = std::mem::take(&mut self.stock.blocks);
        let mut block = |key: BlockKey, tables: &mut Tables| {
            let mut make = || Shared::from(self.block(rank, key, &chunks, tables));
            match self.stock.shares {
                true => made.entry((outfit, key)).or_insert_with(make).clone(),
                false => make(),
            }
        };
        let blocks = (frame.keys.iter().map(|key| block(*key, tables))).collect();
        self.stock.blocks = made;
        Program {
            blocks,
            slots: frame.slots.clone(),
            foreground: 2,
            channels: 2 * locals,
        }
    }

    fn block(
        &self,
        rank: u32,
        key: BlockKey,
        chunks: &[Rc<ChunkPasses>],
        tables: &mut Tables,
    ) -> strait_sim::Block {
        if key == BlockKey::Optimizer {
            return self.optimizer(rank, chunks, tables);
        }
        let state = self.case.precision.state;
        let software = self.case.software;
        let lone = !matches!(key, BlockKey::Pair { .. });
        let mut builder = Builder::new(tables, lone);
        let (mut sends_forward, mut sends_backward) = (None, None);
        let reduce = |local: u8, last: bool| {
            let chunk = &chunks[local as usize];
            if self.sharded() || (last && software.gradient_overlap) {
                self.per_pass(chunk, self.reduction(), state.gradient, false, true)
            } else {
                Vec::new()
            }
        };
        let gather = |local: u8, reverse: bool| {
            if self.sharded() {
                let chunk = &chunks[local as usize];
                self.per_pass(
                    chunk,
                    CollectiveKind::AllGather,
                    state.weight,
                    true,
                    reverse,
                )
            } else {
                Vec::new()
            }
        };
        // Without overlap sharded parameters and gradients move when their pass is there, and compute
        // waits; what is not sharded does so at the end of the step.
        let beside = || Beside {
            sharded: self.sharded(),
            late: self.sharded() && !software.parameter_overlap,
            awaited: self.sharded() && !software.gradient_overlap,
            ..Beside::default()
        };
        let window = match key {
            BlockKey::Optimizer => Window::Optimizer,
            BlockKey::Gather { local } => {
                let chunk = &chunks[local as usize];
                let kind = CollectiveKind::AllGather;
                builder.gather(&self.per_pass(chunk, kind, state.weight, false, false));
                Window::Forward
            }
            BlockKey::Forward { local, first } => {
                let chunk = &chunks[local as usize];
                let prefetch = if first && self.prefetches() && !self.gathers_ahead(rank, local) {
                    self.per_pass(chunk, CollectiveKind::AllGather, state.weight, false, false)
                } else {
                    Vec::new()
                };
                let beside = Beside {
                    gather: gather(local, false),
                    prefetch,
                    awaits: first && self.gathers_ahead(rank, local),
                    ..beside()
                };
                builder.forward(&chunk.lone, &beside);
                sends_forward = Some(local);
                Window::Forward
            }
            BlockKey::Backward { local, last } => {
                let beside = Beside {
                    gather: gather(local, true),
                    reduce: reduce(local, last),
                    ..beside()
                };
                builder.backward(&chunks[local as usize].lone, true, &beside);
                sends_backward = Some(local);
                Window::Backward
            }
            BlockKey::BackwardInput { local } => {
                let beside = Beside {
                    gather: gather(local, true),
                    ..beside()
                };
                builder.backward(&chunks[local as usize].lone, false, &beside);
                sends_backward = Some(local);
                Window::BackwardInput
            }
            BlockKey::BackwardWeight { local, last } => {
                let beside = Beside {
                    reduce: reduce(local, last),
                    ..beside()
                };
                builder.weights(&chunks[local as usize].lone, &beside);
                Window::BackwardWeight
            }
            BlockKey::Pair {
                forward,
                backward,
                last,
            } => {
                let ahead = Beside {
                    gather: gather(forward, false),
                    ..Beside::default()
                };
                let beside = Beside {
                    gather: gather(backward, true),
                    reduce: reduce(backward, last),
                    ..beside()
                };
                let (forth, back) = (&chunks[forward as usize], &chunks[backward as usize]);
                if software.expert_overlap {
                    builder.pair(&forth.paired, &back.paired, &ahead, &beside);
                } else {
                    builder.in_turn(&forth.lone, &back.lone, &ahead, &beside);
                }
                sends_forward = Some(forward);
                sends_backward = Some(backward);
                Window::Pair
            }
        };
        let asynchronous = software.pipeline_overlap;
        for (lane, local) in [
            (Lane::Forward, sends_forward),
            (Lane::Backward, sends_backward),
        ] {
            let Some(local) = local else { continue };
            let Some(target) = self.target(rank, local, lane) else {
                continue;
            };
            let crosses = self.layout.hop_crosses_domains(rank, target.0);
            let peer = 2 * local + lane as u8;
            let time = self.durations.hop(crosses);
            let bytes = self.durations.hop_bytes();
            let sent = match crosses {
                true => Sent {
                    nic: bytes,
                    port: Bytes::ZERO,
                },
                false => Sent {
                    nic: Bytes::ZERO,
                    port: bytes,
                },
            };
            builder.send(lane, peer, (rank, target.0, sent), time, asynchronous);
        }
        builder.finish(window, false)
    }

    /// Pipeline rank and chunk that receive from a chunk, unless it is the same rank.
    fn target(&self, rank: u32, local: u8, lane: Lane) -> Option<(u32, u8)> {
        let stage = self.schedule.stage_of(rank, local);
        let micro_batch = frame::any_chunk(self.schedule, local).micro_batch;
        let next = match lane {
            Lane::Forward if stage + 1 < self.schedule.stages() => stage + 1,
            Lane::Backward if stage > 0 => stage - 1,
            _ => return None,
        };
        let target = self.schedule.holder(next, micro_batch);
        (target.0 != rank).then_some(target)
    }

    /// The ranks of the job: all, or the first of each stage for all `each` of them.
    fn ranks(&self, each: u32) -> Shared<Vec<RankSpec>> {
        let layout = self.layout;
        let inner = layout.stage_ranks();
        let all = (0..layout.ranks).step_by(each.max(1) as usize);
        // A group is that of its first member.
        let mut met: BTreeMap<(usize, u32), u32> = BTreeMap::new();
        all.enumerate()
            .map(|(number, rank)| {
                let pipeline = rank / inner;
                let peers = lanes(self.schedule.chunks as u8)
                    .map(|(local, lane)| {
                        // A place that no send refers to points at the rank itself.
                        let (target, chunk) =
                            self.target(pipeline, local, lane).unwrap_or((pipeline, 0));
                        Peer {
                            rank: (target * inner + rank % inner) / each,
                            channel: 2 * chunk + lane as u8,
                        }
                    })
                    .collect();
                let kinds = [
                    Group::Tensor,
                    Group::Expert,
                    Group::Context,
                    Group::Data,
                    Group::ExpertData,
                    Group::Shard,
                    Group::ExpertTensor,
                    Group::World,
                ];
                let mut groups = kinds.map(|kind| layout.place(kind, rank).0);
                if each > 1 {
                    for (kind, group) in groups.iter_mut().enumerate() {
                        *group = *met.entry((kind, *group)).or_insert(number as u32);
                    }
                }
                RankSpec {
                    program: pipeline,
                    groups,
                    peers,
                }
            })
            .collect()
    }

    fn timing(
        &self,
        dependences: Vec<super::timing::Dependence>,
        wires: Option<Wires>,
        each: u32,
    ) -> StepTiming {
        let layout = self.layout;
        let spread = match self.case.routing.balance {
            Balance::Forced => 0.0,
            _ => self.case.routing.spread.get(),
        };
        let places = (0..layout.ranks)
            .step_by(each.max(1) as usize)
            .map(|rank| layout.place(Group::Expert, rank))
            .collect();
        let mut chips = super::chips::factors(self.case.seed, layout.ranks, self.case.noise);
        let mut slow = Vec::new();
        for fault in &self.case.faults {
            if let Fault::Accelerator { index, left } = *fault
                && index < layout.ranks
            {
                slow.resize(layout.ranks as usize, 1.0);
                slow[index as usize] /= left.get();
                chips[index as usize] /= left.get();
            }
        }
        // Those of representatives are all the same.
        chips.truncate((layout.ranks / each.max(1)) as usize);
        StepTiming {
            wires,
            slow,
            dependences,
            seed: self.case.seed,
            jitter: self.case.noise.jitter.get(),
            chips,
            spread: LoadSpread {
                cv: spread,
                persistence: self.case.routing.persistence.get(),
            },
            expert_place: places,
            per_domain: layout.span(Group::Expert, 0).per_domain,
        }
    }
}

/// Most instructions of one stream in a block, and most dependences of a job: what the engine's
/// 16-bit numbers can tell apart.
const MOST: usize = u16::MAX as usize;

/// Refuses chunks with more kernels than can be numbered, before their numbers are used.
fn within_numbers(program: &Program, tables: &Tables) -> Result<(), SimulateError> {
    let longest = (program.blocks.iter())
        .flat_map(|block| &block.streams)
        .map(Vec::len)
        .max()
        .unwrap_or(0);
    if longest <= MOST && !tables.overflown() {
        return Ok(());
    }
    Err(invalid(
        "parallelism.pipeline",
        format!(
            "a pipeline rank holds so many layers that one micro-batch runs {longest} kernels on it; at most {MOST} can be told apart, over at most {MOST} kinds of routed load"
        ),
        "raise parallelism.pipeline or parallelism.virtual_stages",
    ))
}
