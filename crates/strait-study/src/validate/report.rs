//! What validation says: rows, families, and all of it in brief.
//!
//! In: outcomes of rows. Out: a [`Report`] that serialises as the contract says. Never predicts.

use super::Outcome;
use super::measure::{Metric, Scale, hardware_flops};
use super::predict::Prediction;
use super::rows::Row;
use super::statistics::{Job, Summary, best_constant, mean, quantile, summary};
use crate::uncertainty::{self, Interval, Subject};
use serde::Serialize;
use strait_training::memory::FRAMEWORK;
use strait_units::Ratio;

/// A row with its prediction.
#[derive(Clone, Debug, Serialize)]
pub struct Predicted {
    /// Name.
    pub id: String,
    /// Family.
    pub family: String,
    /// Grade of the publication's settings, A to D.
    pub grade: String,
    /// `dense` or `moe`.
    pub class: &'static str,
    /// Metric.
    pub metric: String,
    /// What was measured.
    pub measured: f64,
    /// What comes out.
    pub predicted: f64,
    /// predicted / measured - 1.
    pub error: f64,
    /// End of the 80 % interval, in the metric.
    pub low: f64,
    /// Its other end.
    pub high: f64,
    /// What was assumed.
    pub assumptions: Vec<String>,
    /// Accelerator.
    pub accelerator: String,
    /// Publication.
    pub source: String,
    /// Model.
    pub model: String,
    /// Accelerators.
    pub gpus: u64,
    /// Printed in the notes of a row, beside its metric.
    #[serde(skip)]
    pub beside: bool,
    /// Measured step, seconds.
    #[serde(skip)]
    pub measured_s: f64,
    /// Predicted step, seconds.
    #[serde(skip)]
    pub predicted_s: f64,
    /// The step at the peak of the row's operand type, seconds: what a constant divides.
    #[serde(skip)]
    pub ideal_s: f64,
}

/// A row that has no prediction.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// Name.
    pub id: String,
    /// Publication.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// Errors of rows of one kind, fractions.
#[derive(Clone, Debug, Serialize)]
pub struct Family {
    /// Name.
    pub family: String,
    /// Predicted rows.
    pub rows: usize,
    /// Mean absolute error.
    pub mean: f64,
    /// Median absolute error.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Mean signed error.
    pub bias: f64,
    /// Mean absolute error of the best constant utilisation fitted to this family.
    pub constant_mean: f64,
    /// Its 90th percentile.
    pub constant_p90: f64,
    /// Its median.
    pub constant_median: f64,
    /// That constant.
    pub constant: f64,
    /// Share of rows whose 80 % interval holds the measured value.
    pub coverage: f64,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// All predicted rows that count.
    pub overall: Family,
    /// Families, in the order of their first rows.
    pub families: Vec<Family>,
    /// Sets of rows across families that are asked about most.
    pub groups: Vec<Family>,
    /// Rows.
    pub rows: Vec<Predicted>,
    /// Rows without prediction.
    pub refused: Vec<Refused>,
    /// Memory that rows print in their notes, beside their metric.
    pub memory: Beside,
}

/// Figures that rows print beside their metric.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Beside {
    /// Families.
    pub families: Vec<Family>,
    /// Figures, with the row's id and what they are of.
    pub rows: Vec<Predicted>,
}

impl Predicted {
    /// Joins a row and its prediction.
    pub fn new(
        row: &Row,
        _metric: Metric,
        measured: f64,
        scale: &Scale,
        prediction: &Prediction,
    ) -> Predicted {
        let predicted = scale.of(prediction.step.time);
        let worth = interval(prediction);
        let ends = [scale.of(worth.low), scale.of(worth.high)];
        let case = &prediction.case;
        let peaks = case.cluster.accelerator.peaks;
        let bf16 = peaks.bf16.or(peaks.fp16).map_or(f64::NAN, |p| p.get());
        Predicted {
            id: row.id().to_owned(),
            family: prediction.draft.family.clone(),
            grade: grade(row),
            class: if prediction.draft.moe { "moe" } else { "dense" },
            metric: row.get("metric").to_owned(),
            measured,
            predicted,
            error: predicted / measured - 1.0,
            low: ends[0].min(ends[1]),
            high: ends[0].max(ends[1]),
            assumptions: prediction.draft.assumed.clone(),
            accelerator: case.cluster.accelerator.id.clone(),
            source: row.get("source").to_owned(),
            model: row.get("model").to_owned(),
            gpus: u64::from(case.cluster.nodes) * u64::from(case.cluster.node.accelerators),
            beside: false,
            measured_s: scale.time(measured).seconds(),
            predicted_s: prediction.step.time.seconds(),
            ideal_s: hardware_flops(case) / bf16,
        }
    }

