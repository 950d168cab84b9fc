//! Random jobs that can finish: pipelines of stages, each with several replicas.
//!
//! Why they never deadlock: order instructions by (slot, stage, order of creation). Waits
//! name instructions of the same block created before; collectives join replicas of one
//! stage at the same place; a message is needed no earlier than it is sent in that order.
//! The last slot alone joins the stages, and neither sends nor receives.

use strait_sim::random::Key;
use strait_sim::{Block, EntryWait, Instruction, Job, Kind, Peer, Program, RankSpec, Slot, Wait};
use strait_units::Time;

/// Size of a random job, and the seed of the rest.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub seed: u64,
    pub stages: u32,
    pub replicas: u32,
    pub slots: u32,
    pub foreground: u8,
    pub background: u8,
    pub ops: u64,
    /// Largest base duration: small ones make ties.
    pub longest: u64,
    /// What breaks the regularity of ranks.
    pub mix: Mix,
}

/// What breaks the regularity of ranks, none of which makes a job unable to finish.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix {
    /// Half of the replicas run a program of their own: the same instructions with other times,
    /// so that groups join programs in all streams.
    pub variants: bool,
    /// Messages go to another replica.
    pub rotated: bool,
    /// Ranks are numbered by replica and backwards, so that groups are not consecutive.
    pub scattered: bool,
}

struct Dice {
    key: Key,
    next: u64,
}

