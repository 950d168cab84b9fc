//! Scenarios that say under which export rules their accelerators must be for sale.

use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};

/// Errors or warnings of a small scenario with these lines in `[cluster]`; and whether it was refused.
fn said(cluster: &str) -> (bool, String) {
    let text = format!(
        "[model]\npreset = \"llama3-8b\"\n\n[cluster]\nnodes = 2\n{cluster}\n\n[training]\ntokens = \"1 T tokens\"\nsequence_length = 8192\nglobal_batch = 64\n"
    );
    match scenario::load_text("a.toml", &text, &Catalog::embedded(), &Overrides::default()) {
        Ok(loaded) => {
            let each = loaded
                .cases
                .iter()
                .map(|c| render_all(&c.warnings, Style::Plain));
            (false, each.collect())
        }
        Err(faults) => (true, render_all(&faults, Style::Plain)),
    }
}

fn refused(cluster: &str, words: &[&str]) {
    let (refused, text) = said(cluster);
    assert!(refused, "{cluster}\n{text}");
    for word in words {
        assert!(
            text.contains(word),
            "{cluster}: \"{word}\" is not in\n{text}"
        );
    }
}

fn accepted(cluster: &str, words: &[&str]) {
    let (refused, text) = said(cluster);
    assert!(!refused, "{cluster}\n{text}");
    for word in words {
        assert!(
            text.contains(word),
            "{cluster}: \"{word}\" is not in\n{text}"
        );
    }
    assert!(
        !words.is_empty() || !text.contains("export-rule"),
        "{cluster}\n{text}"
    );
}

#[test]
fn a_forbidden_chip_is_refused_with_clause_figure_threshold_and_remedy() {
    refused(
        "accelerator = \"h100-sxm\"\navailable_under = \"2022-10-07\"",
        &[
            "error[scenario::export-rule]",
            "h100-sxm can't be bought for China on 2022-10-07",
            "under 3A090 (Advanced computing rule, 87 FR 62186",
            "a.toml:7:19",
            "TPP 15,831 reaches 4,800",
            "I/O bandwidth 1,028 GB/s both ways reaches 600 GB/s both ways",
            "permitted and nearest in performance: h800-sxm",
            "no stock can have been bought before",
        ],
    );
    refused(
        "accelerator = \"a100-sxm-80\"\navailable_under = \"2022-10-07\"",
        &[
            "permitted and nearest in performance: a800",
            "cluster.bought = \"2022-08-25\" or earlier",
        ],
    );
    // The letters of 2025, and any rule by its id.
    refused(
        "accelerator = \"h20-96\"\navailable_under = \"2025-04-letters\"",
        &[
            "licence needed under memory bandwidth + memory and I/O",
            "4,000 GB/s reaches 1,400 GB/s",
        ],
    );
    refused(
        "accelerator = \"h20-3e-141\"\navailable_under = \"safe-chips-act\"",
        &["SAFE Chips Act"],
    );
}

#[test]
fn a_permitted_chip_passes_in_silence_and_a_condition_is_a_warning() {
    accepted(
        "accelerator = \"h800-sxm\"\navailable_under = \"2022-10-07\"",
        &[],
    );
    accepted(
        "accelerator = \"h800-sxm\"\navailable_under = 2022-10-07",
        &[],
    );
    accepted("accelerator = \"b200\"\navailable_under = \"none\"", &[]);
    accepted(
        "accelerator = \"b200\"\navailable_under = \"2026-01-15\"\ndestination = \"a5\"",
        &[],
    );
    accepted(
        "accelerator = \"h200-sxm\"\navailable_under = \"2026-01-15\"",
        &[
            "warning[scenario::export-rule]",
            "case by case under 742.6(b)(10)",
        ],
    );
    accepted(
        "accelerator = \"l40\"\navailable_under = \"2024-06-01\"",
        &["free after notice under 3A090.b.1"],
    );
    accepted(
        "accelerator = \"trn1\"\navailable_under = \"2024-06-01\"",
        &["can't be told: not known is performance density"],
    );
}

#[test]
fn stock_is_judged_by_the_day_it_was_bought() {
    accepted(
        "accelerator = \"h800-sxm\"\navailable_under = \"2023-10-17\"\nbought = \"2023-09\"",
        &[],
    );
    accepted("accelerator = \"a100-sxm-80\"\nbought = \"2022-07\"", &[]);
    refused(
        "accelerator = \"a100-sxm-80\"\nbought = \"2022-09\"",
        &["on 2022-09-30", "A100-class letter"],
    );
    refused(
        "accelerator = \"h800-sxm\"\nbought = 2022",
        &[
            "can't have been bought by 2022-12-31",
            "on sale in 2023-03-21",
        ],
    );
}

#[test]
fn changed_figures_count() {
    let cut = "accelerator = \"h100-sxm\"\nnvlink_bandwidth = \"400 GB/s both ways\"\navailable_under = \"2022-10-07\"";
    accepted(cut, &[]);
    refused(
        "accelerator = \"h800-sxm\"\nnvlink_bandwidth = \"472 GB/s both ways\"\navailable_under = \"2022-10-07\"",
        &[
            "I/O bandwidth 600 GB/s both ways reaches 600 GB/s both ways",
            "changed here",
            "there is no stock of it",
        ],
    );
    accepted(
        "accelerator = \"h800-sxm\"\nnvlink_bandwidth = \"471 GB/s both ways\"\navailable_under = \"2022-10-07\"",
        &[],
    );
    accepted(
        "accelerator = \"h20-96\"\nnvlink_bandwidth = \"150 GB/s both ways\"\nmemory_bandwidth = \"1390 GB/s\"\navailable_under = \"2025-06-01\"",
        &[],
    );
}

#[test]
fn bad_rules_and_dates_are_shown_where_they_stand() {
    let chip = "accelerator = \"h800-sxm\"\n";
    for (line, words) in [
        ("available_under = \"2023-02-30\"", "no day 30"),
        (
            "available_under = \"9999-01-01\"",
            "year 9999 is out of range",
        ),
        (
            "available_under = \"2022-10-advanced\"",
            "did you mean \"2022-10-advanced-computing\"?",
        ),
        ("available_under = true", "a date or the id of a rule set"),
        ("bought = \"2023-02-30\"", "no day 30"),
        ("bought = \"soon\"", "must be a date"),
        (
            "destination = \"mars\"\navailable_under = \"2022-10-07\"",
            "values: china, macau",
        ),
    ] {
        refused(&format!("{chip}{line}"), &["a.toml:", words]);
    }
}
