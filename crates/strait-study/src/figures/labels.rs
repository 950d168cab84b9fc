//! Places for names beside dots.
//!
//! In: dots, and the words to put beside some of them. Out: places where no word lies on another
//! or on a dot. Never moves a dot, and gives no place rather than a bad one.

use super::theme::{Anchor, Type, width};

/// Half the height of a word in sizes of its type.
const HALF: f64 = 0.58;
/// Room about a dot.
const CLEAR: f64 = 4.5;

/// A dot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Its centre.
    pub at: (f64, f64),
    /// It stands for one that lies beyond the axes.
    pub beyond: bool,
}

/// Left, top, right and bottom.
type Rectangle = (f64, f64, f64, f64);

/// What is taken of a plot.
pub(super) struct Labels<'a> {
    plot: Rectangle,
    spots: &'a [Spot],
    words: Vec<Rectangle>,
}

impl<'a> Labels<'a> {
    /// A plot with its dots.
    pub fn new(plot: Rectangle, spots: &'a [Spot]) -> Labels<'a> {
        Labels {
            plot,
            spots,
            words: Vec::new(),
        }
    }

    /// Takes a place, if it is free.
    pub fn take(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str, font: Type) -> bool {
        let long = width(text, font);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - long / 2.0,
            Anchor::End => x - long,
        };
        let half = HALF * font.size;
        let place = (left, y - half, left + long, y + half);
        let free = within(place, self.plot)
            && !self.words.iter().any(|other| overlap(place, *other))
            && !self.spots.iter().any(|spot| {
                let (x, y) = spot.at;
                overlap(place, (x - CLEAR, y - CLEAR, x + CLEAR, y + CLEAR))
            });
        if free {
            // Words that are read one by one need air between them.
            self.words
                .push((place.0 - 4.0, place.1, place.2 + 4.0, place.3));
        }
        free
    }

    /// Takes the first free place beside a dot: its middle height and anchor.
    pub fn beside(
        &mut self,
        (x, y): (f64, f64),
        text: &str,
        font: Type,
    ) -> Option<((f64, f64), Anchor)> {
        let (near, high) = (CLEAR + 1.5, CLEAR + 1.0 + HALF * font.size);
        let places = [
            ((x + near, y), Anchor::Start),
            ((x - near, y), Anchor::End),
            ((x, y - high), Anchor::Middle),
            ((x, y + high), Anchor::Middle),
            ((x + 3.0, y - high), Anchor::Start),
            ((x - 3.0, y - high), Anchor::End),
            ((x + 3.0, y + high), Anchor::Start),
            ((x - 3.0, y + high), Anchor::End),
        ];
        (places.into_iter()).find(|(at, anchor)| self.take(*at, *anchor, text, font))
    }
}

fn within(a: Rectangle, b: Rectangle) -> bool {
    a.0 >= b.0 && a.1 >= b.1 && a.2 <= b.2 && a.3 <= b.3
}

fn overlap(a: Rectangle, b: Rectangle) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::theme::colour;

    #[test]
    fn names_lie_on_nothing() {
        let spots: Vec<Spot> = (0..40)
            .map(|n| Spot {
                at: (f64::from(n * 37 % 200), f64::from(n * 53 % 100)),
                beyond: false,
            })
            .collect();
        let mut labels = Labels::new((0.0, 0.0, 200.0, 100.0), &spots);
        let font = Type::new(10.0, colour::INK);
        let found = (spots.iter()).filter(|spot| labels.beside(spot.at, "n1", font).is_some());
        let found = found.count();
        assert!(found > 3 && labels.words.len() == found, "{found}");
        for (index, word) in labels.words.iter().enumerate() {
            for other in &labels.words[..index] {
                // Their air may touch.
                assert!(!overlap(
                    (word.0 + 4.0, word.1, word.2 - 4.0, word.3),
                    *other
                ));
            }
        }
        let full = Spot {
            at: (100.0, 50.0),
            beyond: false,
        };
        let spots = [full; 1];
        let mut labels = Labels::new((90.0, 45.0, 110.0, 55.0), &spots);
        assert!(labels.beside(full.at, "no room", font).is_none());
    }
}
