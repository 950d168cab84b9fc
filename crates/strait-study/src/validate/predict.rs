//! One row's prediction: the open settings are chosen by their rules, the step is simulated, and
//! so are the alternatives that the rules passed over.
//!
//! In: a [`Draft`]. Out: a [`Prediction`], or why there is none. Never looks at the measured
//! value.

use super::draft::Draft;
use super::facts::MissingRecompute;
use super::rows::Row;
use crate::catalog::Catalog;
use crate::scenario::{Overrides, Severity, load_text};
use strait_training::case::{Case, Parallelism, Recompute, RecomputePart, Zero};
use strait_training::layout::Layout;
use strait_training::memory::{self, Setting};
use strait_training::outcome::{Memory, StepOutcome};
use strait_training::simulate::{Control, check};
use strait_training::step::{StepInput, step};
use strait_units::Time;

/// What Strait says of a row.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The case.
    pub case: Case,
    /// Its step.
    pub step: StepOutcome,
    /// Settings that would have been as allowed, in words, with their step time.
    pub alternatives: Vec<(String, Time)>,
    /// The draft with every choice made.
    pub draft: Draft,
}

/// Predicts a row.
///
/// # Errors
///
/// Why it can't be.
pub fn predict(
    row: &Row,
    mut draft: Draft,
    catalog: &Catalog,
    control: Control<'_>,
) -> Result<Prediction, String> {
    let mut case = load(row, &draft, catalog)?;
    lay_out(&mut case, &mut draft);
    let candidates = candidates(&case, &draft);
    let mut best: Option<(Choice, Case, StepOutcome)> = None;
    let mut others: Vec<(String, Time)> = Vec::new();
    let mut refusal = None;
    for choice in candidates {
        let mut case = case.clone();
        choice.apply(&mut case.parallelism);
        if let Some(error) = check(&case).first() {
            refusal = refusal.or(Some(error.to_string()));
            continue;
        }
        let fits = recompute(&mut case, draft.open.recompute);
        // A micro-batch that does not fit is no choice, unless none does.
        if !fits && !draft.open.micro_batch.is_empty() && best.is_some() {
            continue;
        }
        let outcome = match simulate(&case, control) {
            Ok(outcome) => outcome,
            Err(error) => {
                refusal = refusal.or(Some(error));
                continue;
            }
        };
        match &best {
            // Virtual stages follow the rule, the first that works; micro-batches the clock.
            Some((chosen, _, fastest)) if chosen.virtual_stages != choice.virtual_stages => {
                if chosen.micro_batch == choice.micro_batch {
                    others.push((choice.words(), outcome.time));
                }
                let _ = fastest;
            }
            Some((_, _, fastest)) if fastest.time <= outcome.time => {
                others.push((choice.words(), outcome.time));
            }
            Some((old, _, slower)) => {
                others.push((old.words(), slower.time));
                best = Some((choice, case, outcome));
            }
            None => best = Some((choice, case, outcome)),
        }
    }
    let (choice, case, outcome) =
        best.ok_or_else(|| refusal.unwrap_or_else(|| "no setting that is allowed works".into()))?;
    let memory = &outcome.memory;
    choice.record(&mut draft, memory.fits());
    if draft.open.recompute.is_some() {
        record_recompute(&mut draft, &case.parallelism, memory);
        others.extend(other_recompute(&case, draft.open.recompute, control));
    }
    if !memory.fits() && draft.open.recompute.is_none() {
        draft.assumed.push(format!(
            "does not fit with these settings: needs {}",
            needs(memory)
        ));
    }
    if draft.open.batch {
        others.extend(other_batches(&case, control));
    }
    Ok(Prediction {
        case,
        step: outcome,
        alternatives: others,
        draft,
    })
}

