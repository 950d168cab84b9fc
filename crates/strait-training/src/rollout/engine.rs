//! One iteration of decoding: how long it takes for a batch, and how many sequences fit.
//!
//! In: a case and the layout of its rollouts. Out: a [`Decode`], which knows the time of an iteration
//! by sequences and by tokens of context. Never knows how long responses are.
//!
//! An iteration reads every weight that it needs once, reads the KV cache of every sequence, computes,
//! and sends each token to its experts and back. All products go through the kernel profile, whose bound
//! by memory is the reading of weights; what is new here is the decode attention kernel (bound by the
//! KV cache or by compute, whichever is slower), the experts that a batch touches, and the low-latency
//! exchange. The ranks of an expert-parallel instance go in step.

use super::settings::RolloutEngine;
use crate::case::{Case, Graphs, Precision};
use crate::hardware::Accelerator;
use crate::kernels::{FixedKernel, Gemm, Kernels, MatrixType, MemoryClass, Pass};
use crate::links::{CollectiveKind, GroupShape, Links};
use crate::model::{Attention, Experts, Model};
use crate::ops::operand;
use crate::simulate::SimulateError;
use strait_units::{Bytes, Time};

/// Batches at which the time of an iteration is worked out, per doubling; joined linearly.
const POINTS_PER_DOUBLING: f64 = 4.0;
/// The largest batch of a group at which it is: far beyond what memory holds.
const LARGEST_BATCH: f64 = 65_536.0;

/// The path under which settings of rollouts are named in errors.
pub(super) const PATH: &str = "training.phase.reinforcement";

pub(super) fn invalid(key: &str, message: String, remedy: impl Into<String>) -> SimulateError {
    SimulateError::Invalid {
        path: format!("{PATH}.{key}"),
        message,
        remedy: remedy.into(),
    }
}

/// Decoding on one instance of the rollout.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decode {
    /// Sequences of a group, ascending.
    batches: Vec<f64>,
    /// Seconds of compute without reading the cache, at `batches`.
    compute: Vec<f64>,
    /// Seconds of exchanges, at `batches`.
    exchange: Vec<f64>,
    /// Seconds of attention for a token of context in all layers that see all of it.
    context: f64,
    /// The same in layers with a window, and the window.
    windowed: (f64, f64),
    overlap: bool,
    /// Tensor-parallel groups of an instance, each with sequences of its own.
    pub groups: f64,
    /// Instances on the cluster.
    pub instances: f64,
    /// Bytes of weights on a rank.
    pub weights: f64,
    /// Bytes of a token in the cache of a rank, in layers that see all and in those with a window.
    cache: (f64, f64),
    /// Bytes of a rank for its cache.
    pub room: f64,
    sequences: Option<f64>,
}

impl Decode {
    /// Seconds of an iteration with so many sequences in each group, whose contexts have so many
    /// tokens together. Below one sequence a group it is that of one.
    pub fn iteration(&self, sequences: f64, context: f64) -> f64 {
        let batch = sequences.max(1.0);
        let attention =
            self.context * context + self.windowed.0 * context.min(batch * self.windowed.1);
        let serial = self.at(&self.compute, batch) + attention + self.at(&self.exchange, batch);
        if !self.overlap || batch < 2.0 {
            return serial;
        }
        // Each half reads the weights for itself; what takes turns is hidden.
        let half = batch / 2.0;
        let compute = 2.0 * self.at(&self.compute, half) + attention;
        let exchange = 2.0 * self.at(&self.exchange, half);
        serial.min(compute.max(exchange))
    }

    fn at(&self, values: &[f64], batch: f64) -> f64 {
        let last = self.batches.len() - 1;
        let above = self.batches.partition_point(|&b| b < batch);
        if above == 0 {
            return values[0];
        }
        // Beyond the last point the last slope goes on.
        let above = above.min(last);
        let (x0, x1) = (self.batches[above - 1], self.batches[above]);
        let (y0, y1) = (values[above - 1], values[above]);
        y0 + (y1 - y0) * (batch - x0) / (x1 - x0)
    }

    /// Bytes that a sequence of so many tokens takes in the cache of a rank.
    pub fn cache_of(&self, tokens: f64) -> f64 {
        self.cache.0 * tokens + self.cache.1 * tokens.min(self.windowed.1)
    }

