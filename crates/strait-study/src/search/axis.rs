//! Values of axes from a command line, such as `pipeline=8,16`.
//!
//! In: texts in the keys and words of scenario files. Out: [`Axes`], which narrow or widen a [`Space`];
//! or what is wrong, with what would be right. Never asks whether a layout is possible.

use super::describe_recompute;
use super::space::Space;
use crate::scenario::{suggest, words};
use std::str::FromStr;
use strait_training::case::{Parallelism, Recompute, RecomputePart, ScheduleKind, Zero};

/// Keys that an axis may have.
pub const KEYS: [&str; 16] = [
    "tensor",
    "sequence",
    "pipeline",
    "virtual_stages",
    "context",
    "expert",
    "expert_tensor",
    "zero",
    "zero_group",
    "schedule",
    "micro_batch",
    "recompute",
    "recompute_layers",
    "offload_layers",
    "communication_units",
    "precision",
];

/// One axis with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    key: &'static str,
    values: Vec<Value>,
    /// As written.
    text: String,
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Count(u32),
    Flag(bool),
    None,
    Schedule(ScheduleKind, bool),
    Recompute(Recompute),
    Recipe(&'static str),
}

/// What is wrong with an axis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AxisError {
    /// There is no equals sign.
    #[error(
        "`{0}` is no axis: write a key of [parallelism], an equals sign and values, as in pipeline=8,16"
    )]
    NoValues(String),
    /// Nobody knows the key.
    #[error("there is no axis `{key}`{}; there are {}", hint(.near), KEYS.join(", "))]
    UnknownKey {
        /// As written.
        key: String,
        /// Names close to it.
        near: Vec<String>,
    },
    /// A value that the key does not take.
    #[error("`{value}` is no value of {key}: {accepts}{}", hint(.near))]
    Value {
        /// The key.
        key: &'static str,
        /// As written.
        value: String,
        /// What it takes.
        accepts: String,
        /// Words close to it.
        near: Vec<String>,
    },
    /// The same key again.
    #[error("axis {0} is given twice: list all its values in one")]
    Twice(&'static str),
    /// No value of one goes with any of the other.
    #[error("`{0}` and `{1}` exclude each other: {2}")]
    Exclude(String, String, &'static str),
}

fn hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        some => format!(" (did you mean {}?)", some.join(" or ")),
    }
}

