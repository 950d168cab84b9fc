//! One optimizer step: simulate a lowered job and read its parts.
//!
//! In: a case, a phase, its layout. Out: a [`StepOutcome`]. Never composes the run.

use crate::case::{Case, Parallelism};
use crate::layout::Layout;
use crate::lower::{Lowered, Stock, Window, account, lower, lower_from};
use crate::memory;
use crate::ops::Class;
use crate::outcome::{Bar, BarKind, Breakdown, Exposed, Memory, StepOutcome, Work};
use crate::simulate::{Control, SimulateError};
use strait_sim::{Accounts, BlockSpan, EngineError, Fold, FoldMemo, Observer};
use strait_units::{FlopRate, Ratio, Time, Tokens};

/// What of a phase a step needs.
#[derive(Clone, Copy, Debug)]
pub struct StepInput<'a> {
    /// Case.
    pub case: &'a Case,
    /// Layout of the phase.
    pub parallelism: &'a Parallelism,
    /// Tokens of a sequence.
    pub sequence_length: u32,
    /// Sequences of the batch.
    pub global_batch: u32,
}

/// Collects the open blocks of one data-parallel replica for the pipeline chart.
struct Bars {
    /// Ranks of a stage: the first of each is watched.
    each: u32,
    /// Somebody will look at them.
    wanted: bool,
    bars: Vec<Bar>,
}

impl Observer for Bars {
    fn restart(&mut self) {
        self.bars.clear();
    }

    fn block(&mut self, span: BlockSpan) {
        let BlockSpan {
            rank,
            window,
            keys,
            open,
            close,
            ..
        } = span;
        if !self.wanted || rank % self.each != 0 {
            return;
        }
        let kind = match window {
            w if w == Window::Forward as u8 => BarKind::Forward,
            w if w == Window::Backward as u8 => BarKind::Backward,
            w if w == Window::BackwardInput as u8 => BarKind::BackwardInput,
            w if w == Window::BackwardWeight as u8 => BarKind::BackwardWeight,
            w if w == Window::Pair as u8 => BarKind::Pair,
            _ => BarKind::Optimizer,
        };
        let micro_batch = match kind {
            BarKind::Forward | BarKind::Pair => keys[0],
            _ => keys[1],
        };
        self.bars.push(Bar {
            pipeline_rank: rank / self.each,
            kind,
            micro_batch,
            start: open,
            end: close,
        });
    }
}

/// What of a step somebody looks at; all times are there whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Memory and the bars of the pipeline chart.
    All,
    /// Memory.
    Memory,
    /// Neither.
    Times,
}

/// Simulates one step.
///
/// # Errors
/// The first contradiction met, or that the caller asked to stop.
pub fn step(input: StepInput<'_>, control: Control<'_>) -> Result<StepOutcome, SimulateError> {
    Stepper::default().step(input, control)
}

/// Simulates steps, one after the other. What those of one case, layout and length have in common is
/// found out once; each answer is that of [`step()`].
#[derive(Default)]
pub struct Stepper<'a> {
    stocks: Vec<(StepInput<'a>, Stock)>,
}

impl<'a> Stepper<'a> {
    /// Simulates one step.
    ///
    /// # Errors
    /// As [`step()`].
    pub fn step(
        &mut self,
        input: StepInput<'a>,
        control: Control<'_>,
    ) -> Result<StepOutcome, SimulateError> {
        self.only(Look::All, input, control)
    }

    /// The same, with no more in it than somebody looks at.
    pub(crate) fn only(
        &mut self,
        look: Look,
        input: StepInput<'a>,
        control: Control<'_>,
    ) -> Result<StepOutcome, SimulateError> {
        let alike = |known: &StepInput<'_>| {
            std::ptr::eq(known.case, input.case)
                && known.sequence_length == input.sequence_length
                && known.parallelism == input.parallelism
        };
        let known = self.stocks.iter().position(|(known, _)| alike(known));
        let at = known.unwrap_or_else(|| {
            self.stocks.push((input, Stock::default()));
            self.stocks.len() - 1
        });
        step_from(&mut self.stocks[at].1, input, control, look)
    }
}

