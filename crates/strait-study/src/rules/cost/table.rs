//! The study: which chips and designs are asked under which rule.
//!
//! In: a request. Out: a [`Cost`]. Chips are asked in the order of what their peaks allow, and only until
//! the next can't be better. Never computes a time itself.

use super::chips::{OnChip, RentBasis, on_chip, recipe_word};
use super::designs::{Base, Design, dies};
use super::evaluate::{Evaluator, Known, UNABLE};
use super::{Cost, CostError, DesignPlan, Lack, Plan, Request, RuleCost};
use crate::catalog::ACCELERATORS;
use crate::rules::{Chip, Classification, Date, Maker, Outcome, Query, Sale, classify};
use crate::search::{Ranked, describe};
use std::collections::BTreeMap;
use strait_units::{Bytes, Time};

/// Newest dies that a design may start from.
const BASES: usize = 2;

/// A chip of the catalogue that could be used at all.
struct Option_ {
    chip: Chip,
    on: OnChip,
}

/// A rule set, and the time in which it was the last word.
struct Window {
    id: String,
    title: String,
    from: Option<Date>,
    /// Chips count that were on sale before this day.
    before: Option<Date>,
}

/// Answers a request.
///
/// # Errors
/// That the caller asked to stop, a wrong catalogue, or a run that can't be simulated.
pub fn cost(request: &Request<'_>) -> Result<Cost, CostError> {
    let mut study = Study::new(request)?;
    let windows = windows(request);
    let mut reference = None;
    let mut rules = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        let share = index as f64 / windows.len().max(1) as f64;
        study.now = (
            window.title.clone(),
            share,
            1.0 / windows.len().max(1) as f64,
        );
        let answer = study.rule(window)?;
        if index == 0 {
            reference = answer.unconstrained.clone();
        }
        rules.push(answer);
    }
    Ok(Cost {
        scenario: request.scenario.to_owned(),
        model: request.case.model.name.clone(),
        accelerators: request.case.cluster.ranks(),
        to: request.to.words(),
        reference,
        rules,
    })
}

/// The rule sets of the catalogue that held for more than a few weeks, then the user's own.
fn windows(request: &Request<'_>) -> Vec<Window> {
    let book = request.book;
    let sets: Vec<_> = book.milestones().collect();
    let year = |day: Option<Date>| day.map(|d| d.to_string()[..4].to_owned());
    let mut windows = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let next = sets.get(index + 1).and_then(|s| s.published);
        // What was replaced in the same year was never what a chip was designed for.
        if next.is_some() && year(next) == year(set.published) {
            continue;
        }
        windows.push(Window {
            id: set.id.clone(),
            title: set.name.clone(),
            from: set.published,
            before: next,
        });
    }
    for id in request.own {
        if let Some(set) = book.set(id) {
            windows.push(Window {
                id: set.id.clone(),
                title: set.name.clone(),
                from: set.published.or(set.effective),
                before: None,
            });
        }
    }
    windows
}

struct Study<'a> {
    request: &'a Request<'a>,
    options: Vec<Option_>,
    bases: Vec<Base>,
    /// Chips that can't be used, and why.
    refused: BTreeMap<String, (Chip, String)>,
    evaluator: Evaluator<'a>,
    plans: BTreeMap<String, Result<Plan, String>>,
    /// Of the progress: what is looked at, where its share begins, and how long it is.
    now: (String, f64, f64),
}