/// The scenario of a draft, resolved.
fn load(row: &Row, draft: &Draft, catalog: &Catalog) -> Result<Case, String> {
    let text = draft.text(row);
    match load_text(row.id(), &text, catalog, &Overrides::default()) {
        Ok(loaded) => {
            let mut cases = loaded.cases;
            match cases.pop() {
                Some(resolved) => Ok(resolved.case),
                None => Err("its scenario has no case".into()),
            }
        }
        Err(faults) => {
            let first = faults
                .iter()
                .find(|d| d.severity == Severity::Error)
                .or(faults.first());
            Err(first.map_or_else(
                || "its scenario can't be read".into(),
                |d| d.message.clone(),
            ))
        }
    }
}

/// Chooses the degrees of a layout that is not printed: of those that the model and the batch allow,
/// the fewest model-parallel ranks that fit, tensor-parallel ones first.
fn lay_out(case: &mut Case, draft: &mut Draft) {
    let (tensors, pipelines) = (&draft.open.tensor, &draft.open.pipeline);
    if tensors.is_empty() && pipelines.is_empty() {
        return;
    }
    let given = |list: &[u32], value: u32| -> Vec<u32> {
        match list {
            [] => vec![value],
            list => list.to_vec(),
        }
    };
    // What shards the weights of every layer has no pipeline, unless one is printed.
    let sharded = case.parallelism.zero == Zero::Zero3;
    let mut choices: Vec<(u32, u32)> = Vec::new();
    for pipeline in given(pipelines, case.parallelism.pipeline) {
        if sharded && pipeline > 1 && !pipelines.is_empty() {
            continue;
        }
        for tensor in given(tensors, case.parallelism.tensor) {
            if tensor <= case.cluster.node.accelerators {
                choices.push((tensor, pipeline));
            }
        }
    }
    choices.sort_by_key(|&(tensor, pipeline)| (tensor * pipeline, pipeline));
    let rule = draft.open.recompute;
    let mut last = None;
    let mut found = false;
    for (tensor, pipeline) in choices {
        let mut tried = case.clone();
        tried.parallelism.tensor = tensor;
        tried.parallelism.pipeline = pipeline;
        tried.parallelism.sequence = tensor > 1;
        if pipeline > 1 {
            tried.parallelism.virtual_stages = 1;
        }
        if rule == Some(MissingRecompute::Full) {
            tried.parallelism.recompute = Recompute::Full;
        }
        let Some(memory) = memory_of(&tried) else {
            continue;
        };
        found = memory.fits();
        last = Some(tried);
        if found {
            break;
        }
    }
    if let Some(chosen) = last {
        let (tensor, pipeline) = (chosen.parallelism.tensor, chosen.parallelism.pipeline);
        for (path, value) in [
            ("parallelism.tensor", tensor),
            ("parallelism.pipeline", pipeline),
        ] {
            draft.set.insert(path.into(), i64::from(value).into());
        }
        draft
            .set
            .insert("parallelism.sequence".into(), (tensor > 1).into());
        draft.assumed.push(format!(
            "tensor {tensor}, pipeline {pipeline}: not printed, {}",
            if found {
                "the fewest ranks that fit"
            } else {
                "the most ranks that are tried: fewer do not fit"
            }
        ));
        *case = chosen;
    }
}

/// Settings that a rule chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    micro_batch: Option<u32>,
    virtual_stages: Option<u32>,
}

impl Choice {
    fn apply(self, parallelism: &mut Parallelism) {
        if let Some(sequences) = self.micro_batch {
            parallelism.micro_batch = sequences;
        }
        if let Some(stages) = self.virtual_stages {
            parallelism.virtual_stages = stages;
        }
    }

    fn words(self) -> String {
        let mut words = Vec::new();
        if let Some(stages) = self.virtual_stages {
            words.push(format!("{stages} virtual stages"));
        }
        if let Some(sequences) = self.micro_batch {
            words.push(format!("micro-batch of {sequences}"));
        }
        words.join(", ")
    }

