//! The answer in words: a table for each rule, and what it says in one sentence.
//!
//! In: a [`Cost`]. Out: text. Never computes a run.

use super::{Cost, DesignPlan, Lack, Plan, RuleCost};
use crate::answer::format::{count, dollars, fixed, listed, scaled, significant, wrap};
use crate::answer::table::{Align, render};
use crate::answer::text::{Detail, TextStyle};
use std::fmt::Write;

/// Columns of prose.
const COLUMNS: usize = 96;

/// The finding of one rule.
pub(super) fn finding(rule: &RuleCost, cost: &Cost) -> String {
    let Some(base) = rule.base() else {
        let those = format!("accelerator on sale at the time of {}", rule.title);
        return sentence(match &rule.unconstrained_lack {
            Some(lack) if lack.small + lack.refused > 0 => none_of(&those, lack, cost),
            _ => format!("there is no {those}"),
        });
    };
    let times = |days: f64| format!("{} times", significant(days / base.days));
    let mut text = match &rule.permitted {
        Some(plan) if plan.accelerator == base.accelerator => format!(
            "the best accelerator on sale, {}, may be sold freely: the rule costs nothing",
            plan.name
        ),
        Some(plan) => format!(
            "on the best accelerator that may be sold freely, {}, the run takes {} days: {} those of {}, \
             or {} of them for the same {} days",
            plan.name,
            significant(plan.days),
            times(plan.days),
            base.name,
            count(plan.equal_days(base, cost.accelerators)),
            significant(base.days)
        ),
        None => {
            let those = "accelerator that may be sold freely";
            match &rule.permitted_lack {
                Some(lack) if lack.small + lack.refused > 0 => none_of(those, lack, cost),
                _ => format!("no {those} is on sale"),
            }
        }
    };
    if let Some(found) = &rule.designable {
        let plan = &found.plan;
        let _ = match found.design.changes() {
            changes if changes.is_empty() => {
                write!(text, "; {} could be sold as it is", plan.name)
            }
            changes => write!(
                text,
                "; the best that could be designed, a {} with {}, takes {} days: {}",
                base_name(found),
                listed(&changes),
                significant(plan.days),
                times(plan.days)
            ),
        };
    } else {
        text += "; no design within the rule ";
        text += &match &rule.design_lack {
            Some(Lack { why: Some(why), .. }) => format!("can be used ({why})"),
            Some(lack) if lack.small > 0 => "holds the model".to_owned(),
            _ => "is possible".to_owned(),
        };
    }
    sentence(text)
}

/// Why none is left of the chips that `those` names, in the singular.
fn none_of(those: &str, lack: &Lack, cost: &Cost) -> String {
    let least = lack.least.map_or(String::new(), |least| {
        format!(
            ": the least that a layout takes is {} GB on each",
            fixed(least.as_f64() / 1e9, 0)
        )
    });
    let why = lack.why.as_deref().unwrap_or_default();
    match (lack.small, lack.refused) {
        (_, 0) => format!(
            "no {those} has the memory to hold and train the model on {} of them{least}",
            count(u64::from(cost.accelerators))
        ),
        (0, _) => format!("no {those} can be simulated ({why})"),
        (small, refused) => format!(
            "no {those} can be used: {small} of them {} too little memory to hold and train the model \
             on {}{}, and {refused} can't be simulated ({why})",
            if small == 1 { "has" } else { "have" },
            count(u64::from(cost.accelerators)),
            least.replacen(": the", " (the", 1) + if least.is_empty() { "" } else { ")" },
        ),
    }
}

fn sentence(text: String) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().collect::<String>() + letters.as_str() + ".",
        None => text,
    }
}

/// The name of the chip that a design starts from.
fn base_name(found: &DesignPlan) -> String {
    let name = &found.plan.name;
    name.strip_prefix("design on ").unwrap_or(name).to_owned()
}

fn row(label: &str, plan: &Plan, base: Option<&Plan>) -> Vec<String> {
    let times = base.map_or(String::new(), |base| {
        format!("{}x", significant(plan.days / base.days))
    });
    vec![
        label.to_owned(),
        plan.name.clone(),
        significant(plan.days),
        times,
        scaled(plan.gpu_hours),
        plan.cost
            .map_or("no price".to_owned(), |cost| dollars(cost.get())),
        format!("{} GWh", significant(plan.energy.get() / 3.6e12)),
        plan.recipe.to_owned(),
        plan.layout.clone(),
    ]
}

