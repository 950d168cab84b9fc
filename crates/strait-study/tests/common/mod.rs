//! Catalogued models and embedded configs for the tests of models.

pub mod config;

use strait_study::models::ModelFile;
use strait_training::model::Model;

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog/models")
}

/// All ids of catalogued models, sorted.
pub fn catalog_ids() -> Vec<String> {
    let mut ids: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// A catalogued model.
pub fn catalog_model(id: &str) -> Model {
    let text = std::fs::read_to_string(folder().join(format!("{id}.toml"))).unwrap();
    let mut table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{id}: {error}"));
    table.remove("sources");
    let file: ModelFile = toml::Value::Table(strip(table))
        .try_into()
        .unwrap_or_else(|error| panic!("{id}: {error}"));
    Model::try_from(file).unwrap_or_else(|error| panic!("{id}: {error}"))
}

/// Facts replaced by their values.
fn strip(table: toml::Table) -> toml::Table {
    let stripped = |value| match value {
        toml::Value::Table(mut inner) => match inner.remove("value") {
            Some(value) => value,
            None => toml::Value::Table(strip(inner)),
        },
        other => other,
    };
    table.into_iter().map(|(key, value)| (key, stripped(value))).collect()
}
