//! Parameters of a profile by their key in its file.
//!
//! In: a profile and a key such as `tensor.fp8_block.rate`. Out: a [`Slot`] to write to. Never
//! knows what a parameter does.
//!
//! `attention.flash3.fits[d128].rate` is the fit at head dimension 128, whatever its place in the
//! list; [`place`] gives the key that the catalogue uses, `attention.flash3.fits[1].rate`.

use strait_training::kernels::KernelProfile;
use strait_training::kernels::profile::{AttentionTables, MemoryTable, TensorFacts};
use strait_training::links::LinkProfile;
use strait_training::links::profile::{TimeForm, TransportFacts};
use strait_units::{Bandwidth, FlopRate, Ratio, Time};

/// One number of a profile.
pub(super) enum Slot<'p> {
    Rate(&'p mut FlopRate),
    Bandwidth(&'p mut Bandwidth),
    Time(&'p mut Time),
    Ratio(&'p mut Ratio),
    Number(&'p mut f64),
}

impl Slot<'_> {
    /// Writes a number in the base unit: FLOP/s, bytes/s, seconds, one.
    pub(super) fn set(&mut self, value: f64) {
        match self {
            Slot::Rate(slot) => **slot = FlopRate::new(value),
            Slot::Bandwidth(slot) => **slot = Bandwidth::new(value),
            Slot::Time(slot) => **slot = Time::from_seconds(value),
            Slot::Ratio(slot) => **slot = Ratio::new(value),
            Slot::Number(slot) => **slot = value,
        }
    }

    /// The number of a text such as `1316 TFLOPS`, in the base unit; `None` where the text is of
    /// another dimension.
    pub(super) fn read(&self, text: &str) -> Option<f64> {
        match self {
            Slot::Rate(_) => text.parse::<FlopRate>().ok().map(FlopRate::get),
            Slot::Bandwidth(_) => text.parse::<Bandwidth>().ok().map(Bandwidth::get),
            Slot::Time(_) => text.parse::<Time>().ok().map(Time::seconds),
            Slot::Ratio(_) => text.parse::<Ratio>().ok().map(Ratio::get),
            Slot::Number(_) => text.parse().ok(),
        }
    }
}

/// A parameter of a kernel profile.
pub(super) fn of_kernels<'p>(profile: &'p mut KernelProfile, key: &str) -> Option<Slot<'p>> {
    let (table, rest) = key.split_once('.')?;
    match table {
        "clock" => (rest == "training").then_some(Slot::Ratio(&mut profile.clock.training)),
        "tensor" => {
            let tensor = &mut profile.tensor;
            let (operand, rest) = rest.split_once('.')?;
            let facts = match operand {
                "bf16" => &mut tensor.bf16,
                "fp8_tensor" => &mut tensor.fp8_tensor,
                "fp8_block" => &mut tensor.fp8_block,
                "mxfp8" => &mut tensor.mxfp8,
                _ => return None,
            };
            tensor_slot(facts.as_mut()?, rest)
        }
        "attention" => attention_slot(&mut profile.attention, rest),
        "memory" => {
            let memory = &mut profile.memory;
            match rest.split_once('.') {
                None if rest == "triad" => Some(Slot::Bandwidth(&mut memory.triad)),
                None if rest == "start" => Some(Slot::Time(&mut memory.start)),
                Some(("eager", class)) => memory_slot(&mut memory.eager, class),
                Some(("jit", class)) => memory_slot(&mut memory.jit, class),
                Some(("fused", class)) => memory_slot(&mut memory.fused, class),
                Some(("custom", class)) => memory_slot(&mut memory.custom, class),
                _ => None,
            }
        }
        _ => None,
    }
}

fn tensor_slot<'p>(facts: &'p mut TensorFacts, key: &str) -> Option<Slot<'p>> {
    if let Some((pass, key)) = key.split_once('.') {
        let pass = match pass {
            "input_gradient" => &mut facts.input_gradient,
            "weight_gradient" => &mut facts.weight_gradient,
            _ => return None,
        };
        return match key {
            "rate" => pass.rate.as_mut().map(Slot::Rate),
            "power_bound" => pass.power_bound.as_mut().map(Slot::Rate),
            "store_bandwidth" => pass.store_bandwidth.as_mut().map(Slot::Bandwidth),
            _ => None,
        };
    }
    match key {
        "rate" => Some(Slot::Rate(&mut facts.rate)),
        "power_bound" => facts.power_bound.as_mut().map(Slot::Rate),
        "tile_epilogue" => facts.tile_epilogue.as_mut().map(Slot::Time),
        "store_bandwidth" => facts.store_bandwidth.as_mut().map(Slot::Bandwidth),
        "start" => Some(Slot::Time(&mut facts.start)),
        "wave_weight" => Some(Slot::Ratio(&mut facts.wave_weight)),
        "half_tile" => Some(Slot::Ratio(&mut facts.half_tile)),
        "quarter_tile" => Some(Slot::Ratio(&mut facts.quarter_tile)),
        _ => None,
    }
}