    /// Sequences that a group works on at a time where each takes `bytes` of cache at the worst moment,
    /// on average.
    pub fn slots(&self, bytes: f64) -> f64 {
        let fit = (self.room / bytes.max(1.0)).floor();
        self.sequences.map_or(fit, |most| most.min(fit))
    }

    /// Decoding whose iteration takes a time linear in sequences and in context, for the tests.
    #[cfg(test)]
    pub fn linear(
        (floor, of_sequence, of_token): (f64, f64, f64),
        (groups, instances): (f64, f64),
        room: f64,
    ) -> Decode {
        Decode {
            batches: vec![1.0, 2.0],
            compute: vec![floor + of_sequence, floor + 2.0 * of_sequence],
            exchange: vec![0.0, 0.0],
            context: of_token,
            windowed: (0.0, 0.0),
            overlap: false,
            groups,
            instances,
            weights: 0.0,
            cache: (1.0, 0.0),
            room,
            sequences: None,
        }
    }

    /// The decoding of a case's phase.
    ///
    /// # Errors
    /// A layout that does not fit the cluster or the model, weights that do not fit the memory, or
    /// profiles without what is needed.
    pub fn new(case: &Case, engine: &RolloutEngine) -> Result<Decode, SimulateError> {
        let plan = Plan::new(case, engine)?;
        let model = &case.model;
        let mut batches = vec![1.0];
        let factor = libm::exp2(1.0 / POINTS_PER_DOUBLING);
        while let Some(&last) = batches.last()
            && last < LARGEST_BATCH
        {
            // Whole sequences as long as they are told apart.
            let next = f64::max((last * factor).round(), last + 1.0);
            batches.push(next);
        }
        let (mut compute, mut exchange) = (Vec::new(), Vec::new());
        for &batch in &batches {
            let (seconds, sent) = plan.iteration(batch);
            // A larger batch can be padded up to: never slower than a smaller one with more work.
            compute.push(seconds.max(compute.last().copied().unwrap_or(0.0)));
            exchange.push(sent.max(exchange.last().copied().unwrap_or(0.0)));
        }
        let (full, windowed) = plan.layers_by_window();
        let per_token = plan.attention_of_token();
        let cache = plan.cache_of_layer();
        let weights = plan.weights();
        let memory = case.cluster.accelerator.memory.as_f64();
        let room = memory * engine.memory_share.get() - weights;
        let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
        if room <= 0.0 {
            return Err(invalid(
                "rollout_expert",
                format!(
                    "the weights of a rollout do not fit: {} on a rank of {} expert-parallel and {} tensor-parallel ranks, where {} of {} may be used",
                    gigabytes(weights),
                    engine.expert,
                    engine.tensor,
                    gigabytes(memory * engine.memory_share.get()),
                    gigabytes(memory),
                ),
                "raise rollout_expert or rollout_tensor, or choose a narrower rollout_precision",
            ));
        }
        let window = model.extras.window.map_or(0.0, |w| f64::from(w.tokens));
        Ok(Decode {
            batches,
            compute,
            exchange,
            context: per_token * full,
            windowed: (per_token * windowed, window),
            overlap: engine.overlap,
            groups: f64::from(plan.instance / engine.tensor),
            instances: f64::from(case.cluster.ranks() / plan.instance),
            weights,
            cache: (cache * full, cache * windowed),
            room,
            sequences: engine.sequences.map(f64::from),
        })
    }
}

/// What an iteration is made of.
struct Plan<'a> {
    case: &'a Case,
    engine: &'a RolloutEngine,
    kernels: Kernels<'a>,
    links: Links<'a>,
    operand: MatrixType,
    /// Ranks of an instance.
    instance: u32,
}

/// A matrix of a rank: width in, width out, how many of them, operand type.
#[derive(Clone, Copy)]
struct Matrix {
    input: u64,
    output: u64,
    count: u32,
    operand: MatrixType,
}

impl Matrix {
    fn weights(&self) -> f64 {
        self.input as f64 * self.output as f64 * f64::from(self.count)
    }
}

/// Bytes of a weight as decoding reads it, scales included where they are more than a few per cent.
fn weight_bytes(operand: MatrixType) -> f64 {
    match operand {
        MatrixType::Bf16 => 2.0,
        MatrixType::Fp8Tensor | MatrixType::Fp8Block | MatrixType::Mxfp8 => 1.0,
        MatrixType::Nvfp4 => 0.5 + 1.0 / 16.0,
    }
}

