//! Answers as text for people, at most 100 columns wide.
//!
//! In: an [`Answer`] or a [`Comparison`]. Out: a string. Never contains anything that
//! differs between two runs of the same question, and never asks what terminal it is for:
//! colour is left out afterwards where it is not wanted.

use super::compare::{Comparison, Contribution, Difference, exposed};
use super::document::{GRAIN, RunDocument};
use super::format::{
    count, decimals, dollars, fixed, listed, percent, scaled, signed, signed_percent, significant,
    wrap,
};
use super::table::{Align, bar, render};
use super::{Answer, CaseAnswer, Question};
use crate::verdict::{Check, Judgement, Part, Quantity, Verdict};
use Align::{Left, Right};
use std::fmt::Write;
use strait_units::Time;

/// Columns that no line exceeds, except commands to copy.
const COLUMNS: usize = 96;
/// Columns of a full bar.
const BAR: usize = 32;

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The headline only.
    Headline,
    /// The answer.
    #[default]
    Normal,
    /// Every part, reason and source.
    Full,
}

/// How to say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// How much to say.
    pub detail: Detail,
    /// ANSI styles for headings and verdicts.
    pub styled: bool,
}

impl TextStyle {
    fn paint(self, code: &str, text: &str) -> String {
        if self.styled {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A section's heading: its name in bold, then a remark.
    fn heading(self, out: &mut String, name: &str, remark: &str) {
        let gap = if remark.is_empty() { "" } else { "   " };
        let _ = writeln!(out, "\n{}{gap}{remark}", self.bold(name));
    }

    fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Impossible => "1;31",
            Verdict::Implausible => "33",
            Verdict::Plausible | Verdict::Expected => "32",
            Verdict::Undecidable => "2",
        };
        self.paint(code, verdict.word())
    }
}

fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

/// One unit and one number of decimals for the parts of a step.
#[derive(Clone, Copy)]
struct StepUnit {
    factor: f64,
    symbol: &'static str,
    decimals: usize,
}

impl StepUnit {
    fn of(time: f64) -> StepUnit {
        let (factor, symbol) = if time >= 1.0 || time == 0.0 {
            (1.0, "s")
        } else {
            (1e3, "ms")
        };
        StepUnit {
            factor,
            symbol,
            decimals: decimals(time * factor, 4).min(3),
        }
    }

    fn print(self, seconds: f64) -> String {
        format!(
            "{} {}",
            fixed(seconds * self.factor, self.decimals),
            self.symbol
        )
    }

    fn print_signed(self, seconds: f64) -> String {
        format!(
            "{} {}",
            signed(seconds * self.factor, self.decimals),
            self.symbol
        )
    }
}

/// The answer of `strait run`.
pub fn run(answer: &Answer, style: TextStyle) -> String {
    let mut out = String::new();
    for (index, case) in answer.cases.iter().enumerate() {
        if style.detail == Detail::Headline {
            out += &headline(case);
            out.push('\n');
            continue;
        }
        if index > 0 {
            let _ = writeln!(out, "\n{}\n", "─".repeat(COLUMNS));
        }
        one_case(&mut out, case, style);
    }
    if style.detail > Detail::Headline {
        let digest = RunDocument::from(answer).digest;
        reproduce(&mut out, &answer.question, &digest, style);
    }
    out
}

/// The question answered in a sentence or two.
pub fn headline(case: &CaseAnswer) -> String {
    let outcome = &case.outcome;
    let mut text = format!(
        "{} on {} {}: a step takes {}, the run {} days, {} GPU-hours and {}.",
        case.setting.model,
        count(u64::from(case.setting.ranks)),
        case.setting.accelerator,
        StepUnit::of(seconds(outcome.step.time)).print(seconds(outcome.step.time)),
        significant(outcome.run.days),
        scaled(outcome.run.gpu_hours),
        dollars(outcome.run.rent.get()),
    );
    if !outcome.step.memory.fits() {
        text += " It does not fit in memory.";
    }
    if let Some(judgement) = worst(&case.claims) {
        text.push(' ');
        text += &claim_in_words(judgement, &case.claims);
    }
    wrap(&text, COLUMNS, 0)
}

