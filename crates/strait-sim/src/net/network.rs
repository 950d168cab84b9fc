//! Transfers in flight on shared links.
//!
//! In: starts of templates with sizes, at times that never go back. Out: their ends. Never looks
//! ahead: rates hold until the next start or end, and whoever drives it comes back then.
//!
//! Drive it like this, `now` never decreasing:
//! 1. any number of [`Network::start`] and [`Network::cancel`] at `now`,
//! 2. [`Network::settle`] once all of that instant is known,
//! 3. [`Network::next_time`] says when to come back, if nothing starts before,
//! 4. [`Network::finish`] then takes what has ended.

use super::fill::{Entry, Fill, OPEN, Use, Variables};
use super::{NetworkError, Plan, TemplateId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use strait_units::{Bytes, Time};

/// A transfer in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId {
    index: u32,
    /// Starts in this place before; tells it from those that have ended.
    generation: u32,
}

/// A transfer that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which.
    pub transfer: TransferId,
    /// What [`Network::start`] was given.
    pub tag: u32,
    /// When it started.
    pub start: Time,
    /// When it ended.
    pub end: Time,
}

/// What the solver has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Solutions: at most one an instant.
    pub solutions: u64,
    /// Variables in them.
    pub solved: u64,
    /// Finish times that were set.
    pub scheduled: u64,
    /// Finish times that had changed when they came up.
    pub stale: u64,
}

/// A variable in flight.
#[derive(Clone, Debug)]
struct Slot {
    variable: u32,
    transfer: u32,
    /// Raised when the finish time changes, so that old ones are known.
    epoch: u32,
    active: bool,
    rate: f64,
    remaining: f64,
    /// When `remaining` held.
    since: u64,
    /// Where it stands on each of its links.
    places: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Transfer {
    generation: u32,
    tag: u32,
    start: u64,
    /// Variables in flight.
    slots: Vec<u32>,
    active: bool,
}

/// Links, and what is in flight on them.
#[derive(Debug)]
pub struct Network<'p> {
    plan: &'p Plan,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    rates: Vec<f64>,
    on_link: Vec<Vec<Entry>>,
    transfers: Vec<Transfer>,
    free_transfers: Vec<u32>,
    due: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// Ended at `now` and not taken yet.
    ended: Vec<Finished>,
    /// Links whose variables have changed since the last solution.
    dirty: Vec<u32>,
    /// Links and slots of the component being solved, and which solution they were last in.
    component: Component,
    fill: Fill,
    /// What each variable of the plan has moved, over all transfers.
    moved: Vec<f64>,
    now: u64,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Component {
    links: Vec<u32>,
    slots: Vec<u32>,
    link_stamps: Vec<u64>,
    slot_stamps: Vec<u64>,
    stamp: u64,
}

struct InFlight<'a> {
    plan: &'a Plan,
    slots: &'a [Slot],
}

impl Variables for InFlight<'_> {
    #[inline]
    fn uses(&self, slot: u32) -> &[Use] {
        self.plan.uses(self.slots[slot as usize].variable)
    }
    #[inline]
    fn weight(&self, slot: u32) -> f64 {
        self.plan.variables[self.slots[slot as usize].variable as usize].weight
    }
}

