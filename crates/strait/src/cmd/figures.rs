//! What commands do after their answer: figures and the exit status.

use crate::cli::RunArgs;
use crate::cli::plot::PngArgs;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::{Terminal, complain};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_study::answer::Answer;
use strait_study::{artifact, figures};

/// Fails before the simulation where figures could not be written after it.
pub fn probe(args: &RunArgs) -> Result<(), Failure> {
    pictures(&args.png, args.figures.is_some())?;
    match &args.figures {
        Some(folder) => Ok(artifact::probe(folder)?),
        None => Ok(()),
    }
}

/// Refuses pictures of figures that are not written.
pub fn pictures(png: &PngArgs, figures: bool) -> Result<(), Failure> {
    if png.png && !figures {
        return Err(Failure::Usage {
            message: "--png has no figures to make pictures of".to_owned(),
            remedy: "say where figures go: --figures DIR".to_owned(),
        });
    }
    Ok(())
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
    save(folder, &files, &args.png, terminal, cancel)
}

/// Writes figures, all or none, with pictures of them where they are asked for, and says which.
pub fn save(
    folder: &Path,
    files: &[(String, String)],
    png: &PngArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::with_capacity(files.len());
    for (name, contents) in files {
        all.push((name.clone(), contents.clone().into_bytes()));
        if let (true, Some(stem)) = (png.png, name.strip_suffix(".svg")) {
            all.push((format!("{stem}.png"), picture(contents, png.png_scale)?));
        }
    }
    write_all(folder, &all, terminal, cancel)
}

/// A picture of a figure.
pub fn picture(svg: &str, scale: f64) -> Result<Vec<u8>, Failure> {
    figures::png(svg, scale).map_err(|error| {
        if cfg!(feature = "png") {
            Failure::Unexpected(error.to_string())
        } else {
            Failure::Input(format!(
                "error: {}\n  help: build it with its usual features, or convert the SVG with any tool",
                error.reason
            ))
        }
    })
}

/// Writes files, all or none, and says which.
pub fn write_all(
    folder: &Path,
    files: &[(String, Vec<u8>)],
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
