//! Comma-separated values, wide and long.
//!
//! In: rows. Out: one line for each case with all its columns; one line for each metric of each case.
//! Numbers have a point or an exponent, so that readers that look at the first lines alone do not take them
//! for whole ones. Never writes a value that is missing.

use crate::sweep::columns::{Columns, Role, Value};
use std::io::{self, Write};

/// One line for each case.
pub struct Wide<W: Write>(csv::Writer<W>);

/// One line for each metric of each case: `case,metric,value,unit`.
pub struct Long<W: Write> {
    writer: csv::Writer<W>,
    /// Places, names and units of metrics.
    metrics: Vec<(usize, String, String)>,
}

fn wrong(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A number as the rows of shards have it.
pub fn number(value: f64) -> String {
    serde_json::Value::from(value).to_string()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Missing => String::new(),
        Value::Integer(value) => value.to_string(),
        Value::Number(value) => number(*value),
        Value::Text(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
    }
}

impl<W: Write> Wide<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// That they can't be written.
    pub fn new(out: W, columns: &Columns) -> io::Result<Wide<W>> {
        let mut writer = csv::Writer::from_writer(out);
        let names = columns.list.iter().map(|column| column.name.as_str());
        writer.write_record(names).map_err(wrong)?;
        Ok(Wide(writer))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn row(&mut self, row: &[Value]) -> io::Result<()> {
        for value in row {
            self.0.write_field(cell(value)).map_err(wrong)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(wrong)
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Long<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// That they can't be written.
    pub fn new(out: W, columns: &Columns) -> io::Result<Long<W>> {
        let mut writer = csv::Writer::from_writer(out);
        (writer.write_record(["case", "metric", "value", "unit"])).map_err(wrong)?;
        let metrics = (columns.list.iter().enumerate())
            .filter(|(_, column)| column.role == Role::Metric)
            .map(|(place, column)| (place, column.name.clone(), column.unit.clone()))
            .collect();
        Ok(Long { writer, metrics })
    }

    /// Writes the metrics of a row: none where the case has no answer.
    ///
    /// # Errors
    /// That they can't be written.
    pub fn row(&mut self, row: &[Value]) -> io::Result<()> {
        let case = row.first().map_or(String::new(), cell);
        for (place, name, unit) in &self.metrics {
            if let Some(value) = row.get(*place).and_then(Value::number) {
                let value = number(value);
                let line = [case.as_str(), name.as_str(), value.as_str(), unit.as_str()];
                self.writer.write_record(line).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
