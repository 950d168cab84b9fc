//! What must hold for any profile: work and resources in their proper order, scaling, errors.
//!
//! The profile here has round numbers on purpose: measured tables are compared in
//! `strait-study`, where the catalogue is.

use super::profile::*;
use super::*;
use crate::case::AttentionKernel;
use crate::hardware::Peaks;
use proptest::prelude::*;
use std::collections::BTreeMap;
use strait_units::{Bandwidth, Power, Ratio};

fn tflops(value: f64) -> FlopRate {
    FlopRate::new(value * 1e12)
}

fn accelerator() -> Accelerator {
    Accelerator {
        id: "round".into(),
        name: "Round".into(),
        peaks: Peaks {
            fp16: Some(tflops(1000.0)),
            bf16: Some(tflops(1000.0)),
            fp8: Some(tflops(2000.0)),
            fp4: None,
        },
        compute_units: 100,
        memory: Bytes::new(80_000_000_000),
        memory_bandwidth: Bandwidth::new(3e12),
        scale_up: Bandwidth::new(450e9),
        host_bandwidth: None,
        tdp: Power::new(700.0),
        price: None,
        rent: None,
        kernels: "round".into(),
        links: "round".into(),
    }
}

fn tensor(rate: f64, tiles: TileSet) -> TensorFacts {
    TensorFacts {
        rate: tflops(rate),
        rate_basis: Basis::ShortRuns,
        power_bound: Some(tflops(rate * 0.8)),
        power_basis: Basis::Sustained,
        tile_epilogue: (tiles == TileSet::Library).then_some(Time::from_micros(1.0)),
        store_bandwidth: (tiles == TileSet::Square).then_some(Bandwidth::new(2e12)),
        start: Time::from_micros(2.0),
        wave_weight: Ratio::new(if tiles == TileSet::Square { 1.0 } else { 0.5 }),
        tiles,
        half_tile: Ratio::new(0.9),
        quarter_tile: Ratio::new(0.8),
        input_gradient: PassFacts::default(),
        weight_gradient: PassFacts {
            rate: Some(tflops(rate * 0.75)),
            ..PassFacts::default()
        },
    }
}

fn fits(rate: f64) -> AttentionFacts {
    let fit = |head_dim, rate| AttentionFit {
        head_dim,
        pass: FitPass::Forward,
        rate: tflops(rate),
        waste_full: 100.0,
        waste_causal: 500.0,
        tail_per_key: Time::ZERO,
        backward: Ratio::new(0.8),
    };
    AttentionFacts {
        fits: vec![fit(64, rate * 0.8), fit(128, rate)],
        compared_with: None,
        slower: None,
    }
}

fn table(share: f64) -> MemoryTable {
    let share = Ratio::new(share);
    MemoryTable {
        of: MemoryScale::Datasheet,
        stream: share,
        swiglu: share,
        transpose: share,
        cast_transpose: share,
        cast: share,
        dequant_transpose: share,
        norm: share,
        norm_backward: share,
        pack12: share,
        strided: share,
        loss: share,
        optimizer: share,
        embedding: share,
        permute: share,
        copy: share,
    }
}

fn profile() -> KernelProfile {
    KernelProfile {
        id: "round".into(),
        name: "Round numbers".into(),
        reference: Reference {
            accelerator: "round".into(),
            units: 100,
            bf16: tflops(1000.0),
            fp8: Some(tflops(2000.0)),
            fp4: None,
            memory_bandwidth: Bandwidth::new(3e12),
            tdp: Some(Power::new(700.0)),
        },
        clock: ClockFacts {
            training: Ratio::new(0.9),
            sustained: BTreeMap::new(),
            power_exponent: Ratio::new(0.5),
        },
        launch: LaunchFacts {
            gap: Time::from_micros(2.0),
        },
        tensor: TensorTables {
            memory_share: Ratio::new(0.85),
            bf16: Some(tensor(900.0, TileSet::Library)),
            fp8_tensor: Some(tensor(1600.0, TileSet::Library)),
            fp8_block: Some(tensor(1400.0, TileSet::Square)),
            mxfp8: None,
            nvfp4: None,
        },
        grouped: None,
        attention: AttentionTables {
            start: Time::from_micros(3.0),
            block_rows: 128,
            backward_block_rows: 128,
            flash1: AttentionFacts {
                fits: Vec::new(),
                compared_with: Some(Generation::Flash3),
                slower: Some(Ratio::new(3.0)),
            },
            flash2: fits(350.0),
            flash3: fits(650.0),
            unfused_forward_bytes: 13.0,
            unfused_backward_bytes: 21.0,
        },
        memory: MemoryTables {
            start: Time::from_micros(2.0),
            triad: Bandwidth::new(2.7e12),
            eager: table(0.4),
            jit: table(0.6),
            fused: table(0.7),
            custom: table(0.8),
        },
        fixed: FixedFacts {
            top_k_per_score: Time::from_picos(67),
            expert_count: Time::from_micros(70.0),
            row_mapping: Time::from_micros(170.0),
            small: Time::from_micros(5.0),
        },
    }
}

