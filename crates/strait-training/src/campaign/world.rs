//! The slow world: a job, its nodes and what befalls them, as entities, systems and events.
//!
//! In: a [`Plan`] and a seed. Out: [`Books`]. Single-threaded; what happens next is decided by
//! time, then by the order in which it was foreseen, never by the order of a query.
//!
//! | entity | components | of them |
//! |---|---|---|
//! | the job | [`Job`] | one |
//! | the nodes | [`Pool`] | one: nodes are alike, and drawing the next failure of all of them costs no more than of one |
//! | a cause of failures | [`Source`] | one for each cause of the profile, switches and cables too |
//! | a node in repair | [`InRepair`] | as many as there are at the time |
//!
//! Every event runs three systems, in this order: [`pass`] books the time since the last event, then
//! that one of [`fail`], [`plan_stop`], [`come_back`], [`find_slow`] and [`go_on`] which the event is
//! for, and [`foresee`] puts the job's own next event on the agenda. So there is a schedule for each
//! kind of event. They and the world are built once for each thread and used again: building them
//! costs as much as some hundred events.

use super::plan::{Halt, Plan};
use super::progress::Progress;
use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use strait_sim::random::Key;

/// Most events of a run: a run of 100,000 accelerators for a year has about a million.
const MOST_EVENTS: u64 = 20_000_000;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The next failure of a source.
    Failure(Entity),
    /// A planned interruption.
    Planned,
    /// A node is back from repair.
    Repaired(Entity),
    /// So many slow machines are found.
    Found(u32),
    /// The job's own next event, as foreseen; a later one makes it void.
    Job(u64),
}

/// What is to come.
#[derive(Resource, Default)]
struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pushed: u64,
}

impl Agenda {
    fn push(&mut self, time: u64, event: Event) {
        self.heap.push(Reverse((time, self.pushed, event)));
        self.pushed += 1;
    }
}

/// The event that is being dealt with.
#[derive(Resource)]
struct Now {
    time: u64,
    event: Event,
}

/// Where calendar time goes, and what was counted. In microseconds.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    pub worked: u64,
    pub straggling: u64,
    pub checkpoint: u64,
    pub evaluation: u64,
    pub detection: u64,
    pub restart: u64,
    pub waiting: u64,
    /// Unexpected interruptions by cause.
    pub failures: Vec<u64>,
    pub planned: u64,
    /// Stops to take slow machines out.
    pub swaps: u64,
    /// Most nodes in repair at once.
    pub most_in_repair: u32,
    pub events: u64,
    /// When the run ended.
    pub end: Option<u64>,
}

impl Books {
    fn book(&mut self, part: Part, time: u64) {
        match part {
            Part::Checkpoint => self.checkpoint += time,
            Part::Evaluation => self.evaluation += time,
            Part::Detection => self.detection += time,
            Part::Restart => self.restart += time,
        }
    }

    /// All time that was booked.
    pub fn total(&self) -> u64 {
        self.worked
            + self.straggling
            + self.checkpoint
            + self.evaluation
            + self.detection
            + self.restart
            + self.waiting
    }
}

/// What a time at a standstill counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Checkpoint,
    Evaluation,
    Detection,
    Restart,
}

/// What the job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Training and writing checkpoints.
    Running,
    /// Up, but standing still at a milestone.
    Halted { until: u64, part: Part },
    /// Down: until it is noticed, or until a checkpoint is written before a planned stop.
    Down { until: u64, part: Part },
    /// Down until a node is there.
    Waiting,
    /// Starting again.
    Restarting { until: u64 },
    /// At its end.
    Done,
}

/// The job.
#[derive(Component)]
struct Job {
    state: State,
    progress: Progress,
    /// Milestones passed.
    passed: usize,
    /// Until when time is booked.
    since: u64,
    /// Number of its latest change, and of the one that was foreseen last.
    change: u64,
    foreseen: u64,
}

impl Job {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.change += 1;
    }

    /// The position up to which nothing stops it.
    fn limit(&self, plan: &Plan) -> u64 {
        (plan.milestones.get(self.passed)).map_or(plan.work, |m| m.at.min(plan.work))
    }
}

/// Nodes that don't train.
#[derive(Component, Default)]
struct Pool {
    /// Standing by.
    spares: u32,
    /// Lacking in the job.
    missing: u32,
    /// In repair.
    in_repair: u32,
    /// Slow ones in the job.
    slow: u32,
    /// Nodes that came into the job so far.
    joined: u64,
}

