//! Made-up outcomes for tests of answers and figures.
//!
//! In: nothing. Out: settings and outcomes of about the right shape and size. Never
//! simulated: no test may read a physical meaning into them.

use super::{Answer, CaseAnswer, Effort, Question, Setting};
use crate::verdict::{Claim, Expect, Quantity};
use strait_training::case::{Parallelism, Phase, Precision, Recompute, ScheduleKind, Zero};
use strait_training::outcome::{
    Account, Bar, BarKind, Breakdown, CostKind, CostOutcome, CostPart, EnergyParts, Exposed,
    Grains, Memory, MemoryPart, Outcome, PhaseOutcome, RunOutcome, StepOutcome, Work,
};
use strait_training::price::{Basis, LineKind};
use strait_units::{Bytes, Days, Energy, FlopRate, Money, PricePerHour, Ratio, Time, Tokens};

fn millis(ms: u64) -> Time {
    Time::from_picos(ms * 1_000_000_000)
}

fn phase(name: &str, tokens: u64, sequence_length: u32, pretraining: bool) -> Phase {
    Phase {
        name: name.to_owned(),
        tokens: Tokens::new(tokens),
        sequence_length,
        global_batch: 15_360,
        initial_batch: None,
        ramp_tokens: None,
        pretraining,
        parallelism: None,
        reinforcement: None,
    }
}

/// A two-way pipeline of 16 ranks and 40 micro-batches.
pub(crate) fn dualpipe() -> (Setting, Outcome) {
    let setting = Setting {
        name: "h800".to_owned(),
        model: "DeepSeek-V3".to_owned(),
        accelerator: "H800 SXM".to_owned(),
        ranks: 2048,
        peak: FlopRate::new(1979e12),
        half_peak: FlopRate::new(989.4e12),
        precision: Precision::Fp8Block,
        parallelism: Parallelism {
            tensor: 1,
            sequence: false,
            pipeline: 16,
            virtual_stages: 1,
            context: 1,
            expert: 64,
            expert_tensor: 1,
            zero: Zero::Zero1,
            zero_group: None,
            schedule: ScheduleKind::DualPipe,
            micro_batch: 1,
            recompute: Recompute::Named(Vec::new()),
            recompute_layers: None,
            offload_layers: 0,
            stage_layers: None,
            communication_units: 20,
        },
        phases: vec![
            phase("main", 14_800_000_000_000, 4096, true),
            phase("context 32K", 60_000_000_000, 32_768, false),
        ],
        rent: PricePerHour::new(2.0),
        document: None,
        fleet: Vec::new(),
        subject: crate::uncertainty::Subject {
            profile: "hopper".to_owned(),
            moe: true,
        },
        values: Vec::new(),
    };
    let gpu_hours = [2_667_000.0, 57_000.0];
    let outcome = Outcome {
        cpu_seconds: 0.0,
        cost: rented(gpu_hours.iter().sum()),
        step: StepOutcome {
            time: millis(19_926),
            tokens: Tokens::new(62_914_560),
            rate_causal: FlopRate::new(385.0e12),
            rate_full: FlopRate::new(432.0e12),
            mfu_causal: Ratio::new(385.0 / 989.5),
            mfu_full: Ratio::new(432.0 / 989.5),
            breakdown: Breakdown {
                forward: millis(1_130),
                backward_input: millis(1_990),
                backward_weight: millis(480),
                overlapped: millis(13_950),
                bubble: millis(2_060),
                optimizer: millis(290),
                other: millis(26),
            },
            exposed: Exposed {
                tensor: Time::ZERO,
                context: Time::ZERO,
                expert: millis(1_240),
                pipeline: millis(310),
                data: millis(90),
            },
            kernels: vec![
                ("grouped gemm".to_owned(), millis(5_900)),
                ("gemm".to_owned(), millis(4_100)),
                ("attention".to_owned(), millis(3_300)),
                ("casts and transposes".to_owned(), millis(1_500)),
                ("elementwise".to_owned(), millis(900)),
            ],
            memory: Memory {
                peak: Bytes::new(71_200_000_000),
                allocated: Bytes::new(67_200_000_000),
                capacity: Bytes::new(80_000_000_000),
                pipeline_rank: 0,
                parts: vec![
                    part("activations", 31_000_000_000),
                    part("weights", 18_200_000_000),
                    part("gradients", 14_000_000_000),
                    part("optimizer states", 4_000_000_000),
                    part("communication buffers", 4_000_000_000),
                ],
            },
            work: Work {
                ranks: 2048,
                ops: 110_000_000,
                events: 18_400_000,
                folded: false,
                grain: Grains {
                    coflow: true,
                    ..Grains::default()
                },
                on_links: 0,
            },
            bars: dualpipe_bars(16, 40),
            warnings: vec!["expert load is extrapolated beyond the measured range".to_owned()],
        },
        run: RunOutcome {
            days: 55.4,
            account: Account {
                training: Days::new(55.4),
                ..Account::default()
            },
            interruptions: None,
            gpu_hours: gpu_hours.iter().sum(),
            energy: Energy::new(2.8e3 * 3.6e9),
            energy_parts: EnergyParts {
                compute: Energy::new(1.8e3 * 3.6e9),
                communication: Energy::new(0.2e3 * 3.6e9),
                idle: Energy::new(0.1e3 * 3.6e9),
                network: Energy::new(0.2e3 * 3.6e9),
                facility: Energy::new(0.5e3 * 3.6e9),
            },
            rent: Money::new(gpu_hours.iter().sum::<f64>() * 2.0),
            electricity: Money::new(224e3),
            phases: (setting.phases.iter().zip(gpu_hours))
                .map(|(phase, gpu_hours)| PhaseOutcome {
                    name: phase.name.clone(),
                    pretraining: phase.pretraining,
                    steps: phase.tokens.as_f64() / 62_914_560.0,
                    step_time: millis(19_926),
                    gpu_hours,
                    rollout: None,
                })
                .collect(),
        },
    };
    (setting, outcome)
}

