//! The least that a step can take, without simulating it.
//!
//! In: a case, a phase, candidates. Out: for each a time that its simulated step is never below.
//! Never looks at waiting or noise: those only add.
//!
//! A rank can't do more than one thing at a time on its compute stream, nor on its exchange stream:
//!
//! - a chunk that runs alone takes its kernels and its exchanges, one after the other;
//! - pairs take their kernels or their exchanges in sum, whichever is more;
//! - before a rank's first chunk, a micro-batch has come through all stages before its own;
//! - behind its last one, a gradient goes back through them.
//!
//! The bound of a step is the largest over its ranks. Kernels have the whole chip here, of which
//! communication takes a part in pairs. Where it is asked, the end of the step comes on top, and what
//! sharded parameters move ([`strait_training::lower::Ends`]).

use super::candidates::{Candidate, Lone};
use super::space::Space;
use super::work::Workers;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use strait_training::case::{Case, Parallelism, Phase, Recompute, ScheduleKind, Zero};
use strait_training::layout::{Layout, StageContents};
use strait_training::lower::{Ends, Least, durations};
use strait_training::memory::{self, Setting};
use strait_training::schedule;
use strait_training::simulate::SimulateError;
use strait_units::Time;

/// What the price of a part depends on, of a layout.
type Key = (u32, bool, u32, u32, u32, u32, u32, Vec<u8>);

fn key(p: &Parallelism) -> Key {
    let recompute = match &p.recompute {
        Recompute::None => vec![0],
        Recompute::Selective => vec![1],
        Recompute::Full => vec![2],
        Recompute::Named(parts) => {
            let mut list = vec![3];
            list.extend(parts.iter().map(|part| *part as u8));
            list
        }
    };
    (
        p.tensor,
        p.sequence,
        p.context,
        p.expert,
        p.expert_tensor,
        p.micro_batch,
        p.communication_units,
        recompute,
    )
}

/// Prices of all parts of a model under one key.
#[derive(Debug)]
pub(super) struct Prices {
    /// Kinds of layers: as recomputed, and not; then the same where what they keep goes to the host.
    kinds: Vec<[Least; 4]>,
    /// The kind of each layer, and of the layers of prediction modules.
    layers: Box<[u8]>,
    embedding: Least,
    head: Least,
    entry: Least,
}

impl Prices {
    /// Of a layer, in the four ways.
    fn layer(&self, layer: u32) -> &[Least; 4] {
        &self.kinds[usize::from(self.layers[layer as usize])]
    }
}

/// Bounds of candidates of one phase on one cluster.
pub struct Bounds<'a> {
    case: &'a Case,
    phase: &'a Phase,
    prices: BTreeMap<Key, Prices>,
}

impl<'a> Bounds<'a> {
    /// Prices what the candidates are made of.
    ///
    /// # Errors
    /// That the chip has no kernels for the recipe, or that the caller asked to stop.
    pub fn new(
        case: &'a Case,
        phase: &'a Phase,
        candidates: &[&Candidate],
        workers: Workers<'_>,
    ) -> Result<Bounds<'a>, SimulateError> {
        let mut first: BTreeMap<Key, &Candidate> = BTreeMap::new();
        for candidate in candidates {
            first
                .entry(key(&candidate.parallelism))
                .or_insert(candidate);
        }
        let jobs: Vec<(&Key, &&Candidate)> = first.iter().collect();
        let found = workers.each(jobs.len(), |at| price(case, phase, jobs[at].1))?;
        let mut prices = BTreeMap::new();
        for ((key, _), price) in jobs.iter().zip(found) {
            prices.insert((*key).clone(), price?);
        }
        Ok(Bounds {
            case,
            phase,
            prices,
        })
    }

    /// The bound of one of the candidates that were priced; zero for any other.
    pub fn of(&self, candidate: &Candidate) -> Time {
        match self.prices.get(&key(&candidate.parallelism)) {
            Some(prices) => {
                let work = Whole {
                    parallelism: &candidate.parallelism,
                    stages: &candidate.stages,
                    lone: &candidate.lone,
                    micro_batches: candidate.micro_batches,
                    ends: None,
                };
                least(self.case, work, prices).time
            }
            None => Time::ZERO,
        }
    }

    /// Tokens of a step.
    pub fn tokens(&self) -> u64 {
        u64::from(self.phase.global_batch) * u64::from(self.phase.sequence_length)
    }
}

