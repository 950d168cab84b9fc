//! The settings of case k.
//!
//! In: axes, a mode, a seed, the laws of ranges. Out: for each number k the values of all axes. No list
//! of cases is held: a grid's k is read as digits, a Latin hypercube's parts are shuffled by a keyed
//! permutation that is computed where it is needed. Never looks at what the values mean.

use super::error::SweepError;
use crate::chance::draw::Common;
use crate::chance::law::Law;
use crate::chance::quantile;
use crate::scenario::{Axis, MAX_CASES, Mode, Point, Range, ResolvedCase, Values, between, figure};
use std::sync::Arc;
use strait_sim::random::Key;

/// Rounds of the Feistel network: four give a pseudo-random permutation where the round functions are
/// (Luby and Rackoff, SIAM J. Comput. 17(2), 1988); two more for what a mixer lacks.
const ROUNDS: u64 = 6;

/// A value of an axis in a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// As people read it.
    pub text: String,
    /// In the axis' unit.
    pub number: Option<f64>,
}

/// The settings of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The value of each axis.
    pub cells: Vec<Cell>,
    /// The named case that it starts from; `None`: the file's first.
    pub case: Option<String>,
    /// Paths and TOML values.
    pub set: Vec<(String, String)>,
}

/// Settings by the number of the case.
#[derive(Clone, Debug)]
pub struct Sampler {
    mode: Mode,
    cases: u64,
    axes: Arc<Vec<Axis>>,
    /// For each axis of a range: the range, its law, and the factor that it moves with.
    laws: Vec<Option<(Range, Law, Option<usize>)>>,
    factors: Vec<(Common, Key)>,
    /// For each axis of a grid: how many cases pass before its digit changes, and how many digits it has.
    digits: Vec<(u64, u64)>,
    keys: Vec<Key>,
    seeds: Key,
}

/// The number of cases that axes make, and how the digits of a grid are weighted; `None` where there are
/// more than [`MAX_CASES`], with a count in words.
fn layout(mode: Mode, axes: &[Axis], cases: Option<u64>) -> Result<(u64, Vec<(u64, u64)>), String> {
    let length = |axis: &Axis| axis.points().map_or(1, <[Point]>::len) as u64;
    match mode {
        Mode::Zip => Ok((axes.iter().map(length).min().unwrap_or(0), Vec::new())),
        Mode::LatinHypercube | Mode::Random => Ok((cases.unwrap_or(0), Vec::new())),
        Mode::Grid => {
            // Axes of one group share a digit; it stands where the first of them stands.
            let leader = |index: usize| -> usize {
                let group = &axes[index].group;
                (axes.iter())
                    .position(|axis| group.is_some() && axis.group == *group)
                    .unwrap_or(index)
            };
            let mut weight: u128 = 1;
            let mut weights = vec![0u128; axes.len()];
            for index in (0..axes.len()).rev() {
                if leader(index) == index {
                    weights[index] = weight;
                    weight = weight.saturating_mul(u128::from(length(&axes[index])));
                }
            }
            if weight > u128::from(MAX_CASES) {
                let factors: Vec<String> = (0..axes.len())
                    .filter(|index| leader(*index) == *index)
                    .map(|index| length(&axes[index]).to_string())
                    .collect();
                let count = match weight {
                    u128::MAX => "more than 10^38".to_owned(),
                    count => grouped(count),
                };
                return Err(format!("{} = {count}", factors.join(" x ")));
            }
            let digits = (0..axes.len())
                .map(|index| (weights[leader(index)] as u64, length(&axes[index])))
                .collect();
            Ok((weight as u64, digits))
        }
    }
}

