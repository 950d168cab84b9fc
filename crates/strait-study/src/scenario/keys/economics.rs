//! Keys of what a run costs and draws.
//!
//! In: nothing. Out: sections of the key table. Never reads a file.

use super::super::amount::Dimension;
use super::super::words::{BASES, DEPRECIATIONS, LINE_KINDS, MARKET};
use super::{Kind, Section, key, quantity, required, with};

/// A share of something, up to all of it.
const SHARE: Kind = Kind::Number { min: 0.0, max: 1.0 };
/// Some years; the least is a day.
const SPAN: Kind = quantity(Dimension::Days, 1.0, 36_525.0);
/// Money, from nothing on.
const MONEY: Kind = quantity(Dimension::Money, 0.0, 1e12);
/// A share of everything: what is left has to be more than nothing.
const OF_TOTAL: Kind = Kind::Number {
    min: 0.0,
    max: 0.99,
};
/// Draw of one accelerator.
const DRAW: Kind = quantity(Dimension::Power, 0.0, 100_000.0);

/// `[economics.ownership]`.
pub const OWNERSHIP: Section = Section {
    title: "[economics.ownership]",
    doc: "What owned accelerators cost: all prices but electricity, which follows the run. Given, it makes the basis \"own\".",
    keys: &[
        with(
            "method",
            Kind::Choice(DEPRECIATIONS),
            "straight-line",
            "the simplest rule, and what accounts show",
            "How servers and network lose their worth.",
        ),
        key(
            "bought",
            Kind::Date,
            "When servers were bought; without it in economics.year, and without that 90 days after the launch.",
        ),
        key(
            "server_price",
            quantity(Dimension::Money, 1.0, 1e10),
            "Price of one server with all its accelerators; without it the catalogue's of the nearest date.",
        ),
        with(
            "network_share",
            Kind::Number { min: 0.0, max: 0.9 },
            "",
            "the place's: 0.19",
            "Network between servers as a share of the price of both.",
        ),
        key(
            "endpoint_price",
            quantity(Dimension::Money, 0.0, 1e6),
            "Network between servers for each accelerator, such as \"4390 USD\" (arXiv:2505.09343, table 3: two layers), instead of network_share.",
        ),
        with(
            "lifetime",
            SPAN,
            "",
            "the place's: 5 years; read where method is straight-line",
            "How long servers and network are used, such as \"4 years\".",
        ),
        with(
            "resale",
            SHARE,
            "0",
            "no sourced value; read where method is straight-line",
            "Share of the price that is got back at the end of the lifetime.",
        ),
        with(
            "price_decline",
            Kind::Number {
                min: 0.001,
                max: 5.0,
            },
            "",
            "the place's: 0.3224, which is 0.14 orders of magnitude; read where method is declining",
            "Share of its value that hardware loses in a year, continuous.",
        ),
        with(
            "facility",
            quantity(Dimension::Money, 0.0, 1000.0),
            "",
            "the place's: 10 USD",
            "Shell, power supply and cooling for each watt of rated server power; \"0 USD\" leaves the building out.",
        ),
        with(
            "facility_lifetime",
            SPAN,
            "",
            "the place's: 15 years",
            "How long the building is used.",
        ),
        with(
            "maintenance",
            SHARE,
            "0",
            "no sourced value",
            "Repairs, spare parts and hands on the site, as a share of the hardware's price in a year.",
        ),
        with(
            "utilisation",
            Kind::Number {
                min: 0.01,
                max: 1.0,
            },
            "1",
            "the run pays for the hours that it holds, and for no others",
            "Share of the fleet's hours that somebody uses. Those who do pay for the hours that stand idle.",
        ),
    ],
};