impl Dice {
    /// One of `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.next += 1;
        self.key.at(self.next).word() % sides
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// Streams that a job's collectives and sends are on.
struct Lanes {
    collectives: [u64; 2],
    sends: [u64; 2],
}

pub fn job(shape: Shape) -> Job {
    let mut dice = Dice {
        key: Key::new(shape.seed),
        next: 0,
    };
    let streams = u64::from(shape.foreground + shape.background);
    let lanes = Lanes {
        collectives: [dice.roll(streams), dice.roll(streams)],
        sends: [dice.roll(streams), dice.roll(streams)],
    };
    let mut programs: Vec<Program> = (0..shape.stages)
        .map(|stage| program(&mut dice, shape, stage, &lanes))
        .collect();
    for stage in 0..shape.stages as usize {
        for slot in 0..shape.slots as usize {
            let forward = (stage > 0).then(|| sends(&programs[stage - 1], 0, slot + 1));
            let backward = programs.get(stage + 1).map(|next| sends(next, 1, slot));
            for (channel, sent) in [forward, backward].into_iter().enumerate() {
                if let Some(sent) = sent
                    && dice.chance(60)
                {
                    // Mostly the newest message, which makes ranks wait.
                    let late = dice.chance(70);
                    let count = if late {
                        sent
                    } else {
                        dice.roll(u64::from(sent) + 1) as u32
                    };
                    programs[stage].slots[slot].entry[channel] = Some(EntryWait {
                        channel: channel as u8,
                        count,
                    });
                }
            }
        }
    }
    if shape.mix.variants {
        let others: Vec<Program> = programs
            .iter()
            .map(|p| variant(&mut dice, shape, p))
            .collect();
        programs.extend(others);
    }
    Job {
        programs,
        ranks: ranks(shape).into(),
    }
}

/// The same program with other times.
fn variant(dice: &mut Dice, shape: Shape, program: &Program) -> Program {
    let mut other = program.clone();
    let lists = other.blocks.iter_mut().flat_map(|block| &mut block.streams);
    for one in lists.flatten() {
        let new = instruction(dice, shape, one.kind);
        (one.base, one.busy, one.idle) = (new.base, new.busy, new.idle);
    }
    other
}

/// Messages sent to a peer in the first `slots` slots.
fn sends(program: &Program, peer: u8, slots: usize) -> u32 {
    let blocks = program.slots[..slots].iter().map(|slot| slot.block);
    let instructions = blocks.flat_map(|b| program.blocks[b as usize].streams.iter().flatten());
    instructions
        .filter(|i| i.kind == Kind::Send { peer })
        .count() as u32
}

fn program(dice: &mut Dice, shape: Shape, stage: u32, lanes: &Lanes) -> Program {
    let kinds = 1 + dice.roll(3) as u32;
    let mut blocks: Vec<Block> = (0..kinds)
        .map(|_| block(dice, shape, stage, Some(lanes)))
        .collect();
    let mut last = block(dice, shape, stage, None);
    let meet = instruction(dice, shape, Kind::Collective { group: 2 });
    last.streams[0].push(meet);
    blocks.push(last);
    let mut slots: Vec<Slot> = (0..=shape.slots)
        .map(|index| Slot {
            block: dice.roll(u64::from(kinds)) as u32,
            keys: [index, stage],
            entry: [None, None],
        })
        .collect();
    slots[shape.slots as usize].block = kinds;
    Program {
        blocks: blocks.into_iter().map(Into::into).collect(),
        slots,
        foreground: shape.foreground,
        channels: 2,
    }
}

fn block(dice: &mut Dice, shape: Shape, stage: u32, lanes: Option<&Lanes>) -> Block {
    let streams = usize::from(shape.foreground + shape.background);
    let mut block = Block {
        window: dice.roll(3) as u8,
        streams: vec![Vec::new(); streams],
        drains: dice.chance(20),
    };
    for _ in 0..dice.roll(shape.ops + 1) {
        let stream = dice.roll(streams as u64);
        let kind = lanes.map_or(Kind::Local, |lanes| kind(dice, shape, stage, lanes, stream));
        let mut new = instruction(dice, shape, kind);
        for wait in &mut new.waits {
            let other = dice.roll(streams as u64);
            if other != stream && dice.chance(35) {
                let length = block.streams[other as usize].len() as u64;
                *wait = Some(Wait {
                    stream: other as u8,
                    count: dice.roll(length + 1) as u16,
                });
            }
        }
        block.streams[stream as usize].push(new);
    }
    block
}

fn kind(dice: &mut Dice, shape: Shape, stage: u32, lanes: &Lanes, stream: u64) -> Kind {
    for group in 0..2u8 {
        if stream == lanes.collectives[usize::from(group)] && dice.chance(20) {
            return Kind::Collective { group };
        }
    }
    let neighbours = [stage + 1 < shape.stages, stage > 0];
    for peer in 0..2u8 {
        let there = neighbours[usize::from(peer)];
        if there && stream == lanes.sends[usize::from(peer)] && dice.chance(25) {
            return Kind::Send { peer };
        }
    }
    Kind::Local
}

fn instruction(dice: &mut Dice, shape: Shape, kind: Kind) -> Instruction {
    Instruction {
        kind,
        base: Time::from_picos(dice.roll(shape.longest + 1)),
        waits: [None, None],
        busy: dice.roll(4) as u8,
        idle: dice.roll(4) as u8,
        load: 0,
        label: 0,
    }
}

fn ranks(shape: Shape) -> Vec<RankSpec> {
    let Shape {
        stages,
        replicas,
        mix,
        ..
    } = shape;
    let number = |stage: u32, replica: u32| match mix.scattered {
        true => (replicas - 1 - replica) * stages + stage,
        false => stage * replicas + replica,
    };
    let spec = |rank: u32| {
        let (stage, replica) = match mix.scattered {
            true => (rank % stages, replicas - 1 - rank / stages),
            false => (rank / replicas, rank % replicas),
        };
        let mut groups = [u32::MAX; 8];
        groups[0] = stage;
        groups[1] = stage * replicas.div_ceil(2) + replica / 2;
        groups[2] = replica;
        let turn = u32::from(mix.rotated);
        let forward = Peer {
            rank: number((stage + 1).min(stages - 1), (replica + turn) % replicas),
            channel: 0,
        };
        let backward = Peer {
            rank: number(stage.saturating_sub(1), (replica + turn) % replicas),
            channel: 1,
        };
        // One, other, other, one: neither always comes first in a pair.
        let variant = u32::from(mix.variants && replica.div_ceil(2) % 2 == 1);
        RankSpec {
            program: variant * stages + stage,
            groups,
            peers: vec![forward, backward],
        }
    };
    (0..stages * replicas).map(spec).collect()
}
