//! Which transfers of a step meet on links, and what they put there.
//!
//! In: what instructions send ([`Request`]), a layout, a case with its faults and engine settings.
//! Out: for each request and group whether it takes its closed form ([`Wire::Own`]), a time of its
//! own, or goes on shared links. Never simulates.
//!
//! Decided once, for each group:
//! - Nothing can be in anybody's way where the fabric is as wide as its NICs, nothing is slow, and
//!   kinds of transfers are not asked to share: then no link is looked at.
//! - Else all transfers that may be touched are planned. One that meets nobody (no other transfer
//!   that could be in flight at the same time loads a link that can bind) and is as fast as on
//!   healthy links of its own keeps its closed form. All others go on the links.
//!
//! Expert exchanges, data-parallel collectives, pipeline messages and collectives of the compute
//! stream are on copies of the links of their own, unless `engine` says that they share.

use super::duration::{Durations, Timed};
use super::pricing::invalid;
use super::{COMPUTE, EXCHANGE};
use crate::case::{Balance, Case, Dispatcher, Fault, NetworkGrain, Sharing};
use crate::hardware::Cluster;
use crate::layout::{Group, Layout};
use crate::links::{CollectiveKind, Exchange, GroupShape};
use crate::ops::{Op, Scope, Work};
use crate::simulate::SimulateError;
use crate::topology::{Element, Templates, Ticket, Topology, TopologyError};
use std::collections::BTreeMap;
use std::rc::Rc;
use strait_sim::Transfer;
use strait_sim::net::{Grain, Plan};
use strait_units::{Bytes, Time};

/// The number of no request.
pub(super) const NO_REQUEST: u16 = u16::MAX;

/// Copies of the links for kinds of transfers that do not share.
const COPIES: u8 = 4;
const EXCHANGES: u8 = 0;
const GRADIENTS: u8 = 1;
const HOPS: u8 = 2;
const INNER: u8 = 3;

/// How much longer than its closed form a transfer takes that is no longer alone or healthy:
/// costs of templates are rounded to a millionth.
const SLOWER: f64 = 1.0 + 1e-5;

/// Most flows that are simulated one by one: some minutes for a step.
const MOST_FLOWS: usize = 100_000;

/// What an instruction sends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Tokens, among expert groups.
    Exchange(Exchange),
    /// Gradients or parameters.
    Data {
        of: Group,
        kind: CollectiveKind,
        bytes: Bytes,
        stream: u8,
    },
    /// A pipeline message between pipeline ranks.
    Hop { from: u32, to: u32, stream: u8 },
    /// A collective among the ops of a layer, with the time it is given.
    Op { op: Op, units: u32, time: Time },
}

impl Request {
    pub fn op(timed: &Timed) -> Request {
        Request::Op {
            op: timed.op.clone(),
            units: timed.units,
            time: timed.time,
        }
    }
}

/// Which requests are worth looking at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    exchanges: bool,
    data: bool,
    hops: bool,
    ops: bool,
    /// Groups inside a scale-up domain as well.
    inside: bool,
    /// Whoever meets nobody goes on the links too.
    all: bool,
}

impl Wants {
    pub fn of(case: &Case) -> Wants {
        let engine = case.engine;
        if engine.network == NetworkGrain::Analytic || case.cluster.ranks() < 2 {
            return Wants::default();
        }
        let fabric = &case.cluster.fabric;
        let thin = case.cluster.nodes > 1
            && ((fabric.layers > 1 && fabric.oversubscription > 1.0)
                || (fabric.pod)
                    .is_some_and(|(pod, ratio)| ratio > 1.0 && pod < case.cluster.ranks()));
        let mut faulty = false;
        let mut ports = false;
        for fault in &case.faults {
            if let Fault::Link(fault) = fault {
                faulty = true;
                ports |= matches!(fault.element, Element::Port(_));
            }
        }
        let all = engine.network != NetworkGrain::Auto;
        let sends = engine.sends == Sharing::Shared;
        let gradients = engine.gradients == Sharing::Shared;
        Wants {
            exchanges: thin || faulty || all || sends || gradients,
            data: thin || faulty || all || gradients,
            hops: faulty || sends,
            ops: thin || faulty,
            inside: ports || all || sends || gradients,
            all,
        }
    }

