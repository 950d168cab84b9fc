//! Do layout, model, hardware and batch agree? What needs no simulation to know.
//!
//! In: a resolved case and the record of where its values came from. Out: faults and
//! warnings that show both places. Never changes the case.

mod vain;

use super::diagnostic::{Diagnostic, Place};
use super::read::Reader;
use super::tree::Table;
use strait_training::case::{
    Case, Method, Parallelism, Phase, Precision, Recompute, RecomputePart, ScheduleKind, Zero,
};
use strait_training::layout::Layout;
use strait_training::model::Attention;
use strait_training::simulate::{SimulateError, check as contradictions};

/// Checks every phase of a case.
pub(super) fn check(case: &Case, table: &Table, top: &Place, reader: &mut Reader) {
    hardware(case, table, top, reader);
    vain::adapters(case, table, top, reader);
    // A phase without a layout of its own can only differ in batch and sequence length.
    let new = |index: usize, phase: &Phase| index == 0 || phase.parallelism.is_some();
    for (index, phase) in case.training.phases.iter().enumerate() {
        let mut look = Look::at(case, phase, table, top, reader);
        if index == 0 {
            look.without_experts();
        }
        if new(index, phase) {
            look.model();
            look.stages();
            look.pairs();
        }
        if look.ranks() {
            look.batches();
        }
        look.sequence();
    }
    if reader.failed {
        return;
    }
    for (index, phase) in case.training.phases.iter().enumerate() {
        if new(index, phase) {
            Look::at(case, phase, table, top, reader).layers();
        }
    }
    for error in contradictions(case) {
        let SimulateError::Invalid {
            path,
            message,
            remedy,
        } = error
        else {
            continue;
        };
        let place = section_place(table, &path, top);
        let d = Diagnostic::error("scenario::contradiction", message).help(remedy);
        let d = reader.label(d, &path, &place, "");
        reader.fail(d);
    }
}

/// Where a section of the merged tree is written.
fn section_place(table: &Table, path: &str, top: &Place) -> Place {
    let name = path.split('.').next().unwrap_or("");
    table
        .get(name)
        .map_or_else(|| top.clone(), |e| e.node.place.clone())
}

fn hardware(case: &Case, table: &Table, top: &Place, reader: &mut Reader) {
    let recipe = case.precision.recipe;
    let peaks = &case.cluster.accelerator.peaks;
    let fp8 = matches!(
        recipe,
        Precision::Fp8Tensor | Precision::Fp8Block | Precision::Mxfp8
    );
    let lacks = if recipe == Precision::Nvfp4 {
        peaks.fp4.is_none().then_some("FP4")
    } else if fp8 {
        peaks.fp8.is_none().then_some("FP8")
    } else if recipe == Precision::Bf16 {
        peaks.bf16.is_none().then_some("BF16")
    } else {
        peaks.fp16.is_none().then_some("FP16")
    };
    if let Some(kind) = lacks {
        let d = Diagnostic::error(
            "scenario::precision-unsupported",
            format!("{} has no {kind}", case.cluster.accelerator.name),
        )
        .help(if recipe == Precision::Nvfp4 {
            "use recipe = \"mxfp8\" or \"bf16\", or an accelerator with FP4, such as b200"
        } else if fp8 {
            "use recipe = \"bf16\", or an accelerator with FP8"
        } else {
            "use another recipe"
        });
        let place = section_place(table, "precision", top);
        let d = reader.label(d, "precision.recipe", &place, "");
        let place = section_place(table, "cluster", top);
        let d = reader.label(d, "cluster.accelerator", &place, "");
        reader.fail(d);
    }
    let units = case.parallelism.communication_units;
    if units >= case.cluster.accelerator.compute_units {
        let d = Diagnostic::error(
            "scenario::no-compute-units-left",
            format!(
                "communication kernels would take {units} of {} compute units",
                case.cluster.accelerator.compute_units
            ),
        )
        .help("set parallelism.communication_units below that");
        let place = section_place(table, "parallelism", top);
        let d = reader.label(d, "parallelism.communication_units", &place, "");
        reader.fail(d);
    }
}