/// Prices that are found when they are first asked for, and kept.
pub(super) struct PriceBook<'a> {
    case: &'a Case,
    phase: &'a Phase,
    /// Pipeline ranks that a layout may be priced with: prices do not depend on them.
    pipelines: &'a [u32],
    /// Whether layers that offload are priced as well.
    offload: u32,
    known: Mutex<BTreeMap<Key, Option<Arc<Prices>>>>,
    /// The first reason why there are none.
    fault: Mutex<Option<SimulateError>>,
}

impl<'a> PriceBook<'a> {
    pub fn new(case: &'a Case, phase: &'a Phase, space: &'a Space) -> PriceBook<'a> {
        let layouts = space.also.iter().map(|layout| layout.offload_layers);
        let offloads = space.offload_layers.iter().copied().chain(layouts);
        PriceBook {
            case,
            phase,
            pipelines: &space.pipeline,
            offload: offloads.max().unwrap_or(0),
            known: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    /// Prices for a layout; `None` where the chip has no kernels for the recipe.
    pub fn of(&self, parallelism: &Parallelism) -> Option<Arc<Prices>> {
        let key = key(parallelism);
        if let Ok(known) = self.known.lock()
            && let Some(prices) = known.get(&key)
        {
            return prices.clone();
        }
        let found = match self.price(parallelism) {
            Ok(prices) => Some(Arc::new(prices)),
            Err(error) => {
                if let Ok(mut fault) = self.fault.lock() {
                    fault.get_or_insert(error);
                }
                None
            }
        };
        if let Ok(mut known) = self.known.lock() {
            known.insert(key, found.clone());
        }
        found
    }

    /// Why there were no prices.
    pub fn fault(self) -> Option<SimulateError> {
        self.fault.into_inner().ok().flatten()
    }

    /// Whoever asks first, the answer is that of the plainest layout with this key.
    fn price(&self, parallelism: &Parallelism) -> Result<Prices, SimulateError> {
        let ranks = u64::from(self.case.cluster.ranks());
        let outline = |pipeline: u32| {
            let plain = Parallelism {
                pipeline,
                virtual_stages: 1,
                schedule: ScheduleKind::OneFOneB,
                zero: Zero::Zero1,
                zero_group: None,
                stage_layers: None,
                recompute_layers: Some(0),
                offload_layers: self.offload,
                ..parallelism.clone()
            };
            let inner = u64::from(plain.tensor) * u64::from(plain.context) * u64::from(pipeline);
            let batch = ranks / inner.max(1) * u64::from(plain.micro_batch);
            let batch = u32::try_from(batch).ok()?;
            let length = self.phase.sequence_length;
            Layout::outline(&plain, &self.case.model, &self.case.cluster, length, batch)
                .ok()
                .map(|layout| (plain, layout))
        };
        let own = [parallelism.pipeline];
        let (plain, layout) = (self.pipelines.iter().chain(&own))
            .find_map(|pipeline| outline(*pipeline))
            .ok_or_else(|| SimulateError::Invalid {
                path: "parallelism".to_owned(),
                message: "a layout can't be priced".to_owned(),
                remedy: "this is a defect of Strait: please report the scenario".to_owned(),
            })?;
        parts(self.case, self.phase, &plain, &layout)
    }
}

/// What a bound depends on, of a layout.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    pub parallelism: &'a Parallelism,
    pub stages: &'a [StageContents],
    pub lone: &'a [Lone],
    pub micro_batches: u32,
    /// What comes on top of its chunks, where that is asked.
    pub ends: Option<&'a Ends>,
}

/// The least of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeastStep {
    /// Its time.
    pub time: Time,
    /// The time that a chip is loaded, mean over ranks.
    pub loaded: Time,
}

/// The least that a step of a layout takes.
pub(super) fn least(case: &Case, whole: Whole<'_>, prices: &Prices) -> LeastStep {
    let p = whole.parallelism;
    let mut stages: Vec<Least> = (whole.stages.iter())
        .map(|stage| of_stage(case, p, stage, prices))
        .collect();
    let pairs = matches!(
        p.schedule,
        ScheduleKind::OverlappedOneFOneB | ScheduleKind::DualPipe | ScheduleKind::DualPipeV
    );
    // Where compute waits for them, gathers are like exchanges of both passes.
    if let Some(ends) = whole.ends.filter(|ends| ends.gather_shows && !pairs) {
        for (least, gather) in stages.iter_mut().zip(&ends.gather) {
            least.forward_exchange += *gather;
            least.backward_exchange += *gather;
        }
    }
    let split = matches!(
        p.schedule,
        ScheduleKind::ZbH1 | ScheduleKind::DualPipe | ScheduleKind::DualPipeV
    );
    // A micro-batch on its way forth, and its gradient on its way back.
    let mut forth = vec![Time::ZERO];
    let mut back = vec![Time::ZERO];
    for least in &stages {
        let weights = if split { Time::ZERO } else { least.weights };
        forth.push(forth[forth.len() - 1] + least.forward + least.forward_exchange);
        back.push(back[back.len() - 1] + least.backward + weights + least.backward_exchange);
    }
    let serial = !case.software.expert_overlap;
    let nothing = Lone::default();
    let mut loaded = Time::ZERO;
    let time = (0..p.pipeline)
        .map(|rank| {
            let lone = whole.lone.get(rank as usize).unwrap_or(&nothing);
            let held = held(p, rank, whole.micro_batches);
            for (stage, count) in &held {
                loaded += stages[*stage as usize].kernels * u64::from(*count);
            }
            let work = work(&held, &stages, lone, serial);
            let ways = held.iter().map(|(stage, _)| *stage as usize);
            // The chunk that is reached first; in DualPipe from either end.
            let fill = ways.clone().map(|s| forth[s]).min().unwrap_or(Time::ZERO);
            let drain = ways.map(|s| back[s]).min().unwrap_or(Time::ZERO);
            let trailing: Time = (held.iter().zip(&lone.trailing))
                .map(|((stage, _), count)| stages[*stage as usize].weights * u64::from(*count))
                .sum();
            let chunks = fill + work;
            let drained = chunks.saturating_sub(trailing) + drain;
            let Some(ends) = whole.ends else {
                return chunks.max(drained);
            };
            let each = |of: &dyn Fn(usize) -> Time| -> Time {
                let parts = held.iter();
                parts
                    .map(|(stage, count)| of(*stage as usize) * u64::from(*count))
                    .sum()
            };
            let awaited = match ends.reduce_shows && !pairs {
                true => each(&|stage| ends.reduce[stage]),
                false => Time::ZERO,
            };
            // Gathers and reductions of sharded parameters take turns on one stream.
            let moved = each(&|stage| ends.gather[stage] * 2 + ends.reduce[stage]);
            // All ranks meet before the update, whichever was last.
            let own = chunks + awaited + ends.own[rank as usize];
            (own.max(drained) + ends.behind[rank as usize]).max(moved)
        })
        .max()
        .unwrap_or(Time::ZERO);
    LeastStep {
        time,
        loaded: Time::from_picos(loaded.picos() / u64::from(p.pipeline.max(1))),
    }
}

/// Stages of a pipeline rank, by local chunk, and how many micro-batches go through each.
fn held(p: &Parallelism, rank: u32, micro_batches: u32) -> Vec<(u32, u32)> {
    match p.schedule {
        ScheduleKind::DualPipe => vec![
            (rank, micro_batches / 2),
            (p.pipeline - 1 - rank, micro_batches - micro_batches / 2),
        ],
        ScheduleKind::DualPipeV => vec![
            (rank, micro_batches),
            (2 * p.pipeline - 1 - rank, micro_batches),
        ],
        _ => (0..p.virtual_stages)
            .map(|local| (local * p.pipeline + rank, micro_batches))
            .collect(),
    }
}

/// The least that the chunks of a rank take in sum.
fn work(held: &[(u32, u32)], stages: &[Least], lone: &Lone, serial: bool) -> Time {
    let (mut alone, mut kernels, mut exchanges) = (Time::ZERO, Time::ZERO, Time::ZERO);
    for (local, (stage, count)) in held.iter().enumerate() {
        let least = stages[*stage as usize];
        let count = u64::from(*count);
        // Where nothing is written everything runs alone.
        let of = |list: &Vec<u32>| match list.get(local) {
            Some(listed) if !serial => u64::from(*listed).min(count),
            _ => count,
        };
        let (forward, backward) = (of(&lone.forward), of(&lone.backward));
        alone += (least.forward + least.forward_exchange) * forward
            + (least.backward + least.backward_exchange) * backward
            + least.weights * count;
        kernels += least.forward * (count - forward) + least.backward * (count - backward);
        exchanges += least.forward_exchange * (count - forward)
            + least.backward_exchange * (count - backward);
    }
    // Weight gradients of pairs can hide their exchanges.
    let hidden: Time = (held.iter().enumerate())
        .map(|(local, (stage, count))| {
            let count = u64::from(*count);
            let backward = match lone.backward.get(local) {
                Some(listed) if !serial => u64::from(*listed).min(count),
                _ => count,
            };
            stages[*stage as usize].weights * (count - backward)
        })
        .sum();
    alone.saturating_sub(hidden) + (kernels + hidden).max(exchanges)
}

fn of_stage(case: &Case, p: &Parallelism, stage: &StageContents, prices: &Prices) -> Least {
    let mut sum = Least::default();
    let recomputed = p.recompute_layers.unwrap_or(u32::MAX);
    for (nth, layer) in (0..).zip(stage.layers.clone()) {
        let kind = usize::from(nth >= recomputed) + 2 * usize::from(nth < p.offload_layers);
        sum = sum + prices.layer(layer)[kind];
    }
    if stage.embedding {
        sum = sum + prices.embedding;
    }
    if stage.head {
        sum = sum + prices.head;
    }
    if stage.mtp {
        for module in 0..case.model.mtp {
            let layer = prices.layer(case.model.layers + module)[0];
            sum = sum + prices.entry + layer + prices.head;
        }
    }
    sum
}

fn price(case: &Case, phase: &Phase, candidate: &Candidate) -> Result<Prices, SimulateError> {
    let p = &candidate.parallelism;
    // Where groups lie does not depend on the number of micro-batches.
    let few = (1..=candidate.micro_batches)
        .find(|m| {
            candidate.micro_batches.is_multiple_of(*m)
                && schedule::check(p.schedule, p.pipeline, p.virtual_stages, *m).is_ok()
        })
        .unwrap_or(candidate.micro_batches);
    let batch = phase.global_batch / candidate.micro_batches.max(1) * few;
    let length = phase.sequence_length;
    let layout = Layout::new(p, &case.model, &case.cluster, length, batch).map_err(|mut e| {
        if e.is_empty() {
            SimulateError::Cancelled
        } else {
            e.swap_remove(0)
        }
    })?;
    parts(case, phase, p, &layout)
}

/// Prices of all parts, where a layout puts its groups.
fn parts(
    case: &Case,
    phase: &Phase,
    p: &Parallelism,
    layout: &Layout,
) -> Result<Prices, SimulateError> {
    let durations = durations(case, p, phase.sequence_length, layout)?;
    let model = &case.model;
    // Two operand types, with and without experts, and a few windows: far fewer kinds than a byte holds.
    let mut known: BTreeMap<_, u8> = BTreeMap::new();
    let mut kinds: Vec<[Least; 4]> = Vec::new();
    let all = p.recompute_layers.is_none() || p.recompute == Recompute::None;
    let layers = (0..model.layers + model.mtp).map(|layer| {
        let kind = (
            model.is_moe_layer(layer),
            model.window_of(layer),
            case.precision.of_layer(layer, model.layers),
        );
        if let Some(kind) = known.get(&kind) {
            return *kind;
        }
        let priced = || {
            let recomputed = Least::layer(&durations, layer, true);
            let plain = match all {
                true => recomputed,
                false => Least::layer(&durations, layer, false),
            };
            if p.offload_layers == 0 {
                return [recomputed, plain, recomputed, plain];
            }
            let offloaded = |recompute| {
                let setting = Setting {
                    model,
                    parallelism: p,
                    precision: &case.precision,
                    software: &case.software,
                    method: case.training.method,
                    capacity: case.cluster.accelerator.memory,
                };
                let bytes = memory::kept(setting, layout, layer, recompute);
                Least::offloaded(&durations, layer, recompute, bytes)
            };
            [recomputed, plain, offloaded(true), offloaded(false)]
        };
        kinds.push(priced());
        let number = (kinds.len() - 1) as u8;
        known.insert(kind, number);
        number
    });
    let layers = layers.collect();
    Ok(Prices {
        kinds,
        layers,
        embedding: Least::embedding(&durations),
        head: Least::head(&durations),
        entry: match model.mtp {
            0 => Least::default(),
            _ => Least::module_entry(&durations),
        },
    })
}
