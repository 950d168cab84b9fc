//! A merged sweep in a report.
//!
//! In: a folder. Out: a piece, or why it is none.

use super::Piece;
use super::read::ReportError;
use std::path::Path;

/// Opens a folder.
pub(super) fn open(path: &Path) -> Result<Piece, ReportError> {
    Err(ReportError::Unfit {
        path: path.to_path_buf(),
        reason: "is a folder".to_owned(),
        help: "give files".to_owned(),
    })
}
