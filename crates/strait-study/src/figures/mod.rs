//! Figures: SVG that states its finding, with its data as CSV beside it.
//!
//! In: an [`Answer`], a [`Report`] of published runs, or what rules [`Cost`]. Out: file names and contents. Never
//! writes files, and never draws anything that the CSV beside it does not hold.

mod axis;
mod contour;
pub mod cost_cdf;
mod decades;
mod decomposition;
pub mod dumbbell;
pub mod embed;
mod families;
pub mod front;
mod gantt;
#[cfg(test)]
mod inspect;
pub mod iso_cost;
mod labels;
mod look;
mod marks;
mod parity;
mod plot;
mod png;
pub mod results;
mod rules_cost;
pub mod small_multiples;
pub mod sweep;
pub mod tables;
mod theme;
pub mod tornado;
mod waterfall;

use crate::answer::Answer;
use crate::rules::cost::Cost;
use crate::validate::Report;
use crate::verdict::Quantity;
pub use marks::Mark;
pub use plot::{Line, Quantity as Axis};
pub use png::{LARGEST_SCALE, png};
use results::Results;

/// A figure could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("can't draw `{figure}`: {reason}")]
pub struct DrawError {
    /// Name of the figure.
    pub figure: &'static str,
    /// What the drawing library said.
    pub reason: String,
}

/// All figures of an answer, as `(file name, contents)`. Figures without data are left out.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(answer: &Answer, digest: &str) -> Result<Vec<(String, String)>, DrawError> {
    let (mut metrics, mut distributions, mut swings) = (None, None, None);
    let drawn = answer.cases.iter().any(|case| case.uncertainty.is_some());
    if drawn || answer.cases.len() > 1 {
        let results = Results::of(answer).map_err(|error| DrawError {
            figure: dumbbell::NAME,
            reason: error.to_string(),
        })?;
        let source = theme::source(&answer.question, digest);
        metrics = drawn_of(results.metrics(), |input| dumbbell::draw(input, &source))?;
        distributions = drawn_of(results.distributions(Quantity::Cost), |input| {
            cost_cdf::draw(input, &source)
        })?;
        swings = drawn_of(results.swings(Quantity::Cost), |input| {
            tornado::draw(input, &source)
        })?;
    }
    Ok(files([
        (decomposition::NAME, decomposition::draw(answer, digest)?),
        (gantt::NAME, gantt::draw(answer, digest)?),
        (waterfall::NAME, waterfall::draw(answer, digest)?),
        (dumbbell::NAME, metrics),
        (cost_cdf::NAME, distributions),
        (tornado::NAME, swings),
    ]))
}

/// A figure, where there is something to draw.
fn drawn_of<I>(
    input: Option<I>,
    draw: impl FnOnce(&I) -> Result<Option<(String, String)>, DrawError>,
) -> Result<Option<(String, String)>, DrawError> {
    input.as_ref().map_or(Ok(None), draw)
}

/// A figure of an answer that shows single steps or bills: file name, SVG and CSV.
///
/// # Errors
/// A figure that could not be drawn.
pub fn of_answer(
    name: OfAnswer,
    answer: &Answer,
    digest: &str,
) -> Result<Option<(String, String)>, DrawError> {
    match name {
        OfAnswer::StepDecomposition => decomposition::draw(answer, digest),
        OfAnswer::Pipeline => gantt::draw(answer, digest),
        OfAnswer::CostWaterfall => waterfall::draw(answer, digest),
    }
}

/// Figures that are drawn from a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfAnswer {
    /// Where the time of a step goes.
    StepDecomposition,
    /// What each pipeline rank does when.
    Pipeline,
    /// From the run to all that it took.
    CostWaterfall,
}

impl OfAnswer {
    /// File name without ending.
    pub fn name(self) -> &'static str {
        match self {
            OfAnswer::StepDecomposition => decomposition::NAME,
            OfAnswer::Pipeline => gantt::NAME,
            OfAnswer::CostWaterfall => waterfall::NAME,
        }
    }
}

/// All figures of a report, as [`draw`] gives them; `reproduce` is the command that gives the
/// report again.
///
/// # Errors
/// A figure that could not be drawn.
pub fn validation(report: &Report, reproduce: &str) -> Result<Vec<(String, String)>, DrawError> {
    let source = format!(
        "Source: measured runs of the publications named in {}.csv, predicted by Strait {}. \
         Reproduce: {reproduce}",
        parity::NAME,
        env!("CARGO_PKG_VERSION")
    );
    Ok(files([
        (parity::NAME, parity::draw(report, &source)?),
        (families::NAME, families::draw(report, &source)?),
    ]))
}

