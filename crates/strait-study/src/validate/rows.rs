//! Published measurements as rows of a CSV file.
//!
//! In: text with the columns of `scenarios/published/training-rows.csv`. Out: [`Row`]s of plain
//! texts, each with its line. Never interprets a field: a row that can't be understood is refused
//! later, with its reason.

use std::collections::{BTreeMap, BTreeSet};

/// Columns that a table must have: without them no row can be told from another or judged.
pub const REQUIRED: [&str; 5] = ["id", "gpus", "gpu", "metric", "value"];

/// Letters of a row's text that a reason repeats.
const LONGEST_ECHO: usize = 60;

/// One published measurement, as printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, from 1.
    pub line: u64,
    fields: BTreeMap<String, String>,
    broken: Option<String>,
    borrowed: Option<String>,
}

impl Row {
    /// A field, trimmed; empty where the table lacks the column.
    pub fn get(&self, column: &str) -> &str {
        self.fields.get(column).map_or("", |text| text.trim())
    }

    /// The row's name.
    pub fn id(&self) -> &str {
        self.get("id")
    }

    /// Why the line is no row of its table, where it is none.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// `key=value` in the notes; the value ends at a semicolon.
    pub fn noted(&self, key: &str) -> Option<&str> {
        self.get("notes").split(';').find_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            (name.trim() == key).then(|| value.trim())
        })
    }

    /// A field or note, in lower case, holds this text.
    pub fn says(&self, column: &str, text: &str) -> bool {
        self.get(column)
            .to_lowercase()
            .contains(&text.to_lowercase())
    }

    /// A reason in which no text of the row is longer than [`LONGEST_ECHO`].
    pub(super) fn briefly(&self, reason: String) -> String {
        let mut reason = reason;
        for text in self.fields.values().map(|text| text.trim()) {
            if text.chars().count() > LONGEST_ECHO && reason.contains(text) {
                let start: String = text.chars().take(LONGEST_ECHO).collect();
                reason = reason.replace(text, &format!("{}…", start.trim_end()));
            }
        }
        reason
    }

    /// The row with a field set.
    pub(super) fn with(mut self, column: &str, text: &str) -> Row {
        self.fields.insert(column.to_owned(), text.to_owned());
        self
    }

    /// What was filled in from another row, in words.
    pub fn borrowed(&self) -> Option<&str> {
        self.borrowed.as_deref()
    }

    pub(super) fn borrowing(mut self, words: String) -> Row {
        self.borrowed = Some(words);
        self
    }

    /// A row from columns and texts, for tables of another form and for tests.
    pub fn of<'a>(line: u64, fields: impl IntoIterator<Item = (&'a str, String)>) -> Row {
        Row {
            line,
            fields: fields
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text))
                .collect(),
            broken: None,
            borrowed: None,
        }
    }
}

/// Why a table is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// No header, or one that lacks columns.
    #[error(
        "{name}:1: the header lacks {}: {hint}a table of published rows has the columns id, gpus, gpu, metric, value and those that describe the job (`strait validate --columns` lists them)",
        missing.join(", ")
    )]
    Header {
        /// File.
        name: String,
        /// What is missing.
        missing: Vec<String>,
        /// The likely cause, ending in "; ", or nothing.
        hint: String,
    },
    /// A quotation mark that is never closed: all that follows it would be one field.
    #[error(
        "{name}:{line}: a quotation mark opens here and is never closed: lines {first} to {last}, the end of the file, are one row\n  help: close it in the same field; inside quotation marks write two (\"\") for one"
    )]
    Quote {
        /// File.
        name: String,
        /// Line where it opens, from 1.
        line: u64,
        /// First line of the record.
        first: u64,
        /// Last line of the file.
        last: u64,
    },
    /// Twice the same column.
    #[error("{name}:1: the header has the column {column} twice: which one is meant?")]
    Twice {
        /// File.
        name: String,
        /// Column.
        column: String,
    },
}

