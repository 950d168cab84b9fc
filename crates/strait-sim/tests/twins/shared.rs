//! Transfers over shared links: every engine against every other, and links of one's own against
//! plain durations.

use crate::jobs;
use crate::{Recorder, Ticks, engine, same, shapes};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use strait_sim::net::{Grain, Hop, LinkId, Links, Plan, PlanBuilder, Template, TemplateId};
use strait_sim::queue::{HeapQueue, WheelQueue};
use strait_sim::random::Key;
use strait_sim::{
    Block, EngineError, EntryWait, Instruction, Job, Kind, Lanes, Mode, Peer, Program, RankSpec,
    Refusal, Run, Site, Slot, Timing, Transfer, Unobserved, Wait,
};
use strait_units::{Bandwidth, Bytes, Ratio, Time};

/// [`Ticks`], but most collectives and sends put bytes on links.
struct Contended {
    ticks: Ticks,
    key: Key,
    plan: Plan,
    /// By kind of group and group, then by rank and stream.
    templates: Vec<Option<TemplateId>>,
    ranks: u32,
    /// In place of the links: what a transfer takes on a link of its own.
    alone: bool,
}

/// Bytes a second of a link: small enough for transfers to last as long as instructions.
const CAPACITY: f64 = 1_099_511_627_776.0;

impl Contended {
    fn new(seed: u64, job: &Job, links: Option<u32>, alone: bool) -> Contended {
        let key = Key::new(seed).purpose("links");
        let ranks = job.ranks.len() as u32;
        let places = 8 * ranks + 4 * ranks;
        let mut all = Links::new();
        let ids: Vec<LinkId> = (0..links.unwrap_or(places))
            .map(|_| all.add(Bandwidth::new(CAPACITY)).unwrap())
            .collect();
        let mut builder = PlanBuilder::new(all);
        let templates = (0..places)
            .map(|place| {
                let word = |i: u64| key.entity(place.into()).at(i).word();
                if word(0).is_multiple_of(4) {
                    return None;
                }
                let mut template = Template::new();
                let grain = if links.is_some() {
                    for flow in 0..1 + word(1) % 3 {
                        let part = if flow == 0 { 0 } else { word(2) as u32 % 2 };
                        let at = |i| ids[(word(3 + 2 * flow + i) % ids.len() as u64) as usize];
                        let hops = [Hop::plain(at(0)), Hop::plain(at(1))];
                        let used = if hops[0].link == hops[1].link { 1 } else { 2 };
                        let flow = flow as u32;
                        template
                            .flow(part, Ratio::new(1.0), flow, &hops[..used])
                            .unwrap();
                    }
                    [Grain::Coflow, Grain::Class, Grain::Flow][word(9) as usize % 3]
                } else {
                    let hop = Hop::plain(ids[place as usize]);
                    template.flow(0, Ratio::new(1.0), 0, &[hop]).unwrap();
                    Grain::Flow
                };
                Some(builder.add(template, grain).unwrap())
            })
            .collect();
        Contended {
            ticks: Ticks(Key::new(seed)),
            key,
            plan: builder.build(),
            templates,
            ranks,
            alone,
        }
    }

    fn transfer(&self, place: u32, site: Site<'_>, base: Time) -> Option<Transfer> {
        let template = self.templates[place as usize]?;
        let key = self.key.entity(site.slot_index.into());
        let word = key.entity(place.into()).at(site.index.into()).word();
        let size = Bytes::new(base.picos() + word % 5);
        Some(Transfer {
            fixed: Time::from_picos(word / 8 % 3),
            template,
            sizes: [size, Bytes::new(word / 32 % 7)],
        })
    }

    fn of_group(&self, group: u32, site: Site<'_>, instruction: &Instruction) -> Option<Transfer> {
        let Kind::Collective { group: kind } = instruction.kind else {
            panic!("not a collective");
        };
        let place = u32::from(kind) * self.ranks + group;
        self.transfer(place, site, instruction.base)
    }

    fn of_send(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Option<Transfer> {
        if !matches!(instruction.kind, Kind::Send { .. }) {
            return None;
        }
        let place = 8 * self.ranks + 4 * rank + u32::from(site.stream);
        self.transfer(place, site, instruction.base)
    }

    fn takes(transfer: Transfer) -> Time {
        let picos = (transfer.sizes[0].as_f64() / CAPACITY * 1e12).ceil();
        transfer.fixed + Time::from_picos(picos as u64)
    }
}

impl Timing for Contended {
    fn network(&self) -> Option<&Plan> {
        (!self.alone).then_some(&self.plan)
    }

    fn shared_collective(
        &self,
        group: u32,
        _members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        self.of_group(group, site, instruction)
    }

    fn shared_send(
        &self,
        rank: u32,
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        self.of_send(rank, site, instruction)
    }

