//! Many cases of one scenario: planned, run in shards, merged.
//!
//! In: a scenario with a `[sweep]`. Out: a folder with a frozen plan, a file of rows for each shard, and
//! the merged table in formats that others read. Never prints, never looks at a clock.
//!
//! | room | what |
//! |---|---|
//! | [`sampling`] | the settings of case k, from the seed and k alone |
//! | [`plan`] | everything that rows depend on, frozen, with a digest |
//! | [`columns`] | what a row has, and what it is read from |
//! | [`study`] | from k to a row |
//! | [`shard`] | files of rows that are whole or not there |
//! | [`mod@run`] | shards on many threads |
//! | [`mod@merge`] | shards to one table |
//! | [`formats`] | CSV, JSON lines and Parquet |
//! | [`summary`] | the best case, and what each axis does |
//! | [`text`] | the same in words |
//! | [`table`] | a merged folder, read back |
//! | [`folder`] | names in a folder, and the locks on it |
//!
//! Case k belongs to shard k mod N, and its row depends on the plan and k alone: any shards on any
//! machines give the same merged bytes.

pub mod columns;
mod error;
pub mod folder;
pub mod formats;
pub mod merge;
pub mod plan;
pub mod run;
pub mod sampling;
pub mod shard;
pub mod study;
pub mod summary;
pub mod table;
pub mod text;

pub use error::SweepError;
pub use folder::{Folder, Lock, Part};
pub use merge::{Merged, merge};
pub use plan::{Plan, Request};
pub use run::{Event, Job, run};
pub use summary::Summary;
pub use table::Table;
