//! A figure as part of a page: its words apart from its picture.
//!
//! In: the SVG of a figure. Out: title, subtitle and source as text, which a page sets in its own type, and
//! the picture that is left. Never changes what is drawn.

use super::theme::{MARGIN, NOTE, SCALE, SUBTITLE, TITLE, Type, WIDTH};

/// A figure whose words stand beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The finding.
    pub title: String,
    /// Measure and unit.
    pub subtitle: String,
    /// Where the data comes from.
    pub source: String,
    /// Elements of the picture, without the `svg` element around them.
    pub body: String,
    /// The part of the drawing that they fill: `x y width height`.
    pub view_box: String,
}

/// A text element: where it is, its size, its words.
struct Words {
    from: usize,
    to: usize,
    x: f64,
    y: f64,
    size: f64,
    bold: bool,
    text: String,
}

/// Splits a figure that [`super`] has drawn; `None` where it is laid out in another way.
pub fn split(svg: &str) -> Option<Parts> {
    let (head, rest) = svg.split_once('>')?;
    let whole: f64 = attribute(head, "viewBox")?
        .split(' ')
        .nth(3)?
        .parse()
        .ok()?;
    let rest = rest.trim_end().strip_suffix("</svg>")?;
    let words = words(rest)?;
    let is = |w: &Words, font: Type, bold: bool| {
        w.x == (MARGIN * SCALE).round()
            && (w.size - font.size * SCALE).abs() < 1e-6
            && w.bold == bold
    };
    let at = |y: f64| (y * SCALE).round();
    // The words of the frame are drawn first, one line after the other, and the source last.
    let mut y = MARGIN + 8.0;
    let mut next = 0;
    let mut take = |font: Type, bold: bool, step: f64| {
        let mut lines = Vec::new();
        while let Some(line) = words
            .get(next)
            .filter(|w| is(w, font, bold) && w.y == at(y))
        {
            lines.push(line.text.clone());
            y += step;
            next += 1;
        }
        lines.join(" ")
    };
    let title = take(TITLE, true, 24.0);
    let subtitle = take(SUBTITLE, false, 18.0);
    let top = y + 4.0 - 12.0;
    let mut last = words.len();
    let mut source: Vec<String> = Vec::new();
    while last > next {
        let line = &words[last - 1];
        let follows = source.is_empty() || words[last].y == line.y + at(15.0);
        if !(is(line, NOTE, false) && follows) {
            break;
        }
        source.insert(0, line.text.clone());
        last -= 1;
    }
    if title.is_empty() || source.is_empty() {
        return None;
    }
    let bottom = words[last].y / SCALE - 20.0 + 10.0;
    let mut body = String::with_capacity(rest.len());
    let mut kept = 0;
    for line in words[..next].iter().chain(&words[last..]) {
        body += &rest[kept..line.from];
        kept = line.to;
    }
    body += &rest[kept..];
    let tall = at(bottom.min(whole / SCALE) - top);
    Some(Parts {
        title,
        subtitle,
        source: source.join(" "),
        body: body.trim().to_owned(),
        view_box: format!("0 {} {} {tall}", at(top), at(WIDTH)),
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

fn words(svg: &str) -> Option<Vec<Words>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = svg[at..].find("<text ") {
        let from = at + start;
        let (tag, _) = svg[from..].split_once('>')?;
        let open = from + tag.len() + 1;
        let close = open + svg[open..].find("</text>")?;
        let number = |name: &str| attribute(tag, name).and_then(|v| v.parse::<f64>().ok());
        at = close + "</text>".len();
        found.push(Words {
            from,
            to: at,
            x: number("x")?,
            y: number("y")?,
            size: number("font-size")?,
            bold: tag.contains("font-weight=\"bold\""),
            text: plain(svg[open..close].trim()),
        });
    }
    Some(found)
}

/// Text without the escapes of XML.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(escape, letter);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::sample;

    #[test]
    fn words_and_picture_of_every_figure_come_apart() {
        let mut answer = sample::answer();
        sample::with_lines(&mut answer.cases[0].outcome);
        answer.cases[0].setting.name = "a <&\"'> case".to_owned();
        answer.cases[0].setting.model = "M <&\"'>".to_owned();
        answer.cases.push(sample::case_answer(sample::faster()));
        answer.question.command = "strait run 'a <&> b.toml' ".to_owned() + &"--case x ".repeat(40);
        let files = super::super::draw(&answer, &"0".repeat(64)).unwrap();
        let mut seen = 0;
        for (name, svg) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
            let parts = split(svg).unwrap_or_else(|| panic!("{name} is one piece"));
            assert!(
                parts.source.contains("Source: "),
                "{name}: {}",
                parts.source
            );
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let command = words(&answer.question.command);
            let source = words(&parts.source);
            assert!(
                source.windows(command.len()).any(|w| *w == command),
                "{name}: {source:?}"
            );
            assert!(parts.subtitle.len() > 10 && !parts.body.contains(&parts.subtitle));
            let lost = svg.matches("<text").count() - parts.body.matches("<text").count();
            assert!(lost >= 3, "{name}: {lost}");
            assert_eq!(
                svg.matches("<rect").count(),
                parts.body.matches("<rect").count()
            );
            // All that is left lies in the part that is shown.
            let numbers: Vec<f64> = (parts.view_box.split(' '))
                .map(|n| n.parse().unwrap())
                .collect();
            for w in super::words(&parts.body).unwrap() {
                let (y, half) = (w.y, w.size / 2.0);
                assert!(
                    y - half >= numbers[1] - 1.0 && y + half <= numbers[1] + numbers[3] + 1.0,
                    "{name}: {} at {y} is outside of {}",
                    w.text,
                    parts.view_box
                );
            }
            seen += 1;
        }
        // Steps, pipelines, metrics beside each other, and the waterfall.
        assert_eq!(seen, 4);
        assert_eq!(split("<svg></svg>"), None);
        assert_eq!(split("no picture"), None);
    }
}
