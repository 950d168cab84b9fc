//! Runs the commands of pages, each page in a copy of what a fresh clone has.
//!
//! In: a command. Out: its exit status and what it printed. Never touches the repository.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// What pages read: folders of the repository.
const FOLDERS: [&str; 4] = ["scenarios", "catalog", "docs/examples", "engines"];

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A shell with the program under test on its path.
pub struct Shell {
    path: String,
    /// What commands printed and wrote, by what they found beside the copy.
    known: HashMap<(u64, String), (Ran, Vec<Written>)>,
    pub spawned: usize,
}

/// A file that a command wrote, from the root of the copy, and what is in it.
type Written = (PathBuf, Vec<u8>);

/// A copy of the repository's data, where one page's commands run one after the other.
pub struct Scratch {
    folder: tempfile::TempDir,
    fresh: BTreeMap<PathBuf, (u64, SystemTime)>,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Scratch {
    /// A fresh copy.
    pub fn new() -> std::io::Result<Scratch> {
        let folder = tempfile::tempdir()?;
        for name in FOLDERS {
            let from = root().join(name);
            if from.is_dir() {
                copy(&from, &folder.path().join(name))?;
            }
        }
        let fresh = listing(folder.path())?;
        Ok(Scratch { folder, fresh })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Files that are not as they were copied, with what is in them.
    fn changed(&self) -> std::io::Result<Vec<Written>> {
        let mut changed = Vec::new();
        for (path, state) in listing(self.path())? {
            if self.fresh.get(&path) != Some(&state) {
                let name = path.strip_prefix(self.path()).unwrap_or(&path);
                changed.push((name.to_path_buf(), std::fs::read(&path)?));
            }
        }
        Ok(changed)
    }
}

impl Shell {
    /// A shell that finds `strait` where `binary` is.
    pub fn new(binary: &Path) -> Shell {
        let folder = binary.parent().unwrap_or(Path::new(".")).display();
        let path = std::env::var("PATH").unwrap_or_default();
        Shell {
            path: format!("{folder}:{path}"),
            known: HashMap::new(),
            spawned: 0,
        }
    }

    /// Runs a command as a reader would. What has run on the same files before isn't run again: it prints and writes
    /// the same.
    pub fn run(&mut self, scratch: &Scratch, command: &str) -> std::io::Result<Ran> {
        // The same program, without building it once more.
        let line = match command.strip_prefix("cargo run --release -- ") {
            Some(arguments) => format!("strait {arguments}"),
            None => command.to_owned(),
        };
        let before = scratch.changed()?;
        let mut state = DefaultHasher::new();
        before.hash(&mut state);
        let key = (state.finish(), line.clone());
        if let Some((ran, written)) = self.known.get(&key) {
            for (name, bytes) in written {
                let path = scratch.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap_or(scratch.path()))?;
                std::fs::write(path, bytes)?;
            }
            return Ok(ran.clone());
        }
        let output = Command::new("bash")
            .args(["-c", &format!("set -o pipefail\n{line}")])
            .current_dir(scratch.path())
            .env("PATH", &self.path)
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .output()?;
        self.spawned += 1;
        let ran = Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let mut written = scratch.changed()?;
        written.retain(|file| !before.contains(file));
        self.known.insert(key, (ran.clone(), written));
        Ok(ran)
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// All files with their lengths and times.
fn listing(folder: &Path) -> std::io::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), (about.len(), about.modified()?));
            }
        }
    }
    Ok(found)
}
