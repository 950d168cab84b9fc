//! Accelerators, nodes and fabrics from the catalogue, and the defaults of money and power.
//!
//! In: entries of `catalog/accelerators`, `nodes`, `fabrics` and `economics`. Out: the
//! training floor's hardware types. Never fills a gap: a chip whose public figures do
//! not suffice for a simulation is refused with what is missing.

use super::{Catalog, CatalogError};
use serde::Deserialize;
use strait_training::hardware::{Accelerator, Fabric, Node, Peaks, ScaleUp, Transport};
use strait_units::{
    Bandwidth, Bytes, FlopRate, Money, Power, PricePerEnergy, PricePerHour, Ratio, Time,
};

/// The folder of accelerators.
pub const ACCELERATORS: &str = "accelerators";
/// The folder of nodes.
pub const NODES: &str = "nodes";
/// The folder of fabrics.
pub const FABRICS: &str = "fabrics";
/// The folder of money and power.
pub const ECONOMICS: &str = "economics";
/// Kind of the rates of decoding in rollouts.
pub const ROLLOUT: &str = "rollout";

/// An accelerator as in its file; what a simulation does not need is left to [`Catalog::show`].
#[derive(Clone, Deserialize)]
struct AcceleratorFile {
    name: String,
    compute_units: Option<u32>,
    memory: Option<Bytes>,
    memory_bandwidth: Option<Bandwidth>,
    scale_up: Option<Bandwidth>,
    host_bandwidth: Option<Bandwidth>,
    tdp: Option<Power>,
    kernels: Option<String>,
    links: Option<String>,
    default_node: Option<String>,
    default_fabric: Option<String>,
    #[serde(default)]
    peaks: PeaksFile,
    #[serde(default)]
    market: MarketFile,
}

#[derive(Clone, Default, Deserialize)]
struct PeaksFile {
    fp16: Option<FlopRate>,
    bf16: Option<FlopRate>,
    fp8: Option<FlopRate>,
    fp4: Option<FlopRate>,
}

#[derive(Clone, Default, Deserialize)]
struct MarketFile {
    price: Option<Money>,
    price_low: Option<Money>,
    price_high: Option<Money>,
    rent: Option<PricePerHour>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ScaleUpName {
    Switched,
    Mesh,
    Torus,
    Pcie,
}

#[derive(Clone, Deserialize)]
struct NodeFile {
    accelerators: u32,
    scale_up: ScaleUpName,
    in_network_reduction: bool,
    nics: u32,
    nic_rate: Bandwidth,
    overhead_power: Power,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TransportName {
    Infiniband,
    Roce,
    EfaV1,
    EfaV2,
    Tcpx,
    OmniPath,
    Proprietary,
}

#[derive(Clone, Deserialize)]
struct FabricFile {
    transport: TransportName,
    planes: u32,
    layers: u32,
    radix: u32,
    oversubscription: f64,
    pod_accelerators: Option<u32>,
    pod_oversubscription: Option<f64>,
}

/// What an accelerator sells for.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// Its name, for people.
    pub name: String,
    /// Dense peak in 16-bit floating point, where known.
    pub peak: Option<FlopRate>,
    /// Likeliest price of one with its share of a server, where known.
    pub price: Option<Money>,
    /// Low end; the price where no range is known.
    pub price_low: Option<Money>,
    /// High end; the price where no range is known.
    pub price_high: Option<Money>,
}

/// Prices and power of a place, where a scenario does not give its own.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct EconomicsDefaults {
    /// Facility power over IT power.
    pub pue: Ratio,
    /// Price of electricity.
    pub electricity: PricePerEnergy,
    /// Network between servers as a share of the price of both.
    pub network_share: Option<Ratio>,
    /// Share of its value that hardware loses in a year, continuous.
    pub price_decline_per_year: Option<Ratio>,
    /// Price of a server's share over that of a card alone.
    pub server_over_card_price: Option<Ratio>,
    /// Shell, power supply and cooling for a watt.
    pub facility_per_watt: Option<Money>,
    /// How long these last, in years.
    pub facility_lifetime_years: Option<f64>,
    /// How long servers last, in years.
    pub lifetime_years: Option<f64>,
}

/// Rates of decoding in rollouts, where a scenario does not give its own.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct RolloutFacts {
    /// Share of HBM bandwidth at which decode attention reads the KV cache.
    pub attention_bandwidth: Ratio,
    /// Share of the BF16 peak that it reaches where compute binds it.
    pub attention_rate: Ratio,
    /// What one way of an expert exchange takes before the first byte.
    pub exchange_start: Time,
    /// Share of the NIC's rate.
    pub exchange_nic: Ratio,
    /// Share of the scale-up rate.
    pub exchange_scale_up: Ratio,
    /// Share of first drafts that are accepted.
    pub acceptance: Ratio,
    /// Share of the memory that weights and KV cache may take.
    pub memory_share: Ratio,
}

