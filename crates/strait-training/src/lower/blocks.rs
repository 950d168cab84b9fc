//! Blocks: the instruction lists of one chunk, or of an overlapped pair of chunks.
//!
//! In: timed segments of a forward and a backward pass. Out: [`Block`]s. Never orders
//! chunks: that is the schedule.
//!
//! A pair runs forward and backward segments by turns on the compute stream, so that each
//! exchange has the other direction's compute to hide under: attn(F), mlp(B) and its weight
//! gradients, mlp(F), attn(B) and its weight gradients, as in DeepSeek's published trace.

use super::duration::Timed;
use super::timed::{TimedPass, TimedSegment};
use super::timing::Dependence;
use super::wires::{NO_REQUEST, Request, Requests};
use super::{COMPUTE, DATA, EXCHANGE, SENDS, Window, account, group};
use crate::layout::Group;
use crate::links::CollectiveKind;
use crate::ops::{Class, Scope, Work};
use std::collections::BTreeMap;
use strait_sim::{Block, Instruction, Kind, Wait};
use strait_units::{Bytes, Time};

/// A dependence as numbers: equal if and only if it is.
fn fields(dependence: Dependence) -> [u64; 8] {
    match dependence {
        Dependence::Exact => [0; 8],
        Dependence::Kernel { speed, routed } => {
            let (layer, key) = routed.unwrap_or_default();
            let flags = [1, u64::from(speed), u64::from(routed.is_some())];
            let [kind, speed, routed] = flags;
            [
                kind,
                speed,
                routed,
                u64::from(layer),
                u64::from(key),
                0,
                0,
                0,
            ]
        }
        Dependence::Exchange {
            time,
            layer,
            key,
            request,
        } => [
            2,
            time.fixed.picos(),
            time.nic.picos(),
            time.nvlink.picos(),
            time.nic_bytes.get(),
            time.nvlink_bytes.get(),
            u64::from(layer),
            u64::from(request) << 32 | u64::from(key),
        ],
        Dependence::Transfer { request } => [3, u64::from(request), 0, 0, 0, 0, 0, 0],
    }
}

/// What an instruction is about: for timelines, which name it; durations never ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Layer, where it is of one.
    pub layer: Option<u32>,
    /// Which key of the slot is its micro-batch, where it has one.
    pub key: Option<u8>,
    /// What a rank sends in it at mean load.
    pub sent: Sent,
}

/// Bytes that leave a rank, by the network it uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Through its NIC.
    pub nic: Bytes,
    /// Through its scale-up port.
    pub port: Bytes,
}

/// The subjects of a block's instructions, by stream.
pub(crate) type Subjects = [Vec<Subject>; 4];

/// How many labels are remembered by address.
const NEAR: usize = 64;

/// Names and dependences shared by all blocks of a job.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub dependences: Vec<Dependence>,
    /// Where those of kernels are, by speed, layer and key: asked for each instruction. Zero
    /// where there is none yet.
    kernels: Vec<u16>,
    /// Where each is, by its fields.
    known: BTreeMap<[u64; 8], u16>,
    pub labels: Vec<&'static str>,
    /// Labels asked for lately, by address: for speed alone.
    near: Near,
    /// What instructions send, where links may be shared.
    pub requests: Requests,
    /// Of each finished block, in the order of finishing; none where nobody asks.
    pub subjects: Vec<Subjects>,
    /// Somebody asks for them and for labels.
    told: bool,
    /// Durations depend on the layer, by its routed load.
    loads: bool,
}

