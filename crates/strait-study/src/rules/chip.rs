//! The figures of a chip that export rules look at.
//!
//! In: an entry of the catalogue, or any figures, and changes to them (a link cut, units switched off,
//! fewer memory stacks, a larger die). Out: a [`Chip`] with total processing performance, performance
//! density, and bandwidths as the rules count them. A figure that is not public is `None`; never guessed.

use super::date::{Date, Period};
use crate::catalog::{ACCELERATORS, Catalog, CatalogError};
use serde::Deserialize;
use std::collections::BTreeMap;
use strait_units::{Bandwidth, FlopRate};

/// Total processing performance: tera-operations per second times the bit length of the operation,
/// dense, the largest over all bit lengths (15 CFR part 774, supplement 1, 3A090, note 2).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Tpp(pub f64);

/// Total processing performance per square millimetre of non-planar logic die.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Density(pub f64);

/// Square millimetres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Area(pub f64);

/// When a chip can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sale {
    /// On sale since some day of this period.
    Since(Period),
    /// Not on sale: a design, or a chip that was never released.
    Never,
    /// Not known.
    Unknown,
}

/// Who would export it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Designed outside China, and so an export that the rules may control.
    Exporter,
    /// Designed in China for its own market: US export rules do not apply to its sale there.
    China,
}

/// A chip as export rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chip {
    /// Id of the catalogue, or a name for a design.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Company; some rules are letters to named ones. `None`: any company they may be sent to.
    pub vendor: Option<String>,
    /// Whether it is an export at all.
    pub maker: Maker,
    /// Total processing performance.
    pub tpp: Option<Tpp>,
    /// Area that performance density counts: every non-planar logic die.
    pub die_area: Option<Area>,
    /// Performance density, where it is known without the area.
    pub density: Option<Density>,
    /// Input and output to all but memory, in one direction (the rules count both).
    pub io: Option<Bandwidth>,
    /// The part of `io` that is the scale-up fabric.
    pub scale_up: Option<Bandwidth>,
    /// The part of `io` that is the link to the host.
    pub host: Option<Bandwidth>,
    /// Memory bandwidth of the package.
    pub memory: Option<Bandwidth>,
    /// Designed or marketed for datacentres.
    pub datacentre: Option<bool>,
    /// Since when it is on sale.
    pub sale: Sale,
    /// Dense peaks by operand, as the catalogue names them.
    pub peaks: BTreeMap<String, FlopRate>,
    /// Total processing performance as others count it, for points that are disputed.
    pub disputed_tpp: Vec<Tpp>,
    /// Performance density as others count it.
    pub disputed_density: Vec<Density>,
    /// What is disputed about its figures, in words.
    pub disputes: Vec<String>,
}

/// Bit length of an operand: that of the largest input of the multiplication.
///
/// TF32 has none here: 19 bits are used and 32 stored, the text decides neither, and where it matters
/// (Trainium2) the catalogue lists the readings as disputed.
fn bits(operand: &str) -> Option<f64> {
    Some(match operand.trim_end_matches("_short_accumulate") {
        "fp64" | "fp64_matrix" => 64.0,
        "fp32" => 32.0,
        "fp16" | "bf16" => 16.0,
        "fp8" | "int8" => 8.0,
        "fp6" => 6.0,
        "fp4" | "int4" => 4.0,
        _ => return None,
    })
}

/// The largest of dense peak times bit length. Headline peaks with structured sparsity are twice as high
/// and do not count: the caller gives dense ones, as the catalogue does.
pub fn tpp<'a>(peaks: impl IntoIterator<Item = (&'a str, FlopRate)>) -> Option<Tpp> {
    let each = peaks
        .into_iter()
        .filter_map(|(operand, rate)| bits(operand).map(|bits| rate.get() * 1e-12 * bits));
    each.fold(None, |most: Option<f64>, one| {
        Some(most.map_or(one, |most| if one > most { one } else { most }))
    })
    .map(Tpp)
}

