//! Models against published figures: parameter counts, FLOPs per token, and the two ways
//! in (the catalogue, and Hugging Face's config.json).
//!
//! Exact counts are the totals that the hub's safetensors metadata shows (each repository's
//! model page), or the exact figures of the papers and repositories named. Where a source
//! prints a rounded figure only, the tolerance is the rounding unless said otherwise.

#[path = "models/config.rs"]
mod config;

use strait_study::catalog::Catalog;
use strait_study::models::hf::{self, HfError};
use strait_study::models::{self, KIND};
use strait_training::model::{Attention, Model};

fn model(id: &str) -> Model {
    models::load(&Catalog::embedded(), id).unwrap_or_else(|error| panic!("{id}: {error}"))
}

fn ids() -> Vec<String> {
    let catalog = Catalog::embedded();
    let ids = catalog.list(KIND).unwrap();
    ids.into_iter().map(str::to_owned).collect()
}

/// Id, total parameters, source.
const EXACT: &[(&str, u64, &str)] = &[
    ("llama2-7b", 6_738_415_616, "hub, meta-llama/Llama-2-7b-hf"),
    (
        "llama2-13b",
        13_015_864_320,
        "hub, meta-llama/Llama-2-13b-hf",
    ),
    (
        "llama2-34b",
        33_743_970_304,
        "hub, codellama/CodeLlama-34b-hf",
    ),
    (
        "llama2-70b",
        68_976_648_192,
        "hub, meta-llama/Llama-2-70b-hf",
    ),
    (
        "llama3-8b",
        8_030_261_248,
        "hub, meta-llama/Meta-Llama-3-8B",
    ),
    (
        "llama3-70b",
        70_553_706_496,
        "hub, meta-llama/Meta-Llama-3-70B",
    ),
    (
        "llama3-405b",
        405_853_388_800,
        "hub, meta-llama/Llama-3.1-405B",
    ),
    ("llama3.2-1b", 1_235_814_400, "hub, meta-llama/Llama-3.2-1B"),
    ("llama3.2-3b", 3_212_749_824, "hub, meta-llama/Llama-3.2-3B"),
    (
        "tinyllama-1.1b",
        1_100_048_384,
        "hub, TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    ),
    (
        "mixtral-8x7b",
        46_702_792_704,
        "hub, mistralai/Mixtral-8x7B-v0.1",
    ),
    (
        "mixtral-8x22b",
        140_620_634_112,
        "hub, mistralai/Mixtral-8x22B-v0.1",
    ),
    ("qwen2-7b", 7_615_616_512, "hub, Qwen/Qwen2-7B"),
    ("qwen2-72b", 72_706_203_648, "hub, Qwen/Qwen2-72B"),
    ("qwen2.5-32b", 32_763_876_352, "hub, Qwen/Qwen2.5-32B"),
    ("qwen3-8b", 8_190_735_360, "hub, Qwen/Qwen3-8B"),
    ("qwen3-32b", 32_762_123_264, "hub, Qwen/Qwen3-32B"),
    ("qwen3-30b-a3b", 30_532_122_624, "hub, Qwen/Qwen3-30B-A3B"),
    (
        "qwen3-235b-a22b",
        235_093_634_560,
        "hub, Qwen/Qwen3-235B-A22B",
    ),
    (
        "qwen1.5-moe-a2.7b",
        14_315_784_192,
        "hub, Qwen/Qwen1.5-MoE-A2.7B",
    ),
    (
        "deepseek-v2",
        235_741_434_880,
        "hub, deepseek-ai/DeepSeek-V2",
    ),
    (
        "deepseek-v2-lite",
        15_706_484_224,
        "hub, deepseek-ai/DeepSeek-V2-Lite",
    ),
    // The hub's own total (684.5e9) adds the MTP module, its copies of embedding and head,
    // and the FP8 scales. 14,848 of these are the routers' correction biases.
    (
        "deepseek-v3",
        671_026_419_200,
        "main model of deepseek-ai/DeepSeek-V3, 671B in its README_WEIGHTS",
    ),
    ("bloom-176b", 176_247_271_424, "hub, bigscience/bloom"),
    (
        "gpt-oss-20b",
        20_914_757_184,
        "hub, openai/gpt-oss-20b; 20.91B in arXiv 2508.10925, table 1",
    ),
    (
        "gpt-oss-120b",
        116_829_156_672,
        "hub, openai/gpt-oss-120b; 116.83B in arXiv 2508.10925, table 1",
    ),
    (
        "pythia-1.4b",
        1_414_647_808,
        "EleutherAI/pythia on GitHub, README",
    ),
    (
        "pythia-2.8b",
        2_775_208_960,
        "EleutherAI/pythia on GitHub, README",
    ),
    (
        "pythia-6.9b",
        6_857_302_016,
        "EleutherAI/pythia on GitHub, README",
    ),
    (
        "pythia-12b",
        11_846_072_320,
        "EleutherAI/pythia on GitHub, README",
    ),
    (
        "mpt-1b",
        1_315_950_592,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
    (
        "mpt-3b",
        2_651_837_440,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
    (
        "mpt-7b",
        6_658_859_008,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
    (
        "mpt-13b",
        12_853_954_560,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
    (
        "mpt-30b",
        29_975_214_080,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
    (
        "mpt-70b",
        64_862_437_376,
        "mosaicml/llm-foundry, scripts/train/benchmarking, sequences of 2,048",
    ),
];

/// Id, total parameters in 1e9 as printed, tolerance, source.
const ROUNDED: &[(&str, f64, f64, &str)] = &[
    ("llama1-7b", 6.7, 0.05, "arXiv 2302.13971, table 2"),
    ("llama1-13b", 13.0, 0.05, "arXiv 2302.13971, table 2"),
    ("llama1-33b", 32.5, 0.05, "arXiv 2302.13971, table 2"),
    // 65.29 by architecture.
    ("llama1-65b", 65.2, 0.1, "arXiv 2302.13971, table 2"),
    ("deepseek-67b", 67.0, 0.5, "arXiv 2401.02954, abstract"),
    (
        "qwen2-57b-a14b",
        57.4,
        0.05,
        "hub, Qwen/Qwen2-57B-A14B, rounded",
    ),
    ("gpt3-175b", 174.6, 0.05, "arXiv 2104.04473, table 2"),
    ("opt-175b", 175.0, 0.5, "arXiv 2205.01068, table 1"),
    // 128.7 by architecture with the tied embedding, 130.5 with a head of its own.
    ("glm-130b", 130.0, 1.5, "arXiv 2210.02414, title"),
    ("megatron-1.7b", 1.7, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-3.6b", 3.6, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-7.5b", 7.5, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-18.4b", 18.4, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-39.1b", 39.1, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-76.1b", 76.1, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-145.6b", 145.6, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-310.1b", 310.1, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-22b", 22.0, 0.5, "arXiv 2205.05198, table 3"),
    ("megatron-175b", 174.6, 0.05, "arXiv 2104.04473, table 2"),
    ("megatron-530b", 529.6, 0.05, "arXiv 2104.04473, table 1"),
    ("megatron-1t", 1008.0, 0.05, "arXiv 2104.04473, table 1"),
    (
        "nemotron4-15b",
        15.7,
        0.1,
        "arXiv 2402.16819: 3.2 embedding + 12.5 other, each rounded",
    ),
    (
        "nemotron4-340b",
        341.0,
        0.05,
        "arXiv 2406.11704: 9.4 embedding + 331.6 other",
    ),
    ("dots-llm1", 142.0, 1.0, "arXiv 2506.05767, abstract"),
    // 719.1 by architecture.
    ("pangu-ultra-moe", 718.0, 1.5, "arXiv 2505.04519, abstract"),
    ("gpt3-5b", 5.0, 0.5, "NVIDIA NeMo, name of the size"),
    ("gpt3-20b", 20.0, 0.5, "NVIDIA NeMo, name of the size"),
    ("nemotron-8b", 8.0, 0.6, "NVIDIA NeMo, name of the size"),
    ("nemotron-22b", 22.0, 0.8, "NVIDIA NeMo, name of the size"),
    // 315.7 by architecture with the tied embedding; not settled.
    ("grok-1", 314.0, 2.0, "xai-org/grok-1 on GitHub, README"),
    // The cards count the vision encoder (about 1) too.
    (
        "llama4-scout",
        109.0,
        2.0,
        "hub, meta-llama/Llama-4-Scout-17B-16E, model card",
    ),
    (
        "llama4-maverick",
        400.0,
        3.0,
        "hub, meta-llama/Llama-4-Maverick-17B-128E, model card",
    ),
    // 1026.4 by architecture. The report's 1.04T is 1.3 % more; an MTP module as in
    // DeepSeek-V3 (17.2) would explain it, but the released model has none.
    (
        "kimi-k2",
        1030.0,
        5.0,
        "hub, moonshotai/Kimi-K2-Base, rounded",
    ),
];

#[test]
fn counts_are_exactly_the_published_ones() {
    let rows = EXACT
        .iter()
        .map(|&(id, published, source)| (id, model(id).parameters().total, published, source));
    let wrong: Vec<_> = rows.filter(|row| row.1 != row.2).collect();
    assert!(
        wrong.is_empty(),
        "id, counted, published, source: {wrong:#?}"
    );
}

#[test]
fn counts_round_to_the_printed_ones() {
    let rows = ROUNDED.iter().map(|&(id, printed, within, source)| {
        (
            id,
            model(id).parameters().total as f64 * 1e-9,
            printed,
            within,
            source,
        )
    });
    let wrong: Vec<_> = rows.filter(|row| (row.1 - row.2).abs() > row.3).collect();
    assert!(
        wrong.is_empty(),
        "id, counted, printed, within, source: {wrong:#?}"
    );
}

#[test]
fn every_catalogued_model_is_in_a_table() {
    let invented = ["tutorial-1b"];
    let mut tabled: Vec<_> = EXACT.iter().map(|row| row.0).collect();
    tabled.extend(ROUNDED.iter().map(|row| row.0));
    tabled.extend(invented);
    tabled.sort_unstable();
    assert_eq!(ids(), tabled);
}

#[test]
fn active_parameters_are_the_published_ones() {
    // Id, with the embedding?, printed in 1e9, tolerance.
    let rows = [
        // README_WEIGHTS: 36.7B, head included; the paper says 37.
        ("deepseek-v3", false, 36.7, 0.1),
        // arXiv 2405.04434: 21B and 2.4B.
        ("deepseek-v2", false, 21.0, 0.5),
        ("deepseek-v2-lite", false, 2.4, 0.1),
        // arXiv 2401.04088: 12.9B. Mixtral 8x22B announcement: 39B.
        ("mixtral-8x7b", true, 12.9, 0.05),
        ("mixtral-8x22b", true, 39.0, 0.5),
        // Model cards on the hub.
        ("qwen3-30b-a3b", true, 3.3, 0.06),
        ("qwen3-235b-a22b", true, 22.0, 0.5),
        ("qwen1.5-moe-a2.7b", true, 2.7, 0.05),
        ("qwen2-57b-a14b", true, 14.0, 0.5),
        ("llama4-scout", true, 17.0, 0.5),
        ("llama4-maverick", true, 17.0, 0.5),
        // arXiv 2508.10925, table 1: 5.13B and 3.61B; the unembedding counts, the embedding
        // does not.
        ("gpt-oss-120b", false, 5.13, 0.005),
        ("gpt-oss-20b", false, 3.61, 0.005),
        // arXiv 2506.05767: 14B. arXiv 2505.04519: 39B.
        ("dots-llm1", true, 14.0, 0.5),
        ("pangu-ultra-moe", false, 39.0, 0.5),
        // arXiv 2507.20534: 32B.
        ("kimi-k2", false, 32.0, 0.6),
    ];
    let mut wrong = Vec::new();
    for (id, embedding, printed, within) in rows {
        let count = model(id).parameters();
        let active = if embedding {
            count.active_with_embedding()
        } else {
            count.active
        };
        let active = active as f64 * 1e-9;
        if (active - printed).abs() > within {
            wrong.push((id, active, printed));
        }
    }
    assert!(wrong.is_empty(), "id, counted, printed: {wrong:?}");
}

#[test]
fn deepseek_v3_in_parts() {
    let model = model("deepseek-v3");
    let count = model.parameters();
    assert_eq!(count.embedding, 129_280 * 7168);
    assert_eq!(count.head, count.embedding);
    // 58 layers of 256 experts of three 7168 x 2048 matrices.
    assert_eq!(count.experts_routed, 58 * 256 * 3 * 7168 * 2048);
    assert_eq!(count.experts_shared, 58 * 3 * 7168 * 2048);
    assert_eq!(count.dense_ffn, 3 * 3 * 7168 * 18_432);
    assert_eq!(count.router, 58 * (256 * 7168 + 256));
    // README_WEIGHTS: 11.5B unique parameters of the MTP module, embedding and head not
    // counted. 11.61 by architecture, one per cent more than printed.
    assert!(
        (count.mtp as f64 * 1e-9 - 11.5).abs() < 0.12,
        "{}",
        count.mtp
    );
    // "14B" with its copies of embedding and head (README of deepseek-ai/DeepSeek-V3).
    let with_copies = (count.mtp + count.embedding + count.head) as f64 * 1e-9;
    assert!((with_copies - 14.0).abs() < 0.6, "{with_copies}");
    assert!(!model.is_moe_layer(2) && model.is_moe_layer(3));
    assert_eq!(model.moe_layers(), 58);
    let moe = model.layer_parameters(3);
    assert_eq!(model.layer_parameters(60), moe);
    assert_eq!(moe.dense_ffn, 0);
    let dense = model.layer_parameters(0);
    assert_eq!((dense.router, dense.routed, dense.shared), (0, 0, 0));
    assert_eq!(
        model.mtp_parameters(),
        moe.total() + 2 * 7168 * 7168 + 3 * 7168
    );
}

#[test]
fn parts_add_up_for_every_catalogued_model() {
    for id in ids() {
        let model = model(&id);
        let count = model.parameters();
        let layers: Vec<_> = (0..model.layers)
            .map(|l| model.layer_parameters(l))
            .collect();
        let in_layers: u64 = layers.iter().map(|l| l.total()).sum();
        let outside: u64 = count.norms - layers.iter().map(|l| l.norms).sum::<u64>();
        let sum = count.embedding + count.head + in_layers + outside;
        assert_eq!(count.total, sum, "{id}");
        assert!(count.active <= count.total, "{id}");
        assert_eq!(model.experts.is_none(), count.experts_routed == 0, "{id}");
    }
}

fn gflops(id: &str, sequence: u32, mtp: bool) -> (f64, f64) {
    let flops = model(id).flops_per_token(sequence, mtp);
    (flops.causal.get() * 1e-9, flops.full.get() * 1e-9)
}

#[test]
fn flops_per_token_are_the_published_ones() {
    // Id, sequence, MTP, causal GFLOP, tolerance.
    let rows = [
        // arXiv 2505.09343, table 2: 250 for V3, 155 for V2. Within half a unit.
        ("deepseek-v3", 4096, false, 250.0, 0.5),
        ("deepseek-v2", 4096, false, 155.0, 0.5),
        // The same table prints 2448 for Llama 3.1 405B: one per cent less, as if attention
        // counted a quarter of its square; half of it is what fits the two rows above.
        ("llama3-405b", 4096, false, 2448.0, 26.0),
        // Computed from the architecture by hand: 6 x 36.62e9 + attention.
        ("deepseek-v3", 4096, true, 260.6, 0.05),
        // NVIDIA Megatron-Bridge, performance summary: TFLOPS over tokens/s.
        ("llama3-8b", 8192, false, 51.5, 0.05),
    ];
    let mut wrong = Vec::new();
    for (id, sequence, mtp, printed, within) in rows {
        let (causal, full) = gflops(id, sequence, mtp);
        if (causal - printed).abs() > within {
            wrong.push((id, sequence, mtp, causal, full, printed));
        }
    }
    assert!(
        wrong.is_empty(),
        "id, sequence, mtp, causal, full, printed: {wrong:?}"
    );
    // Full attention: arXiv 2505.09343, table 4 has 432 TFLOPS against 385 causal.
    let (causal, full) = gflops("deepseek-v3", 4096, false);
    assert!(
        (full / causal - 432.0 / 385.0).abs() < 0.003,
        "{full} {causal}"
    );
    assert!((full - 281.2).abs() < 0.05, "{full}");
    let (_, full) = gflops("deepseek-v3", 4096, true);
    assert!((full - 291.8).abs() < 0.05, "{full}");
    // NVIDIA NeMo 24.x performance tables: TFLOPS over tokens/s.
    let (_, full) = gflops("llama3-8b", 8192, false);
    assert!((full - 57.9).abs() < 0.05, "{full}");
}

#[test]
fn flops_per_token_follow_korthikanti() {
    // arXiv 2205.05198, appendix A: 72 B L s h² (1 + s/6h + V/12hL) a step, full attention.
    for id in [
        "megatron-22b",
        "megatron-175b",
        "megatron-530b",
        "megatron-1t",
        "gpt3-175b",
    ] {
        let model = model(id);
        let (h, l) = (f64::from(model.hidden), f64::from(model.layers));
        let v = f64::from(model.vocabulary);
        for s in [1024, 2048, 8192] {
            let formula = 72.0 * l * h * h * (1.0 + f64::from(s) / (6.0 * h) + v / (12.0 * h * l));
            let full = model.flops_per_token(s, false).full.get();
            assert!(
                (full / formula - 1.0).abs() < 1e-12,
                "{id} at {s}: {full}, {formula}"
            );
        }
    }
}

#[test]
fn a_window_saves_attention_only_past_its_width() {
    let mut model = model("gpt-oss-20b");
    let windowed = model.flops_per_token(4096, false);
    let short = model.flops_per_token(128, false);
    model.extras.window = None;
    assert_eq!(model.flops_per_token(128, false), short);
    // Half of 24 layers see 128 - 128²/8192 = 126 columns in place of 2048, with scores
    // and weighted sum 64 heads x 64 wide each, forward and twice that backward.
    let saved = 3.0 * 12.0 * 2.0 * (2048.0 - 126.0) * 2.0 * 64.0 * 64.0;
    let difference = (model.flops_per_token(4096, false).causal - windowed.causal).get();
    assert!(
        (difference / saved - 1.0).abs() < 1e-9,
        "{difference}, {saved}"
    );
}

#[test]
fn imported_configs_equal_the_catalogue() {
    for (id, text) in config::ALL {
        let catalogued = model(id);
        let mut imported = hf::from_config_json(text, &catalogued.name)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        // Qwen's configs give a dense width that no layer has.
        if catalogued.ffn == 0 {
            imported.ffn = 0;
        }
        assert_eq!(imported, catalogued, "{id}");
    }
}

#[test]
fn absent_keys_take_the_librarys_defaults() {
    let model = hf::from_config_json(config::LLAMA2_7B, "x").unwrap();
    let attention = Attention::Grouped {
        heads: 32,
        kv_heads: 32,
        head_dim: 128,
    };
    assert_eq!(model.attention, attention);
    let edited = |from: &str, to: &str| {
        assert!(config::LLAMA2_7B.contains(from), "{from}");
        hf::from_config_json(&config::LLAMA2_7B.replace(from, to), "x").unwrap()
    };
    assert_eq!(edited("\"num_key_value_heads\": 32,", ""), model);
    assert_eq!(edited("[\"LlamaForCausalLM\"]", "null"), model);
    let biased = edited("\"attention_bias\": false", "\"attention_bias\": true");
    let biases = biased.parameters().total - model.parameters().total;
    assert_eq!(
        biases,
        32 * 4 * 4096,
        "query, key, value and output have one each"
    );
}

#[test]
fn sparse_steps_and_dense_prefixes_become_a_pattern() {
    let pattern = |to: &str| {
        let text = config::QWEN15_MOE.replace("\"decoder_sparse_step\": 1", to);
        let model = hf::from_config_json(&text, "x").unwrap();
        (0..6)
            .map(|l| if model.is_moe_layer(l) { 'm' } else { 'd' })
            .collect::<String>()
    };
    assert_eq!(pattern("\"decoder_sparse_step\": 1"), "mmmmmm");
    assert_eq!(pattern("\"decoder_sparse_step\": 2"), "dmdmdm");
    assert_eq!(pattern("\"decoder_sparse_step\": 3"), "ddmddm");
    assert_eq!(pattern("\"mlp_only_layers\": [0, 1]"), "ddmmmm");
    assert_eq!(pattern("\"decoder_sparse_step\": 100"), "dddddd");
}

#[test]
fn bad_configs_are_refused_by_key() {
    let llama = config::LLAMA2_7B;
    let v3 = config::DEEPSEEK_V3;
    let moe = config::QWEN15_MOE;
    let h = "\"hidden_size\": 4096";
    // Config, what in it is replaced, by what, what the message must say.
    let rows: &[(&str, &str, &str, &[&str])] = &[
        (
            llama,
            "LlamaFor",
            "LamaFor",
            &[
                "architectures",
                "`LamaForCausalLM`",
                "did you mean `LlamaForCausalLM`?",
                "Qwen3MoeForCausalLM",
            ],
        ),
        (
            llama,
            "LlamaForCausalLM",
            "BertModel",
            &["BertModel", "supported: Llama"],
        ),
        (
            llama,
            "[\"LlamaForCausalLM\"]",
            "\"LlamaForCausalLM\"",
            &["architectures", "list"],
        ),
        (
            llama,
            "\"hidden_size\": 4096,",
            "",
            &["hidden_size", "missing", "LlamaForCausalLM"],
        ),
        (
            llama,
            h,
            "\"hidden_size\": \"4096\"",
            &["hidden_size", "whole number", "the string \"4096\""],
        ),
        (
            llama,
            h,
            "\"hidden_size\": 4096.5",
            &["hidden_size", "whole number", "4096.5"],
        ),
        (
            llama,
            h,
            "\"hidden_size\": 1e99",
            &["hidden_size", "whole number"],
        ),
        (
            llama,
            h,
            "\"hidden_size\": 0",
            &["hidden_size", "at least 1"],
        ),
        (
            llama,
            h,
            "\"hidden_size\": -4096",
            &["hidden_size", "-4096", "negative"],
        ),
        (
            llama,
            h,
            "\"hidden_size\": 40960000000000",
            &["hidden_size", "40960000000000", "more than"],
        ),
        (
            llama,
            "\"num_hidden_layers\": 32",
            "\"num_hidden_layers\": 4000000",
            &["num_hidden_layers", "more than"],
        ),
        (
            llama,
            "\"num_key_value_heads\": 32",
            "\"num_key_value_heads\": 5",
            &["num_attention_heads", "num_key_value_heads", "divide"],
        ),
        (
            llama,
            "\"num_key_value_heads\": 32",
            "\"num_key_value_heads\": 64",
            &["num_key_value_heads", "num_attention_heads"],
        ),
        (
            llama,
            "\"num_attention_heads\": 32",
            "\"num_attention_heads\": 33",
            &["num_attention_heads", "hidden_size", "head_dim"],
        ),
        (
            llama,
            "\"tie_word_embeddings\": false",
            "\"tie_word_embeddings\": \"no\"",
            &["tie_word_embeddings", "true or false"],
        ),
        (
            llama,
            "\"attention_bias\": false",
            "\"mlp_bias\": true",
            &["mlp_bias"],
        ),
        (
            v3,
            "\"kv_lora_rank\": 512,",
            "",
            &["kv_lora_rank", "missing"],
        ),
        (
            v3,
            "\"q_lora_rank\": 1536,",
            "",
            &["q_lora_rank", "missing"],
        ),
        (
            v3,
            "\"first_k_dense_replace\": 3,",
            "",
            &["first_k_dense_replace", "missing"],
        ),
        (
            v3,
            "\"num_experts_per_tok\": 8",
            "\"num_experts_per_tok\": 300",
            &["num_experts_per_tok", "n_routed_experts"],
        ),
        (
            v3,
            "\"topk_group\": 4",
            "\"topk_group\": 9",
            &["topk_group", "n_group"],
        ),
        (
            v3,
            "\"n_group\": 8",
            "\"n_group\": 7",
            &["n_routed_experts", "n_group"],
        ),
        (
            v3,
            "\"moe_layer_freq\": 1",
            "\"moe_layer_freq\": 0",
            &["moe_layer_freq", "at least 1"],
        ),
        (
            moe,
            "\"decoder_sparse_step\": 1",
            "\"mlp_only_layers\": [7]",
            &["mlp_only_layers", "irregular"],
        ),
        (
            moe,
            "\"decoder_sparse_step\": 1",
            "\"mlp_only_layers\": [-1]",
            &["mlp_only_layers", "layer numbers"],
        ),
        (
            moe,
            "\"use_sliding_window\": false",
            "\"use_sliding_window\": true, \"max_window_layers\": 4",
            &["use_sliding_window"],
        ),
        (
            moe,
            "\"shared_expert_intermediate_size\": 5632,",
            "",
            &["shared_expert_intermediate_size", "missing"],
        ),
    ];
    for (text, from, to, parts) in rows {
        assert!(text.contains(from), "the config has no {from}");
        let error = match hf::from_config_json(&text.replacen(from, to, 1), "x") {
            Ok(_) => panic!("{from} -> {to} was accepted"),
            Err(error) => error.to_string(),
        };
        for part in *parts {
            assert!(
                error.contains(part),
                "{from} -> {to}: {error:?} lacks {part:?}"
            );
        }
    }
    // Each size is acceptable, their product is not.
    let huge = v3
        .replace("\"n_routed_experts\": 256", "\"n_routed_experts\": 1048576")
        .replace(
            "\"moe_intermediate_size\": 2048",
            "\"moe_intermediate_size\": 1048576",
        );
    let error = hf::from_config_json(&huge, "x").unwrap_err().to_string();
    assert!(error.contains("parameters"), "{error}");
    assert!(matches!(
        hf::from_config_json("{", "x"),
        Err(HfError::Json(_))
    ));
    assert!(matches!(
        hf::from_config_json("", "x"),
        Err(HfError::Json(_))
    ));
    assert!(matches!(
        hf::from_config_json("[1]", "x"),
        Err(HfError::NotAnObject { .. })
    ));
    assert!(matches!(
        hf::from_config_json("{}", "x"),
        Err(HfError::NoArchitecture)
    ));
}

#[test]
fn unknown_models_suggest_a_near_one() {
    let error = models::load(&Catalog::embedded(), "deepseek-v33")
        .unwrap_err()
        .to_string();
    assert!(error.contains("deepseek-v3"), "{error}");
}
