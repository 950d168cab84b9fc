//! Cases in a report: the answer in a sentence, the numbers, the claims.
//!
//! In: the documents of `run` and `compare`, from a file or from a simulation on the spot. Out: a part
//! of a page. Never judges anew: verdicts and ranges are those of the documents.

use super::markup::{Column, classed, escape, list, prose, table};
use super::{Part, ReportError, drawings, inputs, limits};
use crate::answer::compare::Difference;
use crate::answer::document::{CaseDocument, ClaimDocument};
use crate::answer::format::{count, fixed};
use crate::answer::{AboutDocument, Answer, Comparison, RunDocument};
use crate::chance::{DistributionDocument, PREDICTION, Study};
use crate::verdict::{Quantity, Unit, Verdict};
use crate::{chance, figures};
use serde_json::Value;

/// Differences that stand in the answer; all stand in their section.
const FINDINGS: usize = 3;

/// Answered cases.
pub struct Answered {
    pub(super) strait: String,
    scenario: String,
    seed: u64,
    pub(super) digest: String,
    pub(super) baseline: String,
    pub(super) differences: Vec<Difference>,
    pub(super) cases: Vec<CaseDocument>,
    about: Option<AboutDocument>,
    /// Figures that only the simulation itself can give: name and contents.
    pub(super) drawn: Vec<(String, String)>,
    pub(super) data: Value,
}

impl Answered {
    /// From the object of `run --json`.
    pub fn run(document: RunDocument) -> Answered {
        Answered {
            data: data(&document),
            strait: document.strait,
            scenario: document.scenario,
            seed: document.seed,
            digest: document.digest,
            baseline: String::new(),
            differences: Vec::new(),
            cases: document.cases,
            about: document.about,
            drawn: Vec::new(),
        }
    }

    /// From the object of `compare --json`.
    pub fn compared(document: Comparison) -> Answered {
        Answered {
            data: data(&document),
            strait: document.strait,
            scenario: document.scenario,
            seed: document.seed,
            digest: document.digest,
            baseline: document.baseline,
            differences: document.differences,
            cases: document.cases,
            about: document.about,
            drawn: Vec::new(),
        }
    }

    /// From a simulation: several cases are compared with the first.
    ///
    /// # Errors
    /// A figure that could not be drawn.
    pub fn simulated(answer: &Answer) -> Result<Answered, ReportError> {
        let compared = Comparison::new(answer).filter(|_| answer.cases.len() > 1);
        let mut answered = Answered::run(RunDocument::from(answer));
        answered.drawn = figures::draw(answer, &answered.digest)?;
        if let Some(comparison) = compared {
            answered.baseline = comparison.baseline;
            answered.differences = comparison.differences;
        }
        Ok(answered)
    }

    /// The command that gives the cases again.
    pub(super) fn command(&self) -> String {
        let verb = if self.differences.is_empty() {
            "run"
        } else {
            "compare"
        };
        match &self.about {
            Some(about) => about.command.clone(),
            None => format!("strait {verb} {}", self.scenario),
        }
    }

    /// The question is about money.
    pub(super) fn asks_for_money(&self) -> bool {
        let scenarios = self.about.iter().flat_map(|about| &about.scenarios);
        scenarios.into_iter().next().is_some_and(|scenario| {
            let question = scenario.question.to_lowercase();
            ["$", "cost", "usd", "dollar", "price"]
                .iter()
                .any(|word| question.contains(word))
        })
    }

