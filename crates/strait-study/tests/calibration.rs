//! The catalogue's fitted values are what the calibration gives.
//!
//! In: `catalog/measurements`, the profiles. Out: whether a fresh fit gives every fitted leaf, to the
//! last letter. Step times appear nowhere.

use strait_study::calibrate::{self, CalibrateError, Family, Own};
use strait_study::catalog::Catalog;

#[test]
fn a_fresh_calibration_gives_the_catalogue() {
    let catalog = Catalog::embedded();
    let done = calibrate::shipped(&catalog).unwrap_or_else(|e| panic!("{e}"));
    let wrong: Vec<String> = (done.disagreements().iter())
        .map(|p| {
            format!(
                "{} {}: the catalogue has {}, the fit gives {}",
                p.profile, p.key, p.catalogue, p.fitted
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "values that no table gives; `strait calibrate --out catalog` writes the fitted ones:\n{}",
        wrong.join("\n")
    );
    // Notes tell the rows and residuals of the same fit.
    for (path, text) in &done.files {
        let (kind, file) = path.split_once('/').unwrap();
        let shipped = catalog.text(kind, file.trim_end_matches(".toml")).unwrap();
        for (ours, fresh) in shipped.lines().zip(text.lines()) {
            assert_eq!(ours, fresh, "{path}");
        }
        assert_eq!(shipped.lines().count(), text.lines().count(), "{path}");
    }
    assert!(done.fits.len() > 30, "{}", done.fits.len());
    for family in Family::ALL {
        assert!(
            done.residuals.iter().any(|r| r.family == family),
            "{family:?}"
        );
    }
    // Nothing of the profiles is left out in silence.
    let facts: usize = ["kernels", "links"]
        .iter()
        .flat_map(|kind| {
            catalog
                .list(kind)
                .unwrap()
                .into_iter()
                .map(move |id| (kind, id))
        })
        .map(|(kind, id)| catalog.show(kind, id).unwrap().facts.len())
        .sum();
    let mut fitted: Vec<(String, String)> = (done.fits.iter().flat_map(|f| &f.parameters))
        .filter(|p| !p.checked)
        .map(|p| {
            (
                p.profile.clone(),
                p.key
                    .split("in_switch_gain[")
                    .next()
                    .unwrap_or("")
                    .to_owned(),
            )
        })
        .collect();
    fitted.sort();
    fitted.dedup();
    assert_eq!(facts, fitted.len() + done.carried.len());
}

#[test]
fn a_value_changed_by_hand_is_found() {
    let root = tempfile::tempdir().unwrap();
    copy("../../catalog".as_ref(), root.path());
    let file = root.path().join("kernels/hopper.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replacen(
        "rate = { value = \"1320 TFLOPS\"",
        "rate = { value = \"1420 TFLOPS\"",
        1,
    );
    assert_ne!(text, changed);
    std::fs::write(&file, changed).unwrap();
    let catalog = Catalog::from_dir(root.path()).unwrap();
    let done = calibrate::shipped(&catalog).unwrap();
    let wrong = done.disagreements();
    assert!(
        wrong
            .iter()
            .any(|p| p.key == "tensor.fp8_block.rate" && p.fitted == "1320 TFLOPS")
    );
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(&place).unwrap();
            copy(&path, &place);
        } else {
            std::fs::copy(&path, &place).unwrap();
        }
    }
}

/// Bounds on residuals of held-out tables: what a change of the physics must not worsen.
#[test]
fn held_out_tables_are_close() {
    let list = calibrate::residuals(&Catalog::embedded()).unwrap();
    let find = |table: &str| {
        list.iter()
            .find(|r| r.table == table && r.held_out)
            .unwrap_or_else(|| panic!("no held-out table {table}"))
    };
    for (table, median) in [
        ("trace grouped", 0.04),
        ("DeepGEMM 2025-02 dense", 0.04),
        ("DeepGEMM 2025-02 grouped", 0.03),
        ("Azure H200 FP8", 0.03),
        ("HGX H800 all-reduce", 0.02),
        ("arXiv:2505.09343 Fig. 7", 0.03),
    ] {
        let found = find(table);
        assert!(found.median.get() <= median, "{table}: {found:?}");
    }
}

