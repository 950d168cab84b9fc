//! The phases of a run: tokens, batches, and the layout of each.
//!
//! In: `[training]` and the layout that phases start from. Out: [`Training`]. Never checks
//! a batch against a layout.

use super::diagnostic::{Diagnostic, Place};
use super::keys;
use super::read::{Reader, Scope};
use super::reinforcement::{self, Around};
use super::resolve::parallelism;
use super::tree::{Node, Table};
use strait_training::case::{AdapterLayers, Adapters, Method, Parallelism, Phase, Training};
use strait_training::rollout::Reinforcement;
use strait_units::Tokens;

/// The most tokens that the key table accepts.
const MOST_TOKENS: u64 = 1_000_000_000_000_000_000;

/// Which weights are trained.
fn method(scope: &Scope<'_>, reader: &mut Reader) -> Method {
    let rank = reader.count(scope, "lora_rank").unwrap_or(1);
    let layers = match reader.word(scope, "lora_layers") {
        Some("attention") => AdapterLayers::Attention,
        Some("qkv") => AdapterLayers::Qkv,
        _ => AdapterLayers::All,
    };
    if reader.word(scope, "method") == Some("lora") {
        return Method::Lora(Adapters { rank, layers });
    }
    for key in ["lora_rank", "lora_layers"] {
        if scope.node(key).is_some() {
            let d = Diagnostic::error(
                "scenario::setting-without-adapters",
                format!("{key} is given, but no adapters are trained"),
            )
            .help(format!(
                "set training.method = \"lora\", or leave {key} out"
            ));
            let d = reader.label(d, &scope.path(key), &scope.place, "");
            reader.fail(d);
        }
    }
    Method::Full
}