fn step_from(
    stock: &mut Stock,
    input: StepInput<'_>,
    control: Control<'_>,
    look: Look,
) -> Result<StepOutcome, SimulateError> {
    let case = input.case;
    let layout = Layout::new(
        input.parallelism,
        &case.model,
        &case.cluster,
        input.sequence_length,
        input.global_batch,
    )
    .map_err(first)?;
    let (parallelism, length) = (input.parallelism, input.sequence_length);
    let mut bars = Bars {
        each: layout.stage_ranks(),
        wanted: look == Look::All,
        bars: Vec::new(),
    };
    let fold = !control.full_ranks;
    let plain = || lower(case, parallelism, length, &layout, &layout.schedule);
    let mut lowered = match fold {
        true => lower_from(stock, case, parallelism, length, &layout)?,
        // The plain twin shares nothing.
        false => plain()?,
    };
    let folded = match fold {
        true => folded(&lowered, &mut stock.memo, &mut bars, control).map_err(engine_error)?,
        false => None,
    };
    let books = match folded {
        Some(books) => books,
        None => {
            if lowered.each > 1 {
                lowered = plain()?;
            }
            full(&lowered, &mut bars, control).map_err(engine_error)?
        }
    };
    // Each rank's are in order; between ranks the order is the engine's.
    bars.bars.sort_by_key(|bar| bar.pipeline_rank);
    let memory = match look {
        Look::All | Look::Memory => memory::peak(
            memory::Setting {
                model: &case.model,
                parallelism,
                precision: &case.precision,
                software: &case.software,
                method: case.training.method,
                capacity: case.cluster.accelerator.memory,
            },
            &layout,
        ),
        Look::Times => Memory::default(),
    };
    let outcome = read(input, &layout, &lowered, &books);
    Ok(StepOutcome {
        memory,
        bars: bars.bars,
        ..outcome
    })
}

/// What a run has left to read: accounts of single ranks, or of ranks that did the same.
struct Books {
    end: Time,
    /// Accounts, and how many ranks each is of.
    accounts: Vec<(Accounts, u64)>,
    work: Work,
}

