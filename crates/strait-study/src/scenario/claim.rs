//! Claims and expectations: published figures that an answer is compared with.
//!
//! In: `[[claim]]` and `[[expect]]` tables. Out: typed [`Claim`]s in base units. Never judges.

use super::amount;
use super::check::{self, wrong_type};
use super::diagnostic::{Diagnostic, Place};
use super::keys::{Choice, Kind};
use super::tree::{Data, Node, Table};
use super::unit::{self, Dimension};
use strait_training::case::Phase;

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
    /// Accelerator-hours of the phase that `phase` names, or of all whose names begin with it.
    PhaseGpuHours "phase_gpu_hours" GpuHours,
    /// Accelerator-hours of the phases that don't count as pre-training.
    ContextExtensionGpuHours "context_extension_gpu_hours" GpuHours,
    /// Cost of the run itself, rented or owned, US dollars.
    Cost "cost" Money,
    /// Cost of all phases that count as pre-training, US dollars.
    PretrainingCost "pretraining_cost" Money,
    /// Cost of the run and of all lines beyond it, US dollars.
    TotalCost "total_cost" Money,
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
    /// Accelerators owned: `[[fleet]]`. No simulation tells how many somebody owns.
    FleetSize "fleet_size" Accelerators,
    /// Purchase price of the accelerators of `[[fleet]]` with their servers, US dollars.
    FleetPrice "fleet_price" Money,
    /// Share of what the accelerators of `[[fleet]]` could compute during the run that the run used.
    FleetShare "fleet_share" Share,
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

/// How figures are meant, as files write it.
pub const RELATIONS: &[Choice] = &[
    Choice {
        name: "about",
        doc: "What it was: neither much less nor much more.",
    },
    Choice {
        name: "at-least",
        doc: "No less than this: a smaller simulated value speaks against it.",
    },
    Choice {
        name: "at-most",
        doc: "No more than this: a larger simulated value speaks against it.",
    },
];

/// How a figure is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relation {
    /// What it was.
    #[default]
    About,
    /// No less.
    AtLeast,
    /// No more.
    AtMost,
}

/// A stated figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What it is of.
    pub quantity: Quantity,
    /// The figure in the base unit of its dimension: seconds, accelerator-hours, dollars, days,
    /// tokens per second, FLOP per second, shares of one, joules, bytes.
    pub stated: f64,
    /// The phase that it is of, or what the names of several begin with; `None`: no phase in particular.
    pub phase: Option<String>,
    /// Tolerance as a share of the figure.
    pub within: Option<f64>,
    /// What the ledger calls it; the quantity's name where not given.
    pub id: String,
    /// The file gives the id.
    pub named: bool,
    /// How it is meant.
    pub relation: Relation,
    /// What must be true for it.
    pub requires: Vec<String>,
    /// What would have to be known to tell.
    pub missing: Vec<String>,
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
    if let Some(d) = misplaced_phase(quantity, table) {
        return vec![d];
    }
    match (quantity, table.get("value")) {
        (Some(quantity), Some(entry)) => match value(quantity, &entry.node, path) {
            Ok(_) => Vec::new(),
            Err(d) => vec![d],
        },
        _ => Vec::new(),
    }
}

/// A quantity of a phase needs one, others have none.
fn misplaced_phase(quantity: Option<Quantity>, table: &Table) -> Option<Diagnostic> {
    let quantity = quantity?;
    let stated = table.get("quantity")?;
    match (quantity, table.get("phase")) {
        (Quantity::PhaseGpuHours, None) => Some(
            Diagnostic::error(
                "scenario::missing-key",
                "a claim about phase_gpu_hours needs `phase`".to_owned(),
            )
            .at(&stated.node.place, "of which phase?")
            .help("phase = \"NAME\", or what the names of several phases begin with"),
        ),
        (quantity, Some(phase)) if quantity != Quantity::PhaseGpuHours => Some(
            Diagnostic::error(
                "scenario::phase-without-use",
                format!("{} is not a quantity of one phase", quantity.name()),
            )
            .at(&phase.key, "not read here")
            .help("leave phase out, or state phase_gpu_hours"),
        ),
        _ => None,
    }
}

/// Whether a phase's name is this, or begins with it and a dash.
pub fn names_phase(stated: &str, phase: &str) -> bool {
    phase
        .strip_prefix(stated)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl Claim {
    /// A fault where the phase that it is of does not exist.
    pub(super) fn unknown_phase(&self, phases: &[Phase]) -> Option<Diagnostic> {
        let stated = self.phase.as_ref()?;
        if phases.iter().any(|phase| names_phase(stated, &phase.name)) {
            return None;
        }
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        let mut d = Diagnostic::error(
            "scenario::unknown-phase",
            format!("a claim is about phase \"{stated}\", which there is not"),
        )
        .at(&self.place, "its claim");
        let near = check::suggest(stated, &names);
        if !near.is_empty() {
            d = d.help(check::did_you_mean(&near));
        }
        Some(d.help(format!("the phases: {}", names.join(", "))))
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
    let sentences = |name: &str| -> Vec<String> {
        (table
            .get(name)
            .and_then(|e| e.node.list())
            .unwrap_or(&[])
            .iter())
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
    };
    let id = Some(text("id")).filter(|id| !id.trim().is_empty());
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
    let phase = text("phase");
    Some(Claim {
        quantity,
        stated,
        phase: (!phase.is_empty()).then_some(phase),
        within,
        named: id.is_some(),
        id: id.unwrap_or_else(|| quantity.name().to_owned()),
        relation: match text("relation").as_str() {
            "at-least" => Relation::AtLeast,
            "at-most" => Relation::AtMost,
            _ => Relation::About,
        },
        requires: sentences("requires"),
        missing: sentences("missing"),
        who: text("who"),
        date: text("date"),
        source: text("source"),
        note: text("note"),
        place: entry.node.place.clone(),
    })
}
