//! What commands do after their answer: figures and the exit status.

use crate::cli::RunArgs;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::{Terminal, complain};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_study::answer::Answer;
use strait_study::{artifact, figures};

/// Fails before the simulation where figures could not be written after it.
pub fn probe(args: &RunArgs) -> Result<(), Failure> {
    match &args.figures {
        Some(folder) => Ok(artifact::probe(folder)?),
        None => Ok(()),
    }
}

/// Writes the figures that were asked for, all or none.
pub fn write(
    args: &RunArgs,
    answer: &Answer,
    digest: &str,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let Some(folder) = &args.figures else {
        return Ok(());
    };
    let files = figures::draw(answer, digest).map_err(|e| Failure::Unexpected(e.to_string()))?;
    save(folder, &files, terminal, cancel)
}

/// Writes files, all or none, and says which.
pub fn save(
    folder: &Path,
    files: &[(String, String)],
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let keep_going = || !cancel.load(Ordering::Relaxed);
    if !artifact::write_all(folder, files, &keep_going)? {
        return Err(Failure::Interrupted);
    }
    for (name, _) in files {
        terminal.remark(&format!("wrote {}", folder.join(name).display()));
    }
    Ok(())
}

/// Expectations that fail are an exit status of their own, and said on stderr, since the
/// text of `-q` does not show them.
pub fn status(answer: &Answer) -> ExitStatus {
    let mut status = ExitStatus::Done;
    for case in &answer.cases {
        for check in case.checks.iter().filter(|check| !check.holds) {
            complain(&format!(
                "{}: {} is not as expected in case \"{}\"",
                Terminal::error("error[expect]"),
                check.expect.quantity.id(),
                case.setting.name
            ));
            status = ExitStatus::CheckFailed;
        }
    }
    status
}
