//! Templates compiled for the solver.
//!
//! In: links, templates, a grain for each. Out: a read-only [`Plan`]: variables with their uses
//! of the links that matter. Never holds a transfer.
//!
//! All templates of a plan may be in flight at once, in any number and from any time on. So
//! classes never mix flows of two templates, and a link class is one on which *every* template
//! loads its links equally: then the partition stays exact whatever is in flight.

use super::bound::binding;
use super::fill::Use;
use super::refine::{Partition, mix, refine};
use super::{Links, NetworkError, Template};
use strait_units::{Bytes, Time};

/// How finely a template's flows are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// Not at all: greatest load over capacity, as if nobody else sent.
    Analytic,
    /// All flows of a part move on together.
    Coflow,
    /// Flows that no link tells apart are one; exact.
    Class,
    /// Flows with one bundle key are one.
    Bundle,
    /// Each flow by itself.
    Flow,
    /// [`Grain::Class`] where the flows of each part are of one size, else [`Grain::Coflow`].
    #[default]
    Auto,
}

/// A template of a [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub(super) u32);

impl TemplateId {
    /// Its place in order of addition.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Collects templates.
#[derive(Clone, Debug)]
pub struct PlanBuilder {
    links: Links,
    templates: Vec<(Template, Grain)>,
}

impl PlanBuilder {
    /// A plan on these links.
    pub fn new(links: Links) -> PlanBuilder {
        PlanBuilder {
            links,
            templates: Vec::new(),
        }
    }

    /// Adds a template at a grain.
    ///
    /// # Errors
    /// [`NetworkError::NoLink`] if it uses a link that is not there; [`NetworkError::Dead`] if it
    /// uses one of no capacity: it would never end.
    pub fn add(&mut self, template: Template, grain: Grain) -> Result<TemplateId, NetworkError> {
        let links = self.links.len();
        for &(link, _) in template.all_hops() {
            let link = link as usize;
            match self.links.capacities.get(link) {
                None => return Err(NetworkError::NoLink { link, links }),
                Some(0.0) => return Err(NetworkError::Dead { link }),
                Some(_) => {}
            }
        }
        let grain = match grain {
            Grain::Auto if template.is_even() => Grain::Class,
            Grain::Auto => Grain::Coflow,
            grain => grain,
        };
        self.templates.push((template, grain));
        Ok(TemplateId(self.templates.len() as u32 - 1))
    }

    /// Compiles.
    pub fn build(self) -> Plan {
        Plan::new(self.links, self.templates)
    }
}

/// What gets a rate, in a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variable {
    pub part: u32,
    /// Amount over the size of the part.
    pub share: f64,
    pub weight: f64,
    first_use: u32,
    end_use: u32,
}

/// Links and templates, compiled.
#[derive(Clone, Debug)]
pub struct Plan {
    links: Links,
    templates: Vec<(Template, Grain)>,
    /// Variables of all templates, by template.
    pub(super) variables: Vec<Variable>,
    first_variable: Vec<u32>,
    uses: Vec<Use>,
    /// Capacities of the links that the solver sees.
    pub(super) capacities: Vec<f64>,
    /// The variable of each flow, by template.
    flow_variables: Vec<Vec<u32>>,
    /// Links that templates use, and those of them that can bind.
    used: (usize, usize),
    rounds: u32,
}

/// Flows that move as one before classes are found.
struct Atom {
    template: u32,
    part: u32,
    share: f64,
    weight: f64,
}

/// Atoms with their hops, end to end.
#[derive(Default)]
struct Atoms {
    atoms: Vec<Atom>,
    first_hop: Vec<u32>,
    hops: Vec<(u32, f64)>,
    colours: Vec<u64>,
    /// The atom of each flow, by template.
    of_flow: Vec<Vec<u32>>,
}

