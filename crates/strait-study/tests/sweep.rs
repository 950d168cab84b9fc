//! What `[sweep]` may say, and what a plan holds.
//!
//! In: scenarios with good and bad axes. Out: faults with their places and remedies; the settings of cases;
//! plans that are the same whenever they are made.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, Style, Template, Values, load, render_all};
use strait_study::sweep::plan::Opened;
use strait_study::sweep::{Plan, Request, SweepError};

const BASE: &str = r#"title = "Small"
[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[parallelism]
tensor = 2
micro_batch = 1

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 64

[economics]
rent = { low = "1 USD/h", mode = "2 USD/h", high = "4 USD/h", why = "a guess" }

[[case]]
name = "one"

[[case]]
name = "two"
set = { "cluster.nodes" = 4 }

"#;

fn planned(sweep: &str, request: Request) -> Result<Opened, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, format!("{BASE}{sweep}")).unwrap();
    std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    let request = Request {
        path,
        case: request.case.or(Some("one".to_owned())),
        ..request
    };
    Plan::freeze(&request, &Catalog::embedded(), "1.2.3").map_err(|error| {
        let text = match &error {
            SweepError::Scenario(faults) => render_all(faults, Style::Plain),
            SweepError::Input { message, remedy } => format!("input: {message}\nhelp: {remedy}"),
            SweepError::Usage { message, remedy } => format!("usage: {message}\nhelp: {remedy}"),
            other => other.to_string(),
        };
        text.replace(&format!("{}/", folder.path().display()), "")
    })
}

/// A model's configuration as the hub has it.
const CONFIG: &str = r#"{ "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
"intermediate_size": 8192, "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
"vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": true }"#;

fn settings(sweep: &str) -> Vec<Vec<String>> {
    let opened = planned(sweep, Request::default()).unwrap_or_else(|text| panic!("{text}"));
    (0..opened.plan.cases)
        .map(|case| {
            let cells = opened.sampler.settings(case).cells;
            cells.into_iter().map(|cell| cell.text).collect()
        })
        .collect()
}

