//! Comma-separated tables with a header, as text.
//!
//! In: a file's name and text. Out: rows as maps from column to cell, each with its line, or what
//! is wrong with which line. Never knows what a column means.

use super::CalibrateError;
use std::collections::BTreeMap;

/// Longest table that is read: ten thousand times ours.
const LONGEST: usize = 1_000_000;

/// A row by column.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// File, for messages.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    cells: BTreeMap<String, String>,
}

impl Cells {
    /// A cell; `None` where the column is missing or the cell is empty.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.cells
            .get(column)
            .map(String::as_str)
            .filter(|cell| !cell.is_empty())
    }

    /// What is wrong with this row, and what to do.
    pub(super) fn wrong(
        &self,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> CalibrateError {
        CalibrateError::Table {
            file: self.file.clone(),
            line: self.line,
            problem: problem.into(),
            help: help.into(),
        }
    }

    /// A cell that a row must have.
    pub(super) fn text(&self, column: &str) -> Result<&str, CalibrateError> {
        self.get(column).ok_or_else(|| {
            self.wrong(
                format!("`{column}` is empty"),
                format!("write a value of `{column}` in every row"),
            )
        })
    }

    /// A cell that is one of these words.
    pub(super) fn word<T: Copy>(
        &self,
        column: &str,
        default: Option<&str>,
        words: &[(&str, T)],
    ) -> Result<T, CalibrateError> {
        let found = match (self.get(column), default) {
            (Some(found), _) => found,
            (None, Some(default)) => default,
            (None, None) => self.text(column)?,
        };
        let known = words.iter().find(|(word, _)| *word == found);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(
                format!("`{column}` is \"{found}\""),
                format!("it is one of {}", list.join(", ")),
            )
        })
    }

    /// A whole number within bounds.
    pub(super) fn count(
        &self,
        column: &str,
        default: Option<u64>,
        most: u64,
    ) -> Result<u64, CalibrateError> {
        let cell = match (self.get(column), default) {
            (None, Some(default)) => return Ok(default),
            (Some(cell), _) => cell,
            (None, None) => self.text(column)?,
        };
        match cell.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(self.wrong(
                format!("`{column}` is \"{cell}\""),
                format!("it is a whole number from 1 to {most}"),
            )),
        }
    }

    /// A number above zero.
    pub(super) fn positive(&self, column: &str) -> Result<f64, CalibrateError> {
        let cell = self.text(column)?;
        match cell.parse::<f64>() {
            Ok(number) if number > 0.0 && number < 1e18 => Ok(number),
            Ok(number) if number > 0.0 => Err(self.wrong(
                format!("`{column}` is {cell}, which is too large"),
                "it is a number below 1e18: look at its unit",
            )),
            Ok(_) => Err(self.wrong(format!("`{column}` is {cell}"), "it is a number above zero")),
            Err(_) => Err(self.wrong(
                format!("`{column}` is \"{cell}\", not a number"),
                "write it as 12.5 or 1.25e1, without a unit",
            )),
        }
    }
}

/// The rows of a table. `needed` are the columns that it must have.
pub(super) fn read(file: &str, text: &str, needed: &[&str]) -> Result<Vec<Cells>, CalibrateError> {
    let wrong = |line: usize, problem: String, help: String| CalibrateError::Table {
        file: file.to_owned(),
        line,
        problem,
        help,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (text.lines().enumerate())
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let Some((top, header)) = lines.next() else {
        return Err(wrong(
            1,
            "the table is empty".to_owned(),
            format!("write a header line with the columns {}", needed.join(", ")),
        ));
    };
    let header = split(header).ok_or_else(|| quotes(file, top))?;
    for (at, column) in header.iter().enumerate() {
        if header[..at].contains(column) {
            return Err(wrong(
                top,
                format!("the column `{column}` is there twice"),
                "rename one of them".to_owned(),
            ));
        }
    }
    let missing: Vec<&str> = (needed.iter().copied())
        .filter(|name| !header.iter().any(|column| column == name))
        .collect();
    if !missing.is_empty() {
        return Err(wrong(
            top,
            format!("the header lacks {}", missing.join(", ")),
            format!("a table like this has the columns {}", needed.join(", ")),
        ));
    }
    let mut rows = Vec::new();
    for (line, text) in lines {
        let cells = split(text).ok_or_else(|| quotes(file, line))?;
        if cells.len() != header.len() {
            return Err(wrong(
                line,
                format!("{} cells under {} columns", cells.len(), header.len()),
                "give every column a cell, empty or not; put cells with commas in quotes"
                    .to_owned(),
            ));
        }
        if rows.len() == LONGEST {
            return Err(wrong(
                line,
                format!("more than {LONGEST} rows"),
                "give means over repeated measurements".to_owned(),
            ));
        }
        rows.push(Cells {
            file: file.to_owned(),
            line,
            cells: header.iter().cloned().zip(cells).collect(),
        });
    }
    if rows.is_empty() {
        return Err(wrong(
            top,
            "the table has a header and no row".to_owned(),
            "write one measurement a line".to_owned(),
        ));
    }
    Ok(rows)
}

fn quotes(file: &str, line: usize) -> CalibrateError {
    CalibrateError::Table {
        file: file.to_owned(),
        line,
        problem: "a quotation mark is not closed".to_owned(),
        help: "close it on the same line, or double it inside quotes".to_owned(),
    }
}

/// The cells of a line, trimmed; `None` where quotes do not close.
fn split(line: &str) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            _ => cell.push(letter),
        }
    }
    cells.push(cell.trim().to_owned());
    (!quoted).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_comments() {
        let rows = read("t", "# note\na,b\n\"1,5\",\"x\"\"y\"\n", &["a"]).unwrap();
        assert_eq!(rows[0].get("a"), Some("1,5"));
        assert_eq!(rows[0].get("b"), Some("x\"y"));
        assert_eq!(rows[0].line, 3);
    }

    #[test]
    fn every_fault_names_its_line() {
        for (text, line, words) in [
            ("", 1, "empty"),
            ("a\n", 1, "no row"),
            ("b\n1\n", 1, "lacks a"),
            ("a,a\n1,2\n", 1, "twice"),
            ("a,b\n1\n", 2, "1 cells under 2"),
            ("a\n\"1\n", 2, "not closed"),
        ] {
            let error = read("t", text, &["a"]).unwrap_err().to_string();
            assert!(error.contains(&format!("t:{line}:")), "{error}");
            assert!(error.contains(words), "{error}");
        }
        let row = &read("t", "a,b\n-1,x\n", &[]).unwrap()[0];
        assert!(
            row.positive("a")
                .unwrap_err()
                .to_string()
                .contains("above zero")
        );
        let large = &read("t", "a\n1e308\n", &[]).unwrap()[0];
        let error = large.positive("a").unwrap_err().to_string();
        assert!(error.contains("1e308, which is too large"), "{error}");
        assert!(
            row.positive("b")
                .unwrap_err()
                .to_string()
                .contains("not a number")
        );
        assert!(row.count("a", None, 5).is_err());
    }
}