impl Atoms {
    fn new(templates: &[(&Template, Grain)], kept: &[bool]) -> Atoms {
        let mut atoms = Atoms {
            first_hop: vec![0],
            ..Atoms::default()
        };
        let mut merge = Merge {
            held: vec![0.0; kept.len()],
            touched: Vec::new(),
        };
        for (index, (template, grain)) in templates.iter().enumerate() {
            let index = index as u32;
            let mut of_flow = vec![u32::MAX; template.len()];
            match grain {
                Grain::Analytic => {}
                Grain::Flow | Grain::Class | Grain::Auto => {
                    for (flow, spec) in template.flows().iter().enumerate() {
                        of_flow[flow] = atoms.atoms.len() as u32;
                        let hops = template.hops(flow).iter();
                        (atoms.hops).extend(hops.filter(|hop| kept[hop.0 as usize]));
                        let alike = (*grain == Grain::Class).then(|| {
                            let key = mix(u64::from(index) << 32 | u64::from(spec.part));
                            mix(key ^ spec.share.to_bits())
                        });
                        atoms.push(index, spec.part, spec.share, 1.0, alike);
                    }
                }
                Grain::Bundle | Grain::Coflow => {
                    let coflow = *grain == Grain::Coflow;
                    let key = |flow: usize| {
                        let flow = template.flows()[flow];
                        (flow.part, if coflow { 0 } else { flow.bundle })
                    };
                    let mut order: Vec<u32> = (0..template.len() as u32).collect();
                    order.sort_by_key(|&flow| (key(flow as usize), flow));
                    for alike in order.chunk_by(|&a, &b| key(a as usize) == key(b as usize)) {
                        let mut total = 0.0;
                        for &flow in alike {
                            let share = template.flows()[flow as usize].share;
                            total += share;
                            of_flow[flow as usize] = atoms.atoms.len() as u32;
                            let per_unit = if coflow { share } else { 1.0 };
                            for &(link, cost) in template.hops(flow as usize) {
                                if kept[link as usize] {
                                    merge.add(link, cost * per_unit);
                                }
                            }
                        }
                        merge.drain_into(&mut atoms.hops);
                        let mean = total / alike.len() as f64;
                        let part = key(alike[0] as usize).0;
                        // A coflow's rate is of its part's bytes; its mean flow is as fast as
                        // any flow that meets the same limits.
                        let (share, weight) = if coflow {
                            (1.0, 1.0 / mean)
                        } else {
                            (mean, 1.0)
                        };
                        atoms.push(index, part, share, weight, None);
                    }
                }
            }
            atoms.of_flow.push(of_flow);
        }
        atoms
    }

    /// Closes an atom whose hops have been added. Atoms of one `colour` may be alike.
    fn push(&mut self, template: u32, part: u32, share: f64, weight: f64, colour: Option<u64>) {
        let own = mix(!(self.atoms.len() as u64));
        self.colours.push(colour.unwrap_or(own));
        self.first_hop.push(self.hops.len() as u32);
        self.atoms.push(Atom {
            template,
            part,
            share,
            weight,
        });
    }

    fn hops(&self, atom: usize) -> &[(u32, f64)] {
        &self.hops[self.first_hop[atom] as usize..self.first_hop[atom + 1] as usize]
    }

    /// Which atoms and links are alike.
    fn partition(&self, capacities: &[f64], refined: bool) -> Partition {
        if !refined {
            let (flows, links) = (self.atoms.len() as u32, capacities.len() as u32);
            return Partition {
                flows: (0..flows).collect(),
                links: (0..links).collect(),
                flow_classes: flows,
                link_classes: links,
                rounds: 0,
            };
        }
        let hops: Vec<(u32, u64)> = (self.hops.iter())
            .map(|&(link, cost)| (link, cost.to_bits()))
            .collect();
        let links: Vec<u64> = capacities.iter().map(|c| c.to_bits()).collect();
        refine(&self.colours, &links, &self.first_hop, &hops)
    }
}

/// Sums costs by link; links come out in order of number.
struct Merge {
    held: Vec<f64>,
    touched: Vec<u32>,
}

impl Merge {
    fn add(&mut self, link: u32, cost: f64) {
        let held = &mut self.held[link as usize];
        if *held == 0.0 {
            self.touched.push(link);
        }
        *held += cost;
    }

    fn drain_into(&mut self, hops: &mut Vec<(u32, f64)>) {
        self.touched.sort_unstable();
        for link in self.touched.drain(..) {
            hops.push((link, std::mem::take(&mut self.held[link as usize])));
        }
    }
}

impl Plan {
    fn new(links: Links, templates: Vec<(Template, Grain)>) -> Plan {
        let shared: Vec<&Template> = (templates.iter())
            .filter(|(_, grain)| *grain != Grain::Analytic)
            .map(|(template, _)| template)
            .collect();
        let kept = binding(&links.capacities, &shared);
        let used: usize = {
            let mut seen = vec![false; links.len()];
            for &(link, _) in shared.iter().flat_map(|t| t.all_hops()) {
                seen[link as usize] = true;
            }
            seen.iter().filter(|s| **s).count()
        };
        let binding_links = kept.iter().filter(|k| **k).count();
        let borrowed: Vec<(&Template, Grain)> = (templates.iter())
            .map(|(template, grain)| (template, *grain))
            .collect();
        let atoms = Atoms::new(&borrowed, &kept);
        let refined = templates.iter().any(|(_, grain)| *grain == Grain::Class);
        let partition = atoms.partition(&links.capacities, refined);
        let mut plan = Plan {
            flow_variables: Vec::new(),
            variables: Vec::new(),
            first_variable: vec![0],
            uses: Vec::new(),
            capacities: Vec::new(),
            used: (used, binding_links),
            rounds: partition.rounds,
            links,
            templates,
        };
        plan.add_variables(&atoms, &partition, &kept);
        plan.merge_links();
        plan
    }

