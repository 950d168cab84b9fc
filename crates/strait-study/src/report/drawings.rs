//! Figures in a report.
//!
//! In: documents, and figures that were drawn with a simulation. Out: `figure` elements: words as
//! text, the picture as SVG, its data to save. Never draws what the data does not hold.

use super::markup::{data_address, escape};
use super::{Answered, ReportError};
use crate::figures::results::Results;
use crate::figures::{cost_cdf, dumbbell, embed, iso_cost, tornado};
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
pub(super) fn of_answered(answered: &Answered, prefix: &str) -> Result<String, ReportError> {
    let mut out = String::new();
    let mut known: Vec<String> = Vec::new();
    // What was drawn with the answer may be drawn here as well.
    let mut add = |name: &str, figure: Figure| {
        if let Some((svg, csv)) = figure
            && !known.iter().any(|k| k == name)
        {
            out += &element(&format!("{prefix}{name}"), &svg, &csv);
            known.push(name.to_owned());
        }
    };
    // What an answer says as JSON is all that figures need, so that files draw as simulations do.
    let text = answered.data.to_string();
    let results = Results::read("the answer", &text)
        .map_err(|error| ReportError::Unexpected(error.to_string()))?;
    let source = results.source(&answered.command());
    let headline = answered.headline();
    if let Some(input) = results.distributions(headline) {
        add(cost_cdf::NAME, cost_cdf::draw(&input, &source)?);
    }
    if let Some(input) = results.swings(headline) {
        add(tornado::NAME, tornado::draw(&input, &source)?);
    }
    if answered.asks_for_money()
        && let Some(input) = results.rents()
    {
        add(iso_cost::NAME, iso_cost::draw(&input, &source)?);
    }
    if answered.cases.len() > 1
        && let Some(input) = results.metrics()
    {
        add(dumbbell::NAME, dumbbell::draw(&input, &source)?);
    }
    for pair in answered.drawn.chunks(2) {
        let [(name, svg), (_, csv)] = pair else {
            continue;
        };
        let name = name.strip_suffix(".svg").unwrap_or(name);
        add(name, Some((svg.clone(), csv.clone())));
    }
    if headline != Quantity::Cost
        && let Some(input) = results.distributions(Quantity::Cost)
    {
        let name = format!("{}-of-money", cost_cdf::NAME);
        add(&name, cost_cdf::draw(&input, &source)?);
    }
    Ok(out)
}
