//! A figure as a picture.
//!
//! In: the SVG of a figure. Out: a PNG with the letters of an embedded font (Inter), whatever fonts the machine
//! has. Never reads a file, a font of the machine, or anything that an SVG refers to.

use super::DrawError;

/// The largest number of pixels in one of the figure.
pub const LARGEST_SCALE: f64 = 8.0;

/// Draws an SVG; `scale` pixels stand for one of its own, so that 2 is sharp on a dense screen.
///
/// # Errors
/// An SVG that is none, a scale that is not between 0.1 and [`LARGEST_SCALE`], or a build without this feature.
#[cfg(feature = "png")]
pub fn png(svg: &str, scale: f64) -> Result<Vec<u8>, DrawError> {
    use resvg::{tiny_skia, usvg};
    use std::sync::Arc;
    let fail = |reason: String| DrawError {
        figure: "png",
        reason,
    };
    if !(0.1..=LARGEST_SCALE).contains(&scale) {
        return Err(fail(format!(
            "a scale of {scale} is not between 0.1 and {LARGEST_SCALE}"
        )));
    }
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../../assets/fonts/Inter-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../../assets/fonts/Inter-Bold.ttf").to_vec());
    // The names that an SVG asks for end in this family, and the machine's own are not loaded.
    fonts.set_sans_serif_family("Inter");
    let options = usvg::Options {
        fontdb: Arc::new(fonts),
        font_family: "Inter".to_owned(),
        // Figures refer to no pictures, and nothing that one may be made to refer to is read.
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| fail(error.to_string()))?;
    let pixels = |length: f32| (f64::from(length) * scale).ceil().clamp(1.0, 32_768.0) as u32;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let mut picture = tiny_skia::Pixmap::new(width, height)
        .ok_or_else(|| fail(format!("{width} by {height} pixels are too many")))?;
    let transform = tiny_skia::Transform::from_scale(scale as f32, scale as f32);
    resvg::render(&tree, transform, &mut picture.as_mut());
    picture
        .encode_png()
        .map_err(|error| fail(error.to_string()))
}

/// Says that this build has no PNG.
///
/// # Errors
/// Always.
#[cfg(not(feature = "png"))]
pub fn png(_svg: &str, _scale: f64) -> Result<Vec<u8>, DrawError> {
    Err(DrawError {
        figure: "png",
        reason: "this build was made without the feature `png`".to_owned(),
    })
}

#[cfg(all(test, feature = "png"))]
mod tests {
    use super::*;
    use crate::answer::sample;
    use crate::figures::draw;

    /// Width and height as the header of a PNG states them.
    fn size(png: &[u8]) -> (u32, u32) {
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    }

    #[test]
    fn a_figure_is_a_picture_of_its_size() {
        let files = draw(&sample::answer(), "").unwrap();
        let svg = &files[0].1;
        let (small, large) = (png(svg, 1.0).unwrap(), png(svg, 2.0).unwrap());
        let (w, h) = size(&small);
        assert_eq!(w, 960);
        assert_eq!(size(&large), (1920, 2 * h));
        assert!(png(svg, 1.0).unwrap() == small, "other bytes");
        if let Some(folder) = std::env::var_os("STRAIT_GALLERY") {
            std::fs::write(
                std::path::Path::new(&folder).join("decomposition.png"),
                &large,
            )
            .unwrap();
        }
    }

    #[test]
    fn letters_are_drawn() {
        let text = |word: &str, weight: &str| {
            format!(
                "<svg width=\"90\" height=\"30\" xmlns=\"http://www.w3.org/2000/svg\"><text x=\"5\" y=\"20\" \
                 font-family=\"Helvetica Neue, Arial, sans-serif\" font-size=\"16\"{weight}>{word}</text></svg>"
            )
        };
        let empty = png(&text("", ""), 1.0).unwrap();
        let plain = png(&text("≤ 5 %", ""), 1.0).unwrap();
        let bold = png(&text("≤ 5 %", " font-weight=\"bold\""), 1.0).unwrap();
        assert!(plain != empty && bold != plain && bold != empty);
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        for bad in [
            "",
            "<svg",
            "<html></html>",
            "<svg width=\"-1\" height=\"0\"/>",
        ] {
            assert!(png(bad, 1.0).is_err(), "{bad}");
        }
        let fine = "<svg width=\"9\" height=\"9\" xmlns=\"http://www.w3.org/2000/svg\"/>";
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 9.0] {
            assert!(png(fine, scale).is_err(), "{scale}");
        }
        // Nothing outside is read.
        let outside = "<svg width=\"9\" height=\"9\" xmlns=\"http://www.w3.org/2000/svg\">\
                       <image href=\"/etc/hostname\" width=\"9\" height=\"9\"/></svg>";
        assert!(png(outside, 1.0).is_ok());
    }
}
