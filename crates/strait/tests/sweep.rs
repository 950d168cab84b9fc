//! `strait sweep` as people and schedulers use it: kills, damage, locks, full disks.
//!
//! In: a small scenario, the command. Out: exit statuses, messages, and bytes that are the same however the
//! cases were run. Never asserts a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use strait_study::catalog::Catalog;
use strait_study::sweep::{Folder, Part, Plan, Request, Table};

const TABLES: [&str; 4] = ["cases.csv", "metrics.csv", "cases.jsonl", "cases.parquet"];

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A scenario of one server with this sweep.
    fn scenario(&self, name: &str, sweep: &str) -> String {
        let base = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../scenarios/tutorial/first-step.toml"
        );
        fs::write(
            self.path(name),
            format!("extends = {base:?}\ncase = []\n{sweep}"),
        )
        .unwrap();
        self.text(name)
    }

    /// Drawn cases, each with a step of its own.
    fn drawn(&self, cases: u32) -> String {
        self.scenario(
            "drawn.toml",
            &format!(
                "[sweep]\nmode = \"latin-hypercube\"\ncases = {cases}\nranges = true\n\
                 [[sweep.axis]]\npath = \"cluster.nvlink_bandwidth\"\nfrom = \"100 GB/s both ways\"\nto = \"900 GB/s both ways\"\n"
            ),
        )
    }

    fn bytes(&self, folder: &str) -> Vec<Vec<u8>> {
        (TABLES.iter())
            .map(|name| fs::read(self.path(folder).join(name)).unwrap())
            .collect()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.arg("sweep").args(arguments).env_remove("NO_COLOR");
    for name in ["SLURM_ARRAY_TASK_ID", "HQ_TASK_ID", "JOB_COMPLETION_INDEX"] {
        command.env_remove(name);
    }
    command
}