fn own(name: &str, tables: &[(&str, String)]) -> Result<calibrate::Calibration, CalibrateError> {
    calibrate::own(
        &Catalog::embedded(),
        &Own {
            name: name.into(),
            accelerator: "h100-sxm".into(),
            like: "hopper".into(),
            tables: (tables.iter())
                .map(|(f, t)| ((*f).to_owned(), t.clone()))
                .collect(),
            date: "2026-11-28".into(),
        },
    )
}

/// Twenty products at 600 TFLOPS.
fn products() -> String {
    let mut text = "operand,m,n,k,measured_us\n".to_owned();
    for size in 1..=20_u64 {
        let (m, n, k) = (4096 * size, 8192, 8192);
        let us = 2.0 * (m * n * k) as f64 / 600e12 * 1e6 + 3.0;
        text += &format!("bf16,{m},{n},{k},{us:.2}\n");
    }
    text
}

#[test]
fn a_users_machine_gets_complete_profiles() {
    let sweep = "collective,ranks,bytes,time_us\nall_gather,8,17179869184,47000\n".to_owned();
    let done = own(
        "my-cluster",
        &[("mine.csv", products()), ("nccl.csv", sweep)],
    )
    .unwrap();
    let root = tempfile::tempdir().unwrap();
    copy("../../catalog".as_ref(), root.path());
    for (path, text) in &done.files {
        std::fs::write(root.path().join(path), text).unwrap();
    }
    let catalog = Catalog::from_dir(root.path()).unwrap();
    let entry = catalog.show("kernels", "my-cluster").unwrap();
    assert_eq!(entry.name, "my-cluster");
    let bound = entry.fact("tensor.bf16.power_bound").unwrap();
    assert!(
        bound.source.contains("mine.csv") && bound.date == "2026-11-28",
        "{bound:?}"
    );
    assert!(
        bound.note.as_ref().unwrap().contains("20 rows"),
        "{bound:?}"
    );
    // What the table does not cover keeps its source.
    let carried = entry.fact("memory.custom.cast").unwrap();
    assert!(carried.source.contains("deepseek-ai"), "{carried:?}");
    let links = catalog.show("links", "my-cluster").unwrap();
    assert!(
        links
            .fact("ring_efficiency")
            .unwrap()
            .source
            .contains("nccl.csv")
    );
    let _: strait_training::kernels::KernelProfile = catalog.load("kernels", "my-cluster").unwrap();
    let _: strait_training::links::LinkProfile = catalog.load("links", "my-cluster").unwrap();
    let table = &done.residuals[0];
    assert!(table.median.get() < 0.02, "{table:?}");
}

