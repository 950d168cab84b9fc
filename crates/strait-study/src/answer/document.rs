//! The object that `strait run --json` prints.
//!
//! In: an [`Answer`]. Out: a [`RunDocument`], whose field names and order are a promise
//! to scripts, and its JSON Schema. Never leaves out a key: what is unknown is `null`.

use super::about::AboutDocument;
use super::run_part::{CostDocument, RunPart};
use super::{Answer, CaseAnswer};
use crate::chance::Study;
use crate::uncertainty;
use crate::verdict::{Check, Judgement, Part, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strait_units::Time;

/// The answer of `strait run`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// Version of the command.
    pub strait: String,
    /// Scenario as named on the command line.
    pub scenario: String,
    /// Seed of everything random.
    pub seed: u64,
    /// SHA-256, in hexadecimal, of this object as compact JSON without `digest`, `cpu_s`, `wall_s`
    /// and `about`. The same question has the same digest on any machine.
    pub digest: String,
    /// Cases in the order of the scenario.
    pub cases: Vec<CaseDocument>,
    /// The question, and every value that went in with where it came from.
    #[serde(default)]
    pub about: Option<AboutDocument>,
}

/// One case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CaseDocument {
    /// Name of the case.
    pub name: String,
    /// Model.
    pub model: String,
    /// Accelerator.
    pub accelerator: String,
    /// Accelerators in all.
    pub accelerators: u32,
    /// Layout of the main phase, in words.
    pub layout: String,
    /// One optimizer step of the main phase, the one with most tokens.
    pub step: StepDocument,
    /// Peak memory of the fullest rank. GB are 10^9 bytes.
    pub memory: MemoryDocument,
    /// The whole run.
    pub run: RunPart,
    /// Cost of the run, in US dollars.
    pub cost_usd: CostDocument,
    /// Claims with their verdicts.
    pub claims: Vec<ClaimDocument>,
    /// Expectations (`[[expect]]`) with their results.
    pub expects: Vec<ExpectDocument>,
    /// How sure the answer is: distributions, the probability of each claim, what moves the answer
    /// most; `null` without `--draws`.
    pub uncertainty: Option<Study>,
    /// What to check before trusting the answer.
    pub warnings: Vec<String>,
    /// What the simulation did.
    pub engine: EngineDocument,
}

/// One optimizer step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepDocument {
    /// From its start to its end on the last rank, in seconds.
    pub time_s: f64,
    /// What the prediction is worth: an interval that holds the true value four times in five.
    pub interval_s: IntervalDocument,
    /// Tokens of the batch.
    pub tokens: u64,
    /// Tokens per second and accelerator.
    pub tokens_per_s_per_gpu: Option<f64>,
    /// Model FLOP rate in 10^12 FLOP/s, without recompute and without multi-token prediction.
    pub tflops_per_gpu: Conventions,
    /// The same over the dense BF16 peak, as a fraction.
    pub mfu: Conventions,
    /// Disjoint windows of the step in seconds, mean over ranks; they sum to `time_s`.
    pub breakdown_s: BreakdownDocument,
    /// Seconds in which compute is idle for a kind of communication, mean over ranks. Contained
    /// in the windows of `breakdown_s`.
    pub exposed_communication_s: ExposedDocument,
    /// Compute time by class of kernel, mean over ranks, largest first. Contained in the windows
    /// of `breakdown_s`.
    pub kernels_s: Vec<KernelDocument>,
}

/// An 80 % interval, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IntervalDocument {
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
}

/// A figure in the two conventions of counting attention.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Conventions {
    /// Causal attention: half of the score square is counted.
    pub causal: f64,
    /// The full square is counted.
    pub full: f64,
}

/// Windows of a step, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BreakdownDocument {
    /// Forward chunks outside overlapped pairs, with the communication and waits inside them.
    pub forward: f64,
    /// Backward chunks outside pairs, without their weight-gradient work.
    pub backward_input: f64,
    /// Weight-gradient work of all backward chunks outside pairs.
    pub backward_weight: f64,
    /// Overlapped forward-and-backward pairs.
    pub overlapped: f64,
    /// No chunk open.
    pub bubble: f64,
    /// From the last chunk to the end of the step.
    pub optimizer: f64,
    /// What remains.
    pub other: f64,
}