fn attention_slot<'p>(tables: &'p mut AttentionTables, key: &str) -> Option<Slot<'p>> {
    let at = place_of_fit(tables, key)?;
    let (generation, key) = key.split_once('.')?;
    let facts = generation_mut(tables, generation)?;
    let (_, key) = key.split_once('.')?;
    let fit = facts.fits.get_mut(at)?;
    match key {
        "rate" => Some(Slot::Rate(&mut fit.rate)),
        "waste_full" => Some(Slot::Number(&mut fit.waste_full)),
        "waste_causal" => Some(Slot::Number(&mut fit.waste_causal)),
        "tail_per_key" => Some(Slot::Time(&mut fit.tail_per_key)),
        "backward" => Some(Slot::Ratio(&mut fit.backward)),
        _ => None,
    }
}

fn generation_mut<'p>(
    tables: &'p mut AttentionTables,
    name: &str,
) -> Option<&'p mut strait_training::kernels::profile::AttentionFacts> {
    match name {
        "flash1" => Some(&mut tables.flash1),
        "flash2" => Some(&mut tables.flash2),
        "flash3" => Some(&mut tables.flash3),
        _ => None,
    }
}

/// The place in its list of `flash3.fits[d128].rate`.
fn place_of_fit(tables: &AttentionTables, key: &str) -> Option<usize> {
    let (generation, key) = key.split_once('.')?;
    let facts = match generation {
        "flash1" => &tables.flash1,
        "flash2" => &tables.flash2,
        "flash3" => &tables.flash3,
        _ => return None,
    };
    let dim: u32 = key
        .strip_prefix("fits[d")?
        .split_once(']')?
        .0
        .parse()
        .ok()?;
    facts.fits.iter().position(|fit| fit.head_dim == dim)
}

fn memory_slot<'p>(table: &'p mut MemoryTable, class: &str) -> Option<Slot<'p>> {
    Some(Slot::Ratio(match class {
        "stream" => &mut table.stream,
        "swiglu" => &mut table.swiglu,
        "transpose" => &mut table.transpose,
        "cast_transpose" => &mut table.cast_transpose,
        "cast" => &mut table.cast,
        "dequant_transpose" => &mut table.dequant_transpose,
        "norm" => &mut table.norm,
        "norm_backward" => &mut table.norm_backward,
        "pack12" => &mut table.pack12,
        "strided" => &mut table.strided,
        "loss" => &mut table.loss,
        "optimizer" => &mut table.optimizer,
        "embedding" => &mut table.embedding,
        "permute" => &mut table.permute,
        "copy" => &mut table.copy,
        _ => return None,
    }))
}

