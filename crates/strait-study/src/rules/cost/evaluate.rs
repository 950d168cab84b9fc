//! The best layout of a case, and its whole run.
//!
//! In: cases that differ in their chip alone. Out: the time of a step in the best layout, then days,
//! money and energy of all phases, each in its best layout. What was found once is kept: candidates for
//! servers of a size, answers for a chip. Never chooses a chip.

use super::chips::rollout_fault;
use crate::search::{
    Candidate, Candidates, Limits, Ranked, Refused, Space, Workers, calm, search, search_among,
    written,
};
use std::collections::BTreeMap;
use strait_training::case::{AttentionKernel, Case, NetworkGrain, ScheduleKind, Zero};
use strait_training::outcome::Outcome;
use strait_training::run::main_phase;
use strait_training::simulate::{Control, SimulateError, simulate};
use strait_units::{Bytes, Time};

/// What a list of candidates depends on, of a case.
type ListKey = (u8, u32, bool);

/// What is known of the best step on a chip.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The best.
    Best(Box<Ranked>),
    /// None that takes at most so long.
    NoneUnder(Time),
    /// No layout fits: the least that any takes.
    TooSmall(Bytes),
    /// It can't be simulated, for a reason in words.
    Refused(String),
}

/// Finds and keeps.
pub(super) struct Evaluator<'a> {
    workers: Workers<'a>,
    /// The most memory of any chip that is asked about.
    ceiling: Bytes,
    lists: BTreeMap<ListKey, Candidates>,
    known: BTreeMap<String, Known>,
}

/// The most layouts that are simulated for one chip.
const MOST: usize = 200;

