//! What is wrong with a scenario file, where, and what to do about it.
//!
//! In: places in source texts. Out: [`Diagnostic`]s, and their rendering as text with the
//! source line and carets, or as JSON. Never prints, never looks at the terminal.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// One text that values come from: a file, or an argument of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as the user gave it (or reached it through `extends`), or `command line`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The `extends` line that pulled this file in.
    pub pulled_in_by: Option<Place>,
    lines: LineStarts,
}

/// Where the lines of a text start, once asked: every value of every case of a sweep has a line.
#[derive(Debug, Default)]
struct LineStarts(OnceLock<Vec<usize>>);

impl PartialEq for LineStarts {
    fn eq(&self, _: &LineStarts) -> bool {
        // They follow from the text.
        true
    }
}

impl Eq for LineStarts {}

impl Source {
    /// A text with its name.
    pub fn new(name: String, text: String, pulled_in_by: Option<Place>) -> Source {
        Source {
            name,
            text,
            pulled_in_by,
            lines: LineStarts::default(),
        }
    }

    /// The line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        let starts = self.lines.0.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect()
        });
        starts.partition_point(|start| *start <= offset)
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = floor_boundary(&self.text, offset);
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        (self.line(offset), before[start..].chars().count() + 1)
    }

    /// The line that holds a byte offset, and the offset at which it starts.
    fn line_at(&self, offset: usize) -> (&str, usize) {
        let offset = floor_boundary(&self.text, offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |i| i + 1);
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |i| start + i);
        (self.text[start..end].trim_end_matches('\r'), start)
    }
}

/// The nearest character boundary at or before an offset.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A piece of a source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// Bytes of it.
    pub span: Range<usize>,
}

impl Place {
    /// `file:line`, or `command line`.
    pub fn short(&self) -> String {
        if self.source.name == COMMAND_LINE {
            return COMMAND_LINE.to_owned();
        }
        let line = self.source.line(self.span.start);
        format!("{}:{line}", self.source.name)
    }
}

/// Name of the source that `--set` arguments belong to.
pub const COMMAND_LINE: &str = "command line";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// Check this before trusting a result.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What; may be empty.
    pub text: String,
}

/// One thing that is wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name, such as `scenario::unknown-key`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where: the first label is the main one; empty where no text could be read.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(code, message)
        }
    }

    /// With one more place.
    #[must_use]
    pub fn at(mut self, place: &Place, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            place: place.clone(),
            text: text.into(),
        });
        self
    }

    /// With one more remedy.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// With the places where files of its labels were pulled in by other files.
    #[must_use]
    pub(crate) fn with_chain(mut self) -> Diagnostic {
        let mut next = self
            .labels
            .first()
            .and_then(|label| label.place.source.pulled_in_by.clone());
        while let Some(place) = next {
            next = place.source.pulled_in_by.clone();
            if self.labels.iter().any(|label| label.place == place) {
                continue;
            }
            self.labels.push(Label {
                place,
                text: "which is pulled in here".to_owned(),
            });
        }
        self
    }

    /// As text, several lines, ending in a newline.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        let colour = match self.severity {
            Severity::Error => "\x1b[1;31m",
            Severity::Warning => "\x1b[1;33m",
        };
        let head = format!("{}[{}]", self.severity.name(), self.code);
        let _ = writeln!(
            out,
            "{}: {}",
            style.paint(colour, &head),
            style.paint("\x1b[1m", &self.message)
        );
        let width = self
            .labels
            .iter()
            .map(|l| l.place.source.line(l.place.span.start))
            .max()
            .map_or(1, |line| line.to_string().len());
        let mut previous: Option<&Label> = None;
        for (index, label) in self.labels.iter().enumerate() {
            let same_file =
                previous.is_some_and(|p| Arc::ptr_eq(&p.place.source, &label.place.source));
            render_label(&mut out, label, index == 0, same_file, width, colour, style);
            previous = Some(label);
        }
        for help in &self.help {
            let _ = writeln!(
                out,
                "{} {} {help}",
                " ".repeat(width),
                style.paint("\x1b[1;36m", "= help:")
            );
        }
        out
    }

    /// As JSON: `{code, severity, message, labels: [{file, line, column, span, text}], help}`.
    pub fn to_json(&self) -> serde_json::Value {
        let labels: Vec<serde_json::Value> = self
            .labels
            .iter()
            .map(|label| {
                let place = &label.place;
                let (line, column) = place.source.line_column(place.span.start);
                serde_json::json!({
                    "file": place.source.name,
                    "line": line,
                    "column": column,
                    "span": [place.span.start, place.span.end],
                    "text": label.text,
                })
            })
            .collect();
        serde_json::json!({
            "code": self.code,
            "severity": self.severity.name(),
            "message": self.message,
            "labels": labels,
            "help": self.help,
        })
    }
}

/// Whether rendered text carries colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Colour,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("{code}{text}\x1b[0m"),
        }
    }
}

