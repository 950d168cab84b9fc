//! Ownership against published worked values and closed forms, power against measured servers.

use super::*;
use crate::hardware::Cluster;
use crate::layout::fixtures;
use crate::outcome::{Account, CostKind, RunOutcome, StepOutcome};
use strait_units::{Bytes, Days, Energy, Money, Power, PricePerEnergy, PricePerHour, Ratio, Time};

/// 0.14 orders of magnitude a year.
const DECLINE: f64 = 0.3224;

fn declining(server: f64, years: f64) -> Ownership {
    Ownership {
        server: Money::new(server),
        network: NetworkPrice::Share(Ratio::new(0.19)),
        depreciation: Depreciation::Declining {
            rate: Ratio::new(DECLINE),
            age: Days::new(years * 365.25),
        },
        facility: Money::ZERO,
        facility_lifetime: Days::new(5478.75),
        maintenance: Ratio::new(0.0),
        utilisation: Ratio::new(1.0),
    }
}

fn straight(server: f64, years: f64, resale: f64) -> Ownership {
    Ownership {
        depreciation: Depreciation::StraightLine {
            lifetime: Days::new(years * 365.25),
            resale: Ratio::new(resale),
        },
        ..declining(server, 0.0)
    }
}

/// The method of arXiv:2405.21015 on prices of its data set and of the press, worked by hand: price of an
/// accelerator's share of a server, watts of its limit, server over it, USD/kWh; capital, network, energy, all.
#[test]
fn the_declining_method_gives_its_worked_values() {
    #[rustfmt::skip]
    let table = [
        ("A100 HGX 2023", 148_390.0 / 8.0, 400.0, 2.03, 0.0806, [0.68, 0.16, 0.06, 0.90]),
        ("H100 HGX 2024", 270_480.0 / 8.0, 700.0, 1.82, 0.0771, [1.24, 0.29, 0.09, 1.63]),
        ("H800, CNY 2.0 M", 2.0e6 / 7.1 / 8.0, 700.0, 1.82, 0.054, [1.29, 0.30, 0.06, 1.66]),
        ("H20, CNY 1.3 M", 1.3e6 / 7.1 / 8.0, 400.0, 1.82, 0.054, [0.84, 0.20, 0.04, 1.08]),
        ("H200 2025", 312_667.0 / 8.0, 700.0, 1.82, 0.0826, [1.44, 0.34, 0.10, 1.87]),
        ("DGX B200 2025", 379_273.0 / 8.0, 1000.0, 1.8, 0.0826, [1.74, 0.41, 0.14, 2.29]),
        ("Ascend 910B", 120e3 / 7.1 * 1.64, 400.0, 1.8, 0.054, [1.02, 0.24, 0.04, 1.30]),
    ];
    for (name, price, limit, over, electricity, printed) in table {
        let hour = hourly(&declining(price, 0.0), Power::ZERO);
        let kilowatts = limit / 1000.0 * over * 0.75 * 1.25;
        let energy = kilowatts * electricity;
        let [capital, network] = [hour.servers.get(), hour.network.get()];
        let worked = [capital, network, energy, capital + network + energy];
        for (ours, printed) in worked.into_iter().zip(printed) {
            // Half of the last printed digit.
            assert!((ours - printed).abs() < 0.0051, "{name}: {worked:?}");
        }
    }
}

#[test]
fn age_takes_value_away_at_the_published_rate() {
    let new = hourly(&declining(1000.0, 0.0), Power::ZERO).servers.get();
    for years in [0.5, 1.0, 3.0] {
        let old = hourly(&declining(1000.0, years), Power::ZERO).servers.get();
        // 10^(-0.14 years); 0.3224 is 0.14 ln 10 to four digits.
        let published = libm::pow(10.0, -0.14 * years);
        assert!((old / new / published - 1.0).abs() < 2e-4, "{years}");
    }
}

#[test]
fn a_straight_line_gives_its_closed_form() {
    // 36,000 USD over five years of 8,766 hours, a quarter got back.
    let hour = hourly(&straight(36_000.0, 5.0, 0.25), Power::ZERO);
    assert!((hour.servers.get() - 27_000.0 / 43_830.0).abs() < 1e-12);
    // 19 % of both is the network: 19/81 of servers.
    assert!((hour.network.get() / hour.servers.get() - 19.0 / 81.0).abs() < 1e-12);
    // All hours of the lifetime together give back what was paid.
    let paid = hour.servers.get() * 5.0 * HOURS_PER_YEAR;
    assert!((paid - 27_000.0).abs() < 1e-8);

    // arXiv:2505.09343, table 3: 4,390 USD an endpoint; a building of 10 USD a watt over 15 years.
    let own = Ownership {
        network: NetworkPrice::Endpoint(Money::new(4_390.0)),
        facility: Money::new(10.0),
        maintenance: Ratio::new(0.05),
        utilisation: Ratio::new(0.8),
        ..straight(36_000.0, 4.0, 0.0)
    };
    let hour = hourly(&own, Power::new(1_275.0));
    assert!((hour.network.get() - 4_390.0 / 35_064.0).abs() < 1e-12);
    assert!((hour.facility.get() - 12_750.0 / 131_490.0).abs() < 1e-12);
    assert!((hour.maintenance.get() - 0.05 * 40_390.0 / 8_766.0).abs() < 1e-12);
    // At 80 % in use, a fifth of what is paid is for idle hours.
    assert!((hour.idle / hour.total() - 0.2).abs() < 1e-12);
}

