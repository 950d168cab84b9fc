//! One case as text, section by section.
//!
//! In: a [`CaseAnswer`]. Out: lines appended to a string. Never repeats what another
//! section says.

use super::{BAR, COLUMNS, Detail, StepUnit, TextStyle, headline, seconds};
use crate::answer::CaseAnswer;
use crate::answer::compare::exposed;
use crate::answer::format::{
    count, dollars, fixed, percent, scaled, signed_percent, significant, wrap,
};
use crate::answer::table::Align::{Left, Right};
use crate::answer::table::{bar, render};
use crate::chance;
use crate::uncertainty;
use crate::verdict::{Check, Judgement, Part, Quantity, Verdict};
use std::fmt::Write;
use strait_training::price::Basis;
use strait_training::rollout::{RolloutOutcome, Stage};
use strait_units::{Energy, Time};

pub(super) fn one_case(out: &mut String, case: &CaseAnswer, style: TextStyle) {
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
    cost(out, case, style);
    claims(out, &case.claims, None, style);
    checks(out, &case.checks, None, style);
    if let Some(study) = &case.uncertainty {
        chance::text(out, study, style);
    }
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
    let worth = uncertainty::interval(&case.setting.subject, s);
    let _ = writeln!(
        out,
        "  {} to {} with a probability of {} (docs/accuracy.md)",
        unit.print(seconds(worth.low)),
        unit.print(seconds(worth.high)),
        percent(uncertainty::COVERAGE),
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
            "{} days, {} GPU-hours, {} MWh, {} {} (electricity in it: {})",
            significant(run.days),
            scaled(run.gpu_hours),
            significant(run.energy.get() / 3.6e9),
            dollars(case.outcome.cost.run().get()),
            match case.outcome.cost.basis {
                Basis::Rent => "of rent",
                Basis::Own => "on owned accelerators",
            },
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
    interruptions(out, case, style);
    for phase in &run.phases {
        if let Some(rollout) = &phase.rollout {
            stages(out, &phase.name, rollout, case.setting.ranks, style);
        }
    }
    if style.detail == Detail::Full {
        let _ = writeln!(
            out,
            "  rent {} per GPU-hour",
            dollars(case.setting.rent.get())
        );
        let mwh = |energy: Energy| significant(energy.get() / 3.6e9);
        let parts = &run.energy_parts;
        let _ = writeln!(
            out,
            "  MWh: computing {}, communication {}, idle {}, switches {}, facility {}",
            mwh(parts.compute),
            mwh(parts.communication),
            mwh(parts.idle),
            mwh(parts.network),
            mwh(parts.facility),
        );
    }
}

/// The waterfall, from the run to all that it took.
fn cost(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let all = &case.outcome.cost;
    let ranged = all.low < all.high;
    if all.parts.len() < 2 && !ranged {
        return;
    }
    let total = all.total().get();
    let mut remark = dollars(total);
    if ranged {
        let ends = [all.low, all.high].map(|end| dollars(end.get()));
        remark += &format!(", {} to {} with all ranges at one end", ends[0], ends[1]);
    }
    style.heading(out, "Cost", &remark);
    let mut rows = vec![["", "low", "likely", "high", ""].map(String::from).to_vec()];
    let row = |name: &str, low: f64, value: f64, high: f64| {
        let ends = match low < high {
            true => [dollars(low), dollars(high)],
            false => [String::new(), String::new()],
        };
        let [low, high] = ends;
        let share = if total > 0.0 { value / total } else { 0.0 };
        vec![name.to_owned(), low, dollars(value), high, bar(share, BAR)]
    };
    let mut beyond = false;
    let mut sum = [0.0; 3];
    for part in &all.parts {
        if !part.kind.of_run() && !beyond {
            beyond = true;
            rows.push(row("the run", sum[0], sum[1], sum[2]));
        }
        let three = [part.low, part.money, part.high].map(|money| money.get());
        sum.iter_mut().zip(three).for_each(|(s, p)| *s += p);
        let name = match (part.kind.of_run(), beyond) {
            (true, _) => format!("  {}", part.name),
            _ => format!("+ {}", part.name),
        };
        rows.push(row(&name, three[0], three[1], three[2]));
    }
    if beyond {
        rows.push(row(
            "all that it took",
            all.low.get(),
            total,
            all.high.get(),
        ));
    }
    out.push_str(&render(&rows, &[Left, Right, Right, Right], 2));
    for part in all.parts.iter().filter(|part| !part.why.is_empty()) {
        if part.kind.of_run() && style.detail < Detail::Full {
            continue;
        }
        let mut text = format!("{}: {}", part.name, part.why);
        if !part.source.is_empty() && style.detail == Detail::Full {
            text += &format!(" ({})", part.source);
        }
        let _ = writeln!(out, "  {}", wrap(&text, COLUMNS - 2, 4));
    }
}

/// Where the days of an interrupted run went.
fn interruptions(out: &mut String, case: &CaseAnswer, style: TextStyle) {
    let run = &case.outcome.run;
    let Some(all) = &run.interruptions else {
        return;
    };
    let span = |days: f64| match days {
        d if d >= 2.0 => format!("{} days", significant(d)),
        d if d >= 2.0 / 24.0 => format!("{} h", significant(d * 24.0)),
        d if d >= 2.0 / 1440.0 => format!("{} min", significant(d * 1440.0)),
        d => format!("{} s", significant(d * 86_400.0)),
    };
    style.heading(
        out,
        "Where the time went",
        &format!(
            "goodput {}: {} unexpected and {} planned interruptions",
            percent(run.goodput().get()),
            count(all.unexpected()),
            count(all.planned),
        ),
    );
    let a = &run.account;
    let rows: Vec<_> = [
        ("training", a.training),
        ("steps done again", a.lost),
        ("rolled back", a.rollback),
        ("stragglers", a.straggling),
        ("checkpoints", a.checkpoint),
        ("evaluation", a.evaluation),
        ("detection", a.detection),
        ("restart", a.restart),
        ("waiting for nodes", a.waiting),
    ]
    .into_iter()
    .filter(|(_, days)| days.get() > 0.0 || style.detail == Detail::Full)
    .map(|(name, days)| {
        let share = days.get() / run.days;
        vec![
            name.to_owned(),
            span(days.get()),
            percent(share),
            bar(share, BAR),
        ]
    })
    .collect();
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
    let checkpoint = match (all.checkpoint_interval, all.optimal_interval) {
        // The one is in whole microseconds.
        (Some(used), Some(best)) if (used / best - 1.0).abs() < 1e-6 => format!(
            "A checkpoint after {} of training, the best interval",
            span(used.get())
        ),
        (Some(used), Some(best)) => format!(
            "A checkpoint after {} of training; the best interval is {}",
            span(used.get()),
            span(best.get())
        ),
        (Some(used), None) => format!(
            "A checkpoint after {} of training; none would be worth its time",
            span(used.get())
        ),
        (None, _) => "No checkpoint: none is worth its time".to_owned(),
    };
    let checkpoint = match all.checkpoint_interval {
        Some(_) => format!(
            "{checkpoint}; training stops {} for one",
            span(seconds(all.checkpoint_stop) / 86_400.0)
        ),
        None => checkpoint,
    };
    let text = format!(
        "{checkpoint}. {} nodes stand by, at most {} were in repair. This is one run, drawn by the \
         seed; the mean of all is {} days, stragglers and waiting left out.",
        count(u64::from(all.spares)),
        count(u64::from(all.most_in_repair)),
        significant(all.mean_days.get()),
    );
    let _ = writeln!(out, "  {}", wrap(&text, COLUMNS - 2, 2));
    if style.detail == Detail::Full {
        let mut causes: Vec<_> = all.by_cause.iter().filter(|(_, n)| *n > 0).collect();
        causes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let list: Vec<_> = (causes.iter())
            .map(|(cause, n)| format!("{cause} {n}"))
            .collect();
        let _ = writeln!(out, "  {}", wrap(&list.join("; "), COLUMNS - 2, 2));
    }
}

/// Stages of a phase of reinforcement learning.
fn stages(out: &mut String, name: &str, rollout: &RolloutOutcome, ranks: u32, style: TextStyle) {
    let days: f64 = rollout.stages.iter().map(|s| s.time.get()).sum();
    let generation: f64 = (rollout.stages.iter())
        .filter(|s| matches!(s.stage, Stage::Rollout | Stage::RolloutTail))
        .map(|s| s.time.get() * 86_400.0)
        .sum();
    let rate = rollout.generated.as_f64() / generation / f64::from(ranks.max(1));
    style.heading(
        out,
        &format!("Stages of {name}"),
        &format!(
            "{} rollouts, {} tokens generated at {} tokens/s per GPU",
            fixed(rollout.rollouts, 0),
            scaled(rollout.generated.as_f64()),
            significant(rate),
        ),
    );
    let mut rows = Vec::new();
    for stage in &rollout.stages {
        let time = stage.time.get();
        if time == 0.0 && style.detail < Detail::Full {
            continue;
        }
        let share = if days > 0.0 { time / days } else { 0.0 };
        rows.push(vec![
            stage.stage.name().to_owned(),
            format!("{} h", significant(time * 24.0)),
            percent(share),
            bar(share, BAR),
        ]);
    }
    out.push_str(&render(&rows, &[Left, Right, Right], 2));
    if style.detail == Detail::Full {
        let _ = writeln!(
            out,
            "  {} GB of weights on a GPU, {} GB for the KV cache; up to {} sequences at a time in a group",
            fixed(rollout.weights.gigabytes(), 1),
            fixed(rollout.cache.gigabytes(), 1),
            significant(rollout.sequences),
        );
    }
}

/// What a claim is of, for people.
pub(super) fn subject(quantity: Quantity, phase: Option<&String>) -> String {
    match phase {
        Some(phase) => format!("GPU-hours of {phase}"),
        None => quantity.name().to_owned(),
    }
}

/// A section's name, with that of the case where several are shown.
fn section(name: &str, of: Option<&str>) -> String {
    of.map_or(name.to_owned(), |case| format!("{name} of {case}"))
}

pub(super) fn claims(out: &mut String, claims: &[Judgement], of: Option<&str>, style: TextStyle) {
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
            subject(j.claim.quantity, j.claim.phase.as_ref()),
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
            let reason = format!(
                "{}: {}.",
                subject(j.claim.quantity, j.claim.phase.as_ref()),
                j.reasons.join("; ")
            );
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

pub(super) fn checks(out: &mut String, checks: &[Check], of: Option<&str>, style: TextStyle) {
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
            subject(check.expect.quantity, check.expect.phase.as_ref()),
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

pub(super) fn warnings(out: &mut String, warnings: &[String], style: TextStyle) {
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
        "{} ranks, {} ops, {} events; {folded}; network grain: {}",
        count(work.ranks),
        scaled(work.ops as f64),
        scaled(work.events as f64),
        work.grain,
    );
    style.heading(out, "Engine", &remark);
    if work.on_links > 0 {
        let links = count(u64::from(work.on_links));
        let _ = writeln!(
            out,
            "  {links} transfers (by group and pattern) share links or meet a fault there"
        );
    }
}
