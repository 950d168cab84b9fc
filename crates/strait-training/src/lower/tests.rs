//! Blocks as they are built: what waits for what, and what runs beside what.

use super::blocks::{Beside, Builder, DataCollective, Lane, Sent, Tables};
use super::duration::Timed;
use super::timed::{TimedPass, TimedSegment};
use super::wires::Requests;
use super::{COMPUTE, EXCHANGE, Window, account};
use crate::case::Dispatcher;
use crate::kernels::{Gemm, MatrixType, Pass as GemmPass};
use crate::links::{Direction, Exchange, ExchangeTime, GroupShape};
use crate::ops::{Class, Op, Work};
use strait_sim::{Block, Kind};
use strait_units::{Bytes, Time};

fn op(name: &'static str) -> Timed {
    Timed {
        op: Op {
            name,
            class: Class::Gemm,
            work: Work::Gemm(Gemm {
                m: 1,
                n: 1,
                k: 1,
                groups: 1,
                operand: MatrixType::Bf16,
                pass: GemmPass::Forward,
                output_bytes: 2.0,
            }),
            routed: false,
        },
        time: Time::from_picos(1000),
        speed: true,
        units: 132,
    }
}

fn tokens() -> Exchange {
    Exchange {
        dispatcher: Dispatcher::Deduplicated,
        direction: Direction::Dispatch,
        tokens: 1,
        hidden: 1,
        bytes_per_token: 2.0,
        top_k: 1,
        experts: 8,
        routing_groups: 1,
        group_limit: 1,
        node_limit: None,
        group: GroupShape::in_domain(8),
        beside_compute: false,
        fresh_handle: false,
    }
}