#[derive(Clone, Deserialize)]
struct ChipFile {
    name: String,
    vendor: Option<String>,
    memory_bandwidth: Option<Bandwidth>,
    scale_up: Option<Bandwidth>,
    scale_up_fabric: Option<String>,
    host_bandwidth: Option<Bandwidth>,
    launch_date: Option<String>,
    #[serde(default)]
    peaks: BTreeMap<String, FlopRate>,
    #[serde(default)]
    rules: RulesFile,
}

#[derive(Clone, Default, Deserialize)]
struct RulesFile {
    tpp: Option<f64>,
    performance_density: Option<f64>,
    pd_die_area_mm2: Option<f64>,
    io_bandwidth: Option<Bandwidth>,
    marketed_for_datacentre: Option<bool>,
    #[serde(default)]
    not_a_us_export: bool,
    #[serde(default)]
    disputed_tpp: Vec<f64>,
    #[serde(default)]
    disputed_density: Vec<f64>,
    dispute: Option<String>,
}

impl Catalog {
    /// An accelerator as export rules see it.
    ///
    /// # Errors
    ///
    /// Any [`CatalogError`] of [`Catalog::load`]; a figure that the catalogue lacks is none.
    pub fn chip(&self, id: &str) -> Result<Chip, CatalogError> {
        let file: ChipFile = self.load(ACCELERATORS, id)?;
        let named = |(key, rate): (&'_ String, &'_ FlopRate)| (key.clone(), *rate);
        let peaks: BTreeMap<String, FlopRate> = file.peaks.iter().map(named).collect();
        let derived = tpp(peaks.iter().map(|(key, rate)| (key.as_str(), *rate)));
        let rules = file.rules;
        // A card whose fabric is the host's slot has no scale-up port that could be cut.
        let host_only = file
            .scale_up_fabric
            .as_deref()
            .is_some_and(|f| f.starts_with("PCIe"));
        let sum =
            |one: Option<Bandwidth>, other: Option<Bandwidth>| one.zip(other).map(|(a, b)| a + b);
        let scale_up = match (host_only, rules.io_bandwidth, file.host_bandwidth) {
            // What is left beside the slot is a bridge to a second card.
            (true, Some(io), Some(host)) => Some(io - host),
            (true, ..) => None,
            (false, ..) => file.scale_up,
        };
        Ok(Chip {
            id: id.to_owned(),
            name: file.name,
            vendor: file.vendor,
            maker: if rules.not_a_us_export {
                Maker::China
            } else {
                Maker::Exporter
            },
            tpp: rules.tpp.map(Tpp).or(derived),
            die_area: rules.pd_die_area_mm2.map(Area),
            density: rules.performance_density.map(Density),
            io: rules
                .io_bandwidth
                .or_else(|| sum(scale_up, file.host_bandwidth)),
            scale_up,
            host: file.host_bandwidth,
            memory: file.memory_bandwidth,
            datacentre: rules.marketed_for_datacentre,
            sale: match file.launch_date.as_deref() {
                None => Sale::Unknown,
                Some(text) => match Period::last_in(text) {
                    Some(period) => Sale::Since(period),
                    None if text.contains("not released") => Sale::Never,
                    None => Sale::Unknown,
                },
            },
            peaks,
            disputed_tpp: rules.disputed_tpp.into_iter().map(Tpp).collect(),
            disputed_density: rules.disputed_density.into_iter().map(Density).collect(),
            disputes: rules.dispute.into_iter().collect(),
        })
    }
}

impl Chip {
    /// Its figures as the rules count them, in words.
    pub fn figures(&self) -> Vec<String> {
        use super::condition::Figure;
        let mut out = Vec::new();
        for figure in Figure::ALL {
            if figure != Figure::MemoryAndIo {
                out.push(match figure.of(self) {
                    Some(value) => format!("{} {}", figure.words(), figure.print(value)),
                    None => format!("{} not known", figure.words()),
                });
            }
        }
        out.push(match self.datacentre {
            Some(true) => "for datacentres".to_owned(),
            Some(false) => "not for datacentres".to_owned(),
            None => "not known whether for datacentres".to_owned(),
        });
        out
    }