/// Reads `[training]` with its phases.
pub(super) fn training(
    scope: &Scope<'_>,
    layout: &Scope<'_>,
    around: &Around<'_>,
    reader: &mut Reader,
) -> Option<Training> {
    let method = method(scope, reader);
    let document = reader.count(scope, "document_length");
    let total = reader.number(scope, "tokens");
    let sequence_length = reader.count(scope, "sequence_length");
    let global_batch = reader.count(scope, "global_batch");
    let (sequence_length, global_batch) = (sequence_length?, global_batch?);
    let list = scope.node("phase").and_then(|n| n.list()).unwrap_or(&[]);
    if list.is_empty() {
        let Some(tokens) = total else {
            if scope.node("tokens").is_none() {
                reader.missing(scope, "tokens");
            }
            return None;
        };
        return Some(Training {
            method,
            document,
            phases: vec![Phase {
                name: "main".to_owned(),
                tokens: Tokens::new(tokens as u64),
                sequence_length,
                global_batch,
                initial_batch: None,
                ramp_tokens: None,
                pretraining: true,
                parallelism: None,
                reinforcement: None,
            }],
        });
    }
    let mut phases: Vec<Phase> = Vec::new();
    let mut open: Option<(usize, Place)> = None;
    for node in list {
        let Some(table) = node.table() else { continue };
        let called = table.get("name").and_then(|e| e.node.text()).unwrap_or("");
        let inner = Scope {
            tables: vec![table],
            place: node.place.clone(),
            section: &keys::PHASE,
            path: format!("training.phase.{called}"),
        };
        let (name, name_node) = reader.text(&inner, "name")?;
        if phases.iter().any(|p| p.name == name)
            && let Some(name_node) = name_node
        {
            reader.fail(
                Diagnostic::error(
                    "scenario::duplicate",
                    format!("two phases are called \"{name}\""),
                )
                .at(&name_node.place, "the second of this name")
                .help("give each phase a name of its own"),
            );
        }
        let inherit = |reader: &mut Reader, key: &str, value: u32| match reader.count(&inner, key) {
            Some(own) => own,
            None => {
                if inner.node(key).is_none() {
                    reader.because(&inner, key, value, format!("as training.{key}"));
                }
                value
            }
        };
        let sequence_length = inherit(reader, "sequence_length", sequence_length);
        if reinforcement::wanted(&inner, &name, reader) {
            let own = inner.node("parallelism");
            let parallelism =
                own.and_then(|node| phase_layout(&inner, node, node.table()?, layout, reader));
            if let Some(rl) = reinforcement::reinforcement(&inner, &name, around, reader) {
                phases.push(reinforced(
                    (name, &inner),
                    rl,
                    (sequence_length, global_batch),
                    parallelism,
                    around,
                    reader,
                ));
            }
            let _ = reader.text(&inner, "why");
            continue;
        }
        let global_batch = inherit(reader, "global_batch", global_batch);
        let initial_batch = reader.count(&inner, "initial_batch");
        if let Some(initial) = initial_batch
            && initial > global_batch
        {
            let d = Diagnostic::error(
                "scenario::ramp-falls",
                format!(
                    "the batch of phase \"{name}\" would fall from {initial} to {global_batch}"
                ),
            )
            .help("initial_batch is the batch at the start of a ramp: at most global_batch");
            let d = reader.label(d, &inner.path("initial_batch"), &inner.place, "");
            let own = if inner.node("global_batch").is_some() {
                inner.path("global_batch")
            } else {
                scope.path("global_batch")
            };
            let d = reader.label(d, &own, &scope.place, "");
            reader.fail(d);
        }
        let ramp_tokens = reader.number(&inner, "ramp_tokens");
        if ramp_tokens.is_some() && initial_batch.is_none() {
            let d = Diagnostic::error(
                "scenario::ramp-without-start",
                format!("phase \"{name}\" has ramp_tokens, but no batch to start from"),
            )
            .help("give initial_batch as well, or leave ramp_tokens out");
            let d = reader.label(d, &inner.path("ramp_tokens"), &inner.place, "");
            reader.fail(d);
        }
        let tokens = reader.number(&inner, "tokens");
        let steps = reader.number(&inner, "steps");
        let tokens = match (tokens, steps) {
            (Some(_), Some(_)) => {
                let d = Diagnostic::error(
                    "scenario::tokens-and-steps",
                    format!("phase \"{name}\" has both tokens and steps"),
                )
                .help("give one of them: tokens = steps x global_batch x sequence_length");
                let d = reader.label(d, &inner.path("steps"), &inner.place, "");
                let d = reader.label(d, &inner.path("tokens"), &inner.place, "");
                reader.fail(d);
                0
            }
            (Some(tokens), None) => tokens as u64,
            (None, Some(steps)) => {
                let tokens = (steps as u64)
                    .saturating_mul(u64::from(global_batch))
                    .saturating_mul(u64::from(sequence_length))
                    .min(MOST_TOKENS);
                reader.because(
                    &inner,
                    "tokens",
                    super::unit::print(super::unit::Dimension::Tokens, tokens as f64),
                    format!("{steps} steps x {global_batch} sequences x {sequence_length} tokens"),
                );
                tokens
            }
            (None, None) => {
                if inner.node("tokens").is_none() && inner.node("steps").is_none() {
                    if total.is_some() && open.is_none() {
                        open = Some((phases.len(), inner.place.clone()));
                    } else {
                        reader.missing(&inner, "tokens");
                    }
                }
                0
            }
        };
        let pretraining = reader.flag(&inner, "pretraining").unwrap_or(true);
        let _ = reader.text(&inner, "why");
        let own = inner
            .node("parallelism")
            .and_then(|n| n.table().map(|t| (n, t)));
        let parallelism =
            own.and_then(|(node, table)| phase_layout(&inner, node, table, layout, reader));
        phases.push(Phase {
            name,
            tokens: Tokens::new(tokens),
            sequence_length,
            global_batch,
            initial_batch,
            ramp_tokens: ramp_tokens.map(|tokens| Tokens::new(tokens as u64)),
            pretraining,
            parallelism,
            reinforcement: None,
        });
    }
    if !reader.failed {
        settle_tokens(&mut phases, open, total, scope, reader);
    }
    Some(Training {
        method,
        document,
        phases,
    })
}

