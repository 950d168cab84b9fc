//! Verdicts on claims, and expectations that hold or fail.
//!
//! In: a [`Claim`] or an [`Expect`], the setting and the outcome. Out: a verdict with
//! its reasons. Never rounds before it compares.

use super::band::{Band, band};
#[cfg(test)]
use super::bound::bound;
use super::bound::bound_of;
use super::quantity::{Better, Quantity, UnknownQuantity, hourly};
use crate::answer::Setting;
use crate::answer::format;
use crate::scenario::Relation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strait_training::outcome::Outcome;
use strait_training::price::Basis;

/// A statement of more than this times what the simulated run needs, and outside of the band, is
/// beyond need: nobody is kept from spending more than a run needs, but a figure half as large
/// again is not of this run.
pub const BEYOND_NEED: f64 = 1.5;

/// What the simulation makes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Beyond the physical bound.
    Impossible,
    /// Outside the uncertainty of the prediction.
    Implausible,
    /// Inside it.
    Plausible,
    /// In its inner half.
    Expected,
    /// The simulation says nothing about the quantity.
    Undecidable,
}

impl Verdict {
    /// The verdict as one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Impossible => "impossible",
            Verdict::Implausible => "implausible",
            Verdict::Plausible => "plausible",
            Verdict::Expected => "expected",
            Verdict::Undecidable => "undecidable",
        }
    }
}

/// A statement by somebody about a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What is stated.
    pub quantity: Quantity,
    /// Of which phase, or of phases whose names begin so; `None`: of none in particular.
    pub phase: Option<String>,
    /// Its value, in the unit of the quantity.
    pub stated: f64,
    /// How the value is meant.
    pub relation: Relation,
    /// Who says so; may be empty.
    pub who: String,
    /// When; may be empty.
    pub date: String,
    /// Where; may be empty.
    pub source: String,
    /// What to know about it; may be empty.
    pub note: String,
}

impl Claim {
    /// Of a scenario's claim, in the unit of its quantity.
    ///
    /// # Errors
    /// That no quantity has its name.
    pub fn of(claim: &crate::scenario::Claim) -> Result<Claim, UnknownQuantity> {
        let quantity: Quantity = claim.quantity.name().parse()?;
        Ok(Claim {
            quantity,
            phase: claim.phase.clone(),
            stated: quantity.unit().from_base(claim.stated),
            relation: claim.relation,
            who: claim.who.clone(),
            date: claim.date.clone(),
            source: claim.source.clone(),
            note: claim.note.clone(),
        })
    }
}

/// A check that the user asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// What is expected.
    pub quantity: Quantity,
    /// Of which phase, or of phases whose names begin so; `None`: of none in particular.
    pub phase: Option<String>,
    /// Its value, in the unit of the quantity.
    pub stated: f64,
    /// Largest accepted difference, as a fraction of the stated value.
    pub within: f64,
    /// Where the value comes from; may be empty.
    pub source: String,
}

/// A claim with what the simulation makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The claim.
    pub claim: Claim,
    /// Simulated value.
    pub simulated: Option<f64>,
    /// Low end of the prediction.
    pub low: Option<f64>,
    /// High end of the prediction.
    pub high: Option<f64>,
    /// Simulated over stated.
    pub ratio: Option<f64>,
    /// Physical bound.
    pub bound: Option<f64>,
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// An expectation with its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The expectation.
    pub expect: Expect,
    /// Simulated value.
    pub simulated: Option<f64>,
    /// Simulated over stated, less one.
    pub error: Option<f64>,
    /// It holds.
    pub holds: bool,
}

/// Tests an expectation. One that cannot be evaluated fails.
pub fn check(expect: &Expect, setting: &Setting, outcome: &Outcome) -> Check {
    let simulated = expect
        .quantity
        .simulated_of(expect.phase.as_deref(), setting, outcome);
    let error = (simulated.map(|s| s / expect.stated - 1.0)).filter(|error| error.is_finite());
    Check {
        expect: expect.clone(),
        simulated,
        error,
        holds: error.is_some_and(|error| error.abs() <= expect.within),
    }
}

/// Judges a claim by the rules of [the module](super), with the band of the prediction alone.
pub fn judge(claim: &Claim, setting: &Setting, outcome: &Outcome) -> Judgement {
    let simulated = (claim.quantity)
        .simulated_of(claim.phase.as_deref(), setting, outcome)
        .filter(|s| *s > 0.0);
    let band = simulated.map(|value| band(claim.quantity, value, setting, outcome));
    judge_within(claim, band, setting, outcome)
}

