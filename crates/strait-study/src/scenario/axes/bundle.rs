//! Axes that set several paths at once: bundles, and the cases that a file names.
//!
//! In: an axis' table and the file around it. Out: an [`Axis`], or every fault with its place. Never looks at
//! another axis.

use super::super::check;
use super::super::diagnostic::{Diagnostic, Place};
use super::super::keys::Kind;
use super::super::paths;
use super::super::tree::{Node, Via};
use super::path::Of;
use super::{Around, Axis, Point, Values};

/// A bundle.
pub(super) fn options(
    around: &Around<'_>,
    name: Option<String>,
    group: Option<String>,
    node: &Node,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let Some(name) = name else {
        return Err(vec![
            Diagnostic::error("scenario::missing-key", "an axis of options needs `name`")
                .at(place, "`name` is missing here")
                .help("say in a word what varies: name = \"machine\""),
        ]);
    };
    let mut points: Vec<Point> = Vec::new();
    for option in node.list().unwrap_or(&[]) {
        let Some(table) = option.table() else {
            continue;
        };
        let called = table.get("name").and_then(|e| e.node.text()).unwrap_or("");
        if points.iter().any(|point| point.text == called) {
            faults.push(
                Diagnostic::error(
                    "scenario::duplicate",
                    format!("two options of `{name}` are called \"{called}\""),
                )
                .at(&option.place, "the second of this name")
                .help("give each option a name of its own"),
            );
        }
        let mut settings = Vec::new();
        if let Some(set) = table.get("set").and_then(|e| e.node.table()) {
            paths::flatten(set, "", &mut settings);
        }
        let mut set = Vec::new();
        let mut root = around.root.clone();
        for setting in settings {
            let kind = paths::key(&setting.path, &setting.key).map(|key| key.kind);
            let of = Of {
                around,
                path: &setting.path,
                path_place: &setting.key,
                kind: kind.unwrap_or(Kind::Text),
            };
            set.push((setting.path.clone(), of.toml(&setting.node)));
            faults.extend(paths::apply(&mut root, setting, &Via::File));
        }
        points.push(Point {
            text: called.to_owned(),
            number: None,
            case: None,
            set,
        });
    }
    if points.is_empty() && faults.is_empty() {
        faults.push(
            Diagnostic::error(
                "scenario::empty",
                format!("the axis `{name}` has no options"),
            )
            .at(&node.place, "an empty list")
            .help("add [[sweep.axis.option]] with name and set"),
        );
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Axis {
        name,
        unit: None,
        whole: false,
        group,
        values: Values::Points(points),
    })
}

/// The file's own cases.
pub(super) fn cases(
    around: &Around<'_>,
    name: Option<String>,
    group: Option<String>,
    node: &Node,
    place: &Place,
) -> Result<Axis, Vec<Diagnostic>> {
    let known = around.cases;
    if known.is_empty() {
        return Err(vec![
            Diagnostic::error("sweep::cases", "the file has no [[case]] that could vary")
                .at(place, "an axis over cases")
                .help("add [[case]] tables, or bundle settings as [[sweep.axis.option]]"),
        ]);
    }
    let wanted = node.list().unwrap_or(&[]);
    let mut points = Vec::new();
    let mut faults = Vec::new();
    let mut add = |case: &str| {
        points.push(Point {
            text: case.to_owned(),
            number: None,
            case: Some(case.to_owned()),
            set: Vec::new(),
        });
    };
    for node in wanted {
        let asked = node.text().unwrap_or("");
        if known.contains(&asked) {
            add(asked);
        } else if asked == "all" {
            known.iter().for_each(|case| add(case));
        } else {
            let mut d = Diagnostic::error(
                "scenario::unknown-case",
                format!("the file has no case \"{asked}\""),
            )
            .at(&node.place, "not one of its cases");
            let near = check::suggest(asked, known);
            if !near.is_empty() {
                d = d.help(check::did_you_mean(&near));
            }
            faults.push(d.help(format!("its cases: {}", known.join(", "))));
        }
    }
    for (index, point) in points.iter().enumerate() {
        if points[..index].iter().any(|other| other.text == point.text) {
            faults.push(
                Diagnostic::error(
                    "sweep::twice",
                    format!("case \"{}\" is named twice", point.text),
                )
                .at(&node.place, "in this list")
                .help("name each case once"),
            );
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Axis {
        name: name.unwrap_or_else(|| "named_case".to_owned()),
        unit: None,
        whole: false,
        group,
        values: Values::Points(points),
    })
}
