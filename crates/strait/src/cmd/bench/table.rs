//! The figures of `strait bench` for people.
//!
//! In: figures. Out: text of at most 80 columns.

use super::measure::Bench;

/// What, the name of its rate, unit.
const RATES: [(&str, &str, &str); 6] = [
    ("binary heap, hold loop", "heap_hold", "M events/s"),
    ("digit wheel, hold loop", "wheel_hold", "M events/s"),
    (
        "executor, every op an event",
        "executor_every_op",
        "M ops/s",
    ),
    ("executor, fused runs", "executor_runs", "M ops/s"),
    ("executor, lanes", "executor_lanes", "M ops/s"),
    (
        "EP64 all-to-alls, shared links, classes",
        "all_to_alls",
        "M/s",
    ),
];

/// What, the start of its names.
const WHOLE: [(&str, &str); 5] = [
    ("DeepSeek-V3 step", "step"),
    ("the same, twice the batch", "double_batch"),
    ("the same, links shared", "contended"),
    ("Llama 3 405B step", "llama"),
    ("1F1B of many ranks", "many_ranks"),
];

/// The whole text.
pub fn text(bench: &Bench<'_>, machine: &str) -> String {
    let mut lines = vec![
        format!("strait {} on {machine}", crate::VERSION),
        "CPU seconds of one thread; x heap: rate over that of the binary heap's loop".to_owned(),
        String::new(),
        format!("{:40} {:>8} {:12} {:>8}", "", "rate", "", "x heap"),
    ];
    for (what, name, unit) in RATES {
        let ratio = match bench.value(&format!("{name}_ratio")) {
            value if value.is_nan() => 1.0,
            value => value,
        };
        let rate = bench.value(name) / 1e6;
        let line = format!("{what:40} {rate:8.2} {unit:12} {ratio:8.3}");
        lines.push(line);
    }
    lines.push(format!(
        "{:40} {:+8.1} %",
        "columns of the ECS, slower than vectors",
        bench.value("columns_slower")
    ));
    lines.push(String::new());
    lines.push(format!(
        "{:26} {:>7} {:>7} {:>7} {:>8} {:>7} {:>6}",
        "whole", "ranks", "M ops", "CPU s", "M ops/s", "x heap", "MB"
    ));
    for (what, name) in WHOLE {
        let value = |part: &str| bench.value(&format!("{name}_{part}"));
        lines.push(format!(
            "{what:26} {:7.0} {:7.1} {:7.2} {:8.1} {:7.2} {:6.0}",
            value("ranks"),
            value("ops") / 1e6,
            value("cpu"),
            value("rate") / 1e6,
            value("ratio"),
            value("memory")
        ));
    }
    lines.push(String::new());
    lines.push(format!(
        "tutorial scenario, text to answer: {:.1} ms",
        bench.value("tutorial_answer")
    ));
    lines.push(format!(
        "folded DeepSeek-V3, text to answer: step {:.1} ms, all phases {:.1} ms",
        bench.value("folded_step"),
        bench.value("folded_case")
    ));
    lines.push(format!(
        "sweep cases: {:.0} /s/core of DeepSeek-V3 with all phases, {:.0} /s/core of the tutorial",
        bench.value("sweep_cases"),
        bench.value("sweep_small_cases")
    ));
    lines.push("MB: peak of memory above the process at its start".to_owned());
    lines.join("\n")
}
