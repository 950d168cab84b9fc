//! `strait sweep merge` and `strait sweep status`: what is in a folder.

use super::failure;
use crate::VERSION;
use crate::cli::sweep::SweepFolderArgs;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::sweep::plan::Opened;
use strait_study::sweep::shard::sweep_up;
use strait_study::sweep::{Folder, Lock, Merged, Plan, merge as tables, text};

/// Merges all shards.
pub fn merge(
    args: &SweepFolderArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let folder = Folder::new(&args.folder);
    let opened = Plan::open(&folder.plan(), &Catalog::embedded(), VERSION).map_err(failure)?;
    let lock = folder.lock().map_err(failure)?;
    warn(&lock, &folder, terminal);
    tidy(&lock, &folder);
    merge_locked(&folder, &opened, terminal, cancel)?;
    Ok(ExitStatus::Done)
}

/// Merges the shards of a folder that is locked, and tells what they say.
pub fn merge_locked(
    folder: &Folder,
    opened: &Opened,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let (merged, now) = tables::merge(folder, opened, cancel).map_err(failure)?;
    if !now {
        terminal.aside("merged before: nothing to do");
    }
    tell(folder.path(), &opened.plan, &merged, terminal)
}

/// Tells what a merged sweep says.
fn tell(folder: &Path, plan: &Plan, merged: &Merged, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json() {
        let mut object = serde_json::json!({ "folder": folder.display().to_string() });
        if let (Some(object), Ok(serde_json::Value::Object(all))) =
            (object.as_object_mut(), serde_json::to_value(merged))
        {
            object.extend(all);
        }
        return terminal.line(&object);
    }
    let place = folder.display().to_string();
    terminal.result(&text::merged(plan, merged, &place, terminal.style()))
}

/// Says that nothing keeps two commands apart, where that is so.
pub fn warn(lock: &Lock, folder: &Folder, terminal: &Terminal) {
    if let Some(error) = lock.missing() {
        terminal.remark(&format!(
            "warning: {} is on a file system without locks ({error}): don't let two commands work on it at once",
            folder.path().display()
        ));
    }
}

/// Removes what killed commands left, where nobody else can be at work.
pub fn tidy(lock: &Lock, folder: &Folder) {
    if lock.missing().is_none() {
        sweep_up(folder);
    }
}

/// Says which shards there are. Needs no lock: what is finished stays.
pub fn status(
    args: &SweepFolderArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let folder = Folder::new(&args.folder);
    let opened = Plan::open(&folder.plan(), &Catalog::embedded(), VERSION).map_err(failure)?;
    let plan = &opened.plan;
    let standing = tables::standing(&folder, plan, cancel).map_err(failure)?;
    let merged = tables::merged(&folder, plan).is_some();
    if terminal.json() {
        let damaged: Vec<_> = (standing.damaged.iter())
            .map(|(shard, why)| serde_json::json!({ "shard": shard, "why": why }))
            .collect();
        // To be run are the damaged ones as well.
        terminal.object(&serde_json::json!({
            "folder": args.folder.display().to_string(),
            "plan": plan.digest,
            "cases": plan.cases,
            "shards": standing.shards,
            "finished": standing.finished,
            "missing": standing.missing,
            "damaged": damaged,
            "rows": standing.cases,
            "errors": standing.errors,
            "merged": merged,
        }))?;
        return Ok(ExitStatus::Done);
    }
    let mut lines = format!(
        "{} of {} shards are finished: {} of {} cases, {} without an answer\n",
        standing.finished.len(),
        standing.shards,
        standing.cases,
        plan.cases,
        standing.errors
    );
    let few = |shards: &[u64]| {
        let mut names: Vec<String> = shards.iter().take(20).map(ToString::to_string).collect();
        if shards.len() > 20 {
            names.push(format!("and {} more", shards.len() - 20));
        }
        names.join(", ")
    };
    if !standing.missing.is_empty() {
        lines += &format!("missing: {}\n", few(&standing.missing));
    }
    for (shard, why) in standing.damaged.iter().take(20) {
        lines += &format!("damaged: {shard} ({why})\n");
    }
    lines += &match (standing.finished.len() as u64 == standing.shards, merged) {
        (true, true) => "merged\n".to_owned(),
        (true, false) => format!("merge them: strait sweep merge {}\n", args.folder.display()),
        (false, _) => format!("run them: strait sweep run {}\n", args.folder.display()),
    };
    terminal.result(&lines)?;
    Ok(ExitStatus::Done)
}