/// Judges a claim with a band of its quantity from elsewhere, such as a distribution of draws;
/// `None` where there is no value.
pub fn judge_within(
    claim: &Claim,
    band: Option<Band>,
    setting: &Setting,
    outcome: &Outcome,
) -> Judgement {
    let simulated = band.map(|band| band.middle);
    let mut judgement = Judgement {
        claim: claim.clone(),
        simulated,
        low: band.map(|band| band.low),
        high: band.map(|band| band.high),
        ratio: simulated.map(|s| s / claim.stated),
        bound: bound_of(claim.quantity, claim.phase.as_deref(), setting, outcome),
        verdict: Verdict::Undecidable,
        reasons: Vec::new(),
    };
    let Some(band) = band else {
        judgement.reasons.push(match claim.quantity {
            Quantity::FleetSize => {
                "what somebody owns does not follow from what a run takes".to_owned()
            }
            _ => format!(
                "the simulation of this case has no value for {}",
                claim.quantity.name()
            ),
        });
        return judgement;
    };
    if !(claim.stated.is_finite() && claim.stated > 0.0) {
        judgement
            .reasons
            .push("the stated value is not a positive number".to_owned());
        judgement.ratio = None;
        return judgement;
    }
    let (verdict, reason) = weigh(claim, band, judgement.bound, (setting, outcome));
    judgement.verdict = verdict;
    judgement.reasons.push(reason);
    if !outcome.step.memory.fits() && !claim.quantity.of_fleet() {
        judgement.reasons.push(
            "the simulated layout does not fit in memory, so this run could not have started as \
             described"
                .to_owned(),
        );
    }
    judgement
}

/// The verdict on a claim that can be compared, and its main reason.
fn weigh(
    claim: &Claim,
    band: Band,
    bound: Option<f64>,
    (setting, outcome): (&Setting, &Outcome),
) -> (Verdict, String) {
    let quantity = claim.quantity;
    let print = |value: f64| quantity.unit().print(value);
    // As a need: more time or money, or less speed, is more.
    let inverse = quantity.better() == Better::Higher;
    let need = |value: f64| if inverse { 1.0 / value } else { value };
    let (stated, needed) = (
        need(claim.stated),
        if inverse { band.inverted() } else { band },
    );
    let relation = match (claim.relation, inverse) {
        (Relation::AtLeast, true) => Relation::AtMost,
        (Relation::AtMost, true) => Relation::AtLeast,
        (relation, _) => relation,
    };
    let range = format!("{} to {}", print(band.low), print(band.high));
    if let Some(bound) = bound
        && stated < need(bound)
        && relation != Relation::AtLeast
    {
        return (
            Verdict::Impossible,
            beyond(quantity, bound, setting, outcome),
        );
    }
    let dearer = stated / needed.middle;
    let inside = format!("inside the uncertainty of the prediction, {range}");
    let within = format!(
        "within {} of the simulated {}",
        format::percent((claim.stated / band.middle - 1.0).abs()),
        print(band.middle)
    );
    match relation {
        Relation::AtLeast if stated <= needed.inner_low => (
            Verdict::Expected,
            format!("the simulated {} is beyond it, {range}", print(band.middle)),
        ),
        Relation::AtMost if stated >= needed.inner_high => (
            Verdict::Expected,
            format!("the simulated {} is within it, {range}", print(band.middle)),
        ),
        Relation::AtLeast if stated <= needed.high => (Verdict::Plausible, inside),
        Relation::AtMost if stated >= needed.low => (Verdict::Plausible, inside),
        Relation::AtLeast => (
            Verdict::Implausible,
            format!(
                "the simulated {} falls short of it, {range}",
                print(band.middle)
            ),
        ),
        Relation::About if stated >= needed.inner_low && stated <= needed.inner_high => {
            (Verdict::Expected, within)
        }
        Relation::About if stated >= needed.low && stated <= needed.high => {
            (Verdict::Plausible, inside)
        }
        Relation::About | Relation::AtMost => {
            // A window of the step is neither cheap nor dear: time moves between windows.
            if let Quantity::Part(_) = quantity {
                let (times, how) = if dearer < 1.0 {
                    (1.0 / dearer, "shorter than")
                } else {
                    (dearer, "as long as")
                };
                let times = format::significant(times);
                let reason = format!("{times} times {how} simulated, outside {range}");
                return (Verdict::Implausible, reason);
            }
            if dearer < 1.0 {
                return (
                    Verdict::Implausible,
                    too_cheap(claim, dearer, bound, &range, setting),
                );
            }
            let reason = match quantity {
                Quantity::FleetPrice => format!(
                    "{} times what these machines cost at known prices, outside {range}; network, \
                     buildings or dearer purchases would have to explain the rest",
                    format::significant(dearer)
                ),
                Quantity::PeakMemory => format!(
                    "{} times what this layout needs, outside {range}",
                    format::significant(dearer)
                ),
                Quantity::FleetShare => format!(
                    "{} times the share that this run needs, outside {range}",
                    format::significant(dearer)
                ),
                _ => format!(
                    "{} times what this run needs, outside {range}; failures, restarts, idle time \
                     or work outside the simulated run would have to explain the rest",
                    format::significant(dearer)
                ),
            };
            if dearer < BEYOND_NEED {
                return (Verdict::Plausible, reason);
            }
            (Verdict::Implausible, format!("beyond need: {reason}"))
        }
    }
}

