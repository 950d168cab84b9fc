//! Files that are no scenario: each is refused with its name and a remedy, and never read whole.

use std::path::Path;
use strait_study::catalog::Catalog;
use strait_study::scenario::{self, Overrides, Style, render_all};

fn refused(path: &Path, folder: &Path) -> String {
    match scenario::load(path, &Catalog::embedded(), &Overrides::default()) {
        Ok(_) => "accepted".to_owned(),
        Err(faults) => render_all(&faults, Style::Plain)
            .replace(&format!("{}/", folder.display()), "")
            .replace(&folder.display().to_string(), "FOLDER"),
    }
}

#[test]
fn no_such_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("h800.toml"), "").unwrap();
    insta::assert_snapshot!(refused(&folder.path().join("h80.toml"), folder.path()), @r"
    error[scenario::missing-file]: there is no file h80.toml
      = help: did you mean h800.toml?
      = help: paths are relative to the current folder; those in a scenario to their file
    ");
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("h800.toml"), "").unwrap();
    insta::assert_snapshot!(refused(folder.path(), folder.path()), @r"
    error[scenario::not-a-file]: FOLDER is a folder, not a scenario file
      = help: files in it: h800.toml
    ");
}

#[test]
fn an_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, " \n").unwrap();
    let text = refused(&path, folder.path());
    assert!(
        text.starts_with("error[scenario::empty-file]: the file is empty"),
        "{text}"
    );
    assert_eq!(text.matches("error[").count(), 1, "{text}");
    assert!(text.contains("help: start from"), "{text}");
}

#[test]
fn bytes_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, b"title = \"\xff\xfe\"\n").unwrap();
    insta::assert_snapshot!(refused(&path, folder.path()), @r"
    error[scenario::not-text]: a.toml is not UTF-8 text: byte 9 can't be read
      = help: save the file as UTF-8
    ");
}

#[test]
fn a_hundred_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    // A sparse file: refused by its size, before anything is read.
    std::fs::File::create(&path)
        .unwrap()
        .set_len(100_000_000)
        .unwrap();
    insta::assert_snapshot!(refused(&path, folder.path()), @r"
    error[scenario::too-large]: a.toml has 100.0 MB, more than a scenario can have (4.2 MB)
      = help: is this the right file?
    ");
}

#[test]
fn a_chain_that_is_too_deep() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..20 {
        let text = format!("extends = \"{}.toml\"\n", i + 1);
        std::fs::write(folder.path().join(format!("{i}.toml")), text).unwrap();
    }
    let text = refused(&folder.path().join("0.toml"), folder.path());
    assert!(text.contains("error[scenario::deep-extends]"), "{text}");
    assert!(text.contains("0.toml -> 1.toml -> 2.toml"), "{text}");
    assert!(!text.contains("17.toml ->"), "{text}");
}

#[test]
fn a_circle_through_another_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("a.toml"), "extends = \"sub/b.toml\"\n").unwrap();
    std::fs::write(
        folder.path().join("sub/b.toml"),
        "extends = \"../sub/../a.toml\"\n",
    )
    .unwrap();
    let text = refused(&folder.path().join("a.toml"), folder.path());
    assert!(text.contains("error[scenario::cyclic-extends]"), "{text}");
    assert!(text.contains("a.toml -> sub/b.toml -> a.toml"), "{text}");
}

#[test]
fn deep_nesting_and_odd_texts_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    let deep = format!("a = {}{}", "[".repeat(5000), "]".repeat(5000));
    let inline = format!("model = {}{}", "{a=".repeat(3000), "}".repeat(3000));
    let dotted = format!("{}b = 1", "a.".repeat(3000));
    for text in [
        deep.as_str(),
        &inline,
        &dotted,
        "\u{feff}title = \"x\"",
        "a = 1\r\n\r\nb = ",
        "\u{0}",
        "title = \"\u{1F600}\"\n[[case]]\nname=1\n[[claim]]\n[[training.phase]]\n",
        "case = 1\nclaim = [1, \"x\"]\ntraining = []\nmodel = 5\nset = {}",
        "[[case]]\nname = \"a\"\nset = { \"\" = 1, \".\" = 2, \"a..b\" = 3, \"training.phase\" = 4, \"training.phase.x\" = 5, \"model\" = 6 }",
    ] {
        std::fs::write(&path, text).unwrap();
        let text = refused(&path, folder.path());
        assert!(text.contains("error["), "{text}");
    }
}