/// The verdict on one claim in a sentence, and how it goes with the others.
fn claim_in_words(judgement: &Judgement, all: &[Judgement]) -> String {
    let claim = &judgement.claim;
    let print = |value: f64| claim.quantity.unit().print(value);
    let whose = if claim.who.is_empty() {
        "The claim".to_owned()
    } else {
        format!("{}'s claim", claim.who)
    };
    let mut text = format!(
        "{whose} of {} ({}) is {}",
        print(claim.stated),
        claim.quantity.name(),
        judgement.verdict.word(),
    );
    if let Some(simulated) = judgement.simulated {
        text += &format!(": simulated is {}", print(simulated));
    }
    let alike = (all.iter())
        .filter(|j| j.verdict == judgement.verdict)
        .count();
    if all.len() > 1 && alike == all.len() {
        text += &format!("; so are all {alike} claims");
    } else if all.len() > 1 {
        text += &format!(
            "; {} of {} claims have another verdict",
            all.len() - alike,
            all.len()
        );
    }
    text + "."
}

/// The claim with the hardest verdict, the first of equals.
fn worst(claims: &[Judgement]) -> Option<&Judgement> {
    let rank = |j: &Judgement| match j.verdict {
        Verdict::Impossible => 0,
        Verdict::Implausible => 1,
        Verdict::Plausible => 2,
        Verdict::Expected => 3,
        Verdict::Undecidable => 4,
    };
    claims.iter().min_by_key(|j| rank(j))
}

fn one_case(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    out.push_str(&headline(case));
    out.push('\n');
    let _ = writeln!(
        out,
        "\n{}: {}",
        style.bold(&case.setting.name),
        wrap(
            &case.setting.layout(),
            COLUMNS - case.setting.name.len() - 2,
            2
        )
    );
    step(out, case, style);
    communication(out, case, style);
    kernels(out, case, style);
    memory(out, case, style);
    whole_run(out, case, style);
    claims(out, &case.claims, None, style);
    checks(out, &case.checks, None, style);
    warnings(out, &case.warnings, style);
    engine(out, case, style);
}

fn step(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let s = &case.outcome.step;
    let time = seconds(s.time);
    let unit = StepUnit::of(time);
    let main = case
        .setting
        .main_phase()
        .map_or("main", |m| &case.setting.phases[m].name);
    style.heading(
        out,
        "Step",
        &format!(
            "{} for {} tokens, phase \"{main}\"",
            unit.print(time),
            scaled(s.tokens.as_f64())
        ),
    );
    let mut rows = Vec::new();
    for part in Part::ALL {
        let length = seconds(part.time(&case.outcome));
        if length == 0.0 && style.detail < Detail::Full {
            continue;
        }
        let share = if time > 0.0 { length / time } else { 0.0 };
        rows.push(vec![
            part.name().to_owned(),
            unit.print(length),
            percent(share),
            bar(share, BAR),
        ]);
    }
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
    let print = |value: Option<f64>| value.map_or("-".to_owned(), significant);
    let value = |q: Quantity| q.simulated(&case.setting, &case.outcome);
    let rows = [
        vec![
            String::new(),
            "causal".to_owned(),
            "full attention".to_owned(),
        ],
        vec![
            "model TFLOPS per GPU".to_owned(),
            print(value(Quantity::TflopsCausal)),
            print(value(Quantity::TflopsFull)),
        ],
        vec![
            "MFU against BF16 peak".to_owned(),
            value(Quantity::MfuCausal).map_or("-".to_owned(), percent),
            value(Quantity::MfuFull).map_or("-".to_owned(), percent),
        ],
        vec![
            "tokens/s per GPU".to_owned(),
            print(value(Quantity::TokensPerSecondPerGpu)),
        ],
    ];
    out.push('\n');
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
    let convention = "Model FLOPs leave out recompute and multi-token prediction. Causal counts \
                      half of the attention square, full all of it. The peak is dense BF16.";
    let _ = writeln!(out, "  {}", wrap(convention, COLUMNS - 2, 2));
}

fn communication(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let time = seconds(case.outcome.step.time);
    let unit = StepUnit::of(time);
    let kinds = exposed(case);
    let total: Time = kinds.iter().map(|(_, t)| *t).sum();
    let remark = format!(
        "{}: compute idle for it, contained in the parts above",
        unit.print(seconds(total))
    );
    style.heading(out, "Exposed communication", &remark);
    let rows: Vec<_> = (kinds.iter())
        .filter(|(_, t)| *t > Time::ZERO || style.detail == Detail::Full)
        .map(|(name, t)| share_row(&format!("{name} parallel"), seconds(*t), time, unit))
        .collect();
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
}

