//! Holds what a page shows of a command's output against what it printed.
//!
//! In: shown lines and printed lines. Out: whether they agree; or the shown lines brought up to date. Never runs
//! anything.
//!
//! `…` alone on a line stands for any number of lines, within a line for any characters.

/// What stands for anything.
const ANY: &str = "…";

/// Whether the printed lines are what the page shows.
pub fn agrees(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return printed.is_empty();
    };
    if first.trim() == ANY {
        return (0..=printed.len()).any(|skipped| agrees(rest, &printed[skipped..]));
    }
    match printed.split_first() {
        Some((line, others)) => line_agrees(first, line) && agrees(rest, others),
        None => false,
    }
}

/// Whether a line is what the page shows.
fn line_agrees(shown: &str, printed: &str) -> bool {
    let printed = printed.trim_end();
    let mut pieces = shown.trim_end().split(ANY);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(middle) = last.replace(piece) {
            match rest.find(middle) {
                Some(place) => rest = &rest[place + middle.len()..],
                None => return false,
            }
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

/// The shown lines with today's figures: each run of lines between two `…` is found by its first line, whose figures
/// and bars may differ, and copied at its length. None where a run is not found.
pub fn renewed(shown: &[String], printed: &[String]) -> Option<Vec<String>> {
    let mut renewed = Vec::new();
    let mut place = 0;
    let mut free = false;
    let mut index = 0;
    while index < shown.len() {
        if shown[index].trim() == ANY {
            renewed.push(shown[index].clone());
            free = true;
            index += 1;
            continue;
        }
        let length = (shown[index..].iter())
            .take_while(|line| line.trim() != ANY)
            .count();
        if free {
            let wanted = letters(&shown[index]);
            place += printed[place..]
                .iter()
                .position(|line| letters(line) == wanted)?;
        }
        for offset in 0..length {
            let (old, new) = (&shown[index + offset], printed.get(place + offset)?);
            let kept = line_agrees(old, new);
            renewed.push(if kept {
                old.clone()
            } else {
                new.trim_end().to_owned()
            });
        }
        place += length;
        index += length;
        free = false;
    }
    agrees(&renewed, printed).then_some(renewed)
}

/// What is left of a line without its figures, bars and blanks.
fn letters(line: &str) -> String {
    line.chars()
        .filter(|letter| letter.is_alphabetic())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_differs_is_seen() {
        let printed = lines("a step takes 2.4 s\nforward  0.8 s\nbackward 1.6 s\n\nend");
        for (shown, expected) in [
            ("a step takes 2.4 s\n…", true),
            ("a step takes 2.5 s\n…", false),
            ("a step takes … s\n…\nend", true),
            ("a step takes 2.4 s", false),
            ("…\nforward  0.8 s\n…", true),
            ("…\nforward  0.9 s\n…", false),
            ("…\nforward  0.8 s\nend", false),
            ("…\nbackward …\n\nend", true),
            ("…", true),
            ("a…takes…s\n…", true),
            ("a…takes…s.\n…", false),
            ("", false),
        ] {
            assert_eq!(agrees(&lines(shown), &printed), expected, "{shown}");
        }
    }

    #[test]
    fn figures_are_renewed_and_the_rest_is_left() {
        let printed =
            lines("a step takes 2.4 s\nforward  0.8 s ███\nbackward 1.6 s █████\n\nend 7");
        let shown = lines("…\nforward  0.7 s ██\nbackward 1.… s █████\n…\nend 6");
        let renewed = renewed(&shown, &printed).expect("it is found");
        assert_eq!(
            renewed,
            lines("…\nforward  0.8 s ███\nbackward 1.… s █████\n…\nend 7")
        );
        assert_eq!(super::renewed(&lines("…\nsideways 3 s\n…"), &printed), None);
    }
}