/// A phase of reinforcement learning: its batch and its tokens follow from its samples.
fn reinforced(
    (name, inner): (String, &Scope<'_>),
    rl: Reinforcement,
    (sequence_length, usual_batch): (u32, u32),
    parallelism: Option<Parallelism>,
    around: &Around<'_>,
    reader: &mut Reader,
) -> Phase {
    let layout = parallelism.as_ref().or(around.parallelism);
    let (global_batch, tokens) = if rl.policy {
        let batch = reinforcement::batch(&rl, sequence_length, layout, around.cluster);
        reader.because(
            inner,
            "global_batch",
            batch,
            format!(
                "samples of an update ({:.0} tokens each) packed into sequences, in whole micro-batches of every data-parallel rank",
                rl.mean_sample()
            ),
        );
        let samples = rl.samples_of_rollout() * rl.rollouts();
        (batch, (samples * rl.mean_sample()).min(MOST_TOKENS as f64))
    } else {
        (usual_batch, 0.0)
    };
    reader.because(
        inner,
        "tokens",
        super::unit::print(super::unit::Dimension::Tokens, tokens),
        "samples x their mean length, of which the policy is updated".to_owned(),
    );
    Phase {
        name,
        tokens: Tokens::new(tokens as u64),
        sequence_length,
        global_batch,
        initial_batch: None,
        ramp_tokens: None,
        pretraining: false,
        parallelism,
        reinforcement: Some(rl),
    }
}

/// Gives the open phase what remains of the total, or compares the sum with it.
fn settle_tokens(
    phases: &mut [Phase],
    open: Option<(usize, Place)>,
    total: Option<f64>,
    scope: &Scope<'_>,
    reader: &mut Reader,
) {
    let print = |v: f64| super::unit::print(super::unit::Dimension::Tokens, v);
    let Some(total) = total else { return };
    let named: u64 = phases
        .iter()
        .filter(|p| p.pretraining)
        .map(|p| p.tokens.get())
        .fold(0, u64::saturating_add);
    match open {
        Some((index, place)) => {
            let rest = total as u64;
            if rest <= named {
                let d = Diagnostic::error(
                    "scenario::no-tokens-left",
                    format!(
                        "nothing of training.tokens ({}) is left for phase \"{}\": the others have {}",
                        print(total),
                        phases.get(index).map_or("", |p| p.name.as_str()),
                        print(named as f64)
                    ),
                )
                .at(&place, "has no tokens of its own")
                .help("raise training.tokens or give the phase its tokens");
                reader.fail(d);
                return;
            }
            if let Some(phase) = phases.get_mut(index) {
                phase.tokens = Tokens::new(rest - named);
                let inner = Scope {
                    tables: Vec::new(),
                    place,
                    section: &keys::PHASE,
                    path: format!("training.phase.{}", phase.name),
                };
                reader.because(
                    &inner,
                    "tokens",
                    print((rest - named) as f64),
                    "what the other pre-training phases leave of training.tokens".to_owned(),
                );
            }
        }
        None => {
            // Steps are whole batches, so a sum may miss the total by a little.
            if (named as f64 - total).abs() > 0.005 * total {
                let parts: Vec<String> = phases
                    .iter()
                    .filter(|p| p.pretraining)
                    .map(|p| print(p.tokens.as_f64()))
                    .collect();
                let d = Diagnostic::error(
                    "scenario::tokens-sum",
                    format!(
                        "the pre-training phases have {} = {}, but training.tokens is {}",
                        parts.join(" + "),
                        print(named as f64),
                        print(total)
                    ),
                )
                .help("correct one of them, or leave the tokens of one phase out");
                let d = reader.label(d, "training.tokens", &scope.place, "");
                reader.fail(d);
            }
        }
    }
}

/// The case's layout with a phase's changes over it. Of the record, only what the phase
/// changes is kept.
fn phase_layout(
    phase: &Scope<'_>,
    node: &Node,
    table: &Table,
    layout: &Scope<'_>,
    reader: &mut Reader,
) -> Option<Parallelism> {
    let mut tables = vec![table];
    tables.extend(layout.tables.iter().copied());
    let scope = Scope {
        tables,
        place: node.place.clone(),
        section: &keys::PARALLELISM,
        path: phase.path("parallelism"),
    };
    let before = reader.explained.len();
    let found = parallelism(&scope, reader);
    let own = reader.explained.split_off(before);
    for line in own {
        let key = line.path.rsplit('.').next().unwrap_or("");
        let same = reader
            .find(&layout.path(key))
            .is_some_and(|base| base.value == line.value);
        if table.get(key).is_some() || !same {
            reader.explained.push(line);
        }
    }
    found
}
