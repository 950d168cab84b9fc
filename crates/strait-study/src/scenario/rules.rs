//! Whether the accelerator of a case could be bought under export rules.
//!
//! In: `cluster.available_under`, `bought` and `destination`, and the accelerator with the changes of the
//! case. Out: an error that names clause, figure and threshold, or a warning; nothing where the keys are not
//! given. Never changes a case.

use super::diagnostic::Diagnostic;
use super::read::{Reader, Scope};
use super::tree::Node;
use crate::catalog::{ACCELERATORS, Catalog};
use crate::rules::timeline::statuses;
use crate::rules::{
    Chip, Classification, Destination, Outcome, Period, Query, RuleBook, Sale, When, classify,
};
use strait_training::hardware::Accelerator;
use strait_units::FlopRate;

/// Checks a case's accelerator.
pub(super) fn check(scope: &Scope<'_>, chip: &Accelerator, catalog: &Catalog, reader: &mut Reader) {
    let under = reader.written(scope, "available_under");
    let bought = reader.written(scope, "bought");
    if under.is_none() && bought.is_none() {
        return;
    }
    let to = reader
        .word(scope, "destination")
        .and_then(|word| word.parse::<Destination>().ok());
    let to = to.unwrap_or(Destination::China);
    // The catalogue of the program is tested; one of a user may be wrong.
    let (book, subject) = match (RuleBook::of(catalog), catalog.chip(&chip.id)) {
        (Ok(book), Ok(subject)) => (book, changed(subject, chip, scope)),
        (Err(error), _) => {
            return reader.fail(Diagnostic::error("scenario::rules", error.to_string()));
        }
        (_, Err(error)) => {
            return reader.fail(Diagnostic::error("scenario::rules", error.to_string()));
        }
    };
    let ask = |when: When| {
        let query = Query {
            when,
            to,
            headquarters: None,
        };
        classify(&subject, &query, &book)
    };
    if let Some((text, node)) = &bought {
        let period = match Period::parse(text) {
            Ok(period) => period,
            Err(error) => {
                let d = Diagnostic::error("scenario::date", format!("`cluster.bought`: {error}"));
                return reader.fail(d.at(&node.place, "not a date"));
            }
        };
        if let Sale::Since(since) = subject.sale
            && since.first > period.last
        {
            let d = Diagnostic::error(
                "scenario::not-on-sale",
                format!("{} can't have been bought by {}: it went on sale in {}", chip.id, period.last, since.first),
            )
            .at(&node.place, "before it was on sale")
            .help("correct the date, or choose an accelerator of that time (`strait catalog list accelerators`)");
            return reader.fail(reader.label(d, "cluster.accelerator", &scope.place, ""));
        }
        if let Ok(answer) = ask(When::On(period.last)) {
            judge(&answer, scope, node, &subject, to, (&book, catalog), reader);
        }
        // Rules stop transfers, never the use of what was bought before.
        return;
    }
    let Some((text, node)) = under else { return };
    match book.when(&text) {
        Ok((when, _)) => {
            if let Ok(answer) = ask(when) {
                judge(&answer, scope, node, &subject, to, (&book, catalog), reader);
            }
        }
        Err(message) => {
            let d = Diagnostic::error(
                "scenario::unknown-rule",
                format!("`cluster.available_under`: {message}"),
            );
            reader.fail(
                d.at(&node.place, "not a rule")
                    .help("see `strait rules timeline`"),
            );
        }
    }
}

/// The catalogue's chip with the changes of the case; a changed chip is a design, not one that was sold.
fn changed(mut subject: Chip, chip: &Accelerator, scope: &Scope<'_>) -> Chip {
    let given = |key: &str| scope.node(key).is_some();
    let mut new = false;
    if given("nvlink_bandwidth") {
        subject = subject.with_scale_up(chip.scale_up);
        new = true;
    }
    if let Some(rate) = chip.host_bandwidth.filter(|_| given("host_bandwidth")) {
        subject = subject.with_host(rate);
        new = true;
    }
    if given("memory_bandwidth") {
        subject = subject.with_memory(chip.memory_bandwidth);
        new = true;
    }
    let peaks: Vec<(&str, FlopRate)> = [
        ("peak_fp16", "fp16", chip.peaks.fp16),
        ("peak_bf16", "bf16", chip.peaks.bf16),
        ("peak_fp8", "fp8", chip.peaks.fp8),
        ("peak_fp4", "fp4", chip.peaks.fp4),
    ]
    .into_iter()
    .filter(|(key, ..)| given(key))
    .filter_map(|(_, operand, rate)| rate.map(|rate| (operand, rate)))
    .collect();
    if !peaks.is_empty() {
        subject = subject.with_peaks(&peaks);
        new = true;
    }
    if new {
        let name = format!("{} with the changes of the case", subject.name);
        subject = subject.designed(name);
    }
    subject
}

