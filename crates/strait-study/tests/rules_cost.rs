//! What a rule costs: what the study must find, and that the page says what it found.

mod steps;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use strait_study::answer::text::{Detail, TextStyle};
use strait_study::catalog::Catalog;
use strait_study::figures;
use strait_study::rules::cost::{Cost, CostError, Plan, Request, RuleCost, cost, document, text};
use strait_study::rules::{Destination, Outcome, RuleBook};
use strait_study::scenario::{self, Overrides};
use strait_study::search::Workers;
use strait_training::case::Case;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn ask(
    name: &str,
    case: &Case,
    own: Option<(&str, &str)>,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Cost, CostError> {
    let catalog = Catalog::embedded();
    let mut book = RuleBook::of(&catalog).expect("rules");
    let own: Vec<String> = (own.into_iter())
        .map(|(file, text)| book.add(file, text).expect("a rule"))
        .collect();
    cost(&Request {
        scenario: name,
        case,
        catalog: &catalog,
        book: &book,
        own: &own,
        to: Destination::China,
        workers: Workers { threads, cancel },
        progress: &|_, _| {},
    })
}

fn of(file: &str) -> Cost {
    let case = steps::case(file, &[]);
    let name = format!("scenarios/{file}");
    ask(&name, &case, None, 2, &GO_ON).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The study of DeepSeek-V3, once for all tests.
fn deepseek() -> &'static Cost {
    static STUDY: OnceLock<Cost> = OnceLock::new();
    STUDY.get_or_init(|| {
        let study = of("deepseek-v3/h800.toml");
        let style = TextStyle {
            detail: Detail::Full,
            styled: false,
        };
        println!("{}", text(&study, style));
        study
    })
}

fn rule<'a>(study: &'a Cost, year: &str) -> &'a RuleCost {
    (study.rules.iter())
        .find(|rule| {
            rule.date
                .as_ref()
                .is_some_and(|date| date.starts_with(year))
        })
        .unwrap_or_else(|| panic!("no rule of {year}"))
}

fn case_of(text: &str) -> Case {
    let loaded = scenario::load_text("small", text, &Catalog::embedded(), &Overrides::default());
    loaded.expect("a scenario").cases[0].case.clone()
}

/// Llama 3 8B on two servers.
fn small() -> Case {
    case_of(
        r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h100-sxm"
nodes = 2
[precision]
recipe = "bf16"
[training]
tokens = "100 B tokens"
sequence_length = 8192
global_batch = 64
"#,
    )
}

/// A dense model of some layers of 2048 on H100, in BF16.
fn dense(layers: u32, cluster: &str) -> Case {
    case_of(&format!(
        r#"
[model]
name = "dense"
layers = {layers}
hidden = 2048
heads = 16
ffn = 8192
vocabulary = 32000
[cluster]
accelerator = "h100-sxm"
{cluster}
[precision]
recipe = "bf16"
[training]
tokens = "1 B tokens"
sequence_length = 4096
global_batch = 64
"#
    ))
}

/// What is said of each rule without details.
fn findings(study: &Cost) -> Vec<String> {
    let said = serde_json::to_value(document(study)).expect("JSON");
    let rules = said["rules"].as_array().expect("rules");
    (rules.iter())
        .map(|rule| rule["finding"].as_str().expect("words").to_owned())
        .collect()
}

/// The rule of 2022 joins performance and links by AND: the cheapest way out is a cut of the links alone,
/// as the A800 and the H800 took it.
#[test]
fn the_rule_of_2022_asks_for_a_cut_of_links_and_nothing_else() {
    let found = rule(deepseek(), "2022");
    let free = found.permitted.as_ref().expect("a chip");
    assert_eq!(free.accelerator, "h800-sxm");
    let best = found.unconstrained.as_ref().expect("a chip");
    assert_eq!(best.accelerator, "h100-sxm");
    let ratio = free.days / best.days;
    assert!((1.0..1.06).contains(&ratio), "{ratio}");
    let design = &found.designable.as_ref().expect("a design").design;
    assert_eq!(design.base, "h100-sxm");
    assert_eq!(
        (design.compute, design.units, design.stacks),
        (1000, 132, 5)
    );
    // One link more would reach 600 GB/s.
    assert!(design.io_both_ways < 600e9 && design.io_both_ways + 50e9 >= 600e9);
    assert_eq!(design.links, 9);
}

