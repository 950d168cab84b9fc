//! `config.json` files as far as they matter here, after the public ones of the
//! repositories that the catalogue names as its sources.

/// Id in the catalogue, text.
pub const ALL: &[(&str, &str)] = &[
    ("llama2-7b", LLAMA2_7B),
    ("llama3-405b", LLAMA3_405B),
    ("llama3.2-3b", LLAMA32_3B),
    ("deepseek-67b", DEEPSEEK_67B),
    ("mixtral-8x7b", MIXTRAL_8X7B),
    ("mixtral-8x22b", MIXTRAL_8X22B),
    ("qwen2-72b", QWEN2_72B),
    ("qwen3-8b", QWEN3_8B),
    ("qwen1.5-moe-a2.7b", QWEN15_MOE),
    ("qwen2-57b-a14b", QWEN2_57B),
    ("qwen3-30b-a3b", QWEN3_30B),
    ("qwen3-235b-a22b", QWEN3_235B),
    ("deepseek-v2-lite", DEEPSEEK_V2_LITE),
    ("deepseek-v2", DEEPSEEK_V2),
    ("deepseek-v3", DEEPSEEK_V3),
    ("kimi-k2", KIMI_K2),
];

/// `llama2-7b`.
pub const LLAMA2_7B: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "attention_bias": false,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 11008,
  "max_position_embeddings": 4096,
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 32,
  "rms_norm_eps": 1e-05,
  "rope_scaling": null,
  "tie_word_embeddings": false,
  "torch_dtype": "float16",
  "vocab_size": 32000
}"#;

/// `llama3-405b`.
pub const LLAMA3_405B: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "attention_bias": false,
  "attention_dropout": 0.0,
  "eos_token_id": 128001,
  "hidden_act": "silu",
  "hidden_size": 16384,
  "intermediate_size": 53248,
  "max_position_embeddings": 131072,
  "mlp_bias": false,
  "num_attention_heads": 128,
  "num_hidden_layers": 126,
  "num_key_value_heads": 8,
  "pretraining_tp": 1,
  "rope_scaling": {
    "factor": 8.0,
    "rope_type": "llama3"
  },
  "rope_theta": 500000.0,
  "tie_word_embeddings": false,
  "vocab_size": 128256
}"#;

/// `llama3.2-3b`.
pub const LLAMA32_3B: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "head_dim": 128,
  "hidden_size": 3072,
  "intermediate_size": 8192,
  "num_attention_heads": 24,
  "num_hidden_layers": 28,
  "num_key_value_heads": 8,
  "tie_word_embeddings": true,
  "vocab_size": 128256
}"#;

/// `deepseek-67b`.
pub const DEEPSEEK_67B: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "hidden_act": "silu",
  "hidden_size": 8192,
  "intermediate_size": 22016,
  "max_position_embeddings": 4096,
  "num_attention_heads": 64,
  "num_hidden_layers": 95,
  "num_key_value_heads": 8,
  "tie_word_embeddings": false,
  "vocab_size": 102400
}"#;

/// `mixtral-8x7b`.
pub const MIXTRAL_8X7B: &str = r#"{
  "architectures": ["MixtralForCausalLM"],
  "model_type": "mixtral",
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "max_position_embeddings": 32768,
  "num_attention_heads": 32,
  "num_experts_per_tok": 2,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "num_local_experts": 8,
  "output_router_logits": false,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "vocab_size": 32000
}"#;

/// `mixtral-8x22b`.
pub const MIXTRAL_8X22B: &str = r#"{
  "architectures": ["MixtralForCausalLM"],
  "model_type": "mixtral",
  "hidden_size": 6144,
  "intermediate_size": 16384,
  "max_position_embeddings": 65536,
  "num_attention_heads": 48,
  "num_experts_per_tok": 2,
  "num_hidden_layers": 56,
  "num_key_value_heads": 8,
  "num_local_experts": 8,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "vocab_size": 32000
}"#;

