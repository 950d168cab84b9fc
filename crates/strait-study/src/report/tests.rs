//! Pages of made-up answers: complete, self-contained, and deaf to what hostile text says.

use super::markup::escape;
use super::*;
use crate::answer::about::{
    AboutDocument, InputsDocument, ScenarioDocument, ValueDocument, ValueOrigin,
};
use crate::answer::{Answer, Comparison, RunDocument, sample};
use std::collections::BTreeSet;
use std::path::Path;

const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> \" ' & <!-- ]]> \u{0}";

fn imprint() -> Imprint {
    Imprint {
        version: "0.0.0".to_owned(),
        command: "strait report a.toml -o report.html".to_owned(),
    }
}

fn value(path: &str, value: &str, origin: ValueOrigin, source: &str) -> ValueDocument {
    ValueDocument {
        path: path.to_owned(),
        value: value.to_owned(),
        origin,
        place: "a.toml:7".to_owned(),
        source: source.to_owned(),
        confidence: (origin == ValueOrigin::Catalogue).then(|| "D".to_owned()),
        why: String::new(),
    }
}

/// Two cases with claims, lines of cost and an account of their inputs.
fn answer(word: &str) -> Answer {
    let mut answer = sample::answer();
    answer.cases.push(sample::case_answer(sample::faster()));
    sample::with_lines(&mut answer.cases[1].outcome);
    for case in &mut answer.cases {
        case.setting.name += word;
        case.warnings.push(format!("look at {word}"));
        for judgement in &mut case.claims {
            judgement.claim.who += word;
            judgement.claim.source += word;
        }
    }
    let values = vec![
        value("cluster.accelerator", word, ValueOrigin::File, ""),
        value(
            "cluster.peak_bf16",
            "989 TFLOPS",
            ValueOrigin::Catalogue,
            word,
        ),
        value(
            "training.phase.x.tokens",
            "1 T tokens",
            ValueOrigin::File,
            "",
        ),
        value("training.phase.x.why", word, ValueOrigin::File, ""),
        value(
            "noise.jitter",
            "0.01",
            ValueOrigin::Default,
            "an assumption",
        ),
        value("seed", "1", ValueOrigin::Default, "any"),
    ];
    answer.about = Some(AboutDocument {
        command: format!("strait run {word}"),
        scenarios: vec![ScenarioDocument {
            path: "a.toml".to_owned(),
            title: format!("Title {word}"),
            question: format!("Is it so? {word}"),
            note: format!("A note `with code` {word}"),
            digest: "1234".to_owned(),
        }],
        cases: (answer.cases.iter())
            .map(|case| InputsDocument {
                case: case.setting.name.clone(),
                note: String::new(),
                values: values.clone(),
            })
            .collect(),
    });
    answer
}

fn simulated(word: &str) -> String {
    let answered = Answered::simulated(&answer(word)).unwrap();
    page(&[Piece::Answered(Box::new(answered))], &imprint()).unwrap()
}