    fn local(&self, rank: u32, site: Site<'_>, instruction: &Instruction) -> Time {
        match self.of_send(rank, site, instruction) {
            Some(transfer) => {
                assert!(self.alone, "a transfer has no time of its own");
                Contended::takes(transfer)
            }
            None => self.ticks.local(rank, site, instruction),
        }
    }

    fn collective(
        &self,
        group: u32,
        members: &[u32],
        site: Site<'_>,
        instruction: &Instruction,
    ) -> Time {
        match self.of_group(group, site, instruction) {
            Some(transfer) => {
                assert!(self.alone, "a transfer has no time of its own");
                Contended::takes(transfer)
            }
            None => self.ticks.collective(group, members, site, instruction),
        }
    }
}

fn lanes(job: &Job, timing: &impl Timing, recorder: &mut Recorder) -> Option<Run> {
    let go_on = AtomicBool::new(false);
    match Lanes.run(job, timing, recorder, &go_on, &|_| {}) {
        Ok(run) => Some(run),
        Err(EngineError::Refused(Refusal::OutOfOrder)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Runs on all engines; says whether the lanes took it.
fn all_agree(job: &Job, timing: &impl Timing) -> bool {
    let mut plain = Recorder::default();
    let expected = engine::<HeapQueue>(job, timing, Mode::EveryOp, &mut plain);
    let mut recorder = Recorder::default();
    let runs = engine::<WheelQueue>(job, timing, Mode::Runs, &mut recorder);
    same(&runs, &expected, "runs");
    assert_eq!(recorder.spans, plain.spans, "spans, runs");
    let go_on = AtomicBool::new(false);
    let either = strait_sim::run(job, timing, &mut Unobserved, &go_on, &|_| {});
    same(&either.unwrap(), &expected, "the faster");
    let mut recorder = Recorder::default();
    let Some(in_lanes) = lanes(job, timing, &mut recorder) else {
        return false;
    };
    same(&in_lanes, &expected, "lanes, observed");
    assert_eq!(recorder.spans, plain.spans, "spans, lanes");
    let unseen = Lanes.run(job, timing, &mut Unobserved, &go_on, &|_| {});
    same(&unseen.unwrap(), &expected, "lanes");
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn engines_share_links_alike(shape in shapes(3, 6, 8), links in 1..6u32) {
        let job = jobs::job(shape);
        all_agree(&job, &Contended::new(shape.seed, &job, Some(links), false));
    }

    #[test]
    fn a_link_of_its_own_is_a_duration(shape in shapes(3, 6, 8)) {
        let job = jobs::job(shape);
        let shared = Contended::new(shape.seed, &job, None, false);
        let alone = Contended::new(shape.seed, &job, None, true);
        all_agree(&job, &shared);
        let shared = engine::<WheelQueue>(&job, &shared, Mode::Runs, &mut Unobserved);
        let alone = engine::<WheelQueue>(&job, &alone, Mode::Runs, &mut Unobserved);
        same(&shared, &alone, "alone");
    }
}

/// The lanes must take enough of these jobs for the comparison to mean something, and must refuse some.
#[test]
fn lanes_take_most_jobs_with_shared_links() {
    let (mut taken, mut refused, mut longer) = (0, 0, 0);
    for seed in 0..150 {
        let shape = jobs::Shape {
            seed,
            stages: 3,
            replicas: 4,
            slots: 6,
            foreground: 2,
            background: 1,
            ops: 10,
            longest: 1_000_000,
            mix: jobs::Mix::default(),
        };
        let job = jobs::job(shape);
        let timing = Contended::new(seed, &job, Some(3), false);
        if all_agree(&job, &timing) {
            taken += 1;
        } else {
            refused += 1;
        }
        let shared = engine::<WheelQueue>(&job, &timing, Mode::Runs, &mut Unobserved);
        let alone = Contended::new(seed, &job, Some(3), true);
        let alone = engine::<WheelQueue>(&job, &alone, Mode::Runs, &mut Unobserved);
        longer += u32::from(shared.end > alone.end);
    }
    assert!(taken >= 40, "{taken} taken, {refused} refused");
    assert!(longer > 100, "{longer} of 150 are longer for sharing");
}

/// One link for all; an instruction says in `load` how many bytes it sends, as a power of two, and
/// a rank sends as many times more as its number says.
struct OneLink(Plan, TemplateId);

impl OneLink {
    fn new() -> OneLink {
        let mut links = Links::new();
        let link = links.add(Bandwidth::new(CAPACITY)).unwrap();
        let mut template = Template::new();
        let hop = [Hop::plain(link)];
        template.flow(0, Ratio::new(1.0), 0, &hop).unwrap();
        let mut builder = PlanBuilder::new(links);
        let template = builder.add(template, Grain::Class).unwrap();
        OneLink(builder.build(), template)
    }

    fn transfer(&self, times: u32, instruction: &Instruction) -> Option<Transfer> {
        Some(Transfer {
            fixed: Time::from_picos(7),
            template: self.1,
            sizes: [
                Bytes::new(u64::from(times) << instruction.load),
                Bytes::ZERO,
            ],
        })
    }
}

impl Timing for OneLink {
    fn network(&self) -> Option<&Plan> {
        Some(&self.0)
    }

    fn shared_collective(
        &self,
        _group: u32,
        _members: &[u32],
        _site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        self.transfer(1, instruction)
    }

    fn shared_send(
        &self,
        rank: u32,
        _site: Site<'_>,
        instruction: &Instruction,
    ) -> Option<Transfer> {
        self.transfer(1 + rank, instruction)
    }

    fn local(&self, _rank: u32, _site: Site<'_>, instruction: &Instruction) -> Time {
        instruction.base
    }

    fn collective(&self, _: u32, _: &[u32], _: Site<'_>, _: &Instruction) -> Time {
        panic!("all are shared")
    }
}

fn op(kind: Kind, picos: u64, load: u16) -> Instruction {
    Instruction {
        kind,
        base: Time::from_picos(picos),
        waits: [None, None],
        busy: 0,
        idle: 0,
        load,
        label: 0,
    }
}

fn slots(count: u32, entry: impl Fn(u32) -> Option<EntryWait>) -> Vec<Slot> {
    (0..count)
        .map(|slot| Slot {
            block: 0,
            keys: [0, 0],
            entry: [entry(slot), None],
        })
        .collect()
}

fn program(foreground: u8, streams: Vec<Vec<Instruction>>, slots: Vec<Slot>) -> Program {
    Program {
        blocks: vec![
            Block {
                streams,
                ..Block::default()
            }
            .into(),
        ],
        slots,
        foreground,
        channels: 1,
    }
}

fn rank(program: u32, group: u32, peer: u32) -> RankSpec {
    RankSpec {
        program,
        groups: [group, 0, 0, 0, 0, 0, 0, 0],
        peers: vec![Peer {
            rank: peer,
            channel: 0,
        }],
    }
}

/// Two groups of one, one link: by hand.
#[test]
fn two_on_a_link_get_half_each() {
    /// 2^20 bytes at 2^40 bytes a second.
    const ALONE: f64 = 1e12 / 1_048_576.0;
    // Rank 1 is later by half of what the transfer takes alone.
    let late = (ALONE / 2.0) as u64;
    let before = |picos| {
        let list = vec![
            op(Kind::Local, picos, 0),
            op(Kind::Collective { group: 0 }, 0, 20),
        ];
        program(1, vec![list], slots(1, |_| None))
    };
    let job = Job {
        programs: vec![before(0), before(late)],
        ranks: vec![rank(0, 0, 0), rank(1, 1, 1)].into(),
    };
    let timing = OneLink::new();
    assert!(all_agree(&job, &timing));
    let run = engine::<WheelQueue>(&job, &timing, Mode::Runs, &mut Unobserved);
    // The first has half left when the second comes, and then needs as long again as it takes
    // alone; the second then has half left, alone.
    let near = |time: Time, expected: f64| {
        let off = time.picos() as f64 - expected;
        assert!((0.0..2.0).contains(&off), "{time:?}, expected {expected}");
    };
    near(
        run.finish[0],
        7.0 + late as f64 + (ALONE - late as f64) * 2.0,
    );
    near(run.finish[1], 7.0 + 2.0 * ALONE);
}

/// Short collectives in front, long sends behind, two in a row and longer on one lane than on the
/// other: the front runs far ahead of what it sends. Lanes must take it, and not leave it to events.
#[test]
fn lanes_keep_order_where_sends_lag() {
    let wait = Wait {
        stream: 0,
        count: 1,
    };
    let behind = |load| Instruction {
        waits: [Some(wait), None],
        ..op(Kind::Send { peer: 0 }, 0, load)
    };
    let front = vec![
        op(Kind::Collective { group: 0 }, 0, 10),
        op(Kind::Local, 5, 0),
    ];
    let entry = |slot| EntryWait {
        channel: 0,
        count: 2 * (slot + 1),
    };
    let receives = vec![vec![op(Kind::Local, 3, 0)], vec![]];
    let job = Job {
        programs: vec![
            program(
                1,
                vec![front, vec![behind(20), behind(19)]],
                slots(12, |_| None),
            ),
            program(1, receives, slots(12, |slot| Some(entry(slot)))),
        ],
        ranks: vec![rank(0, 0, 2), rank(0, 0, 3), rank(1, 1, 0), rank(1, 1, 1)].into(),
    };
    assert!(all_agree(&job, &OneLink::new()), "refused");
}
