//! What was measured, as a time of a step, and a step's time as what was measured.
//!
//! In: a row's metric and value, the case, the convention of FLOPs. Out: seconds and back. Never
//! predicts.

use super::facts::Convention;
use super::rows::Row;
use super::words::{self, Stated};
use strait_training::case::{Case, Method, Precision};
use strait_units::Time;

/// A kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Seconds of a step.
    StepTime,
    /// Milliseconds of a step.
    StepMillis,
    /// Tokens a second of one accelerator.
    TokensPerGpu,
    /// Tokens a second of the whole job.
    TokensTotal,
    /// Sequences a second of the whole job.
    SamplesTotal,
    /// Model TFLOPS of one accelerator, by the publication's convention.
    ModelTflops,
    /// TFLOPS of one accelerator, recomputation counted.
    HardwareTflops,
    /// Sequences a second of one accelerator.
    SamplesPerGpu,
    /// Share of the peak, in per cent.
    Mfu,
    /// The same, recomputation counted.
    Hfu,
    /// GiB of activations of a rank.
    ActivationMemory,
}

impl Metric {
    /// By the column's word.
    ///
    /// # Errors
    ///
    /// Why a step does not answer it.
    pub fn of(word: &str) -> Result<Metric, String> {
        let lower = word.to_lowercase();
        let word = lower.as_str();
        Ok(match word {
            "iteration_time_s" | "step_time_s" | "step_time" | "iteration_time" => Metric::StepTime,
            "iteration_time_ms" | "step_time_ms" => Metric::StepMillis,
            "tokens_per_s_per_gpu" | "tokens_per_s_per_chip" | "tgs" => Metric::TokensPerGpu,
            "tokens_per_s_total" | "tokens_per_s" => Metric::TokensTotal,
            "samples_per_s" | "samples_per_s_total" | "sequences_per_s" | "seqs_per_s" => {
                Metric::SamplesTotal
            }
            "samples_per_s_per_gpu" | "sequences_per_s_per_gpu" => Metric::SamplesPerGpu,
            "model_tflops_per_gpu" | "tflops_per_gpu" | "tflops" => Metric::ModelTflops,
            "hardware_tflops_per_gpu" | "hfu_tflops_per_gpu" => Metric::HardwareTflops,
            "mfu" | "mfu_pct" => Metric::Mfu,
            "hfu" | "hfu_pct" => Metric::Hfu,
            "activation_memory_gib" => Metric::ActivationMemory,
            "gpu_hours_total" | "gpu_hours" => {
                return Err(
                    "GPU-hours of a whole run, whose interruptions and layouts are not published"
                        .into(),
                );
            }
            word if word.contains("time_to_train") || word.contains("minutes") => {
                return Err("time to a target loss, which is not simulated".into());
            }
            word => return Err(format!("the metric \"{word}\" is not known")),
        })
    }

    /// More of it is slower.
    pub fn is_time(self) -> bool {
        matches!(self, Metric::StepTime | Metric::StepMillis)
    }
}

/// What turns a step's time into a metric.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    metric: Metric,
    tokens: f64,
    sequences: f64,
    gpus: f64,
    /// FLOPs of a step by the convention.
    flops: f64,
    /// Peak that a share is a share of, FLOPS.
    peak: f64,
}

impl Scale {
    /// For a case and its main phase.
    pub fn new(case: &Case, row: &Row, metric: Metric, convention: Convention) -> Scale {
        let phase = &case.training.phases[0];
        let sequences = f64::from(phase.global_batch);
        let tokens = sequences * f64::from(phase.sequence_length);
        let peaks = case.cluster.accelerator.peaks;
        // Shares are of the BF16 peak unless the publication says that it took another.
        let low = !matches!(case.precision.recipe, Precision::Bf16 | Precision::Fp16);
        let of_low = row.says("notes", "1979") || row.says("notes", "fp8 peak");
        let peak = match (low && of_low, peaks.fp8) {
            (true, Some(peak)) => peak,
            _ => peaks
                .bf16
                .or(peaks.fp16)
                .unwrap_or(strait_units::FlopRate::new(f64::NAN)),
        };
        Scale {
            metric,
            tokens,
            sequences,
            gpus: f64::from(case.cluster.nodes) * f64::from(case.cluster.node.accelerators),
            flops: tokens * flops_per_token(case, stated(row, metric, convention)),
            peak: peak.get(),
        }
    }

    /// A step of this time, in the metric.
    pub fn of(&self, time: Time) -> f64 {
        let seconds = time.seconds();
        match self.metric {
            Metric::StepTime => seconds,
            Metric::StepMillis => seconds * 1e3,
            Metric::TokensPerGpu => self.tokens / seconds / self.gpus,
            Metric::TokensTotal => self.tokens / seconds,
            Metric::SamplesTotal => self.sequences / seconds,
            Metric::SamplesPerGpu => self.sequences / seconds / self.gpus,
            Metric::ModelTflops | Metric::HardwareTflops => self.flops / seconds / self.gpus / 1e12,
            Metric::Mfu | Metric::Hfu => 100.0 * self.flops / seconds / self.gpus / self.peak,
            Metric::ActivationMemory => f64::NAN,
        }
    }

    /// The step's time of a measured value; all metrics are proportional to it or to its inverse.
    pub fn time(&self, value: f64) -> Time {
        let one = self.of(Time::from_seconds(1.0));
        Time::from_seconds(if self.metric.is_time() {
            value / one
        } else {
            one / value
        })
    }
}

