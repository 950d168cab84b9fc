//! Timelines of a step as files that Perfetto opens.
//!
//! In: a case, the ranks and the stretch of time to show. Out: one JSON file in Chrome's
//! trace-event format, written as it comes, whole or not at all. Never holds more than one
//! chunk of each rank, and never starts a file that would be too large.

mod choice;
mod events;
mod file;
#[cfg(test)]
mod tests;

pub use choice::{ChoiceError, Ranks, Window};

use events::{Rates, Writer};
use file::{Output, Sink};
use std::io;
use std::path::{Path, PathBuf};
use strait_training::simulate::{Control, SimulateError};
use strait_training::step::StepInput;
use strait_training::timeline::Timeline;
use strait_units::{Bytes, Time};

/// What to show, and how large it may get.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which ranks.
    pub ranks: Ranks,
    /// Which part of the step.
    pub window: Window,
    /// Largest file; `None`: any.
    pub limit: Option<Bytes>,
    /// Where the trace comes from, for people who find it later.
    pub title: String,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Size of the file.
    pub bytes: u64,
    /// Slices in it.
    pub slices: u64,
    /// Ranks in it.
    pub ranks: usize,
    /// The step's end.
    pub step: Time,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The choice of ranks does not fit the layout.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The step has no answer, or the caller asked to stop.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// The file would be larger than is allowed.
    #[error(
        "the trace would take {:.1} GB or more ({slices} slices on {ranks} ranks), more than {:.1} GB",
        estimate.gigabytes(), limit.gigabytes()
    )]
    TooLarge {
        /// Its size, about.
        estimate: Bytes,
        /// Slices.
        slices: u64,
        /// Ranks.
        ranks: usize,
        /// What is allowed.
        limit: Bytes,
    },
    /// Nothing happens in the window.
    #[error("nothing happens in this window: the step ends after {} s", step.seconds())]
    Empty {
        /// The step's end.
        step: Time,
    },
    /// The file can't be written.
    #[error("can't write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A trace that can be written.
pub struct Trace<'a> {
    timeline: Timeline,
    rates: Rates,
    request: &'a Request,
    ranks: Vec<u32>,
}

/// Bytes of a slice in the file, measured on DeepSeek-V3's step (`docs/performance.md`).
const SLICE_BYTES: u64 = 134;
/// Slices of waits for each op, likewise, rounded up.
const WAIT_SHARE: f64 = 0.05;

impl<'a> Trace<'a> {
    /// Lowers the step and chooses ranks.
    ///
    /// # Errors
    /// Contradictions between settings, or ranks that do not exist.
    pub fn new(input: StepInput<'_>, request: &'a Request) -> Result<Trace<'a>, TraceError> {
        let timeline = Timeline::new(input)?;
        let ranks = request.ranks.resolve(timeline.layout())?;
        let cluster = &input.case.cluster;
        Ok(Trace {
            timeline,
            rates: Rates {
                nic: cluster.node.nic_bandwidth,
                port: cluster.accelerator.scale_up,
            },
            request,
            ranks,
        })
    }

    /// Ranks that the trace shows, ascending.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Size and slices of the trace of the whole step, about: counted from the programs.
    pub fn whole(&self) -> (Bytes, u64) {
        let slices: u64 = (self.ranks.iter())
            .map(|&rank| {
                let ops = self.timeline.ops(rank);
                ops + (ops as f64 * WAIT_SHARE) as u64 + 2 * self.timeline.chunks(rank)
            })
            .sum();
        (Bytes::new(slices * SLICE_BYTES), slices)
    }

    /// Size and slices of the trace: of a whole step about, of a window exactly, by simulating
    /// the step once more where the whole would be too large.
    ///
    /// # Errors
    /// That the caller asked to stop.
    pub fn estimate(&self, control: Control<'_>) -> Result<(Bytes, u64), TraceError> {
        let whole = self.whole();
        let fits = self.request.limit.is_none_or(|limit| whole.0 <= limit);
        if fits || self.request.window == Window::default() {
            return Ok(whole);
        }
        let mut writer = Writer::new(
            io::sink(),
            self.rates,
            self.request.window,
            self.request.limit,
        );
        self.record(&mut writer, control)?;
        Ok((Bytes::new(writer.bytes()), writer.slices()))
    }

    /// Simulates the step and writes the file.
    ///
    /// # Errors
    /// That the trace is too large, the file can't be written, or the caller asked to stop;
    /// nothing is left behind then.
    pub fn write(&self, path: &Path, control: Control<'_>) -> Result<Written, TraceError> {
        if let Some(limit) = self.request.limit {
            let (estimate, slices) = self.estimate(control)?;
            if estimate > limit {
                return Err(self.too_large(estimate, slices, limit));
            }
        }
        let fail = |source| TraceError::Write {
            path: path.to_path_buf(),
            source,
        };
        let output = Output::create(path).map_err(fail)?;
        let mut writer = Writer::new(output, self.rates, self.request.window, self.request.limit);
        let step = self.record(&mut writer, control)?;
        let written = Written {
            bytes: writer.bytes(),
            slices: writer.slices(),
            ranks: self.ranks.len(),
            step,
        };
        if written.slices == 0 {
            return Err(TraceError::Empty { step });
        }
        writer.into_sink().commit().map_err(fail)?;
        Ok(written)
    }

    fn too_large(&self, estimate: Bytes, slices: u64, limit: Bytes) -> TraceError {
        TraceError::TooLarge {
            estimate,
            slices,
            ranks: self.ranks.len(),
            limit,
        }
    }

    fn record<S: Sink>(
        &self,
        writer: &mut Writer<S>,
        control: Control<'_>,
    ) -> Result<Time, TraceError> {
        writer.begin(&self.request.title, self.timeline.layout(), &self.ranks);
        let run = self.timeline.run(&self.ranks, writer, control);
        writer.finish();
        if let Some((path, source)) = writer.failure() {
            return Err(TraceError::Write { path, source });
        }
        if writer.is_too_large() {
            let (bytes, slices) = (Bytes::new(writer.bytes()), writer.slices());
            let limit = self.request.limit.unwrap_or(bytes);
            return Err(self.too_large(bytes, slices, limit));
        }
        Ok(run?.end)
    }
}