    /// Nobody can be in anybody's way.
    pub fn nothing(self) -> bool {
        !(self.exchanges || self.data || self.hops || self.ops)
    }
}

/// Whether the automatic grain of expert exchanges is classes: sizes are equal, and nothing tells
/// the ranks of a class apart.
pub(super) fn exchanges_by_class(case: &Case) -> bool {
    let even = case.routing.balance == Balance::Forced || case.routing.spread.get() == 0.0;
    // A message of one rank would tell them apart; a ring is a coflow anyhow.
    even && case.engine.sends == Sharing::Alone && case.software.dispatcher != Dispatcher::AllGather
}

/// A cluster whose fabric thins nothing: the links do that.
pub(super) fn flat(cluster: &Cluster) -> Cluster {
    let mut flat = cluster.clone();
    flat.fabric.oversubscription = 1.0;
    flat.fabric.pod = None;
    flat
}

/// Collects requests, each once.
#[derive(Debug, Default)]
pub(super) struct Requests {
    wants: Wants,
    list: Vec<Request>,
}

impl Requests {
    pub fn new(wants: Wants) -> Requests {
        Requests {
            wants,
            list: Vec::new(),
        }
    }

    /// Whether collectives among the ops of a layer make a difference.
    pub fn wants_ops(&self) -> bool {
        self.wants.ops
    }

    /// The number of a request; [`NO_REQUEST`] where it makes no difference.
    pub fn add(&mut self, request: Request) -> u16 {
        let wanted = match request {
            Request::Exchange(_) => self.wants.exchanges,
            Request::Data { .. } => self.wants.data,
            Request::Hop { .. } => self.wants.hops,
            Request::Op { .. } => self.wants.ops,
        };
        if !wanted {
            return NO_REQUEST;
        }
        let found = self.list.iter().position(|known| *known == request);
        let at = found.unwrap_or_else(|| {
            self.list.push(request);
            self.list.len() - 1
        });
        // As many dependences there cannot be: the job is refused for that.
        u16::try_from(at).unwrap_or(NO_REQUEST)
    }
}

/// What is known of a transfer of one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    /// It takes its closed form.
    Own,
    /// It takes this time, whatever others do.
    Takes(Time),
    /// It goes on shared links; sizes are those at mean load.
    Shared {
        transfer: Transfer,
        /// Parts that have a size.
        parts: u8,
    },
}

/// Transfers of a step that differ from group to group, or meet.
#[derive(Clone, Debug)]
pub(crate) struct Wires {
    plan: Option<Plan>,
    rows: Vec<Row>,
    shared: u32,
}

/// A request's groups (of a hop: ranks), from the first on.
#[derive(Clone, Debug)]
struct Row {
    first: u32,
    wires: Vec<Wire>,
}

impl Wires {
    /// The links, if anything goes on them.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// How many transfers (of a group, by pattern) go on the links.
    pub fn shared(&self) -> u32 {
        self.shared
    }

    /// What of a request is known for a group, or for a sending rank.
    pub fn get(&self, request: u16, index: u32) -> Option<&Wire> {
        let row = self.rows.get(usize::from(request))?;
        row.wires.get(index.checked_sub(row.first)? as usize)
    }

    /// Decides for all requests of a step. `None`: all take their closed forms.
    pub(super) fn new(
        case: &Case,
        layout: &Layout,
        durations: &Durations<'_>,
        requests: Requests,
    ) -> Result<Option<Wires>, SimulateError> {
        let Requests { wants, list } = requests;
        if list.is_empty() {
            return Ok(None);
        }
        let topology = topology(case)?;
        let mut planner = Planner {
            case,
            layout,
            durations,
            wants,
            templates: Templates::copies(&topology, Grain::Coflow, COPIES)
                .map_err(|error| refused(case, &error))?,
            users: Vec::new(),
            groups: BTreeMap::new(),
        };
        let mut rows = Vec::with_capacity(list.len());
        for request in &list {
            let asked = planner.ask(request);
            rows.push(asked.map_err(|error| refused(case, &error))?);
        }
        let flows = planner.templates.flows();
        if case.engine.network == NetworkGrain::Flow && flows > MOST_FLOWS {
            return Err(invalid(
                "engine.network",
                format!(
                    "{flows} flows are too many to simulate one by one; at most {MOST_FLOWS} are"
                ),
                "use \"auto\", or a smaller cluster to validate with",
            ));
        }
        Ok(planner.decide(&list, &rows))
    }
}

