//! The spectral gap by Lanczos iteration.

use super::{Graph, largest_component};
use crate::random::{stream, unit};

/// Steps of the iteration at most; small gaps of large graphs take hundreds.
const STEPS: usize = 2_000;
/// The iteration ends when ten more steps move the eigenvalue by less.
const TOLERANCE: f64 = 1e-8;

/// 1 − λ₂ of the plain random walk (from a peer to any neighbour with equal probability) on the
/// largest component, λ₂ being its second largest eigenvalue. The lazy walk's gap is half of it. 0 for
/// fewer than two peers.
///
/// The walk's matrix is similar to the symmetric D^−½ A D^−½, whose first eigenvector D^½·1 is known
/// and is projected out in every step; the largest eigenvalue of what remains appears in the
/// tridiagonal matrix of Lanczos (1950). Lost orthogonality only repeats it.
pub fn spectral_gap(graph: &Graph) -> f64 {
    let members = largest_component(graph);
    if members.len() < 2 {
        return 0.0;
    }
    let first = unit_vector(graph, &members, |peer| (graph.degree(peer) as f64).sqrt());
    let mut rng = stream(0, 0x0067_6170);
    let mut current = unit_vector(graph, &members, |_| unit(&mut rng) - 0.5);
    project_out(&first, &mut current);
    if normalise(&mut current) == 0.0 {
        return 1.0;
    }
    let mut previous = vec![0.0; graph.peers()];
    let (mut diagonal, mut beside) = (Vec::new(), Vec::<f64>::new());
    let mut estimate = f64::NAN;
    for step in 1..=STEPS.min(members.len() - 1) {
        let mut next = vec![0.0; graph.peers()];
        walk(graph, &members, &current, &mut next);
        let alpha = dot(&next, &current);
        diagonal.push(alpha);
        let beta = beside.last().copied().unwrap_or(0.0);
        for ((next, current), previous) in next.iter_mut().zip(&current).zip(&previous) {
            *next -= alpha * current + beta * previous;
        }
        project_out(&first, &mut next);
        let beta = normalise(&mut next);
        if step % 10 == 0 {
            let before = std::mem::replace(&mut estimate, largest_eigenvalue(&diagonal, &beside));
            if (estimate - before).abs() < TOLERANCE {
                break;
            }
        }
        if beta < 1e-12 {
            break;
        }
        beside.push(beta);
        previous = std::mem::replace(&mut current, next);
    }
    beside.truncate(diagonal.len() - 1);
    (1.0 - largest_eigenvalue(&diagonal, &beside)).max(0.0)
}

/// The vector with these entries at `members` and 0 elsewhere, of length 1.
fn unit_vector(graph: &Graph, members: &[u32], mut entry: impl FnMut(u32) -> f64) -> Vec<f64> {
    let mut vector = vec![0.0; graph.peers()];
    for peer in members {
        vector[*peer as usize] = entry(*peer);
    }
    normalise(&mut vector);
    vector
}

/// `to` = D^−½ A D^−½ `from`, on `members` only.
fn walk(graph: &Graph, members: &[u32], from: &[f64], to: &mut [f64]) {
    let root = |peer: u32| (graph.degree(peer) as f64).sqrt();
    for peer in members {
        let sum: f64 = (graph.neighbours(*peer).iter())
            .map(|other| from[*other as usize] / root(*other))
            .sum();
        to[*peer as usize] = sum / root(*peer);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn project_out(direction: &[f64], vector: &mut [f64]) {
    let along = dot(direction, vector);
    for (entry, direction) in vector.iter_mut().zip(direction) {
        *entry -= along * direction;
    }
}

/// Scales to length 1 and returns the length before.
fn normalise(vector: &mut [f64]) -> f64 {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|entry| *entry /= length);
    }
    length
}

/// The largest eigenvalue of a symmetric tridiagonal matrix within [−1, 1], by bisection: the signs of
/// the pivots of T − x tell whether an eigenvalue lies above x (Sturm).
fn largest_eigenvalue(diagonal: &[f64], beside: &[f64]) -> f64 {
    let some_above = |x: f64| {
        let mut pivot = 1.0;
        diagonal.iter().enumerate().any(|(place, entry)| {
            let coupling = place
                .checked_sub(1)
                .map_or(0.0, |before| beside[before].powi(2));
            pivot = entry
                - x
                - if coupling > 0.0 {
                    coupling / pivot
                } else {
                    0.0
                };
            if pivot == 0.0 {
                pivot = -f64::EPSILON;
            }
            pivot > 0.0
        })
    };
    let (mut low, mut high) = (-1.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if some_above(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn ring(peers: u32) -> Graph {
        let links = (0..peers).map(|peer| (peer, (peer + 1) % peers)).collect();
        Graph::new(vec![0; peers as usize], links).unwrap()
    }

    #[test]
    fn rings_and_complete_graphs_have_known_gaps() {
        for peers in [3u32, 10, 101] {
            let expected = 1.0 - (TAU / f64::from(peers)).cos();
            let gap = spectral_gap(&ring(peers));
            assert!((gap - expected).abs() < 1e-6, "{peers}: {gap} {expected}");
        }
        let links = (0..8u32)
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .collect();
        let complete = Graph::new(vec![0; 8], links).unwrap();
        assert!((spectral_gap(&complete) - 8.0 / 7.0).abs() < 1e-6);
    }

    #[test]
    fn two_peers_and_peers_apart() {
        let pair = Graph::new(vec![0; 5], vec![(1, 3)]).unwrap();
        assert!((spectral_gap(&pair) - 2.0).abs() < 1e-6);
        assert_eq!(spectral_gap(&Graph::new(vec![0; 3], vec![]).unwrap()), 0.0);
    }
}
