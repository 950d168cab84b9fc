//! Models, clusters and layouts for tests.
//!
//! In: nothing. Out: published dimensions. Never part of an answer: tests only.

use crate::case::{Parallelism, Recompute, ScheduleKind, Zero};
use crate::hardware::{Accelerator, Cluster, Fabric, Node, Peaks, ScaleUp, Transport};
use crate::model::{Activation, Attention, Experts, Model, Norm};
use strait_units::{Bandwidth, Bytes, Power};

/// A dense model with biases, GELU and learned positions.
pub(crate) fn gpt(layers: u32, hidden: u32, heads: u32, sequence: u32) -> Model {
    Model {
        name: format!("GPT {layers}x{hidden}"),
        layers,
        hidden,
        ffn: 4 * hidden,
        vocabulary: 51_200,
        attention: Attention::Grouped {
            heads,
            kv_heads: heads,
            head_dim: hidden / heads,
        },
        experts: None,
        activation: Activation::Plain,
        norm: Norm::Layer,
        biases: true,
        qkv_biases: false,
        qk_norm: false,
        tied: true,
        learned_positions: sequence,
        mtp: 0,
        extras: crate::model::Extras::default(),
    }
}

/// A Llama 3 of these dimensions (arXiv 2407.21783, table 3).
pub(crate) fn llama(layers: u32, hidden: u32, ffn: u32, heads: u32, kv_heads: u32) -> Model {
    Model {
        name: format!("Llama {layers}x{hidden}"),
        ffn,
        vocabulary: 128_256,
        attention: Attention::Grouped {
            heads,
            kv_heads,
            head_dim: hidden / heads,
        },
        activation: Activation::Gated,
        norm: Norm::Rms,
        biases: false,
        tied: false,
        learned_positions: 0,
        ..gpt(layers, hidden, heads, 0)
    }
}

/// DeepSeek-V3 (arXiv 2412.19437, section 4.2).
pub(crate) fn deepseek_v3() -> Model {
    Model {
        name: "DeepSeek-V3".into(),
        layers: 61,
        hidden: 7_168,
        ffn: 18_432,
        vocabulary: 129_280,
        attention: Attention::Latent {
            heads: 128,
            q_rank: Some(1_536),
            kv_rank: 512,
            qk_nope_dim: 128,
            qk_rope_dim: 64,
            v_dim: 128,
        },
        experts: Some(Experts {
            routed: 256,
            top_k: 8,
            width: 2_048,
            shared_width: 2_048,
            first_dense: 3,
            every: 1,
            groups: 8,
            group_limit: 4,
        }),
        mtp: 1,
        ..llama(61, 7_168, 18_432, 128, 128)
    }
}

/// Nodes of `accelerators` with this much memory each; rates are of no interest here.
pub(crate) fn cluster(nodes: u32, accelerators: u32, memory: Bytes) -> Cluster {
    let rate = Bandwidth::new(1e9);
    Cluster {
        accelerator: Accelerator {
            id: "test".into(),
            name: "test".into(),
            peaks: Peaks::default(),
            compute_units: 132,
            memory,
            memory_bandwidth: rate,
            scale_up: rate,
            host_bandwidth: None,
            tdp: Power::new(700.0),
            price: None,
            rent: None,
            kernels: "test".into(),
            links: "test".into(),
        },
        node: Node {
            id: "test".into(),
            accelerators,
            scale_up: ScaleUp::Switched,
            in_network_reduction: false,
            nic_bandwidth: rate,
            overhead_power: Power::ZERO,
        },
        nodes,
        fabric: Fabric {
            id: "test".into(),
            transport: Transport::Infiniband,
            planes: 1,
            layers: 2,
            radix: 64,
            oversubscription: 1.0,
            pod: None,
        },
    }
}

/// Tensor and pipeline ranks, all else plain: 1F1B, ZeRO-1, no recompute.
pub(crate) fn plain(tensor: u32, pipeline: u32) -> Parallelism {
    Parallelism {
        tensor,
        sequence: tensor > 1,
        pipeline,
        virtual_stages: 1,
        context: 1,
        expert: 1,
        expert_tensor: 1,
        zero: Zero::Zero1,
        zero_group: None,
        schedule: ScheduleKind::OneFOneB,
        micro_batch: 1,
        recompute: Recompute::None,
        recompute_layers: None,
        offload_layers: 0,
        stage_layers: None,
        communication_units: 0,
    }
}

/// DeepSeek-V3's published layout (arXiv 2412.19437, section 3.2).
pub(crate) fn deepseek_layout() -> Parallelism {
    use crate::case::RecomputePart::{Activation, MlaUp, Norm};
    Parallelism {
        expert: 64,
        schedule: ScheduleKind::DualPipe,
        recompute: Recompute::Named(vec![Norm, MlaUp, Activation]),
        communication_units: 20,
        ..plain(1, 16)
    }
}