/// The rule of 2023 drops links and looks at performance and density: rates must fall, and more die area
/// lets them fall less.
#[test]
fn the_rule_of_2023_asks_for_lower_rates_and_rewards_area() {
    let found = rule(deepseek(), "2023");
    let free = found.permitted.as_ref().expect("a chip");
    assert_eq!(free.accelerator, "h20-96");
    let designed = found.designable.as_ref().expect("a design");
    let design = &designed.design;
    assert_eq!(
        (design.links, design.stacks),
        (design.all_links, design.all_stacks)
    );
    assert!(design.compute < 500);
    assert!(
        design.tpp > 2400.0 && design.tpp < 3840.0 && design.density < 1.6,
        "{design:?}"
    );
    assert!((design.die_area - 2400.0).abs() < 1.0);
    let (plain, time) = designed.plain_die.as_ref().expect("a smaller die");
    assert!(plain.tpp < design.tpp && *time > designed.plan.step);
    // Switching units off is no faster than capping their rate: communication takes its share of fewer.
    assert!(designed.units_off_days.expect("a twin") >= designed.plan.days);
}

/// The letters of 2025 add memory and links.
#[test]
fn the_letters_of_2025_cut_memory_and_links_too() {
    let found = rule(deepseek(), "2025");
    let design = &found.designable.as_ref().expect("a design").design;
    let memory = design.memory_bandwidth.get();
    assert!(memory < 1400e9 && design.io_both_ways < 1100e9);
    assert!(memory + design.io_both_ways < 1700e9);
    assert!(design.links < design.all_links && design.compute < 1000);
    let free = found.permitted.as_ref().expect("a chip");
    assert_ne!(free.accelerator, "h20-96");
    let before = rule(deepseek(), "2023").permitted.as_ref().expect("a chip");
    assert!(free.days > before.days);
    // What stays out of reach of the letters is made elsewhere.
    let domestic = found.domestic.as_ref().expect("a chip");
    assert_eq!(domestic.outcome, Outcome::NotSubject);
}

#[test]
fn the_review_of_2026_opens_a_door_and_no_design_gains() {
    let found = rule(deepseek(), "2026");
    let licensed = found.licensed.as_ref().expect("a chip");
    assert_eq!(licensed.outcome, Outcome::CaseByCase);
    let free = found.permitted.as_ref().expect("a chip");
    assert!(licensed.days < free.days / 2.0);
    let before = rule(deepseek(), "2025");
    let design = |rule: &RuleCost| rule.designable.as_ref().map(|d| d.design.clone());
    assert_eq!(
        design(found),
        design(before),
        "a design was not on sale on the day of the rule"
    );
}

#[test]
fn what_is_left_is_ordered_as_physics_orders_it() {
    let study = deepseek();
    for rule in &study.rules {
        let base = rule.base().expect("a chip");
        let plans = [
            &rule.permitted,
            &rule.notified,
            &rule.licensed,
            &rule.domestic,
        ];
        for plan in plans.into_iter().flatten() {
            assert!(
                plan.days >= base.days,
                "{}: {} beats {}",
                rule.id,
                plan.name,
                base.name
            );
            assert!(plan.gpu_hours > 0.0 && plan.energy.get() > 0.0);
            assert!(plan.equal_days(base, study.accelerators) >= u64::from(study.accelerators));
        }
        // A design is at least as good as a chip that was made, where both are free.
        if let (Some(design), Some(free)) = (&rule.designable, &rule.permitted) {
            assert!(design.plan.days <= free.days * 1.001, "{}", rule.id);
        }
    }
    // Each rule takes more than the one before.
    let days: Vec<f64> = (study.rules[..3].iter())
        .filter_map(|rule| rule.designable.as_ref().map(|d| d.plan.days))
        .collect();
    assert!(days.len() == 3 && days.is_sorted(), "{days:?}");
    // An H20 has 15 % of an H800's matrix rate and all its other parts: slower, but by less than that.
    let plan = |year: &str| rule(study, year).permitted.as_ref().expect("a chip").days;
    let slower = plan("2023") / plan("2022");
    assert!((2.0..15_831.0 / 2_368.0).contains(&slower), "{slower}");
}

