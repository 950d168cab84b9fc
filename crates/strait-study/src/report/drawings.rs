//! Figures in a report.
//!
//! In: documents, and figures that were drawn with a simulation. Out: `figure` elements: words as
//! text, the picture as SVG, its data to save. Never draws what the data does not hold.

use super::answered::drawn;
use super::markup::{data_address, escape};
use super::{Answered, ReportError};
use crate::answer::document::CaseDocument;
use crate::chance::PREDICTION;
use crate::figures::{DrawError, Mark, cost_cdf, dumbbell, embed, tornado};
use crate::sensitivity::figures::stated;
use crate::verdict::Quantity;

/// A figure as SVG and CSV.
type Figure = Option<(String, String)>;

/// A figure as an element. Names are unique on a page: they are file names and ids.
pub(super) fn element(name: &str, svg: &str, csv: &str) -> String {
    let id = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let save = format!(
        "<p class=\"small screen\"><a download=\"{name}.csv\" href=\"{}\">Data of this figure (CSV)</a></p>\n",
        data_address("text/csv", csv)
    );
    match embed::split(svg) {
        Some(parts) => format!(
            "<figure id=\"figure-{id}\">\n<figcaption><p class=\"title\" id=\"{id}-title\">{}</p>\n\
             <p class=\"small\" id=\"{id}-desc\">{}</p></figcaption>\n\
             <div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-labelledby=\"{id}-title\">\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{}\" role=\"img\" \
             aria-labelledby=\"{id}-svg-title {id}-svg-desc\">\n\
             <title id=\"{id}-svg-title\">{0}</title>\n<desc id=\"{id}-svg-desc\">{1}</desc>\n{}\n</svg>\n</div>\n\
             <p class=\"small\">{}</p>\n{save}</figure>\n",
            escape(&parts.title),
            escape(&parts.subtitle),
            parts.view_box,
            parts.body,
            escape(&parts.source)
        ),
        None => format!(
            "<figure id=\"figure-{id}\">\n<div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-label=\"{id}\">\n\
             {}\n</div>\n{save}</figure>\n",
            svg.replacen("<svg ", "<svg role=\"img\" ", 1)
        ),
    }
}

/// All figures of answered cases.
pub(super) fn of_answered(answered: &Answered) -> Result<String, ReportError> {
    let mut out = String::new();
    let mut add = |name: &str, figure: Figure| {
        if let Some((svg, csv)) = figure {
            out += &element(name, &svg, &csv);
        }
    };
    let source = format!(
        "Source: simulation by Strait {}, digest {}. Reproduce: {}",
        answered.strait,
        answered.digest.get(..12).unwrap_or(&answered.digest),
        answered.command()
    );
    let headline = answered.headline();
    add(
        cost_cdf::NAME,
        cost_cdf::draw(&distributions(answered, headline), &source)?,
    );
    add(tornado::NAME, movers(answered, headline, &source)?);
    add(dumbbell::NAME, dumbbell::draw(&metrics(answered), &source)?);
    for pair in answered.drawn.chunks(2) {
        let [(name, svg), (_, csv)] = pair else {
            continue;
        };
        let name = name.strip_suffix(".svg").unwrap_or(name);
        add(name, Some((svg.clone(), csv.clone())));
    }
    if headline != Quantity::Cost {
        let name = format!("{}-of-money", cost_cdf::NAME);
        add(
            &name,
            cost_cdf::draw(&distributions(answered, Quantity::Cost), &source)?,
        );
    }
    Ok(out)
}

/// Claims about a quantity, as far as they are the same for all cases.
fn marks(answered: &Answered, quantity: Quantity) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for claim in answered.cases.iter().flat_map(|case| &case.claims) {
        let mark = Mark {
            value: claim.stated,
            name: stated(&claim.who, &claim.date),
        };
        if claim.quantity == quantity.id() && claim.phase.is_none() && !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    marks
}

