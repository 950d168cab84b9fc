//! The formats of a merged table.
//!
//! In: rows. Out: files that pandas, polars and DuckDB open without a hint: one type for each column, empty
//! for what is missing. Never holds more than a block of rows.

pub mod csv;
pub mod parquet;
