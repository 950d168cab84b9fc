//! `strait calibrate`: profiles fitted to measured tables.
//!
//! In: the catalogue's tables, or a user's. Out: residuals, fitted values beside the catalogue's,
//! and profile files. Never changes a file that it was not asked to write.

use crate::cli::CalibrateArgs;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use strait_study::artifact;
use strait_study::calibrate::{self, CalibrateError, Calibration, Document, Family, Own};
use strait_study::catalog::Catalog;

/// Largest table that is read.
const LARGEST: u64 = 64 << 20;

/// Fits the shipped profiles again, or new ones to a user's tables.
pub fn calibrate(
    args: &CalibrateArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    if let Some(folder) = &args.out {
        for kind in ["kernels", "links"] {
            artifact::probe(&folder.join(kind))?;
        }
    }
    let catalog = Catalog::embedded();
    let own = request(args)?;
    let calibration = match &own {
        Some(own) => calibrate::own(&catalog, own),
        None => calibrate::shipped(&catalog),
    }
    .and_then(|done| match &args.profile {
        Some(id) => done.only(id),
        None => Ok(done),
    })
    .map_err(|error| wrong(&error))?;
    if cancel.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    let files = match &args.out {
        Some(folder) => write(folder, &calibration, cancel)?,
        None => Vec::new(),
    };
    let document = Document::of(&calibration, own.is_some(), files.clone());
    if terminal.json() {
        terminal.object(&document)?;
    } else {
        let style = terminal.style();
        terminal.result(&calibrate::text(&calibration, own.is_some(), style.detail))?;
    }
    for file in &files {
        terminal.remark(&format!("wrote {file}"));
    }
    if let (Some(own), Some(folder)) = (&own, &args.out) {
        terminal.remark(&format!(
            "use them in a scenario, with paths relative to its file:\n  [cluster]\n  \
             kernels = \"{0}/kernels/{1}.toml\"\n  links = \"{0}/links/{1}.toml\"",
            folder.display(),
            own.name
        ));
    }
    Ok(if document.agrees {
        ExitStatus::Done
    } else {
        ExitStatus::CheckFailed
    })
}

/// A user's machine, where tables were given.
fn request(args: &CalibrateArgs) -> Result<Option<Own>, Failure> {
    let (Some(accelerator), Some(like), Some(name)) = (&args.accelerator, &args.like, &args.name)
    else {
        // The command line asks for all of them or none.
        return Ok(None);
    };
    let mut tables = Vec::new();
    let mut newest: Option<std::time::SystemTime> = None;
    let given = (args.kernels.iter().map(|path| (path, "kernels")))
        .chain(args.collectives.iter().map(|path| (path, "links")));
    for (path, kind) in given {
        let fail = |why: String| {
            Failure::Input(format!(
                "{}: can't read `{}`: {why}\n  = help: give a table of comma-separated values",
                Terminal::error("error[calibrate]"),
                path.display()
            ))
        };
        let found = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?;
        if found.is_dir() {
            return Err(fail("it is a folder".to_owned()));
        }
        if found.len() > LARGEST {
            return Err(fail("it is larger than 64 MiB".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 text".to_owned()))?;
        if let Some(family) = calibrate::family(&text).filter(|family| family.kind() != kind) {
            return Err(misplaced(path, family));
        }
        newest = newest.max(found.modified().ok());
        tables.push((path.display().to_string(), text));
    }
    let date = match (&args.date, newest) {
        (Some(date), _) => date.clone(),
        (None, newest) => day(newest),
    };
    Ok(Some(Own {
        name: name.clone(),
        accelerator: accelerator.clone(),
        like: like.clone(),
        tables,
        date,
    }))
}

/// A table that was given as one of the other kind.
fn misplaced(path: &Path, family: Family) -> Failure {
    let what = match family {
        Family::Gemm => "products",
        Family::Attention => "attention cores",
        Family::Memory => "memory-bound kernels",
        Family::Collective => "collectives",
        Family::Exchange => "expert exchanges",
    };
    let option = match family.kind() {
        "kernels" => "--kernels",
        _ => "--collectives",
    };
    Failure::Input(format!(
        "{}: `{}` looks like a table of {what}, by its columns\n  = help: give it as {option} {1}",
        Terminal::error("error[calibrate]"),
        path.display()
    ))
}

/// A file's day as 2026-11-28; the first of the era where the system does not tell.
fn day(time: Option<std::time::SystemTime>) -> String {
    let seconds = time
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs());
    // Days to a civil date by eras of 400 years, counted from 1 March of year 0.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Writes the profiles into their folders, each folder whole or not at all.
fn write(
    folder: &Path,
    calibration: &Calibration,
    cancel: &AtomicBool,
) -> Result<Vec<String>, Failure> {
    let mut folders: BTreeMap<PathBuf, Vec<(String, String)>> = BTreeMap::new();
    for (path, text) in &calibration.files {
        let (kind, file) = path.split_once('/').unwrap_or(("", path));
        let files = folders.entry(folder.join(kind)).or_default();
        files.push((file.to_owned(), text.clone()));
    }
    let keep_going = || !cancel.load(Ordering::Relaxed);
    let mut written = Vec::new();
    for (place, files) in &folders {
        if !artifact::write_all(place, files, &keep_going)? {
            return Err(Failure::Interrupted);
        }
        written.extend(
            files
                .iter()
                .map(|(name, _)| place.join(name).display().to_string()),
        );
    }
    Ok(written)
}

fn wrong(error: &CalibrateError) -> Failure {
    Failure::Input(format!("{}: {error}", Terminal::error("error[calibrate]")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn days_are_civil_dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_785, "2026-11-28"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(days * 86_400 + 7);
            assert_eq!(day(Some(time)), date);
        }
    }
}