#[test]
fn bad_axes_are_told_with_their_place_and_a_remedy() {
    let axis = |keys: &str| format!("[sweep]\n[[sweep.axis]]\n{keys}\n");
    // [[sweep.axis]] is line 29 of the file, what follows line 30 and on.
    for (sweep, told) in [
        (String::new(), &["has no [sweep]", "[[sweep.axis]]"][..]),
        ("[sweep]\n".to_owned(), &["has no axis"]),
        (axis(""), &["needs `path`, `option` or `cases`", "a.toml:29"]),
        (axis("path = \"cluster.nvlink_bandwith\"\nvalues = [1]"), &["did you mean", "cluster.nvlink_bandwidth", "a.toml:30"]),
        (axis("path = \"cluster\"\nvalues = [1]"), &["whole section"]),
        (axis("path = \"claim\"\nvalues = [1]"), &["can't vary"]),
        (axis("path = \"training.phase\"\nvalues = [1]"), &["list of tables"]),
        (axis("path = \"cluster.nodes\""), &["has no values", "values = [ … ]"]),
        (axis("path = \"cluster.nodes\"\nvalues = []"), &["has no values", "an empty list", "a.toml:31"]),
        (axis("path = \"cluster.nodes\"\nvalues = 4"), &["must be a list of values"]),
        (axis("path = \"cluster.nodes\"\nvalues = [2, -1, 2]"), &["can't be negative", "has 2 twice"]),
        (axis("path = \"cluster.nvlink_bandwidth\"\nvalues = [400, \"3 USD/h\"]"), &["needs a unit", "400 GB/s", "not a bandwidth"]),
        (axis("path = \"parallelism.schedule\"\nvalues = [\"1f1b\", \"dualpip\"]"), &["did you mean", "dualpipe"]),
        (axis("path = \"cluster.accelerator\"\nvalues = [\"h100-sxm\", \"h800-smx\"]"), &["did you mean", "h800-sxm", "axis `cluster.accelerator`"]),
        (axis("path = \"economics.rent\"\nfrom = \"4 USD/h\"\nto = \"1 USD/h\"\nsteps = 3"), &["goes downwards", "exchange from and to"]),
        (axis("path = \"economics.rent\"\nfrom = \"4 USD/h\"\nto = \"4 USD/h\"\nsteps = 3"), &["both ends are the same"]),
        (axis("path = \"economics.rent\"\nfrom = \"1 USD/h\"\nto = \"4 USD/h\""), &["needs `steps`"]),
        (axis("path = \"economics.rent\"\nfrom = \"1 USD/h\"\nsteps = 3"), &["needs `from` and `to`", "`to` is missing"]),
        (axis("path = \"economics.rent\"\nfrom = \"1 USD/h\"\nto = \"4 USD/h\"\nsteps = 1"), &["`sweep.axis.steps` is too small", "at least 2"]),
        (axis("path = \"noise.jitter\"\nfrom = 0\nto = 0.1\nsteps = 3\nscale = \"log\""), &["no logarithm where it begins"]),
        (axis("path = \"cluster.nodes\"\nfrom = 1\nto = 4\nsteps = 9"), &["more than there are values"]),
        (axis("path = \"parallelism.schedule\"\nfrom = \"1f1b\"\nto = \"dualpipe\"\nsteps = 2"), &["holds no number", "list its values"]),
        (axis("path = \"cluster.nodes\"\nvalues = [1]\nfrom = 2"), &["`values`, or `from` and `to`"]),
        (axis("path = \"economics.rent\""), &["can't be drawn from in mode \"grid\""]),
        (axis("cases = [\"thre\"]"), &["no case \"thre\"", "one, two"]),
        (axis("name = \"m\"\n[[sweep.axis.option]]\nname = \"a\"\nset = { \"cluster.node\" = \"hgx-h100\", \"cluster.nods\" = 3 }"), &["cluster.nods", "did you mean"]),
        (axis("option = []"), &["needs `name`"]),
        (axis("path = \"cluster.nodes\"\nvalues = [1]\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [2]"), &["two axes are called"]),
        (axis("path = \"cluster.nodes\"\nname = \"a\"\nvalues = [1]\n[[sweep.axis]]\npath = \"cluster.nodes\"\nname = \"b\"\nvalues = [2]"), &["two axes set `cluster.nodes`"]),
        (axis("path = \"cluster.nodes\"\nname = \"days\"\nvalues = [1, 2]"), &["is called `days`", "another name"]),
        ("[sweep]\nmode = \"gird\"\n".to_owned(), &["can't be \"gird\"", "did you mean `grid`"]),
        ("[sweep]\ncases = 10\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [1]\n".to_owned(), &["no use in mode \"grid\""]),
        ("[sweep]\nmode = \"random\"\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [1]\n".to_owned(), &["needs a number of cases"]),
        ("[sweep]\nmode = \"random\"\ncases = 1000000000000\n".to_owned(), &["larger than anything that makes sense", "at most 100000000"]),
        ("[sweep]\nranges = true\n".to_owned(), &["can't be drawn from in mode \"grid\""]),
        ("[sweep]\nmode = \"zip\"\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [1, 2]\n[[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [1, 2, 4]\n".to_owned(), &["has 2 values and `parallelism.tensor` has 3"]),
        ("[sweep]\nmodes = \"zip\"\n".to_owned(), &["unknown key `modes`", "did you mean `mode`"]),
    ] {
        let text = match planned(&sweep, Request::default()) {
            Ok(opened) => panic!("{sweep}\nmade a plan of {} cases", opened.plan.cases),
            Err(text) => text,
        };
        for words in told {
            assert!(text.contains(words), "{sweep}\nno \"{words}\" in\n{text}");
        }
        assert!(text.contains("help"), "{sweep}\nno remedy in\n{text}");
    }
    let long = |path: &str| {
        format!(
            "[[sweep.axis]]\npath = \"{path}\"\nfrom = \"1 GB/s\"\nto = \"900 GB/s\"\nsteps = 10000\n"
        )
    };
    let absurd = [
        "cluster.nvlink_bandwidth",
        "cluster.nic_bandwidth",
        "cluster.memory_bandwidth",
    ]
    .map(long);
    let text = planned(&format!("[sweep]\n{}", absurd.concat()), Request::default()).unwrap_err();
    assert!(
        text.contains("10000 x 10000 x 10000 = 1,000,000,000,000 cases"),
        "{text}"
    );
}

