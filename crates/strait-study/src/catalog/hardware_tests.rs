//! The shipped hardware against published figures, and against the usual traps:
//! sparse peaks, both-ways bandwidths, boards of two.

use super::*;
use strait_training::hardware::{ScaleUp, Transport};
use strait_units::{Bandwidth, FlopRate};

fn shipped() -> Catalog {
    Catalog::embedded()
}

#[test]
fn accelerators_have_their_published_figures() {
    // (id, units, dense BF16, dense FP8, memory GB as sold, memory bandwidth, scale-up one way, TDP)
    // NVIDIA: A100, H100, H200, B200, GB200 NVL72, L40S datasheets; H800 and H20: arXiv:2505.09343
    // and press; AMD: MI300X and MI325X datasheets; Google: TPU v5p documentation; Huawei:
    // public die and profiler figures of the 910B2, arXiv:2506.12708 for the 910C.
    #[rustfmt::skip]
    let table = [
        ("a100-sxm-40", 108, "312 TFLOPS", None, 40.0, "1555 GB/s", "300 GB/s", 400.0),
        ("a100-sxm-80", 108, "312 TFLOPS", None, 80.0, "2039 GB/s", "300 GB/s", 400.0),
        ("a800-sxm-80", 108, "312 TFLOPS", None, 80.0, "2039 GB/s", "200 GB/s", 400.0),
        ("h100-sxm", 132, "989.4 TFLOPS", Some("1978.9 TFLOPS"), 80.0, "3.35 TB/s", "450 GB/s", 700.0),
        ("h100-pcie", 114, "756 TFLOPS", Some("1513 TFLOPS"), 80.0, "2039 GB/s", "64 GB/s", 350.0),
        ("h800-sxm", 132, "989.4 TFLOPS", Some("1978.9 TFLOPS"), 80.0, "3.35 TB/s", "200 GB/s", 700.0),
        ("h200-sxm", 132, "989.4 TFLOPS", Some("1978.9 TFLOPS"), 141.0, "4.8 TB/s", "450 GB/s", 700.0),
        ("h20-96", 78, "148 TFLOPS", Some("296 TFLOPS"), 96.0, "4 TB/s", "450 GB/s", 400.0),
        ("b200", 148, "2250 TFLOPS", Some("4500 TFLOPS"), 180.0, "8 TB/s", "900 GB/s", 1000.0),
        ("gb200", 148, "2500 TFLOPS", Some("5000 TFLOPS"), 186.0, "8 TB/s", "900 GB/s", 1200.0),
        ("gb300", 148, "2500 TFLOPS", Some("5000 TFLOPS"), 288.0, "8 TB/s", "900 GB/s", 1400.0),
        ("l40s", 142, "362 TFLOPS", Some("733 TFLOPS"), 48.0, "864 GB/s", "32 GB/s", 350.0),
        ("mi300x", 304, "1307.4 TFLOPS", Some("2614.9 TFLOPS"), 192.0, "5.3 TB/s", "448 GB/s", 750.0),
        ("mi325x", 304, "1307.4 TFLOPS", Some("2614.9 TFLOPS"), 256.0, "6 TB/s", "448 GB/s", 1000.0),
        ("ascend910b2", 24, "353.9 TFLOPS", None, 64.0, "1.6 TB/s", "196 GB/s", 400.0),
        ("ascend910c", 48, "752 TFLOPS", None, 128.0, "3.2 TB/s", "392 GB/s", 700.0),
        ("tpuv5p", 2, "459 TFLOPS", Some("459 TFLOPS"), 95.0, "2765 GB/s", "600 GB/s", 350.0),
    ];
    let catalog = shipped();
    for (id, units, bf16, fp8, gigabytes, memory_bandwidth, scale_up, tdp) in table {
        let chip = catalog.accelerator(id).unwrap();
        let rate = |text: &str| Some(text.parse::<FlopRate>().unwrap());
        assert_eq!(chip.compute_units, units, "{id}");
        assert_eq!(chip.peaks.bf16, rate(bf16), "{id}");
        assert_eq!(chip.peaks.fp8, fp8.and_then(rate), "{id}");
        // What a device reports differs from what it is sold as: binary units, reserved parts.
        let sold = chip.memory.gigabytes() / gigabytes;
        assert!((0.98..1.08).contains(&sold), "{id}: {}", chip.memory);
        assert_eq!(
            chip.memory_bandwidth,
            memory_bandwidth.parse::<Bandwidth>().unwrap(),
            "{id}"
        );
        assert_eq!(
            chip.scale_up,
            scale_up.parse::<Bandwidth>().unwrap(),
            "{id}"
        );
        assert_eq!(chip.tdp.get(), tdp, "{id}");
    }
}