/// `qwen2-72b`.
pub const QWEN2_72B: &str = r#"{
  "architectures": ["Qwen2ForCausalLM"],
  "model_type": "qwen2",
  "hidden_act": "silu",
  "hidden_size": 8192,
  "intermediate_size": 29568,
  "max_position_embeddings": 131072,
  "max_window_layers": 80,
  "num_attention_heads": 64,
  "num_hidden_layers": 80,
  "num_key_value_heads": 8,
  "sliding_window": 131072,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 152064
}"#;

/// `qwen3-8b`.
pub const QWEN3_8B: &str = r#"{
  "architectures": ["Qwen3ForCausalLM"],
  "model_type": "qwen3",
  "attention_bias": false,
  "head_dim": 128,
  "hidden_size": 4096,
  "intermediate_size": 12288,
  "max_window_layers": 36,
  "num_attention_heads": 32,
  "num_hidden_layers": 36,
  "num_key_value_heads": 8,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

/// `qwen1.5-moe-a2.7b`.
pub const QWEN15_MOE: &str = r#"{
  "architectures": ["Qwen2MoeForCausalLM"],
  "model_type": "qwen2_moe",
  "decoder_sparse_step": 1,
  "hidden_act": "silu",
  "hidden_size": 2048,
  "intermediate_size": 5632,
  "moe_intermediate_size": 1408,
  "num_attention_heads": 16,
  "num_experts": 60,
  "num_experts_per_tok": 4,
  "num_hidden_layers": 24,
  "num_key_value_heads": 16,
  "norm_topk_prob": false,
  "shared_expert_intermediate_size": 5632,
  "sliding_window": 32768,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

/// `qwen2-57b-a14b`.
pub const QWEN2_57B: &str = r#"{
  "architectures": ["Qwen2MoeForCausalLM"],
  "model_type": "qwen2_moe",
  "decoder_sparse_step": 1,
  "hidden_size": 3584,
  "intermediate_size": 18944,
  "moe_intermediate_size": 2560,
  "num_attention_heads": 28,
  "num_experts": 64,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 28,
  "num_key_value_heads": 4,
  "shared_expert_intermediate_size": 20480,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

/// `qwen3-30b-a3b`.
pub const QWEN3_30B: &str = r#"{
  "architectures": ["Qwen3MoeForCausalLM"],
  "model_type": "qwen3_moe",
  "attention_bias": false,
  "decoder_sparse_step": 1,
  "head_dim": 128,
  "hidden_size": 2048,
  "intermediate_size": 6144,
  "max_window_layers": 48,
  "mlp_only_layers": [],
  "moe_intermediate_size": 768,
  "norm_topk_prob": true,
  "num_attention_heads": 32,
  "num_experts": 128,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 48,
  "num_key_value_heads": 4,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

/// `qwen3-235b-a22b`.
pub const QWEN3_235B: &str = r#"{
  "architectures": ["Qwen3MoeForCausalLM"],
  "model_type": "qwen3_moe",
  "decoder_sparse_step": 1,
  "head_dim": 128,
  "hidden_size": 4096,
  "intermediate_size": 12288,
  "max_window_layers": 94,
  "mlp_only_layers": [],
  "moe_intermediate_size": 1536,
  "num_attention_heads": 64,
  "num_experts": 128,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 94,
  "num_key_value_heads": 4,
  "tie_word_embeddings": false,
  "use_sliding_window": false,
  "vocab_size": 151936
}"#;

/// `deepseek-v2-lite`.
pub const DEEPSEEK_V2_LITE: &str = r#"{
  "architectures": ["DeepseekV2ForCausalLM"],
  "model_type": "deepseek_v2",
  "attention_bias": false,
  "hidden_act": "silu",
  "moe_layer_freq": 1,
  "kv_lora_rank": 512,
  "qk_nope_head_dim": 128,
  "qk_rope_head_dim": 64,
  "v_head_dim": 128,
  "tie_word_embeddings": false,
  "scoring_func": "softmax",
  "norm_topk_prob": false,
  "first_k_dense_replace": 1,
  "hidden_size": 2048,
  "intermediate_size": 10944,
  "moe_intermediate_size": 1408,
  "n_group": 1,
  "n_routed_experts": 64,
  "n_shared_experts": 2,
  "num_attention_heads": 16,
  "num_experts_per_tok": 6,
  "num_hidden_layers": 27,
  "num_key_value_heads": 16,
  "q_lora_rank": null,
  "topk_group": 1,
  "topk_method": "greedy",
  "vocab_size": 102400
}"#;