impl FromStr for Axis {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Axis, AxisError> {
        let Some((key, list)) = text.split_once('=') else {
            return Err(AxisError::NoValues(text.to_owned()));
        };
        let key = key.trim();
        let bare = key.strip_prefix("parallelism.").unwrap_or(key);
        let bare = match bare {
            "precision.recipe" | "recipe" => "precision",
            other => other,
        };
        let Some(key) = KEYS.into_iter().find(|known| *known == bare) else {
            let near = suggest(bare, &KEYS)
                .into_iter()
                .map(str::to_owned)
                .collect();
            return Err(AxisError::UnknownKey {
                key: key.to_owned(),
                near,
            });
        };
        let mut values: Vec<Value> = Vec::new();
        for word in list.split(',').map(str::trim) {
            let value = value(key, word)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let text = text.to_owned();
        Ok(Axis { key, values, text })
    }
}

/// One value of a key.
fn value(key: &'static str, word: &str) -> Result<Value, AxisError> {
    let wrong = |accepts: String, near: Vec<&str>| AxisError::Value {
        key,
        value: word.to_owned(),
        accepts,
        near: near.into_iter().map(str::to_owned).collect(),
    };
    let number = |least: u32, most: u32| -> Option<Value> {
        let number = word.parse().ok()?;
        (least..=most)
            .contains(&number)
            .then_some(Value::Count(number))
    };
    let of_words = |words: &[&'static str]| {
        let found = words.iter().copied().find(|known| *known == word);
        found.ok_or_else(|| {
            wrong(
                format!("it takes {}", words.join(", ")),
                suggest(word, words),
            )
        })
    };
    let counted = |least: u32, most: u32| {
        number(least, most).ok_or_else(|| {
            wrong(
                format!("it takes whole numbers from {least} to {most}"),
                Vec::new(),
            )
        })
    };
    const RANKS: u32 = 1_000_000;
    match key {
        "sequence" => Ok(Value::Flag(of_words(&["true", "false"])? == "true")),
        "zero" => counted(0, 3),
        "zero_group" | "recompute_layers" if word == "none" => Ok(Value::None),
        "recompute_layers" | "offload_layers" => counted(0, 10_000),
        "communication_units" => counted(0, 100_000),
        "schedule" => {
            let names: Vec<&'static str> = words::SCHEDULES.iter().map(|w| w.name).collect();
            Ok(match of_words(&names)? {
                "gpipe" => Value::Schedule(ScheduleKind::GPipe, false),
                "1f1b-overlap" => Value::Schedule(ScheduleKind::OverlappedOneFOneB, false),
                "zb-h1" => Value::Schedule(ScheduleKind::ZbH1, false),
                "dualpipe" => Value::Schedule(ScheduleKind::DualPipe, false),
                "dualpipe-v" => Value::Schedule(ScheduleKind::DualPipeV, false),
                "interleaved" => Value::Schedule(ScheduleKind::OneFOneB, true),
                _ => Value::Schedule(ScheduleKind::OneFOneB, false),
            })
        }
        "recompute" => {
            let one = match word {
                "none" => Some(Recompute::None),
                "selective" => Some(Recompute::Selective),
                "full" => Some(Recompute::Full),
                _ => None,
            };
            if let Some(one) = one {
                return Ok(Value::Recompute(one));
            }
            let names: Vec<&'static str> = words::RECOMPUTE_PARTS.iter().map(|w| w.name).collect();
            let mut parts = Vec::new();
            for name in word.split('+') {
                let Some(known) = names.iter().copied().find(|known| *known == name) else {
                    let accepts = format!(
                        "it takes none, selective, full, or parts joined by a plus sign: {}",
                        names.join(", ")
                    );
                    return Err(wrong(accepts, suggest(name, &names)));
                };
                parts.push(part(known));
            }
            parts.sort_unstable();
            parts.dedup();
            Ok(Value::Recompute(Recompute::Named(parts)))
        }
        "precision" => {
            let names: Vec<&'static str> = words::RECIPES.iter().map(|w| w.name).collect();
            Ok(Value::Recipe(of_words(&names)?))
        }
        _ => counted(1, RANKS),
    }
}

fn part(word: &str) -> RecomputePart {
    match word {
        "core-attention" => RecomputePart::CoreAttention,
        "norm" => RecomputePart::Norm,
        "mla-up" => RecomputePart::MlaUp,
        "activation" => RecomputePart::Activation,
        "mlp" => RecomputePart::Mlp,
        _ => RecomputePart::Moe,
    }
}

/// The axes that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes(Vec<Axis>);

impl Axes {
    /// Of a command line.
    ///
    /// # Errors
    /// [`AxisError::Twice`], [`AxisError::Exclude`].
    pub fn new(list: Vec<Axis>) -> Result<Axes, AxisError> {
        for (at, axis) in list.iter().enumerate() {
            if list[..at].iter().any(|other| other.key == axis.key) {
                return Err(AxisError::Twice(axis.key));
            }
        }
        let axes = Axes(list);
        axes.go_together()?;
        Ok(axes)
    }

    /// Whether some value of each axis goes with some value of every other, as far as that needs no model
    /// and no cluster.
    fn go_together(&self) -> Result<(), AxisError> {
        let exclude = |one: &str, other: &str, why| {
            let text = |key: &str| {
                let axis = self.0.iter().find(|axis| axis.key == key);
                axis.map_or(String::new(), |axis| axis.text.clone())
            };
            Err(AxisError::Exclude(text(one), text(other), why))
        };
        let schedules = self.find("schedule").unwrap_or_default();
        let all = |holds: &dyn Fn(ScheduleKind, bool) -> bool| {
            let mut kinds = schedules.iter().filter_map(|value| match value {
                Value::Schedule(kind, interleaved) => Some((*kind, *interleaved)),
                _ => None,
            });
            !schedules.is_empty() && kinds.all(|(kind, interleaved)| holds(kind, interleaved))
        };
        let stages = self.counts("virtual_stages").unwrap_or_default();
        let several = !stages.is_empty() && stages.iter().all(|stages| *stages > 1);
        if several && all(&|kind, _| !interleaves(kind)) {
            let why = "only 1f1b, interleaved and 1f1b-overlap have virtual stages";
            return exclude("schedule", "virtual_stages", why);
        }
        if stages == [1] && all(&|_, interleaved| interleaved) {
            let why = "interleaved has two virtual stages or more";
            return exclude("schedule", "virtual_stages", why);
        }
        let pipelines = self.counts("pipeline").unwrap_or_default();
        if pipelines == [1] {
            // Without a pipeline there are two orders of work, and both have a name.
            let flat = |kind: ScheduleKind, interleaved: bool| interleaves(kind) && !interleaved;
            if all(&|kind, interleaved| !flat(kind, interleaved)) {
                let why = "without a pipeline there are 1f1b and 1f1b-overlap alone";
                return exclude("pipeline", "schedule", why);
            }
            if several {
                let why = "without a pipeline a rank holds one stage";
                return exclude("pipeline", "virtual_stages", why);
            }
        }
        let odd = |count: &u32| !count.is_multiple_of(2);
        if !pipelines.is_empty()
            && pipelines.iter().all(odd)
            && all(&|kind, _| kind == ScheduleKind::DualPipe)
        {
            return exclude(
                "pipeline",
                "schedule",
                "dualpipe needs an even number of ranks",
            );
        }
        Ok(())
    }