/// Cost of so many hours at 2 USD.
fn rented(gpu_hours: f64) -> CostOutcome {
    let money = Money::new(gpu_hours * 2.0);
    CostOutcome {
        basis: Basis::Rent,
        parts: vec![CostPart {
            name: CostKind::Rent.name().to_owned(),
            kind: CostKind::Rent,
            money,
            low: money,
            high: money,
            why: "GPU-hours at 2 USD/h".to_owned(),
            source: String::new(),
        }],
        low: money,
        high: money,
    }
}

/// Lines beyond the run, some of them ranges.
pub(crate) fn with_lines(outcome: &mut Outcome) {
    let run = outcome.cost.run();
    for (name, kind, low, likely, high) in [
        ("research and ablations", LineKind::Research, 0.5, 2.3, 9.0),
        ("data", LineKind::Data, 0.1, 0.4, 2.0),
        ("staff", LineKind::Staff, 0.6, 2.4, 11.0),
    ] {
        outcome.cost.parts.push(CostPart {
            name: name.to_owned(),
            kind: CostKind::Line(kind),
            money: run * likely,
            low: run * low,
            high: run * high,
            why: "made up".to_owned(),
            source: "nobody".to_owned(),
        });
        outcome.cost.low += run * low;
        outcome.cost.high += run * high;
    }
}

fn part(name: &str, bytes: u64) -> MemoryPart {
    MemoryPart {
        name: name.to_owned(),
        bytes: Bytes::new(bytes),
    }
}

/// The same on faster links: shorter pairs, less exposed.
pub(crate) fn faster() -> (Setting, Outcome) {
    let (mut setting, mut outcome) = dualpipe();
    setting.name = "h100".to_owned();
    setting.accelerator = "H100 SXM".to_owned();
    let step = &mut outcome.step;
    step.time = millis(19_306);
    step.breakdown.overlapped = millis(13_500);
    step.breakdown.bubble = millis(1_890);
    step.exposed.expert = millis(640);
    step.memory.peak = Bytes::new(71_200_000_000);
    outcome.run.gpu_hours = 2_641_000.0;
    outcome.run.rent = Money::new(2_641_000.0 * 2.0);
    outcome.cost = rented(2_641_000.0);
    outcome.run.days = 53.7;
    (setting, outcome)
}

