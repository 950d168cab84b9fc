//! The answer of `strait search`: the best layouts of a case, why, and what was left out.
//!
//! In: a case in its variants (precision) and sizes (accelerators), and how far to go. Out: an
//! [`Answer`] for [`super::document`], [`super::text`] and [`super::tables`]. Never reads files.
//!
//! The main phase is what is searched. The best layouts are then put into the whole run, whose other
//! phases keep the layouts that are written.

use super::axis::Axes;
use super::hunt::{Hunt, Hunter, Tried, simulated};
use super::scan::{Counts, Ground, scan};
use super::score::{Objective, Scale};
use super::shortlist::{STEPS, Shortlist};
use super::space::Space;
use super::work::Workers;
use super::{calm, written};
use strait_training::case::{Case, Parallelism};
use strait_training::layout::Layout;
use strait_training::outcome::StepOutcome;
use strait_training::run::main_phase;
use strait_training::simulate::{Control, SimulateError, check, simulate};
use strait_units::Bytes;

/// A case as one precision recipe has it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The recipe, in the words of scenarios.
    pub recipe: String,
    /// The case.
    pub case: Case,
    /// Why the layout that it writes can't be used.
    pub unusable: Option<String>,
    /// It has the precision that the scenario writes: the written layout is simulated in it.
    pub written: bool,
    /// Layouts are looked for in it. Those that are not come behind those that are.
    pub searched: bool,
    /// The scenario says nothing of the layout: the one in the case is what Strait takes then.
    pub by_default: bool,
}

/// How far to go, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is to be least.
    pub objective: Objective,
    /// Layouts to name.
    pub best: usize,
    /// Most layouts to simulate for the best, and as many again for the front.
    pub simulated: usize,
    /// Simulate everything that fits.
    pub exhaustive: bool,
    /// Every value that there is, in place of the usual ones.
    pub wide: bool,
    /// Values of one's own.
    pub axes: Axes,
    /// Memory of an accelerator that may be used, if less than all.
    pub memory: Option<Bytes>,
}

/// What is asked.
pub struct Request<'a> {
    /// Scenario, as the user named it.
    pub scenario: &'a str,
    /// The command that gives this answer again.
    pub command: &'a str,
    /// For each cluster size: the case in its variants. One is the usual number.
    pub sizes: &'a [Vec<Variant>],
    /// Only the best of each size is wanted: accelerators against days.
    pub compare_sizes: bool,
    /// How far to go.
    pub options: &'a Options,
    /// Threads.
    pub workers: Workers<'a>,
    /// Told the share done (0 to 1).
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// What is found.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Scenario.
    pub scenario: String,
    /// The command that gives this answer again.
    pub command: String,
    /// Model.
    pub model: String,
    /// Accelerator.
    pub accelerator: String,
    /// Phase that was searched.
    pub phase: String,
    /// Phases of the run.
    pub phases: usize,
    /// Sequences of a step.
    pub global_batch: u32,
    /// Tokens of a sequence.
    pub sequence_length: u32,
    /// What was to be least.
    pub objective: Objective,
    /// The space was the wide one.
    pub wide: bool,
    /// Everything that fits was simulated.
    pub exhaustive: bool,
    /// Sizes were compared.
    pub compare_sizes: bool,
    /// The scenario writes no layout: the one that stands for it is Strait's default.
    pub by_default: bool,
    /// By cluster size, as asked.
    pub sites: Vec<Site>,
}

/// One cluster size.
#[derive(Clone, Debug)]
pub struct Site {
    /// Accelerators.
    pub accelerators: u32,
    /// Memory that could be used.
    pub capacity: Bytes,
    /// Numbers of the space: repeated layouts included.
    pub numbers: u64,
    /// What was looked at, and what was refused.
    pub counts: Counts,
    /// Layouts that fit.
    pub fit: u64,
    /// Of those, layouts that could not be better.
    pub bounded: u64,
    /// Of those, layouts that could be, and were left when the most were simulated that may be.
    pub unlooked: u64,
    /// The least that any of these scores.
    pub least_unlooked: Option<u64>,
    /// Layouts that the simulation refused, by setting.
    pub failed: Vec<(String, u64)>,
    /// Where none is possible: why one of them is not, in the words of the checks.
    pub example: Option<String>,
    /// Layouts that were simulated, by what was to be least.
    pub tried: Vec<Plan>,
    /// The best, as places in `tried`, with their whole runs.
    pub best: Vec<(usize, Run)>,
    /// The layout that the scenario writes.
    pub written: Written,
    /// The best within each limit of memory, where it is another than within more: limit, place.
    pub front: Vec<(Bytes, usize)>,
    /// Limits of memory for which layouts were left.
    pub front_unproven: usize,
    /// Bounds that were above what was simulated: a defect, and none is known.
    pub broken_bounds: u64,
}

