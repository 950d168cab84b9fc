//! Chunks: the passes of one model stage with their times, and what they hold.
//!
//! In: a stage of a layout. Out: its [`ChunkPasses`], once for stages that differ in nothing that times
//! depend on. Never orders them.

use super::ranks::Lowering;
use super::stock::ChunkKey;
use super::timed::TimedPass;
use crate::case::Precision;
use crate::layout::StageContents;
use crate::memory;
use crate::ops::{
    Pass, arrival_pass, embedding_pass, head_pass, layer_pass, mtp_entry_pass, trained,
};
use std::rc::Rc;
use strait_units::Bytes;

/// Parameters of a chunk that are reduced over data-parallel ranks, by group kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassParameters {
    pub(super) dense: f64,
    pub(super) experts: f64,
    /// Those that are not trained: gathered where parameters are sharded, never reduced.
    pub(super) frozen: Frozen,
}

/// Parameters that are not trained.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frozen {
    pub(super) dense: f64,
    pub(super) experts: f64,
}

impl PassParameters {
    /// The parameters of a pass that trains all of them, or adapters beside them.
    fn of(dense: f64, experts: f64, adapters: Option<(f64, f64)>) -> PassParameters {
        match adapters {
            None => PassParameters {
                dense,
                experts,
                frozen: Frozen::default(),
            },
            Some((small, in_experts)) => PassParameters {
                dense: small,
                experts: in_experts,
                frozen: Frozen { dense, experts },
            },
        }
    }
}

/// A chunk of the model on a rank.
pub(super) struct ChunkPasses {
    pub(super) lone: Vec<TimedPass>,
    pub(super) paired: Vec<TimedPass>,
    pub(super) parameters: Vec<PassParameters>,
}

/// What tells the passes of layers apart: experts, attention window, recompute, operand types,
/// offload.
pub(super) type LayerKind = (bool, Option<u32>, bool, Precision, bool);

/// Trained weights of a pass whose own weights are frozen, dense and in experts.
pub(super) type Adapters = Option<(f64, f64)>;

