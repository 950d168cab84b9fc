//! Studies of small cases against what algebra says of them.

use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::chance::{Asked, PREDICTION, Prepared, Study, draw::Urn};
use strait_study::scenario::{self, Loaded, Overrides};
use strait_study::verdict::Quantity;
use strait_training::run;
use strait_training::simulate::Control;

const SMALL: &str = r#"
[model]
layers = 4
hidden = 1024
heads = 8
ffn = 4096
vocabulary = 32000
[cluster]
accelerator = "h100-sxm"
nodes = 2
[parallelism]
tensor = 2
[training]
tokens = "2 B tokens"
sequence_length = 2048
global_batch = 64
"#;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn control(threads: usize) -> Control<'static> {
    Control {
        cancel: &GO_ON,
        progress: &|_| {},
        threads,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

fn load(more: &str, set: &[(&str, &str)]) -> Loaded {
    let overrides = Overrides {
        set: (set.iter())
            .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
            .collect(),
        ..Overrides::default()
    };
    let text = format!("{SMALL}{more}");
    scenario::load_text("small", &text, &Catalog::embedded(), &overrides).unwrap_or_else(|faults| {
        panic!("{}", scenario::render_all(&faults, scenario::Style::Plain))
    })
}

fn study_with(loaded: &Loaded, asked: &[Asked], draws: u32, threads: usize) -> Study {
    let catalog = Catalog::embedded();
    let case = &loaded.cases[0];
    let steps = run::steps(&case.case, control(1)).unwrap();
    let prepared = Prepared::new(case, &catalog, &steps, control(threads)).unwrap();
    prepared.study(asked, draws, control(threads)).unwrap()
}

fn claim(quantity: Quantity, stated: f64) -> Asked {
    Asked {
        quantity,
        phase: None,
        stated,
        within: None,
        who: String::new(),
    }
}

fn of<'a>(study: &'a Study, id: &str) -> &'a strait_study::chance::DistributionDocument {
    study.quantities.iter().find(|q| q.quantity == id).unwrap()
}

