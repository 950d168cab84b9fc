//! Figures: SVG that states its finding, with its data as CSV beside it.
//!
//! In: an [`Answer`]. Out: file names and contents. Never writes files, and never draws
//! anything that the CSV beside it does not hold.

mod decomposition;
mod gantt;
mod theme;

use crate::answer::Answer;

/// A figure could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("can't draw `{figure}`: {reason}")]
pub struct DrawError {
    /// Name of the figure.
    pub figure: &'static str,
    /// What the drawing library said.
    pub reason: String,
}

/// All figures of an answer, as `(file name, contents)`. Figures without data are left out.
///
/// # Errors
/// A figure that could not be drawn.
pub fn draw(answer: &Answer, digest: &str) -> Result<Vec<(String, String)>, DrawError> {
    let mut files = Vec::new();
    for (name, figure) in [
        (decomposition::NAME, decomposition::draw(answer, digest)?),
        (gantt::NAME, gantt::draw(answer, digest)?),
    ] {
        if let Some((svg, csv)) = figure {
            files.push((format!("{name}.svg"), svg));
            files.push((format!("{name}.csv"), csv));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;

    fn several(count: usize) -> Answer {
        let mut answer = sample::answer();
        for index in 1..count {
            let mut case = sample::case_answer(sample::faster());
            if index > 1 {
                case.setting.name = format!("variant-{index} <&\"'>");
            }
            if index == 2 {
                // Another schedule: no pairs, other kinds of bars.
                case.outcome.step.bars = sample::one_f_one_b_bars(8, 40);
                let breakdown = &mut case.outcome.step.breakdown;
                std::mem::swap(&mut breakdown.overlapped, &mut breakdown.backward_input);
            }
            answer.cases.push(case);
        }
        answer
    }

    /// Every tag closes, attributes hold no bare markup, and texts lie on the canvas.
    fn well_formed(svg: &str) {
        let mut open: Vec<&str> = Vec::new();
        for piece in svg.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a tag ends");
            assert!(!text.contains('>') && !tag.contains('\n'), "{piece}");
            for entity in text.split('&').skip(1) {
                assert!(entity.contains(';'), "bare ampersand in {text}");
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap());
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn figures_are_well_formed_with_hostile_names() {
        for count in [1, 2, 3, 9] {
            let files = draw(&several(count), &"0".repeat(64)).unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(
                names,
                [
                    "step-decomposition.svg",
                    "step-decomposition.csv",
                    "pipeline.svg",
                    "pipeline.csv"
                ]
            );
            for (name, contents) in &files {
                if name.ends_with(".svg") {
                    well_formed(contents);
                    assert!(contents.starts_with("<svg width=\"960\" height="), "{name}");
                }
            }
            if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
                for (name, contents) in &files {
                    let path = std::path::Path::new(&folder).join(format!("{count}-{name}"));
                    std::fs::write(path, contents).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_data_beside_a_figure_sums_to_the_step() {
        let files = draw(&several(2), "").unwrap();
        let sum: f64 = (files[1].1.lines().skip(1))
            .filter(|line| line.starts_with("h800,"))
            .map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap())
            .sum();
        assert!((sum - 19.926).abs() < 1e-9, "{sum}");
        let bars = files[3].1.lines().count() - 1;
        let answer = several(2);
        let drawn: usize = answer.cases.iter().map(|c| c.outcome.step.bars.len()).sum();
        assert_eq!(bars, drawn);
    }

    #[test]
    fn without_a_step_there_is_no_figure() {
        let mut answer = sample::answer();
        answer.cases[0].outcome = Default::default();
        assert!(draw(&answer, "").unwrap().is_empty());
    }

    #[test]
    fn the_same_answer_gives_the_same_bytes() {
        assert_eq!(
            draw(&several(3), "x").unwrap(),
            draw(&several(3), "x").unwrap()
        );
    }
}