/// The links of a case, with its faults.
pub(crate) fn topology(case: &Case) -> Result<Topology, SimulateError> {
    let mut topology =
        Topology::new(&case.cluster, &case.links).map_err(|error| refused(case, &error))?;
    for fault in &case.faults {
        if let Fault::Link(fault) = fault {
            topology = topology
                .with(*fault)
                .map_err(|error| refused(case, &error))?;
        }
    }
    Ok(topology)
}

fn refused(case: &Case, error: &TopologyError) -> SimulateError {
    let dead: Vec<String> = (case.faults.iter())
        .filter_map(|fault| match fault {
            Fault::Link(fault) if fault.left.get() == 0.0 => Some(fault.element.to_string()),
            _ => None,
        })
        .collect();
    match error {
        TopologyError::Links(_)
        | TopologyError::Network(_)
        | TopologyError::NoAccelerator { .. } => invalid(
            "cluster.fabric",
            error.to_string(),
            "check the node and fabric of the cluster",
        ),
        TopologyError::Unreachable { .. } if !dead.is_empty() => invalid(
            "fault",
            format!("{error}; dead: {}", dead.join(", ")),
            "leave a way: `left` above 0, or fewer dead parts on one rail",
        ),
        _ => invalid(
            "fault",
            error.to_string(),
            "name a part that the cluster has",
        ),
    }
}

/// Who uses a template: on which streams, and which ranks.
struct User {
    streams: u8,
    members: Rc<[u32]>,
}

/// A group's request, before it is decided.
enum Asked {
    /// Not worth a look.
    Own,
    /// Parts of a ticket with what each takes alone on healthy links.
    Ticket(Ticket, [Time; 2]),
}

/// A request of all groups (of a hop: of all ranks of the sending stage).
struct AskedRow {
    first: u32,
    groups: Vec<Asked>,
}

/// A group's members as its collectives go round, and in order.
type Members = (Rc<[u32]>, Rc<[u32]>);

struct Planner<'a> {
    case: &'a Case,
    layout: &'a Layout,
    durations: &'a Durations<'a>,
    wants: Wants,
    templates: Templates<'a>,
    /// By template.
    users: Vec<User>,
    groups: BTreeMap<Group, Rc<[Members]>>,
}