fn distributions(answered: &Answered, quantity: Quantity) -> cost_cdf::Input {
    let claims = marks(answered, quantity);
    let reached = |case: &CaseDocument, mark: &Mark| {
        (case.uncertainty.iter().flat_map(|study| &study.claims))
            .find(|c| c.quantity == quantity.id() && c.phase.is_none() && c.stated == mark.value)
            .map(|claim| claim.reached)
    };
    cost_cdf::Input {
        subject: answered.subject(),
        quantity: quantity.name().to_owned(),
        unit: quantity.unit().symbol().to_owned(),
        better: quantity.better(),
        series: (answered.cases.iter())
            .filter_map(|case| {
                let distribution = drawn(case, quantity, None)?;
                Some(cost_cdf::Series {
                    name: case.name.clone(),
                    draws: case.uncertainty.as_ref().map_or(0, |study| study.draws),
                    points: (distribution.cdf.iter())
                        .map(|q| (q.share, q.value))
                        .collect(),
                    reached: claims.iter().map(|mark| reached(case, mark)).collect(),
                })
            })
            .collect(),
        claims,
    }
}

/// What moves the first case that was drawn.
fn movers(answered: &Answered, quantity: Quantity, source: &str) -> Result<Figure, DrawError> {
    let found = (answered.cases.iter()).find_map(|case| Some((case, drawn(case, quantity, None)?)));
    let Some((case, distribution)) = found else {
        return Ok(None);
    };
    let input = tornado::Input {
        subject: match answered.cases.len() {
            1 => answered.subject(),
            _ => format!("{}, {}", answered.subject(), case.name),
        },
        quantity: quantity.name().to_owned(),
        unit: quantity.unit().symbol().to_owned(),
        base: distribution.point,
        ends: "the 5 % and the 95 % quantile of each".to_owned(),
        claims: marks(answered, quantity),
        bars: (distribution.movers.iter())
            .map(|mover| tornado::Bar {
                name: match mover.name.as_str() {
                    PREDICTION => "the prediction's own error".to_owned(),
                    name => name.to_owned(),
                },
                low_input: mover.low_text.clone(),
                high_input: mover.high_text.clone(),
                low: mover.at_low,
                high: mover.at_high,
            })
            .collect(),
    };
    tornado::draw(&input, source)
}

/// Metrics of several cases side by side.
fn metrics(answered: &Answered) -> dumbbell::Input {
    const SHOWN: [Quantity; 7] = [
        Quantity::StepTime,
        Quantity::MfuCausal,
        Quantity::Days,
        Quantity::GpuHours,
        Quantity::Cost,
        Quantity::Energy,
        Quantity::PeakMemory,
    ];
    let value = |case: &CaseDocument, quantity: Quantity| match quantity {
        Quantity::StepTime => case.step.time_s,
        Quantity::MfuCausal => case.step.mfu.causal,
        Quantity::Days => case.run.days,
        Quantity::GpuHours => case.run.gpu_hours,
        Quantity::Cost => case.cost_usd.run,
        Quantity::Energy => case.run.energy_mwh,
        _ => case.memory.peak_gb,
    };
    let baseline = match answered.baseline.is_empty() {
        true => answered.cases.first().map_or("", |case| case.name.as_str()),
        false => answered.baseline.as_str(),
    };
    let mut cases: Vec<&CaseDocument> = answered.cases.iter().collect();
    cases.sort_by_key(|case| case.name != baseline);
    dumbbell::Input {
        subject: answered.subject(),
        cases: cases.iter().map(|case| case.name.clone()).collect(),
        metrics: (SHOWN.iter())
            .map(|quantity| dumbbell::Metric {
                name: quantity.name().to_owned(),
                unit: quantity.unit().symbol().to_owned(),
                better: Some(quantity.better()),
                values: cases.iter().map(|case| value(case, *quantity)).collect(),
            })
            .collect(),
    }
}