/// A parameter of a link profile.
pub(super) fn of_links<'p>(profile: &'p mut LinkProfile, key: &str) -> Option<Slot<'p>> {
    let (table, rest) = key.split_once('.').unwrap_or((key, ""));
    let ratio = |slot: &'p mut Ratio| Some(Slot::Ratio(slot));
    match (table, rest) {
        ("ring_efficiency", "") => ratio(&mut profile.ring_efficiency),
        ("nic_efficiency", "") => ratio(&mut profile.nic_efficiency),
        ("broadcast", "") => Some(Slot::Time(&mut profile.broadcast)),
        ("ring", key) => form_slot(&mut profile.ring, key),
        ("in_switch", key) => form_slot(profile.in_switch.as_mut()?, key),
        ("large_domain", key) => {
            let large = profile.large_domain.as_mut()?;
            match key {
                "intercept" => Some(Slot::Time(&mut large.intercept)),
                "per_rank" => Some(Slot::Time(&mut large.per_rank)),
                "fill" => Some(Slot::Time(&mut large.fill)),
                "beyond_two_domains" => ratio(&mut large.beyond_two_domains),
                _ => None,
            }
        }
        ("all_to_all", key) => {
            let facts = &mut profile.all_to_all;
            match key {
                "floor" => Some(Slot::Time(&mut facts.floor)),
                "scale_up" => ratio(&mut facts.scale_up),
                "nic_2_nodes" => ratio(&mut facts.nic_2_nodes),
                "nic_4_nodes" => ratio(&mut facts.nic_4_nodes),
                "nic_8_nodes" => ratio(&mut facts.nic_8_nodes),
                "nic_16_nodes" => ratio(&mut facts.nic_16_nodes),
                _ => None,
            }
        }
        ("transport", key) => {
            let (name, key) = key.split_once('.')?;
            let transports = &mut profile.transport;
            let facts = match name {
                "infiniband" => &mut transports.infiniband,
                "roce" => &mut transports.roce,
                "efa_v1" => &mut transports.efa_v1,
                "efa_v2" => &mut transports.efa_v2,
                "tcpx" => &mut transports.tcpx,
                "omni_path" => &mut transports.omni_path,
                "proprietary" => &mut transports.proprietary,
                _ => return None,
            };
            transport_slot(facts, key)
        }
        ("expert", key) => {
            let rates = &mut profile.expert;
            match key {
                "nic" => ratio(&mut rates.nic),
                "scale_up_forwarding" => ratio(&mut rates.scale_up_forwarding),
                "scale_up_one_node" => ratio(&mut rates.scale_up_one_node),
                "beside_compute" => ratio(&mut rates.beside_compute),
                "startup" => Some(Slot::Time(&mut rates.startup)),
                "fresh_handle" => Some(Slot::Time(&mut rates.fresh_handle)),
                _ => None,
            }
        }
        (gain, "") => {
            let at: usize = gain
                .strip_prefix("in_switch_gain[")?
                .strip_suffix(']')?
                .parse()
                .ok()?;
            profile.in_switch_gain.get_mut(at).map(Slot::Ratio)
        }
        _ => None,
    }
}

fn form_slot<'p>(form: &'p mut TimeForm, key: &str) -> Option<Slot<'p>> {
    match key {
        "low_latency" => Some(Slot::Time(&mut form.low_latency)),
        "low_latency_rate" => Some(Slot::Ratio(&mut form.low_latency_rate)),
        "simple" => Some(Slot::Time(&mut form.simple)),
        "fill" => Some(Slot::Time(&mut form.fill)),
        _ => None,
    }
}

fn transport_slot<'p>(facts: &'p mut TransportFacts, key: &str) -> Option<Slot<'p>> {
    match key {
        "tree_low_latency" => Some(Slot::Time(&mut facts.tree_low_latency)),
        "tree_simple" => Some(Slot::Time(&mut facts.tree_simple)),
        "fill" => Some(Slot::Time(&mut facts.fill)),
        "low_latency_rate" => Some(Slot::Ratio(&mut facts.low_latency_rate)),
        _ => None,
    }
}

/// The catalogue's key of a parameter: fits by their place in the list.
pub(super) fn place(profile: &KernelProfile, key: &str) -> String {
    let found = key
        .strip_prefix("attention.")
        .and_then(|key| place_of_fit(&profile.attention, key));
    match (found, key.split_once("[d"), key.split_once(']')) {
        (Some(at), Some((before, _)), Some((_, after))) => format!("{before}[{at}]{after}"),
        _ => key.to_owned(),
    }
}
