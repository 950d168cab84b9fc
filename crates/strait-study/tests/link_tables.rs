//! Communication times against measured tables.
//!
//! In: `data/collectives.csv` (public sweeps and asymptotes, each with its source), the published
//! bandwidths of DeepEP, the DeepSeek trace. Out: residuals by sweep and size band, held to bounds.
//! Step times are never among them: links are calibrated and tested on links.
//!
//! `cargo test -p strait-study --test link_tables -- --nocapture` prints the tables.

use std::collections::BTreeMap;
use strait_training::case::Dispatcher;
use strait_training::hardware::{Accelerator, Cluster, Fabric, Node, Peaks, ScaleUp, Transport};
use strait_training::links::{CollectiveKind, Direction, Exchange, GroupShape, LinkProfile, Links};
use strait_units::{Bandwidth, Bytes, Power, Ratio};

/// Profiles as the catalogue gives them.
fn profile(id: &str) -> LinkProfile {
    let text = match id {
        "ampere" => include_str!("../../../catalog/links/ampere.toml"),
        "ascend" => include_str!("../../../catalog/links/ascend.toml"),
        "blackwell" => include_str!("../../../catalog/links/blackwell.toml"),
        "cdna3" => include_str!("../../../catalog/links/cdna3.toml"),
        "generic" => include_str!("../../../catalog/links/generic.toml"),
        "hopper" => include_str!("../../../catalog/links/hopper.toml"),
        "pcie" => include_str!("../../../catalog/links/pcie.toml"),
        "tpu" => include_str!("../../../catalog/links/tpu.toml"),
        "volta" => include_str!("../../../catalog/links/volta.toml"),
        other => panic!("no profile {other}"),
    };
    let mut tree: toml::Table = toml::from_str(text).expect("catalogue file parses");
    tree.remove("sources");
    stripped(toml::Value::Table(tree))
        .try_into()
        .expect("a link profile")
}

/// Facts replaced by their values, quantities by numbers in base units.
fn stripped(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Table(mut table) => match table.remove("value") {
            Some(fact) => stripped(fact),
            None => toml::Value::Table(
                table
                    .into_iter()
                    .map(|(key, value)| (key, stripped(value)))
                    .collect(),
            ),
        },
        toml::Value::String(text) => {
            match text.rsplit_once(' ').map(|(n, u)| (n.parse::<f64>(), u)) {
                Some((Ok(n), "us")) => toml::Value::Integer((n * 1e6).round() as i64),
                Some((Ok(n), "ms")) => toml::Value::Integer((n * 1e9).round() as i64),
                Some((Ok(n), "GB/s")) => toml::Value::Float(n * 1e9),
                _ => toml::Value::String(text),
            }
        }
        other => other,
    }
}

/// A cluster with nothing but links.
struct Bench {
    scale_up: f64,
    domain: u32,
    nic: f64,
    transport: Transport,
    in_switch: bool,
}

impl Bench {
    fn cluster(&self, ranks: u32) -> Cluster {
        Cluster {
            accelerator: Accelerator {
                id: "bench".into(),
                name: "bench".into(),
                peaks: Peaks::default(),
                compute_units: 132,
                memory: Bytes::new(80_000_000_000),
                memory_bandwidth: Bandwidth::new(3.35e12),
                scale_up: Bandwidth::new(self.scale_up * 1e9),
                tdp: Power::new(700.0),
                price: None,
                rent: None,
                kernels: String::new(),
                links: String::new(),
            },
            node: Node {
                id: "bench".into(),
                accelerators: self.domain,
                scale_up: ScaleUp::Switched,
                in_network_reduction: self.in_switch,
                nic_bandwidth: Bandwidth::new(self.nic * 1e9),
                overhead_power: Power::ZERO,
            },
            nodes: ranks.div_ceil(self.domain),
            fabric: Fabric {
                id: "bench".into(),
                transport: self.transport,
                planes: 8,
                layers: 2,
                radix: 64,
                oversubscription: 1.0,
                pod: None,
            },
        }
    }
}

/// A row of the table.
struct Row {
    sweep: String,
    large: bool,
    role: String,
    model: f64,
    measured: f64,
    band: &'static str,
}

fn rows() -> Vec<Row> {
    let mut profiles = BTreeMap::new();
    include_str!("data/collectives.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let f: Vec<&str> = line.split(',').collect();
            let number = |i: usize| f[i].parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
            let bench = Bench {
                scale_up: number(5),
                domain: number(6) as u32,
                nic: number(7),
                transport: match f[8] {
                    "infiniband" => Transport::Infiniband,
                    "efa_v1" => Transport::EfaV1,
                    "efa_v2" => Transport::EfaV2,
                    other => panic!("{other}"),
                },
                in_switch: f[9] == "1",
            };
            let kind = match f[10] {
                "all_reduce" => CollectiveKind::AllReduce,
                "all_gather" => CollectiveKind::AllGather,
                "reduce_scatter" => CollectiveKind::ReduceScatter,
                "all_to_all" => CollectiveKind::AllToAll,
                other => panic!("{other}"),
            };
            let ranks = number(11) as u32;
            let bytes = number(13);
            let cluster = bench.cluster(ranks);
            let profile = profiles
                .entry(f[4].to_owned())
                .or_insert_with(|| profile(f[4]));
            let links = Links::new(&cluster, profile).expect("sound");
            let group = GroupShape::spread(ranks, number(12) as u32);
            let model = links
                .collective(kind, Bytes::from_f64(bytes), group)
                .seconds()
                * 1e6;
            let mebibytes = bytes / 1_048_576.0;
            Row {
                sweep: format!("{} {} n={} {}", f[0], f[3], f[11], f[10]),
                large: mebibytes >= 64.0,
                role: f[16].to_owned(),
                model,
                measured: number(14),
                band: match mebibytes {
                    m if m < 1.0 => "<1MiB",
                    m if m < 64.0 => "1-64MiB",
                    _ => ">=64MiB",
                },
            }
        })
        .collect()
}

impl Row {
    /// |ln(model / measured)| in per cent.
    fn residual(&self) -> f64 {
        100.0 * (self.model / self.measured).ln().abs()
    }
}

/// Median and 90th percentile.
fn quantiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let x = q * (values.len() - 1) as f64;
        let low = values[x.floor() as usize];
        low + (values[x.ceil() as usize] - low) * x.fract()
    };
    (at(0.5), at(0.9))
}

#[test]
fn sweeps_of_collectives() {
    let rows = rows();
    let mut bands: BTreeMap<(String, &str), Vec<f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.role == "sweep") {
        bands
            .entry((row.sweep.clone(), row.band))
            .or_default()
            .push(row.residual());
    }
    for ((sweep, band), residuals) in bands {
        let (median, p90) = quantiles(residuals.clone());
        println!(
            "{sweep:70} {band:8} {:3}  {median:5.1} / {p90:5.1}",
            residuals.len()
        );
    }
    for row in rows.iter().filter(|row| row.role != "sweep") {
        println!(
            "{:70} {:10} {:5.1} %  ({:.0} us against {:.0})",
            row.sweep,
            row.role,
            100.0 * (row.model / row.measured).ln(),
            row.model,
            row.measured
        );
    }
    let large = |role: &str| -> Vec<f64> {
        rows.iter()
            .filter(|r| r.large && r.role == role)
            .map(Row::residual)
            .collect()
    };
    let (median, p90) = quantiles(large("sweep"));
    println!("large sweeps: {median:.1} / {p90:.1}");
    assert!(
        median <= 3.0 && p90 <= 9.0,
        "large sizes: {median:.1} / {p90:.1} %"
    );
}