/// Exposed communication, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExposedDocument {
    /// Tensor-parallel.
    pub tensor: f64,
    /// Context-parallel.
    pub context: f64,
    /// Expert-parallel.
    pub expert: f64,
    /// Pipeline transfers.
    pub pipeline: f64,
    /// Data-parallel and sharding.
    pub data: f64,
}

/// A class of kernels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KernelDocument {
    /// Class, such as `gemm` or `attention`.
    pub class: String,
    /// Compute time of the step in it, in seconds.
    pub time_s: f64,
}

/// Memory of the fullest rank.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MemoryDocument {
    /// Peak, in GB.
    pub peak_gb: f64,
    /// What of it the framework's allocator hands out, without context and communicators, in GB.
    pub allocated_gb: f64,
    /// Capacity of the accelerator, in GB.
    pub capacity_gb: f64,
    /// The peak is within the capacity.
    pub fits: bool,
    /// Pipeline rank that is fullest.
    pub pipeline_rank: u32,
    /// Its parts, largest first; they sum to the peak.
    pub largest: Vec<MemoryPartDocument>,
}

/// A part of a rank's memory.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MemoryPartDocument {
    /// What it is.
    pub name: String,
    /// How much, in GB.
    pub gb: f64,
}

/// A claim with its verdict.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClaimDocument {
    /// What is stated.
    pub quantity: String,
    /// The phase that it is of, or what the names of several begin with.
    pub phase: Option<String>,
    /// Stated value, in `unit`.
    pub stated: f64,
    /// Simulated value.
    pub simulated: Option<f64>,
    /// Low end of the prediction.
    pub low: Option<f64>,
    /// High end of the prediction.
    pub high: Option<f64>,
    /// Simulated over stated.
    pub ratio: Option<f64>,
    /// Verdict.
    pub verdict: Verdict,
    /// Unit of the values.
    pub unit: String,
    /// Physical bound: the model's FLOPs alone, at the peak rate.
    pub bound: Option<f64>,
    /// Who says so.
    pub who: String,
    /// When.
    pub date: String,
    /// Where.
    pub source: String,
    /// What to know about it; empty where the scenario says nothing.
    #[serde(default)]
    pub note: String,
    /// Why this verdict.
    pub reasons: Vec<String>,
}

/// An expectation with its result.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExpectDocument {
    /// What is expected.
    pub quantity: String,
    /// The phase that it is of, or what the names of several begin with.
    pub phase: Option<String>,
    /// Expected value, in `unit`.
    pub stated: f64,
    /// Simulated value.
    pub simulated: Option<f64>,
    /// Simulated over stated, less one.
    pub error: Option<f64>,
    /// Largest accepted size of `error`.
    pub within: f64,
    /// It holds.
    pub holds: bool,
    /// Unit of the values.
    pub unit: String,
    /// Where the value comes from.
    pub source: String,
}

/// What the simulation did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EngineDocument {
    /// Ranks of the step, those that another represents included.
    pub ranks: u64,
    /// Program instructions over all these ranks, also inside fused runs.
    pub ops: u64,
    /// Events taken from the queue; of representatives alone if folded.
    pub events: u64,
    /// How finely transfers were told apart: `class`, `coflow`, `flow`, or several joined by `+`;
    /// `analytic` where closed forms were asked for or nothing was sent.
    pub grain: String,
    /// Transfers, by group and pattern, that were simulated on links shared with others or on
    /// faulty ones; all others took the time that they take alone.
    pub on_links: u32,
    /// Only representatives of provably identical ranks were simulated.
    pub folded: bool,
    /// CPU time of the simulation, in seconds. Differs between runs.
    pub cpu_s: f64,
    /// Elapsed time of the simulation, in seconds. Differs between runs.
    pub wall_s: f64,
}

/// Seconds without the rounding of a multiplication by 10^-12, so that JSON stays short.
pub(super) fn seconds(time: Time) -> f64 {
    time.picos() as f64 / 1e12
}

impl From<&Answer> for RunDocument {
    fn from(answer: &Answer) -> RunDocument {
        let mut document = RunDocument {
            strait: answer.question.version.clone(),
            scenario: answer.question.scenario.clone(),
            seed: answer.question.seed,
            digest: String::new(),
            cases: answer.cases.iter().map(CaseDocument::from).collect(),
            about: answer.about.clone(),
        };
        document.digest = digest(&document);
        document
    }
}

