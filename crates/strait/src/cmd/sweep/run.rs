//! `strait sweep plan` and `strait sweep run`.

use super::{auto, failure, folder, progress};
use crate::VERSION;
use crate::cli::sweep::{Shard, SweepOptions, SweepPlanArgs, SweepRunArgs};
use crate::exit::{ExitStatus, Failure};
use crate::simulation::quoted;
use crate::source;
use crate::terminal::Terminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use strait_study::artifact;
use strait_study::catalog::Catalog;
use strait_study::sweep::plan::Opened;
use strait_study::sweep::study::Study;
use strait_study::sweep::{
    Folder, Job, Lock, Part, Plan, Request, SweepError, folder as names, run as shards, text,
};

/// Freezes a plan.
pub fn plan(args: &SweepPlanArgs, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let folder = place(&args.scenario, &args.options);
    let (opened, _lock) = write(&args.scenario, &args.options, &folder, terminal)?;
    let plan = &opened.plan;
    if terminal.json() {
        terminal.object(&serde_json::json!({
            "folder": folder.path().display().to_string(),
            "plan": plan.digest,
            "title": plan.title,
            "mode": plan.mode,
            "cases": plan.cases,
            "shards": plan.shards,
            "seed": plan.seed,
            "chance": plan.chance,
            "axes": plan.axes,
        }))?;
    } else {
        terminal.result(&format!(
            "{}plan {} in {}\nrun it: strait sweep run {}",
            text::plan(plan, terminal.style()),
            strait_study::sweep::plan::short(&plan.digest),
            folder.plan().display(),
            quoted(&folder.path().display().to_string())
        ))?;
    }
    Ok(ExitStatus::Done)
}

/// Where the sweep of a scenario goes.
fn place(scenario: &Path, options: &SweepOptions) -> Folder {
    let usual = || {
        let stem = scenario.file_stem().unwrap_or_default();
        PathBuf::from("runs").join(stem)
    };
    Folder::new(&options.out.clone().unwrap_or_else(usual))
}

/// Plans a scenario into a folder, and keeps the folder locked. A plan that is there already stays, with
/// its shards; another one is in the way.
fn write(
    scenario: &Path,
    options: &SweepOptions,
    folder: &Folder,
    terminal: &Terminal,
) -> Result<(Opened, Lock), Failure> {
    refuse_foreign(folder)?;
    let wrong = |error: artifact::WriteError| failure(error.into());
    artifact::probe(folder.path()).map_err(wrong)?;
    let overrides = source::overrides(&options.set, &[], options.seed);
    let request = Request {
        path: scenario.to_path_buf(),
        set: overrides.set,
        case: options.case.clone(),
        seed: options.seed,
        cases: options.cases,
        shards: options.shards,
        chance: options.chance,
    };
    let opened = Plan::freeze(&request, &Catalog::embedded(), VERSION).map_err(failure)?;
    for remark in &opened.remarks {
        terminal.remark(&format!("warning: {remark}"));
    }
    std::fs::create_dir_all(folder.path()).map_err(|source| {
        wrong(artifact::WriteError {
            path: folder.path().to_path_buf(),
            source,
        })
    })?;
    let lock = folder.lock().map_err(failure)?;
    folder::warn(&lock, folder, terminal);
    folder::tidy(&lock, folder);
    if folder.plan().exists() || folder.shards().exists() {
        let same = Plan::read(&folder.plan()).is_ok_and(|plan| plan.digest == opened.plan.digest);
        if same {
            return Ok((opened, lock));
        }
        if !options.replace {
            return Err(Failure::Input(format!(
                "{}: {} holds another sweep\n  = help: choose another folder with --out, or remove that sweep with --replace",
                Terminal::error("error[sweep]"),
                folder.path().display()
            )));
        }
        names::clear(folder).map_err(failure)?;
    }
    let text = opened.plan.text().map_err(failure)?;
    artifact::write_all(folder.path(), &[(names::PLAN.to_owned(), text)], &|| true)
        .map_err(wrong)?;
    Ok((opened, lock))
}

/// Refuses a folder with files of others that have the names of a sweep's.
fn refuse_foreign(folder: &Folder) -> Result<(), Failure> {
    match names::foreign(folder) {
        None => Ok(()),
        Some(file) => Err(Failure::Input(format!(
            "{}: {} is in the way, and no sweep that is planned here wrote it\n  = help: choose another folder with --out, or move that file away",
            Terminal::error("error[sweep]"),
            file.display()
        ))),
    }
}