/// GPU-hours are the step's error times a constant, cost that times the rent: both lognormal, with
/// a variance of the logarithm that is the sum.
#[test]
fn cost_is_the_product_of_two_lognormals() {
    let loaded = load("[economics]\nrent = \"1.5 to 3 USD/h\"\n", &[]);
    let study = study_with(&loaded, &[], 20_000, 2);
    let prediction = study.assumptions.last().unwrap();
    assert_eq!(prediction.name, PREDICTION);
    const SCORE: f64 = 1.644_853_626_951_472_2;
    let of_step = prediction.high.ln() / SCORE;
    let of_rent = (3.0f64 / 1.5).ln() / 2.0 / SCORE;
    let hours = of(&study, "gpu_hours");
    let cost = of(&study, "cost");
    for (found, middle, deviation) in [
        (hours, hours.point, of_step),
        (cost, hours.point * 4.5f64.sqrt(), of_step.hypot(of_rent)),
    ] {
        let mean = middle * (deviation * deviation / 2.0).exp();
        assert!(
            (found.mean - mean).abs() < 4.0 * found.standard_error,
            "{} {mean} ± {}",
            found.mean,
            found.standard_error
        );
        for quantile in &found.quantiles {
            let score = strait_study::chance::quantile::normal(quantile.share);
            let exact = middle * (deviation * score).exp();
            // Standard error of a quantile: sqrt(p(1-p)/n) over the density there.
            let density = (-score * score / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let share = quantile.share;
            let error = (share * (1.0 - share) / 20_000.0).sqrt() / density * deviation * exact;
            assert!(
                (quantile.value - exact).abs() < 4.0 * error,
                "{share}: {} {exact} ± {error}",
                quantile.value
            );
        }
    }
    assert!((cost.point / (hours.point * 4.5f64.sqrt()) - 1.0).abs() < 1e-12);
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let loaded = load(
        "[economics]\nrent = \"1.5 to 3 USD/h\"\n",
        &[("cluster.nvlink_bandwidth", "200 to 450 GB/s one-way")],
    );
    let asked = [claim(Quantity::Cost, 900.0)];
    let one = study_with(&loaded, &asked, 1000, 1);
    for threads in [2, 7] {
        assert_eq!(one, study_with(&loaded, &asked, 1000, threads));
    }
}

#[test]
fn a_draw_does_not_depend_on_how_many_there_are() {
    let loaded = load("[economics]\nrent = \"1.5 to 3 USD/h\"\n", &[]);
    // Of 100 draws and of 1,000 the first hundred are the same: so is what they say of the least
    // and the most only if they are counted out of the same hundred. Compared draw by draw.
    let few = study_with(&loaded, &[], 1, 1);
    let first = of(&few, "cost").mean;
    let two = study_with(&loaded, &[], 2, 1);
    let second = 2.0 * of(&two, "cost").mean - first;
    let three = study_with(&loaded, &[], 3, 2);
    let both = of(&three, "cost").mean * 3.0;
    let third = both - first - second;
    let ends = &of(&three, "cost").cdf;
    let mut sorted = [first, second, third];
    sorted.sort_by(f64::total_cmp);
    assert!((ends[0].value / sorted[0] - 1.0).abs() < 1e-9);
    assert!((ends[ends.len() - 1].value / sorted[2] - 1.0).abs() < 1e-9);
    let _ = Urn::values; // The urn's own tests look at the values.
}

#[test]
fn the_error_of_the_mean_shrinks_with_the_root_of_the_draws() {
    let loaded = load("[economics]\nrent = \"1.5 to 3 USD/h\"\n", &[]);
    let few = study_with(&loaded, &[], 500, 2);
    let many = study_with(&loaded, &[], 8000, 2);
    let ratio = of(&few, "cost").standard_error / of(&many, "cost").standard_error;
    assert!((ratio / 4.0 - 1.0).abs() < 0.1, "{ratio}");
}

/// With all else certain cost is rent times hours: swings and break-even values by algebra.
#[test]
fn swings_and_break_even_values_are_those_of_algebra() {
    let loaded = load(
        r#"[economics]
rent = { low = "1 USD/h", mode = "2 USD/h", high = "4 USD/h", shape = "uniform", why = "test" }
"#,
        &[],
    );
    let plain = study_with(&loaded, &[], 10, 1);
    let hours = of(&plain, "gpu_hours").point;
    let asked = [
        claim(Quantity::Cost, hours * 2.5),
        claim(Quantity::Cost, hours * 11.0),
        claim(Quantity::Cost, hours * 1000.0),
        claim(Quantity::Days, of(&plain, "days").point * 1.1),
    ];
    let study = study_with(&loaded, &asked, 4000, 2);
    let cost = of(&study, "cost");
    let rent = cost
        .movers
        .iter()
        .find(|m| m.name == "economics.rent")
        .unwrap();
    assert!(
        (rent.at_low / (hours * 1.15) - 1.0).abs() < 1e-9,
        "{rent:?}"
    );
    assert!(
        (rent.at_high / (hours * 3.85) - 1.0).abs() < 1e-9,
        "{rent:?}"
    );
    assert!(rent.rank_correlation.unwrap() > 0.5);
    // Days do not depend on the rent.
    assert_eq!(of(&study, "days").movers.len(), 1);
    let value = |claim: usize, name: &str| {
        let mut all = study.claims[claim].break_even.iter();
        all.find(|b| b.name == name).unwrap().clone()
    };
    let found = value(0, "economics.rent");
    assert!((found.value.unwrap() / 2.5 - 1.0).abs() < 1e-9, "{found:?}");
    assert!(found.in_range);
    assert!((value(0, PREDICTION).value.unwrap() / 1.25 - 1.0).abs() < 1e-9);
    let found = value(1, "economics.rent");
    assert!(
        (found.value.unwrap() / 11.0 - 1.0).abs() < 1e-9,
        "{found:?}"
    );
    assert!(!found.in_range);
    assert_eq!(value(2, "economics.rent").value, None);
    assert_eq!(value(3, "economics.rent").value, None);
    assert!((value(3, PREDICTION).value.unwrap() / 1.1 - 1.0).abs() < 1e-9);
    // Uniform between 1 and 4, and a prediction around one: a quarter and a bit are below 1000 times
    // hours, all of them.
    assert_eq!(study.claims[2].reached, 1.0);
    assert!(study.claims[0].sentence.contains("economics.rent"));
}

/// Step times at drawn values against steps simulated there: the study says how far off it is.
#[test]
fn what_stands_in_for_a_simulation_is_close_to_it() {
    let loaded = load(
        "",
        &[
            ("cluster.nvlink_bandwidth", "150 to 450 GB/s one-way"),
            ("cluster.nic_bandwidth", "100 to 400 Gbit/s"),
        ],
    );
    let study = study_with(&loaded, &[], 100, 2);
    let approximation = &study.approximation;
    assert!(approximation.simulated > 20, "{approximation:?}");
    let error = approximation.largest_error.unwrap();
    assert!(error > 0.0 && error < 0.01, "{approximation:?}");
    for name in ["cluster.nvlink_bandwidth", "cluster.nic_bandwidth"] {
        let assumption = study.assumptions.iter().find(|a| a.name == name).unwrap();
        assert!(assumption.changes_step, "{assumption:?}");
    }
    // Faster links never make a run longer.
    for mover in of(&study, "gpu_hours")
        .movers
        .iter()
        .filter(|m| m.name != PREDICTION)
    {
        assert!(mover.at_high <= mover.at_low, "{mover:?}");
    }
}

#[test]
fn choices_are_simulated_exactly() {
    let set = |word: &str| {
        let loaded = load("", &[("precision.recipe", word)]);
        let steps = run::steps(&loaded.cases[0].case, control(1)).unwrap();
        run::compose(&loaded.cases[0].case, &steps)
            .unwrap()
            .run
            .gpu_hours
    };
    let (bf16, fp8) = (set("bf16"), set("fp8-tensor"));
    let loaded = load(
        r#"[precision]
recipe = { choices = ["bf16", "fp8-tensor"], weights = [3, 1], why = "not published" }
"#,
        &[],
    );
    let study = study_with(&loaded, &[claim(Quantity::GpuHours, fp8)], 8000, 2);
    let hours = of(&study, "gpu_hours");
    assert!((hours.point / bf16 - 1.0).abs() < 1e-9);
    let mover = hours
        .movers
        .iter()
        .find(|m| m.name == "precision.recipe")
        .unwrap();
    let (low, high) = (
        mover.at_low.min(mover.at_high),
        mover.at_low.max(mover.at_high),
    );
    assert!((low / fp8.min(bf16) - 1.0).abs() < 1e-9 && (high / fp8.max(bf16) - 1.0).abs() < 1e-9);
    assert_eq!(mover.rank_correlation, None);
    // A mixture of two lognormals, three to one.
    let spread = study.assumptions.last().unwrap().high.ln() / 1.644_853_626_951_472_2;
    let mean = (0.75 * bf16 + 0.25 * fp8) * (spread * spread / 2.0).exp();
    assert!(
        (hours.mean - mean).abs() < 4.0 * hours.standard_error,
        "{hours:?} {mean}"
    );
    let found = &study.claims[0].break_even[0];
    assert_eq!(found.text.as_deref(), Some("fp8-tensor"));
}

/// Tokens change no step, and the run in proportion.
#[test]
fn a_range_of_tokens_needs_no_simulation() {
    let loaded = load("", &[("training.tokens", "1.5 to 2.5 B tokens")]);
    let study = study_with(&loaded, &[], 400, 2);
    let tokens = &study.assumptions[0];
    assert!(!tokens.changes_step && tokens.changes_run, "{tokens:?}");
    assert_eq!(study.approximation.simulated, 0);
    let hours = of(&study, "gpu_hours");
    let mover = hours
        .movers
        .iter()
        .find(|m| m.name == "training.tokens")
        .unwrap();
    assert!(
        (mover.at_high / mover.at_low / (2.5 / 1.5) - 1.0).abs() < 1e-6,
        "{mover:?}"
    );
}

#[test]
fn shared_factors_widen_what_they_move() {
    let text = |factors: bool| {
        let join = if factors { ", factor = \"market\"" } else { "" };
        let declared = if factors {
            "[[factor]]\nname = \"market\"\nwhy = \"dear years are dear in all\"\n"
        } else {
            ""
        };
        format!(
            "{declared}[economics]\nrent = {{ low = \"1 USD/h\", high = \"4 USD/h\", why = \"a\"{join} }}\n\
             electricity = {{ low = \"0.04 USD/kWh\", high = \"0.2 USD/kWh\", why = \"b\"{join} }}\n"
        )
    };
    let apart = study_with(&load(&text(false), &[]), &[], 2000, 2);
    let joined = study_with(&load(&text(true), &[]), &[], 2000, 2);
    assert!(apart.factors.is_empty());
    assert_eq!(joined.factors[0].correlation, 1.0);
    let movers = &of(&joined, "cost").movers;
    assert!(
        movers.iter().any(|m| m.name == "factor market"),
        "{movers:?}"
    );
    // Electricity is no part of the rent: what moves with it may still correlate.
    let rent = |s: &Study| {
        s.assumptions
            .iter()
            .any(|a| a.factor.as_deref() == Some("market"))
    };
    assert!(rent(&joined) && !rent(&apart));
}

#[test]
fn a_scenario_without_ranges_still_has_the_error_of_the_prediction() {
    let study = study_with(&load("", &[]), &[], 2000, 2);
    assert_eq!(study.assumptions.len(), 1);
    assert!(of(&study, "gpu_hours").deviation > 0.0);
    // Rent is certain: cost varies as much as hours do.
    let (hours, cost) = (of(&study, "gpu_hours"), of(&study, "cost"));
    let relative = |d: &strait_study::chance::DistributionDocument| d.deviation / d.mean;
    assert!((relative(hours) / relative(cost) - 1.0).abs() < 1e-9);
}

#[test]
fn a_range_with_values_that_have_no_answer_says_which() {
    let loaded = load("", &[("parallelism.pipeline", "1 to 4")]);
    let catalog = Catalog::embedded();
    let case = &loaded.cases[0];
    let steps = run::steps(&case.case, control(1)).unwrap();
    let error = Prepared::new(case, &catalog, &steps, control(1))
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("parallelism.pipeline = 3"),
        "{error}"
    );
}