/// Every element closes, ids are unique, and what refers to an id finds it.
fn well_formed(html: &str) {
    const VOID: [&str; 5] = ["meta", "br", "img", "hr", "link"];
    let (mut open, mut ids, mut wanted): (Vec<String>, BTreeSet<String>, Vec<String>) =
        Default::default();
    let (_, body) = html.split_once("</style>").unwrap();
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            let expected = open.pop();
            if ["head", "html"].contains(&name) && expected.is_none() {
                continue;
            }
            assert_eq!(expected.as_deref(), Some(name));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
        for (attribute, list) in [(" id=\"", false), ("aria-labelledby=\"", true)] {
            let Some((_, rest)) = tag.split_once(attribute) else {
                continue;
            };
            let text = rest.split('"').next().unwrap().to_owned();
            match list {
                true => wanted.extend(text.split(' ').map(str::to_owned)),
                false => assert!(ids.insert(text.clone()), "{text} is there twice"),
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for id in wanted {
        assert!(ids.contains(&id), "nothing is called {id}");
    }
}

/// Nothing that a browser would fetch, run or follow.
fn deaf(html: &str) {
    let lower = html.to_lowercase();
    let (_, style) = lower.split_once("<style>").unwrap();
    let style = style.split("</style>").next().unwrap();
    for word in ["@import", "url(", "expression"] {
        assert!(!style.contains(word), "{word}");
    }
    // Text has no `<`: what follows one is a tag.
    for tag in lower
        .split('<')
        .skip(1)
        .map(|piece| piece.split('>').next().unwrap())
    {
        for word in [" src=", "href=\"http", "href=\"//", "javascript:", "url("] {
            assert!(!tag.contains(word), "{tag}");
        }
        let name = tag.split([' ', '\n']).next().unwrap();
        let foreign = [
            "link",
            "iframe",
            "object",
            "embed",
            "form",
            "base",
            "img",
            "image",
            "foreignobject",
        ];
        assert!(!foreign.contains(&name), "{tag}");
    }
    for piece in lower.split("<script").skip(1) {
        assert!(
            piece.starts_with(" type=\"application/json\" id=\"result-"),
            "{}",
            &piece[..60]
        );
    }
    for piece in lower.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap();
        assert!(!tag.contains(" on"), "{tag}");
    }
    assert!(lower.contains("content-security-policy\" content=\"default-src 'none';"));
    assert!(!lower.contains("script-src"), "no script may run");
}

#[test]
fn a_page_has_every_part_of_a_report() {
    let html = simulated("");
    well_formed(&html);
    deaf(&html);
    for piece in [
        "<h1>Is it so? </h1>",
        "The run in numbers",
        "What is claimed",
        "arXiv:2412.19437, table 1",
        "Where the differences come from",
        "step-decomposition.csv",
        "pipeline.csv",
        "cost-waterfall.csv",
        "dumbbell.csv",
        "<title id=",
        "Assumed",
        "an assumption",
        "What is not modelled",
        "nothing fails",
        "How to reproduce",
        "strait report a.toml -o report.html",
        "a.toml, digest 1234",
        "application/json",
        "prefers-color-scheme: dark",
        "@media print",
        "width=device-width",
    ] {
        assert!(html.contains(piece), "{piece:?} is missing");
    }
    for judgement in answer("").cases.iter().flat_map(|case| &case.claims) {
        let word = judgement.verdict.word();
        let cell = format!("class=\"verdict {word}\">{word}<");
        assert!(html.contains(&cell), "{cell}");
    }
    // The plain default is counted, not listed.
    assert!(html.contains("1 further values are plain defaults") && !html.contains("<code>seed"));
}

#[test]
fn hostile_text_stays_text() {
    let html = simulated(HOSTILE);
    well_formed(&html);
    deaf(&html);
    assert!(!html.contains("<img") && !html.contains("alert(1)</script>"));
    assert!(html.contains(&escape("</script><script>alert(1)")));
    // The data is what went in.
    let (_, rest) = html.split_once("id=\"result-1\">").unwrap();
    let data: Value = serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap();
    assert_eq!(
        data["about"]["scenarios"][0]["title"],
        Value::String(format!("Title {HOSTILE}"))
    );
}

#[test]
fn the_same_answer_gives_the_same_bytes_whatever_it_took() {
    let mut slow = answer("");
    for case in &mut slow.cases {
        case.effort.cpu_s *= 7.0;
        case.effort.wall_s += 1.0;
    }
    let slow = Answered::simulated(&slow).unwrap();
    let slow = page(&[Piece::Answered(Box::new(slow))], &imprint()).unwrap();
    assert!(slow == simulated(""));
}

#[test]
fn files_of_answers_say_what_the_answers_said() {
    let answer = answer("");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let run = serde_json::to_string_pretty(&RunDocument::from(&answer)).unwrap();
    let compared = serde_json::to_string(&Comparison::new(&answer).unwrap()).unwrap();
    for (name, text, finding) in [
        ("run.json", run.clone(), false),
        ("compare.json", compared, true),
    ] {
        let piece = read(&write(name, text)).unwrap();
        let html = page(&[piece], &imprint()).unwrap();
        well_formed(&html);
        deaf(&html);
        for piece in [
            "Is it so?",
            "What is claimed",
            "dumbbell.csv",
            "an assumption",
        ] {
            assert!(html.contains(piece), "{name}: {piece}");
        }
        assert_eq!(html.contains("Where the differences come from"), finding);
    }
    // An answer of a version that did not say what it was about.
    let mut old: Value = serde_json::from_str(&run).unwrap();
    old.as_object_mut().unwrap().shift_remove("about");
    let html = page(
        &[read(&write("old.json", old.to_string())).unwrap()],
        &imprint(),
    )
    .unwrap();
    assert!(html.contains("does not say what went in"));
    // Twice the same on one page: ids stay unique.
    let twice = || read(&folder.path().join("run.json")).unwrap();
    well_formed(&page(&[twice(), twice()], &imprint()).unwrap());
}

#[test]
fn what_is_no_result_is_refused_by_name_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let run = serde_json::to_string(&RunDocument::from(&answer(""))).unwrap();
    let mut newer: Value = serde_json::from_str(&run).unwrap();
    newer["strait"] = "9.9.9".into();
    for (name, text, reason) in [
        ("empty.json", String::new(), "is empty"),
        ("blank.json", " \n".to_owned(), "is empty"),
        (
            "none.json",
            format!(
                r#"{{"strait":"{}","seed":1,"digest":"0","cases":[]}}"#,
                env!("CARGO_PKG_VERSION")
            ),
            "has no case",
        ),
        (
            "plan.json",
            r#"{"format":1,"strait":"0","shards":1,"cases":2,"axes":[]}"#.to_owned(),
            "is the plan of a sweep",
        ),
        (
            "cut.json",
            run[..run.len() / 2].to_owned(),
            "ends too early",
        ),
        ("page.html", "<html>".to_owned(), "is no JSON"),
        ("list.json", "[1, 2]".to_owned(), "none of the answers"),
        ("other.json", "{\"a\": 1}".to_owned(), "none of the answers"),
        ("newer.json", newer.to_string(), "strait 9.9.9"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = read(&path).err().expect(name);
        let told = error.to_string();
        assert!(told.contains(name) && told.contains(reason), "{told}");
        assert!(!error.help().is_empty());
    }
    let missing = read(Path::new("/nowhere/a.json")).err().unwrap();
    assert!(matches!(missing, ReportError::Unreadable { .. }));
    let bytes = folder.path().join("bytes.json");
    std::fs::write(&bytes, [0xff, 0xfe, b'{']).unwrap();
    assert!(
        read(&bytes)
            .err()
            .unwrap()
            .to_string()
            .contains("is no JSON")
    );
    // A folder that is no sweep.
    let error = read(folder.path()).err().unwrap();
    assert!(!error.help().is_empty(), "{error}");
}