/// Labels by address.
#[derive(Debug)]
struct Near([Option<(&'static str, u16)>; NEAR]);

impl Default for Near {
    fn default() -> Near {
        Near([None; NEAR])
    }
}

impl Tables {
    /// Empty tables. `loads`: durations depend on the layer by its routed load; `told`:
    /// somebody asks what instructions are about.
    pub fn new(requests: Requests, loads: bool, told: bool) -> Tables {
        Tables {
            requests,
            dependences: vec![Dependence::Exact],
            known: BTreeMap::from([(fields(Dependence::Exact), 0)]),
            told,
            loads,
            ..Tables::default()
        }
    }

    /// The number of a dependence; 0 once there are more than can be numbered, see
    /// [`Tables::overflown`].
    fn dependence(&mut self, dependence: Dependence) -> u16 {
        if self.overflown() {
            return 0;
        }
        let Dependence::Kernel { speed, routed } = dependence else {
            return self.searched(dependence);
        };
        let of_layer = |(layer, key): (u32, u8)| 1 + 2 * layer as usize + usize::from(key & 1);
        let at = 2 * routed.map_or(0, of_layer) + usize::from(speed);
        if self.kernels.len() <= at {
            self.kernels.resize(at + 1, 0);
        }
        if self.kernels[at] == 0 {
            self.kernels[at] = self.searched(dependence);
        }
        self.kernels[at]
    }

    fn searched(&mut self, dependence: Dependence) -> u16 {
        *self.known.entry(fields(dependence)).or_insert_with(|| {
            self.dependences.push(dependence);
            (self.dependences.len() - 1) as u16
        })
    }

    /// The dependence of a transfer whose duration is known unless somebody is in its way.
    fn transfer(&mut self, request: Option<Request>) -> u16 {
        match request.map(|request| self.requests.add(request)) {
            None | Some(NO_REQUEST) => 0,
            Some(request) => self.dependence(Dependence::Transfer { request }),
        }
    }

    /// [`Tables::transfer`] of an op.
    fn transfer_of(&mut self, timed: &Timed) -> u16 {
        let wanted = self.requests.wants_ops();
        self.transfer(wanted.then(|| Request::op(timed)))
    }

    /// There were more dependences than 16 bits can number: the job must not run.
    pub fn overflown(&self) -> bool {
        self.dependences.len() > usize::from(u16::MAX)
    }

    /// The number of a name; 0 where nobody asks for names.
    fn label(&mut self, name: &'static str) -> u16 {
        if !self.told {
            return 0;
        }
        // Asked for each instruction, mostly with the same literal: its address is enough.
        let address = name.as_ptr() as usize;
        let near = ((address >> 2) ^ (address >> 9)) % NEAR;
        if let Some((known, number)) = self.near.0[near]
            && std::ptr::eq(known, name)
        {
            return number;
        }
        let found = self.labels.iter().position(|l| *l == name);
        let number = found.unwrap_or_else(|| {
            self.labels.push(name);
            self.labels.len() - 1
        }) as u16;
        self.near.0[near] = Some((name, number));
        number
    }
}

/// Which direction a segment belongs to: it says which key of the slot is its micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Forward = 0,
    Backward = 1,
}

/// A data-parallel collective.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataCollective {
    /// Group kind that meets.
    pub group: u8,
    /// What it takes alone.
    pub time: Time,
    /// What each rank sends.
    pub sent: Sent,
    /// What goes over links among which groups; `None` where it is not one collective.
    pub wire: Option<(Group, CollectiveKind, Bytes)>,
}

impl DataCollective {
    fn request(self, stream: u8) -> Option<Request> {
        let (of, kind, bytes) = self.wire?;
        Some(Request::Data {
            of,
            kind,
            bytes,
            stream,
        })
    }
}

/// Communication that accompanies each pass of a chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// Parameters are gathered before the pass (fully sharded).
    pub gather: Vec<Vec<DataCollective>>,
    /// Parameters are gathered in the background before the pass (first forward of a step).
    pub prefetch: Vec<Vec<DataCollective>>,
    /// Parameters were gathered by an earlier slot, which the first pass waits for.
    pub awaits: bool,
    /// Gradients are reduced after the pass: in the background, or in turn with the gathers
    /// of fully sharded parameters, since both use the same ports.
    pub reduce: Vec<Vec<DataCollective>>,
    /// Parameters are fully sharded.
    pub sharded: bool,
    /// Sharded parameters are gathered when their pass is reached, and not a pass ahead.
    pub late: bool,
    /// The compute after a reduction of sharded gradients waits for it.
    pub awaited: bool,
}

