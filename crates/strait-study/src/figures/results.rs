//! Figures from answers: of this run, or as `run --json` and `compare --json` print them.
//!
//! In: an answer, or the text of one. Out: what the figures of distributions, swings, metrics and prices draw.
//! Reads only what figures need, of this version's answers. Never simulates.

use super::dumbbell::{self, Metric};
use super::iso_cost::{self, Point};
use super::look::Measure;
use super::marks::{Mark, UNFIT_SHORT};
use super::plot::Quantity;
use super::{cost_cdf, tornado};
use crate::answer::format::count;
use crate::answer::{Answer, RunDocument};
use crate::chance::PREDICTION;
use crate::verdict::Quantity as Known;
use serde::Deserialize;

/// The only version whose answers are drawn from.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An answer that can't be drawn from.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

/// Answers, as far as figures need them.
#[derive(Clone, Debug, Deserialize)]
pub struct Results {
    strait: String,
    seed: u64,
    digest: String,
    cases: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize)]
struct Case {
    name: String,
    model: String,
    accelerator: String,
    accelerators: u32,
    step: Step,
    memory: Memory,
    run: Run,
    cost_usd: Cost,
    #[serde(default)]
    claims: Vec<Claim>,
    #[serde(default)]
    uncertainty: Option<Uncertainty>,
}

#[derive(Clone, Debug, Deserialize)]
struct Step {
    time_s: Option<f64>,
    tokens_per_s_per_gpu: Option<f64>,
    mfu: Conventions,
}

