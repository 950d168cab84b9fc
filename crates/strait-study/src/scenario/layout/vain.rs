//! What is asked for in vain: settings that a case states and that change nothing, or cannot be meant.
//!
//! In: a resolved case and where its values stand. Out: warnings and faults with both places. Never
//! changes the case.

use super::*;

/// Adapters against the model.
pub(super) fn adapters(case: &Case, table: &Table, top: &Place, reader: &mut Reader) {
    let (rank, hidden) = match case.training.method {
        Method::Lora(adapters) => (adapters.rank, case.model.hidden),
        Method::Full => return,
    };
    if rank <= hidden {
        return;
    }
    let d = Diagnostic::warning(
        "scenario::adapter-rank",
        format!(
            "adapters of rank {rank} are wider than the hidden width {hidden} of {}: they hold more \
             weights than the layers that they stand beside",
            case.model.name
        ),
    );
    let place = section_place(table, "training", top);
    let d = reader.label(d, "training.lora_rank", &place, "");
    let place = section_place(table, "model", top);
    let d = reader.label(d, "model.hidden", &place, "");
    let d = d.help("ranks of 8 to 256 are usual; or train all weights: method = \"full\"");
    reader.faults.push(d);
}

impl Look<'_> {
    /// Settings of experts that are given for a model that has none.
    pub(super) fn without_experts(&mut self) {
        if self.case.model.experts.is_some() {
            return;
        }
        for name in ["expert_overlap", "dispatcher"] {
            let path = format!("software.{name}");
            if self.reader.find(&path).is_some_and(|e| e.place.is_some()) {
                let d = Diagnostic::warning(
                    "scenario::setting-without-experts",
                    format!(
                        "`{path}` has no meaning: {} has no experts to send tokens to",
                        self.case.model.name
                    ),
                );
                let d = self.path(d, &path);
                self.warn(d.help("leave it out"));
            }
        }
    }

    /// Stages that hold nothing: the first and the last hold an end of the model at least.
    pub(super) fn idle_stages(&mut self, list: &[u32]) {
        let inner = 1..list.len().saturating_sub(1);
        let idle: Vec<String> = (list.iter().enumerate())
            .filter(|&(at, &layers)| layers == 0 && inner.contains(&at))
            .map(|(at, _)| (at + 1).to_string())
            .collect();
        let (which, hold) = match idle.as_slice() {
            [] => return,
            [one] => (format!("stage {one}"), "holds"),
            more => (format!("stages {}", more.join(", ")), "hold"),
        };
        let d = Diagnostic::warning(
            "scenario::stage-without-layers",
            format!(
                "{which} of {} {hold} no layers: activations pass through, and nothing is computed there",
                list.len()
            ),
        );
        let d = self.key(d, "stage_layers");
        self.warn(d.help(
            "give each a layer, or use fewer stages; only the first, with the embedding, and the last, with the head, do work without one",
        ));
    }

    /// A schedule of pairs where pairs gain nothing.
    pub(super) fn pairs(&mut self) {
        let p = self.layout;
        if p.schedule != ScheduleKind::OverlappedOneFOneB {
            return;
        }
        let dense = self.case.model.experts.is_none();
        let plain = p.pipeline > 1 && p.virtual_stages == 1;
        if !dense && !plain {
            return;
        }
        let name = &self.case.model.name;
        let message = match (dense, plain) {
            (true, false) => format!(
                "1f1b-overlap gains nothing: {name} has no experts, whose communication it hides, and pairs hold more activations than 1f1b"
            ),
            (true, true) => format!(
                "1f1b-overlap is slower than 1f1b here: {name} has no experts, whose communication it hides, and without virtual stages each stage waits for whole pairs of the next"
            ),
            _ => "1f1b-overlap without virtual stages is slower than 1f1b: each stage waits for whole pairs of the next".to_owned(),
        };
        let d = Diagnostic::warning("scenario::pairs-gain-nothing", message);
        let d = self.key(d, "schedule");
        let (d, help) = if dense {
            (d, "use schedule = \"1f1b\"")
        } else {
            let d = self.key(d, "virtual_stages");
            let d = self.key(d, "pipeline");
            (
                d,
                "set virtual_stages = 2 or more, or use schedule = \"1f1b\"",
            )
        };
        self.warn(d.help(help));
    }

    /// Numbers of layers of a stage against what a stage holds. Called only when all agrees.
    pub(super) fn layers(&mut self) {
        let (case, p) = (self.case, self.layout);
        if let Some(layers) = p.recompute_layers {
            let message = match (&p.recompute, layers) {
                (Recompute::None, _) => {
                    Some("`recompute_layers` has no meaning: nothing is recomputed".to_owned())
                }
                (_, 0) => Some(format!(
                    "with `recompute_layers` = 0 nothing is recomputed{}",
                    match case.model.mtp {
                        0 => "",
                        _ => " but the multi-token-prediction modules",
                    }
                )),
                _ => None,
            };
            if let Some(message) = message {
                let d = Diagnostic::warning("scenario::recompute-no-layers", message);
                let d = self.key(d, "recompute_layers");
                let d = self.key(d, "recompute");
                self.warn(d.help(
                    "leave recompute_layers out to recompute in all layers, or set recompute = \"none\" and leave it out to recompute nothing",
                ));
            }
        }
        let given = [
            ("offload_layers", p.offload_layers),
            ("recompute_layers", p.recompute_layers.unwrap_or(0)),
        ];
        // Laying out takes time: only where there is something to compare.
        if given.iter().all(|&(_, layers)| layers == 0) {
            return;
        }
        let (length, batch) = (self.phase.sequence_length, self.phase.global_batch);
        let Ok(layout) = Layout::new(p, &case.model, &case.cluster, length, batch) else {
            return;
        };
        let most = layout.stages.iter().map(|s| s.layers.len()).max();
        let most = most.unwrap_or(0);
        for (name, layers) in given {
            if layers as usize > most {
                let d = Diagnostic::warning(
                    "scenario::more-layers-than-stage",
                    format!("{name} is {layers}, but no stage holds more than {most} layers"),
                );
                let d = self.key(d, name);
                let d = self.key(d, "pipeline");
                let d = self.path(d, "model.layers");
                self.warn(d.help(format!("{name} = {most} is all of them")));
            }
        }
    }
}
