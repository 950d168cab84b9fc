//! The least that sharded parameters and the end of a step can take.
//!
//! In: a case, a layout, its phase; the order of work is not asked. Out: for each stage what one pass
//! over all of its layers gathers and reduces, and for each pipeline rank what it does behind its last
//! chunk ([`Ends`]). Never simulates: no rank waits for another here.

use super::chunks::{Frozen, PassParameters};
use super::duration::Durations;
use super::pricing::{durations, shape_of};
use super::ranks::Lowering;
use super::stock::Stock;
use crate::case::{Case, Parallelism, Zero};
use crate::layout::{Group, Layout, StageContents};
use crate::links::CollectiveKind;
use crate::ops::{OptimizerWork, optimizer_ops};
use crate::simulate::SimulateError;
use std::collections::BTreeMap;
use strait_units::{Bytes, Time};

/// What comes on top of the chunks of a step, at least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// By stage: gathers of its parameters for one pass, where they are sharded.
    pub gather: Vec<Time>,
    /// By stage: reductions of its gradients behind one pass, where parameters are sharded.
    pub reduce: Vec<Time>,
    /// Compute waits for these gathers.
    pub gather_shows: bool,
    /// Compute waits for these reductions.
    pub reduce_shows: bool,
    /// By pipeline rank: what follows its last chunk, until all ranks meet to add up the norm.
    pub own: Vec<Time>,
    /// By pipeline rank: what it does from there on.
    pub behind: Vec<Time>,
}

impl Ends {
    /// Of a layout, which may be an outline.
    ///
    /// # Errors
    /// As [`durations`].
    pub fn of(
        case: &Case,
        parallelism: &Parallelism,
        sequence_length: u32,
        layout: &Layout,
    ) -> Result<Ends, SimulateError> {
        let durations = durations(case, parallelism, sequence_length, layout)?;
        // What adapters train is little, and what is frozen is another matter.
        if case.training.method.adapters().is_some() {
            return Ok(Ends::none(layout));
        }
        let lowering = Lowering {
            case,
            layout,
            parallelism,
            schedule: &layout.schedule,
            durations,
            stock: Stock::default(),
            representatives: false,
        };
        Ok(lowering.ends())
    }

    fn none(layout: &Layout) -> Ends {
        Ends {
            gather: vec![Time::ZERO; layout.stages.len()],
            reduce: vec![Time::ZERO; layout.stages.len()],
            own: vec![Time::ZERO; layout.pipeline as usize],
            behind: vec![Time::ZERO; layout.pipeline as usize],
            ..Ends::default()
        }
    }
}

impl Lowering<'_> {
    fn ends(&self) -> Ends {
        let layout = self.layout;
        let software = &self.case.software;
        let mut ends = Ends::none(layout);
        let stages: Vec<PassParameters> = layout.stages.iter().map(|s| self.held(s)).collect();
        if self.sharded() {
            ends.gather_shows = !software.parameter_overlap;
            ends.reduce_shows = !software.gradient_overlap;
            let state = self.case.precision.state;
            let mut known: BTreeMap<bool, [Time; 2]> = BTreeMap::new();
            for (at, stage) in layout.stages.iter().enumerate() {
                for layer in stage.layers.clone() {
                    let moe = self.case.model.is_moe_layer(layer);
                    let [gather, reduce] = *known.entry(moe).or_insert_with(|| {
                        let layer = self.layer_parameters(layer);
                        let gather = CollectiveKind::AllGather;
                        [
                            self.moved(gather, layer, state.weight, true),
                            self.moved(self.reduction(), layer, state.gradient, false),
                        ]
                    });
                    ends.gather[at] += gather;
                    ends.reduce[at] += reduce;
                }
            }
        }
        for rank in 0..layout.pipeline {
            let locals = 0..layout.schedule.chunks as u8;
            let mut total = PassParameters::default();
            for local in locals {
                let held = stages[layout.schedule.stage_of(rank, local) as usize];
                total.dense += held.dense;
                total.experts += held.experts;
            }
            [ends.own[rank as usize], ends.behind[rank as usize]] = self.last(total);
        }
        ends
    }

    /// Time of the collectives of a pass.
    fn moved(&self, kind: CollectiveKind, held: PassParameters, each: f64, shard: bool) -> Time {
        let list = self.data_collectives(kind, held, each, shard);
        list.iter().map(|collective| collective.time).sum()
    }

    /// Parameters of a stage; tables may be shared, so that only layers count.
    fn held(&self, stage: &StageContents) -> PassParameters {
        let mut total = PassParameters::default();
        let mut known: BTreeMap<bool, PassParameters> = BTreeMap::new();
        for layer in stage.layers.clone() {
            let moe = self.case.model.is_moe_layer(layer);
            let layer = *known
                .entry(moe)
                .or_insert_with(|| self.layer_parameters(layer));
            total.dense += layer.dense;
            total.experts += layer.experts;
        }
        total
    }

    /// As [`Lowering::optimizer`] has it: until all ranks meet, and from there on.
    fn last(&self, total: PassParameters) -> [Time; 2] {
        let (software, state) = (&self.case.software, self.case.precision.state);
        let zero = self.parallelism.zero;
        let mut own = Time::ZERO;
        if !software.gradient_overlap && !self.sharded() {
            own += self.moved(self.reduction(), total, state.gradient, false);
        }
        let share = |ranks: u32| match zero {
            Zero::Zero0 => 1.0,
            _ => f64::from(ranks),
        };
        let owned = total.dense / share(self.layout.shard)
            + total.experts / share(self.layout.expert_shard);
        let work = OptimizerWork {
            held: total.dense + total.experts,
            owned,
        };
        let (norm, update) = optimizer_ops(&self.case.precision, work);
        let units = self.durations.units(false);
        let listed = |durations: &Durations<'_>, ops| -> Time {
            durations
                .list(ops, units)
                .iter()
                .map(|timed| timed.time)
                .sum()
        };
        own += listed(&self.durations, &norm);
        let mut behind = listed(&self.durations, &update);
        let world = shape_of(self.span(Group::World));
        if world.ranks > 1 {
            behind += (self.durations).data(CollectiveKind::AllReduce, Bytes::new(4), world);
        }
        if !self.sharded() && !software.parameter_overlap && zero != Zero::Zero0 {
            behind += self.moved(CollectiveKind::AllGather, total, state.weight, false);
        }
        [own, behind]
    }

    fn layer_parameters(&self, layer: u32) -> PassParameters {
        let (dense, experts) = self.counts(layer);
        PassParameters {
            dense,
            experts,
            frozen: Frozen::default(),
        }
    }
}
