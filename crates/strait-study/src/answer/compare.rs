//! Differences between cases, and where they come from.
//!
//! In: answered cases, the first of which is the baseline. Out: a [`Comparison`] with
//! contributions that sum to the difference of the steps, and findings in words that are
//! put together from them. Never states a cause that was not simulated.

use super::about::AboutDocument;
use super::document::{CaseDocument, digest};
use super::{Answer, CaseAnswer, Setting, format};
use crate::verdict::{Part, Quantity, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strait_units::Time;

/// The answer of `strait compare`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Version of the command.
    pub strait: String,
    /// Scenarios as named on the command line.
    pub scenario: String,
    /// Seed of everything random.
    pub seed: u64,
    /// As in the answer of `strait run`.
    pub digest: String,
    /// Name of the case that the others are compared with.
    pub baseline: String,
    /// All other cases against it.
    pub differences: Vec<Difference>,
    /// The cases in full, as in the answer of `strait run`.
    pub cases: Vec<CaseDocument>,
    /// As in the answer of `strait run`.
    #[serde(default)]
    pub about: Option<AboutDocument>,
}

/// A case against the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Name of the case.
    pub case: String,
    /// What is set differently, in words.
    pub settings: Vec<String>,
    /// Differences of single figures.
    pub metrics: Vec<Metric>,
    /// The difference of the step times by window of the step, largest first; sums to it.
    pub by_part: Vec<Contribution>,
    /// The same difference by cause: classes of kernels, exposed communication, and all other
    /// waiting; largest first; sums to it.
    pub by_cause: Vec<Contribution>,
    /// The difference and its main sources, in words.
    pub finding: String,
}

/// A figure of two cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Id of the quantity.
    pub quantity: String,
    /// Unit of the values.
    pub unit: String,
    /// Value of the baseline.
    pub baseline: f64,
    /// Value of the case.
    pub value: f64,
    /// Value less baseline.
    pub difference: f64,
    /// The difference as a fraction of the baseline.
    pub relative: f64,
    /// The same, for people.
    #[serde(skip)]
    pub words: [String; 4],
}

/// A part of the difference between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// What it is.
    pub name: String,
    /// In the baseline, in seconds.
    pub baseline_s: f64,
    /// In the case, in seconds.
    pub value_s: f64,
    /// Value less baseline, in seconds.
    pub difference_s: f64,
}

/// Figures that are compared, in the order in which they are shown.
const METRICS: [Quantity; 13] = [
    Quantity::StepTime,
    Quantity::TokensPerSecondPerGpu,
    Quantity::TflopsCausal,
    Quantity::MfuCausal,
    Quantity::TflopsFull,
    Quantity::MfuFull,
    Quantity::GpuHours,
    Quantity::MainPhaseGpuHours,
    Quantity::GpuHoursPerTrillionTokens,
    Quantity::Days,
    Quantity::Cost,
    Quantity::Energy,
    Quantity::PeakMemory,
];

impl Comparison {
    /// Compares all cases of an answer with its first; `None` for an answer without cases.
    pub fn new(answer: &Answer) -> Option<Comparison> {
        let (baseline, others) = answer.cases.split_first()?;
        let mut comparison = Comparison {
            strait: answer.question.version.clone(),
            scenario: answer.question.scenario.clone(),
            seed: answer.question.seed,
            digest: String::new(),
            baseline: baseline.setting.name.clone(),
            differences: others.iter().map(|c| difference(baseline, c)).collect(),
            cases: answer.cases.iter().map(CaseDocument::from).collect(),
            about: answer.about.clone(),
        };
        comparison.digest = digest(&comparison);
        Some(comparison)
    }
}

