//! Claims and expectations: published figures that an answer is compared with.
//!
//! In: `[[claim]]` and `[[expect]]` tables. Out: typed [`Claim`]s in base units. Never judges.

use super::amount;
use super::check::{self, wrong_type};
use super::diagnostic::{Diagnostic, Place};
use super::keys::{Choice, Kind};
use super::tree::{Data, Node, Table};
use super::unit::{self, Dimension};

macro_rules! quantities {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal $dimension:ident),* $(,)?) => {
        /// What a claim is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Quantity {
            $($(#[doc = $doc])* $variant,)*
        }

        /// The names of all quantities, as files write them.
        pub const QUANTITIES: &[Choice] = &[
            $(Choice { name: $name, doc: concat!($($doc),*) },)*
        ];

        impl Quantity {
            /// All quantities, in the order of [`QUANTITIES`].
            pub const ALL: &'static [Quantity] = &[$(Quantity::$variant,)*];

            /// The name that files and results use.
            pub fn name(self) -> &'static str {
                match self { $(Quantity::$variant => $name,)* }
            }

            /// What it measures, and so the unit of its value.
            pub fn dimension(self) -> Dimension {
                match self { $(Quantity::$variant => Dimension::$dimension,)* }
            }
        }
    };
}

quantities! {
    /// Seconds of one optimizer step of the main phase.
    StepTime "step_time" Time,
    /// Accelerator-hours of the whole run.
    GpuHours "gpu_hours" GpuHours,
    /// Accelerator-hours of all phases that count as pre-training.
    PretrainingGpuHours "pretraining_gpu_hours" GpuHours,
    /// Accelerator-hours of the main phase.
    MainPhaseGpuHours "main_phase_gpu_hours" GpuHours,
    /// Accelerator-hours of the phases that don't count as pre-training.
    ContextExtensionGpuHours "context_extension_gpu_hours" GpuHours,
    /// Rent of the whole run, US dollars.
    Cost "cost" Money,
    /// Rent of all phases that count as pre-training, US dollars.
    PretrainingCost "pretraining_cost" Money,
    /// Days of the whole run.
    Days "days" Days,
    /// The share of the run's days in which it trains what it ends with.
    Goodput "goodput" Share,
    /// Accelerator-hours per trillion tokens of the main phase.
    GpuHoursPerTrillionTokens "gpu_hours_per_trillion_tokens" GpuHours,
    /// Days per trillion tokens of the main phase.
    DaysPerTrillionTokens "days_per_trillion_tokens" Days,
    /// Tokens per second and accelerator in the main phase.
    TokensPerSecondPerGpu "tokens_per_second_per_gpu" TokenRate,
    /// Model FLOP rate of one accelerator, causal attention counted.
    TflopsCausal "tflops_causal" FlopRate,
    /// Model FLOP rate of one accelerator, the full attention square counted.
    TflopsFull "tflops_full" FlopRate,
    /// The causal rate over the dense BF16 peak.
    MfuCausal "mfu_causal" Share,
    /// The full rate over the dense BF16 peak.
    MfuFull "mfu_full" Share,
    /// Energy of the whole run at the facility's meter.
    Energy "energy" Energy,
    /// Peak memory of the fullest accelerator.
    PeakMemory "peak_memory" Bytes,
    /// Step part: forward chunks outside overlapped pairs.
    Forward "forward" Time,
    /// Step part: input gradients outside pairs.
    BackwardInput "backward_input" Time,
    /// Step part: weight gradients outside pairs.
    BackwardWeight "backward_weight" Time,
    /// Step part: overlapped forward and backward pairs.
    Overlapped "overlapped" Time,
    /// Step part: no chunk open.
    Bubble "bubble" Time,
    /// Step part: from the last chunk to the end of the step.
    Optimizer "optimizer" Time,
}

impl Quantity {
    /// The quantity of a name.
    pub fn from_name(name: &str) -> Option<Quantity> {
        Quantity::ALL.iter().copied().find(|q| q.name() == name)
    }

    /// A value of it with its unit.
    pub fn print(self, value: f64) -> String {
        unit::print(self.dimension(), value)
    }
}

/// A stated figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What it is of.
    pub quantity: Quantity,
    /// The figure in the base unit of its dimension: seconds, accelerator-hours, dollars, days,
    /// tokens per second, FLOP per second, shares of one, joules, bytes.
    pub stated: f64,
    /// Tolerance as a share of the figure.
    pub within: Option<f64>,
    /// Who stated it; empty where not given.
    pub who: String,
    /// When; empty where not given.
    pub date: String,
    /// Where it can be read; empty where not given.
    pub source: String,
    /// What to know about it; empty where not given.
    pub note: String,
    /// Where the file states it.
    pub place: Place,
}

/// Checks what the key table can't: that the value has the quantity's unit.
pub(super) fn check(table: &Table, path: &str) -> Vec<Diagnostic> {
    let quantity = table
        .get("quantity")
        .and_then(|e| e.node.text())
        .and_then(Quantity::from_name);
    match (quantity, table.get("value")) {
        (Some(quantity), Some(entry)) => match value(quantity, &entry.node, path) {
            Ok(_) => Vec::new(),
            Err(d) => vec![d],
        },
        _ => Vec::new(),
    }
}

fn value(quantity: Quantity, node: &Node, path: &str) -> Result<f64, Diagnostic> {
    let path = check::join(path, "value");
    let stated = match (quantity.dimension(), &node.data) {
        (Dimension::Share, Data::Float(f)) => *f,
        (Dimension::Share, Data::Integer(_)) => {
            return Err(wrong_type(node, &path, "a share", "\"38.94 %\" or 0.3894"));
        }
        (dimension, _) => amount::quantity(dimension, node, &path)
            .map_err(|d| d.help(format!("`{}` is {}", quantity.name(), dimension.what())))?,
    };
    if stated > 0.0 && stated.is_finite() {
        Ok(stated)
    } else {
        Err(Diagnostic::error(
            "scenario::out-of-range",
            format!("`{path}` must be more than zero"),
        )
        .at(&node.place, "zero or negative")
        .help("state a positive figure"))
    }
}

/// Reads one claim; `None` where `check` has already found a fault.
pub(super) fn read(node: &Node) -> Option<Claim> {
    let table = node.table()?;
    let text = |name: &str| -> String {
        table
            .get(name)
            .map_or(String::new(), |e| match &e.node.data {
                Data::Text(t) | Data::Date(t) => t.clone(),
                Data::Integer(i) => i.to_string(),
                _ => String::new(),
            })
    };
    let quantity = Quantity::from_name(table.get("quantity")?.node.text()?)?;
    let entry = table.get("value")?;
    let stated = value(quantity, &entry.node, "claim").ok()?;
    let within = match table.get("within") {
        Some(entry) => {
            let kind = Kind::Number {
                min: 0.0,
                max: 10.0,
            };
            amount::read(kind, &entry.node, "claim.within", false)
                .ok()?
                .point
        }
        None => None,
    };
    Some(Claim {
        quantity,
        stated,
        within,
        who: text("who"),
        date: text("date"),
        source: text("source"),
        note: text("note"),
        place: entry.node.place.clone(),
    })
}