/// All columns that are read.
pub const COLUMNS: [(&str, &str); 35] = [
    ("id", "name of the row"),
    ("source", "publication"),
    ("url_or_repo_path", "where it is"),
    ("year", "year of the measurement"),
    (
        "model",
        "name; a known one fills in what the row leaves out",
    ),
    ("params_total", "parameters; not read"),
    ("params_active", "parameters of one token; not read"),
    ("layers", "transformer layers"),
    ("hidden", "hidden width"),
    (
        "ffn_hidden",
        "inner width; \"18432 dense / 2048 expert\" for both kinds",
    ),
    ("heads", "attention heads"),
    (
        "kv_heads",
        "key/value heads; MLA for latent attention of a known model",
    ),
    (
        "experts",
        "routed experts of a layer; empty for a dense model",
    ),
    ("topk", "experts of a token"),
    ("seq_len", "tokens of a sequence"),
    ("vocab", "rows of the embedding"),
    ("global_batch_seqs", "sequences of a batch"),
    ("micro_batch", "sequences of a micro-batch"),
    ("gpus", "accelerators"),
    ("gpu", "accelerator"),
    ("interconnect", "links in and between servers"),
    ("tp", "tensor-parallel ranks"),
    ("pp", "pipeline ranks"),
    ("vpp", "virtual stages of a pipeline rank"),
    ("dp", "data-parallel ranks; not needed"),
    ("cp", "context-parallel ranks"),
    ("ep", "expert-parallel ranks"),
    ("sp", "sequence parallelism: yes or no"),
    ("zero", "what data-parallel ranks shard"),
    ("precision", "operand types"),
    ("recompute", "activations that are recomputed"),
    ("metric", "what was measured"),
    ("value", "the measurement"),
    (
        "unit",
        "its unit, where it is not the metric's own: ms, K tokens/s, fraction",
    ),
    ("notes", "key=value; pairs and remarks; grade= first"),
];

/// Reads a table. Lines that are no rows of it are kept, marked, so that they are counted.
///
/// # Errors
///
/// A header that is missing, lacks a required column or never closes a quotation mark.
pub fn read(name: &str, text: &str) -> Result<Vec<Row>, TableError> {
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    let mut unclosed = Vec::new();
    let marks = loop {
        let marks = marks(&text);
        let Some((line, first)) = marks.unclosed else {
            break marks;
        };
        // Without end in the header, or again and again: no table.
        if first == 1 || unclosed.len() >= 100 {
            return Err(TableError::Quote {
                name: name.to_owned(),
                line,
                first,
                last: text.lines().count() as u64,
            });
        }
        // The row ends where the mark opens; what follows is read as if it had been closed.
        unclosed.push(without(&mut text, first, line));
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    let missing: Vec<String> = REQUIRED
        .iter()
        .filter(|column| !header.iter().any(|h| h == *column))
        .map(|column| (*column).to_owned())
        .collect();
    if !missing.is_empty() {
        return Err(TableError::Header {
            name: name.to_owned(),
            hint: hint(&header, &missing),
            missing,
        });
    }
    for (index, column) in header.iter().enumerate() {
        if !column.is_empty() && header[..index].contains(column) {
            return Err(TableError::Twice {
                name: name.to_owned(),
                column: column.clone(),
            });
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                if record.iter().all(str::is_empty) {
                    continue;
                }
                let line = record.position().map_or(0, csv::Position::line);
                let broken =
                    (record.len() != header.len()).then(|| miscounted(line, &record, header.len()));
                let fields = header
                    .iter()
                    .zip(record.iter())
                    .map(|(name, text)| (name.clone(), text.to_owned()))
                    .collect();
                rows.push(Row {
                    line,
                    fields,
                    broken,
                    borrowed: None,
                });
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                rows.push(Row {
                    line,
                    fields: BTreeMap::new(),
                    borrowed: None,
                    broken: Some(format!("line {line} can't be read: {error}")),
                });
            }
        }
    }
    rows.extend(unclosed);
    rows.sort_by_key(|row| row.line);
    for (since, line) in marks.swallowed {
        let after = rows.partition_point(|row| row.line <= since);
        if let Some(row) = after.checked_sub(1).and_then(|at| rows.get_mut(at)) {
            row.broken = Some(format!(
                "a quotation mark that opens on line {since} closes on line {line}, where another was to open: close it in its own row"
            ));
        }
    }
    // Rows of one name can't be told apart.
    let mut seen = BTreeSet::new();
    for row in &mut rows {
        let id = row.id().to_owned();
        if id.is_empty() {
            if row.broken.is_none() {
                row.broken = Some(format!("line {} has no id", row.line));
            }
        } else if !seen.insert(id.clone()) {
            row.broken = Some(format!("the id {id} stands in the table twice"));
        }
    }
    Ok(rows)
}

/// Takes a row of lines `first` to `line` out of a table, whose other lines keep their numbers.
fn without(text: &mut String, first: u64, line: u64) -> Row {
    let mut id = String::new();
    let mut rest = String::with_capacity(text.len());
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        if (first..=line).contains(&number) {
            if number == first {
                content
                    .split(',')
                    .next()
                    .unwrap_or("")
                    .trim()
                    .clone_into(&mut id);
            }
            // A record of nothing: skipped, but counted, unlike an empty line.
            rest.push_str(",\n");
        } else {
            rest.push_str(content);
        }
    }
    *text = rest;
    Row {
        line: first,
        fields: BTreeMap::from([("id".to_owned(), id)]),
        broken: Some(format!(
            "a quotation mark that opens on line {line} is never closed: close it in the same field"
        )),
        borrowed: None,
    }
}