/// One case against the baseline.
fn difference(baseline: &CaseAnswer, case: &CaseAnswer) -> Difference {
    let parts = (Part::ALL.iter())
        .map(|part| {
            contribution(
                part.name(),
                part.time(&baseline.outcome),
                part.time(&case.outcome),
            )
        })
        .collect();
    let by_part = sorted(parts);
    let by_cause = sorted(causes(baseline, case));
    let mut difference = Difference {
        case: case.setting.name.clone(),
        settings: settings(baseline, case),
        metrics: (METRICS.iter())
            .filter_map(|q| metric(*q, baseline, case))
            .collect(),
        by_part,
        by_cause,
        finding: String::new(),
    };
    difference.finding = finding(baseline, case, &difference);
    difference
}

fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

fn contribution(name: &str, baseline: Time, value: Time) -> Contribution {
    Contribution {
        name: name.to_owned(),
        baseline_s: seconds(baseline),
        value_s: seconds(value),
        // From whole picoseconds, so that equal times differ by exactly zero.
        difference_s: (i128::from(value.picos()) - i128::from(baseline.picos())) as f64 / 1e12,
    }
}

/// Largest difference first; what is zero in both cases is left out.
fn sorted(mut list: Vec<Contribution>) -> Vec<Contribution> {
    list.retain(|c| c.baseline_s != 0.0 || c.value_s != 0.0);
    list.sort_by(|a, b| b.difference_s.abs().total_cmp(&a.difference_s.abs()));
    list
}

