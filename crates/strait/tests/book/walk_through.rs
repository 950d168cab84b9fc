//! The figures in the prose of *Is $5.6 M plausible?*, and whether its words still fit them.
//!
//! In: what the page's own commands print, and one answer as JSON. Out: a text for each name in the template. Never
//! states a figure of its own.

use crate::shell::{Scratch, Shell};
use serde_json::Value;
use std::collections::BTreeMap;

/// The page's commands, in its order.
const RUN: &str = "strait run scenarios/deepseek-v3/h800.toml";
const DRAWS: &str =
    "strait run scenarios/deepseek-v3/plausible.toml --draws 10000 --figures figures";
const CUT: &str = "strait compare scenarios/deepseek-v3/variants.toml --case h800 --case h100 --case tp8 --case tp8-h100 --figures figures";
const OWNED: &str = "strait run scenarios/deepseek-v3/h800.toml --set economics.basis=own --set economics.year=2024 --set economics.place=china";
const ALL: &str = "strait run scenarios/deepseek-v3/all-that-it-took.toml --figures figures";
const CLAIMS: &str = "strait claims --only h800-cannot --only a800-in --only h20-in --only cluster-51 --only fifty-thousand-h100 --only v3-needed";

type Wrong = String;

/// What one command printed.
struct Printed(String);

impl Printed {
    /// The cells of the first row that starts with `label`, without it.
    fn row(&self, label: &str) -> Result<Vec<&str>, Wrong> {
        let cells = |line: &'_ str| -> bool {
            let rest = line.trim_start().strip_prefix(label);
            rest.is_some_and(|rest| rest.starts_with("  "))
        };
        let line = self
            .0
            .lines()
            .find(|line| cells(line))
            .ok_or_else(|| format!("no row `{label}`"))?;
        let parts = line.trim().split("  ").map(str::trim);
        Ok(parts.filter(|part| !part.is_empty()).skip(1).collect())
    }

    /// One cell of a row.
    fn cell(&self, label: &str, index: usize) -> Result<&str, Wrong> {
        self.row(label)?
            .get(index)
            .copied()
            .ok_or_else(|| format!("row `{label}`: no cell {index}"))
    }

    /// What stands between two texts; line ends are blanks.
    fn between(&self, before: &str, after: &str) -> Result<String, Wrong> {
        let flat = self.0.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = flat
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after));
        found
            .map(|(text, _)| text.to_owned())
            .ok_or_else(|| format!("nothing after `{before}`"))
    }
}

/// The first number of a text.
fn number(text: &str) -> Result<f64, Wrong> {
    let from = text.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let digits = from
        .split(|letter: char| !(letter.is_ascii_digit() || ".,".contains(letter)))
        .next();
    let digits = digits.unwrap_or_default().replace(',', "");
    digits.parse().map_err(|_| format!("no number in `{text}`"))
}

/// Fails where the page's words no longer fit.
fn holds(fits: bool, words: &str) -> Result<(), Wrong> {
    if fits {
        Ok(())
    } else {
        Err(format!("no longer true, rewrite it: {words}"))
    }
}