    /// The claim that the question is about: the first, or where money is asked for the first of it.
    fn first_claim<'a>(&self, case: &'a CaseDocument) -> Option<&'a ClaimDocument> {
        let money = |claim: &&ClaimDocument| claim.unit == Unit::Dollars.symbol();
        let asked = case
            .claims
            .iter()
            .find(|c| self.asks_for_money() && money(c));
        asked.or(case.claims.first())
    }

    /// The quantity that the question is about: that of its claim where draws say something about
    /// it, else the cost.
    pub(super) fn headline(&self) -> Quantity {
        (self.cases.iter())
            .filter_map(|case| self.first_claim(case))
            .filter(|claim| claim.phase.is_none())
            .filter_map(|claim| claim.quantity.parse().ok())
            .find(|quantity| chance::drawn(*quantity))
            .unwrap_or(Quantity::Cost)
    }

    pub(super) fn part(&self, prefix: &str) -> Result<Part, ReportError> {
        let several = self.cases.len() > 1;
        let scenario = self
            .about
            .as_ref()
            .and_then(|about| about.scenarios.first());
        let inputs = |case: &CaseDocument| {
            (self.about.iter().flat_map(|about| &about.cases)).find(|i| i.case == case.name)
        };
        let mut part = Part {
            title: scenario.map_or_else(|| self.scenario.clone(), |s| s.title.clone()),
            question: scenario.map_or(String::new(), |s| s.question.clone()),
            data: self.data.clone(),
            ..Part::default()
        };
        part.answer = self.answer();
        let mut add = |id, heading: &str, content: String| {
            if !content.is_empty() {
                part.sections.push((id, heading.to_owned(), content));
            }
        };
        add("numbers", "The run in numbers", self.numbers());
        add("claims", "What is claimed", self.claims());
        add(
            "differences",
            "Where the differences come from",
            self.findings(),
        );
        add("figures", "Figures", drawings::of_answered(self, prefix)?);
        add("sureness", "What is not known exactly", self.assumptions());
        add(
            "inputs",
            "Assumptions and facts",
            inputs::content(self, self.about.as_ref()),
        );
        for case in &self.cases {
            part.limits
                .extend(limits::of_case(case, inputs(case), several));
            let whose = |warning: &String| {
                let warning = match case.uncertainty {
                    Some(_) => drawn_from(warning),
                    None => warning.clone(),
                };
                match several {
                    true => format!("{}: {warning}", case.name),
                    false => warning,
                }
            };
            part.warnings.extend(case.warnings.iter().map(whose));
            let drawn = case.uncertainty.iter().flat_map(|study| &study.warnings);
            part.warnings.extend(drawn.map(whose));
        }
        let files: Vec<String> = (self.about.iter())
            .flat_map(|about| &about.scenarios)
            .map(|s| format!("{}, digest {}", s.path, s.digest))
            .collect();
        let files = match files.is_empty() {
            true => String::new(),
            false => format!("<br>Inputs: {}", escape(&files.join("; "))),
        };
        part.reproduce.push(format!(
            "<h3>{}</h3>\n<pre>{}</pre>\n<p class=\"small\">Strait {}, seed {}, digest of the answer {}{files}</p>\n",
            if several { "These cases" } else { "This case" },
            escape(&self.command()),
            escape(&self.strait),
            self.seed,
            escape(&self.digest)
        ));
        Ok(part)
    }

    /// The answer: a sentence with its range, then what else the run is.
    fn answer(&self) -> Vec<String> {
        let mut paragraphs: Vec<String> = Vec::new();
        for difference in self.differences.iter().take(FINDINGS) {
            let told = prose(&difference.finding);
            paragraphs.push(match paragraphs.is_empty() {
                true => format!("<strong>{told}</strong>"),
                false => told,
            });
        }
        for case in &self.cases {
            let whose = match self.cases.len() {
                1 => String::new(),
                _ => format!("{}: ", case.name),
            };
            let told = prose(&(whose + &sentence(case, self.first_claim(case))));
            paragraphs.push(match paragraphs.is_empty() {
                true => format!("<strong>{told}</strong>"),
                false => told,
            });
        }
        if let [case] = self.cases.as_slice() {
            let asked = self.first_claim(case);
            if let Some(claim) = asked.filter(|claim| !claim.note.is_empty()) {
                let unit = claim.quantity.parse::<Quantity>().ok().map(Quantity::unit);
                let stated = unit.map_or(claim.stated.to_string(), |u| u.print(claim.stated));
                paragraphs.push(prose(&format!(
                    "The {stated}: {}.",
                    claim.note.trim_end_matches('.')
                )));
            }
            if !case.claims.is_empty() {
                paragraphs.push(prose(&run_in_words(case)));
            }
            let drawn = case.uncertainty.iter().flat_map(|study| &study.claims);
            if let Some(drawn) = drawn.into_iter().find(|claim| {
                asked.is_some_and(|c| c.quantity == claim.quantity && c.stated == claim.stated)
            }) {
                paragraphs.push(prose(&drawn.sentence));
            }
        }
        paragraphs
    }

    fn numbers(&self) -> String {
        // One case reads best beside its names; several line up.
        let column = match self.cases.len() {
            1 => Column::Text,
            _ => Column::Number,
        };
        let mut heads = vec![("", Column::Text)];
        heads.extend((self.cases.iter()).map(|case| (case.name.as_str(), column)));
        let mut rows = Vec::new();
        let mut add = |name: &str, of: &dyn Fn(&CaseDocument) -> String| {
            let mut row = vec![escape(name)];
            row.extend(self.cases.iter().map(of));
            rows.push(row);
        };
        add("model", &|c| escape(&c.model));
        add("accelerators", &|c| {
            escape(&format!(
                "{} {}",
                count(u64::from(c.accelerators)),
                c.accelerator
            ))
        });
        add("layout", &|c| {
            format!("<span class=\"wrap\">{}</span>", escape(&c.layout))
        });
        let ranged = |case: &CaseDocument, quantity: Quantity, value: f64| {
            let unit = quantity.unit();
            let mut cell = escape(&unit.print(value));
            if let Some(d) = drawn(case, quantity, None)
                && let Some((low, high)) = nine_in_ten(d)
            {
                cell += &format!(
                    "<br><span class=\"small\">{} to {}</span>",
                    escape(&unit.figure(low)),
                    escape(&unit.figure(high))
                );
            }
            cell
        };
        add("step", &|c| {
            let unit = Unit::Seconds;
            match drawn(c, Quantity::StepTime, None) {
                Some(_) => ranged(c, Quantity::StepTime, c.step.time_s),
                None => format!(
                    "{}<br><span class=\"small\">{} to {}, four in five</span>",
                    escape(&unit.print(c.step.time_s)),
                    escape(&unit.figure(c.step.interval_s.low)),
                    escape(&unit.figure(c.step.interval_s.high))
                ),
            }
        });
        add("MFU, causal", &|c| {
            ranged(c, Quantity::MfuCausal, c.step.mfu.causal)
        });
        add("days", &|c| ranged(c, Quantity::Days, c.run.days));
        add("GPU-hours", &|c| {
            ranged(c, Quantity::GpuHours, c.run.gpu_hours)
        });
        add("cost of the run", &|c| {
            ranged(c, Quantity::Cost, c.cost_usd.run)
        });
        if self
            .cases
            .iter()
            .any(|c| c.cost_usd.total != c.cost_usd.run)
        {
            add("with all stated lines", &|c| {
                ranged(c, Quantity::TotalCost, c.cost_usd.total)
            });
        }
        add("energy", &|c| ranged(c, Quantity::Energy, c.run.energy_mwh));
        add("peak memory", &|c| {
            format!(
                "{}<br><span class=\"small\">of {}{}</span>",
                escape(&Unit::Gigabytes.print(c.memory.peak_gb)),
                escape(&Unit::Gigabytes.print(c.memory.capacity_gb)),
                if c.memory.fits { "" } else { ": does not fit" }
            )
        });
        let drawn = self.cases.iter().any(|case| case.uncertainty.is_some());
        let note = match drawn {
            true => "<p class=\"small\">Small: nine in ten draws lie between.</p>\n",
            false => "",
        };
        classed("fit", &table("The run in numbers", &heads, &rows)) + note
    }

    fn claims(&self) -> String {
        let several = self.cases.len() > 1;
        let mut heads = vec![("quantity", Column::Text)];
        if several {
            heads.push(("case", Column::Text));
        }
        heads.extend([
            ("stated", Column::Number),
            ("simulated", Column::Number),
            ("range", Column::Number),
            ("ratio", Column::Number),
            ("verdict", Column::Text),
            ("reached in", Column::Number),
            ("who, when", Column::Text),
        ]);
        let mut sources: Vec<String> = Vec::new();
        let mut rows = Vec::new();
        let mut reasons: Vec<String> = Vec::new();
        for case in &self.cases {
            for claim in &case.claims {
                let quantity: Option<Quantity> = claim.quantity.parse().ok();
                let name = claim_name(claim);
                let number = |value: Option<f64>| match (value, quantity) {
                    (Some(value), Some(q)) => escape(&q.unit().print(value)),
                    (Some(value), None) => escape(&format!("{value} {}", claim.unit)),
                    (None, _) => "–".to_owned(),
                };
                let study = case.uncertainty.as_ref();
                let weighed = study.and_then(|study| {
                    (study.claims.iter()).find(|c| {
                        c.quantity == claim.quantity
                            && c.phase == claim.phase
                            && c.stated == claim.stated
                            && c.who == claim.who
                    })
                });
                let (low, high) = range(case, claim);
                let mut row = vec![escape(&name)];
                if several {
                    row.push(escape(&case.name));
                }
                row.extend([
                    number(Some(claim.stated)),
                    number(claim.simulated),
                    match (low, high, quantity) {
                        (Some(low), Some(high), Some(q)) => escape(&format!(
                            "{} to {}",
                            q.unit().figure(low),
                            q.unit().figure(high)
                        )),
                        _ => "–".to_owned(),
                    },
                    claim.ratio.map_or("–".to_owned(), |r| fixed(r, 3)),
                    format!(
                        "<span class=\"verdict {0}\">{0}</span>",
                        claim.verdict.word()
                    ),
                    weighed.map_or("–".to_owned(), |w| share(w.reached)),
                    whose(claim, &mut sources),
                ]);
                rows.push(row);
                let told = claim.reasons.join(" ");
                if !told.is_empty() && claim.verdict != Verdict::Expected {
                    let whose = if several {
                        format!("{}, ", case.name)
                    } else {
                        String::new()
                    };
                    reasons.push(format!("{}: {}", escape(&(whose + &name)), prose(&told)));
                }
            }
        }
        let mut out = String::new();
        if !rows.is_empty() {
            out += &table("Claims and what the simulation says", &heads, &rows);
            out += "<p class=\"small\">Ratio: simulated over stated. Range: of draws nine in ten, else what the \
                    prediction allows. Reached in: the share of draws in which the run needs no more, or is no slower, than \
                    stated.</p>\n";
            if !sources.is_empty() {
                let items: String = (sources.iter())
                    .map(|source| format!("<li>{}</li>\n", escape(source)))
                    .collect();
                out += &format!("<h3>Sources</h3>\n<ol class=\"small\">\n{items}</ol>\n");
            }
            if !reasons.is_empty() {
                out += "<h3>Why these verdicts</h3>\n<p class=\"small\">Those other than expected.</p>\n";
                out += &list(&reasons);
            }
        }
        let checks: Vec<Vec<String>> = (self.cases.iter())
            .flat_map(|case| case.expects.iter().map(move |e| (case, e)))
            .map(|(case, e)| {
                let unit = e.quantity.parse::<Quantity>().map(Quantity::unit);
                let print = |v: f64| unit.as_ref().map_or(v.to_string(), |u| u.print(v));
                vec![
                    escape(&e.quantity),
                    escape(&case.name),
                    escape(&print(e.stated)),
                    e.simulated.map_or("–".to_owned(), |v| escape(&print(v))),
                    escape(&format!("{} %", fixed(e.within * 100.0, 1))),
                    match e.holds {
                        true => "<span class=\"verdict holds\">holds</span>".to_owned(),
                        false => "<span class=\"verdict fails\">fails</span>".to_owned(),
                    },
                ]
            })
            .collect();
        if !checks.is_empty() {
            let heads = [
                ("expected", Column::Text),
                ("case", Column::Text),
                ("stated", Column::Number),
                ("simulated", Column::Number),
                ("within", Column::Number),
                ("", Column::Text),
            ];
            out += "<h3>What the file expects</h3>\n";
            out += &table("Expectations", &heads, &checks);
        }
        out
    }

    fn findings(&self) -> String {
        let mut out = String::new();
        for difference in &self.differences {
            out += &format!("<h3>{}</h3>\n", escape(&difference.case));
            out += &format!("<p>{}</p>\n", prose(&difference.finding));
            if !difference.settings.is_empty() {
                let settings: Vec<String> = difference.settings.iter().map(|s| escape(s)).collect();
                out += &format!("<p>It sets:</p>\n{}", list(&settings));
            }
        }
        out
    }

    /// What draws vary.
    fn assumptions(&self) -> String {
        let mut out = String::new();
        for case in &self.cases {
            let Some(study) = &case.uncertainty else {
                continue;
            };
            if self.cases.len() > 1 {
                out += &format!("<h3>{}</h3>\n", escape(&case.name));
            }
            let rows: Vec<Vec<String>> = (study.assumptions.iter())
                .map(|a| {
                    vec![
                        match a.name.as_str() {
                            PREDICTION => "the prediction’s own error".to_owned(),
                            path => format!("<code>{}</code>", escape(path)),
                        },
                        escape(&a.text),
                        escape(&a.shape),
                        format!("<span class=\"wide\">{}</span>", prose(&a.why)),
                        escape(a.factor.as_deref().unwrap_or("–")),
                    ]
                })
                .collect();
            let heads = [
                ("input", Column::Text),
                ("range", Column::Text),
                ("shape", Column::Text),
                ("why", Column::Text),
                ("moves with", Column::Text),
            ];
            out += &classed("stack", &table("What draws vary", &heads, &rows));
            out += &format!("<p class=\"small\">{}</p>\n", prose(&scheme(study)));
        }
        out
    }
}

