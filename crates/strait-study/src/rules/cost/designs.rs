//! Chips that could be designed within a rule.
//!
//! In: a die of the catalogue (`catalog/designs`) and a question put to the rules. Out: every permitted
//! design on a grid that no other permitted one is at least as good as in everything. Never simulates,
//! and never knows a threshold.
//!
//! Four things can be changed, each as a maker has done it:
//!
//! | what | done by | grid |
//! |---|---|---|
//! | links left off | A800, H800 | whole links of the die |
//! | rate of the matrix units capped, or units switched off | H20 | thousandths of the peak |
//! | memory slowed, or stacks left off | RTX PRO 6000D | twentieths of the bandwidth, whole stacks |
//! | more die area at the same performance | density falls | the die, two, and the largest package made |

use super::chips::{OnChip, floor, scale_units};
use crate::catalog::{Catalog, CatalogError};
use crate::rules::{Area, Chip};
use serde::Deserialize;
use strait_training::case::Case;
use strait_training::hardware::Peaks;
use strait_units::{Bandwidth, Bytes};

/// The folder of dies.
pub(super) const DESIGNS: &str = "designs";
/// Steps of the compute share.
const SHARES: u32 = 1000;
/// Steps of the memory bandwidth.
const MEMORY_STEPS: u32 = 20;
/// The least share of the memory bandwidth that is looked at, in steps.
const LEAST_MEMORY: u32 = 2;

/// A die to start from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Die {
    pub id: String,
    pub name: String,
    #[serde(rename = "description")]
    pub _description: Option<String>,
    /// The chip of the catalogue that is the whole die.
    pub accelerator: String,
    /// Links of its scale-up fabric.
    pub links: u32,
    /// Stacks of its memory.
    pub stacks: u32,
}

/// A design: what is left of a die, and how large it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Catalogue id of the chip it starts from.
    pub base: String,
    /// Links in use.
    pub links: u32,
    /// Links of the die.
    pub all_links: u32,
    /// Scale-up rate, one direction.
    pub scale_up: Bandwidth,
    /// Share of the matrix rate, in thousandths.
    pub compute: u32,
    /// Compute units in use.
    pub units: u32,
    /// Compute units of the die.
    pub all_units: u32,
    /// Memory stacks fitted.
    pub stacks: u32,
    /// Memory stacks of the whole chip.
    pub all_stacks: u32,
    /// Memory capacity.
    pub memory: Bytes,
    /// Memory bandwidth.
    pub memory_bandwidth: Bandwidth,
    /// Area of all logic dies, square millimetres.
    pub die_area: f64,
    /// Total processing performance.
    pub tpp: f64,
    /// TPP for each square millimetre.
    pub density: f64,
    /// Input and output, both directions, bytes per second.
    pub io_both_ways: f64,
}

/// A die with its chip as rules and as simulations see it.
pub(super) struct Base {
    pub die: Die,
    pub chip: Chip,
    pub on_chip: OnChip,
    area: Area,
}

impl Base {
    /// A die, on which the case is known to run. `None`: the rules can't see its area.
    pub fn new(die: Die, chip: Chip, on_chip: OnChip) -> Option<Base> {
        let area = chip.die_area?;
        Some(Base {
            die,
            chip,
            on_chip,
            area,
        })
    }

    /// Designs that `permitted` lets pass and that no other is at least as good as, from the fastest
    /// matrix rate down. Areas go up to `largest`; the smaller of equals is kept.
    ///
    /// A rule that forbids a design forbids the same with more performance: the largest permitted share
    /// is found by halving. It is asked again before it is believed.
    pub fn permitted(&self, areas: &[f64], permitted: &dyn Fn(&Chip) -> bool) -> Vec<Design> {
        let mut found: Vec<Design> = Vec::new();
        for &area in areas {
            for links in (0..=self.die.links).rev() {
                for (stacks, step) in memories(self.die.stacks) {
                    let at = |compute| self.design(area, links, (stacks, step), compute);
                    let passes = |compute| permitted(&self.chip_of(&at(compute)));
                    let compute = if passes(SHARES) {
                        SHARES
                    } else {
                        let (mut low, mut high) = (0, SHARES);
                        while high - low > 1 {
                            let middle = low.midpoint(high);
                            if passes(middle) {
                                low = middle;
                            } else {
                                high = middle;
                            }
                        }
                        low
                    };
                    if compute > 0 {
                        found.push(at(compute));
                    }
                }
            }
        }
        front(found)
    }