#[test]
fn what_is_wrong_is_said_with_line_and_remedy() {
    for (text, words) in [
        ("", "columns"),
        (
            "operand,m,n,k,measured_us\n",
            "mine.csv:1: the table has a header and no row",
        ),
        (
            "operand,m,n,measured_us\nbf16,1,1,1\n",
            "mine.csv:1: the header lacks k",
        ),
        (
            "operand,m,n,k,measured_us\nbf16,1,1,1,-3\n",
            "mine.csv:2: `measured_us` is -3",
        ),
        (
            "operand,m,n,k,measured_us\nbf16,1,1,1,fast\n",
            "mine.csv:2: `measured_us` is \"fast\", not a number",
        ),
        (
            "operand,m,n,k,measured_us\nbf16,1,1,1,nan\n",
            "mine.csv:2: `measured_us` is nan",
        ),
        (
            "operand,m,n,k,measured_us\nbf16,0,1,1,3\n",
            "mine.csv:2: `m` is \"0\"",
        ),
        (
            "operand,m,n,k,measured_us\nfp4,1,1,1,3\n",
            "mine.csv:2: `operand` is \"fp4\"",
        ),
        (
            "operand,m,n,k,measured_us\nmxfp8,1,1,1,3\n",
            "mine.csv:2: mxfp8 products are not known",
        ),
        (
            "operand,m,n,k,measured_us,accelerator\nbf16,1,1,1,3,h10\n",
            "mine.csv:2: the catalogue has no \"h10\"",
        ),
        (
            "operand,m,n,k,measured_us,accelerator\nbf16,1,1,1,3,a100-sxm-80\n",
            "mine.csv:2: the row is of the profile ampere",
        ),
        (
            "operand,m,n,k,measured_us,role\nbf16,1,1,1,3,held-out\n",
            "no parameter can be fitted",
        ),
        (
            "collective,ranks,bytes,time_us\nall_reduce,1,8,3\n",
            "mine.csv:2: `ranks` is 1",
        ),
        (
            "ranks,nodes,direction,tokens,hidden,measured_us\n9,4,dispatch,1,1,3\n",
            "mine.csv:2",
        ),
    ] {
        let error = own("x", &[("mine.csv", text.to_owned())])
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{text:?}: {error}");
        assert!(error.contains("help:"), "{error}");
    }
    assert!(matches!(
        own("../x", &[("t", products())]),
        Err(CalibrateError::Name(_))
    ));
}

#[test]
fn a_scenario_takes_a_profile_from_a_file() {
    use strait_study::scenario;
    let root = tempfile::tempdir().unwrap();
    let done = own("mine", &[("mine.csv", products())]).unwrap();
    for (path, text) in &done.files {
        let place = root.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
    let base = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scenarios/tutorial/first-step.toml"
    );
    let file = root.path().join("s.toml");
    let load = |kernels: &str| {
        let text = format!("extends = \"{base}\"\n[cluster]\nkernels = \"{kernels}\"\n");
        std::fs::write(&file, text).unwrap();
        scenario::load(&file, &Catalog::embedded(), &scenario::Overrides::default())
    };
    let loaded = load("kernels/mine.toml").unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(loaded.cases[0].case.kernels.id, "mine");
    let named = load("blackwell").unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(named.cases[0].case.kernels.id, "blackwell");
    assert!(load("blackwel").is_err());
    assert!(load("kernels/none.toml").is_err());
    std::fs::write(root.path().join("kernels/mine.toml"), "name = \"x\"\n").unwrap();
    let error = format!("{:?}", load("kernels/mine.toml").map(|_| ()).unwrap_err());
    assert!(error.contains("scenario::profile"), "{error}");
}

/// What intervals take from the calibration is what the calibration says: the root mean square bias
/// of the tables of each kind that no fit has seen, to three digits.
#[test]
fn uncertainties_are_those_of_held_out_tables() {
    use strait_study::calibrate::Family;
    let catalog = Catalog::embedded();
    let residuals = strait_study::calibrate::residuals(&catalog).expect("the shipped tables");
    let entry = catalog
        .show("uncertainty", "default")
        .expect("the catalogue's own");
    for (key, family) in [
        ("kernels.gemm", Family::Gemm),
        ("kernels.attention", Family::Attention),
        ("links.collective", Family::Collective),
        ("links.exchange", Family::Exchange),
    ] {
        let squares: Vec<f64> = (residuals.iter())
            .filter(|table| table.held_out && table.family == family)
            .map(|table| table.bias.get() * table.bias.get())
            .collect();
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        let found = format!("{:.3}", mean.sqrt());
        let stated = &entry.fact(key).expect("a fact").value;
        let stated: f64 = stated.parse().expect("a number");
        assert_eq!(found, format!("{stated:.3}"), "{key}");
    }
}