fn kernels<'a>(accelerator: &'a Accelerator, profile: &'a KernelProfile) -> Kernels<'a> {
    Kernels::new(accelerator, profile, Fusion::Fused, Graphs::None).unwrap()
}

fn core() -> AttentionCore {
    AttentionCore {
        batch: 1,
        heads: 32,
        kv_heads: 8,
        queries: 4096,
        keys: 4096,
        qk_dim: 128,
        v_dim: 128,
        causal: true,
        kernel: AttentionKernel::Flash3,
        backward: false,
    }
}

fn any_gemm() -> impl Strategy<Value = Gemm> {
    let operand = prop::sample::select(&MatrixType::ALL[..3]);
    let pass = prop::sample::select(&Pass::ALL[..]);
    let bytes = prop::sample::select(&[2.0, 4.0, 8.0][..]);
    (
        1..20_000u64,
        1..20_000u64,
        1..20_000u64,
        1..9u32,
        operand,
        pass,
        bytes,
    )
        .prop_map(|(m, n, k, groups, operand, pass, output_bytes)| Gemm {
            m,
            n,
            k,
            groups,
            operand,
            pass,
            output_bytes,
        })
}

proptest! {
    #[test]
    fn more_units_are_never_slower(gemm in any_gemm(), units in 1..100u32) {
        let (accelerator, profile) = (accelerator(), profile());
        let kernels = kernels(&accelerator, &profile);
        prop_assert!(kernels.gemm(&gemm, units + 1) <= kernels.gemm(&gemm, units));
    }

    #[test]
    fn more_bandwidth_is_never_slower(gemm in any_gemm(), factor in 1.0..4.0f64, bytes in 0..1u64 << 33) {
        let (slow, profile) = (accelerator(), profile());
        let mut fast = slow.clone();
        fast.memory_bandwidth = fast.memory_bandwidth * factor;
        let (slow, fast) = (kernels(&slow, &profile), kernels(&fast, &profile));
        prop_assert!(fast.gemm(&gemm, 100) <= slow.gemm(&gemm, 100));
        for class in MemoryClass::ALL {
            let bytes = Bytes::new(bytes);
            prop_assert!(fast.memory(class, bytes) <= slow.memory(class, bytes));
        }
    }

    #[test]
    fn no_product_beats_its_peak(gemm in any_gemm()) {
        let (accelerator, profile) = (accelerator(), profile());
        let kernels = kernels(&accelerator, &profile).stand_alone().unwrap();
        let peak = if gemm.operand == MatrixType::Bf16 { 1000e12 } else { 2000e12 };
        prop_assert!(kernels.gemm(&gemm, 100).seconds() > gemm.flops() / peak);
    }

    #[test]
    fn more_work_is_never_faster(gemm in any_gemm(), more in 1..2_000u64) {
        let (accelerator, profile) = (accelerator(), profile());
        let kernels = kernels(&accelerator, &profile);
        // Dense only: the mean padding of groups is left out at multiples of 128.
        let gemm = Gemm { groups: 1, m: gemm.m.max(512), ..gemm };
        for wider in [
            Gemm { m: gemm.m + more, ..gemm },
            Gemm { n: gemm.n + more, ..gemm },
            Gemm { k: gemm.k + more, ..gemm },
        ] {
            prop_assert!(kernels.gemm(&wider, 100) >= kernels.gemm(&gemm, 100));
        }
    }

    #[test]
    fn longer_attention_is_never_faster(queries in 1..16_384u64, keys in 1..16_384u64, heads in 1..64u32, causal: bool, backward: bool) {
        let (accelerator, profile) = (accelerator(), profile());
        let kernels = kernels(&accelerator, &profile);
        for kernel in [AttentionKernel::Unfused, AttentionKernel::Flash1, AttentionKernel::Flash2, AttentionKernel::Flash3] {
            let short = AttentionCore { heads, kv_heads: heads, queries, keys, causal, backward, kernel, ..core() };
            let time = kernels.attention(&short);
            for longer in [
                AttentionCore { keys: keys * 2, ..short },
                AttentionCore { queries: queries * 2, ..short },
                AttentionCore { heads: heads * 2, kv_heads: heads * 2, ..short },
            ] {
                prop_assert!(kernels.attention(&longer) >= time);
            }
        }
    }
}