/// SHA-256 of an answer without what may differ between runs.
pub(crate) fn digest<T: Serialize>(document: &T) -> String {
    // Documents are plain records with string keys; these always serialise.
    let mut value = serde_json::to_value(document).unwrap_or_default();
    strip(&mut value);
    let hash = Sha256::digest(value.to_string().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes `digest`, `cpu_s`, `wall_s` and `about` wherever they are.
fn strip(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for key in ["digest", "cpu_s", "wall_s", "about"] {
                map.shift_remove(key);
            }
            map.values_mut().for_each(strip);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

impl From<&CaseAnswer> for CaseDocument {
    fn from(case: &CaseAnswer) -> CaseDocument {
        let step = &case.outcome.step;
        let memory = &step.memory;
        let part = |part: Part| seconds(part.time(&case.outcome));
        let rate = step.tokens.as_f64() / seconds(step.time) / f64::from(case.setting.ranks);
        let interval = uncertainty::interval(&case.setting.subject, step);
        CaseDocument {
            name: case.setting.name.clone(),
            model: case.setting.model.clone(),
            accelerator: case.setting.accelerator.clone(),
            accelerators: case.setting.ranks,
            layout: case.setting.layout(),
            step: StepDocument {
                time_s: seconds(step.time),
                interval_s: IntervalDocument {
                    low: seconds(interval.low),
                    high: seconds(interval.high),
                },
                tokens: step.tokens.get(),
                tokens_per_s_per_gpu: rate.is_finite().then_some(rate),
                tflops_per_gpu: Conventions {
                    causal: step.rate_causal.get() / 1e12,
                    full: step.rate_full.get() / 1e12,
                },
                mfu: Conventions {
                    causal: step.mfu_causal.get(),
                    full: step.mfu_full.get(),
                },
                breakdown_s: BreakdownDocument {
                    forward: part(Part::Forward),
                    backward_input: part(Part::BackwardInput),
                    backward_weight: part(Part::BackwardWeight),
                    overlapped: part(Part::Overlapped),
                    bubble: part(Part::Bubble),
                    optimizer: part(Part::Optimizer),
                    other: part(Part::Other),
                },
                exposed_communication_s: ExposedDocument {
                    tensor: seconds(step.exposed.tensor),
                    context: seconds(step.exposed.context),
                    expert: seconds(step.exposed.expert),
                    pipeline: seconds(step.exposed.pipeline),
                    data: seconds(step.exposed.data),
                },
                kernels_s: (step.kernels.iter())
                    .map(|(class, time)| KernelDocument {
                        class: class.clone(),
                        time_s: seconds(*time),
                    })
                    .collect(),
            },
            memory: MemoryDocument {
                peak_gb: memory.peak.as_f64() / 1e9,
                allocated_gb: memory.allocated.as_f64() / 1e9,
                capacity_gb: memory.capacity.as_f64() / 1e9,
                fits: memory.fits(),
                pipeline_rank: memory.pipeline_rank,
                largest: (memory.parts.iter())
                    .map(|part| MemoryPartDocument {
                        name: part.name.clone(),
                        gb: part.bytes.as_f64() / 1e9,
                    })
                    .collect(),
            },
            run: RunPart::from(case),
            cost_usd: CostDocument::from(&case.outcome),
            claims: case.claims.iter().map(ClaimDocument::from).collect(),
            expects: case.checks.iter().map(ExpectDocument::from).collect(),
            uncertainty: case.uncertainty.clone(),
            warnings: case.warnings.clone(),
            engine: EngineDocument {
                ranks: step.work.ranks,
                ops: step.work.ops,
                events: step.work.events,
                grain: step.work.grain.to_string(),
                on_links: step.work.on_links,
                folded: step.work.folded,
                cpu_s: case.effort.cpu_s,
                wall_s: case.effort.wall_s,
            },
        }
    }
}

impl From<&Judgement> for ClaimDocument {
    fn from(judgement: &Judgement) -> ClaimDocument {
        let claim = &judgement.claim;
        ClaimDocument {
            quantity: claim.quantity.id().to_owned(),
            phase: claim.phase.clone(),
            stated: claim.stated,
            simulated: judgement.simulated,
            low: judgement.low,
            high: judgement.high,
            ratio: judgement.ratio,
            verdict: judgement.verdict,
            unit: claim.quantity.unit().symbol().to_owned(),
            bound: judgement.bound,
            who: claim.who.clone(),
            date: claim.date.clone(),
            source: claim.source.clone(),
            note: claim.note.clone(),
            reasons: judgement.reasons.clone(),
        }
    }
}

impl From<&Check> for ExpectDocument {
    fn from(check: &Check) -> ExpectDocument {
        ExpectDocument {
            quantity: check.expect.quantity.id().to_owned(),
            phase: check.expect.phase.clone(),
            stated: check.expect.stated,
            simulated: check.simulated,
            error: check.error,
            within: check.expect.within,
            holds: check.holds,
            unit: check.expect.quantity.unit().symbol().to_owned(),
            source: check.expect.source.clone(),
        }
    }
}

/// JSON Schema of [`RunDocument`], pretty-printed, with a newline at its end.
pub fn schema() -> String {
    pretty(&schemars::schema_for!(RunDocument))
}

/// JSON Schema of [`Comparison`](super::Comparison).
pub fn compare_schema() -> String {
    pretty(&schemars::schema_for!(super::Comparison))
}

fn pretty(schema: &schemars::Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;

    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/schema/run.schema.json"
        );
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == schema(),
            "docs/schema/run.schema.json is out of date: run this test with UPDATE_SCHEMA=1"
        );
    }

    #[test]
    fn a_sample_has_every_required_key() {
        let document = RunDocument::from(&sample::answer());
        let value = serde_json::to_value(&document).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let checked = validate(&value, &schema, &schema, "");
        assert!(checked > 60, "only {checked} keys were compared");
    }

    /// Compares keys and types with the parts of JSON Schema that our own schema uses.
    /// Returns how many keys it has looked at.
    fn validate(
        value: &serde_json::Value,
        schema: &serde_json::Value,
        root: &serde_json::Value,
        at: &str,
    ) -> usize {
        if let Some(reference) = schema.get("$ref").and_then(|r| r.as_str()) {
            let pointer = reference.trim_start_matches('#');
            return validate(value, root.pointer(pointer).unwrap(), root, at);
        }
        if let Some(types) = schema.get("type") {
            let actual = match value {
                serde_json::Value::Null => "null",
                serde_json::Value::Bool(_) => "boolean",
                serde_json::Value::Number(number) if number.is_u64() => "integer",
                serde_json::Value::Number(_) => "number",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Array(_) => "array",
                serde_json::Value::Object(_) => "object",
            };
            let allowed =
                |t: &serde_json::Value| t == actual || (actual == "integer" && t == "number");
            let fits = types
                .as_array()
                .map_or(allowed(types), |t| t.iter().any(allowed));
            assert!(fits, "{at}: {actual} where {types} is promised");
        }
        let mut seen = 0;
        if let Some(object) = value.as_object() {
            let properties = schema["properties"].as_object().unwrap();
            for key in schema["required"].as_array().unwrap() {
                assert!(
                    object.contains_key(key.as_str().unwrap()),
                    "{at}: {key} is missing"
                );
            }
            assert_eq!(
                object.keys().collect::<Vec<_>>(),
                properties.keys().collect::<Vec<_>>(),
                "{at}: keys or their order"
            );
            for (key, inner) in object {
                seen += 1 + validate(inner, &properties[key], root, &format!("{at}.{key}"));
            }
        }
        if let Some(items) = value.as_array() {
            for (index, inner) in items.iter().enumerate() {
                seen += validate(inner, &schema["items"], root, &format!("{at}[{index}]"));
            }
        }
        seen
    }

    #[test]
    fn effort_does_not_reach_the_digest_and_results_do() {
        let mut answer = sample::answer();
        let before = RunDocument::from(&answer).digest;
        assert_eq!(before.len(), 64);
        answer.cases[0].effort.cpu_s += 1.0;
        answer.cases[0].effort.wall_s += 1.0;
        assert_eq!(RunDocument::from(&answer).digest, before);
        answer.cases[0].outcome.run.days += 1e-9;
        assert_ne!(RunDocument::from(&answer).digest, before);
    }

    #[test]
    fn floats_are_short() {
        let text = serde_json::to_string(&RunDocument::from(&sample::answer())).unwrap();
        assert!(text.contains("\"time_s\":19.926"), "{text}");
    }

    #[test]
    fn an_empty_outcome_still_serialises() {
        let mut answer = sample::answer();
        answer.cases[0].outcome = strait_training::outcome::Outcome::default();
        let text = serde_json::to_string(&RunDocument::from(&answer)).unwrap();
        assert!(text.contains("\"tokens_per_s_per_gpu\":null"), "{text}");
    }
}