/// Why a claim is impossible.
fn beyond(quantity: Quantity, bound: f64, setting: &Setting, outcome: &Outcome) -> String {
    if quantity == Quantity::Goodput {
        return "more than all of the time".to_owned();
    }
    let money = matches!(
        quantity,
        Quantity::Cost | Quantity::PretrainingCost | Quantity::TotalCost
    );
    let price = match (money, outcome.cost.basis) {
        (false, _) => String::new(),
        (true, basis) => format!(
            " {} at {} per GPU-hour",
            match basis {
                Basis::Rent => "rented",
                Basis::Own => "owned",
            },
            format::dollars(hourly(setting, outcome).get())
        ),
    };
    format!(
        "beyond the physical bound of {}: the model's FLOPs alone, at 100 % of the {} TFLOPS \
         peak of {}{price}",
        quantity.unit().print(bound),
        format::significant(setting.peak.get() / 1e12),
        setting.accelerator,
    )
}

/// Why a claim is too good.
fn too_cheap(
    claim: &Claim,
    dearer: f64,
    bound: Option<f64>,
    range: &str,
    setting: &Setting,
) -> String {
    let mut reason = format!(
        "{} times better than simulated, outside {range}",
        format::significant(1.0 / dearer)
    );
    // What a run took in all is bounded by more than its FLOPs.
    if let Some(bound) = bound.filter(|_| claim.quantity != Quantity::TotalCost) {
        let needed = match claim.quantity.better() {
            Better::Lower => bound / claim.stated,
            Better::Higher => claim.stated / bound,
        };
        reason += &format!(
            "; it would take {} of the {} TFLOPS peak",
            format::percent(needed),
            format::significant(setting.peak.get() / 1e12)
        );
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;

    fn verdict_at(quantity: Quantity, factor: f64) -> Judgement {
        let (setting, outcome) = sample::dualpipe();
        let simulated = quantity.simulated(&setting, &outcome).unwrap();
        let claim = Claim {
            quantity,
            phase: None,
            stated: simulated * factor,
            relation: Relation::About,
            who: String::new(),
            date: String::new(),
            source: String::new(),
            note: String::new(),
        };
        judge(&claim, &setting, &outcome)
    }

    #[test]
    fn distance_decides() {
        let cases = [
            (0.1, Verdict::Impossible),
            (0.7, Verdict::Implausible),
            (0.8, Verdict::Plausible),
            (0.95, Verdict::Expected),
            (1.0, Verdict::Expected),
            (1.25, Verdict::Plausible),
            (1.45, Verdict::Plausible),
            (1.6, Verdict::Implausible),
            (2.0, Verdict::Implausible),
        ];
        for (factor, expected) in cases {
            for quantity in [Quantity::StepTime, Quantity::GpuHours, Quantity::Cost] {
                let judgement = verdict_at(quantity, factor);
                assert_eq!(judgement.verdict, expected, "{quantity:?} × {factor}");
                assert!(!judgement.reasons.is_empty());
            }
        }
    }

    #[test]
    fn a_limit_is_judged_from_its_side() {
        let (setting, outcome) = sample::dualpipe();
        let verdict = |quantity: Quantity, relation, factor: f64| {
            let simulated = quantity.simulated(&setting, &outcome).unwrap();
            let claim = Claim {
                quantity,
                phase: None,
                stated: simulated * factor,
                relation,
                who: String::new(),
                date: String::new(),
                source: String::new(),
                note: String::new(),
            };
            judge(&claim, &setting, &outcome).verdict
        };
        for (relation, factor, expected) in [
            (Relation::AtLeast, 0.01, Verdict::Expected),
            (Relation::AtLeast, 1.0, Verdict::Plausible),
            (Relation::AtLeast, 1.5, Verdict::Implausible),
            (Relation::AtMost, 5.0, Verdict::Expected),
            (Relation::AtMost, 1.0, Verdict::Plausible),
            (Relation::AtMost, 0.7, Verdict::Implausible),
            (Relation::AtMost, 0.1, Verdict::Impossible),
        ] {
            assert_eq!(
                verdict(Quantity::GpuHours, relation, factor),
                expected,
                "{relation:?} {factor}"
            );
        }
        // At least so many tokens per second is a claim of little time.
        for (factor, expected) in [(10.0, Verdict::Impossible), (0.5, Verdict::Expected)] {
            assert_eq!(
                verdict(Quantity::TokensPerSecondPerGpu, Relation::AtLeast, factor),
                expected
            );
        }
    }

    #[test]
    fn rates_are_judged_the_other_way_round() {
        assert_eq!(
            verdict_at(Quantity::TflopsCausal, 10.0).verdict,
            Verdict::Impossible
        );
        let cheap = verdict_at(Quantity::TokensPerSecondPerGpu, 1.5);
        assert_eq!(cheap.verdict, Verdict::Implausible);
        assert!(
            cheap.reasons[0].contains("better than simulated"),
            "{cheap:?}"
        );
        let dear = verdict_at(Quantity::MfuCausal, 0.49);
        assert_eq!(dear.verdict, Verdict::Implausible);
        assert!(dear.reasons[0].contains("what this run needs"), "{dear:?}");
    }

    #[test]
    fn the_bound_is_the_run_at_full_peak() {
        let (setting, outcome) = sample::dualpipe();
        let time = Quantity::StepTime.simulated(&setting, &outcome).unwrap();
        let least = bound(Quantity::StepTime, &setting, &outcome).unwrap();
        let share = outcome.step.rate_causal.get() / setting.peak.get();
        assert!((least / time - share).abs() < 1e-12);
        // Longer sequences have more attention work for each token.
        let main = bound(Quantity::MainPhaseGpuHours, &setting, &outcome).unwrap();
        let longer = bound(Quantity::ContextExtensionGpuHours, &setting, &outcome).unwrap();
        let tokens = setting.phases[1].tokens.as_f64() / setting.phases[0].tokens.as_f64();
        assert!(longer > main * tokens);
    }

    #[test]
    fn what_was_not_simulated_is_undecidable() {
        let (mut setting, outcome) = sample::dualpipe();
        setting.phases.truncate(1);
        let claim = Claim {
            quantity: Quantity::ContextExtensionGpuHours,
            phase: None,
            stated: 119e3,
            relation: Relation::About,
            who: String::new(),
            date: String::new(),
            source: String::new(),
            note: String::new(),
        };
        let judgement = judge(&claim, &setting, &outcome);
        assert_eq!(judgement.verdict, Verdict::Undecidable);
        assert_eq!(judgement.ratio, None);
    }

    #[test]
    fn expectations_hold_up_to_their_tolerance() {
        let (setting, outcome) = sample::dualpipe();
        let simulated = Quantity::StepTime.simulated(&setting, &outcome).unwrap();
        let at = |stated: f64, within: f64| {
            let expect = Expect {
                quantity: Quantity::StepTime,
                phase: None,
                stated,
                within,
                source: String::new(),
            };
            check(&expect, &setting, &outcome).holds
        };
        assert!(at(simulated, 0.0));
        assert!(at(simulated / 1.04, 0.05));
        assert!(!at(simulated / 1.06, 0.05));
        assert!(!at(0.0, 0.5));
    }

    #[test]
    fn ids_are_unique_and_parse_back() {
        let all = Quantity::all();
        for (index, quantity) in all.iter().enumerate() {
            assert_eq!(quantity.id().parse::<Quantity>().as_ref(), Ok(quantity));
            assert!(all[..index].iter().all(|other| other.id() != quantity.id()));
        }
        let unknown = "gpu_hour".parse::<Quantity>().unwrap_err();
        assert_eq!(unknown.nearest.first(), Some(&"gpu_hours"));
    }
}