#[test]
fn a_rule_under_which_nothing_is_left_says_so() {
    let case = small();
    let own = r#"
name = "Nothing"
mode = "replaces"
[[scopes]]
to = ["china"]
[[clauses]]
name = "all"
when = ["tpp >= 1"]
outcome = "presumption_of_denial"
"#;
    let study = ask("small", &case, Some(("nothing.toml", own)), 2, &GO_ON).expect("an answer");
    let last = study.rules.last().expect("a rule");
    assert_eq!(last.id, "nothing");
    assert!(last.permitted.is_none() && last.designable.is_none() && last.notified.is_none());
    let said = serde_json::to_value(document(&study)).expect("JSON");
    let told = &said["rules"][study.rules.len() - 1];
    assert!(told["permitted"].is_null() && told["designable"].is_null());
    let finding = told["finding"].as_str().expect("words");
    assert!(
        finding.contains("No accelerator that may be sold freely"),
        "{finding}"
    );
    assert!(finding.contains("no design within the rule"), "{finding}");
    assert!(
        last.reasons[0].contains("presumed denied"),
        "{:?}",
        last.reasons
    );
}

/// A case that uses a part of its servers uses as much of any other chip's.
#[test]
fn a_part_of_a_server_is_a_part_of_any_server() {
    for (cluster, ranks) in [
        ("nodes = 1\nper_node = 1", 1),
        ("gpus = 8\nper_node = 4", 8),
    ] {
        let case = dense(16, cluster);
        let used = case.cluster.node.accelerators;
        let study = ask("small", &case, None, 2, &GO_ON).expect("an answer");
        assert_eq!(study.accelerators, ranks);
        let free = rule(&study, "2022").permitted.as_ref().expect("a chip");
        assert_eq!(
            (free.accelerator.as_str(), free.per_node),
            ("h800-sxm", used)
        );
        let reasons = study.rules.iter().flat_map(|rule| &rule.reasons);
        for reason in reasons {
            assert!(!reason.contains("whole number"), "{reason}");
        }
    }
}

/// Where chips are free, but none can be used, that is said, and why.
#[test]
fn what_is_free_and_cannot_be_used_is_not_said_to_be_missing() {
    let memory = ask("small", &dense(2000, "nodes = 1"), None, 2, &GO_ON).expect("an answer");
    for (rule, finding) in memory.rules.iter().zip(findings(&memory)) {
        let lack = rule.unconstrained_lack.as_ref().expect("a lack");
        assert!(lack.small > 0 && lack.least.is_some(), "{lack:?}");
        assert!(
            finding.contains("too little memory") || finding.contains("has the memory"),
            "{finding}"
        );
        let lack = rule.permitted_lack.as_ref().expect("a lack");
        assert!(lack.small > 0, "{lack:?}");
        let lack = rule.design_lack.as_ref().expect("a lack");
        assert!(lack.small > 0, "{lack:?}");
    }
    let style = TextStyle {
        detail: Detail::Headline,
        styled: false,
    };
    assert!(text(&memory, style).contains("memory"));
}

/// A chip without the precision of rollouts runs them in one that it has; what is wrong with one chip is
/// a reason against it alone.
#[test]
fn rollouts_run_in_what_a_chip_has() {
    let case = case_of(
        r#"
[model]
preset = "llama3-8b"
[cluster]
accelerator = "h800-sxm"
nodes = 2
[precision]
recipe = "fp8-block"
[training]
sequence_length = 8192
global_batch = 64
[[training.phase]]
name = "rl"
kind = "reinforcement"
steps = 4
[training.phase.reinforcement]
questions = 32
samples = 8
updates = 1
prompt = 200
response = 2000
response_spread = 0.5
response_maximum = 4096
rollout_tensor = 2
"#,
    );
    let study = ask("small", &case, None, 2, &GO_ON).expect("an answer");
    let plan = rule(&study, "2025").notified.as_ref().expect("a chip");
    assert_eq!(
        (plan.accelerator.as_str(), plan.recipe),
        ("l40", "fp8-tensor")
    );
    let reasons = &rule(&study, "2025").reasons;
    let told = "L40 48GB has no kernels for rollouts in fp8-block: they run fp8-tensor";
    assert!(reasons.iter().any(|reason| reason == told), "{reasons:?}");
    // Where the weights of a rollout fill more than a chip has, that is a reason.
    let mut large = case.clone();
    if let Some(rl) = &mut large.training.phases[0].reinforcement {
        rl.engine.tensor = 1;
        rl.engine.memory_share = strait_units::Ratio::new(0.25);
    }
    let study = ask("small", &large, None, 2, &GO_ON).expect("an answer");
    let reasons = &rule(&study, "2025").reasons;
    let fits = |reason: &String| {
        reason.contains("can't be simulated: the weights of a rollout do not fit")
    };
    assert!(reasons.iter().any(fits), "{reasons:?}");
    // On no chip at all: not the end of the study, and not for want of chips.
    if let Some(rl) = &mut large.training.phases[0].reinforcement {
        rl.engine.memory_share = strait_units::Ratio::new(0.01);
    }
    let study = ask("small", &large, None, 2, &GO_ON).expect("an answer");
    for finding in findings(&study) {
        let told = finding.starts_with("No accelerator on sale")
            && finding.contains("can be simulated (")
            && finding.contains("the weights of a rollout do not fit");
        assert!(told, "{finding}");
    }
}

