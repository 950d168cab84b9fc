//! What was measured, as a time of a step, and a step's time as what was measured.
//!
//! In: a row's metric and value, the case, the convention of FLOPs. Out: seconds and back. Never
//! predicts.

use super::facts::Convention;
use super::rows::Row;
use super::words;
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
    /// Share of the peak, in per cent.
    Mfu,
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
        Ok(match word {
            "iteration_time_s" | "step_time_s" => Metric::StepTime,
            "iteration_time_ms" | "step_time_ms" => Metric::StepMillis,
            "tokens_per_s_per_gpu" => Metric::TokensPerGpu,
            "tokens_per_s_total" | "tokens_per_s" => Metric::TokensTotal,
            "samples_per_s" | "samples_per_s_total" => Metric::SamplesTotal,
            "model_tflops_per_gpu" | "tflops_per_gpu" => Metric::ModelTflops,
            "hardware_tflops_per_gpu" => Metric::HardwareTflops,
            "mfu" | "mfu_pct" => Metric::Mfu,
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
            flops: tokens * flops_per_token(case, convention, metric == Metric::HardwareTflops),
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
            Metric::ModelTflops | Metric::HardwareTflops => self.flops / seconds / self.gpus / 1e12,
            Metric::Mfu => 100.0 * self.flops / seconds / self.gpus / self.peak,
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

/// FLOPs of a trained token as a publication counts them.
fn flops_per_token(case: &Case, convention: Convention, hardware: bool) -> f64 {
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
        _ if hardware => recomputed,
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
pub fn value(row: &Row) -> Result<f64, String> {
    words::figure(row.get("value"))
        .ok_or_else(|| format!("its value \"{}\" is no number above 0", row.get("value")))
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