fn judge(
    answer: &Classification,
    scope: &Scope<'_>,
    node: &Node,
    subject: &Chip,
    to: Destination,
    (book, catalog): (&RuleBook, &Catalog),
    reader: &mut Reader,
) {
    let day = answer.day.map_or(String::new(), |d| format!(" on {d}"));
    let clause = answer
        .clause
        .as_ref()
        .map_or(String::new(), |c| format!(" under {c}"));
    let rule = answer
        .rule
        .as_ref()
        .map_or(String::new(), |r| format!(" ({r})"));
    let figures: Vec<&str> = (answer.reasons.iter())
        .filter(|r| !r.starts_with("contested: "))
        .map(String::as_str)
        .take(4)
        .collect();
    let figures = figures.join("; ");
    let told = |d: Diagnostic, reader: &Reader| {
        let d = d.at(&node.place, answer.outcome.words());
        let d = reader.label(d, "cluster.accelerator", &scope.place, &figures);
        [
            "nvlink_bandwidth",
            "host_bandwidth",
            "memory_bandwidth",
            "peak_bf16",
            "peak_fp8",
        ]
        .iter()
        .filter(|key| scope.node(key).is_some())
        .fold(d, |d, key| {
            reader.label(d, &scope.path(key), &scope.place, "changed here")
        })
    };
    let id = &subject.id;
    if answer.forbidden() {
        let d = Diagnostic::error(
            "scenario::export-rule",
            format!(
                "{id} can't be bought for {}{day}: {}{clause}{rule}",
                to.words(),
                answer.outcome.words()
            ),
        );
        let mut d = told(d, reader);
        let near = permitted(subject, answer, to, book, catalog);
        if !near.is_empty() {
            d = d.help(format!(
                "permitted and nearest in performance: {}",
                near.join(", ")
            ));
        }
        d = d.help(match until(subject, to, book) {
            Some(last) => format!(
                "or state that it was bought before: cluster.bought = \"{last}\" or earlier (rules stop transfers, not the use of stock)"
            ),
            None if subject.sale == Sale::Never => {
                "the changes make it a chip that was never sold, so that there is no stock of it".to_owned()
            }
            None => "it was under control from its first day, so that no stock can have been bought before".to_owned(),
        });
        reader.fail(d);
        return;
    }
    let warning = match answer.outcome {
        Outcome::Unknown => format!(
            "whether {id} may be bought for {}{day} can't be told: not known is {}",
            to.words(),
            answer.missing.join(", ")
        ),
        Outcome::Notify | Outcome::CaseByCase => {
            format!(
                "{id} for {}{day}: {}{clause}{rule}",
                to.words(),
                answer.outcome.words()
            )
        }
        _ => return,
    };
    let d = told(
        Diagnostic::warning("scenario::export-rule", warning),
        reader,
    );
    reader
        .faults
        .push(d.help(format!("see `strait rules classify {id}`")));
}

/// The last day on which it was not forbidden before it first was, if it was on sale by then.
fn until(subject: &Chip, to: Destination, book: &RuleBook) -> Option<crate::rules::Date> {
    let stretches = statuses(subject, book, to).ok()?;
    let first = stretches.iter().find(|s| s.kind().forbids())?.start()?;
    let last = first.previous();
    match subject.sale {
        Sale::Since(period) if period.first <= last => Some(last),
        _ => None,
    }
}

/// Up to three chips that may be bought under the same rules, nearest in performance. Among those that
/// were on sale while the rules held, and that can be simulated.
fn permitted(
    subject: &Chip,
    answer: &Classification,
    to: Destination,
    book: &RuleBook,
    catalog: &Catalog,
) -> Vec<String> {
    let (Some(day), Some(wanted)) = (answer.day, subject.tpp) else {
        return Vec::new();
    };
    let end = (book.milestones())
        .filter_map(|set| set.effective)
        .filter(|effective| *effective > day)
        .min();
    let query = Query {
        when: answer
            .rule_id
            .clone()
            .filter(|id| book.set(id).is_some_and(|s| s.published == Some(day)))
            .map_or(When::On(day), When::Under),
        to,
        headquarters: None,
    };
    let mut found: Vec<(f64, String)> = Vec::new();
    for id in catalog.list(ACCELERATORS).unwrap_or_default() {
        let Ok(chip) = catalog.chip(id) else { continue };
        let sold = match (chip.sale, end) {
            (Sale::Since(period), Some(end)) => period.first < end,
            (Sale::Since(_), None) => true,
            _ => false,
        };
        if !sold || chip.datacentre != subject.datacentre || catalog.accelerator(id).is_err() {
            continue;
        }
        let free = classify(&chip, &query, book).is_ok_and(|a| {
            matches!(
                a.outcome,
                Outcome::Free | Outcome::Notify | Outcome::CaseByCase
            )
        });
        if let Some(tpp) = chip.tpp.filter(|tpp| free && tpp.0 > 0.0) {
            let ratio = if tpp > wanted {
                tpp.0 / wanted.0
            } else {
                wanted.0 / tpp.0
            };
            found.push((ratio, id.to_owned()));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(3).map(|(_, id)| id).collect()
}
