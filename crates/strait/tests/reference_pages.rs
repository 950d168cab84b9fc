//! The generated pages of the book: command line, scenario keys, answer, and the tables of the glossary of metrics.
//!
//! In: the command's own help and schemas. Out: pages under `docs/src/reference/`, which have to
//! be the committed ones. Never writes them unless `STRAIT_UPDATE_DOCS` is set.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use strait_study::verdict::{Better, Quantity};
use strait_training::ops::Class;

const NOTE: &str =
    "<!-- Generated: STRAIT_UPDATE_DOCS=1 cargo test -p strait --test reference_pages -->\n\n";

fn strait(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_strait"))
        .args(args)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).expect("help is text")
}

fn schema(of: &str) -> Value {
    serde_json::from_str(&strait(&["schema", of])).expect("a schema is JSON")
}

fn is_current(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/src/reference")
        .join(page);
    if std::env::var_os("STRAIT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/src/reference/{page} is not current: run this test with STRAIT_UPDATE_DOCS=1"
    );
}

/// The text of a table's cell: one line, no bare bars or markup.
fn cell(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    joined
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace("[[", "\\[\\[")
}

/// The commands that a help text lists.
fn commands(help: &[&str]) -> Vec<String> {
    let listed = help.iter().skip_while(|line| **line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let named = listed.filter_map(|line| line.strip_prefix("  "));
    // What goes on from the line above is further in.
    let named = named.filter(|line| !line.starts_with(' '));
    let names = named.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn command_line() {
    let mut text = format!(
        "# Command line\n\n{NOTE}Results go to stdout, everything else to stderr. \
         [Exit status](exit-status.md) is a promise.\n"
    );
    let mut ahead: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = ahead.pop() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = strait(&args);
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let mut name = vec!["strait"];
        name.extend(command.iter().map(String::as_str));
        let _ = write!(
            text,
            "\n## {}\n\n```text\n{}\n```\n",
            name.join(" "),
            lines.join("\n").trim()
        );
        let own: Vec<Vec<String>> = (commands(&lines).into_iter())
            .map(|own| [command.clone(), vec![own]].concat())
            .collect();
        ahead.extend(own.into_iter().rev());
    }
    assert!(text.matches("\n## strait ").count() > 15, "few commands");
    is_current("command-line.md", &text);
}

/// What a key of the scenario schema holds, in a few words. That numbers may be ranges is said
/// once for all.
fn holds(key: &Value) -> String {
    if let Some(examples) = key["examples"].as_array()
        && let Some(example) = examples.first().and_then(Value::as_str)
    {
        let words = example.starts_with("an id");
        return if words {
            cell(example)
        } else {
            format!("`\"{example}\"`")
        };
    }
    if let Some(words) = key["oneOf"].as_array() {
        let word = |w: &Value| {
            let meaning = w["description"].as_str().unwrap_or_default();
            let name = w["const"].as_str().unwrap_or_default();
            format!("`{name}`: {}", cell(meaning))
        };
        return words.iter().map(word).collect::<Vec<_>>().join("<br>");
    }
    if let Some(choices) = key["anyOf"].as_array() {
        let mut all: Vec<String> = Vec::new();
        for choice in choices {
            // Texts such as "1 to 3" and references are ways to write a range.
            if choice.get("$ref").is_some()
                || (choice.get("pattern").is_some() && choice.get("examples").is_none())
            {
                continue;
            }
            let text = holds(choice);
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
        let joint = if all.iter().any(|text| text.contains("<br>")) {
            "<br>or "
        } else {
            ", or "
        };
        return all.join(joint);
    }
    let bound = |name: &str| key[name].as_f64();
    match key["type"].as_str() {
        Some("integer") => match (bound("minimum"), bound("maximum")) {
            (Some(low), Some(high)) if high < 1e3 => format!("{low} to {high}"),
            (Some(low), _) => format!("whole number, at least {low}"),
            _ => "whole number".to_owned(),
        },
        Some("number") => match (bound("minimum"), bound("maximum")) {
            (Some(low), Some(high)) => format!("{low} to {high}, or a percentage"),
            _ => "number".to_owned(),
        },
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") if key["items"]["type"] == "integer" => "list of whole numbers".to_owned(),
        Some("array") => format!("a list of<br>{}", holds(&key["items"])),
        Some("string") => match key["const"].as_str() {
            Some(word) => format!("`{word}`"),
            None => "text".to_owned(),
        },
        _ => String::new(),
    }
}

fn section(text: &mut String, title: &str, table: &Value) {
    let _ = write!(
        text,
        "\n## {title}\n\n{}\n",
        cell(table["description"].as_str().unwrap_or_default())
    );
    let Some(keys) = table["properties"].as_object().filter(|k| !k.is_empty()) else {
        return;
    };
    text.push_str("\n| key | holds | meaning |\n|---|---|---|\n");
    let mut inner = Vec::new();
    for (name, key) in keys {
        let child = if key["type"] == "array" {
            &key["items"]
        } else {
            key
        };
        if child["properties"].is_object() {
            inner.push((name, key, child));
            continue;
        }
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} |",
            holds(key),
            cell(key["description"].as_str().unwrap_or_default())
        );
    }
    for (name, key, child) in inner {
        let path = match title.trim_matches(['[', ']', '`']) {
            "top level" => name.clone(),
            parent => format!("{parent}.{name}"),
        };
        let title = if key["type"] == "array" {
            format!("`[[{path}]]`")
        } else {
            format!("`[{path}]`")
        };
        // The same keys again, such as a phase's layout, are told once.
        if path.ends_with(".parallelism") || path.starts_with("case.") || path == "expect" {
            let same = name.replace("expect", "claim");
            let _ = write!(
                text,
                "\n## {title}\n\n{} The keys are those of `{same}`.\n",
                cell(key["description"].as_str().unwrap_or_default())
            );
        } else {
            section(text, &title, child);
        }
    }
}