#[test]
fn the_export_cut_of_the_h800_and_a800_is_in_the_scale_up_links_only() {
    let catalog = shipped();
    for (full, cut, name) in [
        ("h100-sxm", "h800-sxm", "H800"),
        ("a100-sxm-80", "a800-sxm-80", "A800"),
    ] {
        let (full, cut) = (
            catalog.accelerator(full).unwrap(),
            catalog.accelerator(cut).unwrap(),
        );
        assert!(cut.name.contains(name));
        assert!(cut.scale_up.get() < full.scale_up.get());
        let mut restored = cut.clone();
        restored.scale_up = full.scale_up;
        restored.id.clone_from(&full.id);
        restored.name.clone_from(&full.name);
        restored.price = full.price;
        restored.rent = full.rent;
        // The two devices report their memory within 0.2 % of each other.
        assert!((cut.memory.as_f64() / full.memory.as_f64() - 1.0).abs() < 0.002);
        restored.memory = full.memory;
        assert_eq!(restored, full);
    }
    let fp64 = |id: &str| {
        catalog
            .show("accelerators", id)
            .unwrap()
            .fact("peaks.fp64")
            .unwrap()
            .value
            .clone()
    };
    assert_eq!(
        (fp64("h100-sxm").as_str(), fp64("h800-sxm").as_str()),
        ("33.5 TFLOPS", "1 TFLOPS")
    );
}