/// A warning about ranges where draws were made.
fn drawn_from(warning: &str) -> String {
    (warning.replace("its likeliest value is used", "it is drawn"))
        .replace("their likeliest values are used", "they are drawn")
}

fn scheme(study: &Study) -> String {
    let mut text = format!(
        "{} draws, seed {}. {}",
        count(u64::from(study.draws)),
        study.seed,
        study.approximation.scheme
    );
    if let Some(error) = study.approximation.largest_error {
        text += &format!(
            " Of {} draws that were simulated as well, the largest error of a step is {} %.",
            study.approximation.checked,
            fixed(error * 100.0, 2)
        );
    }
    text
}

/// The document with what may differ between two runs taken out.
fn data<T: serde::Serialize>(document: &T) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.shift_remove("cpu_s");
                map.shift_remove("wall_s");
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(document).unwrap_or_default();
    strip(&mut value);
    value
}

/// A share of draws for people: never "100 %" of what is not certain.
fn share(value: f64) -> String {
    if value <= 0.0 {
        "no draw".to_owned()
    } else if value >= 1.0 {
        "all draws".to_owned()
    } else {
        format!("{} %", fixed((value * 100.0).clamp(0.1, 99.9), 1))
    }
}

/// The distribution of a quantity of a case.
fn drawn<'a>(
    case: &'a CaseDocument,
    quantity: Quantity,
    phase: Option<&str>,
) -> Option<&'a DistributionDocument> {
    let all = case.uncertainty.iter().flat_map(|study| &study.quantities);
    all.into_iter()
        .find(|d| d.quantity == quantity.id() && d.phase.as_deref() == phase)
}

