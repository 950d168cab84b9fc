//! What moves an answer, against the same scenario simulated at each value.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use strait_study::answer::Setting;
use strait_study::catalog::Catalog;
use strait_study::scenario::{Overrides, Template, load};
use strait_study::sensitivity::document::{InputSource, Way};
use strait_study::sensitivity::{
    Over, Request, SensitivityDocument, SensitivityError, Subject, study, table, text,
};
use strait_study::verdict::Quantity;
use strait_training::simulate::{Control, simulate};

const SCENARIO: &str = r#"
title = "Small"
question = "What moves it?"
[model]
layers = 8
hidden = 2048
heads = 16
kv_heads = 8
ffn = 8192
vocabulary = 32000
[cluster]
accelerator = "h100-sxm"
nodes = 2
[parallelism]
tensor = 4
pipeline = 2
micro_batch = 1
[precision]
recipe = "bf16"
[training]
tokens = "20 B tokens"
sequence_length = 4096
global_batch = 64
[economics]
rent = "2 USD/h"
"#;

const RANGES: &str = r#"
[reliability]
failures = { low = "20 per 1000 node-days", mode = "38 per 1000 node-days", high = "65 per 1000 node-days", why = "a test" }
[software]
host_time_per_op = { low = "5 us", mode = "10 us", high = "20 us", why = "a test" }
"#;

struct File(tempfile::TempDir);

impl File {
    fn new(text: &str) -> File {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("small.toml"), text).unwrap();
        File(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("small.toml")
    }

    fn study(
        &self,
        set: &[(&str, &str)],
        request: &Request,
        threads: usize,
    ) -> Result<SensitivityDocument, SensitivityError> {
        let catalog = Catalog::embedded();
        let overrides = overrides(set);
        let path = self.path();
        let loaded = load(&path, &catalog, &overrides).unwrap();
        let template = Template::load(&path, &catalog, &overrides).unwrap();
        let subject = Subject {
            path: Path::new("small.toml"),
            template: &template,
            catalog: &catalog,
            resolved: &loaded.cases[0],
            title: &loaded.title,
            question: &loaded.question,
            version: "0.0.0",
            command: "strait sensitivity small.toml",
        };
        study(&subject, request, control(&AtomicBool::new(false), threads))
    }

    /// A quantity of the scenario with other values, simulated on its own.
    fn alone(&self, set: &[(&str, &str)], quantity: Quantity) -> f64 {
        let catalog = Catalog::embedded();
        let loaded = load(&self.path(), &catalog, &overrides(set)).unwrap();
        let case = &loaded.cases[0].case;
        let outcome = simulate(case, control(&AtomicBool::new(false), 2)).unwrap();
        quantity.simulated(&Setting::from(case), &outcome).unwrap()
    }
}

fn overrides(set: &[(&str, &str)]) -> Overrides {
    Overrides {
        set: (set.iter())
            .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
            .collect(),
        ..Overrides::default()
    }
}

fn control(cancel: &AtomicBool, threads: usize) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

fn request(over: &[&str], metrics: &[Quantity]) -> Request {
    Request {
        over: over.iter().map(|o| o.parse::<Over>().unwrap()).collect(),
        by: None,
        metrics: metrics.to_vec(),
        grid: false,
        steps: 3,
        ratio: false,
    }
}