/// Bars of 1F1B, from its dependencies: forward 57 ms, backward 126 ms, a hop 1 ms.
pub(crate) fn one_f_one_b_bars(ranks: usize, micro_batches: usize) -> Vec<Bar> {
    let (forward, backward, hop) = (57u64, 126u64, 1u64);
    let mut ended = vec![[vec![None; micro_batches], vec![None; micro_batches]]; ranks];
    let order: Vec<Vec<(usize, usize)>> = (0..ranks)
        .map(|rank| {
            let warm = (ranks - rank - 1).min(micro_batches);
            let mut list: Vec<_> = (0..warm).map(|m| (0, m)).collect();
            for m in 0..micro_batches - warm {
                list.extend([(0, warm + m), (1, m)]);
            }
            list.extend((micro_batches - warm..micro_batches).map(|m| (1, m)));
            list
        })
        .collect();
    let mut next = vec![0; ranks];
    let mut clock = vec![0u64; ranks];
    let mut bars = Vec::new();
    while next.iter().zip(&order).any(|(n, o)| *n < o.len()) {
        for rank in 0..ranks {
            let Some(&(pass, m)) = order[rank].get(next[rank]) else {
                continue;
            };
            let needs = match pass {
                0 if rank == 0 => Some(0),
                0 => ended[rank - 1][0][m].map(|t: u64| t + hop),
                _ if rank == ranks - 1 => ended[rank][0][m],
                _ => ended[rank + 1][1][m].map(|t: u64| t + hop),
            };
            let Some(ready) = needs else { continue };
            let start = ready.max(clock[rank]);
            let end = start + if pass == 0 { forward } else { backward };
            ended[rank][pass][m] = Some(end);
            clock[rank] = end;
            next[rank] += 1;
            bars.push(Bar {
                pipeline_rank: rank as u32,
                kind: [BarKind::Forward, BarKind::Backward][pass],
                micro_batch: m as u32,
                start: millis(start),
                end: millis(end),
            });
        }
    }
    bars
}

/// Bars that look like DualPipe's: forwards, pairs, backwards with weight gradients apart;
/// three times as long as those of one sequence.
pub(crate) fn dualpipe_bars(ranks: usize, micro_batches: usize) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut last = 0;
    for rank in 0..ranks {
        let depth = rank.min(ranks - 1 - rank);
        let lone = ranks / 2 - depth;
        let mut at = depth as u64 * 58;
        let mut push = |kind, m: usize, length: u64, gap: u64| {
            bars.push(Bar {
                pipeline_rank: rank as u32,
                kind,
                micro_batch: m as u32,
                start: millis(3 * (at + gap)),
                end: millis(3 * (at + gap + length)),
            });
            at += gap + length;
        };
        for m in 0..lone {
            push(BarKind::Forward, m, 57, 2);
        }
        for m in lone..micro_batches {
            push(BarKind::Pair, m, 139, 1);
        }
        for m in 0..lone {
            push(BarKind::BackwardInput, m, 77, if m == 0 { 60 } else { 2 });
            push(BarKind::BackwardWeight, m, 24, 0);
        }
        last = last.max(at);
    }
    for rank in 0..ranks {
        bars.push(Bar {
            pipeline_rank: rank as u32,
            kind: BarKind::Optimizer,
            micro_batch: 0,
            start: millis(3 * last + 10),
            end: millis(3 * last + 300),
        });
    }
    bars
}

/// The made-up question.
pub(crate) fn question() -> Question {
    Question {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: "scenarios/deepseek-v3/h800.toml".to_owned(),
        seed: 1,
        command: "strait run scenarios/deepseek-v3/h800.toml".to_owned(),
    }
}

fn claim(quantity: Quantity, stated: f64) -> Claim {
    Claim {
        quantity,
        phase: None,
        stated,
        relation: Default::default(),
        who: "DeepSeek".to_owned(),
        date: "2024-12-27".to_owned(),
        source: "arXiv:2412.19437, table 1".to_owned(),
        note: String::new(),
    }
}

/// One case with claims and an expectation.
pub(crate) fn case_answer((setting, outcome): (Setting, Outcome)) -> CaseAnswer {
    let claims = [
        claim(Quantity::MainPhaseGpuHours, 2.664e6),
        claim(Quantity::Cost, 5.576e5),
        claim(Quantity::DaysPerTrillionTokens, 3.7),
    ];
    let expects = [Expect {
        quantity: Quantity::StepTime,
        phase: None,
        stated: 19.926,
        within: 0.05,
        source: String::new(),
    }];
    let effort = Effort {
        cpu_s: 3.2,
        wall_s: 3.3,
    };
    CaseAnswer::new(setting, outcome, &claims, &expects, Vec::new(), effort)
}

/// An answer of one case.
pub(crate) fn answer() -> Answer {
    Answer {
        question: question(),
        cases: vec![case_answer(dualpipe())],
        about: None,
    }
}