/// The kinds of exposed communication with their names for people.
pub(crate) fn exposed(case: &CaseAnswer) -> [(&'static str, Time); 5] {
    let e = &case.outcome.step.exposed;
    [
        ("tensor", e.tensor),
        ("context", e.context),
        ("expert", e.expert),
        ("pipeline", e.pipeline),
        ("data", e.data),
    ]
}

/// Name of what a step does besides kernels and waiting for communication.
const WAITING: &str = "bubble and other waiting";

/// The step split by cause.
fn causes(baseline: &CaseAnswer, case: &CaseAnswer) -> Vec<Contribution> {
    let mut list = Vec::new();
    let kernels = |c: &CaseAnswer, class: &str| -> Time {
        (c.outcome.step.kernels.iter())
            .filter(|(name, _)| name == class)
            .map(|(_, time)| *time)
            .sum()
    };
    let mut classes: Vec<&str> = Vec::new();
    for (class, _) in (baseline.outcome.step.kernels.iter()).chain(&case.outcome.step.kernels) {
        if !classes.contains(&class.as_str()) {
            classes.push(class);
        }
    }
    for class in classes {
        list.push(contribution(
            &format!("{class} kernels"),
            kernels(baseline, class),
            kernels(case, class),
        ));
    }
    for ((name, before), (_, after)) in exposed(baseline).into_iter().zip(exposed(case)) {
        list.push(contribution(
            &format!("exposed {name} communication"),
            before,
            after,
        ));
    }
    // What is left may be negative, where means over ranks overlap: plain seconds, not `Time`.
    let rest = |c: &CaseAnswer, of: &dyn Fn(&Contribution) -> f64| {
        seconds(c.outcome.step.time) - list.iter().map(of).sum::<f64>()
    };
    let before = rest(baseline, &|c| c.baseline_s);
    let after = rest(case, &|c| c.value_s);
    list.push(Contribution {
        name: WAITING.to_owned(),
        baseline_s: before,
        value_s: after,
        difference_s: after - before,
    });
    list
}

/// A figure of both cases, where both have one.
fn metric(quantity: Quantity, baseline: &CaseAnswer, case: &CaseAnswer) -> Option<Metric> {
    let before = quantity.simulated(&baseline.setting, &baseline.outcome)?;
    let after = quantity.simulated(&case.setting, &case.outcome)?;
    let unit = quantity.unit();
    let change = after - before;
    let sign = if change < 0.0 { "-" } else { "+" };
    // Per cent of what is itself a percentage would be read as points.
    let size = match unit {
        Unit::Fraction => format!("{} points", format::fixed(change.abs() * 100.0, 1)),
        _ => unit.print(change.abs()),
    };
    Some(Metric {
        quantity: quantity.id().to_owned(),
        unit: unit.symbol().to_owned(),
        baseline: before,
        value: after,
        difference: change,
        relative: after / before - 1.0,
        words: [
            quantity.name().to_owned(),
            unit.print(before),
            unit.print(after),
            if change == 0.0 {
                "same".to_owned()
            } else {
                format!("{sign}{size}")
            },
        ],
    })
}

/// What is set differently: values that either scenario states, or, where there are none,
/// what answers name.
fn settings(baseline: &CaseAnswer, case: &CaseAnswer) -> Vec<String> {
    let (a, b) = (&baseline.setting, &case.setting);
    let mut list = Vec::new();
    let mut differs = |what: &str, before: &str, after: &str| {
        if before != after {
            list.push(format!("{what} {after} instead of {before}"));
        }
    };
    if a.values.is_empty() || b.values.is_empty() {
        differs("model", &a.model, &b.model);
        differs("accelerator", &a.accelerator, &b.accelerator);
        let ranks = [a, b].map(|setting| format::count(u64::from(setting.ranks)));
        differs("accelerators", &ranks[0], &ranks[1]);
        differs("layout", &a.layout(), &b.layout());
        return list;
    }
    let value = |setting: &Setting, path: &str| -> String {
        let found = setting.values.iter().find(|v| v.path == path);
        found.map_or("none".to_owned(), |v| v.value.clone())
    };
    let mut seen: Vec<&str> = Vec::new();
    for stated in a.values.iter().chain(&b.values).filter(|v| v.stated) {
        if !seen.contains(&stated.path.as_str()) {
            seen.push(&stated.path);
            differs(
                &stated.path,
                &value(a, &stated.path),
                &value(b, &stated.path),
            );
        }
    }
    list
}

/// Contributions that explain most of a difference, and the largest that goes against it.
fn main_sources(list: &[Contribution], total: f64) -> (Vec<&Contribution>, Option<&Contribution>) {
    let along = |c: &&Contribution| c.difference_s * total > 0.0;
    let sum: f64 = list.iter().filter(along).map(|c| c.difference_s).sum();
    let mut chosen = Vec::new();
    let mut covered = 0.0;
    for c in list.iter().filter(along) {
        // Four fifths of the way, or what three names can say.
        if chosen.len() == 3 || covered / sum >= 0.8 {
            break;
        }
        covered += c.difference_s;
        chosen.push(c);
    }
    let against = (list.iter().find(|c| c.difference_s * total < 0.0))
        .filter(|c| c.difference_s.abs() >= 0.1 * total.abs());
    (chosen, against)
}

/// "0.45 s less in overlapped pairs and 0.17 s less in bubble", with what goes against it.
fn in_words(list: &[Contribution], total: f64, preposition: &str) -> String {
    let (chosen, against) = main_sources(list, total);
    let say = |c: &Contribution| {
        format!(
            "{} {} {preposition}{}",
            format::seconds(c.difference_s.abs()),
            if c.difference_s < 0.0 { "less" } else { "more" },
            c.name
        )
    };
    let mut text = format::listed(&chosen.iter().map(|c| say(c)).collect::<Vec<_>>());
    if let Some(c) = against {
        text += &format!(", against {}", say(c));
    }
    text
}

/// The difference and its main sources, in words.
fn finding(baseline: &CaseAnswer, case: &CaseAnswer, difference: &Difference) -> String {
    let before = seconds(baseline.outcome.step.time);
    let after = seconds(case.outcome.step.time);
    let name = &case.setting.name;
    let reference = &baseline.setting.name;
    if before == 0.0 || after == 0.0 {
        return format!("{name} and {reference} can't be compared: one of them has no step time.");
    }
    let total = after - before;
    let relative = total / before;
    let mut text = if relative.abs() < 5e-4 {
        format!(
            "{name} takes as long as {reference}, {} a step.",
            format::seconds(after)
        )
    } else {
        format!(
            "{name} takes {} {} per step than {reference} ({} instead of {}): {}. By cause: {}.",
            format::percent(relative.abs()),
            if total < 0.0 {
                "less time"
            } else {
                "more time"
            },
            format::seconds(after),
            format::seconds(before),
            in_words(&difference.by_part, total, "in "),
            in_words(&difference.by_cause, total, ""),
        )
    };
    let tokens = |c: &CaseAnswer| c.outcome.step.tokens.get();
    let throughput = |c: &CaseAnswer| {
        Quantity::TokensPerSecondPerGpu
            .simulated(&c.setting, &c.outcome)
            .unwrap_or(f64::NAN)
    };
    let unlike = tokens(baseline) != tokens(case) || baseline.setting.ranks != case.setting.ranks;
    if unlike {
        text += &format!(
            " The steps are not alike ({} tokens on {} accelerators instead of {} on {}): per \
             accelerator, throughput differs by {}.",
            format::scaled(tokens(case) as f64),
            format::count(u64::from(case.setting.ranks)),
            format::scaled(tokens(baseline) as f64),
            format::count(u64::from(baseline.setting.ranks)),
            format::signed_percent(throughput(case) / throughput(baseline) - 1.0),
        );
    }
    let fits = |c: &CaseAnswer| c.outcome.step.memory.fits();
    for c in [baseline, case] {
        if !fits(c) {
            text += &format!(" {} does not fit in memory.", c.setting.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;

    fn two() -> Answer {
        let mut answer = sample::answer();
        answer.cases.push(sample::case_answer(sample::faster()));
        answer
    }

    #[test]
    fn both_accounts_sum_to_the_difference() {
        let comparison = Comparison::new(&two()).unwrap();
        let difference = &comparison.differences[0];
        let total = -0.62;
        for list in [&difference.by_part, &difference.by_cause] {
            let sum: f64 = list.iter().map(|c| c.difference_s).sum();
            assert!((sum - total).abs() < 1e-9, "{sum} in {list:?}");
            assert!((list.windows(2)).all(|w| w[0].difference_s.abs() >= w[1].difference_s.abs()));
        }
    }

    #[test]
    fn the_finding_names_the_largest_sources() {
        let finding = &Comparison::new(&two()).unwrap().differences[0].finding;
        for piece in [
            "h100 takes 3.1 % less time per step than h800",
            "450.0 ms less in overlapped pairs",
            "600.0 ms less exposed expert communication",
        ] {
            assert!(finding.contains(piece), "{piece:?} is not in {finding:?}");
        }
    }

    #[test]
    fn the_finding_follows_the_figures() {
        let mut answer = two();
        answer.cases.reverse();
        let finding = Comparison::new(&answer).unwrap().differences[0]
            .finding
            .clone();
        assert!(finding.contains("more time per step"), "{finding}");
        assert!(finding.contains("more exposed expert"), "{finding}");
        answer.cases.truncate(1);
        answer.cases.push(answer.cases[0].clone());
        let finding = Comparison::new(&answer).unwrap().differences[0]
            .finding
            .clone();
        assert!(finding.contains("takes as long as"), "{finding}");
    }

    #[test]
    fn stated_values_that_differ_are_named() {
        let mut answer = two();
        let value = |path: &str, value: &str, stated| crate::answer::Value {
            path: path.to_owned(),
            value: value.to_owned(),
            stated,
        };
        answer.cases[0].setting.values = vec![
            value("routing.node_limit", "4", false),
            value("cluster.peak_bf16", "989 TFLOPS", false),
        ];
        answer.cases[1].setting.values = vec![
            value("routing.node_limit", "8", true),
            value("cluster.peak_bf16", "312 TFLOPS", false),
        ];
        assert_eq!(
            Comparison::new(&answer).unwrap().differences[0].settings,
            ["routing.node_limit 8 instead of 4"]
        );
    }

    #[test]
    fn unlike_batches_are_called_so() {
        let mut answer = two();
        answer.cases[1].outcome.step.tokens = strait_units::Tokens::new(1_000_000);
        let finding = &Comparison::new(&answer).unwrap().differences[0].finding;
        assert!(finding.contains("not alike"), "{finding}");
    }
}