fn share_row(name: &str, length: f64, time: f64, unit: StepUnit) -> Vec<String> {
    let share = if time > 0.0 { length / time } else { 0.0 };
    vec![
        name.to_owned(),
        unit.print(length),
        percent(share),
        bar(share, BAR),
    ]
}

fn kernels(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let all = &case.outcome.step.kernels;
    if all.is_empty() {
        return;
    }
    let time = seconds(case.outcome.step.time);
    let unit = StepUnit::of(time);
    let total: Time = all.iter().map(|(_, t)| *t).sum();
    let remark = format!("{} of compute, mean over ranks", unit.print(seconds(total)));
    style.heading(out, "Kernels", &remark);
    let shown = if style.detail == Detail::Full {
        all.len()
    } else {
        8
    };
    let mut rows: Vec<_> = (all.iter().take(shown))
        .map(|(class, t)| share_row(class, seconds(*t), time, unit))
        .collect();
    if all.len() > shown {
        let rest: Time = all[shown..].iter().map(|(_, t)| *t).sum();
        let name = format!("{} more classes", all.len() - shown);
        rows.push(share_row(&name, seconds(rest), time, unit));
    }
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
}

fn memory(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let m = &case.outcome.step.memory;
    let gb = |bytes: u64| format!("{} GB", fixed(bytes as f64 / 1e9, 1));
    let fit = if m.fits() {
        format!("fits, {} to spare", gb(m.capacity.get() - m.peak.get()))
    } else {
        format!(
            "DOES NOT FIT, {} too much",
            gb(m.peak.get() - m.capacity.get())
        )
    };
    let remark = format!(
        "peak {} of {} on pipeline rank {}, the fullest: {fit}",
        gb(m.peak.get()),
        gb(m.capacity.get()),
        m.pipeline_rank
    );
    style.heading(out, "Memory", &remark);
    let shown = if style.detail == Detail::Full {
        m.parts.len()
    } else {
        6
    };
    let whole = m.peak.max(m.capacity).as_f64();
    let row = |name: &str, bytes: u64| {
        let share = if whole > 0.0 {
            bytes as f64 / whole
        } else {
            0.0
        };
        vec![name.to_owned(), gb(bytes), percent(share), bar(share, BAR)]
    };
    let mut rows: Vec<_> = (m.parts.iter().take(shown))
        .map(|part| row(&part.name, part.bytes.get()))
        .collect();
    if m.parts.len() > shown {
        let rest = m.parts[shown..].iter().map(|part| part.bytes.get()).sum();
        rows.push(row(&format!("{} more parts", m.parts.len() - shown), rest));
    }
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
    if !m.fits() {
        let _ = writeln!(out, "  {}", wrap(&remedies(case), COLUMNS - 2, 2));
    }
}

/// What would make a layout fit, for the settings it has.
fn remedies(case: &CaseAnswer) -> String {
    use strait_training::case::{Recompute, Zero};
    let p = &case.setting.parallelism;
    let mut list = Vec::new();
    if p.recompute != Recompute::Full {
        list.push("more recompute (parallelism.recompute)".to_owned());
    }
    if p.zero < Zero::Zero3 {
        list.push("a higher ZeRO stage (parallelism.zero)".to_owned());
    }
    if p.micro_batch > 1 {
        list.push("a smaller micro-batch (parallelism.micro_batch)".to_owned());
    }
    list.push("more tensor, pipeline or expert ranks (parallelism.*)".to_owned());
    list.push("an accelerator with more memory (cluster.accelerator)".to_owned());
    let last = list.pop().unwrap_or_default();
    format!("Ways out: {} or {last}.", list.join(", "))
}

fn whole_run(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let run = &case.outcome.run;
    style.heading(
        out,
        "Run",
        &format!(
            "{} days, {} GPU-hours, {} MWh, {} of rent (electricity in it: {})",
            significant(run.days),
            scaled(run.gpu_hours),
            significant(run.energy.get() / 3.6e9),
            dollars(run.rent.get()),
            dollars(run.electricity.get()),
        ),
    );
    let mut rows = vec![
        ["phase", "tokens", "steps", "mean step", "GPU-hours", "days"]
            .map(String::from)
            .to_vec(),
    ];
    for (index, phase) in run.phases.iter().enumerate() {
        let tokens = case.setting.phases.get(index).map(|p| p.tokens.as_f64());
        rows.push(vec![
            phase.name.clone(),
            tokens.map_or("-".to_owned(), scaled),
            fixed(phase.steps, 0),
            StepUnit::of(seconds(phase.step_time)).print(seconds(phase.step_time)),
            scaled(phase.gpu_hours),
            significant(phase.gpu_hours / f64::from(case.setting.ranks.max(1)) / 24.0),
        ]);
    }
    if rows.len() > 1 {
        out.push_str(&render(
            &rows,
            &[Left, Right, Right, Right, Right, Right],
            2,
        ));
    }
    if style.detail == Detail::Full {
        let _ = writeln!(
            out,
            "  rent {} per GPU-hour",
            dollars(case.setting.rent.get())
        );
    }
}

