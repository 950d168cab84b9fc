//! Keys of what a run costs.
//!
//! In: nothing. Out: a section of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::{Kind, Section, quantity, with};

/// `[economics]`.
pub const ECONOMICS: Section = Section {
    title: "[economics]",
    doc: "Prices and power.",
    keys: &[
        with(
            "rent",
            quantity(Dimension::PricePerHour, 0.001, 10_000.0),
            "",
            "the catalogue's rent of this accelerator, else 2 USD/h, DeepSeek's own assumption",
            "Rent of one accelerator, such as \"2 USD/h\".",
        ),
        with(
            "place",
            Kind::Catalogue("economics"),
            "default",
            "a large site in the United States",
            "Place whose power and prices hold where the keys below aren't given.",
        ),
        with(
            "pue",
            Kind::Number { min: 1.0, max: 5.0 },
            "",
            "the place's",
            "Facility power over IT power.",
        ),
        with(
            "load_factor",
            Kind::Number { min: 0.0, max: 1.5 },
            "",
            "the place's",
            "Average draw over rated power while training.",
        ),
        with(
            "electricity",
            quantity(Dimension::PricePerEnergy, 0.0, 1e-4),
            "",
            "the place's",
            "Price of electricity; for information, since rent includes it.",
        ),
    ],
};
