//! The ledger of claims: complete, consistent, with verdicts that follow the inputs; and its page
//! in the book is what `strait claims` says now.
//!
//! In: `scenarios/claims`. Out: `docs/src/ledger.md` with `STRAIT_UPDATE_DOCS=1`, else a
//! comparison. Never asserts a verdict that only a published figure decides: those are on the page.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use strait_study::catalog::Catalog;
use strait_study::ledger::{self, Effort, LedgerDocument, LedgerEntry, LedgerError};
use strait_study::scenario::{Overrides, Shelf};
use strait_study::verdict::Verdict;
use strait_training::simulate::Control;

/// As many as the command draws by itself.
const DRAWS: u32 = 2000;

fn control(cancel: &AtomicBool) -> Control<'_> {
    Control {
        cancel,
        progress: &|_| {},
        threads: 2,
        full_ranks: false,
        clock: &|| 0.0,
    }
}

fn judged(files: &[PathBuf], only: &[&str]) -> Result<Vec<LedgerEntry>, LedgerError> {
    let catalog = Catalog::embedded();
    let shelved = ledger::find(files)?;
    let only: Vec<String> = only.iter().map(|text| (*text).to_owned()).collect();
    let books = ledger::load(&shelved, &catalog, &Overrides::default(), &only)?;
    let cancel = AtomicBool::new(false);
    let effort = Effort {
        draws: DRAWS,
        control: control(&cancel),
    };
    ledger::judge(&books, &catalog, effort)
}

fn shipped() -> &'static [LedgerEntry] {
    static ENTRIES: OnceLock<Vec<LedgerEntry>> = OnceLock::new();
    ENTRIES.get_or_init(|| judged(&[], &[]).unwrap_or_else(|error| panic!("{error}")))
}

/// A scenario of its own beside the shipped ones, so that `extends` finds its parent.
fn written(folder: &Path, claim: &str) -> PathBuf {
    let parent =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/deepseek-v3/h800.toml");
    let parent = parent.canonicalize().expect("the flagship");
    let path = folder.join("own.toml");
    let text = format!("extends = \"{}\"\n{claim}", parent.display());
    std::fs::write(&path, text).expect("a temporary file");
    path
}

fn own(claim: &str) -> Vec<LedgerEntry> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = written(folder.path(), claim);
    judged(&[path], &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_claim_says_who_when_and_where() {
    let entries = shipped();
    assert!(entries.len() >= 12, "{}", entries.len());
    for entry in entries {
        for (what, text) in [
            ("who", &entry.who),
            ("date", &entry.date),
            ("source", &entry.source),
        ] {
            assert!(!text.is_empty(), "{}: no {what}", entry.id);
        }
        assert!(!entry.reasons.is_empty(), "{}", entry.id);
        assert_ne!(
            entry.id, entry.quantity,
            "an id of its own: {}",
            entry.scenario
        );
        // What cannot be told says what is missing.
        if entry.verdict == Verdict::Undecidable {
            assert!(!entry.missing.is_empty(), "{}", entry.id);
        }
        if let (Some(low), Some(value), Some(high)) = (entry.low, entry.simulated, entry.high) {
            assert!(low <= value && value <= high, "{}", entry.id);
        }
    }
}

#[test]
fn the_page_is_what_the_ledger_says() {
    let shelved = ledger::find(&[]).expect("a ledger");
    let document = LedgerDocument::new("", &shelved, DRAWS, shipped().to_vec());
    let text = ledger::page(&document);
    let name = "docs/src/ledger.md";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    if std::env::var_os("STRAIT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == text,
        "{name} is out of date: STRAIT_UPDATE_DOCS=1 cargo test -p strait --test ledger"
    );
}

#[test]
fn the_program_carries_the_ledger() {
    let catalog = Catalog::embedded();
    let on_disk = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(ledger::FOLDER);
    let of = |files: &[PathBuf]| -> Vec<String> {
        let shelved = ledger::find(files).expect("a ledger");
        let books = ledger::load(&shelved, &catalog, &Overrides::default(), &[]);
        let books = books.unwrap_or_else(|error| panic!("{error}"));
        (books.iter().flat_map(|book| &book.claims))
            .map(|(claim, _)| claim.id.clone())
            .collect()
    };
    // Tests run in the crate's folder, where there is no scenarios/claims.
    assert_eq!(ledger::find(&[]).expect("a ledger").shelf, Shelf::Shipped);
    assert_eq!(of(&[]), of(&[on_disk]));
}

#[test]
fn a_figure_ten_times_too_good_is_refused_and_one_twice_too_dear_is_beyond_need() {
    // One file, so that the flagship is simulated once.
    let mut text = String::new();
    let mut expected = Vec::new();
    for entry in shipped() {
        let Some(simulated) = entry.simulated.filter(|_| entry.relation == "about") else {
            continue;
        };
        if !entry.scenario.contains("deepseek-v3-final") {
            continue;
        }
        let rate = entry.quantity.starts_with("mfu");
        let (unit, scale) = match entry.unit.as_str() {
            "USD" => ("USD", 1.0),
            "GPU h" => ("GPU-hours", 1.0),
            "d" => ("days", 1.0),
            "1" => ("%", 100.0),
            other => panic!("{other}"),
        };
        // A utilisation ten times as good would not be one.
        for (factor, dear) in [
            (if rate { 1.9 } else { 0.1 }, false),
            (if rate { 0.5 } else { 2.0 }, true),
        ] {
            text += &format!(
                "[[claim]]\nid = \"{}-{dear}\"\nquantity = \"{}\"\nvalue = \"{} {unit}\"\n",
                entry.id,
                entry.quantity,
                simulated * factor * scale,
            );
            expected.push(dear);
        }
    }
    let found = own(&text);
    assert!(found.len() >= 8, "{}", found.len());
    for (entry, dear) in found.iter().zip(expected) {
        let reason = &entry.reasons[0];
        match entry.verdict {
            Verdict::Implausible => assert_eq!(reason.contains("beyond need"), dear, "{reason}"),
            Verdict::Impossible => assert!(!dear, "{}: {reason}", entry.id),
            other => panic!("{}: {other:?}: {reason}", entry.id),
        }
    }
}

#[test]
fn claims_that_contradict_each_other_say_so() {
    let found = own(
        "[[claim]]\nid = \"slow\"\nquantity = \"gpu_hours\"\nvalue = \"2.7 M GPU-hours\"\n\
         [[claim]]\nid = \"fast\"\nquantity = \"days\"\nvalue = \"20 days\"\n\
         [[claim]]\nid = \"alike\"\nquantity = \"cost\"\nvalue = \"5.4 M USD\"\n",
    );
    let contradicts = |index: usize| {
        (found[index].reasons.iter())
            .find(|reason| reason.starts_with("contradicts"))
            .cloned()
            .unwrap_or_default()
    };
    assert!(contradicts(0).contains("fast") && !contradicts(0).contains("alike"));
    assert!(contradicts(1).contains("slow, alike"), "{}", contradicts(1));
    assert!(contradicts(2).contains("fast"));
}

#[test]
fn a_fleet_is_weighed_beside_the_run() {
    let found = own(
        "[[fleet]]\naccelerator = \"h800-sxm\"\ncount = 20480\nprice = \"30 to 40 K USD\"\n\
         [[claim]]\nid = \"share\"\nquantity = \"fleet_share\"\nvalue = \"10 %\"\n\
         [[claim]]\nid = \"price\"\nquantity = \"fleet_price\"\nvalue = \"700 M USD\"\n\
         [[claim]]\nid = \"size\"\nquantity = \"fleet_size\"\nvalue = \"20 K GPUs\"\n",
    );
    // Ten times the run's own chips: a tenth, whatever the simulation says.
    let share = found[0].simulated.expect("a share");
    assert!((share - 0.1).abs() < 1e-9, "{share}");
    assert_eq!(found[0].verdict, Verdict::Expected);
    let (low, high) = (found[1].low.expect("low"), found[1].high.expect("high"));
    assert!((low / (20480.0 * 30e3) - 1.0).abs() < 1e-9, "{low}");
    assert!((high / (20480.0 * 40e3) - 1.0).abs() < 1e-9, "{high}");
    assert_eq!(found[2].verdict, Verdict::Undecidable);
}

#[test]
fn claims_without_ids_get_some() {
    let found = own("[[claim]]\nquantity = \"days\"\nvalue = \"50 days\"\n\
         [[claim]]\nquantity = \"days\"\nvalue = \"60 days\"\n\
         [[claim]]\nquantity = \"goodput\"\nvalue = \"130 %\"\n");
    let ids: Vec<&str> = found.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["days", "own/days", "goodput"]);
    // Nothing trains more than all of the time.
    assert_eq!(
        found[2].verdict,
        Verdict::Impossible,
        "{:?}",
        found[2].reasons
    );
}

