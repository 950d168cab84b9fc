//! Settings that a row leaves out and another row of the same publication prints.
//!
//! In: rows. Out: the same rows, layouts filled in from a sibling: the row of the same publication
//! and model that has one, of as many accelerators if there is one. Never fills in a measured value,
//! and never a field that the row has.

use super::rows::{self, Row};
use super::{SHIPPED, words};
use std::sync::OnceLock;

/// Fields of a layout, which belong together.
const LAYOUT: [&str; 8] = [
    "tp",
    "pp",
    "vpp",
    "cp",
    "ep",
    "sp",
    "micro_batch",
    "seq_len",
];

fn shipped() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| rows::read(SHIPPED.0, SHIPPED.1).unwrap_or_default())
}

/// Rows with the layouts of their siblings, in the table itself or among the published rows.
pub fn filled(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| fill(row, rows)).collect()
}

fn fill(row: &Row, table: &[Row]) -> Row {
    if row.broken().is_some() || !row.get("tp").is_empty() || !row.get("pp").is_empty() {
        return row.clone();
    }
    let alike = |other: &&Row| {
        other.broken().is_none()
            && other.id() != row.id()
            && other.get("source") == row.get("source")
            && other.get("model") == row.get("model")
            && !other.get("tp").is_empty()
            && !other.get("pp").is_empty()
    };
    let gpus = |row: &Row| words::leading(row.get("gpus")).unwrap_or(0);
    let known = table.iter().chain(shipped()).filter(alike);
    let Some(sibling) = known.min_by_key(|other| gpus(other).abs_diff(gpus(row))) else {
        return row.clone();
    };
    let mut filled = row.clone();
    for column in LAYOUT {
        if row.get(column).is_empty() && !sibling.get(column).is_empty() {
            filled = filled.with(column, sibling.get(column));
        }
    }
    filled.borrowing(format!(
        "layout of {}, the same job of this publication: not printed",
        sibling.id()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, gpus: &str, tp: &str, micro_batch: &str) -> Row {
        Row::of(
            1,
            [
                ("id", id.to_owned()),
                ("source", "a table".to_owned()),
                ("model", "a model".to_owned()),
                ("gpus", gpus.to_owned()),
                ("tp", tp.to_owned()),
                ("pp", tp.to_owned()),
                ("micro_batch", micro_batch.to_owned()),
                ("value", gpus.to_owned()),
            ],
        )
    }

    #[test]
    fn the_nearest_sibling_lends_its_layout_and_nothing_else() {
        let rows = [
            row("far", "512", "8", "4"),
            row("near", "64", "2", "1"),
            row("open", "32", "", "7"),
        ];
        let filled = filled(&rows);
        assert_eq!(filled[2].get("tp"), "2");
        assert_eq!(filled[2].get("micro_batch"), "7");
        assert_eq!(filled[2].get("value"), "32");
        assert!(
            filled[2]
                .borrowed()
                .is_some_and(|words| words.contains("near"))
        );
        assert_eq!(filled[0], rows[0]);
    }
}
