//! The least of a function of a few positive parameters, the same on every machine.
//!
//! In: starting values, a loss. Out: the parameters where the loss is least nearby, by Nelder and
//! Mead's simplex on their logarithms, begun anew where it stopped until that gains nothing.
//! Never draws at random and never reads a clock: + − × ÷ and `libm` in a fixed order.

/// Least change of the loss that keeps a simplex going; fits are rounded to four digits at most.
const SETTLED: f64 = 1e-13;

/// Moves of one simplex, at most.
const MOVES: usize = 600;

/// Moves of a simplex that only looks, and how far from the start it begins (a factor of 1.6).
const LOOK: usize = 120;
const AWAY: f64 = 0.47;

/// Simplexes, one begun where the last stopped, at most.
const ROUNDS: usize = 12;

/// A parameter leaves its starting value by this factor at most, either way.
const REACH: f64 = 30.0;

/// The parameters of least loss. Parameters must start above zero.
pub(super) fn least(start: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let origin: Vec<f64> = start.iter().map(|&x| libm::log(x)).collect();
    let reach = libm::log(REACH);
    let mut at = |point: &[f64]| -> f64 {
        let mut beyond = 0.0;
        let values: Vec<f64> = (point.iter().zip(&origin))
            .map(|(&x, &from)| {
                let kept = x.clamp(from - reach, from + reach);
                beyond += (x - kept) * (x - kept);
                libm::exp(kept)
            })
            .collect();
        let loss = loss(&values) + beyond;
        if loss.is_nan() { f64::INFINITY } else { loss }
    };
    // A first look from the corners of a box about the start: forms with two branches have more
    // than one valley.
    let mut best = origin.clone();
    let mut least = at(&best);
    let corners = if origin.len() > 1 {
        1_usize << origin.len().min(6)
    } else {
        0
    };
    for corner in 0..corners {
        let from: Vec<f64> = (origin.iter().enumerate())
            .map(|(i, x)| {
                x + if corner >> i.min(5) & 1 == 1 {
                    AWAY
                } else {
                    -AWAY
                }
            })
            .collect();
        let (point, found) = simplex(&from, 0.3, LOOK, &mut at);
        if found < least {
            best = point;
            least = found;
        }
    }
    // Edges of 30 %, then finer: a simplex that collapsed early gets another chance.
    let mut edge = 0.3;
    for _ in 0..ROUNDS {
        let (point, found) = simplex(&best, edge, MOVES, &mut at);
        let gained = least - found;
        if found < least {
            best = point;
            least = found;
        }
        if gained <= SETTLED * least.abs() && edge < 0.05 {
            break;
        }
        edge *= 0.5;
    }
    best.iter().map(|&x| libm::exp(x)).collect()
}

/// One run of the simplex from `start` with edges of `edge`.
fn simplex(
    start: &[f64],
    edge: f64,
    moves: usize,
    at: &mut impl FnMut(&[f64]) -> f64,
) -> (Vec<f64>, f64) {
    let n = start.len();
    let mut corners: Vec<(Vec<f64>, f64)> = Vec::with_capacity(n + 1);
    corners.push((start.to_vec(), at(start)));
    for i in 0..n {
        let mut corner = start.to_vec();
        corner[i] += edge;
        let value = at(&corner);
        corners.push((corner, value));
    }
    for _ in 0..moves {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let size = (corners[1..].iter())
            .flat_map(|corner| corner.0.iter().zip(&corners[0].0))
            .fold(0.0_f64, |widest, (a, b)| widest.max((a - b).abs()));
        if size < 1e-9 {
            break;
        }
        let worst = corners[n].1;
        let centre: Vec<f64> = (0..n)
            .map(|i| corners[..n].iter().map(|c| c.0[i]).sum::<f64>() / n as f64)
            .collect();
        let mut along = |factor: f64| -> (Vec<f64>, f64) {
            let point: Vec<f64> = (centre.iter().zip(&corners[n].0))
                .map(|(c, w)| c + factor * (w - c))
                .collect();
            let value = at(&point);
            (point, value)
        };
        let reflected = along(-1.0);
        let better = if reflected.1 < corners[0].1 {
            let expanded = along(-2.0);
            if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            }
        } else if reflected.1 < corners[n - 1].1 {
            reflected
        } else {
            let contracted = along(if reflected.1 < worst { -0.5 } else { 0.5 });
            if contracted.1 < worst.min(reflected.1) {
                contracted
            } else {
                let (first, rest) = corners.split_at_mut(1);
                for (corner, value) in rest {
                    for (x, b) in corner.iter_mut().zip(&first[0].0) {
                        *x = b + 0.5 * (*x - b);
                    }
                    *value = at(corner);
                }
                continue;
            }
        };
        corners[n] = better;
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners.swap_remove(0)
}

/// A number to `digits` significant ones, as it is written.
pub(super) fn significant(value: f64, digits: usize) -> String {
    let text = format!("{:.*e}", digits.clamp(1, 9) - 1, value);
    text.parse::<f64>().unwrap_or(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bowl_is_found_in_three_dimensions() {
        let target = [3.0, 0.02, 700.0];
        let found = least(&[1.0, 0.1, 300.0], |p| {
            (p.iter().zip(&target))
                .map(|(x, t)| (x / t - 1.0) * (x / t - 1.0))
                .sum()
        });
        for (x, t) in found.iter().zip(&target) {
            assert!((x / t - 1.0).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn one_parameter_and_a_kink() {
        let found = least(&[1.0], |p| (libm::log(p[0]) - 0.7).abs());
        assert!((libm::log(found[0]) - 0.7).abs() < 1e-6);
    }

    #[test]
    fn numbers_are_written_to_significant_digits() {
        assert_eq!(significant(1316.4, 4), "1316");
        assert_eq!(significant(0.88499, 3), "0.885");
        assert_eq!(significant(27.96, 3), "28");
        assert_eq!(significant(7.0e-3, 2), "0.007");
    }
}