#[test]
fn scenario_keys() {
    let mut text = format!(
        "# Scenario keys\n\n{NOTE}Unknown keys are refused. Quantities are strings with units, and \
         any number may be a range `{{ low, mode, high, why }}`. \
         [Write a scenario](../how-to/write-a-scenario.md) shows them at work; editors that read \
         `#:schema` lines check them as you type.\n"
    );
    section(&mut text, "top level", &schema("scenario"));
    is_current("scenario-keys.md", &text);
}

fn fields(out: &mut String, prefix: &str, object: &Value, all: &Value) {
    let resolved = |value: &Value| -> Value {
        let name = value["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        name.map_or_else(|| value.clone(), |name| all[name].clone())
    };
    let object = resolved(object);
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let target = resolved(field);
        let meaning = field["description"]
            .as_str()
            .or(target["description"].as_str());
        let list = target["type"] == "array";
        let path = format!("{prefix}{name}{}", if list { "[]" } else { "" });
        let _ = writeln!(out, "| `{path}` | {} |", cell(meaning.unwrap_or_default()));
        let inner = if list { &target["items"] } else { &target };
        fields(out, &format!("{path}."), inner, all);
    }
}

#[test]
fn answer() {
    let mut text = format!(
        "# The answer as JSON\n\n{NOTE}`--json` prints one object; `strait schema run` and `strait \
         schema compare` print its JSON Schema. No key is ever left out: what is unknown is \
         `null`.\n\n## run\n\n| key | meaning |\n|---|---|\n"
    );
    let run = schema("run");
    fields(&mut text, "", &run, &run["$defs"]);
    text.push_str(
        "\n## compare\n\nThe keys of `run`, and these; `cases` are as above.\n\n\
         | key | meaning |\n|---|---|\n",
    );
    let mut compare = schema("compare");
    let known: Vec<String> = run["properties"]
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    let keys = compare["properties"].as_object_mut().expect("an object");
    keys.retain(|key, _| !known.contains(key));
    fields(&mut text, "", &compare, &compare["$defs"]);
    is_current("answer.md", &text);
}

/// Pages of the book and of the repository, with their text.
fn pages() -> Vec<(std::path::PathBuf, String)> {
    fn visit(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, out);
            } else if path.extension().is_some_and(|e| e == "md") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = vec![
        root.join("README.md"),
        root.join("CONTRIBUTING.md"),
        root.join("CHANGELOG.md"),
    ];
    visit(&root.join("docs/src"), &mut paths);
    paths.sort();
    let text = |path: &Path| std::fs::read_to_string(path).expect("a page");
    paths.into_iter().map(|p| (p.clone(), text(&p))).collect()
}

/// The anchor that mdBook and code hosts give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.trim_start_matches('#').trim();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for (page, text) in pages() {
        for target in text.split("](").skip(1) {
            let target = target.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                page.clone()
            } else {
                page.parent().expect("a folder").join(file)
            };
            assert!(path.exists(), "{}: no {target}", page.display());
            if !wanted.is_empty() {
                let there = std::fs::read_to_string(&path).expect("a page");
                let found = there
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|line| anchor(line) == wanted);
                assert!(found, "{}: no heading for {target}", page.display());
            }
        }
    }
    assert!(links > 40, "{links}");
}

#[test]
fn the_summary_names_every_page() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    let summary = std::fs::read_to_string(book.join("SUMMARY.md")).expect("a summary");
    for (page, _) in pages() {
        let Ok(inside) = page.strip_prefix(&book) else {
            continue;
        };
        let inside = inside.to_str().expect("a name");
        let named = summary.contains(&format!("]({inside})"));
        assert!(named || inside == "SUMMARY.md", "{inside}");
    }
}

#[test]
fn metrics() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/templates/metrics.md");
    let mut text = std::fs::read_to_string(template).expect("a template");
    let classes: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
    let mut quantities = "| key | quantity | unit | better |\n|---|---|---|---|".to_owned();
    for quantity in Quantity::all() {
        let better = match quantity.better() {
            Better::Lower => "less",
            Better::Higher => "more",
        };
        let (id, name) = (quantity.id(), quantity.name());
        let unit = quantity.unit().symbol();
        let _ = write!(quantities, "\n| `{id}` | {name} | {unit} | {better} |");
    }
    let mut columns = "| column | unit |\n|---|---|".to_owned();
    for (name, unit) in strait_study::sweep::columns::metrics() {
        let _ = write!(columns, "\n| `{name}` | {unit} |");
    }
    for (name, value) in [
        ("{{classes}}", classes.join(", ")),
        ("{{quantities}}", quantities),
        ("{{columns}}", columns),
    ] {
        assert_eq!(text.matches(name).count(), 1, "{name}");
        text = text.replace(name, &value);
    }
    let (title, rest) = text.split_once("\n\n").expect("a title");
    is_current("metrics.md", &format!("{title}\n\n{NOTE}{rest}"));
}
