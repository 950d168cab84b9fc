//! The seam to scenario files and the catalogue.
//!
//! In: paths and overrides from the command line. Out: cases with their claims, or
//! diagnostics rendered for the terminal. Never simulates.

use crate::cli::{CatalogCommand, ClassifyArgs, ScenarioArgs, TimelineArgs};
use crate::exit::Failure;
use crate::terminal::Terminal;
use std::path::Path;
use strait_study::answer::about::{AboutDocument, InputsDocument, ScenarioDocument};
use strait_study::answer::{Detail, Setting};
use strait_study::catalog::{ACCELERATORS, Catalog, CatalogError, Entry, Fact};
use strait_study::chance::{self, Asked, ChanceError};
use strait_study::rules::answer::Document;
use strait_study::rules::timeline::{Access, statuses};
use strait_study::rules::{self, Chip, Classification, Destination, Query, RuleBook, When};
use strait_study::scenario::{
    self, Diagnostic, Explained, Loaded, Overrides, ResolvedCase, Style, render_all,
};
use strait_study::verdict::{Claim, Expect, Quantity, UnknownQuantity};
use strait_training::case::Case;
use strait_training::simulate::SimulateError;

/// A case as read from a file.
pub struct SourceCase {
    /// What to simulate.
    pub case: Case,
    /// Published figures to compare with.
    pub claims: Vec<Claim>,
    /// Checks that the file asks for.
    pub expects: Vec<Expect>,
    /// What to check before trusting the answer.
    pub warnings: Vec<String>,
    /// Claims as draws weigh them.
    pub asked: Vec<Asked>,
    /// The case with its ranges.
    pub resolved: ResolvedCase,
    /// The file that it was read from.
    pub file: ScenarioDocument,
    /// Where each value came from.
    origins: Vec<Explained>,
    /// What answers name of it.
    setting: Setting,
}

impl SourceCase {
    /// What answers name of it.
    pub fn setting(&self) -> Setting {
        // Cases of several files are told apart after they are read.
        Setting {
            name: self.case.name.clone(),
            ..self.setting.clone()
        }
    }
}

/// A scenario as read from a file.
pub struct Source {
    /// Cases in the order of `--case`, or of the file.
    pub cases: Vec<SourceCase>,
}

/// The text of a table, which must be a file of text of at most 64 MiB.
pub fn table(path: &Path) -> Result<String, Failure> {
    text(path, "give a table in CSV")
}