impl<'a> Evaluator<'a> {
    pub fn new(workers: Workers<'a>, ceiling: Bytes) -> Evaluator<'a> {
        Evaluator {
            workers,
            ceiling,
            lists: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// The best step of the main phase on a chip, if it takes at most `under`. `name` stands for the chip.
    ///
    /// # Errors
    /// [`SimulateError::Cancelled`].
    pub fn step(
        &mut self,
        name: &str,
        case: &Case,
        under: Option<Time>,
    ) -> Result<Known, SimulateError> {
        match self.known.get(name) {
            Some(Known::NoneUnder(known)) if under.is_none_or(|under| under > *known) => {}
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        // Closed forms for choosing: hundreds of layouts on a thin fabric would each be laid out link by
        // link. The run that is told is simulated as the scenario says.
        let mut quick = calm(case.clone());
        quick.engine.network = NetworkGrain::Analytic;
        let answer = match rollout_fault(&quick, "") {
            // Rollouts do not depend on the layout that is looked for.
            Some(why) => Known::Refused(why),
            None => match self.search(&quick, under) {
                Err(SimulateError::Cancelled) => return Err(SimulateError::Cancelled),
                Err(error) => Known::Refused(error.to_string()),
                Ok(known) => known,
            },
        };
        self.known.insert(name.to_owned(), answer.clone());
        Ok(answer)
    }

    /// What is known of a chip that was asked about.
    pub fn known(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    fn search(&mut self, case: &Case, under: Option<Time>) -> Result<Known, SimulateError> {
        let phase = &case.training.phases[main_phase(&case.training.phases)];
        let key = (
            case.precision.recipe as u8,
            case.cluster.node.accelerators,
            case.software.attention == AttentionKernel::Unfused,
        );
        let (workers, ceiling) = (self.workers, self.ceiling);
        let list = match self.lists.entry(key) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let space = brief(Space::around(case, phase));
                free.insert(Candidates::of(case, phase, &space, ceiling, workers)?)
            }
        };
        // The list is of whoever came first: communication takes another share of this chip.
        let units = written(case, phase).communication_units;
        let differs = |c: &Candidate| c.parallelism.communication_units != units;
        if list.all.first().is_some_and(differs) {
            for candidate in &mut list.all {
                candidate.parallelism.communication_units = units;
            }
        }
        let limits = Limits {
            best: 1,
            simulated: MOST,
            exhaustive: false,
            under,
        };
        let mut found = search_among(case, phase, list, limits, workers)?;
        Ok(match found.best.pop() {
            Some(best) => Known::Best(Box::new(best)),
            None if found.least.is_none() => match found.refused.least_memory {
                Some(least) => Known::TooSmall(least),
                None => Known::Refused(impossible(&found.refused, case.cluster.ranks())),
            },
            None => match (found.failed.keys().next(), under) {
                (Some(path), _) if found.bounded == 0 => {
                    Known::Refused(format!("{path} can't be simulated"))
                }
                (_, under) => Known::NoneUnder(under.unwrap_or(Time::MAX)),
            },
        })
    }

    /// The whole run with the main phase in the layout that was found; every other phase gets its own.
    /// The inner error says which phase has none, or why the run can't be simulated.
    ///
    /// # Errors
    /// [`SimulateError::Cancelled`].
    pub fn run(
        &self,
        case: &Case,
        main: &Ranked,
    ) -> Result<Result<Outcome, String>, SimulateError> {
        let mut case = calm(case.clone());
        let at = main_phase(&case.training.phases);
        for index in 0..case.training.phases.len() {
            if index == at {
                continue;
            }
            let phase = case.training.phases[index].clone();
            match self.other_phase(&case, index, main) {
                Ok(Some(best)) => case.training.phases[index].parallelism = Some(best),
                Ok(None) => {
                    return Ok(Err(format!("no layout fits the phase \"{}\"", phase.name)));
                }
                Err(error) => return told(error).map(Err),
            }
        }
        case.parallelism = main.parallelism.clone();
        case.training.phases[at].parallelism = Some(main.parallelism.clone());
        let control = Control {
            cancel: self.workers.cancel,
            progress: &|_| {},
            threads: self.workers.threads,
            full_ranks: false,
            clock: &|| 0.0,
        };
        match simulate(&case, control) {
            Ok(outcome) => Ok(Ok(outcome)),
            Err(error) => told(error).map(Err),
        }
    }

    /// The layout of a phase beside the main one: first with weights where they lie then, so that
    /// context, schedule, micro-batch and recompute are chosen; else anything.
    fn other_phase(
        &self,
        case: &Case,
        index: usize,
        main: &Ranked,
    ) -> Result<Option<strait_training::case::Parallelism>, SimulateError> {
        let phase = &case.training.phases[index];
        let wide = brief(Space::around(case, phase));
        let p = &main.parallelism;
        let mut also = vec![p.clone()];
        also.extend(wide.also.iter().cloned());
        for layout in &mut also {
            layout.communication_units = p.communication_units;
        }
        also.dedup();
        let near = Space {
            tensor: vec![p.tensor],
            pipeline: vec![p.pipeline],
            expert: vec![p.expert],
            expert_tensor: vec![p.expert_tensor],
            also,
            ..wide.clone()
        };
        let limits = Limits {
            best: 1,
            simulated: MOST,
            exhaustive: false,
            under: None,
        };
        let mut quick = case.clone();
        quick.engine.network = NetworkGrain::Analytic;
        for space in [near, wide] {
            let mut found = search(&quick, phase, &space, limits, self.workers)?;
            if let Some(best) = found.best.pop() {
                return Ok(Some(best.parallelism));
            }
        }
        Ok(None)
    }
}

/// How a reason begins that is not a lack of layouts.
pub(super) const UNABLE: &str = "can't be simulated: ";

/// What is wrong with one chip is a reason against it, and no more.
fn told(error: SimulateError) -> Result<String, SimulateError> {
    match error {
        SimulateError::Cancelled => Err(error),
        SimulateError::Invalid { message, .. } => Ok(format!("{UNABLE}{message}")),
    }
}

/// Why no layout passes the checks: the setting that refused most.
fn impossible(refused: &Refused, ranks: u32) -> String {
    let most = (refused.by_setting.iter()).max_by_key(|(_, count)| **count);
    let setting = most.map_or(String::new(), |(path, _)| format!(", most for {path}"));
    format!("the checks refuse every layout on {ranks} accelerators{setting}")
}

/// The space of the study: what a search for one layout looks at, less what hardly ever wins, since
/// dozens of chips are asked.
fn brief(mut space: Space) -> Space {
    let own = space.also.first().cloned();
    let keeps = |v: u32, own: Option<u32>, most: u32| v <= most || own == Some(v);
    space
        .micro_batch
        .retain(|m| keeps(*m, own.as_ref().map(|p| p.micro_batch), 2));
    // Within the largest pods tensor parallelism could go on and on.
    space
        .tensor
        .retain(|t| keeps(*t, own.as_ref().map(|p| p.tensor), 16));
    let moe = space.expert.len() > 1;
    if moe {
        let written = own.as_ref().map(|p| (p.schedule, p.virtual_stages));
        space.schedule.retain(|s| s.1 <= 2 || Some(*s) == written);
        space
            .schedule
            .retain(|s| *s != (ScheduleKind::OneFOneB, 2) || Some(*s) == written);
    }
    // ZeRO-2 is ZeRO-1 where gradients of several micro-batches are added up.
    space
        .zero
        .retain(|z| matches!(z, Zero::Zero1 | Zero::Zero3));
    space
}