#[test]
fn axes_of_all_kinds() {
    assert_eq!(
        settings(
            "[sweep]\n[[sweep.axis]]\npath = \"economics.rent\"\nfrom = \"1 USD/h\"\nto = \"4 USD/h\"\nsteps = 4\n"
        ),
        [["1 USD/h"], ["2 USD/h"], ["3 USD/h"], ["4 USD/h"]]
    );
    // Units may differ: numbers are told in that of the first.
    assert_eq!(
        settings(
            "[sweep]\n[[sweep.axis]]\npath = \"cluster.nvlink_bandwidth\"\nfrom = \"250 GB/s\"\nto = \"1 TB/s\"\nsteps = 3\nscale = \"log\"\n"
        ),
        [["250 GB/s"], ["500 GB/s"], ["1000 GB/s"]]
    );
    assert_eq!(
        settings(
            "[sweep]\n[[sweep.axis]]\npath = \"cluster.nodes\"\nfrom = 1\nto = 32\nsteps = 6\nscale = \"log\"\n"
        ),
        [["1"], ["2"], ["4"], ["8"], ["16"], ["32"]]
    );
    assert_eq!(
        settings("[sweep]\n[[sweep.axis]]\npath = \"noise.jitter\"\nvalues = [\"5 %\", \"0 %\"]\n"),
        [["5 %"], ["0 %"]]
    );
    assert_eq!(
        settings(
            "[sweep]\n[[sweep.axis]]\ncases = [\"all\"]\n[[sweep.axis]]\nname = \"layout\"\n\
             [[sweep.axis.option]]\nname = \"wide\"\nset = { \"parallelism.tensor\" = 8, \"parallelism.micro_batch\" = 2 }\n\
             [[sweep.axis.option]]\nname = \"narrow\"\nset = { parallelism.tensor = 1 }\n"
        ),
        [
            ["one", "wide"],
            ["one", "narrow"],
            ["two", "wide"],
            ["two", "narrow"]
        ]
    );
    // A group moves together inside a grid.
    assert_eq!(
        settings(
            "[sweep]\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [1, 2]\ngroup = \"size\"\n\
             [[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [1, 2, 4]\n\
             [[sweep.axis]]\npath = \"training.global_batch\"\nvalues = [32, 64]\ngroup = \"size\"\n"
        ),
        [
            ["1", "1", "32"],
            ["1", "2", "32"],
            ["1", "4", "32"],
            ["2", "1", "64"],
            ["2", "2", "64"],
            ["2", "4", "64"]
        ]
    );
    assert_eq!(
        settings(
            "[sweep]\nmode = \"zip\"\n[[sweep.axis]]\npath = \"cluster.nodes\"\nvalues = [1, 2]\n\
             [[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [4, 8]\n"
        ),
        [["1", "4"], ["2", "8"]]
    );
}