#[test]
fn dearer_is_dearer() {
    let base = straight(30_000.0, 5.0, 0.1);
    let watts = Power::new(1_000.0);
    let dearer = [
        (
            "price",
            Ownership {
                server: Money::new(40_000.0),
                ..base
            },
        ),
        (
            "network",
            Ownership {
                network: NetworkPrice::Share(Ratio::new(0.25)),
                ..base
            },
        ),
        (
            "building",
            Ownership {
                facility: Money::new(9.0),
                ..base
            },
        ),
        (
            "upkeep",
            Ownership {
                maintenance: Ratio::new(0.1),
                ..base
            },
        ),
        (
            "idle",
            Ownership {
                utilisation: Ratio::new(0.5),
                ..base
            },
        ),
        ("short", straight(30_000.0, 3.0, 0.1)),
        ("worthless", straight(30_000.0, 5.0, 0.0)),
    ];
    for (what, own) in dearer {
        assert!(
            hourly(&own, watts).total() > hourly(&base, watts).total(),
            "{what}"
        );
    }
}

/// These prices, and a run of 1,000 GPU-hours and 500 MWh.
fn priced(change: impl FnOnce(&mut Economics)) -> (Economics, RunOutcome) {
    let mut economics = Economics {
        rent: PricePerHour::new(2.0),
        pue: Ratio::new(1.25),
        load_factor: None,
        power: PowerStates::default(),
        electricity: PricePerEnergy::ZERO,
        ownership: None,
        lines: Vec::new(),
        ends: None,
    };
    change(&mut economics);
    let run = RunOutcome {
        days: 10.0,
        account: Account {
            training: Days::new(9.0),
            restart: Days::new(1.0),
            ..Account::default()
        },
        gpu_hours: 1_000.0,
        energy: Energy::new(500.0 * 3.6e9),
        ..RunOutcome::default()
    };
    (economics, run)
}

/// Two servers of eight.
fn cluster() -> Cluster {
    fixtures::cluster(2, 8, Bytes::new(80_000_000_000))
}

fn line(name: &str, amount: LineAmount) -> Line {
    Line {
        name: name.to_owned(),
        kind: LineKind::Other,
        amount,
        why: "because".to_owned(),
        source: "somebody".to_owned(),
    }
}

#[test]
fn rent_alone_is_one_part() {
    let (prices, run) = priced(|_| ());
    let all = cost(&prices, &cluster(), &run);
    assert_eq!((all.parts.len(), all.parts[0].kind), (1, CostKind::Rent));
    assert_eq!((all.run().get(), all.total().get()), (2_000.0, 2_000.0));
    assert_eq!((all.low, all.high), (all.total(), all.total()));
    assert_eq!(
        all.parts[0].why,
        "1,000 GPU-hours at 2 USD/h, 10.0 % of them lost to interruptions and stops"
    );
}

#[test]
fn lines_sum_to_the_total_and_shares_are_shares_of_it() {
    let lines = vec![
        line("fixed", LineAmount::Money(Money::new(500.0))),
        line("half of all", LineAmount::ShareOfTotal(Ratio::new(0.5))),
        line("twice", LineAmount::TimesFinalRun(Ratio::new(2.0))),
        line(
            "people",
            LineAmount::Staff {
                people: Ratio::new(3.0),
                time: Days::new(365.25 / 2.0),
                cost_per_year: Money::new(1_000.0),
            },
        ),
    ];
    let (mut prices, run) = priced(|e| {
        e.lines = lines;
    });
    let all = cost(&prices, &cluster(), &run);
    let money: Vec<f64> = all.parts.iter().map(|part| part.money.get()).collect();
    assert_eq!(money, [2_000.0, 500.0, 8_000.0, 4_000.0, 1_500.0]);
    assert_eq!((all.run().get(), all.total().get()), (2_000.0, 16_000.0));
    assert_eq!(all.parts[2].name, "half of all");
    assert_eq!(all.parts[2].source, "somebody");

    // Ends: cheap and dear prices, the same parts.
    let mut ends = (prices.prices(), prices.prices());
    ends.0.rent = PricePerHour::new(1.0);
    ends.1.lines[1].amount = LineAmount::ShareOfTotal(Ratio::new(0.75));
    prices.ends = Some(Box::new(ends));
    let all = cost(&prices, &cluster(), &run);
    let ends = |at: usize| (all.parts[at].low.get(), all.parts[at].high.get());
    assert_eq!(ends(0), (1_000.0, 2_000.0));
    // A share of the likely rest; a multiple of the likely run.
    assert_eq!(ends(2), (8_000.0, 24_000.0));
    assert_eq!(ends(3), (4_000.0, 4_000.0));
    assert_eq!((all.low.get(), all.high.get()), (10_000.0, 32_000.0));
}

