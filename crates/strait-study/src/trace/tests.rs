//! Traces of a small step: nothing lost, nothing overlapping, the same bytes every time.
//!
//! In: `deepseek-64.toml`. Out: verdicts. Never wall time.

use super::events::{Rates, Writer, micros};
use super::*;
use crate::catalog::Catalog;
use crate::scenario::{Overrides, load};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use strait_training::case::Case;
use strait_training::timeline::main_step;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn control(cancel: &AtomicBool) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: true,
        clock: &|| 0.0,
    }
}

fn small() -> Case {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../benches/benches/deepseek-64.toml"
    );
    let loaded = load(Path::new(path), &Catalog::embedded(), &Overrides::default());
    loaded.unwrap().cases.remove(0).case
}

fn request(ranks: &str) -> Request {
    Request {
        ranks: ranks.parse().unwrap(),
        title: "a \"title\"".to_owned(),
        ..Request::default()
    }
}

/// The trace as bytes, and the engine's own account of the step.
fn bytes(case: &Case, request: &Request) -> (Vec<u8>, strait_sim::Run) {
    let timeline = Timeline::new(main_step(case).unwrap()).unwrap();
    let ranks = request.ranks.resolve(timeline.layout()).unwrap();
    let rates = Rates {
        nic: case.cluster.node.nic_bandwidth,
        port: case.cluster.accelerator.scale_up,
    };
    let mut writer = Writer::new(Vec::new(), rates, request.window, None);
    writer.begin(&request.title, timeline.layout(), &ranks);
    let run = timeline.run(&ranks, &mut writer, control(&GO_ON)).unwrap();
    writer.finish();
    (writer.into_sink(), run)
}

struct Slice {
    start: u64,
    length: u64,
    category: String,
    name: String,
}

/// Picoseconds of a number as it is printed.
fn picos(text: &str) -> u64 {
    let (whole, rest) = text.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 1_000_000 + rest[..6].parse::<u64>().unwrap()
}

/// Slices by process and thread, in the order of the file.
fn tracks(text: &str) -> BTreeMap<(u64, u64), Vec<Slice>> {
    let mut tracks: BTreeMap<(u64, u64), Vec<Slice>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("\"ph\":\"X\"")) {
        // Numbers as text: the exact time must not pass through a float.
        let exact = |key: &str| {
            let at = line.find(key).unwrap() + key.len();
            let text: String = line[at..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            picos(&text)
        };
        let value: Value = serde_json::from_str(line.trim_end_matches(',')).unwrap();
        let track = (
            value["pid"].as_u64().unwrap(),
            value["tid"].as_u64().unwrap(),
        );
        tracks.entry(track).or_default().push(Slice {
            start: exact("\"ts\":"),
            length: exact("\"dur\":"),
            category: value["cat"].as_str().unwrap().to_owned(),
            name: value["name"].as_str().unwrap().to_owned(),
        });
    }
    tracks
}

/// Puts slices into a track as Perfetto does (`SliceTracker::MaybeCloseStack`, 2025): sorted by
/// start, ties in the order of the file; whole nanoseconds; a slice that outlasts the one
/// around it is refused.
fn refused(slices: &[Slice]) -> usize {
    let nanos = |picos: u64| {
        let mut text = Vec::new();
        micros(&mut text, picos);
        let number: f64 = String::from_utf8(text).unwrap().parse().unwrap();
        (number * 1000.0) as i64
    };
    let mut sorted: Vec<(i64, i64)> = slices
        .iter()
        .map(|slice| (nanos(slice.start), nanos(slice.length)))
        .collect();
    sorted.sort_by_key(|slice| slice.0);
    let mut stack: Vec<(i64, i64)> = Vec::new();
    let mut refused = 0;
    for (start, length) in sorted {
        let gone = |&(open, around): &(i64, i64)| {
            let end = open + around;
            end < start || end == start && !(around == 0 && length == 0)
        };
        while stack.last().is_some_and(gone) {
            stack.pop();
        }
        let outlasts = |&(open, around): &(i64, i64)| start + length > open + around;
        if stack.last().is_some_and(outlasts) {
            refused += 1;
        } else {
            stack.push((start, length));
        }
    }
    refused
}