/// A simulated layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Precision recipe.
    pub recipe: String,
    /// The layout.
    pub parallelism: Parallelism,
    /// What was to be least.
    pub score: u64,
    /// What it promised.
    pub bound: u64,
    /// Its step.
    pub step: StepOutcome,
    /// No other that was simulated takes less time and no more memory.
    pub on_front: bool,
    /// Layers of each stage.
    pub stage_layers: Vec<u32>,
    /// Settings by which it differs from the written one: scenario path and value.
    pub settings: Vec<(String, String)>,
}

/// The layout of the scenario.
#[derive(Clone, Debug)]
pub enum Written {
    /// It works.
    Works(Box<(Plan, Run)>),
    /// It does not, here.
    Refused(String),
}

/// A whole run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// Days.
    pub days: f64,
    /// Accelerator-hours.
    pub gpu_hours: f64,
    /// US dollars; `None` where the run is estimated.
    pub cost: Option<f64>,
    /// Megawatt-hours; the same.
    pub energy_mwh: Option<f64>,
    /// How the other phases were laid out.
    pub others: Others,
}

/// How phases beside the one that was searched were laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// There are none.
    None,
    /// As written.
    Written,
    /// Like the one that was searched, where they have none of their own.
    Alike,
    /// They can't be in either: all tokens are counted at the speed of the one that was searched.
    Estimated,
}

/// Entries remembered for each step of memory.
const REMEMBERED: usize = 4096;

/// Searches.
///
/// # Errors
/// That the chip has no kernels for a recipe, or [`SimulateError::Cancelled`].
pub fn answer(request: &Request<'_>) -> Result<Answer, SimulateError> {
    let count = request.sizes.len().max(1) as f64;
    let mut sites = Vec::new();
    for (at, variants) in request.sizes.iter().enumerate() {
        let progress = |share: f64| (request.progress)((at as f64 + share) / count);
        sites.push(site(request, variants, &progress)?);
    }
    let first = request.sizes.first().and_then(|variants| variants.first());
    let case = first.map(|variant| &variant.case);
    let phase = case.map(|case| &case.training.phases[main_phase(&case.training.phases)]);
    Ok(Answer {
        scenario: request.scenario.to_owned(),
        command: request.command.to_owned(),
        model: case.map_or(String::new(), |case| case.model.name.clone()),
        accelerator: case.map_or(String::new(), |c| c.cluster.accelerator.name.clone()),
        phase: phase.map_or(String::new(), |phase| phase.name.clone()),
        phases: case.map_or(0, |case| case.training.phases.len()),
        global_batch: phase.map_or(0, |phase| phase.global_batch),
        sequence_length: phase.map_or(0, |phase| phase.sequence_length),
        objective: request.options.objective,
        wide: request.options.wide,
        exhaustive: request.options.exhaustive,
        compare_sizes: request.compare_sizes,
        by_default: first.is_some_and(|variant| variant.by_default),
        sites,
    })
}

/// Combinations that a request has the search look at.
pub fn combinations(request: &Request<'_>) -> u64 {
    let spaces = request.sizes.iter().flatten().filter(|v| v.searched);
    spaces
        .map(|variant| space(variant, request.options).size())
        .sum()
}

/// What may vary in a variant.
fn space(variant: &Variant, options: &Options) -> Space {
    let case = &variant.case;
    let phase = &case.training.phases[main_phase(&case.training.phases)];
    let mut space = match options.wide {
        true => Space::wide(case, phase),
        false => Space::around(case, phase),
    };
    if variant.unusable.is_some() {
        // What stands in for it is nobody's layout.
        space.also.clear();
    }
    options.axes.apply(&mut space);
    space
}