/// "1,000,000".
fn grouped(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Sampler {
    /// Of axes, with as many cases as a sampled mode has. `base` is the case whose ranges axes name.
    ///
    /// # Errors
    /// More cases than make sense, or an axis over a range that is not there.
    pub fn new(
        mode: Mode,
        axes: &Arc<Vec<Axis>>,
        cases: Option<u64>,
        seed: u64,
        base: Option<&ResolvedCase>,
    ) -> Result<Sampler, SweepError> {
        let (cases, digits) = layout(mode, axes, cases).map_err(|count| {
            SweepError::input(
                format!("the axes make {count} cases"),
                format!(
                    "a sweep has at most {}: take fewer steps, or draw from the axes with mode = \"latin-hypercube\" and cases = 10000",
                    grouped(u128::from(MAX_CASES))
                ),
            )
        })?;
        if cases == 0 || cases > MAX_CASES {
            return Err(SweepError::input(
                format!(
                    "a sweep of {} cases makes no sense",
                    grouped(u128::from(cases))
                ),
                format!("from 1 to {}", grouped(u128::from(MAX_CASES))),
            ));
        }
        let root = Key::new(seed).purpose("sweep");
        let factors = base.map_or(&[][..], |base| &base.factors);
        let mut laws = Vec::new();
        for axis in axes.iter() {
            let Values::Range { path, .. } = &axis.values else {
                laws.push(None);
                continue;
            };
            let range = base.and_then(|base| base.ranges.iter().find(|range| range.path == *path));
            let Some(range) = range else {
                return Err(SweepError::input(
                    format!("the axis `{path}` names a range that the base case does not have"),
                    "give the axis values, or from and to",
                ));
            };
            let factor = (range.factor.as_ref())
                .and_then(|name| factors.iter().position(|factor| factor.name == *name));
            laws.push(Some((range.clone(), Law::from(range), factor)));
        }
        Ok(Sampler {
            mode,
            cases,
            keys: (axes.iter())
                .map(|axis| root.purpose(axis.group.as_deref().unwrap_or(&axis.name)))
                .collect(),
            axes: Arc::clone(axes),
            laws,
            factors: (factors.iter())
                .map(|factor| {
                    let key = root.purpose("factors").purpose(&factor.name);
                    (Common::new(&factor.name, factor.correlation), key)
                })
                .collect(),
            digits,
            seeds: root.purpose("seeds"),
        })
    }

    /// How many cases there are.
    pub fn cases(&self) -> u64 {
        self.cases
    }

    /// The place of an axis' value in its list, where it has one.
    pub fn place(&self, axis: usize, case: u64) -> Option<usize> {
        let count = self.axes.get(axis)?.points()?.len() as u64;
        let place = match self.mode {
            Mode::Zip => case,
            Mode::Grid => {
                let (weight, length) = self.digits[axis];
                case / weight % length
            }
            _ => ((self.share(self.keys[axis], case) * count as f64) as u64).min(count - 1),
        };
        usize::try_from(place).ok()
    }

    /// Where between 0 and 1 a key stands in a case.
    fn share(&self, key: Key, case: u64) -> f64 {
        let inside = key.purpose("inside").at(case).uniform();
        match self.mode {
            Mode::LatinHypercube => {
                let part = permuted(key.purpose("parts"), self.cases, case);
                (part as f64 + inside) / self.cases as f64
            }
            _ => inside,
        }
    }

    /// The normal score of a key in a case: never infinite.
    fn score(&self, key: Key, case: u64) -> f64 {
        const EDGE: f64 = 1e-15;
        quantile::normal(self.share(key, case).clamp(EDGE, 1.0 - EDGE))
    }

    /// The settings of a case.
    pub fn settings(&self, case: u64) -> Settings {
        let mut settings = Settings {
            cells: Vec::with_capacity(self.axes.len()),
            case: None,
            set: Vec::new(),
        };
        for (index, axis) in self.axes.iter().enumerate() {
            let key = self.keys[index];
            match &axis.values {
                Values::Points(points) => {
                    let place = self.place(index, case).unwrap_or(0);
                    let Some(point) = points.get(place) else {
                        continue;
                    };
                    settings.set.extend(point.set.iter().cloned());
                    if point.case.is_some() {
                        settings.case.clone_from(&point.case);
                    }
                    settings.cells.push(Cell {
                        text: point.text.clone(),
                        number: point.number,
                    });
                }
                Values::Span {
                    path,
                    from,
                    to,
                    log,
                    whole,
                } => {
                    let number = between(*from, *to, self.share(key, case), *log, *whole);
                    let text = figure(number);
                    let number = text.parse().unwrap_or(number);
                    settings.add(path, text, Some(number), axis.unit.as_deref());
                }
                Values::Range { path, .. } => {
                    let Some((range, law, factor)) = &self.laws[index] else {
                        continue;
                    };
                    let own = self.score(key, case);
                    let score = match factor.and_then(|factor| self.factors.get(factor)) {
                        Some((common, key)) => common.joined(self.score(*key, case), own),
                        None => own,
                    };
                    let value = law.at(score);
                    let (text, number, unit) = range.written(value);
                    match (number, &unit) {
                        (Some(number), _) => {
                            settings.add(path, figure(number), Some(number), unit.as_deref());
                        }
                        (None, _) => settings.word(path, text),
                    }
                }
            }
        }
        settings
    }

    /// The seed of a case. Cases of a grid share one, so that they differ by their settings alone; drawn
    /// cases have one each.
    pub fn seed(&self, base: u64, case: u64) -> u64 {
        match self.mode.sampled() {
            // Seeds above 2^53 would not survive a file in which all numbers are floats.
            true => self.seeds.at(case).word() >> 11,
            false => base,
        }
    }
}

impl Settings {
    fn add(&mut self, path: &str, figure: String, number: Option<f64>, unit: Option<&str>) {
        let text = match unit {
            Some(unit) => format!("{figure} {unit}"),
            None => figure,
        };
        let value = match unit {
            Some(_) => serde_json::Value::from(text.as_str()).to_string(),
            None => text.clone(),
        };
        self.set.push((path.to_owned(), value));
        self.cells.push(Cell { text, number });
    }

    fn word(&mut self, path: &str, text: String) {
        let value = match text.as_str() {
            "true" | "false" => text.clone(),
            word => serde_json::Value::from(word).to_string(),
        };
        self.set.push((path.to_owned(), value));
        self.cells.push(Cell { text, number: None });
    }
}

/// Where a keyed permutation of the numbers below `count` takes one of them: a Feistel network over
/// the next even power of two, walked until it is back among them (Black and Rogaway, "Ciphers with
/// Arbitrary Finite Domains", CT-RSA 2002).
pub fn permuted(key: Key, count: u64, number: u64) -> u64 {
    if count < 2 {
        return number;
    }
    let bits = 64 - (count - 1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut at = number;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..ROUNDS {
            let mixed = key.entity(round).at(right).word() & mask;
            (left, right) = (right, left ^ mixed);
        }
        at = (left << half) | right;
        // The network permutes the larger domain: a walk from a number below `count` comes back to one.
        if at < count {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(name: &str, count: usize) -> Axis {
        Axis {
            name: name.to_owned(),
            unit: None,
            whole: true,
            group: None,
            values: Values::Points(
                (0..count)
                    .map(|index| Point {
                        text: index.to_string(),
                        number: Some(index as f64),
                        case: None,
                        set: vec![(name.to_owned(), index.to_string())],
                    })
                    .collect(),
            ),
        }
    }

    fn span(name: &str, log: bool) -> Axis {
        Axis {
            name: name.to_owned(),
            unit: Some("USD/h".to_owned()),
            whole: false,
            group: None,
            values: Values::Span {
                path: name.to_owned(),
                from: 1.0,
                to: 16.0,
                log,
                whole: false,
            },
        }
    }

    fn sampler(mode: Mode, axes: &[Axis], cases: Option<u64>, seed: u64) -> Sampler {
        Sampler::new(mode, &Arc::new(axes.to_vec()), cases, seed, None).unwrap()
    }

    proptest! {
        #[test]
        fn a_permutation_takes_each_number_once(seed: u64, count in 1u64..3000) {
            let key = Key::new(seed).purpose("test");
            let mut met = vec![false; count as usize];
            for number in 0..count {
                let at = permuted(key, count, number);
                prop_assert!(at < count);
                prop_assert!(!met[at as usize], "{} is met twice", at);
                met[at as usize] = true;
            }
        }

        #[test]
        fn each_part_of_a_latin_hypercube_is_drawn_from_once(seed: u64, cases in 1u64..600) {
            let axes = [span("a", false), span("b", true)];
            let sampler = sampler(Mode::LatinHypercube, &axes, Some(cases), seed);
            let mut parts = [vec![0; cases as usize], vec![0; cases as usize]];
            for case in 0..cases {
                for (axis, met) in parts.iter_mut().enumerate() {
                    let share = sampler.share(sampler.keys[axis], case);
                    met[((share * cases as f64) as usize).min(cases as usize - 1)] += 1;
                }
            }
            prop_assert!(parts.iter().flatten().all(|count| *count == 1));
        }

        #[test]
        fn a_grid_has_each_combination_once(a in 1usize..8, b in 1usize..8, c in 1usize..8) {
            let axes = [points("a", a), points("b", b), points("c", c)];
            let sampler = sampler(Mode::Grid, &axes, None, 1);
            prop_assert_eq!(sampler.cases(), (a * b * c) as u64);
            let mut met: Vec<Vec<String>> = (0..sampler.cases())
                .map(|case| sampler.settings(case).cells.into_iter().map(|cell| cell.text).collect())
                .collect();
            // The last axis varies fastest: the order is that of a dictionary.
            let sorted = met.is_sorted();
            met.dedup();
            prop_assert!(sorted && met.len() == a * b * c);
        }
    }

    #[test]
    fn a_permutation_is_no_small_shift() {
        // Serial correlation of a shuffled list of n is about 1/√n; here three times as much is allowed.
        let count = 10_000;
        let list: Vec<f64> = (0..count)
            .map(|k| permuted(Key::new(3).purpose("x"), count, k) as f64 / count as f64 - 0.5)
            .collect();
        let of = |lag: usize| -> f64 {
            let sum: f64 = list.iter().zip(&list[lag..]).map(|(a, b)| a * b).sum();
            sum / (count as f64 / 12.0)
        };
        for lag in [1, 2, 3, 100] {
            assert!(of(lag).abs() < 0.03, "lag {lag}: {}", of(lag));
        }
        let drift: f64 = (list.iter().enumerate())
            .map(|(k, x)| (k as f64 / count as f64 - 0.5) * x)
            .sum();
        assert!((drift / (count as f64 / 12.0)).abs() < 0.03, "{drift}");
    }

    #[test]
    fn groups_move_together() {
        let mut axes = [points("a", 3), points("b", 2), points("c", 3)];
        axes[0].group = Some("g".to_owned());
        axes[2].group = Some("g".to_owned());
        let grid = sampler(Mode::Grid, &axes, None, 1);
        assert_eq!(grid.cases(), 6);
        for case in 0..6 {
            let cells = grid.settings(case).cells;
            assert_eq!(cells[0].text, cells[2].text);
        }
        let drawn = sampler(Mode::Random, &axes, Some(50), 1);
        let mut apart = false;
        for case in 0..50 {
            let cells = drawn.settings(case).cells;
            assert_eq!(cells[0].text, cells[2].text);
            apart |= cells[0].text != cells[1].text;
        }
        assert!(apart);
    }

    #[test]
    fn a_case_depends_on_seed_and_number_alone() {
        let axes = [span("a", false), span("b", true)];
        let few = sampler(Mode::Random, &axes[..1], Some(10), 7);
        let many = sampler(Mode::Random, &axes, Some(1_000_000), 7);
        for case in 0..10 {
            assert_eq!(few.settings(case).cells[0], many.settings(case).cells[0]);
            assert_eq!(few.seed(1, case), many.seed(1, case));
        }
        let other = sampler(Mode::Random, &axes, Some(10), 8);
        assert_ne!(few.settings(0).cells[0], other.settings(0).cells[0]);
        assert_ne!(few.seed(1, 0), few.seed(1, 1));
        // In a grid all share one, so that cases differ by their settings alone.
        let grid = sampler(Mode::Grid, &[points("a", 3)], None, 7);
        assert_eq!((grid.seed(5, 0), grid.seed(5, 2)), (5, 5));
    }

    #[test]
    fn spans_are_even_in_what_they_are_even_in() {
        let axes = [span("a", false), span("b", true)];
        let sampler = sampler(Mode::LatinHypercube, &axes, Some(1000), 1);
        let (mut below_mean, mut below_root) = (0, 0);
        for case in 0..1000 {
            let cells = sampler.settings(case).cells;
            below_mean += u32::from(cells[0].number.unwrap() < 8.5);
            below_root += u32::from(cells[1].number.unwrap() < 4.0);
            assert_eq!(cells[0].text, format!("{} USD/h", cells[0].number.unwrap()));
        }
        assert_eq!((below_mean, below_root), (500, 500));
    }

    #[test]
    fn absurd_counts_are_told() {
        let axes: Vec<Axis> = ["a", "b", "c"].map(|name| points(name, 10_000)).to_vec();
        let error = Sampler::new(Mode::Grid, &Arc::new(axes.to_vec()), None, 1, None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("10000 x 10000 x 10000 = 1,000,000,000,000"),
            "{error}"
        );
    }
}
