//! The look of every figure, and the canvas it is drawn on.
//!
//! In: shapes and words in pixels. Out: SVG text. Drawn at eight times its size because the
//! drawing library has whole coordinates only, and scaled back by the view box. Never uses
//! a font of the machine it runs on: words stay words, their widths are estimated.

use crate::answer::Question;
use crate::answer::format::wrap;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Drawing units in a pixel.
pub(super) const SCALE: f64 = 8.0;
/// Fonts in order of preference.
const FONTS: &str = "Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif";
/// The library divides font sizes by this before it writes them.
const FONT_FACTOR: f64 = 1.24;

/// Width of every figure in pixels.
pub(super) const WIDTH: f64 = 960.0;
/// Empty border in pixels.
pub(super) const MARGIN: f64 = 24.0;

/// Okabe and Ito's palette (2008), distinct for colour-blind readers, and greys.
pub(super) mod colour {
    use plotters::style::RGBColor;
    pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
    pub const FAINT: RGBColor = RGBColor(0x6b, 0x6b, 0x6b);
    pub const RULE: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
    pub const GROUND: RGBColor = RGBColor(0xe9, 0xe9, 0xe9);
    pub const GREY: RGBColor = RGBColor(0xbb, 0xbb, 0xbb);
    pub const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
    pub const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
    pub const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
    pub const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
    pub const NAVY: RGBColor = RGBColor(0x1d, 0x35, 0x57);
    pub const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
    pub const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
    pub const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
}

/// Black or white, whichever reads better on a colour.
pub(super) fn ink_on(ground: RGBColor) -> RGBColor {
    let RGBColor(r, g, b) = ground;
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if light > 130.0 {
        colour::INK
    } else {
        colour::WHITE
    }
}

/// A colour dark enough to be read as text on white.
pub(super) fn ink_of(hue: RGBColor) -> RGBColor {
    let RGBColor(r, g, b) = hue;
    let light =
        |f: f64| 0.299 * f64::from(r) * f + 0.587 * f64::from(g) * f + 0.114 * f64::from(b) * f;
    let mut share = 1.0;
    while light(share) > 105.0 {
        share -= 0.05;
    }
    let darker = |c: u8| (f64::from(c) * share).round() as u8;
    RGBColor(darker(r), darker(g), darker(b))
}

/// Where the given point of a text is, horizontally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Size, weight and colour of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub size: f64,
    pub bold: bool,
    pub colour: RGBColor,
}

impl Type {
    pub const fn new(size: f64, colour: RGBColor) -> Type {
        Type {
            size,
            bold: false,
            colour,
        }
    }

    pub const fn bold(self) -> Type {
        Type { bold: true, ..self }
    }
}

/// Estimated width of a text in pixels: the advance widths of DejaVu Sans by class of
/// character, the widest of the fonts named, so that a label is never longer than thought.
pub(super) fn width(text: &str, font: Type) -> f64 {
    let ems: f64 = (text.chars())
        .map(|c| match c {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.33,
            'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' => 0.41,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
            'A'..='Z' | '+' | '=' | '<' | '>' | '~' => 0.76,
            ' '..='~' => 0.64,
            '\u{2e80}'..='\u{ffff}' | '\u{1f000}'..='\u{3ffff}' => 1.05,
            _ => 0.76,
        })
        .sum();
    ems * font.size * if font.bold { 1.1 } else { 1.0 }
}

/// A text cut to a width, with an ellipsis where something is missing.
pub(super) fn fitted(text: &str, font: Type, limit: f64) -> String {
    if width(text, font) <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while !kept.is_empty() && width(&kept, font) + font.size * 0.8 > limit {
        kept.pop();
    }
    kept.trim_end().to_owned() + "…"
}