/// A section's name, with that of the case where several are shown.
fn section(name: &str, of: Option<&str>) -> String {
    of.map_or(name.to_owned(), |case| format!("{name} of {case}"))
}

fn claims(out: &mut String, claims: &[Judgement], of: Option<&str>, style: TextStyle) {
    if claims.is_empty() {
        return;
    }
    let name = section("Claims", of);
    style.heading(out, &name, "ratio is simulated over stated");
    let mut rows = vec![
        ["quantity", "stated", "simulated", "ratio", "verdict"]
            .map(String::from)
            .to_vec(),
    ];
    for j in claims {
        let unit = j.claim.quantity.unit();
        rows.push(vec![
            j.claim.quantity.name().to_owned(),
            unit.print(j.claim.stated),
            j.simulated.map_or("-".to_owned(), |s| unit.print(s)),
            j.ratio.map_or("-".to_owned(), |r| fixed(r, 3)),
            style.verdict(j.verdict),
        ]);
    }
    out.push_str(&render(&rows, &[Left, Right, Right, Right], 2));
    for j in claims {
        let ordinary = matches!(j.verdict, Verdict::Expected | Verdict::Plausible);
        if !ordinary || style.detail == Detail::Full {
            let reason = format!("{}: {}.", j.claim.quantity.name(), j.reasons.join("; "));
            let _ = writeln!(out, "  {}", wrap(&reason, COLUMNS - 2, 4));
        }
        let source: Vec<_> = [&j.claim.who, &j.claim.date, &j.claim.source]
            .into_iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .collect();
        if style.detail == Detail::Full && !source.is_empty() {
            let _ = writeln!(out, "    {}", wrap(&source.join(", "), COLUMNS - 4, 4));
        }
    }
}

fn checks(out: &mut String, checks: &[Check], of: Option<&str>, style: TextStyle) {
    if checks.is_empty() {
        return;
    }
    let failed = checks.iter().filter(|check| !check.holds).count();
    let remark = if failed == 0 {
        "all hold".to_owned()
    } else {
        format!("{failed} of {} FAIL", checks.len())
    };
    style.heading(out, &section("Expectations", of), &remark);
    let mut rows = vec![
        ["quantity", "expected", "simulated", "error", "within", ""]
            .map(String::from)
            .to_vec(),
    ];
    for check in checks {
        let unit = check.expect.quantity.unit();
        rows.push(vec![
            check.expect.quantity.name().to_owned(),
            unit.print(check.expect.stated),
            check.simulated.map_or("-".to_owned(), |s| unit.print(s)),
            check.error.map_or("-".to_owned(), signed_percent),
            percent(check.expect.within),
            if check.holds {
                "holds".to_owned()
            } else {
                style.paint("1;31", "FAILS")
            },
        ]);
    }
    out.push_str(&render(&rows, &[Left, Right, Right, Right, Right], 2));
}

fn warnings(out: &mut String, warnings: &[String], style: TextStyle) {
    if warnings.is_empty() {
        return;
    }
    style.heading(out, "Warnings", "check these before trusting the answer");
    for warning in warnings {
        let _ = writeln!(out, "  - {}", wrap(warning, COLUMNS - 4, 4));
    }
}

fn engine(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let work = &case.outcome.step.work;
    let folded = if work.folded {
        "identical replicas simulated once"
    } else {
        "every rank simulated"
    };
    let remark = format!(
        "{} ranks, {} ops, {} events; {folded}; network grain: {GRAIN}",
        count(work.ranks),
        scaled(work.ops as f64),
        scaled(work.events as f64),
    );
    style.heading(out, "Engine", &remark);
}

fn reproduce(out: &mut String, question: &Question, digest: &str, style: TextStyle) {
    style.heading(out, "Reproduce", &question.command);
    let _ = writeln!(
        out,
        "  strait {}, seed {}, digest {digest}",
        question.version, question.seed
    );
}