#[test]
fn each_value_is_what_a_run_of_its_own_says() {
    let file = File::new(SCENARIO);
    let metrics = [
        Quantity::Cost,
        Quantity::StepTime,
        Quantity::Energy,
        Quantity::PeakMemory,
    ];
    let over = [
        "economics.rent=1 USD/h..4 USD/h",
        "cluster.nic_bandwidth=100 Gb/s,400 Gb/s,800 Gb/s",
        "cluster.peak_bf16=500 TFLOPS..1000 TFLOPS",
        "parallelism.micro_batch=1,2,4",
        "parallelism.recompute=none,full",
        "noise.jitter=0..0.05",
    ];
    let found = file.study(&[], &request(&over, &metrics), 2).unwrap();
    let mut compared = 0;
    for input in &found.inputs {
        assert_eq!(input.source, InputSource::CommandLine);
        for point in &input.points {
            for (at, metric) in metrics.iter().enumerate() {
                let alone = file.alone(&[(&input.input, &point.input)], *metric);
                assert_eq!(
                    point.quantities[at],
                    Some(alone),
                    "{} = {}, {metric:?}",
                    input.input,
                    point.input
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4 * (2 + 3 + 2 + 3 + 2 + 2));
    let way = |path: &str| found.inputs.iter().find(|i| i.input == path).unwrap().way;
    assert_eq!(way("economics.rent"), Way::Composed);
    assert_eq!(way("cluster.nic_bandwidth"), Way::Full);
}

#[test]
fn the_fast_way_comes_close_to_the_full_one() {
    let file = File::new(SCENARIO);
    let over = [
        "cluster.nic_bandwidth=200 Gb/s..800 Gb/s",
        "cluster.peak_bf16=700 TFLOPS..1200 TFLOPS",
        "software.host_time_per_op=5 us..20 us",
    ];
    let metrics = [Quantity::StepTime, Quantity::PeakMemory];
    let full = request(&over, &metrics);
    let fast = Request {
        ratio: true,
        ..full.clone()
    };
    let (full, fast) = (
        file.study(&[], &full, 2).unwrap(),
        file.study(&[], &fast, 2).unwrap(),
    );
    for (a, b) in full.inputs.iter().zip(&fast.inputs) {
        assert_eq!((a.way, b.way), (Way::Full, Way::Ratio));
        for (a, b) in a.points.iter().zip(&b.points) {
            let (a, b) = (a.quantities[0].unwrap(), b.quantities[0].unwrap());
            assert!((a / b - 1.0).abs() < 0.02, "{a} {b}");
        }
    }
    // Without chance both are the same.
    let calm = [("noise.jitter", "0"), ("noise.chip_spread", "0")];
    let same = |request: &Request| file.study(&calm, request, 2).unwrap().inputs;
    let (a, b) = (
        same(&request(&over, &metrics)),
        same(&Request {
            ratio: true,
            ..request(&over, &metrics)
        }),
    );
    for (a, b) in a.iter().zip(&b) {
        for (a, b) in a.points.iter().zip(&b.points) {
            for (a, b) in a.quantities.iter().zip(&b.quantities) {
                let (a, b) = (a.unwrap(), b.unwrap());
                assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
            }
        }
    }
}

#[test]
fn elasticities_are_what_they_must_be() {
    let file = File::new(SCENARIO);
    let over = [
        "economics.rent=1 USD/h..4 USD/h",
        "training.tokens=10 B tokens..40 B tokens",
        "economics.pue=1.1..1.4",
    ];
    let found = file
        .study(&[], &request(&over, &[Quantity::Cost, Quantity::Energy]), 2)
        .unwrap();
    let of = |metric: usize, input: &str| {
        let mut swings = found.metrics[metric].swings.iter();
        swings.find(|s| s.input == input).and_then(|s| s.elasticity)
    };
    for (metric, input, expected) in [
        (0, "economics.rent", 1.0),
        (0, "training.tokens", 1.0),
        (1, "economics.pue", 1.0),
        (1, "training.tokens", 1.0),
    ] {
        let found = of(metric, input).unwrap();
        assert!((found - expected).abs() < 1e-3, "{input}: {found}");
    }
    assert_eq!(of(0, "economics.pue"), None, "rent includes power");
    assert_eq!(of(1, "economics.rent"), None);
    let sizes: Vec<f64> = (found.metrics[0].swings.iter())
        .map(|s| (s.at_high - s.at_low).abs())
        .collect();
    assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
}

#[test]
fn a_grid_holds_what_runs_of_their_own_say() {
    let file = File::new(SCENARIO);
    let mut asked = request(
        &["economics.rent=1..3 USD/h", "cluster.nodes=2,4"],
        &[Quantity::Cost],
    );
    asked.grid = true;
    let found = file.study(&[], &asked, 2).unwrap();
    let grid = found.grid.as_ref().unwrap();
    assert_eq!(grid.x.values, [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(grid.y.inputs, ["2", "4"]);
    for (row, nodes) in grid.cells[0].iter().zip(&grid.y.inputs) {
        for (cell, rent) in row.iter().zip(&grid.x.inputs) {
            let alone = file.alone(
                &[("economics.rent", rent), ("cluster.nodes", nodes)],
                Quantity::Cost,
            );
            assert_eq!(*cell, Some(alone), "{rent} {nodes}");
        }
    }
    let files = table::files(&found);
    assert_eq!(files[1].0, "sensitivity-grid.csv");
    assert_eq!(files[1].1.lines().count(), 1 + 6);
    let printed = text::text(&found, Default::default());
    assert!(
        printed.contains("rows cluster.nodes, columns economics.rent"),
        "{printed}"
    );
}

#[test]
fn stated_ranges_are_varied_from_end_to_end_with_the_prediction_s_error() {
    let file = File::new(&format!("{SCENARIO}{RANGES}"));
    // Long enough for something to fail.
    let long = [("training.tokens", "20 T tokens")];
    let found = file
        .study(
            &long,
            &request(&[], &[Quantity::StepTime, Quantity::Days]),
            2,
        )
        .unwrap();
    let inputs: Vec<(&str, InputSource)> = (found.inputs.iter())
        .map(|i| (i.input.as_str(), i.source))
        .collect();
    assert_eq!(
        inputs,
        [
            ("software.host_time_per_op", InputSource::Stated),
            ("reliability.failures", InputSource::Stated),
            ("prediction", InputSource::Prediction)
        ]
    );
    let points: Vec<&str> = found.inputs[0]
        .points
        .iter()
        .map(|p| p.input.as_str())
        .collect();
    assert_eq!(points, ["5 us", "20 us"]);
    for point in &found.inputs[0].points {
        let set = [("software.host_time_per_op", point.input.as_str())];
        let alone = file.alone(&set, Quantity::StepTime);
        // A mean of sixteen equal times has other last digits.
        assert!((point.quantities[0].unwrap() / alone - 1.0).abs() < 1e-12);
    }
    assert!(found.method.contains("16 runs"), "{}", found.method);
    assert!(
        found.metrics[1]
            .swings
            .iter()
            .any(|s| s.input == "reliability.failures")
    );
}

#[test]
fn without_ranges_a_convention_is_applied_and_said() {
    let file = File::new(SCENARIO);
    let found = file
        .study(&[], &request(&[], &[Quantity::Cost]), 2)
        .unwrap();
    assert!(found.method.contains("a convention"), "{}", found.method);
    let paths: Vec<&str> = found.inputs.iter().map(|i| i.input.as_str()).collect();
    for path in [
        "cluster.peak_bf16",
        "cluster.memory_bandwidth",
        "cluster.nvlink_bandwidth",
        "cluster.nic_bandwidth",
        "software.host_time_per_op",
        "training.tokens",
        "economics.rent",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    for input in &found.inputs {
        assert_eq!(input.source, InputSource::Convention);
        let base = input.base_value.unwrap();
        let values: Vec<f64> = input.points.iter().map(|p| p.value.unwrap()).collect();
        assert!(values[0] < values[1] && values[0] <= base && base <= values[1]);
        assert!((values[1] / values[0] - 1.1 / 0.9).abs() < 1e-6 || input.input == "economics.pue");
    }
    let asked = Request {
        by: Some(0.2),
        ..request(&["economics.rent=1 USD/h..4 USD/h"], &[Quantity::Cost])
    };
    let found = file.study(&[], &asked, 2).unwrap();
    assert_eq!(found.inputs[0].source, InputSource::CommandLine);
    assert_eq!(
        found
            .inputs
            .iter()
            .filter(|i| i.input == "economics.rent")
            .count(),
        1
    );
}

#[test]
fn threads_change_nothing_and_the_digest_follows_the_answer() {
    let file = File::new(&format!("{SCENARIO}{RANGES}"));
    let asked = request(&[], &[Quantity::Cost]);
    let one = file.study(&[], &asked, 1).unwrap();
    assert_eq!(one, file.study(&[], &asked, 7).unwrap());
    let other = file.study(&[("seed", "2")], &asked, 1).unwrap();
    assert_ne!(one.digest, other.digest);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_simulated() {
    let file = File::new(SCENARIO);
    let told = |request: &Request| match file.study(&[], request, 2).unwrap_err() {
        SensitivityError::Faults(faults) => format!("{} {:?}", faults[0].message, faults[0].help),
        SensitivityError::Request { message, help } => format!("{message} {help}"),
        SensitivityError::Simulate { at, source } => format!("{at} {source}"),
        SensitivityError::Cancelled => "cancelled".to_owned(),
    };
    let cost = [Quantity::Cost];
    for (over, piece) in [
        (
            "economics.rnt=1 USD/h..2 USD/h",
            "did you mean `economics.rent`",
        ),
        ("cluster.nvlink=1 GB/s,2 GB/s", "did you mean"),
        ("economics.rent=3 USD/h..2 USD/h", "reversed"),
        ("economics.rent=2..3", "needs a unit"),
        ("cluster.nodes=2,0", "can't be zero"),
        ("cluster.accelerator=h100-sxm,h800", "h800"),
        ("parallelism.pipeline=2,3", "does not fill the 16 GPUs"),
        ("parallelism.micro_batch=1,64", "is not a multiple of data"),
        ("parallelism.schedule=1f1b..gpipe", "list its values"),
    ] {
        let message = told(&request(&[over], &cost));
        assert!(message.contains(piece), "{over}: {message}");
    }
    let mut grid = request(&["economics.rent=1..3 USD/h"], &cost);
    grid.grid = true;
    assert!(told(&grid).contains("two inputs"));
    let twice = request(
        &["economics.rent=1,2 USD/h", "economics.rent=1..2 USD/h"],
        &cost,
    );
    let message = told(&twice);
    assert!(
        message.contains("there twice") || message.contains("needs a unit"),
        "{message}"
    );
    assert!(told(&request(&[], &[Quantity::FleetPrice])).contains("has no price"));
    let stop = AtomicBool::new(true);
    let catalog = Catalog::embedded();
    let loaded = load(&file.path(), &catalog, &Overrides::default()).unwrap();
    let template = Template::load(&file.path(), &catalog, &Overrides::default()).unwrap();
    let subject = Subject {
        path: Path::new("small.toml"),
        template: &template,
        catalog: &catalog,
        resolved: &loaded.cases[0],
        title: "",
        question: "",
        version: "",
        command: "",
    };
    let asked = request(&[], &cost);
    let stopped = study(&subject, &asked, control(&stop, 2));
    assert!(matches!(stopped, Err(SensitivityError::Cancelled)));
}
