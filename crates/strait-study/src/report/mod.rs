//! Answers as one page: to read, to print, to send.
//!
//! In: answered scenarios, comparisons, sensitivity studies, searches, merged sweeps. Out: one HTML
//! file that asks for nothing from anywhere: style, pictures and data are inside, and there is no
//! script. The same results give the same bytes. Never simulates, and never prints.
//!
//! | room | what |
//! |---|---|
//! | [`read`](mod@read) | results from files |
//! | `answered` | cases: the answer in a sentence, numbers, claims |
//! | `inputs` | assumptions and facts with their sources |
//! | `drawings` | figures, each with its data to save |
//! | `studies` | sensitivity studies and searches |
//! | `sweep` | merged sweeps |
//! | `limits` | what is not modelled, in general and here |
//! | `markup` | the elements, with all text escaped |

mod answered;
mod drawings;
mod inputs;
mod limits;
mod markup;
pub mod read;
mod studies;
mod sweep;

/// Most characters of a heading.
const HEADING: usize = 300;

/// A text as a heading: a whole page of it is none.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(HEADING) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;

pub use answered::Answered;
pub use read::{ReportError, read};

use crate::sensitivity::SensitivityDocument;
use crate::sweep::table::Table;
use markup::{escape, json, prose, section};
use serde_json::Value;

/// Nothing is fetched, run, sent or framed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// One result.
pub enum Piece {
    /// Cases of one or several scenarios.
    Answered(Box<Answered>),
    /// What moves an answer.
    Sensitivity(Box<SensitivityDocument>),
    /// The best layouts, as their own command writes them.
    Search(Value),
    /// Many cases.
    Sweep(Box<Table>),
}

/// What a page says of itself.
#[derive(Clone, Debug)]
pub struct Imprint {
    /// Version of the command.
    pub version: String,
    /// The command that gives the page again.
    pub command: String,
}

/// What a piece contributes to a page; all strings are HTML but those of `question` and `title`.
#[derive(Default)]
struct Part {
    title: String,
    question: String,
    /// The answer: paragraphs, the first of which is the sentence.
    answer: Vec<String>,
    /// Sections in order: id, heading, content.
    sections: Vec<(&'static str, String, String)>,
    warnings: Vec<String>,
    limits: Vec<String>,
    /// Commands with what identifies their results.
    reproduce: Vec<String>,
    data: Value,
}

/// The page.
///
/// # Errors
/// A figure that could not be drawn.
pub fn page(pieces: &[Piece], imprint: &Imprint) -> Result<String, ReportError> {
    let mut parts = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        // Figures of several results have names of their own.
        let prefix = match index {
            0 => String::new(),
            _ => format!("result-{}-", index + 1),
        };
        parts.push(match piece {
            Piece::Answered(answered) => answered.part(&prefix)?,
            Piece::Sensitivity(document) => studies::sensitivity(document, &prefix)?,
            Piece::Search(value) => studies::search(value),
            Piece::Sweep(table) => sweep::part(table, &prefix)?,
        });
    }
    let heading = |part: &Part| match part.question.is_empty() {
        true => shortened(&part.title),
        false => shortened(&part.question),
    };
    let headline = parts.first().map(heading).unwrap_or_default();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"Strait {}\">\n\
         <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
        escape(&imprint.version),
        escape(&headline),
        include_str!("style.css"),
    );
    let mut taken = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let question = heading(part);
        let first = index == 0;
        // A study of the same question goes on under the heading that is there.
        let repeated = !first && parts[..index].iter().any(|p| heading(p) == question);
        let kicker = format!(
            "<p class=\"kicker\">{}</p>\n",
            escape(&shortened(&part.title))
        );
        let paragraphs: String = (part.answer.iter())
            .map(|paragraph| format!("<p>{paragraph}</p>\n"))
            .collect();
        let answer = format!("<div class=\"answer\">\n{paragraphs}</div>\n");
        out += &match (first, repeated) {
            (true, _) => format!(
                "<header>\n{kicker}<h1>{}</h1>\n{answer}</header>\n<main>\n",
                escape(&question)
            ),
            (false, true) => answer,
            (false, false) => format!("{kicker}<h2>{}</h2>\n{answer}", escape(&question)),
        };
        for (id, heading, content) in &part.sections {
            out += &section(&once(&mut taken, id), heading, content);
        }
    }
    let all = |of: fn(&Part) -> &Vec<String>| -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for item in parts.iter().flat_map(of) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        all
    };
    let warnings = all(|part| &part.warnings);
    if !warnings.is_empty() {
        let items: Vec<String> = warnings.iter().map(|warning| prose(warning)).collect();
        let lead = "<p>Check these before trusting the answer.</p>\n";
        let content = format!("{lead}{}", markup::list(&items));
        out += &section(&once(&mut taken, "warnings"), "Warnings", &content);
    }
    out += &section(
        &once(&mut taken, "limits"),
        "What is not modelled",
        &limits::content(&all(|part| &part.limits)),
    );
    let mut content: String = all(|part| &part.reproduce).concat();
    content += &format!(
        "<h3>This page</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}. The same command on the same files \
         gives the same bytes, on any machine and with any number of threads.</p>\n",
        escape(&imprint.command),
        escape(&imprint.version)
    );
    out += &section(&once(&mut taken, "reproduce"), "How to reproduce", &content);
    out += &section(&once(&mut taken, "data"), "Data", &data(&parts));
    out += "</main>\n<footer>\n<p>Simulated, not measured. Made by Strait ";
    out += &escape(&imprint.version);
    out +=
        "; figures and numbers may be quoted with this source.</p>\n</footer>\n</body>\n</html>\n";
    Ok(out)
}

/// An id that is not taken yet.
fn once(taken: &mut Vec<String>, id: &str) -> String {
    let same = |name: &str| {
        taken
            .iter()
            .filter(|t| *t == name || t.strip_prefix(name).is_some_and(|r| r.starts_with("--")))
            .count()
    };
    let id = match same(id) {
        0 => id.to_owned(),
        before => format!("{id}--{}", before + 1),
    };
    taken.push(id.clone());
    id
}

/// All results, to save and to read by programs.
fn data(parts: &[Part]) -> String {
    let mut out = String::from(
        "<p>Every number of this page, as the command prints it with <code>--json</code>, is also inside this file: in \
         the elements of type <code>application/json</code>.</p>\n<ul class=\"screen\">\n",
    );
    let mut scripts = String::new();
    for (index, part) in parts.iter().enumerate() {
        let name = format!("result-{}.json", index + 1);
        let text = part.data.to_string();
        out += &format!(
            "<li><a download=\"{name}\" href=\"{}\">{name}</a> ({:.0} kB)</li>\n",
            markup::data_address("application/json", &text),
            (text.len() as f64 / 1000.0).ceil()
        );
        scripts += &format!(
            "<script type=\"application/json\" id=\"result-{}\">{}</script>\n",
            index + 1,
            json(&part.data)
        );
    }
    out + "</ul>\n" + &scripts
}