impl Planner<'_> {
    fn ask(&mut self, request: &Request) -> Result<AskedRow, TopologyError> {
        match request {
            Request::Exchange(tokens) => self.each(Group::Expert, |planner, members, shape| {
                let tokens = Exchange {
                    group: shape,
                    ..*tokens
                };
                let grain = planner.exchange_grain();
                let on = planner.templates.on(EXCHANGES, grain);
                let ticket = on.exchange(&tokens, &members.0)?;
                let time = planner.durations.links.exchange(&tokens);
                let alone = match ticket.sizes.len() {
                    2 => [time.fixed + time.nic, time.fixed + time.nvlink],
                    _ => [time.mean(), Time::ZERO],
                };
                planner.users(&ticket, EXCHANGE, &members.1);
                Ok(Asked::Ticket(ticket, alone))
            }),
            &Request::Data {
                of,
                kind,
                bytes,
                stream,
            } => {
                let copy = match self.case.engine.gradients {
                    Sharing::Alone => GRADIENTS,
                    Sharing::Shared => EXCHANGES,
                };
                let grain = self.ring_grain();
                self.each(of, |planner, members, shape| {
                    let on = planner.templates.on(copy, grain);
                    let ticket = on.collective(kind, bytes, &members.0)?;
                    let alone = planner.durations.data(kind, bytes, shape);
                    planner.users(&ticket, stream, &members.1);
                    Ok(Asked::Ticket(ticket, [alone, Time::ZERO]))
                })
            }
            &Request::Hop { from, to, stream } => self.hops(from, to, stream),
            Request::Op { op, units, time } => {
                let (scope, kind, bytes, bare) = match op.work {
                    Work::Collective {
                        scope,
                        kind,
                        bytes,
                        hidden,
                    } => (scope, kind, bytes, hidden.is_none()),
                    // What one step sends to a neighbour, all steps together.
                    Work::Ring { steps, bytes, .. } => {
                        let all = Bytes::new(bytes.get() * u64::from(steps + 1));
                        (Scope::Context, CollectiveKind::AllGather, all, false)
                    }
                    _ => unreachable!("only collectives of the compute stream are asked for"),
                };
                let of = match scope {
                    Scope::Tensor => Group::Tensor,
                    Scope::ExpertTensor => Group::ExpertTensor,
                    Scope::Context => Group::Context,
                };
                // One that a product hides, or the host's launches, is not sent in one go.
                let whole = bare && *time == self.durations.op(op, *units);
                let grain = match whole {
                    true => self.ring_grain(),
                    false => Grain::Analytic,
                };
                self.each(of, |planner, members, shape| {
                    let on = planner.templates.on(INNER, grain);
                    let ticket = on.collective(kind, bytes, &members.0)?;
                    let alone = planner.durations.data(kind, bytes, shape);
                    planner.users(&ticket, COMPUTE, &members.1);
                    Ok(Asked::Ticket(ticket, [alone, Time::ZERO]))
                })
            }
        }
    }

    fn exchange_grain(&self) -> Grain {
        match self.case.engine.network {
            NetworkGrain::Coflow => Grain::Coflow,
            NetworkGrain::Class => Grain::Class,
            NetworkGrain::Flow => Grain::Flow,
            _ if exchanges_by_class(self.case) => Grain::Class,
            _ => Grain::Coflow,
        }
    }

    fn ring_grain(&self) -> Grain {
        match self.case.engine.network {
            NetworkGrain::Flow => Grain::Flow,
            NetworkGrain::Class => Grain::Class,
            _ => Grain::Coflow,
        }
    }

    fn members(&mut self, of: Group) -> Rc<[Members]> {
        let layout = self.layout;
        let known = self.groups.entry(of).or_insert_with(|| {
            (0..layout.group_count(of))
                .map(|index| {
                    let round = layout.members(of, index);
                    let mut sorted = round.clone();
                    sorted.sort_unstable();
                    (round.into(), sorted.into())
                })
                .collect()
        });
        Rc::clone(known)
    }

    fn each(
        &mut self,
        of: Group,
        mut ask: impl FnMut(&mut Self, &Members, GroupShape) -> Result<Asked, TopologyError>,
    ) -> Result<AskedRow, TopologyError> {
        let domain = self.layout.domain.max(1);
        let groups = (self.members(of).iter())
            .map(|members| {
                let shape = shape(&members.1, domain);
                if shape.ranks < 2 || (shape.domains < 2 && !self.wants.inside) {
                    return Ok(Asked::Own);
                }
                ask(self, members, shape)
            })
            .collect::<Result<_, TopologyError>>()?;
        Ok(AskedRow { first: 0, groups })
    }

    fn hops(&mut self, from: u32, to: u32, stream: u8) -> Result<AskedRow, TopologyError> {
        let bytes = self.durations.hop_bytes();
        let (copy, grain) = match (self.case.engine.sends, self.case.engine.network) {
            (Sharing::Alone, _) => (HOPS, Grain::Analytic),
            (Sharing::Shared, NetworkGrain::Flow) => (EXCHANGES, Grain::Flow),
            (Sharing::Shared, _) => (EXCHANGES, Grain::Coflow),
        };
        let domain = self.layout.domain.max(1);
        let groups = (0..self.layout.stage_ranks())
            .map(|place| {
                let [from, to] = [from, to].map(|stage| self.layout.rank_at(stage, place));
                let crosses = from / domain != to / domain;
                if !crosses && !self.wants.inside {
                    return Ok(Asked::Own);
                }
                let ticket = self.templates.on(copy, grain).message(bytes, from, to)?;
                let alone = self.durations.links.point_to_point(bytes, crosses);
                // The sender's stream is held, the receiver's is not.
                self.users(&ticket, stream, &Rc::from([from]));
                Ok(Asked::Ticket(ticket, [alone, Time::ZERO]))
            })
            .collect::<Result<_, TopologyError>>()?;
        Ok(AskedRow {
            first: self.layout.rank_at(from, 0),
            groups,
        })
    }

    fn users(&mut self, ticket: &Ticket, stream: u8, members: &Rc<[u32]>) {
        let Some(template) = ticket.template else {
            return;
        };
        match self.users.get_mut(template.index()) {
            Some(user) => user.streams |= 1 << stream,
            None => self.users.push(User {
                streams: 1 << stream,
                members: Rc::clone(members),
            }),
        }
    }

    /// Decides, once all has been asked.
    fn decide(self, list: &[Request], asked: &[AskedRow]) -> Option<Wires> {
        let Planner {
            layout,
            durations,
            wants,
            templates,
            users,
            ..
        } = self;
        let plan = templates.build();
        let meets = plan.meeting(|a, b| users[a.index()].serial(&users[b.index()]));
        let mut slower: Vec<Option<f64>> = vec![None; users.len()];
        let mut shared = vec![false; users.len()];
        let mut changed = false;
        let mut rows = Vec::with_capacity(list.len());
        for (request, row) in list.iter().zip(asked) {
            let wires = row.groups.iter().map(|asked| {
                let Asked::Ticket(ticket, alone) = asked else {
                    return Wire::Own;
                };
                let Some(template) = ticket.template else {
                    return Wire::Own;
                };
                let at = template.index();
                let times = *slower[at].get_or_insert_with(|| times(&plan, ticket, *alone));
                if plan.grain(template) == Ok(Grain::Analytic) {
                    if times <= SLOWER {
                        return Wire::Own;
                    }
                    changed = true;
                    let (fixed, whole) = (ticket.fixed.seconds(), alone[0].seconds());
                    let all = (fixed + times * (whole - fixed)) / whole;
                    return Wire::Takes(match request {
                        Request::Op { op, units, .. } => durations.slower(op, *units, all),
                        Request::Hop { from, to, .. } => {
                            let crosses = layout.hop_crosses_domains(*from, *to);
                            durations.hop(crosses).scaled(all)
                        }
                        Request::Exchange(_) | Request::Data { .. } => alone[0].scaled(all),
                    });
                }
                let twice = users[at].streams.count_ones() > 1;
                if !(wants.all || meets[at] || twice || times > SLOWER) {
                    return Wire::Own;
                }
                changed = true;
                shared[at] = true;
                let mut sizes = [Bytes::ZERO; 2];
                for (size, given) in sizes.iter_mut().zip(&ticket.sizes) {
                    *size = *given;
                }
                let transfer = Transfer {
                    fixed: ticket.fixed,
                    template,
                    sizes,
                };
                Wire::Shared {
                    transfer,
                    parts: ticket.sizes.len() as u8,
                }
            });
            rows.push(Row {
                first: row.first,
                wires: wires.collect(),
            });
        }
        let shared = shared.iter().filter(|shared| **shared).count() as u32;
        changed.then(|| Wires {
            plan: (shared > 0).then_some(plan),
            rows,
            shared,
        })
    }
}