    /// Performance density: as stated, or from the area.
    pub fn performance_density(&self) -> Option<Density> {
        let derived = || match (self.tpp, self.die_area) {
            (Some(tpp), Some(area)) if area.0 > 0.0 => Some(Density(tpp.0 / area.0)),
            _ => None,
        };
        self.density.or_else(derived)
    }

    /// Input and output in both directions together, as the rules count it, in bytes per second.
    pub(super) fn io_both_ways(&self) -> Option<f64> {
        self.io.map(|io| 2.0 * io.get())
    }

    /// A design that is not for sale yet: what follows from changing figures below.
    #[must_use]
    pub fn designed(mut self, name: impl Into<String>) -> Chip {
        self.name = name.into();
        self.sale = Sale::Never;
        self.disputed_tpp.clear();
        self.disputed_density.clear();
        self.disputes.clear();
        self
    }

    /// With a scale-up fabric of this rate in one direction; the host link stays as it is.
    #[must_use]
    pub fn with_scale_up(mut self, rate: Bandwidth) -> Chip {
        self.io = match (self.io, self.scale_up) {
            (Some(io), Some(old)) => Some(io - old + rate),
            // Not known what else there is: the new fabric is the least.
            _ => None,
        };
        self.scale_up = Some(rate);
        self
    }

    /// With a host link of this rate in one direction.
    #[must_use]
    pub fn with_host(mut self, rate: Bandwidth) -> Chip {
        self.io = match (self.io, self.host) {
            (Some(io), Some(old)) => Some(io - old + rate),
            _ => None,
        };
        self.host = Some(rate);
        self
    }

    /// With this memory bandwidth: stacks left off or added.
    #[must_use]
    pub fn with_memory(mut self, rate: Bandwidth) -> Chip {
        self.memory = Some(rate);
        self
    }

    /// With this share of its compute: units switched off, or rates capped. All operands alike.
    #[must_use]
    pub fn with_compute_share(mut self, share: f64) -> Chip {
        for rate in self.peaks.values_mut() {
            *rate = *rate * share;
        }
        self.tpp = self.tpp.map(|tpp| Tpp(tpp.0 * share));
        self.density = None;
        self
    }

    /// With dies of this area in all.
    #[must_use]
    pub fn with_die_area(mut self, area: Area) -> Chip {
        self.die_area = Some(area);
        self.density = None;
        self
    }

    /// With another peak for some operands; others of the same bit length keep their ratio to it, since
    /// one datapath serves them. Total processing performance follows.
    #[must_use]
    pub fn with_peaks(mut self, changes: &[(&str, FlopRate)]) -> Chip {
        let before = self.peaks.clone();
        for (operand, rate) in changes {
            let ratio = before.get(*operand).map(|old| *rate / *old);
            let width = bits(operand);
            self.peaks.insert((*operand).to_owned(), *rate);
            for (other, value) in &mut self.peaks {
                let changed = changes.iter().any(|(name, _)| name == other);
                if let Some(ratio) = ratio
                    && bits(other) == width
                    && !changed
                    && let Some(old) = before.get(other)
                {
                    *value = *old * ratio;
                }
            }
        }
        let derived = tpp(self.peaks.iter().map(|(key, rate)| (key.as_str(), *rate)));
        if !changes.is_empty() {
            self.tpp = derived;
            self.density = None;
        }
        self
    }