/// A block under construction.
pub(super) struct Builder<'t> {
    tables: &'t mut Tables,
    streams: [Vec<Instruction>; 4],
    subjects: Subjects,
    /// What the instructions to come are about.
    subject: Subject,
    /// Exchange that the next segment of a lane waits for.
    pending: [Option<Wait>; 2],
    /// Where the critical ops of a lane end on the compute stream.
    last: [Option<u16>; 2],
    /// Background collective that the next op waits for.
    gathered: Option<Wait>,
    /// Reduction that the next op waits for, weight gradients too.
    reduced: Option<Wait>,
    /// Weight gradients are booked apart.
    lone: bool,
}

impl<'t> Builder<'t> {
    pub fn new(tables: &'t mut Tables, lone: bool) -> Builder<'t> {
        Builder {
            tables,
            streams: Default::default(),
            subjects: Default::default(),
            subject: Subject::default(),
            pending: [None; 2],
            last: [None; 2],
            gathered: None,
            reduced: None,
            lone,
        }
    }

    pub fn finish(self, window: Window, drains: bool) -> Block {
        if self.tables.told {
            self.tables.subjects.push(self.subjects);
        }
        Block {
            window: window as u8,
            streams: self.streams.into(),
            drains,
        }
    }

    /// Instructions of a stream so far. Beyond 65,535 it stays there: such a block is refused
    /// before it runs (see `within_numbers`), so the number is never used.
    fn count(&self, stream: u8) -> u16 {
        u16::try_from(self.streams[stream as usize].len()).unwrap_or(u16::MAX)
    }

    fn here(&self, stream: u8) -> Option<Wait> {
        let count = self.count(stream);
        (count > 0).then_some(Wait { stream, count })
    }

    /// Room for the kernels of passes that are to come.
    fn reserve<'p>(&mut self, segments: impl Iterator<Item = &'p TimedSegment>) {
        let kernels = segments.map(|segment| segment.ops.len() + segment.filler.len());
        self.streams[COMPUTE as usize].reserve(kernels.sum());
    }

    fn push(&mut self, stream: u8, instruction: Instruction) {
        self.streams[stream as usize].push(instruction);
        if self.tables.told {
            self.subjects[stream as usize].push(self.subject);
        }
        self.subject.sent = Sent::default();
    }

    /// What follows is about a segment in one direction.
    fn about(&mut self, segment: &TimedSegment, lane: Lane) {
        self.subject = Subject {
            layer: segment.in_layer.then_some(segment.layer),
            key: Some(lane as u8),
            sent: Sent::default(),
        };
    }

    /// The instruction of a timed op on the compute stream.
    fn op(
        &mut self,
        timed: &Timed,
        lane: Lane,
        layer: u32,
        (busy, idle): (u8, u8),
        waits: [Option<Wait>; 2],
    ) {
        let label = self.tables.label(timed.op.name);
        let (kind, busy, idle, load) = match &timed.op.work {
            Work::Collective { scope, .. } => {
                let (group, book) = match scope {
                    Scope::Tensor => (group::TENSOR, account::TENSOR),
                    Scope::ExpertTensor => (group::EXPERT_TENSOR, account::TENSOR),
                    Scope::Context => (group::CONTEXT, account::CONTEXT),
                };
                let load = self.tables.transfer_of(timed);
                (Kind::Collective { group }, book, book, load)
            }
            Work::Ring { .. } => {
                let load = self.tables.transfer_of(timed);
                let kind = Kind::Collective {
                    group: group::CONTEXT,
                };
                (kind, account::CONTEXT, account::CONTEXT, load)
            }
            _ => {
                let routed = self.tables.loads && timed.op.routed;
                let routed = routed.then_some((layer, lane as u8));
                let load = self.tables.dependence(Dependence::Kernel {
                    speed: timed.speed,
                    routed,
                });
                (Kind::Local, busy, idle, load)
            }
        };
        self.push(
            COMPUTE,
            Instruction {
                kind,
                base: timed.time,
                waits,
                busy,
                idle,
                load,
                label,
            },
        );
    }

    /// Critical ops of a segment and the exchange after them.
    pub fn segment(&mut self, segment: &TimedSegment, lane: Lane) {
        self.ops(segment, lane);
        self.exchange(segment, lane);
    }