#[test]
fn a_case_has_the_settings_that_its_cells_say() {
    let opened = planned(
        "[sweep]\nmode = \"latin-hypercube\"\ncases = 25\nranges = true\n\
         [[sweep.axis]]\npath = \"cluster.nvlink_bandwidth\"\nfrom = \"100 GB/s both ways\"\nto = \"900 GB/s both ways\"\n\
         [[sweep.axis]]\npath = \"cluster.compute_units\"\nfrom = 100\nto = 132\n",
        Request::default(),
    )
    .unwrap_or_else(|text| panic!("{text}"));
    let catalog = Catalog::embedded();
    assert!(matches!(opened.plan.axes[2].values, Values::Range { .. }));
    for case in 0..25 {
        let settings = opened.sampler.settings(case);
        let resolved = opened
            .template
            .case(&catalog, Some("one"), &settings.set)
            .unwrap();
        let number = |axis: usize| settings.cells[axis].number.unwrap();
        let one_way = resolved.case.cluster.accelerator.scale_up.get();
        assert!((one_way / 1e9 / number(0) - 0.5).abs() < 1e-9);
        assert_eq!(
            f64::from(resolved.case.cluster.accelerator.compute_units),
            number(1)
        );
        assert!((resolved.case.economics.rent.get() / number(2) - 1.0).abs() < 1e-12);
        assert!((1.0..=4.0).contains(&number(2)));
        assert_eq!(settings.cells[2].text, format!("{} USD/h", number(2)));
    }
}

#[test]
fn ranges_of_one_factor_keep_their_correlation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    let base = BASE.replace(
        "why = \"a guess\" }",
        "why = \"a guess\", factor = \"market\" }\npower_price = { low = \"0.05 USD/kWh\", high = \"0.2 USD/kWh\", why = \"a guess\", factor = \"market\" }",
    );
    let base = base.replace("power_price", "electricity");
    std::fs::write(
        &path,
        format!("{base}[[factor]]\nname = \"market\"\nwhy = \"both follow demand\"\ncorrelation = 0.8\n[sweep]\nmode = \"latin-hypercube\"\ncases = 4000\nranges = true\n"),
    )
    .unwrap();
    let request = Request {
        path,
        case: Some("one".to_owned()),
        ..Request::default()
    };
    let opened = match Plan::freeze(&request, &Catalog::embedded(), "1") {
        Ok(opened) => opened,
        Err(SweepError::Scenario(faults)) => panic!("{}", render_all(&faults, Style::Plain)),
        Err(other) => panic!("{other}"),
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for case in 0..4000 {
        let cells = opened.sampler.settings(case).cells;
        a.push(cells[0].number.unwrap());
        b.push(cells[1].number.unwrap());
    }
    let found = strait_study::chance::statistics::rank_correlation(&a, &b);
    assert!((found - 0.8).abs() < 0.03, "{found}");
}