    fn find(&self, key: &str) -> Option<&[Value]> {
        let axis = self.0.iter().find(|axis| axis.key == key)?;
        Some(&axis.values)
    }

    fn counts(&self, key: &str) -> Option<Vec<u32>> {
        let values = self.find(key)?;
        let count = |value: &Value| match value {
            Value::Count(count) => Some(*count),
            _ => None,
        };
        Some(values.iter().filter_map(count).collect())
    }

    /// Numbers, or `None` for none.
    fn optional(&self, key: &str) -> Option<Vec<Option<u32>>> {
        let values = self.find(key)?;
        let count = |value: &Value| match value {
            Value::Count(count) => Some(*count),
            _ => None,
        };
        Some(values.iter().map(count).collect())
    }

    /// Precision recipes in the words of scenarios, where they vary.
    pub fn recipes(&self) -> Vec<&'static str> {
        let values = self.find("precision").unwrap_or_default();
        let recipe = |value: &Value| match value {
            Value::Recipe(word) => Some(*word),
            _ => None,
        };
        values.iter().filter_map(recipe).collect()
    }

    /// Values of these axes in place of those of a space. A layout that is looked at as it is stays
    /// only if it has such values.
    pub fn apply(&self, space: &mut Space) {
        let put = |key: &str, axis: &mut Vec<u32>| {
            if let Some(values) = self.counts(key) {
                *axis = values;
            }
        };
        put("tensor", &mut space.tensor);
        put("pipeline", &mut space.pipeline);
        put("context", &mut space.context);
        put("expert", &mut space.expert);
        put("expert_tensor", &mut space.expert_tensor);
        put("micro_batch", &mut space.micro_batch);
        put("offload_layers", &mut space.offload_layers);
        put("communication_units", &mut space.communication_units);
        if let Some(values) = self.optional("zero_group") {
            space.zero_group = values;
        }
        if let Some(values) = self.optional("recompute_layers") {
            space.recompute_layers = values;
        }
        if let Some(values) = self.find("sequence") {
            let flag = |value: &Value| *value == Value::Flag(true);
            space.sequence = values.iter().map(flag).collect();
        }
        if let Some(values) = self.counts("zero") {
            space.zero = values.into_iter().map(zero).collect();
            // Asked for by name, fully sharded parameters may have a pipeline.
            space.sharded_pipelines = true;
        }
        if let Some(values) = self.find("recompute") {
            let recompute = |value: &Value| match value {
                Value::Recompute(recompute) => Some(recompute.clone()),
                _ => None,
            };
            space.recompute = values.iter().filter_map(recompute).collect();
        }
        self.schedules(space);
        space.also.retain(|layout| self.holds(layout));
    }

    /// Schedules and virtual stages, which belong together.
    fn schedules(&self, space: &mut Space) {
        let mut pairs = space.schedule.clone();
        if let Some(values) = self.find("schedule") {
            let mut chosen = Vec::new();
            for value in values {
                let Value::Schedule(kind, interleaved) = value else {
                    continue;
                };
                let own = pairs
                    .iter()
                    .filter(|(k, v)| k == kind && (!interleaved || *v > 1));
                let before = chosen.len();
                chosen.extend(own.copied());
                if chosen.len() == before {
                    chosen.push((*kind, if *interleaved { 2 } else { 1 }));
                }
            }
            chosen.dedup();
            pairs = chosen;
        }
        if let Some(stages) = self.counts("virtual_stages") {
            let mut chosen: Vec<(ScheduleKind, u32)> = Vec::new();
            for (kind, _) in pairs {
                for virtual_stages in &stages {
                    let pair = (kind, *virtual_stages);
                    if (*virtual_stages == 1 || interleaves(kind)) && !chosen.contains(&pair) {
                        chosen.push(pair);
                    }
                }
            }
            pairs = chosen;
        }
        space.schedule = pairs;
    }