/// Centres of labels moved apart so that none overlap and all lie between `from` and `to`.
/// Labels come and go in order of their wished centres; `gap` pixels stay between them.
/// `None` if there is no room for all.
pub(super) fn apart(labels: &[(f64, f64)], from: f64, to: f64, gap: f64) -> Option<Vec<f64>> {
    let needed: f64 = labels.iter().map(|(_, width)| width).sum::<f64>()
        + gap * labels.len().saturating_sub(1) as f64;
    if needed > to - from {
        return None;
    }
    let mut centres: Vec<f64> = Vec::with_capacity(labels.len());
    let mut free = from;
    for (wish, width) in labels {
        let centre = wish.max(free + width / 2.0);
        centres.push(centre);
        free = centre + width / 2.0 + gap;
    }
    let mut limit = to;
    for (centre, (_, width)) in centres.iter_mut().zip(labels).rev() {
        *centre = centre.min(limit - width / 2.0);
        limit = *centre - width / 2.0 - gap;
    }
    Some(centres)
}

/// Round values from zero to at most `end`, about `count` of them, and their decimals.
pub(super) fn ticks(end: f64, count: usize) -> (Vec<f64>, usize) {
    if !end.is_finite() || end <= 0.0 {
        return (vec![0.0], 0);
    }
    let mut unit = 1.0;
    let mut decimals = 0;
    let rough = end / count as f64;
    while unit > rough {
        unit /= 10.0;
        decimals += 1;
    }
    while unit * 10.0 <= rough {
        unit *= 10.0;
    }
    let (step, finer) = [(1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0), (10.0, 0)]
        .into_iter()
        .find(|(m, _)| unit * m >= rough)
        .unwrap_or((10.0, 0));
    let step = unit * step;
    let extra = if unit <= 1.0 { finer } else { 0 };
    let mut values = Vec::new();
    let mut index = 0u32;
    while f64::from(index) * step <= end * (1.0 + 1e-9) {
        values.push(f64::from(index) * step);
        index += 1;
    }
    (values, decimals + extra)
}

/// What a drawing library error says.
type Drawn = Result<(), String>;

/// A drawing surface of [`WIDTH`] by some height, in pixels from the upper left corner.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
}

fn unit(pixels: f64) -> i32 {
    (pixels * SCALE).round() as i32
}