impl<'a> Study<'a> {
    fn new(request: &'a Request<'a>) -> Result<Study<'a>, CostError> {
        let mut options = Vec::new();
        let mut refused = BTreeMap::new();
        for id in request.catalog.list(ACCELERATORS)? {
            let chip = request.catalog.chip(id)?;
            match on_chip(request.case, request.catalog, id)? {
                Ok(on) => options.push(Option_ { chip, on }),
                Err(why) => {
                    refused.insert(id.to_owned(), (chip, why));
                }
            }
        }
        // The fastest peaks first; of equals by id, as listed.
        options.sort_by_key(|option| option.on.floor);
        let memory = |o: &Option_| o.on.case.cluster.accelerator.memory;
        let ceiling = options.iter().map(memory).max().unwrap_or(Bytes::ZERO);
        let mut bases = Vec::new();
        for die in dies(request.catalog)? {
            let found = options.iter().find(|o| o.chip.id == die.accelerator);
            if let Some(o) = found {
                bases.extend(Base::new(die, o.chip.clone(), o.on.clone()));
            }
        }
        Ok(Study {
            request,
            options,
            bases,
            refused,
            evaluator: Evaluator::new(request.workers, ceiling),
            plans: BTreeMap::new(),
            now: (String::new(), 0.0, 0.0),
        })
    }

    fn on_sale(&self, chip: &Chip, window: &Window) -> bool {
        on_sale(chip, (window.before, self.request.book.known_until()))
    }

    fn tell(&self, share: f64) {
        let (name, from, long) = &self.now;
        (self.request.progress)(name, from + share * long);
    }

    fn rule(&mut self, window: &Window) -> Result<RuleCost, CostError> {
        let sold: Vec<usize> = (0..self.options.len())
            .filter(|i| self.on_sale(&self.options[*i].chip, window))
            .collect();
        let mut classes: Vec<(usize, Classification)> = Vec::new();
        for &index in &sold {
            classes.push((index, self.classify(&self.options[index].chip, window)?));
        }
        let mut reasons = self.counted(window, &classes)?;
        let foreign = |s: &Study<'_>, i: usize| s.options[i].chip.maker == Maker::Exporter;
        let all: Vec<usize> = sold.iter().copied().filter(|i| foreign(self, *i)).collect();
        self.tell(0.05);
        let unconstrained = self.plan_of(&all, &classes, &mut reasons)?;
        let mut of = |study: &mut Study<'a>, outcome: Outcome, share: f64| {
            let those: Vec<usize> = (classes.iter())
                .filter(|(_, c)| c.outcome == outcome)
                .map(|(index, _)| *index)
                .collect();
            study.tell(share);
            study.plan_of(&those, &classes, &mut reasons)
        };
        let permitted = of(self, Outcome::Free, 0.2)?;
        let notified = of(self, Outcome::Notify, 0.25)?;
        let licensed = of(self, Outcome::CaseByCase, 0.3)?;
        let domestic = of(self, Outcome::NotSubject, 0.35)?;
        let unconstrained_lack = match unconstrained {
            Some(_) => None,
            None => {
                let foreign = |chip: &Chip| Ok(chip.maker == Maker::Exporter);
                Some(self.lack(&all, window, foreign)?)
            }
        };
        let permitted_lack = match permitted {
            Some(_) => None,
            None => {
                let free = |index: &usize| {
                    let class = classes.iter().find(|(i, _)| i == index);
                    class.is_some_and(|(_, class)| class.outcome == Outcome::Free)
                };
                let those: Vec<usize> = sold.iter().copied().filter(free).collect();
                let free = |chip: &Chip| Ok(self.classify(chip, window)?.outcome == Outcome::Free);
                Some(self.lack(&those, window, free)?)
            }
        };
        let (designable, design_lack) = match self.designable(window, &mut reasons)? {
            Ok(found) => (Some(found), None),
            Err(lack) => (None, Some(lack)),
        };
        self.tell(1.0);
        let mut seen: Vec<String> = Vec::new();
        reasons.retain(|reason| {
            let new = !seen.contains(reason);
            seen.push(reason.clone());
            new
        });
        Ok(RuleCost {
            id: window.id.clone(),
            title: window.title.clone(),
            date: window.from.map(|d| d.to_string()),
            until: window.before.map(|d| d.to_string()),
            unconstrained,
            permitted,
            notified,
            licensed,
            domestic,
            designable,
            unconstrained_lack,
            permitted_lack,
            design_lack,
            reasons,
        })
    }

    /// Why none of some chips is left: those that were asked, and those of a kind that could not be.
    fn lack(
        &self,
        among: &[usize],
        window: &Window,
        kind: impl Fn(&Chip) -> Result<bool, CostError>,
    ) -> Result<Lack, CostError> {
        let mut lack = Lack::default();
        for &index in among {
            let chip = &self.options[index].chip;
            match (self.evaluator.known(&chip.id), self.plans.get(&chip.id)) {
                (Some(Known::TooSmall(least)), _) => lack.too_small(*least),
                (Some(Known::Refused(why)), _) | (_, Some(Err(why))) => {
                    let why = why.strip_prefix(UNABLE).unwrap_or(why);
                    lack.refuse(|| format!("{}: {why}", chip.name));
                }
                _ => {}
            }
        }
        for (chip, why) in self.refused.values() {
            if self.on_sale(chip, window) && kind(chip)? {
                lack.refuse(|| format!("{}: {why}", chip.name));
            }
        }
        Ok(lack)
    }

    fn classify(&self, chip: &Chip, window: &Window) -> Result<Classification, CostError> {
        let query = Query {
            to: self.request.to,
            ..Query::under(window.id.clone())
        };
        Ok(classify(chip, &query, self.request.book)?)
    }

    /// How many chips there are to choose from, and which can't be looked at.
    fn counted(
        &self,
        window: &Window,
        classes: &[(usize, Classification)],
    ) -> Result<Vec<String>, CostError> {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for (_, class) in classes {
            *counts.entry(class.outcome).or_default() += 1;
        }
        let parts: Vec<String> = (counts.iter())
            .map(|(outcome, count)| format!("{count} {}", outcome.words()))
            .collect();
        let mut reasons = vec![format!(
            "{} accelerators on sale{} have public figures: {}",
            classes.len(),
            window
                .before
                .map_or(String::new(), |day| format!(" before {day}")),
            if parts.is_empty() {
                "none".to_owned()
            } else {
                parts.join(", ")
            }
        )];
        for (index, class) in classes {
            if class.outcome == Outcome::Unknown {
                reasons.push(format!(
                    "whether {} may be sold is not known: it is not chosen",
                    self.options[*index].chip.name
                ));
            }
        }
        for (chip, why) in self.refused.values() {
            if self.on_sale(chip, window) {
                let outcome = self.classify(chip, window)?.outcome;
                if !outcome.forbids() {
                    reasons.push(format!(
                        "{} ({}) can't be simulated: {why}",
                        chip.name,
                        outcome.words()
                    ));
                }
            }
        }
        Ok(reasons)
    }

    /// The fastest of some chips, by index; chips without a fitting layout leave a reason.
    fn best(
        &mut self,
        among: &[usize],
        reasons: &mut Vec<String>,
    ) -> Result<Option<(usize, Ranked)>, CostError> {
        let mut best: Option<(usize, Ranked)> = None;
        for &index in among {
            let option = &self.options[index];
            let under = best.as_ref().map(|(_, ranked)| ranked.time);
            // All that follow have lower peaks still.
            if under.is_some_and(|under| option.on.floor >= under) {
                break;
            }
            let chip = &option.chip;
            match self.evaluator.step(&chip.id, &option.on.case, under)? {
                Known::Best(ranked) => {
                    if under.is_none_or(|under| ranked.time < under) {
                        best = Some((index, *ranked));
                    }
                }
                Known::NoneUnder(_) => {}
                Known::TooSmall(least) => reasons.push(format!(
                    "{}: {:.0} GB hold no layout on {} accelerators (the least takes {:.0} GB)",
                    chip.name,
                    option.on.case.cluster.accelerator.memory.as_f64() / 1e9,
                    self.request.case.cluster.ranks(),
                    least.as_f64() / 1e9
                )),
                Known::Refused(why) => {
                    reasons.push(format!("{} can't be simulated: {why}", chip.name));
                }
            }
        }
        Ok(best)
    }

    /// The whole run on the fastest of some chips, with what the rule says of it. A chip on which one
    /// of the phases has no layout leaves a reason and makes way for the next.
    fn plan_of(
        &mut self,
        among: &[usize],
        classes: &[(usize, Classification)],
        reasons: &mut Vec<String>,
    ) -> Result<Option<Plan>, CostError> {
        let mut among = among.to_vec();
        while let Some((index, ranked)) = self.best(&among, reasons)? {
            let option = &self.options[index];
            let id = option.chip.id.clone();
            let known = match self.plans.get(&id) {
                Some(known) => known.clone(),
                None => plan(&self.evaluator, &option.on, &ranked, &id)?,
            };
            self.plans.insert(id, known.clone());
            match known {
                Ok(mut plan) => {
                    let recipe = recipe_word(self.request.case.precision.recipe);
                    if plan.recipe != recipe {
                        reasons.push(format!(
                            "{} has no kernels for {recipe}: it runs {}",
                            plan.name, plan.recipe
                        ));
                    }
                    if let Some((own, used)) = self.options[index].on.rollouts {
                        reasons.push(format!(
                            "{} has no kernels for rollouts in {}: they run {}",
                            plan.name,
                            recipe_word(own),
                            recipe_word(used)
                        ));
                    }
                    if let Some((_, class)) = classes.iter().find(|(i, _)| *i == index) {
                        plan.outcome = class.outcome;
                        plan.clause = class.clause.clone();
                        let held = class.wedges.iter().map(|wedge| {
                            format!(
                                "{}: {} takes {:.0} % of its price, which the rent here does not hold",
                                plan.name,
                                wedge.name,
                                wedge.share.get() * 100.0
                            )
                        });
                        reasons.extend(held);
                    }
                    return Ok(Some(plan));
                }
                Err(why) => {
                    reasons.push(format!("{}: {why}", self.options[index].chip.name));
                    among.retain(|other| *other != index);
                }
            }
        }
        Ok(None)
    }

    /// The fastest design that may be sold freely.
    fn designable(
        &mut self,
        window: &Window,
        reasons: &mut Vec<String>,
    ) -> Result<Result<DesignPlan, Lack>, CostError> {
        // The largest package that has been made by then.
        let largest = (self.request.catalog.list(ACCELERATORS)?.into_iter())
            .filter_map(|id| self.request.catalog.chip(id).ok())
            .filter(|chip| self.on_sale(chip, window))
            .filter_map(|chip| chip.die_area.map(|a| a.0))
            .fold(0.0, f64::max);
        let mut bases: Vec<(Date, usize)> = (self.bases.iter().enumerate())
            .filter(|(_, base)| self.on_sale(&base.chip, window))
            .filter_map(|(index, base)| match base.chip.sale {
                Sale::Since(period) => Some((period.last, index)),
                _ => None,
            })
            .collect();
        bases.sort();
        let newest: Vec<usize> = bases
            .iter()
            .rev()
            .take(BASES)
            .map(|(_, index)| *index)
            .collect();
        let mut designs: Vec<(Time, usize, Design)> = Vec::new();
        for &index in &newest {
            let base = &self.bases[index];
            let permitted = |chip: &Chip| {
                self.classify(chip, window)
                    .is_ok_and(|class| class.outcome == Outcome::Free)
            };
            let areas = base.areas(largest);
            for design in base.permitted(&areas, &permitted) {
                designs.push((base.floor_of(&design), index, design));
            }
            if self.request.workers.stopped() {
                return Err(CostError::Cancelled);
            }
        }
        designs.sort_by_key(|(floor, ..)| *floor);
        let count = designs.len();
        let mut lack = Lack::default();
        if newest.is_empty() {
            let why = "no die of the catalogue was on sale to start a design from";
            reasons.push(why.to_owned());
            lack.refuse(|| why.to_owned());
            return Ok(Err(lack));
        }
        let (mut plan, index, design, ranked) = loop {
            let Some((index, design, ranked)) = self.fastest(&designs)? else {
                for (_, index, design) in &designs {
                    match self.design(*index, design, None)? {
                        Known::TooSmall(least) => lack.too_small(least),
                        Known::Refused(why) => lack.refuse(|| why),
                        Known::Best(_) | Known::NoneUnder(_) => {}
                    }
                }
                reasons.push(match (count, &lack.why) {
                    (0, _) => "the rule permits no design".to_owned(),
                    (_, Some(why)) => {
                        format!("of {count} permitted designs none can be used: {why}")
                    }
                    (_, None) => format!("of {count} permitted designs none holds the model"),
                });
                return Ok(Err(lack));
            };
            let on = OnChip {
                case: self.bases[index].case_of(&design),
                basis: match self.bases[index].on_chip.basis {
                    RentBasis::Unknown => RentBasis::Unknown,
                    _ => RentBasis::Base,
                },
                rollouts: self.bases[index].on_chip.rollouts,
                floor: ranked.time,
            };
            match plan(&self.evaluator, &on, &ranked, &design.base)? {
                Ok(plan) => break (plan, index, design, ranked),
                Err(why) => {
                    // What a phase lacks is memory, or is of the die: less memory is no remedy.
                    designs.retain(|(_, i, d)| *i != index || d.memory > design.memory);
                    lack.refuse(|| why.clone());
                    reasons.push(format!("the fastest design: {why}"));
                }
            }
        };
        plan.outcome = Outcome::Free;
        let ratio = |time: Time| time.seconds() / ranked.time.seconds();
        let mut units_off_days = None;
        if let Some(off) = design.with_units_off()
            && let Known::Best(other) = self.design(index, &off, None)?
        {
            units_off_days = Some(plan.days * ratio(other.time));
        }
        let mut plain_die = None;
        let base = &self.bases[index];
        let die = base.areas(0.0);
        if design.die_area > die[0] {
            let permitted = |chip: &Chip| {
                self.classify(chip, window)
                    .is_ok_and(|class| class.outcome == Outcome::Free)
            };
            let mut small = base.permitted(&die, &permitted);
            small.sort_by_key(|d| base.floor_of(d));
            for small in small {
                let under = plain_die.as_ref().map(|(_, time)| *time);
                if let Known::Best(other) = self.design(index, &small, under)?
                    && under.is_none_or(|under| other.time < under)
                {
                    plain_die = Some((small, other.time));
                }
            }
        }
        Ok(Ok(DesignPlan {
            plan,
            design,
            units_off_days,
            plain_die,
        }))
    }

    /// The fastest of some designs, which are in the order of the least that a step can take.
    fn fastest(
        &mut self,
        designs: &[(Time, usize, Design)],
    ) -> Result<Option<(usize, Design, Ranked)>, CostError> {
        let mut best: Option<(usize, Design, Ranked)> = None;
        for (at, (floor, index, design)) in designs.iter().enumerate() {
            self.tell(0.4 + 0.5 * at as f64 / designs.len() as f64);
            let under = best.as_ref().map(|(_, _, ranked)| ranked.time);
            if under.is_some_and(|under| *floor >= under) {
                break;
            }
            if let Known::Best(ranked) = self.design(*index, design, under)?
                && under.is_none_or(|under| ranked.time < under)
            {
                best = Some((*index, design.clone(), *ranked));
            }
        }
        Ok(best)
    }

    fn design(
        &mut self,
        index: usize,
        design: &Design,
        under: Option<Time>,
    ) -> Result<Known, CostError> {
        let base = &self.bases[index];
        let name = format!(
            "{} {} links {} thousandths {} units {} stacks {}",
            design.base,
            design.links,
            design.compute,
            design.units,
            design.stacks,
            design.memory_bandwidth.get()
        );
        let case = base.case_of(design);
        Ok(self.evaluator.step(&name, &case, under)?)
    }
}