    /// The areas that are looked at.
    pub fn areas(&self, largest: f64) -> Vec<f64> {
        let die = self.area.0;
        let mut areas = vec![die];
        for more in [2.0 * die, largest] {
            if more <= largest && more > areas[areas.len() - 1] {
                areas.push(more);
            }
        }
        areas
    }

    fn design(
        &self,
        die_area: f64,
        links: u32,
        (stacks, step): (u32, u32),
        compute: u32,
    ) -> Design {
        let whole = &self.on_chip.case.cluster.accelerator;
        let share = |part: u32, of: u32| f64::from(part) / f64::from(of.max(1));
        let mut design = Design {
            base: self.die.accelerator.clone(),
            links,
            all_links: self.die.links,
            scale_up: whole.scale_up * share(links, self.die.links),
            compute,
            units: whole.compute_units,
            all_units: whole.compute_units,
            stacks,
            all_stacks: self.die.stacks,
            memory: Bytes::from_f64(whole.memory.as_f64() * share(stacks, self.die.stacks)),
            memory_bandwidth: whole.memory_bandwidth * share(step, MEMORY_STEPS),
            die_area,
            tpp: 0.0,
            density: 0.0,
            io_both_ways: 0.0,
        };
        let chip = self.chip_of(&design);
        design.tpp = chip.tpp.map_or(0.0, |t| t.0);
        design.density = chip.performance_density().map_or(0.0, |d| d.0);
        design.io_both_ways = chip.io.map_or(0.0, |io| 2.0 * io.get());
        design
    }

    /// The design as rules see it.
    pub fn chip_of(&self, design: &Design) -> Chip {
        (self.chip.clone())
            .designed(format!("design on {}", self.chip.name))
            .with_scale_up(design.scale_up)
            .with_compute_share(f64::from(design.compute) / f64::from(SHARES))
            .with_memory(design.memory_bandwidth)
            .with_die_area(Area(design.die_area))
    }

    /// The case on the design.
    pub fn case_of(&self, design: &Design) -> Case {
        let mut case = self.on_chip.case.clone();
        let chip = &mut case.cluster.accelerator;
        let share = f64::from(design.compute) / f64::from(SHARES);
        let scaled = |peak: Option<strait_units::FlopRate>| peak.map(|rate| rate * share);
        chip.name = format!("design on {}", chip.name);
        chip.peaks = Peaks {
            fp16: scaled(chip.peaks.fp16),
            bf16: scaled(chip.peaks.bf16),
            fp8: scaled(chip.peaks.fp8),
            fp4: scaled(chip.peaks.fp4),
        };
        let before = chip.compute_units;
        chip.compute_units = design.units;
        chip.memory = design.memory;
        chip.memory_bandwidth = design.memory_bandwidth;
        chip.scale_up = design.scale_up;
        scale_units(&mut case, (before, design.units));
        case
    }

    /// A step on the design can't take less.
    pub fn floor_of(&self, design: &Design) -> strait_units::Time {
        floor(&self.case_of(design))
    }
}

impl Design {
    /// The same performance from fewer units at their full rate, where that is another chip.
    pub fn with_units_off(&self) -> Option<Design> {
        let exact = f64::from(self.all_units) * f64::from(self.compute) / f64::from(SHARES);
        let units = (exact.ceil() as u32).clamp(1, self.all_units);
        (units < self.units).then(|| Design {
            units,
            ..self.clone()
        })
    }