    /// Whether a layout has values of all these axes.
    pub fn holds(&self, p: &Parallelism) -> bool {
        self.0.iter().all(|axis| {
            let count = |count: u32| axis.values.contains(&Value::Count(count));
            match axis.key {
                "tensor" => count(p.tensor),
                "sequence" => p.tensor == 1 || axis.values.contains(&Value::Flag(p.sequence)),
                "pipeline" => count(p.pipeline),
                "virtual_stages" => count(p.virtual_stages),
                "context" => count(p.context),
                "expert" => count(p.expert),
                "expert_tensor" => count(p.expert_tensor),
                "zero" => count(p.zero as u32),
                "zero_group" => axis
                    .values
                    .contains(&p.zero_group.map_or(Value::None, Value::Count)),
                "schedule" => axis.values.iter().any(|value| match value {
                    Value::Schedule(kind, interleaved) => {
                        *kind == p.schedule && (!interleaved || p.virtual_stages > 1)
                    }
                    _ => false,
                }),
                "micro_batch" => count(p.micro_batch),
                "recompute" => axis.values.iter().any(|value| match value {
                    Value::Recompute(r) => {
                        describe_recompute(r) == describe_recompute(&p.recompute)
                    }
                    _ => false,
                }),
                "recompute_layers" => {
                    (axis.values).contains(&p.recompute_layers.map_or(Value::None, Value::Count))
                }
                "offload_layers" => count(p.offload_layers),
                "communication_units" => count(p.communication_units),
                _ => true,
            }
        })
    }
}

/// Whether a schedule has virtual stages.
fn interleaves(kind: ScheduleKind) -> bool {
    matches!(
        kind,
        ScheduleKind::OneFOneB | ScheduleKind::OverlappedOneFOneB
    )
}

fn zero(stage: u32) -> Zero {
    match stage {
        0 => Zero::Zero0,
        1 => Zero::Zero1,
        2 => Zero::Zero2,
        _ => Zero::Zero3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_words_of_scenarios() {
        let axis: Axis = "parallelism.pipeline = 8,16,8".parse().expect("an axis");
        assert_eq!(axis.key, "pipeline");
        assert_eq!(axis.values, [Value::Count(8), Value::Count(16)]);
        let axis: Axis = "recompute=none,mla-up+norm,full".parse().expect("an axis");
        let named = Recompute::Named(vec![RecomputePart::Norm, RecomputePart::MlaUp]);
        assert_eq!(axis.values[1], Value::Recompute(named));
        let axes = Axes::new(vec![
            "precision.recipe=bf16,fp8-block".parse().expect("an axis"),
        ]);
        assert_eq!(axes.expect("axes").recipes(), ["bf16", "fp8-block"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, says) in [
            ("pipeline", "write a key"),
            ("pipelines=2", "did you mean pipeline?"),
            ("pipeline=", "whole numbers from 1"),
            ("pipeline=0", "whole numbers from 1"),
            ("zero=4", "from 0 to 3"),
            ("schedule=dualpip", "did you mean dualpipe"),
            ("recompute=norms", "did you mean norm"),
            ("sequence=yes", "it takes true, false"),
            ("precision=fp9", "it takes fp16"),
        ] {
            let error = text.parse::<Axis>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let twice = ["zero=1", "parallelism.zero=2"].map(|t| t.parse().expect("an axis"));
        assert_eq!(Axes::new(twice.to_vec()), Err(AxisError::Twice("zero")));
    }

    #[test]
    fn axes_that_leave_nothing_together_are_named() {
        let axes = |texts: &[&str]| {
            let list = texts.iter().map(|text| text.parse().expect("an axis"));
            Axes::new(list.collect()).map_err(|error| error.to_string())
        };
        for pair in [
            ["schedule=dualpipe,zb-h1", "virtual_stages=2"],
            ["schedule=interleaved", "virtual_stages=1"],
            ["pipeline=1", "schedule=dualpipe-v"],
            ["pipeline=1", "virtual_stages=2,4"],
            ["pipeline=3,5", "schedule=dualpipe"],
        ] {
            let error = axes(&pair).expect_err("they exclude each other");
            let [one, other] = pair.map(|text| format!("`{text}`"));
            assert!(error.contains(&one) && error.contains(&other), "{error}");
        }
        for pair in [
            ["schedule=dualpipe,1f1b", "virtual_stages=2"],
            ["pipeline=1,2", "schedule=dualpipe"],
            ["pipeline=1", "schedule=1f1b"],
            ["pipeline=3", "schedule=dualpipe-v"],
        ] {
            assert!(axes(&pair).is_ok(), "{pair:?}");
        }
    }
}