impl Canvas<'_> {
    pub fn rect(&self, x: f64, y: f64, w: f64, h: f64, fill: RGBColor) -> Drawn {
        let corners = [(unit(x), unit(y)), (unit(x + w), unit(y + h))];
        let shape = Rectangle::new(corners, fill.filled());
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    pub fn line(&self, from: (f64, f64), to: (f64, f64), stroke: f64, ink: RGBColor) -> Drawn {
        let points = [from, to].map(|(x, y)| (unit(x), unit(y)));
        let style = ink.stroke_width((stroke * SCALE).round() as u32);
        let shape = PathElement::new(points, style);
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// A line through points.
    pub fn path(&self, points: &[(f64, f64)], stroke: f64, ink: RGBColor) -> Drawn {
        if points.len() < 2 {
            return Ok(());
        }
        let points: Vec<_> = points.iter().map(|(x, y)| (unit(*x), unit(*y))).collect();
        let style = ink.stroke_width((stroke * SCALE).round() as u32);
        let shape = PathElement::new(points, style);
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// A straight line of dashes.
    pub fn dashes(&self, from: (f64, f64), to: (f64, f64), stroke: f64, ink: RGBColor) -> Drawn {
        const DASH: f64 = 6.0;
        const GAP: f64 = 4.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let long = libm::hypot(dx, dy);
        let mut at = 0.0;
        while at < long {
            let end = (at + DASH).min(long);
            let point = |d: f64| (from.0 + dx * d / long, from.1 + dy * d / long);
            self.line(point(at), point(end), stroke, ink)?;
            at += DASH + GAP;
        }
        Ok(())
    }

    /// A line of dashes through points.
    pub fn dashed(&self, points: &[(f64, f64)], stroke: f64, ink: RGBColor) -> Drawn {
        const DASH: f64 = 9.0;
        const GAP: f64 = 6.0;
        let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
        let mut left = DASH;
        let mut drawing = true;
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let long = libm::hypot(to.0 - from.0, to.1 - from.1);
            let mut at = 0.0;
            while long - at > left {
                at += left;
                let point = (
                    from.0 + (to.0 - from.0) * at / long,
                    from.1 + (to.1 - from.1) * at / long,
                );
                if drawing {
                    dash.push(point);
                    self.path(&dash, stroke, ink)?;
                }
                dash = vec![point];
                drawing = !drawing;
                left = if drawing { DASH } else { GAP };
            }
            left -= long - at;
            if drawing {
                dash.push(to);
            }
        }
        if drawing {
            self.path(&dash, stroke, ink)?;
        }
        Ok(())
    }

    /// A translucent area between points.
    pub fn tint(&self, points: &[(f64, f64)], fill: RGBColor, opacity: f64) -> Drawn {
        if points.len() < 3 {
            return Ok(());
        }
        let points: Vec<_> = points.iter().map(|(x, y)| (unit(*x), unit(*y))).collect();
        let shape = Polygon::new(points, fill.mix(opacity).filled());
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// A filled area between points.
    pub fn area(&self, points: &[(f64, f64)], fill: RGBColor) -> Drawn {
        let points: Vec<_> = points.iter().map(|(x, y)| (unit(*x), unit(*y))).collect();
        let shape = Polygon::new(points, fill.filled());
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// A filled circle, of some opacity.
    pub fn dot(&self, (x, y): (f64, f64), radius: f64, fill: RGBColor, opacity: f64) -> Drawn {
        let style = fill.mix(opacity).filled();
        let shape = Circle::new((unit(x), unit(y)), unit(radius), style);
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// The outline of a circle; what lies under it stays visible.
    pub fn ring(&self, (x, y): (f64, f64), radius: f64, stroke: f64, ink: RGBColor) -> Drawn {
        let style = ink.stroke_width((stroke * SCALE).round() as u32);
        let shape = Circle::new((unit(x), unit(y)), unit(radius), style);
        self.area.draw(&shape).map_err(|e| e.to_string())
    }

    /// A line of text with its middle (of the x-height) at `y`.
    pub fn text(&self, x: f64, y: f64, anchor: Anchor, font: Type, text: &str) -> Drawn {
        // XML 1.0 knows no control characters; the library escapes the rest.
        let clean: String = (text.chars())
            .map(|c| {
                if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        let style = if font.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let h = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let face = FontDesc::new(
            FontFamily::Name(FONTS),
            font.size * SCALE * FONT_FACTOR,
            style,
        );
        let style = TextStyle::from(face)
            .color(&font.colour)
            .pos(Pos::new(h, VPos::Center));
        let shape = Text::new(clean, (unit(x), unit(y)), style);
        self.area.draw(&shape).map_err(|e| e.to_string())
    }
}

/// The words around a figure.
pub(super) struct Frame {
    /// The finding.
    pub title: String,
    /// Measure and unit.
    pub subtitle: String,
    /// Where the data comes from, and the command that gives it again.
    pub source: String,
}

/// The source line of a simulation.
pub(super) fn source(question: &Question, digest: &str) -> String {
    let digest = digest.get(..12).unwrap_or(digest);
    format!(
        "Source: simulation by Strait {}, seed {}, digest {digest}. Reproduce: {}",
        question.version, question.seed, question.command
    )
}

pub(super) const TITLE: Type = Type::new(19.0, colour::INK).bold();
pub(super) const SUBTITLE: Type = Type::new(13.0, colour::FAINT);
pub(super) const NOTE: Type = Type::new(10.5, colour::FAINT);

/// Breaks a text into lines of at most the figure's width.
fn lines(text: &str, font: Type) -> Vec<String> {
    // A number stays on the line of its unit.
    let text = &(text.replace(|c: char| c.is_control(), " ")).replace(" %", "\u{a0}%");
    let mean = width("the mean of usual words", font) / 23.0;
    let columns = ((WIDTH - 2.0 * MARGIN) / mean) as usize;
    let long = (text.split(' ')).any(|word| word.chars().count() > columns);
    if long {
        // One overlong word, such as a path: cut by characters.
        let all: Vec<char> = text.chars().collect();
        return all.chunks(columns).map(|c| c.iter().collect()).collect();
    }
    let wrapped: Vec<String> = wrap(text, columns, 0).lines().map(str::to_owned).collect();
    let room = WIDTH - 2.0 * MARGIN;
    if wrapped.iter().all(|line| width(line, font) <= room) {
        return wrapped;
    }
    // Wide letters: break before what has no room.
    let mut found: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line, font) + width(word, font) + 5.0 > room {
            found.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for letter in word.chars() {
            if width(&line, font) + font.size * 1.1 > room {
                found.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    found.push(line);
    found
}

impl Frame {
    /// Draws the frame, and what `body` draws between its words. `body` is given the canvas
    /// and the vertical position at which it begins; `height` is how much it needs.
    pub fn draw(
        &self,
        height: f64,
        body: impl FnOnce(&Canvas<'_>, f64) -> Drawn,
    ) -> Result<String, String> {
        let title = lines(&self.title, TITLE);
        let subtitle = lines(&self.subtitle, SUBTITLE);
        let source = lines(&self.source, NOTE);
        let top = MARGIN + 24.0 * title.len() as f64 + 18.0 * subtitle.len() as f64 + 12.0;
        let whole = top + height + 16.0 + 15.0 * source.len() as f64 + MARGIN / 2.0;
        let mut svg = String::new();
        {
            let size = (unit(WIDTH) as u32, unit(whole) as u32);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&colour::WHITE).map_err(|e| e.to_string())?;
            let canvas = Canvas { area };
            let mut y = MARGIN + 8.0;
            for (all, font, step) in [(&title, TITLE, 24.0), (&subtitle, SUBTITLE, 18.0)] {
                for line in all {
                    canvas.text(MARGIN, y, Anchor::Start, font, line)?;
                    y += step;
                }
            }
            body(&canvas, top)?;
            let mut y = top + height + 20.0;
            for line in &source {
                canvas.text(MARGIN, y, Anchor::Start, NOTE, line)?;
                y += 15.0;
            }
            canvas.area.present().map_err(|e| e.to_string())?;
        }
        // The library writes one size for both the picture and its coordinates.
        let (w, h) = (unit(WIDTH), unit(whole));
        let large = format!("width=\"{w}\" height=\"{h}\"");
        let small = format!("width=\"{WIDTH}\" height=\"{}\"", whole.ceil());
        Ok(svg.replacen(&large, &small, 1))
    }
}

/// A field of a CSV file, quoted where it must be.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_move_apart_and_stay_inside() {
        let labels = [(10.0, 40.0), (12.0, 40.0), (95.0, 20.0)];
        let centres = apart(&labels, 0.0, 120.0, 2.0).unwrap();
        for (index, (centre, (_, width))) in centres.iter().zip(&labels).enumerate() {
            assert!(centre - width / 2.0 >= 0.0 && centre + width / 2.0 <= 120.0);
            if index > 0 {
                let before = centres[index - 1] + labels[index - 1].1 / 2.0;
                assert!(centre - width / 2.0 >= before + 2.0 - 1e-9);
            }
        }
        assert_eq!(apart(&labels, 0.0, 90.0, 2.0), None);
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            ticks(19.9, 8),
            (vec![0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5], 1)
        );
        assert_eq!(ticks(0.05, 5).1, 2);
        assert_eq!(ticks(0.0, 5).0, [0.0]);
        assert!(ticks(1234.0, 6).0.len() <= 8);
    }

    #[test]
    fn csv_fields_are_quoted_where_needed() {
        assert_eq!(field("a"), "a");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