/// What is wrong with a record that has too many fields or too few.
fn miscounted(line: u64, record: &csv::StringRecord, expected: usize) -> String {
    let breaks: usize = (record.iter())
        .map(|field| field.matches('\n').count())
        .sum();
    let found = record.len();
    if breaks == 0 {
        return format!("line {line} has {found} fields, the header {expected}");
    }
    format!(
        "lines {line} to {} are one row of {found} fields, the header has {expected}: a quotation mark is not closed where it should be",
        line + breaks as u64
    )
}

/// What a header that lacks columns probably has instead.
fn hint(header: &[String], missing: &[String]) -> String {
    for (mark, name) in [
        (';', "semicolons"),
        ('\t', "tabs"),
        ('|', "upright strokes"),
    ] {
        if header.len() == 1 && header[0].contains(mark) {
            return format!("its columns are separated by {name}, and must be by commas; ");
        }
    }
    let other = (header.iter()).find(|column| {
        (missing.iter()).any(|name| column.eq_ignore_ascii_case(name) && *column != name)
    });
    match other {
        Some(column) => format!(
            "\"{}\" must be written {}, names of columns are in small letters; ",
            column,
            column.to_lowercase()
        ),
        None => String::new(),
    }
}

/// What a look at a table's quotation marks alone finds.
#[derive(Default)]
struct Marks {
    /// Lines of the mark that is never closed and of the record that it is in.
    unclosed: Option<(u64, u64)>,
    /// Lines of a mark and of the later one that closes it with text right behind: the second was
    /// to open another field.
    swallowed: Vec<(u64, u64)>,
}

/// Follows quotation marks. One opens at the beginning of a field alone, as CSV has it.
fn marks(text: &str) -> Marks {
    #[derive(Clone, Copy, PartialEq)]
    enum Place {
        Begin,
        Plain,
        Quoted { since: u64 },
        // Behind a mark inside marks: the end, or the first of two that stand for one.
        Mark { since: u64 },
    }
    let mut found = Marks::default();
    let mut place = Place::Begin;
    let (mut line, mut record) = (1, 1);
    for letter in text.bytes() {
        place = match (place, letter) {
            (Place::Begin, b'"') => Place::Quoted { since: line },
            (Place::Quoted { since }, b'"') => Place::Mark { since },
            (Place::Mark { since }, b'"') => Place::Quoted { since },
            (Place::Quoted { since }, _) => Place::Quoted { since },
            (_, b',' | b'\n' | b'\r') => Place::Begin,
            (Place::Mark { since }, _) => {
                if since < line && letter != b' ' {
                    found.swallowed.push((since, line));
                }
                Place::Plain
            }
            _ => Place::Plain,
        };
        if letter == b'\n' {
            line += 1;
            if place == Place::Begin {
                record = line;
            }
        }
    }
    if let Place::Quoted { since } = place {
        found.unclosed = Some((since, record));
    }
    found
}