    /// What is changed of the die, in words; empty where nothing is.
    pub fn changes(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.links < self.all_links {
            words.push(format!("{} of {} links", self.links, self.all_links));
        }
        if self.compute < SHARES {
            words.push(format!(
                "matrix rate capped at {:.1} %",
                f64::from(self.compute) / f64::from(SHARES) * 100.0
            ));
        }
        if self.units < self.all_units {
            words.push(format!("{} of {} units", self.units, self.all_units));
        }
        if self.stacks < self.all_stacks {
            words.push(format!(
                "{} of {} memory stacks",
                self.stacks, self.all_stacks
            ));
        }
        words
    }

    /// As good or better in all that a step depends on.
    fn covers(&self, other: &Design) -> bool {
        self.links >= other.links
            && self.compute >= other.compute
            && self.memory >= other.memory
            && self.memory_bandwidth >= other.memory_bandwidth
    }

    fn same_figures(&self, other: &Design) -> bool {
        self.covers(other) && other.covers(self)
    }
}

/// Fitted stacks and bandwidth in steps: all stacks at any rate, or fewer at the full rate of each.
fn memories(stacks: u32) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = (LEAST_MEMORY..=MEMORY_STEPS)
        .map(|step| (stacks, step))
        .collect();
    for fewer in 1..stacks {
        let step = fewer * MEMORY_STEPS / stacks;
        if step >= LEAST_MEMORY {
            all.push((fewer, step));
        }
    }
    all
}

/// Designs that no other covers.
fn front(mut designs: Vec<Design>) -> Vec<Design> {
    // The smallest die first: of designs with the same figures it stays.
    designs.sort_by(|a, b| {
        (b.compute, b.links, b.memory, b.stacks)
            .cmp(&(a.compute, a.links, a.memory, a.stacks))
            .then(
                b.memory_bandwidth
                    .get()
                    .total_cmp(&a.memory_bandwidth.get()),
            )
            .then(a.die_area.total_cmp(&b.die_area))
    });
    let mut kept: Vec<Design> = Vec::new();
    for design in designs {
        if !kept.iter().any(|k| k.covers(&design)) {
            kept.retain(|k| !design.covers(k) || k.same_figures(&design));
            kept.push(design);
        }
    }
    kept
}

/// The dies of the catalogue, in the order of their ids.
///
/// # Errors
/// An entry that is wrong.
pub(super) fn dies(catalog: &Catalog) -> Result<Vec<Die>, CatalogError> {
    (catalog.list(DESIGNS)?.into_iter())
        .map(|id| catalog.load(DESIGNS, id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(compute: u32, links: u32, die_area: f64) -> Design {
        Design {
            base: "x".to_owned(),
            links,
            all_links: 18,
            scale_up: Bandwidth::new(1.0),
            compute,
            units: 132,
            all_units: 132,
            stacks: 5,
            all_stacks: 5,
            memory: Bytes::new(80),
            memory_bandwidth: Bandwidth::new(1.0),
            die_area,
            tpp: 0.0,
            density: 0.0,
            io_both_ways: 0.0,
        }
    }

    #[test]
    fn only_what_nothing_covers_is_kept_and_of_equals_the_smallest() {
        let kept = front(vec![
            design(500, 18, 1628.0),
            design(500, 18, 814.0),
            design(1000, 9, 814.0),
            design(900, 8, 814.0),
        ]);
        let seen: Vec<_> = kept
            .iter()
            .map(|d| (d.compute, d.links, d.die_area))
            .collect();
        assert_eq!(seen, [(1000, 9, 814.0), (500, 18, 814.0)]);
    }

    #[test]
    fn a_capped_rate_has_a_twin_with_units_off() {
        assert_eq!(design(1000, 18, 814.0).with_units_off(), None);
        let off = design(151, 18, 814.0).with_units_off().map(|d| d.units);
        assert_eq!(off, Some(20));
        assert_eq!(memories(5).len(), 19 + 4);
        assert!(design(151, 9, 814.0).changes()[1].contains("15.1 %"));
    }
}
