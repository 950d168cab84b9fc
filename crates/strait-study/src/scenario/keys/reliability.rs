//! Keys of failures, checkpoints and what else interrupts a run.
//!
//! In: nothing. Out: a section of the key table. Never reads a file.

use super::Section;

/// `[reliability]`: no settings yet, so any key is refused rather than ignored.
pub const RELIABILITY: Section = Section {
    title: "[reliability]",
    doc: "Failures and checkpoints. This version has no settings here.",
    keys: &[],
};