/// The answer of `strait compare`.
pub fn compare(answer: &Answer, comparison: &Comparison, style: TextStyle) -> String {
    let mut out = String::new();
    for difference in &comparison.differences {
        out += &wrap(&difference.finding, COLUMNS, 2);
        out.push('\n');
    }
    if comparison.differences.is_empty() {
        let _ = writeln!(
            out,
            "{} alone: nothing to compare it with.",
            comparison.baseline
        );
    }
    if style.detail == Detail::Headline {
        return out;
    }
    overview(&mut out, answer, style);
    let few = comparison.differences.len() <= 2 || style.detail == Detail::Full;
    for difference in &comparison.differences {
        one_difference(
            &mut out,
            answer,
            &comparison.baseline,
            difference,
            few,
            style,
        );
    }
    let named: Vec<String> = (answer.cases.iter())
        .flat_map(|case| (case.warnings.iter()).map(|w| format!("{}: {w}", case.setting.name)))
        .collect();
    warnings(&mut out, &named, style);
    for (index, case) in answer.cases.iter().enumerate() {
        // Cases of one file repeat its claims; the baseline's say enough.
        let all = index == 0 || style.detail == Detail::Full;
        let name = &case.setting.name;
        if all {
            claims(&mut out, &case.claims, Some(name), style);
        }
        if all || case.checks.iter().any(|check| !check.holds) {
            checks(&mut out, &case.checks, Some(name), style);
        }
    }
    reproduce(&mut out, &answer.question, &comparison.digest, style);
    out
}