impl<'a> Plan<'a> {
    fn new(case: &'a Case, engine: &'a RolloutEngine) -> Result<Plan<'a>, SimulateError> {
        let ranks = case.cluster.ranks();
        let (expert, tensor) = (engine.expert.max(1), engine.tensor.max(1));
        let instance = expert.max(tensor);
        if !instance.is_multiple_of(tensor) || !ranks.is_multiple_of(instance) {
            return Err(invalid(
                "rollout_expert",
                format!(
                    "rollout_expert {expert} with rollout_tensor {tensor}: instances of {instance} ranks, which must be whole groups of {tensor} and divide the cluster's {ranks} accelerators"
                ),
                "choose rollout_tensor so that it divides rollout_expert, and both so that they divide the accelerators",
            ));
        }
        match &case.model.experts {
            None if expert > 1 => {
                return Err(invalid(
                    "rollout_expert",
                    format!(
                        "{} has no experts to spread over {expert} ranks",
                        case.model.name
                    ),
                    "leave rollout_expert out, and set rollout_tensor",
                ));
            }
            Some(experts) if !experts.routed.is_multiple_of(expert) => {
                return Err(invalid(
                    "rollout_expert",
                    format!(
                        "{} routed experts cannot be spread evenly over {expert} ranks",
                        experts.routed
                    ),
                    "choose a divisor of the number of routed experts",
                ));
            }
            _ => {}
        }
        let heads = case.model.attention.heads();
        if !heads.is_multiple_of(tensor) {
            return Err(invalid(
                "rollout_tensor",
                format!("{heads} attention heads cannot be spread evenly over {tensor} ranks"),
                "choose a divisor of the number of heads",
            ));
        }
        if engine.drafts > 0 && case.model.mtp == 0 {
            return Err(invalid(
                "drafts",
                format!(
                    "{} has no module for multi-token prediction to draft with",
                    case.model.name
                ),
                "set drafts = 0",
            ));
        }
        // Decoding is captured in graphs: no gaps between kernels, whatever training does.
        let kernels = Kernels::new(
            &case.cluster.accelerator,
            &case.kernels,
            case.software.fusion,
            Graphs::Full,
        )
        .map_err(|error| {
            invalid(
                "rollout_precision",
                error.to_string(),
                "choose another accelerator",
            )
        })?;
        let operand = operand(engine.precision);
        if !kernels.supports(operand) {
            return Err(invalid(
                "rollout_precision",
                unsupported(&case.cluster.accelerator, engine.precision),
                "set rollout_precision = \"bf16\"",
            ));
        }
        let links =
            Links::new(&case.cluster, &case.links).map_err(|error| SimulateError::Invalid {
                path: "cluster.fabric".to_owned(),
                message: error.to_string(),
                remedy: "check the node and fabric of the cluster".to_owned(),
            })?;
        Ok(Plan {
            case,
            engine,
            kernels,
            links,
            operand,
            instance,
        })
    }

    fn model(&self) -> &'a Model {
        &self.case.model
    }

    fn tensor(&self) -> u64 {
        u64::from(self.engine.tensor)
    }

    /// Layers that see all of a sequence, and layers with a window.
    fn layers_by_window(&self) -> (f64, f64) {
        let model = self.model();
        let windowed = (0..model.layers).filter(|&l| model.window_of(l).is_some());
        let windowed = windowed.count() as f64;
        (f64::from(model.layers) - windowed, windowed)
    }

    /// The projections of attention. Latent attention is absorbed: queries are taken into the space of
    /// the latents, head by head, and results out of it.
    fn attention(&self) -> Vec<Matrix> {
        let hidden = u64::from(self.model().hidden);
        let tensor = self.tensor();
        let linear = |input: u64, output: u64| Matrix {
            input,
            output,
            count: 1,
            operand: self.operand,
        };
        match self.model().attention {
            Attention::Grouped {
                heads,
                kv_heads,
                head_dim,
            } => {
                let heads = u64::from(heads) / tensor;
                let kv_heads = u64::from(kv_heads).div_ceil(tensor);
                let width = u64::from(head_dim);
                vec![
                    linear(hidden, (heads + 2 * kv_heads) * width),
                    linear(heads * width, hidden),
                ]
            }
            Attention::Latent {
                heads,
                q_rank,
                kv_rank,
                qk_nope_dim,
                qk_rope_dim,
                v_dim,
            } => {
                let heads = heads / self.engine.tensor;
                let query = u64::from(heads) * u64::from(qk_nope_dim + qk_rope_dim);
                let latent = u64::from(kv_rank + qk_rope_dim);
                let by_head = |input: u32, output: u32| Matrix {
                    input: u64::from(input),
                    output: u64::from(output),
                    count: heads,
                    operand: MatrixType::Bf16,
                };
                let mut list = match q_rank {
                    Some(rank) => vec![
                        linear(hidden, u64::from(rank) + latent),
                        linear(u64::from(rank), query),
                    ],
                    None => vec![linear(hidden, query + latent)],
                };
                list.push(by_head(qk_nope_dim, kv_rank));
                list.push(by_head(kv_rank, v_dim));
                list.push(linear(u64::from(heads) * u64::from(v_dim), hidden));
                list
            }
        }
    }

    /// A feed-forward network of this inner width.
    fn feed_forward(&self, width: u64) -> [Matrix; 2] {
        let hidden = u64::from(self.model().hidden);
        let inputs = self.model().activation.input_projections();
        let matrix = |input, output| Matrix {
            input,
            output,
            count: 1,
            operand: self.operand,
        };
        [matrix(hidden, inputs * width), matrix(width, hidden)]
    }

    fn output_head(&self) -> Matrix {
        Matrix {
            input: u64::from(self.model().hidden),
            output: u64::from(self.model().vocabulary).div_ceil(self.tensor()),
            count: 1,
            operand: MatrixType::Bf16,
        }
    }

    /// Weights of a layer on a rank, in bytes. Norms are left out: less than a thousandth.
    fn layer_weights(&self, layer: u32) -> f64 {
        let model = self.model();
        let bytes = |m: &Matrix| m.weights() * weight_bytes(m.operand);
        let mut sum: f64 = self.attention().iter().map(bytes).sum();
        let feed = |width: u64| self.feed_forward(width).iter().map(bytes).sum::<f64>();
        sum += match model.experts_of(layer) {
            None => feed(u64::from(model.ffn).div_ceil(self.tensor())),
            Some(experts) => {
                let local = f64::from(experts.routed) / f64::from(self.engine.expert);
                let shared = u64::from(experts.shared_width).div_ceil(self.tensor());
                let router = 2.0 * f64::from(model.hidden) * f64::from(experts.routed);
                local * feed(u64::from(experts.width)) + feed(shared) + router
            }
        };
        sum
    }

    /// All weights of a rank, in bytes.
    fn weights(&self) -> f64 {
        let model = self.model();
        let layers: f64 = (0..model.layers).map(|l| self.layer_weights(l)).sum();
        let drafting = match self.engine.drafts {
            0 => 0.0,
            _ => self.layer_weights(model.layers),
        };
        let table = 2.0 * self.output_head().weights();
        layers + drafting + if model.tied { table } else { 2.0 * table }
    }

    /// Bytes of a token in one layer's cache on a rank: latents are copied to every tensor rank.
    fn cache_of_layer(&self) -> f64 {
        let elements = match self.model().attention {
            Attention::Grouped {
                kv_heads, head_dim, ..
            } => 2 * u64::from(kv_heads).div_ceil(self.tensor()) * u64::from(head_dim),
            Attention::Latent {
                kv_rank,
                qk_rope_dim,
                ..
            } => u64::from(kv_rank + qk_rope_dim),
        };
        elements as f64 * self.engine.cache_element.as_f64()
    }

    /// Seconds of one layer's attention for a token of context: its cache is read once for all
    /// queries of an iteration, or their products take longer.
    fn attention_of_token(&self) -> f64 {
        let engine = self.engine;
        let accelerator = &self.case.cluster.accelerator;
        let bandwidth = accelerator.memory_bandwidth.get() * engine.attention_bandwidth.get();
        let dims = match self.model().attention {
            Attention::Grouped { head_dim, .. } => 2 * u64::from(head_dim),
            Attention::Latent {
                kv_rank,
                qk_rope_dim,
                ..
            } => u64::from(2 * kv_rank + qk_rope_dim),
        };
        let heads = f64::from(self.model().attention.heads()) / f64::from(engine.tensor);
        let flops = 2.0 * heads * dims as f64 * f64::from(1 + engine.drafts);
        let peaks = accelerator.peaks;
        let peak = peaks.bf16.or(peaks.fp16).map_or(0.0, |p| p.get());
        let rate = peak * engine.attention_rate.get();
        (self.cache_of_layer() / bandwidth).max(flops / rate)
    }

    fn product(&self, matrix: Matrix, rows: f64) -> Time {
        let gemm = Gemm {
            m: rows.ceil().max(1.0) as u64,
            n: matrix.output,
            k: matrix.input,
            groups: matrix.count,
            operand: matrix.operand,
            pass: Pass::Forward,
            output_bytes: 2.0,
        };
        self.kernels.gemm(&gemm, self.kernels.units())
    }

    fn memory(&self, class: MemoryClass, bytes: f64) -> Time {
        self.kernels.memory(class, Bytes::from_f64(bytes))
    }

    /// Sum of a row-parallel product over tensor ranks.
    fn all_reduce(&self, rows: f64) -> f64 {
        let tensor = self.engine.tensor;
        if tensor < 2 {
            return 0.0;
        }
        let bytes = Bytes::from_f64(2.0 * rows * f64::from(self.model().hidden));
        let group = GroupShape::spread(tensor, tensor.min(self.case.cluster.node.accelerators));
        let time = self
            .links
            .collective(CollectiveKind::AllReduce, bytes, group);
        time.seconds()
    }

    /// Compute and exchanges of one iteration with `batch` sequences in each group, without reading
    /// the cache, in seconds.
    fn iteration(&self, batch: f64) -> (f64, f64) {
        let model = self.model();
        let drafts = f64::from(self.engine.drafts);
        let rows = batch * (1.0 + drafts);
        let (mut compute, mut exchange) = (0.0, 0.0);
        let mut known: [Option<(f64, f64)>; 2] = [None; 2];
        for layer in 0..model.layers {
            let moe = usize::from(model.is_moe_layer(layer));
            let (c, e) = *known[moe].get_or_insert_with(|| self.layer(layer, rows));
            compute += c;
            exchange += e;
        }
        let head = self.product(self.output_head(), rows).seconds();
        let logits = rows * self.output_head().output as f64;
        compute += head + self.memory(MemoryClass::Loss, 4.0 * logits).seconds();
        if drafts > 0.0 {
            // Each draft: a layer and the head again, for one token of each sequence.
            let (c, e) = self.layer(model.layers, batch);
            let head = self.product(self.output_head(), batch).seconds();
            compute += drafts * (c + head);
            exchange += drafts * e;
        }
        (compute, exchange)
    }

    /// One layer for `rows` tokens in each group.
    fn layer(&self, layer: u32, rows: f64) -> (f64, f64) {
        let model = self.model();
        let hidden = f64::from(model.hidden);
        let small = self.kernels.fixed(FixedKernel::Small);
        let norm = self.memory(MemoryClass::Norm, 6.0 * rows * hidden);
        // Attention: norm, projections, rotary embedding with the write to the cache; the core's start.
        let mut compute = norm + small + small;
        for matrix in self.attention() {
            compute += self.product(matrix, rows);
        }
        let mut sent = self.all_reduce(rows);
        compute += norm;
        let Some(experts) = model.experts_of(layer) else {
            compute += self.dense(u64::from(model.ffn).div_ceil(self.tensor()), rows);
            sent += self.all_reduce(rows);
            return (compute.seconds(), sent);
        };
        let router = Matrix {
            input: u64::from(model.hidden),
            output: u64::from(experts.routed),
            count: 1,
            operand: MatrixType::Bf16,
        };
        // Each tensor rank routes its share of the tokens.
        let own = rows / self.engine.tensor as f64;
        compute += self.product(router, own) + small + small;
        if experts.shared_width > 0 {
            let width = u64::from(experts.shared_width).div_ceil(self.tensor());
            compute += self.dense(width, rows);
        }
        compute += self.experts(experts, own);
        compute += self.memory(
            MemoryClass::Stream,
            2.0 * own * hidden * (f64::from(experts.top_k) + 1.0),
        );
        sent += self.exchanges(experts, own).iter().sum::<f64>();
        (compute.seconds(), sent)
    }

    fn dense(&self, width: u64, rows: f64) -> Time {
        let [up, down] = self.feed_forward(width);
        let inner = 2.0 * rows * (up.output + width) as f64;
        self.product(up, rows) + self.memory(MemoryClass::Swiglu, inner) + self.product(down, rows)
    }

    /// The routed experts of a rank, with `own` tokens routed by each rank of the instance: it reads
    /// those that at least one of all tokens goes to.
    fn experts(&self, experts: &Experts, own: f64) -> Time {
        let all = own * f64::from(self.instance);
        let local = f64::from(experts.routed) / f64::from(self.engine.expert);
        let share = f64::from(experts.top_k) / f64::from(experts.routed);
        let touched = (local * (1.0 - libm::pow(1.0 - share, all.max(1.0)))).max(1.0);
        let rows = all * f64::from(experts.top_k) / f64::from(self.engine.expert);
        let [up, down] = self.feed_forward(u64::from(experts.width));
        let count = touched.ceil() as u32;
        let each = (rows / f64::from(count)).max(1.0);
        let inner = 2.0 * rows * (up.output + down.input) as f64;
        let grouped = |matrix: Matrix| self.product(Matrix { count, ..matrix }, each);
        grouped(up) + self.memory(MemoryClass::Swiglu, inner) + grouped(down)
    }

    /// Dispatch and combine of `own` tokens of each rank by a low-latency exchange: a copy for each
    /// expert, straight to its rank.
    fn exchanges(&self, experts: &Experts, own: f64) -> [f64; 2] {
        let ranks = self.engine.expert;
        if ranks < 2 {
            return [0.0; 2];
        }
        let engine = self.engine;
        let cluster = &self.case.cluster;
        let members = f64::from(ranks.min(cluster.node.accelerators));
        let ranks = f64::from(ranks);
        let copies = own * f64::from(experts.top_k) * f64::from(self.model().hidden);
        let nic = cluster.node.nic_bandwidth.get() * engine.exchange_nic.get();
        let scale_up = cluster.accelerator.scale_up.get() * engine.exchange_scale_up.get();
        // One byte an element with a scale of four bytes for each 128, or BF16; results come back in BF16.
        let sent = if engine.precision.narrow() {
            1.0 + 4.0 / 128.0
        } else {
            2.0
        };
        [sent, 2.0].map(|bytes_of_element| {
            let bytes = copies * bytes_of_element;
            let remote = if members < ranks {
                bytes * (1.0 - members / ranks) / nic
            } else {
                0.0
            };
            let local = bytes * (members - 1.0) / ranks / scale_up;
            engine.exchange_start.seconds() + remote.max(local)
        })
    }
}

