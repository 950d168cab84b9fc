//! What ranks do and when: one step, instruction by instruction.
//!
//! In: a case's step and the ranks to watch. Out: calls of a [`Recorder`] with names, layers,
//! micro-batches and waits. Never stores more than the open chunk of each watched rank, never
//! writes anywhere, and never changes what happens: it is the same step that [`crate::step`]
//! answers.

use crate::case::Case;
use crate::layout::Layout;
use crate::lower::{COMPUTE, EXCHANGE, Lowered, SENDS, Subject, Window, account, lower};
use crate::run::main_phase;
use crate::simulate::{Control, SimulateError};
use crate::step::{StepInput, engine_error, first};
use std::sync::atomic::{AtomicBool, Ordering};
use strait_sim::{BlockSpan, Engine, Instruction, InstructionSpan, Kind, Mode, Observer, Run};
use strait_units::{Bytes, Time};

/// Where a slice is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Kernels, and collectives that block them.
    Compute,
    /// Expert exchanges, and parameter gathers of fully sharded data parallelism.
    Exchange,
    /// Transfers to other pipeline ranks.
    Sends,
    /// Gradient and parameter collectives.
    Data,
}

/// One instruction that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its stream.
    pub track: Track,
    /// Name of the op.
    pub name: &'static str,
    /// Layer, where it is of one (multi-token-prediction modules follow the layers).
    pub layer: Option<u32>,
    /// Micro-batch, where it is of one.
    pub micro_batch: Option<u32>,
    /// Start; for a collective when all members had arrived.
    pub start: Time,
    /// End.
    pub end: Time,
    /// What the rank sends in it through its NIC, at mean load.
    pub nic: Bytes,
    /// And through its scale-up port.
    pub port: Bytes,
}

/// A stream stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The stream: compute or exchange.
    pub track: Track,
    /// What for.
    pub cause: &'static str,
    /// Start.
    pub start: Time,
    /// End.
    pub end: Time,
}

/// What a chunk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// Starts the gather of parameters in the background; takes no time itself.
    Gather,
    /// Forward.
    Forward,
    /// Backward, input and weight gradients.
    Backward,
    /// Backward for the input only.
    BackwardInput,
    /// Weight gradients only.
    BackwardWeight,
    /// An overlapped pair.
    Pair,
    /// Gradient exchange and optimizer.
    Optimizer,
}

/// One open chunk of a rank, whole.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Rank.
    pub rank: u32,
    /// What it does.
    pub kind: ChunkKind,
    /// Micro-batch of the forward part.
    pub forward: Option<u32>,
    /// Micro-batch of the backward part.
    pub backward: Option<u32>,
    /// When the chunk before it closed (zero for the first).
    pub since: Time,
    /// When it opened.
    pub open: Time,
    /// When compute and exchange were done.
    pub close: Time,
    /// What ran on the compute and the exchange stream, each in order.
    pub slices: &'a [Slice],
    /// When these stood still, each in order.
    pub waits: &'a [Wait],
}

/// Takes what the watched ranks do. Chunks of a rank come in order, and so do the slices of
/// each background track; between ranks the order is the engine's, the same every time.
pub trait Recorder {
    /// A chunk has closed.
    fn chunk(&mut self, chunk: &Chunk<'_>);
    /// A slice beside the chunks: a send or a data-parallel collective.
    fn background(&mut self, rank: u32, slice: &Slice);
    /// Says no to end the run early.
    fn keep_going(&self) -> bool {
        true
    }
}

/// A step that is ready to be watched.
pub struct Timeline {
    layout: Layout,
    lowered: Lowered,
    /// Where each program's blocks begin in the list of subjects.
    first_block: Vec<usize>,
}

/// The step of a case's main phase at its full batch: the one that answers name.
pub fn main_step(case: &Case) -> Option<StepInput<'_>> {
    let phases = &case.training.phases;
    let phase = phases.get(main_phase(phases))?;
    Some(StepInput {
        case,
        parallelism: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
        sequence_length: phase.sequence_length,
        global_batch: phase.global_batch,
    })
}

impl Timeline {
    /// Lays the step out and lowers it.
    ///
    /// # Errors
    /// The first contradiction between the settings.
    pub fn new(input: StepInput<'_>) -> Result<Timeline, SimulateError> {
        let case = input.case;
        let layout = Layout::new(
            input.parallelism,
            &case.model,
            &case.cluster,
            input.sequence_length,
            input.global_batch,
        )
        .map_err(first)?;
        let lowered = lower(
            case,
            input.parallelism,
            input.sequence_length,
            &layout,
            &layout.schedule,
        )?;
        let mut blocks = 0;
        let first_block = (lowered.job.programs.iter())
            .map(|program| {
                blocks += program.blocks.len();
                blocks - program.blocks.len()
            })
            .collect();
        Ok(Timeline {
            layout,
            lowered,
            first_block,
        })
    }