    /// Whether it was on sale by the end of a day; `None` where that is not known.
    pub(super) fn on_sale_by(&self, day: Date) -> Option<bool> {
        match self.sale {
            Sale::Never => Some(false),
            Sale::Unknown => None,
            Sale::Since(period) if period.last <= day => Some(true),
            Sale::Since(period) if period.first > day => Some(false),
            Sale::Since(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stored figure is that of one public classification; the derived one takes the larger of
    /// roundings that a datasheet prints for one datapath.
    #[test]
    fn performance_follows_from_the_dense_peaks_of_the_catalogue() {
        // H100 NVL and H200 NVL print 835.5 TFLOPS at 16 bits and 1,670.5 at 8 (13,368 and 13,364);
        // MI210 45.3 at 64 bits and 181 at 16 (2,899 and 2,896); TPU v5e 197 at 16 and 393 at 8.
        let rounding = [
            ("h100-nvl", 13_368.0),
            ("h200-nvl", 13_368.0),
            ("mi210", 2_899.2),
            ("tpuv5e", 3_152.0),
        ];
        let catalog = Catalog::embedded();
        let mut compared = 0;
        for id in catalog.list(ACCELERATORS).unwrap() {
            let chip = catalog.chip(id).unwrap();
            let derived = tpp(chip.peaks.iter().map(|(k, r)| (k.as_str(), *r)));
            let (Some(stored), Some(derived)) = (chip.tpp, derived) else {
                assert!(chip.tpp.is_none() && derived.is_none(), "{id}");
                continue;
            };
            let expected = rounding
                .iter()
                .find(|(name, _)| *name == id)
                .map_or(stored.0, |r| r.1);
            assert!(
                (derived.0 - expected).abs() < 0.5,
                "{id}: {derived:?}, stored {stored:?}"
            );
            // The stored figure and the derived are never further apart than rounding.
            assert!((derived.0 / stored.0 - 1.0).abs() < 0.003, "{id}");
            compared += 1;
        }
        assert!(compared >= 57, "{compared}");
    }

    #[test]
    fn tf32_and_unknown_operands_do_not_count() {
        let rate = |text: &str| text.parse::<FlopRate>().unwrap();
        assert_eq!(tpp([("tf32", rate("667 TFLOPS"))]), None);
        let both = tpp([("tf32", rate("667 TFLOPS")), ("bf16", rate("667 TFLOPS"))]);
        assert_eq!(both, Some(Tpp(667.0 * 16.0)));
    }

    #[test]
    fn a_cut_link_takes_from_the_fabric_and_leaves_the_host_link() {
        let catalog = Catalog::embedded();
        let cut = "400 GB/s both ways".parse().unwrap();
        let h800 = catalog.chip("h100-sxm").unwrap().with_scale_up(cut);
        assert_eq!(
            h800.io_both_ways(),
            catalog.chip("h800-sxm").unwrap().io_both_ways()
        );
        // A card with a bridge: 600 GB/s of NVLink beside the slot.
        let card = catalog.chip("a100-pcie-80").unwrap().with_scale_up(cut);
        assert_eq!(
            card.io_both_ways(),
            catalog.chip("a800-pcie-80").unwrap().io_both_ways()
        );
        // A card without: a bridge would be added.
        let card = catalog.chip("l40s").unwrap().with_scale_up(cut);
        assert_eq!(card.io_both_ways(), Some(464e9));
    }

    #[test]
    fn a_capped_rate_caps_its_whole_datapath() {
        let catalog = Catalog::embedded();
        let rate = |text: &str| text.parse::<FlopRate>().unwrap();
        let capped = catalog
            .chip("h100-sxm")
            .unwrap()
            .with_peaks(&[("bf16", rate("148 TFLOPS")), ("fp8", rate("296 TFLOPS"))]);
        // FP64 is another datapath: 66.9 TFLOPS at 64 bits are more than 2,368, and bind.
        assert!(
            (capped.tpp.unwrap().0 - 66.9 * 64.0).abs() < 10.0,
            "{:?}",
            capped.tpp
        );
        let h20 = catalog
            .chip("h100-sxm")
            .unwrap()
            .with_compute_share(148.0 / 989.4);
        assert!((h20.tpp.unwrap().0 - 2368.0).abs() < 1.0);
        assert!((h20.performance_density().unwrap().0 - 2.91).abs() < 0.01);
    }
}