fn segment(
    ops: &[&'static str],
    exchange: Option<&'static str>,
    filler: &[&'static str],
) -> TimedSegment {
    let list =
        |names: &[&'static str]| names.iter().map(|name| op(name)).collect::<Vec<_>>().into();
    let time = ExchangeTime {
        nic: Time::from_picos(500),
        ..ExchangeTime::default()
    };
    TimedSegment {
        ops: list(ops),
        exchange: exchange.map(|name| (time, tokens(), name)),
        filler: list(filler),
        layer: 0,
        in_layer: true,
    }
}

/// A MoE layer in little.
fn layer() -> TimedPass {
    TimedPass {
        forward: vec![
            segment(&["attn(F)"], Some("dispatch(F)"), &[]),
            segment(&["mlp(F)"], Some("combine(F)"), &[]),
        ],
        backward: vec![
            segment(&[], Some("combine(B)"), &[]),
            segment(&["mlp(B)"], Some("dispatch(B)"), &["mlp(W)"]),
            segment(&["attn(B)"], None, &["attn(W)"]),
        ],
    }
}

/// Each stream as names, with what an instruction waits for: `name<stream:count`.
fn shown(block: &Block, tables: &Tables) -> Vec<Vec<String>> {
    (block.streams.iter())
        .map(|list| {
            (list.iter())
                .map(|i| {
                    let waits: String = (i.waits.iter().flatten())
                        .map(|w| format!("<{}:{}", w.stream, w.count))
                        .collect();
                    format!("{}{waits}", tables.labels[usize::from(i.label)])
                })
                .collect()
        })
        .collect()
}

/// The order of DeepSeek's published trace: combine(B) beside attn(F), dispatch(F) beside mlp(B)
/// and so on (deepseek-ai/profile-data).
#[test]
fn a_pair_runs_by_turns() {
    let mut tables = Tables::new(Requests::default(), true, true);
    let mut builder = Builder::new(&mut tables, false);
    builder.pair(
        &[layer()],
        &[layer()],
        &Beside::default(),
        &Beside::default(),
    );
    let block = builder.finish(Window::Pair, false);
    let streams = shown(&block, &tables);
    assert_eq!(
        streams[COMPUTE as usize],
        [
            "attn(F)",
            "mlp(B)<1:1",
            "mlp(W)",
            "mlp(F)<1:2",
            "attn(B)<1:3",
            "attn(W)"
        ]
    );
    assert_eq!(
        streams[EXCHANGE as usize],
        [
            "combine(B)",
            "dispatch(F)<0:1",
            "dispatch(B)<0:2",
            "combine(F)<0:4"
        ]
    );
}

/// Without overlap nothing runs beside an exchange.
#[test]
fn a_pair_in_turn_hides_nothing() {
    let mut tables = Tables::new(Requests::default(), true, true);
    let mut builder = Builder::new(&mut tables, false);
    builder.in_turn(
        &[layer()],
        &[layer()],
        &Beside::default(),
        &Beside::default(),
    );
    let block = builder.finish(Window::Pair, false);
    let streams = shown(&block, &tables);
    assert_eq!(
        streams[COMPUTE as usize],
        [
            "attn(F)",
            "mlp(F)<1:1",
            "mlp(B)<1:3",
            "mlp(W)",
            "attn(B)<1:4",
            "attn(W)"
        ]
    );
    assert_eq!(
        streams[EXCHANGE as usize],
        [
            "dispatch(F)<0:1",
            "combine(F)<0:2",
            "combine(B)<0:2",
            "dispatch(B)<0:4"
        ]
    );
}

/// Postponed weight gradients are all of them and nothing else.
#[test]
fn a_split_backward_is_a_whole_one() {
    let count = |build: &dyn Fn(&mut Builder<'_>)| {
        let mut tables = Tables::new(Requests::default(), true, true);
        let mut builder = Builder::new(&mut tables, true);
        build(&mut builder);
        let block = builder.finish(Window::Backward, false);
        let mut names = shown(&block, &tables)[COMPUTE as usize].clone();
        for name in &mut names {
            name.truncate(name.find('<').unwrap_or(name.len()));
        }
        names.sort();
        names
    };
    let beside = Beside::default();
    let layers = [layer(), layer()];
    let whole = count(&|b| b.backward(&layers, true, &beside));
    let mut parts = count(&|b| b.backward(&layers, false, &beside));
    parts.extend(count(&|b| b.weights(&layers, &beside)));
    parts.sort();
    assert_eq!(whole, parts);
    assert_eq!(whole.len(), 8);
}

/// A send leaves when the last critical op and the exchange behind it are done, and not later for
/// weight gradients.
#[test]
fn sends_wait_for_their_lane_only() {
    let mut tables = Tables::new(Requests::default(), true, true);
    let mut builder = Builder::new(&mut tables, false);
    builder.pair(
        &[layer()],
        &[layer()],
        &Beside::default(),
        &Beside::default(),
    );
    builder.send(
        Lane::Forward,
        0,
        (0, 1, Sent::default()),
        Time::from_picos(10),
        true,
    );
    builder.send(
        Lane::Backward,
        1,
        (1, 0, Sent::default()),
        Time::from_picos(10),
        true,
    );
    let block = builder.finish(Window::Pair, false);
    let streams = shown(&block, &tables);
    // The forward's combine; the backward's attn(B), the fifth of the compute stream.
    assert_eq!(streams[2], ["send<0:4<1:4", "send<0:5"]);
    assert!(matches!(block.streams[2][1].kind, Kind::Send { peer: 1 }));
}

/// Dependences that 16 bits can't number are noticed instead of wrapping.
#[test]
fn too_many_dependences_are_noticed() {
    let mut tables = Tables::new(Requests::default(), true, true);
    let mut pass = layer();
    for layer in 0..40_000 {
        for segment in pass.forward.iter_mut().chain(&mut pass.backward) {
            segment.layer = layer;
        }
        let mut builder = Builder::new(&mut tables, false);
        let passes = std::slice::from_ref(&pass);
        builder.pair(passes, passes, &Beside::default(), &Beside::default());
        builder.finish(Window::Pair, false);
        if tables.overflown() {
            break;
        }
    }
    assert!(tables.overflown());
    assert!(tables.dependences.len() <= 1 + usize::from(u16::MAX));
    assert!(usize::from(account::OTHER) < strait_sim::program::MAX_ACCOUNTS);
}

/// Sharded parameters a pass ahead or when their pass is there, gradients in the background or
/// waited for: the same collectives of the same bytes.
#[test]
fn overlap_of_shards_moves_waits_and_no_bytes() {
    let pass = || TimedPass {
        forward: vec![segment(&["(F)"], None, &[])],
        backward: vec![segment(&["(B)"], None, &["(W)"])],
    };
    let list = || {
        vec![DataCollective {
            group: 0,
            time: Time::from_picos(700),
            sent: Sent {
                nic: Bytes::new(70),
                port: Bytes::ZERO,
            },
            wire: None,
        }]
    };
    let built = |late, awaited, weights| {
        let mut tables = Tables::new(Requests::default(), true, true);
        let mut builder = Builder::new(&mut tables, true);
        let beside = Beside {
            gather: match weights {
                true => Vec::new(),
                false => vec![list(), list()],
            },
            reduce: vec![list(), list()],
            sharded: true,
            late,
            awaited,
            ..Beside::default()
        };
        match weights {
            true => builder.weights(&[pass(), pass()], &beside),
            false => builder.backward(&[pass(), pass()], true, &beside),
        }
        let block = builder.finish(Window::Backward, false);
        let sent: u64 = (tables.subjects.iter().flatten().flatten())
            .map(|subject| subject.sent.nic.get())
            .sum();
        (shown(&block, &tables), sent)
    };
    let [gather, reduce] = ["gather parameters", "reduce gradients"];
    let (ahead, bytes) = built(false, false, false);
    assert_eq!(
        ahead[EXCHANGE as usize],
        [
            gather.to_owned(),
            gather.to_owned(),
            format!("{reduce}<0:2"),
            format!("{reduce}<0:4")
        ]
    );
    let (late, same) = built(true, false, false);
    assert_eq!(bytes, same);
    assert_eq!(
        late[EXCHANGE as usize],
        [
            gather.to_owned(),
            format!("{reduce}<0:2"),
            format!("{gather}<0:2"),
            format!("{reduce}<0:4")
        ]
    );
    assert_eq!(late[COMPUTE as usize], ["(B)<1:1", "(W)", "(B)<1:3", "(W)"]);
    let (hidden, bytes) = built(false, false, true);
    assert_eq!(hidden[COMPUTE as usize], ["(W)", "(W)"]);
    let (awaited, same) = built(false, true, true);
    assert_eq!(bytes, same);
    assert_eq!(awaited[COMPUTE as usize], ["(W)", "(W)<1:1"]);
}
