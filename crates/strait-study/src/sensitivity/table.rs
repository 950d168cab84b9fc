//! A sensitivity study as CSV.
//!
//! In: a [`SensitivityDocument`]. Out: file names and contents: every value tried, and the grid. Never
//! rounds.

use super::document::SensitivityDocument;

/// Every value of every input, one quantity a line; then the grid, where there is one.
pub fn files(document: &SensitivityDocument) -> Vec<(String, String)> {
    let mut rows = vec![
        [
            "input", "source", "value", "number", "way", "quantity", "result", "unit",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let word = |value: serde_json::Result<serde_json::Value>| {
        value
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    for input in &document.inputs {
        for point in &input.points {
            for (metric, value) in document.metrics.iter().zip(&point.quantities) {
                rows.push(vec![
                    input.input.clone(),
                    word(serde_json::to_value(input.source)),
                    point.input.clone(),
                    number(point.value),
                    word(serde_json::to_value(input.way)),
                    metric.quantity.clone(),
                    number(*value),
                    metric.unit.clone(),
                ]);
            }
        }
    }
    let mut files = vec![("sensitivity.csv".to_owned(), csv(&rows))];
    if let Some(grid) = &document.grid {
        let mut rows = vec![vec![
            grid.x.input.clone(),
            grid.y.input.clone(),
            "quantity".to_owned(),
            "result".to_owned(),
            "unit".to_owned(),
        ]];
        for (metric, cells) in document.metrics.iter().zip(&grid.cells) {
            for (y, row) in grid.y.inputs.iter().zip(cells) {
                for (x, value) in grid.x.inputs.iter().zip(row) {
                    rows.push(vec![
                        x.clone(),
                        y.clone(),
                        metric.quantity.clone(),
                        number(*value),
                        metric.unit.clone(),
                    ]);
                }
            }
        }
        files.push(("sensitivity-grid.csv".to_owned(), csv(&rows)));
    }
    files
}

fn csv(rows: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Memory takes everything, and all rows are of one length.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
