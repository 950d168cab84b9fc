//! Which ranks and which part of a step a trace shows.
//!
//! In: text such as `0-63`, `0,16,32`, `stage:4`, `2s..3s`. Out: ranks of a layout, a window.
//! Never decides how much is too much.

use std::str::FromStr;
use strait_training::layout::Layout;
use strait_units::Time;

/// A choice of ranks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ranks {
    /// One rank of each pipeline rank: the first data-parallel replica.
    #[default]
    Replica,
    /// Every rank.
    All,
    /// These parts together.
    Parts(Vec<Part>),
}

/// A part of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Ranks from the first to the last, both included.
    Range(u32, u32),
    /// All ranks of a pipeline rank.
    Stage(u32),
}

/// Text that chooses nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Ranks in no known form.
    #[error("can't read `{0}` as ranks: write `0-63`, `0,16,32`, `stage:4` or `all`")]
    Ranks(String),
    /// A window in no known form.
    #[error("can't read `{0}` as a window: write two times with units, as in `2s..3s`")]
    Window(String),
    /// Ranks that the layout does not have.
    #[error("there is no {what} {index}: the layout has {count}, from 0")]
    Missing {
        /// Rank or stage.
        what: &'static str,
        /// Which.
        index: u32,
        /// How many there are.
        count: u32,
    },
}

impl FromStr for Ranks {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Ranks, ChoiceError> {
        match text.trim() {
            "all" => return Ok(Ranks::All),
            "replica" => return Ok(Ranks::Replica),
            _ => {}
        }
        let wrong = || ChoiceError::Ranks(text.to_owned());
        let number = |word: &str| word.trim().parse::<u32>().map_err(|_| wrong());
        let parts = text.split(',').map(|part| {
            let part = part.trim();
            if let Some(stage) = part.strip_prefix("stage:") {
                return Ok(Part::Stage(number(stage)?));
            }
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(wrong());
            }
            Ok(Part::Range(first, last))
        });
        Ok(Ranks::Parts(parts.collect::<Result<_, _>>()?))
    }
}

impl Ranks {
    /// The ranks of a layout, ascending, each once.
    ///
    /// # Errors
    /// A rank or stage that the layout does not have.
    pub fn resolve(&self, layout: &Layout) -> Result<Vec<u32>, ChoiceError> {
        let inner = layout.stage_ranks();
        let parts = match self {
            Ranks::All => return Ok((0..layout.ranks).collect()),
            Ranks::Replica => return Ok((0..layout.pipeline).map(|p| p * inner).collect()),
            Ranks::Parts(parts) => parts,
        };
        let mut ranks = Vec::new();
        for part in parts {
            let (what, index, count) = match *part {
                Part::Range(_, last) => ("rank", last, layout.ranks),
                Part::Stage(stage) => ("stage", stage, layout.pipeline),
            };
            if index >= count {
                return Err(ChoiceError::Missing { what, index, count });
            }
            match *part {
                Part::Range(first, last) => ranks.extend(first..=last),
                Part::Stage(stage) => ranks.extend(stage * inner..(stage + 1) * inner),
            }
        }
        ranks.sort_unstable();
        ranks.dedup();
        Ok(ranks)
    }
}

/// A stretch of simulated time; by default all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Slices that end before are left out.
    pub from: Time,
    /// Slices that start after are left out.
    pub to: Time,
}

impl Default for Window {
    fn default() -> Window {
        Window {
            from: Time::ZERO,
            to: Time::MAX,
        }
    }
}

impl Window {
    /// Whether a slice is at least in part inside.
    pub fn shows(&self, start: Time, end: Time) -> bool {
        start <= self.to && end >= self.from
    }
}

impl FromStr for Window {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Window, ChoiceError> {
        let wrong = || ChoiceError::Window(text.to_owned());
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let side = |side: &str, open: Time| match side.trim() {
            "" => Ok(open),
            "0" => Ok(Time::ZERO),
            side => side.parse::<Time>().map_err(|_| wrong()),
        };
        let window = Window {
            from: side(from, Time::ZERO)?,
            to: side(to, Time::MAX)?,
        };
        if window.from >= window.to {
            return Err(wrong());
        }
        Ok(window)
    }
}