#[test]
fn what_is_not_asked_about_is_not_at_fault() {
    let catalog = Catalog::embedded();
    let shelved = ledger::find(&[]).expect("a ledger");
    // A800 and others of the ledger have no FP8.
    let overrides = Overrides {
        set: vec![("precision.recipe".to_owned(), "fp8-block".to_owned())],
        ..Overrides::default()
    };
    let all = ledger::load(&shelved, &catalog, &overrides, &[]);
    assert!(matches!(all, Err(LedgerError::Faults(_))));
    let only = ["v3-gpu-hours".to_owned()];
    let books = ledger::load(&shelved, &catalog, &overrides, &only);
    assert_eq!(books.unwrap_or_else(|error| panic!("{error}")).len(), 1);
    // One fault of the command line is told once.
    let bananas = Overrides {
        set: vec![("economics.rent".to_owned(), "bananas".to_owned())],
        ..Overrides::default()
    };
    match ledger::load(&shelved, &catalog, &bananas, &[]) {
        Err(LedgerError::Faults(faults)) => assert_eq!(faults.len(), 1),
        other => panic!("{:?}", other.map(|books| books.len())),
    }
}

#[test]
fn wrong_ledgers_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = judged(&[folder.path().to_path_buf()], &[]);
    assert!(matches!(empty, Err(LedgerError::Empty { .. })));
    let twice = "[[claim]]\nid = \"x\"\nquantity = \"days\"\nvalue = \"2 days\"\n";
    let path = written(folder.path(), &twice.repeat(2));
    assert!(matches!(
        judged(&[path], &[]),
        Err(LedgerError::Duplicate { .. })
    ));
    let unknown = judged(&[], &["v3-gpu-hour"]);
    assert!(unknown.is_ok(), "part of an id is enough");
    match judged(&[], &["v3-gpu-huors"]) {
        Err(LedgerError::Unknown { near, .. }) => {
            assert!(near.contains(&"v3-gpu-hours".to_owned()), "{near:?}");
        }
        other => panic!("{:?}", other.map(|entries| entries.len())),
    }
    let missing = judged(&[PathBuf::from("nowhere.toml")], &[]);
    assert!(matches!(missing, Err(LedgerError::Faults(_))));
}
