//! The figures in the prose of *Is $5.6 M plausible?*.

use crate::shell::Shell;
use std::collections::BTreeMap;

/// Every value that the template names.
pub fn values(_shell: &mut Shell) -> Result<BTreeMap<&'static str, String>, String> {
    Ok(BTreeMap::new())
}
