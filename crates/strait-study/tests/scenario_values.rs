//! Where values come from, and what their forms mean.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Loaded, Overrides, Style, render_all, schema};
use strait_training::case::{Precision, Recompute, RecomputePart, ScheduleKind, Zero};
use strait_training::model::Attention;

const BASE: &str = r#"[model]
preset = "llama3-8b"

[cluster]
accelerator = "h100-sxm"
nodes = 2

[training]
tokens = "1 T tokens"
sequence_length = 8192
global_batch = 128
"#;

fn load(files: &[(&str, &str)], set: &[(&str, &str)]) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let overrides = Overrides {
        set: set
            .iter()
            .map(|(p, v)| ((*p).to_owned(), (*v).to_owned()))
            .collect(),
        ..Overrides::default()
    };
    let path = folder.path().join(files[0].0);
    match scenario::load(&path, &Catalog::embedded(), &overrides) {
        Ok(mut loaded) => {
            let prefix = format!("{}/", folder.path().display());
            for case in &mut loaded.cases {
                for line in &mut case.origins {
                    if let scenario::Origin::File { file, .. }
                    | scenario::Origin::Case { file, .. } = &mut line.origin
                    {
                        *file = file.replace(&prefix, "");
                    }
                }
            }
            loaded
        }
        Err(faults) => panic!("{}", render_all(&faults, Style::Plain)),
    }
}

fn origin(loaded: &Loaded, path: &str) -> String {
    let line = loaded.cases[0].origins.iter().find(|e| e.path == path);
    line.map_or("absent".to_owned(), |e| {
        format!("{} <- {}", e.value, e.origin)
    })
}

#[test]
fn every_value_says_where_it_came_from() {
    let child = r#"extends = "base.toml"

[parallelism]
tensor = 2

[[case]]
name = "one"
set = { "training.global_batch" = 256 }
"#;
    let loaded = load(
        &[("a.toml", child), ("base.toml", BASE)],
        &[("cluster.nodes", "4"), ("parallelism.schedule", "zb-h1")],
    );
    assert_eq!(origin(&loaded, "parallelism.tensor"), "2 <- a.toml:4");
    assert_eq!(
        origin(&loaded, "training.sequence_length"),
        "8192 <- base.toml:10"
    );
    assert_eq!(
        origin(&loaded, "training.global_batch"),
        "256 <- case one, a.toml:8"
    );
    assert_eq!(origin(&loaded, "cluster.nodes"), "4 <- command line");
    assert_eq!(
        origin(&loaded, "parallelism.schedule"),
        "zb-h1 <- command line"
    );
    assert_eq!(
        origin(&loaded, "parallelism.pipeline"),
        "1 <- default: no pipeline unless asked for"
    );
    assert!(origin(&loaded, "model.layers").starts_with("32 <- catalogue models/llama3-8b"));
    assert!(origin(&loaded, "cluster.peak_bf16").contains("catalogue accelerators/h100-sxm ("));
    assert!(
        origin(&loaded, "software.profile").starts_with("nemo-2024 <- default: the generation")
    );
    assert!(origin(&loaded, "software.attention").contains("basis visible rows"));
    // Every leaf of the resolved case is in the record.
    for path in [
        "cluster.node",
        "cluster.fabric",
        "noise.jitter",
        "economics.pue",
        "seed",
    ] {
        assert_ne!(origin(&loaded, path), "absent", "{path}");
    }
}

#[test]
fn the_last_word_wins_child_case_command_line() {
    let child = "extends = \"base.toml\"\n[training]\nglobal_batch = 64\n[[case]]\nname = \"x\"\nset = { training.global_batch = 96 }\n";
    let files = [("a.toml", child), ("base.toml", BASE)];
    assert_eq!(
        load(&files, &[]).cases[0].case.training.phases[0].global_batch,
        96
    );
    let set = [("training.global_batch", "32")];
    assert_eq!(
        load(&files, &set).cases[0].case.training.phases[0].global_batch,
        32
    );
}

