//! What a row measured: its cells as a product, an attention core, a collective.
//!
//! In: the cells of a row. Out: a [`Case`] and its time, or which cell is wrong. Never knows which
//! table the row is of or what it is for.

use super::CalibrateError;
use super::csv::Cells;
use strait_training::case::{AttentionKernel, Dispatcher};
use strait_training::hardware::{Accelerator, Cluster};
use strait_training::kernels::{AttentionCore, Gemm, MatrixType, MemoryClass, Pass};
use strait_training::links::{CollectiveKind, Direction, Exchange, GroupShape};
use strait_units::{Bytes, Time};

/// What was measured.
#[derive(Clone, Debug)]
pub(super) enum Case {
    /// A matrix product on some units.
    Gemm {
        gemm: Gemm,
        units: u32,
        stand_alone: bool,
    },
    /// An attention core: forward, backward, or one after the other.
    Attention {
        core: AttentionCore,
        both: bool,
        /// Separate kernels of a benchmark that has no mask, scale or dropout.
        plain: bool,
    },
    /// Calls of a memory-bound kernel that each move these bytes.
    Memory {
        class: MemoryClass,
        bytes: Bytes,
        calls: u64,
        custom: bool,
        /// The stream triad itself, of which classes are shares.
        triad: bool,
    },
    /// A collective.
    Collective {
        kind: CollectiveKind,
        bytes: Bytes,
        group: GroupShape,
    },
    /// An expert exchange.
    Exchange(Exchange),
}

fn micros(cells: &Cells, column: &str) -> Result<Time, CalibrateError> {
    let micros = cells.positive(column)?;
    if !(1e-3..=1e12).contains(&micros) {
        return Err(cells.wrong(
            format!("`{column}` is {}", cells.text(column)?),
            "it is a time in microseconds, from a nanosecond to a week",
        ));
    }
    Ok(Time::from_micros(micros))
}

/// Largest dimension of a matrix or tensor: a thousand times those of 2026.
const DIMENSION: u64 = 1_000_000_000;

fn small(cells: &Cells, column: &str, default: Option<u64>) -> Result<u32, CalibrateError> {
    // Products of two stay within 32 bits.
    Ok(cells.count(column, default, 65_535)? as u32)
}

pub(super) fn gemm(cells: &Cells, chip: &Accelerator) -> Result<(Case, Time), CalibrateError> {
    let operand = cells.word(
        "operand",
        None,
        &[
            ("bf16", MatrixType::Bf16),
            ("fp8-tensor", MatrixType::Fp8Tensor),
            ("fp8-block", MatrixType::Fp8Block),
            ("mxfp8", MatrixType::Mxfp8),
        ],
    )?;
    let pass = cells.word(
        "pass",
        Some("forward"),
        &[
            ("forward", Pass::Forward),
            ("input", Pass::InputGradient),
            ("weight", Pass::WeightGradient),
        ],
    )?;
    let stand_alone = cells.word(
        "clock",
        Some("stand-alone"),
        &[("stand-alone", true), ("training", false)],
    )?;
    let output_bytes = match cells.get("output_bytes") {
        None => 2.0,
        Some(_) => cells.positive("output_bytes")?,
    };
    let units = u64::from(chip.compute_units.max(1));
    let case = Case::Gemm {
        gemm: Gemm {
            m: cells.count("m", None, DIMENSION)?,
            n: cells.count("n", None, DIMENSION)?,
            k: cells.count("k", None, DIMENSION)?,
            groups: small(cells, "groups", Some(1))?,
            operand,
            pass,
            output_bytes,
        },
        units: cells.count("units", Some(units), units)? as u32,
        stand_alone,
    };
    Ok((case, micros(cells, "measured_us")?))
}

pub(super) fn attention(cells: &Cells) -> Result<(Case, Time), CalibrateError> {
    let heads = small(cells, "heads", None)?;
    let length = cells.count("length", None, DIMENSION)?;
    let (kernel, plain) = cells.word(
        "kernel",
        None,
        &[
            ("flash1", (AttentionKernel::Flash1, false)),
            ("flash2", (AttentionKernel::Flash2, false)),
            ("flash3", (AttentionKernel::Flash3, false)),
            ("cudnn", (AttentionKernel::Flash3, false)),
            ("unfused", (AttentionKernel::Unfused, false)),
            ("unfused-plain", (AttentionKernel::Unfused, true)),
        ],
    )?;
    let (backward, both) = cells.word(
        "direction",
        Some("fwd"),
        &[
            ("fwd", (false, false)),
            ("bwd", (true, false)),
            ("fwd+bwd", (false, true)),
        ],
    )?;
    let core = AttentionCore {
        batch: small(cells, "batch", Some(1))?,
        heads,
        kv_heads: small(cells, "kv_heads", Some(u64::from(heads)))?,
        queries: length,
        keys: length,
        qk_dim: small(cells, "qk_dim", None)?,
        v_dim: small(cells, "v_dim", None)?,
        causal: cells.word("causal", Some("yes"), &[("yes", true), ("no", false)])?,
        kernel,
        backward,
    };
    Ok((
        Case::Attention { core, both, plain },
        micros(cells, "measured_us")?,
    ))
}