#[test]
fn the_trace_is_the_step() {
    let case = small();
    let (trace, run) = bytes(&case, &request("all"));
    let text = String::from_utf8(trace).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole[0]["name"], "process_name");
    assert_eq!(
        whole[0]["args"]["name"],
        "rank 0: stage 0, data 0, expert 0"
    );
    assert_eq!(whole[1]["args"]["labels"], "a \"title\"");
    let tracks = tracks(&text);
    let sum = |rank: u64, thread: u64, category: &str| -> u64 {
        let slices = tracks.get(&(rank, rank * 10 + thread));
        slices.map_or(0, |slices| {
            let of = slices.iter().filter(|slice| slice.category == category);
            of.map(|slice| slice.length).sum()
        })
    };
    let total = |times: &[Time]| times.iter().copied().sum::<Time>().picos();
    for (rank, accounts) in run.accounts.iter().enumerate() {
        let rank = rank as u64;
        assert_eq!(sum(rank, 1, "op"), total(&accounts.busy), "rank {rank}");
        assert_eq!(sum(rank, 2, "wait"), total(&accounts.idle), "rank {rank}");
        assert_eq!(sum(rank, 2, "bubble"), total(&accounts.gaps), "rank {rank}");
        let chunks = sum(rank, 1, "chunk").abs_diff(total(&accounts.window));
        assert!(chunks < 1000 * accounts.blocks.iter().map(|&n| u64::from(n)).sum::<u64>());
    }
    // Every op of every rank is there.
    let kinds = ["op", "exchange", "send", "data"];
    let ops = (tracks.values().flatten())
        .filter(|slice| kinds.contains(&slice.category.as_str()))
        .count();
    assert_eq!(ops as u64, run.ops);
}

#[test]
fn slices_nest_and_never_overlap() {
    let case = small();
    let (trace, _) = bytes(&case, &request("0-3,16,63"));
    let tracks = tracks(&String::from_utf8(trace).unwrap());
    // Nothing runs on the data thread: gradients are exchanged at the end of the step.
    assert_eq!(tracks.len(), 6 * 4);
    for (track, slices) in &tracks {
        assert_eq!(refused(slices), 0, "{track:?}");
        // To the picosecond: slices of one level, in order, don't overlap; ops lie in a chunk.
        let level = |chunks: bool| {
            slices
                .iter()
                .filter(move |s| (s.category == "chunk") == chunks)
        };
        for chunks in [false, true] {
            let mut sorted: Vec<_> = level(chunks)
                .map(|s| (s.start, s.start + s.length))
                .collect();
            sorted.sort_unstable();
            for pair in sorted.windows(2) {
                let slack = if chunks { 1000 } else { 0 };
                assert!(pair[0].1 <= pair[1].0 + slack, "{track:?}: {pair:?}");
            }
        }
        let chunks: Vec<_> = level(true).collect();
        for op in slices.iter().filter(|slice| slice.category == "op") {
            let around = chunks.iter().any(|chunk| {
                chunk.start <= op.start && op.start + op.length <= chunk.start + chunk.length + 1000
            });
            assert!(around, "{track:?}: {}", op.name);
        }
    }
}

/// What counters say, summed over time, is what was sent.
#[test]
fn counters_add_up_to_the_bytes_sent() {
    let case = small();
    let (trace, _) = bytes(&case, &request("0"));
    let text = String::from_utf8(trace).unwrap();
    let mut counters: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("\"ph\":\"C\"")) {
        let value: Value = serde_json::from_str(line.trim_end_matches(',')).unwrap();
        let at = line.find("\"ts\":").unwrap() + 5;
        let at = picos(line[at..].split(',').next().unwrap());
        let share = value["args"]["%"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&share), "{line}");
        let name = value["name"].as_str().unwrap().to_owned();
        counters.entry(name).or_default().push((at, share));
    }
    let rates = [
        ("NIC out", case.cluster.node.nic_bandwidth),
        ("port out", case.cluster.accelerator.scale_up),
    ];
    let sent = |kind: &str| -> f64 {
        let each = rates.iter().map(|(link, rate)| {
            let events = counters.get(&format!("{link}: {kind}"));
            let events = events.map_or(&[][..], Vec::as_slice);
            assert!(events.is_sorted_by_key(|event| event.0), "{link}: {kind}");
            let steps = events.windows(2);
            let steps = steps.map(|w| w[0].1 / 100.0 * (w[1].0 - w[0].0) as f64 * 1e-12);
            steps.sum::<f64>() * rate.get()
        });
        each.sum()
    };
    let sends = (text.lines())
        .filter(|line| line.contains("\"cat\":\"send\""))
        .count();
    let tokens = f64::from(case.training.phases[0].sequence_length);
    let expected = sends as f64 * 2.0 * tokens * f64::from(case.model.hidden);
    assert!(sends > 0, "the example has a pipeline");
    // Shares are printed to a hundredth of a percent.
    let off = sent("sends") / expected - 1.0;
    assert!(off.abs() < 1e-3, "{off}");
    assert!(
        sent("exchange") > expected,
        "each layer sends more than a hop"
    );
}