#[test]
fn answers_do_not_depend_on_threads_and_can_be_stopped() {
    let case = small();
    let one = ask("small", &case, None, 1, &GO_ON).expect("an answer");
    let many = ask("small", &case, None, 4, &GO_ON).expect("an answer");
    let json = |study: &Cost| serde_json::to_string(&document(study)).expect("JSON");
    assert_eq!(json(&one), json(&many));
    let stop = AtomicBool::new(true);
    assert!(matches!(
        ask("small", &case, None, 2, &stop),
        Err(CostError::Cancelled)
    ));
}

/// Days of a table in the committed data of a figure.
fn committed(model: &str) -> String {
    let path = steps::root().join(format!("docs/src/figures/rules-cost-{model}.csv"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(study: &Cost) -> Vec<(String, String)> {
    let reproduce = format!("strait rules cost {}", study.scenario);
    figures::rules_cost(study, &reproduce).expect("a figure")
}

/// The figure of the page, drawn anew. `STRAIT_UPDATE_DOCS=1` writes it.
fn same_figure(study: &Cost, model: &str) {
    for (name, contents) in files(study) {
        let name = name.replace("rules-cost", &format!("rules-cost-{model}"));
        let path = steps::root().join("docs/src/figures").join(name);
        if std::env::var_os("STRAIT_UPDATE_DOCS").is_some() {
            std::fs::write(&path, &contents).expect("a file");
        }
        let stands = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == contents,
            "{}: run with STRAIT_UPDATE_DOCS=1",
            path.display()
        );
    }
}

#[test]
fn the_figure_of_deepseek_v3_is_what_the_study_says() {
    same_figure(deepseek(), "deepseek-v3");
}

#[test]
#[ignore = "minutes: the figure of the larger model, for releases"]
fn the_figure_of_llama_3_is_what_the_study_says() {
    same_figure(&of("llama3-405b/16k-gpus.toml"), "llama3-405b");
}

/// Every row of the tables on the page is a row of the data.
#[test]
fn the_page_says_what_the_figures_say() {
    let path = steps::root().join("docs/src/explanation/what-a-rule-costs.md");
    let page = std::fs::read_to_string(path).expect("the page");
    for (model, heading) in [
        ("deepseek-v3", "## DeepSeek-V3"),
        ("llama3-405b", "## Llama 3 405B"),
    ] {
        let data = committed(model);
        let (_, section) = page.split_once(heading).expect("a section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut rows = 0;
        for line in data.lines().skip(1) {
            let mut fields = Vec::new();
            let mut quoted = false;
            let mut cell = String::new();
            for c in line.chars() {
                match c {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(std::mem::take(&mut cell)),
                    c => cell.push(c),
                }
            }
            fields.push(cell);
            let days: f64 = fields[8].parse().expect("days");
            let shown = format!("{days:.1}");
            let times = match fields[9].parse::<f64>() {
                Ok(times) => format!("{times:.2}"),
                Err(_) => String::new(),
            };
            let row = format!("| {} | {} | {shown} | {times} |", fields[2], fields[4]);
            assert!(section.contains(&row), "{model}: the page lacks\n{row}");
            rows += 1;
        }
        assert!(rows > 12, "{model}: {rows}");
    }
}

#[test]
fn plans_compare_as_they_should() {
    let plan = |days: f64| Plan {
        days,
        per_node: 8,
        ..deepseek().reference.clone().expect("a plan")
    };
    assert_eq!(plan(20.0).equal_days(&plan(10.0), 2048), 4096);
    assert_eq!(plan(10.0).equal_days(&plan(10.0), 2048), 2048);
    assert_eq!(plan(10.1).equal_days(&plan(10.0), 2048), 2072);
}
