//! `strait sweep merge` and `strait sweep status`: what is in a folder.

use super::failure;
use crate::VERSION;
use crate::cli::sweep::SweepFolderArgs;
use crate::exit::{ExitStatus, Failure};
use crate::simulation::quoted;
use crate::terminal::Terminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::sweep::plan::Opened;
use strait_study::sweep::shard::sweep_up;
use strait_study::sweep::{Folder, Lock, Merged, Plan, SweepError, merge as tables, text};

/// Merges all shards.
pub fn merge(
    args: &SweepFolderArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let folder = Folder::new(&args.folder);
    let opened = Plan::open(&folder.plan(), &Catalog::embedded(), VERSION).map_err(failure)?;
    let before = tables::merged(&folder, &opened.plan);
    let lock = match (folder.lock(), before) {
        // Nothing is to be written where a folder that is for reading only is merged already.
        (Err(SweepError::Write(_)), Some(merged)) => {
            tell(folder.path(), &opened.plan, &merged, terminal)?;
            return Ok(ExitStatus::Done);
        }
        (lock, before) => {
            let lock = lock.map_err(failure)?;
            if before.is_some() {
                worn(&folder, &opened.plan, terminal, cancel)?;
            }
            lock
        }
    };
    warn(&lock, &folder, terminal);
    tidy(&lock, &folder);
    merge_locked(&folder, &opened, terminal, cancel)?;
    Ok(ExitStatus::Done)
}

/// Shows what a merged folder says, where it is one: for a folder that can't be written to.
pub fn merged_before(folder: &Folder, plan: &Plan, terminal: &Terminal) -> Result<bool, Failure> {
    match tables::merged(folder, plan) {
        Some(merged) => tell(folder.path(), plan, &merged, terminal).map(|()| true),
        None => Ok(false),
    }
}

/// Says which shards were lost after they were merged.
fn worn(
    folder: &Folder,
    plan: &Plan,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<(), Failure> {
    let standing = tables::standing(folder, plan, cancel).map_err(failure)?;
    let lost = standing.missing.len() + standing.damaged.len();
    if lost > 0 {
        terminal.remark(&format!(
            "warning: since the merge, {lost} of {} shards went missing or were damaged; the tables are those of the merge (see: strait sweep status {})",
            standing.shards,
            quoted(&folder.path().display().to_string())
        ));
    }
    Ok(())
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
        "{} of {} finished: {} of {}, {} without an answer\n",
        standing.finished.len(),
        match standing.shards {
            1 => "1 shard is".to_owned(),
            shards => format!("{shards} shards are"),
        },
        standing.cases,
        text::counted(plan.cases, "case"),
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
    let place = quoted(&args.folder.display().to_string());
    lines += &match (standing.finished.len() as u64 == standing.shards, merged) {
        (true, true) => "merged\n".to_owned(),
        (true, false) => format!("merge them: strait sweep merge {place}\n"),
        (false, _) => format!("run them: strait sweep run {place}\n"),
    };
    terminal.result(&lines)?;
    Ok(ExitStatus::Done)
}
