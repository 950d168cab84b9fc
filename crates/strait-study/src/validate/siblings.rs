//! Settings that a row leaves out and another row of the same publication prints.
//!
//! In: a whole table. Out: the same rows, layouts filled in from a sibling: the row of the same
//! publication, model and sharding that has one, of as many accelerators if there is one. Never fills
//! in a measured value, and never a field that the row has. Never to be given a part of a table: what
//! a row borrows must not depend on which rows are asked for.

use super::rows::{self, Row};
use super::{SHIPPED, words};
use std::collections::BTreeMap;
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
pub fn filled(table: &[Row]) -> Vec<Row> {
    let lenders = Lenders::of(table.iter().chain(shipped()));
    table.iter().map(|row| fill(row, &lenders)).collect()
}

/// Data-parallel ranks shard or copy everything: tensor and pipeline ranks would have been named.
fn data_parallel(row: &Row) -> bool {
    let zero = row.get("zero").to_lowercase();
    [
        "fsdp",
        "fully sharded",
        "fully-sharded",
        "full_shard",
        "zero-3",
        "zero3",
        "zero 3",
        "hsdp",
        "ddp",
    ]
    .iter()
    .any(|word| zero.contains(word))
}

/// Publication, model and what is sharded: rows that agree in these are of one job.
type Job = (String, String, String);

fn job(row: &Row) -> Job {
    (
        row.get("source").to_owned(),
        row.get("model").to_owned(),
        row.get("zero").to_lowercase(),
    )
}

fn gpus(row: &Row) -> u32 {
    words::leading(row.get("gpus")).unwrap_or(0)
}

/// Rows of one job by accelerators, each with its place: of equals the first one lends.
type Sizes<'a> = BTreeMap<u32, Vec<(usize, &'a Row)>>;

/// Rows with a layout.
struct Lenders<'a>(BTreeMap<Job, Sizes<'a>>);

impl<'a> Lenders<'a> {
    fn of(rows: impl Iterator<Item = &'a Row>) -> Lenders<'a> {
        let mut jobs: BTreeMap<Job, Sizes<'_>> = BTreeMap::new();
        for (place, row) in rows.enumerate() {
            let printed = !row.get("tp").is_empty() && !row.get("pp").is_empty();
            if row.broken().is_some() || !printed {
                continue;
            }
            // Where everything is sharded by data-parallel ranks, what a job with other ranks has
            // says nothing about one without.
            if data_parallel(row) && (row.get("tp"), row.get("pp")) != ("1", "1") {
                continue;
            }
            let sizes = jobs.entry(job(row)).or_default();
            let list = sizes.entry(gpus(row)).or_default();
            // Two are enough: only a row's own name is passed over.
            if list.iter().all(|(_, other)| other.id() != row.id()) && list.len() < 2 {
                list.push((place, row));
            }
        }
        Lenders(jobs)
    }

    /// The nearest in number of accelerators; of two as near, the first of the table.
    fn nearest(&self, row: &Row) -> Option<&'a Row> {
        let sizes = self.0.get(&job(row))?;
        let own = gpus(row);
        let of = |(size, list): (&u32, &Vec<(usize, &'a Row)>)| {
            let found = list.iter().find(|(_, other)| other.id() != row.id())?;
            Some((size.abs_diff(own), found.0, found.1))
        };
        let below = sizes.range(..own).rev().find_map(of);
        let above = sizes.range(own..).find_map(of);
        (below.into_iter().chain(above))
            .min_by_key(|(far, place, _)| (*far, *place))
            .map(|(_, _, row)| row)
    }
}

fn fill(row: &Row, lenders: &Lenders<'_>) -> Row {
    let printed = |column: &str| !row.get(column).is_empty();
    if row.broken().is_some() || (printed("tp") && printed("pp")) {
        return row.clone();
    }
    let alone = data_parallel(row);
    if !alone && (printed("tp") || printed("pp")) {
        return row.clone();
    }
    let mut filled = row.clone();
    if alone {
        for column in ["tp", "pp"] {
            if !printed(column) {
                filled = filled.with(column, "1");
            }
        }
        if (filled.get("tp"), filled.get("pp")) != ("1", "1") {
            return filled;
        }
    }
    let Some(sibling) = lenders.nearest(row) else {
        return filled;
    };
    let mut borrows = false;
    for column in LAYOUT {
        if filled.get(column).is_empty() && !sibling.get(column).is_empty() {
            filled = filled.with(column, sibling.get(column));
            borrows = true;
        }
    }
    if !borrows {
        return filled;
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

    #[test]
    fn a_part_of_a_table_borrows_nothing_that_the_whole_would_not() {
        let rows = [
            row("near", "64", "2", "1"),
            row("open", "32", "", "7"),
            row("far", "8", "4", "1"),
        ];
        // Equally near: the first of the table.
        let level = [
            row("more", "48", "8", "4"),
            row("open", "32", "", "7"),
            row("less", "16", "2", "1"),
        ];
        assert_eq!(filled(&rows)[1].get("tp"), "4");
        assert_eq!(filled(&level)[1].get("tp"), "8");
        // A row is filled once: what is filled stays as it is.
        let once = filled(&rows);
        assert_eq!(filled(&once[1..2]), once[1..2]);
    }

    #[test]
    fn a_job_that_shards_all_never_borrows_ranks_of_another() {
        let zero = |row: Row, words: &str| row.with("zero", words);
        let rows = [
            row("megatron", "32", "4", "2"),
            zero(row("open", "32", "", ""), "FSDP (full shard)"),
            zero(row("like", "64", "1", "3"), "fsdp (Full Shard)"),
            zero(row("mixed", "32", "8", "9"), "FSDP (full shard)"),
            zero(row("other", "32", "", ""), "distributed optimizer"),
        ];
        let filled = filled(&rows);
        let cells = |at: usize| ["tp", "pp", "micro_batch"].map(|c| filled[at].get(c));
        assert_eq!(cells(1), ["1", "1", "3"]);
        assert!(filled[1].borrowed().is_some_and(|w| w.contains("like")));
        assert_eq!(cells(4), ["", "", ""]);
    }
}
