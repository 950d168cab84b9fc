//! `[[fault]]` and `[engine]`: what they become, and what is said of those that cannot be.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Loaded, Overrides, Style, render_all};
use strait_training::case::{Fault, NetworkGrain, Sharing};
use strait_training::topology::{self, Element};
use strait_units::Ratio;

/// 32 accelerators in four nodes; eight rails of one leaf each.
const BASE: &str = r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h100-sxm"
nodes = 4
[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
[parallelism]
tensor = 8
"#;

fn load(text: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, format!("{BASE}{text}")).unwrap();
    scenario::load(
        Path::new(&path),
        &Catalog::embedded(),
        &Overrides::default(),
    )
    .map_err(|faults| {
        render_all(&faults, Style::Plain).replace(&format!("{}/", folder.path().display()), "")
    })
}

fn refused(text: &str, expected: &[&str]) {
    let said = load(text).map(|_| ()).expect_err("it must be refused");
    for part in expected {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

#[test]
fn faults_name_what_there_is() {
    let loaded = load(
        r#"
[engine]
network = "coflow"
sends = "shared"
[[fault]]
what = "accelerator"
index = 31
left = "80 %"
why = "thermal throttling"
[[fault]]
what = "nic"
index = 3
left = 0.5
[[fault]]
what = "leaf"
rail = 7
leaf = 0
left = 0
"#,
    )
    .unwrap();
    let case = &loaded.cases[0].case;
    let link = |element, left| {
        Fault::Link(topology::Fault {
            element,
            left: Ratio::new(left),
        })
    };
    let slow = Fault::Accelerator {
        index: 31,
        left: Ratio::new(0.8),
    };
    let expected = [
        slow,
        link(Element::Nic(3), 0.5),
        link(Element::Leaf { rail: 7, leaf: 0 }, 0.0),
    ];
    assert_eq!(case.faults, expected);
    assert_eq!(case.engine.network, NetworkGrain::Coflow);
    assert_eq!(case.engine.sends, Sharing::Shared);
    assert_eq!(case.engine.gradients, Sharing::Alone);
    let whys = loaded.cases[0].origins.iter();
    let whys: Vec<_> = whys.filter(|e| e.path == "fault.0.why").collect();
    assert_eq!(whys[0].value, "thermal throttling");
}

#[test]
fn a_case_may_have_faults_of_its_own() {
    let loaded = load(
        r#"
[[case]]
name = "healthy"
[[case]]
name = "slow"
set = { "fault" = [{ what = "nic", index = 3, left = "50 %" }] }
"#,
    )
    .unwrap();
    let faults: Vec<usize> = loaded.cases.iter().map(|c| c.case.faults.len()).collect();
    assert_eq!(faults, [0, 1]);
}

#[test]
fn what_is_not_there_is_refused() {
    refused(
        "[[fault]]\nwhat = \"leaf\"\nrail = 0\nleaf = 1\nleft = 0\n",
        &[
            "no such leaf",
            "8 rails with one leaf switch each",
            "a.toml:",
        ],
    );
    refused(
        "[[fault]]\nwhat = \"accelerator\"\nindex = 32\nleft = 0.5\n",
        &["no accelerator 32", "from 0 to 31"],
    );
    refused(
        "[[fault]]\nwhat = \"nic\"\nindex = 32\nleft = 0.5\n",
        &["no such nic", "32 accelerators"],
    );
}

#[test]
fn other_jobs_take_of_the_whole_fabric() {
    let text = "[[fault]]\nwhat = \"fabric\"\nleft = \"70 %\"\n";
    let fabric = topology::Fault {
        element: Element::Fabric,
        left: Ratio::new(0.7),
    };
    let faults = &load(text).unwrap().cases[0].case.faults;
    assert_eq!(faults, &[Fault::Link(fabric)]);
    refused(
        &format!("{text}leaf = 0\n"),
        &["`leaf` does not say", "there is one fabric"],
    );
}

#[test]
fn a_dead_accelerator_ends_no_step() {
    refused(
        "[[fault]]\nwhat = \"accelerator\"\nindex = 3\nleft = 0\n",
        &["would be dead", "left = \"80 %\""],
    );
}

#[test]
fn places_are_asked_for_and_not_ignored() {
    refused(
        "[[fault]]\nwhat = \"leaf\"\nindex = 3\nleft = 0.5\n",
        &[
            "`index` does not say",
            "`rail` is missing",
            "`leaf` is missing",
        ],
    );
    refused(
        "[[fault]]\nwhat = \"nic\"\nrail = 3\nleft = 0.5\n",
        &["`rail` does not say", "`index` is missing"],
    );
    refused("[[fault]]\nindex = 3\n", &["needs `what`", "needs `left`"]);
}

#[test]
fn each_mistake_is_said_once() {
    let said =
        load("[[fault]]\nwhat = \"gpu\"\nindex = 3\nleft = 20\n[engine]\nnetwork = \"best\"\n")
            .map(|_| ())
            .expect_err("it must be refused");
    for part in [
        "can't be \"gpu\"",
        "`fault.left` is larger",
        "can't be \"best\"",
    ] {
        assert_eq!(said.matches(part).count(), 1, "{part:?} in:\n{said}");
    }
}