/// The answer as text.
pub fn text(cost: &Cost, style: TextStyle) -> String {
    let mut out = String::new();
    let head = format!(
        "What export rules cost: {} on {} accelerator{} each, delivered to {}",
        cost.model,
        count(u64::from(cost.accelerators)),
        if cost.accelerators == 1 { "" } else { "s" },
        cost.to
    );
    out += &wrap(&head, COLUMNS, 0);
    out.push('\n');
    if style.detail > Detail::Headline {
        out += &wrap(
            "Every run in the best layout found for its chip, under the scenario's software and without \
             chance. Days are of the whole run; x is over the best accelerator on sale at the same time.",
            COLUMNS,
            0,
        );
        out.push('\n');
    }
    for rule in &cost.rules {
        let date = rule.date.as_deref().unwrap_or("no date");
        let until = rule
            .until
            .as_ref()
            .map_or("the last so far".to_owned(), |d| format!("until {d}"));
        if style.detail > Detail::Headline {
            style.heading(&mut out, &format!("{date}  {}", rule.title), &until);
            out += &table(rule);
        }
        let lead = if style.detail > Detail::Headline {
            String::new()
        } else {
            format!("{date}: ")
        };
        out += &wrap(&format!("{lead}{}", finding(rule, cost)), COLUMNS, 0);
        out.push('\n');
        if style.detail > Detail::Headline {
            if let Some(found) = &rule.designable {
                out += &wrap(&design_line(found), COLUMNS, 0);
                out.push('\n');
            }
            let shown = if style.detail > Detail::Normal {
                usize::MAX
            } else {
                2
            };
            for reason in rule.reasons.iter().take(shown) {
                out += &wrap(&format!("- {reason}"), COLUMNS, 2);
                out.push('\n');
            }
            if rule.reasons.len() > shown {
                let _ = writeln!(out, "- {} more with -v", rule.reasons.len() - shown);
            }
        }
    }
    out
}

fn table(rule: &RuleCost) -> String {
    let head = [
        "",
        "chip",
        "days",
        "",
        "GPU-hours",
        "rent",
        "energy",
        "recipe",
        "layout",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let base = rule.base();
    for (label, plan) in [
        ("without rules", rule.unconstrained.as_ref()),
        ("free", rule.permitted.as_ref()),
        ("after notice", rule.notified.as_ref()),
        ("case by case", rule.licensed.as_ref()),
        ("not a US export", rule.domestic.as_ref()),
        ("designable", rule.designable.as_ref().map(|d| &d.plan)),
    ] {
        if let Some(plan) = plan {
            rows.push(row(label, plan, base));
        }
    }
    use Align::{Left, Right};
    render(
        &rows,
        &[Left, Left, Right, Right, Right, Right, Right, Left, Left],
        2,
    )
}

/// The figures of a design, as the rules count them.
fn design_line(found: &DesignPlan) -> String {
    let d = &found.design;
    let mut line = format!(
        "The design: TPP {}, {} mm2 (density {}), I/O {} GB/s both ways, memory {} GB at {} GB/s.",
        fixed(d.tpp, 0),
        fixed(d.die_area, 0),
        fixed(d.density, 2),
        fixed(d.io_both_ways / 1e9, 0),
        fixed(d.memory.as_f64() / 1e9, 0),
        fixed(d.memory_bandwidth.get() / 1e9, 0)
    );
    if let Some(days) = found.units_off_days {
        let _ = write!(
            line,
            " With units switched off in place of a capped rate: {} days.",
            significant(days)
        );
    }
    if let Some((small, time)) = &found.plain_die {
        let days = found.plan.days * time.seconds() / found.plan.step.seconds();
        let _ = write!(
            line,
            " On the die of its base alone ({} mm2): TPP {}, about {} days.",
            fixed(small.die_area, 0),
            fixed(small.tpp, 0),
            significant(days)
        );
    }
    line
}