#[derive(Clone, Debug, Deserialize)]
struct Conventions {
    causal: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Memory {
    peak_gb: Option<f64>,
    fits: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct Run {
    days: Option<f64>,
    gpu_hours: Option<f64>,
    energy_mwh: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cost {
    total: Option<f64>,
    rent: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Claim {
    quantity: String,
    phase: Option<String>,
    stated: f64,
    who: String,
    date: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Uncertainty {
    draws: u32,
    quantities: Vec<Distribution>,
    claims: Vec<Chance>,
}

#[derive(Clone, Debug, Deserialize)]
struct Distribution {
    quantity: String,
    phase: Option<String>,
    unit: String,
    point: Option<f64>,
    cdf: Vec<Share>,
    movers: Vec<Mover>,
}

#[derive(Clone, Debug, Deserialize)]
struct Share {
    share: f64,
    value: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Mover {
    name: String,
    low_text: String,
    high_text: String,
    at_low: Option<f64>,
    at_high: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Chance {
    quantity: String,
    phase: Option<String>,
    stated: f64,
    reached: f64,
}

impl Results {
    /// Reads what `run --json` or `compare --json` have printed.
    ///
    /// # Errors
    /// A text that is no such answer, with the place and a remedy.
    pub fn read(name: &str, text: &str) -> Result<Results, ReadError> {
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let has = |key: &str| value.get(key).is_some();
        if let Some(other) = Some(())
            .filter(|()| !has("digest") || !has("cases"))
            .and_then(|()| {
                let search = has("space") && has("sizes");
                let sensitivity = has("method") && has("metrics");
                (search.then_some("search")).or(sensitivity.then_some("sensitivity"))
            })
        {
            return Err(ReadError(format!(
                "{name} is the answer of `strait {other}`; this figure is drawn from those of `run` and `compare`\n  \
                 help: give what `strait run --draws 2000 --json` has printed, or the scenario itself; `strait \
                 report` takes the answer of `{other}`"
            )));
        }
        let version = value.get("strait").and_then(serde_json::Value::as_str);
        if let Some(version) = version.filter(|version| has("cases") && *version != VERSION) {
            return Err(ReadError(format!(
                "{name} is an answer of strait {version}, and this is strait {VERSION}\n  help: run it again with \
                 this version"
            )));
        }
        serde_json::from_str(text).map_err(|error| {
            ReadError(format!(
                "{name} is no answer of Strait: {error}\n  help: give what `strait run --json` or `strait compare --json` \
                 has printed, or the scenario itself"
            ))
        })
    }

    /// Of an answer of this run.
    ///
    /// # Errors
    /// Never, unless a key that figures need is no longer part of an answer.
    pub fn of(answer: &Answer) -> Result<Results, ReadError> {
        let document = serde_json::to_value(RunDocument::from(answer));
        document
            .and_then(serde_json::from_value)
            .map_err(|error| ReadError(format!("an answer can't be read back: {error}")))
    }

    /// Joins answers of several files; cases of one name are told apart by a number.
    pub fn join(all: Vec<Results>) -> Option<Results> {
        let mut all = all.into_iter();
        let mut first = all.next()?;
        for other in all {
            first.cases.extend(other.cases);
            if first.digest != other.digest {
                first.digest = format!("{} and others", first.digest.get(..12).unwrap_or_default());
            }
        }
        for index in 1..first.cases.len() {
            let name = first.cases[index].name.clone();
            let taken = |name: &str| first.cases[..index].iter().any(|c| c.name == name);
            let free = (2..).map(|n| format!("{name} ({n})")).find(|n| !taken(n));
            if let (true, Some(free)) = (taken(&name), free) {
                first.cases[index].name = free;
            }
        }
        Some(first)
    }

    /// The line below a figure.
    pub fn source(&self, reproduce: &str) -> String {
        let digest = match self.digest.split_once(' ') {
            Some(_) => self.digest.as_str(),
            None => self.digest.get(..12).unwrap_or(&self.digest),
        };
        format!(
            "Source: simulation by Strait {}, seed {}, digest {digest}. Reproduce: {reproduce}",
            self.strait, self.seed
        )
    }

    /// The distribution of a quantity by case; `None` where no case has draws.
    pub fn distributions(&self, quantity: Known) -> Option<cost_cdf::Input> {
        let mut claims: Vec<Mark> = Vec::new();
        let mut series = Vec::new();
        let with: Vec<(&Case, &Uncertainty, &Distribution)> = (self.cases.iter())
            .filter_map(|case| {
                let study = case.uncertainty.as_ref()?;
                let found = study.quantities.iter().find(|d| d.is(quantity))?;
                Some((case, study, found))
            })
            .collect();
        let (first, _, distribution) = with.first()?;
        for (case, study, _) in &with {
            for chance in study.claims.iter().filter(|c| c.is(quantity)) {
                let name = case.claimed(chance, &distribution.unit);
                if !claims.iter().any(|mark| mark.value == chance.stated) {
                    claims.push(Mark {
                        value: chance.stated,
                        name,
                    });
                }
            }
        }
        for (case, study, distribution) in &with {
            let reached = (claims.iter())
                .map(|mark| {
                    (study.claims.iter())
                        .find(|c| c.is(quantity) && c.stated == mark.value)
                        .map(|c| c.reached)
                })
                .collect();
            series.push(cost_cdf::Series {
                name: case.name.clone(),
                draws: study.draws,
                points: distribution
                    .cdf
                    .iter()
                    .map(|s| (s.share, s.value))
                    .collect(),
                reached,
            });
        }
        Some(cost_cdf::Input {
            subject: self.subject(first, with.len() > 1),
            quantity: said(quantity),
            unit: distribution.unit.clone(),
            better: quantity.better(),
            series,
            claims,
        })
    }

    /// What moves a quantity of the first case that has draws.
    pub fn swings(&self, quantity: Known) -> Option<tornado::Input> {
        let (case, study, distribution) = self.cases.iter().find_map(|case| {
            let study = case.uncertainty.as_ref()?;
            let found = study.quantities.iter().find(|d| d.is(quantity))?;
            Some((case, study, found))
        })?;
        Some(tornado::Input {
            subject: self.subject(case, false),
            quantity: said(quantity),
            unit: distribution.unit.clone(),
            base: distribution.point?,
            ends: "the 5 % and the 95 % quantile of each assumption".to_owned(),
            claims: (study.claims.iter().filter(|c| c.is(quantity)))
                .map(|chance| Mark {
                    value: chance.stated,
                    name: case.claimed(chance, &distribution.unit),
                })
                .collect(),
            bars: (distribution.movers.iter())
                .filter_map(|mover| {
                    Some(tornado::Bar {
                        name: match mover.name.as_str() {
                            PREDICTION => "error of the prediction".to_owned(),
                            name => name.to_owned(),
                        },
                        low_input: mover.low_text.clone(),
                        high_input: mover.high_text.clone(),
                        low: mover.at_low?,
                        high: mover.at_high?,
                    })
                })
                .collect(),
        })
    }

    /// Metrics of all cases.
    pub fn metrics(&self) -> Option<dumbbell::Input> {
        let first = self.cases.first().filter(|_| self.cases.len() > 1)?;
        let metric = |quantity: Known, of: &dyn Fn(&Case) -> Option<f64>| Metric {
            name: quantity.name().to_owned(),
            unit: quantity.unit().symbol().to_owned(),
            better: (quantity != Known::PeakMemory).then(|| quantity.better()),
            values: (self.cases.iter())
                .map(|c| of(c).unwrap_or(f64::NAN))
                .collect(),
        };
        Some(dumbbell::Input {
            subject: first.model.clone(),
            cases: (self.cases.iter())
                .map(|c| match c.memory.fits {
                    Some(false) => c.name.clone() + UNFIT_SHORT,
                    _ => c.name.clone(),
                })
                .collect(),
            metrics: vec![
                metric(Known::StepTime, &|c| c.step.time_s),
                metric(Known::TokensPerSecondPerGpu, &|c| {
                    c.step.tokens_per_s_per_gpu
                }),
                metric(Known::MfuCausal, &|c| c.step.mfu.causal),
                metric(Known::GpuHours, &|c| c.run.gpu_hours),
                metric(Known::Cost, &|c| c.cost_usd.total),
                metric(Known::Energy, &|c| c.run.energy_mwh),
                metric(Known::PeakMemory, &|c| c.memory.peak_gb),
            ],
        })
    }

    /// The rent of the first case's run over its price and its utilisation. All steps are taken to be as much
    /// faster or slower as the utilisation differs, and nothing else to change.
    pub fn rents(&self) -> Option<iso_cost::Input> {
        let case = self.cases.first()?;
        let (rent, hours, mfu) = (
            case.cost_usd.rent?,
            case.run.gpu_hours?,
            case.step.mfu.causal?,
        );
        let usable = |v: f64| v.is_finite() && v > 0.0;
        let price = rent / hours;
        if !(usable(rent) && usable(hours) && usable(mfu) && usable(price) && case.run.days? > 0.0)
        {
            return None;
        }
        let claim = |quantity: Known| {
            (case.claims.iter())
                .find(|c| c.quantity == quantity.id() && c.phase.is_none() && usable(c.stated))
        };
        let cost = claim(Known::Cost);
        let mut points = vec![Point {
            at: (price, mfu),
            name: "as simulated".to_owned(),
            published: false,
        }];
        if let (Some(cost), Some(stated)) = (cost, claim(Known::GpuHours)) {
            points.push(Point {
                at: (cost.stated / stated.stated, mfu * hours / stated.stated),
                name: "as published".to_owned(),
                published: true,
            });
        }
        const STEPS: usize = 60;
        let ends = |of: &dyn Fn(&Point) -> f64, below: f64, above: f64| {
            let low = points.iter().map(of).fold(f64::INFINITY, f64::min) * below;
            let high = points.iter().map(of).fold(0.0, f64::max) * above;
            (0..=STEPS)
                .map(|n| low + (high - low) * n as f64 / STEPS as f64)
                .collect::<Vec<f64>>()
        };
        let xs = ends(&|p| p.at.0, 0.4, 2.2);
        let ys = ends(&|p| p.at.1, 0.5, 1.6);
        Some(iso_cost::Input {
            subject: self.subject(case, false),
            x: Quantity {
                name: "rent of an accelerator".to_owned(),
                unit: "USD/h".to_owned(),
            },
            y: Quantity {
                name: "utilisation (MFU, causal)".to_owned(),
                unit: "1".to_owned(),
            },
            z: Quantity {
                name: "cost of the run".to_owned(),
                unit: "USD".to_owned(),
            },
            values: (ys.iter())
                .map(|y| xs.iter().map(|x| x * hours * mfu / y).collect())
                .collect(),
            xs,
            ys,
            claim: cost.map(|claim| Mark {
                value: claim.stated,
                name: format!(
                    "{} ({})",
                    Measure::new("USD", claim.stated).value(claim.stated),
                    claim.by()
                ),
            }),
            points,
            how: "all phases are taken to be faster or slower alike".to_owned(),
        })
    }

    /// Who trains what on what; without the hardware where several cases differ in it.
    fn subject(&self, case: &Case, several: bool) -> String {
        let hardware = |c: &Case| (c.accelerator.clone(), c.accelerators);
        if several && self.cases.iter().any(|c| hardware(c) != hardware(case)) {
            return case.model.clone();
        }
        format!(
            "{} on {} {}",
            case.model,
            count(u64::from(case.accelerators)),
            case.accelerator
        )
    }
}

impl Case {
    /// A claim with who says so and when.
    fn claimed(&self, chance: &Chance, unit: &str) -> String {
        let value = Measure::new(unit, chance.stated).value(chance.stated);
        let claim = (self.claims.iter()).find(|c| {
            c.quantity == chance.quantity && c.phase == chance.phase && c.stated == chance.stated
        });
        match claim.map(Claim::by) {
            Some(by) if !by.is_empty() => format!("{by}: {value}"),
            _ => format!("stated: {value}"),
        }
    }
}

impl Claim {
    fn by(&self) -> String {
        let parts = [self.who.as_str(), self.date.as_str()];
        (parts.into_iter().filter(|p| !p.is_empty()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Distribution {
    fn is(&self, quantity: Known) -> bool {
        self.quantity == quantity.id() && self.phase.is_none()
    }
}

impl Chance {
    fn is(&self, quantity: Known) -> bool {
        self.quantity == quantity.id() && self.phase.is_none() && self.stated.is_finite()
    }
}

/// A quantity within a sentence.
fn said(quantity: Known) -> String {
    match quantity {
        Known::Cost => "cost of the run".to_owned(),
        Known::Days => "length of the run".to_owned(),
        Known::Energy => "energy of the run".to_owned(),
        Known::GpuHours => "number of GPU-hours".to_owned(),
        other => other.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;
    use crate::figures::inspect::{said as words, sound};

    #[test]
    fn an_answer_is_read_from_its_own_json() {
        let mut answer = sample::answer();
        answer.cases.push(sample::case_answer(sample::faster()));
        let text = serde_json::to_string(&RunDocument::from(&answer)).unwrap();
        let results = Results::read("x.json", &text).unwrap();
        let input = results.metrics().unwrap();
        assert_eq!(input.metrics.len(), 7);
        sound("results-dumbbell", &|| {
            dumbbell::draw(&input, &results.source("strait plot"))
        });
        assert_eq!(input.metrics[0].values[0], 19.926);
        assert!(results.distributions(Known::Cost).is_none(), "no draws");
        let rents = results.rents().unwrap();
        let svg = iso_cost::draw(&rents, "").unwrap().unwrap().0;
        assert!(words(&svg).contains("as simulated"), "{}", words(&svg));
        sound("results-iso-cost", &|| iso_cost::draw(&rents, ""));
    }

    #[test]
    fn what_is_no_answer_is_told_with_its_place() {
        for (text, place) in [
            ("", "line 1 column 0"),
            ("{\"strait\": 1}", "line 1"),
            ("[1, 2]", "line 1"),
            (
                "{\"strait\": \"1\", \"seed\": 1, \"digest\": \"\"}",
                "cases",
            ),
        ] {
            let error = Results::read("x.json", text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains("help:"), "{error}");
        }
    }

    #[test]
    fn answers_of_other_versions_and_commands_are_told() {
        let text = serde_json::to_string(&RunDocument::from(&sample::answer())).unwrap();
        let newer = text.replacen(
            &format!("\"strait\":\"{VERSION}\""),
            "\"strait\":\"9.9.9\"",
            1,
        );
        let error = Results::read("x.json", &newer).unwrap_err().to_string();
        assert!(
            error.contains("9.9.9") && error.contains(VERSION),
            "{error}"
        );
        let search = "{\"strait\": \"9.9.9\", \"digest\": \"\", \"space\": {}, \"sizes\": []}";
        let error = Results::read("x.json", search).unwrap_err().to_string();
        assert!(error.contains("`strait search`"), "{error}");
    }

    #[test]
    fn joined_answers_keep_their_cases_apart() {
        let one = Results::of(&sample::answer()).unwrap();
        let joined = Results::join(vec![one.clone(), one.clone(), one]).unwrap();
        let names: Vec<&str> = joined.cases.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), 3);
        assert_eq!(names[1], format!("{} (2)", names[0]));
        assert_ne!(names[1], names[2]);
        assert!(Results::join(Vec::new()).is_none());
    }
}