#[test]
fn owned_hardware_pays_its_electricity_apart() {
    let (prices, run) = priced(|e| {
        e.electricity = PricePerEnergy::new(0.08 / 3.6e6);
        e.ownership = Some(Ownership {
            utilisation: Ratio::new(0.5),
            ..straight(36_000.0, 5.0, 0.0)
        });
        e.lines = vec![line(
            "as much again",
            LineAmount::TimesFinalRun(Ratio::new(1.0)),
        )];
    });
    let all = cost(&prices, &cluster(), &run);
    let kinds: Vec<CostKind> = all.parts.iter().map(|part| part.kind).collect();
    use CostKind::{Electricity, Idle, Network, Servers};
    assert_eq!(
        kinds,
        [
            Servers,
            Network,
            Idle,
            Electricity,
            CostKind::Line(LineKind::Other)
        ]
    );
    assert!((all.parts[3].money.get() - 40_000.0).abs() < 1e-6);
    assert_eq!(all.parts[4].name, "as much again");
    assert!((all.total().get() / all.run().get() - 2.0).abs() < 1e-12);
    // Half of the hours idle: as much for them as for those in use.
    let used = all.parts[0].money + all.parts[1].money;
    assert!((used / all.parts[2].money - 1.0).abs() < 1e-12);
}

/// 10 s: 6 of kernels, 2 of communication, 2 of neither.
fn step() -> StepOutcome {
    let mut step = StepOutcome {
        time: Time::from_seconds(10.0),
        kernels: vec![
            ("gemm".to_owned(), Time::from_seconds(5.0)),
            ("norm".to_owned(), Time::from_seconds(1.0)),
        ],
        ..StepOutcome::default()
    };
    step.exposed.expert = Time::from_seconds(1.5);
    step.exposed.data = Time::from_seconds(0.5);
    step
}

#[test]
fn energy_follows_what_accelerators_do() {
    let shares = Shares::of(&step());
    assert!((shares.compute - 0.6).abs() < 1e-12 && (shares.communication - 0.2).abs() < 1e-12);
    assert!((shares.compute + shares.communication + shares.idle - 1.0).abs() < 1e-15);
    assert_eq!(Shares::of(&StepOutcome::default()), Shares::default());
    let mut crowded = step();
    crowded.exposed.tensor = Time::from_seconds(9.0);
    assert_eq!(
        Shares::of(&crowded).idle,
        0.0,
        "overlapping accounts never exceed the step"
    );

    let (mut prices, _) = priced(|e| {
        e.load_factor = None;
        e.pue = Ratio::new(1.5);
        e.power = PowerStates {
            loaded: Power::new(800.0),
            communication: Power::new(500.0),
            idle: Power::new(200.0),
            network: Power::new(100.0),
        };
    });
    let account = Account {
        training: Days::new(8.0),
        lost: Days::new(1.0),
        evaluation: Days::new(1.0),
        restart: Days::new(2.0),
        ..Account::default()
    };
    let phases = [(shares, Days::new(8.0))];
    let ranks = f64::from(cluster().ranks());
    let megawatt_hours = |prices: &Economics| {
        let e = energy(prices, &cluster(), &phases, &account);
        [
            e.compute,
            e.communication,
            e.idle,
            e.network,
            e.facility,
            e.total(),
        ]
        .map(|e| e.get() / 3.6e9 / ranks)
    };
    let hours = 24.0 / 1e6;
    let [compute, communication, idle, network, facility, total] = megawatt_hours(&prices);
    // Ten days of steps, two of rest; switches draw on all twelve.
    let near =
        |ours: f64, by_hand: f64| assert!((ours / by_hand - 1.0).abs() < 1e-12, "{ours} {by_hand}");
    near(compute, 10.0 * 0.6 * 800.0 * hours);
    near(communication, 10.0 * 0.2 * 500.0 * hours);
    near(idle, (10.0 * 0.2 + 2.0) * 200.0 * hours);
    near(network, 12.0 * 100.0 * hours);
    near(facility, 0.5 * (compute + communication + idle + network));
    near(total, 1.5 * (compute + communication + idle + network));

    // More power in any state, more energy.
    for change in 0..4 {
        let mut more = prices.clone();
        let p = &mut more.power;
        let state = [
            &mut p.loaded,
            &mut p.communication,
            &mut p.idle,
            &mut p.network,
        ];
        *state.into_iter().nth(change).unwrap() += Power::new(10.0);
        assert!(megawatt_hours(&more)[5] > total, "{change}");
    }
    // A stated load factor: rated power times it, whatever is done.
    prices.load_factor = Some(Ratio::new(0.75));
    let rated = cluster().accelerator.tdp + cluster().node.overhead_power;
    let [compute, communication, .., total] = megawatt_hours(&prices);
    near(compute, 12.0 * 0.75 * rated.get() * hours);
    near(total, 1.5 * compute);
    assert_eq!(communication, 0.0);
}