    /// A variable for each class of atoms, on link classes.
    fn add_variables(&mut self, atoms: &Atoms, partition: &Partition, kept: &[bool]) {
        let classes = partition.link_classes as usize;
        let mut sizes = vec![0_u32; classes];
        self.capacities = vec![0.0; classes];
        for (link, &class) in partition.links.iter().enumerate() {
            if kept[link] {
                sizes[class as usize] += 1;
                self.capacities[class as usize] = self.links.capacities[link];
            }
        }
        let mut counts = vec![0_u32; partition.flow_classes as usize];
        for &class in &partition.flows {
            counts[class as usize] += 1;
        }
        // Classes are numbered as they first appear, so that those of a template are together.
        let mut merge = Merge {
            held: vec![0.0; classes],
            touched: Vec::new(),
        };
        let mut hops = Vec::new();
        let mut template = 0;
        for (index, atom) in atoms.atoms.iter().enumerate() {
            if partition.flows[index] as usize != self.variables.len() {
                continue;
            }
            while template < atom.template {
                self.first_variable.push(self.variables.len() as u32);
                template += 1;
            }
            let count = f64::from(counts[self.variables.len()]);
            for &(link, cost) in atoms.hops(index) {
                merge.add(partition.links[link as usize], cost);
            }
            hops.clear();
            merge.drain_into(&mut hops);
            let first_use = self.uses.len() as u32;
            self.uses.extend(hops.iter().map(|&(link, cost)| {
                let cost = cost * count / f64::from(sizes[link as usize]);
                Use {
                    link,
                    cost,
                    weighted: cost * atom.weight,
                }
            }));
            self.variables.push(Variable {
                part: atom.part,
                share: atom.share,
                weight: atom.weight,
                first_use,
                end_use: self.uses.len() as u32,
            });
        }
        while self.first_variable.len() <= self.templates.len() {
            self.first_variable.push(self.variables.len() as u32);
        }
        self.flow_variables = (atoms.of_flow.iter())
            .map(|flows| {
                flows
                    .iter()
                    .map(|&atom| partition.flows.get(atom as usize).copied())
                    .map(|class| class.unwrap_or(u32::MAX))
                    .collect()
            })
            .collect();
    }

    /// Leaves out links that cannot be full before another with the same variables on it is, and
    /// numbers the others from 0.
    fn merge_links(&mut self) {
        let links = self.capacities.len();
        // Each link's variables with what they take of it.
        let mut columns: Vec<Vec<(u32, f64)>> = vec![Vec::new(); links];
        for (variable, spec) in self.variables.iter().enumerate() {
            for used in &self.uses[spec.first_use as usize..spec.end_use as usize] {
                let taken = used.cost / self.capacities[used.link as usize];
                columns[used.link as usize].push((variable as u32, taken));
            }
        }
        let mut order: Vec<u32> = (0..links as u32)
            .filter(|&link| !columns[link as usize].is_empty())
            .collect();
        let who = |link: u32| columns[link as usize].iter().map(|(variable, _)| *variable);
        order.sort_by(|&a, &b| who(a).cmp(who(b)).then(a.cmp(&b)));
        let mut keep: Vec<u32> = Vec::new();
        for alike in order.chunk_by(|&a, &b| who(a).eq(who(b))) {
            let from = keep.len();
            for &link in alike {
                let under = |a: u32, b: u32| {
                    let pairs = columns[a as usize].iter().zip(&columns[b as usize]);
                    pairs.into_iter().all(|(a, b)| a.1 <= b.1)
                };
                // Most links are under the last one kept; a long search would not pay.
                let recent = keep.len().saturating_sub(16).max(from);
                if keep[recent..].iter().any(|&other| under(link, other)) {
                    continue;
                }
                let mut at = recent;
                while at < keep.len() {
                    if under(keep[at], link) {
                        keep.swap_remove(at);
                    } else {
                        at += 1;
                    }
                }
                keep.push(link);
            }
        }
        keep.sort_unstable();
        let mut number = vec![u32::MAX; links];
        for (new, &link) in keep.iter().enumerate() {
            number[link as usize] = new as u32;
        }
        self.capacities = keep.iter().map(|&l| self.capacities[l as usize]).collect();
        let mut uses = Vec::with_capacity(self.uses.len());
        for spec in &mut self.variables {
            let old = spec.first_use as usize..spec.end_use as usize;
            spec.first_use = uses.len() as u32;
            uses.extend((self.uses[old].iter()).filter_map(|used| {
                let link = number[used.link as usize];
                (link != u32::MAX).then_some(Use { link, ..*used })
            }));
            spec.end_use = uses.len() as u32;
        }
        self.uses = uses;
    }