    /// Where ranks stand.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Instructions that a rank runs in the step.
    pub fn ops(&self, rank: u32) -> u64 {
        self.sum(rank, |block| {
            block.streams.iter().map(|list| list.len() as u64).sum()
        })
    }

    /// Chunks that a rank runs in the step.
    pub fn chunks(&self, rank: u32) -> u64 {
        self.sum(rank, |_| 1)
    }

    fn sum(&self, rank: u32, of: impl Fn(&strait_sim::Block) -> u64) -> u64 {
        let Some(spec) = self.lowered.job.ranks.get(rank as usize) else {
            return 0;
        };
        let program = &self.lowered.job.programs[spec.program as usize];
        let each: Vec<u64> = program.blocks.iter().map(|block| of(block)).collect();
        let slots = program.slots.iter();
        slots.map(|slot| each[slot.block as usize]).sum()
    }

    /// Simulates the step on all ranks and records these of them.
    ///
    /// # Errors
    /// That the caller or the recorder asked to stop, or a defect of the step's programs.
    pub fn run(
        &self,
        ranks: &[u32],
        recorder: &mut impl Recorder,
        control: Control<'_>,
    ) -> Result<Run, SimulateError> {
        let all = self.lowered.job.ranks.len();
        let mut watched = vec![UNWATCHED; all];
        for (at, &rank) in ranks.iter().enumerate() {
            if let Some(place) = watched.get_mut(rank as usize) {
                *place = at as u32;
            }
        }
        let stop = AtomicBool::new(false);
        let mut watcher = Watcher {
            timeline: self,
            watched,
            open: ranks.iter().map(|_| Open::default()).collect(),
            slices: Vec::new(),
            waits: Vec::new(),
            recorder,
            cancel: control.cancel,
            stop: &stop,
        };
        // Fused runs report each of their instructions too.
        let run = Engine::new(Mode::Runs)
            .run(
                &self.lowered.job,
                &self.lowered.timing,
                &mut watcher,
                &stop,
                &|share| {
                    if control.cancel.load(Ordering::Relaxed) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    (control.progress)(share);
                },
            )
            .map_err(engine_error)?;
        // A job may be over before the engine looks at the flag.
        if control.cancel.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
            return Err(SimulateError::Cancelled);
        }
        Ok(run)
    }

    fn subject(&self, program: u32, slot: u32, stream: u8, index: u16) -> Subject {
        let block = self.lowered.job.programs[program as usize].slots[slot as usize].block;
        let subjects = &self.lowered.subjects[self.first_block[program as usize] + block as usize];
        subjects[stream as usize][index as usize]
    }

    fn slice(&self, span: &InstructionSpan<'_>) -> Slice {
        let program = self.lowered.job.ranks[span.rank as usize].program;
        let slot = &self.lowered.job.programs[program as usize].slots[span.slot_index as usize];
        let subject = self.subject(program, span.slot_index, span.stream, span.index);
        Slice {
            track: match span.stream {
                COMPUTE => Track::Compute,
                EXCHANGE => Track::Exchange,
                SENDS => Track::Sends,
                _ => Track::Data,
            },
            name: self.lowered.labels[span.instruction.label as usize],
            layer: subject.layer,
            micro_batch: subject.key.map(|key| slot.keys[key as usize]),
            start: span.start,
            end: span.end,
            nic: subject.sent.nic,
            port: subject.sent.port,
        }
    }

    fn kind(&self, span: &BlockSpan) -> ChunkKind {
        let program = self.lowered.job.ranks[span.rank as usize].program;
        let program = &self.lowered.job.programs[program as usize];
        let block = &program.blocks[program.slots[span.slot_index as usize].block as usize];
        let empty = |stream: u8| block.streams.get(stream as usize).is_none_or(Vec::is_empty);
        match block.window {
            w if w == Window::Forward as u8 && empty(COMPUTE) && empty(EXCHANGE) => {
                ChunkKind::Gather
            }
            w if w == Window::Forward as u8 => ChunkKind::Forward,
            w if w == Window::Backward as u8 => ChunkKind::Backward,
            w if w == Window::BackwardInput as u8 => ChunkKind::BackwardInput,
            w if w == Window::BackwardWeight as u8 => ChunkKind::BackwardWeight,
            w if w == Window::Pair as u8 => ChunkKind::Pair,
            _ => ChunkKind::Optimizer,
        }
    }
}