impl Lowering<'_> {
    /// The passes of one model stage.
    fn chunk(&mut self, stage: u32) -> ChunkPasses {
        let contents = self.layout.stages[stage as usize].clone();
        let StageContents {
            layers,
            embedding,
            head,
            mtp,
        } = contents;
        let mut chunk = ChunkPasses {
            lone: Vec::new(),
            paired: Vec::new(),
            parameters: Vec::new(),
        };
        let model = &self.case.model;
        let tensor = f64::from(self.parallelism.tensor);
        let vocabulary = f64::from(model.vocabulary) * f64::from(model.hidden) / tensor;
        let arrival = |first, last| arrival_pass(&self.durations.shape, first, last);
        // Forward before all else, backward (which runs from the end) as well.
        let (before, behind) = (
            arrival(stage == 0, true),
            arrival(true, stage + 1 == self.schedule.stages()),
        );
        if !before.forward.is_empty() {
            self.add(&mut chunk, &before, 0.0, 0.0);
        }
        if embedding {
            let pass = embedding_pass(&self.durations.shape);
            self.add(&mut chunk, &pass, vocabulary, 0.0);
        }
        let recomputed = self.recomputed(layers.len() as u32);
        let first = layers.start;
        for layer in layers {
            let nth = layer - first;
            let offloads = nth < self.parallelism.offload_layers;
            self.add_layer(&mut chunk, layer, nth < recomputed, offloads);
        }
        if head {
            let pass = head_pass(&self.durations.shape);
            let held = if model.tied && embedding {
                0.0
            } else {
                vocabulary
            };
            self.add(&mut chunk, &pass, held, 0.0);
        }
        if mtp {
            for module in 0..model.mtp {
                let pass = mtp_entry_pass(&self.durations.shape);
                let projection = 2.0 * f64::from(model.hidden) * f64::from(model.hidden) / tensor;
                self.add(&mut chunk, &pass, projection, 0.0);
                self.add_layer(&mut chunk, model.layers + module, true, false);
                let pass = head_pass(&self.durations.shape);
                self.add(&mut chunk, &pass, 0.0, 0.0);
            }
        }
        if !behind.backward.is_empty() {
            self.add(&mut chunk, &behind, 0.0, 0.0);
        }
        chunk
    }

    fn add(&mut self, chunk: &mut ChunkPasses, pass: &Pass, dense: f64, experts: f64) {
        chunk
            .lone
            .push(TimedPass::new(&self.durations, pass, false));
        chunk
            .paired
            .push(TimedPass::new(&self.durations, pass, self.exchanges()));
        let adapters = self.durations.shape.adapters.map(|_| trained(pass));
        chunk
            .parameters
            .push(PassParameters::of(dense, experts, adapters));
    }

    fn add_layer(&mut self, chunk: &mut ChunkPasses, layer: u32, recompute: bool, offloads: bool) {
        let durations = &self.durations;
        let exchanges = self.exchanges();
        let kind = self.kind(layer, recompute, offloads);
        let kept = match offloads {
            true => self.kept(layer, recompute),
            false => Bytes::ZERO,
        };
        let (lone, paired, adapters) = self.stock.passes.entry(kind).or_insert_with(|| {
            let pass = layer_pass(&durations.shape, layer, recompute);
            let timed = |pair| {
                let timed = TimedPass::new(durations, &pass, pair);
                if offloads {
                    timed.offloaded(durations, kept)
                } else {
                    timed
                }
            };
            (
                timed(false),
                timed(exchanges),
                durations.shape.adapters.map(|_| trained(&pass)),
            )
        });
        let adapters = *adapters;
        chunk.lone.push(lone.in_layer(layer));
        chunk.paired.push(paired.in_layer(layer));
        let (dense, experts) = self.counts(layer);
        chunk
            .parameters
            .push(PassParameters::of(dense, experts, adapters));
    }

    /// Parameters of a layer on a rank, dense and in experts.
    pub(super) fn counts(&self, layer: u32) -> (f64, f64) {
        let counts = self.case.model.layer_parameters(layer);
        let dense = (counts.attention + counts.dense_ffn + counts.shared) as f64
            / f64::from(self.parallelism.tensor)
            + (counts.norms + counts.router) as f64;
        let experts = counts.routed as f64
            / f64::from(self.parallelism.expert * self.parallelism.expert_tensor);
        (dense, experts)
    }

    /// What tells the passes of a layer from those of others.
    fn kind(&self, layer: u32, recompute: bool, offloads: bool) -> LayerKind {
        let model = &self.case.model;
        let precision = self.case.precision.of_layer(layer, model.layers);
        let (moe, window) = (model.is_moe_layer(layer), model.window_of(layer));
        (moe, window, recompute, precision, offloads)
    }

    /// Layers of a stage that are recomputed.
    fn recomputed(&self, layers: u32) -> u32 {
        let wanted = self.parallelism.recompute_layers.unwrap_or(u32::MAX);
        wanted.min(layers)
    }

    /// The passes of one model stage, and its number: the same for stages that differ in nothing but
    /// the numbers of their layers, where these make no difference.
    pub(super) fn chunk_of(&mut self, stage: u32) -> (u32, Rc<ChunkPasses>) {
        if !self.stock.shares {
            return (stage, Rc::new(self.chunk(stage)));
        }
        let StageContents {
            layers,
            embedding,
            head,
            mtp,
        } = self.layout.stages[stage as usize].clone();
        let recomputed = self.recomputed(layers.len() as u32);
        let first = layers.start;
        let layer = |layer: u32| {
            let nth = layer - first;
            let offloads = nth < self.parallelism.offload_layers;
            let kind = self.kind(layer, nth < recomputed, offloads);
            (kind, self.case.model.layer_parameters(layer))
        };
        let key = ChunkKey {
            ends: [stage == 0, stage + 1 == self.schedule.stages()],
            holds: [embedding, head, mtp],
            layers: layers.map(layer).collect(),
        };
        let known = self
            .stock
            .chunks
            .iter()
            .position(|(known, _)| *known == key);
        let at = known.unwrap_or_else(|| {
            let chunk = Rc::new(self.chunk(stage));
            self.stock.chunks.push((key, chunk));
            self.stock.chunks.len() - 1
        });
        (at as u32, Rc::clone(&self.stock.chunks[at].1))
    }

    /// What a layer keeps of a micro-batch.
    fn kept(&self, layer: u32, recompute: bool) -> Bytes {
        let setting = memory::Setting {
            model: &self.case.model,
            parallelism: self.parallelism,
            precision: &self.case.precision,
            software: &self.case.software,
            method: self.case.training.method,
            capacity: self.case.cluster.accelerator.memory,
        };
        memory::kept(setting, self.layout, layer, recompute)
    }
}