/// The text of a file of at most 64 MiB; `help` says what it should be.
fn text(path: &Path, help: &str) -> Result<String, Failure> {
    use std::io::Read as _;
    const LARGEST: u64 = 64 << 20;
    let name = path.display();
    let wrong = |what: String, help: &str| Failure::Input(format!("error: {what}\n  help: {help}"));
    let unreadable = |error: std::io::Error| {
        wrong(
            format!("{name} can't be read: {error}"),
            "check the path and the permissions of the file",
        )
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(wrong(format!("{name} is no file"), help));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    (file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(wrong(
            format!("{name} has more than 64 MiB"),
            "is this the right file?",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        wrong(
            format!(
                "{name} is not UTF-8 text: byte {} can't be read",
                error.utf8_error().valid_up_to()
            ),
            "save the file as UTF-8",
        )
    })
}

/// What a command line changes.
pub fn overrides(set: &[String], cases: &[String], seed: Option<u64>) -> Overrides {
    Overrides {
        set: (set.iter())
            .filter_map(|set| set.split_once('='))
            .map(|(path, value)| (path.trim().to_owned(), value.trim().to_owned()))
            .collect(),
        cases: cases.to_vec(),
        seed,
    }
}

fn read(path: &Path, args: &ScenarioArgs) -> Result<Loaded, Failure> {
    scenario::load(
        path,
        &Catalog::embedded(),
        &overrides(&args.set, &args.cases, args.seed),
    )
    .map_err(|faults| Failure::Input(render_all(&faults, Style::Colour)))
}

/// Loads one scenario. All errors of the file are reported at once.
pub fn load(path: &Path, args: &ScenarioArgs) -> Result<Source, Failure> {
    let loaded = read(path, args)?;
    let mut cases: Vec<SourceCase> = Vec::with_capacity(loaded.cases.len());
    let file = ScenarioDocument {
        path: loaded.path,
        title: loaded.title,
        question: loaded.question,
        note: loaded.note,
        digest: loaded.digest,
    };
    for resolved in loaded.cases {
        cases.push(source_case(resolved, file.clone())?);
    }
    if !args.cases.is_empty() {
        // The first case asked for is the baseline of a comparison.
        let rank = |case: &SourceCase| args.cases.iter().position(|name| *name == case.case.name);
        cases.sort_by_key(rank);
    }
    Ok(Source { cases })
}

/// What answers to cases are about.
pub fn about(cases: &[SourceCase], command: String) -> AboutDocument {
    let catalog = Catalog::embedded();
    let mut scenarios: Vec<ScenarioDocument> = Vec::new();
    for case in cases {
        if !scenarios.contains(&case.file) {
            scenarios.push(case.file.clone());
        }
    }
    AboutDocument {
        command,
        scenarios,
        cases: (cases.iter())
            .map(|case| InputsDocument {
                // Cases of several files are told apart after they are read.
                case: case.case.name.clone(),
                ..InputsDocument::of(&case.resolved, &catalog)
            })
            .collect(),
    }
}

/// Ranges that warnings tell one by one.
const FEW_RANGES: usize = 4;

fn source_case(resolved: ResolvedCase, file: ScenarioDocument) -> Result<SourceCase, Failure> {
    let claims = (resolved.claims.iter())
        .map(|stated| Claim::of(stated).map_err(|error| Failure::Unexpected(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let asked = (resolved.claims.iter().zip(&claims))
        .filter(|(_, claim)| chance::drawn(claim.quantity))
        .map(|(stated, claim)| Asked {
            quantity: claim.quantity,
            phase: claim.phase.clone(),
            stated: claim.stated,
            within: stated.within,
            who: stated.who.clone(),
        })
        .collect();
    let mut expects = Vec::new();
    for stated in &resolved.expects {
        let quantity = quantity(stated)?;
        expects.push(Expect {
            quantity,
            phase: stated.phase.clone(),
            stated: quantity.unit().from_base(stated.stated),
            within: stated.within.unwrap_or(0.0),
            source: stated.source.clone(),
        });
    }
    let mut warnings: Vec<String> = (resolved.warnings.iter())
        .map(|warning| {
            let place = warning.labels.first();
            let place = place.map_or(String::new(), |label| format!(" ({})", label.place.short()));
            format!("{}{place}", warning.message)
        })
        .collect();
    match resolved.ranges.as_slice() {
        // Each by name, as long as that can be read.
        few if few.len() <= FEW_RANGES => warnings.extend(few.iter().map(|range| {
            format!(
                "`{}` is given as a range; its likeliest value is used",
                range.path
            )
        })),
        many => warnings.push(format!(
            "{} values are given as ranges; their likeliest values are used (`strait explain` lists them)",
            many.len()
        )),
    }
    let setting = Setting::of(&resolved);
    Ok(SourceCase {
        setting,
        case: resolved.case.clone(),
        claims,
        expects,
        warnings,
        asked,
        origins: resolved.origins.clone(),
        resolved,
        file,
    })
}

/// The quantity of a claim as answers know it.
fn quantity(claim: &scenario::Claim) -> Result<Quantity, Failure> {
    (claim.quantity.name().parse())
        .map_err(|error: UnknownQuantity| Failure::Unexpected(error.to_string()))
}

/// A contradiction between settings, with its place in the file and a remedy.
pub fn contradiction(case: &SourceCase, error: &SimulateError) -> String {
    let SimulateError::Invalid {
        path,
        message,
        remedy,
    } = error
    else {
        return format!("{}: {error}", Terminal::error("error"));
    };
    let mut fault = Diagnostic::error(
        "case::contradiction",
        format!("case \"{}\": {message}", case.case.name),
    );
    match case
        .origins
        .iter()
        .find(|explained| explained.path == *path)
    {
        Some(Explained {
            place: Some(place), ..
        }) => fault = fault.at(place, path.as_str()),
        Some(Explained { value, origin, .. }) => {
            fault = fault.help(format!("`{path}` is {value} ({origin})"));
        }
        None => fault = fault.help(format!("see `{path}`")),
    }
    fault.help(remedy.as_str()).render(Style::Colour)
}

/// Why values of a case's ranges have no answer, with the ranges' places where they are known.
pub fn draws(case: &SourceCase, error: &ChanceError) -> String {
    let mut fault = Diagnostic::error(
        "case::draws",
        format!("case \"{}\" can't be drawn: {error}", case.case.name),
    );
    let at = match error {
        ChanceError::Simulate { at, .. } | ChanceError::Contradiction { at, .. } => at.as_str(),
        ChanceError::Cancelled => "",
    };
    for range in &case.resolved.ranges {
        if at.contains(&range.path) {
            fault = fault.at(&range.place, "the range");
        }
    }
    fault
        .help("narrow the range to values that the other settings go with, or give `choices`")
        .render(Style::Colour)
}

/// Every resolved value of a scenario with its origin.
pub fn explain(path: &Path, args: &ScenarioArgs, json: bool) -> Result<String, Failure> {
    let loaded = read(path, args)?;
    let mut text = String::new();
    let mut objects = Vec::new();
    for case in &loaded.cases {
        let name = &case.case.name;
        text += &format!("case {name}\n");
        let path = case
            .origins
            .iter()
            .map(|e| e.path.chars().count())
            .max()
            .unwrap_or(0);
        let value = case
            .origins
            .iter()
            .map(|e| e.value.chars().count())
            .max()
            .unwrap_or(0);
        let value = value.min(32);
        let mut values = Vec::new();
        for explained in &case.origins {
            text += &format!(
                "  {:path$}  {:value$}  {}\n",
                explained.path, explained.value, explained.origin
            );
            values.push(serde_json::json!({
                "path": explained.path,
                "value": explained.value,
                "origin": explained.origin.to_string(),
            }));
        }
        objects.push(serde_json::json!({ "case": name, "values": values }));
    }
    let digest = &loaded.digest;
    text += &format!("files {}, digest {digest}\n", loaded.files.join(", "));
    Ok(if json {
        pretty(&serde_json::json!({
            "scenario": loaded.path,
            "title": loaded.title,
            "files": loaded.files,
            "digest": digest,
            "cases": objects,
        }))
    } else {
        text
    })
}

/// JSON Schema of scenario files.
pub fn schema() -> String {
    scenario::schema::text()
}

/// What the catalogue lists or shows.
pub fn catalog(command: &CatalogCommand, json: bool) -> Result<String, Failure> {
    let catalog = Catalog::embedded();
    match command {
        CatalogCommand::List { kind } => list(&catalog, kind.as_deref(), json),
        CatalogCommand::Show { id } => show(&catalog, id, json),
    }
}

/// What is wrong with an id or a kind.
fn wrong(error: &CatalogError) -> Failure {
    Failure::Input(format!("{}: {error}", Terminal::error("error[catalog]")))
}

fn list(catalog: &Catalog, kind: Option<&str>, json: bool) -> Result<String, Failure> {
    let kinds: Vec<&str> = match kind {
        Some(kind) => vec![kind],
        None => catalog.kinds().collect(),
    };
    let mut text = String::new();
    let mut object = serde_json::Map::new();
    for kind in kinds {
        let ids = catalog.list(kind).map_err(|e| wrong(&e))?;
        text += &format!("{kind}\n");
        for id in &ids {
            let entry = catalog.show(kind, id).map_err(|e| wrong(&e))?;
            let line = format!("  {id:24}  {}", entry.name);
            text += line.trim_end();
            text.push('\n');
        }
        object.insert(kind.to_owned(), serde_json::json!(ids));
    }
    Ok(if json { pretty(&object.into()) } else { text })
}

/// Shows the entries of an id, which may be of several kinds; `KIND/ID` is one of them.
fn show(catalog: &Catalog, id: &str, json: bool) -> Result<String, Failure> {
    let (kinds, id) = match id.split_once('/') {
        Some((kind, id)) => (vec![kind], id),
        None => (catalog.kinds_of(id), id),
    };
    if kinds.is_empty() {
        return Err(unknown(catalog, id));
    }
    let mut texts = Vec::new();
    let mut objects = Vec::new();
    for kind in kinds {
        let entry = catalog.show(kind, id).map_err(|e| wrong(&e))?;
        texts.push(entry_text(&entry));
        objects.push(entry_object(&entry));
    }
    Ok(if json {
        pretty(&objects.into())
    } else {
        texts.join("\n")
    })
}

/// No entry of any kind has this id.
fn unknown(catalog: &Catalog, id: &str) -> Failure {
    let ids: Vec<&str> = (catalog.kinds())
        .filter_map(|kind| catalog.suggest(kind, id))
        .collect();
    let help = if ids.is_empty() {
        "see `strait catalog list`".to_owned()
    } else {
        format!("did you mean {}?", ids.join(" or "))
    };
    Failure::Input(format!(
        "{}: the catalogue has no \"{id}\"\n  = help: {help}",
        Terminal::error("error[catalog]")
    ))
}

/// An entry's facts, their sources as numbered notes below.
fn entry_text(entry: &Entry) -> String {
    let mut text = format!("{}/{}   {}", entry.kind, entry.id, entry.name);
    if let Some(vendor) = &entry.vendor {
        text += &format!(", {vendor}");
    }
    text.push('\n');
    if let Some(description) = &entry.description {
        text += &format!("  {description}\n");
    }
    let longest = |of: &dyn Fn(&Fact) -> usize| entry.facts.iter().map(of).max().unwrap_or(0);
    let key = longest(&|fact| fact.key.chars().count());
    let value = longest(&|fact| fact.value.chars().count()).min(32);
    let date = longest(&|fact| fact.date.chars().count());
    let mut sources: Vec<&str> = Vec::new();
    for fact in &entry.facts {
        let known = sources.iter().position(|source| *source == fact.source);
        let number = known.unwrap_or_else(|| {
            sources.push(&fact.source);
            sources.len() - 1
        }) + 1;
        text += &format!(
            "  {:key$}  {:value$}  {}  {:date$}  [{number}]\n",
            fact.key, fact.value, fact.confidence, fact.date
        );
        for (what, remark) in [("basis", &fact.basis), ("note", &fact.note)] {
            if let Some(remark) = remark {
                text += &format!("  {:key$}    {what}: {remark}\n", "");
            }
        }
    }
    for (index, source) in sources.iter().enumerate() {
        text += &format!("  [{}] {source}\n", index + 1);
    }
    text + "  Confidence: A primary or measured, B consistent secondary, C single, D assumed.\n"
}

fn entry_object(entry: &Entry) -> serde_json::Value {
    let facts: Vec<serde_json::Value> = (entry.facts.iter())
        .map(|fact| {
            serde_json::json!({
                "key": fact.key,
                "value": fact.value,
                "source": fact.source,
                "date": fact.date,
                "confidence": fact.confidence.to_string(),
                "basis": fact.basis,
                "note": fact.note,
            })
        })
        .collect();
    serde_json::json!({
        "kind": entry.kind,
        "id": entry.id,
        "name": entry.name,
        "vendor": entry.vendor,
        "description": entry.description,
        "facts": facts,
    })
}

/// An object as indented text.
fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What is wrong with a question about rules.
fn astray(message: impl std::fmt::Display) -> Failure {
    Failure::Input(format!("{}: {message}", Terminal::error("error[rules]")))
}

/// A destination; China where none is given.
pub fn destination(text: Option<&String>) -> Result<Destination, Failure> {
    text.map_or(Ok(Destination::China), |text| text.parse().map_err(astray))
}

fn chips(catalog: &Catalog, ids: &[String]) -> Result<Vec<Chip>, Failure> {
    ids.iter()
        .map(|id| catalog.chip(id).map_err(|e| wrong(&e)))
        .collect()
}

/// The rules of the catalogue with those of files, and the ids of the latter.
pub fn book(
    catalog: &Catalog,
    files: &[std::path::PathBuf],
) -> Result<(RuleBook, Vec<String>), Failure> {
    let mut book = RuleBook::of(catalog).map_err(astray)?;
    let mut own = Vec::new();
    for path in files {
        let text = text(path, "give a rule set in TOML")?;
        let name = path.display().to_string();
        own.push(book.add(&name, &text).map_err(astray)?);
    }
    Ok((book, own))
}

/// Chips under rules, as text or JSON, with remarks on how the question was read.
pub fn classify(
    args: &ClassifyArgs,
    json: bool,
    detail: Detail,
) -> Result<(String, Vec<String>), Failure> {
    let catalog = Catalog::embedded();
    let (book, _) = book(&catalog, &args.rules)?;
    let mut remarks = Vec::new();
    let when = match &args.on {
        Some(on) => {
            let (when, remark) = book.when(on).map_err(|e| astray(format!("--on: {e}")))?;
            remarks.extend(remark);
            when
        }
        None => {
            let last = book.last_day().map_or(String::new(), |d| d.to_string());
            if !args.chips.is_empty() {
                remarks.push(format!(
                    "rules of {last}, the last rule set; --on DATE asks for others"
                ));
            }
            When::Last
        }
    };
    let mut query = Query {
        when,
        to: destination(args.to.as_ref())?,
        headquarters: match &args.headquarters {
            Some(text) => Some(destination(Some(text))?),
            None => None,
        },
    };
    let ask = |chip: &Chip, query: &Query| rules::classify(chip, query, &book).map_err(astray);
    if !args.chips.is_empty() {
        let chips = chips(&catalog, &args.chips)?;
        let answers: Result<Vec<Classification>, Failure> =
            chips.iter().map(|chip| ask(chip, &query)).collect();
        let answers = answers?;
        let text = if json {
            let objects: Vec<Document<'_>> = answers.iter().map(Document::from).collect();
            match objects.as_slice() {
                [one] => serialised(one)?,
                several => serialised(&several)?,
            }
        } else {
            let texts: Vec<String> = (chips.iter().zip(&answers))
                .map(|(chip, answer)| rules::text::chip(chip, answer, query.to, detail))
                .collect();
            texts.join("\n")
        };
        return Ok((text, remarks));
    }
    // All chips: a column for what was asked, or for each rule that changes what a chip may do.
    let mut columns: Vec<(String, When)> = match &args.on {
        Some(on) => vec![(on.clone(), query.when.clone())],
        None => book
            .milestones()
            .filter_map(|set| {
                set.published
                    .map(|day| (day.to_string(), When::Under(set.id.clone())))
            })
            .collect(),
    };
    if args.on.is_none() {
        columns.extend(
            book.sets()
                .iter()
                .filter(|s| s.own)
                .map(|s| (s.id.clone(), When::Last)),
        );
    }
    let mut rows = Vec::new();
    for id in catalog.list(ACCELERATORS).map_err(|e| wrong(&e))? {
        let chip = catalog.chip(id).map_err(|e| wrong(&e))?;
        let mut row = Vec::new();
        for (_, when) in &columns {
            query.when = when.clone();
            row.push(ask(&chip, &query)?);
        }
        rows.push((id.to_owned(), row));
    }
    let text = if json {
        let all: Vec<Document<'_>> = rows
            .iter()
            .flat_map(|(_, row)| row)
            .map(Document::from)
            .collect();
        serialised(&all)?
    } else {
        let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
        rules::text::table(&names, &rows, query.to)
    };
    Ok((text, remarks))
}

/// The rules in order of time, or the status of chips through them.
pub fn timeline(args: &TimelineArgs, json: bool, detail: Detail) -> Result<String, Failure> {
    let catalog = Catalog::embedded();
    let book = RuleBook::of(&catalog).map_err(astray)?;
    let access = Access::of(&catalog, "china").map_err(|e| wrong(&e))?;
    let to = destination(args.to.as_ref())?;
    if args.chips.is_empty() {
        let events = rules::timeline::timeline(&book, &access, &[]);
        return if json {
            serialised(&serde_json::json!({ "events": events }))
        } else {
            Ok(rules::text::timeline(&events, detail))
        };
    }
    let mut texts = Vec::new();
    let mut objects = Vec::new();
    for chip in chips(&catalog, &args.chips)? {
        let stretches = statuses(&chip, &book, to).map_err(astray)?;
        let sold = access
            .sales_of(&chip.id)
            .filter(|_| to == Destination::China);
        let words = sold.map(|s| {
            let until = s
                .until
                .as_ref()
                .map_or("on".to_owned(), |until| format!("to {until}"));
            format!("sold to China from {} {until}: {}", s.from, s.how)
        });
        objects.push(serde_json::json!({
            "chip": chip.id,
            "to": to.word(),
            "sold_from": sold.map(|s| &s.from),
            "sold_until": sold.and_then(|s| s.until.as_ref()),
            "statuses": stretches,
        }));
        texts.push(rules::text::statuses(
            &chip,
            &stretches,
            words.as_deref(),
            &book,
            to,
        ));
    }
    match (json, objects.as_slice()) {
        (true, [one]) => serialised(one),
        (true, several) => serialised(&several),
        (false, _) => Ok(texts.join("\n")),
    }
}

fn serialised<T: serde::Serialize + ?Sized>(object: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(object).map_err(|e| Failure::Unexpected(e.to_string()))
}
