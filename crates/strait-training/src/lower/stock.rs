//! What steps of one layout have in common, made once.
//!
//! In: a case, a parallelism and a length, the same for all steps that draw on a stock. Out: passes,
//! blocks and ranks that were made for one of them, for the next. Never makes anything itself.
//!
//! Without routed load and without shared links a block is what its kernels and sends make it: the
//! numbers of its layers and the pipeline rank make no difference. Then stages that hold alike layers
//! share their blocks, and so do the steps of a ramp, which differ in their order of chunks alone. Else
//! nothing is shared.

use super::blocks::Tables;
use super::chunks::{Adapters, ChunkPasses, LayerKind};
use super::frame::BlockKey;
use super::timed::TimedPass;
use super::timing::StepTiming;
use super::wires::{Requests, Wants};
use crate::case::{Balance, Case};
use crate::layout::{Group, Span};
use crate::model::LayerParameters;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use strait_sim::{Block, FoldMemo, RankSpec, Shared};
use strait_units::Time;

/// What tells the chunk of a stage from those of others.
#[derive(Debug, PartialEq)]
pub(super) struct ChunkKey {
    /// It is the first stage, the last.
    pub ends: [bool; 2],
    /// Embedding, head, multi-token prediction.
    pub holds: [bool; 3],
    pub layers: Vec<(LayerKind, LayerParameters)>,
}

/// What tells the blocks of a rank from those of others: its chunks, whether its sends cross
/// domains, and what it takes to sum the gradients of tied weights.
pub(super) type Outfit = (Vec<u32>, Vec<Option<bool>>, Option<Time>);

/// What is in stock.
#[derive(Default)]
pub(crate) struct Stock {
    /// Steps draw on it: blocks are shared.
    pub(super) shares: bool,
    /// Timed passes by kind of layer, alone and paired.
    pub(super) passes: BTreeMap<LayerKind, (TimedPass, TimedPass, Adapters)>,
    /// How groups lie over domains, by kind, once asked: every pass of every chunk asks again.
    pub(super) spans: RefCell<BTreeMap<Group, Span>>,
    pub(super) chunks: Vec<(ChunkKey, Rc<ChunkPasses>)>,
    outfits: Vec<Outfit>,
    /// By the number of an outfit.
    pub(super) blocks: BTreeMap<(u32, BlockKey), Shared<Block>>,
    pub(super) tables: Tables,
    /// Ranks of the last job and what they take, by how many each of them stands for.
    pub(super) ranks: Option<(u32, Shared<Vec<RankSpec>>, StepTiming)>,
    /// What is known of the folds of these steps.
    pub memo: FoldMemo,
}

/// Durations depend on the routed load.
fn loads(case: &Case) -> bool {
    case.routing.balance != Balance::Forced && case.routing.spread.get() > 0.0
}

impl Stock {
    /// For one step that shares nothing.
    pub(super) fn of_one(case: &Case, wants: Wants) -> Stock {
        Stock {
            tables: Tables::new(Requests::new(wants), loads(case), true),
            ..Stock::default()
        }
    }

    /// Whether steps of a case have blocks in common.
    pub(super) fn serves(case: &Case, wants: Wants) -> bool {
        wants.nothing() && !loads(case)
    }

    /// Ready to be drawn on.
    pub(super) fn opened(mut self, case: &Case, wants: Wants) -> Stock {
        if !self.shares {
            self.shares = true;
            self.tables = Tables::new(Requests::new(wants), loads(case), false);
        }
        self
    }

    /// The number of an outfit.
    pub(super) fn outfit(&mut self, outfit: Outfit) -> u32 {
        let known = self.outfits.iter().position(|known| *known == outfit);
        let at = known.unwrap_or_else(|| {
            self.outfits.push(outfit);
            self.outfits.len() - 1
        });
        at as u32
    }
}