impl User {
    /// The two are never in flight at once: a rank of both has one stream for them.
    fn serial(&self, other: &User) -> bool {
        if self.streams != other.streams || self.streams.count_ones() > 1 {
            return false;
        }
        let (mut a, mut b) = (
            self.members.iter().peekable(),
            other.members.iter().peekable(),
        );
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            match x.cmp(y) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
            }
        }
        false
    }
}

/// How many times longer than on healthy links of its own a ticket's bytes take alone.
fn times(plan: &Plan, ticket: &Ticket, alone: [Time; 2]) -> f64 {
    let Some(template) = ticket.template else {
        return 1.0;
    };
    let mut most = 1.0_f64;
    for (part, alone) in (0..ticket.sizes.len()).zip(alone) {
        let mut sizes = vec![Bytes::ZERO; ticket.sizes.len()];
        sizes[part] = ticket.sizes[part];
        let healthy = alone.saturating_sub(ticket.fixed).seconds();
        let taken = plan.analytic(template, &sizes).map_or(0.0, Time::seconds);
        // Two ticks come from rounding.
        if healthy > 0.0 && taken > healthy * SLOWER + 2e-12 {
            most = most.max(taken / healthy);
        }
    }
    most
}

/// How sorted ranks lie over domains.
fn shape(members: &[u32], domain: u32) -> GroupShape {
    let together = members.chunk_by(|a, b| a / domain == b / domain);
    GroupShape {
        ranks: members.len() as u32,
        per_domain: together.clone().map(<[u32]>::len).max().unwrap_or(0) as u32,
        domains: together.count() as u32,
    }
}
