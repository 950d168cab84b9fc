//! Verdicts on claims, and expectations that hold or fail.
//!
//! In: a [`Claim`] or an [`Expect`], the setting and the outcome. Out: a verdict with
//! its reasons. Never rounds before it compares.

#[cfg(test)]
use super::bound::bound;
use super::bound::bound_of;
use super::quantity::{Better, Quantity};
use crate::answer::Setting;
use crate::answer::format;
use schemars::JsonSchema;
use serde::Serialize;
use strait_training::outcome::Outcome;

/// Half-width of the interval around a prediction, as a fraction of it.
///
/// A documented allowance rather than a fitted one: about one and a half times the 10 % that
/// kernels, links and unknown settings leave open for a published training set-up. Half of it
/// is the range in which a statement counts as expected.
pub const UNCERTAINTY: f64 = 0.15;

/// A statement of more than this times what the simulated run needs is beyond need.
pub const BEYOND_NEED: f64 = 2.0;

/// Half-width for a quantity. A window of the step leans on how the layers are cut into stages
/// and on what is counted as which window, which mostly cancel in the whole: twice as wide.
fn uncertainty(quantity: Quantity) -> f64 {
    match quantity {
        Quantity::Part(_) => 2.0 * UNCERTAINTY,
        _ => UNCERTAINTY,
    }
}

/// What the simulation makes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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
    /// Who says so; may be empty.
    pub who: String,
    /// When; may be empty.
    pub date: String,
    /// Where; may be empty.
    pub source: String,
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

/// Judges a claim by the rules of [the module](super).
pub fn judge(claim: &Claim, setting: &Setting, outcome: &Outcome) -> Judgement {
    let simulated = (claim.quantity)
        .simulated_of(claim.phase.as_deref(), setting, outcome)
        .filter(|s| *s > 0.0);
    let mut judgement = Judgement {
        claim: claim.clone(),
        simulated,
        low: simulated.map(|s| s * (1.0 - uncertainty(claim.quantity))),
        high: simulated.map(|s| s * (1.0 + uncertainty(claim.quantity))),
        ratio: simulated.map(|s| s / claim.stated),
        bound: bound_of(claim.quantity, claim.phase.as_deref(), setting, outcome),
        verdict: Verdict::Undecidable,
        reasons: Vec::new(),
    };
    let Some(simulated) = simulated else {
        judgement.reasons.push(format!(
            "the simulation of this case has no value for {}",
            claim.quantity.name()
        ));
        return judgement;
    };
    if !(claim.stated.is_finite() && claim.stated > 0.0) {
        judgement
            .reasons
            .push("the stated value is not a positive number".to_owned());
        judgement.ratio = None;
        return judgement;
    }
    let (verdict, reason) = weigh(claim, simulated, judgement.bound, setting);
    judgement.verdict = verdict;
    judgement.reasons.push(reason);
    if !outcome.step.memory.fits() {
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
    simulated: f64,
    bound: Option<f64>,
    setting: &Setting,
) -> (Verdict, String) {
    let quantity = claim.quantity;
    let unit = quantity.unit();
    let print = |value: f64| unit.print(value);
    // Above one: the claim asks for more than simulated (more time, or less speed).
    let dearer = match quantity.better() {
        Better::Lower => claim.stated / simulated,
        Better::Higher => simulated / claim.stated,
    };
    let beyond = bound.is_some_and(|bound| match quantity.better() {
        Better::Lower => claim.stated < bound,
        Better::Higher => claim.stated > bound,
    });
    if let (true, Some(bound)) = (beyond, bound) {
        let price = if matches!(quantity, Quantity::Cost | Quantity::PretrainingCost) {
            format!(
                " rented at {} per GPU-hour",
                format::dollars(setting.rent.get())
            )
        } else {
            String::new()
        };
        let reason = format!(
            "beyond the physical bound of {}: the model's FLOPs alone, at 100 % of the {} TFLOPS \
             peak of {}{price}",
            print(bound),
            format::significant(setting.peak.get() / 1e12),
            setting.accelerator,
        );
        return (Verdict::Impossible, reason);
    }
    let band = uncertainty(quantity);
    let off = (claim.stated / simulated - 1.0).abs();
    if off <= band / 2.0 {
        let reason = format!(
            "within {} of the simulated {}",
            format::percent(off),
            print(simulated)
        );
        return (Verdict::Expected, reason);
    }
    let range = format!(
        "{} to {}",
        print(simulated * (1.0 - band)),
        print(simulated * (1.0 + band))
    );
    if off <= band {
        let reason = format!("inside the uncertainty of the prediction, {range}");
        return (Verdict::Plausible, reason);
    }
    let reason = if let Quantity::Part(_) = quantity {
        // A window of the step is neither cheap nor dear: time moves between windows.
        let (times, how) = if dearer < 1.0 {
            (1.0 / dearer, "shorter than")
        } else {
            (dearer, "as long as")
        };
        let times = format::significant(times);
        format!("{times} times {how} simulated, outside {range}")
    } else if dearer < 1.0 {
        let mut reason = format!(
            "{} times better than simulated, outside {range}",
            format::significant(1.0 / dearer)
        );
        if let Some(bound) = bound {
            let needed = match quantity.better() {
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
    } else {
        format!(
            "{} times what this run needs, outside {range}; failures, restarts, idle time or work \
             outside the simulated run would have to explain the rest",
            format::significant(dearer)
        )
    };
    // Nobody is kept from spending more than a run needs, up to a point.
    if (1.0..BEYOND_NEED).contains(&dearer) {
        return (Verdict::Plausible, reason);
    }
    (Verdict::Implausible, reason)
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
            who: String::new(),
            date: String::new(),
            source: String::new(),
        };
        judge(&claim, &setting, &outcome)
    }

    #[test]
    fn distance_decides() {
        let cases = [
            (0.1, Verdict::Impossible),
            (0.8, Verdict::Implausible),
            (0.87, Verdict::Plausible),
            (0.95, Verdict::Expected),
            (1.0, Verdict::Expected),
            (1.12, Verdict::Plausible),
            (1.9, Verdict::Plausible),
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
            who: String::new(),
            date: String::new(),
            source: String::new(),
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