    pub(super) fn uses(&self, variable: u32) -> &[Use] {
        let spec = &self.variables[variable as usize];
        &self.uses[spec.first_use as usize..spec.end_use as usize]
    }

    /// The variables of a template that may be in flight.
    pub(super) fn in_flight(
        &self,
        template: TemplateId,
        parts: usize,
    ) -> Result<std::ops::Range<u32>, NetworkError> {
        if self.template(template)?.1 == Grain::Analytic {
            return Err(NetworkError::Analytic);
        }
        self.parts(template, parts)?;
        let at = template.0 as usize;
        Ok(self.first_variable[at]..self.first_variable[at + 1])
    }

    fn template(&self, template: TemplateId) -> Result<&(Template, Grain), NetworkError> {
        (self.templates.get(template.0 as usize)).ok_or(NetworkError::NoTemplate {
            template: template.0,
        })
    }

    fn parts(&self, template: TemplateId, given: usize) -> Result<(), NetworkError> {
        let parts = self.template(template)?.0.parts();
        if parts == given {
            Ok(())
        } else {
            Err(NetworkError::Sizes { parts, given })
        }
    }

    /// The links.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The grain at which a template is simulated.
    ///
    /// # Errors
    /// [`NetworkError::NoTemplate`] if it is of another plan.
    pub fn grain(&self, template: TemplateId) -> Result<Grain, NetworkError> {
        Ok(self.template(template)?.1)
    }

    /// How many parts a template has: so many sizes are given to start it.
    ///
    /// # Errors
    /// [`NetworkError::NoTemplate`] if it is of another plan.
    pub fn parts_of(&self, template: TemplateId) -> Result<usize, NetworkError> {
        Ok(self.template(template)?.0.parts())
    }

    /// How many variables a template has: classes, bundles, flows or parts.
    ///
    /// # Errors
    /// [`NetworkError::NoTemplate`] if it is of another plan.
    pub fn variables_of(&self, template: TemplateId) -> Result<usize, NetworkError> {
        self.template(template)?;
        let at = template.0 as usize;
        Ok((self.first_variable[at + 1] - self.first_variable[at]) as usize)
    }

    /// Links that templates use, those of them that can bind, and those that the solver sees.
    pub fn link_counts(&self) -> (usize, usize, usize) {
        (self.used.0, self.used.1, self.capacities.len())
    }

    /// Which templates can ever slow each other: those with one number share links that can bind,
    /// directly or through others. A template with a number of its own takes the time it takes
    /// alone, whenever it runs, as long as it does not run twice at once.
    pub fn components(&self) -> Vec<u32> {
        let mut of: Vec<u32> = (0..self.templates.len() as u32).collect();
        let root = |of: &mut Vec<u32>, mut at: u32| {
            while of[at as usize] != at {
                of[at as usize] = of[of[at as usize] as usize];
                at = of[at as usize];
            }
            at
        };
        let mut first = vec![u32::MAX; self.capacities.len()];
        for template in 0..self.templates.len() as u32 {
            let at = template as usize;
            for variable in self.first_variable[at]..self.first_variable[at + 1] {
                for used in self.uses(variable) {
                    let first = &mut first[used.link as usize];
                    if *first == u32::MAX {
                        *first = template;
                    }
                    let (a, b) = (root(&mut of, *first), root(&mut of, template));
                    // The lowest template names the component.
                    of[a.max(b) as usize] = a.min(b);
                }
            }
        }
        (0..of.len() as u32).map(|at| root(&mut of, at)).collect()
    }