/// How a row counts, where its own words differ from its publication's habit.
fn stated(row: &Row, metric: Metric, convention: Convention) -> Convention {
    if matches!(metric, Metric::HardwareTflops | Metric::Hfu) {
        return Convention::Hardware;
    }
    // Nothing is recomputed, or the metric is a model's: three passes.
    let plain = words::recompute(row.get("recompute")) == Stated::None
        || row.says("metric", "model_tflops")
        || metric == Metric::Mfu;
    let convention = match convention {
        Convention::Hardware if plain => Convention::Full,
        other => other,
    };
    if !matches!(convention, Convention::Full | Convention::Causal) {
        return convention;
    }
    let notes = row.get("notes").to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| notes.contains(word));
    if says(&["non-causal", "noncausal"]) {
        Convention::Full
    } else if says(&[
        "formula: causal",
        "convention: causal",
        "causal attention counted",
    ]) {
        Convention::Causal
    } else {
        convention
    }
}

/// FLOPs of a trained token as a publication counts them.
fn flops_per_token(case: &Case, convention: Convention) -> f64 {
    let model = &case.model;
    let length = case.training.seen(case.training.phases[0].sequence_length);
    let mtp = model.mtp > 0;
    let both = model.flops_per_token(length, mtp);
    let (causal, full) = (both.causal.get(), both.full.get());
    // The head is not recomputed.
    let head = 6.0 * f64::from(model.vocabulary) * f64::from(model.hidden);
    let recomputed = full + (full - head) / 3.0;
    // Frozen weights have no gradients: two passes of three are counted (tokens and TFLOPS of one
    // row in NVIDIA's tables of adapters give 26.7 GFLOPs a token of Llama 2 7B, of full ones 39.8).
    let passes = match case.training.method {
        Method::Full => 1.0,
        Method::Lora(_) => 2.0 / 3.0,
    };
    let (causal, full, recomputed) = (causal * passes, full * passes, recomputed * passes);
    match convention {
        Convention::Hardware => recomputed,
        Convention::Causal => causal,
        Convention::Full => full,
        Convention::Parameters => {
            // 6N, embeddings included, and the whole square (arXiv 2204.02311, appendix B).
            let parameters = model.parameters().total as f64;
            6.0 * parameters + 2.0 * (full - causal)
        }
    }
}

/// The measured value of a row.
///
/// # Errors
///
/// Why it is none.
pub fn value(row: &Row, metric: Metric) -> Result<f64, String> {
    let printed = row.get("value");
    let short: String = printed.chars().take(60).collect();
    let value = words::figure(printed)
        .ok_or_else(|| format!("its value \"{short}\" is no number above 0"))?;
    let value = value * unit(row, metric)?;
    let share = matches!(metric, Metric::Mfu | Metric::Hfu);
    if share && !(1.0..=100.0).contains(&value) {
        return Err(format!(
            "its value {short} is no share of a peak in per cent (a fraction needs the unit \"fraction\")"
        ));
    }
    if !(1e-9..=1e15).contains(&value) {
        return Err(format!(
            "its value {short} is outside of all that was ever measured"
        ));
    }
    Ok(value)
}

/// What a row's unit multiplies its value by.
fn unit(row: &Row, metric: Metric) -> Result<f64, String> {
    let unit = row.get("unit").to_lowercase();
    let thousands = |name: &str| -> f64 {
        let k = [
            format!("k{name}"),
            format!("k {name}"),
            format!("thousand {name}"),
        ];
        let m = [
            format!("m{name}"),
            format!("m {name}"),
            format!("million {name}"),
        ];
        if k.iter().any(|word| unit.starts_with(word)) {
            1e3
        } else if m.iter().any(|word| unit.starts_with(word)) {
            1e6
        } else {
            1.0
        }
    };
    if !metric.is_time()
        && ["/day", "/hour", "/min", "/h"]
            .iter()
            .any(|per| unit.contains(per))
    {
        return Err(format!(
            "its unit \"{}\" is not a second's",
            row.get("unit").chars().take(60).collect::<String>()
        ));
    }
    Ok(match metric {
        Metric::StepTime if ["ms", "msec", "milliseconds"].contains(&unit.as_str()) => 1e-3,
        Metric::StepMillis if ["s", "sec", "seconds"].contains(&unit.as_str()) => 1e3,
        Metric::TokensPerGpu | Metric::TokensTotal => thousands("tok"),
        Metric::SamplesTotal | Metric::SamplesPerGpu => thousands("s"),
        Metric::ModelTflops | Metric::HardwareTflops if unit.starts_with("pflop") => 1e3,
        Metric::Mfu | Metric::Hfu if unit == "fraction" => 100.0,
        _ => 1.0,
    })
}

/// FLOPs that a step executes on one accelerator beside its own choice of precision: the whole
/// square, recomputation counted as stated. What a constant utilisation divides by.
pub fn hardware_flops(case: &Case) -> f64 {
    use strait_training::case::Recompute;
    let phase = &case.training.phases[0];
    let parallelism = phase.parallelism.as_ref().unwrap_or(&case.parallelism);
    let tokens = f64::from(phase.global_batch) * f64::from(phase.sequence_length);
    let gpus = f64::from(case.cluster.nodes) * f64::from(case.cluster.node.accelerators);
    let model = &case.model;
    let seen = case.training.seen(phase.sequence_length);
    let full = model.flops_per_token(seen, model.mtp > 0).full.get();
    let head = 6.0 * f64::from(model.vocabulary) * f64::from(model.hidden);
    let share = match parallelism.recompute {
        Recompute::Full => {
            let stages = f64::from(parallelism.pipeline * parallelism.virtual_stages);
            let each = (f64::from(model.layers) / stages).max(1.0);
            let limit = parallelism.recompute_layers.map_or(each, f64::from);
            (limit / each).min(1.0)
        }
        _ => 0.0,
    };
    tokens / gpus * (full + share * (full - head) / 3.0)
}