/// Runs representatives, where that is exact and the job has an end.
fn folded(
    lowered: &Lowered,
    memo: &mut FoldMemo,
    bars: &mut Bars,
    control: Control<'_>,
) -> Result<Option<Books>, EngineError> {
    let each = u64::from(lowered.each);
    let ranks = lowered.job.ranks.len() as u64 * each;
    let Ok(fold) = Fold::knowing(&lowered.job, &lowered.timing, memo) else {
        return Ok(None);
    };
    let of_stage = bars.each;
    bars.each /= lowered.each;
    let run = fold.run(bars, control.cancel, &|share| (control.progress)(share));
    bars.each = of_stage;
    match run {
        Ok(run) => {
            let classes = run.classes.into_iter();
            Ok(Some(Books {
                end: run.end,
                accounts: classes
                    .map(|c| (c.accounts, u64::from(c.ranks) * each))
                    .collect(),
                work: Work {
                    ranks,
                    ops: run.ops * each,
                    events: run.events,
                    folded: (fold.classes() as u64) < ranks,
                    ..work(lowered)
                },
            }))
        }
        // The full run meets it too, and names ranks as the user knows them.
        Err(EngineError::Deadlock { .. }) => {
            bars.bars.clear();
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Runs all ranks.
fn full(lowered: &Lowered, bars: &mut Bars, control: Control<'_>) -> Result<Books, EngineError> {
    let progress = |share: f64| (control.progress)(share);
    let (job, timing) = (&lowered.job, &lowered.timing);
    let run = strait_sim::run(job, timing, bars, control.cancel, &progress)?;
    Ok(Books {
        end: run.end,
        accounts: run.accounts.into_iter().map(|a| (a, 1)).collect(),
        work: Work {
            ranks: job.ranks.len() as u64,
            ops: run.ops,
            events: run.events,
            ..work(lowered)
        },
    })
}

/// What is known of the work before it is done.
fn work(lowered: &Lowered) -> Work {
    Work {
        grain: lowered.grain,
        on_links: lowered.timing.wires.as_ref().map_or(0, |w| w.shared()),
        ..Work::default()
    }
}

pub(crate) fn first(mut errors: Vec<SimulateError>) -> SimulateError {
    assert!(!errors.is_empty(), "an error without a reason");
    errors.swap_remove(0)
}

pub(crate) fn engine_error(error: EngineError) -> SimulateError {
    match error {
        EngineError::Cancelled => SimulateError::Cancelled,
        EngineError::Overflow => SimulateError::Invalid {
            path: "cluster".to_owned(),
            message: format!("one step takes longer than can be told: {error}"),
            remedy: "look for a rate that is next to nothing (`left` of a fault, a bandwidth), or for far too much work in one step"
                .to_owned(),
        },
        other => SimulateError::Invalid {
            path: "parallelism".to_owned(),
            message: format!("the step cannot be simulated: {other}"),
            remedy: "this is a defect of Strait: please report the scenario".to_owned(),
        },
    }
}

/// Mean of a count of picoseconds over ranks.
fn mean(books: &Books, value: impl Fn(&Accounts) -> Time) -> Time {
    let sum: u128 = (books.accounts.iter())
        .map(|(accounts, ranks)| u128::from(value(accounts).picos()) * u128::from(*ranks))
        .sum();
    Time::from_picos((sum / u128::from(books.work.ranks.max(1))) as u64)
}

fn read(input: StepInput<'_>, layout: &Layout, lowered: &Lowered, books: &Books) -> StepOutcome {
    let case = input.case;
    let chunk_windows = [
        Window::Forward,
        Window::Backward,
        Window::BackwardInput,
        Window::BackwardWeight,
        Window::Pair,
    ];
    let window = |w: Window| mean(books, |a| a.window[w as usize]);
    // The last chunk of the job, on any rank: from there on it is optimizer time.
    let chunks_end = books
        .accounts
        .iter()
        .flat_map(|(a, _)| chunk_windows.map(|w| a.last_close[w as usize]))
        .max()
        .unwrap_or(Time::ZERO);
    let lone_weight = mean(books, |a| a.busy[account::LONE_WEIGHT as usize]);
    // Pure weight blocks hold nothing else; their waits, if any, stay with them.
    let weight_blocks = window(Window::BackwardWeight);
    let weight_in_blocks = mean(books, |a| {
        a.window[Window::BackwardWeight as usize].min(a.busy[account::LONE_WEIGHT as usize])
    });
    let in_backward = lone_weight.saturating_sub(weight_in_blocks);
    let time = books.end;
    let mut breakdown = Breakdown {
        forward: window(Window::Forward),
        backward_input: (window(Window::Backward) + window(Window::BackwardInput))
            .saturating_sub(in_backward),
        backward_weight: weight_blocks + in_backward,
        overlapped: window(Window::Pair),
        optimizer: time.saturating_sub(chunks_end),
        ..Breakdown::default()
    };
    let open: Time = chunk_windows.into_iter().map(window).sum();
    breakdown.bubble = chunks_end.saturating_sub(open);
    let parts = breakdown.forward
        + breakdown.backward_input
        + breakdown.backward_weight
        + breakdown.overlapped
        + breakdown.optimizer
        + breakdown.bubble;
    breakdown.other = time.saturating_sub(parts);

    let kind = |index: u8| mean(books, |a| a.busy[index as usize] + a.idle[index as usize]);
    let exposed = Exposed {
        tensor: kind(account::TENSOR),
        context: kind(account::CONTEXT),
        expert: mean(books, |a| a.idle[account::EXPERT as usize]),
        pipeline: kind(account::PIPELINE) + mean(books, |a| a.gap_transfer()),
        // Between a rank's last chunk and its optimizer nothing but collectives is waited for.
        data: kind(account::DATA) + mean(books, |a| a.gaps[Window::Optimizer as usize]),
    };
    let mut kernels: Vec<(String, Time)> = Class::ALL
        .iter()
        .map(|&class| {
            let mut time = mean(books, |a| a.busy[class as usize]);
            if class == Class::WeightGradient {
                time += lone_weight;
            }
            (class.name().to_owned(), time)
        })
        .filter(|(_, time)| *time > Time::ZERO)
        .collect();
    kernels.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));

    let tokens = u64::from(input.global_batch) * u64::from(input.sequence_length);
    let seen = case.training.seen(input.sequence_length);
    let flops = case.model.flops_per_token(seen, false);
    let per_chip = tokens as f64 / (time.seconds() * f64::from(layout.ranks));
    let peaks = case.cluster.accelerator.peaks;
    let peak = peaks.bf16.or(peaks.fp16).map_or(f64::NAN, |p| p.get());
    let causal = flops.causal.get() * per_chip;
    let full = flops.full.get() * per_chip;
    StepOutcome {
        time,
        tokens: Tokens::new(tokens),
        rate_causal: FlopRate::new(causal),
        rate_full: FlopRate::new(full),
        mfu_causal: Ratio::new(causal / peak),
        mfu_full: Ratio::new(full / peak),
        breakdown,
        exposed,
        kernels,
        work: books.work,
        warnings: lowered.warnings.clone(),
        ..StepOutcome::default()
    }
}