/// A cause of failures.
#[derive(Component)]
struct Source {
    cause: usize,
    key: Key,
    drawn: u64,
}

/// A node in repair.
#[derive(Component)]
struct InRepair;

/// An exponentially distributed time with this mean; `None` where it never comes.
fn draw(key: Key, mean: f64) -> Option<u64> {
    // 1 − u is in (0, 1].
    let gap = -libm::log(1.0 - key.uniform()) * mean;
    (gap < 9e18).then(|| (gap.ceil() as u64).max(1))
}

/// What is given for the whole run.
#[derive(Resource)]
struct Given {
    plan: Plan,
    stragglers: Key,
    planned: Key,
}

/// What the systems of single events work with.
#[derive(SystemParam)]
struct Desk<'w, 's> {
    now: Res<'w, Now>,
    given: Res<'w, Given>,
    books: ResMut<'w, Books>,
    agenda: ResMut<'w, Agenda>,
    job: Single<'w, 's, &'static mut Job>,
    pool: Single<'w, 's, &'static mut Pool, Without<Job>>,
}

impl Desk<'_, '_> {
    /// Something comes so much later, if it ever does.
    fn later(&mut self, gap: Option<u64>, event: Event) {
        if let Some(gap) = gap {
            self.agenda.push(self.now.time.saturating_add(gap), event);
        }
    }

    /// Takes nodes out of the job and puts spares in their place, as far as there are any.
    fn take_out(&mut self, nodes: u32, commands: &mut Commands) {
        for _ in 0..nodes {
            let node = commands.spawn(InRepair).id();
            self.later(Some(self.given.plan.repair), Event::Repaired(node));
            self.pool.in_repair += 1;
            if self.pool.spares > 0 {
                self.pool.spares -= 1;
                self.join();
            } else {
                self.pool.missing += 1;
            }
        }
        self.books.most_in_repair = self.books.most_in_repair.max(self.pool.in_repair);
    }

    /// A node comes into the job; it may be a slow one.
    fn join(&mut self) {
        let key = self.given.stragglers.entity(1).at(self.pool.joined);
        self.pool.joined += 1;
        if key.uniform() < self.given.plan.slow_share {
            self.pool.slow += 1;
            self.later(Some(self.given.plan.found_after), Event::Found(1));
        }
    }

    /// The job is stopped on purpose.
    fn stop(&mut self) {
        let written = self.now.time + self.given.plan.write;
        let state = match self.job.state {
            State::Running | State::Halted { .. } => {
                let pace = self.given.plan.pace;
                self.job.progress.save(&pace);
                State::Down {
                    until: written,
                    part: Part::Checkpoint,
                }
            }
            State::Down { until, part } => State::Down {
                until: until.max(written),
                part,
            },
            // As long as it would have taken: no interruption ends a stay down earlier.
            State::Waiting | State::Restarting { .. } => State::Down {
                until: written,
                part: Part::Restart,
            },
            State::Done => return,
        };
        self.job.turn(state);
    }
}

/// Books what the job did since the last event.
fn pass(
    now: Res<Now>,
    given: Res<Given>,
    mut books: ResMut<Books>,
    job: Single<&mut Job>,
    pool: Single<&Pool>,
) {
    let plan = &given.plan;
    let mut job = job.into_inner();
    let span = now.time - job.since;
    if span == 0 {
        return;
    }
    match job.state {
        State::Running => {
            let (from, limit) = (job.since, job.limit(plan));
            let slow = if pool.slow > 0 { plan.slow } else { 0 };
            job.progress
                .advance(from, now.time, limit, slow, &plan.pace);
        }
        State::Halted { part, .. } | State::Down { part, .. } => books.book(part, span),
        State::Waiting => books.waiting += span,
        State::Restarting { .. } => books.restart += span,
        State::Done => {}
    }
    job.since = now.time;
}