/// Marks a rank that nobody watches.
const UNWATCHED: u32 = u32::MAX;

/// The open chunk of a watched rank.
#[derive(Default)]
struct Open {
    /// What has run on the two foreground streams.
    ran: [Vec<(Slice, Instruction)>; 2],
    /// When the chunk before closed.
    since: Time,
}

struct Watcher<'a, R> {
    timeline: &'a Timeline,
    /// By rank: its place in `open`.
    watched: Vec<u32>,
    open: Vec<Open>,
    slices: Vec<Slice>,
    waits: Vec<Wait>,
    recorder: &'a mut R,
    cancel: &'a AtomicBool,
    stop: &'a AtomicBool,
}

/// What idle time that is booked to an account is for.
fn cause(account: u8) -> &'static str {
    match account {
        account::TENSOR => "tensor-parallel ranks",
        account::CONTEXT => "context-parallel ranks",
        account::EXPERT => "expert exchange",
        account::DATA => "data-parallel ranks",
        account::PIPELINE => "pipeline transfer",
        _ => "other",
    }
}

impl<R: Recorder> Watcher<'_, R> {
    /// When the compute stream stood still inside a chunk, and what it ran next.
    fn compute_waits(&mut self, place: usize, span: &BlockSpan) {
        let [compute, exchange] = &self.open[place].ran;
        let mut ready = span.open;
        for (slice, instruction) in compute {
            if slice.start > ready {
                self.waits.push(Wait {
                    track: Track::Compute,
                    cause: cause(instruction.idle),
                    start: ready,
                    end: slice.start,
                });
            }
            ready = slice.end;
        }
        if span.close > ready {
            let last = exchange.last().map_or(account::OTHER, |(_, i)| i.idle);
            self.waits.push(Wait {
                track: Track::Compute,
                cause: cause(last),
                start: ready,
                end: span.close,
            });
        }
    }

    /// How long a rank waited for the other members of its exchanges: from where it could
    /// have started by itself.
    fn exchange_waits(&mut self, place: usize, span: &BlockSpan) {
        let [compute, exchange] = &self.open[place].ran;
        let mut ready = span.open;
        for (slice, instruction) in exchange {
            for wait in instruction.waits.iter().flatten() {
                let awaited = usize::from(wait.count).checked_sub(1);
                if let (COMPUTE, Some(at)) = (wait.stream, awaited)
                    && let Some((before, _)) = compute.get(at)
                {
                    ready = ready.max(before.end);
                }
            }
            if slice.start > ready && matches!(instruction.kind, Kind::Collective { .. }) {
                self.waits.push(Wait {
                    track: Track::Exchange,
                    cause: "other members",
                    start: ready,
                    end: slice.start,
                });
            }
            ready = slice.end;
        }
    }
}

impl<R: Recorder> Observer for Watcher<'_, R> {
    const WANTS_INSTRUCTIONS: bool = true;

    fn instruction(&mut self, span: InstructionSpan<'_>) {
        let place = self.watched[span.rank as usize];
        if place == UNWATCHED {
            return;
        }
        let slice = self.timeline.slice(&span);
        match span.stream {
            COMPUTE | EXCHANGE => {
                self.open[place as usize].ran[span.stream as usize].push((slice, *span.instruction))
            }
            _ => self.recorder.background(span.rank, &slice),
        }
    }

    fn block(&mut self, span: BlockSpan) {
        if self.cancel.load(Ordering::Relaxed) || !self.recorder.keep_going() {
            self.stop.store(true, Ordering::Relaxed);
        }
        let place = self.watched[span.rank as usize];
        if place == UNWATCHED {
            return;
        }
        let place = place as usize;
        self.waits.clear();
        self.compute_waits(place, &span);
        self.exchange_waits(place, &span);
        self.slices.clear();
        let ran = self.open[place].ran.iter().flatten();
        self.slices.extend(ran.map(|(slice, _)| *slice));
        let kind = self.timeline.kind(&span);
        let [forward, backward] = span.keys;
        let ahead = matches!(kind, ChunkKind::Forward | ChunkKind::Pair);
        let back = matches!(
            kind,
            ChunkKind::Backward
                | ChunkKind::BackwardInput
                | ChunkKind::BackwardWeight
                | ChunkKind::Pair
        );
        self.recorder.chunk(&Chunk {
            rank: span.rank,
            kind,
            forward: ahead.then_some(forward),
            backward: back.then_some(backward),
            since: self.open[place].since,
            open: span.open,
            close: span.close,
            slices: &self.slices,
            waits: &self.waits,
        });
        let open = &mut self.open[place];
        open.since = span.close;
        for list in &mut open.ran {
            list.clear();
        }
    }
}