#[test]
fn ranges_use_the_mode_or_the_geometric_middle() {
    let text = format!(
        "{BASE}\n[economics]\nrent = \"1 to 4 USD/h\"\npue = {{ low = 1.1, mode = 1.15, high = 1.3, why = \"reported\" }}\n"
    );
    let loaded = load(&[("a.toml", &text)], &[]);
    let case = &loaded.cases[0];
    assert_eq!(case.case.economics.rent.get(), 2.0);
    assert_eq!(case.case.economics.pue.get(), 1.15);
    let ranges: Vec<(&str, f64, f64, f64, &str)> = case
        .ranges
        .iter()
        .map(|r| (r.path.as_str(), r.low, r.mode, r.high, r.why.as_str()))
        .collect();
    assert_eq!(
        ranges,
        [
            ("economics.rent", 1.0, 2.0, 4.0, ""),
            ("economics.pue", 1.1, 1.15, 1.3, "reported"),
        ]
    );
}

#[test]
fn nvlink_is_read_as_datasheets_print_it() {
    for (text, one_way, warned) in [
        ("400 GB/s", 200e9, true),
        ("400 GB/s both ways", 200e9, false),
        ("200 GB/s one-way", 200e9, false),
    ] {
        let loaded = load(&[("a.toml", BASE)], &[("cluster.nvlink_bandwidth", text)]);
        let case = &loaded.cases[0];
        assert_eq!(
            case.case.cluster.accelerator.scale_up.get(),
            one_way,
            "{text}"
        );
        assert_eq!(!case.warnings.is_empty(), warned, "{text}");
    }
}

#[test]
fn words_become_types() {
    let text = format!(
        "{BASE}\n[parallelism]\npipeline = 4\nvirtual_stages = 2\nschedule = \"interleaved\"\nzero = 2\nrecompute = [\"norm\", \"mlp\"]\n[precision]\nrecipe = \"fp8-tensor\"\n"
    );
    let case = load(&[("a.toml", &text)], &[]).cases.remove(0).case;
    assert_eq!(case.parallelism.schedule, ScheduleKind::OneFOneB);
    assert_eq!(case.parallelism.zero, Zero::Zero2);
    assert_eq!(
        case.parallelism.recompute,
        Recompute::Named(vec![RecomputePart::Norm, RecomputePart::Mlp])
    );
    assert_eq!(case.precision.recipe, Precision::Fp8Tensor);
    assert_eq!(case.precision.state.moments, 8.0);
    assert!(!case.parallelism.sequence);
}

#[test]
fn explicit_keys_change_single_dimensions_of_a_preset() {
    let set = [("model.layers", "8"), ("model.vocabulary", "32000")];
    let case = load(&[("a.toml", BASE)], &set).cases.remove(0).case;
    assert_eq!(
        (case.model.layers, case.model.vocabulary, case.model.hidden),
        (8, 32000, 4096)
    );
}

#[test]
fn a_model_may_come_from_a_hugging_face_configuration() {
    let config = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,"num_key_value_heads":8,"num_hidden_layers":32,"vocab_size":128256,"tie_word_embeddings":false}"#;
    let text = BASE.replace("preset = \"llama3-8b\"", "hf_config = \"config.json\"");
    let case = load(&[("a.toml", &text), ("config.json", config)], &[])
        .cases
        .remove(0)
        .case;
    assert_eq!(case.model.layers, 32);
    assert!(matches!(
        case.model.attention,
        Attention::Grouped { kv_heads: 8, .. }
    ));
}

#[test]
fn the_digest_changes_with_anything_that_matters() {
    let base = load(&[("a.toml", BASE)], &[]).digest;
    assert_eq!(
        base,
        load(&[("b.toml", BASE)], &[]).digest,
        "not with the file's name"
    );
    assert_ne!(base, load(&[("a.toml", BASE)], &[("seed", "2")]).digest);
    assert_ne!(base, load(&[("a.toml", &format!("{BASE}\n"))], &[]).digest);
}

