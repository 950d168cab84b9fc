//! Keys of `[sweep]`: what varies, and how.

use super::{Choice, Kind, Section, count, key, required, with};

/// Most cases of a sweep: at a millisecond each they take a day of one core.
pub const MAX_CASES: u64 = 100_000_000;

/// Most steps of one axis.
const MAX_STEPS: u64 = 100_000;

/// `[[sweep.axis.option]]`.
pub const OPTION: Section = Section {
    title: "[[sweep.axis.option]]",
    doc: "One of the options of a bundle: settings that change together.",
    keys: &[
        required("name", Kind::Text, "What tables and figures call it."),
        required(
            "set",
            Kind::Settings,
            "Scenario paths and the values they take with this option.",
        ),
    ],
};

/// `[[sweep.axis]]`.
pub const AXIS: Section = Section {
    title: "[[sweep.axis]]",
    doc: "What varies: values of a path, a span from one value to another, options that each set several paths, or the file's cases.",
    keys: &[
        key(
            "path",
            Kind::Text,
            "Scenario path that varies, such as cluster.nvlink_bandwidth. Alone, in the sampled modes: the range that the file gives there.",
        ),
        key(
            "name",
            Kind::Text,
            "What tables and figures call the axis; its path where not given.",
        ),
        key(
            "values",
            Kind::Values,
            "List of values, each as the path's own key accepts it.",
        ),
        key("from", Kind::Values, "First value of a span."),
        key("to", Kind::Values, "Last value of a span."),
        key(
            "steps",
            count(2, MAX_STEPS),
            "Values from first to last, both included; the sampled modes draw between them and need none.",
        ),
        with(
            "scale",
            Kind::Choice(SCALES),
            "linear",
            "equal differences",
            "How a span is divided.",
        ),
        key(
            "group",
            Kind::Text,
            "Axes of one group move together: their first values, their second values, and so on.",
        ),
        key(
            "option",
            Kind::Tables(&OPTION),
            "Options of a bundle, in place of a path.",
        ),
        key(
            "cases",
            Kind::Texts,
            "Cases of this file by name, in place of a path; [\"all\"] for all of them.",
        ),
    ],
};

/// `[sweep]`.
pub const SWEEP: Section = Section {
    title: "[sweep]",
    doc: "Many cases of one scenario: what varies, and how (`strait sweep`).",
    keys: &[
        with(
            "mode",
            Kind::Choice(MODES),
            "grid",
            "every combination",
            "How the values of the axes are combined.",
        ),
        key(
            "cases",
            count(1, MAX_CASES),
            "Cases of the sampled modes; a grid has as many as its axes make.",
        ),
        with(
            "ranges",
            Kind::Bool,
            "false",
            "only what the axes name varies",
            "Sampled modes: every value that the file gives as a range is an axis too.",
        ),
        with(
            "chance",
            Kind::Bool,
            "false",
            "cases without chance differ by their settings alone, and their ranks fold",
            "Simulate jitter, the spread of chips and sampled expert loads in each case.",
        ),
        key("axis", Kind::Tables(&AXIS), AXIS.doc),
    ],
};

const SCALES: &[Choice] = &[
    Choice {
        name: "linear",
        doc: "Equal differences.",
    },
    Choice {
        name: "log",
        doc: "Equal ratios.",
    },
];

const MODES: &[Choice] = &[
    Choice {
        name: "grid",
        doc: "Every combination of values; the last axis varies fastest.",
    },
    Choice {
        name: "zip",
        doc: "The first values of all axes, the second values of all axes, and so on.",
    },
    Choice {
        name: "latin-hypercube",
        doc: "Sampled: each axis is cut into as many parts of equal probability as there are cases, and each part is drawn from once.",
    },
    Choice {
        name: "random",
        doc: "Sampled: each axis of each case by itself.",
    },
];