    fn record(self, draft: &mut Draft, fits: bool) {
        if let Some(stages) = self.virtual_stages {
            draft.set.insert(
                "parallelism.virtual_stages".into(),
                i64::from(stages).into(),
            );
            draft.assumed.push(format!(
                "{stages} virtual stages: not printed, a layer a stage where that works"
            ));
        }
        if let Some(sequences) = self.micro_batch {
            draft.set.insert(
                "parallelism.micro_batch".into(),
                i64::from(sequences).into(),
            );
            let rule = if fits {
                "the fastest that fits"
            } else {
                "and none fits"
            };
            draft
                .assumed
                .push(format!("micro-batch of {sequences}: not printed, {rule}"));
        }
    }
}

fn candidates(case: &Case, draft: &Draft) -> Vec<Choice> {
    let options = |list: &[u32]| -> Vec<Option<u32>> {
        match list {
            [] => vec![None],
            list => list.iter().copied().map(Some).collect(),
        }
    };
    let mut found = Vec::new();
    for virtual_stages in options(&draft.open.virtual_stages) {
        for micro_batch in options(&draft.open.micro_batch) {
            let choice = Choice {
                micro_batch,
                virtual_stages,
            };
            let mut parallelism = case.parallelism.clone();
            choice.apply(&mut parallelism);
            let phase = &case.training.phases[0];
            let laid = Layout::new(
                &parallelism,
                &case.model,
                &case.cluster,
                phase.sequence_length,
                phase.global_batch,
            );
            if laid.is_ok() {
                found.push(choice);
            }
        }
    }
    if found.is_empty() {
        // What is wrong is then said by the check of the first.
        found.push(Choice {
            micro_batch: draft.open.micro_batch.first().copied(),
            virtual_stages: draft.open.virtual_stages.last().copied(),
        });
    }
    found
}

/// One step of the case's only phase.
fn simulate(case: &Case, control: Control<'_>) -> Result<StepOutcome, String> {
    let phase = &case.training.phases[0];
    let input = StepInput {
        case,
        parallelism: phase.parallelism.as_ref().unwrap_or(&case.parallelism),
        sequence_length: phase.sequence_length,
        global_batch: phase.global_batch,
    };
    step(input, control).map_err(|error| error.to_string())
}

/// Memory of the fullest rank, without simulating.
pub fn memory_of(case: &Case) -> Option<Memory> {
    let phase = &case.training.phases[0];
    let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
    let layout = Layout::new(
        parallelism,
        &case.model,
        &case.cluster,
        phase.sequence_length,
        phase.global_batch,
    )
    .ok()?;
    Some(memory::peak(
        Setting {
            model: &case.model,
            parallelism,
            precision: &case.precision,
            software: &case.software,
            method: case.training.method,
            capacity: case.cluster.accelerator.memory,
        },
        &layout,
    ))
}

fn fits(case: &Case) -> bool {
    memory_of(case).is_some_and(|memory| memory.fits())
}

/// Chooses recomputation by the rule; says whether the job then fits.
fn recompute(case: &mut Case, rule: Option<MissingRecompute>) -> bool {
    match rule {
        None => fits(case),
        Some(MissingRecompute::Full) => {
            case.parallelism.recompute = Recompute::Full;
            fits(case)
        }
        Some(rule @ (MissingRecompute::Least | MissingRecompute::LeastParts)) => {
            case.parallelism.recompute = Recompute::None;
            case.parallelism.recompute_layers = None;
            if fits(case) {
                return true;
            }
            if rule == MissingRecompute::LeastParts {
                use RecomputePart::{Activation, Mlp, Norm};
                for parts in [vec![Norm, Activation], vec![Norm, Activation, Mlp]] {
                    case.parallelism.recompute = Recompute::Named(parts);
                    if fits(case) {
                        return true;
                    }
                }
            }
            // Only the share of layers that memory asks for, never all at once.
            case.parallelism.recompute = Recompute::Full;
            let most = layers_of_a_stage(case);
            for layers in 1..=most {
                case.parallelism.recompute_layers = Some(layers);
                if fits(case) {
                    return true;
                }
            }
            case.parallelism.recompute_layers = None;
            false
        }
    }
}

fn layers_of_a_stage(case: &Case) -> u32 {
    let stages = case.parallelism.pipeline * case.parallelism.virtual_stages.max(1);
    case.model.layers.div_ceil(stages.max(1))
}

