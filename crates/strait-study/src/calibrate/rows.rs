//! Measured kernels, collectives and exchanges: rows of tables as what was measured.
//!
//! In: the cells of `catalog/measurements/*.csv`, or of a user's table in the same columns. Out:
//! [`Row`]s. Never predicts a time.

use super::cases::{self, Case};
use super::csv::{self, Cells};
use super::machine::{self, Machine};
use super::{CalibrateError, Family};
use crate::catalog::Catalog;
use std::collections::BTreeMap;
use strait_training::hardware::{Accelerator, Cluster};
use strait_training::kernels::Pass;
use strait_training::links::CollectiveKind;
use strait_units::Time;

/// What a row is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A fit may see it.
    Fit,
    /// No fit sees it: it tests.
    HeldOut,
    /// Neither, for a stated reason.
    NotUsed,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Table for the residuals.
    pub table: String,
    /// Profile that predicts it, such as `hopper`.
    pub profile: String,
    pub family: Family,
    pub role: Role,
    pub case: Case,
    /// The cluster, of which kernels need the accelerator alone.
    pub cluster: Cluster,
    pub measured: Time,
    /// Its cells, by which plans choose rows.
    pub cells: Cells,
}

impl Row {
    /// A property that plans choose by: a column, or one worked out here.
    pub(super) fn property(&self, column: &str) -> Option<String> {
        match (column, &self.case) {
            ("file", _) => Some(self.family.file().to_owned()),
            ("head_dim", Case::Attention { core, .. }) => {
                Some(((core.qk_dim + core.v_dim) / 2).to_string())
            }
            ("domains", Case::Collective { group, .. }) => Some(group.domains.to_string()),
            ("through", Case::Collective { kind, group, .. }) => Some(
                match (kind, group.domains, self.cluster.node.in_network_reduction) {
                    (CollectiveKind::AllToAll, 1, _) => "pairs",
                    (CollectiveKind::AllToAll, ..) => "pairs-over-nics",
                    (CollectiveKind::AllReduce, 1, true) => "switch",
                    (_, 1, _) => "ring",
                    _ => "nics",
                }
                .to_owned(),
            ),
            ("through", Case::Exchange(e)) => Some(
                if e.group.domains == 1 {
                    "one-node"
                } else {
                    "nodes"
                }
                .to_owned(),
            ),
            ("transport", Case::Collective { .. }) => {
                machine::transport_name(self.cluster.fabric.transport).map(str::to_owned)
            }
            ("pass", Case::Gemm { gemm, .. }) => Some(
                match gemm.pass {
                    Pass::Forward => "forward",
                    Pass::InputGradient => "input",
                    Pass::WeightGradient => "weight",
                }
                .to_owned(),
            ),
            _ => self.cells.get(column).map(str::to_owned),
        }
    }
}

/// Reads the shipped tables: their rows name accelerators and profiles.
pub(super) fn shipped(catalog: &Catalog) -> Result<Vec<Row>, CalibrateError> {
    let mut rows = Vec::new();
    for family in Family::ALL {
        let file = family.file();
        let text = catalog.measurements(file).unwrap_or_default();
        rows.extend(read(
            catalog,
            &format!("catalog/measurements/{file}"),
            text,
            family,
            None,
        )?);
    }
    Ok(rows)
}