fn large(operand: MatrixType) -> Gemm {
    Gemm {
        m: 16384,
        n: 16384,
        k: 16384,
        groups: 1,
        operand,
        pass: Pass::Forward,
        output_bytes: 2.0,
    }
}

#[test]
fn waves_are_whole_for_persistent_kernels() {
    let (accelerator, mut profile) = (accelerator(), profile());
    profile.tensor.fp8_block.as_mut().unwrap().power_bound = None;
    let kernels = kernels(&accelerator, &profile);
    let gemm = Gemm {
        m: 1280,
        n: 1280,
        ..large(MatrixType::Fp8Block)
    };
    // 100 tiles fill 100 units once; on 99 they need a second wave.
    let full = kernels.gemm(&gemm, 100).seconds();
    let spilled = kernels.gemm(&gemm, 99).seconds();
    assert!(spilled > 1.9 * full, "{spilled} against {full}");
}

#[test]
fn power_binds_a_large_product_and_not_a_cut_chip() {
    let (whole, profile) = (accelerator(), profile());
    let rate = |accelerator: &Accelerator| {
        let gemm = large(MatrixType::Bf16);
        gemm.flops()
            / kernels(accelerator, &profile)
                .gemm(&gemm, accelerator.compute_units)
                .seconds()
    };
    // P = 720 of a rate of 900 × 0.9 clock = 810: the smooth maximum lies below both.
    assert!((0.55e15..0.72e15).contains(&rate(&whole)));
    // Tensor cores cut to 15 %, half the units, little less power: bound by its own rate,
    // 0.15 × 810 TFLOPS without the write-out.
    let mut cut = whole.clone();
    cut.compute_units = 60;
    cut.peaks.bf16 = Some(tflops(150.0));
    cut.tdp = Power::new(400.0);
    assert!(
        (0.115e15..0.1215e15).contains(&rate(&cut)),
        "{}",
        rate(&cut)
    );
}

#[test]
fn a_measured_sustained_ratio_outranks_board_power() {
    let (accelerator, mut profile) = (accelerator(), profile());
    assert_eq!(power_ratio(&accelerator, &profile), 1.0);
    profile
        .clock
        .sustained
        .insert("round".into(), Ratio::new(1.12));
    assert_eq!(power_ratio(&accelerator, &profile), 1.12);
}

#[test]
fn the_training_clock_touches_short_run_rates_only() {
    let (accelerator, mut profile) = (accelerator(), profile());
    let plateau = |profile: &KernelProfile, stand_alone: bool| {
        let kernels = kernels(&accelerator, profile);
        let kernels = if stand_alone {
            kernels.stand_alone().unwrap()
        } else {
            kernels
        };
        kernels
            .plateau(MatrixType::Bf16, Pass::Forward)
            .unwrap()
            .get()
            / 1e12
    };
    profile.tensor.bf16.as_mut().unwrap().power_bound = None;
    assert!((plateau(&profile, false) - 810.0).abs() < 1e-9);
    assert!((plateau(&profile, true) - 900.0).abs() < 1e-9);
    profile.tensor.bf16.as_mut().unwrap().rate_basis = Basis::Sustained;
    assert!((plateau(&profile, false) - 900.0).abs() < 1e-9);
    assert!((plateau(&profile, true) - 1000.0).abs() < 1e-9);
}

#[test]
fn experts_pay_for_padding() {
    let (accelerator, profile) = (accelerator(), profile());
    let kernels = kernels(&accelerator, &profile);
    let rows = |m| Gemm {
        m,
        groups: 4,
        ..large(MatrixType::Fp8Block)
    };
    assert!(kernels.gemm(&rows(1281), 100) > kernels.gemm(&rows(1280), 100));
}

#[test]
fn a_fit_of_both_passes_splits_into_them() {
    let (accelerator, mut profile) = (accelerator(), profile());
    profile
        .attention
        .flash3
        .fits
        .iter_mut()
        .for_each(|fit| fit.pass = FitPass::Both);
    profile.attention.start = Time::ZERO;
    let kernels = kernels(&accelerator, &profile);
    let forward = core();
    let backward = AttentionCore {
        backward: true,
        ..forward
    };
    let both = kernels.attention(&forward).seconds() + kernels.attention(&backward).seconds();
    let expected = (forward.flops() + backward.flops()) * (1.0 + 500.0 / 4096.0) / 650e12;
    assert!((both / expected - 1.0).abs() < 1e-6, "{both} {expected}");
}