/// Renders a list, errors first within the order given, separated by blank lines.
pub fn render_all(diagnostics: &[Diagnostic], style: Style) -> String {
    let mut texts: Vec<String> = Vec::new();
    for severity in [Severity::Error, Severity::Warning] {
        texts.extend(
            diagnostics
                .iter()
                .filter(|d| d.severity == severity)
                .map(|d| d.render(style)),
        );
    }
    texts.join("\n")
}

/// Widest source excerpt, in characters: longer lines show a window around the place.
const WINDOW: usize = 96;

fn render_label(
    out: &mut String,
    label: &Label,
    main: bool,
    same_file: bool,
    width: usize,
    colour: &str,
    style: Style,
) {
    let source = &label.place.source;
    let span = &label.place.span;
    let (line_number, column) = source.line_column(span.start);
    let pad = " ".repeat(width);
    let blue = "\x1b[1;34m";
    let arrow = style.paint(blue, if same_file { ":::" } else { "-->" });
    let bar = style.paint(blue, "|");
    let _ = writeln!(out, "{pad}{arrow} {}:{line_number}:{column}", source.name);
    let (line, start) = source.line_at(span.start);
    if line.trim().is_empty() && span.is_empty() {
        if !label.text.is_empty() {
            let _ = writeln!(out, "{pad} {bar} {}", label.text);
        }
        return;
    }
    let from = floor_boundary(line, span.start.saturating_sub(start));
    let to = floor_boundary(line, span.end.saturating_sub(start)).max(from);
    // Columns as shown: tabs take four, control characters one.
    let shown = |text: &str| -> String {
        text.chars()
            .map(|c| match c {
                '\t' => "    ".to_owned(),
                c if c.is_control() => "\u{fffd}".to_owned(),
                c => c.to_string(),
            })
            .collect()
    };
    let before = shown(&line[..from]);
    let marked = shown(&line[from..to]);
    let after = shown(&line[to..]);
    let full: Vec<char> = before
        .chars()
        .chain(marked.chars())
        .chain(after.chars())
        .collect();
    let mut indent = before.chars().count();
    let mut carets = marked.chars().count().max(1);
    let text: String = if full.len() > WINDOW {
        let first = indent.saturating_sub(WINDOW / 3);
        let last = (first + WINDOW).min(full.len());
        let mut text = String::new();
        if first > 0 {
            text.push('…');
        }
        text.extend(&full[first..last]);
        if last < full.len() {
            text.push('…');
        }
        indent = indent - first + usize::from(first > 0);
        carets = carets.min(last.saturating_sub(first + indent)).max(1);
        text
    } else {
        full.into_iter().collect()
    };
    let number = format!("{line_number:>width$}");
    let _ = writeln!(out, "{pad} {bar}");
    let _ = writeln!(
        out,
        "{} {bar} {}",
        style.paint(blue, &number),
        text.trim_end()
    );
    let mark = if main { "^" } else { "-" };
    let note = if label.text.is_empty() {
        String::new()
    } else {
        format!(" {}", label.text)
    };
    let underline = format!("{}{note}", mark.repeat(carets));
    let _ = writeln!(
        out,
        "{pad} {bar} {}{}",
        " ".repeat(indent),
        style.paint(if main { colour } else { blue }, &underline)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, piece: &str) -> Place {
        let start = text.find(piece).unwrap_or(0);
        Place {
            source: Arc::new(Source::new("a.toml".to_owned(), text.to_owned(), None)),
            span: start..start + piece.len(),
        }
    }

    #[test]
    fn tabs_and_positions() {
        let d = Diagnostic::error("scenario::x", "no")
            .at(&place("one = 1\n\ttwo = \"é\"\n", "\"é\""), "here")
            .help("do this");
        insta::assert_snapshot!(d.render(Style::Plain), @r#"
        error[scenario::x]: no
         --> a.toml:2:8
          |
        2 |     two = "é"
          |           ^^^ here
          = help: do this
        "#);
    }

    #[test]
    fn long_lines_show_a_window() {
        let text = format!("a = \"{}\" bad {}\n", "x".repeat(500), "y".repeat(500));
        let d = Diagnostic::error("scenario::x", "no").at(&place(&text, "bad"), "here");
        let rendered = d.render(Style::Plain);
        assert!(
            rendered.lines().all(|l| l.chars().count() < 110),
            "{rendered}"
        );
        let lines: Vec<&str> = rendered.lines().collect();
        let column = lines[4].chars().position(|c| c == '^');
        let shown: String = lines[3].chars().skip(column.unwrap_or(0)).take(3).collect();
        assert_eq!(shown, "bad");
    }

    #[test]
    fn colour_is_only_added() {
        let d = Diagnostic::warning("scenario::x", "hm").at(&place("a = 1\n", "1"), "one");
        let coloured = d.render(Style::Colour);
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some(i) = rest.find('\x1b') {
            plain.push_str(&rest[..i]);
            let end = rest[i..].find('m').map_or(rest.len(), |e| i + e + 1);
            rest = &rest[end..];
        }
        plain.push_str(rest);
        assert_eq!(plain, d.render(Style::Plain));
    }
}
