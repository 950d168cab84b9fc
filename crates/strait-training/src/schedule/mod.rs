//! placeholder: pipeline schedules
#![allow(missing_docs)]
