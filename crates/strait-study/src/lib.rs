//! What people ask, and what they are told: from a scenario file to an answer.
//!
//! In: scenario files and the catalogue. Out: cases for the training floor; from their outcomes
//! answers as text, JSON and figures. Reads and writes files, never prints.
//!
//! # A tour
//!
//! | room | what |
//! |---|---|
//! | [`catalog`] | facts with sources: hardware, prices, software |
//! | [`calibrate`] | kernel and link parameters fitted to measured tables |
//! | [`models`] | models of the catalogue, and Hugging Face's `config.json` |
//! | [`rules`] | export rules as dated data; what they say of a chip |
//! | [`scenario`] | files to cases; every fault with its place; where each value came from |
//! | [`search`] | the best layout of a model on a cluster |
//! | [`sweep`] | many cases of a scenario, planned, run in shards, merged |
//! | [`chance`] | ranges and the prediction's own error as distributions of the answer |
//! | [`sensitivity`] | what moves the answer, one input at a time, and two at once |
//! | [`verdict`] | claims and expectations, judged |
//! | [`ledger`] | claims of the world, each with a verdict |
//! | [`answer`] | outcomes as text and JSON; comparisons |
//! | [`figures`] | SVG with its data |
//! | [`report`] | answers as one page of HTML |
//! | [`artifact`] | files that appear whole or not at all |
//!
//! The command calls [`scenario`] first and [`answer`] last; between them lies the training floor.

pub mod answer;
pub mod artifact;
pub mod calibrate;
pub mod catalog;
pub mod chance;
pub mod figures;
pub mod ledger;
pub mod models;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod search;
pub mod sensitivity;
pub mod sweep;
pub mod trace;
pub mod uncertainty;
pub mod validate;
pub mod verdict;