/// Makers that rent out the accelerators that they make and sell none.
const RENTED: [&str; 3] = ["Google", "Amazon", "AWS"];
/// A chip is taken to be on sale for so many years: the catalogue knows no last day of sale, and without
/// a limit a V100 of 2018 would be the best free chip of 2025. An assumption.
const YEARS_ON_SALE: i32 = 6;

/// On sale before a day; where none is given, by the end of what is known.
fn on_sale(chip: &Chip, (before, last): (Option<Date>, Option<Date>)) -> bool {
    let Sale::Since(period) = chip.sale else {
        return false;
    };
    if chip.vendor.as_deref().is_some_and(|v| RENTED.contains(&v)) {
        return false;
    }
    let year = |day: Date| day.to_string()[..4].parse::<i32>().unwrap_or(0);
    let end = before.or(last);
    let young = end.is_none_or(|end| year(end) - year(period.first) <= YEARS_ON_SALE);
    young && before.is_none_or(|before| period.last < before)
}

/// The whole run; the inner error says in words why there is none.
fn plan(
    evaluator: &Evaluator<'_>,
    on: &OnChip,
    ranked: &Ranked,
    id: &str,
) -> Result<Result<Plan, String>, CostError> {
    let outcome = match evaluator.run(&on.case, ranked)? {
        Ok(outcome) => outcome,
        Err(why) => return Ok(Err(why)),
    };
    Ok(Ok(Plan {
        accelerator: id.to_owned(),
        name: on.case.cluster.accelerator.name.clone(),
        outcome: Outcome::Free,
        clause: None,
        recipe: recipe_word(on.case.precision.recipe),
        layout: describe(&ranked.parallelism),
        step: outcome.step.time,
        memory: ranked.memory,
        days: outcome.run.days,
        gpu_hours: outcome.run.gpu_hours,
        cost: (on.basis != RentBasis::Unknown).then_some(outcome.run.rent),
        basis: on.basis,
        energy: outcome.run.energy,
        per_node: on.case.cluster.node.accelerators,
    }))
}