fn nine_in_ten(distribution: &DistributionDocument) -> Option<(f64, f64)> {
    let at = |share: f64| {
        let mut quantiles = distribution.quantiles.iter();
        quantiles.find(|q| q.share == share).map(|q| q.value)
    };
    at(0.05).zip(at(0.95))
}

fn range(case: &CaseDocument, claim: &ClaimDocument) -> (Option<f64>, Option<f64>) {
    let quantity: Option<Quantity> = claim.quantity.parse().ok();
    let drawn = quantity.and_then(|q| drawn(case, q, claim.phase.as_deref()));
    match drawn.and_then(nine_in_ten) {
        Some((low, high)) => (Some(low), Some(high)),
        None => (claim.low, claim.high),
    }
}

/// Who says so and when, with the number of the source.
fn whose(claim: &ClaimDocument, sources: &mut Vec<String>) -> String {
    let told: Vec<&str> = ([claim.who.as_str(), claim.date.as_str()].into_iter())
        .filter(|s| !s.is_empty())
        .collect();
    let mut text = escape(&told.join(", "));
    if !claim.source.is_empty() {
        let known = sources.iter().position(|s| *s == claim.source);
        let number = known.unwrap_or_else(|| {
            sources.push(claim.source.clone());
            sources.len() - 1
        });
        text += &format!(" <span class=\"small\">[{}]</span>", number + 1);
    }
    format!("<span class=\"who\">{text}</span>")
}

