//! The answer in words.
//!
//! In: an [`Answer`]. Out: text: the best layouts and why, how the written one stands, what was left out,
//! the front of time against memory, accelerators against days. Never computes a step.

use super::answer::{Answer, Others, Plan, Run, Site, Written};
use super::describe;
use super::document::{behind, sizes_on_front, unit};
use super::reasons::{against, bound_by, place, unlike};
use super::score::Objective;
use crate::answer::format::{count, dollars, fixed, listed, scaled, seconds, significant, wrap};
use crate::answer::table::{Align, render};
use crate::answer::text::{Detail, TextStyle};
use std::fmt::Write;

/// Columns of prose.
const COLUMNS: usize = 96;

/// The answer as text.
pub fn text(answer: &Answer, style: TextStyle) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", wrap(&headline(answer), COLUMNS, 0));
    if style.detail == Detail::Headline {
        return out;
    }
    if answer.compare_sizes {
        sizes(&mut out, answer, style);
    } else {
        for site in &answer.sites {
            one(&mut out, answer, site, style);
        }
    }
    let _ = writeln!(out, "\n{}", wrap(&conditions(answer), COLUMNS, 0));
    let _ = writeln!(out, "Again: {}", answer.command);
    out
}

/// The finding in a sentence or two.
fn headline(answer: &Answer) -> String {
    if answer.compare_sizes {
        let found: Vec<&Site> = answer.sites.iter().filter(|s| !s.best.is_empty()).collect();
        let (Some(least), Some(most)) = (
            found
                .iter()
                .min_by(|a, b| a.best[0].1.days.total_cmp(&b.best[0].1.days)),
            found.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))),
        ) else {
            return "No layout fits on any of these sizes.".to_owned();
        };
        if let [only] = found.as_slice() {
            let (_, run) = &only.best[0];
            return format!(
                "Of {} sizes a layout is possible on {} accelerators alone: {} days, {}.",
                answer.sites.len(),
                count(u64::from(only.accelerators)),
                significant(run.days),
                run.cost.map_or("no price".to_owned(), dollars),
            );
        }
        let mut words = format!(
            "Of {} sizes, {} accelerators are the fastest ({} days), {} cost the least ({}).",
            answer.sites.len(),
            count(u64::from(least.accelerators)),
            significant(least.best[0].1.days),
            count(u64::from(most.accelerators)),
            dollars(cost(most)),
        );
        let open = answer.sites.iter().filter(|site| site.unlooked > 0).count();
        if open > 0 {
            let _ = write!(
                words,
                " At {open} of them layouts are left that could be better."
            );
        }
        return words;
    }
    let Some(site) = answer.sites.first() else {
        return "Nothing was asked.".to_owned();
    };
    let Some((at, run)) = site.best.first() else {
        return none(site);
    };
    let best = &site.tried[*at];
    let mut words = format!(
        "The best layout {}of {} on {} {}: {}, {}. A step takes {}",
        if site.unlooked > 0 { "found " } else { "" },
        answer.model,
        count(u64::from(site.accelerators)),
        answer.accelerator,
        describe(&best.parallelism),
        best.recipe,
        seconds(best.step.time.seconds()),
    );
    if answer.objective == Objective::Energy {
        let _ = write!(
            words,
            " and {} MJ",
            significant(unit(best.score, Objective::Energy) / 1e6)
        );
    }
    let _ = write!(words, ", the run {} days", significant(run.days));
    if let Some(cost) = run.cost {
        let _ = write!(words, " and {}", dollars(cost));
    }
    words.push('.');
    if site.unlooked > 0 {
        let left = count(site.unlooked);
        let _ = write!(words, " {left} are left that could be better");
        if let Some(least) = site.least_unlooked {
            let gain = 1.0 - least as f64 / best.score.max(1) as f64;
            let _ = write!(words, ", by at most {} %", fixed(100.0 * gain.max(0.0), 1));
        }
        words.push('.');
    }
    match &site.written {
        Written::Refused(why) => {
            let _ = write!(words, " {} can't be used: {why}.", own_name(answer));
        }
        Written::Works(works) => {
            let own = &works.0;
            let _ = write!(words, " {}", against_written(own, best, site, answer));
        }
    }
    words
}

/// What the scenario's layout is called, at the start of a sentence.
fn own_name(answer: &Answer) -> &'static str {
    match answer.by_default {
        true => "The layout that Strait takes where none is written",
        false => "The written layout",
    }
}