    /// Which templates can ever be slowed by another: each that shares a link that can bind with
    /// one that it is not `serial` with (the two are never in flight at once). Finer than
    /// [`Plan::components`], which knows nothing of who waits for whom.
    pub fn meeting(&self, serial: impl Fn(TemplateId, TemplateId) -> bool) -> Vec<bool> {
        let mut on_link: Vec<Vec<u32>> = vec![Vec::new(); self.capacities.len()];
        for template in 0..self.templates.len() as u32 {
            let at = template as usize;
            for variable in self.first_variable[at]..self.first_variable[at + 1] {
                for used in self.uses(variable) {
                    let users = &mut on_link[used.link as usize];
                    if users.last() != Some(&template) {
                        users.push(template);
                    }
                }
            }
        }
        on_link.sort_unstable();
        on_link.dedup();
        let mut meets = vec![false; self.templates.len()];
        for users in &on_link {
            for (at, &a) in users.iter().enumerate() {
                if meets[a as usize] {
                    continue;
                }
                // Neighbours in number are most likely serial: look from the far end.
                let others = users[at + 1..].iter().rev().chain(&users[..at]);
                let other = others
                    .copied()
                    .find(|&b| !serial(TemplateId(a), TemplateId(b)));
                if let Some(b) = other {
                    meets[a as usize] = true;
                    meets[b as usize] = true;
                }
            }
        }
        meets
    }

    /// Rounds of colour refinement.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Classes of all flows of all templates on all their links, as if every template were at the
    /// grain of classes and no link were left out. For reports and measurements.
    pub fn refine_flows(&self) -> Partition {
        let classes: Vec<(&Template, Grain)> = (self.templates.iter())
            .map(|(template, _)| (template, Grain::Class))
            .collect();
        let atoms = Atoms::new(&classes, &vec![true; self.links.len()]);
        atoms.partition(&self.links.capacities, true)
    }

    /// Time of a transfer that shares its links with nobody and whose flows never wait for each
    /// other: greatest load over capacity. No transfer at any grain is faster.
    ///
    /// # Errors
    /// [`NetworkError`] if the template is of another plan or has another number of parts.
    pub fn analytic(&self, template: TemplateId, sizes: &[Bytes]) -> Result<Time, NetworkError> {
        self.parts(template, sizes.len())?;
        let template = &self.template(template)?.0;
        let mut seconds = 0.0_f64;
        if template.all_hops().len() < self.links.len() / 16 {
            // Few links of many: sorted, not laid out.
            let mut loads: Vec<(u32, f64)> = (template.flows().iter().enumerate())
                .flat_map(|(flow, spec)| {
                    let bytes = spec.share * sizes[spec.part as usize].as_f64();
                    let hops = template.hops(flow).iter();
                    hops.map(move |&(link, cost)| (link, bytes * cost))
                })
                .collect();
            loads.sort_by_key(|load| load.0);
            for of_link in loads.chunk_by(|a, b| a.0 == b.0) {
                let load: f64 = of_link.iter().map(|load| load.1).sum();
                seconds = seconds.max(load / self.links.capacities[of_link[0].0 as usize]);
            }
            return Ok(Time::from_seconds(seconds));
        }
        let mut loads = vec![0.0; self.links.len()];
        for (flow, spec) in template.flows().iter().enumerate() {
            let bytes = spec.share * sizes[spec.part as usize].as_f64();
            for &(link, cost) in template.hops(flow) {
                let load: &mut f64 = &mut loads[link as usize];
                *load += bytes * cost;
                seconds = seconds.max(*load / self.links.capacities[link as usize]);
            }
        }
        Ok(Time::from_seconds(seconds))
    }

    /// What each link has carried, given what each variable has moved.
    pub(super) fn loads(&self, moved: &[f64]) -> Vec<f64> {
        let mut loads = vec![0.0; self.links.len()];
        for ((template, _), variables) in self.templates.iter().zip(&self.flow_variables) {
            for (flow, spec) in template.flows().iter().enumerate() {
                let Some(variable) = self.variables.get(variables[flow] as usize) else {
                    continue;
                };
                let bytes = moved[variables[flow] as usize] * spec.share / variable.share;
                for &(link, cost) in template.hops(flow) {
                    loads[link as usize] += bytes * cost;
                }
            }
        }
        loads
    }

    /// What a transfer takes of each link: bytes times their cost.
    ///
    /// # Errors
    /// [`NetworkError`] if the template is of another plan or has another number of parts.
    pub fn demand(
        &self,
        template: TemplateId,
        sizes: &[Bytes],
    ) -> Result<Vec<Bytes>, NetworkError> {
        self.parts(template, sizes.len())?;
        let template = &self.template(template)?.0;
        let mut loads = vec![0.0; self.links.len()];
        for (flow, spec) in template.flows().iter().enumerate() {
            let bytes = spec.share * sizes[spec.part as usize].as_f64();
            for &(link, cost) in template.hops(flow) {
                loads[link as usize] += bytes * cost;
            }
        }
        Ok(loads.into_iter().map(Bytes::from_f64).collect())
    }
}