    /// A row of memory: allocated by the fullest rank, reserved by its allocator, or its activations.
    pub fn of_memory(row: &Row, what: &str, measured: f64, prediction: &Prediction) -> Predicted {
        let memory = &prediction.step.memory;
        let bytes: f64 = match what {
            ACTIVATIONS => (memory.parts.iter())
                .filter(|part| part.name.starts_with("activations"))
                .map(|part| part.bytes.as_f64())
                .sum(),
            _ => memory.peak.as_f64() - FRAMEWORK.as_f64(),
        };
        let predicted = bytes / GIB;
        let factor = libm::exp(1.2816 * MEMORY_DEVIATION);
        let case = &prediction.case;
        Predicted {
            id: match what {
                ACTIVATIONS => row.id().to_owned(),
                _ => format!("{}:{what}", row.id()),
            },
            family: format!("{} memory, {what}", prediction.draft.family),
            grade: grade(row),
            class: if prediction.draft.moe { "moe" } else { "dense" },
            metric: format!("{what}_memory_gib"),
            measured,
            predicted,
            error: predicted / measured - 1.0,
            low: predicted / factor,
            high: predicted * factor,
            assumptions: prediction.draft.assumed.clone(),
            accelerator: case.cluster.accelerator.id.clone(),
            source: row.get("source").to_owned(),
            model: row.get("model").to_owned(),
            gpus: u64::from(case.cluster.nodes) * u64::from(case.cluster.node.accelerators),
            beside: what != ACTIVATIONS,
            measured_s: f64::NAN,
            predicted_s: f64::NAN,
            ideal_s: f64::NAN,
        }
    }
}

/// The metric of rows that print activations.
pub(super) const ACTIVATIONS: &str = "activations";

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// Relative standard deviation of predicted memory: what allocators round and libraries keep.
const MEMORY_DEVIATION: f64 = 0.06;

/// The prediction's own interval, stretched by what other allowed settings would have given: a
/// uniform spread over their range, on the side where they lie.
fn interval(prediction: &Prediction) -> Interval {
    let time = prediction.step.time;
    let own = uncertainty::deviation(&Subject::from(&prediction.case), &prediction.step).get();
    let ratios = (prediction.alternatives.iter())
        .map(|(_, other)| libm::log(other.seconds() / time.seconds()));
    let (mut below, mut above) = (0.0_f64, 0.0_f64);
    for ratio in ratios {
        below = below.min(ratio);
        above = above.max(ratio);
    }
    let side = |range: f64| Ratio::new((own * own + range * range / 3.0).sqrt());
    Interval {
        low: Interval::around(time, side(below)).low,
        high: Interval::around(time, side(above)).high,
    }
}

fn grade(row: &Row) -> String {
    match row.noted("grade") {
        Some(grade) => grade.chars().take(1).collect::<String>().to_uppercase(),
        None => String::new(),
    }
}

impl Family {
    /// Sums up rows under a name.
    pub fn of(name: &str, rows: &[&Predicted]) -> Family {
        let errors: Vec<f64> = rows.iter().map(|r| r.error).collect();
        let Summary {
            rows: count,
            mean: mean_error,
            median,
            p90,
            bias,
        } = summary(&errors);
        // In the metric of each row, as Strait's errors are: half the time is twice the rate.
        let jobs: Vec<Job> = (rows.iter())
            .map(|row| Job {
                needed: row.ideal_s / row.measured_s,
                is_time: Metric::of(&row.metric).is_ok_and(Metric::is_time),
            })
            .collect();
        let constant = best_constant(&jobs);
        let flat: Vec<f64> = jobs.iter().map(|job| job.error(constant).abs()).collect();
        let held = rows
            .iter()
            .filter(|r| r.low <= r.measured && r.measured <= r.high)
            .count();
        Family {
            family: name.to_owned(),
            rows: count,
            mean: mean_error,
            median,
            p90,
            bias,
            constant_mean: mean(&flat),
            constant_p90: quantile(&flat, 0.9),
            constant_median: quantile(&flat, 0.5),
            constant,
            coverage: held as f64 / count as f64,
        }
    }
}

/// Families that are reported but don't count in `overall`.
fn apart(family: &str) -> bool {
    family.contains("single node") && family.starts_with("vTrain") || family.contains("memory")
}

