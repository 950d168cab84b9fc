//! What every figure is held to, for tests.
//!
//! In: SVG. Out: nothing, or a panic that says what is wrong. Never reads files; writes a gallery to look at only
//! where `STRAIT_GALLERY` names a folder.

use super::theme;

/// Writes a figure for people to look at.
pub(super) fn gallery(name: &str, contents: &str) {
    if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
        std::fs::write(std::path::Path::new(&folder).join(name), contents).unwrap();
    }
}

/// Draws twice, holds the figure to everything, and gives its CSV.
pub(super) fn sound(
    name: &str,
    draw: &dyn Fn() -> Result<Option<(String, String)>, super::DrawError>,
) -> String {
    let (svg, csv) = draw().unwrap().expect("there is something to draw");
    assert!(
        draw().unwrap().unwrap() == (svg.clone(), csv.clone()),
        "other bytes"
    );
    gallery(&format!("{name}.svg"), &svg);
    well_formed(&svg);
    legible(&svg);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().len();
    for record in reader.records() {
        assert_eq!(record.expect("a record").len(), columns);
    }
    csv
}

/// All words of a figure in one line.
pub(super) fn said(svg: &str) -> String {
    let words: Vec<String> = words(svg).into_iter().map(|(_, text)| text).collect();
    words.join(" ").replace('\u{a0}', " ")
}

/// Names that break careless writers.
pub(super) const HOSTILE: [&str; 7] = [
    "h800 <&\"'>, \u{1}",
    "h100",
    "a name that never ends a name that never ends a name that never ends a name that never ends",
    "模型模型模型模型模型模型",
    "]]> -- <!--",
    "",
    "a\nb",
];

/// Every tag closes, attributes hold no bare markup, and texts lie on the canvas.
pub(super) fn well_formed(svg: &str) {
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

/// Boxes of all words, from what the drawing says and their estimated widths.
fn words(svg: &str) -> Vec<((f64, f64, f64, f64), String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag
            .split_once(&format!(" {name}=\""))
            .expect("an attribute");
        rest.split('"').next().unwrap().to_owned()
    };
    (svg.split("<text").skip(1))
        .map(|piece| {
            let (tag, rest) = piece.split_once('>').unwrap();
            let text = rest.split('<').next().unwrap().trim();
            let text = text
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&amp;", "&");
            let number = |name| attribute(tag, name).parse::<f64>().unwrap() / 8.0;
            let mut font = theme::Type::new(number("font-size"), theme::colour::INK);
            font.bold = tag.contains("bold");
            let (x, y, long) = (number("x"), number("y"), theme::width(&text, font));
            let left = match attribute(tag, "text-anchor").as_str() {
                "start" => x,
                "middle" => x - long / 2.0,
                _ => x - long,
            };
            let half = font.size * 0.5;
            ((left, y - half, left + long, y + half), text)
        })
        .collect()
}

/// No word lies on another or leaves the canvas.
pub(super) fn legible(svg: &str) {
    let words = words(svg);
    for (index, (a, text)) in words.iter().enumerate() {
        assert!(a.0 >= 0.0 && a.2 <= theme::WIDTH + 1.0, "{text} {a:?}");
        for (b, other) in &words[..index] {
            let apart = a.0 >= b.2 || b.0 >= a.2 || a.1 >= b.3 || b.1 >= a.3;
            assert!(apart, "{text} lies on {other}: {a:?} {b:?}");
        }
    }
}