#[test]
fn every_accelerator_loads_or_says_what_it_lacks() {
    // Chips without public compute or power figures: in the catalogue for prices and rules.
    const REFERENCE_ONLY: [&str; 15] = [
        "ascend950dt",
        "ascend950pr",
        "b100",
        "b30a",
        "br100",
        "gaudi3-cn",
        "hygon-k100ai",
        "kunlun-p800",
        "kunlun-r200",
        "l2",
        "mi308x",
        "mlu370x8",
        "mlu590",
        "rtx5090dv2",
        "rtxpro6000d",
    ];
    let catalog = shipped();
    let ids = catalog.list(ACCELERATORS).unwrap();
    assert!(ids.len() >= 59);
    let mut refused = Vec::new();
    for id in ids {
        match catalog.accelerator(id) {
            Ok(chip) => {
                assert!(chip.scale_up.get() > 0.0, "{id}");
                let profiles = [
                    "ampere",
                    "hopper",
                    "blackwell",
                    "cdna3",
                    "ascend",
                    "tpu",
                    "ada",
                ];
                assert!(
                    profiles.contains(&chip.kernels.as_str()),
                    "{id}: {}",
                    chip.kernels
                );
                let profiles = [
                    "ampere",
                    "hopper",
                    "blackwell",
                    "pcie",
                    "cdna3",
                    "ascend",
                    "tpu",
                ];
                assert!(
                    profiles.contains(&chip.links.as_str()),
                    "{id}: {}",
                    chip.links
                );
            }
            Err(CatalogError::Incomplete { missing, .. }) => {
                assert!(!missing.is_empty());
                refused.push(id);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, REFERENCE_ONLY);
    let error = catalog.accelerator("b30a").unwrap_err().to_string();
    assert!(
        error.contains("b30a in accelerators is listed for reference only"),
        "{error}"
    );
    assert!(error.contains("tdp"), "{error}");
}

#[test]
fn default_clusters_exist_and_suit_the_accelerator() {
    let catalog = shipped();
    for id in catalog.list(ACCELERATORS).unwrap() {
        let Ok(chip) = catalog.accelerator(id) else {
            continue;
        };
        match catalog.default_cluster(id) {
            Ok((node, fabric)) => {
                let node = catalog.node(&node).unwrap();
                catalog.fabric(&fabric).unwrap();
                assert!(
                    node.nic_bandwidth.get() < chip.scale_up.get() * 1.6,
                    "{id} on {}",
                    node.id
                );
                assert_eq!(
                    node.scale_up == ScaleUp::Pcie,
                    chip.links == "pcie" && node.accelerators == 8,
                    "{id}"
                );
            }
            Err(CatalogError::Incomplete { .. }) => assert_eq!(id, "gaudi2-cn"),
            Err(error) => panic!("{error}"),
        }
    }
    let defaults = |id: &str| catalog.default_cluster(id).unwrap();
    assert_eq!(
        defaults("h800-sxm"),
        ("hgx-h800".to_owned(), "multi-plane-fat-tree".to_owned())
    );
    assert_eq!(
        defaults("gb200"),
        ("gb200-nvl72".to_owned(), "nvl72-fabric".to_owned())
    );
}

#[test]
fn nodes_have_their_published_network_and_power() {
    // Network of one accelerator, one way; node power of DGX A100 6.5 kW, DGX H100 10.2 kW,
    // DGX B200 14.3 kW (NVIDIA user guides), NVL72 132 kW, CloudMatrix384 559 kW.
    let table = [
        ("hgx-a100", "a100-sxm-80", 8, "25 GB/s", Some(6_500.0)),
        ("hgx-a100-omni-path", "a100-sxm-80", 8, "50 Gb/s", None),
        ("hgx-a100-4x200g", "a100-sxm-80", 8, "100 Gb/s", None),
        ("aws-p4d", "a100-sxm-40", 8, "50 Gb/s", None),
        ("hgx-h100", "h100-sxm", 8, "50 GB/s", Some(10_200.0)),
        ("aws-p5", "h100-sxm", 8, "50 GB/s", None),
        ("hgx-h800", "h800-sxm", 8, "50 GB/s", Some(10_200.0)),
        ("hgx-b200", "b200", 8, "50 GB/s", Some(14_300.0)),
        ("hgx-b300", "b300", 8, "100 GB/s", None),
        ("gb200-nvl72", "gb200", 72, "50 GB/s", Some(132_000.0)),
        ("gb300-nvl72", "gb300", 72, "100 GB/s", None),
        (
            "cloudmatrix384",
            "ascend910c",
            384,
            "50 GB/s",
            Some(559_000.0),
        ),
        ("ascend-atlas-a2", "ascend910b2", 8, "25 GB/s", None),
        ("mi300x-oam", "mi300x", 8, "50 GB/s", None),
    ];
    let catalog = shipped();
    for (id, chip, accelerators, nic, power) in table {
        let (node, chip) = (
            catalog.node(id).unwrap(),
            catalog.accelerator(chip).unwrap(),
        );
        assert_eq!(node.accelerators, accelerators, "{id}");
        let nic: Bandwidth = nic.parse().unwrap();
        assert!(
            (node.nic_bandwidth / nic - 1.0).abs() < 1e-12,
            "{id}: {}",
            node.nic_bandwidth
        );
        if let Some(watts) = power {
            let total = (chip.tdp + node.overhead_power).get() * f64::from(accelerators);
            assert!((total / watts - 1.0).abs() < 0.001, "{id}: {total} W");
        }
    }
    for id in catalog.list(NODES).unwrap() {
        let node = catalog.node(id).unwrap();
        assert!(
            node.overhead_power.get() > 0.0 && node.nic_bandwidth.get() > 0.0,
            "{id}"
        );
    }
    assert!(catalog.node("hgx-h800").unwrap().in_network_reduction);
    assert!(!catalog.node("hgx-a100").unwrap().in_network_reduction);
    assert_eq!(catalog.node("mi300x-oam").unwrap().scale_up, ScaleUp::Mesh);
}

#[test]
fn fabrics_have_their_published_shape() {
    let catalog = shipped();
    for id in catalog.list(FABRICS).unwrap() {
        catalog.fabric(id).unwrap();
    }
    // arXiv:2505.09343, table 3: eight planes of two layers, 64 ports: 2,048 endpoints a plane.
    let planes = catalog.fabric("multi-plane-fat-tree").unwrap();
    assert_eq!((planes.planes, planes.layers, planes.radix), (8, 2, 64));
    assert_eq!(planes.radix * planes.radix / 2, 2_048);
    // arXiv:2407.21783, section 3.3.1.
    let meta = catalog.fabric("roce-clos-pod").unwrap();
    assert_eq!(
        (meta.transport, meta.pod),
        (Transport::Roce, Some((3_072, 7.0)))
    );
    assert_eq!(
        catalog.fabric("efa-v1").unwrap().transport,
        Transport::EfaV1
    );
    assert_eq!(
        catalog.fabric("omni-path").unwrap().transport,
        Transport::OmniPath
    );
}

#[test]
fn money_has_defaults() {
    let catalog = shipped();
    // arXiv:2412.19437: "assuming the rental price of the H800 GPU is $2 per GPU hour".
    assert_eq!(
        catalog.accelerator("h800-sxm").unwrap().rent.unwrap().get(),
        2.0
    );
    let home = catalog.economics("default").unwrap();
    assert_eq!(home.pue.get(), 1.25);
    assert_eq!(catalog.power("generic").unwrap().loaded.get(), 0.75);
    assert_eq!(
        catalog.economics("china").unwrap().electricity.to_string(),
        "0.054 USD/kWh"
    );
}