/// `deepseek-v2`.
pub const DEEPSEEK_V2: &str = r#"{
  "architectures": ["DeepseekV2ForCausalLM"],
  "model_type": "deepseek_v2",
  "attention_bias": false,
  "hidden_act": "silu",
  "moe_layer_freq": 1,
  "kv_lora_rank": 512,
  "qk_nope_head_dim": 128,
  "qk_rope_head_dim": 64,
  "v_head_dim": 128,
  "tie_word_embeddings": false,
  "scoring_func": "softmax",
  "norm_topk_prob": false,
  "first_k_dense_replace": 1,
  "hidden_size": 5120,
  "intermediate_size": 12288,
  "moe_intermediate_size": 1536,
  "n_group": 8,
  "n_routed_experts": 160,
  "n_shared_experts": 2,
  "num_attention_heads": 128,
  "num_experts_per_tok": 6,
  "num_hidden_layers": 60,
  "num_key_value_heads": 128,
  "q_lora_rank": 1536,
  "topk_group": 3,
  "topk_method": "group_limited_greedy",
  "vocab_size": 102400
}"#;

/// `deepseek-v3`.
pub const DEEPSEEK_V3: &str = r#"{
  "architectures": ["DeepseekV3ForCausalLM"],
  "model_type": "deepseek_v3",
  "attention_bias": false,
  "hidden_act": "silu",
  "moe_layer_freq": 1,
  "kv_lora_rank": 512,
  "qk_nope_head_dim": 128,
  "qk_rope_head_dim": 64,
  "v_head_dim": 128,
  "tie_word_embeddings": false,
  "scoring_func": "sigmoid",
  "norm_topk_prob": true,
  "topk_method": "noaux_tc",
  "ep_size": 1,
  "first_k_dense_replace": 3,
  "hidden_size": 7168,
  "intermediate_size": 18432,
  "moe_intermediate_size": 2048,
  "n_group": 8,
  "n_routed_experts": 256,
  "n_shared_experts": 1,
  "num_attention_heads": 128,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 61,
  "num_key_value_heads": 128,
  "num_nextn_predict_layers": 1,
  "q_lora_rank": 1536,
  "topk_group": 4,
  "quantization_config": {
    "fmt": "e4m3",
    "quant_method": "fp8",
    "weight_block_size": [128, 128]
  },
  "vocab_size": 129280
}"#;

/// `kimi-k2`.
pub const KIMI_K2: &str = r#"{
  "architectures": ["DeepseekV3ForCausalLM"],
  "model_type": "kimi_k2",
  "attention_bias": false,
  "hidden_act": "silu",
  "moe_layer_freq": 1,
  "kv_lora_rank": 512,
  "qk_nope_head_dim": 128,
  "qk_rope_head_dim": 64,
  "v_head_dim": 128,
  "tie_word_embeddings": false,
  "scoring_func": "sigmoid",
  "norm_topk_prob": true,
  "topk_method": "noaux_tc",
  "first_k_dense_replace": 1,
  "hidden_size": 7168,
  "intermediate_size": 18432,
  "moe_intermediate_size": 2048,
  "n_group": 1,
  "n_routed_experts": 384,
  "n_shared_experts": 1,
  "num_attention_heads": 64,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 61,
  "num_key_value_heads": 64,
  "num_nextn_predict_layers": 0,
  "q_lora_rank": 1536,
  "topk_group": 1,
  "vocab_size": 163840
}"#;
