//! `strait sweep submit`: shards on a cluster.
//!
//! In: the folder of a plan, the address of a cluster that is there. Out: the launcher of the engine, run
//! as a process; its lines as progress; then a merge. Never starts or stops a cluster.

use super::{failure, folder};
use crate::VERSION;
use crate::cli::sweep::SweepSubmitArgs;
use crate::exit::{ExitStatus, Failure};
use crate::terminal::Terminal;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use strait_study::artifact;
use strait_study::catalog::Catalog;
use strait_study::sweep::{Folder, Plan};

/// The launcher of Ray.
const RAY: &str = include_str!("../../../../../engines/ray/sweep.py");

/// Time between two looks at whether somebody asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs what is missing on a cluster, then merges.
pub fn submit(
    args: &SweepSubmitArgs,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let place = Folder::new(&args.folder);
    let opened = Plan::open(&place.plan(), &Catalog::embedded(), VERSION).map_err(failure)?;
    let strait = match &args.strait {
        Some(command) => command.clone(),
        None => std::env::current_exe()
            .map_err(|error| Failure::Unexpected(error.to_string()))?
            .display()
            .to_string(),
    };
    let python = (args.python.clone()).unwrap_or_else(|| "python3".into());
    let launcher = Launcher::write()?;
    let mut command = Command::new(&python);
    (command.arg(launcher.path()).arg(&args.folder))
        .args(["--address", &args.address, "--strait", &strait])
        .args(["--threads", &args.threads.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let child = command.spawn().map_err(|error| Failure::Usage {
        message: format!("{} can't be started: {error}", python.display()),
        remedy: "install Python 3 with Ray (python3 -m pip install ray), or name it with --python"
            .to_owned(),
    })?;
    let status = follow(child, opened.plan.shards, terminal, cancel)?;
    match status {
        Some(0) => {}
        Some(2) => {
            return Err(Failure::Usage {
                message: "the sweep could not be handed to Ray".to_owned(),
                remedy: "the lines above say what to change".to_owned(),
            });
        }
        Some(3) => {
            return Err(Failure::Input(format!(
                "{}: a worker refused the plan\n  = help: the lines above say why; every machine needs this version of strait",
                Terminal::error("error[sweep]")
            )));
        }
        Some(130) => return Err(Failure::Interrupted),
        Some(1) => {
            return Err(Failure::Unexpected("the launcher of Ray failed".to_owned()));
        }
        _ => {
            return Err(Failure::Temporary {
                message: "not all shards were finished".to_owned(),
                remedy: "run this command again: what is finished stays".to_owned(),
            });
        }
    }
    let lock = place.lock().map_err(failure)?;
    folder::warn(&lock, &place, terminal);
    folder::tidy(&lock, &place);
    folder::merge_locked(&place, &opened, terminal, cancel)?;
    Ok(ExitStatus::Done)
}

/// Shows the launcher's lines until it ends; gives its exit status.
fn follow(
    mut child: Child,
    shards: u64,
    terminal: &Terminal,
    cancel: &AtomicBool,
) -> Result<Option<i32>, Failure> {
    let lines = child.stdout.take();
    let told = std::thread::scope(|scope| {
        let reader = scope.spawn(move || -> Result<(), Failure> {
            let Some(lines) = lines else { return Ok(()) };
            let mut finished = 0u64;
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                let Ok(told) = serde_json::from_str::<serde_json::Value>(&line) else {
                    continue;
                };
                if terminal.json() {
                    terminal.line(&told)?;
                }
                let good = told.get("status").and_then(serde_json::Value::as_i64) == Some(0);
                finished += u64::from(good);
                let shard = told.get("shard").and_then(serde_json::Value::as_u64);
                if let Some(shard) = shard {
                    let how = if good { "is done" } else { "failed" };
                    terminal.remark(&format!("shard {shard} {how}: {finished} of {shards} here"));
                }
            }
            Ok(())
        });
        let mut asked = false;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status.code(),
                Ok(None) => {}
                Err(_) => break None,
            }
            if cancel.load(Ordering::Relaxed) && !asked {
                asked = true;
                stop(&mut child);
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let read = reader.join();
        (status, read, asked)
    });
    match told {
        (_, _, true) => Err(Failure::Interrupted),
        (status, Ok(Ok(())), _) => Ok(status),
        (_, Ok(Err(failure)), _) => Err(failure),
        (_, Err(_), _) => Err(Failure::Unexpected("a thread failed".to_owned())),
    }
}

/// Asks the launcher to end in order: it then cancels its tasks.
fn stop(child: &mut Child) {
    #[cfg(unix)]
    {
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok()
        {
            return;
        }
    }
    // What can't be asked is ended; tasks that run end with their leases.
    let _ = child.kill();
}

/// The launcher as a file of its own, removed in the end.
struct Launcher(PathBuf);

impl Launcher {
    fn write() -> Result<Launcher, Failure> {
        let folder = std::env::temp_dir().join(format!("strait-ray-{}", std::process::id()));
        let launcher = Launcher(folder);
        artifact::write_all(
            &launcher.0,
            &[("sweep.py".to_owned(), RAY.to_owned())],
            &|| true,
        )?;
        Ok(launcher)
    }

    fn path(&self) -> PathBuf {
        self.0.join("sweep.py")
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // A folder that stays in the place for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
