//! `strait trace`: one step as a timeline that Perfetto opens.

use crate::cli::TraceArgs;
use crate::exit::{ExitStatus, Failure};
use crate::progress::Progress;
use crate::simulation;
use crate::source::{self, SourceCase};
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::trace::{Request, Trace, TraceError};
use strait_training::simulate::{Control, SimulateError};
use strait_training::timeline::main_step;
use strait_units::Bytes;

/// Larger files need `--force`: browsers give up on them.
const LARGE: Bytes = Bytes::new(2_000_000_000);

/// Simulates the main phase's step of one case and writes its timeline.
pub fn trace(
    args: &TraceArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let cases = simulation::load(&args.scenario)?;
    let [case] = cases.as_slice() else {
        let names: Vec<&str> = cases.iter().map(|case| case.case.name.as_str()).collect();
        return Err(Failure::Input(format!(
            "{}: a trace shows one case\n  = help: choose one with --case: {}",
            Terminal::error("error"),
            names.join(", ")
        )));
    };
    simulation::contradictions(&cases)?;
    let free = free_space(&args.output);
    let limit = if args.force { None } else { Some(LARGE) };
    let request = Request {
        ranks: args.ranks.clone(),
        window: args.window,
        limit: [limit, free].into_iter().flatten().min(),
        title: format!("strait {}, {}", crate::VERSION, case.case.name),
    };
    let step = main_step(&case.case)
        .ok_or_else(|| Failure::Unexpected("the case has no phase".to_owned()))?;
    let fail = |error| failure(error, case, free);
    let trace = Trace::new(step, &request).map_err(fail)?;
    let (size, slices) = trace.whole();
    terminal.aside(&format!(
        "the whole step on {} ranks is about {} slices, {:.1} MB",
        trace.ranks().len(),
        slices,
        size.as_f64() / 1e6
    ));
    let progress = Progress::new(terminal, 1);
    let report = |share| progress.set(0, share);
    let control = Control {
        cancel,
        progress: &report,
        threads: 1,
        full_ranks: true,
        clock: &crate::clock::thread,
    };
    let written = trace.write(&args.output, control).map_err(fail);
    drop(progress);
    let written = written?;
    let file = args.output.display();
    if terminal.json() {
        terminal.object(&serde_json::json!({
            "file": file.to_string(),
            "case": case.case.name,
            "ranks": written.ranks,
            "slices": written.slices,
            "bytes": written.bytes,
            "step_time_s": written.step.picos() as f64 / 1e12,
        }))?;
    } else {
        terminal.result(&format!(
            "wrote {file}: {} slices on {} ranks, {:.1} MB; the step takes {:.3} s\n\
             Open it at https://ui.perfetto.dev (it stays on your machine).",
            written.slices,
            written.ranks,
            written.bytes as f64 / 1e6,
            written.step.seconds()
        ))?;
    }
    Ok(ExitStatus::Done)
}

/// Bytes free where a file is to be, as far as the system tells.
fn free_space(place: &Path) -> Option<Bytes> {
    if std::fs::metadata(place).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device takes what it takes.
        return None;
    }
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some(Bytes::new(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

fn failure(error: TraceError, case: &SourceCase, free: Option<Bytes>) -> Failure {
    let message = error.to_string();
    match error {
        TraceError::Simulate(SimulateError::Cancelled) => Failure::Interrupted,
        TraceError::Simulate(error) => Failure::Input(source::contradiction(case, &error)),
        TraceError::Choice(_) | TraceError::Empty { .. } => {
            Failure::Input(format!("{}: {message}", Terminal::error("error")))
        }
        TraceError::TooLarge { limit, .. } => Failure::Temporary {
            message,
            remedy: if free.is_some_and(|free| limit == free) {
                "the disk has no more space: choose another, fewer --ranks, or a --window"
            } else {
                "choose fewer --ranks or a --window, or insist with --force"
            }
            .to_owned(),
        },
        TraceError::Write { .. } => Failure::Temporary {
            message,
            remedy: "choose a file that you may write, on a disk with space left".to_owned(),
        },
    }
}