/// Every value that the template names.
pub fn values(shell: &mut Shell) -> Result<BTreeMap<&'static str, String>, Wrong> {
    let scratch = Scratch::new().map_err(|error| error.to_string())?;
    let mut print = |command: &str| -> Result<Printed, Wrong> {
        let ran = shell
            .run(&scratch, command)
            .map_err(|error| error.to_string())?;
        if ran.status != 0 {
            return Err(format!("$ {command}\n{}", ran.stderr));
        }
        Ok(Printed(ran.stdout))
    };
    let json = print(&format!("{RUN} --json"))?;
    let json: Value = serde_json::from_str(&json.0).map_err(|error| error.to_string())?;
    let (run, mut draws, cut) = (print(RUN)?, print(DRAWS)?, print(CUT)?);
    // The same rows stand in the answer of the single run above.
    let distribution = draws.0.split_once("\nUncertainty");
    draws.0 = distribution.ok_or("no distribution")?.1.to_owned();
    let (owned, all, claims) = (print(OWNED)?, print(ALL)?, print(CLAIMS)?);

    let case = &json["cases"][0];
    let figure = |value: &Value| {
        value
            .as_f64()
            .ok_or("a figure is missing from the answer".to_owned())
    };
    let step = figure(&case["step"]["time_s"])?;
    let exposed = case["step"]["exposed_communication_s"]
        .as_object()
        .ok_or("no exposed communication")?;
    let exposed: f64 = exposed.values().filter_map(Value::as_f64).sum();
    let about = |quantity: &str| -> Result<&Value, Wrong> {
        let claims = case["claims"].as_array().ok_or("no claims")?;
        let found = claims.iter().find(|claim| claim["quantity"] == quantity);
        found.ok_or_else(|| format!("no claim about {quantity}"))
    };
    let (hours, pretraining) = (about("gpu_hours")?, about("pretraining_gpu_hours")?);
    let off = figure(&hours["simulated"])? / figure(&hours["stated"])? - 1.0;
    let bound = figure(&pretraining["bound"])?;

    let first_words = |text: &str| text.split(" GPU").next().unwrap_or_default().to_owned();
    let reached = draws
        .row("cost")
        .and_then(|_| draws.between("the stated $", "% of them"))?;
    let reached = reached
        .rsplit("reached in ")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let break_even = draws.between(
        "Exactly true at `economics.rent` = ",
        " times the predicted time",
    )?;
    let (rent, steps) = break_even
        .split_once(", or steps of ")
        .ok_or("what makes it true is worded anew")?;
    let fastest = draws.cell("prediction", 0)?;
    let cost = |cell: usize| draws.cell("cost", cell).map(str::to_owned);
    let tp = number(cut.cell("tp8", 0)?)? / number(cut.cell("tp8-h100", 0)?)? - 1.0;
    let cut_percent = cut.between("h100 takes ", " less time per step than h800")?;
    let (all_low, all_likely, all_high) = (
        all.cell("all that it took", 0)?,
        all.cell("all that it took", 1)?,
        all.cell("all that it took", 2)?,
    );
    let times = number(all_likely)? / number(all.cell("the run", 1)?)?;
    let likely = |row: &str| claims.cell(row, 1).map(str::to_owned);

    holds(
        about("gpu_hours")?["verdict"] == "expected",
        "the run is plausible",
    )?;
    holds(
        off < 0.0 && off > -0.1,
        "simulated hours are some per cent fewer than stated",
    )?;
    holds(
        (25.0..75.0).contains(&number(&reached)?),
        "neither at the edge nor in the exact middle",
    )?;
    holds(
        number(&cut_percent)? < 2.0 && tp > 0.1,
        "the cut hardly mattered, and would have with tensor parallelism",
    )?;
    holds(times > 2.0, "several times the run")?;
    holds(
        number(rent)? / 2.0 < 1.5,
        "half the figure takes a rent below the range",
    )?;
    holds(
        number(steps)? / 2.0 < number(fastest)?,
        "half the figure takes steps below nineteen draws of twenty",
    )?;
    let spread = |row: &str| -> Result<f64, Wrong> {
        let cells = draws.row(row)?;
        let of = |cell: usize| number(cells.get(cell).copied().unwrap_or_default());
        Ok(of(3)? - of(2)?)
    };
    holds(
        spread("economics.rent")? >= spread("prediction")? && spread("reliability.failures")? < 0.3,
        "rent moves it most, then the prediction's error, failures next to nothing",
    )?;
    for (claim, verdict) in [
        ("h800-cannot", "implausible"),
        ("a800-in-two-months", "impossible"),
        ("h20-in-two-months", "impossible"),
        ("v3-needed-the-fleet", "implausible"),
    ] {
        holds(
            claims.row(claim)?.last() == Some(&verdict),
            &format!("{claim} is {verdict}"),
        )?;
    }

    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    Ok(BTreeMap::from([
        ("hours", first_words(run.cell("GPU-hours", 1)?)),
        ("claimed_hours", first_words(run.cell("GPU-hours", 0)?)),
        ("claimed_cost", run.cell("cost", 0)?.to_owned()),
        ("hours_off", percent(off.abs())),
        ("hours_off_words", format!("{} fewer", percent(off.abs()))),
        ("batch", run.between("s for ", " tokens, phase \"main\"")?),
        ("steps", run.cell("main", 1)?.to_owned()),
        ("days", format!("{:.1}", figure(&case["run"]["days"])?)),
        ("bound", format!("{:.2} M", bound / 1e6)),
        (
            "bound_times",
            format!("{:.1}", figure(&pretraining["stated"])? / bound),
        ),
        ("pairs_share", run.cell("overlapped pairs", 1)?.to_owned()),
        ("bubble_share", run.cell("bubble", 1)?.to_owned()),
        ("exposed_share", percent(exposed / step)),
        ("cost_low", cost(2)?),
        ("cost_median", cost(3)?),
        ("cost_high", cost(4)?),
        ("reached", format!("{reached} %")),
        ("break_even_rent", rent.to_owned()),
        ("break_even_steps", steps.to_owned()),
        ("half_rent", format!("{:.2}", number(rent)? / 2.0)),
        ("half_steps", format!("{:.2}", number(steps)? / 2.0)),
        ("fast_steps", format!("{:.2}", number(fastest)?)),
        ("cut", cut_percent),
        ("tp_cut", percent(tp)),
        ("rent", run.between("GPU-hours and ", ". ")?),
        ("owned", owned.between("MWh, ", " on owned accelerators")?),
        ("all_low", all_low.to_owned()),
        ("all_likely", all_likely.to_owned()),
        ("all_high", all_high.to_owned()),
        ("all_times", format!("{times:.0}")),
        ("h800_days", likely("h800-cannot")?),
        ("a800_days", likely("a800-in-two-months")?),
        ("h20_days", likely("h20-in-two-months")?),
        ("cluster", likely("cluster-51-million")?),
        ("fleet_share", likely("v3-needed-the-fleet")?),
        (
            "version",
            json["strait"].as_str().unwrap_or_default().to_owned(),
        ),
    ]))
}