    fn ops(&mut self, segment: &TimedSegment, lane: Lane) {
        let side = lane as usize;
        self.about(segment, lane);
        for timed in segment.ops.iter() {
            let waits = [self.pending[side].take(), self.collected()];
            let (waits, idle) = match waits {
                [None, None] => (waits, account::OTHER),
                [None, gathered] => ([gathered, None], account::DATA),
                _ => (waits, account::EXPERT),
            };
            let accounts = (timed.op.class as u8, idle);
            self.op(timed, lane, segment.layer, accounts, waits);
            self.last[side] = Some(self.count(COMPUTE));
        }
    }

    /// What the next op waits for beside its lane: a gather or a reduction, the later one where there
    /// are both, since sharded parameters and gradients share a stream.
    fn collected(&mut self) -> Option<Wait> {
        let waits = [self.gathered.take(), self.reduced.take()];
        waits.into_iter().flatten().max_by_key(|wait| wait.count)
    }

    fn exchange(&mut self, segment: &TimedSegment, lane: Lane) {
        let side = lane as usize;
        if let Some((time, tokens, name)) = segment.exchange {
            self.about(segment, lane);
            let after = self.last[side].map(|count| Wait {
                stream: COMPUTE,
                count,
            });
            let request = self.tables.requests.add(Request::Exchange(tokens));
            let load = self.tables.dependence(Dependence::Exchange {
                time,
                layer: if self.tables.loads { segment.layer } else { 0 },
                key: lane as u8,
                request,
            });
            let label = self.tables.label(name);
            self.subject.sent = Sent {
                nic: time.nic_bytes,
                port: time.nvlink_bytes,
            };
            self.push(
                EXCHANGE,
                Instruction {
                    kind: Kind::Collective {
                        group: group::EXPERT,
                    },
                    base: time.mean(),
                    waits: [after, None],
                    busy: account::EXPERT,
                    idle: account::EXPERT,
                    load,
                    label,
                },
            );
            self.pending[side] = self.here(EXCHANGE);
        }
    }

    /// Weight gradients of a segment.
    pub fn filler(&mut self, segment: &TimedSegment) {
        self.about(segment, Lane::Backward);
        for timed in segment.filler.iter() {
            let busy = if self.lone {
                account::LONE_WEIGHT
            } else {
                timed.op.class as u8
            };
            let reduced = self.reduced.take();
            let idle = match reduced {
                Some(_) => account::DATA,
                None => account::OTHER,
            };
            let (accounts, waits) = ((busy, idle), [reduced, None]);
            self.op(timed, Lane::Backward, segment.layer, accounts, waits);
        }
    }

    /// Collectives on a communication stream, in order, each after the compute so far.
    fn collectives(&mut self, stream: u8, list: &[DataCollective], name: &'static str) {
        let label = self.tables.label(name);
        self.subject = Subject::default();
        for &collective in list {
            let waits = [self.here(COMPUTE), None];
            let load = self.tables.transfer(collective.request(stream));
            let DataCollective { group, time, .. } = collective;
            self.subject.sent = collective.sent;
            self.push(
                stream,
                Instruction {
                    kind: Kind::Collective { group },
                    base: time,
                    waits,
                    busy: account::DATA,
                    idle: account::DATA,
                    load,
                    label,
                },
            );
        }
    }

    /// Before pass `index` of a chunk: gathers of its parameters and of the next pass's. Sharded ones
    /// move in turn with reductions: the pass waits for all that is queued before it.
    fn before(&mut self, beside: &Beside, index: usize) {
        if !beside.prefetch.is_empty() {
            self.gathered = Some(Wait {
                stream: DATA,
                count: u16::try_from(
                    (beside.prefetch[..=index].iter())
                        .map(Vec::len)
                        .sum::<usize>(),
                )
                .unwrap_or(u16::MAX),
            })
            .filter(|wait| wait.count > 0);
        }
        if !beside.gather.is_empty() {
            if index == 0 || beside.late {
                self.collectives(EXCHANGE, &beside.gather[index], "gather parameters");
            }
            self.gathered = self.here(EXCHANGE);
            if let Some(next) = beside.gather.get(index + 1)
                && !beside.late
            {
                self.collectives(EXCHANGE, next, "gather parameters");
            }
        }
    }

