//! A scenario that is read once answers as one that is read each time.
//!
//! In: shipped scenarios and settings, good and bad. Out: equality of [`Template::case`] with
//! [`load`], down to origins and faults.

use std::path::{Path, PathBuf};
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, Style, Template, load, render_all};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../scenarios")
        .join(name)
}

fn told(faults: &[strait_study::scenario::Diagnostic]) -> String {
    render_all(faults, Style::Plain)
}

#[test]
fn a_template_gives_what_a_file_gives() {
    let catalog = Catalog::embedded();
    let settings: [&[(&str, &str)]; 7] = [
        &[],
        &[("cluster.nvlink_bandwidth", "100 GB/s one-way")],
        &[("economics.rent", "\"3 USD/h\""), ("cluster.nodes", "128")],
        &[(
            "economics.rent",
            "{ low = \"1 USD/h\", mode = \"2 USD/h\", high = \"4 USD/h\", why = \"a guess\" }",
        )],
        &[("parallelism.pipelin", "8")],
        &[("parallelism.tensor", "7"), ("economics.rent", "3 GB/s")],
        &[
            ("training.phase.main.global_batch", "7680"),
            ("parallelism.micro_batch", "2"),
        ],
    ];
    let mut good = 0;
    let mut bad = 0;
    for (file, names) in [
        ("deepseek-v3/h800.toml", vec![]),
        ("deepseek-v3/variants.toml", vec!["h800", "h100"]),
        ("tutorial/first-step.toml", vec![]),
    ] {
        let path = shipped(file);
        let base = Overrides {
            set: vec![("noise.jitter".to_owned(), "0.01".to_owned())],
            cases: Vec::new(),
            seed: Some(7),
        };
        let template = match Template::load(&path, &catalog, &base) {
            Ok(template) => template,
            Err(faults) => panic!("{}", told(&faults)),
        };
        let names: Vec<Option<&str>> = match names.is_empty() {
            true => vec![None],
            false => names.into_iter().map(Some).collect(),
        };
        for name in names {
            for set in settings {
                let set: Vec<(String, String)> = (set.iter())
                    .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
                    .collect();
                let mut overrides = base.clone();
                overrides.set.extend(set.iter().cloned());
                overrides.cases = name.map(str::to_owned).into_iter().collect();
                let slow = load(&path, &catalog, &overrides);
                let fast = template.case(&catalog, name, &set);
                match (slow, fast) {
                    (Ok(slow), Ok(fast)) => {
                        good += 1;
                        let slow = &slow.cases[0];
                        assert_eq!(format!("{:?}", slow.case), format!("{:?}", fast.case));
                        assert_eq!(slow.origins, fast.origins);
                        assert_eq!(format!("{:?}", slow.ranges), format!("{:?}", fast.ranges));
                        assert_eq!(format!("{:?}", slow.claims), format!("{:?}", fast.claims));
                        assert_eq!(told(&slow.warnings), told(&fast.warnings));
                    }
                    (Err(slow), Err(fast)) => {
                        bad += 1;
                        assert_eq!(told(&slow), told(&fast), "{file} {set:?}");
                    }
                    (slow, fast) => {
                        panic!("{file} {set:?}: {} against {}", slow.is_ok(), fast.is_ok())
                    }
                }
            }
        }
    }
    assert!(good >= 12 && bad >= 8, "{good} good, {bad} bad");
    let template = Template::load(
        &shipped("deepseek-v3/variants.toml"),
        &catalog,
        &Overrides::default(),
    );
    let template = template.unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let faults = template
        .case(&catalog, Some("h10"), &[])
        .map(|_| ())
        .unwrap_err();
    assert!(told(&faults).contains("h100"), "{}", told(&faults));
}