/// How the scenario's layout stands.
fn against_written(own: &Plan, best: &Plan, site: &Site, answer: &Answer) -> String {
    let place = place(own, site);
    if place == Some(1) {
        return match answer.by_default {
            true => "The scenario writes no layout: Strait would take this one.".to_owned(),
            false => "It is the layout that the scenario writes.".to_owned(),
        };
    }
    let what = match answer.objective {
        Objective::Energy => "energy",
        _ => "time",
    };
    let share = behind(own.score, best.score);
    let own_time = seconds(own.step.time.seconds());
    let fits = own.step.memory.peak <= site.capacity;
    let stands = match place {
        Some(place) => format!(", place {place}"),
        None if !fits => ", and does not fit".to_owned(),
        None => String::new(),
    };
    let differs = unlike(best, own);
    let differ = match differs.is_empty() {
        true => String::new(),
        false => format!("; they differ in {differs}"),
    };
    if share.abs() < 5e-7 {
        return format!(
            "{} is as good: {own_time}{stands}{differ}.",
            own_name(answer)
        );
    }
    let sign = if share < 0.0 { "less" } else { "more" };
    format!(
        "{} takes {own_time}, {} % {sign} {what}{stands}{differ}.",
        own_name(answer),
        fixed(100.0 * share.abs(), if share.abs() < 0.001 { 3 } else { 1 }),
    )
}

/// Why there is none.
fn none(site: &Site) -> String {
    let mut words = format!(
        "No layout of this space is possible on {} accelerators",
        count(u64::from(site.accelerators))
    );
    match site.counts.refused.least_memory {
        Some(least) if site.fit == 0 => {
            let _ = write!(
                words,
                " within {} GB: the least that any takes is {} GB",
                fixed(site.capacity.as_f64() / 1e9, 1),
                fixed(least.as_f64() / 1e9, 1)
            );
        }
        _ => {
            let most = site
                .counts
                .refused
                .by_setting
                .iter()
                .max_by_key(|(_, n)| **n);
            if let Some((setting, _)) = most {
                let _ = write!(words, ": most are refused for {setting}");
            }
            if let Some(example) = &site.example {
                let _ = write!(words, " (one of them: {example})");
            }
            if let Some((setting, _)) = site.failed.first() {
                let _ = write!(words, ": {setting} can't be simulated");
            }
        }
    }
    words.push('.');
    words
}

fn cost(site: &Site) -> f64 {
    let run = site.best.first().and_then(|(_, run)| run.cost);
    run.unwrap_or(f64::INFINITY)
}

fn one(out: &mut String, answer: &Answer, site: &Site, style: TextStyle) {
    if !site.best.is_empty() {
        style.heading(
            out,
            "Best layouts",
            "step, against the best, memory of the fullest rank",
        );
        out.push_str(&best(answer, site));
        style.heading(out, "Why", "");
        why(out, site, style);
    }
    if !site.front.is_empty() {
        let remark = "the fastest within each limit; where none is named, that within less";
        let remark = match answer.objective {
            Objective::Energy => remark.replace("fastest", "least energy"),
            _ => remark.to_owned(),
        };
        style.heading(out, "Time against memory", &remark);
        out.push_str(&front(site));
        if site.front_unproven > 0 {
            let words = format!(
                "At {} of these limits layouts were left that could be better: raise --simulate.",
                site.front_unproven
            );
            let _ = writeln!(out, "{}", wrap(&words, COLUMNS, 0));
        }
    }
    style.heading(out, "Left out", "");
    let _ = writeln!(out, "{}", wrap(&left_out(site, answer, style), COLUMNS, 0));
    if let Some((at, _)) = site.best.first() {
        let settings = &site.tried[*at].settings;
        if !settings.is_empty() {
            let sets: Vec<String> = (settings.iter())
                .map(|(path, value)| match value.contains(['[', ' ']) {
                    true => format!("--set '{path}={value}'"),
                    false => format!("--set {path}={value}"),
                })
                .collect();
            style.heading(out, "To run the best", "");
            let _ = writeln!(out, "strait run {} {}", answer.scenario, sets.join(" "));
        }
    }
}