/// Memory that is needed, of what there is, in words.
fn needs(memory: &Memory) -> String {
    let gigabytes = |bytes: f64| bytes / 1e9;
    format!(
        "{:.1} GB of {:.1} GB",
        gigabytes(memory.peak.as_f64()),
        gigabytes(memory.capacity.as_f64())
    )
}

fn record_recompute(draft: &mut Draft, parallelism: &Parallelism, memory: &Memory) {
    let rule = match (memory.fits(), draft.open.recompute) {
        // Nothing is left to be recomputed that would help.
        (false, _) => &format!(
            "not printed, and it does not fit: needs {} even with all layers recomputed",
            needs(memory)
        ),
        (true, Some(MissingRecompute::Full)) => "not printed, the default of its generation",
        (true, _) => "not printed, the least that fits",
    };
    let words = match (&parallelism.recompute, parallelism.recompute_layers) {
        (Recompute::Full, Some(layers)) => {
            draft
                .set
                .insert("parallelism.recompute".into(), "full".into());
            draft.set.insert(
                "parallelism.recompute_layers".into(),
                i64::from(layers).into(),
            );
            format!("{layers} layers of a stage recomputed")
        }
        (Recompute::Full, None) => {
            draft
                .set
                .insert("parallelism.recompute".into(), "full".into());
            "all layers recomputed".to_owned()
        }
        (Recompute::Named(parts), _) => {
            let words: Vec<&str> = parts.iter().map(|part| part_word(*part)).collect();
            let list = words.iter().map(|word| toml::Value::from(*word)).collect();
            let list = toml::Value::Array(list);
            draft.set.insert("parallelism.recompute".into(), list);
            format!("{} recomputed", words.join(", "))
        }
        _ => {
            draft
                .set
                .insert("parallelism.recompute".into(), "none".into());
            "nothing recomputed".to_owned()
        }
    };
    draft.assumed.push(format!("{words}: {rule}"));
}

/// The word of a part in scenarios.
fn part_word(part: RecomputePart) -> &'static str {
    match part {
        RecomputePart::CoreAttention => "core-attention",
        RecomputePart::Norm => "norm",
        RecomputePart::MlaUp => "mla-up",
        RecomputePart::Activation => "activation",
        RecomputePart::Mlp => "mlp",
        RecomputePart::Moe => "moe",
    }
}

/// The other way that a run may have recomputed: nothing where layers were taken to be, and for
/// code of before 2022 nothing at all.
fn other_recompute(
    case: &Case,
    rule: Option<MissingRecompute>,
    control: Control<'_>,
) -> Option<(String, Time)> {
    let mut other = case.clone();
    let words = match (rule?, &case.parallelism.recompute) {
        (MissingRecompute::Full, _) => {
            other.parallelism.recompute = Recompute::Selective;
            "attention core alone recomputed"
        }
        (_, Recompute::Full | Recompute::Named(_)) => {
            other.parallelism.recompute = Recompute::None;
            other.parallelism.recompute_layers = None;
            "nothing recomputed"
        }
        // That nothing was recomputed where all fits is what every recipe does.
        (_, _) => return None,
    };
    let outcome = simulate(&other, control).ok()?;
    Some((words.to_owned(), outcome.time))
}

/// Half and twice the batch, scaled to the tokens of the one that was taken.
fn other_batches(case: &Case, control: Control<'_>) -> Vec<(String, Time)> {
    let whole = case.training.phases[0].global_batch;
    let mut found = Vec::new();
    for (batch, words) in [
        (whole / 2, "half the batch"),
        (whole * 2, "twice the batch"),
    ] {
        let mut other = case.clone();
        other.training.phases[0].global_batch = batch;
        if let Ok(outcome) = simulate(&other, control)
            && batch > 0
        {
            let scaled = outcome.time.scaled(f64::from(whole) / f64::from(batch));
            found.push((words.to_owned(), scaled));
        }
    }
    found
}