    /// Gathers the parameters of a chunk in the background: the only work of its block.
    pub fn gather(&mut self, prefetch: &[Vec<DataCollective>]) {
        let beside = Beside {
            prefetch: prefetch.to_vec(),
            ..Beside::default()
        };
        self.start(&beside);
    }

    fn start(&mut self, beside: &Beside) {
        self.subject = Subject::default();
        if beside.awaits {
            // Background streams run slots in order: this mark ends when the gathers have.
            let label = self.tables.label("parameters gathered");
            self.push(
                DATA,
                Instruction {
                    kind: Kind::Local,
                    base: Time::ZERO,
                    waits: [None, None],
                    busy: account::DATA,
                    idle: account::DATA,
                    load: 0,
                    label,
                },
            );
            self.gathered = self.here(DATA);
        }
        let label = self.tables.label("gather parameters");
        for &collective in beside.prefetch.iter().flatten() {
            let load = self.tables.transfer(collective.request(DATA));
            let DataCollective { group, time, .. } = collective;
            self.subject.sent = collective.sent;
            self.push(
                DATA,
                Instruction {
                    kind: Kind::Collective { group },
                    base: time,
                    waits: [None, None],
                    busy: account::DATA,
                    idle: account::DATA,
                    load,
                    label,
                },
            );
        }
    }

    /// A lone forward chunk.
    pub fn forward(&mut self, passes: &[TimedPass], beside: &Beside) {
        self.start(beside);
        self.reserve(passes.iter().flat_map(|pass| &pass.forward));
        for (index, pass) in passes.iter().enumerate() {
            self.before(beside, index);
            for segment in &pass.forward {
                self.segment(segment, Lane::Forward);
            }
        }
    }

    /// A lone backward chunk, with or without its weight gradients. `beside` is in the order
    /// of the backward pass.
    pub fn backward(&mut self, passes: &[TimedPass], weights: bool, beside: &Beside) {
        self.reserve(passes.iter().flat_map(|pass| &pass.backward));
        for (index, pass) in passes.iter().rev().enumerate() {
            self.before(beside, index);
            for segment in &pass.backward {
                self.ops(segment, Lane::Backward);
                // A lone chunk is plain automatic differentiation: weight gradients are
                // computed where they stand, and nothing hides the exchange after them.
                if weights {
                    self.filler(segment);
                    self.last[Lane::Backward as usize] = self.here(COMPUTE).map(|wait| wait.count);
                }
                self.exchange(segment, Lane::Backward);
            }
            self.after(beside, index);
        }
    }

    /// Weight gradients of a chunk alone.
    pub fn weights(&mut self, passes: &[TimedPass], beside: &Beside) {
        self.reserve(passes.iter().flat_map(|pass| &pass.backward));
        for (index, pass) in passes.iter().rev().enumerate() {
            for segment in &pass.backward {
                self.filler(segment);
            }
            self.after(beside, index);
        }
    }

    fn after(&mut self, beside: &Beside, index: usize) {
        if let Some(list) = beside.reduce.get(index) {
            let stream = if beside.sharded { EXCHANGE } else { DATA };
            self.collectives(stream, list, "reduce gradients");
            if beside.awaited && !list.is_empty() {
                self.reduced = self.here(stream);
            }
        }
    }