fn best(answer: &Answer, site: &Site) -> String {
    let first = &site.tried[site.best[0].0];
    let mut rows = Vec::new();
    let mut row = |label: String, plan: &Plan, run: &Run| {
        let behind = behind(plan.score, first.score);
        rows.push(vec![
            label,
            seconds(plan.step.time.seconds()),
            match plan == first {
                true => String::new(),
                false => format!(
                    "{}{} %",
                    if behind < 0.0 { "" } else { "+" },
                    fixed(100.0 * behind, 2)
                ),
            },
            format!("{} GB", fixed(plan.step.memory.peak.as_f64() / 1e9, 1)),
            format!("{} days", significant(run.days)),
            run.cost.map_or("no price".to_owned(), dollars),
            match answer
                .sites
                .iter()
                .any(|s| s.tried.iter().any(|p| p.recipe != first.recipe))
            {
                true => format!("{} {}", describe(&plan.parallelism), plan.recipe),
                false => describe(&plan.parallelism),
            },
        ]);
    };
    for (place, (at, run)) in (1..).zip(&site.best) {
        row(place.to_string(), &site.tried[*at], run);
    }
    if let Written::Works(works) = &site.written {
        let (own, run) = works.as_ref();
        let place = place(own, site);
        let word = match answer.by_default {
            true => "default",
            false => "written",
        };
        row(
            place.map_or(word.to_owned(), |p| format!("{word} = {p}")),
            own,
            run,
        );
    }
    use Align::{Left, Right};
    render(&rows, &[Left, Right, Right, Right, Right, Right, Left], 2)
}

fn why(out: &mut String, site: &Site, style: TextStyle) {
    let first = &site.tried[site.best[0].0];
    let mut line = |text: &str| {
        let _ = writeln!(out, "  {}", wrap(text, COLUMNS - 2, 5));
    };
    line(&format!("1  {}", bound_by(first).join(", ")));
    for (place, (at, _)) in (1..).zip(&site.best).skip(1) {
        let plan = &site.tried[*at];
        let most = if style.detail == Detail::Full {
            usize::MAX
        } else {
            3
        };
        let words: Vec<String> = against(plan, first).into_iter().take(most).collect();
        let differs = unlike(plan, first);
        line(&format!("{place}  {differs}: {}", words.join(", ")));
        if style.detail == Detail::Full {
            line(&format!("   {}", bound_by(plan).join(", ")));
        }
    }
}

fn front(site: &Site) -> String {
    let rows: Vec<Vec<String>> = (site.front.iter())
        .map(|(limit, at)| {
            let plan = &site.tried[*at];
            vec![
                format!("{} GB", fixed(limit.as_f64() / 1e9, 1)),
                seconds(plan.step.time.seconds()),
                format!("{} GB", fixed(plan.step.memory.peak.as_f64() / 1e9, 1)),
                describe(&plan.parallelism),
            ]
        })
        .collect();
    use Align::{Left, Right};
    render(&rows, &[Right, Right, Right, Left], 2)
}

/// What became of the space.
fn left_out(site: &Site, answer: &Answer, style: TextStyle) -> String {
    let refused = &site.counts.refused;
    let impossible: u64 = refused.by_setting.values().sum();
    let mut settings: Vec<(&String, &u64)> = refused.by_setting.iter().collect();
    settings.sort_by_key(|(setting, number)| (std::cmp::Reverse(**number), (*setting).clone()));
    let shown = if style.detail == Detail::Full {
        usize::MAX
    } else {
        4
    };
    let mut by: Vec<String> = (settings.iter().take(shown))
        .map(|(setting, number)| format!("{} for {setting}", count(**number)))
        .collect();
    let rest: u64 = settings
        .iter()
        .skip(shown)
        .map(|(_, number)| **number)
        .sum();
    if rest > 0 {
        by.push(format!("{} for other settings", count(rest)));
    }
    let mut words = format!(
        "{} layouts were considered ({} combinations, less repeated ones). {} are impossible",
        count(refused.looked_at),
        count(site.numbers),
        count(impossible)
    );
    if !by.is_empty() {
        let _ = write!(words, " ({})", listed(&by));
    }
    let _ = write!(
        words,
        ", {} need more than {} GB ({} of them for weights, gradients and optimizer states alone). Of the \
         {} that fit, {} could not be better than those named, and {} were simulated to find these; with those for \
         the front of memory, which may be among the ones that could not be better, {} were.",
        count(refused.memory),
        fixed(site.capacity.as_f64() / 1e9, 1),
        count(site.counts.by_states),
        count(site.fit),
        count(site.bounded),
        count(site.fit - (site.bounded + site.unlooked).min(site.fit)),
        count(site.tried.len() as u64)
    );
    if site.unlooked > 0 {
        let _ = write!(
            words,
            " {} more could be better and were left: raise --simulate, or narrow an --axis",
            count(site.unlooked)
        );
        let best = site.best.first().map(|(at, _)| site.tried[*at].score);
        if let (Some(least), Some(best)) = (site.least_unlooked, best) {
            let gain = 1.0 - least as f64 / best.max(1) as f64;
            let _ = write!(words, " (by at most {} %)", fixed(100.0 * gain.max(0.0), 1));
        }
        words.push('.');
    }
    for (setting, number) in &site.failed {
        let _ = write!(
            words,
            " {} could not be simulated for {setting}.",
            count(*number)
        );
    }
    if site.broken_bounds > 0 {
        let _ = write!(
            words,
            " {} took less than their bound: a defect of Strait, please report it.",
            count(site.broken_bounds)
        );
    }
    if answer.exhaustive {
        words += " Everything that fits was simulated.";
    }
    words
}

