//! placeholder: communication times
#![allow(missing_docs)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkProfile {}