impl<'p> Network<'p> {
    /// Nothing in flight at time zero.
    pub fn new(plan: &'p Plan) -> Network<'p> {
        let links = plan.capacities.len();
        Network {
            plan,
            slots: Vec::new(),
            free_slots: Vec::new(),
            rates: Vec::new(),
            on_link: vec![Vec::new(); links],
            transfers: Vec::new(),
            free_transfers: Vec::new(),
            due: BinaryHeap::new(),
            ended: Vec::new(),
            dirty: Vec::new(),
            component: Component {
                link_stamps: vec![0; links],
                ..Component::default()
            },
            fill: Fill::default(),
            moved: vec![0.0; plan.variables.len()],
            now: 0,
            counters: Counters::default(),
        }
    }

    fn advance(&mut self, now: Time) {
        assert!(now.picos() >= self.now, "time went back");
        self.now = now.picos();
    }

    /// Starts a transfer with the size of each part of its template; `tag` comes back at its end.
    ///
    /// # Errors
    /// [`NetworkError`] if the template is of another plan, is analytic, or has another number
    /// of parts.
    ///
    /// # Panics
    /// If `now` is earlier than a time given before.
    pub fn start(
        &mut self,
        now: Time,
        template: TemplateId,
        sizes: &[Bytes],
        tag: u32,
    ) -> Result<TransferId, NetworkError> {
        let variables = self.plan.in_flight(template, sizes.len())?;
        self.advance(now);
        let index = self.free_transfers.pop().unwrap_or_else(|| {
            self.transfers.push(Transfer::default());
            self.transfers.len() as u32 - 1
        });
        let mut slots = std::mem::take(&mut self.transfers[index as usize].slots);
        for variable in variables {
            let spec = &self.plan.variables[variable as usize];
            let amount = spec.share * sizes[spec.part as usize].as_f64();
            if amount > 0.0 {
                slots.push(self.enter(variable, index, amount));
            }
        }
        let transfer = &mut self.transfers[index as usize];
        transfer.tag = tag;
        transfer.start = self.now;
        transfer.slots = slots;
        transfer.active = true;
        let id = TransferId {
            index,
            generation: transfer.generation,
        };
        if transfer.slots.is_empty() {
            self.end(index);
        }
        Ok(id)
    }

    /// Takes a transfer off its links; what it has moved stays counted.
    ///
    /// # Errors
    /// [`NetworkError::NoTransfer`] if it has ended.
    ///
    /// # Panics
    /// If `now` is earlier than a time given before.
    pub fn cancel(&mut self, now: Time, id: TransferId) -> Result<(), NetworkError> {
        self.advance(now);
        let transfer = (self.transfers.get_mut(id.index as usize))
            .filter(|t| t.active && t.generation == id.generation)
            .ok_or(NetworkError::NoTransfer)?;
        let slots = std::mem::take(&mut transfer.slots);
        for &slot in &slots {
            self.bring_up(slot);
            self.leave(slot);
        }
        self.release(id.index);
        Ok(())
    }

    /// Puts a variable on its links.
    fn enter(&mut self, variable: u32, transfer: u32, amount: f64) -> u32 {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                variable: 0,
                transfer: 0,
                epoch: 0,
                active: false,
                rate: 0.0,
                remaining: 0.0,
                since: 0,
                places: Vec::new(),
            });
            self.rates.push(0.0);
            self.component.slot_stamps.push(0);
            self.slots.len() as u32 - 1
        });
        let state = &mut self.slots[slot as usize];
        state.variable = variable;
        state.transfer = transfer;
        state.active = true;
        state.rate = 0.0;
        state.remaining = amount;
        state.since = self.now;
        state.places.clear();
        for (hop, used) in self.plan.uses(variable).iter().enumerate() {
            let entries = &mut self.on_link[used.link as usize];
            state.places.push(entries.len() as u32);
            entries.push(Entry {
                slot,
                hop: hop as u32,
                weighted: used.weighted,
            });
            self.dirty.push(used.link);
        }
        slot
    }

    /// Takes a variable off its links.
    fn leave(&mut self, slot: u32) {
        let plan = self.plan;
        let state = &mut self.slots[slot as usize];
        state.active = false;
        state.epoch = state.epoch.wrapping_add(1);
        let variable = state.variable;
        let places = std::mem::take(&mut state.places);
        for (used, &place) in plan.uses(variable).iter().zip(&places) {
            let entries = &mut self.on_link[used.link as usize];
            entries.swap_remove(place as usize);
            if let Some(moved) = entries.get(place as usize) {
                self.slots[moved.slot as usize].places[moved.hop as usize] = place;
            }
            self.dirty.push(used.link);
        }
        self.slots[slot as usize].places = places;
        self.free_slots.push(slot);
    }

    /// Counts what a variable has moved up to now.
    fn bring_up(&mut self, slot: u32) {
        let state = &mut self.slots[slot as usize];
        let moved = state.rate * (self.now - state.since) as f64 * 1e-12;
        let moved = moved.min(state.remaining);
        state.remaining -= moved;
        state.since = self.now;
        self.moved[state.variable as usize] += moved;
    }

    /// A transfer has ended now.
    fn end(&mut self, index: u32) {
        let transfer = &self.transfers[index as usize];
        self.ended.push(Finished {
            transfer: TransferId {
                index,
                generation: transfer.generation,
            },
            tag: transfer.tag,
            start: Time::from_picos(transfer.start),
            end: Time::from_picos(self.now),
        });
        self.release(index);
    }

    fn release(&mut self, index: u32) {
        let transfer = &mut self.transfers[index as usize];
        transfer.slots.clear();
        transfer.active = false;
        transfer.generation = transfer.generation.wrapping_add(1);
        self.free_transfers.push(index);
    }

    /// Gives all variables that are connected to a change their new rates. Call it when all of
    /// an instant is known; calling it more often costs time and changes nothing.
    ///
    /// # Panics
    /// If `now` is earlier than a time given before.
    pub fn settle(&mut self, now: Time) {
        self.advance(now);
        if self.dirty.is_empty() {
            return;
        }
        self.find_component();
        let component = std::mem::take(&mut self.component);
        for &slot in &component.slots {
            self.rates[slot as usize] = OPEN;
        }
        let in_flight = InFlight {
            plan: self.plan,
            slots: &self.slots,
        };
        self.fill.solve(
            &component.links,
            &self.plan.capacities,
            &self.on_link,
            &in_flight,
            &mut self.rates,
        );
        self.counters.solutions += 1;
        self.counters.solved += component.slots.len() as u64;
        for &slot in &component.slots {
            let rate = self.rates[slot as usize];
            let old = self.slots[slot as usize].rate;
            // A solution from another order of additions may differ in its last bits.
            if (rate - old).abs() <= 1e-14 * old {
                continue;
            }
            self.bring_up(slot);
            let state = &mut self.slots[slot as usize];
            state.rate = rate;
            state.epoch = state.epoch.wrapping_add(1);
            if rate > 0.0 {
                let picos = (state.remaining / rate * 1e12).ceil();
                // Past the end of time it never ends.
                if picos < (u64::MAX - self.now) as f64 {
                    let end = self.now + picos as u64;
                    self.due.push(Reverse((end, slot, state.epoch)));
                    self.counters.scheduled += 1;
                }
            }
        }
        self.component = component;
    }

    /// Collects what is connected to the dirty links.
    fn find_component(&mut self) {
        let component = &mut self.component;
        component.stamp += 1;
        let stamp = component.stamp;
        component.links.clear();
        component.slots.clear();
        for link in self.dirty.drain(..) {
            if std::mem::replace(&mut component.link_stamps[link as usize], stamp) != stamp {
                component.links.push(link);
            }
        }
        let mut at = 0;
        while let Some(&link) = component.links.get(at) {
            at += 1;
            for entry in &self.on_link[link as usize] {
                let seen = &mut component.slot_stamps[entry.slot as usize];
                if std::mem::replace(seen, stamp) == stamp {
                    continue;
                }
                component.slots.push(entry.slot);
                for used in self.plan.uses(self.slots[entry.slot as usize].variable) {
                    let seen = &mut component.link_stamps[used.link as usize];
                    if std::mem::replace(seen, stamp) != stamp {
                        component.links.push(used.link);
                    }
                }
            }
        }
    }

    /// When the next variable ends if nothing starts before; a transfer may have others left.
    /// `None` where nothing in flight ever ends.
    pub fn next_time(&mut self) -> Option<Time> {
        if !self.ended.is_empty() {
            return Some(Time::from_picos(self.now));
        }
        while let Some(&Reverse((end, slot, epoch))) = self.due.peek() {
            if self.slots[slot as usize].epoch == epoch {
                return Some(Time::from_picos(end));
            }
            self.counters.stale += 1;
            self.due.pop();
        }
        None
    }

    /// Takes everything that ends at `now` off its links and adds the transfers that are over
    /// to `finished`, in order of their variables' numbers.
    ///
    /// # Panics
    /// If `now` is earlier than a time given before, or later than [`Network::next_time`].
    pub fn finish(&mut self, now: Time, finished: &mut Vec<Finished>) {
        self.advance(now);
        while let Some(&Reverse((end, slot, epoch))) = self.due.peek() {
            if self.slots[slot as usize].epoch != epoch {
                self.counters.stale += 1;
                self.due.pop();
                continue;
            }
            assert!(end >= self.now, "a finish time was passed over");
            if end > self.now {
                break;
            }
            self.due.pop();
            let state = &self.slots[slot as usize];
            // The end was rounded up: what is left by then is nothing.
            self.moved[state.variable as usize] += state.remaining;
            let index = state.transfer;
            self.leave(slot);
            let slots = &mut self.transfers[index as usize].slots;
            if let Some(place) = slots.iter().position(|&s| s == slot) {
                slots.swap_remove(place);
            }
            if slots.is_empty() {
                self.end(index);
            }
        }
        finished.append(&mut self.ended);
    }

    /// Runs until nothing in flight ends any more, and says what ended, in order.
    pub fn drain(&mut self) -> Vec<Finished> {
        let mut finished = Vec::new();
        self.settle(Time::from_picos(self.now));
        while let Some(now) = self.next_time() {
            self.finish(now, &mut finished);
            self.settle(now);
        }
        finished
    }

    /// Transfers in flight.
    pub fn in_flight(&self) -> usize {
        self.transfers.len() - self.free_transfers.len()
    }

    /// What each link has carried up to the last time given: bytes times their cost.
    pub fn carried(&mut self) -> Vec<Bytes> {
        for slot in 0..self.slots.len() as u32 {
            if self.slots[slot as usize].active {
                self.bring_up(slot);
            }
        }
        let loads = self.plan.loads(&self.moved);
        loads.into_iter().map(Bytes::from_f64).collect()
    }

    /// What the solver has done.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

impl Plan {
    /// Time of a transfer alone on its links, at the template's grain.
    ///
    /// # Errors
    /// [`NetworkError`] if the template is of another plan or has another number of parts.
    pub fn alone(&self, template: TemplateId, sizes: &[Bytes]) -> Result<Time, NetworkError> {
        if self.grain(template)? == super::Grain::Analytic {
            return self.analytic(template, sizes);
        }
        let mut network = Network::new(self);
        network.start(Time::ZERO, template, sizes, 0)?;
        Ok(network.drain().last().map_or(Time::MAX, |f| f.end))
    }
}