/// Layouts of a space that are looked at for an example.
const EXAMPLES: u64 = 20_000;

/// Why the first layout of these grounds that the checks refuse for a setting is refused.
fn example(grounds: &[Ground<'_>], setting: &str) -> Option<String> {
    grounds.iter().find_map(|ground| {
        let Ground {
            case, phase, space, ..
        } = ground;
        let layouts = (0..space.size().min(EXAMPLES)).filter_map(|number| space.layout(number));
        layouts.into_iter().find_map(|p| {
            let (length, batch) = (phase.sequence_length, phase.global_batch);
            let errors = Layout::new(&p, &case.model, &case.cluster, length, batch).err()?;
            errors.into_iter().find_map(|error| match error {
                SimulateError::Invalid { path, message, .. } if path == setting => Some(message),
                _ => None,
            })
        })
    })
}

fn site(
    request: &Request<'_>,
    variants: &[Variant],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Site, SimulateError> {
    let (options, workers) = (request.options, request.workers);
    let variants: Vec<Variant> = (variants.iter())
        .map(|variant| Variant {
            case: calm(variant.case.clone()),
            ..variant.clone()
        })
        .collect();
    let spaces: Vec<Space> = (variants.iter())
        .map(|variant| space(variant, options))
        .collect();
    let grounds: Vec<Ground<'_>> = (0..)
        .zip(variants.iter().zip(&spaces))
        .map(|(number, (variant, space))| {
            let case = &variant.case;
            let own = case.cluster.accelerator.memory;
            Ground {
                case,
                phase: &case.training.phases[main_phase(&case.training.phases)],
                space,
                capacity: options.memory.map_or(own, |memory| memory.min(own)),
                scale: Scale::new(case, options.objective),
                variant: number,
            }
        })
        .collect();
    let capacity = grounds
        .first()
        .map_or(Bytes::ZERO, |ground| ground.capacity);
    let most = if options.exhaustive {
        usize::MAX
    } else {
        REMEMBERED
    };
    let mut list = Shortlist::new(capacity, most);
    let mut counts = Counts::default();
    let searched = variants.iter().filter(|variant| variant.searched).count();
    for (at, ground) in grounds.iter().take(searched).enumerate() {
        let part = 0.4 / searched as f64;
        let told = |share: f64| progress(part * (at as f64 + share));
        let (found, counted) = scan(*ground, most, workers, &told)?;
        list.merge(found);
        counts.add(counted);
    }
    let mut hunter = Hunter::new(&grounds, workers, usize::MAX);
    if !options.exhaustive {
        hunter.allow(options.simulated);
    }
    let best = if request.compare_sizes {
        1
    } else {
        options.best
    };
    let queue = list.queue(STEPS);
    let told = |share: f64| progress(0.4 + 0.4 * share);
    let mut hunt = hunter.hunt(&queue, best, options.exhaustive, &told)?;
    let (bounded, gone) = let_go(&list, STEPS, &hunt, &hunter);
    hunt.bounded += bounded;
    hunt.unlooked += gone;
    let (mut limits, mut front_unproven) = (Vec::new(), 0);
    if !request.compare_sizes {
        hunter.allow(if options.exhaustive {
            0
        } else {
            options.simulated
        });
        (limits, front_unproven) = front(&list, &mut hunter, &|share| progress(0.8 + 0.1 * share))?;
    }
    let mut tried = plans(&grounds, &variants, &hunter);
    let own = variants.iter().find(|variant| variant.written);
    for (_, plan) in &mut tried {
        if own.is_none_or(|own| own.recipe != plan.recipe) && variants.len() > 1 {
            let setting = ("precision.recipe".to_owned(), plan.recipe.clone());
            plan.settings.push(setting);
        }
    }
    let place = |key: &(u32, u64)| tried.iter().position(|(known, _)| known == key);
    let named: Vec<usize> = hunt.best.iter().filter_map(place).collect();
    let runs = workers.each(named.len(), |at| {
        let (key, plan) = &tried[named[at]];
        run(&variants[key.0 as usize].case, plan, workers)
    })?;
    let written = written_plan(&grounds, &variants, workers)?;
    progress(1.0);
    let front = (limits.iter())
        .filter_map(|(limit, key)| Some((*limit, place(key)?)))
        .collect();
    let best = (named.into_iter().zip(runs))
        .map(|(at, run)| run.map(|run| (at, run)))
        .collect::<Result<_, _>>()?;
    let tried: Vec<Plan> = tried.into_iter().map(|(_, plan)| plan).collect();
    let refused = &counts.refused;
    let most = (refused.by_setting.iter()).max_by_key(|(setting, n)| (**n, (*setting).clone()));
    let example = match (list.len(), refused.least_memory, most) {
        // None is possible, whatever the memory.
        (0, None, Some((setting, _))) => example(&grounds[..searched], setting),
        _ => None,
    };
    Ok(Site {
        example,
        accelerators: grounds
            .first()
            .map_or(0, |ground| ground.case.cluster.ranks()),
        capacity,
        numbers: spaces.iter().take(searched).map(Space::size).sum(),
        counts,
        fit: list.len(),
        bounded: hunt.bounded,
        unlooked: hunt.unlooked,
        least_unlooked: hunt.least_unlooked,
        failed: hunter.failed().into_iter().collect(),
        broken_bounds: tried.iter().filter(|plan| plan.bound > plan.score).count() as u64,
        tried,
        best,
        written,
        front,
        front_unproven,
    })
}

/// Of what a list let go: how many could not be better than the worst named, and how many could.
fn let_go(list: &Shortlist, steps: usize, hunt: &Hunt, hunter: &Hunter<'_>) -> (u64, u64) {
    let (gone, least) = list.gone(steps);
    let worst = hunt.best.last().and_then(|key| hunter.tried(*key));
    match (least, worst) {
        (Some(least), Some(worst)) if least > worst.score => (gone, 0),
        // Of each only the least bound is known: all might be.
        _ => (0, gone),
    }
}

/// The best within each limit of memory, from all of it down, and for how many that is not proven.
#[allow(clippy::type_complexity)]
fn front(
    list: &Shortlist,
    hunter: &mut Hunter<'_>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<(Vec<(Bytes, (u32, u64))>, usize), SimulateError> {
    let mut found: Vec<(Bytes, (u32, u64))> = Vec::new();
    let mut unproven = 0;
    for step in (0..STEPS).rev() {
        progress((STEPS - step) as f64 / STEPS as f64);
        // The best within more may fit in less.
        let fits = found.last().and_then(|(_, key)| hunter.tried(*key));
        if fits.is_some_and(|tried| list.step(tried.entry.memory) <= step) {
            continue;
        }
        let queue = list.queue(step + 1);
        if queue.is_empty() {
            break;
        }
        let hunt = hunter.hunt(&queue, 1, false, &|_| {})?;
        let (_, gone) = let_go(list, step + 1, &hunt, hunter);
        unproven += usize::from(hunt.unlooked + gone > 0);
        if let Some(key) = hunt.best.first() {
            found.push((list.limit(step), *key));
        }
    }
    Ok((found, unproven))
}

/// All that were simulated, best first.
fn plans(
    grounds: &[Ground<'_>],
    variants: &[Variant],
    hunter: &Hunter<'_>,
) -> Vec<((u32, u64), Plan)> {
    let mut tried: Vec<&Tried> = hunter.all().collect();
    tried.sort_by_key(|t| (t.score, t.entry.variant, t.entry.number));
    // In order of time, each that needs less memory than all before it.
    let mut by_time: Vec<usize> = (0..tried.len()).collect();
    by_time.sort_by_key(|at| (tried[*at].step.time, tried[*at].entry.memory, *at));
    let mut on_front = vec![false; tried.len()];
    let mut least: Option<Bytes> = None;
    for at in by_time {
        let memory = tried[at].entry.memory;
        if least.is_none_or(|least| memory < least) {
            on_front[at] = true;
            least = Some(memory);
        }
    }
    (tried.into_iter().zip(on_front))
        .map(|(tried, on_front)| {
            let variant = tried.entry.variant as usize;
            let plan = plan(
                &grounds[variant],
                &variants[variant],
                tried.parallelism.clone(),
                tried.step.clone(),
            );
            let key = (tried.entry.variant, tried.entry.number);
            let plan = Plan {
                score: tried.score,
                bound: tried.entry.bound,
                on_front,
                ..plan
            };
            (key, plan)
        })
        .collect()
}

fn plan(
    ground: &Ground<'_>,
    variant: &Variant,
    parallelism: Parallelism,
    step: StepOutcome,
) -> Plan {
    let (case, phase) = (ground.case, ground.phase);
    let (length, batch) = (phase.sequence_length, phase.global_batch);
    let outline = Layout::outline(&parallelism, &case.model, &case.cluster, length, batch);
    let stage_layers: Vec<u32> = outline.map_or(Vec::new(), |layout| {
        let stages = layout.stages.iter();
        stages
            .map(|stage| stage.layers.end - stage.layers.start)
            .collect()
    });
    let mut settings = super::differences(written(case, phase), &parallelism, &stage_layers);
    // The other phases keep theirs.
    if case.training.phases.len() > 1 || phase.parallelism.is_some() {
        for (path, _) in &mut settings {
            *path = format!("training.phase.{}.{path}", phase.name);
        }
    }
    Plan {
        recipe: variant.recipe.clone(),
        score: ground.scale.of(&step),
        bound: 0,
        on_front: false,
        parallelism,
        step,
        stage_layers,
        settings,
    }
}

/// The layout of the scenario, in its own precision.
fn written_plan(
    grounds: &[Ground<'_>],
    variants: &[Variant],
    workers: Workers<'_>,
) -> Result<Written, SimulateError> {
    let own = grounds.iter().zip(variants).find(|(_, v)| v.written);
    let Some((ground, variant)) = own else {
        let why = "the precision that the scenario writes can't be used here";
        return Ok(Written::Refused(why.to_owned()));
    };
    if let Some(why) = &variant.unusable {
        return Ok(Written::Refused(why.clone()));
    }
    let parallelism = written(ground.case, ground.phase).clone();
    match simulated(ground, &parallelism, workers) {
        Err(SimulateError::Cancelled) => Err(SimulateError::Cancelled),
        Err(SimulateError::Invalid { message, .. }) => Ok(Written::Refused(message)),
        Ok(step) => {
            let plan = plan(ground, variant, parallelism, step);
            let run = run(ground.case, &plan, workers)?;
            Ok(Written::Works(Box::new((plan, run))))
        }
    }
}

/// The whole run with a layout in its main phase.
fn run(case: &Case, plan: &Plan, workers: Workers<'_>) -> Result<Run, SimulateError> {
    let at = main_phase(&case.training.phases);
    let control = Control {
        cancel: workers.cancel,
        progress: &|_| {},
        threads: 1,
        full_ranks: false,
        clock: &|| 0.0,
    };
    let with = |alike: bool| {
        let mut case = case.clone();
        case.training.phases[at].parallelism = Some(plan.parallelism.clone());
        if alike {
            case.parallelism = plan.parallelism.clone();
        }
        case
    };
    let alone = case.training.phases.len() == 1;
    let ways = match alone {
        true => vec![(Others::None, true)],
        false => vec![(Others::Written, false), (Others::Alike, true)],
    };
    for (others, alike) in ways {
        let case = with(alike);
        if !check(&case).is_empty() {
            continue;
        }
        match simulate(&case, control) {
            Ok(outcome) => {
                return Ok(Run {
                    days: outcome.run.days,
                    gpu_hours: outcome.run.gpu_hours,
                    cost: Some(outcome.cost.total().get()),
                    energy_mwh: Some(outcome.run.energy.get() / 3.6e9),
                    others,
                });
            }
            Err(SimulateError::Cancelled) => return Err(SimulateError::Cancelled),
            Err(SimulateError::Invalid { .. }) => {}
        }
    }
    let tokens: f64 = case.training.phases.iter().map(|p| p.tokens.as_f64()).sum();
    let steps = tokens / plan.step.tokens.as_f64().max(1.0);
    let seconds = steps * plan.step.time.seconds();
    Ok(Run {
        days: seconds / 86_400.0,
        gpu_hours: seconds / 3600.0 * f64::from(case.cluster.ranks()),
        cost: None,
        energy_mwh: None,
        others: Others::Estimated,
    })
}
