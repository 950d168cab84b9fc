//! The README and the book are true: every command in them runs, prints what they show, and makes their figures.
//!
//! In: Markdown, `docs/templates`, and the program: the one that `STRAIT_BINARY` names, else the one that was built
//! for the tests, which then leaves out pages whose commands take long. Out: a comparison; with
//! `STRAIT_UPDATE_DOCS=1`, outputs, figures and filled pages written anew. Never asserts how long anything takes.
//!
//! `STRAIT_BOOK=PART` takes only pages whose path contains PART.

mod output;
mod page;
mod shell;
mod walk_through;

use page::{Kind, Page, Part, Step};
use shell::{Scratch, Shell, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Pages that are made from a template, and what fills it.
type Fill = fn(&mut Shell) -> Result<BTreeMap<&'static str, String>, String>;
const TEMPLATES: [(&str, &str, Fill); 1] = [(
    "docs/templates/is-5.6m-plausible.md",
    "docs/src/walk-through/is-5.6m-plausible.md",
    walk_through::values,
)];

/// Commands that something else runs, with what does.
const ELSEWHERE: [(&str, &str); 1] = [("cargo test --workspace", ".ci/run")];

/// Words of commands that take seconds without optimisation, or need a program that not everybody has.
const LONG: [&str; 7] = [
    "deepseek",
    "llama3-405b",
    "claims",
    "validate",
    "bench",
    "sweep",
    "jq",
];

/// So many blocks may be exempt from running.
const MOST_NOT_RUN: usize = 16;

/// There are more commands than this, and more outputs that are compared: fewer, and the test looks at nothing.
const FEWEST: (usize, usize) = (80, 12);

fn updating() -> bool {
    std::env::var_os("STRAIT_UPDATE_DOCS").is_some()
}

/// All pages, in order of their paths.
fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut folders = vec![root().join("docs/src"), root().join("engines")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let part = std::env::var("STRAIT_BOOK").unwrap_or_default();
    let mut faults = Vec::new();
    let mut pages = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a readable page");
        let name = short(&path);
        if !name.contains(&part) {
            continue;
        }
        match Page::parse(PathBuf::from(&name), text) {
            Ok(page) => pages.push(page),
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    pages
}

/// A path from the root of the repository.
fn short(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[test]
fn pages_can_be_read_and_few_blocks_are_exempt() {
    if std::env::var_os("STRAIT_BOOK").is_some() {
        return;
    }
    let (mut run, mut compared, mut exempt) = (0, 0, Vec::new());
    let mut made = BTreeSet::new();
    for page in pages() {
        for block in page.blocks().filter(|block| block.kind != Kind::Other) {
            let place = format!("{}:{}", page.path.display(), block.line);
            if let Some(why) = &block.not_run {
                exempt.push(format!("{place}: {why}"));
                continue;
            }
            let steps = page::steps(block)
                .unwrap_or_else(|fault| panic!("{}: {fault}", page.path.display()));
            run += steps.len();
            compared += steps.iter().filter(|step| step.shown.is_some()).count();
        }
        for part in &page.parts {
            if let Part::Figure(figure) = part {
                made.insert(beside(&page.path, &figure.image));
            }
        }
    }
    println!(
        "{run} commands, {compared} outputs shown; not run:\n{}",
        exempt.join("\n")
    );
    assert!(
        run >= FEWEST.0 && compared >= FEWEST.1,
        "{run} commands, {compared} outputs"
    );
    assert!(
        exempt.len() <= MOST_NOT_RUN,
        "{} blocks are not run",
        exempt.len()
    );
    // No figure of the book is a picture of the past.
    for entry in std::fs::read_dir(root().join("docs/src/figures")).expect("figures") {
        let path = entry.expect("a figure").path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            let name = short(&path);
            assert!(
                made.contains(&name),
                "{name}: no page says which command makes it"
            );
        }
    }
}

/// The image of a page as a path from the root.
fn beside(page: &Path, image: &str) -> String {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in image.split('/') {
        match part {
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

#[test]
fn every_command_runs_and_prints_what_is_shown() {
    let given = std::env::var_os("STRAIT_BINARY").map(PathBuf::from);
    let built = PathBuf::from(env!("CARGO_BIN_EXE_strait"));
    let binary = root().join(given.clone().unwrap_or(built));
    let binary =
        (binary.canonicalize()).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let mut shell = Shell::new(&binary);
    let mut faults = Vec::new();
    let mut ran = 0;
    for committed in pages() {
        let name = committed.path.display().to_string();
        let template = TEMPLATES.iter().find(|template| template.1 == name);
        let long = template.is_some()
            || committed.blocks().any(|block| {
                let command = block.kind != Kind::Other && block.not_run.is_none();
                command && LONG.iter().any(|word| block.text.contains(word))
            });
        if long && given.is_none() {
            continue;
        }
        let page = match template {
            None => Ok(Page {
                parts: Vec::new(),
                ..committed
            }),
            Some((from, _, fill)) => {
                filled(from, *fill, &mut shell).map(|text| Page { text, ..committed })
            }
        };
        let page = page.and_then(|page| Page::parse(page.path, page.text));
        match page.and_then(|page| walk(&page, &mut shell, &mut ran, &mut faults)) {
            Ok(text) => settle(&name, text.as_bytes(), &mut faults),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    println!(
        "{ran} commands of pages ran, in {} processes",
        shell.spawned
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n\n{}",
        faults.len(),
        faults.join("\n\n")
    );
    let fewest = if given.is_some() {
        FEWEST.0
    } else {
        FEWEST.0 / 8
    };
    assert!(
        ran >= fewest || std::env::var_os("STRAIT_BOOK").is_some(),
        "only {ran} commands ran"
    );
}

/// A page's text from its template.
fn filled(from: &str, fill: Fill, shell: &mut Shell) -> Result<String, String> {
    let template =
        std::fs::read_to_string(root().join(from)).map_err(|error| format!("{from}: {error}"))?;
    let mut text = format!(
        "<!-- Made by a test from {from} and what the commands print; STRAIT_UPDATE_DOCS=1 writes it anew. -->\n\n"
    );
    let values = fill(shell)?;
    let mut used = BTreeSet::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .ok_or_else(|| format!("{from}: `{{{{` without an end"))?;
        let (known, value) = values
            .get_key_value(name)
            .ok_or_else(|| format!("{from}: no value `{name}`"))?;
        used.insert(*known);
        text = text + before + value;
        rest = after;
    }
    text += rest;
    match values.keys().find(|name| !used.contains(*name)) {
        Some(name) => Err(format!("{from}: the value `{name}` is used nowhere")),
        None => Ok(text),
    }
}

/// Follows a page from top to bottom. Returns its text with the outputs of today.
fn walk(
    page: &Page,
    shell: &mut Shell,
    ran: &mut usize,
    faults: &mut Vec<String>,
) -> Result<String, String> {
    let scratch = Scratch::new().map_err(|error| format!("a scratch folder: {error}"))?;
    let mut text: Vec<String> = page.text.lines().map(str::to_owned).collect();
    // Outputs may get longer or shorter above a place.
    let mut moved = 0_isize;
    for part in &page.parts {
        let block = match part {
            Part::Block(block) => block,
            Part::Figure(figure) => {
                let made = scratch.path().join(&figure.made);
                let target = beside(&page.path, &figure.image);
                for extension in ["svg", "csv"] {
                    let (made, target) = (
                        made.with_extension(extension),
                        Path::new(&target).with_extension(extension),
                    );
                    // Data is compared where the book keeps it.
                    if extension == "csv" && !root().join(&target).is_file() {
                        continue;
                    }
                    match std::fs::read(&made) {
                        Ok(bytes) => settle(&short(&target), &bytes, faults),
                        Err(error) => {
                            return Err(format!("line {}: {}: {error}", figure.line, figure.made));
                        }
                    }
                }
                continue;
            }
        };
        if let Some(name) = &block.file {
            let path = scratch.path().join(name);
            let folder = path.parent().unwrap_or(scratch.path());
            let written =
                std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &block.text));
            written.map_err(|error| format!("line {}: {name}: {error}", block.line))?;
        }
        if block.kind == Kind::Other || block.not_run.is_some() {
            continue;
        }
        for step in page::steps(block)? {
            if ELSEWHERE
                .iter()
                .any(|(command, _)| step.command == *command)
            {
                continue;
            }
            let start = std::time::Instant::now();
            let did = shell
                .run(&scratch, &step.command)
                .map_err(|error| format!("bash: {error}"))?;
            *ran += 1;
            let place = format!("{}:{}", page.path.display(), block.line);
            println!(
                "{place}: {} ({:.1} s)",
                step.command,
                start.elapsed().as_secs_f64()
            );
            match judged(&step, &did) {
                Ok(None) => {}
                Ok(Some(new)) => {
                    let at = |line: usize| (block.line - 1 + line).saturating_add_signed(moved);
                    let old = step.shown.as_ref().map_or(0, Vec::len);
                    let added = new.len() as isize - old as isize;
                    text.splice(at(step.range.0)..at(step.range.0 + old), new);
                    moved += added;
                }
                Err(fault) => {
                    faults.push(format!("{place}: $ {}\n{fault}", step.command));
                    // What follows may need what this one left.
                    return Ok(page.text.clone());
                }
            }
        }
    }
    Ok(text.join("\n") + "\n")
}

/// Whether a command did what its page says. Returns the output to show instead, where only figures differ.
fn judged(step: &Step, did: &shell::Ran) -> Result<Option<Vec<String>>, String> {
    if did.status != step.status {
        return Err(format!(
            "ended with {}, not {}\n{}",
            did.status, step.status, did.stderr
        ));
    }
    let Some(shown) = &step.shown else {
        let silent = !step.command.starts_with("strait ") || step.command.contains(" > ");
        if did.stdout.trim().is_empty() && !silent {
            return Err("printed nothing".to_owned());
        }
        return Ok(None);
    };
    // Of what succeeds, the answer; of what fails, the message too.
    let mut printed: Vec<String> = did.stdout.lines().map(str::to_owned).collect();
    if did.status != 0 {
        printed.extend(did.stderr.lines().map(str::to_owned));
    }
    while printed.last().is_some_and(|line| line.trim().is_empty()) {
        printed.pop();
    }
    if output::agrees(shown, &printed) {
        return Ok(None);
    }
    match output::renewed(shown, &printed) {
        Some(new) => Ok(Some(new)),
        None => Err(format!(
            "the page shows\n{}\nbut it prints\n{}",
            shown.join("\n"),
            printed.join("\n")
        )),
    }
}

/// Compares a file of the repository with what it should be, or writes it.
fn settle(name: &str, bytes: &[u8], faults: &mut Vec<String>) {
    let path = root().join(name);
    let known = std::fs::read(&path).unwrap_or_default();
    if known == bytes {
        return;
    }
    if updating() {
        if let Err(error) = std::fs::write(&path, bytes) {
            faults.push(format!("{name}: {error}"));
        }
        return;
    }
    let (old, new) = (
        String::from_utf8_lossy(&known),
        String::from_utf8_lossy(bytes),
    );
    let differs = old
        .lines()
        .zip(new.lines())
        .enumerate()
        .find(|(_, (old, new))| old != new);
    let shown = match differs {
        Some((number, (old, new))) => format!("line {}:\n- {old}\n+ {new}", number + 1),
        None => format!(
            "{} lines instead of {}",
            old.lines().count(),
            new.lines().count()
        ),
    };
    faults.push(format!(
        "{name} is out of date, {shown}\nSTRAIT_BINARY=target/release/strait STRAIT_UPDATE_DOCS=1 cargo test -p strait --test book"
    ));
}
