//! What a rule costs.

mod steps;

use std::sync::atomic::AtomicBool;
use strait_study::answer::text::{Detail, TextStyle};
use strait_study::catalog::Catalog;
use strait_study::rules::cost::{Cost, Request, cost, text};
use strait_study::rules::{Destination, RuleBook};
use strait_study::search::Workers;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn study(file: &str, threads: usize) -> Cost {
    let case = steps::case(file, &[]);
    let catalog = Catalog::embedded();
    let book = RuleBook::of(&catalog).expect("rules");
    cost(&Request {
        scenario: file,
        case: &case,
        catalog: &catalog,
        book: &book,
        own: &[],
        to: Destination::China,
        workers: Workers {
            threads,
            cancel: &GO_ON,
        },
        progress: &|_, _| {},
    })
    .unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn try_it() {
    for file in ["deepseek-v3/h800.toml", "llama3-405b/16k-gpus.toml"] {
        let start = std::time::Instant::now();
        let answer = study(file, 2);
        println!(
            "{}",
            text(
                &answer,
                TextStyle {
                    detail: Detail::Full,
                    styled: false
                }
            )
        );
        println!("{file}: {:?}", start.elapsed());
    }
}