impl Catalog {
    /// An accelerator.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`]; [`CatalogError::Incomplete`] for a chip
    /// that is listed for its price or legal status only.
    pub fn accelerator(&self, id: &str) -> Result<Accelerator, CatalogError> {
        let file: AcceleratorFile = self.load(ACCELERATORS, id)?;
        let matrix = file.peaks.bf16.or(file.peaks.fp16);
        let missing: Vec<&'static str> = [
            ("compute_units", file.compute_units.is_none()),
            ("memory", file.memory.is_none()),
            ("memory_bandwidth", file.memory_bandwidth.is_none()),
            ("scale_up", file.scale_up.is_none()),
            ("tdp", file.tdp.is_none()),
            ("kernels", file.kernels.is_none()),
            ("links", file.links.is_none()),
            ("peaks.bf16 or peaks.fp16", matrix.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, absent)| absent.then_some(name))
        .collect();
        let incomplete = || CatalogError::Incomplete {
            kind: ACCELERATORS,
            id: id.to_owned(),
            missing: missing.clone(),
        };
        Ok(Accelerator {
            id: id.to_owned(),
            name: file.name,
            peaks: matrix.ok_or_else(incomplete).map(|_| Peaks {
                fp16: file.peaks.fp16,
                bf16: file.peaks.bf16,
                fp8: file.peaks.fp8,
                fp4: file.peaks.fp4,
            })?,
            compute_units: file.compute_units.ok_or_else(incomplete)?,
            memory: file.memory.ok_or_else(incomplete)?,
            memory_bandwidth: file.memory_bandwidth.ok_or_else(incomplete)?,
            scale_up: file.scale_up.ok_or_else(incomplete)?,
            host_bandwidth: file.host_bandwidth,
            tdp: file.tdp.ok_or_else(incomplete)?,
            price: file.market.price,
            rent: file.market.rent,
            kernels: file.kernels.clone().ok_or_else(incomplete)?,
            links: file.links.clone().ok_or_else(incomplete)?,
        })
    }

    /// What an accelerator sells for, whether or not it is known well enough to be simulated.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn market(&self, id: &str) -> Result<Market, CatalogError> {
        let file: AcceleratorFile = self.load(ACCELERATORS, id)?;
        let market = file.market;
        Ok(Market {
            name: file.name,
            peak: file.peaks.bf16.or(file.peaks.fp16),
            price: market.price,
            price_low: market.price_low.or(market.price),
            price_high: market.price_high.or(market.price),
        })
    }

    /// The node and the fabric that an accelerator comes with where a scenario names none.
    ///
    /// # Errors
    ///
    /// As [`Catalog::accelerator`]; [`CatalogError::Incomplete`] where the chip has no default.
    pub fn default_cluster(&self, accelerator: &str) -> Result<(String, String), CatalogError> {
        let file: AcceleratorFile = self.load(ACCELERATORS, accelerator)?;
        match (file.default_node, file.default_fabric) {
            (Some(node), Some(fabric)) => Ok((node, fabric)),
            (node, fabric) => Err(CatalogError::Incomplete {
                kind: ACCELERATORS,
                id: accelerator.to_owned(),
                missing: [
                    ("default_node", node.is_none()),
                    ("default_fabric", fabric.is_none()),
                ]
                .into_iter()
                .filter_map(|(name, absent)| absent.then_some(name))
                .collect(),
            }),
        }
    }

    /// A node.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn node(&self, id: &str) -> Result<Node, CatalogError> {
        let file: NodeFile = self.load(NODES, id)?;
        self.positive(NODES, id, "accelerators", file.accelerators)?;
        self.positive(NODES, id, "nics", file.nics)?;
        Ok(Node {
            id: id.to_owned(),
            accelerators: file.accelerators,
            scale_up: match file.scale_up {
                ScaleUpName::Switched => ScaleUp::Switched,
                ScaleUpName::Mesh => ScaleUp::Mesh,
                ScaleUpName::Torus => ScaleUp::Torus,
                ScaleUpName::Pcie => ScaleUp::Pcie,
            },
            in_network_reduction: file.in_network_reduction,
            nic_bandwidth: file.nic_rate * f64::from(file.nics) / f64::from(file.accelerators),
            overhead_power: file.overhead_power,
        })
    }

    /// A fabric.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn fabric(&self, id: &str) -> Result<Fabric, CatalogError> {
        let file: FabricFile = self.load(FABRICS, id)?;
        self.positive(FABRICS, id, "planes", file.planes)?;
        self.positive(FABRICS, id, "radix", file.radix)?;
        Ok(Fabric {
            id: id.to_owned(),
            transport: match file.transport {
                TransportName::Infiniband => Transport::Infiniband,
                TransportName::Roce => Transport::Roce,
                TransportName::EfaV1 => Transport::EfaV1,
                TransportName::EfaV2 => Transport::EfaV2,
                TransportName::Tcpx => Transport::Tcpx,
                TransportName::OmniPath => Transport::OmniPath,
                TransportName::Proprietary => Transport::Proprietary,
            },
            planes: file.planes,
            layers: file.layers,
            radix: file.radix,
            oversubscription: file.oversubscription,
            pod: file.pod_accelerators.zip(file.pod_oversubscription),
        })
    }

    /// Prices and power of a place; `default` is the United States.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn economics(&self, id: &str) -> Result<EconomicsDefaults, CatalogError> {
        self.load(ECONOMICS, id)
    }

    /// Rates of decoding in rollouts.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`].
    pub fn rollout(&self, id: &str) -> Result<RolloutFacts, CatalogError> {
        self.load(ROLLOUT, id)
    }

    /// Counts that are divided by.
    fn positive(
        &self,
        kind: &'static str,
        id: &str,
        key: &'static str,
        count: u32,
    ) -> Result<(), CatalogError> {
        if count > 0 {
            return Ok(());
        }
        let line = self.entry(kind, id)?.fact(key).map_or(1, |fact| fact.line);
        Err(CatalogError::Value {
            file: format!("catalog/{kind}/{id}.toml"),
            line,
            key: key.to_owned(),
            message: "must be at least 1".to_owned(),
        })
    }
}