#[test]
fn a_reads_only_case_list() {
    let text =
        format!("{BASE}\n[[case]]\nname = \"a\"\n\n[[case]]\nname = \"b\"\nset = {{ seed = 7 }}\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let overrides = Overrides {
        cases: vec!["b".to_owned()],
        ..Overrides::default()
    };
    let loaded = scenario::load(&path, &Catalog::embedded(), &overrides).unwrap();
    assert_eq!(loaded.cases.len(), 1);
    assert_eq!(loaded.cases[0].case.seed, 7);
    let seeded = Overrides {
        seed: Some(9),
        ..overrides
    };
    let loaded = scenario::load(&path, &Catalog::embedded(), &seeded).unwrap();
    assert_eq!(loaded.cases[0].case.seed, 9);
}

#[test]
fn faults_as_json_carry_code_place_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, BASE.replace("nodes", "nods")).unwrap();
    let faults = scenario::load(&path, &Catalog::embedded(), &Overrides::default()).unwrap_err();
    let json = faults[0].to_json();
    assert_eq!(json["code"], "scenario::missing-key");
    let json = faults
        .iter()
        .find(|f| f.code == "scenario::unknown-key")
        .unwrap()
        .to_json();
    assert_eq!(json["severity"], "error");
    assert_eq!(json["labels"][0]["line"], 6);
    assert_eq!(json["labels"][0]["column"], 1);
    assert_eq!(json["help"][0], "did you mean `node` or `nodes`?");
}

/// The software generations all fit the key table's words.
#[test]
fn every_software_profile_resolves() {
    let catalog = Catalog::embedded();
    let ids = catalog.list("software").unwrap();
    assert!(ids.len() >= 7);
    for id in ids {
        load(&[("a.toml", BASE)], &[("software.profile", id)]);
    }
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/scenario.schema.json");
    if std::env::var_os("STRAIT_UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, schema::text()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == schema::text(),
        "docs/schema/scenario.schema.json is not current: run this test with STRAIT_UPDATE_SCHEMA=1"
    );
}

#[test]
fn every_default_of_the_key_table_can_be_read() {
    // A default that can't be read would silently be none.
    fn walk(section: &scenario::keys::Section, out: &mut Vec<String>) {
        use scenario::keys::Kind;
        for key in section.keys {
            let Some(default) = key.default.filter(|d| !d.value.is_empty()) else {
                if let Kind::Table(inner) | Kind::Tables(inner) = key.kind
                    && inner.title != section.title
                {
                    walk(inner, out);
                }
                continue;
            };
            let ok = match key.kind {
                Kind::Choice(list) | Kind::WordOrList(list, _) => {
                    list.iter().any(|c| c.name == default.value)
                }
                Kind::Count { none, .. } => {
                    default.value.parse::<u64>().is_ok() || (none && default.value == "none")
                }
                Kind::Number { .. } => default.value.parse::<f64>().is_ok(),
                Kind::Bool => default.value.parse::<bool>().is_ok(),
                Kind::Catalogue(kind) => Catalog::embedded().contains(kind, default.value),
                Kind::Quantity { dimension, .. } => match dimension {
                    scenario::Dimension::Time => {
                        default.value.parse::<strait_units::Time>().is_ok()
                    }
                    scenario::Dimension::Tokens => {
                        default.value.parse::<strait_units::Tokens>().is_ok()
                    }
                    _ => false,
                },
                Kind::WordOrQuantity { words, .. } => {
                    words.iter().any(|word| word.name == default.value)
                }
                _ => false,
            };
            if !ok || default.why.is_empty() || key.doc.is_empty() {
                out.push(format!("{} {}", section.title, key.name));
            }
        }
    }
    let mut problems = Vec::new();
    walk(&scenario::keys::ROOT, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
}