#[test]
fn a_plan_is_frozen_with_all_its_files() {
    let sweep = "[sweep]\n[[sweep.axis]]\npath = \"model.hf_config\"\nvalues = [\"config.json\"]\n\
                 [[sweep.axis]]\npath = \"parallelism.tensor\"\nvalues = [1, 2]\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    let base = BASE.replace("preset = \"llama3-8b\"", "hf_config = \"config.json\"");
    std::fs::write(folder.path().join("base.toml"), base).unwrap();
    std::fs::write(&path, format!("extends = \"base.toml\"\n{sweep}")).unwrap();
    std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    let catalog = Catalog::embedded();
    let request = Request {
        path: path.clone(),
        case: Some("two".to_owned()),
        set: vec![("economics.rent".to_owned(), "3 USD/h".to_owned())],
        seed: Some(7),
        shards: Some(2),
        ..Request::default()
    };
    let opened = match Plan::freeze(&request, &catalog, "1.2.3") {
        Ok(opened) => opened,
        Err(SweepError::Scenario(faults)) => panic!("{}", render_all(&faults, Style::Plain)),
        Err(other) => panic!("{other}"),
    };
    let again = Plan::freeze(&request, &catalog, "1.2.3").unwrap();
    let text = opened.plan.text().unwrap();
    assert_eq!(text, again.plan.text().unwrap());
    assert_eq!(opened.plan.texts.len(), 2);
    assert_eq!(opened.plan.beside.len(), 1);
    let before: Vec<String> = cases(&opened, &catalog);
    // What the disk says later is no matter.
    let place = folder.path().join("plan.json");
    std::fs::write(&place, &text).unwrap();
    for name in ["a.toml", "base.toml", "config.json"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let back = Plan::open(&place, &catalog, "1.2.3").unwrap();
    assert_eq!(back.plan, opened.plan);
    assert_eq!(before, cases(&back, &catalog));
    // Rows of another catalogue, or of another version, are not mixed with these.
    let other = tempfile::tempdir().unwrap();
    copy(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog")),
        other.path(),
    );
    let chip = other.path().join("accelerators/h800-sxm.toml");
    let text = std::fs::read_to_string(&chip).unwrap();
    std::fs::write(&chip, text + "# one more line\n").unwrap();
    let other = Catalog::from_dir(other.path()).unwrap();
    for (catalog, version, says) in [
        (&other, "1.2.3", "made with another catalogue"),
        (&catalog, "1.2.4", "made by strait 1.2.3, this is 1.2.4"),
    ] {
        match Plan::open(&place, catalog, version) {
            Err(SweepError::Input { message, remedy }) => {
                assert!(message.contains(says), "{message}");
                assert!(remedy.contains("plan again"), "{remedy}");
            }
            other => panic!("{other:?}"),
        }
    }
    // Another seed, another number of shards, another version: another digest.
    std::fs::write(
        &path,
        format!(
            "{BASE}{}",
            sweep
                .replace("hf_config", "preset")
                .replace("config.json", "llama3-8b")
        ),
    )
    .unwrap();
    let digest = |change: &dyn Fn(&mut Request), version: &str| {
        let mut request = request.clone();
        change(&mut request);
        Plan::freeze(&request, &catalog, version)
            .unwrap()
            .plan
            .digest
    };
    let digests = [
        digest(&|_| {}, "1"),
        digest(&|_| {}, "2"),
        digest(&|r| r.seed = Some(8), "1"),
        digest(&|r| r.shards = Some(1), "1"),
        digest(&|r| r.chance = true, "1"),
        digest(&|r| r.set.clear(), "1"),
    ];
    for (index, one) in digests.iter().enumerate() {
        assert!(digests[..index].iter().all(|other| other != one), "{index}");
    }
}

fn cases(opened: &Opened, catalog: &Catalog) -> Vec<String> {
    (0..opened.plan.cases)
        .map(|case| {
            let settings = opened.sampler.settings(case);
            let name = opened.plan.case.as_deref();
            let resolved = opened.template.case(catalog, name, &settings.set).unwrap();
            let seed = opened.sampler.seed(opened.plan.seed, case);
            format!(
                "{seed} {:?}",
                strait_training::case::Case {
                    seed,
                    ..resolved.case
                }
            )
        })
        .collect()
}

#[test]
fn shipped_sweeps_can_be_planned() {
    for name in ["sweep-nvlink.toml", "claim-sweep.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../scenarios/deepseek-v3")
            .join(name);
        let request = Request {
            path: path.clone(),
            ..Request::default()
        };
        let catalog = Catalog::embedded();
        let opened = match Plan::freeze(&request, &catalog, "1") {
            Ok(opened) => opened,
            Err(SweepError::Scenario(faults)) => panic!("{}", render_all(&faults, Style::Plain)),
            Err(other) => panic!("{other}"),
        };
        // As one scenario it is as good as any.
        load(&path, &catalog, &Overrides::default()).unwrap();
        Template::load(&path, &catalog, &Overrides::default()).unwrap();
        assert!(opened.plan.cases > 50, "{name}");
    }
}

/// Copies a folder of folders of texts.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&place).unwrap();
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