fn claim_name(claim: &ClaimDocument) -> String {
    let quantity: Option<Quantity> = claim.quantity.parse().ok();
    let name = match quantity {
        Some(quantity) => quantity.name(),
        None => claim.quantity.as_str(),
    };
    match &claim.phase {
        Some(phase) => format!("{name} ({phase})"),
        None => name.to_owned(),
    }
}

/// The first claim's verdict with its range, or the cost with its own.
fn sentence(case: &CaseDocument, claim: Option<&ClaimDocument>) -> String {
    let Some(claim) = claim else {
        let mut text = run_in_words(case);
        if let Some((low, high)) = drawn(case, Quantity::Cost, None).and_then(nine_in_ten) {
            text += &format!(
                " Nine draws in ten cost {} to {}.",
                Unit::Dollars.print(low),
                Unit::Dollars.print(high)
            );
        } else {
            text += &format!(
                " The step is predicted to take {} to {}, four times in five.",
                Unit::Seconds.print(case.step.interval_s.low),
                Unit::Seconds.print(case.step.interval_s.high)
            );
        }
        return text;
    };
    let unit = claim.quantity.parse::<Quantity>().ok().map(Quantity::unit);
    let print = |v: f64| unit.map_or(format!("{v} {}", claim.unit), |u| u.print(v));
    let mut text = match claim.verdict {
        Verdict::Impossible => "Impossible",
        Verdict::Implausible => "Implausible",
        Verdict::Plausible => "Plausible",
        Verdict::Expected => "Plausible, and about what is to be expected",
        Verdict::Undecidable => "Undecidable",
    }
    .to_owned();
    let who = match claim.who.as_str() {
        "" => "The claim is".to_owned(),
        who => format!("{who} states"),
    };
    text += &format!(". {who} {} ({})", print(claim.stated), claim_name(claim));
    match claim.simulated {
        Some(simulated) => {
            text += &format!("; the simulation says {}", print(simulated));
            let told = match case.uncertainty.is_some() {
                true => "nine draws in ten",
                false => "as far as the prediction goes",
            };
            if let (Some(low), Some(high)) = range(case, claim) {
                text += &format!(", between {} and {} {told}", print(low), print(high));
            }
        }
        None => text += "; the simulation says nothing about it",
    }
    text + "."
}

fn run_in_words(case: &CaseDocument) -> String {
    let mut text = format!(
        "{} on {} {}: a step takes {}, the run {}, {} and {}.",
        case.model,
        count(u64::from(case.accelerators)),
        case.accelerator,
        Unit::Seconds.print(case.step.time_s),
        Unit::Days.print(case.run.days),
        Unit::GpuHours.print(case.run.gpu_hours),
        Unit::Dollars.print(case.cost_usd.run)
    );
    if !case.memory.fits {
        text += " It does not fit in memory.";
    }
    text
}
