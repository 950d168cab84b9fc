//! Parquet.
//!
//! In: rows. Out: a file with one column for each of theirs, all of which may be empty. Rows are held until
//! a group of them is full. Never compresses: that would take another library for files that are small.

use crate::sweep::columns::{Columns, Kind, Value};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Rows of a group.
const GROUP: usize = 8192;

/// A file that is being written.
pub struct Table {
    writer: Option<SerializedFileWriter<File>>,
    kinds: Vec<Kind>,
    held: Vec<Vec<Value>>,
}

fn wrong(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other.to_string()),
        },
        other => io::Error::other(other.to_string()),
    }
}

fn field(name: &str, kind: Kind) -> Result<Type, ParquetError> {
    let of = |physical| Type::primitive_type_builder(name, physical);
    let builder = match kind {
        Kind::Integer => of(Physical::INT64),
        Kind::Number => of(Physical::DOUBLE),
        Kind::Flag => of(Physical::BOOLEAN),
        Kind::Text => of(Physical::BYTE_ARRAY)
            .with_logical_type(Some(LogicalType::String))
            .with_converted_type(ConvertedType::UTF8),
    };
    builder.with_repetition(Repetition::OPTIONAL).build()
}

impl Table {
    /// Begins a file.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn new(file: File, columns: &Columns) -> io::Result<Table> {
        let fields = (columns.list.iter())
            .map(|column| field(&column.name, column.kind).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong)?;
        let schema = Type::group_type_builder("cases")
            .with_fields(fields)
            .build()
            .map_err(wrong)?;
        // The writer's own name has its version in it: bytes should follow from rows alone.
        let properties = WriterProperties::builder()
            .set_created_by("strait".to_owned())
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(wrong)?;
        Ok(Table {
            writer: Some(writer),
            kinds: columns.list.iter().map(|column| column.kind).collect(),
            held: Vec::new(),
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// That a full group can't be written.
    pub fn row(&mut self, row: Vec<Value>) -> io::Result<()> {
        self.held.push(row);
        if self.held.len() >= GROUP {
            self.group()?;
        }
        Ok(())
    }

    fn group(&mut self) -> io::Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let held = std::mem::take(&mut self.held);
        let mut group = writer.next_row_group().map_err(wrong)?;
        for (place, kind) in self.kinds.iter().enumerate() {
            let values = || held.iter().filter_map(|row| row.get(place));
            // A definition level is 1 where there is a value.
            let levels: Vec<i16> = values()
                .map(|value| i16::from(*value != Value::Missing))
                .collect();
            let Some(mut column) = group.next_column().map_err(wrong)? else {
                break;
            };
            let levels = Some(levels.as_slice());
            match kind {
                Kind::Integer => {
                    let list: Vec<i64> = values()
                        .filter_map(|value| match value {
                            Value::Integer(value) => Some(*value),
                            _ => None,
                        })
                        .collect();
                    column.typed::<Int64Type>().write_batch(&list, levels, None)
                }
                Kind::Number => {
                    let list: Vec<f64> = values().filter_map(Value::number).collect();
                    column
                        .typed::<DoubleType>()
                        .write_batch(&list, levels, None)
                }
                Kind::Flag => {
                    let list: Vec<bool> = values()
                        .filter_map(|value| match value {
                            Value::Flag(flag) => Some(*flag),
                            _ => None,
                        })
                        .collect();
                    column.typed::<BoolType>().write_batch(&list, levels, None)
                }
                Kind::Text => {
                    let list: Vec<ByteArray> = values()
                        .filter_map(|value| match value {
                            Value::Text(text) => Some(ByteArray::from(text.as_str())),
                            _ => None,
                        })
                        .collect();
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&list, levels, None)
                }
            }
            .map_err(wrong)?;
            column.close().map_err(wrong)?;
        }
        group.close().map_err(wrong)?;
        Ok(())
    }

    /// Writes what is held and the end of the file.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn finish(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.group()?;
        }
        if let Some(writer) = self.writer.take() {
            let mut file = writer.into_inner().map_err(wrong)?;
            io::Write::flush(&mut file)?;
        }
        Ok(())
    }
}