/// One phase's layout under check.
struct Look<'a> {
    case: &'a Case,
    phase: &'a Phase,
    layout: &'a Parallelism,
    prefix: Option<String>,
    table: &'a Table,
    top: &'a Place,
    reader: &'a mut Reader,
}

impl<'a> Look<'a> {
    fn at(
        case: &'a Case,
        phase: &'a Phase,
        table: &'a Table,
        top: &'a Place,
        reader: &'a mut Reader,
    ) -> Look<'a> {
        Look {
            case,
            phase,
            layout: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
            prefix: (phase.parallelism.is_some())
                .then(|| format!("training.phase.{}.parallelism", phase.name)),
            table,
            top,
            reader,
        }
    }

    /// Adds a label for a layout key, the phase's own if it has one.
    fn key(&self, d: Diagnostic, name: &str) -> Diagnostic {
        let place = section_place(self.table, "parallelism", self.top);
        let base = format!("parallelism.{name}");
        let path = match &self.prefix {
            Some(prefix) => {
                let own = format!("{prefix}.{name}");
                if self.reader.find(&own).is_some() {
                    own
                } else {
                    base
                }
            }
            None => base,
        };
        let value = self
            .reader
            .find(&path)
            .map_or(String::new(), |e| format!("{name} is {}", e.value));
        let given = self.reader.find(&path).is_some_and(|e| e.place.is_some());
        self.reader
            .label(d, &path, &place, if given { &value } else { "" })
    }

    /// Adds a label for a setting of another section.
    fn path(&self, d: Diagnostic, path: &str) -> Diagnostic {
        let place = section_place(self.table, path, self.top);
        self.reader.label(d, path, &place, "")
    }

    /// Adds a label for a setting of the phase, or of `[training]`.
    fn phase_path(&self, d: Diagnostic, name: &str) -> Diagnostic {
        let own = format!("training.phase.{}.{name}", self.phase.name);
        if self.reader.find(&own).is_some_and(|e| e.place.is_some()) {
            self.path(d, &own)
        } else {
            self.path(d, &format!("training.{name}"))
        }
    }

    fn fail(&mut self, d: Diagnostic) {
        self.reader.fail(d);
    }

    fn warn(&mut self, d: Diagnostic) {
        self.reader.faults.push(d);
    }

    /// Axes against the model.
    fn model(&mut self) {
        let p = self.layout;
        let model = &self.case.model;
        let (heads, kv_heads) = match model.attention {
            Attention::Grouped {
                heads, kv_heads, ..
            } => (heads, Some(kv_heads)),
            Attention::Latent { heads, .. } => (heads, None),
        };
        if heads % p.tensor != 0 {
            let d = Diagnostic::error(
                "scenario::tensor-divides-heads",
                format!(
                    "tensor parallelism of {} does not divide the {heads} attention heads",
                    p.tensor
                ),
            );
            let d = self.key(d, "tensor");
            let d = self.path(d, "model.heads");
            self.fail(d.help(format!("sizes that do: {}", divisors(heads))));
        }
        if let Some(kv) = kv_heads
            && heads % p.tensor == 0
            && kv % p.tensor != 0
        {
            if kv < p.tensor && p.tensor.is_multiple_of(kv) {
                let d = Diagnostic::warning(
                    "scenario::kv-heads-replicated",
                    format!(
                        "{kv} key/value heads on {} tensor-parallel ranks: each is held by {} ranks",
                        p.tensor,
                        p.tensor / kv
                    ),
                );
                let d = self.key(d, "tensor");
                self.warn(d.help(format!("with tensor = {kv} or less nothing is held twice")));
            } else {
                let d = Diagnostic::error(
                    "scenario::tensor-divides-heads",
                    format!(
                        "tensor parallelism of {} does not divide the {kv} key/value heads",
                        p.tensor
                    ),
                );
                let d = self.key(d, "tensor");
                let d = self.path(d, "model.kv_heads");
                self.fail(d.help(format!("sizes that do: {}", divisors(kv))));
            }
        }
        let dense_layers = model
            .experts
            .as_ref()
            .is_none_or(|e| e.first_dense > 0 || e.every > 1);
        if dense_layers && !model.ffn.is_multiple_of(p.tensor) {
            let d = Diagnostic::error(
                "scenario::tensor-divides-ffn",
                format!(
                    "tensor parallelism of {} does not divide the feed-forward width {}",
                    p.tensor, model.ffn
                ),
            );
            let d = self.key(d, "tensor");
            let d = self.path(d, "model.ffn");
            self.fail(d.help("choose a size that divides both heads and width"));
        }
        let domain = self.case.cluster.node.accelerators;
        if p.tensor > domain {
            let node = &self.case.cluster.node.id;
            let part = self.reader.find("cluster.per_node").is_some();
            let (held, path) = if part {
                (
                    format!("{domain} accelerators of a {node} are used"),
                    "cluster.per_node",
                )
            } else {
                (format!("{node} has {domain} accelerators"), "cluster.node")
            };
            let d = Diagnostic::warning(
                "scenario::tensor-exceeds-domain",
                format!(
                    "tensor parallelism of {} goes beyond one scale-up domain: {held}",
                    p.tensor
                ),
            );
            let d = self.key(d, "tensor");
            let d = self.path(d, path);
            self.warn(d.help(format!(
                "its collectives will run over the network; tensor = {domain} stays inside"
            )));
        }
        match &model.experts {
            None => {
                for (name, value) in [("expert", p.expert), ("expert_tensor", p.expert_tensor)] {
                    if value > 1 {
                        let d = Diagnostic::error(
                            "scenario::expert-without-experts",
                            format!("{} has no experts to spread over {value} ranks", model.name),
                        );
                        let d = self.key(d, name);
                        self.fail(d.help(format!("set {name} = 1")));
                    }
                }
            }
            Some(experts) => {
                if p.expert > experts.routed {
                    let d = Diagnostic::error(
                        "scenario::expert-exceeds-experts",
                        format!(
                            "expert parallelism of {} is more than the {} experts",
                            p.expert, experts.routed
                        ),
                    );
                    let d = self.key(d, "expert");
                    let d = self.path(d, "model.experts");
                    self.fail(d.help(format!("at most expert = {}", experts.routed)));
                } else if experts.routed % p.expert != 0 {
                    let d = Diagnostic::error(
                        "scenario::expert-divides-experts",
                        format!(
                            "expert parallelism of {} does not divide the {} experts",
                            p.expert, experts.routed
                        ),
                    );
                    let d = self.key(d, "expert");
                    let d = self.path(d, "model.experts");
                    self.fail(d.help(format!("sizes that do: {}", divisors(experts.routed))));
                }
                if experts.width % p.expert_tensor != 0 {
                    let d = Diagnostic::error(
                        "scenario::tensor-divides-ffn",
                        format!(
                            "expert_tensor of {} does not divide the experts' width {}",
                            p.expert_tensor, experts.width
                        ),
                    );
                    let d = self.key(d, "expert_tensor");
                    self.fail(d.help("choose a size that divides it"));
                }
            }
        }
        if let Recompute::Named(parts) = &p.recompute {
            let latent = matches!(model.attention, Attention::Latent { .. });
            for (part, present, what) in [
                (RecomputePart::MlaUp, latent, "latent attention"),
                (RecomputePart::Moe, model.experts.is_some(), "experts"),
            ] {
                if parts.contains(&part) && !present {
                    let d = Diagnostic::warning(
                        "scenario::recompute-nothing",
                        format!(
                            "a recomputed part has no effect: {} has no {what}",
                            model.name
                        ),
                    );
                    let d = self.key(d, "recompute");
                    self.warn(d.help("leave it out of the list"));
                }
            }
        }
    }

    /// Pipeline stages against layers and schedule.
    fn stages(&mut self) {
        let p = self.layout;
        let layers = self.case.model.layers;
        let both_ways = matches!(p.schedule, ScheduleKind::DualPipe | ScheduleKind::DualPipeV);
        let one_f_one_b = matches!(
            p.schedule,
            ScheduleKind::OneFOneB | ScheduleKind::OverlappedOneFOneB
        );
        if p.virtual_stages > 1 && !one_f_one_b {
            let d = Diagnostic::error(
                "scenario::virtual-stages-schedule",
                format!(
                    "virtual_stages = {} has no meaning with this schedule",
                    p.virtual_stages
                ),
            );
            let d = self.key(d, "virtual_stages");
            let d = self.key(d, "schedule");
            self.fail(d.help(if both_ways {
                "DualPipe holds two stages on each rank by itself: leave virtual_stages out"
            } else {
                "only 1f1b interleaves: leave virtual_stages out"
            }));
        }
        if both_ways && p.schedule == ScheduleKind::DualPipe && !p.pipeline.is_multiple_of(2) {
            let d = Diagnostic::error(
                "scenario::dualpipe-odd",
                format!(
                    "DualPipe needs an even number of pipeline ranks, not {}",
                    p.pipeline
                ),
            );
            let d = self.key(d, "pipeline");
            let d = self.key(d, "schedule");
            self.fail(d.help("use an even pipeline, or schedule = \"zb-h1\""));
        }
        let per_rank = match p.schedule {
            ScheduleKind::DualPipeV => 2,
            ScheduleKind::OneFOneB | ScheduleKind::OverlappedOneFOneB => p.virtual_stages,
            _ => 1,
        };
        let stages = u64::from(p.pipeline) * u64::from(per_rank);
        match &p.stage_layers {
            Some(list) => {
                if list.len() as u64 != stages {
                    let d = Diagnostic::error(
                        "scenario::stage-layers-count",
                        format!(
                            "stage_layers has {} entries, but there are {} x {per_rank} = {stages} stages",
                            list.len(),
                            p.pipeline
                        ),
                    );
                    let d = self.key(d, "stage_layers");
                    let d = self.key(d, "pipeline");
                    self.fail(d.help("give one number for each stage in the order of the model"));
                }
                let sum: u64 = list.iter().map(|l| u64::from(*l)).sum();
                if sum != u64::from(layers) {
                    let d = Diagnostic::error(
                        "scenario::stage-layers-sum",
                        format!("stage_layers holds {sum} layers, but the model has {layers}"),
                    );
                    let d = self.key(d, "stage_layers");
                    let d = self.path(d, "model.layers");
                    self.fail(d.help(
                        "multi-token-prediction modules are not counted: the last stage holds them",
                    ));
                }
                self.idle_stages(list);
            }
            None => {
                if stages > u64::from(layers) {
                    let d = Diagnostic::error(
                        "scenario::more-stages-than-layers",
                        format!(
                            "{} x {per_rank} = {stages} pipeline stages, but only {layers} layers",
                            p.pipeline
                        ),
                    );
                    let d = self.key(d, "pipeline");
                    let d = if per_rank > 1 {
                        self.key(d, "virtual_stages")
                    } else {
                        d
                    };
                    let d = self.path(d, "model.layers");
                    self.fail(d.help(
                        "use fewer stages, or give stage_layers with zeros where a stage holds only embedding or head",
                    ));
                }
            }
        }
        if p.zero == Zero::Zero3 && p.pipeline > 1 {
            let d = Diagnostic::warning(
                "scenario::zero3-with-pipeline",
                "ZeRO 3 gathers parameters for every micro-batch of the pipeline: rarely worth it",
            );
            let d = self.key(d, "zero");
            let d = self.key(d, "pipeline");
            self.warn(d.help("with a pipeline, zero = 1 or 2 is usual"));
        }
    }

    /// The product of the axes against the number of accelerators; whether it fits.
    fn ranks(&mut self) -> bool {
        let p = self.layout;
        let ranks = u64::from(self.case.cluster.ranks());
        let axes = u64::from(p.tensor) * u64::from(p.pipeline) * u64::from(p.context);
        let arithmetic = format!(
            "tensor {} x pipeline {} x context {} = {axes}",
            p.tensor, p.pipeline, p.context
        );
        if axes == 0 || ranks % axes != 0 {
            let d = Diagnostic::error(
                "scenario::layout-product",
                if axes > ranks {
                    format!("the layout needs {axes} GPUs, the cluster has {ranks}: {arithmetic}")
                } else {
                    format!(
                        "the layout does not fill the {ranks} GPUs: {arithmetic}, and {ranks} / {axes} is not whole"
                    )
                },
            );
            let d = self.largest_axis(d);
            let d = self.nodes_label(d);
            self.fail(d.help("tensor x pipeline x context x data must be the number of GPUs"));
            return false;
        }
        let data = ranks / axes;
        let data_path = match &self.prefix {
            Some(prefix) => format!("{prefix}.data"),
            None => "parallelism.data".to_owned(),
        };
        let stated = self
            .reader
            .find(&data_path)
            .and_then(|e| e.value.parse::<u64>().ok());
        if let Some(stated) = stated
            && stated != data
        {
            let d = Diagnostic::error(
                "scenario::layout-product",
                format!(
                    "data = {stated} does not fill the {ranks} GPUs: {arithmetic}, which leaves data = {data}"
                ),
            );
            let d = self.key(d, "data");
            let d = self.nodes_label(d);
            self.fail(d.help(format!("leave data out, or write data = {data}")));
            return false;
        }
        let stage_ranks = ranks / u64::from(p.pipeline);
        let expert_ranks = u64::from(p.expert) * u64::from(p.expert_tensor);
        // Where the experts don't divide, that has been said.
        let divides = self
            .case
            .model
            .experts
            .as_ref()
            .is_some_and(|e| p.expert > 0 && e.routed % p.expert == 0);
        if divides && (expert_ranks == 0 || stage_ranks % expert_ranks != 0) {
            let d = Diagnostic::error(
                "scenario::expert-ranks",
                format!(
                    "expert {} x expert_tensor {} = {expert_ranks} does not divide the {stage_ranks} GPUs of a pipeline stage",
                    p.expert, p.expert_tensor
                ),
            );
            let d = self.key(d, "expert");
            let d = self.key(d, "pipeline");
            self.fail(
                d.help("a stage has tensor x context x data GPUs; experts are spread within it"),
            );
        }
        if let Some(group) = p.zero_group
            && (u64::from(group) > data * u64::from(p.context)
                || (data * u64::from(p.context)) % u64::from(group.max(1)) != 0)
        {
            let d = Diagnostic::error(
                "scenario::zero-group",
                format!(
                    "a sharding group of {group} does not divide the {data} data-parallel ranks"
                ),
            );
            let d = self.key(d, "zero_group");
            self.fail(d.help("leave it out to shard over all of them"));
        }
        true
    }

    fn largest_axis(&self, d: Diagnostic) -> Diagnostic {
        let p = self.layout;
        let axes = [
            ("pipeline", p.pipeline),
            ("tensor", p.tensor),
            ("context", p.context),
        ];
        // The key that is written and largest is the likeliest culprit; show all written ones.
        let mut written: Vec<(&str, u32)> = axes.into_iter().filter(|(_, v)| *v > 1).collect();
        written.sort_by_key(|(_, v)| std::cmp::Reverse(*v));
        written
            .into_iter()
            .fold(d, |d, (name, _)| self.key(d, name))
    }

    fn nodes_label(&self, d: Diagnostic) -> Diagnostic {
        let cluster = &self.case.cluster;
        let text = format!(
            "{} nodes x {} = {} GPUs",
            cluster.nodes,
            cluster.node.accelerators,
            cluster.ranks()
        );
        let place = section_place(self.table, "cluster", self.top);
        let path = match self.reader.find("cluster.nodes") {
            Some(e) if e.place.is_some() => "cluster.nodes",
            _ => "cluster.gpus",
        };
        self.reader.label(d, path, &place, &text)
    }

    /// Batches against replicas and schedule. Called only when the ranks fit.
    fn batches(&mut self) {
        let p = self.layout;
        let ranks = u64::from(self.case.cluster.ranks());
        let data = ranks / (u64::from(p.tensor) * u64::from(p.pipeline) * u64::from(p.context));
        let share = data * u64::from(p.micro_batch);
        let mut batches = vec![("global_batch", self.phase.global_batch)];
        if let Some(initial) = self.phase.initial_batch {
            batches.push(("initial_batch", initial));
        }
        for (key, batch) in batches {
            let batch = u64::from(batch);
            let name = &self.phase.name;
            if batch % share != 0 {
                let d = Diagnostic::error(
                    "scenario::batch-divides",
                    format!(
                        "a batch of {batch} sequences in phase \"{name}\" is not a multiple of data {data} x micro_batch {} = {share}",
                        p.micro_batch
                    ),
                );
                let d = self.phase_path(d, key);
                let d = self.key(d, "micro_batch");
                let near = (batch / share).max(1) * share;
                self.fail(d.help(format!(
                    "for example {key} = {near}; data is what tensor, pipeline and context leave of {ranks} GPUs"
                )));
                continue;
            }
            let micro_batches = batch / share;
            let pipeline = u64::from(p.pipeline);
            let (needed, rule) = match p.schedule {
                ScheduleKind::DualPipe
                    if micro_batches < 2 * pipeline || micro_batches % 2 != 0 =>
                {
                    (
                        2 * pipeline,
                        format!(
                            "DualPipe needs an even number, at least 2 x pipeline = {}",
                            2 * pipeline
                        ),
                    )
                }
                ScheduleKind::DualPipeV if micro_batches < 2 * pipeline => (
                    2 * pipeline,
                    format!("DualPipeV needs at least 2 x pipeline = {}", 2 * pipeline),
                ),
                ScheduleKind::OneFOneB | ScheduleKind::OverlappedOneFOneB
                    if p.virtual_stages > 1 && pipeline > 1 && micro_batches % pipeline != 0 =>
                {
                    (
                        micro_batches.div_ceil(pipeline) * pipeline,
                        format!("interleaving needs a multiple of pipeline = {pipeline}"),
                    )
                }
                _ => continue,
            };
            let d = Diagnostic::error(
                "scenario::micro-batches",
                format!(
                    "phase \"{name}\" has {micro_batches} micro-batches ({batch} / {share}): {rule}"
                ),
            );
            let d = self.phase_path(d, key);
            let d = self.key(d, "schedule");
            let d = self.key(d, "pipeline");
            self.fail(
                d.help(format!(
                    "a batch of {} sequences has enough",
                    needed * share
                ))
                .help("or use another schedule: 1f1b and zb-h1 take any number"),
            );
        }
    }

    /// Sequence length against context and sequence parallelism.
    fn sequence(&mut self) {
        let p = self.layout;
        let length = self.phase.sequence_length;
        if p.context > 1 && !length.is_multiple_of(2 * p.context) {
            let d = Diagnostic::error(
                "scenario::context-divides",
                format!(
                    "a sequence of {length} tokens can't be cut into 2 x context = {} equal pieces",
                    2 * p.context
                ),
            );
            let d = self.phase_path(d, "sequence_length");
            let d = self.key(d, "context");
            self.fail(d.help("each rank takes two pieces, so that causal work is even"));
        } else if p.sequence
            && p.tensor > 1
            && !(length / p.context.max(1)).is_multiple_of(p.tensor)
        {
            let d = Diagnostic::error(
                "scenario::sequence-divides",
                format!(
                    "tensor parallelism of {} does not divide the {} tokens of a rank",
                    p.tensor,
                    length / p.context.max(1)
                ),
            );
            let d = self.phase_path(d, "sequence_length");
            let d = self.key(d, "tensor");
            self.fail(d.help("sequence parallelism cuts each sequence into equal parts"));
        }
    }
}

/// The divisors of a number that are at most 128, as text.
fn divisors(of: u32) -> String {
    let list: Vec<String> = (1..=of.min(128))
        .filter(|d| of.is_multiple_of(*d))
        .map(|d| d.to_string())
        .collect();
    list.join(", ")
}