/// The figure of what rules cost, as [`draw`] gives figures; none where nothing could be trained.
///
/// # Errors
/// A figure that could not be drawn.
pub fn rules_cost(cost: &Cost, reproduce: &str) -> Result<Vec<(String, String)>, DrawError> {
    let source = format!(
        "Source: simulation by Strait {}; figures and rules of its catalogue. Reproduce: {reproduce}",
        env!("CARGO_PKG_VERSION")
    );
    let figure = rules_cost::draw(cost, &source)?;
    Ok(files([(rules_cost::NAME, figure), ("", None)]))
}

/// The files of those figures that have data.
fn files<const N: usize>(figures: [(&str, Option<(String, String)>); N]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (name, figure) in figures {
        if let Some((svg, csv)) = figure {
            files.push((format!("{name}.svg"), svg));
            files.push((format!("{name}.csv"), csv));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::inspect::{legible, well_formed};
    use super::*;
    use crate::answer::sample;
    use crate::validate::{Outcome, Predicted};

    fn several(count: usize) -> Answer {
        let mut answer = sample::answer();
        for index in 1..count {
            let mut case = sample::case_answer(sample::faster());
            if index > 1 {
                case.setting.name = format!("variant-{index} <&\"'>");
            }
            if index == 2 {
                // Another schedule: no pairs, other kinds of bars.
                case.outcome.step.bars = sample::one_f_one_b_bars(8, 40);
                let breakdown = &mut case.outcome.step.breakdown;
                std::mem::swap(&mut breakdown.overlapped, &mut breakdown.backward_input);
            }
            answer.cases.push(case);
        }
        answer
    }

    /// A run as validation sees it; errors are of the time.
    fn run(id: &str, family: &str, accelerator: &str, times: (f64, f64)) -> Outcome {
        let (measured_s, predicted_s) = times;
        Outcome::Predicted(Box::new(Predicted {
            id: id.to_owned(),
            family: family.to_owned(),
            grade: "A".to_owned(),
            class: if id.len().is_multiple_of(3) {
                "moe"
            } else {
                "dense"
            },
            metric: "iteration_time_s".to_owned(),
            measured: measured_s,
            predicted: predicted_s,
            error: predicted_s / measured_s - 1.0,
            low: predicted_s * 0.9,
            high: predicted_s * 1.1,
            assumptions: Vec::new(),
            accelerator: accelerator.to_owned(),
            source: family.to_owned(),
            model: "m, \"<&>".to_owned(),
            gpus: 8,
            measured_s,
            predicted_s,
            beside: false,
            ideal_s: measured_s * (0.2 + 0.1 * (id.len() % 5) as f64),
        }))
    }

    /// Families of hostile names, each of other sizes and errors; some runs have no time.
    fn published(families: usize) -> Report {
        let mut outcomes = Vec::new();
        for family in 0..families {
            let name = match family % 3 {
                0 => format!("family {family} <&\"'> \u{1}"),
                1 => format!("{family} {}", "a name that never ends ".repeat(9)),
                _ => format!("模型{family}"),
            };
            for index in 0..3 + 4 * family {
                let measured = 0.05 * 1.7_f64.powi((index * 7 % 17) as i32);
                let off = 1.0 + (index as f64 - 3.0) * 0.06 * (1.0 + family as f64 / 3.0);
                let chip = ["a100-sxm-80", "h100-sxm", "gb200", "br100", "hygon"][index % 5];
                let id = format!("{}-{index}<&>", name.chars().take(40).collect::<String>());
                outcomes.push(run(&id, &name, chip, (measured, measured * off.max(0.01))));
            }
            for (measured, predicted) in [(f64::NAN, f64::NAN), (1.0, f64::INFINITY), (0.0, 1.0)] {
                outcomes.push(run("none", "memory", "h100", (measured, predicted)));
            }
        }
        Report::new(outcomes)
    }

    #[test]
    fn figures_of_runs_are_well_formed_with_hostile_names() {
        for families in [2, 3, 9, 70] {
            let files = validation(&published(families), "strait validate --rows '<&>'").unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                [
                    "parity.svg",
                    "parity.csv",
                    "error-by-family.svg",
                    "error-by-family.csv"
                ]
            );
            for (name, contents) in &files {
                if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
                    let path = std::path::Path::new(&folder).join(format!("{families}-{name}"));
                    std::fs::write(path, contents).unwrap();
                }
                if name.ends_with(".svg") {
                    well_formed(contents);
                    legible(contents);
                }
            }
            let again = validation(&published(families), "strait validate --rows '<&>'").unwrap();
            assert!(files == again, "other bytes");
        }
    }

    #[test]
    fn runs_that_have_no_time_are_no_figure() {
        let refused = Outcome::Refused(crate::validate::Refused {
            id: "x".to_owned(),
            source: "y".to_owned(),
            reason: "z".to_owned(),
        });
        let memory = run("x", "memory", "h100", (f64::NAN, f64::NAN));
        for outcomes in [vec![], vec![refused], vec![memory]] {
            assert!(validation(&Report::new(outcomes), "").unwrap().is_empty());
        }
    }

    #[test]
    fn few_runs_and_far_ones_are_drawn() {
        let far = [1e-300, 1e-9, 1.0, 1e9, 1e300];
        for count in 1..=2 {
            let outcomes = (0..count)
                .map(|_| run("x", "f", "tpu7x", (1.0, 1.2)))
                .collect();
            let files = validation(&Report::new(outcomes), "").unwrap();
            assert_eq!(files.len(), 2, "too few for a family");
            assert!(
                files[0].1.contains("predicted within 20.0\u{a0}%"),
                "{}",
                files[0].1
            );
            legible(&files[0].1);
        }
        for (index, measured) in far.into_iter().enumerate() {
            let mut outcomes: Vec<_> = far.map(|p| run("far", "f", "b200", (measured, p))).into();
            outcomes.extend((0..30).map(|n| run("near", "f", "b200", (1.0 + f64::from(n), 2.0))));
            outcomes.extend(far.map(|p| run("mixed", "g", "h100", (far[index], p))));
            let files = validation(&Report::new(outcomes), "").unwrap();
            for (name, contents) in &files {
                if name.ends_with(".svg") {
                    well_formed(contents);
                    legible(contents);
                }
            }
        }
    }

    #[test]
    fn the_title_of_runs_is_what_the_report_says() {
        let report = published(9);
        let files = validation(&report, "").unwrap();
        let all = crate::validate::statistics::summary(
            &(parity::steps(&report)
                .iter()
                .map(|row| row.error)
                .collect::<Vec<_>>()),
        );
        assert!(files[0].1.contains(&format!("Half of {} runs", all.rows)));
        assert!(
            files[0]
                .1
                .contains(&parity::share(all.median).replace(' ', "\u{a0}"))
        );
        assert_eq!(files[1].1.lines().count() - 1, all.rows);
    }

    #[test]
    fn figures_are_well_formed_with_hostile_names() {
        for count in [1, 2, 3, 9] {
            let files = draw(&several(count), &"0".repeat(64)).unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            let expected = [
                "step-decomposition.svg",
                "step-decomposition.csv",
                "pipeline.svg",
                "pipeline.csv",
                "dumbbell.svg",
                "dumbbell.csv",
            ];
            // One case has nothing to be compared with.
            assert_eq!(names, expected[..if count == 1 { 4 } else { 6 }]);
            for (name, contents) in &files {
                if name.ends_with(".svg") {
                    well_formed(contents);
                    assert!(contents.starts_with("<svg width=\"960\" height="), "{name}");
                }
            }
            if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
                for (name, contents) in &files {
                    let path = std::path::Path::new(&folder).join(format!("{count}-{name}"));
                    std::fs::write(path, contents).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_data_beside_a_figure_sums_to_the_step() {
        let files = draw(&several(2), "").unwrap();
        let sum: f64 = (files[1].1.lines().skip(1))
            .filter(|line| line.starts_with("h800,"))
            .map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap())
            .sum();
        assert!((sum - 19.926).abs() < 1e-9, "{sum}");
        let bars = files[3].1.lines().count() - 1;
        let answer = several(2);
        let drawn: usize = answer.cases.iter().map(|c| c.outcome.step.bars.len()).sum();
        assert_eq!(bars, drawn);
    }

    #[test]
    fn lines_beyond_the_run_are_a_waterfall() {
        let mut answer = several(2);
        assert_eq!(
            draw(&answer, "").unwrap().len(),
            6,
            "no lines, no waterfall"
        );
        sample::with_lines(&mut answer.cases[1].outcome);
        answer.cases[1].outcome.cost.parts[1].name = "research <&\"'> ".repeat(9);
        let files = draw(&answer, &"0".repeat(64)).unwrap();
        assert_eq!(files[4].0, "cost-waterfall.svg");
        well_formed(&files[4].1);
        legible(&files[4].1);
        let sum: f64 = (files[5].1.lines().skip(1))
            .filter_map(|line| line.rsplit("made up").last())
            .filter_map(|line| line.rsplit(',').nth(2)?.parse::<f64>().ok())
            .sum();
        let cost = &answer.cases[1].outcome.cost;
        let total = cost.total().get();
        assert!((sum / total - 1.0).abs() < 1e-12, "{sum} {total}");
        if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
            let path = std::path::Path::new(&folder).join(&files[4].0);
            std::fs::write(path, &files[4].1).unwrap();
        }
    }

    #[test]
    fn without_a_step_there_is_no_figure() {
        let mut answer = sample::answer();
        answer.cases[0].outcome = Default::default();
        assert!(draw(&answer, "").unwrap().is_empty());
    }

    #[test]
    fn the_same_answer_gives_the_same_bytes() {
        assert_eq!(
            draw(&several(3), "x").unwrap(),
            draw(&several(3), "x").unwrap()
        );
    }
}