/// Runs what is not there yet.
pub fn run(
    args: &SweepRunArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let is_plan = args
        .target
        .file_name()
        .is_some_and(|name| name == names::PLAN);
    if args.target.is_file() && !is_plan {
        return whole(args, terminal, cancel);
    }
    if let Some(option) = args.options.given() {
        return Err(Failure::Usage {
            message: format!("{option} goes with a scenario file: the plan of a folder is frozen"),
            remedy: "leave it out, or plan again with it: strait sweep plan FILE --out DIR"
                .to_owned(),
        });
    }
    let path = match is_plan {
        true => args.target.parent().unwrap_or(Path::new("")).to_path_buf(),
        false => args.target.clone(),
    };
    let path = match path.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => path,
    };
    if !path.exists() {
        return Err(Failure::Input(format!(
            "{}: there is no folder and no file {}\n  = help: make a plan: strait sweep plan FILE --out DIR",
            Terminal::error("error[sweep]"),
            path.display()
        )));
    }
    let folder = Folder::new(&path);
    let opened = Plan::open(&folder.plan(), &Catalog::embedded(), VERSION).map_err(failure)?;
    let shards = opened.plan.shards;
    let part = match args.shard {
        None => Part::WHOLE,
        Some(Shard::Part(part)) => part,
        Some(Shard::Auto) => auto::part(shards, &|name| std::env::var(name).ok())?,
    };
    let lock = match args.shard {
        None => folder.lock(),
        Some(_) => folder.lock_part(part),
    };
    // Nothing is to be written where a folder that is for reading only is merged already.
    if matches!(lock, Err(SweepError::Write(_)))
        && folder::merged_before(&folder, &opened.plan, terminal)?
    {
        return Ok(ExitStatus::Done);
    }
    let lock = lock.map_err(failure)?;
    folder::warn(&lock, &folder, terminal);
    if part.index >= shards {
        terminal.remark(&format!(
            "nothing to do: the plan has {shards} shards, fewer than {} parts",
            part.of
        ));
    }
    let alone = args.shard.is_none();
    let undisturbed = alone && lock.missing().is_none();
    let study = Study::new(opened, &Catalog::embedded());
    let tally = simulate(
        &study,
        &folder,
        part,
        undisturbed,
        args.threads,
        terminal,
        cancel,
    )?;
    if !terminal.json() {
        let next = match alone {
            true => format!(
                "\nmerge them: strait sweep merge {}",
                quoted(&path.display().to_string())
            ),
            false => String::new(),
        };
        terminal.result(&format!(
            "{} of {} finished ({} {} there), {}, {} without an answer{next}",
            tally.done + tally.skipped,
            match shards {
                1 => "1 shard is".to_owned(),
                _ => format!("{shards} shards are"),
            },
            tally.skipped,
            if tally.skipped == 1 { "was" } else { "were" },
            text::counted(tally.rows, "case"),
            tally.errors
        ))?;
    }
    Ok(ExitStatus::Done)
}

/// Plans a scenario, runs it and merges.
fn whole(
    args: &SweepRunArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    if args.shard.is_some() {
        return Err(Failure::Usage {
            message: "--shard goes with the folder of a plan".to_owned(),
            remedy: "plan first: strait sweep plan FILE --out DIR, then strait sweep run DIR --shard 0/4"
                .to_owned(),
        });
    }
    let folder = place(&args.target, &args.options);
    let (opened, lock) = write(&args.target, &args.options, &folder, terminal)?;
    let detail = text::plan(&opened.plan, terminal.style());
    terminal.remark(detail.trim_end());
    let study = Study::new(opened, &Catalog::embedded());
    simulate(
        &study,
        &folder,
        Part::WHOLE,
        lock.missing().is_none(),
        args.threads,
        terminal,
        cancel,
    )?;
    folder::merge_locked(&folder, study.opened(), terminal, cancel)?;
    Ok(ExitStatus::Done)
}

fn simulate(
    study: &Study,
    folder: &Folder,
    part: Part,
    alone: bool,
    threads: Option<u32>,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<progress::Tally, Failure> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map_or_else(available, |n| n as usize);
    let (done, tally) = progress::follow(study.plan().shards, terminal, |tell| {
        shards(
            study,
            &Job {
                folder,
                part,
                threads,
                alone,
                cancel,
                tell,
            },
        )
    })?;
    if matches!(done, Err(SweepError::Cancelled)) {
        let part = match (part.index, part.of) {
            (_, 1) => String::new(),
            (index, of) => format!(" --shard {index}/{of}"),
        };
        terminal.remark(&format!(
            "stopped: {} of {} with {} done; go on with: strait sweep run {}{part}",
            tally.done + tally.skipped,
            text::counted(study.plan().shards, "shard"),
            text::counted(tally.rows, "case"),
            quoted(&folder.path().display().to_string())
        ));
    }
    done.map_err(failure)?;
    Ok(tally)
}