    /// An overlapped pair: forward and backward segments by turns. Sharded parameters of both
    /// chunks are gathered first, `ahead` those of the forward one.
    pub fn pair(
        &mut self,
        forward: &[TimedPass],
        backward: &[TimedPass],
        ahead: &Beside,
        beside: &Beside,
    ) {
        for list in ahead.gather.iter().chain(&beside.gather) {
            self.collectives(EXCHANGE, list, "gather parameters");
        }
        self.gathered = self.here(EXCHANGE);
        let segments = forward.iter().flat_map(|pass| &pass.forward);
        self.reserve(segments.chain(backward.iter().flat_map(|pass| &pass.backward)));
        let mut forth = forward.iter().flat_map(|pass| &pass.forward).peekable();
        let mut back = backward
            .iter()
            .rev()
            .enumerate()
            .flat_map(|(index, pass)| {
                let last = pass.backward.len().saturating_sub(1);
                pass.backward
                    .iter()
                    .enumerate()
                    .map(move |(at, segment)| (segment, (at == last).then_some(index)))
            })
            .peekable();
        while forth.peek().is_some() || back.peek().is_some() {
            // Segments without ops of their own are exchanges that can start at once.
            while let Some((segment, done)) = back.next_if(|(s, _)| s.ops.is_empty()) {
                self.segment(segment, Lane::Backward);
                self.filler(segment);
                if let Some(index) = done {
                    self.after(beside, index);
                }
            }
            if let Some(segment) = forth.next() {
                self.segment(segment, Lane::Forward);
            }
            if let Some((segment, done)) = back.next() {
                self.segment(segment, Lane::Backward);
                self.filler(segment);
                if let Some(index) = done {
                    self.after(beside, index);
                }
            }
        }
    }

    /// A pair of which nothing overlaps: the forward chunk, then the backward chunk, exchanges
    /// waited for (DualPipe's own order where the model overlaps nothing).
    pub fn in_turn(
        &mut self,
        forward: &[TimedPass],
        backward: &[TimedPass],
        ahead: &Beside,
        beside: &Beside,
    ) {
        self.forward(forward, ahead);
        self.pending[Lane::Backward as usize] = self.pending[Lane::Forward as usize];
        self.last[Lane::Backward as usize] = self.last[Lane::Forward as usize];
        self.backward(backward, true, beside);
    }

    /// Sends the result of a lane to a peer: behind the chunk, or blocking it. `hop` are the
    /// pipeline ranks it goes from and to, with what a rank sends.
    pub fn send(
        &mut self,
        lane: Lane,
        peer: u8,
        hop: (u32, u32, Sent),
        time: Time,
        asynchronous: bool,
    ) {
        let side = lane as usize;
        let compute = self.last[side].map(|count| Wait {
            stream: COMPUTE,
            count,
        });
        let idle = match self.pending[side] {
            Some(_) => account::EXPERT,
            None => account::PIPELINE,
        };
        let (name, stream, waits) = if asynchronous {
            ("send", SENDS, [compute, self.pending[side]])
        } else {
            ("blocking send", COMPUTE, [self.pending[side], None])
        };
        let label = self.tables.label(name);
        let (from, to, sent) = hop;
        let load = (self.tables).transfer(Some(Request::Hop { from, to, stream }));
        self.subject = Subject {
            layer: None,
            key: Some(lane as u8),
            sent,
        };
        self.push(
            stream,
            Instruction {
                kind: Kind::Send { peer },
                base: time,
                waits,
                busy: account::PIPELINE,
                idle,
                load,
                label,
            },
        );
    }

    /// A collective on the compute stream at the end of the step.
    pub fn blocking(&mut self, collective: DataCollective, name: &'static str) {
        let label = self.tables.label(name);
        let load = self.tables.transfer(collective.request(COMPUTE));
        let DataCollective { group, time, .. } = collective;
        self.subject = Subject {
            sent: collective.sent,
            ..Subject::default()
        };
        self.push(
            COMPUTE,
            Instruction {
                kind: Kind::Collective { group },
                base: time,
                waits: [None, None],
                busy: account::DATA,
                idle: account::DATA,
                load,
                label,
            },
        );
    }

    /// Communication on the compute stream that takes a time of its own.
    pub fn exposed(&mut self, time: Time, name: &'static str) {
        let label = self.tables.label(name);
        self.push(
            COMPUTE,
            Instruction {
                kind: Kind::Local,
                base: time,
                waits: [None, None],
                busy: account::DATA,
                idle: account::DATA,
                load: 0,
                label,
            },
        );
    }

    /// Ops of the optimizer.
    pub fn plain(&mut self, timed: &[Timed]) {
        for item in timed {
            let accounts = (Class::Optimizer as u8, account::OTHER);
            self.op(item, Lane::Forward, 0, accounts, [None, None]);
        }
    }
}