/// Rows of `vtrain-single-node.csv`, whose columns differ: the same jobs as vTrain's multi-node
/// rows, on one server.
///
/// # Errors
///
/// As [`read`].
pub fn read_single_node(name: &str, text: &str) -> Result<Vec<Row>, TableError> {
    let mut rows = Vec::new();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    for record in reader.records().flatten() {
        let line = record.position().map_or(0, csv::Position::line);
        let get = |column: &str| -> String {
            let at = header.iter().position(|h| h == column);
            at.and_then(|at| record.get(at)).unwrap_or("").to_owned()
        };
        let hidden: u64 = get("hidden").parse().unwrap_or(0);
        let seconds = get("iteration_time_ms")
            .parse::<f64>()
            .map_or(String::new(), |ms| (ms / 1000.0).to_string());
        let same = |column: &'static str| (column, get(column));
        rows.push(Row::of(
            line,
            [
                same("id"),
                (
                    "source",
                    "vTrain (MICRO'24) single-node validation data".into(),
                ),
                ("url_or_repo_path", get("source")),
                ("year", "2023".into()),
                (
                    "model",
                    format!("GPT h{} l{}", get("hidden"), get("layers")),
                ),
                same("layers"),
                same("hidden"),
                ("ffn_hidden", (4 * hidden).to_string()),
                same("heads"),
                ("kv_heads", get("heads")),
                same("seq_len"),
                ("vocab", "51200".into()),
                same("global_batch_seqs"),
                same("micro_batch"),
                same("gpus"),
                ("gpu", "A100-SXM4-80GB".into()),
                ("interconnect", "NVLink3 single node".into()),
                same("tp"),
                same("pp"),
                same("dp"),
                ("cp", "1".into()),
                ("precision", "FP16 mixed (not stated in data)".into()),
                ("recompute", "not stated in data".into()),
                ("metric", "iteration_time_s".into()),
                ("value", seconds),
                ("unit", "s".into()),
                (
                    "notes",
                    "grade=B; vocabulary and recompute not in the data".into(),
                ),
            ],
        ));
    }
    if rows.is_empty() {
        return Err(TableError::Header {
            name: name.to_owned(),
            missing: vec!["iteration_time_ms".into()],
            hint: String::new(),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_lacks_columns_is_refused_with_their_names() {
        let error = read("x.csv", "id,gpu\na,b\n")
            .map(drop)
            .map_err(|e| e.to_string());
        let message = error.expect_err("a table without values");
        assert!(message.contains("x.csv:1"), "{message}");
        assert!(message.contains("gpus, metric, value"), "{message}");
        assert!(read("empty", "").is_err());
    }

    #[test]
    fn a_header_of_another_form_is_named() {
        for (header, words) in [
            ("id;gpus;gpu;metric;value", "semicolons"),
            ("id\tgpus\tgpu\tmetric\tvalue", "tabs"),
            ("ID,GPUs,GPU,Metric,Value", "\"ID\" must be written id"),
        ] {
            let error = read("x.csv", &format!("{header}\n")).expect_err(header);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_quotation_mark_must_be_closed() {
        let table = |rest: &str| {
            let text = format!("id,gpus,gpu,metric,value,notes\n{rest}");
            read("x.csv", &text)
        };
        // The row is refused, over the lines that it begins on; those before and behind are read.
        let rows = table(
            "a,8,H100,iteration_time_s,1,\nb,8,\"H\n100\",iteration_time_s,1,\"x\nc,8,H100,iteration_time_s,1,\n",
        )
        .unwrap_or_else(|e| panic!("{e}"));
        let ids: Vec<&str> = rows.iter().map(Row::id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        let why = rows[1].broken().unwrap_or_default();
        assert!(why.contains("opens on line 4 is never closed"), "{why}");
        assert!(rows[0].broken().is_none() && rows[2].broken().is_none());
        let error = read("x.csv", "id,\"gpus\n1,2\n").expect_err("no header");
        assert!(error.to_string().starts_with("x.csv:1:"), "{error}");
        // Over several lines, two marks for one, and a mark inside a plain field.
        let good = table(
            "a,8,H100,iteration_time_s,1,\"x\n\"\"y\"\" z\"\nb,8,H\"100,iteration_time_s,1,\n",
        );
        assert!(good.is_ok_and(|rows| rows.len() == 2 && rows[1].broken().is_none()));
        // Closed by the next row's.
        let rows = table("a,8,H100,iteration_time_s,1,\"x\nb,8,H100,iteration_time_s,1,\"y\"\n")
            .unwrap_or_else(|e| panic!("{e}"));
        let why = rows[0].broken().unwrap_or_default();
        assert!(
            rows.len() == 1 && why.contains("opens on line 2 closes on line 3"),
            "{why}"
        );
        // Over several lines and of the wrong length.
        let rows = table("a,\"8\nx\",H100\n").unwrap_or_else(|e| panic!("{e}"));
        let why = rows[0].broken().unwrap_or_default();
        assert!(why.contains("lines 2 to 3 are one row of 3"), "{why}");
    }

    #[test]
    fn reasons_repeat_no_long_text() {
        let row = Row::of(1, [("gpu", "x".repeat(100))]);
        let brief = row.briefly(format!("no accelerator \"{}\"", "x".repeat(100)));
        assert_eq!(brief, format!("no accelerator \"{}…\"", "x".repeat(60)));
    }

    #[test]
    fn broken_lines_are_kept_and_say_why() {
        let text = "id,gpus,gpu,metric,value,notes\n\
                    a,8,H100,iteration_time_s,1.5,\"grade=A; x=3; and so on\"\n\
                    b,8\n\
                    a,8,H100,iteration_time_s,2,\n\
                    ,8,H100,iteration_time_s,2,\n";
        let rows = read("x.csv", text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[0].noted("grade"), Some("A"));
        assert_eq!(rows[0].noted("x"), Some("3"));
        assert_eq!(rows[0].noted("y"), None);
        assert!(rows[0].broken().is_none());
        assert!(rows[1].broken().is_some_and(|why| why.contains("2 fields")));
        assert!(rows[2].broken().is_some_and(|why| why.contains("twice")));
        assert!(rows[3].broken().is_some_and(|why| why.contains("no id")));
    }
}
