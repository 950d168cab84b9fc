//! Links that can never bind.
//!
//! In: links and templates. Out: which links to leave out. Never drops one that could be full
//! while the links around it are not: the result is exact, whichever transfers are in flight.
//!
//! All that crosses a link came over the links before it (or goes on over those after it). If
//! those cannot bring more than the link carries, it never limits anybody: when it is full, so
//! are they. Links are looked at from the largest down, and a dropped link is no evidence for
//! another, so that no two vouch for each other.

use super::Template;

/// For each link, whether any template uses it and it can bind.
pub(super) fn binding(capacities: &[f64], templates: &[&Template]) -> Vec<bool> {
    let links = capacities.len();
    // Which hops are on a link: the index of a hop in all templates' hops, laid end to end.
    let mut first = vec![0_u32; links + 1];
    for template in templates {
        for &(link, _) in template.all_hops() {
            first[link as usize + 1] += 1;
        }
    }
    for link in 0..links {
        first[link + 1] += first[link];
    }
    let mut next = first.clone();
    let mut at = vec![(0_u32, 0_u32, 0_u32); first[links] as usize];
    for (index, template) in templates.iter().enumerate() {
        for flow in 0..template.len() {
            for (hop, &(link, _)) in template.hops(flow).iter().enumerate() {
                let place = &mut next[link as usize];
                at[*place as usize] = (index as u32, flow as u32, hop as u32);
                *place += 1;
            }
        }
    }
    let mut seen = vec![(u32::MAX, 0_u32); links];
    let mut flows = 0;
    let crossings: Vec<Vec<f64>> = (templates.iter())
        .map(|template| {
            flows += template.len() as u32;
            crossings(template, flows - template.len() as u32, &mut seen)
        })
        .collect();
    let mut kept: Vec<bool> = first.windows(2).map(|ends| ends[0] < ends[1]).collect();
    let mut order: Vec<u32> = (0..links as u32).filter(|&l| kept[l as usize]).collect();
    order.sort_by(|&a, &b| capacities[b as usize].total_cmp(&capacities[a as usize]));
    // The greatest cost here over the cost there, of the flows that a neighbour vouches for.
    let mut ratio = vec![0.0_f64; links];
    let mut touched = Vec::new();
    for link in order {
        let uses = &at[first[link as usize] as usize..first[link as usize + 1] as usize];
        let capacity = capacities[link as usize];
        let vouched = [false, true].into_iter().any(|after| {
            let mut brought = 0.0;
            let covered = uses.iter().all(|&(template, flow, hop)| {
                let hops = templates[template as usize].hops(flow as usize);
                let cost = hops[hop as usize].1;
                let near = |&&(other, _): &&(u32, f64)| other != link && kept[other as usize];
                let neighbour = if after {
                    hops[hop as usize + 1..].iter().find(near)
                } else {
                    hops[..hop as usize].iter().rev().find(near)
                };
                let Some(&(other, other_cost)) = neighbour else {
                    return false;
                };
                let times = crossings[template as usize][flow as usize];
                let held = &mut ratio[other as usize];
                if *held == 0.0 {
                    touched.push(other);
                }
                let here = times * cost / other_cost;
                if here > *held {
                    brought += (here - *held) * capacities[other as usize];
                    *held = here;
                }
                brought <= capacity * (1.0 + 1e-12)
            });
            for other in touched.drain(..) {
                ratio[other as usize] = 0.0;
            }
            covered
        });
        if vouched {
            kept[link as usize] = false;
        }
    }
    kept
}

/// How often each flow crosses one and the same link at most. Flows are numbered from `first`;
/// `seen` holds the last flow on each link.
fn crossings(template: &Template, first: u32, seen: &mut [(u32, u32)]) -> Vec<f64> {
    (0..template.len() as u32)
        .map(|flow| {
            let number = first + flow;
            let most = template.hops(flow as usize).iter().map(|&(link, _)| {
                let (last, times) = &mut seen[link as usize];
                *times = if *last == number { *times + 1 } else { 1 };
                *last = number;
                *times
            });
            f64::from(most.max().unwrap_or(1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Hop, LinkId};
    use super::*;
    use strait_units::Ratio;

    fn template(flows: &[&[u32]]) -> Template {
        let mut template = Template::new();
        for hops in flows {
            let hops: Vec<Hop> = hops.iter().map(|&l| Hop::plain(LinkId(l))).collect();
            template.flow(0, Ratio::new(1.0), 0, &hops).unwrap();
        }
        template
    }

    #[test]
    fn an_uplink_as_wide_as_what_feeds_it_is_dropped() {
        // Each of two sources sends to both sinks over one uplink.
        let t = template(&[&[0, 2, 3], &[0, 2, 4], &[1, 2, 3], &[1, 2, 4]]);
        let kept = |uplink| binding(&[1.0, 1.0, uplink, 1.0, 1.0], &[&t]);
        assert_eq!(kept(2.0), [true, true, false, true, true]);
        assert_eq!(kept(1.9), [true; 5]);
    }

    #[test]
    fn two_equal_links_do_not_drop_each_other() {
        let t = template(&[&[0, 1]]);
        let kept = binding(&[1.0, 1.0], &[&t]);
        assert_eq!(kept.iter().filter(|k| **k).count(), 1);
    }

    #[test]
    fn a_cost_makes_a_link_thinner() {
        let mut t = Template::new();
        let hops = [
            Hop::plain(LinkId(0)),
            Hop {
                link: LinkId(1),
                cost: Ratio::new(3.0),
            },
        ];
        t.flow(0, Ratio::new(1.0), 0, &hops).unwrap();
        // A byte takes three of link 1, which carries two for each of link 0.
        assert_eq!(binding(&[1.0, 2.0], &[&t]), [false, true]);
    }
}
