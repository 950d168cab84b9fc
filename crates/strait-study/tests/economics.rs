//! Prices and power of scenarios: what is read, what is refused, and servers against their meters.
//!
//! In: small scenarios, and the measured draw of servers as published. Out: bounds on each figure. What power
//! profiles were made from is said at each test.

use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, ResolvedCase, Style, render_all};
use strait_training::outcome::Outcome;
use strait_training::price::{Basis, Depreciation, NetworkPrice};
use strait_training::simulate::{Control, simulate};

const BASE: &str = r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h100-sxm"
nodes = 2
[training]
tokens = "1 B tokens"
sequence_length = 8192
global_batch = 128
"#;

fn read(text: &str) -> Result<ResolvedCase, String> {
    let loaded = scenario::load_text("a.toml", text, &Catalog::embedded(), &Overrides::default());
    loaded
        .map(|mut loaded| loaded.cases.remove(0))
        .map_err(|faults| render_all(&faults, Style::Plain))
}

fn case(economics: &str) -> ResolvedCase {
    read(&format!("{BASE}{economics}")).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Faults of some lines of economics: each of these words is in them.
fn refused(economics: &str, words: &[&str]) {
    let faults = match read(&format!("{BASE}{economics}")) {
        Ok(_) => panic!("accepted: {economics}"),
        Err(faults) => faults,
    };
    for word in words {
        assert!(faults.contains(word), "no {word:?} in\n{faults}");
    }
    // Said once, with a place and a remedy.
    assert_eq!(faults.matches("error[").count(), 1, "{faults}");
    assert!(
        faults.contains("a.toml:") && faults.contains("help:"),
        "{faults}"
    );
}

fn warned(economics: &str, words: &str) {
    let warnings = render_all(&case(economics).warnings, Style::Plain);
    assert!(warnings.contains(words), "{warnings}");
}

fn run(case: &ResolvedCase) -> Outcome {
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let control = Control {
        cancel: &cancel,
        progress: &|_| (),
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    simulate(&case.case, control).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn without_keys_a_run_costs_its_rent() {
    let plain = case("");
    assert_eq!(plain.case.economics.basis(), Basis::Rent);
    assert!(plain.ranges.is_empty() && plain.case.economics.ends.is_none());
    let outcome = run(&plain);
    assert_eq!(outcome.cost.total(), outcome.run.rent);
    assert_eq!(outcome.cost.run(), outcome.run.rent);
    assert_eq!(outcome.cost.parts.len(), 1);
}

#[test]
fn market_rents_are_a_range_of_their_year() {
    let found = case("[economics]\nrent = \"market\"\nyear = 2024\n");
    assert_eq!(found.case.economics.rent.get(), 2.99);
    let range = &found.ranges[0];
    assert_eq!(
        (range.path.as_str(), range.low, range.mode, range.high),
        ("economics.rent", 2.49, 2.99, 4.78)
    );
    assert!(range.why.contains("rents of 2024"), "{}", range.why);
    let origin = found
        .origins
        .iter()
        .find(|line| line.path == "economics.rent");
    let origin = origin.unwrap().origin.to_string();
    assert!(origin.contains("catalogue prices/h100-sxm"), "{origin}");
    let outcome = run(&found);
    let [low, high] = [outcome.cost.low, outcome.cost.high].map(|end| end.get());
    assert!((low / outcome.cost.total().get() - 2.49 / 2.99).abs() < 1e-12);
    assert!((high / outcome.cost.total().get() - 4.78 / 2.99).abs() < 1e-12);
    // A date is of its year.
    let dated = case("[economics]\nrent = \"market\"\nyear = 2025-03-01\n");
    assert_eq!(dated.case.economics.rent.get(), 2.55);
    // One rent more, and it is no range any more.
    let overrides = Overrides {
        set: vec![("economics.rent".to_owned(), "3 USD/h".to_owned())],
        ..Overrides::default()
    };
    let text = format!("{BASE}[economics]\nrent = \"market\"\nyear = 2024\n");
    let loaded = scenario::load_text("a.toml", &text, &Catalog::embedded(), &overrides).unwrap();
    assert_eq!(loaded.cases[0].case.economics.rent.get(), 3.0);
    assert!(loaded.cases[0].ranges.is_empty());
}

#[test]
fn ownership_comes_from_the_catalogue_by_date() {
    let owned = case("[economics]\nyear = \"2024-02\"\n[economics.ownership]\n");
    let own = owned.case.economics.ownership.unwrap();
    assert_eq!(own.server.get(), 270_480.0 / 8.0);
    assert_eq!(
        own.network,
        NetworkPrice::Share(strait_units::Ratio::new(0.19))
    );
    assert!(
        matches!(own.depreciation, Depreciation::StraightLine { lifetime, .. } if lifetime.get() == 5.0 * 365.25)
    );
    let outcome = run(&owned);
    assert_eq!(outcome.cost.basis, Basis::Own);
    let sum: f64 = outcome.cost.parts.iter().map(|part| part.money.get()).sum();
    assert_eq!(sum, outcome.cost.total().get());
    assert!(
        outcome.cost.run() < outcome.run.rent,
        "cheaper than its rent"
    );

    // Bought in September 2023, used from March 2025: one and a half years of decline.
    let old = case(
        "[economics]\nyear = \"2025-03\"\n[economics.ownership]\nmethod = \"declining\"\nbought = \"2023-09\"\n",
    );
    let own = old.case.economics.ownership.unwrap();
    assert_eq!(own.server.get(), 248_956.0 / 8.0);
    assert!(
        matches!(own.depreciation, Depreciation::Declining { age, .. } if age.get() == 1.5 * 365.25)
    );

    // Every range of ownership reaches the ends, the right way round.
    let ranged = case(
        "[economics.ownership]\nserver_price = \"200 k USD to 300 k USD\"\nlifetime = \"3 years to 6 years\"\n\
         utilisation = { low = 0.5, mode = 0.8, high = 1.0, why = \"x\" }\n",
    );
    assert_eq!(ranged.ranges.len(), 3);
    let ends = ranged.case.economics.ends.as_deref().unwrap();
    let [cheap, dear] = [&ends.0, &ends.1].map(|prices| prices.ownership.unwrap());
    assert_eq!(
        (cheap.server.get(), dear.server.get()),
        (25_000.0, 37_500.0)
    );
    assert_eq!(
        (cheap.utilisation.get(), dear.utilisation.get()),
        (1.0, 0.5)
    );
    let outcome = run(&ranged);
    assert!(outcome.cost.low < outcome.cost.total() && outcome.cost.total() < outcome.cost.high);
}

#[test]
fn lines_go_from_the_run_to_all_that_it_took() {
    let lines = "[economics]\nrent = \"2 USD/h\"\n\
        [[economics.line]]\nname = \"ablations\"\nkind = \"research\"\nwhy = \"w\"\n\
        times_final_run = { low = 1, mode = 2, high = 4, why = \"x\" }\n\
        [economics.staff]\nshare_of_total = \"25 %\"\nwhy = \"w\"\n";
    let found = case(lines);
    assert_eq!(
        found.ranges[0].path,
        "economics.line.ablations.times_final_run"
    );
    let outcome = run(&found);
    let run_cost = outcome.cost.run().get();
    assert_eq!(run_cost, outcome.run.rent.get());
    // 1 + 2, and a third of that on top.
    assert!((outcome.cost.total().get() / run_cost - 4.0).abs() < 1e-12);
    assert!((outcome.cost.high.get() / run_cost - 5.0 / 0.75).abs() < 1e-12);
    let set = |value: &str| {
        let path = "economics.line.ablations.times_final_run".to_owned();
        let overrides = Overrides {
            set: vec![(path, value.to_owned())],
            ..Overrides::default()
        };
        let text = format!("{BASE}{lines}");
        scenario::load_text("a.toml", &text, &Catalog::embedded(), &overrides)
    };
    let one = set("1").unwrap().cases.remove(0);
    assert!((run(&one).cost.total().get() / run_cost - 2.0 / 0.75).abs() < 1e-12);
}

#[test]
fn senseless_prices_are_refused() {
    refused(
        "[economics]\nrent = \"market\"\n",
        &[
            "market-year",
            "needs to know when",
            "rents of h100-sxm for 2023, 2024",
        ],
    );
    refused(
        "[economics]\nrent = \"market\"\nyear = 2019\n",
        &["no-rent", "in 2019"],
    );
    refused(
        "[economics]\nrent = \"markt\"\n",
        &["`economics.rent`", "or a word: \"market\""],
    );
    refused(
        "[economics]\nbasis = \"lease\"\n",
        &["can't be \"lease\"", "values: rent, own"],
    );
    for (lines, words) in [
        (
            "utilisation = 0",
            "`economics.ownership.utilisation` can't be zero",
        ),
        ("utilisation = 1.5", "larger than anything that makes sense"),
        (
            "lifetime = \"0 years\"",
            "`economics.ownership.lifetime` can't be zero",
        ),
        ("lifetime = 5", "needs a unit: it is a number of days"),
        ("resale = 1.2", "`economics.ownership.resale` is larger"),
        ("resale = -0.1", "can't be negative"),
        ("server_price = \"-5 USD\"", "is negative"),
        ("facility_lifetime = \"0 days\"", "can't be zero"),
        ("network_share = 1.0", "is larger than anything"),
        (
            "network_share = 0.1\nendpoint_price = \"4390 USD\"",
            "two prices",
        ),
        (
            "method = \"declining\"\nlifetime = \"4 years\"",
            "`lifetime` means nothing",
        ),
        ("price_decline = 0.2", "`price_decline` means nothing"),
        ("method = \"linear\"", "straight-line, declining"),
        ("bought = true", "must be a date"),
    ] {
        refused(&format!("[economics.ownership]\n{lines}\n"), &[words]);
    }
    refused(
        "[economics]\nyear = 2023\n[economics.ownership]\nmethod = \"declining\"\nbought = 2024\n",
        &["starts before its servers are bought"],
    );
    refused(
        "[economics.power]\nidle = \"900 W\"\n",
        &["more in state idle than in state communication"],
    );
    refused(
        "[economics.power]\nloaded = \"0 MWh\"\n",
        &["`economics.power.loaded`"],
    );
    let l40 = BASE.replace("h100-sxm", "l40s");
    let faults = read(&format!("{l40}[economics.ownership]\n"))
        .map(|_| ())
        .unwrap_err();
    assert!(faults.contains("no price of a server with"), "{faults}");
}

#[test]
fn senseless_lines_are_refused() {
    let line = |rest: &str| format!("[[economics.line]]\nname = \"a\"\nwhy = \"w\"\n{rest}\n");
    refused(
        &line(""),
        &["not how much", "value, times_final_run, share_of_total"],
    );
    refused(
        &line("value = \"1 USD\"\ntimes_final_run = 2"),
        &["more than one amount"],
    );
    refused(&line("value = 5"), &["needs a unit"]);
    refused(&line("times_final_run = -1"), &["can't be negative"]);
    refused(&line("share_of_total = 1.0"), &["larger than anything"]);
    refused(
        &line("value = \"1 USD\"\nkind = \"fun\""),
        &["can't be \"fun\""],
    );
    refused(
        "[[economics.line]]\nname = \"a\"\nvalue = \"1 USD\"\n",
        &["needs `why`"],
    );
    refused(
        "[[economics.line]]\nname = \"a.b\"\nwhy = \"w\"\nvalue = \"1 USD\"\n",
        &["has a point"],
    );
    let twice = format!("{}{}", line("value = \"1 USD\""), line("value = \"2 USD\""));
    refused(&twice, &["two lines are called \"a\""]);
    let all = format!(
        "{}[economics.staff]\nwhy = \"w\"\nshare_of_total = 0.5\n",
        line("share_of_total = 0.5")
    );
    refused(
        &all,
        &["leave nothing for the rest", "a, staff reach 100 %"],
    );
    refused(
        "[economics.staff]\nwhy = \"w\"\npeople = 10\n",
        &["lacks time, cost_per_year"],
    );
    refused(
        "[economics.staff]\nwhy = \"w\"\npeople = 10\nshare_of_total = 0.3\n",
        &["more than one amount"],
    );
}

#[test]
fn what_is_said_in_vain_is_said_to_be() {
    warned(
        "[economics]\nyear = 2024\nrent = \"2 USD/h\"\n",
        "`economics.year` changes nothing",
    );
    warned(
        "[economics]\nbasis = \"rent\"\n[economics.ownership]\nresale = 0.1\n",
        "`economics.ownership` is not used",
    );
    warned(
        "[economics]\nload_factor = 0.7\n[economics.power]\nidle = \"100 W\"\n",
        "`economics.power` is not used",
    );
}

/// GPT-3 175B on 64 servers of 8 H100, in NVIDIA's layout for them. The profile is made from one server's
/// draw (6,968 W) under another job, so that this mean of 64 is a prediction of it: MLPerf Training v4.0, Supermicro.
#[test]
fn sixty_four_servers_draw_what_their_meters_say() {
    let text = r#"
[model]
preset = "gpt3-175b"
[cluster]
accelerator = "h100-sxm"
nodes = 64
[parallelism]
tensor = 4
pipeline = 8
virtual_stages = 12
zero = 1
schedule = "interleaved"
micro_batch = 1
recompute = "none"
[precision]
recipe = "fp8-tensor"
[training]
tokens = "1 B tokens"
sequence_length = 2048
global_batch = 1024
[noise]
jitter = 0.0
chips = "slowest"
"#;
    let found = read(text).unwrap_or_else(|faults| panic!("{faults}"));
    let outcome = run(&found);
    let parts = &outcome.run.energy_parts;
    let nodes = parts.compute + parts.communication + parts.idle;
    let seconds = outcome.run.days * 86_400.0;
    let watts = nodes.get() / seconds / 64.0;
    println!("GPT-3 175B on 64 servers: {watts:.0} W, measured 6848 W");
    assert!((watts / 6_848.0 - 1.0).abs() < 0.08, "{watts} W");
    // Switches around them, by the same submitter's estimate: an input, here for its arithmetic.
    let switches = parts.network.get() / seconds;
    assert!((switches / 59_570.0 - 1.0).abs() < 0.001, "{switches} W");
}

/// Servers under jobs whose layout is not public: each between two states of its profile.
#[test]
fn measured_servers_lie_between_their_states() {
    let states = case("").case.economics.power;
    let server = |watts: f64| watts / 8.0;
    // LoRA on 8 and on 64 servers, the second bound by communication (MLPerf v4.0).
    for measured in [5_815.0, 5_062.0] {
        let each = server(measured);
        assert!(
            states.communication.get() < each && each < states.loaded.get(),
            "{measured}"
        );
    }
    // Another maker's eight servers (MLPerf v4.1, Dell): 3 % more than one of the profile's.
    assert!((server(7_187.0) / states.loaded.get() - 1.0).abs() < 0.04);
    // OLMo 3 reports 624 and 649 W a GPU, without servers: less than a server's share, more than it at rest.
    for measured in [624.0, 649.0] {
        assert!(states.idle.get() < measured && measured < states.loaded.get());
    }
    // BERT on one server of 8 B200 (MLPerf v5.0, Lenovo), the profile made from LoRA on it.
    let b200 = read(&BASE.replace("h100-sxm", "b200")).unwrap();
    assert!((server(9_731.0) / b200.case.economics.power.loaded.get() - 1.0).abs() < 0.03);
}

/// V100 have no profile of their own: three quarters of what a DGX-1 is rated at, against the 330 W of
/// Patterson et al. (arXiv:2104.10350), and their energy of GPT-3 from it.
#[test]
fn servers_without_a_profile_come_close_to_gpt_3_s_energy() {
    let text = BASE.replace("h100-sxm", "v100-sxm-32") + "[precision]\nrecipe = \"fp16\"\n";
    let v100 = read(&text).unwrap_or_else(|faults| panic!("{faults}"));
    let watts = v100.case.economics.power.loaded.get();
    assert!((watts / 330.0 - 1.0).abs() < 0.02, "{watts} W");
    // 3.14e23 FLOP at 24.6 TFLOPS, PUE 1.10.
    let seconds = 3.14e23 / 24.6e12;
    let energy = watts * seconds * 1.10 / 3.6e9;
    assert!((energy / 1_287.0 - 1.0).abs() < 0.02, "{energy} MWh");
}