/// One line for each case.
fn overview(out: &mut String, answer: &Answer, style: TextStyle) {
    style.heading(out, "Cases", "the first is the baseline");
    let mut rows = vec![
        [
            "case",
            "step",
            "",
            "TFLOPS",
            "GPU-hours",
            "",
            "cost",
            "bubble",
            "exposed",
            "memory",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let Some(base) = answer.cases.first() else {
        return;
    };
    let time = |c: &CaseAnswer| seconds(c.outcome.step.time);
    let unit = StepUnit::of(time(base));
    for (index, case) in answer.cases.iter().enumerate() {
        let step = &case.outcome.step;
        let relative = |after: f64, before: f64| {
            if index == 0 || before <= 0.0 {
                String::new()
            } else {
                signed_percent(after / before - 1.0)
            }
        };
        let all: Time = exposed(case).iter().map(|(_, t)| *t).sum();
        let memory = format!("{} GB", fixed(step.memory.peak.as_f64() / 1e9, 1));
        rows.push(vec![
            case.setting.name.clone(),
            unit.print(time(case)),
            relative(time(case), time(base)),
            fixed(step.rate_causal.get() / 1e12, 1),
            scaled(case.outcome.run.gpu_hours),
            relative(case.outcome.run.gpu_hours, base.outcome.run.gpu_hours),
            dollars(case.outcome.run.rent.get()),
            unit.print(seconds(step.breakdown.bubble)),
            unit.print(seconds(all)),
            if step.memory.fits() {
                memory
            } else {
                format!("{memory}, over")
            },
        ]);
    }
    let aligns = [
        Left, Right, Right, Right, Right, Right, Right, Right, Right, Right,
    ];
    out.push_str(&render(&rows, &aligns, 2));
}

fn one_difference(
    out: &mut String,
    answer: &Answer,
    baseline: &str,
    difference: &Difference,
    tables: bool,
    style: TextStyle,
) {
    let remark = if difference.settings.is_empty() {
        String::new()
    } else {
        listed(&difference.settings)
    };
    let title = format!("{} against {baseline}", difference.case);
    let _ = writeln!(out, "\n{}", style.bold(&title));
    if !remark.is_empty() {
        let _ = writeln!(out, "  {}", wrap(&remark, COLUMNS - 2, 2));
    }
    if tables {
        let mut rows = vec![vec![
            "measure".to_owned(),
            baseline.to_owned(),
            difference.case.clone(),
            "difference".to_owned(),
        ]];
        for metric in &difference.metrics {
            let mut row = metric.words.to_vec();
            row.push(signed_percent(metric.relative));
            rows.push(row);
        }
        out.push_str(&render(&rows, &[Left, Right, Right, Right, Right], 2));
    }
    let base = answer
        .cases
        .first()
        .map_or(0.0, |c| seconds(c.outcome.step.time));
    let unit = StepUnit::of(base);
    for (title, list) in [
        ("where in the step", &difference.by_part),
        ("by cause", &difference.by_cause),
    ] {
        let shown = if tables { list.len() } else { 3 };
        let head = [
            title,
            baseline,
            &difference.case,
            "difference",
            "of the step",
        ];
        let mut rows = vec![head.map(String::from).to_vec()];
        rows.extend(list.iter().take(shown).map(|c| contribution(c, base, unit)));
        out.push('\n');
        out.push_str(&render(&rows, &[Left, Right, Right, Right, Right], 2));
    }
}

fn contribution(c: &Contribution, base: f64, unit: StepUnit) -> Vec<String> {
    let share = if base > 0.0 {
        c.difference_s / base
    } else {
        0.0
    };
    vec![
        c.name.clone(),
        unit.print(c.baseline_s),
        unit.print(c.value_s),
        unit.print_signed(c.difference_s),
        signed_percent(share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;
    use strait_units::Bytes;

    const PLAIN: TextStyle = TextStyle {
        detail: Detail::Normal,
        styled: false,
    };

    fn tidy(text: &str) {
        for line in text.lines() {
            assert_eq!(line, line.trim_end(), "trailing spaces");
            let long = line.contains("strait run") || line.contains("digest");
            assert!(long || line.chars().count() <= 100, "{line}");
        }
        assert!(text.ends_with('\n'));
    }

    /// Digests change with the version; snapshots leave them out.
    fn without_digest(text: &str) -> String {
        (text.lines())
            .map(|line| line.split(", digest ").next().unwrap_or(line).to_owned() + "\n")
            .collect()
    }

    fn two() -> Answer {
        let mut answer = sample::answer();
        answer.cases.push(sample::case_answer(sample::faster()));
        answer
    }

    #[test]
    fn a_run_reads_well() {
        let text = run(&sample::answer(), PLAIN);
        tidy(&text);
        insta::assert_snapshot!(without_digest(&text));
    }

    #[test]
    fn a_run_in_full_reads_well() {
        let style = TextStyle {
            detail: Detail::Full,
            ..PLAIN
        };
        let text = run(&sample::answer(), style);
        tidy(&text);
        insta::assert_snapshot!(without_digest(&text));
    }

    #[test]
    fn quiet_is_the_headline_only() {
        let style = TextStyle {
            detail: Detail::Headline,
            ..PLAIN
        };
        let text = run(&sample::answer(), style);
        tidy(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn too_much_memory_is_an_answer_with_remedies() {
        let mut answer = sample::answer();
        answer.cases[0].outcome.step.memory.peak = Bytes::new(91_300_000_000);
        let text = run(&answer, PLAIN);
        assert!(text.contains("It does not fit in memory."), "{text}");
        assert!(text.contains("DOES NOT FIT, 11.3 GB too much"), "{text}");
        assert!(text.contains("Ways out: "), "{text}");
        tidy(&text);
    }

    #[test]
    fn a_comparison_reads_well() {
        let answer = two();
        let comparison = Comparison::new(&answer).unwrap();
        let text = compare(&answer, &comparison, PLAIN);
        tidy(&text);
        insta::assert_snapshot!(without_digest(&text));
    }

    #[test]
    fn nine_cases_fit_the_width() {
        let mut answer = two();
        for index in 0..7 {
            let mut case = answer.cases[1].clone();
            case.setting.name = format!("no-node-limit-{index}");
            answer.cases.push(case);
        }
        let comparison = Comparison::new(&answer).unwrap();
        tidy(&compare(&answer, &comparison, PLAIN));
    }

    #[test]
    fn styles_add_nothing_but_codes() {
        let answer = two();
        let styled = TextStyle {
            styled: true,
            ..PLAIN
        };
        let mut stripped = String::new();
        for piece in run(&answer, styled).split('\x1b') {
            match piece.strip_prefix('[') {
                Some(rest) => stripped += rest.split_once('m').unwrap().1,
                None => stripped += piece,
            }
        }
        assert_eq!(stripped, run(&answer, PLAIN));
    }

    #[test]
    fn effort_never_shows() {
        let mut answer = sample::answer();
        let before = run(&answer, PLAIN);
        answer.cases[0].effort.cpu_s *= 3.0;
        assert_eq!(run(&answer, PLAIN), before);
    }

    #[test]
    fn an_empty_outcome_does_not_panic() {
        let mut answer = two();
        for case in &mut answer.cases {
            case.outcome = Default::default();
        }
        tidy(&run(&answer, PLAIN));
        let comparison = Comparison::new(&answer).unwrap();
        tidy(&compare(&answer, &comparison, PLAIN));
    }
}