/// A node, a switch or the software fails.
fn fail(mut desk: Desk, mut sources: Query<&mut Source>, mut commands: Commands) {
    let Event::Failure(entity) = desk.now.event else {
        return;
    };
    let Ok(mut source) = sources.get_mut(entity) else {
        return;
    };
    source.drawn += 1;
    let stream = desk.given.plan.streams[source.cause].clone();
    desk.later(
        draw(source.key.at(source.drawn), stream.gap),
        desk.now.event,
    );
    desk.books.failures[source.cause] += 1;
    if stream.repair {
        desk.take_out(1, &mut commands);
    }
    let mut until = desk.now.time + stream.detection;
    match desk.job.state {
        State::Running | State::Halted { .. } => {
            let (time, pace) = (desk.now.time, desk.given.plan.pace);
            desk.job.progress.fall_back(time, &pace);
        }
        // It has to be noticed as well, whatever else is.
        State::Down { until: before, .. } => until = until.max(before),
        State::Waiting | State::Restarting { .. } | State::Done => {}
    }
    desk.job.turn(State::Down {
        until,
        part: Part::Detection,
    });
}

/// Somebody stops the run: it is saved before.
fn plan_stop(mut desk: Desk) {
    if desk.now.event != Event::Planned {
        return;
    }
    desk.books.planned += 1;
    let gap = draw(
        desk.given.planned.at(desk.books.planned),
        desk.given.plan.planned_gap,
    );
    desk.later(gap, Event::Planned);
    desk.stop();
}

/// A node comes back from repair.
fn come_back(mut desk: Desk, mut commands: Commands) {
    let Event::Repaired(node) = desk.now.event else {
        return;
    };
    commands.entity(node).despawn();
    desk.pool.in_repair -= 1;
    if desk.pool.missing == 0 {
        desk.pool.spares += 1;
        return;
    }
    desk.pool.missing -= 1;
    desk.join();
    if desk.pool.missing == 0 && desk.job.state == State::Waiting {
        let until = desk.now.time + desk.given.plan.restart;
        desk.job.turn(State::Restarting { until });
    }
}

/// Slow machines are found, and taken out as far as there are spares.
fn find_slow(mut desk: Desk, mut commands: Commands) {
    let Event::Found(found) = desk.now.event else {
        return;
    };
    let out = found.min(desk.pool.spares);
    if out < found {
        // The others are looked at again when nodes may be back.
        let gap = desk.given.plan.repair.max(1_000_000);
        desk.later(Some(gap), Event::Found(found - out));
    }
    if out > 0 {
        desk.pool.slow -= out;
        desk.books.swaps += 1;
        desk.take_out(out, &mut commands);
        desk.stop();
    }
}

/// The job reaches what was foreseen.
fn go_on(
    now: Res<Now>,
    given: Res<Given>,
    mut books: ResMut<Books>,
    job: Single<&mut Job>,
    pool: Single<&Pool>,
) {
    let mut job = job.into_inner();
    if now.event != Event::Job(job.change) {
        return;
    }
    let plan = &given.plan;
    let state = match job.state {
        State::Running if job.progress.position < job.limit(plan) => State::Running,
        State::Running => match plan.milestones.get(job.passed) {
            Some(milestone) => State::Halted {
                until: now.time + milestone.pause,
                part: match milestone.halt {
                    Halt::Evaluation => Part::Evaluation,
                    Halt::Rollback => Part::Restart,
                },
            },
            None => {
                books.end = Some(now.time);
                State::Done
            }
        },
        State::Halted { .. } => {
            job.passed += 1;
            State::Running
        }
        State::Down { .. } if pool.missing > 0 => State::Waiting,
        State::Down { .. } => State::Restarting {
            until: now.time + plan.restart,
        },
        State::Restarting { .. } => State::Running,
        other => other,
    };
    job.turn(state);
}

/// Puts the job's own next event on the agenda, where the last one is void.
fn foresee(
    now: Res<Now>,
    given: Res<Given>,
    mut agenda: ResMut<Agenda>,
    job: Single<&mut Job>,
    pool: Single<&Pool>,
) {
    let mut job = job.into_inner();
    if job.foreseen == job.change {
        return;
    }
    job.foreseen = job.change;
    let time = match job.state {
        State::Running => {
            let slow = if pool.slow > 0 { given.plan.slow } else { 0 };
            let limit = job.limit(&given.plan);
            let span = job.progress.time_to(limit, slow, &given.plan.pace);
            now.time.saturating_add(span)
        }
        State::Halted { until, .. } | State::Down { until, .. } | State::Restarting { until } => {
            until
        }
        State::Waiting | State::Done => return,
    };
    agenda.push(time, Event::Job(job.change));
}