fn sizes(out: &mut String, answer: &Answer, style: TextStyle) {
    style.heading(
        out,
        "Accelerators against days",
        "the best layout of each size; * no other is better in days and cost with no more",
    );
    let mut rows = vec![
        [
            "",
            "accelerators",
            "days",
            "GPU-hours",
            "cost",
            "step",
            "memory",
            "layout",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let mut missing = Vec::new();
    for (site, on_front) in answer.sites.iter().zip(sizes_on_front(answer)) {
        let size = count(u64::from(site.accelerators));
        let Some((at, run)) = site.best.first() else {
            rows.push(vec![String::new(), size, "none".to_owned()]);
            missing.push(none(site));
            continue;
        };
        let plan = &site.tried[*at];
        rows.push(vec![
            if on_front { "*" } else { "" }.to_owned(),
            size,
            format!(
                "{}{}",
                if run.others == Others::Estimated {
                    "~"
                } else {
                    ""
                },
                significant(run.days)
            ),
            scaled(run.gpu_hours),
            run.cost.map_or("no price".to_owned(), dollars),
            seconds(plan.step.time.seconds()),
            format!("{} GB", fixed(plan.step.memory.peak.as_f64() / 1e9, 1)),
            describe(&plan.parallelism),
        ]);
    }
    use Align::{Left, Right};
    out.push_str(&render(
        &rows,
        &[Left, Right, Right, Right, Right, Right, Right, Left],
        2,
    ));
    for told in missing {
        let _ = writeln!(out, "{}", wrap(&told, COLUMNS, 0));
    }
    let unlooked: u64 = answer.sites.iter().map(|site| site.unlooked).sum();
    let looked: u64 = answer
        .sites
        .iter()
        .map(|s| s.counts.refused.looked_at)
        .sum();
    let tried: u64 = answer.sites.iter().map(|s| s.tried.len() as u64).sum();
    let words = format!(
        "{} layouts were considered and {} simulated; {}.",
        count(looked),
        count(tried),
        match unlooked {
            0 => "no other could be better".to_owned(),
            more => format!("{} more could be better: raise --simulate", count(more)),
        }
    );
    let _ = writeln!(out, "{}", wrap(&words, COLUMNS, 0));
}

/// What holds for all of it.
fn conditions(answer: &Answer) -> String {
    let mut words = format!(
        "Without chance: no jitter, chips alike, expert loads equal; folded where that is exact. The batch \
         stays {} sequences of {} tokens.",
        count(u64::from(answer.global_batch)),
        count(u64::from(answer.sequence_length))
    );
    if answer.phases > 1 {
        let _ = write!(
            words,
            " The layout is that of the phase \"{}\", which has most tokens",
            answer.phase
        );
        let runs = || {
            answer
                .sites
                .iter()
                .flat_map(|site| site.best.iter().map(|(_, run)| run.others))
        };
        if runs().all(|others| others == Others::Written) {
            words += "; the other phases keep theirs";
        } else if runs().any(|others| others == Others::Estimated) {
            words += "; where the other phases have no valid layout, days are estimated from all tokens (~)";
        } else {
            words += "; other phases keep theirs, or take this one where theirs is not valid";
        }
        words.push('.');
    }
    if answer.objective == Objective::Cost {
        words += " With the accelerators given, the least time is the least cost.";
    }
    words
}