impl Report {
    /// Sums up outcomes, in their order.
    pub fn new(outcomes: Vec<Outcome>) -> Report {
        let mut rows = Vec::new();
        let mut refused = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Predicted(row) => rows.push(*row),
                Outcome::Refused(row) => refused.push(row),
            }
        }
        let (beside, rows): (Vec<Predicted>, Vec<Predicted>) =
            rows.into_iter().partition(|row: &Predicted| row.beside);
        let families = families(&rows);
        let counted: Vec<&Predicted> = rows.iter().filter(|r| !apart(&r.family)).collect();
        let overall = Family::of("overall", &counted);
        let groups = groups(&counted);
        Report {
            overall,
            families,
            groups,
            rows,
            refused,
            memory: Beside {
                families: self::families(&beside),
                rows: beside,
            },
        }
    }
}

/// Families in the order of their first rows.
fn families(rows: &[Predicted]) -> Vec<Family> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.family.as_str()) {
            names.push(&row.family);
        }
    }
    let of = |name: &&str| {
        let of: Vec<&Predicted> = rows.iter().filter(|r| r.family == *name).collect();
        Family::of(name, &of)
    };
    names.iter().map(of).collect()
}

impl Report {
    /// Reasons of refusal with the rows that they hold for, the commonest first.
    pub fn reasons(&self) -> Vec<(&str, Vec<&str>)> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in &self.refused {
            match reasons.iter_mut().find(|(reason, _)| *reason == row.reason) {
                Some((_, ids)) => ids.push(&row.id),
                None => reasons.push((&row.reason, vec![&row.id])),
            }
        }
        // Stable: of equals, in the order of the table.
        reasons.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
        reasons
    }
}

/// Sets of rows that are asked about.
fn groups(rows: &[&Predicted]) -> Vec<Family> {
    let measured_chip = |row: &Predicted| {
        ["a100", "h100-sxm", "h200-sxm", "h800", "b200", "gb200"]
            .iter()
            .any(|chip| row.accelerator.starts_with(chip))
            && row.accelerator != "h100-sxm-96"
            && !row.family.contains("FP4")
    };
    let graded = |row: &Predicted| ["A", "B"].contains(&row.grade.as_str());
    type Test<'a> = &'a dyn Fn(&Predicted) -> bool;
    let tests: [(&str, Test<'_>); 6] = [
        ("dense, grades A and B, chips with a kernel table", &|r| {
            r.class == "dense" && graded(r) && measured_chip(r)
        }),
        ("mixture of experts", &|r| r.class == "moe"),
        ("dense", &|r| r.class == "dense"),
        ("A100", &|r| r.accelerator.starts_with("a100")),
        ("Hopper", &|r| r.accelerator.starts_with('h')),
        ("Blackwell", &|r| {
            r.accelerator.starts_with('b') || r.accelerator.starts_with("gb")
        }),
    ];
    tests
        .iter()
        .filter_map(|(name, test)| {
            let of: Vec<&Predicted> = rows.iter().copied().filter(|r| test(r)).collect();
            (!of.is_empty()).then(|| Family::of(name, &of))
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report of one row a family, with the errors given.
    pub(in crate::validate) fn report(errors: &[(&str, f64)]) -> Report {
        let rows = errors.iter().map(|(family, error)| {
            Outcome::Predicted(Box::new(Predicted {
                id: format!("{family}-1"),
                family: (*family).to_owned(),
                grade: "A".into(),
                class: "dense",
                metric: "iteration_time_s".into(),
                measured: 10.0,
                predicted: 10.0 * (1.0 + error),
                error: *error,
                low: 8.0,
                high: 12.0,
                assumptions: Vec::new(),
                beside: false,
                accelerator: "h100-sxm".into(),
                source: "a table".into(),
                model: "a model".into(),
                gpus: 8,
                measured_s: 10.0,
                predicted_s: 10.0 * (1.0 + error),
                ideal_s: 4.0,
            }))
        });
        Report::new(rows.collect())
    }

    #[test]
    fn families_hold_their_rows_and_the_best_constant() {
        let report = report(&[("a", 0.1), ("a", -0.3), ("b", 0.05)]);
        let a = &report.families[0];
        assert_eq!((a.family.as_str(), a.rows), ("a", 2));
        assert!((a.mean - 0.2).abs() < 1e-12 && (a.bias + 0.1).abs() < 1e-12);
        // Both rows have the same job and the same measurement: a constant is exact.
        assert!((a.constant - 0.4).abs() < 1e-12 && a.constant_mean.abs() < 1e-12);
        assert_eq!(report.overall.rows, 3);
        assert_eq!(report.overall.coverage, 1.0);
    }

    #[test]
    fn memory_counts_apart() {
        let report = report(&[("x", 0.1), ("x memory, allocated", 0.9)]);
        assert_eq!((report.overall.rows, report.rows.len()), (1, 2));
    }

    #[test]
    fn a_report_of_nothing_is_no_panic() {
        let report = Report::new(Vec::new());
        assert_eq!(report.overall.rows, 0);
        assert!(serde_json::to_string(&report).is_ok());
    }
}