/// The world and its schedules, one for each kind of event.
struct Slow {
    world: World,
    schedules: [Schedule; 5],
}

impl Slow {
    fn new() -> Slow {
        fn schedule<M>(what: impl IntoSystem<(), (), M>) -> Schedule {
            let mut schedule = Schedule::default();
            let what = IntoSystem::into_system(what);
            schedule.add_systems((pass, what, foresee).chain());
            schedule
        }
        Slow {
            world: World::new(),
            schedules: [
                schedule(fail),
                schedule(plan_stop),
                schedule(come_back),
                schedule(find_slow),
                schedule(go_on),
            ],
        }
    }

    /// An empty world with all that a plan and a seed put into it at the start.
    fn start(&mut self, plan: &Plan, seed: u64) {
        let world = &mut self.world;
        let mut all = world
            .query_filtered::<Entity, Or<(With<Job>, With<Pool>, With<Source>, With<InRepair>)>>();
        let before: Vec<Entity> = all.iter(world).collect();
        for entity in before {
            world.despawn(entity);
        }
        let root = Key::new(seed);
        let failures = root.purpose("failures");
        let given = Given {
            plan: plan.clone(),
            stragglers: root.purpose("stragglers"),
            planned: root.purpose("planned stops"),
        };
        let mut agenda = Agenda::default();
        for (cause, stream) in plan.streams.iter().enumerate() {
            let key = failures.entity(cause as u64);
            let drawn = 0;
            let source = world.spawn(Source { cause, key, drawn }).id();
            if let Some(gap) = draw(key.at(0), stream.gap) {
                agenda.push(gap, Event::Failure(source));
            }
        }
        if let Some(gap) = draw(given.planned.at(0), plan.planned_gap) {
            agenda.push(gap, Event::Planned);
        }
        let mut slow = 0;
        if plan.slow_share > 0.0 {
            let key = given.stragglers.entity(0);
            slow = (0..plan.nodes)
                .filter(|node| key.at(u64::from(*node)).uniform() < plan.slow_share)
                .count() as u32;
            if slow > 0 {
                agenda.push(plan.found_after, Event::Found(slow));
            }
        }
        world.spawn(Pool {
            spares: plan.spares,
            slow,
            ..Pool::default()
        });
        world.spawn(Job {
            state: State::Running,
            progress: Progress::new(&plan.pace),
            passed: 0,
            since: 0,
            change: 0,
            foreseen: 0,
        });
        // The start: a first event that only lets the job be foreseen.
        agenda.push(0, Event::Job(0));
        world.insert_resource(Books {
            failures: vec![0; plan.streams.len()],
            ..Books::default()
        });
        world.insert_resource(given);
        world.insert_resource(agenda);
        world.insert_resource(Now {
            time: 0,
            event: Event::Job(0),
        });
    }

    fn run(&mut self) -> Option<Books> {
        for number in 0..MOST_EVENTS {
            let Reverse((time, _, event)) = self.world.resource_mut::<Agenda>().heap.pop()?;
            *self.world.resource_mut::<Now>() = Now { time, event };
            let kind = match event {
                Event::Failure(_) => 0,
                Event::Planned => 1,
                Event::Repaired(_) => 2,
                Event::Found(_) => 3,
                Event::Job(_) => 4,
            };
            self.schedules[kind].run(&mut self.world);
            if self.world.resource::<Books>().end.is_some() {
                let mut jobs = self.world.query::<&Job>();
                let progress = jobs.single(&self.world).ok()?.progress;
                let mut books = self.world.resource::<Books>().clone();
                books.worked = progress.worked;
                books.straggling = progress.straggling;
                books.checkpoint += progress.stopped;
                books.events = number + 1;
                return Some(books);
            }
        }
        None
    }
}

thread_local! {
    /// The world of this thread, between two runs.
    static IDLE: Cell<Option<Slow>> = const { Cell::new(None) };
}

/// Runs the slow world to the end of the job; `None` after far more events than any run has.
pub(super) fn simulate(plan: &Plan, seed: u64) -> Option<Books> {
    let mut slow = IDLE.take().unwrap_or_else(Slow::new);
    slow.start(plan, seed);
    let books = slow.run();
    IDLE.set(Some(slow));
    books
}