/// Seconds of dispatch and combine of `tokens` tokens of each rank.
pub(super) fn exchange(
    case: &Case,
    engine: &RolloutEngine,
    tokens: f64,
) -> Result<[f64; 2], SimulateError> {
    let plan = Plan::new(case, engine)?;
    let experts = case.model.experts.as_ref();
    Ok(experts.map_or([0.0; 2], |experts| plan.exchanges(experts, tokens)))
}

/// Why a chip has no matrix products: it lacks the units, or nobody knows how fast they are.
fn unsupported(accelerator: &Accelerator, precision: Precision) -> String {
    let peaks = &accelerator.peaks;
    let peak = match precision {
        Precision::Fp16 | Precision::Bf16 => peaks.bf16.or(peaks.fp16),
        Precision::Fp8Tensor | Precision::Fp8Block | Precision::Mxfp8 => peaks.fp8,
        Precision::Nvfp4 => peaks.fp4,
    };
    match peak {
        None => format!(
            "{} has no matrix units for {}",
            accelerator.name,
            name(precision)
        ),
        Some(_) => format!(
            "no matrix products in {} are known for {}",
            name(precision),
            accelerator.name
        ),
    }
}

fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::Fp16 | Precision::Bf16 => "16 bits",
        Precision::Fp8Tensor => "FP8 with scales by tensor",
        Precision::Fp8Block => "FP8 with scales by block",
        Precision::Mxfp8 => "MXFP8",
        Precision::Nvfp4 => "NVFP4",
    }
}
