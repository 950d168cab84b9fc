//! What a model of this kind says nothing about, in general and in a case.
//!
//! In: what a case has switched off. Out: sentences. Never softens them.

use super::markup::{list, prose};
use crate::answer::about::InputsDocument;
use crate::answer::document::CaseDocument;

/// What holds for every report.
const ALWAYS: [&str; 7] = [
    "Whether the model gets better: learning, convergence of a number format, quality of data.",
    "Data loading, storage and the host, but for a launch cost of each operation and one bandwidth for checkpoints.",
    "Congestion: transfers that meet on a link get fair shares at once, without queues or collisions.",
    "Earlier research, ablations, failed runs and staff, unless the scenario states them as lines; Strait adds such \
     lines up and simulates none of them.",
    "Taxes, interest, land, insurance and margins. Prices are US dollars of their day.",
    "Power within a step: three levels stand for all kernels and waits.",
    "How uncertain a prediction is far from what was measured: its own error is that of comparable published runs.",
];

/// The section's content.
pub(super) fn content(special: &[String]) -> String {
    let mut out = String::new();
    if !special.is_empty() {
        let items: Vec<String> = special.iter().map(|s| prose(s)).collect();
        out += &format!(
            "<h3>In this case</h3>\n{}<h3>In general</h3>\n",
            list(&items)
        );
    }
    let items: Vec<String> = ALWAYS.iter().map(|s| prose(s)).collect();
    out + &list(&items)
}

/// What a case leaves out.
pub(super) fn of_case(
    case: &CaseDocument,
    inputs: Option<&InputsDocument>,
    several: bool,
) -> Vec<String> {
    let mut out = Vec::new();
    let whose = match several {
        true => format!("{}: ", case.name),
        false => String::new(),
    };
    let mut say = |text: String| {
        out.push(match whose.is_empty() {
            true => crate::answer::format::capital(&text),
            false => format!("{whose}{text}"),
        });
    };
    if case.run.interruptions.is_none() {
        say(
            "the run is one in which nothing fails: the scenario has no `[reliability]`."
                .to_owned(),
        );
    }
    if case.cost_usd.parts.len() <= 1 {
        say("the cost is that of the run alone: the scenario has no lines for what came before and beside it.".to_owned());
    }
    if case.uncertainty.is_none() {
        say("nothing was drawn: ranges are those of the prediction's own error alone.".to_owned());
    }
    if case.engine.grain == "analytic" {
        say("transfers take closed-form times: no link is shared.".to_owned());
    }
    let value = |path: &str| {
        inputs
            .and_then(|i| i.values.iter().find(|v| v.path == path))
            .map(|v| v.value.as_str())
    };
    if value("noise.jitter") == Some("0") && value("noise.chip_spread") == Some("0") {
        say("chance is off: no jitter of kernels, all chips equally fast.".to_owned());
    }
    let weak: Vec<&str> = (inputs.iter())
        .flat_map(|i| &i.values)
        .filter(|v| v.confidence.as_deref() == Some("D") && v.path.starts_with("cluster."))
        .map(|v| v.path.as_str())
        .collect();
    if !weak.is_empty() {
        say(format!(
            "{} of the machine {} an estimate or an assumption (confidence D).",
            weak.iter()
                .map(|p| format!("`{p}`"))
                .collect::<Vec<_>>()
                .join(", "),
            if weak.len() == 1 { "is" } else { "are" }
        ));
    }
    out
}