/// `[economics.power]`.
pub const POWER: Section = Section {
    title: "[economics.power]",
    doc: "What one accelerator draws with its share of the server, by what it does.",
    keys: &[
        with(
            "loaded",
            DRAW,
            "",
            "the catalogue's share of rated server power (strait catalog list power)",
            "While it computes, such as \"870 W\".",
        ),
        with(
            "communication",
            DRAW,
            "",
            "the catalogue's share of rated server power",
            "While communication is waited for.",
        ),
        with(
            "idle",
            DRAW,
            "",
            "the catalogue's share of rated server power",
            "While there is nothing to do: bubbles, restarts, waiting for machines.",
        ),
        with(
            "network",
            DRAW,
            "",
            "the catalogue's, in proportion to network bandwidth; nothing on one server",
            "Its share of the switches between servers, at all times.",
        ),
    ],
};

/// `[economics.staff]`.
pub const STAFF: Section = Section {
    title: "[economics.staff]",
    doc: "People, as a line of the cost: either heads, years and a price, or a share of everything.",
    keys: &[
        key(
            "people",
            Kind::Number { min: 0.0, max: 1e6 },
            "Heads, whole or in part.",
        ),
        key("time", SPAN, "How long, such as \"1 year\"."),
        key(
            "cost_per_year",
            quantity(Dimension::Money, 0.0, 1e8),
            "All that one of them costs in a year: pay, shares, overhead. No default: there is no sourced one.",
        ),
        key(
            "share_of_total",
            OF_TOTAL,
            "Share of everything, this line included; Epoch AI found 0.29 to 0.49 for key frontier models (arXiv:2405.21015).",
        ),
        required("why", Kind::Text, "Why so much."),
        key("source", Kind::Text, "Who says so."),
    ],
};

/// `[[economics.line]]`.
pub const LINE: Section = Section {
    title: "[[economics.line]]",
    doc: "Something beyond the run that was paid for: one of value, times_final_run, share_of_total.",
    keys: &[
        required("name", Kind::Text, "Name; unique in the case."),
        with(
            "kind",
            Kind::Choice(LINE_KINDS),
            "other",
            "only answers use it, to group lines",
            "What it is about.",
        ),
        key("value", MONEY, "So much, such as \"10 k USD\"."),
        key(
            "times_final_run",
            Kind::Number { min: 0.0, max: 1e4 },
            "So many times the accelerator-hours of the run, at their price.",
        ),
        key(
            "share_of_total",
            OF_TOTAL,
            "A share of everything, this line included.",
        ),
        required("why", Kind::Text, "Why so much."),
        key("source", Kind::Text, "Who says so."),
    ],
};

/// `[economics]`.
pub const ECONOMICS: Section = Section {
    title: "[economics]",
    doc: "Prices and power.",
    keys: &[
        with(
            "rent",
            Kind::WordOrQuantity {
                words: MARKET,
                dimension: Dimension::PricePerHour,
                min: 0.001,
                max: 10_000.0,
            },
            "",
            "the catalogue's rent of this accelerator, else 2 USD/h, DeepSeek's own assumption",
            "Rent of one accelerator, such as \"2 USD/h\".",
        ),
        key(
            "year",
            Kind::Date,
            "When the run started, a year or a date: for rent = \"market\", and for what owned hardware is still worth.",
        ),
        with(
            "basis",
            Kind::Choice(BASES),
            "",
            "own where [economics.ownership] is given, else rent",
            "Whether accelerators are rented or owned.",
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
        key(
            "load_factor",
            Kind::Number { min: 0.0, max: 1.5 },
            "Average draw over rated server power, whatever is done; without it power follows what accelerators do.",
        ),
        with(
            "electricity",
            quantity(Dimension::PricePerEnergy, 0.0, 1e-4),
            "",
            "the place's",
            "Price of electricity. Rent includes it; on owned accelerators it is a part of the cost.",
        ),
        key("power", Kind::Table(&POWER), POWER.doc),
        key("ownership", Kind::Table(&OWNERSHIP), OWNERSHIP.doc),
        key("staff", Kind::Table(&STAFF), STAFF.doc),
        key("line", Kind::Tables(&LINE), LINE.doc),
    ],
};