/// Classes as tables name them.
const CLASSES: [(&str, MemoryClass); 16] = [
    ("stream", MemoryClass::Stream),
    ("swiglu", MemoryClass::Swiglu),
    ("transpose", MemoryClass::Transpose),
    ("cast-transpose", MemoryClass::CastTranspose),
    ("cast", MemoryClass::Cast),
    ("dequant-transpose", MemoryClass::DequantTranspose),
    ("norm", MemoryClass::Norm),
    ("norm-backward", MemoryClass::NormBackward),
    ("pack12", MemoryClass::Pack12),
    ("strided", MemoryClass::Strided),
    ("loss", MemoryClass::Loss),
    ("optimizer", MemoryClass::Optimizer),
    ("embedding", MemoryClass::Embedding),
    ("permute", MemoryClass::Permute),
    ("copy", MemoryClass::Copy),
    // Bytes at the triad's own rate.
    ("triad", MemoryClass::Copy),
];

pub(super) fn memory(cells: &Cells) -> Result<(Case, Time), CalibrateError> {
    let calls = cells.count("calls", Some(1), DIMENSION)?;
    let bytes = cells.count("bytes", None, 1 << 50)?;
    let case = Case::Memory {
        class: cells.word("class", None, &CLASSES)?,
        bytes: Bytes::new((bytes / calls).max(1)),
        calls,
        triad: cells.get("class") == Some("triad"),
        custom: cells.word(
            "fusion",
            Some("fused"),
            &[("fused", false), ("custom", true)],
        )?,
    };
    Ok((case, micros(cells, "measured_us")?))
}

pub(super) fn collective(cells: &Cells, cluster: &Cluster) -> Result<(Case, Time), CalibrateError> {
    let ranks = cells.count("ranks", None, 1_000_000)?;
    let domain = u64::from(cluster.node.accelerators.max(1));
    let per_domain = cells.count("per_domain", Some(ranks.min(domain)), domain)?;
    if ranks < 2 {
        return Err(cells.wrong("`ranks` is 1", "a collective has two ranks or more"));
    }
    let kind = cells.word(
        "collective",
        None,
        &[
            ("all_reduce", CollectiveKind::AllReduce),
            ("all_gather", CollectiveKind::AllGather),
            ("reduce_scatter", CollectiveKind::ReduceScatter),
            ("broadcast", CollectiveKind::Broadcast),
            ("all_to_all", CollectiveKind::AllToAll),
        ],
    )?;
    let case = Case::Collective {
        kind,
        bytes: Bytes::new(cells.count("bytes", None, 1 << 50)?),
        group: GroupShape::spread(ranks as u32, per_domain as u32),
    };
    Ok((case, micros(cells, "time_us")?))
}

pub(super) fn exchange(cells: &Cells, cluster: &Cluster) -> Result<(Case, Time), CalibrateError> {
    let ranks = cells.count("ranks", None, 1_000_000)? as u32;
    let nodes = cells.count("nodes", None, u64::from(ranks))? as u32;
    let per_domain = ranks / nodes;
    if per_domain > cluster.node.accelerators || ranks < 2 || !ranks.is_multiple_of(nodes) {
        return Err(cells.wrong(
            format!(
                "{ranks} ranks on {nodes} nodes of {}",
                cluster.node.accelerators
            ),
            "give two ranks or more, the same number on each node, and no more than it holds",
        ));
    }
    let direction = cells.word(
        "direction",
        None,
        &[
            ("dispatch", Direction::Dispatch),
            ("combine", Direction::Combine),
        ],
    )?;
    let yes = |column| cells.word(column, Some("no"), &[("yes", true), ("no", false)]);
    let hidden = cells.count("hidden", None, 10_000_000)? as u32;
    let exchange = Exchange {
        dispatcher: cells.word(
            "dispatcher",
            Some("deduplicated"),
            &[
                ("deduplicated", Dispatcher::Deduplicated),
                ("all-to-all", Dispatcher::AllToAll),
                ("all-gather", Dispatcher::AllGather),
            ],
        )?,
        direction,
        tokens: cells.count("tokens", None, DIMENSION)?,
        hidden,
        bytes_per_token: match cells.get("bytes_per_token") {
            Some(_) => cells.positive("bytes_per_token")?,
            None => 2.0 * f64::from(hidden),
        },
        top_k: small(cells, "top_k", Some(1))?,
        experts: small(cells, "experts", Some(u64::from(ranks)))?,
        routing_groups: small(cells, "routing_groups", Some(1))?,
        group_limit: small(cells, "group_limit", Some(1))?,
        node_limit: None,
        group: GroupShape {
            ranks,
            per_domain,
            domains: nodes,
        },
        beside_compute: yes("beside_compute")?,
        fresh_handle: yes("fresh_handle")?,
    };
    if exchange.top_k > exchange.experts || !exchange.experts.is_multiple_of(ranks) {
        return Err(cells.wrong(
            format!(
                "{} of {} experts over {ranks} ranks",
                exchange.top_k, exchange.experts
            ),
            "experts are a multiple of ranks, and top_k is not more than they are",
        ));
    }
    let measured = match cells.get("measured_us") {
        Some(_) => micros(cells, "measured_us")?,
        None => {
            // Published bandwidths are logical: copies that stay in the node or rank are counted.
            let fan_out = exchange.fan_out();
            let copies = cells.word(
                "path",
                None,
                &[("nic", fan_out.nodes), ("nvlink", fan_out.ranks)],
            )?;
            let logical = exchange.tokens as f64 * copies.get() * exchange.bytes_per_token;
            Time::from_seconds(logical / (cells.positive("bandwidth_GBps")? * 1e9))
        }
    };
    Ok((Case::Exchange(exchange), measured))
}
