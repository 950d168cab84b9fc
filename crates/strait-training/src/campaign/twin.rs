//! The plain twin of the slow world: one loop, no entities, every checkpoint an event.
//!
//! In: a plan and a seed. Out: [`Books`] that equal the world's to the tick. For tests only; knows
//! no stragglers.

use super::plan::{Halt, Plan};
use super::world::Books;
use strait_sim::random::Key;

fn draw(key: Key, mean: f64) -> u64 {
    let gap = -libm::log(1.0 - key.uniform()) * mean;
    if gap < 9e18 {
        (gap.ceil() as u64).max(1)
    } else {
        u64::MAX
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    Training,
    Saving {
        until: u64,
    },
    Pausing {
        until: u64,
        halt: Halt,
    },
    Down {
        until: u64,
        restart: bool,
        saving: bool,
    },
    Waiting,
    Restarting {
        until: u64,
    },
}

pub(super) fn simulate(plan: &Plan, seed: u64) -> Books {
    assert_eq!(plan.slow_share, 0.0);
    let root = Key::new(seed);
    let keys: Vec<Key> = (0..plan.streams.len())
        .map(|cause| root.purpose("failures").entity(cause as u64))
        .collect();
    let planned_key = root.purpose("planned stops");
    let mut next: Vec<u64> = (plan.streams.iter().zip(&keys))
        .map(|(stream, key)| draw(key.at(0), stream.gap))
        .collect();
    let mut next_planned = draw(planned_key.at(0), plan.planned_gap);
    let mut repairs: Vec<u64> = Vec::new();
    let (mut spares, mut missing) = (plan.spares, 0u32);
    let mut books = Books {
        failures: vec![0; plan.streams.len()],
        ..Books::default()
    };
    // Checkpoints: position, and from when on they are safe.
    let mut saves: Vec<(u64, u64)> = vec![(0, 0)];
    let (mut now, mut position, mut passed) = (0u64, 0u64, 0usize);
    let mut doing = Doing::Training;
    let interval = plan.pace.interval;
    let multiple = |position: u64| match interval {
        u64::MAX => u64::MAX,
        _ => (position / interval + 1) * interval,
    };
    let mut next_save = multiple(0);
    loop {
        let limit = plan
            .milestones
            .get(passed)
            .map_or(plan.work, |m| m.at.min(plan.work));
        // Due at this very moment, training comes first to the milestone, then to the checkpoint.
        let own = match doing {
            Doing::Training if position >= limit => now,
            Doing::Training => now + (next_save.min(limit) - position),
            Doing::Saving { until }
            | Doing::Pausing { until, .. }
            | Doing::Down { until, .. }
            | Doing::Restarting { until } => until,
            Doing::Waiting => u64::MAX,
        };
        let outside = (next.iter().copied())
            .chain([next_planned])
            .chain(repairs.iter().copied())
            .min()
            .unwrap_or(u64::MAX);
        let time = own.min(outside);
        let span = time - now;
        match doing {
            Doing::Training => {
                position += span;
                books.worked += span;
            }
            Doing::Saving { .. } => books.checkpoint += span,
            Doing::Pausing {
                halt: Halt::Evaluation,
                ..
            } => books.evaluation += span,
            Doing::Pausing {
                halt: Halt::Rollback,
                ..
            } => books.restart += span,
            Doing::Down { restart: true, .. } | Doing::Restarting { .. } => books.restart += span,
            Doing::Down { saving: true, .. } => books.checkpoint += span,
            Doing::Down { .. } => books.detection += span,
            Doing::Waiting => books.waiting += span,
        }
        now = time;
        if own <= outside {
            doing = match doing {
                Doing::Training if position >= limit => match plan.milestones.get(passed) {
                    Some(m) => Doing::Pausing {
                        until: now + m.pause,
                        halt: m.halt,
                    },
                    None => {
                        books.end = Some(now);
                        return books;
                    }
                },
                Doing::Training => Doing::Saving {
                    until: now + plan.pace.stop,
                },
                Doing::Saving { .. } => {
                    saves.push((position, now + plan.pace.upload));
                    next_save = position + interval;
                    Doing::Training
                }
                Doing::Pausing { .. } => {
                    passed += 1;
                    Doing::Training
                }
                Doing::Down { .. } if missing > 0 => Doing::Waiting,
                Doing::Down { .. } => Doing::Restarting {
                    until: now + plan.restart,
                },
                Doing::Restarting { .. } => Doing::Training,
                Doing::Waiting => unreachable!(),
            };
            continue;
        }
        if let Some(cause) = next.iter().position(|t| *t == now) {
            books.failures[cause] += 1;
            let stream = &plan.streams[cause];
            next[cause] =
                now.saturating_add(draw(keys[cause].at(books.failures[cause]), stream.gap));
            if stream.repair {
                repairs.push(now + plan.repair);
                books.most_in_repair = books.most_in_repair.max(repairs.len() as u32);
                if spares > 0 {
                    spares -= 1;
                } else {
                    missing += 1;
                }
            }
            let mut until = now + stream.detection;
            match doing {
                Doing::Training | Doing::Saving { .. } | Doing::Pausing { .. } => {
                    saves.retain(|(_, safe)| *safe <= now);
                    position = saves.iter().map(|s| s.0).max().unwrap_or(0);
                    next_save = multiple(position);
                }
                Doing::Down { until: before, .. } => until = until.max(before),
                _ => {}
            }
            doing = Doing::Down {
                until,
                restart: false,
                saving: false,
            };
        } else if next_planned == now {
            books.planned += 1;
            next_planned =
                now.saturating_add(draw(planned_key.at(books.planned), plan.planned_gap));
            let written = now + plan.write;
            doing = match doing {
                Doing::Training | Doing::Saving { .. } | Doing::Pausing { .. } => {
                    saves.push((position, now));
                    if position == next_save {
                        next_save = position + interval;
                    }
                    Doing::Down {
                        until: written,
                        restart: false,
                        saving: true,
                    }
                }
                Doing::Down {
                    until,
                    restart,
                    saving,
                } => Doing::Down {
                    until: until.max(written),
                    restart,
                    saving,
                },
                _ => Doing::Down {
                    until: written,
                    restart: true,
                    saving: false,
                },
            };
        } else {
            let at = repairs.iter().position(|t| *t == now).unwrap();
            repairs.remove(at);
            if missing == 0 {
                spares += 1;
            } else {
                missing -= 1;
                if missing == 0 && doing == Doing::Waiting {
                    doing = Doing::Restarting {
                        until: now + plan.restart,
                    };
                }
            }
        }
    }
}