#[test]
fn few_heads_do_not_scale() {
    let (accelerator, profile) = (accelerator(), profile());
    let kernels = kernels(&accelerator, &profile);
    let heads = |heads| AttentionCore {
        heads,
        kv_heads: 1,
        ..core()
    };
    assert_eq!(kernels.attention(&heads(1)), kernels.attention(&heads(2)));
}

#[test]
fn what_is_not_supported_says_so() {
    let (accelerator, profile) = (accelerator(), profile());
    let round = kernels(&accelerator, &profile);
    assert!(round.supports(MatrixType::Fp8Block) && !round.supports(MatrixType::Mxfp8));
    let mut old = accelerator.clone();
    old.peaks.fp8 = None;
    assert!(!kernels(&old, &profile).supports(MatrixType::Fp8Tensor));
    old.peaks.bf16 = None;
    assert!(
        kernels(&old, &profile).supports(MatrixType::Bf16),
        "FP16 is enough"
    );
    old.peaks.fp16 = None;
    let error = Kernels::new(&old, &profile, Fusion::Fused, Graphs::None).unwrap_err();
    assert_eq!(error, KernelError::NoPeak("round".into()));
}

#[test]
fn bad_facts_are_refused() {
    let refused = |change: &dyn Fn(&mut KernelProfile)| {
        let (accelerator, mut profile) = (accelerator(), profile());
        change(&mut profile);
        Kernels::new(&accelerator, &profile, Fusion::Fused, Graphs::None).is_err()
    };
    assert!(!refused(&|_| ()));
    assert!(refused(
        &|p| p.tensor.bf16.as_mut().unwrap().rate = FlopRate::ZERO
    ));
    assert!(refused(&|p| p
        .tensor
        .bf16
        .as_mut()
        .unwrap()
        .tile_epilogue = None));
    assert!(refused(&|p| p.memory.fused.norm = Ratio::new(f64::NAN)));
    assert!(refused(&|p| p.attention.flash2.fits.clear()));
    assert!(refused(&|p| p.attention.flash3.fits.reverse()));
    assert!(refused(&|p| p.reference.memory_bandwidth = Bandwidth::ZERO));
}

#[test]
fn graphs_remove_gaps_and_fusion_sets_the_table() {
    let (accelerator, profile) = (accelerator(), profile());
    let with = |fusion, graphs| Kernels::new(&accelerator, &profile, fusion, graphs).unwrap();
    assert_eq!(with(Fusion::Fused, Graphs::Full).gap(), Time::ZERO);
    assert_eq!(with(Fusion::Fused, Graphs::None).gap(), profile.launch.gap);
    let bytes = Bytes::new(1 << 30);
    let time = |kernels: &Kernels| kernels.memory(MemoryClass::Norm, bytes);
    let eager = with(Fusion::Eager, Graphs::None);
    let fused = with(Fusion::Fused, Graphs::None);
    assert!(time(&eager) > time(&fused));
    assert!(time(&fused) > time(&fused.clone().custom_memory().unwrap()));
    assert_eq!(fused.memory(MemoryClass::Norm, Bytes::ZERO), Time::ZERO);
}

#[test]
fn top_k_follows_its_scores() {
    let (accelerator, profile) = (accelerator(), profile());
    let kernels = kernels(&accelerator, &profile);
    let top_k = |tokens| {
        kernels.fixed(FixedKernel::TopK {
            tokens,
            experts: 256,
        })
    };
    assert_eq!(top_k(8192), top_k(4096) * 2);
    assert_eq!(top_k(1), kernels.fixed(FixedKernel::Small));
}

#[test]
fn grouped_rates_interpolate_in_log_rows() {
    let (accelerator, mut profile) = (accelerator(), profile());
    let list = || vec![tflops(100.0), tflops(300.0)];
    profile.grouped = Some(GroupedTable {
        rows: vec![64, 1024],
        forward: list(),
        input_gradient: list(),
        weight_gradient: list(),
    });
    let kernels = kernels(&accelerator, &profile);
    let rate = |m| {
        let gemm = Gemm {
            m,
            groups: 256,
            ..large(MatrixType::Bf16)
        };
        gemm.flops() / (kernels.gemm(&gemm, 100).seconds() - 3e-6) / 1e12
    };
    for (rows, expected) in [
        (32, 50.0),
        (64, 100.0),
        (256, 200.0),
        (1024, 300.0),
        (4096, 300.0),
    ] {
        assert!(
            (rate(rows) / expected - 1.0).abs() < 1e-6,
            "{rows}: {}",
            rate(rows)
        );
    }
}