fn sweep(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn ok(arguments: &[&str]) -> String {
    let output = sweep(arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        stderr(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn fails(arguments: &[&str], status: i32, says: &[&str]) {
    let output = sweep(arguments);
    let message = stderr(&output);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {message}"
    );
    for words in says {
        assert!(
            message.contains(words),
            "{arguments:?}: no \"{words}\" in {message}"
        );
    }
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn finished(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("shards"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("shard-"))
        .count()
}

/// Starts a run and waits until it has finished some shards.
fn begun(folder: &str, shards: usize) -> Child {
    let mut child = command(&["run", folder, "-q"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while finished(Path::new(folder)) < shards {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended before it could be stopped"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn any_way_to_run_gives_the_same_bytes() {
    let place = Place::new();
    let file = place.drawn(400);
    // In one go on one thread.
    let one = place.text("one");
    ok(&["run", &file, "--out", &one, "--threads", "1", "-q"]);
    // Killed twice, resumed, on several threads and in other shards.
    let killed = place.text("killed");
    ok(&["plan", &file, "--out", &killed, "--shards", "37"]);
    for shards in [2, 9] {
        let mut child = begun(&killed, shards);
        child.kill().unwrap();
        child.wait().unwrap();
        let there = finished(Path::new(&killed));
        assert!(there >= shards && there < 37, "{there}");
        fails(
            &["merge", &killed],
            3,
            &["shards are missing", "strait sweep run"],
        );
        assert!(!place.path("killed/cases.csv").exists());
    }
    let before: Vec<_> = (0..37)
        .filter_map(|shard| {
            let file = place.path(&format!("killed/shards/shard-{shard}-of-37.jsonl"));
            let changed = fs::metadata(&file).ok()?.modified().ok()?;
            Some((file, changed))
        })
        .collect();
    ok(&["run", &killed, "--threads", "3"]);
    for (file, changed) in before {
        assert_eq!(
            fs::metadata(&file).unwrap().modified().unwrap(),
            changed,
            "done twice"
        );
    }
    let left = fs::read_dir(place.path("killed/shards")).unwrap().flatten();
    assert!(
        left.into_iter()
            .all(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp"))
    );
    ok(&["merge", &killed]);
    // By three processes at once, each a part of the shards.
    let parts = place.text("parts");
    ok(&["plan", &file, "--out", &parts, "--shards", "8"]);
    let children: Vec<Child> = (0..3)
        .map(|index| {
            command(&["run", &parts, "--shard", &format!("{index}/3"), "-q"])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    ok(&["merge", &parts]);
    let expected = place.bytes("one");
    for (name, (a, b)) in TABLES
        .iter()
        .zip(expected.iter().zip(place.bytes("killed")))
    {
        assert!(*a == b, "{name} differs after kills");
    }
    for (name, (a, b)) in TABLES.iter().zip(expected.iter().zip(place.bytes("parts"))) {
        assert!(*a == b, "{name} differs in parts");
    }
    // Each case once, in order, with its own settings.
    let table = Table::open(&place.path("one")).unwrap();
    assert_eq!(table.cases(), 400);
    let bandwidths = &table.axis("cluster.nvlink_bandwidth").unwrap().cells;
    let mut sorted: Vec<f64> = bandwidths.iter().filter_map(|cell| cell.number).collect();
    sorted.sort_by(f64::total_cmp);
    for (part, value) in sorted.iter().enumerate() {
        let share = (value - 100.0) / 800.0 * 400.0;
        assert!(share >= part as f64 - 1e-6 && share <= part as f64 + 1.0 + 1e-6);
    }
    assert_eq!(table.axes[1].path, "economics.rent");
    let cost = table.metric("cost_usd").unwrap();
    assert!(
        cost.values
            .iter()
            .all(|value| value.is_some_and(|value| value > 0.0))
    );
    // What is complete is not done again.
    let changed = |name: &str| {
        fs::metadata(place.path("one").join(name))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = TABLES.map(changed);
    ok(&["run", &file, "--out", &one, "-q"]);
    ok(&["merge", &one]);
    assert_eq!(before, TABLES.map(changed));
}

#[test]
#[cfg(unix)]
fn an_interrupt_is_130_and_what_is_finished_stays() {
    let place = Place::new();
    let file = place.drawn(400);
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder, "--shards", "40"]);
    let mut child = begun(&folder, 2);
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let there = finished(Path::new(&folder));
    assert!((2..40).contains(&there), "{there}");
    let status: serde_json::Value =
        serde_json::from_str(&ok(&["status", &folder, "--json"])).unwrap();
    assert_eq!(status["shards"], 40);
    assert_eq!(status["finished"].as_array().unwrap().len(), there);
    assert_eq!(status["missing"].as_array().unwrap().len(), 40 - there);
    let lines = ok(&["run", &folder, "--json"]);
    let states: Vec<String> = (lines.lines())
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["state"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        states.iter().filter(|state| *state == "skipped").count(),
        there
    );
    assert_eq!(
        states.iter().filter(|state| *state == "done").count(),
        40 - there
    );
}

#[test]
fn damage_is_told_and_mended() {
    let place = Place::new();
    let file = place.drawn(40);
    let folder = place.text("folder");
    ok(&["run", &file, "--out", &folder, "--shards", "5", "-q"]);
    let expected = place.bytes("folder");
    let shard = |index: u32| place.path(&format!("folder/shards/shard-{index}-of-5.jsonl"));
    let whole = fs::read(shard(0)).unwrap();
    fs::remove_file(place.path("folder/merged.json")).unwrap();
    // Cut off, a changed row, the rows of another shard, nothing at all.
    fs::write(shard(0), &whole[..whole.len() / 2]).unwrap();
    let changed = String::from_utf8(fs::read(shard(1)).unwrap())
        .unwrap()
        .replacen("\"case\":1", "\"case\":2", 1);
    fs::write(shard(1), changed).unwrap();
    fs::copy(shard(3), shard(2)).unwrap();
    fs::write(shard(4), "").unwrap();
    fails(
        &["merge", &folder],
        3,
        &["4 can't be used: 0, 1, 2, 4", "ends before its footer"],
    );
    let status: serde_json::Value =
        serde_json::from_str(&ok(&["status", &folder, "--json"])).unwrap();
    assert_eq!(status["finished"], serde_json::json!([3]));
    assert_eq!(status["damaged"].as_array().unwrap().len(), 4);
    let output = sweep(&["run", &folder]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for told in [
        "shard 0 is done again",
        "shard 1 is done again: its rows",
        "shard 2",
        "shard 4",
    ] {
        assert!(
            stderr(&output).contains(told),
            "{told}: {}",
            stderr(&output)
        );
    }
    ok(&["merge", &folder]);
    assert!(expected == place.bytes("folder"));
}

#[test]
fn other_plans_are_refused() {
    let place = Place::new();
    let file = place.drawn(12);
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder]);
    let plan = place.path("folder/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    // Changed by hand.
    fs::write(&plan, text.replacen("\"cases\": 12", "\"cases\": 13", 1)).unwrap();
    for verb in ["run", "merge", "status"] {
        fails(&[verb, &folder], 3, &["plan.json", "digest does not fit"]);
    }
    // Of a later format, half a file, no plan at all.
    fs::write(&plan, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    fails(&["run", &folder], 3, &["format 2", "format 1"]);
    fs::write(&plan, &text[..text.len() / 2]).unwrap();
    fails(
        &["run", &folder],
        3,
        &["no plan of a sweep, or a damaged one"],
    );
    fs::remove_file(&plan).unwrap();
    fails(
        &["merge", &folder],
        3,
        &["there is no plan", "strait sweep plan"],
    );
    fails(
        &["run", &place.text("nowhere")],
        3,
        &["nowhere", "strait sweep plan"],
    );
    // Of another version.
    let request = Request {
        path: file.clone().into(),
        ..Request::default()
    };
    let other = Plan::freeze(&request, &Catalog::embedded(), "0.0.1").unwrap();
    fs::write(&plan, other.plan.text().unwrap()).unwrap();
    for verb in ["run", "merge", "status"] {
        fails(
            &[verb, &folder],
            3,
            &["made by strait 0.0.1", "must not be mixed"],
        );
    }
    // The same version again: nothing was lost by looking.
    fs::write(&plan, &text).unwrap();
    ok(&["run", &folder]);
    // Another sweep in the way.
    fails(
        &["plan", &file, "--out", &folder, "--seed", "2"],
        3,
        &["holds another sweep", "--replace"],
    );
    ok(&["plan", &file, "--out", &folder, "--seed", "2", "--replace"]);
    assert_eq!(finished(Path::new(&folder)), 0);
}

/// A lock of this process. A command that another test has forked and not yet replaced by its program holds what
/// this process had locked, for as long as that takes.
fn patiently<T>(lock: impl Fn() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(locked) = lock() {
            return locked;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("somebody else holds the lock");
}

#[test]
fn two_commands_on_one_folder() {
    let place = Place::new();
    let file = place.drawn(8);
    let path = place.text("folder");
    ok(&["plan", &file, "--out", &path, "--shards", "4"]);
    let folder = Folder::new(Path::new(&path));
    {
        let _all = patiently(|| folder.lock().ok());
        for arguments in [
            &["run", &path][..],
            &["run", &path, "--shard", "0/2"],
            &["merge", &path],
        ] {
            fails(arguments, 75, &["another strait works on", &path, "help:"]);
        }
        ok(&["status", &path]);
    }
    {
        let _part = patiently(|| folder.lock_part(Part { index: 0, of: 2 }).ok());
        fails(&["run", &path, "--shard", "0/2"], 75, &["another strait"]);
        fails(&["run", &path], 75, &["another strait"]);
        ok(&["run", &path, "--shard", "1/2"]);
    }
    assert_eq!(finished(Path::new(&path)), 2);
    ok(&["run", &path]);
    assert_eq!(finished(Path::new(&path)), 4);
}

#[test]
#[cfg(unix)]
fn storage_that_fails_is_75_and_loses_nothing() {
    let place = Place::new();
    let file = place.drawn(40);
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder, "--shards", "2"]);
    // Files may grow to a few kilobytes: a stand-in for a disk that is full.
    let limited = |arguments: &[&str], blocks: u32| {
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" sweep \"$@\"");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_strait")])
            .args(arguments);
        shell.output().unwrap()
    };
    let output = limited(&["run", &folder], 4);
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("can't write") && stderr(&output).contains("help:"),
        "{}",
        stderr(&output)
    );
    assert_eq!(finished(Path::new(&folder)), 0);
    ok(&["run", &folder]);
    let output = limited(&["merge", &folder], 4);
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    for name in TABLES {
        assert!(!place.path("folder").join(name).exists(), "half a {name}");
    }
    let left = fs::read_dir(&folder).unwrap().flatten();
    assert!(
        left.into_iter()
            .all(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp"))
    );
    ok(&["merge", &folder]);
    // No folder can be made below a file, and no later try helps.
    fs::write(place.path("file"), "").unwrap();
    let below = place.text("file/folder");
    fails(
        &["plan", &file, "--out", &below],
        3,
        &["can't write", "help:"],
    );
    fails(
        &["run", &file, "--out", &below],
        3,
        &["can't write", "help:"],
    );
    // A folder that is for reading only; root may write there all the same.
    use std::os::unix::fs::PermissionsExt as _;
    let shards = place.path("folder/shards");
    fs::remove_file(shards.join("shard-0-of-2.jsonl")).unwrap();
    fs::set_permissions(&shards, fs::Permissions::from_mode(0o555)).unwrap();
    let writable = fs::write(shards.join("probe"), "").is_ok();
    if !writable {
        fails(&["run", &folder], 75, &["can't write", "help:"]);
    }
    fs::set_permissions(&shards, fs::Permissions::from_mode(0o755)).unwrap();
    ok(&["run", &folder]);
}

#[test]
fn a_case_that_fails_is_a_row() {
    let place = Place::new();
    let file = place.scenario(
        "grid.toml",
        "[sweep]\n[[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [1, 3, 2]\n\
         [[sweep.axis]]\npath = \"economics.rent\"\nfrom = \"1 USD/h\"\nto = \"4 USD/h\"\nsteps = 4\n\
         [[sweep.axis]]\npath = \"cluster.memory\"\nvalues = [\"1 GB\", \"80 GB\"]\n",
    );
    let folder = place.text("folder");
    let text = ok(&["run", &file, "--out", &folder]);
    assert!(
        text.contains("24 cases, 8 of them without an answer, 8 do not fit in memory"),
        "{text}"
    );
    let table = Table::open(&place.path("folder")).unwrap();
    let (cost, fits) = (
        table.metric("cost_usd").unwrap(),
        table.metric("memory_fits").unwrap(),
    );
    for case in 0..24 {
        let failed = (8..16).contains(&case);
        assert_eq!(table.errors[case].is_some(), failed, "{case}");
        assert_eq!(cost.values[case].is_none(), failed, "{case}");
        if !failed {
            assert_eq!(fits.values[case], Some((case % 2) as f64), "{case}");
        }
    }
    assert!(
        table.errors[8]
            .as_ref()
            .is_some_and(|why| why.contains('3')),
        "{:?}",
        table.errors[8]
    );
    // Rent moves cost in proportion, and nothing else.
    let (one, four) = (cost.values[1].unwrap(), cost.values[7].unwrap());
    assert!((four / one - 4.0).abs() < 1e-9, "{one} {four}");
    let step = table.metric("step_time_s").unwrap();
    assert_eq!(step.values[1], step.values[7]);
    // The cheapest of those that fit.
    assert_eq!(
        table.merged.summary.best.as_ref().map(|best| best.case % 2),
        Some(1)
    );
    // As a run of the same settings says, without chance.
    let run = Command::new(env!("CARGO_BIN_EXE_strait"))
        .args([
            "run",
            &file,
            "--json",
            "--set",
            "parallelism.tensor=2",
            "--set",
            "economics.rent=4 USD/h",
        ])
        .args([
            "--set",
            "cluster.memory=80 GB",
            "--set",
            "noise.jitter=0",
            "--set",
            "noise.chip_spread=0",
        ])
        .output()
        .unwrap();
    let run: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let run = &run["cases"][0];
    let close = |a: f64, b: &serde_json::Value| {
        let b = b.as_f64().unwrap();
        assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    };
    close(cost.values[23].unwrap(), &run["cost_usd"]["total"]);
    close(step.values[23].unwrap(), &run["step"]["time_s"]);
    close(
        table.metric("memory_peak_gb").unwrap().values[23].unwrap(),
        &run["memory"]["peak_gb"],
    );
    close(
        table.metric("mfu_causal").unwrap().values[23].unwrap(),
        &run["step"]["mfu"]["causal"],
    );
}

#[test]
fn columns_have_one_type() {
    let place = Place::new();
    let file = place.scenario(
        "grid.toml",
        "[sweep]\n[[sweep.axis]]\npath = \"parallelism.zero_group\"\nvalues = [4, 8, \"none\"]\n\
         [[sweep.axis]]\npath = \"parallelism.micro_batch\"\nvalues = [1, 3, 4]\n\
         [[sweep.axis]]\npath = \"economics.rent\"\nvalues = [\"2 USD/h\", \"3 USD/h\"]\n",
    );
    let folder = place.text("folder");
    ok(&["run", &file, "--out", &folder, "-q"]);
    let text = fs::read_to_string(place.path("folder/cases.csv")).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = rows.next().unwrap();
    assert_eq!(
        names[..7],
        [
            "case",
            "parallelism.zero_group",
            "parallelism.zero_group (number)",
            "parallelism.micro_batch",
            "economics.rent",
            "economics.rent (USD/h)",
            "error"
        ]
    );
    let rows: Vec<Vec<&str>> = rows.collect();
    assert_eq!(rows.len(), 18);
    for (column, name) in names.iter().enumerate() {
        // Commas of an error's words are no ends of cells.
        let whole_rows = rows.iter().filter(|row| column <= 6 || row[6].is_empty());
        let cells: Vec<&str> = whole_rows
            .map(|row| row[column])
            .filter(|cell| !cell.is_empty())
            .collect();
        let whole = |cell: &&str| cell.parse::<i64>().is_ok();
        let number = |cell: &&str| cell.parse::<f64>().is_ok();
        let flag = |cell: &&str| ["true", "false"].contains(cell);
        let kinds = [
            cells.iter().all(whole),
            // With a point or an exponent, so that no reader takes the first of them for whole ones.
            cells.iter().all(|cell| number(cell) && !whole(cell)),
            cells.iter().all(flag),
            cells.iter().all(|cell| !number(cell) && !flag(cell)),
        ];
        let found = kinds.iter().filter(|kind| **kind).count();
        assert!(found == 1 || cells.is_empty(), "{name}: {cells:?}");
    }
    // The batch of 256 over 8 is not a multiple of 3.
    assert!(
        rows.iter()
            .filter(|row| !row[6].is_empty())
            .all(|row| row[3] == "3")
    );
    let long = fs::read_to_string(place.path("folder/metrics.csv")).unwrap();
    assert_eq!(long.lines().next(), Some("case,metric,value,unit"));
    let costs = long
        .lines()
        .filter(|line| line.contains(",cost_usd,") && line.ends_with(",USD"));
    assert_eq!(costs.count(), 12);
    // Parquet begins and ends with its mark.
    let parquet = fs::read(place.path("folder/cases.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
#[cfg(unix)]
fn what_a_launcher_says_is_passed_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let file = place.drawn(6);
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder, "--shards", "2"]);
    // In the place of Python: it is given the launcher, the folder, and what the engine needs.
    let python = place.path("python");
    let script = |body: &str| {
        fs::write(
            &python,
            format!("#!/bin/sh\ntest -s \"$1\" || exit 9\n{body}\n"),
        )
        .unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = python.to_str().unwrap();
    let strait = env!("CARGO_BIN_EXE_strait");
    let submit = [
        "submit",
        &folder,
        "--engine",
        "ray",
        "--address",
        "head:6379",
        "--python",
        path,
    ];
    for (status, says) in [
        (2, "could not be handed to Ray"),
        (3, "refused the plan"),
        (75, "not all shards were finished"),
        (1, "launcher of Ray failed"),
    ] {
        script(&format!("exit {status}"));
        fails(&submit, status, &[says]);
    }
    script("kill -9 $$");
    fails(&submit, 75, &["not all shards were finished"]);
    // One that says that all is well, and is wrong.
    script("exit 0");
    fails(&submit, 3, &["2 of 2 shards are missing"]);
    script(&format!(
        "test \"$3 $4 $5\" = \"--address head:6379 --strait\" || exit 8\n\"{strait}\" sweep run \"$2\" --shard 0/2 -q >&2 && \
         echo '{{\"shard\": 0, \"of\": 2, \"status\": 0}}'\n\"{strait}\" sweep run \"$2\" --shard 1/2 -q >&2 && \
         echo '{{\"shard\": 1, \"of\": 2, \"status\": 0}}'"
    ));
    let output = sweep(&submit);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("shard 1 is done: 2 of 2"),
        "{}",
        stderr(&output)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("6 cases"));
    assert_eq!(Table::open(&place.path("folder")).unwrap().cases(), 6);
    fs::remove_file(&python).unwrap();
    fails(&submit, 2, &["can't be started", "pip install ray"]);
}

#[test]
fn options_that_do_not_fit_are_2() {
    let place = Place::new();
    let file = place.scenario(
        "grid.toml",
        "[sweep]\n[[sweep.axis]]\npath = \"parallelism.micro_batch\"\nvalues = [1, 2, 4]\n",
    );
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder, "--shards", "3"]);
    fails(
        &["plan", &file, "--out", &folder, "--cases", "7"],
        2,
        &["--cases has no use"],
    );
    fails(
        &["plan", &file, "--out", &folder, "--shards", "4"],
        2,
        &["4 shards of 3 cases"],
    );
    fails(
        &["run", &folder, "--seed", "1"],
        2,
        &["--seed goes with a scenario file"],
    );
    fails(
        &["run", &file, "--shard", "0/2"],
        2,
        &["--shard goes with the folder of a plan"],
    );
    fails(&["run", &folder, "--shard", "3/3"], 2, &["counted from 0"]);
    fails(
        &["run", &folder, "--shard", "auto"],
        2,
        &["SLURM_ARRAY_TASK_ID"],
    );
    let auto = |name: &str, task: &str| {
        command(&["run", &folder, "--shard", "auto"])
            .env(name, task)
            .output()
            .unwrap()
    };
    assert_eq!(auto("JOB_COMPLETION_INDEX", "2").status.code(), Some(0));
    assert_eq!(finished(Path::new(&folder)), 1);
    assert_eq!(auto("HQ_TASK_ID", "3").status.code(), Some(2));
    // More parts than shards: some have nothing to do.
    ok(&["run", &folder, "--shard", "7/9"]);
    assert_eq!(finished(Path::new(&folder)), 1);
}

/// A sweep of so many prices on a layout that does not fit its cluster.
fn hopeless(place: &Place, steps: u32) -> String {
    place.scenario(
        "hopeless.toml",
        &format!(
            "[sweep]\n[[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [3]\n\
             [[sweep.axis]]\npath = \"economics.rent\"\nfrom = \"1 USD/h\"\nto = \"4 USD/h\"\nsteps = {steps}\n"
        ),
    )
}

#[test]
fn cases_that_fail_are_planned_unless_all_were_tried() {
    let place = Place::new();
    let folder = place.text("many");
    let output = sweep(&["run", &hopeless(&place, 20), "--out", &folder]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("warning: all 16 cases that were tried fail; so may all 20: "),
        "{}",
        stderr(&output)
    );
    let table = Table::open(&place.path("many")).unwrap();
    assert!(table.errors.iter().all(Option::is_some));
    fails(
        &["plan", &hopeless(&place, 4), "--out", &place.text("few")],
        3,
        &["all 4 cases fail"],
    );
}

#[test]
fn files_of_others_stay() {
    let place = Place::new();
    let file = place.drawn(8);
    for name in TABLES.into_iter().chain(["plan.json"]) {
        let folder = place.text("own");
        fs::create_dir(&folder).unwrap();
        let path = place.path("own").join(name);
        fs::write(&path, "{\"mine\": 1}\n").unwrap();
        for arguments in [
            &["plan", &file, "--out", &folder][..],
            &["plan", &file, "--out", &folder, "--replace"],
            &["run", &file, "--out", &folder, "--replace"],
        ] {
            fails(arguments, 3, &[name, "is in the way", "another folder"]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"mine\": 1}\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "{name}");
        fs::remove_dir_all(&folder).unwrap();
    }
    // Half a plan of a sweep is no file of others.
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder]);
    let plan = place.path("folder/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, &text[..text.len() / 2]).unwrap();
    fails(&["plan", &file, "--out", &folder], 3, &["--replace"]);
    ok(&["plan", &file, "--out", &folder, "--replace"]);
}

#[test]
fn what_killed_commands_left_is_removed() {
    let place = Place::new();
    let file = place.drawn(8);
    let folder = place.text("folder");
    ok(&["plan", &file, "--out", &folder, "--shards", "2"]);
    let left = || {
        for name in [
            ".cases.csv.77.tmp",
            ".plan.json.77-0a.tmp",
            ".merged.json.7.tmp",
        ] {
            fs::write(place.path("folder").join(name), "half").unwrap();
        }
        fs::write(place.path("folder/.mine.tmp"), "whole").unwrap();
    };
    let names = || -> Vec<String> {
        (fs::read_dir(&folder).unwrap().flatten())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".tmp"))
            .collect()
    };
    for arguments in [
        &["run", &folder][..],
        &["merge", &folder],
        &["plan", &file, "--out", &folder, "--seed", "2", "--replace"],
    ] {
        left();
        ok(arguments);
        assert_eq!(names(), [".mine.tmp"], "{arguments:?}");
    }
}

#[test]
fn what_no_later_try_helps_is_bad_input() {
    let place = Place::new();
    let file = place.drawn(8);
    fs::write(place.path("file"), "").unwrap();
    let not_a_folder = place.text("file");
    for verb in ["merge", "status"] {
        fails(&[verb, &not_a_folder], 3, &["file", "help:"]);
    }
    fails(&["plan", &file, "--out", &not_a_folder], 3, &["help:"]);
    let folder = place.text("folder");
    for name in [
        ".lock",
        "shards/shard-0-of-2.jsonl",
        "cases.csv",
        "plan.json",
    ] {
        ok(&["plan", &file, "--out", &folder, "--shards", "2"]);
        let path = place.path("folder").join(name);
        if name == "cases.csv" {
            ok(&["run", &folder]);
        }
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.join("inner")).unwrap();
        let verb = if name == "cases.csv" { "merge" } else { "run" };
        fails(&[verb, &folder], 3, &["folder", "help:"]);
        fs::remove_dir_all(&folder).unwrap();
    }
    ok(&["plan", &file, "--out", &folder, "--shards", "2"]);
    fs::write(place.path("folder/shards"), "").unwrap();
    for verb in ["run", "merge", "status"] {
        fails(&[verb, &folder], 3, &["shards", "help:"]);
    }
}

#[test]
fn settings_that_an_axis_outdoes_are_told() {
    let place = Place::new();
    let file = place.scenario(
        "two cases.toml",
        "[[case]]\nname = \"a\"\nset = { \"economics.rent\" = \"2 USD/h\" }\n\
         [[case]]\nname = \"b\"\nset = { \"economics.rent\" = \"3 USD/h\" }\n\
         [sweep]\n[[sweep.axis]]\ncases = [\"all\"]\n\
         [[sweep.axis]]\npath = \"economics.rent\"\nvalues = [\"4 USD/h\", \"5 USD/h\"]\n",
    );
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("case = []\n", "");
    fs::write(&file, text).unwrap();
    let folder = place.text("my folder");
    let output = sweep(&[
        "plan",
        &file,
        "--out",
        &folder,
        "--case",
        "a",
        "--set",
        "economics.rent=1 USD/h",
    ]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for words in [
        "--set economics.rent has no effect where the axis `economics.rent` sets it too",
        "--case a has no effect: the axis `named_case`",
        "cases of the axis `named_case` set economics.rent, and so does the axis `economics.rent`, which wins",
    ] {
        assert!(told.contains(words), "no \"{words}\" in {told}");
    }
    let next = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        next.contains(&format!("strait sweep run '{folder}'")),
        "{next}"
    );
    // The axis does win.
    ok(&["run", &folder]);
    ok(&["merge", &folder]);
    let table = Table::open(&place.path("my folder")).unwrap();
    let cost = &table.metric("cost_usd").unwrap().values;
    assert_eq!((cost[0], cost[1]), (cost[2], cost[3]));
    assert!(cost[0] < cost[1]);
    // What is lost after a merge is told.
    fs::remove_file(place.path("my folder/shards").join("shard-0-of-1.jsonl")).unwrap();
    let output = sweep(&["merge", &folder]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stderr(&output).contains("1 of 1 shards went missing"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn faults_of_an_axis_are_capped() {
    let place = Place::new();
    let words: Vec<String> = (0..30).map(|n| format!("\"word {n}\"")).collect();
    let file = place.scenario(
        "wrong.toml",
        &format!(
            "[sweep]\n[[sweep.axis]]\npath = \"economics.rent\"\nvalues = [{}]\n",
            words.join(", ")
        ),
    );
    fails(
        &["plan", &file, "--out", &place.text("out")],
        3,
        &["and 20 more faults of this axis"],
    );
    let file = place.scenario(
        "units.toml",
        "[sweep]\n[[sweep.axis]]\npath = \"cluster.memory\"\nvalues = [\"1 TB\", \"1000 GB\"]\n",
    );
    fails(&["plan", &file, "--out", &place.text("out")], 3, &["twice"]);
}
