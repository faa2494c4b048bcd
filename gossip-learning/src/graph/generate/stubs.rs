//! Joining loose ends of links at random: the configuration model with repairs.

use crate::random::{below, chance, shuffle};
use rand_chacha::ChaCha8Rng;

/// How often links that must not be exchange an end with others.
const REPAIRS: usize = 200;

/// `value` rounded up or down at random, so that it is kept on average.
pub fn round(rng: &mut ChaCha8Rng, value: f64) -> usize {
    value as usize + usize::from(chance(rng, value.fract()))
}

/// Joins `ends` into links, uniformly but for loops, parallel links and pairs that are not `allowed`:
/// such a link exchanges an end with another where that makes both fit (the configuration model of
/// Bender and Canfield 1978, repaired rather than restarted). An odd end is left over, and so are pairs
/// that no exchange could place, as happens in tiny or almost complete graphs.
pub fn pair(
    mut ends: Vec<u32>,
    allowed: impl Fn(u32, u32) -> bool,
    rng: &mut ChaCha8Rng,
) -> Vec<(u32, u32)> {
    shuffle(rng, &mut ends);
    let mut links: Vec<(u32, u32)> = ends.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    let fits = |(a, b): (u32, u32)| a != b && allowed(a.min(b), a.max(b));
    for _ in 0..REPAIRS {
        let unfit = unfit(&links, fits);
        if unfit.is_empty() {
            return links;
        }
        for place in &unfit {
            // Where two sides are to be joined, only another unfit link helps: try both kinds.
            let other = if chance(rng, 0.5) {
                unfit[below(rng, unfit.len())] as usize
            } else {
                below(rng, links.len())
            };
            let ((a, b), (c, d)) = (links[*place as usize], links[other]);
            let (first, second) = if chance(rng, 0.5) {
                ((a, c), (b, d))
            } else {
                ((a, d), (b, c))
            };
            if fits(first) && fits(second) && other != *place as usize {
                links[*place as usize] = first;
                links[other] = second;
            }
        }
    }
    for place in unfit(&links, fits).into_iter().rev() {
        links.swap_remove(place as usize);
    }
    links
}

/// The places of links that must not be, ascending; of parallel ones all but the first.
fn unfit(links: &[(u32, u32)], fits: impl Fn((u32, u32)) -> bool) -> Vec<u32> {
    let mut sorted: Vec<(u32, u32, u32)> = (0u32..)
        .zip(links)
        .map(|(place, (a, b))| (*a.min(b), *a.max(b), place))
        .collect();
    sorted.sort_unstable();
    let mut before = None;
    let mut unfit: Vec<u32> = Vec::new();
    for (a, b, place) in sorted {
        if before == Some((a, b)) || !fits((a, b)) {
            unfit.push(place);
        }
        before = Some((a, b));
    }
    unfit.sort_unstable();
    unfit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn two_sides_are_matched_completely() {
        let ends: Vec<u32> = (0..200).flat_map(|peer| [peer; 5]).collect();
        let links = pair(ends, |a, b| (a < 100) != (b < 100), &mut stream(1, 1));
        assert_eq!(links.len(), 500);
        assert!(unfit(&links, |(a, b)| (a < 100) != (b < 100)).is_empty());
    }

    #[test]
    fn what_cannot_be_joined_is_left_over() {
        assert!(pair(vec![1; 9], |_, _| true, &mut stream(1, 1)).is_empty());
        assert!(pair(vec![], |_, _| true, &mut stream(1, 1)).is_empty());
    }
}