/// Reads one table. `own` is the machine of rows that name none.
pub(super) fn read(
    catalog: &Catalog,
    file: &str,
    text: &str,
    family: Family,
    own: Option<&Machine>,
) -> Result<Vec<Row>, CalibrateError> {
    let needed: &[&str] = match family {
        Family::Gemm => &["operand", "m", "n", "k", "measured_us"],
        Family::Attention => &[
            "kernel",
            "heads",
            "length",
            "qk_dim",
            "v_dim",
            "measured_us",
        ],
        Family::Memory => &["class", "bytes", "measured_us"],
        Family::Collective => &["collective", "ranks", "bytes", "time_us"],
        Family::Exchange => &["ranks", "nodes", "direction", "tokens", "hidden"],
    };
    let mut accelerators: BTreeMap<String, Accelerator> = BTreeMap::new();
    let mut rows = Vec::new();
    for cells in csv::read(file, text, needed)? {
        let role = cells.get("role").unwrap_or("fit");
        let role = match role.split_once(':').map_or(role, |(word, _)| word) {
            "fit" => Role::Fit,
            "held-out" => Role::HeldOut,
            "not used" => Role::NotUsed,
            other => {
                return Err(cells.wrong(
                    format!("`role` is \"{other}\""),
                    "it is fit, held-out, or \"not used: why\"",
                ));
            }
        };
        // A row that is not used need not be of a kind that can be predicted.
        if role == Role::NotUsed {
            continue;
        }
        let (cluster, profile) = match family {
            Family::Gemm | Family::Attention | Family::Memory => {
                let chip = match (cells.get("accelerator"), own) {
                    (None, Some(own)) => own.cluster.accelerator.clone(),
                    _ => {
                        let id = cells.text("accelerator")?;
                        if !accelerators.contains_key(id) {
                            let found = catalog.accelerator(id).map_err(|error| {
                                cells.wrong(
                                    error.to_string(),
                                    "see strait catalog list accelerators",
                                )
                            })?;
                            accelerators.insert(id.to_owned(), found);
                        }
                        accelerators[id].clone()
                    }
                };
                let profile = match own {
                    None => chip.kernels.clone(),
                    Some(own) => {
                        let expected = &own.cluster.accelerator.kernels;
                        if chip.kernels != *expected {
                            return Err(other_profile(&cells, &chip.kernels, expected));
                        }
                        own.like.clone()
                    }
                };
                (Machine::bench(chip), profile)
            }
            Family::Collective | Family::Exchange => {
                let cluster = match own {
                    Some(own) => own.links_of(&cells)?,
                    None => Machine::stated(&cells)?,
                };
                let profile = match own {
                    Some(own) => match cells.get("profile") {
                        Some(other) if other != own.like => {
                            return Err(other_profile(&cells, other, &own.like));
                        }
                        _ => own.like.clone(),
                    },
                    None => cells.text("profile")?.to_owned(),
                };
                (cluster, profile)
            }
        };
        let (case, measured) = match family {
            Family::Gemm => cases::gemm(&cells, &cluster.accelerator)?,
            Family::Attention => cases::attention(&cells)?,
            Family::Memory => cases::memory(&cells)?,
            Family::Collective => cases::collective(&cells, &cluster)?,
            Family::Exchange => cases::exchange(&cells, &cluster)?,
        };
        rows.push(Row {
            table: table(&cells, family),
            profile,
            family,
            role,
            case,
            cluster,
            measured,
            cells,
        });
    }
    if rows.is_empty() {
        return Err(CalibrateError::Table {
            file: file.to_owned(),
            line: 1,
            problem: "every row is \"not used\"".to_owned(),
            help: "give at least one row the role fit".to_owned(),
        });
    }
    Ok(rows)
}

fn other_profile(cells: &Cells, of: &str, expected: &str) -> CalibrateError {
    cells.wrong(
        format!("the row is of the profile {of}, not {expected}"),
        "put machines of other profiles into tables of their own, or give the row the role \
         \"not used: why\"",
    )
}

/// Sweeps of collectives are told apart by machine, ranks and size: their errors differ.
fn table(cells: &Cells, family: Family) -> String {
    let name = (cells.get("table").or(cells.get("sweep")))
        .unwrap_or(cells.file.as_str())
        .to_owned();
    let bytes = cells.get("bytes").and_then(|b| b.parse::<f64>().ok());
    match (family, cells.get("kind").unwrap_or("sweep"), bytes) {
        (Family::Collective, "sweep", Some(bytes)) => {
            let mebibytes = bytes / 1_048_576.0;
            let band = if mebibytes < 1.0 {
                "under 1 MiB"
            } else if mebibytes < 64.0 {
                "1 to 64 MiB"
            } else {
                "from 64 MiB"
            };
            format!(
                "{name}, {} {} {}, {band}",
                cells.get("ranks").unwrap_or_default(),
                cells.get("hardware").unwrap_or("ranks"),
                cells.get("collective").unwrap_or_default()
            )
        }
        _ => name,
    }
}