#[test]
fn the_same_bytes_every_time_and_parts_are_parts() {
    let case = small();
    let (first, _) = bytes(&case, &request("stage:2"));
    let (again, run) = bytes(&case, &request("stage:2"));
    assert!(first == again);
    let whole = tracks(&String::from_utf8(first).unwrap());
    assert_eq!(whole.keys().map(|key| key.0).min(), Some(32));
    let middle = run.end.picos() / 2;
    let window = Window {
        from: Time::from_picos(middle),
        to: Time::from_picos(middle + 10_000_000_000),
    };
    let (part, _) = bytes(
        &case,
        &Request {
            window,
            ..request("stage:2")
        },
    );
    let part = tracks(&String::from_utf8(part).unwrap());
    for (track, slices) in &whole {
        let expected = slices.iter().filter(|slice| {
            let end = Time::from_picos(slice.start + slice.length);
            window.shows(Time::from_picos(slice.start), end)
        });
        assert_eq!(
            part.get(track).map_or(0, Vec::len),
            expected.count(),
            "{track:?}"
        );
    }
}

#[test]
fn the_estimate_is_near_and_limits_hold() {
    let case = small();
    let request = request("0,17,63");
    let (trace, _) = bytes(&case, &request);
    let planned = Trace::new(main_step(&case).unwrap(), &request).unwrap();
    let ratio = planned.whole().0.as_f64() / trace.len() as f64;
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.json");
    for window in [Window::default(), "0..1us".parse().unwrap()] {
        let limit = Some(Bytes::new(1000));
        let request = Request {
            limit,
            window,
            ..request.clone()
        };
        let planned = Trace::new(main_step(&case).unwrap(), &request).unwrap();
        let result = planned.write(&path, control(&GO_ON));
        assert!(
            matches!(result, Err(TraceError::TooLarge { .. })),
            "{result:?}"
        );
    }
    let window = "1000s..".parse().unwrap();
    let late = Request {
        window,
        ..request.clone()
    };
    let planned = Trace::new(main_step(&case).unwrap(), &late).unwrap();
    let result = planned.write(&path, control(&GO_ON));
    assert!(
        matches!(result, Err(TraceError::Empty { .. })),
        "{result:?}"
    );
    let stopped = AtomicBool::new(true);
    let planned = Trace::new(main_step(&case).unwrap(), &request).unwrap();
    let result = planned.write(&path, control(&stopped));
    assert!(matches!(
        result,
        Err(TraceError::Simulate(SimulateError::Cancelled))
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let written = planned.write(&path, control(&GO_ON)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), trace);
    assert_eq!(written.bytes, trace.len() as u64);
}

#[test]
fn choices_are_read_or_refused() {
    for text in ["", "x", "3-1", "0,,2", "stage:", "stage:x", "-3", "1-2-3"] {
        assert!(text.parse::<Ranks>().is_err(), "{text}");
    }
    for text in ["", "2s", "3s..2s", "2..3", "a..b", "2s..2s"] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
    let window: Window = "2s..3 s".parse().unwrap();
    assert_eq!(window.from.picos(), 2_000_000_000_000);
    assert_eq!("500ms..".parse::<Window>().unwrap().to, Time::MAX);
    let case = small();
    let layout = Timeline::new(main_step(&case).unwrap())
        .unwrap()
        .layout()
        .clone();
    let ranks = |text: &str| text.parse::<Ranks>().unwrap().resolve(&layout);
    assert_eq!(ranks("3,0-1,1").unwrap(), [0, 1, 3]);
    assert_eq!(ranks("stage:3").unwrap(), (48..64).collect::<Vec<_>>());
    assert_eq!(Ranks::default().resolve(&layout).unwrap(), [0, 16, 32, 48]);
    for text in ["64", "0-64", "stage:4"] {
        assert!(
            matches!(ranks(text), Err(ChoiceError::Missing { .. })),
            "{text}"
        );
    }
}

#[test]
fn times_survive_perfettos_arithmetic() {
    for picos in (0..3_000_000).chain(19_450_000_000_000..19_450_003_000_000) {
        let mut text = Vec::new();
        micros(&mut text, picos);
        let number: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
        assert_eq!((number * 1000.0) as u64, picos / 1000, "{picos}");
    }
}
